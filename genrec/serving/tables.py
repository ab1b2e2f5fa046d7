"""Tables for the terminal, other than the page itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from genrec.catalog.hybrid import Explained
from genrec.catalog.items import Item
from genrec.page import Shopper
from genrec.serving.doctor import Finding
from genrec.serving.safe_text import clean

if TYPE_CHECKING:
    from genrec.catalog.builder import Written
    from genrec.catalog.store import Catalog
    from genrec.evaluation.agreement import JudgeCard
    from genrec.evaluation.bootstrap import Interval
    from genrec.optimizers.compile import Compiled
    from genrec.registry import Version

PIPE_COLUMNS = 140


def print_shoppers(people: Sequence[Shopper]) -> None:
    """Who is in the sample: household, what must not be shown, how much was bought."""
    rows = [
        (
            s.shopper_id,
            s.household,
            ", ".join([*sorted(s.diets), *(f"no {a}" for a in sorted(s.allergens))]),
            len(s.history),
        )
        for s in people
    ]
    _print(("shopper", "household", "diet", "purchases"), rows)


def print_hits(hits: Sequence[Explained], items: Mapping[str, Item]) -> None:
    """What a search returned: rank in each ranking and the words that matched."""
    rows = [
        (
            hit.item.title,
            " > ".join(hit.item.categories),
            hit.lexical_rank or "-",
            hit.dense_rank or "-",
            ", ".join(hit.matched_terms) or "-",
        )
        for hit in hits
    ]
    if not rows:
        Console(stderr=True).print("nothing in the catalog matches")
    _print(("item", "category", "BM25 rank", "dense rank", "matched"), rows)


def print_written(written: "Written", catalog: "Catalog", path: Path, *, skipped: int) -> None:
    """What a write did to an index, and what the index is now, as plain lines."""
    encoder, dense = catalog.facts["encoder"]["name"], catalog.facts["dense"]
    how = "exact" if dense["exact"] else f"approximate, recall@100 {dense['recall@100']:.3f}"
    lines = (
        f"{path}: {written.items:,} items ({written.added:,} new, {written.removed:,} gone, {skipped:,} rows skipped), "
        f"{len(catalog.keywords):,} keywords",
        f"encoder {encoder}: {written.embedded:,} texts embedded; dense search is {how}",
    )
    print("\n".join(lines))  # noqa: T201


def print_versions(found: "Sequence[Version]") -> None:
    """The versions of the page program, the newest first, with their score on the dev shoppers."""
    if not found:
        Console(stderr=True).print("no versions yet: `genrec compile` makes one")
        return
    rows = [
        (
            v.number,
            ", ".join(v.aliases) or "-",
            f"{v.created_at:%Y-%m-%d %H:%M}",
            v.facts.get("optimizer", "-"),
            v.facts.get("judge", "-").partition(" ")[0],
            v.facts.get("score_before", "-"),
            v.facts.get("score_after", "-"),
            v.facts.get("lm", "-"),
        )
        for v in found
    ]
    _print(("version", "aliases", "created (UTC)", "optimizer", "metric", "before", "after", "lm"), rows)


def print_compiled(compiled: "Compiled", version: "Version") -> None:
    """What a compile learned and which version it became."""
    Console().print(Text(compiled.report))
    Console().print(Text(f"registered {version.uri} ({', '.join(version.aliases) or 'no alias'})"))


def print_cards(cards: "Sequence[JudgeCard]") -> None:
    """What each judge's word is worth, beside the ceiling and its bar."""
    rows = [
        (
            card.criterion,
            card.judge,
            card.cases,
            *(_interval(value) for value in (card.agreement.kappa, card.agreement.auc)),
            *(_rate(value) for value in (card.agreement.true_positive_rate, card.agreement.true_negative_rate)),
            _rate(card.ceiling),
            f"{card.bar:.2f}",
            "decides" if card.earned else "advisory",
        )
        for card in cards
    ]
    header = ("criterion", "judge", "cases", "weighted kappa", "AUC", "TPR", "TNR", "ceiling", "bar", "")
    _print(header, rows)


def _interval(value: "Interval | None") -> str:
    return "-" if value is None else str(value)


def _rate(value: "Interval | None") -> str:
    return "-" if value is None else f"{value.value:.2f}"


def print_diagnosis(findings: Sequence[Finding]) -> None:
    """One line a part."""
    _print(("part", "", "found"), [(f.part, "ok" if f.ok else "MISSING", f.detail) for f in findings])


def _print(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_COLUMNS)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(str(cell))) for cell in row))
    console.print(table)
