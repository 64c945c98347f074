"""Exercises of chapter 20: a gradient checked, a gradient written, a learning curve, a cheap posterior."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation import GaussianLikelihood, Prior
from landcarbon.course.checks import exercise, expect, unlike
from landcarbon.models.parameters import Parameter, ParameterTable

Array = NDArray[np.float64]

PRIOR = Prior(
    ParameterTable(
        [
            Parameter("k_vegetation", "yr-1", 0.05, 0.3, 0.13),
            Parameter("k_soil", "yr-1", 0.004, 0.04, 0.009),
            Parameter("litter_to_soil", "1", 0.1, 0.6, 0.3),
        ]
    )
)
"""What is known of the three parameters of `Century` before the data are seen."""

BUDGET = 200


class Century:
    """Three pools, a century of rising input, run as a black box that counts its runs.

    Called with parameters (run, 3) it returns (run, 6): vegetation and soil carbon after 33, 67
    and 100 years [gC m-2].
    """

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, theta: Any) -> Array:
        theta = np.atleast_2d(np.asarray(theta, dtype=float))
        self.runs += len(theta)
        return _century(theta)


def _century(theta: Array) -> Array:
    kv, ks, f = theta.T
    v = litter = s = np.zeros_like(kv)
    out = []
    for year in range(100):
        v = (v + 400 * (1 + 0.004 * year)) / (1 + kv)
        litter = (litter + kv * v) / 1.8
        s = (s + f * 0.8 * litter) / (1 + ks)
        if year in (32, 66, 99):
            out += [v, s]
    return np.stack(out, axis=-1)


def century_data() -> GaussianLikelihood:
    """Synthetic measurements of a century, with errors of 15 %."""
    h = _century(np.array([[0.12, 0.012, 0.35]]))[0]
    sd = 0.15 * h
    return GaussianLikelihood(h + sd * np.random.default_rng(20).standard_normal(6), sd)


def reference() -> tuple[Array, Array]:
    """Posterior mean and sd from 40,000 runs, prior draws weighted by their likelihood."""
    theta = PRIOR.sample(40_000, rng=21)
    ll = century_data().log_likelihood(_century(theta))
    w = np.exp(ll - ll.max())
    w /= w.sum()
    mean = w @ theta
    return mean, np.sqrt(w @ (theta - mean) ** 2)


@exercise(
    "20.1",
    level=1,
    title="central differences of every weight",
    hints=(
        "What does the cost do when one weight goes up a little, and when it goes down as much?",
        "For each k: copy the weights, add the step to entry k, take J; subtract it, take J; divide "
        "the difference by the distance between the two.",
        "A loop over `range(w.size)` with `e = np.zeros_like(w); e[k] = step`, collecting "
        "`(J(w + e) - J(w - e)) / (…)`.",
    ),
)
def numerical_gradient(answer: Callable[..., Any]) -> None:
    """Exact for quadratics, of second order for the rest, and the weights stay as they are."""
    A = np.diag([1.0, 2.0, 3.0]) + 0.5

    def quadratic(w: Array) -> float:
        return float(0.5 * w @ A @ w)

    w = np.array([1.0, -2.0, 0.5])
    kept = w.copy()
    g = np.asarray(answer(quadratic, w, 0.1), dtype=float)
    expect(g.shape == w.shape, "shape", "One derivative for each weight: return as many as w has.")
    expect(np.isfinite(g), "not finite", "The gradient of a parabola came out as not finite.")
    expect(
        np.array_equal(w, kept),
        "identity",
        "The weights were changed on the way: work on a copy, or undo each move.",
    )
    exact = A @ w
    expect(
        not np.allclose(g, -exact),
        "sign",
        "The gradient points the wrong way: J above minus J below, not the reverse.",
    )
    expect(
        not np.allclose(g, 2 * exact),
        "value",
        "Twice the gradient: the two points are two steps apart.",
    )
    once = "Divide by the distance between the two points, once: a derivative is cost per weight."
    unlike(
        g,
        *((exact * factor, "units", once) for factor in (0.1, 0.2, 10.0, 5.0)),
        (exact / 3, "value", "You averaged over the weights. Each weight has a derivative of its own."),
        (np.abs(exact), "sign", "A derivative may be negative: the cost falls there. Leave the sign."),
        (exact * w, "value", "Your step grows with the weight. Every weight moves by the same `step`."),
        (A @ w.astype(int), "value", "Your copy of the weights was cut to whole numbers: copy them with `w.copy()`."),
    )
    expect(
        np.allclose(g, exact, rtol=1e-9),
        "limit",
        "Central differences are exact for a parabola, whatever the step. Yours are not: do you move "
        "to one side only, or several weights at once?",
    )
    off = [
        abs(float(np.asarray(answer(lambda v: float(np.exp(v[0])), np.array([1.0]), s))[0]) - math.e)
        for s in (0.1, 0.01)
    ]
    expect(
        off[1] < 0.02 * off[0],
        "value",
        "With a step ten times smaller the error must be a hundred times smaller. Is the step used?",
    )


def _softplus(a: Any) -> Any:
    return np.log1p(np.exp(-np.abs(a))) + np.maximum(a, 0.0)


def _cost(W1: Array, b1: Array, W2: Array, x: Array, dy: Array) -> float:
    return float((dy * (_softplus(x @ W1 + b1) @ W2)).sum())


@exercise(
    "20.2",
    level=2,
    title="backpropagation by hand",
    hints=(
        "Start at the end: what do W2 and b2 see of dy? Then carry dy back through W2.",
        "dW2 = hᵀ dy; db2 sums dy over the rows; dh = dy W2ᵀ; times the slope of the softplus at "
        "x W1 + b1; then dW1 and db1 as before.",
        "Six lines: `a = x @ W1 + b1`, `h = np.log1p(np.exp(a))`, `da = (dy @ W2.T) * slope`, and "
        "`return x.T @ da, da.sum(0), …`.",
    ),
)
def backward(answer: Callable[..., Any]) -> None:
    """Against finite differences, one array at a time; limits of the softplus."""
    rng = np.random.default_rng(2)
    x, W1, b1 = rng.standard_normal((7, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)
    W2, dy = rng.standard_normal((4, 2)), rng.standard_normal((7, 2))
    got = answer(x, dy, W1, b1, W2)
    expect(
        isinstance(got, (tuple, list)) and len(got) == 4,
        "shape",
        "Return four arrays: dW1, db1, dW2, db2.",
    )
    g = [np.asarray(part, dtype=float) for part in got]
    names, like = ("dW1", "db1", "dW2", "db2"), (W1, b1, W2, np.zeros(2))
    for name, part, whole in zip(names, g, like):
        if part.ndim == 2 and part.shape == whole.shape[::-1] and part.shape != whole.shape:
            expect(False, "transposed", f"{name} has rows and columns exchanged.")
        expect(
            part.shape == whole.shape,
            "shape",
            f"{name} has shape {part.shape}, but what it belongs to has {whole.shape}. A bias "
            "collects from all rows.",
        )
        expect(np.isfinite(part), "not finite", f"{name} is not finite.")
    twice = [np.asarray(p) for p in answer(np.tile(x, (2, 1)), np.tile(dy, (2, 1)), W1, b1, W2)]
    expect(
        all(np.allclose(b, 2 * a) for a, b in zip(g, twice)),
        "mass balance",
        "The same rows twice must give twice the gradient: sum over the rows, do not average.",
    )
    h = _softplus(x @ W1 + b1)
    unlike(
        g[2],
        (-h.T @ dy, "sign",
         "All is turned round: the gradient points to where the cost grows. Training walks against it."),
        (_softplus(x @ W1).T @ dy, "incomplete", "The bias b1 is missing in a = x W1 + b1."),
        ((x @ W1 + b1).T @ dy, "incomplete", "dW2 needs what the hidden units pass on, h, the softplus of a."),
    )
    expect(
        np.allclose(g[2], h.T @ dy) and np.allclose(g[3], dy.sum(axis=0)),
        "value",
        "dW2 or db2 is not right yet: the output is h W2 + b2, with h the softplus of x W1 + b1.",
    )
    flat = np.asarray(answer(x, dy, W1, b1 - 60.0, W2)[0])
    expect(
        np.abs(flat).max() < 1e-6,
        "limit",
        "Where the softplus is flat (far to the left) nothing before it can matter, but dW1 does "
        "not vanish there. Which slope do you multiply with?",
    )
    straight = np.asarray(answer(x, dy, W1, b1 + 60.0, W2)[1])
    expect(
        np.allclose(straight, (dy @ W2.T).sum(axis=0), rtol=1e-6),
        "limit",
        "Far to the right the softplus is a straight line of slope 1, but db1 says otherwise there.",
    )
    step = 1e-6
    for k, part in ((0, W1), (1, b1)):
        for at in np.ndindex(part.shape):
            e = np.zeros_like(part)
            e[at] = step
            up, down = [
                _cost(W1 + s * e if k == 0 else W1, b1 + s * e if k == 1 else b1, W2, x, dy)
                for s in (1, -1)
            ]
            expect(
                abs((up - down) / (2 * step) - g[k][at]) < 1e-6,
                "value",
                f"{names[k]} does not agree with central differences.",
            )


class _Spy:
    """A regression that notes on what it is trained and what it is asked."""

    def __init__(self) -> None:
        self.trained: list[Array] = []
        self.asked: list[Array] = []

    def __call__(self, x: Any, y: Any) -> Callable[[Any], Array]:
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        self.trained.append(x[:, 0].copy())
        slope = np.polyfit(x[:, 0], y, 1)

        def predict(new: Any) -> Array:
            new = np.asarray(new, dtype=float)
            self.asked.append(new[:, 0].copy())
            return np.polyval(slope, new[:, 0])

        return predict


@exercise(
    "20.3",
    level=2,
    title="a learning curve without leakage",
    hints=(
        "Which rows may a regression never see before it is judged by them?",
        "Shuffle the rows once. Put the last quarter aside; train on the first 10, 20, … of the "
        "others; each time predict the rows put aside and take the root mean square error.",
        "`order = rng.permutation(len(x))`, `test = order[-len(x) // 4:]`, then a loop over `sizes` "
        "with `predict = fit(x[order[:n]], y[order[:n]])`.",
    ),
)
def learning_curve(answer: Callable[..., Any]) -> None:
    """Fixed test rows that are never trained on, the sizes asked for, root mean square error."""
    rng = np.random.default_rng(3)
    x = np.column_stack([np.arange(80.0), rng.standard_normal(80)])
    y = np.sin(x[:, 0] / 9) + 0.1 * rng.standard_normal(80)
    sizes = [10, 20, 40]
    spy = _Spy()
    curve = np.asarray(answer(x, y, sizes, spy, np.random.default_rng(1)), dtype=float)
    expect(curve.shape == (3,), "shape", "Return one error for each size.")
    expect(np.isfinite(curve), "not finite", "An error is not finite.")
    expect(curve >= 0, "sign", "An error cannot be negative.")
    given = [len(rows) for rows in spy.trained]
    expect(
        len(given) == 3,
        "incomplete",
        f"{len(given)} regressions were trained for three sizes: one each.",
    )
    for rows, asked in zip(spy.trained, spy.asked):
        both = np.intersect1d(rows, asked).size
        expect(
            both == 0,
            "leakage",
            f"{both} of the rows a regression is judged by were among those it was trained on.",
        )
    expect(
        given == sizes,
        "off by one",
        f"Trained on {given} rows where {sizes} were asked for.",
    )
    expect(
        all(np.array_equal(np.sort(a), np.sort(spy.asked[0])) for a in spy.asked),
        "identity",
        "The test rows change from size to size: points of a curve must be judged by the same rows.",
    )
    expect(
        len(spy.asked[0]) >= 15,
        "value",
        f"{len(spy.asked[0])} test rows are few: put a quarter of the rows aside.",
    )
    scaled = np.asarray(answer(x, 10 * y, sizes, _Spy(), np.random.default_rng(1)), dtype=float)
    expect(
        np.allclose(scaled, 10 * curve, rtol=1e-6),
        "units",
        "With the target in a unit ten times smaller the error must be ten times larger: take the "
        "root of the mean square.",
    )
    rows = spy.asked[0].astype(int)
    p = np.polyval(np.polyfit(spy.trained[0], y[spy.trained[0].astype(int)], 1), x[rows, 0])
    off = p - y[rows]
    unlike(
        curve[0],
        (np.abs(off).mean(), "value", "That is the mean absolute error; asked for is the root of the mean square."),
        (np.sqrt((off**2).sum()), "value", "You took the root of the sum: it grows with the number of test rows."),
        (abs(off.mean()), "value", "You averaged the errors before squaring: too high and too low cancel."),
    )
    expect(
        np.isclose(curve[0], np.sqrt((off**2).mean()), rtol=1e-6),
        "value",
        "The numbers are not the root mean square error at the test rows. Are x and y taken in the same order?",
    )
    again = np.asarray(answer(x, y, sizes, _Spy(), np.random.default_rng(1)), dtype=float)
    other = np.asarray(answer(x, y, sizes, _Spy(), np.random.default_rng(2)), dtype=float)
    expect(
        np.array_equal(again, curve) and not np.array_equal(other, curve),
        "seed",
        "Shuffle with the generator that is given: the same seed the same curve, another another.",
    )


@exercise(
    "20.4",
    level=3,
    title="the same posterior from 200 runs",
    hints=(
        "Where should 200 runs be spent: all over the prior, or where the data want the parameters?",
        "`emulator.design` for the first 100, `emulator.fit`, `emulator.refine` for the rest, then "
        "`sample` the posterior of the emulator.",
        "`draws = sample(quick.posterior(data), 'smc', rng=rng)`, and `return draws.mean(), "
        "draws.sd()`.",
    ),
)
def cheap_posterior(answer: Callable[..., Any]) -> None:
    """Within the budget, mean within 0.15 sd and sd within 15 % of 40,000 runs, reproducible."""
    model, data = Century(), century_data()
    result = answer(model, PRIOR, data, np.random.default_rng(1))
    expect(
        isinstance(result, (tuple, list)) and len(result) == 2,
        "shape",
        "Return two arrays: posterior means and standard deviations.",
    )
    m, s = (np.asarray(part, dtype=float) for part in result)
    expect(
        m.shape == (3,) and s.shape == (3,),
        "shape",
        f"Means and standard deviations of three parameters, not {m.shape} and {s.shape}.",
    )
    expect(np.isfinite(m) & np.isfinite(s), "not finite", "A mean or an sd is not finite.")
    expect(model.runs > 0, "incomplete", "The model was never run.")
    expect(
        model.runs <= BUDGET,
        "choice",
        f"{model.runs:,} runs were spent of {BUDGET}. Let an emulator answer most of the calls.",
    )
    inside = (m >= PRIOR.table.lower) & (m <= PRIOR.table.upper)
    expect(inside, "units", "A mean lies outside its bounds: give parameters in their own units.")
    mean, sd = reference()
    expect(
        not np.allclose(s, sd**2, rtol=0.3),
        "units",
        "These look like variances; asked for are standard deviations.",
    )
    flat = PRIOR.sample(4000, rng=1).std(axis=0)
    expect(
        not np.allclose(s, flat, rtol=0.12),
        "incomplete",
        "These are the standard deviations of the prior: the data have not been used.",
    )
    expect(
        not np.allclose(s, 1.645 * sd, rtol=0.12) and not np.allclose(s, 1.96 * sd, rtol=0.12),
        "units",
        "These look like half-widths of intervals; asked for are standard deviations.",
    )
    expect(
        np.abs(s / sd - 1) < 0.15,
        "value",
        "A standard deviation is off by more than 15 %: is the error of the emulator in the "
        "likelihood, and is it small where the posterior lies?",
    )
    expect(
        np.abs(m - mean) / sd < 0.15,
        "value",
        "A mean is off by more than 0.15 standard deviations. Put some of the runs where the "
        "posterior is.",
    )
    again = answer(Century(), PRIOR, data, np.random.default_rng(1))
    expect(
        np.allclose(again[0], m, rtol=1e-8),
        "seed",
        "Two runs with the same generator differ: hand `rng` to everything that draws.",
    )
