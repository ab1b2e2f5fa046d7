"""How an evaluation report is read: who is better, what is advisory, how a number is written, what comes first.

Nothing is drawn or printed here. evaluation_html.py and evaluation_table.py both read by these rules, so that the same
numbers never say two things.
"""

import math
import re
from collections.abc import Iterable
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from genrec.evaluation.agreement import JudgeCard
from genrec.evaluation.bootstrap import LEAST, Interval
from genrec.evaluation.results import Difference, EvaluationReport, Metric, Program

KEYS_PER_GROUP = 2
"""Most metrics of a group whose differences are drawn. All of them are in the HTML report's table of differences."""

SCORE = "judge.score"
"""All judges that may decide, as one number."""
ALWAYS = ("recall", "ndcg_2d", "recall_new", "ndcg_2d_new", SCORE)
"""Metrics whose differences are always shown."""
JUDGED = "judge."
"""What the name of a metric begins with when a judge said it; the criterion follows."""


class Standing(StrEnum):
    """How one program stands to another on the same shoppers."""

    BETTER = "better"
    WORSE = "worse"
    HIGHER = "higher"
    """More of what is neither good nor bad."""
    LOWER = "lower"
    UNSHOWN = "no difference shown"
    """The interval of the paired difference holds 0."""
    UNKNOWN = "cannot be told"
    """There is no interval: too few shoppers for one."""

    @property
    def opposite(self) -> "Standing":
        """How the other one stands to this one."""
        pairs = {Standing.BETTER: Standing.WORSE, Standing.HIGHER: Standing.LOWER}
        return (pairs | {b: a for a, b in pairs.items()}).get(self, self)


def standing(metric: Metric, difference: Interval) -> Standing:
    """How the first of two programs stands, from the interval of (first - other)."""
    if difference.low is None or difference.high is None:
        return Standing.UNKNOWN
    if difference.low <= 0 <= difference.high:
        return Standing.UNSHOWN
    more = difference.low > 0
    if metric.higher_is_better is None:
        return Standing.HIGHER if more else Standing.LOWER
    return Standing.BETTER if more == metric.higher_is_better else Standing.WORSE


def difference_of(report: EvaluationReport, metric: str, baseline: str) -> Difference | None:
    """The first program against this baseline on this metric; None when it was not compared."""
    return next((d for d in report.differences if d.metric == metric and d.baseline == baseline), None)


def advisory(report: EvaluationReport, metric: Metric) -> str:
    """Why a metric's numbers are no more than advice; empty when they may decide.

    A judged metric decides when its criterion has a card, and every card of it has earned to; the score of all judges,
    when all that it is made of do.
    """
    if not metric.name.startswith(JUDGED):
        return ""
    if metric.name == SCORE:
        earned = {card.criterion for card in report.judges if card.earned}
        unearned = [criterion for criterion in report.deciding if criterion not in earned]
        return f"it counts judges that have not earned it: {', '.join(unearned)}" if unearned else ""
    cards = [card for card in report.judges if card.criterion == metric.name.removeprefix(JUDGED)]
    if not cards:
        return "its agreement with gold judgments was not measured"
    return next((verdict(card) for card in cards if not card.earned), "")


def sections_advisory(report: EvaluationReport) -> bool:
    """Whether the scores of single sections are advice: some judge of items or sections has not earned to decide."""
    parts = [m for m in report.metrics if m.name.startswith((f"{JUDGED}section.", f"{JUDGED}item."))]
    return not parts or any(advisory(report, metric) for metric in parts)


def verdict(card: JudgeCard) -> str:
    """Why a judge decides or does not, e.g. `0.41 is below its bar of 0.60`."""
    kappa = card.agreement.kappa
    if kappa is None:
        return "its agreement is not defined on these cases"
    if not card.told:
        return f"{counted(card.cases, 'case')} of too few themes or shoppers cannot tell"
    if not card.earned:
        return f"kappa {kappa.value:.2f} is below its bar of {card.bar:.2f}"
    if kappa.low is not None and kappa.low < card.bar:
        return f"kappa {kappa.value:.2f} reaches its bar of {card.bar:.2f}; the interval begins below it"
    return f"kappa {kappa.value:.2f} is above its bar of {card.bar:.2f}"


