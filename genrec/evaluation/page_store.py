"""Pages kept on disk, so that each is generated once: one JSONL file a maker, appended to as pages are made."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from os import truncate
from pathlib import Path

from pydantic import ValidationError

from genrec.errors import RequestError
from genrec.page import Page, PageRequest


def request_key(request: PageRequest) -> str:
    """Name a request by all that a generator may look at: purchases after the day of the page do not count."""
    past = tuple(p for p in request.shopper.history if p.at <= request.on)
    seen = request.model_copy(update={"shopper": request.shopper.model_copy(update={"history": past})})
    return sha256(_canonical(seen).encode()).hexdigest()[:16]


def _canonical(request: PageRequest) -> str:
    """JSON with sorted keys and sorted sets: a set's order differs from process to process."""
    values = request.model_dump(mode="json")
    for name in ("diets", "allergens"):
        values["shopper"][name] = sorted(values["shopper"][name])
    return json.dumps(values, sort_keys=True)


def _header(maker: str) -> bytes:
    return json.dumps({"maker": maker}).encode() + b"\n"


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Turns what the system says of `path`, e.g. that the disk is full, into an error that names it."""
    try:
        yield
    except OSError as error:
        raise RequestError(f"{path}: cannot be written ({error.strerror}); choose another directory with -o") from error


class PageStore:
    """The pages of one maker: `get` what is there, `put` what was made. A line cut short by a crash is dropped."""

    def __init__(self, path: Path, maker: str) -> None:
        """Open or begin the file at `path`; `maker` names program, catalog and LM, and must be that of the file.

        Raises:
            RequestError: the file holds pages of another maker, is no page store, or cannot be read and written.

        """
        self._path = path
        self._pages: dict[str, Page] = {}
        with unwritable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                self._read(maker)
            else:
                path.write_bytes(_header(maker))

    def _read(self, maker: str) -> None:
        content = self._path.read_bytes()
        if _header(maker).startswith(content):  # nothing, or a beginning cut short
            self._path.write_bytes(_header(maker))
            return
        # bytes: what is cut may end within a letter, and titles may hold what str.splitlines takes for a line's end
        *lines, rest = content.split(b"\n")
        try:
            found = json.loads(lines[0])["maker"] if lines else None
        except (ValueError, KeyError, TypeError):
            found = None
        if found != maker:
            raise RequestError(
                f"{self._path}: holds pages of {found!r}, not of {maker!r}; evaluate into another directory (-o)"
            )
        for number, line in enumerate(lines[1:], start=2):
            try:
                entry = json.loads(line)
                self._pages[entry["request"]] = Page.model_validate(entry["page"])
            except (ValueError, KeyError, TypeError, ValidationError) as error:
                raise RequestError(f"{self._path}:{number}: is no page of this genrec; delete the file") from error
        if rest:
            truncate(self._path, len(content) - len(rest))

    def __len__(self) -> int:
        """How many pages there are."""
        return len(self._pages)

    def get(self, request: PageRequest) -> Page | None:
        """The page made for `request`, if it is there."""
        return self._pages.get(request_key(request))

    def put(self, request: PageRequest, page: Page) -> None:
        """Keep `page`; it is on disk when this returns."""
        key = request_key(request)
        self._pages[key] = page
        with unwritable(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"request": key, "page": page.model_dump(mode="json")}, ensure_ascii=False) + "\n")
