import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from genrec.catalog import artifact
from genrec.catalog.artifact import Artifact, Kind, read_facts, writing
from genrec.catalog.checked import BLOCK, CheckedArray
from genrec.errors import IndexStateError

KIND = Kind("test", 3, "make it again")
ROWS = 5 * BLOCK // 8 + 17  # of eight bytes: six blocks, the last one short


def write(path: Path, value: int = 1, **facts: object) -> None:
    with writing(path, KIND) as draft:
        np.save(draft.folder / "numbers.npy", np.arange(ROWS, dtype=np.int64) * value)
        (draft.folder / "words.json").write_text(json.dumps([value]))
        (draft.folder / "empty.bin").write_bytes(b"")
        draft.facts.update(value=value, **facts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "made")
    return tmp_path / "made"


def generation(path: Path) -> Path:
    return path / str(read_facts(path, KIND)["generation"])


def flip(file: Path, at: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([byte ^ 0x10]))


def test_what_was_written_is_read(path: Path) -> None:
    opened = Artifact.open(path, KIND)
    numbers = opened.array("numbers")
    assert numbers.shape == (ROWS,) and numbers.dtype == np.int64 and len(numbers) == ROWS
    assert np.array_equal(numbers.whole(), np.arange(ROWS))
    assert np.array_equal(numbers[3:9], np.arange(3, 9)) and len(numbers[9:3]) == 0
    assert np.array_equal(numbers.take(np.array([ROWS - 1, 0, 0])), [ROWS - 1, 0, 0])
    assert opened.json("words") == [1] and opened.facts["value"] == 1
    assert len(opened.raw("empty.bin")) == 0 and opened.raw("words.json").whole().tobytes() == b"[1]"
    assert opened.has("words.json") and not opened.has("words")
    assert opened.file("words.json").read_text() == "[1]"
    opened.verify()


def test_arrays_are_read_only_and_memory_mapped(path: Path) -> None:
    view = Artifact.open(path, KIND).array("numbers").whole()
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


@pytest.mark.parametrize("eager", [0, artifact.EAGER], ids=["as it is read", "while opening"])
@pytest.mark.parametrize("block", range(6))
def test_a_flipped_byte_is_an_error_before_it_is_an_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch, eager: int, block: int
) -> None:
    monkeypatch.setattr(artifact, "EAGER", eager)
    file = generation(path) / "numbers.npy"
    at = block * BLOCK + 200 if block < 5 else file.stat().st_size - 1
    flip(file, at)
    message = r"numbers\.npy: damaged, its checksum is not the manifest's; make it again"
    if eager:
        with pytest.raises(IndexStateError, match=message):
            Artifact.open(path, KIND)
        return
    opened = Artifact.open(path, KIND)
    row = (at - 128) // 8
    if block == 0:  # the header is there
        with pytest.raises(IndexStateError, match=message):
            opened.array("numbers")
        return
    numbers = opened.array("numbers")
    assert np.array_equal(numbers.take(np.array([0])), [0])  # another block is whole
    for read in (lambda: numbers[row : row + 1], lambda: numbers.take(np.array([0, row])), numbers.whole):
        with pytest.raises(IndexStateError, match=message):
            read()
    with pytest.raises(IndexStateError, match=message):
        opened.verify()


def test_rows_larger_than_a_block_are_checked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "EAGER", 0)
    with writing(tmp_path / "wide", KIND) as draft:
        np.save(draft.folder / "wide.npy", np.ones((3, 3 * BLOCK), dtype=np.uint8))
    flip(generation(tmp_path / "wide") / "wide.npy", 128 + 3 * BLOCK + BLOCK + 5)
    wide = Artifact.open(tmp_path / "wide", KIND).array("wide")
    assert wide.take(np.array([2])).all()
    with pytest.raises(IndexStateError, match="damaged"):
        wide.take(np.array([1]))


def test_an_array_in_memory_has_the_same_interface() -> None:
    held = CheckedArray.of(np.arange(12).reshape(4, 3))
    assert held[1:2].tolist() == [[3, 4, 5]] and held.take(np.array([3])).tolist() == [[9, 10, 11]]
    assert held.shape == (4, 3) and len(held.whole()) == 4


@pytest.mark.parametrize("name", ["numbers.npy", "words.json", "checksums.npy"])
def test_a_truncated_or_missing_file(path: Path, name: str) -> None:
    file = generation(path) / name
    data = file.read_bytes()
    file.write_bytes(data[:-1])
    what = "damaged" if name == "checksums.npy" else f"{len(data) - 1} bytes where the manifest says {len(data)}"
    with pytest.raises(IndexStateError, match=rf"{name}: {what}.*; make it again"):
        Artifact.open(path, KIND)
    file.unlink()
    with pytest.raises(IndexStateError, match=rf"{name}: missing; make it again"):
        Artifact.open(path, KIND)


