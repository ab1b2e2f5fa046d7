"""What a page says, claim by claim, on a small shop: each fraction is worked out in the test."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.evaluation.groundedness import Groundedness, Unsupported, groundedness
from genrec.page import Objective, Page, PageItem, PageRequest, Provenance, Purchase, Section, Shopper, Theme
from genrec.programs.ranking import BlendRanker, Candidate
from tests.programs.small_shop import Compass

ON = date(2026, 11, 12)
ITEMS = (
    Item(
        item_id="tea",
        title="Black tea, 80 bags",
        description="A malty cup for breakfast.",
        categories=("Drinks", "Tea"),
        dietary=frozenset({"vegan"}),
        attributes={"origin": "Assam"},
        popularity=90,
    ),
    Item(item_id="coffee", title="Coffee beans, 1 kg", categories=("Drinks", "Coffee"), popularity=70),
    Item(item_id="oat", title="Oat drink, 1 l", categories=("Drinks",), dietary=frozenset({"vegan"}), popularity=80),
    Item(item_id="bone", title="Chew bone for dogs", categories=("Pets", "Dog"), popularity=10),
    Item(item_id="soap", title="Soap", categories=("Household", "Soap"), popularity=20),
    Item(item_id="lamp", title="Lamp", popularity=15),
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return Catalog.build(ITEMS, tmp_path_factory.mktemp("shop") / "index", Compass())


def shown(item_id: str, reason: str = "") -> PageItem:
    return PageItem(item_id=item_id, title=item_id, reason=reason, relevance=1, score=0)


def section(title: str, *items: PageItem | str, rationale: str = "") -> Section:
    theme = Theme(concepts=("malty tea", "strong coffee", "soap"), title=title, rationale=rationale)
    return Section(theme=theme, items=tuple(shown(i) if isinstance(i, str) else i for i in items))


def page_of(*sections: Section) -> Page:
    made = Provenance(program="p", lm="l", catalog="c", seed=0)
    return Page(shopper_id="ann", created_at=datetime(2026, 11, 12, tzinfo=UTC), sections=sections, provenance=made)


def request_of(occasion: str = "", objectives: Sequence[Objective] = (), on: date = ON, **shopper) -> PageRequest:
    someone = Shopper.model_validate({"shopper_id": "ann", **shopper})
    return PageRequest(shopper=someone, on=on, occasion=occasion, objectives=tuple(objectives))


def bought(item_id: str, at: date) -> Purchase:
    return Purchase(item_id=item_id, at=at)


def said(catalog: Catalog, title: str, *items: PageItem | str, **request) -> Groundedness:
    return groundedness(page_of(section(title, *items)), request_of(**request), catalog)


def test_shares_over_a_page_and_its_parts(catalog: Catalog) -> None:
    page = page_of(
        section("Malty tea and silver", shown("tea", "For malty tea"), rationale="A cup for the sailor."),
        section("Soap", shown("soap", "For lavender")),
    )
    score = groundedness(page, request_of(), catalog)
    # titles: malti, tea, not silver; soap. rationale: cup, not sailor. reasons: malty tea is a concept, lavender is not
    assert (score.titles, score.rationales, score.reasons) == (3 / 4, 1 / 2, 1 / 2)
    assert (score.value, score.claims) == (5 / 8, 8)
    assert score.unsupported == (
        Unsupported("title of 'Malty tea and silver'", "silver"),
        Unsupported("rationale of 'Malty tea and silver'", "sailor"),
        Unsupported("reason of soap", "For lavender"),
    )


class TestWords:
    @pytest.mark.parametrize("title", ["Easy ideas for every night", "Ready and good", "What you need for the week"])
    def test_framing_claims_nothing(self, catalog: Catalog, title: str) -> None:
        score = said(catalog, title, "tea")
        assert score.value is None and score.claims == 0 and score.unsupported == ()

    def test_any_field_of_an_item_supports(self, catalog: Catalog) -> None:
        assert said(catalog, "Assam breakfast drinks by origin", "tea").value == 4 / 4
        assert said(catalog, "Assam breakfast drinks by origin", "coffee").value == 1 / 4

    def test_only_the_items_of_the_section_support(self, catalog: Catalog) -> None:
        score = groundedness(
            page_of(section("Tea here", "coffee"), section("Coffee here", "tea")), request_of(), catalog
        )
        assert score.value == 0 / 2

    def test_a_word_counts_once_whatever_its_form(self, catalog: Catalog) -> None:
        assert said(catalog, "Lamps, lamp, a lamp, gold", "lamp").claims == 2

    @pytest.mark.parametrize(
        ("word", "facts"),
        [
            ("porridge", {"likes": ["porridge oats"]}),
            ("toddlers", {"household": "two adults, a toddler"}),
            ("children", {"household": "a son aged 7"}),
            ("marathon", {"note": "trains for a marathon"}),
            ("picnic", {"occasion": "picnic by the lake"}),
            ("christmas", {"on": date(2026, 12, 5)}),
            ("november", {}),
            ("autumn", {}),
            ("thrift", {"objectives": [Objective(name="thrift")]}),
            ("discover", {"objectives": [Objective(name="o", note="discover brands")]}),
            ("lamp", {"history": [bought("lamp", ON)]}),
            ("couple", {"household": "two adults"}),
        ],
    )
    def test_what_the_request_says_supports(self, catalog: Catalog, word: str, facts: dict) -> None:
        assert said(catalog, f"For {word}", "tea", **facts).value == 1
        assert said(catalog, f"For {word}", "tea", on=date(2026, 5, 1)).value == 0

    def test_what_is_not_wanted_or_not_at_home_supports_nothing(self, catalog: Catalog) -> None:
        assert said(catalog, "For liquorice", "tea", dislikes=["liquorice"]).value == 0
        assert said(catalog, "For children", "tea", household="no children").value == 0

    def test_a_purchase_after_the_page_supports_nothing(self, catalog: Catalog) -> None:
        assert said(catalog, "A lamp", "tea", history=[bought("lamp", date(2026, 11, 13))]).value == 0

    def test_a_reason_in_other_words_is_read_as_text(self, catalog: Catalog) -> None:
        score = said(catalog, "Ready", shown("tea", "Malty and golden"))
        assert score.value == score.reasons == 1 / 2
        assert score.unsupported == (Unsupported("reason of tea", "golden"),)


class TestClaimWords:
    def test_a_diet_is_kept_or_declared_by_every_item(self, catalog: Catalog) -> None:
        assert said(catalog, "Vegan cups", "tea", "oat").value == 2 / 2
        assert said(catalog, "Vegan cups", "tea", "coffee").unsupported[0].claim == "vegan"
        assert said(catalog, "Vegan cups", "tea", "coffee", diets=["vegan"]).value == 2 / 2
        assert said(catalog, "Vegan cups", "tea", "gone").unsupported[0].claim == "vegan"

    def test_a_diet_of_two_words_is_one_claim(self, catalog: Catalog) -> None:
        score = said(catalog, "Gluten-free tea", "tea")
        assert (score.value, score.unsupported[0].claim) == (1 / 2, "gluten-free")

    def test_a_dog_at_home_does_not_make_soap_a_dogs(self, catalog: Catalog) -> None:
        assert said(catalog, "For the dog", "soap", household="a dog").value == 0
        assert said(catalog, "For the dog", "bone").value == 1

    def test_a_phrase_needs_all_its_words(self, catalog: Catalog) -> None:
        assert said(catalog, "A family of four", "tea", household="family of four").value == 1
        assert said(catalog, "A family of four", "tea", household="family").value == 0

    def test_popular_needs_half_of_the_items_to_sell_well(self, catalog: Catalog) -> None:
        assert said(catalog, "Most popular", "tea", "soap").value == 1
        assert said(catalog, "What sells best here", "tea", "soap", "lamp").value == 0
        assert said(catalog, "Most popular", "tea", "gone").value == 0


class TestReasons:
    @pytest.mark.parametrize(
        ("item_id", "reason", "true"),
        [
            ("tea", "You bought it on 3 November", True),
            ("tea", "You bought it on 4 November", False),
            ("tea", "You bought it on 20 November", False),  # after the day of the page
            ("coffee", "You bought it on 3 November", False),  # the tea was
            ("coffee", "Close to your black tea", True),
            ("coffee", "Close to your Black tea, 80 bags", False),
            ("coffee", "Close to your soap", False),  # bought after the day of the page
            ("coffee", "For strong coffee", True),
            ("coffee", "For strong", False),
            ("tea", "Popular in Tea", True),
            ("tea", "Popular here", True),
            ("tea", "Popular in Coffee", False),
            ("coffee", "Popular in Coffee", False),  # rank 3/5
            ("coffee", "From coffee", True),
            ("coffee", "From Tea", False),
            ("lamp", "From Lamps", False),
            ("gone", "For strong coffee", False),
            ("gone", "You bought it on 5 November", False),
        ],
    )
    def test_each_form_is_checked_as_a_fact(self, catalog: Catalog, item_id: str, reason: str, true: bool) -> None:
        history = [
            bought("tea", date(2026, 11, 3)),
            bought("tea", date(2026, 11, 20)),
            bought("soap", date(2026, 11, 13)),
            bought("gone", date(2026, 11, 5)),
        ]
        score = said(catalog, "Ready", shown(item_id, reason), history=history)
        assert score.claims == 1 and score.reasons == score.value == float(true)
        assert score.unsupported == (() if true else (Unsupported(f"reason of {item_id}", reason),))

    def test_whatever_the_ranker_says_is_true(self, catalog: Catalog) -> None:
        history = [bought("tea", date(2026, 11, 3)), bought("soap", date(2025, 1, 9))]
        request = request_of(history=history)
        theme = section("Ready", "tea").theme
        found = [Candidate(item, 0.5, "strong coffee" if item.item_id == "bone" else "") for item in ITEMS]
        ranked = BlendRanker(catalog).rank(theme, found, request)
        score = groundedness(page_of(Section(theme=theme, items=tuple(ranked))), request, catalog)
        told = {item.item_id: item.reason for item in ranked}
        assert told["tea"] == "You bought it on 3 November" and told["soap"] == "You bought it on 9 January"
        assert told["coffee"].startswith(("Close to your", "From")) and told["bone"] == "For strong coffee"
        assert score.reasons == 1 and score.claims == sum(bool(reason) for reason in told.values())


class TestEdges:
    def test_a_page_that_says_nothing_has_no_score(self, catalog: Catalog) -> None:
        for page in (page_of(), page_of(section("Ready")), page_of(section("Ready", "tea"))):
            score = groundedness(page, request_of(), catalog)
            assert score == Groundedness(
                value=None, titles=None, rationales=None, reasons=None, claims=0, unsupported=()
            )

    def test_a_section_without_items_supports_nothing(self, catalog: Catalog) -> None:
        assert said(catalog, "Tea and vegan coffee").value == 0 / 3

    def test_an_unknown_item_supports_nothing(self, catalog: Catalog) -> None:
        assert said(catalog, "Gone tea", "gone").value == 0 / 2
        assert said(catalog, "Gone tea", "gone", "tea").value == 1 / 2

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        title=st.text(min_size=3, max_size=48),
        reasons=st.lists(st.text(max_size=30), max_size=4),
        note=st.text(max_size=40),
    )
    def test_odd_text_never_crashes(self, catalog: Catalog, title: str, reasons: list[str], note: str) -> None:
        items = [shown(item.item_id, reason) for item, reason in zip(ITEMS, reasons, strict=False)]
        score = said(catalog, title, *items, note=note)
        if score.claims:
            assert score.value == pytest.approx(1 - len(score.unsupported) / score.claims)
            assert 0 <= score.value <= 1
        else:
            assert score.value is None and not score.unsupported

    def test_more_items_never_unsupport_a_plain_word(self, catalog: Catalog) -> None:
        title = "Tea, coffee, soap and a lamp"
        values = [said(catalog, title, *[i.item_id for i in ITEMS[:n]]).value for n in range(len(ITEMS) + 1)]
        assert values == [0 / 4, 1 / 4, 2 / 4, 2 / 4, 2 / 4, 3 / 4, 4 / 4]
