"""Collecting the phrases of a catalog in one pass and bounded memory. What becomes of them is in keywords.py."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from genrec.catalog.items import Item
from genrec.catalog.text import STOP_WORDS, normalize, stem

CAP = 300_000
MIN_ITEMS = 3
TABLE = 2_000_000
"""Phrases that are counted at a time: about 0.8 GB."""

_REMEMBERED = 50_000
_NAME_WORDS = 4
_TITLE_WORDS = 3
_LONGEST = 60

_UNITS = frozenset(
    "bag bags box boxes bottle bottles can cans case cl cm count ct cup dl dozen ea each fl floz ft g gal gr "
    "gram grams inch inches jar kg l lb lbs liter liters litre litres m mg ml mm oz ounce ounces pack packet "
    "packs pc pcs piece pieces pint pk pkt pt qt quart ro roll rolls sachets sheets sz tub x".split()
)
_BREAK = re.compile(r"[^\w\s&-]|_|\s-\s|\s&\s")
_WORD = re.compile(r"[^\W_]+")
_DIGIT = re.compile(r"\d")


class Phrase(NamedTuple):
    """A phrase in lower case, and the number of items that it was counted in."""

    text: str
    items: int


class PhraseCounter:
    """Counts in how many items each phrase is; phrases with the same stems are one.

    Sources: category names, attribute values, and 1- to 3-grams of titles that cross no punctuation, number or size
    and neither start nor end in a stop word.

    Memory is bounded: a full table loses at least its rarer half, as in lossy counting, except that a full table ends
    a bucket and not a number of items. A count is therefore never too high, and too low by at most `undercount`, which
    is 0 until the table was full. So every phrase returned is in at least `MIN_ITEMS` items, and below the cap none is
    missed that is in `undercount + MIN_ITEMS`.
    Source: Manku, Motwani, Approximate Frequency Counts over Data Streams, VLDB 2002.
    """

    def __init__(self, cap: int = CAP, *, table: int = TABLE) -> None:
        """Return at most `cap` phrases, and count about `table` at a time."""
        self.undercount = 0
        self._cap = cap
        self._table = table
        self._stems: dict[str, str] = {}
        self._uses: Counter[str] = Counter()
        self._items: Counter[str] = Counter()
        self._missed: dict[str, int] = {}  # of stems: in how many items they may have been before they were added
        self._of_name = _Remembered(_NAME_WORDS, parts=False)
        self._of_title = _Remembered(_TITLE_WORDS, parts=True)

    def add(self, item: Item) -> None:
        """Count the phrases of one item, each once."""
        texts = [self._of_title(item.title), *map(self._of_name, (*item.categories, *item.attributes.values()))]
        found: dict[str, str] = {}
        for text in texts:
            found.update(text.stems)
        stems = set(found.values())
        if self.undercount:
            self._missed.update((new, self.undercount) for new in stems if new not in self._items)
        self._stems.update(found)
        self._uses.update(chain.from_iterable(text.phrases for text in texts))
        self._items.update(stems)
        if len(self._stems) > self._table:
            self._drop_rarer_half()

    def phrases(self) -> list[Phrase]:
        """Return the phrases in at least `MIN_ITEMS` items, most frequent first, ties alphabetically.

        Above the cap the first ones stay. Of phrases with the same stems the one written most often stands for all.
        """
        best: dict[str, tuple[int, str]] = {}
        for phrase, stems in self._stems.items():
            if self._items[stems] >= MIN_ITEMS:
                candidate = (-self._uses[phrase], phrase)
                best[stems] = min(best.get(stems, candidate), candidate)
        ranked = sorted((-self._items[stems], phrase) for stems, (_, phrase) in best.items())
        return [Phrase(phrase, -items) for items, phrase in ranked[: self._cap]]

    def _drop_rarer_half(self) -> None:
        most = {stems: items + self._missed.get(stems, 0) for stems, items in self._items.items()}
        ranked = sorted((most[stems] for stems in self._stems.values()), reverse=True)
        self.undercount = ranked[self._table // 2]
        self._stems = {phrase: stems for phrase, stems in self._stems.items() if most[stems] > self.undercount}
        kept = set(self._stems.values())
        self._uses = Counter({phrase: self._uses[phrase] for phrase in self._stems})
        self._items = Counter({stems: self._items[stems] for stems in kept})
        self._missed = {stems: missed for stems, missed in self._missed.items() if stems in kept}


class _Found(NamedTuple):
    """What one text holds: its phrases, repeats included, and the stems of each."""

    phrases: list[str]
    stems: dict[str, str]


class _Remembered:
    """What texts hold, read once for those that come again: a category, a size, often a title."""

    def __init__(self, longest: int, *, parts: bool) -> None:
        """Find runs of at most `longest` words; with `parts` those inside of longer runs as well."""
        self._longest = longest
        self._parts = parts
        self._known: dict[str, _Found] = {}

    def __call__(self, text: str) -> _Found:
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[text] = self._read(text)
        return known

    def _read(self, text: str) -> _Found:
        found = _Found([], {})
        for words in _runs(text):
            stems = ["" if word in STOP_WORDS else stem(word) for word in words]
            for start, stop in self._spans(len(words)):
                if stems[start] and stems[stop - 1]:
                    phrase = " ".join(words[start:stop])
                    if len(phrase) <= _LONGEST and max(map(len, words[start:stop])) > 2:
                        found.phrases.append(phrase)
                        found.stems[phrase] = " ".join(dict.fromkeys(filter(None, stems[start:stop])))
        return found

    def _spans(self, count: int) -> Iterator[tuple[int, int]]:
        if self._parts:
            for start in range(count):
                for stop in range(start + 1, min(start + self._longest, count) + 1):
                    yield start, stop
        elif count <= self._longest:
            yield 0, count


def _runs(text: str) -> Iterator[list[str]]:
    """Yield the words between punctuation, numbers and units, in lower case, as `tokenize` sees them."""
    for segment in _BREAK.split(normalize(text)):
        run: list[str] = []
        for word in _WORD.findall(segment):
            if word in _UNITS or _DIGIT.search(word):
                if run:
                    yield run
                run = []
            else:
                run.append(word)
        if run:
            yield run
