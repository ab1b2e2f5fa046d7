"""Expand scripts/sample/catalog/*.txt into genrec/catalog/sample/catalog.jsonl, as FORMAT.md says.

    python scripts/sample/build.py [-o FILE] [--source DIR]

Deterministic: the same sources give the same bytes. Every malformed line is reported as file:line, and
nothing is written while there is one.
"""

import argparse
import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from genrec.catalog.items import Item

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "catalog"
OUTPUT = HERE.parents[1] / "genrec" / "catalog" / "sample" / "catalog.jsonl"

DIETS = frozenset("vegan vegetarian gluten-free halal kosher low-carb organic high-protein".split())
ALLERGENS = frozenset(
    "gluten crustaceans eggs fish peanuts soya milk nuts celery mustard sesame sulphites lupin molluscs".split()
)
ANIMAL_FLESH = frozenset({"fish", "crustaceans", "molluscs"})
ALCOHOL = re.compile(
    r"(?<!root )(?<!ginger )"
    r"\b(wines?|beers?|ales?|lager|stout|cider|rum|brandy|cognac|sherry|port|marsala|whisk(e)?y|bourbon|vodka|gin|"
    r"tequila|liqueurs?|kirsch|amaretto|limoncello|prosecco|champagne|cava|sake|mirin|shaoxing|shochu|baijiu|soju|"
    r"advocaat|alcohol(ic)?(?!-free)|vermouth|boozy|margarita|mojito|spirits?|aperitivo|kombucha)\b"
    r"(?! vinegar| gums?\b| spice)"
)
"""Titles that speak of alcohol: no halal is derived, not for alcohol-free copies of a drink either."""


class SourceError(Exception):
    """A source line that FORMAT.md does not allow."""


class Draft(NamedTuple):
    """An item whose id is not yet known to be unique."""

    where: str
    slug: str
    fields: dict[str, object]


def slugify(text: str) -> str:
    """Lower-case ASCII words joined by hyphens: 'Crème brûlée' becomes creme-brulee."""
    ascii_text = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.replace("'", "").replace("&", " and ")).strip("-")


def pairs(text: str) -> dict[str, str]:
    """'name=value; name=value' as a mapping."""
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals):
            raise SourceError(f"{part!r} is not name=value")
        if name in found:
            raise SourceError(f"{name!r} is given twice")
        found[name] = value
    return found


