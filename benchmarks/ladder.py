"""The ladder of PRODA, and networks trained through the model, on synthetic worlds whose truth is known.

    python course.py bench ladder                                    ten worlds of 500 profiles, half an hour
    python course.py bench ladder -- --sites 300 --seeds 2           a quick look
    python course.py bench ladder -- --store                         and write what chapter 22 shows

Each world (`twin_world`, contiguous United States, error of 60 %) is drawn from its own seed. All methods
predict ln carbon of profiles in 2° blocks that they have not seen, on the same folds, as published:
CLM5 as published; parameters drawn at random from what was retrieved; one set fitted to all; PRODA; and
the hybrid, trained end to end. Beside them stand a network and a forest without a process model.

Three rows look at the truth. `truth` predicts by the true parameters: the ceiling that measurement error
leaves. `place` knows all of them but the part that differs from one spot to the next: the ceiling of any
map. `environment` knows exactly how parameters follow the environment, and not the regional part that no
covariate tells; latitude and longitude are covariates too, so a network can learn a little of that and
pass above it. Both predict by the mean over what they do not know.

Intervals of a gap: 95 %, blocks drawn anew, both methods on the same blocks. Over worlds: 95 % by Student's
t. CPU s: of `assimilate` at all sites and again in each fold.

Rows "cue": does a map tell which places use carbon efficiently? "cue ~ ln C" is the correlation over the
places of carbon use efficiency with ln carbon in the upper metre, in truth and in each method's own
held-out map; "cue ~ true cue" that of its map with the truth.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from time import process_time
from typing import Any

from _timing import heading, table  # first: it holds BLAS to one thread

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import t as student

from landcarbon import datasets
from landcarbon.datasets import twin
from landcarbon.learning import Evaluation, Task, evaluate, hybrid, proda
from landcarbon.learning.folds import Folds, blocked_folds
from landcarbon.learning.skill import scores
from landcarbon.models import clm5

LADDER = ("default", "random_sampling", "one_batch", "proda")
RIVALS = ("pure_network", "forest")
METHODS = (*LADDER, "hybrid", *RIVALS)
ROWS = (*LADDER, "hybrid", *RIVALS, "environment", "place", "truth")
GAPS = (("random_sampling", "default"), ("one_batch", "random_sampling"), ("proda", "one_batch"),
        ("hybrid", "proda"), ("pure_network", "proda"), ("forest", "proda"))  # fmt: skip
TARGET = 0.15  # PRODA above one-batch
SOURCE = "synthetic worlds; R2 of ln carbon at held-out profiles; python course.py bench ladder -- --store"


@dataclass(frozen=True)
class Rung:
    """What one method reached in one world."""

    r2: float
    bias: float
    coverage: float
    seconds: float


def world_folds(sites: int, seed: int, n_folds: int = 4) -> tuple[twin.TwinWorld, Folds]:
    """A synthetic world and folds of 2° blocks."""
    world = datasets.twin_world(n_sites=sites, region="conus", rng=seed)
    place = world.covariates
    return world, blocked_folds(place["latitude"], place["longitude"], 2.0, n_folds, rng=seed)


def best_map(
    world: twin.TwinWorld, theta: np.ndarray, unknown: float, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Mean ln carbon (site, obs) by one who knows theta but for noise of sd `unknown` in z."""
    z = world.nature.prior.to_real(theta)
    mean = np.zeros(world.observations.data.shape)
    for _ in range(draws):
        drawn = world.nature.prior.from_real(z + unknown * rng.standard_normal(z.shape))
        X = clm5.steady_state(drawn, world.forcing)
        mean += world.observations.predict(clm5.soil_carbon(X)) / draws
    return mean


