"""Expand scripts/sample/shoppers/*.txt into genrec/catalog/sample/shoppers.jsonl and splits.json.

    python scripts/sample/build_shoppers.py [--source DIR] [--catalog FILE] [-o DIR]

One block a shopper; a `shopper:` line starts it, and everything but `shopper` and `split` may be left out:

    shopper: maya-vegan-student
    split: train                                     train, dev or test
    age: 20
    shops: sun                                       usual shopping day (default sat)
    since: 09-01                                     first day as a customer (default the first week of May)
    household: one student in a shared house         locale: en-GB is also known
    diets: vegan
    allergens: sesame                                any of the fourteen EU names
    likes: spicy food, noodles                       separated by commas
    dislikes: mushrooms
    note: exams in June
    weekly 2 | firm-tofu-block, Ripe bananas, soy-drink-with-calcium
    fortnightly | red-split-lentils, aged-basmati-rice
    monthly 06-01..08-31 | coconut-milk-mango-ice-cream
    once 10-31 | nut-free-lollipops-with-spooky-faces * 2, vegan-jelly-fangs

An item is an item_id of the catalog or a title without its size; `* 2` is a quantity. `weekly`, `fortnightly`
and `monthly` (every fourth week) are rotations: each trip buys one item of the line (or as many as the number
says), and every item has its turn, in a shuffled order, before one comes again. `MM-DD..MM-DD` limits a
rotation to a part of 2026. `once MM-DD` buys the whole line on that day. A line that starts with # is a
comment.

Deterministic: shuffles, skipped trips and trips a day early or late are seeded by the shopper's id. Every
problem is reported as file:line and nothing is written while there is one: an unknown item; a purchase that
the shopper's diets, allergens, age or dislikes forbid; too few or too many purchases; a held-out fortnight
(the days after `today`) that lacks repeats, new items or four purchases, or has an out-of-stock item.
"""

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from genrec.catalog.items import Item
from genrec.page import Purchase, Shopper

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parents[1] / "genrec" / "catalog" / "sample"
SOURCE = HERE / "shoppers"
CATALOG = SAMPLE / "catalog.jsonl"

FIRST_MONDAY = date(2026, 5, 4)
TODAY = date(2026, 11, 12)
HELD_OUT_DAYS = 14
LAST_DAY = TODAY + timedelta(days=HELD_OUT_DAYS)
REGULAR_FROM = TODAY - timedelta(days=6)
"""From this day on no trip is skipped or moved, so that the held-out fortnight has two."""

SKIPPED = 0.07
"""Share of the weeks without a trip."""

SPLITS = ("train", "dev", "test")
HARD_DIETS = frozenset({"vegan", "vegetarian", "gluten-free", "dairy-free", "nut-free", "halal", "kosher"})
DIETS = HARD_DIETS | {"low-carb"}
ALLERGENS = frozenset(
    {"gluten", "crustaceans", "eggs", "fish", "peanuts", "soya", "milk"}
    | {"nuts", "celery", "mustard", "sesame", "sulphites", "lupin", "molluscs"}
)
PERIODS = {"weekly": 1, "fortnightly": 2, "monthly": 4}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LISTS = frozenset({"diets", "allergens", "likes", "dislikes"})
FIELDS = LISTS | {"shopper", "split", "age", "shops", "since", "household", "note", "locale"}
PURCHASES = range(15, 81)
HELD_OUT_MINIMUM = 4

CADENCE = re.compile(
    r"(?P<period>weekly|fortnightly|monthly)(?: (?P<each>[1-9]))?"
    r"(?: (?P<first>\d\d-\d\d)\.\.(?P<last>\d\d-\d\d))?"
)
ONCE = re.compile(r"once (?P<day>\d\d-\d\d)")


class SourceError(Exception):
    """A source line that the format does not allow; one problem a line of the message."""


class Wanted(NamedTuple):
    """One item of a line, looked up."""

    item: Item
    quantity: int


class Line(NamedTuple):
    """`cadence | items`: a rotation of `each` items a trip, or one day when `period` is 0."""

    where: str
    period: int
    each: int
    first: date
    last: date
    wanted: tuple[Wanted, ...]


