"""Judges that run anywhere: trained on gold judgments, no LM. Training is in optimizers/judge_training.py."""

import json
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from genrec.catalog.encoder import CachingEmbedder
from genrec.catalog.items import Item
from genrec.catalog.manifest import read_manifest
from genrec.catalog.minilm import MiniLM
from genrec.catalog.sample import catalog_path
from genrec.errors import IndexStateError, ModelFileError
from genrec.evaluation.features import FeatureReader, Features
from genrec.evaluation.fingerprints import digest_of, source_of
from genrec.evaluation.judges import (
    CRITERIA,
    GOOD,
    GRADES,
    ItemCase,
    Judge,
    Judgment,
    PageCase,
    SectionCase,
    item_cases,
    section_cases,
)
from genrec.evaluation.page_store import request_key
from genrec.evaluation.scorer import Scorer, read_scorer
from genrec.programs.relevance import CrossEncoderGate

KIND, FORMAT_VERSION, ARRAYS = "learned judges", 1, "forests.npz"
READER, FORESTS = "cross_encoder", "forests"
"""The two artifacts of a folder of judges."""
NAME = "learned"
SHIPPED = Path(__file__).parent / "learned_judges"
REMEMBERED = 20_000
"""Cases whose features are kept: several questions are asked of the same ones."""


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
            (
                "section",
                request_key(c.request),
                c.theme.title,
                c.theme.concepts,
                tuple((i.item_id, i.title) for i in c.items),
            )
            for c in cases
        ]
        return self._once(keys, cases, lambda new: [self._features.section(case) for case in new])

    def pages(self, cases: Sequence[PageCase], parts: Mapping[str, Judge[Any]]) -> list[Features]:
        """Features of pages; `parts` judge items and sections."""
        keys = [("page", request_key(c.request), _shown(c)) for c in cases]
        return self._once(keys, cases, lambda new: [self._features.page(c, judged_parts(c, parts)) for c in new])

    def _once(
        self, keys: Sequence[Hashable], cases: Sequence[Any], read: Callable[[list[Any]], list[Features]]
    ) -> list[Features]:
        with self._lock:
            known = {key: self._known[key] for key in keys if key in self._known}
        new = {key: case for key, case in zip(keys, cases, strict=True) if key not in known}
        if new:
            known |= zip(new, read(list(new.values())), strict=True)
        with self._lock:
            if len(self._known) + len(new) > REMEMBERED:
                self._known.clear()
            self._known |= known
        return [known[key] for key in keys]


def _shown(case: PageCase) -> Hashable:
    """All of a page that its features depend on."""
    return tuple(
        (s.theme.title, s.theme.concepts, tuple((i.item_id, i.item_id in case.items) for i in s.items))
        for s in case.page.sections
    )


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
        scorers = {name: read_scorer(arrays, name, facts) for name, facts in _facts(manifest).items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{home / FORESTS / ARRAYS}: damaged ({error}); {remedy}") from error
    weights = sha256(content).hexdigest()
    mark = digest_of(weights, relevance.fingerprint, json.dumps(manifest, sort_keys=True), *_read_with())
    return judges_of(scorers, CaseReader(items, relevance), mark)


@cache
def _read_with() -> tuple[str, ...]:
    """The code and the word lists that make features of a case: with other ones the same weights are another judge."""
    from genrec.catalog import text
    from genrec.evaluation import features, fit_features, forest, groundedness, scorer, title_form
    from genrec.programs import facts, library, policy, policy_terms, relevance

    own = (features, fit_features, forest, groundedness, scorer, title_form)
    others = (text, facts, library, policy, policy_terms, relevance)
    themes = files("genrec.programs").joinpath("themes.jsonl")
    return (*map(source_of, (*own, *others)), themes.read_text("utf-8"), catalog_path().read_text("utf-8"))


def judges_of(scorers: Mapping[str, Scorer], reader: CaseReader, fingerprint: str) -> dict[str, Judge[Any]]:
    """Judges by criterion; those of pages read with those of items and sections."""
    parts: dict[str, Judge[Any]] = {}
    readers: Mapping[str, Callable[[Any], list[Features]]] = {
        "item": reader.items,
        "section": reader.sections,
        "page": lambda cases: reader.pages(cases, parts),
    }
    for criterion in (name for name in CRITERIA if name in scorers):
        scorer = scorers[criterion]
        parts[criterion] = LearnedJudge(criterion, scorer, readers[CRITERIA[criterion]], fingerprint)
    return dict(parts)


def _facts(manifest: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    judges = manifest["judges"]
    if not isinstance(judges, dict):
        raise TypeError("the manifest names no judges")
    return judges
