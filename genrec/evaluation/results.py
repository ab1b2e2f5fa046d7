"""What an evaluation found, as values: the JSON report is this, and the HTML report is drawn from it."""

from collections.abc import Mapping
from datetime import date, datetime

from pydantic import Field

from genrec.evaluation.agreement import JudgeCard
from genrec.evaluation.bootstrap import Interval
from genrec.page import Value


class Metric(Value):
    """A column of the report."""

    name: str = Field(description="e.g. ndcg_2d, judge.section.clarity")
    group: str = Field(description="next purchases, judges, page, cost")
    about: str = Field(description="one line for a reader who does not know the name")
    higher_is_better: bool | None = Field(description="null: neither, e.g. novelty")


class Program(Value):
    """One program or baseline, over all shoppers."""

    name: str = Field(description="as it was named: packaged, models:/genrec-page@champion, popular, ...")
    provenance: str = Field(description="program, version and LM, as its pages say")
    pages: int = Field(description="pages generated")
    means: Mapping[str, Interval | None] = Field(description="by metric; null where no page has it")
    by_shopper: Mapping[str, tuple[float | None, ...]] = Field(description="by metric, in the order of `shoppers`")


class Difference(Value):
    """The first program's metric minus another's, on the same shoppers."""

    metric: str = Field(description="name of the metric")
    baseline: str = Field(description="the other program")
    difference: Interval = Field(description="mean of the paired differences; above 0 the first program has more")
    wins: int = Field(description="shoppers for whom the first program is better, or has more where neither is better")
    losses: int = Field(description="shoppers for whom it is worse, or has less")


class WeakSection(Value):
    """A section that the judges like least, for a person to look at."""

    program: str = Field(description="who made it")
    shopper_id: str = Field(description="for whom")
    title: str = Field(description="its title")
    items: tuple[str, ...] = Field(description="titles of its items, in order")
    score: float = Field(description="the judges' score of the section, in [0, 1]")
    reasons: tuple[str, ...] = Field(description="what the judges said, worst first")


class EvaluationReport(Value):
    """Programs and baselines on the same shoppers, side by side. The first program is the one in question."""

    created_at: datetime = Field(description="UTC")
    catalog: str = Field(description="name and fingerprint of the catalog")
    on: date = Field(description="day of the pages; nothing bought later was seen")
    weeks: int | None = Field(description="weeks of later purchases that pages were scored against; null without any")
    match: str = Field(description="what counts as bought: the item, or any item of its leaf category")
    sections: int = Field(description="sections asked for")
    items_per_section: int = Field(description="items asked for in each")
    shoppers: tuple[str, ...] = Field(description="ids, in the order of `by_shopper`")
    metrics: tuple[Metric, ...] = Field(description="what was measured, in the order to show")
    programs: tuple[Program, ...] = Field(description="the first is compared with the others")
    differences: tuple[Difference, ...] = Field(description="the first program against each other one")
    weakest: tuple[WeakSection, ...] = Field(description="worst sections of each program, worst first")
    judges: tuple[JudgeCard, ...] = Field(description="how far each judge agrees with gold judgments")
    deciding: tuple[str, ...] = Field((), description="criteria whose judges made judge.score")
    notes: tuple[str, ...] = Field((), description="what a reader must know before believing the numbers")
