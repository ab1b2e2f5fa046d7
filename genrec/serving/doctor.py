"""What is in use and what is missing: one finding a part, each found by trying it."""

from collections.abc import Callable
from typing import NamedTuple

from genrec.errors import GenrecError
from genrec.settings import Settings


class Finding(NamedTuple):
    """One part: is it there, and what was found or what to do."""

    part: str
    ok: bool
    detail: str


def diagnose(settings: Settings) -> list[Finding]:
    """Try every part that a page needs. Nothing is raised: a missing part is a finding with its remedy."""
    return [
        _try("language model", lambda: _language_model(settings)),
        _try("encoder", lambda: _encoder(settings)),
        _try("relevance gate", _gate),
        _try("catalog", lambda: _catalog(settings)),
        _try("registry", lambda: _registry(settings)),
        _try("guard", lambda: _guard(settings)),
    ]


def _try(part: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, look())
    except GenrecError as error:
        return Finding(part, False, str(error))
    except Exception as error:
        return Finding(part, False, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _language_model(settings: Settings) -> str:
    from dspy.lm15 import Config, Message, Request

    from genrec.errors import LMError
    from genrec.lm.connect import open_lm

    model = open_lm(settings.lm, api_base=settings.api_base, timeout=settings.lm_timeout)
    request = Request(model=model.lm.model, messages=(Message.user("Say ok."),), config=Config(max_tokens=4))
    try:
        answer = model.lm(request)
    except Exception as error:
        raise LMError(f"{model.name} did not answer: {' '.join(str(error).split())[:200]}") from error
    return f"{model.name} answers ({answer.usage.output_tokens} tokens)"


def _encoder(settings: Settings) -> str:
    from genrec.catalog.embedders import open_embedder

    encoder = open_embedder(settings.embedder)
    vector = encoder.encode(["a cup of tea"])
    return f"{encoder.name}, {vector.shape[1]} dimensions"


def _gate() -> str:
    from genrec.programs.relevance import CrossEncoderGate

    gate = CrossEncoderGate.load()
    return f"{gate.name}, shows what is at least {gate.threshold:.2f}"


def _catalog(settings: Settings) -> str:
    from genrec.catalog.store import Catalog

    catalog = Catalog.open(settings.catalog, embedder=settings.embedder, home=settings.home)
    catalog.verify()
    return f"{catalog.name}: {len(catalog.items):,} items, {len(catalog.keywords):,} keywords, every byte as written"


def _registry(settings: Settings) -> str:
    from genrec import registry

    place = registry.RegistrySettings.at(settings.home, settings.tracking_uri)
    found = registry.versions(place)
    champion = next((f", champion is version {v.number}" for v in found if "champion" in v.aliases), "")
    return f"{place.uri}: {len(found)} versions{champion}"


def _guard(settings: Settings) -> str:
    """Who says what may not be shown: the rules, and the LM if it has earned it."""
    from genrec.catalog.store import Catalog
    from genrec.evaluation.agreement import bars_of, standing
    from genrec.evaluation.cards import card_of, read_cards
    from genrec.evaluation.guard import lm_guard
    from genrec.evaluation.rule_judges import PolicyJudge
    from genrec.serving.opening import open_model, open_program

    cards = read_cards(settings.home, bars_of(settings.judge_bars))
    rules = f"policy rules ({standing(card_of(PolicyJudge(), cards))})"
    if open_model(settings).small:
        return f"{rules} alone; a small LM is not asked"
    program = open_program(settings, Catalog.open(settings.catalog, embedder=settings.embedder, home=settings.home))
    lm = lm_guard(program, settings)
    return f"{rules}, then the LM ({lm.because})" if lm.asked else f"{rules} alone; the LM is not asked: {lm.because}"
