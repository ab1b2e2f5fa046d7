"""The items by column, memory-mapped: what filters, popularity and shelves need of all items at once."""

import json
from array import array
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.artifact import Artifact
from genrec.catalog.checked import CheckedArray, save_array
from genrec.catalog.filters import Where, places
from genrec.catalog.items import Item
from genrec.catalog.strings import SortedStrings

DECLARED_SHARE = 0.2
"""Share of a department's items that carry a dietary tag from which a missing tag there means 'not fit'."""

DEPARTMENTS = 2_000
BEST_SELLERS = 500
SHELVES = 40
"""Departments, best sellers of each and shelves of each that are kept by name; the rest is found by searching."""

_FLAT = {"price": np.float64, "popularity": np.float64, "in_stock": np.bool_, "min_age": np.uint8}


class Department(NamedTuple):
    """A root category: what it sells, best first."""

    name: str
    sold: float
    """Popularity of its items in stock, added up."""
    shelves: tuple[tuple[str, float], ...]
    """Leaf categories below it with what they sell."""
    best_rows: NDArray[np.int32]
    """Rows of its items in stock by popularity, ties by row, at most `BEST_SELLERS`."""


class Columns:
    """One array a field, and for each category, diet, allergen and attribute value the rows that have it."""

    def __init__(
        self,
        flat: dict[str, CheckedArray],
        facets: SortedStrings,
        starts: CheckedArray,
        rows: CheckedArray,
        departments: tuple[Department, ...],
        declaring: frozenset[str],
    ) -> None:
        """Take the columns (n,); facet j is had by `rows[starts[j] : starts[j + 1]]`."""
        self._flat = flat
        self._facets = facets
        self._starts = starts
        self._rows = rows
        self.departments = departments
        self.declaring = declaring

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self._flat["price"])

    @classmethod
    def open(cls, artifact: Artifact) -> "Columns":
        """Memory-map what `ColumnsBuilder.save` wrote."""
        best, starts = artifact.array("best").whole(), artifact.array("best.starts").whole().tolist()
        told = artifact.json("departments")
        departments = tuple(
            Department(one["name"], one["sold"], tuple(map(tuple, one["shelves"])), best[starts[n] : starts[n + 1]])
            for n, one in enumerate(told["best"])
        )
        return cls(
            {name: artifact.array(name) for name in (*_FLAT, "popularity_rank")},
            SortedStrings.open(artifact, "facets"),
            artifact.array("facet_rows.starts"),
            artifact.array("facet_rows"),
            departments,
            frozenset(told["declaring"]),
        )

    def mask(self, where: Where, ids: SortedStrings) -> NDArray[np.bool_]:
        """Return bool (n,), read-only: what `where.allows` says of each item; `ids` are those of the rows."""
        allowed = np.ones(len(self), dtype=np.bool_)
        if where.categories:
            allowed &= np.logical_or.reduce([self._having("category", name) for name in where.categories])
        for kind, name in [
            *(("diet", name) for name in where.diets),
            *(_attribute(n, v) for n, v in where.attributes.items()),
        ]:
            allowed &= self._having(kind, name)
        for name in where.without_allergens:
            allowed &= ~self._having("allergen", name)
        if where.min_price is not None:  # an unknown price is NaN, which no comparison holds for
            allowed &= self._flat["price"].whole() >= where.min_price
        if where.max_price is not None:
            allowed &= self._flat["price"].whole() <= where.max_price
        if where.in_stock is not None:
            allowed &= self._flat["in_stock"].whole() == where.in_stock
        if where.buyer_age is not None:
            allowed &= self._flat["min_age"].whole() <= where.buyer_age
        rows = [ids.find(item_id) for item_id in where.exclude_ids]
        allowed[[row for row in rows if row >= 0]] = False
        allowed.setflags(write=False)
        return allowed

    def popularity_rank(self, row: int) -> float:
        """Return the place of a row by popularity, from 0 (nothing sells less) to 1; equals share the middle."""
        return float(self._flat["popularity_rank"][row : row + 1][0])

    def diets(self) -> frozenset[str]:
        """Return the diets that any item declares."""
        first = self._facets.place("diet\x1f")
        last = self._facets.place("diet\x20")
        return frozenset(key.partition("\x1f")[2] for key in self._facets[first:last])

    def _having(self, kind: str, name: str) -> NDArray[np.bool_]:
        having = np.zeros(len(self), dtype=np.bool_)
        facet = self._facets.find(f"{kind}\x1f{name}")
        if facet >= 0:
            start, stop = self._starts[facet : facet + 2].tolist()
            having[self._rows[start:stop]] = True
        return having


