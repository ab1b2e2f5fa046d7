"""One prompt: the LM sees the shopper and a list of items and writes the whole page in one answer. No cascade."""

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from typing import Any

import dspy

from genrec.catalog.filters import Where
from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.errors import LMError
from genrec.lm.connect import LanguageModel, open_lm
from genrec.page import TITLE_LIMIT, Drop, Page, PageRequest, Section
from genrec.programs.asking import Asker
from genrec.programs.baselines.shelves import (
    Pick,
    allowed_picks,
    bought,
    by_department,
    section_of,
    shop_policy,
    with_popular,
)
from genrec.programs.composing import page_of
from genrec.programs.facts import plain_title, shopper_facts
from genrec.programs.filling import Notes
from genrec.programs.policy import Policy
from genrec.signatures import PickedSection, WholePage

LINES, SMALL_LINES = 300, 60
"""Items listed: for a large model, and for a small one, whose context is 4096 tokens."""
LINE_LENGTH, SMALL_LINE_LENGTH, SMALL_FACTS = 100, 48, 300
"""Characters of a line and, for a small model, of the facts about the shopper."""
QUERIES = 12
"""Products of the history whose neighbours are listed."""
TEMPERATURE = 0.7
"""For a small model, which writes one title over and over at 0.3; a large one has its endpoint's default."""

SMALL_DEMO: dict[str, Any] = {
    "shopper": "on: Saturday 14 May; likes: grilling; buys: burger buns, iced tea",
    "items": [
        "1 burger buns",
        "2 lemons",
        "3 strawberries",
        "4 ground beef",
        "5 halloumi",
        "6 corn on the cob",
        "7 iced tea",
        "8 sparkling water",
        "9 lemonade",
        "10 muesli",
        "11 porridge oats",
        "12 honey",
    ],
    "count": 3,
    "size": 3,
    "page": [
        {"title": "Burgers and corn for the grill", "items": (1, 4, 6)},
        {"title": "Cold drinks for the garden", "items": (7, 8, 9)},
        {"title": "A quiet breakfast with oats", "items": (10, 11, 12)},
    ],
}
"""Without a demonstration a small model writes the list where titles should be."""


