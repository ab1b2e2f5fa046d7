"""Program state by name: all of it comes back, and whatever does not fit is named and loads nothing."""

import copy
import json
from collections.abc import Callable
from typing import Any

import dspy
import pytest

from genrec.errors import ProgramStateError
from genrec.page import Descriptor, Theme
from genrec.programs.state import FORMAT, dump_state, load_state, packaged_state
from genrec.signatures import GuardrailCheck, ItemDescriber, ThemePlanner


class Program(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.plan = dspy.Predict(ThemePlanner)
        self.describe = dspy.Predict(ItemDescriber)
        self.guard = dspy.Predict(GuardrailCheck)


THEME = Theme(concepts=("tea", "milk", "sugar"), title="Tea with milk", rationale="Because.", objective="value")


def learned() -> Program:
    """A program that differs from a new one in everything that can be learned."""
    program = Program()
    program.plan.signature = program.plan.signature.with_instructions("Plan “boldly”.\n\nTwice.")
    program.plan.signature = program.plan.signature.with_updated_fields("count", desc="how many, please")
    program.plan.demos = [
        dspy.Example(shopper="vegan", candidates=["tea", "milk"], avoid=[], count=1, themes=[THEME], augmented=True)
    ]
    program.describe.demos = [
        dspy.Example(title="Tea", concepts=["tea"], keywords=["tea"], descriptor=Descriptor(keywords=("tea",)))
    ]
    program.guard.demos = [dspy.Example(shopper="x", lines=["1. section: Tea"], deny=[])]
    program.guard.config = {"temperature": 0.25}
    return program


def as_json(state: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(state))


def test_what_was_learned_comes_back() -> None:
    fresh = Program()
    load_state(fresh, as_json(dump_state(learned())))
    assert dump_state(fresh) == dump_state(learned())
    assert fresh.plan.signature.instructions == "Plan “boldly”.\n\nTwice."
    assert fresh.plan.signature.fields["count"].json_schema_extra["desc"] == "how many, please"
    assert fresh.plan.demos[0].themes == [THEME], "demonstrations are typed again"
    assert fresh.describe.demos[0].descriptor == Descriptor(keywords=("tea",))
    assert fresh.guard.config == {"temperature": 0.25}


def test_loading_forgets_what_was_there() -> None:
    program = learned()
    load_state(program, as_json(dump_state(Program())))
    assert dump_state(program) == dump_state(Program())
    assert program.plan.demos == []


def test_bookkeeping_of_dspy_is_not_state() -> None:
    assert "augmented" not in dump_state(learned())["predictors"]["plan"]["demos"][0]


def test_types_are_the_programs_not_the_states() -> None:
    fresh = Program()
    load_state(fresh, as_json(dump_state(learned())))
    assert fresh.plan.signature.fields["themes"].annotation == list[Theme]


def test_the_order_of_the_predictors_does_not_matter() -> None:
    state = as_json(dump_state(learned()))
    state["predictors"] = {name: state["predictors"][name] for name in reversed(state["predictors"])}
    fresh = Program()
    load_state(fresh, state)
    assert dump_state(fresh) == dump_state(learned())
    assert list(fresh.plan.signature.fields) == list(ThemePlanner.fields)


def test_fields_in_another_order_are_an_error_that_names_it() -> None:
    state = as_json(dump_state(learned()))
    fields = state["predictors"]["plan"]["fields"]
    state["predictors"]["plan"]["fields"] = {name: fields[name] for name in reversed(fields)}
    with pytest.raises(ProgramStateError, match="fields of plan are in the order"):
        load_state(Program(), state)


def test_the_state_is_not_shared_with_the_program() -> None:
    state = as_json(dump_state(learned()))
    before = copy.deepcopy(state)
    fresh = Program()
    load_state(fresh, state)
    fresh.guard.config["temperature"] = 1.0
    fresh.plan.demos.clear()
    assert state == before


def test_two_programs_do_not_share_a_signature() -> None:
    one, other = Program(), Program()
    load_state(one, as_json(dump_state(learned())))
    assert other.plan.signature.instructions == ThemePlanner.instructions


Change = Callable[[dict[str, Any]], None]


def plan(state: dict[str, Any]) -> dict[str, Any]:
    return state["predictors"]["plan"]


def rename(mapping: dict[str, Any], old: str, new: str) -> None:
    mapping[new] = mapping.pop(old)


BROKEN: dict[str, tuple[Change, tuple[str, ...]]] = {
    "newer format": (lambda s: s.update(format=FORMAT + 1), ("format 2", "reads 1", "compile again")),
    "no format": (lambda s: s.pop("format"), ("format None",)),
    "another program": (lambda s: s.update(program="BottomUp"), ("'BottomUp'", "Program")),
    "no predictors": (lambda s: s.pop("predictors"), ("predictors",)),
    "missing predictor": (lambda s: s["predictors"].pop("guard"), ("lacks ['guard']",)),
    "unknown predictor": (lambda s: s["predictors"].update(judge={}), ("has ['judge']",)),
    "renamed predictor": (lambda s: rename(s["predictors"], "plan", "planner"), ("['plan']", "['planner']")),
    "predictor is a list": (lambda s: s["predictors"].update(plan=[]), ("plan", "fields")),
    "missing field": (lambda s: plan(s)["fields"].pop("count"), ("fields of plan", "lacks ['count']")),
    "unknown field": (lambda s: plan(s)["fields"].update(mood={}), ("fields of plan", "has ['mood']")),
    "renamed field": (lambda s: rename(plan(s)["fields"], "shopper", "user"), ("['shopper']", "['user']")),
    "no fields": (lambda s: plan(s).pop("fields"), ("plan", "fields")),
    "input became output": (lambda s: plan(s)["fields"]["count"].update(kind="output"), ("plan.count", "input")),
    "field without kind": (lambda s: plan(s)["fields"]["count"].pop("kind"), ("plan.count", "kind")),
    "field without description": (lambda s: plan(s)["fields"]["count"].pop("desc"), ("plan.count", "desc")),
    "no instructions": (lambda s: plan(s).pop("instructions"), ("plan", "instructions")),
    "config is a list": (lambda s: plan(s).update(config=[1]), ("plan", "config")),
    "demonstrations missing": (lambda s: plan(s).pop("demos"), ("plan", "demos")),
    "demonstration is text": (lambda s: plan(s).update(demos=["tea"]), ("demonstration 0 of plan",)),
    "unknown field in a demonstration": (
        lambda s: plan(s)["demos"][0].update(mood="good"),
        ("demonstration 0 of plan", "['mood']"),
    ),
    "title too long in a demonstration": (
        lambda s: plan(s)["demos"][0]["themes"][0].update(title="x" * 49),
        ("demonstration 0 of plan", "title"),
    ),
    "wrong type in the last predictor": (
        lambda s: s["predictors"]["guard"]["demos"][0].update(deny="all"),
        ("demonstration 0 of guard", "list"),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(name: str) -> None:
    change, told = BROKEN[name]
    state = as_json(dump_state(learned()))
    change(state)
    program = Program()
    before = dump_state(program)
    with pytest.raises(ProgramStateError) as caught:
        load_state(program, state)
    assert [text for text in told if text not in str(caught.value)] == []
    assert dump_state(program) == before


class TestPackaged:
    def test_it_fits_the_signatures(self) -> None:
        state = packaged_state()
        program = Program()
        load_state(program, {**state, "program": "Program"})
        assert dump_state(program) == {**state, "program": "Program"}

    def test_it_has_the_wording_of_the_signatures(self) -> None:
        """The signature is the specification; a stale copy in the package would quietly replace it."""
        for name, predictor in packaged_state()["predictors"].items():
            signature = dict(Program().named_predictors())[name].signature
            assert predictor["instructions"].split() == signature.instructions.split()
            described = {field: told["desc"] for field, told in predictor["fields"].items()}
            assert described == {f: i.json_schema_extra["desc"] for f, i in signature.fields.items()}

    def test_every_caller_gets_a_copy(self) -> None:
        packaged_state()["predictors"].clear()
        assert packaged_state()["predictors"]
