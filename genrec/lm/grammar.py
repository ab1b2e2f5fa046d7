"""GBNF grammars for small models: what the decoder may write. Syntax: llama.cpp grammars/README.md."""

import json
from collections.abc import Sequence

from genrec.page import TITLE_LIMIT

LETTERS = "a-zA-Z0-9éèêñçüöäáíóúâîôÉ"
TITLE_CHARACTERS = f"{LETTERS} ',&-"
"""What a generated title may be written with; a first character is a capital or a digit."""

WORD_CHARACTERS = "a-z '&-"
"""And where numbers and commas stand beside it: else a small model starts the list inside the title."""


def ordered_subset(name: str, choices: Sequence[str], least: int, most: int) -> str:
    """Rules under `name` for `least` to `most` of `choices`, joined by ", ", in the given order, each at most once.

    A rule `name-i-k` means: k were chosen, the next is at position i or later. There are at most len(choices) * most
    rules of two alternatives each: choice i and then the rest, or the rest without it. Without choices: "". A choice
    may hold anything but control characters, whose escapes JSON and GBNF write differently.
    """
    if not choices:
        return f'{name} ::= ""'
    quoted = [json.dumps(choice, ensure_ascii=False) for choice in choices]
    rules = [f"{name} ::= {name}-0-0"]
    for taken in range(most):
        for at in range(taken, len(quoted)):
            left = len(quoted) - at - 1
            options = []
            if taken + 1 + left >= least:
                more = f'", " {name}-{at + 1}-{taken + 1}'
                if taken + 1 == most or not left:
                    options.append(quoted[at])
                else:
                    options.append(f"{quoted[at]} ({more})?" if taken + 1 >= least else f"{quoted[at]} {more}")
            if left and taken + left >= least:
                options.append(f"{name}-{at + 1}-{taken}")
            if options:
                rules.append(f"{name}-{at}-{taken} ::= {' | '.join(options)}")
    return "\n".join(rules)


def title_rule(name: str) -> str:
    """A title of 8 to TITLE_LIMIT characters that starts with a capital or a digit and ends in a letter or digit."""
    return f"{name} ::= [A-Z0-9] [{TITLE_CHARACTERS}]{{6,{TITLE_LIMIT - 2}}} [{LETTERS}]"


def themes_grammar(candidates: Sequence[str], count: int) -> str:
    """`count` lines of "four candidates | title"; fewer candidates than four are all taken."""
    picks = min(4, len(candidates))
    line = 'theme ::= pick " | " title'
    root = "root ::= theme" + ' "\\n" theme' * (count - 1)
    return "\n".join([root, line, ordered_subset("pick", candidates, picks, picks), title_rule("title")])


def subset_grammar(choices: Sequence[str], least: int, most: int) -> str:
    """One line: between `least` and `most` of the choices."""
    return "root ::= pick\n" + ordered_subset("pick", choices, min(least, len(choices)), min(most, len(choices)))


def numbers_grammar(highest: int) -> str:
    """One line: "none", or some of the numbers 1 to `highest` in ascending order."""
    if highest < 1:
        return 'root ::= "none"'
    numbers = [str(n) for n in range(1, highest + 1)]
    return 'root ::= "none" | pick\n' + ordered_subset("pick", numbers, 1, min(6, highest))


def page_grammar(lines: int, sections: int, size: int) -> str:
    """`sections` lines of "title | `size` numbers", all numbers of 1 to `lines` ascending from one section to the next.

    So no number comes twice on a page, and a section is of neighbours in the list. Where the list is too short for
    that, there are fewer numbers a section, then fewer sections. A rule `pick-i-k` means: k were taken, the next is at
    place i or later; there are at most `lines` - total + 1 of them for each k.
    """
    if lines < 1:
        return 'root ::= ""'
    sections = min(sections, lines)
    size = min(size, lines // sections)
    total = sections * size
    rules = ['root ::= title " | " pick-0-0', f"title ::= [A-Z] [{WORD_CHARACTERS}]{{6,{TITLE_LIMIT - 4}}} [a-z]"]
    for taken in range(total):
        last = lines - total + taken
        for at in range(taken, last + 1):
            if taken + 1 == total:
                option = f'"{at + 1}"'
            elif (taken + 1) % size:
                option = f'"{at + 1}, " pick-{at + 1}-{taken + 1}'
            else:
                option = f'"{at + 1}\\n" title " | " pick-{at + 1}-{taken + 1}'
            rules.append(f"pick-{at}-{taken} ::= {option}" + (f" | pick-{at + 1}-{taken}" if at < last else ""))
    return "\n".join(rules)
