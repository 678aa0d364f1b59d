"""The checks of `forebay doctor`: what only a call to the real deployment can tell.

::

    examination.py   the checks in their order, and the temporary key around them
    access.py        the key, and what is refused without one
    front.py         what stands before the gateway: TLS, headers, body limits, its own answers
    streams.py       streamed answers: arrival, settlement, keep-alive, a broken one
    chat.py          asks for a streamed answer and reads its events
    caller.py        HTTP under a deadline, with the time of each read
    deployment.py    what is examined, and what earlier checks learnt of it
    finding.py       what a check says

A check is a function: it returns `passed(…)`, or raises `CheckFailed` or `NotChecked`. Whatever
it meets, it costs a few calls at most and ends by its deadline.
"""
