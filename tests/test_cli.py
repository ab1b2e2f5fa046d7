"""The command line: what goes to stdout, to stderr and into the exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from genrec import cli
from genrec.evaluation.judges import CRITERIA
from genrec.evaluation.results import EvaluationReport
from genrec.page import Page, Shopper
from tests import faulty_server as faulty
from tests.faulty_server import serving
from tests.tiny_gold import write_gold

HEAVY = ("torch", "dspy", "mlflow", "litellm", "transformers", "pyarrow", "numpy", "pydantic", "xllamacpp", "rich")
WHO = ("generate", "--shopper", "maya-vegan-student", "--on", "2026-11-12")


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """An empty current folder, the shared index, the quick gate, and no settings of whoever runs the tests."""
    for name in [n for n in os.environ if n.startswith(("GENREC_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENREC_HOME", str(home))
    monkeypatch.setenv("GENREC_RELEVANCE", "cosine")
    monkeypatch.setenv("GENREC_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("GENREC_LM_DEADLINE", "60")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments)


def generate(address: str, *arguments: str) -> Result:
    return run(*WHO, "--lm", "openai/faulty", "--api-base", address, *arguments)


@pytest.mark.parametrize("arguments", [["--help"], ["generate", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom genrec.cli import main\n"
        f"try:\n    main({arguments!r}, prog_name='genrec')\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(heavy, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "[]"
    assert "genrec" in done.stdout


def test_help_in_a_process_of_its_own():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "genrec.cli", "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "Compose whole shop pages" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & set(HEAVY)


def test_every_command_has_help():
    for name, command in cli.main.commands.items():
        result = run(name, "--help")
        assert result.exit_code == 0
        assert command.help, name


def test_a_page_as_json():
    with serving(faulty.says(faulty.good)) as server:
        result = generate(server.address, "--format", "json", "--strict", "--seed", "3")
    assert result.exit_code == 0, result.stderr
    page = Page.model_validate_json(result.stdout)
    assert (page.shopper_id, page.provenance.seed, len(page.sections)) == ("maya-vegan-student", 3, 6)
    assert "degraded" not in result.stderr


def test_a_page_as_a_table_and_in_files():
    with serving(faulty.says(faulty.good)) as server:
        result = generate(server.address, "--sections", "2", "--items", "3", "-o", "page.json", "-o", "page.html")
    assert result.exit_code == 0, result.stderr
    page = Page.model_validate_json(Path("page.json").read_text(encoding="utf-8"))
    assert [len(section.items) for section in page.sections] == [3, 3]
    assert page.sections[0].theme.title in result.stdout
    assert page.sections[0].theme.title in Path("page.html").read_text(encoding="utf-8")
    assert "wrote page.json" in result.stderr


@pytest.mark.parametrize(("flags", "status"), [([], 0), (["--strict"], 3)])
def test_a_degraded_page_says_so(flags, status):
    with serving(faulty.fails(500)) as server:
        result = generate(server.address, "--format", "json", *flags)
    assert result.exit_code == status, result.stderr
    page = Page.model_validate_json(result.stdout)
    assert [len(section.items) for section in page.sections] == [8] * 6
    assert "degraded: plan: openai/faulty failed" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("fault", [None, faulty.hangs, faulty.half_a_json])
def test_faults_end_well(fault):
    with serving(fault or faulty.html) as server:
        result = generate(server.address if fault else faulty.closed_port(), "--format", "json", "--lm-timeout", "1")
    assert result.exit_code == 0, result.stderr
    assert len(Page.model_validate_json(result.stdout).sections) == 6
    assert "static theme library" in result.stderr


def test_a_process_of_its_own_keeps_stdout_clean():
    """Libraries that print to the real stdout would show here and not in CliRunner."""
    command = [sys.executable, "-m", "genrec.cli", *WHO, "--lm", "openai/faulty", "--api-base", faulty.closed_port()]
    done = subprocess.run([*command, "--format", "json", "--strict"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 3, done.stderr
    assert len(json.loads(done.stdout)["sections"]) == 6
    assert "Connection refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_lm_that_was_never_measured_does_not_guard_unless_a_flag_says_so(tmp_path, home, monkeypatch):
    """The sample's index stays where it is; the cards are those of an empty home."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "indexes").symlink_to(home / "indexes", target_is_directory=True)
    monkeypatch.setenv("GENREC_HOME", str(tmp_path / "home"))
    with serving(faulty.says(faulty.good)) as server:
        result = generate(server.address, "--format", "json", "--sections", "2")
        allowed = generate(server.address, "--format", "json", "--sections", "2", "--unproven-judges")
    assert result.exit_code == allowed.exit_code == 0, result.stderr
    notice = "the LM is not asked as a guard (openai/faulty on guardrail.allowed: never measured)"
    assert result.stderr.count(notice) == 1 and notice not in allowed.stderr
    assert list(Page.model_validate_json(result.stdout).usage) == ["plan", "describe"]
    assert list(Page.model_validate_json(allowed.stdout).usage) == ["plan", "describe", "guard"]


