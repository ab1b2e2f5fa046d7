"""The metrics against peers on random rankings: ir_measures for accuracy, RecTools for what is beyond it."""

import ir_measures
import numpy as np
import pytest

from genrec.evaluation.metrics import (
    catalog_coverage,
    gains_of,
    intra_list_diversity,
    ndcg_at,
    novelty,
    precision_at,
    recall_at,
    reciprocal_rank,
)

QUERIES, THINGS, SHOWN, CUTOFFS = 40, 30, 12, (1, 5, 20)


@pytest.fixture(scope="module")
def judged() -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Graded judgments with something relevant in each query, and rankings that know only some of it."""
    random = np.random.default_rng(7)
    qrels, run = {}, {}
    for query in range(QUERIES):
        grades = random.choice(4, THINGS, p=[0.7, 0.15, 0.1, 0.05])
        grades[random.integers(THINGS)] = 2
        qrels[f"q{query}"] = {f"d{n}": int(grade) for n, grade in enumerate(grades)}
        shown = random.permutation(THINGS + 5)[:SHOWN]  # five that nobody judged
        run[f"q{query}"] = {f"d{n}": float(SHOWN - rank) for rank, n in enumerate(shown)}
    return qrels, run


def ours(qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]], k: int) -> dict[str, dict[str, float]]:
    scores: dict[str, dict[str, float]] = {}
    for query, scored in run.items():
        gains = gains_of(sorted(scored, key=lambda d: -scored[d]), qrels[query])
        total = sum(grade > 0 for grade in qrels[query].values())
        recall, ndcg = recall_at(gains, k, total=total), ndcg_at(gains, k, ideal=qrels[query].values())
        assert recall is not None and ndcg is not None
        scores[query] = {"P": precision_at(gains, k), "R": recall, "nDCG": ndcg, "RR": reciprocal_rank(gains)}
    return scores


@pytest.mark.parametrize("k", CUTOFFS)
def test_ir_measures(judged, k: int) -> None:
    qrels, run = judged
    measures = {
        "P": ir_measures.P @ k,
        "R": ir_measures.R @ k,
        "nDCG": ir_measures.nDCG @ k,
        "RR": ir_measures.RR,
    }
    scores = ours(qrels, run, k)
    compared = 0
    for metric in ir_measures.iter_calc(list(measures.values()), qrels, run):
        name = next(name for name, measure in measures.items() if measure == metric.measure)
        assert scores[metric.query_id][name] == pytest.approx(metric.value, abs=1e-6), metric
        compared += 1
    assert compared == QUERIES * len(measures)


class TestRecTools:
    """RecTools pins attrs and pandas below what MLflow and genrec have here; its metrics work all the same."""

    @pytest.fixture(scope="class")
    def rectools(self):
        return pytest.importorskip(
            "rectools.metrics", reason="RecTools pins attrs < 24: pip install --no-deps rectools"
        )

    @pytest.fixture(scope="class")
    def pages(self) -> list[list[int]]:
        random = np.random.default_rng(11)
        return [random.permutation(THINGS)[:SHOWN].tolist() for _ in range(QUERIES)]

    @pytest.fixture(scope="class")
    def table(self, pages: list[list[int]]):
        import pandas as pd

        rows = [(user, item, rank) for user, page in enumerate(pages) for rank, item in enumerate(page, start=1)]
        return pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])

    def test_novelty(self, rectools, pages, table) -> None:
        import pandas as pd

        random = np.random.default_rng(13)
        bought = {user: random.choice(THINGS - 4, 6, replace=False).tolist() for user in range(25)}  # four are unseen
        history = pd.DataFrame([(u, i) for u, items in bought.items() for i in items], columns=["user_id", "item_id"])
        counts = [sum(item in items for items in bought.values()) for item in range(THINGS)]
        theirs = rectools.MeanInvUserFreq(k=SHOWN).calc_per_user(table, history)
        for user, page in enumerate(pages):
            assert novelty([counts[item] for item in page], 25) == pytest.approx(theirs[user])

    def test_coverage(self, rectools, pages, table) -> None:
        catalog = range(THINGS + 10)
        theirs = rectools.CatalogCoverage(k=3, normalize=True).calc(table, list(catalog))
        assert catalog_coverage([page[:3] for page in pages], catalog) == pytest.approx(theirs)

    def test_intra_list_diversity(self, rectools, pages, table) -> None:
        vectors = np.random.default_rng(17).normal(size=(THINGS, 8))

        class CosineDistance(rectools.PairwiseDistanceCalculator):
            """1 - cosine, for the pairs that RecTools asks about."""

            def _get_distances_for_item_pairs(self, first, second):
                a, b = vectors[list(first)], vectors[list(second)]
                return 1 - (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)

        theirs = rectools.IntraListDiversity(k=SHOWN, distance_calculator=CosineDistance()).calc_per_user(table)
        for user, page in enumerate(pages):
            assert intra_list_diversity(vectors[page]) == pytest.approx(theirs[user])
