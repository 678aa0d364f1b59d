"""The gateway function: the public API, an ASGI application that streams."""

import os

from forebay.wiring.gateway import build_gateway

app = build_gateway(os.environ)
