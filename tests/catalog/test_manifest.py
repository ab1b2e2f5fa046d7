from pathlib import Path

import pytest

from genrec.catalog.manifest import read_manifest, recover, replacing, write_manifest
from genrec.errors import IndexStateError


def write(path: Path, text: str) -> None:
    with replacing(path) as folder:
        (folder / "text").write_text(text)
        write_manifest(folder, {"kind": "note", "format_version": 1, "told": text})


def read(path: Path) -> object:
    return read_manifest(path, kind="note", version=1, remedy="write it again")["told"]


def test_written_replaced_and_read(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write(tmp_path / "note", text)
        assert read(tmp_path / "note") == text
    assert [entry.name for entry in tmp_path.iterdir()] == ["note"]


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "note", "one")
    (tmp_path / "note" / "text").write_text("two")
    with pytest.raises(IndexStateError, match="text: damaged, its SHA-256 is not the manifest's; write it again"):
        read(tmp_path / "note")


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    write(tmp_path / "note", "one")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "note"):
        raise KeyboardInterrupt
    assert read(tmp_path / "note") == "one" and len(list(tmp_path.iterdir())) == 1


def test_what_was_moved_aside_comes_back(tmp_path: Path) -> None:
    write(tmp_path / "note", "one")
    (tmp_path / "note").rename(tmp_path / ".note.old")
    recover(tmp_path / "note")
    assert read(tmp_path / "note") == "one"


def test_recover_needs_a_whole_directory(tmp_path: Path) -> None:
    (tmp_path / ".x.old").mkdir()
    recover(tmp_path / "x")
    assert not (tmp_path / "x").exists()
