"""A realistic evaluation report, and ways to vary it. The numbers are drawn from a seed; the intervals are real."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import numpy as np

from genrec.evaluation.agreement import Agreement, JudgeCard
from genrec.evaluation.bootstrap import Interval, mean_interval, paired_difference
from genrec.evaluation.results import Difference, EvaluationReport, Metric, Program, WeakSection

PROGRAMS = ("packaged", "popular", "static", "repeat", "als", "one-prompt")

METRICS = (
    Metric(name="recall", group="next purchases", higher_is_better=True,
           about="share of what the shopper bought later that is on the page"),
    Metric(name="ndcg_2d", group="next purchases", higher_is_better=True,
           about="whether what was bought later is near the top left, where the eye begins"),
    Metric(name="reciprocal_rank", group="next purchases", higher_is_better=True,
           about="1 / place of the first item that was bought later"),
    Metric(name="judge.item.relevance", group="judges", higher_is_better=True,
           about="share of items that belong under their section's title"),
    Metric(name="judge.section.appeal", group="judges", higher_is_better=True,
           about="whether the title makes this shopper want to look"),
    Metric(name="judge.section.clarity", group="judges", higher_is_better=True,
           about="whether the title says what will be found"),
    Metric(name="judge.page.cohesion", group="judges", higher_is_better=True,
           about="whether the sections make one page"),
    Metric(name="judge.guardrail.allowed", group="judges", higher_is_better=True,
           about="share of items that may be shown to this shopper"),
    Metric(name="intra_list_diversity", group="page", higher_is_better=True,
           about="how unlike each other the items are; mean of 1 - cosine over pairs"),
    Metric(name="miscalibration", group="page", higher_is_better=False,
           about="how far the mix of departments is from the shopper's own (Kullback-Leibler, nats)"),
    Metric(name="novelty", group="page", higher_is_better=None,
           about="how few shoppers have bought the items, in bits"),
    Metric(name="degraded", group="page", higher_is_better=False,
           about="share of pages on which a stage did less than it should have"),
    Metric(name="seconds", group="cost", higher_is_better=False, about="wall time to compose a page"),
    Metric(name="lm_tokens", group="cost", higher_is_better=False, about="tokens in and out of the language model"),
    Metric(name="dollars", group="cost", higher_is_better=False, about="price of the language model's calls"),
)  # fmt: skip

LEVELS: Mapping[str, tuple[float, ...]] = {
    "recall": (0.31, 0.24, 0.19, 0.318, 0.27, 0.22),
    "ndcg_2d": (0.212, 0.15, 0.108, 0.236, 0.17, 0.131),
    "reciprocal_rank": (0.34, 0.29, 0.21, 0.41, 0.33, 0.25),
    "judge.item.relevance": (0.88, 0.93, 0.9, 0.52, 0.41, 0.72),
    "judge.section.appeal": (0.71, 0.52, 0.6, 0.48, 0.44, 0.7),
    "judge.section.clarity": (0.82, 0.9, 0.84, 0.66, 0.6, 0.78),
    "judge.page.cohesion": (0.66, 0.61, 0.63, 0.5, 0.43, 0.65),
    "judge.guardrail.allowed": (0.994, 0.97, 0.972, 0.986, 0.968, 0.961),
    "intra_list_diversity": (0.71, 0.78, 0.74, 0.69, 0.66, 0.73),
    "miscalibration": (0.38, 0.91, 1.12, 0.11, 0.33, 0.62),
    "novelty": (6.1, 2.2, 6.8, 5.4, 3.9, 6.3),
    "degraded": (0.06, 0.0, 0.0, 0.02, 0.0, 0.21),
    "seconds": (14.2, 0.004, 0.41, 0.006, 0.02, 61.3),
    "lm_tokens": (9120.0, 0.0, 0.0, 0.0, 0.0, 3410.0),
}
"""What each program is about, in the order of PROGRAMS."""

SCALES: Mapping[str, float] = {"novelty": 0.7, "seconds": 9.0, "lm_tokens": 1800.0, "miscalibration": 0.2}
"""How much a shopper differs, but never more than half of the level; 0.15 if not said."""


def example_report(
    *, programs: Sequence[str] = PROGRAMS, shoppers: int = 200, metrics: Sequence[Metric] = METRICS, **changes: Any
) -> EvaluationReport:
    """The report; `changes` replace its fields. A program beyond the sixth has the levels of an earlier one."""
    report = _report(tuple(programs), shoppers, tuple(metrics))
    return EvaluationReport.model_validate(dict(report) | changes)


@lru_cache(maxsize=32)
def _report(names: tuple[str, ...], count: int, metrics: tuple[Metric, ...]) -> EvaluationReport:
    random = np.random.default_rng(7)
    taste = random.normal(size=count)
    programs = tuple(_program(name, place, taste, metrics, random) for place, name in enumerate(names))
    return EvaluationReport(
        created_at=datetime(2026, 8, 20, 9, 12, tzinfo=UTC),
        catalog="sample 9f2c81aa07b3d4e5",
        on=date(2026, 6, 15),
        weeks=8,
        match="leaf",
        sections=6,
        items_per_section=8,
        shoppers=tuple(f"household-{n}" for n in range(count)),
        metrics=metrics,
        programs=programs,
        differences=tuple(
            difference
            for metric in metrics
            for baseline in programs[1:]
            if (difference := _difference(metric, programs[0], baseline))
        ),
        weakest=tuple(weak for name in names[:6] for weak in weak_sections(name)),
        judges=CARDS,
        notes=(
            "Judges were calibrated on the sample catalog; these shoppers buy from it too.",
            "Purchases are a proxy: a shopper may like what was never bought.",
        ),
    )


def _program(name: str, place: int, taste: Any, metrics: tuple[Metric, ...], random: np.random.Generator) -> Program:
    by_shopper = {metric.name: _values(metric.name, place, taste, random) for metric in metrics}
    return Program(
        name=name,
        provenance=f"{name} 1.0" + (", smollm2-135m-q4_0" if place % 5 == 0 else ", no LM"),
        pages=len(taste),
        means={metric: mean_interval(values, resamples=300) for metric, values in by_shopper.items()},
        by_shopper=by_shopper,
    )


def _values(metric: str, place: int, taste: Any, random: np.random.Generator) -> tuple[float | None, ...]:
    levels = LEVELS.get(metric)
    if levels is None:
        return (None,) * len(taste)
    level, scale = levels[place % len(levels)], SCALES.get(metric, 0.15)
    if metric == "degraded":
        return tuple(float(x) for x in random.random(len(taste)) < level)
    if metric in SCALES:
        scale = min(scale, level / 2)
    drawn = np.maximum(level + scale * (0.7 * taste + 0.7 * random.normal(size=len(taste))), 0)
    kept = drawn if SCALES.get(metric) else np.minimum(drawn, 1)
    nobody = metric in ("recall", "ndcg_2d", "reciprocal_rank")
    return tuple(None if nobody and n % 20 == 19 else float(x) for n, x in enumerate(kept))


def _difference(metric: Metric, first: Program, baseline: Program) -> Difference | None:
    ours, theirs = first.by_shopper[metric.name], baseline.by_shopper[metric.name]
    interval = paired_difference(ours, theirs, resamples=300)
    if interval is None:
        return None
    sign = -1 if metric.higher_is_better is False else 1
    gaps = [sign * (a - b) for a, b in zip(ours, theirs, strict=True) if a is not None and b is not None]
    return Difference(
        metric=metric.name,
        baseline=baseline.name,
        difference=interval,
        wins=sum(gap > 0 for gap in gaps),
        losses=sum(gap < 0 for gap in gaps),
    )


def card(criterion: str, kappa: float | None, bar: float = 0.6, **changes: Any) -> JudgeCard:
    """A card with this kappa; None: nothing is defined."""

    def near(value: float | None, width: float = 0.07) -> Interval | None:
        return None if value is None else Interval(value=value, low=value - width, high=min(value + width, 1), n=240)

    said: dict[str, Any] = {
        "judge": "learned",
        "criterion": criterion,
        "fingerprint": "sha256:41c09b7ee2",
        "gold": "sha256:a81f03bd55, test",
        "cases": 240,
        "agreement": Agreement(
            kappa=near(kappa),
            auc=near(None if kappa is None else 0.5 + kappa / 2.1, 0.04),
            true_positive_rate=near(None if kappa is None else 0.6 + kappa / 3, 0.05),
            true_negative_rate=near(None if kappa is None else 0.5 + kappa / 3, 0.06),
        ),
        "ceiling": near(0.81, 0.05),
        "bar": bar,
    }
    return JudgeCard.model_validate(said | changes)


CARDS = (
    card("item.relevance", 0.78, 0.7),
    card("section.appeal", 0.34),
    card("section.clarity", 0.63),
    card("page.cohesion", 0.41, cases=60, ceiling=None),
    card("guardrail.allowed", 0.91, 0.8, judge="rules"),
)

_WEAK = (
    (0.12, "Weeknight essentials for everyone",
     ("Clumping cat litter, 20 lb", "Whole milk, 1 gal", "AA batteries, 8 pack", "Gala apples, 3 lb"),
     ("Cat litter and batteries do not belong under a title about weeknight meals.",
      "The title would fit any shopper: nothing in it is about this one.")),
    (0.21, "A fresh start to the morning",
     ("Orange juice, 52 fl oz", "Frozen pepperoni pizza", "Greek yogurt, plain"),
     ("Pizza is not a breakfast for this household, which buys it on Fridays only.",)),
    (0.27, "Quick snacks", ("Rice cakes", "Salted peanuts, 16 oz", "Pretzel twists"),
     ("'Quick snacks' names a shelf, not an intent.",)),
)  # fmt: skip


def weak_sections(program: str) -> tuple[WeakSection, ...]:
    """Three weak sections of one program, worst first."""
    return tuple(
        WeakSection(
            program=program, shopper_id=f"household-{17 * n + len(program)}", title=title, items=items,
            score=score, reasons=reasons,
        )
        for n, (score, title, items, reasons) in enumerate(_WEAK)
    )  # fmt: skip
