"""End to end through the matrix solve: exact gradients, honest recovery, sentences for bad input."""

import numpy as np
import pandas as pd
import pytest

from landcarbon.assimilation import (
    GaussianLikelihood,
    Posterior,
    Prior,
    ProfileObservations,
    identify,
)
from landcarbon.learning import EndToEnd, Stream, Task, evaluate, hybrid, proda
from landcarbon.learning.folds import blocked_folds
from landcarbon.learning.mlp import MLP
from landcarbon.matrix.errors import InputError
from landcarbon.models import Parameter, ParameterTable, clm5

PRIOR = Prior(clm5.PARAMETERS)
NODES, BOTTOM = np.asarray(clm5.LAYERS.node), clm5.LAYERS.bottom[-1]


def world(n, follow, error=0.1, noise=0.0, seed=0):
    """Sites whose parameters `follow` ({name: slopes on three covariates}); the rest at default."""
    rng = np.random.default_rng(seed)
    c = rng.uniform(-1.5, 1.5, (n, 3))
    z = np.tile(PRIOR.to_real(clm5.PRODA_START), (n, 1))
    for name, slopes in follow.items():
        z[:, PRIOR.names.index(name)] += c @ slopes + noise * rng.standard_normal(n)
    season = 10 * np.sin(2 * np.pi * np.arange(12) / 12)
    forcing = clm5.Forcing(
        soil_temperature=np.broadcast_to((rng.normal(283, 4, (n, 1)) + season)[:, None, :], (n, 20, 12)),
        water_scalar=np.broadcast_to(rng.uniform(0.3, 0.9, (n, 1, 1)), (n, 20, 12)),
        litter_input=rng.uniform(0.5, 1.5, (n, 1)) * np.array([40.0, 120.0, 180.0, 60.0]),
    )
    depth = np.broadcast_to([0.05, 0.15, 0.3, 0.6, 1.0], (n, 5))
    exact = ProfileObservations(depth, np.ones((n, 5)), error, NODES, bottom=BOTTOM)
    carbon = clm5.soil_carbon(clm5.steady_state(PRIOR.from_real(z), forcing))
    values = exact.predict_values(carbon) * np.exp(error * rng.standard_normal((n, 5)))
    return pd.DataFrame(c, columns=["a", "b", "c"]), exact.with_values(values), forcing, z, rng


SLOPES = {"efolding": (0.8, 0.0, 0.0), "w_scaling": (0.0, 0.7, 0.0), "beta": (0.0, 0.0, 0.9)}


@pytest.mark.parametrize("two_streams", [False, True])
def test_gradient_of_all_weights_is_the_finite_difference(two_streams):
    """To 1e-6 of the largest entry, through network, bounds, column and profile, both streams."""
    covariates, obs, forcing, _, rng = world(7, SLOPES)
    flux = GaussianLikelihood(rng.uniform(100, 300, (7, 1)), sd=15.0)
    data = [obs, hybrid.soil_respiration_stream(flux)] if two_streams else obs
    end = hybrid.Cost(Task(data, forcing), hybrid.Outputs.of(PRIOR))
    net = MLP.start((3, 6, 21), 1, last=1.0)
    x, rows = covariates.to_numpy(), np.array([5, 0, 3, 6])
    _, got = end.of_weights(net, x, rows)
    v = net.vector()
    for k in rng.choice(net.size, 40, replace=False):
        h = 1e-5 * np.eye(net.size)[k]
        up, down = (end.of_weights(net.with_vector(v + s * h), x, rows)[0] for s in (1, -1))
        assert abs((up - down) / 2e-5 - got[k]) <= 1e-6 * np.abs(got).max()
    assert np.abs(got).max() > 0.1


def test_parameters_that_are_not_free_never_move():
    covariates, obs, forcing, _, _ = world(40, SLOPES)
    free = ("beta", "efolding")
    net = hybrid.fit(Task(obs, forcing, covariates), free=free, n_networks=2, network=(8,), epochs=6, rng=1)
    z = net.parameters(covariates).reshape(-1, 21)
    fixed = [i for i, name in enumerate(PRIOR.names) if name not in free]
    np.testing.assert_array_equal(z[:, fixed], np.broadcast_to(PRIOR.to_real(clm5.PRODA_START)[fixed], (80, 19)))
    assert net.free == free
    assert (z.std(axis=0)[[i for i in range(21) if i not in fixed]] > 0.05).all()
    theta = net.predict(covariates)
    assert ((clm5.PARAMETERS.lower <= theta) & (theta <= clm5.PARAMETERS.upper)).all()


