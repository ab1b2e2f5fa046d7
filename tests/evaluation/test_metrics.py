"""The metrics against fractions worked out by hand, their edges, and what must hold for every input."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.evaluation.carousels import marginal_gains, ndcg_2d
from genrec.evaluation.metrics import (
    Cohesion,
    catalog_coverage,
    cohesion,
    dcg_at,
    gains_of,
    gini,
    intra_list_diversity,
    miscalibration,
    ndcg_at,
    novelty,
    precision_at,
    recall_at,
    reciprocal_rank,
)
from genrec.evaluation.spending import spending
from genrec.page import Degradation, Page, PageItem, Provenance, Section, StageUsage, Theme

LOG3, LOG5 = math.log2(3), math.log2(5)
GAINS = st.lists(st.integers(0, 3).map(float), max_size=12)
KEYS = st.sampled_from("abcdefgh")
GRID = st.lists(st.lists(KEYS, max_size=4), max_size=4)
JUDGED = st.dictionaries(KEYS, st.integers(0, 3).map(float), max_size=8)
VECTORS = st.integers(2, 6).flatmap(
    lambda n: st.lists(st.tuples(*[st.floats(-1e3, 1e3)] * 3), min_size=n, max_size=n).map(np.array)
)
WEIGHTS = st.dictionaries(KEYS, st.floats(0, 1e6))


class TestRanking:
    def test_worked_out_by_hand(self) -> None:
        gains = [0, 2, 1, 0]
        assert precision_at(gains, 3) == pytest.approx(2 / 3)
        assert recall_at(gains, 2, total=4) == 1 / 4
        assert reciprocal_rank(gains) == 1 / 2
        assert dcg_at(gains, 3) == pytest.approx(2 / LOG3 + 1 / 2)
        assert ndcg_at(gains, 2, ideal=[1, 3, 2]) == pytest.approx((2 / LOG3) / (3 + 2 / LOG3))

    def test_what_was_not_shown_counts_in_the_ideal(self) -> None:
        assert ndcg_at([1], 3, ideal=[1]) == 1
        assert ndcg_at([1], 3, ideal=[1, 1]) == pytest.approx(1 / (1 + 1 / LOG3))

    def test_an_empty_page_scores_0_in_what_it_should_have_delivered(self) -> None:
        assert precision_at([], 3) == recall_at([], 3, total=2) == reciprocal_rank([]) == 0
        assert ndcg_at([], 3, ideal=[1]) == 0

    def test_without_anything_to_gain_it_is_undefined(self) -> None:
        assert recall_at([0, 0], 2, total=0) is None
        assert ndcg_at([0, 0], 2, ideal=[0, 0]) is None
        assert ndcg_at([], 2, ideal=[]) is None

    def test_a_cutoff_beyond_the_list_is_no_excuse(self) -> None:
        assert precision_at([True], 4) == 1 / 4
        assert recall_at([1], 9, total=2) == 1 / 2

    def test_a_gain_counts_once_and_only_if_it_is_known(self) -> None:
        assert gains_of(["a", "x", "a", "b"], {"a": 2, "b": 1}) == [2, 0, 0, 1]
        assert gains_of([], {"a": 2}) == []

    @pytest.mark.parametrize("k", [0, -1])
    def test_a_cutoff_is_at_least_1(self, k: int) -> None:
        with pytest.raises(ValueError, match="at least 1"):
            precision_at([1], k)
        with pytest.raises(ValueError, match="at least 1"):
            ndcg_at([1], k, ideal=[1])

    @pytest.mark.parametrize("gain", [-1.0, math.nan, math.inf])
    def test_impossible_gains_are_refused(self, gain: float) -> None:
        with pytest.raises(ValueError, match="negative or not a number"):
            reciprocal_rank([0, gain])
        with pytest.raises(ValueError, match="negative or not a number"):
            ndcg_at([1], 1, ideal=[1, gain])

    def test_more_than_there_is_cannot_be_shown(self) -> None:
        with pytest.raises(ValueError, match="2 relevant things shown of 1"):
            recall_at([1, 1], 2, total=1)
        with pytest.raises(ValueError, match="must hold every gain"):
            ndcg_at([2], 1, ideal=[1])

    @given(GAINS, st.integers(1, 15))
    def test_ranges(self, gains: list[float], k: int) -> None:
        relevant = sum(gain > 0 for gain in gains)
        assert 0 <= precision_at(gains, k) <= 1
        assert 0 <= reciprocal_rank(gains) <= 1
        recall, ndcg = recall_at(gains, k, total=relevant), ndcg_at(gains, k, ideal=gains)
        if relevant:
            assert recall is not None and 0 <= recall <= 1
            assert ndcg is not None and 0 <= ndcg <= 1
        else:
            assert recall is None and ndcg is None

    @given(GAINS.filter(any), st.integers(1, 15))
    def test_the_best_order_scores_1(self, gains: list[float], k: int) -> None:
        assert ndcg_at(sorted(gains, reverse=True), k, ideal=gains) == pytest.approx(1)

    @given(st.data(), GAINS.filter(lambda gains: len(gains) > 1), st.integers(1, 15))
    def test_moving_the_better_one_up_never_lowers(self, data: st.DataObject, gains: list[float], k: int) -> None:
        at = data.draw(st.integers(0, len(gains) - 2))
        after = [*gains[:at], gains[at + 1], gains[at], *gains[at + 2 :]]
        worse, better = (gains, after) if gains[at + 1] >= gains[at] else (after, gains)
        total = sum(gain > 0 for gain in gains)
        assert precision_at(better, k) >= precision_at(worse, k)
        assert reciprocal_rank(better) >= reciprocal_rank(worse)
        assert (recall_at(better, k, total=total) or 0) >= (recall_at(worse, k, total=total) or 0)
        assert (ndcg_at(better, k, ideal=gains) or 0) >= (ndcg_at(worse, k, ideal=gains) or 0) - 1e-12

    @given(st.permutations(list("abcdefgh")), JUDGED)
    def test_equal_gains_may_change_places(self, order: list[str], gains: dict[str, float]) -> None:
        by_gain = sorted(order, key=lambda key: -gains.get(key, 0))
        straight = sorted("abcdefgh", key=lambda key: -gains.get(key, 0))
        assert gains_of(by_gain, gains) == gains_of(straight, gains)


class TestDiversity:
    def test_worked_out_by_hand(self) -> None:
        # cosines 0, 3/5 and 4/5: (1 + 2/5 + 1/5) / 3
        assert intra_list_diversity([[1, 0], [0, 2], [3, 4]]) == pytest.approx((1 + 2 / 5 + 1 / 5) / 3)
        assert intra_list_diversity([[1, 0], [-5, 0]]) == pytest.approx(2)

    def test_edges(self) -> None:
        assert intra_list_diversity([]) == intra_list_diversity(np.zeros((0, 3))) == 0
        assert intra_list_diversity([[1, 2]]) is None
        assert intra_list_diversity([[1, 2]] * 3) == pytest.approx(0)
        assert intra_list_diversity([[0, 0], [1, 0]]) == 0  # what is not known is not diverse

    @pytest.mark.parametrize("vectors", [[[1, math.nan], [1, 0]], [1.0, 2.0]])
    def test_only_finite_rows(self, vectors: list) -> None:
        with pytest.raises(ValueError, match="finite rows"):
            intra_list_diversity(vectors)

    @given(VECTORS, st.randoms(use_true_random=False))
    def test_range_and_order(self, vectors: np.ndarray, random) -> None:
        value = intra_list_diversity(vectors)
        assert value is not None and 0 <= value <= 2
        shuffled = random.sample(list(vectors), len(vectors))
        assert intra_list_diversity(shuffled) == pytest.approx(value)


class TestNovelty:
    def test_worked_out_by_hand(self) -> None:
        assert novelty([8, 4, 1], 8) == pytest.approx((0 + 1 + 3) / 3)

    def test_an_unseen_item_is_as_novel_as_the_rarest(self) -> None:
        assert novelty([0], 8) == novelty([1], 8) == 3

    def test_edges(self) -> None:
        assert novelty([], 8) == novelty([], 0) == 0
        assert novelty([0, 0], 0) is None
        with pytest.raises(ValueError, match="9.0 of 8"):
            novelty([9], 8)

    @given(st.lists(st.integers(0, 100), min_size=1), st.integers(100, 1000))
    def test_range(self, counts: list[int], total: int) -> None:
        value = novelty(counts, total)
        assert value is not None and 0 <= value <= math.log2(total) + 1e-9


class TestCoverage:
    def test_worked_out_by_hand(self) -> None:
        pages = [["a", "b"], ["b", "zz"], []]
        assert catalog_coverage(pages, "abcde") == 2 / 5
        # exposures 0 0 0 1 2 of five items: ((8-6) * 1 + (10-6) * 2) / (5 * 3)
        assert gini(pages, "abcde") == pytest.approx(10 / 15)

    def test_edges(self) -> None:
        assert catalog_coverage([], "abc") == 0
        assert catalog_coverage([["zz"]], "abc") == 0
        assert catalog_coverage([["a"]], "") is None
        assert gini([], "abc") is None and gini([["zz"]], "abc") is None
        assert gini([["a", "b", "c"]], "abc") == 0
        assert gini([["a"], ["a", "a"]], "abc") == pytest.approx(1 - 1 / 3)

    @given(st.lists(st.lists(KEYS)))
    def test_ranges(self, pages: list[list[str]]) -> None:
        covered, uneven = catalog_coverage(pages, "abcd"), gini(pages, "abcd")
        assert covered is not None and 0 <= covered <= 1
        assert (uneven is None) == (covered == 0)
        assert uneven is None or -1e-12 <= uneven <= 1 - 1 / 4 + 1e-12


class TestMiscalibration:
    def test_worked_out_by_hand(self) -> None:
        # p = (3/4, 1/4), q = (1/4, 3/4), alpha = 1/2: mixed (1/2, 1/2)
        expected = 3 / 4 * math.log(3 / 2) + 1 / 4 * math.log(1 / 2)
        assert miscalibration({"tea": 3, "soap": 1}, {"tea": 2, "soap": 6}, alpha=0.5) == pytest.approx(expected)

    def test_edges(self) -> None:
        assert miscalibration({}, {"tea": 1}) is None
        assert miscalibration({"tea": 0}, {"tea": 1}) is None
        assert miscalibration({"tea": 2, "soap": 2}, {"soap": 7, "tea": 7}) == 0
        assert miscalibration({"tea": 1}, {}) == miscalibration({"tea": 1}, {"soap": 1}) == pytest.approx(math.log(100))

    @pytest.mark.parametrize("alpha", [0, 1, -1, math.nan])
    def test_alpha_lies_between(self, alpha: float) -> None:
        with pytest.raises(ValueError, match="between 0 and 1"):
            miscalibration({"tea": 1}, {"tea": 1}, alpha=alpha)

    @given(WEIGHTS, WEIGHTS)
    def test_range(self, p: dict[str, float], q: dict[str, float]) -> None:
        value = miscalibration(p, q)
        assert (value is None) == (not any(p.values()))
        assert value is None or 0 <= value <= math.log(100)


class TestCohesion:
    def test_worked_out_by_hand(self) -> None:
        # cosines of the six pairs: 1, 3/5, 3/5, 0, 0, 4/5
        themes = [[1, 0], [2, 0], [3, 4], [0, 1]]
        assert cohesion(themes, low=0.1, high=0.9) == Cohesion(inside=3 / 6, too_alike=1 / 6, too_far=2 / 6)
        assert cohesion(themes, low=-1, high=0.5) == Cohesion(inside=2 / 6, too_alike=4 / 6, too_far=0)

    def test_edges(self) -> None:
        assert cohesion([]) == Cohesion(0, 0, 0)
        assert cohesion([[1, 0]]) is None
        assert cohesion([[0, 0], [1, 0]]) == Cohesion(0, 0, 1)
        with pytest.raises(ValueError, match="empty"):
            cohesion([[1, 0]], low=1, high=0)

    @given(VECTORS)
    def test_shares_sum_to_1(self, themes: np.ndarray) -> None:
        value = cohesion(themes)
        assert value is not None and sum(value) == pytest.approx(1)


class TestCarousels:
    def test_worked_out_by_hand(self) -> None:
        # discounts of 2 x 2, by row: 1, log2 3; log2 3, 2
        page, gains = [["a", "x"], ["b", "c"]], {"a": 1, "b": 2, "c": 3, "d": 1}
        got = 1 + 2 / LOG3 + 3 / 2
        best = 3 + 2 / LOG3 + 1 / LOG3 + 1 / 2
        assert ndcg_2d(page, gains, rows=2, columns=2) == pytest.approx(got / best)
        assert marginal_gains(page, gains, rows=2, columns=2) == pytest.approx([1 / best, (2 / LOG3 + 3 / 2) / best])

    def test_weights_of_the_directions(self) -> None:
        # alpha 3: discounts by row: log2 4, log2 5; log2 7, log2 8; the ideal fills the first row first
        gains = {"a": 1, "b": 1}
        assert ndcg_2d([["x", "a"], ["y", "b"]], gains, rows=2, columns=2, alpha=3) == pytest.approx(
            (1 / LOG5 + 1 / 3) / (1 / 2 + 1 / LOG5)
        )

    def test_an_item_counts_once_in_its_best_cell(self) -> None:
        page, gains = [["x", "a"], ["a", "b"], ["b", "a"]], {"a": 1, "b": 1}
        best = 1 + 1 / LOG3
        assert ndcg_2d(page, gains, rows=3, columns=2) == pytest.approx((1 / LOG3 + 1 / 2) / best)
        repeated = marginal_gains([["a"], ["a"]], {"a": 1}, rows=2, columns=1)
        assert repeated == [1, 0]

    def test_what_lies_outside_the_layout_earns_nothing(self) -> None:
        assert ndcg_2d([["x", "a"], ["a"]], {"a": 1}, rows=1, columns=1) == 0
        assert marginal_gains([["x", "a"], ["a"]], {"a": 1}, rows=1, columns=1) == [0, 0]

    def test_a_short_page_is_not_excused(self) -> None:
        value = ndcg_2d([["a"]], {"a": 1, "b": 1, "c": 1}, rows=2, columns=2)
        assert value == pytest.approx(1 / (1 + 2 / LOG3))

    def test_edges(self) -> None:
        assert ndcg_2d([], {"a": 1}, rows=2, columns=2) == ndcg_2d([[], []], {"a": 1}, rows=2, columns=2) == 0
        assert marginal_gains([], {"a": 1}, rows=2, columns=2) == []
        assert ndcg_2d([["a"]], {}, rows=2, columns=2) is None
        assert marginal_gains([["a"]], {"a": 0}, rows=2, columns=2) is None
        assert marginal_gains([[], ["a"]], {"a": 1}, rows=2, columns=2) == pytest.approx([0, 1 / LOG3])

    @pytest.mark.parametrize(
        "layout", [{"rows": 0}, {"columns": 0}, {"alpha": -1}, {"alpha": 0.5, "beta": 0.5}, {"beta": math.nan}]
    )
    def test_impossible_layouts(self, layout: dict) -> None:
        with pytest.raises(ValueError, match="layout|alpha"):
            ndcg_2d([["a"]], {"a": 1}, **{"rows": 1, "columns": 1, **layout})

    def test_impossible_gains(self) -> None:
        with pytest.raises(ValueError, match="negative"):
            ndcg_2d([["a"]], {"a": 1, "b": -1}, rows=1, columns=1)

    @given(st.lists(KEYS, max_size=8), JUDGED, st.integers(1, 10))
    def test_one_row_or_one_column_is_ndcg(self, row: list[str], gains: dict[str, float], k: int) -> None:
        flat = ndcg_at(gains_of(row, gains), k, ideal=gains.values())
        assert ndcg_2d([row], gains, rows=1, columns=k) == (None if flat is None else pytest.approx(flat))
        column = ndcg_2d([[key] for key in row], gains, rows=k, columns=1)
        assert column == (None if flat is None else pytest.approx(flat))

    @given(GRID, JUDGED, st.integers(1, 5), st.integers(1, 5), st.floats(0, 3), st.floats(1.01, 3))
    def test_marginal_gains_sum_to_the_page(self, page, gains, rows: int, columns: int, alpha: float, beta: float):
        layout = {"rows": rows, "columns": columns, "alpha": alpha, "beta": beta}
        whole, parts = ndcg_2d(page, gains, **layout), marginal_gains(page, gains, **layout)
        if whole is None:
            assert parts is None and not any(gains.values())
        else:
            assert parts is not None and len(parts) == len(page)
            assert 0 <= whole <= 1 and all(0 <= part <= 1 for part in parts)
            assert sum(parts) == pytest.approx(whole)

    @given(st.data(), JUDGED.filter(lambda gains: any(gains.values())))
    def test_a_better_item_in_a_better_cell_never_lowers(self, data: st.DataObject, gains: dict[str, float]) -> None:
        order = data.draw(st.permutations(list("abcdefgh")))
        first, second = sorted(data.draw(st.lists(st.integers(0, 7), min_size=2, max_size=2, unique=True)))
        cells = sorted(range(8), key=lambda n: n // 4 + n % 4)  # two rows of four, by discount
        swapped = list(order)
        a, b = cells[first], cells[second]
        swapped[a], swapped[b] = order[b], order[a]
        worse, better = (order, swapped) if gains.get(order[b], 0) >= gains.get(order[a], 0) else (swapped, order)
        low = ndcg_2d([worse[:4], worse[4:]], gains, rows=2, columns=4)
        high = ndcg_2d([better[:4], better[4:]], gains, rows=2, columns=4)
        assert low is not None and high is not None and high >= low - 1e-12


class TestSpending:
    def page(self, *items: str, degraded: bool = False, **usage: StageUsage) -> Page:
        shown = tuple(PageItem(item_id=i, title=i, relevance=1, score=0) for i in items)
        section = Section(theme=Theme(concepts=("a", "b", "c"), title="A title"), items=shown)
        return Page(
            shopper_id="ann",
            created_at=datetime(2026, 11, 12, tzinfo=UTC),
            sections=(section,),
            degraded=(Degradation(stage="plan", reason="slow"),) if degraded else (),
            usage=usage,
            provenance=Provenance(program="p", lm="l", catalog="c", seed=0),
        )

    def test_totals_and_shares(self) -> None:
        plan = StageUsage(
            calls=2, failures=1, input_tokens=10, cached_tokens=4, output_tokens=5, dollars=0.25, seconds=1
        )
        spent = spending(
            [
                self.page("tea", plan=plan, describe=plan),
                self.page("tea", "soap", plan=plan),
                self.page(degraded=True, retrieve=StageUsage(seconds=0.5)),
                self.page("tea"),
            ]
        )
        assert spent.never_empty == 3 / 4 and spent.degraded == 1 / 4
        assert (spent.calls, spent.failures) == (6, 3)
        assert (spent.input_tokens, spent.output_tokens) == (30, 15)
        assert spent.seconds == 3.5 and spent.dollars == 0.75

    @pytest.mark.parametrize("unpriced", [StageUsage(calls=1), StageUsage(failures=1), StageUsage(output_tokens=1)])
    def test_one_unknown_price_makes_the_sum_unknown(self, unpriced: StageUsage) -> None:
        priced = StageUsage(calls=1, dollars=0.25)
        assert spending([self.page("tea", plan=priced), self.page("tea", plan=priced, guard=unpriced)]).dollars is None

    def test_without_pages_there_are_no_shares(self) -> None:
        spent = spending([])
        assert spent.never_empty is None and spent.degraded is None
        assert spent.dollars == 0 and spent.calls == 0
