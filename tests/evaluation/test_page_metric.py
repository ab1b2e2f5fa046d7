"""The page metric on pages small enough to work out by hand: vectors are (1, 0), (0, 1) and (3/5, 4/5)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np
import pytest

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.evaluation.page_metric import WEIGHTS, mean_scores, score_page, weighted_mean
from genrec.page import (
    Degradation,
    Drop,
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

TODAY = date(2026, 11, 12)
COMPASS = {"east": (1.0, 0.0), "north": (0.0, 1.0), "slope": (3 / 5, 4 / 5)}


class Compass:
    """An embedder that reads the first word only."""

    name = fingerprint = "compass"
    dim = 2

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = [COMPASS.get(text.lower().split()[0], COMPASS["east"]) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, 2)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    titles = [f"{way} {number}" for way in COMPASS for number in ("one", "two", "three")]
    items = [Item(item_id=title.replace(" ", "-"), title=title, price=1) for title in titles]
    return Catalog.build(items, tmp_path_factory.mktemp("compass") / "index", Compass())


def section(title: str, *items: tuple[str, float]) -> Section:
    theme = Theme(concepts=("one", "two", "three"), title=title)
    shown = [PageItem(item_id=i, title=i, relevance=relevance, score=0) for i, relevance in items]
    return Section(theme=theme, items=tuple(shown))


def page_of(*sections: Section, **fields) -> Page:
    made = Provenance(program="p", lm="l", catalog="c", seed=0)
    return Page(
        shopper_id="ann", created_at=datetime(2026, 11, 12, tzinfo=UTC), sections=sections, provenance=made, **fields
    )


def request_of(history: Sequence[Purchase] = (), *, sections: int = 2) -> PageRequest:
    shopper = Shopper(shopper_id="ann", history=tuple(history))
    return PageRequest(shopper=shopper, on=TODAY, sections=sections, items_per_section=3)


def bought(item_id: str, at: date = TODAY) -> Purchase:
    return Purchase(item_id=item_id, at=at)


TWO = (
    section("East of everything", ("east-one", 0.9), ("east-two", 0.5)),
    section("Slope to the sea", ("slope-one", 0.4), ("north-one", 0.2)),
)


def test_every_component_of_a_page_worked_out_by_hand(catalog: Catalog) -> None:
    usage = {"plan": StageUsage(calls=6, failures=2), "describe": StageUsage(calls=2)}
    refused = (Drop(subject="And", stage="plan", reason="title breaks off"),)
    page = page_of(*TWO, usage=usage, drops=(*refused, Drop(subject="east-three", stage="filter", reason="low")))
    score = score_page(page, request_of([bought("east-three")]), catalog)
    assert score.gate_relevance == pytest.approx((0.9 + 0.5 + 0.4 + 0.2) / 4)
    # affinity to east is the cosine itself for a purchase of today: 1, 1, 3/5, 0
    assert score.history_fit == pytest.approx((1 + 1 + 3 / 5 + 0) / 4)
    # centroids: (1, 0), and (3/10, 9/10) at length sqrt(9/10), so that their cosine is 1 / sqrt(10)
    assert score.diversity == pytest.approx(1 - 1 / 10**0.5)
    assert score.distinctness == pytest.approx(1 - 3 / 5)
    assert score.titles == pytest.approx(2 / 3)
    assert score.completeness == pytest.approx(4 / 6)
    assert score.valid_output == pytest.approx(1 - 2 / 8)
    assert score.total == pytest.approx(sum(WEIGHTS[name] * value for name, value in score.components().items()))
    assert score.shopper_id == "ann"


def test_the_reason_names_the_costliest_component_and_the_weakest_section(catalog: Catalog) -> None:
    page = page_of(*TWO, degraded=(Degradation(stage="plan", reason="the LM was down"),))
    reason = score_page(page, request_of(), catalog).reason
    # 0.30 * (1 - 0.5) = 0.15 costs more than 0.15 * (1 - 4/6) and 0.10 * 3/5
    assert reason.startswith("gate_relevance is 0.50 and costs most; the weakest section is 'Slope to the sea'")
    assert "plan: the LM was down" in reason


def test_a_title_that_would_be_refused_does_not_count_and_is_named(catalog: Catalog) -> None:
    page = page_of(TWO[0], section("North of the", ("north-one", 0.1)))
    score = score_page(page, request_of(), catalog)
    assert score.titles == pytest.approx(1 / 2)
    assert "'North of the': 1 items of mean relevance 0.10, its title breaks off" in score.reason


def test_an_empty_page_scores_nothing(catalog: Catalog) -> None:
    score = score_page(page_of(), request_of([bought("east-one")]), catalog)
    assert set(score.components().values()) == {0.0}
    assert (score.total, score.valid_output, score.reason) == (0.0, None, "the page is empty")


def test_one_section_has_nothing_to_differ_from(catalog: Catalog) -> None:
    score = score_page(page_of(TWO[0]), request_of(sections=1), catalog)
    assert score.diversity is None and score.distinctness is None
    # relevance 7/10, titles 1, completeness 2/3, of weights 30, 15, 15
    assert score.total == pytest.approx((30 * 7 / 10 + 15 + 15 * 2 / 3) / 60)


def test_without_a_history_up_to_the_day_there_is_no_history_fit(catalog: Catalog) -> None:
    later = bought("east-one", date(2026, 11, 13))
    for history in ([], [later], [bought("sold-no-more")]):
        assert score_page(page_of(*TWO), request_of(history), catalog).history_fit is None


def test_purchases_after_the_day_change_nothing(catalog: Catalog) -> None:
    now, later = bought("east-three"), bought("north-one", date(2026, 11, 13))
    page = page_of(*TWO)
    assert score_page(page, request_of([now]), catalog) == score_page(page, request_of([now, later]), catalog)


def test_unknown_items_are_irrelevant_unlike_the_history_and_without_a_place(catalog: Catalog) -> None:
    page = page_of(
        section("East of everything", ("east-one", 0.8), ("ghost", 1.0)), section("Only ghosts", ("boo", 1.0))
    )
    score = score_page(page, request_of([bought("east-three")]), catalog)
    assert score.gate_relevance == pytest.approx(0.8 / 3)
    assert score.history_fit == pytest.approx(1 / 3)
    assert score.diversity is None
    only_unknown = score_page(page_of(page.sections[1]), request_of([bought("east-three")]), catalog)
    assert (only_unknown.gate_relevance, only_unknown.history_fit) == (0.0, 0.0)


def test_more_than_was_asked_for_is_no_more_complete(catalog: Catalog) -> None:
    many = [("east-one", 1.0), ("east-two", 1.0), ("east-three", 1.0), ("north-one", 1.0)]
    page = page_of(section("East and north", *many), TWO[1].model_copy(update={"items": TWO[1].items[:1]}))
    assert score_page(page, request_of(sections=1), catalog).completeness == 1.0
    assert score_page(page, request_of(sections=2), catalog).completeness == pytest.approx((3 + 1) / 6)


@pytest.mark.parametrize(
    ("calls", "failures", "expected"), [(0, 0, None), (4, 1, 3 / 4), (0, 2, 0.0), (2, 2, 0.0), (1, 2, 0.0)]
)
def test_valid_output(catalog: Catalog, calls: int, failures: int, expected: float | None) -> None:
    page = page_of(*TWO, usage={"plan": StageUsage(calls=calls, failures=failures)})
    assert score_page(page, request_of(), catalog).valid_output == expected


def test_the_weights_are_shares() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert weighted_mean({name: 1.0 for name in WEIGHTS}) == pytest.approx(1)
    assert weighted_mean({"gate_relevance": 0.5, "history_fit": None, "titles": 1.0}) == pytest.approx((15 + 15) / 45)
    assert weighted_mean({"history_fit": None}) == 0.0


def test_means_are_over_the_pages_that_have_a_component(catalog: Catalog) -> None:
    with_history = score_page(page_of(*TWO), request_of([bought("east-three")]), catalog)
    without = score_page(page_of(*TWO), request_of(), catalog)
    means = mean_scores([with_history, without])
    assert means["history_fit"] == with_history.history_fit
    assert means["total"] == pytest.approx((with_history.total + without.total) / 2)
    assert "valid_output" not in means and mean_scores([]) == {}
