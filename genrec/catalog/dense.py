"""Dense search: an index of unit vectors that decides exactly. What makes texts vectors is in encoder.py.

How rows that may be near are found without looking at all of them is in approximate.py.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.approximate import ApproximateIndex
from genrec.catalog.artifact import Artifact
from genrec.catalog.checked import CheckedArray, save_array
from genrec.catalog.fusion import NOTHING, Ranking, best_rows

EXACT_ROWS = 200_000
"""Rows up to which every one is compared with the query: at 384 numbers that is 13 ms of one core for a query and
113 ms for 48, where an approximate search takes 3 and 84."""

FEW_ROWS = 10_000
"""Rows left by a filter up to which an approximate index compares all of them: 6 ms to gather 10,000 x 256 numbers."""

_SHARED = 5
"""Queries that share the gathering: a batch compares up to `FEW_ROWS` times this many."""

_ROUNDING = 1e-5
"""More than a float32 product of unit vectors can be off: no true winner is cut before it is rescored."""

_QUERY_BLOCK = 64
_ROW_BLOCK = 16_384

_GROUP = 32

_RECALL_AT = 100
_TUNING_QUERIES = 1_024
_QUERY_NOISE = 0.5


class VectorIndex:
    """Unit rows, searched by inner product: every row is compared, or those that an approximate index names.

    A float32 product (or that index) finds the candidates and float64 decides among them, so equal rows tie exactly,
    and an exact query has the same answer alone and in a batch.
    """

    def __init__(
        self,
        vectors: CheckedArray | NDArray[np.float32] | NDArray[np.float16],
        approximate: ApproximateIndex | None = None,
    ) -> None:
        """Take unit rows (n, dim), float32 or float16, in memory or memory-mapped; `approximate` was made of them.

        Raises ValueError when they are anything else.
        """
        if len(vectors.shape) != 2 or vectors.dtype not in (np.float32, np.float16):
            raise ValueError(f"{vectors.dtype} {vectors.shape} is not rows of float32 or float16 numbers")
        # a plain view: memmap's own __getitem__ costs microseconds
        self._vectors = vectors if isinstance(vectors, CheckedArray) else CheckedArray.of(np.asarray(vectors))
        self.approximate = approximate

    @classmethod
    def build(
        cls,
        vectors: CheckedArray | NDArray[np.float32] | NDArray[np.float16],
        queries: NDArray[np.float32] | None = None,
        *,
        target: float = 0.975,
    ) -> "VectorIndex":
        """Return an index of unit rows (n, dim), approximate above `EXACT_ROWS`.

        Half of `queries`, unit rows (m, dim) like those that will be asked, sets how many rows an approximate search
        looks at: as few as reach a recall@100 of `target`. The other half measures `recall`. Without queries, rows
        with noise stand in for them. Rows above `EXACT_ROWS` should be float16, memory-mapped: they are read in
        blocks and never copied as a whole.
        """
        index = cls(vectors)
        if len(vectors) <= EXACT_ROWS:
            return index
        if vectors.dtype != np.float16:
            index = cls(_converted(index._vectors))
        rng = np.random.default_rng(0)
        if queries is None or len(queries) < 2:
            queries = index._noisy_rows(rng)
        queries = np.asarray(queries, np.float32)[rng.permutation(len(queries))[:_TUNING_QUERIES]]
        best = [ranking.scores[-1] for ranking in index.search(queries, limit=_RECALL_AT)]
        index.approximate = ApproximateIndex.train(index._vectors)
        half = len(queries) // 2
        for scan in index.approximate.scans():
            index.approximate = index.approximate.tuned(scan, None)
            if index._recall(queries[:half], best[:half]) >= target:
                break
        index.approximate = index.approximate.tuned(scan, index._recall(queries[half:], best[half:]))
        return index

    @staticmethod
    def row_dtype(count: int) -> "np.dtype[Any]":
        """Return what `count` rows should be written as: float32 where search is exact, else float16."""
        return np.dtype(np.float32 if count <= EXACT_ROWS else np.float16)

    @property
    def exact(self) -> bool:
        """Whether every row is compared with every query."""
        return self.approximate is None

    @property
    def recall(self) -> float | None:
        """Mean share of the true best 100 that an approximate search returns, measured at the build; None if exact."""
        return None if self.approximate is None else self.approximate.recall

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._vectors)

    def rows(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return these rows, float32 (k, dim)."""
        taken: NDArray[np.float32] = self._vectors.take(rows).astype(np.float32, copy=False)
        return taken

    def search(
        self,
        matrix: NDArray[np.float32],
        *,
        limit: int,
        mask: NDArray[np.bool_] | None = None,
        floor: float = -1.0,
    ) -> list[Ranking]:
        """Return for each unit row of `matrix` (m, dim) at most `limit` rows, best first, ties by row.

        `mask` (n,) says which rows may be returned; rows below cosine `floor` are no match. The score is the cosine.
        Raises ValueError when the shape of the queries or of the mask does not fit the rows, and IndexStateError when
        a file of the index is damaged.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self._vectors.shape[1]:
            raise ValueError(f"queries {matrix.shape} do not fit rows of {self._vectors.shape[1]} numbers")
        if mask is not None and mask.shape != (len(self),):
            raise ValueError(f"a mask {mask.shape} does not fit {len(self)} rows")
        queries = np.ascontiguousarray(matrix, dtype=np.float32)
        allowed = None if mask is None else np.flatnonzero(mask)
        count = len(self) if allowed is None else len(allowed)
        if limit < 1 or count == 0:
            return [NOTHING] * len(queries)
        blocks = [queries[start : start + _QUERY_BLOCK] for start in range(0, len(queries), _QUERY_BLOCK)]
        # a search for a good part of the rows looks at all of them anyway
        many = (mask is None or count > FEW_ROWS * min(len(queries), _SHARED)) and limit * 10 < count
        if self.approximate is not None and many:
            near = [self.approximate.candidates(block, limit=limit, mask=mask, allowed=allowed) for block in blocks]
            return [one for each in zip(blocks, near, strict=True) for one in self._decide(*each, limit, floor)]
        gathered = None
        if allowed is not None and len(allowed) * 4 < len(self):  # less to copy than to compare
            gathered = self.rows(allowed)
        return [one for block in blocks for one in self._exact(block, allowed, gathered, limit, floor)]

    def _decide(
        self, queries: NDArray[np.float32], near: Sequence[NDArray[np.int64]], limit: int, floor: float
    ) -> list[Ranking]:
        """Return the ranking of each query among the rows that are `near` it."""
        rows = self._vectors.take(np.concatenate(near))  # at once: checking has a price for each call
        parts = np.split(rows, np.cumsum([len(each) for each in near])[:-1])
        return [_decided(*each, limit, floor) for each in zip(queries, near, parts, strict=True)]

    def _exact(
        self,
        queries: NDArray[np.float32],
        allowed: NDArray[np.int64] | None,
        gathered: NDArray[np.float32] | None,
        limit: int,
        floor: float,
    ) -> list[Ranking]:
        """Return the rankings of a block of queries among `allowed` rows, which are `gathered` where they are few."""
        excluded = None
        if allowed is not None and gathered is None:
            excluded = np.ones(len(self), dtype=np.bool_)
            excluded[allowed] = False
        nearest = [_Nearest(limit, floor) for _ in queries]
        for start, rows in self._blocks(gathered, len(queries)):
            # (m, rows of the block); one query goes through the matrix-vector product, which is faster
            rough = (rows @ queries[0])[None, :] if len(queries) == 1 else queries @ rows.T
            if excluded is not None:
                np.copyto(rough, -np.inf, where=excluded[start : start + len(rows)])
            for one, line in zip(nearest, rough, strict=True):
                one.add(start, line)
        rankings = []
        for query, one in zip(queries, nearest, strict=True):
            near = one.positions()
            if gathered is None or allowed is None:
                rankings.append(_decided(query, near, self._vectors.whole()[near], limit, floor))
            else:
                rankings.append(_decided(query, allowed[near], gathered[near], limit, floor))
        return rankings

    def _blocks(self, gathered: NDArray[np.float32] | None, queries: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield float32 rows and the place of the first of them, in blocks whose products stay in the cache."""
        source = self._vectors if gathered is None else CheckedArray.of(gathered)
        whole = queries == 1 and source.dtype == np.float32
        step = len(source) if whole else _ROW_BLOCK
        for start in range(0, len(source), step):
            rows: NDArray[np.float32] = source[start : start + step].astype(np.float32, copy=False)
            yield start, rows

    def _recall(self, queries: NDArray[np.float32], best: Sequence[float]) -> float:
        """Return the mean share of hits as near as the 100th of an exact search, whose cosine is in `best` (m,)."""
        rankings = self.search(queries, limit=_RECALL_AT)
        wanted = min(_RECALL_AT, len(self))
        hits = [(one.scores >= least).sum() / wanted for one, least in zip(rankings, best, strict=True)]
        return float(np.mean(hits))

    def _noisy_rows(self, rng: np.random.Generator) -> NDArray[np.float32]:
        rows = self.rows(np.sort(rng.choice(len(self), min(len(self), _TUNING_QUERIES), replace=False)))
        noisy = rows + rng.normal(scale=_QUERY_NOISE / np.sqrt(rows.shape[1]), size=rows.shape)
        unit: NDArray[np.float32] = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def save(self, folder: Path, name: str = "vectors") -> None:
        """Write `name`.npy, float32 or (approximate) float16, and what `ApproximateIndex.save` writes."""
        dtype = np.float32 if self.exact else np.float16
        save_array(folder / f"{name}.npy", self._vectors.whole().astype(dtype, copy=False))
        if self.approximate is not None:
            self.approximate.save(folder, name)

    @classmethod
    def open(cls, artifact: Artifact, name: str = "vectors") -> "VectorIndex":
        """Memory-map what `save` wrote; the approximate part is read at the first search that needs it.

        Raises IndexStateError when a file is not what it should be.
        """
        vectors = artifact.array(name)
        approximate = None
        if artifact.has(f"{name}.faiss"):
            approximate = ApproximateIndex.open(artifact, name, (len(vectors), vectors.shape[1]))
        return cls(vectors, approximate)


