"""Lexical, dense and hybrid search beside rank-bm25, bm25s, numpy and Haystack: how fast, how large, how exact?

    python benchmarks/retrieval.py --sizes 5000 50000 [--embedder minilm] [--catalog FILE] [--peers ...]
    python benchmarks/retrieval.py --sizes 1000000

Needs `pip install -c constraints.txt -e '.[bench]'`. Prints a Markdown table each for lexical, dense and hybrid search
and for the footprint. A peer beyond --limit-seconds or --limit-gb in a step is a row "not run" with the reason.
"""

import argparse
import gc
import importlib
import json
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections import defaultdict
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from measuring import FEWEST, Reference, Timing, recall, references, seconds_of, timed
from peers import LIMIT, PEERS, SYSTEMS, TOPICS, Genrec, OneByOne
from workload import PAGE, SINGLE, Workload, prepare


def speed_row(size: int, name: str, timing: Timing, recalls: tuple[str, str]) -> list[str]:
    """Medians, and the medians of the ratios within pairs."""
    ms, page = timing.single * 1e3, np.median(timing.page, axis=0) * 1e3
    single = ["", "", "", ""]
    if len(ms):
        single = [f"{np.median(ms[:, place]):.3f} / {np.quantile(ms[:, place], 0.99):.3f}" for place in (1, 0)]
        single += [str(len(ms)), f"**{np.median(ms[:, 1] / ms[:, 0]):.1f}**"]
    page_ratio = np.median(timing.page[:, 1] / timing.page[:, 0])
    return [f"{size:,}", name, *single, *recalls, f"{page[1]:.2f}", f"{page[0]:.2f}", f"**{page_ratio:.1f}**"]


SPEED = ["items", "peer", "peer ms (median / p99)", "genrec ms (median / p99)", "pairs", "peer / genrec"]
SPEED += ["recall@100 peer", "recall@100 genrec", f"{PAGE} queries: peer ms", "genrec ms", "peer / genrec"]
FOOTPRINT = ["items", "system", "build s", "disk MB", "open s", "first query ms", "reader RSS MB"]
FOOTPRINT += ["of it files", "before opening", "queries answered"]


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    print(f"\n### {title}\n")
    print(f"| {' | '.join(head)} |\n|{'|'.join('---' for _ in head)}|")
    for row in rows:
        print(f"| {' | '.join(row + [''] * (len(head) - len(row)))} |", flush=True)


def child(args: argparse.Namespace) -> dict[str, Any]:
    """Build or read one system in this fresh process; returns what was measured."""
    system, workload = SYSTEMS[args.system], Workload(args.workload)
    if args.system != "genrec":
        resource.setrlimit(resource.RLIMIT_DATA, (int(args.limit_gb * 2**30),) * 2)
    for module in system.modules:
        importlib.import_module(module)
    folder = args.workload / args.system.replace(" ", "-")
    if args.child == "build":
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        extra = [workload.items()] if system is Genrec else []
        start = time.perf_counter()
        given = system.build(workload, folder, *extra) or {"embed_s": 0.0}
        took = time.perf_counter() - start - given["embed_s"]
        return {"build_s": took, "disk": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())}
    before, _ = _resident()
    start = time.perf_counter()
    opened = system.open(folder, workload)
    took = time.perf_counter() - start
    first, answered, deadline = seconds_of(opened.search, workload.queries[0]), 1, time.perf_counter() + args.seconds
    for query in workload.queries[1:SINGLE]:
        if answered < FEWEST or time.perf_counter() < deadline:
            opened.search(query)
            answered += 1
    total, mapped = _resident()
    memory = {"rss": total, "mapped": mapped, "before": before}
    return {"open_s": took, "first_s": first, "answered": answered} | memory


