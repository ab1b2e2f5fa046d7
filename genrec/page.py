"""The values that pass between stages and out to callers. No behaviour beyond validation."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

TITLE_LIMIT = 48
"""Longest section title, in characters: what a phone shows on one line."""


class Value(BaseModel):
    """Base of every value: frozen, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Purchase(Value):
    """One line of a shopper's history."""

    item_id: str = Field(min_length=1, description="item in the catalog")
    at: date = Field(description="day of the purchase")
    quantity: float = Field(1.0, gt=0, allow_inf_nan=False, description="units or weight")


class Shopper(Value):
    """Who the page is for."""

    shopper_id: str = Field(min_length=1, max_length=200, description="stable id")
    history: tuple[Purchase, ...] = Field((), description="purchases, any order")
    likes: tuple[str, ...] = Field((), description="things wanted, in plain words")
    dislikes: tuple[str, ...] = Field((), description="things not wanted, in plain words")
    diets: frozenset[str] = Field(frozenset(), description="diets kept, e.g. vegan, halal")
    allergens: frozenset[str] = Field(frozenset(), description="allergens that must not be shown")
    household: str = Field("", max_length=300, description="who lives there, in plain words")
    age: int | None = Field(None, ge=0, le=130, description="age in years; unknown counts as adult")
    locale: str = Field("en-US", max_length=20, description="BCP 47 tag")
    note: str = Field("", max_length=1000, description="anything else worth knowing")


class Objective(Value):
    """A business goal that some sections should serve."""

    name: str = Field(min_length=1, max_length=60, description="short name, e.g. discovery")
    weight: float = Field(1.0, ge=0, le=1, description="share of attention, 0 to 1")
    note: str = Field("", max_length=300, description="what it means, in plain words")


class PageRequest(Value):
    """What page to compose."""

    shopper: Shopper = Field(description="who it is for")
    occasion: str = Field("", max_length=80, description="e.g. birthday; empty for an ordinary day")
    on: date = Field(default_factory=date.today, description="the day of the page")
    objectives: tuple[Objective, ...] = Field((), description="business goals, any order")
    sections: int = Field(6, ge=1, le=20, description="how many sections")
    items_per_section: int = Field(8, ge=3, le=40, description="how many items in each")
    seed: int = Field(0, ge=0, lt=2**31, description="same seed, same page")


class Theme(Value):
    """One shopping intent. Field order is generation order: a title written last fits its concepts."""

    concepts: tuple[str, ...] = Field(min_length=3, max_length=8, description="short product ideas")
    title: str = Field(min_length=3, max_length=TITLE_LIMIT, description="the intent, sentence case")
    rationale: str = Field("", max_length=240, description="why this shopper may want it")
    objective: str = Field("", max_length=60, description="objective it serves, or empty")


class Descriptor(Value):
    """What to search for in the catalog to fill a theme."""

    keywords: tuple[str, ...] = Field(description="catalog keywords, most important first")
    categories: tuple[str, ...] = Field((), description="category names to prefer")
    attributes: Mapping[str, str] = Field(default_factory=dict, description="attribute filters")


class PageItem(Value):
    """One item as shown."""

    item_id: str = Field(description="item in the catalog")
    title: str = Field(description="its title in the catalog")
    reason: str = Field("", description="why it is here, from facts only")
    relevance: float = Field(ge=0, le=1, description="P(relevant | theme, item)")
    score: float = Field(description="the ranker's score, comparable within the section")


class Section(Value):
    """One rail of the page."""

    theme: Theme = Field(description="what it is about")
    keywords: tuple[str, ...] = Field((), description="catalog keywords that were searched")
    items: tuple[PageItem, ...] = Field(description="items, best first")


class Drop(Value):
    """Something a stage threw away."""

    subject: str = Field(description="item_id or section title")
    stage: str = Field(description="stage of the program, e.g. guard")
    reason: str = Field(description="why, in words")


class Degradation(Value):
    """A stage that did less than it should have."""

    stage: str = Field(description="stage of the program, e.g. plan")
    reason: str = Field(description="what went wrong and what was done instead")


class StageUsage(Value):
    """What one stage spent."""

    calls: int = Field(0, ge=0, description="LM calls")
    failures: int = Field(0, ge=0, description="calls that failed or whose answer could not be used")
    input_tokens: int = Field(0, ge=0, description="prompt tokens, cached ones included")
    cached_tokens: int = Field(0, ge=0, description="prompt tokens answered from a prefix cache")
    output_tokens: int = Field(0, ge=0, description="generated tokens")
    dollars: float | None = Field(None, description="price of the calls; null when unknown")
    seconds: float = Field(0.0, ge=0, description="wall time of the stage")


class Provenance(Value):
    """What made the page."""

    program: str = Field(description="program name and version")
    lm: str = Field(description="language model name")
    catalog: str = Field(description="catalog fingerprint")
    seed: int = Field(description="the request's seed")


class Page(Value):
    """A composed page: what to show, what was thrown away and what it cost."""

    shopper_id: str = Field(description="who it is for")
    created_at: datetime = Field(description="UTC time of composition")
    sections: tuple[Section, ...] = Field(description="rails, most wanted first")
    drops: tuple[Drop, ...] = Field((), description="everything that was thrown away")
    degraded: tuple[Degradation, ...] = Field((), description="steps down; empty when all went well")
    usage: Mapping[str, StageUsage] = Field(default_factory=dict, description="by stage name")
    provenance: Provenance = Field(description="what made it")

    @model_validator(mode="after")
    def _no_item_twice(self) -> Self:
        shown = [item.item_id for section in self.sections for item in section.items]
        if len(shown) != len(set(shown)):
            repeated = sorted({i for i in shown if shown.count(i) > 1})
            raise ValueError(f"items shown more than once: {repeated[:5]}")
        return self
