"""The sample shoppers: what was generated, and that build_shoppers.py reports what is wrong in a source."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from genrec.catalog.items import Item
from genrec.page import Shopper

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "genrec" / "catalog" / "sample"
FIRST, LAST = date(2026, 5, 1), date(2026, 11, 26)
HARD_DIETS = {"vegan", "vegetarian", "gluten-free", "dairy-free", "nut-free", "halal", "kosher"}


@pytest.fixture(scope="module")
def builder() -> Iterator[ModuleType]:
    """scripts/sample/build_shoppers.py as a module: scripts are not a package."""
    name = "sample_build_shoppers"
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / "sample" / "build_shoppers.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


@pytest.fixture(scope="module")
def shoppers() -> list[Shopper]:
    lines = (SAMPLE / "shoppers.jsonl").read_text(encoding="utf-8").splitlines()
    return [Shopper.model_validate_json(line) for line in lines]


@pytest.fixture(scope="module")
def splits() -> dict[str, Any]:
    result: dict[str, Any] = json.loads((SAMPLE / "splits.json").read_text(encoding="utf-8"))
    return result


@pytest.fixture(scope="module")
def items() -> dict[str, Item]:
    lines = (SAMPLE / "catalog.jsonl").read_text(encoding="utf-8").splitlines()
    return {item.item_id: item for item in map(Item.model_validate_json, lines)}


def test_splits_are_disjoint_and_complete(shoppers: list[Shopper], splits: dict[str, Any]) -> None:
    ids = [shopper.shopper_id for shopper in shoppers]
    assert len(ids) == len(set(ids)) == 64
    assert {name: len(splits[name]) for name in ("train", "dev", "test")} == {
        "train": 32,
        "dev": 16,
        "test": 16,
    }
    assert sorted(splits["train"] + splits["dev"] + splits["test"]) == sorted(ids)


def test_histories_have_the_promised_size_and_dates(shoppers: list[Shopper], splits: dict[str, Any]) -> None:
    today = date.fromisoformat(splits["today"])
    assert today + timedelta(days=splits["held_out_days"]) == LAST
    with_history = [shopper for shopper in shoppers if shopper.history]
    assert len(with_history) == 60
    for shopper in with_history:
        assert 15 <= len(shopper.history) <= 80, shopper.shopper_id
        assert all(FIRST <= purchase.at <= LAST for purchase in shopper.history), shopper.shopper_id
        known = {purchase.item_id for purchase in shopper.history if purchase.at <= today}
        held_out = [purchase.item_id for purchase in shopper.history if purchase.at > today]
        assert len(held_out) >= 4, shopper.shopper_id
        assert any(item in known for item in held_out), shopper.shopper_id
        assert any(item not in known for item in held_out), shopper.shopper_id


def test_purchases_respect_diets_allergens_and_age(shoppers: list[Shopper], items: dict[str, Item]) -> None:
    for shopper in shoppers:
        for purchase in shopper.history:
            item, where = items[purchase.item_id], f"{shopper.shopper_id}: {purchase.item_id}"
            assert not shopper.allergens & item.allergens, where
            if item.attributes["food"] == "yes":
                assert shopper.diets & HARD_DIETS <= item.dietary, where
            assert shopper.age is None or shopper.age >= item.min_age, where


def test_held_out_items_can_be_recommended(
    shoppers: list[Shopper], items: dict[str, Item], splits: dict[str, Any]
) -> None:
    for shopper in shoppers:
        for purchase in shopper.history:
            if purchase.at.isoformat() > splits["today"]:
                assert items[purchase.item_id].in_stock, f"{shopper.shopper_id}: {purchase.item_id}"


def test_special_cases_are_present(shoppers: list[Shopper]) -> None:
    def keeping(diet: str) -> int:
        return sum(diet in shopper.diets for shopper in shoppers)

    wanted = {
        "vegan": 4,
        "vegetarian": 5,
        "halal": 4,
        "kosher": 3,
        "gluten-free": 3,
        "dairy-free": 2,
        "low-carb": 2,
    }
    assert {diet: keeping(diet) for diet in wanted if keeping(diet) < wanted[diet]} == {}
    for allergen in ("nuts", "peanuts", "eggs", "milk", "crustaceans", "sesame"):
        assert any(allergen in shopper.allergens for shopper in shoppers), allergen
    assert sum(shopper.age is not None and shopper.age < 18 for shopper in shoppers) == 2
    blank = [shopper for shopper in shoppers if set(shopper.model_dump(exclude_defaults=True)) == {"shopper_id"}]
    assert len(blank) == 1


def test_generated_files_are_in_sync_and_building_is_deterministic(builder: ModuleType) -> None:
    first, second = builder.build(), builder.build()
    assert builder.render_shoppers(first) == builder.render_shoppers(second)
    assert builder.render_shoppers(first) == (SAMPLE / "shoppers.jsonl").read_text(encoding="utf-8")
    assert builder.render_splits(first) == (SAMPLE / "splits.json").read_text(encoding="utf-8")


GOOD = """\
shopper: ann
split: dev
{fields}
weekly 2 | tofu, Rye bread, beans
once 11-14 | {bought}
once 11-20 | lager * 6
"""


def small_shop(folder: Path) -> Path:
    """A catalog of seven items."""
    vegan: dict[str, object] = {"attributes": {"food": "yes"}, "dietary": {"vegan"}}
    shelf: list[dict[str, object]] = [
        vegan | {"item_id": "tofu", "title": "Tofu, 300 g", "allergens": {"soya"}},
        vegan | {"item_id": "rye", "title": "Rye bread, 1 kg", "allergens": {"gluten"}},
        vegan | {"item_id": "beans", "title": "Beans, 400 g"},
        vegan | {"item_id": "lager", "title": "Lager, 330 ml", "min_age": 18},
        vegan | {"item_id": "gone", "title": "Gone, 1 kg", "in_stock": False},
        {"item_id": "ham", "title": "Ham, 100 g", "attributes": {"food": "yes"}},
        {"item_id": "soap", "title": "Soap, 1 bar", "attributes": {"food": "no"}},
    ]
    path = folder / "catalog.jsonl"
    path.write_text("".join(Item.model_validate(item).model_dump_json() + "\n" for item in shelf), encoding="utf-8")
    return path


def build_text(builder: ModuleType, folder: Path, text: str) -> Any:
    """Build from one source file that holds this text."""
    catalog = small_shop(folder)
    (folder / "a.txt").write_text(text, encoding="utf-8")
    return builder.build(folder, catalog)


def test_a_block_expands_to_a_rotation(builder: ModuleType, tmp_path: Path) -> None:
    sample = build_text(builder, tmp_path, GOOD.format(fields="diets: vegan\nshops: sun", bought="soap, beans"))
    (ann,) = sample.shoppers
    assert sample.split_of == {"ann": "dev"}
    assert {purchase.item_id for purchase in ann.history} == {"tofu", "rye", "beans", "soap", "lager"}
    assert [purchase.quantity for purchase in ann.history if purchase.item_id == "lager"] == [6]
    counts = [sum(purchase.item_id == name for purchase in ann.history) for name in ("tofu", "rye")]
    assert abs(counts[0] - counts[1]) <= 1
    assert [purchase.at for purchase in ann.history] == sorted(purchase.at for purchase in ann.history)


@pytest.mark.parametrize(
    ("fields", "bought", "problem"),
    [
        ("", "tofoo", "a.txt:5: no item 'tofoo' in the catalog; near it: tofu"),
        ("diets: vegan", "ham", "a.txt:5: ham is not vegan"),
        ("allergens: gluten", "soap", "a.txt:4: rye contains gluten"),
        ("age: 15", "soap", "a.txt:6: lager is sold from 18 only"),
        ("dislikes: beans", "soap", "a.txt:4: beans is something disliked (beans)"),
        ("", "gone", "a.txt:5: gone is out of stock and held out"),
        ("diets: pescatarian", "soap", "a.txt:1: unknown diets: pescatarian"),
        ("shops: noday", "soap", "a.txt:1: shops is not one of"),
        ("since: 11-18", "soap", "a.txt:5: 2026-11-14 is before since: 2026-11-18"),
        ("since: 11-05", "soap", "a.txt:1: ann: 8 purchases; 15 to 80 are expected"),
        ("hobby: chess", "soap", "a.txt:3: neither one of"),
        ("daily | soap", "soap", "a.txt:3: 'daily' is no cadence"),
        ("weekly 4 | soap", "soap", "a.txt:3: 4 items a trip but only 1 on the line"),
        ("once 12-24 | soap", "soap", "a.txt:3: 2026-12-24 is outside"),
        ("once 10-10 |", "soap", "a.txt:3: no items after the bar"),
        ("age: old", "soap", "a.txt:1: age: "),
    ],
)
def test_a_wrong_source_is_reported_with_its_line(
    builder: ModuleType, tmp_path: Path, fields: str, bought: str, problem: str
) -> None:
    with pytest.raises(builder.SourceError) as caught:
        build_text(builder, tmp_path, GOOD.format(fields=fields or "# nothing", bought=bought))
    assert problem in str(caught.value)


def test_nothing_is_written_while_a_source_is_wrong(builder: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("split: dev\n", encoding="utf-8")
    flags = ["--source", str(tmp_path), "--catalog", str(small_shop(tmp_path)), "-o", str(tmp_path)]
    with pytest.raises(SystemExit, match=r"a\.txt:1: a line before the first shopper:"):
        builder.main(flags)
    assert not (tmp_path / "shoppers.jsonl").exists()
