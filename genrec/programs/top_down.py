"""TopDown: themes first, then the items that fill them. `forward` reads like the list in docs/architecture.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import dspy

from genrec.catalog.store import Catalog
from genrec.lm.connect import LanguageModel, open_lm
from genrec.page import Page, PageRequest
from genrec.programs.asking import Asker
from genrec.programs.composing import Composer, page_of
from genrec.programs.facts import shopper_facts
from genrec.programs.fallback import static_themes
from genrec.programs.filling import Filler, Notes
from genrec.programs.gather import ConceptGroup, Gatherer
from genrec.programs.library import KnownWords
from genrec.programs.planning import Planned, Planner
from genrec.programs.policy import Policy, ShopPolicy
from genrec.programs.ranking import BlendRanker, Ranker
from genrec.programs.relevance import CrossEncoderGate, RelevanceModel
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
    lm_guard: bool
    """Whether a large LM is asked as a guard, after the rules."""

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
        lm_guard: bool = True,
    ) -> None:
        """Compose the program from its parts; each has a default that works offline.

        `threshold` is the least P(relevant) that is shown (default: the gate's own). `deadline` is how many seconds a
        page may spend on the LM. `lm_guard` lets a large LM remove what the rules allowed; whether it is any good at
        that, evaluation/guard.py knows. The program starts with the packaged demonstrations.
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
            lm_guard=lm_guard,
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
        guard = self.guard if parts.lm_guard else None
        composer = Composer(parts.catalog, parts.policy, parts.ranker, parts.filler, self.describe, guard)
        sections, short = composer.filled(asker, request, facts, themes, notes)
        sections = composer.completed(sections, short, groups, request, notes)
        return dspy.Prediction(
            page=page_of(
                sections,
                request,
                notes,
                parts.catalog,
                program=f"top-down {self.version}",
                lm=parts.model.name,
                usage=asker.meter.report(),
            )
        )

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
