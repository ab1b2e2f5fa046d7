"""What every Index promises. Subclass, and give `index`: an index of `tests/catalog/conftest.py`'s items."""

import pytest

from genrec.catalog.filters import Where
from genrec.catalog.hybrid import Index
from genrec.catalog.items import Item
from tests.catalog.conftest import make_items

ODD = [
    "",
    " ",
    "🍕🍕",
    "\x00\ud7ff\u202e",
    "'; DROP TABLE items; --",
    "the of",
    "\n\t",
    "𝒷𝓇𝑒𝒶𝒹",
    "a" * 10_000,
    "bread " * 2_000,
]


class IndexContract:
    """Run against one implementation of the Index seam."""

    @pytest.fixture
    def index(self) -> Index:
        """The implementation under test."""
        raise NotImplementedError

    def test_finds_what_is_asked_for(self, index: Index) -> None:
        assert "sourdough" in index_titles(index, "sourdough bread")[0].lower()

    @pytest.mark.parametrize("query", ["bread", "birthday cake", "red wine", "cheese"])
    def test_best_first_ties_by_id_and_none_twice(self, index: Index, query: str) -> None:
        hits = index.search(query, limit=20)
        assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.item_id))
        assert len({hit.item_id for hit in hits}) == len(hits) > 0

    @pytest.mark.parametrize("query", ["bread", "birthday party"])
    def test_a_smaller_limit_is_a_prefix(self, index: Index, query: str) -> None:
        hits = index.search(query, limit=10)
        for limit in (-1, 0, 1, 3, 10):
            assert index.search(query, limit=limit) == hits[: max(limit, 0)]

    def test_the_same_search_twice_is_the_same(self, index: Index) -> None:
        assert index.search("tea", limit=7) == index.search("tea", limit=7)

    @pytest.mark.parametrize("query", ["", " ", "\n", "🍕", "!!!", "zzzxqj"])
    def test_nothing_matches(self, index: Index, query: str) -> None:
        assert index.search(query, limit=5) == []

    @pytest.mark.parametrize("query", ODD, ids=range(len(ODD)))
    def test_odd_text_never_raises(self, index: Index, query: str) -> None:
        assert len(index.search(query, limit=5)) <= 5

    def test_filters_apply_inside_the_search(self, index: Index, items: list[Item]) -> None:
        where = Where(diets=frozenset({"vegan"}), without_allergens=frozenset({"sesame"}))
        allowed = {item.item_id for item in items if where.allows(item)}
        hits = index.search("bread", limit=2, where=where)
        assert len(hits) == 2
        assert {hit.item_id for hit in hits} <= allowed
        assert index.search("bread", limit=5, where=Where(max_price=0)) == []


def index_titles(index: Index, query: str) -> list[str]:
    """Return the titles of the first five hits."""
    titles = {item.item_id: item.title for item in make_items()}
    return [titles[hit.item_id] for hit in index.search(query, limit=5)]
