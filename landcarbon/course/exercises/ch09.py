"""Checks of chapter 09: carbon and nitrogen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect, unlike
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
    unlike(
        found,
        (0.6, "units", "Supply and loss are per year; ten years have passed."),
        (6 / 800, "units", "That is a share of what was there; asked for are grams."),
    )
    expect(np.isclose(found, 6.0), "mass balance", "Six grams more came than went, and the stock did not change.")
    expect(np.isclose(answer(800.0, 810.0, 1.0, 0.5, 10.0), -5.0), "sign",
           "Here five grams are there that never came: less than nothing is missing, so keep the sign.")


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
        expect(np.size(found[0]) == 1 and np.size(found[1]) == 1, "shape",
               "The order is mineral N, φ, carbon, nitrogen: the first two are single numbers.")
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
        M, u = model.outflow_matrix(), phi * model.B * 600.0
        rows = np.linalg.solve(model.K[:, None] * model.A, u)
        unlike(
            X,
            (full, "incomplete", "This is the carbon without any limitation by nitrogen: φ is missing, or stands on "
             "both sides and cancels (here κ = K)."),
            (u / model.K, "mass balance",
             "Nothing is handed on here: A is left out, or transposed (its column j says what becomes of pool j)."),
            (rows, "transposed",
             "K has scaled the rows of A. What leaves pool j is K_j X_j: scale the columns, `A * K`."),
            (np.linalg.solve(M, phi * 600.0 * np.ones(3)), "mass balance",
             "Every pool gets all of the input; B says which share each gets."),
        )
        expect(np.allclose(X, phi * full), "mass balance", "Input, φ B I, and outflow, A K X, do not balance.")
        expect(not np.allclose(N, X * c_to_n), "units", "c_to_n is carbon per nitrogen: divide by it.")
        expect(np.allclose(N, X / c_to_n), "identity", "Nitrogen stands to carbon in the ratio of each pool.")


@exercise(
    "09.3",
    level=3,
    title="Spin-up with feedback",
    hints=(
        "One year of running tells you mean growth and mean rates; what carbon would they hold? And on which day?",
        "After each year, with κ of each month from `land.turnover(state of the month, xi[k])` weighed by the carbon "
        "it acts on, solve A κ X = B growth. That is the mean of a year; times end over mean, pool by pool, its end.",
        "for _ in range(30): run = simulate(...); kappa = sum(κ X) / sum(X); X = solve(A * kappa, B * growth mean); "
        "X *= run.X[-1] / run.X[1:].mean; state = State(X, {'N': X / c_to_e}, {'N': mineral N of the end})",
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
