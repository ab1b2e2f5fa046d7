"""Training sets, the page metric as DSPy calls it, and compiling, on a real catalog with a scripted LM."""

import json
from datetime import date
from pathlib import Path

import dspy
import pytest

from genrec.catalog.store import Catalog
from genrec.errors import RequestError, SettingsError
from genrec.evaluation.page_metric import PageScore, score_page
from genrec.optimizers import compile as compiling
from genrec.optimizers.compile import Compiled, compile_program
from genrec.optimizers.made_with import gate_fingerprint
from genrec.optimizers.page_metric_adapter import PageMetric, TeachingMetric, Yardstick, examples
from genrec.optimizers.training_sets import planner_demos, split_requests, training_fingerprint, written_plans
from genrec.page import Page, PageRequest, Purchase, Shopper
from genrec.programs.affinity import History
from genrec.programs.planning import title_problem
from genrec.programs.relevance import CosineRelevance
from genrec.programs.state import dump_state, load_state, packaged_state
from genrec.programs.top_down import TopDown
from genrec.registry import RegistrySettings, load, log_compiled
from tests.catalog.conftest import make_items
from tests.doubles import ScriptedEngine, asked, field, plain_answers, scripted_lm
from tests.registry.conftest import score

TODAY = date(2026, 11, 12)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return Catalog.build(make_items(), tmp_path_factory.mktemp("indexes") / "small")


def program_on(catalog: Catalog, answers=plain_answers) -> TopDown:
    gate = CosineRelevance(catalog.embedder)
    return TopDown(catalog, scripted_lm(answers), relevance=gate, threshold=0.2)


def shoppers(*names: str) -> list[PageRequest]:
    """Requests for small pages of shoppers who bought a few things each."""
    requests = []
    for number, name in enumerate(names):
        history = tuple(Purchase(item_id=f"sku-{1 + 2 * number + n:02}", at=date(2026, 11, 1)) for n in range(4))
        shopper = Shopper(shopper_id=name, history=history)
        requests.append(PageRequest(shopper=shopper, on=TODAY, sections=2, items_per_section=3))
    return requests


class TestTrainingSets:
    def test_the_sample_is_split_as_its_file_says(self) -> None:
        splits = split_requests(sections=3, items_per_section=5, seed=7)
        assert {name: len(requests) for name, requests in splits.items()} == {"train": 32, "dev": 16, "test": 16}
        first = splits["train"][0]
        assert (first.shopper.shopper_id, first.on) == ("maya-vegan-student", TODAY)
        assert (first.sections, first.items_per_section, first.seed) == (3, 5, 7)
        names = [r.shopper.shopper_id for requests in splits.values() for r in requests]
        assert len(names) == len(set(names)) == 64

    def test_held_out_purchases_are_there_and_programs_do_not_see_them(self, catalog: Catalog) -> None:
        assert any(p.at > TODAY for r in split_requests()["dev"] for p in r.shopper.history)
        (request,) = shoppers("ann")
        later = Purchase(item_id="sku-40", at=date(2026, 11, 13))
        shopper = request.shopper.model_copy(update={"history": (*request.shopper.history, later)})
        knowing = request.model_copy(update={"shopper": shopper})
        assert History(knowing, catalog).item_ids == History(request, catalog).item_ids
        program = program_on(catalog)
        pages = [program.generate(r) for r in (request, knowing)]
        assert pages[0].sections == pages[1].sections
        assert score_page(pages[0], request, catalog) == score_page(pages[0], knowing, catalog)

    @pytest.mark.parametrize(
        ("splits", "problem"),
        [
            ({"train": ["nobody"], "dev": [], "test": [], "today": "2026-11-12"}, "'nobody'"),
            ({"train": [], "dev": [], "today": "2026-11-12"}, "'test'"),
            ({"train": [], "dev": [], "test": [], "today": "soon"}, "soon"),
        ],
    )
    def test_a_wrong_split_is_named(self, tmp_path: Path, splits: dict, problem: str) -> None:
        (tmp_path / "shoppers.jsonl").write_text('{"shopper_id": "ann"}\n')
        with pytest.raises(RequestError, match="splits.json"):
            split_requests(tmp_path)
        (tmp_path / "splits.json").write_text(json.dumps(splits))
        with pytest.raises(RequestError, match=f"{tmp_path}.*{problem}"):
            split_requests(tmp_path)

    def test_a_written_plan_is_five_sections_of_four_ideas(self) -> None:
        plans = written_plans()
        assert len(plans) == 216
        assert {len(plan.sections) for plan in plans} == {5}
        assert {len(section.ideas) for plan in plans for section in plan.sections} == {4}

    def test_demonstrations_hide_four_ideas_among_others_in_order(self) -> None:
        demos = planner_demos(seed=3)
        assert len(demos) > 500
        for demo in demos:
            (theme,) = demo.themes
            assert len(demo.candidates) == len(set(demo.candidates)) == 8
            places = [demo.candidates.index(concept) for concept in theme.concepts]
            assert len(places) == 4 and places == sorted(places)
            assert (demo.count, demo.avoid, title_problem(theme.title)) == (1, [], "")
            assert "buys:" not in demo.shopper and "shop:" not in demo.shopper

    def test_demonstrations_depend_on_the_seed_alone(self) -> None:
        assert planner_demos(seed=3) == planner_demos(seed=3) != planner_demos(seed=4)

    def test_demonstrations_fit_the_planner(self, catalog: Catalog) -> None:
        program = program_on(catalog)
        program.plan.demos = planner_demos(seed=1)[:3]
        again = program_on(catalog)
        load_state(again, dump_state(program))
        assert [d.themes for d in again.plan.demos] == [d.themes for d in program.plan.demos]

    def test_a_fingerprint_names_the_requests(self) -> None:
        ann, bob = shoppers("ann", "bob")
        assert training_fingerprint([ann]) == training_fingerprint([ann]) != training_fingerprint([bob])


