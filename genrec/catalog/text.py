"""Tokens, and the text of an item: for lexical and for dense search. No index lives here."""

import re
import unicodedata
from functools import lru_cache

import snowballstemmer

from genrec.catalog.items import Item

STOP_WORDS = frozenset(
    "a an and are as at be by for from in into is it its of on or our that the their this to with".split()
)
"""Words that never decide a match. Small on purpose: 'free', 'low' and 'no' carry meaning in a shop."""

DENSE_WORDS = 40
"""Words of an item that are embedded; about 60 word pieces."""

_LONGEST_STEMMED = 30
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile("['\u2019\u02bc\uff07`\u00b4]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def normalize(text: str) -> str:
    """Return `text` in lower case, NFKC, without accents and apostrophes ("Kellogg's" is "kelloggs")."""
    text = _APOSTROPHES.sub("", text)
    if _NOT_ASCII.search(text):
        decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
        kept = "".join(character for character in decomposed if not unicodedata.combining(character))
        text = _APOSTROPHES.sub("", unicodedata.normalize("NFC", kept))
    return text.lower()


def words(text: str) -> list[str]:
    """Return the normalized words of `text` in order, unstemmed, stop words included."""
    return _WORD.findall(normalize(text))


def stem(word: str) -> str:
    """Return the Porter2 stem of one normalized word; very long words are left as they are.

    Source: Snowball English stemmer, https://snowballstem.org/algorithms/english/stemmer.html
    """
    return word if len(word) > _LONGEST_STEMMED else _stem(word)


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    # A stemmer holds a cursor, so one shared between threads would mix their words up.
    return str(snowballstemmer.stemmer("english").stemWord(word))


def tokenize(text: str) -> list[str]:
    """Return the stems of `text` in order, repeats kept, without stop words; [] for text without any word.

    A script written without spaces (Chinese, Thai) is not segmented: a run of its letters is one token.
    """
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


def item_text(item: Item) -> str:
    """Return everything lexical search looks at: title, brand, categories, attribute values, description."""
    parts = [item.title, item.brand, *item.categories, *item.attributes.values(), item.description]
    return "\n".join(part for part in parts if part)


def item_dense_text(item: Item) -> str:
    """Return "title. leaf category. first sentences of the description", at most `DENSE_WORDS` words.

    Short on purpose: an encoder's time grows with every word, and the head of a description says what it is.
    """
    parts = [item.title]
    if item.leaf and item.leaf.lower() not in item.title.lower():
        parts.append(item.leaf)
    room = DENSE_WORDS - sum(len(part.split()) for part in parts)
    for sentence in _SENTENCE_END.split(item.description.strip()):
        size = len(sentence.split())
        if not sentence or size > room:
            break
        parts.append(sentence)
        room -= size
    text = ". ".join(part.strip().rstrip(".") for part in parts)
    return " ".join(text.split()[:DENSE_WORDS])
