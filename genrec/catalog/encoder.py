"""The Embedder seam, and a cache in front of one. Encoders themselves are in minilm.py, static.py and embedders.py."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Embedder(Protocol):
    """Turns text into vectors whose dot product is their similarity.

    `fingerprint` changes whenever the vectors do: an index made under another one cannot be searched. Rows
    are unit length, in the order of the texts, and do not depend on what else is in the call beyond float32
    rounding.
    """

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def fingerprint(self) -> str:
        """What identifies its vectors."""

    @property
    def dim(self) -> int:
        """Length of a row."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim)."""


class CachingEmbedder:
    """An embedder that remembers the rows of short calls, and may be told where known rows are.

    A page asks for the same few phrases again and again: concepts, then keywords, then queries.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        size: int = 10_000,
        known: Callable[[str], NDArray[np.float32] | None] = lambda text: None,
    ) -> None:
        """Keep the `size` rows used last; `known` returns the row (dim,) of a text that it has, or None."""
        self._embedder = embedder
        self._size = size
        self._known = known
        self._rows: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The wrapped embedder's name."""
        return self._embedder.name

    @property
    def fingerprint(self) -> str:
        """The wrapped embedder's fingerprint: its rows are these rows."""
        return self._embedder.fingerprint

    @property
    def dim(self) -> int:
        """Length of a row."""
        return self._embedder.dim

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim); the wrapped embedder gets only texts not seen yet."""
        texts = [_sound(text) for text in texts]
        wanted = dict.fromkeys(texts)
        if len(wanted) > self._size:
            return self._embedder.encode(texts)
        rows = {text: row for text in wanted if (row := self._find(text)) is not None}
        missing = [text for text in wanted if text not in rows]
        if missing:
            rows.update(zip(missing, self._embedder.encode(missing), strict=True))
        with self._lock:
            for text in wanted:
                self._rows[text] = rows[text]
                self._rows.move_to_end(text)
            while len(self._rows) > self._size:
                self._rows.popitem(last=False)
        return np.stack([rows[text] for text in texts]) if texts else np.zeros((0, self.dim), np.float32)

    def _find(self, text: str) -> NDArray[np.float32] | None:
        with self._lock:
            row = self._rows.get(text)
        return self._known(text) if row is None else row


def _sound(text: str) -> str:
    """Return `text` with lone surrogates, which JSON's escapes can make, replaced: no tokenizer takes them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
