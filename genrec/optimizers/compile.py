"""Compile a page program: find demonstrations that make its pages better, and measure whether they do.

DSPy's optimizers choose the demonstrations; this file gives them requests, a metric and an end.
"""

import io
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from math import inf
from statistics import fmean, stdev

import dspy

from genrec.errors import RequestError, SettingsError
from genrec.evaluation.page_metric import PageScore, mean_scores
from genrec.optimizers.made_with import MadeWith, made_with
from genrec.optimizers.page_metric_adapter import TeachingMetric, Yardstick, examples, page_yardstick
from genrec.optimizers.training_sets import planner_demos, split_requests
from genrec.page import PageRequest
from genrec.programs.state import dump_state, load_state
from genrec.programs.top_down import TopDown

Progress = Callable[[str, int, int], None]
"""Called with a stage name, how many pages are done and how many there are."""

TRIALS = 3
"""Sets of labelled demonstrations that are tried on the train shoppers."""
PAGE_SECONDS = 120.0
"""LM time of a page while compiling: a page that a busy machine cut short would measure the machine."""
BEFORE_SHARE = 0.3
"""Most of the time that measuring the program as it was may take."""


@dataclass(frozen=True)
class Compiled:
    """A compiled program, and what compiling it changed on the dev shoppers, in the same order before and after."""

    program: TopDown
    before: list[PageScore]
    after: list[PageScore]
    params: Mapping[str, object]
    provenance: MadeWith
    report: str

    @property
    def gain(self) -> float:
        """Mean total after - mean total before."""
        return fmean(s.total for s in self.after) - fmean(s.total for s in self.before)


def compile_program(
    program: TopDown,
    *,
    optimizer: str = "labeled",
    yardstick: Yardstick | None = None,
    train: Sequence[PageRequest] | None = None,
    dev: Sequence[PageRequest] | None = None,
    demos: int = 3,
    seed: int = 0,
    limit_train: int = 8,
    limit_dev: int = 6,
    minutes: float = 15.0,
    progress: Progress | None = None,
) -> Compiled:
    """Compile a copy of `program`; `program` itself stays as it is. `train` and `dev` default to the sample's shoppers.

    `yardstick` says which page is better (default: `page_yardstick`).

    "labeled" tries `TRIALS` sets of `demos` written plans for the planner and keeps the set whose pages score best on
    the train shoppers. "bootstrap" lets the program teach itself: of each train page that scores above the mean before,
    the calls behind its best section become demonstrations of `plan` and `describe`.

    The clock is looked at between pages, and what there is no time for is left out: sets, train and dev shoppers, in
    that order of generosity. Nothing is chosen by the dev shoppers, so the result may be worse; the report says so.

    Raises:
        SettingsError: no such optimizer.
        RequestError: no train or no dev requests.

    """
    if optimizer not in _LEARNERS:
        raise SettingsError(f"--optimizer {optimizer}: choose one of {', '.join(_LEARNERS)}")
    splits = split_requests() if train is None or dev is None else {}
    train, dev = splits["train"] if train is None else train, splits["dev"] if dev is None else dev
    if not train or not dev:
        raise RequestError("compiling needs train and dev requests, at least one of each")
    start, tell = time.monotonic(), progress or (lambda stage, done, total: None)
    ends = start + 60 * minutes
    choice = random.Random(seed)
    trained = [_seeded(r, seed) for r in choice.sample(list(train), min(limit_train, len(train)))]
    checked = [_seeded(r, seed) for r in choice.sample(list(dev), min(limit_dev, len(dev)))]

    yardstick = yardstick or page_yardstick(program.parts.catalog)
    student = program.deepcopy()
    student.parts = replace(program.parts, deadline=max(PAGE_SECONDS, program.parts.deadline))
    before = _measure(student, yardstick, checked, start + BEFORE_SHARE * 60 * minutes, "before", tell)
    reserved = 1.25 * (time.monotonic() - start)
    job = _Job(student, yardstick, trained, demos, seed, _bar(before), ends - reserved, tell)
    learned, notes = _LEARNERS[optimizer](job)
    compiled = student.deepcopy()
    load_state(compiled, dump_state(learned))
    after = _measure(compiled, yardstick, checked[: len(before)], ends, "after", tell)
    compiled.parts = program.parts
    compiled.version = f"compiled ({optimizer})"
    before = before[: len(after)]
    params = {
        "optimizer": optimizer,
        "demos": demos,
        "seed": seed,
        "train_shoppers": len(trained),
        "dev_shoppers": len(after),
        "sections": checked[0].sections,
        "items_per_section": checked[0].items_per_section,
        "seconds": round(time.monotonic() - start),
    }
    if len(after) < len(checked):
        notes.append(f"time for {len(after)} of {len(checked)} dev shoppers only")
    provenance = made_with(program, [*trained, *checked], metric=yardstick.name)
    report = _report(before, after, [*yardstick.notes, *notes], label=yardstick.label)
    return Compiled(compiled, before, after, params, provenance, report)


@dataclass(frozen=True)
class _Job:
    """What a learner gets: the program, what to climb, its train requests, and until when."""

    program: TopDown
    yardstick: Yardstick
    train: list[PageRequest]
    demos: int
    seed: int
    bar: float
    """What a page must score to teach."""
    ends: float
    tell: Progress


