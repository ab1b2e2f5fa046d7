"""An index directory that is replaced while others read it: generations, one manifest that names the current one.

    shop.index/
      manifest.json      which generation is current, its files, sizes and checksums; replaced in one step
      generation-3f9a/   the files; never changed once the manifest names them
      .lock              held by whoever writes

A reader that has opened a generation keeps it, memory-mapped, even after a writer has removed it. What is in the files
is not known here.
"""

import errno
import io
import json
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from genrec.catalog.checked import CheckedArray, CheckedFile, checksums, save_array
from genrec.catalog.manifest import MANIFEST
from genrec.errors import IndexStateError

EAGER = 1 << 25
"""Bytes that are checked while opening, smallest files first; larger files are checked as they are read."""

_CHECKSUMS = "checksums.npy"
_GENERATION = "generation-"
_LOCK = ".lock"
_ATTEMPTS = 20


class Kind(NamedTuple):
    """What is written and read: a name for the manifest, the format's version and the remedy that errors give."""

    name: str
    version: int
    remedy: str


class Draft:
    """A generation that is being written: put files into `folder` and facts for the manifest into `facts`."""

    def __init__(self, folder: Path) -> None:
        """Start with an empty folder."""
        self.folder = folder
        self.facts: dict[str, object] = {}


@contextmanager
def writing(path: Path, kind: Kind, *, wait: float = 0) -> Iterator[Draft]:
    """Yield a draft that becomes the current generation of `path` when the block ends without an error.

    On an error, or when the process is killed at any moment, what `path` held before is still current. Raises
    IndexStateError when another process is still writing there after `wait` seconds, and when the disk is full or
    read-only.
    """
    made = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(path / _LOCK, timeout=wait):
            folder = path / f"{_GENERATION}{secrets.token_hex(6)}"
            try:
                folder.mkdir()
                draft = Draft(folder)
                yield draft
                _publish(path, draft, kind)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                if made and not (path / MANIFEST).exists():
                    (path / _LOCK).unlink(missing_ok=True)  # while it is held: whoever waits for it makes a new one
                raise
            _remove_all_but(path, folder.name)
    except Timeout as error:
        raise IndexStateError(f"{path}: another process is writing this index; wait until it is done") from error
    except OSError as error:
        raise IndexStateError(f"{path}: not written: {_explain(error)}; {_kept(path)}") from error
    finally:
        if made:
            with suppress(OSError):  # not empty: it is the index, or another process is writing there
                path.rmdir()


def may_be_written(path: Path) -> bool:
    """Whether `path` is free, is an artifact, or holds only what a writer that is at work, or was killed, put there."""
    if not path.exists():
        return True
    if not path.is_dir():
        return False
    names = [entry.name for entry in path.iterdir()]
    return MANIFEST in names or all(name == _LOCK or name.startswith(_GENERATION) for name in names)


def _publish(path: Path, draft: Draft, kind: Kind) -> None:
    files: dict[str, dict[str, int]] = {}
    parts = []
    first = 0
    for entry in sorted(draft.folder.iterdir()):
        part = checksums(entry)
        files[entry.name] = {"size": entry.stat().st_size, "first_block": first, "blocks": len(part)}
        first += len(part)
        parts.append(part)
    save_array(draft.folder / _CHECKSUMS, np.concatenate([np.empty(0, np.uint32), *parts]))
    manifest: dict[str, object] = {
        **draft.facts,
        "kind": kind.name,
        "format_version": kind.version,
        "generation": draft.folder.name,
        "files": files,
        "checksums": {"crc32": zlib.crc32((draft.folder / _CHECKSUMS).read_bytes())},
    }
    manifest["crc32"] = _crc(manifest)
    for entry in (*draft.folder.iterdir(), draft.folder):
        _flush(entry)
    fresh = draft.folder / MANIFEST
    fresh.write_text(json.dumps(manifest, indent=2, sort_keys=True), "utf-8")
    _flush(fresh)
    os.replace(fresh, path / MANIFEST)
    _flush(path)


def _flush(path: Path) -> None:
    """Make sure that a file or a directory's list of files is on the disk, where the system can promise that."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):  # not every file system can
            raise
    finally:
        os.close(descriptor)


def _remove_all_but(path: Path, generation: str) -> None:
    """Remove earlier generations and those of writers that were killed. Readers keep what they have mapped."""
    for entry in path.iterdir():
        if entry.name.startswith(_GENERATION) and entry.name != generation:
            shutil.rmtree(entry, ignore_errors=True)


def _crc(manifest: Mapping[str, object]) -> int:
    facts = {name: value for name, value in manifest.items() if name != "crc32"}
    return zlib.crc32(json.dumps(facts, sort_keys=True).encode())


def _explain(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"the disk is full ({error.strerror}): free some space or name a directory on another disk"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"it cannot be written to ({error.strerror}): name another directory or correct its permissions"
    return str(error)


def _kept(path: Path) -> str:
    return "what was there before is unchanged" if (path / MANIFEST).exists() else "nothing was there before"


def read_facts(path: Path, kind: Kind) -> dict[str, Any]:
    """Return the manifest of the artifact at `path`.

    Raises IndexStateError with the remedy: no such directory, no manifest, an unreadable or changed one, another kind
    or another format version.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        what = "there is no manifest.json in it" if path.is_dir() else "there is no such directory"
        raise IndexStateError(f"{path}: {what}; {kind.remedy}") from error
    except (OSError, ValueError) as error:
        raise IndexStateError(f"{path / MANIFEST}: cannot be read ({error}); {kind.remedy}") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != kind.name:
        raise IndexStateError(f"{path / MANIFEST}: this is not the manifest of a genrec {kind.name}; {kind.remedy}")
    found = manifest.get("format_version")
    if found != kind.version:
        newer = isinstance(found, int) and found > kind.version
        advice = "upgrade genrec, or " if newer else ""
        raise IndexStateError(f"{path}: format {found}, this genrec reads format {kind.version}; {advice}{kind.remedy}")
    if manifest.get("crc32") != _crc(manifest):
        raise IndexStateError(f"{path / MANIFEST}: damaged, its checksum does not fit its content; {kind.remedy}")
    return manifest


