"""Matrix factorisation of who bought what, with the `implicit` package: learned once, asked for any shopper."""

import importlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.errors import SettingsError

Vector = NDArray[np.float32]

FACTORS, ITERATIONS = 64, 15
REGULARISATION = 0.006
"""For each shopper: `implicit` sums over shoppers, so one value would be ten times as strict for a tenth of them."""
OWN = 30.0
"""How many purchases by others one of the shopper's own counts for, within a kind."""

_ONE_BLAS_THREAD = threading.Lock()
"""Held while BLAS is set to one thread, which is a setting of the process."""


class PurchaseFactors:
    """Factors of shoppers and kinds of items, and from them a score for each item.

    A kind is what is factorised: a leaf category or the item itself. With r(u, k) the purchases of kind k by shopper u
    as confidence, weighted least squares give s(u, k) = x_u . y_k (Hu, Koren, Volinsky, ICDM 2008). Within a kind, an
    item's share is by purchases, the shopper's own counting `OWN` times:

        score(u, i) = max(s(u, k), 0) * (n_i + OWN * own_i) / (n_k + OWN * own_k),   k the kind of i

    where n_i is the purchases of i by all plus a tie-break below 1, and n_k the sum over the kind. If each item is a
    kind of its own, the second factor is 1.
    """

    def __init__(
        self,
        histories: Sequence[Mapping[str, int]],
        kind_of: Callable[[str], str],
        tie_break: Callable[[str], float],
        *,
        seed: int = 0,
    ) -> None:
        """Factorise purchases by item_id, one mapping a shopper; the same ones and `seed` give the same factors.

        Raises:
            SettingsError: `implicit` is not installed.

        """
        total: Counter[str] = Counter()
        for counts in histories:
            total.update(counts)
        self._kind_of, self._tie_break = kind_of, tie_break
        self._total = total
        self._items = sorted(total)
        self._kinds = {kind: n for n, kind in enumerate(sorted({kind_of(i) for i in self._items}))}
        matrix = self._matrix([self._by_kind(counts) for counts in histories])
        self._model = _fitted(matrix, REGULARISATION * len(histories), seed)

    def rank(self, own: Mapping[str, int]) -> list[tuple[str, float]]:
        """Items with their scores, best first, ties by item_id, for a shopper who bought these so many times.

        The shopper need not be among those it learned from: the factors x_u are solved for from `own`. What was
        bought already is ranked with the rest (`filter_already_liked_items=False`): groceries are bought again.
        """
        mine = {kind: times for kind, times in self._by_kind(own).items() if kind in self._kinds}
        if not mine:
            return []
        factors = self._model.recalculate_user(0, self._matrix([mine]))
        wanted: Vector = np.maximum(self._model.item_factors @ factors, 0.0)
        items = sorted({*self._items, *(i for i in own if self._kind_of(i) in self._kinds)})
        kinds = np.array([self._kinds[self._kind_of(i)] for i in items])
        weight = np.array([self._total[i] + self._tie_break(i) + OWN * own.get(i, 0) for i in items])
        share = weight / np.bincount(kinds, weights=weight, minlength=len(self._kinds))[kinds]
        scores = wanted[kinds] * share
        order = np.lexsort((np.arange(len(items)), -scores))
        return [(items[n], float(scores[n])) for n in order.tolist() if scores[n] > 0.0]

    def _matrix(self, rows: Sequence[Mapping[str, int]]) -> Any:
        """Purchases by kind as a sparse float32 (len(rows), kinds)."""
        values = np.array([times for row in rows for times in row.values()], dtype=np.float32)
        places = np.concatenate([np.full(len(row), n) for n, row in enumerate(rows)])
        columns = np.array([self._kinds[kind] for row in rows for kind in row])
        return require("scipy.sparse").csr_matrix((values, (places, columns)), shape=(len(rows), len(self._kinds)))

    def _by_kind(self, counts: Mapping[str, int]) -> Counter[str]:
        found: Counter[str] = Counter()
        for item_id, times in counts.items():
            found[self._kind_of(item_id)] += times
        return found


def require(module: str = "implicit") -> Any:
    """Import what this baseline needs beyond genrec's own packages, when it is first needed.

    Raises:
        SettingsError: it is not installed; the message has the remedy.

    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SettingsError(f"the baseline als needs a package: pip install implicit==0.7.3 ({error})") from error


def _fitted(matrix: Any, regularisation: float, seed: int) -> Any:
    """The fitted model, with its products cached. BLAS gets one thread meanwhile, as `implicit` wants it."""
    als, threads = require("implicit.als"), require("threadpoolctl")
    with _ONE_BLAS_THREAD, threads.threadpool_limits(1, "blas"):
        model = als.AlternatingLeastSquares(
            factors=FACTORS,
            iterations=ITERATIONS,
            regularization=max(regularisation, 0.01),
            random_state=seed,
            use_gpu=False,
        )
        model.fit(matrix, show_progress=False)
        model.YtY  # noqa: B018  (made now, so that threads only read it)
    return model
