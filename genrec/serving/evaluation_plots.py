"""Intervals as small inline SVG drawings. Colours and fonts are the page's own (CSS variables); text stays text."""

import io
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from genrec.serving.safe_text import clean

WIDTH = 380
"""Pixels: one drawing fits a phone, three stand side by side on a desk."""

LABEL_CHARACTERS = 22
"""Longest label; a longer one loses its middle, as names differ at their ends."""


class Row(NamedTuple):
    """One line of a drawing: a point, its interval and a label at either end."""

    label: str
    value: float | None
    """None: nothing is drawn, and `text` says why."""
    low: float | None
    high: float | None
    text: str
    """The number as it is written, at the right."""
    accent: bool = False
    """Point and interval are in the accent colour."""
    named: bool = False
    """So are the label and the text."""
    filled: bool = True
    """A disc; otherwise a ring."""
    ticks: tuple[float, ...] = ()
    """Thresholds to mark on this row."""


def plot_intervals(
    rows: Sequence[Row],
    *,
    name: str,
    title: str,
    description: str,
    digits: int,
    zero: bool = False,
    flip: bool = False,
    ends: tuple[str, str] = ("", ""),
) -> str:
    """Draw rows from the top as an SVG element that is safe to put into a page; the same rows give the same bytes.

    `name` begins its ids and must be unique in the page. `zero` draws the line of no difference, `flip` has greater
    values at the left, `ends` says what left and right mean, `digits` are those of the axis.
    """
    left, right, top, line = 12 + 6.3 * _longest([row.label for row in rows]), 64, 6, 22
    bottom = 32 if any(ends) else 18
    height = top + line * max(len(rows), 1) + bottom
    words: list[str] = []
    with matplotlib.rc_context(_settings()):
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        FigureCanvasSVG(figure)

        def write(text: str, x: float, y: float, align: str, colour: str, size: float = 11) -> None:
            # A stand-in: matplotlib shall neither read mathematics into the text nor look for its glyphs.
            figure.text(x / WIDTH, y / height, f"@{len(words)}", ha=align, va="center", color=colour, size=size)
            words.append(clean(text))

        box = (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - top - bottom) / height)
        axes = figure.add_axes(box)
        low, high = _limits(rows, zero=zero)
        axes.set_xlim((high, low) if flip else (low, high))
        axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        _draw_axis(axes, digits, zero=zero)
        for place, row in enumerate(rows):
            _draw_row(axes, place, row)
            y = height - top - line * (place + 0.5)
            colour = _ACCENT if row.named else _INK
            write(short(row.label), left - 10, y, "right", colour)
            write(row.text, WIDTH, y, "right", colour)
        if any(ends):
            write(ends[0], left, 8, "left", _SOFT, 10)
            write(ends[1], WIDTH - right, 8, "right", _SOFT, 10)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    return _inline(drawn.getvalue(), words, name=name, title=title, description=description)


def short(label: str, limit: int = LABEL_CHARACTERS) -> str:
    """Cut the middle out of a label that is too long."""
    label = clean(label)
    if len(label) <= limit:
        return label
    tail = (limit - 1) // 2
    return f"{label[: limit - 1 - tail]}…{label[-tail:]}"


_INK, _SOFT, _LINE, _ACCENT, _PAPER = "#010203", "#010204", "#010205", "#010206", "#010207"
_VARIABLES = {
    _INK: "var(--ink, #211d18)",
    _SOFT: "var(--soft, #635b50)",
    _LINE: "var(--line, #e2d9ca)",
    _ACCENT: "var(--accent, #a3361c)",
    _PAPER: "var(--paper, #fbf8f2)",
}
"""Stand-ins that matplotlib can draw with, and the colours of the page that take their place."""


def _settings() -> dict[Any, Any]:
    """Matplotlib's own settings, whatever the user's are, and ours. Its own font is the same everywhere."""
    kept: dict[Any, Any] = {
        key: value for key, value in matplotlib.rcParamsDefault.items() if not key.startswith("backend")
    }
    return kept | {"font.family": ["DejaVu Sans"], "svg.fonttype": "none", "svg.hashsalt": "genrec"}


def _longest(labels: Sequence[str]) -> int:
    return max((len(short(label)) for label in labels), default=0)


def _limits(rows: Sequence[Row], *, zero: bool) -> tuple[float, float]:
    """Where the axis begins and ends: all that is drawn, and some room."""
    drawn = [x for row in rows for x in (row.value, row.low, row.high, *row.ticks) if x is not None]
    known = [x for x in drawn if math.isfinite(x)] + ([0.0] if zero else [])
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 0.1
    return low - room, high + room


def _draw_axis(axes: Axes, digits: int, *, zero: bool) -> None:
    axes.set_facecolor("none")
    axes.figure.set_facecolor("none")
    axes.spines[["top", "left", "right", "bottom"]].set_visible(False)
    axes.yaxis.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _tick(x, digits)))
    axes.tick_params(axis="x", length=0, pad=3, labelsize=9, labelcolor=_SOFT)
    axes.grid(axis="x", color=_LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    if zero:
        axes.axvline(0, color=_SOFT, linewidth=1.2, zorder=1.5)


def _tick(x: float, digits: int) -> str:
    text = f"{x:,.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text.replace("-", "\N{MINUS SIGN}")


def _draw_row(axes: Axes, place: int, row: Row) -> None:
    if row.value is None or not math.isfinite(row.value):
        return
    colour = _ACCENT if row.accent else _INK
    if row.low is not None and row.high is not None:
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
    face = colour if row.filled else _PAPER
    axes.plot(row.value, place, "o", markersize=6.5, color=colour, markerfacecolor=face, markeredgewidth=1.4)
    for tick in row.ticks:
        axes.plot([tick, tick], [place - 0.32, place + 0.32], color=_SOFT, linewidth=1.4)


def _inline(document: bytes, words: Sequence[str], *, name: str, title: str, description: str) -> str:
    """Make an element for HTML of a file: no namespaces, prolog or style sheet; ids of its own; a title to be read."""
    root = ElementTree.fromstring(document)
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _own(_local(key), value, name) for key, value in element.attrib.items()}
        if element.text and element.text.startswith("@"):
            element.text = words[int(element.text[1:])]
    root.attrib = {
        "class": "drawing",
        "viewBox": root.attrib["viewBox"],
        "width": str(WIDTH),
        "role": "img",
        "aria-labelledby": f"{name}-title",
        "aria-describedby": f"{name}-about",
    }
    for place, (tag, ident, words) in enumerate((("title", "title", title), ("desc", "about", description))):
        said = ElementTree.Element(tag, {"id": f"{name}-{ident}"})
        said.text = clean(words)
        root.insert(place, said)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _own(attribute: str, value: str, name: str) -> str:
    if attribute == "id":
        return f"{name}-{value}"
    value = re.sub(r"^#|(?<=url\()#", f"#{name}-", value) if attribute in ("href", "clip-path") else value
    if attribute != "style":
        return value
    value = re.sub(r"font-family: [^;]*", "font-family: var(--sans, sans-serif)", value)
    for stand_in, variable in _VARIABLES.items():
        value = value.replace(stand_in, variable)
    return value
