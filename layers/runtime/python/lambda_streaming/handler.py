"""Find what `_HANDLER` names, and tell an ASGI app from a plain handler."""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import TYPE_CHECKING, Any

from lambda_streaming.asgi import AsgiApplication
from lambda_streaming.errors import RuntimeFault
from lambda_streaming.plain import PlainApplication

if TYPE_CHECKING:
    from lambda_streaming.application import Application
    from lambda_streaming.settings import Settings


def load(handler: str) -> Any:
    """Import `package/module.attribute` (or with dots) and return the attribute.

    Raises:
        RuntimeFault: with the managed runtime's error types for each thing that can be wrong.
    """
    module_name, dot, attribute = handler.rpartition(".")
    module_name = module_name.replace("/", ".")
    if not dot or not module_name or not attribute:
        raise RuntimeFault("Runtime.MalformedHandlerName", f"{handler!r} is no 'module.attribute'")
    if module_name.partition(".")[0] in sys.builtin_module_names:
        raise RuntimeFault("Runtime.BuiltInModuleConflict", f"{module_name!r} is built into Python")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        message = f"cannot import {module_name!r}: {error}"
        raise RuntimeFault("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        message = f"syntax error in {module_name!r}: {error}"
        raise RuntimeFault("Runtime.UserCodeSyntaxError", message) from error
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        message = f"{module_name!r} has no {attribute!r}"
        raise RuntimeFault("Runtime.HandlerNotFound", message) from error


def application_of(target: Any, settings: Settings) -> Application:
    """Wrap a handler in what the loop can call.

    Raises:
        RuntimeFault: it cannot be called, or it is a plain handler in streaming mode (whose callers
            would wait for a prelude that never comes).
    """
    if not callable(target):
        raise RuntimeFault("Runtime.HandlerNotFound", f"{settings.handler!r} cannot be called")
    if is_asgi(target):
        return AsgiApplication(target, settings)
    if settings.response_mode == "streaming":
        raise RuntimeFault(
            "Runtime.InvalidSettings",
            "a plain handler does not stream: set FOREBAY_RESPONSE_MODE=buffered",
        )
    return PlainApplication(target, settings.concurrency)


def is_asgi(target: Any) -> bool:
    """Whether `target` must be called with three arguments, as `scope, receive, send`.

    What two arguments suffice for is a plain handler, `event, context`.
    """
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):  # some callables of C have none
        return False
    return _takes(signature, 3) and not _takes(signature, 2)


def _takes(signature: inspect.Signature, arguments: int) -> bool:
    try:
        signature.bind(*[None] * arguments)
    except TypeError:
        return False
    return True
