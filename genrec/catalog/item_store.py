"""The items of an index as a mapping that reads each from disk when it is asked for."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from genrec.catalog.artifact import Artifact
from genrec.catalog.checked import CheckedArray
from genrec.catalog.items import Item
from genrec.catalog.strings import SortedStrings

LINES = "items.jsonl"
_CACHED = 20_000


class ItemStore(Mapping[str, Item]):
    """item_id to Item, in item_id order; row i is the i-th. Those used last are kept in memory."""

    def __init__(self, ids: SortedStrings, lines: CheckedArray, starts: CheckedArray) -> None:
        """Take the ids (n,), items as JSON lines, and where each line starts, int64 (n + 1,)."""
        self.ids = ids
        self._lines = lines
        self._starts = starts
        self._known = lru_cache(maxsize=_CACHED)(self._find)

    @classmethod
    def open(cls, artifact: Artifact) -> "ItemStore":
        """Memory-map the items of an index."""
        return cls(SortedStrings.open(artifact, "ids"), artifact.raw(LINES), artifact.array("items.starts"))

    def __getitem__(self, item_id: str) -> Item:
        """Return an item. Raises KeyError for an unknown id."""
        return self._known(item_id)[1]

    def __contains__(self, item_id: object) -> bool:
        """Whether there is such an item."""
        return item_id in self.ids

    def __iter__(self) -> Iterator[str]:
        """Yield the ids in order."""
        return iter(self.ids)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.ids)

    def row(self, item_id: str) -> int:
        """Return the row of an item. Raises KeyError for an unknown id."""
        return self._known(item_id)[0]

    def at(self, row: int) -> Item:
        """Return the item of a row."""
        start, stop = self._starts[row : row + 2].tolist()
        return Item.model_validate_json(self._lines[start:stop].tobytes())

    def _find(self, item_id: str) -> tuple[int, Item]:
        row = self.ids.find(item_id)
        if row < 0:
            raise KeyError(item_id)
        return row, self.at(row)
