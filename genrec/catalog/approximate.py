"""Which rows may be nearest, without looking at all of them: FAISS inverted lists over 8-bit codes.

Rows are grouped around k-means centroids; a query looks into the lists whose centroids are nearest to it until it has
seen `scan` allowed rows. The cosines of the candidates are computed elsewhere (dense.py), from the rows themselves.
"""

import json
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.artifact import Artifact
from genrec.catalog.checked import CheckedArray
from genrec.errors import IndexStateError

_LISTS_PER_ROOT = 4
_MOST_LISTS = 16_384
_ROWS_PER_LIST = 39
"""Fewer rows a list than this make centroids that are the rows themselves; FAISS warns below it too."""

_SAMPLE_PER_LIST = 64
_ITERATIONS = 10
_ROW_BLOCK = 65_536
_SCAN_STEP = 1.25
_TUNED_LIMIT = 100
"""The `limit` that `scan` is chosen for."""

_REMEDY = "rebuild it with `genrec index CATALOG -o DIR`"


class _Opened(NamedTuple):
    """A FAISS index and what is needed to choose its lists; `buffer` holds the memory that it points into."""

    index: Any
    centroids: NDArray[np.float32]  # (lists, dim)
    sizes: NDArray[np.int64]  # (lists,)
    home: NDArray[np.uint16]  # (n,) the list of each row
    buffer: NDArray[np.uint8] | None


class ApproximateIndex:
    """Candidates for nearest neighbours by inner product of unit rows; safe to use from several threads."""

    def __init__(self, load: Callable[[], _Opened], *, scan: int, recall: float | None) -> None:
        """Take what opens the lists when they are needed first, the allowed rows a query looks at, and the recall."""
        self._load = load
        self._lists: _Opened | None = None
        self._lock = threading.Lock()
        self.scan = scan
        self.recall = recall

    @classmethod
    def train(cls, vectors: CheckedArray, *, seed: int = 0) -> "ApproximateIndex":
        """Return an index of unit rows (n, dim), which are read in blocks; `scan` is yet to be chosen.

        The same rows and `seed` give the same index on one machine.
        """
        faiss = _faiss()

        count, dim = vectors.shape
        lists = max(1, min(int(_LISTS_PER_ROOT * count**0.5), count // _ROWS_PER_LIST, _MOST_LISTS))
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dim), dim, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.spherical = True
        index.cp.seed = seed + 1
        index.cp.niter = _ITERATIONS
        index.cp.max_points_per_centroid = _SAMPLE_PER_LIST
        sample = np.random.default_rng(seed).choice(count, min(count, _SAMPLE_PER_LIST * lists), replace=False)
        index.train(vectors.take(np.sort(sample)).astype(np.float32))
        for start in range(0, count, _ROW_BLOCK):
            index.add(vectors[start : start + _ROW_BLOCK].astype(np.float32))
        opened = _opened(index, None)
        return cls(lambda: opened, scan=count, recall=None)

    def tuned(self, scan: int, recall: float | None) -> "ApproximateIndex":
        """Return the same lists with another `scan`, and the recall measured with it."""
        return ApproximateIndex(self._open, scan=scan, recall=recall)

    def scans(self) -> Iterator[int]:
        """Yield values to choose `scan` from, ascending; with the last one every row is looked at."""
        count = len(self._open().home)
        scan = float(_TUNED_LIMIT)
        while scan < count:
            yield int(scan)
            scan *= _SCAN_STEP
        yield count

    def candidates(
        self,
        queries: NDArray[np.float32],
        *,
        limit: int,
        mask: NDArray[np.bool_] | None = None,
        allowed: NDArray[np.int64] | None = None,
    ) -> list[NDArray[np.int64]]:
        """Return for each unit query (m, dim) somewhat more than `limit` allowed rows that look nearest.

        `mask` (n,) says which rows are allowed and `allowed` is np.flatnonzero(mask); fewer than `limit` come back
        only where fewer are allowed.
        """
        faiss = _faiss()

        opened = self._open()
        if len(queries) == 0:
            return []
        fetch = min(len(opened.home), limit + limit // 4 + 16)  # 8 bits misplace a few at the cut
        counts = opened.sizes if allowed is None else np.bincount(opened.home[allowed], minlength=len(opened.sizes))
        lists, nearness = _nearest_lists(queries, opened.centroids, counts, self._budget(limit, fetch, counts))
        filters = {} if mask is None else {"sel": faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))}
        cosines = np.empty((len(queries), fetch), dtype=np.float32)
        rows = np.empty((len(queries), fetch), dtype=np.int64)
        at = faiss.swig_ptr
        opened.index.search_preassigned_c(
            len(queries), at(queries), fetch, at(lists), at(nearness), at(cosines), at(rows), False,
            faiss.SearchParametersIVF(nprobe=lists.shape[1], **filters),
        )  # fmt: skip
        return [line[line >= 0] for line in rows]

    def _budget(self, limit: int, fetch: int, counts: NDArray[np.int64]) -> int:
        """Return how many allowed rows to look at.

        More for a larger `limit`, in proportion; more where few are allowed, whose best lie scattered: with the square
        root of the share, a filter costs no recall unless it leaves only what is far from the query (measured).
        """
        few = (len(self._open().home) / max(1, int(counts.sum()))) ** 0.5
        return max(int(self.scan * few * max(1.0, limit / _TUNED_LIMIT)), 2 * fetch)

    def save(self, folder: Path, name: str) -> None:
        """Write `name`.faiss, and `name`.json: `scan`, `recall` and the number of rows and lists."""
        opened = self._open()
        _write(opened.index, folder / f"{name}.faiss")
        facts = {"scan": self.scan, "recall": self.recall, "rows": len(opened.home), "lists": len(opened.sizes)}
        (folder / f"{name}.json").write_text(json.dumps(facts, indent=2, sort_keys=True), "utf-8")

    @classmethod
    def open(cls, artifact: Artifact, name: str, shape: tuple[int, int]) -> "ApproximateIndex":
        """Open what `save` wrote of rows of this `shape`; `name`.faiss is checked and mapped when it is needed first.

        Raises IndexStateError, then too, when a file is not what it should be.
        """
        facts = artifact.json(name)
        content = artifact.raw(f"{name}.faiss")  # mapped now: a writer may have removed the file by then
        try:
            scan, recall = int(facts["scan"]), facts["recall"]
        except (TypeError, KeyError, ValueError) as error:
            raise IndexStateError(f"{artifact.path}: {name}.json does not fit {name}.faiss; {_REMEDY}") from error
        return cls(lambda: _read(content, f"{artifact.path}: {name}.faiss", shape), scan=scan, recall=recall)

    def _open(self) -> _Opened:
        if self._lists is None:
            with self._lock:
                if self._lists is None:
                    self._lists = self._load()
        return self._lists


