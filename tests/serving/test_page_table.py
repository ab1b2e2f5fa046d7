"""The page on a terminal: complete and legible at 80 and 120 columns, plain when piped."""

import io
import re
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from genrec.catalog.items import Item
from genrec.page import Page, StageUsage
from genrec.serving.page_html import price_text
from genrec.serving.page_table import print_page
from tests.serving.test_page_html import DAY, DEGRADED, SHOPPER, catalog, demo_page, one_item_page


def printed(page: Page, *, width: int, items: dict[str, Item] | None = None, **console: Any) -> str:
    out = io.StringIO()
    screen = Console(file=out, width=width, **console)
    known = catalog() if items is None else items
    print_page(page, known, shopper=SHOPPER, on=DAY, occasion="fourth birthday", console=screen)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_every_section_title_price_and_reason_is_printed_within_the_width(width: int) -> None:
    page = demo_page()
    text = printed(page, width=width)
    assert max(cell_len(line) for line in text.splitlines()) <= width
    joined = " ".join(text.split())
    for section in page.sections:
        assert section.theme.title in text
        assert " ".join(section.theme.rationale.split()) in joined
        for entry in section.items:
            assert price_text(catalog()[entry.item_id]) in text
            assert f"{entry.relevance:.0%}" in text


def test_at_80_columns_a_title_and_its_price_share_a_line() -> None:
    page = demo_page()
    lines = printed(page, width=80).splitlines()
    for section in page.sections:
        for entry in section.items:
            (line,) = [line for line in lines if entry.title in line and "%" in line]
            assert price_text(catalog()[entry.item_id]) in line
    assert len(lines) <= 6 * (2 + 1 + 2 * 8) + 8


def test_at_120_columns_the_reason_stands_beside_the_title() -> None:
    line = next(line for line in printed(demo_page(), width=120).splitlines() if "Bought 4 times" in line)
    assert re.search(r"\S  +.?\d+\.\d\d  +Bought 4 times since May, last on 2 August\.\s+\d+%", line)


def test_piped_output_has_no_colour_codes_and_a_terminal_has() -> None:
    assert "\x1b" not in printed(demo_page(degraded=DEGRADED), width=80)
    assert "\x1b" in printed(demo_page(), width=80, force_terminal=True, color_system="standard")


def test_the_first_lines_say_for_whom_when_and_by_what() -> None:
    first, second = printed(demo_page(), width=120).splitlines()[:2]
    assert first == "maria · Saturday 15 August 2026 · fourth birthday · organic, vegetarian · without nuts, peanuts"
    assert second == "top-down 1.4 (champion) · embedded/smollm2-135m-q4_0"


def test_a_step_down_is_said_exactly_when_there_was_one() -> None:
    assert "degraded" not in printed(demo_page(), width=80)
    text = " ".join(printed(demo_page(degraded=DEGRADED), width=80).split())
    assert f"degraded plan: {DEGRADED[0].reason}" in text


def test_the_last_lines_count_what_was_dropped_and_spent() -> None:
    *_, dropped, usage = printed(demo_page(), width=80).splitlines()
    assert dropped == "dropped: 240 by filter, 4 by guard, 1 by select"
    assert usage == "13 LM calls · 17,450 tokens in (14,804 cached), 948 out · 12.6 s · $0.0193"


def test_an_unknown_price_of_the_calls_is_a_dash() -> None:
    usage = {"plan": StageUsage(calls=2, failures=1, input_tokens=10, output_tokens=5, seconds=1)}
    assert printed(demo_page(usage=usage), width=80).splitlines()[-1] == (
        "2 LM calls (1 failed) · 10 tokens in (0 cached), 5 out · 1.0 s · —"
    )


def test_hostile_text_is_neither_markup_nor_a_terminal_command() -> None:
    item = Item(item_id="a", title="[red]Apples[/red] [link=file:///x]y \x1b[2J\x07\u202eevil", brand="[bold]")
    text = printed(one_item_page(item, reason="[/] ]] \x1b]0;title\x07"), width=80, items={"a": item})
    assert "[red]Apples[/red] [link=file:///x]y" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)


def test_a_thousand_character_title_is_cut_with_an_ellipsis() -> None:
    item = Item(item_id="a", title="x")
    lines = printed(one_item_page(item, title="Apple " * 166), width=80, items={"a": item}).splitlines()
    assert any("…" in line for line in lines)
    assert sum("Apple" in line for line in lines) <= 4


def test_an_empty_page_and_missing_items_still_print() -> None:
    assert "maria" in printed(demo_page(sections=(), drops=(), usage={}), width=80)
    assert demo_page().sections[0].items[0].title in printed(demo_page(), width=80, items={})
