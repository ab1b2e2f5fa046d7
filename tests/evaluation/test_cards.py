"""Judges' cards: measured on gold, kept, found again by exactly the judge they are of."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from genrec.errors import RequestError
from genrec.evaluation import cards as module
from genrec.evaluation.agreement import BARS, Agreement, JudgeCard
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.cards import FILE, card_of, cards_json, measure, read_cards, write_cards
from genrec.evaluation.gold_judgments import Gold, GoldCase, load_gold
from genrec.evaluation.judges import Judgment
from genrec.evaluation.rule_judges import PolicyJudge
from genrec.programs.policy import ShopPolicy


class Says:
    """Judges by what is written down; a case is its own name."""

    def __init__(self, grades: Mapping[str, int], criterion: str = "page.fit", fingerprint: str = "f1") -> None:
        self.name, self.criterion, self.fingerprint = "says", criterion, fingerprint
        self._grades = grades

    def judge(self, cases: Sequence[Any]) -> list[Judgment]:
        return [Judgment(self._grades[case] / 3, self._grades[case], "") for case in cases]


def card(judge: str = "says", criterion: str = "page.fit", fingerprint: str = "f1", kappa: float = 0.5) -> JudgeCard:
    unknown: dict[str, Any] = dict.fromkeys(("auc", "true_positive_rate", "true_negative_rate"))
    return JudgeCard(
        judge=judge,
        criterion=criterion,
        fingerprint=fingerprint,
        gold="g/test",
        cases=40,
        agreement=Agreement(kappa=Interval(value=kappa, low=1 / 3, high=0.9, n=4), **unknown),
        ceiling=None,
        bar=BARS[criterion],
    )


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cards that genrec ships, as this test has them: none, until it writes some."""
    path = tmp_path / "shipped" / "cards.json"
    path.parent.mkdir()
    monkeypatch.setattr(module, "SHIPPED", path)
    return path


@pytest.fixture
def gold() -> Gold:
    def case(key: str, grade: int, split: str = "test", again: int | None = None) -> GoldCase:
        second = {} if again is None else {"page.fit": again}
        return GoldCase(key, key, split, key, {"page.fit": grade}, second)

    return Gold({"page": (case("a", 0, again=1), case("b", 1), case("c", 3, again=3), case("d", 3, "dev"))}, "gold")


class TestMeasure:
    def test_a_card_worked_out_by_hand(self, gold: Gold) -> None:
        found = measure(Says({"a": 0, "b": 2, "c": 3}), gold)
        assert found is not None
        assert (found.judge, found.criterion, found.fingerprint) == ("says", "page.fit", "f1")
        assert (found.gold, found.cases, found.bar) == ("gold/test", 3, 0.6)
        assert found.agreement.kappa is not None
        # off by one once; expected: 29 squared over the nine pairs, of three cases (see test_agreement)
        assert found.agreement.kappa.value == pytest.approx(1 - 3 / 29)
        assert found.agreement.true_negative_rate is not None
        assert found.agreement.true_negative_rate.value == 1 / 2
        assert not found.earned, "three cases are too few to tell"
        # readers: 0 and 3 against 1 and 3; squared distances of the pairs 1, 9, 4, 0 over two cases
        assert found.ceiling is not None
        assert found.ceiling.value == pytest.approx(1 - 1 / (14 / 2))

    def test_another_split_and_another_bar(self, gold: Gold) -> None:
        found = measure(Says({"d": 3}), gold, split="dev", bar=0.0)
        assert found is not None
        assert (found.gold, found.cases, found.bar) == ("gold/dev", 1, 0.0)
        assert found.agreement.kappa is None and not found.earned

    def test_without_cases_there_is_no_card(self, gold: Gold) -> None:
        assert measure(Says({}), gold, split="train") is None
        assert measure(Says({}, "item.relevance"), gold) is None

    def test_the_rules_on_the_shipped_gold(self) -> None:
        found = measure(PolicyJudge(ShopPolicy()), load_gold())
        assert found is not None
        assert (found.judge, found.cases) == ("rules", 155)
        assert found.ceiling is not None and found.ceiling.n == 100


