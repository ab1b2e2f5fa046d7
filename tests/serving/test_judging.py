"""Who judges and who decides: judges measured on a tiny gold folder, their cards kept, and the panel that they make."""

import json
from pathlib import Path
from typing import Any

import pytest

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.errors import CatalogError, GenrecError, LMError, ModelFileError, RequestError, SettingsError
from genrec.evaluation import cards as cards_file
from genrec.evaluation.agreement import BARS, JudgeCard
from genrec.evaluation.cards import FILE, cards_json, measure, read_cards, write_cards
from genrec.evaluation.gold_judgments import items_of, load_gold
from genrec.evaluation.judges import CRITERIA
from genrec.evaluation.learned import open_learned
from genrec.evaluation.panel import Panel
from genrec.evaluation.rule_judges import PolicyJudge
from genrec.lm.chat import ChatAdapter
from genrec.serving import judging
from genrec.serving.judging import judges_of, measure_judges, panel_of
from genrec.settings import Settings
from tests.doubles import asked, scripted_lm
from tests.faulty_server import field, says, section, serving
from tests.judge_cards import card_for
from tests.programs.small_shop import Compass, small_shop
from tests.tiny_gold import ASKED, RULES_KAPPA, RULES_RATES, write_gold

GUARD = "guardrail.allowed"
Told = list[tuple[str, int, int]]
LM = Settings(lm="openai/x", api_base="http://127.0.0.1:1/v1")
"""An LM that is large enough to judge, and cannot be reached."""


@pytest.fixture(scope="module", autouse=True)
def _no_shipped_cards(tmp_path_factory: pytest.TempPathFactory):
    """The cards of a home are all there are: those that genrec ships would fit the shipped judges."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cards_file, "SHIPPED", tmp_path_factory.mktemp("shipped") / "none.json")
        yield


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return small_shop(tmp_path_factory.mktemp("judging"))


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All levels, in the test split."""
    return write_gold(tmp_path_factory.mktemp("gold") / "mine")


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    """Guardrail cases alone: what measures in no time."""
    return write_gold(tmp_path / "guarded", levels=["guardrails.jsonl"])


def measured(settings: Settings, gold: Path | None, judge: Any = "learned", split: str = "test") -> list[JudgeCard]:
    return measure_judges(settings, judge, gold, split, lambda *what: None)


def kappa(card: JudgeCard) -> float | None:
    return None if card.agreement.kappa is None else card.agreement.kappa.value


