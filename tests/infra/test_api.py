"""The REST API that callers reach: what streams, who may call, and what it says by itself."""

import json
from typing import Any

import pytest

from tests.support.template import Template, of_type

METHOD = "x-amazon-apigateway-any-method"
INTEGRATION = "x-amazon-apigateway-integration"
STREAMED = ["/", "/{proxy+}"]
ADMIN = "/admin/{proxy+}"


@pytest.fixture(scope="session")
def api(transformed: Template) -> dict[str, Any]:
    (api,) = of_type(transformed, "AWS::ApiGateway::RestApi").values()
    properties: dict[str, Any] = api["Properties"]
    return properties


@pytest.fixture(scope="session")
def paths(api: dict[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = api["Body"]["paths"]
    return paths


@pytest.fixture(scope="session")
def stage(transformed: Template) -> dict[str, Any]:
    (stage,) = of_type(transformed, "AWS::ApiGateway::Stage").values()
    properties: dict[str, Any] = stage["Properties"]
    return properties


def test_the_routes_are_the_gateways_two_and_admin_and_take_every_method(
    paths: dict[str, Any],
) -> None:
    assert {path: list(methods) for path, methods in paths.items()} == {
        path: [METHOD] for path in [*STREAMED, ADMIN]
    }


@pytest.mark.parametrize("path", STREAMED)
def test_a_public_route_streams(paths: dict[str, Any], path: str) -> None:
    integration = paths[path][METHOD][INTEGRATION]
    assert integration["type"] == "aws_proxy"
    assert integration["responseTransferMode"] == "STREAM"
    assert integration["uri"]["Fn::Sub"].endswith(
        "lambda:path/2021-11-15/functions/${GatewayFunctionAliaslive}/response-streaming-invocations"
    )


@pytest.mark.parametrize("path", STREAMED)
def test_a_stream_may_last_as_long_as_the_function(
    transformed: Template, paths: dict[str, Any], path: str
) -> None:
    timeout_s = transformed["Resources"]["GatewayFunction"]["Properties"]["Timeout"]
    assert paths[path][METHOD][INTEGRATION]["timeoutInMillis"] == timeout_s * 1000 == 900_000


@pytest.mark.parametrize("path", STREAMED)
def test_a_public_route_asks_for_no_aws_credentials(paths: dict[str, Any], path: str) -> None:
    assert "security" not in paths[path][METHOD]


def test_admin_asks_for_iam_and_invokes_without_the_callers_credentials(
    api: dict[str, Any], paths: dict[str, Any]
) -> None:
    method = paths[ADMIN][METHOD]
    scheme = api["Body"]["components"]["securitySchemes"]["AWS_IAM"]
    assert method["security"] == [{"AWS_IAM": []}]
    assert scheme["x-amazon-apigateway-authtype"] == "awsSigv4"
    assert "credentials" not in method[INTEGRATION]


def test_admin_is_buffered_and_its_function_ends_within_api_gateways_29_seconds(
    transformed: Template, paths: dict[str, Any]
) -> None:
    integration = paths[ADMIN][METHOD][INTEGRATION]
    assert "responseTransferMode" not in integration
    assert integration["uri"]["Fn::Sub"].endswith("${AdminFunctionAliaslive}/invocations")
    assert transformed["Resources"]["AdminFunction"]["Properties"]["Timeout"] <= 29


def test_there_is_one_stage_and_it_is_v1(stage: dict[str, Any]) -> None:
    assert stage["StageName"] == "v1"


def test_the_api_is_regional_since_an_edge_one_cuts_a_stream_silent_for_30_seconds(
    api: dict[str, Any],
) -> None:
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_uploads_and_raw_bytes_arrive_unharmed(api: dict[str, Any]) -> None:
    assert api["BinaryMediaTypes"] == ["multipart~1form-data", "application~1octet-stream"]


def test_the_stage_is_throttled_as_the_parameters_say(stage: dict[str, Any]) -> None:
    assert stage["MethodSettings"] == [
        {
            "ResourcePath": "/*",
            "HttpMethod": "*",
            "ThrottlingRateLimit": {"Ref": "ThrottleRate"},
            "ThrottlingBurstLimit": {"Ref": "ThrottleBurst"},
        }
    ]


def test_an_access_log_line_is_json_and_tells_whether_and_when_it_streamed(
    stage: dict[str, Any],
) -> None:
    line = json.loads(stage["AccessLogSetting"]["Format"])
    assert line["responseTransferMode"] == "$context.integration.responseTransferMode"
    assert line["timeToFirstContentMs"] == "$context.integration.timeToFirstContent"
    assert all(value.startswith("$context.") for value in line.values())


@pytest.mark.parametrize("place", [".header", ".authorizer", ".identity.apiKey", ".query"])
def test_an_access_log_line_takes_nothing_from_where_secrets_are(
    stage: dict[str, Any], place: str
) -> None:
    assert place.lower() not in stage["AccessLogSetting"]["Format"].lower()


# Each of these can happen here: 403 four ways (SigV4 on admin), 404, 413, 429, Lambda's throttle,
# the time-out, and what AWS may add.
GATEWAY_RESPONSES = {
    "DEFAULT_4XX": None,
    "ACCESS_DENIED": None,
    "MISSING_AUTHENTICATION_TOKEN": None,
    "INVALID_SIGNATURE": None,
    "EXPIRED_TOKEN": None,
    "RESOURCE_NOT_FOUND": None,
    "REQUEST_TOO_LARGE": None,
    "THROTTLED": None,
    "DEFAULT_5XX": None,
    "INTEGRATION_FAILURE": "503",
    "INTEGRATION_TIMEOUT": None,
}


@pytest.fixture(scope="session")
def responses(api: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = api["Body"]["x-amazon-apigateway-gateway-responses"]
    return responses


def test_api_gateways_own_answers_keep_their_status_but_for_lambdas_throttle(
    responses: dict[str, Any],
) -> None:
    """A status on a DEFAULT_ one would replace those of all its kind."""
    statuses = {name: response.get("statusCode") for name, response in responses.items()}
    assert statuses == GATEWAY_RESPONSES


@pytest.mark.parametrize("name", GATEWAY_RESPONSES)
def test_an_answer_of_api_gateways_own_is_openais_error(
    responses: dict[str, Any], name: str
) -> None:
    error = json.loads(responses[name]["responseTemplates"]["application/json"])["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert all(isinstance(error[field], str) for field in ("message", "type", "code"))


@pytest.mark.parametrize("name", GATEWAY_RESPONSES)
def test_an_answer_of_api_gateways_own_is_readable_in_a_browser_and_constant(
    responses: dict[str, Any], name: str
) -> None:
    headers = responses[name]["responseParameters"]
    assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
    assert all(value[0] == value[-1] == "'" for value in headers.values())  # quoted: a constant
    assert "$" not in responses[name]["responseTemplates"]["application/json"]


@pytest.mark.parametrize("name", ["THROTTLED", "INTEGRATION_FAILURE"])
def test_what_passes_by_itself_says_when_to_try_again(responses: dict[str, Any], name: str) -> None:
    assert responses[name]["responseParameters"]["gatewayresponse.header.Retry-After"] == "'1'"


def test_the_api_waits_for_the_accounts_logging_role(api: dict[str, Any]) -> None:
    """A stage with access logs is refused in an account that has no such role yet."""
    assert "ApiLogging.Outputs.RoleArn" in json.dumps(api["Description"])
