"""Real next purchases: what a shopper bought after the day of a page, and how much of it the page had shown."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Literal, NamedTuple

from genrec.catalog.items import Item
from genrec.evaluation.carousels import marginal_gains, ndcg_2d
from genrec.evaluation.metrics import ndcg_at, precision_at, recall_at, reciprocal_rank
from genrec.page import Page, PageRequest, Purchase, Shopper

Match = Literal["leaf", "item"]


class Split(NamedTuple):
    """A shopper's purchases before and after the day of a page."""

    before: tuple[Purchase, ...]
    after: tuple[Purchase, ...]


def split_history(shopper: Shopper, on: date, weeks: int | None) -> Split:
    """Purchases up to and on `on`, and those after it for `weeks` weeks (None: all), both in their order."""
    last = date.max if weeks is None or weeks > (date.max - on).days // 7 else on + timedelta(weeks=weeks)
    return Split(
        tuple(p for p in shopper.history if p.at <= on), tuple(p for p in shopper.history if on < p.at <= last)
    )


def key_of(item: Item, match: Match) -> str:
    """What counts as the same thing: the item, or all items on its shelf (its whole category path)."""
    return item.item_id if match == "item" or not any(item.categories) else " > ".join(item.categories)


def wanted(split: Split, items: Mapping[str, Item], match: Match) -> tuple[dict[str, float], dict[str, float]]:
    """Gain 1 for each distinct thing bought after, and for those among them that had never been bought before.

    What the catalog does not have cannot be shown by anyone and is left out.
    """
    known = {key_of(items[p.item_id], match) for p in split.before if p.item_id in items}
    bought = dict.fromkeys((key_of(items[p.item_id], match) for p in split.after if p.item_id in items), 1.0)
    return bought, {key: gain for key, gain in bought.items() if key not in known}


def purchase_metrics(
    page: Page, request: PageRequest, split: Split, items: Mapping[str, Item], match: Match
) -> dict[str, float | None]:
    """Recall and two-dimensional nDCG of all purchases and of new ones, and sections as a ranking.

    None where nothing was bought (or nothing new), and for the lower half of a page of one section. A section's gain is
    how many wanted things it shows first; the ideal page has as many as fit in every section, from the top. An item
    that the catalog does not have is no hit.
    """
    rows = [[key_of(items[i.item_id], match) if i.item_id in items else "" for i in s.items] for s in page.sections]
    rows = [row[: request.items_per_section] for row in rows[: request.sections]]
    every, new = wanted(split, items, match)
    shape = {"rows": request.sections, "columns": request.items_per_section}
    gains = _firsts(rows, every)
    ideal = _filled(len(every), **shape)
    marginal = marginal_gains(rows, every, **shape) if every and request.sections > 1 else None
    return {
        "recall": _found(rows, every),
        "ndcg_2d": ndcg_2d(rows, every, **shape) if every else None,
        "recall_new": _found(rows, new),
        "ndcg_2d_new": ndcg_2d(rows, new, **shape) if new else None,
        "section_precision": precision_at(gains, request.sections) if every else None,
        "section_ndcg": ndcg_at(gains, request.sections, ideal=ideal) if every else None,
        "section_mrr": reciprocal_rank(gains) if every else None,
        "lower_half_gain": sum(marginal[-(-request.sections // 2) :]) if marginal is not None else None,
    }


def _found(rows: Sequence[Sequence[str]], gains: Mapping[str, float]) -> float | None:
    shown = dict.fromkeys(key for row in rows for key in row)
    return recall_at([gains.get(key, 0.0) for key in shown], len(shown), total=len(gains)) if shown else _none(gains)


def _none(gains: Mapping[str, float]) -> float | None:
    """What a page that shows nothing has found."""
    return 0.0 if gains else None


def _firsts(rows: Sequence[Sequence[str]], gains: Mapping[str, float]) -> list[float]:
    """What each section shows of the wanted that no section above it does."""
    seen: set[str] = set()
    found = []
    for row in rows:
        fresh = {key for key in row if key in gains} - seen
        seen |= fresh
        found.append(sum(gains[key] for key in fresh))
    return found


def _filled(count: int, *, rows: int, columns: int) -> list[float]:
    return [float(min(columns, max(count - row * columns, 0))) for row in range(rows)]
