"""Age beside amount: what Δ14C adds at real profiles, alone and end to end, and what it costs.

    python course.py bench radiocarbon                       a few minutes
    python course.py bench radiocarbon -- --profiles 100

1. Real profiles of He et al. (2016) with four dated layers at least: how many directions carbon, Δ14C and
   both know; which parameters both move; what becomes of turnover times and ages; how far the sets of
   a profile part by 2100.
2. The same profiles, in left-out blocks of 2°: networks trained end to end on carbon, and on both.
3. A twin world: the same two, held against the truth.

At 40 profiles (60 % error of carbon, 100 per mil of Δ14C) a profile knows 1.3 of 21 parameters by carbon, 1.2 by
Δ14C, 2.1 by both; 3.1, 2.7 and 4.5 bits. The new direction is the way into slow carbon and how long it stays
(tau_s2, fs1s2, fl3s2). tau_s3 moves from 433 to 393 years, tau_s2 from 17 to 18; carbon over input stays at 35
years, with CLM5 as published 19; the mean age to 1 m becomes 3,300 years (by carbon alone 4,100, as published 670)
and its spread within a profile falls from 1.8 to 1.1 in ln. By 2100 the sets of a profile part by 0.9 % of the
stock under a fifth more litter instead of 1.1 %, under 4 K of warming by 1.9 % as before.

Learned end to end at 192 of them and asked in the 83 blocks that were left out: Δ14C R² 0.58 by carbon alone, 0.60
by both (CLM5 as published 0.09, and 148 per mil too young), ln carbon R² 0.21 and 0.12. So over the land, at this
number of profiles, Δ14C tells the networks little that carbon had not; it takes eighty times the seconds.

Needs "he2016", "graven2017" and "biome4" for the first.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from _timing import heading  # first: it holds BLAS to one thread

import numpy as np

from landcarbon import datasets
from landcarbon.assimilation import (
    JointObservations,
    Posterior,
    Prior,
    ProfileObservations,
    identify,
    sample,
)
from landcarbon.datasets.radiocarbon import load_radiocarbon, observations, radiocarbon_forcing
from landcarbon.datasets.twin import twin_world
from landcarbon.forecasting.projection import project, ramp
from landcarbon.learning import Task, blocked_folds, hybrid
from landcarbon.learning.skill import scores
from landcarbon.models import clm5
from landcarbon.models import clm5_radiocarbon as c14

PRIOR = Prior(clm5.PARAMETERS)
MOVED = ("q10", "efolding", "w_scaling", "beta", "tau_s1", "tau_s2", "tau_s3", "fs1s2", "fs2s3")
DZ = np.diff(np.minimum(np.append(0.0, clm5.LAYERS.bottom), 1.0))
FUTURES = (ramp("a fifth more litter", input=1.2), ramp("warmer by 4 K", warming=4.0))


def real(n: int) -> tuple[Any, Any, clm5.Forcing, Any]:
    """Some profiles with enough dates: both streams, forcing with the air, climate alone, environment."""
    pits = load_radiocarbon("he2016")
    at = datasets.forcing_at(pits.sites["latitude"], pits.sites["longitude"])
    pits, land = pits.select(at.used), at.forcing
    dated, layers = (
        pits.layers.groupby("profile_id")[c].count().loc[pits.ids].to_numpy() for c in ("delta_14c", "organic_carbon")
    )
    enough = np.flatnonzero((dated >= 4) & (layers <= 9) & (land.active_layer_depth > 2))
    few = np.sort(np.random.default_rng(0).permutation(enough)[:n])
    pits, land = pits.select(few), land[few]
    return observations(pits), radiocarbon_forcing(pits, land), land, at.covariates.iloc[few]


def age_and_turnover(theta: np.ndarray, land: clm5.Forcing) -> tuple[np.ndarray, np.ndarray]:
    """Mean age of soil carbon to 1 m, and all carbon to 1 m over the input [yr]."""
    column, b = clm5.column(theta, land)
    X = column.steady_state(b, method="cascade")
    XA = column.steady_state(X, method="cascade")
    stock, aged = ((a[..., clm5.SOIL, :] @ DZ).sum(axis=-1) for a in (X, XA))
    return aged / stock, stock / (b @ clm5.LAYERS.thickness).sum(axis=-1)


def profiles(n: int) -> None:
    """The first part."""
    data, dated, land, _ = real(n)
    print(f"{len(dated.year)} profiles: {data.parts['carbon'].mask.sum()} layers with carbon, "
          f"{data.parts['radiocarbon'].mask.sum()} with Δ14C")  # fmt: skip
    asked = {
        "carbon": Posterior(PRIOR, lambda z: clm5.observed_values(z, land.expand()), data.parts["carbon"]),
        "14C": Posterior(PRIOR, lambda z: c14.observed_values(z, dated.expand())[..., 20:], data.parts["radiocarbon"]),
        "both": Posterior(PRIOR, lambda z: c14.observed_values(z, dated.expand()), data),
    }
    places = np.tile(PRIOR.sample(6, rng=1), (len(dated.year), 1, 1))
    for name, posterior in asked.items():
        print(f"\n{name}\n{identify(posterior, at=places)}")
    draws = {}
    for name in ("carbon", "both"):
        began = time.perf_counter()
        draws[name] = sample(asked[name], "es-mda", rng=2, n_members=100).draws
        print(f"{name}: assimilated in {time.perf_counter() - began:.0f} s")
    print("\nmedian over profiles   " + "  ".join(f"{p:>9s}" for p in MOVED))
    for name, theta in draws.items():
        print(f"{name:22s} " + "  ".join(f"{np.median(theta[..., clm5.PARAMETERS.index(p)]):9.3g}" for p in MOVED))
    print("\n                       mean age to 1 m   spread in a profile   carbon over input   spread")
    alone = np.broadcast_to(clm5.DEFAULT, (len(dated.year), 1, 21))
    for name, theta in (draws | {"CLM5 as published": alone}).items():
        age, turnover = age_and_turnover(theta, land.expand())
        print(f"{name:22s} {np.median(age):11.0f} yr {np.log(age).std(axis=1).mean():17.2f} ln "
              f"{np.median(turnover):16.0f} yr {np.log(turnover).std(axis=1).mean():8.2f} ln")  # fmt: skip
    run = project(draws, land, FUTURES, every=85)
    change = 100 * (run.stock.isel(time=-1) / run.stock.isel(time=0) - 1)
    spread = change.std("draw").mean("place").squeeze()
    print("\nby 2100: spread within a profile, % of the stock")
    print(spread.to_pandas().round(2).to_string())


def real_end_to_end(n: int) -> None:
    """The second part."""
    data, dated, land, covariates = real(n)
    n = len(covariates)
    folds = blocked_folds(covariates["latitude"], covariates["longitude"], 2.0, 3, rng=1)
    common = {"covariates": covariates.reset_index(drop=True), "groups": folds.group}
    tasks = {"carbon": Task(data.parts["carbon"], land, **common), "both": Task(data, dated, model=c14, **common)}
    print(f"\n{n} real profiles, {np.unique(folds.group).size} blocks of 2 degrees, each left out once")
    theta = {"CLM5 as published": np.tile(clm5.DEFAULT, (n, 1))}
    for name, task in tasks.items():
        began = time.perf_counter()
        theta[name] = np.empty((n, 21))
        for learn, test in folds:
            net = hybrid.fit(task[learn], n_networks=2, network=(16,), epochs=40, rng=1)
            theta[name][test] = net.predict(task.covariates.iloc[test])
        print(f"{name}: learned in {time.perf_counter() - began:.0f} s")
    for name, found in theta.items():
        values = c14.observed_values(found, dated)
        said = {"carbon": values[:, :20], "radiocarbon": values[:, 20:]}
        print(f"{name:18s}", end="")
        for stream, unit, size in (("carbon", "ln", 1), ("radiocarbon", "per mil", 1000)):
            seen = data.parts[stream]
            s = scores(seen.data[seen.mask], seen.predict(said[stream])[seen.mask])
            print(f"   {stream}: R² {s.r2:5.2f}, bias {size * s.bias:+.3g} {unit}", end="")
        age, turnover = age_and_turnover(found, land)
        print(f"   mean age to 1 m {np.median(age):.0f} yr, carbon over input {np.median(turnover):.0f} yr, tau_s3 "
              f"{np.median(found[:, clm5.PARAMETERS.index('tau_s3')]):.0f} yr")  # fmt: skip


def end_to_end(n: int) -> None:
    """The third part."""
    world = twin_world(n_sites=n, rng=3)
    truth = world.truth["parameters"].values
    dated = c14.Forcing(world.forcing, np.full(n, 2000))
    there = world.observations
    dates = ProfileObservations(
        there.depth, np.ones(there.depth.shape), 0.03, there.node_depth, clm5.LAYERS.bottom[-1],
        kind="absolute", mask=there.mask,
    )  # fmt: skip
    dates = dates.with_values(dates.simulate(c14.observed_values(truth, dated)[:, 20:], rng=7))
    folds = blocked_folds(world.covariates["latitude"], world.covariates["longitude"], 3.0, 4, rng=1)
    learn, test = next(iter(folds))
    common = {"covariates": world.covariates, "groups": folds.group}
    tasks = {
        "carbon": Task(there, world.forcing, **common),
        "both": Task(JointObservations({"carbon": there, "14C": dates}), dated, model=c14, **common),
    }
    z = PRIOR.to_real(truth[test])
    print(f"\n{len(learn)} synthetic profiles, {len(test)} held out")
    for name, task in tasks.items():
        began = time.perf_counter()
        net = hybrid.fit(task[learn], n_networks=2, network=(16,), epochs=40, rng=1)
        seconds = time.perf_counter() - began
        theta = net.predict(world.covariates.iloc[test])
        values = c14.observed_values(theta, dated[test])
        m = there[test].mask
        found = PRIOR.to_real(theta)
        r = [np.corrcoef(found[:, k], z[:, k])[0, 1] for k in range(21)]
        carbon, ratio = (
            scores(o.data[m], o.predict(part)[m]).r2
            for o, part in ((there[test], values[:, :20]), (dates[test], values[:, 20:]))
        )
        print(f"{name:7s} {seconds:5.0f} s   R² of ln carbon {carbon:.2f}, of Δ14C {ratio:.2f}   "
              f"r of parameters with the truth: median {np.median(r):.2f}")  # fmt: skip


def main() -> int:
    """All parts."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--profiles", type=int, default=40)
    options.add_argument("--learned", type=int, default=300, help="real profiles to learn from, at most")
    options.add_argument("--sites", type=int, default=200, help="of the twin world")
    given = options.parse_args()
    heading("age beside amount")
    if all(map(datasets.is_available, ("he2016", "graven2017", "biome4"))):
        profiles(given.profiles)
        real_end_to_end(given.learned)
    end_to_end(given.sites)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
