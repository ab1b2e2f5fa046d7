"""The ranking quality of a page as a grid: rows of items, read from the top left. Pure functions of ids and gains."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from genrec.evaluation.metrics import share_of

Key = TypeVar("Key", bound=Hashable)


def ndcg_2d(
    page: Sequence[Sequence[Key]],
    gains: Mapping[Key, float],
    *,
    rows: int,
    columns: int,
    alpha: float = 1.0,
    beta: float = 1.0,
) -> float | None:
    """N2DCG = 2DCG(page) / 2DCG(ideal), in [0, 1]; None when there is nothing to gain, 0 for a page that is empty.

    2DCG = sum over cells of gain(i, j) / log2(alpha i + beta j), carousel i and place j in it from 1. With alpha = beta
    = 1 one row is nDCG. `gains` holds all gains there are to be had, by item, in the linear form (for the exponential
    one of the source pass 2 ** gain - 1; with binary gains it is the same). `rows` x `columns` is the layout that was
    asked for: what lies outside it earns nothing, and the ideal puts the best gains into its cells of smallest
    discount, so that a short page is not excused. An item that is on the page more than once counts once, in the
    cell of smallest discount (ties: the higher row), where the eye comes to it first.

    Sources: Felicioni, Ferrari Dacrema, Perez Maurera, Cremonesi, Measuring the Ranking Quality of Recommendations in a
    Two-Dimensional Carousel Setting, IIR 2021, CEUR 2947; Ferrari Dacrema, Felicioni, Cremonesi, Offline Evaluation of
    Recommender Systems in a User Interface With Multiple Carousels, Frontiers in Big Data 5:910030, 2022, and their
    evaluator, which has duplicates and the ideal layout as here. Their penalty for swiping is left out.
    """
    discounts = _discounts(rows, columns, alpha, beta)
    return share_of(_gained(page, gains, discounts), _ideal(gains, discounts))


def marginal_gains(
    page: Sequence[Sequence[Key]],
    gains: Mapping[Key, float],
    *,
    rows: int,
    columns: int,
    alpha: float = 1.0,
    beta: float = 1.0,
) -> list[float] | None:
    """What each carousel adds to those above it, (len(page),): N2DCG of the first i carousels - of the first i - 1.

    In [0, 1], and their sum is `ndcg_2d` of the page; None as there. A carousel outside the layout adds 0, and one that
    only repeats adds no more than the better places it gives. Source: Ferrari Dacrema, Felicioni, Cremonesi, 2022,
    section on the evaluation protocol: a carousel is worth what it improves on those already there.
    """
    discounts = _discounts(rows, columns, alpha, beta)
    best = _ideal(gains, discounts)
    heights = [_gained(page[:count], gains, discounts) for count in range(len(page) + 1)]
    shares = [share_of(height, best) for height in heights]
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return None
    return [max(after - before, 0.0) for before, after in zip(known, known[1:], strict=False)]


def _discounts(rows: int, columns: int, alpha: float, beta: float) -> list[list[float]]:
    """log2(alpha i + beta j) of each cell, (rows, columns)."""
    if rows < 1 or columns < 1:
        raise ValueError(f"a layout of {rows} x {columns}; it has at least one row and one column")
    if not (alpha >= 0 and beta >= 0 and 1 < alpha + beta < math.inf):
        raise ValueError(f"alpha {alpha} and beta {beta}: neither is negative, and their sum is more than 1")
    return [[math.log2(alpha * i + beta * j) for j in range(1, columns + 1)] for i in range(1, rows + 1)]


def _gained(page: Sequence[Sequence[Key]], gains: Mapping[Key, float], discounts: list[list[float]]) -> float:
    """2DCG: each item once, in its best cell."""
    best: dict[Key, float] = {}
    for carousel, row in zip(page, discounts, strict=False):
        for key, discount in zip(carousel, row, strict=False):
            if key in gains:
                best[key] = min(discount, best.get(key, math.inf))
    return math.fsum(gains[key] / discount for key, discount in best.items())


def _ideal(gains: Mapping[Key, float], discounts: list[list[float]]) -> float:
    """2DCG of the best gains in the cells of smallest discount."""
    if not all(math.isfinite(gain) and gain >= 0 for gain in gains.values()):
        raise ValueError("a gain is negative or not a number")
    cells = sorted(discount for row in discounts for discount in row)
    return math.fsum(g / d for g, d in zip(sorted(gains.values(), reverse=True), cells, strict=False))
