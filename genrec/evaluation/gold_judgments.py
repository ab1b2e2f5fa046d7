"""Gold judgments: cases with the grades readers gave them, from a folder of JSON lines (rubrics: gold/README.md)."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from genrec.catalog.items import Item
from genrec.errors import GenrecError, RequestError
from genrec.evaluation.agreement import ceiling
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.gold_rows import READERS, Source, grade_of
from genrec.evaluation.judges import CRITERIA, Level

GOLD = Path(__file__).parent / "gold"
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


def load_gold(folder: Path | None = None) -> Gold:
    """Read the shipped gold judgments, or those in `folder`: any of FILES, and `second.jsonl`.

    Items and shoppers are those of the folder's catalog.jsonl and shoppers.jsonl, or the sample's.

    Raises:
        RequestError: a file or line that makes no sense; the message names both.
        CatalogError: the folder's catalog.jsonl cannot be read.

    """
    home = folder or GOLD
    source = Source(home)
    digest = sha256()
    for path in source.own:
        digest.update(path.name.encode() + path.read_bytes())
    second = _second(home / SECOND, digest.update)
    levels: dict[Level, tuple[GoldCase, ...]] = {}
    for level, name in FILES.items():
        found: dict[str, GoldCase] = {}
        for number, row in _rows(home / name, digest.update):
            with _at(home / name, number):
                key, group, case, grades = READERS[level](row, source)
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
            found.setdefault((level, row["key"]), {})[criterion] = (number, grade_of(row["grade"]))
    return found


def items_of(folder: Path | None = None) -> Mapping[str, Item]:
    """The items that the gold judgments in `folder` speak of, by id: its catalog.jsonl, or the sample."""
    return Source(folder or GOLD).items


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
