"""LM judges on a scripted LM: what is asked, what is made of the answer, and what an LM may not be used for."""

import json
import re
import threading
import time
from typing import Any
from zlib import crc32

import dspy
import pytest
from dspy.lm15 import Request

from genrec.errors import LMError, SettingsError
from genrec.evaluation.judges import CRITERIA, GuardrailCase, ItemCase, Judge, Judgment, PageCase, SectionCase
from genrec.evaluation.lm_judges import LMJudge, lm_judges
from genrec.lm.chat import ChatAdapter, JSONAdapter
from genrec.lm.connect import LanguageModel, open_lm
from genrec.page import PageRequest, Theme
from genrec.programs.asking import Asker
from genrec.programs.facts import shopper_facts
from genrec.programs.guardrails import check_with_lm
from genrec.programs.state import dump_state, load_state, packaged_predictor
from genrec.signatures import GuardrailCheck
from genrec.signatures import judges as signatures
from genrec.signatures.judges import DATA, QUESTIONS, ItemGrade, PageCoverage, SectionClarity
from tests.contracts.judge_contract import ITEMS, ODD, ON, REQUESTS, SHOPPERS, THEMES, JudgeContract, item, page_of
from tests.contracts.judge_contract import usual_cases as usual
from tests.doubles import Answers, asked, scripted_lm

NEW, VEGAN, CHILD = REQUESTS
SOUP, WINE, _ = THEMES
GOODS = list(ITEMS.values())


def large(answers: Answers, adapter: dspy.Adapter | None = None, name: str = "scripted/large") -> LanguageModel:
    return scripted_lm(answers, name=name, small=False, adapter=adapter or ChatAdapter())


def requests_of(model: LanguageModel) -> list[Request]:
    return model.lm.engine.requests


def shown(request: Request, name: str) -> Any:
    """An input as the chat adapter writes it: one line, of JSON where it is a list."""
    text = re.search(rf"^\[\[ ## {name} ## \]\]\n(.*)$", asked(request), re.MULTILINE)
    assert text, f"no {name} in {asked(request)!r}"
    return json.loads(text[1]) if text[1].startswith("[") else text[1]


