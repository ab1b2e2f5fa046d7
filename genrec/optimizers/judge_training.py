"""Trains the learned judges: a cross-encoder on graded pairs, then a forest for each criterion on gold judgments.

python -m genrec.optimizers.judge_training --out DIR --work DIR --minutes 20
"""

import argparse
import itertools
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.items import Item
from genrec.catalog.manifest import replacing, write_manifest
from genrec.catalog.minilm import MINILM_SHA256
from genrec.errors import GenrecError, RequestError
from genrec.evaluation.agreement import weighted_kappa
from genrec.evaluation.features import Features
from genrec.evaluation.forest import LEAF, Forest
from genrec.evaluation.gold_judgments import Gold, items_of, load_gold
from genrec.evaluation.judges import CRITERIA, GOOD, Level, PageCase
from genrec.evaluation.learned import (
    ARRAYS,
    FORESTS,
    FORMAT_VERSION,
    KIND,
    READER,
    CaseReader,
    judges_of,
)
from genrec.evaluation.scorer import Scorer, scorer_arrays
from genrec.optimizers.relevance_training import RANK, fit, platt, precise_threshold, raw_scores, write_network
from genrec.programs import relevance
from genrec.programs.relevance import CrossEncoderGate, item_text, probability, theme_text

TARGETS = (0.0, 0.15, 0.85, 1.0)
"""What the cross-encoder is taught for each grade."""
SHAPE = (2, 6)
"""Layers that read theme and item alone, of all."""
TREES, LEAST_LEAF, TRIED = 100, 3, 0.5
"""Trees of a forest, fewest cases in a leaf, share of the features tried at a split."""
COMPONENTS = 24
"""Principal components of the title's vector that a section's forest reads beside the named features."""
FOLDS = 6

_log = logging.getLogger(__name__)


class Learned(NamedTuple):
    """A criterion's scorer and what it reaches on cases of folds that it was not trained on."""

    scorer: Scorer
    kappa: float


def graded_pairs(gold: Gold) -> list[tuple[str, str, float]]:
    """(theme, item text, target) of sample items in relevance_graded.jsonl and relevance_gold.jsonl.

    Themes whose title stands in the dev or test cases of `gold`, over items, by itself or on a page, are left out.
    """
    items, known = items_of(), titles_of(gold, "dev", "test")
    data = Path(str(files("genrec.optimizers"))) / "data"
    pairs = []
    for row in _lines(data / "relevance_graded.jsonl"):
        theme = f"{row['title']}: {', '.join(row['concepts'])}"
        if row["title"].casefold() not in known:
            pairs += [(theme, item_text(items[i]), TARGETS[grade]) for i, grade in row["grades"].items()]
    for row in _lines(data / "relevance_gold.jsonl"):
        if row["theme"].partition(":")[0].casefold() not in known:
            pairs.append((row["theme"], item_text(items[row["item_id"]]), float(row["label"])))
    return pairs


def titles_of(gold: Gold, *splits: str) -> set[str]:
    """All section titles of item, section and page cases of these splits, in lower case."""
    levels: tuple[Level, ...] = ("item", "section", "page")
    cases = [c.case for level in levels for c in gold.levels.get(level, ()) if c.split in splits]
    themes = [s.theme for c in cases for s in (c.page.sections if isinstance(c, PageCase) else (c,))]
    return {theme.title.casefold() for theme in themes}


