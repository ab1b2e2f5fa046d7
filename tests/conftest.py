"""What many tests share: the sample catalog with the index that `make page` uses too, a quick gate, the embedded LM."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from genrec.catalog.ingest import read_shoppers
from genrec.catalog.sample import shoppers_path
from genrec.catalog.store import Catalog
from genrec.lm.connect import LanguageModel, open_lm
from genrec.page import Page, PageRequest, Shopper
from genrec.programs.policy import ShopPolicy, check_title
from genrec.programs.relevance import CosineRelevance, RelevanceModel

ON = date(2026, 11, 12)


@pytest.fixture(scope="session")
def home() -> Path:
    """The repository's own .genrec: the sample is indexed once, not once a test session."""
    return Path(__file__).parent.parent / ".genrec"


@pytest.fixture(scope="session")
def catalog(home: Path) -> Catalog:
    """The sample catalog."""
    return Catalog.open(home=home)


@pytest.fixture(scope="session")
def gate(catalog: Catalog) -> RelevanceModel:
    """A gate that needs no pass of a network for each pair."""
    return CosineRelevance(catalog.embedder)


@pytest.fixture(scope="session")
def embedded() -> LanguageModel:
    """SmolLM2 in process."""
    return open_lm()


@pytest.fixture(scope="session")
def shoppers() -> dict[str, Shopper]:
    """The sample's shoppers by id."""
    return {shopper.shopper_id: shopper for shopper in read_shoppers(shoppers_path())}


@pytest.fixture(scope="session")
def request_for(shoppers: dict[str, Shopper]) -> Callable[..., PageRequest]:
    """A request of the usual size: `request_for("mateo-sixteen", occasion="birthday")`."""

    def make(shopper_id: str = "maya-vegan-student", **fields: Any) -> PageRequest:
        return PageRequest(shopper=shoppers[shopper_id], **{"on": ON, **fields})

    return make


@pytest.fixture(scope="session")
def check_page(catalog: Catalog) -> Callable[[Page, PageRequest], None]:
    """Fails unless a page is full and everything on it may be shown."""

    def check(page: Page, request: PageRequest) -> None:
        assert [len(s.items) for s in page.sections] == [request.items_per_section] * request.sections
        shown = [item.item_id for section in page.sections for item in section.items]
        assert len(shown) == len(set(shown))
        assert len({s.theme.title for s in page.sections}) == request.sections
        policy = ShopPolicy(catalog.declares_diets)
        for section in page.sections:
            assert check_title(section.theme.title, request).allowed, section.theme.title
            items = [catalog.items[item.item_id] for item in section.items]
            assert all(item.in_stock for item in items)
            denied = [v for v in policy.check(request, section.theme.title, items) if not v.allowed]
            assert not denied
        assert Page.model_validate_json(page.model_dump_json()) == page

    return check
