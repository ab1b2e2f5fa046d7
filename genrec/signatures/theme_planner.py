"""What the LM is asked first: themes for one shopper's page."""

import dspy

from genrec.page import Theme


class ThemePlanner(dspy.Signature):
    """Plan one shopper's page: ordered themed sections, each a shopping intent of its own.

    A theme is four or so product ideas that belong together and a title that says what they are for. Write the title
    after the ideas: at most 48 characters, sentence case, a concrete intent ("Porridge toppers for grey mornings"),
    never a department, never a claim the facts do not support. Prefer the candidates; go beyond them only for a better
    fit. Respect every diet, allergy and age. Themes must differ from each other and from those in `avoid`.
    """

    shopper: str = dspy.InputField(desc="facts about the shopper and the day, joined by semicolons")
    candidates: list[str] = dspy.InputField(desc="product ideas that are in season, allowed and in the catalog")
    avoid: list[str] = dspy.InputField(desc="titles that are on the page already")
    count: int = dspy.InputField(desc="how many themes, at least 1")
    themes: list[Theme] = dspy.OutputField(desc="exactly `count`, most wanted first")
