"""The model zoo: the numbers of a published model, read from its module, with a source for each.

::

    numbers(module) = parameter table  +  symbols of the docstring that stand for a value  +  sources
    card(model, I)  = for each pool: share of the input, 1/K, what it passes on, X* = (A ξ K + V)⁻¹ B I

====== ======================================= ===== =========== ==============
symbol meaning                                 shape unit        code name
====== ======================================= ===== =========== ==============
B      share of the input that enters a pool   (n,)  1           model.B
1/K    residence time at ξ = 1, for each visit (n,)  yr          model.K
f      shares of what leaves that are passed   (n,n) 1           model.transfer
       on
X*     carbon at steady state                  (n,)  unit of I   steady_state
T      transit time: from input to release     ()    yr          transit_time
====== ======================================= ===== =========== ==============

A page that prints these tables cannot say anything else than the code does.
"""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from landcarbon.course.output import emit
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.scalars import Scalar
from landcarbon.models.parameters import ParameterTable
from landcarbon.theory.ages import transit_time

__all__ = ["card", "numbers", "rows", "scalars", "sources", "symbols"]


LONG = 22  # characters of a source that still fit into a column


def symbols(module: ModuleType) -> list[dict[str, str]]:
    """The table of symbols in a module's docstring, one dictionary a row.

    A line without an entry in the first column continues the row above, as in every table of
    reStructuredText.

    Raises
    ------
    InputError
        A module without such a table.

    Examples
    --------
    >>> from landcarbon.models import pools
    >>> symbols(pools)[0]["code name"], symbols(pools)[0]["unit"]
    ('k', 'yr-1')
    """
    lines, (top, head, bottom) = _table(module)
    spans = [(found.start(), found.end()) for found in re.finditer("=+", lines[top])]
    spans[-1] = (spans[-1][0], None)  # type: ignore[assignment]

    def cells(line: str) -> list[str]:
        return [line[begin:end].strip() for begin, end in spans]

    names = cells(lines[head - 1])
    found: list[list[str]] = []
    for line in lines[head + 1 : bottom]:
        row = cells(line)
        if row[0]:
            found.append(row)
        else:
            found[-1] = [f"{above} {here}".strip() for above, here in zip(found[-1], row)]
    return [dict(zip(names, row)) for row in found]


def sources(module: ModuleType) -> list[str]:
    """What the docstring says under its table, a paragraph or a numbered source each.

    Examples
    --------
    >>> from landcarbon.models import century
    >>> sources(century)[0][:36]
    '[1] Parton, Schimel, Cole & Ojima (1'
    """
    lines, (_, _, bottom) = _table(module)
    text = "\n".join(lines[bottom + 1 :])
    pieces = re.split(r"\n\s*\n|\n(?=\[\d+\])", text.strip())
    return [" ".join(piece.split()) for piece in pieces if piece.strip()]


def rows(module: ModuleType) -> list[dict[str, str]]:
    """Every number of a model: name, unit, default, bounds, source, meaning.

    First the rows of its `PARAMETERS`, or of all its tables where none has that name, then the
    symbols of the docstring whose code name is a constant of the module or a default of one of its
    functions.

    Examples
    --------
    >>> from landcarbon.models import pools
    >>> for row in rows(pools)[:2]:
    ...     print(row["name"], row["default"], row["unit"], row["source"])
    k 0.024 yr-1 60 / 2477, [1]
    k_young 0.8 yr-1 ICBM, [2]
    """
    tables = [value for value in vars(module).values() if isinstance(value, ParameterTable)]
    parameters = {p.name: p for table in tables for p in table}
    if hasattr(module, "PARAMETERS"):
        parameters = {p.name: p for p in module.PARAMETERS}
    found = [
        {
            "name": p.name,
            "unit": p.unit,
            "default": f"{p.default:.4g}",
            "bounds": f"{p.lower:.4g} to {p.upper:.4g}",
            "source": p.source,
            "meaning": p.description,
        }
        for p in parameters.values()
    ]
    known = {row["name"] for row in found}
    constants = _constants(module, functions=not found)
    for symbol in symbols(module):
        for name in re.split(r",\s*", symbol["code name"].split(" = ")[0]):
            if name in constants and name not in known:
                found.append(
                    {
                        "name": name,
                        "unit": symbol["unit"],
                        "default": _written(constants[name], getattr(module, "POOLS", ())),
                        "bounds": "",
                        "source": symbol.get("source", "named below"),
                        "meaning": symbol["meaning"],
                    }
                )
    return found


def numbers(module: ModuleType) -> None:
    """Show the numbers of a model with unit, bounds and source, and its sources below.

    A source of more than a few words stands below the table once, under a letter.
    """
    found = rows(module)
    below = sources(module)
    long = list(dict.fromkeys(row["source"] for row in found if len(row["source"]) > LONG))
    letters = dict(zip(long, "abcdefghijklmnopqrstuvwxyz"))
    if len(long) > len(letters):
        raise InputError(f"{module.__name__} names {len(long)} long sources; a table shows 26.")
    found = [{**row, "source": letters.get(row["source"], row["source"])} for row in found]
    below = [f"{letter}: {source}" for source, letter in letters.items()] + below
    columns = ("name", "unit", "default", "bounds", "source", "meaning")
    shown = [c for c in columns if any(row[c] for row in found)]
    _show([[row[c] for c in shown] for row in found], shown, below)


