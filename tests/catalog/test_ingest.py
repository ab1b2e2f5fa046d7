"""Every way a feed can be right or wrong has a decided outcome; errors say where, what and the remedy."""

import csv
import gzip
import io
import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.catalog import cells
from genrec.catalog.ingest import ingest, iter_items, parse_mapping, read_items, read_shopper, read_shoppers
from genrec.catalog.items import DESCRIPTION_LIMIT, TITLE_LIMIT, Item
from genrec.errors import CatalogError, RequestError, SettingsError

FULL = {
    "item_id": "sku-1",
    "title": "Seeded rye, 600 g",
    "description": "Dense and tangy.",
    "brand": "Mill",
    "categories": ["Bakery", "Bread"],
    "attributes": {"grain": "rye"},
    "dietary": ["vegan"],
    "allergens": ["gluten"],
    "price": 3.4,
    "currency": "EUR",
    "popularity": 64,
    "in_stock": False,
    "min_age": 18,
    "image_url": "https://example.org/a.png",
}
FULL_ITEM = Item.model_validate(FULL)
Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writer(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


def rows(*extra: dict[str, Any]) -> str:
    return "".join(json.dumps({"item_id": str(i), "title": "t"} | row) + "\n" for i, row in enumerate(extra))


def failure(path: Path, **options: Any) -> str:
    with pytest.raises(CatalogError) as caught:
        read_items(path, **options)
    return str(caught.value).replace(str(path), path.name)


# formats

CSV = (
    "item_id,title,description,brand,categories,attributes,dietary,allergens,price,currency,popularity,in_stock,"
    "min_age,image_url\n"
    'sku-1,"Seeded rye, 600 g",Dense and tangy.,Mill,Bakery > Bread,grain=rye,vegan,gluten,3.40,eur,64,no,18,'
    "https://example.org/a.png\n"
)


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.JSONL", "a.jsonl.gz", "a.json", "a.json.gz"])
def test_json(write: Write, name: str) -> None:
    content = json.dumps([FULL] if ".json" in name and "jsonl" not in name else FULL).encode()
    path = write(name, gzip.compress(content) if name.endswith(".gz") else content)
    assert read_items(path) == [FULL_ITEM]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "catalog.v2.csv"])
def test_delimited(write: Write, name: str) -> None:
    content = CSV
    if ".tsv" in name:
        text = io.StringIO()
        csv.writer(text, delimiter="\t").writerows(csv.reader(io.StringIO(CSV)))
        content = text.getvalue()
    path = write(name, gzip.compress(content.encode()) if name.endswith(".gz") else content)
    assert read_items(path) == [FULL_ITEM]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_byte_order_mark_and_line_ends(write: Write, end: str) -> None:
    assert read_items(write("a.csv", "\ufeff" + CSV.replace("\n", end))) == [FULL_ITEM]
    assert read_items(write("a.jsonl", "\ufeff" + json.dumps(FULL) + end)) == [FULL_ITEM]
    assert read_items(write("a.json", "\ufeff" + json.dumps([FULL]))) == [FULL_ITEM]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([FULL, FULL | {"item_id": "2", "price": None, "attributes": None}]), path)
    first, second = read_items(path)
    assert first == FULL_ITEM
    assert second.price is None and second.attributes == {}


def test_parquet_maps_and_integer_ids(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "item_id": pa.array([7, 8]),
            "title": ["a", "b"],
            "attributes": pa.array([[("k", "v")], []], pa.map_(pa.string(), pa.string())),
        }
    )
    pq.write_table(table, path)
    assert [(i.item_id, dict(i.attributes)) for i in read_items(path)] == [("7", {"k": "v"}), ("8", {})]


def test_parquet_errors_name_the_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"item_id": ["1", "2"], "title": ["a", "b"], "price": [1.0, float("nan")]}), path)
    assert "a.parquet: row 2: price: must be a finite number, got nan; leave it empty" in failure(path)


