"""Pairs without human labels: what a concept matches, which splits stay apart, and that gold stays unseen."""

import json
import zlib
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.catalog.items import Item
from genrec.catalog.text import tokenize
from genrec.optimizers.concept_matcher import ConceptMatcher, name_stems, product_name
from genrec.optimizers.relevance_pairs import Pair, Source, build_pairs, split_of, theme_sources


class WordEmbedder:
    """An embedder whose cosine is the overlap of stems: a fixed direction for each."""

    name = fingerprint = "words"
    dim = 256

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dim), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[0] = 1e-3
            for stem in tokenize(text):
                row += np.random.default_rng(zlib.crc32(stem.encode())).normal(size=self.dim).astype(np.float32)
            row /= np.linalg.norm(row)
        return rows


def _item(number: int, title: str, path: str, food: str = "yes") -> Item:
    return Item(item_id=f"i{number:03}", title=title, categories=tuple(path.split(" > ")), attributes={"food": food})


_ROWS = [
    ("Gala apples, 6 pack", "Fruit > Orchard > Apples & pears"),
    ("Granny Smith apples loose, each", "Fruit > Orchard > Apples & pears"),
    ("Conference pears, 600 g", "Fruit > Orchard > Apples & pears"),
    ("Navel oranges, net", "Fruit > Citrus > Oranges"),
    ("Cloudy apple juice, 1 l", "Drinks > Juice > Fruit juice"),
    ("Orange squash, 1 l", "Drinks > Squash > Squash"),
    ("Rye bread, 500 g", "Bakery > Bread > Loaves"),
    ("Wheat bread with apples, 500 g", "Bakery > Bread > Loaves"),
]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    """Food of three departments, soap, and enough leaves for every split."""
    rows = [_item(n, title, path) for n, (title, path) in enumerate(_ROWS)]
    rows.append(_item(50, "Green apple shampoo, 250 ml", "Beauty > Hair > Shampoo", food="no"))
    rows += [_item(100 + n, f"Widget{n} tool, 1 piece", f"Home > Tools > Kind {n % 40}", food="no") for n in range(120)]
    return rows


@pytest.fixture(scope="module")
def matcher(items: list[Item]) -> ConceptMatcher:
    """A matcher over them."""
    return ConceptMatcher(items, WordEmbedder())


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Gala apples, 6 pack", "Gala apples"),
        ("Wheat bread with apples, 500 g", "Wheat bread"),
        ("Dates (Medjool)", "Dates"),
    ],
)
def test_a_product_name_ends_at_the_first_aside(title: str, name: str) -> None:
    assert product_name(title) == name


def test_words_like_loose_are_no_head() -> None:
    assert name_stems("Granny Smith apples loose, each")[-1] == tokenize("apples")[0]


def test_the_head_decides_what_a_product_is(matcher: ConceptMatcher, items: list[Item]) -> None:
    row = dict(zip((item.title for item in items), matcher.labels("apples").tolist(), strict=True))
    assert row["Gala apples, 6 pack"] == 1
    assert row["Granny Smith apples loose, each"] == 1
    assert row["Cloudy apple juice, 1 l"] != 1
    assert row["Green apple shampoo, 250 ml"] != 1
    assert row["Wheat bread with apples, 500 g"] == 0
    assert row["Rye bread, 500 g"] == 0


def test_a_concept_without_words_matches_nothing(matcher: ConceptMatcher) -> None:
    assert not (matcher.labels("&") == 1).any()


def _theme(split: str) -> Source:
    names = (f"Fruit bowl {n}" for n in range(1_000))
    title = next(name for name in names if split_of(name) == split)
    return Source(title, ("apples", "pears", "oranges"), split_of(title))


def test_pairs_are_reproducible_and_hold_both_labels(items: list[Item]) -> None:
    sources = [_theme("train"), _theme("dev"), _theme("test")]
    pairs = build_pairs(items, WordEmbedder(), seed=3, sources=sources)
    assert pairs == build_pairs(items, WordEmbedder(), seed=3, sources=sources)
    assert pairs != build_pairs(items, WordEmbedder(), seed=4, sources=sources)
    held = [pair for pair in pairs if pair.group == f"theme:{sources[2].title}"]
    assert {pair.label for pair in held} == {0, 1}
    assert all(isinstance(pair, Pair) and pair.split == "test" for pair in held)


def test_a_shampoo_of_apples_is_a_negative_of_the_fruit_theme(items: list[Item]) -> None:
    pairs = build_pairs(items, WordEmbedder(), sources=[_theme("test")])
    labels = {pair.item_id: pair.label for pair in pairs if pair.group.startswith("theme:")}
    assert labels["i000"] == 1
    assert labels["i050"] == 0


def test_training_uses_items_of_training_leaves_only(items: list[Item]) -> None:
    leaf = {item.item_id: split_of("/".join(item.categories)) for item in items}
    pairs = build_pairs(items, WordEmbedder(), sources=[_theme("train")])
    assert {leaf[pair.item_id] for pair in pairs if pair.split == "train"} == {"train"}
    assert {leaf[pair.item_id] for pair in pairs if pair.split == "test"} <= {"test"}


def test_held_out_themes_share_little_with_training() -> None:
    sources = theme_sources()
    held = [set(source.concepts) for source in sources if source.split != "train"]
    titles = [source.title for source in sources]
    assert len(held) > 80
    assert len(titles) == len(set(titles))
    library = 373
    assert all(len(other & set(s.concepts)) < 3 for s in sources[library:] for other in held)


def test_gold_is_sixty_themes_of_twelve_that_training_never_sees() -> None:
    text = files("genrec.optimizers").joinpath("data/relevance_gold.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    themes = {row["theme"] for row in rows}
    assert len(themes) == 60
    assert len(rows) == len({(row["theme"], row["item_id"]) for row in rows}) == 720
    assert {row["label"] for row in rows} == {0, 1}
    assert not {theme.split(":")[0].lower() for theme in themes} & {s.title.lower() for s in theme_sources()}
