"""What has to vary over the land to predict soil carbon? One group of parameters at a time, end to end.

    python course.py bench what_varies                     real profiles and two synthetic worlds, half an hour
    python course.py bench what_varies -- --store          and write what chapter 22 shows

A network may let one group of parameters follow the environment; all others have one value for all places,
that of one batch. Scored on left-out blocks of 2°, against one batch, at the mean parameters: the scatter that
a few free parameters need to make up for all others would bend a mean over draws. Then pairs of the best
group with each other. In a synthetic world the answer is known: "truth" gives the group its true value at every
place and all others their mean over the land.
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path
from typing import Any

from _timing import heading  # first: it holds BLAS to one thread

import numpy as np
import pandas as pd
from elsewhere import blind, compared, real_task

from landcarbon import datasets
from landcarbon.datasets import twin
from landcarbon.learning import Task, blocked_folds
from landcarbon.learning.rivals import Batch, EndToEnd
from landcarbon.learning.skill import scores
from landcarbon.models import clm5

GROUPS = {
    name: tuple(n for n in members if n in clm5.PARAMETERS.names)
    for name, members in clm5.COMPONENTS.items()
    if name != "input"
}


def varying(*groups: str) -> EndToEnd:
    """End to end, with some groups free."""
    free = [name for group in groups for name in GROUPS[group]]
    return EndToEnd(" + ".join(groups), 2, options={"free": free})


def climb(test: str, task: Task, folds: Any) -> list[dict[str, Any]]:
    """Single groups, pairs of the best with each other, and all."""
    rivals = {one.name: one for one in (Batch(), *map(varying, GROUPS), EndToEnd("all", 2))}
    rows = compared(test, task, folds, rivals, middle=True)
    alone = {row["rival"]: row["r2"] for row in rows if row["rival"] in GROUPS}
    best = max(alone, key=lambda name: alone[name])
    pairs = {one.name: one for one in (Batch(), *(varying(best, other) for other in GROUPS if other != best))}
    return rows + compared(test, task, folds, pairs, middle=True)[1:]


def true_answer(world: twin.TwinWorld) -> dict[str, float]:
    """R² of ln carbon where a group alone has its true values."""
    prior, seen = world.nature.prior, world.observations
    z = prior.to_real(world.truth["parameters"].values)
    found = {}
    for name, members in (*GROUPS.items(), ("all", clm5.PARAMETERS.names)):
        at = [clm5.PARAMETERS.index(n) for n in members]
        mixed = np.tile(z.mean(axis=0), (len(z), 1))
        mixed[:, at] = z[:, at]
        said = seen.predict(clm5.observed_values(prior.from_real(mixed), world.forcing))
        off = (seen.data - said)[seen.mask].mean()  # the mean of others is a choice; their level is fitted in both
        found[name] = scores(seen.data[seen.mask], said[seen.mask] + off).r2
    return found


def main() -> None:
    """Real profiles, then worlds."""
    parser = argparse.ArgumentParser(prog="python course.py bench what_varies --")
    parser.add_argument("--sites", type=int, default=2500, help="real profiles, drawn at random")
    parser.add_argument("--seeds", type=int, default=2, help="number of worlds of 500 profiles")
    parser.add_argument("--store", action="store_true", help=f"write landcarbon/datasets/{twin.VARIES}")
    asked = parser.parse_args()
    heading("What has to vary over the land?", "seconds of one run")
    task, blocks = real_task(asked.sites)
    rows = climb("real profiles", blind(task), blocks)
    for seed in range(asked.seeds):
        world = datasets.twin_world(n_sites=500, region="conus", rng=seed)
        place = world.covariates
        folds = blocked_folds(place["latitude"], place["longitude"], 2.0, 4, rng=seed)
        task = Task(world.observations, world.forcing, place, groups=folds.group)
        right = true_answer(world)
        rows += [row | {"truth": right.get(row["rival"])} for row in climb(f"world {seed}", task, folds)]
        print("   truth:", ", ".join(f"{name} {r2:.2f}" for name, r2 in right.items()), flush=True)
    if asked.store:
        target = Path(str(files("landcarbon.datasets"))) / twin.VARIES
        text = pd.DataFrame(rows).to_csv(index=False, float_format="%.3f", lineterminator="\n")
        head = "# R2 of ln carbon where one group of parameters varies; python course.py bench what_varies -- --store"
        target.write_text(f"{head}\n{text}", encoding="utf-8", newline="\n")
        print(f"\nwritten: {target.name}, {len(rows)} rows")


if __name__ == "__main__":
    main()
