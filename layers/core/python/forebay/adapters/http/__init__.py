"""A small asyncio HTTP/1.1 client for the hot path: kept-alive connections, bodies as they come.

`connection` carries one exchange at a time (llhttp parses, see decision 0005 for what that saves
over a general client), `pool` keeps connections apart by origin and forgets those that a freeze
may have killed.
"""
