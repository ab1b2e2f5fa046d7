"""How good is what the index finds? precision@10 of lexical, dense and hybrid search over themes judged blind.

    python benchmarks/retrieval_quality.py pool INDEX OUT          batches for judges, in random order, no system named
    python benchmarks/retrieval_quality.py merge OUT ANSWERS...    checks the answers and adds them to the judgments
    python benchmarks/retrieval_quality.py report INDEX            the tables; --split dev while tuning

Themes, judgments and the judges' rubric are in data/. Judges see titles and category paths and nothing else, so items
of one title and path are asked once and share the grade. A precision divides by 10 whatever was returned.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from genrec.catalog.fusion import fuse_hits, reciprocal_rank_fusion, weighted_sum
from genrec.catalog.items import Item
from genrec.catalog.store import Catalog

DATA = Path(__file__).parent / "data"
TOP = 10
DEPTH = 100
MODES = ("lexical", "dense", "hybrid")
GRADES = (0, 1, 2)
RESAMPLES = 10_000
RRF_K = (0, 5, 10, 20, 60, 120)
DENSE_WEIGHTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)

Pair = tuple[str, str]
"""theme_id and item_id."""


class Theme(NamedTuple):
    """One query; the unit that is resampled."""

    theme_id: str
    query: str
    kind: str
    split: str


class Estimate(NamedTuple):
    """A mean over themes and the ends of its 95% interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:z.3f} [{self.low:z.3f}, {self.high:z.3f}]"


def precision(ranking: Sequence[str], grades: Mapping[str, int], least: int) -> float:
    """Items graded `least` or better among the first `TOP`, over `TOP`; absent and unjudged ones are misses."""
    return sum(grades.get(item_id, 0) >= least for item_id in ranking[:TOP]) / TOP


def repeats(titles: Sequence[str]) -> int:
    """How many of the titles stand further up already."""
    return len(titles) - len(set(titles))


