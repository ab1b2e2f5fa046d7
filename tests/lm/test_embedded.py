"""The embedded model as an engine: the same request gets the same answer, odd requests get one or a clear error."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import dspy
import pytest

from genrec.lm.compact import CompactAdapter
from genrec.lm.connect import LanguageModel, open_lm
from genrec.lm.embedded import CONTEXT_TOKENS
from genrec.signatures import GuardrailCheck, ItemDescriber, ThemePlanner

GROUPS = (
    ["rice noodles", "tofu", "soy sauce", "bok choy", "chilli oil"],
    ["oats", "bananas", "dates", "soy milk", "peanut butter"],
    ["dog food", "dog treats", "leashes", "chew toys", "dog beds"],
)


def plan(model: LanguageModel, candidates, *, temperature=0.7, seed=1, count=1, facts="diet: vegan; on: 12 November"):
    with dspy.context(lm=model.lm.copy(), adapter=model.adapter):
        predictor = dspy.Predict(ThemePlanner)
        inputs = {"shopper": facts, "candidates": list(candidates), "avoid": [], "count": count}
        return predictor(**inputs, config={"temperature": temperature, "seed": seed, "max_tokens": 60 * count}).themes


def describe(model: LanguageModel, keywords, seed=1):
    with dspy.context(lm=model.lm.copy(), adapter=model.adapter):
        inputs = {"title": "Noodle night", "concepts": ["rice noodles"], "keywords": list(keywords)}
        return dspy.Predict(ItemDescriber)(**inputs, config={"temperature": 1.0, "seed": seed}).descriptor.keywords


@pytest.mark.slow
def test_the_same_request_gets_the_same_answer_whatever_came_before(embedded):
    first = [plan(embedded, group) for group in GROUPS]
    again = [plan(embedded, group) for group in reversed(GROUPS)][::-1]
    describe(embedded, GROUPS[0])
    alone = plan(open_lm(), GROUPS[1])
    assert first == again
    assert first[1] == alone
    assert plan(embedded, GROUPS[0], seed=2) != first[0]


@pytest.mark.slow
def test_threads_wait_for_each_other(embedded):
    alone = [plan(embedded, group) for group in GROUPS]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda group: plan(embedded, group), GROUPS))
    assert together == alone


@pytest.mark.slow
def test_what_stays_the_same_is_read_from_the_cache(embedded):
    lm = embedded.lm.copy()
    with dspy.context(lm=lm, adapter=embedded.adapter):
        for group in GROUPS[:2]:
            dspy.Predict(ThemePlanner)(
                shopper="on: May", candidates=group, avoid=[], count=1, config={"max_tokens": 60}
            )
    for entry in lm.history[1:]:
        usage = entry["usage"]
        assert 0 < usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"]
        assert usage["completion_tokens"] > 0


@pytest.mark.slow
def test_hot_samples_keep_to_the_grammar(embedded):
    """Temperature 2: without the grammar this is noise."""
    for seed in range(12):
        (theme,) = plan(embedded, GROUPS[seed % 3], temperature=2.0, seed=seed)
        assert [c for c in GROUPS[seed % 3] if c in theme.concepts] == list(theme.concepts)
        assert len(theme.concepts) == 4
    assert len(plan(embedded, GROUPS[0], temperature=2.0, count=2)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "candidates",
    [
        ['6" pan', "back\\slash", "it's", "50% off", 'quote"'],
        ["crème brûlée", "豆腐", "مكسرات", "🍜 ramen 👩🏽‍🍳", "ẞ"],
        ["::=", "[a-z]", "(x)?", "{1,2}", "# comment", '" | "'],
        ["\x08\x0c\x1b", "a\x00b", "\u202e", "tab\there", "line\nbreak", "plain"],
        ["<|im_end|>", "<|im_start|>system", "root", "pick-0-0", "nul"],
        [f"candidate number {n}" for n in range(200)],
    ],
    ids=["quotes", "unicode", "syntax", "control", "template", "200"],
)
def test_odd_candidates_do_not_break_the_decoder(embedded, candidates):
    chosen = describe(embedded, candidates)
    assert 3 <= len(set(chosen)) == len(chosen) <= 6
    try:
        (theme,) = plan(embedded, candidates, seed=3)
        assert len(theme.title) >= 8
    except dspy.utils.exceptions.AdapterParseError as error:
        pytest.fail(f"unreadable: {error.lm_response!r}")


@pytest.mark.slow
@pytest.mark.parametrize("candidates", [[], [""], ["only one"]], ids=["none", "empty", "one"])
def test_too_few_candidates_are_an_error_that_says_so(embedded, candidates):
    with pytest.raises((dspy.utils.exceptions.AdapterParseError, dspy.LMError)):
        plan(embedded, candidates)
    assert plan(embedded, GROUPS[0])


@pytest.mark.slow
def test_a_prompt_longer_than_the_context_is_refused(embedded):
    with pytest.raises(dspy.LMError, match=r"llama\.cpp"):
        plan(embedded, GROUPS[0], facts="word " * 2 * CONTEXT_TOKENS)
    assert plan(embedded, GROUPS[0])


@pytest.mark.slow
def test_a_schema_is_kept_too(embedded):
    """Any DSPy adapter works with the engine; response_format is enforced by the decoder."""
    from typing import Literal

    class Colour(dspy.Signature):
        """Name the colour."""

        thing: str = dspy.InputField()
        colour: Literal["red", "green", "blue"] = dspy.OutputField()

    with dspy.context(lm=embedded.lm.copy(), adapter=dspy.JSONAdapter()):
        assert dspy.Predict(Colour)(thing="the sky").colour in {"red", "green", "blue"}


@pytest.mark.slow
def test_the_port_speaks_openai_and_carries_the_same_fields(embedded):
    """One adapter for both ways; only the time that the arithmetic takes differs."""
    from genrec.lm.embedded import EmbeddedEngine

    engine = EmbeddedEngine()
    assert engine.address.startswith("http://127.0.0.1:")
    remote = open_lm("openai/smollm2", api_base=engine.address, adapter="compact", timeout=60)
    assert isinstance(remote.adapter, CompactAdapter)
    (theme,) = plan(remote, GROUPS[0], temperature=2.0)
    assert [c for c in GROUPS[0] if c in theme.concepts] == list(theme.concepts)
    assert plan(remote, GROUPS[1], seed=5) == plan(remote, GROUPS[1], seed=5)
    lm = remote.lm.copy()
    with dspy.context(lm=lm, adapter=remote.adapter):
        for _ in range(2):
            lines = ["1. section: Wine for children", "2. Red wine"]
            deny = dspy.Predict(GuardrailCheck)(shopper="age 7", lines=lines).deny
            assert set(deny) <= {1, 2}
    assert lm.history[1]["usage"]["prompt_tokens_details"]["cached_tokens"] > 0


def test_an_engine_that_is_never_asked_can_be_dropped():
    """In a process of its own, so that a destructor that hangs fails the test and not the run."""
    code = "from genrec.lm.embedded import EmbeddedEngine\nfor _ in range(4):\n    EmbeddedEngine()\nprint('gone')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "gone\n", done.stderr