def test_a_million_characters_are_cut_at_a_word_with_a_warning(write: Write) -> None:
    long = "word " * 200_000
    for path in (
        write("a.jsonl", rows({"description": long})),
        write("a.csv", f"item_id,title,description\n1,t,{long}\n"),
    ):
        report = ingest(path)
        description = report.items[0].description
        assert DESCRIPTION_LIMIT - 10 < len(description) <= DESCRIPTION_LIMIT and description.endswith("word…")
        assert report.skipped.total == 0 and report.warnings.total == 1
        assert "description: cut at a word; 999,999 characters" in str(report.warnings)


def test_streams(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("w") as file:
        for number in range(20_000):
            file.write(json.dumps({"item_id": str(number), "title": "t", "description": "x" * 1_000}) + "\n")
    tracemalloc.start()
    try:
        assert sum(isinstance(outcome, Item) for outcome in iter_items(path)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 4
    finally:
        tracemalloc.stop()


# cells


@pytest.mark.parametrize(
    ("cell", "amount", "currency"),
    [
        ("3.5", 3.5, ""),
        (3, 3, ""),
        ("1,299.00", 1299, ""),
        ("1,299", 1299, ""),
        ("$3.50", 3.5, ""),
        ("€ 1,299.00", 1299, "EUR"),
        ("12.5 GBP", 12.5, "GBP"),
        ("£.99", 0.99, "GBP"),
        ("CHF12", 12, "CHF"),
        ("-$2", -2, ""),
        ("1e3", 1000, ""),
    ],
)
def test_money(cell: object, amount: float, currency: str) -> None:
    assert cells.money(cell) == (amount, currency)


@pytest.mark.parametrize("cell", ["free", "3,50", "1.299,00", "1_000", "٣", "$", "12 13", "¥300", True, [1], "$1€", ""])
def test_not_money(cell: object) -> None:
    with pytest.raises(ValueError, match="is not a number; write it like 1299.50"):
        cells.money(cell)


@given(st.decimals(0, 10**7, places=2), st.sampled_from(["", "$", "€", "USD "]))
def test_money_round_trips(amount: Any, sign: str) -> None:
    assert cells.money(f"{sign}{amount:,.2f}").amount == float(amount)


@given(st.text(max_size=20))
def test_cells_give_a_value_or_say_why_not(cell: str) -> None:
    for read in (cells.money, cells.number, cells.whole, cells.flag, cells.words, cells.path, cells.pairs):
        try:
            read(cell)
        except ValueError as error:
            assert re.search(r"; (write|use)", str(error))


@pytest.mark.parametrize("cell", ["yes", "Y", "TRUE", "t", "1", 1, 1.0, True])
def test_flag(cell: object) -> None:
    assert cells.flag(cell) is True


@pytest.mark.parametrize("cell", ["no", "N", "False", "f", "0", 0, 0.0, False])
def test_no_flag(cell: object) -> None:
    assert cells.flag(cell) is False


@pytest.mark.parametrize("cell", ["a, B", "A|b", '["a","b"]', ["a", "b"], "a;b;", ["a", None, "b"], "a, none, b"])
def test_words(cell: object) -> None:
    assert cells.words(cell) == ["a", "b"]


@pytest.mark.parametrize("cell", ["A > B", "A>B>", '["A", "B"]', ["A", " B "], ["A", "", None, "B"]])
def test_path(cell: object) -> None:
    assert cells.path(cell) == ["A", "B"]


@pytest.mark.parametrize("cell", ["a=1; b=x y", '{"a": 1, "b": "x y"}', {"a": 1.0, "b": "x  y", "c": None}])
def test_pairs(cell: object) -> None:
    assert cells.pairs(cell) == {"a": "1", "b": "x y"}


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        ({"item_id": 42}, "item_id", "42"),
        ({"item_id": 42.0}, "item_id", "42"),
        ({"title": "  two\n lines "}, "title", "two lines"),
        ({"price": None}, "price", None),
        ({"price": ""}, "price", None),
        ({"price": "€3"}, "currency", "EUR"),
        (
            {"attributes": {"halal": True, "sizes": ["S", "M"]}},
            "attributes",
            {"halal": "yes", "sizes": "S, M"},
        ),
        ({"popularity": "1,024"}, "popularity", 1024),
        ({"image_url": "javascript:alert(1)"}, "image_url", ""),
    ],
)
def test_accepts(write: Write, row: dict[str, Any], field: str, value: object) -> None:
    (item,) = read_items(write("a.jsonl", rows(row)))
    assert getattr(item, field) == value


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"price": float("nan")}, "price: must be a finite number, got nan; leave it empty when unknown"),
        ({"price": float("inf")}, "price: must be a finite number, got inf"),
        ({"price": "-1"}, "price: must be greater than or equal to 0, got -1.0; leave it empty"),
        ({"price": "three"}, "price: 'three' is not a number; write it like 1299.50"),
        ({"price": "€3", "currency": "USD"}, "price: is in EUR but currency says USD; make them agree"),
        ({"popularity": -1}, "popularity: must be greater than or equal to 0"),
        (
            {"title": "x" * (TITLE_LIMIT + 1)},
            "title: string should have at most 300 characters, got 301 characters",
        ),
        ({"title": " "}, "title: missing; every item needs one"),
        ({"item_id": None}, "item_id: missing; every item needs one"),
        ({"title": ["a"]}, "title: ['a'] is not text; write one string"),
        ({"title": "a\0b"}, "title: holds a NUL character; remove it"),
        ({"categories": ["\ud800"]}, "categories: not UTF-8 (lone surrogate U+D800)"),
        ({"in_stock": "maybe"}, "in_stock: 'maybe' is neither yes nor no; write yes, no"),
        ({"min_age": 17.5}, "min_age: 17.5 is not a whole number; write it like 18"),
        ({"min_age": 999}, "min_age: must be less than or equal to 120, got 999"),
        (
            {"currency": "dollars"},
            "currency: string should have at most 3 characters, got 'DOLLARS'; use an ISO 4217",
        ),
        ({"allergens": "['milk']"}, "allergens: \"['milk']\" starts like JSON but is not; use double quotes"),
        ({"attributes": "red"}, "attributes: 'red' is not name=value; write name=value"),
        ({"attributes": 3}, "attributes: 3 is not attributes; write name=value"),
        ({"colour": "red", "size": 3}, "unknown columns colour, size; map them"),
    ],
)
def test_refuses(write: Write, row: dict[str, Any], message: str) -> None:
    assert failure(write("a.jsonl", rows({}, row))).startswith(f"a.jsonl:2: {message}")


