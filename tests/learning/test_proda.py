"""The four calls of PRODA on a small seeded world whose parameters follow the environment."""

import dataclasses
from functools import partial

import numpy as np
import pandas as pd
import pytest

from landcarbon import datasets
from landcarbon.assimilation import GaussianLikelihood, Prior, ProfileObservations
from landcarbon.learning import Evaluation, Proda, Stream, Task, Work, evaluate, one_batch, proda
from landcarbon.learning.batch import batch_cost
from landcarbon.learning.folds import Folds, blocked_folds, random_folds
from landcarbon.learning.rivals import networks
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5
from landcarbon.models.parameters import Parameter, ParameterTable

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

    @property
    def task(self):
        return Task(self.observations, self.forcing, self.covariates)


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
    return proda.assimilate(world.task, n_members=60, n_iter=4, rng=1)


@pytest.fixture(scope="module")
def report(world, sites):
    folds = blocked_folds(world.lat, world.lon, 2.0, 3)
    return evaluate(
        world.task.knowing(sites), folds,
        ("default", "random_sampling", "one_batch", Proda("ridge", proda.ridge, 4), Proda(n_networks=4),
         "forest", "pure_network"),
        truth=world.theta, n_draws=60,
    )  # fmt: skip


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
            dataclasses.replace(world.task[part], work=Work(chunk=3)), n_members=60, n_iter=4, n_rounds=1, rng=1
        )
        for part in (many, few)
    )
    assert np.allclose(alone.draws, together.draws[few], atol=1e-8)


def test_rounds_end_when_carbon_stays(sites):
    off, moved = sites.trace.T
    assert 3 <= len(off) <= 10 and np.isnan(moved[0])
    steps = np.abs(np.diff(off))
    assert steps[-1] < 0.01 < steps[:-1].min()
    # A prior flat between its bounds holds too much carbon; what the sites have in common does not.
    assert off[0] > 0.1 and abs(off[-1]) < 0.05
    assert moved[-1] < 0.1


def test_the_last_round_starts_from_what_the_environment_tells(world, sites):
    """Its prior is narrower than that of all sites, by what the environment explains."""
    alone = proda.assimilate(dataclasses.replace(world.task, covariates=None), n_members=60, n_iter=4, rng=1)
    assert np.array_equal(alone.trace, sites.trace, equal_nan=True)
    k = PRIOR.names.index("efolding")
    assert sites.prior.width[k] < 0.9 * alone.prior.width[k]
    truth = PRIOR.to_real(world.theta)
    r = [np.corrcoef(found.mean[:, k], truth[:, k])[0, 1] for found in (alone, sites)]
    assert r[1] > r[0] > 0.5
    assert sites.start is world.task.prior or sites.start.names == PRIOR.names


def test_parameter_maps_are_those_of_the_network(world, sites):
    """Every site has the same draws of what the environment does not tell: no salt and pepper."""
    network = proda.train(world.task.knowing(sites), n_networks=4, rng=2)
    maps = proda.predict(network, Task(None, world.forcing, world.covariates), n_draws=60)
    own = network.parameters(world.covariates).mean(axis=0)
    z = PRIOR.to_real(maps["parameters"].values)
    r = [np.corrcoef(own[:, k], z[:, k])[0, 1] for k in range(21)]
    assert min(r) > 0.99


def test_intervals_are_as_wide_as_sites_left_out_need(world, sites):
    part = world.task[:200]
    z = np.broadcast_to(PRIOR.to_real(world.theta[:200])[:, None], (200, 50, 21))
    rng = np.random.default_rng(1)
    wide = z + 1.0 * rng.standard_normal(z.shape)
    assert proda.stretched(part, PRIOR, wide, rng) < 0.5
    # Errors that are stated far too large hold everything, and still a map is not certain.
    data = part.data
    value = np.where(data.mask, data.value, 1.0)
    vague = ProfileObservations(data.depth, value, 5.0, clm5.LAYERS.node, mask=data.mask)
    loose = dataclasses.replace(part, observations=vague)
    assert proda.stretched(loose, PRIOR, wide, rng) == pytest.approx(0.3, abs=0.01)
    network = proda.train(world.task.knowing(sites), n_networks=4, rng=2)
    assert 0.2 < network.stretch < 1.5


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
        assert 0.86 < report.table.loc[name, "coverage"] < (0.99 if name == "random_sampling" else 0.94)
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