@pytest.fixture
def _denies_milk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large LM that knows one rule."""

    def answer(request: Any) -> str:
        return denies_milk("guard", asked(request))

    model = scripted_lm(answer, name="scripted/large", small=False, adapter=ChatAdapter())
    monkeypatch.setattr(judging, "open_model", lambda settings: model)


def denies_milk(stage: str, question: str) -> str:
    """Denies the item, which is line 2 of what is asked, when it says milk."""
    return section("deny", [2] if "milk" in field(question, "lines")[1].lower() else [])


MILK_RATES = [2 / 3, 2 / 5]
"""Of three that gold allows it denies the oat milk; of the five others it denies milk and milk chocolate."""


def rates(card: JudgeCard) -> list[float]:
    found = (card.agreement.true_positive_rate, card.agreement.true_negative_rate)
    return [rate.value for rate in found if rate is not None]


@pytest.mark.slow
class TestMeasured:
    """The learned judges and the rules, once for all of these."""

    @pytest.fixture(scope="class")
    def home(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("home")

    @pytest.fixture(scope="class")
    def told(self) -> Told:
        return []

    @pytest.fixture(scope="class")
    def cards(self, home: Path, gold: Path, told: Told) -> list[JudgeCard]:
        settings = Settings(home=home, judge_bars={GUARD: 0.7, "page.fit": 0.0})
        return measure_judges(settings, "learned", gold, "test", lambda *what: told.append(what))

    def test_one_card_a_criterion_and_the_rules_guard(self, cards: list[JudgeCard]) -> None:
        assert {card.criterion: card.judge for card in cards} == dict.fromkeys(CRITERIA, "learned") | {GUARD: "rules"}
        assert [(c.criterion, c.cases) for c in cards][-1] == (GUARD, ASKED)
        assert {card.cases for card in cards if card.criterion.startswith("section.")} == {16}

    def test_the_rules_by_hand(self, cards: list[JudgeCard]) -> None:
        rules = cards[-1]
        assert kappa(rules) == pytest.approx(RULES_KAPPA)
        assert tuple(rates(rules)) == RULES_RATES
        assert rules.fingerprint == PolicyJudge().fingerprint

    def test_the_learned_ones_are_measured_on_this_gold_with_its_own_items(
        self, cards: list[JudgeCard], gold: Path
    ) -> None:
        theirs = open_learned(items_of(gold))
        for card in cards:
            if card.criterion in ("item.relevance", "section.clarity"):
                assert card == measure(theirs[card.criterion], load_gold(gold))

    def test_bars_of_the_settings_decide_who_decides(self, cards: list[JudgeCard]) -> None:
        assert {card.criterion: card.bar for card in cards} == {**BARS, GUARD: 0.7, "page.fit": 0.0}
        assert cards[-1].earned, "0.75 is under the usual 0.8 and above the bar that was set"
        assert not cards[-1].model_copy(update={"bar": BARS[GUARD]}).earned

    def test_progress_is_told_of_each_judge(self, cards: list[JudgeCard], told: Told) -> None:
        assert told == [("judges", n, 10) for n in range(1, 11)]

    def test_they_are_kept_and_the_panel_goes_by_them(self, cards: list[JudgeCard], home: Path, shop: Catalog) -> None:
        kept = json.loads((home / FILE).read_bytes())["cards"]
        assert sorted(kept, key=str) == sorted(json.loads(cards_json(cards))["cards"], key=str)
        panel = panel_of(Settings(home=home, judge_bars={GUARD: 0.7, "page.fit": 0.0}), shop, "learned")
        assert panel.deciding == tuple(c for c in CRITERIA for card in cards if card.criterion == c and card.earned)
        assert GUARD in panel.deciding
        assert not [c for c in panel.deciding if c.startswith(("section.", "page."))], "too few cases, whatever the bar"
        strict = panel_of(Settings(home=home), shop, "learned")
        assert set(panel.deciding) - set(strict.deciding) == {GUARD}
        assert strict.cards[GUARD] is not None and strict.cards[GUARD].bar == 0.8


class TestMeasuring:
    @pytest.mark.usefixtures("_denies_milk")
    def test_only_the_cards_of_the_test_split_are_kept(self, tmp_path: Path) -> None:
        gold = write_gold(tmp_path / "gold", "dev", levels=["guardrails.jsonl"])
        (card,) = measured(Settings(home=tmp_path / "home"), gold, "lm", split="dev")
        assert (card.criterion, card.gold) == (GUARD, f"{load_gold(gold).fingerprint}/dev")
        assert rates(card) == pytest.approx(MILK_RATES)
        assert not (tmp_path / "home").exists()

    @pytest.mark.usefixtures("_denies_milk")
    def test_a_split_without_cases_has_no_cards_and_takes_none_away(self, tmp_path: Path, guarded: Path) -> None:
        settings = Settings(home=tmp_path / "home")
        (card,) = measured(settings, guarded, "lm")
        assert measured(settings, guarded, "lm", split="train") == []
        elsewhere = write_gold(tmp_path / "gold", "dev", levels=["guardrails.jsonl"])
        assert measured(settings, elsewhere, "lm") == []
        assert read_cards(settings.home) == [card]

    @pytest.mark.usefixtures("_denies_milk")
    def test_measuring_again_replaces_and_others_keep_theirs(self, tmp_path: Path, guarded: Path) -> None:
        rules = card_for(PolicyJudge(), 0.9)
        write_cards([rules], tmp_path / FILE)
        (first,) = measured(Settings(home=tmp_path), guarded, "lm")
        assert read_cards(tmp_path) == [first, rules]
        lines = (guarded / "guardrails.jsonl").read_bytes().splitlines(keepends=True)
        (guarded / "guardrails.jsonl").write_bytes(b"".join(lines[:-1]))
        (second,) = measured(Settings(home=tmp_path), guarded, "lm")
        assert (first.cases, second.cases) == (ASKED, ASKED - 1)
        assert read_cards(tmp_path) == [second, rules]

    @pytest.mark.usefixtures("_denies_milk")
    def test_cards_that_cannot_be_read_are_not_written_over(self, tmp_path: Path, guarded: Path) -> None:
        (tmp_path / FILE).write_bytes(b"precious")
        with pytest.raises(RequestError, match="delete it and measure again"):
            measured(Settings(home=tmp_path), guarded, "lm")
        assert (tmp_path / FILE).read_bytes() == b"precious"

    def test_an_lm_at_an_address_answers_for_itself_as_a_guard_too(self, tmp_path: Path, shop: Catalog) -> None:
        gold = write_gold(tmp_path / "gold", levels=["titles.jsonl", "guardrails.jsonl"])

        def answer(stage: str, question: str) -> str:
            always_2 = "[[ ## reason ## ]]\nso\n\n[[ ## grade ## ]]\n2\n\n[[ ## completed ## ]]"
            return denies_milk(stage, question) if stage == "guard" else always_2

        with serving(says(answer)) as server:
            settings = Settings(home=tmp_path, lm="openai/faulty", api_base=server.address)
            cards = measured(settings, gold, "lm")
        assert {card.judge for card in cards} == {"openai/faulty"}
        assert [c.criterion for c in cards] == [*(c for c in CRITERIA if c.startswith("section.")), GUARD]
        assert kappa(cards[0]) == pytest.approx(0), "what is always the same agrees by chance"
        assert rates(cards[-1]) == pytest.approx(MILK_RATES)
        panel = panel_of(settings, shop, "lm")
        assert [c for c, card in panel.cards.items() if card] == [c.criterion for c in cards[:-1]]
        assert panel.cards[GUARD] is None, "of a page the rules judge that, and they were not measured"

    @pytest.mark.parametrize(
        ("changed", "error", "said"),
        [
            ({"gold": Path("no-such-folder")}, RequestError, "no-such-folder: no gold judgments"),
            ({"judge": "lm"}, SettingsError, "the embedded model is no judge"),
            ({"judge": "none"}, SettingsError, "name who is to be measured, learned or lm"),
            ({"split": "all"}, SettingsError, "--split all: gold judgments have train, dev, test"),
            ({"judge_bars": {"guardrail": 0.5}}, SettingsError, "'guardrail' is no criterion; there are item"),
            ({"judge_bars": {GUARD: 80}}, SettingsError, "guardrail.allowed = 80.0"),
            ({"learned_judges": Path("my-judges")}, ModelFileError, "my-judges.*judge_training"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
    )
    def test_what_cannot_be_measured_leaves_no_card(
        self, tmp_path: Path, guarded: Path, changed: dict[str, Any], error: type[GenrecError], said: str
    ) -> None:
        asking = {name: changed.get(name, usual) for name, usual in (("judge", "learned"), ("split", "test"))}
        settings = {name: value for name, value in changed.items() if name in Settings.model_fields}
        with pytest.raises(error, match=said):
            measured(Settings(home=tmp_path / "home", **settings), changed.get("gold", guarded), **asking)
        assert not (tmp_path / "home").exists()

    def test_a_bad_item_of_the_folder_is_named(self, tmp_path: Path, guarded: Path) -> None:
        (guarded / "catalog.jsonl").write_text('{"item_id": "tea"}\n', encoding="utf-8")
        with pytest.raises(CatalogError, match=r"catalog\.jsonl.*1.*title"):
            measured(Settings(home=tmp_path / "home"), guarded)

    def test_what_an_lm_has_answered_for_is_kept_when_the_next_question_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gold = write_gold(tmp_path / "gold", levels=["titles.jsonl", "guardrails.jsonl"])

        def answer(request: Any) -> str:
            guarding = "[[ ## lines ## ]]" in asked(request)
            return "hm" if guarding else "[[ ## reason ## ]]\nso\n\n[[ ## grade ## ]]\n2\n\n[[ ## completed ## ]]"

        model = scripted_lm(answer, name="scripted/large", small=False, adapter=ChatAdapter())
        monkeypatch.setattr(judging, "open_model", lambda settings: model)
        with pytest.raises(LMError, match=GUARD):
            measured(Settings(home=tmp_path), gold, "lm")
        assert {card.criterion for card in read_cards(tmp_path)} == {c for c in CRITERIA if c.startswith("section.")}


class TestPanel:
    """LM judges, which cost nothing until they are asked, and the rules."""

    @pytest.fixture
    def home(self, tmp_path: Path, shop: Catalog) -> Path:
        """Cards of two: one at its bar, one under it."""
        judges = judges_of(LM, shop, "lm")
        write_cards([card_for(judges["page.fit"], 0.6), card_for(judges[GUARD], 0.79)], tmp_path / FILE)
        return tmp_path

    def panel(self, shop: Catalog, home: Path, **settings: Any) -> Panel:
        return panel_of(LM.model_copy(update={"home": home, **settings}), shop, "lm")

    def test_those_at_their_bar_decide_and_the_others_advise(self, home: Path, shop: Catalog) -> None:
        panel = self.panel(shop, home)
        assert panel.criteria == tuple(CRITERIA)
        assert panel.deciding == ("page.fit",)
        assert {c for c, card in panel.cards.items() if card is not None} == {"page.fit", GUARD}

    def test_bars_move_it(self, home: Path, shop: Catalog) -> None:
        assert self.panel(shop, home, judge_bars={GUARD: 0.79, "page.fit": 0.61}).deciding == (GUARD,)

    def test_a_bar_of_no_criterion_is_an_error(self, home: Path, shop: Catalog) -> None:
        with pytest.raises(SettingsError, match="'page' is no criterion"):
            self.panel(shop, home, judge_bars={"page": 0.5})

    def test_unproven_judges_decide_when_asked_to(self, home: Path, shop: Catalog) -> None:
        assert self.panel(shop, home, unproven_judges=True).deciding == tuple(CRITERIA)

    def test_a_card_is_of_one_lm(self, home: Path, shop: Catalog) -> None:
        assert self.panel(shop, home, lm="openai/y", judge_bars={GUARD: 0.7}).deciding == (GUARD,)

    def test_nobody_was_measured_in_an_empty_home(self, tmp_path: Path, shop: Catalog) -> None:
        assert self.panel(shop, tmp_path / "empty").deciding == ()

    def test_a_damaged_file_of_cards_is_an_error(self, tmp_path: Path, shop: Catalog) -> None:
        (tmp_path / FILE).write_text(json.dumps({"cards": [{}]}), encoding="utf-8")
        with pytest.raises(RequestError, match=r"judges\.json: holds no judges' cards"):
            self.panel(shop, tmp_path)

    def test_the_rules_guard_whoever_judges_the_rest(self, shop: Catalog) -> None:
        assert {c: judge.name for c, judge in judges_of(LM, shop, "lm").items()} == dict.fromkeys(
            CRITERIA, "openai/x"
        ) | {GUARD: "rules"}
        assert {c: judge.name for c, judge in judges_of(Settings(), shop, "learned").items()} == dict.fromkeys(
            CRITERIA, "learned"
        ) | {GUARD: "rules"}

    def test_the_embedded_model_is_no_judge(self, shop: Catalog) -> None:
        with pytest.raises(SettingsError, match="no better than chance"):
            panel_of(Settings(), shop, "lm")

    def test_learned_judges_of_another_folder(self, tmp_path: Path, shop: Catalog) -> None:
        with pytest.raises(ModelFileError, match=str(tmp_path / "mine")):
            panel_of(Settings(learned_judges=tmp_path / "mine"), shop, "learned")

    def test_the_rules_that_judge_a_page_are_those_that_were_measured(self, tmp_path: Path, shop: Catalog) -> None:
        """Whatever the shop declares: cards are of no one catalog."""
        teas = [Item(item_id=f"{n}", title=f"Tea {n}", dietary=frozenset({"vegan"})) for n in range(6)]
        vegan = Catalog.build(teas, tmp_path / "vegan", Compass())
        judges = [judges_of(LM, store, "lm")[GUARD] for store in (shop, vegan)]
        assert {judge.fingerprint for judge in judges} == {PolicyJudge().fingerprint}
