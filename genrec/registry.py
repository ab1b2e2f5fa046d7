"""Compiled programs as versions in MLflow: log, list, promote, roll back, load. The files of one are in pyfunc.py.

A version is data only. MLflow is imported inside functions (it takes seconds) and asked through clients with explicit
addresses: its global tracking URI is neither read nor set.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.errors import RegistryError
from genrec.registry_store import (
    RegistrySettings,
    Version,
    connect,
    connect_existing,
    holder,
    read_versions,
    run_in,
    there_is,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from genrec.catalog.store import Catalog
    from genrec.evaluation.page_metric import PageScore
    from genrec.lm.connect import LanguageModel
    from genrec.optimizers.compile import Compiled
    from genrec.optimizers.made_with import MadeWith
    from genrec.programs.policy import Policy
    from genrec.programs.ranking import Ranker
    from genrec.programs.relevance import RelevanceModel
    from genrec.programs.top_down import TopDown

__all__ = [
    "RegistrySettings",
    "Version",
    "load",
    "log_compiled",
    "log_version",
    "promote",
    "resolve",
    "rollback",
    "versions",
]

MODEL = "genrec-page"
EXPERIMENT = "genrec-compile"
PACKAGED = "packaged"
SCORES = "page_scores.json"
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
_URI = re.compile(r"models:/(?P<name>[\w.-]+)(?:@(?P<alias>[\w.-]+)|/(?P<number>\d+))")


def log_version(
    program_state: Mapping[str, Any],
    *,
    metrics_before: "Sequence[PageScore]",
    metrics_after: "Sequence[PageScore]",
    params: Mapping[str, object],
    provenance: "MadeWith",
    settings: RegistrySettings | None = None,
    name: str = MODEL,
) -> Version:
    """Log one compile as a run and register its program: alias `challenger`, and `champion` if there is none yet.

    The run has the parameters, the mean scores as metrics, a row per dev shopper in page_scores.json, and the files.
    The version appears only when all of that is written.

    Raises:
        RegistryError: MLflow refused it; nothing is registered then.

    """
    from genrec.evaluation.page_metric import mean_scores
    from genrec.pyfunc import write_model

    moments = {"before": metrics_before, "after": metrics_after}
    means = {f"{when}.{key}": mean for when, scores in moments.items() for key, mean in mean_scores(scores).items()}
    facts = {"optimizer": str(params.get("optimizer", "")), **provenance.facts()}
    facts |= {f"score_{when}": f"{means[f'{when}.total']:.4f}" for when in moments if f"{when}.total" in means}
    where = settings or RegistrySettings.at()
    with run_in(where, EXPERIMENT, f"compile {facts['optimizer']}") as (client, run):
        run_id = run.info.run_id
        for key, value in {**params, **provenance.facts()}.items():
            client.log_param(run_id, key, value)
        for key, mean in means.items():
            client.log_metric(run_id, key, mean)
        rows = [{"moment": when, **score.model_dump()} for when, scores in moments.items() for score in scores]
        if rows:
            client.log_table(run_id, {column: [row[column] for row in rows] for column in rows[0]}, SCORES)
        with tempfile.TemporaryDirectory() as scratch:
            write_model(Path(scratch) / "model", program_state, provenance)
            client.log_artifacts(run_id, str(Path(scratch) / "model"), "model")
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name, description="A compiled page program of genrec")
        made = client.create_model_version(name, f"{run.info.artifact_uri}/model", run_id, tags=facts)
    with connect(where) as client:
        client.set_registered_model_alias(name, CHALLENGER, made.version)
        if CHAMPION not in client.get_registered_model(name).aliases:
            client.set_registered_model_alias(name, CHAMPION, made.version)
        return read_versions(client, name)[int(made.version)]


def log_compiled(compiled: "Compiled", settings: RegistrySettings | None = None, *, name: str = MODEL) -> Version:
    """`log_version` of what `compile_program` returned, better or not: promoting it is for people to decide."""
    from genrec.programs.state import dump_state

    return log_version(
        dump_state(compiled.program),
        metrics_before=compiled.before,
        metrics_after=compiled.after,
        params=compiled.params,
        provenance=compiled.provenance,
        settings=settings,
        name=name,
    )


def versions(settings: RegistrySettings | None = None, *, name: str = MODEL) -> list[Version]:
    """All versions, newest first; [] when nothing was registered yet."""
    where = settings or RegistrySettings.at()
    if where.is_unborn():
        return []
    with connect(where) as client:
        found = read_versions(client, name)
    return [found[number] for number in sorted(found, reverse=True)]


def promote(version: int, settings: RegistrySettings | None = None, *, name: str = MODEL) -> Version:
    """Make `version` the champion; the one that was gets the alias `previous`. The champion again changes nothing.

    Raises:
        RegistryError: there is no such version.

    """
    with connect_existing(settings or RegistrySettings.at(), name) as (client, known):
        if version not in known:
            raise RegistryError(f"{name} has no version {version}; {there_is(known)}")
        champion = holder(known, CHAMPION)
        if champion is not None and champion.number != version:
            client.set_registered_model_alias(name, PREVIOUS, str(champion.number))
        client.set_registered_model_alias(name, CHAMPION, str(version))
        return read_versions(client, name)[version]


def rollback(settings: RegistrySettings | None = None, *, name: str = MODEL) -> Version:
    """Make the previous champion champion again; the two swap aliases, so that a second rollback undoes the first.

    Raises:
        RegistryError: no version was champion before this one.

    """
    with connect_existing(settings or RegistrySettings.at(), name) as (_, known):
        previous = holder(known, PREVIOUS)
        if previous is None:
            raise RegistryError(
                f"{name} has no alias {PREVIOUS!r}, so there is nothing to roll back to; {there_is(known)}; "
                "choose one with `genrec promote`"
            )
    return promote(previous.number, settings, name=name)


def resolve(uri: str, settings: RegistrySettings | None = None) -> str:
    """Name the version behind `uri` for good, as NAME/NUMBER/RUN or "packaged": an alias moves, a number comes again.

    Raises:
        RegistryError: no such model, version or alias.

    """
    if uri == PACKAGED:
        return PACKAGED
    with _found(uri, settings) as (_, version):
        return f"{version.name}/{version.number}/{version.run_id}"


@contextmanager
def _found(uri: str, settings: RegistrySettings | None) -> "Iterator[tuple[MlflowClient, Version]]":
    """A client, and the version that `uri` names."""
    asked = _URI.fullmatch(uri)
    if not asked:
        raise RegistryError(f"{uri!r} is no version; write models:/{MODEL}@{CHAMPION}, models:/{MODEL}/3 or {PACKAGED}")
    with connect_existing(settings or RegistrySettings.at(), asked["name"]) as (client, known):
        found = known.get(int(asked["number"])) if asked["number"] else holder(known, asked["alias"])
        if found is None:
            raise RegistryError(f"{uri}: there is no such version or alias; {there_is(known)}")
        yield client, found


def load(
    uri: str,
    catalog: "Catalog",
    lm: "LanguageModel | None" = None,
    *,
    settings: RegistrySettings | None = None,
    relevance: "RelevanceModel | None" = None,
    policy: "Policy | None" = None,
    ranker: "Ranker | None" = None,
    threshold: float | None = None,
    deadline: float | None = None,
    lm_guard: bool = True,
) -> "TopDown":
    """The program at `uri`: models:/NAME@ALIAS, models:/NAME/NUMBER or "packaged". Other arguments: see `TopDown`.

    Without `relevance` and `threshold` a version gets the gate and the threshold that it was compiled with.

    Raises:
        RegistryError: no such model, version or alias; or its files are damaged or do not fit the encoder or gate.
        ProgramStateError: its state does not match this genrec's program by name.

    """
    from genrec.programs.top_down import TopDown
    from genrec.pyfunc import DATA, read_program

    parts: dict[str, Any] = {"relevance": relevance, "policy": policy, "ranker": ranker, "threshold": threshold}
    parts |= {"deadline": deadline, "lm_guard": lm_guard}
    if uri == PACKAGED:
        return TopDown(catalog, lm, **parts)
    with _found(uri, settings) as (client, found):
        from mlflow.artifacts import download_artifacts

        # the files' own address: MLflow would look "models:/..." up at its global one, and create a database there
        source = client.get_model_version_download_uri(found.name, str(found.number))
        folder = Path(download_artifacts(artifact_uri=source, tracking_uri=client.tracking_uri))
    program = read_program(folder / DATA, catalog, lm, **parts)
    program.version = f"{found.name}/{found.number}"
    return program
