"""From a baseline's name to the generator."""

from collections.abc import Callable, Mapping, Sequence

from genrec.catalog.store import Catalog
from genrec.errors import SettingsError
from genrec.lm.connect import LanguageModel
from genrec.page import Shopper
from genrec.programs.baselines.als import ImplicitALS
from genrec.programs.baselines.one_prompt import OnePrompt
from genrec.programs.baselines.popular import PopularByDepartment
from genrec.programs.baselines.repeat_purchase import RepeatPurchase
from genrec.programs.baselines.static_library import StaticLibrary
from genrec.programs.policy import Policy
from genrec.programs.ranking import Ranker
from genrec.programs.relevance import RelevanceModel
from genrec.programs.top_down import PageGenerator

BASELINES = ("popular", "static", "repeat", "als", "one-prompt")


def open_baseline(
    name: str,
    catalog: Catalog,
    *,
    lm: LanguageModel | None = None,
    interactions: Sequence[Shopper] = (),
    policy: Policy | None = None,
    relevance: RelevanceModel | None = None,
    ranker: Ranker | None = None,
    threshold: float | None = None,
    deadline: float | None = None,
) -> PageGenerator:
    """Open the baseline of this name on `catalog`.

    Only "one-prompt" uses `lm` (default: the embedded model) and its `deadline` in seconds, only "als" learns from
    `interactions`, only "static" has a gate (`relevance`, default: the packaged one), its `threshold` and a `ranker`.

    Raises:
        SettingsError: no such baseline, or a package that it needs is not installed.

    """
    makers: Mapping[str, Callable[[], PageGenerator]] = {
        "popular": lambda: PopularByDepartment(catalog, policy),
        "static": lambda: StaticLibrary(
            catalog, policy=policy, relevance=relevance, ranker=ranker, threshold=threshold
        ),
        "repeat": lambda: RepeatPurchase(catalog, policy),
        "als": lambda: ImplicitALS(catalog, interactions, policy=policy),
        "one-prompt": lambda: OnePrompt(catalog, lm, policy=policy, deadline=deadline),
    }
    if name not in makers:
        raise SettingsError(f"no baseline {name!r}; there are {', '.join(BASELINES)}")
    return makers[name]()
