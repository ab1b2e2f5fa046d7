"""An evaluation of the small shop: each page made once, differences by hand, and edges where no number may flatter."""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.errors import RequestError
from genrec.evaluation.agreement import JudgeCard
from genrec.evaluation.bootstrap import Interval
from genrec.evaluation.page_values import METRICS, OVER_PAGES
from genrec.evaluation.panel import Panel
from genrec.evaluation.results import Difference, EvaluationReport, Program
from genrec.evaluation.running import WEAKEST, Contender, evaluate, page_file
from genrec.evaluation.subjects import Setting, Subject, subjects
from genrec.page import (
    Degradation,
    Page,
    PageItem,
    PageRequest,
    Provenance,
    Purchase,
    Section,
    Shopper,
    StageUsage,
    Theme,
)
from tests.evaluation.test_panel import Written, card
from tests.programs.small_shop import ON, Compass, small_shop

SETTING = Setting(on=ON, sections=2, items_per_section=3)
ANN, BOB, CY = "ann", "bob", "cy"
Rows = Sequence[tuple[str, str]]
"""Title and item ids of each section."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return small_shop(tmp_path_factory.mktemp("running"))


class Shelf:
    """Generates what is written down for a shopper, and counts."""

    def __init__(
        self,
        rows: Callable[[str], Rows],
        fails_at: int = -1,
        usage: Callable[[str], dict[str, StageUsage]] = lambda shopper: {},
    ) -> None:
        self.asked: list[str] = []
        self.opened = 0
        self._rows, self._fails_at, self._usage = rows, fails_at, usage

    def open(self) -> "Shelf":
        self.opened += 1
        return self

    def generate(self, request: PageRequest) -> Page:
        if len(self.asked) == self._fails_at:
            raise ConnectionError("the power is gone")
        assert all(p.at <= request.on for p in request.shopper.history), "no look at the purchases held out"
        self.asked.append(request.shopper.shopper_id)
        sections = tuple(
            Section(
                theme=Theme(title=title, concepts=("black tea", "coffee", "soap")),
                items=tuple(PageItem(item_id=i, title=i, relevance=0.5, score=0.0) for i in ids.split()),
            )
            for title, ids in self._rows(request.shopper.shopper_id)
        )
        usage = self._usage(request.shopper.shopper_id)
        return Page(
            shopper_id=request.shopper.shopper_id,
            created_at=datetime(2026, 11, 12, tzinfo=UTC),
            sections=sections,
            degraded=() if sections and not usage else (Degradation(stage="plan", reason="nothing"),),
            usage=usage,
            provenance=Provenance(program="shelf", lm="a model" if usage else "", catalog="small", seed=0),
        )


def contender(shelf: Shelf, name: str = "packaged", maker: str = "") -> Contender:
    return Contender(name, maker or f"{name} 1", shelf.open)


def always(*rows: tuple[str, str]) -> Shelf:
    return Shelf(lambda shopper: rows)


def shopper(shopper_id: str, before: str = "", after: str = "") -> Shopper:
    days = {-1: before, 1: after}
    history = [Purchase(item_id=i, at=ON + timedelta(days=n)) for n, ids in days.items() for i in ids.split()]
    return Shopper(shopper_id=shopper_id, history=tuple(history))


def people(*shoppers: Shopper) -> list[Subject]:
    return subjects(shoppers, SETTING)


THREE = (shopper(ANN, "soap", "tea coffee"), shopper(BOB, "", "tea"), shopper(CY, "tea", "biscuits"))
TEAS, COFFEES = ("Black tea now", "tea tea-2"), ("Coffee beans", "coffee")


def run(
    shop: Catalog, folder: Path, *contenders: Contender, who: Sequence[Shopper] = THREE, **options: Any
) -> EvaluationReport:
    return evaluate(contenders, people(*who), shop, SETTING, folder, **options)


def mean(program: Program, metric: str) -> float | None:
    found = program.means[metric]
    return None if found is None else found.value


class TestSubjects:
    def test_nobody_sees_what_is_held_out(self) -> None:
        found = people(*reversed(THREE))
        assert [one.request.shopper.shopper_id for one in found] == [ANN, BOB, CY]
        assert [[p.item_id for p in one.request.shopper.history] for one in found] == [["soap"], [], ["tea"]]
        assert [[p.item_id for p in one.split.after] for one in found] == [["tea", "coffee"], ["tea"], ["biscuits"]]
        asked = found[0].request
        assert (asked.on, asked.sections, asked.items_per_section, asked.seed) == (ON, 2, 3, 0)

    def test_weeks(self) -> None:
        late = Shopper(shopper_id=ANN, history=(Purchase(item_id="tea", at=ON + timedelta(days=8)),))
        assert [len(subjects([late], Setting(on=ON, weeks=w))[0].split.after) for w in (1, 2)] == [0, 1]

    def test_enough_purchases(self) -> None:
        found = subjects(THREE, SETTING, least_before=1, least_after=2)
        assert [one.request.shopper.shopper_id for one in found] == [ANN]
        with pytest.raises(RequestError, match="none of 3 shoppers has 2 purchases up to 2026-11-12 and 0 then"):
            subjects(THREE, SETTING, least_before=2)

    def test_a_limit_draws_by_the_seed_whatever_the_order(self) -> None:
        many = [shopper(f"s{n}") for n in range(40)]

        def drawn(shoppers: Sequence[Shopper], seed: int, limit: int) -> list[str]:
            setting = Setting(on=ON, seed=seed)
            return [one.request.shopper.shopper_id for one in subjects(shoppers, setting, limit=limit)]

        assert drawn(many, 0, 5) == drawn(many[::-1], 0, 5)
        assert len(set(drawn(many, 0, 5))) == 5
        assert drawn(many, 0, 5) != drawn(many, 1, 5)
        assert len(drawn(many, 0, 99)) == 40

    def test_a_page_that_cannot_be_asked_for(self) -> None:
        with pytest.raises(RequestError, match="items_per_section"):
            subjects(THREE, Setting(on=ON, items_per_section=1))


class TestMakingOnce:
    def test_a_second_run_makes_no_page_and_opens_nothing(self, shop: Catalog, tmp_path: Path) -> None:
        first, again = always(TEAS), always(COFFEES)
        one = run(shop, tmp_path, contender(first))
        assert (first.asked, first.opened) == ([ANN, BOB, CY], 1)
        other = run(shop, tmp_path, contender(again))
        assert (again.asked, again.opened) == ([], 0)
        assert other.model_copy(update={"created_at": one.created_at}) == one

    def test_an_interrupted_run_goes_on_where_it_stopped(self, shop: Catalog, tmp_path: Path) -> None:
        broken = Shelf(lambda s: [TEAS], fails_at=2)
        with pytest.raises(ConnectionError):
            run(shop, tmp_path, contender(broken))
        rest = always(TEAS)
        report = run(shop, tmp_path, contender(rest))
        assert (broken.asked, rest.asked) == ([ANN, BOB], [CY])
        uninterrupted = run(shop, tmp_path / "other", contender(always(TEAS)))
        assert report.model_copy(update={"created_at": uninterrupted.created_at}) == uninterrupted

    def test_more_shoppers_and_contenders_cost_only_themselves(self, shop: Catalog, tmp_path: Path) -> None:
        run(shop, tmp_path, contender(always(TEAS)), who=THREE[:2])
        first, second = always(TEAS), always(COFFEES)
        run(shop, tmp_path, contender(first), contender(second, "popular"))
        assert (first.asked, second.asked) == ([CY], [ANN, BOB, CY])

    def test_pages_of_another_version_are_not_reused_and_stay(self, shop: Catalog, tmp_path: Path) -> None:
        one = run(shop, tmp_path, contender(always(TEAS)))
        newer, again = always(COFFEES), always(TEAS)
        other = run(shop, tmp_path, contender(newer, maker="packaged 2"))
        assert newer.asked == [ANN, BOB, CY]
        assert other.programs != one.programs
        assert run(shop, tmp_path, contender(again)).programs == one.programs
        assert again.asked == []

    def test_another_day_is_another_page(self, shop: Catalog, tmp_path: Path) -> None:
        run(shop, tmp_path, contender(always(TEAS)))
        shelf = always(TEAS)
        later = Setting(on=ON + timedelta(days=1), sections=2, items_per_section=3)
        evaluate([contender(shelf)], subjects(THREE, later), shop, later, tmp_path)
        assert shelf.asked == [ANN, BOB, CY]

    def test_progress_is_told(self, shop: Catalog, tmp_path: Path) -> None:
        told: list[tuple[str, int, int]] = []
        run(shop, tmp_path, contender(always(TEAS)), progress=lambda *what: told.append(what))
        assert told == [(f"{stage} packaged", n, 3) for stage in ("pages", "measure") for n in (1, 2, 3)]

    def test_names_become_file_names(self) -> None:
        def named(name: str) -> str:
            return page_file(contender(always(TEAS), name, maker="a maker"))

        assert re.fullmatch(r"models-genrec-page-champion-[0-9a-f]{8}\.jsonl", named("models:/genrec-page@champion"))
        assert re.fullmatch(r"x-[0-9a-f]{8}\.jsonl", named("../../x"))
        assert re.fullmatch(r"program-[0-9a-f]{8}\.jsonl", named("§§"))


class TestByHand:
    @pytest.fixture(scope="class")
    def report(self, shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> EvaluationReport:
        rows = {ANN: [TEAS, COFFEES], BOB: [COFFEES], CY: [TEAS]}
        mine, popular = Shelf(lambda s: rows[s]), always(COFFEES)
        return run(shop, tmp_path_factory.mktemp("by-hand"), contender(mine), contender(popular, "popular"))

    def test_recall_of_each_shopper(self, report: EvaluationReport) -> None:
        mine, popular = report.programs
        assert report.shoppers == (ANN, BOB, CY)
        assert mine.by_shopper["recall"] == (1, 0, 0)
        assert popular.by_shopper["recall"] == (1 / 2, 0, 0)
        assert mine.means["recall"] == Interval(value=1 / 3, n=3)

    def test_differences(self, report: EvaluationReport) -> None:
        (recall,) = [d for d in report.differences if d.metric == "recall"]
        assert recall == Difference(
            metric="recall",
            baseline="popular",
            difference=Interval(value=1 / 6, n=3),
            wins=1,
            losses=0,
        )

    def test_fewer_is_a_win_where_fewer_is_better(self, shop: Catalog, tmp_path: Path) -> None:
        nothing = Shelf(lambda s: [] if s == ANN else [TEAS])
        report = run(shop, tmp_path, contender(nothing), contender(always(TEAS), "popular"))
        by_name = {d.metric: d for d in report.differences}
        assert by_name["empty"].difference.value == pytest.approx(1 / 3)
        assert (by_name["empty"].wins, by_name["empty"].losses) == (0, 1)
        assert (by_name["completeness"].wins, by_name["completeness"].losses) == (0, 1)

    def test_ties_are_neither_won_nor_lost(self, shop: Catalog, tmp_path: Path) -> None:
        report = run(shop, tmp_path, contender(always(TEAS)), contender(always(TEAS), "popular"))
        assert report.differences
        assert {(d.difference.value, d.wins, d.losses) for d in report.differences} == {(0, 0, 0)}

    def test_numbers_over_all_pages(self, report: EvaluationReport) -> None:
        mine, popular = report.programs
        assert mean(mine, "coverage") == 3 / 10
        # coffee alone, three times, of ten items: the most uneven there is
        assert mean(popular, "gini") == pytest.approx(1 - 1 / 10)
        assert not set(OVER_PAGES) & (set(mine.by_shopper) | {d.metric for d in report.differences})

    def test_every_metric_has_its_place(self, report: EvaluationReport) -> None:
        names = [m.name for m in METRICS]
        shown = [m.name for m in report.metrics]
        assert shown == [name for name in names if name in shown]
        assert all(set(p.means) == set(names) for p in report.programs)
        assert all(len(values) == 3 for p in report.programs for values in p.by_shopper.values())
        assert {name for name in shown if name.startswith("judge.")} == set()

    def test_what_it_was(self, report: EvaluationReport, shop: Catalog) -> None:
        assert report.catalog == f"small {shop.fingerprint[:12]}"
        assert (report.on, report.match, report.sections, report.items_per_section) == (ON, "leaf", 2, 3)
        assert report.programs[0].provenance.startswith("shelf, ")
        assert any("differences cannot be told from chance" in note for note in report.notes)
        assert EvaluationReport.model_validate_json(report.model_dump_json()) == report


class TestEdges:
    def test_no_purchases_later(self, shop: Catalog, tmp_path: Path) -> None:
        report = run(shop, tmp_path, contender(always(TEAS)), who=[shopper(ANN, "tea"), shopper(BOB)])
        assert report.weeks is None
        assert not any(m.group == "next purchases" for m in report.metrics)
        assert report.programs[0].by_shopper["recall"] == (None, None)
        assert not any("Later purchases" in note for note in report.notes)

    def test_shoppers_without_any_are_left_out_of_those_metrics_and_said_to_be(
        self, shop: Catalog, tmp_path: Path
    ) -> None:
        report = run(shop, tmp_path, contender(always(TEAS)), who=[*THREE[:2], shopper(CY)])
        assert report.programs[0].by_shopper["recall"] == (1 / 2, 1, None)
        assert report.programs[0].means["recall"] == Interval(value=3 / 4, n=2)
        said = "1 of 3 shoppers bought nothing later that the catalog has and are left out of those metrics."
        assert said in report.notes

    def test_what_the_catalog_lacks_is_not_bought_later(self, shop: Catalog, tmp_path: Path) -> None:
        report = run(shop, tmp_path, contender(always(TEAS)), who=[shopper(ANN, after="gone"), shopper(BOB)])
        assert report.weeks is None
        assert not any(m.group == "next purchases" for m in report.metrics)
        asked = subjects([shopper(ANN, after="gone"), *THREE[1:2]], SETTING, shop.items, least_after=1)
        assert [one.request.shopper.shopper_id for one in asked] == [BOB]

    def test_pages_without_an_answer_of_the_lm_are_counted(self, shop: Catalog, tmp_path: Path) -> None:
        down, up = StageUsage(failures=2), StageUsage(calls=2, failures=1, input_tokens=9, output_tokens=9)
        usage = {ANN: down, BOB: up, CY: down}
        shelf = Shelf(lambda s: [TEAS], usage=lambda s: {"plan": usage[s]})
        (note,) = (n for n in run(shop, tmp_path, contender(shelf)).notes if "answered nothing" in n)
        assert note.startswith("On 2 of 3 pages of packaged")
        (path,) = (tmp_path / "pages").iterdir()
        assert str(path) in note

    def test_one_shopper_has_no_interval(self, shop: Catalog, tmp_path: Path) -> None:
        report = run(shop, tmp_path, contender(always(TEAS)), contender(always(COFFEES), "b"), who=THREE[1:2])
        assert report.programs[0].means["recall"] == Interval(value=1, n=1)
        assert all((d.difference.low, d.difference.n) == (None, 1) for d in report.differences)

    def test_a_metric_that_one_of_them_never_has(self, shop: Catalog, tmp_path: Path) -> None:
        # one section has no pairs of titles, and no page of nothing has titles to bear out
        report = run(shop, tmp_path, contender(always(TEAS)), contender(always(TEAS, COFFEES), "both"))
        one, both = report.programs
        assert one.means["cohesion"] is None
        assert mean(both, "cohesion") is not None
        assert "cohesion" in [m.name for m in report.metrics]
        assert "cohesion" not in [d.metric for d in report.differences]

    def test_an_empty_page_is_never_the_better_one(self, shop: Catalog, tmp_path: Path) -> None:
        full, nothing = always(TEAS, COFFEES), always()
        report = run(shop, tmp_path, contender(nothing), contender(full, "full"))
        empty = report.programs[0]
        for name in ("recall", "ndcg_2d", "section_mrr", "completeness", "intra_list_diversity", "cohesion"):
            assert mean(empty, name) == 0, name
        assert (mean(empty, "empty"), mean(empty, "degraded")) == (1, 1)
        quality = [m.name for m in METRICS if m.higher_is_better and m.group != "cost"]
        gained = [d.metric for d in report.differences if d.metric in quality and d.wins]
        assert gained == []

    def test_an_item_that_the_shop_lacks_earns_nothing(self, shop: Catalog, tmp_path: Path) -> None:
        strangers = always(("Black tea now", "stranger other"))
        report = run(shop, tmp_path, contender(strangers), panel=_panel())
        found = report.programs[0]
        for name in ("recall", "coverage", "judge.item.relevance", "judge.score"):
            assert mean(found, name) == 0, name
        assert mean(found, "denied") is None
        assert mean(found, "gini") is None

    def test_one_item(self, shop: Catalog, tmp_path: Path) -> None:
        report = run(shop, tmp_path, contender(always(("Black tea now", "tea"))), who=THREE[1:2])
        found = report.programs[0]
        assert mean(found, "completeness") == 1 / 6
        assert mean(found, "intra_list_diversity") is None
        # 90 of the 450 sold of what is in stock; the catalog counts a thousandth more for each item
        assert mean(found, "novelty") == pytest.approx(-math.log2(90 / 450), abs=1e-3)

    def test_without_history_there_is_nothing_to_be_calibrated_to(self, shop: Catalog, tmp_path: Path) -> None:
        report = run(shop, tmp_path, contender(always(TEAS)))
        assert report.programs[0].by_shopper["miscalibration"][1] is None

    def test_a_denied_item_is_seen(self, shop: Catalog, tmp_path: Path) -> None:
        report = run(shop, tmp_path, contender(always(("Coffee now", "coffee coffee-sold-out"))))
        assert mean(report.programs[0], "denied") == 1 / 2

    def test_a_shop_that_sells_mostly_what_has_no_shelf(self, tmp_path: Path) -> None:
        items = [
            Item(item_id="tea", title="Black tea", categories=("Drinks",), popularity=1),
            Item(item_id="bare", title="Lamp", popularity=100),
        ]
        odd = Catalog.build(items, tmp_path / "odd", Compass())
        report = run(odd, tmp_path, contender(always(("Black tea now", "tea bare"))))
        # 1 and 100 of 101 sold
        assert mean(report.programs[0], "novelty") == pytest.approx(
            (math.log2(101) - math.log2(100 / 101)) / 2, abs=1e-3
        )

    def test_a_shop_whose_best_seller_is_sold_out(self, tmp_path: Path) -> None:
        items = [
            Item(item_id="tea", title="Black tea", categories=("Drinks",), popularity=1),
            Item(item_id="coffee", title="Coffee", categories=("Drinks",), popularity=100, in_stock=False),
        ]
        odd = Catalog.build(items, tmp_path / "odd", Compass())
        report = run(odd, tmp_path, contender(always(("Black tea now", "tea coffee"))))
        assert mean(report.programs[0], "novelty") == pytest.approx(0, abs=0.01), "neither is rare"
        assert mean(report.programs[0], "denied") == 1 / 2


def _panel(**scores: float) -> Panel:
    """Judges of items and titles by what is written down; both have earned their bar."""
    judges = {
        "item.relevance": Written("item.relevance", lambda c: scores.get(c.item.item_id, 0.8)),
        "section.clarity": Written("section.clarity", lambda c: 0.6),
    }
    return Panel(judges, [card("item.relevance")])


class TestJudged:
    def test_scores_weakest_and_cards(self, shop: Catalog, tmp_path: Path) -> None:
        page = always(("Black tea now", "tea"), ("Lamps for all", "lamp"))
        report = run(shop, tmp_path, contender(page), panel=_panel(lamp=0.2))
        found = report.programs[0]
        assert found.by_shopper["judge.item.relevance"] == pytest.approx((0.5, 0.5, 0.5))
        assert found.by_shopper["judge.score"] == pytest.approx((0.5, 0.5, 0.5)), "clarity is not proven"
        worst, *_ = report.weakest
        assert (worst.shopper_id, worst.title, worst.items) == (ANN, "Lamps for all", ("lamp",))
        assert worst.score == pytest.approx((0.2 + 0.6) / 2)
        assert worst.reasons[0] == "relevance: 1 of 1 items do not belong"
        assert [c.criterion for c in report.judges] == ["item.relevance"]

    def test_the_weakest_come_first_and_are_few(self, shop: Catalog, tmp_path: Path) -> None:
        page = always(("Black tea now", "tea"), ("Lamps for all", "lamp"))
        report = run(
            shop, tmp_path, contender(page), contender(always(COFFEES), "popular"), panel=_panel(lamp=0.2, coffee=0.1)
        )
        mine = [w for w in report.weakest if w.program == "packaged"]
        theirs = [w for w in report.weakest if w.program == "popular"]
        assert (len(mine), len(theirs)) == (WEAKEST, 3)
        assert [w.score for w in mine] == sorted(w.score for w in mine)
        assert [(w.shopper_id, w.title) for w in mine[:3]] == [(s, "Lamps for all") for s in (ANN, BOB, CY)]

    def test_notes_say_who_decides(self, shop: Catalog, tmp_path: Path) -> None:
        def notes(cards: Sequence[JudgeCard], **options: Any) -> list[str]:
            panel = Panel({"item.relevance": Written("item.relevance", lambda c: 1.0)}, cards, **options)
            found = run(shop, tmp_path, contender(always(TEAS)), panel=panel).notes
            return [note.partition(":")[0] for note in found if "item.relevance" in note]

        under = [card("item.relevance", kappa=0.2)]
        assert notes([card("item.relevance")]) == []
        assert ["agree too little" in note for note in notes(under)] == [True]
        assert ["Never measured" in note for note in notes([])] == [True]
        assert ["decide here" in note for note in notes(under, unproven=True)] == [True]
        assert ["decide here" in note for note in notes([], unproven=True)] == [True]

    def test_an_empty_page_is_judged_0(self, shop: Catalog, tmp_path: Path) -> None:
        report = run(shop, tmp_path, contender(always()), panel=_panel())
        assert mean(report.programs[0], "judge.score") == 0
        assert report.weakest == ()
