"""Asking the LM within a page: a deadline, one retry, and no more questions to an LM that is down."""

import contextvars
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError

from genrec.errors import LMError
from genrec.lm.connect import LanguageModel
from genrec.lm.usage import Meter

RETRY_SEED = 7919
"""Added to the seed of a retry: the same question with the same seed would get the same unusable answer."""


class Asker:
    """One page's conversation with one LM. Not shared between pages."""

    def __init__(self, model: LanguageModel, *, deadline: float) -> None:
        """`deadline` is how many seconds the page may spend on the LM altogether."""
        self.model = model
        self.meter = Meter(model.lm)
        self.down = ""
        """Why the LM is not asked any more; empty while it is."""
        self._deadline = deadline
        self._ends = time.monotonic() + deadline

    def ask(
        self, stage: str, predictor: dspy.Predict, *, config: Mapping[str, Any], retry: bool = True, **inputs: Any
    ) -> dspy.Prediction:
        """One prediction, asked twice at most.

        Raises:
            LMError: it is down, late, or both answers were unusable. The message says which.

        """
        problem = ""
        for attempt in range(2 if retry else 1):
            patience = self._patience()
            if not self.down and not patience:
                self.down = f"the {self._deadline:.0f} s that a page may spend on {self.model.name} are over"
            if self.down:
                raise LMError(self.down)
            seeded = dict(config)
            if "seed" in config:
                seeded["seed"] = int(config["seed"]) + attempt * RETRY_SEED
            try:
                with self.meter.stage(stage) as lm:
                    return self._within_time(predictor, lm, seeded, inputs, patience)
            except (AdapterParseError, RecursionError) as error:
                self.meter.fail(stage)
                answer = " ".join(str(getattr(error, "lm_response", error)).split())[:120]
                problem = f"{self.model.name} gave an unusable answer: {answer!r}"
            except Late:
                self.meter.fail(stage)
                problem = f"{self.model.name} gave no answer within {patience:.0f} s"
                if attempt:
                    self.down = problem
            except dspy.LMError as error:
                self.meter.fail(stage)
                problem = f"{self.model.name} failed: {' '.join(str(error).split())[:200]}"
                if attempt:
                    self.down = problem
        raise LMError(problem)

    def seeded(self, seed: int) -> dict[str, int]:
        """A config with the seed, where the LM takes one."""
        return {"seed": seed} if "seed" in self.model.lm.supported_params else {}

    def _patience(self) -> float:
        return max(0.0, min(self.model.timeout, self._ends - time.monotonic()))

    def _within_time(
        self,
        predictor: dspy.Predict,
        lm: dspy.LM,
        config: Mapping[str, Any],
        inputs: Mapping[str, Any],
        patience: float,
    ) -> dspy.Prediction:
        """Run the call in a thread of its own: a server that drips bytes never trips a socket's timeout."""
        answer: Future[dspy.Prediction] = Future()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                with dspy.context(lm=lm, adapter=self.model.adapter, disable_history=False):
                    answer.set_result(predictor(**inputs, config=dict(config)))
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=context.run, args=(work,), daemon=True).start()
        return answer.result(timeout=patience)
