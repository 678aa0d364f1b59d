"""The answers that API Gateway gives by itself, as the template customizes them. Pure.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CONTEXT: Final = re.compile(r"\$context\.([A-Za-z.]+)")
HEADER: Final = "gatewayresponse.header."
JSON_TYPE: Final = "application/json"


@dataclass(frozen=True, slots=True)
class GatewayError:
    """A response type of API Gateway, with the status and words it has unless customized."""

    type: str
    status: int
    message: str


# Without a name of its own in API Gateway's list: these fall to DEFAULT_4XX or DEFAULT_5XX.
BAD_REQUEST: Final = GatewayError("BAD_REQUEST", 400, "Bad Request")
HEADERS_TOO_LARGE: Final = GatewayError("HEADERS_TOO_LARGE", 431, "Request Header Too Large")
MALFORMED_RESPONSE: Final = GatewayError("MALFORMED_RESPONSE", 502, "Internal server error")

UNKNOWN_PATH: Final = GatewayError(
    "MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token"
)
BAD_SIGNATURE: Final = GatewayError(
    "INVALID_SIGNATURE",
    403,
    "The request signature we calculated does not match the signature you provided.",
)
TOO_LARGE: Final = GatewayError("REQUEST_TOO_LARGE", 413, "Request Too Long")
FAILED: Final = GatewayError("INTEGRATION_FAILURE", 504, "Internal server error")
TIMED_OUT: Final = GatewayError("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out")


class GatewayResponses:
    """What each `GatewayError` looks like for the caller.

    Args:
        custom: `x-amazon-apigateway-gateway-responses` of the API's body.
    """

    def __init__(self, custom: Mapping[str, Any]) -> None:
        self._custom = custom

    def render(
        self, error: GatewayError, request_id: str
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body."""
        fallback: Mapping[str, Any] = self._custom.get(f"DEFAULT_{error.status // 100}XX", {})
        # A type of its own wins as a whole; status codes are never taken from a default type.
        custom: Mapping[str, Any] = self._custom.get(error.type, fallback)
        status = int(self._custom.get(error.type, {}).get("statusCode", error.status))
        template = custom.get("responseTemplates", {}).get(JSON_TYPE)
        context = {
            "error.message": error.message,
            "error.messageString": json.dumps(error.message),
            "error.responseType": error.type,
            "requestId": request_id,
        }
        body = (
            json.dumps({"message": error.message})
            if template is None
            else CONTEXT.sub(lambda found: context.get(found[1], ""), template)
        )
        headers = [("Content-Type", JSON_TYPE), ("x-amzn-ErrorType", error.type)]
        for name, value in custom.get("responseParameters", {}).items():
            if name.startswith(HEADER):  # constants only: 'value'
                headers.append((name.removeprefix(HEADER), str(value).strip("'")))
        return status, headers, body.encode()
