"""Spends more than there is, on purpose, and is stopped.

In one terminal:

    forebay dev --no-model --config docs/guide/examples/5_cost.toml

In another, with a key that may spend a cent:

    forebay keys create --name spender --budget-usd 0.01 --period day
    FOREBAY_KEY=fb-… python docs/guide/examples/5_cost.py
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from openai import OpenAI, RateLimitError

BUDGET_USD = Decimal("0.01")
AT_ONCE = 40
ONE_BY_ONE = 20
MAX_TOKENS = 100
"""More than an answer has: what is held for it is more than what it costs."""


def ask(client: OpenAI) -> Decimal | RateLimitError:
    """Ask a question; return what the answer cost, or how it was refused."""
    try:
        answer = client.chat.completions.with_raw_response.create(
            model="priced",
            messages=[{"role": "user", "content": "Tell me of the mill."}],
            max_tokens=MAX_TOKENS,
        )
    except RateLimitError as refused:
        return refused
    return Decimal(answer.headers["x-forebay-cost-usd"])


def main() -> None:
    """Ask for more than the budget pays for: at once, and then one by one."""
    url = os.environ.get("FOREBAY_URL", "http://127.0.0.1:8080/v1")
    with (
        OpenAI(base_url=url, api_key=os.environ["FOREBAY_KEY"], max_retries=0) as client,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        rounds = {
            "at once": list(threads.map(ask, [client] * AT_ONCE)),
            "one by one": [ask(client) for _ in range(ONE_BY_ONE)],
        }
    print(f"{'asked':<12}{'times':>6}{'answered':>10}{'refused':>9}{'USD':>14}")
    for name, ended in rounds.items():
        costs = [end for end in ended if isinstance(end, Decimal)]
        refused = len(ended) - len(costs)
        print(f"{name:<12}{len(ended):>6}{len(costs):>10}{refused:>9}{sum(costs):>14f}")
    ends = [end for ended in rounds.values() for end in ended]
    spent = sum((end for end in ends if isinstance(end, Decimal)), Decimal(0))
    codes = {str(end.code) for end in ends if isinstance(end, RateLimitError)}
    kept = "kept" if spent <= BUDGET_USD else "BROKEN"
    print(f"spent {spent:f} of {BUDGET_USD} USD: the budget was {kept}")
    print(f"refused as: {', '.join(sorted(codes))}")


if __name__ == "__main__":
    main()
