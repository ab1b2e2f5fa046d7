"""Static library: themes written by people, chosen by rules and filled by search, as shops do it today."""

import dspy

from genrec.catalog.store import Catalog
from genrec.page import Page, PageRequest
from genrec.programs.baselines.shelves import shop_policy
from genrec.programs.composing import Composer, page_of
from genrec.programs.fallback import static_themes
from genrec.programs.filling import Filler, Notes
from genrec.programs.gather import Gatherer
from genrec.programs.policy import Policy
from genrec.programs.ranking import BlendRanker, Ranker
from genrec.programs.relevance import CrossEncoderGate, RelevanceModel
from genrec.programs.top_down import RESERVE
from genrec.signatures import GuardrailCheck, ItemDescriber


class StaticLibrary:
    """TopDown's page when it has no LM: the same gathering, retrieval, gate, rules and ranking.

    Which themes a shopper gets follows the season, the occasion, the household and the history; titles and ideas are
    those that people wrote.
    """

    name = "static"

    def __init__(
        self,
        catalog: Catalog,
        *,
        policy: Policy | None = None,
        relevance: RelevanceModel | None = None,
        ranker: Ranker | None = None,
        threshold: float | None = None,
    ) -> None:
        """The parts of a TopDown that are no LM, with the same defaults."""
        policy = policy or shop_policy(catalog)
        relevance = relevance or CrossEncoderGate.load()
        filler = Filler(catalog, relevance, policy, relevance.threshold if threshold is None else threshold)
        self._catalog = catalog
        self._gatherer = Gatherer(catalog, policy)
        self._composer = Composer(
            catalog,
            policy,
            ranker or BlendRanker(catalog),
            filler,
            describe=dspy.Predict(ItemDescriber),  # without an asker neither is asked
            guard=dspy.Predict(GuardrailCheck),
        )

    def generate(self, request: PageRequest) -> Page:
        """Compose one page; popular items complete it where too few themes fill, which `degraded` says."""
        notes = Notes()
        groups = self._gatherer.gather(request, limit=2 * request.sections + RESERVE)
        sections, short = self._composer.filled(None, request, "", static_themes(groups, request), notes)
        sections = self._composer.completed(sections, short, groups, request, notes)
        return page_of(sections, request, notes, self._catalog, program=f"baseline {self.name}", lm="none", usage={})
