"""Judges that run anywhere: trained on gold judgments, no LM. Training is in optimizers/judge_training.py."""

import json
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.encoder import CachingEmbedder
from genrec.catalog.items import Item
from genrec.catalog.manifest import read_manifest
from genrec.catalog.minilm import MiniLM
from genrec.errors import IndexStateError, ModelFileError
from genrec.evaluation.features import FeatureReader, Features
from genrec.evaluation.forest import Forest
from genrec.evaluation.judges import CRITERIA, GOOD, GRADES, ItemCase, Judge, Judgment, PageCase, SectionCase
from genrec.evaluation.page_store import request_key
from genrec.page import Page
from genrec.programs.relevance import CrossEncoderGate

KIND, FORMAT_VERSION, ARRAYS = "learned judges", 1, "forests.npz"
READER, FORESTS = "cross_encoder", "forests"
"""The two artifacts of a folder of judges."""
NAME = "learned"
SHIPPED = Path(__file__).parent / "learned_judges"
REMEMBERED = 20_000
"""Cases whose features are kept: several questions are asked of the same ones."""

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
        tried = [n for n, name in enumerate(self.names) if name in BECAUSE]
        rows = np.repeat(row[None, :], len(tried), axis=0)
        rows[np.arange(len(tried)), tried] = self.usual[tried]
        gains = self.forest.predict(rows) - predicted
        best = int(gains.argmax())
        return BECAUSE[self.names[tried[best]]] if gains[best] > 0 else ""


class LearnedJudge:
    """One criterion of the learned judges."""

    name = NAME

    def __init__(self, criterion: str, scorer: Scorer, read: Callable[[Any], list[Features]], fingerprint: str) -> None:
        """`read` turns cases into features."""
        self.criterion = criterion
        self.fingerprint = fingerprint
        self._scorer = scorer
        self._read = read

    def judge(self, cases: Sequence[Any]) -> list[Judgment]:
        """Judge every case; a reason is given where the grade is not good."""
        if not cases:
            return []
        matrix = self._scorer.matrix(self._read(cases))
        predicted = self._scorer.forest.predict(matrix)
        grades = self._scorer.grades(predicted)
        return [
            Judgment(
                score=float(np.clip(value / GRADES, 0.0, 1.0)),
                grade=int(grade),
                reason="" if grade >= GOOD else self._scorer.reason(matrix[n], float(value)),
            )
            for n, (value, grade) in enumerate(zip(predicted, grades, strict=True))
        ]


class CaseReader:
    """Features of items, sections and pages, each case read once; a page's need judges of its parts."""

    def __init__(self, items: Mapping[str, Item], relevance: CrossEncoderGate) -> None:
        """`items` names what was bought, `relevance` reads items with themes."""
        self._features = FeatureReader(CachingEmbedder(MiniLM(), size=REMEMBERED), items)
        self._relevance = relevance
        self._known: dict[Hashable, Features] = {}
        self._lock = threading.Lock()

    def items(self, cases: Sequence[ItemCase]) -> list[Features]:
        """Features of items under themes."""
        keys = [("item", c.theme.title, c.theme.concepts, c.item.item_id, c.item.title) for c in cases]
        return self._once(keys, cases, lambda new: self._features.items(new, self._relevance))

    def sections(self, cases: Sequence[SectionCase]) -> list[Features]:
        """Features of sections."""
        keys = [
            ("section", request_key(c.request), c.theme.title, c.theme.concepts, tuple(i.item_id for i in c.items))
            for c in cases
        ]
        return self._once(keys, cases, lambda new: [self._features.section(case) for case in new])

    def pages(self, cases: Sequence[PageCase], parts: Mapping[str, Judge[Any]]) -> list[Features]:
        """Features of pages; `parts` judge items and sections."""
        keys = [
            (
                "page",
                request_key(c.request),
                tuple((s.theme.title, *(i.item_id for i in s.items)) for s in c.page.sections),
            )
            for c in cases
        ]
        return self._once(keys, cases, lambda new: [self._features.page(c, judged_parts(c, parts)) for c in new])

    def _once(
        self, keys: Sequence[Hashable], cases: Sequence[Any], read: Callable[[list[Any]], list[Features]]
    ) -> list[Features]:
        new = {key: case for key, case in zip(keys, cases, strict=True) if key not in self._known}
        found = dict(zip(new, read(list(new.values())), strict=True)) if new else {}
        with self._lock:
            if len(self._known) + len(found) > REMEMBERED:
                self._known = {key: self._known[key] for key in keys if key in self._known}
            self._known |= found
            return [self._known[key] for key in keys]


