"""What programs are compiled on: page requests of the sample shoppers, and written plans as demonstrations."""

import json
import random
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import dspy

from genrec.catalog import sample
from genrec.errors import RequestError
from genrec.page import PageRequest, Shopper, Theme
from genrec.programs.planning import title_problem

DISTRACTORS = 4
"""Candidates of a demonstration that belong to other sections of the same plan."""
CLAUSES = ("diet", "household", "on", "wants")
"""What `shopper_facts` tells a small model; the other clauses of a written plan are left out."""


class WrittenSection(NamedTuple):
    """One section of a plan that people wrote."""

    title: str
    ideas: tuple[str, ...]


class WrittenPlan(NamedTuple):
    """A shopper in one line, and the page that people wrote for them."""

    shopper: str
    sections: tuple[WrittenSection, ...]


def split_requests(
    folder: str | Path | None = None, *, sections: int = 4, items_per_section: int = 6, seed: int = 0
) -> dict[str, list[PageRequest]]:
    """Requests {"train": ..., "dev": ..., "test": ...} from two files in `folder` (default: sample).

    Pages are for the day "today" of splits.json. Histories go on after it, for evaluations on held-out purchases:
    programs and metrics look at nothing after `request.on`.

    Raises:
        RequestError: a file is missing or unreadable, or a split names a shopper who is not there.

    """
    home = Path(folder) if folder is not None else sample.shoppers_path().parent
    try:
        lines = (home / "shoppers.jsonl").read_text(encoding="utf-8").splitlines()
        shoppers = {s.shopper_id: s for s in map(Shopper.model_validate_json, filter(str.strip, lines))}
        splits = json.loads((home / "splits.json").read_text(encoding="utf-8"))
        today = date.fromisoformat(splits["today"])
        return {
            name: [
                PageRequest(
                    shopper=shoppers[shopper_id],
                    on=today,
                    sections=sections,
                    items_per_section=items_per_section,
                    seed=seed,
                )
                for shopper_id in splits[name]
            ]
            for name in ("train", "dev", "test")
        }
    except (OSError, ValueError) as error:
        raise RequestError(f"{home}: cannot be read as shoppers.jsonl with splits.json: {error}") from error
    except KeyError as error:
        raise RequestError(f"{home}/splits.json: {error} is not there, or not in shoppers.jsonl") from error


def written_plans() -> list[WrittenPlan]:
    """The 216 shipped plans, for shops of many kinds."""
    plans = []
    for line in _plans_text().splitlines():
        row = json.loads(line)
        sections = []
        for written in row["plan"]:
            title, _, ideas = written.partition(" | ")
            sections.append(WrittenSection(title, tuple(ideas.split(", "))))
        plans.append(WrittenPlan(row["shopper"], tuple(sections)))
    return plans


def planner_demos(plans: Sequence[WrittenPlan] | None = None, *, seed: int = 0) -> list[dspy.Example]:
    """Labelled examples of ThemePlanner, count=1: a section's ideas hidden among ideas of its neighbours.

    The ideas are listed in the order of the candidates, as a small model's grammar has them. Plans for shops other than
    grocers and titles that planning would refuse are left out (`plans` given: only the titles). The same seed gives the
    same examples in the same order.
    """
    rng = random.Random(seed)
    given = [p for p in written_plans() if _clauses(p).get("shop", "grocery") == "grocery"] if plans is None else plans
    demos = []
    for plan in given:
        facts = "; ".join(f"{name}: {told}" for name, told in _clauses(plan).items() if name in CLAUSES)
        for section in plan.sections:
            if title_problem(section.title):
                continue
            others = [i for s in plan.sections if s is not section for i in s.ideas if i not in section.ideas]
            candidates = [*section.ideas, *rng.sample(others, min(DISTRACTORS, len(others)))]
            rng.shuffle(candidates)
            theme = Theme(concepts=tuple(c for c in candidates if c in section.ideas), title=section.title)
            demo = dspy.Example(shopper=facts, candidates=candidates, avoid=[], count=1, themes=[theme])
            demos.append(demo.with_inputs("shopper", "candidates", "avoid", "count"))
    rng.shuffle(demos)
    return demos


def training_fingerprint(requests: Sequence[PageRequest]) -> str:
    """What identifies the requests and the plans that a program was compiled on: 16 hexadecimal digits."""
    told = "\n".join(request.model_dump_json() for request in requests)
    return sha256(f"{told}\n{_plans_text()}".encode()).hexdigest()[:16]


def _plans_text() -> str:
    return files("genrec.optimizers").joinpath("data", "plans.jsonl").read_text(encoding="utf-8")


def _clauses(plan: WrittenPlan) -> dict[str, str]:
    """The line "diet: vegan; on: October" by name."""
    return {name: told for name, _, told in (clause.partition(": ") for clause in plan.shopper.split("; "))}
