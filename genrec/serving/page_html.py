"""A page as one self-contained HTML file for people to look at. Drawings of items are in pictograms.py."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from genrec.catalog.items import Item
from genrec.page import Drop, Page, PageItem, Section, Shopper, StageUsage
from genrec.serving.pictograms import PICTOGRAMS, Pictogram, pictogram_for, tint_for
from genrec.serving.safe_text import read_template

if TYPE_CHECKING:
    from jinja2 import Template

DROP_ROWS = 200
"""Most dropped items that a page lists; the rest are counted."""

CHIPS = 2
"""Most dietary chips on a card."""

STAGES = {
    "gather": "Gathering ideas",
    "plan": "Planning the sections",
    "prune": "Pruning keywords",
    "describe": "Choosing keywords",
    "retrieve": "Searching the catalog",
    "filter": "Relevance gate",
    "guard": "Guardrails",
    "rank": "Ranking",
    "select": "Composing the page",
}
"""Stage names in the order of the program, with the words a merchandiser reads."""


def render_page_html(page: Page, items: Mapping[str, Item], *, shopper: Shopper, on: date, occasion: str = "") -> str:
    """Render one HTML document: no script, no request but for items' own pictures, every text escaped.

    `items` maps item ids to catalog items; an id that is missing is shown with what the page says about it.
    """
    rails = [_rail(number, section, items, shopper) for number, section in enumerate(page.sections, 1)]
    cards = [card for rail in rails for card in rail.cards]
    return _template().render(
        page=page,
        shopper=shopper,
        occasion=occasion,
        day=f"{on:%A} {on.day} {on:%B %Y}",
        lang=shopper.locale if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", shopper.locale) else "en",
        fingerprint=page.provenance.catalog.rpartition(":")[2][:12],
        rails=rails,
        shown=len(cards),
        drawings=[PICTOGRAMS[name] for name in sorted({card.drawing.name for card in cards})],
        plain_http=any(card.picture.lower().startswith("http:") for card in cards),
        degraded=[(stage_label(step.stage), step.stage, step.reason) for step in page.degraded],
        drops=_drop_groups(page.drops, items),
        usage=[(stage_label(name), name, page.usage[name]) for name in in_stage_order(page.usage)],
        total=total_usage(page.usage),
    )


class _Card(NamedTuple):
    """What one item's card shows. `picture` is a safe address or empty."""

    entry: PageItem
    title: str
    meta: str
    price: str
    chips: list[str]
    badge: str
    picture: str
    drawing: Pictogram
    tint: str


class _Rail(NamedTuple):
    """One section with its cards; `number` counts from 1."""

    number: int
    section: Section
    cards: list[_Card]


class _DropGroup(NamedTuple):
    """What one stage dropped: `dropped` in all, the first of them as (title, id, reason) rows."""

    label: str
    stage: str
    dropped: int
    rows: list[tuple[str, str, str]]


def _rail(number: int, section: Section, items: Mapping[str, Item], shopper: Shopper) -> _Rail:
    return _Rail(number, section, [_card(entry, items.get(entry.item_id), shopper) for entry in section.items])


def _card(entry: PageItem, item: Item | None, shopper: Shopper) -> _Card:
    if item is None:
        unknown = Item.model_construct(item_id=entry.item_id, title=entry.title)
        return _Card(entry, entry.title, "", "", [], "", "", pictogram_for(unknown), tint_for(""))
    title, size = split_size(entry.title)
    badge = "" if item.in_stock else "Out of stock"
    return _Card(
        entry=entry,
        title=title,
        meta=" · ".join(part for part in (item.brand, size or item.attributes.get("size", "")) if part),
        price=price_text(item),
        chips=dietary_chips(item, shopper),
        badge=badge or (f"{item.min_age}+" if item.min_age else ""),
        picture=safe_picture(item.image_url),
        drawing=pictogram_for(item),
        tint=tint_for(item.department),
    )


