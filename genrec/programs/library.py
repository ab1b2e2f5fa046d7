"""The static theme library: intents written by people, and when each of them fits. What shops do without an LM."""

import calendar
import re
from collections.abc import Container, Sequence
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files

from dateutil.easter import easter
from pydantic import BaseModel, ConfigDict

from genrec.catalog.store import Catalog
from genrec.page import PageRequest
from genrec.programs.policy import normalise_diet

EVERYDAY = frozenset({"weeknight", "movie night", "brunch", "dinner party"})
"""Occasions that any week holds, so that their themes need no invitation."""

SHOPPER_WORDS = {
    "newborn": r"newborn|new baby|weeks? old|months? old",
    "baby": r"bab(y|ies)|infant|newborn|months? old",
    "toddler": r"toddler",
    "children": r"child(?:ren)?\b|kids?\b|boys?\b|girls?\b|sons?\b|daughters?\b|grandchild(?:ren)?\b",
    "teenager": r"teen(?:s|age|agers?)?\b",
    "dog": r"dogs?\b|puppy|labrador|terrier|spaniel",
    "cat": r"cats?\b|kitten",
    "small pet": r"rabbit|guinea pig|hamster|budgie|goldfish|parrot|birds?\b",
    "garden": r"garden|allotment|balcony|veranda",
    "student": r"student|dorm|college|university",
    "couple": r"couple|husband|wife|partner|two adults|2 adults",
    "single": r"single|alone|one adult|1 adult|lives by (?:him|her|them)sel",
    "family": r"famil|parents|children|kids\b|household of [3-9]",
    "older": r"retired|elderly|older (?:couple|man|woman|people)|grandmother|grandfather|65\+|pension",
    "athlete": r"athlete|runner|gym\b|training|triathl|cycling|cyclist|marathon|lifts weights",
}

AGES = re.compile(r"\baged (\d+(?:(?:, | and )\d+)*)\b(?! *months?\b)")
"""Ages in years: "sons aged 7, 11 and 14"."""
TAG_OF_AGE = {"toddler": range(1, 3), "teenager": range(13, 20), "older": range(60, 131)}
OLDER = 65
NOT_AT_HOME = re.compile(
    r"\b(?:no|without|grown[- ]up|adult) (?:child(?:ren)?|kids?|sons?|daughters?|bab(?:y|ies)|dogs?|cats?|garden)\b"
    r"|\bchild-?free\b|\bhot dogs?\b"
)
"""Phrases that name a tag's word and mean that it does not apply."""


class LibraryTheme(BaseModel):
    """One line of themes.jsonl; docs/themes.md explains the tags."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    concepts: tuple[str, ...]
    rationale: str
    months: frozenset[int]
    occasions: frozenset[str]
    diets: frozenset[str]
    household: frozenset[str]
    objectives: frozenset[str]
    not_for: frozenset[str]


@lru_cache(maxsize=1)
def shipped_themes() -> tuple[LibraryTheme, ...]:
    """The themes of themes.jsonl, in file order."""
    text = files("genrec.programs").joinpath("themes.jsonl").read_text(encoding="utf-8")
    return tuple(LibraryTheme.model_validate_json(line) for line in text.splitlines())


class KnownWords(Container[str]):
    """Stems that people used in titles, and those of a catalog's titles. A small model also invents words."""

    def __init__(self, catalog: Catalog) -> None:
        """Know the words of `catalog` too."""
        self._written = frozenset(files("genrec.programs").joinpath("title_words.txt").read_text("utf-8").split())
        self._catalog = catalog

    def __contains__(self, stem: object) -> bool:
        """Whether anybody has used the word."""
        return stem in self._written or stem in self._catalog.title_stems


def occasions_of(request: PageRequest) -> frozenset[str]:
    """The occasion asked for and, on a page without one, what the calendar brings up for everyone."""
    asked = " ".join(request.occasion.lower().replace("’", "'").split())
    if asked:
        known = {name for theme in shipped_themes() for name in theme.occasions if name in asked}
        birthday_of_a_child = "birthday" in known and re.search(r"\bchild|\bkid|\bson\b|daughter", asked)
        return frozenset({asked, *known, *(["children's birthday"] if birthday_of_a_child else [])})
    on = request.on
    thanksgiving = [d for d in calendar.Calendar().itermonthdates(on.year, 11) if d.month == 11 and d.weekday() == 3][3]
    spans = {
        "thanksgiving": (thanksgiving - timedelta(days=16), thanksgiving),
        "christmas": (date(on.year, 12, 1), date(on.year, 12, 25)),
        "halloween": (date(on.year, 10, 12), date(on.year, 10, 31)),
        "valentine's day": (date(on.year, 2, 3), date(on.year, 2, 14)),
        "easter": (easter(on.year) - timedelta(days=14), easter(on.year)),
        "back to school": (date(on.year, 8, 10), date(on.year, 9, 7)),
        "barbecue": (date(on.year, 6, 1), date(on.year, 8, 31)),
        "picnic": (date(on.year, 6, 1), date(on.year, 8, 31)),
    }
    observed = {normalise_diet(diet) for diet in request.shopper.diets} & {"halal", "kosher"}
    skipped = {"christmas", "easter", "halloween", "valentine's day"} if observed else set()
    if "us" not in re.split("[-_]", request.shopper.locale.lower())[1:]:
        skipped.add("thanksgiving")
    return frozenset(name for name, (first, last) in spans.items() if first <= on <= last and name not in skipped)


def household_tags(request: PageRequest) -> frozenset[str]:
    """Which kinds of household the shopper's household and note name, and the age."""
    shopper = request.shopper
    words = NOT_AT_HOME.sub(" ", f"{shopper.household} . {shopper.note}".lower())
    found = {tag for tag, pattern in SHOPPER_WORDS.items() if re.search(rf"\b(?:{pattern})", words)}
    ages = [int(age) for listed in AGES.findall(words) for age in re.findall(r"\d+", listed)]
    found |= {tag for tag, years in TAG_OF_AGE.items() if any(age in years for age in ages)}
    if shopper.age is not None and shopper.age < 18:
        found.add("teenager")
    if shopper.age is not None and shopper.age >= OLDER:
        found.add("older")
    if found & {"baby", "children", "teenager", "family"}:
        found -= {"single", "couple"}
    return frozenset(found)


def excluded_tags(request: PageRequest) -> frozenset[str]:
    """Which `not_for` tags apply."""
    shopper, occasion = request.shopper, request.occasion.lower()
    tags = set()
    if shopper.age is not None and shopper.age < 18:
        tags.add("minor")
    if re.search(r"child|kid|school|baby|toddler", occasion):
        tags.add("child's occasion")
    if re.search(r"pregnan|expecting", f"{shopper.household} {shopper.note}".lower()):
        tags.add("pregnant")
    return frozenset(tags)


def fitting(
    themes: Sequence[LibraryTheme], request: PageRequest, *, required_diets: frozenset[str]
) -> list[LibraryTheme]:
    """The themes that may be shown on this page, in their order: season, occasion, diets, household, age."""
    occasions, household, excluded = occasions_of(request), household_tags(request), excluded_tags(request)
    chosen = []
    for theme in themes:
        in_season = not theme.months or request.on.month in theme.months
        asked_for = not theme.occasions or bool(theme.occasions & (occasions | EVERYDAY))
        at_home = not theme.household or bool(theme.household & household)
        if in_season and asked_for and at_home and required_diets <= theme.diets and not theme.not_for & excluded:
            chosen.append(theme)
    return chosen
