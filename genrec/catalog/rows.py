"""One row to one Item: which columns a field is read from, and what is mended, refused or left out."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from genrec.catalog import cells
from genrec.catalog.files import Row, Rows, bad_text
from genrec.catalog.items import DESCRIPTION_LIMIT, Item
from genrec.catalog.problems import validated
from genrec.errors import CatalogError, SettingsError

Mapped = Mapping[str, tuple[str, ...]]
"""Item field to the columns it is read from."""

SEVERAL = frozenset({"title", "description", "categories", "attributes", "dietary", "allergens"})
"""Fields that may be read from several columns."""

_REQUIRED = ("item_id", "title")
_CELL: dict[str, Callable[[object], object]] = {
    "item_id": cells.text,
    "brand": cells.line,
    "price": cells.money,
    "currency": lambda cell: cells.text(cell).upper(),
    "popularity": cells.number,
    "in_stock": cells.flag,
    "min_age": cells.whole,
    "image_url": cells.text,
}


def columns_of(path: Path, source: Rows, mapping: Mapped | None) -> Mapped:
    """Decide which columns each field is read from, checked against the header where the file has one."""
    if strangers := [field for field in mapping or {} if field not in Item.model_fields]:
        raise SettingsError(f"an item has no field {names(strangers)}; map {names(Item.model_fields)}")
    sources = {field: (field,) for field in Item.model_fields} | dict(mapping or {})
    if source.columns is None:
        return sources
    columns = set(source.columns)
    has = f"the file has {names(name or '(unnamed)' for name in source.columns)}"
    absent = [column for columns_ in (mapping or {}).values() for column in columns_ if column not in columns]
    if absent:
        raise CatalogError(f"{path}: no column {names(absent)}, which --map names; {has}")
    missing = [field for field in _REQUIRED if not columns.intersection(sources[field])]
    if missing:
        hint = "" if len(columns) > 1 else " (is it separated by commas? .tsv is read with tabs)"
        raise CatalogError(f"{path}: no column for {names(missing)}; {has}{hint}; --map {missing[0]}=COLUMN names it")
    unknown = [column or "(unnamed)" for column in source.columns if column not in Item.model_fields]
    if unknown and not mapping:
        raise CatalogError(f"{path}: {_unknown(unknown)}")
    return {field: names for field, names in sources.items() if columns.intersection(names)}


def names(of: Iterable[str]) -> str:
    """List names for a message: at most 30, in the order given."""
    listed = list(of)
    return ", ".join(listed[:30]) + (f" and {len(listed) - 30} more" if len(listed) > 30 else "")


def _unknown(columns: list[str]) -> str:
    return (
        f"unknown columns {names(columns)}; map them to item fields (--map FIELD=COLUMN), "
        f"take them as attributes (--map attributes={','.join(columns)}), "
        "or ignore them (any --map does, e.g. --map title=title)"
    )


def to_item(row: Row, sources: Mapped, *, strict: bool) -> tuple[Item | str, list[str]]:
    """Turn the row into an Item, or say what is wrong with it; and warn about what was mended."""
    if row.problem:
        return row.problem, []
    if strict and (unknown := [name for name in row.values if name not in Item.model_fields]):
        return _unknown(unknown), []
    fields: dict[str, object] = {}
    faults: list[str] = []
    for field, columns in sources.items():
        found = [(column, row.values.get(column)) for column in columns]
        found = [(column, cell) for column, cell in found if not cells.is_missing(cell)]
        if found:
            try:
                fields[field] = _value(field, found, mapped=field != columns[0])
            except ValueError as fault:
                faults.append(f"{field}: {fault}")
        elif field in _REQUIRED:
            faults.append(f"{field}: missing; every item needs one")
    faults += _settle_price(fields)
    warnings = [] if faults else _mend(fields)
    item = "; ".join(faults) or validated(Item, fields)
    return item, warnings


def _value(field: str, found: list[tuple[str, object]], *, mapped: bool) -> object:
    """Read one field from its non-empty cells, in the order of the mapping."""
    if field == "title":
        value: object = ", ".join(cells.line(cell) for _, cell in found)
    elif field == "description":
        value = " ".join(cells.text(cell) for _, cell in found)
    elif field == "categories":
        value = tuple(name for _, cell in found for name in cells.path(cell))
    elif field in {"dietary", "allergens"}:
        value = frozenset(word for _, cell in found for word in cells.words(cell))
    elif field == "attributes":
        value = {name: cells.attribute(cell) for name, cell in found} if mapped else cells.pairs(found[0][1])
    else:
        value = _CELL[field](found[0][1])
    if problem := bad_text(_spoken(value)):
        raise ValueError(problem)
    return value


def _spoken(value: object) -> str:
    """Join all the text inside a field value."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join([*value, *value.values()])
    if isinstance(value, frozenset) or (isinstance(value, tuple) and not isinstance(value, cells.Money)):
        return "".join(value)
    return ""


def _settle_price(fields: dict[str, object]) -> list[str]:
    """Put the amount in `price` and the currency written beside it in `currency`; say if they disagree."""
    money = fields.get("price")
    if isinstance(money, cells.Money):
        fields["price"] = money.amount
        if money.currency and fields.setdefault("currency", money.currency) != money.currency:
            return [f"price: is in {money.currency} but currency says {fields['currency']}; make them agree"]
    return []


def _mend(fields: dict[str, object]) -> list[str]:
    """Cut a description that is too long and drop an unusable picture; says what was done."""
    warnings = []
    description = fields.get("description")
    if isinstance(description, str) and len(description) > DESCRIPTION_LIMIT:
        cut = description[: DESCRIPTION_LIMIT - 1].rsplit(None, 1)[0].rstrip() + "…"
        fields["description"] = cut
        warnings.append(f"description: cut at a word; {len(description):,} characters, {DESCRIPTION_LIMIT:,} are kept")
    url = fields.get("image_url")
    if isinstance(url, str) and not url.lower().startswith(("http://", "https://")):
        del fields["image_url"]
        warnings.append(f"image_url: {url[:60]!r} left out; only http:// and https:// addresses are shown")
    return warnings
