"""An evaluation on a terminal: the main table, the differences, the judges in a line.

What the numbers mean is in evaluation_reading.py, and the whole of the report in evaluation_html.py.
"""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from genrec.evaluation.results import EvaluationReport, Metric, Program
from genrec.serving.evaluation_reading import (
    JUDGED,
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
    span,
    standing,
)
from genrec.serving.safe_text import clean

PIPE_COLUMNS = 140
"""Columns when nobody's terminal says how many there are."""

NAME_COLUMNS = 24
"""Widest name of a metric; a longer one goes on below."""

PROGRAM_COLUMNS = 14
"""Widest name of a program above its numbers; a longer one goes on below."""

SIGNS = {
    Standing.BETTER: "+",
    Standing.WORSE: "-",
    Standing.HIGHER: ">",
    Standing.LOWER: "<",
    Standing.UNSHOWN: "~",
    Standing.UNKNOWN: "?",
}
"""ASCII, so that any terminal and any pipe can show them."""

WORDS = {Standing.UNSHOWN: "not shown", Standing.UNKNOWN: "not known"}
"""Shorter words, for a narrow column."""


def print_report(report: EvaluationReport, *, console: Console | None = None) -> None:
    """Print the report to stdout: plain when piped, and programs that do not fit go into further tables.

    `report` has at least one program.
    """
    if console is None:
        console = Console()
        console = console if console.is_terminal else Console(width=PIPE_COLUMNS)
    said = headline(report)
    console.print(_text(said.title, style="bold"))
    for sentence in said.details:
        console.print(_text(sentence))
    console.print(_text(_setting(report), style="dim"))
    for programs in _blocks(report, console.width):
        console.print()
        console.print(_main_table(report, programs))
    if len(report.programs) > 1 and report.metrics:
        console.print(_text(_legend(report), style="dim"))
    if keys := key_metrics(report):
        console.print()
        console.print(_difference_table(report, keys))
    console.print()
    if advice := _advice(report):
        console.print(_text(advice))
    for note in report.notes:
        console.print(_text(f"note: {note}"))


def _setting(report: EvaluationReport) -> str:
    weeks = (
        "no later purchases" if report.weeks is None else f"the next {counted(report.weeks, 'week')}, {report.match}"
    )
    return f"{counted(len(report.shoppers), 'shopper')} · {report.on.isoformat()} · {weeks} · {report.catalog}"


def _blocks(report: EvaluationReport, width: int) -> Iterator[tuple[Program, ...]]:
    """Programs that fit beside each other; the first one begins every block, since the others are marked against it."""
    first, rest = report.programs[0], report.programs[1:]
    room = width - _name_width(report) - 2 - _width(report, first)
    block: tuple[Program, ...] = ()
    for program in rest:
        need = _width(report, program) + 2
        if block and need > room - sum(_width(report, other) + 2 for other in block):
            yield (first, *block)
            block = ()
        block = (*block, program)
    yield (first, *block)


def _name_width(report: EvaluationReport) -> int:
    return min(max((len(_name(report, metric)) for metric in report.metrics), default=6), NAME_COLUMNS)


def _width(report: EvaluationReport, program: Program) -> int:
    cells = [len(_cell(report, metric, program)) for metric in report.metrics]
    return max([min(len(clean(program.name)), PROGRAM_COLUMNS), *cells])


def _main_table(report: EvaluationReport, programs: Sequence[Program]) -> Table:
    table = _table()
    table.add_column("metric", overflow="fold", max_width=_name_width(report))
    for program in programs:
        table.add_column(_text(program.name), justify="right", overflow="fold", width=_width(report, program))
    for group, members in by_group(report.metrics):
        table.add_row(_text(group, style="bold"))
        for metric in members:
            cells = [Text(_cell(report, metric, program)) for program in programs]
            cells[0].stylize("bold")
            table.add_row(_text(_name(report, metric)), *cells)
    return table


def _name(report: EvaluationReport, metric: Metric) -> str:
    return metric.name + (" *" if advisory(report, metric) else "")


def _cell(report: EvaluationReport, metric: Metric, program: Program) -> str:
    """A mean and the sign of how the program stands to the first one, e.g. `0.240 -`."""
    mean = program.means.get(metric.name)
    if mean is None:
        return "none  "
    compared = None if program is report.programs[0] else difference_of(report, metric.name, program.name)
    sign = SIGNS[standing(metric, compared.difference).opposite] if compared else " "
    return f"{mean_text(mean, decimals(report, metric))} {sign}"


def _legend(report: EvaluationReport) -> str:
    first = clean(report.programs[0].name)
    lines = [
        f"+ better, - worse than {first} on the same shoppers (95% interval of the difference leaves out 0); "
        "~ no difference shown"
    ]
    metrics = {metric.name: metric for metric in report.metrics}
    found = {standing(metrics[d.metric], d.difference) for d in report.differences if d.metric in metrics}
    if found & {Standing.HIGHER, Standing.LOWER}:
        lines.append("> higher, < lower: neither is better")
    if Standing.UNKNOWN in found:
        lines.append("? cannot be told")
    return "; ".join(lines)


def _difference_table(report: EvaluationReport, keys: Sequence[Metric]) -> Table:
    first = report.programs[0].name
    table = _table()
    table.add_column(_text(f"{first} minus"), overflow="fold", max_width=30)
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("95% interval", no_wrap=True)
    table.add_column("better for", justify="right", no_wrap=True)
    table.add_column("it is", no_wrap=True)
    for metric in keys:
        digits = decimals(report, metric)
        table.add_row(_text(_name(report, metric), style="bold"))
        for found in report.differences:
            if found.metric != metric.name:
                continue
            interval = found.difference
            table.add_row(
                _text(f"  {found.baseline}"),
                number(interval.value, digits, signed=True),
                Text(span(interval, digits, signed=True) or "none"),
                f"{found.wins} of {interval.n}",
                WORDS.get(stands := standing(metric, interval), stands.value),
            )
    return table


def _advice(report: EvaluationReport) -> str:
    """One line on the judges that have not earned to decide; empty when all have."""
    found = [(metric.name.removeprefix(JUDGED), advisory(report, metric)) for metric in report.metrics]
    advice = [f"{criterion}: {why}" for criterion, why in found if why]
    return f"* advisory ({len(advice)}): {'; '.join(advice)}" if advice else ""


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))


def _text(words: str, style: str = "") -> Text:
    return Text(clean(words), style=style)
