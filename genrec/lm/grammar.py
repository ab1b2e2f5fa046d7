"""GBNF grammars for small models: what the decoder may write. Syntax: llama.cpp grammars/README.md."""

import json
from collections.abc import Sequence

from genrec.page import TITLE_LIMIT

TITLE_CHARACTERS = "a-zA-Z0-9 ',&éèêñçüöäáíóúâîôÉ-"
"""What a generated title may be written with; a first character is a capital or a digit."""


def ordered_subset(name: str, choices: Sequence[str], least: int, most: int) -> str:
    """Rules under `name` for `least` to `most` of `choices`, joined by ", ", in the given order, each at most once.

    A rule `name-i-k` means: k were chosen, the next is at position i or later. There are len(choices) * most rules.
    """
    quoted = [json.dumps(choice, ensure_ascii=False) for choice in choices]
    rules = [f"{name} ::= {name}-0-0"]
    for taken in range(most):
        for start in range(len(quoted)):
            options = []
            for at in range(start, len(quoted)):
                left = len(quoted) - at - 1
                ends = taken + 1 >= least
                goes_on = taken + 1 < most and left > 0 and taken + 1 + left >= least
                following = f'", " {name}-{at + 1}-{taken + 1}'
                if goes_on:
                    options.append(f"{quoted[at]} ({following})?" if ends else f"{quoted[at]} {following}")
                elif ends:
                    options.append(quoted[at])
            if options:
                rules.append(f"{name}-{start}-{taken} ::= {' | '.join(options)}")
    return "\n".join(rules)


def title_rule(name: str) -> str:
    """A title of 8 to TITLE_LIMIT characters that starts with a capital or a digit."""
    return f"{name} ::= [A-Z0-9] [{TITLE_CHARACTERS}]{{7,{TITLE_LIMIT - 1}}}"


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
    numbers = [str(n) for n in range(1, highest + 1)]
    return 'root ::= "none" | pick\n' + ordered_subset("pick", numbers, 1, min(6, highest))
