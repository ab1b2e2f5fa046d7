"""Popular: what sells best, by department, the same for everyone but for what the policy denies them."""

from genrec.catalog.store import Catalog
from genrec.page import Page, PageRequest
from genrec.programs.baselines.shelves import shop_policy, with_popular
from genrec.programs.composing import page_of
from genrec.programs.filling import Notes
from genrec.programs.policy import Policy


class PopularByDepartment:
    """Departments by their best seller, each with its best sellers."""

    name = "popular"

    def __init__(self, catalog: Catalog, policy: Policy | None = None) -> None:
        """`policy` defaults to the shop's rules."""
        self._catalog = catalog
        self._policy = policy or shop_policy(catalog)

    def generate(self, request: PageRequest) -> Page:
        """Compose one page; of the shopper only what the policy needs is looked at."""
        notes = Notes()
        sections = with_popular([], self._catalog, self._policy, request, notes)
        return page_of(sections, request, notes, self._catalog, program=f"baseline {self.name}", lm="none", usage={})