class _Nearest:
    """The rows of one query that may be among its `limit` best, while blocks of rough cosines go by."""

    def __init__(self, limit: int, floor: float) -> None:
        self._limit = limit
        self._cut = max(floor, -2.0)  # above -inf, the cosine of rows that are not allowed
        self._positions: list[NDArray[np.int64]] = []
        self._rough: list[NDArray[np.float32]] = []

    def add(self, start: int, line: NDArray[np.float32]) -> None:
        """Take the rough cosines (b,) of the rows from `start` on."""
        if not self._rough:
            self._raise_cut(_group_maxima(line, self._limit))
        near = np.flatnonzero(line >= self._cut - _ROUNDING)
        self._positions.append(near + start if start else near)
        self._rough.append(line[near])
        if sum(map(len, self._rough)) > self._limit:
            rough = np.concatenate(self._rough)
            self._raise_cut(rough)
            kept = rough >= self._cut - _ROUNDING
            self._positions = [np.concatenate(self._positions)[kept]]
            self._rough = [rough[kept]]

    def positions(self) -> NDArray[np.int64]:
        """Return the places of the candidates, ascending: all of the `limit` best are among them."""
        return np.concatenate(self._positions)

    def _raise_cut(self, rough: NDArray[np.float32]) -> None:
        if len(rough) > self._limit:
            place = len(rough) - self._limit
            self._cut = max(self._cut, float(np.partition(rough, place)[place]))


