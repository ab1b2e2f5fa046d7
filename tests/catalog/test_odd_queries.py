"""Queries and filters that no shop expects: whatever is asked, every mode keeps the promises of Index."""

import json
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from genrec.catalog.filters import Where
from genrec.catalog.hybrid import Mode
from genrec.catalog.items import Hit, Item
from genrec.catalog.store import Catalog
from tests.catalog.test_processes import Digest

NAUGHTY = Path(__file__).parents[3] / "shared" / "data" / "injection" / "blns.json"
MODES: tuple[Mode, ...] = get_args(Mode)

LONG = (
    "cake " * 2_000,
    "a" * 10_000,
    "\u0301" * 10_000,
    "ﷺ" * 10_000,
    " ".join(f"word{n}" for n in range(1_500)),
    "birthday cake cheese bread milk tea " * 300,
    "'" * 10_000,
    "\ud800" * 10_000,
)
ODD = (
    "",
    " ",
    "\n",
    "\0",
    "\x1f",
    "\ud800",
    "bread\udfff",
    "\ufeffbread",
    "ＢＲＥＡＤ",
    "br\u0301ead",
    "🍞",
    "\u202ebread",
    "the",
)  # noqa: E501

# some letters and words of the catalog among whatever else can be in a string
WORDS = st.sampled_from(["cake", "Cheddar", "milk", "TEA", "crisps", "birthday", "the", "\x1f", "\0", "\ud800", ">"])
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=60)
QUERIES = st.one_of(ANY_TEXT, st.lists(st.one_of(WORDS, ANY_TEXT), max_size=8).map(" ".join))
LIMITS = st.sampled_from([-1, 0, 1, 2, 3, 7, 39, 40, 1_000, 2**31, 10**25])

