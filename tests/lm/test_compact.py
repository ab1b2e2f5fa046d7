"""How small models are spoken to: a prefix that stays cached, terse lines, and answers that are checked."""

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError

from genrec.lm.compact import CompactAdapter, instruction, listed, plain
from genrec.page import Descriptor, Theme
from genrec.signatures import GuardrailCheck, ItemDescriber, ThemePlanner
from tests.doubles import ScriptedEngine, asked

ADAPTER = CompactAdapter()
DEMOS = [
    {
        "shopper": "diet: vegan",
        "candidates": ["red lentils", "coconut milk", "oats"],
        "avoid": [],
        "count": 1,
        "themes": [Theme(concepts=("red lentils", "coconut milk", "oats"), title="Curries for tonight")],
    },
    {
        "shopper": "on: May",
        "candidates": ["basil"],
        "count": 1,
        "themes": [{"concepts": ["a", "b", "c"], "title": "Salads"}],
    },
]


def ask(answer: str, signature=ThemePlanner, demos=(), config=None, **inputs):
    engine = ScriptedEngine([answer])
    predictor = dspy.Predict(signature)
    predictor.demos = list(demos)
    with dspy.context(lm=dspy.LM("scripted/model", engine=engine, cache=False, num_retries=0), adapter=ADAPTER):
        prediction = predictor(**inputs, config=config or {})
    return prediction, engine.requests[0]


def planner_inputs(**changes):
    given = {"shopper": "diet: vegan; on: May", "candidates": ["oats", "tofu", "rice"], "avoid": [], "count": 1}
    return {**given, **changes}


def test_a_request_is_terse_and_ends_with_what_changes():
    prediction, request = ask("oats, tofu, rice | Bowls for May", demos=DEMOS, **planner_inputs())
    assert prediction.themes == [Theme(concepts=("oats", "tofu", "rice"), title="Bowls for May")]
    assert request.system == instruction(ThemePlanner)
    assert "\n" not in request.system
    assert [m.role for m in request.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert request.messages[1].text == "red lentils, coconut milk, oats | Curries for tonight"
    assert asked(request) == "shopper: diet: vegan; on: May\ncandidates: oats, tofu, rice\ncount: 1"


def test_the_prefix_is_the_same_from_call_to_call():
    _, one = ask("oats, tofu, rice | Bowls for May", demos=DEMOS, **planner_inputs())
    other = planner_inputs(shopper="on: June", candidates=["wine", "beer", "gin"], count=2, avoid=["Bowls"])
    _, two = ask("wine, beer, gin | Drinks in June", demos=DEMOS, **other)
    assert one.system == two.system
    assert one.messages[:-1] == two.messages[:-1]
    assert one.messages[-1] != two.messages[-1]


def test_each_signature_has_a_slot_and_only_the_planner_its_lora():
    _, plan = ask("oats, tofu, rice | Bowls for May", **planner_inputs())
    _, describe = ask("oats", ItemDescriber, title="Bowls", concepts=["oats"], keywords=["oats", "tofu"])
    _, guard = ask("none", GuardrailCheck, shopper="on: May", lines=["1. section: Bowls", "2. Oats"])
    extensions = [request.config.extensions for request in (plan, describe, guard)]
    assert [e["id_slot"] for e in extensions] == [0, 1, 2]
    assert [e["lora"][0]["scale"] for e in extensions] == [1.0, 0.0, 0.0]
    assert all(e["grammar"].startswith("root ::= ") for e in extensions)


def test_sampling_comes_from_the_call_and_is_never_left_to_the_server():
    _, request = ask("oats, tofu, rice | Bowls for May", config={"temperature": 0.7, "seed": 5}, **planner_inputs())
    assert (request.config.temperature, request.config.seed) == (0.7, 5)
    _, request = ask("oats, tofu, rice | Bowls for May", **planner_inputs(count=2))
    assert (request.config.temperature, request.config.seed, request.config.max_tokens) == (0.0, 0, 128)


@pytest.mark.parametrize(
    ("phrase", "written"),
    [("red,  wine", "red wine"), ("a|b;c", "a b c"), ("two\nlines\t", "two lines"), (" , ", ""), ('6" pan', '6" pan')],
)
def test_separators_do_not_stand_in_a_phrase(phrase, written):
    assert plain(phrase) == written


def test_what_is_shown_is_what_may_be_chosen():
    assert listed(["oats", "", " oats", "red, wine", "|"]) == ["oats", "red wine"]
    _, request = ask("oats, tofu, rice | Bowls for May", **planner_inputs(candidates=["oats", "", "oats", "a|b"]))
    assert "candidates: oats, a b\n" in asked(request)
    assert request.config.extensions["grammar"].count('"oats"') == request.config.extensions["grammar"].count('"a b"')


@pytest.mark.parametrize(
    ("signature", "answer"),
    [
        (ThemePlanner, ""),
        (ThemePlanner, "oats, tofu, rice"),
        (ThemePlanner, "oats | Too few concepts"),
        (ThemePlanner, "oats, tofu, rice | " + "x" * 49),
        (ThemePlanner, "oats, tofu, rice | A good one\nand a line without a bar"),
        (GuardrailCheck, "1, two"),
        (GuardrailCheck, ""),
        (GuardrailCheck, "9" * 5000),
    ],
)
def test_answers_that_do_not_read(signature, answer):
    with pytest.raises(AdapterParseError) as caught:
        ADAPTER.parse(signature, answer)
    assert caught.value.lm_response == answer


def test_answers_that_read():
    assert ADAPTER.parse(GuardrailCheck, "none\n") == {"deny": []}
    assert ADAPTER.parse(GuardrailCheck, "2, 5") == {"deny": [2, 5]}
    assert ADAPTER.parse(ItemDescriber, "oats, tofu,\n") == {"descriptor": Descriptor(keywords=("oats", "tofu"))}


def test_a_signature_that_it_cannot_write_is_named():
    class Judge(dspy.Signature):
        """Judge."""

        page: str = dspy.InputField()
        score: float = dspy.OutputField()

    with pytest.raises(TypeError, match=r"\['score'\] of Judge"):
        ask("0.5", Judge, page="x")
