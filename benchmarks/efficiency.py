"""Does a map tell whether carbon use efficiency and carbon go together, and which further data would make it?

    python course.py bench efficiency                      ten synthetic worlds, half an hour
    python course.py bench efficiency -- --store           and write what chapter 22 shows

Networks trained end to end predict parameters in left-out blocks of 2°: from the carbon of profiles alone; with
the CO2 that soil organic matter gives off at every profile (error 20 %); and, in some of the worlds, since it
takes minutes each, with Δ14C at five depths of every profile (error 50 per mil, sampled in 2000). For each: R²
of ln carbon, the correlation of efficiency with ln carbon in the upper metre on the map and in truth, and that of
the map's efficiency with the true one.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from time import process_time
from typing import Any

from _timing import heading, table  # first: it holds BLAS to one thread

import numpy as np
import pandas as pd

from landcarbon import datasets
from landcarbon.assimilation import GaussianLikelihood
from landcarbon.datasets import twin
from landcarbon.learning import EndToEnd, Stream, Task, blocked_folds, hybrid, one_batch
from landcarbon.learning.skill import scores
from landcarbon.learning.validation import held_out
from landcarbon.models import clm5, clm5_radiocarbon

LAYERS = [1, 4, 7, 9, 11]  # 0.04 to 1.1 m
RESPIRED, DATED = 0.2, 0.05  # relative error of the CO2; error of the ratio 14C/C


def dated(theta: np.ndarray, land: clm5.Forcing) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Ratio 14C/C of five layers in the year 2000, and its adjoint."""
    values, pull = clm5_radiocarbon.observed(theta, clm5_radiocarbon.Forcing(land, 2000.0))
    at = 20 + np.array(LAYERS)

    def back(d: np.ndarray) -> np.ndarray:
        whole = np.zeros(values.shape)
        whole[..., at] = d
        return pull(whole)

    return values[..., at], back


def further(world: twin.TwinWorld, rng: np.random.Generator) -> tuple[Stream, Stream]:
    """What was measured beside carbon in a world: CO2 of soil organic matter, and Δ14C."""
    theta, land = world.truth["parameters"].values, world.forcing
    co2 = hybrid.soil_respiration_stream(GaussianLikelihood(np.ones((len(theta), 1)), 1.0)).run(theta, land)[0]
    age = dated(theta, land)[0]
    told = co2 * np.exp(RESPIRED * rng.standard_normal(co2.shape))
    return (
        hybrid.soil_respiration_stream(GaussianLikelihood(told, RESPIRED * told)),
        Stream(GaussianLikelihood(age + DATED * rng.standard_normal(age.shape), DATED), dated),
    )


class FromCarbon:
    """End to end, from the one parameter set that fits the carbon of all sites best."""

    name = "end to end"

    def learn(self, task: Task, rng: np.random.Generator) -> Any:
        start = one_batch(replace(task, observations=task.streams[0]), rng=rng).parameters
        return EndToEnd(n_networks=2, options={"start": start, "epochs": 40}).learn(task, rng)


def one_world(seed: int, sites: int, with_ages: bool) -> list[dict[str, Any]]:
    """The maps of a world."""
    world = datasets.twin_world(n_sites=sites, region="conus", rng=seed)
    place, truth = world.covariates, world.truth["parameters"].values
    folds = blocked_folds(place["latitude"], place["longitude"], 2.0, 3, rng=seed)
    co2, age = further(world, np.random.default_rng(seed))
    carbon, mask = world.observations, world.observations.mask
    right, rows = efficiency(truth, world.forcing), []
    streams = {"carbon": (carbon,), "carbon, CO2": (carbon, co2)}
    for data, seen in (streams | ({"carbon, 14C": (carbon, age)} if with_ages else {})).items():
        begin = process_time()
        task = Task(seen, world.forcing, place, groups=folds.group)
        z, said = np.full(truth.shape, np.nan), np.full(mask.shape, np.nan)
        for held in held_out({data: FromCarbon()}, task, folds, n_draws=60, seed=seed):
            z[held.test], said[held.test] = held.said.z, held.said.mean
        cue, stock = efficiency(task.prior.from_real(z), world.forcing)
        rows.append({
            "world": seed, "data": data, "r2": scores(carbon.data[mask], said[mask]).r2,
            "map": np.corrcoef(cue, stock)[0, 1], "truth": np.corrcoef(*right)[0, 1],
            "known": np.corrcoef(cue, right[0])[0, 1], "seconds": process_time() - begin,
        })  # fmt: skip
    return rows


def efficiency(theta: np.ndarray, land: clm5.Forcing) -> tuple[np.ndarray, np.ndarray]:
    """Carbon use efficiency, and ln carbon of the upper metre."""
    thick = np.diff(np.minimum(np.append(0.0, clm5.LAYERS.bottom), 1.0))
    return clm5.carbon_use_efficiency(theta, land)[0], np.log(clm5.observed_values(theta, land) @ thick)


def main() -> None:
    """All worlds asked for."""
    parser = argparse.ArgumentParser(prog="python course.py bench efficiency --")
    parser.add_argument("--sites", type=int, default=200, help="profiles of a world")
    parser.add_argument("--seeds", type=int, default=10, help="number of worlds")
    parser.add_argument("--dated", type=int, default=3, help="how many of them with radiocarbon")
    parser.add_argument("--store", action="store_true", help=f"write landcarbon/datasets/{twin.EFFICIENCY}")
    asked = parser.parse_args()
    title = f"Synthetic worlds of {asked.sites} profiles: carbon use efficiency against ln carbon"
    heading(title, "CPU seconds of one run")
    rows: list[dict[str, Any]] = []
    columns = ("world", "data", "r2", "map", "truth", "known", "seconds")
    for seed in range(asked.seeds):
        rows += (found := one_world(seed, asked.sites, seed < asked.dated))
        table(columns, [[str(row[c]) if c in ("world", "data") else row[c] for c in columns] for row in found])
        print(flush=True)
    result = pd.DataFrame(rows)
    for data, part in result.groupby("data", sort=False):
        near = (part["map"] - part["truth"]).abs() < 0.15
        print(f"{data:18s} |r - truth| < 0.15 in {near.sum()} of {len(part)} worlds; R2 {part['r2'].mean():.3f}")
    if asked.store:
        target = Path(str(files("landcarbon.datasets"))) / twin.EFFICIENCY
        text = result.drop(columns="seconds").to_csv(index=False, float_format="%.3f", lineterminator="\n")
        head = "# synthetic worlds; efficiency against ln carbon; python course.py bench efficiency -- --store"
        target.write_text(f"{head}\n{text}", encoding="utf-8", newline="\n")
        print(f"\nwritten: {target.name}, {len(result)} rows")


if __name__ == "__main__":
    main()
