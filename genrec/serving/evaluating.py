"""From what a caller says to an evaluation: whom, against what, judged by whom."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import cast

from filelock import FileLock, Timeout

import genrec
from genrec import __version__, registry
from genrec.catalog.ingest import read_shoppers
from genrec.catalog.sample import shoppers_path
from genrec.catalog.store import Catalog
from genrec.errors import RequestError, SettingsError
from genrec.evaluation.held_out import Match
from genrec.evaluation.page_store import unwritable
from genrec.evaluation.results import EvaluationReport
from genrec.evaluation.running import Contender, Progress, evaluate
from genrec.evaluation.subjects import Setting, subjects
from genrec.lm.connect import EMBEDDED
from genrec.page import Shopper
from genrec.programs.baselines import BASELINES
from genrec.programs.top_down import PageGenerator, TopDown
from genrec.serving.evaluation_html import render_report
from genrec.serving.judging import JudgeName, panel_of
from genrec.serving.opening import open_generator
from genrec.serving.requests import parse_objective
from genrec.settings import Settings

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Asked:
    """What an evaluation is asked to do, as a command line says it."""

    programs: tuple[str, ...] = ()
    """Names of programs and baselines; the first is compared with the others. Empty: the settings' program and all."""
    shoppers: Path | None = None
    """A file of shoppers; None: the sample's, of `split`."""
    split: str = "test"
    limit: int | None = None
    least_before: int = 0
    least_after: int = 0
    on: date | None = None
    """Day of the pages; None: the sample's day."""
    weeks: int | None = None
    match: Match = "leaf"
    sections: int = 6
    items_per_section: int = 8
    occasion: str = ""
    objectives: tuple[str, ...] = ()
    """NAME or NAME=WEIGHT."""
    seed: int = 0
    judge: JudgeName = "learned"