class Bought(NamedTuple):
    """A purchase that remembers the source line it came from."""

    at: date
    item: Item
    quantity: int
    where: str


@dataclass
class Block:
    """What the sources say about one shopper."""

    where: str
    fields: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    @property
    def shopper_id(self) -> str:
        return self.fields["shopper"]

    def words(self, name: str) -> tuple[str, ...]:
        """A comma-separated field."""
        return tuple(filter(None, (word.strip() for word in self.fields.get(name, "").split(","))))


class Sample(NamedTuple):
    """The shoppers in source order, and the split of each."""

    shoppers: tuple[Shopper, ...]
    split_of: Mapping[str, str]


class Shelf:
    """Items by item_id and by title without size."""

    def __init__(self, items: list[Item]) -> None:
        self._by_name = {item.item_id: item for item in items}
        titles = [item.title.rpartition(", ")[0] or item.title for item in items]
        repeated = {title for title, count in Counter(titles).items() if count > 1}
        for title, item in zip(titles, items, strict=True):
            if title not in repeated:
                self._by_name.setdefault(title.lower(), item)

    def find(self, name: str) -> Item:
        """The item of that id or title; SourceError names the nearest ones."""
        item = self._by_name.get(name) or self._by_name.get(name.lower())
        if item is None:
            near = get_close_matches(name, self._by_name, n=3, cutoff=0.5)
            hint = f"; near it: {', '.join(near)}" if near else ""
            raise SourceError(f"no item {name!r} in the catalog{hint}")
        return item


def read_catalog(path: Path) -> Shelf:
    """The items of a catalog file."""
    with path.open(encoding="utf-8") as file:
        return Shelf([Item.model_validate_json(line) for line in file if line.strip()])


def calendar_day(text: str) -> date:
    """'10-31' as a day of 2026 that the histories cover."""
    day = date.fromisoformat(f"{TODAY.year}-{text}")
    if not FIRST_MONDAY - timedelta(days=1) <= day <= LAST_DAY:
        raise SourceError(f"{day} is outside {FIRST_MONDAY}..{LAST_DAY}")
    return day


def read_line(where: str, text: str, shelf: Shelf) -> Line:
    """'weekly 2 | this, that' as a Line."""
    cadence, _, rest = (part.strip() for part in text.partition("|"))
    wanted = []
    for part in filter(None, map(str.strip, rest.split(","))):
        name, _, quantity = map(str.strip, part.partition("*"))
        wanted.append(Wanted(shelf.find(name), int(quantity or 1)))
    if not wanted:
        raise SourceError("no items after the bar")
    if once := ONCE.fullmatch(cadence):
        day = calendar_day(once["day"])
        return Line(where, 0, len(wanted), day, day, tuple(wanted))
    rotation = CADENCE.fullmatch(cadence)
    if not rotation:
        raise SourceError(f"{cadence!r} is no cadence: weekly, fortnightly, monthly or once MM-DD")
    each = int(rotation["each"] or 1)
    if each > len(wanted):
        raise SourceError(f"{each} items a trip but only {len(wanted)} on the line")
    first = calendar_day(rotation["first"]) if rotation["first"] else FIRST_MONDAY
    last = calendar_day(rotation["last"]) if rotation["last"] else LAST_DAY
    return Line(where, PERIODS[rotation["period"]], each, first, last, tuple(wanted))


def read_source(path: Path, shelf: Shelf, problems: list[str]) -> Iterator[Block]:
    """The blocks of one file; what is wrong with its lines goes to `problems`."""
    block: Block | None = None
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text, where = raw.strip(), f"{path.name}:{number}"
        if not text or text.startswith("#"):
            continue
        try:
            name, colon, value = (part.strip() for part in text.partition(":"))
            if colon and name == "shopper":
                if block:
                    yield block
                block = Block(where, {"shopper": value})
            elif block is None:
                raise SourceError("a line before the first shopper:")
            elif "|" in text:
                block.lines.append(read_line(where, text, shelf))
            elif colon and name in FIELDS:
                if name in block.fields:
                    raise SourceError(f"{name} is given twice")
                block.fields[name] = value
            else:
                raise SourceError(f"neither one of {', '.join(sorted(FIELDS))} nor `cadence | items`")
        except (SourceError, ValueError) as error:
            problems.append(f"{where}: {error}")
    if block:
        yield block


