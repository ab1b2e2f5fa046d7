import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

from genrec.catalog import bm25, bm25_builder
from genrec.catalog.artifact import Artifact, Kind, writing
from genrec.catalog.bm25 import BM25Index
from genrec.catalog.bm25_builder import BM25Builder
from genrec.catalog.checked import CheckedArray
from genrec.catalog.fusion import Ranking
from genrec.catalog.strings import SortedStrings
from genrec.catalog.text import tokenize
from genrec.errors import CatalogError, IndexStateError

KIND = Kind("test", 1, "build it again")
WORDS = ("bread", "milk", "rye", "cake", "tea", "oat")
# The first words are more frequent than the last, so that pruning meets long columns and short ones.
WORD = st.integers(0, 20).map(lambda i: WORDS[min(i // 2, i // 4 + 2, 5)] if i < 20 else WORDS[0])
TEXTS = st.lists(st.lists(WORD, max_size=8).map(" ".join), min_size=1, max_size=40)
QUERY = st.lists(st.sampled_from((*WORDS, "absent")), max_size=6).map(" ".join)


def peer_scores(texts: Sequence[str], query: str, **parameters: float) -> NDArray[np.float64]:
    """rank_bm25's scores, with 0 for items without words: there it divides 0 by 0 when b is 1."""
    documents = [tokenize(text) for text in texts]
    if not any(documents):  # rank_bm25 divides by zero there
        return np.zeros(len(texts))
    with np.errstate(all="ignore"):
        scores = BM25Okapi(documents, **parameters).get_scores(tokenize(query))
    return np.where([bool(document) for document in documents], scores, 0.0)


def by_sorting(
    texts: Sequence[str], query: str, limit: int, mask: Sequence[bool] | None, **parameters: float
) -> tuple[list[int], list[float]]:
    """The definition: items that share a token with the query, sorted by (-score, row)."""
    scores = peer_scores(texts, query, **parameters)
    tokens = set(tokenize(query))
    rows = [i for i, text in enumerate(texts) if tokens & set(tokenize(text)) and (mask is None or mask[i])]
    best = sorted(rows, key=lambda i: (-scores[i], i))[:limit]
    return best, scores[best].tolist()


def plain(ranking: Ranking) -> tuple[list[int], list[float]]:
    assert ranking.rows.dtype == np.int64 and ranking.scores.dtype == np.float64
    return ranking.rows.tolist(), ranking.scores.tolist()


@settings(deadline=None)
@given(TEXTS, QUERY, st.floats(0.1, 3), st.floats(0, 1), st.floats(0, 1), st.sampled_from([1, 3, 100]))
def test_scores_are_rank_bm25s_to_the_last_bit(
    texts: list[str], query: str, k1: float, b: float, epsilon: float, items_a_pass: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25_builder, "_ITEMS_A_PASS", items_a_pass)
        scores = BM25Index.build(texts, k1=k1, b=b, epsilon=epsilon).scores(query)
    assert scores.tolist() == peer_scores(texts, query, k1=k1, b=b, epsilon=epsilon).tolist()


@settings(deadline=None, max_examples=300)
@given(
    TEXTS,
    QUERY,
    st.integers(0, 12),
    st.none() | st.lists(st.booleans(), min_size=40, max_size=40),
    st.sampled_from([0.0, 0.25, 1.0]),
    st.sampled_from([0, 1, 64]),
)
@example(["tea"], "tea", 1, None, 0.25, 64)  # the average idf is negative, and so is every score
@example(["tea milk", "tea", "tea rye"], "tea milk tea", 1, None, 0.25, 0)
@example(["tea"] * 8 + ["milk"] * 20, "tea", 4, [True] * 3 + [False] * 37, 0.25, 64)  # the mask leaves too few
def test_the_best_are_those_of_sorting_with_and_without_pruning(
    texts: list[str], query: str, limit: int, mask: list[bool] | None, epsilon: float, search_cost: int
) -> None:
    mask = None if mask is None else mask[: len(texts)]
    expected = by_sorting(texts, query, limit, mask, epsilon=epsilon)
    allowed = None if mask is None else np.array(mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25, "_SEARCH_COST", search_cost)
        patch.setattr(bm25, "_SAMPLE", 2)
        for prune_from, frequent in ((0, 0), (1_000_000, 0), (1_000_000, 3), (0, 6), (1_000_000, 32)):
            patch.setattr(bm25, "_PRUNE_FROM", prune_from)
            patch.setattr(bm25, "_FREQUENT", frequent)
            index = BM25Index.build(texts, epsilon=epsilon)
            # twice: what the first search leaves behind must not change the second
            for _ in range(2):
                assert plain(index.search(query, limit=limit, mask=allowed)) == expected


def titles(count: int) -> list[str]:
    """Texts of 2 to 7 words out of 60 with Zipf's frequencies, many of them the same."""
    rng = np.random.default_rng(5)
    words = [f"{first}{last}" for first in "bcdfghklmp" for last in ("an", "ot", "ix", "ump", "elk", "ord")]
    chances = 1 / np.arange(1, len(words) + 1)
    return [" ".join(rng.choice(words, rng.integers(2, 8), p=chances / chances.sum())) for _ in range(count)]


@pytest.mark.parametrize(
    "query", ["ban", "ban bot", "mord ban bot", "pix ban mord bot bix", "bot bot ban", "pord pord"]
)
def test_pruning_leaves_most_postings_out_and_changes_nothing(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bm25, "_FREQUENT", 0)
    index = BM25Index.build(titles(3000))
    mask = np.random.default_rng(6).random(3000) < 0.5
    whole = [index.search(query, limit=limit, mask=m) for limit in (1, 10, 100) for m in (None, mask)]
    monkeypatch.setattr(bm25, "_PRUNE_FROM", 1)
    considered = []
    contenders = BM25Index._contenders

    def counting(*args: object) -> object:
        found = contenders(*args)  # type: ignore[arg-type]
        considered.append(len(found[0]))
        return found

    monkeypatch.setattr(BM25Index, "_contenders", counting)
    pruned = [index.search(query, limit=limit, mask=m) for limit in (1, 10, 100) for m in (None, mask)]
    assert [plain(one) for one in pruned] == [plain(one) for one in whole]
    assert len(considered) >= 4 and min(considered) < np.count_nonzero(index.scores(query)) / 2


@pytest.mark.parametrize("query", ["pord ban", "ban pord bot", "mord ban mord", "bot pord mord ban"])
def test_frequent_terms_are_looked_up_around_rarer_ones(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = titles(3000)
    mask = (np.random.default_rng(6).random(3000) < 0.7).tolist()
    monkeypatch.setattr(bm25, "_FREQUENT", 8)
    answered = []
    around = BM25Index._around_rarer

    def watching(*args: object) -> object:
        answered.append(around(*args))  # type: ignore[arg-type]
        return answered[-1]

    monkeypatch.setattr(BM25Index, "_around_rarer", watching)
    index = BM25Index.build(texts)
    for limit in (1, 5, 100):
        for allowed in (None, mask):
            found = index.search(query, limit=limit, mask=None if allowed is None else np.array(allowed))
            assert plain(found) == by_sorting(texts, query, limit, allowed)
    assert any(one is not None for one in answered)  # the shorter way was taken
    assert answered[-1] is None  # and was not where too few items hold a rarer term


@pytest.mark.parametrize("sample", [1, 2, 3])
def test_a_sample_bounds_the_best_also_where_rows_come_more_than_once(
    sample: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bm25, "_SAMPLE", sample)
    # The best items hold all the words, so each is there once a word before the others are.
    texts = [*titles(400), *(" ".join(["ban bot bix bump", *["oat"] * i]) for i in range(12))]
    index = BM25Index.build(texts)
    for query in ("ban bot", "ban bot bix bump", "bump bix ban bump", "bot"):
        for limit in (1, 4, 9):
            assert plain(index.search(query, limit=limit)) == by_sorting(texts, query, limit, None)


@pytest.mark.parametrize("prune_from", [0, 1_000_000])
def test_thousands_of_ties_at_the_cut_are_decided_by_row(prune_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bm25, "_PRUNE_FROM", prune_from)
    index = BM25Index.build(["milk"] * 3000 + ["rye bread tea"] * 2500 + ["rye tea"] * 2 + ["oat bread"] * 3)
    assert index.search("rye tea", limit=5).rows.tolist() == [5500, 5501, 3000, 3001, 3002]
    assert index.search("rye bread rye", limit=3).rows.tolist() == [3000, 3001, 3002]
    allowed = np.ones(len(index), dtype=np.bool_)
    allowed[2999:3100] = False
    assert index.search("rye", limit=4, mask=allowed).rows.tolist() == [5500, 5501, 3100, 3101]


def test_a_term_in_exactly_half_of_the_items_still_matches() -> None:
    index = BM25Index.build(["rye bread", "rye loaf", "tea", "milk"])
    assert index.scores("rye")[0] == 0.0
    assert plain(index.search("rye", limit=9)) == ([0, 1], [0.0, 0.0])


def test_mask_counts_before_the_limit() -> None:
    index = BM25Index.build(["tea tea", "tea", "tea"])
    assert index.search("tea", limit=1, mask=np.array([False, True, True])).rows.tolist() == [1]
    assert index.search("tea", limit=9, mask=np.zeros(3, dtype=np.bool_)).rows.tolist() == []
    with pytest.raises(ValueError, match="a mask of shape"):
        index.search("tea", limit=1, mask=np.array([True]))


@pytest.mark.parametrize("query", ["", "the of", "🍕", "absent", "x" * 10_000, "\ud800", "\x00", "x " * 5000])
def test_nothing_matches(query: str) -> None:
    index = BM25Index.build(["tea", "tea \ud800 🍕"])
    assert plain(index.search(query, limit=5)) == ([], [])
    assert index.scores(query).tolist() == [0.0, 0.0]


def test_long_queries_and_odd_texts() -> None:
    texts = ["crème brûlée \ud800", "tea", "tea 🍕 pizza", "Ａ１ sauce"]
    for query in ("tea " * 2500, "creme\ud800brulee", "🍕pizza", "a1 sauce " * 20):
        assert plain(BM25Index.build(texts).search(query, limit=9)) == by_sorting(texts, query, 9, None)


@pytest.mark.parametrize("limit", [0, -3])
def test_no_limit_finds_nothing(limit: int) -> None:
    assert plain(BM25Index.build(["tea"]).search("tea", limit=limit)) == ([], [])


def test_many_queries_are_each_query() -> None:
    index = BM25Index.build(titles(200))
    queries = ["ban bot", "", "mord", "ban bot", "absent", "pix pix ban"]
    mask = np.arange(200) % 3 > 0
    many = index.search_many(queries, limit=7, mask=mask)
    assert [plain(one) for one in many] == [plain(index.search(query, limit=7, mask=mask)) for query in queries]
    assert index.search_many([], limit=7) == []


def test_an_empty_catalog_is_refused_and_items_without_words_are_never_found(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="the catalog is empty"):
        BM25Index.build([])
    with pytest.raises(CatalogError, match="the catalog is empty"):
        BM25Builder().finish()
    index = BM25Index.build(["", "🍕"])
    assert plain(index.search("tea", limit=5)) == ([], [])
    assert plain(reopened(index, tmp_path / "index").search("tea", limit=5)) == ([], [])
    assert BM25Index.build(["", "tea", "milk"]).search("tea milk", limit=5).rows.tolist() == [1, 2]


@pytest.mark.parametrize(
    "parameters", [(-1, 0.75, 0.25), (1.5, 1.1, 0.25), (1.5, -0.1, 0.25), (1.5, 0.75, float("nan"))]
)
def test_parameters_that_make_no_scores_are_refused(parameters: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="k1 is 0 or more"):
        BM25Builder(*parameters)


def reopened(index: BM25Index, path: Path) -> BM25Index:
    with writing(path, KIND) as draft:
        index.save(draft.folder)
    return BM25Index.open(Artifact.open(path, KIND))


def test_saved_and_opened_is_the_same(tmp_path: Path) -> None:
    texts = ["crème brûlée", "rye bread", "bread & butter", ""]
    index = BM25Index.build(texts)
    opened = reopened(index, tmp_path / "index")
    assert len(opened) == len(index) == 4
    for query in ("bread", "creme", "butter bread", "absent"):
        assert plain(opened.search(query, limit=9)) == plain(index.search(query, limit=9))
        assert opened.scores(query).tolist() == index.scores(query).tolist()
    again = reopened(opened, tmp_path / "again")
    assert plain(again.search("bread", limit=9)) == plain(index.search("bread", limit=9)) != ([], [])


@pytest.mark.parametrize("part", ["rows", "codes"])
def test_a_flipped_byte_is_an_error_before_it_is_an_answer(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genrec.catalog.artifact.EAGER", 0)
    monkeypatch.setattr("genrec.catalog.checked.BLOCK", 512)
    with writing(tmp_path / "index", KIND) as draft:
        BM25Index.build(titles(300)).save(draft.folder)
    [file] = (tmp_path / "index").glob(f"*/bm25.{part}.npy")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    index = BM25Index.open(Artifact.open(tmp_path / "index", KIND))
    assert len(index.search("ban", limit=5).rows) == 5
    for _ in range(2):  # an error is not remembered as an answer
        with pytest.raises(IndexStateError, match="damaged"):
            index.search("pump", limit=5)  # the last term in order, so the last posting


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    terms, none = SortedStrings.of(["rye", "tea"]), CheckedArray.of(np.zeros(0, np.int32))
    with pytest.raises(ValueError, match="0 postings do not fit 2 terms"):
        BM25Index(1, terms, CheckedArray.of(np.array([0, 1, 2])), none, none, none, np.zeros(0))
    with writing(tmp_path / "index", KIND) as draft:
        BM25Index.build(["rye tea"]).save(draft.folder)
        np.save(draft.folder / "bm25.rows.npy", np.zeros(1, np.int32))
    with pytest.raises(IndexStateError, match="build the index again"):
        BM25Index.open(Artifact.open(tmp_path / "index", KIND))


def test_more_saturations_than_a_small_code_can_name(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["tea " * count + "milk " * (length - count) for length in range(2, 30) for count in range(1, length)]
    small = BM25Index.build(texts)
    monkeypatch.setattr(bm25_builder, "_CODE", np.uint8)
    large = BM25Index.build(texts)
    assert (small._codes.dtype, large._codes.dtype) == (np.uint16, np.uint32)
    monkeypatch.setattr(bm25, "_PRUNE_FROM", 0)
    for query in ("tea", "tea milk", "milk tea tea"):
        assert plain(large.search(query, limit=20)) == plain(small.search(query, limit=20))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bm25, "_REMEMBERED", 1000)
    texts = titles(300)
    index = BM25Index.build(texts)
    for query in [*texts[:50], *(f"unknown{i}" for i in range(50)), "y" * 100]:
        assert plain(index.search(query, limit=3)) == by_sorting(texts, query, 3, None)
        assert 0 <= index._room == 1000 - sum(map(bm25._room_of, index._remembered.values()))


def test_a_search_that_breaks_off_does_not_spoil_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    index = BM25Index.build(["tea milk", "tea", "milk", "rye", "oat"])
    before = plain(index.search("tea milk", limit=5))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BM25Index, "_give_back", interrupted)
        with pytest.raises(KeyboardInterrupt):
            index.search("tea milk", limit=5)
    assert plain(index.search("tea milk", limit=5)) == before


def test_threads_do_not_see_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bm25, "_PRUNE_FROM", 1500)  # some queries are pruned and some are not
    monkeypatch.setattr(bm25, "_REMEMBERED", 5000)  # and columns come and go
    texts = titles(2000)
    queries = texts[:200]
    alone = [plain(one) for one in BM25Index.build(texts).search_many(queries, limit=10)]
    index = BM25Index.build(texts)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda query: plain(index.search(query, limit=10)), queries * 5))
    assert together == alone * 5


def test_coverage_by_hand() -> None:
    index = BM25Index.build(["rye bread", "bread", "tea", "milk", "oat milk"])
    rye, bread, absent = (math.log((5 - df + 0.5) / (df + 0.5)) for df in (1, 2, 0))
    shares = index.coverage("rye breads and zzz rye", np.array([2, 1, 0]))
    assert shares.tolist() == pytest.approx(
        [0.0, bread / (rye + bread + absent), (rye + bread) / (rye + bread + absent)]
    )
    assert index.coverage("", np.array([0, 1])).tolist() == [0.0, 0.0]
    assert index.coverage("rye", np.empty(0, np.int64)).tolist() == []


def test_a_term_in_most_items_still_says_a_little() -> None:
    index = BM25Index.build(["tea", "tea", "tea", "tea mug"])
    rare = math.log((4 - 1 + 0.5) / (1 + 0.5))
    assert index.coverage("tea mug", np.array([0, 3])).tolist() == pytest.approx([0.1 / (0.1 + rare), 1.0])
