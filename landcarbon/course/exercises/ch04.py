"""Exercises of chapter 04: capacity, potential, residence time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.simulate import simulate
from landcarbon.models.century import century3
from landcarbon.models.pools import three_pool, two_pool


@exercise(
    "04.1",
    level=1,
    title="residence time per pool",
    hints=(
        "At capacity an input of 1 per year keeps up as much carbon in each pool as the years it stays there.",
        "Solve M τ = B for τ; NumPy solves a linear system without an inverse.",
        "One line: `return np.linalg.solve(…, …)`.",
    ),
)
def residence_time(answer: Callable[[Any, Any], Any]) -> None:
    """M τ = B: turnover of what a unit of input keeps up brings back the allocation."""
    model = century3()
    M = model.outflow_matrix()
    tau = np.asarray(answer(M, model.B), dtype=float)
    for slip in (np.linalg.inv(M) * model.B, np.linalg.inv(M) * model.B[:, None]):
        expect(
            np.shape(tau) != (3, 3) or not np.allclose(tau, slip), "shape",
            "`*` multiplies entry by entry; a matrix times a vector is `@`, or np.linalg.solve(M, …) at once.",
        )
    expect(
        tau.shape != (3, 3), "shape",
        "That is a matrix. M⁻¹ alone answers for carbon put into any pool; B says where input goes.",
    )
    expect(tau.shape == (3,), "shape", "Return one number for each pool: an array of length 3.")
    expect(
        np.all(np.isfinite(tau)), "not finite",
        "Some residence times are not finite numbers. M**-1 and 1 / M turn each entry round by itself; "
        "the inverse of a matrix is np.linalg.inv(M), and np.linalg.solve does without it.",
    )
    expect(
        not np.allclose(tau, np.linalg.inv(M).sum(axis=1)) and not np.allclose(tau, np.linalg.inv(M).sum(axis=0)),
        "incomplete",
        "That adds up the inverse as if one unit entered each pool. B says which part of a unit enters where.",
    )
    expect(
        not np.allclose(tau, M @ model.B) and not np.allclose(tau, np.diag(M) * model.B), "units",
        "M B has the unit 1/yr. A time needs M in the denominator: undo the matrix, do not apply it.",
    )
    expect(
        not np.allclose(tau, np.linalg.solve(M.T, model.B)), "transposed",
        "You solved with Mᵀ: columns are where carbon comes from, rows where it goes.",
    )
    expect(
        not np.allclose(tau, model.B / np.diag(M)), "limit",
        "Only carbon that enters from outside is counted. What pools hand on to each other spends "
        "time there too: use the whole matrix, not its diagonal.",
    )
    expect(
        not np.allclose(tau, 1 / (M @ model.B)), "units",
        "One over M B is not the inverse of M applied to B: solve M τ = B.",
    )
    expect(np.all(tau >= 0), "sign", "Carbon cannot spend a negative time in a pool.")
    expect(
        np.all(tau > 0), "limit",
        "Some pool gets no time at all. Carbon gets into each of them, from outside or from another pool.",
    )
    expect(
        not np.allclose(tau, np.linalg.inv(M)[:, 0]), "incomplete",
        "That is the first column of M⁻¹, as if all input entered the first pool. B says where it enters.",
    )
    expect(
        not np.allclose(np.sort(tau), np.sort(1 / np.linalg.eigvals(M).real)), "identity",
        "Those are the time scales 1/λ of the whole; asked are the years of a unit of input in each pool.",
    )
    times = (M @ tau) / np.where(model.B > 0, model.B, np.nan)
    expect(
        not (np.nanmax(times) - np.nanmin(times) < 1e-9 and not np.isclose(np.nanmean(times), 1)), "units",
        f"M τ is {np.nanmean(times):.4g} times B: τ belongs to one unit of input a year, and is a time, no share.",
    )
    expect(
        not np.allclose(tau, 1 / np.diag(M)), "identity",
        "1/k is the time of carbon that is in the pool already; not all input gets into each pool.",
    )
    expect(
        np.allclose(M @ tau, model.B, atol=1e-9), "mass balance",
        "Put your τ into M τ: it must give back the allocation B, and does not yet.",
    )
    slow = np.asarray(answer(M / 2, model.B), dtype=float)
    expect(np.allclose(slow, 2 * tau), "limit", "With all rates halved, carbon must stay twice as long.")


def _unrecorded(steps: int = 60) -> tuple[Any, ...]:
    """A system whose matrices, inputs and rates of change are known, and the storage that is asked."""
    rng = np.random.default_rng(4)
    base = century3()
    t = np.linspace(0, 5, steps)
    X = np.array([40.0, 900.0, 2500.0]) * rng.uniform(0.7, 1.3, (steps, 3))
    xi = 1 + 0.5 * np.sin(2 * np.pi * t)[:, None] * [1, 0.8, 0.5]
    M = base.outflow_matrix(xi)
    u = base.input(300 * (1 + 0.6 * np.cos(2 * np.pi * t)))
    return M, u, u - (M @ X[..., None])[..., 0], X


@exercise(
    "04.2",
    level=2,
    title="capacity and potential at every time",
    hints=(
        "Both parts are M⁻¹ of something with the unit gC m⁻² per year: of what?",
        "Capacity is M⁻¹ u, potential is M⁻¹ dX/dt, both with the M of the same time.",
        "`np.linalg.solve(M, u[..., None])[..., 0]` solves for all times at once; do it twice and "
        "return a pair.",
    ),
)
def capacity_and_potential(answer: Callable[[Any, Any, Any], Any]) -> None:
    """Their difference is the storage, at every time; at capacity the potential is zero."""
    M, u, change, X = _unrecorded()
    pair = answer(M, u, change)
    expect(
        isinstance(pair, (tuple, list)) and len(pair) == 2, "shape",
        "Return two arrays: `return capacity, potential`.",
    )
    end, missing = (np.asarray(p, dtype=float) for p in pair)
    for name, part in (("capacity", end), ("potential", missing)):
        expect(
            part.shape == X.shape, "shape",
            f"The {name} must have one row a time and one column a pool, as u has; yours has shape "
            f"{part.shape}.",
        )
        expect(np.all(np.isfinite(part)), "not finite", f"The {name} holds numbers that are not finite.")

    def same(a: Any, b: Any) -> bool:
        return bool(np.allclose(a, b, rtol=1e-6, atol=1e-6 * np.abs(b).max()))

    def solved(matrix: Any, right: Any) -> Any:
        return np.linalg.solve(matrix, right[..., None])[..., 0]

    expect(
        not same(missing, change), "units",
        "Your potential is dX/dt itself, in gC m⁻² per year. Multiply it by a time: by M⁻¹.",
    )
    expect(
        not same(end, u) and not same(end, (M @ u[..., None])[..., 0]), "units",
        "Your capacity is not carbon: it must be M⁻¹ u, an input times a time.",
    )
    expect(
        not (same(end, solved(M, change)) and same(missing, solved(M, u))), "identity",
        "The two are exchanged: return the capacity first, the potential second.",
    )
    expect(
        not same(missing, X) and not same(end, X), "identity",
        "One of your two is the storage X itself. Capacity comes from the input alone, potential from "
        "dX/dt alone.",
    )
    turned = np.swapaxes(M, -1, -2)
    expect(
        not same(end, solved(turned, u)) and not same(missing, solved(turned, change)), "transposed",
        "You solved with Mᵀ. Row i of M is the balance of pool i.",
    )
    diagonal = np.diagonal(M, axis1=-2, axis2=-1)
    expect(
        not same(missing, change / diagonal) and not same(end, u / diagonal), "limit",
        "You divided by the diagonal of M, as if pools handed nothing on. Solve with the whole matrix.",
    )
    expect(
        not any(same(end, solved(one, u)) for one in (M[:1], M[-1:], M.mean(axis=0, keepdims=True))), "off by one",
        "You solved once for all times. M changes from time to time: each row of u has a matrix of its own.",
    )
    expect(
        not same(end[1:], solved(M[:-1], u[1:])), "off by one",
        "Your M and your input belong to different times: each time has its own matrix.",
    )
    expect(
        not same(end + missing, X), "sign",
        "Your two parts add up to the storage. Potential is what is missing: positive while carbon grows.",
    )
    expect(
        same(end - missing, X), "identity",
        "Capacity minus potential must be the storage at every time, and is not yet.",
    )
    still = answer(M, u, np.zeros_like(u))[1]
    expect(same(np.asarray(still) + 1, np.ones_like(u)), "limit", "Where nothing changes, nothing is missing.")


Land = tuple[MatrixModel, float]


def _gain(before: Land, after: Land, years: float) -> Any:
    """Gain of each pool, from the run."""
    start = before[0].steady_state(before[1])
    return simulate(after[0], [0, years], start, after[1]).X.values[-1] - start


@exercise(
    "04.3",
    level=3,
    title="soon or in the end",
    hints=(
        "The forest starts at the capacity of the land before and then lives under the land after.",
        "Run `simulate` with the new model and input from the old steady state; last sum minus first sum.",
        "`gained`: start, run over [0, years], difference. `best`: `max(changes, key=lambda name: …)`.",
    ),
)
def soon_or_in_the_end(answer: Any) -> None:
    """Nothing at year 0, the difference of capacities in the end, the run in between."""
    expect(
        isinstance(answer, (tuple, list)) and len(answer) == 2 and all(callable(f) for f in answer),
        "shape", "Give the check both functions: check('04.3', (gained, best)).",
    )
    gained, best = answer
    old = (three_pool(), 600.0)
    new = (three_pool(k_vegetation=0.1, litter_to_soil=0.35), 600.0)
    whole = float((new[0].steady_state(600.0) - old[0].steady_state(600.0)).sum())
    one = gained(old, new, 30.0)
    expect(np.shape(one) == (), "shape", "Return one number: the sum over all pools.")
    expect(np.isfinite(one), "not finite", "The gain is not a finite number.")
    exact = _gain(old, new, 30.0)
    start = old[0].steady_state(old[1]).sum()
    at_once = gained(old, new, 1e-9)
    for value, kind, message in (
        (exact.sum() + start, "incomplete", "That is all carbon after 30 years; the gain is what it has more than at "
         "the start."),
        (exact.sum() / 30, "units", "That is the gain per year; asked is all that is gained."),
        (exact.sum() / start, "units", "That is a share of the old carbon; asked is the gain itself, in gC m⁻²."),
    ):
        expect(not np.isclose(one, value, rtol=1e-3), kind, message)
    expect(
        not np.isclose(one, whole, rtol=1e-3), "limit",
        "After 30 years your forest has gained its whole new capacity: it needs time to get there.",
    )
    expect(
        abs(one) < 1e-6 or one != at_once, "incomplete",
        "After 30 years and after none your gain is the same: the run has to end at `years`.",
    )
    expect(
        not np.isclose(at_once, _gain(old, new, 1.0).sum(), rtol=1e-3), "off by one",
        "Your run goes on for a year although none has passed: end it at `years`, as in [0, years].",
    )
    expect(abs(one) > 1e-6, "incomplete", "Nothing changes in yours: run the model of `after`, not that of `before`.")
    expect(
        np.isclose(at_once, 0, atol=1.0), "limit",
        "At the moment of the change nothing is gained yet. Do you start from the old capacity?",
    )
    expect(one > 0, "sign", "This change gains carbon, yours loses it: take the end of the run minus its start.")
    expect(
        not np.isclose(one, exact[-1], rtol=1e-3), "incomplete",
        "You count the soil alone: wood and litter are carbon too. Sum over all pools.",
    )
    expect(
        np.isclose(gained(old, new, 1e5), whole, rtol=1e-3), "limit",
        "In the very long run the gain is the difference of the two capacities: do you start at the old one?",
    )
    expect(
        np.isclose(one, exact.sum(), rtol=2e-3), "value",
        "The gain after 30 years is not that of the run: which model rules after the change?",
    )
    fed = (old[0], 660.0)
    expect(
        np.isclose(gained(old, fed, 30.0), _gain(old, fed, 30.0).sum(), rtol=2e-3), "mass balance",
        "A change of the input must count: run the new model with the new input, from the old capacity.",
    )
    small = (two_pool(), 100.0), (two_pool(), 120.0)
    expect(
        np.isclose(gained(*small, 40.0), _gain(*small, 40.0).sum(), rtol=2e-3), "value",
        "It works for three pools but not for a model with two: is a number of pools built in?",
    )
    changes = {
        "quick": (three_pool(k_vegetation=0.08), 600.0),
        "slow": (three_pool(k_soil=0.007), 600.0),
        "loss": (three_pool(k_soil=0.012), 600.0),
    }
    for years in (20.0, 400.0):
        gains = {name: float(_gain(old, land, years).sum()) for name, land in changes.items()}
        named = best(old, changes, years)
        expect(isinstance(named, str) and named in changes, "shape", "Return the name of the best change.")
        expect(
            named != min(gains, key=lambda n: gains[n]), "sign",
            "You picked the change that stores least: look for the largest gain.",
        )
        expect(
            named == max(gains, key=lambda n: gains[n]), "choice",
            f"After {years:.0f} years another change has stored more. Do you compare the gains of that year?",
        )
