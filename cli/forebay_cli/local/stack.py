"""What `forebay dev` starts, in which order, and how it ends.

    state lock, port -> (ministack beside SAM's translator) -> tables -> functions -> front
    -> streams and schedules -> key

Everything started is on one exit stack, so that a failed start, a signal and a crash of ministack
all end the same way: the last started goes first, ministack last, to write its state.
"""

import asyncio
import contextlib
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from forebay_cli.local.chaos import Chaos, write_chaos_config
from forebay_cli.local.dev_key import DevKeyError, create_dev_key
from forebay_cli.local.front import Front
from forebay_cli.local.functions import (
    INHERITED,
    FunctionSpec,
    Surroundings,
    load_functions,
    referenced_variables,
)
from forebay_cli.local.logs import Log
from forebay_cli.local.metrics import LocalMetrics, cloudwatch
from forebay_cli.local.ministack import CREDENTIALS, Ministack, start_ministack
from forebay_cli.local.model import LazyModel, model_available, write_local_config
from forebay_cli.local.pool import FunctionPool, PoolOptions
from forebay_cli.local.provision import Provisioned, cloudformation, provision
from forebay_cli.local.reload import watch
from forebay_cli.local.resolve import REGION, Scope, parameter_values
from forebay_cli.local.routes import Api, load_api
from forebay_cli.local.sandbox import SandboxOptions
from forebay_cli.local.sigv4_check import Verifier
from forebay_cli.local.sources import event_sources
from forebay_cli.local.state import locked_state, read_dev_key, shown_aws_url, write_dev_key
from forebay_cli.local.template import process

PARAMETERS: Final = {"Stage": "local"}
MANY: Final = 256  # invocations at a time in one process, in many mode
PLAIN_LIMIT: Final = 4  # processes of a function that does not stream, unless --sandboxes says more
CHAOS_MEAN_S: Final = 5.0  # between two kills
BACKLOG: Final = 1024

wall_clock: Final[Callable[[], float]] = time.time  # noqa: TID251 - the one real clock, handed on


class StackError(Exception):
    """The stack cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What the command line chose.

    Attributes:
        root: the folder of template.yaml.
        port: of the front; 0 takes a free one.
        config: the gateway.toml, if there is one.
        sandboxes: plain mode with so many processes of a function; None is many mode.
        chaos: what goes wrong on purpose.
    """

    root: Path
    port: int
    config: Path | None
    state: Path
    fresh: bool = False
    sandboxes: int | None = None
    chaos: Chaos = field(default_factory=Chaos)
    reload: bool = False
    model: bool = True


@dataclass(frozen=True, slots=True)
class Running:
    """A stack that serves.

    Attributes:
        key: the dev key's secret, if there is one.
        model: what a first request may ask for.
    """

    url: str
    key: str | None
    model: str
    ministack: Ministack


@contextlib.asynccontextmanager
async def running_stack(options: StackOptions, log: Log) -> Any:
    """Start the stack; give a `Running`; end all of it.

    Raises:
        StackError, and the errors of the parts: it cannot start.
    """
    async with contextlib.AsyncExitStack() as exits:
        yield await _start(options, log, exits)


async def _start(options: StackOptions, log: Log, exits: contextlib.AsyncExitStack) -> Running:
    state = exits.enter_context(locked_state(options.state, fresh=options.fresh))
    listener = exits.enter_context(contextlib.closing(_bind(options.port)))
    ministack, template = await _prepare(options, state, log, exits)
    scope = Scope(template, parameter_values(template, PARAMETERS))
    client = await asyncio.to_thread(cloudformation, ministack.url, CREDENTIALS)
    pause = threading.Event().wait
    made: Provisioned = await asyncio.to_thread(provision, client, scope, options.root, pause)
    scope = Scope(template, scope.parameters, made.outputs)

    model_url = await _model(options, state, log, exits)
    extra = {
        "AWS_ENDPOINT_URL": ministack.url,
        "FOREBAY_CONFIG": _config_paths(options, state, write_local_config(state, model_url)),
    }
    fixed_key = os.environ.get("FOREBAY_DEV_KEY")
    if fixed_key:
        extra["FOREBAY_DEV_KEY"] = fixed_key
    api = load_api(scope)
    specs = load_functions(template, scope, options.root, extra)
    client = await asyncio.to_thread(cloudwatch, ministack.url, CREDENTIALS)
    metrics = LocalMetrics(client, log.source("front"))
    _background(metrics.deliver(), exits)
    exits.enter_context(shown_aws_url(state, ministack.url))
    pools = await _pools(options, specs, api, (log, metrics), exits)
    verifier = Verifier(
        CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"], REGION
    )
    front = Front(api, pools, verifier, wall_clock, log.source("front"))
    port = await _serve(front, listener, exits)
    for source in event_sources(scope, pools, ministack.url, wall_clock, log):
        _background(source, exits)
    key = fixed_key or await _dev_key(state, port, api.stage, log, new=made.created)
    model = "smollm2" if model_url else "scripted"
    return Running(f"http://127.0.0.1:{port}/{api.stage}", key, model, ministack)


