"""Compose: themes become sections, and sections a page of the size asked for. What the page programs share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dspy

from genrec.catalog.store import Catalog
from genrec.page import Degradation, Drop, Page, PageItem, PageRequest, Provenance, Section, StageUsage
from genrec.programs.asking import Asker
from genrec.programs.fallback import POPULAR, popular_sections, static_themes
from genrec.programs.filling import Filled, Filler, Notes
from genrec.programs.gather import ConceptGroup
from genrec.programs.planning import Planned
from genrec.programs.policy import Policy
from genrec.programs.ranking import BlendRanker, Ranker, checked
from genrec.programs.selection import LEAST_ITEMS, pick


@dataclass(frozen=True)
class Composer:
    """From themes to the sections of one page. `describe` and `guard`, if any, are asked where there is an asker."""

    catalog: Catalog
    policy: Policy
    ranker: Ranker
    filler: Filler
    describe: dspy.Predict
    guard: dspy.Predict | None

    def filled(
        self, asker: Asker | None, request: PageRequest, facts: str, themes: Sequence[Planned], notes: Notes
    ) -> tuple[list[Section], list[Section]]:
        """Sections in the order of the themes until the page has its number, and those that came out short."""
        left = list(themes)
        sections: list[Section] = []
        short: list[Section] = []
        while left and len(sections) < request.sections:
            count = request.sections - len(sections)
            batch, left = left[:count], left[count:]
            for filled in self.filler.fill(asker, self.describe, self.guard, request, facts, batch, notes):
                section = self._section(filled, request, sections, notes)
                (sections if len(section.items) == request.items_per_section else short).append(section)
        return sections, short

    def completed(
        self,
        sections: list[Section],
        short: list[Section],
        groups: Sequence[ConceptGroup],
        request: PageRequest,
        notes: Notes,
    ) -> list[Section]:
        """The page brought to its size: static themes that fill, then short sections, then what is popular."""
        titles = {s.theme.title for s in sections}
        if len(sections) < request.sections:
            spare = [p for p in static_themes(groups, request) if p.theme.title not in titles]
            planned = {s.theme.concepts for s in [*sections, *short]}
            spare = [p for p in spare if not any(set(p.group.concepts) >= set(c) for c in planned)]
            for filled in self.filler.fill(None, self.describe, self.guard, request, "", spare, notes):
                section = self._section(filled, request, sections, notes)
                if len(section.items) == request.items_per_section and len(sections) < request.sections:
                    sections.append(section)
                    notes.step_down(
                        "plan", "too few themes could be filled; the static theme library completed the page"
                    )
        for section in short:
            items = tuple(i for i in section.items if i.item_id not in shown(sections))
            if len(sections) < request.sections and len(items) >= LEAST_ITEMS:
                sections.append(section.model_copy(update={"items": items}))
            else:
                reason = f"only {len(items)} items could be shown"
                notes.drops.append(Drop(subject=section.theme.title, stage="select", reason=reason))
        if len(sections) < request.sections:
            notes.step_down("select", "too few themes could be filled; popular items completed the page")
            sections += self._popular(request, sections)
        return sections

    def _section(self, filled: Filled, request: PageRequest, earlier: Sequence[Section], notes: Notes) -> Section:
        """Rank and select: the section as it would stand after the earlier ones."""
        theme = filled.found.planned.theme
        try:
            ranked = checked(self.ranker.rank(theme, filled.candidates, request), filled.candidates)
        except Exception as error:  # a shop's own code: whatever it raises must not cost the page
            notes.step_down("rank", f"the ranker failed ({error}); used the default ranker")
            ranked = BlendRanker(self.catalog).rank(theme, filled.candidates, request)
        items = pick(
            ranked,
            filled.found.concept_of,
            self.catalog,
            taken=shown(earlier),
            count=request.items_per_section,
            concepts=len(theme.concepts),
        )
        return Section(theme=theme, keywords=filled.found.keywords, items=tuple(items))

    def _popular(self, request: PageRequest, sections: Sequence[Section]) -> list[Section]:
        found: list[Section] = []
        for title in POPULAR:
            taken = shown([*sections, *found])
            for theme, candidates in popular_sections(self.catalog, self.policy, request, taken=taken, title=title):
                if len(sections) + len(found) == request.sections:
                    return found
                items = tuple(
                    PageItem(item_id=c.item.item_id, title=c.item.title, reason="Popular here", relevance=0.5, score=-n)
                    for n, c in enumerate(candidates[: request.items_per_section])
                )
                if len(items) >= LEAST_ITEMS:
                    found.append(Section(theme=theme, items=items))
        return found


def shown(sections: Sequence[Section]) -> set[str]:
    """The ids of the items in `sections`."""
    return {item.item_id for section in sections for item in section.items}


def page_of(
    sections: Sequence[Section],
    request: PageRequest,
    notes: Notes,
    catalog: Catalog,
    *,
    program: str,
    lm: str,
    usage: Mapping[str, StageUsage],
) -> Page:
    """The page with its drops, steps down, cost and provenance."""
    return Page(
        shopper_id=request.shopper.shopper_id,
        created_at=datetime.now(UTC),
        sections=tuple(sections),
        drops=tuple(notes.drops),
        degraded=tuple(Degradation(stage=s, reason=r) for s, r in notes.problems.items()),
        usage=usage,
        provenance=Provenance(program=program, lm=lm, catalog=catalog.fingerprint, seed=request.seed),
    )
