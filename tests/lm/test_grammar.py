"""Every string that a grammar allows reads back, takes candidates in order and each at most once."""

import random
import re
from collections.abc import Iterator

import dspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.lm.compact import CompactAdapter, listed
from genrec.lm.grammar import numbers_grammar, ordered_subset, subset_grammar, themes_grammar
from genrec.page import TITLE_LIMIT
from genrec.signatures import GuardrailCheck, ItemDescriber, ThemePlanner

phrases = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=12)


class Sampler:
    """Writes random sentences of a GBNF grammar: the part of the language that genrec uses."""

    TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|([a-z][a-z0-9-]*)|([()|?])|\{(\d+)(?:,(\d+))?\}|\s+')

    def __init__(self, grammar: str, seed: int) -> None:
        lines = [line.partition(" ::= ") for line in re.split(r"\n(?=[a-z0-9-]+ ::= )", grammar)]
        self.rules = {name: self._tokens(body) for name, _, body in lines}
        assert len(self.rules) == len(lines), "a rule is defined twice"
        self.random = random.Random(seed)

    def _tokens(self, body: str) -> list[re.Match[str]]:
        matches = list(self.TOKEN.finditer(body))
        assert "".join(m.group() for m in matches) == body, f"not GBNF: {body[:200]!r}"
        return [m for m in matches if m.group().strip()]

    def write(self, name: str = "root") -> str:
        return self._alternatives(iter(self.rules[name]))

    def _alternatives(self, tokens: Iterator[re.Match[str]]) -> str:
        """One of the alternatives up to the closing bracket or the end. All are written: rules must exist."""
        branches: list[list[str]] = [[]]
        for token in tokens:
            literal, characters, rule, mark, low, high = token.groups()
            if literal is not None:
                branches[-1].append(self._unescaped(literal))
            elif characters is not None:
                branches[-1].append(self.random.choice(self._members(characters)))
                last = characters
            elif rule:
                assert rule in self.rules, f"no rule {rule}"
                branches[-1].append(f"\0{rule}\0")
            elif low:
                count = self.random.randint(int(low), int(high or low))
                branches[-1][-1] = "".join(self.random.choice(self._members(last)) for _ in range(count))
            elif mark == "(":
                branches[-1].append(self._alternatives(tokens))
            elif mark == "?":
                branches[-1][-1] *= self.random.randint(0, 1)
            elif mark == "|":
                branches.append([])
            else:
                break
        text = "".join(self.random.choice(branches))
        return re.sub("\0([a-z0-9-]+)\0", lambda m: self.write(m.group(1)), text)

    @staticmethod
    def _members(characters: str) -> str:
        ranges = re.sub("(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), characters)
        return ranges

    @staticmethod
    def _unescaped(literal: str) -> str:
        plain = {"n": "\n", "t": "\t", "r": "\r"}
        return re.sub(
            r"\\(?:u([0-9a-f]{4})|(.))", lambda m: chr(int(m[1], 16)) if m[1] else plain.get(m[2], m[2]), literal
        )


def in_order(chosen: list[str], choices: list[str]) -> bool:
    left = iter(choices)
    return all(one in left for one in chosen)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 6), st.integers())
def test_subsets_keep_order_size_and_say_nothing_twice(size, least, most, seed):
    choices = [f"choice {n}" for n in range(size)]
    least, most = min(least, most, size), min(most, size)
    chosen = Sampler("root ::= pick\n" + ordered_subset("pick", choices, least, most), seed).write().split(", ")
    assert least <= len(chosen) <= most
    assert len(set(chosen)) == len(chosen)
    assert in_order(chosen, choices)


def test_every_subset_can_be_written():
    grammar = "root ::= pick\n" + ordered_subset("pick", ["a", "b", "c"], 1, 2)
    written = {Sampler(grammar, seed).write() for seed in range(300)}
    assert written == {"a", "b", "c", "a, b", "a, c", "b, c"}


@settings(max_examples=150, deadline=None)
@given(phrases, st.integers(1, 3), st.integers())
def test_themes_read_back(candidates, count, seed):
    choices = listed(candidates)
    text = Sampler(themes_grammar(choices, count), seed).write()
    if len(choices) < 3:
        with pytest.raises(dspy.utils.exceptions.AdapterParseError):
            CompactAdapter().parse(ThemePlanner, text)
        return
    themes = CompactAdapter().parse(ThemePlanner, text)["themes"]
    assert len(themes) == count
    for theme in themes:
        assert len(theme.concepts) == min(4, len(choices))
        assert in_order(list(theme.concepts), choices)
        assert 8 <= len(theme.title) <= TITLE_LIMIT
        assert theme.title[-1].isalnum()


@settings(max_examples=150, deadline=None)
@given(phrases, st.integers())
def test_descriptors_read_back(keywords, seed):
    choices = listed(keywords)
    text = Sampler(subset_grammar(choices, 4, 6), seed).write()
    chosen = list(CompactAdapter().parse(ItemDescriber, text)["descriptor"].keywords)
    assert min(4, len(choices)) <= len(chosen) <= min(6, len(choices))
    assert in_order(chosen, choices)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 30), st.integers())
def test_numbers_read_back(highest, seed):
    denied = CompactAdapter().parse(GuardrailCheck, Sampler(numbers_grammar(highest), seed).write())["deny"]
    assert denied == sorted(set(denied))
    assert all(1 <= number <= highest for number in denied)


def test_a_grammar_grows_with_its_candidates_and_not_with_their_square():
    small, large = (len(subset_grammar([f"candidate {n}" for n in range(size)], 4, 6)) for size in (100, 200))
    assert large < 2.3 * small
