"""Metolius 2000-2002: what does a held-out year say of the errors, and of the samplers?

    python course.py bench metolius

DALEC, 14 unknowns, daily net exchange and respiration, pools now and then (Williams et al. 2005). Rows:
errors as they stand in the file and every day independent; errors and weights from the misfit in the days
used, found in three passes of ES-MDA; the same by other samplers. Coverage is of the 90 % band of new
observations in the days held out: all of 2002, or its second half. Needs the data set dalec_oregon.

An argument shortens the Markov chains: `python benchmarks/metolius.py 0.3`.
"""

from __future__ import annotations

import sys
from time import process_time

from _timing import heading, table as show  # first: it holds BLAS to one thread

import numpy as np
import pandas as pd

from landcarbon import datasets
from landcarbon.assimilation import Draws, Metropolis, independent_share, sample
from landcarbon.assimilation.forest import (
    FLUXES,
    PRIOR,
    forest_series,
    observed_days,
    tower_posterior,
    unexplained,
    weather,
)

COLUMNS = ("days used, errors, sampler", "CPU s", "cover nee", "rt", "both", "bias nee", "rt", "R-hat")


def errors_from_misfit(table: pd.DataFrame, until: int, draws: np.ndarray) -> dict[str, dict[str, float]]:
    """Model error and weight of each flux, from the days used only."""
    run = forest_series(weather(table, until), draws)
    misfit = {name: table[name].to_numpy()[:until] - run[name].mean(0) for name in FLUXES}
    return {
        "model_error": {n: unexplained(r, table[f"{n}_sd"].to_numpy()[:until]) for n, r in misfit.items()},
        "weight": {n: independent_share(r) for n, r in misfit.items()},
    }


def held_out(
    table: pd.DataFrame, until: int, draws: np.ndarray, model_error: dict[str, float], level: float = 0.9
) -> dict[str, tuple[int, float, float]]:
    """Number of held-out data, share of them in the band, mean misfit: of each flux."""
    rng, run, found = np.random.default_rng(4), forest_series(weather(table), draws), {}
    for name in FLUXES:
        at = observed_days(table, name, until)
        seen, made = table[name].to_numpy()[at], run[name][:, at]
        sd = np.hypot(table[f"{name}_sd"].to_numpy()[at], model_error.get(name, 0.0))
        low, high = np.quantile(
            made + sd * rng.standard_normal(made.shape), [(1 - level) / 2, (1 + level) / 2], axis=0
        )
        found[name] = (at.size, ((low < seen) & (seen < high)).mean(), (seen - made.mean(0)).mean())
    return found


def main(share: float = 1.0) -> None:
    """All rows; `share` shortens the chains."""
    try:
        table = datasets.load("dalec_oregon")
    except datasets.DataUnavailable as missing:
        print(missing)
        return
    heading("DALEC at Metolius: coverage of 90 % bands in days held out", "one run")
    rows = []

    def row(name: str, until: int, result: object, seconds: float, errors: dict[str, float]) -> None:
        draws = result.draws
        rhat = f"{result.rhat().max():.2f}" if isinstance(result, Draws) else "-"
        if draws.ndim == 3:
            flat = draws.swapaxes(0, 1).reshape(-1, draws.shape[-1])
            draws = flat[:: max(1, len(flat) // 400)]
        found = held_out(table, until, draws, errors)
        n = np.array([v[0] for v in found.values()])
        cover = np.array([v[1] for v in found.values()])
        rows.append((f"{until}, {name}", seconds, *(f"{c:.3f}" for c in (*cover, cover @ n / n.sum())),
                     *(f"{v[2]:+.2f}" for v in found.values()), rhat))

    def timed(method: str, until: int, name: str, errors: dict, **options: object) -> object:
        posterior, begin = tower_posterior(table, until, **errors), process_time()
        result = sample(posterior, method, 1, **options)
        row(name, until, result, process_time() - begin, errors.get("model_error", {}))
        return result

    for until in (731, 912):
        naive = timed("es-mda", until, "file, ES-MDA", {}, n_members=200)
        timed("smc", until, "file, SMC", {}, n_draws=int(200 * share))
        errors = errors_from_misfit(table, until, naive.draws)
        for _ in range(2):
            posterior = tower_posterior(table, until, **errors)
            errors = errors_from_misfit(
                table, until, sample(posterior, "es-mda", 1, n_members=200).draws
            )
        print(until, {k: {n: round(x, 3) for n, x in v.items()} for k, v in errors.items()})
        smoother = timed("es-mda", until, "misfit, ES-MDA", errors, n_members=200)
        timed("smc", until, "misfit, SMC", errors, n_draws=int(400 * share))
        if until != 731:
            continue
        begin = process_time()
        posterior = tower_posterior(table, until, **errors)
        sampler = Metropolis(n_warmup=int(900 * share) + 100, n_draws=int(3000 * share))
        start = PRIOR.to_real(smoother.draws[:32])
        walk = sampler.chains(posterior.log_density_real, start, 2, names=PRIOR.names)
        walk = Draws(walk.names, PRIOR.from_real(walk.draws), walk.log_density, walk.accept_rate)
        row("misfit, Metropolis, 32 chains", until, walk, process_time() - begin, errors["model_error"])
    show(COLUMNS, rows)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
