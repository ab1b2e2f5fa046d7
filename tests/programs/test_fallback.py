"""When the LM gives nothing: themes written by people, then what is popular. Both guarded."""

from datetime import date
from pathlib import Path

import pytest

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.page import TITLE_LIMIT, PageRequest, Shopper
from genrec.programs.fallback import STATIC_CONCEPTS, popular_sections, static_themes
from genrec.programs.gather import ConceptGroup
from genrec.programs.library import shipped_themes
from genrec.programs.policy import ShopPolicy
from tests.programs.small_shop import Compass

ON = date(2026, 11, 12)


def page(**shopper: object) -> PageRequest:
    return PageRequest(shopper=Shopper.model_validate({"shopper_id": "s", **shopper}), on=ON, items_per_section=3)


def group(title: str, *concepts: str) -> ConceptGroup:
    return ConceptGroup(concepts or ("black tea", "biscuits", "lemons"), "library", "Because.", title, "value")


class TestStaticThemes:
    def test_groups_with_a_title_become_themes_in_their_order(self) -> None:
        groups = [group("Tea and toast"), group(""), group("Soup and bread")]
        themes = static_themes(groups, page())
        assert [t.theme.title for t in themes] == ["Tea and toast", "Soup and bread"]
        assert themes[0].group is groups[0]
        assert (themes[0].theme.rationale, themes[0].theme.objective) == ("Because.", "value")

    def test_every_shipped_theme_is_a_valid_one(self) -> None:
        groups = [ConceptGroup(t.concepts, "library", t.rationale, t.title) for t in shipped_themes()]
        themes = static_themes(groups, page())
        assert [t.theme.title for t in themes] == [t.title for t in shipped_themes()]
        assert {len(t.theme.concepts) for t in themes} == {STATIC_CONCEPTS}

    def test_a_title_that_may_not_be_shown_is_left_out(self) -> None:
        groups = [group("Wine and cheese tonight"), group("Tea and toast")]
        assert [t.theme.title for t in static_themes(groups, page(age=12))] == ["Tea and toast"]
        assert len(static_themes(groups, page(age=40))) == 2

    @pytest.mark.parametrize("bad", [group("TV"), group("A" * (TITLE_LIMIT + 1)), group("Tea and toast", "tea", "jam")])
    def test_what_makes_no_theme_is_left_out(self, bad: ConceptGroup) -> None:
        assert static_themes([bad], page()) == []

    def test_no_groups_no_themes(self) -> None:
        assert static_themes([], page()) == []


def shop(folder: Path, *rows: tuple[str, str, float], **fields: object) -> Catalog:
    """Items from (title, "Department > Leaf", popularity)."""
    items = [
        Item.model_validate(
            {
                "item_id": f"i{n:02}",
                "title": title,
                "categories": tuple(filter(None, path.split(" > "))),
                "popularity": popularity,
                **fields,
            }
        )
        for n, (title, path, popularity) in enumerate(rows)
    ]
    return Catalog.build(items, folder / "shop", Compass())


FOOD = [(f"Bread {n}", "Bakery > Bread", float(n)) for n in range(5)]


class TestPopular:
    def test_departments_by_their_best_seller_each_best_first(self, tmp_path: Path) -> None:
        catalog = shop(tmp_path, *FOOD, *((f"Mop {n}", "Household > Mops", 10.0 + n) for n in range(3)))
        found = list(popular_sections(catalog, ShopPolicy(), page(), taken=set()))
        assert [theme.title for theme, _ in found] == ["Popular in household", "Popular in bakery"]
        assert [c.item.title for c in found[1][1]] == [f"Bread {n}" for n in (4, 3, 2, 1, 0)]
        assert all(0 <= c.relevance <= 1 for _, section in found for c in section)

    def test_equal_sellers_by_item_id(self, tmp_path: Path) -> None:
        catalog = shop(tmp_path, *((f"Mop {n}", "Household > Mops", 1.0) for n in range(4)))
        ((_, section),) = popular_sections(catalog, ShopPolicy(), page(), taken=set())
        assert [c.item.item_id for c in section] == ["i00", "i01", "i02", "i03"]

    def test_what_is_taken_or_sold_out_is_left_out(self, tmp_path: Path) -> None:
        catalog = shop(tmp_path, *FOOD)
        ((_, section),) = popular_sections(catalog, ShopPolicy(), page(), taken={"i04", "i02"})
        assert [c.item.item_id for c in section] == ["i03", "i01", "i00"]
        gone = shop(tmp_path / "gone", *FOOD, in_stock=False)
        assert list(popular_sections(gone, ShopPolicy(), page(), taken=set())) == []

    def test_the_rules_hold_here_too(self, tmp_path: Path) -> None:
        drinks = [
            ("Red wine", "Drinks > Wine", 9.0),
            ("White wine", "Drinks > Wine", 8.0),
            ("Gin", "Drinks > Gin", 7.0),
        ]
        juices = [(f"Juice {n}", "Drinks > Juice", 1.0) for n in range(3)]
        catalog = shop(tmp_path, *drinks, *juices)
        ((_, section),) = popular_sections(catalog, ShopPolicy(), page(age=12), taken=set())
        assert [c.item.title for c in section] == ["Juice 0", "Juice 1", "Juice 2"]
        ((_, section),) = popular_sections(catalog, ShopPolicy(), page(age=40), taken=set())
        assert len(section) == 6

    def test_a_department_with_too_little_to_show_is_no_section(self, tmp_path: Path) -> None:
        catalog = shop(tmp_path, ("Mop", "Household > Mops", 9.0), ("Bucket", "Household > Mops", 8.0), *FOOD)
        found = list(popular_sections(catalog, ShopPolicy(), page(), taken=set()))
        assert [theme.title for theme, _ in found] == ["Popular in bakery"]

    @pytest.mark.parametrize(
        ("department", "title"),
        [
            ("TV & audio", "Popular in TV & audio"),
            ("DIY", "Popular in DIY"),
            ("Fruit", "Popular in fruit"),
            ("", "Popular in the shop"),
            ("Everything that anyone could ever want at home", "Popular in everything that anyone could ever wan"),
        ],
    )
    def test_titles_read_well(self, tmp_path: Path, department: str, title: str) -> None:
        catalog = shop(tmp_path, *((f"Thing {n}", department, 1.0) for n in range(3)))
        ((theme, _),) = popular_sections(catalog, ShopPolicy(), page(), taken=set())
        assert theme.title == title
        assert len(theme.concepts) >= 3

    def test_a_department_whose_name_may_not_be_shown_is_left_out(self, tmp_path: Path) -> None:
        rows = [(f"Thing {n}", "<script>alert(1)</script>", 1.0) for n in range(3)]
        assert list(popular_sections(shop(tmp_path, *rows), ShopPolicy(), page(), taken=set())) == []

    def test_the_sample_fills_a_page_for_the_strictest_shopper(self, catalog: Catalog) -> None:
        strict = page(diets=["vegan", "gluten-free"], allergens=["nuts", "sesame", "soya"], age=12)
        policy = ShopPolicy(catalog.declares_diets)
        found = list(popular_sections(catalog, policy, strict, taken=set()))
        assert len(found) >= 6
        for theme, section in found:
            assert all(v.allowed for v in policy.check(strict, theme.title, [c.item for c in section]))
