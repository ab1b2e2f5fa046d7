"""Real processes that read, write and are killed while they write: whoever opens an index sees the whole of one."""

import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import shake_256
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.catalog.filters import Where
from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.catalog.text import item_dense_text
from genrec.errors import CatalogError, IndexStateError

PATIENCE = 60.0
"""Seconds after which a process counts as hanging."""

CHILDREN = multiprocessing.get_context("forkserver")  # fork of a process with torch's threads in it may hang
CHILDREN.set_forkserver_preload([__name__])


class Digest:
    """Embedder whose rows are read off a hash: another title is another row, and a few fill several pages."""

    name, fingerprint, dim = "digest", "digest-1", 256

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        joined = b"".join(shake_256(text.encode()).digest(self.dim) for text in texts)
        rows = np.frombuffer(joined, np.uint8).reshape(len(texts), self.dim) + np.float32(1)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


_SORTS = {"A": "anise", "B": "basil", "C": "cumin"}
_COUNTS = {"A": 9, "B": 14, "C": 5}


def shop(letter: str) -> list[Item]:
    """The items of one catalog in the order of ids; the first six ids are those of the others too, no title is."""
    return [
        Item(
            item_id=f"sku-{n:02}" if n < 6 else f"sku-{n:02}-{letter}",
            title=f"Fresh {_SORTS[letter]}, bunch {n}",
            categories=("Herbs", f"{_SORTS[letter]} bunches"),
            popularity=float(n),
        )
        for n in range(_COUNTS[letter])
    ]


def write(path: Path, letter: str) -> None:
    Catalog.update(shop(letter), path, Digest(), name=letter)


def letter_of(opened: Catalog) -> str:
    """Which catalog was opened; fails unless each of its parts is of that one."""
    letter = opened.name
    items = shop(letter)
    assert list(opened.items.values()) == items
    ids = {item.item_id for item in items}
    for mode in ("lexical", "hybrid", "dense"):
        hits = {hit.item_id for hit in opened.index.search("fresh bunch", limit=100, mode=mode)}
        assert hits == ids if mode != "dense" else hits <= ids
    for other, sort in _SORTS.items():
        assert len(opened.index.search(sort, limit=100, mode="lexical")) == (len(items) if other == letter else 0)
        herbs = Where(categories=frozenset({f"{sort} bunches"}))
        assert len(opened.index.search("fresh", limit=100, where=herbs)) == (len(items) if other == letter else 0)
    for item, row in zip(items, Digest().encode([item_dense_text(item) for item in items]), strict=True):
        assert np.array_equal(opened.vector_of(item.item_id), row)
    opened.verify()
    return letter


def opened_letter(path: Path) -> str:
    return letter_of(Catalog.open(path, embedder=Digest()))


def assert_tidy(path: Path) -> None:
    """One generation, the manifest that names it, and the lock."""
    names = sorted(entry.name for entry in path.iterdir())
    assert [name for name in names if not name.startswith("generation-")] == [".lock", "manifest.json"]
    assert len(names) == 3


@contextmanager
def in_memory(otherwise: Path) -> Iterator[Path]:
    """A folder in memory where the system has one, else below `otherwise`."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    with tempfile.TemporaryDirectory(dir=memory if usable else otherwise) as name:
        yield Path(name)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where what a killed process leaves does not depend on the disk, which would take most of the time."""
    with in_memory(tmp_path) as place:
        yield place


@pytest.fixture
def start() -> Iterator[Callable[..., BaseProcess]]:
    """Start a process that runs a function of this module; what still runs in the end is killed."""
    started: list[BaseProcess] = []

    def starting(target: Callable[..., None], *args: object) -> BaseProcess:
        process = CHILDREN.Process(target=target, args=args, daemon=True)
        process.start()
        started.append(process)
        return process

    yield starting
    for process in started:
        process.kill()
        process.join(PATIENCE)


Start = Callable[..., BaseProcess]


def ended(process: BaseProcess) -> int | None:
    """The exit status of a process that is about to end: minus the signal when one killed it."""
    process.join(PATIENCE)
    return process.exitcode


