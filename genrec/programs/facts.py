"""What the LM is told of the shopper and the day: terse facts, one clause each, nothing invented."""

import re
from collections import Counter
from collections.abc import Sequence

from genrec.catalog.store import Catalog
from genrec.page import PageRequest
from genrec.programs.library import occasions_of

BOUGHT = 12
"""How many products of the history are named to a large model."""

PACK = re.compile(r"\d|^(?:each|loose|bunch|store brand)$", re.IGNORECASE)
"""Parts of a title, after the first, that tell how much it is and not what."""


def plain_title(title: str) -> str:
    """A product title without its pack: "Rigatoni, 500 g" becomes "rigatoni", "Salt, fine, 1 kg" "salt, fine"."""
    first, *others = [part.strip() for part in title.split(",") if part.strip()] or [title.strip()]
    return lower_first(", ".join([first, *(part for part in others if not PACK.search(part))]))


def lower_first(text: str) -> str:
    """`text` as it stands inside a sentence: "Red lentils" becomes "red lentils", "TV stand" stays."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def brief_facts(request: PageRequest, source: str, about: str = "") -> str:
    """What bears on one group of concepts from `source`, and no more: a small model puts every fact into its title.

    `about` is what the group is for: the kind of household, e.g. "dog", or the occasion that the calendar brings.
    """
    clauses = []
    if request.shopper.diets:
        clauses.append(f"diet: {', '.join(sorted(request.shopper.diets))}")
    if source == "household" and about:
        clauses.append(f"household: {about}")
    if source in ("season", "occasion"):
        clauses.append(f"on: {request.occasion.strip() or about or f'{request.on:%B}'}")
    return _joined(clauses) or "anyone"


def shopper_facts(request: PageRequest, catalog: Catalog) -> str:
    """All that is known, for a model that can weigh it: clauses joined by "; ", on one line.

    What a caller or a catalog wrote can neither start a line nor pass for a clause of its own.
    """
    shopper = request.shopper
    clauses = []
    if shopper.diets or shopper.allergens:
        avoided = f"no {', '.join(sorted(shopper.allergens))}" if shopper.allergens else ""
        clauses.append(f"diet: {', '.join(filter(None, [*sorted(shopper.diets), avoided]))}")
    if shopper.household.strip():
        clauses.append(f"household: {shopper.household}")
    clauses.append(f"on: {request.occasion.strip() + ', ' if request.occasion.strip() else ''}{request.on:%A %d %B %Y}")
    wants = [f"{o.name} ({o.note})" if o.note else o.name for o in request.objectives]
    if wants:
        clauses.append(f"wants: {', '.join(wants)}")
    upcoming = [] if request.occasion.strip() else sorted(occasions_of(request))
    if upcoming:
        clauses.append(f"coming up: {', '.join(upcoming)}")
    if shopper.age is not None:
        clauses.append(f"age: {shopper.age}")
    for name, values in (("likes", shopper.likes), ("dislikes", shopper.dislikes)):
        if values:
            clauses.append(f"{name}: {', '.join(values)}")
    counts = Counter(p.item_id for p in shopper.history if p.item_id in catalog.items and p.at <= request.on)
    bought = [plain_title(catalog.items[item_id].title) for item_id, _ in counts.most_common(BOUGHT)]
    clauses.append(f"buys: {', '.join(bought) or 'nothing yet'}")
    if shopper.note.strip():
        clauses.append(f"note: {shopper.note}")
    return _joined(clauses)


def _joined(clauses: Sequence[str]) -> str:
    return "; ".join(" ".join(clause.replace(";", ",").split()) for clause in clauses)
