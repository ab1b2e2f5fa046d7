"""What is searched: a folder with a catalog, its texts, their vectors by one embedder, and queries. Nothing is timed.

Catalogs come from The Complete Journey where its files are at hand and large enough, and from synthetic.py otherwise.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import synthetic
from numpy.typing import NDArray

from genrec.catalog.ingest import read_items
from genrec.catalog.items import Item
from genrec.catalog.text import item_dense_text, item_text, tokenize, words

ROOT = Path(__file__).resolve().parent.parent
JOURNEY = ROOT.parent / "shared" / "data" / "completejourney"
SEED = 3
SINGLE, PAGE = 200, 48
"""Queries asked one by one, and those of one page asked together."""

SAMPLED = 20_000
"""Items that queries are drawn from."""


class Hashed:
    """Stands in for an embedder where no model is at hand: signed hashed words, 256 dims. Quality is not its point."""

    name, fingerprint, dim = "hashed", "benchmark-hashed-256", 256

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        known: dict[str, NDArray[np.float32]] = {}
        for row, text in zip(rows, texts, strict=True):
            for word in words(text):
                if word not in known:
                    seed = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")
                    known[word] = np.random.default_rng(seed).standard_normal(self.dim, dtype=np.float32)
                row += known[word]
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def embedder_named(name: str):
    """An embedder by the name of the command line."""
    if name == "hashed":
        return Hashed()
    from genrec.catalog.embedders import open_embedder

    return open_embedder(name)


class Given:
    """An embedder whose rows are known already, so that a search costs no embedding; `seconds` counts the others."""

    def __init__(self, facts: dict, known: dict[str, NDArray[np.float32]]) -> None:
        self.name, self.fingerprint, self.dim = facts["embedder"], facts["fingerprint"], facts["dim"]
        self._asked, self._known, self._embedder = facts["asked"], known, None
        self.seconds = 0.0

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        start = time.perf_counter()
        missing = [text for text in texts if text not in self._known]
        if missing:
            self._embedder = self._embedder or embedder_named(self._asked)
        found = dict(zip(missing, self._embedder.encode(missing), strict=True)) if missing else {}
        rows = [found[text] if text in found else self._known[text] for text in texts]
        self.seconds += time.perf_counter() - start
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)


class Workload:
    """One folder: catalog.jsonl, texts.jsonl (id, lexical, dense), vectors.npy, queries.json, queries.npy, facts.json.

    Rows are in item_id order everywhere, so ties by row are ties by item_id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        self.queries: list[str] = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
        self.query_vectors: NDArray[np.float32] = np.load(folder / "queries.npy")

    def items(self) -> list[Item]:
        return read_items(self.folder / "catalog.jsonl")

    def vectors(self) -> NDArray[np.float32]:
        return np.asarray(np.load(self.folder / "vectors.npy", mmap_mode="r"))

    def texts(self) -> Iterator[tuple[str, str, str]]:
        """Yield item_id, text for lexical search and text for dense search."""
        with (self.folder / "texts.jsonl").open(encoding="utf-8") as file:
            yield from (tuple(json.loads(line)) for line in file)

    def ids(self) -> NDArray[np.str_]:
        return np.array([item_id for item_id, _, _ in self.texts()])

    def known_queries(self) -> dict[str, NDArray[np.float32]]:
        return dict(zip(self.queries, self.query_vectors, strict=True))

    def known_texts(self) -> dict[str, NDArray[np.float32]]:
        return dict(zip((dense for _, _, dense in self.texts()), self.vectors(), strict=True))


def prepare(work: Path, size: int, embedder_name: str, catalog: Path | None) -> Workload:
    """Make the workload of `size` items, or open the one made before."""
    source = catalog or journey(work)
    known = source is not None and _lines(source) >= size
    name = f"{source.stem if known else 'synthetic'}-{size}-{Path(embedder_name).name}"
    folder = work / name
    if (folder / "facts.json").exists():
        return Workload(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if known:
        lines = source.read_text(encoding="utf-8").splitlines()
        lines = sorted(Random(SEED).sample(lines, size), key=lambda line: json.loads(line)["item_id"])
        (folder / "catalog.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    else:
        synthetic.write(folder / "catalog.jsonl", size)
    items = read_items(folder / "catalog.jsonl")
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps((item.item_id, item_text(item), item_dense_text(item)), ensure_ascii=False) + "\n"
            for item in items
        )
    queries = draw_queries(Random(SEED).sample(items, min(SAMPLED, size)), SINGLE + PAGE)
    del items
    (folder / "queries.json").write_text(json.dumps(queries, ensure_ascii=False, indent=0), encoding="utf-8")
    _embed(folder, size, embedder_name, queries, source if known else Path("synthetic.py"))
    return Workload(folder)


def _embed(folder: Path, size: int, asked: str, queries: list[str], source: Path) -> None:
    """Write vectors of the dense texts and of the queries, and last the facts."""
    embedder = embedder_named(asked)
    np.save(folder / "queries.npy", embedder.encode(queries))
    rows = np.lib.format.open_memmap(folder / "vectors.npy", mode="w+", dtype=np.float32, shape=(size, embedder.dim))
    start = time.perf_counter()
    with (folder / "texts.jsonl").open(encoding="utf-8") as file:
        texts = (json.loads(line)[2] for line in file)
        for first in range(0, size, 8192):
            rows[first : first + 8192] = embedder.encode(list(islice(texts, 8192)))
    rows.flush()
    facts = {
        "size": size,
        "source": source.name,
        "asked": asked,
        "embedder": embedder.name,
        "fingerprint": embedder.fingerprint,
        "dim": embedder.dim,
        "embed_s": time.perf_counter() - start,
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")


def journey(work: Path) -> Path | None:
    """The catalog that scripts/completejourney.py makes, or None where its files are absent."""
    made = work / "completejourney.jsonl"
    if made.exists() or not JOURNEY.is_dir():
        return made if made.exists() else None
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        target = Path(folder) / "catalog.jsonl"
        script, data = ROOT / "scripts" / "completejourney.py", JOURNEY / "products.csv.gz"
        options = ["-o", target, "--transactions", JOURNEY / "transactions.csv.gz"]
        subprocess.run([sys.executable, script, data, *options], check=True, stdout=subprocess.DEVNULL)
        target.rename(made)
    return made


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def draw_queries(items: Sequence[Item], count: int) -> list[str]:
    """Distinct queries of 1 to 4 words: two in five from titles, the others category names and frequent word pairs."""
    random = Random(SEED)
    pairs: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for item in items:
        kept = [word for word in words(item.title) if not re.search(r"\d", word)]
        pairs.update(f"{one} {two}" for one, two in zip(kept, kept[1:], strict=False))
        categories.update(" ".join(words(name)[:4]) for name in item.categories)
    commonest = [pair for pair, _ in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:1000]]
    names = sorted(categories)
    found: dict[str, None] = {}
    while len(found) < count:
        kind = random.random()
        if kind < 0.4:
            title = words(random.choice(items).title)
            start, length = random.randrange(len(title) or 1), random.choice((1, 2, 2, 3, 3, 4))
            query = " ".join(title[start : start + length])
        else:
            query = random.choice(names if kind < 0.65 else commonest)
        if tokenize(query) and len(query.split()) <= 4:
            found[query] = None
    return list(found)