def test_same_seed_same_bits():
    covariates, obs, forcing, _, _ = world(30, SLOPES)
    task = Task(obs, forcing, covariates)
    runs = [hybrid.fit(task, n_networks=2, network=(6,), epochs=3, rng=s) for s in (1, 1, 2)]
    a, b, c = (np.concatenate([m.net.vector() for m in run.networks]) for run in runs)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(runs[0].sample(covariates, 5, 3), runs[1].sample(covariates, 5, 3))
    assert not np.array_equal(a, c)


def test_soil_respiration_is_what_the_column_respires():
    """The short formula against K, A and X of the solved column; and its derivative."""
    rng = np.random.default_rng(3)
    theta = PRIOR.from_unit(rng.uniform(0.1, 0.9, (6, 21)))
    forcing = world(6, SLOPES)[2]
    model, b = clm5.column(theta, forcing)
    X = model.steady_state(b)
    leaves = model.K * X
    respired = leaves[:, 4:] * (model.A[:, :, 4:].sum(axis=1)[..., None])
    want = (respired.sum(axis=1) * clm5.LAYERS.thickness).sum(axis=-1)
    stream = hybrid.soil_respiration_stream(GaussianLikelihood(np.full((6, 1), 200.0), sd=10.0))
    values, pull = stream.run(theta, forcing)
    np.testing.assert_allclose(values[:, 0], want, rtol=1e-8)
    d = pull(np.ones((6, 1)))
    for k in range(21):
        h = 1e-6 * theta[:, k : k + 1] * np.eye(21)[k]
        slope = (stream.run(theta + h, forcing)[0] - stream.run(theta - h, forcing)[0])[:, 0] / (2 * h[:, k])
        np.testing.assert_allclose(d[:, k], slope, rtol=1e-6, atol=1e-6)


def test_recovers_what_the_data_can_see_and_flags_the_rest():
    """Three parameters that vary are seen; tau_s3 and fs1s3 show as one product, not as two."""
    free = ("efolding", "w_scaling", "beta", "tau_s3", "fs1s3")
    follow = SLOPES | {"tau_s3": (0.5, 0.5, 0.0), "fs1s3": (-0.5, 0.0, 0.5)}
    covariates, obs, forcing, z, _ = world(200, follow, error=0.03)
    task = Task(obs, forcing, covariates)
    net = hybrid.fit(task, free=free, n_networks=2, network=(16,), epochs=50, batch=50, rng=1)
    seen = hybrid.directions(task, PRIOR.from_real(z), free=free)
    table = hybrid.recovery(seen, z, net.parameters(covariates).mean(axis=0))
    assert table["identified"].sum() >= 3
    assert (table.loc[table["identified"], "r"] >= 0.8).all()
    assert not table["identified"].iloc[-1]
    a, b = seen.vectors[[free.index("tau_s3"), free.index("fs1s3")], -1]
    assert a * b < 0, "what nobody sees is their ratio"
    assert a**2 + b**2 > 0.85


