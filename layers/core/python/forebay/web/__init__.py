"""HTTP: routes, authentication, and the one place that turns errors into replies.

An ASGI application (`app.build_app`); it runs under any ASGI server. What it knows of Lambda is
the optional `scope["extensions"]["lambda"]`.
"""