def answer(**fields: Any) -> str:
    """Output fields as the chat adapter reads them."""
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    return "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in written.items()) + "[[ ## completed ## ]]"


def graded(grade: object, reason: str = "It says so.") -> str:
    return answer(reason=reason, grade=str(grade))


def grades(**by_number: object) -> str:
    """`n1=3`: grade 3 for line 1."""
    return answer(grades=[{"number": int(n[1:]), "reason": "So.", "grade": g} for n, g in by_number.items()])


def thoughtful(request: Request) -> str:
    """An LM whose answer depends on what it is shown, and on nothing else."""
    if "`[[ ## grades ## ]]`" in asked(request):
        theme = f"{shown(request, 'title')}{shown(request, 'ideas')}"
        lines = [line.partition(". ") for line in shown(request, "items")]
        return grades(**{f"n{number}": crc32((theme + line).encode()) % 4 for number, _, line in lines})
    if "`[[ ## deny ## ]]`" in asked(request):
        return answer(deny=[[], [1], [2]][crc32(asked(request).encode()) % 3])
    return graded(crc32(asked(request).encode()) % 4)


class AnyCriterion(JudgeContract):
    criterion = ""

    @pytest.fixture
    def judge(self) -> Judge[Any]:
        return LMJudge(large(thoughtful), self.criterion, ITEMS)


class TestItemContract(AnyCriterion):
    criterion = "item.relevance"


class TestSectionContract(AnyCriterion):
    criterion = "section.appeal"


class TestPageContract(AnyCriterion):
    criterion = "page.coverage"


class TestGuardrailContract(AnyCriterion):
    criterion = "guardrail.allowed"


class TestQuestions:
    def test_every_criterion_has_one_and_they_all_differ(self) -> None:
        assert list(QUESTIONS) == list(CRITERIA)
        assert len({q.instructions for q in QUESTIONS.values()}) == len(CRITERIA)

    @pytest.mark.parametrize("criterion", [c for c in CRITERIA if c != "guardrail.allowed"])
    @pytest.mark.parametrize("adapter", [ChatAdapter(), JSONAdapter()], ids=["chat", "json"])
    def test_whatever_others_wrote_is_called_data(self, criterion: str, adapter: dspy.Adapter) -> None:
        question = QUESTIONS[criterion].with_instructions("What an optimizer came up with.")
        inputs = dict.fromkeys(question.input_fields, "x")
        system = adapter.format(question, [], inputs)[0]["content"]
        assert system.count(DATA) == len(inputs)

    @pytest.mark.parametrize("criterion", [c for c in CRITERIA if c != "guardrail.allowed"])
    def test_every_grade_has_its_words(self, criterion: str) -> None:
        assert re.findall(r"^([0-3]): \w", QUESTIONS[criterion].instructions, re.MULTILINE) == ["3", "2", "1", "0"]

    def test_the_reason_comes_before_the_grade(self) -> None:
        for criterion, question in QUESTIONS.items():
            if CRITERIA[criterion] in ("section", "page"):
                assert list(question.output_fields) == ["reason", "grade"]
        assert list(ItemGrade.model_fields) == ["number", "reason", "grade"]

    def test_a_compiled_question_is_kept_by_name_and_asked(self) -> None:
        compiled = dspy.Predict(SectionClarity)
        compiled.signature = compiled.signature.with_instructions("Grade it as a proof-reader would.")
        compiled.demos = [dspy.Example(shopper="on: today", title='"Soup"', ideas=[], items=[], reason="Yes.", grade=3)]
        again = dspy.Predict(SectionClarity)
        load_state(again, json.loads(json.dumps(dump_state(compiled))))
        model = large([graded(2)])
        judge = LMJudge(model, "section.clarity", ITEMS, predictor=again)
        assert judge.judge([SectionCase(NEW, SOUP)])[0].grade == 2
        assert "as a proof-reader would" in str(requests_of(model)[0].system)
        assert len(requests_of(model)[0].messages) == 3
        assert judge.fingerprint == LMJudge(model, "section.clarity", ITEMS, predictor=compiled).fingerprint
        assert judge.fingerprint != LMJudge(model, "section.clarity", ITEMS).fingerprint


class TestItems:
    def test_items_of_a_theme_share_a_call(self) -> None:
        model = large([grades(n1=3, n2=1), grades(n1=2)])
        cases = [ItemCase(SOUP, ITEMS["soup"]), ItemCase(WINE, ITEMS["wine"]), ItemCase(SOUP, ITEMS["gel"])]
        judged = LMJudge(model, "item.relevance", ITEMS, threads=1).judge(cases)
        assert judged == [Judgment(1.0, 3, "So."), Judgment(2 / 3, 2, "So."), Judgment(1 / 3, 1, "So.")]
        first, second = requests_of(model)
        assert shown(first, "title") == '"Soup and bread for grey evenings"'
        assert shown(first, "ideas") == ["pumpkin soup", "rye bread", "butter"]
        assert shown(first, "items") == [
            "1. Pumpkin soup, 400 g (Food > Soup)",
            "2. Lime shower gel (Household > Bath)",
        ]
        assert shown(second, "items") == ["1. Red wine, 75 cl (Drinks > Wine)"]

    @pytest.mark.parametrize(("batch", "sizes"), [(1, [1] * 6), (4, [4, 2]), (6, [6]), (50, [6])])
    def test_a_call_has_at_most_a_batch(self, batch: int, sizes: list[int]) -> None:
        model = large(thoughtful)
        LMJudge(model, "item.relevance", ITEMS, batch=batch, threads=1).judge([ItemCase(SOUP, i) for i in GOODS])
        assert [len(shown(request, "items")) for request in requests_of(model)] == sizes

    def test_what_reads_alike_is_asked_once(self) -> None:
        model = large([grades(n1=3, n2=0)])
        twin = item("soup-2", "Pumpkin soup, 400 g", "Food", "Soup", price=3.0)
        cases = [ItemCase(SOUP, i) for i in (ITEMS["soup"], twin, ITEMS["gel"], ITEMS["soup"])]
        assert [j.grade for j in LMJudge(model, "item.relevance", ITEMS).judge(cases)] == [3, 3, 0, 3]

    def test_what_was_left_out_is_asked_again(self) -> None:
        model = large([grades(n3=1, n1=3), grades(n1=2)])
        judged = LMJudge(model, "item.relevance", ITEMS).judge([ItemCase(SOUP, i) for i in GOODS[:3]])
        assert [j.grade for j in judged] == [3, 2, 1]
        assert shown(requests_of(model)[1], "items") == ["1. Rye bread (Food > Bakery)"]

    def test_an_unusable_grade_costs_that_item(self) -> None:
        model = large([grades(n1=3, n2=7), grades(n1=0)])
        judged = LMJudge(model, "item.relevance", ITEMS).judge([ItemCase(SOUP, i) for i in GOODS[:2]])
        assert [j.grade for j in judged] == [3, 0]

    def test_numbers_of_no_item_and_second_thoughts_do_not_count(self) -> None:
        twice = [{"number": n, "reason": "So.", "grade": g} for n, g in ((0, 1), (1, 3), (9, 2), (1, 0), (-1, 2))]
        judged = LMJudge(large([answer(grades=twice)]), "item.relevance", ITEMS).judge([ItemCase(SOUP, GOODS[0])])
        assert judged == [Judgment(1.0, 3, "So.")]

    def test_the_case_that_was_left_out_twice_is_named(self) -> None:
        model = large([grades(n1=3), grades(n2=3)])
        with pytest.raises(
            LMError, match=r"^item.relevance of 'bread' in \"Soup and .*\" was not judged: .*left it out"
        ):
            LMJudge(model, "item.relevance", ITEMS).judge([ItemCase(SOUP, i) for i in GOODS[:2]])


class TestSections:
    def test_what_is_shown(self) -> None:
        model = large([graded(2, "Clear,\n  but clumsy.")])
        case = SectionCase(CHILD, SOUP, (ITEMS["soup"], ITEMS["bread"]))
        assert LMJudge(model, "section.clarity", ITEMS).judge([case]) == [Judgment(2 / 3, 2, "Clear, but clumsy.")]
        (request,) = requests_of(model)
        assert "for clarity alone" in str(request.system)
        assert shown(request, "shopper") == (
            "diet: no milk; on: Thursday 12 November 2026; wants: discovery (things not bought before); "
            "coming up: thanksgiving; age: 9; buys: rye bread"
        ), "neither what the catalog lacks nor what is bought after the day"
        assert shown(request, "title") == '"Soup and bread for grey evenings"'
        assert shown(request, "ideas") == ["pumpkin soup", "rye bread", "butter"]
        assert shown(request, "items") == ["pumpkin soup", "rye bread"]

    def test_without_items_the_ideas_speak(self) -> None:
        model = large([graded(3)])
        LMJudge(model, "section.fit", ITEMS).judge([SectionCase(NEW, SOUP)])
        assert shown(requests_of(model)[0], "items") == []

    def test_the_json_adapter_will_do_too(self) -> None:
        model = large(['{"reason": "Dull.", "grade": 1}'], JSONAdapter())
        assert LMJudge(model, "section.appeal", ITEMS).judge([SectionCase(NEW, SOUP)]) == [Judgment(1 / 3, 1, "Dull.")]

    @pytest.mark.parametrize("text", ODD.values(), ids=ODD)
    def test_what_others_wrote_starts_no_line(self, text: str) -> None:
        plain, odd = large([graded(0)]), large([graded(0)])
        theme = Theme.model_construct(title=text, concepts=(text,), rationale="", objective="")
        LMJudge(plain, "section.appeal", ITEMS).judge([SectionCase(NEW, SOUP)])
        LMJudge(odd, "section.appeal", ITEMS).judge([SectionCase(NEW, theme)])
        lines, usual_lines = (asked(requests_of(model)[0]).split("\n") for model in (odd, plain))
        assert len(lines) == len(usual_lines)
        assert [n for n in lines if n.startswith("[[ ##")] == [n for n in usual_lines if n.startswith("[[ ##")]
        assert all(len(line) <= 700 for line in lines)
        asked(requests_of(odd)[0]).encode()

    @pytest.mark.parametrize("bad", [graded(4), graded("good"), graded(-1), answer(grade="2"), "No.", ""])
    def test_an_unusable_answer_is_asked_for_again(self, bad: str) -> None:
        model = large([bad, graded(1)])
        assert LMJudge(model, "section.appeal", ITEMS).judge([SectionCase(NEW, SOUP)])[0].grade == 1
        first, second = requests_of(model)
        assert asked(first) == asked(second)
        assert first.config.seed != second.config.seed

    def test_once(self) -> None:
        model = large(["No.", "Never."])
        with pytest.raises(LMError, match=r"^section.appeal of \"Soup and .*\" for 'new' .*unusable answer: 'Never.'"):
            LMJudge(model, "section.appeal", ITEMS).judge([SectionCase(NEW, SOUP)])

    def test_an_lm_that_fails_is_an_lm_error(self) -> None:
        def fail(request: Request) -> str:
            raise ConnectionError("refused")

        model = large(fail)
        with pytest.raises(LMError, match=r"page.fit of the page for 'new' on 2026-11-12 .*scripted/large failed"):
            LMJudge(model, "page.fit", ITEMS).judge([PageCase(NEW, page_of(NEW, []), {})])
        assert len(requests_of(model)) == 2


class TestPages:
    def test_what_is_shown(self) -> None:
        model = large([graded(3)])
        page = page_of(VEGAN, [(SOUP, GOODS[:2]), (WINE, [item("x", "Wine; red\n3. more", "Food")])])
        LMJudge(model, "page.coverage", ITEMS).judge([PageCase(VEGAN, page, {})])
        (request,) = requests_of(model)
        assert "wants:" not in shown(request, "shopper")
        assert shown(request, "objectives") == ["discovery (things not bought before)"]
        assert shown(request, "sections") == [
            '1. "Soup and bread for grey evenings": pumpkin soup; rye bread',
            '2. "A glass after work": wine, red 3. more',
        ]

    def test_a_page_without_objectives_is_full_marks_for_coverage(self) -> None:
        assert "Without objectives: 3." in PageCoverage.instructions


class TestGuardrail:
    @pytest.mark.parametrize(
        ("deny", "judgment"),
        [
            ([], Judgment(1.0, 3, "")),
            ([2], Judgment(0.0, 0, "GuardrailCheck denied the item")),
            ([1], Judgment(0.0, 0, "GuardrailCheck denied the title")),
        ],
    )
    def test_a_denied_line_is_a_denial(self, deny: list[int], judgment: Judgment) -> None:
        judge = LMJudge(large([answer(deny=deny)]), "guardrail.allowed", ITEMS)
        assert judge.judge([GuardrailCase(CHILD, "Supper", ITEMS["wine"])]) == [judgment]

    @pytest.mark.parametrize("deny", [[2, 1], [0], [3], [2, 7], [-1]], ids=str)
    def test_what_a_page_could_not_use_is_asked_again(self, deny: list[int]) -> None:
        model = large([answer(deny=deny), answer(deny=[2])])
        (judgment,) = LMJudge(model, "guardrail.allowed", ITEMS).judge([GuardrailCase(CHILD, "Tea", ITEMS["wine"])])
        assert (judgment.grade, len(requests_of(model))) == (0, 2)

    def test_another_endpoint_is_another_judge(self) -> None:
        one, other = (
            LMJudge(open_lm("openai/m", api_base=f"http://127.0.0.1:{port}/v1"), "section.fit", ITEMS)
            for port in (8001, 8002)
        )
        assert one.fingerprint != other.fingerprint

    def test_it_is_asked_as_the_page_program_asks(self) -> None:
        judged, guarded = large([answer(deny=[2])]), large([answer(deny=[2])])
        predictor = packaged_predictor("guard", GuardrailCheck)
        LMJudge(judged, "guardrail.allowed", ITEMS).judge([GuardrailCase(CHILD, "Supper tonight", ITEMS["wine"])])
        facts = shopper_facts(CHILD, type("Shelf", (), {"items": ITEMS}))
        asker = Asker(guarded, deadline=30.0)
        check_with_lm(asker, predictor, CHILD, facts, [("Supper tonight", [ITEMS["wine"]])])
        (mine,), (theirs,) = requests_of(judged), requests_of(guarded)
        assert (mine.system, mine.messages) == (theirs.system, theirs.messages)

    def test_a_compiled_guard_can_be_measured(self) -> None:
        guard = packaged_predictor("guard", GuardrailCheck)
        plain = LMJudge(large([]), "guardrail.allowed", ITEMS, predictor=guard)
        guard.demos = [dspy.Example(shopper="age: 9", lines=["1. section: Tea", "2. Gin"], deny=[2])]
        assert LMJudge(large([]), "guardrail.allowed", ITEMS, predictor=guard).fingerprint != plain.fingerprint
        assert plain.fingerprint == LMJudge(large([]), "guardrail.allowed", ITEMS).fingerprint


class TestJudges:
    def test_one_of_each_criterion(self) -> None:
        judges = lm_judges(large(thoughtful), ITEMS)
        assert [judge.criterion for judge in judges] == list(CRITERIA)
        assert {judge.name for judge in judges} == {"scripted/large"}
        assert len({judge.fingerprint for judge in judges}) == len(judges)
        for judge in judges:
            assert len(judge.judge(usual(CRITERIA[judge.criterion]))) > 1

    def test_a_small_model_is_no_judge(self, embedded: LanguageModel) -> None:
        with pytest.raises(SettingsError, match="^the embedded model is no judge: .*name a larger LM with --lm$"):
            lm_judges(embedded, ITEMS)
        with pytest.raises(SettingsError, match=r"^scripted/model as a small LM is no judge: "):
            LMJudge(scripted_lm([]), "guardrail.allowed", ITEMS)

    def test_the_fingerprint_is_of_all_that_may_change_a_judgment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def printed(model: LanguageModel, **options: Any) -> str:
            return LMJudge(model, "item.relevance", ITEMS, **options).fingerprint

        usual_one = printed(large([]))
        assert usual_one == printed(large([])) == printed(large([]), threads=1)
        warm = large([])
        warm.lm.kwargs["temperature"] = 0.7
        others = [printed(large([], name="other/large")), printed(large([], JSONAdapter())), printed(warm)]
        others.append(printed(large([]), batch=1))
        monkeypatch.setattr("genrec.evaluation.lm_judges.RUBRIC", f"{signatures.RUBRIC}-other")
        others.append(printed(large([])))
        assert len({usual_one, *others}) == 6

    def test_calls_run_side_by_side(self) -> None:
        together = threading.Barrier(4, timeout=10)

        def wait(request: Request) -> str:
            together.wait()
            return graded(1)

        cases = [SectionCase(PageRequest(shopper=s, on=ON), theme) for s in SHOPPERS[:2] for theme in THEMES[:2]]
        assert [j.grade for j in LMJudge(large(wait), "section.fit", ITEMS, threads=4).judge(cases)] == [1] * 4

    def test_after_a_failure_nothing_more_is_asked(self) -> None:
        def fail(request: Request) -> str:
            time.sleep(0.01)
            return "No."

        model = large(fail)
        cases = [SectionCase(r, theme, tuple(GOODS[:n])) for r in REQUESTS for theme in THEMES for n in range(6)]
        with pytest.raises(LMError, match="section.fit"):
            LMJudge(model, "section.fit", ITEMS, threads=2).judge(cases)
        assert len(requests_of(model)) < 20 < len(cases)

    def test_two_lms_judge_side_by_side_and_nothing_is_configured(self) -> None:
        before = dspy.settings.lm
        kind, strict = (LMJudge(large(lambda r, g=g: graded(g)), "section.appeal", ITEMS) for g in (3, 0))
        cases = usual("section")
        judged = []
        threads = [threading.Thread(target=lambda j=j: judged.append(j.judge(cases))) for j in (kind, strict)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted({j.grade for one in judged for j in one}) == [0, 3]
        assert all(len({j.grade for j in one}) == 1 for one in judged)
        assert dspy.settings.lm is before
