"""A version through plain MLflow: rows in, pages out, in a process that knows nothing of genrec's registry."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genrec.catalog.store import Catalog
from genrec.errors import RegistryError, RequestError
from genrec.optimizers.made_with import MadeWith
from genrec.page import Page, PageRequest, Shopper
from genrec.pyfunc import PagePredictor, read_program, requests_of, write_model
from genrec.registry import RegistrySettings, load, log_version
from tests.doubles import plain_answers, scripted_lm
from tests.registry.conftest import state_titled

ANN = {"shopper_id": "ann", "diets": ["vegan"]}
FULL = {"shopper": ANN, "on": "2026-11-12", "sections": 2, "items_per_section": 3, "seed": 4}
REQUEST = PageRequest.model_validate(FULL)
FLAT = {**ANN, **{name: value for name, value in FULL.items() if name != "shopper"}}


@pytest.mark.parametrize(
    "rows",
    [
        [{"request": FULL}],
        [{"request": json.dumps(FULL)}],
        [FULL],
        [FLAT],
        FLAT,
        [REQUEST],
        pd.DataFrame([{"request": json.dumps(FULL)}]),
        pd.DataFrame([{"request": FULL}]),
        pd.DataFrame([{**FLAT, "age": np.nan, "note": None}]),
        pd.DataFrame([FULL]),
    ],
)
def test_a_row_may_be_written_in_several_ways(rows: Any) -> None:
    assert requests_of(rows) == [REQUEST]


def test_rows_keep_their_order_and_empty_cells_their_defaults() -> None:
    frame = pd.DataFrame([{"shopper_id": "ann", "age": 30.0, "sections": 2}, {"shopper_id": "bob", "sections": 3}])
    ann, bob = requests_of(frame)
    assert (ann.shopper, ann.sections) == (Shopper(shopper_id="ann", age=30), 2)
    assert (bob.shopper, bob.sections) == (Shopper(shopper_id="bob"), 3)
    assert requests_of([]) == requests_of(pd.DataFrame()) == []


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"request": {"shopper": {"shopper_id": ""}}}, "shopper.shopper_id"),
        ({"request": "{"}, "Invalid JSON"),
        ({"shopper_id": "ann", "colour": "red"}, "colour"),
        ({}, "shopper"),
        (7, "not iterable"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_generated(row: Any, problem: str, catalog: Catalog) -> None:
    with pytest.raises(RequestError, match=rf"row 1: .*{problem}.*give a column `request`"):
        requests_of([FULL, row])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, made_with: MadeWith) -> Path:
    folder = tmp_path_factory.mktemp("model") / "model"
    write_model(folder, state_titled("Beans for the whole week"), made_with)
    return folder


def test_pages_come_back_as_json_values_in_order(model: Path, catalog: Catalog) -> None:
    program = read_program(model / "data" / "program", catalog, scripted_lm(plain_answers))
    pages = PagePredictor(program).predict([FULL, {**FULL, "shopper": {"shopper_id": "bob"}}])
    assert [Page.model_validate_json(json.dumps(page)).shopper_id for page in pages] == ["ann", "bob"]
    assert [len(page["sections"]) for page in pages] == [2, 2]


def test_a_directory_without_a_program_is_an_error(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(RegistryError, match="there is no such directory; compile again"):
        read_program(tmp_path / "data" / "program", catalog, scripted_lm([]))


PLAIN_PROCESS = """
import json, sys
import mlflow
rows, config = json.loads(sys.argv[1]), json.loads(sys.argv[2])
model = mlflow.pyfunc.load_model("models:/plain@champion", model_config=config)
pages = model.predict(rows)
print("PAGES" + json.dumps(pages))
"""


@pytest.mark.slow
def test_another_process_gives_the_same_page_through_plain_mlflow(
    home: Path,
    settings: RegistrySettings,
    made_with: MadeWith,
    catalog: Catalog,
    index_path: Path,
    tmp_path: Path,
) -> None:
    """The embedded model, here and in a process that only knows MLflow and where the database is."""
    version = log_version(
        state_titled("Beans for the whole week"),
        metrics_before=[],
        metrics_after=[],
        params={"optimizer": "labeled"},
        provenance=made_with,
        settings=settings,
        name="plain",
    )
    here = load("models:/plain@champion", catalog, settings=settings, deadline=300.0).generate(REQUEST)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GENREC_")}
    environment |= {
        "MLFLOW_TRACKING_URI": settings.uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GENREC_LM_DEADLINE": "300",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    config = json.dumps({"catalog": str(index_path)})
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_PROCESS, json.dumps([{"request": FULL}]), config],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (there,) = [Page.model_validate(p) for p in json.loads(done.stdout.split("PAGES")[1])]
    assert there.sections == here.sections and there.drops == here.drops
    assert there.provenance == here.provenance
    assert there.provenance.program == f"top-down plain/{version.number}"


@pytest.mark.slow
def test_two_versions_on_one_embedded_model_give_the_pages_they_give_alone(
    settings: RegistrySettings, made_with: MadeWith, catalog: Catalog
) -> None:
    for title in ("Beans for the whole week", "Pulses to live on"):
        log_version(
            state_titled(title),
            metrics_before=[],
            metrics_after=[],
            params={},
            provenance=made_with,
            settings=settings,
            name="pair",
        )
    one = load("models:/pair/1", catalog, settings=settings, deadline=300.0)
    alone = one.generate(REQUEST)
    two = load("models:/pair/2", catalog, one.parts.model, settings=settings, deadline=300.0)
    two.generate(REQUEST)
    again = one.generate(REQUEST)
    assert again.sections == alone.sections
