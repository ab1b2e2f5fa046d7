"""Evaluations in a real MLflow store: what a run holds, what becomes of one that cannot be logged whole."""

import os
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from genrec.errors import RegistryError
from genrec.evaluation.results import EvaluationReport
from genrec.evaluation_log import EXPERIMENT, log_evaluation
from genrec.registry import RegistrySettings
from genrec.registry_store import run_in
from tests.serving.evaluation_report_example import CARDS, METRICS, example_report

NAMES = ("models:/genrec-page@champion", "models:/genrec-page/3", "packaged", "one-prompt")
WRITTEN = ("genrec-page-champion", "genrec-page/3", "packaged", "one-prompt")
"""What MLflow takes for them: no `@`, no `:`."""


@pytest.fixture
def client(settings: RegistrySettings) -> MlflowClient:
    return MlflowClient(settings.uri, settings.uri)


@pytest.fixture(scope="module")
def report() -> EvaluationReport:
    return example_report(programs=NAMES, shoppers=12, metrics=METRICS[:4] + METRICS[-1:])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `genrec evaluate` leaves: two reports, and pages that are no part of the run."""
    (tmp_path / "report.json").write_text('{"of": "this run"}', encoding="utf-8")
    (tmp_path / "report.html").write_text("<!doctype html>", encoding="utf-8")
    (tmp_path / "pages").mkdir()
    return tmp_path


def runs_of(client: MlflowClient, experiment: str) -> dict[str, str]:
    """Status by run id."""
    found = client.get_experiment_by_name(experiment)
    return {run.info.run_id: run.info.status for run in client.search_runs([found.experiment_id])} if found else {}


class TestLogging:
    def test_what_was_asked_is_there_as_parameters(
        self, report: EvaluationReport, folder: Path, settings: RegistrySettings, client: MlflowClient
    ) -> None:
        deciding = tuple(card.criterion for card in CARDS if card.earned)
        asked = report.model_copy(update={"deciding": deciding})
        run = client.get_run(log_evaluation(asked, folder, settings))
        assert (run.info.status, run.info.run_name) == ("FINISHED", "evaluate models:/genrec-page@champion")
        assert run.data.params == {
            "catalog": "sample 9f2c81aa07b3d4e5",
            "on": "2026-06-15",
            "weeks": "8",
            "match": "leaf",
            "shoppers": "12",
            "programs": ", ".join(NAMES),
            "deciding": "item.relevance, section.clarity, guardrail.allowed",
            "advisory": "section.appeal, page.cohesion",
        }

    def test_means_are_metrics_of_each_program_and_what_was_not_measured_is_left_out(
        self, report: EvaluationReport, folder: Path, settings: RegistrySettings, client: MlflowClient
    ) -> None:
        logged = client.get_run(log_evaluation(report, folder, settings)).data.metrics
        assert logged == pytest.approx(
            {
                f"{written}.{name}": mean.value
                for program, written in zip(report.programs, WRITTEN, strict=True)
                for name, mean in program.means.items()
                if mean is not None
            }
        )
        assert "dollars" in report.programs[0].means
        assert sorted(key for key in logged if key.startswith("packaged.")) == [
            "packaged.judge.item.relevance",
            "packaged.ndcg_2d",
            "packaged.recall",
            "packaged.reciprocal_rank",
        ]

    def test_the_reports_are_its_files_and_the_pages_are_not(
        self, report: EvaluationReport, folder: Path, settings: RegistrySettings, client: MlflowClient
    ) -> None:
        run_id = log_evaluation(report, folder, settings)
        assert [file.path for file in client.list_artifacts(run_id)] == ["report.html", "report.json"]
        there = Path(unquote(urlparse(client.get_run(run_id).info.artifact_uri).path))
        assert settings.artifacts is not None
        assert there.is_relative_to(unquote(urlparse(settings.artifacts).path)), "beside the database"
        for name in ("report.json", "report.html"):
            assert (there / name).read_bytes() == (folder / name).read_bytes()

    def test_nothing_held_out_and_nobody_judged(
        self, report: EvaluationReport, folder: Path, settings: RegistrySettings, client: MlflowClient
    ) -> None:
        plain = report.model_copy(update={"weeks": None, "judges": (), "metrics": ()})
        params = client.get_run(log_evaluation(plain, folder, settings)).data.params
        assert (params["weeks"], params["deciding"], params["advisory"]) == ("None", "", "")

    def test_another_evaluation_is_another_run_of_the_same_experiment(
        self, report: EvaluationReport, folder: Path, settings: RegistrySettings, client: MlflowClient
    ) -> None:
        before = set(runs_of(client, EXPERIMENT))
        made = [log_evaluation(report, folder, settings) for _ in range(2)]
        assert len(set(made)) == 2
        assert set(runs_of(client, EXPERIMENT)) - before == set(made)
        assert len(client.search_experiments(filter_string=f"name = '{EXPERIMENT}'")) == 1


class TestFailing:
    @pytest.mark.parametrize("missing", ["report.json", "report.html"])
    def test_a_missing_report_is_an_error_and_a_failed_run(
        self, report: EvaluationReport, folder: Path, settings: RegistrySettings, client: MlflowClient, missing: str
    ) -> None:
        before = runs_of(client, EXPERIMENT)
        (folder / missing).unlink()
        with pytest.raises(RegistryError, match=missing) as caught:
            log_evaluation(report, folder, settings)
        assert str(caught.value).startswith(f"{settings.uri}: ")
        ((run_id, status),) = set(runs_of(client, EXPERIMENT).items()) - set(before.items())
        assert status == "FAILED"
        assert client.get_run(run_id).data.params["shoppers"] == "12", "what had been logged stays to be looked at"

    def test_a_database_that_is_none(self, report: EvaluationReport, folder: Path, tmp_path: Path) -> None:
        path = tmp_path / "mlflow.db"
        path.write_bytes(b"no database" * 500)
        with pytest.raises(RegistryError, match=r"mlflow\.db: "):
            log_evaluation(report, folder, RegistrySettings.at(uri=f"sqlite:///{path}"))
        assert path.read_bytes() == b"no database" * 500


class TestRunIn:
    def test_the_experiment_is_made_once_with_its_files_beside_the_database(
        self, settings: RegistrySettings, client: MlflowClient, name: str
    ) -> None:
        assert client.get_experiment_by_name(name) is None
        ids = []
        for title in ("one", "two"):
            with run_in(settings, name, title) as (inside, run):
                ids.append(run.info.run_id)
                assert inside.get_run(run.info.run_id).info.status == "RUNNING"
        experiment = client.get_experiment_by_name(name)
        assert experiment.artifact_location == settings.artifacts
        assert runs_of(client, name) == dict.fromkeys(ids, "FINISHED")
        found = [client.get_run(run_id).info for run_id in ids]
        assert [info.run_name for info in found] == ["one", "two"]
        assert {info.experiment_id for info in found} == {experiment.experiment_id}

    @pytest.mark.parametrize(
        ("raised", "seen"),
        [
            (ValueError("a bug"), ValueError),
            (KeyboardInterrupt(), KeyboardInterrupt),
            (MlflowException("it said no"), RegistryError),
            (OSError(28, "No space left on device"), RegistryError),
        ],
        ids=["a bug", "Ctrl-C", "MLflow", "a full disk"],
    )
    def test_a_run_that_did_not_get_to_its_end_failed(
        self,
        settings: RegistrySettings,
        client: MlflowClient,
        name: str,
        raised: BaseException,
        seen: type[BaseException],
    ) -> None:
        with pytest.raises(seen) as caught, run_in(settings, name, "x") as (inside, run):
            inside.log_param(run.info.run_id, "kept", "yes")
            raise raised
        assert list(runs_of(client, name).values()) == ["FAILED"]
        assert caught.value is raised or caught.value.__cause__ is raised
        assert client.get_run(run.info.run_id).data.params == {"kept": "yes"}

    def test_mlflows_own_address_is_neither_read_nor_set(
        self, settings: RegistrySettings, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
        with run_in(settings, name, "x"):
            pass
        assert not (tmp_path / "other.db").exists()
        assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path / 'other.db'}"
