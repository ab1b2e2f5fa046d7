"""How much of what a page says is so: every claim checked against the goods shown, the request and the history.

A claim is one of three things.

- A reason that genrec writes ("You bought it on 3 November", "You bought it 4 times",
  "You have bought from X", "Close to your X", "For X", "Popular in X",
  "From X") is one claim, checked as the fact it states.
- A claim word of `planning.CLAIMS` (a pet, a person, a feast, a month, a diet), or a word for what sells, is one claim.
- Every other content word of a title, a rationale or a reason of another form is one claim by its stem. Function words
  and the words of `FRAMING` claim nothing about the goods.

A bag of stems sees neither negation ("without eggs" needs eggs among the goods) nor a synonym, and counts a text's
repeated word once. It errs on the side of unsupported: compare pages by it, do not read it as a truth rate.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pydantic import Field

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.catalog.text import item_text, normalize, stem, tokenize
from genrec.page import Page, PageItem, PageRequest, Section, Value
from genrec.programs.affinity import History
from genrec.programs.facts import plain_title
from genrec.programs.library import NOT_AT_HOME, household_tags, occasions_of
from genrec.programs.planning import CLAIMS, DIETS, PETS
from genrec.programs.policy import normalise_diet

POPULAR = 0.8
"""Popularity rank from which an item sells well, as in the ranker's reasons."""
BEST_SELLERS = 50
"""So many of a department's items are popular in it."""
SELLS = r"(?:most )?popular|best[- ]?sell\w*|sells? (?:best|most)|top sellers?"
SEASONS = ("winter", "spring", "summer", "autumn fall")
"""By quarter from December: meteorological, northern hemisphere, as the theme library's months are."""

FUNCTION_WORDS = frozenset(
    map(
        stem,
        "all also am any been before after again against almost already always another anything around away "
        "back be because being below between both but can could did do does done down during each either "
        "enough even ever every everything everyone few get gets go goes got had has have he her here hers "
        "him his how i if instead just last least less let lets made make makes making many may me more most "
        "much must my need needs neither never next no nobody none nor not nothing now off once only onto "
        "other others out over own per rather really same several she should since so some someone something "
        "soon still such take takes than them then there these they thing things those though through "
        "together too under until up upon us very via want wants was we well were what when whenever where "
        "which while who whose why will within without would yet you your yours".split(),
    )
)
"""Stems of words without a content of their own, beyond the catalog's stop words."""

FRAMING = frozenset(
    map(
        stem,
        # how good or easy it is said to be
        "easy simple quick quicker fast effortless ready good better best great nice lovely perfect favourite "
        "favorite little big small proper real right kind kinder gentle easier ordinary everyday usual plain "
        "special worth "
        # when and how long
        "day days today tonight week weeks weekend weekday weeknight month year evening night morning "
        "afternoon time minute minutes hour hours early late later long short daily ahead "
        # what a section is
        "idea ideas essentials basics staples picks choice selection collection list kit set start starter "
        "stock reason shop shopping buy buys bought sell sells find finds pick bring keep keeps kept help use "
        "used try new line job people close like love enjoy share shared serve served fill filled come comes "
        "go turn work things way ways ask change check cook drop eat end leave matter reach wait "
        # where it happens
        "home house kitchen table shelf shelves cupboard drawer door corner room place "
        # how many
        "one two three four five six seven eight nine ten half first second last whole pair bit lots plenty".split(),
    )
)
"""Stems of words that frame a section and claim nothing about the goods that a catalog could confirm or deny.

Meals ("supper") and ways to prepare ("fried") are not among them: goods can be for them or not.
"""

_CLAIM_PATTERNS = tuple((pattern, grounds) for pattern, grounds in (*CLAIMS, (SELLS, "")))
_BOUGHT = re.compile(r"You bought it on (\d{1,2} \w+)")
_TIMES = re.compile(r"You bought it (\d+) times")
_SHELF = re.compile(r"You have bought from (.+)")
_CLOSE = re.compile(r"Close to your (.+)")
_FOR = re.compile(r"For (.+)")
_POPULAR = re.compile(r"Popular (?:in (.+)|here)")
_FROM = re.compile(r"From (.+)")


