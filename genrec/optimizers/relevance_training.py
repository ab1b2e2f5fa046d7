"""Trains the relevance gate on build_pairs' examples, calibrates it and writes it as an artifact.

python -m genrec.optimizers.relevance_training --out DIR --epochs 2 --minutes 20
"""

import argparse
import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.encoder import Embedder
from genrec.catalog.items import Item
from genrec.catalog.manifest import replacing, write_manifest
from genrec.catalog.minilm import MINILM_SHA256, MiniLM
from genrec.catalog.sample import catalog_path
from genrec.errors import CatalogError
from genrec.optimizers.relevance_pairs import Pair, build_pairs
from genrec.programs.relevance import FORMAT_VERSION, KIND, WEIGHTS, item_text, probability

if TYPE_CHECKING:
    from sentence_transformers.cross_encoder import CrossEncoder

RANK = 24

_log = logging.getLogger(__name__)


class TrainingResult(NamedTuple):
    """What a training run ended with; calibration and threshold come from the dev split."""

    path: Path
    steps: int
    slope: float
    offset: float
    threshold: float


def train_relevance(
    items: Sequence[Item],
    out: Path,
    *,
    embedder: Embedder | None = None,
    pairs: Sequence[Pair] | None = None,
    alone: int = 4,
    layers: int = 6,
    epochs: float = 1.0,
    minutes: float = 20.0,
    batch_size: int = 32,
    learning_rate: float = 6e-4,
    seed: int = 0,
    work: Path | None = None,
) -> TrainingResult:
    """Train on the items' taxonomy and the theme library and write `out`; what was at `out` is replaced last.

    Stops after `minutes` even when epochs are left. With `work`, checkpoints go there and an interrupted run goes
    on from the newest. Same arguments and machine, and enough minutes: same weights. Raises CatalogError when the
    items share too few words with the library to learn from.
    """
    pairs = build_pairs(items, embedder or MiniLM(), seed=seed) if pairs is None else pairs
    by_id = {item.item_id: item_text(item) for item in items}
    train = [pair for pair in pairs if pair.split == "train"]
    dev = [pair for pair in pairs if pair.split == "dev" and pair.group.startswith("theme:")]
    for name, part in (("train", train), ("dev", dev)):
        if len({pair.label for pair in part}) < 2:
            raise CatalogError(f"no relevance pairs of both labels for {name}: the catalog is too small or too unlike")
    examples = [(pair.query, by_id[pair.item_id], float(pair.label)) for pair in train]
    model, steps = fit(examples, (alone, layers), epochs, minutes, batch_size, learning_rate, seed, work)
    logits = raw_scores(model, [(pair.query, by_id[pair.item_id]) for pair in dev])
    labels = np.array([pair.label for pair in dev])
    slope, offset = platt(logits, labels)
    threshold = precise_threshold(probability(logits, slope, offset), labels)
    facts: dict[str, object] = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "base_sha256": MINILM_SHA256,
        "alone": alone,
        "layers": layers,
        "slope": slope,
        "offset": offset,
        "threshold": threshold,
        "training": {"data": fingerprint(pairs), "pairs": len(train), "steps": steps, "rank": RANK, "seed": seed},
    }
    write_network(model, out, facts)
    return TrainingResult(out, steps, slope, offset, threshold)


