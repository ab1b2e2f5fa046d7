import threading

from hypothesis import given
from hypothesis import strategies as st

from genrec.catalog.items import Item
from genrec.catalog.text import DENSE_WORDS, item_dense_text, item_text, tokenize, words


def test_words_are_lower_case_without_accents_and_apostrophes() -> None:
    assert words("Kellogg's CRÈME Brûlée – ½ off, ﬁsh & 2%") == [
        "kelloggs", "creme", "brulee", "1", "2", "off", "fish", "2",
    ]  # fmt: skip


def test_inflections_meet_in_one_stem() -> None:
    assert tokenize("cookies") == tokenize("Cookie")
    assert tokenize("Ben & Jerry’s") == tokenize("ben jerrys")


def test_stop_words_are_left_out_but_meaning_stays() -> None:
    assert tokenize("the best of the bread") == ["best", "bread"]
    assert tokenize("no sugar") == ["no", "sugar"]
    assert tokenize("the of and") == []


def test_text_without_words_has_no_tokens() -> None:
    assert tokenize("") == tokenize("🍕 !!! \u200b") == []


def test_very_long_text_is_read_whole() -> None:
    assert tokenize("a" * 10_000) == ["a" * 10_000]
    assert len(tokenize("bread " * 10_000)) == 10_000


@given(st.text())
def test_any_text_gives_tokens_that_are_stable(text: str) -> None:
    assert tokenize(text) == tokenize(text)
    assert all(token and not token.isspace() for token in tokenize(text))


def test_threads_do_not_disturb_each_other() -> None:
    plurals = [f"{a}{b}ings" for a in "bcdfghjklm" for b in ("ake", "oat", "ill", "um")]
    expected = [tokenize(word) for word in plurals]
    results: list[list[list[str]]] = []
    threads = [threading.Thread(target=lambda: results.append([tokenize(w) for w in plurals])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_lexical_text_has_every_field_that_is_searched() -> None:
    item = Item(item_id="1", title="T", brand="B", categories=("R", "L"), attributes={"n": "V"}, description="D")
    assert item_text(item).split() == ["T", "B", "R", "L", "V", "D"]


def test_dense_text_is_title_leaf_and_whole_sentences() -> None:
    item = Item(item_id="1", title="Rye loaf", categories=("Bakery", "Sourdough"), description="Dense. Tangy!")
    assert item_dense_text(item) == "Rye loaf. Sourdough. Dense. Tangy!"


def test_dense_text_does_not_repeat_the_leaf_and_stays_short() -> None:
    item = Item(item_id="1", title="Sourdough loaf", categories=("Sourdough",), description="word " * 100 + ". End.")
    assert item_dense_text(item) == "Sourdough loaf"
    long = Item(item_id="1", title="word " * 50, description="more")
    assert len(item_dense_text(long).split()) == DENSE_WORDS
