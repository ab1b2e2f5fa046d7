"""Who may guard: a large LM is asked only when its word was measured and is good enough, or when a flag says so."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest

from genrec import pyfunc, registry
from genrec.catalog.store import Catalog
from genrec.errors import RequestError, SettingsError
from genrec.evaluation import cards as cards_file
from genrec.evaluation.cards import FILE, write_cards
from genrec.evaluation.guard import CRITERION, lm_guard
from genrec.evaluation.lm_judges import LMJudge, lm_judges
from genrec.evaluation.rule_judges import PolicyJudge
from genrec.lm.chat import ChatAdapter
from genrec.lm.connect import LanguageModel
from genrec.optimizers.made_with import made_with
from genrec.page import PageRequest
from genrec.programs.policy import ShopPolicy
from genrec.programs.state import packaged_state
from genrec.programs.top_down import TopDown
from genrec.serving import doctor, opening
from genrec.serving.opening import open_program
from genrec.settings import Settings
from tests.doubles import asked, plain_answers, scripted_lm
from tests.faulty_server import STAGES, good
from tests.judge_cards import card_for

LARGE = "scripted/large"


def large(name: str = LARGE) -> LanguageModel:
    def answers(request: dspy.lm15.Request) -> str:
        stage = next(stage for mark, stage in STAGES.items() if mark in asked(request))
        return good(stage, asked(request))

    return scripted_lm(answers, name=name, small=False, adapter=ChatAdapter())


@pytest.fixture(autouse=True)
def _no_shipped_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cards_file, "SHIPPED", tmp_path / "no-cards.json")


@pytest.fixture
def opened(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[TopDown, list[str]]]:
    """Opens the program on an LM as the command line does; returns what was said about it, too."""

    def open_it(model: LanguageModel | None = None, **settings: Any) -> tuple[TopDown, list[str]]:
        monkeypatch.setattr(opening, "open_model", lambda settings: model or large())
        said: list[str] = []
        wanted = Settings(home=tmp_path, relevance="cosine", lm_deadline=900.0, **settings)
        return open_program(wanted, catalog, tell=said.append), said

    return open_it


def measured(home: Path, kappa: float | None, model: LanguageModel | None = None) -> None:
    """A card as `genrec evaluate --judges --judge lm` writes it: of the LM's judge as it is made there."""
    (judge,) = (j for j in lm_judges(model or large(), {}) if j.criterion == CRITERION)
    write_cards([card_for(judge, kappa)], home / FILE)


def test_an_lm_that_was_never_measured_is_not_asked(opened, request_for: Callable[..., PageRequest]) -> None:
    program, said = opened()
    assert said == [
        "the LM is not asked as a guard (scripted/large on guardrail.allowed: never measured); measure it with "
        "`genrec evaluate --judges --judge lm --lm scripted/large`, or let it guard with --unproven-judges"
    ]
    page = program.generate(request_for(sections=2))
    assert list(page.usage) == ["plan", "describe"], "it plans and describes all the same"
    assert not page.degraded and len(page.sections) == 2


def test_one_that_has_earned_it_is_asked(opened, tmp_path: Path, request_for: Callable[..., PageRequest]) -> None:
    measured(tmp_path, 0.8)
    program, said = opened()
    assert said == []
    assert "guard" in program.generate(request_for(sections=2)).usage


@pytest.mark.parametrize(
    ("kappa", "reason"),
    [(0.41, "kappa 0.410 is under its bar 0.8"), (None, "kappa is not defined on its 50 cases")],
)
def test_one_under_its_bar_is_not(opened, tmp_path: Path, kappa: float | None, reason: str) -> None:
    measured(tmp_path, kappa)
    program, said = opened()
    assert not program.parts.lm_guard
    assert reason in said[0]


def test_the_bar_is_the_settings(opened, tmp_path: Path) -> None:
    measured(tmp_path, 0.6)
    assert opened(judge_bars={CRITERION: 0.5})[0].parts.lm_guard
    measured(tmp_path, 0.85)
    program, (said,) = opened(judge_bars={CRITERION: 0.9})
    assert not program.parts.lm_guard and "kappa 0.850 is under its bar 0.9" in said


def test_a_flag_lets_it_guard_all_the_same(opened, tmp_path: Path) -> None:
    measured(tmp_path, 0.1)
    program, said = opened(unproven_judges=True)
    assert program.parts.lm_guard and said == []


def test_a_card_is_of_one_lm(opened, tmp_path: Path) -> None:
    measured(tmp_path, 0.9, large("scripted/another"))
    program, said = opened()
    assert not program.parts.lm_guard and "never measured" in said[0]


def test_a_guard_that_asks_another_question_is_another_judge(catalog: Catalog, gate, tmp_path: Path) -> None:
    measured(tmp_path, 0.9)
    program = TopDown(catalog, large(), relevance=gate)
    settings = Settings(home=tmp_path)
    assert lm_guard(program, settings).asked
    program.guard.demos = program.guard.demos[:1]
    assert lm_guard(program, settings) == (False, "scripted/large on guardrail.allowed: never measured")


