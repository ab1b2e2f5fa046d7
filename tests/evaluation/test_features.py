"""What is read of sections, items and pages, on the compass of the small shop: cosines can be worked out by hand."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.catalog.items import Item
from genrec.evaluation.features import HISTORY, FeatureReader
from genrec.evaluation.fit_features import SEASONS
from genrec.evaluation.judges import ItemCase, PageCase, SectionCase
from genrec.page import Objective, PageRequest, Purchase, Theme
from genrec.programs.library import shipped_themes
from genrec.programs.relevance import theme_text
from tests.contracts.judge_contract import page_of
from tests.programs.small_shop import Compass, bought, request


class Wide(Compass):
    """The compass in as many dimensions as MiniLM has."""

    dim = 384

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.hstack([super().encode(texts), np.zeros((len(texts), 382), np.float32)])


TEA = Item(item_id="tea", title="Black tea, 80 bags", categories=("Drinks", "Tea"))
BISCUITS = Item(item_id="biscuits", title="Biscuits, 200 g", categories=("Food", "Biscuits"), allergens={"gluten"})
SOAP = Item(item_id="soap", title="Soap", categories=("Household", "Soap"))
ITEMS = {item.item_id: item for item in (TEA, BISCUITS, SOAP)}
TEATIME = Theme(title="Black tea and a book", concepts=("black tea", "biscuits", "soap dish"))
CLEAN = Theme(title="Soap and water", concepts=("soap bar", "soap dish", "bleach"))


@pytest.fixture(scope="module")
def reader() -> FeatureReader:
    return FeatureReader(Wide(), ITEMS)


def section(reader: FeatureReader, theme: Theme = TEATIME, *items: Item, **fields: Any) -> dict[str, float]:
    asked = fields.pop("asked", None) or request(**fields)
    return reader.section(SectionCase(asked, theme, items)).named


def titled(title: str) -> Theme:
    return Theme(title=title, concepts=("black tea", "biscuits", "mugs"))


class TestSection:
    def test_ideas_and_goods_worked_out_by_hand(self, reader: FeatureReader) -> None:
        # the title points at 0 degrees; ideas: 1, 4/5 (biscuits) and 0 (soap)
        found = section(reader, TEATIME, TEA, BISCUITS)
        assert found["ideas mean"] == pytest.approx((1 + 0.8 + 0) / 3, abs=1e-6)
        assert (found["ideas best"], found["ideas worst"]) == pytest.approx((1, 0), abs=1e-6)
        assert found["goods mean"] == pytest.approx((1 + 0.8) / 2, abs=1e-6)
        assert found["goods worst"] == pytest.approx(0.8, abs=1e-6)
        # mean of (1, 0), (4/5, 3/5) and (0, 1)
        assert found["centre"] == pytest.approx(0.6 / np.hypot(0.6, 1.6 / 3), abs=1e-6)

    def test_without_goods_the_ideas_speak(self, reader: FeatureReader) -> None:
        found = section(reader)
        assert (found["goods mean"], found["goods worst"]) == (found["ideas mean"], found["ideas worst"])

    def test_without_ideas_the_title_speaks(self, reader: FeatureReader) -> None:
        bare = Theme.model_construct(title="Black tea", concepts=(), rationale="", objective="")
        assert section(reader, bare)["ideas mean"] == pytest.approx(1)

    def test_what_is_claimed_and_what_bears_it_out(self, reader: FeatureReader) -> None:
        # of black, tea and biscuit two are in the goods
        found = section(reader, Theme(title="Black tea biscuits", concepts=("mugs", "spoons", "cups")), TEA)
        assert found["claims"] == 3
        assert found["borne out"] == pytest.approx(2 / 3)
        assert found["ideas named"] == 0
        assert section(reader, TEATIME)["ideas named"] == pytest.approx(1 / 3)

    def test_the_vector_is_the_titles(self, reader: FeatureReader) -> None:
        vector = reader.section(SectionCase(request(), CLEAN)).vector
        assert vector == pytest.approx(Wide().encode(["soap"])[0])


class TestDay:
    @pytest.mark.parametrize(
        ("title", "day", "known", "out"),
        [
            ("Christmas baking", date(2026, 12, 1), 1, 0),
            ("Christmas baking", date(2026, 7, 1), 0, 1),
            ("Summer barbecue favourites", date(2026, 11, 12), 0, 1),
            ("Autumn soups", date(2026, 11, 12), 1, 0),
            ("A summer of Easter eggs", date(2026, 4, 1), 1, 1),
            ("November on a plate", date(2026, 11, 12), 1, 0),
            ("Simmering pots", date(2026, 11, 12), 0, 0),
            ("Nicely iced", date(2026, 7, 1), 0, 0),
            ("May we suggest", date(2026, 7, 1), 0, 0),
            ("Ice cream and spring rolls with snow peas", date(2026, 11, 12), 0, 0),
            ("Snowy spring walks", date(2026, 1, 12), 1, 1),
        ],
    )
    def test_seasons(self, reader: FeatureReader, title: str, day: date, known: float, out: float) -> None:
        found = section(reader, titled(title), asked=request().model_copy(update={"on": day}))
        assert (found["in season"], found["out of season"]) == (known, out)

    def test_months_are_months(self) -> None:
        assert all(months <= set(range(1, 13)) and months for months in SEASONS.values())

    def test_the_occasion_asked_for(self, reader: FeatureReader) -> None:
        birthday = request(occasion="birthday")
        assert section(reader, titled("Birthday candles and cake"), asked=birthday)["occasion"] == 1
        assert section(reader, titled("Birthday candles and cake"))["occasion"] == 0


class TestShopper:
    def test_household(self, reader: FeatureReader) -> None:
        dogs, none = titled("Dog walks"), titled("Long walks")
        at_home = [section(reader, dogs, household=home) for home in ("one dog", "two adults")]
        assert [(f["at home"], f["not at home"]) for f in at_home] == [(1, 0), (0, 1)]
        found = section(reader, none, household="one dog")
        assert (found["at home"], found["not at home"]) == (0, 0)

    def test_diets_in_the_title(self, reader: FeatureReader) -> None:
        found = [section(reader, titled("Vegan lunches"), diets=diets) for diets in ({"vegan"}, {"halal"}, set())]
        assert [(f["diet kept"], f["diet of others"], f["keeps a diet"]) for f in found] == [
            (1, 0, 1),
            (0, 1, 1),
            (0, 1, 0),
        ]

    @pytest.mark.parametrize(
        ("shopper", "title"),
        [
            ({"diets": {"vegan"}}, "Dairy-free treats"),
            ({"diets": {"vegan"}}, "Vegetarian suppers"),
            ({"allergens": {"milk"}}, "Dairy-free treats"),
            ({"allergens": {"nut allergy"}}, "Nut-free baking"),
        ],
    )
    def test_diets_that_another_or_an_allergy_asks_for(
        self, reader: FeatureReader, shopper: dict[str, Any], title: str
    ) -> None:
        found = section(reader, titled(title), **shopper)
        assert (found["diet kept"], found["diet of others"]) == (1, 0)
        assert section(reader, titled("Halal grills"), **shopper)["diet of others"] == 1

    def test_denied_goods_are_a_share(self, reader: FeatureReader) -> None:
        found = section(reader, TEATIME, TEA, BISCUITS, allergens={"gluten"})
        assert found["denied"] == 1 / 2
        assert section(reader, TEATIME, TEA, BISCUITS)["denied"] == 0

    def test_history_by_hand(self, reader: FeatureReader) -> None:
        # of ideas at 0, 36.9 and 90 degrees, the nearest purchase (tea or soap): 1, 4/5 and 1
        found = section(reader, TEATIME, history=bought(tea=3, soap=9))
        assert found["history"] == pytest.approx((1 + 0.8 + 1) / 3, abs=1e-6)
        assert found["history title"] == pytest.approx(1)
        assert found["known shopper"] == 1

    def test_what_is_bought_later_or_unknown_tells_nothing(self, reader: FeatureReader) -> None:
        later = section(reader, TEATIME, history=(*bought(tea=-1), *bought(nonesuch=3)))
        assert later == section(reader, TEATIME)
        assert (later["known shopper"], later["history"]) == (0, 0)

    def test_the_latest_purchases_are_read(self) -> None:
        goods = {f"i{n}": Item(item_id=f"i{n}", title=f"Lamp {n}") for n in range(HISTORY)} | ITEMS
        asked = request(history=bought(tea=400, **{i: 1 for i in goods if i.startswith("i")}))
        found = FeatureReader(Wide(), goods).section(SectionCase(asked, TEATIME)).named
        assert found["history title"] == pytest.approx(-1), "tea was bought too long ago"

    def test_what_they_tell(self, reader: FeatureReader) -> None:
        assert section(reader, CLEAN, likes=("soap",))["told"] == pytest.approx(1)
        assert section(reader, CLEAN, note="black tea, please", likes=(" ",))["told"] == pytest.approx(0, abs=1e-6)
        assert section(reader, CLEAN)["told"] == 0
        assert section(reader, CLEAN, note="black tea, please")["tells"] == 1
        assert section(reader, CLEAN, note=" ")["tells"] == 0

    def test_a_title_of_the_library_is_not_compared_with_itself(self) -> None:
        title = shipped_themes()[0].title

        class Only(Wide):
            """Every text at 90 degrees but this title at 0."""

            def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
                return np.eye(2, dtype=np.float32)[[int(text != title) for text in texts]]

        found = FeatureReader(Only(), ITEMS)
        assert section(found, titled(title))["like a written title"] == 0
        assert section(found, titled("Soap"))["like a written title"] == 1


class Relevance:
    """Reads letters: a share of 10, and keeps what it was asked."""

    threshold = 0.5

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def score_many(self, pairs: Sequence[tuple[str, Item]]) -> NDArray[np.float32]:
        self.asked += [(theme, item.item_id) for theme, item in pairs]
        return np.array([len(theme) / 100 for theme, _ in pairs], np.float32)


class TestItems:
    def test_worked_out_by_hand(self, reader: FeatureReader) -> None:
        relevance: Any = Relevance()
        (found,) = reader.items([ItemCase(TEATIME, BISCUITS)], relevance)
        assert relevance.asked == [(theme_text(TEATIME), "biscuits"), ("biscuits", "biscuits")], "theme, nearest idea"
        named = found.named
        assert named["read with idea"] == pytest.approx(0.08)
        # to ideas at 0, 36.9 and 90 degrees: 4/5, 1 and 3/5
        assert (named["idea"], named["two ideas"], named["ideas"]) == pytest.approx((1, 0.9, 0.8), abs=1e-6)
        assert named["title"] == pytest.approx(0.8, abs=1e-6)
        assert (named["idea in name"], named["same head"]) == (1, 1)
        assert found.vector.shape == (0,)

    def test_shared_words_without_any(self, reader: FeatureReader) -> None:
        (found,) = reader.items([ItemCase(titled("Mugs"), SOAP)], Relevance())
        assert (found.named["idea in name"], found.named["same head"]) == (0, 0)

    def test_one_case_each_in_order(self, reader: FeatureReader) -> None:
        cases = [ItemCase(theme, item) for theme in (TEATIME, CLEAN) for item in ITEMS.values()]
        together = reader.items(cases, Relevance())
        assert [f.named for f in together] == [reader.items([case], Relevance())[0].named for case in cases]
        assert reader.items([], Relevance()) == []


class TestPage:
    def page(self, reader: FeatureReader, sections: Any, asked: PageRequest | None = None) -> dict[str, float]:
        asked = asked or request().model_copy(update={"sections": 2, "items_per_section": 3})
        return reader.page(PageCase(asked, page_of(asked, sections), ITEMS), {"items": 0.25}).named

    def test_worked_out_by_hand(self, reader: FeatureReader) -> None:
        found = self.page(reader, [(TEATIME, [TEA, BISCUITS]), (CLEAN, [SOAP])])
        assert found["items"] == 0.25, "what parts were judged"
        assert (found["sections"], found["filled"]) == (1, 3 / 6)
        assert found["titles alike"] == pytest.approx(0, abs=1e-6)
        # tea and biscuits lie around 18.4 degrees, soap at 90
        assert found["goods alike"] == pytest.approx(np.sin(np.arccos(0.8) / 2), abs=1e-5)
        assert found["tightness"] == pytest.approx((0.8 + 0) / 2, abs=1e-5)
        assert (found["departments"], found["leaves"], found["items twice"]) == (3 / 2, 1, 0)

    def test_repetition_is_seen(self, reader: FeatureReader) -> None:
        found = self.page(reader, [(TEATIME, [TEA, SOAP])] * 2)
        assert found["items twice"] == 2
        assert (found["titles alike"], found["goods alike"]) == pytest.approx((1, 1), abs=1e-5)
        assert found["leaves"] == 2 / 4

    def test_history_and_objectives(self, reader: FeatureReader) -> None:
        asked = request(history=bought(tea=1)).model_copy(update={"objectives": (Objective(name="soap"),)})
        found = self.page(reader, [(TEATIME, [TEA]), (CLEAN, [SOAP])], asked)
        assert (found["history"], found["history best"]) == pytest.approx((1 / 2, 1), abs=1e-5)
        assert found["objectives"] == 1
        assert found["said"] == pytest.approx(1, abs=1e-5), "a title that names it"
        assert found["served"] == found["served least"] == 0, "no theme of the library serves soap"

    def test_an_empty_page_has_the_numbers_of_nothing(self, reader: FeatureReader) -> None:
        full = self.page(reader, [(TEATIME, [TEA])])
        found = self.page(reader, [])
        assert found.keys() == full.keys()
        assert {n for n, value in found.items() if value} == {"items"}

    def test_items_that_the_catalog_lacks_are_no_goods(self, reader: FeatureReader) -> None:
        stranger = Item(item_id="stranger", title="Lamp")
        found = self.page(reader, [(TEATIME, [stranger])])
        assert (found["departments"], found["leaves"], found["tightness"]) == (0, 0, 0)
        assert found["filled"] == 1 / 6

    def test_later_purchases_are_not_seen(self, reader: FeatureReader) -> None:
        later = request(history=(Purchase(item_id="tea", at=date(2027, 1, 1)),))
        assert self.page(reader, [(TEATIME, [TEA])], later) == self.page(reader, [(TEATIME, [TEA])], request())
