"""Rows of a JSONL, JSON, CSV, TSV or Parquet file, each with its position.

What a row means is not decided here.
"""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from genrec.errors import CatalogError, GenrecError

if TYPE_CHECKING:
    from _csv import Reader

FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
CELL_LIMIT = 16 * 2**20
"""Longest CSV cell, in characters; more than that is a quote that was never closed."""

_SIGNATURES = {
    codecs.BOM_UTF32_LE: "UTF-32 text, not UTF-8: save it as UTF-8",
    codecs.BOM_UTF16_LE: "UTF-16 text, not UTF-8: save it as UTF-8 (iconv -f utf-16 -t utf-8)",
    codecs.BOM_UTF16_BE: "UTF-16 text, not UTF-8: save it as UTF-8 (iconv -f utf-16 -t utf-8)",
    b"\x1f\x8b": "compressed with gzip: let its name end in .gz",
    b"PK\x03\x04": "a zip archive or a spreadsheet: export it as CSV",
    b"PAR1": "a Parquet file: let its name end in .parquet",
}


class Row(NamedTuple):
    """One row: its values by name, or what is wrong with it as a whole."""

    number: int
    values: Mapping[str, object]
    problem: str = ""


class Rows(NamedTuple):
    """What `open_rows` gives: column names where the format has them, and rows, read as they are consumed."""

    columns: tuple[str, ...] | None
    rows: Iterator[Row]
    unit: str


class _UnreadableError(Exception):
    """The file as a whole cannot be read; the message begins after its name."""


@contextmanager
def open_rows(path: Path, *, error: type[GenrecError] = CatalogError, single: bool = False) -> Iterator[Rows]:
    """Open `path` by its extension (`.gz` is allowed on text) and close it when the block ends.

    `single` accepts a .json file that holds one object instead of an array. A row that is damaged comes with
    `problem` set and reading goes on; a file that cannot be read (further) raises `error`.
    """
    try:
        source = _open(path, single)
        with source.handle:
            yield Rows(source.columns, _guarded(path, source.rows, error), source.unit)
    except _UnreadableError as reason:
        raise error(f"{path}: {reason}") from None


def position(path: Path, unit: str, number: int) -> str:
    """Say where a row is: `items.csv:3` for a line, `items.parquet: row 3` for a row."""
    return f"{path}:{number}" if unit == "line" else f"{path}: {unit} {number}"


class _Source(NamedTuple):
    handle: IO[bytes] | IO[str]
    columns: tuple[str, ...] | None
    rows: Iterator[Row]
    unit: str


