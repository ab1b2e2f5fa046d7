"""The gold judgments: what is shipped is whole, fair to judges and leaks nothing; what makes no sense is named."""

import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genrec.errors import RequestError
from genrec.evaluation.gold_judgments import FILES, GOLD, SECOND, SPLITS, Gold, GoldCase, items_of, load_gold
from genrec.evaluation.judges import CRITERIA, GuardrailCase, ItemCase, Level, PageCase, SectionCase

COUNTS = {"item": 2000, "section": 500, "page": 120, "guardrail": 400}
SHOPPER_FILES = ("section", "page", "guardrail")
QUESTIONS = [c for c in CRITERIA if c != "guardrail.allowed"]


@pytest.fixture(scope="module")
def gold() -> Gold:
    return load_gold()


def titles_of(case: GoldCase) -> list[str]:
    if isinstance(case.case, PageCase):
        return [section.theme.title.casefold() for section in case.case.page.sections]
    return [(case.case.title if isinstance(case.case, GuardrailCase) else case.case.theme.title).casefold()]


def splits_by(gold: Gold, levels: tuple[Level, ...], names: Callable[[GoldCase], list[str]]) -> dict[str, set[str]]:
    """In which splits each name stands."""
    found: dict[str, set[str]] = defaultdict(set)
    for level in levels:
        for case in gold.levels[level]:
            for name in names(case):
                found[name].add(case.split)
    return found


class TestShipped:
    @pytest.mark.parametrize("level", COUNTS)
    def test_every_line_is_there(self, gold: Gold, level: Level) -> None:
        lines = (GOLD / FILES[level]).read_text(encoding="utf-8").splitlines()
        assert len(gold.levels[level]) == len(lines) == COUNTS[level]

    @pytest.mark.parametrize("level", COUNTS)
    def test_a_quarter_was_read_twice(self, gold: Gold, level: Level) -> None:
        cases = gold.levels[level]
        assert 4 * sum(bool(case.second) for case in cases) >= len(cases)
        assert all(set(case.second) <= set(case.grades) for case in cases), "of what the first reader was asked"

    def test_every_second_reading_is_of_a_case(self, gold: Gold) -> None:
        rows = [json.loads(line) for line in (GOLD / SECOND).read_text(encoding="utf-8").splitlines()]
        known = {(level, case.key) for level, cases in gold.levels.items() for case in cases}
        assert {(row["level"], row["key"]) for row in rows} <= known
        assert len({(row["level"], row["key"], row["criterion"]) for row in rows}) == len(rows)
        assert sum(len(case.second) for cases in gold.levels.values() for case in cases) == len(rows)

    def test_every_question_was_asked(self, gold: Gold) -> None:
        for level, cases in gold.levels.items():
            asked = {name for name, at in CRITERIA.items() if at == level}
            for case in cases:
                optional = {"page.coverage"} if level == "page" and not case.case.request.objectives else set()
                assert set(case.grades) == asked - optional, case.key

    @pytest.mark.parametrize("criterion", QUESTIONS)
    def test_every_grade_is_given_in_the_test_split(self, gold: Gold, criterion: str) -> None:
        assert {case.grades[criterion] for case in gold.cases(criterion, "test")} == {0, 1, 2, 3}

    def test_half_of_the_guardrail_cases_are_allowed(self, gold: Gold) -> None:
        grades = [case.grades["guardrail.allowed"] for case in gold.levels["guardrail"]]
        assert grades.count(3) == grades.count(0) == 200

    def test_every_split_allows_and_denies(self, gold: Gold) -> None:
        for split in SPLITS:
            grades = [case.grades["guardrail.allowed"] for case in gold.cases("guardrail.allowed", split)]
            assert 1 / 3 <= sum(map(bool, grades)) / len(grades) <= 2 / 3, split

    def test_every_theme_has_items_that_belong_and_items_that_do_not(self, gold: Gold) -> None:
        grades = defaultdict(set)
        for case in gold.levels["item"]:
            grades[case.group].add(case.grades["item.relevance"] >= 2)
        assert all(kinds == {True, False} for kinds in grades.values())

    def test_a_third_of_the_items_are_hard(self, gold: Gold) -> None:
        cases = gold.levels["item"]
        good = {(c.group, c.case.item.department) for c in cases if c.grades["item.relevance"] >= 2}
        hard = [c for c in cases if c.grades["item.relevance"] < 2 and (c.group, c.case.item.department) in good]
        assert 3 * len(hard) >= len(cases)

    @pytest.mark.parametrize("criterion", CRITERIA)
    def test_readers_agree_more_than_a_judge_is_asked_to(self, gold: Gold, criterion: str) -> None:
        ceiling = gold.ceiling(criterion)
        assert ceiling is not None
        assert ceiling.value > 0.8
        assert ceiling.n == sum(criterion in case.second for case in gold.cases(criterion))


