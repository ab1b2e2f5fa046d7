"""What a concept means in a catalog, decided from titles and taxonomy: is it, is it not, or who knows."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.encoder import Embedder
from genrec.catalog.items import Item
from genrec.catalog.text import tokenize

SAME, NEAR = 0.80, 0.52
"""Cosine of concept and product name: from SAME on it is the same thing, from NEAR on nobody knows."""

_ASIDE = re.compile(r"\s+(?:with|in|for|from|on|without)\s+|\s*[,(;]\s*")
_QUALIFIERS = frozenset(
    tokenize(
        "fresh ready made own brand small large plain mini good whole loose single classic everyday best free range "
        "ripe local baby big extra each own simple soft natural easy cheap"
    )
)
_TRAILING = frozenset(tokenize("loose each large small whole mix selection pack twin bunch fillet fillets assorted"))


def product_name(title: str) -> str:
    """Return the title up to its first aside: "Gala apples" of "Gala apples, 6 pack"."""
    return _ASIDE.split(title.strip(), maxsplit=1)[0]


@lru_cache(maxsize=50_000)
def name_stems(title: str) -> tuple[str, ...]:
    """Stems of the product's name: the title up to its first aside, without words like "loose" at its end."""
    stems = tokenize(product_name(title))
    while len(stems) > 1 and (stems[-1] in _TRAILING or stems[-1].isdigit()):
        stems.pop()
    return tuple(stems)


class ConceptMatcher:
    """What each concept means in this catalog: an int8 row of 1 (is one), 0 (is something else), -1 (unknown)."""

    def __init__(self, items: Sequence[Item], embedder: Embedder) -> None:
        """Embed the product names of `items` once."""
        self.items = items
        self._embedder = embedder
        self._names = [name_stems(item.title) for item in items]
        self._leaves = [frozenset(tokenize(item.leaf)) for item in items]
        self._words = [
            frozenset(tokenize(" ".join([item.title, *item.categories, *item.attributes.values()]))) for item in items
        ]
        self._titles = [frozenset(tokenize(item.title)) for item in items]
        self._vectors = embedder.encode([product_name(item.title) for item in items])
        self._rows: dict[str, NDArray[np.int8]] = {}
        self._known: dict[str, NDArray[np.float32]] = {}
        self._departments = np.array([item.department for item in items])

    def prepare(self, concepts: Iterable[str]) -> None:
        """Embed `concepts` in one call."""
        new = sorted(set(concepts) - set(self._known))
        self._known.update(zip(new, self._embedder.encode(new), strict=True))

    def cosines(self, concept: str) -> NDArray[np.float32]:
        """Cosine of the concept with every product name, float32 (n,)."""
        if concept not in self._known:
            self.prepare([concept])
        return np.asarray(self._vectors @ self._known[concept])

    def labels(self, concept: str) -> NDArray[np.int8]:
        """Return 1, 0 or -1 for every item, int8 (n,)."""
        if concept not in self._rows:
            self._rows[concept] = self._decide(concept)
        return self._rows[concept]

    def shares_word(self, concept: str) -> NDArray[np.bool_]:
        """Whether a title holds the concept's head noun at all, bool (n,): "apple shampoo" for "apples"."""
        head = tokenize(concept)[-1:]
        return np.array([bool(head) and head[0] in words for words in self._titles])

    def _decide(self, concept: str) -> NDArray[np.int8]:
        stems = tokenize(concept)
        cosine = self.cosines(concept)
        row = np.zeros(len(self.items), np.int8)
        row[cosine >= NEAR] = -1
        if not stems:
            return row
        needed = frozenset(stem for stem in stems if stem not in _QUALIFIERS) | {stems[-1]}
        head = stems[-1]
        for number, name in enumerate(self._names):
            headed = bool(name) and name[-1] == head
            in_leaf = head in self._titles[number] and head in self._leaves[number]
            if (headed or in_leaf) and needed <= self._words[number]:
                row[number] = 1
            elif headed or in_leaf:
                row[number] = -1
        row[cosine >= SAME] = 1
        return self._sane(row, cosine)

    def _sane(self, row: NDArray[np.int8], cosine: NDArray[np.float32]) -> NDArray[np.int8]:
        """Doubt a positive of a department that holds few of them and looks far from the concept."""
        positive = row == 1
        if positive.sum() >= 3:
            found = self._departments[positive]
            homes = [department for department in set(found) if (found == department).mean() >= 0.2]
            row[positive & ~np.isin(self._departments, homes) & (cosine < 0.75)] = -1
        return row