class TestAdapter:
    def traced(self, catalog: Catalog, answers=plain_answers):
        (request,) = shoppers("ann")
        with dspy.context(trace=[]):
            program = program_on(catalog, answers)
            return request, program(request=request), dspy.settings.trace

    def test_the_trace_of_a_page_holds_the_calls_made_in_threads(self, catalog: Catalog) -> None:
        _, prediction, trace = self.traced(catalog)
        assert len(trace) == sum(usage.calls for usage in prediction.page.usage.values()) > 3
        assert {name for step in trace for name in step[2].keys()} == {"themes", "descriptor"}

    def test_a_score_compares_like_a_number_and_carries_the_reason(self, catalog: Catalog) -> None:
        request, prediction, _ = self.traced(catalog)
        (example,) = examples([request])
        result = PageMetric(catalog)(example, prediction)
        expected = score_page(prediction.page, request, catalog)
        assert (result.score, result.feedback) == (expected.total, expected.reason)
        assert result >= expected.total and not result >= expected.total + 0.01

    def test_only_the_calls_behind_the_best_section_teach(self, catalog: Catalog) -> None:
        request, prediction, trace = self.traced(catalog)
        metric = TeachingMetric(catalog, least=0.0)
        (example,) = examples([request])
        assert metric(example, prediction, trace).score > 0
        planned, described = trace
        best = max(prediction.page.sections, key=lambda s: sum(i.relevance for i in s.items) / len(s.items))
        assert [t.title for t in planned[2].themes] == [best.theme.title] == [described[1]["title"]]

    def test_a_page_without_a_section_worth_teaching_scores_nothing(self, catalog: Catalog) -> None:
        request, prediction, trace = self.traced(catalog)
        (example,) = examples([request])
        result = TeachingMetric(catalog, least=1.1)(example, prediction, trace)
        assert (result.score, trace) == (0.0, [])
        assert result.feedback.startswith("no section may teach; ")

    def test_nothing_is_taught_twice(self, catalog: Catalog) -> None:
        request, prediction, trace = self.traced(catalog)
        metric, whole = TeachingMetric(catalog, least=0.0), list(trace)
        (example,) = examples([request])
        taught = []
        for _ in range(3):
            again = list(whole)
            metric(example, prediction, again)
            taught += [theme.title for step in again for theme in step[2].get("themes") or []]
        assert len(taught) == len(set(taught)) == 2


