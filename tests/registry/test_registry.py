"""Versions in a real MLflow registry: logging, aliases, promoting, rolling back, loading, and what is said when not."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dspy
import pytest

from genrec.catalog.store import Catalog
from genrec.errors import ProgramStateError, RegistryError
from genrec.lm.connect import LanguageModel
from genrec.optimizers.made_with import MadeWith
from genrec.page import PageRequest, Shopper
from genrec.programs.relevance import CosineRelevance
from genrec.programs.state import dump_state, packaged_state
from genrec.registry import RegistrySettings, Version, load, log_version, promote, rollback, versions
from tests.doubles import ScriptedEngine, plain_answers, scripted_lm
from tests.registry.conftest import score, state_titled

REQUEST = PageRequest(shopper=Shopper(shopper_id="ann"), on=date(2026, 11, 12), sections=2, items_per_section=3, seed=4)


@pytest.fixture
def log(settings: RegistrySettings, made_with: MadeWith, name: str):
    """Log a version of a program whose first demonstration has this title."""

    def log_titled(title: str = "Big pots from dried beans", **changes) -> Version:
        return log_version(
            state_titled(title),
            metrics_before=[score("ann", 0.5), score("bob", 0.7)],
            metrics_after=[score("ann", 0.6), score("bob", 0.9)],
            params={"optimizer": "labeled", "demos": 3, "seed": 0},
            provenance=made_with.model_copy(update=changes),
            settings=settings,
            name=name,
        )

    return log_titled


def sent_to(lm: LanguageModel) -> str:
    """All that the scripted LM was told."""
    engine = lm.lm.engine
    assert isinstance(engine, ScriptedEngine) and engine.requests
    return "\n".join(m.text or "" for request in engine.requests for m in request.messages)


def test_the_first_version_serves_and_later_ones_challenge(log, settings: RegistrySettings, name: str) -> None:
    first, second = log(), log()
    assert (first.number, first.aliases) == (1, ("challenger", "champion"))
    assert (second.number, second.aliases) == (2, ("challenger",))
    assert second.uri == f"models:/{name}/2"
    listed = versions(settings, name=name)
    assert [(v.number, v.aliases) for v in listed] == [(2, ("challenger",)), (1, ("champion",))]
    assert listed[0].facts["optimizer"] == "labeled"
    assert (listed[0].facts["score_before"], listed[0].facts["score_after"]) == ("0.6000", "0.7500")
    assert listed[0].facts["threshold"] == "0.2" and listed[0].facts["lm"] == "scripted/model"


def test_a_run_holds_parameters_metrics_and_a_row_per_shopper(log, settings: RegistrySettings) -> None:
    from mlflow import MlflowClient

    version = log()
    client = MlflowClient(settings.uri, settings.uri)
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["demos"] == "3" and run.data.params["training_set"] == "0123456789abcdef"
    assert run.data.metrics["before.total"] == pytest.approx(0.6)
    assert run.data.metrics["after.diversity"] == pytest.approx(0.5)
    assert "after.history_fit" not in run.data.metrics
    folder = Path(run.info.artifact_uri.removeprefix("file://").replace("%20", " "))
    table = json.loads((folder / "page_scores.json").read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert [(r["moment"], r["shopper_id"], r["total"]) for r in rows] == [
        ("before", "ann", 0.5),
        ("before", "bob", 0.7),
        ("after", "ann", 0.6),
        ("after", "bob", 0.9),
    ]


def test_a_version_is_data_without_code_or_pickle(log, settings: RegistrySettings) -> None:
    from mlflow import MlflowClient

    artifacts = MlflowClient(settings.uri, settings.uri).get_run(log().run_id).info.artifact_uri
    model = Path(artifacts.removeprefix("file://").replace("%20", " ")) / "model"
    files = {str(p.relative_to(model)) for p in model.rglob("*") if p.is_file()}
    assert files == {
        "MLmodel",
        "conda.yaml",
        "python_env.yaml",
        "requirements.txt",
        "data/program/manifest.json",
        "data/program/program.json",
    }
    told = (model / "MLmodel").read_text()
    assert "loader_module: genrec.pyfunc" in told and "code: null" in told
    assert not any(word in told for word in ("pickle", "python_model"))


def test_promote_and_roll_back_move_the_aliases(log, settings: RegistrySettings, name: str) -> None:
    def holders() -> dict[str, int]:
        return {alias: v.number for v in versions(settings, name=name) for alias in v.aliases}

    log(), log(), log()
    assert promote(2, settings, name=name).aliases == ("champion",)
    assert holders() == {"champion": 2, "previous": 1, "challenger": 3}
    promote(3, settings, name=name)
    assert holders() == {"champion": 3, "previous": 2, "challenger": 3}
    promote(3, settings, name=name)
    assert holders()["previous"] == 2, "promoting the champion forgets nothing"
    assert rollback(settings, name=name).number == 2
    assert holders() == {"champion": 2, "previous": 3, "challenger": 3}
    assert rollback(settings, name=name).number == 3


def test_what_does_not_exist_is_named_with_what_does(
    log, settings: RegistrySettings, name: str, catalog: Catalog
) -> None:
    log(), log()
    there = r"there is version 1 \(champion\), 2 \(challenger\)"
    with pytest.raises(RegistryError, match=rf"{name} has no version 7; {there}"):
        promote(7, settings, name=name)
    with pytest.raises(RegistryError, match=rf"no alias 'previous', .* nothing to roll back to; {there}; .*promote"):
        rollback(settings, name=name)
    for uri in (f"models:/{name}/7", f"models:/{name}@prevoius"):
        with pytest.raises(RegistryError, match=rf"{uri}: there is no such version or alias; {there}"):
            load(uri, catalog, scripted_lm([]), settings=settings)
    with pytest.raises(RegistryError, match="no version of nobody is registered at .*; make one with `genrec compile`"):
        load("models:/nobody@champion", catalog, scripted_lm([]), settings=settings)
    for uri in ("genrec-page", "models:/", "runs:/1/model", "models:/it's@champion"):
        with pytest.raises(RegistryError, match="is no version; write models:/genrec-page@champion, "):
            load(uri, catalog, scripted_lm([]), settings=settings)


def test_a_registry_that_was_never_used_is_not_made_by_asking(tmp_path: Path, catalog: Catalog) -> None:
    where = RegistrySettings.at(tmp_path / "new")
    assert versions(where) == []
    for act in (
        lambda: promote(1, where),
        lambda: rollback(where),
        lambda: load("models:/genrec-page/1", catalog, settings=where),
    ):
        with pytest.raises(RegistryError, match="no version of genrec-page is registered at sqlite:.*genrec compile"):
            act()
    assert not (tmp_path / "new").exists()


def test_settings_come_from_the_call_then_mlflows_variable_then_home(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENREC_HOME", str(tmp_path / "h"))
    assert RegistrySettings.at().uri == f"sqlite:///{tmp_path / 'h' / 'mlflow.db'}"
    assert RegistrySettings.at(tmp_path / "g").artifacts == (tmp_path / "g" / "mlartifacts").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")
    assert RegistrySettings.at(tmp_path) == RegistrySettings("http://mlflow.example:5000", None)
    assert RegistrySettings.at(uri="http://other:5000").uri == "http://other:5000"


def test_what_was_logged_is_what_is_loaded(log, settings: RegistrySettings, name: str, catalog: Catalog) -> None:
    log("Beans for the whole week")
    lm = scripted_lm(plain_answers)
    program = load(f"models:/{name}@champion", catalog, lm, settings=settings)
    assert dump_state(program) == state_titled("Beans for the whole week")
    assert isinstance(program.parts.relevance, CosineRelevance), "the gate it was compiled with"
    page = program.generate(REQUEST)
    assert page.provenance.program == f"top-down {name}/1"
    assert "Beans for the whole week" in sent_to(lm)


def test_packaged_needs_no_registry(catalog: Catalog, tmp_path: Path) -> None:
    gate = CosineRelevance(catalog.embedder)
    where = RegistrySettings.at(tmp_path / "none")
    program = load("packaged", catalog, scripted_lm([]), settings=where, relevance=gate)
    assert dump_state(program) == packaged_state() and program.version == "packaged"
    assert not (tmp_path / "none").exists()


def test_two_versions_in_one_process_leave_each_other_alone(
    log, settings: RegistrySettings, name: str, catalog: Catalog
) -> None:
    before = (dspy.settings.lm, dspy.settings.adapter, dspy.settings.trace)
    log("Beans for the whole week"), log("Pulses to live on")
    lms = scripted_lm(plain_answers, name="scripted/one"), scripted_lm(plain_answers, name="scripted/two")
    one, two = (load(f"models:/{name}/{n}", catalog, lm, settings=settings) for n, lm in enumerate(lms, 1))
    alone = one.generate(REQUEST)
    two.generate(REQUEST)
    again = one.generate(REQUEST)
    assert again.sections == alone.sections and again.drops == alone.drops
    assert "Beans for the whole week" in sent_to(lms[0]) and "Pulses to live on" not in sent_to(lms[0])
    assert "Pulses to live on" in sent_to(lms[1]) and "Beans for the whole week" not in sent_to(lms[1])
    assert (one.parts.model.name, two.parts.model.name) == ("scripted/one", "scripted/two")
    assert (dspy.settings.lm, dspy.settings.adapter, dspy.settings.trace) == before


def test_another_encoder_or_gate_is_an_error_with_a_remedy(
    log, settings: RegistrySettings, name: str, catalog: Catalog
) -> None:
    log(encoder="another-encoder"), log(gate="cosine:another"), log(gate="another-gate")
    with pytest.raises(RegistryError, match="compiled with encoder another-encoder, the catalog is indexed with "):
        load(f"models:/{name}/1", catalog, scripted_lm([]), settings=settings)
    gate = CosineRelevance(catalog.embedder)
    for number in (2, 3):
        with pytest.raises(
            RegistryError, match="its threshold 0.2 belongs to the gate .*another.*give a threshold too"
        ):
            load(f"models:/{name}/{number}", catalog, scripted_lm([]), settings=settings, relevance=gate)
        load(f"models:/{name}/{number}", catalog, scripted_lm([]), settings=settings, relevance=gate, threshold=0.4)


def test_a_damaged_or_foreign_version_is_an_error_that_says_so(
    log, settings: RegistrySettings, name: str, catalog: Catalog
) -> None:
    from mlflow import MlflowClient

    version = log()
    artifacts = MlflowClient(settings.uri, settings.uri).get_run(version.run_id).info.artifact_uri
    data = Path(artifacts.removeprefix("file://").replace("%20", " ")) / "model" / "data" / "program"
    program = (data / "program.json").read_text()
    (data / "program.json").write_text(program[:-20])
    with pytest.raises(RegistryError, match="program.json: .* bytes where the manifest says .*compile again"):
        load(version.uri, catalog, scripted_lm([]), settings=settings)
    (data / "program.json").write_text(program)
    manifest = json.loads((data / "manifest.json").read_text())
    (data / "manifest.json").write_text(json.dumps({**manifest, "format_version": 2}))
    with pytest.raises(RegistryError, match="format 2, this genrec reads format 1; upgrade genrec, or compile again"):
        load(version.uri, catalog, scripted_lm([]), settings=settings)
    del manifest["made_with"]["encoder"]
    (data / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RegistryError, match="cannot be read .*encoder.*compile again"):
        load(version.uri, catalog, scripted_lm([]), settings=settings)


def test_a_state_that_does_not_fit_is_an_error_that_names_the_field(
    settings: RegistrySettings, made_with: MadeWith, name: str, catalog: Catalog
) -> None:
    state = packaged_state()
    fields = state["predictors"]["plan"]["fields"]
    fields["ideas"] = fields.pop("candidates")
    version = log_version(
        state, metrics_before=[], metrics_after=[], params={}, provenance=made_with, settings=settings, name=name
    )
    with pytest.raises(ProgramStateError, match=r"fields of plan do not match.*'candidates'.*'ideas'"):
        load(version.uri, catalog, scripted_lm([]), settings=settings)


def test_a_failed_upload_registers_nothing(log, settings: RegistrySettings, name: str, monkeypatch) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("genrec.pyfunc.write_manifest", full)
    with pytest.raises(RegistryError, match="no space left on device"):
        log()
    assert versions(settings, name=name) == []


def test_mlflow_keeps_to_itself(home: Path, tmp_path: Path) -> None:
    """Nothing on stdout, no global address set, no database where the command is run."""
    script = (
        "import sys; from genrec.registry import RegistrySettings, versions; import mlflow\n"
        f"versions(RegistrySettings.at({str(home)!r})); print(mlflow.is_tracking_uri_set(), end='')"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "GENREC"))}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False"
    assert list(tmp_path.iterdir()) == []
