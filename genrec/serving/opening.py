"""From settings to a program that is ready to generate."""

from collections.abc import Callable, Sequence

from genrec import registry
from genrec.catalog.store import Catalog
from genrec.evaluation.guard import guard_if_earned
from genrec.lm.connect import LanguageModel, open_lm
from genrec.page import Shopper
from genrec.programs.baselines import BASELINES, open_baseline
from genrec.programs.ranking import load_ranker
from genrec.programs.relevance import CosineRelevance
from genrec.programs.top_down import PageGenerator, TopDown
from genrec.settings import Settings


def open_model(settings: Settings) -> LanguageModel:
    """The LM that `settings` name.

    Raises:
        GenrecError: it cannot be had; the message says why.

    """
    return open_lm(settings.lm, api_base=settings.api_base, adapter=settings.lm_adapter, timeout=settings.lm_timeout)


def open_program(settings: Settings, catalog: Catalog, *, tell: Callable[[str], None] = lambda said: None) -> TopDown:
    """The program version, the LM, the gate and the ranker that `settings` name, on `catalog`.

    `tell` is told when the LM is not asked as a guard because it has not earned that.

    Raises:
        GenrecError: one of them cannot be had; the message says which and what to do.

    """
    lm = open_model(settings)
    cosine = CosineRelevance(catalog.embedder) if settings.relevance == "cosine" else None
    program = registry.load(
        settings.model,
        catalog,
        lm,
        relevance=cosine,
        ranker=load_ranker(settings.ranker, catalog) if settings.ranker else None,
        threshold=settings.threshold,
        deadline=settings.lm_deadline,
        settings=registry.RegistrySettings.at(settings.home, settings.tracking_uri),
    )
    guard_if_earned(program, settings, tell=tell)
    return program


def open_generator(
    settings: Settings,
    catalog: Catalog,
    interactions: Callable[[], Sequence[Shopper]],
    *,
    tell: Callable[[str], None] = lambda said: None,
) -> PageGenerator:
    """What `settings.model` names: a version of the page program, or a baseline; `als` learns from `interactions`.

    Raises:
        GenrecError: it cannot be had; the message says why.

    """
    name = settings.model
    if name not in BASELINES:
        return open_program(settings, catalog, tell=tell)
    return open_baseline(
        name,
        catalog,
        lm=open_model(settings) if name == "one-prompt" else None,
        interactions=interactions() if name == "als" else (),
        relevance=CosineRelevance(catalog.embedder) if settings.relevance == "cosine" else None,
        ranker=load_ranker(settings.ranker, catalog) if settings.ranker else None,
        threshold=settings.threshold,
        deadline=settings.lm_deadline,
    )