def _shown(page: Page) -> tuple[tuple[str, ...], ...]:
    return tuple((s.theme.title, *s.theme.concepts, "", *(i.item_id for i in s.items)) for s in page.sections)


def judged_parts(case: PageCase, parts: Mapping[str, Judge[Any]]) -> dict[str, float]:
    """Means and worst sections of what item and section judges say of a page; 0 for a page without items."""
    sections = section_cases(case)
    rows = item_cases(case)
    found: dict[str, float] = {}
    scores = iter([j.score for j in parts["item.relevance"].judge([c for row in rows for c in row])])
    means = [float(np.mean([next(scores) for _ in row])) if row else 0.0 for row in rows]
    found |= {"items": float(np.mean(means)) if means else 0.0, "items worst": min(means, default=0.0)}
    for criterion in (name for name, level in CRITERIA.items() if level == "section"):
        short = criterion.split(".")[1]
        values = [j.score for j in parts[criterion].judge(sections)]
        found |= {short: float(np.mean(values)) if values else 0.0, f"{short} worst": min(values, default=0.0)}
    return found


def section_cases(case: PageCase) -> list[SectionCase]:
    """The sections of a page as cases, with the items that the catalog knows."""
    return [
        SectionCase(case.request, s.theme, tuple(case.items[i.item_id] for i in s.items if i.item_id in case.items))
        for s in case.page.sections
    ]


def item_cases(case: PageCase) -> list[list[ItemCase]]:
    """The known items of each section as cases."""
    return [[ItemCase(c.theme, item) for item in c.items] for c in section_cases(case)]


def open_learned(items: Mapping[str, Item], folder: Path | None = None) -> dict[str, Judge[Any]]:
    """The shipped learned judges, or those in `folder`, by criterion. `items` names what shoppers bought.

    Raises:
        ModelFileError: the folder is missing, damaged or of another format.

    """
    home = folder or SHIPPED
    remedy = "reinstall genrec" if folder is None else "train them with `python -m genrec.optimizers.judge_training`"
    try:
        manifest = read_manifest(home / FORESTS, kind=KIND, version=FORMAT_VERSION, remedy=remedy)
    except IndexStateError as error:
        raise ModelFileError(str(error)) from error
    relevance = CrossEncoderGate.load(home / READER)
    try:
        content = (home / FORESTS / ARRAYS).read_bytes()
        with np.load(home / FORESTS / ARRAYS, allow_pickle=False) as file:
            arrays = dict(file)
        scorers = {name: _scorer(arrays, name, facts) for name, facts in _facts(manifest).items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{home / FORESTS / ARRAYS}: damaged ({error}); {remedy}") from error
    mark = sha256(content + relevance.fingerprint.encode() + json.dumps(manifest, sort_keys=True).encode())
    return judges_of(scorers, CaseReader(items, relevance), mark.hexdigest()[:16])


def judges_of(scorers: Mapping[str, Scorer], reader: CaseReader, fingerprint: str) -> dict[str, Judge[Any]]:
    """Judges by criterion; those of pages read with those of items and sections."""
    parts: dict[str, Judge[Any]] = {}
    readers: Mapping[str, Callable[[Any], list[Features]]] = {
        "item": reader.items,
        "section": reader.sections,
        "page": lambda cases: reader.pages(cases, parts),
    }
    for criterion, scorer in scorers.items():
        parts[criterion] = LearnedJudge(criterion, scorer, readers[CRITERIA[criterion]], fingerprint)
    return dict(parts)


def _facts(manifest: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    judges = manifest["judges"]
    if not isinstance(judges, dict):
        raise TypeError("the manifest names no judges")
    return judges


def _scorer(arrays: Mapping[str, NDArray[np.generic]], name: str, facts: Mapping[str, Any]) -> Scorer:
    usual, mean, components = (np.asarray(arrays[f"{name}/{part}"], np.float32) for part in _PARTS)
    return Scorer(tuple(facts["features"]), Forest.of(arrays, name), tuple(facts["cuts"]), usual, mean, components)


_PARTS = ("usual", "mean", "components")


def scorer_arrays(name: str, scorer: Scorer) -> dict[str, NDArray[np.generic]]:
    """What `open_learned` reads of a criterion, to be saved."""
    own = {f"{name}/{part}": getattr(scorer, part) for part in _PARTS}
    return {**scorer.forest.arrays(name), **own}
