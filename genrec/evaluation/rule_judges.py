"""The policy rules as a judge of guardrail.allowed: measured on the same cases, and by the same card, as an LM."""

import sys
from collections.abc import Sequence, Set

from genrec.evaluation.fingerprints import digest_of, source_of
from genrec.evaluation.judges import GRADES, GuardrailCase, Judgment
from genrec.programs import policy_terms
from genrec.programs.policy import Policy, ShopPolicy


class PolicyJudge:
    """Says of every case what `policy` says. The title itself is not judged here: check_title does that when planning.

    Gold cases are of no one catalog, and so the judge asks about the item alone: it goes by what an item declares and
    by its words, not by what a whole catalog declares, which is for the policy of a page.
    """

    criterion = "guardrail.allowed"

    def __init__(self, policy: Policy | None = None) -> None:
        """`policy` defaults to the shop's rules, and should know of no catalog."""
        policy = policy or ShopPolicy()
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
    """SHA-256 of the policy's class, the source of its module and of the terms, and what it was given; 16 digits."""
    kind = type(policy)
    given = sorted(f"{name}={_stable(value)}" for name, value in getattr(policy, "__dict__", {}).items())
    name = f"{kind.__module__}.{kind.__qualname__}"
    return digest_of(name, source_of(sys.modules[kind.__module__]), source_of(policy_terms), *given)


def _stable(value: object) -> str:
    """A value as text that is the same in every process, where it has one."""
    if isinstance(value, Set):
        return repr(sorted(map(repr, value)))
    return getattr(value, "__qualname__", None) or repr(value)
