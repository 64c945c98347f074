"""The four calls of PRODA on a small seeded world whose parameters follow the environment."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from landcarbon import datasets
from landcarbon.assimilation import Prior, ProfileObservations
from landcarbon.learning import proda
from landcarbon.learning.validation import Folds, blocked_folds, random_folds
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5

PRIOR = Prior(clm5.PARAMETERS)
ERROR = 0.3
# How the logit of each of five parameters follows (temperature, clay, moisture).
TRUTH = {
    "efolding": (-0.3, 0.9, 0.0),
    "tau_s2": (0.0, 0.9, 0.6),
    "q10": (0.8, 0.0, 0.0),
    "w_scaling": (0.0, -0.8, 0.8),
    "beta": (0.5, 0.0, -0.8),
}


@dataclasses.dataclass(frozen=True)
class World:
    lat: np.ndarray
    lon: np.ndarray
    forcing: clm5.Forcing
    covariates: pd.DataFrame
    theta: np.ndarray
    observations: ProfileObservations


def make_world(n=240, seed=0):
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(28, 48, n), rng.uniform(-120, -75, n)
    warm = (38 - lat) / 6 + 0.5 * np.sin(lon / 7)
    clay = np.sin(lat / 3) + np.cos(lon / 5)
    moist = (lon + 97) / 13 + 0.5 * np.cos(lat / 4)
    season = np.sin(2 * np.pi * (np.arange(12) - 4) / 12)
    damped = np.exp(-clm5.LAYERS.node / 2.0)[:, None] * season
    T = 284.0 + 4.0 * warm[:, None, None] + 10.0 * damped
    W = np.broadcast_to(np.clip(0.5 + 0.15 * moist, 0.15, 1.0)[:, None, None], T.shape)
    npp = 450 * np.exp(0.15 * warm + 0.2 * moist)
    forcing = clm5.Forcing(T, W, npp[:, None] * [0.1, 0.3, 0.45, 0.15])
    z = np.tile(PRIOR.to_real(PRIOR.table.default), (n, 1)) + 0.2 * rng.normal(size=(n, 21))
    for name, effect in TRUTH.items():
        z[:, PRIOR.names.index(name)] += np.stack([warm, clay, moist], axis=1) @ effect
    theta = PRIOR.from_real(z)
    depth = np.tile([0.05, 0.15, 0.3, 0.5, 0.8, 1.2], (n, 1))
    mask = rng.random(depth.shape) < 0.85
    mask[:, 0] = True
    blank = ProfileObservations(depth, np.ones(depth.shape), ERROR, clm5.LAYERS.node, mask=mask)
    carbon = clm5.soil_carbon(clm5.steady_state(theta, forcing))
    value = blank.simulate(carbon, rng)
    covariates = pd.DataFrame(
        {"warm": warm, "clay": clay, "moist": moist, "noise": rng.normal(size=n)},
        index=[f"P{i:03d}" for i in range(n)],
    )
    observations = ProfileObservations(depth, value, ERROR, clm5.LAYERS.node, mask=mask)
    return World(lat, lon, forcing, covariates, theta, observations)


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def sites(world):
    return proda.assimilate(
        world.observations,
        world.forcing,
        members=60,
        n_iter=4,
        site=world.covariates.index,
        rng=1,
    )


@pytest.fixture(scope="module")
def report(world, sites):
    folds = blocked_folds(world.lat, world.lon, 2.0, 3)
    return proda.evaluate(
        world.observations,
        world.forcing,
        world.covariates,
        folds,
        sites,
        truth=world.theta,
        draws=60,
        members=4,
    )


def test_each_site_fits_its_own_profile(world, sites):
    mask = world.observations.mask
    error = (sites.prediction.mean(axis=1) - world.observations.data)[mask]
    assert np.sqrt((error**2).mean()) < 1.3 * ERROR
    assert sites.draws.shape == (240, 60, 21)


def test_information_is_where_it_can_be(sites):
    told = dict(zip(PRIOR.names, sites.information.mean(axis=0)))
    assert told["efolding"] > 0.3
    # Woody debris is not mixed: at steady state its turnover time has no influence at all.
    assert abs(told["tau_cwd"]) < 0.1
    assert 0.8 < sites.information.sum(axis=1).mean() < 4


def test_in_one_round_a_site_does_not_depend_on_its_neighbours(world):
    many, few = np.arange(12), np.arange(7)
    together, alone = (
        proda.assimilate(
            world.observations[part], world.forcing[part], members=60, n_iter=4, rounds=1, chunk=3, rng=1
        )
        for part in (many, few)
    )
    assert np.allclose(alone.draws, together.draws[few], atol=1e-8)


def test_the_second_round_starts_from_what_the_sites_have_in_common(world, sites):
    prior = sites.first.population()
    assert prior.names == PRIOR.names
    members = sites.first.draws.reshape(-1, 21)
    assert np.allclose(prior.centre, members.mean(axis=0), atol=1e-8)
    assert np.allclose(prior.width, members.std(axis=0), rtol=1e-8)
    assert np.allclose(sites.prior.centre, prior.centre)
    assert sites.rounds == 2 and sites.first.rounds == 1 and sites.first.first is None


def test_sites_are_labelled(sites):
    data = sites.to_dataset()
    assert (data["lower"] < data["median"]).all()
    assert (data["median"] < data["upper"]).all()
    inside = data["median"].sel(parameter="q10")
    assert 1.2 < float(inside.min()) < float(inside.max()) < 3.0
    assert data["site"].values[3] == "P003"
    assert data["units"].sel(parameter="tau_s2") == "yr"


def test_the_ladder(report):
    r2 = report.table["r2"]
    assert r2["default"] + 0.1 < r2["one_batch"] < r2["proda"] - 0.1
    assert r2["random_sampling"] < r2["proda"] - 0.1
    assert r2["proda"] < r2["own_profile"]
    assert r2["proda"] < r2["truth"]
    for rival in ("default", "random_sampling", "one_batch"):
        gap = report.gap("proda", rival)
        assert gap.lower > 0.05
        assert gap.value == pytest.approx(r2["proda"] - r2[rival])


def test_predictive_intervals_cover(report):
    for name in ("random_sampling", "ridge", "proda"):
        assert 0.84 < report.table.loc[name, "coverage"] < 0.99
    assert report.table["coverage"].isna()[["default", "one_batch", "forest"]].all()


def test_the_table_says_what_is_held_out(report):
    text = str(report)
    assert "240 profiles" in text
    assert "3 blocked folds" in text
    held = report.table["held_out"]
    assert held["proda"]
    assert not held["own_profile"]
    assert not held["truth"]


def test_predictions_are_labelled_and_leave_gaps_where_nothing_was_measured(report, world):
    p = report.predictions
    assert p["predicted"].dims == ("approach", "site", "obs")
    assert np.array_equal(np.isfinite(p["observed"]), world.observations.mask)
    assert np.array_equal(
        np.isfinite(p["predicted"].sel(approach="proda")), world.observations.mask
    )


def test_the_network_of_a_fold_has_not_seen_its_test_sites(world, sites):
    # Targets of the test sites are destroyed: what is predicted for them must not change.
    folds = random_folds(240, 2, rng=3)
    test = folds.fold == 0
    spoilt = dataclasses.replace(sites, draws=np.where(test[:, None, None], 50.0, sites.draws))
    args = (world.observations, world.forcing, world.covariates, folds)
    a, b = (
        proda.evaluate(*args, s, methods=["ridge", "random_sampling"], draws=25, members=3)
        for s in (sites, spoilt)
    )
    for name in ("ridge", "random_sampling"):
        old = a.predictions["predicted"].sel(approach=name).values[test]
        new = b.predictions["predicted"].sel(approach=name).values[test]
        assert np.array_equal(old, new, equal_nan=True)


def test_maps_carry_uncertainty_and_units(world, sites):
    known, new = np.arange(200), np.arange(200, 240)
    network = proda.train(world.covariates.iloc[known], sites.select(known), members=4, rng=2)
    maps = proda.predict(network, world.covariates.iloc[new], world.forcing[new], draws=100)
    assert maps["carbon"].dims == ("site", "layer")
    assert maps["carbon"].attrs["units"] == "gC m-3"
    assert maps["stock"].attrs["units"] == "kgC m-2"
    assert (maps["stock_lower"] < maps["stock"]).all()
    assert (maps["stock"] < maps["stock_upper"]).all()
    lower, upper = PRIOR.table.lower, PRIOR.table.upper
    assert ((lower < maps["parameters"]) & (maps["parameters"] < upper)).all()
    X = clm5.soil_carbon(clm5.steady_state(world.theta[new], world.forcing[new]))
    thickness = np.diff(np.minimum(np.append(0.0, clm5.LAYERS.bottom), 1.0))
    stock = X @ thickness / 1000
    assert np.corrcoef(np.log(stock), np.log(maps["stock"]))[0, 1] > 0.7
    inside = (maps["stock_lower"] < stock) & (stock < maps["stock_upper"])
    assert 0.8 < float(inside.mean()) <= 1.0


def test_bedrock_has_no_carbon_below_it(world, sites):
    network = proda.train(world.covariates, sites, kind="ridge", members=3)
    rock = np.where(np.arange(240) % 2, 8, 20)
    forcing = dataclasses.replace(world.forcing, bedrock_layer=rock)
    maps = proda.predict(network, world.covariates, forcing, draws=20)
    assert (maps["carbon"].values[rock == 8, 8:] == 0).all()
    assert (maps["carbon"].values[:, :8] > 0).all()


def test_a_grid_keeps_its_coordinates(world, sites):
    network = proda.train(world.covariates, sites, kind="ridge", members=3)
    grid = world.covariates.iloc[:6].set_axis(
        pd.MultiIndex.from_product([[30.0, 31.0], [-90.0, -89.0, -88.0]], names=["lat", "lon"])
    )
    maps = proda.predict(network, grid, world.forcing[:6], draws=20)
    square = maps["stock"].set_index(site=["lat", "lon"]).unstack("site")
    assert square.shape == (2, 3)


def test_one_batch_is_a_minimum_wherever_it_starts(world):
    few = np.arange(0, 240, 6)
    obs, forcing = world.observations[few], world.forcing[few]
    found = proda.one_batch(obs, forcing, tolerance=1e-9, max_iter=500)
    assert found.converged
    assert found.cost[1] < found.cost[0]
    again = proda.one_batch(obs, forcing, tolerance=1e-9, max_iter=500, rng=5)
    assert again.cost[1] == pytest.approx(found.cost[1], rel=0.01)

    def log_posterior(z):
        soil = clm5.soil_carbon(clm5.steady_state(PRIOR.from_real(z), forcing))
        return obs.log_likelihood(soil).sum() + PRIOR.log_density_real(z)

    best = log_posterior(found.z)
    assert best == pytest.approx(-found.cost[1])
    rng = np.random.default_rng(0)
    assert all(log_posterior(found.z + 0.1 * rng.normal(size=21)) < best for _ in range(20))


def test_the_gradient_of_one_batch_is_the_finite_difference(world):
    cost = proda._batch_cost(world.observations[:5], world.forcing[:5], PRIOR, clm5)
    z = PRIOR.to_real(PRIOR.table.default)
    value, slope = cost(z)
    for k in range(21):
        step = 1e-5 * np.eye(21)[k]
        numeric = (cost(z + step)[0] - cost(z - step)[0]) / 2e-5
        assert slope[k] == pytest.approx(numeric, rel=1e-5, abs=1e-6 * abs(value))


def test_the_seed_decides(world, sites):
    covariates = world.covariates
    a, b, c = (proda.train(covariates, sites, members=2, max_iter=20, rng=r) for r in (1, 1, 2))
    assert np.array_equal(a.parameters(covariates), b.parameters(covariates))
    assert not np.array_equal(a.parameters(covariates), c.parameters(covariates))


def test_the_network_finds_the_pattern_of_what_the_profile_tells(world, sites):
    known, new = np.arange(180), np.arange(180, 240)
    network = proda.train(world.covariates.iloc[known], sites.select(known), members=4)
    z = network.parameters(world.covariates.iloc[new]).mean(axis=0)
    truth = PRIOR.to_real(world.theta[new])
    k = PRIOR.names.index("efolding")
    assert np.corrcoef(z[:, k], truth[:, k])[0, 1] > 0.6


def bad(frame, **changes):
    return frame.assign(**changes)


def hole(frame):
    out = frame.copy()
    out.loc["P004", "clay"] = np.nan
    return out


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda w, s, f: proda.train(hole(w.covariates), s), "'clay' at site 'P004'"),
        (lambda w, s, f: proda.train(w.covariates[:9], s), "9 rows for 240 sites"),
        (lambda w, s, f: proda.train(w.covariates.to_numpy(), s), "pandas DataFrame"),
        (
            lambda w, s, f: proda.train(bad(w.covariates, biome="steppe"), s),
            "'biome' is not a number",
        ),
        (lambda w, s, f: proda.train(w.covariates, s, kind="forest"), "'network' or 'ridge'"),
        (
            lambda w, s, f: proda.train(w.covariates[:9], s.select(slice(9)), members=8),
            "fewer members",
        ),
        (
            lambda w, s, f: proda.evaluate(
                w.observations, w.forcing, w.covariates, f, s, methods="prodo"
            ),
            "no method 'prodo'",
        ),
        (
            lambda w, s, f: proda.evaluate(
                w.observations, w.forcing, w.covariates, random_folds(30, 3), s
            ),
            "folds are over 30 sites",
        ),
        (
            lambda w, s, f: proda.evaluate(w.observations, w.forcing, hole(w.covariates), f, s),
            "missing at 1 site",
        ),
        (
            lambda w, s, f: proda.evaluate(w.observations, w.forcing[:9], w.covariates, f, s),
            r"\(9,\)",
        ),
        (lambda w, s, f: proda.assimilate(w.observations, w.forcing, site=["a"]), "names 1 sites"),
        (
            lambda w, s, f: proda.predict(
                proda.train(w.covariates, s, kind="ridge"),
                w.covariates.drop(columns="clay"),
                w.forcing,
            ),
            "trained with 'clay'",
        ),
        (
            lambda w, s, f: proda.predict(
                proda.train(w.covariates, s, kind="ridge"), w.covariates, w.forcing[:3]
            ),
            "240 rows",
        ),
        (
            lambda w, s, f: proda.predict(
                proda.train(w.covariates, s, kind="ridge"), w.covariates, w.forcing, depth=-1
            ),
            "within the column",
        ),
        (lambda w, s, f: blocked_folds(w.lat[:3], w.lon[:3], n_folds=5), "cannot fill 5 folds"),
        (
            lambda w, s, f: proda.assimilate(
                w.observations, w.forcing, Prior(clm5.PARAMETERS.subset(["q10"]))
            ),
            "over 1 parameters",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, words, world, sites):
    folds: Folds = random_folds(240, 3)
    with pytest.raises(InputError, match=words) as err:
        call(world, sites, folds)
    assert str(err.value).endswith(".")


def test_a_gap_to_an_unknown_method_gets_a_sentence(report):
    with pytest.raises(InputError, match="was not evaluated"):
        report.gap("proda", "gold")


# --- runs on disk --------------------------------------------------------------------------------


class _Fragile:
    """CLM5 that breaks at sites with a given input, and can be killed after some calls."""

    PARAMETERS, LAYERS, SOIL = clm5.PARAMETERS, clm5.LAYERS, clm5.SOIL

    def __init__(self, bad=None, calls=None):
        self.bad, self.calls = bad, calls

    def steady_state(self, parameters, forcing):
        if self.calls is not None:
            self.calls -= 1
            if self.calls < 0:
                raise KeyboardInterrupt
        if self.bad is not None and np.any(forcing.litter_input[..., 0] == self.bad):
            raise InputError("this column is broken.")
        return clm5.steady_state(parameters, forcing)

    def soil_carbon(self, X):
        return clm5.soil_carbon(X)


def test_on_disk_equals_in_memory_and_goes_on_after_a_kill(tmp_path):
    world = datasets.twin_world(sites=12, rng=2)
    task = world.observations, world.forcing
    options = {"members": 20, "n_iter": 2, "chunk": 4, "rng": 3}
    memory = proda.assimilate(*task, **options)
    whole = proda.assimilate(*task, out=tmp_path / "whole", **options)
    np.testing.assert_array_equal(memory.draws, whole.draws)
    np.testing.assert_array_equal(memory.prediction, whole.prediction)
    # 3 runs a chunk, 3 chunks a round: killed in the middle of the first round, then of the second.
    for calls in (7, 8):
        with pytest.raises(KeyboardInterrupt):
            proda.assimilate(*task, out=tmp_path / "killed", model=_Fragile(calls=calls), **options)
    resumed = proda.assimilate(*task, out=tmp_path / "killed", model=_Fragile(), **options)
    np.testing.assert_array_equal(memory.draws, resumed.draws)
    assert not resumed.failed


def test_a_site_that_fails_is_named_and_the_others_go_on(tmp_path):
    world = datasets.twin_world(sites=12, rng=2)
    bad = world.forcing.litter_input[5, 0]
    names = [f"p{k}" for k in range(12)]
    sites = proda.assimilate(
        world.observations, world.forcing, members=20, n_iter=2, rng=3, site=names, chunk=4,
        model=_Fragile(bad=bad), out=tmp_path,
    )  # fmt: skip
    assert sites.failed == {"p5": "InputError: this column is broken."}
    assert list(sites.position) == [k for k in range(12) if k != 5]
    assert "p5" not in sites.site and len(sites) == len(sites.first) == 11
    assert np.isfinite(sites.draws).all()
    folds = random_folds(12, 3, rng=0)
    with pytest.raises(InputError, match=r"11 sites, but there are 12 profiles.*sites\.position"):
        proda.evaluate(
            world.observations, world.forcing, world.covariates, folds, sites, methods="default"
        )


def test_too_few_sites_for_a_network_are_counted():
    world = datasets.twin_world(sites=9, rng=2)
    sites = proda.assimilate(world.observations, world.forcing, members=20, n_iter=1, rounds=1)
    with pytest.raises(InputError, match=r"at least 7 of them, but has 6.*kind='ridge'"):
        proda.train(world.covariates, sites, members=3, rng=0)
    assert proda.train(world.covariates, sites, members=3, kind="ridge", rng=0).members
    many = proda.FEWEST_SITES
    rest = np.random.default_rng(0).normal(size=(many, 2))
    member = proda._regressor("network", (4,), 1.0, 5, many, 0)
    proda._fit(member, rest, rest, None)


def test_a_folder_of_another_run_is_refused(tmp_path):
    world = datasets.twin_world(sites=8, rng=2)
    task, options = (world.observations, world.forcing), {"members": 12, "n_iter": 1, "rounds": 1}
    first = proda.assimilate(*task, out=tmp_path / "run", **options)
    again = proda.assimilate(*task, out=tmp_path / "run", **options)
    np.testing.assert_array_equal(first.draws, again.draws)
    for more in ({"members": 14}, {"n_iter": 2}, {"rng": 5}):
        with pytest.raises(InputError, match="holds a run with"):
            proda.assimilate(*task, out=tmp_path / "run", **(options | more))
    with pytest.raises(InputError, match="holds a run with data"):
        proda.assimilate(task[0], task[1][::-1], out=tmp_path / "run", **options)
    folds = random_folds(8, 2, rng=0)
    ladder = {"methods": "default", "out": tmp_path / "ladder", "rng": 1}
    proda.evaluate(*task, world.covariates, folds, first, **ladder)
    proda.evaluate(*task, world.covariates, folds, first, **ladder)
    with pytest.raises(InputError, match="holds a run with data"):
        proda.evaluate(task[0], task[1][::-1], world.covariates, folds, first, **ladder)
    with pytest.raises(InputError, match="holds a run with folds"):
        proda.evaluate(*task, world.covariates, random_folds(8, 2, rng=2), first, **ladder)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        proda.assimilate(*task, out=tmp_path / "file", **options)


def test_odd_numbers_and_datasets_are_named():
    world = datasets.twin_world(sites=8, rng=2)
    task = world.observations, world.forcing
    options = {"members": 12, "n_iter": 1, "rounds": 1}
    sites = proda.assimilate(*task, **options)
    for more in ({"chunk": -1}, {"chunk": 0}, {"rounds": np.nan}, {"n_jobs": 0}, {"n_jobs": "x"}):
        with pytest.raises(InputError, match=next(iter(more))):
            proda.assimilate(*task, **(options | more))
    folds = random_folds(8, 2, rng=0)
    for given, more, words in (
        (folds, {"draws": 0}, "draws is a whole number"),
        (folds, {"n_jobs": 0}, "n_jobs"),
        (Folds(np.zeros(8, dtype=int), np.arange(8), "random"), {}, "sites to learn from"),
    ):
        with pytest.raises(InputError, match=words):
            proda.evaluate(*task, world.covariates, given, sites, methods="default", **more)
    found = proda.evaluate(*task, world.covariates, folds, sites, methods="default")
    stored = found.to_dataset()
    pd.testing.assert_frame_equal(proda.Evaluation.from_dataset(stored).table, found.table)
    with pytest.raises(InputError, match="score_held_out' is missing"):
        proda.Evaluation.from_dataset(stored.drop_vars("score_held_out"))
    # A summary keeps the table and loses the predictions.
    summary = proda.Evaluation.from_dataset(stored.drop_vars(["observed", "predicted"]))
    pd.testing.assert_frame_equal(summary.table, found.table)
    with pytest.raises(InputError, match="observed' is missing: a gap needs the predictions"):
        summary.gap("own_profile", "default")
    with pytest.raises(InputError, match="draws is a whole number"):
        found.gap("own_profile", "default", draws=0)
