"""DynamoDB, in two ways.

The **hot path** (every request) speaks DynamoDB's JSON over a lean asyncio client, bottom up::

    failures      DynamoDB's errors -> forebay.errors
    wire          the client: get_item, put_item, update_item, query, call; over `adapters.http`,
                  signed by `adapters.aws`
    attributes    plain values <-> DynamoDB's typed ones
    items         records <-> items: names of the attributes, shards of a day
    keys, ledger  the ports `Keys` and `Ledger`
    limit_items   the same as `items`, for leaves
    limits        the ports `Limits` and `OpenHolds`
    escrow_items  the same, for parents
    escrow        the port `Escrow`
    store_clock   the port `Clock`, corrected by DynamoDB's
    updates       expressions of an `UpdateItem`
    fleet_items   the same as `items`, for the targets' health
    fleet         the ports `FleetStore` and `FleetBooks`
    usage_items   the same, for the ledger's roll-ups
    usage         the port `UsageBooks`

**Operators' tools** (admin function, command line) go through PynamoDB: `tables` (the models, which
define the tables), `key_administration`, `ledger_reader`, `translation` (its errors). They import
botocore, 400 ms; a test holds the hot path free of it, which is why this module exports the hot
path alone. (`escrow`, `usage` and `spend` are lean too, and imported by whoever needs them.)
"""

from forebay.adapters.dynamodb.fleet import DynamoFleet
from forebay.adapters.dynamodb.idempotency import DynamoIdempotencyRecords
from forebay.adapters.dynamodb.keys import DynamoKeys
from forebay.adapters.dynamodb.ledger import DynamoLedger
from forebay.adapters.dynamodb.limits import DynamoLimits
from forebay.adapters.dynamodb.store_clock import StoreClock
from forebay.adapters.dynamodb.wire import DynamoDb, DynamoDbSettings

__all__ = [
    "DynamoDb",
    "DynamoDbSettings",
    "DynamoFleet",
    "DynamoIdempotencyRecords",
    "DynamoKeys",
    "DynamoLedger",
    "DynamoLimits",
    "StoreClock",
]
