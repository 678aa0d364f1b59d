"""What is examined, and what earlier checks learnt of it for later ones."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from forebay_cli.checks.caller import Caller, Clock, Exchange, MachineClock
from forebay_cli.checks.finding import NotChecked
from forebay_cli.client import AdminClient


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for.

    Args:
        model: To call; None: `scripted` if there is one, else the first.
        cut_model: One whose answer breaks off; None: not to be checked.
        slow_model: One that falls silent for over 15 s; None: not to be checked.
        deadline_s: Seconds for each call of a check.
    """

    model: str | None = None
    cut_model: str | None = None
    slow_model: str | None = None
    deadline_s: float = 30.0


@dataclass(frozen=True, slots=True)
class TemporaryKey:
    """The key that the examination made for itself."""

    id: str
    secret: str = field(repr=False)


@dataclass(slots=True)
class Deployment:
    """A Forebay under examination.

    Args:
        admin: Its admin API, as an operator calls it.
        caller: Its public API, as an application calls it.
        is_local: Whether it is the local stack, where plain HTTP is right.
        key_name: What the temporary key is called.
        key: That key, once it is made.
        model: Which model to call, once it is chosen.
        answer: The last whole streamed answer.
    """

    admin: AdminClient
    caller: Caller
    clock: Clock
    wanted: Wanted
    is_local: bool
    key_name: str
    key: TemporaryKey | None = None
    model: str | None = None
    answer: Exchange | None = None

    def require_key(self) -> TemporaryKey:
        """Give the key.

        Raises:
            NotChecked: There is none.
        """
        if self.key is None:
            raise NotChecked("needs a key, and none could be made (see `key`)")
        return self.key

    def require_model(self) -> str:
        """Give the model to call.

        Raises:
            NotChecked: There is none.
        """
        if self.model is None:
            raise NotChecked("needs a model, and there is none to call (see `key`)")
        return self.model


def deployment_of(admin: AdminClient, wanted: Wanted) -> Deployment:
    """Make what is examined; close its `caller` after use."""
    # Where the admin API is, the public one is too.
    base_url, is_local = admin._base_url, admin._is_local  # noqa: SLF001 - nobody else needs them
    clock = MachineClock()
    return Deployment(
        admin=admin,
        caller=Caller(base_url, deadline_s=wanted.deadline_s, trust_env=not is_local, clock=clock),
        clock=clock,
        wanted=wanted,
        is_local=is_local,
        # Nobody else's, so that it can be revoked by its name if its id was never told.
        key_name=f"doctor-{secrets.token_hex(4)}",
    )
