"""Text of others made safe to show, on a terminal and in HTML."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Replace control characters by a space and remove marks that reorder the text around them."""
    return _CONTROLS.sub(" ", _DIRECTION.sub("", text))


def read_template(name: str, **filters: Callable[..., Any]) -> "Template":
    """The template `name` of serving/templates: text is escaped and cleaned, a name it lacks is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("genrec.serving"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(name)


def _finalize(value: Any) -> Any:  # noqa: ANN401 - Jinja2 passes whatever an expression yields
    return clean(value) if type(value) is str else value
