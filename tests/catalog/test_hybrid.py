import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.catalog.bm25 import BM25Index
from genrec.catalog.dense import CachingEmbedder, VectorIndex
from genrec.catalog.fusion import reciprocal_rank_fusion
from genrec.catalog.hybrid import DEPTH, HybridIndex, Index, Mode, Where
from genrec.catalog.items import Hit, Item
from genrec.catalog.store import Catalog
from tests.catalog.test_dense import Counting
from tests.contracts.index_contract import IndexContract


class InMode:
    """One mode of a HybridIndex as an Index of its own."""

    def __init__(self, index: HybridIndex, mode: Mode) -> None:
        self._index, self._mode = index, mode

    def search(self, query: str, *, limit: int, where: Where | None = None) -> list[Hit]:
        return self._index.search(query, limit=limit, where=where, mode=self._mode)


class TestHybrid(IndexContract):
    @pytest.fixture
    def index(self, catalog: Catalog) -> Index:
        return catalog.index


class TestLexical(IndexContract):
    @pytest.fixture
    def index(self, catalog: Catalog) -> Index:
        return InMode(catalog.index, "lexical")


class TestDense(IndexContract):
    @pytest.fixture
    def index(self, catalog: Catalog) -> Index:
        return InMode(catalog.index, "dense")


FOLDED = st.sampled_from(["", "Dairy", "bread", "VEGAN", "milk", "Gluten", "nothing"])
NAMES = st.frozensets(FOLDED.filter(bool), max_size=2)
WHERES = st.builds(
    Where,
    categories=NAMES,
    max_price=st.none() | st.sampled_from([0.0, 1.9, 3.0, float("inf")]),
    in_stock=st.none() | st.booleans(),
    diets=st.frozensets(st.sampled_from(["Vegan", "vegetarian", "halal"]), max_size=1),
    without_allergens=NAMES,
    buyer_age=st.none() | st.sampled_from([0, 17, 18]),
    exclude_ids=st.frozensets(st.sampled_from(["sku-01", "sku-15", "unknown"]), max_size=2),
    attributes=st.dictionaries(st.sampled_from(["Salt", "fat"]), st.sampled_from(["SALTED", "low"]), max_size=2),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=WHERES)
def test_the_mask_of_a_where_is_what_allows_says(where: Where, catalog: Catalog) -> None:
    mask = catalog.index._mask(where)
    assert mask.tolist() == [where.allows(item) for item in catalog.items.values()]


def test_where_by_hand() -> None:
    wine = Item(
        item_id="w",
        title="Wine",
        categories=("Drinks", "Wine"),
        attributes={"Colour": "Red"},
        dietary=frozenset({"vegan"}),
        allergens=frozenset({"sulphites"}),
        price=8,
        in_stock=False,
        min_age=18,
    )
    for where in (
        Where(),
        Where(categories={"wine", "tea"}),
        Where(max_price=8),
        Where(in_stock=False),
        Where(diets={"Vegan"}),
        Where(without_allergens={"milk"}),
        Where(buyer_age=18),
        Where(exclude_ids={"W"}),
        Where(attributes={"colour": "RED"}),
    ):
        assert where.allows(wine), where
    for where in (
        Where(categories={"tea"}),
        Where(max_price=7.99),
        Where(in_stock=True),
        Where(diets={"vegan", "halal"}),
        Where(without_allergens={"Sulphites"}),
        Where(buyer_age=17),
        Where(exclude_ids={"w"}),
        Where(attributes={"colour": "white"}),
        Where(attributes={"origin": "red"}),
    ):
        assert not where.allows(wine), where
    assert not Where(max_price=10).allows(Item(item_id="x", title="No price"))


def test_equal_filters_are_equal_values() -> None:
    one, other = Where(diets={"Vegan"}, attributes={"A": "B"}), Where(diets={"vegan"}, attributes={"a": "b"})
    assert one == other and hash(one) == hash(other)
    assert one != Where(diets={"vegan"})


def test_hybrid_is_the_fusion_of_both(catalog: Catalog) -> None:
    lexical, dense = (catalog.index.search("cheese board", limit=DEPTH, mode=mode) for mode in ("lexical", "dense"))
    assert catalog.index.search("cheese board", limit=5) == reciprocal_rank_fusion([lexical, dense])[:5]


def test_dense_finds_what_shares_no_word(catalog: Catalog) -> None:
    assert catalog.index.search("detergent", limit=3, mode="lexical") == []
    found = [catalog.items[hit.item_id].title for hit in catalog.index.search("detergent", limit=3)]
    assert "Laundry liquid, 1 l" in found


def test_many_queries_are_embedded_in_one_call_and_answered_as_alone(catalog: Catalog, items: list[Item]) -> None:
    counting = Counting()
    ids = [item.item_id for item in items]
    titles = [item.title for item in items]
    vectors = counting.encode(titles)
    counting.calls.clear()
    index = HybridIndex(items, BM25Index.build(ids, titles), VectorIndex(ids, vectors), counting)
    index.search_many(["tea", "", "rye bread", "🍕"], limit=3)
    index.search_many(["tea"], limit=3, mode="lexical")
    assert counting.calls == [["tea", "rye bread"]]
    queries = ["tea", "", "rye bread", "birthday"]
    where = Where(in_stock=True)
    together = catalog.index.search_many(queries, limit=4, where=where)
    assert together == [catalog.index.search(query, limit=4, where=where) for query in queries]


def test_explain_says_where_a_hit_comes_from(catalog: Catalog) -> None:
    explained = catalog.index.explain("birthday cakes", limit=4)
    assert [(e.item.item_id, e.score) for e in explained] == catalog.index.search("birthday cakes", limit=4)
    assert explained[0].matched_terms == ("birthday", "cake")
    lexical = [hit.item_id for hit in catalog.index.search("birthday cakes", limit=DEPTH, mode="lexical")]
    assert explained[0].lexical_rank == lexical.index(explained[0].item.item_id) + 1
    only_dense = catalog.index.explain("detergent", limit=1)[0]
    assert (only_dense.lexical_rank, only_dense.dense_rank, only_dense.matched_terms) == (None, 1, ())


def test_parts_of_different_catalogs_are_refused(items: list[Item]) -> None:
    ids = [item.item_id for item in items]
    bm25 = BM25Index.build(ids, [item.title for item in items])
    vectors = VectorIndex(ids[::-1], np.ones((len(ids), 3), np.float32))
    with pytest.raises(ValueError, match="list different items"):
        HybridIndex(items, bm25, vectors, CachingEmbedder(Counting()))
