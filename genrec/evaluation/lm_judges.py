"""LMs as judges: every criterion, asked of any LM that is large enough.

What they are asked is in signatures/judges.py, what they are shown of a case in judge_forms.py.
"""

import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any, Generic

import dspy

from genrec.catalog.items import Item
from genrec.errors import LMError, SettingsError
from genrec.evaluation.judge_forms import FORM, FORMS
from genrec.evaluation.judges import CRITERIA, Case, Judge, Judgment
from genrec.lm.connect import LanguageModel
from genrec.programs.asking import RETRY_SEED, Asker
from genrec.programs.state import dump_state, packaged_predictor
from genrec.signatures.judges import QUESTIONS, RUBRIC

ATTEMPTS = 2
BATCH = 10
"""Items of one theme in one call. The instructions and the theme are then paid once for ten: a page of 6 sections of 8
costs 6 calls, not 48. Graded together, items may sway each other: the card is measured with the same batches."""
THREADS = 4


class LMJudge(Generic[Case]):
    """One criterion, judged by one LM: score = grade / 3, with the LM's reason.

    Cases that would read alike are asked once a call of `judge`. Nothing is remembered between calls.
    """

    def __init__(
        self,
        model: LanguageModel,
        criterion: str,
        items: Mapping[str, Item],
        *,
        predictor: dspy.Predict | None = None,
        batch: int = BATCH,
        threads: int = THREADS,
    ) -> None:
        """`items` names what shoppers bought; ids it does not have are left out.

        `predictor` asks a compiled question, or the guard of a page program (`program.guard`), instead of the plain
        question, or the guard of the packaged program.
        `batch` is how many items of a theme go into one call, `threads` how many calls run at a time.

        Raises:
            SettingsError: the LM is a small one.

        """
        if model.small:
            which = "the embedded model" if model.name.startswith("embedded/") else f"{model.name} as a small LM"
            raise SettingsError(
                f"{which} is no judge: a small model's verdicts are no better than chance (docs/language-models.md); "
                "name a larger LM with --lm"
            )
        self.name = model.name
        self.criterion = criterion
        self._model = model
        self._items = items
        self._predictor = (predictor or _question(criterion)).deepcopy()
        self._form = FORMS[CRITERIA[criterion]]
        self._batch = batch
        self._threads = threads
        self.fingerprint = self._fingerprint()

    def judge(self, cases: Sequence[Case]) -> list[Judgment]:
        """Judge every case, `threads` calls at a time.

        Raises:
            LMError: no usable answer after one retry; the message names the criterion and the case.

        """
        judgments: dict[int, Judgment] = {}
        batches = self._batches(cases)
        with ThreadPoolExecutor(self._threads) as pool:
            answers = [pool.submit(self._ask, [cases[alike[0]] for alike in batch]) for batch in batches]
            try:
                for batch, answer in zip(batches, answers, strict=True):
                    for alike, judgment in zip(batch, answer.result(), strict=True):
                        judgments.update(dict.fromkeys(alike, judgment))
            finally:
                pool.shutdown(cancel_futures=True)
        return [judgments[number] for number in range(len(cases))]

    def _batches(self, cases: Sequence[Case]) -> list[list[list[int]]]:
        """What goes into each call: for every question of it, the numbers of the cases that ask it."""
        groups: dict[str, dict[str, list[int]]] = {}
        for number, case in enumerate(cases):
            group, line = self._form.reads(case, self._items)
            groups.setdefault(group, {}).setdefault(line, []).append(number)
        questions = [list(group.values()) for group in groups.values()]
        return [alike[n : n + self._batch] for alike in questions for n in range(0, len(alike), self._batch)]

    def _ask(self, cases: Sequence[Case]) -> list[Judgment]:
        """One call, and another one for what its answer leaves open."""
        found: dict[int, Judgment] = {}
        asker = Asker(self._model, deadline=math.inf)
        problem = ""
        for attempt in range(ATTEMPTS):
            left = [number for number in range(len(cases)) if number not in found]
            if not left:
                break
            asked = [cases[number] for number in left]
            config = asker.seeded(attempt * RETRY_SEED)
            try:
                answer = asker.ask(
                    "judge", self._predictor, config=config, retry=False, **self._form.inputs(asked, self._items)
                )
            except LMError as error:
                problem = str(error)
                continue
            read = self._form.read(answer)
            found |= {left[number]: judgment for number, judgment in read.items() if 0 <= number < len(left)}
            problem = f"{self.name} left it out of its answer"
        for number, case in enumerate(cases):
            if number not in found:
                raise LMError(f"{self.criterion} of {self._form.subject(case)} was not judged: {problem}")
        return [found[number] for number in range(len(cases))]

    def _fingerprint(self) -> str:
        """Of the LM, where it is and how it is spoken to, the question as it is asked, and the rubrics; 16 digits."""
        asked = {
            "lm": self.name,
            "endpoint": self._model.lm.kwargs.get("api_base"),
            "adapter": type(self._model.adapter).__name__,
            "temperature": self._model.lm.kwargs.get("temperature"),
            "criterion": self.criterion,
            "question": dump_state(self._predictor)["predictors"],
            "rubric": RUBRIC,
            "form": FORM,
            "batch": self._batch if CRITERIA[self.criterion] == "item" else 1,
        }
        return sha256(json.dumps(asked, sort_keys=True).encode("utf-8", "replace")).hexdigest()[:16]


def _question(criterion: str) -> dspy.Predict:
    """The plain question; of a guardrail the packaged program's, demonstrations and all, for that one guards pages."""
    if CRITERIA[criterion] == "guardrail":
        return packaged_predictor("guard", QUESTIONS[criterion])
    return dspy.Predict(QUESTIONS[criterion])


def lm_judges(model: LanguageModel, items: Mapping[str, Item], *, threads: int = THREADS) -> list[Judge[Any]]:
    """One judge of each criterion, in the order of CRITERIA.

    Raises:
        SettingsError: the LM is a small one.

    """
    return [LMJudge(model, criterion, items, threads=threads) for criterion in CRITERIA]
