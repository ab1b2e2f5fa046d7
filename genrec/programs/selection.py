"""Select: what stands on the page. No item twice, no two sections alike, spread within each section."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from genrec.catalog.store import Catalog
from genrec.page import PageItem
from genrec.programs.facts import plain_title

LEAST_ITEMS = 3
"""A section with fewer is no section."""
TWINS = 0.93
"""Cosine between two items from which the second adds nothing beside the first."""


def pick(
    ranked: Sequence[PageItem],
    concept_of: Mapping[str, str],
    catalog: Catalog,
    *,
    taken: set[str],
    count: int,
    concepts: int,
) -> list[PageItem]:
    """Up to `count` items in ranked order: none taken, no twins, no concept or leaf with more than its share.

    The caps give way one after the other when they would leave the section short; `taken` never does, nor may one thing
    stand there in two sizes.
    """
    names: dict[str, PageItem] = {}
    for item in ranked:
        if item.item_id not in taken:
            names.setdefault(plain_title(item.title).casefold(), item)
    free = list(names.values())
    share = -(-count // max(concepts, 1)) + 1
    chosen: list[PageItem] = []
    for capped, distinct in ((True, True), (False, True), (False, False)):
        for item in free:
            if len(chosen) == count:
                break
            if item in chosen:
                continue
            if capped and not _within_share(item, chosen, concept_of, catalog, share):
                continue
            if distinct and _has_twin(item, chosen, catalog):
                continue
            chosen.append(item)
    order = {item.item_id: place for place, item in enumerate(ranked)}
    return sorted(chosen, key=lambda item: order[item.item_id])


def _within_share(
    item: PageItem, chosen: Sequence[PageItem], concept_of: Mapping[str, str], catalog: Catalog, share: int
) -> bool:
    concepts = Counter(concept_of.get(c.item_id, "") for c in chosen)
    leaves = Counter(catalog.items[c.item_id].leaf for c in chosen)
    leaf = catalog.items[item.item_id].leaf
    return concepts[concept_of.get(item.item_id, "")] < share and (not leaf or leaves[leaf] < share)


def _has_twin(item: PageItem, chosen: Sequence[PageItem], catalog: Catalog) -> bool:
    if not chosen:
        return False
    vectors = np.stack([catalog.vector_of(c.item_id) for c in chosen])
    return float((vectors @ catalog.vector_of(item.item_id)).max()) >= TWINS
