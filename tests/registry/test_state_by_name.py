"""What a version's program.json promises: fields are matched by name, and a misfit loads nothing at all."""

import copy
from typing import Any

import pytest

from genrec.catalog.store import Catalog
from genrec.errors import ProgramStateError
from genrec.programs.relevance import CosineRelevance
from genrec.programs.state import dump_state, load_state, packaged_state
from genrec.programs.top_down import TopDown
from tests.doubles import scripted_lm


@pytest.fixture
def program(catalog: Catalog) -> TopDown:
    return TopDown(catalog, scripted_lm([]), relevance=CosineRelevance(catalog.embedder))


def rename(state: dict[str, Any]) -> None:
    fields = state["predictors"]["describe"]["fields"]
    fields["words"] = fields.pop("keywords")


def remove(state: dict[str, Any]) -> None:
    del state["predictors"]["plan"]["fields"]["avoid"]


def add(state: dict[str, Any]) -> None:
    state["predictors"]["guard"]["fields"]["mood"] = {"kind": "input", "desc": ""}


def turn(state: dict[str, Any]) -> None:
    state["predictors"]["guard"]["fields"]["lines"]["kind"] = "output"


def lose_a_predictor(state: dict[str, Any]) -> None:
    del state["predictors"]["guard"]


def spoil_a_demo(state: dict[str, Any]) -> None:
    state["predictors"]["guard"]["demos"][0]["deny"] = ["the cider"]


def demo_of_an_unknown_field(state: dict[str, Any]) -> None:
    state["predictors"]["plan"]["demos"][1]["mood"] = "low"


def reorder(state: dict[str, Any]) -> None:
    fields = state["predictors"]["plan"]["fields"]
    fields["shopper"] = fields.pop("shopper")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename, r"fields of describe .*lacks \['keywords'\] and has \['words'\]"),
        (remove, r"fields of plan .*lacks \['avoid'\]"),
        (add, r"fields of guard .*has \['mood'\]"),
        (turn, r"guard.lines is an output in the state and an input"),
        (lose_a_predictor, r"predictors .*lacks \['guard'\]"),
        (spoil_a_demo, r"demonstration 0 of guard: "),
        (demo_of_an_unknown_field, r"demonstration 1 of plan has unknown fields \['mood'\]"),
        (reorder, r"fields of plan .*order"),
    ],
)
def test_a_misfit_is_named_and_nothing_is_loaded(program: TopDown, change: Any, message: str) -> None:
    state = copy.deepcopy(packaged_state())
    state["predictors"]["plan"]["instructions"] = "Plan something else."
    change(state)
    before = dump_state(program)
    with pytest.raises(ProgramStateError, match=message):
        load_state(program, state)
    assert dump_state(program) == before
