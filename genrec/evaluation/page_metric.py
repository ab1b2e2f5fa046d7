"""How good a page is, from the page alone: pure arithmetic over gate scores and vectors, no LM and no judgments.

It is what `genrec compile` climbs. Whether a page is liked is measured elsewhere, with judges and held-out purchases.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec.catalog.store import Catalog
from genrec.evaluation.spending import completeness, spending
from genrec.page import Page, PageRequest, Section, Value
from genrec.programs.affinity import History
from genrec.programs.planning import title_problem

WEIGHTS: Mapping[str, float] = {
    "gate_relevance": 0.30,
    "history_fit": 0.15,
    "diversity": 0.10,
    "distinctness": 0.10,
    "titles": 0.15,
    "completeness": 0.15,
    "valid_output": 0.05,
}
"""Share of each component in the total; what is not available (None) gives its share to the others."""

METRIC = "page-metric-1"
"""Name of this arithmetic; it changes whenever a formula or a weight does."""


class PageScore(Value):
    """One page's score and why it is not higher. Every component is in [0, 1], higher is better."""

    shopper_id: str = Field(description="who the page is for")
    gate_relevance: float = Field(description="mean P(relevant | theme, item) of what is shown")
    history_fit: float | None = Field(description="mean affinity of what is shown to the history; null without one")
    diversity: float | None = Field(description="how far apart the sections are; null with one section")
    distinctness: float | None = Field(description="how different the closest two titles are; null with one section")
    titles: float = Field(description="share of the titles written that were fit to show")
    completeness: float = Field(description="what is shown, of what was asked for")
    valid_output: float | None = Field(description="share of the LM calls with a usable answer; null without calls")
    total: float = Field(description="weighted mean of the components that are there")
    reason: str = Field(description="the component and the section that cost most, for an optimizer to read")

    def components(self) -> dict[str, float]:
        """The components that are there, by name."""
        values = {name: getattr(self, name) for name in WEIGHTS}
        return {name: value for name, value in values.items() if value is not None}


def score_page(page: Page, request: PageRequest, catalog: Catalog) -> PageScore:
    """Score `page` as an answer to `request`; looks at no purchase after `request.on`.

    total = sum of weight * component / sum of weight, over the components that are not None (`WEIGHTS`). A page without
    sections scores 0 in everything that is about what is shown. An item that the catalog does not have counts
    as irrelevant and as unlike the history, and has no place in the diversity.
    """
    shown = [item for section in page.sections for item in section.items]
    known = [catalog.vector_of(item.item_id) for item in shown if item.item_id in catalog.items]
    values: dict[str, float | None] = {
        "gate_relevance": _mean([relevance(section, catalog) for section in page.sections], page.sections),
        "history_fit": _history_fit(known, len(shown), History(request, catalog)),
        "diversity": _diversity(page, catalog),
        "distinctness": _distinctness(page, catalog),
        "titles": _titles(page),
        "completeness": completeness(page, request),
        "valid_output": _valid_output(page),
    }
    total = weighted_mean(values)
    return PageScore.model_validate(
        {**values, "shopper_id": page.shopper_id, "total": total, "reason": _reason(values, page, catalog)}
    )


def weighted_mean(values: Mapping[str, float | None]) -> float:
    """sum(w * v) / sum(w) over the values that are there, w from `WEIGHTS`; 0 when none is."""
    there = {name: value for name, value in values.items() if value is not None}
    weight = sum(WEIGHTS[name] for name in there)
    return sum(WEIGHTS[name] * value for name, value in there.items()) / weight if weight else 0.0


def mean_scores(scores: Sequence[PageScore]) -> dict[str, float]:
    """Means over pages of the total and of each component, every component over the pages that have it."""
    named = [{"total": score.total, **score.components()} for score in scores]
    columns = {name: [row[name] for row in named if name in row] for name in ("total", *WEIGHTS)}
    return {name: sum(column) / len(column) for name, column in columns.items() if column}


