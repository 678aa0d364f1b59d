"""Which Forebay a command talks to: the options that say so, and the client they make.

This module is imported to build the parser, so it imports nothing heavy; `forebay_cli.client`
(httpx2 and botocore, 0.7 s) comes in when a command needs it.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from forebay_cli.client import AdminClient

DEFAULT_URL = "http://127.0.0.1:8080"
"""Where `forebay dev` serves."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--url` and `--stack`.

    They stand on the program and on each command, so both orders work; a default on the command
    would overwrite what was given before it, hence `SUPPRESS`.
    """
    group = parser.add_argument_group("which Forebay")
    group.add_argument(
        "--url",
        type=_base_url,
        default=argparse.SUPPRESS,
        help=f"base URL, with or without /v1 (default: {DEFAULT_URL}, the local stack)",
    )
    group.add_argument(
        "--stack",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help="a deployed CloudFormation stack, found with your AWS credentials and region",
    )


def check_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse both options together: argparse sees only those at one place of the line."""
    if hasattr(args, "url") and hasattr(args, "stack"):
        parser.error("argument --stack: not allowed with argument --url")


def connect(args: argparse.Namespace) -> AdminClient:
    """Make the client that the options ask for; close it after use.

    Raises:
        CommandFailed: Credentials, region or stack are not found.
    """
    from forebay_cli import client  # noqa: PLC0415 - heavy: --help and wrong usage need none of it

    if hasattr(args, "stack"):
        return client.for_stack(args.stack)
    return client.for_url(getattr(args, "url", DEFAULT_URL))


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"expected https://HOST or https://HOST/v1, not {text!r}")
    return text
