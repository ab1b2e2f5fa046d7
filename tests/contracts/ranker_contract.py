"""What every Ranker promises. Subclass, and give `ranker`: one that works on the catalog of `small_shop.py`."""

from collections.abc import Sequence

import pytest

from genrec.catalog.store import Catalog
from genrec.page import PageItem, Theme
from genrec.programs.ranking import Candidate, Ranker, checked
from tests.programs.small_shop import bought, candidates, request, small_shop

SECTION = Theme(concepts=("black tea", "biscuits", "cups"), title="An hour for tea")


class RankerContract:
    """Run against one implementation of the Ranker seam."""

    @pytest.fixture
    def ranker(self, catalog: Catalog) -> Ranker:
        """The implementation under test."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    def catalog(self, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
        """The small shop."""
        return small_shop(tmp_path_factory.mktemp("shop"))

    @pytest.fixture
    def given(self, catalog: Catalog) -> list[Candidate]:
        """Six candidates, two of them equally relevant."""
        return candidates(catalog, tea=0.9, coffee=0.7, biscuits=0.7, soap=0.5, lamp=1.0, bare=0.0)

    def test_ranks_a_permutation_or_subset(self, ranker: Ranker, given: list[Candidate]) -> None:
        ranked = ranker.rank(SECTION, given, request(bought(tea=3)))
        assert all(isinstance(item, PageItem) for item in ranked)
        assert checked(ranked, given) == ranked

    def test_scores_fall(self, ranker: Ranker, given: list[Candidate]) -> None:
        scores = [item.score for item in ranker.rank(SECTION, given, request())]
        assert scores == sorted(scores, reverse=True)

    def test_titles_and_relevance_are_the_candidates(self, ranker: Ranker, given: list[Candidate]) -> None:
        known = {c.item.item_id: c for c in given}
        for item in ranker.rank(SECTION, given, request()):
            assert item.title == known[item.item_id].item.title
            assert item.relevance == pytest.approx(known[item.item_id].relevance)

    def test_the_order_of_the_candidates_does_not_matter(self, ranker: Ranker, given: list[Candidate]) -> None:
        asked = request(bought(coffee=1))
        assert ranker.rank(SECTION, given[::-1], asked) == ranker.rank(SECTION, given, asked)

    def test_the_same_question_has_the_same_answer(self, ranker: Ranker, given: list[Candidate]) -> None:
        assert ranker.rank(SECTION, given, request()) == ranker.rank(SECTION, given, request())

    def test_the_candidates_are_left_as_they_are(self, ranker: Ranker, given: list[Candidate]) -> None:
        before = list(given)
        ranker.rank(SECTION, given, request())
        assert given == before

    def test_no_candidates_no_items(self, ranker: Ranker) -> None:
        assert ranker.rank(SECTION, [], request()) == []

    def test_one_candidate(self, ranker: Ranker, given: list[Candidate]) -> None:
        assert len(ranker.rank(SECTION, given[:1], request())) <= 1

    @pytest.mark.parametrize("history", [(), bought(gone=1), bought(tea=-5)], ids=["none", "unknown", "future"])
    def test_any_history_will_do(self, ranker: Ranker, given: list[Candidate], history: Sequence) -> None:
        assert checked(ranker.rank(SECTION, given, request(history)), given)