def words(text: str, known: frozenset[str], kind: str) -> set[str]:
    """'vegan,organic' as a set, every word known."""
    found = {word.strip() for word in text.split(",") if word.strip()}
    if unknown := sorted(found - known):
        raise SourceError(f"unknown {kind} {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return found


PLAIN = frozenset(
    {
        "Fruit", "Vegetables & salad", "Flour", "Sugar & baking syrups", "Dried fruit, nuts & seeds",
        "Salt & pepper", "Olive oil", "Cooking & speciality oils", "Quinoa, millet & other grains",
        "Wheat, barley & couscous", "Dry rice",
        "Dried beans & lentils", "Nuts", "Dried fruit", "Still & sparkling water", "Coffee beans", "Ground coffee",
        "Black tea", "Green, white & oolong tea", "Herbal, rooibos & mate", "Frozen vegetables", "Frozen fruit",
        "Hen & specialty eggs", "Tinned tomatoes", "Tinned vegetables", "Tinned beans & pulses",
    }
)  # fmt: skip
"""Departments and leaves of plain food, which is kosher without a label (eggs too)."""


def derived_dietary(dietary: set[str], allergens: set[str], *, alcohol: bool, plain: bool = False) -> set[str]:
    """What follows from the declared diets and allergens of a food (FORMAT.md, *dietary*)."""
    result = set(dietary)
    if "vegan" in result:
        result.add("vegetarian")
    if "milk" not in allergens:
        result.add("dairy-free")
    if "gluten" not in allergens:
        result.add("gluten-free")
    if not allergens & {"nuts", "peanuts"}:
        result.add("nut-free")
    if "vegetarian" in result and not alcohol:
        result.add("halal")
    if {"vegan", "vegetarian"} & result and plain and not alcohol:
        result.add("kosher")
    return result


def check_consistent(dietary: set[str], allergens: set[str]) -> None:
    """Refuse diets that the allergens contradict."""
    forbidden = {
        "vegan": ANIMAL_FLESH | {"milk", "eggs"},
        "vegetarian": ANIMAL_FLESH,
        "gluten-free": {"gluten"},
    }
    for diet, excluded in forbidden.items():
        if diet in dietary and (clash := sorted(allergens & excluded)):
            raise SourceError(f"{diet} but contains {', '.join(clash)}")


def read_line(line: str, categories: tuple[str, ...], defaults: dict[str, str]) -> dict[str, object]:
    """One '- ...' line as the fields of an Item, item_id apart."""
    cells = [cell.strip() for cell in line.removeprefix("- ").split("|")]
    if not 6 <= len(cells) <= 7:
        raise SourceError(f"{len(cells)} fields between bars; 6 or 7 are expected")
    title, brand, price, popularity, attributes, description = cells[:6]
    settings = defaults | pairs(cells[6] if len(cells) == 7 else "")
    dietary = words(settings.pop("dietary", ""), DIETS, "dietary word")
    allergens = words(settings.pop("allergens", ""), ALLERGENS, "allergen")
    min_age = int(settings.pop("min_age", "0"))
    in_stock = settings.pop("in_stock", "yes")
    if in_stock not in {"yes", "no"}:
        raise SourceError(f"in_stock={in_stock} is neither yes nor no")
    if settings.get("food") not in {"yes", "no"}:
        raise SourceError("neither food=yes nor food=no is given")
    named = {name: value for name, value in (pairs(attributes) | settings).items() if value}
    check_consistent(dietary, allergens)
    if settings["food"] == "yes":
        alcohol = min_age >= 18 or bool(ALCOHOL.search(title.lower()))
        plain = bool(PLAIN & {categories[0], categories[-1]})
        dietary = derived_dietary(dietary, allergens, alcohol=alcohol, plain=plain)
        check_consistent(dietary, allergens)
    if not brand:
        raise SourceError("no brand")
    return {
        "title": title,
        "description": description,
        "brand": brand,
        "categories": categories,
        "attributes": named,
        "dietary": dietary,
        "allergens": allergens,
        "price": float(price),
        "popularity": float(popularity),
        "in_stock": in_stock == "yes",
        "min_age": min_age,
    }


def read_source(path: Path, problems: list[str]) -> Iterator[Draft]:
    """The drafts of one source file, in order; what is wrong goes to `problems`."""
    categories: tuple[str, ...] = ()
    defaults: dict[str, str] = {}
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line, where = raw.strip(), f"{path.name}:{number}"
        try:
            if not line or line.startswith("#"):
                continue
            if line.startswith("leaf:"):
                categories = tuple(part.strip() for part in line.removeprefix("leaf:").split(">"))
                defaults = {}
                if len(categories) < 2 or not all(categories):
                    raise SourceError("a leaf is a path of at least two names, e.g. leaf: Bakery > Bread")
            elif line.startswith("defaults:"):
                defaults = pairs(line.removeprefix("defaults:"))
            elif line.startswith("- "):
                if not categories:
                    raise SourceError("an item before the first leaf:")
                fields = read_line(line, categories, defaults)
                title = str(fields["title"])
                yield Draft(where, slugify(title.rpartition(", ")[0] or title), fields)
            else:
                raise SourceError("neither leaf:, defaults:, an item (- ...) nor a comment (# ...)")
        except (SourceError, ValueError) as error:
            problems.append(f"{where}: {error}")


def build(source: Path) -> list[Item]:
    """Every item of the sources, in file and line order; SourceError lists everything that is wrong."""
    problems: list[str] = []
    drafts = [draft for path in sorted(source.glob("*.txt")) for draft in read_source(path, problems)]
    seen_titles: dict[str, str] = {}
    seen_ids: dict[str, str] = {}
    items: list[Item] = []
    for where, slug, fields in drafts:
        key = re.sub(r"\d+", "", str(fields["title"]).lower())
        if key in seen_titles:
            problems.append(f"{where}: title {fields['title']!r} is that of {seen_titles[key]}, digits apart")
        seen_titles.setdefault(key, where)
        item_id = slug
        if slug in seen_ids:
            item_id = f"{slug}-{slugify(str(fields['categories'][-1]))}"
        if item_id in seen_ids:
            problems.append(f"{where}: item_id {item_id!r} is that of {seen_ids[item_id]} too; change a title")
        seen_ids.setdefault(item_id, where)
        try:
            items.append(Item.model_validate({"item_id": item_id} | fields))
        except ValidationError as error:
            problems += [f"{where}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    if not drafts:
        problems.append(f"{source}: no items")
    if problems:
        raise SourceError("\n".join(problems))
    return items


def render(items: list[Item]) -> str:
    """One compact JSON object a line; default values are omitted and sets are sorted."""
    lines = []
    for item in items:
        values = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in item.model_dump(exclude_defaults=True).items()
        }
        lines.append(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Parse the flags, build, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    parser.add_argument("--source", type=Path, default=SOURCE)
    arguments = parser.parse_args(argv)
    try:
        items = build(arguments.source)
    except SourceError as error:
        sys.exit(str(error))
    arguments.output.write_text(render(items), encoding="utf-8")
    leaves = {item.categories for item in items}
    departments = {item.department for item in items}
    sys.stdout.write(f"{arguments.output}: {len(items)} items, {len(departments)} departments, {len(leaves)} leaves\n")


if __name__ == "__main__":
    main()
