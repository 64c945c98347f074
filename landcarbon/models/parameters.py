"""Parameter tables: what a model's numbers are called, and what values they may take.

::

    theta = (theta_1, ..., theta_p),    lower_k <= theta_k <= upper_k

======= ========================= ===== =========== =========== ===============
symbol  meaning                   shape unit        code name   source
======= ========================= ===== =========== =========== ===============
theta   parameter values          (p,)  table.units theta       the model
lower_k smallest admissible value (p,)  as theta_k  table.lower table[k].source
upper_k largest admissible value  (p,)  as theta_k  table.upper table[k].source
======= ========================= ===== =========== =========== ===============
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from difflib import get_close_matches

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number, as_whole
from landcarbon.matrix.frozen import keep

__all__ = ["Parameter", "ParameterTable"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model.

    Parameters
    ----------
    name : str
        Short name, usable as a keyword (``tau_s2``).
    unit : str
        Unit of the value, "1" for a pure number.
    lower, upper : float
        Bounds; the prior lives between them.
    default : float
        Value the model uses unless told otherwise, within the bounds.
    source : str
        Where bounds and default come from.
    description : str
        Meaning, a few words.
    prior : str
        Prior family between the bounds, see `landcarbon.assimilation.Prior`.

    Raises
    ------
    InputError
        A name that is no identifier, bounds upside down, a default outside the bounds.
    """

    name: str
    unit: str
    lower: float
    upper: float
    default: float
    source: str = ""
    description: str = ""
    prior: str = "uniform"

    def __post_init__(self) -> None:
        if not str(self.name).isidentifier():
            raise InputError(
                f"a parameter name must be a valid Python identifier, but {self.name!r} was given. "
                "Use letters, digits and underscores, such as tau_s2."
            )
        for field in ("lower", "upper", "default"):
            keep(self, **{field: as_number(f"{field} of parameter {self.name!r}", getattr(self, field))})
        if not self.lower < self.upper:
            raise InputError(
                f"parameter {self.name!r} has lower bound {self.lower:g} and upper bound "
                f"{self.upper:g}; lower must be below upper. To hold it fixed, leave it out of the "
                "table and pass its value to the model."
            )
        if not self.lower <= self.default <= self.upper:
            raise InputError(
                f"parameter {self.name!r} has default {self.default:g} outside its bounds "
                f"{self.lower:g} to {self.upper:g}. Widen the bounds or choose another default."
            )


@dataclass(frozen=True)
class ParameterTable:
    """An ordered table of parameters.

    Parameters
    ----------
    parameters : sequence of Parameter
        Rows, each name once.

    Examples
    --------
    >>> table = ParameterTable([
    ...     Parameter("tau", "yr", 1.0, 50.0, 20.0, description="turnover time"),
    ...     Parameter("q10", "1", 1.2, 3.0, 1.5, description="temperature sensitivity"),
    ... ])
    >>> print(table)
    name  unit  lower  upper  default  prior    description
    tau   yr        1     50       20  uniform  turnover time
    q10   1       1.2      3      1.5  uniform  temperature sensitivity
    >>> table.array(q10=2.0)
    array([20.,  2.])
    >>> table["tau"].unit
    'yr'
    """

    parameters: tuple[Parameter, ...]

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        rows = tuple(as_kind("parameters", parameters, "__iter__", hint="Give a sequence of Parameter."))
        if not rows or not all(isinstance(row, Parameter) for row in rows):
            raise InputError("a ParameterTable needs at least one row, each of them a Parameter.")
        names = [row.name for row in rows]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(
                f"parameter {twice[0]!r} stands twice in the table; each name must be unique."
            )
        keep(self, parameters=rows)

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __getitem__(self, key: str | int) -> Parameter:
        if isinstance(key, str):
            return self.parameters[self.index(key)]
        return self.parameters[as_whole("key", key, -len(self), len(self) - 1)]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @property
    def names(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(row.name for row in self.parameters)

    @property
    def units(self) -> tuple[str, ...]:
        """Units, in order."""
        return tuple(row.unit for row in self.parameters)

    @property
    def lower(self) -> NDArray[np.float64]:
        """Lower bounds (p,)."""
        return np.array([row.lower for row in self.parameters])

    @property
    def upper(self) -> NDArray[np.float64]:
        """Upper bounds (p,)."""
        return np.array([row.upper for row in self.parameters])

    @property
    def default(self) -> NDArray[np.float64]:
        """Default values (p,)."""
        return np.array([row.default for row in self.parameters])

    def index(self, name: str) -> int:
        """Position of a parameter; an unknown name is answered with the nearest known ones."""
        if name in self.names:
            return self.names.index(name)
        near = get_close_matches(str(name), self.names, n=3)
        hint = (
            f"Did you mean {' or '.join(near)}?"
            if near
            else f"The table has {', '.join(self.names)}."
        )
        raise InputError(f"there is no parameter {name!r}. {hint}")

    def subset(self, names: Iterable[str]) -> ParameterTable:
        """The rows called `names`, in that order."""
        if isinstance(names, str):
            names = (names,)
        as_kind("names", names, "__iter__", hint="Give the names of parameters.")
        return ParameterTable(self[name] for name in names)

    def array(self, **values: ArrayLike) -> NDArray[np.float64]:
        """Parameter values (..., p): the defaults, with the named ones replaced.

        Values may be arrays; they broadcast against each other. A value outside its bounds is
        allowed here (a model may be run beyond its prior), a NaN is not.
        """
        columns = dict(zip(self.names, self.default))
        for name, value in values.items():
            columns[self.names[self.index(name)]] = as_array(f"parameter {name!r}", value)
        try:
            return np.stack(np.broadcast_arrays(*columns.values()), axis=-1)
        except ValueError:
            shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in values.items())
            raise InputError(
                f"the values given do not broadcast against each other: {shapes}. Give scalars or "
                "arrays of one shape."
            ) from None

    def dict(self, theta: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """Values by name, {name: theta[..., k]}."""
        theta = as_array("theta", theta, shape=(len(self),))
        return {name: theta[..., k] for k, name in enumerate(self.names)}

    def _cells(self, columns: tuple[str, ...]) -> list[list[str]]:
        def text(value: object) -> str:
            return f"{value:.6g}" if isinstance(value, float) else str(value)

        return [[text(getattr(row, column)) for column in columns] for row in self.parameters]

    def __str__(self) -> str:
        columns = ("name", "unit", "lower", "upper", "default", "prior", "description")
        rows = [list(columns), *self._cells(columns)]
        width = [max(len(row[i]) for row in rows) for i in range(len(columns))]
        right = {"lower", "upper", "default"}
        lines = (
            "  ".join(
                cell.rjust(w) if column in right else cell.ljust(w)
                for cell, w, column in zip(row, width, columns)
            ).rstrip()
            for row in rows
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        names = textwrap.shorten(", ".join(self.names), width=60, placeholder=" ...")
        return f"<ParameterTable of {len(self)}: {names}>"

    def _repr_html_(self) -> str:
        columns = tuple(field.name for field in fields(Parameter))
        head = "".join(f'<th scope="col">{column}</th>' for column in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._cells(columns)
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
