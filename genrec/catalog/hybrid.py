"""Hybrid search: BM25 and dense, both filtered inside the search, then fused. The filter is `Where`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.bm25 import BM25Index
from genrec.catalog.dense import Embedder, VectorIndex
from genrec.catalog.fusion import reciprocal_rank_fusion
from genrec.catalog.items import Hit, Item
from genrec.catalog.text import item_text, tokenize, words

Mode = Literal["hybrid", "lexical", "dense"]

DEPTH = 100
"""Hits of each kind that are fused, at least."""

DENSE_FLOOR = 0.3
"""Cosine below which an item is no match: MiniLM gives unrelated short texts 0.0 to 0.3."""


def _fold(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


@dataclass(frozen=True)
class Where:
    """What an item must satisfy to be returned; an empty field asks nothing. Only ids are case-sensitive."""

    categories: frozenset[str] = frozenset()
    """Names at any level of the path; one of them is enough."""
    max_price: float | None = None
    """An item without a price is not within it."""
    in_stock: bool | None = None
    diets: frozenset[str] = frozenset()
    """Every one of them must be declared by the item."""
    without_allergens: frozenset[str] = frozenset()
    buyer_age: int | None = None
    """None counts as adult: nothing is left out."""
    exclude_ids: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Name to value; every one of them must hold."""

    def __post_init__(self) -> None:
        """Fold names once, so that equal filters are equal values."""
        for name in ("categories", "diets", "without_allergens"):
            object.__setattr__(self, name, _fold(frozenset(getattr(self, name))))
        object.__setattr__(self, "exclude_ids", frozenset(self.exclude_ids))
        folded = {name.casefold(): value.casefold() for name, value in self.attributes.items()}
        object.__setattr__(self, "attributes", folded)

    def allows(self, item: Item) -> bool:
        """Whether `item` may be returned."""
        own = {name.casefold(): value.casefold() for name, value in item.attributes.items()}
        return (
            item.item_id not in self.exclude_ids
            and (not self.categories or not self.categories.isdisjoint(map(str.casefold, item.categories)))
            and (self.max_price is None or (item.price is not None and item.price <= self.max_price))
            and (self.in_stock is None or item.in_stock == self.in_stock)
            and self.diets <= _fold(item.dietary)
            and self.without_allergens.isdisjoint(_fold(item.allergens))
            and (self.buyer_age is None or item.min_age <= self.buyer_age)
            and all(own.get(name) == value for name, value in self.attributes.items())
        )


class Index(Protocol):
    """Finds items: best first, ties by item_id, none twice, [] when nothing matches; odd text never raises.

    `limit` counts items that `where` allows: filtering happens inside the search, so fewer come back only
    when there are no more. Scores are comparable within one result only.
    """

    def search(self, query: str, *, limit: int, where: Where | None = None) -> list[Hit]:
        """Return at most `limit` hits for `query`."""


class Explained(NamedTuple):
    """One hybrid hit and where it comes from; ranks start at 1, None is not found that way."""

    item: Item
    score: float
    lexical_rank: int | None
    dense_rank: int | None
    matched_terms: tuple[str, ...]


