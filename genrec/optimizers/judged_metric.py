"""Climbing what judges say: a yardstick for compile that only judges which have earned it may move."""

from collections.abc import Mapping, Sequence
from typing import Any

from genrec.catalog.store import Catalog
from genrec.errors import SettingsError
from genrec.evaluation.agreement import JudgeCard, standing
from genrec.evaluation.held_out import split_history
from genrec.evaluation.judges import CRITERIA, Judge, PageCase
from genrec.evaluation.page_metric import PageScore, score_page
from genrec.evaluation.panel import PageVerdict, Panel
from genrec.optimizers.page_metric_adapter import Yardstick
from genrec.page import Page, PageRequest

JUDGED = "judged-1"
"""Name of the way that judgments become a score; it changes when that does."""


def judged_yardstick(
    judges: Mapping[str, Judge[Any]], cards: Sequence[JudgeCard], catalog: Catalog, *, unproven: bool = False
) -> Yardstick:
    """The total of a panel of those judges that have earned their bar; `unproven` lets the others decide too.

    The advisory ones are not even asked. A guard alone moves nothing: every page has passed it.

    Raises:
        SettingsError: no judge may decide; the message says why of each.

    """
    everyone = Panel(judges, cards, unproven=unproven)
    told = {c: f"{c} ({judges[c].name}, {standing(card)})" for c, card in everyone.cards.items()}
    advisory = [c for c in everyone.criteria if c not in everyone.deciding]
    unearned = [c for c in everyone.deciding if (card := everyone.cards[c]) is None or not card.earned]
    if all(CRITERIA[c] == "guardrail" for c in everyone.deciding):
        raise SettingsError(
            f"--metric judged: no judge may decide: {', '.join(told[c] for c in advisory)}; measure them with "
            "`genrec evaluate --judges`, or let them decide as they are with --unproven-judges"
        )
    panel = Panel({c: judges[c] for c in everyone.deciding}, cards, unproven=unproven)

    def score(page: Page, request: PageRequest) -> PageScore:
        verdict = panel.judge(_case(page, request, catalog))
        made = score_page(page, request, catalog)
        return made.model_copy(update={"total": verdict.total or 0.0, "reason": _reason(page, verdict)})

    names = ", ".join(f"{c} (under its bar)" if c in unearned else c for c in panel.deciding)
    notes = [f"judges that decided: {', '.join(told[c] for c in panel.deciding)}"]
    if unearned:
        notes.append(f"under their bar, and deciding because it was asked for: {', '.join(unearned)}")
    notes.append(f"advisory judges, which moved nothing: {', '.join(told[c] for c in advisory) or 'none'}")
    return Yardstick(f"{JUDGED} {panel.fingerprint}: {names}", score, "judges' score", tuple(notes))


def _case(page: Page, request: PageRequest, catalog: Catalog) -> PageCase:
    """The page as judges see it: what was bought after the day of the page is kept from them."""
    known = split_history(request.shopper, request.on, 0).before
    shopper = request.shopper.model_copy(update={"history": known})
    shown = {item.item_id for section in page.sections for item in section.items}
    items = {item_id: catalog.items[item_id] for item_id in shown if item_id in catalog.items}
    return PageCase(request.model_copy(update={"shopper": shopper}), page, items)


def _reason(page: Page, verdict: PageVerdict) -> str:
    """The criterion with the lowest score, the section with the lowest, and what a page judge says."""
    if not page.sections:
        return "the page is empty"
    there = {name: value for name, value in verdict.scores.items() if value is not None}
    if not there:
        return "the judges that decide were asked nothing about this page"
    worst = min(there, key=lambda name: there[name])
    parts = [f"{worst} is {there[worst]:.2f}, the lowest"]
    judged = [(s.score, n) for n, s in enumerate(verdict.sections) if s.score is not None]
    if judged:
        least, number = min(judged)
        because = f": {', '.join(verdict.sections[number].reasons)}" if verdict.sections[number].reasons else ""
        parts.append(f"the weakest section is {page.sections[number].theme.title!r} with {least:.2f}{because}")
    return "; ".join([*parts, *([verdict.reason] if verdict.reason else [])])
