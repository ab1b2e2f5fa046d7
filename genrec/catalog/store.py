"""Catalog: open a catalog file or an index directory, build and update an index directory."""

import copy
import glob
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.artifact import Artifact, may_be_written, read_facts
from genrec.catalog.bm25 import BM25Index
from genrec.catalog.builder import INDEX, Progress, Written, write_index
from genrec.catalog.columns import Columns, Department
from genrec.catalog.dense import VectorIndex
from genrec.catalog.embedders import open_embedder
from genrec.catalog.encoder import CachingEmbedder, Embedder
from genrec.catalog.hybrid import Fusion, HybridIndex, Index, by_rank
from genrec.catalog.ingest import ItemStream
from genrec.catalog.item_store import ItemStore
from genrec.catalog.items import Item
from genrec.catalog.keywords import KeywordVocabulary
from genrec.catalog.manifest import MANIFEST
from genrec.catalog.strings import SortedStrings
from genrec.errors import CatalogError, IndexStateError

SAMPLE = Path(__file__).parent / "sample"

_PATIENCE = 3_600.0
"""Seconds that `open` waits for another process that is indexing the same file."""


class Catalog:
    """What can be shown, and finding it. Safe to use from several threads; nothing in it changes."""

    def __init__(self, artifact: Artifact, embedder: Embedder, fusion: Fusion = by_rank) -> None:
        """Take an opened index and the encoder that made it; `open` and `build` do."""
        self.facts: Mapping[str, Any] = artifact.facts
        self.name = str(artifact.facts["name"])
        self.fingerprint = str(artifact.facts["fingerprint"])
        self.keywords = KeywordVocabulary.open(artifact)
        self.embedder: Embedder = CachingEmbedder(embedder, known=self.keywords.vector_of)
        self.title_stems = SortedStrings.open(artifact, "title_stems")
        self._items = ItemStore.open(artifact)
        self._columns = Columns.open(artifact)
        self._vectors = VectorIndex.open(artifact)
        lexical = BM25Index.open(artifact)
        self.index: Index = HybridIndex(
            self._items, self._columns, lexical, self._vectors, self.embedder, fusion=fusion
        )
        self._artifact = artifact

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        *,
        embedder: Embedder | str | None = None,
        mapping: Mapping[str, tuple[str, ...]] | None = None,
        skip_invalid: bool = False,
        home: str | Path | None = None,
        fusion: Fusion = by_rank,
        progress: Progress | None = None,
    ) -> "Catalog":
        """Open an index directory, a catalog file, or with None the sample catalog.

        An index directory opens in well under a second whatever its size. A file is indexed into `home`/indexes
        (`home` is GENREC_HOME or ./.genrec) the first time, and again when its content, the `mapping` or the encoder
        change; items that did not change keep their vectors.
        `embedder` is an encoder or the name of one (`open_embedder`); it defaults to the one that made the index, and
        for a file to MiniLM. Its weights are loaded when the first text is embedded. `fusion` joins the lexical and the
        dense ranking.

        Raises CatalogError when the file cannot be read as items, and IndexStateError when an index directory
        is missing, damaged, of another format or made by another encoder.
        """
        source = SAMPLE / "catalog.jsonl" if path is None else Path(path)
        if source.is_dir():
            return cls._load(source, embedder, fusion)
        if not source.is_file():
            raise CatalogError(f"{source}: no such catalog file or index directory; check the path")
        encoder = _encoder(embedder)
        indexes = Path(home or os.environ.get("GENREC_HOME") or ".genrec") / "indexes"
        read_as = repr((sorted((mapping or {}).items()), mapping is None, skip_invalid))
        key = hashlib.sha256(repr((str(source.resolve()), read_as, encoder.fingerprint)).encode()).hexdigest()
        target = indexes / f"{source.stem}-{key[:16]}"
        try:
            if _is_of(source, read_facts(target, INDEX)["source"]):
                return cls._load(target, encoder, fusion)
        except IndexStateError:
            pass  # the catalog file is at hand: a damaged cache is made again, not reported
        others = sorted(indexes.glob(f"{glob.escape(source.stem)}-*"), key=lambda p: p.stat().st_mtime)
        state = _state(source)
        write_index(
            ItemStream(source, mapping=mapping, skip_invalid=skip_invalid),
            target,
            encoder,
            name=source.stem,
            reuse=others[-1:],
            source=state,
            wait=_PATIENCE,
            progress=progress,
        )
        return cls._load(target, encoder, fusion)

    @classmethod
    def build(
        cls,
        items: Iterable[Item],
        path: str | Path,
        embedder: Embedder | str | None = None,
        *,
        name: str | None = None,
        progress: Progress | None = None,
    ) -> "Catalog":
        """Write an index directory at `path`, all or nothing, and open it; see `update`."""
        cls.update(items, path, embedder, name=name, progress=progress)
        return cls._load(Path(path), embedder)

    @classmethod
    def update(
        cls,
        items: Iterable[Item],
        path: str | Path,
        embedder: Embedder | str | None = None,
        *,
        name: str | None = None,
        reuse: Sequence[Path] = (),
        progress: Progress | None = None,
    ) -> Written:
        """Make the index at `path` one of exactly these items, which are read once, as a stream.

        Vectors of texts that it, or an index in `reuse`, already holds are kept; items that are not given are gone.
        Readers of the index are not disturbed. Raises CatalogError without items or for an id given twice,
        IndexStateError when it cannot be written; then what was at `path` is still there. `embedder` defaults to the
        one that made the index at `path`, and to MiniLM.
        """
        path = Path(path)
        if not may_be_written(path):
            raise IndexStateError(f"{path}: exists and is not an index; name another directory")
        if embedder is None and (path / MANIFEST).exists():
            embedder = _made_by(path)
        encoder = _encoder(embedder)
        return write_index(items, path, encoder, name=name or path.name, reuse=reuse, progress=progress)

    @classmethod
    def _load(cls, path: Path, embedder: Embedder | str | None, fusion: Fusion = by_rank) -> "Catalog":
        artifact = Artifact.open(path, INDEX)
        made_by = artifact.facts["encoder"]
        encoder = _encoder(made_by["name"] if embedder is None else embedder)
        if made_by["fingerprint"] != encoder.fingerprint:
            raise IndexStateError(
                f"{path}: made by the encoder {made_by['name']} ({made_by['fingerprint']}), to be searched with "
                f"{encoder.name} ({encoder.fingerprint}); open it with the encoder that made it, or {INDEX.remedy}"
            )
        try:
            return cls(artifact, encoder, fusion)
        except (OSError, ValueError, KeyError) as error:
            raise IndexStateError(f"{path}: its parts do not fit together ({error}); {INDEX.remedy}") from error

    def with_index(self, index: Index) -> "Catalog":
        """Return this catalog, searched through another engine; everything else stays where it is."""
        other = copy.copy(self)
        other.index = index
        return other

    @property
    def items(self) -> Mapping[str, Item]:
        """Every item by its id, in the order of ids; each is read when it is asked for."""
        return self._items

    @property
    def departments(self) -> tuple[Department, ...]:
        """What the departments sell, the one with the best seller first."""
        return self._columns.departments

    @property
    def diets(self) -> frozenset[str]:
        """The diets that any item declares, folded."""
        return self._columns.diets()

    def item_ids(self, rows: NDArray[np.integer]) -> list[str]:
        """Return the ids of rows, as in `Department.best_rows`."""
        return self._items.ids.many(rows)

    def vector_of(self, item_id: str) -> NDArray[np.float32]:
        """Return the item's unit row, float32 (dim,). Raises KeyError for an unknown id."""
        row: NDArray[np.float32] = self._vectors.rows(np.array([self._items.row(item_id)]))[0]
        return row

    def declares_diets(self, item: Item) -> bool:
        """Whether a diet that `item` does not declare may be read as one it is not fit for (closed world).

        True where at least `DECLARED_SHARE` of the items of its department carry any dietary tag.
        """
        return item.department in self._columns.declaring

    def popularity_rank(self, item_id: str) -> float:
        """Return the item's place by popularity, from 0 (nothing sells less) to 1; equals share the middle.

        (items below + half of the other equals) / (items - 1); 1 for an only item. Raises KeyError.
        """
        return self._columns.popularity_rank(self._items.row(item_id))

    def verify(self) -> None:
        """Read every byte of the index. Raises IndexStateError where one has changed."""
        self._artifact.verify()


def _encoder(embedder: Embedder | str | None) -> Embedder:
    return open_embedder(embedder) if embedder is None or isinstance(embedder, str) else embedder


def _made_by(path: Path) -> str | None:
    """Return the name of the encoder that made an index, or None when it cannot be told."""
    try:
        return str(read_facts(path, INDEX)["encoder"]["name"])
    except IndexStateError:
        return None


def _state(source: Path) -> dict[str, object]:
    """What tells whether a catalog file is still the one that was indexed."""
    facts = source.stat()
    with source.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": facts.st_size, "mtime_ns": facts.st_mtime_ns, "sha256": content}


def _is_of(source: Path, state: Any) -> bool:
    """Whether `state` is that of the file: its content is read only when its size or time differ."""
    facts = source.stat()
    if not isinstance(state, dict) or facts.st_size != state["size"]:
        return False
    return bool(facts.st_mtime_ns == state["mtime_ns"] or _state(source)["sha256"] == state["sha256"])
