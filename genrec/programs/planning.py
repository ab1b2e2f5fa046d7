"""Plan: themes from the LM, and which of them are fit to show.

A small model plans one section at a time from one group of concepts, several times over, and the best title stays. A
large model gets all candidates at once and plans the page. Either way a title is checked like an item.
"""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

import dspy
import numpy as np

from genrec.catalog.encoder import Embedder
from genrec.catalog.text import tokenize
from genrec.errors import LMError
from genrec.page import TITLE_LIMIT, Drop, PageRequest, Theme
from genrec.programs.asking import Asker
from genrec.programs.facts import brief_facts
from genrec.programs.gather import ConceptGroup, flat
from genrec.programs.policy import check_title

TEMPERATURES = (0.0, 0.4, 0.7)
"""One sample at each until one is good: the likeliest title first, then bolder ones."""
GOOD = 0.5
"""Cosine of a title to its own concepts from which no other is asked for."""
GROUNDED = 0.38
"""Cosine of a title to its own concepts below which it is about something else."""
SAME_TITLE = 0.85
CANDIDATE_LIMIT = 100
PETS = r"dogs?|pupp(?:y|ies)|cats?|kittens?|rabbits?|hamsters?|birds?|bunny"
DIETS = r"vegan|vegetarian|gluten-free|dairy-free|halal|kosher|organic|low-carb|keto|nut-free|sugar-free"
CLAIMS = (
    (PETS, ""),
    (r"bab(?:y|ies)|newborns?|toddlers?|twins?|kids?|child(?:ren)?|sons?|daughters?|boys?|girls?|teens?", ""),
    (r"mothers?|mums?|moms?|fathers?|dads?|parents?|grand\w+|wife|husband|students?|guests?|friends?", ""),
    (r"for one|for three|for four|for (?:the )?first|first \w+|last \w+|new \w+|family of \w+", ""),
    (r"for two|couples?", r"couple|two adults|husband|wife|partner"),
    (r"christmas|easter|halloween|thanksgiving|diwali|ramadan|eid|hanukkah|passover|birthday|new year", ""),
    (r"january|february|march|april|june|july|august|september|october|november|december", ""),
    (DIETS, ""),
)
"""Words in a title that claim something, and what must stand in the facts or concepts: by default the word itself."""
DANGLING = frozenset("a an and at by for from in into of on or that the their this to with your you it its".split())


@dataclass(frozen=True)
class Planned:
    """A theme together with the group it came from."""

    theme: Theme
    group: ConceptGroup


@dataclass(frozen=True)
class Plan:
    """What planning gives: themes in order, what was thrown away, and why it fell short, if it did."""

    themes: list[Planned]
    drops: list[Drop]
    problem: str = ""


