"""Chat completions as OpenAI defines them: requests."""

import json

import pytest

from forebay.dialects.openai_body import encode_request
from forebay.dialects.openai_chat import ChatRequest, parse_request, prompt_text
from forebay.errors import InvalidRequest

MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'


def body(*members: bytes) -> bytes:
    """A good request with further members."""
    return b"{" + b",".join((b'"model":"m"', MESSAGES, *members)) + b"}"


# --- requests that are refused

MALFORMED = {
    "nothing": (b"", "not JSON"),
    "no JSON": (b"hello", "not JSON"),
    "half a body": (body()[:-1], "not JSON"),
    "something after the body": (body() + b"x", "trailing characters"),
    "a byte order mark": (b"\xef\xbb\xbf" + body(), "not JSON"),
    "not UTF-8": (b'{"model":"caf\xe9"}', r"not UTF-8 \(byte 13\)"),
    "not UTF-8 in a field that is passed through": (body(b'"user":"\xff"'), "not UTF-8"),
    "UTF-16": (body().decode().encode("utf-16"), "not UTF-8"),
    "a control character in a string": (body(b'"user":"\x01"'), "not JSON"),
    "a number that JSON has not": (body(b'"x":NaN'), "not JSON"),
    "a leading zero": (body(b'"x":01'), "not JSON"),
    "an escape that JSON has not": (body(rb'"x":"\q"'), "not JSON"),
    "half a surrogate pair": (body(rb'"user":"\ud83d"'), "not JSON"),
    "a member without a value": (body(b'"x"'), "not JSON"),
    "nested beyond reason": (body(b'"x":' + b"[" * 100_000 + b"]" * 100_000), "nested too deeply"),
    "a list": (b"[]", "Expected `object`, got `array`"),
    "null": (b"null", "Expected `object`, got `null`"),
    "a string": (b'"hi"', "Expected `object`, got `str`"),
}


