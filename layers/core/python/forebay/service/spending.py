"""What a request may cost: taken before it runs, more before each further attempt, settled after.

A key without limits passes at no cost: nothing is bounded, written or settled for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from forebay.admission.bound import Bound, BoundTarget, second_try
from forebay.dialects.question import Question
from forebay.dialects.service_tiers import chat_tiers, messages_tiers
from forebay.errors import BudgetSpent, StoreError
from forebay.model import Demand, KeyRecord, LedgerRow
from forebay.ports import Telemetry
from forebay.service.account import Account, Call
from forebay.service.admission import Admission
from forebay.service.bounding import Bounding
from forebay.service.catalog import Target
from forebay.service.grants import AdmissionRequest, Grant, RateLeft
from forebay.service.leaves import is_limited
from forebay.telemetry import REQUEST_ID

TiersAt = Callable[[Target], frozenset[str]]

SEAM_TOKENS = 512
"""What asking for the rest of an answer takes beside the question and the answer so far."""


@dataclass(slots=True)
class Permit:
    """What one request may cost. Ends in one `settle`."""

    spending: Spending
    key: KeyRecord
    grant: Grant
    demand: Demand
    bound: Bound
    tiers: TiersAt

    @property
    def output_limit(self) -> int | None:
        """The limit of an answer that must be sent with the request, which has none; else None."""
        return self.bound.output_limit if self.bound.limit_is_ours else None

    @property
    def headers(self) -> dict[str, str]:
        """What the caller is told: the rates, as OpenAI names them, and a limit that is ours."""
        fields: dict[str, str] = {}
        for name, left in (("requests", self.grant.requests), ("tokens", self.grant.tokens)):
            if left is not None:
                fields |= _rate_headers(name, left)
        if self.output_limit is not None:
            fields["x-forebay-output-limit"] = str(self.output_limit)
        return fields

    async def covers(self, target: Target, account: Account) -> bool:
        """Hold what an attempt at a target may cost on top of those before it.

        Returns:
            False if there is no room: the attempt may not be made.

        Raises:
            StoreUnavailable: It is not known.
        """
        if self.grant.taken is None or not account.attempts:
            return True
        needed = await self._worst_case(target, resumed=account.began)
        for attempt in account.attempts:
            if attempt.result is None:  # a hedge runs beside it
                needed += await self._worst_case(attempt.target, resumed=False)
            needed += attempt.cost_nano_usd
        more = needed - self.grant.held_nano_usd
        if more <= 0:
            return True
        grant = await self.spending.admission.top_up(self.grant, more)
        self.grant = grant or self.grant
        return grant is not None

    async def settle(self, row: LedgerRow) -> None:
        """End it: the row's cost stays, the rest is given back. Never raises.

        Args:
            row: As it is stored.
        """
        usage = row.usage
        tokens = usage.input_tokens + usage.output_tokens
        if row.cost_nano_usd > self.grant.held_nano_usd and self.grant.taken is not None:
            self.spending.tell("hold_exceeded", "It cost more than was held for it.", row)
        try:
            await self.spending.admission.settle(self.grant, row.cost_nano_usd, tokens)
        except StoreError as error:
            # Its hold stays until it expires; then the sweep settles it for what the row says.
            self.spending.tell("hold_not_settled", error.message, row)

    async def release(self) -> None:
        """End it at no cost: nothing was sent. Never raises."""
        try:
            await self.spending.admission.settle(self.grant, 0, 0)
        except StoreError as error:
            self.spending.telemetry.incident(
                "hold_not_settled", error.message, **{REQUEST_ID: self.grant.request_id}
            )

    async def _worst_case(self, target: Target, *, resumed: bool) -> int:
        """What an attempt can cost.

        The answer so far is input of one that is resumed: no dearer than the output it was held as.
        """
        demand = self.demand
        if resumed:
            demand = replace(demand, token_ids=demand.token_ids + SEAM_TOKENS)
        bound = await self.spending.bound(self.key, demand, [_bound_target(target, self.tiers)])
        return int(bound.nano_usd)


@dataclass(frozen=True, slots=True)
class Spending:
    """Lets requests in, as far as their keys' limits allow."""

    admission: Admission
    bounding: Bounding
    telemetry: Telemetry

    async def admit(
        self,
        call: Call,
        demanded: Callable[[], Demand],
        targets: Sequence[Target],
        tiers: TiersAt = lambda _: frozenset(),
    ) -> Permit | None:
        """Take what the first attempt may cost; None: the key has no limits.

        If the money does not suffice and the request sets no limit of its own, it is admitted with
        a lower one that half of what is left pays for, unless that would be too short.

        Args:
            call: Who asks.
            demanded: Tells what is asked.
            targets: Those that may be asked first.
            tiers: Says at which tiers a target may answer beside the ordinary one.

        Raises:
            CostNotBounded: See `Bounding.worst_case`.
            BudgetSpent: See `Admission.admit`, which raises more.
        """
        if not is_limited(call.key.policy):
            return None
        demand = demanded()
        bounded = [_bound_target(target, tiers) for target in targets]
        bound = await self.bound(call.key, demand, bounded)
        try:
            grant = await self._take(call, bound)
        except BudgetSpent as spent:
            shorter = second_try(bound, demand, bounded, spent.left_nano_usd)
            if shorter is None:
                raise
            bound, grant = shorter, await self._take(call, shorter)
        return Permit(self, call.key, grant, demand, bound, tiers)

    async def bound(self, key: KeyRecord, demand: Demand, targets: Sequence[BoundTarget]) -> Bound:
        """Return the most that one attempt can take for this key; see `Bounding.worst_case`."""
        has_budget = bool(key.policy.budgets)
        return await self.bounding.worst_case(demand, targets, key.policy, has_budget=has_budget)

    def tell(self, code: str, message: str, row: LedgerRow) -> None:
        """Note what an operator should know of a request's money."""
        self.telemetry.incident(code, message, **{REQUEST_ID: row.request_id})

    async def _take(self, call: Call, bound: Bound) -> Grant:
        hold = bound.nano_usd if call.key.policy.budgets else 0
        return await self.admission.admit(
            AdmissionRequest(call.key, call.request_id, hold, bound.tokens, call.ends_at)
        )


def tiers_at(asked: Question, target: Target) -> frozenset[str]:
    """Return the tiers of service that a request may be answered at beside the ordinary one."""
    dialect, priced = target.dialect, target.price.tiers
    if asked.messages is not None and dialect.speaks_messages:
        return messages_tiers(asked.messages.fields, priced)
    request = asked.chat or asked.completion
    if request is not None and dialect.speaks_chat:
        return chat_tiers(request.fields, priced)
    return frozenset()


def _bound_target(target: Target, tiers: TiersAt) -> BoundTarget:
    return BoundTarget(target.kind, target.model, target.price, tiers=tiers(target))


def _rate_headers(name: str, left: RateLeft) -> Mapping[str, str]:
    return {
        f"x-ratelimit-limit-{name}": str(left.limit),
        f"x-ratelimit-remaining-{name}": str(left.remaining),
        f"x-ratelimit-reset-{name}": f"{left.reset_s:.3f}s",
    }
