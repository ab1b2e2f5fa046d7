"""One cell of a feed to one value: what people write for prices, flags, lists and paths.

A cell that cannot be read raises ValueError with the remedy in its message.
"""

import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)
_MONEY = re.compile(r"([+-]?)\s*([$€£₹]|[A-Z]{3})?\s*([+-]?[\d.,]+)\s*([$€£₹]|[A-Z]{3})?", re.ASCII)
_SIGNS = {"€": "EUR", "£": "GBP", "₹": "INR", "$": ""}
_TRUE = frozenset({"yes", "y", "true", "t", "1"})
_FALSE = frozenset({"no", "n", "false", "f", "0"})
_NOTHING = frozenset({"none", "n/a", "-"})


class Money(NamedTuple):
    """An amount, and the ISO 4217 code written beside it: empty for none and for the ambiguous `$`."""

    amount: float
    currency: str


def is_missing(cell: object) -> bool:
    """Whether the cell says nothing: null, blank text, an empty list or object."""
    return cell is None or (isinstance(cell, str) and not cell.strip()) or cell in ([], {}, ())


def text(cell: object) -> str:
    """Read stripped text; a whole number loses its `.0`, so ids read from a float column are right."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, bytes):
        return cell.decode().strip()
    if isinstance(cell, list | tuple | dict) or cell != cell:
        raise ValueError(f"{_short(cell)} is not text; write one string")
    return str(cell)


def line(cell: object) -> str:
    """Read text on one line: runs of white space become one space."""
    return " ".join(text(cell).split())


def number(cell: object) -> float:
    """Read a number as data or as text, with or without thousands commas: 1299, '1,299.00', '.5', '1e3'."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal | str):
        raise ValueError(f"{_short(cell)} is not a number; write it like 1299.50")
    if not isinstance(cell, str):
        return float(cell)
    written = cell.strip()
    if _GROUPED.fullmatch(written):
        written = written.replace(",", "")
    if not _NUMBER.fullmatch(written):
        raise ValueError(f"{_short(cell)} is not a number; write it like 1299.50")
    return float(written)


def money(cell: object) -> Money:
    """Read an amount with or without a currency sign or code: 3.5, '$3.50', '€ 1,299.00', '12 EUR'."""
    if not isinstance(cell, str):
        return Money(number(cell), "")
    match = _MONEY.fullmatch(cell.strip())
    sign = (match[2] or match[4] or "") if match and not (match[2] and match[4]) else ""
    if match is None or not sign:
        return Money(number(cell), "")
    return Money(number(match[1] + match[3]), _SIGNS.get(sign, sign))


def whole(cell: object) -> int:
    """Read a whole number as data or as text."""
    value = number(cell)
    if not math.isfinite(value) or not value.is_integer():
        raise ValueError(f"{_short(cell)} is not a whole number; write it like 18")
    return int(value)


def flag(cell: object) -> bool:
    """Read yes or no: yes, no, y, n, true, false, t, f, 1, 0 in any case."""
    if isinstance(cell, bool):
        return cell
    written = text(cell).lower()
    if written not in _TRUE | _FALSE:
        raise ValueError(f"{_short(cell)} is neither yes nor no; write yes, no, true, false, 1 or 0")
    return written in _TRUE


def words(cell: object) -> list[str]:
    """Read lower-case words from a list, a JSON list, or text split at commas, semicolons and bars."""
    parts = _listed(cell)
    if parts is None:
        parts = list(re.split(r"[,;|]", text(cell)))
    found = [" ".join(text(part).lower().split()) for part in parts if not is_missing(part)]
    return [word for word in found if word and word not in _NOTHING]


def path(cell: object) -> list[str]:
    """Read a category path from a list, a JSON list, or text split at '>'."""
    parts = _listed(cell)
    if parts is None:
        parts = list(text(cell).split(">"))
    return [line(part) for part in parts if not is_missing(part)]


def pairs(cell: object) -> dict[str, str]:
    """Read attributes from an object, a JSON object, a Parquet map, or text 'name=value; name=value'."""
    given = _decoded(cell) if isinstance(cell, str) and cell.lstrip().startswith("{") else cell
    entries: Iterable[tuple[object, object]]
    if isinstance(given, dict):
        entries = given.items()
    elif isinstance(given, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in given):
        entries = given
    elif isinstance(given, str):
        entries = _split_pairs(given)
    else:
        raise ValueError(f"{_short(cell)} is not attributes; write name=value; name=value")
    return {line(name): attribute(value) for name, value in entries if not is_missing(value)}


def attribute(cell: object) -> str:
    """Read an attribute's value on one line; a list is joined by ', '."""
    return ", ".join(line(part) for part in cell) if isinstance(cell, list | tuple) else line(cell)


def _split_pairs(written: str) -> list[tuple[object, object]]:
    entries: list[tuple[object, object]] = []
    for part in filter(None, map(str.strip, written.split(";"))):
        name, equals, value = part.partition("=")
        if not (name.strip() and equals):
            raise ValueError(f"{_short(part)} is not name=value; write name=value; name=value")
        entries.append((name, value))
    return entries


def _listed(cell: object) -> list[object] | None:
    """Give the elements when the cell is a list or a JSON list, else None."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        cell = _decoded(cell)
    if isinstance(cell, dict):
        raise ValueError(f"{_short(cell)} is an object; write a list")
    return list(cell) if isinstance(cell, list | tuple | set | frozenset) else None


def _decoded(cell: str) -> object:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise ValueError(f"{_short(cell)} starts like JSON but is not; use double quotes") from None


def _short(cell: object) -> str:
    shown = repr(cell)
    return shown if len(shown) <= 60 else shown[:57] + "..."
