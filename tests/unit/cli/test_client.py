"""How the command line finds a Forebay, signs for it, and says what went wrong."""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from typing_extensions import override

from forebay.service.keys import NewKey
from forebay_cli.client import for_url
from forebay_cli.output import CommandFailed
from tests.support.admin_api import AdminServer
from tests.unit.cli.conftest import Forebay


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep whoever runs the tests out of them: no credentials, no region, no proxy."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def signature(method: str, url: str, fields: Mapping[str, str], body: bytes) -> str:
    """Sign as botocore does what has arrived, at the time it was signed."""
    signed = fields["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest(method, url, {name: fields[name] for name in signed}, body)
    request.context["timestamp"] = fields["x-amz-date"]
    auth = SigV4Auth(Credentials("test", "test"), "execute-api", "us-east-1")
    string = auth.string_to_sign(request, auth.canonical_request(request))
    return auth.signature(string, request)


@pytest.mark.parametrize(
    "args",
    [
        ["keys", "create", "--name", "Büro/1"],
        ["keys", "show", "team/app 1%~*"],
        ["usage", "--key", "team/app 1%~*+", "--by", "day"],
    ],
    ids=["body", "path", "query"],
)
def test_what_arrives_is_what_was_signed(
    forebay: Forebay, server: AdminServer, args: list[str]
) -> None:
    server.api.desk.create(NewKey("team/app 1%~*"))
    forebay(*args)
    ((method, target, fields, body),) = server.requests
    authorization = fields["authorization"]
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=test/")
    assert "/us-east-1/execute-api/aws4_request" in authorization
    expected = signature(method, server.url + target, fields, body)
    assert authorization.endswith(f"Signature={expected}")


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_the_url_may_end_in_v1_or_not(run: Forebay, server: AdminServer, suffix: str) -> None:
    assert run("keys", "list", "--url", server.url + suffix).status == 0


def test_the_url_may_stand_before_the_command(run: Forebay, server: AdminServer) -> None:
    assert run("--url", server.url, "keys", "list").status == 0


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://x", "http://", "http://x/?a=b"])
def test_a_url_that_is_none_is_wrong_usage(run: Forebay, url: str) -> None:
    refused = run("keys", "list", "--url", url)
    assert refused.status == 2
    assert "expected https://HOST" in refused.err


@pytest.mark.parametrize(
    "args",
    [
        ["keys", "list", "--url", "http://x", "--stack", "y"],
        ["--url", "http://x", "keys", "list", "--stack", "y"],
    ],
    ids=["both behind", "one before"],
)
def test_a_url_and_a_stack_exclude_each_other(run: Forebay, args: list[str]) -> None:
    refused = run(*args)
    assert refused.status == 2
    assert "--stack: not allowed with argument --url" in refused.err


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_where_nothing_answers_the_hint_is_make_dev(run: Forebay) -> None:
    refused = run("keys", "list", "--url", f"http://127.0.0.1:{free_port()}")
    assert refused.status == 1
    assert "Nothing answers at http://127.0.0.1:" in refused.err
    assert "`make dev`" in refused.err
    assert refused.err.count("\n") == 1


def test_a_proxy_of_the_environment_is_not_asked_for_the_local_stack(
    forebay: Forebay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    assert forebay("keys", "list").status == 0


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Serve one answer to whatever is asked; gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def says(status: int, body: str) -> Answer:
    def answer(peer: BaseHTTPRequestHandler) -> None:
        peer.send_response(status)
        peer.send_header("Content-Length", str(len(body.encode())))
        peer.end_headers()
        peer.wfile.write(body.encode())

    return answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(200, "<html>hello</html>"), "it is no Forebay, or a broken one (HTTP 200)"),
        (says(200, "[]"), "it is no Forebay, or a broken one (HTTP 200)"),
        (says(502, ""), "it is no Forebay, or a broken one (HTTP 502)"),
        (says(302, "{}"), "it is no Forebay, or a broken one (HTTP 302)"),
        (says(400, '{"error": {"message": "two\\nlines"}}'), "says: two lines"),
        (says(400, '{"error": "odd"}'), "it is no Forebay, or a broken one (HTTP 400)"),
        (says(403, '{"message": "Forbidden"}'), "says: Forbidden (Your AWS identity needs"),
        (lambda peer: peer.connection.close(), "gave no answer"),
    ],
    ids=["html", "list", "empty", "redirect", "lines", "odd", "forbidden", "hangs up"],
)
def test_an_answer_that_is_none_is_one_line_and_status_1(
    run: Forebay, answer: Answer, reason: str
) -> None:
    with answering(answer) as url:
        refused = run("keys", "list", "--url", url)
    assert (refused.status, refused.out) == (1, "")
    assert reason in refused.err
    assert refused.err.count("\n") == 1


