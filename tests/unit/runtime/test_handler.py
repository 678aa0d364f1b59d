"""What `_HANDLER` names, and which kind it is."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from lambda_streaming.asgi import AsgiApplication
from lambda_streaming.errors import RuntimeFault
from lambda_streaming.handler import application_of, is_asgi, load
from lambda_streaming.plain import PlainApplication
from lambda_streaming.settings import Settings


class AsgiClass:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


async def asgi_function(scope: Any, receive: Any, send: Any) -> None: ...


def plain(event: Any, context: Any) -> None: ...


def plain_with_default(event: Any, context: Any, extra: Any = None) -> None: ...


@functools.wraps(plain)
def decorated(*args: Any, **kwargs: Any) -> None: ...


def loose(*args: Any) -> None: ...


KINDS = {
    "object": (AsgiClass(), True),
    "function": (asgi_function, True),
    "partial": (functools.partial(asgi_function), True),
    "plain": (plain, False),
    "plain with a default": (plain_with_default, False),
    "decorated plain": (decorated, False),
    "any arguments": (loose, False),
    "partial plain": (functools.partial(plain, context=None), False),
    "no signature": (iter, False),
}


@pytest.mark.parametrize(("target", "expected"), KINDS.values(), ids=KINDS)
def test_three_required_arguments_make_an_asgi_app(target: Any, expected: object) -> None:
    assert is_asgi(target) == expected


def test_each_kind_gets_its_application() -> None:
    settings = Settings("h:1", "app.app")
    assert isinstance(application_of(AsgiClass(), settings), AsgiApplication)
    assert isinstance(application_of(plain, settings), PlainApplication)


@pytest.mark.parametrize(
    "name", ["json.dumps", "xml/sax/saxutils.escape", "xml.sax.saxutils.escape"]
)
def test_a_handler_is_found_by_dots_or_slashes(name: str) -> None:
    assert callable(load(name))


@pytest.mark.parametrize(
    ("name", "error_type"),
    [
        ("app", "Runtime.MalformedHandlerName"),
        (".app", "Runtime.MalformedHandlerName"),
        ("app.", "Runtime.MalformedHandlerName"),
        ("sys.exit", "Runtime.BuiltInModuleConflict"),
        ("no_such_module_here.app", "Runtime.ImportModuleError"),
        ("json.no_such_name", "Runtime.HandlerNotFound"),
    ],
)
def test_a_handler_that_is_not_there_has_its_error_type(name: str, error_type: str) -> None:
    with pytest.raises(RuntimeFault) as caught:
        load(name)
    assert caught.value.error_type == error_type


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(RuntimeFault, match="cannot be called"):
        application_of(42, Settings("h:1", "app.app"))


def test_a_plain_handler_does_not_stream() -> None:
    with pytest.raises(RuntimeFault, match="FOREBAY_RESPONSE_MODE=buffered"):
        application_of(plain, Settings("h:1", "app.app", response_mode="streaming"))
