"""A trained forest of regression trees as plain arrays: what scikit-learn learned, without scikit-learn or pickle."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAF = -1
"""In `left`: the node has no children."""


class Forest(NamedTuple):
    """Trees one after the other in flat arrays; children are numbered within the whole. Prediction: mean of the trees.

    Source: Geurts, Ernst, Wehenkel, Extremely randomized trees, Machine Learning 2006.
    """

    roots: NDArray[np.int32]
    """(trees,)"""
    feature: NDArray[np.int16]
    """Which feature a node asks about, (nodes,)."""
    threshold: NDArray[np.float32]
    """At most this goes left, (nodes,)."""
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float32]
    """What a leaf predicts, (nodes,)."""

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean of the trees for each row of (n, features), (n,)."""
        rows = np.arange(len(features))[:, None]
        at = np.repeat(self.roots[None, :], len(features), axis=0)  # (n, trees)
        while (inner := self.left[at] != LEAF).any():
            small = features[rows, self.feature[at]] <= self.threshold[at]
            at = np.where(inner, np.where(small, self.left[at], self.right[at]), at)
        mean: NDArray[np.float32] = self.value[at].mean(axis=1)
        return mean

    def arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """What to save, by name."""
        return {f"{prefix}/{name}": array for name, array in self._asdict().items()}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> "Forest":
        """The pair of `arrays`. Raises KeyError when one is missing."""
        return cls(*(arrays[f"{prefix}/{name}"] for name in cls._fields))  # type: ignore[arg-type]
