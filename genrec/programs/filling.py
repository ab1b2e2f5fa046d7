"""From themes to candidates that may be shown: prune, describe, retrieve, filter, guard. Ranking comes after."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import dspy

from genrec.catalog.store import Catalog
from genrec.errors import LMError
from genrec.page import Drop, PageRequest
from genrec.programs.asking import Asker
from genrec.programs.finding import Finder, Found
from genrec.programs.guardrails import apply_rules, check_with_lm
from genrec.programs.planning import Planned
from genrec.programs.policy import Policy
from genrec.programs.ranking import Candidate
from genrec.programs.relevance import RelevanceModel, theme_text

DEPTH = 5
"""Candidates retrieved for each item that is to be shown."""
CHECKED = 1.5
"""Candidates shown to the LM check for each item that is to be shown."""


@dataclass(frozen=True)
class Filled:
    """A theme and the candidates that passed the gate and the guard, most relevant first."""

    found: Found
    candidates: tuple[Candidate, ...]


class Notes:
    """What a page in the making threw away and where it stepped down."""

    def __init__(self) -> None:
        """Start empty."""
        self.drops: list[Drop] = []
        self.problems: dict[str, str] = {}

    def step_down(self, stage: str, reason: str) -> None:
        """Record the first problem of a stage."""
        self.problems.setdefault(stage, reason)


class Filler:
    """Fills themes from one catalog, with one gate and one policy."""

    def __init__(self, catalog: Catalog, relevance: RelevanceModel, policy: Policy, threshold: float) -> None:
        """Below `threshold` an item is gone."""
        self._catalog = catalog
        self._finder = Finder(catalog)
        self._relevance = relevance
        self._policy = policy
        self._threshold = threshold

    def fill(
        self,
        asker: Asker | None,
        describe: dspy.Predict,
        guard: dspy.Predict | None,
        request: PageRequest,
        facts: str,
        themes: Sequence[Planned],
        notes: Notes,
    ) -> list[Filled]:
        """The stages between plan and rank for several themes at once. No asker: no LM; no guard: rules only."""
        described = []
        for planned in themes:
            descriptor = self._finder.nearest_keywords(planned)
            if asker is not None and not asker.down:
                try:
                    descriptor = self._finder.describe(asker, describe, request, planned)
                except LMError as error:
                    notes.step_down("describe", f"{error}; used the catalog keywords nearest to the theme")
            described.append((planned, descriptor))
        found = self._finder.retrieve(request, described, depth=DEPTH * request.items_per_section)
        filled = [self._ruled(request, one, notes) for one in self._gated(found, notes)]
        if guard is not None and asker is not None and not asker.model.small and not asker.down:
            filled = self._checked(asker, guard, request, facts, filled, notes)
        return filled

    def _gated(self, found: Sequence[Found], notes: Notes) -> list[Filled]:
        """One batched call of the gate for all themes; what is below the threshold is gone."""
        items = self._catalog.items
        pairs = [(theme_text(one.planned.theme), items[i]) for one in found for i in one.candidates]
        scores = iter(self._relevance.score_many(pairs).tolist())
        gated = []
        for one in found:
            passed = []
            for item_id in one.candidates:
                score = next(scores)
                if score >= self._threshold:
                    passed.append(Candidate(items[item_id], score, one.concept_of.get(item_id, "")))
                else:
                    reason = f"P(relevant to {one.planned.theme.title!r}) = {score:.2f} < {self._threshold:.2f}"
                    notes.drops.append(Drop(subject=item_id, stage="filter", reason=reason))
            passed.sort(key=lambda c: (-c.relevance, c.item.item_id))
            gated.append(Filled(one, tuple(passed)))
        return gated

    def _ruled(self, request: PageRequest, filled: Filled, notes: Notes) -> Filled:
        title = filled.found.planned.theme.title
        allowed, drops = apply_rules(self._policy, request, title, [c.item for c in filled.candidates])
        notes.drops += drops
        ids = {item.item_id for item in allowed}
        return replace(filled, candidates=tuple(c for c in filled.candidates if c.item.item_id in ids))

    def _checked(
        self,
        asker: Asker,
        guard: dspy.Predict,
        request: PageRequest,
        facts: str,
        filled: Sequence[Filled],
        notes: Notes,
    ) -> list[Filled]:
        """Only what the LM has seen and not denied stays."""
        most = round(CHECKED * request.items_per_section)
        shown = [replace(one, candidates=one.candidates[:most]) for one in filled]
        sections = [(one.found.planned.theme.title, [c.item for c in one.candidates]) for one in shown]
        try:
            denied, drops = check_with_lm(asker, guard, request, facts, sections)
        except LMError as error:
            notes.step_down("guard", f"{error}; the policy rules alone decided")
            return list(filled)
        notes.drops += drops
        return [
            replace(one, candidates=tuple(c for c in one.candidates if c.item.item_id not in denied))
            for one in shown
            if one.found.planned.theme.title not in denied
        ]
