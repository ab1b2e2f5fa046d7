"""The report on a terminal: complete at any width, plain when piped."""

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from genrec.evaluation.results import EvaluationReport
from genrec.serving.evaluation_reading import headline
from genrec.serving.evaluation_table import print_report
from tests.serving.evaluation_report_example import METRICS, PROGRAMS, example_report
from tests.serving.test_evaluation_html import hostile_report


def printed(report: EvaluationReport, *, width: int = 140, **console: Any) -> list[str]:
    out = io.StringIO()
    print_report(report, console=Console(file=out, width=width, **console))
    return out.getvalue().splitlines()


def squeezed(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines]


def test_wide_output_is_one_table_and_the_differences() -> None:
    lines = squeezed(printed(example_report()))
    assert lines[0] == headline(example_report()).title
    assert lines.count(" ".join(["metric", *PROGRAMS])) == 1
    recall = next(line for line in lines if line.startswith("recall 0"))
    assert [cell for cell in recall.split() if cell in "+-~"] == ["-", "-", "~", "-", "-"]
    assert "packaged minus difference 95% interval better for it is" in lines
    assert sum(line.startswith("one-prompt ") for line in lines) == 8
    (advice,) = [line for line in lines if line.startswith("*")]
    assert advice.startswith("* advisory (2): section.appeal: kappa 0.34 is below its bar of 0.60; page.cohesion: ")
    assert any(line.startswith("judge.section.appeal * ") for line in lines)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_number_is_lost_however_narrow(width: int) -> None:
    lines = printed(example_report(), width=width)
    assert max(cell_len(line) for line in lines) <= width
    wide, narrow = (" ".join(squeezed(found)) for found in (printed(example_report()), lines))
    assert {word for word in wide.split() if word[0].isdigit()} <= set(narrow.split())
    headers = [line for line in squeezed(lines) if line.startswith("metric ")]
    assert all(line.startswith("metric packaged") for line in headers)
    assert [name for line in headers for name in line.split()[2:]] == list(PROGRAMS[1:])


def test_twelve_long_names_at_80_columns() -> None:
    names = tuple(f"models:/genrec-page-{n}@champion" for n in range(12))
    lines = printed(example_report(programs=names, shoppers=10), width=80)
    assert max(cell_len(line) for line in lines) <= 80
    assert not any("…" in line for line in lines)
    rows = [line.split() for line in lines if line.startswith("ndcg_2d ") and "0." in line]
    assert sum(sum(cell.startswith("0.") for cell in row) - 1 for row in rows) == 11


def test_a_pipe_gets_no_colour_codes_and_140_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(example_report())
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert " ".join(["metric", *PROGRAMS]) in squeezed(out.splitlines())
    terminal = printed(example_report(), force_terminal=True, color_system="standard")
    assert any("\x1b" in line for line in terminal)


def test_one_program_has_no_signs_to_explain() -> None:
    lines = squeezed(printed(example_report(programs=("packaged",))))
    assert "metric packaged" in lines
    assert not any("better for" in line or line.startswith("+ better") for line in lines)


def test_one_shopper_and_nothing_measured() -> None:
    lines = squeezed(printed(example_report(shoppers=1)))
    assert any(line.endswith("? cannot be told") for line in lines)
    assert any(line.startswith("popular ") and line.endswith("none 1 of 1 not known") for line in lines)
    nothing = squeezed(printed(example_report(metrics=(), differences=(), judges=(), weakest=())))
    assert nothing[0] == "packaged made 200 pages for 200 shoppers. Nothing of them could be measured."


def test_without_judges_nothing_is_called_advisory() -> None:
    lines = printed(example_report(metrics=METRICS[:3], judges=()))
    assert not any("advisory" in line for line in lines)


def test_hostile_text_is_neither_markup_nor_escape_codes() -> None:
    text = "\n".join(printed(hostile_report("[bold]T[/bold] \x1b[31m\u202eevil")))
    assert "[bold]T[/bold] [31mevil" in " ".join(text.split())
    assert "\x1b" not in text and "\u202e" not in text