def card(model: MatrixModel, I: ArrayLike, *, xi: ArrayLike = 1.0, unit: str = "gC m⁻²") -> None:  # noqa: E741
    """Show the pools of a model: what enters, how long it stays, what is passed on, X*.

    Parameters
    ----------
    model : MatrixModel
        Without leading axes.
    I : float or array_like (inputs,)
        Input [unit per year].
    xi : float or array_like (n,)
        Environmental scalar.
    unit : str
        Unit of the carbon.

    Raises
    ------
    InputError
        A model with leading axes.
    """
    if model.K.ndim != 1 or model.A.ndim != 2:
        raise InputError("A card shows one model: A and K must have no leading axes.")
    entering = model.input(I)
    X = model.steady_state(I, xi)
    stay = transit_time(model, I, xi)
    table = [
        [
            pool,
            _digits(entering[j]),
            _digits(1 / model.K[j], 3) if model.K[j] else "never leaves",
            "; ".join(
                f"{model.transfer[i, j]:.3g} to {model.pools[i]}"
                for i in np.flatnonzero(np.round(model.transfer[:, j], 12))
            )
            or "nothing",
            _digits(X[j]),
        ]
        for j, pool in enumerate(model.pools)
    ]
    columns = ("pool", f"input [{unit} yr⁻¹]", "1/K [yr]", "share passed on", f"X* [{unit}]")
    total = (
        f"All pools: {_digits(X.sum())} {unit} at steady state. Mean transit time of the carbon that "
        f"enters the pools {_digits(stay.mean, 3)} yr, median {_digits(stay.quantile(0.5), 3)} yr."
    )
    _show(table, columns, [total])


def scalars(curves: Mapping[str, Scalar]) -> None:
    """Show curves of temperature or water: name, formula, argument, a value to know it by, source."""
    table = [
        [c.name, c.soilr, c.formula, c.of, f"{_digits(c.known[1])} at {_digits(c.known[0])}"]
        for c in curves.values()
    ]
    below = {c.source: None for c in curves.values()}
    named = {source: [c.name for c in curves.values() if c.source == source] for source in below}
    notes = [f"{', '.join(names)}: {source}." for source, names in named.items()]
    _show(table, ("name", "SoilR", "formula", "of", "value"), notes)


def _table(module: ModuleType) -> tuple[list[str], tuple[int, int, int]]:
    lines = inspect.cleandoc(module.__doc__ or "").splitlines()
    rules = [n for n, line in enumerate(lines) if re.fullmatch(r"=+( =+)+", line)]
    if len(rules) < 3:
        raise InputError(
            f"The docstring of {module.__name__} has no table of symbols between three lines of =."
        )
    return lines, (rules[0], rules[1], rules[2])


def _constants(module: ModuleType, *, functions: bool) -> dict[str, Any]:
    """Constants of a module and, where `functions`, the defaults of its public functions."""
    found: dict[str, Any] = {}
    for name in module.__all__ if functions else ():
        value = getattr(module, name)
        if inspect.isfunction(value) and value.__module__ == module.__name__:
            for key, argument in inspect.signature(value).parameters.items():
                if isinstance(argument.default, (int, float)):
                    found.setdefault(key, argument.default)
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, (int, float, tuple, dict)):
            found[name] = value
    return found


def _digits(value: ArrayLike, n: int = 4) -> str:
    """A number with n digits, and without an exponent as long as it can be read so."""
    number = float(f"{float(np.asarray(value)):.{n}g}")
    return f"{number:,.0f}" if 1e3 <= abs(number) < 1e7 else f"{number:.{n}g}"


def _written(value: Any, pools: Sequence[str]) -> str:
    def name(key: Any) -> str:
        if isinstance(key, tuple):
            return " → ".join(name(part) for part in key)
        return pools[key] if pools else str(key)

    if isinstance(value, Mapping):
        return "; ".join(f"{name(key)} {amount:.4g}" for key, amount in value.items())
    if isinstance(value, tuple):
        rows = isinstance(value[0], tuple)
        return ("; " if rows else ", ").join(_written(part, ()) for part in value)
    return f"{value:.4g}"


def _show(table: list[list[str]], columns: Sequence[str], below: list[str]) -> None:
    def marked(text: str) -> str:
        return re.sub(r"`+([^`]+)`+", r"<code>\1</code>", html.escape(text))

    head = "".join(f'<th scope="col">{html.escape(c)}</th>' for c in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{marked(cell)}</td>" for cell in row) + "</tr>" for row in table
    )
    page = (
        f'<table class="table docutils zoo"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
    page += "".join(f"<p>{marked(piece)}</p>" for piece in below)
    width = [max(len(row[i]) for row in [list(columns), *table]) for i in range(len(columns))]
    plain = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, width)).rstrip()
        for row in [list(columns), *table]
    ]
    emit({"text/html": page, "text/plain": "\n".join([*plain, *below])})
