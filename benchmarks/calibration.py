"""Simulation-based calibration of every sampler, heavy: 500 twins of three problems.

    python course.py bench calibration

Right samplers must have p > 0.01, the exhibits of the museum must not. Twins are the sites of one run:
all of them advance together.
"""

from __future__ import annotations

import sys
from functools import partial
from time import process_time

from _timing import heading, table  # first: it holds BLAS to one thread

import numpy as np

from landcarbon.assimilation import museum, problems, sample
from landcarbon.assimilation.calibration import calibrate, twins

SAMPLERS = {
    "metropolis": {"n_chains": 8, "n_warmup": 400, "n_draws": 1000, "start": "prior"},
    "differential-evolution": {"n_chains": 12, "n_warmup": 400, "n_draws": 800, "start": "prior"},
    "hmc": {"n_chains": 6, "n_warmup": 200, "n_draws": 200, "start": "prior"},
    "smc": {"n_draws": 400},
    "importance": {"n_draws": 30_000, "chunk": 2000},
}
# Along the parabola chains are slow; ranks need draws that are nearly independent.
BENT = {
    "metropolis": {"n_chains": 8, "n_warmup": 400, "n_draws": 4000, "start": "prior"},
    "hmc": {"n_chains": 8, "n_warmup": 300, "n_draws": 800, "n_leapfrog": 20, "start": "prior"},
}
CORRELATED = 0.2 * np.array([[1.0, 0.9], [0.9, 1.0]])


def main(share: float = 1.0) -> None:
    """All rows; `share` shortens the list of twins."""
    heading("Simulation-based calibration")
    n = int(500 * share)
    rows = []
    for problem in ("gaussian", "banana", "incubation"):
        for method, options in SAMPLERS.items():
            begin = process_time()
            options = BENT.get(method, options) if problem == "banana" else options
            result = calibrate(getattr(problems, problem)(), method, n_twins=n, rng=11, **options)
            rows.append(_row(problem, method, n, result, process_time() - begin))
    for exhibit in museum.EXHIBITS:
        begin = process_time()
        walk = partial(_visit, exhibit=exhibit)
        result = calibrate(problems.banana(sd=1.0), walk, n_twins=3 * n, rng=12)
        rows.append(_row("wide banana", f"museum: {exhibit}", 3 * n, result, process_time() - begin))
    _columns(int(200 * share))
    table(("problem", "sampler", "twins", "p-value", "90 % coverage", "verdict", "CPU s"), rows)


def _columns(n: int) -> None:
    """Coverage of 95 % intervals at CLM5 columns with six depths, by the exact reference and ES-MDA."""
    soil = problems.soil_column()
    truth, many = twins(soil, n, 1)
    layers = [2, 8, 12, 15, 17]  # none of them observed
    carbon = many.run_model(truth)[:, layers]
    for method, options in (("importance", {"n_draws": 6000, "chunk": 200}), ("es-mda", {"n_members": 100})):
        result = sample(many, method, 2, **options)
        draws = result.resample(1000, 3).draws if method == "importance" else result.draws
        low, high = result.quantile([0.025, 0.975])
        parameters = ((low < truth) & (truth < high)).mean()
        low, high = np.quantile(
            many.run_model(draws)[..., layers], [0.025, 0.975], axis=1, method="weibull"
        )
        unseen = ((low < carbon) & (carbon < high)).mean()
        print(f"{n} CLM5 columns, {method}: 95 % intervals cover {parameters:.1%} of the parameters, "
              f"{unseen:.1%} of the unobserved layers")
    print()


def _visit(posterior: object, rng: np.random.Generator, exhibit: str) -> object:
    return museum.visit(posterior, exhibit, rng, step=CORRELATED, n_warmup=200, n_draws=400)


def _row(problem: str, name: str, n: int, result: object, seconds: float) -> tuple:
    p, cover = result.p_value(), result.coverage(0.9)
    verdict = "uniform" if p > 0.01 else "not uniform"
    return (problem, name, n, f"{p:.2g}", f"{cover.min():.2f}-{cover.max():.2f}", verdict, seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
