"""When the LM gives nothing: the static theme library, then what is popular. Always a page."""

from collections.abc import Iterator, Sequence, Set
from itertools import islice

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.page import TITLE_LIMIT, PageRequest, Theme
from genrec.programs.facts import lower_first, plain_title
from genrec.programs.gather import ConceptGroup
from genrec.programs.guardrails import apply_rules
from genrec.programs.planning import Planned
from genrec.programs.policy import Policy, check_title
from genrec.programs.ranking import Candidate

STATIC_CONCEPTS = 6
POPULAR = (
    "Popular in {}",
    "More in {}",
    "Also liked in {}",
    "Often bought in {}",
    "Good sellers in {}",
    "Worth a look in {}",
)
"""Titles of a department's best sellers, and of the next best where a shop has too few departments for a page."""
POPULAR_DEPTH = 3
"""Best sellers looked at for each item that is to be shown."""


def static_themes(groups: Sequence[ConceptGroup], request: PageRequest) -> list[Planned]:
    """The groups that people gave a title, as themes, in their order."""
    themes = []
    for group in groups:
        if group.title and len(group.concepts) >= 3 and check_title(group.title, request).allowed:
            theme = Theme(
                concepts=group.concepts[:STATIC_CONCEPTS],
                title=group.title[:TITLE_LIMIT],
                rationale=group.rationale,
                objective=group.objective,
            )
            themes.append(Planned(theme, group))
    return themes


def popular_sections(
    catalog: Catalog,
    policy: Policy,
    request: PageRequest,
    *,
    taken: Set[str],
    depth: int = POPULAR_DEPTH,
    title: str = POPULAR[0],
) -> Iterator[tuple[Theme, list[Candidate]]]:
    """Departments by what they sell, each with its best sellers that may be shown; no LM, no search, no gate.

    One by one, from the `depth` best sellers for each item that is to be shown that are not `taken`.
    """
    wanted = depth * request.items_per_section
    for department in catalog.departments:
        left = (i for i in catalog.item_ids(department.best_rows) if i not in taken)
        items = [catalog.items[i] for i in islice(left, wanted)]
        named = title.format(lower_first(department.name or "the shop"))[:TITLE_LIMIT]
        allowed, _ = apply_rules(policy, request, named, items)
        if len(allowed) >= 3 and check_title(named, request).allowed:
            theme = Theme(concepts=concepts_of(allowed), title=named, rationale="What sells best here.")
            yield theme, [Candidate(item, 0.5, "") for item in allowed]


def concepts_of(items: Sequence[Item]) -> tuple[str, ...]:
    """What a section of three items or more is about, as concepts: their shelves, then what they are."""
    leaves = list(dict.fromkeys((i.leaf or plain_title(i.title)).lower()[:60] for i in items))
    return tuple([*leaves, *(plain_title(i.title) for i in items)][:5])
