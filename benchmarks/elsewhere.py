"""Real profiles: what lifts the score of left-out blocks, and what is left of it in a world nobody has seen.

    python course.py bench elsewhere                       2,500 profiles, ten minutes
    python course.py bench elsewhere -- --store            and write what chapter 21 shows

"blocks" is the usual test, left-out blocks of 2°, and the rivals are all that was tried above the ladder:
twice the networks, twice the epochs, the mean of two methods, clay and sand that were measured in the profile
itself. The other tests leave out what is unlike the
rest: everything outside Africa, or the tenth of the profiles that is coldest, hottest, driest, wettest.
A forest is asked with and without the coordinates, by which it can remember a place.

Needs the collections "isis" and "afsp" and the climate "biome4".
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from _timing import heading  # first: it holds BLAS to one thread

import numpy as np
import pandas as pd

from landcarbon import datasets
from landcarbon.datasets import twin
from landcarbon.datasets.profiles import Profiles, join_profiles
from landcarbon.learning import Task, blocked_folds, proda
from landcarbon.learning.folds import Folds
from landcarbon.learning.rivals import Batch, EndToEnd, Proda, Rival, WithoutProcess, forest
from landcarbon.learning.skill import bootstrap_score, scores
from landcarbon.learning.validation import Held, Prediction, held_out

PLACE = ["latitude", "longitude"]


# --- rivals that were tried --------------------------------------------------------------------


@dataclass(frozen=True)
class Mean:
    """The mean of what two rivals say."""

    name: str
    rivals: tuple[Rival, ...]

    def learn(self, task: Task, rng: np.random.Generator) -> _Mean:
        return _Mean([rival.learn(task, rng) for rival in self.rivals])


@dataclass(frozen=True)
class _Mean:
    predictors: list[Any]

    def predict(self, task: Task, rng: np.random.Generator, n_draws: int = 100) -> Prediction:
        return Prediction(
            np.mean([one.predict(task, rng, n_draws).mean for one in self.predictors], axis=0)
        )


@dataclass(frozen=True)
class Without:
    """A rival, or a predictor, that is not told some of the covariates."""

    name: str
    columns: tuple[str, ...]
    one: Any

    def learn(self, task: Task, rng: np.random.Generator) -> Without:
        return replace(self, one=self.one.learn(self._less(task), rng))

    def predict(self, task: Task, rng: np.random.Generator, n_draws: int = 100) -> Prediction:
        return self.one.predict(self._less(task), rng, n_draws)

    def _less(self, task: Task) -> Task:
        return replace(task, covariates=task.environment.drop(columns=list(self.columns)))


# --- tests -------------------------------------------------------------------------------------


def real_task(sites: int) -> tuple[Task, Folds]:
    """Some of all real profiles, clay and sand of the upper 30 cm among the covariates, and folds of blocks."""
    profiles = join_profiles(*(datasets.load_profiles(name) for name in ("isis", "afsp")))
    land = datasets.forcing_at(
        profiles.sites["latitude"], profiles.sites["longitude"], datasets.load("biome4")
    )
    used = np.flatnonzero(land.used)
    few = np.sort(np.random.default_rng(0).permutation(used.size)[:sites])
    profiles, covariates = profiles.select(used[few]), land.covariates.iloc[few]
    covariates = covariates.set_axis(pd.Index(profiles.ids, name="profile_id"))
    blocks = blocked_folds(covariates["latitude"], covariates["longitude"], 2.0, 4, rng=0)
    texture = measured_texture(profiles)
    task = Task(
        profiles.to_observations(0.6),
        land.forcing[few],
        covariates.join(texture),
        groups=blocks.group,
    )
    return task, blocks


def measured_texture(profiles: Profiles) -> pd.DataFrame:
    """Clay and sand of the upper 30 cm [%], the median of all where a profile has none, and which have."""
    upper = profiles.layers[profiles.layers["upper_depth"] < 0.3]
    found = upper.groupby("profile_id")[["clay", "sand"]].mean().reindex(profiles.ids)
    known = found["clay"].notna().astype(float).rename("texture_measured")
    return found.fillna(found.median()).join(known)


def unlike(task: Task) -> Iterator[tuple[str, np.ndarray]]:
    """What is left out, and which sites that are."""
    env = task.environment
    lat, lon = env["latitude"], env["longitude"]
    near = lat.between(-35.0, 37.5) & lon.between(-18.0, 51.5)
    asia = (lat > 12.5) & (lon > 32.5 + 0.65 * np.maximum(30.0 - lat, 0.0))  # beyond Suez and the Red Sea
    europe = (lat > 35.0) & (lon > 11.9)  # Sicily, Crete
    yield "outside Africa", (~(near & ~asia & ~europe)).to_numpy()
    for name, column, most in (
        ("coldest tenth", "mean_temperature", False), ("hottest tenth", "mean_temperature", True),
        ("driest tenth", "annual_precipitation", False), ("wettest tenth", "annual_precipitation", True),
    ):  # fmt: skip
        value = env[column].to_numpy() * (-1.0 if most else 1.0)
        yield name, value <= np.quantile(value, 0.1)


def compared(
    test: str, task: Task, folds: Folds, rivals: dict[str, Any], middle: bool = False
) -> list[dict[str, Any]]:
    """Scores of every rival over the folds, and its gap to the first.

    `middle` scores the carbon of the mean parameters in place of the mean over draws of them.
    """
    needs = any(name.startswith("proda") for name in rivals)

    def known(k: int, train: np.ndarray) -> Task:
        cut = task[train]
        return (
            cut.knowing(proda.assimilate(cut, n_members=60, n_iter=4, rng=k))
            if needs
            else cut
        )

    data = task.data
    said = {name: np.full(data.data.shape, np.nan) for name in rivals}
    inside = {name: np.full(data.data.shape, np.nan) for name in rivals}
    seconds = dict.fromkeys(rivals, 0.0)
    for held in held_out(rivals, task, folds, seed=0, prepare=known):
        at = held.test
        said[held.name][at] = task[at].predicted(task.prior.from_real(held.said.z)) if middle else held.said.mean
        inside[held.name][held.test] = _inside(held, data[held.test])
        seconds[held.name] += held.seconds
    at = data.mask & (folds.fold >= 0)[:, None]
    block = np.broadcast_to(folds.group[:, None], at.shape)[at]
    first, rows = next(iter(rivals)), []
    for name in rivals:
        marks = scores(data.data[at], said[name][at])
        own = bootstrap_score(data.data[at], said[name][at], block)
        gap = bootstrap_score(data.data[at], said[name][at], block, rival=said[first][at])
        rows.append({
            "test": test, "rival": name, "sites": int((folds.fold >= 0).sum()), "blocks": np.unique(block).size,
            "r2": marks.r2, "lower": own.lower, "upper": own.upper, "bias": marks.bias, "rmse": marks.rmse,
            "coverage": inside[name][at].mean(), "gap": gap.value, "gap_lower": gap.lower, "gap_upper": gap.upper,
        })  # fmt: skip
        print(f"{test:16s} {name:32s} R2 {marks.r2:+.3f} [{own.lower:+.2f}, {own.upper:+.2f}]  "
              f"bias {marks.bias:+.2f}  minus {first} {gap}  covers {rows[-1]['coverage']:.1%}  "
              f"{seconds[name]:.0f} s", flush=True)  # fmt: skip
    return rows


def _inside(held: Held, data: Any) -> Any:
    if held.said.draws is None:
        return np.nan
    low, high = held.said.interval(data, 0.9, held.rng)
    return (low <= data.data) & (data.data <= high)


TEXTURE = ("clay", "sand", "texture_measured")


def blind(task: Task) -> Task:
    return replace(task, covariates=task.environment.drop(columns=list(TEXTURE)))


def main() -> None:
    """All tests."""
    parser = argparse.ArgumentParser(prog="python course.py bench elsewhere --")
    parser.add_argument("--sites", type=int, default=2500, help="profiles, drawn at random")
    parser.add_argument("--store", action="store_true", help=f"write landcarbon/datasets/{twin.ELSEWHERE}")
    asked = parser.parse_args()
    heading(f"{asked.sites:,} real profiles", "seconds of one run")
    task, blocks = real_task(asked.sites)
    plain, boosted = EndToEnd("end to end"), WithoutProcess("forest", forest)
    longer = EndToEnd("end to end, epochs twice", options={"epochs": 120, "patience": 20})
    tried = (plain, EndToEnd("end to end, networks twice", 8), longer, boosted,
             Mean("mean of end to end and forest", (plain, boosted)))  # fmt: skip
    lifts = {one.name: Without(one.name, TEXTURE, one) for one in (Batch(), *tried)}
    lifts |= {f"{one.name}, texture measured": one for one in (plain, boosted)}
    lifts |= {f"{one.name} without coordinates": Without(one.name, (*TEXTURE, *PLACE), one) for one in (plain, boosted)}
    rows = compared("blocks", task, blocks, lifts)
    task = blind(task)
    forms = (Batch(), Proda(n_networks=4), plain, boosted)
    for test, out in unlike(task):
        rivals = {one.name: one for one in forms}
        rivals["forest without coordinates"] = Without("forest", tuple(PLACE), boosted)
        rivals["end to end without coordinates"] = Without("end to end", tuple(PLACE), plain)
        rows += compared(test, task, Folds(np.where(out, 0, -1), blocks.group, "group"), rivals)
    if asked.store:
        target = Path(str(files("landcarbon.datasets"))) / twin.ELSEWHERE
        text = pd.DataFrame(rows).to_csv(index=False, float_format="%.3f", lineterminator="\n")
        again = f"python course.py bench elsewhere -- --sites {asked.sites} --store"
        head = f"# real profiles; R2 of ln carbon where nothing was learned; {again}"
        target.write_text(f"{head}\n{text}", encoding="utf-8", newline="\n")
        print(f"\nwritten: {target.name}, {len(rows)} rows")


if __name__ == "__main__":
    main()
