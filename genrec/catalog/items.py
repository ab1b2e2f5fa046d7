"""Item and Hit: what can be shown, and what a search returns. Reading files is in ingest.py."""

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

TITLE_LIMIT = 300
DESCRIPTION_LIMIT = 5_000


class Item(BaseModel):
    """One thing a shop sells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item_id: str = Field(min_length=1, max_length=200, description="unique in the catalog")
    title: str = Field(min_length=1, max_length=TITLE_LIMIT, description="what a shopper reads")
    description: str = Field("", max_length=DESCRIPTION_LIMIT, description="a sentence or two")
    brand: str = Field("", description="who makes it")
    categories: tuple[str, ...] = Field((), description="category path, root to leaf")
    attributes: Mapping[str, str] = Field(default_factory=dict, description="name to value")
    dietary: frozenset[str] = Field(frozenset(), description="diets it is declared fit for, lower case")
    allergens: frozenset[str] = Field(frozenset(), description="allergens it contains, lower case")
    price: float | None = Field(None, ge=0, allow_inf_nan=False, description="in `currency`")
    currency: str = Field("USD", min_length=3, max_length=3, description="ISO 4217 code")
    popularity: float = Field(0.0, ge=0, allow_inf_nan=False, description="any scale, higher sells more")
    in_stock: bool = Field(True, description="can be bought now")
    min_age: int = Field(0, ge=0, le=120, description="buyer's minimum age in years")
    image_url: str = Field("", description="http(s) address of a picture, or empty")

    @property
    def department(self) -> str:
        """The root of the category path, or an empty string."""
        return self.categories[0] if self.categories else ""

    @property
    def leaf(self) -> str:
        """The last element of the category path, or an empty string."""
        return self.categories[-1] if self.categories else ""


class Hit(NamedTuple):
    """One search result; `score` is comparable within one result list only."""

    item_id: str
    score: float
