from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from genrec.catalog.artifact import Artifact, Kind, writing
from genrec.catalog.dense import VectorIndex
from genrec.catalog.items import Item
from genrec.catalog.keywords import KeywordVocabulary
from genrec.catalog.minilm import MiniLM
from genrec.catalog.phrases import MIN_ITEMS, PhraseCounter
from genrec.catalog.strings import SortedStrings
from genrec.catalog.text import item_text, tokenize
from genrec.errors import IndexStateError

KIND = Kind("keywords of a test", 1, "run the test again")


@pytest.fixture(scope="module")
def keywords(items: list[Item], minilm: MiniLM) -> KeywordVocabulary:
    counter = PhraseCounter()
    for item in items:
        counter.add(item)
    return KeywordVocabulary.build(counter.phrases(), minilm.encode)


def vocabulary(phrases: Sequence[str], rows: NDArray[np.float32]) -> KeywordVocabulary:
    return KeywordVocabulary(SortedStrings.of(phrases), VectorIndex(rows))


def written(keywords: KeywordVocabulary, path: Path) -> KeywordVocabulary:
    with writing(path, KIND) as draft:
        keywords.save(draft.folder)
    return KeywordVocabulary.open(Artifact.open(path, KIND))


def test_every_keyword_finds_at_least_three_items(keywords: KeywordVocabulary, items: list[Item]) -> None:
    texts = [set(tokenize(item_text(item))) for item in items]
    assert len(keywords) > 20
    for phrase in keywords.phrases:
        assert sum(set(tokenize(phrase)) <= text for text in texts) >= MIN_ITEMS, phrase


def test_no_two_keywords_have_the_same_stems(keywords: KeywordVocabulary) -> None:
    stems = [tuple(tokenize(phrase)) for phrase in keywords.phrases]
    assert len(stems) == len(set(stems))
    assert list(keywords.phrases) == sorted(keywords.phrases)


def test_of_phrases_that_mean_the_same_there_is_one(minilm: MiniLM) -> None:
    built = KeywordVocabulary.build([("grey", 5), ("red wine", 4), ("gray", 4), ("white wine", 4)], minilm.encode)
    assert list(built.phrases) == ["grey", "red wine", "white wine"]
    row = built.vector_of("white wine")
    assert row is not None
    assert np.abs(row - minilm.encode(["white wine"])[0]).max() < 1e-5


def test_prune_keeps_what_is_near_any_concept(keywords: KeywordVocabulary, minilm: MiniLM) -> None:
    concepts = minilm.encode(["something for a birthday party", "a bottle of red wine"])
    pruned = keywords.prune(concepts, limit=6)
    assert len(pruned) == 6
    assert {"birthday", "wine"} <= set(pruned)
    assert keywords.prune(concepts, limit=10_000)[:6] == pruned
    assert keywords.prune(concepts, limit=0) == []
    assert keywords.prune(concepts[:0]) == []


def test_nearest_scores_are_the_largest_cosine_and_ties_are_alphabetical() -> None:
    rows = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    keywords = vocabulary(["a", "b", "c"], rows)
    assert keywords.nearest(rows[0], limit=3) == [("a", 1.0), ("b", 1.0), ("c", 0.0)]
    assert keywords.nearest(rows[1:], limit=3) == [("a", 1.0), ("b", 1.0), ("c", 1.0)]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 40))
@settings(deadline=None)
def test_nearest_is_the_maximum_over_the_vectors(seed: int, concepts: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-1, 2, size=(30, 3)).astype(np.float32) + np.float32(0.5)  # many equal rows, so many ties
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = [f"k{n:02}" for n in range(30)]
    queries = rows[rng.integers(30, size=concepts)]
    scores = np.vecdot(rows[:, None].astype(np.float64), queries[None].astype(np.float64)).max(axis=1)
    expected = sorted(zip(names, scores.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))[:limit]
    assert vocabulary(names, rows).nearest(queries, limit=limit) == expected


def test_vector_of_a_keyword(keywords: KeywordVocabulary, minilm: MiniLM) -> None:
    row = keywords.vector_of("birthday")
    assert row is not None
    assert np.abs(row - minilm.encode(["birthday"])[0]).max() < 1e-5
    assert keywords.vector_of("no such keyword") is None


def test_a_vocabulary_is_the_same_after_it_was_saved(
    keywords: KeywordVocabulary, minilm: MiniLM, tmp_path: Path
) -> None:
    opened = written(keywords, tmp_path / "index")
    assert list(opened.phrases) == list(keywords.phrases)
    concepts = minilm.encode(["breakfast", "snacks for a film"])
    assert opened.nearest(concepts, limit=20) == keywords.nearest(concepts, limit=20)


def test_a_damaged_phrase_file_is_an_error(keywords: KeywordVocabulary, tmp_path: Path) -> None:
    written(keywords, tmp_path / "index")
    file = next((tmp_path / "index").glob("*/keywords.npy"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(IndexStateError, match=r"keywords\.npy: damaged"):
        KeywordVocabulary.open(Artifact.open(tmp_path / "index", KIND))


def test_an_empty_vocabulary_saves_and_finds_nothing(tmp_path: Path) -> None:
    empty = KeywordVocabulary.build([], lambda texts: np.zeros((len(texts), 4), np.float32))
    opened = written(empty, tmp_path / "index")
    assert len(opened) == 0
    assert opened.prune(np.ones((2, 4), np.float32)) == []
    assert opened.vector_of("tea") is None


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="1 rows for 2 phrases"):
        vocabulary(["a", "b"], np.zeros((1, 4), np.float32))
