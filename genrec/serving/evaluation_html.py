"""An evaluation as one self-contained HTML file: the main table, the differences, the weakest sections and the judges.

How numbers are read is in evaluation_reading.py, the drawings are in evaluation_plots.py, the wording and the style in
templates/evaluation.html.j2.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from genrec.evaluation.agreement import JudgeCard
from genrec.evaluation.bootstrap import RESAMPLES, Interval
from genrec.evaluation.results import Difference, EvaluationReport, Metric, Program, WeakSection
from genrec.serving.evaluation_plots import Row, plot_intervals
from genrec.serving.evaluation_reading import (
    JUDGED,
    SCORE,
    Standing,
    advisory,
    by_group,
    counted,
    decimals,
    difference_of,
    headline,
    key_metrics,
    mean_text,
    number,
    sections_advisory,
    span,
    standing,
    verdict,
)
from genrec.serving.safe_text import clean, read_template

if TYPE_CHECKING:
    from jinja2 import Template

SIGNS = {
    Standing.BETTER: "▲",
    Standing.WORSE: "▼",
    Standing.HIGHER: "△",
    Standing.LOWER: "▽",
    Standing.UNSHOWN: "≈",
    Standing.UNKNOWN: "?",
}
"""The sign beside the word, so that a row can be scanned."""


def render_report(report: EvaluationReport) -> str:
    """Render one HTML document: no script, no request, every text escaped; the same report gives the same bytes.

    `report` has at least one program.
    """
    first, said = report.programs[0], headline(report)
    judged = [metric.name for metric in report.metrics if metric.name.startswith(JUDGED)]
    known = {card.criterion for card in report.judges}
    return _template().render(
        report=report,
        signs=SIGNS,
        first=first,
        headline=said,
        day=f"{report.on:%A} {report.on.day} {report.on:%B %Y}",
        groups=_groups(report),
        keys=[_forest(report, metric) for metric in key_metrics(report)],
        differences=_differences(report),
        drawings=[(group, [_means(report, metric) for metric in members]) for group, members in _drawable(report)],
        weakest=_weakest(report),
        sections_advisory=sections_advisory(report),
        cards=[_card(card) for card in report.judges],
        judges_drawing=_judges_drawing(report),
        unmeasured=[name for name in judged if name != SCORE and name.removeprefix(JUDGED) not in known],
        resamples=RESAMPLES,
        glossary=by_group(report.metrics),
        advice={metric.name: advisory(report, metric) for metric in report.metrics},
    )


class _Cell(NamedTuple):
    """One program's number on one metric."""

    value: str
    """Empty: there is none."""
    span: str
    over: str
    """Over how many shoppers, where that differs within the row."""
    mark: Standing | None
    """How the program stands to the first."""
    accent: bool
    """Whether it is the first program."""


class _Line(NamedTuple):
    """One metric's row of the main table."""

    metric: Metric
    over: str
    """Over how many shoppers, where it is not all of them and the same for every program."""
    cells: list[_Cell]


class _Compared(NamedTuple):
    """One paired difference in words. `stands` is how the first program stands to the baseline."""

    metric: str
    baseline: str
    value: str
    span: str
    wins: int
    losses: int
    shoppers: int
    stands: Standing


class _Card(NamedTuple):
    """What a judge's word is worth, written."""

    card: JudgeCard
    figures: list[tuple[str, str]]
    """Kappa, AUC, TPR, TNR and ceiling with their intervals."""
    why: str


class _Weak(NamedTuple):
    """The weakest sections of one program."""

    program: str
    sections: list[WeakSection]


def _groups(report: EvaluationReport) -> list[tuple[str, list[_Line]]]:
    return [(group, [_line(report, metric) for metric in members]) for group, members in by_group(report.metrics)]


def _line(report: EvaluationReport, metric: Metric) -> _Line:
    counts = {mean.n for program in report.programs if (mean := program.means.get(metric.name))}
    total = len(report.shoppers)
    told = f"over {counts.pop():,} of {counted(total, 'shopper')}" if len(counts) == 1 and counts != {total} else ""
    return _Line(metric, told, [_cell(report, metric, program, counts=bool(counts)) for program in report.programs])


def _cell(report: EvaluationReport, metric: Metric, program: Program, *, counts: bool) -> _Cell:
    accent, mean = program is report.programs[0], program.means.get(metric.name)
    if mean is None:
        return _Cell("", "", "", None, accent)
    digits = decimals(report, metric)
    compared = None if accent else difference_of(report, metric.name, program.name)
    return _Cell(
        value=mean_text(mean, digits),
        span=span(mean, digits),
        over=counted(mean.n, "shopper") if counts and mean.n != len(report.shoppers) else "",
        mark=standing(metric, compared.difference).opposite if compared else None,
        accent=accent,
    )


