"""Do intervals hold the truth? Twin experiments on 200 CLM5 sites, 21 unknown parameters at each.

    python course.py bench twin_coverage

Each synthetic site has a climate and a litter input of its own, true parameters drawn from the prior,
and a soil profile of six depths, with an error of 60 % as in WoSIS or of 30 %. A 95 % interval is right if
it holds the truth at 95 of 100 sites: for the parameters, and for the carbon of layers that nobody
measured. The standard error of one share among 200 sites is 1.5 %, of the mean over all parameters 0.3 %.
Layers of one site stand and fall together: their mean is hardly surer than that of one.

An argument shortens the list of sites: `python benchmarks/twin_coverage.py 0.2`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from time import process_time

from _timing import heading, table  # first: it holds BLAS to one thread

import numpy as np

from landcarbon.assimilation import Posterior, Prior, ProfileObservations, sample
from landcarbon.assimilation.calibration import few
from landcarbon.models import clm5

DEPTHS = (0.05, 0.15, 0.3, 0.6, 1.0, 1.5)
PRIOR = Prior(clm5.PARAMETERS)
RUNS = (
    (0.6, "es-mda", {"n_members": 100}),
    (0.6, "importance", {"n_draws": 5000, "chunk": 500}),
    (0.6, "hmc", {"n_chains": 8, "n_warmup": 100, "n_draws": 60, "n_leapfrog": 6, "start": "prior"}),
    (0.3, "es-mda", {"n_members": 100}),
    (0.3, "importance", {"n_draws": 20_000, "chunk": 500}),
)


@dataclass(frozen=True)
class Twins:
    """Synthetic sites: truths (site, 21), carbon of all layers (site, 20), their posterior and forcing."""

    truth: np.ndarray
    carbon: np.ndarray
    posterior: Posterior
    land: clm5.Forcing


def make_twins(n_sites: int, rng: np.random.Generator, error: float = 0.6) -> Twins:
    """Sites from cold to hot and from dry to wet, each with one profile."""
    month, z = np.arange(12), clm5.LAYERS.node[:, None]
    mean, swing, wet, litter = (
        rng.uniform(low, high, (n_sites, 1, 1))
        for low, high in ((2.0, 24.0), (2.0, 14.0), (0.3, 0.8), (150.0, 700.0))
    )
    wave = np.exp(-z / 2.0) * np.sin(2 * np.pi * (month - 3) / 12 - z / 2.0)
    land = clm5.Forcing(
        soil_temperature=273.15 + mean + swing * wave,
        water_scalar=np.clip(wet + 0.2 * np.exp(-z / 2.0) * np.cos(2 * np.pi * month / 12), 0, 1),
        litter_input=litter[:, 0] * np.array([0.14, 0.29, 0.43, 0.14]),
    )
    truth = PRIOR.sample(rng=rng, sites=(n_sites,))
    carbon = clm5.soil_carbon(clm5.steady_state(truth, land))
    shape = (n_sites, len(DEPTHS))
    blank = ProfileObservations(np.broadcast_to(DEPTHS, shape), np.ones(shape), error, clm5.LAYERS.node)

    def fits(theta: np.ndarray) -> clm5.Forcing:
        return land if theta.ndim == 2 else land.expand()

    def model_vjp(theta: np.ndarray) -> tuple:
        lead = theta.shape[:-1]
        flat = theta.reshape(n_sites, -1, theta.shape[-1])
        values, pull = clm5.observed(flat, land.expand())
        return values.reshape(*lead, -1), lambda g: pull(g.reshape(values.shape)).reshape(theta.shape)

    posterior = Posterior(
        PRIOR,
        lambda theta: clm5.soil_carbon(clm5.steady_state(theta, fits(theta))),
        blank.with_values(blank.simulate(carbon, rng)),
        model_vjp=model_vjp,
    )
    return Twins(truth, carbon, posterior, land)


def unobserved() -> np.ndarray:
    """Layers with no measurement between their faces; all but the ends lie among measured ones."""
    edges = np.concatenate([[0.0], np.cumsum(clm5.LAYERS.thickness)])
    measured = np.searchsorted(edges, DEPTHS) - 1
    return np.setdiff1d(np.arange(len(clm5.LAYERS)), measured)


def coverage(
    twins: Twins, method: str, rng: np.random.Generator, level: float = 0.95, **options: object
) -> tuple[np.ndarray, np.ndarray]:
    """Share of sites whose interval holds the truth: of each parameter, of each unobserved layer."""
    result = sample(twins.posterior, method, rng, **options)
    draws = few(result, min(480, result.draws[0].reshape(-1, len(PRIOR)).shape[0]), rng)
    tails = [(1 - level) / 2, (1 + level) / 2]
    found = []
    for values, truth in (
        (draws, twins.truth),
        (twins.posterior.run_model(draws)[..., unobserved()], twins.carbon[:, unobserved()]),
    ):
        low, high = np.quantile(values, tails, axis=1, method="weibull")
        found.append(((low <= truth) & (truth <= high)).mean(axis=0))
    return found[0], found[1]


def main(share: float = 1.0) -> None:
    """All rows; `share` shortens the list of sites."""
    n = int(200 * share)
    heading(f"Coverage of 95 % intervals at {n} synthetic CLM5 sites", "one run")
    rows = []
    for error, method, options in RUNS:
        twins = make_twins(n, np.random.default_rng(5), error)
        begin = process_time()
        parts = coverage(twins, method, np.random.default_rng(6), **options)
        size = options.get("n") or options.get("n_members") or options["n_chains"] * options["n_draws"]
        rows.append((f"{method}, {size}", f"{error:.0%}", process_time() - begin,
                     *(f"{x:.3f}" for part in parts for x in (part.mean(), part.min(), part.max()))))
    table(("sampler, draws", "error", "CPU s", "parameters", "least", "most", "layers", "least", "most"),
          rows)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
