"""Affinity to a history, worked out by hand: half of what was bought fades every 90 days."""

from datetime import date

import numpy as np
import pytest

from genrec.catalog.store import Catalog
from genrec.page import Purchase
from genrec.programs.affinity import History
from tests.programs.small_shop import ON, at, bought, request, small_shop


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return small_shop(tmp_path_factory.mktemp("shop"))


def test_purchases_after_the_day_of_the_page_are_not_looked_at(catalog: Catalog) -> None:
    history = History(request(bought(tea=-1, soap=-400, coffee=0)), catalog)
    assert history.item_ids == ("coffee",)


def test_items_that_the_catalog_no_longer_has_are_left_out(catalog: Catalog) -> None:
    history = History(request(bought(gone=1, tea=2)), catalog)
    assert history.item_ids == ("tea",)
    assert [p.item_id for p in history.purchases] == ["tea"]


def test_items_come_once_the_most_recently_bought_first(catalog: Catalog) -> None:
    twice = (*bought(soap=300), *bought(coffee=10), *bought(soap=2))
    history = History(request(twice), catalog)
    assert history.item_ids == ("soap", "coffee")
    assert len(history.purchases) == 3
    assert history.weights[0] == 1.0, "the latest purchase of an item counts"


def test_the_order_of_the_purchases_does_not_matter(catalog: Catalog) -> None:
    purchases = (*bought(soap=30), *bought(tea=30), *bought(coffee=3))
    one, other = (History(request(p), catalog) for p in (purchases, purchases[::-1]))
    assert one.item_ids == other.item_ids
    np.testing.assert_array_equal(one.affinity(np.stack([at(20)])), other.affinity(np.stack([at(20)])))


def test_weight_halves_every_90_days(catalog: Catalog) -> None:
    history = History(request(bought(tea=0, coffee=90, soap=180, bleach=360)), catalog)
    np.testing.assert_allclose(history.weights, [1, 1 / 2, 1 / 4, 1 / 16], rtol=1e-6)


def test_weights_are_relative_to_the_newest_purchase(catalog: Catalog) -> None:
    history = History(request(bought(tea=1000, coffee=1090)), catalog)
    np.testing.assert_allclose(history.weights, [1, 1 / 2], rtol=1e-6)


def test_a_history_of_decades_ago_still_counts(catalog: Catalog) -> None:
    ancient = (Purchase(item_id="tea", at=date(1970, 1, 1)), Purchase(item_id="soap", at=date(1, 1, 1)))
    history = History(request(ancient), catalog)
    np.testing.assert_allclose(history.weights, [1, 0])
    np.testing.assert_allclose(history.affinity(np.stack([at(0)])), [1], rtol=1e-6)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [
        (0, 1.0),  # bought today
        (60, 0.75),  # bought 90 days ago: (1 + 1/2) / 2 * cos 0 = 0.75 > cos 60 = 0.5
        (120, 0.375),  # 0.75 * cos 60
        (180, 0.0),  # nothing points there; negative is clipped
        (-30, 0.8660254),  # cos 30 to the tea
    ],
)
def test_affinity_is_the_best_weighted_cosine(catalog: Catalog, degrees: float, expected: float) -> None:
    history = History(request(bought(tea=0, coffee=90)), catalog)
    np.testing.assert_allclose(history.affinity(np.stack([at(degrees)])), [expected], atol=1e-6)


def test_without_a_history_every_affinity_is_zero(catalog: Catalog) -> None:
    history = History(request(), catalog)
    assert history.affinity(np.stack([at(0), at(60)])).tolist() == [0.0, 0.0]
    assert history.weights.shape == (0,)
    assert history.vectors.shape == (0, 2)
    assert history.nearest(at(0)) is None


def test_no_vectors_have_no_affinity(catalog: Catalog) -> None:
    history = History(request(bought(tea=0)), catalog)
    assert history.affinity(np.zeros((0, 2), np.float32)).shape == (0,)


def test_nearest_ignores_when_it_was_bought(catalog: Catalog) -> None:
    history = History(request(bought(soap=0, coffee=2000)), catalog)
    nearest = history.nearest(at(70))
    assert nearest is not None
    assert nearest[0] == "coffee"
    assert nearest[1] == pytest.approx(0.98480775, abs=1e-6)  # cos 10


def test_on_the_day_itself_counts(catalog: Catalog) -> None:
    assert History(request((Purchase(item_id="tea", at=ON),)), catalog).item_ids == ("tea",)
