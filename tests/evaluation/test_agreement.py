"""Agreement with gold grades: by hand, against scikit-learn on random data, and what earns a judge its say."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from genrec.errors import SettingsError
from genrec.evaluation.agreement import (
    BARS,
    LEAST_CASES,
    Agreement,
    JudgeCard,
    agreement,
    auc,
    bars_of,
    ceiling,
    standing,
    weighted_kappa,
)
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.judges import CRITERIA, Judgment

GRADE_PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40)
SCORED = st.lists(st.tuples(st.integers(0, 4).map(lambda n: n / 4), st.booleans()), max_size=40)


def kappa(a: list[int], b: list[int]) -> float | None:
    return weighted_kappa(np.array(a, dtype=np.intp), np.array(b, dtype=np.intp))


def said(*grades: int) -> list[Judgment]:
    return [Judgment(grade / 3, grade, "") for grade in grades]


class TestWeightedKappa:
    def test_worked_out_by_hand(self) -> None:
        # off by one once in three. Expected by chance: a has 0, 1, 3 and b has 0, 2, 3 once each; the squared
        # distances of all nine pairs are 0 4 9, 1 1 4, 9 1 0 = 29, over 3 cases
        assert kappa([0, 1, 3], [0, 2, 3]) == pytest.approx(1 - 1 / (29 / 3))

    def test_full_agreement_chance_and_the_contrary(self) -> None:
        assert kappa([0, 3, 1], [0, 3, 1]) == 1
        assert kappa([0, 0, 3, 3], [0, 3, 0, 3]) == pytest.approx(0)
        assert kappa([0, 3], [3, 0]) == pytest.approx(-1)

    def test_far_off_costs_more_than_near(self) -> None:
        near, far = kappa([0, 1, 2, 3], [0, 1, 2, 2]), kappa([0, 1, 2, 3], [0, 1, 2, 0])
        assert near is not None and far is not None
        assert near > far

    def test_where_nothing_can_be_told(self) -> None:
        assert kappa([], []) is None
        assert kappa([2, 2, 2], [2, 2, 2]) is None
        assert kappa([2, 2, 2], [3, 3, 3]) == 0, "always wrong, and no better than chance"

    @given(GRADE_PAIRS)
    def test_as_scikit_learn_has_it(self, pairs: list[tuple[int, int]]) -> None:
        a, b = [x for x, _ in pairs], [y for _, y in pairs]
        found = kappa(a, b)
        if len(set(a) | set(b)) < 2:
            assert found is None
        else:
            assert found == pytest.approx(cohen_kappa_score(a, b, weights="quadratic", labels=[0, 1, 2, 3]))

    @given(GRADE_PAIRS)
    def test_neither_reader_is_the_first(self, pairs: list[tuple[int, int]]) -> None:
        a, b = [x for x, _ in pairs], [y for _, y in pairs]
        assert kappa(a, b) == pytest.approx(kappa(b, a))


class TestAuc:
    def test_worked_out_by_hand(self) -> None:
        # good 0.9 and 0.5 against 0.5 and 0.1: above, above, tied, above
        found = auc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
        assert found == (1 + 1 + 1 / 2 + 1) / 4

    @given(SCORED)
    def test_as_scikit_learn_has_it(self, pairs: list[tuple[float, bool]]) -> None:
        scores, good = np.array([s for s, _ in pairs], float), np.array([g for _, g in pairs], bool)
        found = auc(scores, good)
        if good.all() or not good.any():
            assert found is None
        else:
            assert found == pytest.approx(roc_auc_score(good, scores))

    def test_nothing_but_ties_is_a_coin(self) -> None:
        assert auc(np.ones(5), np.array([True, False, True, False, False])) == 1 / 2


class TestAgreement:
    def test_worked_out_by_hand(self) -> None:
        found = agreement([3, 2, 1, 0, 0], said(3, 1, 2, 0, 0), ["a", "a", "b", "b", "c"])
        assert found.true_positive_rate is not None and found.true_positive_rate.value == 1 / 2
        assert found.true_negative_rate is not None and found.true_negative_rate.value == 2 / 3
        # good scores 1 and 1/3 against 2/3, 0, 0: three above, then below, above, above
        assert found.auc is not None and found.auc.value == 5 / 6
        assert found.kappa is not None
        assert found.kappa.value == pytest.approx(kappa([3, 2, 1, 0, 0], [3, 1, 2, 0, 0]))
        assert {i.n for i in (found.kappa, found.auc, found.true_positive_rate)} == {5}

    def test_the_score_may_be_finer_than_the_grade(self) -> None:
        # all are graded 2; the scores put the good one first
        judged = [Judgment(0.7, 2, ""), Judgment(0.6, 2, ""), Judgment(0.65, 2, "")]
        found = agreement([3, 0, 1], judged, ["a", "b", "c"])
        assert found.auc is not None and found.auc.value == 1
        assert found.kappa is not None and found.kappa.value == pytest.approx(0)

    def test_where_one_class_is_missing(self) -> None:
        found = agreement([3, 2], said(3, 3), ["a", "b"])
        assert found.auc is None
        assert found.true_negative_rate is None
        assert found.true_positive_rate == Interval(value=1, n=2)

    def test_no_cases_no_agreement(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert agreement([], [], []) == Agreement(
                kappa=None, auc=None, true_positive_rate=None, true_negative_rate=None
            )

    @pytest.mark.parametrize("lengths", [(1, 2, 2), (2, 1, 2), (2, 2, 1)])
    def test_one_of_each_a_case(self, lengths: tuple[int, int, int]) -> None:
        gold, judged, groups = lengths
        with pytest.raises(ValueError, match=f"{gold} grades, {judged} judgments and {groups} groups"):
            agreement([0] * gold, said(*[0] * judged), ["a"] * groups)

    def test_cases_of_one_theme_make_the_interval_wider(self) -> None:
        generator = np.random.default_rng(0)
        gold = generator.integers(0, 4, 200)
        # a judge that is right about a whole theme, or wrong about it
        right = np.repeat(generator.random(20) < 0.7, 10)
        judged = said(*np.where(right, gold, 3 - gold).tolist())
        apart = agreement(gold.tolist(), judged, [str(n) for n in range(200)]).kappa
        together = agreement(gold.tolist(), judged, [str(n // 10) for n in range(200)]).kappa
        assert apart is not None and together is not None
        assert together.value == apart.value
        assert width(together) > 1.5 * width(apart)

    def test_the_ceiling_is_the_two_readers(self) -> None:
        found = ceiling([0, 1, 3], [0, 2, 3], ["a", "b", "c"])
        assert found is not None
        assert found.value == pytest.approx(1 - 3 / 29)
        assert ceiling([], [], []) is None


def width(interval: Interval) -> float:
    assert interval.low is not None and interval.high is not None
    return interval.high - interval.low


def card(value: float | None, bar: float = 0.6, cases: int = LEAST_CASES) -> JudgeCard:
    found: dict[str, Any] = dict.fromkeys(("auc", "true_positive_rate", "true_negative_rate"))
    kappas = None if value is None else Interval(value=value, low=value - 0.2, high=value + 0.2, n=cases)
    return JudgeCard(
        judge="learned",
        criterion="page.fit",
        fingerprint="f",
        gold="g/test",
        cases=cases,
        agreement=Agreement(kappa=kappas, **found),
        ceiling=None,
        bar=bar,
    )


class TestEarned:
    @pytest.mark.parametrize(("value", "earned"), [(0.6, True), (0.599, False), (-0.2, False), (None, False)])
    def test_at_its_bar_a_judge_may_decide(self, value: float | None, earned: bool) -> None:
        assert card(value).earned is earned

    def test_an_undefined_kappa_earns_nothing_however_low_the_bar(self) -> None:
        assert not card(None, bar=0.0).earned

    def test_few_cases_earn_nothing_however_well_judged(self) -> None:
        few, narrow = card(1.0, cases=LEAST_CASES - 1), card(1.0)
        assert not few.earned and standing(few) == "kappa 1.000 on 19 cases is too few to tell"
        without = narrow.agreement.model_copy(update={"kappa": Interval(value=1.0, n=90)})
        assert not narrow.model_copy(update={"agreement": without}).earned, "of fewer groups than an interval needs"

    def test_every_criterion_has_a_bar(self) -> None:
        assert list(BARS) == list(CRITERIA)

    def test_a_shops_own_bars_replace_some(self) -> None:
        assert bars_of({}) == BARS
        assert bars_of({"page.fit": 0.9}) == {**BARS, "page.fit": 0.9}

    @pytest.mark.parametrize(("changed", "named"), [({"page.fun": 0.5}, "page.fun"), ({"page.fit": 1.1}, "1.1")])
    def test_a_bar_that_cannot_be(self, changed: dict[str, float], named: str) -> None:
        with pytest.raises(SettingsError, match=named):
            bars_of(changed)

    @pytest.mark.parametrize("bar", [float("nan"), float("inf"), -0.1])
    def test_nor_one_that_is_no_number(self, bar: float) -> None:
        with pytest.raises(SettingsError, match="page.fit"):
            bars_of({"page.fit": bar})
