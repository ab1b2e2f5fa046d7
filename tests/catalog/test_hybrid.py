import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.catalog.bm25 import BM25Index
from genrec.catalog.dense import VectorIndex
from genrec.catalog.encoder import CachingEmbedder
from genrec.catalog.filters import Where
from genrec.catalog.fusion import Ranking, fuse_hits, reciprocal_rank_fusion, weighted_sum
from genrec.catalog.hybrid import DEPTH, HybridIndex, Index, Mode, by_rank, by_score
from genrec.catalog.items import Hit, Item
from genrec.catalog.minilm import MiniLM
from genrec.catalog.store import Catalog
from genrec.catalog.text import item_text, tokenize
from genrec.page import Descriptor, PageRequest, Shopper, Theme
from genrec.programs.finding import Finder
from genrec.programs.gather import ConceptGroup
from genrec.programs.planning import Planned
from tests.catalog.test_dense import Counting
from tests.contracts.index_contract import IndexContract


class InMode:
    """One mode of a HybridIndex as an Index of its own."""

    def __init__(self, index: HybridIndex, mode: Mode) -> None:
        self._index, self._mode = index, mode

    def search(self, query: str, *, limit: int, where: Where | None = None) -> list[Hit]:
        return self._index.search(query, limit=limit, where=where, mode=self._mode)

    def search_many(
        self, queries: Sequence[str], *, limit: int, where: Where | None = None, mode: Mode = "hybrid"
    ) -> list[list[Hit]]:
        return self._index.search_many(queries, limit=limit, where=where, mode=self._mode)


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


FOLDED = st.sampled_from(["", "Dairy", "bread", "VEGAN", "milk", "Gluten", "dairy > Cheese", "nothing"])
NAMES = st.frozensets(FOLDED.filter(bool), max_size=2)
WHERES = st.builds(
    Where,
    categories=NAMES,
    min_price=st.none() | st.sampled_from([0.0, 1.9, 3.0]),
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
        Where(min_price=8, max_price=8),
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
        Where(min_price=8.01),
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


def pair(catalog: Catalog, query: str) -> list[list[Hit]]:
    return [catalog.index.search(query, limit=DEPTH, mode=mode) for mode in ("lexical", "dense")]


def test_a_query_whose_words_are_all_held_is_plain_reciprocal_rank_fusion(catalog: Catalog) -> None:
    lexical, dense = pair(catalog, "birthday")
    assert len(lexical) == 5
    assert catalog.index.search("birthday", limit=9) == fuse_hits([lexical, dense], reciprocal_rank_fusion)[:9]


def test_a_lexical_hit_counts_by_the_share_of_the_query_that_it_holds(catalog: Catalog, items: list[Item]) -> None:
    lexical, dense = pair(catalog, "chocolate cheese quinoa")
    holding = [{w for w in tokenize(item_text(item))} for item in items]
    dfs = [sum(tokenize(word)[0] in held for held in holding) for word in ("chocolate", "cheese", "quinoa")]
    chocolate, cheese, quinoa = (math.log((len(items) - df + 0.5) / (df + 0.5)) for df in dfs)
    share = {"chocolate": chocolate, "cheese": cheese}
    total = chocolate + cheese + quinoa
    words = {hit.item_id: [w for w in share if w in item_text(catalog.items[hit.item_id]).lower()] for hit in lexical}
    expected = {hit.item_id: 1 / (60 + rank) for rank, hit in enumerate(dense, start=1)}
    for rank, hit in enumerate(lexical, start=1):
        held = sum(share[word] for word in words[hit.item_id]) / total
        assert 0 < held < 1
        expected[hit.item_id] = expected.get(hit.item_id, 0.0) + held / (60 + rank)
    found = catalog.index.search("chocolate cheese quinoa", limit=DEPTH)
    assert {hit.item_id: hit.score for hit in found} == pytest.approx(expected, abs=1e-12)


def test_scores_can_be_summed_instead(index_path: Path, minilm: MiniLM) -> None:
    catalog = Catalog.open(index_path, embedder=minilm, fusion=by_score(0.7))
    lexical, dense = pair(catalog, "cheese board")
    expected = fuse_hits([lexical, dense], lambda rankings: weighted_sum(rankings, [0.3, 0.7]))
    found = catalog.index.search("cheese board", limit=DEPTH)
    assert [hit.item_id for hit in found] == [hit.item_id for hit in expected]
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected])


