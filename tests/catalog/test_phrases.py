from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.catalog.bm25 import BM25Index
from genrec.catalog.items import Item
from genrec.catalog.phrases import MIN_ITEMS, Phrase, PhraseCounter
from genrec.catalog.sample import catalog_path
from genrec.catalog.text import STOP_WORDS, item_text


def titled(*titles: str) -> list[Item]:
    return [Item(item_id=str(n), title=title) for n, title in enumerate(titles)]


def counted(items: Iterable[Item], cap: int = 1_000, *, table: int = 1_000_000) -> list[Phrase]:
    counter = PhraseCounter(cap, table=table)
    for item in items:
        counter.add(item)
    return counter.phrases()


def texts(items: Iterable[Item]) -> list[str]:
    return sorted(phrase.text for phrase in counted(items))


def assert_each_finds_enough(phrases: list[Phrase], items: Sequence[Item]) -> None:
    """Every phrase: lexical search finds all of its words in as many items as were counted, and those are enough."""
    if not phrases:
        return
    index = BM25Index.build([item_text(item) for item in items])

    @cache
    def holders(word: str) -> frozenset[int]:
        return frozenset(index.search(word, limit=len(items)).rows.tolist())

    for phrase in phrases:
        words = [word for word in phrase.text.split() if word not in STOP_WORDS]
        assert words, phrase
        assert len(frozenset.intersection(*map(holders, words))) >= phrase.items >= MIN_ITEMS, phrase


def test_the_most_frequent_phrase_comes_first_and_ties_are_alphabetical() -> None:
    assert counted(titled("Rye", "Rye", "Rye", "Rye", "Tea", "Tea", "Tea", "Ale", "Ale", "Ale", "Gin", "Gin")) == [
        ("rye", 4),
        ("ale", 3),
        ("tea", 3),
    ]
    assert counted([]) == []


def test_the_most_frequent_surface_stands_for_its_stems() -> None:
    assert counted(titled("Oat cookie", "Oat cookies", "Oat COOKIES", "Cookies")) == [
        ("cookies", 4),
        ("oat", 3),
        ("oat cookies", 3),
    ]


def test_sizes_numbers_stop_words_and_punctuation_bound_a_phrase() -> None:
    items = titled(*["Mac and cheese, 12 oz (family pack) 2% fat"] * 3)
    assert texts(items) == ["cheese", "family", "fat", "mac", "mac and cheese"]
    assert texts(titled(*["Salt & vinegar - sea_salt"] * 3)) == ["salt", "sea", "vinegar"]


def test_a_long_title_gives_phrases_of_three_words_and_a_category_of_four() -> None:
    items = [
        Item(item_id=str(n), title="T", categories=("Raw wild alder honey", "Raw wild alder tree honey")) for n in "abc"
    ]
    assert texts(items) == ["raw wild alder honey"]
    assert "alder tree honey" in texts(titled(*["Raw wild alder tree honey"] * 3))
    assert "raw wild alder tree" not in texts(titled(*["Raw wild alder tree honey"] * 3))


def test_categories_and_attribute_values_are_phrases() -> None:
    items = [Item(item_id=str(n), title="T", categories=("Pet care",), attributes={"a": "Gift wrap"}) for n in range(3)]
    assert texts(items) == ["gift wrap", "pet care"]


def test_an_item_counts_once_however_often_it_says_a_phrase() -> None:
    item = Item(item_id="1", title="Tea, teas, TEA", categories=("Tea",), attributes={"kind": "tea", "use": "teas"})
    assert counted([item]) == []
    assert counted([item] * 3) == [("tea", 3)]


def test_the_cap_keeps_the_most_frequent() -> None:
    items = titled(*["Rye"] * 4, *["Tea"] * 3, *["Ale"] * 3)
    assert counted(items, 2) == [("rye", 4), ("ale", 3)]


def test_letters_written_as_letter_and_accent_do_not_break_a_word() -> None:
    """A phrase that is no word of the item would find nothing."""
    items = titled(*["Cre\u0300me bru\u0302le\u0301e"] * 3)
    assert texts(items) == ["brulee", "creme", "creme brulee"]
    assert_each_finds_enough(counted(items), items)


_WORDS = st.sampled_from("oat oats cookie cookies the and of red Red free 12 oz x é e\u0301 İs - & , /".split())
_TEXT = st.lists(_WORDS, max_size=6).map(" ".join) | st.text(max_size=12)
_ITEMS = st.lists(
    st.builds(
        Item,
        item_id=st.just("1"),
        title=_TEXT.filter(bool),
        categories=st.lists(_TEXT, max_size=2).map(tuple),
        attributes=st.dictionaries(st.sampled_from("ab"), _TEXT, max_size=2),
    ),
    max_size=12,
)


@given(_ITEMS, st.integers(1, 30))
@settings(deadline=None)
def test_every_phrase_finds_as_many_items_as_it_was_counted_in(items: list[Item], table: int) -> None:
    items = items * 3
    assert_each_finds_enough(counted(items, table=table), items)


@given(st.lists(st.lists(st.sampled_from([f"w{c}x" for c in "abcdefghij"]), min_size=1, max_size=4), max_size=60))
@settings(deadline=None)
def test_a_full_table_loses_only_what_is_rare(titles: list[list[str]]) -> None:
    items = titled(*[", ".join(words) for words in titles])  # single words: no phrase crosses a comma
    true = Counter(word for words in titles for word in set(words))
    counter = PhraseCounter(table=4)
    for item in items:
        counter.add(item)
        assert len(counter._stems) <= 4
    found = dict(counter.phrases())
    for word, count in found.items():
        assert count <= true[word] <= count + counter.undercount
    assert {word for word, count in true.items() if count >= counter.undercount + MIN_ITEMS} <= set(found)


def test_a_table_that_was_never_full_counts_exactly() -> None:
    counter = PhraseCounter()
    for item in titled(*["Tea"] * 5):
        counter.add(item)
    assert counter.undercount == 0
    assert counter.phrases() == [("tea", 5)]


def test_every_phrase_of_the_sample_finds_enough_items() -> None:  # a real feed: test_real_feed.py
    items = [Item.model_validate_json(line) for line in catalog_path().open("rb")]
    phrases = counted(items, 300_000)
    assert len(phrases) > 1_000
    assert_each_finds_enough(phrases, items)
