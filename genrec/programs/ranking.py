"""Rank: the order inside a section. A shop plugs its own ranking stack in as `module:callable`."""

import importlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, cast

import numpy as np

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.errors import SettingsError
from genrec.page import PageItem, PageRequest, Theme
from genrec.programs.affinity import History
from genrec.programs.facts import plain_title

RELEVANCE, AFFINITY, POPULARITY = 0.6, 0.25, 0.15
CLOSE = 0.55
"""Cosine from which a bought item is worth naming in a reason."""


class Candidate(NamedTuple):
    """An item that passed the gate, before it is ranked."""

    item: Item
    relevance: float
    concept: str
    """The concept of the theme that found it, or an empty string."""


class Ranker(Protocol):
    """Orders the items of one section; a permutation or subset of the candidates, best first, scores falling."""

    def rank(self, section: Theme, candidates: Sequence[Candidate], request: PageRequest) -> list[PageItem]:
        """Return the items to show, best first."""


class BlendRanker:
    """0.6 relevance + 0.25 affinity to the history + 0.15 popularity rank; each in [0, 1], ties by item_id."""

    def __init__(self, catalog: Catalog) -> None:
        """Affinity and popularity come from `catalog`."""
        self._catalog = catalog

    def rank(self, section: Theme, candidates: Sequence[Candidate], request: PageRequest) -> list[PageItem]:
        """Return all candidates, best first, each with the facts that speak for it."""
        if not candidates:
            return []
        history = History(request, self._catalog)
        vectors = np.stack([self._catalog.vector_of(c.item.item_id) for c in candidates])
        affinities = history.affinity(vectors)
        ranked = [
            PageItem(
                item_id=c.item.item_id,
                title=c.item.title,
                reason=self._reason(c, history, vectors[n]),
                relevance=c.relevance,
                score=RELEVANCE * c.relevance
                + AFFINITY * float(affinities[n])
                + POPULARITY * self._catalog.popularity_rank(c.item.item_id),
            )
            for n, c in enumerate(candidates)
        ]
        return sorted(ranked, key=lambda item: (-item.score, item.item_id))

    def _reason(self, candidate: Candidate, history: History, vector: np.ndarray) -> str:
        """One fact: bought before, close to something bought, asked for by the theme, or popular."""
        item = candidate.item
        if item.item_id in history.item_ids:
            last = next(p.at for p in history.purchases if p.item_id == item.item_id)
            return f"You bought it on {last:%d %B}".replace(" 0", " ")
        nearest = history.nearest(vector)
        alike = nearest is not None and self._catalog.items[nearest[0]].department == item.department
        if nearest is not None and alike and nearest[1] >= CLOSE:
            return f"Close to your {plain_title(self._catalog.items[nearest[0]].title)}"
        if candidate.concept:
            return f"For {candidate.concept}"
        if self._catalog.popularity_rank(item.item_id) >= 0.8:
            return f"Popular in {item.leaf}" if item.leaf else "Popular here"
        return f"From {item.leaf}" if item.leaf else ""


def load_ranker(name: str, catalog: Catalog) -> Ranker:
    """A shop's ranker from `module:callable`: a class or factory that takes the catalog, or an object with `rank`.

    Raises:
        SettingsError: it cannot be imported, or what it names ranks nothing.

    """
    module, colon, attribute = name.partition(":")
    if not colon or not module or not attribute:
        raise SettingsError(f"--ranker {name}: write it as module:callable, e.g. myshop.ranking:Ranker")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise SettingsError(f"--ranker {name}: {_what(error)}; is it on PYTHONPATH?") from error
    ranker = found
    if isinstance(found, type) or not hasattr(found, "rank"):
        try:
            ranker = cast(Callable[[Catalog], Ranker], found)(catalog)
        except Exception as error:
            raise SettingsError(f"--ranker {name}: calling it with the catalog failed: {_what(error)}") from error
    if not callable(getattr(ranker, "rank", None)):
        raise SettingsError(f"--ranker {name}: has no rank(section, candidates, request)")
    return cast(Ranker, ranker)


def checked(ranked: Sequence[PageItem], candidates: Sequence[Candidate]) -> list[PageItem]:
    """What a ranker returned, held to its promise.

    Raises:
        SettingsError: something else than PageItems, an item that was not a candidate, or one twice.

    """
    if not all(isinstance(item, PageItem) for item in ranked):
        raise SettingsError("the ranker returned something else than PageItems")
    known = {c.item.item_id for c in candidates}
    ids = [item.item_id for item in ranked]
    if not set(ids) <= known or len(ids) != len(set(ids)):
        raise SettingsError(
            "the ranker returned an item that was no candidate, or one twice; it may only reorder and drop"
        )
    return list(ranked)


def _what(error: Exception) -> str:
    return str(error) if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: {error}"
