"""Widgets that move in the built page without a kernel, and are live in Jupyter.

All states are drawn beforehand; sliders choose which one is seen (``jslink``, done by the browser).
The same `draw` function makes the states and the static twin.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from html import escape
from itertools import product
from typing import Any

from matplotlib.figure import Figure

from landcarbon.course import plots
from landcarbon.course.output import emit
from landcarbon.matrix.errors import InputError

__all__ = ["explore"]

Draw = Callable[..., tuple[Figure, str]]

STATE_KB = 15
TOTAL_KB = 700


def explore(
    draw: Draw,
    *,
    twin: bool = False,
    start: dict[str, Any] | None = None,
    labels: dict[str, str] | None = None,
    **choices: Sequence[Any],
) -> None:
    """Show a picture with one or two sliders.

    Parameters
    ----------
    draw : callable
        ``draw(**state) -> (figure, sentence)``; the sentence is the read-out under the picture
        and its alternative text, with the numbers that matter.
    twin : bool
        Also show the starting state as a plain figure, for print and for readers without scripts.
    start : dict, optional
        The state seen first; the middle of each choice by default.
    labels : dict, optional
        What stands beside each slider; the names of the choices by default.
    **choices : sequence
        One or two parameters and their values, drawn in every combination. A picture takes up to
        15 kB, all together 700 kB: about 45 states.

    Raises
    ------
    InputError
        No choice or more than two, a value asked for at the start that is not offered, or pictures
        that are too heavy.

    Examples
    --------
    >>> def draw(k):
    ...     fig, ax = plots.figure()
    ...     _ = ax.axhline(1 / k)
    ...     return fig, f"At k = {k} per year carbon stays {1 / k:.0f} years."
    >>> explore(draw, k=[0.1, 0.2, 0.5], labels={"k": "turnover rate k [1/yr]"})
    Widget with one slider: k from 0.1 to 0.5
      k = 0.1: At k = 0.1 per year carbon stays 10 years.
      k = 0.5: At k = 0.5 per year carbon stays 2 years.
    """
    import ipywidgets as w

    if len(choices) not in (1, 2):
        raise InputError(f"explore takes one or two choices, but {len(choices)} were given.")
    offered = {name: list(options) for name, options in choices.items()}
    begin = _begin(offered, start or {})
    first = [options.index(begin[name]) for name, options in offered.items()]
    pictures = {point: _picture(draw, offered, point) for point in product(*offered.values())}
    total = sum(size for _, _, size in pictures.values())
    if total > TOTAL_KB * 1000:
        raise InputError(
            f"{len(pictures)} pictures take {total / 1000:.0f} kB, the limit is {TOTAL_KB} kB: "
            f"offer fewer values or draw less in each."
        )
    sliders = [
        w.SelectionSlider(
            options=[_written(v) for v in options],
            index=index,
            description=(labels or {}).get(name, name),
            style={"description_width": "initial"},
            layout={"width": "95%", "max_width": "600px"},
        )
        for (name, options), index in zip(offered.items(), first)
    ]
    shown = {point: w.HTML(html) for point, (html, _, _) in pictures.items()}
    stack, links = _stacked(shown, list(offered.values()), first, sliders)
    if twin:
        plots.show(*draw(**begin))
    box = w.VBox([*sliders, stack])
    # The links live as long as the widget they belong to.
    box._links = links
    bundle = box._repr_mimebundle_() or {}
    sentences = {point: sentence for point, (_, sentence, _) in pictures.items()}
    bundle["text/plain"] = _summary(list(offered), list(offered.values()), sentences)
    emit(bundle)


def _begin(offered: dict[str, list[Any]], start: dict[str, Any]) -> dict[str, Any]:
    """The state seen first: what is asked for, else the middle of each choice."""
    begin = {name: options[len(options) // 2] for name, options in offered.items() if options} | start
    for name, options in offered.items():
        if len(options) < 2:
            raise InputError(f"The choice {name!r} needs at least two values.")
        if begin[name] not in options:
            raise InputError(f"start asks for {name} = {begin[name]!r}; offered are {options}.")
    return begin


def _picture(
    draw: Draw, offered: dict[str, list[Any]], point: tuple[Any, ...]
) -> tuple[str, str, int]:
    """A state as HTML, its sentence, and the bytes it takes."""
    fig, sentence = draw(**dict(zip(offered, point)))
    width = min(plots.RENDER_WIDTH, round(fig.get_figwidth() * 100))
    data = plots.png(fig, dpi=110, colours=32, limit_kb=STATE_KB)
    source = base64.b64encode(data).decode("ascii")
    html = (
        f'<img alt="{escape(sentence)}" style="width: 100%; max-width: {width}px; height: auto" '
        f'src="data:image/png;base64,{source}">'
        f'<p role="status" style="margin: 0.2em 0; line-height: 1.4">{escape(sentence)}</p>'
    )
    return html, sentence, len(data) * 4 // 3


def _stacked(
    shown: dict[tuple[Any, ...], Any], values: list[list[Any]], first: list[int], sliders: list[Any]
) -> tuple[Any, list[Any]]:
    """The states behind their sliders: a stack, or a stack of stacks, and the links between them."""
    import ipywidgets as w

    if len(values) == 1:
        stack = w.Stack([shown[(v,)] for v in values[0]], selected_index=first[0])
        return stack, [w.jslink((sliders[0], "index"), (stack, "selected_index"))]
    rows = [w.Stack([shown[a, b] for b in values[1]], selected_index=first[1]) for a in values[0]]
    stack = w.Stack(rows, selected_index=first[0])
    links = [w.jslink((sliders[0], "index"), (stack, "selected_index"))]
    return stack, links + [w.jslink((sliders[1], "index"), (row, "selected_index")) for row in rows]


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _summary(
    names: list[str], values: list[list[Any]], sentences: dict[tuple[Any, ...], str]
) -> str:
    """A stable text form of the widget: its range, and what is read at the ends."""
    kind = "one slider" if len(names) == 1 else "two sliders"
    ranges = ", ".join(
        f"{name} from {_written(options[0])} to {_written(options[-1])}"
        for name, options in zip(names, values)
    )
    points: list[tuple[Any, ...]]
    if len(names) == 1:
        points = [(values[0][0],), (values[0][-1],)]
    else:
        points = [(a, b) for a in (values[0][0], values[0][-1])
                  for b in (values[1][0], values[1][-1])]
    lines = [f"Widget with {kind}: {ranges}"]
    for point in points:
        at = ", ".join(f"{name} = {_written(v)}" for name, v in zip(names, point))
        lines.append(f"  {at}: {sentences[point]}")
    return "\n".join(lines)
