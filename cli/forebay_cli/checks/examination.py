"""The checks in their order, with a temporary key around them."""

from __future__ import annotations

from collections.abc import Callable

from forebay_cli.checks.access import check_admin, check_bad_keys, check_key, revoke_key
from forebay_cli.checks.budget import check_budget
from forebay_cli.checks.deployment import Deployment
from forebay_cli.checks.finding import CheckFailed, Finding, NotChecked, Outcome, one_line
from forebay_cli.checks.front import (
    check_body_limits,
    check_gateway_responses,
    check_headers,
    check_reachable,
)
from forebay_cli.checks.streams import (
    check_broken_stream,
    check_keep_alive,
    check_settlement,
    check_streaming,
)
from forebay_cli.output import CommandFailed

Check = Callable[[Deployment], Finding]
Tell = Callable[[str, Finding], None]


CHECKS: dict[str, Check] = {
    "reachable": check_reachable,
    "key": check_key,
    "streaming": check_streaming,
    # Next to it: the lag is measured from the stream's last byte.
    "settlement": check_settlement,
    "broken-stream": check_broken_stream,
    "keep-alive": check_keep_alive,
    "body-limits": check_body_limits,
    "headers": check_headers,
    "bad-keys": check_bad_keys,
    "admin": check_admin,
    "gateway-responses": check_gateway_responses,
    "budget": check_budget,
}
REVOCATION = "revocation"
"""The last one, whatever happened."""


def examine(deployment: Deployment, tell: Tell) -> None:
    """Carry out all checks, and tell each finding as it is there.

    The key is revoked at the end, also when `tell` raises or Ctrl-C comes.
    """
    try:
        for name, check in CHECKS.items():
            tell(name, _carry_out(check, deployment))
    finally:
        tell(REVOCATION, _carry_out(revoke_key, deployment))


def _carry_out(check: Check, deployment: Deployment) -> Finding:
    try:
        return check(deployment)
    except NotChecked as reason:
        return Finding(Outcome.NOT_CHECKED, one_line(str(reason)), {})
    except CheckFailed as fault:
        return Finding(Outcome.FAILED, one_line(str(fault)), fault.figures)
    except CommandFailed as fault:  # the admin API refused, or did not answer
        return Finding(Outcome.FAILED, one_line(str(fault)), {})
