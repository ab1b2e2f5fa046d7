"""Pages against real next purchases, by fractions worked out by hand, and at the edges."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.catalog.items import Item
from genrec.evaluation.held_out import Match, Split, key_of, purchase_metrics, split_history, wanted
from genrec.page import Page, PageItem, PageRequest, Provenance, Purchase, Section, Shopper, Theme

ON = date(2026, 11, 12)
L3 = math.log2(3)
SHELVES = {
    "tea": ("Drinks", "Tea"),
    "tea-2": ("Drinks", "Tea"),
    "coffee": ("Drinks", "Coffee"),
    "biscuits": ("Food", "Biscuits"),
    "soap": ("Household", "Soap"),
    "lamp": ("Household",),
    "bare": (),
}
ITEMS = {i: Item(item_id=i, title=i, categories=shelf) for i, shelf in SHELVES.items()}
NAMES = {
    "recall",
    "ndcg_2d",
    "recall_new",
    "ndcg_2d_new",
    "section_precision",
    "section_ndcg",
    "section_mrr",
    "lower_half_gain",
}


def purchases(*ids: str, days: int = 1) -> tuple[Purchase, ...]:
    return tuple(Purchase(item_id=i, at=ON + timedelta(days=days)) for i in ids)


def split(before: str = "", after: str = "") -> Split:
    return Split(purchases(*before.split(), days=-1), purchases(*after.split()))


def page(*rows: str) -> Page:
    theme = Theme(title="Whatever", concepts=("a", "b", "c"))
    sections = tuple(
        Section.model_construct(
            theme=theme,
            keywords=(),
            items=tuple(PageItem(item_id=i, title=i, relevance=0.5, score=0.0) for i in row.split()),
        )
        for row in rows
    )
    made = Provenance(program="p", lm="", catalog="c", seed=0)
    whole = Page(shopper_id="s", created_at=datetime(2026, 11, 12, tzinfo=UTC), sections=(), provenance=made)
    return whole.model_copy(update={"sections": sections})


def metrics(shown: Page, bought: Split, match: Match = "leaf", sections: int = 2) -> dict[str, float | None]:
    asked = PageRequest(shopper=Shopper(shopper_id="s"), on=ON, sections=sections, items_per_section=3)
    return purchase_metrics(shown, asked, bought, ITEMS, match)


class TestSplit:
    HISTORY = tuple(Purchase(item_id=str(n), at=ON + timedelta(days=n)) for n in (15, -1, 0, 14, 1))

    def ids(self, weeks: int | None, on: date = ON) -> list[list[int]]:
        found = split_history(Shopper(shopper_id="s", history=self.HISTORY), on, weeks)
        return [[int(p.item_id) for p in part] for part in found]

    def test_the_day_itself_is_before_and_the_last_day_of_the_weeks_counts(self) -> None:
        assert self.ids(2) == [[-1, 0], [14, 1]]

    def test_without_weeks_all_that_comes_later(self) -> None:
        assert self.ids(None) == [[-1, 0], [15, 14, 1]]

    def test_weeks_beyond_the_calendar_are_all(self) -> None:
        assert self.ids(10**9) == self.ids(None)
        assert split_history(Shopper(shopper_id="s"), date.max, 1) == Split((), ())

    def test_nothing_bought(self) -> None:
        assert split_history(Shopper(shopper_id="s"), ON, 4) == Split((), ())


class TestWanted:
    def test_types_count_once_and_unknown_items_not_at_all(self) -> None:
        every, new = wanted(split("tea gone", "tea-2 coffee coffee gone soap"), ITEMS, "leaf")
        assert every == {"Drinks > Tea": 1, "Drinks > Coffee": 1, "Household > Soap": 1}
        assert new == {"Drinks > Coffee": 1, "Household > Soap": 1}

    def test_items_one_by_one(self) -> None:
        every, new = wanted(split("tea", "tea tea-2 tea-2"), ITEMS, "item")
        assert (every, new) == ({"tea": 1, "tea-2": 1}, {"tea-2": 1})

    def test_what_has_no_shelf_is_itself(self) -> None:
        assert [key_of(ITEMS[i], "leaf") for i in ("bare", "lamp", "tea-2")] == ["bare", "Household", "Drinks > Tea"]
        assert key_of(ITEMS["tea-2"], "item") == "tea-2"

    def test_a_shelf_without_a_name_is_none(self) -> None:
        assert key_of(Item(item_id="x", title="x", categories=("",)), "leaf") == "x"

    def test_leaves_of_one_name_in_two_departments_are_two(self) -> None:
        a, b = (Item(item_id="x", title="x", categories=(d, "Other")) for d in ("Food", "Drinks"))
        assert key_of(a, "leaf") != key_of(b, "leaf")


class TestByHand:
    BOUGHT = split("tea", "tea-2 coffee coffee biscuits gone soap")
    PAGE = page("tea tea-2 lamp", "coffee bare stranger")

    def test_types(self) -> None:
        # wanted: tea, coffee, biscuits, soap; tea is at (1, 1), coffee at (2, 1), of which tea is not new.
        # the ideal has four in the cells of log2 2, 3, 3 and 4
        ideal = 1 + 2 / L3 + 1 / 2
        assert metrics(self.PAGE, self.BOUGHT) == pytest.approx(
            {
                "recall": 2 / 4,
                "ndcg_2d": (1 + 1 / L3) / ideal,
                "recall_new": 1 / 3,
                "ndcg_2d_new": (1 / L3) / (1 + 2 / L3),
                "section_precision": 2 / 2,
                # one wanted thing in each section, where three and one would fit
                "section_ndcg": (1 + 1 / L3) / (3 + 1 / L3),
                "section_mrr": 1,
                "lower_half_gain": (1 / L3) / ideal,
            }
        )

    def test_items(self) -> None:
        # tea-2 at (1, 2) and coffee at (2, 1); none of the four was bought before
        ideal = 1 + 2 / L3 + 1 / 2
        assert metrics(self.PAGE, self.BOUGHT, "item") == pytest.approx(
            {
                "recall": 2 / 4,
                "ndcg_2d": (2 / L3) / ideal,
                "recall_new": 2 / 4,
                "ndcg_2d_new": (2 / L3) / ideal,
                "section_precision": 1,
                "section_ndcg": (1 + 1 / L3) / (3 + 1 / L3),
                "section_mrr": 1,
                "lower_half_gain": (1 / L3) / ideal,
            }
        )

    def test_a_type_that_is_shown_again_earns_nothing_more(self) -> None:
        found = metrics(page("tea tea-2", "tea-2 tea"), split("", "tea coffee"))
        assert found["recall"] == 1 / 2
        assert found["section_precision"] == 1 / 2, "the second section shows nothing new"
        assert found["lower_half_gain"] == 0

    def test_the_first_section_that_helps(self) -> None:
        found = metrics(page("lamp", "soap", "tea"), split("", "tea"), sections=3)
        assert found["section_mrr"] == 1 / 3
        assert found["section_ndcg"] == pytest.approx(1 / 2)
        # the lower half of three sections is the third
        assert found["lower_half_gain"] == found["ndcg_2d"] == pytest.approx(1 / 2)

    def test_what_was_not_asked_for_earns_nothing(self) -> None:
        found = metrics(page("lamp lamp lamp tea", "lamp", "tea"), split("", "tea"))
        assert {name: found[name] for name in found if name.endswith("new")} == {"recall_new": 0, "ndcg_2d_new": 0}
        assert set(found.values()) == {0}

    def test_all_of_it_at_the_top_is_perfect(self) -> None:
        found = metrics(page("tea coffee soap", "biscuits"), split("", "tea coffee soap biscuits"))
        assert found["recall"] == found["section_ndcg"] == found["section_precision"] == 1


class TestEdges:
    def test_nothing_bought_is_undefined(self) -> None:
        for shown in (page(), page("tea"), page("stranger")):
            assert metrics(shown, split("tea")) == dict.fromkeys(NAMES)

    def test_nor_is_what_the_catalog_does_not_have(self) -> None:
        assert metrics(page("tea"), split("", "gone")) == dict.fromkeys(NAMES)

    def test_nothing_new_leaves_new_undefined_alone(self) -> None:
        found = metrics(page("tea"), split("tea", "tea-2"))
        assert {name for name, value in found.items() if value is None} == {"recall_new", "ndcg_2d_new"}

    @pytest.mark.parametrize("rows", [(), ("",), ("", ""), ("stranger other",), ("lamp",)])
    def test_a_page_that_shows_none_of_it_scores_0(self, rows: tuple[str, ...]) -> None:
        assert metrics(page(*rows), split("", "tea coffee")) == dict.fromkeys(NAMES, 0)

    def test_strangers_are_no_purchase_whatever_their_id(self) -> None:
        # the id of a stranger is the name of a shelf that was bought from
        found = metrics(page("Household"), split("", "lamp"))
        assert found["recall"] == 0

    rows = st.lists(st.lists(st.sampled_from([*ITEMS, "stranger"]), max_size=4).map(" ".join), max_size=4)
    ids = st.lists(st.sampled_from([*ITEMS, "gone"]), max_size=6).map(" ".join)

    @given(rows, ids, ids, st.sampled_from(["leaf", "item"]))
    def test_always_a_share_or_undefined(self, rows: list[str], before: str, after: str, match: Match) -> None:
        bought = split(before, after)
        found = metrics(page(*rows), bought, match)
        assert set(found) == NAMES
        every, new = wanted(bought, ITEMS, match)
        for name, value in found.items():
            assert (value is None) == (not (new if name.endswith("new") else every)), name
            assert value is None or 0 <= value <= 1 + 1e-9

    @given(rows, ids)
    def test_an_item_is_never_easier_to_hit_than_its_shelf(self, rows: list[str], after: str) -> None:
        by_shelf, by_item = (metrics(page(*rows), split("", after), match)["section_mrr"] for match in ("leaf", "item"))
        if by_shelf is not None and by_item is not None:
            assert by_item <= by_shelf
