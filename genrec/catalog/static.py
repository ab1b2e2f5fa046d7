"""The static sentence encoder: a mean of token rows distilled from all-MiniLM-L6-v2, for millions of items on a CPU.

How the rows are learned is scripts/distill_static.py. model2vec reads the same folder, gives the same rows and is no
faster; it takes 0.4 s to load instead of 0.05, gives zeros for a text without a known token, and sets an environment
variable of the whole process when it is given more than 10,000 texts.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genrec.errors import ModelFileError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

STATIC_SHA256: Mapping[str, str] = {
    "model.safetensors": "9ff227997f527dc97d41ad0a08c24c1554e99dde180af16894c33b76f4bd6567",
    "tokenizer.json": "060f652d9696ff71b1050c0a5b33a9429abf6fdcf1b90ba22b222ede977a2ab2",
}
"""Of the files in static_minilm, printed by scripts/distill_static.py."""

MAX_TOKENS = 128
MAX_CHARACTERS = 2_000
"""Far more than `MAX_TOKENS` tokens of real text: a book in a description costs no time."""

_TOKENIZED = 4_096
"""Texts tokenized at a time: memory does not grow with the call."""

_POOLED = 128
"""Texts summed at a time: their token rows fit the cache."""


class StaticEmbedder:
    """Embedder: the normalized sum of one row of 256 numbers a token. The rows are loaded at the first `encode`."""

    name = "static-minilm-256"
    dim = 256
    fingerprint = f"static-minilm-256:{STATIC_SHA256['model.safetensors'][:16]}:{STATIC_SHA256['tokenizer.json'][:16]}"

    def __init__(self, path: str | Path | None = None) -> None:
        """Take a folder with model.safetensors and tokenizer.json; None: the shipped one."""
        self._folder = Path(str(files("genrec.catalog"))) / "static_minilm" if path is None else Path(path)
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), 256), each the same to the last bit whatever else is in the call.

        A text without a known token has the row of the empty text. Text beyond `MAX_TOKENS` tokens or
        `MAX_CHARACTERS` characters is not read. Raises ModelFileError when the files are missing or are not
        the shipped ones. Never uses the network.
        """
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        if not texts:
            return rows
        with self._lock:  # cached_property alone would let two threads load the rows twice
            table, tokenizer = self._loaded
        for start in range(0, len(texts), _TOKENIZED):
            block = [text[:MAX_CHARACTERS] for text in texts[start : start + _TOKENIZED]]
            ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(block, add_special_tokens=False)]
            for at in range(0, len(ids), _POOLED):
                pooled = _pool(table, ids[at : at + _POOLED])
                rows[start + at : start + at + len(pooled)] = pooled
        return rows

    @cached_property
    def _loaded(self) -> "tuple[NDArray[np.float32], Tokenizer]":
        """The token rows (tokens, dim), the row of the empty text at 0, and the tokenizer."""
        weights, vocabulary = (_read(self._folder / name) for name in STATIC_SHA256)
        from safetensors.numpy import load
        from tokenizers import Tokenizer

        stored = load(weights)
        table = stored["embeddings"].astype(np.float32)  # from int8 (tokens, dim)
        table *= stored["weights"][:, None]
        tokenizer: Tokenizer = Tokenizer.from_str(vocabulary.decode("utf-8"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        table[tokenizer.token_to_id("[UNK]")] = 0.0
        return table, tokenizer


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}; reinstall genrec") from error
    found, expected = hashlib.sha256(content).hexdigest(), STATIC_SHA256[path.name]
    if found != expected:
        raise ModelFileError(
            f"{path}: SHA-256 is {found[:16]}..., that of {StaticEmbedder.name} is {expected[:16]}...; "
            "the file is damaged or another model: reinstall genrec"
        )
    return content


def _pool(table: NDArray[np.float32], ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    """Return the normalized sums of rows of `table`, float32 (len(ids), dim); row 0 where nothing is summed."""
    lengths = np.fromiter((len(row) for row in ids), dtype=np.int64, count=len(ids))
    sums = np.zeros((len(ids), table.shape[1]), dtype=np.float32)
    filled = np.flatnonzero(lengths)  # `reduceat` would give an empty text the token after it
    if len(filled):
        flat = np.fromiter(chain.from_iterable(ids), dtype=np.int64, count=int(lengths.sum()))
        starts = np.concatenate([[0], np.cumsum(lengths[filled])[:-1]])
        sums[filled] = np.add.reduceat(table[flat], starts, axis=0)
    norms = np.sqrt(np.einsum("ij,ij->i", sums, sums))
    empty = norms < 1e-6
    sums[empty], norms[empty] = table[0], np.sqrt(table[0] @ table[0])
    sums /= norms[:, None]
    return sums
