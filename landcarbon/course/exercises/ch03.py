"""Exercises of chapter 03: the matrix equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError

DRAWS = 1000


@exercise(
    "03.1",
    level=1,
    title="the transfer matrix",
    hints=(
        "Start from what each pool does to itself, then add one number for each arrow.",
        "The column is the pool that the arrow leaves, the row the pool that it enters; a gain has "
        "a minus sign in A.",
        "A = np.eye(len(pools)), then a loop over the arrows with `pools.index(…)` for row and column.",
    ),
)
def transfer_matrix(answer: Callable[[Any, Any], Any]) -> None:
    """1 on the diagonal, −f at (target, source), column sums = respired."""
    pools = ("shoot", "root", "litter", "soil", "charcoal")
    arrows = [
        ("shoot", "litter", 0.85), ("shoot", "charcoal", 0.05), ("root", "litter", 0.4),
        ("root", "soil", 0.6), ("litter", "soil", 0.35), ("soil", "litter", 0.1),
    ]  # fmt: skip
    given = np.asarray(answer(pools, list(arrows)))
    expect(
        given.dtype.kind not in "iu",
        "value",
        "Your matrix can hold whole numbers only, so that a fraction becomes 0: make it with np.eye(n) or "
        "np.zeros((n, n)), without dtype=int.",
    )
    A = given.astype(float)
    n = len(pools)
    expect(A.shape == (n, n), "shape", "A has one row and one column for each pool.")
    expect(np.isfinite(A), "not finite", "A holds entries that are not finite numbers.")
    expect(
        A.diagonal() == 1,
        "identity",
        "The diagonal of A is 1: all that leaves a pool leaves it once.",
    )
    off = A - np.eye(n)
    expect(off <= 0, "sign", "Beside the diagonal the fractions stand with a minus sign: −f.")
    place = pools.index
    lost = [f"{s} → {t}" for s, t, _ in arrows if off[place(t), place(s)] == off[place(s), place(t)] == 0]
    expect(not lost, "incomplete", f"An arrow has no entry: {', '.join(lost)}. Does the loop see all of them?")
    expect(
        np.count_nonzero(off) == len(arrows),
        "incomplete",
        f"There are {len(arrows)} arrows, and {np.count_nonzero(off)} entries beside the diagonal.",
    )
    i, j = pools.index("soil"), pools.index("root")
    expect(
        not (np.isclose(off[j, i], -0.6) and off[i, j] == 0),
        "transposed",
        "An arrow stands in the column of the pool it leaves and in the row of the pool it enters.",
    )
    expect(
        np.isclose(A.sum(axis=0), [0.1, 0.0, 0.65, 0.9, 1.0]),
        "mass balance",
        "The columns do not add up to the respired fractions: one minus all that is passed on.",
    )


@exercise(
    "03.2",
    level=2,
    title="loop = matrix",
    hints=(
        "Start with the input, then visit every pool once and ask where its carbon goes.",
        "For pool j compute what leaves it, xi_j k_j X_j; take it from j, and add the fraction f_ij "
        "of it to every i.",
        "dX = I * np.array(B); for j: leaves = …; dX[j] -= leaves; for i: dX[i] += f[i, j] * leaves.",
    ),
)
def by_fluxes(answer: Callable[..., Any]) -> None:
    """dX/dt = B I − A ξ K X, for any n."""
    for n, seed in ((4, 1), (7, 2)):
        B, f, k, xi, X = _system(n, seed)
        flux, before = 500.0, X.copy()
        dX = np.asarray(answer(X, flux, B.copy(), f.copy(), k.copy(), xi.copy()), dtype=float)
        expect(dX.shape == (n,), "shape", "Return one derivative for each pool.")
        expect(np.isfinite(dX), "not finite", "A derivative is not a finite number.")
        expect(
            np.array_equal(X, before),
            "value",
            "Your function changed X itself: work on a new array, np.zeros(len(X)).",
        )
        still = np.asarray(answer(X, flux, B, f, k, 0 * xi), dtype=float)
        leaves, enters = xi * k * X, B * flux
        right = enters + f @ leaves - leaves
        _unlike(still, _slips_of_the_input(X, flux, B))
        zero = np.flatnonzero((still == 0) & (enters > 0))
        expect(
            zero.size == 0 or not np.allclose(np.delete(still, zero), np.delete(enters, zero)),
            "off by one",
            f"Pool {', '.join(map(str, zero))} stays at 0, counted from 0: does the loop visit all pools?",
        )
        expect(
            np.allclose(still, enters),
            "limit",
            "With ξ = 0 nothing decays: only the input is left. Does every flux carry ξ?",
        )
        _unlike(dX, _slips_of_the_fluxes(enters, f, xi, k, X))
        expect(
            np.isclose(dX.sum(), flux * B.sum() - ((1 - f.sum(axis=0)) * leaves).sum()),
            "mass balance",
            "Summed over the pools, the change must be input minus respiration.",
        )
        expect(
            np.abs(dX - right).max() <= 1e-12 * (flux + leaves.sum()),
            "value",
            "The sum is right, but single pools differ from the matrix equation by more than 10⁻¹².",
        )


Slips = list[tuple[Any, str, str]]


def _unlike(given: np.ndarray, slips: Slips) -> None:
    """Miss at the first slip that gives the same numbers."""
    for value, kind, message in slips:
        expect(not np.allclose(given, value), kind, message)


def _slips_of_the_input(X: np.ndarray, flux: float, B: np.ndarray) -> Slips:
    return [
        (0.0, "incomplete", "Nothing enters: the input, I times B, is missing."),
        (flux, "incomplete", "All of the input enters each pool: B holds the share that each one gets."),
        (B, "incomplete", "B alone holds shares without a unit: the input of a pool is I times its share."),
        (X + B * flux, "identity", "That is the new carbon, X + dX; return the change alone."),
        (len(B) * B * flux, "mass balance",
         "The input is added once for each arrow: take it out of the inner loop."),
        (np.trunc(B * flux), "value",
         "Your array can hold whole numbers only: make it with np.zeros(len(X)), without dtype=int."),
    ]


def _slips_of_the_fluxes(
    enters: np.ndarray, f: np.ndarray, xi: np.ndarray, k: np.ndarray, X: np.ndarray
) -> Slips:
    leaves = xi * k * X
    return [
        (enters + f.T @ leaves - leaves, "transposed",
         "f[i, j] is the fraction of what leaves pool j that enters pool i: row and column are exchanged."),
        (enters + f.sum(axis=1) * leaves - leaves, "identity",
         "A transfer is a fraction of what leaves the donor, pool j; yours depends on the pool that receives."),
        (enters + xi * (f @ (k * X)) - leaves, "identity",
         "What arrives has left pool j at its own ξ_j; yours takes the ξ of the pool that receives."),
        (enters - leaves, "mass balance",
         "Nothing arrives: what leaves a pool enters others, f[i, j] of it, and only the rest is respired."),
        (enters + f @ leaves - leaves - f.sum(axis=0) * leaves, "mass balance",
         "What is passed on is subtracted twice: once as a part of all that leaves, once by itself."),
        (enters + f @ leaves - (1 - f.sum(axis=0)) * leaves, "mass balance",
         "Only what is respired is subtracted; what is passed on has to leave its pool too."),
        (enters + f @ leaves - xi * k, "units",
         "Your loss is a rate, per year: times the carbon of the pool it is a flux."),
        (enters + f @ leaves, "mass balance",
         "Carbon that is passed on must also leave its pool: nothing is subtracted yet."),
        *(
            (enters + part @ leaves - leaves, "incomplete",
             "Arrows lead up and down the list of pools; your inner loop visits one of the two sides only.")
            for part in (np.tril(f), np.triu(f))
        ),
    ]


def _system(n: int, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    f = rng.uniform(size=(n, n)) * (1 - np.eye(n))
    f *= rng.uniform(0.3, 0.95, size=n) / f.sum(axis=0)
    B = rng.dirichlet(np.ones(n))
    return B, f, rng.uniform(0.01, 3, n), rng.uniform(0.2, 2, n), rng.uniform(10, 3000, n)


@exercise(
    "03.3",
    level=3,
    title="a thousand random systems",
    hints=(
        "Which three rules must A keep, and which one must K keep? Draw whatever you like within them.",
        "Draw fractions, set the diagonal to zero, and scale each column so that its sum is below 1.",
        "f = rng.uniform(size=(n, n)); f[range(n), range(n)] = 0; f *= rng.uniform(…, size=n) / "
        "f.sum(axis=0); return np.eye(n) - f, 10.0 ** rng.uniform(-3, 1, n).",
    ),
)
def random_system(answer: Callable[[int, np.random.Generator], Any]) -> None:
    """Admissible, varied, and then stable with a non-negative inverse."""
    first = answer(4, np.random.default_rng(0))
    expect(isinstance(first, tuple) and len(first) == 2, "shape", "Return two arrays: A, K.")
    again = answer(4, np.random.default_rng(0))
    other = answer(4, np.random.default_rng(1))
    expect(
        all(np.array_equal(a, b) for a, b in zip(first, again))
        and not np.array_equal(first[0], other[0]),
        "seed",
        "Draw from the rng that is handed in: the same generator gives the same system, another one "
        "another system.",
    )
    upward = downward = 0
    rates = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        n = 2 + seed % 7
        A, K = (np.asarray(part, dtype=float) for part in answer(n, rng))
        expect(
            A.shape == (n, n) and K.shape == (n,), "shape", "A is n × n and K has n entries, for any n."
        )
        expect(A.diagonal() == 1, "identity", "The diagonal of A is 1.")
        off = A - np.eye(n)
        expect((off <= 0).all() and (K > 0).all(), "sign",
               "Fractions stand in A with a minus sign, and rates are above zero.")
        expect(
            A.sum(axis=0) >= -1e-12,
            "mass balance",
            f"In draw {seed} a column passes on more carbon than leaves the pool.",
        )
        M = A * K
        values = np.linalg.eigvals(M)
        expect(
            values.real > 1e-12 * K.max(),
            "limit",
            f"In draw {seed} some carbon can never leave: an eigenvalue is zero. Let some column pass "
            f"on less than it has.",
        )
        stay = np.linalg.inv(M)
        expect(
            stay.min() > -1e-9 * stay.max(),
            "not finite",
            f"In draw {seed} the inverse is lost to rounding: the rates are too far apart.",
        )
        downward += int(np.count_nonzero(np.tril(off, -1)))
        upward += int(np.count_nonzero(np.triu(off, 1)))
        rates.append(K)
    expect(
        upward > DRAWS and downward > DRAWS,
        "incomplete",
        "Hardly any arrows lead up, or down, the list of pools: draw transfers in both directions.",
    )
    spread = np.log10(np.concatenate(rates))
    expect(
        spread.max() - spread.min() > 2,
        "incomplete",
        "The rates lie close together; land carbon stays from weeks to centuries in a pool.",
    )


@exercise(
    "03.4",
    level=3,
    title="a system that swings",
    hints=(
        "Two pools cannot swing. What must carbon be able to do for a pool to rise, fall and rise again?",
        "Let it go around: a ring of pools with like rates, each passing on most of what it loses.",
        "f = 0.95 at (1, 0), (2, 1), …, and (0, n − 1); all rates equal. Longer rings swing longer.",
    ),
)
def oscillator(answer: Callable[[], Any]) -> None:
    """An admissible system with a complex pair whose swing can be seen."""
    given = answer()
    expect(isinstance(given, tuple) and len(given) == 2, "shape", "Return two arrays: A, K.")
    A, K = (np.asarray(part, dtype=float) for part in given)
    expect(K.ndim == 1, "shape", "K has one rate for each pool: an array, np.ones(n) for instance.")
    n = len(K)
    expect(A.shape == (n, n), "shape", "A has one row and one column for each rate in K.")
    expect(K > 0, "sign", "Rates are above zero.")
    try:
        model = MatrixModel(tuple(f"pool {i + 1}" for i in range(n)), A=A, K=K, B=np.eye(n)[0])
    except InputError as error:
        expect(False, "mass balance", str(error))
    values = np.linalg.eigvals(model.outflow_matrix())
    expect(
        values.real > 1e-9 * K.max(),
        "limit",
        "Some carbon can never leave: let at least one pool respire a part.",
    )
    swing = np.abs(values.imag) / values.real
    expect(
        swing.max() > 1e-9,
        "choice",
        "All eigenvalues are real, so nothing swings. With two pools, or without a way around, they "
        "always are; with rates that are far apart they mostly are.",
    )
    expect(
        swing.max() > 0.5,
        "limit",
        "There is a complex pair, but it decays before a swing can be seen: its imaginary part is "
        "less than half its real part. Pass on more, or let carbon go a longer way around.",
    )
