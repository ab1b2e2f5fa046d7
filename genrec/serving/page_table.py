"""A page on a terminal. What the numbers mean and how they read is shared with page_html.py."""

from collections import Counter
from collections.abc import Mapping
from datetime import date

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from genrec.catalog.items import Item
from genrec.page import Page, Section, Shopper
from genrec.serving.page_html import dollars_text, in_stage_order, price_text, total_usage
from genrec.serving.safe_text import clean

WIDE = 100
"""Columns from which reasons get a column of their own; below, they stand under the title."""

TITLE_CHARACTERS = 160
"""Longest title printed; beyond it a title is no longer one."""


def print_page(
    page: Page, items: Mapping[str, Item], *, shopper: Shopper, on: date, occasion: str = "", console: Console
) -> None:
    """Print a page: who it is for, what went wrong, a table a section, what was dropped and what it took."""
    head = [Text(clean(shopper.shopper_id), style="bold"), Text(f"{on:%A} {on.day} {on:%B %Y}")]
    head += [_text(part) for part in (occasion, ", ".join(sorted(shopper.diets)), _without(shopper)) if part]
    console.print(Text(" · ").join(head))
    console.print(_text(f"{page.provenance.program} · {page.provenance.lm}", style="dim"))
    for step in page.degraded:
        line = Text.assemble(("degraded ", "bold yellow"), (clean(step.stage), "yellow"), f": {clean(step.reason)}")
        console.print(line)
    price_width = max(
        (len(_price(items.get(entry.item_id))) for section in page.sections for entry in section.items),
        default=0,
    )
    for number, section in enumerate(page.sections, 1):
        console.print()
        _print_section(number, section, items, price_width, console)
    console.print()
    if page.drops:
        counts = Counter(drop.stage for drop in page.drops)
        console.print(
            _text("dropped: " + ", ".join(f"{counts[s]} by {s}" for s in in_stage_order(counts)), style="dim")
        )
    console.print(_text(_usage_line(page), style="dim"))


def _print_section(
    number: int, section: Section, items: Mapping[str, Item], price_width: int, console: Console
) -> None:
    theme = section.theme
    title = Text.assemble((f"{number}. ", "bold"), (clean(theme.title), "bold"))
    if theme.objective:
        title.append(f"  serves {clean(theme.objective)}", style="cyan")
    console.print(title)
    if theme.rationale:
        console.print(Padding(_text(theme.rationale, style="dim"), (0, 0, 0, 3), expand=False))
    wide = console.width >= WIDE
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), expand=True, pad_edge=False)
    table.add_column(ratio=5 if wide else 1, overflow="fold")
    table.add_column(justify="right", no_wrap=True, width=price_width)
    if wide:
        table.add_column(ratio=5, overflow="fold", style="dim")
    table.add_column(justify="right", no_wrap=True, width=4)
    for entry in section.items:
        cell = _text(entry.title)
        cell.truncate(TITLE_CHARACTERS, overflow="ellipsis")
        price, fit = Text(_price(items.get(entry.item_id))), Text(f"{entry.relevance:.0%}", style="green")
        if wide:
            table.add_row(cell, price, _text(entry.reason), fit)
            continue
        if entry.reason:
            cell.append(f"\n{clean(entry.reason)}", style="dim")
        table.add_row(cell, price, fit)
    console.print(Padding(table, (0, 0, 0, 3)))


def _without(shopper: Shopper) -> str:
    return "without " + ", ".join(sorted(shopper.allergens)) if shopper.allergens else ""


def _price(item: Item | None) -> str:
    return clean(price_text(item)) if item else ""


def _usage_line(page: Page) -> str:
    total = total_usage(page.usage)
    failed = f" ({total.failures} failed)" if total.failures else ""
    calls = "1 LM call" if total.calls == 1 else f"{total.calls} LM calls"
    return (
        f"{calls}{failed} · {total.input_tokens:,} tokens in "
        f"({total.cached_tokens:,} cached), {total.output_tokens:,} out · {total.seconds:.1f} s · "
        f"{dollars_text(total.dollars)}"
    )


def _text(text: str, *, style: str = "") -> Text:
    """Wrap text as it stands: never read as rich markup, and free of control characters."""
    return Text(clean(text), style=style)
