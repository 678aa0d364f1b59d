"""Amazon Bedrock over real sockets, side by side with AWS's own client, which is the reference."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import boto3
import botocore.session
import pytest
from botocore.config import Config

from forebay.adapters.aws.credentials import FixedCredentials
from forebay.adapters.aws.sigv4 import Credentials
from forebay.adapters.http.pool import ConnectionPool
from forebay.adapters.memory import ManualClock
from forebay.adapters.providers.authentication import AwsSignature
from forebay.adapters.providers.bedrock import SERVICE, BedrockProvider
from forebay.adapters.providers.http import HttpAddress, HttpProvider
from forebay.dialects import UpstreamReported
from forebay.dialects.bedrock_converse import encode_request
from forebay.dialects.bedrock_converse_reader import STOP_REASONS, ConverseReader
from forebay.dialects.bedrock_converse_stream import ConverseStreamReader
from forebay.dialects.canonical import (
    Conversation,
    Event,
    Finished,
    Image,
    JsonOutput,
    Message,
    Reasoning,
    Sampling,
    Text,
    TextDelta,
    Thinking,
    Tool,
    ToolArgumentsDelta,
    ToolChoice,
    ToolResult,
    ToolUse,
    ToolUseStarted,
    UsageReported,
)
from forebay.errors import StoreError, UpstreamCut
from forebay.ports import UpstreamReply
from forebay.settings import TimeoutSettings
from tests.contract.providers.line import GUARD_S
from tests.support.bedrock import (
    METADATA,
    START,
    STOP,
    TEXT,
    TOOLS,
    USAGE,
    exception_frame,
    frame,
    frames,
    raw_frame,
    text,
)
from tests.support.upstream import Peer, Upstream

MODEL = "anthropic.claude-haiku-4-5-20251001-v1:0"
REGION = "eu-central-1"
CREDENTIALS = Credentials("AKIDEXAMPLE", "hush", "token")
EVENT_STREAM = "application/vnd.amazon.eventstream"
EVERYTHING = Conversation(
    model="fast",
    messages=(
        Message("user", (Text("What is this?"), Image("image/png", "iVBORw0KGgo="))),
        Message(
            "assistant",
            (
                Thinking("hm", "c2ln"),
                Thinking("", redacted="eA=="),
                Text("Let me see."),
                ToolUse("t1", "look", '{"at": 1}'),
            ),
        ),
        Message("user", (ToolResult("t1", (Text("a cat"),), is_error=True),)),
    ),
    system=("Be brief.",),
    stream=True,
    max_output_tokens=100,
    stop=("END",),
    sampling=Sampling(temperature=0.5, top_p=0.9, top_k=5),
    tools=(Tool("look", "Looks.", {"type": "object"}, strict=True),),
    tool_choice=ToolChoice("named", "look"),
    json_output=JsonOutput("answer", {"type": "object"}),
    reasoning=Reasoning(budget_tokens=2048),
    user="u-1",
)


# --- helpers


class Bedrock:
    """Ours and AWS's client, and the upstream that both call."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.url = f"http://127.0.0.1:{upstream.port}"
        self.pool = ConnectionPool(ManualClock())
        signature = AwsSignature(SERVICE, REGION, FixedCredentials(CREDENTIALS), ManualClock())
        http = HttpProvider(
            "bedrock", HttpAddress(self.url), signature, TimeoutSettings(), self.pool
        )
        self.provider = BedrockProvider("bedrock", http)

    async def answered(self, *said: bytes, peer: Peer | None = None) -> bytes:
        """Take one request and answer it, packet by packet."""
        peer = peer or await self.upstream.accepted()
        request = await peer.request()
        for packet in said:
            peer.say(packet)
        return request


