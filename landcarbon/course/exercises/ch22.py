"""Exercises of chapter 22: a gradient on paper, one transposed solve, a flux that breaks a tie."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landcarbon.assimilation import GaussianLikelihood, Prior
from landcarbon.course.checks import exercise, expect
from landcarbon.learning import Stream, Task, hybrid
from landcarbon.models.parameters import Parameter, ParameterTable

Array = NDArray[np.float64]
Measure = Callable[[Array, Array], tuple[Array, Callable[[Array], Array]]]

CUE = Prior(
    ParameterTable(
        [
            Parameter("f", "1", 0.02, 0.9, 0.25, "ours", "share of litter that becomes soil carbon"),
            Parameter("k", "yr-1", 0.002, 0.4, 0.05, "ours", "turnover rate of soil carbon"),
        ]
    )
)
STARTS = {"low": (0.10, 0.02), "high": (0.60, 0.12)}


@cache
def region() -> dict[str, Any]:
    """A synthetic region of 150 sites: X = f I / k, f falls with warmth, k with clay."""
    rng = np.random.default_rng(22)
    place = pd.DataFrame(rng.uniform(-1.5, 1.5, (150, 2)), columns=["T", "clay"])
    f = 0.25 * np.exp(-0.35 * place["T"].to_numpy())
    k = 0.05 * np.exp(-0.4 * place["clay"].to_numpy())
    return {"place": place, "truth": np.stack([f, k], axis=1), "litter": rng.uniform(200, 600, 150)}


def _carbon(theta: Array, I: Array) -> tuple[Array, Callable[[Array], Array]]:  # noqa: E741
    f, k = theta.T
    return np.log(f * I / k)[:, None], lambda d: d * np.stack([1 / f, -1 / k], axis=1)


def two_networks(measure: Measure | None = None) -> dict[str, Array]:
    """Train from both starts on carbon, and on what `measure` says of the truth (10 % error).

    Returns the parameters (site, 2) each network says.
    """
    made = region()
    rng = np.random.default_rng(23)
    noise = 0.1 * rng.standard_normal((2, 150, 1))
    truth, I = made["truth"], made["litter"]  # noqa: E741
    streams = [Stream(GaussianLikelihood(_carbon(truth, I)[0] + noise[0], 0.1), _carbon)]
    if measure is not None:
        h = measure(truth, I)[0]
        sd = 0.1 * np.maximum(np.abs(h).mean(), 1.0) if np.abs(h).mean() > 20 else 0.1
        data = GaussianLikelihood(h + noise[1] / 0.1 * sd, sd)
        streams.append(Stream(data, measure))
    return {
        name: hybrid.fit(
            Task(streams, I, made["place"], CUE), start=start, n_networks=2, network=(10,), epochs=120,
            patience=40, rate=0.03, decay=0.01, batch=75, rng=1,
        ).predict(made["place"])
        for name, start in STARTS.items()
    }  # fmt: skip


@exercise(
    "22.1",
    level=1,
    title="three derivatives on paper",
    hints=(
        "Write the old pool's carbon at steady state as one formula of I, k1, k2 and f.",
        "X2 = f I / k2: the carbon that arrives is f times what leaves the young pool, which is I.",
        "`return np.array([…, …, …])`; one of the three is zero.",
    ),
)
def two_pool_gradient(answer: Callable[..., Any]) -> None:
    """Signs, a zero, scaling, and the derivatives themselves."""
    I, k1, k2, f = 400.0, 0.8, 0.02, 0.15  # noqa: E741
    g = np.asarray(answer(I, k1, k2, f), dtype=float)
    expect(g.shape == (3,), "shape", "Return three numbers: by k1, by k2, by f.")
    expect(np.isfinite(g), "not finite", "A derivative is not finite.")
    expect(
        g[0] == 0,
        "limit",
        "At steady state the young pool passes on what it gets, however fast: k1 cannot change the "
        "old pool.",
    )
    expect(g[1] < 0 < g[2], "sign", "A faster old pool holds less; a larger share makes it hold more.")
    expect(
        np.allclose(np.asarray(answer(2 * I, k1, k2, f)), 2 * g),
        "identity",
        "Twice the input must give twice the derivatives.",
    )
    expect(
        np.isclose(g[2] * f, -g[1] * k2),
        "identity",
        "One per cent more f and one per cent more k2 must cancel: X2 depends on f / k2.",
    )
    expect(np.isclose(g[2], I / k2), "value", "The derivative by f is not right yet.")


def _system() -> tuple[Array, Array, Array, Array, Array]:
    rng = np.random.default_rng(5)
    n, p = 5, 3
    M = np.diag(rng.uniform(1, 3, n)) - 0.3 * rng.random((n, n)) * (1 - np.eye(n))
    return M, rng.random(n), rng.standard_normal((p, n, n)), rng.standard_normal((p, n)), rng.standard_normal(n)


@exercise(
    "22.2",
    level=2,
    title="two solves for any number of parameters",
    hints=(
        "Which of the two solves needs M, which its transpose?",
        "X from M X = b, λ from Mᵀ λ = g; then for each parameter λ · (db − dM X).",
        "`X = np.linalg.solve(M, b)`, `lam = np.linalg.solve(M.T, g)`, and "
        "`np.array([lam @ (…) for dMk, dbk in zip(dM, db)])`.",
    ),
)
def adjoint_gradient(answer: Callable[..., Any]) -> None:
    """Against central differences of the solution, term by term."""
    M, b, dM, db, g = _system()
    with mock.patch("numpy.linalg.solve", side_effect=np.linalg.solve) as solves:
        got = np.asarray(answer(M, b, dM, db, g), dtype=float)
    expect(got.shape == (3,), "shape", "Return one derivative for each parameter.")
    expect(np.isfinite(got), "not finite", "A derivative is not finite.")
    lam = np.linalg.solve(M.T, g)
    none = np.zeros_like(dM)
    by_b = np.asarray(answer(M, b, none, db, g), dtype=float)
    expect(
        np.abs(by_b).max() > 0,
        "incomplete",
        "A parameter that changes only the input has no effect in your answer: db is missing.",
    )
    other = np.array([np.linalg.solve(M, g) @ d for d in db])
    expect(
        not np.allclose(by_b, other),
        "transposed",
        "The second solve is with M; the adjoint needs its transpose.",
    )
    expect(np.allclose(by_b, db @ lam), "value", "What db contributes, λ · db, is not right yet.")
    by_M = np.asarray(answer(M, b, dM, np.zeros_like(db), g), dtype=float)
    exact = -np.array([lam @ d @ np.linalg.solve(M, b) for d in dM])
    expect(
        not np.allclose(by_M, -exact),
        "sign",
        "A larger outflow must lower the carbon: dM comes with a minus.",
    )
    expect(
        np.allclose(by_M, exact),
        "value",
        "What dM contributes is not right yet: it acts on the carbon X.",
    )
    expect(
        solves.call_count <= 2,
        "choice",
        f"Right, with {solves.call_count} solves for 3 parameters. One solve with the transpose serves them all: "
        "take it out of the loop.",
    )
    step = 1e-6
    for k in range(3):
        up, down = (
            g @ np.linalg.solve(M + s * step * dM[k], b + s * step * db[k]) for s in (1, -1)
        )
        expect(abs((up - down) / (2 * step) - got[k]) < 1e-5, "value", "Differences disagree.")


@exercise(
    "22.3",
    level=3,
    title="a measurement that decides",
    hints=(
        "Carbon is f I / k. Which flux contains f, or k, but not their quotient alone?",
        "The CO2 of soil organic matter is k X = f I. Return it (or its logarithm) as (site, 1), and "
        "a function that multiplies what comes back with the two derivatives.",
        "`value = np.log(f * I)[:, None]`, and `lambda d: d * np.stack([1 / f, 0 * f], axis=1)`.",
    ),
)
def measurement(answer: Callable[..., Any]) -> None:
    """A value per site, its exact derivative, and two networks that agree with the truth."""
    made = region()
    theta, I = made["truth"][:9], made["litter"][:9]  # noqa: E741
    result = answer(theta, I)
    expect(
        isinstance(result, tuple) and len(result) == 2 and callable(result[1]),
        "shape",
        "Return a pair: the values, and a function that carries a derivative back.",
    )
    value, pull = np.asarray(result[0], dtype=float), result[1]
    expect(value.shape == (9, 1), "shape", f"The values must be (site, 1), not {value.shape}.")
    expect(np.isfinite(value), "not finite", "A value is not finite at ordinary parameters.")
    d = np.asarray(pull(np.ones((9, 1))), dtype=float)
    expect(d.shape == (9, 2), "shape", f"The derivative must be (site, 2), not {d.shape}.")
    for k, name in enumerate("fk"):
        h = 1e-5 * theta[:, k : k + 1] * np.eye(2)[k]
        up, down = (np.asarray(answer(theta + s * h, I)[0], dtype=float)[:, 0] for s in (1, -1))
        slope = (up - down) / (2 * h[:, k])
        expect(
            not (np.allclose(d[:, k], -slope, rtol=1e-4) and np.abs(slope).max() > 0),
            "sign",
            f"The derivative by {name} has the wrong sign.",
        )
        expect(
            np.allclose(d[:, k], slope, rtol=1e-4, atol=1e-6 * np.abs(slope).max() + 1e-9),
            "value",
            f"The derivative by {name} does not agree with central differences.",
        )
    along = theta * d  # per relative change of f and of k
    expect(
        np.abs(along).max() > 1e-9,
        "choice",
        "At steady state this is the same whatever f and k are: it cannot tell them apart.",
    )
    expect(
        np.abs(along.sum(axis=1)).max() > 1e-6 * np.abs(along).max(),
        "choice",
        "This does not change when f and k are doubled together: it repeats what carbon says.",
    )
    found = two_networks(answer)
    f = made["truth"][:, 0]
    apart = max(abs(theta[:, 0].mean() / f.mean() - 1) for theta in found.values())
    expect(
        apart < 0.1,
        "value",
        "With this measurement at all sites the mean CUE is still off by more than 10 %.",
    )


@exercise(
    "22.4",
    level=2,
    title="carbon use efficiency of a chain",
    hints=(
        "How much carbon do the pools lose in a year, each time it is handed on counted anew?",
        "At steady state D = A⁻¹ u is what each pool loses in a year, whatever its turnover time. All that ever "
        "enters is respired in the end: u.sum().",
        "`1 - u.sum() / np.linalg.solve(A, u).sum()`.",
    ),
)
def chain_efficiency(answer: Callable[..., Any]) -> None:
    """Share passed on of all that decomposes, weighted by the fluxes."""
    rng = np.random.default_rng(22)
    A = np.array([[1.0, 0.0, -0.1], [-0.4, 1.0, -0.2], [-0.1, -0.3, 1.0]])
    u = np.array([300.0, 100.0, 0.0])
    found = answer(A, u)
    expect(np.ndim(found) == 0, "shape", "Give one number for the whole chain.")
    found = float(found)
    expect(np.isfinite(found), "not finite", "It is NaN or infinite.")
    D = np.linalg.solve(A, u)
    right = 1 - u.sum() / D.sum()
    expect(not np.isclose(found, 1 - right), "identity", "That is the share respired; asked for is what is passed on.")
    passed = 1 - A.sum(axis=0)
    expect(not np.isclose(found, passed.mean()), "mass balance",
           "Every pool counts alike here; a pool through which little flows must count little.")
    expect(not np.isclose(found, (passed * u).sum() / u.sum()), "mass balance",
           "Weighted by what enters from outside; what pools hand to each other decomposes too.")
    expect(np.isclose(found, right), "value", "For a small chain of three pools it should be another number.")
    B = np.tril(-rng.uniform(0.05, 0.2, (4, 4)), -1) + np.eye(4)
    one = np.array([1.0, 0.0, 0.0, 0.0])
    expect(np.isclose(float(answer(B, one)), 1 - 1 / np.linalg.solve(B, one).sum()), "value",
           "With four pools and one input it is off.")
    expect(np.isclose(float(answer(np.eye(2), np.ones(2))), 0.0), "limit", "Pools that pass nothing on: 0.")


@exercise(
    "22.5",
    level=1,
    title="alike today, apart in 2100",
    hints=(
        "Where does the pool end when its rate has become q k for good? And where does it begin?",
        "What is left of the way closes at the new rate: the distance to the end shrinks like e^(−q k t).",
        "`end = 1 / q`, and then `end + (1 - end) * np.exp(…)`.",
    ),
)
def stock_ratio(answer: Callable[..., Any]) -> None:
    """Beginning, end, direction, and the pace in between."""
    t = np.array([0.0, 10.0, 85.0, 1e6])
    k, q = 0.02, 1.5
    found = np.asarray(answer(t, k, q), dtype=float)
    expect(found.shape == t.shape, "shape", "Return one number for each time.")
    expect(np.isfinite(found), "not finite", "A number is not finite.")
    expect(np.isclose(found[0], 1.0), "limit", "At the beginning nothing has changed yet: X(0)/X(0).")
    expect(found[1] < found[0], "sign", "A faster rate must lower the carbon, year after year.")
    expect(np.isclose(found[3], 1 / q), "limit", "In the end input equals outflow at the new rate, q k.")
    old_pace = 1 / q + (1 - 1 / q) * np.exp(-k * t)
    expect(not np.allclose(found, old_pace), "value", "It moves at the rate of before; from now on the rate is q k.")
    expect(
        np.allclose(np.asarray(answer(t, k, 1.0), dtype=float), 1.0), "identity",
        "Where the rate does not change (q is 1) neither does the carbon.",
    )
    right = 1 / q + (1 - 1 / q) * np.exp(-q * k * t)
    expect(np.allclose(found, right), "value", "Beginning and end are right, what lies between is not yet.")


def free_transfer(place: Array, f: Array, k: Array, litter: Array) -> tuple[float, Array]:
    """Let f alone follow the environment, by a straight line for ln f, and keep k at one value.

    Returns R² of ln carbon, and the f that is said at every site.
    """
    ln_x = np.log(f * litter / k)
    one_k = float(np.exp(np.log(k).mean()))
    wanted = ln_x - np.log(litter) + np.log(one_k)  # ln f that would give this carbon
    design = np.column_stack([np.ones(len(place)), place])
    said = design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    off = wanted - said
    return 1.0 - float((off**2).sum() / ((ln_x - ln_x.mean()) ** 2).sum()), np.exp(said)


@exercise(
    "22.6",
    level=3,
    title="the wrong culprit",
    hints=(
        "Carbon is f I / k. If k falls where it is dry, what must f seem to do where k may not move?",
        "Keep f at one value. Let ln k follow the covariates along a line, by so much that carbon shows it, and so "
        "little that the f that takes its place stays below 1.",
        "`f = np.full(len(place), 0.2)`, `k = 0.05 * np.exp(… * place[:, 0])`, and `return f, k`.",
    ),
)
def wrong_culprit(answer: Callable[..., Any]) -> None:
    """Transfer is the same everywhere, and transfer alone explains the carbon."""
    made = region()
    place, litter = made["place"].to_numpy(), np.full(len(made["place"]), 400.0)
    result = answer(place)
    expect(isinstance(result, tuple) and len(result) == 2, "shape", "Return two arrays: f and k.")
    f, k = (np.asarray(v, dtype=float) for v in result)
    expect(f.shape == k.shape == (len(place),), "shape", "Give one f and one k for each site.")
    expect(np.isfinite(f) & np.isfinite(k), "not finite", "A parameter is NaN or infinite.")
    expect((0 < f) & (f <= 1) & (k > 0), "limit", "f is a share, 0 to 1, and k a rate above 0.")
    expect(np.ptp(f) < 1e-9, "choice", "In truth f must be the same at all sites: it is not the culprit.")
    expect(np.log(k).std() > 0.2, "limit", "Carbon hardly varies: without a pattern there is nothing to explain.")
    r2, said = free_transfer(place, f, k, litter)
    expect(r2 > 0.95, "value", "f follows the environment along a line, and k does not: f alone cannot do its work.")
    expect(said.max() <= 1.0, "mass balance",
           "To do the work of k, f would have to hand on more than decays: that would give it away. Make it subtler.")


@exercise(
    "22.7",
    level=1,
    title="an interval from twins",
    hints=(
        "By how much was each twin off, and to which side? The new figure is probably off in the same way.",
        "off = found − truth in the twins. What was found is truth plus off, so the truth is what was found minus off.",
        "`low, high = np.quantile(found - truth, [0.05, 0.95])`; mind which end of it gives the lower end.",
    ),
)
def interval_from_twins(answer: Callable[..., Any]) -> None:
    """Errors that are biased and skewed, so that each turn of a sign shows."""
    rng = np.random.default_rng(7)
    truth = rng.uniform(0.1, 0.5, 4000)
    off = 0.1 + rng.exponential(0.1, 4000)  # found too high, at times by far
    result = answer(truth + off, truth, 0.6)
    two = isinstance(result, (tuple, list, np.ndarray)) and len(result) == 2
    expect(two, "shape", "Return two numbers: low, high.")
    low, high = (float(v) for v in result)
    expect(np.isfinite([low, high]), "not finite", "An end is NaN or infinite.")
    moved = [float(v) for v in answer(truth + off, truth, 0.7)]
    expect(np.allclose(moved, [low + 0.1, high + 0.1]), "incomplete",
           "The interval does not move with what was found for the new survey.")
    expect(low < high, "shape", "The lower end comes first.")
    ends = np.quantile(off, [0.05, 0.5, 0.95])
    expect(not np.allclose([low, high], 0.6 + ends[[0, 2]], atol=1e-3), "sign",
           "The twins found too much; so the truth lies below what was found, not above.")
    expect(low < 0.6 - ends[1] < high, "value",
           "The twins were off by 0.17 in the median, and an interval around the figure as found does not see that.")
    expect(np.allclose([low, high], 0.6 - ends[[2, 0]], atol=2e-3), "value",
           "It should hold the truth in 90 of 100 twins, and leave out as many below as above.")
