"""The blend, worked out by hand; reasons that are facts; a shop's own ranker; and what no ranker may do."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from genrec.catalog.store import Catalog
from genrec.errors import SettingsError
from genrec.page import PageItem
from genrec.programs.ranking import BlendRanker, Candidate, Ranker, checked, load_ranker
from tests.contracts.ranker_contract import SECTION, RankerContract
from tests.programs.small_shop import bought, candidates, request, small_shop

SHOP_RANKING = '''
"""A shop's own ranking stack."""
from genrec.page import PageItem


class CheapestTitle:
    """Shortest title first; leaves out what is hardly relevant."""

    def __init__(self, catalog):
        self.known = catalog.items

    def rank(self, section, candidates, request):
        kept = sorted((c for c in candidates if c.relevance > 0.1), key=lambda c: (len(c.item.title), c.item.item_id))
        return [
            PageItem(item_id=c.item.item_id, title=c.item.title, relevance=c.relevance, score=-float(n))
            for n, c in enumerate(kept)
        ]


class NotReady:
    def __init__(self):
        pass


class Idle:
    def __init__(self, catalog):
        pass


class Attribute:
    rank = 3

    def __init__(self, catalog):
        pass


def factory(catalog):
    return CheapestTitle(catalog)


def nothing(catalog):
    return None


def broken(catalog):
    raise KeyError("price-list")


class _Everything:
    items = {}


