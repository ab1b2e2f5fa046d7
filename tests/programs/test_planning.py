"""Themes from a scripted LM on the real encoder: which titles are fit to show, which answer stays, what is dropped."""

import dspy
import pytest

from genrec.catalog.store import Catalog
from genrec.catalog.text import tokenize
from genrec.page import PageRequest, Shopper, Theme
from genrec.programs.asking import Asker
from genrec.programs.gather import ConceptGroup
from genrec.programs.planning import Plan, Planner, title_problem
from genrec.signatures import ThemePlanner
from tests.doubles import Answers, field, scripted_lm

CURRY = ConceptGroup(
    ("red lentils", "coconut milk", "curry paste", "basmati rice", "spinach"),
    "library",
    "Dinner from the cupboard.",
    objective="value",
)
CAKES = ConceptGroup(("plain flour", "caster sugar", "baking powder", "vanilla extract", "icing sugar"), "library", "")
TEA = ConceptGroup(("green tea", "black tea", "honey", "lemons", "oat biscuits"), "library", "")
CURRY_ANSWER = "red lentils, coconut milk, curry paste, spinach | {}"


@pytest.mark.parametrize(
    ("title", "problem"),
    [
        ("Curries with coconut milk", ""),
        ("5 curries for the week", ""),
        ("Éclairs and choux buns", ""),
        ("Soups, stews and bread", ""),
        ("Don't forget the rice", ""),
        ("Tea for two", ""),
        ("The tea and the toast", ""),  # short words may come twice
        ("Abc def ghi jkl mno pqr stu vwx yza bcd efg hij", ""),  # 47 characters
        ("Lentils" + " bcdefg" * 6, "is longer than 48 characters"),
        ("Curries", "is a single word"),
        ("", "is a single word"),
        ("!!!", "is a single word"),
        ("curries and rice", "does not start with a capital"),
        ("'Curries' and rice", "does not start with a capital"),
        (" Curries and rice", "does not start with a capital"),
        ("Curries with", "breaks off"),
        ("Curries for your", "breaks off"),
        ("Curries, rice and the", "breaks off"),
        ("Abc def ghi jkl mno pqr stu vwx yza bcd efg hijk", "breaks off"),  # 48 characters: cut by the decoder
        ("Curry and curry", "repeats a word"),
        ("Rice, rice and beans", "repeats a word"),
        ("Rice, beans, lentils", "is a list"),
    ],
)
def test_what_is_wrong_with_a_title(title: str, problem: str) -> None:
    assert title_problem(title) == problem


@pytest.fixture(scope="module")
def words() -> frozenset[str]:
    """Every stem that the titles here may use."""
    told = (
        "Curries from the cupboard tonight Cakes to bake on Sunday Tea biscuits with Fragrant curry rice supper lentil"
    )
    return frozenset(tokenize(told))


def planned(
    catalog: Catalog,
    words: frozenset[str],
    answers: Answers,
    *groups: ConceptGroup,
    count: int = 9,
    demos: list[dspy.Example] | None = None,
    small: bool = True,
    request: PageRequest | None = None,
) -> tuple[Plan, Asker]:
    predictor = dspy.Predict(ThemePlanner)
    predictor.demos = demos or []
    asker = Asker(scripted_lm(answers, small=small), deadline=60.0)
    asked = request or PageRequest(shopper=Shopper(shopper_id="s"))
    return Planner(catalog.embedder, words).plan(asker, predictor, asked, groups, "on: November", count), asker


def always(*titles: str) -> Answers:
    """Each group's first four concepts, with the next title each time."""
    left = iter(titles)
    return lambda request: f"{', '.join(field(request, 'candidates')[:4])} | {next(left)}"