def relevance(section: Section, catalog: Catalog) -> float:
    """Mean P(relevant | theme, item) of a section's items; an item that the catalog does not have counts 0."""
    scores = [item.relevance if item.item_id in catalog.items else 0.0 for item in section.items]
    return sum(scores) / len(scores) if scores else 0.0


def _mean(sections: list[float], shown: tuple[Section, ...]) -> float:
    """Mean over items, from the means of their sections."""
    items = sum(len(section.items) for section in shown)
    return sum(m * len(s.items) for m, s in zip(sections, shown, strict=True)) / items if items else 0.0


def _history_fit(known: list[NDArray[np.float32]], shown: int, history: History) -> float | None:
    """Sum of `History.affinity` over the known items shown / all items shown; None without a history."""
    if not history.item_ids:
        return None
    return float(history.affinity(np.stack(known)).sum()) / shown if known else 0.0


def _diversity(page: Page, catalog: Catalog) -> float | None:
    """Mean over pairs of sections of 1 - max(0, cosine of their centroids); None with fewer than two to compare.

    A section's centroid is the mean vector of its items, at unit length. Source: intra-list distance, Ziegler et
    al., WWW 2005, with sections for items.
    """
    centroids = []
    for section in page.sections:
        rows = [catalog.vector_of(item.item_id) for item in section.items if item.item_id in catalog.items]
        if rows:
            mean = np.mean(rows, axis=0)
            centroids.append(mean / max(float(np.linalg.norm(mean)), 1e-9))
    cosines = _pairs(np.stack(centroids)) if len(centroids) > 1 else None
    if cosines is None:
        return None if page.sections else 0.0
    return float((1.0 - cosines).mean())


def _distinctness(page: Page, catalog: Catalog) -> float | None:
    """1 - max over pairs of sections of max(0, cosine of their titles); None with one section."""
    if len(page.sections) < 2:
        return None if page.sections else 0.0
    return float(1.0 - _pairs(catalog.embedder.encode([s.theme.title for s in page.sections])).max())


def _pairs(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of every two rows, clipped to [0, 1], (n * (n - 1) / 2,)."""
    upper: NDArray[np.float32] = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return upper.clip(0.0, 1.0)


def _titles(page: Page) -> float:
    """Titles shown that read well / (titles shown + titles that planning refused): what the LM's writing was worth."""
    good = sum(not title_problem(section.theme.title) for section in page.sections)
    refused = sum(drop.stage == "plan" for drop in page.drops)
    return good / (len(page.sections) + refused) if page.sections else 0.0


def _valid_output(page: Page) -> float | None:
    """1 - failures / calls, over all stages; None when the LM was not asked.

    A call that failed before it was answered may be missing among the calls, so that failures can outnumber them.
    """
    spent = spending([page])
    return 1.0 - spent.failures / most if (most := max(spent.calls, spent.failures)) else None


def _reason(values: Mapping[str, float | None], page: Page, catalog: Catalog) -> str:
    """The component that costs the total most, then the least relevant section."""
    if not page.sections:
        return "the page is empty"
    there = {name: value for name, value in values.items() if value is not None}
    worst = max(there, key=lambda name: WEIGHTS[name] * (1.0 - there[name]))
    section = min(page.sections, key=lambda s: relevance(s, catalog))
    problem = title_problem(section.theme.title)
    about = f"{len(section.items)} items of mean relevance {relevance(section, catalog):.2f}"
    parts = [
        f"{worst} is {there[worst]:.2f} and costs most",
        f"the weakest section is {section.theme.title!r}: {about}{f', its title {problem}' if problem else ''}",
    ]
    refused = [drop for drop in page.drops if drop.stage == "plan"]
    if refused:
        parts.append(f"{len(refused)} titles were refused, e.g. {refused[0].subject!r}: {refused[0].reason}")
    parts += [f"{step.stage}: {step.reason}" for step in page.degraded]
    return "; ".join(parts)
