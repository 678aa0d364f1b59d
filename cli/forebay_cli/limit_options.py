"""The options that say what a key, a team, a tenant or the account may do.

They stand here and nowhere else, each beside the field of the admin API that it fills: taking a row
out of these tables takes the option off the command line.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BUDGET_OPTIONS = ("period", "zone", "soft_limit")
"""What belongs to `--budget-usd` and means nothing without it."""


@dataclass(frozen=True, slots=True)
class LimitOption:
    """An option, and the field of the admin API that it fills as it is."""

    flag: str
    field: str
    help: str
    read: Callable[[str], Any] = str
    choices: Sequence[str] | None = None
    metavar: str | None = None
    repeatable: bool = False

    @property
    def name(self) -> str:
        """What `--clear` calls it: the flag without its dashes."""
        return self.flag.removeprefix("--")

    @property
    def dest(self) -> str:
        """Where argparse puts it."""
        return self.name.replace("-", "_")


def _model_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected names with commas between, not {text!r}")
    return names


SCOPE_OPTIONS = (
    LimitOption("--rpm", "requests_per_minute", "requests a minute", int, metavar="N"),
    LimitOption("--tpm", "tokens_per_minute", "tokens a minute, in and out", int, metavar="N"),
    LimitOption("--parallel", "parallel", "calls in flight", int, metavar="N"),
)
"""Of keys, teams, tenants and the account, beside the budget."""

KEY_OPTIONS = (
    *SCOPE_OPTIONS,
    LimitOption("--models", "models", "models it may call", _model_names, metavar="A,B"),
    LimitOption(
        "--cidr",
        "cidrs",
        "network it may be used from, such as 203.0.113.0/24; may be repeated",
        repeatable=True,
    ),
    LimitOption(
        "--expires",
        "expires_at",
        "refused from then on: 2026-12-31 (UTC), or 2026-12-31T18:00:00+01:00",
        metavar="WHEN",
    ),
    LimitOption(
        "--priority",
        "priority",
        "class of requests that name none (kept; has no effect yet)",
        choices=("interactive", "standard", "batch"),
    ),
    LimitOption(
        "--default-output-limit",
        "default_output_limit",
        "tokens of an answer whose request sets no limit",
        int,
        metavar="N",
    ),
    LimitOption(
        "--unbounded-hold-usd",
        "unbounded_hold_usd",
        "dollars to hold for a request whose cost has no bound",
        metavar="USD",
    ),
    LimitOption(
        "--hold", "hold", "how input is bounded beforehand", choices=("calibrated", "proven")
    ),
    LimitOption(
        "--on-store-failure",
        "on_store_failure",
        "what happens while limits cannot be checked",
        choices=("refuse", "serve"),
    ),
)
"""Of keys, beside the budget."""


def add_limit_options(
    parser: argparse.ArgumentParser, options: Sequence[LimitOption], *, may_clear: bool
) -> None:
    """Add these and those of a budget; with `may_clear` also `--clear`, which takes limits away."""
    group = parser.add_argument_group("limits")
    group.add_argument("--budget-usd", metavar="USD", help="dollars to spend in each period")
    group.add_argument(
        "--period", choices=("day", "month", "total"), help="of the budget (default: month)"
    )
    group.add_argument("--zone", help="time zone of the period, Europe/Berlin (default: UTC)")
    group.add_argument(
        "--soft-limit", type=float, metavar="SHARE", help="warn from this share on, such as 0.8"
    )
    for option in options:
        kind: dict[str, Any] = (
            {"choices": option.choices}
            if option.choices
            else {"type": option.read, "metavar": option.metavar}
        )
        if option.repeatable:
            kind["action"] = "append"
        group.add_argument(option.flag, help=option.help, **kind)
    if may_clear:
        names = ("budget", *(option.name for option in options))
        group.add_argument(
            "--clear", type=_names_of(names), metavar="A,B", help=f"take away: {', '.join(names)}"
        )
    parser.set_defaults(wrong_usage=parser.error, clear=None)


def asked_limits(args: argparse.Namespace, options: Sequence[LimitOption]) -> dict[str, Any]:
    """Return the fields that a command line gives, as the admin API has them."""
    asked = _budget(args)
    for option in options:
        value = getattr(args, option.dest)
        if value is not None:
            asked[option.field] = value
    fields = {"budget": "budgets", **{option.name: option.field for option in options}}
    for name in args.clear or ():
        if fields[name] in asked:
            args.wrong_usage(f"argument --clear: {name} is given as well")
        asked[fields[name]] = None
    return asked


def described_limits(shown: Mapping[str, Any]) -> str:
    """Say in a few words what a key or scope has for limits; `-` if none."""
    budgets = (
        f"{budget['usd']} USD {_PERIODS[budget['period']]}"
        + ("" if budget["zone"] == "UTC" else f" ({budget['zone']})")
        for budget in shown["budgets"]
    )
    counted = (
        f"{shown[option.field]} {option.name}"
        for option in SCOPE_OPTIONS
        if shown[option.field] is not None
    )
    return ", ".join([*budgets, *counted]) or "-"


_PERIODS = {"day": "a day", "month": "a month", "total": "in all"}


def _budget(args: argparse.Namespace) -> dict[str, Any]:
    details = {
        name: getattr(args, name) for name in BUDGET_OPTIONS if getattr(args, name) is not None
    }
    if args.budget_usd is None:
        for name in details:
            args.wrong_usage(f"argument --{name.replace('_', '-')}: needs --budget-usd")
        return {}
    return {"budgets": [{"usd": args.budget_usd, **details}]}


def _names_of(names: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        found = [name.strip() for name in text.split(",")]
        for name in found:
            if name not in names:
                raise argparse.ArgumentTypeError(f"no limit {name!r}; there are {', '.join(names)}")
        return found

    return read
