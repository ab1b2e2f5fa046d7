"""Who may guard a page beside the policy rules: an LM whose word on guardrail.allowed was measured and is good enough.

The rules always decide first; they are in programs/policy.py and need nobody's leave.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from genrec.programs.top_down import TopDown
from genrec.settings import Settings

CRITERION = "guardrail.allowed"


class LMGuard(NamedTuple):
    """Whether a program's LM is asked as a guard, and why."""

    asked: bool
    because: str
    """Half a sentence, e.g. "openai/x on guardrail.allowed: kappa 0.410 is under its bar 0.8"."""


def lm_guard(program: TopDown, settings: Settings) -> LMGuard:
    """What the card says of exactly this LM asking exactly this question (`program.guard`).

    Raises:
        SettingsError: `judge_bars` names no criterion or no kappa.
        RequestError: a file of cards cannot be read.

    """
    model = program.parts.model
    if model.small:
        return LMGuard(False, f"{model.name} is a small LM, and no small LM is asked")
    # here, because they bring SciPy along, which a page on a small LM does not need
    from genrec.evaluation.agreement import bars_of, standing
    from genrec.evaluation.cards import card_of, read_cards
    from genrec.evaluation.lm_judges import LMJudge

    judge: LMJudge[Any] = LMJudge(model, CRITERION, program.parts.catalog.items, predictor=program.guard)
    card = card_of(judge, read_cards(settings.home, bars_of(settings.judge_bars)))
    earned = card is not None and card.earned
    return LMGuard(earned or settings.unproven_judges, f"{model.name} on {CRITERION}: {standing(card)}")


def guard_if_earned(program: TopDown, settings: Settings, *, tell: Callable[[str], None]) -> None:
    """Let the LM of `program` guard only if it has earned that, or the settings say so.

    `tell` is told why a large LM may not.

    Raises:
        SettingsError, RequestError: as `lm_guard` does.

    """
    guard = lm_guard(program, settings)
    program.parts = replace(program.parts, lm_guard=guard.asked)
    if not guard.asked and not program.parts.model.small:
        tell(
            f"the LM is not asked as a guard ({guard.because}); measure it with `genrec evaluate --judges --judge lm "
            f"--lm {program.parts.model.name}`, or let it guard with --unproven-judges"
        )
