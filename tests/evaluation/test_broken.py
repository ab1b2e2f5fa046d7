"""Pages broken on purpose: each fault is the one its name says, and nothing else changes."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.evaluation.broken import BREAKERS, break_page
from genrec.page import Page, PageItem, PageRequest, Provenance, Section, Theme
from genrec.programs.policy import ShopPolicy
from tests.programs.small_shop import Compass, request

POLICY = ShopPolicy()
MILK = frozenset({"milk"})
# ten that may be shown and six with milk, all towards tea
ITEMS = [
    *(Item(item_id=f"tea-{n}", title=f"Black tea {n}", categories=("Drinks",), popularity=n) for n in range(12)),
    *(
        Item(item_id=f"chai-{n}", title=f"Black tea latte {n}", categories=("Drinks",), popularity=n, allergens=MILK)
        for n in range(5)
    ),
    Item(item_id="sold-out", title="Black tea latte", categories=("Drinks",), allergens=MILK, in_stock=False),
]
NO_MILK = request(allergens=MILK)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return Catalog.build(ITEMS, tmp_path_factory.mktemp("broken") / "index", Compass())


def page(*sizes: int) -> Page:
    """Sections with so many teas each, all different."""
    ids = iter(range(12))
    sections = tuple(
        Section(
            theme=Theme(title=f"Black tea number {n}", concepts=("black tea", "mugs", f"idea {n}")),
            items=tuple(
                PageItem(item_id=f"tea-{i}", title=f"Black tea {i}", relevance=0.9, score=1.0)
                for i in (next(ids) for _ in range(size))
            ),
        )
        for n, size in enumerate(sizes)
    )
    made = Provenance(program="p", lm="", catalog="c", seed=0)
    return Page(shopper_id="s", created_at=datetime(2026, 11, 12, tzinfo=UTC), sections=sections, provenance=made)


def ids(broken: Page) -> list[list[str]]:
    return [[item.item_id for item in section.items] for section in broken.sections]


def broken(catalog: Catalog, kind: str, whole: Page, asked: PageRequest = NO_MILK, **fields: Any) -> Page:
    found = break_page(whole, asked, catalog, POLICY, kind=kind, **fields)
    assert found is not None
    return found


class TestEvery:
    @pytest.mark.parametrize("kind", BREAKERS)
    def test_the_page_stays_as_it_was_and_the_fault_is_the_same_again(self, catalog: Catalog, kind: str) -> None:
        whole = page(3, 4, 3)
        before = whole.model_dump_json()
        first = broken(catalog, kind, whole)
        assert whole.model_dump_json() == before
        assert first != whole
        assert broken(catalog, kind, page(3, 4, 3)) == first
        assert [len(row) for row in ids(first)][:2] == [3, 4]
        assert first.model_copy(update={"sections": ()}) == whole.model_copy(update={"sections": ()})

    @pytest.mark.parametrize("kind", ["shuffled items", "swapped titles", "off-diet items"])
    def test_seeds_and_shoppers_differ(self, catalog: Catalog, kind: str) -> None:
        whole = page(4, 4, 4)
        made = {broken(catalog, kind, whole, seed=seed).model_dump_json() for seed in range(10)}
        assert len(made) > 1
        others = [whole.model_copy(update={"shopper_id": name}) for name in "abcdefgh"]
        assert len({str(broken(catalog, kind, o).sections) for o in others}) > 1

    @pytest.mark.parametrize("kind", BREAKERS)
    @pytest.mark.parametrize("sizes", [(), (5,)])
    def test_a_page_without_two_sections_cannot_have_it(
        self, catalog: Catalog, kind: str, sizes: tuple[int, ...]
    ) -> None:
        assert break_page(page(*sizes), NO_MILK, catalog, POLICY, kind=kind) is None


class TestShuffled:
    @given(seed=st.integers(0, 100))
    def test_items_of_the_whole_page_anywhere(self, catalog: Catalog, seed: int) -> None:
        whole = page(3, 4, 3)
        found = broken(catalog, "shuffled items", whole, seed=seed)
        assert [len(row) for row in ids(found)] == [3, 4, 3]
        assert Counter(sum(ids(found), [])) == Counter(sum(ids(whole), []))
        assert [s.theme for s in found.sections] == [s.theme for s in whole.sections]

    def test_some_change_their_section(self, catalog: Catalog) -> None:
        whole = page(4, 4)
        found = broken(catalog, "shuffled items", whole)
        assert set(ids(found)[0]) != set(ids(whole)[0])


class TestSwapped:
    @given(seed=st.integers(0, 100))
    def test_no_section_keeps_its_title_and_all_keep_items_and_ideas(self, catalog: Catalog, seed: int) -> None:
        whole = page(3, 3, 2, 1)
        found = broken(catalog, "swapped titles", whole, seed=seed)
        assert ids(found) == ids(whole)
        titles, before = ([s.theme.title for s in one.sections] for one in (found, whole))
        assert sorted(titles) == sorted(before)
        assert all(a != b for a, b in zip(titles, before, strict=True))
        assert [s.theme.concepts for s in found.sections] == [s.theme.concepts for s in whole.sections]


class TestDuplicated:
    @pytest.mark.parametrize(("sections", "kept"), [(2, 1), (3, 2), (4, 2), (5, 3)])
    def test_the_second_half_repeats_the_first(self, catalog: Catalog, sections: int, kept: int) -> None:
        whole = page(*[2] * sections)
        found = broken(catalog, "duplicated sections", whole)
        assert found.sections[:kept] == whole.sections[:kept]
        assert len(found.sections) == sections
        assert all(section in whole.sections[:kept] for section in found.sections[kept:])


class TestOffDiet:
    def test_half_of_each_section_is_what_the_shopper_may_not_have(self, catalog: Catalog) -> None:
        whole = page(4, 5)
        found = broken(catalog, "off-diet items", whole)
        for row, before, denied in zip(ids(found), ids(whole), (2, 2), strict=True):
            assert sum(i.startswith("chai") for i in row) == denied
            assert all(new == old for new, old in zip(row, before, strict=True) if not new.startswith("chai"))
        shown = sum(ids(found), [])
        assert len(shown) == len(set(shown))
        assert "sold-out" not in shown
        assert [s.theme for s in found.sections] == [s.theme for s in whole.sections]

    def test_what_there_is_of_it_and_no_more(self, catalog: Catalog) -> None:
        found = broken(catalog, "off-diet items", page(6, 6))
        assert sum(i.startswith("chai") for i in sum(ids(found), [])) == 5, "six places, five lattes"

    @pytest.mark.parametrize(
        ("asked", "sizes"),
        [
            (request(), (4, 4)),  # nothing is denied to them
            (request(allergens=frozenset({"nuts"})), (4, 4)),  # nothing has nuts
            (NO_MILK, (1, 1)),  # half of one is none
            (NO_MILK, (0, 0)),
        ],
    )
    def test_where_it_cannot_be(self, catalog: Catalog, asked: PageRequest, sizes: tuple[int, ...]) -> None:
        assert break_page(page(*sizes), asked, catalog, POLICY, kind="off-diet items") is None
