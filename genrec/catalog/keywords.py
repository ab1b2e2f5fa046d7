"""The catalog's keyword vocabulary: phrases that are known to find items, and those nearest to a theme.

Why: a language model that chooses from keywords of the catalog retrieves items; one that invents them may
not. The vocabulary is large, so embedding search prunes it to a hundred before the model sees it.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.dense import VectorIndex
from genrec.catalog.items import Hit, Item
from genrec.catalog.text import STOP_WORDS, tokenize, words

CAP = 300_000
MIN_ITEMS = 3
_LONGEST_WORDS = 4
_LONGEST_CHARACTERS = 60

_UNITS = frozenset(
    "bag bags box boxes bottle bottles can cans case cl cm count ct cup dl dozen ea each fl floz ft g gal gr "
    "gram grams inch inches jar kg l lb lbs liter liters litre litres m mg ml mm oz ounce ounces pack packet "
    "packs pc pcs piece pieces pint pk pkt pt qt quart ro roll rolls sachets sheets sz tub x".split()
)
_BREAK = re.compile(r"[^\w\s'\u2019&-]|_|\s[-\u2013\u2014]\s|\s&\s")


class KeywordVocabulary:
    """Lower-case phrases as they read in the catalog, sorted, with their unit vectors.

    Each finds at least `MIN_ITEMS` items when all its tokens are required. Two that have the same stems are
    one.
    """

    def __init__(self, phrases: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Take phrases and their unit rows, float32 (len(phrases), dim)."""
        self.phrases = tuple(phrases)
        self.vectors = vectors
        self._index = VectorIndex(self.phrases, vectors)
        self._rows: Mapping[str, int] = {phrase: row for row, phrase in enumerate(self.phrases)}

    @classmethod
    def build(
        cls, items: Sequence[Item], encode: Callable[[Sequence[str]], NDArray[np.float32]], *, cap: int = CAP
    ) -> "KeywordVocabulary":
        """Collect the phrases of `items`; `encode` makes texts unit rows, float32 (n, dim)."""
        phrases = collect(items, cap=cap)
        return cls(phrases, encode(phrases))

    def __len__(self) -> int:
        """Return the number of keywords."""
        return len(self.phrases)

    def vector_of(self, phrase: str) -> NDArray[np.float32] | None:
        """Return the unit row (dim,) of a keyword, or None for what is not one."""
        row = self._rows.get(phrase)
        return None if row is None else self.vectors[row]

    def nearest(self, vectors: NDArray[np.float32], *, limit: int) -> list[Hit]:
        """Return the `limit` keywords nearest to any of the unit `vectors`, (m, dim) or (dim,), best first.

        A keyword's score is its largest cosine; ties are alphabetical; `item_id` of a hit is the keyword.
        """
        best: dict[str, float] = {}
        for hits in self._index.search_vectors(np.atleast_2d(vectors), limit=limit):
            for phrase, score in hits:
                best[phrase] = max(score, best.get(phrase, -1.0))
        ranked = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))[: max(limit, 0)]
        return [Hit(phrase, score) for phrase, score in ranked]

    def prune(self, concept_vectors: NDArray[np.float32], *, limit: int = 100) -> list[str]:
        """Return the `limit` keywords nearest to a theme's concepts, unit rows (m, dim), best first."""
        return [hit.item_id for hit in self.nearest(concept_vectors, limit=limit)]

    def save(self, folder: Path) -> None:
        """Write `keywords.json` and `keywords.npy` into `folder`."""
        (folder / "keywords.json").write_text(json.dumps(self.phrases, ensure_ascii=False), "utf-8")
        self._index.save(folder / "keywords.npy")

    @classmethod
    def load(cls, folder: Path) -> "KeywordVocabulary":
        """Read what `save` wrote, vectors memory-mapped. Raises ValueError or OSError where it is unfit."""
        phrases = json.loads((folder / "keywords.json").read_text("utf-8"))
        return cls(phrases, VectorIndex.load(folder / "keywords.npy", phrases).vectors)


def collect(items: Iterable[Item], *, cap: int = CAP) -> list[str]:
    """Return at most `cap` phrases in alphabetical order, no two with the same stems.

    Sources: category names, attribute values, and 1- to 3-grams of titles that cross no punctuation, number
    or size and neither start nor end in a stop word; each in at least `MIN_ITEMS` items. Above the cap the
    most frequent stay, ties alphabetically. The surface is the most frequent one of its stems.
    """
    frequency: Counter[tuple[str, ...]] = Counter()
    surfaces: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    keys: dict[str, tuple[str, ...]] = {}
    for item in items:
        found: set[tuple[str, ...]] = set()
        for phrase in _phrases(item):
            key = keys.get(phrase)
            if key is None:
                key = keys[phrase] = tuple(dict.fromkeys(tokenize(phrase)))
            surfaces[key][phrase] += 1
            found.add(key)
        frequency.update(found)
    kept = [key for key, count in frequency.items() if count >= MIN_ITEMS and key]
    best = {key: min(surfaces[key].items(), key=lambda pair: (-pair[1], pair[0]))[0] for key in kept}
    kept.sort(key=lambda key: (-frequency[key], best[key]))
    return sorted(best[key] for key in kept[:cap])


def _phrases(item: Item) -> Iterator[str]:
    """Yield the phrases of one item, repeats included."""
    for name in (*item.categories, *item.attributes.values()):
        for run in _runs(name):
            if len(run) <= _LONGEST_WORDS and _reads_well(run):
                yield " ".join(run)
    for run in _runs(item.title):
        for start in range(len(run)):
            for stop in range(start + 1, min(start + 3, len(run)) + 1):
                if _reads_well(run[start:stop]):
                    yield " ".join(run[start:stop])


def _runs(text: str) -> Iterator[list[str]]:
    """Yield the words between punctuation, numbers and units, in lower case."""
    for segment in _BREAK.split(text):
        run: list[str] = []
        for word in words(segment):
            if word in _UNITS or any(character.isdigit() for character in word):
                if run:
                    yield run
                run = []
            else:
                run.append(word)
        if run:
            yield run


def _reads_well(run: Sequence[str]) -> bool:
    edges = run[0] not in STOP_WORDS and run[-1] not in STOP_WORDS
    return edges and any(len(word) > 2 for word in run) and sum(map(len, run)) <= _LONGEST_CHARACTERS
