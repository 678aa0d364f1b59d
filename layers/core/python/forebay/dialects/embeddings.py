"""OpenAI's embeddings: requests in, answers out, and what a target's surface must be able to do.

Source: https://platform.openai.com/docs/api-reference/embeddings. Inputs and parameters are kept
as the bytes that the caller sent, so that an OpenAI-compatible target gets them untouched; how each
surface is asked is in `embeddings_openai`, `embeddings_gemini` and `embeddings_bedrock`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from forebay.dialects.openai_body import reading
from forebay.dialects.token_ids import stand_in
from forebay.errors import InvalidRequest
from forebay.model import UpstreamRequest

MAX_INPUTS: Final = 2048
"""Of a request, by OpenAI's reference; longer lists are the caller's to divide."""

NULL: Final = b"null"


class Encoding(StrEnum):
    """How a vector is written (`encoding_format`)."""

    FLOAT = "float"
    """A list of numbers."""
    BASE64 = "base64"
    """Its numbers as 32-bit floats, little end first, in base64. OpenAI's SDKs ask for it."""


_Token = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class _RequestFields(msgspec.Struct):
    """What we must understand of a request; the rest is the target's business."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    input: str | list[str | _Token | list[_Token]]
    encoding_format: Encoding | None = None
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """A parsed `POST /embeddings`."""

    model: str
    """The model as the caller names it."""
    inputs: tuple[bytes, ...]
    """Each as it came: a JSON string, or a list of token ids."""
    of_tokens: bool
    """Whether the inputs are lists of token ids."""
    encoding: Encoding
    parameters: Mapping[str, msgspec.Raw]
    """All other fields, value by value as they came."""

    def text(self) -> str:
        """Return all that is to be embedded, for counting its tokens."""
        return "\n".join(input_text(each, of_tokens=self.of_tokens) for each in self.inputs)

    def stated(self) -> Mapping[str, msgspec.Raw]:
        """Return the parameters that say something."""
        return {name: value for name, value in self.parameters.items() if bytes(value) != NULL}

    def fingerprint(self) -> bytes:
        """Return what two requests must have in common to be sent together."""
        return msgspec.json.encode([self.of_tokens, sorted(self.parameters.items())])


_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_request = msgspec.json.Decoder(_RequestFields).decode
_decode_each = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


def parse_request(body: bytes) -> EmbeddingsRequest:
    """Read a request's body.

    Raises:
        InvalidRequest: Not UTF-8, not JSON, a field of the wrong type, no input, an empty one, or
            more than `MAX_INPUTS`; `param` names the field.
    """
    with reading(body):
        fields = _decode_fields(body)
        known = _decode_request(body)
    given = known.input
    _check(given)
    is_one = isinstance(given, str) or isinstance(given[0], int)
    raw = fields["input"]
    return EmbeddingsRequest(
        model=known.model,
        inputs=(bytes(raw),) if is_one else tuple(bytes(each) for each in _decode_each(raw)),
        of_tokens=not isinstance(given, str) and not isinstance(given[0], str),
        encoding=known.encoding_format or Encoding.FLOAT,
        parameters={name: fields[name] for name in fields if name not in {"model", "input"}},
    )


def _check(given: str | list[str | int | list[int]]) -> None:
    if not given:
        raise InvalidRequest("'input' must not be empty.", param="input")
    if isinstance(given, str):
        return
    if len({type(each) for each in given}) > 1:
        message = "'input' must hold texts, or token ids, or lists of token ids, and only one kind."
        raise InvalidRequest(message, param="input")
    if isinstance(given[0], int):
        return
    if len(given) > MAX_INPUTS:
        message = f"'input' has {len(given)} entries; at most {MAX_INPUTS} are taken at once."
        raise InvalidRequest(message, param="input")
    if [] in given or "" in given:
        at = next(index for index, each in enumerate(given) if not each)
        raise InvalidRequest(f"'input[{at}]' must not be empty.", param=f"input[{at}]")


def input_text(given: bytes, *, of_tokens: bool) -> str:
    """Return the text of an input, or one of as many tokens as it has ids."""
    return stand_in(_ids(given)) if of_tokens else _decode_text(given)


def _ids(given: bytes) -> int:
    return given.count(b",") + 1


def token_bound(given: bytes, *, of_tokens: bool) -> int:
    """Return how many tokens an input has at most, without counting them.

    A token stands for at least one byte of text, and JSON writes no byte of text in less than one.
    """
    return _ids(given) if of_tokens else len(given) - 2


# --- what a target must be able to do


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider takes in one request."""

    inputs: int
    tokens: int | None = None
    """All inputs together; None: it states no such limit."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a target made of inputs."""

    vectors: tuple[bytes, ...]
    """In the order of the inputs, as JSON, in the encoding that was asked for."""
    input_tokens: int | None
    """As reported; there are no others."""
    model: str | None = None
    """As the target names itself."""


Encode = Callable[[EmbeddingsRequest, Sequence[bytes], str], UpstreamRequest]
Read = Callable[[EmbeddingsRequest, int, bytes], Embedded]


@dataclass(frozen=True, slots=True)
class Surface:
    """How embeddings are asked of one kind of target."""

    limits: Callable[[EmbeddingsRequest], Limits]
    encode: Encode
    """Write a request: its parameters, some of its inputs (or another's with the same
    `fingerprint`), the target's model.

    Raises `InvalidRequest` where the target cannot do what is asked; `param` names the field.
    """
    read: Read
    """Read the body of a reply to so many inputs.

    Raises `UpstreamReported` where it is an error object, `DialectError` where it is anything but
    one vector for each input, all of one length.
    """


def refuse_others(asked: EmbeddingsRequest, taken: Iterable[str], target: str) -> None:
    """Refuse the parameters that a target cannot be given.

    `encoding_format` is ours to fulfil. `user` has no effect on a vector.

    Raises:
        InvalidRequest: There is one; `param` names it.
    """
    for name in asked.stated().keys() - {"encoding_format", "user", *taken}:
        raise InvalidRequest(f"'{name[:100]}' cannot be asked of {target}.", param=name[:100])


def refuse_tokens(asked: EmbeddingsRequest, target: str) -> None:
    """Refuse token ids for a target that takes texts alone.

    Raises:
        InvalidRequest: The inputs are lists of token ids.
    """
    if asked.of_tokens:
        raise InvalidRequest(f"{target} takes texts, not token ids.", param="input")


# --- the answer


def write_answer(vectors: Sequence[bytes], *, model: str, input_tokens: int) -> Iterator[bytes]:
    """Write the answer, vector by vector: all of it can be 100 MB."""
    separator = b'{"object":"list","data":['
    for index, vector in enumerate(vectors):
        yield b'%b{"object":"embedding","index":%d,"embedding":%b}' % (separator, index, vector)
        separator = b","
    usage = {"prompt_tokens": input_tokens, "total_tokens": input_tokens}
    rest = msgspec.json.encode({"model": model, "usage": usage})
    yield b"]," + rest[1:]
