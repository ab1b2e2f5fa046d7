from pathlib import Path

import numpy as np
import pytest

from genrec.catalog.items import Item
from genrec.catalog.keywords import MIN_ITEMS, KeywordVocabulary, collect
from genrec.catalog.store import Catalog
from genrec.catalog.text import item_text, tokenize


def titled(*titles: str) -> list[Item]:
    return [Item(item_id=str(n), title=title) for n, title in enumerate(titles)]


def test_every_keyword_finds_at_least_three_items(catalog: Catalog) -> None:
    texts = [set(tokenize(item_text(item))) for item in catalog.items.values()]
    assert len(catalog.keywords) > 20
    for phrase in catalog.keywords.phrases:
        assert sum(set(tokenize(phrase)) <= text for text in texts) >= MIN_ITEMS, phrase


def test_no_two_keywords_have_the_same_stems(catalog: Catalog) -> None:
    stems = [tuple(tokenize(phrase)) for phrase in catalog.keywords.phrases]
    assert len(stems) == len(set(stems))
    assert list(catalog.keywords.phrases) == sorted(catalog.keywords.phrases)


def test_the_most_frequent_surface_is_kept() -> None:
    assert collect(titled("Oat cookie", "Oat cookies", "Oat COOKIES", "Cookies")) == [
        "cookies",
        "oat",
        "oat cookies",
    ]


def test_sizes_numbers_stop_words_and_punctuation_bound_a_phrase() -> None:
    phrases = collect(titled(*["Mac and cheese, 12 oz (family pack) 2% fat"] * 3))
    assert phrases == ["cheese", "family", "fat", "mac", "mac and cheese"]


def test_categories_and_attribute_values_are_keywords() -> None:
    items = [Item(item_id=str(n), title="T", categories=("Pet care",), attributes={"a": "Gift wrap"}) for n in range(3)]
    assert collect(items) == ["gift wrap", "pet care"]


def test_the_cap_keeps_the_most_frequent() -> None:
    items = titled(*["Rye", "Rye", "Rye", "Rye", "Tea", "Tea", "Tea", "Ale", "Ale", "Ale"])
    assert collect(items, cap=2) == ["ale", "rye"]
    assert collect([]) == []


def test_prune_keeps_what_is_near_any_concept(catalog: Catalog) -> None:
    concepts = catalog.embedder.encode(["something for a birthday party", "a bottle of red wine"])
    pruned = catalog.keywords.prune(concepts, limit=6)
    assert len(pruned) == 6
    assert {"birthday", "wine"} <= set(pruned)
    assert catalog.keywords.prune(concepts, limit=10_000)[:6] == pruned
    assert catalog.keywords.prune(concepts, limit=0) == []
    assert catalog.keywords.prune(concepts[:0]) == []


def test_nearest_scores_are_the_largest_cosine_and_ties_are_alphabetical() -> None:
    rows = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
    keywords = KeywordVocabulary(["b", "c", "a"], rows)
    assert keywords.nearest(rows[0], limit=3) == [("a", 1.0), ("b", 1.0), ("c", 0.0)]
    assert keywords.nearest(rows[:2], limit=3) == [("a", 1.0), ("b", 1.0), ("c", 1.0)]


def test_vector_of_a_keyword(catalog: Catalog) -> None:
    row = catalog.keywords.vector_of("birthday")
    assert row is not None
    assert np.abs(row - catalog.embedder.encode(["birthday"])[0]).max() < 1e-5
    assert catalog.keywords.vector_of("no such keyword") is None


def test_an_empty_vocabulary_saves_and_finds_nothing(tmp_path: Path) -> None:
    KeywordVocabulary([], np.zeros((0, 4), np.float32)).save(tmp_path)
    loaded = KeywordVocabulary.load(tmp_path)
    assert len(loaded) == 0
    assert loaded.prune(np.ones((2, 4), np.float32)) == []


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="for 2 items"):
        KeywordVocabulary(["a", "b"], np.zeros((1, 4), np.float32))
