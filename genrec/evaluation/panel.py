"""Several judges as one: what they say of a page at every level, and the one number made of it.

Only judges that have earned their bar decide, unless told otherwise; the others are heard and reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from genrec.evaluation.agreement import JudgeCard
from genrec.evaluation.cards import card_of
from genrec.evaluation.judges import CRITERIA, GOOD, GuardrailCase, Judge, Judgment, PageCase, item_cases, section_cases

LEVEL_WEIGHTS: Mapping[str, float] = {"item": 0.35, "section": 0.2, "page": 0.2, "guardrail": 0.25}
"""What a level counts in the total; one that nobody decides gives its share to the others."""


@dataclass(frozen=True)
class SectionVerdict:
    """What the judges say of one section."""

    score: float | None
    """Mean of its item and section scores; an item that the catalog does not have scores 0, and so does no item."""
    reasons: tuple[str, ...]
    """The judges' reasons, the worst score first."""


@dataclass(frozen=True)
class PageVerdict:
    """What the judges say of one page."""

    scores: Mapping[str, float | None]
    """In [0, 1] by criterion, means over the page's parts; None where the question does not apply."""
    total: float | None
    """Weighted mean over the levels (LEVEL_WEIGHTS) of means over their deciding criteria; None if nobody decides."""
    sections: tuple[SectionVerdict, ...]
    reason: str
    """The reason that a page judge gives with its lowest score."""


class Panel:
    """One judge a criterion, and the cards that say which of them may decide."""

    def __init__(self, judges: Mapping[str, Judge[Any]], cards: Sequence[JudgeCard], *, unproven: bool = False) -> None:
        """`unproven` lets judges decide that are under their bar or were never measured."""
        self._judges = {criterion: judges[criterion] for criterion in CRITERIA if criterion in judges}
        self.cards: dict[str, JudgeCard | None] = {c: card_of(judge, cards) for c, judge in self._judges.items()}
        self.deciding = tuple(c for c, card in self.cards.items() if unproven or (card is not None and card.earned))

    @property
    def criteria(self) -> tuple[str, ...]:
        """All that are asked, deciding or advisory."""
        return tuple(self._judges)

    @property
    def fingerprint(self) -> str:
        """Names the judges."""
        return "+".join(sorted({judge.fingerprint for judge in self._judges.values()}))

    def judge(self, case: PageCase) -> PageVerdict:
        """Ask every judge about the page and its parts. An empty page scores 0 in all that is asked of it."""
        sections = section_cases(case)
        rows = item_cases(case)
        said: dict[str, list[Judgment]] = {}
        for criterion, judge in self._judges.items():
            level = CRITERIA[criterion]
            cases: list[Any]
            if level == "item":
                cases = [one for row in rows for one in row]
            elif level == "section":
                cases = list(sections)
            elif level == "guardrail":
                cases = [GuardrailCase(case.request, c.theme.title, item) for c in sections for item in c.items]
            else:
                cases = [case] if case.request.objectives or criterion != "page.coverage" else []
            said[criterion] = judge.judge(cases)
        places = [n for n, row in enumerate(rows) for _ in row]
        shown = [len(section.items) for section in case.page.sections]
        scores = {c: self._mean(c, judgments, places, shown) for c, judgments in said.items()}
        if not case.page.sections:
            scores = {c: None if c == "page.coverage" and not case.request.objectives else 0.0 for c in scores}
        return PageVerdict(
            scores,
            self._total(scores),
            tuple(self._section(n, said, places, shown[n]) for n in range(len(rows))),
            self._reason(said),
        )

    def _mean(
        self, criterion: str, judgments: Sequence[Judgment], places: Sequence[int], shown: Sequence[int]
    ) -> float | None:
        """Mean score; of items the mean over sections of the section's mean, so that a long section counts once."""
        if CRITERIA[criterion] != "item":
            return fmean(j.score for j in judgments) if judgments else None
        by_section = [[j.score for j, p in zip(judgments, places, strict=True) if p == n] for n in range(len(shown))]
        return fmean(map(_share, by_section, shown)) if shown else None

    def _total(self, scores: Mapping[str, float | None]) -> float | None:
        levels: dict[str, list[float]] = {}
        for criterion in self.deciding:
            value = scores.get(criterion)
            if value is not None:
                levels.setdefault(CRITERIA[criterion], []).append(value)
        weight = sum(LEVEL_WEIGHTS[level] for level in levels)
        return (
            sum(LEVEL_WEIGHTS[level] * fmean(values) for level, values in levels.items()) / weight if weight else None
        )

    def _section(
        self, number: int, said: Mapping[str, Sequence[Judgment]], places: Sequence[int], shown: int
    ) -> SectionVerdict:
        item = [j for j, p in zip(said.get("item.relevance", ()), places, strict=False) if p == number]
        own = [(c, said[c][number]) for c in said if CRITERIA[c] == "section" and number < len(said[c])]
        denied = [j for j, p in zip(said.get("guardrail.allowed", ()), places, strict=False) if p == number]
        values = [_share([j.score for j in item], shown)] if "item.relevance" in said else []
        values += [fmean(j.score for _, j in own)] if own else []
        weak = sorted((j.score, f"{c.split('.')[1]}: {j.reason}") for c, j in own if j.grade < GOOD and j.reason)
        strays = sum(j.grade < GOOD for j in item)
        reasons = [f"not to be shown: {j.reason}" for j in denied if j.grade < GOOD and j.reason]
        reasons += [f"relevance: {strays} of {len(item)} items do not belong"] if 3 * strays >= len(item) > 0 else []
        return SectionVerdict(fmean(values) if values else None, tuple([*reasons, *(text for _, text in weak)]))

    def _reason(self, said: Mapping[str, Sequence[Judgment]]) -> str:
        about = [
            (j.score, f"{c.split('.')[1]}: {j.reason}")
            for c in said
            if CRITERIA[c] == "page"
            for j in said[c]
            if j.reason
        ]
        return min(about)[1] if about else ""


def _share(scores: Sequence[float], shown: int) -> float:
    """Mean score of the items shown; those without a score, that the catalog does not have, earn nothing."""
    return sum(scores) / shown if shown else 0.0
