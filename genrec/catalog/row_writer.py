"""Embedding the texts of an index while it is built: what was embedded before, or twice, is embedded once."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.checked import CheckedArray
from genrec.catalog.encoder import Embedder

Vectors = NDArray[np.float32]
Digests = NDArray[np.uint64]

CHUNK = 1024
"""Texts that are embedded together."""

_REMEMBERED = 1_000_000
"""Most texts of one build whose row is remembered in case they come again: feeds list a thing many times."""


def digests_of(texts: Iterable[str]) -> Digests:
    """Return 128 bits that identify each text, uint64 (k, 2)."""
    joined = b"".join(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts)
    return np.frombuffer(joined, dtype="<u8").astype(np.uint64).reshape(-1, 2)


class KnownRows:
    """Encodes texts, taking the rows of those that earlier indexes of the same encoder hold."""

    def __init__(self, embedder: Embedder) -> None:
        """Start with nothing known."""
        self.embedder = embedder
        self.embedded = 0
        self._earlier: list[tuple[Digests, CheckedArray]] = []

    def add(self, digests: Digests, rows: CheckedArray) -> None:
        """Remember the rows (k, dim) of texts by their digests (k, 2)."""
        order = np.argsort(digests[:, 0], kind="stable")
        if len(order):
            self._earlier.append((np.column_stack([digests[order], order.astype(np.uint64)]), rows))

    def encode(self, texts: Sequence[str], digests: Digests, dtype: "np.dtype[Any]") -> Vectors:
        """Return the rows of distinct texts (k,), float32 (k, dim), that are to be kept as `dtype`."""
        rows = np.zeros((len(texts), self.embedder.dim), dtype=np.float32)
        missing = np.ones(len(texts), dtype=np.bool_)
        for known, earlier in self._earlier:
            if earlier.dtype == dtype or earlier.dtype == np.float32:  # half precision cannot be made whole again
                place = np.minimum(np.searchsorted(known[:, 0], digests[:, 0]), len(known) - 1)
                hit = missing & (known[place, :2] == digests).all(axis=1)
                rows[hit] = earlier.take(known[place[hit], 2].astype(np.int64))
                missing &= ~hit
        asked = np.flatnonzero(missing)
        if len(asked):
            rows[asked] = self.embedder.encode([texts[place] for place in asked.tolist()])
            self.embedded += len(asked)
        return rows


class RowWriter:
    """Writes the rows of a stream of texts into one .npy file, a chunk at a time."""

    def __init__(
        self, path: Path, count: int, dtype: "np.dtype[Any]", known: KnownRows, done: Callable[[int], object]
    ) -> None:
        """Make room for `count` rows; `done` is told how many are written."""
        self._dtype = dtype
        self._dim = known.embedder.dim
        self._file = path.open("w+b")  # not a memory map, which kills the process when the disk is full
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count, self._dim)}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._begin = self._file.tell()
        self._digests = np.zeros((count, 2), dtype=np.uint64)
        self._known = known
        self._report = done
        self._waiting: list[str] = []
        self._done = 0
        self._first: dict[bytes, int] = {}

    def add(self, text: str) -> None:
        """Append the row of a text."""
        self._waiting.append(text)
        if len(self._waiting) == CHUNK:
            self._write()

    def finish(self) -> Digests:
        """Write what is left, and return the digests of all texts (count, 2)."""
        self._write()
        self._file.close()
        return self._digests

    def _write(self) -> None:
        texts, start = self._waiting, self._done
        digests = digests_of(texts)
        keys = [digest.tobytes() for digest in digests]
        fresh: dict[bytes, int] = {}  # where in the chunk a text comes for the first time
        for place, key in enumerate(keys):
            if key not in self._first:
                fresh.setdefault(key, place)
        places = np.array(list(fresh.values()), dtype=np.int64)
        rows = np.empty((len(texts), self._dim), dtype=self._dtype)
        rows[places] = self._known.encode([texts[place] for place in places.tolist()], digests[places], self._dtype)
        for place, key in enumerate(keys):
            rows[place] = self._written(self._first[key]) if key in self._first else rows[fresh[key]]
        self._file.write(rows.reshape(-1).view(np.uint8).data)
        self._file.flush()
        stop = start + len(texts)
        self._digests[start:stop] = digests
        if len(self._first) < _REMEMBERED:
            self._first.update((key, start + place) for key, place in fresh.items())
        self._done = stop
        self._waiting = []
        self._report(stop)

    def _written(self, row: int) -> NDArray[Any]:
        size = self._dim * self._dtype.itemsize
        return np.frombuffer(os.pread(self._file.fileno(), size, self._begin + row * size), self._dtype)
