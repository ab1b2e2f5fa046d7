"""The shipped sample is rich enough, true to itself, and in step with its sources."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from genrec.catalog.ingest import read_items
from genrec.catalog.items import Item
from genrec.catalog.sample import catalog_path

SCRIPTS = Path(__file__).parents[2] / "scripts" / "sample"


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return read_items(catalog_path())


@pytest.fixture(scope="module")
def build() -> ModuleType:
    if not SCRIPTS.is_dir():
        pytest.skip("the sources of the sample are not in this distribution")
    spec = importlib.util.spec_from_file_location("sample_build", SCRIPTS / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_is_large_and_varied(items: list[Item]) -> None:
    assert len(items) >= 1_500
    assert len({item.department for item in items}) >= 20
    assert len({item.categories for item in items}) >= 150


def test_titles_are_unique_even_without_digits(items: list[Item]) -> None:
    assert len({re.sub(r"\d+", "", item.title.lower()) for item in items}) == len(items)


def test_every_item_can_be_described(items: list[Item]) -> None:
    for item in items:
        assert item.description and item.brand and item.price and item.attributes, item.item_id


def test_ids_are_readable_slugs(items: list[Item]) -> None:
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", item.item_id) for item in items)


def test_alcohol_and_tobacco_are_for_adults(items: list[Item]) -> None:
    strong = re.compile(r"\b(whisk(e)?y|vodka|brandy|tequila|bourbon|champagne|lager|cigars?|vape)\b", re.I)
    for item in items:
        if item.department == "Tobacco & vaping" or (
            item.department == "Beer, wine & spirits" and item.leaf != "Alcohol-free beer, wine & spirits"
        ):
            assert item.min_age >= 18, item.item_id
        if item.department == "Beer, wine & spirits" and strong.search(item.title):
            assert item.min_age >= 18, item.item_id


@pytest.mark.parametrize(
    ("diet", "excluded"),
    [
        ("vegan", {"milk", "eggs", "fish", "crustaceans", "molluscs"}),
        ("vegetarian", {"fish", "crustaceans", "molluscs"}),
        ("dairy-free", {"milk"}),
        ("gluten-free", {"gluten"}),
        ("nut-free", {"nuts", "peanuts"}),
    ],
)
def test_diets_agree_with_allergens(items: list[Item], diet: str, excluded: set[str]) -> None:
    fit = [item for item in items if diet in item.dietary]
    assert len(fit) > 100
    assert [item.item_id for item in fit if item.allergens & excluded] == []


def test_alcohol_is_never_halal(items: list[Item]) -> None:
    assert [item.item_id for item in items if item.min_age >= 18 and "halal" in item.dietary] == []


def test_is_in_step_with_its_sources(build: ModuleType, tmp_path: Path) -> None:
    rebuilt = tmp_path / "catalog.jsonl"
    build.main(["-o", str(rebuilt)])
    assert rebuilt.read_bytes() == catalog_path().read_bytes(), "run python scripts/sample/build.py"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("- Rye, 1 kg | Mill | 3 | 5 | grain=rye", "x.txt:3: 5 fields"),
        ("- Rye, 1 kg | Mill | dear | 5 | grain=rye | Dense.", "x.txt:3: could not convert"),
        ("- Rye, 1 kg | Mill | 3 | 5 | grain | Dense.", "x.txt:3: 'grain' is not name=value"),
        (
            "- Rye, 1 kg | Mill | 3 | 5 | grain=rye | Dense. | dietary=paleo",
            "x.txt:3: unknown dietary word paleo",
        ),
        (
            "- Rye, 1 kg | Mill | 3 | 5 | grain=rye | Dense. | allergens=wheat",
            "x.txt:3: unknown allergen wheat",
        ),
        (
            "- Rye, 1 kg | Mill | 3 | 5 | grain=rye | Dense. | allergens=milk",
            "x.txt:3: vegan but contains milk",
        ),
        ("- Rye, 1 kg | Mill | 3 | 5 | a=b | D.\n- Rye, 2 kg | Mill | 3 | 5 | a=b | D.", "x.txt:4: title"),
        ("Rye", "x.txt:3: neither leaf:"),
    ],
)
def test_source_errors_name_the_line(build: ModuleType, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "x.txt").write_text(f"leaf: Bakery > Bread\ndefaults: dietary=vegan; food=yes\n{line}\n")
    with pytest.raises(build.SourceError, match=re.escape(message)):
        build.build(tmp_path)


def test_derives_diets(build: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(
        "# comment\nleaf: A > B\ndefaults: dietary=vegan; food=yes; storage=ambient\n"
        "- Plain crème, 1 kg | M | 3 | 5 | a=b | D.\n"
        "- Rum sauce, 1 kg | M | 3 | 5 | a=b | D. | storage=chilled; allergens=gluten,nuts; in_stock=no\n"
        "leaf: A > C\ndefaults: food=no\n- Plain crème, 2 boxes | M | 3 | 5 | a=b | D.\n"
    )
    plain, rum, box = build.build(tmp_path)
    assert plain.item_id == "plain-creme" and box.item_id == "plain-creme-c"
    assert plain.dietary == {"vegan", "vegetarian", "dairy-free", "gluten-free", "nut-free", "halal"}
    assert rum.dietary == {"vegan", "vegetarian", "dairy-free"}
    assert rum.attributes == {"a": "b", "food": "yes", "storage": "chilled"} and not rum.in_stock
    assert box.dietary == frozenset()
