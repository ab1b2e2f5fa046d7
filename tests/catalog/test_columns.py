"""What is told about departments. That masks equal `Where.allows` is in test_hybrid.py."""

from pathlib import Path

import numpy as np
import pytest

from genrec.catalog import columns
from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from tests.programs.small_shop import Compass


def shop(folder: Path, *rows: tuple[str, str, float, bool]) -> Catalog:
    """Items a, b, c, ... of (path, diet, popularity, in stock)."""
    items = [
        Item(
            item_id=chr(97 + n),
            title=f"Thing {n}",
            categories=tuple(filter(None, path.split(" > "))),
            dietary=frozenset(filter(None, [diet])),
            popularity=popularity,
            in_stock=in_stock,
        )
        for n, (path, diet, popularity, in_stock) in enumerate(rows)
    ]
    return Catalog.build(items, folder / "shop", Compass())


def test_departments_come_by_their_best_seller_and_list_what_sells(tmp_path: Path) -> None:
    catalog = shop(
        tmp_path,
        ("Food > Bread", "", 5, True),
        ("Food > Bread", "", 7, True),
        ("Food > Cake", "", 9, False),  # sold out: neither a best seller nor counted
        ("Drinks > Tea", "", 6, True),
        ("Drinks", "", 6, True),
        ("", "", 8, True),
    )
    named = {one.name: one for one in catalog.departments}
    assert [one.name for one in catalog.departments] == ["", "Food", "Drinks"]
    assert {name: catalog.item_ids(one.best_rows) for name, one in named.items()} == {
        "": ["f"],
        "Food": ["b", "a"],
        "Drinks": ["d", "e"],
    }
    assert named["Food"].sold == pytest.approx(12.002) and named["Drinks"].sold == pytest.approx(12.002)
    assert named["Food"].shelves == (("Bread", pytest.approx(12.002)),)
    assert named["Drinks"].shelves == (("Tea", pytest.approx(6.001)),)  # a department is no shelf of its own


def test_lists_are_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "BEST_SELLERS", 2)
    monkeypatch.setattr(columns, "DEPARTMENTS", 1)
    monkeypatch.setattr(columns, "SHELVES", 1)
    rows = [(f"Food > Shelf {n}", "", float(n), True) for n in range(4)]
    catalog = shop(tmp_path, *rows, ("Other > One", "", 0.5, True))
    [food] = catalog.departments
    assert catalog.item_ids(food.best_rows) == ["d", "c"] and [name for name, _ in food.shelves] == ["Shelf 3"]


def test_a_department_declares_diets_from_a_fifth_of_its_items(tmp_path: Path) -> None:
    few = [("Few", "vegan" if n == 0 else "", 1.0, True) for n in range(6)]
    enough = [("Enough", "halal" if n == 0 else "", 1.0, True) for n in range(5)]
    catalog = shop(tmp_path, *few, *enough)
    assert not catalog.declares_diets(catalog.items["a"])
    assert catalog.declares_diets(catalog.items["k"])
    assert catalog.diets == {"vegan", "halal"}


def test_a_shop_with_nothing_in_stock_has_no_best_sellers(tmp_path: Path) -> None:
    catalog = shop(tmp_path, ("Food > Bread", "", 1.0, False))
    assert catalog.departments == () and catalog.diets == frozenset()
    assert catalog.item_ids(np.empty(0, np.int32)) == []
