"""A directory as one artifact: a manifest written last, checksums, and a swap that leaves no half of one."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from genrec.errors import IndexStateError

MANIFEST = "manifest.json"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield an empty sibling directory that takes the place of `path` when the block ends without an error.

    On an error the sibling is removed and `path` is as it was. A crash between the two renames leaves the old
    directory under `.<name>.old`, from where `recover` brings it back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.new-", dir=path.parent))
    try:
        yield fresh
        fresh.chmod(0o755)  # mkdtemp's own 0700 would hide the artifact from a server under another user
        old = _old(path)
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.rename(old)
        fresh.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def recover(path: Path) -> None:
    """Put back the directory that an interrupted `replacing` had moved aside, if there is one to put back."""
    if not path.exists() and (_old(path) / MANIFEST).is_file():
        _old(path).rename(path)


def write_manifest(folder: Path, facts: Mapping[str, object]) -> None:
    """Write manifest.json: `facts`, and size and SHA-256 of every other file in `folder`. Call it last."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.name != MANIFEST)
    files = {name: {"size": (folder / name).stat().st_size, "sha256": _sha256(folder / name)} for name in names}
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        json.dump({**facts, "files": files}, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path, *, kind: str, version: int, remedy: str) -> dict[str, object]:
    """Return the manifest without its file table, once every file is there, whole and unchanged.

    Raises IndexStateError with `remedy`: no such directory, no or unreadable manifest, another `kind`, a
    `format_version` other than `version`, a file that is missing, cut short or changed.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except FileNotFoundError as error:
        what = "there is no manifest.json in it" if folder.is_dir() else "there is no such directory"
        raise IndexStateError(f"{folder}: {what}; {remedy}") from error
    except (OSError, ValueError) as error:
        raise IndexStateError(f"{folder / MANIFEST}: cannot be read ({error}); {remedy}") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != kind or not isinstance(manifest.get("files"), dict):
        raise IndexStateError(f"{folder / MANIFEST}: this is not the manifest of a genrec {kind}; {remedy}")
    found = manifest.get("format_version")
    if found != version:
        newer = isinstance(found, int) and found > version
        advice = "upgrade genrec, or " if newer else ""
        raise IndexStateError(f"{folder}: format {found}, this genrec reads format {version}; {advice}{remedy}")
    files: Mapping[str, Mapping[str, object]] = manifest.pop("files")
    with ThreadPoolExecutor(4) as pool:  # hashing releases the interpreter lock
        for fault in pool.map(lambda name: _fault(folder / name, files[name]), sorted(files)):
            if fault:
                raise IndexStateError(f"{fault}; {remedy}")
    return manifest


def _fault(path: Path, expected: Mapping[str, object]) -> str:
    try:
        size = path.stat().st_size
        if size != expected["size"]:
            return f"{path}: {size} bytes where the manifest says {expected['size']}"
        if _sha256(path) != expected["sha256"]:
            return f"{path}: damaged, its SHA-256 is not the manifest's"
    except FileNotFoundError:
        return f"{path}: missing"
    except (OSError, KeyError, TypeError) as error:
        return f"{path}: cannot be checked ({error})"
    return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")