def _labeled(job: _Job) -> tuple[TopDown, list[str]]:
    """The best of several sets of written plans, by the mean total over the train shoppers."""
    labelled = planner_demos(seed=job.seed)
    best: tuple[float, TopDown] | None = None
    for trial in range(TRIALS):
        if best is not None and time.monotonic() > job.ends:
            return best[1], [f"time for {trial} of {TRIALS} sets of demonstrations only"]
        part = labelled[trial * job.demos : (trial + 1) * job.demos]
        candidate = job.program.deepcopy()
        # LabeledFewShot on a whole program would give the planner's demonstrations to every predictor
        candidate.plan = dspy.LabeledFewShot(k=job.demos).compile(job.program.plan, trainset=part, sample=False)
        stage = f"set {trial + 1} of {TRIALS}"
        scores = _measure(candidate, job.yardstick, job.train, job.ends, stage, job.tell)
        if best is not None and len(scores) < len(job.train):
            return best[1], [f"time for {trial} of {TRIALS} sets of demonstrations only"]
        mean = fmean(score.total for score in scores)
        if best is None or mean > best[0]:
            best = (mean, candidate)
    assert best is not None
    return best[1], [f"the best of {TRIALS} sets of demonstrations scored {best[0]:.3f} on the train shoppers"]


def _bootstrap(job: _Job) -> tuple[TopDown, list[str]]:
    """Demonstrations from the program's own best sections; topped up with those that a predictor had."""
    done: list[PageScore] = []
    stderr = sys.stderr

    def on_score(score: PageScore) -> None:
        done.append(score)
        with redirect_stderr(stderr):
            job.tell("bootstrap", len(done), len(job.train))

    metric = TeachingMetric(job.program.parts.catalog, on_score, yardstick=job.yardstick)
    optimizer = dspy.BootstrapFewShot(
        metric=metric,
        metric_threshold=job.bar,
        max_bootstrapped_demos=job.demos,
        max_labeled_demos=0,
        max_errors=1,  # a bad page is a score; an exception means that something is broken
    )
    timed = _UntilLate(examples(job.train), job.ends)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # it prints, and draws a progress bar
        learned: TopDown = optimizer.compile(job.program, trainset=timed)
    taught = {name: len(predictor.demos) for name, predictor in learned.named_predictors()}
    for (_, predictor), (_, old) in zip(learned.named_predictors(), job.program.named_predictors(), strict=True):
        predictor.demos = [*predictor.demos, *old.demos][: job.demos] if predictor.demos else old.demos
    told = ", ".join(f"{count} for {name}" for name, count in taught.items() if count) or "none"
    return learned, [f"demonstrations from {len(done)} train pages with a bar of {job.bar:.3f}: {told}"]


_LEARNERS: dict[str, Callable[[_Job], tuple[TopDown, list[str]]]] = {"labeled": _labeled, "bootstrap": _bootstrap}


class _UntilLate(list[dspy.Example]):
    """A training set that ends when the time is up; the first example is always given."""

    def __init__(self, values: Sequence[dspy.Example], ends: float) -> None:
        super().__init__(values)
        self._ends = ends

    def __iter__(self) -> Iterator[dspy.Example]:
        for number, value in enumerate(super().__iter__()):
            if number and time.monotonic() > self._ends:
                return
            yield value


def _measure(
    program: TopDown,
    yardstick: Yardstick,
    requests: Sequence[PageRequest],
    ends: float,
    stage: str,
    tell: Progress,
) -> list[PageScore]:
    """Scores of the pages for `requests`, in order, the first in any case and the others until the time is up."""
    scores: list[PageScore] = []
    for request in requests:
        if scores and time.monotonic() > ends:
            break
        scores.append(yardstick.score(program.generate(request), request))
        tell(stage, len(scores), len(requests))
    return scores


def _bar(before: Sequence[PageScore]) -> float:
    """What a page must score to teach: the mean before."""
    return fmean(score.total for score in before)


def _seeded(request: PageRequest, seed: int) -> PageRequest:
    return request.model_copy(update={"seed": seed})


def _standard_error(differences: Sequence[float]) -> float:
    """Sd / sqrt(n) of paired differences; infinite for fewer than two, which show nothing."""
    return stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else inf


def _report(
    before: Sequence[PageScore], after: Sequence[PageScore], notes: Sequence[str], *, label: str = "page score"
) -> str:
    """What a person should know, a line each; first whether it is better."""
    old, new = mean_scores(before), mean_scores(after)
    gain = new["total"] - old["total"]
    noise = _standard_error([a.total - b.total for a, b in zip(after, before, strict=True)])
    verdict = "better than before"
    if gain <= 0:
        verdict = "no better than before: do not promote it on these numbers"
    elif gain < 2 * noise:
        verdict = f"within the noise of so few shoppers (standard error {noise:.3f}): not shown to be better"
    better = sum(a.total > b.total for a, b in zip(after, before, strict=True))
    changes = [f"{name} {old[name]:.3f} -> {new[name]:.3f}" for name in new if name != "total" and name in old]
    return "\n".join(
        [
            f"{label} {old['total']:.3f} -> {new['total']:.3f} ({gain:+.3f}) on {len(after)} dev shoppers, "
            f"higher for {better} of them: {verdict}",
            ", ".join(changes),
            *notes,
        ]
    )