class OnePrompt:
    """Lists what the shopper bought, what is near it, what they like and what is popular, and asks once.

    The rules have been through the list, and go through the answer again with its titles.
    """

    name = "one-prompt"

    def __init__(
        self,
        catalog: Catalog,
        lm: LanguageModel | None = None,
        *,
        policy: Policy | None = None,
        lines: int | None = None,
        deadline: float | None = None,
    ) -> None:
        """`lm` defaults to the embedded model; `lines` is how many items it is shown."""
        self._catalog = catalog
        self._model = lm or open_lm()
        self._policy = policy or shop_policy(catalog)
        self._lines = lines or (SMALL_LINES if self._model.small else LINES)
        self._deadline = self._model.deadline if deadline is None else deadline
        self._write = dspy.Predict(WholePage)
        if self._model.small:
            self._write.demos = [dict(SMALL_DEMO)]

    def generate(self, request: PageRequest) -> Page:
        """Compose one page; where the answer is not usable it is the popular one, which `degraded` says (stage plan).

        Sections of the answer stay as they are if they have three items; popular ones are added where some are missing.
        """
        notes = Notes()
        asker = Asker(self._model, deadline=self._deadline)
        picks = self.listed(request, notes)
        sections: list[Section] = []
        if picks:
            try:
                answer = self._ask(asker, request, picks)
                sections = self._usable(answer, picks, request, notes)[: request.sections]
                if len(sections) < request.sections:
                    got = f"{len(sections)} usable sections of {request.sections}"
                    notes.step_down("plan", f"{self._model.name} gave {got}; popular items completed the page")
            except LMError as error:
                notes.step_down("plan", f"{error}; showed popular items")
        else:
            notes.step_down("gather", "no item that may be shown; the LM was not asked")
        sections = with_popular(sections, self._catalog, self._policy, request, notes)
        program, usage = f"baseline {self.name}", asker.meter.report()
        return page_of(sections, request, notes, self._catalog, program=program, lm=self._model.name, usage=usage)

    def listed(self, request: PageRequest, notes: Notes) -> list[Pick]:
        """The items that the LM may choose from, those of a department together.

        A third at most was bought, a third is near it or what the shopper likes, and the rest is popular.
        """
        third = self._lines // 3
        found: dict[str, Pick] = {}
        for source, most in ((self._own(request), third), (self._near(request), third), (self._popular(), self._lines)):
            fresh = (pick for pick in source if pick.item.item_id not in found)
            enough = min(most, self._lines - len(found))
            known = {pick.item.title.casefold() for pick in found.values()}
            fresh = (pick for pick in fresh if pick.item.title.casefold() not in known)
            for pick in allowed_picks(fresh, self._policy, request, notes, enough=enough):
                found[pick.item.item_id] = pick
        return [pick for picks in by_department(list(found.values())).values() for pick in picks]

    def _own(self, request: PageRequest) -> Iterator[Pick]:
        for item_id, had in bought(request, self._catalog).items():
            yield Pick(self._catalog.items[item_id], 0.0, had.reason)

    def _near(self, request: PageRequest) -> Iterator[Pick]:
        items, shopper = self._catalog.items, request.shopper
        own = [plain_title(items[i].title) for i in list(bought(request, self._catalog))[:QUERIES]]
        asked = [(text, "") for text in (*shopper.likes, request.occasion) if text.strip()]
        queries = [*asked, *((title, f"Close to your {title}") for title in own)]
        if not queries:
            return
        where = Where(in_stock=True, buyer_age=shopper.age, without_allergens=frozenset(shopper.allergens))
        hits = self._catalog.index.search_many([q for q, _ in queries], limit=self._lines, where=where)
        for rank in zip_longest(*hits):
            for hit, (_, reason) in zip(rank, queries, strict=True):
                if hit is not None:
                    yield Pick(items[hit.item_id], 0.0, reason)

    def _popular(self) -> Iterator[Pick]:
        best = [
            self._catalog.item_ids(one.best_rows[: self._lines]) for one in self._catalog.departments[: self._lines]
        ]
        for item_id in chain.from_iterable(zip_longest(*best)):
            if item_id is not None:
                item = self._catalog.items[item_id]
                yield Pick(item, 0.0, "Popular here")

    def _ask(self, asker: Asker, request: PageRequest, picks: Sequence[Pick]) -> list[PickedSection]:
        facts = shopper_facts(request, self._catalog)
        config: dict[str, Any] = asker.seeded(request.seed)
        lines = [f"{n}. {_line(pick.item)}" for n, pick in enumerate(picks, 1)]
        count, size = request.sections, request.items_per_section
        if self._model.small:
            facts = facts[:SMALL_FACTS]
            lines = [f"{n} {plain_title(pick.item.title)[:SMALL_LINE_LENGTH]}" for n, pick in enumerate(picks, 1)]
            config = {"temperature": TEMPERATURE, "seed": request.seed, "max_tokens": 24 * count + 6 * len(lines)}
        answer: list[PickedSection] = asker.ask(
            "plan", self._write, config=config, shopper=facts, items=lines, count=count, size=size
        ).page
        return answer

    def _usable(
        self, answer: Sequence[PickedSection], picks: Sequence[Pick], request: PageRequest, notes: Notes
    ) -> list[Section]:
        """The answer's sections without numbers that are invented or repeated, and without what the rules deny."""
        sections: list[Section] = []
        taken: set[int] = set()
        seen = {section["title"].casefold() for section in SMALL_DEMO["page"]} if self._model.small else set()
        for written in answer:
            title = " ".join(written.title.split())
            if len(title) >= TITLE_LIMIT:
                notes.drops.append(Drop(subject=title, stage="plan", reason="title breaks off"))
                continue
            if title.casefold() in seen:
                notes.drops.append(Drop(subject=title, stage="plan", reason="title repeated, or the demonstration's"))
                continue
            chosen: list[int] = []
            for number in written.items:
                if not 1 <= number <= len(picks):
                    notes.drops.append(Drop(subject=title, stage="plan", reason=f"invented: no item {number}"))
                elif number in taken or number in chosen:
                    subject = picks[number - 1].item.item_id
                    notes.drops.append(Drop(subject=subject, stage="plan", reason=f"repeated: item {number}"))
                else:
                    chosen.append(number)
            wanted = [picks[number - 1]._replace(score=float(-n)) for n, number in enumerate(chosen)]
            section = section_of(title, wanted, self._policy, request, notes, rationale="")
            if section is not None:
                sections.append(section)
                seen.add(title.casefold())
                taken.update(chosen)
        return sections


def _line(item: Item) -> str:
    """An item as a large model sees it: its title and its shelf, on one line."""
    return " ".join(f"{item.title} ({item.leaf})".split())[:LINE_LENGTH] if item.leaf else " ".join(item.title.split())
