"""What would a survey find, if the answer were known? A hundred twins of 100 ISRIC monoliths.

    python course.py bench twins                       a hundred twins, ten minutes
    python course.py bench twins -- --store            and write what chapter 22 and --twin quote

Every twin has the places, depths, climate and errors of the survey, and another truth. Each is taken through what
`landcarbon proda --twin` does, and two things are asked of its places: which component controls ln carbon of the
upper metre (Shapley shares), and how carbon use efficiency goes with it. Three answers, each with an interval of
90 %: over the networks' own predictions (`networks`), over possible maps, a network and one row of the scatter
about it (`maps`), and the same end to end (`end_to_end`).

Needs the collection "isis" and the climate "biome4".
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path
from time import process_time
from typing import Any

from _timing import heading  # first: it holds BLAS to one thread

import numpy as np
import pandas as pd

from landcarbon import datasets
from landcarbon.datasets import twin
from landcarbon.datasets.profiles import Profiles
from landcarbon.datasets.twin_survey import twin_survey
from landcarbon.learning import EndToEnd, Task, blocked_folds, proda
from landcarbon.learning.attribution import control
from landcarbon.models import clm5
from landcarbon.models.process import expand

ERROR = 0.6
MAPS = 20  # draws
RELATION = "efficiency ~ ln carbon"

Survey = tuple[Profiles, clm5.Forcing, pd.DataFrame]


def survey(sites: int) -> Survey:
    """Some of the monoliths, with their surroundings."""
    profiles = datasets.load_profiles("isis")
    land = datasets.forcing_at(profiles.sites["latitude"], profiles.sites["longitude"], datasets.load("biome4"))
    used = np.flatnonzero(land.used)
    few = np.sort(np.random.default_rng(0).permutation(used.size)[:sites])
    return profiles.select(used[few]), land.forcing[few], land.covariates.iloc[few]


def found(theta: np.ndarray, land: clm5.Forcing) -> dict[str, np.ndarray]:
    """Share of each component, and the correlation of efficiency with ln carbon, draw by draw."""
    shares = control(theta, land).data["share"]
    said = {name: shares.sel(component=name).values for name in clm5.COMPONENTS}
    thick = np.diff(np.minimum(np.append(0.0, clm5.LAYERS.bottom), 1.0))
    stock = np.log(clm5.observed_values(theta, expand(land)) @ thick)
    cue = clm5.carbon_use_efficiency(theta, expand(land))[0]
    r = [np.corrcoef(cue[:, k], stock[:, k])[0, 1] for k in range(theta.shape[1])]
    return said | {RELATION: np.array(r)}


def one_twin(seed: int, real: Survey, groups: np.ndarray) -> list[dict[str, Any]]:
    """A row for each thing asked."""
    profiles, land, covariates = real
    made = twin_survey(profiles, land, covariates, error=ERROR, rng=seed)
    task = Task(made.profiles.to_observations(ERROR), land, covariates, groups=groups)
    sites = proda.assimilate(task, n_members=40, n_iter=4, rng=seed)
    network = proda.train(task.knowing(sites), n_networks=4, rng=seed)
    other = EndToEnd(n_networks=2).learn(task, np.random.default_rng(seed)).network
    z = {
        "networks": np.moveaxis(network.parameters(covariates), 0, 1),
        "maps": network.sample(covariates, MAPS, rng=seed),
        "end_to_end": other.sample(covariates, MAPS, rng=seed),
    }
    said = {way: found(sites.prior.from_real(draws), land) for way, draws in z.items()}
    rows = []
    for what, truth in found(made.theta[:, None], land).items():
        row: dict[str, Any] = {"twin": seed, "what": what, "truth": truth[0]}
        for way, answer in said.items():
            low, middle, high = np.quantile(answer[what], [0.05, 0.5, 0.95], method="weibull")
            row |= {f"{way}_lower": low, way: middle, f"{way}_upper": high}
        rows.append(row)
    return rows


def main() -> None:
    """All twins asked for."""
    parser = argparse.ArgumentParser(prog="python course.py bench twins --")
    parser.add_argument("--sites", type=int, default=100, help="profiles of the survey")
    parser.add_argument("--twins", type=int, default=100, help="number of twins")
    parser.add_argument("--store", action="store_true", help=f"write landcarbon/datasets/{twin.SURVEYS}")
    asked = parser.parse_args()
    heading(f"Twins of a survey of {asked.sites} monoliths", "CPU seconds of one run")
    real = survey(asked.sites)
    place = real[2]
    groups = blocked_folds(place["latitude"], place["longitude"], 2.0, 4, rng=0).group
    rows: list[dict[str, Any]] = []
    ways = ("networks", "maps", "end_to_end")
    target = Path(str(files("landcarbon.datasets"))) / twin.SURVEYS
    for seed in range(asked.twins):
        begin = process_time()
        rows += one_twin(seed, real, groups)
        data = pd.DataFrame(rows)
        held = {way: (data[f"{way}_lower"] <= data["truth"]) & (data["truth"] <= data[f"{way}_upper"]) for way in ways}
        told = ", ".join(f"{way} {inside.mean():.2f}" for way, inside in held.items())
        print(f"twin {seed:3d}  {process_time() - begin:5.1f} s  held so far: {told}", flush=True)
        if asked.store:  # after each, for a run that is stopped
            text = data.to_csv(index=False, float_format="%.3f", lineterminator="\n")
            head = f"# twins of a survey of {asked.sites} monoliths; python course.py bench twins -- --store"
            target.write_text(f"{head}\n{text}", encoding="utf-8", newline="\n")
    print(pd.DataFrame(held).groupby(data["what"], sort=False).sum())


if __name__ == "__main__":
    main()
