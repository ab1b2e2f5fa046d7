"""Where versions are kept and what is there: the connection to MLflow that registry.py works through."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from genrec.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class RegistrySettings:
    """Where versions are kept."""

    uri: str
    """MLflow tracking and registry address."""
    artifacts: str | None = None
    """Where a new experiment keeps its files; None leaves it to the server."""

    @classmethod
    def at(cls, home: str | Path | None = None, uri: str | None = None) -> "RegistrySettings":
        """`uri`, else MLFLOW_TRACKING_URI, else a SQLite file in `home` (default: GENREC_HOME or ./.genrec)."""
        folder = Path(home or os.environ.get("GENREC_HOME") or ".genrec").resolve()
        address = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / 'mlflow.db'}"
        database = _sqlite_file(address)
        return cls(address, (database.resolve().parent / "mlartifacts").as_uri() if database else None)

    def is_unborn(self) -> bool:
        """Whether it is a SQLite file that is not there: asking MLflow would create it, which takes seconds."""
        database = _sqlite_file(self.uri)
        return database is not None and not database.is_file()


@dataclass(frozen=True)
class Version:
    """One version of a registered program."""

    name: str
    number: int
    aliases: tuple[str, ...]
    created_at: datetime
    run_id: str
    facts: Mapping[str, str] = field(default_factory=dict)
    """What was recorded with it: optimizer, score_before, score_after, and `MadeWith.facts`."""

    @property
    def uri(self) -> str:
        """What `registry.load` takes."""
        return f"models:/{self.name}/{self.number}"


@contextmanager
def connect(where: RegistrySettings) -> "Iterator[MlflowClient]":
    """A client of `where`; what MLflow raises inside the block becomes a RegistryError."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for chatty in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        if database := _sqlite_file(where.uri):
            database.parent.mkdir(parents=True, exist_ok=True)
        yield MlflowClient(where.uri, where.uri)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise RegistryError(f"{where.uri}: {' '.join(str(error).split())[:300]}") from error


@contextmanager
def run_in(where: RegistrySettings, experiment: str, name: str) -> "Iterator[tuple[MlflowClient, Run]]":
    """A client and a new run of `experiment`, which is made if there is none; FAILED where the block raises."""
    with connect(where) as client:
        known = client.get_experiment_by_name(experiment)
        number = known.experiment_id if known else client.create_experiment(experiment, where.artifacts)
        run, status = client.create_run(number, run_name=name), "FAILED"
        try:
            yield client, run
            status = "FINISHED"
        finally:
            client.set_terminated(run.info.run_id, status)


@contextmanager
def connect_existing(where: RegistrySettings, name: str) -> "Iterator[tuple[MlflowClient, dict[int, Version]]]":
    """A client, and the versions of `name` by number. Raises RegistryError when there is none."""
    missing = f"no version of {name} is registered at {where.uri}; make one with `genrec compile`"
    if where.is_unborn():
        raise RegistryError(missing)
    with connect(where) as client:
        known = read_versions(client, name)
        if not known:
            raise RegistryError(missing)
        yield client, known


def read_versions(client: "MlflowClient", name: str) -> dict[int, Version]:
    """The versions of `name` by number."""
    models = client.search_registered_models(f"name = '{name}'")
    if not models:
        return {}
    held: dict[int, list[str]] = {}
    for alias, number in models[0].aliases.items():
        held.setdefault(int(number), []).append(alias)
    return {
        int(found.version): Version(
            name=name,
            number=int(found.version),
            aliases=tuple(sorted(held.get(int(found.version), []))),
            created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
            run_id=found.run_id or "",
            facts=dict(found.tags),
        )
        for found in client.search_model_versions(f"name = '{name}'", max_results=1000)
    }


def holder(known: Mapping[int, Version], alias: str) -> Version | None:
    """The version that has `alias`."""
    return next((version for version in known.values() if alias in version.aliases), None)


def there_is(known: Mapping[int, Version]) -> str:
    """What exists, for a message."""
    told = [f"{n} ({', '.join(v.aliases)})" if v.aliases else str(n) for n, v in sorted(known.items())]
    return f"there is version {', '.join(told)}"


def _sqlite_file(uri: str) -> Path | None:
    return Path(uri.removeprefix("sqlite:///").split("?")[0]) if uri.startswith("sqlite:///") else None
