"""What is wrong with rows: one line each, the first few spelled out and all of them counted."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

SHOWN = 20
"""How many problems a message spells out; the others are counted."""

_REMEDY = {
    "price": "leave it empty when unknown",
    "currency": "use an ISO 4217 code such as USD",
    "title": "shorten it, or take another column with --map title=COLUMN",
    "at": "write a day like 2026-01-31",
}
_UNKNOWN = "no such field; correct its name or remove it"
M = TypeVar("M", bound=BaseModel)


class Problem(NamedTuple):
    """Something wrong with one row. `str()` of it is one line with the place, the field and the remedy."""

    where: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class Problems(NamedTuple):
    """The first `SHOWN` problems and how many there were."""

    shown: tuple[Problem, ...] = ()
    total: int = 0

    def __str__(self) -> str:
        rest = [f"... and {self.total - len(self.shown):,} more"] if self.total > len(self.shown) else []
        return "\n".join([*map(str, self.shown), *rest])

    def add(self, problem: Problem) -> "Problems":
        """Return these and one more."""
        shown = self.shown if self.total >= SHOWN else (*self.shown, problem)
        return Problems(shown, self.total + 1)

    def listing(self, path: Path, what: str) -> str:
        """Write one problem as itself, several under a heading that counts them."""
        return str(self) if self.total == 1 else f"{path}: {self.total:,} {what}:\n{self}"


def validated(model: type[M], values: Mapping[str, object]) -> M | str:
    """Return an instance, or every fault of the values in one line."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        return "; ".join(map(_explain, error.errors(include_url=False)))


def _explain(fault: ErrorDetails) -> str:
    """Word a fault: `price: must be greater than or equal to 0, got -1.0; leave it empty when unknown`."""
    field = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"{field}: {_UNKNOWN}"
    message = fault["msg"].replace("Input should", "must", 1)
    message = message[:1].lower() + message[1:]
    given = fault["input"]
    if fault["type"] == "missing":
        got = ""
    elif isinstance(given, str) and len(given) > 60:
        got = f", got {len(given):,} characters"
    else:
        got = f", got {repr(given)[:60]}"
    remedy = _REMEDY.get(str(fault["loc"][-1]) if fault["loc"] else "", "")
    return f"{field}: {message}{got}" + (f"; {remedy}" if remedy else "")