class Unsupported(NamedTuple):
    """A claim that nothing bears out."""

    where: str
    """e.g. title of 'Soups for grey days', reason of tea-2."""
    claim: str
    """The word, or the whole reason where the ranker's form is known."""


class Groundedness(Value):
    """Supported claims / claims, over a page and over its parts; None where nothing is claimed."""

    value: float | None = Field(description="share of all claims that are supported, 0 to 1; null without claims")
    titles: float | None = Field(description="of the claims in section titles")
    rationales: float | None = Field(description="of the claims in rationales")
    reasons: float | None = Field(description="of the claims in the items' reasons")
    claims: int = Field(ge=0, description="how many claims the page makes")
    unsupported: tuple[Unsupported, ...] = Field(description="the claims that nothing bears out, in page order")


def groundedness(page: Page, request: PageRequest, catalog: Catalog) -> Groundedness:
    """Check what `page` says; looks at no purchase after `request.on`.

    Supports of a title or a rationale: the texts and diets of the section's items, the request (diets, household, note,
    likes, occasion or what the calendar brings, month, season, objectives) and the titles of what was bought. Of a
    reason: the same with that item alone. An item that the catalog does not have supports nothing, and neither does its
    reason. A pet must be among the goods, not only at home; a diet must be one that the shopper keeps (the guard then
    filtered by it) or that every item declares; "popular" needs half of the items to be of rank `POPULAR`.
    """
    checker = _Checker(request, catalog)
    counts = {"title": [0, 0], "rationale": [0, 0], "reason": [0, 0]}
    unsupported: list[Unsupported] = []

    def tally(part: str, of: str, claims: Iterable[tuple[str, bool]]) -> None:
        for claim, supported in claims:
            counts[part][0] += supported
            counts[part][1] += 1
            if not supported:
                unsupported.append(Unsupported(f"{part} of {of}", claim))

    for section in page.sections:
        items = [catalog.items[i.item_id] for i in section.items if i.item_id in catalog.items]
        whole = len(items) == len(section.items)
        tally("title", repr(section.theme.title), checker.text(section.theme.title, items, whole))
        tally("rationale", repr(section.theme.title), checker.text(section.theme.rationale, items, whole))
        for shown in section.items:
            tally("reason", shown.item_id, checker.reason(shown, section))
    supported, total = (sum(count[n] for count in counts.values()) for n in (0, 1))
    return Groundedness(
        value=_share(supported, total),
        titles=_share(*counts["title"]),
        rationales=_share(*counts["rationale"]),
        reasons=_share(*counts["reason"]),
        claims=total,
        unsupported=tuple(unsupported),
    )


