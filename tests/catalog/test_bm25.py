from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from genrec.catalog.bm25 import BM25Index
from genrec.catalog.text import tokenize
from genrec.errors import CatalogError

WORDS = ("bread", "milk", "rye", "cake", "tea", "oat")
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), min_size=1, max_size=12)


@settings(deadline=None)
@given(
    TEXTS,
    st.lists(st.sampled_from((*WORDS, "absent")), max_size=5),
    st.floats(0.1, 3),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_scores_are_rank_bm25s_to_the_last_bit(
    texts: list[str], query: list[str], k1: float, b: float, epsilon: float
) -> None:
    ids = [str(i) for i in range(len(texts))]
    scores = BM25Index.build(ids, texts, k1=k1, b=b, epsilon=epsilon).scores(" ".join(query))
    if not any(texts):  # rank_bm25 divides by zero there
        assert scores.tolist() == [0.0] * len(texts)
        return
    peer = BM25Okapi([tokenize(text) for text in texts], k1=k1, b=b, epsilon=epsilon)
    with np.errstate(all="ignore"):
        expected = peer.get_scores(tokenize(" ".join(query)))
    full = [i for i, text in enumerate(texts) if text]  # with b = 1 an empty item is 0 / 0 in rank_bm25
    assert scores[full].tolist() == expected[full].tolist()
    assert all(scores[i] == 0 for i in range(len(texts)) if i not in full)


def test_a_term_in_exactly_half_of_the_items_still_matches() -> None:
    index = BM25Index.build(["b", "a", "c", "d"], ["rye bread", "rye loaf", "tea", "milk"])
    assert index.scores("rye")[0] == 0.0
    assert [hit.item_id for hit in index.search("rye", limit=9)] == ["a", "b"]


def test_best_first_ties_by_id_also_at_the_cut() -> None:
    index = BM25Index.build(list("edcba"), ["tea", "tea", "tea", "tea tea", "milk"])
    assert [hit.item_id for hit in index.search("teas", limit=3)] == ["b", "c", "d"]


def test_mask_counts_before_the_limit() -> None:
    index = BM25Index.build(list("abc"), ["tea tea", "tea", "tea"])
    allowed = np.array([False, True, True])
    assert [hit.item_id for hit in index.search("tea", limit=1, mask=allowed)] == ["b"]


@pytest.mark.parametrize("query", ["", "the of", "🍕", "absent", "x" * 10_000])
def test_nothing_matches(query: str) -> None:
    assert BM25Index.build(["a"], ["tea"]).search(query, limit=5) == []


def test_limit_zero_finds_nothing() -> None:
    assert BM25Index.build(["a"], ["tea"]).search("tea", limit=0) == []


def test_an_empty_catalog_is_refused_and_items_without_words_are_never_found(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="the catalog is empty"):
        BM25Index.build([], [])
    index = BM25Index.build(["a", "b"], ["", "🍕"])
    assert index.search("tea", limit=5) == []
    index.save(tmp_path / "bm25.npz")
    assert BM25Index.load(tmp_path / "bm25.npz", ["a", "b"]).search("tea", limit=5) == []


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    texts = ["crème brûlée", "rye bread", "bread & butter"]
    index = BM25Index.build(list("abc"), texts)
    index.save(tmp_path / "bm25.npz")
    loaded = BM25Index.load(tmp_path / "bm25.npz", list("abc"))
    for query in ("bread", "creme", "butter bread"):
        assert loaded.search(query, limit=9) == index.search(query, limit=9) != []
    with pytest.raises(ValueError, match="do not fit"):
        BM25Index.load(tmp_path / "bm25.npz", ["a"])