def train_reader(gold: Gold, out: Path, *, epochs: float, minutes: float, seed: int, work: Path | None) -> None:
    """Train the cross-encoder of the item judge; calibrated on gold's dev themes. With `work` it can be resumed."""
    pairs = graded_pairs(gold)
    model, steps = fit(pairs, SHAPE, epochs, minutes, 32, 6e-4, seed, work)
    dev = gold.cases("item.relevance", "dev")
    logits = raw_scores(model, [(theme_text(c.case.theme), item_text(c.case.item)) for c in dev])
    good = np.array([c.grades["item.relevance"] >= GOOD for c in dev], dtype=np.int64)
    slope, offset = platt(logits, good)
    facts: dict[str, object] = {
        "kind": relevance.KIND,
        "format_version": relevance.FORMAT_VERSION,
        "base_sha256": MINILM_SHA256,
        "alone": SHAPE[0],
        "layers": SHAPE[1],
        "slope": slope,
        "offset": offset,
        "threshold": precise_threshold(probability(logits, slope, offset), good),
        "training": {"pairs": len(pairs), "steps": steps, "rank": RANK, "seed": seed, "gold": gold.fingerprint},
    }
    write_network(model, out, facts)


def train_judges(items: Mapping[str, Item], gold: Gold, folder: Path, *, seed: int = 0) -> dict[str, float]:
    """Fit all forests on gold's train and dev cases and write them beside `folder`'s cross-encoder.

    Raises RequestError when gold has too little of a criterion to train on.

    Returns weighted kappa by criterion on cases of folds that were left out. Pages are judged by what the section and
    item judges say of cases that those have seen in training: expect less of them on new shoppers.
    """
    _check(gold)
    reader = CaseReader(items, CrossEncoderGate.load(folder / READER))
    scorers: dict[str, Scorer] = {}
    reached: dict[str, float] = {}
    for criterion, level in CRITERIA.items():
        if level == "guardrail":
            continue
        cases = gold.cases(criterion, "train", "dev")
        inputs = [case.case for case in cases]
        if level == "page":
            features = reader.pages(inputs, judges_of(scorers, reader, ""))
        else:
            features = reader.items(inputs) if level == "item" else reader.sections(inputs)
        grades = np.array([case.grades[criterion] for case in cases])
        learned = learn(features, grades, [case.group for case in cases], seed=seed)
        scorers[criterion], reached[criterion] = learned
        _log.info("%s: kappa %.3f on left-out folds of %d cases", criterion, learned.kappa, len(cases))
    with replacing(folder / FORESTS) as fresh:
        arrays = {name: array for c, scorer in scorers.items() for name, array in scorer_arrays(c, scorer).items()}
        with (fresh / ARRAYS).open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        facts = {name: {"features": scorer.names, "cuts": scorer.cuts} for name, scorer in scorers.items()}
        training = {"gold": gold.fingerprint, "seed": seed, "kappa on left-out folds": reached}
        write_manifest(fresh, {"kind": KIND, "format_version": FORMAT_VERSION, "judges": facts, "training": training})
    return reached


def _check(gold: Gold) -> None:
    """Raises RequestError when a criterion has too few themes or shoppers to leave some out."""
    for criterion, level in CRITERIA.items():
        groups = {case.group for case in gold.cases(criterion, "train", "dev")}
        if level != "guardrail" and len(groups) < FOLDS:
            raise RequestError(
                f"{criterion}: gold has train and dev cases of {len(groups)} themes or shoppers; it takes {FOLDS}"
            )


def learn(features: Sequence[Features], grades: NDArray[np.intp], groups: Sequence[str], *, seed: int) -> Learned:
    """A forest on all cases; where grades begin is chosen on predictions for folds that were left out."""
    from sklearn.model_selection import GroupKFold

    names = tuple(features[0].named)
    named = np.array([list(f.named.values()) for f in features], np.float32)
    vectors = np.stack([f.vector for f in features])
    left_out = np.zeros(len(grades), np.float32)
    for train, test in GroupKFold(FOLDS).split(named, grades, groups):
        mean, components = _components(vectors[train], seed)
        rows = np.hstack([named, (vectors - mean) @ components.T])
        left_out[test] = _forest(rows[train], grades[train], seed).predict(rows[test])
    cuts = best_cuts(left_out, grades)
    mean, components = _components(vectors, seed)
    rows = np.hstack([named, (vectors - mean) @ components.T]).astype(np.float32)
    good = grades >= GOOD
    usual = np.median(named[good] if good.any() else named, axis=0).astype(np.float32)
    scorer = Scorer(names, _forest(rows, grades, seed), cuts, usual, mean, components)
    return Learned(scorer, weighted_kappa(grades, np.digitize(left_out, cuts)) or 0.0)


