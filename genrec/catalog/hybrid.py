"""Hybrid search: BM25 and dense, both filtered inside the search, then fused. Filters are in filters.py."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.bm25 import BM25Index
from genrec.catalog.columns import Columns
from genrec.catalog.dense import VectorIndex
from genrec.catalog.encoder import Embedder
from genrec.catalog.filters import Where
from genrec.catalog.fusion import NOTHING, Ranking, reciprocal_rank_fusion, weighted_sum
from genrec.catalog.item_store import ItemStore
from genrec.catalog.items import Hit, Item
from genrec.catalog.text import item_text, tokenize, words

Mode = Literal["hybrid", "lexical", "dense"]
Fusion = Callable[[Ranking, Ranking, NDArray[np.float64]], Ranking]
"""Joins the lexical and the dense ranking; for each lexical hit there is the share of the query that it holds."""

DEPTH = 100
"""Hits of each kind that are fused, at least."""

DENSE_FLOOR = 0.3
"""Cosine below which an item is no match: MiniLM gives unrelated short texts 0.0 to 0.3."""

_MASK_BYTES = 1 << 26

_as_hit: Callable[[tuple[str, float]], Hit] = partial(tuple.__new__, Hit)  # Hit._make takes twice as long


class Index(Protocol):
    """Finds items: best first, ties by item_id, none twice, [] when nothing matches; odd text never raises.

    `limit` counts items that `where` allows: filtering happens inside the search, so fewer come back only
    when there are no more. Scores are comparable within one result only, but in mode "dense" they are cosines.
    An engine that shards takes this one's place by these two methods: `Catalog.with_index`.
    """

    def search(self, query: str, *, limit: int, where: Where | None = None) -> list[Hit]:
        """Return at most `limit` hits for `query`."""

    def search_many(
        self, queries: Sequence[str], *, limit: int, where: Where | None = None, mode: Mode = "hybrid"
    ) -> list[list[Hit]]:
        """Return the hits of each query: in mode "hybrid" those of `search`, else by words or by meaning alone."""


class Explained(NamedTuple):
    """One hybrid hit and where it comes from; ranks start at 1, None is not found that way."""

    item: Item
    score: float
    lexical_rank: int | None
    dense_rank: int | None
    matched_terms: tuple[str, ...]


def by_rank(lexical: Ranking, dense: Ranking, coverage: NDArray[np.float64]) -> Ranking:
    """Reciprocal rank fusion in which a lexical hit counts by its coverage.

    Without it an item that has one word by chance ("Thanksgiving table", a mission table) is worth as much as one that
    says all of it, and takes half of the page.
    """
    return reciprocal_rank_fusion([lexical, dense], weights=[coverage, 1.0])


def by_score(weight: float) -> Fusion:
    """Weighted sum of scores scaled to [0, 1] within each ranking, `weight` for the dense one and the rest for BM25."""
    return lambda lexical, dense, coverage: weighted_sum([lexical, dense], [1 - weight, weight])


class HybridIndex:
    """Index: BM25 and dense rankings of `DEPTH` or more hits, joined by `fusion`.

    Safe to search from several threads.
    """

    def __init__(
        self,
        items: ItemStore,
        columns: Columns,
        bm25: BM25Index,
        vectors: VectorIndex,
        embedder: Embedder,
        *,
        dense_floor: float = DENSE_FLOOR,
        fusion: Fusion = by_rank,
    ) -> None:
        """Take parts whose rows are the same items. Raises ValueError when they are not as many."""
        if not len(items) == len(columns) == len(bm25) == len(vectors):
            sizes = f"{len(items)} items, {len(columns)} columns, {len(bm25)} lexical and {len(vectors)} vectors"
            raise ValueError(f"the parts of the index do not fit together: {sizes}")
        self._items = items
        self._bm25 = bm25
        self._vectors = vectors
        self._embedder = embedder
        self._floor = dense_floor
        self._fusion = fusion
        most = max(4, _MASK_BYTES // max(len(items), 1))
        self._mask = lru_cache(maxsize=min(most, 64))(partial(columns.mask, ids=items.ids))

    def search(self, query: str, *, limit: int, where: Where | None = None, mode: Mode = "hybrid") -> list[Hit]:
        """Return at most `limit` hits, best first, ties by item_id; [] when nothing matches."""
        if mode == "lexical" and limit > 0:  # short enough for what a batch needs to be felt
            mask = None if where is None else self._mask(where)
            return self._hits(self._bm25.search(query, limit=limit, mask=mask), limit)
        return self.search_many([query], limit=limit, where=where, mode=mode)[0]

    def search_many(
        self, queries: Sequence[str], *, limit: int, where: Where | None = None, mode: Mode = "hybrid"
    ) -> list[list[Hit]]:
        """Return what `search` would for each query; encoder and matrices are gone through once for all of them."""
        if limit < 1:
            return [[] for _ in queries]
        mask = None if where is None else self._mask(where)
        if mode == "lexical":
            rankings = self._lexical(queries, limit, mask)
        elif mode == "dense":
            rankings = self._dense(queries, limit, mask)
        else:
            depth = max(limit, DEPTH)
            both = zip(self._lexical(queries, depth, mask), self._dense(queries, depth, mask), strict=True)
            rankings = [self._fused(query, *pair) for query, pair in zip(queries, both, strict=True)]
        return [self._hits(ranking, limit) for ranking in rankings]

    def explain(self, query: str, *, limit: int, where: Where | None = None) -> list[Explained]:
        """Return the hits of `search` with their ranks in both rankings and the stems they share."""
        mask = None if where is None else self._mask(where)
        depth = max(limit, DEPTH)
        [lexical], [dense] = self._lexical([query], depth, mask), self._dense([query], depth, mask)
        ranks = [{row: rank for rank, row in enumerate(one.rows.tolist(), start=1)} for one in (lexical, dense)]
        terms = list(dict.fromkeys(tokenize(query)))
        fused = self._fused(query, lexical, dense)
        explained = []
        for row, score in list(zip(fused.rows.tolist(), fused.scores.tolist(), strict=True))[: max(limit, 0)]:
            item = self._items.at(row)
            own = frozenset(tokenize(item_text(item)))
            matched = tuple(term for term in terms if term in own)
            explained.append(Explained(item, score, ranks[0].get(row), ranks[1].get(row), matched))
        return explained

    def _hits(self, ranking: Ranking, limit: int) -> list[Hit]:
        rows, scores = ranking
        if len(rows) > limit:
            rows, scores = rows[:limit], scores[:limit]
        return list(map(_as_hit, zip(self._items.ids.many(rows), scores.tolist(), strict=True)))

    def _fused(self, query: str, lexical: Ranking, dense: Ranking) -> Ranking:
        return self._fusion(lexical, dense, self._bm25.coverage(query, lexical.rows))

    def _lexical(self, queries: Sequence[str], limit: int, mask: NDArray[np.bool_] | None) -> list[Ranking]:
        return self._bm25.search_many(queries, limit=limit, mask=mask)

    def _dense(self, queries: Sequence[str], limit: int, mask: NDArray[np.bool_] | None) -> list[Ranking]:
        # an encoder has an opinion even about nothing at all; a query without words has no match
        asked = [place for place, query in enumerate(queries) if words(query)]
        rankings = [NOTHING] * len(queries)
        if asked:
            rows = self._embedder.encode([queries[place] for place in asked])
            found = self._vectors.search(rows, limit=limit, mask=mask, floor=self._floor)
            for place, ranking in zip(asked, found, strict=True):
                rankings[place] = ranking
        return rankings
