"""Guard: policy rules first, then the LM's GuardrailCheck, which can only remove."""

from collections.abc import Sequence

import dspy

from genrec.catalog.items import Item
from genrec.errors import LMError
from genrec.page import Drop, PageRequest
from genrec.programs.asking import Asker
from genrec.programs.policy import Policy

STAGE = "guard"


def apply_rules(
    policy: Policy, request: PageRequest, title: str, items: Sequence[Item]
) -> tuple[list[Item], list[Drop]]:
    """The items that every rule allows, in their order, and the others with the rule that denied them."""
    verdicts = policy.check(request, title, items)
    allowed = [item for item, verdict in zip(items, verdicts, strict=True) if verdict.allowed]
    drops = [
        Drop(subject=verdict.item_id, stage=STAGE, reason=f"{verdict.rule}: {verdict.reason}")
        for verdict in verdicts
        if not verdict.allowed
    ]
    return allowed, drops


def check_with_lm(
    asker: Asker,
    predictor: dspy.Predict,
    request: PageRequest,
    facts: str,
    sections: Sequence[tuple[str, Sequence[Item]]],
) -> tuple[set[str], list[Drop]]:
    """One call for all (title, items): every line numbered. Returns the titles and item_ids that are denied.

    Raises:
        LMError: no usable verdict; the caller keeps what the rules allowed and says so.

    """
    lines: list[str] = []
    subjects: list[tuple[str, str]] = []
    if not sections:
        return set(), []
    for title, items in sections:
        subjects.append((title, "GuardrailCheck denied the title"))
        lines.append(f"{len(subjects)}. section: {title}")
        for item in items:
            subjects.append((item.item_id, f"GuardrailCheck denied it in {title!r}"))
            lines.append(f"{len(subjects)}. {' '.join(item.title.split())}")
    prediction = asker.ask(STAGE, predictor, config=asker.seeded(request.seed), shopper=facts, lines=lines)
    denied = [subjects[number - 1] for number in sorted(set(prediction.deny)) if 1 <= number <= len(subjects)]
    if len(denied) == len(subjects):
        raise LMError("the check denied every line, which is no verdict")
    return {subject for subject, _ in denied}, [Drop(subject=s, stage=STAGE, reason=r) for s, r in denied]
