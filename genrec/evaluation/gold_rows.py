"""One line of a gold file as a case and its grades; the fields are those of gold/README.md."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from genrec.catalog.ingest import read_items, read_shoppers
from genrec.catalog.items import Item
from genrec.catalog.sample import catalog_path, shoppers_path
from genrec.errors import RequestError
from genrec.evaluation.judges import CRITERIA, GRADES, GuardrailCase, ItemCase, Level, PageCase, SectionCase
from genrec.page import Objective, Page, PageItem, PageRequest, Provenance, Section, Shopper, Theme

Known = TypeVar("Known")


class Named(dict[str, Known]):
    """Items or shoppers by id, which says what it lacks."""

    def __init__(self, kind: str, where: Path, known: Iterable[tuple[str, Known]]) -> None:
        super().__init__(known)
        self._lacks = f"there is no {kind} {{!r}} in {where}"

    def __missing__(self, key: str) -> Known:
        raise RequestError(self._lacks.format(key))


class Source:
    """Where a folder's cases find items and shoppers: its own files, or the sample's."""

    def __init__(self, folder: Path) -> None:
        self.own = [path for name in ("catalog.jsonl", "shoppers.jsonl") if (path := folder / name).is_file()]
        catalog = next((path for path in self.own if path.name == "catalog.jsonl"), catalog_path())
        people = next((path for path in self.own if path.name == "shoppers.jsonl"), shoppers_path())
        self.items = Named("item", catalog, ((item.item_id, item) for item in read_items(catalog)))
        self.shoppers = Named("shopper", people, ((one.shopper_id, one) for one in read_shoppers(people)))


def grade_of(value: Any) -> int:
    """`value`, if it is a grade. Raises ValueError when it is none."""
    if type(value) is not int or not 0 <= value <= GRADES:
        raise ValueError(f"grade {value!r} is not a whole number from 0 to {GRADES}")
    return value


def _item(row: Mapping[str, Any], source: Source) -> tuple[str, str, ItemCase, dict[str, int]]:
    theme = Theme(title=row["title"], concepts=_texts(row["concepts"]))
    case = ItemCase(theme, source.items[row["item_id"]])
    return f"{row['theme_id']}/{row['item_id']}", row["theme_id"], case, {"item.relevance": grade_of(row["grade"])}


def _section(row: Mapping[str, Any], source: Source) -> tuple[str, str, SectionCase, dict[str, int]]:
    request = PageRequest(shopper=source.shoppers[row["shopper_id"]], on=date.fromisoformat(row["on"]))
    return row["case_id"], row["shopper_id"], SectionCase(request, _theme(row)), _grades(row, "section")


def _page(row: Mapping[str, Any], source: Source) -> tuple[str, str, PageCase, dict[str, int]]:
    sections = tuple(_shown(section, source.items) for section in row["sections"])
    count, size = row["asked"]
    request = PageRequest(
        shopper=source.shoppers[row["shopper_id"]],
        on=date.fromisoformat(row["on"]),
        occasion=row.get("occasion", ""),
        objectives=tuple(Objective(name=name) for name in row.get("objectives", ())),
        sections=count,
        items_per_section=size,
    )
    page = Page.model_construct(  # broken pages break its promises
        shopper_id=row["shopper_id"],
        created_at=datetime(2026, 11, 12, tzinfo=UTC),
        sections=sections,
        drops=(),
        degraded=(),
        usage={},
        provenance=Provenance(program=row["generator"], lm="", catalog="", seed=0),
    )
    shown = {item.item_id: source.items[item.item_id] for section in sections for item in section.items}
    return row["case_id"], row["shopper_id"], PageCase(request, page, shown), _grades(row, "page")


def _shown(section: Mapping[str, Any], items: Mapping[str, Item]) -> Section:
    shown = [
        PageItem(item_id=item_id, title=items[item_id].title, relevance=0.5, score=0.0) for item_id in section["items"]
    ]
    return Section.model_construct(theme=_theme(section), keywords=(), items=tuple(shown))


def _theme(row: Mapping[str, Any]) -> Theme:
    """A title as it was written, also one that is too long for a Theme."""
    (title,) = _texts([row["title"]])
    return Theme.model_construct(title=title, concepts=_texts(row["concepts"]), rationale="", objective="")


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{value!r}: title and concepts are text, and concepts a list of it")
    return tuple(value)


def _guardrail(row: Mapping[str, Any], source: Source) -> tuple[str, str, GuardrailCase, dict[str, int]]:
    if row["verdict"] not in ("allow", "deny"):
        raise ValueError(f"verdict {row['verdict']!r} is neither allow nor deny")
    shopper = Shopper.model_validate(row["shopper"])
    request = PageRequest(shopper=shopper, on=date.fromisoformat(row["on"]), occasion=row["occasion"])
    case = GuardrailCase(request, row["title"], Item.model_validate(row["item"]))
    return row["case_id"], shopper.shopper_id, case, {"guardrail.allowed": GRADES * (row["verdict"] == "allow")}


def _grades(row: Mapping[str, Any], level: str) -> dict[str, int]:
    names: Sequence[str] = [name for name, at in CRITERIA.items() if at == level]
    return {name: grade_of(row[short]) for name in names if row[short := name.split(".")[1]] is not None}


READERS: Mapping[Level, Callable[[Mapping[str, Any], Source], tuple[str, str, Any, dict[str, int]]]] = {
    "item": _item,
    "section": _section,
    "page": _page,
    "guardrail": _guardrail,
}
"""Of each level: from a row to the case's key, its group, the case, and its grades by criterion."""