def _guarded(path: Path, rows: Iterator[Row], error: type[GenrecError]) -> Generator[Row]:
    """Pass the rows on; what breaks while reading becomes `error`."""
    number = 0
    try:
        for row in rows:
            number = row.number
            yield row
    except _UnreadableError as reason:
        raise error(f"{path}: {reason}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise error(f"{path}: the gzip data is damaged or cut off after line {number}; copy the file again") from None
    except OSError as reason:
        raise error(f"{path}: cannot be read: {reason.strerror or reason}") from None


def _open(path: Path, single: bool) -> _Source:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    kind = suffixes[-2] if zipped and len(suffixes) > 1 else (suffixes or [""])[-1]
    if path.is_dir():
        raise _UnreadableError("is a directory; name a file")
    if not path.exists():
        raise _UnreadableError("no such file")
    if kind in {".parquet", ".pq"} and not zipped:
        return _parquet(path)
    if kind not in FORMATS or kind == ".parquet":
        raise _UnreadableError(f"unknown kind of file; use one of {', '.join(FORMATS)} (text also with .gz)")
    try:
        text = _text(path, zipped)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _UnreadableError("not gzip data, or cut off; drop .gz from its name or copy it again") from None
    except OSError as reason:
        raise _UnreadableError(f"cannot be read: {reason.strerror or reason}") from None
    if kind == ".json":
        return _Source(text, None, _json_rows(text, single), "row")
    if kind in {".csv", ".tsv"}:
        return _delimited(text, "\t" if kind == ".tsv" else ",")
    return _Source(text, None, _json_lines(text), "line")


def _text(path: Path, zipped: bool) -> IO[str]:
    """Open as UTF-8, a byte order mark allowed; other bytes become lone surrogates, found by `bad_text`."""
    raw: gzip.GzipFile | io.BufferedReader = gzip.open(path) if zipped else path.open("rb")
    head = raw.peek(4)[:4]
    wrong = next((text for magic, text in _SIGNATURES.items() if head.startswith(magic)), "")
    if not wrong and b"\0" in head:
        wrong = "not UTF-8 text (NUL bytes; UTF-16 perhaps): save it as UTF-8"
    if wrong:
        raw.close()
        raise _UnreadableError(wrong)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")


def bad_text(text: str) -> str:
    """Say what is wrong with the characters of `text`, or an empty string."""
    if "\0" in text:
        return "holds a NUL character; remove it"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        what = f"byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"lone surrogate U+{code:04X}"
        return f"not UTF-8 ({what}); save the file as UTF-8 (iconv -f latin1 -t utf-8)"
    return ""


def _json_lines(text: IO[str]) -> Generator[Row]:
    for number, line in enumerate(text, 1):
        if line.isspace():
            continue
        problem = bad_text(line)
        value: object = None
        if not problem:
            value, problem = _decode(line)
        yield _json_row(number, value, problem)


def _decode(line: str) -> tuple[object, str]:
    try:
        return json.loads(line), ""
    except json.JSONDecodeError as error:
        return None, f"not valid JSON: {error.msg} at column {error.colno}"
    except (ValueError, RecursionError) as error:
        return None, f"not usable JSON: {error}"


def _json_row(number: int, value: object, problem: str = "") -> Row:
    if not problem and not isinstance(value, dict):
        problem = f"holds {_kind(value)}, not an object in braces"
    return Row(number, value if isinstance(value, dict) else {}, problem)


def _kind(value: object) -> str:
    names = {list: "an array", dict: "an object", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _json_rows(text: IO[str], single: bool) -> Generator[Row]:
    try:
        value = json.load(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise _UnreadableError("holds more than one JSON value; if it is one a line, name it .jsonl") from None
        raise _UnreadableError(f"line {error.lineno}: not valid JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise _UnreadableError(f"not usable JSON: {error}") from None
    if single and isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise _UnreadableError(f"holds {_kind(value)}; an array of objects is expected")
    for number, entry in enumerate(value, 1):
        yield _json_row(number, entry)


def _delimited(text: IO[str], delimiter: str) -> _Source:
    csv.field_size_limit(max(csv.field_size_limit(), CELL_LIMIT))  # process-wide, so it is only ever raised
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise _UnreadableError(f"line 1: unreadable header: {error}") from None
    if not any(header):
        raise _UnreadableError("line 1: no header; the first line names the columns, e.g. item_id,title,price")
    if problem := bad_text("".join(header)):
        raise _UnreadableError(f"line 1: the header is {problem}")
    return _Source(text, _unique(header), _delimited_rows(reader, header), "line")


def _delimited_rows(reader: "Reader", header: list[str]) -> Generator[Row]:
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, {}, f"broken quoting: {error}; write a quote inside a quoted cell twice")
            continue
        if not any(cells):
            continue
        problem = bad_text("".join(cells))
        if not problem and len(cells) != len(header):
            problem = f"{len(cells)} cells where the header has {len(header)}; quote cells that hold a delimiter"
        yield Row(number, dict(zip(header, cells, strict=False)), problem)


def _unique(columns: list[str]) -> tuple[str, ...]:
    """Refuse a header in which a name occurs twice, empty names apart."""
    repeated = sorted({name for name in columns if name and columns.count(name) > 1})
    if repeated:
        raise _UnreadableError(f"columns {', '.join(repeated)} occur more than once; rename them")
    return tuple(columns)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _parquet(path: Path) -> _Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _UnreadableError(f"not a readable Parquet file: {_first_line(error)}") from None

    def rows() -> Generator[Row]:
        number = 0
        try:
            for batch in file.iter_batches(batch_size=4096):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(number, values)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _UnreadableError(f"damaged after row {number}: {_first_line(error)}") from None

    return _Source(file, _unique(list(file.schema_arrow.names)), rows(), "row")
