"""Spin-up at equal true error: model years and wall time of every method, for linear and other models.

    python benchmarks/spinup.py

Accelerated decomposition brings every pool slower than a year to one year; in a column it has the factors of
CLM5's technical note. Every method starts from empty pools; the microbial model, and carbon with nitrogen,
whose pools change their rates, from the steady state of their mean forcing. The propagators of the steps are
built beforehand.

Counted are the model years, and the wall time, until the slowest pool is within 1e-3 of the exact
periodic state and stays there; then the same for all pools at once. The slowest pool is the one with
the longest turnover among those with at least 0.1 % of the carbon: in a soil column, traces far down
take longer than any land model is ever run.
"""

from __future__ import annotations

from _timing import heading, table  # first: it holds BLAS to one thread

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from landcarbon.matrix.loops import Cycle, FeedbackCycle
from landcarbon.matrix.spinup import (
    SpinUp,
    accelerated,
    anderson,
    native,
    newton,
    periodic,
    sasu,
)
from landcarbon.matrix.nutrients import State, simulate
from landcarbon.models import carbon_nitrogen, clm5, microbial, teco
from landcarbon.models.century import century7

ERROR = 1e-3
MOST_YEARS = 20_000.0
MOST_COUPLED = 500.0  # a coupled year takes a hundred times as long

MONTH = np.arange(12)


def teco_days() -> Cycle:
    """TECO, 8 pools, 365 days of synthetic weather."""
    year = teco.synthetic_forcing(1, rng=0)
    return Cycle.from_model(teco.teco8(), year.I, year.xi(), np.full(365, 1 / 365))


def century_months() -> Cycle:
    """CENTURY, 7 pools, 12 months."""
    model = century7(lignin_to_nitrogen=20.0, structural_lignin=0.25)
    scalar = 0.4 * (1 + 0.6 * np.sin(2 * np.pi * (MONTH - 3) / 12))
    litter = 180 * (1 + 0.8 * np.sin(2 * np.pi * (MONTH - 4) / 12))
    return Cycle.from_model(model, np.stack([litter, litter], axis=-1), scalar)


def clm5_months(efolding: float) -> Cycle:
    """CLM5's soil column, 140 pools, 12 months of a temperate site."""
    z = clm5.LAYERS.node[:, None]
    wave = np.exp(-z / 2) * np.sin(2 * np.pi * (MONTH - 3.5) / 12 - z / 2)
    temperature = 283.15 + 9 * wave
    water = np.broadcast_to(0.6 + 0.25 * np.cos(2 * np.pi * MONTH / 12), (20, 12))
    site = clm5.Forcing(temperature, water, litter_input=[40, 120, 180, 60])
    theta = clm5.PARAMETERS.array(efolding=efolding)
    column, b = clm5.column(theta, site)
    model, total = column.as_matrix_model(b)
    scalar = theta[clm5.PARAMETERS.index("q10")] ** ((temperature - 298.15) / 10) * water
    course = scalar / scalar.mean(axis=1, keepdims=True)  # K holds the mean of the year
    xi = np.tile(course.T[:, None, :], (1, len(clm5.POOLS), 1)).reshape(12, -1)
    season = 1 + 0.8 * np.sin(2 * np.pi * (MONTH - 4) / 12)
    return Cycle.from_model(model, total * season, xi)


def microbial_months() -> tuple[FeedbackCycle, np.ndarray]:
    """Microbes and enzymes, 4 pools, 12 months, and a state to start from."""
    temperature = 10 + 8 * np.sin(2 * np.pi * (MONTH - 3.5) / 12)
    start = microbial.steady_state(temperature_c=10.0)
    return microbial.cycle(temperature_c=temperature), start


