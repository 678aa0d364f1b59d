"""What all of OpenAI's requests have in common: how a body that is none is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from forebay.errors import InvalidRequest


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
