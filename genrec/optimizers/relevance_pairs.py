"""Training pairs for the relevance gate: (query, item, label) from taxonomy and theme library, no human labels.

An item counts as relevant to a theme when its title is *headed* by one of the theme's concepts ("gala apples" by
"apples", "apple juice" not). Whatever is neither that nor clearly something else is left out, so that a doubtful
label teaches nothing.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.dense import Embedder
from genrec.catalog.items import Item
from genrec.catalog.text import tokenize
from genrec.programs.library import shipped_themes

Split = Literal["train", "dev", "test"]

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
_PHRASES = {
    "flavour": "{} flavour",
    "occasion": "for {}",
    "cuisine": "{} food",
    "use": "for {}",
    "season": "{} things",
    "meal": "{}",
}


class Pair(NamedTuple):
    """One example; `group` names what the query was made from, so that a split or a metric can keep it together."""

    query: str
    item_id: str
    label: int
    group: str
    split: Split


class Source(NamedTuple):
    """A theme as training sees it."""

    title: str
    concepts: tuple[str, ...]
    split: Split


def split_of(name: str) -> Split:
    """70% train, 15% dev, 15% test, decided by the name alone, so that adding names moves none."""
    bucket = int.from_bytes(sha256(name.encode()).digest()[:4], "big") % 100
    return "train" if bucket < 70 else "dev" if bucket < 85 else "test"


def theme_sources() -> list[Source]:
    """The theme library, split by title; and the planner's examples, training only, less those alike a held-out one."""
    library = [Source(t.title, t.concepts, split_of(t.title)) for t in shipped_themes()]
    held = [set(source.concepts) for source in library if source.split != "train"]
    extra: dict[str, tuple[str, ...]] = {}
    data = files("genrec.optimizers").joinpath("data")
    for name in ("sections_food.jsonl", "sections_mixed.jsonl"):
        for line in data.joinpath(name).read_text("utf-8").splitlines():
            section = json.loads(line)
            extra[section["title"]] = tuple(section["concepts"])
    for line in data.joinpath("plans.jsonl").read_text("utf-8").splitlines():
        for row in json.loads(line)["plan"]:
            title, _, concepts = row.partition(" | ")
            extra[title] = tuple(concepts.split(", "))
    fresh = [
        Source(title, concepts, "train")
        for title, concepts in sorted(extra.items())
        if len(concepts) >= 3 and not any(len(other & set(concepts)) >= 3 for other in held)
    ]
    return library + fresh


@lru_cache(maxsize=50_000)
def name_stems(title: str) -> tuple[str, ...]:
    """Stems of the product's name: the title up to its first aside, without words like "loose" at its end."""
    stems = tokenize(_ASIDE.split(title.strip(), maxsplit=1)[0])
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
        self._vectors = embedder.encode([_ASIDE.split(item.title)[0] for item in items])
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


def build_pairs(
    items: Sequence[Item], embedder: Embedder, *, seed: int = 0, sources: Sequence[Source] | None = None
) -> list[Pair]:
    """Return shuffled pairs of every split; the same arguments give the same pairs.

    Training uses training themes, training leaves and the items of training leaves only: dev and test ask about
    themes never seen, and their keyword queries about leaves never seen.
    """
    chance = random.Random(seed)
    sources = theme_sources() if sources is None else sources
    matcher = ConceptMatcher(items, embedder)
    matcher.prepare(concept for source in sources for concept in source.concepts)
    leaf_split: list[Split] = [split_of("/".join(item.categories)) for item in items]
    pairs: list[Pair] = []
    for source in sources:
        pairs += _theme_pairs(source, matcher, leaf_split, chance)
    pairs += _keyword_pairs(matcher, leaf_split, chance)
    chance.shuffle(pairs)
    return pairs


def theme_query(source: Source, chance: random.Random) -> str:
    """The title alone, or with 3 to 8 of its concepts in any order: what a planner may send."""
    if chance.random() < 0.12:
        return source.title
    most = min(8, len(source.concepts))
    count = chance.choice((min(4, most), min(4, most), most, chance.randint(3, most)))
    return f"{source.title}: {', '.join(chance.sample(source.concepts, count))}"


