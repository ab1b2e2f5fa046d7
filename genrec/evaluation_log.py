"""Evaluations as runs in MLflow: what was compared as parameters, means as metrics, the reports as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from genrec.registry_store import RegistrySettings, run_in

if TYPE_CHECKING:
    from genrec.evaluation.results import EvaluationReport

EXPERIMENT = "genrec-evaluate"


def log_evaluation(report: "EvaluationReport", folder: Path, where: RegistrySettings) -> str:
    """Log `report` and the files report.json and report.html of `folder`; returns the run's id.

    A metric is named PROGRAM.METRIC, with what MLflow does not take in a name (`:`, `@`) replaced by `-`.

    Raises:
        RegistryError: MLflow refused it.

    """
    with run_in(where, EXPERIMENT, f"evaluate {report.programs[0].name}") as (client, run):
        run_id = str(run.info.run_id)
        params = {
            "catalog": report.catalog,
            "on": report.on,
            "weeks": report.weeks,
            "match": report.match,
            "shoppers": len(report.shoppers),
            "programs": ", ".join(program.name for program in report.programs),
            "deciding": ", ".join(report.deciding),
            "advisory": ", ".join(c.criterion for c in report.judges if c.criterion not in report.deciding),
        }
        for key, value in params.items():
            client.log_param(run_id, key, value)
        for program in report.programs:
            for name, mean in program.means.items():
                if mean is not None:
                    client.log_metric(run_id, f"{_named(program.name)}.{name}", mean.value)
        for name in ("report.json", "report.html"):
            client.log_artifact(run_id, str(folder / name))
    return run_id


def _named(program: str) -> str:
    return program.replace("models:/", "").replace("@", "-").replace(":", "-")
