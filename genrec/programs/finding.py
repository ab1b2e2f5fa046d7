"""Prune, describe, retrieve: from a theme to the catalog items that might fill it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dspy

from genrec.catalog.filters import Where
from genrec.catalog.fusion import fuse_hits, reciprocal_rank_fusion
from genrec.catalog.items import Hit
from genrec.catalog.store import Catalog
from genrec.errors import LMError
from genrec.lm.compact import plain
from genrec.page import Descriptor, PageRequest
from genrec.programs.asking import Asker
from genrec.programs.planning import Planned

KEYWORDS = 100
SMALL_KEYWORDS = 12
"""Keywords that a small model chooses from: more only cost it prompt tokens."""
CHOSEN = 6
FEWEST = 4
NEAR = 0.5
"""Cosine of a keyword to the nearest idea of its theme below which it would only lead astray."""


@dataclass(frozen=True)
class Found:
    """One theme with its search words and candidates, best first."""

    planned: Planned
    keywords: tuple[str, ...]
    candidates: tuple[str, ...]
    concept_of: Mapping[str, str]
    """item_id -> the concept whose search ranked it highest."""


class Finder:
    """The catalog's side of a theme."""

    def __init__(self, catalog: Catalog) -> None:
        """Searches `catalog`."""
        self._catalog = catalog

    def describe(self, asker: Asker, predictor: dspy.Predict, request: PageRequest, planned: Planned) -> Descriptor:
        """The LM's choice among the catalog's keywords near the theme.

        Raises:
            LMError: no usable choice; `nearest_keywords` does without.

        """
        theme = planned.theme
        small = asker.model.small
        keywords = self._pruned(planned, SMALL_KEYWORDS if small else KEYWORDS)
        config = {"temperature": 0.0, "seed": request.seed} if small else asker.seeded(request.seed)
        prediction = asker.ask(
            "describe",
            predictor,
            config=config,
            title=theme.title,
            concepts=list(theme.concepts),
            keywords=keywords,
        )
        known = {plain(k).casefold(): k for k in keywords}
        chosen = [known[k.casefold()] for k in prediction.descriptor.keywords if k.casefold() in known]
        if not chosen:
            raise LMError("none of the chosen keywords is one of the catalog's")
        descriptor: Descriptor = prediction.descriptor
        return descriptor.model_copy(update={"keywords": tuple(dict.fromkeys(chosen))})

    def nearest_keywords(self, planned: Planned) -> Descriptor:
        """The keywords nearest to the theme: what is used when the LM is not asked or not usable."""
        return Descriptor(keywords=tuple(self._pruned(planned, CHOSEN)))

    def retrieve(
        self, request: PageRequest, described: Sequence[tuple[Planned, Descriptor]], *, depth: int
    ) -> list[Found]:
        """Hybrid search for every concept and keyword of every theme, all queries in one call; `depth` candidates each.

        Stock, age and declared allergens are filtered inside the search, so that `depth` means what it says.
        """
        base = Where(
            in_stock=True, buyer_age=request.shopper.age, without_allergens=frozenset(request.shopper.allergens)
        )
        queries = [(n, q) for n, (planned, d) in enumerate(described) for q in (*planned.theme.concepts, *d.keywords)]
        hits = self._catalog.index.search_many([q for _, q in queries], limit=2 * depth, where=base)
        results = [self._without_namesakes(ranking)[:depth] for ranking in hits]
        found = []
        for n, (planned, descriptor) in enumerate(described):
            rankings = {q: hits for (owner, q), hits in zip(queries, results, strict=True) if owner == n}
            rankings = self._narrowed(rankings, descriptor, depth)
            fused = fuse_hits(list(rankings.values()), reciprocal_rank_fusion)
            best: dict[str, tuple[int, str]] = {}
            for concept in planned.theme.concepts:
                for rank, hit in enumerate(rankings.get(concept, [])):
                    best[hit.item_id] = min(best.get(hit.item_id, (rank, concept)), (rank, concept))
            candidates = tuple(hit.item_id for hit in fused[:depth])
            concept_of = {i: best[i][1] for i in candidates if i in best}
            found.append(Found(planned, descriptor.keywords, candidates, concept_of))
        return found

    def _without_namesakes(self, hits: Sequence[Hit]) -> list[Hit]:
        """Of items with one title only the most popular, at the place of the first: feeds list a thing many times."""
        best: dict[str, Hit] = {}
        for hit in hits:
            title = self._catalog.items[hit.item_id].title.casefold()
            kept = best.setdefault(title, hit)
            if self._catalog.items[hit.item_id].popularity > self._catalog.items[kept.item_id].popularity:
                best[title] = Hit(hit.item_id, kept.score)
        return list(best.values())

    def _narrowed(self, rankings: dict[str, list[Hit]], descriptor: Descriptor, depth: int) -> dict[str, list[Hit]]:
        """The rankings within the descriptor's categories and attributes, unless that leaves too little."""
        if not descriptor.categories and not descriptor.attributes:
            return rankings
        where = Where(categories=frozenset(descriptor.categories), attributes=descriptor.attributes)
        within = {
            q: [hit for hit in hits if where.allows(self._catalog.items[hit.item_id])] for q, hits in rankings.items()
        }
        enough = len({hit.item_id for hits in within.values() for hit in hits}) >= depth // 2
        return within if enough else rankings

    def _pruned(self, planned: Planned, limit: int) -> list[str]:
        theme = planned.theme
        vectors = self._catalog.embedder.encode([*theme.concepts, theme.title])
        near = self._catalog.keywords.nearest(vectors, limit=limit)
        return [hit.item_id for n, hit in enumerate(near) if n < FEWEST or hit.score >= NEAR]
