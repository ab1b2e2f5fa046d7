"""ALS: collaborative filtering by matrix factorisation, the usual strong baseline on implicit feedback."""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Literal

from genrec.catalog.store import Catalog
from genrec.errors import SettingsError
from genrec.page import Page, PageRequest, Section, Shopper
from genrec.programs.baselines.factors import PurchaseFactors, require
from genrec.programs.baselines.shelves import (
    Bought,
    Pick,
    allowed_picks,
    bought,
    by_department,
    section_of,
    section_title,
    shop_policy,
    with_popular,
)
from genrec.programs.composing import page_of
from genrec.programs.facts import lower_first
from genrec.programs.filling import Notes
from genrec.programs.policy import Policy
from genrec.programs.selection import LEAST_ITEMS

Level = Literal["leaf", "item"]

PICKED = ("Picked for you: {}", "More for you: {}")
"""Titles of the first and the second section of one department."""
WHY = "What shoppers with similar purchases buy."
REMEMBERED = 16
"""Days whose factors are kept."""
POOL = 4, 40
"""Items looked at for each that is to be shown: usually, and where they fill too few sections."""


class ImplicitALS:
    """Factors of everyone's purchases up to the day of the page, never after it; sections by department.

    `level` "leaf" factorises shoppers and leaf categories, then ranks the items of a leaf by purchases, the shopper's
    own first; "item" factorises shoppers and items. On The Complete Journey (1,645 households, 42,695 purchase lines
    before November 2017, most items bought once) pages of 48 by leaf held 0.82 of the items that 600 households bought
    afterwards, a page, by item 0.77, popular ones 0.49. Hence the default. The constants in factors.py were chosen on
    the same months, which flatters this baseline a little. "item" is for catalogs without categories.
    """

    name = "als"

    def __init__(
        self,
        catalog: Catalog,
        interactions: Sequence[Shopper],
        until: date | None = None,
        *,
        level: Level = "leaf",
        policy: Policy | None = None,
        seed: int = 0,
    ) -> None:
        """Learn from the histories of `interactions`, on the first page of each day.

        `until` is a last day to learn from; the day of the page is one anyway. `seed` is the factors' own: a request's
        seed changes nothing.

        Raises:
            SettingsError: the `implicit` package is not installed.

        """
        if level not in ("leaf", "item"):
            raise SettingsError(f"no level {level!r} of the baseline als; there are leaf, item")
        require()
        self._catalog = catalog
        self._policy = policy or shop_policy(catalog)
        self._interactions = tuple(interactions)
        self._until = until
        self._level = level
        self._seed = seed
        self._kinds: dict[str, str] = {}
        self._learned: dict[date, PurchaseFactors | None] = {}
        self._lock = threading.Lock()

    def generate(self, request: PageRequest) -> Page:
        """Compose one page; for a shopper without purchases it is the popular one, which `degraded` says."""
        notes = Notes()
        own = bought(request, self._catalog)
        factors = self._factors(min(request.on, self._until or request.on))
        ranked = factors.rank({i: had.times for i, had in own.items()}) if factors else []
        if not own:
            notes.step_down("gather", "no purchases by this day; showed popular items")
        elif not ranked:
            notes.step_down("gather", "nothing to learn from that others bought by this day; showed popular items")
        sections = self._picked(ranked, own, request, notes)
        full = [s for s in sections if len(s.items) == request.items_per_section]
        spare = [s for s in sections if s not in full]
        sections = with_popular(full, self._catalog, self._policy, request, notes, spare=spare)
        return page_of(sections, request, notes, self._catalog, program=f"baseline {self.name}", lm="none", usage={})

    def _picked(
        self, ranked: Sequence[tuple[str, float]], own: dict[str, Bought], request: PageRequest, notes: Notes
    ) -> list[Section]:
        """Sections by department, in the order of their summed scores."""
        size = request.items_per_section
        leaves = {self._catalog.items[i].leaf for i in own}
        runs: list[tuple[str, list[Pick]]] = []
        for depth in POOL:
            count = depth * request.sections * size
            picks = [self._pick(item_id, score, own, leaves) for item_id, score in ranked[:count]]
            pool_notes = Notes()
            picks = allowed_picks(picks, self._policy, request, pool_notes, enough=count)
            runs = [
                (section_title(template, department), found[n * size : (n + 1) * size])
                for department, found in by_department(picks).items()
                for n, template in enumerate(PICKED)
                if len(found) - n * size >= LEAST_ITEMS
            ]
            if sum(len(run) == size for _, run in runs) >= request.sections:
                break
        notes.drops += pool_notes.drops
        runs.sort(key=lambda run: -sum(pick.score for pick in run[1]))
        sections: list[Section] = []
        for title, run in runs:
            section = section_of(title, run, self._policy, request, notes, rationale=WHY)
            sections += [section] if section is not None else []
            if sum(len(one.items) == size for one in sections) == request.sections:
                break
        return sections

    def _pick(self, item_id: str, score: float, own: dict[str, Bought], leaves: set[str]) -> Pick:
        item = self._catalog.items[item_id]
        if item_id in own:
            return Pick(item, score, own[item_id].reason)
        if item.leaf and item.leaf in leaves:
            return Pick(item, score, f"You have bought from {lower_first(item.leaf)}")
        return Pick(item, score, "Bought by shoppers with similar purchases")

    def _factors(self, day: date) -> PurchaseFactors | None:
        """The factors as of `day`; None when nobody had bought anything."""
        with self._lock:
            if day not in self._learned:
                while len(self._learned) >= REMEMBERED:
                    del self._learned[next(iter(self._learned))]
                self._learned[day] = self._learn(day)
            return self._learned[day]

    def _learn(self, day: date) -> PurchaseFactors | None:
        known = self._catalog.items
        histories = [
            Counter(p.item_id for p in shopper.history if p.at <= day and p.item_id in known)
            for shopper in self._interactions
        ]
        histories = [history for history in histories if history]
        if not histories:
            return None
        return PurchaseFactors(histories, self._kind, self._catalog.popularity_rank, seed=self._seed)

    def _kind(self, item_id: str) -> str:
        if self._level == "item":
            return item_id
        kind = self._kinds.get(item_id)
        if kind is None:
            kind = self._kinds[item_id] = " > ".join(self._catalog.items[item_id].categories)
        return kind
