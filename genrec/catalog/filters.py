"""Where: what an item must satisfy to be returned. Answering it for all items at once is in columns.py."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from genrec.catalog.items import Item

PATH = " > "
"""Between the names of a category path."""


def _fold(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def _as_float(price: float | None) -> float | None:
    try:
        return None if price is None else float(price)
    except OverflowError:  # a whole number beyond every float
        return math.inf if price is not None and price > 0 else -math.inf


def places(categories: Sequence[str]) -> Iterator[str]:
    """Yield what names a subtree that holds an item: each name of its path, and each path from the root, folded."""
    for depth, name in enumerate(categories):
        yield name.casefold()
        if depth:
            yield PATH.join(categories[: depth + 1]).casefold()


@dataclass(frozen=True)
class Where:
    """What an item must satisfy to be returned; an empty field asks nothing. Only ids are case-sensitive."""

    categories: frozenset[str] = frozenset()
    """Subtrees, one of them is enough: a name at any level of the path, or a path from the root ("Bakery > Bread")."""
    min_price: float | None = None
    """An item without a price is not within it."""
    max_price: float | None = None
    """An item without a price is not within it."""
    in_stock: bool | None = None
    diets: frozenset[str] = frozenset()
    """Every one of them must be declared by the item."""
    without_allergens: frozenset[str] = frozenset()
    buyer_age: int | None = None
    """None counts as adult: nothing is left out."""
    exclude_ids: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Name to value; every one of them must hold."""

    def __post_init__(self) -> None:
        """Fold names once, so that equal filters are equal values."""
        for name in ("min_price", "max_price"):
            object.__setattr__(self, name, _as_float(getattr(self, name)))
        for name in ("categories", "diets", "without_allergens"):
            object.__setattr__(self, name, _fold(frozenset(getattr(self, name))))
        object.__setattr__(self, "exclude_ids", frozenset(self.exclude_ids))
        folded = {name.casefold(): value.casefold() for name, value in self.attributes.items()}
        object.__setattr__(self, "attributes", folded)

    def allows(self, item: Item) -> bool:
        """Whether `item` may be returned."""
        own = {name.casefold(): value.casefold() for name, value in item.attributes.items()}
        price = item.price
        return (
            item.item_id not in self.exclude_ids
            and (not self.categories or not self.categories.isdisjoint(places(item.categories)))
            and (self.min_price is None or (price is not None and price >= self.min_price))
            and (self.max_price is None or (price is not None and price <= self.max_price))
            and (self.in_stock is None or item.in_stock == self.in_stock)
            and self.diets <= _fold(item.dietary)
            and self.without_allergens.isdisjoint(_fold(item.allergens))
            and (self.buyer_age is None or item.min_age <= self.buyer_age)
            and all(own.get(name) == value for name, value in self.attributes.items())
        )
