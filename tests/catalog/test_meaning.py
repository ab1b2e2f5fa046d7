import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genrec.catalog.meaning import close_pairs, distinct
from genrec.catalog.minilm import MiniLM
from genrec.catalog.phrases import Phrase

JUDGED = Path(__file__).with_name("keyword_pairs.tsv")
"""Pairs of phrases with the items that each is in, nearest ones of two catalogs and some thought up, judged by reading:
`same` where one of the two is enough, `different` where a shopper may want one and not the other."""


def merged(minilm: MiniLM, *phrases: tuple[str, int]) -> list[str]:
    """Which stay, under the real encoder."""
    given = [Phrase(*phrase) for phrase in phrases]
    return [given[row].text for row in distinct(given, minilm.encode([text for text, _ in given])).tolist()]


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_of_the_judged_pairs_what_merges_is_the_same(minilm: MiniLM) -> None:
    with JUDGED.open(encoding="utf-8") as file:
        pairs = [
            (Phrase(a, int(m)), Phrase(b, int(n)), same == "same") for a, m, b, n, same in csv.reader(file, "excel-tab")
        ]
    rows = minilm.encode([phrase.text for a, b, _ in pairs for phrase in (a, b)])
    gone = [len(distinct(pair[:2], rows[2 * n : 2 * n + 2])) == 1 for n, pair in enumerate(pairs)]
    right = sum(same for (_, _, same), merges in zip(pairs, gone, strict=True) if merges)
    assert right / sum(gone) >= 0.95
    assert right / sum(same for _, _, same in pairs) >= 0.75


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("left handed", "right handed"),
        ("long sleeve", "short sleeve"),
        ("red wine", "white wine"),
        ("low fat milk", "fat free milk"),
        ("isotonic drinks single serve", "isotonic drinks multi serve"),
        ("two ply toilet", "three ply toilet"),
        ("alkaline", "non alkaline"),
        ("gluten", "gluten free"),
        ("grape juice", "grapefruit juice"),
    ],
)
def test_opposites_stay(minilm: MiniLM, a: str, b: str) -> None:
    assert merged(minilm, (a, 9), (b, 8)) == [a, b]


def test_the_more_frequent_stays(minilm: MiniLM) -> None:
    assert merged(minilm, ("grey", 3), ("gray", 5), ("oats", 9)) == ["gray", "oats"]
    assert merged(minilm, ("boxed candy", 39), ("candy boxed", 98)) == ["candy boxed"]


def test_a_narrower_phrase_merges_only_where_it_names_the_same_items(minilm: MiniLM) -> None:
    assert merged(minilm, ("napkins", 50), ("paper napkins", 47)) == ["napkins"]
    assert merged(minilm, ("napkins", 50), ("paper napkins", 44)) == ["napkins", "paper napkins"]


def test_of_a_fragment_and_its_whole_in_the_same_items_the_whole_stays(minilm: MiniLM) -> None:
    assert merged(minilm, ("carbonated juice", 7), ("non carbonated juice", 7)) == ["non carbonated juice"]
    assert merged(minilm, ("carbonated juice", 8), ("non carbonated juice", 7)) == [
        "carbonated juice",
        "non carbonated juice",
    ]


def test_a_phrase_that_went_takes_nothing_with_it() -> None:
    angles = np.radians([0, 21, 42])  # neighbours have a cosine of 0.934, the ends 0.743
    rows = unit(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    chain = [Phrase("tea", 9), Phrase("oat", 8), Phrase("rye", 7)]
    assert distinct(chain, rows).tolist() == [0, 2]
    assert distinct(chain[::-1], rows[::-1]).tolist() == [0, 2]


def test_nothing_and_one() -> None:
    assert distinct([], np.zeros((0, 4), np.float32)).tolist() == []
    assert distinct([Phrase("a", 3)], np.ones((1, 1), np.float32)).tolist() == [0]


def _clustered(count: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    topics = rng.normal(size=(count // 5, 32))
    return unit(topics[rng.integers(len(topics), size=count)] + 0.3 * rng.normal(size=(count, 32)))


def test_pairs_of_few_rows_are_all_of_them() -> None:
    rows = _clustered(400)
    product = rows @ rows.T
    expected = {(i, j) for j in range(400) for i in range(j) if product[i, j] >= 0.9}
    one, other, cosines = close_pairs(rows, 0.9)
    assert set(zip(one.tolist(), other.tolist(), strict=True)) == expected
    assert len(one) == len(expected) > 100
    assert np.abs(cosines - product[one, other]).max() < 1e-6


def test_pairs_from_cells_are_nearly_all_and_none_is_wrong() -> None:
    rows = _clustered(4_000)
    everything = set(zip(*(part.tolist() for part in close_pairs(rows, 0.9)[:2]), strict=True))
    celled = set(zip(*(part.tolist() for part in close_pairs(rows, 0.9, exact_rows=1_000)[:2]), strict=True))
    assert celled <= everything
    assert len(celled) >= 0.97 * len(everything)
