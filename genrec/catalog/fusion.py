"""Ranking arithmetic as pure functions: the best rows of a score vector, and two ways to fuse rankings."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.items import Hit


def tie_order(item_ids: Sequence[str]) -> NDArray[np.int64]:
    """Return each row's place, int64 (n,), when sorted by item_id: the tie breaker of `best_rows`."""
    order = np.empty(len(item_ids), dtype=np.int64)
    order[sorted(range(len(item_ids)), key=item_ids.__getitem__)] = np.arange(len(item_ids))
    return order


def best_rows(
    scores: NDArray[np.floating], rows: NDArray[np.integer], limit: int, ties: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return positions into `rows` of the `limit` best, best first, ties by `ties[row]`.

    `scores` (m,) belongs to `rows` (m,); `ties` (n,) comes from `tie_order`. A tie at the cut is decided the
    same way as one inside, which a plain argpartition does not promise. `limit` below 1 returns nothing.
    """
    count = len(scores)
    if limit < 1 or count == 0:
        return np.empty(0, dtype=np.int64)
    kept = np.arange(count)
    if count > limit:
        cut = np.partition(scores, count - limit)[count - limit]
        kept = np.flatnonzero(scores >= cut)
    order = np.lexsort((ties[rows[kept]], -scores[kept]))[:limit]
    return kept[order]


def reciprocal_rank_fusion(rankings: Sequence[Sequence[Hit]], *, k: int = 60) -> list[Hit]:
    """score(d) = sum over rankings of 1 / (k + rank of d), rank from 1; ties by item_id.

    A ranking that lacks d adds nothing. The hits' own scores do not matter, only their order.
    Source: Cormack, Clarke, Buettcher, SIGIR 2009.
    """
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, hit in enumerate(ranking, start=1):
            scores[hit.item_id] += 1.0 / (k + rank)
    return _sorted(scores)


def weighted_sum(rankings: Sequence[Sequence[Hit]], weights: Sequence[float]) -> list[Hit]:
    """score(d) = sum over rankings of weight * (s(d) - min s) / (max s - min s); ties by item_id.

    Scores are scaled to [0, 1] within each ranking (min-max); where all are equal each counts 1. A ranking
    that lacks d adds nothing. Raises ValueError unless there is one weight for each ranking.
    Source: the min-max convex combination of Bruch, Gai, Ingber, TOIS 2023.
    """
    if len(rankings) != len(weights):
        raise ValueError(f"{len(rankings)} rankings but {len(weights)} weights: give one weight for each ranking")
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking, weight in zip(rankings, weights, strict=True):
        if not ranking:
            continue
        low = min(hit.score for hit in ranking)
        span = max(hit.score for hit in ranking) - low
        for hit in ranking:
            scores[hit.item_id] += weight * ((hit.score - low) / span if span > 0 else 1.0)
    return _sorted(scores)


def _sorted(scores: dict[str, float]) -> list[Hit]:
    return [Hit(item_id, scores[item_id]) for item_id in sorted(scores, key=lambda i: (-scores[i], i))]
