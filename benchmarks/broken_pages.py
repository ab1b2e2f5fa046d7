"""Does the judges' score fall when a page is broken on purpose?

    python benchmarks/broken_pages.py [--pairs 200] [--split test] [--unproven-judges]

Pages of the sample's shoppers, who are in no training data of the judges with --split test: one of the packaged program
and three of the static library for each. Each is broken in every way of genrec.evaluation.broken that it can be,
and both are judged. A tie counts as a failure.
"""

import argparse
import random
from collections import defaultdict

from genrec.catalog.store import Catalog
from genrec.evaluation.broken import BREAKERS, break_page
from genrec.evaluation.cards import read_cards
from genrec.evaluation.judges import PageCase
from genrec.evaluation.learned import open_learned
from genrec.evaluation.panel import Panel
from genrec.evaluation.rule_judges import PolicyJudge
from genrec.optimizers.training_sets import split_requests
from genrec.page import Page, PageRequest
from genrec.programs.baselines import open_baseline
from genrec.programs.policy import ShopPolicy
from genrec.programs.top_down import TopDown
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
    judges = {**open_learned(catalog.items), "guardrail.allowed": PolicyJudge(policy)}
    panel = Panel(judges, read_cards(load_settings().home), unproven=given.unproven_judges)
    print(f"deciding: {', '.join(panel.deciding) or 'nobody'}")

    def score(page: Page, request: PageRequest) -> float:
        ids = {item.item_id for section in page.sections for item in section.items}
        verdict = panel.judge(PageCase(request, page, {i: catalog.items[i] for i in ids}))
        return verdict.total if verdict.total is not None else 0.0

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
    made: dict[tuple[str, str, int], tuple[Page, float]] = {}
    outcomes: dict[str, list[float]] = defaultdict(list)
    for kind, name, request, maker in pairs:
        if sum(map(len, outcomes.values())) == given.pairs:
            break
        key = (name, request.shopper.shopper_id, request.seed)
        if key not in made:
            page = maker.generate(request)
            made[key] = (page, score(page, request))
        page, before = made[key]
        broken = break_page(page, request, catalog, policy, kind=kind, seed=request.seed)
        if broken is not None:
            outcomes[kind].append(before - score(broken, request))
    print(f"{'broken by':22} {'pairs':>5} {'under':>5} {'share':>6} {'mean fall':>9} {'least':>7}")
    for kind, falls in [*sorted(outcomes.items()), ("all", [f for row in outcomes.values() for f in row])]:
        under = sum(fall > 0 for fall in falls)
        row = f"{under / len(falls):6.3f} {sum(falls) / len(falls):9.3f} {min(falls):7.3f}"
        print(f"{kind:22} {len(falls):5d} {under:5d} {row}")


if __name__ == "__main__":
    main()