class _Checker:
    """What one request bears out."""

    def __init__(self, request: PageRequest, catalog: Catalog) -> None:
        self._catalog = catalog
        self._purchases = History(request, catalog).purchases
        self._bought = {catalog.items[p.item_id].title for p in self._purchases}
        self._diets = {normalise_diet(diet) for diet in request.shopper.diets}
        self._facts = " . ".join(_facts(request)).lower()
        self._best: dict[str, set[str]] = {}
        self._known = {s for text in (self._facts, *self._bought) for s in tokenize(text)}

    def text(self, text: str, items: Sequence[Item], whole: bool) -> list[tuple[str, bool]]:
        """The claims of free text about `items`, each with whether it is supported; `whole`: no item is unknown."""
        goods = {s for item in items for s in _item_stems(item)}
        claims: dict[str, bool] = {}
        rest = text.lower()
        for pattern, grounds in _CLAIM_PATTERNS:
            found = re.compile(rf"\b(?:{pattern})\b")
            for match in found.findall(rest):
                claims[match] = self._claim_word(match, pattern, grounds, items if whole else (), goods)
            rest = found.sub(" ", rest)
        for word in tokenize(rest):
            if word not in FUNCTION_WORDS and word not in FRAMING:
                claims.setdefault(word, word in goods or word in self._known)
        return list(claims.items())

    def _claim_word(self, found: str, pattern: str, grounds: str, items: Sequence[Item], goods: set[str]) -> bool:
        """Whether a word of `planning.CLAIMS` or `SELLS` is supported."""
        if pattern == SELLS:
            ranks = [self._catalog.popularity_rank(item.item_id) >= POPULAR for item in items]
            return bool(ranks) and 2 * sum(ranks) >= len(ranks)
        if pattern == DIETS:
            diet = normalise_diet(found)
            declared = bool(items) and all(diet in map(normalise_diet, item.dietary) for item in items)
            return diet in self._diets or declared
        support = goods if pattern == PETS else goods | self._known
        if grounds and re.search(grounds, self._facts):
            return True
        return all(s in support for s in tokenize(found))

    def reason(self, shown: PageItem, section: Section) -> list[tuple[str, bool]]:
        """The claims of an item's reason: one where its form is the ranker's."""
        item = self._catalog.items.get(shown.item_id)
        for form, check in self._forms(item, section):
            if match := form.fullmatch(shown.reason):
                return [(shown.reason, item is not None and check(match[form.groups] or ""))]
        return self.text(shown.reason, [item] if item else [], item is not None)

    def _forms(self, item: Item | None, section: Section) -> list[tuple[re.Pattern[str], Callable[[str], bool]]]:
        days = [f"{p.at.day} {p.at:%B}" for p in self._purchases if item and p.item_id == item.item_id]
        shelves = {_fold(self._catalog.items[p.item_id].leaf) for p in self._purchases}
        close = {_fold(plain_title(title)) for title in self._bought}
        concepts = {_fold(concept) for concept in section.theme.concepts}

        def is_leaf(leaf: str) -> bool:
            return item is not None and bool(leaf) and _fold(leaf) == _fold(item.leaf)

        def sells(place: str) -> bool:
            if item is not None and _fold(place) == _fold(item.department):
                return item.item_id in self._best_sellers(item.department)
            popular = item is not None and self._catalog.popularity_rank(item.item_id) >= POPULAR
            return popular and (not place or is_leaf(place))

        return [
            (_BOUGHT, days.__contains__),
            (_TIMES, lambda times: int(times) == len(days)),
            (_SHELF, lambda leaf: is_leaf(leaf) and _fold(leaf) in shelves),
            (_CLOSE, lambda title: _fold(title) in close),
            (_FOR, lambda concept: _fold(concept) in concepts),
            (_POPULAR, sells),
            (_FROM, is_leaf),
        ]

    def _best_sellers(self, name: str) -> set[str]:
        """The items that sell best in a department: its first `BEST_SELLERS` items."""
        if name not in self._best:
            rows = [one.best_rows for one in self._catalog.departments if one.name == name]
            self._best[name] = {i for row in rows for i in self._catalog.item_ids(row[:BEST_SELLERS])}
        return self._best[name]


def _facts(request: PageRequest) -> list[str]:
    """The texts of a request that bear a claim out; what is said not to be at home is left out."""
    shopper = request.shopper
    return [
        *shopper.diets,
        *shopper.likes,
        NOT_AT_HOME.sub(" ", shopper.household.lower()),
        NOT_AT_HOME.sub(" ", shopper.note.lower()),
        *household_tags(request),
        request.occasion,
        *occasions_of(request),
        f"{request.on:%B}",
        SEASONS[request.on.month % 12 // 3],
        *(text for objective in request.objectives for text in (objective.name, objective.note)),
    ]


def _item_stems(item: Item) -> set[str]:
    """Stems of everything that an item's fields say, the names of its attributes included."""
    return set(tokenize(" . ".join([item_text(item), *item.attributes, *item.dietary])))


def _fold(text: str) -> str:
    return " ".join(normalize(text).split())


def _share(supported: int, claims: int) -> float | None:
    return supported / claims if claims else None
