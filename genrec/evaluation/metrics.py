"""The literature's metrics of a ranking and of what is beyond its accuracy: pure functions of gains, ids and vectors.

Conventions. A metric that is undefined for its input returns None, never a 0 or 1 that could be averaged. An empty page
scores 0 in what it should have delivered. What the catalog or the judgments do not know earns nothing. Numbers
that cannot be (negative or NaN gains, k < 1, more relevant things shown than there are) raise ValueError.
Pages as grids of carousels are in carousels.py, money and time in spending.py.
"""

import math
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Key = TypeVar("Key", bound=Hashable)

JUMBLE, REPETITION = 0.01, 0.52
"""Cosines (MiniLM) of two section titles of one page: below, they have nothing in common; above, they say the same.

Measured: the 5 % and 99 % quantiles of the 600 pairs of titles written by people on 40 pages (the first 20 sample
shoppers, an April and a November day, the gatherer's best six groups); median 0.19. In the theme library, which was
written to repeat nothing, pairs from about 0.55 say the same ("Plant-based lunches without cooking", "Vegan lunches for
growing children": 0.56). Another encoder needs its own.
"""


def gains_of(ranking: Iterable[Key], gains: Mapping[Key, float]) -> list[float]:
    """The gain of each thing ranked: 0 for one that `gains` does not know and for every repetition."""
    seen: set[Key] = set()
    found = []
    for key in ranking:
        found.append(0.0 if key in seen else float(gains.get(key, 0.0)))
        seen.add(key)
    return found


def precision_at(gains: Sequence[float], k: int) -> float:
    """P@k = |{rank <= k: gain > 0}| / k, in [0, 1]; a rank that is not filled counts as irrelevant.

    `gains` (best rank first) may be booleans. Source: Manning, Raghavan, Schuetze, Introduction to Information
    Retrieval, section 8.4.
    """
    return _relevant(gains, k) / k


def recall_at(gains: Sequence[float], k: int, *, total: int) -> float | None:
    """R@k = |{rank <= k: gain > 0}| / total, in [0, 1]; None when nothing is relevant (`total` 0).

    `total` counts all that is relevant, shown or not. Source: as `precision_at`.
    """
    found = _relevant(gains, k)
    if total < found:
        raise ValueError(f"{found} relevant things shown of {total}; count each once, and count those not shown")
    return found / total if total else None


def reciprocal_rank(gains: Sequence[float]) -> float:
    """RR = 1 / rank of the first gain > 0, in [0, 1]; 0 when there is none.

    Source: Voorhees, The TREC-8 Question Answering Track Report, 1999.
    """
    return next((1.0 / rank for rank, gain in enumerate(_checked(gains), start=1) if gain > 0), 0.0)


def dcg_at(gains: Sequence[float], k: int) -> float:
    """DCG@k = sum over rank <= k of gain / log2(rank + 1), >= 0. The gain is linear, as in the source's examples.

    For the exponential form pass 2 ** gain - 1. Source: Jarvelin and Kekalainen, Cumulated gain-based evaluation of IR
    techniques, TOIS 20(4), 2002, with the discount log2(rank + 1) now usual (trec_eval, ir_measures, ranx).
    """
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(_checked(gains)[: _cutoff(k)], start=1))


def ndcg_at(gains: Sequence[float], k: int, *, ideal: Iterable[float]) -> float | None:
    """nDCG@k = DCG@k(gains) / DCG@k(ideal, greatest first), in [0, 1]; None when there is nothing to gain.

    `ideal` holds all gains there are to be had, in any order, those not shown too. Source: as `dcg_at`.
    """
    best = dcg_at(sorted(ideal, reverse=True), k)
    return share_of(dcg_at(gains, k), best)


def share_of(value: float, best: float) -> float | None:
    """`value` / `best`, None when `best` is 0 and `value` too. Raises ValueError when `value` is the greater."""
    if value > best * (1 + 1e-9):
        raise ValueError(f"gained {value:.6g} of at most {best:.6g}; `ideal` must hold every gain, each thing once")
    return min(value / best, 1.0) if best else None


def intra_list_diversity(vectors: ArrayLike) -> float | None:
    """ILD = mean over pairs of 1 - cosine, in [0, 2]; 0 of nothing, None of one thing.

    `vectors` are (n, dim) of any length; one of zeros tells nothing and counts as the same as every other. Sources:
    Smyth and McClave, ICCBR 2001; Ziegler, McNee, Konstan, Lausen, WWW 2005.
    """
    cosines = _pair_cosines(vectors, unknown=1.0)
    if len(cosines):
        return float(np.mean(1.0 - cosines))
    return None if len(_matrix(vectors)) else 0.0


def novelty(counts: Sequence[float], total: float) -> float | None:
    """Mean self-information -log2(count / total) of the items shown, in bits, in [0, log2 total]; 0 of nothing.

    `counts` are how many of `total` shoppers (or purchases) have each item. An item that nobody has counts as one that
    one has: it is as novel as the rarest, not infinitely so. None when nobody has bought anything (`total` < 1).
    Sources: Zhou et al., Solving the apparent diversity-accuracy dilemma, PNAS 107(10), 2010; Castells, Hurley, Vargas,
    Novelty and Diversity in Recommender Systems, 2015 (mean inverse user frequency, MIUF).
    """
    known = _checked(counts)
    if max(known, default=0.0) > total:
        raise ValueError(f"an item with {max(known)} of {total} purchases; `total` counts them all")
    if not known:
        return 0.0
    if total < 1:
        return None
    return math.fsum(math.log2(total / max(count, 1.0)) for count in known) / len(known)