def test_judges_under_their_bar_do_not_drive_compile(monkeypatch):
    monkeypatch.setenv("GENREC_JUDGE_BARS", ",".join(f"{criterion}=1" for criterion in CRITERIA))
    result = run("compile", "--metric", "judged", "--minutes", "0")
    assert result.exit_code == 1
    assert result.stderr.startswith("genrec: --metric judged: no judge may decide: item.relevance (learned, ")
    assert "--unproven-judges" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.slow
def test_unproven_judges_drive_compile_when_a_flag_says_so(monkeypatch):
    monkeypatch.setenv("GENREC_JUDGE_BARS", ",".join(f"{criterion}=1" for criterion in CRITERIA))
    limits = ("--optimizer", "labeled", "--minutes", "0", "--train", "1", "--dev", "1")
    with serving(faulty.says(faulty.good)) as server:
        where = ("--lm", "openai/faulty", "--api-base", server.address)
        result = run("compile", "--metric", "judged", "--unproven-judges", *where, *limits)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("judges' score ")
    told = " ".join(result.stdout.split())
    assert "under their bar, and deciding because it was asked for: item.relevance, section.appeal" in told
    assert "judged-1" in run("versions").stdout


@pytest.mark.slow
def test_the_embedded_model_is_the_default():
    result = run(*WHO, "--sections", "1", "--items", "3", "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert Page.model_validate_json(result.stdout).provenance.lm == "embedded/smollm2-135m"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("generate", "--shopper", "nobody-of-this-name"), "nobody-of-this-name"),
        ((*WHO, "--catalog", "missing.jsonl"), "missing.jsonl"),
        ((*WHO, "--lm", "gpt-x"), "openai/gpt-x"),
        ((*WHO, "--api-base", "http://127.0.0.1:1"), "--api-base"),
        ((*WHO, "--sections", "0"), "sections"),
        ((*WHO, "--objective", "discovery=many"), "--objective discovery=many"),
        ((*WHO, "--threshold", "7"), "threshold"),
        ((*WHO, "--model", "models:/genrec-page@champion"), "genrec compile"),
        (("promote", "7"), "genrec compile"),
        (("rollback",), "genrec compile"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, tuple) else "",
)
def test_mistakes_are_one_line_with_a_remedy(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.startswith("genrec: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate",),
        ("nonsense",),
        (*WHO, "--format", "pdf"),
        (*WHO, "--on", "yesterday"),
        (*WHO, "-o", "page.pdf"),
        (*WHO, "--seed", "x"),
        ("schema", "cart"),
        ("search", "tea", "--limit", "0"),
    ],
    ids=lambda value: " ".join(value[-2:]),
)
def test_wrong_usage(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr or "Error: " in result.stderr
    assert result.stdout == ""


def test_looking_around():
    found = run("search", "oat milk", "--limit", "3")
    assert found.exit_code == 0, found.stderr
    assert "oat" in found.stdout.lower()
    people = run("shoppers")
    assert people.exit_code == 0
    assert "maya-vegan-student" in people.stdout


@pytest.mark.parametrize("name", ["item", "shopper", "request", "page"])
def test_schemas(name):
    result = run("schema", name)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["additionalProperties"] is False


def test_an_index_of_ones_own():
    rows = [
        {"item_id": f"tea-{n}", "title": f"{kind} tea, 20 bags", "categories": ["Drinks", "Tea"], "price": 2.0 + n}
        for n, kind in enumerate(["Green", "Black", "Mint", "Lemon", "Rooibos", "White"])
    ]
    Path("tea.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    built = run("index", "tea.jsonl", "-o", "tea")
    assert built.exit_code == 0, built.stderr
    assert "6 items" in built.stdout
    found = run("search", "rooibos", "--catalog", "tea", "--limit", "1")
    assert "Rooibos" in found.stdout
    Path("bad.jsonl").write_text('{"item_id": "tea-1"', encoding="utf-8")
    bad = run("index", "bad.jsonl", "-o", "tea")
    assert bad.exit_code == 1
    assert "bad.jsonl:1" in bad.stderr
    assert run("search", "rooibos", "--catalog", "tea").exit_code == 0


def test_doctor():
    result = run("doctor")
    assert result.exit_code in (0, 1)
    assert "smollm2" in result.stdout.lower()
    assert result.exception is None or isinstance(result.exception, SystemExit)


# Evaluating. The small pages of baselines need no LM.

BASELINES = ("--program", "popular", "--program", "repeat", "--judge", "none")
SMALL = ("--limit", "2", "--sections", "2", "--items", "3")


def alone(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, but for the index of the sample."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "indexes").symlink_to(home / "indexes", target_is_directory=True)
    monkeypatch.setenv("GENREC_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["popular", "repeat"])
def test_a_baseline_makes_a_page(name, shoppers):
    result = run(*WHO, "--model", name, "--format", "json", "--strict", "--sections", "3", "--items", "4")
    assert result.exit_code == 0, result.stderr
    page = Page.model_validate_json(result.stdout)
    assert (page.provenance.program, page.provenance.lm) == (f"baseline {name}", "none")
    assert [len(section.items) for section in page.sections] == [4, 4, 4]
    bought = {purchase.item_id for purchase in shoppers["maya-vegan-student"].history}
    again = [section for section in page.sections if section.theme.title.startswith("Buy again: ")]
    assert bool(again) is (name == "repeat")
    assert {item.item_id for section in again for item in section.items} <= bought


def test_evaluate_writes_prints_and_does_not_log_unless_it_may(shoppers):
    result = run("evaluate", *BASELINES, *SMALL, "--no-log", "-o", "out")
    assert result.exit_code == 0, result.stderr
    report = EvaluationReport.model_validate_json(Path("out/report.json").read_bytes())
    assert [program.name for program in report.programs] == ["popular", "repeat"]
    assert (len(report.shoppers), report.on.isoformat(), report.sections) == (2, "2026-11-12", 2)
    assert set(report.shoppers) <= set(shoppers)
    lines = squeezed(result.stdout)
    assert "metric popular repeat" in lines
    recall = next(line for line in lines if line.startswith("recall "))
    means = [program.means["recall"] for program in report.programs]
    assert [float(word) for word in recall.split()[1:] if word[0].isdigit()] == [
        pytest.approx(mean.value, abs=0.0006) for mean in means if mean is not None
    ]
    assert result.stderr == f"wrote {Path('out/report.html')} and report.json\n"
    assert Path("out/report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not Path("mlflow.db").exists()
    again = run("evaluate", *BASELINES, *SMALL, "--no-log", "-o", "out")
    assert again.stdout == result.stdout


def test_evaluate_goes_into_the_home_and_is_logged(tmp_path, home, monkeypatch):
    from mlflow import MlflowClient

    place = alone(tmp_path, home, monkeypatch)
    result = run("evaluate", "--program", "popular", "--judge", "none", *SMALL, "--on", "2026-11-05", "--weeks", "1")
    assert result.exit_code == 0, result.stderr
    (folder,) = (place / "evaluations").iterdir()
    assert folder.name.endswith("-2026-11-05")
    report = EvaluationReport.model_validate_json((folder / "report.json").read_bytes())
    wrote, logged = result.stderr.splitlines()
    assert wrote.endswith("report.html and report.json")
    assert logged.startswith("logged as run ")
    run_of_it = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_run(logged.removeprefix("logged as run "))
    assert run_of_it.info.status == "FINISHED"
    assert (run_of_it.data.params["programs"], run_of_it.data.params["on"]) == ("popular", "2026-11-05")
    (program,) = report.programs
    assert program.means["coverage"] is not None
    assert run_of_it.data.metrics["popular.coverage"] == pytest.approx(program.means["coverage"].value)


def test_evaluate_on_ones_own_shoppers():
    history = [{"item_id": "couscous", "at": f"2026-10-{day:02}"} for day in (3, 5, 9)]
    people = [Shopper.model_validate({"shopper_id": name, "history": history}) for name in ("ann", "bob")]
    Path("mine.jsonl").write_text("\n".join(one.model_dump_json() for one in people), encoding="utf-8")
    asked = ("evaluate", *BASELINES, *SMALL, "--no-log", "-o", "out", "--shoppers", "mine.jsonl")
    without = run(*asked)
    assert (without.exit_code, without.stdout) == (1, "")
    assert without.stderr.startswith("genrec: mine.jsonl: say on which day pages are made (--on)")
    result = run(*asked, "--on", "2026-10-05", "--match", "item", "--least-before", "2", "--least-after", "1")
    assert result.exit_code == 0, result.stderr
    report = EvaluationReport.model_validate_json(Path("out/report.json").read_bytes())
    assert (report.shoppers, report.weeks, report.match) == (("ann", "bob"), 1, "item")
    nobody = run(*asked, "--on", "2026-10-05", "--least-before", "3")
    assert nobody.exit_code == 1
    assert "none of 2 shoppers has 3 purchases up to 2026-10-05" in nobody.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--program", "populr"), "'populr' is no program; there are packaged, models:/NAME@ALIAS, and popular"),
        (("--program", "popular", "--program", "popular"), "--program popular popular: each only once"),
        (("--program", "models:/genrec-page@champion"), "genrec compile"),
        (("--program", "popular", "--split", "holdout"), "--split holdout: choose one of train, dev, test, all"),
        (("--program", "popular", "--shoppers", "none.jsonl", "--on", "2026-10-05"), "none.jsonl"),
        (("--program", "popular", "--objective", "discovery=many"), "--objective discovery=many"),
        (("--program", "popular", "--judge", "lm"), "the embedded model is no judge"),
        (("--judges", "--judge", "lm"), "the embedded model is no judge"),
        (("--judges", "--judge", "none"), "name who is to be measured, learned or lm"),
        (("--judges", "--split", "all"), "--split all: gold judgments have train, dev, test"),
        (("--judges", "--gold", "nowhere"), "nowhere: no gold judgments"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, tuple) else "",
)
def test_evaluations_that_make_no_sense_are_one_line_with_a_remedy(tmp_path, home, monkeypatch, arguments, said):
    place = alone(tmp_path, home, monkeypatch)
    result = run("evaluate", *arguments, "-o", "out")
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.stderr.startswith("genrec: ") and said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("out").exists()
    assert [path.name for path in place.iterdir()] == ["indexes"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gold", "mine"), "--gold goes with --judges"),
        (("--limit", "0"), "--limit"),
        (("--sections", "0"), "--sections"),
        (("--least-before", "-1"), "--least-before"),
        (("--judge", "nobody"), "--judge"),
        (("--match", "brand"), "--match"),
        (("--on", "yesterday"), "--on"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_of_evaluate(arguments, said):
    result = run("evaluate", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.slow
def test_judges_are_measured_on_ones_own_gold(tmp_path, home, monkeypatch):
    place = alone(tmp_path, home, monkeypatch)
    monkeypatch.setenv("GENREC_JUDGE_BARS", "guardrail.allowed=0.75, item.relevance=1")
    write_gold(tmp_path / "mine")
    result = run("evaluate", "--judges", "--gold", "mine", "-o", "out")
    assert result.exit_code == 0, result.stderr
    header, *rows = squeezed(result.stdout)
    assert header.startswith("criterion judge cases weighted kappa AUC TPR TNR ceiling bar")
    table = {row.split()[0]: row.split() for row in rows}
    assert set(table) == set(CRITERIA)
    guard = table["guardrail.allowed"]
    assert guard[1:4] == ["rules", "24", "0.750"]
    assert guard[-5:] == ["1.00", "0.80", "-", "0.75", "decides"]
    assert (table["item.relevance"][1:3], table["item.relevance"][-2:]) == (["learned", "24"], ["1.00", "advisory"])
    assert result.stderr == f"wrote {Path('out/judges.json')}\n"
    cards = json.loads(Path("out/judges.json").read_bytes())["cards"]
    assert [card["criterion"] for card in cards] == list(table)
    kept = json.loads((place / "judges.json").read_bytes())["cards"]
    assert sorted(kept, key=str) == sorted(cards, key=str), "to be gone by from now on"