def climb(
    sites: int, seed: int, n_folds: int = 4, draws: int = 60
) -> tuple[dict[str, Rung], Evaluation, pd.DataFrame, dict[str, float]]:
    """All methods in one world; parameters and carbon use efficiency against the truth."""
    world, folds = world_folds(sites, seed, n_folds)
    seen, env = world.observations, world.covariates
    task = Task(seen, world.forcing, env)
    begin = process_time()
    task = task.knowing(proda.assimilate(task, n_members=60, n_iter=4, rng=seed))
    spent, last = {"assimilate": process_time() - begin}, process_time()

    def clock(method: str, fold: int) -> None:
        nonlocal last
        now = process_time()
        spent[method] = spent.get(method, 0.0) + now - last
        last = now

    report = evaluate(
        task, folds, METHODS,
        truth=world.truth["parameters"].values, n_draws=draws, rng=seed, tell=clock,
    )  # fmt: skip
    # Default comes first in each fold, after its assimilation.
    spent["assimilate"] += spent["default"]
    rng = np.random.default_rng(seed)
    by_environment = world.truth["explained"].values
    by_place = world.at(env["latitude"], env["longitude"]).truth["parameters"].values
    more = {
        "environment": best_map(world, by_environment, np.hypot(twin.HIDDEN, twin.LOCAL), draws, rng),
        "place": best_map(world, by_place, twin.LOCAL, draws, rng),
    }
    report = with_predictions(report, more)
    found = {}
    for name in ROWS:
        o, p = (report.predictions[v] for v in ("observed", "predicted"))
        at = seen.mask
        cover = report.table["coverage"].get(name, np.nan)
        marks = scores(o.values[at], p.sel(approach=name).values[at])
        found[name] = Rung(marks.r2, marks.bias, float(cover), spent.get(name, np.nan))
    found["assimilate"] = Rung(np.nan, np.nan, np.nan, spent["assimilate"])
    prior, truth = world.nature.prior, world.truth["parameters"].values
    known = hybrid.recovery(hybrid.directions(task, truth), prior.to_real(truth), report.z["hybrid"])
    maps = {name: prior.from_real(report.z[name]) for name in ("one_batch", "proda", "hybrid")}
    return found, report, known, efficiency(world, {"truth": truth, **maps})


def efficiency(world: twin.TwinWorld, maps: dict[str, np.ndarray]) -> dict[str, float]:
    """Correlations over the places of carbon use efficiency with ln carbon, and with the truth."""
    thick = np.diff(np.minimum(np.append(0.0, clm5.LAYERS.bottom), 1.0))
    found, true = {}, clm5.carbon_use_efficiency(maps["truth"], world.forcing)[0]
    for name, theta in maps.items():
        cue = clm5.carbon_use_efficiency(theta, world.forcing)[0]
        stock = clm5.observed_values(theta, world.forcing) @ thick
        found[f"cue ~ ln C: {name}"] = float(np.corrcoef(cue, np.log(stock))[0, 1])
        if name != "truth":
            found[f"cue ~ true cue: {name}"] = float(np.corrcoef(cue, true)[0, 1])
    return found


def with_predictions(report: Evaluation, more: dict[str, np.ndarray]) -> Evaluation:
    """The same evaluation with further methods, scored on the same profiles."""
    data = report.predictions
    rows = np.stack([np.where(np.isfinite(data["observed"]), p, np.nan) for p in more.values()])
    added = xr.DataArray(rows, dims=("approach", "site", "obs"), coords={"approach": list(more)})
    predicted = xr.concat([data["predicted"].drop_vars(["fold", "block", "site"]), added], "approach")
    bare = data.drop_vars(["predicted", "approach"])
    return replace(report, predictions=bare.assign(predicted=predicted))


def tell(
    seed: int, found: dict[str, Rung], report: Evaluation, marks: pd.DataFrame, cue: dict[str, float]
) -> list[dict[str, Any]]:
    """Print one world; its rows for the summary."""
    print(f"\nworld {seed}: {report.predictions.attrs['values']} values, "
          f"{report.predictions.attrs['blocks']} blocks")  # fmt: skip
    blank = lambda x, f: "-" if np.isnan(x) else format(x, f)  # noqa: E731
    table(
        ("method", "R²", "bias", "90 % covers", "CPU s"),
        [
            (n, blank(r.r2, ".3f"), blank(r.bias, "+.3f"), blank(r.coverage, ".1%"), blank(r.seconds, ".1f"))
            for n, r in found.items()
        ],
    )
    rows: list[dict[str, Any]] = [
        {"world": seed, "what": n, "value": r.r2, "bias": r.bias, "coverage": r.coverage}
        for n, r in found.items() if n in ROWS
    ]  # fmt: skip
    for method, rival in GAPS:
        gap = report.gap(method, rival)
        print(f"{method} - {rival}: {gap}")
        rows.append({"world": seed, "what": f"{method} - {rival}", "value": gap.value,
                     "lower": gap.lower, "upper": gap.upper})  # fmt: skip
    for name, r in cue.items():
        print(f"{name:30s} {r:+.2f}")
        rows.append({"world": seed, "what": name, "value": r})
    print("hybrid, held out: correlation with the true parameters along the directions that data see")
    for k, row in marks.head(4).iterrows():
        told = "" if row["identified"] else " (not identified)"
        print(f"  {k}: information {row['information']:.2f}, r {row['r']:+.2f}{told}, {row['made of']}")
    print(flush=True, end="")
    return rows


