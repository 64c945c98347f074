"""Checks of chapter 09: carbon and nitrogen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect
from landcarbon.matrix.nutrients import State, simulate
from landcarbon.models import carbon_nitrogen as cn
from landcarbon.models.pools import three_pool

MONTHS = np.arange(12) + 0.5
SEASON = np.sin(2 * np.pi * (MONTHS - 3.5) / 12)


def seasons() -> tuple[Any, Any]:
    """A year of potential growth (12,) [gC m-2 yr-1] and of environmental scalars (12, 6)."""
    growth = cn.GROWTH * (1 + 0.9 * SEASON)
    xi = np.ones((12, 6))
    xi[:, 2:] = (1 + 0.5 * SEASON)[:, None]
    return growth, xi


@exercise(
    "09.1",
    level=1,
    title="Is nitrogen conserved?",
    hints=(
        "What should be there at the end, if you know what was there, what came and what went?",
        "Supply and loss are fluxes per year; multiply by the years, then compare with what is there.",
        "One line: `return before + (…) * years - …`; it is 0 if nothing is missing.",
    ),
)
def missing(answer: Callable[..., Any]) -> None:
    expect(np.isclose(answer(800.0, 805.0, 1.0, 0.5, 10.0), 0.0), "mass balance",
           "800 + (1 − 0.5) × 10 = 805: nothing is missing here.")
    found = float(answer(800.0, 800.0, 1.0, 0.4, 10.0))
    expect(np.isfinite(found), "not finite", "The answer is NaN or infinite.")
    expect(not np.isclose(found, -6.0), "sign", "Six grams came and are not there: missing is positive.")
    expect(not np.isclose(found, 0.6), "units", "Supply and loss are per year; ten years have passed.")
    expect(np.isclose(found, 6.0), "mass balance", "Six grams more came than went, and the stock did not change.")


@exercise(
    "09.2",
    level=2,
    title="The coupled steady state",
    hints=(
        "Which of the four quantities can you know without knowing any of the others?",
        "Mineral nitrogen is supply over loss rate; that gives φ; with φ the carbon equation is linear.",
        "Four lines: m = …; phi = …; X = np.linalg.solve(A * K, …); and N from X and the ratios.",
    ),
)
def coupled(answer: Callable[..., Any]) -> None:
    model = three_pool()
    c_to_n = np.array([60.0, 60.0, 30.0])
    for supply, loss, half in ((1.0, 0.5, 0.8), (0.3, 1.5, 0.4)):
        found = answer(model.A, model.K, model.B, 600.0, c_to_n, supply, loss, half)
        expect(isinstance(found, (tuple, list)) and len(found) == 4, "shape",
               "Return four things: mineral N, φ, carbon, nitrogen.")
        m, phi = float(found[0]), float(found[1])
        X, N = (np.asarray(v, dtype=float) for v in found[2:])
        expect(X.shape == (3,) and N.shape == (3,), "shape", "Carbon and nitrogen have one value for each pool.")
        expect(np.isfinite([m, phi, *X, *N]), "not finite", "Something is NaN or infinite.")
        expect(not np.isclose(m, supply * loss), "units", "A stock is a flux times a time, or a flux over a rate.")
        expect(np.isclose(m * loss, supply), "mass balance",
               "At steady state mineral nitrogen must lose what is supplied.")
        expect(not np.isclose(phi, half / (m + half)), "limit", "With much mineral nitrogen φ goes to 1, yours to 0.")
        expect(np.isclose(phi, m / (m + half)), "identity", "φ is the share m / (m + half).")
        full = model.steady_state(600.0)
        expect(not np.allclose(X, full), "incomplete", "This is the carbon without any limitation by nitrogen.")
        expect(np.allclose(X, phi * full), "mass balance", "Input, φ B I, and outflow, A K X, do not balance.")
        expect(not np.allclose(N, X * c_to_n), "units", "c_to_n is carbon per nitrogen: divide by it.")
        expect(np.allclose(N, X / c_to_n), "identity", "Nitrogen stands to carbon in the ratio of each pool.")


@exercise(
    "09.3",
    level=3,
    title="Spin-up with feedback",
    hints=(
        "One year of running tells you the mean growth and the mean rates; what carbon would they hold?",
        "Solve mean(A κ) X = mean(B growth) after each year, with κ from `land.turnover` at each month; keep the "
        "mineral pool of the run, and set N = X / c_to_e.",
        "for year in range(40): run = simulate(...); kappa = [...]; X = solve(mean, B * run.growth.mean()); "
        "state = State(X, {'N': X / c}, {'N': run.N_mineral[-1]})",
    ),
)
def spin_up(answer: Callable[..., Any]) -> None:
    land = cn.carbon_nitrogen()
    growth, xi = seasons()
    found = answer(land, growth, xi)
    expect(isinstance(found, (tuple, list)) and len(found) == 2, "shape", "Return the state and the model years used.")
    state, years = found
    expect(isinstance(state, State), "shape", "The first thing is a State with X, E and m.")
    expect(np.isfinite(state.X).all() and (np.asarray(state.X) > 0).all(), "not finite", "Carbon must be above 0.")
    expect(float(years) <= 60, "value", "Take at most 60 model years; native spin-up needs thousands.")
    run = simulate(land, np.linspace(0.0, 1.0, 13), state, growth, xi)
    total = np.concatenate([run.X.values, run.N.values], axis=1)
    drift = np.abs(total[-1] / total[0] - 1).max()
    expect(drift < 2e-3, "limit",
           "After one more year the pools are not back where they were, to two per thousand: not yet cyclic.")
    mineral = run.N_mineral.values[:, 0]
    lost = float(run.N_lost.mean())
    expect(abs(mineral[-1] / mineral[0] - 1) < 0.02, "limit", "Mineral nitrogen is not back after a year.")
    expect(abs(lost / float(run.N_supply.mean()) - 1) < 0.03, "mass balance",
           "Over the year the land must lose the nitrogen that it is supplied with.")
