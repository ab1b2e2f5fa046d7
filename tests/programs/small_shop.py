"""A shop of ten items whose vectors are read off a compass, so that every score can be worked out by hand."""

import math
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.page import PageRequest, Purchase, Shopper
from genrec.programs.ranking import Candidate

ON = date(2026, 11, 12)

DEGREES = {
    "black tea": 0.0,
    "breakfast tea": 5.0,  # cosine to black tea 0.996: a twin
    "biscuits": math.degrees(math.acos(0.8)),
    "coffee": 60.0,
    "soap": 90.0,
    "bleach": 120.0,
    "lamp": 180.0,
}
"""Direction of a text that names it; everything else points the other way than coffee."""

# item_id, title, categories, popularity
_ROWS = (
    ("tea", "Black tea, 80 bags", ("Drinks", "Tea"), 90.0),
    ("tea-2", "Breakfast tea, 80 bags", ("Drinks", "Tea"), 80.0),
    ("tea-twin", "Black tea, 80 bags", ("Drinks", "Tea"), 10.0),
    ("coffee", "Coffee beans, 1 kg", ("Drinks", "Coffee"), 70.0),
    ("coffee-sold-out", "Coffee pods", ("Drinks", "Coffee"), 5.0),
    ("biscuits", "Biscuits, 200 g", ("Food", "Biscuits"), 60.0),
    ("soap", "Soap", ("Household", "Soap"), 50.0),
    ("bleach", "Bleach, 1 l", ("Household", "Cleaning"), 40.0),
    ("lamp", "Lamp", ("Household",), 30.0),
    ("bare", "Lamp without a shelf", (), 20.0),
)


class Compass:
    """Embedder in the plane, by `DEGREES`."""

    name, fingerprint, dim = "compass", "compass-1", 2

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([at(self._degrees(t.lower())) for t in texts], np.float32).reshape(len(texts), 2)

    @staticmethod
    def _degrees(text: str) -> float:
        return next((angle for name, angle in DEGREES.items() if name in text), 240.0)


def at(degrees: float) -> NDArray[np.float32]:
    """The unit vector in a direction, (2,)."""
    return np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))], np.float32)


def small_shop(folder: Path) -> Catalog:
    """The ten items, indexed in `folder`."""
    items = [Item(item_id=i, title=t, categories=c, popularity=p, in_stock="sold-out" not in i) for i, t, c, p in _ROWS]
    return Catalog.build(items, folder / "small", Compass())


def bought(**days_ago: int) -> tuple[Purchase, ...]:
    """Purchases of items so many days before `ON`; a negative number is in the future."""
    return tuple(Purchase(item_id=i, at=ON - timedelta(days=days)) for i, days in days_ago.items())


def request(history: Sequence[Purchase] = (), occasion: str = "", **shopper: Any) -> PageRequest:
    """A page on `ON`."""
    someone = Shopper.model_validate({"shopper_id": "s", "history": tuple(history), **shopper})
    return PageRequest(shopper=someone, on=ON, occasion=occasion)


def candidates(catalog: Catalog, **relevance: float) -> list[Candidate]:
    """Candidates by item_id ("_" for "-") and relevance; the concept that found them is "tea time"."""
    ids = {name.replace("_", "-"): value for name, value in relevance.items()}
    return [Candidate(catalog.items[i], value, "tea time") for i, value in ids.items()]
