"""The theme library: its 373 themes, and which of them fit a page, worked out on calendars and by reading."""

import json
from datetime import date, timedelta
from importlib.resources import files

import pytest

from genrec.page import TITLE_LIMIT, PageRequest, Shopper
from genrec.programs.library import (
    SHOPPER_WORDS,
    LibraryTheme,
    excluded_tags,
    fitting,
    household_tags,
    occasions_of,
    shipped_themes,
)
from genrec.programs.policy import HARD, PREFERENCES, check_title

OBJECTIVES = frozenset(
    "convenience hosting health indulgence discovery value comfort seasonal sustainability own-brand".split()
)


def page(on: date = date(2026, 10, 8), occasion: str = "", **shopper: object) -> PageRequest:
    return PageRequest(shopper=Shopper.model_validate({"shopper_id": "s", **shopper}), on=on, occasion=occasion)


def theme(title: str = "A theme", **tags: object) -> LibraryTheme:
    empty = {name: frozenset() for name in ("months", "occasions", "diets", "household", "objectives", "not_for")}
    return LibraryTheme.model_validate({"title": title, "concepts": ("a", "b", "c"), "rationale": "", **empty, **tags})


def fits(request: PageRequest, required: frozenset[str] = frozenset(), **tags: object) -> bool:
    return bool(fitting([theme(**tags)], request, required_diets=required))


class TestShippedThemes:
    def test_there_are_373_with_titles_of_their_own(self) -> None:
        themes = shipped_themes()
        assert len(themes) == 373
        assert len({t.title.casefold() for t in themes}) == 373

    def test_they_are_the_lines_of_the_file(self) -> None:
        lines = files("genrec.programs").joinpath("themes.jsonl").read_text(encoding="utf-8").splitlines()
        assert [t.title for t in shipped_themes()] == [json.loads(line)["title"] for line in lines]

    def test_every_theme_can_be_shown(self) -> None:
        """Section titles and rationales have limits; four concepts may be missing from a shop."""
        for t in shipped_themes():
            assert 3 <= len(t.title) <= TITLE_LIMIT, t.title
            assert t.title == t.title.strip() and t.title[0].isupper(), t.title
            assert 7 <= len(t.concepts) == len(set(t.concepts)), t.title
            assert all(c == c.strip() and c for c in t.concepts), t.title
            assert 0 < len(t.rationale) <= 240, t.title
            assert check_title(t.title, page()).allowed, t.title

    def test_tags_are_known(self) -> None:
        """A tag with a typing error would hide its theme for ever."""
        for t in shipped_themes():
            assert t.months <= set(range(1, 13)), t.title
            assert t.diets <= HARD | PREFERENCES, t.title
            assert t.household <= SHOPPER_WORDS.keys(), t.title
            assert t.objectives <= OBJECTIVES, t.title
            assert t.not_for <= {"minor", "pregnant", "child's occasion"}, t.title
            assert all(o == o.lower() for o in t.occasions), t.title

    def test_what_suits_a_vegan_suits_a_vegetarian(self) -> None:
        assert [t.title for t in shipped_themes() if "vegan" in t.diets and "vegetarian" not in t.diets] == []

    def test_nothing_with_wine_or_beer_in_it_is_for_minors(self) -> None:
        """Concepts are guarded one by one as well; the tag keeps the whole theme away."""
        words = {"wine", "beer", "gin", "vodka", "whisky", "prosecco", "champagne", "lager", "ale"}
        drinks = [
            t.title
            for t in shipped_themes()
            if sum(bool(words & set(c.split())) and "vinegar" not in c and "free" not in c for c in t.concepts) >= 3
            and "minor" not in t.not_for
        ]
        assert drinks == []


class TestSeason:
    def test_a_theme_without_months_is_always_in_season(self) -> None:
        assert all(fits(page(date(2026, month, 1))) for month in range(1, 13))

    def test_a_theme_shows_in_its_months_only(self) -> None:
        shown = [month for month in range(1, 13) if fits(page(date(2026, month, 15)), months={1, 2, 12})]
        assert shown == [1, 2, 12]


