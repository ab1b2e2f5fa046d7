"""Building the lexical index from a stream of texts, with rank_bm25's statistics. Searching it is in bm25.py."""

import math
from array import array

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.bm25 import BM25Index
from genrec.catalog.checked import CheckedArray
from genrec.catalog.strings import SortedStrings
from genrec.catalog.text import tokenize
from genrec.errors import CatalogError

_CODE = np.uint16  # of a saturation, where that is large enough; uint32 otherwise
_ITEMS_A_PASS = 100_000


class BM25Builder:
    """Takes texts one by one and holds eight bytes a posting: their tokens are counted and forgotten."""

    def __init__(self, k1: float = 1.5, b: float = 0.75, epsilon: float = 0.25) -> None:
        """Start without items. Raises ValueError unless 0 <= k1 and 0 <= b <= 1."""
        if not (0 <= k1 < math.inf and 0 <= b <= 1 and math.isfinite(epsilon)):
            raise ValueError(f"k1={k1}, b={b}, epsilon={epsilon}: k1 is 0 or more, b is from 0 to 1")
        self._k1 = k1
        self._b = b
        self._epsilon = epsilon
        self._terms: dict[str, int] = {}  # in the order in which they first appear, which rank_bm25 sums in
        self._shapes: dict[tuple[int, int], int] = {}  # (how often the term is in the item, tokens of the item)
        self._term = array("i")
        self._shape = array("i")
        self._sizes = array("i")
        self._tokens = 0

    def add(self, text: str) -> None:
        """Add the next row's text; one without words is never found."""
        tokens = tokenize(text)
        counts: dict[str, int] = {}
        for token in tokens:
            counts[token] = counts.get(token, 0) + 1
        terms, shapes = self._terms, self._shapes
        for token, count in counts.items():
            self._term.append(terms.setdefault(token, len(terms)))
            self._shape.append(shapes.setdefault((count, len(tokens)), len(shapes)))
        self._sizes.append(len(counts))
        self._tokens += len(tokens)

    def finish(self) -> BM25Index:
        """Return the index. Raises CatalogError without any item."""
        if not self._sizes:
            raise CatalogError("the catalog is empty: there is nothing to index; give it at least one item")
        saturations, code = self._saturations()
        order = sorted(self._terms)
        old = np.fromiter((self._terms[term] for term in order), np.int64, len(order))
        frequencies = np.bincount(np.frombuffer(self._term, np.int32), minlength=len(order))
        starts = np.zeros(len(order) + 1, dtype=np.int64)
        np.cumsum(frequencies[old], out=starts[1:])
        new = np.empty(len(order), dtype=np.int64)
        new[old] = np.arange(len(order))
        rows, codes = self._by_column(new, starts, code)
        return BM25Index(
            len(self._sizes),
            SortedStrings.of(order),
            CheckedArray.of(starts),
            CheckedArray.of(rows),
            CheckedArray.of(codes),
            CheckedArray.of(self._idf(frequencies)[old]),
            saturations,
        )

    def _idf(self, frequencies: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return rank_bm25's idf of each term, in the order in which they first appear."""
        weights = np.empty(len(frequencies))
        total = 0.0
        known: dict[int, float] = {}
        for place, frequency in enumerate(frequencies.tolist()):
            if frequency not in known:
                known[frequency] = math.log(len(self._sizes) - frequency + 0.5) - math.log(frequency + 0.5)
            weights[place] = known[frequency]
            total += known[frequency]  # one by one: sum() and numpy's pairwise sum differ in the last bit
        if len(weights):
            weights[weights < 0] = self._epsilon * (total / len(weights))
        return weights

    def _saturations(self) -> tuple[NDArray[np.float64], NDArray[np.unsignedinteger]]:
        """Return the distinct saturations, best first, and the place of each of `_shapes` among them."""
        shapes = np.array(list(self._shapes), dtype=np.int64).reshape(-1, 2)
        count, length = shapes.T
        average = self._tokens / len(self._sizes) or 1.0
        # The order of operations is rank_bm25's own: that keeps the sums equal to the last bit.
        saturations = count * (self._k1 + 1) / (count + self._k1 * (1 - self._b + self._b * length / average))
        falling, code = np.unique(-saturations, return_inverse=True)
        # The largest code stays free: `_contenders` marks with it what a mask excludes.
        return -falling, code.astype(_CODE if len(falling) < np.iinfo(_CODE).max else np.uint32)

    def _by_column(
        self, new: NDArray[np.int64], starts: NDArray[np.int64], code: NDArray[np.unsignedinteger]
    ) -> tuple[NDArray[np.int32], NDArray[np.unsignedinteger]]:
        """Return rows and codes of all postings, by term and then by row: a counting sort, some items at a time."""
        rows = np.empty(len(self._term), dtype=np.int32)
        codes = np.empty(len(self._term), dtype=code.dtype)
        sizes = np.frombuffer(self._sizes, np.int32)
        free = starts[:-1].copy()
        stop = 0
        for first in range(0, len(sizes), _ITEMS_A_PASS):
            part = sizes[first : first + _ITEMS_A_PASS]
            start, stop = stop, stop + int(part.sum())
            column = new[np.frombuffer(self._term, np.int32)[start:stop]]
            order = np.argsort(column, kind="stable")
            column = column[order]
            begins = np.flatnonzero(np.diff(column, prepend=-1))
            lengths = np.diff(begins, append=len(column))
            target = free[column] + np.arange(len(column)) - np.repeat(begins, lengths)
            rows[target] = np.repeat(np.arange(first, first + len(part), dtype=np.int32), part)[order]
            codes[target] = code[np.frombuffer(self._shape, np.int32)[start:stop]][order]
            free[column[begins]] += lengths
        return rows, codes
