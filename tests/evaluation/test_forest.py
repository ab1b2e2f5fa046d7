"""A forest as arrays predicts what scikit-learn's trees predict, and can be kept."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesRegressor

from genrec.evaluation.agreement import weighted_kappa
from genrec.evaluation.features import Features
from genrec.evaluation.forest import LEAF, Forest
from genrec.optimizers.judge_training import COMPONENTS, LEAST_LEAF, TREES, TRIED, Learned, best_cuts, learn

NAMES = ("first", "second", "third")


def cases(count: int, *, vectors: int = 0, seed: int = 0) -> tuple[list[Features], NDArray[np.intp], list[str]]:
    """Features whose first one all but tells the grade, in many groups."""
    generator = np.random.default_rng(seed)
    named = generator.normal(size=(count, len(NAMES))).astype(np.float32)
    named[:, 2] = np.round(named[:, 2])  # ties
    grades = np.clip(np.round(named[:, 0] + 1.5 + generator.normal(scale=0.3, size=count)), 0, 3).astype(np.intp)
    rows = generator.normal(size=(count, vectors)).astype(np.float32)
    features = [
        Features(dict(zip(NAMES, map(float, row), strict=True)), vector)
        for row, vector in zip(named, rows, strict=True)
    ]
    return features, grades, [f"group {n % 12}" for n in range(count)]


def sklearn_trees(rows: NDArray[np.float32], grades: NDArray[np.intp], seed: int) -> ExtraTreesRegressor:
    trees = ExtraTreesRegressor(TREES, min_samples_leaf=LEAST_LEAF, max_features=TRIED, random_state=seed)
    return trees.fit(rows, grades)


@pytest.fixture(scope="module")
def learned() -> Learned:
    return learn(*cases(90), seed=3)


class TestAsScikitLearn:
    def test_named_features(self, learned: Learned) -> None:
        features, grades, _ = cases(90)
        rows = learned.scorer.matrix(features)
        theirs = sklearn_trees(rows, grades, 3)
        fresh = learned.scorer.matrix(cases(200, seed=8)[0])
        for asked in (rows, fresh, fresh * 100):
            assert learned.scorer.forest.predict(asked) == pytest.approx(theirs.predict(asked), abs=1e-5)

    def test_with_components_of_a_vector(self) -> None:
        features, grades, groups = cases(80, vectors=40)
        scorer = learn(features, grades, groups, seed=1).scorer
        vectors = np.stack([f.vector for f in features])
        named = np.array([list(f.named.values()) for f in features], np.float32)
        reduced = PCA(COMPONENTS, random_state=1).fit_transform(vectors)
        rows = scorer.matrix(features)
        assert rows.shape == (80, len(NAMES) + COMPONENTS)
        assert rows == pytest.approx(np.hstack([named, reduced]), abs=1e-4)
        assert scorer.forest.predict(rows) == pytest.approx(sklearn_trees(rows, grades, 1).predict(rows), abs=1e-5)

    def test_values_that_differ_by_a_hair(self) -> None:
        # neighbouring 32-bit floats: a threshold lies between them, in 64 bits
        count = 60
        values = np.full(count, 100.3, np.float32)
        values[::2] = np.nextafter(np.float32(100.3), np.float32(101))
        grades = np.where(np.arange(count) % 2, 0, 3).astype(np.intp)
        others = np.random.default_rng(0).normal(size=count)
        features = [
            Features({"hair": float(value), "other": float(other)}, np.zeros(0, np.float32))
            for value, other in zip(values, others, strict=True)
        ]
        scorer = learn(features, grades, [f"{n % 12}" for n in range(count)], seed=0).scorer
        rows = scorer.matrix(features)
        expected = sklearn_trees(rows, grades, 0).predict(rows)
        assert scorer.forest.predict(rows) == pytest.approx(expected, abs=1e-5)

    @given(st.integers(0, 2**16), st.integers(12, 60))
    @settings(max_examples=5, deadline=None)
    def test_whatever_was_learned(self, seed: int, count: int) -> None:
        features, grades, groups = cases(count, seed=seed)
        scorer = learn(features, grades, groups, seed=seed).scorer
        rows = scorer.matrix(features)
        assert scorer.forest.predict(rows) == pytest.approx(sklearn_trees(rows, grades, seed).predict(rows), abs=1e-5)


class TestLearn:
    def test_it_learns_what_can_be_learned(self, learned: Learned) -> None:
        assert learned.kappa > 0.6
        features, grades, _ = cases(300, seed=5)
        predicted = learned.scorer.forest.predict(learned.scorer.matrix(features))
        kappa = weighted_kappa(grades, learned.scorer.grades(predicted))
        assert kappa is not None and kappa > 0.6

    def test_noise_is_not_promised_to_be_known(self) -> None:
        features, grades, groups = cases(90)
        shuffled = np.random.default_rng(0).permutation(grades)
        assert learn(features, shuffled, groups, seed=0).kappa < 0.4

    def test_the_same_seed_learns_the_same(self, learned: Learned) -> None:
        again = learn(*cases(90), seed=3)
        assert all(np.array_equal(a, b) for a, b in zip(again.scorer.forest, learned.scorer.forest, strict=True))
        assert (again.kappa, again.scorer.cuts) == (learned.kappa, learned.scorer.cuts)

    def test_the_usual_is_that_of_good_cases(self, learned: Learned) -> None:
        features, grades, _ = cases(90)
        good = [list(f.named.values()) for f, grade in zip(features, grades, strict=True) if grade >= 2]
        assert learned.scorer.usual == pytest.approx(np.median(good, axis=0), abs=1e-6)

    def test_cuts_are_the_best_of_their_grid(self) -> None:
        # four heaps of predictions, one a grade: a cut of the quantiles' grid has at most one on its wrong side
        grades = np.repeat(np.arange(4), 20)
        predicted = (grades + np.tile(np.linspace(0, 0.3, 20), 4)).astype(np.float32)
        cuts = best_cuts(predicted, grades)
        assert list(cuts) == sorted(cuts)
        assert all(((predicted >= cut) != (grades >= n)).sum() <= 1 for n, cut in enumerate(cuts, start=1))


class TestArrays:
    def test_two_trees_by_hand(self) -> None:
        # x0 <= 1/2 ? 0 : (x1 <= 2 ? 1 : 3), and a tree that is a leaf of 1
        forest = Forest(
            roots=np.array([0, 5], np.int32),
            feature=np.array([0, 0, 1, 0, 0, 0], np.int16),
            threshold=np.array([0.5, 0, 2, 0, 0, 0], np.float32),
            left=np.array([1, LEAF, 3, LEAF, LEAF, LEAF], np.int32),
            right=np.array([2, LEAF, 4, LEAF, LEAF, LEAF], np.int32),
            value=np.array([9, 0, 9, 1, 3, 1], np.float32),
        )
        rows = np.array([[0.5, 9], [0.6, 2], [0.6, 2.1], [-1, -1]], np.float32)
        assert forest.predict(rows).tolist() == [1 / 2, 1, 2, 1 / 2], "at the threshold it goes left"
        assert forest.predict(rows[:0]).tolist() == []

    def test_kept_and_read_again(self, learned: Learned, tmp_path: Path) -> None:
        forest = learned.scorer.forest
        np.savez(tmp_path / "forests.npz", **forest.arrays("page.fit"), **forest.arrays("other"))
        with np.load(tmp_path / "forests.npz", allow_pickle=False) as file:
            again = Forest.of(dict(file), "page.fit")
        rows = learned.scorer.matrix(cases(50, seed=2)[0])
        assert np.array_equal(again.predict(rows), forest.predict(rows))
        assert [a.dtype for a in again] == [a.dtype for a in forest]

    def test_a_missing_array_is_an_error(self, learned: Learned) -> None:
        arrays = learned.scorer.forest.arrays("page.fit")
        del arrays["page.fit/left"]
        with pytest.raises(KeyError, match="page.fit/left"):
            Forest.of(arrays, "page.fit")