def bootstrap(values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Mean of `values` (n,) with a percentile interval; pass differences for a paired one.

    One seed draws the same themes for every system of one size n. Raises ValueError for no values.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    if not len(values):
        raise ValueError("no themes to average over: choose another split or kind")
    drawn = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return Estimate(float(values.mean()), float(low), float(high))


def wins_ties_losses(differences: NDArray[np.float64]) -> tuple[int, int, int]:
    """How many themes are better, equal and worse; differences are multiples of 1 / `TOP` but for rounding."""
    tenths = np.rint(differences * TOP)
    return int((tenths > 0).sum()), int((tenths == 0).sum()), int((tenths < 0).sum())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file; ClickException names the line that is none."""
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(dict(json.loads(line)))
        except (ValueError, TypeError) as error:
            raise click.ClickException(f"{path}:{number}: not a JSON object ({error}); repair the line") from error
    return rows


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def read_themes(split: str, path: Path = DATA / "retrieval_themes.jsonl") -> list[Theme]:
    themes = [Theme(**row) for row in read_lines(path)]
    return [theme for theme in themes if split in ("all", theme.split)]


def read_judgments(path: Path) -> dict[Pair, int]:
    rows = read_lines(path) if path.exists() else []
    return {(row["theme_id"], row["item_id"]): row["grade"] for row in rows}


def run(catalog: Catalog, themes: Sequence[Theme]) -> dict[str, list[list[str]]]:
    """Item ids of the top 10 by mode, for each theme."""
    queries = [theme.query for theme in themes]
    found = {mode: catalog.index.search_many(queries, limit=TOP, mode=mode) for mode in MODES}
    return {mode: [[hit.item_id for hit in hits] for hits in rankings] for mode, rankings in found.items()}


def run_variants(catalog: Catalog, themes: Sequence[Theme]) -> dict[str, list[list[str]]]:
    """Item ids of the top 10 for other ways to fuse the two rankings of depth 100."""
    queries = [theme.query for theme in themes]
    lexical, dense = (catalog.index.search_many(queries, limit=DEPTH, mode=mode) for mode in ("lexical", "dense"))
    pairs = [list(pair) for pair in zip(lexical, dense, strict=True)]
    found: dict[str, list[list[str]]] = {}
    for k in RRF_K:
        rank = partial(reciprocal_rank_fusion, k=k)
        found[f"RRF k={k}"] = [[hit.item_id for hit in fuse_hits(pair, rank)[:TOP]] for pair in pairs]
    for weight in DENSE_WEIGHTS:
        add = partial(weighted_sum, weights=[1 - weight, weight])
        found[f"sum dense={weight}"] = [[hit.item_id for hit in fuse_hits(pair, add)[:TOP]] for pair in pairs]
    return found


def look(item: Item) -> tuple[str, ...]:
    """All that a judge sees of an item."""
    return (item.title, *item.categories)


def to_ask(pairs: Iterable[Pair], items: Mapping[str, Item], judged: Iterable[Pair]) -> dict[Pair, Pair]:
    """Map each pair that is not judged to the one that speaks for it: the same theme, an item of the same look.

    That is a judged pair where there is one, otherwise the first new one by item_id. The index may lack a
    judged item by now; then it speaks for none.
    """
    judged = sorted(judged)
    speaker: dict[tuple[str, tuple[str, ...]], Pair] = {}
    for theme_id, item_id in judged:
        if item_id in items:
            speaker.setdefault((theme_id, look(items[item_id])), (theme_id, item_id))
    known = set(judged)
    new = sorted(set(pairs) - known)
    return {pair: speaker.setdefault((pair[0], look(items[pair[1]])), pair) for pair in new}


def merged(
    spoken: Mapping[Pair, Pair], judged: Mapping[Pair, int], answers: Iterable[Mapping[str, Any]]
) -> tuple[dict[Pair, int], list[str]]:
    """Return the judgments with the answers added, and what is wrong with the answers: invalid, unknown, missing."""
    problems: list[str] = []
    asked = set(spoken.values())
    grades = dict(judged)
    for row in answers:
        pair = (str(row.get("theme_id")), str(row.get("item_id")))
        grade = row.get("grade")
        if type(grade) is not int or grade not in GRADES:
            problems.append(f"invalid: {pair} has grade {grade!r}; give 0, 1 or 2")
        elif pair not in asked:
            problems.append(f"unknown: {pair} was not asked")
        elif grades.setdefault(pair, grade) != grade:
            problems.append(f"invalid: {pair} is graded {grades[pair]} and {grade}; keep one")
    problems += [f"missing: {pair}" for pair in sorted(asked - set(grades))]
    return grades | {pair: grades[by] for pair, by in spoken.items() if by in grades}, problems


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print(f"| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print()


def groups(themes: Sequence[Theme]) -> dict[str, list[int]]:
    """Places of the themes of every split, and of every kind within it."""
    found: dict[str, list[int]] = {}
    for split in sorted({theme.split for theme in themes}):
        found[split] = [place for place, theme in enumerate(themes) if theme.split == split]
        for kind in ("exact", "synonym", "intent", "attribute", "absent"):
            if places := [place for place in found[split] if themes[place].kind == kind]:
                found[f"{split}, {kind}"] = places
    return found


@click.group(help=__doc__.split("\n")[0])
def main() -> None:
    pass


SPLIT = click.option("--split", type=click.Choice(["all", "dev", "test"]), default="all", show_default=True)
JUDGMENTS = click.option(
    "--judgments", type=click.Path(path_type=Path), default=DATA / "retrieval_judgments.jsonl", help="JSONL"
)
INDEX = click.argument("index", type=click.Path(exists=True, path_type=Path))


@main.command()
@INDEX
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@SPLIT
@JUDGMENTS
@click.option("--batch", "size", default=40, show_default=True, help="themes in a batch")
@click.option("--seed", default=0, show_default=True, help="of the order of themes and items")
def pool(index: Path, out: Path, split: str, judgments: Path, size: int, seed: int) -> None:
    """Write to OUT what INDEX finds and nobody has judged: the union of all systems, on dev of the variants too."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise click.ClickException(f"{out}: not empty; name a new directory, so that no old batch is judged again")
    catalog, themes = Catalog.open(index), read_themes(split)
    dev = [theme for theme in themes if theme.split == "dev"]
    found = [*((themes, r) for r in run(catalog, themes).values())]
    found += [(dev, r) for r in run_variants(catalog, dev).values()] if dev else []
    pairs = {(t.theme_id, i) for asked, rankings in found for t, ids in zip(asked, rankings, strict=True) for i in ids}
    judged = read_judgments(judgments)
    spoken = to_ask(pairs, catalog.items, judged)
    ask = sorted(set(spoken.values()) - set(judged))
    chance = random.Random(seed)
    chance.shuffle(themes)
    rows = []
    for theme in themes:
        ids = [item_id for theme_id, item_id in ask if theme_id == theme.theme_id]
        chance.shuffle(ids)
        shown = [{"item_id": i, "title": (it := catalog.items[i]).title, "category": it.categories} for i in ids]
        if shown:
            rows.append({"theme_id": theme.theme_id, "query": theme.query, "items": shown})
    write_lines(out / "pairs.jsonl", [{"theme_id": t, "item_id": i, "as": spoken[t, i][1]} for t, i in spoken])
    for number, start in enumerate(range(0, len(rows), size)):
        batch = rows[start : start + size]
        write_lines(out / f"batch_{number:02}.jsonl", batch)
        print(f"batch_{number:02}.jsonl: {len(batch)} themes, {sum(len(row['items']) for row in batch)} items")
    print(f"{len(pairs)} pairs pooled, {len(pairs) - len(spoken)} judged already, {len(ask)} to ask for {len(spoken)}")


@main.command()
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("answers", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1)
@JUDGMENTS
@click.option("--partial", is_flag=True, help="write although some answers are missing")
def merge(out: Path, answers: Sequence[Path], judgments: Path, partial: bool) -> None:
    """Add the ANSWERS to the batches in OUT to the judgments; nothing is written when one is missing or wrong."""
    spoken = {(r["theme_id"], r["item_id"]): (r["theme_id"], r["as"]) for r in read_lines(out / "pairs.jsonl")}
    grades, problems = merged(spoken, read_judgments(judgments), [row for path in answers for row in read_lines(path)])
    for problem in problems[:50]:
        print(problem)
    fatal = [problem for problem in problems if not (partial and problem.startswith("missing"))]
    if fatal:
        raise click.ClickException(f"{judgments.name}: not written, {len(fatal)} problems in the answers")
    write_lines(judgments, [{"theme_id": t, "item_id": i, "grade": grades[t, i]} for t, i in sorted(grades)])
    print(f"{len(grades)} judgments, {len(problems)} missing")


@main.command()
@INDEX
@SPLIT
@JUDGMENTS
@click.option("--variants", is_flag=True, help="other fusions too; only dev is pooled for them")
def report(index: Path, split: str, judgments: Path, variants: bool) -> None:
    """Print precision@10 and paired differences; the exit status is 1 when a returned item was not judged."""
    catalog, themes = Catalog.open(index), read_themes(split)
    judged = read_judgments(judgments)
    grades = [{i: grade for (t, i), grade in judged.items() if t == theme.theme_id} for theme in themes]
    found = run(catalog, themes) | (run_variants(catalog, themes) if variants else {})
    measures: dict[str, Callable[[Sequence[str], Mapping[str, int]], float]] = {
        "P@10 (2)": lambda ids, g: precision(ids, g, 2),
        "P@10 (1 or 2)": lambda ids, g: precision(ids, g, 1),
        "returned": lambda ids, g: float(len(ids)),
        "repeated titles": lambda ids, g: float(repeats([catalog.items[i].title for i in ids])),
        "unjudged": lambda ids, g: float(len(set(ids) - set(g))),
    }
    values = {
        (system, name): np.array([measure(ids, g) for ids, g in zip(rankings, grades, strict=True)])
        for system, rankings in found.items()
        for name, measure in measures.items()
    }
    strict, lenient, *counts = measures
    for group, places in groups(themes).items():
        print(f"### {group}, {len(places)} themes\n")
        rows = []
        for s in found:
            means = [f"{values[s, count][places].mean():.2f}" for count in counts[:-1]]
            unjudged = f"{values[s, counts[-1]][places].sum():.0f}"
            rows.append([s, *(bootstrap(values[s, m][places]) for m in (strict, lenient)), *means, unjudged])
        table(["system", *measures], rows)
        rows = []
        for other in ("lexical", "dense"):
            for name in (strict, lenient):
                difference = values["hybrid", name][places] - values[other, name][places]
                rows.append([f"hybrid - {other}", name, bootstrap(difference), *wins_ties_losses(difference)])
        table(["paired", "measure", "difference", "win", "tie", "loss"], rows)
    missing = int(sum(values[system, "unjudged"].sum() for system in MODES))
    if missing:
        raise click.ClickException(
            f"{missing} returned items are not judged, so this is no valid report: pool and merge"
        )


if __name__ == "__main__":
    main()
