"""Where the library meets the world: one package for each thing that can be out of reach.

Every port of `forebay.ports` has an adapter here and a twin in `memory/` that passes the same
contract tests (`tests/contract/`). A vendor's exceptions, item shapes and attribute names stay
inside their package; what gets out speaks `forebay.model` and raises `forebay.errors`.

::

    aws/          credentials and signatures
    dynamodb/     keys and ledger; a lean asyncio client for the hot path, PynamoDB for operators
    memory/       the twins, a clock that is moved by hand, dice that repeat
    providers/    upstreams, over http/
    secrets.py    a provider's credentials, from where the operator keeps them
    system.py     the real clock and real dice
    telemetry.py  log lines and metrics
    tokens.py     counts tokens where no provider did
"""
