"""What to do when a provider fails. Pure: no clock, no dice, no I/O.

`retry` says which failures another attempt may mend, and how long to wait before it; `credit` says
how many further attempts a target may be asked for. `window` counts how a target's attempts ended,
`breaker` says from that when it is left alone and when it is tried again, `first_tokens` how long
it takes to begin. `fleet_view` is what all processes of the fleet know of it, as a request sees it.
`deadline` says how long may be waited, `hedge` when another target is asked as well.
"""
