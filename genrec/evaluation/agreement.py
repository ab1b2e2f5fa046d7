"""How far a judge agrees with gold judgments: weighted kappa, AUC, true positive and negative rate, beside the ceiling.

A judge that agrees less than its bar asks for has not earned to decide. Its card says so wherever it is used.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import rankdata

from genrec.errors import SettingsError
from genrec.evaluation.bootstrap import Interval, clustered_interval
from genrec.evaluation.judges import GOOD, GRADES, Judgment
from genrec.page import Value

BARS: Mapping[str, float] = {
    "item.relevance": 0.7,
    "section.appeal": 0.6,
    "section.clarity": 0.6,
    "section.specificity": 0.6,
    "section.fit": 0.6,
    "page.cohesion": 0.6,
    "page.diversity": 0.6,
    "page.coverage": 0.6,
    "page.fit": 0.6,
    "guardrail.allowed": 0.8,
}
"""Weighted kappa that a judge needs before it may decide. 0.6 is where "substantial" begins, 0.8 "almost perfect".

Source of the words: Landis & Koch, Biometrics 1977.
"""
LEAST_CASES = 20
"""Gold cases that a judge must be measured on before it may decide: with fewer, kappa is an accident."""


def bars_of(changed: Mapping[str, float]) -> dict[str, float]:
    """`BARS` with a shop's own in their place.

    Raises:
        SettingsError: a name that is no criterion, or a bar outside [0, 1].

    """
    for criterion, bar in changed.items():
        if criterion not in BARS:
            raise SettingsError(f"judge_bars: {criterion!r} is no criterion; there are {', '.join(BARS)}")
        if not 0 <= bar <= 1:
            raise SettingsError(f"judge_bars: {criterion} = {bar}: a weighted kappa to ask for is from 0 to 1")
    return {**BARS, **changed}


class Agreement(Value):
    """Agreement of a judge with gold grades; intervals are bootstraps over themes or shoppers. Null: not defined."""

    kappa: Interval | None = Field(description="quadratic weighted kappa of the grades")
    auc: Interval | None = Field(description="P(a good case is scored above one that is not), ties counting half")
    true_positive_rate: Interval | None = Field(description="share of the good cases that it grades good")
    true_negative_rate: Interval | None = Field(description="share of the others that it does not grade good")


class JudgeCard(Value):
    """What one judge's word on one criterion is worth."""

    judge: str = Field(description="who judges: learned, rules or an LM's name")
    criterion: str = Field(description="what it was asked, e.g. section.clarity")
    fingerprint: str = Field(description="of the judge; the card says nothing about another")
    gold: str = Field(description="fingerprint of the gold judgments, and their split")
    cases: int = Field(ge=0, description="gold cases that it judged")
    agreement: Agreement = Field(description="with the first reader's grades")
    ceiling: Interval | None = Field(description="weighted kappa of a second reader with the first; null: not known")
    bar: float = Field(description="weighted kappa from which it may decide")

    @property
    def told(self) -> bool:
        """Whether there were enough cases to tell: LEAST_CASES, of enough themes or shoppers for an interval."""
        kappa = self.agreement.kappa
        return kappa is not None and kappa.low is not None and self.cases >= LEAST_CASES

    @property
    def earned(self) -> bool:
        """Whether it may decide; otherwise it is advisory."""
        return self.told and self.agreement.kappa is not None and self.agreement.kappa.value >= self.bar


def standing(card: JudgeCard | None) -> str:
    """A card in half a sentence, e.g. "kappa 0.410 is under its bar 0.8"."""
    if card is None:
        return "never measured"
    if card.agreement.kappa is None:
        return f"kappa is not defined on its {card.cases} cases"
    kappa = f"kappa {card.agreement.kappa.value:.3f}"
    if not card.told:
        return f"{kappa} on {card.cases} cases is too few to tell"
    return f"{kappa} {'reaches' if card.earned else 'is under'} its bar {card.bar:g}"


def weighted_kappa(a: NDArray[np.intp], b: NDArray[np.intp], *, grades: int = GRADES) -> float | None:
    """1 - sum(w * observed) / sum(w * expected), w = (i - j)^2, over grades 0 to `grades`.

    1 is full agreement, 0 that of chance. None without cases, or when both gave one and the same grade throughout:
    then nothing can be told. Source: Cohen, Psychological Bulletin 1968.
    """
    if not len(a):
        return None
    observed = np.zeros((grades + 1, grades + 1))
    np.add.at(observed, (a, b), 1.0)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / len(a)
    weights = np.subtract.outer(np.arange(grades + 1), np.arange(grades + 1)) ** 2
    by_chance = float((weights * expected).sum())
    return 1.0 - float((weights * observed).sum()) / by_chance if by_chance else None


def auc(scores: NDArray[np.float64], good: NDArray[np.bool_]) -> float | None:
    """Area under the ROC curve as the Mann-Whitney statistic, ties counting half; None when one class is missing.

    Source: Hanley & McNeil, Radiology 1982.
    """
    positives = int(good.sum())
    negatives = len(good) - positives
    if not positives or not negatives:
        return None
    ranks = rankdata(scores)
    return float((ranks[good].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def agreement(gold: Sequence[int], judged: Sequence[Judgment], groups: Sequence[str]) -> Agreement:
    """Compare grades with what a judge said of the same cases; `groups` names each case's theme or shopper.

    Raises ValueError when the three are not of one length.
    """
    if not len(gold) == len(judged) == len(groups):
        raise ValueError(f"{len(gold)} grades, {len(judged)} judgments and {len(groups)} groups: one of each a case")
    truth = np.array(gold, dtype=np.intp)
    graded = np.array([judgment.grade for judgment in judged], dtype=np.intp)
    scores = np.array([judgment.score for judgment in judged], dtype=np.float64)
    good, called = truth >= GOOD, graded >= GOOD

    def rate(rows: NDArray[np.intp], among: NDArray[np.bool_], said: NDArray[np.bool_]) -> float | None:
        there = among[rows]
        return float(said[rows][there].mean()) if there.any() else None

    return Agreement(
        kappa=clustered_interval(groups, lambda rows: weighted_kappa(truth[rows], graded[rows])),
        auc=clustered_interval(groups, lambda rows: auc(scores[rows], good[rows])),
        true_positive_rate=clustered_interval(groups, lambda rows: rate(rows, good, called)),
        true_negative_rate=clustered_interval(groups, lambda rows: rate(rows, ~good, ~called)),
    )


def ceiling(first: Sequence[int], second: Sequence[int], groups: Sequence[str]) -> Interval | None:
    """Weighted kappa of two readers of the same cases: what a judge can be asked for."""
    a, b = np.array(first, dtype=np.intp), np.array(second, dtype=np.intp)
    return clustered_interval(groups, lambda rows: weighted_kappa(a[rows], b[rows]))
