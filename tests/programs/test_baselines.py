"""The baselines keep the promises of a page generator, each in its own way; and what is particular to each."""

import re
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from typing import Any

import dspy
import numpy as np
import pytest
from dspy.lm15 import Request

from genrec.catalog.store import Catalog
from genrec.errors import SettingsError
from genrec.lm.chat import ChatAdapter
from genrec.lm.compact import CompactAdapter
from genrec.lm.connect import LanguageModel
from genrec.lm.grammar import page_grammar
from genrec.page import TITLE_LIMIT, PageRequest, Purchase, Shopper
from genrec.programs.baselines import (
    BASELINES,
    ImplicitALS,
    OnePrompt,
    PopularByDepartment,
    RepeatPurchase,
    StaticLibrary,
    open_baseline,
)
from genrec.programs.baselines import factors as factors_module
from genrec.programs.baselines.factors import OWN, PurchaseFactors
from genrec.programs.baselines.shelves import section_title
from genrec.programs.filling import Notes
from genrec.programs.relevance import CosineRelevance
from genrec.programs.top_down import TopDown
from genrec.signatures import PickedSection, WholePage
from tests.contracts.generator_contract import ON, SIZE, GeneratorContract, Make, asking, history, others
from tests.doubles import ScriptedEngine, asked, field, plain_answers, scripted_lm
from tests.lm.test_grammar import Sampler

TITLES = ("Pears for a quiet week", "Baking on Sunday", "Soap and such", "Tins for the cupboard")


