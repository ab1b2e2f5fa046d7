"""Repeat purchase: what the shopper bought most and latest, to buy again. Hard to beat in groceries."""

from collections.abc import Sequence

from genrec.catalog.store import Catalog
from genrec.page import Page, PageRequest, Section
from genrec.programs.baselines.shelves import (
    Pick,
    allowed_picks,
    best_sellers,
    bought,
    by_department,
    section_of,
    section_title,
    shop_policy,
    with_popular,
)
from genrec.programs.composing import page_of
from genrec.programs.filling import Notes
from genrec.programs.policy import Policy
from genrec.programs.selection import LEAST_ITEMS

AGAIN = ("Buy again: {}", "More to buy again: {}")
"""Titles of the first and the second section of one department."""
TOPPED_UP = "Your usuals and more: {}"
MIXED = ("Buy again: from all over the shop", "More to buy again from all over the shop")
MIXED_TOPPED_UP = "Your usuals and more from all over the shop"
WHY = "What you buy most and bought last."


class RepeatPurchase:
    """Purchases until the day of the page by how often and how lately, in sections by department.

    A section of own purchases that is not full is topped up with best sellers of its department, and its title says
    so; departments with too few purchases for a section of their own share one. Popular sections are the rest.
    """

    name = "repeat"

    def __init__(self, catalog: Catalog, policy: Policy | None = None) -> None:
        """`policy` defaults to the shop's rules."""
        self._catalog = catalog
        self._policy = policy or shop_policy(catalog)

    def generate(self, request: PageRequest) -> Page:
        """Compose one page; without purchases it is the popular one, which `degraded` says (stage gather)."""
        notes = Notes()
        own = bought(request, self._catalog)
        picks = [Pick(self._catalog.items[i], had.weight, had.reason) for i, had in own.items()]
        picks = allowed_picks(picks, self._policy, request, notes, enough=request.sections * request.items_per_section)
        if not own:
            notes.step_down("gather", "no purchases by this day; showed popular items")
        sections = self._again(picks, request, notes)
        full = [s for s in sections if len(s.items) == request.items_per_section]
        spare = [s for s in sections if s not in full]
        sections = with_popular(full, self._catalog, self._policy, request, notes, spare=spare)
        return page_of(sections, request, notes, self._catalog, program=f"baseline {self.name}", lm="none", usage={})

    def _again(self, picks: Sequence[Pick], request: PageRequest, notes: Notes) -> list[Section]:
        """Sections of own purchases, those with the most and latest first."""
        size = request.items_per_section
        runs: list[tuple[str, list[Pick]]] = []
        loose: list[Pick] = []
        beside = list(picks)

        def topped_up(run: list[Pick], *departments: str) -> list[Pick]:
            more: list[Pick] = []
            for department in departments:
                count = size - len(run) - len(more)
                more += best_sellers(self._catalog, department, self._policy, request, beside=beside, count=count)
            beside.extend(more)
            return [*run, *more]

        for department, found in by_department(picks).items():
            for n, template in enumerate(AGAIN):
                run = found[n * size : (n + 1) * size]
                if len(run) == size:
                    runs.append((section_title(template, department), run))
                elif len(run) >= LEAST_ITEMS:
                    runs.append((section_title(TOPPED_UP, department), topped_up(run, department)))
                else:
                    loose += run
            loose += found[len(AGAIN) * size :]
        loose.sort(key=lambda pick: (-pick.score, pick.item.item_id))
        for n, title in enumerate(MIXED):
            run = loose[n * size : (n + 1) * size]
            if len(run) == size:
                runs.append((title, run))
            elif len(run) >= LEAST_ITEMS:
                runs.append((MIXED_TOPPED_UP, topped_up(run, *by_department(run))))
        runs.sort(key=lambda run: -sum(max(pick.score, 0.0) for pick in run[1]))
        made = (section_of(title, run, self._policy, request, notes, rationale=WHY) for title, run in runs)
        return [section for section in made if section is not None]