def _bind(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(BACKLOG)  # now: a taken port is known before anything is started
    except OSError as error:
        listener.close()
        raise StackError(
            f"Port {port} cannot be used ({error.strerror}). "
            f"End what uses it, or choose another: forebay dev --port {port + 1}"
        ) from error
    return listener


async def _prepare(
    options: StackOptions, state: Path, log: Log, exits: contextlib.AsyncExitStack
) -> tuple[Ministack, Mapping[str, Any]]:
    """Start ministack and process the template at the same time: each takes about a second."""
    processing = asyncio.create_task(
        asyncio.to_thread(process, options.root, PARAMETERS, state / "template.json")
    )
    try:
        ministack = await start_ministack(state, log.source("aws"))
        exits.push_async_callback(ministack.stop)
    finally:
        await asyncio.wait({processing})
    return ministack, await processing


async def _model(
    options: StackOptions, state: Path, log: Log, exits: contextlib.AsyncExitStack
) -> str | None:
    if not options.model:
        return None
    say = log.source("model")
    if not model_available():
        say("SmolLM2 is not installed (no wheel for this platform?); use the model `scripted`.")
        return None
    model = LazyModel(state, say)
    url = await model.listen()
    exits.push_async_callback(model.stop)
    return url


def _config_paths(options: StackOptions, state: Path, fragment: Path) -> str:
    paths = [fragment] if options.config is None else [options.config.resolve(), fragment]
    if options.chaos.faults:
        paths.insert(0, write_chaos_config(state, options.chaos, paths))
    return os.pathsep.join(str(path) for path in paths)


async def _pools(
    options: StackOptions,
    specs: Mapping[str, FunctionSpec],
    api: Api,
    told: tuple[Log, LocalMetrics],
    exits: contextlib.AsyncExitStack,
) -> dict[str, FunctionPool]:
    """Make each function's pool; start those that stream, since a person waits for them."""
    log, metrics = told
    text = options.config.read_text() if options.config is not None else ""
    names = {*INHERITED, *referenced_variables(text)}
    user = {name: os.environ[name] for name in names if name in os.environ}
    streaming = {route.function for route in api.routes if route.streams}
    pools = {}
    for name, spec in specs.items():
        many = name in streaming and options.sandboxes is None
        around = Surroundings(user, CREDENTIALS, MANY if many else 1)
        say = metrics.reading(log.source(name.removesuffix("Function").lower()))
        sandbox = SandboxOptions(around, freeze=not many, wall_clock=wall_clock, log=say)
        limit = 1 if many else options.sandboxes or PLAIN_LIMIT
        pools[name] = FunctionPool(spec, PoolOptions(limit, name in streaming), sandbox)
        exits.push_async_callback(pools[name].stop)
    await asyncio.gather(*(pools[name].start() for name in streaming))
    if options.chaos.kill_seed is not None:
        _background(_kill_at_random(list(pools.values()), options.chaos.kill_seed), exits)
    if options.reload:
        places = {place for spec in specs.values() for place in (spec.task_root, *spec.layers)}
        places |= {options.config} if options.config is not None else set()
        _background(watch(sorted(places), _reloader(pools, log)), exits)
    return pools


def _reloader(pools: Mapping[str, FunctionPool], log: Log) -> Callable[[list[Path]], None]:
    say = log.source("forebay")

    def changed(files: list[Path]) -> None:
        say(f"{files[0].name} changed: restarting the functions")
        for pool in pools.values():
            pool.reload()

    return changed


async def _kill_at_random(pools: list[FunctionPool], seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - no secret: the same seed kills the same way
    while True:
        await asyncio.sleep(dice.expovariate(1 / CHAOS_MEAN_S))
        dice.choice(pools).kill_one(dice)


async def _serve(front: Front, listener: socket.socket, exits: contextlib.AsyncExitStack) -> int:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(front.connect, sock=listener, backlog=BACKLOG)
    exits.callback(front.close)
    exits.callback(server.close)
    _background(front.sweep(), exits)
    return int(listener.getsockname()[1])


async def _dev_key(state: Path, port: int, stage: str, log: Log, *, new: bool) -> str | None:
    """Return the dev key's secret, made now if the tables are new or no key was kept."""
    kept = None if new else read_dev_key(state)
    if kept is not None:
        return kept
    try:
        key = await asyncio.to_thread(create_dev_key, port, stage, CREDENTIALS)
    except DevKeyError as error:
        log.source("forebay")(f"No key was made. {error}")
        return None
    write_dev_key(state, key)
    return str(key["secret"])


def _background(work: Any, exits: contextlib.AsyncExitStack) -> None:
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.wait({task})

    exits.push_async_callback(end)
