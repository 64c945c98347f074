"""The 70 pools of CLM4.5: its layers, its blocks, its balance, forward in time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcarbon.matrix import InputError
from landcarbon.matrix.blocks import block_table, blocks
from landcarbon.matrix.layers import transport_matrix
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import periodic
from landcarbon.models import clm5, clm45

P = clm45.PARAMETERS
DZ = clm45.LAYERS.thickness
SEASON = np.sin(2 * np.pi * (np.arange(12) - 3) / 12)


def site(**changes):
    warmth = 283 + 12 * np.exp(-clm45.LAYERS.node / 2)[:, None] * SEASON
    parts = {
        "soil_temperature": warmth,
        "water_scalar": np.full((10, 12), 0.6),
        "litter_input": [40.0, 120.0, 180.0, 60.0],
        "nitrogen_scalar": np.full((10, 12), 0.9),
    }
    return clm45.Forcing(**{**parts, **changes})


def test_the_ten_layers():
    # To the four decimals of the technical note.
    node = [0.0071, 0.0279, 0.0623, 0.1189, 0.2122, 0.3661, 0.6198, 1.0380, 1.7276, 2.8646]
    thick = [0.0175, 0.0276, 0.0455, 0.0750, 0.1236, 0.2038, 0.3360, 0.5539, 0.9133, 1.5058]
    np.testing.assert_allclose(clm45.LAYERS.node, node, atol=5.1e-5)
    np.testing.assert_allclose(DZ, thick, atol=5.1e-5)
    np.testing.assert_allclose(clm45.LAYERS.bottom[-1], 3.8019, atol=5.1e-5)


def test_the_blocks_of_the_equation():
    model, _ = clm45.column(P.default, site())
    table = block_table(model)
    filled = {(i + 1, j + 1) for i in range(7) for j in range(7) if table.iloc[i, j] != "0"}
    assert filled == {
        *((i, i) for i in range(1, 8)),
        (3, 1), (4, 1), (5, 2), (5, 3), (5, 6), (5, 7), (6, 4), (6, 5), (7, 5), (7, 6),
    }  # fmt: skip
    assert table.loc["litter2", "cwd"] == "diag(−0.76)"
    assert table.loc["litter3", "cwd"] == "diag(−0.24)"
    V = block_table(model, "V")
    assert (np.diagonal(V) == ["0", *["tridiagonal"] * 6]).all()
    assert (V.values[~np.eye(7, dtype=bool)] == "0").all()
    data = blocks(model).V
    assert not data.sel(pool="cwd", source="cwd").values.any()
    one = data.sel(pool="litter1", source="litter1").values
    for pool in clm45.POOLS[2:]:
        np.testing.assert_array_equal(data.sel(pool=pool, source=pool), one)
    np.testing.assert_allclose(DZ @ one, 0, atol=1e-16)


def test_diffusion_between_two_layers_by_hand():
    # Between layers 1 and 2: D over the distance of the nodes, over the thickness of the layer left.
    model, _ = clm45.column(P.array(diffus=2e-4), site())
    one = transport_matrix(model.down, model.up, model.layers)
    node = clm45.LAYERS.node
    g = 2e-4 / (node[1] - node[0])
    np.testing.assert_allclose(one[0, 0], g / DZ[0])
    np.testing.assert_allclose(one[0, 1], -g / DZ[0])
    np.testing.assert_allclose(one[1, 0], -g / DZ[1])


def test_defaults_of_the_code():
    np.testing.assert_allclose(1 / P["tau_s3"].default, 0.0045)
    np.testing.assert_allclose(1 / P["tau_l1"].default, 18.5)
    assert P["q10"].default == 1.5
    assert P.names == clm5.PARAMETERS.names
    np.testing.assert_allclose(clm45.NORMALIZATION, 0.8206, atol=5e-5)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_what_comes_in_is_respired(seed):
    rng = np.random.default_rng(seed)
    theta = P.lower + rng.uniform(0, 1, 21) * (P.upper - P.lower)
    forcing = site(
        active_layer_depth=rng.choice([0.5, 50.0]), bedrock_layer=int(rng.integers(2, 11))
    )
    model, b = clm45.column(theta, forcing)
    X = clm45.steady_state(theta, forcing)
    assert np.all(X >= 0)
    respired = (model.A.sum(axis=-2)[:, None] * model.K * X * DZ).sum()
    np.testing.assert_allclose(respired, 400.0, rtol=1e-10)
    np.testing.assert_allclose((b * DZ).sum(), 400.0, rtol=1e-12)


def test_70_pools_forward_through_the_months():
    model, I, xi = clm45.monthly_model(P.default, site())  # noqa: E741
    assert model.n == 70
    assert xi.shape == (12, 70)
    year = Cycle.from_model(model, I, xi)
    state = periodic(year).X
    run = simulate(model, np.arange(25) / 12, state, I, np.concatenate([xi, xi]))
    np.testing.assert_allclose(run.X[-1], state, rtol=1e-9)
    balance = 2 * I - (run.respiration.sum("pool") * run.dt).sum()
    np.testing.assert_allclose(balance, 0, atol=1e-8 * I)
    # The year's mean of a column that follows the seasons is near the steady state of the mean year.
    mean = run.X_mean.mean("step").values.reshape(7, 10) / DZ
    steady = clm45.steady_state(P.default, site())
    np.testing.assert_allclose(mean[clm45.SOIL], steady[clm45.SOIL], rtol=0.06)
    np.testing.assert_allclose(mean[6], steady[6], rtol=0.01)


def test_monthly_scalars_average_to_the_column():
    for module, f in ((clm45, site()), (clm5, None)):
        if f is None:
            L = len(clm5.LAYERS)
            T = np.broadcast_to(280 + 9 * SEASON, (L, 12))
            f = clm5.Forcing(T, np.full((L, 12), 0.5), [1, 2, 3, 4], nitrogen_scalar=0.8)
        model, _, xi = module.monthly_model(module.PARAMETERS.default, f)
        K = module.column(module.PARAMETERS.default, f)[0].K
        np.testing.assert_allclose((model.K * xi.mean(axis=0)).reshape(K.shape), K, rtol=1e-12)


def test_140_pools_run_too():
    T = np.broadcast_to(280 + 9 * SEASON, (20, 12))
    f = clm5.Forcing(T, np.full((20, 12), 0.5), [40.0, 120.0, 180.0, 60.0])
    model, I, xi = clm5.monthly_model(clm5.PRODA_START, f)  # noqa: E741
    year = Cycle.from_model(model, I, xi)
    state = periodic(year).X
    assert model.n == 140
    np.testing.assert_allclose(year(state), state, rtol=1e-9)
    assert state.min() > 0


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: site(water_scalar=np.full((20, 12), 0.6)), r"axes of length \(10, 12\)"),
        (lambda: site(bedrock_layer=11), "bedrock_layer must be at most 10"),
        (lambda: clm45.steady_state(P.default[:20], site()), r"axes of length \(21\)"),
        (lambda: clm45.steady_state(P.array(fl1s1=1.2), site()), "sends out 1.2 .*'litter1'"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
