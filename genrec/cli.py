"""The command line: parse, call, print. Every heavy import happens inside a command, so that --help is quick."""

import functools
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from genrec.errors import GenrecError

DEGRADED = 3
"""Exit status of a degraded page under --strict."""


class _Group(click.Group):
    """Turns a GenrecError into one line on stderr and status 1: no traceback reaches a user."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GenrecError as error:
            click.echo(f"genrec: {error}", err=True)
            ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="genrec")
def main() -> None:
    """Compose whole shop pages from a catalog and a shopper's context."""


def _options(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        return functools.reduce(lambda inner, option: option(inner), reversed(options), command)

    return decorate


catalog_options = _options(
    click.option(
        "--catalog", type=click.Path(path_type=Path), help="catalog file or index directory [default: the sample]"
    ),
    click.option(
        "--map", "maps", multiple=True, metavar="FIELD=COLUMN[,COLUMN]", help="column(s) that hold an item field"
    ),
    click.option("--skip-invalid", is_flag=True, help="leave out rows that cannot be read"),
    click.option(
        "--embedder",
        metavar="NAME",
        help="minilm, static, or a sentence-transformers folder [default: the index's own]",
    ),
)
lm_options = _options(
    click.option("--lm", metavar="MODEL", help="embedded, or PROVIDER/MODEL [default: embedded]"),
    click.option("--api-base", metavar="URL", help="address of an OpenAI-compatible server"),
    click.option("--lm-timeout", type=float, metavar="SECONDS", help="time for one attempt [default: 10]"),
)
program_options = _options(
    click.option(
        "--model", metavar="VERSION", help="packaged, models:/genrec-page@ALIAS, or a baseline [default: packaged]"
    ),
    click.option("--ranker", metavar="MODULE:CALLABLE", help="a shop's own ranker"),
    click.option("--threshold", type=float, help="least P(relevant) that is shown [default: the gate's own]"),
)

unproven_option = click.option(
    "--unproven-judges",
    is_flag=True,
    default=None,
    help="let judges decide, and guard, that are under their bar or were never measured",
)


@main.command()
@catalog_options
@click.option("--shopper", required=True, metavar="ID|FILE|FILE#ID", help="a sample shopper, or a file of shoppers")
@click.option("--occasion", default="", help="e.g. birthday; empty for an ordinary day")
@click.option("--on", "on_day", type=click.DateTime(["%Y-%m-%d"]), help="day of the page [default: today]")
@click.option("--objective", "objectives", multiple=True, metavar="NAME=WEIGHT", help="a business goal; repeatable")
@click.option("--sections", type=int, default=6, show_default=True)
@click.option("--items", type=int, default=8, show_default=True, help="items in each section")
@click.option("--paradigm", type=click.Choice(["top-down"]), default="top-down", show_default=True)
@lm_options
@program_options
@click.option("--format", "form", type=click.Choice(["table", "json", "html"]), help="[default: by -o, or table]")
@click.option("-o", "--output", "outputs", multiple=True, type=click.Path(path_type=Path), help="file; repeatable")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--strict", is_flag=True, help="exit 3 when the page is degraded")
@unproven_option
@click.pass_context
def generate(
    ctx: click.Context,
    /,
    shopper: str,
    occasion: str,
    on_day: datetime | None,
    objectives: Sequence[str],
    sections: int,
    items: int,
    paradigm: str,
    form: str | None,
    outputs: Sequence[Path],
    seed: int,
    strict: bool,
    catalog: Path | None,
    maps: Sequence[str],
    skip_invalid: bool,
    **flags: Any,
) -> None:
    """Compose a page for one shopper."""
    from genrec.serving.opening import open_generator
    from genrec.serving.output import OUTPUTS, write_page
    from genrec.serving.requests import everyone_beside, page_request

    settings, store = _open(catalog, maps, skip_invalid, flags)
    request = page_request(
        shopper,
        occasion=occasion,
        on=on_day.date() if on_day else date.today(),
        objectives=objectives,
        sections=sections,
        items_per_section=items,
        seed=seed,
    )
    for path in outputs:
        if form is None and path.suffix not in OUTPUTS:
            raise click.UsageError(f"-o {path}: name the form with --format, or end it in {', '.join(OUTPUTS)}")
    with _waiting("composing"):
        generator = open_generator(settings, store, lambda: everyone_beside(shopper), tell=_warn)
        page = generator.generate(request)
    for path in outputs:
        write_page(page, request, store.items, form=form or OUTPUTS[path.suffix], path=path)
        click.echo(f"wrote {path}", err=True)
    if not outputs or form is None:
        write_page(page, request, store.items, form=form or "table", path=None)
    for step in page.degraded:
        click.echo(f"degraded: {step.stage}: {step.reason}", err=True)
    if strict and page.degraded:
        ctx.exit(DEGRADED)


@main.command()
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="index directory to write")
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN[,COLUMN]", help="column(s) that hold an item field")
@click.option("--skip-invalid", is_flag=True, help="leave out rows that cannot be read")
@click.option(
    "--embedder",
    metavar="NAME",
    help="minilm, static, or a sentence-transformers folder [default: that of the index at -o, or minilm]",
)
def index(catalog: Path, output: Path, maps: Sequence[str], skip_invalid: bool, embedder: str | None) -> None:
    """Build an index of CATALOG, or update the one at -o: what did not change is not embedded again."""
    from genrec.catalog.ingest import ItemStream, parse_mapping
    from genrec.catalog.store import Catalog
    from genrec.serving.tables import print_written
    from genrec.settings import load_settings

    settings = load_settings({"embedder": embedder})
    items = ItemStream(catalog, mapping=parse_mapping(maps) or None, skip_invalid=skip_invalid)
    with _progress() as progress:
        written = Catalog.update(items, output, settings.embedder, name=catalog.name.split(".")[0], progress=progress)
    for problem in (*items.skipped.shown, *items.warnings.shown):
        click.echo(f"genrec: {problem}", err=True)
    print_written(written, Catalog.open(output), output, skipped=items.skipped.total)