# Killed writers

_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate")


def write_until(path: Path, letter: str, step: int) -> None:
    """Write, and be killed just before the change number `step` (from 0) to files or directories below `path`."""
    left = step

    def audit(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        changes = event in _CHANGES or (event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        # removing a tree names files relative to their directory
        if changes and (str(path) in str(args[0]) or not os.path.isabs(str(args[0]))):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(audit)
    write(path, letter)


@pytest.mark.parametrize("first", range(4))
@pytest.mark.slow
def test_every_step_of_an_update_may_be_the_last_one(folder: Path, start: Start, first: int) -> None:
    killed_at_steps(folder / "index", start, range(first, 10_000, 4))


def test_some_steps_of_an_update_may_be_the_last_one(folder: Path, start: Start) -> None:
    killed_at_steps(folder / "index", start, range(0, 10_000, 7))


def killed_at_steps(path: Path, start: Start, steps: Sequence[int]) -> None:
    """Kill writers of A at these steps until one comes through; each finds B, and each death is followed by a write."""
    seen = []
    for step in steps:
        write(path, "B")
        assert_tidy(path)
        status = ended(start(write_until, path, "A", step))
        seen.append(opened_letter(path))
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert_tidy(path)
    assert len(seen) > 5 and seen[0] == "B" and seen[-1] == "A"
    assert seen == sorted(seen, reverse=True), "once the new one is there it stays"


def test_a_first_build_that_is_killed_can_be_done_again(folder: Path, start: Start) -> None:
    for step in (0, 1, 2, *range(3, 10_000, 9)):
        path = folder / f"killed-{step}"
        status = ended(start(write_until, path, "A", step))
        if (path / "manifest.json").exists():
            assert opened_letter(path) == "A"
        else:
            with pytest.raises((IndexStateError, CatalogError), match="there is no manifest|no such catalog file"):
                Catalog.open(path, embedder=Digest())
        if status == 0:
            break
        assert status == -signal.SIGKILL
        write(path, "B")
        assert opened_letter(path) == "B"
        assert_tidy(path)
    assert step > 20


def write_in_turn(path: Path, letters: str, times: int, begun: Event | None = None) -> None:
    if begun is not None:
        begun.set()
    for turn in range(times):
        write(path, letters[turn % len(letters)])


def test_killed_at_any_moment(folder: Path, start: Start) -> None:
    path = folder / "index"
    write(path, "A")
    began = time.perf_counter()
    write(path, "B")
    duration = time.perf_counter() - began
    moments = random.Random(0)
    seen = set()
    for _ in range(12):
        begun = CHILDREN.Event()
        process = start(write_in_turn, path, "AB", 10_000, begun)
        assert begun.wait(PATIENCE)
        time.sleep(moments.uniform(0, 4) * duration)
        process.kill()
        assert ended(process) == -signal.SIGKILL
        seen.add(opened_letter(path))
        write(path, "C")
        assert opened_letter(path) == "C"
        assert_tidy(path)
    assert len(seen) > 1


# Readers beside a writer


def read_on(path: Path, ready: Event, stop: Event, told: Connection) -> None:
    """Open and search until told to stop, and send what was seen; a catalog that was opened first stays what it is."""
    try:
        kept = Catalog.open(path, embedder=Digest())
        before = letter_of(kept)
        ready.set()
        seen = []
        while not stop.is_set():
            opened = Catalog.open(path, embedder=Digest())
            seen.append((letter_of(opened), opened.fingerprint))
            assert letter_of(kept) == before
        told.send((before, seen))
    except BaseException as error:
        told.send(repr(error))
        raise


def test_readers_beside_a_writer_see_one_catalog_or_the_other(folder: Path, start: Start) -> None:
    path = folder / "index"
    fingerprints = set()
    for letter in "BA":
        write(path, letter)
        fingerprints.add((letter, Catalog.open(path, embedder=Digest()).fingerprint))
    ready, stop = [CHILDREN.Event(), CHILDREN.Event()], CHILDREN.Event()
    pipes = [CHILDREN.Pipe(duplex=False) for _ in ready]
    readers = [start(read_on, path, event, stop, told) for event, (_, told) in zip(ready, pipes, strict=True)]
    for event in ready:
        event.wait(PATIENCE)
    assert ended(start(write_in_turn, path, "BA", 31)) == 0
    stop.set()
    for reader, (heard, _) in zip(readers, pipes, strict=True):
        assert heard.poll(PATIENCE)
        answer = heard.recv()
        assert not isinstance(answer, str), answer
        before, seen = answer
        assert before == "A"
        assert set(seen) == fingerprints, "too quick a writer to see both, or another catalog"
        assert ended(reader) == 0
    assert opened_letter(path) == "B"
    assert_tidy(path)


def hold_the_lock(path: Path, letter: str, begun: Event, go_on: Event) -> None:
    """Write, and stop in the middle of the items until told to go on."""

    def slowly() -> Iterator[Item]:
        for item in shop(letter):
            yield item
            begun.set()
            go_on.wait(PATIENCE)

    Catalog.update(slowly(), path, Digest(), name=letter)


@pytest.mark.parametrize("there", [True, False], ids=["an update", "a first build"])
def test_of_two_writers_one_is_told_to_wait(folder: Path, start: Start, there: bool) -> None:
    path = folder / "index"
    if there:
        write(path, "C")
    begun, go_on = CHILDREN.Event(), CHILDREN.Event()
    winner = start(hold_the_lock, path, "A", begun, go_on)
    assert begun.wait(PATIENCE)
    with pytest.raises(IndexStateError, match="another process is writing this index; wait until it is done"):
        write(path, "B")
    if there:
        assert opened_letter(path) == "C"
    go_on.set()
    assert ended(winner) == 0
    assert opened_letter(path) == "A"
    assert_tidy(path)


def test_a_killed_writer_does_not_keep_the_lock(folder: Path, start: Start) -> None:
    path = folder / "index"
    write(path, "C")
    begun, never = CHILDREN.Event(), CHILDREN.Event()
    writer = start(hold_the_lock, path, "A", begun, never)
    assert begun.wait(PATIENCE)
    writer.kill()
    assert ended(writer) == -signal.SIGKILL
    write(path, "B")
    assert opened_letter(path) == "B"


def build_together(path: Path, letter: str, together: Barrier, told: Connection) -> None:
    together.wait(PATIENCE)
    try:
        write(path, letter)
        told.send("")
    except IndexStateError as error:
        told.send(str(error))


def test_first_builds_at_the_same_moment(folder: Path, start: Start) -> None:
    for turn in range(6):
        path = folder / f"index-{turn}"
        together = CHILDREN.Barrier(2)
        pipes = {letter: CHILDREN.Pipe(duplex=False) for letter in "AB"}
        writers = [start(build_together, path, letter, together, told) for letter, (_, told) in pipes.items()]
        said = {letter: heard.recv() for letter, (heard, _) in pipes.items() if heard.poll(PATIENCE)}
        assert [ended(writer) for writer in writers] == [0, 0]
        assert all(not error or "another process is writing" in error for error in said.values()), said
        assert "" in said.values()
        assert said[opened_letter(path)] == ""
        assert_tidy(path)


def open_file(file: Path, home: Path, together: Barrier, letter: str) -> None:
    together.wait(PATIENCE)
    opened = Catalog.open(file, embedder=Digest(), home=home)
    assert list(opened.items.values()) == shop(letter)
    opened.verify()


def test_a_catalog_file_opened_by_several_processes_at_once(folder: Path, start: Start) -> None:
    file, home = folder / "shop.jsonl", folder / "home"
    for letter in "ABA":
        file.write_text("".join(item.model_dump_json() + "\n" for item in shop(letter)), "utf-8")
        together = CHILDREN.Barrier(3)
        openers = [start(open_file, file, home, together, letter) for _ in range(3)]
        assert [ended(opener) for opener in openers] == [0, 0, 0]
        [index] = (home / "indexes").iterdir()
        assert_tidy(index)
