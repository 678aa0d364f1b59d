"""`forebay doctor`: does a deployment do what no emulator can prove?"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from forebay_cli.connection import add_options, connect
from forebay_cli.output import CommandFailed, print_json

if TYPE_CHECKING:
    from forebay_cli.checks.finding import Finding

DEADLINE_S = 30.0
"""Seconds that each call may take, unless the operator says otherwise."""

LABELS = {"ok": "ok", "failed": "FAILED", "not_checked": "not checked"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor`."""
    parser = commands.add_parser(
        "doctor",
        help="check a deployment",
        description="Check what only a call to the real deployment can tell. Makes a temporary "
        "key, calls a model once, and revokes the key at the end.",
    )
    parser.add_argument(
        "--model", help="model to call (default: scripted if there, else the first)"
    )
    parser.add_argument("--cut-model", metavar="MODEL", help="one whose answers break off")
    parser.add_argument("--slow-model", metavar="MODEL", help="one that is silent for over 15 s")
    parser.add_argument(
        "--deadline",
        type=_seconds,
        default=DEADLINE_S,
        metavar="SECONDS",
        help=f"for each call (default: {DEADLINE_S:g})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Examine a deployment; 1 if a check failed."""
    # httpx2 and botocore are behind these.
    from forebay_cli.checks.deployment import Wanted, deployment_of  # noqa: PLC0415 - heavy
    from forebay_cli.checks.examination import REVOCATION, examine  # noqa: PLC0415 - heavy

    wanted = Wanted(args.model, args.cut_model, args.slow_model, args.deadline)
    findings: dict[str, Finding] = {}

    def tell(name: str, finding: Finding) -> None:
        findings[name] = finding
        if not args.json:
            print(f"{LABELS[finding.outcome]:<12} {name:<18} {finding.detail}", flush=True)

    with connect(args) as admin:
        deployment = deployment_of(admin, wanted)
        with deployment.caller:
            try:
                examine(deployment, tell)
            except KeyboardInterrupt as interrupt:
                key = findings.get(REVOCATION)
                left = key.detail if key else f"revoke the key {deployment.key_name} yourself"
                raise CommandFailed(f"Interrupted; {left}.") from interrupt
    return _conclude(findings, as_json=args.json)


def _conclude(findings: dict[str, Finding], *, as_json: bool) -> int:
    outcomes: list[str] = [finding.outcome for finding in findings.values()]
    failed = outcomes.count("failed")
    if as_json:
        checks = [
            {
                "name": name,
                "outcome": finding.outcome,
                "detail": finding.detail,
                "figures": finding.figures,
            }
            for name, finding in findings.items()
        ]
        print_json({"checks": checks, "ok": not failed})
    else:
        counts = (f"{outcomes.count(outcome)} {label}" for outcome, label in LABELS.items())
        print(f"\n{', '.join(counts)}. What each means: docs/reference/doctor.md")
    return 1 if failed else 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= 900:
        raise argparse.ArgumentTypeError(f"expected seconds from 1 to 900, not {text!r}")
    return seconds