def test_the_network_of_a_fold_has_not_seen_its_test_sites(world):
    # The data of the test sites are destroyed: what is predicted for them must not change.
    few = np.arange(120)
    folds = random_folds(120, 2, rng=3)
    task = world.task[few]
    wrong = np.where(task.data.mask & (folds.fold > 0)[:, None], task.data.value, 50.0)
    spoilt = dataclasses.replace(task, observations=task.data.with_values(wrong))
    known = proda.assimilate(task, n_members=20, n_iter=2)
    a, b = (
        evaluate(t.knowing(known), folds, [Proda("ridge", proda.ridge, 3), "random_sampling"], n_draws=25, rng=1)
        for t in (task, spoilt)
    )
    for name in ("ridge", "random_sampling"):
        said = [r.predictions["predicted"].sel(approach=name).values[folds.fold == 0] for r in (a, b)]
        assert np.array_equal(*said, equal_nan=True)
    assert np.ptp(b.predictions["predicted"].sel(approach="ridge").values[folds.fold == 1][:, 0]) > 0


def test_maps_carry_uncertainty_and_units(world, sites):
    known, new = np.arange(200), np.arange(200, 240)
    network = proda.train(world.task[known].knowing(sites.select(known)), n_networks=4, rng=2)
    places = Task(None, world.forcing[new], world.covariates.iloc[new])
    maps = proda.predict(network, places, n_draws=100)
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
    network = proda.train(world.task.knowing(sites), regressor=proda.ridge, n_networks=3)
    rock = np.where(np.arange(240) % 2, 8, 20)
    forcing = dataclasses.replace(world.forcing, bedrock_layer=rock)
    maps = proda.predict(network, Task(None, forcing, world.covariates), n_draws=20)
    assert (maps["carbon"].values[rock == 8, 8:] == 0).all()
    assert (maps["carbon"].values[:, :8] > 0).all()


def test_a_grid_keeps_its_coordinates(world, sites):
    network = proda.train(world.task.knowing(sites), regressor=proda.ridge, n_networks=3)
    grid = world.covariates.iloc[:6].set_axis(
        pd.MultiIndex.from_product([[30.0, 31.0], [-90.0, -89.0, -88.0]], names=["lat", "lon"])
    )
    maps = proda.predict(network, Task(None, world.forcing[:6], grid), n_draws=20)
    square = maps["stock"].set_index(site=["lat", "lon"]).unstack("site")
    assert square.shape == (2, 3)


def test_no_more_carbon_than_soil_can_hold_leaves_a_prediction(world, sites, monkeypatch):
    """With a lower limit than the draws reach, those above it are left out; where they are most, nothing is said."""
    network, places = ridge(world, sites), Task(None, world.forcing[:40], world.covariates.iloc[:40])
    monkeypatch.setattr(proda, "HIGHEST_CARBON", np.inf)
    free = proda.predict(network, places, n_draws=40)
    assert not free["impossible"].any()
    limit = float(np.quantile(free["stock"], 0.7))
    monkeypatch.setattr(proda, "HIGHEST_CARBON", 1000.0 * limit)
    found = proda.predict(network, places, n_draws=40)
    silent = found["impossible"].values > 0.5
    assert 0 < silent.sum() < 20
    assert np.isnan(found["stock"].values[silent]).all()
    assert np.isnan(found["carbon"].values[silent]).all()
    assert (found["stock_upper"].values[~silent] <= limit).all()
    whole = found["impossible"].values == 0.0
    assert whole.any()
    for name in ("stock_lower", "stock", "stock_upper", "carbon", "parameters"):
        np.testing.assert_array_equal(found[name].values[whole], free[name].values[whole])


