"""Evaluations as runs in MLflow: what was compared as parameters, means as metrics, the reports as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from genrec.registry_store import RegistrySettings, connect

if TYPE_CHECKING:
    from genrec.evaluation.results import EvaluationReport

EXPERIMENT = "genrec-evaluate"


def log_evaluation(report: "EvaluationReport", folder: Path, where: RegistrySettings) -> str:
    """Log `report` and the files report.json and report.html of `folder`; returns the run's id.

    A metric is named PROGRAM.METRIC, with what MLflow does not take in a name (`:`, `@`) replaced by `-`.

    Raises:
        RegistryError: MLflow refused it.

    """
    with connect(where) as client:
        experiment = client.get_experiment_by_name(EXPERIMENT)
        experiment_id = (
            experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT, where.artifacts)
        )
        run = client.create_run(experiment_id, run_name=f"evaluate {report.programs[0].name}")
        run_id, status = run.info.run_id, "FAILED"
        try:
            params = {
                "catalog": report.catalog,
                "on": report.on,
                "weeks": report.weeks,
                "match": report.match,
                "shoppers": len(report.shoppers),
                "programs": ", ".join(program.name for program in report.programs),
                "judges": ", ".join(f"{c.criterion} {'decides' if c.earned else 'advisory'}" for c in report.judges),
            }
            for key, value in params.items():
                client.log_param(run_id, key, value)
            for program in report.programs:
                for name, mean in program.means.items():
                    if mean is not None:
                        client.log_metric(run_id, f"{_named(program.name)}.{name}", mean.value)
            for name in ("report.json", "report.html"):
                client.log_artifact(run_id, str(folder / name))
            status = "FINISHED"
        finally:
            client.set_terminated(run_id, status)
        return str(run_id)


def _named(program: str) -> str:
    return program.replace("models:/", "").replace("@", "-").replace(":", "-")
