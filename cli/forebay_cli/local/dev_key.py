"""The key that `forebay dev` makes on its first start, by the admin API like any other key."""

import http.client
import json
from collections.abc import Mapping
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TIMEOUT_S: Final = 60.0
NAME: Final = "dev"


class DevKeyError(Exception):
    """The admin function did not make a key; the message says what it answered."""


def create_dev_key(port: int, stage: str, credentials: Mapping[str, str]) -> dict[str, Any]:
    """Ask the local front for a key named `dev`; return `{"id", "name", "secret", …}`. Blocks.

    Raises:
        DevKeyError: the answer is not a new key.
    """
    body = json.dumps({"name": NAME}).encode()
    path = f"/{stage}/admin/keys"
    headers = {"Content-Type": "application/json", "Host": f"127.0.0.1:{port}"}
    request = AWSRequest("POST", f"http://127.0.0.1:{port}{path}", headers=headers, data=body)
    keys = Credentials(credentials["AWS_ACCESS_KEY_ID"], credentials["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(keys, "execute-api", credentials["AWS_REGION"]).add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", path, body, dict(request.headers.items()))
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise DevKeyError(f"The admin function does not answer: {error!r}") from error
    finally:
        connection.close()
    try:
        key: Any = json.loads(answer)
        if response.status == 201 and isinstance(key["secret"], str):
            return dict(key)
    except (ValueError, KeyError, TypeError):
        pass
    said = answer[:500].decode("utf-8", "replace")
    raise DevKeyError(f"The admin function answered {response.status}: {said}")