def test_directions_of_a_linear_model_are_known():
    """Values = two sums of three parameters: two directions are seen, the third is not."""
    table = ParameterTable([Parameter(n, "1", 0.0, 1.0, 0.5) for n in "pqr"])
    H = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])

    def run(theta, forcing):
        return theta @ H.T, lambda d: d @ H

    stream = Stream(GaussianLikelihood(np.full((4, 2), 0.5), sd=0.1), run)
    seen = hybrid.directions(Task(stream, np.zeros(4), prior=Prior(table)), table.default)
    unit = 1 / np.sqrt(12) / 0.1  # width of a uniform prior over the error
    lam = np.array([4 * unit**2, 2 * unit**2, 0.0])
    np.testing.assert_allclose(seen.information, lam / (1 + lam), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.abs(seen.vectors[:, 0]), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(np.abs(seen.vectors[:, 2]), [0.5**0.5, 0.5**0.5, 0], atol=1e-12)
    assert seen.identified.tolist() == [True, True, False]
    assert np.isclose(seen.degrees_of_freedom, (lam / (1 + lam)).sum())


def test_wood_turnover_is_never_seen():
    _, obs, forcing, z, _ = world(5, SLOPES)
    seen = hybrid.directions(Task(obs, forcing), PRIOR.from_real(z))
    wood = np.abs(seen.vectors[PRIOR.names.index("tau_cwd")]) * seen.information
    assert wood.max() < 1e-9


def test_held_out_intervals_and_proda_maps():
    """Parameters with a part that no covariate tells: the intervals must make up for it."""
    n = 200
    covariates, obs, forcing, _, rng = world(n, SLOPES, error=0.2, noise=0.5, seed=4)
    lat, lon = rng.uniform(30, 48, n), rng.uniform(-120, -75, n)
    folds = blocked_folds(lat, lon, 2.0, 2, rng=0)
    task = Task(obs, forcing, covariates)
    quick = {"free": tuple(SLOPES), "n_networks": 2, "network": (8,), "epochs": 25, "batch": 50}
    many, few = (evaluate(task, folds, EndToEnd(loss=None, options=quick), n_draws=d, rng=1) for d in (50, 19))
    assert 0.85 < many.table.loc["hybrid", "coverage"] < 0.95
    assert 0.85 < few.table.loc["hybrid", "coverage"] < 0.95, "few draws must not make intervals narrow"
    assert many.table.loc["hybrid", "r2"] > 1 - 0.75**2
    assert many.z["hybrid"].shape == (n, 21)
    assert len(many.networks["hybrid"]) == 2
    net = hybrid.fit(task, rng=1, **quick)
    assert 0.2 < net.spread[PRIOR.names.index("beta")] < 1.0
    assert net.spread[PRIOR.names.index("tau_s2")] == 0
    maps = proda.predict(net, task[:9], n_draws=20)
    assert (maps.stock_lower < maps.stock).all()
    assert (maps.stock < maps.stock_upper).all()


def linear_world(sd=0.1):
    """Twelve sites whose data are the default prediction exactly: values = two sums of parameters."""
    table = ParameterTable([Parameter(n, "1", 0.0, 1.0, 0.5) for n in "pqr"])
    H = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])

    def run(theta, forcing):
        return theta @ H.T, lambda d: d @ H

    data = np.full((12, 2), 1.0)
    covariates = pd.DataFrame({"a": np.linspace(-1, 1, 12)})
    return covariates, hybrid.Stream(GaussianLikelihood(data, sd=sd), run), Prior(table)


def test_recovery_is_the_correlation_along_each_direction():
    _, stream, prior = linear_world()
    seen = hybrid.directions(Task(stream, np.zeros(12), prior=prior), prior.table.default)
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(12, 3))
    estimate = truth + 0.5 * rng.normal(size=(12, 3))
    table = hybrid.recovery(seen, truth, estimate)
    for k in range(3):
        # A uniform number from 0 to 1 has the standard deviation 1/√12, and z is its logit.
        a, b = (np.sqrt(12) / (1 + np.exp(-z)) @ seen.vectors[:, k] for z in (truth, estimate))
        np.testing.assert_allclose(seen.along(truth)[:, k], a, rtol=1e-9)
        assert table["r"].iloc[k] == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert table["made of"].tolist() == ["+1.00 r", "+0.71 p +0.71 q", table["made of"].iloc[2]]
    assert {"+0.71", "-0.71"} <= set(table["made of"].iloc[2].split())
    assert table.index.tolist() == [1, 2, 3]


def test_groups_are_never_split_between_training_and_stopping():
    covariates, stream, prior = linear_world()
    block = np.repeat(np.arange(4), 3)
    task = Task(stream, np.zeros(12), covariates, prior, groups=block)
    net = hybrid.fit(task, n_networks=2, network=(4,), epochs=1, rng=1)
    assert all(len(set(net.share[block == b])) == 1 for b in range(4))
    assert set(net.share) == {0, 1}


