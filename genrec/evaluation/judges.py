"""What a judge is: one criterion, one question, a score with a reason. Who answers: learned.py and lm_judges.py.

How far a judge may be trusted is not said here but measured: see agreement.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

from genrec.catalog.items import Item
from genrec.page import Page, PageRequest, Theme

Level = Literal["item", "section", "page", "guardrail"]

CRITERIA: Mapping[str, Level] = {
    "item.relevance": "item",
    "section.appeal": "section",
    "section.clarity": "section",
    "section.specificity": "section",
    "section.fit": "section",
    "page.cohesion": "page",
    "page.diversity": "page",
    "page.coverage": "page",
    "page.fit": "page",
    "guardrail.allowed": "guardrail",
}
"""Criterion to the level of the page that it is asked of. The rubrics are in gold/README.md."""

GRADES = 3
"""The highest grade; the lowest is 0. Of a guardrail only 0 (deny) and 3 (allow) are given."""
GOOD = 2
"""The grade from which a case counts as good: relevant, appealing, allowed."""


@dataclass(frozen=True)
class ItemCase:
    """Question: does this item belong in a section with this theme."""

    theme: Theme
    item: Item


@dataclass(frozen=True)
class SectionCase:
    """Questions about a section's title for this shopper. `items` may be empty: then the theme's concepts speak."""

    request: PageRequest
    theme: Theme
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class PageCase:
    """Questions about the page as a whole. `items` has those shown that the catalog knows, by id."""

    request: PageRequest
    page: Page
    items: Mapping[str, Item]


@dataclass(frozen=True)
class GuardrailCase:
    """Question: may this item be shown to this shopper under this title."""

    request: PageRequest
    title: str
    item: Item


def section_cases(case: PageCase) -> list[SectionCase]:
    """The sections of a page as cases, with the items that the catalog knows."""
    return [
        SectionCase(case.request, s.theme, tuple(case.items[i.item_id] for i in s.items if i.item_id in case.items))
        for s in case.page.sections
    ]


def item_cases(case: PageCase) -> list[list[ItemCase]]:
    """The known items of each section as cases."""
    return [[ItemCase(c.theme, item) for item in c.items] for c in section_cases(case)]


Case = TypeVar("Case", ItemCase, SectionCase, PageCase, GuardrailCase, contravariant=True)


class Judgment(NamedTuple):
    """What a judge says of one case."""

    score: float
    """In [0, 1], higher is better; finer than the grade, where the judge can tell."""
    grade: int
    """0 to GRADES, as the rubric has it."""
    reason: str
    """One sentence that a person can act on; empty when there is nothing to say."""


class Judge(Protocol[Case]):
    """Answers one question about cases of one level.

    One judgment a case, in order; no cases, no judgments. The same case gets the same judgment from a judge of the same
    fingerprint, whatever it is judged with, up to rounding; an LM may break this promise. Odd text never raises.
    Safe to call from several threads.
    """

    name: str
    """Who judges, e.g. "learned", "rules" or an LM's name."""
    criterion: str
    """A key of CRITERIA."""
    fingerprint: str
    """Changes whenever the judge may judge otherwise."""

    def judge(self, cases: Sequence[Case]) -> list[Judgment]:
        """Judge every case.

        Raises:
            LMError: a judge that asks an LM got no usable answer.

        """
        ...