def on_bedrock(scenario: Callable[[Bedrock], Any]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(GUARD_S), Upstream() as upstream:
            bedrock = Bedrock(upstream)
            try:
                return await scenario(bedrock)
            finally:
                bedrock.pool.close()

    return asyncio.run(main())


def streamed(body: bytes, content_type: str = EVENT_STREAM) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def chunked(*parts: bytes) -> list[bytes]:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {EVENT_STREAM}\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head.encode(), *(b"%x\r\n%b\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


async def read(reply: UpstreamReply, reader: ConverseStreamReader | ConverseReader) -> list[Event]:
    events: list[Event] = []
    async with reply:
        async for part in reply.chunks():
            events += reader.feed(part)
    return events + reader.end()


def answer_of(*said: bytes, conversation: Conversation = EVERYTHING) -> list[Event]:
    async def scenario(bedrock: Bedrock) -> list[Event]:
        sending = asyncio.create_task(
            bedrock.provider.send(encode_request(conversation, model=MODEL))
        )
        await bedrock.answered(*said)
        make = ConverseStreamReader if conversation.stream else ConverseReader
        return await read(await sending, make("id", MODEL))

    events = on_bedrock(scenario)
    assert isinstance(events, list)
    return events


def of_boto3(said: bytes, ask: Callable[[Any], Any]) -> tuple[bytes, Any]:
    """Let AWS's client ask the same upstream; return its request and what it read."""

    async def scenario(bedrock: Bedrock) -> tuple[bytes, Any]:
        client = boto3.client(
            "bedrock-runtime",
            region_name=REGION,
            endpoint_url=bedrock.url,
            aws_access_key_id=CREDENTIALS.access_key_id,
            aws_secret_access_key=CREDENTIALS.secret_access_key,
            config=Config(retries={"max_attempts": 0}),
        )
        asking = asyncio.create_task(asyncio.to_thread(ask, client))
        request = await bedrock.answered(said)
        return request, await asking

    request, result = on_bedrock(scenario)
    return request, result


# --- what is sent


def test_a_request_is_what_aws_s_own_client_would_send() -> None:
    ours = encode_request(EVERYTHING, model=MODEL)

    def ask(client: Any) -> None:
        shape = client.meta.service_model.operation_model("ConverseStream").input_shape
        arguments = _as_arguments(json.loads(ours.body), shape)
        list(client.converse_stream(modelId=MODEL, **arguments)["stream"])

    request, _ = of_boto3(streamed(frames(*TEXT)), ask)

    head, _, body = request.partition(b"\r\n\r\n")
    assert head.split(b" ")[1].decode() == ours.path
    assert json.loads(body) == json.loads(ours.body)


def _as_arguments(fields: Any, shape: Any) -> Any:
    """Turn wire JSON into what the client takes: it wants bytes where the wire has base64."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return {
                name: _as_arguments(value, shape.members[name]) for name, value in fields.items()
            }
        case "list":
            return [_as_arguments(value, shape.member) for value in fields]
        case "blob":
            return b64decode(fields)
        case _:
            return fields


def test_a_request_is_signed_for_the_path_as_it_is_sent() -> None:
    async def scenario(bedrock: Bedrock) -> bytes:
        sending = asyncio.create_task(
            bedrock.provider.send(encode_request(EVERYTHING, model=MODEL))
        )
        request = await bedrock.answered(streamed(frames(*TEXT)))
        await read(await sending, ConverseStreamReader("id", MODEL))
        return bytes(request)

    head = on_bedrock(scenario).partition(b"\r\n\r\n")[0].decode()
    first, *fields = head.split("\r\n")
    headers = dict(field.split(": ", 1) for field in fields)
    assert first == f"POST /model/{MODEL.replace(':', '%3A')}/converse-stream HTTP/1.1"
    assert unquote(first.split("/")[2]) == MODEL
    assert headers["accept"] == EVENT_STREAM
    assert headers["x-amz-security-token"] == "token"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert f"/{REGION}/bedrock/aws4_request, " in headers["authorization"]
    signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
    assert signed in headers["authorization"]


class _NoCredentials:
    async def current(self) -> Credentials:
        raise StoreError("no AWS credentials: set them")


def test_without_credentials_nothing_is_sent() -> None:
    async def scenario(bedrock: Bedrock) -> int:
        signature = AwsSignature(SERVICE, REGION, _NoCredentials(), ManualClock())
        http = HttpProvider(
            "bedrock", HttpAddress(bedrock.url), signature, TimeoutSettings(), bedrock.pool
        )
        with pytest.raises(StoreError, match="no AWS credentials"):
            await BedrockProvider("bedrock", http).send(encode_request(EVERYTHING, model=MODEL))
        return bedrock.upstream.connections

    assert on_bedrock(scenario) == 0


# --- what is read


@pytest.mark.parametrize("sent", [TEXT, TOOLS], ids=["text", "tools"])
def test_aws_s_own_client_reads_the_same_from_the_same_frames(sent: tuple[Any, ...]) -> None:
    body = streamed(frames(*sent))

    def ask(client: Any) -> list[Any]:
        messages = [{"role": "user", "content": [{"text": "Hi"}]}]
        return list(client.converse_stream(modelId=MODEL, messages=messages)["stream"])

    _, theirs = of_boto3(body, ask)
    ours = answer_of(body)

    deltas = [each["contentBlockDelta"]["delta"] for each in theirs if "contentBlockDelta" in each]
    assert _text(ours) == "".join(each.get("text", "") for each in deltas)
    assert _arguments(ours) == "".join(
        each["toolUse"]["input"] for each in deltas if "toolUse" in each
    )
    starts = [each["contentBlockStart"]["start"] for each in theirs if "contentBlockStart" in each]
    assert [each.name for each in ours if isinstance(each, ToolUseStarted)] == [
        each["toolUse"]["name"] for each in starts
    ]
    (reason,) = [each["messageStop"]["stopReason"] for each in theirs if "messageStop" in each]
    (finished,) = [each for each in ours if isinstance(each, Finished)]
    assert finished.reason is STOP_REASONS[reason]
    (usage,) = [each["metadata"]["usage"] for each in theirs if "metadata" in each]
    assert _tokens(ours) == (usage["inputTokens"], usage["outputTokens"])


def test_aws_s_own_client_reads_the_same_from_an_answer_in_one_piece() -> None:
    content = [{"text": "Hé"}, {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}]
    answer = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use",
        "usage": USAGE,
        "metrics": {"latencyMs": 1},
    }
    body = streamed(json.dumps(answer).encode(), "application/json")

    def ask(client: Any) -> Any:
        return client.converse(
            modelId=MODEL, messages=[{"role": "user", "content": [{"text": "?"}]}]
        )

    _, theirs = of_boto3(body, ask)
    ours = answer_of(body, conversation=replace(EVERYTHING, stream=False))

    assert _text(ours) == theirs["output"]["message"]["content"][0]["text"]
    tool = theirs["output"]["message"]["content"][1]["toolUse"]
    assert json.loads(_arguments(ours)) == tool["input"]
    assert _tokens(ours) == (theirs["usage"]["inputTokens"], theirs["usage"]["outputTokens"])


def _text(events: list[Event]) -> str:
    return "".join(each.text for each in events if isinstance(each, TextDelta))


def _arguments(events: list[Event]) -> str:
    return "".join(each.text for each in events if isinstance(each, ToolArgumentsDelta))


def _tokens(events: list[Event]) -> tuple[int, int]:
    (reported,) = [each.usage for each in events if isinstance(each, UsageReported)]
    return reported.input_tokens, reported.output_tokens


def test_every_stop_reason_of_the_api_is_known() -> None:
    """Source: botocore's model of the API; malformed output ends no whole answer."""
    model = botocore.session.Session().get_service_model("bedrock-runtime")
    reasons: Any = model.shape_for("StopReason")
    malformed = {"malformed_model_output", "malformed_tool_use"}
    assert set(reasons.enum) == STOP_REASONS.keys() | malformed


def test_a_stream_keeps_its_head() -> None:
    async def scenario(bedrock: Bedrock) -> tuple[int, str]:
        sending = asyncio.create_task(
            bedrock.provider.send(encode_request(EVERYTHING, model=MODEL))
        )
        await bedrock.answered(streamed(frames(*TEXT)))
        async with await sending as reply:
            return reply.status, reply.headers["content-type"]

    assert on_bedrock(scenario) == (200, EVENT_STREAM)


def test_frames_byte_by_byte_are_the_same() -> None:
    data = frames(*TOOLS)
    bytewise = chunked(*(bytes([byte]) for byte in data))
    assert answer_of(*bytewise) == answer_of(streamed(data))


def test_a_line_break_within_a_frame_s_json_breaks_no_line() -> None:
    headers = {":message-type": "event", ":event-type": "contentBlockDelta"}
    pretty = json.dumps(text("a\nb")["contentBlockDelta"], indent=1).encode()
    body = frames(START) + frame(headers, pretty) + frames(STOP, METADATA)
    assert _text(answer_of(streamed(body))) == "a\nb"


def test_a_frame_without_payload_is_an_empty_event() -> None:
    ping = frame({":message-type": "event", ":event-type": "ping"}, b"")
    assert answer_of(streamed(ping + frames(*TEXT))) == answer_of(streamed(frames(*TEXT)))


@pytest.mark.parametrize(
    ("last", "error_type", "message"),
    [
        (exception_frame("throttlingException", "Slow down."), "throttlingException", "Slow down."),
        (
            frame(
                {
                    ":message-type": "error",
                    ":error-code": "InternalError",
                    ":error-message": "Oops.",
                },
                b"",
            ),
            "InternalError",
            "Oops.",
        ),
        (
            frame({":message-type": "exception", ":exception-type": "x"}, b"<html>"),
            "x",
            "",
        ),
    ],
    ids=["exception", "error", "exception without JSON"],
)
def test_what_bedrock_reports_within_a_stream_is_told(
    last: bytes, error_type: str, message: str
) -> None:
    with pytest.raises(UpstreamReported) as reported:
        answer_of(streamed(frames(START, text("a")) + last))
    assert reported.value.error["type"] == error_type
    assert reported.value.error["message"] == message


BROKEN = {
    "payload changed": frames(text("b"))[:-6] + b"XX" + frames(text("b"))[-4:],
    "checksum changed": frames(text("b"))[:-4] + b"\0\0\0\0",
    "length changed": b"\x7f" + frames(text("b"))[1:],
    "a web page": b"<html><body>502 Bad Gateway</body></html>",
    "no type of event": frame({":message-type": "event"}, b"{}"),
    "header of no type": raw_frame(b"\x01a\x63", b"{}"),
    "header cut short": raw_frame(b"\x01a\x07\x00\x09b", b"{}"),
    "header that is no UTF-8": raw_frame(b"\x01a\x07\x00\x01\xff", b"{}"),
    "header twice": raw_frame(b"\x01a\x00\x01a\x00", b"{}"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_inv3_a_damaged_frame_cuts_the_stream_after_what_was_good(broken: bytes) -> None:
    async def scenario(bedrock: Bedrock) -> list[Event]:
        sending = asyncio.create_task(
            bedrock.provider.send(encode_request(EVERYTHING, model=MODEL))
        )
        await bedrock.answered(streamed(frames(START, text("a")) + broken + frames(*TEXT[1:])))
        reader = ConverseStreamReader("id", MODEL)
        came: list[Event] = []

        async def follow() -> None:
            async with await sending as reply:
                async for part in reply.chunks():
                    came.extend(reader.feed(part))

        with pytest.raises(UpstreamCut, match="bedrock broke off: the event stream is damaged"):
            await follow()
        return came

    assert _text(on_bedrock(scenario)) == "a"


def test_inv3_a_connection_that_breaks_within_a_stream_cuts_it() -> None:
    async def scenario(bedrock: Bedrock) -> None:
        sending = asyncio.create_task(
            bedrock.provider.send(encode_request(EVERYTHING, model=MODEL))
        )
        peer = await bedrock.upstream.accepted()
        await bedrock.answered(*chunked(frames(START, text("a")))[:-1], peer=peer)
        async with await sending as reply:
            await anext(reply.chunks())
            peer.close()
            with pytest.raises(UpstreamCut):
                await anext(reply.chunks())

    on_bedrock(scenario)


@pytest.mark.parametrize("status", [400, 403, 429, 503])
def test_a_refusal_passes_as_it_came(status: int) -> None:
    async def scenario(bedrock: Bedrock) -> tuple[int, str, bytes]:
        sending = asyncio.create_task(
            bedrock.provider.send(encode_request(EVERYTHING, model=MODEL))
        )
        body = b'{"message":"no"}'
        head = f"HTTP/1.1 {status} No\r\nx-amzn-errortype: X\r\ncontent-type: application/json\r\n"
        await bedrock.answered(head.encode() + b"content-length: 16\r\n\r\n" + body)
        async with await sending as reply:
            parts = [part async for part in reply.chunks()]
            return reply.status, reply.headers["x-amzn-errortype"], b"".join(parts)

    assert on_bedrock(scenario) == (status, "X", b'{"message":"no"}')


def test_a_connection_serves_one_stream_after_another() -> None:
    async def scenario(bedrock: Bedrock) -> int:
        peer: Peer | None = None
        for _ in range(2):
            sending = asyncio.create_task(
                bedrock.provider.send(encode_request(EVERYTHING, model=MODEL))
            )
            peer = peer or await bedrock.upstream.accepted()
            await bedrock.answered(*chunked(frames(*TEXT)), peer=peer)
            await read(await sending, ConverseStreamReader("id", MODEL))
        return bedrock.upstream.connections

    assert on_bedrock(scenario) == 1