class TestSplits:
    def test_a_theme_is_in_one(self, gold: Gold) -> None:
        assert all(len(splits) == 1 for splits in splits_by(gold, ("item",), lambda c: [c.group]).values())

    def test_a_shopper_is_in_one_whatever_is_asked(self, gold: Gold) -> None:
        found = splits_by(gold, SHOPPER_FILES, lambda c: [c.group])
        assert len(found) > 64
        assert all(len(splits) == 1 for splits in found.values())

    def test_no_title_is_in_two(self, gold: Gold) -> None:
        found = splits_by(gold, ("item", "section"), titles_of)
        assert len(found) > 500
        assert [title for title, splits in found.items() if len(splits) > 1] == []

    def test_hardly_a_title_on_a_test_page_was_learned_as_a_title(self, gold: Gold) -> None:
        # programs title from one library, so that titles on pages do recur
        learned = {title for c in gold.levels["section"] if c.split != "test" for title in titles_of(c)}
        shown = [title for c in gold.levels["page"] if c.split == "test" for title in titles_of(c)]
        assert sum(title in learned for title in shown) <= len(shown) / 20

    def test_no_page_is_in_two_but_the_one_that_popular_makes_for_everyone(self, gold: Gold) -> None:
        def whole(case: GoldCase) -> list[str]:
            rows = json.dumps([[i.item_id for i in s.items] for s in case.case.page.sections])
            return [] if case.case.page.provenance.program == "popular" else [rows]

        assert all(len(splits) == 1 for splits in splits_by(gold, ("page",), whole).values())

    def test_every_split_has_every_question(self, gold: Gold) -> None:
        for criterion in CRITERIA:
            sizes = [len(gold.cases(criterion, split)) for split in SPLITS]
            assert min(sizes) > 0
            assert sum(sizes) == len(gold.cases(criterion))

    def test_cases_of_named_splits(self, gold: Gold) -> None:
        found = gold.cases("page.fit", "train", "dev")
        assert {case.split for case in found} == {"train", "dev"}
        assert found == [case for case in gold.levels["page"] if case.split != "test"]


def test_what_a_judge_reads(gold: Gold) -> None:
    kinds = {"item": ItemCase, "section": SectionCase, "page": PageCase, "guardrail": GuardrailCase}
    for level, cases in gold.levels.items():
        assert all(type(case.case) is kinds[level] for case in cases)
    page = gold.levels["page"][0].case
    assert {i.item_id for s in page.page.sections for i in s.items} == set(page.items)


