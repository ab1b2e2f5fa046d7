"""Arrays read from disk whose bytes are checked when they are first used. Where they lie is in artifact.py."""

import mmap
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

BLOCK = 1 << 16
"""Bytes under one checksum: what must be read to know that one row is whole."""


class CheckedFile:
    """One file with a CRC-32 a block: the blocks that hold given bytes are compared the first time they are wanted."""

    def __init__(self, file: BinaryIO, checksums: NDArray[np.uint32], damaged: Callable[[], Exception]) -> None:
        """Take an open file of `len(checksums)` blocks; `damaged` makes the error that is raised when one differs."""
        self.size = os.fstat(file.fileno()).st_size
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self.size else b""
        self._checksums = checksums
        self._damaged = damaged
        self._seen = np.zeros(len(checksums), dtype=np.bool_)
        self._whole = not len(checksums)

    def verify(self, start: int, stop: int) -> None:
        """Check the blocks of the bytes [start, stop)."""
        if not self._whole:
            first, last = start // BLOCK, (stop - 1) // BLOCK + 1
            self._compare(first + np.flatnonzero(~self._seen[first:last]))
            self._whole = first == 0 and last >= len(self._seen)

    def verify_each(self, starts: NDArray[np.int64], size: int) -> None:
        """Check the blocks of the bytes [start, start + size) for each of `starts` (k,)."""
        if not self._whole:
            reach = np.arange(0, size - 1 + BLOCK, BLOCK)  # into each block that a row may touch
            blocks = (starts[:, None] + np.minimum(reach, size - 1)) // BLOCK
            blocks = blocks[~self._seen[blocks]]
            if len(blocks):
                self._compare(np.unique(blocks))

    def verify_all(self) -> None:
        """Check the whole file."""
        self.verify(0, max(self.size, 1))

    def array(self) -> "CheckedArray":
        """Return the array of a .npy file. Raises ValueError when it is not one."""
        header = _Reading(self)
        version = np.lib.format.read_magic(header)
        if version != (1, 0):
            raise ValueError(f"a .npy file of version {version}")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(header)
        if fortran or dtype.hasobject or header.at + dtype.itemsize * int(np.prod(shape)) != self.size:
            raise ValueError(f"a .npy file of {self.size} bytes that holds {dtype} {shape}")
        return CheckedArray(self._view(dtype, header.at).reshape(shape), self, header.at)

    def raw(self) -> "CheckedArray":
        """Return the bytes as an array of uint8."""
        return CheckedArray(self._view(np.uint8, 0), self)

    def read(self) -> bytes:
        """Return the whole content."""
        self.verify_all()
        return bytes(self._map)

    def _compare(self, blocks: NDArray[np.integer]) -> None:
        for block in blocks.tolist():
            with memoryview(self._map)[block * BLOCK : (block + 1) * BLOCK] as content:
                if zlib.crc32(content) != self._checksums[block]:
                    raise self._damaged()
            self._seen[block] = True

    def _view(self, dtype: DTypeLike, offset: int) -> NDArray[Any]:
        return np.frombuffer(self._map, dtype=dtype, offset=offset) if offset < self.size else np.empty(0, dtype)


class CheckedArray:
    """An array of any shape, memory-mapped; reading a part of it checks the blocks that hold that part, once.

    So opening costs nothing however large the file is, and a flipped byte is still an error before it is an answer.
    Read-only, and safe to read from several threads.
    """

    def __init__(self, array: NDArray[Any], file: CheckedFile | None = None, offset: int = 0) -> None:
        """Take the array, and the file in which it begins at `offset`."""
        self._array = array
        self._file = file
        self._offset = offset
        self._row = array.itemsize * int(np.prod(array.shape[1:]))

    @classmethod
    def of(cls, array: NDArray[Any]) -> "CheckedArray":
        """Return the same interface over an array in memory, where nothing is to be checked."""
        return cls(array)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, rows first."""
        return self._array.shape

    @property
    def dtype(self) -> "np.dtype[Any]":
        """What the numbers are."""
        return self._array.dtype

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._array)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return the rows of a slice without a step, as a view. Raises IndexStateError where the file is damaged."""
        start, stop, _ = rows.indices(len(self._array))
        if self._file is not None and start < stop:
            self._file.verify(self._offset + start * self._row, self._offset + stop * self._row)
        return self._array[start:stop]

    def take(self, rows: NDArray[np.integer]) -> NDArray[Any]:
        """Return these rows (k,), copied. Raises IndexStateError where the file is damaged."""
        if self._file is not None and len(rows):
            self._file.verify_each(self._offset + rows.astype(np.int64) * self._row, self._row)
        taken: NDArray[Any] = self._array[rows]
        return taken

    def whole(self) -> NDArray[Any]:
        """Return everything, as a view. Raises IndexStateError where the file is damaged."""
        return self[:]


class _Reading:
    """What numpy's header reader wants of a file."""

    def __init__(self, file: CheckedFile) -> None:
        self._file = file
        self.at = 0

    def read(self, size: int = 0, /) -> bytes:
        content = self._file.raw()[self.at : self.at + size].tobytes()
        self.at += len(content)
        return content


def save_array(path: Path, array: ArrayLike) -> None:
    """Write a .npy file. Raises OSError when the disk is full.

    np.save may not: it closes a file of C's without asking whether its last bytes could be written.
    """
    rows = np.asarray(array, order="C")
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(rows))
        file.write(rows.reshape(-1).view(np.uint8).data)


def checksums(path: Path) -> NDArray[np.uint32]:
    """Return the CRC-32 of each block of a file, uint32 (blocks,)."""
    return np.fromiter((zlib.crc32(block) for block in _blocks(path)), dtype=np.uint32)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
