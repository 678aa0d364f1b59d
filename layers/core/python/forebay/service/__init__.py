"""The use cases: what Forebay does, one module each, in the words of `forebay.model`.

`gateway` carries one request from its bytes to its ledger row and reads top to bottom;
`authentication` says who a caller is; `keys` creates, shows and revokes keys, and `usage` adds
the ledger up, both for an operator.

Services call the world through `forebay.ports` only, so each runs on the memory twins in a test
and on AWS in a function, unchanged. They know no HTTP: they raise what is in `forebay.errors`,
and `forebay.web.errors` alone turns that into a status.
"""
