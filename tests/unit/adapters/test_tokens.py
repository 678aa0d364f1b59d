"""Counting tokens where no provider did."""

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import tiktoken

from forebay.adapters.tokens import _VOCABULARIES, BYTES_PER_TOKEN, EXACT_BYTES, TiktokenCounter
from forebay.model import LedgerRow

VOCABULARIES = Path(__file__).parents[3] / "layers" / "numerics" / "tiktoken"
MODEL = "gpt-5-mini"


@dataclass
class Incidents:
    """Remembers what it was told."""

    seen: list[tuple[str, dict[str, str | float | None]]] = field(default_factory=list)

    def request_ended(self, row: LedgerRow) -> None:
        raise AssertionError(row)

    def incident(self, code: str, message: str, **fields: str | float | None) -> None:
        assert message
        self.seen.append((code, fields))


@pytest.fixture(scope="module")
def counter() -> TiktokenCounter:
    return TiktokenCounter(str(VOCABULARIES), Incidents())


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiktoken itself find the vocabularies, to compare with."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(VOCABULARIES))


def count(counter: TiktokenCounter, text: str, model: str = MODEL) -> int:
    async def main() -> int:
        return await counter.count(text, model=model)

    return asyncio.run(main())


TEXTS = {
    "words": "Forebay streams answers, and pays for each exactly once. It's 2026!\r\n\n  end",
    "languages": "Ein Schlüssel: 网关 ゲートウェイ шлюз 😀",
    "marker": "<|endoftext|> is plain text here, as is <|endofprompt|>",
    "half a surrogate pair": "\ud83d broken",
    "code": "def f(x):\n\treturn {'a': [1, 22, 333, 4444]}\n" * 20,
    "on a thread": "The quick brown fox. " * 1000,
}


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize(
    ("model", "vocabulary"),
    [
        ("gpt-5-mini", "o200k_base"),
        ("gpt-4o", "o200k_base"),
        ("gpt-oss-20b", "o200k_base"),
        ("llama-3.1-8b", "o200k_base"),
        ("", "o200k_base"),
        ("davinci", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
    ],
)
def test_texts_are_counted_as_tiktoken_does(
    counter: TiktokenCounter, text: str, model: str, vocabulary: str
) -> None:
    expected = len(tiktoken.get_encoding(vocabulary).encode(text, disallowed_special=()))
    assert count(counter, text, model) == expected


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("name", _VOCABULARIES)
def test_texts_are_cut_as_tiktoken_does(name: str) -> None:
    assert _VOCABULARIES[name].pattern == tiktoken.get_encoding(name)._pat_str


def test_an_empty_text_has_no_tokens(counter: TiktokenCounter) -> None:
    assert count(counter, "") == 0


LONG = {
    "prose": "The quick brown fox jumps over the lazy dog, again and again. " * 3000,
    "one letter": "a" * 300_000,
    "prose, then digits": "Some words in a row. " * 8000 + "0123456789abcdef" * 8000,
    "chinese": "网关把应用程序的请求转发给任何模型提供商。" * 3000,
}


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_long_texts_are_estimated_within_a_quarter(counter: TiktokenCounter, text: str) -> None:
    assert len(text.encode()) > EXACT_BYTES
    exact = len(tiktoken.get_encoding("o200k_base").encode_ordinary(text))
    assert count(counter, text) == pytest.approx(exact, rel=0.25)


def test_without_a_folder_bytes_are_counted_and_it_is_said_once() -> None:
    incidents = Incidents()
    counter = TiktokenCounter(None, incidents)
    assert count(counter, "x" * 400) == 400 / BYTES_PER_TOKEN
    assert count(counter, "x") == 1
    assert [code for code, _ in incidents.seen] == ["vocabulary_missing"]


def test_a_missing_vocabulary_is_not_fetched(tmp_path: Path) -> None:
    incidents = Incidents()
    assert count(TiktokenCounter(str(tmp_path), incidents), "four") == 1
    assert incidents.seen[0][1]["vocabulary"] == "o200k_base"
    assert not list(tmp_path.iterdir())


def test_a_damaged_vocabulary_is_neither_used_nor_replaced(tmp_path: Path) -> None:
    file = _VOCABULARIES["cl100k_base"].file
    shutil.copy(VOCABULARIES / file, tmp_path)
    with (tmp_path / file).open("ab") as vocabulary:
        vocabulary.write(b"x")
    damaged = (tmp_path / file).read_bytes()
    incidents = Incidents()
    assert count(TiktokenCounter(str(tmp_path), incidents), "x" * 40, "gpt-4") == 10
    assert incidents.seen[0][1]["reason"] == f"{file} is damaged"
    assert (tmp_path / file).read_bytes() == damaged


def test_callers_at_once_share_one_loading() -> None:
    incidents = Incidents()
    counter = TiktokenCounter(None, incidents)

    async def main() -> list[int]:
        return await asyncio.gather(*(counter.count("x" * 8, model=MODEL) for _ in range(20)))

    assert asyncio.run(main()) == [2] * 20
    assert len(incidents.seen) == 1