def test_one_batch_is_a_minimum_wherever_it_starts(world):
    few = np.arange(0, 240, 6)
    obs, forcing = world.observations[few], world.forcing[few]
    found = one_batch(world.task[few], tolerance=1e-9, max_iter=500)
    assert found.converged
    assert found.cost[1] < found.cost[0]
    again = one_batch(world.task[few], tolerance=1e-9, max_iter=500, rng=5)
    assert again.cost[1] == pytest.approx(found.cost[1], rel=0.01)

    def log_posterior(z):
        soil = clm5.soil_carbon(clm5.steady_state(PRIOR.from_real(z), forcing))
        return obs.log_likelihood(soil).sum() + PRIOR.log_density_real(z)

    best = log_posterior(found.z)
    assert best == pytest.approx(-found.cost[1])
    rng = np.random.default_rng(0)
    assert all(log_posterior(found.z + 0.1 * rng.normal(size=21)) < best for _ in range(20))


def test_the_gradient_of_one_batch_is_the_finite_difference(world):
    cost = batch_cost(world.task[:5])
    z = PRIOR.to_real(PRIOR.table.default)
    value, slope = cost(z)
    for k in range(21):
        step = 1e-5 * np.eye(21)[k]
        numeric = (cost(z + step)[0] - cost(z - step)[0]) / 2e-5
        assert slope[k] == pytest.approx(numeric, rel=1e-5, abs=1e-6 * abs(value))


def test_the_seed_decides(world, sites):
    covariates, short = world.covariates, partial(proda.perceptron, max_iter=20)
    a, b, c = (
        proda.train(world.task.knowing(sites), regressor=short, n_networks=2, rng=r) for r in (1, 1, 2)
    )
    assert np.array_equal(a.parameters(covariates), b.parameters(covariates))
    assert not np.array_equal(a.parameters(covariates), c.parameters(covariates))


def test_the_network_finds_the_pattern_of_what_the_profile_tells(world, sites):
    known, new = np.arange(180), np.arange(180, 240)
    network = proda.train(world.task[known].knowing(sites.select(known)), n_networks=4)
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


def ridge(world, sites):
    return proda.train(world.task.knowing(sites), regressor=proda.ridge)


def task(world, **changes):
    given = {"observations": world.observations, "forcing": world.forcing, "covariates": world.covariates}
    return Task(**(given | changes))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda w, s, f: task(w, covariates=hole(w.covariates)), "'clay' at site 'P004'"),
        (lambda w, s, f: task(w, covariates=w.covariates[:9]), "9 rows for 240 sites"),
        (lambda w, s, f: task(w, covariates=w.covariates.to_numpy()), "pandas DataFrame"),
        (lambda w, s, f: task(w, covariates=bad(w.covariates, biome="steppe")), "'biome' is not a number"),
        (lambda w, s, f: task(w, forcing=w.forcing[:9]), r"\(9,\)"),
        (lambda w, s, f: task(w, prior=Prior(clm5.PARAMETERS.subset(["q10"]))), "over 1 parameters"),
        (lambda w, s, f: task(w, forcing=[1.0]), "forcing is a list"),
        (lambda w, s, f: w.task[:9].knowing(s), "240 sites are known, but there are 9"),
        (lambda w, s, f: proda.train(w.task), "knows no sites"),
        (lambda w, s, f: proda.train(task(w, covariates=None).knowing(s)), "no covariates"),
        (lambda w, s, f: proda.train(w.task[:9].knowing(s.select(slice(9))), n_networks=8), "fewer networks"),
        (lambda w, s, f: evaluate(w.task.knowing(s), f, "prodo"), "no method 'prodo'"),
        (lambda w, s, f: evaluate(w.task.knowing(s), f, []), "No method was given"),
        (lambda w, s, f: evaluate(w.task, f, [Proda(n_networks=3), Proda()]), "Two rivals are called 'proda'"),
        (lambda w, s, f: evaluate(w.task.knowing(s), random_folds(30, 3)), "folds are over 30 sites"),
        (
            lambda w, s, f: proda.predict(
                ridge(w, s), Task(None, w.forcing, w.covariates.drop(columns="clay"))
            ),
            "trained with 'clay'",
        ),
        (lambda w, s, f: Task(None, w.forcing[:3], w.covariates), "240 rows"),
        (
            lambda w, s, f: proda.predict(ridge(w, s), Task(None, w.forcing, w.covariates), depth=-1),
            "within the column",
        ),
        (lambda w, s, f: proda.assimilate(Task(None, w.forcing)), "no observations"),
        (lambda w, s, f: blocked_folds(w.lat[:3], w.lon[:3], n_folds=5), "cannot fill 5 folds"),
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


