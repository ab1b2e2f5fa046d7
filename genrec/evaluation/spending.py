"""What pages cost and how often they were less than they should be: sums and shares over `Page` values."""

from collections.abc import Sequence
from typing import NamedTuple

from genrec.page import Page, PageRequest, StageUsage


class Spending(NamedTuple):
    """Totals over pages, and shares of them."""

    never_empty: float | None
    """Share of pages that show at least one item; None without pages."""
    degraded: float | None
    """Share of pages on which a stage did less than it should have; None without pages."""
    calls: int
    failures: int
    input_tokens: int
    """Cached ones included."""
    output_tokens: int
    seconds: float
    """Wall time of the stages that asked the LM."""
    dollars: float | None
    """None when the price of any stage that asked the LM is unknown; never a sum of the known ones only."""


def spending(pages: Sequence[Page]) -> Spending:
    """Add up what `pages` spent. A stage that asked nothing costs nothing, whether or not it has a price."""
    stages = [usage for page in pages for usage in page.usage.values()]
    prices = [usage.dollars if usage.dollars is not None or _asked(usage) else 0.0 for usage in stages]
    known = [price for price in prices if price is not None]
    return Spending(
        never_empty=_share([any(section.items for section in page.sections) for page in pages]),
        degraded=_share([bool(page.degraded) for page in pages]),
        calls=sum(usage.calls for usage in stages),
        failures=sum(usage.failures for usage in stages),
        input_tokens=sum(usage.input_tokens for usage in stages),
        output_tokens=sum(usage.output_tokens for usage in stages),
        seconds=sum(usage.seconds for usage in stages),
        dollars=sum(known) if len(known) == len(prices) else None,
    )


def completeness(page: Page, request: PageRequest) -> float:
    """Items shown, counting no more than asked for in a section / (sections * items_per_section) asked for."""
    sections = page.sections[: request.sections]
    shown = sum(min(len(section.items), request.items_per_section) for section in sections)
    return shown / (request.sections * request.items_per_section)


def _asked(usage: StageUsage) -> bool:
    return bool(usage.calls or usage.failures or usage.input_tokens or usage.output_tokens)


def _share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None
