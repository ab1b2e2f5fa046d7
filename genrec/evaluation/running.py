"""An evaluation: programs and baselines on the same shoppers, each page made once and kept, then measured.

An evaluation that was interrupted goes on where it stopped; what it compares is in results.py.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

from genrec.catalog.store import Catalog
from genrec.evaluation.bootstrap import Interval, mean_interval, paired_difference
from genrec.evaluation.judges import PageCase
from genrec.evaluation.page_store import PageStore
from genrec.evaluation.page_values import METRICS, OVER_PAGES, Values, page_values, values_over_pages
from genrec.evaluation.panel import PageVerdict, Panel
from genrec.evaluation.results import Difference, EvaluationReport, Metric, Program, WeakSection
from genrec.evaluation.spending import spending
from genrec.evaluation.subjects import Setting, Subject
from genrec.page import Page, PageRequest
from genrec.programs.policy import ShopPolicy
from genrec.programs.top_down import PageGenerator

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is, and how much there is."""

WEAKEST = 5
"""Sections of each program that the report shows."""


@dataclass(frozen=True)
class Contender:
    """A program or baseline in an evaluation."""

    name: str
    maker: str
    """Names all that its pages depend on beside the request: version, catalog, LM; pages of another are not reused."""
    open: Callable[[], PageGenerator]
    """Opens it; called only when a page has to be made."""


