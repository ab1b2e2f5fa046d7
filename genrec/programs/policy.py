"""Rules that run before any LM check: what may not be shown, and why. The words are in policy_terms.py.

What a shop declares beats what words suggest; where nothing is declared, a doubtful item is denied.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from genrec.catalog.items import Item
from genrec.page import TITLE_LIMIT, PageRequest
from genrec.programs import policy_terms as terms
from genrec.programs.policy_terms import (
    DIETS,
    NO_CLAIM,
    TRACES,
    Diet,
    Lexicon,
    Pairing,
    Substance,
    affirmed,
    composition,
    evidence,
    first,
    is_food,
    names,
    tokens,
)

HARD = frozenset(DIETS)
PREFERENCES = frozenset({"low-carb", "organic", "high-protein"})


class Verdict(NamedTuple):
    """Whether something may be shown; `rule` and `reason` are empty when it may."""

    item_id: str
    allowed: bool
    rule: str
    reason: str


class Policy(Protocol):
    """Decides what may be shown."""

    def check(self, request: PageRequest, title: str, items: Sequence[Item]) -> list[Verdict]:
        """One verdict an item, in order, for a section of this title; never raises on odd text."""
        ...


class ShopPolicy:
    """The rules below; the first that objects decides.

    `declares_diets` says whether the part of the catalog that an item is in declares diets: there a missing
    tag is a no. `catalog_diets` names diets that the catalog declares: one that genrec has no words for is
    enforced where it is declared (there, or by an item of the call) and is a mere preference elsewhere.
    """

    def __init__(
        self, declares_diets: Callable[[Item], bool] = lambda item: False, catalog_diets: Iterable[str] = ()
    ) -> None:
        self._declares_diets = declares_diets
        self._catalog_diets = frozenset(map(_tag, catalog_diets))

    def check(self, request: PageRequest, title: str, items: Sequence[Item]) -> list[Verdict]:
        """One verdict an item, in order; never raises on odd text."""
        shopper = request.shopper
        declared = self._catalog_diets.union(*(map(_tag, item.dietary) for item in items))
        diets = sorted({normalise_diet(diet) for diet in shopper.diets} - PREFERENCES)
        avoided = {*shopper.allergens, *noted_allergens(shopper.note)}
        disliked, pairings = dislikes(shopper.dislikes), active_pairings(request, title)
        rules: tuple[tuple[str, Callable[[Item], str]], ...] = (
            ("stock", stock),
            ("age", lambda item: age(item, shopper.age)),
            ("allergen", lambda item: allergen(item, avoided)),
            ("diet", lambda item: first(self._keeps(item, diet, declared) for diet in diets)),
            ("dislike", lambda item: dislike(item, disliked)),
            ("pairing", lambda item: pairing(item, pairings)),
        )
        return [_verdict(item.item_id, ((name, rule(item)) for name, rule in rules)) for item in items]

    def _keeps(self, item: Item, diet: str, declared: frozenset[str]) -> str:
        if diet in HARD:
            closed = (diet != "pescatarian" or diet in declared) and self._declares_diets(item)
        else:
            closed = diet in declared
        return keeps_diet(item, diet, closed=closed)


def check_title(title: str, request: PageRequest) -> Verdict:
    """Whether a section may have this title; `item_id` of the verdict is the title."""
    shopper = request.shopper
    diets = [DIETS[name] for name in map(normalise_diet, sorted(shopper.diets)) if name in DIETS]
    allergens = {*shopper.allergens, *noted_allergens(shopper.note)}
    avoided = [terms.ALLERGENS[name] for name in _allergens(allergens) if name in terms.ALLERGENS]
    limits = [g for g, limit in terms.AGE_LIMITS.items() if shopper.age is not None and shopper.age < limit]
    unfit = [g for p in active_pairings(request, title) for g in p.goods if g in terms.GOODS]
    found = (
        ("form", _malformed(title)),
        ("injection", _matched(terms.INJECTION, title)),
        ("unsafe", terms.UNSAFE.find(title)),
        ("promise", _matched(terms.PROMISES, title)),
        ("age", first(affirmed(terms.GOODS[goods], title, usual=False) for goods in limits)),
        ("diet", first(affirmed(s, title, diet.claims, usual=False) for diet in diets for s in diet.avoids)),
        ("allergen", first(affirmed(substance, title, usual=False) for substance in avoided)),
        ("dislike", first(lexicon.find(title) for lexicon in dislikes(shopper.dislikes))),
        ("pairing", first(affirmed(terms.GOODS[goods], title, usual=False) for goods in unfit)),
    )
    return _verdict(title, found)


def normalise_diet(name: str) -> str:
    """Give the diet that a shopper's word asks for; the stricter one where a word is loose."""
    tag = _tag(name)
    return terms.DIET_WISHES.get(tag, tag)


