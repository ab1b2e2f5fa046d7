import json
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import genrec.catalog.approximate as approximate
from genrec.catalog.approximate import ApproximateIndex
from genrec.catalog.artifact import Artifact, Kind, writing
from genrec.catalog.checked import CheckedArray
from genrec.catalog.dense import VectorIndex
from genrec.errors import IndexStateError

KIND = Kind("test", 1, "make it again")
ROWS, DIM = 6_000, 48


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def rows_and_queries() -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Rows of 300 topics that overlap, some of them equal, and queries between two topics: hard, as texts are."""
    rng = np.random.default_rng(3)
    topics = rng.normal(size=(300, DIM)) + 1.5 * rng.normal(size=(20, DIM)).repeat(15, axis=0)
    rows = unit(topics[rng.integers(300, size=ROWS)] + 0.9 * rng.normal(size=(ROWS, DIM)))
    rows[100:160] = rows[100]
    mixed = topics[rng.integers(300, size=200)] + topics[rng.integers(300, size=200)] + rng.normal(size=(200, DIM))
    return rows.astype(np.float16), unit(mixed)


VECTORS, QUERIES = rows_and_queries()
EXACT = VectorIndex(VECTORS)


@pytest.fixture(scope="module")
def index() -> VectorIndex:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrec.catalog.dense.EXACT_ROWS", 1_000)
        patch.setattr("genrec.catalog.dense.FEW_ROWS", 200)
        return VectorIndex.build(VECTORS, QUERIES[:120])


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrec.catalog.dense.FEW_ROWS", 200)


@pytest.fixture
def path(index: VectorIndex, tmp_path: Path) -> Path:
    with writing(tmp_path / "index", KIND) as draft:
        index.save(draft.folder)
    return tmp_path / "index"


def recall(index: VectorIndex, limit: int, mask: NDArray[np.bool_] | None = None) -> float:
    """Share of the hits that are as near as the last true one, over queries that nothing was tuned with."""
    pairs = zip(
        index.search(QUERIES[120:], limit=limit, mask=mask),
        EXACT.search(QUERIES[120:], limit=limit, mask=mask),
        strict=True,
    )
    return float(np.mean([(found.scores >= best.scores[-1]).sum() / len(best.scores) for found, best in pairs]))


def test_recall_is_what_was_asked_and_what_is_reported(index: VectorIndex) -> None:
    assert not index.exact and index.recall is not None and index.approximate is not None
    assert index.recall >= 0.95 and recall(index, 100) >= 0.95
    assert abs(index.recall - recall(index, 100)) < 0.03
    assert 100 <= index.approximate.scan < ROWS / 2  # it does not look at everything
    assert recall(VectorIndex(VECTORS, index.approximate.tuned(100, None)), 100) < index.recall


def test_scores_are_those_of_the_rows_and_ties_go_by_row(index: VectorIndex) -> None:
    found = index.search(VECTORS[100:101].astype(np.float32), limit=100)[0]
    assert found.rows[:60].tolist() == list(range(100, 160))
    exact = VECTORS[found.rows].astype(np.float64) @ VECTORS[100].astype(np.float64)
    assert np.abs(found.scores - exact).max() < 1e-12
    assert (np.diff(found.scores) <= 0).all()
    floor = float(found.scores[70])
    assert index.search(VECTORS[100:101].astype(np.float32), limit=100, floor=floor)[0].rows.tolist() == (
        found.rows[found.scores >= floor].tolist()
    )


def test_a_batch_finds_what_single_queries_find(index: VectorIndex) -> None:
    mask = np.arange(ROWS) % 3 > 0
    for each in (None, mask):
        batch = index.search(QUERIES, limit=20, mask=each)
        for query, found in zip(QUERIES, batch, strict=True):
            alone = index.search(query[None, :], limit=20, mask=each)[0]
            assert alone.rows.tolist() == found.rows.tolist() and alone.scores.tolist() == found.scores.tolist()


@pytest.mark.parametrize("share", [0.5, 0.1, 0.05])
def test_filters_act_inside_the_search(index: VectorIndex, share: float) -> None:
    scattered = np.random.default_rng(5).random(ROWS) < share
    cosine = VECTORS.astype(np.float32) @ QUERIES[0]
    together = cosine <= np.quantile(cosine, share)  # a category that is not near the first query at all
    for mask in (scattered, together):
        limit = min(100, int(mask.sum()) // 11)
        for found in index.search(QUERIES, limit=limit, mask=mask):
            assert len(found.rows) == limit == len(set(found.rows.tolist()))
            assert mask[found.rows].all()
        assert recall(index, limit, mask) >= 0.9


def test_few_allowed_rows_and_large_limits_are_exact(index: VectorIndex) -> None:
    mask = np.zeros(ROWS, np.bool_)
    mask[np.random.default_rng(6).choice(ROWS, 150, replace=False)] = True
    for limit, each in ((20, mask), (400, mask), (ROWS // 2, None), (2 * ROWS, None)):
        for found, best in zip(
            index.search(QUERIES[:5], limit=limit, mask=each), EXACT.search(QUERIES[:5], limit=limit, mask=each),
            strict=True,
        ):  # fmt: skip
            assert np.array_equal(found.rows, best.rows) and np.array_equal(found.scores, best.scores)


def test_odd_questions(index: VectorIndex) -> None:
    assert [len(found.rows) for found in index.search(QUERIES[:2], limit=0)] == [0, 0]
    assert len(index.search(QUERIES[:1], limit=9, mask=np.zeros(ROWS, np.bool_))[0].rows) == 0
    assert index.search(QUERIES[:0], limit=9) == []
    assert len(index.search(QUERIES[:1], limit=9, floor=0.9999)[0].rows) == 0
    assert len(index.search(np.zeros((1, DIM), np.float32), limit=9)[0].rows) == 9
    with pytest.raises(ValueError, match="do not fit rows of 48"):
        index.search(np.ones((1, 3), np.float32), limit=1)


def test_saved_and_opened_it_answers_the_same(index: VectorIndex, path: Path) -> None:
    for entry in (path, *path.iterdir()):
        if entry.is_dir():
            entry.chmod(0o555)
    try:
        artifact = Artifact.open(path, KIND)
        opened = VectorIndex.open(artifact)
        assert not opened.exact and opened.recall == index.recall
        assert artifact.array("vectors").dtype == np.float16
        assert artifact.json("vectors")["recall"] == index.recall
        results = opened.search(QUERIES, limit=30)
    finally:
        for entry in (path, *path.iterdir()):
            if entry.is_dir():
                entry.chmod(0o755)
    for found, before in zip(results, index.search(QUERIES, limit=30), strict=True):
        assert np.array_equal(found.rows, before.rows) and np.array_equal(found.scores, before.scores)


def test_a_reader_keeps_what_it_opened(index: VectorIndex, path: Path) -> None:
    opened = VectorIndex.open(Artifact.open(path, KIND))
    with writing(path, KIND) as draft:  # removes the files that the reader has not looked into yet
        VectorIndex(np.eye(DIM, dtype=np.float32)).save(draft.folder)
    assert np.array_equal(opened.search(QUERIES[:1], limit=5)[0].rows, index.search(QUERIES[:1], limit=5)[0].rows)


def test_it_is_opened_once_by_many_threads(index: VectorIndex) -> None:
    assert index.approximate is not None
    opened = index.approximate._open()
    loads: list[int] = []

    def load() -> approximate._Opened:
        loads.append(1)
        return opened

    fresh = VectorIndex(VECTORS, ApproximateIndex(load, scan=index.approximate.scan, recall=None))
    wanted = index.search(QUERIES, limit=20)
    answers: list[bool] = []

    def ask() -> None:
        for place in range(0, 200, 40):
            found = fresh.search(QUERIES[place : place + 40], limit=20)
            answers.extend(
                np.array_equal(a.rows, b.rows) for a, b in zip(found, wanted[place : place + 40], strict=True)
            )

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == [1] and answers == [True] * 800


def foreign(folder: Path) -> None:
    import faiss

    faiss.write_index(faiss.IndexFlatIP(DIM), str(folder / "vectors.faiss"))


def of_other_rows(folder: Path) -> None:
    ApproximateIndex.train(CheckedArray.of(VECTORS[:500])).save(folder, "vectors")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (foreign, r"vectors\.faiss: it holds 0 rows of 48 numbers, not \(6000, 48\); rebuild it"),
        (of_other_rows, r"vectors\.faiss: it holds 500 rows"),
        (lambda folder: (folder / "vectors.faiss").write_bytes(b""), r"vectors\.faiss: FAISS cannot read it"),
        (lambda folder: (folder / "vectors.faiss").write_bytes(b"PK" * 99), r"vectors\.faiss: FAISS cannot read it"),
        (
            lambda folder: (folder / "vectors.faiss").write_bytes((folder / "vectors.faiss").read_bytes()[:90_000]),
            r"vectors\.faiss: FAISS cannot read it .*; rebuild it with",
        ),
        (lambda folder: (folder / "vectors.json").write_text("[]"), r"vectors\.json does not fit vectors\.faiss"),
        (lambda folder: (folder / "vectors.json").write_text('{"scan": null}'), "does not fit"),
    ],
)  # fmt: skip
def test_files_that_are_not_what_they_claim(index: VectorIndex, tmp_path: Path, damage, message: str) -> None:
    with writing(tmp_path / "index", KIND) as draft:
        index.save(draft.folder)
        damage(draft.folder)
    with pytest.raises(IndexStateError, match=message):
        VectorIndex.open(Artifact.open(tmp_path / "index", KIND)).search(QUERIES[:1], limit=5)


def test_rows_written_in_blocks_need_only_the_lists_beside_them(index: VectorIndex, tmp_path: Path) -> None:
    with writing(tmp_path / "index", KIND) as draft, pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrec.catalog.dense.EXACT_ROWS", 1_000)
        assert VectorIndex.row_dtype(1_000) == np.float32 and VectorIndex.row_dtype(ROWS) == np.float16
        rows = np.lib.format.open_memmap(
            draft.folder / "vectors.npy", "w+", dtype=VectorIndex.row_dtype(ROWS), shape=VECTORS.shape
        )
        for start in range(0, ROWS, 1_000):
            rows[start : start + 1_000] = VECTORS[start : start + 1_000]
        rows.flush()
        built = VectorIndex.build(rows, QUERIES[:120])
        assert built.approximate is not None
        built.approximate.save(draft.folder, "vectors")
    opened = VectorIndex.open(Artifact.open(tmp_path / "index", KIND))
    assert opened.recall == index.recall  # the same seed, the same rows
    assert np.array_equal(opened.search(QUERIES[:1], limit=5)[0].rows, index.search(QUERIES[:1], limit=5)[0].rows)


def test_float32_rows_and_no_queries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("genrec.catalog.dense.EXACT_ROWS", 1_000)
    built = VectorIndex.build(VECTORS[:2_000].astype(np.float32))
    assert not built.exact and built.recall is not None and built.recall > 0.9
    built.save(tmp_path)
    assert np.array_equal(np.load(tmp_path / "vectors.npy"), VECTORS[:2_000])
    assert json.loads((tmp_path / "vectors.json").read_text())["rows"] == 2_000
    assert VectorIndex.build(VECTORS[:1_000]).exact
