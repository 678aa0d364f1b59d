"""ASGI on the Lambda Runtime API, with response streaming.

Python's managed Lambda runtime cannot stream; this one can. It is started by the layer's exec
wrapper in place of the managed one, speaks the Runtime API itself, and needs nothing but the
standard library. It knows nothing of what it serves. The way through it:

    bootstrap   environment -> started application -> loop, and the end after SIGTERM
    loop        workers: poll, run, answer, settle; deadlines and freezes
    asgi, plain one call of an ASGI app (lifespan, scope, keepalive, reply) or of a plain handler
    client      the calls of the Runtime API, over connection (asyncio) and http1 (parser)
    framing     the bytes of all that: prelude, chunks, trailers

`framing`, `http1`, `scope` and `errors` are pure; only `connection` and `client` touch a socket.

What a function may use is below. An ASGI app needs none of it: the scope carries `aws.event`,
`aws.context` and `extensions["lambda"]` (`frozen_s`, `deadline`, `before_next`).
"""

from lambda_streaming.context import LambdaContext, current_context, current_trace_id
from lambda_streaming.snapstart import register_after_restore, register_before_snapshot

__all__ = [
    "LambdaContext",
    "current_context",
    "current_trace_id",
    "register_after_restore",
    "register_before_snapshot",
]
