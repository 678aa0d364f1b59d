"""What the client makes of each reply: the content, or the one right error."""

import asyncio
import zlib
from typing import Any

import msgspec
import pytest

from forebay.errors import ConditionFailed, StoreError, StoreUnavailable
from tests.unit.adapters.dynamodb.client import client
from tests.unit.adapters.dynamodb.peer import Peer, reply, says

GET: dict[str, Any] = {"TableName": "keys", "Key": {"key_id": {"S": "é"}}}


def answer_to(data: bytes) -> dict[str, Any]:
    """Return what a `GetItem` gives when the peer answers with these bytes."""

    async def main() -> dict[str, Any]:
        async with Peer([says(data)]) as peer, client(peer.url) as database:
            return await database.get_item(GET)

    return asyncio.run(main())


def refusal(code: str, **more: Any) -> bytes:
    return msgspec.json.encode({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **more})


def test_a_request_is_a_signed_post_of_the_json() -> None:
    async def main() -> bytes:
        async with Peer([says(reply(200, b"{}"))]) as peer, client(peer.url) as database:
            await database.get_item(GET)
            return peer.requests[0]

    head, _, body = asyncio.run(main()).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    names = [line.partition(":")[0].lower() for line in lines[1:]]
    assert lines[0] == "POST / HTTP/1.1"
    assert "X-Amz-Target: DynamoDB_20120810.GetItem" in lines
    assert "X-Amz-Security-Token: a-token" in lines
    assert {"host", "authorization", "x-amz-date", "content-type"} <= set(names)
    assert f"Content-Length: {len(body)}" in lines
    assert msgspec.json.decode(body) == GET


def test_the_content_of_a_good_reply_is_returned() -> None:
    assert answer_to(reply(200, b'{"Item":{"n":{"N":"1"}}}')) == {"Item": {"n": {"N": "1"}}}


def test_a_reply_with_the_right_checksum_is_good() -> None:
    assert answer_to(reply(200, b"{}", f"x-amz-crc32: {zlib.crc32(b'{}')}")) == {}


@pytest.mark.parametrize("checksum", ["1", "", "garbage"])
def test_a_reply_with_a_wrong_checksum_is_damaged(checksum: str) -> None:
    with pytest.raises(StoreUnavailable, match="damaged"):
        answer_to(reply(200, b"{}", f"x-amz-crc32: {checksum}"))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff\xfe", b'{"Item":'])
def test_a_good_status_without_a_json_object_is_an_unavailable_store(body: bytes) -> None:
    with pytest.raises(StoreUnavailable, match="no JSON object"):
        answer_to(reply(200, body))


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "InternalServerError",
        "LimitExceededException",
        "TransactionConflictException",
    ],
)
def test_what_may_pass_a_moment_later_is_an_unavailable_store(code: str) -> None:
    with pytest.raises(StoreUnavailable, match=code):
        answer_to(reply(400, refusal(code, message="slow down")))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b'{"__type":"x#Oops"}'])
def test_a_server_s_failure_is_an_unavailable_store(status: int, body: bytes) -> None:
    with pytest.raises(StoreUnavailable):
        answer_to(reply(status, body))


@pytest.mark.parametrize(
    "code", ["ValidationException", "ResourceNotFoundException", "AccessDeniedException"]
)
def test_a_refusal_for_good_is_a_store_error_with_its_explanation(code: str) -> None:
    with pytest.raises(StoreError, match=f"GetItem: {code}: because") as caught:
        answer_to(reply(400, refusal(code, message="because")))
    assert type(caught.value) is StoreError


def test_the_front_door_s_explanation_is_read_too() -> None:
    body = b'{"__type":"com.amazon.coral.service#UnrecognizedClientException","Message":"who?"}'
    with pytest.raises(StoreError, match="who"):
        answer_to(reply(400, body))


def test_a_refusal_that_is_no_json_names_its_status() -> None:
    with pytest.raises(StoreError, match="HTTP 407"):
        answer_to(reply(407, b"<html>proxy</html>"))


def test_an_explanation_of_any_length_is_cut() -> None:
    with pytest.raises(StoreError) as caught:
        answer_to(reply(400, refusal("ValidationException", message="x" * 100_000)))
    assert len(caught.value.message) < 400


def test_a_failed_condition_carries_the_item_that_it_met() -> None:
    item = {"request_id": {"S": "01"}}
    with pytest.raises(ConditionFailed) as caught:
        answer_to(reply(400, refusal("ConditionalCheckFailedException", Item=item)))
    assert caught.value.item == item


def test_a_failed_condition_that_was_not_asked_for_the_item_has_none() -> None:
    with pytest.raises(ConditionFailed) as caught:
        answer_to(reply(400, refusal("ConditionalCheckFailedException")))
    assert caught.value.item is None


@pytest.mark.parametrize("value", ["\ud800", object(), {1j: 2}], ids=["surrogate", "type", "key"])
def test_a_request_that_is_no_json_is_refused_before_it_is_sent(value: object) -> None:
    async def main() -> int:
        async with Peer([]) as peer, client(peer.url) as database:
            with pytest.raises(StoreError, match="cannot be written"):
                await database.put_item({"Item": value})
            return peer.connections

    assert asyncio.run(main()) == 0
