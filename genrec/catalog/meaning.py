"""Which phrases mean the same, by their vectors, stems and numbers of items. Collecting phrases is in phrases.py."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.phrases import Phrase
from genrec.catalog.text import stem, tokenize

REORDERED = 0.90
"""Least cosine of the same words in another order ("boxed candy", "candy boxed")."""
NARROWED = 0.88
"""Least cosine of a phrase and a longer one around it that is in nearly as many items ("diapers", "baby diapers")."""
REWORDED = 0.93
"""Least cosine of other phrases ("aluminium", "aluminum"). The three were chosen on judged pairs, with MiniLM."""

NEARLY = 0.9
"""Share of the items of the wider phrase from which the narrower one names the same things."""

EXACT_ROWS = 10_000
_CELL = 600
_PROBES = 4
_TRAINING_ROWS = 40
_ROUNDS = 8
_BLOCK = 4_000_000

_DECIDING = frozenset(
    stem(word)
    for word in (
        "no non not without free less zero low lower reduced high higher light lite diet decaf regular natural organic "
        "one two three four five six seven eight nine ten half quarter single double triple twin multi multiple aa aaa "
        "extra ultra super semi full mini small medium large big giant long short thick thin wide narrow king queen "
        "left right front back top bottom upper inner outer indoor outdoor interior exterior under over up down "
        "hot cold warm iced raw cooked fresh frozen dried dry wet canned smoked roasted ground whole sliced unsliced "
        "bone boneless skin skinless seed seedless hard soft smooth crunchy mild strong sharp sweet sour bitter salted "
        "unsalted sweetened unsweetened scented unscented spring summer autumn fall winter night morning evening "
        "men mens women womens boy girl male female baby toddler junior adult senior dog cat puppy kitten "
        "black white red green blue yellow purple pink brown gold silver dark"
    ).split()
)
"""Stems on which shoppers tell things apart although vectors hardly do: "left handed", "right handed" have 0.98."""


def distinct(phrases: Sequence[Phrase], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the rows of the phrases that stay when each that means the same as a more frequent one goes, ascending.

    `vectors` are the phrases' unit rows, float32 (n, dim). Phrases are taken most frequent first, of equals those with
    more stems first, then shorter ones; one goes when one that stayed means the same (the leader algorithm). Two mean
    the same when their cosine is at least

        REORDERED   and they have the same stems;
        NARROWED    and one is part of the other, side by side, and at least NEARLY as many items have the rarer one;
        REWORDED    otherwise; where one has all stems of the other, the same share of items is asked for;

    and none of the stems that only one of them has is one that decides. That last condition does not hold back a
    fragment: where "dairy creamer" is in as many items as "non dairy creamer", no item has the shorter one alone, and
    the longer one stays.

    Above EXACT_ROWS phrases, pairs are sought with `close_pairs`, which misses some.
    """
    stems = [tuple(tokenize(text)) for text, _ in phrases]

    def place(row: int) -> tuple[int, int, int, str]:
        text, items = phrases[row]
        return -items, -len(stems[row]), len(text), text

    order = np.array(sorted(range(len(phrases)), key=place), dtype=np.int64)
    rank = np.argsort(order)
    one, other, cosines = close_pairs(vectors, min(REORDERED, NARROWED, REWORDED))
    first, second = np.minimum(rank[one], rank[other]), np.maximum(rank[one], rank[other])
    by_rank = np.lexsort((first, second))
    pairs = zip(order[first[by_rank]].tolist(), order[second[by_rank]].tolist(), cosines[by_rank].tolist(), strict=True)
    stays = np.ones(len(phrases), dtype=np.bool_)
    for a, b, cosine in pairs:
        if stays[a] and stays[b] and _same(phrases[a], stems[a], phrases[b], stems[b], cosine):
            stays[b] = False
    return np.flatnonzero(stays)


