"""The built template deployed by `sam deploy` into ministack, and called there.

Three things are put right that ministack cannot do (1.5.33), and nothing else:
- it has no /opt: the layers that were deployed are unpacked into a folder in its stead;
- it runs `python3.13` by a worker of its own, which knows neither wrapper nor layers' executables:
  the functions are deployed as custom runtimes whose bootstrap calls the wrapper as Lambda does;
- it drops methods written as ANY in an OpenAPI body: they are added to the deployed API.
It also buffers, so the gateway answers in its buffered mode. The scripted provider stands in for
one that costs money.
"""

import io
import json
import platform
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import boto3
import pytest

from forebay.adapters.dynamodb.fleet_items import SNAPSHOT
from forebay.model import AttemptResult
from tests.support.ledger_rows import attempt, row, stream_record
from tests.support.ministack import CREDENTIALS, aws_environment, start_ministack
from tests.support.sam import run_sam
from tests.support.template import ROOT, Template, load, of_type

pytestmark = [pytest.mark.build, pytest.mark.ministack]

STACK = "forebay-test"
PLATFORMS = {"Linux": "{machine}-manylinux_2_28", "Darwin": "{machine}-apple-darwin"}
# The base interpreter, so that no package of this project's own environment can help out.
PYTHON = getattr(sys, "_base_executable", sys.executable)
# As Lambda starts a managed runtime under a wrapper: the interpreter is its first argument.
BOOTSTRAP = """#!/bin/sh
exec {opt}/streaming-runtime {python} /var/runtime/bootstrap.py
"""
SCRIPTED = """
[providers.scripted]
kind = "scripted"
scripted = { first_token_ms = 0, token_gap_ms = 0, tokens = 3 }

[models.scripted]
targets = [{ provider = "scripted", model = "scripted" }]
price = { input = 1.0, output = 2.0 }
"""
# ministack checks that an IAM route's request is signed, not by whom.
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261124/us-east-1/execute-api/aws4_request"
}