def test_every_fault_of_a_row_is_told(write: Write) -> None:
    message = failure(write("a.jsonl", rows({"price": "x", "in_stock": "x", "title": ""})))
    assert "price:" in message and "in_stock:" in message and "title: missing" in message


# files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "", "a.jsonl: no items in it"),
        ("a.jsonl", "\n \n", "a.jsonl: no items in it"),
        ("a.json", "[]", "a.json: no items in it"),
        ("a.csv", "item_id,title\n", "a.csv: no items in it"),
        ("a.csv", "", "a.csv: line 1: no header; the first line names the columns"),
        ("a.csv", "item_id,title,title\n", "a.csv: columns title occur more than once; rename them"),
        (
            "a.csv",
            "sku,title\n1,a\n",
            "a.csv: no column for item_id; the file has sku, title; --map item_id=COLUMN",
        ),
        (
            "a.csv",
            "item_id;title\n1;a\n",
            "a.csv: no column for item_id, title; the file has item_id;title (is it sep",
        ),
        (
            "a.csv",
            "item_id,title,,x\n",
            "a.csv: unknown columns (unnamed), x; map them to item fields (--map FIELD=C",
        ),
        (
            "a.csv",
            "item_id,title\n1,a,b\n",
            "a.csv:2: 3 cells where the header has 2; quote cells that hold a delim",
        ),
        ("a.csv", "item_id,title\n1\n", "a.csv:2: 1 cells where the header has 2"),
        ("a.csv", 'item_id,title\n1,a\n\n2,"b\n3,c\n', "a.csv:4: broken quoting: unexpected end of data"),
        ("a.csv", 'item_id,title\n1,"5" pan\n', "a.csv:2: broken quoting"),
        ("a.csv", 'item_id,title\n1,"a\nb"\n1,c\n', "a.csv:4: duplicate item_id '1' (first seen on line 2)"),
        ("a.csv", "item_id,title\n1,a\0\n", "a.csv:2: holds a NUL character; remove it"),
        (
            "a.csv",
            "item_id,title\n1,crème\n".encode("latin-1"),
            "a.csv:2: not UTF-8 (byte 0xe8); save the file as UTF",
        ),
        ("a.csv", "item_id,crème\n".encode("latin-1"), "a.csv: line 1: the header is not UTF-8"),
        (
            "a.jsonl",
            '{"item_id": "1", "title": "crème"}'.encode("latin-1"),
            "a.jsonl:1: not UTF-8 (byte 0xe8); save",
        ),
        ("a.jsonl", "{}".encode("utf-16"), "a.jsonl: UTF-16 text, not UTF-8: save it as UTF-8 (iconv"),
        (
            "a.csv",
            "item_id".encode("utf-16-le"),
            "a.csv: not UTF-8 text (NUL bytes; UTF-16 perhaps): save it",
        ),
        ("a.jsonl", "{}".encode("utf-32"), "a.jsonl: UTF-32 text"),
        ("a.jsonl", '\n{"item_id": "1"', "a.jsonl:2: not valid JSON: Expecting ',' delimiter at column 16"),
        ("a.jsonl", '{"item_id": "1\0"}', "a.jsonl:1: holds a NUL character; remove it"),
        ("a.jsonl", "[1]", "a.jsonl:1: holds an array, not an object in braces"),
        ("a.jsonl", "null", "a.jsonl:1: holds null, not an object in braces"),
        ("a.jsonl", "1" * 5_000, "a.jsonl:1: not usable JSON"),
        ("a.jsonl", "[" * 100_000, "a.jsonl:1: not "),
        ("a.json", '[\n{"a": }]', "a.json: line 2: not valid JSON: Expecting value"),
        ("a.json", "{}\n{}", "a.json: holds more than one JSON value; if it is one a line, name it .jsonl"),
        ("a.json", "{}", "a.json: holds an object; an array of objects is expected"),
        (
            "a.json",
            '[{"item_id": 1, "title": "a"}, 3]',
            "a.json: row 2: holds a number, not an object in braces",
        ),
        ("a.csv", gzip.compress(b"item_id"), "a.csv: compressed with gzip: let its name end in .gz"),
        ("a.csv", b"PK\x03\x04....", "a.csv: a zip archive or a spreadsheet: export it as CSV"),
        ("a.csv", b"PAR1....", "a.csv: a Parquet file: let its name end in .parquet"),
        ("a.csv.gz", b"item_id,title", "a.csv.gz: not gzip data, or cut off; drop .gz"),
        ("a.parquet", b"item_id,title", "a.parquet: not a readable Parquet file: "),
        ("a.parquet", b"", "a.parquet: not a readable Parquet file: "),
        ("a.xlsx", b"", "a.xlsx: unknown kind of file; use one of .jsonl"),
        ("a", b"", "a: unknown kind of file; use one of .jsonl"),
        ("a.gz", b"", "a.gz: unknown kind of file"),
    ],
)
def test_bad_files(write: Write, name: str, content: str | bytes, message: str) -> None:
    assert failure(write(name, content)).startswith(message)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    assert failure(tmp_path / "no.csv") == "no.csv: no such file"
    assert failure(tmp_path) == f"{tmp_path.name}: is a directory; name a file"


