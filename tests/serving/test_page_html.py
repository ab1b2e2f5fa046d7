"""The HTML page: complete, safe against hostile text, well formed, and honest about what went wrong."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache
from html import escape
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest

from genrec.catalog.items import Item
from genrec.page import Degradation, Drop, Page, PageItem, Provenance, Section, Shopper, StageUsage, Theme
from genrec.serving import page_html, pictograms
from genrec.serving.page_html import render_page_html

DAY = date(2026, 8, 15)
SHOPPER = Shopper(
    shopper_id="maria",
    household="two adults and a four-year-old, small kitchen, one cat",
    diets=frozenset({"vegetarian", "organic"}),
    allergens=frozenset({"nuts", "peanuts"}),
    locale="en-GB",
)
DEMO = [
    ("Birthday cake from scratch", "birthday", "A birthday is close; flour and eggs are bought most weeks.",
     "Baking > Flour|Baking > Sugar|Eggs|Butter & spreads|Chocolate, cocoa|Cake candles|Extracts|Berries"),
    ("Ripe tomatoes and cold mozzarella", "", "Tomatoes are at their best in August; basil is on the list.",
     "Tomatoes|Fresh & cooking|Fresh herbs|Olive oil|Vinegar|Olives|Loaves|Salt & pepper"),
    ("Weeknight curry without meat", "discovery", "Three curries since June, never one with paneer or tofu.",
     "Indian curry|Tofu, tempeh|Dried beans|Dry rice|Onions|Ground spices|Naan|Poppadoms"),
    ("Lunchboxes a four-year-old will open", "", "School starts in two weeks.",
     "Lunchbox snacks|Yogurt|Apples|Rolls, buns|Crackers|Juice|Lunchboxes|Cut fruit"),
    ("For the cat", "", "The dry food bought on 2 August lasts about two weeks.",
     "Cat > Cat food|Cat > Litter|Cat > Treats|Wet food|Litter|Treats, toys|Cat >|Cat >"),
    ("A slow Sunday breakfast", "basket size", "Coffee is in nearly every basket; granola is new.",
     "Coffee > Coffee beans|Plant milk|Granola|Honey|Jam|Pastries|Bananas|Black tea"),
]  # fmt: skip
REASONS = (
    "Bought 4 times since May, last on 2 August.",
    "Goes with the eggs in your last basket.",
    "Organic, like most of what you buy.",
    "",
    "New here: similar to what you bought in June, and without nuts.",
    "In season this week.",
)


@lru_cache
def catalog() -> dict[str, Item]:
    lines = files("genrec.catalog").joinpath("sample/catalog.jsonl").read_text("utf-8").splitlines()
    items = (Item.model_validate(json.loads(line)) for line in lines)
    return {item.item_id: item for item in items}


def demo_page(**changes: Any) -> Page:
    """Build a realistic page: 6 sections of 8 items from the sample catalog."""
    left = dict(catalog())
    sections = []
    for number, (title, objective, rationale, wanted) in enumerate(DEMO):
        shown = []
        for rank, words in enumerate(wanted.split("|")):
            found = next((i for i in left.values() if words in " > ".join(i.categories)), next(iter(left.values())))
            del left[found.item_id]
            reason = REASONS[(rank * 5 + number) % len(REASONS)]
            shown.append(
                PageItem(
                    item_id=found.item_id,
                    title=found.title,
                    reason=reason,
                    relevance=0.97 - rank * 0.06,
                    score=8 - rank,
                )
            )
        concepts = tuple(words.split(" > ")[-1].casefold() for words in wanted.split("|"))[:5]
        theme = Theme(concepts=concepts, title=title, rationale=rationale, objective=objective)
        sections.append(Section(theme=theme, keywords=concepts + ("organic", "fresh", "quick"), items=tuple(shown)))
    drops = [
        Drop(subject=item_id, stage="filter", reason=f"P(relevant) 0.{n % 40:02d} is below 0.62")
        for n, item_id in enumerate(list(left)[:240])
    ]
    drops += [
        Drop(subject=item_id, stage="guard", reason="contains nuts, an allergen of this shopper")
        for item_id in list(left)[300:304]
    ]
    drops.append(Drop(subject="Nutty treats for all", stage="select", reason="too close to 'A slow Sunday breakfast'"))
    page = Page(
        shopper_id="maria",
        created_at=datetime(2026, 8, 15, 9, 12, tzinfo=UTC),
        sections=tuple(sections),
        drops=tuple(drops),
        usage={
            "rank": StageUsage(seconds=0.004),
            "plan": StageUsage(
                calls=1, input_tokens=2210, cached_tokens=1804, output_tokens=312, dollars=0.0031, seconds=3.1
            ),
            "describe": StageUsage(
                calls=6, input_tokens=9120, cached_tokens=7800, output_tokens=540, dollars=0.0102, seconds=6.4
            ),
            "retrieve": StageUsage(seconds=0.031),
            "filter": StageUsage(seconds=0.9),
            "guard": StageUsage(
                calls=6, input_tokens=6120, cached_tokens=5200, output_tokens=96, dollars=0.0060, seconds=2.2
            ),
        },
        provenance=Provenance(
            program="top-down 1.4 (champion)",
            lm="embedded/smollm2-135m-q4_0",
            catalog="sha256:9f2c81aa07b3d4e5",
            seed=7,
        ),
    )
    return page.model_copy(update=changes)


DEGRADED = (
    Degradation(stage="plan", reason="the model's answer could not be read twice; themes come from the library"),
)


def render(page: Page, items: dict[str, Item] | None = None, **changes: Any) -> str:
    said: dict[str, Any] = {"shopper": SHOPPER, "on": DAY, "occasion": "fourth birthday", **changes}
    return render_page_html(page, catalog() if items is None else items, **said)


def one_item_page(item: Item, **entry: Any) -> Page:
    said: dict[str, Any] = {
        "item_id": item.item_id,
        "title": item.title,
        "relevance": 0.5,
        "score": 1.0,
        **entry,
    }
    theme = Theme(concepts=("a", "b", "c"), title="A section")
    return demo_page(sections=(Section(theme=theme, items=(PageItem(**said),)),), drops=())


class Document(HTMLParser):
    """Every start tag with its attributes, every id and the visible text; nesting must be exact."""

    VOID = {"meta", "img", "br", "link", "input"}

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(markup)
        self.close()
        assert self.open == [], "unclosed tags"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(attrs) == len(dict(attrs)), f"repeated attribute on {tag}"
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def values(self, *names: str) -> list[str]:
        return [value or "" for _, attrs in self.tags for name, value in attrs.items() if name in names]


def test_every_section_and_item_is_shown_with_title_price_and_reason() -> None:
    page = demo_page()
    markup = render(page)
    document = Document(markup)
    for section in page.sections:
        assert section.theme.title in document.words
        assert section.theme.rationale in document.words
        for keyword in section.keywords:
            assert keyword in document.words
        for entry in section.items:
            assert f'title="{escape(entry.title)}"' in markup
            assert page_html.split_size(entry.title)[0] in document.words
            assert page_html.price_text(catalog()[entry.item_id]) in document.words
            assert entry.reason in document.words
            assert entry.item_id in document.words
    assert sum(tag == "li" and "card" in (attrs.get("class") or "") for tag, attrs in document.tags) == 48


def test_the_head_of_the_page_says_for_whom_when_and_by_what() -> None:
    words = Document(render(demo_page())).words
    said = (
        "maria",
        "two adults",
        "organic, vegetarian",
        "nuts, peanuts",
        "fourth birthday",
        "Saturday 15 August 2026",
    )
    made = ("top-down 1.4 (champion)", "embedded/smollm2-135m-q4_0", "9f2c81aa07b3", "2026-08-15 09:12 UTC")
    for part in said + made:
        assert part in words
    assert "9f2c81aa07b3d" not in words


def test_nothing_is_requested_from_elsewhere_but_the_pictures_of_items() -> None:
    page = demo_page()
    entry = page.sections[0].items[0]
    picture = "https://img.example/apple.png?a=1&b=2"
    items = catalog() | {entry.item_id: catalog()[entry.item_id].model_copy(update={"image_url": picture})}
    document = Document(render(page, items))
    assert {tag for tag, _ in document.tags} & {"script", "link", "iframe", "base", "form", "object"} == set()
    assert [value for value in document.values("src", "href", "srcset", "action") if value[0] != "#"] == [picture]
    assert all(not name.startswith("on") for _, attrs in document.tags for name in attrs)
    style = re.search(r"<style>(.*?)</style>", render(page), re.DOTALL)
    assert style and "url(" not in style[1] and "@import" not in style[1]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data: https:"
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": policy}) in document.tags


def test_anchors_and_labels_point_at_things_that_exist_once() -> None:
    document = Document(render(demo_page(degraded=DEGRADED)))
    ids = document.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in document.values("href")} <= set(ids)
    assert set(document.values("aria-labelledby")) <= set(ids)


def test_headings_are_in_order_and_pictures_have_words() -> None:
    document = Document(render(demo_page(degraded=DEGRADED)))
    levels = [int(tag[1]) for tag, _ in document.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    for tag, attrs in document.tags:
        if tag == "img":
            assert attrs.get("alt")
        if tag == "svg":
            assert attrs.get("aria-label") or attrs.get("aria-hidden") == "true"


HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)" x="',
    "' onerror='alert(1)",
    "</style><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "&lt;b&gt; &amp;amp;",
    "--></title><h1>",
)


def page_that_says(text: str) -> str:
    """Render a page on which every free text, wherever it comes from, is `text`."""
    diet = re.sub(r"\s+", "-", text.casefold())
    item = Item(item_id=text, title=text, brand=text, categories=(text,), attributes={"size": text}, price=1,
                dietary=frozenset({diet}), currency="<b>")  # fmt: skip
    theme = Theme(concepts=(text, text, text), title=text, rationale=text, objective=text)
    entry = PageItem(item_id=text, title=text, reason=text, relevance=0.5, score=1)
    page = Page(
        shopper_id=text,
        created_at=datetime(2026, 8, 15, tzinfo=UTC),
        sections=(Section(theme=theme, keywords=(text,), items=(entry,)),),
        drops=(Drop(subject=text, stage=text, reason=text), Drop(subject="x", stage="guard", reason=text)),
        degraded=(Degradation(stage=text, reason=text),),
        usage={text: StageUsage()},
        provenance=Provenance(program=text, lm=text, catalog=text, seed=1),
    )
    shopper = Shopper(
        shopper_id=text,
        household=text,
        diets=frozenset({text}),
        allergens=frozenset({text}),
        locale=text[:20],
    )
    return render_page_html(page, {text: item}, shopper=shopper, on=DAY, occasion=text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text_wherever_it_comes_from(text: str) -> None:
    markup = page_that_says(text)
    document, harmless = Document(markup), Document(page_that_says("abc"))
    assert [(tag, list(attrs)) for tag, attrs in document.tags] == [(tag, list(attrs)) for tag, attrs in harmless.tags]
    assert document.words.count(text) >= 20
    assert ("html", {"lang": "en"}) in document.tags


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://img.example/a.png", True),
        ("HTTP://img.example/a.png", True),
        ("data:image/png;base64,AAAA", True),
        ("javascript:alert(1)", False),
        (" java\nscript:alert(1)", False),
        ("data:text/html,<script>alert(1)</script>", False),
        ("//img.example/a.png", False),
        ("file:///etc/passwd", False),
        ("https:", False),
        ("", False),
    ],
)
def test_only_web_and_inline_pictures_are_shown_and_the_rest_is_drawn(address: str, shown: bool) -> None:
    item = Item(item_id="a", title="Gala apples", categories=("Fruit",), image_url=address)
    document = Document(render(one_item_page(item), {"a": item}))
    pictures = [attrs["src"] for tag, attrs in document.tags if tag == "img"]
    assert pictures == ([address.strip()] if shown else [])
    assert ("use" in {tag for tag, _ in document.tags}) is not shown
    policy = next(attrs["content"] or "" for _, attrs in document.tags if "http-equiv" in attrs)
    assert (" http:" in policy) is address.startswith("HTTP:")


def test_marks_that_reorder_text_and_control_characters_are_left_out() -> None:
    item = Item(item_id="a", title="Apples \u202egnp.exe\u2066\u2069\x1b[31m\x00 red")
    markup = render(one_item_page(item), {"a": item})
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", markup)
    assert "Apples gnp.exe [31m" in markup


def test_a_very_long_title_stays_whole_but_is_clamped() -> None:
    item = Item(item_id="a", title="x")
    title = "Apple" * 200
    markup = render(one_item_page(item, title=title), {"a": item})
    assert f'title="{title}">{title}</h3>' in markup
    assert re.search(r"\.card h3 \{[^}]*-webkit-line-clamp: 3", markup)


def test_the_banner_appears_exactly_when_a_step_was_taken_down() -> None:
    assert 'id="degraded"' not in render(demo_page())
    words = Document(render(demo_page(degraded=DEGRADED))).words
    assert "a simpler path in one step" in words
    assert DEGRADED[0].reason in words and "Planning the sections" in words


def test_drops_are_grouped_by_stage_and_capped_without_hiding_a_small_group() -> None:
    page = demo_page()
    document = Document(render(page))
    assert "Relevance gate dropped 240" in document.words
    assert "and 45 more" in document.words
    assert document.words.count("contains nuts, an allergen") == 4
    assert "Nutty treats for all" in document.words
    shown = sum(attrs.get("scope") == "row" for _, attrs in document.tags) - len(page.usage) - 1
    assert shown == page_html.DROP_ROWS
    assert document.words.index("Relevance gate") < document.words.index("Guardrails dropped")
    assert catalog()[page.drops[0].subject].title in document.words
    assert "Nothing was dropped." in Document(render(demo_page(drops=()))).words


def test_usage_is_a_table_in_stage_order_with_totals() -> None:
    words = Document(render(demo_page())).words
    table = words[words.index("Stage Calls") :]
    assert "plan 1 2,210 1,804 312 $0.0031 3.10" in table
    assert "retrieve 0 0 0 0 — 0.03" in table
    assert "Total 13 17,450 14,804 948 $0.0193 12.64" in table
    assert table.index("plan") < table.index("retrieve") < table.index("rank ")


def test_an_unknown_price_of_a_call_makes_the_total_unknown() -> None:
    paid, unknown = StageUsage(calls=1, dollars=0.5), StageUsage(calls=1)
    assert page_html.total_usage({"plan": paid, "rank": StageUsage()}).dollars == 0.5
    assert page_html.total_usage({"plan": paid, "guard": unknown}).dollars is None
    assert page_html.total_usage({}).dollars is None
    usage = {"plan": StageUsage(calls=3, failures=1)}
    assert "Total 3 (1 failed) 0 0 0 — 0.00" in Document(render(demo_page(usage=usage))).words
    assert "Total 1 0 0 0 — 0.00" in Document(render(demo_page(usage={"plan": unknown}))).words


def test_an_item_that_left_the_catalog_and_an_empty_page_still_render() -> None:
    document = Document(render(demo_page(), {}))
    assert sum("card" in (attrs.get("class") or "") for tag, attrs in document.tags if tag == "li") == 48
    assert "No section could be composed" in Document(render(demo_page(sections=(), drops=(), usage={}))).words


def test_two_renders_are_the_same_bytes() -> None:
    assert render(demo_page()) == render(demo_page())


@pytest.mark.parametrize(
    ("price", "currency", "text"),
    [
        (3.5, "USD", "$3.50"),
        (1234.5, "EUR", "€1,234.50"),
        (480, "JPY", "¥480"),
        (2, "CHF", "CHF\xa02.00"),
        (None, "USD", ""),
        (0, "GBP", "£0.00"),
    ],
)
def test_price_text(price: float | None, currency: str, text: str) -> None:
    assert page_html.price_text(Item(item_id="a", title="a", price=price, currency=currency)) == text


@pytest.mark.parametrize(
    ("title", "parts"),
    [
        ("Gala apples, 6 pack", ("Gala apples", "6 pack")),
        ("Rice, basmati, 2 x 500 g", ("Rice, basmati", "2 x 500 g")),
        ("Napkins, pack of 20", ("Napkins", "pack of 20")),
        ("Salt, pepper and oil", ("Salt, pepper and oil", "")),
        ("Bread", ("Bread", "")),
        ("", ("", "")),
    ],
)
def test_split_size(title: str, parts: tuple[str, str]) -> None:
    assert page_html.split_size(title) == parts


def test_chips_are_at_most_two_diets_that_this_shopper_keeps() -> None:
    item = Item(item_id="a", title="a", dietary=frozenset({"vegan", "vegetarian", "nut-free", "gluten-free", "halal"}))

    def chips(diets: Iterable[str], allergens: Iterable[str] = ()) -> list[str]:
        return page_html.dietary_chips(
            item, Shopper(shopper_id="s", diets=frozenset(diets), allergens=frozenset(allergens))
        )

    assert chips([]) == []
    assert chips(["Gluten free"], ["nuts", "peanuts"]) == ["gluten-free", "nut-free"]
    assert chips(["halal", "kosher", "vegan"], ["nuts"]) == ["halal", "vegan"]


@pytest.mark.parametrize(
    ("categories", "title", "name"),
    [
        (("Fruit", "Orchard fruit", "Apples & pears"), "Gala apples", "fruit"),
        (("Cat", "Treats & care", "Treats, toys & care"), "Salmon sticks", "pet"),
        (("Baby & toddler", "Milk & meals", "Formula & cereal"), "Oat cereal", "baby"),
        (("Frozen", "Ice cream", "Tubs"), "Vanilla", "icecream"),
        (("World foods", "East Asian", "Chinese"), "Dark soy sauce, 500 ml", "bottle"),
        (("Seasonal", "Diwali", "Lights"), "Marigold string", "party"),
        ((), "Cheddar", "cheese"),
        ((), "Qwerty", "basket"),
    ],
)
def test_the_drawing_follows_the_category_path_and_then_the_title(
    categories: tuple[str, ...], title: str, name: str
) -> None:
    assert pictograms.pictogram_for(Item(item_id="a", title=title, categories=categories)).name == name


def test_every_drawing_is_well_formed_and_reachable_by_some_word() -> None:
    assert len({drawing.svg for drawing in pictograms.PICTOGRAMS.values()}) == len(pictograms.PICTOGRAMS) >= 24
    for drawing in pictograms.PICTOGRAMS.values():
        assert drawing.tint in pictograms.TINTS
        classes = Document(drawing.svg).values("class")
        assert set(classes) <= {"p-a", "p-b", "p-c", "p-s", "p-h"}
    for department in ("Fruit", "Zubehör", ""):
        assert pictograms.tint_for(department) == pictograms.tint_for(department) in pictograms.TINTS