def over_worlds(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over worlds and its 95 % interval by Student's t."""
    half = student.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def summary(result: pd.DataFrame) -> None:
    """Print what all worlds say together."""
    wide = result.pivot(index="world", columns="what", values="value")
    n = len(wide)
    print(f"\n{n} worlds: R²")
    table(("world", *ROWS), [(str(w), *(f"{v:.3f}" for v in row)) for w, row in wide[list(ROWS)].iterrows()])
    if n < 2:
        return
    print()
    for name in (*ROWS, *(f"{a} - {b}" for a, b in GAPS)):
        mean, low, high = over_worlds(wide[name].to_numpy())
        print(f"{name:32s} mean {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
    order = (np.diff(wide[list(LADDER)].to_numpy(), axis=1) > 0).all(axis=1)
    step = wide["proda - one_batch"]
    sure = result[result["what"] == "proda - one_batch"]["lower"] > 0
    print(f"\ndefault < random_sampling < one_batch < proda in {order.sum()} of {n} worlds")
    print(f"proda - one_batch at least {TARGET} in {(step >= TARGET).sum()} of {n}, above 0 beyond its "
          f"interval in {sure.sum()}")  # fmt: skip
    room = (wide["proda"] - wide["one_batch"]) / (wide["place"] - wide["one_batch"])
    print(f"share of the way from one_batch to place that PRODA goes: {room.mean():.2f}, "
          f"from {room.min():.2f} to {room.max():.2f}")  # fmt: skip
    behind = wide["hybrid - proda"]
    print(f"hybrid at most 0.05 below proda in {(behind >= -0.05).sum()} of {n}")
    for name in ("random_sampling", "proda", "hybrid"):
        c = result[result["what"] == name]["coverage"]
        print(f"90 % intervals of {name} cover {c.mean():.1%} (worlds {c.min():.1%} to {c.max():.1%})")


def main() -> None:
    """All worlds asked for."""
    parser = argparse.ArgumentParser(prog="python course.py bench ladder --")
    parser.add_argument("--sites", type=int, default=500, help="profiles of a world")
    parser.add_argument("--folds", type=int, default=4, help="folds of left-out blocks")
    parser.add_argument("--seeds", type=int, default=10, help="number of worlds")
    parser.add_argument("--first", type=int, default=0, help="seed of the first world")
    parser.add_argument("--store", action="store_true", help=f"write landcarbon/datasets/{twin.LADDER}")
    asked = parser.parse_args()
    heading(f"Synthetic worlds of {asked.sites:,} profiles, {asked.folds} folds of 2° blocks", "CPU time of one run")
    rows: list[dict[str, Any]] = []
    for seed in range(asked.first, asked.first + asked.seeds):
        rows += tell(seed, *climb(asked.sites, seed, asked.folds))
    result = pd.DataFrame(rows, columns=["world", "what", "value", "lower", "upper", "bias", "coverage"])
    summary(result)
    if asked.store:
        target = Path(str(files("landcarbon.datasets"))) / twin.LADDER
        result.insert(0, "sites", asked.sites)
        text = result.to_csv(index=False, float_format="%.3f", lineterminator="\n")
        target.write_text(f"# {SOURCE}\n{text}", encoding="utf-8", newline="\n")
        print(f"\nwritten: {target.name}, {len(result)} rows")


if __name__ == "__main__":
    main()
