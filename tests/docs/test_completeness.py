"""Nothing is left out of the documentation: commands, options, settings, dependencies, tags of the theme library."""

import json
import re
import tomllib

import click
import pytest

from genrec.cli import main
from genrec.settings import PREFIX, Settings
from tests.docs.test_docs import DOCS, ROOT, blocks


def section(text: str, heading: str) -> str:
    """What stands under a second-level heading."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> list[list[str]]:
    """The code spans in the first cell of every table row."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    return [spans for row in rows if (spans := re.findall(r"`([^`]+)`", row))]


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_and_option_is_in_commands_md(name: str):
    text = section((DOCS / "commands.md").read_text(encoding="utf-8"), f"genrec {name}")
    assert text, f"docs/commands.md has no heading '## genrec {name}'"
    described = {span for spans in first_cells(text) for span in spans}
    for parameter in main.commands[name].params:
        wanted = set(parameter.opts) if isinstance(parameter, click.Option) else {parameter.human_readable_name}
        assert wanted <= described, f"docs/commands.md, genrec {name}: {sorted(wanted - described)}"
    known = {option for parameter in main.commands[name].params for option in parameter.opts}
    unknown = {span for span in described if span.startswith("-")} - known
    assert not unknown, f"docs/commands.md, genrec {name}: {sorted(unknown)} is no option of it"


def test_no_command_in_commands_md_is_gone():
    headings = re.findall(r"^## genrec (\S+)$", (DOCS / "commands.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(main.commands)


def test_every_setting_is_in_settings_md_with_its_default():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (DOCS / "settings.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    described = {row[0].strip("`"): row for row in rows}
    assert sorted(described) == sorted(Settings.model_fields)
    flags = {option for command in main.commands.values() for p in command.params for option in p.opts}
    for name, field in Settings.model_fields.items():
        _, environment, flag, _, default = described[name]
        own = f"--{name.replace('_', '-')}"
        assert environment == f"`{PREFIX}{name.upper()}`"
        assert flag == (f"`{own}`" if own in flags else "")
        assert default == ("not set" if field.default is None else f"`{field.default}`"), name


def test_the_settings_file_of_settings_md_is_valid():
    (block,) = blocks(DOCS / "settings.md", "toml")
    Settings.model_validate(tomllib.loads(block.body))


def test_every_direct_dependency_is_in_dependencies_md():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    required += [
        line
        for line in (ROOT / "requirements-embedded.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    names = {re.split(r"[\[<>=!~; ]", one)[0].lower() for one in required}
    text = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    assert {spans[0] for spans in first_cells(text)} == names
    assert all(line.count("|") == 5 for line in text.splitlines() if line.startswith("| ")), "a cell is missing"


def test_every_tag_of_the_theme_library_is_in_themes_md():
    text = " ".join((DOCS / "themes.md").read_text(encoding="utf-8").split())
    lines = (ROOT / "genrec" / "programs" / "themes.jsonl").read_text(encoding="utf-8").splitlines()
    themes = [json.loads(line) for line in lines]
    for kind in ("occasions", "household", "diets", "objectives", "not_for"):
        tags = sorted({tag for theme in themes for tag in theme[kind]})
        assert f"- `{kind}`: {', '.join(tags)}" in text


def test_the_theme_of_themes_md_is_one():
    from genrec.programs.library import LibraryTheme

    for block in blocks(DOCS / "themes.md", "json"):
        assert len(LibraryTheme.model_validate_json(block.body).title) <= 48