def _group_maxima(line: NDArray[np.float32], limit: int) -> NDArray[np.float32]:
    """Return the best of each of many groups: the `limit`-th of them is a lower bound of that of `line`, found fast."""
    groups = len(line) // _GROUP
    if groups < 2 * limit:
        return line
    best: NDArray[np.float32] = line[: groups * _GROUP].reshape(_GROUP, groups).max(axis=0)
    return best


def _decided(
    query: NDArray[np.float32],
    rows: NDArray[np.int64],
    vectors: NDArray[np.float32] | NDArray[np.float16],
    limit: int,
    floor: float,
) -> Ranking:
    """Return the `limit` best of `rows` (k,), whose `vectors` are (k, dim), by their float64 product with `query`."""
    # vecdot adds up each row on its own and in one order: equal rows have equal scores, a matrix product promises less
    scores = np.vecdot(vectors.astype(np.float64), query.astype(np.float64))
    match = scores >= floor - _ROUNDING
    rows, scores = rows[match], scores[match]
    best = best_rows(scores, rows, limit)
    return Ranking(rows[best], scores[best])


def _converted(vectors: CheckedArray) -> NDArray[np.float16]:
    half = np.empty(vectors.shape, dtype=np.float16)
    for start in range(0, len(vectors), _ROW_BLOCK):
        half[start : start + _ROW_BLOCK] = vectors[start : start + _ROW_BLOCK]
    return half
