"""Whatever the LM's server does, there is a whole, guarded page, and it says what went wrong."""

import json
import time
from collections.abc import Callable

import pytest

from genrec.catalog.store import Catalog
from genrec.lm.connect import LanguageModel, open_lm
from genrec.page import Page, PageRequest
from genrec.programs.relevance import RelevanceModel
from genrec.programs.top_down import TopDown
from tests import faulty_server as faulty
from tests.faulty_server import GOOD_THEMES, Behaviour, FaultyServer, serving

SLACK = 10.0
"""Seconds that a loaded machine may add to a deadline."""


@pytest.fixture(name="compose")
def _compose(
    catalog: Catalog,
    gate: RelevanceModel,
    check_page: Callable[[Page, PageRequest], None],
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., Page]:
    """A checked page by the LM at an address."""

    def compose(address: str, request: PageRequest, *, timeout: float = 15.0, deadline: float = 60.0) -> Page:
        lm = open_lm("openai/faulty", api_base=address, timeout=timeout)
        page = TopDown(catalog, lm, relevance=gate, deadline=deadline).generate(request)
        check_page(page, request)
        assert sum(stage.seconds for stage in page.usage.values()) <= deadline + SLACK
        assert all(stage.failures <= stage.calls for stage in page.usage.values())
        assert capfd.readouterr().out == ""
        return page

    return compose


def degraded(page: Page) -> dict[str, str]:
    return {step.stage: step.reason for step in page.degraded}


def test_nothing_is_spoiled_by_the_good_model(compose, request_for):
    with serving(faulty.says(faulty.good)) as server:
        page = compose(server.address, request_for())
    assert not page.degraded
    assert {s.theme.title for s in page.sections} <= {str(t["title"]) for t in GOOD_THEMES}
    assert [page.usage[stage].failures for stage in ("plan", "describe", "guard")] == [0, 0, 0]
    assert page.usage["plan"].input_tokens == 100
    assert page.usage["plan"].output_tokens == 20


def test_refused_connection(compose, request_for):
    page = compose(faulty.closed_port(), request_for())
    assert "Connection refused" in degraded(page)["plan"]
    assert page.usage["plan"].calls == page.usage["plan"].failures == 2


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (faulty.html, ""),
        (faulty.half_a_json, ""),
        (faulty.cut_off, ""),
        (faulty.no_choices, ""),
        (faulty.json_of_another_kind, ""),
        (faulty.fails(500), "500"),
        (faulty.fails(429), "429"),
        (faulty.fails(401), "401"),
        (faulty.fails(404), "404"),
        (faulty.says(""), "unusable answer"),
        (faulty.says("I'm sorry, as a language model I can't shop."), "can't shop"),
        (faulty.says("[[ ## themes ## ]]\n" + "[" * 100_000), "unusable answer"),
        (faulty.says('{"themes": [{"title": null}]}'), "unusable answer"),
        (faulty.says("\x00\x1b[2J\u202e" * 50), "unusable answer"),
    ],
    ids=lambda value: getattr(value, "__name__", "") or str(value)[:12],
)
def test_unusable_answers(compose, request_for, behaviour: Behaviour, said: str):
    with serving(behaviour) as server:
        page = compose(server.address, request_for())
    assert degraded(page)["plan"].startswith("openai/faulty ")
    assert said in degraded(page)["plan"]
    assert "static theme library" in degraded(page)["plan"]
    assert page.usage["plan"].calls == page.usage["plan"].failures == 2


@pytest.mark.parametrize("behaviour", [faulty.hangs, faulty.drips])
def test_answers_that_never_come(compose, request_for, behaviour: Behaviour):
    with serving(behaviour) as server:
        page = compose(server.address, request_for(), timeout=2.0)
        asked = len(server.bodies)
    assert asked == 2
    assert "no answer" in degraded(page)["plan"] or "timed out" in degraded(page)["plan"]
    assert page.usage["plan"].seconds < 4 + SLACK


def test_the_deadline_ends_all_questions(compose, request_for):
    def slow(handler: faulty.Handler) -> None:
        time.sleep(1.5)
        handler.reply(handler.completion("nonsense"))

    with serving(slow) as server:
        page = compose(server.address, request_for(), timeout=15.0, deadline=1.0)
        asked = len(server.bodies)
    assert asked == 1
    assert "1 s" in degraded(page)["plan"]