def best_cuts(predicted: NDArray[np.float32], grades: NDArray[np.intp]) -> tuple[float, ...]:
    """The three cuts, among 30 quantiles of the predictions, that make weighted kappa largest."""
    grid = np.unique(np.quantile(predicted, np.linspace(0.03, 0.97, 30)))
    if len(grid) < 3:  # nothing to choose from: half-way between the grades
        return (0.5, 1.5, 2.5)
    triples = itertools.combinations([float(x) for x in grid], 3)
    return max(triples, key=lambda cuts: weighted_kappa(grades, np.digitize(predicted, cuts)) or 0.0)


def _components(vectors: NDArray[np.float32], seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (dim,) and principal components (COMPONENTS, dim); empty where cases have no vector."""
    from sklearn.decomposition import PCA

    if not vectors.shape[1]:
        return np.zeros(0, np.float32), np.zeros((0, 0), np.float32)
    fitted = PCA(min(COMPONENTS, len(vectors)), random_state=seed).fit(vectors)
    return fitted.mean_.astype(np.float32), fitted.components_.astype(np.float32)


def _forest(rows: NDArray[np.float32], grades: NDArray[np.intp], seed: int) -> Forest:
    """scikit-learn's extremely randomized trees as arrays."""
    from sklearn.ensemble import ExtraTreesRegressor

    trees = ExtraTreesRegressor(TREES, min_samples_leaf=LEAST_LEAF, max_features=TRIED, random_state=seed)
    trees.fit(rows, grades)
    parts = [estimator.tree_ for estimator in trees.estimators_]
    starts = np.cumsum([0, *(part.node_count for part in parts)])[:-1]

    def moved(children: NDArray[np.intp], start: int) -> NDArray[np.intp]:
        return np.where(children == LEAF, LEAF, children + start)

    return Forest(
        roots=starts.astype(np.int32),
        feature=np.concatenate([np.maximum(part.feature, 0) for part in parts]).astype(np.int16),
        threshold=_rounded_down(np.concatenate([part.threshold for part in parts])),
        left=np.concatenate([moved(p.children_left, s) for p, s in zip(parts, starts, strict=True)]).astype(np.int32),
        right=np.concatenate([moved(p.children_right, s) for p, s in zip(parts, starts, strict=True)]).astype(np.int32),
        value=np.concatenate([part.value[:, 0, 0] for part in parts]).astype(np.float32),
    )


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """In 32 bits, such that the 32-bit features at most a threshold stay the same ones."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest).astype(np.float32)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on the shipped gold judgments, or on those of a folder."""
    parser = argparse.ArgumentParser(description="Train the learned judges.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the judges")
    parser.add_argument("--gold", type=Path, help="folder of gold judgments")
    parser.add_argument("--work", type=Path, help="keep checkpoints here, and go on from them")
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--minutes", type=float, default=20.0, help="most time for the cross-encoder")
    parser.add_argument("--keep-reader", action="store_true", help="fit the forests only; --out has the cross-encoder")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        train(given)
    except GenrecError as error:
        parser.error(str(error))


def train(given: argparse.Namespace) -> None:
    """Train as the command line asks."""
    gold = load_gold(given.gold)
    _check(gold)
    if not given.keep_reader:
        train_reader(
            gold,
            given.out / READER,
            epochs=given.epochs,
            minutes=given.minutes,
            seed=given.seed,
            work=given.work,
        )
    train_judges(items_of(given.gold), gold, given.out, seed=given.seed)


if __name__ == "__main__":
    main()
