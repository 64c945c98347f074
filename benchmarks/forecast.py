"""Ensemble forecasts: all members as arrays, side by side with a loop over members.

    python course.py bench forecast

TECO runs in daily steps with daily weather of its own for each member; a CLM5 column of 140 pools in
monthly implicit steps. A loop over members pays the price of Python once for each member and step.
"""

from __future__ import annotations

from _timing import best, heading, table  # first: it holds BLAS to one thread

import numpy as np

from landcarbon.forecasting import Steps, forecast, layered_step, matrix_step
from landcarbon.models import clm5, teco

TECO_MEMBERS, TECO_YEARS = (1, 10, 100, 1000), 1
CLM5_MEMBERS, CLM5_YEARS = (1, 10, 100, 400), 10
LOOPED = 3  # members timed in the loop; each costs the same


def teco_ensemble(n: int, seed: int = 0) -> tuple:
    """Parameters, weather and first states of n members."""
    rng = np.random.default_rng(seed)
    P = teco.PARAMETERS
    theta = P.default * np.exp(0.05 * rng.standard_normal((n, len(P))))
    theta[:, P.index("f_foliage_metabolic")] = 0.9
    year = teco.synthetic_forcing(TECO_YEARS, rng=1)
    gpp = year.gpp * np.exp(0.2 * rng.standard_normal((n, len(year))))
    xi = np.stack(
        [teco.scalar(year.soil_temperature, year.moisture, q10) for q10 in theta[:, -1]]
    )
    return teco.teco8(theta), np.array(teco.X0) * np.ones((n, 1)), {"I": gpp * teco.DAYS, "xi": xi}


def run_teco(model, X, drivers, method: str) -> None:
    def build(parameters, now):
        return model, now["I"], now["xi"]

    step = matrix_step(build, 1 / teco.DAYS, method)
    forecast(step, X, drivers=drivers, process_sd=0.05, steps=Steps(dt=1 / teco.DAYS, every=73))


def clm5_ensemble(n: int, seed: int = 0) -> tuple:
    rng = np.random.default_rng(seed)
    P = clm5.PARAMETERS
    theta = P.default + 0.1 * rng.uniform(-1, 1, (n, len(P))) * (P.upper - P.lower)
    site = clm5.Forcing(
        soil_temperature=np.full((20, 12), 285.15),
        water_scalar=np.full((20, 12), 0.5),
        litter_input=[40, 120, 180, 60],
    )
    theta = np.clip(theta, P.lower + 1e-3 * (P.upper - P.lower), P.upper)
    column, b = clm5.column(theta, site)
    return column, b, column.steady_state(b).reshape(n, -1)


def run_clm5(column, b, X) -> None:
    months = 12 * CLM5_YEARS
    step = layered_step(column, b, 1 / 12)
    drivers = {"input": np.ones((len(X), months))}
    forecast(step, X, drivers=drivers, process_sd=0.02, steps=Steps(dt=1 / 12, every=12))


def one_of(model, drivers, m: int) -> tuple:
    """Member m of the TECO ensemble."""
    alone = model.replace(A=model.A[m : m + 1], K=model.K[m : m + 1], B=model.B[m : m + 1])
    return alone, {k: v[m : m + 1] for k, v in drivers.items()}


def main() -> None:
    heading(f"Forecast of TECO, 8 pools, daily steps, {TECO_YEARS} year")
    rows = []
    for method in ("explicit", "implicit"):
        model, X, drivers = teco_ensemble(LOOPED)
        alone = [one_of(model, drivers, m) for m in range(LOOPED)]

        def looped(method=method, X=X, alone=alone):
            for m, (one, w) in enumerate(alone):
                run_teco(one, X[m : m + 1], w, method)

        loop = LOOPED * TECO_YEARS / best(looped, 1.0)
        for n in TECO_MEMBERS:
            model, X, drivers = teco_ensemble(n)
            rate = n * TECO_YEARS / best(
                lambda model=model, X=X, drivers=drivers, method=method: run_teco(model, X, drivers, method),
                1.0,
            )
            rows.append([method, n, loop, rate, rate / loop])
    table(["step", "members", "loop [member yr/s]", "arrays [member yr/s]", "ratio"], rows)

    heading(f"Forecast of a CLM5 column, 7 pools in 20 layers, monthly implicit steps, {CLM5_YEARS} years")
    rows = []
    column, b, X = clm5_ensemble(LOOPED)
    parts = [
        (
            column.replace(
                A=column.A[m : m + 1], K=column.K[m : m + 1],
                down=column.down[m : m + 1], up=column.up[m : m + 1],
            ),
            b[m : m + 1],
            X[m : m + 1],
        )
        for m in range(LOOPED)
    ]

    def looped_columns() -> None:
        for part in parts:
            run_clm5(*part)

    loop = LOOPED * CLM5_YEARS / best(looped_columns, 1.0)
    for n in CLM5_MEMBERS:
        column, b, X = clm5_ensemble(n)
        rate = n * CLM5_YEARS / best(lambda column=column, b=b, X=X: run_clm5(column, b, X), 1.0)
        rows.append([n, loop, rate, rate / loop])
    table(["members", "loop [member yr/s]", "arrays [member yr/s]", "ratio"], rows)


if __name__ == "__main__":
    main()
