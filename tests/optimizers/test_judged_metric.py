"""Climbing what judges say: who may move the total, what the report says of it, and what compiling makes of it."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from genrec.catalog.store import Catalog
from genrec.errors import SettingsError
from genrec.evaluation.agreement import JudgeCard
from genrec.evaluation.judges import GuardrailCase, Judgment, PageCase, SectionCase
from genrec.evaluation.learned import open_learned
from genrec.evaluation.page_metric import METRIC, score_page
from genrec.evaluation.rule_judges import PolicyJudge
from genrec.optimizers.compile import compile_program
from genrec.optimizers.judged_metric import judged_yardstick
from genrec.optimizers.page_metric_adapter import PageMetric, examples
from genrec.page import Objective, Page, PageRequest, Purchase, Shopper
from genrec.programs.policy import ShopPolicy
from genrec.programs.relevance import CosineRelevance
from genrec.programs.state import dump_state
from genrec.programs.top_down import TopDown
from genrec.registry import RegistrySettings, log_compiled
from tests.catalog.conftest import make_items
from tests.doubles import plain_answers, scripted_lm
from tests.judge_cards import card_for

TODAY = date(2026, 11, 12)


class Says:
    """A judge that says the same of everything, and remembers what it was asked."""

    name, fingerprint = "says", "says-1"

    def __init__(self, criterion: str, score: float, reason: str = "it says so") -> None:
        self.criterion = criterion
        self.score = score
        self.reason = reason
        self.asked: list[Any] = []

    def judge(self, cases: Sequence[Any]) -> list[Judgment]:
        self.asked += cases
        return [Judgment(self.score, round(3 * self.score), self.reason) for _ in cases]


class LikesWord(Says):
    """A judge of titles that likes one word and nothing else."""

    def __init__(self, word: str) -> None:
        super().__init__("section.appeal", 0.0)
        self.word = word

    def judge(self, cases: Sequence[SectionCase]) -> list[Judgment]:
        likes = [self.word in case.theme.title.lower() for case in cases]
        return [Judgment(float(liked), 3 * liked, "" if liked else f"no {self.word} in it") for liked in likes]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return Catalog.build(make_items(), tmp_path_factory.mktemp("indexes") / "small")


def program_on(catalog: Catalog, answers=plain_answers) -> TopDown:
    return TopDown(catalog, scripted_lm(answers), relevance=CosineRelevance(catalog.embedder), threshold=0.2)


def request(name: str = "ann", first: int = 1) -> PageRequest:
    history = tuple(Purchase(item_id=f"sku-{first + n:02}", at=date(2026, 11, 1)) for n in range(4))
    return PageRequest(shopper=Shopper(shopper_id=name, history=history), on=TODAY, sections=2, items_per_section=3)


@pytest.fixture(scope="module")
def page(catalog: Catalog) -> Page:
    return program_on(catalog).generate(request())


def among(*judges: Says) -> dict[str, Says]:
    return {judge.criterion: judge for judge in judges}


def earned(*judges: Says) -> list[JudgeCard]:
    return [card_for(judge, 0.9) for judge in judges]


class TestWhoDecides:
    def test_the_total_is_what_the_judges_say_and_the_components_stay(self, catalog: Catalog, page: Page) -> None:
        # levels: item 0.35 * 0.8 and section 0.2 * (0.4 + 0.6) / 2, over 0.55
        judges = [Says("item.relevance", 0.8), Says("section.appeal", 0.4), Says("section.clarity", 0.6)]
        score = judged_yardstick(among(*judges), earned(*judges), catalog).score(page, request())
        assert score.total == pytest.approx((0.35 * 0.8 + 0.2 * 0.5) / 0.55)
        assert score.components() == score_page(page, request(), catalog).components()

    def test_one_under_its_bar_moves_nothing_and_is_not_even_asked(self, catalog: Catalog, page: Page) -> None:
        good, bad, unknown = Says("item.relevance", 0.8), Says("section.fit", 0.1), Says("page.fit", 0.2)
        cards = [card_for(good, 0.7), card_for(bad, 0.599)]
        yardstick = judged_yardstick(among(good, bad, unknown), cards, catalog)
        assert yardstick.score(page, request()).total == pytest.approx(0.8)
        assert good.asked and not bad.asked and not unknown.asked
        assert yardstick.notes == (
            "judges that decided: item.relevance (says, kappa 0.700 reaches its bar 0.7)",
            "advisory judges, which moved nothing: section.fit (says, kappa 0.599 is under its bar 0.6), "
            "page.fit (says, never measured)",
        )
        assert yardstick.name == "judged-1 says-1: item.relevance"

    def test_unproven_judges_decide_when_that_is_asked_for_and_it_shows(self, catalog: Catalog, page: Page) -> None:
        good, bad = Says("section.appeal", 0.8), Says("section.fit", 0.2)
        cards = [card_for(good, 0.9), card_for(bad, 0.1)]
        yardstick = judged_yardstick(among(good, bad), cards, catalog, unproven=True)
        assert yardstick.score(page, request()).total == pytest.approx(0.5)
        assert "under their bar, and deciding because it was asked for: section.fit" in yardstick.notes
        assert yardstick.name == "judged-1 says-1: section.appeal, section.fit (under its bar)"

    def test_a_card_of_another_judge_says_nothing(self, catalog: Catalog) -> None:
        judge = Says("section.fit", 0.5)
        with pytest.raises(SettingsError, match=r"section\.fit \(says, never measured\)"):
            judged_yardstick(among(judge), [card_for(judge, 0.9, fingerprint="says-0")], catalog)

    def test_where_nobody_may_decide_it_says_why_of_each_and_what_to_do(self, catalog: Catalog) -> None:
        judges = [Says("item.relevance", 0.5), Says("section.fit", 0.5), Says("page.fit", 0.5)]
        cards = [card_for(judges[0], 0.41), card_for(judges[1], None)]
        with pytest.raises(SettingsError) as caught:
            judged_yardstick(among(*judges), cards, catalog)
        said = str(caught.value)
        assert "item.relevance (says, kappa 0.410 is under its bar 0.7)" in said
        assert "section.fit (says, kappa is not defined on its 50 cases)" in said
        assert "page.fit (says, never measured)" in said
        assert "`genrec evaluate --judges`" in said and "--unproven-judges" in said

    def test_a_guard_alone_is_no_measure(self, catalog: Catalog) -> None:
        guard, fit = PolicyJudge(ShopPolicy()), Says("section.fit", 0.5)
        with pytest.raises(SettingsError, match="no judge may decide: section.fit"):
            judged_yardstick({guard.criterion: guard, fit.criterion: fit}, [card_for(guard, 0.95)], catalog)


class TestScore:
    def test_the_reason_names_the_criterion_and_the_section_that_are_worst(self, catalog: Catalog, page: Page) -> None:
        first, second = (section.theme.title for section in page.sections)
        word = next(w for w in first.lower().split() if w not in second.lower())
        judges = [LikesWord(word), Says("page.fit", 0.6, "anyone could have it")]
        score = judged_yardstick(among(*judges), earned(*judges), catalog).score(page, request())
        assert score.reason == (
            f"section.appeal is 0.50, the lowest; the weakest section is {second!r} with 0.00: "
            f"appeal: no {word} in it; fit: anyone could have it"
        )

    def test_an_empty_page_scores_nothing(self, catalog: Catalog, page: Page) -> None:
        judge = Says("page.fit", 1.0)
        empty = page.model_copy(update={"sections": ()})
        score = judged_yardstick(among(judge), earned(judge), catalog).score(empty, request())
        assert (score.total, score.reason) == (0.0, "the page is empty")

    def test_a_page_that_nobody_was_asked_about_scores_nothing(self, catalog: Catalog, page: Page) -> None:
        judge = Says("page.coverage", 0.7)
        yardstick = judged_yardstick(among(judge), earned(judge), catalog)
        score = yardstick.score(page, request())
        assert (score.total, score.reason) == (0.0, "the judges that decide were asked nothing about this page")
        wanted = request().model_copy(update={"objectives": (Objective(name="discovery"),)})
        assert yardstick.score(page, wanted).total == pytest.approx(0.7)

    def test_judges_do_not_see_what_was_bought_later(self, catalog: Catalog, page: Page) -> None:
        judge = Says("page.fit", 0.5)
        later = Purchase(item_id="sku-40", at=date(2026, 11, 13))
        knowing = request().model_copy(
            update={"shopper": request().shopper.model_copy(update={"history": (*request().shopper.history, later)})}
        )
        judged_yardstick(among(judge), earned(judge), catalog).score(page, knowing)
        (case,) = judge.asked
        assert isinstance(case, PageCase) and case.request == request()

    def test_the_rules_as_a_judge_see_every_item_under_its_title(self, catalog: Catalog, page: Page) -> None:
        guard, fit = PolicyJudge(ShopPolicy()), Says("page.fit", 0.5)
        vegan = request().model_copy(update={"shopper": Shopper(shopper_id="ann", diets=frozenset({"vegan"}))})
        yardstick = judged_yardstick(
            {guard.criterion: guard, fit.criterion: fit}, [card_for(guard, 0.9), card_for(fit, 0.9)], catalog
        )
        cases = [GuardrailCase(vegan, s.theme.title, catalog.items[i.item_id]) for s in page.sections for i in s.items]
        allowed = [j.score for j in guard.judge(cases)]
        share = sum(allowed) / len(allowed)
        assert 0 < share < 1, "the page was not made for a vegan"
        assert yardstick.score(page, vegan).total == pytest.approx((0.25 * share + 0.2 * 0.5) / 0.45)

    def test_as_a_dspy_metric(self, catalog: Catalog, page: Page) -> None:
        judge = Says("page.fit", 0.3)
        yardstick = judged_yardstick(among(judge), earned(judge), catalog)
        (example,) = examples([request()])

        class Prediction:
            pass

        prediction: Any = Prediction()
        prediction.page = page
        result = PageMetric(catalog, yardstick=yardstick)(example, prediction)
        assert result.score == pytest.approx(0.3)
        assert result.feedback.startswith("page.fit is 0.30, the lowest")

    @pytest.mark.slow
    def test_the_shipped_judges_notice_swapped_titles(self, catalog: Catalog, page: Page) -> None:
        judges = open_learned(catalog.items)
        yardstick = judged_yardstick(judges, [], catalog, unproven=True)
        first, second = page.sections
        swapped = page.model_copy(
            update={
                "sections": (
                    first.model_copy(update={"theme": second.theme}),
                    second.model_copy(update={"theme": first.theme}),
                )
            }
        )
        assert yardstick.score(page, request()).total > yardstick.score(swapped, request()).total
        assert all(criterion in yardstick.name for criterion in judges)


class TestCompile:
    def compiled(self, catalog: Catalog, optimizer: str, *judges: Says, answers=plain_answers, **options: Any):
        yardstick = judged_yardstick(among(*judges), earned(*judges), catalog, **options)
        return compile_program(
            program_on(catalog, answers),
            optimizer=optimizer,
            yardstick=yardstick,
            demos=2,
            train=[request("ann", 1), request("bob", 5), request("cat", 9)],
            dev=[request("eve", 13), request("fay", 17)],
        )

    def test_the_set_that_the_judges_like_best_is_kept(self, catalog: Catalog) -> None:
        """An LM that pleases the judge only after one certain plan was shown: the set that has it must win."""
        from genrec.optimizers.training_sets import planner_demos

        wanted = planner_demos(seed=0)[4].themes[0].title

        def answers(asking: Any) -> str | None:
            text = plain_answers(asking)
            shown = any(wanted in (message.text or "") for message in asking.messages)
            return text.replace(" with ", " beside ") if shown and text and "|" in text else text

        done = self.compiled(catalog, "labeled", LikesWord("beside"), answers=answers)
        assert wanted in [demo.themes[0].title for demo in done.program.plan.demos]
        assert done.gain > 0
        assert done.report.startswith("judges' score 0.000 -> ")

    def test_the_report_and_the_version_say_who_decided(self, catalog: Catalog, tmp_path: Path) -> None:
        judge = Says("page.fit", 0.5)
        done = self.compiled(catalog, "labeled", judge)
        assert {score.total for score in (*done.before, *done.after)} == {0.5}
        lines = done.report.splitlines()
        assert "no better than before: do not promote it" in lines[0]
        assert "judges that decided: page.fit (says, kappa 0.900 reaches its bar 0.6)" in lines
        assert "advisory judges, which moved nothing: none" in lines
        version = log_compiled(done, RegistrySettings.at(tmp_path / "home"))
        assert version.facts["judge"] == "judged-1 says-1: page.fit"

    def test_pages_that_the_judges_like_teach(self, catalog: Catalog) -> None:
        """Nobody is above a mean of one and the same score, but all reach it."""
        done = self.compiled(catalog, "bootstrap", Says("page.fit", 0.5))
        assert "with a bar of 0.500" in done.report
        assert done.program.plan.demos != program_on(catalog).plan.demos

    def test_a_page_below_the_bar_teaches_nothing(self, catalog: Catalog) -> None:
        class Sinks(Says):
            """Less and less pleased."""

            def judge(self, cases: Sequence[Any]) -> list[Judgment]:
                self.score /= 2
                return super().judge(cases)

        done = self.compiled(catalog, "bootstrap", Sinks("page.fit", 1.0))
        assert dump_state(done.program) == dump_state(program_on(catalog))
        assert "none" in done.report

    def test_without_a_yardstick_it_is_the_page_metric(self, catalog: Catalog) -> None:
        done = compile_program(program_on(catalog), train=[request("ann")], dev=[request("eve", 5)], minutes=0.0)
        assert done.provenance.judge == METRIC
        assert done.report.startswith("page score ") and "judges" not in done.report

    def test_a_judge_that_fails_is_an_error_and_not_a_bad_score(self, catalog: Catalog) -> None:
        class Broken(Says):
            def judge(self, cases: Sequence[Any]) -> list[Judgment]:
                raise ZeroDivisionError("the judge is broken")

        with pytest.raises(ZeroDivisionError):
            self.compiled(catalog, "bootstrap", Broken("page.fit", 0.5))
