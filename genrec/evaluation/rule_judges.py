"""The policy rules as a judge of guardrail.allowed: measured on the same cases, and by the same card, as an LM."""

import inspect
import sys
from collections.abc import Sequence
from hashlib import sha256

from genrec.evaluation.judges import GRADES, GuardrailCase, Judgment
from genrec.programs import policy_terms
from genrec.programs.policy import Policy


class PolicyJudge:
    """Says of every case what `policy` says. The title itself is not judged here: check_title does that when planning.

    The fingerprint is that of the policy's source and the terms; what a policy object was given (which departments
    declare diets, which diets the catalog has) is not in it.
    """

    criterion = "guardrail.allowed"

    def __init__(self, policy: Policy) -> None:
        self.name = "rules"
        self.fingerprint = _fingerprint(policy)
        self._policy = policy

    def judge(self, cases: Sequence[GuardrailCase]) -> list[Judgment]:
        """One verdict a case, each item asked by itself: what an item declares may decide about its neighbours."""
        return [self._judged(case) for case in cases]

    def _judged(self, case: GuardrailCase) -> Judgment:
        (verdict,) = self._policy.check(case.request, case.title, [case.item])
        if verdict.allowed:
            return Judgment(1.0, GRADES, "")
        return Judgment(0.0, 0, f"{verdict.rule}: {verdict.reason}")


def _fingerprint(policy: Policy) -> str:
    """SHA-256 of the policy's class, the source of its module, and that of the terms; 16 digits."""
    kind = type(policy)
    sources = [f"{kind.__module__}.{kind.__qualname__}"]
    for module in (sys.modules[kind.__module__], policy_terms):
        try:
            sources.append(inspect.getsource(module))
        except (OSError, TypeError):  # typed into an interpreter, or shipped without source
            sources.append("")
    return sha256("\0".join(sources).encode("utf-8", "replace")).hexdigest()[:16]