class TestSmallModel:
    def test_one_theme_a_group_with_the_groups_reasons(self, catalog: Catalog, words: frozenset[str]) -> None:
        plan, asker = planned(catalog, words, always(*["Curries from the cupboard"] * 3), CURRY)
        assert [p.theme for p in plan.themes] == [
            Theme(
                concepts=("red lentils", "coconut milk", "curry paste", "basmati rice"),
                title="Curries from the cupboard",
                rationale="Dinner from the cupboard.",
                objective="value",
            )
        ]
        assert plan.themes[0].group is CURRY
        assert (plan.drops, plan.problem) == ([], "")
        assert asker.meter.report()["plan"].calls == 1  # the first title is good: no other is asked for

    def test_unfit_titles_are_dropped_with_the_reason_and_a_fit_one_kept(
        self, catalog: Catalog, words: frozenset[str]
    ) -> None:
        plan, _ = planned(catalog, words, always("Curries", "Curries for your", "Fragrant curry supper"), CURRY)
        assert [p.theme.title for p in plan.themes] == ["Fragrant curry supper"]
        assert [(d.subject, d.stage, d.reason) for d in plan.drops] == [
            ("Curries", "plan", "title is a single word"),
            ("Curries for your", "plan", "title breaks off"),
        ]

    def test_a_title_about_something_else_is_dropped(self, catalog: Catalog, words: frozenset[str]) -> None:
        plan, _ = planned(catalog, words, always("Cakes to bake on Sunday", *["Curries tonight"] * 2), CURRY)
        assert [p.theme.title for p in plan.themes] == ["Curries tonight"]
        assert "is not about its concepts" in plan.drops[0].reason

    def test_no_two_themes_say_the_same(self, catalog: Catalog, words: frozenset[str]) -> None:
        plan, _ = planned(catalog, words, always(*["Curries tonight"] * 6), CURRY, CURRY)
        assert [p.theme.title for p in plan.themes] == ["Curries tonight"]
        assert [d.reason for d in plan.drops] == ["title says the same as an earlier title"]

    def test_different_themes_all_stay_in_the_order_of_the_groups(
        self, catalog: Catalog, words: frozenset[str]
    ) -> None:
        titles = [*["Curries tonight"] * 3, *["Cakes to bake"] * 3, *["Tea with biscuits"] * 3]
        plan, _ = planned(catalog, words, always(*titles), CURRY, CAKES, TEA)
        assert [p.theme.title for p in plan.themes] == ["Curries tonight", "Cakes to bake", "Tea with biscuits"]
        assert [p.group for p in plan.themes] == [CURRY, CAKES, TEA]

    def test_a_copied_demonstration_is_dropped(self, catalog: Catalog, words: frozenset[str]) -> None:
        shown = Theme(concepts=("chickpeas", "rice", "spinach"), title="Curries tonight")
        demo = dspy.Example(shopper="x", candidates=["chickpeas"], avoid=[], count=1, themes=[shown])
        titles = ("curries  tonight".capitalize(), "Fragrant curry supper", "Curries tonight")
        plan, _ = planned(catalog, words, always(*titles), CURRY, demos=[demo])
        assert [p.theme.title for p in plan.themes] == ["Fragrant curry supper"]
        assert {d.reason for d in plan.drops} == {"title copies a demonstration"}

    def test_a_title_against_the_shoppers_diet_is_dropped(self, catalog: Catalog) -> None:
        vegan = PageRequest(shopper=Shopper(shopper_id="s", diets=frozenset({"vegan"})))
        titles = ("Chicken curries tonight", "Fragrant lentil curries", "Chicken curries tonight")
        words = frozenset(tokenize(" ".join(titles)))
        plan, _ = planned(catalog, words, always(*titles), CURRY, request=vegan)
        assert [p.theme.title for p in plan.themes] == ["Fragrant lentil curries"]
        assert [d.subject for d in plan.drops] == ["Chicken curries tonight"]

    def test_no_more_groups_are_asked_about_than_wanted(self, catalog: Catalog, words: frozenset[str]) -> None:
        plan, asker = planned(catalog, words, always(*["Curries tonight"] * 3), CURRY, CAKES, TEA, count=1)
        assert len(plan.themes) == 1
        assert asker.meter.report()["plan"].calls == 3

    def test_no_groups_no_calls(self, catalog: Catalog, words: frozenset[str]) -> None:
        plan, asker = planned(catalog, words, [])
        assert plan == Plan([], [], "")
        assert asker.meter.report() == {}

    def test_answers_without_a_title_leave_a_problem(self, catalog: Catalog, words: frozenset[str]) -> None:
        plan, _ = planned(catalog, words, lambda request: "red lentils, coconut milk", CURRY)
        assert plan.themes == []
        assert "unusable answer" in plan.problem

    def test_one_usable_answer_is_enough(self, catalog: Catalog, words: frozenset[str]) -> None:
        answers = ["nonsense", "nonsense", "nonsense", CURRY_ANSWER.format("Curries tonight")]
        plan, _ = planned(catalog, words, answers, CURRY)
        assert [p.theme.title for p in plan.themes] == ["Curries tonight"]
        assert plan.problem == ""


class TestLargeModel:
    def test_one_call_gives_all_themes_each_with_its_closest_group(
        self, catalog: Catalog, words: frozenset[str]
    ) -> None:
        answer = (
            f"{CURRY_ANSWER.format('Curries tonight')}\n"
            "plain flour, caster sugar, butter | Cakes to bake\n"
            "sparkling tea, tea cups, tea strainer | Tea tonight"
        )
        plan, asker = planned(catalog, words, [answer], CURRY, CAKES, small=False)
        assert [p.theme.title for p in plan.themes] == ["Curries tonight", "Cakes to bake", "Tea tonight"]
        assert plan.themes[0].group is CURRY and plan.themes[1].group is CAKES
        assert plan.themes[2].group.source == "lm"
        assert plan.themes[2].group.concepts == ("sparkling tea", "tea cups", "tea strainer")
        assert asker.meter.report()["plan"].calls == 1

    def test_themes_beyond_the_count_are_left_out(self, catalog: Catalog, words: frozenset[str]) -> None:
        answer = f"{CURRY_ANSWER.format('Curries tonight')}\nplain flour, caster sugar, butter | Cakes to bake"
        plan, _ = planned(catalog, words, [answer], CURRY, CAKES, count=1, small=False)
        assert [p.theme.title for p in plan.themes] == ["Curries tonight"]

    def test_when_no_title_is_fit_the_plan_says_so(self, catalog: Catalog, words: frozenset[str]) -> None:
        plan, _ = planned(catalog, words, [CURRY_ANSWER.format("Curries")], CURRY, small=False)
        assert plan.themes == []
        assert plan.problem
        assert [d.subject for d in plan.drops] == ["Curries"]

    def test_an_unusable_answer_is_a_problem_not_an_error(self, catalog: Catalog, words: frozenset[str]) -> None:
        plan, _ = planned(catalog, words, ["no idea", "still none"], CURRY, small=False)
        assert plan.themes == []
        assert "unusable answer" in plan.problem

    def test_without_groups_the_model_plans_on_its_own(self, catalog: Catalog, words: frozenset[str]) -> None:
        plan, _ = planned(catalog, words, [CURRY_ANSWER.format("Curries tonight")], small=False)
        assert plan.themes[0].group.source == "lm"
