"""Training pairs for the relevance gate: (query, item, label) from taxonomy and theme library, no human labels.

An item counts as relevant to a theme when its title is *headed* by one of the theme's concepts ("gala apples" by
"apples", "apple juice" not). Whatever is neither that nor clearly something else is left out, so that a doubtful
label teaches nothing.
"""

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.encoder import Embedder
from genrec.catalog.items import Item
from genrec.optimizers.concept_matcher import ConceptMatcher, product_name
from genrec.programs.library import shipped_themes

Split = Literal["train", "dev", "test"]

DOUBTFUL = 60
"""Items nearest to a theme's title are no sure negatives: ketchup on hot dog night, listed or not."""

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
    shipped = {source.title for source in library}
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
        if len(concepts) >= 3 and title not in shipped and not any(len(other & set(concepts)) >= 3 for other in held)
    ]
    return library + fresh


def build_pairs(
    items: Sequence[Item],
    embedder: Embedder,
    *,
    seed: int = 0,
    sources: Sequence[Source] | None = None,
    keywords: bool = True,
) -> list[Pair]:
    """Return shuffled pairs of every split; the same arguments give the same pairs. Without `keywords`: of themes.

    Training uses training themes, training leaves and the items of training leaves only: dev and test ask about
    themes never seen, and their keyword queries about leaves never seen.
    """
    chance = random.Random(seed)
    sources = theme_sources() if sources is None else sources
    matcher = ConceptMatcher(items, embedder)
    matcher.prepare([s.title for s in sources] + [concept for s in sources for concept in s.concepts])
    leaf_split: list[Split] = [split_of("/".join(item.categories)) for item in items]
    pairs: list[Pair] = []
    for source in sources:
        pairs += _theme_pairs(source, matcher, leaf_split, chance)
    if keywords:
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
    positive = ((rows == 1).any(0) | _whole_leaves(rows, matcher.items)) & usable
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
    doubtful = _top(matcher.cosines(source.title)) | _top(
        np.stack([matcher.cosines(c) for c in source.concepts]).mean(0)
    )
    clear = (rows == 0).all(0) & ~positive & ~word & (~doubtful | other_world) & usable
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
    shares = {"positive": 14 if big else 9, "trap": 3, "near": 5, "sibling": 5, "random": 3}
    pairs = []
    for kind, count in shares.items():
        pool = pools[kind].tolist()
        for number in chance.sample(pool, min(count, len(pool))):
            query = theme_query(source, chance)
            label = int(kind == "positive")
            pairs.append(Pair(query, matcher.items[number].item_id, label, f"theme:{source.title}", source.split))
    return pairs


def _top(cosine: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The `DOUBTFUL` largest, bool (n,)."""
    return np.asarray(cosine >= np.sort(cosine)[-DOUBTFUL:][0])


def _whole_leaves(rows: NDArray[np.int8], items: Sequence[Item]) -> NDArray[np.bool_]:
    """Items of the leaves where three concepts or more are at home, bool (n,).

    A theme of apples, pears and quinces is a theme of orchard fruit, named or not.
    """
    homes: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for concept, number in np.argwhere(rows == 1).tolist():
        homes[items[number].categories].add(concept)
    return np.array([len(homes[item.categories]) >= 3 for item in items])


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
        members["name", product_name(item.title).lower()].add(number)
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