class Planner:
    """Turns groups into themes with the page program's ThemePlanner predictor."""

    def __init__(self, embedder: Embedder, words: Container[str]) -> None:
        """`embedder` measures how well a title fits its concepts; `words` are the stems that a title may use."""
        self._embedder = embedder
        self._words = words

    def plan(
        self,
        asker: Asker,
        predictor: dspy.Predict,
        request: PageRequest,
        groups: Sequence[ConceptGroup],
        facts: str,
        count: int,
    ) -> Plan:
        """At most `count` themes. Without one usable answer, `themes` is empty and `problem` says why."""
        taught = frozenset(_fold(t.title) for demo in predictor.demos for t in _themes_of(demo))
        if asker.model.small:
            return self._one_by_one(asker, predictor, request, groups, count, taught)
        return self._at_once(asker, predictor, request, groups, facts, count, taught)

    def _one_by_one(
        self,
        asker: Asker,
        predictor: dspy.Predict,
        request: PageRequest,
        groups: Sequence[ConceptGroup],
        count: int,
        taught: frozenset[str],
    ) -> Plan:
        kept: list[Planned] = []
        drops: list[Drop] = []
        problem = ""
        for number, group in enumerate(groups[:count]):
            answers: list[Theme] = []
            best, refused = None, list[Drop]()
            facts = brief_facts(request, group.source, group.about)
            for sample, temperature in enumerate(TEMPERATURES):
                seed = (request.seed * 1009 + number * len(TEMPERATURES) + sample) % 2**31
                config = {"temperature": temperature, "seed": seed, "max_tokens": 60}
                try:
                    prediction = asker.ask(
                        "plan",
                        predictor,
                        config=config,
                        retry=not sample,
                        shopper=facts,
                        candidates=list(group.concepts),
                        avoid=[],
                        count=1,
                    )
                except LMError as error:
                    problem = str(error)
                    continue
                answers += prediction.themes[:1]
                best, refused = self._best(answers, request, facts, [p.theme for p in kept], taught)
                if best is not None and self._grounding(best) >= GOOD:
                    break
            drops += refused
            if best is not None:
                theme = best.model_copy(update={"rationale": group.rationale, "objective": group.objective})
                kept.append(Planned(theme, group))
            if asker.down:
                break
        return Plan(kept, drops, problem if not kept or asker.down else "")

    def _at_once(
        self,
        asker: Asker,
        predictor: dspy.Predict,
        request: PageRequest,
        groups: Sequence[ConceptGroup],
        facts: str,
        count: int,
        taught: frozenset[str],
    ) -> Plan:
        candidates = flat(groups, CANDIDATE_LIMIT)
        try:
            prediction = asker.ask(
                "plan",
                predictor,
                config=asker.seeded(request.seed),
                shopper=facts,
                candidates=candidates,
                avoid=[],
                count=count,
            )
        except LMError as error:
            return Plan([], [], str(error))
        kept: list[Planned] = []
        drops: list[Drop] = []
        for theme in prediction.themes[:count]:
            best, refused = self._best([theme], request, facts, [p.theme for p in kept], taught)
            drops += refused
            if best is not None:
                kept.append(Planned(best, _closest_group(best, groups)))
        short = "" if kept else "no theme of the answer could be shown"
        return Plan(kept, drops, short)

    def _best(
        self,
        answers: Sequence[Theme],
        request: PageRequest,
        facts: str,
        earlier: Sequence[Theme],
        taught: frozenset[str],
    ) -> tuple[Theme | None, list[Drop]]:
        """The fittest of several answers, and the ones that may not be shown at all."""
        fit: list[tuple[float, int, Theme]] = []
        refused: list[Drop] = []
        distinct = list({a.title: a for a in answers}.values())
        if not distinct:
            return None, []
        titles = self._embedder.encode([a.title for a in distinct])
        others = self._embedder.encode([t.title for t in earlier]) if earlier else titles[:0]
        for n, answer in enumerate(distinct):
            grounded = self._grounding(answer)
            reason = title_problem(answer.title)
            named = set().union(*map(tokenize, answer.concepts))
            unnamed = [word for word in tokenize(answer.title) if word.isalpha() and word not in named]
            if not reason and (strange := [word for word in unnamed if word not in self._words]):
                reason = f"has the unknown word {strange[0]!r}"
            if not reason and not (verdict := check_title(answer.title, request)).allowed:
                reason = verdict.reason
            if not reason and (word := unsupported(answer.title, facts, answer.concepts)):
                reason = f"speaks of {word!r}, which no fact does"
            if not reason and _fold(answer.title) in taught:
                reason = "copies a demonstration"
            if not reason and grounded < GROUNDED:
                reason = f"is not about its concepts (cosine {grounded:.2f})"
            if not reason and len(others) and float((others @ titles[n]).max()) > SAME_TITLE:
                reason = "says the same as an earlier title"
            if reason:
                refused.append(Drop(subject=answer.title, stage="plan", reason=f"title {reason}"))
            else:
                fit.append((grounded, -n, answer))
        if not fit:
            return None, refused
        return max(fit, key=lambda entry: (_appeal(entry[0], entry[2].title), entry[1]))[2], refused

    def _grounding(self, theme: Theme) -> float:
        """Cosine of the title to the centre of its concepts."""
        title, *concepts = self._embedder.encode([theme.title, *theme.concepts])
        centre = np.mean(concepts, axis=0)
        return float(title @ centre / max(float(np.linalg.norm(centre)), 1e-9))


def title_problem(title: str) -> str:
    """What is wrong with a title as text, or an empty string. What it says is the policy's business."""
    words = re.findall(r"[\w'-]+", title.lower())
    content = [w for w in words if w not in DANGLING and len(w) > 2]
    if len(title) > TITLE_LIMIT:
        return f"is longer than {TITLE_LIMIT} characters"
    if len(words) < 2:
        return "is a single word"
    if not title[0].isupper() and not title[0].isdigit():
        return "does not start with a capital"
    if words[-1] in DANGLING or len(title) == TITLE_LIMIT:
        return "breaks off"
    if len(content) != len(set(content)):
        return "repeats a word"
    if title.count(",") > 1:
        return "is a list"
    return ""


def unsupported(title: str, facts: str, concepts: Sequence[str]) -> str:
    """A claim of the title that neither the facts nor the concepts make, or an empty string."""
    ideas = " ".join(concepts).lower()
    for claim, grounds in CLAIMS:
        known = f"{facts.lower()} {ideas}"
        if claim == PETS:  # a dog at home does not make soap a dog's
            known = ideas
        elif claim == DIETS:  # one vegan idea does not make a vegan section: only what the shopper keeps is filtered
            known = facts.lower()
        for found in re.findall(rf"\b(?:{claim})\b", title.lower()):
            stem = found.rstrip("s") if len(found) > 4 else found
            if not re.search(grounds or re.escape(stem), known):
                return str(found)
    return ""


def _appeal(grounded: float, title: str) -> float:
    """Prefer a title that fits its concepts, but not one that only recites them; 3 to 6 words read best."""
    count = len(title.split())
    return min(grounded, 0.6) - 0.03 * max(0, 3 - count) - 0.03 * max(0, count - 6) - 0.05 * title.count(",")


def _closest_group(theme: Theme, groups: Sequence[ConceptGroup]) -> ConceptGroup:
    """The group that shares most concepts with a theme of a large model; one of its own if none does."""
    wanted = {_fold(c) for c in theme.concepts}
    best = max(groups, key=lambda g: len(wanted & {_fold(c) for c in g.concepts}), default=None)
    if best is not None and wanted & {_fold(c) for c in best.concepts}:
        return best
    return ConceptGroup(theme.concepts, "lm", theme.rationale, "", theme.objective)


def _themes_of(demo: dspy.Example) -> list[Theme]:
    themes = demo.get("themes") or []
    return [t if isinstance(t, Theme) else Theme.model_validate(t) for t in themes]


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())
