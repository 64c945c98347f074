r"""A model as it is written on slides: blocks, diagonals, tridiagonals, in LaTeX made from the object.

    A = (A_ij),  A_ij = diag(−f_ij, …, −f_ij)         V = blockdiag(V_11, V_22, …),  V_11 = 0 if it is not mixed

                                ⎛ g_1       −h_2                   ⎞
    V_22 = diag(z_1, …)^{-1}    ⎜ −g_1   h_2 + g_2   −h_3          ⎟      g_l = z_l down_l
                                ⎝            −g_2    h_3 + g_3   … ⎠      h_{l+1} = z_{l+1} up_l

====== =============================================== ======== ============ ==================
symbol meaning                                         shape    unit         code name
====== =============================================== ======== ============ ==================
f_ij   of what leaves pool j, the part that enters i   (p, p)   1            model.transfer
z_l    thickness of layer l                            (L,)     m            layers.thickness
g_l    conductance from layer l down to l + 1          (L−1,)   m yr-1       conductances(m)[0]
h_l    conductance from layer l up to l − 1            (L−1,)   m yr-1       conductances(m)[1]
====== =============================================== ======== ============ ==================

Diffusion alone gives h_{l+1} = g_l, one number for each face. Then −g_l may as well stand above the
diagonal and −h_l below it, as on slides. With a velocity q they
differ, h_{l+1} = g_l − q, and only the order above conserves carbon: what leaves a layer (its column)
is what its neighbours get.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landcarbon.matrix.errors import InputError, as_kind, as_whole

if TYPE_CHECKING:
    from landcarbon.matrix.column import LayeredModel
    from landcarbon.matrix.model import MatrixModel

__all__ = ["card", "conductances", "of_column", "of_pools"]

Array = NDArray[np.float64]

SHOWN = (
    4  # rows and columns at the beginning that are written out, before the dots and the last one
)
MOST = 9  # pools whose matrix is written in full


def conductances(model: LayeredModel) -> tuple[Array, Array]:
    """g and h (..., L−1) [m yr-1]: what crosses each face, downward and upward, per concentration.

    Examples
    --------
    >>> from landcarbon.matrix.column import LayeredModel
    >>> from landcarbon.matrix.layers import SoilLayers, exchange_rates
    >>> soil = SoilLayers([0.1, 0.2, 0.4])
    >>> still, blown = (LayeredModel(("soil",), soil, [[1]], np.ones((1, 3)),
    ...                              *exchange_rates([1e-3, 1e-3], soil, q)) for q in (0.0, 2e-3))
    >>> for m in (still, blown):
    ...     g, h = conductances(m)
    ...     print(g.round(5), h.round(5))
    [0.00667 0.00333] [0.00667 0.00333]
    [0.00772 0.00445] [0.00572 0.00245]
    """
    z = as_kind("model", model, "layers", hint="Give a LayeredModel.").layers.thickness
    return np.asarray(model.down * z[:-1]), np.asarray(model.up * z[1:])


def of_pools(model: MatrixModel, part: str = "equation", digits: int = 3) -> str:
    """LaTeX of a MatrixModel: "equation", or one of its matrices A, K, B, V, M.

    Raises
    ------
    InputError
        A model with leading axes, an unknown part.
    """
    digits, part = as_whole("digits", digits, lower=1, upper=15), as_kind("part", part, str)
    as_kind("model", model, "outflow_matrix", hint="Give a MatrixModel.")
    if model.A.ndim != 2 or model.K.ndim != 1:
        raise InputError("Typeset one model at a time: A and K must have no leading axes.")
    if part == "equation":
        mixing = "" if model.V is None else r" - \mathbf{V} X"
        return rf"\frac{{\mathrm{{d}}X}}{{\mathrm{{d}}t}} = \mathbf{{B}} I - \mathbf{{A}}\,\xi\,\mathbf{{K}}\,X{mixing}"
    B = model.B if model.B.ndim > 1 else model.B[:, None]
    V = np.zeros_like(model.A) if model.V is None else model.V
    parts = {"A": model.A, "K": np.diag(model.K), "B": B, "V": V, "M": model.outflow_matrix()}
    if part not in parts:
        raise InputError(
            f"There is no part {part!r}; choose 'equation', {', '.join(map(repr, parts))}."
        )
    return rf"\mathbf{{{part}}} = " + _matrix(_numbers(parts[part], digits))


def of_column(model: LayeredModel, part: str = "equation", digits: int = 3) -> str:
    """LaTeX of a column: "equation", "A", "V", one block such as "A31" or "V22", "V22 numbers".

    Raises
    ------
    InputError
        More than one column, an unknown part.
    """
    digits, part = as_whole("digits", digits, lower=1, upper=15), as_kind("part", part, str)
    as_kind("model", model, "layers", hint="Give a LayeredModel.")
    if model.shape:
        raise InputError(f"Typeset one column at a time; this model holds columns {model.shape}.")
    p, L = model.state_shape
    if part == "equation":
        return (
            r"\frac{\mathrm{d}X}{\mathrm{d}t} = b - \mathbf{A}\,\xi\,\mathbf{K}\,X - \mathbf{V}\,X"
        )
    if part == "A":
        return r"\mathbf{A} = " + _matrix([[_block_name("A", i, j) if model.A[i, j] else "0" for j in range(p)]
                                           for i in range(p)])  # fmt: skip
    if part == "V":
        return r"\mathbf{V} = " + _matrix([[_block_name("V", i, i) if i == j and model.mixed[i] else "0"
                                            for j in range(p)] for i in range(p)])  # fmt: skip
    letter, (i, j), numbers = _asked(part, p)
    left = f"{_block_name(letter, i, j)} = "
    if letter == "A":
        if i == j:
            return left + r"\mathbf{1}"
        value = _number(float(model.A[i, j]), digits)
        return left + (rf"\mathrm{{diag}}({value}, \ldots, {value})" if model.A[i, j] else "0")
    if i != j or not model.mixed[i]:
        return left + "0"
    z = [f"z_{{{k}}}" for k in range(1, L + 1)]
    if numbers:
        z = [_number(float(v), digits) for v in model.layers.thickness]
    inverse = rf"\mathrm{{diag}}({', '.join(_short(z))})^{{-1}}\,"
    g, h = (model.mixed[i] * c for c in conductances(model))
    return left + inverse + _matrix(_tridiagonal(g, h, digits if numbers else None))


def card(model: MatrixModel | LayeredModel) -> str:
    """A model in five short lines."""
    p = len(as_kind("model", model, "outflow_matrix", hint="Give a MatrixModel or a LayeredModel.").pools)
    fit = max(1, int(np.sum(np.cumsum([len(name) + 2 for name in model.pools]) <= 56)))
    names = ", ".join(model.pools[:fit]) + (f", … {model.pools[-1]}" if p > fit else "")
    lead = model.K.shape[: model.K.ndim - len(model.state_shape)]
    moving = model.K[model.K > 0]
    times = (
        f"1/K from {1 / moving.max():.3g} to {1 / moving.min():.3g} yr"
        if moving.size
        else "nothing moves"
    )
    times += ", some pools inert" if moving.size < model.K.size else ""
    f = np.eye(p) - model.A
    ways = int(np.any(f != 0, axis=tuple(range(f.ndim - 2))).sum())
    passed = f.sum(axis=-2)
    shares = (
        f"{ways} transfers; pools pass on {passed.min():.0%} to {passed.max():.0%} of what leaves"
    )
    lines = [f"{type(model).__name__}: {p} pools ({names})", times, shares]
    if len(model.state_shape) > 1:
        layers = model.layers  # type: ignore[union-attr]
        lines[0] += f" in {len(layers)} layers to {layers.bottom[-1]:.3g} m"
        fastest = max(float(model.down.max(initial=0)), float(model.up.max(initial=0)))  # type: ignore[union-attr]
        still = [name for name, how in zip(model.pools, model.mixed) if not how]  # type: ignore[union-attr]
        lines.append(
            f"mixing up to {fastest:.3g} per year"
            + (f"; not mixed: {', '.join(still)}" if still else "")
        )
    else:
        inputs = 1 if model.input_shape == () else model.input_shape[0]
        mixing = "" if getattr(model, "V", None) is None else "; with mixing V"
        lines.append(f"{inputs} input{'s' * (inputs != 1)}{mixing}")
    return "\n  ".join([*lines, *([f"leading axes {lead}"] if lead else [])])


def _asked(part: str, p: int) -> tuple[str, tuple[int, int], bool]:
    block, _, rest = part.partition(" ")
    letter, places = block[:1], block[1:].replace(",", "")
    known = (
        letter in ("A", "V") and len(places) == 2 and places.isdigit() and rest in ("", "numbers")
    )
    if not known or not all(1 <= int(k) <= p for k in places):
        raise InputError(
            f"There is no part {part!r}; choose 'equation', 'A', 'V', a block such as 'A31' or 'V22' (pools "
            f"are counted from 1 to {p}), or 'V22 numbers'."
        )
    return letter, (int(places[0]) - 1, int(places[1]) - 1), rest == "numbers"


def _block_name(letter: str, i: int, j: int) -> str:
    return rf"\mathbf{{{letter}}}_{{{i + 1}{j + 1}}}"


def _tridiagonal(g: Array, h: Array, digits: int | None) -> list[list[str]]:
    """Rows of the matrix of g and h, in letters, or in numbers."""
    L = len(g) + 1
    down = [
        f"g_{{{k}}}" if digits is None else _number(float(v), digits)
        for k, v in enumerate(g, start=1)
    ]
    up = [
        f"h_{{{k}}}" if digits is None else _number(float(v), digits)
        for k, v in enumerate(h, start=2)
    ]
    total = np.append(g, 0.0) + np.append(0.0, h)
    rows = [["0"] * L for _ in range(L)]
    for k in range(L):
        letters = " + ".join([*up[max(k - 1, 0) : k], *down[k : k + 1]]) or "0"
        rows[k][k] = letters if digits is None else _number(float(total[k]), digits)
    for k in range(L - 1):
        rows[k][k + 1], rows[k + 1][k] = (
            entry if entry == "0" else f"-{entry}" for entry in (up[k], down[k])
        )
    return rows


def _numbers(matrix: Array, digits: int) -> list[list[str]]:
    return [[_number(float(v), digits) for v in row] for row in matrix]


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}g}"
    if "e" in text:
        head, _, power = text.partition("e")
        text = rf"{head} \cdot 10^{{{int(power)}}}"
    return "0" if value == 0 else text


def _short(items: list[str], dots: str = r"\ldots") -> list[str]:
    return items if len(items) <= MOST else [*items[:SHOWN], dots, items[-1]]


def _matrix(rows: list[list[str]]) -> str:
    """Rows as a pmatrix; the middle of a large one is dots."""
    if len(rows) > MOST:
        last = _short(rows[-1], r"\cdots")
        middle = [r"\vdots" if k != SHOWN else r"\ddots" for k in range(len(last))]
        shown = [*(_short(row, r"\cdots") for row in rows[:SHOWN]), middle, last]
    else:
        shown = [_short(row, r"\cdots") for row in rows]
    return r"\begin{pmatrix} " + r" \\ ".join(" & ".join(row) for row in shown) + r" \end{pmatrix}"
