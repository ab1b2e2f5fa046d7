"""What an LM is shown of a case, and how its answer becomes a judgment: one form a level. Who asks: lm_judges.py.

Everything that a caller, a catalog or another LM wrote is folded onto one line, numbered or quoted.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import dspy

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.evaluation.judges import GRADES, GuardrailCase, ItemCase, Judgment, Level, PageCase, SectionCase
from genrec.programs.facts import plain_title, shopper_facts

FORM = "form-2"
"""Version of what is shown of a case; it changes with it, and so does the fingerprint of every LM judge."""
TEXT_LIMIT = 300
"""Characters of any one text that are shown, and of a reason that is kept."""


@dataclass(frozen=True)
class Form:
    """How the cases of one level are put to an LM, and how its answer is read."""

    reads: Callable[[Any, Mapping[str, Item]], tuple[str, str]]
    """What the LM sees of a case: what it shares with others that can go into the same call, and what is its own."""
    inputs: Callable[[Sequence[Any], Mapping[str, Item]], dict[str, Any]]
    """The signature's inputs for the cases of one call."""
    read: Callable[[dspy.Prediction], dict[int, Judgment]]
    """Judgments by the case's place in the call, from 0; what cannot be used is left out."""
    subject: Callable[[Any], str]
    """What a case is called in an error."""


def _item_reads(case: ItemCase, items: Mapping[str, Item]) -> tuple[str, str]:
    return json.dumps([_quoted(case.theme.title), _lines(case.theme.concepts)]), _shelved(case.item)


def _item_inputs(cases: Sequence[ItemCase], items: Mapping[str, Item]) -> dict[str, Any]:
    theme = cases[0].theme
    numbered = [f"{number}. {_shelved(case.item)}" for number, case in enumerate(cases, start=1)]
    return {"title": _quoted(theme.title), "ideas": _lines(theme.concepts), "items": numbered}


def _section_inputs(cases: Sequence[SectionCase], items: Mapping[str, Item]) -> dict[str, Any]:
    (case,) = cases
    return {
        "shopper": _facts(case, items),
        "title": _quoted(case.theme.title),
        "ideas": _lines(case.theme.concepts),
        "items": [plain_title(_line(item.title)) for item in case.items],
    }


def _page_inputs(cases: Sequence[PageCase], items: Mapping[str, Item]) -> dict[str, Any]:
    (case,) = cases
    shown = [
        f"{number}. {_quoted(section.theme.title)}: {'; '.join(_shown(item.title) for item in section.items)}"
        for number, section in enumerate(case.page.sections, start=1)
    ]
    goals = [f"{o.name} ({o.note})" if o.note else o.name for o in case.request.objectives]
    return {"shopper": _facts(case, items), "objectives": _lines(goals), "sections": shown}


def _guardrail_inputs(cases: Sequence[GuardrailCase], items: Mapping[str, Item]) -> dict[str, Any]:
    """As guardrails.check_with_lm asks it, of one section with one item."""
    (case,) = cases
    lines = [f"1. section: {_line(case.title)}", f"2. {_line(case.item.title)}"]
    return {"shopper": _facts(case, items), "lines": lines}


def _alone(inputs: Callable[..., dict[str, Any]]) -> Callable[[Any, Mapping[str, Item]], tuple[str, str]]:
    """Of cases that are asked one a call: all that the LM sees is shared."""
    return lambda case, items: (json.dumps(inputs([case], items)), "")


def _read_grades(answer: dspy.Prediction) -> dict[int, Judgment]:
    """The first grade of every number."""
    grades = {given.number - 1: given for given in reversed(answer.grades)}
    return {number: _judgment(given.grade, given.reason) for number, given in grades.items()}


def _read_grade(answer: dspy.Prediction) -> dict[int, Judgment]:
    return {0: _judgment(answer.grade, answer.reason)}


def _read_denied(answer: dspy.Prediction) -> dict[int, Judgment]:
    """A denied title takes the item with it, as on a page, and an answer that denies every line is none, as there."""
    if set(answer.deny) >= {1, 2} or not set(answer.deny) <= {1, 2}:
        return {}
    denied = [what for number, what in ((1, "the title"), (2, "the item")) if number in answer.deny]
    return {0: _judgment(0 if denied else GRADES, f"GuardrailCheck denied {' and '.join(denied)}" if denied else "")}


def _judgment(grade: int, reason: str) -> Judgment:
    return Judgment(grade / GRADES, grade, _line(reason))


FORMS: Mapping[Level, Form] = {
    "item": Form(
        _item_reads, _item_inputs, _read_grades, lambda case: f"{case.item.item_id!r} in {_quoted(case.theme.title)}"
    ),
    "section": Form(
        _alone(_section_inputs),
        _section_inputs,
        _read_grade,
        lambda case: f"{_quoted(case.theme.title)} for {case.request.shopper.shopper_id!r}",
    ),
    "page": Form(
        _alone(_page_inputs),
        _page_inputs,
        _read_grade,
        lambda case: f"the page for {case.request.shopper.shopper_id!r} on {case.request.on}",
    ),
    "guardrail": Form(
        _alone(_guardrail_inputs),
        _guardrail_inputs,
        _read_denied,
        lambda case: f"{case.item.item_id!r} in {_quoted(case.title)} for {case.request.shopper.shopper_id!r}",
    ),
}


class _Shelf(NamedTuple):
    """All that shopper_facts reads of a catalog."""

    items: Mapping[str, Item]


def _facts(case: SectionCase | PageCase | GuardrailCase, items: Mapping[str, Item]) -> str:
    """What is known of the shopper, on one line; of a page, without the objectives, which are told apart."""
    request = case.request.model_copy(update={"objectives": ()}) if isinstance(case, PageCase) else case.request
    return _sendable(shopper_facts(request, cast(Catalog, _Shelf(items))))


def _line(text: str) -> str:
    """One line, cut at TEXT_LIMIT: what others wrote cannot start a line of its own."""
    return _sendable(" ".join(text.split())[:TEXT_LIMIT])


def _sendable(text: str) -> str:
    """Text that has a UTF-8 form: half a surrogate pair has none."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _lines(texts: Sequence[str]) -> list[str]:
    return [_line(text) for text in texts]


def _quoted(title: str) -> str:
    """A title that stands on a line of its own, and cannot pass for the marker of a field."""
    return f'"{_line(title)}"'


def _shelved(item: Item) -> str:
    """An item and where it stands: "Lime shower gel (Household > Bath)"."""
    return _line(f"{item.title} ({' > '.join(item.categories)})" if item.categories else item.title)


def _shown(title: str) -> str:
    return plain_title(_line(title)).replace(";", ",")