def test_truncated_gzip_is_never_half_a_catalog(write: Write) -> None:
    whole = gzip.compress("".join(json.dumps({"item_id": str(i), "title": "t"}) + "\n" for i in range(9_999)).encode())
    path = write("a.jsonl.gz", whole[: len(whole) // 2])
    assert "the gzip data is damaged or cut off after line" in failure(path, skip_invalid=True)


def test_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"item_id": [str(i) for i in range(999)], "title": ["t"] * 999}), path)
    content = bytearray(path.read_bytes())
    content[4:400] = b"\xff" * 396
    path.write_bytes(content)
    assert "damaged after row 0" in failure(path, skip_invalid=True)


def test_rows_of_empty_cells_are_blank(write: Write) -> None:
    assert len(read_items(write("a.csv", "item_id,title\n\n1,a\n,\n2,b\n"))) == 2


def test_duplicate_names_the_first_line(write: Write) -> None:
    path = write("items.jsonl", rows({"item_id": "sku-1"}, {}, {"item_id": "sku-1"}))
    assert failure(path) == "items.jsonl:3: duplicate item_id 'sku-1' (first seen on line 1)"


def test_twenty_bad_rows_are_told_and_all_are_counted(write: Write) -> None:
    message = failure(write("a.jsonl", rows({}, *[{"price": "x"}] * 1_234)))
    assert message.startswith("a.jsonl: 1,234 rows cannot be used; mend them or pass --skip-invalid:\n")
    lines = message.splitlines()
    assert len(lines) == 22 and "a.jsonl:21: " in lines[20] and lines[21] == "... and 1,214 more"


