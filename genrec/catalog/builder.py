"""Writing an index: one pass over a stream of items, whatever their number. Opening one is in store.py.

items.jsonl, ids, items.starts               the items, in item_id order
price, popularity, ..., facets, departments  columns.py
terms, bm25...                               bm25.py
vectors, texts                               dense.py; digests of what was embedded, so that it is embedded once
keywords...                                  keywords.py
title_stems                                  the stems of all titles
"""

import gc
import hashlib
import json
import mmap
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from genrec.catalog.artifact import Artifact, Draft, Kind, writing
from genrec.catalog.bm25_builder import BM25Builder
from genrec.catalog.checked import CheckedArray, save_array
from genrec.catalog.columns import ColumnsBuilder
from genrec.catalog.dense import VectorIndex
from genrec.catalog.encoder import Embedder
from genrec.catalog.item_store import LINES
from genrec.catalog.items import Item
from genrec.catalog.keywords import KeywordVocabulary
from genrec.catalog.phrases import PhraseCounter
from genrec.catalog.row_writer import KnownRows, RowWriter, digests_of
from genrec.catalog.strings import SortedStrings
from genrec.catalog.text import item_dense_text, item_text, tokenize
from genrec.errors import CatalogError, IndexStateError

INDEX = Kind("index", 2, "rebuild it with `genrec index CATALOG -o DIR`")

_SPOOL = "spool"
_TUNING_QUERIES = 500

Progress = Callable[[str, int, int], None]
"""Called with a stage name, how many are done and how many there are (0: not known yet)."""


class Written(NamedTuple):
    """What one write did."""

    items: int
    added: int
    """Items whose id was not in the index that was there before."""
    removed: int
    """Items of the index that was there before whose id is gone."""
    embedded: int
    """Texts of items and keywords that no earlier index had the vector of."""


def write_index(
    items: Iterable[Item],
    path: Path,
    embedder: Embedder,
    *,
    name: str,
    reuse: Sequence[Path] = (),
    source: object = None,
    wait: float = 0,
    progress: Progress | None = None,
) -> Written:
    """Write the index of `items` as the current generation of `path`, all or nothing.

    Vectors of texts that the index at `path` or one in `reuse` holds are taken from there when the same encoder made
    it. `source` is kept in the manifest. Raises CatalogError without items or for an id given twice, IndexStateError
    when `path` cannot be written or another process is still writing there after `wait` seconds.
    """
    report = progress or (lambda stage, done, total: None)
    with writing(path, INDEX, wait=wait) as draft, _without_collections():
        known, before = _earlier(path, reuse, embedder)
        ids = _write_items(items, draft.folder, path, report)
        _write_parts(draft, len(ids), known, report)
        kept = _shared(ids, before)
        draft.facts.update(
            name=name,
            encoder={"name": embedder.name, "fingerprint": embedder.fingerprint, "dim": embedder.dim},
            source=source,
        )
        return Written(len(ids), len(ids) - kept, len(before) - kept, known.embedded)


def _write_parts(draft: Draft, count: int, known: KnownRows, report: Progress) -> None:
    """Write everything that is made from the items, which are read once more, in order."""
    folder = draft.folder
    dtype = VectorIndex.row_dtype(count)
    rows = RowWriter(folder / "vectors.npy", count, dtype, known, lambda done: report("items", done, count))
    lexical, columns, phrases, stems = BM25Builder(), ColumnsBuilder(), PhraseCounter(), set[str]()
    content = hashlib.sha256(known.embedder.fingerprint.encode())
    with (folder / LINES).open("rb") as lines:
        for line in lines:
            content.update(line)
            item = Item.model_validate_json(line)
            lexical.add(item_text(item))
            columns.add(item)
            phrases.add(item)
            stems.update(tokenize(item.title))
            rows.add(item_dense_text(item))
    save_array(folder / "texts.npy", rows.finish())
    columns.save(folder)
    lexical.finish().save(folder, "bm25")
    SortedStrings.of(stems).save(folder, "title_stems")
    keywords = _write_keywords(folder, phrases, known, report)
    draft.facts.update(
        fingerprint=content.hexdigest()[:16],
        sizes={"items": count, "keywords": len(keywords)},
        dense=_train_approximate(folder, keywords, known.embedder, report),
    )


def _shared(one: SortedStrings, other: SortedStrings) -> int:
    """Return how many strings are in both."""
    count = 0
    strings = iter(other)
    there = next(strings, None)
    for string in one:
        while there is not None and there < string:
            there = next(strings, None)
        count += there == string
    return count


