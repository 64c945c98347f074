"""PRODA at scale: sites per hour, and what the published procedure costs at a site.

    python course.py bench proda

A synthetic survey goes through the workflow on all cores. The published procedure (Tao et al. 2020, public
code) is 3 chains of 70,000 steps, each a dense solve of 140 pools: its cost a site is 210,000 times what one
such step takes here, in this very run. How good its posterior is, is measured beside ours at the same
synthetic sites (`twin_coverage.make_twins`), with chains shortened to a fifth and the fast solver, which
changes nothing in the numbers. "exact" is importance sampling from the prior.

An argument shortens everything: `python benchmarks/proda.py 0.2`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from time import perf_counter, process_time

from _timing import best, heading, peak_memory_mb, table  # first: it holds BLAS to one thread

import numpy as np
from mcmc import published
from twin_coverage import make_twins

from landcarbon import datasets
from landcarbon.assimilation import Posterior, Prior, sample
from landcarbon.assimilation.calibration import few
from landcarbon.learning import Task, Work, evaluate, proda
from landcarbon.learning.folds import blocked_folds
from landcarbon.matrix.column import LayeredModel
from landcarbon.models import clm5

ALL_PROFILES = 25_444  # of Tao et al. 2020
STEPS = 3 * 70_000
PRIOR = Prior(clm5.PARAMETERS)

warnings.filterwarnings("ignore", "More chains")


def main(share: float = 1.0) -> None:
    """All tables; `share` shortens every run."""
    n = max(40, int(1000 * share))
    cores = os.cpu_count() or 1
    heading(f"PRODA on {n} synthetic sites", f"one run on {cores} processes")
    world = datasets.twin_world(n_sites=n, rng=0)
    assimilate = stages(world, cores)
    procedure(world, assimilate / n * cores)
    quality(max(4, int(12 * share)), max(40, int(200 * share)), share)
    print(f"\nLargest memory of this process: {peak_memory_mb():.0f} MB")


def stages(world: datasets.twin.TwinWorld, cores: int) -> float:
    """Seconds of each stage, and what they come to for all profiles of the paper."""
    n = len(world.profiles)
    with tempfile.TemporaryDirectory() as folder:
        clock = [perf_counter()]
        task = Task(world.observations, world.forcing, world.covariates, work=Work(folder, cores))
        sites = proda.assimilate(task, rng=0)
        task = task.knowing(sites)
        clock.append(perf_counter())
        network = proda.train(task, rng=0)
        clock.append(perf_counter())
        grid = world.grid(1.0)
        proda.predict(network, Task(None, grid.forcing, grid.covariates), rng=0)
        clock.append(perf_counter())
        folds = blocked_folds(world.covariates["latitude"], world.covariates["longitude"], 2.0, 4, rng=0)
        rungs = ("default", "random_sampling", "one_batch", "proda")
        report = evaluate(task, folds, rungs, rng=0)
        clock.append(perf_counter())
    seconds = np.diff(clock)
    cells = len(grid.covariates)
    rows = []
    for name, time, size, many in (
        ("assimilate, 2 rounds x 100 members x 6 steps", seconds[0], n, ALL_PROFILES),
        ("train, 8 networks", seconds[1], n, ALL_PROFILES),
        ("map, 100 draws a cell of 1 degree", seconds[2], cells, cells),
        ("evaluate the ladder, 4 folds", seconds[3], n, ALL_PROFILES),
    ):
        rows.append((name, size, time, f"{3600 * size / time:,.0f}", time * many / size / 60))
    rows.append(("together", n, seconds.sum(), "", sum(row[4] for row in rows)))
    table(("stage", "sites or cells", "s", "an hour", f"min for {ALL_PROFILES:,}"), rows)
    print(f"\n{report}")
    return float(seconds[0])


def procedure(world: datasets.twin.TwinWorld, ours: float) -> None:
    """What one step of the published chains takes, and with it a site."""
    rng = np.random.default_rng(0)
    theta = PRIOR.sample(50, rng=rng)
    land = world.forcing[0]

    def solve(model: LayeredModel, b: np.ndarray) -> np.ndarray:
        return np.linalg.solve(model.outflow_matrix(), b.reshape(-1))

    pairs = [clm5.column(t, land) for t in theta]
    dense = [(model.outflow_matrix(), b.reshape(-1)) for model, b in pairs]
    solves = best(lambda: [np.linalg.solve(M, b) for M, b in dense]) / len(dense)
    whole = best(lambda: [solve(*clm5.column(t, land)) for t in theta]) / len(theta)
    print("\nThe published procedure, a site\n")
    rows = [
        (name, 1e6 * step, STEPS * step, STEPS * step / ours, STEPS * step * ALL_PROFILES / 86400)
        for name, step in (("dense solve alone", solves), ("with its matrix built", whole))
    ]
    rows.append(("PRODA here, one core", "", ours, 1.0, ours * ALL_PROFILES / 86400))
    table(("", "us a step", "s a site", "times ours", "days for all, one core"), rows)


def quality(few_sites: int, many_sites: int, share: float) -> None:
    """Coverage of 95 % intervals, spread against the exact posterior, and effective draws."""
    rows = []
    twins = make_twins(many_sites, np.random.default_rng(5))
    begin = process_time()
    ours = sample(twins.posterior, "es-mda", np.random.default_rng(6), n_members=100)
    seconds = (process_time() - begin) / many_sites
    exact = sample(twins.posterior, "importance", np.random.default_rng(7), n_draws=5000, chunk=500)
    draws = few(exact, 480, np.random.default_rng(8))
    rows.append(("ES-MDA, 100 members", many_sites, "100, independent", seconds,
                 *_against(ours.draws, draws, twins.truth)))

    chains, effective = [], []
    begin = process_time()
    for k in range(few_sites):
        land = twins.land[k]
        posterior = Posterior(
            PRIOR,
            lambda theta, land=land: clm5.soil_carbon(clm5.steady_state(theta, land)),
            twins.posterior.observations[k],
        )
        walk = published(
            posterior, np.random.default_rng(k), int(4000 * share), int(10_000 * share), True
        )
        effective.append(float(walk.ess().min()))
        chains.append(walk.draws.reshape(-1, len(PRIOR)))
    seconds = (process_time() - begin) / few_sites
    size = min(len(c) for c in chains)
    kept = np.stack([c[np.linspace(0, len(c) - 1, size).astype(int)] for c in chains])
    rows.append(("published, a fifth of its length", few_sites, f"{np.median(effective):.0f}, worst parameter",
                 seconds, *_against(kept, draws[:few_sites], twins.truth[:few_sites])))
    rows.append(("importance, 5000 prior draws", many_sites, f"{np.median(exact.ess):.0f}, median site", "",
                 *_against(draws, draws, twins.truth)))
    print("\nHow good is a posterior: six depths, error 60 %, synthetic sites\n")
    table(("sampler", "sites", "effective draws", "CPU s a site", "coverage of 95 %", "sd / exact sd"), rows)


def _against(draws: np.ndarray, exact: np.ndarray, truth: np.ndarray) -> tuple[str, str]:
    """Share of parameters whose interval holds the truth; ratio of spreads in unbounded coordinates."""
    low, high = np.quantile(draws, [0.025, 0.975], axis=1, method="weibull")
    held = ((low <= truth) & (truth <= high)).mean()
    u = [PRIOR.to_unit(d).std(axis=1) for d in (draws, exact)]
    return f"{held:.3f}", f"{np.median(u[0] / u[1]):.2f}"


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
