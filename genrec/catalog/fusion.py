"""Ranking arithmetic as pure functions: the best rows of a score vector, and two ways to fuse rankings."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.items import Hit


class Ranking(NamedTuple):
    """Rows of an index, int64 (m,), best first with ties by row, and their scores, float64 (m,)."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


NOTHING = Ranking(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64))


def best_rows(scores: NDArray[np.floating], rows: NDArray[np.integer], limit: int) -> NDArray[np.int64]:
    """Return positions into `rows` of the `limit` best, best first, ties by row.

    `scores` (m,) belongs to `rows` (m,). A tie at the cut is decided the same way as one inside, which a plain
    argpartition does not promise. `limit` below 1 returns nothing.
    """
    count = len(scores)
    if limit < 1 or count == 0:
        return np.empty(0, dtype=np.int64)
    kept = np.arange(count)
    if count > limit:
        cut = np.partition(scores, count - limit)[count - limit]
        kept = np.flatnonzero(scores >= cut)
    order = np.lexsort((rows[kept], -scores[kept]))[:limit]
    return kept[order]


def reciprocal_rank_fusion(
    rankings: Sequence[Ranking], *, weights: Sequence[NDArray[np.float64] | float] | None = None, k: int = 60
) -> Ranking:
    """score(d) = sum over rankings of weight / (k + rank of d), rank from 1; ties by row.

    A ranking that lacks d adds nothing. The rankings' own scores do not matter, only their order. A weight is one
    number for a ranking, or one for each of its rows (m,); without `weights` all are 1.
    Source: Cormack, Clarke, Buettcher, SIGIR 2009.
    """
    shares = [1.0 / (k + np.arange(1, len(ranking.rows) + 1)) for ranking in rankings]
    if weights is not None:
        shares = [weight * share for weight, share in zip(weights, shares, strict=True)]
    return _summed(rankings, shares)


def weighted_sum(rankings: Sequence[Ranking], weights: Sequence[float]) -> Ranking:
    """score(d) = sum over rankings of weight * (s(d) - min s) / (max s - min s); ties by row.

    Scores are scaled to [0, 1] within each ranking (min-max); where all are equal each counts 1. A ranking
    that lacks d adds nothing. Raises ValueError unless there is one weight for each ranking.
    Source: the min-max convex combination of Bruch, Gai, Ingber, TOIS 2023.
    """
    if len(rankings) != len(weights):
        raise ValueError(f"{len(rankings)} rankings but {len(weights)} weights: give one weight for each ranking")
    return _summed(rankings, [weight * _scaled(one.scores) for one, weight in zip(rankings, weights, strict=True)])


def fuse_hits(rankings: Sequence[Sequence[Hit]], fusion: Callable[[Sequence[Ranking]], Ranking]) -> list[Hit]:
    """Return what `fusion` makes of rankings of hits, best first, ties by item_id."""
    ids = sorted({hit.item_id for ranking in rankings for hit in ranking})
    row = {item_id: place for place, item_id in enumerate(ids)}
    as_rows = [
        Ranking(
            np.array([row[hit.item_id] for hit in ranking], dtype=np.int64),
            np.array([hit.score for hit in ranking], dtype=np.float64),
        )
        for ranking in rankings
    ]
    fused = fusion(as_rows)
    return [Hit(ids[place], score) for place, score in zip(fused.rows.tolist(), fused.scores.tolist(), strict=True)]


def _scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    span = np.ptp(scores) if len(scores) else 0.0
    return (scores - scores.min()) / span if span > 0 else np.ones(len(scores))


def _summed(rankings: Sequence[Ranking], shares: Sequence[NDArray[np.float64]]) -> Ranking:
    """Add up what each ranking gives to its rows, in the order of the rankings."""
    if not rankings:
        return NOTHING
    rows, place = np.unique(np.concatenate([ranking.rows for ranking in rankings]), return_inverse=True)
    scores = np.zeros(len(rows))
    np.add.at(scores, place, np.concatenate(shares))
    best = best_rows(scores, rows, len(rows))
    return Ranking(rows[best], scores[best])
