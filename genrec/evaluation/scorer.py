"""What one learned criterion is: a forest over named features, where grades begin, and why a case lost points."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.evaluation.features import Features
from genrec.evaluation.forest import Forest

BECAUSE: Mapping[str, str] = {
    "too long": "the title is too long to show",
    "breaks off": "the title breaks off",
    "fragment": "the title is cut in a word",
    "repeats": "the title repeats a word",
    "odd order": "its words stand in an odd order",
    "unknown words": "it has words that no shop uses",
    "not letters": "it is more figures than words",
    "bare list": "it is a bare list",
    "framing": "it says little about the goods",
    "vague": "it could stand over anything",
    "borne out": "the goods do not bear it out",
    "ideas mean": "it is not about its ideas",
    "goods mean": "it is not about its goods",
    "out of season": "it speaks of another time of year",
    "not at home": "it is for another household",
    "diet of others": "it names a diet that the shopper does not keep",
    "denied": "goods in it may not be shown to this shopper",
    "history": "it is far from what the shopper buys",
    "told": "it is far from what the shopper tells of themselves",
    "read with theme": "the item does not belong under the theme",
    "idea": "no idea of the theme is near to the item",
    "items": "items do not belong under their titles",
    "items worst": "a section's items do not belong under its title",
    "clarity": "titles are unclear",
    "clarity worst": "a title is unclear",
    "fit": "sections do not fit the shopper",
    "fit worst": "a section does not fit the shopper",
    "goods alike": "two sections hold the same kind of goods",
    "titles alike": "two titles say the same",
    "items twice": "items are shown more than once",
    "filled": "it shows fewer items than asked for",
    "served": "no section serves the objectives",
    "served least": "an objective is not served",
}
"""What a feature that costs points says to a person; features without a phrase are never named."""

ONLY_WITH: Mapping[str, str] = {
    "history": "known shopper",
    "told": "tells",
    "served": "objectives",
    "served least": "objectives",
}
"""Features that say nothing where another is 0."""


class Scorer(NamedTuple):
    """One criterion as learned: which features are read, how they are weighed, where grades begin."""

    names: tuple[str, ...]
    forest: Forest
    cuts: tuple[float, ...]
    """Predictions from which a case has grade 1, 2 and 3."""
    usual: NDArray[np.float32]
    """Median of each feature over the good training cases, (features,)."""
    mean: NDArray[np.float32]
    components: NDArray[np.float32]
    """Principal components of the vectors, (components, dim); none where vectors are not used."""

    def matrix(self, features: Sequence[Features]) -> NDArray[np.float32]:
        """Rows of features, (n, names + components)."""
        named = np.array([[f.named[name] for name in self.names] for f in features], np.float32)
        if not len(self.components):
            return named
        vectors = np.stack([f.vector for f in features])
        return np.hstack([named, (vectors - self.mean) @ self.components.T]).astype(np.float32)

    def grades(self, predicted: NDArray[np.float32]) -> NDArray[np.intp]:
        """Predictions as grades, (n,)."""
        found: NDArray[np.intp] = np.digitize(predicted, self.cuts)
        return found

    def reason(self, row: NDArray[np.float32], predicted: float) -> str:
        """The feature that costs most: the one whose usual value would raise the prediction most."""
        silent = {name for name, value in zip(self.names, row, strict=False) if not value}
        tried = [n for n, name in enumerate(self.names) if name in BECAUSE and ONLY_WITH.get(name) not in silent]
        rows = np.repeat(row[None, :], len(tried), axis=0)
        rows[np.arange(len(tried)), tried] = self.usual[tried]
        gains = self.forest.predict(rows) - predicted
        best = int(gains.argmax())
        return BECAUSE[self.names[tried[best]]] if gains[best] > 0 else ""


def read_scorer(arrays: Mapping[str, NDArray[np.generic]], name: str, facts: Mapping[str, Any]) -> Scorer:
    """The criterion `name` from saved arrays and its facts in the manifest. Raises KeyError when one is missing."""
    usual, mean, components = (np.asarray(arrays[f"{name}/{part}"], np.float32) for part in _PARTS)
    return Scorer(tuple(facts["features"]), Forest.of(arrays, name), tuple(facts["cuts"]), usual, mean, components)


_PARTS = ("usual", "mean", "components")


def scorer_arrays(name: str, scorer: Scorer) -> dict[str, NDArray[np.generic]]:
    """What `open_learned` reads of a criterion, to be saved."""
    own = {f"{name}/{part}": getattr(scorer, part) for part in _PARTS}
    return {**scorer.forest.arrays(name), **own}
