"""Named numbers of items, sections and pages, for judges that are trained. Their form is in title_form.py."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.encoder import Embedder
from genrec.catalog.items import Item
from genrec.catalog.text import tokenize
from genrec.evaluation.fit_features import season_features, suitability_features
from genrec.evaluation.groundedness import FRAMING
from genrec.evaluation.judges import ItemCase, PageCase, SectionCase
from genrec.evaluation.title_form import form_features
from genrec.page import PageRequest, Theme
from genrec.programs.facts import plain_title
from genrec.programs.library import shipped_themes
from genrec.programs.policy import ShopPolicy, check_title
from genrec.programs.relevance import RelevanceModel, theme_text

Matrix = NDArray[np.float32]

VAGUE = ("great picks for you", "everyday essentials", "something for everyone", "our favourites", "more to explore")
HISTORY = 60
"""Purchases that are read, the latest."""


class Features(NamedTuple):
    """One case as numbers: by name, and a vector for what names do not catch."""

    named: dict[str, float]
    vector: Matrix
    """Of the title, (dim,); NO_VECTOR for items and pages: with few pages it teaches what they happen to hold."""


NO_VECTOR: Matrix = np.zeros(0, np.float32)


class FeatureReader:
    """Reads cases as features, always with the same encoder: a model is trained on one. Safe for several threads."""

    def __init__(self, embedder: Embedder, items: Mapping[str, Item]) -> None:
        """`items` names what was bought; ids it does not have are left out."""
        self._embedder = embedder
        self._items = items
        self._policy = ShopPolicy()
        self._vague = embedder.encode(VAGUE)
        library = [theme.title for theme in shipped_themes()]
        self._library = embedder.encode(library)
        self._written = {title.casefold(): row for row, title in enumerate(library)}
        self._served = [theme.objectives for theme in shipped_themes()]

    def items(self, cases: Sequence[ItemCase], relevance: RelevanceModel) -> list[Features]:
        """The cross-encoder's word on theme and item and on the nearest idea and item, and cosines of their texts."""
        nearest: list[str] = []
        found: list[dict[str, float]] = []
        for case in cases:
            concepts, name = _ideas(case.theme), plain_title(case.item.title)
            title, theme, goods, shelf, *ideas = self._embedder.encode(
                [case.theme.title, theme_text(case.theme), name, case.item.leaf or name, *concepts]
            )
            to_goods, to_shelf = (np.sort(np.stack(ideas) @ row)[::-1] for row in (goods, shelf))
            nearest.append(concepts[int((np.stack(ideas) @ goods).argmax())])
            found.append(
                {
                    "idea": float(to_goods[0]),
                    "two ideas": float(to_goods[:2].mean()),
                    "ideas": float(to_goods.mean()),
                    "idea and shelf": float(to_shelf[0]),
                    "title": float(title @ goods),
                    "title and shelf": float(title @ shelf),
                    "theme": float(theme @ goods),
                    **_shared_words(concepts, name),
                }
            )
        whole = relevance.score_many([(theme_text(case.theme), case.item) for case in cases])
        close = relevance.score_many([(idea, case.item) for idea, case in zip(nearest, cases, strict=True)])
        return [
            Features({"read with theme": float(a), "read with idea": float(b), **named}, NO_VECTOR)
            for a, b, named in zip(whole, close, found, strict=True)
        ]

    def section(self, case: SectionCase) -> Features:
        """Form, topic, season, household, diet and history of a section's title."""
        title, concepts = case.theme.title, _ideas(case.theme)
        vector, *ideas = self._embedder.encode([title, *concepts])
        goods = self._embedder.encode([plain_title(i.title) for i in case.items]) if case.items else np.stack(ideas)
        to_ideas, to_goods = np.stack(ideas) @ vector, goods @ vector
        named = {
            **form_features(title),
            "ideas mean": float(to_ideas.mean()),
            "ideas best": float(to_ideas.max()),
            "ideas worst": float(to_ideas.min()),
            "centre": _cosine(np.mean(ideas, axis=0), vector),
            "goods mean": float(to_goods.mean()),
            "goods worst": float(to_goods.min()),
            "vague": float((self._vague @ vector).max()),
            "like a written title": self._like_written(title, vector),
            **self._words(case),
            **season_features(case.request, title),
            **self._shopper(case, vector, np.stack(ideas)),
        }
        return Features(named, vector)

    def page(self, case: PageCase, judged: Mapping[str, float]) -> Features:
        """Spread, repetition, size, objectives and history of a page; `judged` are scores of its parts, by name."""
        sections = case.page.sections
        titles = self._embedder.encode([s.theme.title for s in sections]) if sections else np.zeros((1, 384))
        centres = [self._centre([case.items[i.item_id] for i in s.items if i.item_id in case.items]) for s in sections]
        between_titles, between_goods = _pairs(titles), _pairs(np.stack(centres)) if centres else np.zeros(0)
        shown = [i.item_id for s in sections for i in s.items]
        known = [case.items[i] for i in shown if i in case.items]
        history = self._bought(case.request)
        affinity = (np.stack(centres) @ history.T).max(axis=1) if centres and len(history) else np.zeros(1)
        named = {
            **judged,
            "sections": len(sections) / case.request.sections,
            "filled": len(shown) / (case.request.sections * case.request.items_per_section),
            "items twice": len(shown) - len(set(shown)) + 0.0,
            "titles alike": float(between_titles.max(initial=0.0)),
            "titles alike mean": _mean(between_titles),
            "goods alike": float(between_goods.max(initial=0.0)),
            "goods alike mean": _mean(between_goods),
            "departments": len({i.department for i in known}) / max(len(sections), 1),
            "leaves": len({i.leaf for i in known}) / max(len(known), 1),
            "tightness": _mean(np.array([self._tightness(case, n) for n in range(len(sections))])),
            "history": float(affinity.mean()),
            "history best": float(affinity.max()),
            "known shopper": float(len(history) > 0),
            "objectives": float(len(case.request.objectives)),
            **self._objectives(case.request, titles),
        }
        return Features(named, NO_VECTOR)

    def _like_written(self, title: str, vector: Matrix) -> float:
        """Mean cosine with the three nearest titles of the theme library, of which the title itself is none."""
        near = self._library @ vector
        if title.casefold() in self._written:
            near = np.delete(near, self._written[title.casefold()])
        return float(np.sort(near)[-3:].mean())

    def _words(self, case: SectionCase) -> dict[str, float]:
        """How much of the title its ideas and goods bear out."""
        stems = [word for word in tokenize(case.theme.title) if word.isalpha()]
        claims = [word for word in stems if word not in FRAMING]
        ideas = [set(tokenize(concept)) for concept in _ideas(case.theme)]
        goods = set().union(*ideas, *(set(tokenize(f"{i.title} {' '.join(i.categories)}")) for i in case.items))
        return {
            "framing": 1.0 - len(claims) / max(len(stems), 1),
            "claims": float(len(claims)),
            "borne out": sum(word in goods for word in claims) / max(len(claims), 1),
            "ideas named": sum(bool(words & set(stems)) for words in ideas) / max(len(ideas), 1),
        }

    def _shopper(self, case: SectionCase, vector: Matrix, ideas: Matrix) -> dict[str, float]:
        request = case.request
        # constructed: an idea may be text that no item may have
        goods = case.items or tuple(Item.model_construct(item_id=i, title=i) for i in _ideas(case.theme))
        verdicts = self._policy.check(request, case.theme.title, goods)
        history, told = self._bought(request), self._told(request)
        return {
            **suitability_features(request, case.theme),
            "denied": sum(not v.allowed for v in verdicts) / max(len(verdicts), 1),
            "title denied": float(not check_title(case.theme.title, request).allowed),
            "known shopper": float(len(history) > 0),
            "history": float((ideas @ history.T).max(axis=1).mean()) if len(history) else 0.0,
            "history title": float((history @ vector).max()) if len(history) else 0.0,
            "tells": float(len(told) > 0),
            "told": float((told @ vector).max()) if len(told) else 0.0,
            "told ideas": float((told @ ideas.T).max()) if len(told) else 0.0,
        }

    def _bought(self, request: PageRequest) -> Matrix:
        """Vectors of the things bought last, up to the day of the page, (n, dim)."""
        past = sorted((p for p in request.shopper.history if p.at <= request.on), key=lambda p: p.at, reverse=True)
        names = dict.fromkeys(plain_title(self._items[p.item_id].title) for p in past if p.item_id in self._items)
        return self._embedder.encode(list(names)[:HISTORY])

    def _told(self, request: PageRequest) -> Matrix:
        """Vectors of what the shopper says of themselves, (n, dim)."""
        shopper = request.shopper
        return self._embedder.encode([t for t in (shopper.household, shopper.note, *shopper.likes) if t.strip()])

    def _centre(self, items: Sequence[Item]) -> Matrix:
        if not items:
            return np.zeros(384, np.float32)
        mean: Matrix = self._embedder.encode([plain_title(item.title) for item in items]).mean(axis=0)
        unit: Matrix = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return unit

    def _tightness(self, case: PageCase, section: int) -> float:
        """Mean cosine between the items of a section."""
        ids = [i.item_id for i in case.page.sections[section].items if i.item_id in case.items]
        return _mean(_pairs(self._embedder.encode([plain_title(case.items[i].title) for i in ids]))) if ids else 0.0

    def _objectives(self, request: PageRequest, titles: NDArray[np.floating]) -> dict[str, float]:
        """For each objective, the section nearest to library themes that serve it; the best, the mean and the worst."""
        near = []
        for objective in request.objectives:
            rows = [n for n, served in enumerate(self._served) if objective.name.lower() in served]
            words = self._embedder.encode([f"{objective.name} {objective.note}".strip()])
            by_theme = np.sort(titles @ self._library[rows].T, axis=1)[:, -3:].mean(axis=1) if rows else np.zeros(1)
            near.append((float(by_theme.max()), float((titles @ words.T).max())))
        by_library, by_word = ([pair[n] for pair in near] for n in (0, 1))
        return {
            "served": _mean(np.array(by_library)),
            "served least": min(by_library, default=0.0),
            "said": _mean(np.array(by_word)),
        }


def _ideas(theme: Theme) -> tuple[str, ...]:
    """The theme's concepts; its title where it has none."""
    return theme.concepts or (theme.title,)


def _shared_words(concepts: Sequence[str], name: str) -> dict[str, float]:
    """The largest share of an idea's words that the item's name has, and whether both end in one word."""
    words = tokenize(name.split(",")[0])
    ideas = [tokenize(concept) for concept in concepts]
    return {
        "idea in name": max((len(set(idea) & set(words)) / max(len(set(idea)), 1) for idea in ideas), default=0.0),
        "same head": float(any(idea and words and idea[-1] == words[-1] for idea in ideas)),
    }


def _cosine(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))


def _mean(values: NDArray[np.floating]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _pairs(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cosine of every two rows, (n * (n - 1) / 2,)."""
    upper: NDArray[np.floating] = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return upper
