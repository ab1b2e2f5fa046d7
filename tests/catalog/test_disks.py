"""Disks that are full, limited or read-only: an index is written whole or not at all, and says why."""

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from genrec import cli
from genrec.catalog import dense, store
from genrec.catalog.artifact import Kind, writing
from genrec.catalog.dense import VectorIndex
from genrec.catalog.store import Catalog
from genrec.errors import IndexStateError
from tests.catalog.test_processes import (
    CHILDREN,
    PATIENCE,
    Digest,
    assert_tidy,
    ended,
    in_memory,
    opened_letter,
    shop,
    write,
)

FULL = r"not written: the disk is full \(.+\): free some space or name a directory on another disk; "
READ_ONLY = r"cannot be written to \(Read-only file system\): name another directory or correct its permissions"
PAGE = 4096

Told = tuple[object, str]
"""How a call in another process ended: with the value or the message, and the name of the error ("": none)."""


def in_child(function: Callable[..., object], *args: object) -> Told:
    """Call `function` in a process of its own: one that dies of a full disk must not take the tests with it."""
    heard, told = CHILDREN.Pipe(duplex=False)
    process = CHILDREN.Process(target=_tell, args=(function, args, told), daemon=True)
    process.start()
    told.close()
    try:
        answer: Told = heard.recv() if heard.poll(PATIENCE) else ("no answer", "hangs")
    except EOFError:
        answer = (f"exit status {ended(process)}", "died")
    process.kill()
    process.join()
    return answer


def _tell(function: Callable[..., object], args: tuple[object, ...], told: Connection) -> None:
    try:
        told.send((function(*args), ""))
    except Exception as error:
        told.send((str(error), type(error).__name__))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of one megabyte."""
    path = tmp_path / "disk"
    path.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder that takes no time."""
    with in_memory(tmp_path) as folder:
        yield folder


def read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def free(disk: Path) -> int:
    """Free pages."""
    facts = os.statvfs(disk)
    return facts.f_bavail * facts.f_frsize // PAGE


