"""The lexical index: Okapi BM25 with rank_bm25's scores, added up from precomputed columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

from genrec.catalog.fusion import best_rows, tie_order
from genrec.catalog.items import Hit
from genrec.catalog.text import tokenize
from genrec.errors import CatalogError


class BM25Index:
    """What every term adds to every item's score: a sparse (n items, n terms) matrix, column by column (CSC).

    score(d, q) = sum over the tokens t of q of idf(t) * f(t, d) (k1 + 1) / (f(t, d) + k1 (1 - b + b |d| /
    avgdl))

    with rank_bm25's idf, which for a term in more than half of the items is `epsilon` times the average idf.
    The addends do not depend on the query, so answering one costs a few column additions instead of a loop
    over items. Source: Trotman, Puurula, Burgess, ADCS 2014; rank_bm25 `BM25Okapi`, equal to the last bit.
    """

    def __init__(
        self,
        item_ids: Sequence[str],
        terms: Sequence[str],
        starts: NDArray[np.int64],
        rows: NDArray[np.int32],
        values: NDArray[np.float64],
    ) -> None:
        """Take the columns: term j occurs in `rows[starts[j] : starts[j + 1]]`, adding `values` there.

        Raises ValueError when the parts do not fit together.
        """
        sizes = np.diff(starts)
        fits = len(sizes) == len(terms) and int(starts[0]) == 0 and int(starts[-1]) == len(rows) == len(values)
        if not fits or (sizes < 1).any() or (len(rows) and not 0 <= rows.min() <= rows.max() < len(item_ids)):
            raise ValueError(f"{len(rows)} postings do not fit {len(item_ids)} items and {len(terms)} terms")
        self.item_ids = tuple(item_ids)
        self._columns: Mapping[str, int] = {term: column for column, term in enumerate(terms)}
        self._starts = starts
        self._rows = rows
        self._values = values
        self._ties = tie_order(self.item_ids)

    @classmethod
    def build(
        cls,
        item_ids: Sequence[str],
        texts: Sequence[str],
        *,
        k1: float = 1.5,
        b: float = 0.75,
        epsilon: float = 0.25,
    ) -> "BM25Index":
        """Index one text an item; one without words is never found. Raises CatalogError without any item."""
        if not item_ids:
            raise CatalogError("the catalog is empty: there is nothing to index; give it at least one item")
        if len(item_ids) != len(texts):
            raise ValueError(f"{len(item_ids)} item ids but {len(texts)} texts")
        documents = [tokenize(text) for text in texts]
        if not any(documents):
            return cls(item_ids, [], np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0))
        okapi = BM25Okapi(documents, k1=k1, b=b, epsilon=epsilon)
        terms = sorted(okapi.idf)
        columns = {term: column for column, term in enumerate(terms)}
        column = np.array([columns[term] for tf in okapi.doc_freqs for term in tf], dtype=np.int32)
        count = np.array([count for tf in okapi.doc_freqs for count in tf.values()], dtype=np.int64)
        row = np.repeat(np.arange(len(item_ids), dtype=np.int32), [len(tf) for tf in okapi.doc_freqs])
        idf = np.array([okapi.idf[term] for term in terms])
        length = np.array(okapi.doc_len)
        # The order of operations is rank_bm25's own: that keeps the sums equal to the last bit.
        norm = k1 * (1 - b + b * length / okapi.avgdl)
        value = idf[column] * (count * (k1 + 1) / (count + norm[row]))
        order = np.lexsort((row, column))
        starts = np.searchsorted(column[order], np.arange(len(terms) + 1))
        return cls(item_ids, terms, starts, row[order], value[order])

    def scores(self, query: str) -> NDArray[np.float64]:
        """Return every item's score, float64 (n,), in the order of `item_ids`; 0 where no token matches."""
        return self._add_up(query)[0]

    def search(self, query: str, *, limit: int, mask: NDArray[np.bool_] | None = None) -> list[Hit]:
        """Return at most `limit` hits, best first, ties by item_id; [] when nothing matches.

        An item matches when it shares a token with the query, whatever its score: a term in exactly half of
        the items scores 0. `mask` (n,) says which items may be returned; `limit` counts those.
        """
        scores, columns = self._add_up(query)
        if not columns:
            return []
        matched = np.zeros(len(self.item_ids), dtype=np.bool_)
        for column in columns:
            matched[self._postings(column)[0]] = True
        if mask is not None:
            matched &= mask
        rows = np.flatnonzero(matched)
        found = scores[rows]
        best = best_rows(found, rows, limit, self._ties)
        return [Hit(self.item_ids[row], score) for row, score in zip(rows[best], found[best].tolist(), strict=True)]

    def save(self, path: Path) -> None:
        """Write the index as one .npz file without pickles; item ids are not in it."""
        terms = np.frombuffer("\n".join(self._columns).encode(), dtype=np.uint8)
        np.savez(path, terms=terms, starts=self._starts, rows=self._rows, values=self._values)

    @classmethod
    def load(cls, path: Path, item_ids: Sequence[str]) -> "BM25Index":
        """Read what `save` wrote. Raises ValueError or OSError when the file does not fit."""
        with np.load(path, allow_pickle=False) as file:
            parts: dict[str, NDArray[Any]] = {name: file[name] for name in ("terms", "starts", "rows", "values")}
        joined = parts["terms"].tobytes().decode()
        terms = joined.split("\n") if joined else []
        return cls(item_ids, terms, parts["starts"], parts["rows"], parts["values"])

    def _postings(self, column: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        part = slice(self._starts[column], self._starts[column + 1])
        return self._rows[part], self._values[part]

    def _add_up(self, query: str) -> tuple[NDArray[np.float64], list[int]]:
        columns = [self._columns[token] for token in tokenize(query) if token in self._columns]
        scores = np.zeros(len(self.item_ids))
        for column in columns:
            rows, values = self._postings(column)
            scores[rows] += values
        return scores, columns
