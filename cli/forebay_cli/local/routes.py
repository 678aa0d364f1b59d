"""The routes of a REST API, read from the OpenAPI body in the processed template. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from forebay_cli.local.gateway_responses import GatewayResponses
from forebay_cli.local.resolve import Scope, resolve

ANY: Final = "x-amazon-apigateway-any-method"
INTEGRATION: Final = "x-amazon-apigateway-integration"
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
DEFAULT_TIMEOUT_MS: Final = 29_000  # API Gateway's own
FUNCTION: Final = re.compile(r":function:([^:/]+)")
GREEDY: Final = re.compile(r"\{([^}]+)\+\}")
PARAMETER: Final = re.compile(r"\{([^}+]+)\}")


class RouteError(Exception):
    """The template's API cannot be served here; the message says why."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path.

    Attributes:
        resource: the path as the template has it, `/admin/{proxy+}`.
        method: upper case, or `ANY`.
        function: logical id of the function that answers.
        streams: whether the answer is passed on as it comes (`RESPONSE_STREAM`).
        timeout_s: of the integration.
        signed: whether the caller must sign as an IAM identity.
    """

    resource: str
    method: str
    function: str
    streams: bool
    timeout_s: float
    signed: bool

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the path's parameters, still percent-encoded; None if it is not this route's."""
        if self.method not in {"ANY", method}:
            return None
        found = re.fullmatch(self._pattern, path)
        return None if found is None else found.groupdict()

    @property
    def _pattern(self) -> str:
        return "".join(
            GREEDY.sub(r"(?P<\1>.+)", part) if GREEDY.fullmatch(part)
            else PARAMETER.sub(r"(?P<\1>[^/]+)", part) if PARAMETER.fullmatch(part)
            else re.escape(part)
            for part in re.split(r"(\{[^}]+\})", self.resource)
        )  # fmt: skip

    @property
    def rank(self) -> tuple[list[int], bool]:
        """Sort key: API Gateway prefers literal parts to parameters to greedy ones."""
        parts = self.resource.split("/")
        kinds = [2 if GREEDY.fullmatch(p) else 1 if PARAMETER.fullmatch(p) else 0 for p in parts]
        return kinds, self.method == "ANY"


@dataclass(frozen=True, slots=True)
class Api:
    """A REST API with one stage.

    Attributes:
        binary_types: content types whose bodies travel as base64.
    """

    stage: str
    routes: tuple[Route, ...]
    binary_types: tuple[str, ...]
    responses: GatewayResponses

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route of a path below the stage, and the path's parameters."""
        for route in self.routes:
            parameters = route.match(method, path)
            if parameters is not None:
                return route, parameters
        return None

    def is_binary(self, media_type: str) -> bool:
        """Whether a content type is one of the API's binary ones."""
        bare = media_type.partition(";")[0].strip().lower()
        return "*/*" in self.binary_types or (bool(bare) and bare in self.binary_types)


def load_api(scope: Scope) -> Api:
    """Read the template's REST API.

    Raises:
        RouteError: there is not exactly one, or a route leads to no function.
    """
    resources = scope.template["Resources"]
    apis = [item for item in resources.values() if item["Type"] == "AWS::ApiGateway::RestApi"]
    stages = [item for item in resources.values() if item["Type"] == "AWS::ApiGateway::Stage"]
    if len(apis) != 1 or len(stages) != 1:
        raise RouteError("The template must have one REST API with one stage to be served here.")
    body = resolve(apis[0]["Properties"]["Body"], scope)
    types = [
        *body.get("x-amazon-apigateway-binary-media-types", []),
        *resolve(apis[0]["Properties"].get("BinaryMediaTypes", []), scope),
    ]
    routes = [
        _route(path, method, operation, body)
        for path, operations in body["paths"].items()
        for method, operation in operations.items()
        if method in {ANY, *METHODS} and INTEGRATION in operation
    ]
    return Api(
        stage=str(resolve(stages[0]["Properties"]["StageName"], scope)),
        routes=tuple(sorted(routes, key=lambda route: route.rank)),
        binary_types=tuple({str(item).replace("~1", "/").lower() for item in types}),
        responses=GatewayResponses(body.get("x-amazon-apigateway-gateway-responses", {})),
    )


def _route(path: str, method: str, operation: Mapping[str, Any], body: Mapping[str, Any]) -> Route:
    integration = operation[INTEGRATION]
    function = FUNCTION.search(str(integration.get("uri", "")))
    if str(integration.get("type", "")).lower() != "aws_proxy" or function is None:
        raise RouteError(f"{method.upper()} {path} is not a Lambda proxy integration.")
    schemes = body.get("components", {}).get("securitySchemes", {})
    security = operation.get("security", body.get("security", []))
    names = [name for item in security for name in item]
    return Route(
        resource=path,
        method="ANY" if method == ANY else method.upper(),
        function=function[1],
        streams=integration.get("responseTransferMode") == "STREAM",
        timeout_s=int(integration.get("timeoutInMillis", DEFAULT_TIMEOUT_MS)) / 1000,
        signed=any(
            schemes.get(name, {}).get("x-amazon-apigateway-authtype") == "awsSigv4"
            for name in names
        ),
    )