def test_what_matches_one_word_by_chance_counts_little() -> None:
    wash, vehicle = Ranking(np.array([0]), np.array([3.0])), Ranking(np.array([1, 0]), np.array([0.6, 0.5]))
    assert by_rank(wash, vehicle, np.array([1.0])).rows.tolist() == [0, 1]
    fused = by_rank(wash, vehicle, np.array([0.01]))
    assert fused.rows.tolist() == [1, 0]
    assert fused.scores.tolist() == pytest.approx([1 / 61, 0.01 / 61 + 1 / 62])


def test_dense_finds_what_shares_no_word(catalog: Catalog) -> None:
    assert catalog.index.search("detergent", limit=3, mode="lexical") == []
    found = [catalog.items[hit.item_id].title for hit in catalog.index.search("detergent", limit=3)]
    assert "Laundry liquid, 1 l" in found


def test_many_queries_are_embedded_in_one_call_and_answered_as_alone(catalog: Catalog, items: list[Item]) -> None:
    counting = Counting()
    titles = [item.title for item in items]
    vectors = counting.encode(titles)
    counting.calls.clear()
    index = HybridIndex(catalog._items, catalog._columns, BM25Index.build(titles), VectorIndex(vectors), counting)
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


def test_parts_of_different_catalogs_are_refused(catalog: Catalog, items: list[Item]) -> None:
    bm25 = BM25Index.build([item.title for item in items[1:]])
    with pytest.raises(ValueError, match="40 items, 40 columns, 39 lexical and 40 vectors"):
        HybridIndex(catalog._items, catalog._columns, bm25, catalog._vectors, CachingEmbedder(Counting()))


class WordsInTitles:
    """Another engine, by nothing but the two methods of the seam: items by how many words of the query they have."""

    def __init__(self, items: Sequence[Item], inner: Index) -> None:
        self._items, self._inner = items, inner
        self.asked: list[str] = []

    def search(self, query: str, *, limit: int, where: Where | None = None) -> list[Hit]:
        self.asked.append(query)
        wanted = set(tokenize(query))
        found = {
            i.item_id: len(wanted & set(tokenize(item_text(i)))) for i in self._items if not where or where.allows(i)
        }
        hits = [Hit(item_id, float(count)) for item_id, count in found.items() if count]
        return sorted(hits, key=lambda hit: (-hit.score, hit.item_id))[: max(limit, 0)]

    def search_many(
        self, queries: Sequence[str], *, limit: int, where: Where | None = None, mode: Mode = "hybrid"
    ) -> list[list[Hit]]:
        if mode == "dense":
            return self._inner.search_many(queries, limit=limit, where=where, mode=mode)
        return [self.search(query, limit=limit, where=where) for query in queries]


class TestAnotherEngine(IndexContract):
    @pytest.fixture
    def index(self, catalog: Catalog, items: list[Item]) -> Index:
        return catalog.with_index(WordsInTitles(items, catalog.index)).index


def test_another_engine_takes_the_place_of_this_one(catalog: Catalog, items: list[Item]) -> None:
    engine = WordsInTitles(items, catalog.index)
    searched = catalog.with_index(engine)
    theme = Theme(concepts=("cheddar cheese", "crisps", "oat milk"), title="Snacks")
    planned = Planned(theme, ConceptGroup(theme.concepts, "library", ""))
    themes = [(planned, Descriptor(keywords=("dark chocolate",)))]
    request = PageRequest(shopper=Shopper(shopper_id="s"), on=date(2026, 11, 12))
    [found] = Finder(searched).retrieve(request, themes, depth=5)
    assert engine.asked == [*theme.concepts, "dark chocolate"]
    assert set(found.candidates) <= set(catalog.items) and len(found.candidates) == 5
    assert catalog.index is not engine


def test_a_category_names_a_subtree_anywhere_or_a_path_from_the_root(catalog: Catalog) -> None:
    def titles(*categories: str) -> list[str]:
        mask = catalog.index._mask(Where(categories=frozenset(categories)))
        return [item.title for item, allowed in zip(catalog.items.values(), mask, strict=True) if allowed]

    assert titles("Kitchen") == ["Washing up liquid, 500 ml", "Kitchen roll, 2 pack", "Chef's knife, 20 cm"]
    assert titles("household > knives") == ["Chef's knife, 20 cm"]
    assert titles("Household > Cleaning > Kitchen") == ["Washing up liquid, 500 ml", "Kitchen roll, 2 pack"]
    assert titles("Knives > Kitchen") == []
