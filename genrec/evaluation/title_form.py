"""How a title is written, as named numbers: length, breaks, lists, and whether its word order is that of people."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import log

from genrec.catalog.sample import catalog_path
from genrec.page import TITLE_LIMIT
from genrec.programs.library import shipped_themes
from genrec.programs.planning import DANGLING

FUNCTION = DANGLING | frozenset(
    "all any as be but can do does few has have he her him his how if is it less let many more most my no not off one "
    "our out over own she so some than them then there these they those through till too under until up very was we "
    "what when where which who will without yet".split()
)
"""Words that hold a phrase together. All others count alike where word order is looked at."""
CONTENT, EDGE = "*", "|"
SMOOTHING = 0.05

_WORD = re.compile(r"[\w'’-]+")


def form_features(title: str) -> dict[str, float]:
    """Named numbers of a title's form; a length of 1 is `TITLE_LIMIT`. Odd text gives odd numbers, no error."""
    words = _WORD.findall(title.lower())
    content = [word for word in words if word not in FUNCTION and len(word) > 2]
    letters = sum(c.isalpha() or c.isspace() for c in title)
    patterns = _pattern(words)
    return {
        "length": len(title) / TITLE_LIMIT,
        "words": float(len(words)),
        "too long": float(len(title) > TITLE_LIMIT),
        "breaks off": float(bool(words) and words[-1] in DANGLING or title[-1:] in ",-&/"),
        "capital": float(title[:1].isupper()),
        "commas": float(title.count(",")),
        "ands": float(words.count("and")),
        "repeats": len(content) - len(set(content)) + 0.0,
        "bare list": float(not any(w in FUNCTION - {"and", "or"} for w in words)),
        "content share": len(content) / max(len(words), 1),
        "not letters": 1.0 - letters / max(len(title), 1),
        "odd order": _surprise(patterns),
        "oddest order": max(map(_cost, patterns), default=0.0),
        "fragment": float(bool(words) and words[-1] not in _known_words() and len(title) >= TITLE_LIMIT - 4),
        "unknown words": sum(w not in _known_words() for w in content) / max(len(content), 1),
    }


def _pattern(words: Iterable[str]) -> list[tuple[str, str, str]]:
    """Trigrams of a phrase in which content words are all alike, with its edges."""
    marked = [EDGE, *(word if word in FUNCTION else CONTENT for word in words), EDGE]
    return list(zip(marked, marked[1:], [*marked[2:], EDGE], strict=False))[: len(marked) - 1]


@lru_cache(maxsize=1)
def _counts() -> tuple[Mapping[tuple[str, str, str], int], Mapping[tuple[str, str], int]]:
    """Trigrams and their beginnings in what people wrote: the library's titles and rationales."""
    three: Counter[tuple[str, str, str]] = Counter()
    two: Counter[tuple[str, str]] = Counter()
    for theme in shipped_themes():
        for text in (theme.title, *re.split(r"[.;:]", theme.rationale)):
            for trigram in _pattern(_WORD.findall(text.lower())):
                three[trigram] += 1
                two[trigram[:2]] += 1
    return three, two


def _cost(trigram: tuple[str, str, str]) -> float:
    """-ln P(third | first two), additively smoothed."""
    three, two = _counts()
    return -log((three[trigram] + SMOOTHING) / (two[trigram[:2]] + SMOOTHING * (len(FUNCTION) + 2)))


def _surprise(patterns: list[tuple[str, str, str]]) -> float:
    """Mean of the costs."""
    return sum(map(_cost, patterns)) / len(patterns) if patterns else 0.0


@lru_cache(maxsize=1)
def _known_words() -> frozenset[str]:
    """Words of the library and of the sample catalog: English that a shop uses."""
    texts = [catalog_path().read_text(encoding="utf-8")]
    texts += [text for theme in shipped_themes() for text in (theme.title, theme.rationale, *theme.concepts)]
    return frozenset(word for text in texts for word in _WORD.findall(text.lower()))