def test_each_network_is_stopped_by_its_own_share_only():
    covariates, stream, prior = linear_world()
    task = Task(stream, np.zeros(12), covariates, prior)
    net = hybrid.fit(task, n_networks=3, network=(4,), epochs=4, rng=1)
    whole = hybrid.Cost(task, net.outputs)
    assert np.bincount(net.share).tolist() == [4, 4, 4]
    x = net.scaling(covariates)
    for k, member in enumerate(net.networks):
        rows = np.flatnonzero(net.share == k)
        cost = whole(member.net(x[rows]), rows)[0]
        assert cost == pytest.approx(member.history[member.best, 1], rel=1e-12)
        rest = np.flatnonzero(net.share != k)
        assert cost != pytest.approx(whole(member.net(x[rest]), rest)[0], rel=1e-6)


def test_scatter_makes_up_for_what_residuals_exceed_their_errors():
    covariates, stream, prior = linear_world(sd=0.1)
    data = 1.0 + 0.5 * np.sin(np.arange(24.0)).reshape(12, 2)
    stream = hybrid.Stream(GaussianLikelihood(data, sd=0.1), stream.run, weight=2.0)
    task = Task(stream, np.zeros(12), covariates, prior)
    net = hybrid.fit(task, free=["p", "q"], n_networks=2, network=(4,), epochs=1, rng=1)
    x = net.scaling(covariates)
    y = np.array([net.networks[k].net(x[[i]])[0] for i, k in enumerate(net.share)])
    width = np.pi / np.sqrt(3)  # prior sd of the logit of a uniform number
    theta = np.column_stack([1 / (1 + np.exp(-width * y)), np.full(12, 0.5)])
    p, q, r = theta.T
    miss = (data - np.column_stack([p + q, 2 * r])) / 0.1
    slopes = np.column_stack([p * (1 - p), q * (1 - q)]) * width / 0.1  # of p + q; the other sees r alone
    expected = width * np.sqrt(2 * (miss**2 - 1).sum() / (2 * (slopes**2).sum()))
    np.testing.assert_allclose(net.spread, [expected, expected, 0], rtol=1e-9)
    # Draws: each member as often as the others, and the scatter about it.
    draws = net.sample(covariates, 4000, rng=2)
    assert draws.shape == (12, 4000, 3)
    each = net.parameters(covariates)
    sd = np.sqrt(net.spread**2 + each.var(axis=0))
    np.testing.assert_allclose(draws.mean(axis=1), each.mean(axis=0), atol=5 * expected / np.sqrt(4000))
    np.testing.assert_allclose(draws.std(axis=1), sd, rtol=0.06)


def test_data_closer_than_their_errors_leave_no_scatter():
    covariates, stream, prior = linear_world(sd=5.0)
    task = Task(stream, np.zeros(12), covariates, prior)
    net = hybrid.fit(task, n_networks=2, network=(4,), epochs=2, rng=1)
    np.testing.assert_array_equal(net.spread, np.zeros(3))


def small():
    covariates, obs, forcing, _, _ = world(8, SLOPES)
    return covariates, obs, forcing


def fit(c, o, f, *, prior=None, groups=None, **options):
    return hybrid.fit(Task(o, f, c, prior, groups=groups), **options)


