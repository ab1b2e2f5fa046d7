"""Writing a page: table, JSON or HTML, to a file or to stdout."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

from genrec.catalog.items import Item
from genrec.errors import RequestError
from genrec.page import Page, PageRequest

OUTPUTS: Mapping[str, str] = {".html": "html", ".json": "json", ".txt": "table"}
"""File suffix to form."""
PIPE_COLUMNS = 110


def write_page(page: Page, request: PageRequest, items: Mapping[str, Item], *, form: str, path: Path | None) -> None:
    """Write `page` in `form` to `path`, or to stdout when it is None. A file is replaced whole or not at all.

    Raises:
        RequestError: the file cannot be written.

    """
    text = _render(page, request, items, form, to_terminal=path is None)
    if path is None:
        click.echo(text, nl=False)
        return
    temporary = path.parent / f".{path.name}.part"
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise RequestError(f"{path}: cannot be written: {error.strerror or error}") from error


def _render(page: Page, request: PageRequest, items: Mapping[str, Item], form: str, *, to_terminal: bool) -> str:
    if form == "json":
        return page.model_dump_json(indent=2) + "\n"
    shopper, on, occasion = request.shopper, request.on, request.occasion
    if form == "html":
        from genrec.serving.page_html import render_page_html

        return render_page_html(page, items, shopper=shopper, on=on, occasion=occasion)
    from rich.console import Console

    from genrec.serving.page_table import print_page

    console = Console()
    if not (to_terminal and console.is_terminal):
        console = Console(width=PIPE_COLUMNS, no_color=True, force_terminal=False)
    with console.capture() as captured:
        print_page(page, items, shopper=shopper, on=on, occasion=occasion, console=console)
    return captured.get()