def test_every_flipped_byte_of_the_manifest_is_found(path: Path) -> None:
    manifest = path / "manifest.json"
    data = manifest.read_bytes()
    whitespace = 0
    for at in range(len(data)):
        manifest.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            opened = Artifact.open(path, KIND)
        except IndexStateError as error:
            assert "make it again" in str(error)
        else:  # a space that became "!" is no JSON, but a digit of a float may round to the same
            whitespace += 1
            assert opened.facts["value"] == 1
    assert whitespace == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"kind": "another"}', "not the manifest of a genrec test"),
        (b"[]", "not the manifest of a genrec test"),
        (b"\xff{", "cannot be read"),
        (b'{"kind": "test", "format_version": 4}', "format 4, this genrec reads format 3; upgrade genrec, or make"),
        (b'{"kind": "test", "format_version": 2}', "format 2, this genrec reads format 3; make it again"),
    ],
)
def test_a_manifest_that_is_not_ours(path: Path, content: bytes, message: str) -> None:
    (path / "manifest.json").write_bytes(content)
    with pytest.raises(IndexStateError, match=message):
        Artifact.open(path, KIND)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(IndexStateError, match="there is no such directory; make it again"):
        Artifact.open(tmp_path / "no", KIND)
    (tmp_path / "empty").mkdir()
    with pytest.raises(IndexStateError, match=r"there is no manifest\.json in it"):
        Artifact.open(tmp_path / "empty", KIND)


def test_a_name_that_is_not_in_it_and_a_file_that_is_no_array(path: Path) -> None:
    opened = Artifact.open(path, KIND)
    with pytest.raises(IndexStateError, match=r"there is no other\.npy in it"):
        opened.array("other")
    write(path)
    with writing(path, KIND) as draft:
        (draft.folder / "text.npy").write_text("not an array at all")
    with pytest.raises(IndexStateError, match=r"text\.npy is .*; make it again"):
        Artifact.open(path, KIND).array("text")


def test_an_error_keeps_what_was_there_and_leaves_nothing_behind(path: Path, tmp_path: Path) -> None:
    for target in (path, tmp_path / "fresh"):
        with pytest.raises(KeyboardInterrupt), writing(target, KIND) as draft:
            (draft.folder / "half").write_text("half")
            raise KeyboardInterrupt
    assert Artifact.open(path, KIND).facts["value"] == 1
    assert sorted(entry.name for entry in path.iterdir()) == sorted([".lock", "manifest.json", generation(path).name])
    assert not (tmp_path / "fresh").exists()


def test_what_a_killed_writer_left_is_removed_by_the_next(path: Path) -> None:
    (path / "generation-dead").mkdir()
    (path / "generation-dead" / "half").write_text("half")
    assert Artifact.open(path, KIND).facts["value"] == 1
    write(path, 2)
    assert Artifact.open(path, KIND).facts["value"] == 2
    assert [entry.name for entry in path.iterdir() if entry.is_dir()] == [generation(path).name]


def test_a_reader_keeps_the_generation_that_it_opened(path: Path) -> None:
    opened = Artifact.open(path, KIND)
    numbers = opened.array("numbers")
    write(path, 2)
    write(path, 3)
    assert np.array_equal(numbers.whole(), np.arange(ROWS)) and opened.json("words") == [1]
    assert Artifact.open(path, KIND).json("words") == [3]


def test_a_reader_whose_generation_goes_while_it_opens_gets_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = artifact._checksum_table
    replaced: list[int] = []

    def replaced_meanwhile(*args: object) -> object:
        if not replaced:
            replaced.append(1)
            write(path, 2)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(artifact, "_checksum_table", replaced_meanwhile)
    assert Artifact.open(path, KIND).json("words") == [2]


def test_a_second_writer_is_told_to_wait_and_may_wait(path: Path) -> None:
    with writing(path, KIND) as draft:
        draft.facts["value"] = 5
        with pytest.raises(IndexStateError, match="another process is writing this index; wait"):
            write(path, 6)
        waiting = threading.Thread(target=lambda: _write_after_waiting(path))
        waiting.start()
    waiting.join(10)
    assert read_facts(path, KIND)["value"] == 7


def _write_after_waiting(path: Path) -> None:
    with writing(path, KIND, wait=10) as draft:
        draft.facts["value"] = 7


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root; test_disks.py has a real read-only disk")
def test_a_directory_without_permission(path: Path) -> None:
    path.chmod(0o555)
    try:
        with pytest.raises(IndexStateError, match="cannot be written to .*; what was there before is unchanged"):
            write(path, 2)
        assert Artifact.open(path, KIND).facts["value"] == 1
    finally:
        path.chmod(0o755)


def test_a_copy_and_a_moved_directory_open(path: Path, tmp_path: Path) -> None:
    shutil.copytree(path, tmp_path / "copy")
    path.rename(tmp_path / "moved")
    assert Artifact.open(tmp_path / "copy", KIND).json("words") == Artifact.open(tmp_path / "moved", KIND).json("words")