def _resident() -> tuple[int, int]:
    """Bytes of this process in memory, and how many of them are pages of files."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024, int(lines["RssFile"].split()[0]) * 1024


def measured(step: str, name: str, workload: Workload, args: argparse.Namespace) -> dict[str, Any]:
    """Run `child` in a process of its own; {"not run": reason} when it fails or is over a limit."""
    command = [sys.executable, __file__, "--child", step, "--system", name, "--workload", str(workload.folder)]
    command += ["--limit-gb", str(args.limit_gb), "--seconds", str(args.seconds)]
    limit = None if name == "genrec" else args.limit_seconds
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"not run": f"{step}: over {limit:g} s"}
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "MemoryError" in done.stderr:
        return {"not run": f"{step}: over {args.limit_gb:g} GB"}
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return {"not run": f"{step}: exit status {done.returncode}, {last}"}


def footprint(workload: Workload, args: argparse.Namespace) -> tuple[list[list[str]], dict[str, str]]:
    """Build and read every system; returns table rows, and reasons by the name of what did not run."""
    rows, missing = [], {}
    for name in ["genrec", *args.peers]:
        facts_file = workload.folder / name.replace(" ", "-") / "build.json"
        if args.reuse and facts_file.exists():
            facts = json.loads(facts_file.read_text())
        else:
            facts = measured("build", name, workload, args)
            if "not run" not in facts:
                facts_file.write_text(json.dumps(facts))
        if "not run" not in facts:
            facts |= measured("read", name, workload, args)
        cells = [f"{workload.facts['size']:,}", name]
        if "build_s" in facts:
            cells += [f"{facts['build_s']:.1f}", f"{facts['disk'] / 1e6:.0f}"]
        if "not run" in facts:
            missing[name] = facts["not run"]
            rows.append([*cells, f"not run ({missing[name]})"])
            continue
        cells += [f"{facts['open_s']:.2f}", f"{facts['first_s'] * 1e3:.1f}"]
        rows.append(
            [*cells, *(f"{facts[key] / 1e6:.0f}" for key in ("rss", "mapped", "before")), str(facts["answered"])]
        )
    if "genrec" in missing:
        sys.exit(f"genrec: {missing['genrec']}")
    return rows, missing


def compared(workload: Workload, args: argparse.Namespace, missing: dict[str, str]) -> dict[str, list[list[str]]]:
    """Time genrec beside every peer, one peer in memory at a time; returns table rows by topic."""
    size, queries = workload.facts["size"], workload.queries
    opened = {name: None for name in missing}
    okapi = None
    if "rank-bm25" in args.peers and "rank-bm25" not in missing:
        okapi = PEERS["rank-bm25"].open(workload.folder / "rank-bm25", workload)
    exact = references(workload, okapi, args.limit_seconds)
    genrec = Genrec.open(workload.folder / "genrec", workload)
    print(f"\n{size:,} items: {identical(genrec, queries, exact['lexical'])}", flush=True)
    del okapi
    rows: dict[str, list[list[str]]] = {topic: [] for topic in TOPICS}
    for topic, names in TOPICS.items():
        genrec.mode = topic
        own = recall(genrec, workload, exact[topic], args.seconds)
        for name in [name for name in names if name in args.peers]:
            if name in opened:
                rows[topic].append([f"{size:,}", name, f"not run ({missing[name]})"])
                continue
            peer = PEERS[name].open(workload.folder / name.replace(" ", "-"), workload)
            _settle()
            timing = timed(genrec, peer, queries[SINGLE:], args.seconds, queries[:SINGLE])
            theirs = "—" if topic == "hybrid" else recall(peer, workload, exact[topic], args.seconds)
            rows[topic].append(speed_row(size, name, timing, (theirs, own)))
            del peer
        _settle()
        timing = timed(genrec, OneByOne(genrec), queries[SINGLE:], args.seconds)
        rows[topic].append(speed_row(size, "genrec, one by one", timing, ("", own)))
    return rows


def identical(genrec: Genrec, queries: list[str], exact: list[Reference]) -> str:
    """How many lexical rankings are rank-bm25's own, item by item."""
    genrec.mode = "lexical"
    same = sum(genrec.ids(genrec.search(query)) == one.best for query, one in zip(queries, exact, strict=False))
    return f"lexical top {LIMIT} identical to BM25Okapi.get_scores {same}/{len(exact)} (of {len(queries)} queries)"


def _settle() -> None:
    """Keep a large heap of one system from slowing the garbage collections of another."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _stay_offline() -> None:
    """Let no peer reach the network, whatever it would like to report."""

    def refuse(self: socket.socket, address: Any) -> None:
        raise OSError(f"benchmarks stay offline: no connection to {address}")

    socket.socket.connect = refuse  # type: ignore[method-assign]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--embedder", default="static", help="static, minilm, a model folder, or hashed (no model)")
    parser.add_argument("--catalog", type=Path, help="JSONL of items; default: The Complete Journey, else synthetic")
    parser.add_argument("--work", type=Path, default=Path(".genrec/bench"), help="where workloads and indexes are kept")
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--reuse", action="store_true", help="take indexes, and their build times, of the last run")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the timed queries of one pair of systems")
    parser.add_argument("--limit-seconds", type=float, default=600.0, help="for a peer's build, and for its reader")
    parser.add_argument("--limit-gb", type=float, default=10.0, help="memory of a peer's build, and of its reader")
    parser.add_argument("--child", choices=("build", "read"), help=argparse.SUPPRESS)
    parser.add_argument("--system", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    parser.add_argument("--workload", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    _stay_offline()
    if args.child:
        try:
            print(json.dumps(child(args)))
        except MemoryError:
            sys.exit("MemoryError")
        return
    needed = {module.partition(".")[0] for name in args.peers for module in PEERS[name].modules}
    if absent := sorted(module for module in needed if not find_spec(module)):
        sys.exit(f"not installed: {absent}; pip install -c constraints.txt -e '.[bench]', or leave peers out (--peers)")
    of = packages_distributions()
    versions = ", ".join(f"{name} {version(name)}" for name in sorted({of[m][0] for m in needed | {"numpy"}}))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {versions}", flush=True)
    rows: dict[str, list[list[str]]] = defaultdict(list)
    for size in args.sizes:
        workload = prepare(args.work, size, args.embedder, args.catalog)
        facts = workload.facts
        print(
            f"\n{size:,} items of {facts['source']}; {facts['embedder']}, {facts['dim']} dims, embedded in "
            f"{facts['embed_s']:.0f} s; {SINGLE} single queries and a page of {PAGE}",
            flush=True,
        )
        found_rows, missing = footprint(workload, args)
        rows["footprint"] += found_rows
        for topic, topic_rows in compared(workload, args, missing).items():
            rows[topic] += topic_rows
    for topic in TOPICS:
        table(f"{topic.capitalize()} search, top {LIMIT}", SPEED, rows[topic])
    table("Footprint", FOOTPRINT, rows["footprint"])


if __name__ == "__main__":
    main()
