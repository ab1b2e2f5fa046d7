"""What the words of a section say about when and for whom it is, beside the day and the shopper: named numbers."""

import re
from collections.abc import Mapping

from genrec.page import PageRequest, Theme
from genrec.programs.library import SHOPPER_WORDS, household_tags, occasions_of
from genrec.programs.policy import normalise_allergen, normalise_diet
from genrec.programs.policy_terms import DIETS as DIET_RULES

SEASONS: Mapping[str, frozenset[int]] = {
    r"christmas|festive|advent|nativity": frozenset({11, 12}),
    r"thanksgiving": frozenset({11}),
    r"halloween|trick.or.treat": frozenset({10}),
    r"easter": frozenset({3, 4}),
    r"valentine\w*": frozenset({2}),
    r"hanukkah|chanukah": frozenset({11, 12}),
    r"diwali": frozenset({10, 11}),
    r"new year": frozenset({12, 1}),
    r"back.to.school": frozenset({8, 9}),
    r"summer|barbecues?|bbq|heatwaves?|beach|picnics?|sunshine": frozenset({5, 6, 7, 8, 9}),
    r"winter|snow(?! peas?\b)\w*|icy|frosty?|mulled": frozenset({11, 12, 1, 2}),
    r"spring(?! (?:rolls?|onions?|greens?|water)\b)": frozenset({3, 4, 5}),
    r"autumn\w*|bonfire": frozenset({9, 10, 11}),
    **{
        month: frozenset({n})
        for n, month in enumerate(
            "january february march april may june july august september october november december".split(), start=1
        )
        if month not in ("march", "may")
    },
}
"""Words that speak of a time of year, and the months they go with; what is also the name of goods does not count."""
HOUSEHOLD = ("newborn", "baby", "toddler", "children", "teenager", "dog", "cat", "small pet", "garden", "student")
DIETS = ("vegan", "vegetarian", "gluten-free", "dairy-free", "nut-free", "halal", "kosher", "low-carb", "pescatarian")


def season_features(request: PageRequest, title: str) -> dict[str, float]:
    """Whether a title speaks of the time of year, of another one, or of what the day is about."""
    text, month = title.lower(), request.on.month
    spoken = [months for word, months in SEASONS.items() if re.search(rf"\b(?:{word})\b", text)]
    return {
        "in season": float(any(month in months for months in spoken)),
        "out of season": float(any(month not in months for months in spoken)),
        "occasion": float(any(re.search(rf"\b{re.escape(name)}", text) for name in occasions_of(request))),
    }


def suitability_features(request: PageRequest, theme: Theme) -> dict[str, float]:
    """Whether a theme speaks of somebody at home or of others, of a diet that is kept or of others."""
    text = f"{theme.title} . {' . '.join(theme.concepts)}".lower()
    tags, diets = household_tags(request), kept_diets(request)
    spoken = {tag for tag in HOUSEHOLD if re.search(rf"\b(?:{SHOPPER_WORDS[tag]})", text)}
    in_title = {diet for diet in DIETS if diet in theme.title.lower()}
    return {
        "at home": float(bool(spoken & tags)),
        "not at home": float(bool(spoken - tags)),
        "diet kept": float(bool(in_title & diets)),
        "diet of others": float(bool(in_title - diets)),
        "keeps a diet": float(bool(diets or request.shopper.allergens)),
    }


def kept_diets(request: PageRequest) -> set[str]:
    """The diets that a shopper keeps by keeping others (a vegan keeps dairy-free) or by avoiding their allergens."""
    told = {normalise_diet(diet) for diet in request.shopper.diets}
    avoided = {name for allergen in request.shopper.allergens for name in normalise_allergen(allergen)}
    kept = {name for name, diet in DIET_RULES.items() if told & set(diet.implied_by)}
    return told | kept | {name for name, diet in DIET_RULES.items() if diet.allergens and diet.allergens <= avoided}
