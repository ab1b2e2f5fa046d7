"""A tiny folder of gold judgments as a shop would write one: its own items and shoppers, eight groups a level."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.catalog.conftest import make_items

ON = "2026-11-12"

THEMES: Sequence[tuple[str, str, Mapping[str, int]]] = (
    ("Toast for a slow morning", "sourdough, rye bread, butter", {"sku-01": 3, "sku-10": 1, "sku-36": 0}),
    ("Birthday table", "birthday cake, candles, balloons", {"sku-06": 3, "sku-33": 3, "sku-40": 0}),
    ("Cheese board after dinner", "brie, cheddar, red wine", {"sku-12": 3, "sku-27": 2, "sku-37": 0}),
    ("A pot of tea at four", "black tea, green tea, chocolate", {"sku-30": 3, "sku-25": 2, "sku-18": 1}),
    ("Nibbles for film night", "crisps, salted nuts, chocolate", {"sku-22": 3, "sku-19": 3, "sku-38": 0}),
    ("Wash day on Monday", "laundry liquid, fabric softener, pegs", {"sku-36": 3, "sku-37": 1, "sku-04": 0}),
    ("Milk that no cow gave", "oat milk, soya milk, almond drink", {"sku-16": 3, "sku-17": 3, "sku-39": 0}),
    ("Dinner for the cat", "cat food, kibble, cat treats", {"sku-40": 3, "sku-35": 0, "sku-24": 0}),
)
"""Title, ideas, and the grades of three items."""

GUARDED: Sequence[tuple[Mapping[str, Any], str, str, str]] = (
    ({"diets": ["vegan"]}, "Cheese for the board", "sku-09", "deny"),
    ({"diets": ["vegan"]}, "Milk for the week", "sku-16", "allow"),
    ({"age": 9}, "Drinks for dinner", "sku-27", "deny"),
    ({"age": 40}, "Drinks for dinner", "sku-27", "allow"),
    ({"allergens": ["nuts"]}, "Nibbles for film night", "sku-19", "deny"),
    ({"allergens": ["nuts"]}, "Nibbles for film night", "sku-22", "allow"),
    ({}, "Milk for the week", "sku-14", "deny"),
    ({}, "Nibbles for film night", "sku-25", "deny"),
)
"""Shopper, title, item and verdict, each for three shoppers; the rules allow the last too, and agree with the rest."""
ASKED = 24
RULES_KAPPA = 0.75
"""1 - 3 * 9 / (9 (15 * 12 + 9 * 12) / 24): of 24 cases 15 are denied, by the rules 12, and they differ on 3."""
RULES_RATES = 1.0, 4 / 5
"""Share of what is allowed that they allow, and of what is denied that they deny."""


def write_gold(folder: Path, split: str = "test", *, levels: Sequence[str] = (), flip: bool = False) -> Path:
    """Write the folder, all cases in one split, and return it; `levels` names files, none: all four.

    Written again with another split, cases are added to those of the first. `flip` gives every case the opposite grade.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = "" if split == "test" else f"{split}-"
    items = make_items()
    shoppers = [
        {
            "shopper_id": f"{mark}shopper-{n}",
            "history": [{"item_id": items[(5 * n + k) % 40].item_id, "at": "2026-11-01"} for k in range(3)],
        }
        for n in range(8)
    ]
    cases = {
        "items.jsonl": _items(mark),
        "titles.jsonl": _titles(mark),
        "pages.jsonl": _pages(mark),
        "guardrails.jsonl": _guardrails(mark),
    }
    _write(folder / "catalog.jsonl", [item.model_dump(mode="json") for item in items], "w")
    _write(folder / "shoppers.jsonl", shoppers, "a")
    for name in levels or cases:
        rows = [{**row, "split": split} for row in cases[name]]
        _write(folder / name, [_flipped(row) for row in rows] if flip else rows, "a")
    return folder


def _write(path: Path, rows: Sequence[Mapping[str, Any]], how: str) -> None:
    with path.open(how, encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _items(mark: str) -> list[dict[str, Any]]:
    return [
        {"theme_id": f"{mark}t{n}", "title": title, "concepts": ideas.split(", "), "item_id": item_id, "grade": grade}
        for n, (title, ideas, grades) in enumerate(THEMES)
        for item_id, grade in grades.items()
    ]


def _titles(mark: str) -> list[dict[str, Any]]:
    """Written titles, and what is left of them when every other word is gone."""
    return [
        {
            "case_id": f"{mark}s{n}-{kind}",
            "shopper_id": f"{mark}shopper-{n}",
            "on": ON,
            "title": title if kind else " ".join(title.split()[1::2]),
            "concepts": ideas.split(", "),
            "appeal": 3 * kind,
            "clarity": 3 * kind,
            "specificity": 1 + kind,
            "fit": 1 + n % 3,
        }
        for n, (title, ideas, _) in enumerate(THEMES)
        for kind in (0, 1)
    ]


def _pages(mark: str) -> list[dict[str, Any]]:
    """Two sections each; every other page shows each one's items under the title of the other."""
    rows = []
    for n, (first, second) in enumerate(zip(THEMES, (*THEMES[1:], THEMES[0]), strict=True)):
        swapped = n % 2 == 1
        shown = (second, first) if swapped else (first, second)
        rows.append(
            {
                "case_id": f"{mark}p{n}",
                "shopper_id": f"{mark}shopper-{n}",
                "on": ON,
                "objectives": ["discovery"],
                "asked": [2, 3],
                "generator": "written",
                "sections": [
                    {"title": title, "concepts": ideas.split(", "), "items": list(grades)}
                    for (title, ideas, _), (_, _, grades) in zip((first, second), shown, strict=True)
                ],
                "cohesion": 0 if swapped else 3,
                "diversity": 3 if n % 3 else 2,
                "coverage": n % 4,
                "fit": 1 + n % 3,
            }
        )
    return rows


def _guardrails(mark: str) -> list[dict[str, Any]]:
    items = {item.item_id: item for item in make_items()}
    return [
        {
            "case_id": f"{mark}g{n}-{kin}",
            "shopper": {"shopper_id": f"{mark}guarded-{n}-{kin}", **shopper},
            "on": ON,
            "occasion": "",
            "title": title,
            "item": items[item_id].model_dump(mode="json"),
            "verdict": verdict,
            "rule": "",
        }
        for n, (shopper, title, item_id, verdict) in enumerate(GUARDED)
        for kin in range(ASKED // len(GUARDED))
    ]


def _flipped(row: Mapping[str, Any]) -> dict[str, Any]:
    graded = ("grade", "appeal", "clarity", "specificity", "fit", "cohesion", "diversity", "coverage")
    return {name: 3 - value if name in graded else value for name, value in row.items()}
