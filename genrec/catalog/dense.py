"""Dense search: the Embedder seam, a cache in front of it, and an exact index of unit vectors."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.fusion import best_rows, tie_order
from genrec.catalog.items import Hit
from genrec.catalog.minilm import MiniLM

__all__ = ["CachingEmbedder", "Embedder", "MiniLM", "VectorIndex"]

_ROUNDING = 1e-5
"""More than a float32 product of unit vectors can be off: no true winner is cut before it is rescored."""

_QUERY_BLOCK = 64


class Embedder(Protocol):
    """Turns text into vectors whose dot product is their similarity.

    `fingerprint` changes whenever the vectors do: an index made under another one cannot be searched. Rows
    are unit length, in the order of the texts, and do not depend on what else is in the call beyond float32
    rounding.
    """

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def fingerprint(self) -> str:
        """What identifies its vectors."""

    @property
    def dim(self) -> int:
        """Length of a row."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim)."""


class CachingEmbedder:
    """An embedder that remembers the rows of short calls, and may be told where known rows are.

    A page asks for the same few phrases again and again: concepts, then keywords, then queries.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        size: int = 10_000,
        known: Callable[[str], NDArray[np.float32] | None] = lambda text: None,
    ) -> None:
        """Keep the `size` rows used last; `known` returns the row (dim,) of a text that it has, or None."""
        self._embedder = embedder
        self._size = size
        self._known = known
        self._rows: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The wrapped embedder's name."""
        return self._embedder.name

    @property
    def fingerprint(self) -> str:
        """The wrapped embedder's fingerprint: its rows are these rows."""
        return self._embedder.fingerprint

    @property
    def dim(self) -> int:
        """Length of a row."""
        return self._embedder.dim

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim); the wrapped embedder gets only texts not seen yet."""
        wanted = dict.fromkeys(texts)
        if len(wanted) > self._size:
            return self._embedder.encode(texts)
        rows = {text: row for text in wanted if (row := self._find(text)) is not None}
        missing = [text for text in wanted if text not in rows]
        if missing:
            rows.update(zip(missing, self._embedder.encode(missing), strict=True))
        with self._lock:
            for text in wanted:
                self._rows[text] = rows[text]
                self._rows.move_to_end(text)
            while len(self._rows) > self._size:
                self._rows.popitem(last=False)
        return np.stack([rows[text] for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    def _find(self, text: str) -> NDArray[np.float32] | None:
        with self._lock:
            row = self._rows.get(text)
        return self._known(text) if row is None else row


class VectorIndex:
    """Unit rows, searched exactly by inner product.

    A float32 product finds the candidates and float64 decides among them, so equal rows tie exactly and a
    query has the same answer alone and in a batch.
    """

    def __init__(self, item_ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Take float32 unit rows (n, dim), in memory or memory-mapped, one an item."""
        if vectors.ndim != 2 or len(vectors) != len(item_ids) or vectors.dtype != np.float32:
            raise ValueError(f"{vectors.dtype} {vectors.shape} is not float32 rows for {len(item_ids)} items")
        self.item_ids = tuple(item_ids)
        self.vectors = vectors
        self._ties = tie_order(self.item_ids)

    def search_vector(
        self,
        vector: NDArray[np.float32],
        *,
        limit: int,
        mask: NDArray[np.bool_] | None = None,
        floor: float = -1.0,
    ) -> list[Hit]:
        """Return at most `limit` hits for one unit `vector` (dim,), best first, ties by item_id.

        `mask` (n,) says which items may be returned; items below cosine `floor` are no match. The score is
        the cosine. Raises ValueError when the length of the vector is not the rows'.
        """
        return self.search_vectors(np.asarray(vector)[None, :], limit=limit, mask=mask, floor=floor)[0]

    def search_vectors(
        self,
        matrix: NDArray[np.float32],
        *,
        limit: int,
        mask: NDArray[np.bool_] | None = None,
        floor: float = -1.0,
    ) -> list[list[Hit]]:
        """Return the hits of each row of `matrix` (m, dim), as `search_vector` would."""
        if matrix.ndim != 2 or matrix.shape[1] != self.vectors.shape[1]:
            raise ValueError(f"queries {matrix.shape} do not fit rows of {self.vectors.shape[1]} numbers")
        rows = np.arange(len(self.item_ids)) if mask is None else np.flatnonzero(mask)
        if limit < 1 or len(rows) == 0:
            return [[] for _ in matrix]
        few = len(rows) * 4 < len(self.item_ids)
        vectors = self.vectors[rows] if few else self.vectors
        found: list[list[Hit]] = []
        for start in range(0, len(matrix), _QUERY_BLOCK):
            block = matrix[start : start + _QUERY_BLOCK]
            # (rows or n, queries); one query goes through the matrix-vector product, which is faster
            rough = (vectors @ block[0])[:, None] if len(block) == 1 else vectors @ block.T
            for query, column in zip(block, np.ascontiguousarray(rough.T), strict=True):
                found.append(self._decide(query, column if few or mask is None else column[rows], rows, limit, floor))
        return found

    def _decide(
        self,
        query: NDArray[np.float32],
        rough: NDArray[np.float32],
        rows: NDArray[np.int64],
        limit: int,
        floor: float,
    ) -> list[Hit]:
        cut = floor
        if len(rough) > limit:
            cut = max(cut, float(np.partition(rough, len(rough) - limit)[len(rough) - limit]))
        near = rows[np.flatnonzero(rough >= cut - _ROUNDING)]
        exact = (self.vectors[near].astype(np.float64) * query.astype(np.float64)).sum(axis=1)
        near, exact = near[exact >= floor - _ROUNDING], exact[exact >= floor - _ROUNDING]
        best = best_rows(exact, near, limit, self._ties)
        return [Hit(self.item_ids[row], score) for row, score in zip(near[best], exact[best].tolist(), strict=True)]

    def save(self, path: Path) -> None:
        """Write the rows as one .npy file; item ids are not in it."""
        np.save(path, self.vectors, allow_pickle=False)

    @classmethod
    def load(cls, path: Path, item_ids: Sequence[str]) -> "VectorIndex":
        """Memory-map what `save` wrote. Raises ValueError or OSError when the file does not fit."""
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        return cls(item_ids, np.asarray(mapped))  # a plain view: memmap's own __getitem__ costs microseconds