@dataclass(frozen=True)
class Deployment:
    """A stack in ministack."""

    url: str
    outputs: dict[str, str]
    opt: Path

    @property
    def api_id(self) -> str:
        return self.outputs["BaseUrl"].removeprefix("https://").split(".", 1)[0]

    def call(
        self, method: str, path: str, headers: dict[str, str], body: object = None
    ) -> tuple[int, Any]:
        """Call the stage `v1` through API Gateway; return status and decoded JSON."""
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        try:
            address = f"/restapis/{self.api_id}/v1/_user_request_{path}"
            sent = {"Content-Type": "application/json", **headers}
            connection.request(method, address, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


def client(service: Any, url: str) -> Any:
    return boto3.client(service, endpoint_url=url, **CREDENTIALS)


def build_environment() -> dict[str, str]:
    """Return what makes the layers fit this machine and interpreter, instead of Lambda's."""
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return {
        "FOREBAY_BUILD_PLATFORM": PLATFORMS[platform.system()].format(machine=machine),
        "FOREBAY_BUILD_PYTHON": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


def fit_to_ministack(folder: Path, opt: Path) -> None:
    """Change the built template and its functions as the head of this file says."""
    template: Template = load(folder / "template.yaml")
    template["Globals"]["Function"].pop("Runtime")
    functions = of_type(template, "AWS::Serverless::Function")
    for name, function in functions.items():
        function["Properties"]["Runtime"] = "provided.al2023"
        (folder / name / "bootstrap").write_text(BOOTSTRAP.format(opt=opt, python=PYTHON))
        (folder / name / "bootstrap").chmod(0o755)
    (folder / "GatewayFunction/scripted.toml").write_text(SCRIPTED)
    functions["GatewayFunction"]["Properties"]["Environment"]["Variables"] |= {
        "FOREBAY_CONFIG": "gateway.toml:scripted.toml",
        "FOREBAY_RESPONSE_MODE": "buffered",
        "TIKTOKEN_CACHE_DIR": str(opt / "tiktoken"),
    }
    (folder / "template.yaml").write_text(json.dumps(template))


def unpack_layers(url: str, function: str, opt: Path) -> None:
    """Unpack what was deployed, executable bits too, as Lambda does."""
    lambda_ = client("lambda", url)
    for layer in lambda_.get_function_configuration(FunctionName=function)["Layers"]:
        location = lambda_.get_layer_version_by_arn(Arn=layer["Arn"])["Content"]["Location"]
        with urlopen(location, timeout=60) as response:  # noqa: S310 - ministack's own address
            archive = zipfile.ZipFile(io.BytesIO(response.read()))
        for entry in archive.infolist():
            path = Path(archive.extract(entry, opt))
            path.chmod((entry.external_attr >> 16) & 0o777 or 0o755)


def add_methods(url: str, outputs: dict[str, str], api_id: str) -> None:
    """Give each route the method that the template gives it and ministack leaves out."""
    gateway = client("apigateway", url)
    routes = {
        "/": ("NONE", outputs["GatewayFunctionName"]),
        "/{proxy+}": ("NONE", outputs["GatewayFunctionName"]),
        "/admin/{proxy+}": ("AWS_IAM", outputs["AdminFunctionName"]),
    }
    resources = gateway.get_resources(restApiId=api_id)["items"]
    ids = {resource["path"]: resource["id"] for resource in resources}
    for path, (authorization, function) in routes.items():
        method = {"restApiId": api_id, "resourceId": ids[path], "httpMethod": "ANY"}
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}:live"
        gateway.put_method(**method, authorizationType=authorization)
        gateway.put_integration(
            **method,
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        )


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    root = tmp_path_factory.mktemp("deploy")
    folder, opt = root / "built", root / "opt"
    run_sam(["build", "--build-dir", folder], build_environment())
    fit_to_ministack(folder, opt)
    # AUTH: each function has its role's rights and no others, as on AWS.
    with start_ministack(root / "ministack", {"AUTH": "true"}) as url:
        options: dict[str, str | Path] = {
            "--template-file": folder / "template.yaml",
            "--config-file": ROOT / "samconfig.toml",
            "--stack-name": STACK,
            "--parameter-overrides": "Stage=local",
        }
        run_sam(
            ["deploy", "--no-confirm-changeset", *chain.from_iterable(options.items())],
            aws_environment(url),
        )
        (stack,) = client("cloudformation", url).describe_stacks(StackName=STACK)["Stacks"]
        outputs = {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}
        deployed = Deployment(url, outputs, opt)
        unpack_layers(url, outputs["GatewayFunctionName"], opt)
        add_methods(url, outputs, deployed.api_id)
        yield deployed


def test_the_stack_has_the_outputs_that_the_template_names(
    deployment: Deployment, source: Template
) -> None:
    assert deployment.outputs.keys() == source["Outputs"].keys()
    assert deployment.outputs["BaseUrl"].endswith("/v1")


@pytest.mark.parametrize(
    ("output", "key", "indexes"),
    [
        ("KeysTableName", "key_id", []),
        ("LedgerTableName", "request_id", ["by_day"]),
        ("BreakersTableName", "target", []),
        ("JobsTableName", "job_id", []),
        ("LimitsTableName", "scope", ["by_sweep"]),
    ],
    ids=["keys", "ledger", "breakers", "jobs", "limits"],
)
def test_the_tables_are_there(
    deployment: Deployment, output: str, key: str, indexes: list[str]
) -> None:
    name = deployment.outputs[output]
    table = client("dynamodb", deployment.url).describe_table(TableName=name)["Table"]
    assert table["KeySchema"] == [{"AttributeName": key, "KeyType": "HASH"}]
    assert [index["IndexName"] for index in table.get("GlobalSecondaryIndexes") or []] == indexes


def test_locally_the_tables_may_be_deleted(deployment: Deployment) -> None:
    name = deployment.outputs["KeysTableName"]
    table = client("dynamodb", deployment.url).describe_table(TableName=name)["Table"]
    assert table["DeletionProtectionEnabled"] is False


def test_the_alarms_are_found_by_the_stacks_name(deployment: Deployment) -> None:
    printed = subprocess.run(
        [Path(sys.executable).with_name("forebay"), "alarms", "--stack", STACK, "--json"],
        env=aws_environment(deployment.url),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    alarms = {alarm["name"]: alarm["state"] for alarm in json.loads(printed)["alarms"]}
    assert len(alarms) == 10
    assert alarms["SpendLastHour"] in {"ok", "insufficient_data"}


def test_the_wrapper_is_executable_once_unpacked(deployment: Deployment) -> None:
    assert (deployment.opt / "streaming-runtime").stat().st_mode & 0o111 == 0o111


def test_the_numerics_layer_counts_tokens_without_a_network(deployment: Deployment) -> None:
    script = (
        "import sys, tiktoken\n"
        "print(tiktoken.encoding_for_model('gpt-4o').encode('hello world'),"
        " tiktoken.encoding_for_model('gpt-4').encode('hello world'), 'socket' in sys.modules)"
    )
    printed = subprocess.run(
        [PYTHON, "-B", "-c", script],
        env={
            "PYTHONPATH": str(deployment.opt / "python"),
            "TIKTOKEN_CACHE_DIR": str(deployment.opt / "tiktoken"),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert printed == "[24912, 2375] [15339, 1917] False\n"


def test_the_functions_are_told_the_tables_names(deployment: Deployment) -> None:
    lambda_ = client("lambda", deployment.url)
    variables = lambda_.get_function_configuration(
        FunctionName=deployment.outputs["GatewayFunctionName"], Qualifier="live"
    )["Environment"]["Variables"]
    assert variables["FOREBAY_KEYS_TABLE"] == deployment.outputs["KeysTableName"]
    assert variables["FOREBAY_LEDGER_TABLE"] == deployment.outputs["LedgerTableName"]


def test_the_gateway_answers_through_api_gateway(deployment: Deployment) -> None:
    status, _ = deployment.call("GET", "/healthz", {})
    assert status == 200


def test_a_call_without_a_key_is_refused_in_openais_shape(deployment: Deployment) -> None:
    status, answer = deployment.call("GET", "/models", {})
    assert status == 401
    assert answer["error"].keys() == {"message", "type", "param", "code"}


def test_admin_is_closed_to_a_request_that_is_not_signed(deployment: Deployment) -> None:
    status, _ = deployment.call("GET", "/admin/keys", {})
    assert status == 403


def test_a_key_from_admin_gets_an_answer_and_the_ledger_its_row(deployment: Deployment) -> None:
    status, key = deployment.call("POST", "/admin/keys", SIGNED, {"name": "deployed"})
    assert status in {200, 201}, key
    question = {"model": "scripted", "messages": [{"role": "user", "content": "Are you there?"}]}
    bearer = {"Authorization": f"Bearer {key['secret']}"}
    status, answer = deployment.call("POST", "/chat/completions", bearer, question)
    assert status == 200, answer
    assert answer["choices"][0]["finish_reason"] == "stop"
    table = deployment.outputs["LedgerTableName"]
    (row,) = client("dynamodb", deployment.url).scan(TableName=table)["Items"]
    assert row["key_id"] == {"S": key["id"]}
    assert row["output_tokens"] == {"N": str(answer["usage"]["completion_tokens"])}


def test_the_settler_tells_the_fleet_what_the_ledger_s_stream_says(
    deployment: Deployment,
) -> None:
    """With its own role; ministack's own mapping does not name the shard."""
    faults = [attempt(AttemptResult.FAILED, target="scripted/deployed")] * 9
    record = stream_record(row(*faults, ended_at=time.clock_gettime(0)), 1)
    event = json.dumps({"Records": [record], "shardId": "shardId-1", "state": {}})
    function = deployment.outputs["SettlerFunctionName"]
    answer = client("lambda", deployment.url).invoke(FunctionName=function, Payload=event.encode())
    assert json.loads(answer["Payload"].read())["batchItemFailures"] == []
    snapshot = client("dynamodb", deployment.url).get_item(
        TableName=deployment.outputs["BreakersTableName"], Key={"target": {"S": SNAPSHOT}}
    )
    breakers = snapshot["Item"]["breakers"]["M"]
    assert breakers["scripted/deployed"]["M"]["s"] == {"S": "open"}


def test_the_controller_does_all_its_duties(deployment: Deployment) -> None:
    function = deployment.outputs["ControllerFunctionName"]
    answer = client("lambda", deployment.url).invoke(FunctionName=function, Payload=b"{}")
    assert json.loads(answer["Payload"].read()) == {"failed": []}