NAMES = st.one_of(
    st.sampled_from(
        ["", "Bakery", "bakery > bread", "Bakery > Bread > Flatbread", " > ", "VEGAN", "milk", "gluten", "nothing",
         "\x1f", "category\x1fbakery", "\ud800", "ß", "İ"]
    ),
    ANY_TEXT,
)  # fmt: skip
PRICES = st.one_of(
    st.none(), st.sampled_from([0.0, -0.0, 1.9, 3, -1.0, math.nan, math.inf, -math.inf, 1e308, 10**30]), st.floats()
)
WHERES = st.builds(
    Where,
    categories=st.frozensets(NAMES, max_size=2),
    min_price=PRICES,
    max_price=PRICES,
    in_stock=st.sampled_from([None, None, True, False]),
    diets=st.frozensets(NAMES, max_size=1),
    without_allergens=st.frozensets(NAMES, max_size=2),
    buyer_age=st.sampled_from([None, None, 0, 17, 18, -1, -(10**9), 255, 256, 10**9, 2**70, -(2**70)]),
    exclude_ids=st.frozensets(
        st.one_of(st.sampled_from(["sku-01", "sku-06", "SKU-09", "", "\ud800"]), ANY_TEXT), max_size=3
    ),
    attributes=st.dictionaries(
        st.one_of(st.sampled_from(["grain", "SALT", "", "=", "\x1f"]), NAMES), NAMES, max_size=1
    ),
)
FEW_NAMES = st.sampled_from(["vegan", "milk", "gluten", "Bakery", "nothing"])
MILD_WHERES = st.builds(
    Where,
    categories=st.frozensets(FEW_NAMES, max_size=1),
    max_price=st.sampled_from([None, 2, 3.5, math.nan, math.inf]),
    without_allergens=st.frozensets(FEW_NAMES, max_size=1),
    attributes=st.sampled_from([{}, {}, {"SALT": "salted"}, {"salt": "\x1f"}]),
)

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def shop(items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The small catalog under an encoder that has an opinion about every text, and takes no time."""
    return Catalog.build(items, tmp_path_factory.mktemp("odd") / "index", Digest(), name="odd")


@pytest.fixture(scope="module")
def naughty() -> list[str]:
    """Strings that are known to break programs."""
    if not NAUGHTY.is_file():
        pytest.skip(f"{NAUGHTY.name} is not here")
    strings: list[str] = json.loads(NAUGHTY.read_text("utf-8"))
    assert len(strings) > 500
    return strings


def assert_promises(hits: Sequence[Hit], catalog: Catalog, *, limit: int, where: Where | None = None) -> None:
    """What Index promises of every answer."""
    assert len(hits) <= max(limit, 0)
    assert list(hits) == sorted(hits, key=lambda hit: (-hit.score, hit.item_id)), "best first, ties by item_id"
    assert len({hit.item_id for hit in hits}) == len(hits), "none twice"
    for hit in hits:
        assert type(hit.item_id) is str and type(hit.score) is float and math.isfinite(hit.score)
        assert where is None or where.allows(catalog.items[hit.item_id])


def assert_searched(catalog: Catalog, query: str, *, limit: int, where: Where | None = None) -> None:
    """Every mode keeps its promises; a limit and a filter take away from the answer and do not change it."""
    for mode in MODES:
        hits = catalog.index.search(query, limit=limit, where=where, mode=mode)
        assert_promises(hits, catalog, limit=limit, where=where)
        assert hits == catalog.index.search(query, limit=limit, where=where, mode=mode)
        if limit > 0 and mode != "hybrid":
            everything = catalog.index.search(query, limit=len(catalog.items), mode=mode)
            allowed = [hit for hit in everything if where is None or where.allows(catalog.items[hit.item_id])]
            assert hits == allowed[:limit]
        if limit > 0 and mode == "hybrid":
            both = [catalog.index.search(query, limit=1_000, where=where, mode=one) for one in ("lexical", "dense")]
            found = {hit.item_id for ranking in both for hit in ranking}
            assert len(hits) == min(limit, len(found)) and {hit.item_id for hit in hits} <= found
            told = catalog.index.explain(query, limit=limit, where=where)
            assert [Hit(one.item.item_id, one.score) for one in told] == hits


@pytest.mark.parametrize("query", [*LONG, *ODD], ids=lambda query: ascii(query[:6]))
def test_queries_by_hand(shop: Catalog, query: str) -> None:
    for limit in (1, 5, 1_000) if query in ODD else (5,):
        assert_searched(shop, query, limit=limit)
        assert_searched(shop, query, limit=limit, where=Where(categories=frozenset({"Bakery"}), max_price=3.5))


@pytest.mark.parametrize("query", ["", " ", "\n\0\x1f", "!?", "'", "\u0301", "\ud800", "🍞"])
def test_a_query_without_words_finds_nothing(shop: Catalog, query: str) -> None:
    assert [shop.index.search(query, limit=9, mode=mode) for mode in MODES] == [[], [], []]
    assert shop.index.explain(query, limit=9) == []


@pytest.mark.parametrize(
    "query", ["bread\udfff", "\ud800 bread", "\ufeffbread", "\0bread\x1f", "\u202ebread", "ＢＲＥＡＤ"]
)
def test_what_is_odd_does_not_hide_the_word_beside_it(shop: Catalog, query: str) -> None:
    found = [hit.item_id for hit in shop.index.search(query, limit=50, mode="lexical")]
    assert found == [hit.item_id for hit in shop.index.search("bread", limit=50, mode="lexical")] != []


def test_every_naughty_string(shop: Catalog, naughty: list[str]) -> None:
    where = Where(without_allergens=frozenset({"milk"}), max_price=4.0)
    for string in naughty:
        assert_searched(shop, f"{string} chocolate", limit=3, where=where)


def test_every_naughty_string_as_a_filter(shop: Catalog, naughty: list[str]) -> None:
    for string in naughty:
        name = frozenset({string})
        for where in (
            Where(categories=name),
            Where(without_allergens=name, exclude_ids=name),
            Where(diets=name),
            Where(attributes={string: string}),
        ):
            assert_filtered(shop, where)


def assert_filtered(catalog: Catalog, where: Where) -> None:
    """A filter by columns says of every item what `allows` says."""
    query = "cake cheese crisps tea wine liquid bread milk sourdough kitchen chocolate birthday nuts salted"
    every = catalog.index.search(query, limit=100, mode="lexical")
    found = catalog.index.search(query, limit=100, where=where, mode="lexical")
    assert found == [hit for hit in every if where.allows(catalog.items[hit.item_id])]


@FUZZ
@given(query=QUERIES, limit=LIMITS, where=st.none() | MILD_WHERES)
@example(query="\ud800", limit=3, where=None)
@example(query="cake", limit=10**25, where=Where(max_price=math.nan))
def test_any_query(shop: Catalog, query: str, limit: int, where: Where | None) -> None:
    assert_searched(shop, query, limit=limit, where=where)


@FUZZ
@given(where=WHERES)
@example(where=Where(min_price=math.nan))
@example(where=Where(max_price=math.nan))
@example(where=Where(min_price=-math.inf, max_price=math.inf))
@example(where=Where(min_price=math.inf))
@example(where=Where(min_price=10**400))
@example(where=Where(max_price=10**400))
@example(where=Where(buyer_age=-1))
@example(where=Where(buyer_age=2**70))
@example(where=Where(attributes={"": ""}))
@example(where=Where(exclude_ids=frozenset({"\ud800", "", "sku-06\0"})))
def test_any_filter(shop: Catalog, where: Where) -> None:
    assert_filtered(shop, where)
    assert_searched(shop, "birthday cake", limit=3, where=where)


def test_odd_names_are_not_mistaken_for_others(tmp_path: Path) -> None:
    """Separators inside names: an item for every pair of them, and a filter for each."""
    names = ["", "a", "\x1f", "a\x1f", "\x1fa", "a\x1fa", "=", "=a", "1", "a > a", "\u00df", "SS"]
    items = [
        Item(
            item_id=f"{row:03}{name}",
            title="Thing",
            categories=(name, value),
            attributes={name: value},
            dietary=frozenset({value}),
            allergens=frozenset({name}),
        )
        for row, (name, value) in enumerate(product(names, names))
    ]
    catalog = Catalog.build(items, tmp_path / "index", Digest())
    filters = [Where(attributes={name: value}) for name, value in product(names, names)]
    for name in names:
        one = frozenset({name})
        filters += [Where(categories=one), Where(diets=one), Where(without_allergens=one)]
        filters.append(Where(categories=frozenset({f"{name} > a"})))
    for where in filters:
        hits = catalog.index.search("thing", limit=len(items), where=where, mode="lexical")
        assert {hit.item_id for hit in hits} == {item.item_id for item in items if where.allows(item)}


@FUZZ
@given(queries=st.lists(QUERIES, max_size=12), limit=LIMITS, where=st.none() | MILD_WHERES)
def test_a_batch_is_what_single_queries_are(shop: Catalog, queries: list[str], limit: int, where: Where | None) -> None:
    for mode in MODES:
        batch = shop.index.search_many(queries, limit=limit, where=where, mode=mode)
        assert batch == [shop.index.search(query, limit=limit, where=where, mode=mode) for query in queries]


def test_a_batch_of_everything_at_once(shop: Catalog, naughty: list[str]) -> None:
    queries = [*naughty, *LONG, *ODD, *naughty]
    for mode in MODES:
        batch = shop.index.search_many(queries, limit=6, mode=mode)
        assert batch == [shop.index.search(query, limit=6, mode=mode) for query in queries]
        for hits in batch:
            assert_promises(hits, shop, limit=6)


@pytest.mark.slow
def test_the_real_encoder_bears_it_too(catalog: Catalog, naughty: list[str]) -> None:
    queries = [*naughty, *(query[:2_000] for query in LONG), *ODD]
    for mode in MODES:
        batch = catalog.index.search_many(queries, limit=6, mode=mode)
        assert batch == [catalog.index.search(query, limit=6, mode=mode) for query in queries]
        for hits in batch:
            assert_promises(hits, catalog, limit=6)


@pytest.mark.slow
@settings(FUZZ, max_examples=25)
@given(query=QUERIES)
@example(query="\ud800")
@example(query=LONG[0])
def test_the_real_encoder_bears_any_text(catalog: Catalog, query: str) -> None:
    row = catalog.embedder.encode([query])
    assert row.shape == (1, 384) and abs(np.linalg.norm(row[0]) - 1) < 1e-5
    assert_searched(catalog, query, limit=4)
