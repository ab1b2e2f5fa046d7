"""The relevance gate: P(relevant | theme, item). How it is trained is in optimizers/relevance_training.py."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.encoder import Embedder
from genrec.catalog.items import Item
from genrec.catalog.manifest import read_manifest
from genrec.catalog.minilm import MINILM_SHA256
from genrec.errors import IndexStateError, ModelFileError
from genrec.page import Theme
from genrec.programs.relevance_network import PairNetwork

KIND, FORMAT_VERSION, WEIGHTS = "relevance gate", 1, "adapter.safetensors"

ITEM_WORDS = 30
"""Words of an item that a gate reads; about 48 word pieces."""

COSINE_SLOPE, COSINE_OFFSET, COSINE_THRESHOLD = 9.96, -4.12, 0.52
"""Platt calibration and best F1 of the cosine of all-MiniLM-L6-v2, on the dev themes of the gate."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class RelevanceModel(Protocol):
    """Says how likely an item belongs under a theme.

    Scores are calibrated: of the pairs scored 0.8, about 80% are relevant. Equal pairs get equal scores whatever
    they are scored with, up to float32 rounding. Empty input gives an empty array, odd text a low score and never
    an error. Safe to call from several threads.
    """

    name: str
    threshold: float
    """The score below which an item should not be shown; chosen on held-out data."""

    def score(self, theme: str, items: Sequence[Item]) -> NDArray[np.float32]:
        """Return P(relevant) in [0, 1], float32 (len(items),), in the order of `items`."""
        ...

    def score_many(self, pairs: Sequence[tuple[str, Item]]) -> NDArray[np.float32]:
        """Return P(relevant) in [0, 1], float32 (len(pairs),): several themes in one batched call."""
        ...


def theme_text(theme: Theme) -> str:
    """Return "title: concept, concept, ...", the form of a theme that relevance models are trained on."""
    return f"{theme.title}: {', '.join(theme.concepts)}"


def item_text(item: Item) -> str:
    """Return "title. leaf category. first sentence of the description", at most `ITEM_WORDS` words."""
    parts = [item.title]
    if item.leaf and item.leaf.lower() not in item.title.lower():
        parts.append(item.leaf)
    if first := _SENTENCE_END.split(item.description.strip(), maxsplit=1)[0]:
        parts.append(first)
    text = ". ".join(part.strip().rstrip(".") for part in parts)
    return " ".join(text.split()[:ITEM_WORDS])


class CosineRelevance:
    """RelevanceModel without training: the cosine of theme and item, through a logistic curve."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        slope: float = COSINE_SLOPE,
        offset: float = COSINE_OFFSET,
        threshold: float = COSINE_THRESHOLD,
    ) -> None:
        """Calibrate as 1 / (1 + exp(-(slope * cosine + offset))); the defaults fit all-MiniLM-L6-v2."""
        self.name = f"cosine:{embedder.name}"
        self.threshold = threshold
        self._embedder = embedder
        self._slope = slope
        self._offset = offset

    def score(self, theme: str, items: Sequence[Item]) -> NDArray[np.float32]:
        """Return P(relevant) in [0, 1], float32 (len(items),)."""
        return self.score_many([(theme, item) for item in items])

    def score_many(self, pairs: Sequence[tuple[str, Item]]) -> NDArray[np.float32]:
        """Return P(relevant) in [0, 1], float32 (len(pairs),); every distinct text is encoded once."""
        if not pairs:
            return np.zeros(0, np.float32)
        sides = [(theme, item_text(item)) for theme, item in pairs]
        texts = list(dict.fromkeys(text for side in sides for text in side))
        row = {text: number for number, text in enumerate(texts)}
        vectors = self._embedder.encode(texts)  # (texts, dim)
        left = vectors[[row[theme] for theme, _ in sides]]
        right = vectors[[row[item] for _, item in sides]]
        cosine = np.einsum("nd,nd->n", left, right)  # (n,)
        return probability(cosine, self._slope, self._offset)


def probability(raw: NDArray[np.float32], slope: float, offset: float) -> NDArray[np.float32]:
    """1 / (1 + exp(-(slope * raw + offset))), float32 of the same shape. Source: Platt, 1999."""
    exponent = np.clip(slope * raw.astype(np.float64) + offset, -60, 60)
    return np.asarray(1 / (1 + np.exp(-exponent)), dtype=np.float32)


class CrossEncoderGate:
    """RelevanceModel that reads theme and item together: all-MiniLM-L6-v2 with a trained adapter and head."""

    name = "cross-encoder"

    def __init__(
        self, network: PairNetwork, *, slope: float, offset: float, threshold: float, fingerprint: str = ""
    ) -> None:
        """Use `load`; this is for a network already in memory."""
        self.threshold = threshold
        self.fingerprint = fingerprint
        self._network = network
        self._slope = slope
        self._offset = offset

    @classmethod
    def load(cls, path: str | Path | None = None, *, base: str | Path | None = None) -> "CrossEncoderGate":
        """Load an artifact directory of train_relevance; None: the shipped one. `base` is all-MiniLM-L6-v2's folder.

        Raises ModelFileError with the remedy when either is missing, damaged, of another format, or when the
        adapter was trained on another base.
        """
        folder = Path(__file__).with_name("relevance_gate") if path is None else Path(path)
        train = "train it again with `python -m genrec.optimizers.relevance_training`"
        again = "reinstall genrec" if path is None else train
        try:
            manifest = read_manifest(folder, kind=KIND, version=FORMAT_VERSION, remedy=again)
        except IndexStateError as error:
            raise ModelFileError(str(error)) from error
        if manifest.get("base_sha256") != MINILM_SHA256:
            raise ModelFileError(f"{folder}: its adapter fits another base model than all-MiniLM-L6-v2; {again}")
        try:
            alone, layers = (int(str(manifest[name])) for name in ("alone", "layers"))
            numbers = {name: float(str(manifest[name])) for name in ("slope", "offset", "threshold")}
            fingerprint = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
        except (KeyError, ValueError) as error:
            raise ModelFileError(f"{folder}: the manifest lacks {error}; {again}") from error
        network = PairNetwork.base(base, alone=alone, layers=layers)
        network.adapt(folder / WEIGHTS)
        return cls(network, **numbers, fingerprint=fingerprint)

    def score(self, theme: str, items: Sequence[Item]) -> NDArray[np.float32]:
        """Return P(relevant) in [0, 1], float32 (len(items),)."""
        return self.score_many([(theme, item) for item in items])

    def score_many(self, pairs: Sequence[tuple[str, Item]]) -> NDArray[np.float32]:
        """Return P(relevant) in [0, 1], float32 (len(pairs),); batched by length, each distinct pair once."""
        texts = [(theme, item_text(item)) for theme, item in pairs]
        distinct = list(dict.fromkeys(texts))
        row = {text: number for number, text in enumerate(distinct)}
        logits = self._network.logits(distinct)
        return probability(logits[[row[text] for text in texts]], self._slope, self._offset)
