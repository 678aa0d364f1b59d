"""The program `forebay`: reads the command line and hands over to a command.

Each command is a module: `add_parser` registers its parser, whose default `run` carries it out
and may return an exit status. argparse does, with no dependency: so few commands need no
framework.

Exit status: 0 done, 1 refused or failed (one line on stderr says why), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import sys
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from forebay_cli.connection import add_options, check_options
from forebay_cli.output import CommandFailed

COMMANDS = ("alarms", "audit", "budgets", "cost", "dev", "doctor", "keys", "usage")
"""Modules of this package, in the order of `--help`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status; None: what the shell gave."""
    words = sys.argv[1:] if argv is None else argv
    parser = build_parser(words)
    args = parser.parse_args(words)
    check_options(parser, args)
    try:
        status: int | None = args.run(args)
    except CommandFailed as failure:
        print(f"forebay: {failure}", file=sys.stderr)
        return 1
    return status or 0


def build_parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Make the parser.

    Args:
        words: The command line. Only the commands that it names are imported, so that `keys` does
            not wait for what `dev` needs (0.5 s); if it names none, all are, for `--help`.
    """
    parser = argparse.ArgumentParser(
        prog="forebay", description="Runs and administers Forebay, a serverless LLM gateway."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    add_options(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in [name for name in COMMANDS if name in words] or COMMANDS:
        importlib.import_module(f"forebay_cli.{name}").add_parser(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when asked: argparse's own action would at each start."""

    @override
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"forebay {importlib.metadata.version('forebay')}")
        parser.exit()
