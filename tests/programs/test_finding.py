"""From a theme to candidates: the catalog's own keywords, real hybrid search, and how a descriptor may narrow it."""

from pathlib import Path

import dspy
import pytest

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.errors import LMError
from genrec.page import Descriptor, PageRequest, Shopper, Theme
from genrec.programs.asking import Asker
from genrec.programs.finding import CHOSEN, KEYWORDS, SMALL_KEYWORDS, Finder, Found
from genrec.programs.gather import ConceptGroup
from genrec.programs.planning import Planned
from genrec.signatures import ItemDescriber
from tests.doubles import Answers, field, scripted_lm
from tests.programs.small_shop import Compass

PARTY = ("birthday candles", "party balloons", "paper plates")
TEA = ("green tea", "peppermint tea", "oat biscuits")


def planned(*concepts: str, title: str = "What is wanted") -> Planned:
    theme = Theme(concepts=concepts, title=title)
    return Planned(theme, ConceptGroup(concepts, "library", ""))


def page(**shopper: object) -> PageRequest:
    return PageRequest(shopper=Shopper.model_validate({"shopper_id": "s", **shopper}))


def found(catalog: Catalog, theme: Planned, *, depth: int = 20, **descriptor: object) -> Found:
    words = Descriptor.model_validate({"keywords": (), **descriptor})
    return Finder(catalog).retrieve(page(), [(theme, words)], depth=depth)[0]


class TestDescribe:
    def describe(self, catalog: Catalog, answers: Answers, *, small: bool = True) -> tuple[Descriptor, Asker]:
        asker = Asker(scripted_lm(answers, small=small), deadline=30.0)
        theme = planned(*TEA, title="Tea and biscuits")
        return Finder(catalog).describe(asker, dspy.Predict(ItemDescriber), page(), theme), asker

    def test_the_lm_chooses_among_keywords_of_the_catalog(self, catalog: Catalog) -> None:
        descriptor, asker = self.describe(catalog, lambda request: ", ".join(field(request, "keywords")[1:4]))
        offered = field(asker.model.lm.engine.requests[0], "keywords")
        assert descriptor.keywords == tuple(offered[1:4])
        assert set(offered) <= set(catalog.keywords.phrases)
        assert len(offered) <= SMALL_KEYWORDS

    def test_a_large_model_gets_a_hundred_at_most(self, catalog: Catalog) -> None:
        _, asker = self.describe(catalog, lambda r: field(r, "keywords")[0], small=False)
        offered = field(asker.model.lm.engine.requests[0], "keywords")
        assert SMALL_KEYWORDS < len(offered) <= KEYWORDS

    def test_invented_keywords_and_repeats_are_left_out(self, catalog: Catalog) -> None:
        def answer(request: object) -> str:
            first, second = field(request, "keywords")[:2]
            return f"moon dust, {second.upper()}, {first}, {first}, spoonfuls of spudies"

        descriptor, asker = self.describe(catalog, answer)
        offered = field(asker.model.lm.engine.requests[0], "keywords")
        assert descriptor.keywords == (offered[1], offered[0]), "as the catalog writes them, in the LM's order"

    def test_only_invented_keywords_are_no_choice(self, catalog: Catalog) -> None:
        with pytest.raises(LMError, match="none of the chosen keywords is one of the catalog's"):
            self.describe(catalog, ["moon dust, star light, sun shine"])

    def test_without_the_lm_the_nearest_keywords_stand_in(self, catalog: Catalog) -> None:
        descriptor = Finder(catalog).nearest_keywords(planned(*TEA, title="Tea and biscuits"))
        assert 1 <= len(descriptor.keywords) <= CHOSEN
        assert set(descriptor.keywords) <= set(catalog.keywords.phrases)
        assert any("tea" in keyword for keyword in descriptor.keywords)