class TestCalendar:
    @pytest.mark.parametrize(
        ("year", "day"),
        # fourth Thursday of November: the first Thursday is day 1 to 7, three weeks on is 22 to 28
        [(2018, 22), (2019, 28), (2020, 26), (2021, 25), (2022, 24), (2023, 23), (2024, 28), (2025, 27), (2026, 26)],
    )
    def test_thanksgiving_is_the_fourth_thursday_of_november(self, year: int, day: int) -> None:
        feast = date(year, 11, day)
        assert feast.weekday() == 3
        assert "thanksgiving" in occasions_of(page(feast))
        assert "thanksgiving" not in occasions_of(page(feast + timedelta(days=1)))
        assert "thanksgiving" in occasions_of(page(feast - timedelta(days=16)))
        assert "thanksgiving" not in occasions_of(page(feast - timedelta(days=17)))

    @pytest.mark.parametrize(
        ("locale", "celebrates"),
        [
            ("en-US", True),
            ("es-US", True),
            ("en-us", True),
            ("en_US", True),
            ("en-Latn-US", True),
            ("en-GB", False),
            ("pl-PL", False),
            ("en", False),
            ("us", False),
            ("de-AUS", False),
            ("", False),
        ],
    )
    def test_thanksgiving_is_american(self, locale: str, celebrates: bool) -> None:
        shown = occasions_of(page(date(2026, 11, 20), locale=locale))
        assert ("thanksgiving" in shown) == celebrates

    @pytest.mark.parametrize(
        ("year", "easter"), [(2024, date(2024, 3, 31)), (2025, date(2025, 4, 20)), (2026, date(2026, 4, 5))]
    )
    def test_easter_comes_up_two_weeks_before_and_goes_with_the_day(self, year: int, easter: date) -> None:
        shown = [
            d
            for n in range(-30, 31)
            if "easter" in occasions_of(page(d := easter + timedelta(days=n)))  # noqa: B018
        ]
        assert shown == [easter - timedelta(days=n) for n in range(14, -1, -1)]

    @pytest.mark.parametrize(
        ("occasion", "first", "last"),
        [
            ("christmas", date(2026, 12, 1), date(2026, 12, 25)),
            ("halloween", date(2026, 10, 12), date(2026, 10, 31)),
            ("valentine's day", date(2026, 2, 3), date(2026, 2, 14)),
            ("back to school", date(2026, 8, 10), date(2026, 9, 7)),
            ("barbecue", date(2026, 6, 1), date(2026, 8, 31)),
            ("picnic", date(2026, 6, 1), date(2026, 8, 31)),
        ],
    )
    def test_fixed_dates(self, occasion: str, first: date, last: date) -> None:
        day = timedelta(days=1)
        assert [occasion in occasions_of(page(d)) for d in (first - day, first, last, last + day)] == [
            False,
            True,
            True,
            False,
        ]

    @pytest.mark.parametrize("diet", ["halal", "kosher", "Halal", " KOSHER "])
    @pytest.mark.parametrize(
        ("day", "occasion"),
        [
            (date(2026, 12, 10), "christmas"),
            (date(2026, 4, 1), "easter"),
            (date(2026, 10, 20), "halloween"),
            (date(2026, 2, 10), "valentine's day"),
        ],
    )
    def test_christian_feasts_are_not_assumed_of_those_who_keep_halal_or_kosher(
        self, diet: str, day: date, occasion: str
    ) -> None:
        assert occasion not in occasions_of(page(day, diets=[diet]))
        assert occasion in occasions_of(page(day, diets=["vegan"]))

    def test_they_may_still_ask_for_one(self) -> None:
        assert occasions_of(page(date(2026, 12, 10), occasion="Christmas", diets=["halal"])) == {"christmas"}

    def test_other_feasts_are_for_everyone(self) -> None:
        assert "thanksgiving" in occasions_of(page(date(2026, 11, 20), diets=["halal"]))

    def test_the_occasion_asked_for_silences_the_calendar(self) -> None:
        assert occasions_of(page(date(2026, 12, 10), occasion="  Valentine’s   Day ")) == {"valentine's day"}

    def test_blank_is_no_occasion(self) -> None:
        assert occasions_of(page(date(2026, 12, 10), occasion=" \n")) == {"christmas"}

    @pytest.mark.parametrize("day", [date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)])
    def test_any_date_has_an_answer(self, day: date) -> None:
        assert occasions_of(page(day)) <= {"christmas"}


class TestOccasion:
    def test_a_theme_of_an_occasion_waits_for_it(self) -> None:
        assert not fits(page(), occasions={"diwali"})
        assert fits(page(occasion="Diwali"), occasions={"diwali", "eid"})
        assert not fits(page(occasion="eid"), occasions={"diwali"})

    @pytest.mark.parametrize("occasion", ["weeknight", "movie night", "brunch", "dinner party"])
    def test_everyday_occasions_need_no_invitation(self, occasion: str) -> None:
        assert fits(page(), occasions={occasion})
        assert fits(page(occasion="birthday"), occasions={occasion})

    def test_every_occasion_of_the_library_can_be_asked_for(self) -> None:
        for occasion in {o for t in shipped_themes() for o in t.occasions}:
            days = (date(2026, month, 10) for month in range(1, 13))
            assert any(
                occasion in t.occasions
                for on in days
                for t in fitting(shipped_themes(), page(on, occasion), required_diets=frozenset())
                if occasion in t.occasions
            ), occasion