class _Columns:
    """The items by column: `Where.allows` of all of them at once."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._rows = {item.item_id: row for row, item in enumerate(items)}
        self._price = np.array([np.inf if item.price is None else item.price for item in items])
        self._in_stock = np.array([item.in_stock for item in items], dtype=np.bool_)
        self._min_age = np.array([item.min_age for item in items])
        self._facets: dict[tuple[str, str], NDArray[np.int64]] = {}
        facets: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for row, item in enumerate(items):
            for kind, names in (
                ("category", item.categories),
                ("diet", item.dietary),
                ("allergen", item.allergens),
            ):
                for name in names:
                    facets[kind, name.casefold()].append(row)
            for name, value in item.attributes.items():
                facets[f"={name.casefold()}", value.casefold()].append(row)
        self._facets = {key: np.array(rows) for key, rows in facets.items()}

    def mask(self, where: Where) -> NDArray[np.bool_]:
        """Return bool (n,): what `where.allows` says of each item."""
        allowed = np.ones(len(self._rows), dtype=np.bool_)
        if where.categories:
            allowed &= np.logical_or.reduce([self._having("category", name) for name in where.categories])
        for kind, name in [
            *(("diet", name) for name in where.diets),
            *((f"={n}", v) for n, v in where.attributes.items()),
        ]:
            allowed &= self._having(kind, name)
        for name in where.without_allergens:
            allowed &= ~self._having("allergen", name)
        if where.max_price is not None:
            allowed &= (self._price <= where.max_price) & np.isfinite(self._price)
        if where.in_stock is not None:
            allowed &= self._in_stock == where.in_stock
        if where.buyer_age is not None:
            allowed &= self._min_age <= where.buyer_age
        allowed[[self._rows[item_id] for item_id in where.exclude_ids if item_id in self._rows]] = False
        allowed.setflags(write=False)
        return allowed

    def _having(self, kind: str, name: str) -> NDArray[np.bool_]:
        having = np.zeros(len(self._rows), dtype=np.bool_)
        having[self._facets.get((kind, name), np.empty(0, np.int64))] = True
        return having


class HybridIndex:
    """Index: BM25 and dense rankings of `DEPTH` or more hits, joined by reciprocal rank fusion.

    Safe to search from several threads.
    """

    def __init__(
        self,
        items: Sequence[Item],
        bm25: BM25Index,
        vectors: VectorIndex,
        embedder: Embedder,
        *,
        dense_floor: float = DENSE_FLOOR,
    ) -> None:
        """Take parts that list the same items in the same order. Raises ValueError when they do not."""
        ids = tuple(item.item_id for item in items)
        if not ids == bm25.item_ids == vectors.item_ids:
            raise ValueError("the items, the lexical index and the vectors list different items")
        self._items = {item.item_id: item for item in items}
        self._bm25 = bm25
        self._vectors = vectors
        self._embedder = embedder
        self._floor = dense_floor
        self._mask = lru_cache(maxsize=64)(_Columns(items).mask)

    def search(self, query: str, *, limit: int, where: Where | None = None, mode: Mode = "hybrid") -> list[Hit]:
        """Return at most `limit` hits, best first, ties by item_id; [] when nothing matches."""
        return self.search_many([query], limit=limit, where=where, mode=mode)[0]

    def search_many(
        self, queries: Sequence[str], *, limit: int, where: Where | None = None, mode: Mode = "hybrid"
    ) -> list[list[Hit]]:
        """Return what `search` would for each query; the encoder is called once for all of them."""
        if limit < 1:
            return [[] for _ in queries]
        depth = max(limit, DEPTH) if mode == "hybrid" else limit
        rankings = self._rankings(queries, depth, None if where is None else self._mask(where), mode)
        if mode != "hybrid":
            return [lexical or dense for lexical, dense in rankings]
        return [reciprocal_rank_fusion(pair)[:limit] for pair in rankings]

    def explain(self, query: str, *, limit: int, where: Where | None = None) -> list[Explained]:
        """Return the hits of `search` with their ranks in both rankings and the stems they share."""
        mask = None if where is None else self._mask(where)
        lexical, dense = self._rankings([query], max(limit, DEPTH), mask, "hybrid")[0]
        ranks = [{hit.item_id: rank for rank, hit in enumerate(hits, start=1)} for hits in (lexical, dense)]
        terms = list(dict.fromkeys(tokenize(query)))
        explained = []
        for item_id, score in reciprocal_rank_fusion([lexical, dense])[: max(limit, 0)]:
            item = self._items[item_id]
            own = frozenset(tokenize(item_text(item)))
            matched = tuple(term for term in terms if term in own)
            explained.append(Explained(item, score, ranks[0].get(item_id), ranks[1].get(item_id), matched))
        return explained

    def _rankings(
        self, queries: Sequence[str], depth: int, mask: NDArray[np.bool_] | None, mode: Mode
    ) -> list[tuple[list[Hit], list[Hit]]]:
        lexical: list[list[Hit]] = [[] for _ in queries]
        dense: list[list[Hit]] = [[] for _ in queries]
        if mode != "dense":
            lexical = [self._bm25.search(query, limit=depth, mask=mask) for query in queries]
        asked = [place for place, query in enumerate(queries) if words(query)] if mode != "lexical" else []
        if asked:  # an encoder has an opinion even about nothing at all; a query without words has no match
            rows = self._embedder.encode([queries[place] for place in asked])
            hits = self._vectors.search_vectors(rows, limit=depth, mask=mask, floor=self._floor)
            for place, ranking in zip(asked, hits, strict=True):
                dense[place] = ranking
        return list(zip(lexical, dense, strict=True))
