"""From settings to a program that is ready to generate."""

from genrec import registry
from genrec.catalog.store import Catalog
from genrec.lm.connect import open_lm
from genrec.programs.ranking import load_ranker
from genrec.programs.relevance import CosineRelevance
from genrec.programs.top_down import TopDown
from genrec.settings import Settings


def open_program(settings: Settings, catalog: Catalog) -> TopDown:
    """The program version, the LM, the gate and the ranker that `settings` name, on `catalog`.

    Raises:
        GenrecError: one of them cannot be had; the message says which and what to do.

    """
    lm = open_lm(settings.lm, api_base=settings.api_base, adapter=settings.lm_adapter, timeout=settings.lm_timeout)
    cosine = CosineRelevance(catalog.embedder) if settings.relevance == "cosine" else None
    return registry.load(
        settings.model,
        catalog,
        lm,
        relevance=cosine,
        ranker=load_ranker(settings.ranker, catalog) if settings.ranker else None,
        threshold=settings.threshold,
        deadline=settings.lm_deadline,
        settings=registry.RegistrySettings.at(settings.home, settings.tracking_uri),
    )