def test_a_create_whose_answer_is_lost_is_not_repeated(run: Forebay) -> None:
    asked: list[str] = []

    def hang_up(peer: BaseHTTPRequestHandler) -> None:
        asked.append(peer.command)
        peer.close_connection = True

    with answering(hang_up) as url:
        refused = run("keys", "create", "--name", "web", "--url", url)
    assert refused.status == 1
    assert "look before you repeat it" in refused.err
    assert asked == ["POST"]


# A deployed Forebay.


def describe_stacks(outputs: str) -> str:
    """Give CloudFormation's answer, as its API reference shows it."""
    return (
        '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">'
        "<DescribeStacksResult><Stacks><member><StackName>prod</StackName>"
        "<CreationTime>2026-11-23T10:00:00Z</CreationTime>"
        f"<StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{outputs}</Outputs>"
        "</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )


def output(key: str, value: str) -> str:
    return f"<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Credentials and region, as an operator has them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    return monkeypatch


@pytest.mark.parametrize("stage", ["", "/v1", "/v1/"])
def test_a_stack_is_found_by_its_output_and_signed_for_with_the_operators_credentials(
    run: Forebay, server: AdminServer, account: pytest.MonkeyPatch, stage: str
) -> None:
    found = describe_stacks(output("Other", "x") + output("BaseUrl", server.url + stage))
    with answering(says(200, found)) as cloudformation:
        account.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", cloudformation)
        assert run("keys", "list", "--stack", "prod").status == 0
    ((_, target, fields, _),) = server.requests
    assert target == "/v1/admin/keys"
    assert "Credential=AKIDEXAMPLE/" in fields["authorization"]
    assert "/eu-central-1/execute-api/" in fields["authorization"]
    assert fields["x-amz-security-token"] == "session-token"


def test_a_stack_without_a_base_url_is_no_forebay(
    run: Forebay, account: pytest.MonkeyPatch
) -> None:
    with answering(says(200, describe_stacks(output("Other", "x")))) as cloudformation:
        account.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", cloudformation)
        refused = run("keys", "list", "--stack", "prod")
    assert refused.status == 1
    assert "no output BaseUrl" in refused.err


def test_a_stack_that_does_not_exist_is_said_with_the_region(
    run: Forebay, account: pytest.MonkeyPatch
) -> None:
    fault = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>"
        "<Message>Stack with id prdo does not exist</Message></Error></ErrorResponse>"
    )
    with answering(says(400, fault)) as cloudformation:
        account.setenv("AWS_ENDPOINT_URL_CLOUDFORMATION", cloudformation)
        refused = run("keys", "list", "--stack", "prdo")
    assert refused.status == 1
    assert "Stack with id prdo does not exist" in refused.err
    assert "eu-central-1" in refused.err
    assert refused.err.count("\n") == 1


def test_without_credentials_a_stack_is_out_of_reach(
    run: Forebay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    refused = run("keys", "list", "--stack", "prod")
    assert refused.status == 1
    assert "No AWS credentials" in refused.err


def test_without_a_region_a_stack_is_out_of_reach(
    run: Forebay, account: pytest.MonkeyPatch
) -> None:
    account.delenv("AWS_REGION")
    account.delenv("AWS_DEFAULT_REGION")
    refused = run("keys", "list", "--stack", "prod")
    assert refused.status == 1
    assert "set AWS_REGION" in refused.err


def test_a_profile_that_does_not_exist_is_said(
    run: Forebay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "prdo")
    refused = run("keys", "list", "--stack", "prod")
    assert refused.status == 1
    assert "prdo" in refused.err


def test_an_api_gateway_host_says_its_region_itself(account: pytest.MonkeyPatch) -> None:
    del account
    with for_url("https://a1b2c3.execute-api.us-west-2.amazonaws.com/v1") as client:
        assert client._signer.region == "us-west-2"


def test_another_host_is_signed_for_in_the_environments_region(
    account: pytest.MonkeyPatch,
) -> None:
    del account
    with for_url("https://llm.example.com/v1") as client:
        assert client._signer.region == "eu-central-1"
        assert client._signer.credentials.access_key == "AKIDEXAMPLE"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "[::1]"])
def test_a_loopback_address_never_sees_the_operators_credentials(
    account: pytest.MonkeyPatch, host: str
) -> None:
    del account
    with for_url(f"http://{host}:8080/v1") as client:
        assert client._signer.credentials.access_key == "test"


def test_a_host_that_only_looks_local_is_signed_for_as_any_other() -> None:
    with pytest.raises(CommandFailed, match="No AWS credentials"):
        for_url(f"http://localhost.{quote('example')}.com/v1")