def by_group(metrics: Iterable[Metric]) -> list[tuple[str, list[Metric]]]:
    """Metrics by group, groups in the order of their first metric."""
    listed = list(metrics)
    order = list(dict.fromkeys(metric.group for metric in listed))
    ranked = sorted(listed, key=lambda metric: order.index(metric.group))
    return [(group, list(members)) for group, members in groupby(ranked, key=lambda metric: metric.group)]


def key_metrics(report: EvaluationReport) -> list[Metric]:
    """Metrics whose differences to show first: up to KEYS_PER_GROUP a group, those that may decide before advice."""
    compared = {difference.metric for difference in report.differences}
    usable = [m for m in report.metrics if m.name in compared and m.higher_is_better is not None]
    usable = [m for m in usable if m.name in ALWAYS or _moves(report, m)]
    chosen: set[str] = set()
    for _, members in by_group(usable):
        ranked = sorted(members, key=lambda metric: bool(advisory(report, metric)))
        chosen.update(metric.name for metric in ranked[:KEYS_PER_GROUP])
        chosen.update(metric.name for metric in members if metric.name in ALWAYS)
    return [metric for metric in usable if metric.name in chosen]


def _moves(report: EvaluationReport, metric: Metric) -> bool:
    """Whether any two programs differ for any shopper."""
    return any(d.wins or d.losses for d in report.differences if d.metric == metric.name)


def decimals(report: EvaluationReport, metric: Metric) -> int:
    """Digits after the point that give the greatest mean three figures; at least 3 up to 1, where shares are."""
    means = [program.means.get(metric.name) for program in report.programs]
    greatest = max((abs(mean.value) for mean in means if mean and math.isfinite(mean.value)), default=0.0)
    if greatest == 0:
        return 3
    figures = 2 - math.floor(math.log10(greatest))
    return min(max(figures, 3 if greatest <= 1 else 0), 6)


def number(value: float, digits: int, *, signed: bool = False) -> str:
    """Write a number, e.g. `0.310`, `17,450`, `+0.070`; the minus sign is typographic."""
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def mean_text(interval: Interval, digits: int) -> str:
    """Write the mean; one that is not 0 is never written as 0: `<0.1`."""
    least = 10**-digits
    return f"<{least:.{digits}f}" if 0 < interval.value < least / 2 else number(interval.value, digits)


def span(interval: Interval, digits: int, *, signed: bool = False) -> str:
    """Write the interval alone, e.g. `[0.281, 0.339]`; empty when there is none."""
    if interval.low is None or interval.high is None:
        return ""
    return f"[{number(interval.low, digits, signed=signed)}, {number(interval.high, digits, signed=signed)}]"


def counted(count: int, noun: str) -> str:
    """Write `1 shopper`, `2 shoppers`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


class Headline(NamedTuple):
    """What the report comes down to."""

    title: str
    """One sentence: the first program and the strongest baseline on one metric."""
    details: list[str]
    """Further sentences: how sure, how the other baselines stand, what the judges' word is worth."""


def headline(report: EvaluationReport) -> Headline:
    """Say in words what the numbers say, on the metric that a reader understands best.

    That is the share of later purchases found, else the first metric that may decide, else advice, and cost last. The
    baseline named is the strongest on that metric.
    """
    first, rest = report.programs[0], report.programs[1:]
    metric = _headline_metric(report)
    pages = f"{first.name} made {counted(first.pages, 'page')} for {counted(len(report.shoppers), 'shopper')}"
    if metric is None:
        return Headline(f"{pages}. Nothing of them could be measured.", _judges_line(report))
    strongest = _strongest(metric, rest)
    caution = advisory(report, metric)
    details = [f"This number is advisory: {caution}."] if caution else []
    if strongest is None:
        details.append("It was compared with nothing." if not rest else "No baseline has this number.")
        return Headline(f"{_says(report, metric, first)}.", details + _judges_line(report))
    title = f"{_says(report, metric, first, strongest)}; {_says(report, metric, strongest, first, short=True)}"
    difference = difference_of(report, metric.name, strongest.name)
    if difference is None:
        return Headline(f"{title}.", [*details, "The difference was not measured.", *_judges_line(report)])
    stands = standing(metric, difference.difference)
    if stands in (Standing.UNSHOWN, Standing.UNKNOWN):
        title += ": not shown to be different"
    details = [_difference_line(report, metric, difference, stands), *details, *_baselines_line(report, metric)]
    return Headline(f"{title}.", details + _judges_line(report))