def normalise_allergen(name: str, *, declared: bool = False) -> frozenset[str]:
    """Give the EU names of an allergen: "shellfish" is two, a shopper's "nuts" is peanuts too, an item's not.

    A longer text gives every allergen that it names; a word that names none is an allergen of its own.
    """
    words = " ".join(tokens(name))
    if not declared and words in ("nut", "nut allergy"):
        return frozenset({"nuts", "peanuts"})
    if words in terms.ALLERGEN_NAMES:
        return terms.ALLERGEN_NAMES[words]
    named = {eu for alias, names in terms.ALLERGEN_NAMES.items() if alias in words.split() for eu in names}
    named |= {eu for eu, substance in terms.ALLERGENS.items() if substance.named.find(name)}
    return frozenset(named) or frozenset({words} - {""})


def noted_allergens(note: str) -> frozenset[str]:
    """Give the allergens that a shopper's note names where it speaks of allergy, intolerance or coeliacs."""
    told = (match.group() for match in terms.ALLERGIC.finditer(note))
    named = {name for part in told for name in normalise_allergen(part) if name in terms.ALLERGENS}
    return frozenset(named | ({"peanuts"} if "nuts" in named else set()))


# The rules, each on its own: the reason to deny, or "".


def stock(item: Item) -> str:
    """Deny what is sold out."""
    return "" if item.in_stock else "out of stock"


def age(item: Item, years: int | None) -> str:
    """Deny by the declared age or, without one, by what the item is; an unknown age is an adult's."""
    if years is None:
        return ""
    if least := _least_age(item):
        return f"for {least} and over" if years < least else ""
    limits = ((goods, limit) for goods, limit in terms.AGE_LIMITS.items() if years < limit)
    return first(f"{goods} is for {limit} and over: {word}" for goods, limit in limits if (word := names(item, goods)))


def allergen(item: Item, avoided: Iterable[str]) -> str:
    """Deny an allergen that is declared, traced ("may contain") or, with none declared, suggested."""
    wanted = _allergens(avoided)
    if not wanted:
        return ""
    declared = {name for text in item.allergens for name in normalise_allergen(text, declared=True)}
    traces = " . ".join(TRACES.findall(item.description))
    free = {name for tag in map(_tag, item.dietary) if tag in DIETS for name in DIETS[tag].allergens}
    for name in wanted:
        substance = terms.ALLERGENS.get(name) or Substance(Lexicon(name), NO_CLAIM, NO_CLAIM)
        if name in declared:
            return f"contains {name}"
        if substance.named.find(traces):
            return f"may contain {name}"
        silent = not declared - {"none"} and name not in free and is_food(item)
        if silent and (word := evidence(item, [substance])):
            return f"may contain {name}, to judge by its words: {word}"
    return ""


def keeps_diet(item: Item, diet: str, *, closed: bool) -> str:
    """Deny by declared allergens, by a missing tag where tags are complete (`closed`), else by words."""
    known = DIETS.get(diet, Diet())
    if not is_food(item):
        return ""
    declared = {name for text in item.allergens for name in normalise_allergen(text, declared=True)}
    if against := sorted(known.allergens & declared):
        return f"not {diet}: contains {against[0]}"
    if {diet, *known.implied_by} & set(map(_tag, item.dietary)):
        return ""
    if closed:
        return f"not declared {diet}"
    if declared and known.allergens and diet.endswith("-free"):
        return ""
    avoided = known.avoids + known.uncertified
    word = known.denials.find(item.description) or evidence(item, avoided, known.claims)
    return f"not {diet}, to judge by its words: {word}" if word else ""


