from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.catalog.fusion import best_rows, reciprocal_rank_fusion, tie_order, weighted_sum
from genrec.catalog.items import Hit


def hits(*pairs: tuple[str, float]) -> list[Hit]:
    return [Hit(*pair) for pair in pairs]


def test_reciprocal_rank_fusion_by_hand() -> None:
    fused = reciprocal_rank_fusion([hits(("a", 9), ("b", 1)), hits(("b", 0.2), ("c", 0.1))])
    expected = {
        "b": Fraction(1, 62) + Fraction(1, 61),
        "a": Fraction(1, 61),
        "c": Fraction(1, 62),
    }
    assert [hit.item_id for hit in fused] == ["b", "a", "c"]
    assert [hit.score for hit in fused] == pytest.approx([float(expected[i]) for i in "bac"], abs=1e-15)


def test_fusion_ties_go_by_item_id_and_nothing_gives_nothing() -> None:
    assert [h.item_id for h in reciprocal_rank_fusion([hits(("z", 1)), hits(("a", 1))])] == ["a", "z"]
    assert reciprocal_rank_fusion([]) == reciprocal_rank_fusion([[], []]) == []
    assert weighted_sum([], []) == weighted_sum([[]], [1.0]) == []


def test_weighted_sum_by_hand() -> None:
    fused = weighted_sum([hits(("a", 10), ("b", 6), ("c", 2)), hits(("b", 0.5))], [0.25, 0.75])
    assert fused == hits(("b", 0.25 * 0.5 + 0.75), ("a", 0.25), ("c", 0.0))


def test_weighted_sum_wants_a_weight_for_each_ranking() -> None:
    with pytest.raises(ValueError, match="1 rankings but 2 weights"):
        weighted_sum([[]], [1.0, 2.0])


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 0.5]), max_size=30), st.integers(-1, 35))
def test_best_rows_is_a_full_sort_cut_off(scores: list[float], limit: int) -> None:
    ids = [f"{(i * 7) % 31:02}" for i in range(len(scores))]
    rows = np.arange(len(scores))
    best = best_rows(np.array(scores), rows, limit, tie_order(ids))
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], ids[i]))[: max(limit, 0)]
    assert best.tolist() == expected
