"""The smallest function that shows what the local stack gives one: a counter in a table."""

import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

import botocore.session

client: Any = botocore.session.get_session().create_client("dynamodb")
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    """Count the call, and answer with what the function sees."""
    if scope["type"] == "lifespan":
        for state in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{state}.complete"})
        return
    item = client.update_item(
        TableName=os.environ["ITEMS_TABLE"],
        Key={"id": {"S": "counter"}},
        UpdateExpression="ADD calls :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="ALL_NEW",
    )
    seen = {
        "calls": int(item["Attributes"]["calls"]["N"]),
        "environ": dict(os.environ),
        "path": scope["aws.event"]["path"],
        "pid": os.getpid(),
    }
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