def _faiss() -> Any:
    """Import FAISS when it is needed; its own type stubs lack half of what is used here."""
    return import_module("faiss")


def _nearest_lists(
    queries: NDArray[np.float32], centroids: NDArray[np.float32], counts: NDArray[np.int64], budget: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return for each query the lists that hold `budget` allowed rows, best first, int64 (m, width), and their cosines.

    `counts` (lists,) has the allowed rows of each list; lists without any are left out. Shorter lines end in -1.
    """
    used = np.flatnonzero(counts)
    if len(used) < len(counts):
        centroids, counts = centroids[used], counts[used]
    # BLAS wakes its threads for one row too, which takes longer than the product
    nearness = np.vecdot(centroids, queries) if len(queries) == 1 else queries @ centroids.T
    nearness = nearness.reshape(len(queries), len(used))
    wanted = min(budget, int(counts.sum()))
    width = 1 + int(1.5 * budget * len(used) / counts.sum())
    while True:
        width = min(width, len(used))
        order = np.argpartition(nearness, len(used) - width, axis=1)[:, len(used) - width :]
        near = np.take_along_axis(nearness, order, axis=1)
        inner = np.argsort(-near, axis=1, kind="stable")
        order, near = np.take_along_axis(order, inner, axis=1), np.take_along_axis(near, inner, axis=1)
        seen = np.cumsum(counts[order], axis=1)
        if width == len(used) or (seen[:, -1] >= wanted).all():
            break
        width *= 2
    lists = used[order]
    lists[seen - counts[order] >= wanted] = -1
    return np.ascontiguousarray(lists, dtype=np.int64), np.ascontiguousarray(near)


def _write(index: Any, path: Path) -> None:
    """Write a FAISS index. Raises OSError; FAISS's own files raise another error, and none for their last bytes."""
    faiss = _faiss()
    failed: list[OSError] = []

    def write(block: bytes) -> None:
        try:
            file.write(block)
        except OSError as error:  # an exception does not find its way through FAISS
            failed.append(error)

    with path.open("wb", buffering=1 << 20) as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(write))
    if failed:
        raise failed[0]


def _opened(index: Any, buffer: NDArray[np.uint8] | None) -> _Opened:
    faiss = _faiss()
    sizes = np.array([index.invlists.list_size(number) for number in range(index.nlist)], dtype=np.int64)
    home = np.zeros(index.ntotal, dtype=np.uint16)
    for number in np.flatnonzero(sizes).tolist():
        home[faiss.rev_swig_ptr(index.invlists.get_ids(number), int(sizes[number]))] = number
    centroids = faiss.rev_swig_ptr(faiss.downcast_index(index.quantizer).get_xb(), index.nlist * index.d)
    return _Opened(index, centroids.reshape(index.nlist, index.d).copy(), sizes, home, buffer)


def _read(content: CheckedArray, where: str, shape: tuple[int, int]) -> _Opened:
    """Return the FAISS index in `content`, uint8 (size,), left where it is: only what a search touches is read."""
    faiss = _faiss()

    buffer = content.whole()
    try:
        index = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(buffer), buffer.size))
    except RuntimeError as error:
        reason = str(error).rpartition("Error: ")[2]
        raise IndexStateError(f"{where}: FAISS cannot read it ({reason}); {_REMEDY}") from error
    if not isinstance(index, faiss.IndexIVFScalarQuantizer) or (index.ntotal, index.d) != shape:
        raise IndexStateError(f"{where}: it holds {index.ntotal} rows of {index.d} numbers, not {shape}; {_REMEDY}")
    return _opened(index, buffer)
