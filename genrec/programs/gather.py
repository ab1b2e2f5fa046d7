"""Gather: what this shopper could want, as groups of concepts that belong together.

Two sources. The theme library knows seasons, occasions, diets and households; the catalog's own keywords around what
was bought know this shop and this shopper. Only concepts that the catalog can fill are kept. Nothing here asks an LM.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.filters import Where
from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.page import PageRequest
from genrec.programs.affinity import History
from genrec.programs.facts import plain_title
from genrec.programs.library import LibraryTheme, fitting, household_tags, occasions_of, shipped_themes
from genrec.programs.policy import Policy, normalise_allergen, normalise_diet

Matrix = NDArray[np.float32]

SUPPORT = 0.5
"""Cosine from which the best-matching item says that the catalog has the concept."""
ALIKE = 0.72
"""Cosine between the centres of two groups from which they are the same intent."""
GROUP_LIMIT = 10
"""Most concepts in a group: more than that and four of them need not belong together."""
OWN_GROUPS = 1
"""Most groups from the shopper's own history when the library fits the catalog."""
OWN_LEADERS = 4
OWN_SCORE = 0.7
REMEMBERED = 100_000
NEAR = 0.5
DEPARTMENTS = 60
BEST_SELLERS = 200
"""Departments, and best sellers of each, that groups are made of where the library fits the catalog badly."""
"""Cosine from which two things that were bought are of one kind."""
HARD_DIETS = frozenset({"vegan", "vegetarian", "gluten-free", "dairy-free", "nut-free", "halal", "kosher"})
DIET_WORDS = {diet: diet for diet in (*HARD_DIETS, "low-carb", "high-protein", "organic")} | {
    "lactose-free": "dairy-free",
    "plant-based": "vegan",
    "plant milk": "dairy-free",
    "dairy left out": "dairy-free",
    "without milk": "dairy-free",
    "no gluten": "gluten-free",
    "wheat-free": "gluten-free",
    "meatless": "vegetarian",
    "pareve": "kosher",
    "no nuts": "nut-free",
}
ALLERGEN_DIETS = {"milk": "dairy-free", "nuts": "nut-free", "peanuts": "nut-free", "gluten": "gluten-free"}


@dataclass(frozen=True)
class ConceptGroup:
    """Concepts that belong together, and why they are worth a section."""

    concepts: tuple[str, ...]
    source: str
    rationale: str
    title: str = ""
    """A title written by people, shown when no LM writes a better one; empty for a group of the catalog's own."""
    objective: str = ""
    about: str = ""
    """The kind of household or the occasion it is for, where it is for one."""
    score: float = 0.0