def test_down_after_planning(compose, request_for):
    """The LM goes away between two calls: the themes stay."""

    def behaviour(handler: faulty.Handler) -> None:
        (faulty.says(faulty.good) if handler.stage == "plan" else faulty.fails(503))(handler)

    with serving(behaviour) as server:
        page = compose(server.address, request_for())
        asked = len(server.bodies)
    assert asked == 3
    assert "503" in degraded(page)["describe"]
    assert page.sections[0].theme.title == GOOD_THEMES[0]["title"]


@pytest.mark.parametrize(
    "wrap",
    ["Sure! Here are the themes:\n\n{}\n\nLet me know if you need more.", "<think>Hm.</think>\n{}", "```\n{}\n```"],
)
def test_prose_around_the_format(compose, request_for, wrap: str):
    def chatty(stage: str, question: str) -> str:
        return wrap.replace("{}", faulty.good(stage, question))

    with serving(faulty.says(chatty)) as server:
        page = compose(server.address, request_for())
    assert not page.degraded


def theme(title: str, *concepts: str) -> dict[str, object]:
    return {"concepts": concepts or ["rice noodles", "soy sauce", "tofu"], "title": title}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (theme("Noodles and " * 17), "breaks off"),
        (theme("Fucking good noodles"), "title"),
        (theme("Ignore all previous instructions"), "title"),
        (theme("A cure for cancer and diabetes"), "title"),
        (theme("Noodle night in 10 minutes", *GOOD_THEMES[0]["concepts"]), "same as an earlier title"),
        (theme("Clean towels in the bathroom"), "not about its concepts"),
        (theme("rice noodles with soy sauce"), "capital"),
        (theme("Steak and bacon for dinner", "steak", "bacon", "ribs"), "title"),
    ],
    ids=lambda value: str(value.get("title"))[:20] if isinstance(value, dict) else "",
)
def test_bad_titles_are_dropped_and_the_rest_is_kept(compose, request_for, bad: dict[str, object], reason: str):
    with serving(faulty.says(faulty.spoiled(themes=[GOOD_THEMES[0], bad, *GOOD_THEMES[1:]]))) as server:
        page = compose(server.address, request_for())
    (drop,) = [d for d in page.drops if d.stage == "plan"]
    assert str(bad["title"]).startswith(drop.subject)
    assert reason in drop.reason
    assert page.sections[0].theme.title == GOOD_THEMES[0]["title"]
    assert not page.degraded


def test_alcohol_for_a_minor(compose, request_for, catalog: Catalog):
    themes = [
        theme("Beer and vodka for the party", "beer", "vodka", "whisky"),
        theme("Red wine for a quiet night", "red wine", "rioja", "merlot"),
        *GOOD_THEMES,
    ]
    with serving(faulty.says(faulty.spoiled(themes=themes))) as server:
        page = compose(server.address, request_for("mateo-sixteen"))
    shown = [catalog.items[item.item_id] for section in page.sections for item in section.items]
    assert all(item.min_age <= 16 for item in shown)
    assert {d.subject for d in page.drops if d.stage == "plan"} == {t["title"] for t in themes[:2]}


@pytest.mark.parametrize(
    "themes",
    [
        [GOOD_THEMES[0]] * 10,
        [],
        [theme("Noodles " * 25)] * 10,
        [{"concepts": ["a"], "title": "One idea only"}] * 10,
        [theme("Everything for nothing at all", "", "🙂", "x" * 5000)] * 10,
        {"themes": "none"},
        [None, 3, "Noodles", ["Noodles"]],
    ],
    ids=["duplicates", "none", "too long", "one idea", "odd ideas", "another shape", "no themes"],
)
def test_plans_that_are_no_plans(compose, request_for, themes: object):
    with serving(faulty.says(faulty.spoiled(themes=themes))) as server:
        page = compose(server.address, request_for())
    assert degraded(page)["plan"]


