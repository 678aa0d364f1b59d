"""Routes of a processed template, and the events that they give functions."""

import base64
import json
from typing import Any

import pytest

from forebay_cli.local.events import Arrival, build_event
from forebay_cli.local.http1 import Request
from forebay_cli.local.resolve import Scope
from forebay_cli.local.routes import Api, RouteError, load_api

SIGV4 = {"securitySchemes": {"AWS_IAM": {"x-amazon-apigateway-authtype": "awsSigv4"}}}


def _operation(function: str, **more: Any) -> dict[str, Any]:
    path = "lambda:path/x/functions/${FUNCTION}/y".replace("FUNCTION", function)
    uri = {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:" + path}
    integration = {"type": "aws_proxy", "uri": uri} | more.pop("integration", {})
    return {"x-amazon-apigateway-integration": integration} | more


def _template(paths: dict[str, Any]) -> dict[str, Any]:
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": "F", "Name": "live"}}
    body = {"paths": paths, "components": SIGV4,
            "x-amazon-apigateway-binary-media-types": ["image/png"]}  # fmt: skip
    return {
        "Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi",
                    "Properties": {"Body": body, "BinaryMediaTypes": ["multipart~1form-data"]}},
            "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"StageName": "v1"}},
            "Live": alias,
        }
    }  # fmt: skip


STREAM = {"responseTransferMode": "STREAM", "timeoutInMillis": 900_000}
PATHS = {
    "/{proxy+}": {"x-amazon-apigateway-any-method": _operation("Live", integration=STREAM)},
    "/": {"get": _operation("Live")},
    "/admin/{proxy+}": {
        "x-amazon-apigateway-any-method": _operation("Live", security=[{"AWS_IAM": []}])
    },
    "/models/{id}": {"get": _operation("Live"), "delete": _operation("Live")},
}
API = load_api(Scope(_template(PATHS), {}))


@pytest.mark.parametrize(
    ("method", "path", "resource", "parameters"),
    [
        ("GET", "/", "/", {}),
        ("GET", "/a/b", "/{proxy+}", {"proxy": "a/b"}),
        ("PUT", "/admin/keys/1", "/admin/{proxy+}", {"proxy": "keys/1"}),
        ("GET", "/admin", "/{proxy+}", {"proxy": "admin"}),
        ("GET", "/models/a%2Fb", "/models/{id}", {"id": "a%2Fb"}),
        ("POST", "/models/a", "/{proxy+}", {"proxy": "models/a"}),
    ],
)
def test_a_path_finds_the_most_special_route(
    method: str, path: str, resource: str, parameters: dict[str, str]
) -> None:
    found = API.find(method, path)
    assert found is not None
    assert (found[0].resource, found[1]) == (resource, parameters)


def test_a_method_that_no_route_has_is_not_found() -> None:
    assert API.find("POST", "/") is None


def test_a_route_says_how_it_answers_and_who_may_ask() -> None:
    routes = {route.resource: route for route in API.routes}
    assert (routes["/{proxy+}"].streams, routes["/{proxy+}"].timeout_s) == (True, 900)
    assert (routes["/"].streams, routes["/"].timeout_s, routes["/"].function) == (False, 29, "F")
    assert (routes["/admin/{proxy+}"].signed, routes["/"].signed) == (True, False)


@pytest.mark.parametrize(
    "template",
    [
        {"Resources": {}},
        _template({"/": {"get": _operation("Live", integration={"type": "mock"})}}),
    ],
)
def test_an_api_that_cannot_be_served_is_refused(template: dict[str, Any]) -> None:
    with pytest.raises(RouteError):
        load_api(Scope(template, {}))


def _event(api: Api = API, *, body: bytes = b"", query: str = "", content_type: str = "") -> Any:
    headers = (("Host", "x:80"), ("A", "1"), ("A", "2"), ("Connection", "close"),
               ("Content-Type", content_type))  # fmt: skip
    found = api.find("POST", "/chat")
    assert found is not None
    arrival = Arrival(
        request=Request("POST", "/v1/chat", "1.1", headers),
        route=found[0],
        parameters=found[1],
        path="/chat",
        query=query,
        body=body,
        client=("10.0.0.1", 5),
        request_id="00000000-0000-0000-0000-000000000000",
        access_key="",
        time_s=0.5,
    )
    return json.loads(build_event(api, arrival))


def test_an_event_has_the_shape_of_rest_proxy_events() -> None:
    event = _event()
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/{proxy+}", "/chat", "POST")
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    assert event["queryStringParameters"] is None
    context = event["requestContext"]
    assert (context["stage"], context["path"]) == ("v1", "/v1/chat")
    assert (context["requestTimeEpoch"], context["domainName"]) == (500, "x")
    assert context["identity"]["sourceIp"] == "10.0.0.1"


def test_of_a_repeated_header_the_last_counts_and_all_are_listed() -> None:
    event = _event()
    assert (event["headers"]["A"], event["multiValueHeaders"]["A"]) == ("2", ["1", "2"])
    assert "Connection" not in event["headers"]


def test_a_query_is_decoded_and_blank_values_stay() -> None:
    event = _event(query="a=1%202&a=+&b=")
    assert event["queryStringParameters"] == {"a": " ", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1 2", " "], "b": [""]}


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "Image/PNG"])
def test_a_binary_body_travels_as_base64(content_type: str) -> None:
    event = _event(body=b"\xff\0", content_type=content_type)
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\0"


def test_another_body_travels_as_text() -> None:
    event = _event(body="ü\u2028".encode(), content_type="application/json")
    assert (event["isBase64Encoded"], event["body"]) == (False, "ü\u2028")