def test_skip_invalid_keeps_what_is_good(write: Write) -> None:
    path = write("a.jsonl", rows({}, {"price": "x"}, {}) + "nonsense\n" + rows({"title": "again"}))
    report = ingest(path, skip_invalid=True)
    assert [item.item_id for item in report.items] == ["0", "2"]
    assert report.skipped.total == 3
    assert [problem.where.rpartition(":")[2] for problem in report.skipped.shown] == ["2", "4", "5"]


def test_skip_invalid_with_nothing_left(write: Write) -> None:
    assert "price" in failure(write("a.jsonl", rows({"price": "x"})), skip_invalid=True)


# mapping


def test_parse_mapping() -> None:
    assert parse_mapping(["title=product_name", " categories = department, aisle"]) == {
        "title": ("product_name",),
        "categories": ("department", "aisle"),
    }
    assert parse_mapping([]) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["title"], "write FIELD=COLUMN"),
        (["=x"], "write FIELD=COLUMN"),
        (["title=a,,b"], "write FIELD=COLUMN"),
        (["colour=x"], "an item has no field 'colour'; use item_id, title"),
        (["title=a", "title=b"], "title is mapped twice; write title=COLUMN,COLUMN once"),
        (["price=a,b"], "price takes one column; only allergens, attributes, categories"),
    ],
)
def test_parse_mapping_refuses(arguments: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        parse_mapping(arguments)


FEED = "sku,type,size,department,aisle,brand,colour,junk\n1,Soup,8 oz,Food,Tins,Acme,red,x\n2,Tea,,Food,,,,y\n"
MAP = ["item_id=sku", "title=type,size", "categories=department,aisle", "attributes=colour"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_mapping(write: Write, tmp_path: Path, kind: str) -> None:
    path = write("a.csv", FEED)
    records = list(csv.DictReader(io.StringIO(FEED)))
    if kind == "jsonl":
        path = write("a.jsonl", "\n".join(map(json.dumps, records)))
    if kind == "parquet":
        path = tmp_path / "a.parquet"
        pq.write_table(pa.Table.from_pylist(records), path)
    first, second = read_items(path, mapping=parse_mapping(MAP))
    assert first == Item(
        item_id="1",
        title="Soup, 8 oz",
        categories=("Food", "Tins"),
        brand="Acme",
        attributes={"colour": "red"},
    )
    assert second == Item(item_id="2", title="Tea", categories=("Food",))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_mapping_to_a_column_that_is_not_there(write: Write, name: str) -> None:
    content = "item_id,title\n1,a\n" if name == "a.csv" else rows({})
    message = failure(write(name, content), mapping={"brand": ("maker",)})
    assert re.search(r"no (column|row has) maker, which --map names", message)


def test_mapping_of_an_unknown_field(write: Write) -> None:
    with pytest.raises(SettingsError, match="an item has no field colour"):
        read_items(write("a.jsonl", rows({})), mapping={"colour": ("x",)})


# anything at all

printable = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
items = st.builds(
    Item,
    item_id=st.uuids().map(str),
    title=printable.map(lambda text: " ".join(text.split())).filter(bool),
    brand=printable.map(lambda text: " ".join(text.split())),
    categories=st.lists(st.sampled_from(["Food", "Tins & jars", "Été"]), max_size=3).map(tuple),
    price=st.none() | st.floats(0, 1e6),
    popularity=st.floats(0, 1e6),
    in_stock=st.booleans(),
    allergens=st.frozensets(st.sampled_from(["milk", "tree nuts", "gluten"])),
    attributes=st.dictionaries(st.sampled_from(["a", "b c"]), st.sampled_from(["1", "x y"])),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(items, min_size=1, max_size=5, unique_by=lambda item: item.item_id))
def test_what_is_written_is_read(tmp_path: Path, catalog: list[Item]) -> None:
    jsonl, table, parquet = (tmp_path / f"a.{kind}" for kind in ("jsonl", "csv", "parquet"))
    dumped = [json.loads(item.model_dump_json()) for item in catalog]
    jsonl.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in dumped), encoding="utf-8")
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dumped[0]))
        writer.writeheader()
        for row in dumped:
            nested = {n: json.dumps(v) for n, v in row.items() if isinstance(v, list | dict)}
            writer.writerow(row | nested)
    pq.write_table(
        pa.Table.from_pylist([row | {"attributes": json.dumps(row["attributes"])} for row in dumped]), parquet
    )
    assert read_items(jsonl) == read_items(table) == read_items(parquet) == catalog


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["jsonl", "json", "csv", "tsv", "csv.gz", "jsonl.gz", "parquet"]))
def test_no_bytes_break_it(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(content)
    with pytest.raises(CatalogError):
        read_items(path)


# shoppers

SHOPPER = {
    "shopper_id": "ana",
    "history": [{"item_id": "1", "at": "2026-01-31"}],
    "diets": ["vegan"],
    "age": 34,
}


def test_shoppers(write: Write) -> None:
    one = write("a.json", json.dumps(SHOPPER))
    two = write("a.jsonl", json.dumps(SHOPPER) + "\n\n" + json.dumps(SHOPPER | {"shopper_id": "bo"}))
    assert read_shopper(one).history[0].at.isoformat() == "2026-01-31"
    assert [shopper.shopper_id for shopper in read_shoppers(two)] == ["ana", "bo"]
    assert read_shoppers(write("b.json", json.dumps([SHOPPER]))) == [read_shopper(one)]
    with pytest.raises(RequestError, match="2 shoppers in it, one is expected"):
        read_shopper(two)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.jsonl: no shoppers in it"),
        ("{", "a.jsonl:1: not valid JSON"),
        ('{"shopper_id": "a"}\n{"shopper_id": "a"}', "a.jsonl:2: duplicate shopper_id 'a'"),
        ('{"shopper_id": "a", "name": "x"}', "a.jsonl:1: name: no such field; correct its name or remove it"),
        ("{}", "a.jsonl:1: shopper_id: field required"),
        ('{"shopper_id": "a", "age": -1}', "a.jsonl:1: age: must be greater than or equal to 0, got -1"),
        (
            '{"shopper_id": "a", "history": [{"item_id": "1", "at": "soon"}]}',
            "a.jsonl:1: history.0.at: must be a valid date",
        ),
        ("1\n2", "a.jsonl: 2 shoppers cannot be used:\n"),
    ],
)
def test_bad_shoppers(write: Write, content: str, message: str) -> None:
    path = write("a.jsonl", content)
    with pytest.raises(RequestError) as caught:
        read_shoppers(path)
    assert str(caught.value).replace(str(path), path.name).startswith(message)


def test_shoppers_are_json(write: Write) -> None:
    with pytest.raises(RequestError, match=r"shoppers are read from .jsonl or .json, not .csv"):
        read_shoppers(write("a.csv", "x"))
    with pytest.raises(RequestError, match="no such file"):
        read_shoppers(Path("/nowhere/a.jsonl"))
