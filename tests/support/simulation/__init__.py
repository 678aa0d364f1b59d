"""A fleet of gateways, its callers and its providers, in virtual time.

What is real: the ASGI application, the pipeline, the fleet's health, the settler and the
controller's duties. What is not: providers (`providers`, scripted), stores (`stores`, in memory, an
I/O away), the time, and the freezes of a sandbox (`instances`). `journal` sees all that happens
between them and says what must not; `figures` says how well callers were served.

Everything follows from the scenario, the mode and the seed.
"""