@dataclasses.dataclass(eq=False)
class _Fragile:
    """CLM5 that breaks at sites with a given input, and can be killed after some calls."""

    PARAMETERS, LAYERS, COMPONENTS = clm5.PARAMETERS, clm5.LAYERS, clm5.COMPONENTS
    observed = staticmethod(clm5.observed)

    bad: float | None = None
    calls: int | None = dataclasses.field(default=None, compare=False)  # decides when it ends, not what it says

    def observed_values(self, parameters, forcing):
        if self.calls is not None:
            self.calls -= 1
            if self.calls < 0:
                raise KeyboardInterrupt
        if self.bad is not None and np.any(forcing.litter_input[..., 0] == self.bad):
            raise InputError("this column is broken.")
        return clm5.observed_values(parameters, forcing)


def small(n, out=None, **changes):
    world = datasets.twin_world(n_sites=n, rng=2)
    names = world.covariates.set_axis([f"p{k}" for k in range(n)])
    given = {"work": Work(out=out, chunk=4)} | changes
    return Task(world.observations, world.forcing, names, **given)


def test_on_disk_equals_in_memory_and_goes_on_after_a_kill(tmp_path):
    options = {"n_members": 20, "n_iter": 2, "rng": 3}
    memory = proda.assimilate(small(12), **options)
    whole = proda.assimilate(small(12, tmp_path / "whole"), **options)
    np.testing.assert_array_equal(memory.draws, whole.draws)
    np.testing.assert_array_equal(memory.prediction, whole.prediction)
    # 3 runs a chunk, 3 chunks a round: killed in the middle of the first round, then of the second.
    for calls in (7, 8):
        with pytest.raises(KeyboardInterrupt):
            proda.assimilate(small(12, tmp_path / "killed", model=_Fragile(calls=calls)), **options)
    resumed = proda.assimilate(small(12, tmp_path / "killed", model=_Fragile()), **options)
    np.testing.assert_array_equal(memory.draws, resumed.draws)
    assert not resumed.failed


def test_a_site_that_fails_is_named_and_the_others_go_on(tmp_path):
    bad = small(12).forcing.litter_input[5, 0]
    task = small(12, tmp_path, model=_Fragile(bad=bad))
    sites = proda.assimilate(task, n_members=20, n_iter=2, rng=3)
    assert sites.failed == {"p5": "this column is broken."}
    assert list(sites.position) == [k for k in range(12) if k != 5]
    assert "p5" not in sites.site and len(sites) == 11 and len(sites.trace) > 1
    assert np.isfinite(sites.draws).all()
    with pytest.raises(InputError, match=r"11 sites are known, but there are 12 profiles.*sites\.position"):
        task.knowing(sites)
    assert len(task[sites.position].knowing(sites)) == 11


def test_too_few_sites_for_a_network_are_counted():
    task = small(9)
    known = task.knowing(proda.assimilate(task, n_members=20, n_iter=1, n_rounds=1))
    with pytest.raises(InputError, match=r"at least 7 of them, but has 6.*proda\.ridge"):
        proda.train(known, n_networks=3, rng=0)
    assert proda.train(known, n_networks=3, regressor=proda.ridge, rng=0).networks
    many = proda.FEWEST_SITES
    rest = np.random.default_rng(0).normal(size=(many, 2))
    proda.fitted(partial(proda.perceptron, hidden=(4,), max_iter=5), rest, rest, 0)