def carbon_nitrogen_weeks() -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Carbon and nitrogen, 13 pools, 48 steps a year; and the steady state of the mean forcing."""
    land = carbon_nitrogen.carbon_nitrogen()
    n = land.carbon.n
    season = np.repeat(np.sin(2 * np.pi * (MONTH - 3.5) / 12), 4)
    growth = carbon_nitrogen.GROWTH * (1 + 0.5 * season)
    xi = np.ones((48, n))
    xi[:, 2:] = (1 + 0.4 * season)[:, None]
    times = np.linspace(0.0, 1.0, 49)

    def year(Z: np.ndarray) -> np.ndarray:
        state = State(Z[:n], {"N": Z[n : 2 * n]}, {"N": Z[2 * n :]})
        run = simulate(land, times, state, growth, xi, method="midpoint")
        return np.concatenate([run[k].values[-1] for k in ("X", "N", "N_mineral")])

    rest = land.steady_state(growth.mean(), xi.mean(axis=0))
    return year, np.concatenate([rest.X, rest.E["N"], rest.m["N"]])


def rows_of_year(name: str, year: Callable[[np.ndarray], np.ndarray], start: np.ndarray) -> list[list[Any]]:
    """A model known by its yearly map alone: the passive soil is the slowest carbon pool."""
    lines: list[list[Any]] = []
    for label, method in {"native": native, "anderson": anderson}.items():
        run = method(year, X0=start, tol=1e-4, max_years=MOST_COUPLED)
        years = run.years_to(ERROR, 5)
        lines.append([name, label, shown(years), "-", seconds_shown(run.seconds * years / run.years),
                      shown(run.years_to(ERROR))])
    return lines


def turnover(loop: Cycle | FeedbackCycle, X: np.ndarray) -> np.ndarray:
    """Mean rate at which each pool leaves over a loop from X [yr-1]."""
    M = [h * M for h, (_, M, _, _) in zip(loop.dt, loop.steps(X))]
    return np.diagonal(sum(M)) / loop.length


def rows(
    name: str,
    loop: Cycle | FeedbackCycle,
    methods: dict[str, Callable[..., SpinUp]],
    X0: np.ndarray | None = None,
) -> list[list[Any]]:
    begin = perf_counter()
    exact = periodic(loop, X0) if isinstance(loop, FeedbackCycle) else periodic(loop)
    if isinstance(loop, Cycle):  # again, now that the propagators are there
        begin = perf_counter()
        exact = periodic(loop)
    seconds_exact = perf_counter() - begin
    rate = turnover(loop, exact.X)
    pool = int(np.argmin(np.where(exact.X >= 1e-3 * exact.X.sum(), rate, np.inf)))
    # Tight enough that a run goes on until the slowest pool is right, but not much longer.
    tol = 0.2 * ERROR * rate[pool] * exact.X[pool]

    lines: list[list[Any]] = []
    base = float("nan")
    column = np.repeat(clm5.ACCELERATION, len(clm5.LAYERS))
    factors = column if len(rate) == len(column) else np.maximum(1.0, 1.0 / rate)
    for label, method in methods.items():
        if method is accelerated:
            method = partial(accelerated, factors=factors)
        run = method(loop, X0=X0, tol=tol, max_years=MOST_YEARS)
        years = run.years_to(ERROR, pool)
        base = years if label == "native" else base
        lines.append([name, label, shown(years), ratio(years, base),
                      seconds_shown(run.seconds * years / run.years), shown(run.years_to(ERROR))])
    lines.append([name, "periodic", shown(exact.years), ratio(exact.years, base),
                  seconds_shown(seconds_exact), shown(exact.years)])
    return lines


def shown(years: float) -> str:
    return f"{years:,.0f}" if np.isfinite(years) else "not reached"


def seconds_shown(seconds: float) -> str:
    return f"{seconds:.3g}" if np.isfinite(seconds) else "-"


def ratio(years: float, base: float) -> str:
    if not np.isfinite(years):
        return "-"
    if not np.isfinite(base):
        return f"< {100 * years / MOST_YEARS:.2g} %"
    return f"{100 * years / base:.3g} %"


def main() -> None:
    heading(f"Spin-up to a true relative error of {ERROR:g}", runs="single runs")
    three = {"native": native, "accelerated": accelerated, "sasu": sasu}
    five = three | {"anderson": anderson, "newton": newton}
    lines = rows("TECO, daily", teco_days(), five)
    lines += rows("CENTURY, monthly", century_months(), five)
    lines += rows("CLM5, e-folding 10 m", clm5_months(10.0), three)
    lines += rows("CLM5, e-folding 0.5 m", clm5_months(0.5), three)
    loop, start = microbial_months()
    lines += rows("microbes, monthly", loop, five, start)
    lines += rows_of_year("C and N, weekly", *carbon_nitrogen_weeks())
    table(["model", "method", "years, slowest pool", "of native", "seconds", "years, all pools"], lines)
    print(f"\nnot reached: in {MOST_YEARS:,.0f} model years ({MOST_COUPLED:,.0f} for C and N), or before "
          "nothing changed any more.")
    print("periodic: loops passed with the whole matrix (one if linear), then solved; its error is rounding.")


if __name__ == "__main__":
    main()
