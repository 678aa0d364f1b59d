"""The local stack: what `forebay dev` runs on a laptop in place of an AWS account.

One process supervises; everything else is its child and ends with it. A request goes

    client -> front (API Gateway) -> host (Lambda's Runtime API) -> a sandbox: the streaming runtime
           -> the function's own code -> ministack (DynamoDB, …) and the providers

Front and host share one event loop, so a chunk that a function posts is written to the client's
socket in the same turn of the loop. To read it, begin at `stack` (what is started, in which
order), then follow a request: `http1` and `connection` (HTTP/1.1), `front`, `routes`, `events`,
`relay`, `prelude`; then `pool`, `sandbox`, `runtime_api`. What the template says becomes routes and
functions in `template`, `resolve`, `functions` and `provision`. What invokes functions beside the
front (a table's stream, a schedule) is in `event_sources`, `sources`, `stream_pump`, `schedules`.

Nothing here knows what the functions do; nothing of it is deployed.
"""
