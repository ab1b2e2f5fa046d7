"""Bootstrap intervals: by hand where the resamples can be counted, against SciPy, and what holds for all inputs."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, norm

from genrec.evaluation.bootstrap import LEAST, Interval, clustered_interval, mean_interval, paired_difference

VALUES = st.lists(st.none() | st.floats(-1e3, 1e3), max_size=12)


def present(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]


class TestMean:
    def test_the_tails_of_six_units_by_hand(self) -> None:
        # t of 5 degrees is 2.571, times the root of 6/5 it is 2.816, and beyond that lies 0.0024 of a normal. Six units
        # of which one is 1: all six draws miss it with (5/6)^6 = 0.335, so low is 0; the mean is at least 4/6 with
        # 0.0087 and at least 5/6 with 0.0007, so the 99.76th percentile is 4/6
        found = mean_interval([0, 0, 0, 0, 0, 1], resamples=40_000)
        assert found == Interval(value=1 / 6, low=0, high=4 / 6, n=6)

    def test_as_scipy_has_it_for_many(self) -> None:
        values = np.random.default_rng(7).gamma(2.0, size=2000)
        theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
        ours = mean_interval(list(values), resamples=20_000)
        assert ours is not None
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)

    @pytest.mark.parametrize("units", [6, 16, 40])
    def test_it_covers_the_truth_as_often_as_it_says(self, units: int) -> None:
        generator = np.random.default_rng(3)
        covered = 0
        for seed in range(400):
            found = mean_interval(list(generator.normal(1.0, size=units)), seed=seed, resamples=1000)
            assert found is not None and found.low is not None and found.high is not None
            covered += found.low <= 1.0 <= found.high
        # three standard errors of 400 trials are 3.3 %; the percentiles alone cover 0.87 with 6 units
        assert covered / 400 == pytest.approx(0.95, abs=0.033)

    def test_its_width_is_that_of_the_normal_interval(self) -> None:
        values = np.random.default_rng(5).normal(size=400)
        found = mean_interval(list(values), resamples=10_000)
        assert found is not None and found.low is not None and found.high is not None
        assert found.high - found.low == pytest.approx(2 * norm.ppf(0.975) * values.std() / math.sqrt(400), rel=0.05)

    def test_what_is_not_there_is_left_out_and_not_counted(self) -> None:
        there = [float(n) for n in range(LEAST)]
        assert mean_interval([None, *there, None]) == mean_interval(there)
        assert mean_interval([None, None]) is None
        assert mean_interval([]) is None

    def test_few_units_have_a_value_and_no_interval(self) -> None:
        assert mean_interval([None, 0.25]) == Interval(value=0.25, low=None, high=None, n=1)
        few = mean_interval([0.5] * (LEAST - 1))
        assert few == Interval(value=0.5, low=None, high=None, n=LEAST - 1)
        enough = mean_interval([0.0, *[1.0] * (LEAST - 1)])
        assert enough is not None and enough.low is not None

    @given(VALUES, st.integers(0, 5))
    @settings(max_examples=50)
    def test_it_lies_within_the_values_and_is_the_same_again(self, values: list[float | None], seed: int) -> None:
        found = mean_interval(values, seed=seed, resamples=200)
        assert found == mean_interval(values, seed=seed, resamples=200)
        there = present(values)
        assert (found is None) == (not there)
        if found is not None:
            assert found.n == len(there)
            assert (found.low is None) == (found.high is None) == (len(there) < LEAST)
        if found is not None and found.low is not None and found.high is not None:
            slack = 1e-9 * (1 + max(map(abs, there)))
            assert min(there) - slack <= found.low <= found.high <= max(there) + slack

    def test_how_it_reads(self) -> None:
        assert str(Interval(value=0.54123, low=0.5, high=0.6, n=9)) == "0.541 [0.500, 0.600]"
        assert str(Interval(value=0.0, n=1)) == "0.000"


class TestPaired:
    def test_worked_out_by_hand(self) -> None:
        # one difference of 1/2 and five of 0; the 99.76th percentile draws the one four times of six, as above
        found = paired_difference([1.0, *[0.3] * 5, None, 0.7], [0.5, *[0.3] * 5, 0.2, None], resamples=40_000)
        assert found == Interval(value=1 / 12, low=0, high=1 / 3, n=6)

    def test_pairs_tell_what_means_alone_cannot(self) -> None:
        # shoppers differ by far more than the programs do
        b = [n / 10 for n in range(100)]
        found = paired_difference([value + 0.01 for value in b], b)
        assert found is not None and found.low is not None
        assert found.low == pytest.approx(0.01)

    def test_lengths_must_agree(self) -> None:
        with pytest.raises(ValueError, match="shorter"):
            paired_difference([1.0, 2.0], [1.0])

    def test_without_a_pair_there_is_nothing(self) -> None:
        assert paired_difference([None, 1.0], [1.0, None]) is None

    @given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=LEAST, max_size=9))
    @settings(max_examples=50)
    def test_the_other_way_round_it_is_the_negative(self, pairs: list[tuple[float, float]]) -> None:
        a, b = [x for x, _ in pairs], [y for _, y in pairs]
        one, other = paired_difference(a, b, resamples=200), paired_difference(b, a, resamples=200)
        assert one is not None and other is not None and other.low is not None and other.high is not None
        assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


class TestClustered:
    def test_whole_groups_are_drawn(self) -> None:
        groups = list("aaabccdef")
        drawn: list[Counter[int]] = []

        def statistic(rows: np.ndarray) -> float:
            drawn.append(Counter(rows.tolist()))
            return 0.0

        clustered_interval(groups, statistic, resamples=50)
        first, *resamples = drawn
        assert first == Counter(range(9))
        assert len(resamples) == 50
        for counts in resamples:
            assert counts[0] == counts[1] == counts[2]
            assert counts[4] == counts[5]
            assert sum(counts[n] for n in (0, 3, 4, 6, 7, 8)) == 6, "as many groups as there are"
        assert len({tuple(sorted(counts.items())) for counts in resamples}) > 3

    def test_rows_that_repeat_each_other_tell_no_more(self) -> None:
        values = np.random.default_rng(2).normal(size=30)
        rows = np.repeat(values, 10)
        alone = clustered_interval([str(n) for n in range(30)], lambda at: float(values[at].mean()))
        many = clustered_interval([str(n) for n in range(30) for _ in range(10)], lambda at: float(rows[at].mean()))
        assert alone is not None and many is not None
        assert (many.value, many.low, many.high) == pytest.approx((alone.value, alone.low, alone.high))
        assert (alone.n, many.n) == (30, 300)

    def test_few_groups_have_no_interval_however_many_their_rows(self) -> None:
        groups = [str(n % (LEAST - 1)) for n in range(100)]
        assert clustered_interval(groups, lambda rows: len(rows) / 400) == Interval(value=1 / 4, n=100)
        more = clustered_interval([*groups, "another"], lambda rows: len(rows) / 400)
        assert more is not None and more.low is not None

    def test_undefined_stays_undefined(self) -> None:
        assert clustered_interval(["a", "b"], lambda rows: None) is None
        assert clustered_interval([], lambda rows: float(rows.mean()) if len(rows) else None) is None

    def test_undefined_resamples_are_left_out(self) -> None:
        # undefined without row 0, i.e. in (5/6)^6 = 33 % of the resamples; in the others it is 1
        def statistic(rows: np.ndarray) -> float | None:
            return 1.0 if 0 in rows else None

        assert clustered_interval(list("abcdef"), statistic) == Interval(value=1, low=1, high=1, n=6)

    def test_mostly_undefined_there_is_no_interval(self) -> None:
        # defined only with all six groups in it: 6! / 6^6 = 1.5 % of the resamples
        def statistic(rows: np.ndarray) -> float | None:
            return 1.0 if len(set(rows.tolist())) == 6 else None

        assert clustered_interval(list("abcdef"), statistic) == Interval(value=1, n=6)

    def test_the_order_of_rows_does_not_matter(self) -> None:
        values = np.array([0.1, 0.9, 0.4, 0.7, 0.2, 0.6, 0.8])
        groups = list("bacbdef")
        order = np.array([2, 6, 3, 0, 5, 1, 4])
        one = clustered_interval(groups, lambda rows: float(values[rows].mean()))
        other = clustered_interval([groups[n] for n in order], lambda rows: float(values[order][rows].mean()))
        assert one is not None and other is not None
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))
