"""A year of a real grocery chain, from its export to an index: converted, indexed, searched, updated."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from genrec.catalog.bm25 import BM25Index
from genrec.catalog.filters import Where
from genrec.catalog.ingest import ItemStream
from genrec.catalog.phrases import MIN_ITEMS
from genrec.catalog.store import Catalog
from genrec.catalog.text import item_text, tokenize

ROOT = Path(__file__).parents[2]
PRODUCTS = ROOT.parent / "shared" / "data" / "completejourney" / "products.csv.gz"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PRODUCTS.exists(), reason="shared/data/completejourney is not here"),
]


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog file that the converter makes."""
    path = tmp_path_factory.mktemp("feed") / "journey.jsonl"
    script = ROOT / "scripts" / "completejourney.py"
    subprocess.run([sys.executable, str(script), str(PRODUCTS), "-o", str(path)], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def journey(feed: Path) -> Catalog:
    """Its index, made with the encoder for many items."""
    return Catalog.build(ItemStream(feed), feed.parent / "index", "static")


def texts_of(catalog: Catalog) -> Sequence[str]:
    return [item_text(item) for item in catalog.items.values()]


def test_every_product_is_there_and_found(journey: Catalog) -> None:
    assert len(journey.items) > 90_000
    hits = journey.index.search("tomato sauce", limit=20, where=Where(categories={"grocery"}))
    assert len(hits) == 20
    assert all(journey.items[hit.item_id].department == "Grocery" for hit in hits)
    assert sum("tomato" in journey.items[hit.item_id].title.lower() for hit in hits) >= 15


def test_the_lexical_ranking_is_rank_bm25s(journey: Catalog) -> None:
    texts, ids = texts_of(journey), list(journey.items)
    okapi = BM25Okapi([tokenize(text) for text in texts])
    for query in ("frozen pizza", "store brand 8 oz", "dog", "low fat chocolate milk gallon"):
        tokens = tokenize(query)
        scores = okapi.get_scores(tokens)
        matching = [row for row, counts in enumerate(okapi.doc_freqs) if not counts.keys().isdisjoint(tokens)]
        expected = sorted(matching, key=lambda row: (-scores[row], ids[row]))[:100]
        found = journey.index.search(query, limit=100, mode="lexical")
        assert [hit.item_id for hit in found] == [ids[row] for row in expected]
        assert [hit.score for hit in found] == [scores[row] for row in expected]


def test_every_keyword_finds_enough_items(journey: Catalog) -> None:
    texts = texts_of(journey)
    index = BM25Index.build(texts)
    assert len(journey.keywords) > 3_000
    for keyword in list(journey.keywords.phrases)[::10]:
        found = index.search(keyword, limit=len(texts)).rows
        held = np.sum(index.coverage(keyword, found) > 1 - 1e-9)
        assert held >= MIN_ITEMS, keyword


def test_an_update_embeds_what_is_new_and_drops_what_is_gone(journey: Catalog, feed: Path) -> None:
    lines = feed.read_text("utf-8").splitlines(keepends=True)
    new = json.dumps({"item_id": "new", "title": "Yuzu marmalade, 340 g", "categories": ["Grocery", "Spreads"]})
    changed = feed.parent / "changed.jsonl"
    changed.write_text("".join([*lines[:-50], new, "\n"]), "utf-8")
    written = Catalog.update(ItemStream(changed), feed.parent / "index")
    assert (written.items, written.added, written.removed, written.embedded) == (len(lines) - 49, 1, 50, 1)
    updated = Catalog.open(feed.parent / "index")
    updated.verify()
    assert updated.index.search("yuzu", limit=1)[0].item_id == "new"
    assert len(journey.items) == len(lines) and "new" not in journey.items  # who had it open still has it
