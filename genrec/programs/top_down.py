"""TopDown: themes first, then the items that fill them. `forward` reads like the list in docs/architecture.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

import dspy

from genrec.catalog.store import Catalog
from genrec.lm.connect import LanguageModel, open_lm
from genrec.page import Degradation, Drop, Page, PageItem, PageRequest, Provenance, Section
from genrec.programs.asking import Asker
from genrec.programs.facts import shopper_facts
from genrec.programs.fallback import popular_sections, static_themes
from genrec.programs.filling import Filled, Filler, Notes
from genrec.programs.gather import ConceptGroup, Gatherer
from genrec.programs.library import KnownWords
from genrec.programs.planning import Planned, Planner
from genrec.programs.policy import Policy, ShopPolicy
from genrec.programs.ranking import BlendRanker, Ranker, checked
from genrec.programs.relevance import CrossEncoderGate, RelevanceModel
from genrec.programs.selection import LEAST_ITEMS, pick
from genrec.programs.state import load_state, packaged_state
from genrec.signatures import GuardrailCheck, ItemDescriber, ThemePlanner

RESERVE = 5
"""Themes planned beyond the sections asked for: some will not fill."""


class PageGenerator(Protocol):
    """Composes pages. Always a page that passed the guardrails; what went wrong is in `degraded`."""

    def generate(self, request: PageRequest) -> Page:
        """Return the page for `request`."""


@dataclass
class Parts:
    """What a program works with but does not learn. Copies of a program share it."""

    catalog: Catalog
    model: LanguageModel
    relevance: RelevanceModel
    policy: Policy
    ranker: Ranker
    gatherer: Gatherer
    planner: Planner
    filler: Filler
    threshold: float
    deadline: float

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """The same parts: DSPy's optimizers copy programs often, and a catalog is large."""
        return self