class TestRetrieve:
    def test_the_theme_is_found_and_every_candidate_knows_its_concept(self, catalog: Catalog) -> None:
        result = found(catalog, planned(*TEA))
        assert len(result.candidates) == len(set(result.candidates)) == 20
        assert set(result.concept_of) == set(result.candidates), "no keywords: concepts found everything"
        assert set(result.concept_of.values()) == set(TEA)
        mint = [i for i in result.candidates if "peppermint" in catalog.items[i].title.lower()]
        assert mint
        assert {result.concept_of[i] for i in mint} == {"peppermint tea"}

    def test_keywords_find_more_than_the_concepts(self, catalog: Catalog) -> None:
        result = found(catalog, planned(*TEA), keywords=("dog food",))
        dog = [i for i in result.candidates if "dog" in catalog.items[i].title.lower()]
        assert dog
        assert result.keywords == ("dog food",)
        assert any(i not in result.concept_of for i in dog)

    @pytest.mark.parametrize("depth", [1, 5, 40])
    def test_no_more_than_the_depth(self, catalog: Catalog, depth: int) -> None:
        assert len(found(catalog, planned(*TEA), depth=depth).candidates) == depth

    def test_several_themes_in_one_call_are_what_each_alone_is(self, catalog: Catalog) -> None:
        themes = [(planned(*TEA), Descriptor(keywords=())), (planned(*PARTY), Descriptor(keywords=("candles",)))]
        together = Finder(catalog).retrieve(page(), themes, depth=15)
        assert together == [Finder(catalog).retrieve(page(), [theme], depth=15)[0] for theme in themes]
        assert Finder(catalog).retrieve(page(), [], depth=15) == []

    def test_stock_age_and_allergens_hold_inside_the_search(self, catalog: Catalog) -> None:
        theme = (planned("red wine", "cheddar cheese", "salted peanuts"), Descriptor(keywords=()))
        asked = page(age=15, allergens=["milk"])
        (result,) = Finder(catalog).retrieve(asked, [theme], depth=30)
        items = [catalog.items[i] for i in result.candidates]
        assert len(items) == 30
        assert all(i.in_stock and i.min_age <= 15 and "milk" not in i.allergens for i in items)

    def test_concepts_that_nothing_matches(self, catalog: Catalog) -> None:
        assert found(catalog, planned("???", "!!!", "...")).candidates == ()


class TestNamesakes:
    def shop(self, folder: Path, *rows: tuple[str, str, float]) -> Catalog:
        items = [
            Item(item_id=i, title=t, popularity=p, categories=("Drinks", "Tea"), in_stock=p >= 0.0) for i, t, p in rows
        ]
        return Catalog.build(items, folder / "shop", Compass())

    def test_of_one_title_only_the_most_popular_is_a_candidate(self, tmp_path: Path) -> None:
        rows = [(f"t{n}", ("Black tea", "BLACK TEA", "black tea")[n % 3], float(n % 7)) for n in range(20)]
        shop = self.shop(tmp_path, *rows, ("green", "Green tea", 1.0), ("cup", "Tea cup", 1.0))
        result = found(shop, planned("black tea", "tea cup", "green tea"), depth=30)
        assert sorted(result.candidates) == ["cup", "green", "t13"], "t13 and t6 sell most; the first by id stays"

    def test_equally_popular_the_first_found_stays(self, tmp_path: Path) -> None:
        shop = self.shop(tmp_path, ("b", "Black tea", 1.0), ("a", "Black tea", 1.0), ("c", "Black tea", 1.0))
        assert found(shop, planned("black tea", "tea", "a tea")).candidates == ("a",)


class TestNarrowing:
    theme = planned("tea", "coffee", "biscuits")

    def departments(self, catalog: Catalog, **descriptor: object) -> set[str]:
        result = found(catalog, self.theme, depth=10, **descriptor)
        assert len(result.candidates) >= 5
        return {catalog.items[i].department for i in result.candidates}

    def shelf(self, catalog: Catalog) -> str:
        """The department that most candidates are in, so that it holds enough of them."""
        shelves = [catalog.items[i].department for i in found(catalog, self.theme, depth=40).candidates]
        return max(sorted(set(shelves)), key=shelves.count)

    def test_a_category_narrows_when_enough_is_left(self, catalog: Catalog) -> None:
        shelf = self.shelf(catalog)
        assert len(self.departments(catalog)) > 1
        assert self.departments(catalog, categories=(shelf,)) == {shelf}
        assert self.departments(catalog, categories=(shelf.upper(),)) == {shelf}

    @pytest.mark.parametrize(
        "descriptor",
        [
            {"categories": ("No such shelf",)},
            {"attributes": {"colour": "invisible"}},
            {"categories": ("Pets",), "attributes": {"no such": "attribute"}},
        ],
    )
    def test_what_leaves_too_little_is_ignored(self, catalog: Catalog, descriptor: dict) -> None:
        assert found(catalog, self.theme, depth=10, **descriptor) == found(catalog, self.theme, depth=10)

    def test_attributes_narrow_too(self, catalog: Catalog) -> None:
        result = found(catalog, self.theme, depth=10, attributes={"Food": "YES"})
        assert all(catalog.items[i].attributes.get("food") == "yes" for i in result.candidates)
