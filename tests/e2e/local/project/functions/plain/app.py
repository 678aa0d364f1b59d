"""An admin function in miniature: a plain handler behind AWS_IAM that makes a key."""

import json
from typing import Any


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer as the admin API answers `POST /admin/keys`."""
    key = {"id": "abcdefghij", "name": json.loads(event["body"])["name"], "secret": "fb-made-up"}
    return {"statusCode": 201, "body": json.dumps(key)}
