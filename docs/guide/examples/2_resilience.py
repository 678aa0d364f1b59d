"""Whole answers from a provider that breaks off every stream.

In one terminal:

    forebay dev --no-model --config docs/guide/examples/2_resilience.toml

In another, with the key that it prints:

    FOREBAY_KEY=fb-… python docs/guide/examples/2_resilience.py
"""

from __future__ import annotations

import os
from collections import Counter

from openai import APIError, OpenAI

QUESTIONS = 10


def ask(client: OpenAI, model: str) -> tuple[str, str, str]:
    """Ask for a stream; return who began it, its text, and how it ended."""
    text, end = "", "without a word of it"
    with client.chat.completions.with_streaming_response.create(
        model=model, messages=[{"role": "user", "content": "Tell me of the mill."}], stream=True
    ) as reply:
        began = reply.headers["x-forebay-target"]
        try:
            for chunk in reply.parse():
                text += chunk.choices[0].delta.content or ""
                end = chunk.choices[0].finish_reason or end
        except APIError as error:  # a broken answer never ends like a whole one
            end = f"error: {error.message}"
    return began, text, end


def main() -> None:
    """Ask each model, and say how many of its answers were whole."""
    url = os.environ.get("FOREBAY_URL", "http://127.0.0.1:8080/v1")
    with OpenAI(base_url=url, api_key=os.environ["FOREBAY_KEY"], max_retries=0) as client:
        _, expected, _ = ask(client, "healthy")
        print(f"{'model':<12}{'asked':>6}{'whole':>6}{'errors':>8}  begun by")
        for model in ("resilient", "alone"):
            answers = [ask(client, model) for _ in range(QUESTIONS)]
            whole = sum(text == expected and end == "stop" for _, text, end in answers)
            errors = sum(end.startswith("error") for _, _, end in answers)
            begun = Counter(began for began, _, _ in answers)
            by = ", ".join(f"{target} {times}" for target, times in sorted(begun.items()))
            print(f"{model:<12}{QUESTIONS:>6}{whole:>6}{errors:>8}  {by}")


if __name__ == "__main__":
    main()
