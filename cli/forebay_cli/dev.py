"""`forebay dev`: the whole stack on this machine, until Ctrl-C."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from forebay_cli.local.chaos import Chaos, ChaosError
from forebay_cli.local.event_sources import EventSourceError
from forebay_cli.local.functions import FunctionError
from forebay_cli.local.logs import Log, stdout_log
from forebay_cli.local.ministack import MinistackError
from forebay_cli.local.pool import InitError
from forebay_cli.local.provision import ProvisionError
from forebay_cli.local.resolve import ResolveError
from forebay_cli.local.routes import RouteError
from forebay_cli.local.stack import Running, StackError, StackOptions, running_stack
from forebay_cli.local.state import StateError
from forebay_cli.local.template import TemplateError, find_root

FAULTS: Final = (
    ChaosError, EventSourceError, FunctionError, InitError, MinistackError, ProvisionError,
    ResolveError, RouteError, StackError, StateError, TemplateError, OSError,
)  # fmt: skip
DEFAULT_SEED: Final = "0"
CHECKOUT: Final = Path(__file__).resolve().parents[2]


def add_parser(subparsers: Any) -> None:
    """Add `dev` to the command line's subparsers (argparse)."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "dev",
        help="run the whole stack on this machine",
        description="Run the whole stack on this machine: an AWS in miniature, the template's "
        "functions, an HTTP front that streams, and a small model that needs no key.",
    )
    parser.add_argument("--port", type=_port, default=8080, help="of the front (default 8080)")
    parser.add_argument("--config", type=Path, help="the gateway.toml (default: the project's)")
    parser.add_argument("--state", type=Path, default=Path(".forebay"), help="folder of the state")
    parser.add_argument("--fresh", action="store_true", help="forget the state first")
    parser.add_argument(
        "--sandboxes",
        type=_positive,
        metavar="N",
        help="one request a process, as on Lambda, with at most N processes of a function",
    )
    parser.add_argument(
        "--chaos",
        action=_AddChaos,
        nargs="?",
        default=Chaos(),
        metavar="SPEC",
        help="let a scripted provider fail, as in scripted:cut=0.3,server_error=0.1 (repeatable); "
        "without SPEC, or with a seed for it, kill sandboxes at random",
    )
    parser.add_argument("--reload", action="store_true", help="restart functions on a change")
    parser.add_argument("--no-model", action="store_true", help="leave the local model out")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the stack until SIGINT, SIGTERM or a closed terminal; return the exit code."""
    log = stdout_log(as_json=args.json)
    try:
        root = find_root(Path.cwd(), CHECKOUT)
        options = StackOptions(
            root=root,
            port=args.port,
            config=_config(args.config, root),
            state=args.state,
            fresh=args.fresh,
            sandboxes=args.sandboxes,
            chaos=args.chaos,
            reload=args.reload,
            model=not args.no_model,
        )
        return asyncio.run(_run(options, log, as_json=args.json))
    except FAULTS as error:
        print(f"forebay dev: {error}", file=sys.stderr)
        return 1


class _AddChaos(argparse.Action):
    """Adds what one more `--chaos` asks for; a wrong one is wrong usage."""

    @override
    def __call__(
        self, parser: Any, namespace: Any, values: Any, option_string: str | None = None
    ) -> None:
        so_far: Chaos = getattr(namespace, self.dest)
        try:
            setattr(namespace, self.dest, so_far.and_also(values or DEFAULT_SEED))
        except ChaosError as error:
            raise argparse.ArgumentError(self, str(error)) from None


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _config(named: Path | None, root: Path) -> Path | None:
    """The file named, which must exist; else the one here; else the project's; else none."""
    if named is not None:
        if not named.is_file():
            raise StackError(f"There is no {named}. Leave out --config to start without one.")
        return named
    found = [path for path in (Path("gateway.toml"), root / "gateway.toml") if path.is_file()]
    return found[0] if found else None


async def _run(options: StackOptions, log: Log, *, as_json: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = asyncio.create_task(_serve(options, log, as_json=as_json))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done():
        serving.cancel()
        await asyncio.wait({serving})
        return 0
    stopping.cancel()
    return await serving


async def _serve(options: StackOptions, log: Log, *, as_json: bool) -> int:
    async with running_stack(options, log) as running:
        (_announce_json if as_json else _announce)(running, log)
        await running.ministack.wait()
        log.source("forebay")("ministack ended by itself; its last lines are above")
    return 1


def _announce_json(running: Running, log: Log) -> None:
    fields = {"url": running.url, "key": running.key, "model": running.model}
    fields["aws_url"] = running.ministack.url
    log.plain(json.dumps({"source": "forebay", "message": f"ready {running.url}"} | fields))


def _announce(running: Running, log: Log) -> None:
    log.plain(f"ready {running.url}")
    key = running.key or "YOUR_KEY"
    message = json.dumps(
        {
            "model": running.model,
            "stream": True,
            "messages": [{"role": "user", "content": "Hello!"}],
        }
    )
    log.plain(f"\nkey     {key}\n")
    log.plain(
        f"curl -N {running.url}/chat/completions -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{message}'\n"
    )
    log.plain(
        f"python -c 'from openai import OpenAI; "
        f'client = OpenAI(base_url="{running.url}", api_key="{key}"); '
        f'[print(part.choices[0].delta.content or "", end="", flush=True) for part in '
        f'client.chat.completions.create(model="{running.model}", stream=True, messages='
        f'[{{"role": "user", "content": "Hello!"}}]) if part.choices]\'\n'
    )
