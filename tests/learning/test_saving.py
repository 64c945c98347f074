"""What was learnt is saved, read back the same, and refused when it is not what it was."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from landcarbon.datasets import twin_world
from landcarbon.learning import (
    RIVALS,
    Proda,
    Task,
    evaluate,
    hybrid,
    load,
    one_batch,
    proda,
    random_folds,
    save,
)
from landcarbon.learning.mlp import FromFunction
from landcarbon.matrix.errors import InputError


@pytest.fixture(scope="module")
def task():
    world = twin_world(n_sites=24, rng=2)
    task = Task(world.observations, world.forcing, world.covariates)
    return task.knowing(proda.assimilate(task, n_members=20, n_iter=2, n_rounds=2))


def test_everything_learnt_comes_back_the_same(task, tmp_path):
    few = partial(proda.perceptron, hidden=(4,), max_iter=5)
    made = {
        "network": proda.train(task, regressor=few, n_networks=2),
        "hybrid": hybrid.fit(task, n_networks=2, network=(4,), epochs=2),
        "batch": one_batch(task, n_starts=1, max_iter=3),
        "sites": task.known,
        "forest": RIVALS["forest"].learn(task, np.random.default_rng(0)),
        "report": evaluate(task, random_folds(24, 2), ["default", Proda("ridge", proda.ridge, 2)], n_draws=20),
    }
    save(made, tmp_path / "learnt.pkl")
    back = load(tmp_path / "learnt.pkl")
    for name in ("network", "hybrid"):
        old, new = (x[name].sample(task.covariates, 3, rng=1) for x in (made, back))
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(made["batch"].parameters, back["batch"].parameters)
    np.testing.assert_array_equal(made["sites"].information, back["sites"].information)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(*(x["forest"].predict(task, rng).mean for x in (made, back)))
    pd.testing.assert_frame_equal(made["report"].table, back["report"].table)
    xr.testing.assert_identical(made["report"].predictions, back["report"].predictions)
    assert not list(tmp_path.glob("*.part"))


def test_a_file_that_is_not_what_it_was_is_refused(tmp_path):
    path = tmp_path / "net.pkl"
    save([1.0, 2.0], path)
    whole = path.read_bytes()
    for content, words in ((whole[:-1], "was damaged"), (b"other", "not written by"), (b"\xff\n", "not written by")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words):
            load(path)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.pkl")
    path.write_bytes(whole.replace(whole.split(b" ")[2], b"0.1", 1))
    with pytest.warns(UserWarning, match=r"scikit-learn 0\.1.*train again"):
        assert load(path) == [1.0, 2.0]
    with pytest.raises(InputError, match="defined in a file"):
        save(FromFunction(lambda w, x: (x, lambda d: w), np.ones(1)), tmp_path / "own.pkl")
    with pytest.raises(InputError, match="cannot be written"):
        save(1, tmp_path / "no" / "folder.pkl")
