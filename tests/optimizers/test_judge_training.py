"""Training the learned judges: what the cross-encoder is taught, and forests fitted on a tiny gold folder.

The cross-encoder's own training takes minutes and is not run here: the shipped one reads.
"""

import json
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.catalog.ingest import read_items
from genrec.catalog.sample import catalog_path
from genrec.errors import GenrecError
from genrec.evaluation import learned
from genrec.evaluation.gold_judgments import Gold, items_of, load_gold
from genrec.evaluation.judges import CRITERIA
from genrec.evaluation.learned import ARRAYS, FORESTS, READER, open_learned
from genrec.optimizers import judge_training
from genrec.optimizers.judge_training import TARGETS, graded_pairs, main, titles_of, train_judges
from genrec.page import Theme
from genrec.programs.relevance import item_text, theme_text
from tests.tiny_gold import write_gold

LEARNED = {criterion for criterion, level in CRITERIA.items() if level != "guardrail"}


def silver() -> list[dict[str, Any]]:
    text = files("genrec.optimizers").joinpath("data/relevance_graded.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def gold() -> Gold:
    """The shipped one."""
    return load_gold()


class TestSilverGrades:
    """The pairs that the cross-encoder learns from, graded by an LM."""

    def test_every_theme_has_fourteen_items_of_the_sample_graded_0_to_3(self) -> None:
        rows, items = silver(), {item.item_id for item in read_items(catalog_path())}
        assert (len(rows), {len(row["grades"]) for row in rows}) == (300, {14})
        assert {type(grade) for row in rows for grade in row["grades"].values()} == {int}
        assert {grade for row in rows for grade in row["grades"].values()} == {0, 1, 2, 3}
        assert {item_id for row in rows for item_id in row["grades"]} <= items
        assert len({row["title"].casefold() for row in rows}) == 300
        assert all(3 <= len(row["concepts"]) <= 8 for row in rows)

    def test_nearly_every_theme_has_both_what_belongs_and_what_does_not(self) -> None:
        kinds = [{grade >= 2 for grade in row["grades"].values()} for row in silver()]
        assert kinds.count({True, False}) >= 0.95 * len(kinds)

    def test_no_theme_is_a_theme_of_gold_items(self, gold: Gold) -> None:
        titles = {row["title"].casefold() for row in silver()}
        themes = [case.case.theme for case in gold.levels["item"]]
        assert not titles & {theme.title.casefold() for theme in themes}
        ideas = [{idea.casefold() for idea in row["concepts"]} for row in silver()]
        gold_ideas = {frozenset(idea.casefold() for idea in theme.concepts) for theme in themes}
        assert len(gold_ideas) == 140
        assert max(len(one & other) for one in ideas for other in gold_ideas) <= 2, "nor its ideas under another title"


class TestGradedPairs:
    def test_what_a_grade_is_taught_as(self, tmp_path: Path) -> None:
        """A theme reads as it does in judging; the tiny gold folder has none of these titles."""
        pairs = {(theme, item): target for theme, item, target in graded_pairs(load_gold(write_gold(tmp_path)))}
        items, row = items_of(), silver()[0]
        theme = theme_text(Theme(title=row["title"], concepts=tuple(row["concepts"])))
        taught = {item_id: pairs[theme, item_text(items[item_id])] for item_id in row["grades"]}
        assert taught == {item_id: TARGETS[grade] for item_id, grade in row["grades"].items()}
        assert (taught["galia-melon"], taught["cumin-seeds"]) == (0, 1)
        assert list(TARGETS) == sorted(TARGETS) and TARGETS[1] < 0.5 < TARGETS[2]

    def test_targets_of_both_files(self, gold: Gold) -> None:
        targets = [target for _, _, target in graded_pairs(gold)]
        assert set(targets) == {*TARGETS}
        assert len(targets) > 4000

    def test_nothing_that_dev_or_test_cases_are_titled_is_taught(self, gold: Gold) -> None:
        taught = {theme.partition(":")[0].casefold() for theme, _, _ in graded_pairs(gold)}
        held = {
            title.casefold()
            for case in gold.levels["page"]
            if case.split != "train"
            for title in (section.theme.title for section in case.case.page.sections)
        }
        held |= {
            c.case.theme.title.casefold() for n in ("item", "section") for c in gold.levels[n] if c.split != "train"
        }
        assert not taught & held
        assert held == titles_of(gold, "dev", "test")
        some = {row["title"].casefold() for row in silver()} & titles_of(gold, "train")
        assert some & taught, "train titles may be"

    def test_ones_own_gold_takes_out_its_own_titles(self, gold: Gold, tmp_path: Path) -> None:
        theme = silver()[0]
        row = {"theme_id": "t", "title": theme["title"].upper(), "concepts": theme["concepts"], "item_id": "couscous"}
        (tmp_path / "items.jsonl").write_text(json.dumps({**row, "grade": 1, "split": "dev"}), encoding="utf-8")
        mine = load_gold(tmp_path)
        left = {theme for theme, _, _ in graded_pairs(mine)}
        assert not any(text.startswith(f"{theme['title']}: ") for text in left)
        assert len(left) == 300 + 60 - 1, "all other themes of both files"
        (tmp_path / "items.jsonl").write_text(json.dumps({**row, "grade": 1, "split": "train"}), encoding="utf-8")
        assert len({theme for theme, _, _ in graded_pairs(load_gold(tmp_path))}) == 300 + 60


def arrays_of(folder: Path) -> dict[str, NDArray[np.generic]]:
    with np.load(folder / FORESTS / ARRAYS, allow_pickle=False) as file:
        return dict(file)


def same(one: Path, other: Path) -> bool:
    mine, theirs = arrays_of(one), arrays_of(other)
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / FORESTS / "manifest.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
class TestForests:
    """Forests on eight themes, eight shoppers and eight pages, read with the shipped cross-encoder."""

    @pytest.fixture(scope="class", autouse=True)
    def _few_trees(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(judge_training, "TREES", 10)
            yield

    @pytest.fixture(scope="class")
    def fit(self, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, dict[str, float]]]:
        """Fit on the gold folder; returns the folder of judges and the kappas that were reached."""

        def fit(gold: Path, seed: int = 0) -> tuple[Path, dict[str, float]]:
            folder = tmp_path_factory.mktemp("judges")
            shutil.copytree(learned.SHIPPED / READER, folder / READER)
            return folder, train_judges(items_of(gold), load_gold(gold), folder, seed=seed)

        return fit

    @pytest.fixture(scope="class")
    def mine(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_gold(tmp_path_factory.mktemp("gold"), "train")

    @pytest.fixture(scope="class")
    def fitted(self, fit, mine: Path) -> tuple[Path, dict[str, float]]:
        return fit(mine)

    def test_a_judge_of_every_criterion_that_can_be_opened(self, fitted: tuple[Path, dict[str, float]]) -> None:
        folder, reached = fitted
        judges = open_learned({}, folder)
        assert set(judges) == set(reached) == LEARNED
        assert all(-1 <= kappa <= 1 for kappa in reached.values())
        assert judges["page.fit"].fingerprint != open_learned({})["page.fit"].fingerprint

    def test_the_manifest_says_what_it_learned_from(self, fitted: tuple[Path, dict[str, float]], mine: Path) -> None:
        folder, reached = fitted
        facts = manifest_of(folder)
        assert facts["training"] == {
            "gold": load_gold(mine).fingerprint,
            "seed": 0,
            "kappa on left-out folds": reached,
        }
        assert set(facts["judges"]) == LEARNED
        assert all(facts["judges"][c]["cuts"] == sorted(facts["judges"][c]["cuts"]) for c in LEARNED)

    def test_they_know_what_they_were_shown(self, fitted: tuple[Path, dict[str, float]], mine: Path) -> None:
        folder, _ = fitted
        judges, gold = open_learned(items_of(mine), folder), load_gold(mine)
        for criterion in ("item.relevance", "section.clarity", "page.cohesion"):
            cases = gold.cases(criterion, "train")
            scores = [judgment.score for judgment in judges[criterion].judge([case.case for case in cases])]
            by_grade = {
                good: np.mean([s for s, c in zip(scores, cases, strict=True) if (c.grades[criterion] >= 2) is good])
                for good in (True, False)
            }
            assert by_grade[True] > by_grade[False] + 0.1, criterion

    def test_the_command_fits_beside_a_cross_encoder_that_it_keeps(
        self, fitted: tuple[Path, dict[str, float]], mine: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(learned.SHIPPED / READER, tmp_path / READER)
        main(["--out", str(tmp_path), "--gold", str(mine), "--keep-reader", "--seed", "1"])
        assert {path.name for path in tmp_path.iterdir()} == {READER, FORESTS}
        for path in (learned.SHIPPED / READER).iterdir():
            assert (tmp_path / READER / path.name).read_bytes() == path.read_bytes()
        training = manifest_of(tmp_path)["training"]
        assert (training["seed"], training["gold"]) == (1, load_gold(mine).fingerprint)
        assert not same(tmp_path, fitted[0]), "another seed grows other trees"

    def test_the_same_seed_learns_the_same_and_test_cases_teach_nothing(
        self, fit, fitted: tuple[Path, dict[str, float]], tmp_path: Path
    ) -> None:
        more = write_gold(write_gold(tmp_path / "more", "train"), "test", flip=True)
        folder, reached = fit(more)
        assert same(folder, fitted[0])
        assert reached == fitted[1]
        assert manifest_of(folder)["training"]["gold"] != manifest_of(fitted[0])["training"]["gold"]

    def test_dev_cases_do(self, fit, fitted: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
        more = write_gold(write_gold(tmp_path / "more", "train"), "dev", flip=True)
        assert not same(fit(more)[0], fitted[0])

    def test_training_that_fails_leaves_the_forests_that_were_there(
        self, fitted: tuple[Path, dict[str, float]], tmp_path: Path
    ) -> None:
        folder, _ = fitted
        before = arrays_of(folder)
        few = write_gold(tmp_path / "few", "train", levels=["titles.jsonl"])
        with pytest.raises((GenrecError, LookupError, ValueError)):
            train_judges(items_of(few), load_gold(few), folder)
        after = arrays_of(folder)
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[name], after[name]) for name in before)
        assert set(open_learned({}, folder)) == LEARNED
