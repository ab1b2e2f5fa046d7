"""What each stage of a page spent on its LM calls: tokens, seconds and dollars."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dspy

from genrec.page import StageUsage


class Meter:
    """Counts one page. Each stage gets a copy of the LM, whose history is its bill."""

    def __init__(self, lm: dspy.LM) -> None:
        self._lm = lm
        self._stages: dict[str, StageUsage] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[dspy.LM]:
        """Time a stage and charge to it every call made with the LM that is yielded: one at least, answered or not."""
        copy = self._lm.copy()
        start = time.perf_counter()
        try:
            yield copy
        finally:
            self._charge(name, list(copy.history), time.perf_counter() - start)

    def fail(self, name: str) -> None:
        """Count one call whose answer could not be used."""
        before = self._stages.get(name, StageUsage())
        self._stages[name] = before.model_copy(update={"failures": before.failures + 1})

    def report(self) -> dict[str, StageUsage]:
        """Usage by stage, in the order in which the stages began."""
        return dict(self._stages)

    def _charge(self, name: str, history: list[dict[str, Any]], seconds: float) -> None:
        before = self._stages.get(name, StageUsage())
        usages = [entry.get("usage") or {} for entry in history]
        costs = [entry.get("cost") for entry in history]
        known = [cost for cost in costs if cost is not None]
        dollars = before.dollars if not known else sum(known) + (before.dollars or 0.0)
        self._stages[name] = before.model_copy(
            update={
                "calls": before.calls + max(1, len(history)),  # a call that failed leaves no history
                "input_tokens": before.input_tokens + sum(u.get("prompt_tokens") or 0 for u in usages),
                "cached_tokens": before.cached_tokens
                + sum((u.get("prompt_tokens_details") or {}).get("cached_tokens") or 0 for u in usages),
                "output_tokens": before.output_tokens + sum(u.get("completion_tokens") or 0 for u in usages),
                "dollars": dollars,
                "seconds": before.seconds + seconds,
            }
        )
