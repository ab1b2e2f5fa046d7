"""Whom an evaluation asks pages for: shoppers with what they had bought, and what they bought later, held out."""

import random
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import ValidationError

from genrec.errors import RequestError
from genrec.evaluation.held_out import Match, Split, split_history
from genrec.page import Objective, PageRequest, Shopper


@dataclass(frozen=True)
class Setting:
    """What every contender is asked for."""

    on: date
    weeks: int | None = None
    """Weeks of later purchases that pages are scored against; None: all there are."""
    match: Match = "leaf"
    sections: int = 6
    items_per_section: int = 8
    occasion: str = ""
    objectives: tuple[Objective, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Subject:
    """A shopper, as the generators see them, and what they did not see."""

    request: PageRequest
    split: Split


def subjects(
    shoppers: Sequence[Shopper],
    setting: Setting,
    known: Container[str] | None = None,
    *,
    limit: int | None = None,
    least_before: int = 0,
    least_after: int = 0,
) -> list[Subject]:
    """The shoppers with at least so many purchases up to the day and in the weeks after; `limit` of them by the seed.

    Of the purchases only those of `known` item ids are counted; None: all.

    Raises:
        RequestError: there are none, a limit below 1, or a page cannot have such a size.

    """
    found = []
    for shopper in sorted(shoppers, key=lambda s: s.shopper_id):
        split = split_history(shopper, setting.on, setting.weeks)
        before, after = (sum(known is None or p.item_id in known for p in part) for part in split)
        if before >= least_before and after >= least_after:
            request = _request(shopper.model_copy(update={"history": split.before}), setting)
            found.append(Subject(request, split))
    if not found:
        raise RequestError(
            f"none of {len(shoppers)} shoppers has {least_before} purchases up to {setting.on} and {least_after} then; "
            "choose another --on, or lower --least-before and --least-after"
        )
    if limit is not None and limit < 1:
        raise RequestError(f"--limit {limit}: an evaluation needs at least one shopper")
    if limit is not None and limit < len(found):
        random.Random(setting.seed).shuffle(found)
        found = found[:limit]
    return found


def _request(shopper: Shopper, setting: Setting) -> PageRequest:
    try:
        return PageRequest(
            shopper=shopper,
            on=setting.on,
            sections=setting.sections,
            items_per_section=setting.items_per_section,
            occasion=setting.occasion,
            objectives=setting.objectives,
            seed=setting.seed,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
