"""Pages broken on purpose: a score that does not fall on them measures something else than quality."""

import random
from collections.abc import Callable, Mapping, Sequence

from genrec.catalog.filters import Where
from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.page import Page, PageItem, PageRequest, Section
from genrec.programs.policy import Policy

OFF_DIET_SHARE = 0.5
"""Share of a section's items that are replaced by denied ones."""

Breaker = Callable[[Page, PageRequest, Catalog, Policy, random.Random], Page | None]


def break_page(
    page: Page, request: PageRequest, catalog: Catalog, policy: Policy, *, kind: str, seed: int = 0
) -> Page | None:
    """`page` with one fault of `kind` (a key of BREAKERS), or None where it cannot have it; `page` stays as it is.

    The result may break promises of Page, such as no item twice: that is its purpose. The same
    arguments give the same page.
    """
    if len(page.sections) < 2:
        return None
    return BREAKERS[kind](page, request, catalog, policy, random.Random(f"{seed}/{kind}/{page.shopper_id}"))


def shuffled_items(
    page: Page, request: PageRequest, catalog: Catalog, policy: Policy, rng: random.Random
) -> Page | None:
    """Every item under some title, but drawn from the whole page."""
    pool = [item for section in page.sections for item in section.items]
    rng.shuffle(pool)
    taken = iter(pool)
    return _with_items(page, [[next(taken) for _ in section.items] for section in page.sections])


def swapped_titles(
    page: Page, request: PageRequest, catalog: Catalog, policy: Policy, rng: random.Random
) -> Page | None:
    """Every section under the title of another one."""
    shift = rng.randrange(1, len(page.sections))
    titles = [section.theme.title for section in page.sections]
    moved = zip(page.sections, [*titles[shift:], *titles[:shift]], strict=True)
    sections = [s.model_copy(update={"theme": s.theme.model_copy(update={"title": title})}) for s, title in moved]
    return page.model_copy(update={"sections": tuple(sections)})


def duplicated_sections(
    page: Page, request: PageRequest, catalog: Catalog, policy: Policy, rng: random.Random
) -> Page | None:
    """The second half of the page repeats sections of the first."""
    half = -(-len(page.sections) // 2)
    kept = page.sections[:half]
    repeated = [kept[rng.randrange(half)] for _ in page.sections[half:]]
    return page.model_copy(update={"sections": (*kept, *repeated)})


def off_diet_items(
    page: Page, request: PageRequest, catalog: Catalog, policy: Policy, rng: random.Random
) -> Page | None:
    """Half of each section's items replaced by what suits the title and is denied to the shopper; None without any."""
    if not request.shopper.diets and not request.shopper.allergens:
        return None
    titles = [section.theme.title for section in page.sections]
    found = catalog.index.search_many(titles, limit=200, where=Where(in_stock=True), mode="dense")
    used = {item.item_id for section in page.sections for item in section.items}
    rows: list[list[PageItem]] = []
    changed = False
    for section, hits in zip(page.sections, found, strict=True):
        items = [catalog.items[hit.item_id] for hit in hits if hit.item_id not in used]
        verdicts = policy.check(request, section.theme.title, items)
        denied = [i for i, v in zip(items, verdicts, strict=True) if v.rule in ("diet", "allergen")]
        places = rng.sample(range(len(section.items)), int(OFF_DIET_SHARE * len(section.items)))
        row = list(section.items)
        for place, item in zip(places, denied, strict=False):
            row[place] = _shown(item)
            used.add(item.item_id)
            changed = True
        rows.append(row)
    return _with_items(page, rows) if changed else None


BREAKERS: Mapping[str, Breaker] = {
    "shuffled items": shuffled_items,
    "swapped titles": swapped_titles,
    "duplicated sections": duplicated_sections,
    "off-diet items": off_diet_items,
}


def _shown(item: Item) -> PageItem:
    return PageItem(item_id=item.item_id, title=item.title, reason="", relevance=0.5, score=0.0)


def _with_items(page: Page, rows: Sequence[Sequence[PageItem]]) -> Page:
    sections: list[Section] = [
        section.model_copy(update={"items": tuple(row)}) for section, row in zip(page.sections, rows, strict=True)
    ]
    return page.model_copy(update={"sections": tuple(sections)})
