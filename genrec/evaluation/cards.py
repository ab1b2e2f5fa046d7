"""Judges' cards: measuring judges on gold judgments, keeping the result, and finding it again."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from genrec.errors import RequestError
from genrec.evaluation.agreement import BARS, JudgeCard, agreement
from genrec.evaluation.gold_judgments import Gold
from genrec.evaluation.judges import Judge
from genrec.page import Value

SHIPPED = Path(__file__).parent / "cards.json"
FILE = "judges.json"
"""Cards measured here, in the working directory of genrec (GENREC_HOME)."""


def measure(judge: Judge[Any], gold: Gold, *, bar: float | None = None, split: str = "test") -> JudgeCard | None:
    """Let `judge` judge the gold cases of its criterion and compare; None when there are none.

    Raises:
        LMError: a judge that asks an LM got no usable answer.

    """
    cases = gold.cases(judge.criterion, split)
    if not cases:
        return None
    judged = judge.judge([case.case for case in cases])
    return JudgeCard(
        judge=judge.name,
        criterion=judge.criterion,
        fingerprint=judge.fingerprint,
        gold=f"{gold.fingerprint}/{split}",
        cases=len(cases),
        agreement=agreement([c.grades[judge.criterion] for c in cases], judged, [c.group for c in cases]),
        ceiling=gold.ceiling(judge.criterion),
        bar=BARS[judge.criterion] if bar is None else bar,
    )


class _Cards(Value):
    cards: tuple[JudgeCard, ...]


def read_cards(home: Path | None, bars: Mapping[str, float] = BARS) -> list[JudgeCard]:
    """The cards measured in `home`, then the shipped ones; `bars` replace those they were written with.

    Raises:
        RequestError: a file of cards cannot be read; the message names it.

    """
    found = [card for path in (*([home / FILE] if home else []), SHIPPED) for card in _read(path)]
    return [card.model_copy(update={"bar": bars.get(card.criterion, card.bar)}) for card in found]


def _read(path: Path) -> tuple[JudgeCard, ...]:
    if not path.is_file():
        return ()
    try:
        return _Cards.model_validate_json(path.read_bytes()).cards
    except (OSError, ValidationError) as error:
        raise RequestError(f"{path}: holds no judges' cards; delete it and measure again") from error


def cards_json(cards: Iterable[JudgeCard]) -> str:
    """`cards` as a file of cards holds them."""
    return _Cards(cards=tuple(cards)).model_dump_json(indent=1)


def write_cards(cards: Iterable[JudgeCard], path: Path) -> None:
    """Put `cards` before those at `path`; one of exactly the same judge is replaced.

    Raises:
        RequestError: `path` holds something else, or cannot be written.

    """
    new = list(cards)
    replaced = {(card.criterion, card.fingerprint) for card in new}
    kept = [card for card in _read(path) if (card.criterion, card.fingerprint) not in replaced]
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(cards_json([*new, *kept]), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise RequestError(f"{path}: cards cannot be kept there ({error.strerror}); set GENREC_HOME") from error


def card_of(judge: Judge[Any], cards: Sequence[JudgeCard]) -> JudgeCard | None:
    """The first card of exactly this judge: a card of another fingerprint says nothing about it."""
    return next((c for c in cards if c.criterion == judge.criterion and c.fingerprint == judge.fingerprint), None)