CASES = {
    "covariates missing": (
        lambda c, o, f: fit(c.where(c.index.to_series() != 3), o, f), "missing at 1 site.*'a' at site 3"),
    "covariates of other sites": (lambda c, o, f: fit(c.iloc[:5], o, f), "5 rows for 8 sites"),
    "covariates in words": (lambda c, o, f: fit(c.assign(biome="steppe"), o, f), "'biome' is not a number"),
    "an array": (lambda c, o, f: fit(c.to_numpy(), o, f), "pandas DataFrame"),
    "forcing of other sites": (lambda c, o, f: fit(c, o, f[:6]), r"have 8 sites.*\(6,\)"),
    "fewer sites than shares": (lambda c, o, f: fit(c, o, f, n_networks=5), "there are 8 sites. Take fewer"),
    "fewer blocks than shares": (
        lambda c, o, f: fit(c, o, f, n_networks=3, groups=[0, 0, 0, 0, 1, 1, 1, 1]), "fewer folds|cannot fill"),
    "a block for some sites": (lambda c, o, f: fit(c, o, f, groups=[0, 1]), "one label a site"),
    "an unknown parameter": (lambda c, o, f: fit(c, o, f, free=["tau_s9"]), "'tau_s9'.*no parameter"),
    "nothing free": (lambda c, o, f: fit(c, o, f, free=[]), "at least one parameter"),
    "no data": (lambda c, o, f: fit(c, [], f), "no observations"),
    "data without sites": (
        lambda c, o, f: fit(c, GaussianLikelihood([1.0, 2.0], 0.1), f), "one axis of sites"),
    "streams of other sites": (
        lambda c, o, f: fit(
            c, [o, hybrid.soil_respiration_stream(GaussianLikelihood(np.ones((5, 1)), 1.0))], f),
        "8, 5 sites"),
    "start on a bound": (lambda c, o, f: fit(c, o, f, start=clm5.PARAMETERS.lower), "strictly between"),
    "no epoch": (lambda c, o, f: fit(c, o, f, n_networks=2, epochs=0), "epochs .*at least 1"),
    "folds over other sites": (
        lambda c, o, f: evaluate(
            Task(o, f, c), blocked_folds([1.0, 5, 9, 13], [1.0, 5, 9, 13], n_folds=2), "hybrid"),
        "over 4 sites.*have 8"),
    "another covariate at prediction": (
        lambda c, o, f: fit(c, o, f, n_networks=2, epochs=1).predict(c[["a", "b"]]), "trained with 'c'"),
    "truth of other sites": (
        lambda c, o, f: hybrid.recovery(
            hybrid.directions(Task(o, f), clm5.PRODA_START), np.zeros((8, 21)), np.zeros((7, 21))),
        "alike"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_a_sentence(name):
    call, words = CASES[name]
    with pytest.raises(InputError, match=words):
        call(*small())


@pytest.mark.parametrize("correlation_length", [None, 0.3])
def test_directions_know_what_identify_knows(correlation_length):
    """The same degrees of freedom and the same first direction, errors correlated or not."""
    _, obs, forcing, z, _ = world(6, SLOPES)
    data = ProfileObservations(
        obs.depth, obs.value, 0.3, NODES, bottom=BOTTOM, correlation_length=correlation_length
    )
    theta = PRIOR.from_real(z)
    posterior = Posterior(
        PRIOR, observations=data, model_vjp=lambda theta: clm5.observed(theta, forcing.expand())
    )
    report = identify(posterior, at=theta[:, None])
    seen = hybrid.directions(Task(data, forcing), theta)
    assert seen.degrees_of_freedom == pytest.approx(report.dfs.mean(), rel=1e-10)
    np.testing.assert_allclose(seen.vectors[:, 0], report.directions(1)[1][0], atol=1e-8)
    free = hybrid.directions(Task(obs, forcing), theta, free=("beta", "q10"))
    assert free.vectors.shape == (2, 2) and free.degrees_of_freedom < seen.degrees_of_freedom + 2


def test_scatter_counts_correlated_errors_once():
    """What whitened residuals exceed their number, over the square of their slopes by differences."""
    n = 50
    covariates, obs, forcing, _, _ = world(n, SLOPES, seed=8)
    data = ProfileObservations(obs.depth, obs.value, 0.2, NODES, bottom=BOTTOM, correlation_length=0.5)
    outputs = hybrid.Outputs.of(PRIOR, ("beta",))

    def residual(y):
        theta = PRIOR.from_real(outputs.coordinates(np.full((n, 1), y)))
        return data.whiten(data.data - data.predict(clm5.observed_values(theta, forcing)))

    slope = (residual(1e-5) - residual(-1e-5)) / 2e-5
    want = np.sqrt(((residual(0.0) ** 2).sum() - data.mask.sum()) / (slope**2).sum())
    scatter = hybrid._spread(hybrid.Cost(Task(data, forcing, covariates), outputs), np.zeros((n, 1)))
    assert want > 0.1
    assert scatter[PRIOR.names.index("beta")] == pytest.approx(want * outputs.scale[0], rel=1e-6)
