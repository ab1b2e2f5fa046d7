"""From what a caller says to a PageRequest: shoppers by id or file, objectives as NAME=WEIGHT."""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from genrec.catalog.ingest import SHOPPER_FILES, read_shoppers
from genrec.catalog.sample import shoppers_path
from genrec.errors import RequestError
from genrec.page import Objective, PageRequest, Shopper


def find_shopper(name: str) -> Shopper:
    """A sample shopper by id, the only one of FILE, or the one that FILE#ID names.

    Raises:
        RequestError: there is no such shopper, or the file holds several.

    """
    file, mark, wanted = name.partition("#")
    if os.path.isfile(file):  # unlike Path.is_file it never raises, whatever the name
        people = read_shoppers(Path(file))
        if not mark and len(people) == 1:
            return people[0]
        where = file
    elif file.lower().endswith(SHOPPER_FILES):
        raise RequestError(f"{file}: no such file of shoppers; check the path")
    else:
        people, where, wanted = read_shoppers(shoppers_path()), "the sample", name
    for shopper in people:
        if shopper.shopper_id == wanted:
            return shopper
    some = ", ".join([s.shopper_id for s in people[:3]] + ["..."] * (len(people) > 3))
    remedy = (
        f"name one as {file}#ID" if where != "the sample" else "`genrec shoppers` lists them; a file path works too"
    )
    raise RequestError(f"{where}: no single shopper {wanted!r} among {len(people)} ({some}); {remedy}")


def everyone_beside(name: str) -> list[Shopper]:
    """All shoppers of the file that `name` (see `find_shopper`) is in, or of the sample."""
    file = name.partition("#")[0]
    return read_shoppers(Path(file) if os.path.isfile(file) else shoppers_path())


def parse_objective(text: str) -> Objective:
    """An objective from NAME or NAME=WEIGHT.

    Raises:
        RequestError: the weight is no number from 0 to 1.

    """
    name, equals, weight = text.partition("=")
    try:
        return Objective(name=name.strip(), weight=float(weight) if equals else 1.0)
    except (ValueError, ValidationError) as error:
        raise RequestError(f"--objective {text}: write NAME=WEIGHT with a weight from 0 to 1") from error


def page_request(
    shopper: str,
    *,
    occasion: str,
    on: date,
    objectives: Sequence[str],
    sections: int,
    items_per_section: int,
    seed: int,
) -> PageRequest:
    """The request that the words of a command line make.

    Raises:
        RequestError: a value is out of range; the message names the field.

    """
    try:
        return PageRequest(
            shopper=find_shopper(shopper),
            occasion=occasion,
            on=on,
            objectives=tuple(parse_objective(o) for o in objectives),
            sections=sections,
            items_per_section=items_per_section,
            seed=seed,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