def test_a_folder_of_another_run_is_refused(tmp_path):
    options = {"n_members": 12, "n_iter": 1, "n_rounds": 1}
    task = small(8, tmp_path / "run")
    first, again = (proda.assimilate(task, **options) for _ in range(2))
    np.testing.assert_array_equal(first.draws, again.draws)
    for more in ({"n_members": 14}, {"n_iter": 2}, {"rng": 5}):
        with pytest.raises(InputError, match="holds a run with"):
            proda.assimilate(task, **(options | more))
    world = datasets.twin_world(n_sites=8, rng=2)
    narrow = [dataclasses.replace(r, upper=r.default + (r.upper - r.default) / 10) for r in clm5.PARAMETERS]
    for change, words in (
        ({"forcing": task.forcing[::-1]}, "forcing"),
        ({"prior": Prior(ParameterTable(narrow))}, "prior"),
        ({"prior": Prior(clm5.PARAMETERS, {"tau_s3": "log-uniform"})}, "prior"),
        ({"observations": world.profiles.to_observations(1.0)}, "observations"),
    ):
        with pytest.raises(InputError, match=f"holds a run with {words}"):
            proda.assimilate(dataclasses.replace(task, **change), **options)
    # Rounds of a fold are kept too.
    learnt = proda.assimilate(small(8), n_members=12, n_iter=1, n_rounds=2)
    folds, ladder = random_folds(8, 2, rng=0), {"rivals": "random_sampling", "rng": 1}
    known = dataclasses.replace(task, work=Work(tmp_path / "ladder")).knowing(learnt)
    one, two = (evaluate(known, folds, **ladder) for _ in range(2))
    np.testing.assert_array_equal(one.predictions["predicted"], two.predictions["predicted"])
    for other, cut in ((known[::-1].knowing(learnt), folds), (known, random_folds(8, 2, rng=2))):
        with pytest.raises(InputError, match="holds a run with"):
            evaluate(other, cut, **ladder)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        proda.assimilate(small(8, tmp_path / "file"), **options)


def test_odd_numbers_and_datasets_are_named():
    options = {"n_members": 12, "n_iter": 1, "n_rounds": 1}
    task = small(8)
    known = task.knowing(proda.assimilate(task, **options))
    for more in ({"chunk": -1}, {"chunk": 0}, {"n_jobs": 0}, {"n_jobs": "x"}):
        with pytest.raises(InputError, match=next(iter(more))):
            Work(**more)
    with pytest.raises(InputError, match="n_rounds"):
        proda.assimilate(task, **(options | {"n_rounds": np.nan}))
    folds = random_folds(8, 2, rng=0)
    for given, more, words in (
        (folds, {"n_draws": 0}, "n_draws must be a whole number"),
        (Folds(np.zeros(8, dtype=int), np.arange(8), "random"), {}, "sites to learn from"),
    ):
        with pytest.raises(InputError, match=words):
            evaluate(known, given, "default", **more)
    found = evaluate(known, folds, "default")
    stored = found.to_dataset()
    pd.testing.assert_frame_equal(Evaluation.from_dataset(stored).table, found.table)
    with pytest.raises(InputError, match="score_held_out' is missing"):
        Evaluation.from_dataset(stored.drop_vars("score_held_out"))
    # A summary keeps the table and loses the predictions.
    summary = Evaluation.from_dataset(stored.drop_vars(["observed", "predicted"]))
    pd.testing.assert_frame_equal(summary.table, found.table)
    with pytest.raises(InputError, match="observed' is missing: a gap needs the predictions"):
        summary.gap("own_profile", "default")
    with pytest.raises(InputError, match="n_draws must be a whole number"):
        found.gap("own_profile", "default", n_draws=0)


@pytest.mark.parametrize("n", [302, 378])
def test_a_bag_whose_last_batch_has_no_weight_is_fitted(n):
    """Sizes that a real survey had: a network without process died of them."""
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, 5))
    y = x[:, 0] + 0.5 * rng.standard_normal(n)
    network = proda.fitted(networks, x, y, int(rng.integers(2**31)))
    assert np.corrcoef(network.predict(x), y)[0, 1] > 0.7


def test_a_task_that_knows_its_sites_has_the_prior_from_which_they_began() -> None:
    table = ParameterTable([Parameter(k, "1", 0.0, 1.0, 0.5) for k in "ab"])
    start, learnt = Prior(table), Prior(table, "logit-normal", 0.3)
    draws = np.zeros((4, 5, 2))
    sites = proda.Sites(learnt, draws, np.zeros((4, 5, 1)), np.arange(4), start=start)
    stream = Stream(GaussianLikelihood(np.zeros((4, 1)), 1.0), lambda theta, forcing: (theta[:, :1], lambda g: g))
    assert Task(stream, np.zeros(4), known=sites).prior is start
    assert Task(stream, np.zeros(4), known=dataclasses.replace(sites, start=None)).prior is learnt
    assert Task(stream, np.zeros(4), prior=learnt, known=sites).prior is learnt