def platt(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Slope and offset that make 1 / (1 + exp(-(slope * logit + offset))) fit the labels, by Newton's method.

    With smoothed targets, (positives + 1) / (positives + 2) and 1 / (negatives + 2). Source: Platt, 1999.
    """
    positives, negatives = int(labels.sum()), int((1 - labels).sum())
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.stack([logits.astype(np.float64), np.ones(len(logits))], axis=1)  # (n, 2)
    weights = np.zeros(2)
    for _ in range(200):
        fitted = 1 / (1 + np.exp(-np.clip(design @ weights, -60, 60)))
        hessian = (design * (fitted * (1 - fitted))[:, None]).T @ design + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (fitted - target))
        size = float(np.abs(step).max())
        weights = weights - step * min(1.0, 1.0 / max(size, 1e-12))
        if size < 1e-9:
            break
    return float(weights[0]), float(weights[1])


def precise_threshold(scores: NDArray[np.float32], labels: NDArray[np.int64], *, precision: float = 0.9) -> float:
    """The lowest threshold, in steps of 0.01, at which at least `precision` of what is shown is relevant.

    A page would rather be without an item than with a wrong one. 0.95 when no threshold reaches it.
    """
    grid = np.arange(5, 96) / 100
    shown = scores[None, :] >= grid[:, None]  # (grid, n)
    hits = (shown & (labels == 1)).sum(1)
    reached = hits >= precision * np.maximum(1, shown.sum(1))
    return float(grid[int(np.argmax(reached))]) if reached.any() else float(grid[-1])


def fingerprint(pairs: Sequence[Pair]) -> str:
    """Names the training data: the SHA-256 of every pair in order, its first 16 digits."""
    digest = sha256()
    for pair in pairs:
        digest.update("\t".join(map(str, pair)).encode() + b"\n")
    return digest.hexdigest()[:16]


def fit(
    train: Sequence[tuple[str, str, float]],
    shape: tuple[int, int],
    epochs: float,
    minutes: float,
    batch_size: int,
    learning_rate: float,
    seed: int,
    work: Path | None,
) -> "tuple[CrossEncoder, int]":
    """A model trained on (theme, item text, target in [0, 1]), and the steps it took; `shape` is (alone, layers)."""
    import tempfile

    from datasets import Dataset
    from sentence_transformers.cross_encoder import CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss

    from genrec.optimizers.relevance_model import AdapterTrainer, StopAfter, build_model

    model = build_model(alone=shape[0], layers=shape[1], rank=RANK, seed=seed)
    model[0].remember(sorted({item for _, item, _ in train}))
    queries, items, labels = zip(*train, strict=True)
    data = Dataset.from_dict({"query": queries, "item": items, "label": labels})
    with tempfile.TemporaryDirectory() as scratch:
        folder = work or Path(scratch)
        arguments = CrossEncoderTrainingArguments(
            output_dir=str(folder),
            num_train_epochs=epochs,
            per_device_train_batch_size=batch_size,
            learning_rate=learning_rate,
            weight_decay=0.01,
            bf16=True,
            use_cpu=True,
            seed=seed,
            data_seed=seed,
            save_strategy="no" if work is None else "steps",
            save_steps=200,
            save_total_limit=2,
            logging_steps=25,
            report_to=[],
            disable_tqdm=True,
        )
        trainer = AdapterTrainer(
            model=model,
            args=arguments,
            train_dataset=data,
            loss=BinaryCrossEntropyLoss(model),
            stop=StopAfter(minutes),
        )
        found = any(folder.glob("checkpoint-*/trainer_state.json"))
        trainer.train(resume_from_checkpoint=True if found else None)
        return model, int(trainer.state.global_step)


def raw_scores(model: "CrossEncoder", pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
    """Logits of (theme, item text), (len(pairs),)."""
    import torch

    raw = model.predict(pairs, batch_size=64, activation_fn=torch.nn.Identity())
    return np.asarray(raw, dtype=np.float32).reshape(-1)


def write_network(model: "CrossEncoder", out: Path, facts: Mapping[str, object]) -> None:
    """Write what was trained and its manifest; what was at `out` is replaced last."""
    import torch
    from safetensors.torch import save

    from genrec.optimizers.relevance_model import trained_weights

    weights = {name: value.to(torch.float16).contiguous() for name, value in trained_weights(model).items()}
    with replacing(out) as folder:
        (folder / WEIGHTS).write_bytes(save(weights))  # save_file would hide it from other users
        write_manifest(folder, facts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on the sample, or on another catalog of JSON lines."""
    parser = argparse.ArgumentParser(description="Train the relevance gate.")
    parser.add_argument("--catalog", type=Path, default=catalog_path())
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--alone", type=int, default=4, help="layers that read theme and item separately")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    items = [Item.model_validate_json(line) for line in given.catalog.read_text("utf-8").splitlines() if line.strip()]
    result = train_relevance(
        items,
        given.out,
        alone=given.alone,
        layers=given.layers,
        epochs=given.epochs,
        minutes=given.minutes,
        seed=given.seed,
        work=given.work,
    )
    _log.info("%s", result)


if __name__ == "__main__":
    main()