def neighbours(request: Request) -> str | None:
    """A dutiful small model: section after section of the numbers as they come."""
    lines, count, size = field(request, "items"), int(field(request, "count")[0]), int(field(request, "size")[0])
    size = min(size, len(lines) // count) if len(lines) >= count else 1
    numbers = [list(range(n * size + 1, n * size + size + 1)) for n in range(count)]
    titles = [*TITLES, *(f"More of this and that, {'abcdefghijklmnopqrst'[n]}" for n in range(20))]
    return "\n".join(f"{t} | {', '.join(map(str, ns))}" for t, ns in zip(titles, numbers, strict=False))


# The contract, for each.


class TestPopularContract(GeneratorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda catalog, interactions=(): open_baseline("popular", catalog, interactions=interactions)


class TestStaticContract(GeneratorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda catalog, interactions=(): StaticLibrary(catalog, relevance=CosineRelevance(catalog.embedder))


class TestRepeatContract(GeneratorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda catalog, interactions=(): open_baseline("repeat", catalog, interactions=interactions)


class TestALSContract(GeneratorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda catalog, interactions=(): open_baseline("als", catalog, interactions=interactions)


class TestALSByItemContract(GeneratorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda catalog, interactions=(): ImplicitALS(catalog, interactions, level="item")


class TestOnePromptContract(GeneratorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda catalog, interactions=(): open_baseline("one-prompt", catalog, lm=scripted_lm(neighbours))


class TestTopDownContract(GeneratorContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda catalog, interactions=(): TopDown(
            catalog, scripted_lm(plain_answers), relevance=CosineRelevance(catalog.embedder)
        )


# By name.


class TestOpening:
    @pytest.mark.parametrize("name", BASELINES)
    def test_each_by_its_name(self, catalog: Catalog, name: str) -> None:
        gate = CosineRelevance(catalog.embedder)
        found = open_baseline(name, catalog, lm=scripted_lm(neighbours), interactions=others(), relevance=gate)
        assert found.name == name  # type: ignore[attr-defined]

    def test_an_unknown_name_lists_them(self, catalog: Catalog) -> None:
        with pytest.raises(SettingsError, match="no baseline 'random'; there are popular, static, repeat, als, one-pr"):
            open_baseline("random", catalog)

    def test_without_implicit_the_remedy_is_named(self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(name: str) -> None:
            raise ImportError(f"No module named {name!r}")

        monkeypatch.setattr(factors_module.importlib, "import_module", missing)
        with pytest.raises(SettingsError, match=r"pip install implicit==0\.7\.3 \(No module named 'implicit'\)"):
            open_baseline("als", catalog)
        assert open_baseline("popular", catalog)


# On the sample, and what each is.


@pytest.fixture(scope="module", params=BASELINES)
def sampled(request: pytest.FixtureRequest, catalog, gate, shoppers) -> Any:
    """Each baseline on the sample catalog."""
    model = scripted_lm(neighbours)
    return open_baseline(request.param, catalog, lm=model, interactions=list(shoppers.values()), relevance=gate)


@pytest.mark.parametrize("shopper", ["maya-vegan-student", "mateo-sixteen", "leila-vegan-runner"])
def test_a_page_of_the_sample(sampled: Any, request_for, check_page, shopper: str) -> None:
    request = request_for(shopper)
    page = sampled.generate(request)
    check_page(page, request)
    assert not page.degraded
    assert page.provenance.program == f"baseline {sampled.name}"
    assert page.provenance.lm == ("scripted/model" if sampled.name == "one-prompt" else "none")
    assert all(item.reason for section in page.sections for item in section.items if sampled.name != "one-prompt")
    for section in page.sections:
        assert 3 <= len(section.theme.concepts) <= 8


@pytest.mark.parametrize(
    ("template", "department", "title"),
    [
        ("Popular in {}", "Dairy & eggs", "Popular in dairy & eggs"),
        ("Buy again: {}", "TV & audio", "Buy again: TV & audio"),
        ("Buy again: {}", "", "Buy again: the shop"),
        ("Your usuals and more: {}", "Drugstore & general merchandise", "Your usuals and more: drugstore"),
        ("Buy again: {}", "x" * 60, ("Buy again: " + "x" * 60)[:TITLE_LIMIT]),
    ],
)
def test_titles_read_well(template: str, department: str, title: str) -> None:
    found = section_title(template, department)
    assert len(found) <= TITLE_LIMIT
    assert found == title or department.startswith("x")


class TestPopular:
    def test_everyone_gets_the_same_but_for_the_rules(self, catalog, request_for) -> None:
        generator = PopularByDepartment(catalog)
        pages = [generator.generate(request_for(name)) for name in ("maya-vegan-student", "leila-vegan-runner")]
        assert [s.theme.title for s in pages[0].sections] == [s.theme.title for s in pages[1].sections]
        anyone = generator.generate(PageRequest(shopper=Shopper(shopper_id="new"), on=ON))
        assert anyone.sections[0].theme.title.startswith("Popular in ")
        best = max(catalog.items.values(), key=lambda item: item.popularity)
        assert anyone.sections[0].items[0].item_id == best.item_id
        assert anyone.sections[0].items[0].reason == anyone.sections[0].theme.title


class TestRepeat:
    @pytest.fixture(scope="class")
    def market(self, tmp_path_factory) -> Catalog:
        return GeneratorContract.market.__wrapped__(self, tmp_path_factory)

    def page(self, market: Catalog, *purchases: Purchase, **fields: Any):
        shopper = Shopper(shopper_id="s", history=purchases)
        return RepeatPurchase(market).generate(asking().model_copy(update={"shopper": shopper, **fields}))

    def test_most_and_latest_first_with_the_facts(self, market: Catalog) -> None:
        bought = [*history("frui-05", "frui-04", "frui-03", "frui-02"), *history("frui-03", days_ago=30)]
        first = self.page(market, *bought).sections[0]
        assert first.theme.title == "Buy again: fruit"
        assert [item.item_id for item in first.items] == ["frui-03", "frui-05", "frui-04", "frui-02"]
        assert [item.reason for item in first.items[:2]] == ["You bought it 2 times", "You bought it on 9 November"]
        ages = [Fraction(14, 90), Fraction(27, 90)]
        assert first.items[0].score == pytest.approx(sum(0.5 ** float(age) for age in ages))
        assert first.items[1].score == 1.0

    def test_a_section_that_is_topped_up_says_so(self, market: Catalog) -> None:
        first = self.page(market, *history("frui-05", "frui-04", "frui-03")).sections[0]
        assert first.theme.title == "Your usuals and more: fruit"
        assert [i.item_id for i in first.items] == ["frui-05", "frui-04", "frui-03", "frui-00"]
        assert first.items[-1].reason == "Popular in fruit"

    def test_a_second_section_and_what_is_left_over(self, market: Catalog) -> None:
        fruit = [f"frui-{n:02}" for n in range(12) if n != 1]
        page = self.page(market, *history(*fruit, "bake-00", "tins-00"), sections=4)
        titles = [section.theme.title for section in page.sections]
        assert set(titles[:3]) == {
            "Buy again: fruit",
            "More to buy again: fruit",
            "Buy again: from all over the shop",
        }
        assert titles[3].startswith("Popular in ")
        shown = {item.item_id for section in page.sections for item in section.items}
        assert len(shown & {*fruit, "bake-00", "tins-00"}) >= 3 * SIZE

    def test_without_purchases_it_is_the_popular_page_and_says_so(self, market: Catalog) -> None:
        page = self.page(market, *history("frui-00", days_ago=-30))
        assert page.sections == PopularByDepartment(market).generate(asking("new")).sections
        assert [(step.stage, step.reason) for step in page.degraded] == [
            ("gather", "no purchases by this day; showed popular items")
        ]


class TestFactors:
    def rows(self) -> list[dict[str, int]]:
        """Two camps: tea drinkers and coffee drinkers."""
        return [{"tea": 3, "scones": 2, "jam": 1}] * 8 + [{"coffee": 4, "rolls": 2}] * 8

    def test_camps_are_told_apart(self) -> None:
        learned = PurchaseFactors(self.rows(), lambda i: i, lambda i: 0.0)
        ranked = [item_id for item_id, _ in learned.rank({"scones": 1})]
        assert set(ranked[:3]) == {"tea", "scones", "jam"}
        assert ranked == [i for i, _ in PurchaseFactors(self.rows(), lambda i: i, lambda i: 0.0).rank({"scones": 1})]

    def test_within_a_kind_by_purchases_and_ones_own_first(self) -> None:
        kinds = {"tea": "hot", "coffee": "hot", "scones": "baked", "rolls": "baked", "jam": "spreads"}
        learned = PurchaseFactors(self.rows(), kinds.__getitem__, lambda i: 0.5)
        score = dict(learned.rank({"tea": 1}))
        # tea 24 + 0.5 + OWN, coffee 32 + 0.5, of one kind: their ratio does not depend on the factors
        assert score["tea"] / score["coffee"] == pytest.approx((24.5 + OWN) / 32.5)
        assert score["rolls"] / score["scones"] == pytest.approx(16.5 / 16.5)

    def test_factors_solve_the_least_squares_problem(self) -> None:
        """x = (Y'Y + Y'(C - I)Y + reg I)^-1 Y'C p, of Hu, Koren and Volinsky 2008."""
        learned = PurchaseFactors(self.rows(), lambda i: i, lambda i: 0.0)
        items, matrix = learned._items, learned._model.item_factors.astype(np.float64)
        confidence = np.ones(len(items))
        confidence[items.index("tea")] = 3.0
        wanted = np.zeros(len(items))
        wanted[items.index("tea")] = 1.0
        regular = learned._model.regularization * np.eye(matrix.shape[1])
        solved = np.linalg.solve(matrix.T @ (confidence[:, None] * matrix) + regular, matrix.T @ (confidence * wanted))
        expected = dict(zip(items, matrix @ solved, strict=True))
        for item_id, score in learned.rank({"tea": 3}):
            assert score == pytest.approx(expected[item_id], abs=1e-3)

    def test_who_bought_nothing_known_gets_nothing(self) -> None:
        learned = PurchaseFactors(self.rows(), lambda i: i, lambda i: 0.0)
        assert learned.rank({}) == []
        assert learned.rank({"lamp": 2}) == []


class TestALS:
    @pytest.fixture(scope="class")
    def market(self, tmp_path_factory) -> Catalog:
        return GeneratorContract.market.__wrapped__(self, tmp_path_factory)

    def test_sections_by_department_in_the_order_of_their_scores(self, market: Catalog) -> None:
        page = ImplicitALS(market, others()).generate(asking())
        picked = [section for section in page.sections if "for you: " in section.theme.title]
        assert picked
        sums = [sum(item.score for item in section.items) for section in picked]
        assert sums == sorted(sums, reverse=True)
        for section in picked:
            assert len({market.items[item.item_id].department for item in section.items}) == 1
        reasons = {item.item_id: item.reason for section in picked for item in section.items}
        assert reasons["frui-00"] == "You bought it 3 times"

    def test_it_learns_once_a_day_and_not_beyond_until(self, market: Catalog, monkeypatch) -> None:
        days = []
        learn = ImplicitALS._learn
        monkeypatch.setattr(ImplicitALS, "_learn", lambda self, day: days.append(day) or learn(self, day))
        generator = ImplicitALS(market, others(), until=ON - timedelta(days=10))
        for back in (0, 0, 5, 20, 20):
            generator.generate(asking(on=ON - timedelta(days=back)))
        assert days == [ON - timedelta(days=10), ON - timedelta(days=20)]

    def test_nobody_else_to_learn_from_is_said(self, market: Catalog) -> None:
        page = ImplicitALS(market, []).generate(asking())
        assert [step.stage for step in page.degraded] == ["gather"]
        assert "nothing to learn from" in page.degraded[0].reason

    def test_an_unknown_level_is_named(self, market: Catalog) -> None:
        with pytest.raises(SettingsError, match="no level 'shelf'"):
            ImplicitALS(market, [], level="shelf")  # type: ignore[arg-type]

    @pytest.mark.filterwarnings("error::RuntimeWarning")
    def test_blas_gives_no_warning(self, market: Catalog) -> None:
        ImplicitALS(market, others()).generate(asking())


class TestOnePrompt:
    @pytest.fixture(scope="class")
    def market(self, tmp_path_factory) -> Catalog:
        return GeneratorContract.market.__wrapped__(self, tmp_path_factory)

    def large(self, answer: str | Callable[[Request], str]) -> LanguageModel:
        def answers(request: Request) -> str:
            text = answer if isinstance(answer, str) else answer(request)
            return f"[[ ## page ## ]]\n{text}\n\n[[ ## completed ## ]]"

        return scripted_lm(answers, name="scripted/large", small=False, adapter=ChatAdapter())

    def engine(self, model: LanguageModel) -> ScriptedEngine:
        assert isinstance(model.lm.engine, ScriptedEngine)
        return model.lm.engine

    def test_one_call_a_page_and_it_is_metered(self, market: Catalog) -> None:
        model = scripted_lm(neighbours)
        page = OnePrompt(market, model).generate(asking())
        (request,) = self.engine(model).requests
        assert [section.theme.title for section in page.sections] == list(TITLES[:3])
        assert page.usage["plan"].calls == 1
        assert (page.usage["plan"].input_tokens, page.usage["plan"].output_tokens) == (10, 5)
        lines = field(request, "items")
        assert [line.split()[0] for line in lines] == [str(n) for n in range(1, len(lines) + 1)]
        assert request.config.extensions["grammar"].startswith("root ::= title")

    def test_a_large_model_sees_titles_and_shelves(self, market: Catalog) -> None:
        model = self.large('[{"title": "Pears for a quiet week", "items": [1, 2, 3, 4]}]')
        page = OnePrompt(market, model).generate(asking())
        question = asked(self.engine(model).requests[0])
        lines = re.findall(r"\d+\. [^\"\n]+", question)
        assert len(lines) > 40
        assert "(Fruit shelf 1)" in question
        assert page.sections[0].theme.title == "Pears for a quiet week"
        assert [len(section.items) for section in page.sections] == [4, 4, 4]
        assert [step.reason for step in page.degraded] == [
            "scripted/large gave 1 usable sections of 3; popular items completed the page"
        ]

    def test_what_is_listed_is_allowed_and_of_three_kinds(self, market: Catalog) -> None:
        notes = Notes()
        picks = OnePrompt(market, scripted_lm(neighbours), lines=30).listed(asking("no milk"), notes)
        ids = [pick.item.item_id for pick in picks]
        assert len(ids) == len(set(ids)) == 30
        assert "frui-00" in ids
        assert not [i for i in ids if i.startswith("dair") or i.endswith("-01")]
        assert {drop.stage for drop in notes.drops} == {"guard"}
        departments = [pick.item.department for pick in picks]
        assert len(list(dict.fromkeys(departments))) == sum(
            one != other for one, other in zip(departments, ["", *departments], strict=False)
        )

    def test_invented_and_repeated_numbers_are_dropped_and_counted(self, market: Catalog) -> None:
        answer = (
            '[{"title": "Pears for a quiet week", "items": [1, 2, 2, 3, 999, 0, 4]},'
            ' {"title": "Baking on Sunday", "items": [4, 5, 6, 7, 8]},'
            ' {"title": "pears for a quiet week", "items": [20, 21, 22, 23]},'
            ' {"title": "Too little", "items": [1, 9]}]'
        )
        page = OnePrompt(market, self.large(answer)).generate(asking())
        planned = [drop.reason.partition(":")[0] for drop in page.drops if drop.stage == "plan"]
        assert planned.count("invented") == 2
        assert planned.count("repeated") == 3
        assert [drop.subject for drop in page.drops if "title repeated" in drop.reason] == ["pears for a quiet week"]
        assert [drop.subject for drop in page.drops if drop.stage == "select"] == ["Too little"]
        assert [len(section.items) for section in page.sections] == [4, 4, 4]

    @pytest.mark.parametrize("title", ["Wine for tonight", "<b>Pears</b>", "A" * 48 + "bc"])
    def test_a_title_that_may_not_be_shown_takes_its_section(self, market: Catalog, title: str) -> None:
        answer = f'[{{"title": "{title}", "items": [1, 2, 3, 4]}}]'
        page = OnePrompt(market, self.large(answer)).generate(asking("minor"))
        assert all(section.theme.title.startswith("Popular in ") for section in page.sections)
        assert [step.stage for step in page.degraded] == ["plan"]

    def test_an_unusable_answer_is_the_popular_page(self, market: Catalog) -> None:
        model = scripted_lm(lambda request: "hm")
        page = OnePrompt(market, model).generate(asking())
        assert page.sections == PopularByDepartment(market).generate(asking()).sections
        assert [step.stage for step in page.degraded] == ["plan"]
        assert "unusable answer: 'hm'; showed popular items" in page.degraded[0].reason
        assert (page.usage["plan"].calls, page.usage["plan"].failures) == (2, 2)

    def test_a_demonstrations_title_is_no_title(self, market: Catalog) -> None:
        answers = "Cold drinks for the garden | 1, 2, 3, 4\nPears for a quiet week | 5, 6, 7, 8"
        page = OnePrompt(market, scripted_lm(lambda request: answers)).generate(asking())
        assert [section.theme.title for section in page.sections][0] == "Pears for a quiet week"


class TestPageGrammar:
    @pytest.mark.parametrize(("lines", "sections", "size"), [(60, 6, 8), (48, 6, 8), (12, 3, 3), (7, 3, 8), (2, 5, 3)])
    def test_every_sentence_reads_back_with_no_number_twice(self, lines: int, sections: int, size: int) -> None:
        grammar = page_grammar(lines, sections, size)
        for seed in range(20):
            page = CompactAdapter().parse(WholePage, Sampler(grammar, seed).write())["page"]
            assert len(page) == min(sections, lines)
            numbers = [number for section in page for number in section.items]
            assert numbers == sorted(set(numbers))
            assert 1 <= numbers[0] <= numbers[-1] <= lines
            assert {len(section.items) for section in page} == {min(size, lines // len(page))}

    def test_nothing_to_choose_from(self) -> None:
        assert page_grammar(0, 3, 4) == 'root ::= ""'

    def test_a_demonstration_is_written_as_it_is_read(self) -> None:
        page = [PickedSection(title="Grill", items=(1, 3)), PickedSection(title="Drinks", items=(4,))]
        predictor = dspy.Predict(WholePage)
        messages = CompactAdapter().format(predictor.signature, [{"shopper": "s", "page": page}], {"shopper": "t"})
        assert messages[2]["content"] == "Grill | 1, 3\nDrinks | 4"
        assert CompactAdapter().parse(WholePage, messages[2]["content"]) == {"page": page}


@pytest.mark.slow
def test_one_prompt_by_the_embedded_model(catalog, embedded, request_for, check_page) -> None:
    """It parses, every time; whether its titles say anything is what evaluation finds out."""
    request = request_for(sections=3, items_per_section=4, seed=1)
    generator = OnePrompt(catalog, embedded)
    page = generator.generate(request)
    check_page(page, request)
    assert page.usage["plan"].calls == 1
    assert page.usage["plan"].failures == 0
    assert page.usage["plan"].input_tokens < 2500
    assert generator.generate(request).sections == page.sections