def trips(shopper_id: str, weekday: int) -> list[date | None]:
    """The shopping day of each week; None where the shopper stayed at home."""
    chance = random.Random(f"trips of {shopper_id}")
    days: list[date | None] = []
    week = FIRST_MONDAY
    while week <= LAST_DAY:
        skipped, shift = chance.random() < SKIPPED, chance.choice((-1, 0, 0, 0, 0, 1))
        day = week + timedelta(days=weekday)
        if day < REGULAR_FROM:
            days.append(None if skipped else day + timedelta(days=shift))
        else:
            days.append(day if day <= LAST_DAY else None)
        week += timedelta(days=7)
    return days


def expand(block: Block, weekday: int, since: date) -> list[Bought]:
    """Every purchase of the block by date, no item twice on a day; no rotation begins before `since`."""
    days = trips(block.shopper_id, weekday)
    bought: dict[tuple[date, str], Bought] = {}
    for number, line in enumerate(block.lines):
        chance = random.Random(f"line {number} of {block.shopper_id}")
        queue: list[Wanted] = []
        if line.period == 0:
            dealt = [(line.first, wanted) for wanted in line.wanted]
        else:
            dealt = []
            for day in days[chance.randrange(line.period) :: line.period]:
                if day is None or not max(line.first, since) <= day <= line.last:
                    continue
                if len(queue) < line.each:
                    rest = [wanted for wanted in line.wanted if wanted not in queue]
                    chance.shuffle(rest)
                    queue += rest + queue
                dealt += [(day, queue.pop(0)) for _ in range(line.each)]
        for day, wanted in dealt:
            bought.setdefault((day, wanted.item.item_id), Bought(day, wanted.item, wanted.quantity, line.where))
    return [bought[key] for key in sorted(bought)]


def objections(shopper: Shopper, item: Item) -> Iterator[str]:
    """Why this shopper must not have bought this item."""
    if shared := sorted(shopper.allergens & item.allergens):
        yield f"contains {', '.join(shared)}"
    if item.attributes.get("food") == "yes" and (missing := sorted(shopper.diets & HARD_DIETS - item.dietary)):
        yield f"is not {', '.join(missing)}"
    if shopper.age is not None and shopper.age < item.min_age:
        yield f"is sold from {item.min_age} only"
    for disliked in shopper.dislikes:
        if re.search(rf"\b{re.escape(disliked.lower().removesuffix('s'))}", item.title.lower()):
            yield f"is something disliked ({disliked})"


def check_counts(bought: list[Bought]) -> Iterator[str]:
    """What is wrong with a history that is not empty."""
    if len(bought) not in PURCHASES:
        yield f"{len(bought)} purchases; {PURCHASES[0]} to {PURCHASES[-1]} are expected"
    known = {entry.item.item_id for entry in bought if entry.at <= TODAY}
    held_out = [entry for entry in bought if entry.at > TODAY]
    repeats = sum(entry.item.item_id in known for entry in held_out)
    if len(held_out) < HELD_OUT_MINIMUM:
        yield f"{len(held_out)} purchases after {TODAY}; at least {HELD_OUT_MINIMUM} are expected"
    if not 0 < repeats < len(held_out):
        yield f"{repeats} of {len(held_out)} purchases after {TODAY} are repeats; some are expected, not all"


