"""Gold judgments: cases with the grades readers gave them, from a folder of JSON lines (rubrics: gold/README.md)."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from genrec.catalog.ingest import read_items, read_shoppers
from genrec.catalog.items import Item
from genrec.catalog.sample import catalog_path, shoppers_path
from genrec.errors import GenrecError, RequestError
from genrec.evaluation.agreement import ceiling
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.judges import CRITERIA, GRADES, GuardrailCase, ItemCase, Level, PageCase, SectionCase
from genrec.page import Objective, Page, PageItem, PageRequest, Provenance, Section, Shopper, Theme

GOLD = Path(__file__).parent / "gold"
Known = TypeVar("Known")

FILES: Mapping[Level, str] = {
    "item": "items.jsonl",
    "section": "titles.jsonl",
    "page": "pages.jsonl",
    "guardrail": "guardrails.jsonl",
}
SECOND = "second.jsonl"
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class GoldCase:
    """One case as a judge reads it, and what readers said."""

    key: str
    """Unique within its level."""
    group: str
    """The theme or shopper: cases of one are not independent."""
    split: str
    case: Any
    """ItemCase, SectionCase, PageCase or GuardrailCase."""
    grades: Mapping[str, int]
    """Grade by criterion; a question that does not apply is left out."""
    second: Mapping[str, int] = field(default_factory=dict)
    """What the second reader said, where there was one."""


@dataclass(frozen=True)
class Gold:
    """All gold cases, by level."""

    levels: Mapping[Level, tuple[GoldCase, ...]]
    fingerprint: str
    """Of the files; changes with any case or grade."""

    def cases(self, criterion: str, *splits: str) -> list[GoldCase]:
        """The cases of a criterion, in file order; all splits unless some are named."""
        wanted = splits or SPLITS
        return [c for c in self.levels.get(CRITERIA[criterion], ()) if criterion in c.grades and c.split in wanted]

    def ceiling(self, criterion: str) -> Interval | None:
        """Weighted kappa of the two readers over all cases that both judged; None without any."""
        both = [case for case in self.cases(criterion) if criterion in case.second]
        if not both:
            return None
        return ceiling(
            [c.grades[criterion] for c in both], [c.second[criterion] for c in both], [c.group for c in both]
        )


class _Named(dict[str, Known]):
    """Items or shoppers by id, which says what it lacks."""

    def __init__(self, kind: str, where: Path, known: Iterable[tuple[str, Known]]) -> None:
        super().__init__(known)
        self._lacks = f"there is no {kind} {{!r}} in {where}"

    def __missing__(self, key: str) -> Known:
        raise RequestError(self._lacks.format(key))


class _Source:
    """Where a folder's cases find items and shoppers: its own files, or the sample's."""

    def __init__(self, folder: Path) -> None:
        self.own = [path for name in ("catalog.jsonl", "shoppers.jsonl") if (path := folder / name).is_file()]
        catalog = next((path for path in self.own if path.name == "catalog.jsonl"), catalog_path())
        people = next((path for path in self.own if path.name == "shoppers.jsonl"), shoppers_path())
        self.items = _Named("item", catalog, ((item.item_id, item) for item in read_items(catalog)))
        self.shoppers = _Named("shopper", people, ((one.shopper_id, one) for one in read_shoppers(people)))


def load_gold(folder: Path | None = None) -> Gold:
    """Read the shipped gold judgments, or those in `folder`: any of FILES, and `second.jsonl`.

    Items and shoppers are those of the folder's catalog.jsonl and shoppers.jsonl, or the sample's.

    Raises:
        RequestError: a file or line that makes no sense; the message names both.
        CatalogError: the folder's catalog.jsonl cannot be read.

    """
    home = folder or GOLD
    source = _Source(home)
    digest = sha256()
    for path in source.own:
        digest.update(path.name.encode() + path.read_bytes())
    second = _second(home / SECOND, digest.update)
    levels: dict[Level, tuple[GoldCase, ...]] = {}
    for level, name in FILES.items():
        found: dict[str, GoldCase] = {}
        for number, row in _rows(home / name, digest.update):
            with _at(home / name, number):
                key, group, case, grades = _READERS[level](row, source)
                if row["split"] not in SPLITS:
                    raise ValueError(f"split {row['split']!r} is none of {', '.join(SPLITS)}")
                if key in found:
                    raise ValueError(f"{key!r} stands there twice")
                again = {criterion: grade for criterion, (_, grade) in second.pop((level, key), {}).items()}
                found[key] = GoldCase(key, group, row["split"], case, grades, again)
        levels[level] = tuple(found.values())
    for (level, key), left in second.items():
        for number, _ in left.values():
            raise RequestError(f"{home / SECOND}:{number}: there is no case {key!r} of level {level!r}")
    if not any(levels.values()):
        raise RequestError(f"{home}: no gold judgments; it needs at least one of {', '.join(FILES.values())}")
    return Gold(levels, digest.hexdigest()[:16])


def _second(path: Path, digest: Callable[[bytes], None]) -> dict[tuple[Level, str], dict[str, tuple[int, int]]]:
    """Line and grade of each criterion, by level and key."""
    found: dict[tuple[Level, str], dict[str, tuple[int, int]]] = {}
    for number, row in _rows(path, digest):
        with _at(path, number):
            level, criterion = row["level"], row["criterion"]
            if CRITERIA.get(criterion) != level:
                raise ValueError(f"{criterion!r} is no criterion of level {level!r}; there are {', '.join(CRITERIA)}")
            found.setdefault((level, row["key"]), {})[criterion] = (number, _grade(row["grade"]))
    return found


def items_of(folder: Path | None = None) -> Mapping[str, Item]:
    """The items that the gold judgments in `folder` speak of, by id: its catalog.jsonl, or the sample."""
    return _Source(folder or GOLD).items


class _at:  # noqa: N801 - reads as a phrase
    """Turns what a bad line raises into an error that names it."""

    def __init__(self, path: Path, number: int) -> None:
        self._where = f"{path}:{number}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, GenrecError):
            raise RequestError(f"{self._where}: {error}") from error
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            raise RequestError(f"{self._where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        if isinstance(error, KeyError):
            raise RequestError(f"{self._where}: there is no {error}; gold/README.md has the fields") from error
        if isinstance(error, ValueError | TypeError | AttributeError):
            raise RequestError(f"{self._where}: {error}") from error


def _rows(path: Path, digest: Callable[[bytes], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    if not path.is_file():
        return
    content = path.read_bytes()
    digest(path.name.encode() + content)
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            with _at(path, number):
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("is no JSON object")
            yield number, row


def _grade(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= GRADES:
        raise ValueError(f"grade {value!r} is not a whole number from 0 to {GRADES}")
    return value


def _item(row: Mapping[str, Any], source: _Source) -> tuple[str, str, ItemCase, dict[str, int]]:
    theme = Theme(title=row["title"], concepts=_texts(row["concepts"]))
    case = ItemCase(theme, source.items[row["item_id"]])
    return f"{row['theme_id']}/{row['item_id']}", row["theme_id"], case, {"item.relevance": _grade(row["grade"])}


def _section(row: Mapping[str, Any], source: _Source) -> tuple[str, str, SectionCase, dict[str, int]]:
    request = PageRequest(shopper=source.shoppers[row["shopper_id"]], on=date.fromisoformat(row["on"]))
    return row["case_id"], row["shopper_id"], SectionCase(request, _theme(row)), _grades(row, "section")


def _page(row: Mapping[str, Any], source: _Source) -> tuple[str, str, PageCase, dict[str, int]]:
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


def _guardrail(row: Mapping[str, Any], source: _Source) -> tuple[str, str, GuardrailCase, dict[str, int]]:
    if row["verdict"] not in ("allow", "deny"):
        raise ValueError(f"verdict {row['verdict']!r} is neither allow nor deny")
    shopper = Shopper.model_validate(row["shopper"])
    request = PageRequest(shopper=shopper, on=date.fromisoformat(row["on"]), occasion=row["occasion"])
    case = GuardrailCase(request, row["title"], Item.model_validate(row["item"]))
    return row["case_id"], shopper.shopper_id, case, {"guardrail.allowed": GRADES * (row["verdict"] == "allow")}


_READERS: Mapping[Level, Callable[[Mapping[str, Any], _Source], tuple[str, str, Any, dict[str, int]]]] = {
    "item": _item,
    "section": _section,
    "page": _page,
    "guardrail": _guardrail,
}


def _grades(row: Mapping[str, Any], level: str) -> dict[str, int]:
    names: Sequence[str] = [name for name, at in CRITERIA.items() if at == level]
    return {name: _grade(row[short]) for name in names if row[short := name.split(".")[1]] is not None}
