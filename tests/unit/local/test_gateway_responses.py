"""The answers that API Gateway gives by itself."""

import json

from forebay_cli.local.gateway_responses import FAILED, TOO_LARGE, UNKNOWN_PATH, GatewayResponses

CUSTOM = {
    "INTEGRATION_FAILURE": {
        "statusCode": "503",
        "responseParameters": {"gatewayresponse.header.Retry-After": "'1'"},
        "responseTemplates": {"application/json": '{"error":"busy"}'},
    },
    "DEFAULT_4XX": {
        "statusCode": 418,
        "responseTemplates": {
            "application/json": '{"m":$context.error.messageString,"id":"$context.requestId"}'
        },
    },
}


def test_without_the_template_it_is_api_gateways_own() -> None:
    status, headers, body = GatewayResponses({}).render(UNKNOWN_PATH, "id")
    assert (status, json.loads(body)) == (403, {"message": "Missing Authentication Token"})
    assert ("Content-Type", "application/json") in headers


def test_the_template_sets_status_headers_and_body() -> None:
    status, headers, body = GatewayResponses(CUSTOM).render(FAILED, "id")
    assert (status, body) == (503, b'{"error":"busy"}')
    assert ("Retry-After", "1") in headers


def test_a_default_type_serves_those_without_one_but_keeps_their_status() -> None:
    status, _, body = GatewayResponses(CUSTOM).render(TOO_LARGE, "id-1")
    assert (status, json.loads(body)) == (413, {"m": "Request Too Long", "id": "id-1"})
