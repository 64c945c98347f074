"""Checks of chapter 10: phosphorus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import expm

from landcarbon.course.checks import exercise, expect, unlike
from landcarbon.matrix.steps import propagator
from landcarbon.models import phosphorus

AGES = np.array([300.0, 2_100.0, 20_000.0, 150_000.0, 400_000.0, 1_400_000.0, 4_100_000.0])
"""Seven ages from young lava to very old soil, of the order of those on Hawaii [yr]."""

FITTED = ("weathering", "occlusion", "erosion")


def forms(rates: Any, ages: Any = AGES) -> Any:
    """Primary, exchangeable and occluded phosphorus (ages, 3) [gP m-2] for three rates [1/yr]."""
    theta = phosphorus.PARAMETERS.default.copy()
    for name, value in zip(FITTED, rates):
        theta[phosphorus.PARAMETERS.index(name)] = value
    M = phosphorus.mineral_phosphorus(theta).outflow_matrix()
    step = propagator(M, np.asarray(ages, dtype=float))
    m = step(500.0 * np.eye(5)[4], 0.001 * np.eye(5)[0])[0]
    return np.stack([m[:, 4], m[:, :3].sum(axis=1), m[:, 3]], axis=1)


def fractionation() -> tuple[Any, Any]:
    """The synthetic series: ages (7,) [yr] and phosphorus by form (7, 3) [gP m-2], with 10 % error."""
    noise = np.random.default_rng(1976).normal(0.0, 0.1, (7, 3))
    return AGES, forms((4e-4, 2.5e-4, 6e-7)) * np.exp(noise)


@exercise(
    "10.1",
    level=1,
    title="Build the matrix",
    hints=(
        "Everything that leaves a pool, by whatever way, makes up its turnover rate.",
        "K of a pool is the sum of its outgoing rates and its loss; the entry of A is minus the share of K.",
        "K = a copy of losses; for source, _, rate in moves: K[source] += …; then A = np.eye(n) and "
        "A[target, source] = … once K is complete.",
    ),
)
def build(answer: Callable[..., Any]) -> None:
    moves = [(0, 1, 50.0), (1, 0, 5.0), (1, 2, 0.6), (2, 0, 0.01)]
    losses = np.array([0.005, 0.0, 0.0])
    found = answer(3, moves, losses)
    expect(isinstance(found, (tuple, list)) and len(found) == 2, "shape", "Return two arrays: K and A.")
    K, A = (np.asarray(v, dtype=float) for v in found)
    expect(K.shape == (3,) and A.shape == (3, 3), "shape", "K has one entry per pool, A is a square matrix.")
    expect(np.isfinite(K).all() and np.isfinite(A).all(), "not finite", "An entry is NaN or infinite.")
    expect(not np.isclose(K[0], 50.0), "mass balance", "A loss from the soil leaves its pool too: add it to K.")
    expect(np.allclose(K, [50.005, 5.6, 0.01]), "mass balance", "K is all that leaves a pool, per year and per amount.")
    expect(np.allclose(np.diag(A), 1), "identity", "The diagonal of A is 1.")
    expect(not np.any(A - np.eye(3) > 0), "sign", "Transfers stand in A with a minus sign.")
    right = np.array([[1, -5 / 5.6, -1], [-50 / 50.005, 1, 0], [0, -0.6 / 5.6, 1]])
    expect(not np.allclose(A, right.T), "transposed", "Columns are where phosphorus comes from, rows where it goes.")
    early = np.array([[1, -1, -1], [-50 / 50.005, 1, 0], [0, -0.6 / 5.6, 1]])
    unlike(
        A,
        (np.eye(3) + (right - np.eye(3)) * K, "units",
         "Rates stand in your A. Its entries are shares of what leaves a pool: divide by that pool's K."),
        (early, "off by one",
         "A share divides by the whole K of its pool, and yours was not complete yet: fill K first, then A."),
        (np.trunc(right), "value", "The shares are cut to whole numbers: make A of floats, `np.eye(n)`."),
    )
    expect(np.allclose((A * K).sum(axis=0), losses, atol=1e-12), "mass balance",
           "Each column of A K must add up to what is lost from the soil.")
    expect(np.allclose(A, right), "value", "The shares are right in sum but not each in its place.")


@exercise(
    "10.2",
    level=2,
    title="A step that can be long",
    hints=(
        "Implicit: what leaves during the step is taken from the state at its end, which you do not know yet.",
        "m_new = m − h M m_new is a linear system for m_new.",
        "for _ in range(steps): m = np.linalg.solve(…, m), with a matrix made of 1, h and M.",
    ),
)
def implicit_steps(answer: Callable[..., Any]) -> None:
    M = phosphorus.mineral_phosphorus().outflow_matrix()
    start = np.array([0.1, 1.0, 0.0, 0.0, 500.0])
    found = np.asarray(answer(M, start.copy(), 100.0, 20), dtype=float)
    expect(found.shape == (5,), "shape", "Return the state after all steps, one value per pool.")
    expect(np.isfinite(found), "not finite", "The state has become NaN or infinite.")
    back = np.linalg.matrix_power(np.linalg.inv(np.eye(5) - 100.0 * M), 20) @ start
    expect(not np.allclose(found, back), "sign", "The sign of M is turned round: that goes backwards in time.")
    with np.errstate(all="ignore"):
        ones = start
        for _ in range(20):
            ones = np.linalg.solve(1 + 100.0 * M, ones)
    unlike(found, (ones, "identity", "`1 + h * M` adds 1 to every entry. The 1 of the equation is the unit matrix, "
                   "`np.eye(len(m))`."), rtol=1e-3)
    expect(np.abs(found).max() < 1e3, "limit",
           "The state explodes: that is what an explicit step does, which may be two weeks long here. Is a system "
           "solved at each step?")
    turned = np.linalg.matrix_power(np.linalg.inv(np.eye(5) + 100.0 * M.T), 20) @ start
    expect(not np.allclose(found, turned), "transposed", "You solved with Mᵀ: row i of M is the balance of pool i.")
    expect((found >= 0).all(), "sign", "An implicit step of an M-matrix never makes a pool negative.")
    exact = expm(-2000.0 * M) @ start

    def made(h: float, n: int) -> Any:
        return np.linalg.matrix_power(np.linalg.inv(np.eye(5) + h * M), n) @ start

    unlike(
        found,
        (made(100.0, 1), "off by one", "Only one step was made; repeat it."),
        (made(2000.0, 1), "off by one", "That is one step of all the years: make `steps` of them, each of length h."),
        (made(100.0, 19), "off by one", "One step is missing."),
        (made(100.0, 21), "off by one", "One step too many."),
        (made(1.0, 20), "units", "Each step is a year long: h is missing."),
        (made(5.0, 20), "units", "h is the length of one step, not of all of them: do not divide it."),
        (exact, "identity", "That is the exact solution. Asked for are implicit Euler steps, with their error."),
        rtol=1e-9,
    )
    miss = [np.abs(np.asarray(answer(M, start.copy(), h, int(2000 / h))) - exact).max() for h in (50.0, 25.0)]
    expect(1.7 < miss[0] / miss[1] < 2.3, "value", "Halve the step and the error must halve.")


@exercise(
    "10.3",
    level=3,
    title="Fit three rates to a fractionation series",
    hints=(
        "Rates are positive and span powers of ten, and the error is relative. Which scale suits both?",
        "Least squares on logarithms: parameters ln(rate), residuals ln(model) − ln(data).",
        "np.exp(least_squares(residual, np.log([1e-3, 1e-4, 1e-6])).x), where residual(p) compares the "
        "logarithms of forms(np.exp(p), ages) and of data where data > 1e-3; below that is only rounding.",
    ),
)
def fit(answer: Callable[..., Any]) -> None:
    ages, data = fractionation()
    rates = np.asarray(answer(ages, data.copy()), dtype=float)
    expect(rates.shape == (3,), "shape", "Return three rates: weathering, occlusion, erosion.")
    expect(np.isfinite(rates), "not finite", "A rate is NaN or infinite.")
    expect(rates > 0, "sign", "Rates are above 0; fit their logarithms.")
    expect(not (rates[0] < rates[2] and rates[2] > 1e-5), "transposed",
           "Weathering, occlusion, erosion, in this order; erosion is by far the slowest.")
    known = np.maximum(data, 1e-6)
    residual = np.where(data > 1e-3, np.log(np.maximum(forms(rates), 1e-6) / known), 0.0)
    age, form = np.unravel_index(np.abs(residual).argmax(), residual.shape)
    expect(np.sqrt(np.mean(residual[data > 1e-3] ** 2)) < 0.15, "value",
           f"The series is missed by more than its error of 10 % explains, most of all "
           f"{('primary', 'exchangeable', 'occluded')[form]} phosphorus after {AGES[age]:,.0f} years. An error in per "
           "cent asks for logarithms; and what is below 1e-3 is rounding, leave it out.")
    other = np.asarray(answer(ages, forms((1e-3, 1e-4, 1e-6))), dtype=float)
    expect(np.allclose(other, [1e-3, 1e-4, 1e-6], rtol=0.02), "identity",
           "From a series without error, made with other rates, those rates must come back: do not return constants.")