class TopDown(dspy.Module):
    """The page program. `plan`, `describe` and `guard` are what optimizers compile."""

    def __init__(
        self,
        catalog: Catalog,
        lm: LanguageModel | None = None,
        *,
        relevance: RelevanceModel | None = None,
        policy: Policy | None = None,
        ranker: Ranker | None = None,
        threshold: float | None = None,
        deadline: float | None = None,
    ) -> None:
        """Compose the program from its parts; each has a default that works offline.

        `threshold` is the least P(relevant) that is shown (default: the gate's own). `deadline` is how many seconds a
        page may spend on the LM. The program starts with the packaged demonstrations.
        """
        super().__init__()
        model = lm or open_lm()
        relevance = relevance or CrossEncoderGate.load()
        policy = policy or ShopPolicy(catalog.declares_diets, catalog_diets=catalog.diets)
        least = relevance.threshold if threshold is None else threshold
        self.parts = Parts(
            catalog=catalog,
            model=model,
            relevance=relevance,
            policy=policy,
            ranker=ranker or BlendRanker(catalog),
            gatherer=Gatherer(catalog, policy),
            planner=Planner(catalog.embedder, KnownWords(catalog)),
            filler=Filler(catalog, relevance, policy, least),
            threshold=least,
            deadline=model.deadline if deadline is None else deadline,
        )
        self.plan = dspy.Predict(ThemePlanner)
        self.describe = dspy.Predict(ItemDescriber)
        self.guard = dspy.Predict(GuardrailCheck)
        self.version = "packaged"
        load_state(self, packaged_state())

    def generate(self, request: PageRequest) -> Page:
        """Compose one page. Safe to call from several threads."""
        page: Page = self(request=request).page
        return page

    def forward(self, request: PageRequest) -> dspy.Prediction:
        """The algorithm, a stage a line; the page is in `page`."""
        parts, notes = self.parts, Notes()
        asker = Asker(parts.model, deadline=parts.deadline)
        facts = shopper_facts(request, parts.catalog)
        groups = parts.gatherer.gather(request, limit=2 * request.sections + RESERVE)
        themes = self._planned(asker, request, groups, facts, notes)
        sections: list[Section] = []
        short: list[Section] = []
        while themes and len(sections) < request.sections:
            batch, themes = _split(themes, request.sections - len(sections))
            for filled in parts.filler.fill(asker, self.describe, self.guard, request, facts, batch, notes):
                section = self._section(filled, request, sections, notes)
                (sections if len(section.items) == request.items_per_section else short).append(section)
        sections = self._completed(sections, short, groups, request, notes)
        return dspy.Prediction(page=self._page(sections, request, asker, notes))

    def _planned(
        self, asker: Asker, request: PageRequest, groups: Sequence[ConceptGroup], facts: str, notes: Notes
    ) -> list[Planned]:
        """The LM's themes, or the static library's when it has none."""
        count = min(request.sections + RESERVE, max(len(groups), 1))
        plan = self.parts.planner.plan(asker, self.plan, request, groups, facts, count)
        notes.drops += plan.drops
        if plan.problem and not plan.themes:
            notes.step_down("plan", f"{plan.problem}; used the static theme library")
            return static_themes(groups, request)
        if plan.problem:
            notes.step_down("plan", f"{plan.problem}; kept the themes that came before")
        return plan.themes

    def _section(self, filled: Filled, request: PageRequest, earlier: Sequence[Section], notes: Notes) -> Section:
        """Rank and select: the section as it would stand after the earlier ones."""
        theme = filled.found.planned.theme
        try:
            ranked = checked(self.parts.ranker.rank(theme, filled.candidates, request), filled.candidates)
        except Exception as error:  # a shop's own code: whatever it raises must not cost the page
            notes.step_down("rank", f"the ranker failed ({error}); used the default ranker")
            ranked = BlendRanker(self.parts.catalog).rank(theme, filled.candidates, request)
        items = pick(
            ranked,
            filled.found.concept_of,
            self.parts.catalog,
            taken=_shown(earlier),
            count=request.items_per_section,
            concepts=len(theme.concepts),
        )
        return Section(theme=theme, keywords=filled.found.keywords, items=tuple(items))

    def _completed(
        self,
        sections: list[Section],
        short: list[Section],
        groups: Sequence[ConceptGroup],
        request: PageRequest,
        notes: Notes,
    ) -> list[Section]:
        """The page brought to its size: static themes that fill, then short sections, then what is popular."""
        titles = {s.theme.title for s in sections}
        if len(sections) < request.sections:
            spare = [p for p in static_themes(groups, request) if p.theme.title not in titles]
            planned = {s.theme.concepts for s in [*sections, *short]}
            spare = [p for p in spare if not any(set(p.group.concepts) >= set(c) for c in planned)]
            for filled in self.parts.filler.fill(None, self.describe, self.guard, request, "", spare, notes):
                section = self._section(filled, request, sections, notes)
                if len(section.items) == request.items_per_section and len(sections) < request.sections:
                    sections.append(section)
                    notes.step_down(
                        "plan", "too few themes could be filled; the static theme library completed the page"
                    )
        for section in short:
            items = tuple(i for i in section.items if i.item_id not in _shown(sections))
            if len(sections) < request.sections and len(items) >= LEAST_ITEMS:
                sections.append(section.model_copy(update={"items": items}))
            else:
                reason = f"only {len(items)} items could be shown"
                notes.drops.append(Drop(subject=section.theme.title, stage="select", reason=reason))
        if len(sections) < request.sections:
            notes.step_down("select", "too few themes could be filled; popular items completed the page")
            sections += self._popular(request, sections)
        return sections

    def _popular(self, request: PageRequest, sections: Sequence[Section]) -> list[Section]:
        found: list[Section] = []
        for theme, candidates in popular_sections(
            self.parts.catalog, self.parts.policy, request, taken=_shown(sections)
        ):
            items = tuple(
                PageItem(item_id=c.item.item_id, title=c.item.title, reason="Popular here", relevance=0.5, score=-n)
                for n, c in enumerate(candidates[: request.items_per_section])
            )
            if len(sections) + len(found) < request.sections and len(items) >= LEAST_ITEMS:
                found.append(Section(theme=theme, items=items))
        return found

    def _page(self, sections: Sequence[Section], request: PageRequest, asker: Asker, notes: Notes) -> Page:
        parts = self.parts
        return Page(
            shopper_id=request.shopper.shopper_id,
            created_at=datetime.now(UTC),
            sections=tuple(sections),
            drops=tuple(notes.drops),
            degraded=tuple(Degradation(stage=s, reason=r) for s, r in notes.problems.items()),
            usage=asker.meter.report(),
            provenance=Provenance(
                program=f"top-down {self.version}",
                lm=parts.model.name,
                catalog=parts.catalog.fingerprint,
                seed=request.seed,
            ),
        )


def _split(themes: list[Planned], count: int) -> tuple[list[Planned], list[Planned]]:
    return themes[:count], themes[count:]


def _shown(sections: Sequence[Section]) -> set[str]:
    return {item.item_id for section in sections for item in section.items}
