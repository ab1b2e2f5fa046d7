"""The systems that are measured, behind one interface: build into a folder, open it, answer. Nothing is timed here.

Every system is given the same texts, the same tokens (genrec's `tokenize`; Haystack brings its own) and the same
vectors. A query goes in as text, except that its vector is known; ids and scores of the 100 best come out.
"""

import math
import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from workload import Given, Workload

from genrec.catalog.store import Catalog
from genrec.catalog.text import tokenize

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"  # read once, when haystack is imported
LIMIT = 100


class System(Protocol):
    """One searcher. `ids` reads an answer, so that nobody pays for another's form of it."""

    modules: tuple[str, ...]
    """What to import before its opening is timed."""

    def search(self, query: str) -> Any:
        """Answer one query."""

    def batch(self, queries: Sequence[str]) -> list[Any]:
        """Answer several."""

    def ids(self, answer: Any) -> list[str]:
        """Give the ids of an answer, best first."""


class Genrec:
    """genrec itself, by its public calls; `mode` is lexical, dense or hybrid."""

    modules = ("genrec.catalog.store",)

    def __init__(self, catalog: Catalog, mode: str) -> None:
        self.catalog, self.mode = catalog, mode

    @staticmethod
    def build(workload: Workload, folder: Path, items) -> dict[str, float]:
        """Return the seconds spent embedding, which are not the engine's."""
        given = Given(workload.facts, workload.known_texts())
        Catalog.build(items, folder / "index", given)
        return {"embed_s": given.seconds}

    @classmethod
    def open(cls, folder: Path, workload: Workload, mode: str = "hybrid") -> "Genrec":
        return cls(Catalog.open(folder / "index", embedder=Given(workload.facts, workload.known_queries())), mode)

    def search(self, query: str) -> Any:
        return self.catalog.index.search(query, limit=LIMIT, mode=self.mode)

    def batch(self, queries: Sequence[str]) -> list[Any]:
        return self.catalog.index.search_many(queries, limit=LIMIT, mode=self.mode)

    def ids(self, answer: Any) -> list[str]:
        return [hit.item_id for hit in answer]


class OneByOne:
    """A system asked one query after another: the peer of its own `batch`."""

    def __init__(self, system: System) -> None:
        self.search, self.ids = system.search, system.ids

    def batch(self, queries: Sequence[str]) -> list[Any]:
        return [self.search(query) for query in queries]


