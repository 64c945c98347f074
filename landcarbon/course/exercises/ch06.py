"""Exercises of chapter 06: ages, transit times, ton-years."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect
from landcarbon.theory.ages import system_age, transit_time

# A land of three pools, the last with carbon that returns to the one before: no chain, no symmetry.
M = np.array([[0.8, 0.0, 0.0], [-0.3, 0.1, -0.001], [-0.05, -0.02, 0.004]])
U = np.array([300.0, 50.0, 0.0])


@exercise(
    "06.1",
    level=1,
    title="two means",
    hints=(
        "Both means are an area under a survival curve, and the area under exp(−M a) is M⁻¹.",
        "Solve M X = u for the stock. Stock over input is the first; for the second, solve once more "
        "with the stock on the right side.",
        "Two calls of `np.linalg.solve(M, …)`, three sums, and `return transit, age`.",
    ),
)
def means(answer: Callable[[Any, Any], Any]) -> None:
    """Mean transit time 1ᵀM⁻¹u / 1ᵀu, mean age 1ᵀM⁻¹X / 1ᵀX."""
    found = answer(M, U)
    expect(
        np.shape(found) == (2,),
        "shape",
        "Return two numbers, the mean transit time and the mean age of all carbon: no array for each pool.",
    )
    transit, age = (float(v) for v in found)
    expect(np.isfinite([transit, age]), "not finite", "One of the two is not a finite number.")
    expect(min(transit, age) > 0, "sign", "Times are positive: with our signs, M⁻¹ has no negative entry.")
    one = answer(np.array([[0.1]]), np.array([7.0]))
    expect(
        np.allclose(answer(M, 2 * U), found),
        "limit",
        "Twice the input must leave both times as they are: divide by the input, and by the stock.",
    )
    expect(
        np.allclose(answer(M / 365, U / 365), 365 * np.asarray(found)),
        "units",
        "With rates per day the same times must come out 365 times as large. Yours do not.",
    )
    expect(np.allclose(one, 10.0), "limit", "With one pool of rate 0.1 per year, both are 10 years.")
    stock = np.linalg.solve(M, U)
    expect(
        not np.isclose(transit, np.linalg.solve(M.T, U).sum() / U.sum()),
        "transposed",
        "M was used the other way round: columns are where carbon comes from.",
    )
    expect(
        not np.isclose(age, system_age(M, U).mean) or np.isclose(transit, transit_time(M, U).mean),
        "mass balance",
        "Transit time × input must be the stock that the input keeps up.",
    )
    expect(
        not (np.isclose(transit, system_age(M, U).mean) and np.isclose(age, transit_time(M, U).mean)),
        "identity",
        "The two are exchanged: transit time first, age second.",
    )
    expect(
        np.isclose(transit * U.sum(), stock.sum()),
        "mass balance",
        "Transit time × input must be the stock that the input keeps up.",
    )
    expect(
        np.isclose(age, system_age(M, U).mean),
        "value",
        "The transit time holds; the age does not. It starts from the stock, where the transit time "
        "starts from the input.",
    )


@exercise(
    "06.2",
    level=2,
    title="a density that integrates to one",
    hints=(
        "Who leaves between a and a + da? Of each pool, the share that goes to the air, times what is "
        "left there of the input.",
        "The rates to the air are the column sums of M; what is left is exp(−M a) u. Divide by the "
        "whole input.",
        "z = M.sum(axis=0); for each age, `z @ scipy.linalg.expm(…) @ …`, and a division at the end.",
    ),
)
def transit_time_density(answer: Callable[[Any, Any, Any], Any]) -> None:
    """f(a) = zᵀ exp(−M a) u / 1ᵀu: area 1, mean stock / input."""
    a = np.array([0.0, 0.5, 3.0, 40.0, 400.0])
    f = np.asarray(answer(M, U, a), dtype=float)
    expect(f.shape == a.shape, "shape", "Return one number for each age.")
    expect(np.isfinite(f), "not finite", "The density is not a finite number at every age.")
    rows = M.sum(axis=1)
    swapped = [np.array([rows @ _expm(-A * x) @ U for x in a]) / U.sum() for A in (M, M.T)]
    expect(
        not any(np.allclose(f, other) for other in swapped),
        "transposed",
        "Rows and columns of M are exchanged: columns are where carbon comes from, so the rates to the "
        "air are the sums over each column.",
    )
    by_entry = [np.array([M.sum(axis=0) @ np.exp(-M * x) @ U for x in a]) / total for total in (1.0, U.sum())]
    expect(
        not any(np.allclose(f, other) for other in by_entry),
        "choice",
        "np.exp takes the exponential of each entry by itself; exp(−M a) of a matrix is scipy.linalg.expm.",
    )
    outside = np.array([M.sum(axis=0) @ _expm(-M) @ U * x for x in a]) / U.sum()
    expect(
        not np.allclose(f, outside), "choice", "The age belongs inside the exponential: expm(−M · age)."
    )
    expect(f >= 0, "sign", "A density is not negative; look at the sign of z.")
    expect(
        f[-1] < f[0],
        "sign",
        "Your density grows with age without end: exp(−M a) fades, exp(M a) grows.",
    )
    exact = transit_time(M, U)
    expect(
        not np.allclose(f, exact.sf(a)),
        "units",
        "That is the share that is still there, a number without unit. A density is per year: who "
        "*leaves* at that age?",
    )
    expect(
        not np.allclose(f, exact.cdf(a)), "units", "That is the share that has left by then, not a density."
    )
    expect(
        not np.allclose(f, system_age(M, U).pdf(a)),
        "identity",
        "That is the density of the age: it starts from the stock. The transit time starts from the "
        "input.",
    )
    expect(
        np.allclose(answer(M, 2 * U, a), f),
        "limit",
        "Twice the input changes your density, but not how long carbon stays: divide by the input.",
    )
    expect(
        not np.allclose(f * np.linalg.solve(M, U).sum() / U.sum(), exact.pdf(a)),
        "identity",
        "You divided by the stock. Per gram of input means: divide by the input, the sum of u.",
    )
    expect(
        not np.isclose(f.sum(), 1.0),
        "identity",
        "Your numbers add up to 1; what must be 1 is the area under the curve, and that asks for no scaling.",
    )
    grid, weight = _panels()
    area = weight @ np.asarray(answer(M, U, grid), dtype=float)
    expect(
        np.isclose(area, 1.0, rtol=1e-6) or not np.isclose(area, 1.0, rtol=0.1),
        "value",
        f"The area is {area:.3f}, near 1 but not 1: a slope from differences of ages is rough. Take the rate "
        f"of leaving itself.",
    )
    expect(
        np.isclose(area, 1.0, rtol=1e-6),
        "identity",
        "The area under your density is not 1: every gram leaves some day. Do the rates to the air "
        "hold all that leaves, and nothing that only changes the pool?",
    )
    mean = weight @ (grid * np.asarray(answer(M, U, grid), dtype=float))
    expect(
        np.isclose(mean, exact.mean, rtol=1e-6),
        "mass balance",
        "The area is 1, but the mean is not stock over input.",
    )
    expect(np.allclose(f, exact.pdf(a), rtol=1e-6), "value", "Area and mean hold, single ages do not.")


@exercise(
    "06.3",
    level=3,
    title="four options, one century",
    hints=(
        "The area under a curve of the form exp(−M t) is known without adding up years.",
        "∫ exp(−M t) dt from 0 to H is M⁻¹ (1 − exp(−M H)). Sort the names by it.",
        "`np.linalg.solve(M, start − … @ start).sum()` with `expm` of scipy in the gap, and "
        "`sorted(options, key=…, reverse=True)`.",
    ),
)
def ranking(answer: tuple[Any, ...]) -> None:
    """Ton-years with their limits; names in falling order; an own option that comes from behind."""
    expect(
        isinstance(answer, (tuple, list)) and len(answer) >= 2,
        "shape",
        "Hand in both functions, and perhaps an option: check('06.3', (ton_years, ranking)).",
    )
    ton_years, rank = answer[:2]
    start = np.array([0.2, 0.5, 0.3])
    expect(
        np.shape(ton_years(M, start, 20.0)) == (), "shape",
        "Return one number, the sum over all pools: wherever the ton is, it is out of the air.",
    )
    for horizon in (20.0, 100.0, 1000.0):
        S = float(ton_years(M, start, horizon))
        left = (_expm(-M * horizon) @ start).sum()
        for value, kind, message in (
            (left, "units", "That is the share left at the horizon. Ton-years are the area under that curve, "
             "in years."),
            (1 - left, "units", "That is the share that has left by the horizon. Ton-years are an area, in years."),
            (horizon * left, "limit", "Share at the horizon times horizon: more was there before. Ton-years are the "
             "area under the whole curve."),
            (np.linalg.solve(M, start - np.exp(-M * horizon) @ start).sum(), "choice",
             "np.exp takes the exponential of each entry by itself; that of a matrix is scipy.linalg.expm."),
        ):
            expect(not np.isclose(S, value), kind, message)
        expect(np.isfinite(S), "not finite", f"The ton-years by {horizon:g} years are not a finite number.")
        expect(S > 0, "sign", "Ton-years are positive.")
        expect(
            S <= horizon * (1 + 1e-9),
            "limit",
            "One ton can count at most once a year: no more than the horizon.",
        )
    half, one = float(ton_years(M, start / 2, 50.0)), float(ton_years(M, start, 50.0))
    expect(np.isclose(2 * half, one), "identity", "Half a ton must count half.")
    grid, weight = _panels(top=50.0)
    area = weight @ [(_expm(-M * x) @ start).sum() for x in grid]
    expect(
        np.isclose(one, area, rtol=1e-4),
        "value",
        "The area by 50 years does not hold: did you add up years in large steps?",
    )
    far, stay = float(ton_years(M, start, 1e6)), np.linalg.solve(M, start).sum()
    expect(
        np.isclose(far, stay, rtol=1e-6),
        "limit",
        f"By a horizon of a million years the area must be the mean time that the ton stays, 1ᵀM⁻¹ start = "
        f"{stay:.4g}; you gave {far:.4g}. Steps that fit 50 years are too long for this one: can the area be "
        f"had without steps?",
    )
    options = {
        "vault": (np.array([[1e-4]]), np.array([1.0])),
        "fast": (np.array([[2.0]]), np.array([1.0])),
        "medium": (np.array([[0.02]]), np.array([1.0])),
    }
    order = list(rank(options, 100.0))
    expect(set(order) == set(options), "shape", "Return the names of all options, each once.")
    expect(order[0] != "fast", "sign", "The order is upside down: the most ton-years come first.")
    expect(order == ["vault", "medium", "fast"], "value", "The names are not in the order of their ton-years.")
    options["both"] = (np.diag([1.0, 1e-4]), np.array([0.9, 0.1]))
    expect(
        list(rank(options, 1000.0)) == ["vault", "both", "medium", "fast"],
        "choice",
        "By 1000 years the order is another than by 20: does `ranking` use its horizon?",
    )
    _fifth(ton_years, rank, *answer[2:])


def _fifth(
    ton_years: Callable[..., Any], rank: Callable[..., Any], options: Mapping[str, Any], fifth: Callable[[], Any]
) -> None:
    own = fifth()
    expect(
        isinstance(own, tuple | list) and len(own) == 2
        and all(np.asarray(part).dtype.kind in "fiu" for part in own),
        "shape",
        "Return two things made of numbers: the matrix M of your option [yr⁻¹], and where its ton goes, an "
        "entry for each pool.",
    )
    matrix, start = (np.asarray(part, dtype=float) for part in own)
    expect(
        matrix.ndim == 2 and start.shape == matrix.shape[:1] == matrix.shape[1:],
        "shape",
        "M must be square, [[…]] for one pool, and start must have an entry for each pool.",
    )
    expect(
        np.isclose(start.sum(), 1.0) and np.all(start >= 0),
        "mass balance",
        "Your option must put exactly one ton somewhere, and nowhere less than nothing.",
    )
    off = matrix - np.diag(np.diag(matrix))
    expect(
        np.all(off <= 0) and np.all(matrix.sum(axis=0) >= -1e-12),
        "mass balance",
        "The matrix of your option creates carbon: nothing positive may stand off the diagonal, and no "
        "column may sum to less than 0.",
    )
    together = {**options, "fifth": (matrix, start)}
    soon, late = list(rank(together, 20.0)), list(rank(together, 1000.0))
    for order, place, years, word in ((soon, -1, 20.0, "last"), (late, 0, 1000.0, "first")):
        there = order[place]
        expect(
            there == "fifth",
            "choice",
            f"By {years:.0f} years your option is not the {word}: it has {ton_years(matrix, start, years):.3g} "
            f"ton-years, {there} has {ton_years(*options.get(there, (matrix, start)), years):.3g}.",
        )


def _expm(A: np.ndarray) -> np.ndarray:
    from scipy.linalg import expm

    return np.asarray(expm(A))


def _panels(top: float = 16384.0) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on panels that double."""
    x, w = np.polynomial.legendre.leggauss(10)
    edges = np.append(0.0, top / 2.0 ** np.arange(16, -1, -1))
    low, high = edges[:-1, None], edges[1:, None]
    return ((low + high) / 2 + (high - low) / 2 * x).ravel(), ((high - low) / 2 * w).ravel()
