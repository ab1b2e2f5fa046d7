"""What a shopper's history says about an item or an idea: cosine to what was bought, the recent counting more."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.store import Catalog
from genrec.page import PageRequest, Purchase

HALF_LIFE_DAYS = 90.0


class History:
    """A shopper's purchases up to the day of the page, as vectors. Later purchases are never looked at."""

    def __init__(self, request: PageRequest, catalog: Catalog) -> None:
        """Purchases of items that the catalog no longer has are left out."""
        self._catalog = catalog
        self.purchases: tuple[Purchase, ...] = tuple(
            sorted(
                (p for p in request.shopper.history if p.at <= request.on and p.item_id in catalog.items),
                key=lambda p: (p.at, p.item_id),
                reverse=True,
            )
        )
        self.item_ids = tuple(dict.fromkeys(p.item_id for p in self.purchases))
        """Distinct items, the most recently bought first."""

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """Unit rows of the distinct items, (n, dim)."""
        if not self.item_ids:
            return np.zeros((0, self._catalog.embedder.dim), dtype=np.float32)
        return np.stack([self._catalog.vector_of(i) for i in self.item_ids])

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """0.5 ** (days before the newest purchase / HALF_LIFE_DAYS) of each distinct item's latest purchase, (n,)."""
        if not self.item_ids:
            return np.zeros(0, dtype=np.float32)
        latest = {p.item_id: p.at for p in reversed(self.purchases)}
        newest = max(latest.values())
        ages = np.array([(newest - latest[i]).days for i in self.item_ids], dtype=np.float32)
        weights: NDArray[np.float32] = np.exp2(-ages / HALF_LIFE_DAYS)
        return weights

    def affinity(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Max over bought items of (1 + weight) / 2 * cosine, clipped to [0, 1], for each row of (m, dim)."""
        if not self.item_ids or not len(vectors):
            return np.zeros(len(vectors), dtype=np.float32)
        cosines = vectors @ self.vectors.T * (0.5 + 0.5 * self.weights)
        best: NDArray[np.float32] = cosines.max(axis=1).clip(0.0, 1.0)
        return best

    def nearest(self, vector: NDArray[np.float32]) -> tuple[str, float] | None:
        """The bought item that is closest to `vector` (dim,), with its cosine; None without history."""
        if not self.item_ids:
            return None
        cosines = self.vectors @ vector
        best = int(cosines.argmax())
        return self.item_ids[best], float(cosines[best])