class TestKeeping:
    def test_there_and_back(self, tmp_path: Path) -> None:
        made = [card(), card(criterion="page.cohesion", kappa=0.1 + 0.2)]
        write_cards(made, tmp_path / "home" / FILE)
        assert read_cards(tmp_path / "home") == made

    def test_a_measured_judge_gets_a_new_card_and_others_keep_theirs(self, tmp_path: Path) -> None:
        old = [card(kappa=0.1), card("lm", fingerprint="f3"), card(fingerprint="f2"), card(criterion="page.cohesion")]
        write_cards(old, tmp_path / FILE)
        write_cards([card(kappa=0.9)], tmp_path / FILE)
        assert read_cards(tmp_path) == [card(kappa=0.9), *old[1:]]

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("a file")
        with pytest.raises(RequestError, match=r"home/judges\.json: cards cannot be kept there .*GENREC_HOME"):
            write_cards([card()], tmp_path / "home" / FILE)

    def test_own_cards_come_before_the_shipped_ones_which_stay_as_they_are(self, tmp_path: Path, shipped: Path) -> None:
        lm, third = card("lm", fingerprint="lm"), card("third", fingerprint="third")
        write_cards([card(kappa=0.1), lm], shipped)
        write_cards([card(kappa=0.9)], tmp_path / FILE)
        write_cards([third], tmp_path / FILE)
        assert read_cards(tmp_path) == [third, card(kappa=0.9), card(kappa=0.1), lm]
        assert read_cards(None) == [card(kappa=0.1), lm]
        assert len(json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["cards"]) == 2

    def test_the_bar_it_was_measured_with_stays_in_the_file(self, tmp_path: Path) -> None:
        strict = card().model_copy(update={"bar": 0.95})
        write_cards([strict], tmp_path / FILE)
        write_cards([card("lm", fingerprint="lm")], tmp_path / FILE)
        assert [one["bar"] for one in json.loads((tmp_path / FILE).read_bytes())["cards"]] == [0.6, 0.95]

    def test_bars_of_the_settings_are_those_that_count(self, tmp_path: Path) -> None:
        write_cards([card(kappa=0.65)], tmp_path / FILE)
        assert [c.earned for c in read_cards(tmp_path)] == [True]
        (found,) = read_cards(tmp_path, {**BARS, "page.fit": 0.7})
        assert (found.bar, found.earned) == (0.7, False)
        assert read_cards(tmp_path, {})[0].bar == 0.6

    def test_no_file_no_cards(self, tmp_path: Path) -> None:
        assert read_cards(tmp_path) == read_cards(None) == []

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b'{"cards": [{}]}', b'{"cards": [], "more": 1}', b"\xff\xfe", b"null"]
    )
    def test_a_file_that_holds_no_cards_is_named(self, tmp_path: Path, shipped: Path, content: bytes) -> None:
        for path, home in ((tmp_path / FILE, tmp_path), (shipped, None)):
            path.write_bytes(content)
            with pytest.raises(RequestError, match=rf"{path.name}: holds no judges' cards; delete it"):
                read_cards(home)
            path.unlink()

    def test_what_cannot_be_read_is_not_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / FILE).write_bytes(b"precious")
        with pytest.raises(RequestError):
            write_cards([card()], tmp_path / FILE)
        assert (tmp_path / FILE).read_bytes() == b"precious"

    def test_the_file_is_what_cards_json_says(self, tmp_path: Path) -> None:
        write_cards([card()], tmp_path / FILE)
        assert (tmp_path / FILE).read_text(encoding="utf-8") == cards_json([card()])
        assert [path.name for path in tmp_path.glob("judges*")] == [FILE], "nothing half written is left"


class TestFinding:
    def test_exactly_this_judge(self) -> None:
        cards = [card(kappa=0.7), card(kappa=0.2)]
        assert card_of(Says({}), cards) == card(kappa=0.7), "the first"
        assert card_of(Says({}, fingerprint="f2"), cards) is None
        assert card_of(Says({}, "page.cohesion"), cards) is None
        assert card_of(Says({}), []) is None