def test_the_judge_that_is_measured_is_the_guard_of_the_packaged_program(catalog: Catalog, gate) -> None:
    program = TopDown(catalog, large(), relevance=gate)
    there = LMJudge(large(), CRITERION, catalog.items)
    here = LMJudge(large(), CRITERION, catalog.items, predictor=program.guard)
    assert program.guard.demos, "or this would show nothing"
    assert there.fingerprint == here.fingerprint


def test_a_small_lm_is_not_asked_and_nothing_is_said(opened) -> None:
    program, said = opened(scripted_lm(plain_answers))
    assert not program.parts.lm_guard and said == []
    assert not opened(scripted_lm(plain_answers), unproven_judges=True)[0].parts.lm_guard


def test_a_library_user_decides_for_themselves(catalog: Catalog, gate, request_for: Callable[..., PageRequest]) -> None:
    pages = [
        TopDown(catalog, large(), relevance=gate, deadline=900.0, lm_guard=wanted).generate(request_for(sections=2))
        for wanted in (True, False)
    ]
    assert ["guard" in page.usage for page in pages] == [True, False]
    assert [s.theme.title for s in pages[0].sections] == [s.theme.title for s in pages[1].sections]


def test_a_version_is_loaded_with_or_without_it(catalog: Catalog, gate, tmp_path: Path) -> None:
    pyfunc.write_model(tmp_path / "model", packaged_state(), made_with(TopDown(catalog, large(), relevance=gate), []))
    data = tmp_path / "model" / "data" / "program"
    for wanted in (True, False):
        packaged = registry.load("packaged", catalog, large(), relevance=gate, lm_guard=wanted)
        read = pyfunc.read_program(data, catalog, large(), relevance=gate, lm_guard=wanted)
        assert packaged.parts.lm_guard is read.parts.lm_guard is wanted


def test_cards_that_cannot_be_read_are_an_error(opened, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(RequestError, match="delete it and measure again"):
        opened()


def test_a_bar_of_no_criterion_is_an_error(opened) -> None:
    with pytest.raises(SettingsError, match="'guardrail' is no criterion; there are item.relevance"):
        opened(judge_bars={"guardrail": 0.5})


def test_a_version_served_by_mlflow_follows_the_same_rule(
    catalog: Catalog,
    gate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provenance = made_with(TopDown(catalog, large(), relevance=gate, threshold=0.3), [])
    pyfunc.write_model(tmp_path / "model", packaged_state(), provenance)
    monkeypatch.setattr(pyfunc, "open_lm", lambda *args, **kwargs: large())
    monkeypatch.setattr(pyfunc.Catalog, "open", lambda *args, **kwargs: catalog)
    data, config = str(tmp_path / "model" / "data" / "program"), {"home": str(tmp_path)}
    with caplog.at_level(logging.WARNING):
        assert not pyfunc._load_pyfunc(data, config)._program.parts.lm_guard
    assert "the LM is not asked as a guard" in caplog.text
    measured(tmp_path, 0.9)
    assert pyfunc._load_pyfunc(data, config)._program.parts.lm_guard


class TestDoctor:
    def guard(
        self, catalog: Catalog, home: Path, monkeypatch: pytest.MonkeyPatch, model: LanguageModel, **settings: Any
    ):
        monkeypatch.setattr(opening, "open_model", lambda settings: model)
        monkeypatch.setattr(Catalog, "open", lambda *args, **kwargs: catalog)
        finding = doctor._try("guard", lambda: doctor._guard(Settings(home=home, relevance="cosine", **settings)))
        return finding.ok, finding.detail

    def test_the_rules_alone(self, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        small = self.guard(catalog, tmp_path, monkeypatch, scripted_lm(plain_answers))
        assert small == (True, "policy rules (never measured) alone; a small LM is not asked")
        rules = card_for(PolicyJudge(ShopPolicy()), 0.91)
        write_cards([rules], tmp_path / FILE)
        ok, detail = self.guard(catalog, tmp_path, monkeypatch, large())
        assert ok and detail == (
            "policy rules (kappa 0.910 reaches its bar 0.8) alone; the LM is not asked: scripted/large on "
            "guardrail.allowed: never measured"
        )

    def test_the_lm_too(self, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        measured(tmp_path, 0.41)
        ok, detail = self.guard(catalog, tmp_path, monkeypatch, large(), unproven_judges=True)
        assert ok and "then the LM (scripted/large on guardrail.allowed: kappa 0.410 is under its bar 0.8)" in detail

    def test_bars_that_make_no_sense(self, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ok, detail = self.guard(catalog, tmp_path, monkeypatch, large(), judge_bars={CRITERION: 8.0})
        assert not ok and "a weighted kappa to ask for is from 0 to 1" in detail
