"""Shelves: ordered items become sections that read well and may be shown. What the baselines share."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.page import TITLE_LIMIT, Drop, PageItem, PageRequest, Section, Theme
from genrec.programs.affinity import HALF_LIFE_DAYS, History
from genrec.programs.composing import shown
from genrec.programs.facts import lower_first
from genrec.programs.fallback import POPULAR, concepts_of, popular_sections
from genrec.programs.filling import Notes
from genrec.programs.guardrails import apply_rules
from genrec.programs.policy import Policy, ShopPolicy, check_title
from genrec.programs.selection import LEAST_ITEMS

UNKNOWN = 0.5
"""The relevance of an item that no gate has scored."""
DEPTH = 12
"""Best sellers of a department looked at for each item that is to be shown: a strict diet leaves one in ten."""
BATCH = 64


class Pick(NamedTuple):
    """An item on its way to a section."""

    item: Item
    score: float
    """Comparable between the picks of one page."""
    reason: str


class Bought(NamedTuple):
    """What a shopper has had of one item."""

    times: int
    weight: float
    """Purchases, each halved every HALF_LIFE_DAYS before the last purchase of all."""
    reason: str


def shop_policy(catalog: Catalog) -> Policy:
    """The policy that a program has unless it is given one."""
    return ShopPolicy(catalog.declares_diets, catalog_diets=catalog.diets)


def bought(request: PageRequest, catalog: Catalog) -> dict[str, Bought]:
    """What was bought up to the day of the page and is in the catalog, by item_id, most and latest first."""
    purchases = History(request, catalog).purchases
    found: dict[str, Bought] = {}
    for purchase in purchases:  # the latest first
        age = (purchases[0].at - purchase.at).days
        times, weight, reason = found.get(purchase.item_id, Bought(0, 0.0, ""))
        reason = f"You bought it {times + 1} times" if times else f"You bought it on {purchase.at.day} {purchase.at:%B}"
        found[purchase.item_id] = Bought(times + 1, weight + 0.5 ** (age / HALF_LIFE_DAYS), reason)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1].weight, pair[0])))


def allowed_picks(
    picks: Iterable[Pick], policy: Policy, request: PageRequest, notes: Notes, *, enough: int
) -> list[Pick]:
    """The first `enough` picks that the rules allow, of those with one title only the first."""
    left = iter(picks)
    found: dict[str, Pick] = {}
    while len(found) < enough and (batch := list(islice(left, BATCH))):
        items, drops = apply_rules(policy, request, "", [pick.item for pick in batch])
        notes.drops += drops
        ids = {item.item_id for item in items}
        for pick in batch:
            if pick.item.item_id in ids:
                found.setdefault(pick.item.title.casefold(), pick)
    return list(found.values())[:enough]


def by_department(picks: Sequence[Pick]) -> dict[str, list[Pick]]:
    """The picks of each department, in their order; departments in the order of their first pick."""
    found: dict[str, list[Pick]] = {}
    for pick in picks:
        found.setdefault(pick.item.department, []).append(pick)
    return found


def section_title(template: str, department: str) -> str:
    """`template` with the department in it, "Buy again: dairy & eggs", and with less of a name that is too long."""
    name = lower_first(department or "the shop")
    for part in (name, re.split(r" & | and |, ", name)[0]):
        if len(title := template.format(part)) <= TITLE_LIMIT:
            return title
    return textwrap.shorten(title, TITLE_LIMIT, placeholder="") or title[:TITLE_LIMIT]


def section_of(
    title: str, picks: Sequence[Pick], policy: Policy, request: PageRequest, notes: Notes, *, rationale: str
) -> Section | None:
    """The section as it may be shown, with `items_per_section` items at most, or None when too little is left of it."""
    verdict = check_title(title, request)
    if not verdict.allowed:
        notes.drops.append(Drop(subject=title, stage="guard", reason=f"{verdict.rule}: {verdict.reason}"))
        return None
    items, drops = apply_rules(policy, request, title, [pick.item for pick in picks])
    notes.drops += drops
    ids = {item.item_id for item in items}
    left = [pick for pick in picks if pick.item.item_id in ids][: request.items_per_section]
    if len(left) < LEAST_ITEMS:
        notes.drops.append(Drop(subject=title, stage="select", reason=f"only {len(left)} items could be shown"))
        return None
    theme = Theme(concepts=concepts_of([pick.item for pick in left]), title=title, rationale=rationale)
    page_items = tuple(
        PageItem(
            item_id=pick.item.item_id,
            title=pick.item.title,
            reason=pick.reason,
            relevance=UNKNOWN,
            score=pick.score,
        )
        for pick in left
    )
    return Section(theme=theme, items=page_items)


def best_sellers(
    catalog: Catalog, department: str, policy: Policy, request: PageRequest, *, beside: Sequence[Pick], count: int
) -> list[Pick]:
    """Up to `count` best sellers of one department to stand after `beside`, scored below any purchase."""
    best = next((one.best_rows for one in catalog.departments if one.name == department), None)
    if best is None or count < 1:
        return []
    taken = {pick.item.item_id for pick in beside}
    titles = {pick.item.title.casefold() for pick in beside}
    items = (catalog.items[i] for i in islice(catalog.item_ids(best), DEPTH * count) if i not in taken)
    reason = section_title("Popular in {}", department)
    picks = [Pick(item, -1.0 - n, reason) for n, item in enumerate(items) if item.title.casefold() not in titles]
    return allowed_picks(picks, policy, request, Notes(), enough=count)


def with_popular(
    sections: Sequence[Section],
    catalog: Catalog,
    policy: Policy,
    request: PageRequest,
    notes: Notes,
    *,
    spare: Sequence[Section] = (),
) -> list[Section]:
    """The sections, then full popular ones, and short ones (`spare` first) where the page would still lack some."""
    found, short = list(sections[: request.sections]), list(spare)
    if len(found) == request.sections:
        return found
    for template in POPULAR:
        taken = shown([*found, *short])
        for theme, candidates in popular_sections(catalog, policy, request, taken=taken, depth=DEPTH, title=template):
            titles: dict[str, Item] = {}
            for candidate in candidates:
                titles.setdefault(candidate.item.title.casefold(), candidate.item)
            reason = section_title(POPULAR[0], candidates[0].item.department)
            picks = [Pick(item, float(-n), reason) for n, item in enumerate(titles.values())]
            section = section_of(theme.title, picks, policy, request, notes, rationale=theme.rationale)
            if section is not None:
                (found if len(section.items) == request.items_per_section else short).append(section)
            if len(found) == request.sections:
                return found
    for section in short:
        taken = shown(found)
        items = tuple(item for item in section.items if item.item_id not in taken)
        if len(items) >= LEAST_ITEMS and len(found) < request.sections:
            found.append(section.model_copy(update={"items": items}))
    if len(found) < request.sections:
        notes.step_down("select", f"only {len(found)} sections of {request.sections} could be filled")
    return found
