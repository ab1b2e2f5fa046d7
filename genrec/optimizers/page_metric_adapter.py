"""The page metric as DSPy's optimizers call it: examples, a score with feedback, and traces worth teaching."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import dspy

from genrec.catalog.store import Catalog
from genrec.evaluation.page_metric import METRIC, PageScore, relevance, score_page
from genrec.page import Page, PageRequest, Section
from genrec.programs.planning import title_problem

Step = tuple[dspy.Predict, dict[str, Any], dspy.Prediction]
"""One entry of a DSPy trace: predictor, inputs, outputs."""


@dataclass(frozen=True)
class Yardstick:
    """What compiling climbs."""

    name: str
    """Names the arithmetic, or the judges and what they decide; a compiled version carries it."""
    score: Callable[[Page, PageRequest], PageScore]
    """A page's total, and why it is not higher."""
    label: str = "page score"
    """What a report calls the total."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers has to know, a line each."""


def page_yardstick(catalog: Catalog) -> Yardstick:
    """`score_page`: arithmetic over the page alone."""
    return Yardstick(METRIC, lambda page, request: score_page(page, request, catalog))


def examples(requests: Iterable[PageRequest]) -> list[dspy.Example]:
    """Unlabelled examples for a page program: `request` is the only input."""
    return [dspy.Example(request=request).with_inputs("request") for request in requests]


class PageMetric:
    """A yardstick as a DSPy metric; its answer compares like a number and carries the reason as `feedback`."""

    def __init__(
        self,
        catalog: Catalog,
        on_score: Callable[[PageScore], None] = lambda score: None,
        *,
        yardstick: Yardstick | None = None,
    ) -> None:
        """`on_score` is called after every page. `yardstick` is `page_yardstick` when not given."""
        self._catalog = catalog
        self._on_score = on_score
        self._yardstick = yardstick or page_yardstick(catalog)

    def __call__(
        self,
        example: dspy.Example,
        prediction: dspy.Prediction,
        trace: list[Step] | None = None,
        pred_name: str | None = None,
        pred_trace: list[Step] | None = None,
    ) -> dspy.Prediction:
        """Return dspy.Prediction(score, feedback); works for bootstrapping and for GEPA."""
        score = self._yardstick.score(prediction.page, example.request)
        self._on_score(score)
        return dspy.Prediction(score=score.total, feedback=score.reason)


class TeachingMetric(PageMetric):
    """A metric for BootstrapFewShot: cuts the trace down to the page's best section, and scores 0 if none may teach.

    Left alone, BootstrapFewShot draws one of a predictor's calls at random, and most calls of a page are samples whose
    title was refused. It reads the demonstrations from the very list that the metric is given.
    """

    def __init__(
        self,
        catalog: Catalog,
        on_score: Callable[[PageScore], None] = lambda score: None,
        *,
        yardstick: Yardstick | None = None,
        least: float = 0.5,
    ) -> None:
        """A section whose mean relevance is below `least` teaches nothing."""
        super().__init__(catalog, on_score, yardstick=yardstick)
        self._least = least
        self._taught: set[str] = set()

    def __call__(
        self,
        example: dspy.Example,
        prediction: dspy.Prediction,
        trace: list[Step] | None = None,
        pred_name: str | None = None,
        pred_trace: list[Step] | None = None,
    ) -> dspy.Prediction:
        """Score the page and leave in `trace` the calls that planned and described its best section."""
        result = super().__call__(example, prediction, trace, pred_name, pred_trace)
        if trace is None:
            return result
        trace[:] = self._best_steps(trace, prediction.page)
        return result if trace else dspy.Prediction(score=0.0, feedback=f"no section may teach; {result.feedback}")

    def _best_steps(self, trace: list[Step], page: Page) -> list[Step]:
        def worth(section: Section) -> float:
            return relevance(section, self._catalog)

        for section in sorted(page.sections, key=worth, reverse=True):
            title = section.theme.title
            if worth(section) < self._least or title_problem(title) or title in self._taught:
                continue
            planned = [step for step in trace if title in _well_planned(step)][:1]
            if planned:
                self._taught.add(title)
                return planned + [step for step in trace if step[1].get("title") == title][:1]
        return []


def _well_planned(step: Step) -> list[str]:
    """Titles that a call wrote, if it planned and all of them read well."""
    titles = [theme.title for theme in step[2].get("themes") or []]
    return [] if any(title_problem(title) for title in titles) else titles
