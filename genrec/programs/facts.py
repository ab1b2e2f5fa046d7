"""What the LM is told of the shopper and the day: terse facts, one clause each, nothing invented."""

from collections import Counter

from genrec.catalog.store import Catalog
from genrec.page import PageRequest
from genrec.programs.library import occasions_of

BOUGHT = 12
"""How many products of the history are named to a large model."""


def plain_title(title: str) -> str:
    """A product title without its pack size: "Rigatoni, 500 g" becomes "rigatoni"."""
    head = title.split(",")[0].strip()
    return head[:1].lower() + head[1:]


def shopper_facts(request: PageRequest, catalog: Catalog, *, brief: bool) -> str:
    """Clauses joined by "; ". `brief` leaves out what a small model cannot use: the history and the notes."""
    shopper = request.shopper
    clauses = []
    if shopper.diets or shopper.allergens:
        avoided = f"no {', '.join(sorted(shopper.allergens))}" if shopper.allergens else ""
        clauses.append(f"diet: {', '.join(filter(None, [*sorted(shopper.diets), avoided]))}")
    if shopper.household:
        clauses.append(f"household: {shopper.household}")
    day = request.occasion or (f"{request.on:%B}" if brief else f"{request.on:%A %d %B %Y}")
    clauses.append(f"on: {day}")
    wants = [f"{o.name} ({o.note})" if o.note and not brief else o.name for o in request.objectives]
    if wants:
        clauses.append(f"wants: {', '.join(wants)}")
    if brief:
        return "; ".join(clauses)
    upcoming = sorted(occasions_of(request)) if not request.occasion else []
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
    if shopper.note:
        clauses.append(f"note: {shopper.note}")
    return "; ".join(clauses)