@pytest.mark.parametrize(("sent", "complaint"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_refused_with_the_reason(sent: bytes, complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint) as caught:
        parse_request(sent)

    assert caught.value.param is None


FAULTY = {
    "no model": (b'{"messages":[{"role":"user"}]}', "model", "Missing required parameter: 'model'"),
    "no messages": (b'{"model":"m"}', "messages", "Missing required parameter: 'messages'"),
    "nothing at all": (b"{}", "model", "Missing required parameter: 'model'"),
    "a number for a model": (b'{"model":1,"messages":[]}', "model", "Expected `str`, got `int`"),
    "null for a model": (b'{"model":null,"messages":[]}', "model", "got `null`"),
    "an empty model": (b'{"model":"","messages":[]}', "model", "length >= 1"),
    "a long model": (b'{"model":"%s"}' % (b"x" * 257), "model", "length <= 256"),
    "a string for messages": (b'{"model":"m","messages":"hi"}', "messages", "Expected `array`"),
    "no message": (b'{"model":"m","messages":[]}', "messages", "length >= 1"),
    "a string for a message": (
        b'{"model":"m","messages":["hi"]}',
        "messages[0]",
        "Expected `object`, got `str`",
    ),
    "a message without a role": (
        b'{"model":"m","messages":[{"role":"user"},{}]}',
        "messages[1].role",
        "Missing required parameter",
    ),
    "a number for a role": (
        b'{"model":"m","messages":[{"role":1}]}',
        "messages[0].role",
        "Expected `str`",
    ),
    "a string for stream": (body(b'"stream":"true"'), "stream", "Expected `bool | null`"),
    "a number for stream": (body(b'"stream":1'), "stream", "Expected `bool | null`"),
    "a list for stream_options": (
        body(b'"stream_options":[]'),
        "stream_options",
        "Expected `object | null`",
    ),
    "a string for include_usage": (
        body(b'"stream_options":{"include_usage":"yes"}'),
        "stream_options.include_usage",
        "Expected `bool | null`",
    ),
    "no answer asked for": (body(b'"n":0'), "n", ">= 1"),
    "too many answers asked for": (body(b'"n":129'), "n", "<= 128"),
    "a fraction of an answer": (body(b'"n":1.5'), "n", "Expected `int | null`"),
}


@pytest.mark.parametrize(("sent", "param", "complaint"), FAULTY.values(), ids=FAULTY)
def test_a_faulty_field_is_named(sent: bytes, param: str, complaint: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(sent)

    assert complaint in caught.value.message
    assert caught.value.param == param


@pytest.mark.parametrize(
    "sent",
    [
        b'{"model":"m","messages":"canary"}',
        b'{"model":"m","messages":[{"role":"user","content":"canary}]}',
        b'{"model":"m","messages":[{"role":"user","content":"canary\xff"}]}',
        b"canary",
    ],
)
def test_a_complaint_does_not_quote_the_body(sent: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(sent)

    assert "canary" not in caught.value.message


# --- requests that are understood


def facts(request: ChatRequest) -> tuple[str, bool, bool, int]:
    return (request.model, request.stream, request.include_usage, request.choices)


UNDERSTOOD = {
    "the smallest": (body(), ("m", False, False, 1)),
    "streamed": (body(b'"stream":true'), ("m", True, False, 1)),
    "nulls": (
        body(b'"stream":null', b'"stream_options":null', b'"n":null'),
        ("m", False, False, 1),
    ),
    "usage asked for": (
        body(b'"stream":true', b'"stream_options":{"include_usage":true}'),
        ("m", True, True, 1),
    ),
    "usage declined": (
        body(b'"stream":true', b'"stream_options":{"include_usage":false}'),
        ("m", True, False, 1),
    ),
    "two answers": (body(b'"n":2'), ("m", False, False, 2)),
    "a field twice: the last counts": (body(b'"n":2', b'"n":3'), ("m", False, False, 3)),
    "white space": (b"\n\t " + body() + b"\r\n", ("m", False, False, 1)),
}


@pytest.mark.parametrize(("sent", "expected"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_what_a_decision_needs_is_read(sent: bytes, expected: tuple[str, bool, bool, int]) -> None:
    assert facts(parse_request(sent)) == expected


# --- requests as they go to the target

UNTOUCHED = {
    "a field of tomorrow": b'"new_parameter":{"a":[1,null,true]}',
    "tools": b'"tools":[{"type":"function","function":{"name":"f","parameters":{"x":1.10}}}]',
    "a response format": b'"response_format":{"type":"json_schema","json_schema":{"strict":true}}',
    "a big number": b'"seed":123456789012345678901234567890',
    "a float as it was written": b'"temperature":1.10',
    "an exponent as it was written": b'"top_p":1E-1',
    "a number out of range": b'"x":1e999',
    "escapes as they were written": rb'"user":"\u00e9\/\ud83d\ude00\n"',
    "letters beyond ASCII": '"user":"é😀"'.encode(),
    "white space": b'"metadata":{ "a" :\n1 }',
}


@pytest.mark.parametrize("member", UNTOUCHED.values(), ids=UNTOUCHED)
def test_a_field_reaches_the_target_byte_for_byte(member: bytes) -> None:
    assert member in encode_request(parse_request(body(member)), model="t")


def test_images_and_messages_reach_the_target_byte_for_byte() -> None:
    messages = (
        b'"messages": [{"role":"user", "content":[{"type":"image_url",'
        b'"image_url":{"url":"data:image/png;base64,AA\\/+="}}], "name":null}]'
    )
    request = parse_request(b'{"model":"m",' + messages + b"}")

    assert messages.removeprefix(b'"messages": ') in encode_request(request, model="t")


def test_the_model_becomes_the_target_s() -> None:
    encoded = json.loads(encode_request(parse_request(body()), model="t/x"))

    assert encoded == {"model": "t/x", "messages": [{"role": "user", "content": "hi"}]}


STREAM_OPTIONS = {
    "none": (b"", b'{"include_usage":true}'),
    "null": (b',"stream_options":null', b'{"include_usage":true}'),
    "empty": (b',"stream_options":{}', b'{"include_usage":true}'),
    "declined": (b',"stream_options":{"include_usage":false}', b'{"include_usage":true}'),
    "others": (
        rb',"stream_options":{"a":1.10,"b":"\u00e9","include_usage":null,"c":1e999}',
        rb'{"a":1.10,"b":"\u00e9","include_usage":true,"c":1e999}',
    ),
}


@pytest.mark.parametrize(("given", "sent_on"), STREAM_OPTIONS.values(), ids=STREAM_OPTIONS)
def test_a_stream_is_always_asked_for_its_usage(given: bytes, sent_on: bytes) -> None:
    request = parse_request(body(b'"stream":true' + given))

    assert b'"stream_options":' + sent_on in encode_request(request, model="t")


def test_an_unstreamed_request_has_no_stream_options() -> None:
    assert b"stream_options" not in encode_request(parse_request(body()), model="t")


def test_encoding_leaves_the_request_as_it_was_for_a_retry() -> None:
    request = parse_request(body(b'"stream":true'))

    assert encode_request(request, model="t") == encode_request(request, model="t")
    assert facts(request) == ("m", True, False, 1)


# --- text for counting

PROMPTS = {
    "a string": (b'[{"role":"user","content":"hi"}]', "hi"),
    "parts": (
        b'[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]',
        "a\nb",
    ),
    "an image": (
        b'[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,A"}}]}]',
        "",
    ),
    "an image elsewhere": (
        b'[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://h/i"}}]}]',
        "https://h/i",
    ),
    "several": (
        b'[{"role":"system","content":"s"},{"role":"user","name":"bo","content":"u"}]',
        "s\nbo\nu",
    ),
    "a tool's call": (
        (
            b'[{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",'
            b'"function":{"name":"f","arguments":"{}"}}]}]'
        ),
        "f\n{}",
    ),
    "numbers": (b'[{"role":"user","content":[1,1.5,1e999,123456789012345678901]}]', ""),
}


@pytest.mark.parametrize(("messages", "text"), PROMPTS.values(), ids=PROMPTS)
def test_the_text_of_a_prompt_is_found(messages: bytes, text: str) -> None:
    request = parse_request(b'{"model":"m","messages":' + messages + b"}")

    assert prompt_text(request) == text


def test_tools_are_part_of_the_prompt() -> None:
    tools = b'"tools":[{"type":"function","function":{"name":"f","description":"does"}}]'

    assert prompt_text(parse_request(body(tools))) == "hi\nf\ndoes"