@main.command()
def shoppers() -> None:
    """List the sample shoppers."""
    from genrec.catalog.ingest import read_shoppers
    from genrec.catalog.sample import shoppers_path
    from genrec.serving.tables import print_shoppers

    print_shoppers(read_shoppers(shoppers_path()))


@main.command()
@click.argument("query")
@catalog_options
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True)
def search(
    query: str, limit: int, catalog: Path | None, maps: Sequence[str], skip_invalid: bool, embedder: str | None
) -> None:
    """Show what retrieval returns for QUERY, and why."""
    from genrec.serving.tables import print_hits

    _, store = _open(catalog, maps, skip_invalid, {"embedder": embedder})
    print_hits(store.index.explain(query, limit=limit), store.items)


@main.command("compile")
@catalog_options
@lm_options
@program_options
@click.option("--optimizer", type=click.Choice(["labeled", "bootstrap"]), default="bootstrap", show_default=True)
@click.option(
    "--metric",
    type=click.Choice(["page", "judged"]),
    default="page",
    show_default=True,
    help="what to climb: arithmetic over the page, or the judges that may decide",
)
@unproven_option
@click.option("--train", "train_limit", type=int, default=8, show_default=True, help="train shoppers to learn from")
@click.option("--dev", "dev_limit", type=int, default=6, show_default=True, help="dev shoppers to measure on")
@click.option("--minutes", type=float, default=15.0, show_default=True, help="stop in time, with what there is")
@click.option("--seed", type=int, default=0, show_default=True)
def compile_(
    catalog: Path | None,
    maps: Sequence[str],
    skip_invalid: bool,
    optimizer: str,
    metric: str,
    train_limit: int,
    dev_limit: int,
    minutes: float,
    seed: int,
    **flags: Any,
) -> None:
    """Optimize the prompts on the sample's shoppers and register the result as a version."""
    from genrec.optimizers.compile import compile_program
    from genrec.registry import log_compiled
    from genrec.serving.judging import open_yardstick
    from genrec.serving.opening import open_program
    from genrec.serving.tables import print_compiled

    settings, store = _open(catalog, maps, skip_invalid, flags)
    yardstick = open_yardstick(settings, store) if metric == "judged" else None
    with _progress() as progress:
        compiled = compile_program(
            open_program(settings, store, tell=_warn),
            optimizer=optimizer,
            yardstick=yardstick,
            limit_train=train_limit,
            limit_dev=dev_limit,
            minutes=minutes,
            seed=seed,
            progress=progress,
        )
    print_compiled(compiled, log_compiled(compiled, _where(settings)))


