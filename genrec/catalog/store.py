"""Catalog: open a catalog file or an index directory, build and update an index directory."""

import bisect
import glob
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.artifact import MANIFEST, recover
from genrec.catalog.bm25 import BM25Index
from genrec.catalog.dense import CachingEmbedder, Embedder, MiniLM, VectorIndex
from genrec.catalog.hybrid import HybridIndex
from genrec.catalog.index_files import (
    REMEDY,
    Progress,
    digest,
    read_index_items,
    read_index_manifest,
    write_index,
)
from genrec.catalog.ingest import read_items
from genrec.catalog.items import Item
from genrec.catalog.keywords import KeywordVocabulary
from genrec.errors import CatalogError, IndexStateError

SAMPLE = Path(__file__).parent / "sample"
SHIPPED = SAMPLE / "index"
"""Where an index of the sample may be shipped, so that its vectors need not be made on the first run."""

DECLARED_SHARE = 0.2
"""Share of a department's items that carry a dietary tag from which a missing tag there means 'not fit'."""


class Catalog:
    """What can be shown, and finding it. Safe to use from several threads; nothing in it changes."""

    def __init__(
        self,
        items: Sequence[Item],
        bm25: BM25Index,
        vectors: VectorIndex,
        keywords: KeywordVocabulary,
        embedder: Embedder,
        *,
        name: str,
        fingerprint: str,
    ) -> None:
        """Take parts made of the same items in the same order; `open` and `build` do."""
        self.items: Mapping[str, Item] = MappingProxyType({item.item_id: item for item in items})
        self.keywords = keywords
        self.embedder: Embedder = CachingEmbedder(embedder, known=keywords.vector_of)
        self.index = HybridIndex(items, bm25, vectors, self.embedder)
        self.name = name
        self.fingerprint = fingerprint
        self._vectors = vectors.vectors
        self._rows = {item.item_id: row for row, item in enumerate(items)}
        self._popularity = sorted(item.popularity for item in items)
        total = Counter(item.department for item in items)
        declared = Counter(item.department for item in items if item.dietary)
        self._declaring = frozenset(d for d, count in total.items() if declared[d] >= DECLARED_SHARE * count)

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        *,
        embedder: Embedder | None = None,
        mapping: Mapping[str, tuple[str, ...]] | None = None,
        skip_invalid: bool = False,
        home: str | Path | None = None,
        progress: Progress | None = None,
    ) -> "Catalog":
        """Open an index directory, a catalog file, or with None the sample catalog.

        A file is indexed into `home`/indexes (`home` is GENREC_HOME or ./.genrec) the first time, and again
        when its content, the `mapping` or the encoder change; items that did not change keep their vectors.
        `embedder` defaults to MiniLM, whose weights are loaded when the first text is embedded.

        Raises CatalogError when the file cannot be read as items, and IndexStateError when an index directory
        is missing, damaged, of another format or made by another encoder.
        """
        embedder = embedder or MiniLM()
        source = SAMPLE / "catalog.jsonl" if path is None else Path(path)
        recover(source)
        if source.is_dir():
            return cls._load(source, embedder)
        if not source.is_file():
            raise CatalogError(f"{source}: no such catalog file or index directory; check the path")
        indexes = Path(home or os.environ.get("GENREC_HOME") or ".genrec") / "indexes"
        key = digest(source.read_bytes(), repr((sorted((mapping or {}).items()), mapping is None, skip_invalid)))
        target = indexes / f"{source.stem}-{digest(key.encode(), embedder.fingerprint)[:16]}"
        recover(target)
        if target.is_dir():
            try:
                return cls._load(target, embedder)
            except IndexStateError:
                pass  # the catalog file is at hand: a damaged cache is made again, not reported
        items = read_items(source, mapping=mapping, skip_invalid=skip_invalid)
        earlier = sorted(indexes.glob(f"{glob.escape(source.stem)}-*"), key=lambda p: p.stat().st_mtime)
        reuse = [SHIPPED, target, *earlier[-1:]]
        return cls.build(items, target, embedder, name=source.stem, progress=progress, reuse=reuse)

    @classmethod
    def build(
        cls,
        items: Sequence[Item],
        path: str | Path,
        embedder: Embedder | None = None,
        *,
        name: str | None = None,
        progress: Progress | None = None,
        reuse: Sequence[Path] | None = None,
    ) -> "Catalog":
        """Write an index directory at `path`, all or nothing, and open it.

        Vectors of texts that an index in `reuse` (default: the one at `path`) already holds are taken from
        there. Raises CatalogError without items or for an id given twice; then what was at `path` is still
        there.
        """
        path, embedder = Path(path), embedder or MiniLM()
        if not items:
            raise CatalogError(f"{path}: not written, the catalog is empty; give it at least one item")
        twice = [item_id for item_id, count in Counter(item.item_id for item in items).items() if count > 1]
        if twice:
            raise CatalogError(f"{path}: not written, duplicate item_id {twice[0]!r}; give every item its own id")
        if path.exists() and not (path.is_dir() and ((path / MANIFEST).exists() or not any(path.iterdir()))):
            raise IndexStateError(f"{path}: exists and is not an index; name another directory")
        recover(path)
        write_index(
            items,
            path,
            embedder,
            name=name or path.name,
            reuse=[path] if reuse is None else reuse,
            progress=progress,
        )
        return cls._load(path, embedder)

    @classmethod
    def _load(cls, path: Path, embedder: Embedder) -> "Catalog":
        manifest = read_index_manifest(path, embedder)
        try:
            items = read_index_items(path)
            ids = [item.item_id for item in items]
            return cls(
                items,
                BM25Index.load(path / "bm25.npz", ids),
                VectorIndex.load(path / "vectors.npy", ids),
                KeywordVocabulary.load(path),
                embedder,
                name=str(manifest["name"]),
                fingerprint=str(manifest["fingerprint"]),
            )
        except (OSError, ValueError, KeyError) as error:
            raise IndexStateError(f"{path}: its parts do not fit together ({error}); {REMEDY}") from error

    def vector_of(self, item_id: str) -> NDArray[np.float32]:
        """Return the item's unit row, float32 (dim,). Raises KeyError for an unknown id."""
        row: NDArray[np.float32] = self._vectors[self._rows[item_id]]
        return row

    def declares_diets(self, item: Item) -> bool:
        """Whether a diet that `item` does not declare may be read as one it is not fit for (closed world).

        True where at least `DECLARED_SHARE` of the items of its department carry any dietary tag.
        """
        return item.department in self._declaring

    def popularity_rank(self, item_id: str) -> float:
        """Return the item's place by popularity, from 0 (nothing sells less) to 1; equals share the middle.

        (items below + half of the other equals) / (items - 1); 1 for an only item. Raises KeyError.
        """
        others = len(self._popularity) - 1
        popularity = self.items[item_id].popularity
        below = bisect.bisect_left(self._popularity, popularity)
        equal = bisect.bisect_right(self._popularity, popularity) - below - 1
        return (below + equal / 2) / others if others else 1.0
