"""A ton of carbon on land: decay curves, ton-years, their limits, columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_model

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers, exchange_rates
from landcarbon.matrix.simulate import simulate
from landcarbon.models.pools import one_pool
from landcarbon.models.teco import POOLS, teco8
from landcarbon.theory.ages import transit_time
from landcarbon.theory.durability import remaining, ton_years
from landcarbon.theory.storage import residence_time

systems = given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 7))
few = settings(max_examples=20, deadline=None)


def test_one_pool_decays_and_integrates_in_closed_form():
    t = np.array([[0.0, 20.0], [100.0, 1000.0]])
    np.testing.assert_allclose(remaining(one_pool(0.02), t)[..., 0], np.exp(-0.02 * t), rtol=1e-13)
    np.testing.assert_allclose(ton_years(one_pool(0.02), t)[..., 0], (1 - np.exp(-0.02 * t)) / 0.02, rtol=1e-13)


@systems
@few
def test_a_ton_is_what_a_forward_run_without_input_keeps(seed, n):
    m = random_model(seed, n)
    t = np.array([0.0, 3.0, 20.0, 100.0])
    runs = simulate(m, t, np.eye(n), 0.0, dims=("put into",))
    np.testing.assert_allclose(remaining(m, t), runs.X.sum("pool").values, rtol=1e-9, atol=1e-14)
    spent = (runs.X_mean.sum("pool") * runs.dt).cumsum("step").values
    np.testing.assert_allclose(ton_years(m, t[1:]), spent, rtol=1e-9)


@systems
@few
def test_in_the_long_run_ton_years_are_the_mean_time_to_leave(seed, n):
    m = random_model(seed, n)
    long = ton_years(m, 1e9)
    for j in range(n):
        one = np.eye(n)[j]
        assert long[j] == pytest.approx(transit_time(m.outflow_matrix(), one).mean, rel=1e-10)
    # No horizon counts more than itself, and the share of a permanent ton falls with the horizon.
    share = ton_years(m, [1.0, 10.0, 100.0]) / np.array([[1.0], [10.0], [100.0]])
    assert np.all(share <= 1) and np.all(np.diff(share, axis=0) <= 0)


def test_what_never_leaves_counts_every_year():
    vault = MatrixModel(("litter", "vault"), [[1, 0], [-0.4, 1]], K=[2.0, 0.0], B=[1, 0])
    np.testing.assert_allclose(remaining(vault, 1000.0), [0.4, 1.0], rtol=1e-12)
    np.testing.assert_allclose(ton_years(vault, 1000.0), [0.5 + 0.4 * 999.5, 1000.0], rtol=1e-12)


def test_pools_are_chosen_by_name_and_a_scalar_stretches_time():
    m = teco8()
    some = ton_years(m, pools=("wood", "passive soil"))
    np.testing.assert_array_equal(some, ton_years(m)[:, [1, 7]])
    np.testing.assert_allclose(ton_years(m, 50.0, xi=2.0), ton_years(m, 100.0) / 2, rtol=1e-12)


def test_columns_keep_their_layers():
    layers = SoilLayers([0.1, 0.3, 0.6])
    down, up = exchange_rates([1e-3, 1e-3], layers)
    column = LayeredModel(("litter", "soil"), layers, [[1, 0], [-0.4, 1]],
                          [[2, 1.5, 1], [0.1, 0.04, 0.01]], down, up)
    share = remaining(column, [0.0, 50.0])
    assert share.shape == (2, 2, 3)
    np.testing.assert_array_equal(share[0], 1.0)
    assert np.all(np.diff(share[1], axis=1) > 0)  # the deeper, the longer
    assert ton_years(column, 100.0, pools=["soil[3]"]).shape == (1,)


def test_residence_time_is_the_mean_transit_time_times_the_share_that_enters():
    # TECO's plants respire 46 % of photosynthesis; per unit of GPP carbon stays 4971 d, per unit of
    # carbon that enters a pool 9206 d: both are published for this matrix.
    m = teco8()
    per_input, per_carbon = residence_time(m).total, transit_time(m, 1.0).mean
    assert per_input * 365 == pytest.approx(4971, abs=0.5)
    assert per_carbon * 365 == pytest.approx(9206, abs=0.5)
    assert per_input == pytest.approx(per_carbon * m.B.sum(), rel=1e-12)
    entering = m.B / m.B.sum()
    assert ton_years(m, 1e9) @ entering == pytest.approx(per_carbon, rel=1e-10)
    assert list(POOLS[:3]) == [p for p, b in zip(POOLS, m.B) if b > 0]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: remaining(one_pool(), -1.0), "t must be at least 0"),
        (lambda: ton_years(one_pool(), -1.0), "horizon must be at least 0"),
        (lambda: ton_years(one_pool(), pools=["air"]), "no pool 'air'"),
        (lambda: remaining([[0.0]], 1.0), "All rates are 0"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