def _theme_pairs(
    source: Source, matcher: ConceptMatcher, leaf_split: Sequence[Split], chance: random.Random
) -> list[Pair]:
    rows = np.stack([matcher.labels(concept) for concept in source.concepts])  # (concepts, n)
    usable = np.array([source.split != "train" or split == "train" for split in leaf_split])
    positive = (rows == 1).any(0) & usable
    if positive.sum() < 3:
        return []
    departments = np.array([item.department for item in matcher.items])
    food = np.array([item.attributes.get("food") == "yes" for item in matcher.items])
    homes = np.isin(departments, list(set(departments[positive])))
    cosine = np.stack([matcher.cosines(concept) for concept in source.concepts]).max(0)
    word = np.stack([matcher.shares_word(concept) for concept in source.concepts]).any(0)
    other_world = food != (food[positive].mean() > 0.5)
    if 0.1 < food[positive].mean() < 0.9:
        other_world[:] = False
    clear = (rows == 0).all(0) & ~word & usable
    trap = ((word & ~homes) | (cosine > 0.35)) & ~positive & other_world & usable
    near = np.argsort(-np.where(clear, cosine, -1.0))[: 24 if source.split == "train" else 40]
    near = near[clear[near]]
    pools = {
        "positive": np.flatnonzero(positive),
        "trap": np.flatnonzero(trap),
        "near": near,
        "sibling": np.flatnonzero(clear & homes),
        "random": np.flatnonzero(clear),
    }
    big = source.split != "train" or len(source.concepts) > 4
    shares = {"positive": 14 if big else 8, "trap": 3, "near": 6, "sibling": 5, "random": 3}
    pairs = []
    for kind, count in shares.items():
        pool = pools[kind].tolist()
        for number in chance.sample(pool, min(count, len(pool))):
            query = theme_query(source, chance)
            label = int(kind == "positive")
            pairs.append(Pair(query, matcher.items[number].item_id, label, f"theme:{source.title}", source.split))
    return pairs


def _keyword_pairs(matcher: ConceptMatcher, leaf_split: Sequence[Split], chance: random.Random) -> list[Pair]:
    """Queries of one phrase: leaf, family, attribute value, product name."""
    members: dict[tuple[str, str], set[int]] = defaultdict(set)
    for number, item in enumerate(matcher.items):
        if len(item.categories) > 1:
            members["leaf", item.leaf].add(number)
            members["family", item.categories[-2]].add(number)
        for name, value in item.attributes.items():
            if name in _PHRASES:
                members["attribute", _PHRASES[name].format(value)].add(number)
        members["name", _ASIDE.split(item.title)[0].lower()].add(number)
    matcher.prepare(phrase for _, phrase in members)
    pairs = []
    for (kind, phrase), inside in sorted(members.items()):
        row = matcher.labels(phrase)
        splits = {leaf_split[number] for number in inside}
        home: Split = next(iter(splits)) if len(splits) == 1 else "train"
        fits = [n for n in sorted(inside) if leaf_split[n] == home]
        cosine = matcher.cosines(phrase)
        clear = (row == 0) & ~matcher.shares_word(phrase) & np.array([s == home for s in leaf_split])
        if kind == "attribute":
            clear &= cosine < 0.3
        clear[sorted(inside)] = False
        near = np.argsort(-np.where(clear, cosine, -1.0))[:12].tolist()
        near = [n for n in near if clear[n]]
        count = {"leaf": 6, "family": 6, "attribute": 4, "name": 1}[kind]
        chosen = [(n, 1) for n in chance.sample(fits, min(count, len(fits)))]
        chosen += [(n, 0) for n in chance.sample(near, min(count, len(near)))]
        chosen += [(n, 0) for n in chance.sample(np.flatnonzero(clear).tolist(), min(1, int(clear.sum())))]
        pairs += [Pair(phrase, matcher.items[n].item_id, label, f"{kind}:{phrase}", home) for n, label in chosen]
    return pairs