class Gatherer:
    """Finds groups for requests against one catalog; the library's vectors are made once, on first use."""

    def __init__(self, catalog: Catalog, policy: Policy, themes: Sequence[LibraryTheme] | None = None) -> None:
        """`themes` defaults to the shipped library."""
        self._catalog = catalog
        self._policy = policy
        self._themes = tuple(shipped_themes() if themes is None else themes)
        self._has: dict[str, bool] = {}
        """Concept to whether the catalog has an item for it: the library's are the same for everyone."""

    def gather(self, request: PageRequest, *, limit: int) -> list[ConceptGroup]:
        """At most `limit` groups, most wanted first, no two alike; the same request gives the same groups."""
        history = History(request, self._catalog)
        found = [*self._from_library(request, history, limit), *self._from_history(request, history)]
        if len(found) < min(limit, request.sections):
            found += self._from_departments(request)
        vectors = [self._centre(group.concepts) for group in found]
        order = sorted(range(len(found)), key=lambda n: (-found[n].score, found[n].concepts))
        chosen: list[int] = []
        own = 0
        for n in order:
            is_own = found[n].source == "history"
            if len(chosen) == limit or (is_own and own == OWN_GROUPS and len(order) > 2 * limit):
                continue
            if all(float(vectors[n] @ vectors[m]) < ALIKE for m in chosen):
                chosen.append(n)
                own += is_own
        return [found[n] for n in chosen]

    def _from_library(self, request: PageRequest, history: History, limit: int) -> list[ConceptGroup]:
        diets = {normalise_diet(d) for d in request.shopper.diets}
        needed = diets & HARD_DIETS
        avoided = frozenset[str]().union(*map(normalise_allergen, request.shopper.allergens))
        needed |= {ALLERGEN_DIETS[a] for a in avoided & ALLERGEN_DIETS.keys()}
        occasions, household = occasions_of(request), household_tags(request)
        objectives = {o.name.lower(): o.weight for o in request.objectives}
        noise = random.Random(f"{request.seed}/{request.shopper.shopper_id}/{request.on}")
        scored = []
        for theme in fitting(self._themes, request, required_diets=frozenset(needed)):
            affinity = float(np.sort(history.affinity(self._catalog.embedder.encode(theme.concepts)))[-4:].mean())
            served = max(theme.objectives & objectives.keys(), key=lambda o: objectives[o], default="")
            now, named = bool(theme.occasions & occasions), _named_diets(theme)
            score = 1.2 * affinity + 0.2 * noise.random()
            score += (0.9 if request.occasion else 0.25) * now
            score += 0.12 * bool(theme.months) + 0.3 * bool(theme.household & household)
            score += 0.5 * objectives.get(served, 0.0)
            score += 0.15 * bool(diets & named) - 0.6 * bool(named - diets)
            scored.append((score, theme, served))
        scored.sort(key=lambda entry: (-entry[0], entry[1].title))
        groups = []
        for score, theme, served in scored[: 4 * limit]:
            concepts = self._supported(theme.concepts, request)
            if len(concepts) >= 4:
                ranked = self._rank(concepts, history, request)
                source = self._source(theme, occasions, household)
                tags = theme.occasions & occasions if source == "occasion" else theme.household & household
                about = ", ".join(sorted(tags))
                groups.append(ConceptGroup(ranked, source, theme.rationale, theme.title, served, about, score))
        return groups

    @staticmethod
    def _source(theme: LibraryTheme, occasions: frozenset[str], household: frozenset[str]) -> str:
        if theme.occasions & occasions:
            return "occasion"
        if theme.household & household:
            return "household"
        return "season" if theme.months else "library"

    def _from_history(self, request: PageRequest, history: History) -> list[ConceptGroup]:
        """Groups around leaders of the history: things bought that are alike, and the catalog's items next to them."""
        if not history.item_ids:
            return []
        groups: list[ConceptGroup] = []
        left = list(range(len(history.item_ids)))
        while left and len(groups) < OWN_LEADERS:
            leader = max(left, key=lambda n: (float((history.vectors[left] @ history.vectors[n] > NEAR).sum()), -n))
            members = [n for n in left if float(history.vectors[n] @ history.vectors[leader]) > NEAR][:6]
            left = [n for n in left if n not in members]
            bought = [history.item_ids[n] for n in members]
            if len(members) < 3 or self._catalog.items[bought[0]].attributes.get("occasion"):
                continue
            near = self._catalog.index.search_many(
                [plain_title(self._catalog.items[i].title) for i in bought[:3]],
                limit=GROUP_LIMIT,
                where=Where(in_stock=True),
                mode="dense",
            )
            departments = {self._catalog.items[i].department for i in bought}
            alike = [hit.item_id for rank in zip(*near, strict=False) for hit in rank if hit.score >= SUPPORT]
            items = [self._catalog.items[i] for i in dict.fromkeys([*bought, *alike])]
            items = [i for i in items if i.department in departments and not i.attributes.get("occasion")]
            names = [name for item in items if len((name := plain_title(item.title)).split()) <= 3]
            concepts = self._distinct(self._supported(names, request))[:GROUP_LIMIT]
            if len(concepts) >= 4:
                share = len(members) / len(history.item_ids)
                told = [plain_title(self._catalog.items[i].title) for i in bought[:2]]
                why = f"Close to the {told[0]} and the {told[1]} that you have bought."
                groups.append(ConceptGroup(concepts, "history", why[:240], score=OWN_SCORE + share))
        return groups

    def _from_departments(self, request: PageRequest) -> list[ConceptGroup]:
        """For a catalog that the library knows little of: what its departments sell, shelves before single items."""
        groups = []
        departments = sorted(self._catalog.departments, key=lambda one: (-one.sold, one.name))
        total = sum(one.sold for one in departments) or 1.0
        for department in [one for one in departments if one.name][:DEPARTMENTS]:
            sold = {leaf.lower(): share for leaf, share in department.shelves if leaf}
            for item_id in self._catalog.item_ids(department.best_rows[:BEST_SELLERS]):
                item = self._catalog.items[item_id]
                name = plain_title(item.title)
                if name:
                    sold[name] = sold.get(name, 0.0) + item.popularity + 1e-3
            best = sorted(sold, key=lambda leaf: (-sold[leaf], leaf))[: 2 * GROUP_LIMIT]
            concepts = self._distinct(self._supported(best, request))[:GROUP_LIMIT]
            if len(concepts) >= 3:
                why = f"What people buy in {department.name}."
                share = department.sold / total
                groups.append(ConceptGroup(concepts, "popular", why, department.name[:48], score=share - 1.0))
        return groups

    def _supported(self, concepts: Sequence[str], request: PageRequest) -> tuple[str, ...]:
        """The concepts that the catalog has an item for and that may be shown to this shopper, in their order."""
        if not concepts:
            return ()
        new = [concept for concept in dict.fromkeys(concepts) if concept not in self._has]
        hits = self._catalog.index.search_many(new, limit=1, where=Where(in_stock=True), mode="dense")
        has = {one: bool(found) and found[0].score >= SUPPORT for one, found in zip(new, hits, strict=True)}
        has.update((concept, self._has[concept]) for concept in concepts if concept not in has)
        if len(self._has) < REMEMBERED:
            self._has.update(has)
        as_items = [Item(item_id="concept", title=concept) for concept in concepts]
        verdicts = self._policy.check(request, "", as_items)
        return tuple(
            concept for concept, verdict in zip(concepts, verdicts, strict=True) if has[concept] and verdict.allowed
        )

    def _distinct(self, concepts: Sequence[str]) -> tuple[str, ...]:
        """The concepts without those that say the same as an earlier one."""
        if not concepts:
            return ()
        vectors = self._catalog.embedder.encode(list(concepts))
        kept: list[int] = []
        for n in range(len(concepts)):
            if all(float(vectors[n] @ vectors[m]) < 0.8 for m in kept):
                kept.append(n)
        return tuple(concepts[n] for n in kept)

    def _rank(self, concepts: Sequence[str], history: History, request: PageRequest) -> tuple[str, ...]:
        """The concepts in an order that differs by shopper and seed, those close to the history rather early."""
        noise = random.Random(f"{request.seed}/{request.shopper.shopper_id}/{concepts[0]}")
        affinity = history.affinity(self._catalog.embedder.encode(list(concepts)))
        order = sorted(range(len(concepts)), key=lambda n: -(float(affinity[n]) + 0.6 * noise.random()))
        return tuple(concepts[n] for n in order[:GROUP_LIMIT])

    def _centre(self, concepts: Sequence[str]) -> Matrix:
        mean: Matrix = self._catalog.embedder.encode(list(concepts)).mean(axis=0)
        unit: Matrix = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return unit


def _named_diets(theme: LibraryTheme) -> set[str]:
    """Diets that the title or half of the concepts name: such a theme is for those who keep them."""
    named = set()
    for word, diet in DIET_WORDS.items():
        if word in theme.title.lower() or 2 * sum(word in c for c in theme.concepts) >= len(theme.concepts):
            named.add(diet)
    return named


def flat(groups: Sequence[ConceptGroup], limit: int) -> list[str]:
    """The concepts of all groups, round after round, at most `limit`: suggestions for a large model."""
    rounds = max((len(g.concepts) for g in groups), default=0)
    ordered = [g.concepts[n] for n in range(rounds) for g in groups if n < len(g.concepts)]
    return list(dict.fromkeys(ordered))[:limit]
