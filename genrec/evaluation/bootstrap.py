"""How sure a mean is: percentile bootstraps over shoppers or themes, paired where two things had the same input.

The percentiles are widened for few units: those of the resamples alone leave out the truth in 9 of 100 cases with 16
shoppers where 5 are promised. Source: Hesterberg, What Teachers Should Know About the Bootstrap, The American
Statistician 69, 2015 (expanded percentile interval).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import norm
from scipy.stats import t as student

from genrec.page import Value

Rows = NDArray[np.intp]

RESAMPLES = 2000
LEVEL = 0.95
LEAST = 6
"""Units that an interval needs: resampling fewer gives little more than the range of what was seen."""


class Interval(Value):
    """An estimate and its 95% interval; the interval is null when there are too few units to tell (LEAST)."""

    value: float = Field(description="the estimate")
    low: float | None = Field(None, description="its lower end")
    high: float | None = Field(None, description="its upper end")
    n: int = Field(ge=0, description="units: shoppers, or cases")

    def __str__(self) -> str:
        """`0.541 [0.512, 0.570]`."""
        return f"{self.value:.3f}" + ("" if self.low is None else f" [{self.low:.3f}, {self.high:.3f}]")


def mean_interval(values: Sequence[float | None], *, seed: int = 0, resamples: int = RESAMPLES) -> Interval | None:
    """Mean of the values that are there, resampled with replacement; None when none is."""
    there = np.array([value for value in values if value is not None], dtype=float)
    if not len(there):
        return None
    if len(there) < LEAST:
        return Interval(value=float(there.mean()), n=len(there))
    draws = np.random.default_rng(seed).integers(0, len(there), (resamples, len(there)))
    low, high = np.percentile(there[draws].mean(axis=1), _tails(len(there)))
    return Interval(value=float(there.mean()), low=float(low), high=float(high), n=len(there))


def paired_difference(
    a: Sequence[float | None], b: Sequence[float | None], *, seed: int = 0, resamples: int = RESAMPLES
) -> Interval | None:
    """Mean of a - b over the units where both are there, with its interval; None when there are none.

    Raises ValueError when they are not of one length.
    """
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return mean_interval([x - y for x, y in pairs], seed=seed, resamples=resamples)


def clustered_interval(
    groups: Sequence[str],
    statistic: Callable[[Rows], float | None],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Interval | None:
    """`statistic` of the row numbers it is given, with an interval from resampling whole groups; None if undefined.

    Rows of one theme or shopper are not independent, so that groups are drawn, not rows. A resample in which the
    statistic is undefined is left out; with fewer than LEAST groups, or half of the resamples undefined, there is no
    interval.
    """
    value = statistic(np.arange(len(groups)))
    if value is None:
        return None
    names = sorted(set(groups))
    labels = np.array(groups)
    rows = [np.flatnonzero(labels == name) for name in names]
    generator = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([rows[g] for g in generator.integers(0, len(rows), len(rows))]))
        for _ in range(resamples if len(rows) >= LEAST else 0)
    ]
    there = [x for x in drawn if x is not None]
    if not there or 2 * len(there) < resamples:
        return Interval(value=value, n=len(groups))
    low, high = np.percentile(there, _tails(len(rows)))
    return Interval(value=value, low=float(low), high=float(high), n=len(groups))


def _tails(units: int) -> tuple[float, float]:
    """The percentiles to read: 2.5 and 97.5, further out by what Student's t asks for with so few units."""
    t = student.ppf((1 + LEVEL) / 2, units - 1)
    below = 100 * float(norm.cdf(-np.sqrt(units / (units - 1)) * t))
    return below, 100 - below
