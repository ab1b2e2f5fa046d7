from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.catalog.fusion import Ranking, best_rows, fuse_hits, reciprocal_rank_fusion, weighted_sum
from genrec.catalog.items import Hit


def ranking(*pairs: tuple[int, float]) -> Ranking:
    rows, scores = zip(*pairs, strict=True) if pairs else ((), ())
    return Ranking(np.array(rows, np.int64), np.array(scores, np.float64))


def pairs(fused: Ranking) -> list[tuple[int, float]]:
    return list(zip(fused.rows.tolist(), fused.scores.tolist(), strict=True))


def test_reciprocal_rank_fusion_by_hand() -> None:
    fused = reciprocal_rank_fusion([ranking((0, 9), (1, 1)), ranking((1, 0.2), (2, 0.1))])
    expected = {1: Fraction(1, 62) + Fraction(1, 61), 0: Fraction(1, 61), 2: Fraction(1, 62)}
    assert fused.rows.tolist() == [1, 0, 2]
    assert fused.scores.tolist() == pytest.approx([float(expected[row]) for row in (1, 0, 2)], abs=1e-15)


def test_fusion_ties_go_by_row_and_nothing_gives_nothing() -> None:
    assert reciprocal_rank_fusion([ranking((9, 1)), ranking((3, 1))]).rows.tolist() == [3, 9]
    for nothing in ([], [ranking(), ranking()]):
        assert pairs(reciprocal_rank_fusion(nothing)) == pairs(weighted_sum(nothing, [1.0] * len(nothing))) == []


def test_weighted_sum_by_hand() -> None:
    fused = weighted_sum([ranking((0, 10), (1, 6), (2, 2)), ranking((1, 0.5))], [0.25, 0.75])
    assert pairs(fused) == [(1, 0.25 * 0.5 + 0.75), (0, 0.25), (2, 0.0)]


def test_weighted_sum_wants_a_weight_for_each_ranking() -> None:
    with pytest.raises(ValueError, match="1 rankings but 2 weights"):
        weighted_sum([ranking()], [1.0, 2.0])


def test_hits_are_fused_like_rows_and_tie_by_item_id() -> None:
    lexical, dense = [Hit("b", 3.0), Hit("a", 1.0)], [Hit("a", 0.4), Hit("c", 0.3)]
    fused = fuse_hits([lexical, dense], reciprocal_rank_fusion)
    assert fused == [Hit("a", 1 / 62 + 1 / 61), Hit("b", 1 / 61), Hit("c", 1 / 62)]
    assert [h.item_id for h in fuse_hits([[Hit("z", 1)], [Hit("a", 1)]], reciprocal_rank_fusion)] == ["a", "z"]
    assert fuse_hits([], reciprocal_rank_fusion) == fuse_hits([[], []], reciprocal_rank_fusion) == []


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 0.5]), max_size=30), st.integers(-1, 35))
def test_best_rows_is_a_full_sort_cut_off(scores: list[float], limit: int) -> None:
    rows = np.array([(i * 7) % 31 for i in range(len(scores))], dtype=np.int64)
    best = best_rows(np.array(scores), rows, limit)
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], rows[i]))[: max(limit, 0)]
    assert best.tolist() == expected
