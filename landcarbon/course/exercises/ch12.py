"""Checks of chapter 12: diagnose any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect
from landcarbon.models.pools import three_pool
from landcarbon.models.teco import teco8
from landcarbon.theory.traceability import COMPONENTS, Components, standardise, trace


@exercise(
    "12.1",
    level=1,
    title="Place six models",
    hints=(
        "At steady state storage is a product of two numbers; you know one of them and the product.",
        "Residence time is stock over flux, and the stock is the sum over the pools.",
        "Return the input as it is, and the sum of the stocks over the last axis divided by the input.",
    ),
)
def place(answer: Callable[..., Any]) -> None:
    npp = np.array([400.0, 500.0, 500.0, 650.0, 700.0, 800.0])
    stocks = np.random.default_rng(12).uniform(100, 9000, (6, 3))
    found = answer(npp, stocks)
    expect(isinstance(found, (tuple, list)) and len(found) == 2, "shape", "Return two things: input, residence time.")
    x, tau = (np.asarray(v, dtype=float) for v in found)
    expect(x.shape == (6,) and tau.shape == (6,), "shape", "There is one point per model: two arrays of length 6.")
    expect(np.isfinite(x) & np.isfinite(tau), "not finite", "A coordinate is NaN or infinite.")
    total = stocks.sum(axis=1)
    expect(not np.allclose(tau, npp), "transposed", "The two are exchanged: input first, residence time second.")
    expect(np.allclose(x, npp), "identity", "The first coordinate is the input itself.")
    expect(not np.allclose(tau, npp / total), "units", "That is flux over stock, a rate; a time is its inverse.")
    expect(np.allclose(x * tau, total), "identity",
           "Input times residence time must be all the carbon of a model, summed over its pools.")


@exercise(
    "12.2",
    level=2,
    title="The decomposition multiplies back",
    hints=(
        "A residence time is what the steady state would be if one unit came in per year.",
        "Solve the matrix equation twice with the input shares: once without and once with the scalars.",
        "M0 = A * K, M1 = A * (xi * K); times are solve(M, B / B.sum()).sum(); the scalar is their quotient.",
    ),
)
def decompose(answer: Callable[..., Any]) -> None:
    rng = np.random.default_rng(2)
    for model, total in ((three_pool(), 600.0), (teco8(), 1200.0)):
        xi = rng.uniform(0.2, 1.0, model.n)
        found = answer(model.A, model.K, model.B, total, xi)
        expect(isinstance(found, (tuple, list)) and len(found) == 3, "shape",
               "Return three numbers: input, baseline residence time, scalar.")
        npp, baseline, scalar = (float(v) for v in found)
        truth = trace(model, total, xi)
        expect(np.isfinite([npp, baseline, scalar]), "not finite", "One of the three is NaN or infinite.")
        expect(min(npp, baseline, scalar) > 0, "sign", "All three are positive; check the signs in A.")
        expect(not (np.isclose(npp, total) and not np.isclose(truth.npp, total)), "mass balance",
               "Not all of I enters the pools here: B sums to less than 1, the rest never becomes tissue.")
        back = npp * baseline / scalar
        expect(np.isclose(back, truth.capacity) or not np.isclose(npp * baseline * scalar, truth.capacity), "limit",
               "Your scalar is upside down: where xi is below 1 the scalar is below 1, and times are divided by it.")
        expect(np.isclose(back, truth.capacity, rtol=1e-10), "identity",
               "Input times baseline over scalar must be the steady state of the matrix equation under xi.")
        expect(np.isclose(baseline, truth.baseline, rtol=1e-10), "identity",
               "The product is right, but the baseline must not know xi: all its scalars are 1.")


@exercise(
    "12.3",
    level=3,
    title="Standardise until nothing is left",
    hints=(
        "In each round try every component that still differs, and keep the best.",
        "`standardise(components, [name, …])` gives all models the same value of the named ones.",
        "Loop five times: best = min(rest, key=lambda k: spread(standardise(c, done + [k]))); append it to done.",
    ),
)
def until_nothing_is_left(answer: Callable[..., Any]) -> None:
    values = np.exp(np.random.default_rng(5).normal(size=(5, 7)) * np.array([0.2, 0.6, 0.4, 0.1, 0.05])[:, None])
    models = Components(*values)
    order, spread = answer(models)
    spread = np.asarray(spread, dtype=float)
    expect(sorted(order) == sorted(COMPONENTS), "incomplete", "Name each of the five components once, in your order.")
    expect(spread.shape == (6,), "shape", "Give six spreads: as they are, then after each of five steps.")
    expect(np.isfinite(spread), "not finite", "A spread is NaN or infinite.")
    raw = np.std(np.log(models.storage))
    expect(not np.isclose(spread[0], np.std(models.storage)), "units",
           "Components add up in logarithms: take the standard deviation of ln X, not of X.")
    expect(np.isclose(spread[0], raw), "identity", "The first spread is that of the models as they are.")
    expect(spread[-1] < 1e-10, "limit", "With all five standardised nothing can be left.")
    done: list[str] = []
    for name, value in zip(order, spread[1:]):
        rest = [k for k in COMPONENTS if k not in done]
        trial = {k: np.std(np.log(standardise(models, [*done, k]).storage)) for k in rest}
        done.append(name)
        expect(np.isclose(value, trial[name], atol=1e-12), "identity",
               f"The spread after standardising {name!r} does not belong to the components standardised so far.")
        expect(trial[name] <= min(trial.values()) + 1e-12, "value",
               "In some step another component would have left a smaller spread.")


@exercise(
    "12.4",
    level=2,
    title="A matrix by asking",
    hints=(
        "What does dX/dt = u − M X leave over when every pool is empty?",
        "With one unit in pool j and nothing elsewhere, M X is column j of M.",
        "u = step(zeros); column j is u − step(np.eye(n)[j]); stack the columns along axis 1.",
    ),
)
def ask(answer: Any) -> None:
    for model, total in ((three_pool(), 600.0), (teco8(), 1200.0)):
        calls: list[Any] = []

        def step(X: Any, model: Any = model, total: float = total, calls: list[Any] = calls) -> Any:
            calls.append(np.array(X, dtype=float))
            return model.derivative(np.asarray(X, dtype=float), total)

        found = answer(step, model.n)
        expect(isinstance(found, (tuple, list)) and len(found) == 2, "shape", "Return two things: u and M.")
        u, M = (np.asarray(v, dtype=float) for v in found)
        expect(u.shape == (model.n,) and M.shape == (model.n, model.n), "shape", "u is (n,), M is (n, n).")
        expect(np.all(np.isfinite(u)) and np.all(np.isfinite(M)), "not finite", "An entry is NaN or infinite.")
        true, size = model.outflow_matrix(), 1e-9 * total
        expect(np.allclose(u, model.input(total)), "value", "u is what still changes when all pools are empty.")
        expect(not np.allclose(M, -true, atol=size), "sign", "The equation has −M X: what leaves is positive in M.")
        expect(not np.allclose(M, true.T, atol=size), "identity",
               "That is the transpose: one call tells one column, what pool j gives to all pools.")
        expect(not np.allclose(M, true - u[:, None], atol=size), "mass balance",
               "The input is still in your matrix: take u away from each answer before you change its sign.")
        expect(np.allclose(M, true, atol=size), "value", "u − M X must be what the program says of any X.")
        expect(len(calls) <= model.n + 1, "value", f"{len(calls)} calls; {model.n + 1} are enough.")
