"""Numbers of a title's form: what each counts, on titles where it can be counted by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.evaluation.title_form import form_features
from genrec.page import TITLE_LIMIT
from genrec.programs.library import shipped_themes
from tests.contracts.judge_contract import ODD

GOOD = "Soup and bread for grey evenings"


def number(name: str, title: str) -> float:
    return form_features(title)[name]


@pytest.mark.parametrize(
    ("name", "title", "value"),
    [
        ("length", "x" * TITLE_LIMIT, 1),
        ("length", "x" * (TITLE_LIMIT // 2), 1 / 2),
        ("words", "One-pot coconut dal", 3),
        ("words", "A baker’s dozen", 3),
        ("too long", "x" * TITLE_LIMIT, 0),
        ("too long", "x" * (TITLE_LIMIT + 1), 1),
        ("breaks off", GOOD, 0),
        ("breaks off", "Soup and bread for", 1),
        ("breaks off", "Soup, bread,", 1),
        ("breaks off", "Soup &", 1),
        ("breaks off", "Soup -", 1),
        ("capital", GOOD, 1),
        ("capital", GOOD.lower(), 0),
        ("commas", "Soup, bread, butter", 2),
        ("ands", "Soup and bread and butter", 2),
        ("repeats", "Soup and soup and more soup", 2),
        ("repeats", "More and more and more", 0),
        ("bare list", "Soup, bread and butter", 1),
        ("bare list", GOOD, 0),
        ("content share", "Soup and bread", 2 / 3),
        ("not letters", "Soup 42", 2 / 7),
        ("not letters", GOOD, 0),
        ("unknown words", "Soup of zzyzx", 1 / 2),
        ("unknown words", GOOD, 0),
        ("fragment", "Soup and bread for all of the grey eveni", 0),  # short enough to have been written so
        ("fragment", "Soup and bread for all of the long grey evenin", 1),
        ("fragment", "Soup and bread for all of the greyer evenings", 0),
    ],
)
def test_counted_by_hand(name: str, title: str, value: float) -> None:
    assert number(name, title) == pytest.approx(value)


class TestOrder:
    def test_the_words_of_a_phrase_in_another_order_are_odd(self) -> None:
        mixed = "For soup evenings and grey bread the"
        assert number("odd order", mixed) > number("odd order", GOOD)
        assert number("oddest order", mixed) > number("oddest order", GOOD)

    def test_titles_written_by_people_are_less_odd_than_their_words_backwards(self) -> None:
        titles = [theme.title for theme in shipped_themes() if len(theme.title.split()) > 4][:200]
        backwards = [" ".join(reversed(title.split())) for title in titles]
        less = sum(number("odd order", a) < number("odd order", b) for a, b in zip(titles, backwards, strict=True))
        assert less / len(titles) > 0.7, "measured: 0.765"

    def test_the_oddest_is_no_less_than_the_mean(self) -> None:
        for title in (GOOD, "Tea", "", "Of the in and for"):
            assert number("oddest order", title) >= number("odd order", title) >= 0

    def test_content_words_are_all_alike(self) -> None:
        assert number("odd order", GOOD) == number("odd order", "Ramen and tofu for slow Sundays")


class TestAnyText:
    @given(st.text(max_size=200))
    def test_finite_numbers_always_of_the_same_names(self, title: str) -> None:
        features = form_features(title)
        assert features.keys() == form_features(GOOD).keys()
        assert all(type(value) is float and math.isfinite(value) and value >= 0 for value in features.values())

    @pytest.mark.parametrize("text", ODD.values(), ids=ODD)
    def test_odd_text_too(self, text: str) -> None:
        assert all(math.isfinite(value) for value in form_features(text).values())

    def test_case_and_space_around_do_not_make_words(self) -> None:
        plain, shouted = form_features(GOOD), form_features(f"  {GOOD.upper()}  ")
        assert {n: plain[n] for n in ("words", "ands", "odd order", "bare list")} == {
            n: shouted[n] for n in ("words", "ands", "odd order", "bare list")
        }