class TestCompile:
    def compiled(self, catalog: Catalog, optimizer: str, **options) -> Compiled:
        answers = options.pop("answers", plain_answers)
        people = {"train": shoppers("ann", "bob", "cat", "dan"), "dev": shoppers("eve", "fay", "gus")}
        return compile_program(program_on(catalog, answers), optimizer=optimizer, **{**people, **options})

    @pytest.mark.parametrize("optimizer", ["labeled", "bootstrap"])
    def test_before_and_after_are_of_the_same_shoppers(self, catalog: Catalog, optimizer: str, capsys) -> None:
        told: list[tuple[str, int, int]] = []
        done = self.compiled(catalog, optimizer, limit_dev=2, progress=lambda *step: told.append(step))
        assert [s.shopper_id for s in done.before] == [s.shopper_id for s in done.after]
        assert len(done.before) == 2
        assert done.params["optimizer"] == optimizer and done.params["train_shoppers"] == 4
        assert done.provenance.catalog == catalog.fingerprint and done.provenance.judge == "page-metric-1"
        assert done.report.startswith(f"page score {sum(s.total for s in done.before) / 2:.3f} -> ")
        assert told[0] == ("before", 1, 2) and told[-1] == ("after", 2, 2)
        assert capsys.readouterr() == ("", "")

    def test_the_given_program_stays_as_it_was(self, catalog: Catalog) -> None:
        program = program_on(catalog)
        compiled = compile_program(program, optimizer="labeled", train=shoppers("ann"), dev=shoppers("eve")).program
        assert dump_state(program) == packaged_state()
        assert compiled.parts is program.parts and compiled is not program
        assert compiled.version == "compiled (labeled)"

    def test_labeled_gives_written_plans_to_the_planner_only(self, catalog: Catalog) -> None:
        done = self.compiled(catalog, "labeled", demos=2, seed=5)
        demos = done.program.plan.demos
        titles = [theme.title for demo in planner_demos(seed=5)[:6] for theme in demo.themes]
        assert len(demos) == 2 and all(demo.themes[0].title in titles for demo in demos)
        kept = {name: p for name, p in dump_state(done.program)["predictors"].items() if name != "plan"}
        assert kept == {name: p for name, p in packaged_state()["predictors"].items() if name != "plan"}

    def test_labeled_keeps_the_set_that_scores_best(self, catalog: Catalog) -> None:
        """An LM that plans well only after it was shown one certain plan: the set that has it must win."""
        wanted = planner_demos(seed=0)[4].themes[0].title

        def answers(request) -> str | None:
            shown = any(wanted in (message.text or "") for message in request.messages)
            if field(request, "candidates") and not shown:
                return ", ".join(field(request, "candidates")[:4]) + " | Odds and ends for the"
            return plain_answers(request)

        done = self.compiled(catalog, "labeled", demos=2, answers=answers)
        assert wanted in [demo.themes[0].title for demo in done.program.plan.demos]
        assert done.gain > 0 and "no better than before" not in done.report

    def test_bootstrap_teaches_the_program_its_own_best_sections(self, catalog: Catalog, monkeypatch) -> None:
        monkeypatch.setattr(compiling, "_bar", lambda before: 0.1)
        done = self.compiled(catalog, "bootstrap", demos=2)
        demos = done.program.plan.demos
        assert len(demos) == 2, "topped up with what was there"
        packaged = {d["themes"][0]["title"] for d in packaged_state()["predictors"]["plan"]["demos"]}
        own = [d.themes[0].title for d in demos if d.themes[0].title not in packaged]
        assert own and demos[0].themes[0].title == own[0]
        assert dump_state(done.program)["predictors"]["guard"] == packaged_state()["predictors"]["guard"]
        assert f"{len(own)} for plan" in done.report

    def test_bootstrap_keeps_what_was_there_when_no_page_passes(self, catalog: Catalog, monkeypatch) -> None:
        monkeypatch.setattr(compiling, "_bar", lambda before: 0.999)
        done = self.compiled(catalog, "bootstrap")
        assert dump_state(done.program) == packaged_state()
        assert "none" in done.report and "no better than before: do not promote it" in done.report
        assert [s.total for s in done.before] == [s.total for s in done.after]

    @pytest.mark.parametrize("optimizer", ["labeled", "bootstrap"])
    def test_no_time_leaves_out_all_that_can_be_left_out(self, catalog: Catalog, optimizer: str) -> None:
        done = self.compiled(catalog, optimizer, minutes=0.0)
        assert len(done.before) == len(done.after) == 1
        assert "time for 1 of 3 dev shoppers only" in done.report

    def test_the_same_seed_compiles_the_same_program(self, catalog: Catalog) -> None:
        first, second = (self.compiled(catalog, "bootstrap", seed=2) for _ in range(2))
        assert dump_state(first.program) == dump_state(second.program)
        assert first.after == second.after

    def test_compiling_leaves_dspy_settings_alone(self, catalog: Catalog) -> None:
        before = (dspy.settings.lm, dspy.settings.adapter, dspy.settings.trace)
        self.compiled(catalog, "bootstrap")
        assert (dspy.settings.lm, dspy.settings.adapter, dspy.settings.trace) == before

    def test_an_exception_while_learning_is_an_error_and_not_a_bad_score(self, catalog: Catalog) -> None:
        seen: list[str] = []

        def breaks_while_learning(page: Page, request: PageRequest) -> PageScore:
            seen.append(page.shopper_id)
            if len(seen) > 3:
                raise ZeroDivisionError("something is wrong with the metric")
            return score_page(page, request, catalog)

        with pytest.raises(ZeroDivisionError):
            self.compiled(catalog, "bootstrap", yardstick=Yardstick("breaks", breaks_while_learning))
        assert sorted(seen[:3]) == ["eve", "fay", "gus"] and seen[3] in ("ann", "bob", "cat", "dan")

    def test_a_gain_within_the_noise_is_not_called_better(self) -> None:
        def told(*totals: float) -> str:
            before = [score("x", 0.5) for _ in totals]
            return compiling._report(before, [score("x", total) for total in totals], []).splitlines()[0]

        assert told(0.60, 0.61, 0.62).endswith("higher for 3 of them: better than before")
        # gains 0.3 and -0.1: mean 0.1, standard deviation 0.2 * sqrt(2), standard error 0.2
        assert "standard error 0.200): not shown to be better" in told(0.8, 0.4)
        assert "not shown to be better" in told(0.9)
        assert "do not promote it" in told(0.5, 0.5) and "do not promote it" in told(0.4)

    def test_wrong_arguments_are_errors_that_say_what_to_do(self, catalog: Catalog) -> None:
        program = program_on(catalog, [])
        with pytest.raises(SettingsError, match="--optimizer gepa: choose one of labeled, bootstrap"):
            compile_program(program, optimizer="gepa", train=shoppers("ann"), dev=shoppers("eve"))
        with pytest.raises(RequestError, match="train and dev requests"):
            compile_program(program, train=[], dev=shoppers("eve"))

    def test_a_compiled_program_is_registered_and_loaded_as_it_is(self, catalog: Catalog, tmp_path: Path) -> None:
        done = self.compiled(catalog, "labeled", demos=2)
        where = RegistrySettings.at(tmp_path / "home")
        version = log_compiled(done, where)
        assert version.aliases == ("challenger", "champion")
        lm = scripted_lm(plain_answers)
        loaded = load("models:/genrec-page@challenger", catalog, lm, settings=where)
        assert dump_state(loaded) == dump_state(done.program)
        assert loaded.generate(shoppers("eve")[0]).sections == done.program.generate(shoppers("eve")[0]).sections
        assert isinstance(lm.lm.engine, ScriptedEngine) and "candidates" in asked(lm.lm.engine.requests[0])
        assert gate_fingerprint(loaded.parts.relevance) == done.provenance.gate