def _drop_groups(drops: Sequence[Drop], items: Mapping[str, Item]) -> list[_DropGroup]:
    """Group drops by stage, in stage order; DROP_ROWS rows are shared so that no stage hides another's."""
    by_stage: dict[str, list[Drop]] = {}
    for drop in drops:
        by_stage.setdefault(drop.stage, []).append(drop)
    room, shares = DROP_ROWS, {}
    for waiting, stage in enumerate(sorted(by_stage, key=lambda name: len(by_stage[name]))):
        shares[stage] = min(len(by_stage[stage]), room // (len(by_stage) - waiting))
        room -= shares[stage]
    return [
        _DropGroup(
            label=stage_label(stage),
            stage=stage,
            dropped=len(by_stage[stage]),
            rows=[_drop_row(drop, items) for drop in by_stage[stage][: shares[stage]]],
        )
        for stage in in_stage_order(by_stage)
    ]


def _drop_row(drop: Drop, items: Mapping[str, Item]) -> tuple[str, str, str]:
    item = items.get(drop.subject)
    return (item.title, item.item_id, drop.reason) if item else (drop.subject, "", drop.reason)


def in_stage_order(stages: Iterable[str]) -> list[str]:
    """Sort stage names into the program's order, unknown ones last in their own order."""
    known = list(STAGES)
    return sorted(stages, key=lambda name: known.index(name) if name in STAGES else len(known))


def stage_label(stage: str) -> str:
    """Say what a stage does; an unknown stage keeps its name."""
    return STAGES.get(stage, stage)


def total_usage(usage: Mapping[str, StageUsage]) -> StageUsage:
    """Sum over stages. Dollars are null when the price of any LM call is unknown or nothing has a price."""
    spent = list(usage.values())
    priced = [stage.dollars for stage in spent if stage.dollars is not None]
    unknown = any(stage.dollars is None and stage.calls for stage in spent)
    return StageUsage(
        calls=sum(stage.calls for stage in spent),
        failures=sum(stage.failures for stage in spent),
        input_tokens=sum(stage.input_tokens for stage in spent),
        cached_tokens=sum(stage.cached_tokens for stage in spent),
        output_tokens=sum(stage.output_tokens for stage in spent),
        dollars=sum(priced) if priced and not unknown else None,
        seconds=sum(stage.seconds for stage in spent),
    )


_SYMBOLS = {
    **{
        "USD": "$",
        "EUR": "€",
        "GBP": "£",
        "JPY": "¥",
        "INR": "₹",
        "KRW": "₩",
        "ILS": "₪",
        "NGN": "₦",
        "PHP": "₱",
    },
    **{
        "CAD": "CA$",
        "AUD": "A$",
        "NZD": "NZ$",
        "MXN": "MX$",
        "BRL": "R$",
        "CNY": "CN¥",
        "UAH": "₴",
        "VND": "₫",
    },
}
_NO_CENTS = {"JPY", "KRW", "VND", "CLP", "ISK"}


def price_text(item: Item) -> str:
    """Write the price with its currency, e.g. `$3.49`, `¥480`, `CHF 12.00`; empty when it is unknown."""
    if item.price is None:
        return ""
    amount = f"{item.price:,.0f}" if item.currency in _NO_CENTS else f"{item.price:,.2f}"
    return _SYMBOLS.get(item.currency, f"{item.currency}\N{NO-BREAK SPACE}") + amount


def dollars_text(dollars: float | None) -> str:
    """Write what LM calls cost; an em dash when it is unknown."""
    return "—" if dollars is None else f"${dollars:,.4f}"


_SIZE = re.compile(r"(\d|(pack|set|box|bag|bunch|tray|case|ream) of \d|each$|size |one pair$|pair$)", re.IGNORECASE)


def split_size(title: str) -> tuple[str, str]:
    """Split off the size that ends a title after a comma, if one does: `Gala apples, 6 pack`."""
    name, comma, size = title.rpartition(", ")
    return (name, size) if comma and name and len(size) <= 24 and _SIZE.match(size) else (title, "")


_FREE_FROM = {"milk": "dairy-free", "gluten": "gluten-free", "nuts": "nut-free", "peanuts": "nut-free"}


def dietary_chips(item: Item, shopper: Shopper) -> list[str]:
    """List up to CHIPS diets that the item is fit for and the shopper keeps, diets before allergens."""
    kept = [re.sub(r"[\s_]+", "-", diet.strip().casefold()) for diet in sorted(shopper.diets)]
    free = [_FREE_FROM.get(allergen.strip().casefold(), "") for allergen in sorted(shopper.allergens)]
    return [diet for diet in dict.fromkeys(kept + free) if diet in item.dietary][:CHIPS]


def safe_picture(address: str) -> str:
    """Return the address if it is http, https or an inline image; otherwise an empty string."""
    address = address.strip()
    return address if re.match(r"(https?://[^\s/]|data:image/)", address, re.IGNORECASE) else ""


@lru_cache(maxsize=1)
def _template() -> "Template":
    from markupsafe import Markup

    return read_template("page.html.j2", dollars=dollars_text, drawing=lambda drawing: Markup(drawing.svg))