def fill(disk: Path, left: int) -> None:
    """Let so many pages be free."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    filler.write_bytes(bytes(PAGE * (free(disk) - left)))
    assert free(disk) == left


# Full


@pytest.mark.parametrize("there", [True, False], ids=["an update", "a first build"])
def test_a_full_disk(disk: Path, there: bool) -> None:
    """Every number of free pages from none to enough."""
    path = disk / "shops" / "index"
    path.parent.mkdir()
    if there:
        write(path, "B")
    kept = "what was there before is unchanged" if there else "nothing was there before"
    left = 0
    while True:
        fill(disk, left)
        message, error = in_child(write, path, "A")
        if error == "":
            break
        assert error == "IndexStateError" and str(message).startswith(f"{path}: "), (left, error, message)
        assert_message(str(message), FULL + kept)
        if there:
            assert opened_letter(path) == "B"
            assert_tidy(path)
        else:
            assert not path.exists()
        assert free(disk) == left, "something half-written is left"
        left += 1 if left < 4 else 5
    assert left > 20
    assert opened_letter(path) == "A"
    assert_tidy(path)


def assert_message(message: str, pattern: str) -> None:
    """Fail unless the message is one line in which the pattern is found."""
    assert "\n" not in message
    assert re.search(pattern, message), message


def write_squeezed(
    path: Path, letter: str, name: str, squeeze: Callable[[], None], release: Callable[[], None]
) -> None:
    """Write; `squeeze` when the file `name` is opened to be written, `release` when the next one is."""
    squeezed = False

    def audit(event: str, args: tuple[Any, ...]) -> None:
        nonlocal squeezed
        if event == "open" and str(args[0]).startswith(str(path)) and args[2] & (os.O_WRONLY | os.O_RDWR):
            if squeezed:
                squeezed = False
                release()
            if Path(args[0]).name == name:
                squeezed = True
                squeeze()

    sys.addaudithook(audit)
    write(path, letter)


def sizes_of(letter: str, folder: Path) -> dict[str, int]:
    """The files that writing a catalog writes, and the bytes of each."""
    write(folder / "sizes", letter)
    return {file.name: file.stat().st_size for file in (folder / "sizes").glob("*/*")}


def assert_whole_or_refused(path: Path, told: Told) -> bool:
    """Fail unless A was written, or refused for want of space and B is still there; return whether it was written."""
    message, error = told
    assert_tidy(path)
    if error:
        assert error == "IndexStateError", told
        assert_message(str(message), FULL + "what was there before is unchanged")
    assert opened_letter(path) == ("B" if error else "A")
    return not error


def limited(path: Path, letter: str, name: str, size: int) -> None:
    """Let the file `name` have `size` bytes; Python ignores the signal, so that writing more is an error."""
    write_squeezed(
        path,
        letter,
        name,
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)),
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
    )


def test_a_file_that_is_cut_short_is_not_published(memory: Path) -> None:
    """Each file in turn lacks its last byte; there is room for all the others."""
    path = memory / "index"
    sizes = sizes_of("A", memory)
    write(path, "B")
    written = set()
    for name, size in sizes.items():
        if size > 1 and assert_whole_or_refused(path, in_child(limited, path, "A", name, size - 1)):
            written.add(name)
            write(path, "B")
    assert len(sizes) > 20 and not written


def crowded(path: Path, letter: str, name: str, left: int) -> None:
    """Let so many pages be free for the file `name`."""
    disk = path.parent
    write_squeezed(path, letter, name, lambda: fill(disk, left), (disk / "filler").unlink)


def test_a_disk_that_is_full_for_a_moment(disk: Path, memory: Path) -> None:
    """Each file of several pages in turn finds too few of them; there is room for all the others."""
    path = disk / "index"
    large = {name: -(-size // PAGE) for name, size in sizes_of("A", memory).items() if size > PAGE}
    assert {"vectors.npy", "keyword_vectors.npy"} <= set(large)
    write(path, "B")
    for name, pages in large.items():
        for left in range(pages):
            assert not assert_whole_or_refused(path, in_child(crowded, path, "A", name, left)), (name, left)
            (disk / "filler").unlink(missing_ok=True)


def save_approximate(disk: Path) -> None:
    """Write an approximate index of vectors onto a disk that has no room for it."""
    dense.EXACT_ROWS = 100
    rows = np.random.default_rng(0).normal(size=(1_000, 8)).astype(np.float32)
    index = VectorIndex.build(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    assert index.approximate is not None
    with writing(disk / "index", Kind("test", 1, "make it again")) as draft:
        fill(disk, 1)
        index.approximate.save(draft.folder, "vectors")


def test_no_room_for_the_approximate_index(disk: Path) -> None:
    message, error = in_child(save_approximate, disk)
    assert error == "IndexStateError", (error, message)
    assert_message(str(message), FULL + "nothing was there before")
    assert [entry.name for entry in disk.iterdir()] == ["filler"]


# Read-only


def test_a_read_only_disk(disk: Path) -> None:
    path = disk / "index"
    write(path, "B")
    read_only(disk)
    assert opened_letter(path) == "B"
    with pytest.raises(IndexStateError, match=READ_ONLY + "; what was there before is unchanged"):
        write(path, "A")
    with pytest.raises(IndexStateError, match=READ_ONLY + "; nothing was there before"):
        write(disk / "other", "A")
    assert opened_letter(path) == "B"


def test_a_catalog_file_whose_index_is_on_a_read_only_disk(disk: Path, tmp_path: Path) -> None:
    file = tmp_path / "shop.jsonl"
    file.write_text("".join(item.model_dump_json() + "\n" for item in shop("A")), "utf-8")
    Catalog.open(file, embedder=Digest(), home=disk)
    read_only(disk)
    assert list(Catalog.open(file, embedder=Digest(), home=disk).items.values()) == shop("A")
    file.write_text("".join(item.model_dump_json() + "\n" for item in shop("B")), "utf-8")
    with pytest.raises(IndexStateError, match=READ_ONLY):
        Catalog.open(file, embedder=Digest(), home=disk)


# The command


def index_command(file: Path, path: Path) -> tuple[int, str, str]:
    """Run `genrec index`; return exit status, stdout and stderr."""
    store.open_embedder = lambda name=None: Digest()  # type: ignore[assignment]
    result = CliRunner().invoke(cli.main, ["index", str(file), "-o", str(path)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("full", [True, False], ids=["full", "read-only"])
def test_the_command_says_in_one_line_why_it_cannot_write(disk: Path, tmp_path: Path, full: bool) -> None:
    files = {letter: tmp_path / f"{letter}.jsonl" for letter in "AB"}
    for letter, file in files.items():
        file.write_text("".join(item.model_dump_json() + "\n" for item in shop(letter)), "utf-8")
    path = disk / "index"
    (status, _, _), error = in_child(index_command, files["B"], path)
    assert (status, error) == (0, "")
    if full:
        fill(disk, 12)
    else:
        read_only(disk)
    for target, kept in [(path, "what was there before is unchanged"), (disk / "new", "nothing was there before")]:
        (status, stdout, stderr), error = in_child(index_command, files["A"], target)
        assert (status, stdout, error) == (1, "", "")
        last = stderr.splitlines()[-1]
        assert last.startswith(f"genrec: {target}: not written: ") and last.endswith(f"; {kept}")
        assert "Traceback" not in stderr and stderr.count("genrec: ") == 1
    assert opened_letter(path) == "B"
    assert not (disk / "new").exists()
