"""What stands in a section: nothing taken, no twins, spread, and which rule gives way when there is too little."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.page import PageItem
from genrec.programs.selection import pick

# item_id -> title, leaf; the vector of an item is the number in its title, one axis for each
ROWS: Mapping[str, tuple[str, str]] = {
    "a1": ("one apple", "Apples"),
    "a2": ("two apple", "Apples"),
    "a3": ("three apple", "Apples"),
    "a4": ("four apple", "Apples"),
    "a5": ("five apple", "Apples"),
    "p1": ("six pear", "Pears"),
    "p2": ("seven pear", "Pears"),
    "n1": ("eight nut", ""),
    "n2": ("nine nut", ""),
    "twin": ("one apple again", "Russets"),  # same vector as a1
    "namesake": ("ONE APPLE", "Coxes"),  # same title as a1 but for case
}
NUMBERS = "one two three four five six seven eight nine".split()


class Axes:
    """Embedder: a text points along the axis of the number that it starts with; everything else along a tenth."""

    name, fingerprint, dim = "axes", "axes-1", 10

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        first = [t.lower().split()[0] if t.split() else "" for t in texts]
        rows = [NUMBERS.index(word) if word in NUMBERS else 9 for word in first]
        return np.eye(10, dtype=np.float32)[rows]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    items = [Item(item_id=i, title=t, categories=("Food", leaf) if leaf else ()) for i, (t, leaf) in ROWS.items()]
    return Catalog.build(items, Path(tmp_path_factory.mktemp("shop")) / "fruit", Axes())


def picked(
    catalog: Catalog,
    ids: str,
    *,
    count: int,
    concepts: int = 4,
    taken: str = "",
    concept_of: Mapping[str, str] | None = None,
) -> str:
    ranked = [
        PageItem(item_id=i, title=catalog.items[i].title, relevance=0.5, score=-n) for n, i in enumerate(ids.split())
    ]
    found_by = {i: i for i in ids.split()} if concept_of is None else concept_of
    chosen = pick(ranked, found_by, catalog, taken=set(taken.split()), count=count, concepts=concepts)
    assert all(item in ranked for item in chosen)
    return " ".join(item.item_id for item in chosen)


def test_the_best_in_ranked_order(catalog: Catalog) -> None:
    assert picked(catalog, "p2 n1 a1 p1 n2", count=3) == "p2 n1 a1"


def test_what_is_taken_never_comes_back_even_when_nothing_else_is_left(catalog: Catalog) -> None:
    assert picked(catalog, "a1 p1 n1", count=3, taken="a1 n1") == "p1"
    assert picked(catalog, "a1 p1", count=3, taken="a1 p1") == ""


def test_a_twin_waits_until_nothing_else_is_left(catalog: Catalog) -> None:
    assert picked(catalog, "a1 twin p1 n1", count=3) == "a1 p1 n1"
    assert picked(catalog, "twin a1 p1 n1", count=3) == "twin p1 n1"
    assert picked(catalog, "a1 twin p1", count=3) == "a1 twin p1"


def test_one_thing_in_two_sizes_stands_there_once_even_when_the_section_stays_short(catalog: Catalog) -> None:
    assert picked(catalog, "a1 namesake p1 n1", count=3) == "a1 p1 n1"
    assert picked(catalog, "a1 namesake p1", count=3) == "a1 p1"


def test_a_twin_of_what_is_taken_elsewhere_is_welcome(catalog: Catalog) -> None:
    assert picked(catalog, "twin p1", count=2, taken="a1") == "twin p1"


def test_no_leaf_has_more_than_its_share(catalog: Catalog) -> None:
    # 4 items, 4 concepts: ceil(4 / 4) + 1 = 2 of a leaf
    assert picked(catalog, "a1 a2 a3 a4 p1 p2", count=4) == "a1 a2 p1 p2"


def test_no_concept_has_more_than_its_share(catalog: Catalog) -> None:
    # 4 items, 2 concepts: ceil(4 / 2) + 1 = 3 of a concept
    found_by = dict.fromkeys("a1 p1 n1 a2".split(), "fruit") | {"n2": "nuts"}
    assert picked(catalog, "a1 p1 n1 a2 n2", count=4, concepts=2, concept_of=found_by) == "a1 p1 n1 n2"


def test_items_that_no_concept_found_share_one_cap(catalog: Catalog) -> None:
    assert picked(catalog, "n1 n2 p1 a1", count=3, concepts=3, concept_of={"a1": "apples"}) == "n1 n2 a1"


def test_items_without_a_leaf_are_not_of_one_kind(catalog: Catalog) -> None:
    assert picked(catalog, "n1 n2 a1 a2", count=2, concepts=2) == "n1 n2"


def test_shares_give_way_before_twins_do(catalog: Catalog) -> None:
    # two apples and two pears are within their share, the twin is not distinct: a3 comes before it
    assert picked(catalog, "a1 twin a2 a3 p1", count=4) == "a1 a2 a3 p1"
    assert picked(catalog, "a1 twin a2 a3 p1", count=5) == "a1 twin a2 a3 p1"


def test_ranked_order_holds_whatever_gave_way(catalog: Catalog) -> None:
    assert picked(catalog, "a1 a2 a3 a4 a5 p1", count=6) == "a1 a2 a3 a4 a5 p1"


def test_fewer_candidates_than_asked_for(catalog: Catalog) -> None:
    assert picked(catalog, "p1 a1", count=8) == "p1 a1"
    assert picked(catalog, "", count=8) == ""


def test_exactly_as_many_as_there_are(catalog: Catalog) -> None:
    assert picked(catalog, "a1 a2 a3", count=3, concepts=8) == "a1 a2 a3"


@pytest.mark.parametrize("concepts", [0, 1, 100])
def test_any_number_of_concepts_will_do(catalog: Catalog, concepts: int) -> None:
    assert len(picked(catalog, "a1 a2 a3 p1", count=3, concepts=concepts).split()) == 3
