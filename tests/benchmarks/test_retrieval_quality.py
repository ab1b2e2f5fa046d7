"""The arithmetic and the book-keeping of benchmarks/retrieval_quality.py, worked out by hand; no index is opened."""

import importlib.util
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from genrec.catalog.items import Item

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def quality():
    spec = importlib.util.spec_from_file_location("retrieval_quality", BENCHMARKS / "retrieval_quality.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_precision_divides_by_ten_whatever_was_returned(quality):
    grades = {"a": 2, "b": 1, "c": 0, "k": 2}
    assert quality.precision(["a", "b", "c"], grades, 2) == 0.1
    assert quality.precision(["a", "b", "c"], grades, 1) == 0.2
    assert quality.precision([], grades, 1) == 0.0


def test_an_unjudged_item_and_one_below_the_tenth_are_misses(quality):
    ten_unjudged = [f"unjudged {number}" for number in range(10)]
    assert quality.precision([*ten_unjudged, "a"], {"a": 2}, 1) == 0.0
    assert quality.precision(list("abcdefghij"), dict.fromkeys("abcdefghij", 2), 2) == 1.0


def test_repeats_counts_titles_seen_further_up(quality):
    assert quality.repeats(["Yogurt", "Yogurt", "Milk", "Yogurt"]) == 2
    assert quality.repeats([]) == 0


def test_bootstrap_agrees_with_the_normal_interval(quality):
    values = np.random.default_rng(1).normal(0.5, 0.2, 400)
    estimate = quality.bootstrap(values)
    half = 1.96 * values.std() / 20
    assert estimate.mean == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_bootstrap_of_two_themes_is_exact(quality):
    # the mean of two draws from {0, 1} is 0, 1/2 or 1, the ends with probability 1/4 each, which 95% includes
    assert quality.bootstrap(np.array([0.0, 1.0])) == (0.5, 0.0, 1.0)


def test_pairing_removes_what_themes_have_in_common(quality):
    lexical = np.random.default_rng(2).uniform(0, 0.8, 50)
    estimate = quality.bootstrap((lexical + 0.1) - lexical)
    assert (estimate.low, estimate.high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_bootstrap_repeats_itself_and_refuses_nothing(quality):
    values = np.arange(30) / 30
    assert quality.bootstrap(values) == quality.bootstrap(values)
    assert quality.bootstrap(values) != quality.bootstrap(values, seed=1)
    with pytest.raises(ValueError, match="no themes"):
        quality.bootstrap(np.empty(0))


def test_wins_ties_losses_sees_through_rounding(quality):
    differences = np.array([0.3 - 0.2, 0.3 - 0.1 - 0.2, -0.1, 0.0, 0.8])
    assert quality.wins_ties_losses(differences) == (2, 2, 1)


def item(item_id: str, title: str, leaf: str = "Dairy") -> Item:
    return Item(item_id=item_id, title=title, categories=("Grocery", leaf))


ITEMS = {i.item_id: i for i in (item("1", "Milk"), item("2", "Milk"), item("3", "Milk", "Bakery"), item("4", "Bread"))}


def test_one_of_a_look_is_asked_for_all_of_a_theme(quality):
    pairs = [("t1", "2"), ("t1", "1"), ("t1", "3"), ("t2", "2")]
    spoken = quality.to_ask(pairs, ITEMS, judged=[])
    assert spoken == {
        ("t1", "1"): ("t1", "1"),
        ("t1", "2"): ("t1", "1"),
        ("t1", "3"): ("t1", "3"),
        ("t2", "2"): ("t2", "2"),
    }


def test_judged_pairs_are_not_asked_and_speak_for_their_look(quality):
    judged = [("t1", "2"), ("t1", "gone from the index")]
    assert quality.to_ask([("t1", "2"), ("t1", "1")], ITEMS, judged) == {("t1", "1"): ("t1", "2")}


SPOKEN = {("t1", "1"): ("t1", "1"), ("t1", "2"): ("t1", "1"), ("t2", "4"): ("t2", "4")}


def answer(theme_id: str, item_id: str, grade: object) -> dict[str, object]:
    return {"theme_id": theme_id, "item_id": item_id, "grade": grade}


def test_merged_gives_the_grade_to_the_whole_look(quality):
    grades, problems = quality.merged(SPOKEN, {("t9", "1"): 1}, [answer("t1", "1", 2), answer("t2", "4", 0)])
    assert problems == []
    assert grades == {("t9", "1"): 1, ("t1", "1"): 2, ("t1", "2"): 2, ("t2", "4"): 0}


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (answer("t2", "4", 3), "invalid"),
        (answer("t2", "4", True), "invalid"),
        (answer("t2", "4", "2"), "invalid"),
        (answer("t1", "1", 1), "keep one"),
        (answer("t1", "2", 2), "unknown"),
        ({"theme_id": "t2"}, "invalid"),
    ],
)
def test_merged_names_what_is_wrong_and_what_is_missing(quality, row, word):
    _, problems = quality.merged(SPOKEN, {}, [answer("t1", "1", 2), row])
    assert len(problems) == 2
    assert word in problems[0]
    assert problems[1] == "missing: ('t2', '4')"


def merge(quality, tmp_path: Path, answers: list[dict[str, object]], *flags: str):
    out, judgments = tmp_path / "out", tmp_path / "judgments.jsonl"
    out.mkdir(exist_ok=True)
    quality.write_lines(out / "pairs.jsonl", [{"theme_id": t, "item_id": i, "as": SPOKEN[t, i][1]} for t, i in SPOKEN])
    quality.write_lines(tmp_path / "answers.jsonl", answers)
    command = ["merge", str(out), str(tmp_path / "answers.jsonl"), "--judgments", str(judgments), *flags]
    result = CliRunner().invoke(quality.main, command)
    return result, judgments.read_text("utf-8").splitlines() if judgments.exists() else None


def test_merge_writes_sorted_grades_or_nothing(quality, tmp_path):
    result, lines = merge(quality, tmp_path, [answer("t2", "4", 1)])
    assert (result.exit_code, lines) == (1, None)
    assert "missing: ('t1', '1')" in result.output
    result, lines = merge(quality, tmp_path, [answer("t2", "4", 1)], "--partial")
    assert (result.exit_code, lines) == (0, [json.dumps(answer("t2", "4", 1))])
    result, lines = merge(quality, tmp_path, [answer("t1", "1", 2), answer("t2", "4", 1)])
    assert result.exit_code == 0
    assert [json.loads(line) for line in lines] == [
        answer("t1", "1", 2),
        answer("t1", "2", 2),
        answer("t2", "4", 1),
    ]


def test_a_line_that_is_no_object_is_named(quality, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n\n{"a"\n')
    with pytest.raises(Exception, match=r"x\.jsonl:3"):
        quality.read_lines(tmp_path / "x.jsonl")


def test_the_themes_are_those_that_the_readme_describes(quality):
    themes = quality.read_themes("all")
    assert Counter(theme.split for theme in themes) == {"dev": 60, "test": 200}
    assert len({theme.theme_id for theme in themes}) == len({theme.query.casefold() for theme in themes}) == 260
    assert {theme.kind for theme in themes} == {"exact", "synonym", "intent", "attribute", "absent"}
    for split, size in (("dev", 60), ("test", 200)):
        kinds = Counter(theme.kind for theme in quality.read_themes(split))
        assert kinds.pop("absent") <= 0.05 * size
        assert min(kinds.values()) >= 0.2 * size
