"""DynamoDB, in two ways.

The **hot path** (every request) speaks DynamoDB's JSON over a lean asyncio client, bottom up::

    sigv4         request -> signed headers, pure
    credentials   from Lambda's environment, else botocore's chain
    replies       bytes -> reply, sans-IO (httptools)
    connection    one kept-alive connection, one request at a time
    pool          connections to one endpoint; old ones are dropped, the sandbox may have slept
    failures      DynamoDB's errors -> forebay.errors
    wire          the client: get_item, put_item, update_item, query, call
    attributes    plain values <-> DynamoDB's typed ones
    items         records <-> items: names of the attributes, shards of a day
    keys, ledger  the ports `Keys` and `Ledger`

**Operators' tools** (admin function, command line) go through PynamoDB: `tables` (the models, which
define the tables), `key_administration`, `ledger_reader`, `translation` (its errors). They import
botocore, 400 ms; a test holds the hot path free of it, which is why this module exports the hot
path alone.
"""

from forebay.adapters.dynamodb.credentials import credentials_from
from forebay.adapters.dynamodb.keys import DynamoKeys
from forebay.adapters.dynamodb.ledger import DynamoLedger
from forebay.adapters.dynamodb.wire import DynamoDb, DynamoDbSettings

__all__ = ["DynamoDb", "DynamoDbSettings", "DynamoKeys", "DynamoLedger", "credentials_from"]
