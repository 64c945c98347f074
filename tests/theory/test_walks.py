"""Single grams: their means are those of the matrix."""

from __future__ import annotations

import numpy as np
import pytest
from strategies import random_model

from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError
from landcarbon.models.emanuel import emanuel5
from landcarbon.models.pools import three_pool
from landcarbon.theory.ages import system_age, transit_time
from landcarbon.theory.walks import walk

MODELS = [three_pool(), emanuel5(), random_model(4, 6)]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.pools[0])
def test_the_mean_stay_is_the_inverse_times_b(model: MatrixModel) -> None:
    stay = walk(model, 20_000, xi=0.7, rng=3).stay()
    true = model.steady_state(1.0, 0.7)
    assert (np.abs(stay.mean(axis=0) - true) < 5 * stay.std(axis=0) / np.sqrt(20_000) + 1e-12).all()


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.pools[0])
def test_transit_time_and_age_come_from_the_same_grams(model: MatrixModel) -> None:
    T = walk(model, 50_000, rng=1).transit_time
    assert T.mean() == pytest.approx(float(transit_time(model, 1.0).mean), rel=0.05)
    assert (T**2).mean() / (2 * T.mean()) == pytest.approx(float(system_age(model, 1.0).mean), rel=0.1)


def test_where_a_gram_is_and_what_it_has_spent_agree() -> None:
    model = three_pool()
    grams = walk(model, 400, rng=2)
    assert (grams.where(0.0) == 0).all() and (grams.where(1e6) == -1).all()
    for t in (0.5, 3.0, 40.0):
        inside = grams.where(t) >= 0
        spent = grams.stay(t).sum(axis=1)
        np.testing.assert_allclose(spent, np.minimum(t, grams.transit_time))
        assert (spent[inside] == pytest.approx(t)) and (spent[~inside] <= t).all()
    share = (grams.where(5.0) == 0).mean()
    assert share == pytest.approx(np.exp(-5 * model.K[0]), abs=0.1)


def test_refusals() -> None:
    shut = MatrixModel(("a", "b"), A=[[1, 0], [-1, 1]], K=[1.0, 0.0], B=[1, 0])
    with pytest.raises(InputError, match="b can never leave"):
        walk(shut)
    with pytest.raises(InputError, match="one model"):
        walk(three_pool(), xi=np.ones((2, 3)))
    with pytest.raises(InputError, match="n_grams"):
        walk(three_pool(), 0)