def _forest(report: EvaluationReport, metric: Metric) -> tuple[Metric, str]:
    """The paired differences of one metric, drawn: the first program's better side is always the right."""
    digits = decimals(report, metric)
    rows = [
        Row(
            label=found.baseline,
            value=found.difference.value,
            low=found.difference.low,
            high=found.difference.high,
            text=number(found.difference.value, digits, signed=True),
            accent=(clear := standing(metric, found.difference) in (Standing.BETTER, Standing.WORSE)),
            filled=clear,
        )
        for found in report.differences
        if found.metric == metric.name
    ]
    drawn = plot_intervals(
        rows,
        name=f"difference-{report.metrics.index(metric)}",
        title=f"{_titled(report, metric)}: {report.programs[0].name} minus each baseline",
        description="; ".join(f"{row.label} {row.text}" for row in rows),
        digits=digits,
        zero=True,
        flip=metric.higher_is_better is False,
        ends=("worse", "better"),
    )
    return metric, drawn


def _differences(report: EvaluationReport) -> list[_Compared]:
    metrics = {metric.name: metric for metric in report.metrics}
    return [_compared(report, metrics[found.metric], found) for found in report.differences if found.metric in metrics]


def _compared(report: EvaluationReport, metric: Metric, found: Difference) -> _Compared:
    digits, interval = decimals(report, metric), found.difference
    return _Compared(
        metric=metric.name,
        baseline=found.baseline,
        value=number(interval.value, digits, signed=True),
        span=span(interval, digits, signed=True),
        wins=found.wins,
        losses=found.losses,
        shoppers=interval.n,
        stands=standing(metric, interval),
    )


def _drawable(report: EvaluationReport) -> list[tuple[str, list[Metric]]]:
    """Metrics that any program has, by group."""
    return by_group(m for m in report.metrics if any(program.means.get(m.name) for program in report.programs))


def _means(report: EvaluationReport, metric: Metric) -> tuple[Metric, str]:
    digits = decimals(report, metric)
    rows = [
        _mean_row(program, program.means.get(metric.name), digits, accent=place == 0)
        for place, program in enumerate(report.programs)
    ]
    drawn = plot_intervals(
        rows,
        name=f"mean-{report.metrics.index(metric)}",
        title=f"{_titled(report, metric)} of each program",
        description="; ".join(f"{row.label} {row.text}" for row in rows),
        digits=digits,
    )
    return metric, drawn


def _titled(report: EvaluationReport, metric: Metric) -> str:
    return metric.name + (" (advisory)" if advisory(report, metric) else "")


def _mean_row(program: Program, mean: Interval | None, digits: int, *, accent: bool) -> Row:
    if mean is None:
        return Row(program.name, None, None, None, "none", named=accent)
    text = mean_text(mean, digits)
    return Row(program.name, mean.value, mean.low, mean.high, text, accent=accent, named=accent)


def _weakest(report: EvaluationReport) -> list[_Weak]:
    """Programs with weak sections, in the report's order; sections as they come, worst first."""
    names = dict.fromkeys([program.name for program in report.programs] + [weak.program for weak in report.weakest])
    found = [_Weak(name, [weak for weak in report.weakest if weak.program == name]) for name in names]
    return [weak for weak in found if weak.sections]


def _card(card: JudgeCard) -> _Card:
    of = card.agreement
    figures = (of.kappa, of.auc, of.true_positive_rate, of.true_negative_rate, card.ceiling)
    return _Card(card, [(number(i.value, 2), span(i, 2)) if i else ("", "") for i in figures], verdict(card))


def _judges_drawing(report: EvaluationReport) -> str:
    """Each card's kappa beside its bar; empty when no card has one."""
    criteria = [card.criterion for card in report.judges]
    rows = [
        Row(
            label=card.criterion if criteria.count(card.criterion) == 1 else f"{card.judge}: {card.criterion}",
            value=kappa.value,
            low=kappa.low,
            high=kappa.high,
            text=f"{number(kappa.value, 2)} of {number(card.bar, 2)}",
            accent=card.earned,
            filled=card.earned,
            ticks=(card.bar,),
        )
        for card in report.judges
        if (kappa := card.agreement.kappa)
    ]
    if not rows:
        return ""
    return plot_intervals(
        rows,
        name="judges-kappa",
        title="Agreement of each judge with the gold judgments: weighted kappa beside its bar",
        description="; ".join(f"{row.label} {row.text}" for row in rows),
        digits=2,
    )


@lru_cache(maxsize=1)
def _template() -> "Template":
    from markupsafe import Markup

    return read_template(
        "evaluation.html.j2",
        drawing=Markup,  # only what plot_intervals returns
        counted=counted,
        breakable=lambda name: Markup("<wbr>").join(re.split(r"(?<=[._/@:-])(?=.)", clean(name))),
    )