def dislikes(texts: Iterable[str]) -> list[Lexicon]:
    """Make dislikes findable; a kind (fish, meat, shellfish) stands for its members."""
    parts = [p.replace("'", "") for text in texts for p in re.split(r"[,;/]|\b(?:and|or)\b", text[:300].lower())]
    phrases = [re.sub(r"^\s*(?:(?:no|any|all|the|i|hate|dont|like)\s+)+", "", part) for part in parts]
    kinds = [terms.KINDS[kind] for p in phrases if (kind := " ".join(tokens(p))) in terms.KINDS]
    return [*map(_disliked, phrases), *kinds]


def dislike(item: Item, disliked: Iterable[Lexicon]) -> str:
    """Deny a disliked thing in the title, the leaf category or what is inside; a food only in food."""
    texts = [item.title]
    if is_food(item):
        texts.append(composition(item.description))
    elif not terms.INGESTED.search(_labels(item)):
        disliked = [lexicon for lexicon in disliked if not terms.FOODS.find(lexicon.terms)]
    found = (lexicon.find(text) for lexicon in disliked for text in texts)
    word = first(found) or first(lexicon.find(item.leaf) for lexicon in disliked if not lexicon.safely(item.title))
    return f"disliked: {word}" if word else ""


def active_pairings(request: PageRequest, title: str) -> list[Pairing]:
    """Select the pairings that this page or section title sets off."""
    said = {"occasion": request.occasion, "title": title}
    return [p for p in terms.PAIRINGS if any(p.when.find(said[place]) for place in p.where)]


def pairing(item: Item, pairings: Iterable[Pairing]) -> str:
    """Deny goods that do not go with the occasion or the title."""
    for pair in pairings:
        if pair.adults_only and _least_age(item) >= terms.ADULT:
            return f"{pair.name}: for {_least_age(item)} and over"
        if "human food" in pair.goods and is_food(item) and not terms.PET.find(_labels(item)):
            return f"{pair.name}: food for people"
        if word := first(names(item, goods) for goods in pair.goods if goods in terms.GOODS):
            return f"{pair.name}: {word}"
    return ""


# Small helpers.


def _malformed(title: str) -> str:
    if len(title.strip()) < 3 or len(title) > TITLE_LIMIT:
        return f"not 3 to {TITLE_LIMIT} characters"
    if any(terms.is_odd(c) for c in title) or terms.STACKED_ACCENTS.search(title):
        return "control, styled or markup characters"
    return "" if sum(c.isalpha() for c in title) >= 2 else "no words"


def _matched(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text[: 2 * TITLE_LIMIT])
    return match.group() if match else ""


def _allergens(texts: Iterable[str]) -> list[str]:
    return sorted({name for text in texts for name in normalise_allergen(text)})


@lru_cache(maxsize=1_000)
def _disliked(phrase: str) -> Lexicon:
    """Give what is disliked, but not what only looks like it (crab apples, for crab); its flavour is disliked too."""
    safe = ",".join(food.named.safe for food in terms.FOODSTUFFS if food.named.find(phrase))
    return Lexicon(phrase, ",".join(part for part in safe.split(",") if not terms.TASTES.search(part)))


def _least_age(item: Item) -> int:
    return item.min_age or terms.ADULT * bool(terms.ADULTS_ONLY.search(f"{item.title} . {item.description}"))


def _labels(item: Item) -> str:
    return " . ".join((item.title, *item.categories))


def _tag(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().casefold())


def _verdict(subject: str, found: Iterable[tuple[str, str]]) -> Verdict:
    rule, reason = next((pair for pair in found if pair[1]), ("", ""))
    return Verdict(subject, not reason, rule, reason)
