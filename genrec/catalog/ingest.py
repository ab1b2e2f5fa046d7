"""Files to Items and Shoppers, every bad row reported.

Formats are in files.py, one row in rows.py, one cell in cells.py. A row becomes an Item or a Problem;
nothing is dropped in silence:

    duplicate item_id                    error, the first stays
    price NaN, infinite, negative        error; an empty cell is an unknown price
    title longer than TITLE_LIMIT        error
    description beyond DESCRIPTION_LIMIT  cut at a word, warning
    image_url that is not http(s)        left out, warning
    a column that is no field of Item    error without a mapping, ignored with one
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from genrec.catalog.files import open_rows, position
from genrec.catalog.items import Item
from genrec.catalog.problems import Problem, Problems, validated
from genrec.catalog.rows import SEVERAL, Mapped, columns_of, names, to_item
from genrec.errors import CatalogError, RequestError, SettingsError
from genrec.page import Shopper

SHOPPER_FILES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")


class ItemStream:
    """The items of a catalog file, read once in file order, however many; what was wrong is known at the end."""

    def __init__(self, path: Path, *, mapping: Mapped | None = None, skip_invalid: bool = False) -> None:
        """Nothing is read before the first item is asked for."""
        self._path = path
        self._mapping = mapping
        self._skip_invalid = skip_invalid
        self.skipped = Problems()
        """Rows left out."""
        self.warnings = Problems()
        """Rows that were mended."""

    def __iter__(self) -> Iterator[Item]:
        """Yield the items.

        Raises CatalogError when the file cannot be read, and at the end when it holds no item, or a bad row and
        `skip_invalid` is not set: its message lists the first 20 bad rows and counts the others. After such a row no
        item is yielded any more.
        """
        self.skipped = self.warnings = Problems()
        some = False
        for outcome in iter_items(self._path, mapping=self._mapping):
            if isinstance(outcome, Item):
                if self._skip_invalid or not self.skipped.total:
                    some = True
                    yield outcome
            elif outcome.warning:
                self.warnings = self.warnings.add(outcome)
            else:
                self.skipped = self.skipped.add(outcome)
        if self.skipped.total and not (self._skip_invalid and some):
            what = "rows cannot be used; mend them or pass --skip-invalid"
            raise CatalogError(self.skipped.listing(self._path, what))
        if not some:
            raise CatalogError(f"{self._path}: no items in it; a catalog needs at least one row")


class IngestReport(NamedTuple):
    """What a catalog file gave: items in file order, rows left out, and rows that were mended."""

    items: list[Item]
    skipped: Problems
    warnings: Problems


def read_items(path: Path, *, mapping: Mapped | None = None, skip_invalid: bool = False) -> list[Item]:
    """Read the items of a catalog file; `ingest` also tells what was skipped or mended."""
    return ingest(path, mapping=mapping, skip_invalid=skip_invalid).items


def ingest(path: Path, *, mapping: Mapped | None = None, skip_invalid: bool = False) -> IngestReport:
    """Read a catalog file whole; raises what `ItemStream` raises."""
    stream = ItemStream(path, mapping=mapping, skip_invalid=skip_invalid)
    return IngestReport(list(stream), stream.skipped, stream.warnings)


def iter_items(path: Path, *, mapping: Mapped | None = None) -> Iterator[Item | Problem]:
    """Stream the rows in file order, each as an Item or as the Problem that keeps it from being one.

    A warning precedes its item. Of what was read only ids are remembered, to find duplicates. Raises
    CatalogError when the file as a whole cannot be read or its columns do not fit.
    """
    with open_rows(path) as source:
        sources = columns_of(path, source, mapping)
        unseen = {column for columns in (mapping or {}).values() for column in columns}
        first: dict[str, int] = {}  # item_id to its row
        read = False
        for row in source.rows:
            read = True
            if unseen:
                unseen.difference_update(row.values)
            where = position(path, source.unit, row.number)
            outcome, warnings = to_item(row, sources, strict=not mapping)
            if isinstance(outcome, str):
                yield Problem(where, outcome)
            elif outcome.item_id in first:
                seen = f"{source.unit} {first[outcome.item_id]}"
                yield Problem(where, f"duplicate item_id {outcome.item_id!r} (first seen on {seen})")
            else:
                first[outcome.item_id] = row.number
                yield from (Problem(where, warning, warning=True) for warning in warnings)
                yield outcome
        if unseen and read:
            raise CatalogError(f"{path}: no row has {', '.join(sorted(unseen))}, which --map names; correct the name")


def parse_mapping(arguments: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Turn `["title=name", "categories=department,aisle"]` into field to columns, or raise SettingsError."""
    mapping: dict[str, tuple[str, ...]] = {}
    for argument in arguments:
        field, equals, listed = argument.partition("=")
        field, columns = field.strip(), tuple(column.strip() for column in listed.split(","))
        if not (field and equals and all(columns)):
            raise SettingsError(f"--map {argument}: write FIELD=COLUMN or FIELD=COLUMN,COLUMN")
        if field not in Item.model_fields:
            raise SettingsError(f"--map {argument}: an item has no field {field!r}; use {names(Item.model_fields)}")
        if field in mapping:
            raise SettingsError(f"--map {argument}: {field} is mapped twice; write {field}=COLUMN,COLUMN once")
        if len(columns) > 1 and field not in SEVERAL:
            raise SettingsError(
                f"--map {argument}: {field} takes one column; only {names(sorted(SEVERAL))} take several"
            )
        mapping[field] = columns
    return mapping


def read_shoppers(path: Path) -> list[Shopper]:
    """Read shoppers from .jsonl, or .json with an array or one object; RequestError lists the bad rows."""
    if not path.name.lower().endswith(SHOPPER_FILES):
        raise RequestError(f"{path}: shoppers are read from .jsonl or .json, not {path.suffix or 'a bare name'}")
    shoppers: dict[str, Shopper] = {}
    problems = Problems()
    with open_rows(path, error=RequestError, single=True) as source:
        for row in source.rows:
            outcome = row.problem or validated(Shopper, row.values)
            if isinstance(outcome, Shopper) and outcome.shopper_id in shoppers:
                outcome = f"duplicate shopper_id {outcome.shopper_id!r}; ids must be unique"
            if isinstance(outcome, str):
                problems = problems.add(Problem(position(path, source.unit, row.number), outcome))
            else:
                shoppers[outcome.shopper_id] = outcome
    if problems.total:
        raise RequestError(problems.listing(path, "shoppers cannot be used"))
    if not shoppers:
        raise RequestError(f"{path}: no shoppers in it; write one JSON object a line")
    return list(shoppers.values())


def read_shopper(path: Path) -> Shopper:
    """Read the only shopper of a file; RequestError when it holds several."""
    shoppers = read_shoppers(path)
    if len(shoppers) > 1:
        raise RequestError(f"{path}: {len(shoppers)} shoppers in it, one is expected; keep one")
    return shoppers[0]
