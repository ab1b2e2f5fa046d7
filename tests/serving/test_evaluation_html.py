"""The HTML report: what it says is what the numbers say, and it stays whole whatever it is given."""

import re
from typing import Any

import pytest

from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.results import Difference, EvaluationReport, Metric, Program, WeakSection
from genrec.serving.evaluation_html import render_report
from genrec.serving.evaluation_plots import Row, plot_intervals, short
from genrec.serving.evaluation_reading import Standing, headline, key_metrics, number, standing
from tests.serving.evaluation_report_example import CARDS, METRICS, PROGRAMS, card, example_report
from tests.serving.test_page_html import HOSTILE, Document

RECALL, NOVELTY = METRICS[0], METRICS[10]


class Parsed(Document):
    """A document with its tables as rows of cells' texts."""

    VOID = Document.VOID | {"wbr"}

    def __init__(self, markup: str) -> None:
        self.tables: list[list[list[str]]] = []
        super().__init__(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if {"td", "th"} & set(self.open):
            space = "" if not data[:1].isalnum() or self.tags[-1][0] == "wbr" else " "
            self.tables[-1][-1][-1] = " ".join(f"{self.tables[-1][-1][-1]}{space}{data}".split())


def parsed(report: EvaluationReport) -> Parsed:
    return Parsed(render_report(report))


def row(table: list[list[str]], name: str) -> list[str]:
    return next(cells for cells in table if cells[0] == name or cells[0].startswith(f"{name} "))


def tiny_report(
    *others: float, low: float = 0.03, high: float = 0.11, metric: Metric = RECALL, **changes: Any
) -> EvaluationReport:
    """`packaged` at 0.31 against others on one metric, all with the same interval of the difference."""
    names = ["packaged", *(f"other-{n}" for n in range(len(others)))]
    programs = tuple(
        Program(
            name=name,
            provenance="",
            pages=200,
            means={metric.name: Interval(value=value, low=value - 0.01, high=value + 0.01, n=200)},
            by_shopper={metric.name: (value,) * 200},
        )
        for name, value in zip(names, (0.31, *others), strict=True)
    )
    differences = tuple(
        Difference(
            metric=metric.name,
            baseline=name,
            difference=Interval(value=0.31 - value, low=low, high=high, n=200),
            wins=120,
            losses=45,
        )
        for name, value in zip(names[1:], others, strict=True)
    )
    said: dict[str, Any] = {
        "metrics": (metric,),
        "programs": programs,
        "differences": differences,
        "judges": (),
        "weakest": (),
    }
    return example_report().model_copy(update=said | changes)


def test_headline_names_the_strongest_baseline_and_how_sure_it_is() -> None:
    said = headline(tiny_report(0.19, 0.24))
    assert (
        said.title
        == "packaged finds 31% of the kinds of things that shoppers bought in the next 8 weeks; other-1 finds 24%."
    )
    assert said.details == [
        "Difference 0.070 [0.030, 0.110]: packaged is better for 120 of 200 shoppers, worse for 45.",
        "Of 2 baselines, packaged is better than 2.",
    ]


def test_headline_says_when_nothing_is_shown() -> None:
    said = headline(tiny_report(0.3, low=-0.02, high=0.04))
    assert said.title.endswith("; other-0 finds 30%: not shown to be different.")
    assert "not shown" not in headline(tiny_report(0.3, low=0.001, high=0.04)).title


def test_headline_tells_apart_what_rounds_to_the_same() -> None:
    assert "finds 31.0% of" in headline(tiny_report(0.312)).title
    assert headline(tiny_report(0.312)).title.endswith("other-0 finds 31.2%.")


def test_headline_on_a_metric_without_a_phrase_of_its_own() -> None:
    metric = Metric(name="miscalibration", group="page", about="x", higher_is_better=False)
    said = headline(tiny_report(0.5, 0.2, metric=metric, low=0.05, high=0.2))
    assert said.title == "packaged scores 0.310 on miscalibration (lower is better); other-1 scores 0.200."
    assert said.details[1] == "Of 2 baselines, packaged is worse than 2."


def test_headline_on_a_judge_that_has_not_earned_to_decide_says_so() -> None:
    metric = Metric(name="judge.section.appeal", group="judges", about="x", higher_is_better=True)
    said = headline(tiny_report(0.2, metric=metric, judges=CARDS, weeks=None))
    assert "packaged scores 0.310 on judge.section.appeal" in said.title
    assert "This number is advisory: kappa 0.34 is below its bar of 0.60." in said.details


def test_head_says_what_was_compared_on_how_many_shoppers_and_which_day() -> None:
    report = example_report()
    document = parsed(report)
    for words in (
        "Monday 15 June 2026",
        "200, the same for every program",
        "next 8 weeks, all of one leaf category counting as one",
    ):
        assert words in document.words
    for program in report.programs:
        assert program.provenance in document.words
    for note in report.notes:
        assert note in document.words
    assert headline(report).title in document.words


def test_main_table_has_every_number_with_its_interval_and_how_it_stands() -> None:
    table = parsed(example_report()).tables[0]
    assert table[0] == ["Metric", *PROGRAMS]
    recall = row(table, "recall")
    assert re.fullmatch(r"0\.\d{3} ?\[0\.\d{3}, 0\.\d{3}\]", recall[1])
    assert [cell.partition("]")[2].strip() for cell in recall[1:]] == [
        *("", "▼ worse", "▼ worse", "≈ no difference shown", "▼ worse", "▼ worse"),
    ]
    assert "over 190 of 200 shoppers" in recall[0]
    assert row(table, "miscalibration")[4].endswith("▲ better")
    assert row(table, "novelty")[2].endswith("▽ lower")
    assert row(table, "dollars")[1:] == ["none"] * 6
    assert row(table, "seconds")[2].startswith("<0.1")
    groups = [cells[0] for cells in table if len(cells) == 2]
    assert groups == ["next purchases", "judges", "page", "cost"]


@pytest.mark.parametrize(
    ("better", "low", "high", "expected"),
    [
        (True, 0.1, 0.2, Standing.BETTER),
        (True, -0.2, -0.1, Standing.WORSE),
        (False, 0.1, 0.2, Standing.WORSE),
        (False, -0.2, -0.1, Standing.BETTER),
        (None, 0.1, 0.2, Standing.HIGHER),
        (None, -0.2, -0.1, Standing.LOWER),
        (True, 0.0, 0.2, Standing.UNSHOWN),
        (True, -0.1, 0.2, Standing.UNSHOWN),
        (True, None, None, Standing.UNKNOWN),
    ],
)
def test_standing(better: bool | None, low: float | None, high: float | None, expected: Standing) -> None:
    metric = RECALL.model_copy(update={"higher_is_better": better})
    assert standing(metric, Interval(value=0.1, low=low, high=high, n=3)) is expected
    assert expected.opposite.opposite is expected


def test_differences_are_given_in_words_and_numbers_and_the_key_ones_are_drawn() -> None:
    report = example_report()
    document = parsed(report)
    table = next(table for table in document.tables if "Baseline" in table[0])
    assert len(table) == 1 + len(report.differences)
    first = report.differences[0]
    assert table[1][1] == "popular" and table[1][4] == f"{first.wins} of 190"
    assert table[1][-1] == "▲ better"
    drawn = [attrs.get("id") or "" for tag, attrs in document.tags if tag == "title" and "difference" in str(attrs)]
    assert len(drawn) == len(key_metrics(report)) == 8


def test_key_metrics_prefer_what_may_decide_and_leave_out_what_has_no_better_side() -> None:
    names = [metric.name for metric in key_metrics(example_report())]
    assert names[:4] == ["recall", "ndcg_2d", "judge.item.relevance", "judge.section.clarity"]
    assert "novelty" not in names


def test_advisory_numbers_are_marked_wherever_they_appear() -> None:
    document = parsed(example_report())
    advised, decided = "judge.section.appeal", "judge.item.relevance"
    tables = [table for table in document.tables if any(cells[0].startswith(advised) for cells in table)]
    assert len(tables) == 2
    for table in tables:
        assert all("advisory" in cells[0] for cells in table if cells[0].startswith(advised))
        assert not any("advisory" in cells[0] for cells in table if cells[0].startswith(decided))
    assert f"{advised} (advisory) of each program" in document.words
    assert f"{decided} of each program" in document.words
    chips = [attrs.get("title") for tag, attrs in document.tags if attrs.get("class") == "chip" and attrs.get("title")]
    assert {"kappa 0.34 is below its bar of 0.60", "kappa 0.41 is below its bar of 0.60"} == set(chips)


def test_a_judged_metric_without_a_card_is_advisory() -> None:
    document = parsed(example_report(judges=CARDS[1:]))
    assert "their agreement with gold judgments was not measured: judge.item.relevance" in document.words
    assert "advisory" in row(document.tables[0], "judge.item.relevance")[0]


def test_judges_table_spells_out_who_decides() -> None:
    undefined = card("page.fit", None)
    document = parsed(example_report(judges=(*CARDS, undefined)))
    table = next(table for table in document.tables if "Its word" in table[0])
    words = {cells[0].split()[0]: cells[1] for cells in table[1:]}
    assert words["item.relevance"].startswith("decides kappa 0.78 is above")
    assert words["section.appeal"].startswith("advisory kappa 0.34 is below")
    assert words["section.clarity"].startswith(
        "decides kappa 0.63 reaches its bar of 0.60; the interval begins below it"
    )
    assert words["page.fit"] == "advisory its agreement is not defined on these cases"
    cohesion = row(table, "page.cohesion")
    assert cohesion[2:5] == ["0.60", "0.41[0.34, 0.48]", "not known"]
    assert row(table, "page.fit")[3] == "none"


def test_weak_sections_are_listed_by_program_worst_first_with_items_and_reasons() -> None:
    report = example_report()
    words = parsed(report).words
    assert words.count("of 1 , advisory") + words.count("of 1, advisory") == len(report.weakest)
    places = [words.index(weak.title) for weak in report.weakest[:3]]
    assert places == sorted(places)
    for weak in report.weakest:
        for part in (*weak.items, *weak.reasons, weak.shopper_id):
            assert part in words
    parts = [m.name.removeprefix("judge.") for m in METRICS if m.name.startswith(("judge.section.", "judge.item."))]
    earned = [card(criterion, 0.9) for criterion in parts]
    assert "of 1, advisory" in parsed(example_report(judges=earned[1:])).words, "one of them was never measured"
    assert "of 1, advisory" not in parsed(example_report(judges=earned)).words


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render_report(example_report()) == render_report(example_report())


def test_nothing_is_requested_and_nothing_runs() -> None:
    markup = render_report(example_report())
    document = Parsed(markup)
    assert {tag for tag, _ in document.tags} & {"script", "link", "iframe", "base", "form", "object", "img"} == set()
    assert all(value.startswith("#") for value in document.values("href", "src"))
    assert not any("xlink" in name or name.startswith("on") for _, attrs in document.tags for name in attrs)
    assert "@import" not in markup and not re.search(r"url\((?!#)", markup)
    assert "default-src 'none'; style-src 'unsafe-inline'" in document.values("content")
    assert sum(tag == "style" for tag, _ in document.tags) == 1


def test_ids_are_unique_and_every_reference_is_there() -> None:
    markup = render_report(example_report())
    document = Parsed(markup)
    ids = document.values("id")
    assert len(ids) == len(set(ids))
    wanted = {value[1:] for value in document.values("href")} | set(re.findall(r"url\(#([^)]+)\)", markup))
    assert wanted | set(document.values("aria-labelledby", "aria-describedby")) <= set(ids)


def test_drawings_have_names_and_headings_are_in_order() -> None:
    document = parsed(example_report())
    drawings = [attrs for tag, attrs in document.tags if tag == "svg"]
    assert len(drawings) == 8 + 14 + 1
    assert all(attrs["role"] == "img" and attrs["aria-labelledby"] for attrs in drawings)
    levels = [int(tag[1]) for tag, _ in document.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def hostile_report(text: str) -> EvaluationReport:
    """A report in which every free text is `text`."""
    report = example_report(programs=("a", "b"), shoppers=5)
    judged = Metric(name=f"judge.{text}", group=text, about=text, higher_is_better=True)
    means = {judged.name: Interval(value=0.5, low=0.4, high=0.6, n=5)}
    programs = tuple(
        Program(name=name, provenance=text, pages=4, means=means, by_shopper={}) for name in (text, f"{text}!")
    )
    difference = Interval(value=0.1, low=0.05, high=0.2, n=5)
    weak = WeakSection(program=text, shopper_id=text, title=text, items=(text,), score=0.1, reasons=(text,))
    said: dict[str, Any] = {
        "catalog": text,
        "match": text,
        "shoppers": (text,) * 5,
        "metrics": (judged,),
        "programs": programs,
        "differences": (Difference(metric=judged.name, baseline=f"{text}!", difference=difference, wins=3, losses=1),),
        "weakest": (weak,),
        "judges": (card(text, 0.3, judge=text, fingerprint=text, gold=text),),
        "notes": (text,),
    }
    return report.model_copy(update=said)


@pytest.mark.parametrize("text", [*HOSTILE, "$x^2$ \\frac{1}{2}", "@0 @1", "<!-- ]]>", "字 🍎 ﷽"])
def test_hostile_text_is_shown_as_text_wherever_it_comes_from(text: str) -> None:
    document, harmless = parsed(hostile_report(text)), parsed(hostile_report("x" * len(text)))
    shape, expected = (
        [(tag, list(attrs)) for tag, attrs in found.tags if tag != "wbr"] for found in (document, harmless)
    )
    assert shape == expected
    assert document.words.count(" ".join(text.split())) >= 15


def test_marks_that_reorder_text_and_control_characters_are_left_out() -> None:
    markup = render_report(hostile_report("a\x00b\x1b[31m\u202ec\x0bd"))
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", markup)
    assert "a b [31mc d" in Parsed(markup).words


def test_one_program_is_described_without_comparisons() -> None:
    document = parsed(example_report(programs=("packaged",)))
    assert document.tables[0][0] == ["Metric", "packaged"]
    assert "It was compared with nothing." in document.words
    assert "differences" not in document.values("id")
    assert not set("▲▼≈") & set(document.words)


def test_a_metric_that_some_programs_lack() -> None:
    report = example_report()
    lacking = report.programs[2].model_copy(update={"means": {**report.programs[2].means, "recall": None}})
    programs = (*report.programs[:2], lacking, *report.programs[3:])
    table = parsed(report.model_copy(update={"programs": programs})).tables[0]
    assert row(table, "recall")[3] == "none"
    assert row(table, "recall")[2].endswith("worse")


def test_counts_that_differ_between_programs_are_said_in_the_cell() -> None:
    report = example_report()
    fewer = Interval(value=0.2, low=0.1, high=0.3, n=150)
    lacking = report.programs[1].model_copy(update={"means": {**report.programs[1].means, "recall": fewer}})
    recall = row(parsed(example_report(programs=PROGRAMS).model_copy(
        update={"programs": (report.programs[0], lacking, *report.programs[2:])})).tables[0], "recall")  # fmt: skip
    assert "150 shoppers" in recall[2] and "190 shoppers" in recall[1] and "over" not in recall[0]


def test_without_later_purchases() -> None:
    report = example_report(metrics=METRICS[3:], weeks=None)
    assert "there were none to score against" in parsed(report).words
    assert "packaged scores" in headline(report).title


def test_without_judges_and_weak_sections() -> None:
    document = parsed(example_report(metrics=METRICS[:3], judges=(), weakest=(), notes=()))
    assert "No section was judged." in document.words
    assert "No judge was measured against gold judgments." in document.words
    assert "notes" not in document.values("id")
    assert "advisory" not in headline(example_report(metrics=METRICS[:3], judges=())).details


def test_nothing_measured_at_all() -> None:
    report = example_report(metrics=(), judges=(), weakest=(), differences=())
    document = parsed(report)
    assert "packaged made 200 pages for 200 shoppers. Nothing of them could be measured." in document.words
    assert "Nothing was measured." in document.words


def test_one_shopper_has_no_intervals_and_shows_nothing() -> None:
    report = example_report(shoppers=1)
    document = parsed(report)
    assert "with fewer than 6 shoppers no interval can be given" in document.words
    assert "not shown to be different" in headline(report).title
    assert row(document.tables[0], "recall")[2].endswith("? cannot be told")


def test_twelve_programs_with_long_names() -> None:
    names = tuple(f"models:/genrec-page-of-the-{'very ' * 8}long-name-{n}@champion" for n in range(12))
    document = parsed(example_report(programs=names, shoppers=10))
    assert document.tables[0][0] == ["Metric", *names]
    assert all(len(cells) in (2, 13) for cells in document.tables[0])
    assert any("tabindex" in attrs and attrs.get("class") == "scroll" for _, attrs in document.tags)


def test_a_long_label_loses_its_middle() -> None:
    assert short("packaged") == "packaged"
    assert short("models:/genrec-page@champion") == "models:/gen…e@champion"
    assert len(short("x" * 500)) == 22


def drawing(rows: list[Row], **changes: Any) -> Parsed:
    said: dict[str, Any] = {"name": "d", "title": "t", "description": "about", "digits": 2, **changes}
    return Parsed(plot_intervals(rows, **said))


def places(document: Parsed) -> list[float]:
    return [float(attrs["x"] or 0) for tag, attrs in document.tags if tag == "use"]


def test_a_drawing_keeps_order_and_flips_on_request() -> None:
    rows = [Row("a", -0.1, -0.2, 0.0, "-0.1"), Row("b", 0.2, 0.1, 0.3, "0.2")]
    left, right = places(drawing(rows, zero=True))
    assert left < right
    right, left = places(drawing(rows, zero=True, flip=True))
    assert left < right


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [Row("a", None, None, None, "none")],
        [Row("a", 0.0, None, None, "0")],
        [Row("a", float("nan"), None, None, "nan"), Row("b", 5e9, 5e9, 5e9, "5e9")],
    ],
)
def test_a_drawing_of_little_or_nothing(rows: list[Row]) -> None:
    document = drawing(rows)
    assert all(said.label in document.words for said in rows)
    assert "nan" not in "".join(document.values("x", "y", "d"))


def test_a_drawing_does_not_depend_on_the_users_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    rows = [Row("a", 0.1, 0.0, 0.2, "0.1")]
    expected = plot_intervals(rows, name="d", title="t", description="about", digits=2)
    for key, value in {
        "font.size": 30.0,
        "axes.labelcolor": "red",
        "svg.fonttype": "path",
        "lines.marker": "x",
    }.items():
        monkeypatch.setitem(matplotlib.rcParams, key, value)
    assert plot_intervals(rows, name="d", title="t", description="about", digits=2) == expected
    assert matplotlib.rcParams["font.size"] == 30.0


@pytest.mark.parametrize(
    ("value", "digits", "signed", "text"),
    [(0.3104, 3, False, "0.310"), (-0.07, 2, True, "−0.07"), (0.07, 2, True, "+0.07"), (-0.0001, 2, True, "0.00"),
     (17450.2, 0, False, "17,450")],
)  # fmt: skip
def test_numbers(value: float, digits: int, signed: bool, text: str) -> None:
    assert number(value, digits, signed=signed) == text
