"""Which judges there are, whether they may decide, and measuring them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genrec.catalog.items import Item
from genrec.catalog.store import Catalog
from genrec.errors import SettingsError
from genrec.evaluation.agreement import JudgeCard, bars_of
from genrec.evaluation.cards import FILE, measure, read_cards, write_cards
from genrec.evaluation.gold_judgments import SPLITS, items_of, load_gold
from genrec.evaluation.judges import Judge
from genrec.evaluation.panel import Panel
from genrec.evaluation.rule_judges import PolicyJudge
from genrec.evaluation.running import Progress
from genrec.serving.opening import open_model
from genrec.settings import Settings

if TYPE_CHECKING:
    from genrec.optimizers.page_metric_adapter import Yardstick

JudgeName = Literal["learned", "lm", "none"]


def panel_of(settings: Settings, catalog: Catalog, judge: JudgeName) -> Panel:
    """Judges for every criterion, those under their bar advisory (unless the settings let them decide).

    The learned ones, and the rules for the guardrail; "lm" puts the settings' LM in place of the learned ones.
    """
    cards = read_cards(settings.home, bars_of(settings.judge_bars))
    return Panel(judges_of(settings, catalog, judge), cards, unproven=settings.unproven_judges)


def judges_of(settings: Settings, catalog: Catalog, judge: JudgeName) -> dict[str, Judge[Any]]:
    """Judges by criterion: the learned ones or the settings' LM, and the rules for the guardrail.

    Raises:
        SettingsError: "lm", and the LM is too small to judge.
        ModelFileError: the learned judges are missing or damaged.

    """
    rules = PolicyJudge()
    found = {one.criterion: one for one in _asked(settings, judge, catalog.items)}
    return {**found, rules.criterion: rules}


def open_yardstick(settings: Settings, catalog: Catalog) -> "Yardstick":
    """What the judges that may decide say of a page, for compile to climb.

    Raises:
        SettingsError: no judge may decide; the message says why of each.
        ModelFileError: the learned judges are missing or damaged.

    """
    from genrec.optimizers.judged_metric import judged_yardstick

    cards = read_cards(settings.home, bars_of(settings.judge_bars))
    judges = judges_of(settings, catalog, "learned")
    return judged_yardstick(judges, cards, catalog, unproven=settings.unproven_judges)


def measure_judges(
    settings: Settings, judge: JudgeName, gold: Path | None, split: str, progress: Progress
) -> list[JudgeCard]:
    """A card of every judge on gold judgments; those of the test split are kept, so that the judges may decide.

    "lm" measures the LM's word on every criterion, as a guard too; "learned" the learned judges and the rules.

    Raises:
        GenrecError: gold, a judge or the LM cannot be used.

    """
    if split not in SPLITS:
        raise SettingsError(f"--split {split}: gold judgments have {', '.join(SPLITS)}")
    if judge == "none":
        raise SettingsError("--judges --judge none: name who is to be measured, learned or lm")
    found, items, bars = load_gold(gold), items_of(gold), bars_of(settings.judge_bars)
    judges = [*_asked(settings, judge, items), *([] if judge == "lm" else [PolicyJudge()])]
    cards: list[JudgeCard] = []
    for number, one in enumerate(judges, start=1):
        card = measure(one, found, bar=bars[one.criterion], split=split)
        if card is not None:
            cards.append(card)
            if split == "test":  # one by one: those of an LM cost money, and the next question may fail
                write_cards([card], settings.home / FILE)
        progress("judges", number, len(judges))
    return cards


def _asked(settings: Settings, judge: JudgeName, items: Mapping[str, Item]) -> list[Judge[Any]]:
    if judge == "lm":
        from genrec.evaluation.lm_judges import lm_judges

        return lm_judges(open_model(settings), items)
    from genrec.evaluation.learned import open_learned

    return list(open_learned(items, settings.learned_judges).values())