@main.command()
@catalog_options
@lm_options
@program_options
@click.option(
    "--program",
    "programs",
    multiple=True,
    metavar="NAME",
    help="packaged, models:/..., popular, static, repeat, als or one-prompt; repeatable, the first is compared with "
    "the others [default: --model and all baselines]",
)
@click.option("--shoppers", type=click.Path(path_type=Path), metavar="FILE", help="shoppers [default: the sample's]")
@click.option(
    "--split", default="test", show_default=True, help="which sample shoppers, or gold cases: train, dev, test"
)
@click.option("--limit", type=click.IntRange(1), help="so many shoppers, drawn by --seed [default: all]")
@click.option("--least-before", type=click.IntRange(0), default=0, help="only with so many purchases up to the day")
@click.option("--least-after", type=click.IntRange(0), default=0, help="only with so many purchases held out")
@click.option(
    "--on", "on_day", type=click.DateTime(["%Y-%m-%d"]), help="day of the pages; what was bought later is held out"
)
@click.option("--occasion", default="", help="e.g. birthday; empty for an ordinary day")
@click.option("--objective", "objectives", multiple=True, metavar="NAME=WEIGHT", help="a business goal; repeatable")
@click.option("--weeks", type=click.IntRange(1), help="weeks of later purchases to score against [default: all]")
@click.option(
    "--match", type=click.Choice(["leaf", "item"]), default="leaf", show_default=True, help="what counts as bought"
)
@click.option("--sections", type=click.IntRange(1), default=6, show_default=True)
@click.option("--items", type=click.IntRange(1), default=8, show_default=True, help="items in each section")
@click.option(
    "--judge",
    type=click.Choice(["learned", "lm", "none"]),
    default="learned",
    show_default=True,
    help="who judges pages: the learned judges, the LM that --lm names, or nobody",
)
@click.option("--unproven-judges", is_flag=True, default=None, help="let judges under their bar decide")
@click.option("--judges", "measure", is_flag=True, help="measure the judges against gold judgments instead")
@click.option(
    "--gold", type=click.Path(path_type=Path), metavar="DIR", help="gold judgments [default: the shipped ones]"
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="directory; the same one goes on where it stopped"
)
@click.option("--no-log", is_flag=True, help="do not log to MLflow")
@click.option("--seed", type=int, default=0, show_default=True)
def evaluate(
    catalog: Path | None,
    maps: Sequence[str],
    skip_invalid: bool,
    measure: bool,
    gold: Path | None,
    judge: Any,
    split: str,
    output: Path | None,
    no_log: bool,
    items: int,
    on_day: datetime | None,
    **flags: Any,
) -> None:
    """Compare programs and baselines on the same shoppers, or with --judges the judges with gold judgments."""
    asked = {name: flags.pop(name) for name in _ASKED}
    if gold is not None and not measure:
        raise click.UsageError("--gold goes with --judges")
    if measure:
        return _measure_judges(judge, gold, split, output, flags)
    from genrec.evaluation_log import log_evaluation
    from genrec.serving.evaluating import Asked, run
    from genrec.serving.evaluation_table import print_report

    settings, store = _open(catalog, maps, skip_invalid, flags)
    on = on_day.date() if on_day else None
    folder = output or settings.home / "evaluations" / f"{store.name}-{on or 'sample'}"
    with _progress() as progress:
        wanted = Asked(**asked, split=split, judge=judge, items_per_section=items, on=on)
        report = run(settings, store, wanted, folder, progress)
    print_report(report)
    click.echo(f"wrote {folder / 'report.html'} and report.json", err=True)
    if not no_log:
        click.echo(f"logged as run {log_evaluation(report, folder, _where(settings))}", err=True)