class Artifact:
    """One generation, opened: its files stay the same whatever a writer does to the directory meanwhile."""

    def __init__(self, path: Path, facts: Mapping[str, Any], files: Mapping[str, CheckedFile], kind: Kind) -> None:
        """Take the manifest and every file that it names, open; `open` does."""
        self.path = path
        self.facts = facts
        self._files = files
        self._kind = kind

    @classmethod
    def open(cls, path: Path, kind: Kind) -> "Artifact":
        """Open the current generation: sizes are checked, and content up to `EAGER` bytes; the rest as it is read.

        Raises IndexStateError with the remedy for whatever `read_facts` refuses and for a file that is missing, cut
        short or changed.
        """
        for attempt in range(_ATTEMPTS):
            facts = read_facts(path, kind)
            try:
                return cls._opened(path, facts, kind)
            except IndexStateError:
                # replaced while it was being opened? then the next one is whole
                if attempt + 1 == _ATTEMPTS or read_facts(path, kind)["generation"] == facts["generation"]:
                    raise
        raise AssertionError("the last attempt returns or raises")

    @classmethod
    def _opened(cls, path: Path, facts: Mapping[str, Any], kind: Kind) -> "Artifact":
        folder = path / facts["generation"]
        table = _checksum_table(folder / _CHECKSUMS, facts["checksums"]["crc32"], kind)
        files = {}
        for name, entry in facts["files"].items():
            part = table[entry["first_block"] : entry["first_block"] + entry["blocks"]]
            files[name] = _checked_file(folder / name, entry["size"], part, kind)
        left = EAGER
        for file in sorted(files.values(), key=lambda file: file.size):
            left -= file.size
            if left < 0:
                break
            file.verify_all()
        return cls(path, facts, files, kind)

    def has(self, name: str) -> bool:
        """Whether there is a file of this name, suffix included."""
        return name in self._files

    def array(self, name: str) -> CheckedArray:
        """Return `name`.npy, memory-mapped."""
        try:
            return self._file(f"{name}.npy").array()
        except ValueError as error:
            raise IndexStateError(f"{self.path}: {name}.npy is {error}; {self._kind.remedy}") from error

    def raw(self, name: str) -> CheckedArray:
        """Return the bytes of a file, memory-mapped, uint8 (size,)."""
        return self._file(name).raw()

    def json(self, name: str) -> Any:
        """Return what `name`.json holds."""
        return json.loads(self._file(f"{name}.json").read())

    def file(self, name: str) -> Path:
        """Return the path of a file, wholly checked, for a library that opens files by name."""
        self._file(name).verify_all()
        return self.path / str(self.facts["generation"]) / name

    def verify(self) -> None:
        """Check every byte. Raises IndexStateError."""
        for file in self._files.values():
            file.verify_all()

    def _file(self, name: str) -> CheckedFile:
        try:
            return self._files[name]
        except KeyError:
            raise IndexStateError(f"{self.path}: there is no {name} in it; {self._kind.remedy}") from None


def _checksum_table(path: Path, crc: int, kind: Kind) -> np.ndarray[Any, np.dtype[np.uint32]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise IndexStateError(f"{path}: missing; {kind.remedy}") from error
    except OSError as error:
        raise IndexStateError(f"{path}: cannot be read ({error.strerror}); {kind.remedy}") from error
    if zlib.crc32(content) != crc:
        raise IndexStateError(f"{path}: damaged, its checksum is not the manifest's; {kind.remedy}")
    # not by its name: a writer may have removed it by now
    table: np.ndarray[Any, np.dtype[np.uint32]] = np.load(io.BytesIO(content), allow_pickle=False)
    return table


def _checked_file(path: Path, size: int, table: np.ndarray[Any, np.dtype[np.uint32]], kind: Kind) -> CheckedFile:
    def damaged() -> IndexStateError:
        return IndexStateError(f"{path}: damaged, its checksum is not the manifest's; {kind.remedy}")

    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno()).st_size
            if found != size:
                raise IndexStateError(f"{path}: {found} bytes where the manifest says {size}; {kind.remedy}")
            return CheckedFile(file, table, damaged)
    except FileNotFoundError as error:
        raise IndexStateError(f"{path}: missing; {kind.remedy}") from error
    except OSError as error:
        raise IndexStateError(f"{path}: cannot be read ({error.strerror}); {kind.remedy}") from error
