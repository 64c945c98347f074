"""The ladder of PRODA on a small twin world, held out in blocks; the ceiling is its known truth."""

import numpy as np
import pytest

from landcarbon import datasets
from landcarbon.learning import Proda, Task, evaluate, proda
from landcarbon.learning.folds import blocked_folds

LADDER = {"default": "default", "random_sampling": "random_sampling", "one_batch": "one_batch",
          "proda": Proda(n_networks=3)}  # fmt: skip


@pytest.fixture(scope="module")
def report():
    world = datasets.twin_world(n_sites=200, rng=1)
    task = Task(world.observations, world.forcing, world.covariates)
    sites = proda.assimilate(task, n_members=50, n_iter=4, rng=0)
    folds = blocked_folds(world.covariates["latitude"], world.covariates["longitude"], 2.0, 3, rng=0)
    return evaluate(
        task.knowing(sites), folds, LADDER.values(), truth=world.truth["parameters"].values, n_draws=50, rng=0
    )


def test_each_step_of_the_ladder_is_higher(report):
    r2 = report.table["r2"][list(LADDER)].to_numpy()
    assert (np.diff(r2) > 0).all()
    assert report.table["r2"]["truth"] > r2[-1]
    assert report.table["held_out"][list(LADDER)].all()


def test_the_step_to_proda_is_no_accident(report):
    gap = report.gap("proda", "one_batch")
    assert gap.lower > 0
    assert gap.value > 0.1


def test_intervals_cover(report):
    for name in ("random_sampling", "proda"):
        assert 0.82 < report.table.loc[name, "coverage"] < 0.98