_ASKED = (
    *("programs", "shoppers", "limit", "least_before", "least_after", "weeks", "match"),
    *("occasion", "objectives", "sections", "seed"),
)


def _measure_judges(judge: Any, gold: Path | None, split: str, output: Path | None, flags: dict[str, Any]) -> None:
    from genrec.evaluation.cards import cards_json
    from genrec.serving.evaluating import write
    from genrec.serving.judging import measure_judges
    from genrec.serving.tables import print_cards
    from genrec.settings import load_settings

    settings = load_settings(flags)
    with _progress() as progress:
        cards = measure_judges(settings, judge, gold, split, progress)
    print_cards(cards)
    if output is not None:
        write(output / "judges.json", cards_json(cards))
        click.echo(f"wrote {output / 'judges.json'}", err=True)


@main.command()
def versions() -> None:
    """List the versions of the page program."""
    from genrec import registry
    from genrec.serving.tables import print_versions
    from genrec.settings import load_settings

    print_versions(registry.versions(_where(load_settings())))


@main.command()
@click.argument("version", type=int)
def promote(version: int) -> None:
    """Make VERSION the champion, which serves."""
    from genrec import registry
    from genrec.settings import load_settings

    made = registry.promote(version, _where(load_settings()))
    click.echo(f"{made.uri} is champion")


@main.command()
def rollback() -> None:
    """Put back the version that was champion before."""
    from genrec import registry
    from genrec.settings import load_settings

    made = registry.rollback(_where(load_settings()))
    click.echo(f"{made.uri} is champion again")


@main.command()
@click.argument("name", type=click.Choice(["item", "shopper", "request", "page"]))
def schema(name: str) -> None:
    """Print the JSON Schema of a type."""
    import json

    from pydantic import BaseModel

    from genrec.catalog.items import Item
    from genrec.page import Page, PageRequest, Shopper

    models: dict[str, type[BaseModel]] = {"item": Item, "shopper": Shopper, "request": PageRequest, "page": Page}
    click.echo(json.dumps(models[name].model_json_schema(), indent=2))


@main.command()
@lm_options
@click.option("--catalog", type=click.Path(path_type=Path), help="catalog file or index directory")
@click.pass_context
def doctor(ctx: click.Context, /, catalog: Path | None, **flags: Any) -> None:
    """Say which LM, models, index and registry are in use, and what is missing."""
    from genrec.serving.doctor import diagnose
    from genrec.serving.tables import print_diagnosis
    from genrec.settings import load_settings

    findings = diagnose(load_settings({**flags, "catalog": catalog}))
    print_diagnosis(findings)
    if not all(finding.ok for finding in findings):
        ctx.exit(1)


def _open(catalog: Path | None, maps: Sequence[str], skip_invalid: bool, flags: dict[str, Any]) -> Any:
    """Settings and the catalog they name."""
    from genrec.catalog.ingest import parse_mapping
    from genrec.catalog.store import Catalog
    from genrec.settings import load_settings

    settings = load_settings({**flags, "catalog": catalog})
    with _progress() as progress:
        store = Catalog.open(
            settings.catalog,
            embedder=settings.embedder,
            mapping=parse_mapping(maps) or None,
            skip_invalid=skip_invalid,
            home=settings.home,
            progress=progress,
        )
    return settings, store


def _warn(text: str) -> None:
    click.echo(text, err=True)


def _where(settings: Any) -> Any:
    from genrec.registry import RegistrySettings

    return RegistrySettings.at(settings.home, settings.tracking_uri)


def _progress() -> Any:
    from genrec.serving.progress import progress_bar

    return progress_bar()


def _waiting(what: str) -> Any:
    from genrec.serving.progress import spinner

    return spinner(what)


if __name__ == "__main__":
    sys.exit(main())
