"""Chat completions as OpenAI defines them: whole replies and errors."""

import pytest

from forebay.dialects import DialectError, UpstreamReported
from forebay.dialects.openai_chat import Completion, parse_completion, parse_error
from forebay.model import Usage, UsageSource

CHOICES = b'"choices":[{"index":0,"message":{"role":"assistant","content":"yes"}}]'

COMPLETIONS = {
    "without usage": (b"{" + CHOICES + b"}", Completion("yes", None)),
    "usage null": (b"{" + CHOICES + b',"usage":null}', Completion("yes", None)),
    "with usage": (
        b"{" + CHOICES + b',"usage":{"prompt_tokens":3,"completion_tokens":2}}',
        Completion("yes", Usage(3, 2)),
    ),
    "with details": (
        b"{" + CHOICES + b',"usage":{"prompt_tokens":3,"completion_tokens":2,'
        b'"prompt_tokens_details":{"cached_tokens":1,"audio_tokens":0},'
        b'"completion_tokens_details":{"reasoning_tokens":2}}}',
        Completion("yes", Usage(3, 2, 1, 2)),
    ),
    "details null": (
        b"{" + CHOICES + b',"usage":{"prompt_tokens":3,"completion_tokens":null,'
        b'"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null}}}',
        Completion("yes", Usage(3, 0)),
    ),
    "more cached than read": (
        b"{" + CHOICES + b',"usage":{"prompt_tokens":1,"completion_tokens":2,'
        b'"prompt_tokens_details":{"cached_tokens":5}}}',
        Completion("yes", Usage(5, 2, 5)),
    ),
    "negative counts": (
        b"{" + CHOICES + b',"usage":{"prompt_tokens":-1,"completion_tokens":-2,'
        b'"prompt_tokens_details":{"cached_tokens":-5},'
        b'"completion_tokens_details":{"reasoning_tokens":-1}}}',
        Completion("yes", None),
    ),
    "tool calls": (
        (
            b'{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c",'
            b'"type":"function","function":{"name":"f","arguments":"{}"}}]}}]}'
        ),
        Completion("f{}", None),
    ),
    "a refusal": (
        b'{"choices":[{"message":{"role":"assistant","content":null,"refusal":"no"}}]}',
        Completion("no", None),
    ),
    "two choices": (
        b'{"choices":[{"index":0,"message":{"content":"a"}},{"index":1,"message":{"content":"b"}}]}',
        Completion("ab", None),
    ),
}


@pytest.mark.parametrize(("reply", "expected"), COMPLETIONS.values(), ids=COMPLETIONS)
def test_what_the_ledger_needs_of_a_reply_is_read(reply: bytes, expected: Completion) -> None:
    assert parse_completion(reply) == expected


def test_reported_usage_says_so() -> None:
    usage = parse_completion(COMPLETIONS["with usage"][0]).usage

    assert usage is not None
    assert usage.source is UsageSource.REPORTED


NO_COMPLETIONS = {
    "nothing": b"",
    "HTML": b"<html>canary</html>",
    "half of one": b"{" + CHOICES[:-1],
    "a list": b"[]",
    "no choices": b"{}",
    "empty choices": b'{"choices":[]}',
    "choices of another kind": b'{"choices":"canary"}',
    "not UTF-8": b'{"choices":[{"message":{"content":"\xff"}}]}',
    "nested beyond reason": b'{"choices":' + b"[" * 100_000,
    "counts that are words": b"{" + CHOICES + b',"usage":{"prompt_tokens":"canary"}}',
}


@pytest.mark.parametrize("reply", NO_COMPLETIONS.values(), ids=NO_COMPLETIONS)
def test_what_is_no_completion_is_refused_unquoted(reply: bytes) -> None:
    with pytest.raises(DialectError) as caught:
        parse_completion(reply)

    assert "canary" not in str(caught.value)


def test_an_error_object_in_place_of_a_completion_is_told_apart() -> None:
    with pytest.raises(UpstreamReported, match="the provider reported an error") as caught:
        parse_completion(b'{"error":{"message":"no","code":7}}')

    assert caught.value.error == {"message": "no", "code": 7}


# --- error bodies

ERRORS = {
    "OpenAI's": (b'{"error":{"message":"m","type":"t"}}', {"message": "m", "type": "t"}),
    "a string": (b'{"error":"model not found"}', {"message": "model not found"}),
    "a number": (b'{"error":5}', {"message": "5"}),
    "null": (b'{"error":null}', None),
    "another object": (b'{"detail":"x"}', None),
    "a list": (b"[]", None),
    "HTML": (b"<html>", None),
    "nothing": (b"", None),
    "not UTF-8": (b'{"error":"\xff"}', None),
    "a number out of range": (b'{"error":{"x":1e999}}', None),
    "nested beyond reason": (b'{"error":' + b"[" * 100_000, None),
}


@pytest.mark.parametrize(("received", "error"), ERRORS.values(), ids=ERRORS)
def test_an_error_body_is_read_if_there_is_one(
    received: bytes, error: dict[str, str] | None
) -> None:
    assert parse_error(received) == error
