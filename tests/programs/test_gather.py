"""What a shopper could want, from the real library and the sample catalog: allowed, distinct, fitting, repeatable."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from genrec.catalog.ingest import read_shoppers
from genrec.catalog.items import Item
from genrec.catalog.sample import shoppers_path
from genrec.catalog.store import Catalog
from genrec.page import Objective, PageRequest, Purchase, Shopper
from genrec.programs.gather import ALIKE, GROUP_LIMIT, ConceptGroup, Gatherer, flat
from genrec.programs.library import LibraryTheme, shipped_themes
from genrec.programs.policy import ShopPolicy

ON = date(2026, 11, 12)
THEMES = {t.title: t for t in shipped_themes()}
LIMIT = 12

GADGETS = """
Computers > Laptops: Thin laptop 13 inch, Gaming laptop 16 inch, Student laptop 14 inch, Office laptop 15 inch
Computers > Accessories: Mechanical keyboard, Wireless mouse, USB-C hub, Laptop stand
Audio > Headphones: Over-ear headphones, Wireless earbuds, Studio headphones, Noise cancelling headphones
Audio > Speakers: Bluetooth speaker, Bookshelf speakers, Soundbar
Phones > Smartphones: Budget smartphone, Flagship smartphone
Phones > Charging: Fast phone charger, Wireless charging pad, Power bank 20000 mAh
"""


@lru_cache(maxsize=1)
def people() -> dict[str, Shopper]:
    return {s.shopper_id: s for s in read_shoppers(shoppers_path())}


@pytest.fixture(scope="module")
def gatherer(catalog: Catalog) -> Gatherer:
    declared = {diet for item in catalog.items.values() for diet in item.dietary}
    return Gatherer(catalog, ShopPolicy(catalog.declares_diets, catalog_diets=declared))


def gadget_shop(folder: Path, catalog: Catalog, *, levels: int = 2) -> Catalog:
    items = []
    for line in GADGETS.strip().splitlines():
        path, _, titles = line.partition(": ")
        for title in titles.split(", "):
            number = len(items)
            categories = tuple(path.split(" > "))[:levels]
            items.append(Item(item_id=f"g{number}", title=title, categories=categories, popularity=100 - number))
    assert len(items) == 20
    return Catalog.build(items, folder / "gadgets", catalog.embedder)


def page(shopper: Shopper | None = None, on: date = ON, **fields: object) -> PageRequest:
    return PageRequest.model_validate({"shopper": shopper or Shopper(shopper_id="new"), "on": on, **fields})


def gathered(gatherer: Gatherer, request: PageRequest, limit: int = LIMIT) -> list[ConceptGroup]:
    return gatherer.gather(request, limit=limit)


def centres(groups: Sequence[ConceptGroup], catalog: Catalog) -> np.ndarray:
    means = np.stack([catalog.embedder.encode(g.concepts).mean(axis=0) for g in groups])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


SHOPPERS = [
    "alex-new",
    "maya-vegan-student",
    "owen-nut-free-home",
    "zoe-fifteen",
    "shira-shabbat-table",
]


class TestEveryone:
    @pytest.fixture(scope="class", params=SHOPPERS)
    def request_(self, request: pytest.FixtureRequest) -> PageRequest:
        return page(people()[request.param])

    @pytest.fixture(scope="class")
    def groups(self, gatherer: Gatherer, request_: PageRequest) -> list[ConceptGroup]:
        return gathered(gatherer, request_)

    def test_there_are_as_many_as_asked_for(self, groups: list[ConceptGroup]) -> None:
        assert len(groups) == LIMIT

    def test_each_can_become_a_theme(self, groups: list[ConceptGroup]) -> None:
        for group in groups:
            assert 3 <= len(group.concepts) == len(set(group.concepts)) <= GROUP_LIMIT
            assert len(group.rationale) <= 240
            assert all(group.concepts)
            assert group.title == "" or group.title in THEMES

    def test_no_two_are_alike(self, groups: list[ConceptGroup], catalog: Catalog) -> None:
        vectors = centres(groups, catalog)
        cosines = vectors @ vectors.T - np.eye(len(groups))
        assert cosines.max() < ALIKE

    def test_every_concept_may_be_shown(
        self, groups: list[ConceptGroup], request_: PageRequest, catalog: Catalog
    ) -> None:
        policy = ShopPolicy(catalog.declares_diets)
        concepts = [c for g in groups for c in g.concepts]
        verdicts = policy.check(request_, "", [Item(item_id=c, title=c) for c in concepts])
        assert [v for v in verdicts if not v.allowed] == []

    def test_the_catalog_has_something_for_every_concept(self, groups: list[ConceptGroup], catalog: Catalog) -> None:
        concepts = [c for g in groups for c in g.concepts]
        assert all(catalog.index.search_many(concepts, limit=1, mode="dense"))

    def test_the_same_request_gives_the_same_groups(
        self, gatherer: Gatherer, groups: list[ConceptGroup], request_: PageRequest, catalog: Catalog
    ) -> None:
        assert gathered(gatherer, request_) == groups
        again = request_.model_validate_json(request_.model_dump_json())
        assert gathered(Gatherer(catalog, gatherer._policy), again) == groups

    def test_another_seed_gives_another_page(
        self, gatherer: Gatherer, groups: list[ConceptGroup], request_: PageRequest
    ) -> None:
        assert gathered(gatherer, request_.model_copy(update={"seed": 7})) != groups


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_the_limit_is_kept(gatherer: Gatherer, limit: int) -> None:
    assert len(gathered(gatherer, page(people()["shira-shabbat-table"]), limit)) == limit


class TestDietsAndAge:
    def concepts(self, gatherer: Gatherer, **shopper: object) -> str:
        someone = Shopper.model_validate({"shopper_id": "s", **shopper})
        return " | ".join(c for g in gathered(gatherer, page(someone), 24) for c in g.concepts)

    @pytest.mark.parametrize("diet", ["vegan", "Vegan", "plant-based"])
    def test_no_meat_fish_or_dairy_for_a_vegan(self, gatherer: Gatherer, diet: str) -> None:
        told = self.concepts(gatherer, diets=[diet])
        assert told
        for word in ("chicken", "beef", "bacon", "salmon", "cheddar", "eggs", "honey", "whole milk", "salted butter"):
            assert word not in told

    def test_library_themes_declare_the_diet(self, gatherer: Gatherer) -> None:
        groups = gathered(gatherer, page(people()["maya-vegan-student"]), 24)
        assert all("vegan" in THEMES[g.title].diets for g in groups if g.title)

    @pytest.mark.parametrize(
        ("allergen", "diet"),
        [("milk", "dairy-free"), ("peanuts", "nut-free"), ("nuts", "nut-free"), ("gluten", "gluten-free")],
    )
    def test_an_allergy_asks_for_themes_without(self, gatherer: Gatherer, allergen: str, diet: str) -> None:
        groups = gathered(gatherer, page(Shopper(shopper_id="s", allergens=frozenset({allergen}))))
        assert groups
        assert all(diet in THEMES[g.title].diets for g in groups)

    def test_an_allergen_without_a_diet_of_its_own_is_kept_away_too(self, gatherer: Gatherer) -> None:
        told = self.concepts(gatherer, allergens=["crustaceans", "sesame"])
        for word in ("prawn", "crab", "tahini", "sesame"):
            assert word not in told

    @pytest.mark.parametrize("age", [8, 15, 17])
    def test_no_alcohol_for_a_minor(self, gatherer: Gatherer, age: int) -> None:
        told = self.concepts(gatherer, age=age)
        for word in ("red wine", "beer", "lager", "prosecco", "gin ", "whisky", "rum "):
            assert word not in told

    def test_themes_that_name_a_diet_are_not_for_those_who_keep_none(self, gatherer: Gatherer) -> None:
        titles = " | ".join(g.title for g in gathered(gatherer, page(people()["harriet-holiday-host"]))).lower()
        for word in ("vegan", "halal", "kosher", "gluten-free", "vegetarian", "low-carb"):
            assert word not in titles

    def test_those_who_keep_one_get_them(self, gatherer: Gatherer) -> None:
        titles = " | ".join(g.title for g in gathered(gatherer, page(people()["greta-coeliac-baker"]), 24)).lower()
        assert "gluten-free" in titles


class TestWhatComesFirst:
    @pytest.mark.parametrize(
        ("shopper", "occasion"),
        [
            ("alex-new", "dinner party"),
            ("lena-boys-and-dog", "children's birthday"),
            ("shira-shabbat-table", "hanukkah"),
        ],
    )
    def test_an_occasion_that_was_asked_for(self, gatherer: Gatherer, shopper: str, occasion: str) -> None:
        groups = gathered(gatherer, page(people()[shopper], occasion=occasion.title().replace(" ", "  ")))
        assert groups[0].source == "occasion"
        assert occasion in THEMES[groups[0].title].occasions

    def test_an_unknown_occasion_is_no_obstacle(self, gatherer: Gatherer) -> None:
        assert len(gathered(gatherer, page(occasion="llama shearing\n'; --"))) == LIMIT

    def test_the_calendar_shows_without_being_asked(self, gatherer: Gatherer) -> None:
        sources = [g.source for g in gathered(gatherer, page())]
        assert "occasion" in sources and "season" in sources

    def test_objectives_raise_their_themes_and_say_so(self, gatherer: Gatherer) -> None:
        def served(objectives: list[Objective]) -> int:
            groups = gathered(gatherer, page(objectives=objectives))
            return sum("value" in THEMES[g.title].objectives for g in groups)

        asked = [Objective(name="Value", weight=1.0)]
        assert served(asked) >= served([]) + 4
        groups = gathered(gatherer, page(objectives=asked))
        assert all((g.objective == "value") == ("value" in THEMES[g.title].objectives) for g in groups)

    def test_of_two_objectives_the_heavier_one_is_named(self, gatherer: Gatherer) -> None:
        both = [Objective(name="convenience", weight=0.2), Objective(name="value", weight=0.9)]
        for group in gathered(gatherer, page(objectives=both)):
            if {"value", "convenience"} <= THEMES[group.title].objectives:
                assert group.objective == "value"

    def test_an_objective_of_no_theme_changes_nothing(self, gatherer: Gatherer) -> None:
        plain = gathered(gatherer, page())
        assert gathered(gatherer, page(objectives=[Objective(name="own the quarter")])) == plain

    def test_the_shoppers_own_kind_of_household(self, gatherer: Gatherer) -> None:
        groups = gathered(gatherer, page(Shopper(shopper_id="s", household="couple, one dog"), date(2026, 10, 8)))
        assert any("dog" in THEMES[g.title].household for g in groups)
        strangers = gathered(gatherer, page(on=date(2026, 10, 8)))
        assert all(not THEMES[g.title].household for g in strangers)

    def test_a_history_adds_groups_of_its_own_that_say_why(self, gatherer: Gatherer) -> None:
        own = [g for g in gathered(gatherer, page(people()["nora-bakes-bread"])) if g.source == "history"]
        assert 1 <= len(own) <= 2
        assert all(g.rationale.startswith("Close to the ") and g.title == "" for g in own)

    def test_later_purchases_change_nothing(self, gatherer: Gatherer) -> None:
        shopper = people()["nora-bakes-bread"]
        later = Purchase(item_id=shopper.history[0].item_id, at=date(2026, 11, 30))
        known = shopper.model_copy(update={"history": tuple(p for p in shopper.history if p.at <= ON)})
        told = known.model_copy(update={"history": (*known.history, later)})
        assert gathered(gatherer, page(known)) == gathered(gatherer, page(told))


class TestOtherShops:
    def test_a_history_of_gadgets_gives_groups_of_gadgets(self, tmp_path: Path, catalog: Catalog) -> None:
        shop = gadget_shop(tmp_path, catalog)
        history = tuple(Purchase(item_id=i, at=ON) for i in shop.items)
        groups = Gatherer(shop, ShopPolicy()).gather(page(Shopper(shopper_id="s", history=history)), limit=LIMIT)
        assert groups and groups[0].source == "history"
        assert any("headphones" in c for g in groups for c in g.concepts)

    @pytest.mark.parametrize("levels", [2, 1])
    def test_a_newcomer_gets_groups_of_the_departments(self, tmp_path: Path, catalog: Catalog, levels: int) -> None:
        shop = gadget_shop(tmp_path, catalog, levels=levels)
        groups = Gatherer(shop, ShopPolicy()).gather(page(), limit=LIMIT)
        assert groups
        assert {g.source for g in groups} == {"popular"}

    def test_odd_items_are_no_obstacle(self, tmp_path: Path, catalog: Catalog) -> None:
        titles = (", 500 g", ", 1 kg", "tea", "soap", "🍕", "x" * 300)
        items = [Item(item_id=f"o{n}", title=t, categories=("A", "B", "")) for n, t in enumerate(titles)]
        shop = Catalog.build(items, tmp_path / "odd", catalog.embedder)
        history = tuple(Purchase(item_id=i, at=ON) for i in shop.items)
        for request in (page(), page(Shopper(shopper_id="s", history=history))):
            assert isinstance(Gatherer(shop, ShopPolicy()).gather(request, limit=LIMIT), list)

    def test_a_library_of_its_own(self, catalog: Catalog) -> None:
        nothing: frozenset[str] = frozenset()
        mine = LibraryTheme(
            title="Tea and what goes with it",
            concepts=("black tea", "oat biscuits", "lemons", "shortbread", "unicorn horn powder"),
            rationale="Because.",
            months=frozenset(),
            occasions=nothing,
            diets=nothing,
            household=nothing,
            objectives=nothing,
            not_for=nothing,
        )
        groups = Gatherer(catalog, ShopPolicy(), [mine]).gather(page(), limit=LIMIT)
        assert groups[0].title == "Tea and what goes with it"
        assert set(groups[0].concepts) == {"black tea", "oat biscuits", "lemons", "shortbread"}, "the shop has no horn"


class TestFlat:
    groups = [
        ConceptGroup(("a", "b", "c"), "library", ""),
        ConceptGroup(("d", "a"), "library", ""),
        ConceptGroup(("e", "f", "g", "h"), "library", ""),
    ]

    @pytest.mark.parametrize(("limit", "expected"), [(100, "a d e b f c g h"), (4, "a d e b"), (1, "a"), (0, "")])
    def test_round_after_round_and_none_twice(self, limit: int, expected: str) -> None:
        assert flat(self.groups, limit) == expected.split()

    def test_nothing(self) -> None:
        assert flat([], 5) == []
