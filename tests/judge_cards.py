"""Cards for judges, as if they had been measured: what tests of "may it decide" write to a home of their own."""

from typing import Any

from genrec.evaluation.agreement import BARS, Agreement, JudgeCard
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.judges import Judge


def card_for(judge: Judge[Any], kappa: float | None, **changed: Any) -> JudgeCard:
    """The card of exactly this judge with this agreement."""
    agreement = Agreement(
        kappa=None if kappa is None else Interval(value=kappa, low=kappa - 0.1, high=min(kappa + 0.1, 1.0), n=50),
        auc=None,
        true_positive_rate=None,
        true_negative_rate=None,
    )
    card = JudgeCard(
        judge=judge.name,
        criterion=judge.criterion,
        fingerprint=judge.fingerprint,
        gold="written for a test",
        cases=50,
        agreement=agreement,
        ceiling=None,
        bar=BARS[judge.criterion],
    )
    return card.model_copy(update=changed)