def to_shopper(block: Block, problems: list[str]) -> Shopper | None:
    """The block as a Shopper; None, and more in `problems`, when it cannot be one."""
    before = len(problems)
    if block.fields.get("split") not in SPLITS:
        problems.append(f"{block.where}: split is not one of {', '.join(SPLITS)}")
    for name, known in (("diets", DIETS), ("allergens", ALLERGENS)):
        if unknown := sorted(set(block.words(name)) - known):
            problems.append(f"{block.where}: unknown {name}: {', '.join(unknown)}")
    day_name = block.fields.get("shops", "sat")
    if day_name not in WEEKDAYS:
        problems.append(f"{block.where}: shops is not one of {', '.join(WEEKDAYS)}")
    since = FIRST_MONDAY - timedelta(days=1)
    try:
        since = calendar_day(block.fields["since"]) if "since" in block.fields else since
    except (SourceError, ValueError) as error:
        problems.append(f"{block.where}: since: {error}")
    problems += [
        f"{line.where}: {line.first} is before since: {since}"
        for line in block.lines
        if line.period == 0 and line.first < since
    ]
    if len(problems) > before:
        return None
    bought = expand(block, WEEKDAYS.index(day_name), since)
    values: dict[str, object] = {
        name: value for name, value in block.fields.items() if name in {"age", "household", "note", "locale"}
    }
    values |= {name: block.words(name) for name in LISTS if name in block.fields}
    history = tuple(Purchase(item_id=entry.item.item_id, at=entry.at, quantity=entry.quantity) for entry in bought)
    try:
        shopper = Shopper.model_validate(values | {"shopper_id": block.shopper_id, "history": history})
    except ValidationError as error:
        problems += [f"{block.where}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        return None
    for line in block.lines:
        for wanted in line.wanted:
            problems += [
                f"{line.where}: {wanted.item.item_id} {objection}" for objection in objections(shopper, wanted.item)
            ]
    problems += [
        f"{entry.where}: {entry.item.item_id} is out of stock and held out"
        for entry in bought
        if entry.at > TODAY and not entry.item.in_stock
    ]
    if bought:
        problems += [f"{block.where}: {shopper.shopper_id}: {problem}" for problem in check_counts(bought)]
    return shopper


def build(source: Path = SOURCE, catalog: Path = CATALOG) -> Sample:
    """Every shopper of the sources; SourceError lists everything that is wrong."""
    problems: list[str] = []
    shelf = read_catalog(catalog)
    shoppers: list[Shopper] = []
    split_of: dict[str, str] = {}
    for path in sorted(source.glob("*.txt")):
        for block in read_source(path, shelf, problems):
            if block.shopper_id in split_of:
                problems.append(f"{block.where}: {block.shopper_id} is already there")
            split_of[block.shopper_id] = block.fields.get("split", "")
            shopper = to_shopper(block, problems)
            if shopper:
                shoppers.append(shopper)
    if not split_of:
        problems.append(f"{source}: no shoppers")
    if problems:
        raise SourceError("\n".join(problems))
    return Sample(tuple(shoppers), split_of)


def render_shoppers(sample: Sample) -> str:
    """One compact JSON object a line; default values are omitted and sets are sorted."""
    lines = []
    for shopper in sample.shoppers:
        values = shopper.model_dump(mode="json", exclude_defaults=True)
        values |= {name: sorted(values[name]) for name in ("diets", "allergens") if name in values}
        for purchase in values.get("history", ()):
            if purchase.get("quantity") == 1:
                del purchase["quantity"]
        lines.append(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n")
    return "".join(lines)


def render_splits(sample: Sample) -> str:
    """The ids of each split, and where the held-out purchases begin."""
    splits: dict[str, object] = {
        name: [shopper_id for shopper_id, split in sample.split_of.items() if split == name] for name in SPLITS
    }
    return json.dumps(splits | {"today": TODAY.isoformat(), "held_out_days": HELD_OUT_DAYS}, indent=1) + "\n"


def main(argv: list[str] | None = None) -> None:
    """Parse the flags, build, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=SOURCE)
    parser.add_argument("--catalog", type=Path, default=CATALOG)
    parser.add_argument("-o", "--output", type=Path, default=SAMPLE, help="directory")
    arguments = parser.parse_args(argv)
    try:
        sample = build(arguments.source, arguments.catalog)
    except SourceError as error:
        sys.exit(str(error))
    (arguments.output / "shoppers.jsonl").write_text(render_shoppers(sample), encoding="utf-8")
    (arguments.output / "splits.json").write_text(render_splits(sample), encoding="utf-8")
    purchases = sum(len(shopper.history) for shopper in sample.shoppers)
    sys.stdout.write(f"{arguments.output}: {len(sample.shoppers)} shoppers, {purchases} purchases\n")


if __name__ == "__main__":
    main()
