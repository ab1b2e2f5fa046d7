"""The lexical index: rank_bm25's Okapi BM25, added up from precomputed columns. What a word is, text.py says."""

import json
import math
import threading
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.artifact import Artifact
from genrec.catalog.checked import CheckedArray, save_array
from genrec.catalog.fusion import NOTHING, Ranking
from genrec.catalog.strings import SortedStrings
from genrec.catalog.text import tokenize
from genrec.errors import IndexStateError

_PRUNE_FROM = 100_000
"""Postings under one query from which it pays to find out first which of them can matter; measured."""

_PRUNE_TOKENS = 16
"""Tokens beyond which all postings are added up: the bounds of so many terms together exclude next to nothing."""

_SLACK = 1 - 1e-9
"""What a bound may be off: sums in different orders differ by less for any query shorter than a million tokens."""

_SEARCH_COST = 64
"""How many gathers one binary search costs, roughly."""

_SAMPLE = 8
"""Of how many scores one is looked at to guess where the best begin."""

_REMEMBERED = 1 << 23
"""Addends that are kept for the next query, eight bytes each."""

_OVERHEAD = 128  # what remembering a term costs beside its addends, counted in addends
_LONGEST_REMEMBERED = 64
_LEAST_WEIGHT = 0.1

_FREQUENT = 8
"""A term is frequent that is in one of so many items or more; in an index of more than the next number, none is."""

_SPREAD_ITEMS = 1 << 18


class _Column(NamedTuple):
    """One term: the rows that hold it, (m,) ascending, and what they add, (m,), also as codes of saturations."""

    token: str
    rows: NDArray[np.int32]
    codes: NDArray[np.unsignedinteger]
    addends: NDArray[np.float64]
    idf: float
    best: float  # the largest addend
    everywhere: NDArray[np.float64] | None  # of a frequent term: what it adds to every item, (n,)


