"""The documentation is held to the code: blocks run, command lines parse, links resolve. See test_completeness.py."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from genrec.cli import main
from genrec.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])

NOT_RUN = re.compile(
    r"models:/|api_base|genrec\.registry|optimizers\.(compile|relevance_training)|mlflow|train_relevance"
)
"""Blocks that name one of these need a registry, a server or training: they are compiled, not run."""
HEAVY = re.compile(r"Catalog\.open|TopDown\(|\.generate\(|open_lm\(|CrossEncoderGate|MiniLM\(")
"""Blocks that load models or index the sample."""

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block; `line` is that of its first line of content."""

    language: str
    body: str
    line: int


def blocks(page: Path, language: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [Block(m["language"], m["body"], text.count("\n", 0, m.start("body")) + 1) for m in FENCE.finditer(text)]
    return [block for block in found if block.language == language]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# Python blocks. Those of one page run in order and share their names.


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks(page, "python") if not NOT_RUN.search(block.body)]


def python_pages() -> list[object]:
    found: list[object] = []
    for page in PAGES:
        if run := runnable(page):
            heavy = any(HEAVY.search(block.body) for block in run)
            found.append(pytest.param(page, id=name_of(page), marks=[pytest.mark.slow] if heavy else []))
    return found


@pytest.mark.parametrize("page", python_pages())
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for variable in [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GENREC_HOME", str(ROOT / ".genrec"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "documentation"}
    for block in runnable(page):
        source = "\n" * (block.line - 1) + block.body  # a traceback then shows the line of the page
        exec(compile(source, name_of(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_compile_and_data_blocks_parse(page: Path):
    for block in blocks(page, "python"):
        compile("\n" * (block.line - 1) + block.body, name_of(page), "exec")
    for block in blocks(page, "json"):
        json.loads(block.body)
    for block in blocks(page, "toml"):
        tomllib.loads(block.body)


# Command lines.


def shell_lines(page: Path) -> list[str]:
    """Lines of indented and shell blocks, continuations joined. Prose and Python are left out."""
    text = page.read_text(encoding="utf-8")
    shell = "\n".join(
        block.body for language in ("", "sh", "bash", "shell", "console") for block in blocks(page, language)
    )
    indented = re.findall(r"^ {4}\S.*(?:\n {4,}.*)*", FENCE.sub("", text), re.MULTILINE)
    joined = re.sub(r"\\\n\s*", " ", "\n".join([shell, *indented]))
    return [line.strip() for line in joined.splitlines()]


def command_lines(page: Path) -> list[list[str]]:
    """The arguments of every `genrec ...` line, without what the shell would take."""
    found = []
    for line in shell_lines(page):
        match = re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\S*/)?genrec (?P<arguments>[^|>]*)", line)
        if match and not line.startswith(("genrec:", "genrec.")):
            found.append(shlex.split(re.sub(r"\s#.*$", "", match["arguments"])))
    return found


def parse(arguments: list[str]) -> None:
    """Parse as the command line would, running nothing."""
    name, *rest = arguments
    if name.startswith("-"):
        return parse_group(arguments)
    command = main.commands.get(name)
    if command is None:
        raise click.UsageError(f"No such command {name!r}.")
    try:
        command.make_context(f"genrec {name}", rest)
    except click.exceptions.Exit as done:  # --help
        assert done.exit_code == 0
    return None


def parse_group(arguments: list[str]) -> None:
    known = {option for parameter in main.get_params(click.Context(main)) for option in parameter.opts}
    if unknown := set(arguments) - known:
        raise click.NoSuchOption(sorted(unknown)[0])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_command_lines_parse(page: Path):
    for arguments in command_lines(page):
        try:
            parse(arguments)
        except click.UsageError as error:
            pytest.fail(f"{name_of(page)}: genrec {' '.join(arguments)}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_named_in_prose_exist(page: Path):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for span in re.findall(r"`genrec ([^`\n]+)`", prose):
        words = [word for word in span.split() if word != "COMMAND"]
        options = [word.partition("=")[0] for word in words if word.startswith("-")]
        if words and not words[0].startswith("-"):
            assert words[0] in main.commands, f"genrec {span}"
            known = {"-h", "--help"} | {option for p in main.commands[words[0]].params for option in p.opts}
            assert set(options) <= known, f"genrec {span}"


def test_a_wrong_command_line_is_noticed():
    for wrong in (["generat"], ["generate"], ["generate", "--shopper", "x", "--colour"], ["search"], ["--colour"]):
        with pytest.raises(click.UsageError):
            parse(wrong)


def test_there_are_command_lines_to_check():
    assert len(command_lines(ROOT / "README.md")) >= 8
    assert len(command_lines(DOCS / "commands.md")) >= 10


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = [*re.findall(r"`make ([a-z-]+)`", text), *re.findall(r"^    make ([a-z-]+)$", text, re.MULTILINE)]
    assert set(named) <= targets


# Links and wording.


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown renderer makes of the headings."""
    headings = re.findall(r"^#{1,6} (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_resolve(page: Path):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'(?:src|href)="([^"]+)"', text)]
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{name_of(page)}: {target} is not there"
        if anchor:
            assert anchor in anchors(linked), f"{name_of(page)}: {target} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_is_linked_from_the_readme(page: Path):
    readme = ROOT / "README.md"
    if page != readme:
        assert f"({name_of(page)})" in readme.read_text(encoding="utf-8")


FOREIGN = re.compile(r"(?<![\w.])/(?:home|root|Users|work|tmp)/|[A-Z]:\\Users|~/")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_path_of_a_machine(page: Path):
    found = FOREIGN.search(page.read_text(encoding="utf-8"))
    assert found is None, f"{name_of(page)}: {found and found.group()}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_repository_files_named_in_code_spans_exist(page: Path):
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for span in re.findall(r"`((?:genrec|scripts|tests|benchmarks|docs)/[\w./-]+)`", prose):
        assert (ROOT / span).exists(), f"{name_of(page)}: {span}"
