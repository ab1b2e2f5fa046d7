"""Pages for 20 sample shoppers by the embedded model: are they whole, allowed, distinct, and what do they cost?

    python benchmarks/pages.py [--shoppers 20] [--json FILE]

Prints one row a shopper and, below, each promise beside what was measured. Exit status 1 when a promise is broken.
"""

import argparse
import json
import time
from datetime import date
from pathlib import Path

from genrec import Catalog, PageRequest, TopDown
from genrec.catalog.ingest import read_shoppers
from genrec.catalog.sample import shoppers_path
from genrec.page import TITLE_LIMIT
from genrec.programs.policy import ShopPolicy
from genrec.programs.state import packaged_state

ON = date(2026, 11, 12)
STEP = 3
"""Every third shopper, so that all splits and special cases take part."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shoppers", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write the pages here, one a line")
    args = parser.parse_args()
    catalog = Catalog.open()
    generator = TopDown(catalog)
    policy = ShopPolicy(catalog.declares_diets)
    people = read_shoppers(shoppers_path())
    people = (people[::STEP] + people[1::STEP] + people[2::STEP])[: args.shoppers]
    demos = packaged_state()["predictors"]["plan"]["demos"]
    taught = {theme["title"].casefold() for demo in demos for theme in demo["themes"]}
    taught |= _training_titles()

    print(
        f"{'shopper':28} sections items denied repeats titles>48 copied "
        "fail/calls  in/cached/out   LM s  all s  degraded"
    )
    rows, pages = [], []
    for shopper in people:
        request = PageRequest(shopper=shopper, on=ON)
        start = time.perf_counter()
        page = generator.generate(request)
        seconds = time.perf_counter() - start
        pages.append(page)
        items = [item.item_id for section in page.sections for item in section.items]
        titles = [section.theme.title for section in page.sections]
        denied = sum(
            not verdict.allowed or not catalog.items[verdict.item_id].in_stock
            for section in page.sections
            for verdict in policy.check(request, section.theme.title, [catalog.items[i.item_id] for i in section.items])
        )
        usage = list(page.usage.values())
        row = {
            "shopper": shopper.shopper_id,
            "sections": len(page.sections),
            "items": len(items),
            "denied": denied,
            "repeats": len(items) - len(set(items)),
            "long": sum(len(t) > TITLE_LIMIT for t in titles),
            "same": len(titles) - len({t.casefold() for t in titles}),
            "copied": sum(t.casefold() in taught for t in titles),
            "failures": sum(u.failures for u in usage),
            "calls": sum(u.calls for u in usage),
            "input": sum(u.input_tokens for u in usage),
            "cached": sum(u.cached_tokens for u in usage),
            "output": sum(u.output_tokens for u in usage),
            "lm_seconds": sum(u.seconds for u in usage),
            "seconds": seconds,
            "degraded": [d.stage for d in page.degraded],
        }
        rows.append(row)
        print(
            f"{row['shopper']:28} {row['sections']:8} {row['items']:5} {row['denied']:6} {row['repeats']:7} "
            f"{row['long']:9} {row['copied']:6} {row['failures']:4}/{row['calls']:<5} "
            f"{row['input']:5}/{row['cached']}/{row['output']} "
            f"{row['lm_seconds']:6.1f} {row['seconds']:6.1f}  {', '.join(row['degraded']) or '-'}",
            flush=True,
        )
    if args.json:
        args.json.write_text("".join(page.model_dump_json() + "\n" for page in pages), encoding="utf-8")
    titles = sum(r["sections"] for r in rows)
    calls = sum(r["calls"] for r in rows)
    lm = sorted(r["lm_seconds"] for r in rows)
    promises = [
        ("pages with 6 sections of 8 items", sum(r["sections"] == 6 and r["items"] == 48 for r in rows), len(rows)),
        ("items denied or out of stock", sum(r["denied"] for r in rows), 0),
        ("items shown twice on a page", sum(r["repeats"] for r in rows), 0),
        ("titles over 48 characters or repeated", sum(r["long"] + r["same"] for r in rows), 0),
    ]
    broken = False
    print()
    for name, measured, wanted in promises:
        broken |= measured != wanted
        print(f"{name:42} {measured} (promised {wanted})")
    copied, failed = sum(r["copied"] for r in rows) / titles, sum(r["failures"] for r in rows) / max(calls, 1)
    cached = sum(r["cached"] for r in rows) / max(sum(r["input"] for r in rows), 1)
    broken |= copied > 0.1 or failed > 0.02
    print(f"{'titles copied from what the LM was shown':42} {copied:.1%} (promised at most 10%)")
    print(f"{'LM calls that failed or did not parse':42} {failed:.2%} of {calls} (promised under 2%)")
    print(f"{'prompt tokens from the prefix cache':42} {cached:.0%}")
    print(f"{'LM seconds a page, median and most':42} {lm[len(lm) // 2]:.1f}, {lm[-1]:.1f} (promised at most 20)")
    print(f"{'degraded pages':42} {sum(bool(r['degraded']) for r in rows)} of {len(rows)}")
    raise SystemExit(int(broken))


def _training_titles() -> set[str]:
    """Titles that the planner's adapter was trained on: copying those is no invention either."""
    import genrec.optimizers

    data = Path(genrec.optimizers.__file__).parent / "data"
    titles = set()
    for path in sorted(data.glob("sections_*.jsonl")):
        titles |= {json.loads(line)["title"].casefold() for line in path.read_text(encoding="utf-8").splitlines()}
    for line in (data / "plans.jsonl").read_text(encoding="utf-8").splitlines():
        titles |= {text.split(" | ")[0].casefold() for text in json.loads(line)["plan"]}
    return titles


if __name__ == "__main__":
    main()
