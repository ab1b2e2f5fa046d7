"""The catalog's keyword vocabulary: phrases that are known to find items, and those nearest to a theme.

Why: a language model that chooses from keywords of the catalog retrieves items; one that invents them may not. The
vocabulary is large, so embedding search prunes it to a hundred before the model sees it. Where the phrases come from
is in phrases.py, which of them mean the same in meaning.py.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.artifact import Artifact
from genrec.catalog.dense import VectorIndex
from genrec.catalog.fusion import best_rows
from genrec.catalog.items import Hit
from genrec.catalog.meaning import distinct
from genrec.catalog.phrases import Phrase
from genrec.catalog.strings import SortedStrings

_PHRASES = "keywords"
_VECTORS = "keyword_vectors"


class KeywordVocabulary:
    """Lower-case phrases as they read in the catalog, in code point order, with their unit vectors.

    Each is in at least `phrases.MIN_ITEMS` items, so it finds them when all its tokens are required. No two have the
    same stems in the same order, and of those found to mean the same there is one. Memory-mapped when it was opened;
    safe to use from several threads.
    """

    def __init__(self, phrases: SortedStrings, vectors: VectorIndex) -> None:
        """Take phrases and the index of their unit rows. Raises ValueError when there are not as many rows."""
        if len(phrases) != len(vectors):
            raise ValueError(f"{len(vectors)} rows for {len(phrases)} phrases; give every phrase its row")
        self.phrases = phrases
        self.vectors = vectors

    @classmethod
    def build(
        cls,
        phrases: Sequence[Phrase | tuple[str, int]],
        encode: Callable[[Sequence[str]], NDArray[np.float32]],
    ) -> "KeywordVocabulary":
        """Keep what differs in meaning of distinct phrases, each given with the number of items that it is in.

        `encode` makes texts unit rows, float32 (n, dim); it is called once.
        """
        ordered = sorted(Phrase(*phrase) for phrase in phrases)
        rows = encode([phrase.text for phrase in ordered])
        kept = distinct(ordered, rows)
        return cls(SortedStrings.of(ordered[row].text for row in kept.tolist()), VectorIndex.build(rows[kept]))

    def __len__(self) -> int:
        """Return the number of keywords."""
        return len(self.phrases)

    def vector_of(self, phrase: str) -> NDArray[np.float32] | None:
        """Return the unit row (dim,) of a keyword, or None for what is not one."""
        row = self.phrases.find(phrase)
        return None if row < 0 else self.vectors.rows(np.array([row]))[0]

    def nearest(self, vectors: NDArray[np.float32], *, limit: int) -> list[Hit]:
        """Return the `limit` keywords nearest to any of the unit `vectors`, (m, dim) or (dim,), best first.

        A keyword's score is its largest cosine; ties are alphabetical; `item_id` of a hit is the keyword.
        """
        rankings = self.vectors.search(np.atleast_2d(vectors), limit=limit)
        if not rankings:
            return []
        rows, place = np.unique(np.concatenate([ranking.rows for ranking in rankings]), return_inverse=True)
        scores = np.full(len(rows), -np.inf)
        np.maximum.at(scores, place, np.concatenate([ranking.scores for ranking in rankings]))
        best = best_rows(scores, rows, limit)
        return [Hit(*hit) for hit in zip(self.phrases.many(rows[best]), scores[best].tolist(), strict=True)]

    def prune(self, concept_vectors: NDArray[np.float32], *, limit: int = 100) -> list[str]:
        """Return the `limit` keywords nearest to a theme's concepts, unit rows (m, dim), best first."""
        return [hit.item_id for hit in self.nearest(concept_vectors, limit=limit)]

    def save(self, folder: Path) -> None:
        """Write the phrases ("keywords*") and their rows ("keyword_vectors*") into `folder`."""
        self.phrases.save(folder, _PHRASES)
        self.vectors.save(folder, _VECTORS)

    @classmethod
    def open(cls, artifact: Artifact) -> "KeywordVocabulary":
        """Memory-map what `save` wrote. Raises IndexStateError when a file is not what it should be."""
        return cls(SortedStrings.open(artifact, _PHRASES), VectorIndex.open(artifact, _VECTORS))