@contextmanager
def _without_collections() -> Iterator[None]:
    """Many new objects, none of them garbage: collections would take most of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _earlier(path: Path, reuse: Sequence[Path], embedder: Embedder) -> tuple[KnownRows, SortedStrings]:
    """Return the rows that earlier indexes hold, and the ids of the index at `path`."""
    known, ids = KnownRows(embedder), SortedStrings.of([])
    for place in dict.fromkeys([path, *reuse]):
        try:
            artifact = Artifact.open(place, INDEX)
            if place == path:
                ids = SortedStrings.open(artifact, "ids")
            if artifact.facts["encoder"]["fingerprint"] == embedder.fingerprint:
                known.add(artifact.array("texts").whole(), artifact.array("vectors"))
                known.add(digests_of(SortedStrings.open(artifact, "keywords")), artifact.array("keyword_vectors"))
                known.add(artifact.array("merged").whole(), artifact.array("merged_vectors"))
        except IndexStateError:
            continue  # nothing to reuse there; what can be wrong with it is reported where it is opened
    return known, ids


def _write_keywords(folder: Path, phrases: PhraseCounter, known: KnownRows, report: Progress) -> KeywordVocabulary:
    """Write the keywords, and the rows of phrases that mean the same as one, so that they too are embedded once."""
    texts = [phrase.text for phrase in phrases.phrases()]
    writer = RowWriter(
        folder / _SPOOL, len(texts), np.dtype(np.float32), known, lambda done: report("keywords", done, len(texts))
    )
    for text in texts:
        writer.add(text)
    digests = writer.finish()
    rows = np.load(folder / _SPOOL)
    (folder / _SPOOL).unlink()
    place = {text: row for row, text in enumerate(texts)}
    keywords = KeywordVocabulary.build(phrases.phrases(), lambda wanted: rows[[place[text] for text in wanted]])
    keywords.save(folder)
    merged = [row for row, text in enumerate(texts) if text not in keywords.phrases]
    save_array(folder / "merged.npy", digests[merged])
    save_array(folder / "merged_vectors.npy", rows[merged])
    return keywords


def _train_approximate(
    folder: Path, keywords: KeywordVocabulary, embedder: Embedder, report: Progress
) -> dict[str, object]:
    """Add the approximate index where rows are many, tuned for what is searched for: keywords, and words of titles."""
    written = np.load(folder / "vectors.npy", mmap_mode="r")
    if VectorIndex.row_dtype(len(written)) == np.float32:
        return {"exact": True}
    report("approximate", 0, 0)
    rng = np.random.default_rng(0)
    phrases = keywords.vectors.rows(np.sort(rng.permutation(len(keywords))[:_TUNING_QUERIES]))
    typed = embedder.encode(_words_of_titles(folder, rng))
    index = VectorIndex.build(CheckedArray.of(written), np.concatenate([phrases, typed]))
    if index.approximate is not None:
        index.approximate.save(folder, "vectors")
    return {"exact": False, "recall@100": index.recall}


def _words_of_titles(folder: Path, rng: np.random.Generator) -> list[str]:
    """Return one to four neighbouring words of the titles of random items, as people type them."""
    starts = np.load(folder / "items.starts.npy", mmap_mode="r")
    found = []
    with (folder / LINES).open("rb") as lines:
        for row in np.sort(rng.integers(len(starts) - 1, size=_TUNING_QUERIES)).tolist():
            lines.seek(int(starts[row]))
            words = Item.model_validate_json(lines.readline()).title.replace(",", " ").split()
            first = int(rng.integers(max(len(words), 1)))
            found.append(" ".join(words[first : first + int(rng.integers(1, 5))]))
    return found


def _write_items(items: Iterable[Item], folder: Path, path: Path, progress: Progress) -> SortedStrings:
    """Write the items in item_id order, and the ids; only ids and places are held in memory."""
    spool = folder / _SPOOL
    starts = array("q", [0])
    ids: list[str] = []
    with spool.open("wb") as spooling:
        for item in items:
            starts.append(starts[-1] + spooling.write(line_of(item)))
            ids.append(item.item_id)
            if len(ids) % 10_000 == 0:
                progress("reading", len(ids), 0)
    if not ids:
        raise CatalogError(f"{path}: not written, the catalog is empty; give it at least one item")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    try:
        in_order = SortedStrings.of(ids)
    except ValueError as error:
        raise CatalogError(f"{path}: not written, item_id {error}; give every item its own id") from error
    in_order.save(folder, "ids")
    sizes = np.diff(np.array(starts))[order]
    save_array(folder / "items.starts.npy", np.concatenate([[0], np.cumsum(sizes)]))
    with (
        spool.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as spooled,
        (folder / LINES).open("wb") as written,
    ):
        for row in order:
            written.write(spooled[starts[row] : starts[row + 1]])
    spool.unlink()
    return in_order


def line_of(item: Item) -> bytes:
    """Return one line of JSON, the same in every process; what has its default value is left out."""
    fields = item.model_dump(exclude_defaults=True)
    for name in ("dietary", "allergens"):  # a set has another order in every process
        if name in fields:
            fields[name] = sorted(fields[name])
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
