"""Tables other than the page: complete, plain when piped, and unimpressed by what catalogs contain."""

from datetime import UTC, datetime

import pytest

from genrec.catalog.hybrid import Explained
from genrec.catalog.items import Item
from genrec.page import Purchase, Shopper
from genrec.registry import Version
from genrec.serving.doctor import Finding
from genrec.serving.tables import print_diagnosis, print_hits, print_shoppers, print_versions

NASTY = "[bold]Tea[/bold] \x1b[31mred\x1b[0m \u202eevil"


def rows(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out = capsys.readouterr().out
    assert "\x1b" not in out
    return [" ".join(line.split()) for line in out.splitlines() if line.strip()]


def test_shoppers(capsys: pytest.CaptureFixture[str]) -> None:
    someone = Shopper(
        shopper_id="ann",
        household="couple, one cat",
        diets=frozenset({"vegan", "organic"}),
        allergens=frozenset({"soya", "nuts"}),
        history=(Purchase(item_id="a", at="2026-01-01"), Purchase(item_id="b", at="2026-01-02")),
    )
    print_shoppers([someone, Shopper(shopper_id="new")])
    header, first, second = rows(capsys)
    assert header == "shopper household diet purchases"
    assert first == "ann couple, one cat organic, vegan, no nuts, no soya 2"
    assert second == "new 0"


def test_hits_say_how_each_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    tea = Item(item_id="tea", title="Black tea", categories=("Drinks", "Tea"))
    soap = Item(item_id="soap", title="Soap")
    print_hits([Explained(tea, 0.03, 1, None, ("black", "tea")), Explained(soap, 0.01, None, 7, ())], {})
    header, first, second = rows(capsys)
    assert header == "item category BM25 rank dense rank matched"
    assert first == "Black tea Drinks > Tea 1 - black, tea"
    assert second == "Soap - 7 -"


def test_no_hits_are_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_hits([], {})
    assert "nothing in the catalog matches" in capsys.readouterr().err


def test_text_of_the_catalog_is_neither_markup_nor_escape_codes(capsys: pytest.CaptureFixture[str]) -> None:
    print_hits([Explained(Item(item_id="x", title=NASTY), 0.1, 1, 1, ())], {})
    text = " ".join(rows(capsys))
    assert "[bold]Tea[/bold]" in text
    assert "\u202e" not in text


def test_long_text_is_folded_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    title = " ".join(f"word{n}" for n in range(60))
    print_hits([Explained(Item(item_id="x", title=title[:300]), 0.1, 1, 1, ())], {})
    text = capsys.readouterr().out
    assert all(f"word{n}" in text for n in range(40))
    assert max(map(len, text.splitlines())) <= 140


def test_versions_newest_first_as_given(capsys: pytest.CaptureFixture[str]) -> None:
    made = datetime(2026, 11, 12, 9, 30, tzinfo=UTC)
    facts = {"optimizer": "bootstrap", "score_before": "0.6100", "score_after": "0.7200"}
    print_versions(
        [
            Version("genrec-page", 12, ("champion", "challenger"), made, "run", facts),
            Version("genrec-page", 3, (), made, "run"),
        ]
    )
    _, first, second = rows(capsys)
    assert first.startswith("12 champion, challenger 2026-11-12 09:30 bootstrap")
    assert "0.6100" in first and "0.7200" in first
    assert second.startswith("3 - 2026-11-12 09:30 -")


def test_no_versions_yet(capsys: pytest.CaptureFixture[str]) -> None:
    print_versions([])
    assert "`genrec compile` makes one" in capsys.readouterr().err


def test_diagnosis(capsys: pytest.CaptureFixture[str]) -> None:
    print_diagnosis([Finding("encoder", True, "MiniLM"), Finding("catalog", False, "gone.csv: no such file")])
    _, first, second = rows(capsys)
    assert first == "encoder ok MiniLM"
    assert second == "catalog MISSING gone.csv: no such file"