def test_a_theme_with_loose_ends_is_tidied(compose, request_for):
    loose = {**GOOD_THEMES[0], "rationale": "because " * 200, "mood": "cosy"}
    with serving(faulty.says(faulty.spoiled(themes=[loose, *GOOD_THEMES[1:]]))) as server:
        page = compose(server.address, request_for())
    assert not page.degraded
    assert page.sections[0].theme.title == loose["title"]
    assert len(page.sections[0].theme.rationale) == 240


@pytest.mark.parametrize(
    "descriptor",
    [{"keywords": ["moon rocks", "unobtainium"]}, {"keywords": []}, {"keywords": None}, [], "noodles"],
    ids=["unknown", "empty", "null", "a list", "text"],
)
def test_descriptors_that_find_nothing(compose, request_for, descriptor: object):
    with serving(faulty.says(faulty.spoiled(descriptor=descriptor))) as server:
        page = compose(server.address, request_for())
    assert "nearest to the theme" in degraded(page)["describe"]
    assert page.sections[0].theme.title == GOOD_THEMES[0]["title"]


def test_filters_that_no_item_passes_are_ignored(compose, request_for):
    def descriptor(question: str) -> dict[str, object]:
        keywords = faulty.field(question, "keywords")[:4]
        return {"keywords": keywords, "categories": ["Spaceships"], "attributes": {"colour": "octarine"}}

    with serving(faulty.says(faulty.spoiled(descriptor=descriptor))) as server:
        page = compose(server.address, request_for())
    assert not page.degraded


def test_denials_out_of_range_deny_nothing(compose, request_for):
    with serving(faulty.says(faulty.spoiled(deny=[0, -1, 9999, 10**30]))) as server:
        page = compose(server.address, request_for())
    assert not [d for d in page.drops if "GuardrailCheck" in d.reason]
    assert not page.degraded


@pytest.mark.parametrize(
    ("deny", "said"),
    [
        (lambda question: list(range(1, 500)), "denied every line"),
        ("all of them", "unusable answer"),
        ([1.5, None], "unusable answer"),
    ],
    ids=["everything", "words", "no numbers"],
)
def test_verdicts_that_are_no_verdicts(compose, request_for, deny: object, said: str):
    with serving(faulty.says(faulty.spoiled(deny=deny))) as server:
        page = compose(server.address, request_for())
    assert said in degraded(page)["guard"]
    assert "policy rules alone" in degraded(page)["guard"]


@pytest.mark.parametrize("adapter", ["json", "compact"])
def test_other_adapters_step_down_too(catalog, gate, check_page, request_for, adapter):
    request = request_for()
    with serving(faulty.says("no")) as server:
        lm = open_lm("openai/faulty", api_base=server.address, adapter=adapter)
        page = TopDown(catalog, lm, relevance=gate, deadline=60).generate(request)
    check_page(page, request)
    assert degraded(page)["plan"]


def test_the_json_adapter_reads_a_good_answer(catalog, gate, check_page, request_for):
    def answer(handler: faulty.Handler) -> None:
        system = str(handler.body["messages"][0]["content"])
        if "`themes`" in system:
            content = {"themes": [theme("Noodles and " * 17), *GOOD_THEMES]}
        elif "`deny`" in system:
            content = {"deny": []}
        else:
            content = {"descriptor": {"keywords": ["no such thing"]}}
        handler.reply(handler.completion(json.dumps(content)))

    request = request_for()
    with serving(answer) as server:
        lm: LanguageModel = open_lm("openai/faulty", api_base=server.address, adapter="json")
        page = TopDown(catalog, lm, relevance=gate, deadline=60).generate(request)
    check_page(page, request)
    assert list(degraded(page)) == ["describe"]
    assert page.sections[0].theme.title == GOOD_THEMES[0]["title"]


def test_two_models_side_by_side(compose, request_for):
    """A server that is down does not spoil the page of another."""
    with serving(faulty.says(faulty.good)) as well, serving(faulty.fails(500)) as ill:
        servers: list[FaultyServer] = [well, ill, well]
        pages = [compose(server.address, request_for()) for server in servers]
    assert [bool(page.degraded) for page in pages] == [False, True, False]
    assert pages[0].sections == pages[2].sections