def catalog_coverage(pages: Iterable[Iterable[Key]], catalog: Collection[Key]) -> float | None:
    """Share of the catalog that is on any page: |union of pages, in the catalog| / |catalog|; None without a catalog.

    In [0, 1]; ids that the catalog does not have cover nothing. The numerator alone is aggregate diversity (Adomavicius
    and Kwon, TKDE 24(5), 2012). Source: Ge, Delgado-Battenfeld, Jannach, Beyond Accuracy, RecSys 2010.
    """
    return len(_exposure(pages, catalog)) / len(catalog) if catalog else None


def gini(pages: Iterable[Iterable[Key]], catalog: Collection[Key]) -> float | None:
    """How unevenly items are shown: sum over i of (2 i - n - 1) x_i / (n sum x), x_i times shown, ascending, i from 1.

    In [0, 1 - 1 / n]: 0 when all n items of the catalog are shown equally often, the most when only one is. None when
    none is shown. Source: Fleder and Hosanagar, Management Science 55(5), 2009.
    """
    shown = sorted(_exposure(pages, catalog).values())
    n, unseen = len(catalog), len(catalog) - len(shown)
    if not shown:
        return None
    return math.fsum((2 * i - n - 1) * x for i, x in enumerate(shown, start=unseen + 1)) / (n * sum(shown))


def miscalibration(history: Mapping[Key, float], page: Mapping[Key, float], *, alpha: float = 0.01) -> float | None:
    """C_KL(p, q) = sum over c of p(c) ln(p(c) / ((1 - alpha) q(c) + alpha p(c))), in [0, -ln alpha]; 0 is best.

    `history` (p) and `page` (q) give each category its weight; they are brought to sum 1. None without a history. A
    page with nothing that has a category is as far off as can be: -ln alpha. Source: Steck, Calibrated
    Recommendations, RecSys 2018 (its C_KL).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it must lie between 0 and 1")
    p, q = _distribution(history), _distribution(page)
    if not p:
        return None
    terms = (w * math.log(w / ((1 - alpha) * q.get(c, 0.0) + alpha * w)) for c, w in p.items())
    return min(max(math.fsum(terms), 0.0), -math.log(alpha))


NOTHING = 1e-300
"""A share so small that a part of it would not be a number above 0."""


class Cohesion(NamedTuple):
    """How the themes of a page go together: shares of pairs, which sum to 1 where there are pairs."""

    inside: float
    """Pairs as alike as two sections of one page should be; 0 for an empty page."""
    too_alike: float
    """Pairs above the band: repetition."""
    too_far: float
    """Pairs below the band: a jumble."""


def cohesion(themes: ArrayLike, *, low: float = JUMBLE, high: float = REPETITION) -> Cohesion | None:
    """Shares of the pairs of themes whose cosine is in [low, high], above and below it; None with one theme.

    `themes` are (n, dim) of any length; one of zeros is like nothing (cosine 0). Ours: diversity alone rewards a
    jumble and similarity alone repetition; a page should be neither.
    """
    if low > high:
        raise ValueError(f"the band from {low} to {high} is empty; give the lower bound first")
    if not len(_matrix(themes)):
        return Cohesion(0.0, 0.0, 0.0)
    cosines = _pair_cosines(themes, unknown=0.0)
    if not len(cosines):
        return None
    alike, far = float(np.mean(cosines > high)), float(np.mean(cosines < low))
    return Cohesion(float(np.mean((cosines >= low) & (cosines <= high))), alike, far)


def _relevant(gains: Sequence[float], k: int) -> int:
    return sum(gain > 0 for gain in _checked(gains)[: _cutoff(k)])


def _cutoff(k: int) -> int:
    if k < 1:
        raise ValueError(f"k is {k}; a cutoff is at least 1")
    return k


def _checked(gains: Sequence[float]) -> list[float]:
    values = [float(gain) for gain in gains]
    if not all(math.isfinite(value) and value >= 0 for value in values):
        raise ValueError("a gain or count is negative or not a number")
    return values


def _exposure(pages: Iterable[Iterable[Key]], catalog: Collection[Key]) -> Counter[Key]:
    """How many pages show each item of the catalog."""
    return Counter(key for page in pages for key in dict.fromkeys(page) if key in catalog)


def _distribution(weights: Mapping[Key, float]) -> dict[Key, float]:
    """The positive weights, brought to sum 1; {} when there are none."""
    positive = {c: w for c, w in zip(weights, _checked(list(weights.values())), strict=True) if w > 0}
    total = math.fsum(positive.values())
    shares = {c: w / total for c, w in positive.items()}
    return {c: share for c, share in shares.items() if share > NOTHING}


def _matrix(vectors: ArrayLike) -> NDArray[np.float64]:
    """The vectors as (n, dim)."""
    matrix = np.asarray(vectors, dtype=np.float64)
    if matrix.size and (matrix.ndim != 2 or not np.isfinite(matrix).all()):
        raise ValueError(f"vectors are of shape {matrix.shape}; give finite rows, (n, dim)")
    return matrix


def _pair_cosines(vectors: ArrayLike, *, unknown: float) -> NDArray[np.float64]:
    """Cosine of every two rows in [-1, 1], (n * (n - 1) / 2,); `unknown` where one of the two is all zeros."""
    rows = _matrix(vectors)
    if len(rows) < 2:
        return np.zeros(0)
    scale = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    rows = np.divide(rows, scale, out=np.zeros_like(rows), where=scale > 0)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    empty = norms[:, 0] == 0
    cosines: NDArray[np.float64] = np.where(empty[:, None] | empty, unknown, (units @ units.T).clip(-1.0, 1.0))
    upper: NDArray[np.float64] = cosines[np.triu_indices(len(rows), 1)]
    return upper
