"""A widget of a chapter that runs in the reader's page: free sliders, the curve before, a place for a guess.

In a built page `landcarbon.course.widgets.explore` shows states that were drawn beforehand. Where the course for a
browser stands beside the pages (``course.py lite``), a button under the widget starts Python in the page
(``book/_static/live.js``). This module then runs what the widget rests on, out of the chapter's own
cells, and draws every state that the sliders ask for.
"""

from __future__ import annotations

import ast
import base64
import io
import symtable
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np

from landcarbon.course import plots
from landcarbon.matrix.errors import InputError

__all__ = ["Live", "program"]

GROWS = {"add", "append", "extend", "insert", "setdefault", "update"}
"""Calls that change what a name holds."""

Curve = tuple[str, Any, Any]


def program(cells: Sequence[str], number: int) -> tuple[str, str]:
    """What a widget rests on: the statements that its names come from, and its own cell.

    Parameters
    ----------
    cells : sequence of str
        The code cells of a chapter.
    number : int
        Which of the chapter's widgets, from 0.

    Returns
    -------
    (str, str)
        The statements before, in their order, and the cell that calls `explore`.

    Raises
    ------
    InputError
        The chapter has no such widget.

    Examples
    --------
    >>> program(["a = 1", "b = a\\nc = 3", "explore(draw, k=[b])"], 0)
    ('a = 1\\nb = a', 'explore(draw, k=[b])')
    """
    trees = [ast.parse(cell).body for cell in cells]
    own = [n for n, body in enumerate(trees) if any(map(_explores, body))]
    if not 0 <= number < len(own):
        raise InputError(f"widget {number} was asked for, but this chapter has {len(own)}, counted from 0.")
    before = [ast.unparse(s) for body in trees[: own[number]] for s in body if not _explores(s)]
    reads, binds = zip(*map(_globals, before)) if before else ((), ())
    wanted, kept = _globals(cells[own[number]])[0], [False] * len(before)
    while kept != (now := [bool(wanted & bound) for bound in binds]):
        kept = now
        wanted = wanted.union(*(read for read, keep in zip(reads, kept) if keep))
    return "\n".join(s for s, keep in zip(before, kept) if keep), cells[own[number]]


def _explores(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "explore"


def _globals(code: str) -> tuple[set[str], set[str]]:
    """Names of the chapter that code reads, and those that it gives a value or changes the value of."""
    top = symtable.symtable(code, "chapter", "exec")
    tables, reads = [top], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        reads |= {s.get_name() for s in table.get_symbols()
                  if s.is_referenced() and (table is top or s.is_global())}  # fmt: skip
    binds = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    for node in ast.walk(ast.parse(code)):
        changed: ast.AST | None = None
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            changed = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in GROWS:
            changed = node.func.value
        while isinstance(changed, (ast.Subscript, ast.Attribute)):
            changed = changed.value
        if isinstance(changed, ast.Name):
            binds.add(changed.id)
    return reads, binds


class Live:
    """One widget that is drawn when asked.

    Parameters
    ----------
    cells : sequence of str
        The code cells of a chapter.
    number : int
        Which of the chapter's widgets, from 0.

    Attributes
    ----------
    sliders : list of dict
        For each choice its name, its label, the values offered and the place of the first among them.
    """

    def __init__(self, cells: Sequence[str], number: int = 0) -> None:
        before, own = program(cells, number)
        space: dict[str, Any] = {"__name__": "chapter"}
        exec(compile(before, "chapter", "exec"), space)
        space["explore"] = self._offered
        exec(compile(own, "chapter", "exec"), space)
        self._fig: Any = None
        self._last: list[list[Curve]] = []

    def _offered(
        self, draw: Any, *, start: Any = None, labels: Any = None, twin: bool = False, **choices: Any
    ) -> None:
        self._draw = draw
        self.sliders: list[dict[str, Any]] = []
        for name, values in choices.items():
            options = [v.item() if isinstance(v, np.generic) else v for v in values]
            first = (start or {}).get(name, options[len(options) // 2])
            self.sliders.append({"name": name, "label": (labels or {}).get(name, name),
                                 "options": options, "first": options.index(first)})  # fmt: skip

    def picture(self, **state: Any) -> dict[str, Any]:
        """Draw a state over the curves of the last one, in grey.

        Parameters
        ----------
        **state
            A value for each slider.

        Returns
        -------
        dict
            ``png`` (base64), ``sentence`` (what the picture shows), ``curves`` (whether a guess can be put).
        """
        fig, sentence = self._draw(**state)
        curves = [_curves(ax) for ax in fig.axes]
        for ax, old in zip(fig.axes, self._last):
            for _, x, y in old:
                ax.plot(x, y, "-", color="#999999", linewidth=1.2, zorder=1, scalex=False, scaley=False)
        raw = io.BytesIO()
        with mpl.rc_context(plots._RC):
            fig.savefig(raw, format="png", dpi=150, facecolor="white")
        self._fig, self._last = fig, curves
        return {"png": base64.b64encode(raw.getvalue()).decode("ascii"), "sentence": sentence,
                "curves": any(curves)}  # fmt: skip

    def answer(self, x: float, y: float) -> str:
        """What the curves drawn last say about a guess.

        Parameters
        ----------
        x, y : float
            Place of the guess, as a share of the picture from its lower left corner.
        """
        if self._fig is None:
            raise InputError("there is no picture yet; call picture(...) before answer(x, y).")
        for ax, curves in zip(self._fig.axes, self._last):
            if curves and ax.get_position().contains(x, y):
                spot = self._fig.transFigure.transform((x, y))
                at, guess = ax.transData.inverted().transform(spot)
                said = [f"{label.replace('$', '')} {np.interp(at, xs, ys):.3g}" for label, xs, ys in curves
                        if xs[0] <= at <= xs[-1]]  # fmt: skip
                where = f"{ax.get_xlabel() or 'x'} {at:.3g}"
                return f"Your guess at {where}: {guess:.3g}. The model: {', '.join(said) or 'no curve there'}."
        return "Your guess lies beside the axes."


def _curves(ax: Any) -> list[Curve]:
    """Lines with a name that run from left to right."""
    found = []
    for line in ax.lines if ax.axison else ():
        x, y = (np.asarray(v, float) for v in line.get_data())
        if x.size > 2 and line.get_linestyle() != "None" and not line.get_label().startswith("_"):
            if np.all(np.diff(x) >= 0):
                found.append((line.get_label(), x, y))
    return found
