"""Writing a page: each form, a file whole or not at all, and an error instead of a traceback."""

import json
from pathlib import Path

import pytest

from genrec.errors import RequestError
from genrec.page import Page, PageRequest
from genrec.serving.output import OUTPUTS, write_page
from tests.serving.test_page_html import DAY, SHOPPER, catalog, demo_page

REQUEST = PageRequest(shopper=SHOPPER, on=DAY, occasion="fourth birthday")


def write(path: Path | None, form: str = "json") -> None:
    write_page(demo_page(), REQUEST, catalog(), form=form, path=path)


def test_json_reads_back_as_the_page(tmp_path: Path) -> None:
    write(tmp_path / "page.json")
    text = (tmp_path / "page.json").read_text(encoding="utf-8")
    assert Page.model_validate_json(text) == demo_page()
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("form", "start"), [("json", "{"), ("html", "<!doctype html>"), ("table", SHOPPER.shopper_id.lower())]
)
def test_every_form_goes_to_a_file_or_to_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, start: str
) -> None:
    write(tmp_path / "page", form)
    write(None, form)
    written, printed = (tmp_path / "page").read_text(encoding="utf-8"), capsys.readouterr()
    assert written.lower().startswith(start)
    assert printed.out.lower().startswith(start)
    assert printed.err == ""


def test_stdout_carries_only_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    write(None, "json")
    assert json.loads(capsys.readouterr().out)["shopper_id"] == SHOPPER.shopper_id


def test_a_table_in_a_file_has_no_escape_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    write(tmp_path / "page.txt", "table")
    assert "\x1b" not in (tmp_path / "page.txt").read_text(encoding="utf-8")


def test_an_older_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    path.write_text("old")
    write(path)
    assert path.read_text(encoding="utf-8").startswith("{")
    assert [p.name for p in tmp_path.iterdir()] == ["page.json"]


def test_an_interrupted_write_leaves_the_older_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.json"
    path.write_text("old")

    def full(self: Path, text: str, encoding: str) -> int:
        with self.open("w", encoding=encoding) as file:
            file.write(text[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RequestError, match="page.json: cannot be written: No space left on device"):
        write(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["page.json"]


@pytest.mark.parametrize("where", ["missing/page.json", "file/page.json", "folder", "n" * 300, "."])
def test_where_nothing_can_be_written_is_said(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder").mkdir()
    before = sorted(p.name for p in tmp_path.rglob("*"))
    with pytest.raises(RequestError) as caught:
        write(tmp_path / where)
    assert str(caught.value).startswith(f"{tmp_path / where}: cannot be written: ")
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_the_working_folder_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match="cannot be written"):
        write(Path("."))


def test_suffixes_name_forms() -> None:
    assert dict(OUTPUTS) == {".html": "html", ".json": "json", ".txt": "table"}
