"""Many distinct strings in order, memory-mapped: a string from its row, and a row from its string."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.artifact import Artifact
from genrec.catalog.checked import CheckedArray, save_array

_REMEMBERED = 100_000
_BLOCK = 10_000


class SortedStrings(Sequence[str]):
    """Distinct strings in code point order, found by binary search. Opening takes the same time for any number.

    They lie one after the other in UTF-8, whose byte order is code point order; string i is the bytes
    [starts[i], starts[i + 1]).
    """

    def __init__(self, text: CheckedArray, starts: CheckedArray) -> None:
        """Take UTF-8, uint8 (bytes,), and where each string starts, int64 (n + 1,)."""
        self._text = text
        self._starts = starts
        self._count = len(starts) - 1
        self._known: dict[int, str] = {}

    @classmethod
    def of(cls, strings: Iterable[str]) -> "SortedStrings":
        """Sort and hold strings in memory. Raises ValueError when one is given twice."""
        encoded = sorted(string.encode("utf-8", "surrogatepass") for string in strings)
        twice = next((one for one, other in zip(encoded, encoded[1:], strict=False) if one == other), None)
        if twice is not None:
            raise ValueError(f"{twice.decode('utf-8', 'surrogatepass')!r} is given twice")
        starts = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(one) for one in encoded], out=starts[1:])
        text = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        return cls(CheckedArray.of(text), CheckedArray.of(starts))

    def save(self, folder: Path, name: str) -> None:
        """Write `name`.npy and `name`.starts.npy."""
        save_array(folder / f"{name}.npy", self._text.whole())
        save_array(folder / f"{name}.starts.npy", self._starts.whole())

    @classmethod
    def open(cls, artifact: Artifact, name: str) -> "SortedStrings":
        """Memory-map what `save` wrote."""
        return cls(artifact.array(name), artifact.array(f"{name}.starts"))

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        """Return the string of a row, or those of a slice."""
        if isinstance(row, slice):
            return [self._decoded(i) for i in range(*row.indices(self._count))]
        if not -self._count <= row < self._count:
            raise IndexError(f"row {row} of {self._count} strings")
        return self._decoded(row % self._count)

    def many(self, rows: NDArray[np.integer]) -> list[str]:
        """Return the strings of some rows (k,), in their order; those asked for lately are still in memory."""
        wanted = rows.tolist()
        known = self._known
        try:
            return [known[row] for row in wanted]
        except KeyError:
            strings = self._read(rows)
        if len(known) + len(strings) > _REMEMBERED:
            self._known = known = {}
        known.update(zip(wanted, strings, strict=True))
        return strings

    def find(self, string: str) -> int:
        """Return the row of a string, or -1."""
        row = self.place(string)
        return row if row < self._count and self._decoded(row) == string else -1

    def place(self, string: str) -> int:
        """Return how many are before `string`: its row when it is one of them."""
        wanted = string.encode("utf-8", "surrogatepass")
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._encoded(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def __contains__(self, string: object) -> bool:
        """Whether a string is one of them."""
        return isinstance(string, str) and self.find(string) >= 0

    def __iter__(self) -> Iterator[str]:
        """Yield them in order."""
        for start in range(0, self._count, _BLOCK):
            yield from self._read(np.arange(start, min(start + _BLOCK, self._count)))

    def _read(self, rows: NDArray[np.integer]) -> list[str]:
        """Many at a time are far faster than one by one."""
        starts, stops = self._starts.take(rows), self._starts.take(rows + 1)
        sizes = stops - starts
        ends = np.cumsum(sizes)
        # the places of all their bytes, one string after the other
        places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + sizes, sizes)
        text = self._text.take(places).tobytes()
        bounds = list(zip((ends - sizes).tolist(), ends.tolist(), strict=True))
        if text.isascii():  # then a character is a byte
            characters = text.decode("ascii")
            return [characters[start:stop] for start, stop in bounds]
        return [text[start:stop].decode("utf-8", "surrogatepass") for start, stop in bounds]

    def _encoded(self, row: int) -> bytes:
        text, starts = self._whole
        return bytes(text[starts[row] : starts[row + 1]])

    def _decoded(self, row: int) -> str:
        return self._encoded(row).decode("utf-8", "surrogatepass")

    @cached_property
    def _whole(self) -> tuple[memoryview, memoryview]:
        """Everything, checked once: a search looks at twenty places, and numpy takes a microsecond for each."""
        return self._text.whole().data, self._starts.whole().data