class RankBM25:
    """rank-bm25's BM25Okapi, which defines the scores; its 100 best by argpartition, faster than its own get_top_n."""

    modules = ("rank_bm25",)

    def __init__(self, ids: NDArray[np.str_], okapi) -> None:
        self.item_ids, self.okapi = ids, okapi

    @classmethod
    def build(cls, workload: Workload, folder: Path) -> None:
        from rank_bm25 import BM25Okapi

        okapi = BM25Okapi([tokenize(text) for _, text, _ in workload.texts()])
        with (folder / "okapi.pickle").open("wb") as file:
            pickle.dump((workload.ids(), okapi), file, protocol=5)

    @classmethod
    def open(cls, folder: Path, workload: Workload) -> "RankBM25":
        with (folder / "okapi.pickle").open("rb") as file:
            return cls(*pickle.load(file))  # written by `build` above, in this run

    def search(self, query: str) -> Any:
        scores = self.okapi.get_scores(tokenize(query))
        best = _best(scores)
        return self.item_ids[best], scores[best]

    def batch(self, queries: Sequence[str]) -> list[Any]:
        return [self.search(query) for query in queries]

    def ids(self, answer: Any) -> list[str]:
        return list(answer[0])

    def scores(self, query: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Every item's score (n,), and whether it shares a token with the query (n,)."""
        tokens = set(tokenize(query))
        sharing = np.array([not tokens.isdisjoint(counts) for counts in self.okapi.doc_freqs])
        return self.okapi.get_scores(tokenize(query)), sharing

    def coverage(self, query: str, ids: Sequence[str]) -> dict[str, float]:
        """The share of the query's weight that each item holds: what genrec's fusion weights a lexical hit with."""
        tokens, count = set(tokenize(query)), len(self.item_ids)
        held = {token: sum(token in counts for counts in self.okapi.doc_freqs) for token in tokens}
        weight = {token: max(math.log((count - df + 0.5) / (df + 0.5)), 0.1) for token, df in held.items()}
        rows = np.searchsorted(self.item_ids, np.array(ids))
        total = sum(weight.values())
        return {
            item_id: sum(weight[token] for token in tokens if token in self.okapi.doc_freqs[row]) / total
            for item_id, row in zip(ids, rows, strict=True)
        }


class BM25S:
    """bm25s with its robertson scores, the nearest to BM25Okapi that it has; a batch is given every core."""

    modules = ("bm25s",)
    backend = "numpy"

    def __init__(self, ids: NDArray[np.str_], retriever) -> None:
        self.item_ids, self.retriever = ids, retriever

    @classmethod
    def build(cls, workload: Workload, folder: Path) -> None:
        import bm25s

        retriever = bm25s.BM25(method="robertson", k1=1.5, b=0.75, backend=cls.backend)
        retriever.index([tokenize(text) for _, text, _ in workload.texts()], show_progress=False)
        retriever.save(folder / "bm25s", show_progress=False)
        np.save(folder / "ids.npy", workload.ids())

    @classmethod
    def open(cls, folder: Path, workload: Workload) -> "BM25S":
        import bm25s

        retriever = bm25s.BM25.load(folder / "bm25s", show_progress=False)
        retriever.backend = cls.backend
        return cls(np.load(folder / "ids.npy"), retriever)

    def search(self, query: str) -> Any:
        return self._retrieve([query], 0)

    def batch(self, queries: Sequence[str]) -> list[Any]:
        found = self._retrieve(queries, -1)
        return list(zip(found.documents[:, None], found.scores[:, None], strict=True))

    def _retrieve(self, queries: Sequence[str], threads: int) -> Any:
        tokens = [tokenize(query) for query in queries]
        return self.retriever.retrieve(tokens, self.item_ids, k=LIMIT, show_progress=False, n_threads=threads)

    def ids(self, answer: Any) -> list[str]:
        return list(answer[0][0])


class BM25SNumba(BM25S):
    """bm25s compiled by numba; the first query of a process waits for the compiler."""

    modules = ("bm25s", "numba")
    backend = "numba"


class NumpyDense:
    """A matrix-vector product over memory-mapped float32 rows and an argpartition: exact dense search by hand."""

    modules = ("numpy",)

    def __init__(self, ids: NDArray[np.str_], vectors: NDArray[np.float32], known) -> None:
        self.item_ids, self.vectors, self.known = ids, vectors, known

    @classmethod
    def build(cls, workload: Workload, folder: Path) -> None:
        np.save(folder / "vectors.npy", workload.vectors())
        np.save(folder / "ids.npy", workload.ids())

    @classmethod
    def open(cls, folder: Path, workload: Workload) -> "NumpyDense":
        vectors = np.asarray(np.load(folder / "vectors.npy", mmap_mode="r"))
        return cls(np.load(folder / "ids.npy"), vectors, workload.known_queries())

    def search(self, query: str) -> Any:
        scores = self.vectors @ self.known[query]
        best = _best(scores)
        return self.item_ids[best], scores[best]

    def batch(self, queries: Sequence[str]) -> list[Any]:
        scores = np.stack([self.known[query] for query in queries]) @ self.vectors.T
        places = [_best(row) for row in scores]
        return [(self.item_ids[best], row[best]) for best, row in zip(places, scores, strict=True)]

    def ids(self, answer: Any) -> list[str]:
        return list(answer[0])


class Haystack:
    """Haystack's in-memory store: BM25 and embedding retrievers in a pipeline, joined by reciprocal rank fusion."""

    modules = (
        "haystack",
        "haystack.document_stores.in_memory.document_store",
        "haystack.components.joiners.document_joiner",
        "haystack.components.retrievers.in_memory.bm25_retriever",
        "haystack.components.retrievers.in_memory.embedding_retriever",
    )

    def __init__(self, store, known) -> None:
        from haystack import Pipeline
        from haystack.components.joiners import DocumentJoiner
        from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever

        self.known = {query: row.tolist() for query, row in known.items()}
        self.pipeline = Pipeline()
        self.pipeline.add_component("bm25", InMemoryBM25Retriever(store, top_k=LIMIT))
        self.pipeline.add_component("dense", InMemoryEmbeddingRetriever(store, top_k=LIMIT))
        self.pipeline.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=LIMIT))
        self.pipeline.connect("bm25", "joiner")
        self.pipeline.connect("dense", "joiner")

    @classmethod
    def build(cls, workload: Workload, folder: Path) -> None:
        from haystack import Document
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        store = InMemoryDocumentStore()
        rows = workload.vectors()
        store.write_documents(
            [
                Document(id=item_id, content=text, embedding=row.tolist())
                for (item_id, text, _), row in zip(workload.texts(), rows, strict=True)
            ]
        )
        store.save_to_disk(str(folder / "store.json"))

    @classmethod
    def open(cls, folder: Path, workload: Workload) -> "Haystack":
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        return cls(InMemoryDocumentStore.load_from_disk(str(folder / "store.json")), workload.known_queries())

    def search(self, query: str) -> Any:
        asked = {"bm25": {"query": query}, "dense": {"query_embedding": self.known[query]}}
        return self.pipeline.run(asked)["joiner"]["documents"]

    def batch(self, queries: Sequence[str]) -> list[Any]:
        return [self.search(query) for query in queries]

    def ids(self, answer: Any) -> list[str]:
        return [document.id for document in answer]


PEERS = {
    "rank-bm25": RankBM25,
    "bm25s numpy": BM25S,
    "bm25s numba": BM25SNumba,
    "numpy matrix-vector": NumpyDense,
    "Haystack": Haystack,
}
SYSTEMS = {"genrec": Genrec} | PEERS
TOPICS = {
    "lexical": ("rank-bm25", "bm25s numpy", "bm25s numba"),
    "dense": ("numpy matrix-vector",),
    "hybrid": ("Haystack",),
}


def _best(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    places = np.argpartition(scores, len(scores) - LIMIT)[-LIMIT:]
    return places[np.argsort(-scores[places])]
