"""Observations: interpolation, likelihoods against scipy, gradients, masks, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from landcarbon.assimilation import GaussianLikelihood, ProfileObservations, SeriesObservations
from landcarbon.matrix.errors import InputError

NODES = np.array([0.05, 0.15, 0.4, 0.9, 1.8])
RNG = np.random.default_rng(20)
DEPTH = np.array([[0.02, 0.1, 0.4, 2.2], [0.15, 0.3, 1.0, 0.0]])
MASK = np.array([[True, True, True, True], [True, True, True, False]])
VALUE = np.where(MASK, RNG.uniform(1e3, 4e4, DEPTH.shape), np.nan)
ERROR = {"log": 0.4, "absolute": 3e3}


def profiles(kind="log", index=...):
    error = ERROR[kind] * np.ones_like(DEPTH)
    return ProfileObservations(
        DEPTH[index], VALUE[index], error[index], NODES, bottom=2.5, kind=kind, mask=MASK[index]
    )


@pytest.fixture
def X():
    """Two sites, three members, five layers."""
    return np.random.default_rng(21).uniform(5e2, 5e4, (2, 3, 5))


def test_interpolation_is_log_linear_and_held_constant_outside(X):
    h = profiles().predict_values(X)
    x = X[0, 1]
    np.testing.assert_allclose(h[0, 1, 0], x[0])
    np.testing.assert_allclose(h[0, 1, 1], np.sqrt(x[0] * x[1]))
    np.testing.assert_allclose(h[0, 1, 2], x[2])
    np.testing.assert_allclose(h[0, 1, 3], x[4])
    np.testing.assert_allclose(h[1, 2, 1], X[1, 2, 1] ** 0.4 * X[1, 2, 2] ** 0.6)


@given(
    st.lists(st.floats(1.0, 1e5), min_size=5, max_size=5), st.floats(0.0, 2.5), st.floats(0.0, 2.5)
)
def test_interpolation_is_monotone_where_the_profile_is(values, d1, d2):
    x = np.sort(values)[::-1]
    obs = ProfileObservations([min(d1, d2), max(d1, d2)], [1.0, 1.0], 0.3, NODES, bottom=2.5)
    shallow, deep = obs.predict_values(x)
    assert shallow >= deep * (1 - 1e-12)
    assert x[-1] * (1 - 1e-12) <= deep
    assert shallow <= x[0] * (1 + 1e-12)


@pytest.mark.parametrize("kind", ["log", "absolute"])
def test_likelihood_is_the_normal_density(kind, X):
    obs = profiles(kind)
    h = obs.predict(X)
    data = np.log(VALUE) if kind == "log" else VALUE
    for s in range(2):
        for m in range(3):
            use = MASK[s]
            wanted = stats.norm(h[s, m, use], ERROR[kind]).logpdf(data[s, use]).sum()
            assert obs.log_likelihood(X)[s, m] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("kind", ["log", "absolute"])
def test_gradient_agrees_with_finite_differences(kind, X):
    obs = profiles(kind)
    numeric = np.empty_like(X)
    for layer in range(5):
        h = 1e-5 * X[..., layer]
        up, down = X.copy(), X.copy()
        up[..., layer] += h
        down[..., layer] -= h
        numeric[..., layer] = (obs.log_likelihood(up) - obs.log_likelihood(down)) / (2 * h)
    np.testing.assert_allclose(obs.gradient(X), numeric, rtol=1e-6, atol=1e-9)


def test_batched_equals_looped(X):
    whole = profiles()
    for s in range(2):
        one = profiles(index=s)
        assert one.sites == ()
        np.testing.assert_allclose(whole.log_likelihood(X)[s], one.log_likelihood(X[s]), rtol=1e-13)
        np.testing.assert_array_equal(whole[s].gradient(X[s]), one.gradient(X[s]))
        for m in range(3):
            np.testing.assert_allclose(one.predict(X[s])[m], one.predict(X[s, m]), rtol=1e-13)
    np.testing.assert_array_equal(whole[[1]].log_likelihood(X[[1]]), whole.log_likelihood(X)[[1]])


def test_layers_below_bedrock_are_not_read(X):
    obs = ProfileObservations(
        [[0.1, 0.7], [0.1, 2.0]], [[9e3, 2e3]] * 2, 0.3, NODES, bottom=[0.7, 2.0]
    )
    X[0, :, 3:] = 0.0
    assert np.isfinite(obs.log_likelihood(X)).all()
    np.testing.assert_array_equal(obs.gradient(X)[0, :, 3:], 0.0)
    np.testing.assert_allclose(obs.predict_values(X)[0, :, 1], X[0, :, 2])


def test_a_layer_without_carbon_is_impossible(X):
    X[0, 1, 0] = 0.0
    ll = profiles().log_likelihood(X)
    assert ll[0, 1] == -np.inf
    assert np.isfinite(np.delete(ll.ravel(), 1)).all()
    with pytest.raises(InputError, match=r"0 gC m-3 in layer 0 at index \(0, 1\)"):
        profiles().predict(X)


def test_one_layer_only():
    obs = ProfileObservations([0.1, 0.4], [5e3, 4e3], 0.2, [0.5], bottom=1.0)
    np.testing.assert_allclose(obs.predict_values([4.5e3]), [4.5e3, 4.5e3])


def test_simulated_profiles_have_the_stated_error(X):
    obs = profiles()
    many = np.repeat(X[:, :1], 20_000, axis=1)
    misfit = np.log(obs.simulate(many, rng=5)) - obs.predict(many)
    assert np.isnan(misfit[1, :, 3]).all()
    np.testing.assert_allclose(
        np.std(misfit[MASK[:, None] & np.ones((2, 20_000, 4), bool)]), 0.4, rtol=0.02
    )


def test_gaussian_vector_with_missing_values():
    flux = GaussianLikelihood(
        [[1.0, np.nan, 3.0]], [[0.5, np.nan, 2.0]], mask=[[True, False, True]]
    )
    model = np.array([[[1.5, 7.0, 2.0], [1.0, -7.0, 3.0]]])
    wanted = stats.norm([1.5, 2.0], [0.5, 2.0]).logpdf([1.0, 3.0]).sum()
    assert flux.log_likelihood(model)[0, 0] == pytest.approx(wanted)
    np.testing.assert_allclose(flux.gradient(model)[0, 0], [-2.0, 0.0, 0.25])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"depth": [0.1, 2.6]},
            "observation 1 lies at 2.6 m, below the bottom of the column at 2.5 m",
        ),
        ({"depth": [-0.1, 0.2]}, "depth must be at least 0.*positive downwards"),
        ({"error": 0.0}, "error must be above 0.*outweigh"),
        ({"error": [0.1, 0.2, 0.3]}, "does not broadcast"),
        ({"mask": [False, False]}, "all observations are masked out"),
        ({"mask": [1, 0]}, "mask must hold True or False"),
        ({"value": [1e3, np.nan]}, "NaN or infinite.*mask=np.isfinite"),
        ({"value": [1e3, -5.0]}, "carbon must be positive"),
        ({"value": ["deep", 1.0]}, "must hold numbers"),
        ({"value": 5.0}, "at least one observation"),
        ({"node_depth": NODES[::-1]}, "increase downwards"),
        ({"bottom": 0.01}, "at least one layer"),
        ({"bottom": [1.0, 2.0]}, "one depth for all or one a site"),
        ({"kind": "relative"}, "use 'log'"),
    ],
)
def test_bad_profiles(changes, message):
    good = {
        "depth": [0.1, 0.5],
        "value": [2e4, 8e3],
        "error": 0.3,
        "node_depth": NODES,
        "bottom": 2.5,
    }
    ProfileObservations(**good)
    with pytest.raises(InputError, match=message):
        ProfileObservations(**(good | changes))


def test_bad_model_values(X):
    with pytest.raises(InputError, match=r"\(2, ..., 5\) is expected: sites first, layer last"):
        profiles().predict(X[..., :4])
    X[1, 2, 0] = np.nan
    X[1, 2, 1] = np.nan
    with pytest.raises(InputError, match="NaN in layer 1"):
        profiles().log_likelihood(X)


TIMES = np.array([0.0, 0.3, 1.0, 2.5, 3.0])


@pytest.mark.parametrize("kind", ["point", "mean", "cumulative"])
def test_series_are_read_as_straight_lines(kind):
    end = np.array([[0.3, 0.9, 2.9], [2.5, 3.0, 1.0]])
    start = None if kind == "point" else np.array([[0.0, 0.7, 0.1], [1.0, 0.2, 0.95]])
    obs = SeriesObservations(np.ones((2, 3)), 0.1, TIMES, end, start, kind)
    series = np.random.default_rng(1).uniform(1, 3, (2, 4, 5))
    fine = np.linspace(0.0, 3.0, 300_001)
    for s in range(2):
        for m in range(4):
            line = np.interp(fine, TIMES, series[s, m])
            for k in range(3):
                if kind == "point":
                    wanted = np.interp(end[s, k], TIMES, series[s, m])
                else:
                    inside = (fine >= start[s, k] - 1e-9) & (fine <= end[s, k] + 1e-9)
                    wanted = np.trapezoid(line[inside], fine[inside])
                    wanted /= end[s, k] - start[s, k] if kind == "mean" else 1.0
                assert obs.predict(series)[s, m, k] == pytest.approx(wanted, rel=1e-6)
    np.testing.assert_allclose(obs[1].predict(series[1]), obs.predict(series)[1], rtol=1e-13)


def test_a_measurement_at_the_last_model_time_may_be_off_by_rounding():
    late = SeriesObservations([1.0], 0.1, t=[0.0, 0.3, 0.6], end=[3 * 0.2])
    assert 3 * 0.2 > 0.6
    assert late.predict([5.0, 6.0, 7.0]) == [7.0]


def test_series_gradient_agrees_with_finite_differences():
    obs = SeriesObservations(
        [1.0, np.nan, 2.0],
        0.4,
        TIMES,
        [0.9, np.nan, 2.9],
        kind="cumulative",
        mask=[True, False, True],
    )
    x = np.random.default_rng(2).uniform(1, 3, (3, 5))
    h = 1e-6
    for k, step in enumerate(h * np.eye(5)):
        slope = (obs.log_likelihood(x + step) - obs.log_likelihood(x - step)) / (2 * h)
        np.testing.assert_allclose(obs.gradient(x)[:, k], slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": [-0.5, 1.0]}, "start of observation 0 is -0.5, before the model starts"),
        (
            {"end": [2.0, 4.0]},
            "end of observation 1 is 4, after it ends; the model runs from 0 to 3",
        ),
        ({"start": [2.0, 1.0]}, "a window must end after it starts"),
        ({"start": None}, "needs the start of each window"),
        ({"kind": "sum"}, "use 'point', 'mean' or 'cumulative'"),
        ({"t": [0.0, 0.0]}, "that increase"),
        ({"error": 0.0}, "above 0"),
        ({"value": [1.0, np.nan]}, "NaN"),
        ({"end": [1.0, 2.0, 3.0]}, "end has shape .3,. and does not broadcast"),
        ({"end": ["2001-05-01", "2001-06-01"]}, "2001.33, after it ends; the model runs from 0 to 3"),
        ({"end": np.array(["2001-05-01", "2001-06-01"], "M8[D]")}, "2001.33, after it ends; the model"),
        ({"mask": [False, False]}, "all observations are masked out"),
    ],
)
def test_bad_series(changes, message):
    good = {
        "value": [1.0, 2.0],
        "error": 0.3,
        "t": TIMES,
        "start": [0.0, 1.0],
        "end": [2.0, 2.5],
    }
    SeriesObservations(**good, kind="mean")
    with pytest.raises(InputError, match=message):
        SeriesObservations(**(good | {"kind": "mean"} | changes))


@pytest.mark.parametrize("kind", ["log", "absolute"])
def test_pull_is_the_transposed_jacobian_of_the_prediction(kind):
    """Every row at once, by complex-free central differences; masked observations pull nothing."""
    rng = np.random.default_rng(3)
    nodes = np.array([0.1, 0.3, 0.6, 1.0])
    profile = ProfileObservations(
        [[0.2, 0.5, 0.05]], [[3.0, 2.0, 1.0]], 0.3, nodes, kind=kind, mask=[[True, True, False]]
    )
    series = SeriesObservations([[1.0, 2.0]], 0.1, [0.0, 1.0, 2.0, 4.0], [[1.5, 3.0]],
                                start=[[0.5, 0.0]], kind="mean")  # fmt: skip
    plain = GaussianLikelihood([[1.0, np.nan, 2.0, 3.0]], 1.0, mask=[[True, False, True, True]])
    for data in (profile, series, plain):
        X = rng.uniform(1.0, 3.0, (1, 4))
        m = data.data.shape[-1]
        rows = data.pull(np.repeat(X[:, None], m, axis=1), np.eye(m)[None])
        step = 1e-5 * np.eye(4)
        ends = data.predict(X[:, None] + step), data.predict(X[:, None] - step)
        expected = np.swapaxes(ends[0] - ends[1], -1, -2) / 2e-5
        np.testing.assert_allclose(rows[data.mask], expected[data.mask], rtol=1e-6, atol=1e-9)
        assert (rows[~data.mask] == 0).all()
