"""What to do when a provider fails. Pure: no clock, no dice, no I/O.

`retry` says which failures another attempt may mend, and how long to wait before it; `credit` says
how many further attempts a target may be asked for.
"""