def run(settings: Settings, catalog: Catalog, asked: Asked, folder: Path, progress: Progress) -> EvaluationReport:
    """Make the pages, measure them, write report.json and report.html into `folder`.

    Raises:
        GenrecError: shoppers, a program, a judge or `folder` cannot be used; the message says which.

    """
    chosen, everyone, on = shoppers_of(asked)
    setting = Setting(
        on,
        asked.weeks,
        asked.match,
        asked.sections,
        asked.items_per_section,
        asked.occasion,
        tuple(parse_objective(text) for text in asked.objectives),
        asked.seed,
    )
    people = subjects(
        chosen,
        setting,
        catalog.items,
        limit=asked.limit,
        least_before=asked.least_before,
        least_after=asked.least_after,
    )
    told: list[str] = []
    contenders = contenders_of(settings, catalog, asked.programs, everyone, tell=told.append)
    panel = panel_of(settings, catalog, asked.judge) if asked.judge != "none" else None
    with _alone(folder):
        report = evaluate(contenders, people, catalog, setting, folder, panel=panel, progress=progress)
        report = report.model_copy(update={"notes": (*dict.fromkeys(told), *report.notes)})
        write(folder / "report.json", report.model_dump_json(indent=1))
        write(folder / "report.html", render_report(report))
    return report


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While no other evaluation writes into `folder`: two would make each page twice, and lose some."""
    lock = FileLock(folder / ".lock", timeout=0)
    with unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:  # an OSError too
            raise RequestError(f"{folder}: another evaluation writes there; wait, or choose another -o") from error
    try:
        yield
    finally:
        lock.release()


def shoppers_of(asked: Asked) -> tuple[list[Shopper], list[Shopper], date]:
    """Whom pages are for (all in the file, or the sample's of the split), all that are known, and the day of the pages.

    Raises:
        RequestError: the file cannot be read, the split is none, or a file comes without a day.

    """
    if asked.shoppers is not None:
        if asked.on is None:
            raise RequestError(
                f"{asked.shoppers}: say on which day pages are made (--on): later purchases are held out"
            )
        everyone = read_shoppers(asked.shoppers)
        return everyone, everyone, asked.on
    facts = json.loads(shoppers_path().with_name("splits.json").read_text(encoding="utf-8"))
    if asked.split not in (*SPLITS, "all"):
        raise RequestError(f"--split {asked.split}: choose one of {', '.join(SPLITS)}, all")
    wanted = {name for split in SPLITS if asked.split in (split, "all") for name in facts[split]}
    everyone = read_shoppers(shoppers_path())
    chosen = [shopper for shopper in everyone if shopper.shopper_id in wanted]
    return chosen, everyone, asked.on or date.fromisoformat(facts["today"])


def contenders_of(
    settings: Settings,
    catalog: Catalog,
    names: Sequence[str],
    interactions: Sequence[Shopper],
    *,
    tell: Callable[[str], None],
) -> list[Contender]:
    """Programs and baselines by name; `als` learns from the purchases of `interactions` up to the day of a page.

    `tell` is told what a program may not do with this LM.

    Raises:
        SettingsError: a name twice, or one of no program.

    """
    chosen = tuple(names) or tuple(dict.fromkeys((settings.model, *BASELINES)))
    if len(set(chosen)) < len(chosen):
        raise SettingsError(f"--program {' '.join(chosen)}: each only once")

    return [_contender(settings.model_copy(update={"model": name}), catalog, interactions, tell) for name in chosen]


def maker(name: str, catalog: Catalog, settings: Settings, interactions: Sequence[Shopper] = ()) -> str:
    """All that the pages of a program or baseline depend on beside the request: pages of another are not reused."""
    parts: list[object] = [name, __version__, _sources(), catalog.fingerprint]
    if name == "als":
        histories = "\n".join(s.model_dump_json(include={"shopper_id", "history"}) for s in interactions)
        parts.append(sha256(histories.encode()).hexdigest()[:16])
    if name not in BASELINES or name == "one-prompt":
        parts += [settings.lm, settings.api_base, settings.lm_adapter, settings.lm_timeout, settings.lm_deadline]
    if name not in BASELINES or name == "static":
        parts += [settings.relevance, settings.threshold, settings.ranker]
    if name not in BASELINES:
        parts.append(settings.unproven_judges)
    return " ".join(map(str, parts))


@cache
def _sources() -> str:
    """Digest of all that makes pages, code, weights and word lists: who changes a prompt gets new pages."""
    digest, home = sha256(), Path(genrec.__file__).parent
    folders = [path for part in ("catalog", "lm", "programs", "signatures") for path in (home / part).rglob("*")]
    for path in sorted([*folders, home / "page.py", home / "pyfunc.py"]):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(home).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _contender(
    settings: Settings, catalog: Catalog, interactions: Sequence[Shopper], tell: Callable[[str], None]
) -> Contender:
    """What `settings.model` names; an alias is looked up now, so that its pages are not another version's."""
    name = settings.model

    @cache
    def opened() -> PageGenerator:
        return open_generator(settings, catalog, lambda: interactions, tell=tell)

    if name in BASELINES:
        return Contender(name, maker(name, catalog, settings, interactions), opened)
    if name != registry.PACKAGED and not name.startswith("models:/"):
        known = ", ".join(BASELINES)
        raise SettingsError(f"{name!r} is no program; there are packaged, models:/NAME@ALIAS, and {known}")
    version = registry.resolve(name, registry.RegistrySettings.at(settings.home, settings.tracking_uri))
    # an endpoint is opened at once, which costs nothing: whether it may guard is part of what makes a page
    guards = "" if settings.lm == EMBEDDED else f" guard {cast(TopDown, opened()).parts.lm_guard}"
    return Contender(name, maker(version, catalog, settings) + guards, opened)


def write(path: Path, text: str) -> None:
    """Write a file in one step: a reader sees the old one or the new one.

    Raises:
        RequestError: it cannot be written.

    """
    with unwritable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