class BM25Index:
    """What every term adds to every item's score: a sparse (n items, n terms) matrix, column by column (CSC).

    score(d, q) = sum over the tokens t of q of idf(t) * saturation(f(t, d), |d|)
    saturation(f, l) = f (k1 + 1) / (f + k1 (1 - b + b l / avgdl))

    with rank_bm25's idf, which for a term in more than half of the items is `epsilon` times the average idf.
    Few saturations are distinct, so a posting holds its place in a table of them, best first: six bytes in all, and
    the best of a column are found by comparing small integers. The product is rank_bm25's to the last bit, and so is
    the sum, taken in the order of the query. Safe to use from several threads.
    Source: Trotman, Puurula, Burgess, ADCS 2014; rank_bm25 `BM25Okapi`.
    """

    def __init__(
        self,
        items: int,
        terms: SortedStrings,
        starts: CheckedArray,
        rows: CheckedArray,
        codes: CheckedArray,
        idf: CheckedArray,
        saturations: NDArray[np.float64],
    ) -> None:
        """Take the columns: term j, of weight `idf[j]`, is in the items `rows[starts[j] : starts[j + 1]]`, ascending.

        What `saturations[codes[p]]` times the weight is, posting p adds. Raises ValueError when the parts do not fit.
        """
        postings = int(starts[len(terms) :][0]) if len(starts) == len(terms) + 1 else -1
        if not postings == len(rows) == len(codes) or len(idf) != len(terms):
            raise ValueError(f"{len(rows)} postings do not fit {len(terms)} terms")
        self._items = items
        self._terms = terms
        self._starts = starts
        self._rows = rows
        self._codes = codes
        self._idf = idf
        self._saturations = saturations
        self._remembered: dict[str, _Column | None] = {}
        self._room = _REMEMBERED
        self._lock = threading.Lock()
        self._thread = threading.local()

    @classmethod
    def build(cls, texts: Iterable[str], *, k1: float = 1.5, b: float = 0.75, epsilon: float = 0.25) -> "BM25Index":
        """Index one text an item, in row order. Raises what `BM25Builder` raises."""
        from genrec.catalog.bm25_builder import BM25Builder  # which makes this class

        builder = BM25Builder(k1, b, epsilon)
        for text in texts:
            builder.add(text)
        return builder.finish()

    def save(self, folder: Path, name: str = "bm25") -> None:
        """Write `name`.json and, as `name`.*.npy, the parts."""
        self._terms.save(folder, f"{name}.terms")
        for part in ("starts", "rows", "codes", "idf"):
            save_array(folder / f"{name}.{part}.npy", getattr(self, f"_{part}").whole())
        save_array(folder / f"{name}.saturations.npy", self._saturations)
        (folder / f"{name}.json").write_text(json.dumps({"items": self._items}), "utf-8")

    @classmethod
    def open(cls, artifact: Artifact, name: str = "bm25") -> "BM25Index":
        """Memory-map what `save` wrote. Raises IndexStateError where it is damaged, at the latest when it is read."""
        terms = SortedStrings.open(artifact, f"{name}.terms")
        starts, rows, codes, idf = (artifact.array(f"{name}.{part}") for part in ("starts", "rows", "codes", "idf"))
        saturations = artifact.array(f"{name}.saturations").whole()
        try:
            return cls(int(artifact.json(name)["items"]), terms, starts, rows, codes, idf, saturations)
        except ValueError as error:
            raise IndexStateError(f"{artifact.path}: {name}: {error}; build the index again") from error

    def __len__(self) -> int:
        """Return the number of items."""
        return self._items

    def scores(self, query: str) -> NDArray[np.float64]:
        """Return every item's score, float64 (n,); 0 where no token matches."""
        scores = np.zeros(self._items)
        for column in self._columns(query):
            np.add.at(scores, column.rows, column.addends)
        return scores

    def search_many(
        self, queries: Sequence[str], *, limit: int, mask: NDArray[np.bool_] | None = None
    ) -> list[Ranking]:
        """Return what `search` returns for each query."""
        return [self.search(query, limit=limit, mask=mask) for query in queries]

    def search(self, query: str, *, limit: int, mask: NDArray[np.bool_] | None = None) -> Ranking:
        """Return at most `limit` rows, best first, ties by row; none when nothing matches.

        An item matches when it shares a token with the query, whatever its score: a term in exactly half of the
        items scores 0. `mask` (n,) says which items may be returned; `limit` counts those. Raises ValueError for a
        mask of another shape.
        """
        if mask is not None and mask.shape != (self._items,):
            raise ValueError(f"a mask of shape {mask.shape} for {self._items} items")
        columns = self._columns(query)
        if not columns or limit < 1:
            return NOTHING
        distinct = list({column.token: column for column in columns}.values())
        ranking = self._around_rarer(columns, distinct, limit, mask)
        if ranking is not None:
            return ranking
        postings = sum(len(column.rows) for column in distinct)
        if (
            postings >= max(_PRUNE_FROM, 2 * limit)
            and len(columns) <= _PRUNE_TOKENS
            and all(column.idf > 0 for column in distinct)
        ):
            rows, sums = self._contenders(columns, limit, mask)
            if len(columns) > 2:  # two addends have the same sum in any order; more are added in the query's
                sums = self._sums_at(rows, columns)
            return _best(rows, sums, limit, 1)
        rows, sums = self._sums(columns, distinct)
        return _best(*_allowed(rows, sums, mask), limit, len(distinct))

    def coverage(self, query: str, rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return which share of what the query says each of `rows` (k,) holds, 0 to 1.

        sum of weight(t) over the query's distinct tokens t that the row has / sum over all of them
        weight(t) = max(log((n - df + 0.5) / (df + 0.5)), 0.1), the Robertson-Sparck Jones weight, kept above 0

        A token that no item has counts too: it says something that the row does not hold.
        """
        matched, total = np.zeros(len(rows)), 0.0
        found = rows.astype(np.int32)  # as the columns are, or searching them would convert them
        for token in dict.fromkeys(tokenize(query)):
            column = self._column(token)
            held = 0 if column is None else len(column.rows)
            weight = max(math.log((self._items - held + 0.5) / (held + 0.5)), _LEAST_WEIGHT)
            total += weight
            if column is not None:
                matched[_places(column, found)[0]] += weight
        return matched / total if total else matched

    def _columns(self, query: str) -> list[_Column]:
        """Return the columns of the query's known tokens in order, repeats kept."""
        columns = [self._column(token) for token in tokenize(query)]
        return [column for column in columns if column is not None]

    def _column(self, token: str) -> _Column | None:
        try:
            return self._remembered[token]
        except KeyError:
            column = self._find(token)
            self._remember(token, column)
            return column

    def _find(self, token: str) -> _Column | None:
        place = self._terms.find(token)
        if place < 0:
            return None
        start, stop = self._starts[place : place + 2].tolist()
        codes = self._codes[start:stop]
        idf = float(self._idf[place : place + 1][0])
        addends = self._saturations.take(codes)
        addends *= idf
        rows, everywhere = self._rows[start:stop], None
        if self._items <= _SPREAD_ITEMS and len(rows) * _FREQUENT >= self._items:
            everywhere = np.zeros(self._items)
            everywhere[rows] = addends
        return _Column(token, rows, codes, addends, idf, float(addends.max()), everywhere)

    def _remember(self, token: str, column: _Column | None) -> None:
        """Keep a column, or that there is none, and forget the oldest ones for it."""
        size = _room_of(column)
        if len(token) > _LONGEST_REMEMBERED or size > _REMEMBERED:
            return
        with self._lock:
            if token in self._remembered:
                return
            while self._room < size:
                self._room += _room_of(self._remembered.pop(next(iter(self._remembered))))
            self._remembered[token] = column
            self._room -= size

    def _sums(
        self, columns: Sequence[_Column], distinct: Sequence[_Column]
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the rows of all columns, one after the other, and each row's score: repeated rows repeat it."""
        if len(columns) == 1:
            return columns[0].rows, columns[0].addends
        scores = self._borrowed()
        for column in columns:
            np.add.at(scores, column.rows, column.addends)
        rows = np.concatenate([column.rows for column in distinct])
        sums = scores.take(rows)
        self._give_back(scores, rows)
        return rows, sums

    def _around_rarer(
        self, columns: Sequence[_Column], distinct: Sequence[_Column], limit: int, mask: NDArray[np.bool_] | None
    ) -> Ranking | None:
        """Return the best of the items that hold a term that is not frequent, or the rarest, if no other can be one.

        What frequent terms add to those is looked up; their columns, which may be half of the items, are not gone
        through. An item that holds frequent terms only cannot score more than all of these add at most.
        """
        rarer = [column for column in distinct if column.everywhere is None]
        rarer = rarer or [min(distinct, key=lambda column: len(column.rows))]
        if len(rarer) == len(distinct):
            return None
        tokens = {column.token for column in rarer}
        rows = np.concatenate([column.rows for column in rarer])
        scores = self._borrowed()
        most = 0.0
        for column in columns:
            if column.token in tokens or column.everywhere is None:
                np.add.at(scores, column.rows, column.addends)
            else:
                scores[rows] += column.everywhere.take(rows)  # repeated rows are set to the same sum, not added twice
                most += max(column.best, 0.0)
        sums = scores.take(rows)
        self._give_back(scores, rows)
        ranking = _best(*_allowed(rows, sums, mask), limit, len(rarer))
        sure = len(ranking.rows) == limit and ranking.scores[-1] * _SLACK > most
        return ranking if sure else None

    def _contenders(
        self, columns: Sequence[_Column], limit: int, mask: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return distinct rows, the best `limit` among them whatever the rounding, and their sums up to rounding.

        Terms come in the order of what they can add at most. Once `limit` items are known to reach `floor`, an item
        that begins with this term is of interest only if its addend and all that later terms can add reach it too.
        All addends must be above 0. Source: MaxScore; Turtle, Flood, Information Processing & Management 1995.
        """
        weights: dict[str, int] = {}
        for column in columns:
            weights[column.token] = weights.get(column.token, 0) + 1
        order = sorted({column.token: column for column in columns}.values(), key=lambda c: -weights[c.token] * c.best)
        most = [weights[column.token] * column.best for column in order]
        later_most = list(accumulate(reversed([*most[1:], 0.0])))[::-1]
        floor = 0.0
        scores = self._borrowed()
        rows = np.empty(0, dtype=np.int32)
        touched = []
        unread = sum(len(column.rows) for column in order)
        for column, later in zip(order, later_most, strict=True):
            unread -= len(column.rows)
            weight = weights[column.token]
            table = self._saturations * (weight * column.idf)
            codes = column.codes
            if mask is not None:
                codes = np.where(mask.take(column.rows), codes, np.iinfo(codes.dtype).max)
            if len(codes) >= limit and weight * column.best > floor:
                worst = int(np.partition(codes, limit - 1)[limit - 1])
                floor = max(floor, float(table[worst]) * _SLACK) if worst < len(table) else floor
            reaching = np.count_nonzero(table >= floor - later / _SLACK)
            if reaching == 0 and len(rows) * _SEARCH_COST < len(codes):
                rows = np.sort(rows)
                there, places = _places(column, rows)
                held = rows.take(there)
            else:
                wanted = codes < reaching
                if len(rows):
                    known = scores.take(column.rows) > 0
                    fresh = column.rows.take((wanted & ~known).nonzero()[0])
                    wanted |= known
                places = wanted.nonzero()[0]
                held = column.rows.take(places)
                touched.append(fresh if len(rows) else held)
                rows = np.concatenate([rows, touched[-1]])
            values = column.addends.take(places)
            np.add.at(scores, held, values if weight == 1 else values * weight)
            if len(rows) > limit and (unread > len(rows) or not unread):  # a floor costs a look at all rows
                sums = scores.take(rows)
                floor = max(floor, float(np.partition(sums, len(sums) - limit)[len(sums) - limit]) * _SLACK)
                rows = rows.take((sums >= floor - later / _SLACK).nonzero()[0])
        rows = np.sort(rows)
        sums = scores.take(rows)
        self._give_back(scores, np.concatenate(touched))
        return rows, sums

    def _sums_at(self, rows: NDArray[np.int32], columns: Sequence[_Column]) -> NDArray[np.float64]:
        """Return the scores of some rows, (k,), added up in the order of the query."""
        addends = {}
        for column in columns:
            if column.token not in addends:
                known, places = _places(column, rows)
                values = np.zeros(len(rows))
                values[known] = column.addends.take(places)
                addends[column.token] = values
        sums = np.zeros(len(rows))
        for column in columns:
            sums += addends[column.token]
        return sums

    def _borrowed(self) -> NDArray[np.float64]:
        """Return this thread's zeros, (n,). If they never come back, after an error, the next call makes new ones."""
        zeros: NDArray[np.float64] | None = self._thread.__dict__.pop("zeros", None)
        return np.zeros(self._items) if zeros is None else zeros

    def _give_back(self, zeros: NDArray[np.float64], touched: NDArray[np.int32]) -> None:
        if len(touched) * 8 > len(zeros):  # one sweep is faster than many jumps
            zeros.fill(0)
        else:
            np.multiply.at(zeros, touched, 0.0)  # half the time of an assignment
        self._thread.zeros = zeros


def _places(column: _Column, rows: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of `rows`, best ascending, the column holds, and where in the column they are."""
    places = np.searchsorted(column.rows, rows)
    known = (column.rows.take(places, mode="clip") == rows).nonzero()[0]
    return known, places.take(known)


def _allowed(
    rows: NDArray[np.int32], sums: NDArray[np.float64], mask: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the rows that a mask allows, and their scores."""
    if mask is None:
        return rows, sums
    places = mask.take(rows).nonzero()[0]
    return rows.take(places), sums.take(places)


def _room_of(column: _Column | None) -> int:
    """Return what remembering a column costs, counted in addends."""
    if column is None:
        return _OVERHEAD
    return _OVERHEAD + len(column.rows) + (0 if column.everywhere is None else len(column.everywhere))


def _best(rows: NDArray[np.int32], sums: NDArray[np.float64], limit: int, copies: int) -> Ranking:
    """Return the `limit` best distinct rows, ties by row; a row may be there up to `copies` times."""
    most = limit * copies
    if len(sums) > _SAMPLE * 4 * most:  # the best of a sample are a bound that leaves little to look at
        sample = np.partition(sums[::_SAMPLE], -most)
        kept = (sums >= sample[-most]).nonzero()[0]
        rows, sums = rows.take(kept), sums.take(kept)
    if len(sums) > most:
        cut = np.partition(sums, len(sums) - most)[len(sums) - most]
        kept = (sums >= cut).nonzero()[0]
        rows, sums = rows.take(kept), sums.take(kept)
        if len(kept) > 2 * most:  # titles are short, so thousands can have the same score
            above = (sums > cut).nonzero()[0]
            ties = np.partition(rows.take((sums == cut).nonzero()[0]), most)[:most]
            rows = np.concatenate([rows.take(above), ties])
            sums = np.concatenate([sums.take(above), np.full(most, cut)])
    order = np.lexsort((rows, -sums))
    if copies > 1:
        sorted_rows = rows.take(order)
        first = np.empty(len(order), dtype=np.bool_)
        first[:1] = True
        np.not_equal(sorted_rows[1:], sorted_rows[:-1], out=first[1:])
        order = order[first]
    order = order[:limit]
    return Ranking(rows.take(order).astype(np.int64), sums.take(order))
