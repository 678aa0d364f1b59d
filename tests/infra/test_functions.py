"""Functions, layers, versions and logs."""

import copy
from typing import Any

import pytest

from forebay.settings import LogLevel, ResponseMode, Settings, Stage, TelemetrySettings
from tests.support.template import Template, of_type, packaged, transform_sam

FUNCTIONS = ["GatewayFunction", "AdminFunction", "SettlerFunction", "ControllerFunction"]
LAYERS = {
    "RuntimeLayer": FUNCTIONS,
    "CoreLayer": FUNCTIONS,
    "DependenciesLayer": FUNCTIONS,
    "NumericsLayer": ["GatewayFunction"],
}
ENVIRONMENT = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/streaming-runtime",
    "FOREBAY_STAGE": {"Ref": "Stage"},
    "FOREBAY_CONFIG": "gateway.toml",
    "FOREBAY_KEYS_TABLE": {"Fn::GetAtt": ["Tables", "Outputs.KeysTableName"]},
    "FOREBAY_LEDGER_TABLE": {"Fn::GetAtt": ["Tables", "Outputs.LedgerTableName"]},
    "FOREBAY_BREAKERS_TABLE": {"Fn::GetAtt": ["Tables", "Outputs.BreakersTableName"]},
    "FOREBAY_JOBS_TABLE": {"Fn::GetAtt": ["Tables", "Outputs.JobsTableName"]},
    "FOREBAY_LIMITS_TABLE": {"Fn::GetAtt": ["Tables", "Outputs.LimitsTableName"]},
    "FOREBAY_USAGE_TABLE": {"Fn::GetAtt": ["Tables", "Outputs.UsageTableName"]},
    "FOREBAY_LOG_LEVEL": {"Ref": "LogLevel"},
    "FOREBAY_METRICS_NAMESPACE": "Forebay",
}
GATEWAY_ENVIRONMENT = ENVIRONMENT | {
    "FOREBAY_RESPONSE_MODE": "streaming",
    "TIKTOKEN_CACHE_DIR": "/opt/tiktoken",
}


def versions(source: Template) -> dict[str, str]:
    """Return the logical id of each function's version; a new id is what publishes a new one."""
    return {
        version["Properties"]["FunctionName"]["Ref"]: name
        for name, version in of_type(transform_sam(source), "AWS::Lambda::Version").items()
    }


def changed(source: Template, name: str, **properties: Any) -> Template:
    """Return the packaged template with some properties of one resource replaced."""
    template = copy.deepcopy(packaged(source))
    template["Resources"][name]["Properties"] |= properties
    return template


def properties(transformed: Template, name: str) -> dict[str, Any]:
    found: dict[str, Any] = transformed["Resources"][name]["Properties"]
    return found


@pytest.mark.parametrize(("layer", "users"), LAYERS.items())
def test_a_change_in_one_layer_alone_publishes_its_functions_and_no_other(
    source: Template, layer: str, users: list[str]
) -> None:
    before = versions(packaged(source))
    after = versions(changed(source, layer, ContentUri="s3://bucket/another"))
    assert sorted(name for name in FUNCTIONS if before[name] != after[name]) == sorted(users)


@pytest.mark.parametrize(
    "change", [{"CodeUri": "s3://bucket/another"}, {"MemorySize": 2048}], ids=["code", "memory"]
)
def test_a_change_in_a_function_publishes_it(source: Template, change: dict[str, Any]) -> None:
    before = versions(packaged(source))
    after = versions(changed(source, "GatewayFunction", **change))
    assert [name for name in FUNCTIONS if before[name] != after[name]] == ["GatewayFunction"]


def test_an_unchanged_template_publishes_nothing(source: Template) -> None:
    assert versions(packaged(source)) == versions(packaged(source))


def test_old_versions_of_functions_and_layers_go(transformed: Template) -> None:
    published = of_type(transformed, "AWS::Lambda::Version") | of_type(
        transformed, "AWS::Lambda::LayerVersion"
    )
    assert {resource["DeletionPolicy"] for resource in published.values()} == {"Delete"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_callers_reach_the_alias_so_that_a_deployment_switches_at_once(
    transformed: Template, name: str
) -> None:
    callers = of_type(transformed, "AWS::Lambda::Permission") | of_type(
        transformed, "AWS::Lambda::EventSourceMapping"
    )
    targets = [caller["Properties"]["FunctionName"] for caller in callers.values()]
    assert {"Ref": name} not in targets
    assert {"Ref": f"{name}Aliaslive"} in targets


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_python_3_13_on_arm64(transformed: Template, name: str) -> None:
    function = properties(transformed, name)
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_at_most_five_layers(transformed: Template, name: str) -> None:
    assert 1 <= len(properties(transformed, name)["Layers"]) <= 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [(name, ENVIRONMENT) for name in FUNCTIONS[1:]] + [("GatewayFunction", GATEWAY_ENVIRONMENT)],
)
def test_a_function_gets_the_environment_it_reads(
    transformed: Template, name: str, expected: dict[str, Any]
) -> None:
    assert properties(transformed, name)["Environment"]["Variables"] == expected


def test_the_templates_defaults_are_the_librarys(source: Template) -> None:
    """Settings own every default; the template passes it on."""
    parameters, defaults = source["Parameters"], TelemetrySettings()
    variables = source["Globals"]["Function"]["Environment"]["Variables"]
    assert parameters["LogLevel"]["AllowedValues"] == list(LogLevel)
    assert parameters["LogLevel"]["Default"] == defaults.log_level
    assert parameters["Stage"]["AllowedValues"] == list(Stage)
    assert variables["FOREBAY_METRICS_NAMESPACE"] == defaults.metrics_namespace


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_library_accepts_the_environment_that_a_function_gets(
    transformed: Template, name: str
) -> None:
    variables = properties(transformed, name)["Environment"]["Variables"]
    given = {name: value for name, value in variables.items() if isinstance(value, str)}
    given |= {
        name: transformed["Parameters"][value["Ref"]]["Default"]
        for name, value in variables.items()
        if "Ref" in value
    }
    kinds = ("KEYS", "LEDGER", "BREAKERS", "JOBS", "LIMITS", "USAGE")
    tables = {f"FOREBAY_{kind}_TABLE": kind for kind in kinds}
    environ = given | tables | {"AWS_REGION": "us-east-1"}
    assert environ.keys() == variables.keys() | {"AWS_REGION"}
    settings = Settings.from_env(environ)
    assert settings.stage is Stage.PRODUCTION
    streams = name == "GatewayFunction"
    assert settings.response_mode is (ResponseMode.STREAMING if streams else ResponseMode.BUFFERED)


def test_every_function_is_covered_here(transformed: Template) -> None:
    assert sorted(of_type(transformed, "AWS::Lambda::Function")) == sorted(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_logs_to_a_group_of_its_own(transformed: Template, name: str) -> None:
    logging = properties(transformed, name)["LoggingConfig"]
    group = name.replace("Function", "Logs")
    assert logging == {"LogFormat": "JSON", "LogGroup": {"Ref": group}}
    assert group in of_type(transformed, "AWS::Logs::LogGroup")


def test_every_log_ends_after_the_days_asked_for(transformed: Template) -> None:
    groups = of_type(transformed, "AWS::Logs::LogGroup")
    assert len(groups) == len(FUNCTIONS) + 1  # the API's access log
    assert all(
        group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
        for group in groups.values()
    )