class ColumnsBuilder:
    """Collects the columns item by item, in row order."""

    def __init__(self) -> None:
        """Start without rows."""
        self._flat: dict[str, array[Any]] = {
            "price": array("d"),
            "popularity": array("d"),
            "in_stock": array("b"),
            "min_age": array("B"),
        }
        self._codes: dict[str, int] = {}
        self._facet_of = array("i")
        self._facet_rows = array("i")
        self._department_codes: dict[str, int] = {}
        self._department = array("i")
        self._total: Counter[str] = Counter()
        self._declared: Counter[str] = Counter()
        self._shelves: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))

    def add(self, item: Item) -> None:
        """Append one row."""
        row = len(self._department)
        self._flat["price"].append(float("nan") if item.price is None else item.price)
        self._flat["popularity"].append(item.popularity)
        self._flat["in_stock"].append(item.in_stock)
        self._flat["min_age"].append(item.min_age)
        keys = {f"category\x1f{place}" for place in places(item.categories)}
        keys.update(f"diet\x1f{name.casefold()}" for name in item.dietary)
        keys.update(f"allergen\x1f{name.casefold()}" for name in item.allergens)
        # of two attributes whose names differ in case only, the last counts, as in Where.allows
        named = {name.casefold(): value.casefold() for name, value in item.attributes.items()}
        keys.update("\x1f".join(_attribute(name, value)) for name, value in named.items())
        for key in keys:
            self._facet_of.append(self._codes.setdefault(key, len(self._codes)))
            self._facet_rows.append(row)
        department = item.department
        self._department.append(self._department_codes.setdefault(department, len(self._department_codes)))
        self._total[department] += 1
        self._declared[department] += bool(item.dietary)
        if item.in_stock and len(item.categories) > 1:
            self._shelves[department][item.leaf] += item.popularity + 1e-3

    def save(self, folder: Path) -> None:
        """Write the columns into `folder`."""
        flat: dict[str, NDArray[Any]] = {name: np.array(self._flat[name], dtype=dtype) for name, dtype in _FLAT.items()}
        for name, column in flat.items():
            save_array(folder / f"{name}.npy", column)
        save_array(folder / "popularity_rank.npy", _ranks(flat["popularity"]))
        facets = SortedStrings.of(self._codes)
        place = np.empty(len(self._codes), dtype=np.int32)
        for row, key in enumerate(facets):
            place[self._codes[key]] = row
        facet = place[np.array(self._facet_of, dtype=np.int32)]
        rows = np.array(self._facet_rows, dtype=np.int32)
        order = np.lexsort((rows, facet))
        facets.save(folder, "facets")
        save_array(folder / "facet_rows.npy", rows[order])
        save_array(folder / "facet_rows.starts.npy", np.searchsorted(facet[order], np.arange(len(facets) + 1)))
        self._save_departments(folder, flat["popularity"], flat["in_stock"])

    def _save_departments(self, folder: Path, popularity: NDArray[np.float64], in_stock: NDArray[np.bool_]) -> None:
        """Write each department's best sellers, and what is told about it; the one with the best seller first."""
        names = list(self._department_codes)
        department = np.array(self._department, dtype=np.int32)
        order = np.lexsort((np.arange(len(department)), -popularity))
        order = order[in_stock[order]]
        sold = np.bincount(department[order], weights=popularity[order] + 1e-3, minlength=len(names))
        by_department = order[np.argsort(department[order], kind="stable")]
        starts = np.searchsorted(department[by_department], np.arange(len(names) + 1))
        firsts = list(dict.fromkeys(department[order].tolist()))[:DEPARTMENTS]
        best = [by_department[starts[code] : starts[code + 1]][:BEST_SELLERS] for code in firsts]
        save_array(folder / "best.npy", np.concatenate([*best, np.empty(0, np.int64)]).astype(np.int32))
        save_array(folder / "best.starts.npy", np.cumsum([0, *map(len, best)]))
        told = [
            {
                "name": names[code],
                "sold": float(sold[code]),
                "shelves": sorted(self._shelves[names[code]].items(), key=lambda pair: (-pair[1], pair[0]))[:SHELVES],
            }
            for code in firsts
        ]
        declaring = [name for name, count in self._total.items() if self._declared[name] >= DECLARED_SHARE * count]
        facts = {"best": told, "declaring": sorted(declaring)}
        (folder / "departments.json").write_text(json.dumps(facts, ensure_ascii=False), "utf-8")


def _attribute(name: str, value: str) -> tuple[str, str]:
    """Return kind and name of an attribute's facet; with its length `name` may hold any separator."""
    return f"={len(name)}={name}", value


def _ranks(popularity: NDArray[np.float64]) -> NDArray[np.float64]:
    """(items below + half of the other equals) / (items - 1) of each; 1 for an only item."""
    others = len(popularity) - 1
    if others < 1:
        return np.ones(len(popularity))
    ranked = np.sort(popularity)
    below = np.searchsorted(ranked, popularity, side="left")
    equal = np.searchsorted(ranked, popularity, side="right") - below - 1
    ranks: NDArray[np.float64] = (below + equal / 2) / others
    return ranks
