"""Timing of two systems side by side, and recall against the exact answer. What is measured is up to the caller."""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from peers import LIMIT, RankBM25, System
from workload import Workload

from genrec.catalog.hybrid import DENSE_FLOOR

WARM = 10
"""Queries before the clock starts."""

FEWEST = 20
"""Queries that even the slowest peer answers."""

BLOCK = 20
"""Queries that one system answers before it is the other's turn."""

BATCHES = 15
"""Times that a page's queries are asked, time allowing."""


class Timing(NamedTuple):
    """Seconds of ours and theirs for the same queries, (n, 2), and for the same pages, (m, 2)."""

    single: NDArray[np.float64]
    page: NDArray[np.float64]


class Reference(NamedTuple):
    """The exact answer: the best ids in order, and all that score as well as the last of them."""

    best: list[str]
    enough: frozenset[str]

    def recall(self, ids: list[str]) -> float:
        """Share of the exact answer that `ids` holds; an equal of the last one is as good as that one."""
        return len(self.enough.intersection(ids[:LIMIT])) / len(self.best) if self.best else 1.0


def reference(scores: NDArray[np.float64], allowed: NDArray[np.bool_], ids, rounding: float) -> Reference:
    """Rank the allowed rows by (-score, row); scores within `rounding` of the last one are its equals."""
    rows = np.flatnonzero(allowed)
    best = rows[np.lexsort((rows, -scores[rows]))[:LIMIT]]
    if not len(best):
        return Reference([], frozenset())
    return Reference(ids[best].tolist(), frozenset(ids[rows[scores[rows] >= scores[best[-1]] - rounding]].tolist()))


def dense_reference(workload: Workload, ids, query_vector: NDArray[np.float32]) -> Reference:
    scores = (workload.vectors() @ query_vector).astype(np.float64)
    near = np.flatnonzero(scores >= np.partition(scores, len(scores) - LIMIT)[len(scores) - LIMIT] - 1e-5)
    rows = workload.vectors()[near].astype(np.float64)
    scores[near] = (rows * query_vector.astype(np.float64)).sum(axis=1)
    return reference(scores, scores >= DENSE_FLOOR, ids, 1e-6)


def fused(lexical: Reference, dense: Reference, coverage: dict[str, float]) -> Reference:
    """Reciprocal rank fusion of the two, k = 60, ties by id; a lexical hit counts by its coverage, as in genrec."""
    scores: defaultdict[str, float] = defaultdict(float)
    for rank, item_id in enumerate(lexical.best, start=1):
        scores[item_id] += coverage[item_id] / (60 + rank)
    for rank, item_id in enumerate(dense.best, start=1):
        scores[item_id] += 1 / (60 + rank)
    best = sorted(scores, key=lambda item_id: (-scores[item_id], item_id))[:LIMIT]
    return Reference(best, frozenset(best))


def references(workload: Workload, okapi: RankBM25 | None, seconds: float) -> dict[str, list[Reference]]:
    """Exact answers of the single queries by topic, as many as `seconds` allow; lexical ones need rank-bm25."""
    found: dict[str, list[Reference]] = {"lexical": [], "dense": [], "hybrid": []}
    ids, deadline = workload.ids(), time.perf_counter() + seconds
    for query, row in zip(workload.queries, workload.query_vectors, strict=True):
        if time.perf_counter() > deadline:
            break
        found["dense"].append(dense_reference(workload, ids, row))
        if okapi:
            scores, sharing = okapi.scores(query)
            found["lexical"].append(reference(scores, sharing, ids, 1e-5))
            held = okapi.coverage(query, found["lexical"][-1].best)
            found["hybrid"].append(fused(found["lexical"][-1], found["dense"][-1], held))
    return found


def recall(system: System, workload: Workload, exact: list[Reference], seconds: float) -> str:
    """Mean recall@100 of `system`, over the queries that it answers in time."""
    found, deadline = [], time.perf_counter() + seconds
    for query, answer in zip(workload.queries, exact, strict=False):
        if time.perf_counter() > deadline and len(found) >= FEWEST:
            break
        found.append(answer.recall(system.ids(system.search(query))))
    return f"{np.mean(found):.4f}" if found else "no reference"


def seconds_of(call, argument) -> float:
    start = time.perf_counter()
    call(argument)
    return time.perf_counter() - start


def _pair(ours, theirs, argument, swap: bool) -> tuple[float, float]:
    if swap:
        second = seconds_of(theirs, argument)
        return seconds_of(ours, argument), second
    return seconds_of(ours, argument), seconds_of(theirs, argument)


def timed(ours: System, theirs: System, page: list[str], seconds: float, single: Sequence[str] = ()) -> Timing:
    """Ask both in turns, `BLOCK` queries at a time, the first one alternating: `single` up to 5 times, then `page`.

    In blocks, because a system that is asked right after another finds the other's data in the processor's caches.
    """
    deadline = time.perf_counter() + seconds / 10
    for query in single[:WARM]:
        if time.perf_counter() < deadline:
            _pair(ours.search, theirs.search, query, False)
    deadline = time.perf_counter() + seconds
    pairs: list[tuple[float, float]] = []
    for turn in range(5):
        for start in range(0, len(single), BLOCK):
            left = time.perf_counter() < deadline
            queries = single[start : start + BLOCK] if left else single[start : start + FEWEST - len(pairs)]
            if not queries or (not left and len(pairs) >= FEWEST):
                continue
            both = [ours.search, theirs.search]
            swap = bool((turn + start // BLOCK) % 2)
            taken = [[seconds_of(search, query) for query in queries] for search in (both[::-1] if swap else both)]
            pairs += zip(*(taken[::-1] if swap else taken), strict=True)
    deadline = time.perf_counter() + seconds / 2
    pages: list[tuple[float, float]] = []
    for turn in range(BATCHES + 1):
        if not pages or time.perf_counter() < deadline:
            pages.append(_pair(ours.batch, theirs.batch, page, bool(turn % 2)))
    return Timing(np.array(pairs), np.array(pages[1:] or pages))  # the first page warms up, unless it took all the time
