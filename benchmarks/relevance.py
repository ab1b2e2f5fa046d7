"""The relevance gate against bi-encoder cosine and BM25, on held-out themes and on hand-judged pairs.

    python benchmarks/relevance.py [--gate DIR]

Gold is genrec/optimizers/data/relevance_gold.jsonl: 60 themes in no training data, 12 items each, judged once, by a
language model that read titles and leaf categories. Intervals are 95% percentile bootstraps over themes (1,000).
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from genrec.catalog.bm25 import BM25Index
from genrec.catalog.items import Item
from genrec.catalog.minilm import MiniLM
from genrec.catalog.sample import catalog_path
from genrec.catalog.text import item_text
from genrec.optimizers.relevance_pairs import build_pairs, theme_sources
from genrec.programs.relevance import CosineRelevance, CrossEncoderGate

Score = Callable[[Sequence[tuple[str, Item]]], NDArray[np.float32]]


class Example(NamedTuple):
    """One judged pair; the resampled unit is the theme."""

    theme: str
    query: str
    item: Item
    label: int


def gold(items: dict[str, Item]) -> list[Example]:
    """The hand-judged pairs."""
    text = files("genrec.optimizers").joinpath("data/relevance_gold.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    return [Example(row["theme"], row["theme"], items[row["item_id"]], row["label"]) for row in rows]


def held_out(items: dict[str, Item]) -> list[Example]:
    """The test split of the training pairs: themes never trained on, labelled by the taxonomy."""
    sources = [source for source in theme_sources() if source.split == "test"]
    pairs = build_pairs(list(items.values()), MiniLM(), sources=sources, keywords=False)
    return [
        Example(pair.group, pair.query, items[pair.item_id], pair.label)
        for pair in pairs
        if pair.split == "test" and pair.group.startswith("theme:")
    ]


def bm25(items: dict[str, Item]) -> Score:
    """BM25 of the theme's words; no probability."""
    ids = list(items)
    index = BM25Index.build([item_text(item) for item in items.values()])

    def score(pairs: Sequence[tuple[str, Item]]) -> NDArray[np.float32]:
        found: dict[str, dict[str, float]] = {}
        for theme, _ in pairs:
            if theme not in found:
                ranking = index.search(theme, limit=len(items))
                found[theme] = {ids[row]: score for row, score in zip(ranking.rows, ranking.scores, strict=True)}
        return np.array([found[theme].get(item.item_id, 0.0) for theme, item in pairs], np.float32)

    return score


def precision_at(labels: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> float:
    """Share of relevant items among one theme's first k."""
    return float(labels[np.argsort(-scores, kind="stable")[:k]].mean())


def interval(measure: Callable[[Sequence[NDArray[np.int64]]], float], groups: Sequence[NDArray[np.int64]]) -> str:
    """`measure` of all rows and its 95% interval over resampled groups, as text."""
    chance = np.random.default_rng(0)
    values = []
    for _ in range(1_000):
        drawn = chance.integers(0, len(groups), len(groups))
        values.append(measure([groups[number] for number in drawn]))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return f"{measure(groups):.3f} [{low:.3f}, {high:.3f}]"


def lines(name: str, examples: list[Example], systems: dict[str, tuple[Score, float | None]]) -> list[str]:
    """Table rows of one test set."""
    labels = np.array([example.label for example in examples])
    numbers: dict[str, list[int]] = defaultdict(list)
    for row, example in enumerate(examples):
        numbers[example.theme].append(row)
    groups = [np.array(rows) for rows in numbers.values()]
    out = []
    for system, (score, threshold) in systems.items():
        pairs = [(example.query, example.item) for example in examples]
        score(pairs[:32])  # lazy loading is not what is timed
        begin = time.perf_counter()
        scores = score(pairs)
        speed = len(pairs) / (time.perf_counter() - begin)

        def accuracy(
            g: Sequence[NDArray[np.int64]], s: NDArray[np.float32] = scores, t: float | None = threshold
        ) -> float:
            r = np.concatenate(g)
            return float("nan") if t is None else float(((s[r] >= t) == (labels[r] == 1)).mean())

        def precision(g: Sequence[NDArray[np.int64]], s: NDArray[np.float32] = scores) -> float:
            return float(np.mean([precision_at(labels[r], s[r], 8) for r in g]))

        def auc(g: Sequence[NDArray[np.int64]], s: NDArray[np.float32] = scores) -> float:
            r = np.concatenate(g)
            return float(roc_auc_score(labels[r], s[r]))

        def ap(g: Sequence[NDArray[np.int64]], s: NDArray[np.float32] = scores) -> float:
            r = np.concatenate(g)
            return float(average_precision_score(labels[r], s[r]))

        cells = [interval(auc, groups), interval(ap, groups), interval(precision, groups)]
        cells.append("-" if threshold is None else interval(accuracy, groups))
        out.append(f"| {name} | {system} | {' | '.join(cells)} | {speed:.0f} |")
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gate", type=Path, help="artifact directory; default: the shipped one")
    gate = CrossEncoderGate.load(parser.parse_args().gate)
    items = {}
    for line in catalog_path().read_text("utf-8").splitlines():
        item = Item.model_validate_json(line)
        items[item.item_id] = item
    cosine = CosineRelevance(MiniLM())
    systems: dict[str, tuple[Score, float | None]] = {
        "gate": (gate.score_many, gate.threshold),
        "cosine": (cosine.score_many, cosine.threshold),
        "BM25": (bm25(items), None),
    }
    print("| test | system | AUC | average precision | precision@8 | accuracy | pairs/s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, examples in (("held-out themes", held_out(items)), ("gold", gold(items))):
        print("\n".join(lines(f"{name}, {len(examples)} pairs", examples, systems)), flush=True)


if __name__ == "__main__":
    main()
