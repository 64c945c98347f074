"""The balance equations of a model, written out from the object that computes with it.

    dX_i/dt = B_i I + Σ_j f_ij k_j X_j − k_i X_i

Every arrow of a flow diagram is one term: what enters is written with a plus in the pool it enters,
all that leaves a pool with one minus in the pool it leaves.

====== ============================================== ===== ========== ================
symbol meaning                                        shape unit       code name
====== ============================================== ===== ========== ================
X      carbon in each pool                            (n,)  gC m-2     X_{name}
B I    share of the input that enters, times input    (n,)  gC m-2 yr-1 kind "input"
f k X  fraction passed on, of what leaves pool j      (n,)  gC m-2 yr-1 kind "gain"
k X    all that leaves pool i                         (n,)  gC m-2 yr-1 kind "loss"
====== ============================================== ===== ========== ================

Mixing V, where a model has it, adds to gains and losses. The environmental scalar ξ is left at 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from landcarbon.course.output import emit
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError

__all__ = ["Form", "Term", "balance_equations", "roman", "show_equations", "terms"]

Form = Literal["numbers", "products", "symbols"]
FORMS = ("numbers", "products", "symbols")


@dataclass(frozen=True)
class Term:
    """One arrow in one equation: its kind, its sign, and how it is written."""

    kind: Literal["input", "gain", "loss"]
    sign: Literal["+", "−"]
    text: str
    latex: str


def terms(
    model: MatrixModel,
    *,
    I: float | None = None,
    form: Form = "numbers",
    names: Sequence[str] | None = None,
) -> tuple[tuple[Term, ...], ...]:
    """The terms of each pool's balance: inputs, then gains from other pools, then the loss.

    Parameters
    ----------
    model : MatrixModel
        Without leading axes.
    I : float, optional
        Total input [gC m-2 yr-1]; the letter I where it is not given.
    form : {"numbers", "products", "symbols"}
        ``0.24 X``: the coefficient of each pool as it stands in M; ``0.3·0.8 X``: the fraction
        passed on times the turnover rate; ``f k X``: letters only.
    names : sequence of str, optional
        What the pools are called; their own names by default.

    Returns
    -------
    tuple of tuple of Term
        One tuple for each pool.

    Raises
    ------
    InputError
        A model with leading axes, an unknown form, a number of names that does not fit.
    """
    if model.A.ndim != 2 or model.K.ndim != 1:
        raise InputError("Write one model at a time: A and K must have no leading axes.")
    if form not in FORMS:
        raise InputError(f"form is {form!r}; choose one of {', '.join(FORMS)}.")
    called = model.pools if names is None else tuple(str(name) for name in names)
    if len(called) != model.n:
        raise InputError(f"{len(called)} names were given for {model.n} pools.")
    return tuple(_of_pool(model, i, I, form, called) for i in range(model.n))


def _of_pool(
    model: MatrixModel, i: int, I: float | None, form: Form, names: tuple[str, ...]
) -> tuple[Term, ...]:
    found: list[Term] = []
    shares = model.B[:, None] if model.B.ndim == 1 else model.B
    for column, share in enumerate(shares[i], 1):
        if share > 0:
            number = str(column) if shares.shape[1] > 1 else ""
            found.append(_input(share, I, form, names[i], number))
    for j in range(model.n):
        if j != i and model.transfer[i, j] > 0 and model.K[j] > 0:
            f, k = model.transfer[i, j], model.K[j]
            found.append(_flux("gain", form, (f, k), names[j], f"{names[i]},{names[j]}"))
    if model.K[i] > 0:
        found.append(_flux("loss", form, (model.K[i],), names[i]))
    for j, v in enumerate(model.V[i] if model.V is not None else ()):
        if v != 0:
            pair = f"{names[i]},{names[j]}"
            found.append(_flux("loss" if v > 0 else "gain", form, (abs(v),), names[j], pair, "v"))
    return tuple(found)


def _input(share: float, I: float | None, form: Form, name: str, number: str) -> Term:
    letter, low = ("I", "I") if not number else (f"I{number}", f"I_{{{number}}}")
    if form == "symbols":
        at = f"{name},{number}" if number else name
        return Term("input", "+", f"B[{at}] {letter}", rf"B_{{{roman(at)}}}\,{low}")
    if I is None:
        if share == 1:
            return Term("input", "+", letter, low)
        return Term("input", "+", f"{share:.4g} {letter}", rf"{share:.4g}\,{low}")
    if form == "products" and share != 1:
        return Term("input", "+", f"{share:.4g}·{I:.4g}", rf"{share:.4g}\cdot{I:.4g}")
    return Term("input", "+", f"{share * I:.4g}", f"{share * I:.4g}")


def _flux(
    kind: Literal["gain", "loss"],
    form: Form,
    factors: tuple[float, ...],
    name: str,
    pair: str = "",
    letter: str = "",
) -> Term:
    sign: Literal["+", "−"] = "+" if kind == "gain" else "−"
    X = rf"X_{{{roman(name)}}}"
    if form == "symbols":
        if letter:
            text, latex = f"{letter}[{pair}]", rf"{letter}_{{{roman(pair)}}}"
        elif kind == "gain":
            text, latex = f"f[{pair}] k[{name}]", rf"f_{{{roman(pair)}}}\,k_{{{roman(name)}}}"
        else:
            text, latex = f"k[{name}]", rf"k_{{{roman(name)}}}"
        return Term(kind, sign, f"{text} X[{name}]", rf"{latex}\,{X}")
    if form == "numbers":
        factors = (float(np.prod(factors)),)
    written = [f"{factor:.4g}" for factor in factors]
    product = r"\cdot".join(written)
    return Term(kind, sign, f"{'·'.join(written)} X[{name}]", rf"{product}\,{X}")


def roman(name: str) -> str:
    """A pool name as LaTeX, upright."""
    spaced = name.replace(" ", r"\ ").replace("_", r"\_")
    return rf"\mathrm{{{spaced}}}"


def balance_equations(
    model: MatrixModel,
    *,
    I: float | None = None,
    form: Form = "numbers",
    names: Sequence[str] | None = None,
    latex: bool = False,
) -> tuple[str, ...]:
    """One balance equation for each pool, as text or as LaTeX.

    Parameters
    ----------
    model : MatrixModel
        Without leading axes.
    I : float, optional
        Total input [gC m-2 yr-1]; the letter I where it is not given.
    form : {"numbers", "products", "symbols"}
        See `terms`.
    names : sequence of str, optional
        What the pools are called; their own names by default.
    latex : bool
        LaTeX without dollar signs instead of plain text.

    Returns
    -------
    tuple of str

    Raises
    ------
    InputError
        As `terms`.

    Examples
    --------
    >>> from landcarbon.models.pools import three_pool
    >>> for line in balance_equations(three_pool(), I=60):
    ...     print(line)
    dX[vegetation]/dt = 60 − 0.13 X[vegetation]
    dX[litter]/dt = 0.13 X[vegetation] − 0.8 X[litter]
    dX[soil]/dt = 0.24 X[litter] − 0.009 X[soil]
    >>> balance_equations(three_pool(), form="products")[2]
    'dX[soil]/dt = 0.3·0.8 X[litter] − 0.009 X[soil]'
    """
    called = model.pools if names is None else tuple(str(name) for name in names)
    lines = []
    for name, found in zip(called, terms(model, I=I, form=form, names=names)):
        if latex:
            left = rf"\frac{{\mathrm{{d}}X_{{{roman(name)}}}}}{{\mathrm{{d}}t}}"
            lines.append(f"{left} = {_sum(found, latex=True)}")
        else:
            lines.append(f"dX[{name}]/dt = {_sum(found, latex=False)}")
    return tuple(lines)


def _sum(found: tuple[Term, ...], *, latex: bool) -> str:
    written = ""
    for term in found:
        sign = "-" if latex and term.sign == "−" else term.sign
        lead = f" {sign} " if written else ("" if term.sign == "+" else sign)
        written += lead + (term.latex if latex else term.text)
    return written or "0"


def show_equations(
    model: MatrixModel,
    *,
    I: float | None = None,
    form: Form = "numbers",
    names: Sequence[str] | None = None,
) -> None:
    """Show the balance equations in a notebook, typeset; as text elsewhere.

    Parameters
    ----------
    model : MatrixModel
        Without leading axes.
    I : float, optional
        Total input [gC m-2 yr-1]; the letter I where it is not given.
    form : {"numbers", "products", "symbols"}
        See `terms`.
    names : sequence of str, optional
        What the pools are called; their own names by default.

    Raises
    ------
    InputError
        As `terms`.
    """
    typeset = balance_equations(model, I=I, form=form, names=names, latex=True)
    rows = r" \\[4pt] ".join(line.replace(" = ", " &= ", 1) for line in typeset)
    emit({
        "text/latex": rf"$$\begin{{aligned}} {rows} \end{{aligned}}$$",
        "text/plain": "\n".join(balance_equations(model, I=I, form=form, names=names)),
    })