ready = CheapestTitle(_Everything)
number = 3
'''


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return small_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An importable module of the shop's."""
    (tmp_path / "genrec_test_shop.py").write_text(SHOP_RANKING)
    (tmp_path / "genrec_test_bad.py").write_text("def rank(:\n")
    (tmp_path / "genrec_test_raises.py").write_text("raise RuntimeError('no database')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "genrec_test_shop"
    for name in [n for n in sys.modules if n.startswith("genrec_test_")]:
        del sys.modules[name]


class TestBlendRankerContract(RankerContract):
    @pytest.fixture
    def ranker(self, catalog: Catalog) -> Ranker:
        return BlendRanker(catalog)


class TestCustomRankerContract(RankerContract):
    @pytest.fixture
    def ranker(self, catalog: Catalog, shop_module: str) -> Ranker:
        return load_ranker(f"{shop_module}:CheapestTitle", catalog)


class TestBlend:
    def test_without_a_history_it_is_relevance_and_popularity(self, catalog: Catalog) -> None:
        # ten items by popularity: bare lamp 2/9, soap 5/9, black tea 9/9
        ranked = BlendRanker(catalog).rank(SECTION, candidates(catalog, tea=0.5, soap=0.8, bare=1.0), request())
        assert [i.item_id for i in ranked] == ["bare", "soap", "tea"]
        assert [i.score for i in ranked] == pytest.approx(
            [0.6 * 1.0 + 0.15 * 2 / 9, 0.6 * 0.8 + 0.15 * 5 / 9, 0.6 * 0.5 + 0.15 * 1]
        )

    def test_affinity_to_the_history_counts_a_quarter(self, catalog: Catalog) -> None:
        # black tea bought today, coffee (60 degrees away) 90 days before it
        asked = request((*bought(tea=0), *bought(coffee=90)))
        ranked = BlendRanker(catalog).rank(SECTION, candidates(catalog, coffee=0.4, biscuits=0.4, lamp=0.4), asked)
        scores = {i.item_id: i.score for i in ranked}
        # affinity of coffee (1 + 1/2) / 2 = 0.75; of biscuits 0.8 to the tea; of the lamp 0
        assert scores["coffee"] == pytest.approx(0.6 * 0.4 + 0.25 * 0.75 + 0.15 * 7 / 9)
        assert scores["biscuits"] == pytest.approx(0.6 * 0.4 + 0.25 * 0.8 + 0.15 * 6 / 9)
        assert scores["lamp"] == pytest.approx(0.6 * 0.4 + 0.15 * 3 / 9)

    def test_ties_go_by_item_id(self, tmp_path: Path) -> None:
        shop = small_shop(tmp_path)
        tied = [Candidate(i.model_copy(update={"popularity": 1.0}), 0.5, "") for i in list(shop.items.values())]
        level = Catalog.build([c.item for c in tied], tmp_path / "level", shop.embedder)
        ranked = BlendRanker(level).rank(SECTION, tied[::-1], request())
        assert len({i.score for i in ranked}) == 1
        assert [i.item_id for i in ranked] == sorted(i.item_id for i in ranked)

    def test_purchases_after_the_day_of_the_page_change_nothing(self, catalog: Catalog) -> None:
        given = candidates(catalog, tea=0.5, soap=0.5)
        blend = BlendRanker(catalog)
        assert blend.rank(SECTION, given, request(bought(soap=-1))) == blend.rank(SECTION, given, request())


class TestReasons:
    def reason(self, catalog: Catalog, item_id: str, concept: str, **history: int) -> str:
        given = [Candidate(catalog.items[item_id], 0.5, concept)]
        return BlendRanker(catalog).rank(SECTION, given, request(bought(**history)))[0].reason

    def test_bought_before_with_the_latest_day(self, catalog: Catalog) -> None:
        asked = request((*bought(tea=40), *bought(tea=7), *bought(soap=0)))
        given = [Candidate(catalog.items["tea"], 0.5, "black tea")]
        assert BlendRanker(catalog).rank(SECTION, given, asked)[0].reason == "You bought it on 5 November"

    def test_a_day_of_two_digits(self, catalog: Catalog) -> None:
        assert self.reason(catalog, "tea", "", tea=2) == "You bought it on 10 November"

    def test_close_to_something_bought_named_without_its_size(self, catalog: Catalog) -> None:
        assert self.reason(catalog, "tea-2", "cups", tea=1) == "Close to your black tea"  # cosine 0.996

    def test_another_department_is_not_close(self, catalog: Catalog) -> None:
        assert self.reason(catalog, "biscuits", "cups", tea=1) == "For cups"  # cosine 0.8, but food beside a drink

    def test_not_close_enough_is_not_said(self, catalog: Catalog) -> None:
        assert self.reason(catalog, "coffee", "cups", tea=1) == "For cups"  # cosine 0.5

    def test_found_by_a_concept(self, catalog: Catalog) -> None:
        assert self.reason(catalog, "coffee", "strong coffee") == "For strong coffee"

    def test_popular(self, catalog: Catalog) -> None:
        assert self.reason(catalog, "tea-2", "") == "Popular in Tea"  # 8/9

    def test_from_its_shelf(self, catalog: Catalog) -> None:
        assert self.reason(catalog, "lamp", "") == "From Household"

    def test_nothing_to_say(self, catalog: Catalog) -> None:
        assert self.reason(catalog, "bare", "") == ""

    def test_popular_without_a_shelf(self, tmp_path: Path) -> None:
        shop = small_shop(tmp_path)
        bare = [i.model_copy(update={"categories": ()}) for i in shop.items.values()]
        flat = Catalog.build(bare, tmp_path / "bare", shop.embedder)
        assert self.reason(flat, "tea", "") == "Popular here"


class TestLoadRanker:
    @pytest.mark.parametrize("attribute", ["CheapestTitle", "factory", "ready"])
    def test_a_class_a_factory_or_an_object(self, catalog: Catalog, shop_module: str, attribute: str) -> None:
        ranker = load_ranker(f"{shop_module}:{attribute}", catalog)
        ranked = ranker.rank(SECTION, candidates(catalog, tea=0.9, soap=0.9, bare=0.0), request())
        assert [i.item_id for i in ranked] == ["soap", "tea"]

    def test_a_class_gets_the_catalog(self, catalog: Catalog, shop_module: str) -> None:
        assert load_ranker(f"{shop_module}:CheapestTitle", catalog).known is catalog.items  # type: ignore[attr-defined]

    @pytest.mark.parametrize("name", ["", "ranker", ":Ranker", "module:", ":", "genrec.programs.ranking"])
    def test_the_form_is_module_colon_callable(self, catalog: Catalog, name: str) -> None:
        with pytest.raises(SettingsError, match="write it as module:callable"):
            load_ranker(name, catalog)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("no_such_module:Ranker", "No module named 'no_such_module'; is it on PYTHONPATH"),
            ("genrec_test_shop:Missing", "no attribute 'Missing'"),
            ("genrec_test_shop:CheapestTitle.rank", "no attribute 'CheapestTitle.rank'"),
            ("genrec_test_bad:Ranker", "SyntaxError"),
            ("genrec_test_raises:Ranker", "RuntimeError: no database"),
            (".genrec_test_shop:factory", "TypeError"),
            ("genrec_test_shop:NotReady", "calling it with the catalog failed: TypeError"),
            ("genrec_test_shop:broken", "calling it with the catalog failed: KeyError: 'price-list'"),
            ("genrec_test_shop:number", "calling it with the catalog failed: TypeError"),
            ("genrec_test_shop:Idle", "has no rank"),
            ("genrec_test_shop:Attribute", "has no rank"),
            ("genrec_test_shop:nothing", "has no rank"),
        ],
    )
    def test_what_cannot_rank_is_named(self, catalog: Catalog, shop_module: str, name: str, message: str) -> None:
        with pytest.raises(SettingsError) as caught:
            load_ranker(name, catalog)
        assert str(caught.value).startswith(f"--ranker {name}: ")
        assert message in str(caught.value)


class TestChecked:
    @staticmethod
    def item(item_id: str) -> PageItem:
        return PageItem(item_id=item_id, title=item_id, relevance=0.5, score=1)

    def test_a_subset_in_any_order_passes_unchanged(self, catalog: Catalog) -> None:
        given = candidates(catalog, tea=0.1, soap=0.1, lamp=0.1)
        ranked = [self.item("lamp"), self.item("tea")]
        assert checked(ranked, given) == ranked
        assert checked([], given) == []
        assert checked((), []) == []

    @pytest.mark.parametrize("ids", [["coffee"], ["tea", "coffee"], ["tea", "tea"], ["TEA"]])
    def test_a_foreign_item_or_one_twice_is_refused(self, catalog: Catalog, ids: Sequence[str]) -> None:
        with pytest.raises(SettingsError, match="only reorder and drop"):
            checked([self.item(i) for i in ids], candidates(catalog, tea=0.1, soap=0.1))

    def test_anything_but_page_items_is_refused(self, catalog: Catalog) -> None:
        given = candidates(catalog, tea=0.1)
        with pytest.raises(SettingsError, match="PageItems"):
            checked(given, given)  # type: ignore[arg-type]
