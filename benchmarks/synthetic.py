"""A catalog of any size that behaves like a real one: skewed, full of variants, never out of new words.

    python benchmarks/synthetic.py 1000000 -o catalog.jsonl [--seed 7]

Nothing is downloaded and nothing is measured here. Kinds, flavours, materials, brands and sizes are drawn by rank with
probability about 1/rank (Zipf); brands and model codes are more than ever occur, so that the vocabulary keeps growing
with the catalog. About a third of the items are variants of the one before. Same seed, same items; a longer
catalog begins with the shorter one.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

T = TypeVar("T")

WORDS = Path(__file__).parent / "data" / "synthetic.json"

VARIANT = 0.35
"""Share of items that are another size, colour or flavour of the item before."""

BRANDS = 60_000
"""Ranks that brands are drawn from; how many occur depends on the size of the catalog."""


class Department(NamedTuple):
    """What tells the items of a department apart: word lists, commonest first, and a few numbers."""

    tastes: list[str]
    """Flavours, colours or scents."""
    makes: list[str]
    """Materials, cuts or forms."""
    claims: list[str]
    """What a label says."""
    sizes: list[str]
    price: float
    """Median, in USD."""
    coded: float = 0.0
    """Share of items with a model code."""
    diets: bool = False
    """Whether labels declare diets and allergens."""
    min_age: int = 0


DIETS = ("vegetarian", "vegan", "gluten-free", "kosher", "halal", "dairy-free", "nut-free")
ALLERGENS = ("milk", "wheat", "nuts", "soy", "eggs", "peanuts", "sesame", "fish")
LINES = (
    "Classic Home Pro Select Daily Nature Everyday Max Heritage Signature Essential Prime Studio Active Pure".split()
)
ONSETS = "b c d f g h k l m n p r s t v w br cl dr fl gr kr pl pr sh st str th tr z qu sk sw".split()
RIMES = "a e i o u ai ea ia oa ar er or an en in on el ol il am em ay ie ex ox ista ora elle ova ix ent ard".split()
CLOSERS = " co, & sons, works, labs, farms, kitchen, house, supply, goods, and daughters, brothers, mills".split(",")


class Kind(NamedTuple):
    """One thing that is sold and where it stands."""

    path: tuple[str, str, str]
    noun: str
    department: Department


def kinds() -> list[Kind]:
    """Every kind in a fixed order that mixes departments: rank must not follow the alphabet."""
    tables = json.loads(WORDS.read_text(encoding="utf-8"))
    found = []
    for name, fields in tables["departments"].items():
        categories = fields.pop("categories")
        lists = {key: tables["words"].get(fields[key], fields[key]).split(", ") for key in Department._fields[:4]}
        department = Department(**(fields | lists))
        for category, leaves in categories.items():
            for leaf, nouns in leaves.items():
                found += [Kind((name, category, leaf), noun, department) for noun in nouns.split(", ")]
    Random(0).shuffle(found)
    return found


def brand(rank: int) -> str:
    """The brand of a rank: a name made of syllables that depends on nothing else."""
    random = Random(f"brand {rank}")
    name = "".join(random.choice(ONSETS) + random.choice(RIMES) for _ in range(random.choice((1, 2, 2, 3))))
    return name.capitalize() + (random.choice(CLOSERS) if random.random() < 0.2 else "")


def items(count: int, seed: int = 7) -> Iterator[dict[str, object]]:
    """Yield `count` items as `genrec.catalog.items.Item` reads them, item_id ascending."""
    random = Random(seed)
    uniform = random.random
    every, brands = kinds(), [brand(rank) for rank in range(BRANDS)]

    def pick(pool: list[T], flat: float = 1.0) -> T:
        """Rank r with probability about 1 / (r + flat), Zipf-Mandelbrot, by inverting its distribution."""
        return pool[int(flat * ((len(pool) / flat + 1) ** uniform() - 1))]

    kind, maker, line, make, code = every[0], "", "", "", ""
    for number in range(count):
        if number == 0 or uniform() > VARIANT:
            kind, maker = pick(every, 20.0), pick(brands, 20.0)
            line = pick(LINES) if uniform() < 0.3 else ""
            make = pick(kind.department.makes) if uniform() < 0.6 else ""
            code = f"{maker[:2].upper()}{int(10 ** (2 + 3 * uniform()))}" if uniform() < kind.department.coded else ""
        yield _item(number, kind, (maker, line, make, code), pick, uniform)


def _item(number, kind, family, pick, uniform) -> dict[str, object]:
    maker, line, make, code = family
    taste = pick(kind.department.tastes) if uniform() < 0.75 else ""
    claim = pick(kind.department.claims) if uniform() < 0.45 else ""
    size = pick(kind.department.sizes)
    head = " ".join(filter(None, (maker, line, claim if uniform() < 0.5 else "", make, taste, kind.noun, code)))
    title = ", ".join(filter(None, (head, claim if claim not in head else "", size)))
    price = kind.department.price * 2.718 ** (1.6 * (uniform() + uniform() + uniform() - 1.5))
    item: dict[str, object] = {"item_id": f"s{number:09d}", "title": title, "brand": maker, "categories": kind.path}
    item["attributes"] = {
        name: value for name, value in (("size", size), ("kind", taste), ("make", make), ("model", code)) if value
    }
    item["price"] = round(price, 2)
    item["popularity"] = round(uniform() ** -0.7 - 1, 3)  # a Pareto tail: few items sell most
    if uniform() < 0.06:
        item["in_stock"] = False
    if kind.department.diets and kind.path[1] != "Meat and fish":
        item["dietary"] = [diet for place, diet in enumerate(DIETS) if uniform() < 0.5 / (place + 1)]
        item["allergens"] = [allergen for place, allergen in enumerate(ALLERGENS) if uniform() < 0.3 / (place + 1)]
    if kind.department.min_age:
        item["min_age"] = kind.department.min_age
    return item


def main() -> None:
    """Write the catalog, one item a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    start = time.perf_counter()
    write(args.output, args.count, args.seed)
    sys.stdout.write(f"{args.output}: {args.count:,} items in {time.perf_counter() - start:.0f} s\n")


def write(path: Path, count: int, seed: int = 7) -> None:
    """Write `count` items to `path`, streaming."""
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    with path.open("w", encoding="utf-8") as file:
        file.writelines(encode(item) + "\n" for item in items(count, seed))


if __name__ == "__main__":
    main()
