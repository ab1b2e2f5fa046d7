"""The numbers of one page in an evaluation, by name, and what the names mean."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from genrec.catalog.store import Catalog
from genrec.evaluation.groundedness import groundedness
from genrec.evaluation.held_out import Match, Split, purchase_metrics
from genrec.evaluation.judges import CRITERIA
from genrec.evaluation.metrics import catalog_coverage, cohesion, gini, intra_list_diversity, miscalibration, novelty
from genrec.evaluation.panel import PageVerdict
from genrec.evaluation.results import Metric
from genrec.evaluation.spending import completeness, spending
from genrec.page import Page, PageRequest
from genrec.programs.affinity import History
from genrec.programs.policy import Policy

Values = dict[str, float | None]

BOUGHT, JUDGED, SHOWN, COST = "next purchases", "judges", "page", "cost"

METRICS: tuple[Metric, ...] = tuple(
    Metric(name=name, group=group, about=about, higher_is_better=better)
    for group, name, better, about in (
        (BOUGHT, "recall", True, "share of what was bought later that the page showed"),
        (BOUGHT, "ndcg_2d", True, "the same, with what stands near the top left counting more (two-dimensional nDCG)"),
        (BOUGHT, "recall_new", True, "share of the later purchases of kinds never bought before that the page showed"),
        (BOUGHT, "ndcg_2d_new", True, "two-dimensional nDCG of kinds never bought before: discovery"),
        (
            BOUGHT,
            "section_precision",
            True,
            "share of sections that showed something bought later which none above them shows",
        ),
        (BOUGHT, "section_ndcg", True, "whether sections with more later purchases stand higher"),
        (BOUGHT, "section_mrr", True, "1 / rank of the first section with a later purchase"),
        (BOUGHT, "lower_half_gain", None, "what the lower half of the sections adds to those above, in ndcg_2d"),
        (JUDGED, "judge.score", True, "all judges that may decide, as one number"),
        *((JUDGED, f"judge.{name}", True, f"what the judge of {name} says, 0 to 1") for name in CRITERIA),
        (SHOWN, "completeness", True, "items shown, of those asked for"),
        (SHOWN, "denied", False, "share of the items shown that a policy rule denies"),
        (SHOWN, "intra_list_diversity", True, "how unlike the items of a page are: mean of 1 - cosine"),
        (SHOWN, "novelty", None, "how rarely the items are bought: mean of -log2 of their share of sales"),
        (SHOWN, "miscalibration", False, "how far the page's departments are from the shopper's own (Steck's C_KL)"),
        (SHOWN, "cohesion", True, "share of pairs of titles that are neither alike nor a jumble"),
        (SHOWN, "grounded_titles", True, "share of what titles claim that goods, request or history bear out"),
        (SHOWN, "grounded_reasons", True, "share of the items' reasons that are so"),
        (SHOWN, "coverage", True, "share of the catalog shown to anyone"),
        (SHOWN, "gini", False, "how unevenly items are shown: 1 is always the same ones"),
        (COST, "empty", False, "share of pages without an item"),
        (COST, "degraded", False, "share of pages on which a stage did less than it should have"),
        (COST, "tokens", False, "tokens that the LM read and wrote for a page"),
        (COST, "lm_seconds", False, "seconds spent on the LM for a page"),
        (COST, "dollars", False, "price of a page; unknown where no price is known"),
    )
)
"""Every metric of an evaluation, in the order to show. Formulas: metrics.py, carousels.py, held_out.py, panel.py."""

OVER_PAGES = ("coverage", "gini")
"""Numbers of all pages together: they have no value for one page."""


def page_values(
    page: Page,
    request: PageRequest,
    catalog: Catalog,
    policy: Policy,
    *,
    split: Split,
    match: Match,
    sales: float,
    verdict: PageVerdict | None,
) -> Values:
    """All metrics of one page but `OVER_PAGES`; None where one is not defined. `sales` is the catalog's total."""
    ids = [item.item_id for section in page.sections for item in section.items]
    known = [i for i in ids if i in catalog.items]
    sold = [min(catalog.items[i].popularity, sales) for i in known]  # what is sold out is not in the total
    titles = [section.theme.title for section in page.sections]
    grounds = groundedness(page, request, catalog)
    together = cohesion(catalog.embedder.encode(titles) if titles else [])  # of nothing it is 0
    spent = spending([page])
    values: Values = {
        **(purchase_metrics(page, request, split, catalog.items, match) if split.after else {}),
        **(_judged(verdict) if verdict is not None else {}),
        "completeness": completeness(page, request),
        "denied": _denied(page, request, catalog, policy),
        "intra_list_diversity": intra_list_diversity(_vectors(known, catalog)),
        "novelty": novelty(sold, sales) if sold and sales else None,
        "miscalibration": _miscalibration(page, request, catalog),
        "cohesion": together.inside if together is not None else None,
        "grounded_titles": grounds.titles,
        "grounded_reasons": grounds.reasons,
        "empty": float(not ids),
        "degraded": spent.degraded,
        "tokens": float(spent.input_tokens + spent.output_tokens),
        "lm_seconds": spent.seconds,
        "dollars": spent.dollars,
    }
    return {metric.name: values.get(metric.name) for metric in METRICS if metric.name not in OVER_PAGES}


def values_over_pages(pages: Sequence[Page], catalog: Catalog) -> Values:
    """Coverage of the catalog and the Gini index of exposure, over all pages."""
    shown = [[i.item_id for s in page.sections for i in s.items] for page in pages]
    return {"coverage": catalog_coverage(shown, catalog.items), "gini": gini(shown, catalog.items)}


def _judged(verdict: PageVerdict) -> Values:
    return {"judge.score": verdict.total, **{f"judge.{name}": value for name, value in verdict.scores.items()}}


def _denied(page: Page, request: PageRequest, catalog: Catalog, policy: Policy) -> float | None:
    """Items that a rule denies / items shown that the catalog knows; None when there are none."""
    verdicts = [
        verdict.allowed
        for section in page.sections
        for verdict in policy.check(
            request,
            section.theme.title,
            [catalog.items[i.item_id] for i in section.items if i.item_id in catalog.items],
        )
    ]
    return 1.0 - sum(verdicts) / len(verdicts) if verdicts else None


def _miscalibration(page: Page, request: PageRequest, catalog: Catalog) -> float | None:
    history = Counter(catalog.items[p.item_id].department for p in History(request, catalog).purchases)
    ids = [i.item_id for s in page.sections for i in s.items if i.item_id in catalog.items]
    shown = Counter(catalog.items[i].department for i in ids)
    return miscalibration(_weights(history), _weights(shown))


def _weights(counts: Mapping[str, int]) -> dict[str, float]:
    return {name: float(count) for name, count in counts.items() if name}


def _vectors(ids: Sequence[str], catalog: Catalog) -> np.ndarray:
    return np.stack([catalog.vector_of(i) for i in ids]) if ids else np.zeros((0, catalog.embedder.dim), np.float32)
