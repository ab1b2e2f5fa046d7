"""Does the judges' score fall when a page is broken on purpose?

    python benchmarks/broken_pages.py [--pairs 200] [--split test] [--unproven-judges]

Pages of the sample's shoppers, who are in no training data of the judges with --split test: one of the packaged program
and three of the static library for each. Each is broken in every way of genrec.evaluation.broken that it can be,
and both are judged, by all judges that may decide and by those without the policy rules: off-diet items are chosen by
the rules, which then cannot but see them. A tie counts as a failure.
"""

import argparse
import random
from collections import defaultdict

from genrec.catalog.store import Catalog
from genrec.evaluation.agreement import bars_of
from genrec.evaluation.broken import BREAKERS, break_page
from genrec.evaluation.cards import read_cards
from genrec.evaluation.judges import PageCase
from genrec.evaluation.panel import Panel
from genrec.optimizers.training_sets import split_requests
from genrec.page import Page, PageRequest
from genrec.programs.baselines import open_baseline
from genrec.programs.policy import ShopPolicy
from genrec.programs.top_down import TopDown
from genrec.serving.judging import judges_of
from genrec.settings import load_settings

STATIC_SEEDS = (0, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--split", default="test", choices=["train", "dev", "test"])
    parser.add_argument("--unproven-judges", action="store_true", help="let all judges decide")
    given = parser.parse_args()
    catalog = Catalog.open()
    policy = ShopPolicy(catalog.declares_diets, catalog_diets=catalog.diets)
    settings = load_settings({"unproven_judges": given.unproven_judges})
    judges = judges_of(settings, catalog, "learned")
    cards = read_cards(settings.home, bars_of(settings.judge_bars))
    without = {criterion: judge for criterion, judge in judges.items() if criterion != "guardrail.allowed"}
    panels = [Panel(asked, cards, unproven=settings.unproven_judges) for asked in (judges, without)]
    print(f"deciding: {', '.join(panels[0].deciding) or 'nobody'}")

    def scores(page: Page, request: PageRequest) -> list[float]:
        ids = {item.item_id for section in page.sections for item in section.items}
        case = PageCase(request, page, {i: catalog.items[i] for i in ids})
        return [panel.judge(case).total or 0.0 for panel in panels]

    requests = split_requests(sections=6, items_per_section=8)[given.split]
    makers = {"packaged": (TopDown(catalog), (0,)), "static": (open_baseline("static", catalog), STATIC_SEEDS)}
    whole = [
        (name, request.model_copy(update={"seed": seed}), maker)
        for name, (maker, seeds) in makers.items()
        for request in requests
        for seed in seeds
    ]
    pairs = [(kind, *one) for one in whole for kind in BREAKERS]
    random.Random(0).shuffle(pairs)
    made: dict[tuple[str, str, int], tuple[Page, list[float]]] = {}
    outcomes: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for kind, name, request, maker in pairs:
        if sum(map(len, outcomes.values())) == given.pairs:
            break
        key = (name, request.shopper.shopper_id, request.seed)
        if key not in made:
            page = maker.generate(request)
            made[key] = (page, scores(page, request))
        page, before = made[key]
        broken = break_page(page, request, catalog, policy, kind=kind, seed=request.seed)
        if broken is not None:
            whole_fall, rest_fall = (b - a for b, a in zip(before, scores(broken, request), strict=True))
            outcomes[kind].append((whole_fall, rest_fall))
    print(
        f"{'broken by':22} {'pairs':>5} {'under':>5} {'share':>6} {'mean fall':>9} {'least':>7} {'without rules':>13}"
    )
    for kind, found in [*sorted(outcomes.items()), ("all", [fall for falls in outcomes.values() for fall in falls])]:
        falls, rest = zip(*found, strict=True)
        under, beside = (sum(fall > 0 for fall in some) for some in (falls, rest))
        row = f"{under / len(falls):6.3f} {sum(falls) / len(falls):9.3f} {min(falls):7.3f} {beside / len(rest):13.3f}"
        print(f"{kind:22} {len(falls):5d} {under:5d} {row}")


if __name__ == "__main__":
    main()
