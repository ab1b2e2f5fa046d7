"""Several judges as one: who decides, what is averaged over what, and what a page cannot gain by."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from genrec.catalog.items import Item
from genrec.evaluation.agreement import BARS, Agreement, JudgeCard
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.judges import CRITERIA, Judge, Judgment, PageCase
from genrec.evaluation.panel import LEVEL_WEIGHTS, PageVerdict, Panel
from genrec.page import Theme
from tests.contracts.judge_contract import ITEMS, REQUESTS, THEMES, JudgeContract, page_of

NEW = REQUESTS[0]
PLAIN = NEW.model_copy(update={"objectives": ()})
SOUP, WINE, VAGUE = THEMES
STRANGER = Item(item_id="stranger", title="Lamp")


class Written:
    """Judges by a rule of one line: score, and a reason below a half."""

    name = "written"

    def __init__(self, criterion: str, score: Callable[[Any], float], fingerprint: str = "w1") -> None:
        self.criterion, self.fingerprint = criterion, fingerprint
        self._score = score

    def judge(self, cases: Sequence[Any]) -> list[Judgment]:
        return [self._judged(self._score(case)) for case in cases]

    def _judged(self, score: float) -> Judgment:
        top = CRITERIA[self.criterion] == "guardrail"
        grade = 3 * round(score) if top else round(3 * score)
        return Judgment(score, grade, f"only {score}" if score < 0.5 else "")


class TestWrittenJudgesKeepTheirPromise(JudgeContract):
    @pytest.fixture(params=["item.relevance", "section.clarity", "page.fit", "guardrail.allowed"])
    def judge(self, request: pytest.FixtureRequest) -> Judge[Any]:
        return Written(request.param, lambda case: len(repr(case)) % 7 / 7)


BELONGS = {"soup": 0.9, "bread": 0.5, "wine": 0.1}
CLEAR = {SOUP.title: 1.0, WINE.title: 0.4}
RULES: Mapping[str, Callable[[Any], float]] = {
    "item.relevance": lambda case: BELONGS.get(case.item.item_id, 0.0),
    "section.clarity": lambda case: CLEAR.get(case.theme.title, 0.3),
    "section.fit": lambda case: 0.2,
    "page.cohesion": lambda case: 0.8,
    "page.coverage": lambda case: 0.4,
    "guardrail.allowed": lambda case: float(case.item.item_id != "bread"),
}
JUDGES = {criterion: Written(criterion, rule) for criterion, rule in RULES.items()}


def card(criterion: str, kappa: float | None = 0.9, fingerprint: str = "w1") -> JudgeCard:
    unknown: dict[str, Any] = dict.fromkeys(("auc", "true_positive_rate", "true_negative_rate"))
    return JudgeCard(
        judge="written",
        criterion=criterion,
        fingerprint=fingerprint,
        gold="g/test",
        cases=40,
        agreement=Agreement(
            kappa=None if kappa is None else Interval(value=kappa, low=kappa - 0.2, high=kappa + 0.2, n=40), **unknown
        ),
        ceiling=None,
        bar=BARS[criterion],
    )


def panel(*earned: str, **options: Any) -> Panel:
    return Panel(JUDGES, [card(criterion) for criterion in earned], **options)


def case(*sections: tuple[Theme, Sequence[str]], request: Any = NEW) -> PageCase:
    goods = {**ITEMS, "stranger": STRANGER}
    page = page_of(request, [(theme, [goods[i] for i in ids]) for theme, ids in sections])
    return PageCase(request, page, ITEMS)


TWO = case((SOUP, ["soup", "bread"]), (WINE, ["wine"]))


class TestByHand:
    def test_scores_of_every_criterion(self) -> None:
        assert panel().judge(TWO).scores == pytest.approx(
            {
                # sections of 0.7 and 0.1: a long section counts once
                "item.relevance": (0.7 + 0.1) / 2,
                "section.clarity": (1.0 + 0.4) / 2,
                "section.fit": 0.2,
                "page.cohesion": 0.8,
                "page.coverage": 0.4,
                "guardrail.allowed": 2 / 3,
            }
        )

    def test_the_total_of_all_levels(self) -> None:
        assert sum(LEVEL_WEIGHTS.values()) == pytest.approx(1)
        levels = {"item": 0.4, "section": (0.7 + 0.2) / 2, "page": (0.8 + 0.4) / 2, "guardrail": 2 / 3}
        total = sum(LEVEL_WEIGHTS[level] * value for level, value in levels.items())
        assert panel(*RULES).judge(TWO).total == pytest.approx(total)

    @pytest.mark.parametrize(
        ("earned", "total"),
        [
            (("item.relevance",), 0.4),
            (("section.fit", "section.clarity"), 0.45),
            # weights of 35 and 20 in a hundred, brought to sum 1
            (("item.relevance", "page.cohesion"), (35 * 0.4 + 20 * 0.8) / 55),
        ],
    )
    def test_levels_that_nobody_decides_leave_their_weight_to_the_others(
        self, earned: tuple[str, ...], total: float
    ) -> None:
        assert panel(*earned).judge(TWO).total == pytest.approx(total)

    def test_sections(self) -> None:
        first, second = panel().judge(TWO).sections
        assert first.score == pytest.approx((0.7 + (1.0 + 0.2) / 2) / 2)
        assert second.score == pytest.approx((0.1 + (0.4 + 0.2) / 2) / 2)

    def test_only_those_who_judge_are_heard(self) -> None:
        only = Panel({"section.fit": JUDGES["section.fit"]}, [])
        found = only.judge(TWO)
        assert found.scores == {"section.fit": pytest.approx(0.2)}
        assert [s.score for s in found.sections] == pytest.approx([0.2, 0.2])
        nobody = Panel({}, []).judge(TWO)
        assert (nobody.scores, nobody.total, nobody.reason) == ({}, None, "")
        assert [(s.score, s.reasons) for s in nobody.sections] == [(None, ()), (None, ())]


class TestDeciding:
    def test_nobody_has_earned_it(self) -> None:
        assert panel().deciding == ()
        assert panel().judge(TWO).total is None
        assert set(panel().criteria) == set(RULES), "all are heard"

    @pytest.mark.parametrize(
        "cards",
        [
            [card("page.cohesion", kappa=0.59)],
            [card("page.cohesion", kappa=None)],
            [card("page.cohesion", fingerprint="w0")],
            [card("page.coverage"), card("page.fit")],
        ],
        ids=["under the bar", "undefined", "of another judge", "of other criteria"],
    )
    def test_a_card_must_be_of_this_judge_and_good_enough(self, cards: list[JudgeCard]) -> None:
        found = Panel({"page.cohesion": JUDGES["page.cohesion"]}, cards)
        assert found.deciding == ()
        assert found.judge(TWO).total is None

    def test_the_unproven_decide_when_asked_to(self) -> None:
        found = panel("page.cohesion", unproven=True)
        assert found.deciding == found.criteria
        assert found.cards["page.coverage"] is None
        everyone = panel(*RULES)
        assert found.judge(TWO) == everyone.judge(TWO)

    def test_criteria_are_in_their_order_and_others_are_not_asked(self) -> None:
        shuffled = {name: JUDGES[name] for name in reversed(RULES)}
        found = Panel({**shuffled, "page.fun": JUDGES["page.cohesion"]}, [])
        assert found.criteria == tuple(c for c in CRITERIA if c in RULES)

    def test_the_fingerprint_names_every_judge_once(self) -> None:
        assert panel().fingerprint == "w1"
        other = Panel({**JUDGES, "page.fit": Written("page.fit", lambda case: 1.0, "a9")}, [])
        assert other.fingerprint == "a9+w1"


class TestEdges:
    def test_an_empty_page_scores_0_in_all_that_is_asked_of_it(self) -> None:
        found = panel(*RULES).judge(case())
        assert found.scores == dict.fromkeys(RULES, 0)
        assert (found.total, found.sections) == (0, ())

    def test_coverage_is_not_asked_without_objectives(self) -> None:
        for asked in (case((SOUP, ["soup"]), request=PLAIN), case(request=PLAIN)):
            found = panel("page.coverage").judge(asked)
            assert found.scores["page.coverage"] is None
            assert found.total is None
        full = panel("page.coverage", "page.cohesion").judge(case((SOUP, ["soup"]), request=PLAIN))
        assert full.total == pytest.approx(0.8)

    def test_an_item_that_the_catalog_lacks_does_not_belong(self) -> None:
        found = panel("item.relevance").judge(case((SOUP, ["soup", "stranger", "stranger"])))
        assert found.scores["item.relevance"] == pytest.approx(0.9 / 3)
        assert found.sections[0].score == pytest.approx((0.9 / 3 + (1.0 + 0.2) / 2) / 2)

    def test_a_section_without_items_is_not_excused(self) -> None:
        found = panel("item.relevance").judge(case((SOUP, ["soup"]), (WINE, []), (VAGUE, ["stranger"])))
        assert found.total == pytest.approx((0.9 + 0 + 0) / 3)
        assert found.sections[1].score == pytest.approx((0 + (0.4 + 0.2) / 2) / 2)

    def test_one_item(self) -> None:
        found = panel(*RULES).judge(case((SOUP, ["bread"])))
        assert (found.scores["item.relevance"], found.scores["guardrail.allowed"]) == (0.5, 0)

    def test_a_page_without_known_items_asks_no_more_than_it_has(self) -> None:
        found = panel(*RULES).judge(case((SOUP, ["stranger"])))
        assert found.scores["guardrail.allowed"] is None
        assert found.scores["item.relevance"] == 0
        assert found.total is not None


class TestReasons:
    def verdict(self, page: PageCase) -> PageVerdict:
        return panel().judge(page)

    def test_what_may_not_be_shown_comes_first_then_strays_then_the_worst(self) -> None:
        first, second = self.verdict(case((SOUP, ["bread", "wine"]), (WINE, ["wine"]))).sections
        # bread, 0.5, is grade 2 and belongs
        assert first.reasons == (
            "not to be shown: only 0.0",
            "relevance: 1 of 2 items do not belong",
            "fit: only 0.2",
        )
        assert second.reasons == ("relevance: 1 of 1 items do not belong", "fit: only 0.2", "clarity: only 0.4")

    @pytest.mark.parametrize(
        ("ids", "named"),
        [(["soup", "soup", "soup", "wine"], False), (["soup", "soup", "wine"], True), (["soup"], False)],
    )
    def test_strays_are_named_from_a_third_of_the_items(self, ids: list[str], named: bool) -> None:
        (section,) = self.verdict(case((SOUP, ids))).sections
        assert any(reason.startswith("relevance") for reason in section.reasons) is named

    def test_the_page_has_the_reason_of_its_worst_judge(self) -> None:
        assert self.verdict(TWO).reason == "coverage: only 0.4"
        worse = Panel({**JUDGES, "page.diversity": Written("page.diversity", lambda c: 0.1)}, []).judge(TWO)
        assert worse.reason == "diversity: only 0.1"
        assert self.verdict(case((SOUP, ["soup"]), request=PLAIN)).reason == "", "cohesion has nothing to complain of"
