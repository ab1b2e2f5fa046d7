"""One real registry on SQLite for this folder (making one takes seconds); every test registers a name of its own."""

from pathlib import Path
from typing import Any

import pytest

from genrec.catalog.store import Catalog
from genrec.evaluation.page_metric import PageScore
from genrec.optimizers.made_with import MadeWith
from genrec.programs.relevance import CosineRelevance
from genrec.programs.state import packaged_state
from genrec.registry import RegistrySettings
from tests.catalog.conftest import make_items


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a home") / ".genrec"


@pytest.fixture(scope="session")
def settings(home: Path) -> RegistrySettings:
    return RegistrySettings.at(home)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return request.node.name.replace("[", "-").replace("]", "")


@pytest.fixture(scope="session")
def index_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("indexes") / "small"
    Catalog.build(make_items(), path)
    return path


@pytest.fixture(scope="session")
def catalog(index_path: Path) -> Catalog:
    return Catalog.open(index_path)


@pytest.fixture(scope="session")
def made_with(catalog: Catalog) -> MadeWith:
    return MadeWith(
        encoder=catalog.embedder.fingerprint,
        gate=CosineRelevance(catalog.embedder).name,
        threshold=0.2,
        judge="page-metric-1",
        training_set="0123456789abcdef",
        lm="scripted/model",
        catalog=catalog.fingerprint,
    )


def state_titled(title: str) -> dict[str, Any]:
    """The packaged state with a first demonstration of the planner that can be told by its title."""
    state = packaged_state()
    state["predictors"]["plan"]["demos"][0]["themes"][0]["title"] = title
    return state


def score(shopper_id: str, total: float) -> PageScore:
    return PageScore(
        shopper_id=shopper_id,
        gate_relevance=total,
        history_fit=None,
        diversity=0.5,
        distinctness=0.5,
        titles=1.0,
        completeness=1.0,
        valid_output=None,
        total=total,
        reason="titles is 1.00 and costs most",
    )