# what a shop would write: its own items and shoppers, and one case a level
ITEM = {"item_id": "tea", "title": "Black tea", "categories": ["Drinks"]}
LINES: dict[str, dict[str, Any]] = {
    "items.jsonl": {
        "theme_id": "t",
        "title": "Tea time",
        "concepts": ["tea", "scones", "jam"],
        "item_id": "tea",
        "grade": 3,
        "split": "test",
    },
    "titles.jsonl": {
        "case_id": "s1",
        "shopper_id": "ann",
        "on": "2026-11-12",
        "title": "A title that is far too long for any phone, as was written\u2028by somebody",
        "concepts": ["tea"],
        "appeal": 1,
        "clarity": 2,
        "specificity": 0,
        "fit": 3,
        "split": "dev",
    },
    "pages.jsonl": {
        "case_id": "p1",
        "shopper_id": "ann",
        "on": "2026-11-12",
        "objectives": [],
        "asked": [2, 3],
        "generator": "popular",
        "sections": [{"title": "Tea", "concepts": ["tea"], "items": ["tea", "tea"]}],
        "cohesion": 3,
        "diversity": 0,
        "coverage": None,
        "fit": 2,
        "split": "train",
    },
    "guardrails.jsonl": {
        "case_id": "g1",
        "shopper": {"shopper_id": "kid", "age": 9},
        "on": "2026-11-12",
        "occasion": "",
        "title": "Tea time",
        "item": ITEM,
        "verdict": "deny",
        "rule": "age",
        "split": "test",
    },
    "second.jsonl": {"level": "item", "key": "t/tea", "criterion": "item.relevance", "grade": 2},
    "catalog.jsonl": ITEM,
    "shoppers.jsonl": {"shopper_id": "ann"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, row in LINES.items():
        (tmp_path / name).write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    return tmp_path


class TestOwnFolder:
    def test_its_own_items_and_shoppers(self, folder: Path) -> None:
        found = load_gold(folder)
        assert list(items_of(folder)) == ["tea"]
        ((item,), (section,), (page,), (guardrail,)) = (found.levels[level] for level in COUNTS)
        assert (item.key, item.group, item.split) == ("t/tea", "t", "test")
        assert (item.grades, item.second) == ({"item.relevance": 3}, {"item.relevance": 2})
        assert section.case.theme.title == LINES["titles.jsonl"]["title"]
        assert section.grades == {
            "section.appeal": 1,
            "section.clarity": 2,
            "section.specificity": 0,
            "section.fit": 3,
        }
        assert page.grades == {"page.cohesion": 3, "page.diversity": 0, "page.fit": 2}, "no objectives, no coverage"
        assert (page.case.request.sections, page.case.request.items_per_section) == (2, 3)
        assert guardrail.grades == {"guardrail.allowed": 0}
        assert guardrail.group == "kid"

    def test_some_files_will_do(self, folder: Path) -> None:
        for name in ("titles.jsonl", "pages.jsonl", "guardrails.jsonl", "second.jsonl", "shoppers.jsonl"):
            (folder / name).unlink()
        found = load_gold(folder)
        assert [len(found.levels[level]) for level in COUNTS] == [1, 0, 0, 0]
        assert found.cases("page.fit") == []
        assert found.ceiling("item.relevance") is None

    def test_the_sample_is_behind_a_folder_without_items(self, tmp_path: Path) -> None:
        shutil.copy(GOLD / "items.jsonl", tmp_path)
        assert len(load_gold(tmp_path).levels["item"]) == 2000

    @pytest.mark.parametrize("name", [*FILES.values(), SECOND])
    def test_any_grade_changes_the_fingerprint(self, folder: Path, name: str) -> None:
        before = load_gold(folder).fingerprint
        assert load_gold(folder).fingerprint == before
        (folder / name).write_text((folder / name).read_text(encoding="utf-8") + "\n", encoding="utf-8")
        assert load_gold(folder).fingerprint != before

    def test_a_folder_without_any(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match=r"needs at least one of items\.jsonl"):
            load_gold(tmp_path)


MISSING = object()
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("items.jsonl", {"grade": 4}, "grade 4 is not a whole number from 0 to 3"),
    ("items.jsonl", {"grade": "3"}, "grade '3'"),
    ("items.jsonl", {"grade": True}, "grade True"),
    ("items.jsonl", {"grade": MISSING}, "there is no 'grade'"),
    ("items.jsonl", {"item_id": "coffee"}, "there is no item 'coffee' in "),
    ("items.jsonl", {"split": "holdout"}, "split 'holdout' is none of train, dev, test"),
    ("items.jsonl", {"concepts": []}, "concepts"),
    ("items.jsonl", {"concepts": "tea"}, "concepts"),
    ("items.jsonl", {"title": 7}, "title"),
    ("titles.jsonl", {"title": 7}, "7"),
    ("titles.jsonl", {"concepts": "tea"}, "concepts"),
    ("titles.jsonl", {"concepts": ["tea", 7]}, "concepts"),
    ("titles.jsonl", {"on": "12 November"}, "12 November"),
    ("titles.jsonl", {"on": None}, "must be str"),
    ("titles.jsonl", {"shopper_id": "bob"}, "'bob'"),
    ("titles.jsonl", {"fit": -1}, "grade -1"),
    ("pages.jsonl", {"asked": [2]}, "not enough values"),
    ("pages.jsonl", {"sections": [{"title": None, "concepts": [], "items": []}]}, "None"),
    ("pages.jsonl", {"asked": [2, 99]}, "items_per_section"),
    ("pages.jsonl", {"sections": [{"title": "Tea", "concepts": [], "items": ["coffee"]}]}, "'coffee'"),
    ("pages.jsonl", {"sections": 3}, "not iterable"),
    ("guardrails.jsonl", {"verdict": "maybe"}, "neither allow nor deny"),
    ("guardrails.jsonl", {"shopper": {"shopper_id": "kid", "age": 900}}, "age"),
    ("guardrails.jsonl", {"item": {"item_id": "tea"}}, "title"),
    ("second.jsonl", {"grade": 1.5}, "grade 1.5"),
    ("second.jsonl", {"key": MISSING}, "there is no 'key'"),
    ("second.jsonl", {"key": "t/nothing"}, "there is no case 't/nothing' of level 'item'"),
    ("second.jsonl", {"level": "items"}, "'item.relevance' is no criterion of level 'items'"),
    ("second.jsonl", {"criterion": "relevance"}, "'relevance' is no criterion of level 'item'"),
]


class TestBadLines:
    @pytest.mark.parametrize(("name", "changed", "said"), BAD)
    def test_it_is_named_and_so_is_what_is_wrong(
        self, folder: Path, name: str, changed: dict[str, Any], said: str
    ) -> None:
        row = {key: value for key, value in {**LINES[name], **changed}.items() if value is not MISSING}
        path = folder / name
        path.write_text("\n" + json.dumps(row) + "\n", encoding="utf-8")
        with pytest.raises(RequestError) as caught:
            load_gold(folder)
        assert str(caught.value).startswith(f"{path}:2: ")
        assert said in str(caught.value)

    @pytest.mark.parametrize("line", [b'{"theme_id": ', b"[1, 2]", b"null", b'{"title": "\xff"}'])
    @pytest.mark.parametrize("name", [*FILES.values(), SECOND])
    def test_what_is_no_line_at_all(self, folder: Path, name: str, line: bytes) -> None:
        (folder / name).write_bytes((folder / name).read_bytes() + line)
        with pytest.raises(RequestError, match=rf"{name}:2: "):
            load_gold(folder)

    @pytest.mark.parametrize("name", FILES.values())
    def test_a_case_may_stand_there_once(self, folder: Path, name: str) -> None:
        (folder / name).write_text((folder / name).read_text(encoding="utf-8") * 2, encoding="utf-8")
        with pytest.raises(RequestError, match=rf"{name}:2: .* stands there twice"):
            load_gold(folder)
