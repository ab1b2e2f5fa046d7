"""The files of an index directory: writing them, reusing the vectors of earlier ones, reading items back.

items.jsonl  bm25.npz  vectors.npy  keywords.json  keywords.npy  manifest.json (last)
"""

import gc
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.artifact import read_manifest, replacing, write_manifest
from genrec.catalog.bm25 import BM25Index
from genrec.catalog.dense import Embedder, VectorIndex
from genrec.catalog.items import Item
from genrec.catalog.keywords import KeywordVocabulary
from genrec.catalog.text import item_dense_text, item_text
from genrec.errors import IndexStateError

KIND = "index"
FORMAT_VERSION = 1
REMEDY = "rebuild it with `genrec index CATALOG -o DIR`"

_CHUNK = 256

Progress = Callable[[str, int, int], None]
"""Called with a stage name, how many are done and how many there are."""


def write_index(
    items: Sequence[Item],
    path: Path,
    embedder: Embedder,
    *,
    name: str,
    reuse: Sequence[Path],
    progress: Progress | None,
) -> None:
    """Write the index of `items` at `path`, all or nothing.

    Vectors of texts that an index in `reuse` holds are taken from there when the same encoder made it.
    """
    encode = _Reusing(embedder, reuse, progress)
    ids = [item.item_id for item in items]
    with replacing(path) as folder:
        lines = [_line(item) for item in items]
        (folder / "items.jsonl").write_text("".join(lines), "utf-8")
        BM25Index.build(ids, [item_text(item) for item in items]).save(folder / "bm25.npz")
        VectorIndex(ids, encode("items", [item_dense_text(item) for item in items])).save(folder / "vectors.npy")
        keywords = KeywordVocabulary.build(items, lambda phrases: encode("keywords", phrases))
        keywords.save(folder)
        write_manifest(
            folder,
            {
                "kind": KIND,
                "format_version": FORMAT_VERSION,
                "name": name,
                "fingerprint": digest("".join(lines).encode(), embedder.fingerprint)[:16],
                "encoder": {"name": embedder.name, "fingerprint": embedder.fingerprint, "dim": embedder.dim},
                "sizes": {"items": len(items), "keywords": len(keywords)},
            },
        )


class _Reusing:
    """Encodes texts, taking the vectors of known ones from earlier indexes made by the same encoder."""

    def __init__(self, embedder: Embedder, indexes: Sequence[Path], progress: Progress | None) -> None:
        self._embedder = embedder
        self._progress = progress or (lambda stage, done, total: None)
        self._known: dict[str, NDArray[np.float32]] = {}
        for path in indexes:
            try:
                read_index_manifest(path, embedder)
                texts = [item_dense_text(item) for item in read_index_items(path)]
                self._known.update(zip(texts, VectorIndex.load(path / "vectors.npy", texts).vectors, strict=True))
                keywords = KeywordVocabulary.load(path)
            except (IndexStateError, OSError, ValueError):
                continue  # nothing to reuse there; what can be wrong with it is reported where it is opened
            self._known.update(zip(keywords.phrases, keywords.vectors, strict=True))

    def __call__(self, stage: str, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self._embedder.dim), dtype=np.float32)
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            self._known.update(zip(chunk, self._embedder.encode(chunk), strict=True))
            self._progress(stage, start + len(chunk), len(missing))
        for place, text in enumerate(texts):
            rows[place] = self._known[text]
        return rows


def read_index_manifest(path: Path, embedder: Embedder) -> dict[str, object]:
    """Return the manifest of a whole index made by `embedder`. Raises IndexStateError for any other."""
    manifest = read_manifest(path, kind=KIND, version=FORMAT_VERSION, remedy=REMEDY)
    encoder = manifest.get("encoder")
    made = encoder.get("fingerprint") if isinstance(encoder, dict) else None
    if made != embedder.fingerprint:
        raise IndexStateError(
            f"{path}: made by the encoder {made}, to be searched with {embedder.fingerprint}; "
            f"open it with the encoder that made it, or {REMEDY}"
        )
    return manifest


def read_index_items(path: Path) -> list[Item]:
    """Return the items of the index at `path`, in its order. Raises ValueError or OSError."""
    collecting = gc.isenabled()
    gc.disable()  # many new objects, none of them garbage: collections would take 3/4 of the time
    try:
        with (path / "items.jsonl").open("rb") as file:
            return [Item.model_validate_json(line) for line in file]
    finally:
        if collecting:
            gc.enable()


def _line(item: Item) -> str:
    """Return one line of JSON that is the same in every process: sets have no order of their own."""
    fields = item.model_dump(mode="json")
    fields.update(dietary=sorted(item.dietary), allergens=sorted(item.allergens))
    return json.dumps(fields, ensure_ascii=False, sort_keys=True) + "\n"


def digest(content: bytes, extra: str) -> str:
    """Return the SHA-256, in hex, of `content` and `extra` together."""
    return hashlib.sha256(hashlib.sha256(content).digest() + extra.encode()).hexdigest()
