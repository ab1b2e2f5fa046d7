"""Every part is tried; what is missing is a finding with its remedy, never a traceback."""

from pathlib import Path

import pytest

from genrec.errors import ModelFileError
from genrec.serving import doctor
from genrec.serving.doctor import Finding, diagnose
from genrec.settings import Settings

PARTS = ["language model", "encoder", "relevance gate", "catalog", "registry", "guard"]


@pytest.fixture(autouse=True)
def _no_registry_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def by_part(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.part: finding for finding in findings}


def small_catalog(folder: Path) -> Path:
    path = folder / "shop.csv"
    path.write_text("item_id,title\n1,Green tea\n2,Black tea\n3,Oat biscuits\n")
    return path


def test_each_part_is_tried_and_described(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, catalog=small_catalog(tmp_path), lm="no-provider")
    found = by_part(diagnose(settings))
    assert list(found) == PARTS
    assert not found["language model"].ok
    assert "name the provider too" in found["language model"].detail
    assert found["encoder"].ok and "384 dimensions" in found["encoder"].detail
    assert found["relevance gate"].ok and "shows what is at least" in found["relevance gate"].detail
    assert found["catalog"].ok and "3 items" in found["catalog"].detail
    assert found["registry"].ok and "0 versions" in found["registry"].detail
    assert not found["guard"].ok and "name the provider too" in found["guard"].detail
    assert not (tmp_path / "mlflow.db").exists(), "looking creates nothing"


def test_a_missing_catalog_is_a_finding(tmp_path: Path) -> None:
    found = by_part(diagnose(Settings(home=tmp_path, catalog=tmp_path / "gone.csv", lm="x")))
    assert not found["catalog"].ok
    assert "gone.csv: no such catalog file" in found["catalog"].detail


def test_a_home_that_is_a_file_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    settings = Settings(home=tmp_path / "home", catalog=small_catalog(tmp_path), lm="x")
    found = by_part(diagnose(settings))
    assert not found["catalog"].ok
    assert found["catalog"].detail


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ModelFileError("gate: damaged; reinstall genrec"), "gate: damaged; reinstall genrec"),
        (ImportError("no module\nnamed torch"), "ImportError: no module named torch"),
        (PermissionError(13, "Permission denied"), "PermissionError: [Errno 13] Permission denied"),
    ],
)
def test_whatever_a_part_raises_is_told_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, detail: str
) -> None:
    def broken() -> str:
        raise error

    monkeypatch.setattr(doctor, "_gate", broken)
    settings = Settings(home=tmp_path, catalog=small_catalog(tmp_path), lm="x")
    assert by_part(diagnose(settings))["relevance gate"] == Finding("relevance gate", False, detail)


@pytest.mark.slow
def test_an_endpoint_that_does_not_answer_is_a_finding(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        catalog=small_catalog(tmp_path),
        lm="openai/any",
        api_base="http://127.0.0.1:9",
        lm_timeout=2,
    )
    found = by_part(diagnose(settings))["language model"]
    assert not found.ok
    assert found.detail.startswith("openai/any did not answer: ")


@pytest.mark.slow
def test_the_embedded_model_answers(tmp_path: Path) -> None:
    found = by_part(diagnose(Settings(home=tmp_path, catalog=small_catalog(tmp_path))))["language model"]
    assert found.ok
    assert "answers (" in found.detail
