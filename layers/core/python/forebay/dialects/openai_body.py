"""What all of OpenAI's requests have in common: how a body is read, refused and passed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Protocol

import msgspec

from forebay.errors import InvalidRequest


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class KnownFields(msgspec.Struct):
    """What we must understand of a request that is passed on; the rest is the target's business."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None

    @property
    def include_usage(self) -> bool:
        """Whether the caller asks for the usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)


class PassedOn(Protocol):
    """A request that reaches a target as it came."""

    @property
    def stream(self) -> bool:
        """Whether its answer is to be a stream."""
        ...

    @property
    def fields(self) -> Mapping[str, msgspec.Raw]:
        """The whole body, value by value as it came."""
        ...


_decode_options = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode


def encode_request(request: PassedOn, *, model: str) -> bytes:
    """Write the request for an OpenAI-compatible target.

    Usage is always asked for on streams (`stream_options.include_usage`): the ledger needs it.
    """
    fields: dict[str, Any] = {**request.fields, "model": model}
    if request.stream:
        options = _decode_options(request.fields.get("stream_options", b"null")) or {}
        fields["stream_options"] = {**options, "include_usage": True}
    return msgspec.json.encode(fields)


@contextmanager
def reading(body: bytes) -> Iterator[None]:
    """Read a body within; what msgspec says of it is told to the caller.

    Raises:
        InvalidRequest: Not UTF-8, not JSON, nested too deeply, or a field of the wrong type;
            `param` names it.
    """
    try:
        body.decode()
        yield
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"The body is not UTF-8 (byte {error.start}).") from error
    except msgspec.ValidationError as error:
        raise invalid_field(str(error)) from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The body is not JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested too deeply.") from error


def invalid_field(complaint: str) -> InvalidRequest:
    """Turn msgspec's "Expected `str`, got `int` - at `$.model`" into words and a `param`."""
    problem, _, path = complaint.partition(" - at `$")
    param = path.rstrip("`").removeprefix(".") or None
    if problem.startswith("Object missing required field"):
        missing = problem.split("`")[1]
        param = f"{param}.{missing}" if param else missing
        return InvalidRequest(f"Missing required parameter: '{param}'.", param=param)
    if problem.startswith("Invalid"):  # … value 'what was sent': not to be quoted
        return InvalidRequest(f"Invalid value for '{param}'.", param=param)
    where = f" for '{param}'" if param else ""
    return InvalidRequest(f"Invalid value{where}: {problem}.", param=param)
