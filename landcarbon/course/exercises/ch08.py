"""Exercises of chapter 08: spin-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.course.checks import exercise, expect, unlike
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.spinup import native, periodic
from landcarbon.models import teco
from landcarbon.models.century import century3
from landcarbon.models.pools import one_pool, two_pool

Array = NDArray[np.float64]

month = np.arange(12)


@exercise(
    "08.1",
    level=1,
    title="years to converge",
    hints=(
        "Started empty, which share of its steady state does a pool still miss after t years?",
        "Set exp(−t / tau) equal to the error and solve for t.",
        "One line: `return tau * np.log(...)`; a small error must give a long time.",
    ),
)
def years_to_converge(answer: Callable[[Any, Any], Any]) -> None:
    """t = τ ln(1/ε): after it exactly ε is missing; each digit costs τ ln 10."""
    tau = 250.0
    t = answer(tau, 0.01)
    expect(np.shape(t) == (), "shape", "For one time scale and one error return one number.")
    expect(np.isfinite(t), "not finite", "The time is not a finite number.")
    expect(t > 0, "sign", "The time is positive: the logarithm of a number below 1 is negative.")
    expect(
        not (t == np.round(t) and abs(t - tau * np.log(100)) <= 1),
        "value",
        "You rounded to whole years. The time is a number like any other: leave it as it is.",
    )
    expect(
        np.isclose(answer(2 * tau, 0.01), 2 * t),
        "units",
        "Twice the time scale must take twice as long: the answer is a multiple of tau.",
    )
    expect(
        not np.isclose(t, tau * np.log10(1 / 0.01)),
        "value",
        "You count digits: with log10 the answer is the number of digits times tau. A digit costs "
        "more than one tau.",
    )
    expect(
        not np.isclose(t, tau / 0.01),
        "limit",
        "The error does not shrink like 1/t. It loses the same share every year.",
    )
    expect(
        np.isclose(np.exp(-t / tau), 0.01, rtol=1e-3),
        "value",
        "After your time another share than the error is missing: put it into exp(−t / tau).",
    )


@exercise(
    "08.2",
    level=2,
    title="the exact periodic state",
    hints=(
        "Two steps in a row are again one matrix and one vector. Which?",
        "Carry a matrix Phi and a vector c through the loop: Phi becomes keep @ Phi, and c becomes "
        "keep @ c + bring. In the end solve (1 − Phi) X = c.",
        "Phi, c = np.eye(n), np.zeros(n); for k, b in zip(keep, bring): ...; return "
        "np.linalg.solve(np.eye(n) - Phi, c)",
    ),
)
def periodic_state(answer: Callable[[Any, Any], Any]) -> None:
    """The loop must return it to itself, at its start, for steps that do not commute."""
    rng = np.random.default_rng(8)

    def loop(steps: int, n: int) -> tuple[Array, Array]:
        keep = rng.uniform(0, 1, (steps, n, n))
        keep *= rng.uniform(0.5, 0.95, (steps, 1, 1)) / keep.sum(axis=1, keepdims=True)
        return keep, rng.uniform(0, 100, (steps, n))

    def run(X: Array, keep: Array, bring: Array) -> Array:
        for k, b in zip(keep, bring):
            X = k @ X + b
        return X

    one, b1 = loop(1, 1)
    first = np.asarray(answer(one.copy(), b1.copy()), dtype=float)
    expect(first.shape == (1,), "shape", "Return one number for each pool, shape (n,).")
    expect(np.all(np.isfinite(first)), "not finite", "The state is not finite.")
    expect(np.all(first > 0), "sign", "The state is negative: solve (1 − Phi) X = c, not (Phi − 1) X = c.")
    expect(
        not np.allclose(first, run(np.zeros(1), one, b1)),
        "incomplete",
        "That is the state after one loop from empty pools. All the loops that follow are missing.",
    )
    expect(
        np.allclose(run(first, one, b1), first),
        "identity",
        "With one step and one pool, X = keep X + bring does not hold for your X.",
    )
    keep, bring = loop(6, 4)
    X = np.asarray(answer(keep.copy(), bring.copy()), dtype=float)
    expect(X.shape == (4,), "shape", "Return one number for each pool, shape (n,).")
    expect(np.all(np.isfinite(X)), "not finite", "The state is not finite.")
    backwards = _fixed(keep[::-1], bring[::-1])
    mixed = np.linalg.solve(np.eye(4) - _product(keep[::-1]), _brought(keep, bring))
    expect(
        not (np.allclose(X, backwards) or np.allclose(X, mixed)),
        "transposed",
        "Your loop runs backwards: the matrix of a later step stands to the left of the earlier ones.",
    )
    expect(
        not np.allclose(X, np.linalg.solve(np.eye(4) - _product(keep), bring.sum(axis=0))),
        "mass balance",
        "What came in during an early step also decays in the later ones: carry c through the loop.",
    )
    one, Phi, c = np.eye(4), _product(keep), _brought(keep, bring)
    early, P = np.zeros(4), one
    for k, b in zip(keep, bring):
        early, P = early + P @ b, k @ P
    unlike(
        X,
        (np.linalg.solve(one - keep.mean(axis=0), bring.mean(axis=0)), "identity",
         "That is the steady state of the mean step. A loop of different steps returns another state."),
        (np.linalg.solve(one - keep.prod(axis=0), c), "identity",
         "The matrices are multiplied entry by entry: steps in a row are a matrix product, `k @ Phi`."),
        (np.linalg.solve(one - Phi, early), "off by one",
         "What a step brings decays in the steps that come after it, not in those before: c becomes k @ c + b."),
        (_fixed(keep.transpose(0, 2, 1), bring), "transposed",
         "The steps are transposed: row i of Φ says what pool i keeps and gets."),
        (np.linalg.solve(1 - Phi, c), "identity",
         "`1 - Phi` takes each entry from 1. The 1 of the equation is the unit matrix, `np.eye(n)`."),
    )
    later = run(X, keep[:1], bring[:1])
    shifted = [np.roll(keep, -s, axis=0) for s in range(1, 6)]
    moved = [np.roll(bring, -s, axis=0) for s in range(1, 6)]
    expect(
        not any(np.allclose(run(X, k, b), X) for k, b in zip(shifted, moved)) or np.allclose(later, X),
        "off by one",
        "A loop that starts at another step returns your state to itself: start with the first step.",
    )
    expect(
        np.allclose(run(X, keep, bring), X, rtol=1e-8),
        "identity",
        "One loop, started from your state, does not come back to it.",
    )


@exercise(
    "08.3",
    level=3,
    title="a tolerance that keeps its promise",
    hints=(
        "Near the end only the slowest pattern is left. How are its error and its yearly change related?",
        "The slowest time scale is 1 / the smallest eigenvalue of the mean outflow matrix; the size of the "
        "slowest pool is in the periodic state.",
        "M = np.tensordot(loop.dt, loop.M, axes=1) / loop.length; tau = 1 / min of its eigenvalues; X from "
        "periodic(loop); pool = the one with the smallest diagonal entry; return error * X[pool] / tau",
    ),
)
def tolerance(answer: Callable[[Any, Any], Any]) -> None:
    """Native runs with the tolerance must end with the error asked for, within a factor of two."""
    season = 1 + 0.6 * np.sin(2 * np.pi * (month - 3) / 12)
    year = teco.synthetic_forcing(1, rng=3)
    days = year.I.reshape(73, 5).mean(axis=1), year.xi().reshape(73, 5, 8).mean(axis=1)
    loops = {
        "one pool of 50 years": Cycle.from_model(one_pool(0.02), 300 * season),
        "young and old carbon": Cycle.from_model(two_pool(), 300 * season, 0.8 * season),
        "CENTURY": Cycle.from_model(century3(), 300 * season, 0.5 * season),
        "TECO": Cycle.from_model(teco.teco8(), *days, np.full(73, 5 / 365)),
    }
    for name, loop in loops.items():
        for error in (0.03, 0.001):
            tol = answer(loop, error)
            expect(np.shape(tol) == (), "shape", "Return one number, in gC m⁻² yr⁻¹.")
            expect(np.isfinite(tol), "not finite", "The tolerance is not a finite number.")
            expect(tol > 0, "sign", "The tolerance must be positive.")
            X = periodic(loop).X
            rate = np.diagonal(np.tensordot(loop.dt, loop.M, axes=1)) / loop.length
            slow = int(np.argmin(rate))
            expect(
                not np.isclose(tol, error * X[slow], rtol=1e-3),
                "units",
                "That is the error itself, in gC m⁻². A tolerance is a change per year: one time scale "
                "is missing.",
            )
            expect(
                not np.isclose(tol, error * X[slow] / rate[slow], rtol=0.2),
                "units",
                "You multiplied with the time scale. The slower the pool, the smaller the change must be.",
            )
            run = native(loop, tol=float(tol), max_years=40_000)
            got = run.error_history(slow)[-1]
            ratio = got / error
            expect(
                run.converged,
                "limit",
                f"{name}: with your tolerance for an error of {error:g} the run does not stop within "
                "40,000 years.",
            )
            expect(
                ratio < 2,
                "limit",
                f"{name}: asked for an error of {error:g}, the run ends with {ratio:.2g} times as much. "
                "Which pool is slowest, and how slow is it?",
            )
            expect(
                ratio > 0.5,
                "limit",
                f"{name}: asked for an error of {error:g}, the run ends with {ratio:.2g} of it: right, but "
                "it ran longer than it had to.",
            )


def _product(keep: Array) -> Array:
    Phi = np.eye(keep.shape[-1])
    for k in keep:
        Phi = k @ Phi
    return Phi


def _brought(keep: Array, bring: Array) -> Array:
    c = np.zeros(keep.shape[-1])
    for k, b in zip(keep, bring):
        c = k @ c + b
    return c


def _fixed(keep: Array, bring: Array) -> Array:
    return np.asarray(np.linalg.solve(np.eye(keep.shape[-1]) - _product(keep), _brought(keep, bring)))