def evaluate(
    contenders: Sequence[Contender],
    people: Sequence[Subject],
    catalog: Catalog,
    setting: Setting,
    folder: Path,
    *,
    panel: Panel | None = None,
    progress: Progress | None = None,
) -> EvaluationReport:
    """Make the pages that `folder` does not have yet, measure all, and compare the first contender with the others.

    Raises:
        RequestError: a file of pages in `folder` was damaged, or written by another genrec.

    """
    tell = progress or (lambda stage, done, total: None)
    pages = {one.name: _pages(one, people, folder, tell) for one in contenders}
    policy = ShopPolicy(catalog.declares_diets, catalog_diets=catalog.diets)
    sales = sum(department.sold for department in catalog.departments)
    rows: dict[str, list[Values]] = {}
    weakest: list[WeakSection] = []
    for name, made in pages.items():
        rows[name] = []
        weak: list[WeakSection] = []
        for number, (page, one) in enumerate(zip(made, people, strict=True), start=1):
            verdict = panel.judge(_case(page, one.request, catalog)) if panel is not None else None
            rows[name].append(
                page_values(
                    page,
                    one.request,
                    catalog,
                    policy,
                    split=one.split,
                    match=setting.match,
                    sales=sales,
                    verdict=verdict,
                )
            )
            weak += _weak(name, page, verdict)
            tell(f"measure {name}", number, len(made))
        weakest += sorted(weak, key=lambda w: (w.score, w.shopper_id, w.title))[:WEAKEST]
    programs = [_program(name, pages[name], rows[name], catalog) for name in pages]
    seen = tuple(m for m in METRICS if any(p.means.get(m.name) is not None for p in programs))
    later = [[p.at for p in one.split.after if p.item_id in catalog.items] for one in people]
    last = max((at for days in later for at in days), default=None)
    weeks = setting.weeks or -(-(last - setting.on).days // 7) if last else None
    return EvaluationReport(
        created_at=datetime.now(UTC),
        catalog=f"{catalog.name} {catalog.fingerprint[:12]}",
        on=setting.on,
        weeks=weeks,
        match=setting.match,
        sections=setting.sections,
        items_per_section=setting.items_per_section,
        shoppers=tuple(one.request.shopper.shopper_id for one in people),
        metrics=seen,
        programs=tuple(programs),
        differences=tuple(_differences(programs, seen)),
        weakest=tuple(weakest),
        judges=tuple(card for card in panel.cards.values() if card is not None) if panel is not None else (),
        deciding=panel.deciding if panel is not None else (),
        notes=(*_judge_notes(people, panel), *_shopper_notes(later), *_page_notes(contenders, pages, folder)),
    )


def page_file(one: Contender) -> str:
    """The file of a contender's pages: its name, for people, and a digest of its maker."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", one.name).strip("-").lower() or "program"
    return f"{name}-{sha256(one.maker.encode()).hexdigest()[:8]}.jsonl"


def _file(one: Contender, folder: Path) -> Path:
    return folder / "pages" / page_file(one)


def _pages(one: Contender, people: Sequence[Subject], folder: Path, tell: Progress) -> list[Page]:
    store = PageStore(_file(one, folder), one.maker)
    generator: PageGenerator | None = None
    found = []
    for number, subject in enumerate(people, start=1):
        page = store.get(subject.request)
        if page is None:
            generator = generator or one.open()
            page = generator.generate(subject.request)
            store.put(subject.request, page)
        found.append(page)
        tell(f"pages {one.name}", number, len(people))
    return found


def _case(page: Page, request: PageRequest, catalog: Catalog) -> PageCase:
    ids = {item.item_id for section in page.sections for item in section.items}
    return PageCase(request, page, {i: catalog.items[i] for i in ids if i in catalog.items})


def _weak(name: str, page: Page, verdict: PageVerdict | None) -> list[WeakSection]:
    if verdict is None:
        return []
    return [
        WeakSection(
            program=name,
            shopper_id=page.shopper_id,
            title=section.theme.title,
            items=tuple(item.title for item in section.items),
            score=said.score,
            reasons=said.reasons,
        )
        for section, said in zip(page.sections, verdict.sections, strict=True)
        if said.score is not None
    ]


def _program(name: str, pages: Sequence[Page], rows: Sequence[Values], catalog: Catalog) -> Program:
    by_shopper = {m.name: tuple(row[m.name] for row in rows) for m in METRICS if m.name not in OVER_PAGES}
    means: dict[str, Interval | None] = {name: mean_interval(values) for name, values in by_shopper.items()}
    for metric, value in values_over_pages(pages, catalog).items():
        means[metric] = Interval(value=value, n=len(pages)) if value is not None else None
    made_by = sorted({f"{page.provenance.program}, LM: {page.provenance.lm or 'none'}" for page in pages})
    return Program(name=name, provenance="; ".join(made_by), pages=len(pages), means=means, by_shopper=by_shopper)


def _differences(programs: Sequence[Program], metrics: Sequence[Metric]) -> list[Difference]:
    first, *others = programs
    found = []
    for other in others:
        for metric in metrics:
            if metric.name in OVER_PAGES:
                continue
            mine, theirs = first.by_shopper[metric.name], other.by_shopper[metric.name]
            difference = paired_difference(mine, theirs)
            if difference is None:
                continue
            sign = -1.0 if metric.higher_is_better is False else 1.0
            gains = [sign * (a - b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
            found.append(
                Difference(
                    metric=metric.name,
                    baseline=other.name,
                    difference=difference,
                    wins=sum(gain > 0 for gain in gains),
                    losses=sum(gain < 0 for gain in gains),
                )
            )
    return found


def _judge_notes(people: Sequence[Subject], panel: Panel | None) -> list[str]:
    if panel is None:
        return []
    asked = [c for c in panel.criteria if c != "page.coverage" or people[0].request.objectives]
    unmeasured = [c for c in asked if panel.cards[c] is None and c not in panel.deciding]
    advisory = [c for c in asked if c not in (*panel.deciding, *unmeasured)]
    unearned = [c for c in panel.deciding if (card := panel.cards[c]) is None or not card.earned]
    notes: list[str] = []
    if advisory:
        notes.append(f"Advisory only, because they agree too little with gold judgments: {', '.join(advisory)}.")
    if unearned:
        names = ", ".join(unearned)
        notes.append(f"Judges under their bar or never measured decide here, because it was asked for: {names}.")
    if unmeasured:
        notes.append(f"Never measured against gold judgments, and so advisory too: {', '.join(unmeasured)}.")
    return notes


def _shopper_notes(later: Sequence[Sequence[date]]) -> list[str]:
    """`later`: the days of each shopper's purchases that were held out."""
    notes: list[str] = []
    without = sum(not days for days in later)
    if without < len(later):
        notes.append(
            "Later purchases were made without seeing these pages: a page that would have changed them gets no credit, "
            "and what shoppers buy anyway is easiest to find."
        )
        if without:
            who = f"{without} of {len(later)} shoppers"
            notes.append(f"{who} bought nothing later that the catalog has and are left out of those metrics.")
    if len(later) < 30:
        notes.append(f"So few shoppers ({len(later)}): small differences cannot be told from chance.")
    return notes


def _page_notes(contenders: Sequence[Contender], pages: Mapping[str, Sequence[Page]], folder: Path) -> list[str]:
    """Which programs were measured on pages that had to do without their LM, and how to have them made again."""
    notes: list[str] = []
    for one in contenders:
        fell_back = sum(_unanswered(page) for page in pages[one.name])
        if fell_back:
            notes.append(
                f"On {fell_back} of {len(pages[one.name])} pages of {one.name} the LM answered nothing: they show what "
                f"the program does without it. Once it answers, delete {_file(one, folder)} and evaluate again."
            )
    return notes


def _unanswered(page: Page) -> bool:
    """Whether this page should have had an LM and did without it: none answered, or there was no time to ask."""
    return bool(page.degraded) and page.provenance.lm not in ("", "none") and not spending([page]).output_tokens