class TestDiets:
    def test_every_required_diet_must_be_declared(self) -> None:
        needed = frozenset({"vegan", "gluten-free"})
        assert fits(page(), needed, diets={"vegan", "gluten-free", "organic"})
        assert not fits(page(), needed, diets={"vegan"})
        assert not fits(page(), needed)

    def test_without_a_diet_all_themes_fit(self) -> None:
        assert fits(page(), diets={"vegan"})

    @pytest.mark.parametrize(
        "diet", ["vegan", "vegetarian", "gluten-free", "dairy-free", "nut-free", "halal", "kosher"]
    )
    def test_every_diet_leaves_more_themes_than_a_page_needs(self, diet: str) -> None:
        left = fitting(shipped_themes(), page(), required_diets=frozenset({diet}))
        assert len(left) >= 30
        assert all(diet in t.diets for t in left)


class TestHousehold:
    @pytest.mark.parametrize(
        ("told", "tags"),
        [
            ("", set()),
            ("couple", {"couple"}),
            ("couple, one cat", {"couple", "cat"}),
            ("lives alone", {"single"}),
            ("lives with wife", {"couple"}),
            ("two parents, sons aged 7 and 14", {"family", "children", "teenager"}),
            ("two parents, girl aged 2", {"family", "children", "toddler"}),
            ("two parents, children aged 2, 5 and 16", {"family", "children", "toddler", "teenager"}),
            ("couple, his parents aged 74 and 77", {"family", "older"}),
            ("single mother, two children", {"family", "children"}),
            ("couple, son 3 weeks old", {"newborn", "children"}),
            ("couple, baby aged 9 months", {"baby"}),
            ("student, shared flat", {"student"}),
            ("widower, large dog", {"dog"}),
            ("lives alone, two rabbits", {"single", "small pet"}),
            ("couple, both retired", {"couple", "older"}),
            ("COUPLE WITH A GARDEN", {"couple", "garden"}),
            # words that only look like it
            ("couple, no children", {"couple"}),
            ("couple without kids", {"couple"}),
            ("couple, grown-up children", {"couple"}),
            ("child-free couple", {"couple"}),
            ("lives alone, no pets, no garden", {"single"}),
            ("lives by the sea", set()),
            ("two parents, daughters aged 5 and 8, the elder is coeliac", {"family", "children"}),
            ("milk allergy since childhood", set()),
            ("recycles everything", set()),
            ("eats hot dogs on Sundays", set()),
            ("likes catfish and dogma", set()),
        ],
    )
    def test_the_household_is_read_from_the_shoppers_words(self, told: str, tags: set[str]) -> None:
        assert household_tags(page(household=told)) == tags
        assert household_tags(page(note=told)) == tags

    def test_what_is_liked_is_not_who_lives_there(self) -> None:
        assert household_tags(page(likes=["baby spinach", "hot dogs", "single malt", "garden peas"])) == frozenset()

    @pytest.mark.parametrize(("age", "tag"), [(12, "teenager"), (17, "teenager"), (18, ""), (64, ""), (65, "older")])
    def test_age_says_something_too(self, age: int, tag: str) -> None:
        assert household_tags(page(age=age)) == {tag} - {""}

    def test_a_theme_of_a_household_is_for_that_household(self) -> None:
        assert fits(page(household="couple, one cat"), household={"cat", "dog"})
        assert not fits(page(household="couple"), household={"cat", "dog"})
        assert fits(page(household="couple"))


class TestNotFor:
    @pytest.mark.parametrize(("age", "shown"), [(None, True), (17, False), (18, True)])
    def test_minors(self, age: int | None, shown: bool) -> None:
        assert fits(page(age=age), not_for={"minor"}) == shown

    @pytest.mark.parametrize("occasion", ["children's birthday", "Kids party", "back to school", "Baby shower"])
    def test_a_childs_occasion(self, occasion: str) -> None:
        assert not fits(page(occasion=occasion), not_for={"child's occasion"})

    @pytest.mark.parametrize("told", ["Pregnant with twins", "expecting in March"])
    def test_pregnancy(self, told: str) -> None:
        assert not fits(page(household=told), not_for={"pregnant"})
        assert not fits(page(note=told), not_for={"pregnant"})
        assert fits(page(), not_for={"pregnant"})

    def test_nothing_is_excluded_for_an_adult_on_an_ordinary_day(self) -> None:
        assert excluded_tags(page(age=40, household="couple")) == frozenset()


def test_order_is_kept() -> None:
    themes = [theme(title) for title in ("Second", "First", "Third")]
    assert [t.title for t in fitting(themes, page(), required_diets=frozenset())] == ["Second", "First", "Third"]
    assert fitting([], page(), required_diets=frozenset()) == []