def _headline_metric(report: EvaluationReport) -> Metric | None:
    first = report.programs[0]
    usable = [m for m in report.metrics if m.higher_is_better is not None and first.means.get(m.name)]
    return min(
        usable,
        key=lambda m: (m.group == "cost", bool(advisory(report, m)), not _is_recall(m)),
        default=None,
    )


def _is_recall(metric: Metric) -> bool:
    return bool(re.match(r"recall(\W|_|$)", metric.name))


def _strongest(metric: Metric, programs: Iterable[Program]) -> Program | None:
    """The program with the best mean; the first of equals; None when none has one."""
    sign = 1 if metric.higher_is_better else -1
    known = [(mean.value, program) for program in programs if (mean := program.means.get(metric.name))]
    return max(known, key=lambda pair: sign * pair[0], default=(0.0, None))[1]


def _says(
    report: EvaluationReport, metric: Metric, program: Program, beside: Program | None = None, *, short: bool = False
) -> str:
    """`packaged finds 31% of what shoppers bought in the next 8 weeks`; short: `popular finds 24%`."""
    mean = program.means[metric.name]
    other = beside.means.get(metric.name) if beside else None
    assert mean is not None
    if _is_recall(metric):
        weeks = f"in the next {counted(report.weeks, 'week')}" if report.weeks else "later"
        close = other is not None and f"{mean.value:.0%}" == f"{other.value:.0%}"
        said = f"{program.name} finds {mean.value:{'.1%' if close else '.0%'}}"
        what = "the kinds of things that" if report.match == "leaf" else "what"
        return said if short else f"{said} of {what} shoppers bought {weeks}"
    lower = "" if metric.higher_is_better else " (lower is better)"
    said = f"{program.name} scores {number(mean.value, decimals(report, metric))}"
    return said if short else f"{said} on {metric.name}{lower}"


def _difference_line(report: EvaluationReport, metric: Metric, difference: Difference, stands: Standing) -> str:
    digits, interval = decimals(report, metric), difference.difference
    told = f"Difference {number(interval.value, digits)} {span(interval, digits)}".rstrip()
    if stands is Standing.UNKNOWN:
        told += f"; with fewer than {LEAST} shoppers no interval can be given"
    first = report.programs[0].name
    shoppers = f"{first} is better for {difference.wins:,} of {counted(interval.n, 'shopper')}"
    return f"{told}: {shoppers}, worse for {difference.losses:,}."


def _baselines_line(report: EvaluationReport, metric: Metric) -> list[str]:
    """How all baselines stand on the metric, when there are several."""
    found = [standing(metric, d.difference) for d in report.differences if d.metric == metric.name]
    if len(found) < 2:
        return []
    counts = (
        (found.count(Standing.BETTER), "better than"),
        (found.count(Standing.WORSE), "worse than"),
        (found.count(Standing.UNSHOWN) + found.count(Standing.UNKNOWN), "not shown to differ from"),
    )
    parts = [f"{words} {count}" for count, words in counts if count]
    said = " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else parts[0]
    return [f"Of {len(found)} baselines, {report.programs[0].name} is {said}."]


def _judges_line(report: EvaluationReport) -> list[str]:
    """What the judges' word is worth, when any judged."""
    judged = [metric for metric in report.metrics if metric.name.startswith(JUDGED)]
    if not judged:
        return []
    advice = sum(bool(advisory(report, metric)) for metric in judged)
    if not advice:
        return ["Every judge agrees with the gold judgments well enough to decide."]
    if advice == len(judged):
        return ["No judge agrees with the gold judgments well enough to decide: all that judges say here is advisory."]
    return [
        f"{advice} of {len(judged)} judged metrics {'is' if advice == 1 else 'are'} advisory: "
        "their judges do not agree with the gold judgments well enough to decide."
    ]