def _same(a: Phrase, stems_a: tuple[str, ...], b: Phrase, stems_b: tuple[str, ...], cosine: float) -> bool:
    """Whether `b`, in no more items than `a`, means the same."""
    set_a, set_b = frozenset(stems_a), frozenset(stems_b)
    if set_a == set_b:
        return cosine >= REORDERED
    if set_a > set_b or set_a < set_b:
        if b.items < NEARLY * a.items or cosine < NARROWED:
            return False
        if a.items == b.items and _within(b.text.split(), a.text.split()):
            return True
        if cosine < REWORDED and not _within(stems_b, stems_a) and not _within(stems_a, stems_b):
            return False
    elif cosine < REWORDED:
        return False
    return (set_a ^ set_b).isdisjoint(_DECIDING)


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    return f" {' '.join(part)} " in f" {' '.join(whole)} "


def close_pairs(
    vectors: NDArray[np.float32], cosine: float, *, exact_rows: int = EXACT_ROWS
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return the pairs of rows with at least this cosine: the lower rows, the higher rows and the cosines, each (p,).

    Each pair comes once. Up to `exact_rows` rows there are all of them. Above,
    rows are put into cells (spherical k-means, fixed seed) and compared, exactly, with those of the _PROBES cells
    nearest to them: a pair is missed when neither of the two has the other's cell among these.
    """
    count = len(vectors)
    near = np.zeros((count, 1), dtype=np.int64)
    if count > exact_rows:
        near = _nearest(vectors, _centroids(vectors, -(-count // _CELL)), _PROBES)
    found = [
        _pairs_within(vectors, np.flatnonzero((near == cell).any(axis=1)), np.flatnonzero(near[:, 0] == cell), cosine)
        for cell in range(int(near.max(initial=-1)) + 1)
    ]
    keys = np.concatenate([keys for keys, _ in found] or [np.empty(0, np.int64)])
    cosines = np.concatenate([cosines for _, cosines in found] or [np.empty(0, np.float32)])
    keys, where = np.unique(keys, return_index=True)
    return keys % max(count, 1), keys // max(count, 1), cosines[where]


def _pairs_within(
    vectors: NDArray[np.float32], rows: NDArray[np.int64], others: NDArray[np.int64], cosine: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the close pairs of `rows` with `others`, one number a pair (higher * n + lower), and their cosines."""
    keys = [np.empty(0, np.int64)]
    cosines = [np.empty(0, np.float32)]
    right = vectors[others].T
    step = max(1, _BLOCK // max(1, len(others)))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        product = vectors[part] @ right
        i, j = np.nonzero(product >= cosine)
        apart = part[i] != others[j]
        i, j = i[apart], j[apart]
        keys.append(np.maximum(part[i], others[j]) * len(vectors) + np.minimum(part[i], others[j]))
        cosines.append(product[i, j])
    return np.concatenate(keys), np.concatenate(cosines)


def _centroids(vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return `count` unit rows that the vectors lie around: spherical k-means on a sample of them."""
    random = np.random.default_rng(0)
    sample = vectors[np.sort(random.choice(len(vectors), min(len(vectors), _TRAINING_ROWS * count), replace=False))]
    centroids = sample[np.sort(random.choice(len(sample), count, replace=False))]
    for _ in range(_ROUNDS):
        owner = _nearest(sample, centroids, 1)[:, 0]
        order = np.argsort(owner, kind="stable")
        owned, starts = np.unique(owner[order], return_index=True)
        sums = np.add.reduceat(sample[order], starts, axis=0)
        centroids[owned] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return centroids


def _nearest(vectors: NDArray[np.float32], centroids: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Return the `count` nearest centroids of each vector, nearest first, int64 (n, count)."""
    near = np.empty((len(vectors), count), dtype=np.int64)
    step = max(1, _BLOCK // len(centroids))
    for start in range(0, len(vectors), step):
        product = vectors[start : start + step] @ centroids.T
        if count == 1:
            near[start : start + step, 0] = product.argmax(axis=1)
        else:
            best = np.argpartition(product, -count, axis=1)[:, -count:]
            ranked = np.argsort(-np.take_along_axis(product, best, axis=1), axis=1, kind="stable")
            near[start : start + step] = np.take_along_axis(best, ranked, axis=1)
    return near
