"""Valid calls of what no example of its module calls: one function a module, run under the same profiler."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from landcarbon import datasets, store
from landcarbon.assimilation import problems, samplers
from landcarbon.assimilation import sample as sampled
from landcarbon.learning import (
    attribution,
    baselines,
    evaluation,
    folds,
    hybrid,
    mlp,
    proda,
    rivals,
    task,
)
from landcarbon.matrix import (
    column,
    layers,
    loops,
    simulate,
    spinup,
    steps,
    timeline,
    typeset,
)
from landcarbon.models import (
    clm5,
    clm45,
    dalec,
    icbm,
    parameters,
    pools,
    rothc,
    site_climate,
    teco,
)

THETA = np.array([0.2, 0.002, 20.0, 5.0])
SITE = clm5.Forcing(np.full((20, 12), 285.15), np.full((20, 12), 0.5), np.array([40.0, 120.0, 180.0, 60.0]))
SITES = clm5.Forcing(np.full((2, 20, 12), 285.15), np.full((2, 20, 12), 0.5), [[40.0, 120.0, 180.0, 60.0]] * 2)
SOIL = layers.SoilLayers([0.1, 0.2, 0.4])
COLUMN = column.LayeredModel(
    ("litter", "soil"), SOIL, [[1, 0], [-0.3, 1]], [[2.0] * 3, [0.02] * 3], *layers.exchange_rates([1e-3] * 2, SOIL)
)
B = np.array([[100.0, 50.0, 10.0], [0.0, 0.0, 0.0]])
X = np.array([[50.0, 25.0, 5.0], [500.0, 300.0, 100.0]])
TWO = pools.two_pool(k_young=0.5, k_old=0.025, humification=0.3)


@cache
def chains():
    return sampled(problems.gaussian(), "metropolis", rng=1, n_chains=8, n_warmup=100, n_draws=40)


@cache
def world():
    """Twelve pools, X = I / k, where k follows a covariate."""
    from landcarbon.assimilation import GaussianLikelihood, Prior

    prior = Prior(parameters.ParameterTable([parameters.Parameter("k", "yr-1", 0.01, 0.2, 0.05)]))
    warm = np.linspace(-1, 1, 12)
    k, I = 0.05 * np.exp(0.5 * warm), np.full((12, 1), 400.0)

    def run(theta, forcing):
        carbon = forcing / theta
        return carbon, lambda d: -d * carbon / theta

    place = pd.DataFrame({"latitude": np.linspace(40, 60, 12), "longitude": np.linspace(0, 40, 12), "warm": warm})
    stream = task.Stream(GaussianLikelihood(I / k[:, None], sd=100.0), run)
    return task.Task(stream, I, place, prior)


@cache
def twin():
    found = datasets.twin_world(n_sites=24, rng=4)
    given = task.Task(found.observations, found.forcing, found.covariates)
    return found, given, proda.assimilate(given, n_members=20, n_iter=1, n_rounds=1, rng=0)


def assimilation_calibration():
    from landcarbon.assimilation.calibration import Calibration

    ranks = np.arange(40).reshape(20, 2) % 20
    found = Calibration(("a", "b"), ranks, 19)
    found.coverage(0.9)
    found.summary(bins=4)


def assimilation_chains():
    from landcarbon.assimilation import chains as c

    moves = samplers.Metropolis(n_chains=8, n_warmup=100, n_draws=20)
    moves.n_start(2)
    moves.density(problems.gaussian())
    moves.chains(lambda x: -0.5 * (x**2).sum(-1), np.random.default_rng(1).standard_normal((8, 2)), rng=1)
    moves.sample(problems.gaussian(), rng=1)
    c.checked_density(np.array([0.5, 0.1]), np.array([[1.0], [2.0]]))


def assimilation_constraints():
    from landcarbon.assimilation.constraints import Constraints

    prior = problems.incubation().prior
    rules = Constraints(prior, {"fast first": lambda k: k[prior.names[0]] > k[prior.names[1]]})
    rules.holds(prior.table.default)


def assimilation_draws():
    from landcarbon.assimilation import Draws, draws

    found = chains()
    Draws(found.names, found.draws, found.log_density, found.accept_rate)
    found.ess(kind="bulk")
    found.rhat()
    found.summary()
    equal = found.ensemble()
    equal.summary()
    equal.resample(10, rng=1)
    draws.say_concerns(equal)


def assimilation_error_models():
    from landcarbon.assimilation.error_models import ExponentialCorrelation

    errors = ExponentialCorrelation(np.array([[0.0, 1.0, 3.0]]), 2.0, np.ones((1, 3), dtype=bool))
    errors.colour(np.ones((1, 3)))
    errors.whiten_transposed(np.ones((1, 3)))
    errors.broadcast((1, 3))


def assimilation_fitting():
    from landcarbon.assimilation.fitting import fit, pools
    from landcarbon.assimilation.stated import half_normal

    day = np.array([1.0, 3, 7, 14, 28, 56, 112])
    flux = pools(2).flux(THETA, day) * np.exp([0.1, -0.1, 0.1, 0, -0.1, 0.1, 0])
    table = pd.DataFrame({"soil": "a", "jar": "1", "day": day, "flux": flux})
    found = fit(pools(2), table, {"sigma": half_normal(0.2)}, rng=1)
    found.predict(day)
    found.coverage(table, level=0.9)


def assimilation_table_fit():
    from landcarbon.assimilation import fit, plot_pools
    from landcarbon.assimilation.stated import log_normal

    rows = pd.DataFrame({"variable": "litter", "value": [700.0, 640.0, 610.0], "plot": ["a", "b", "a"],
                         "time": [2013.0, 2014.0, 2016.0]})  # fmt: skip
    found = fit(plot_pools("litter", since=2012.0), rows, {"input": log_normal(300, 1.5)}, by="plot", n_draws=40, rng=1)
    found.predict(rows, rng=1)
    found.coverage(rows, level=0.9, rng=1)
    found.model.on(rows)
    found.replicas(rng=1)
    found.to_arviz(rng=1)
    plot_pools("litter", since=2012.0).priors(rows)


def assimilation_hmc():
    from landcarbon.assimilation.hmc import Hamiltonian

    Hamiltonian().density(problems.gaussian())


def assimilation_information():
    from landcarbon.assimilation.information import Identifiability

    found = Identifiability(("a", "b"), np.array([[1.0, 0.5], [0.2, 3.0], [0.5, 0.1]]))
    found.directions(n=2)
    found.together(at_least=0.9)


def streams_of_data():
    from landcarbon.assimilation import GaussianLikelihood, SeriesObservations

    flux = GaussianLikelihood([2.0, 3.0, 1.0], sd=0.5)
    stock = SeriesObservations([900.0, 950.0], 50.0, t=[2000.0, 2001.0, 2002.0], end=[2001.0, 2002.0])
    return flux, stock


def assimilation_joint():
    from landcarbon.assimilation import JointObservations

    flux, stock = streams_of_data()
    both = JointObservations({"flux": flux, "stock": stock})
    values = np.arange(1.0, both.n_values + 1)
    both.pull(values, np.ones(5))
    both.simulate(values, rng=1)
    both.with_values(both.data)
    both.predict(values)


def assimilation_mcmc():
    samplers.DifferentialEvolution().n_start(3)


def assimilation_observations_likelihood():
    from landcarbon.assimilation import GaussianLikelihood

    flux, _ = streams_of_data()
    h = np.array([2.1, 2.9, 1.2])
    flux.gradient(h)
    flux.pull(h, np.ones(3))
    flux.simulate(h, rng=1)
    flux.with_values([2.0, 3.1, 1.0])
    flux.whiten([0.1, 0.2, 0.3])
    flux.log_likelihood(h)
    flux.predict(h)
    GaussianLikelihood([[2.0, 3.0, 1.0]], sd=0.5, correlation_length=1.0, at=[0.0, 1.0, 2.0])


def assimilation_observations_profile():
    from landcarbon.assimilation import ProfileObservations

    seen = ProfileObservations([[0.15, 0.3]], [[18e3, 9e3]], 0.3, node_depth=[0.1, 0.2, 0.4], bottom=0.5)
    carbon = [[20e3, 16e3, 4e3]]
    seen.predict(carbon)
    seen.pull(carbon, [[1.0, 1.0]])
    seen.simulate(carbon, rng=1)
    seen.with_values([[18e3, 8e3]])
    seen.gradient(carbon)
    seen.whiten([[0.1, 0.2]])


def assimilation_observations_series():
    _, stock = streams_of_data()
    stock.predict([890.0, 900.0, 920.0])
    stock.pull([890.0, 900.0, 920.0], [1.0, 1.0])
    stock.with_values([900.0, 940.0])


def assimilation_parameters():
    prior = problems.incubation().prior
    prior.to_unit(prior.table.default)
    z = prior.to_real(prior.table.default)
    prior.slope(z)
    prior.gradient_real(z)
    prior.log_density_real(z)


def assimilation_posterior():
    posterior = problems.incubation()
    theta = posterior.prior.table.default
    z = posterior.prior.to_real(theta)
    posterior.predict(theta)
    posterior.log_density(theta)
    posterior.log_density_real(z)
    posterior.numerical_gradient_real(z, step=1e-5)
    column = problems.soil_column(error=0.3)
    column.gradient(column.prior.table.default)
    column.gradient_real(column.prior.to_real(column.prior.table.default))


def assimilation_runs():
    from landcarbon.assimilation.runs import some_jobs

    some_jobs(2)


def assimilation_state_space():
    from landcarbon.assimilation import state_space as s

    start = s.Normal([450.0, 80.0], sd=[100.0, 30.0])
    start.quantile(0.5)
    system = s.linear_system(TWO, t=[0.0, 1.0, 2.0], I=100.0, process_sd=5.0)
    seen = s.StateObservations([150.0], 20.0, system.t, end=[1.0], H=[1.0, 0.0])
    seen.with_values([140.0])
    seen.predict(np.ones((3, 2)))
    from landcarbon.assimilation.kalman import kalman_filter

    found = kalman_filter(system, start, seen)
    found.quantile(0.9)
    found.to_dataset(unit="gC m-2")


def assimilation_stated():
    from landcarbon.assimilation import stated as s

    s.normal(0.0, 1.0)
    s.beta(2.0, 3.0)
    s.uniform(0.0, 1.0)
    s.log_uniform(0.01, 1.0)
    prior = s.StatedPrior({"k": s.log_normal(0.02, 2.0), "sigma": s.half_normal(0.2)})
    theta, z = [0.02, 0.1], [0.1, 0.2]
    prior.dict(theta)
    prior.log_density(theta)
    prior.log_density_real(z)
    prior.gradient_real(z)
    prior.to_unit(theta)
    prior.from_unit([0.2, 0.3])


def assimilation_streams():
    from landcarbon.assimilation import streams as s

    source = s.streams(1, (2,))
    source.normal((3,))
    source.uniform((3,))
    s.site_generator(1, 2)


def datasets_bulk_density():
    from landcarbon.datasets.bulk_density import BulkDensityFit, fit_bulk_density

    rng = np.random.default_rng(1)
    carbon = rng.uniform(5, 100, 60)
    density = 1500 * np.exp(-0.01 * carbon) * np.exp(0.1 * rng.standard_normal(60))
    table = pd.DataFrame({"organic_carbon": carbon, "bulk_density": density})
    fit_bulk_density(table).predict([20.0, 30.0])
    BulkDensityFit(7.3, -0.01, 0.1, 0.8, 60, "mine")


PROFILE = pd.DataFrame({
    "profile_id": ["A"] * 3 + ["B"] * 3, "latitude": [45.0] * 3 + [46.0] * 3, "longitude": [10.0] * 6,
    "upper_depth": [0.0, 0.1, 0.3] * 2, "lower_depth": [0.1, 0.3, 0.6] * 2,
    "organic_carbon": [30.0, 20.0, 10.0] * 2, "bulk_density": [1300.0, 1350.0, 1400.0] * 2,
})  # fmt: skip


def datasets_profiles():
    from landcarbon.datasets.profiles import join_profiles, make_profiles

    found = make_profiles(PROFILE)
    found.padded("carbon_density")
    found.select([True, False], "one is enough")
    found.to_observations(relative_error=0.6)
    others = PROFILE.assign(profile_id=["C"] * 3 + ["D"] * 3, latitude=PROFILE["latitude"] + 5)
    join_profiles(found, make_profiles(others))


def datasets_profile_files():
    from landcarbon.datasets.profile_files import read_profiles_csv

    file = Path(tempfile.mkdtemp()) / "mine.csv"
    units = {"upper_depth": "m", "lower_depth": "m", "organic_carbon": "g/kg", "bulk_density": "kg/m3"}
    PROFILE.rename(columns={name: f"{name} [{unit}]" for name, unit in units.items()}).to_csv(file, index=False)
    read_profiles_csv(file, min_layers=3)


def datasets_registry():
    datasets.is_available("isis")


def datasets_twin():
    found, *_ = twin()
    found.at([45.0], [10.0])


def forecasting_drivers():
    from landcarbon.forecasting.drivers import read_drivers

    read_drivers({"I": [[500.0, 510.0], [400.0, 410.0]]}, None).assigned(4, on=True, seed=1)


def learning_batch():
    from landcarbon.learning.batch import one_batch

    one_batch(world(), n_starts=1, max_iter=5, tolerance=1e-4, rng=1)


def learning_attribution():
    other = clm5.Forcing(np.full((2, 20, 12), 280.15), np.full((2, 20, 12), 0.6), [[50.0, 120.0, 180.0, 60.0]] * 2)
    theta = np.tile(clm5.DEFAULT, (2, 1))
    attribution.compare(theta, SITES, 0.9 * theta, other, depth=1.0)


def learning_emulator():
    from landcarbon.learning import emulator as e

    rng = np.random.default_rng(1)
    posterior = problems.incubation()
    theta = posterior.prior.sample(40, rng=rng)
    outputs = posterior.run_model(theta)
    fast = e.fit(theta, outputs, posterior.prior, "ridge")
    fast.spread(theta[:3])
    fast.table(posterior.observations)
    fast.posterior(posterior.observations)
    e.choose(fast, posterior.observations, 3, candidates=30, rng=1)
    e.compare(theta, outputs, posterior.prior, kinds=("ridge",), rng=1)
    e.refine(fast, posterior.run_model, posterior.observations, n=5, rounds=1, candidates=30, rng=1)


def learning_evaluation():
    given = world()
    two = [rivals.WithoutProcess("ridge", baselines()["ridge"]), rivals.WithoutProcess("mean", baselines()["mean"])]
    found = evaluation.evaluate(given, folds.random_folds(len(given), 2), two, n_draws=20)
    found.gap("ridge", "mean", n_draws=50, rng=1)
    evaluation.Evaluation.from_dataset(found.to_dataset())


def learning_hybrid():
    given = world()
    net = hybrid.fit(given, n_networks=2, network=(4,), rng=1, epochs=3)
    net.sample(given.covariates, 5, rng=1)
    seen = hybrid.directions(given, np.full((12, 1), 0.05))
    z = given.prior.to_real(np.full((12, 1), 0.05))
    seen.along(z)
    seen.table(most=1)
    hybrid.recovery(seen, z, z + np.linspace(0, 0.1, 12)[:, None])


def learning_mlp():
    line = mlp.FromFunction(lambda w, x: (x @ w[:, None], lambda d: x.T @ d[:, 0]), np.array([1.0, 2.0]))
    line([[3.0, 4.0]])
    line.with_vector([1.0, 3.0])


def learning_proda():
    _, given, sites = twin()
    sites.select(np.arange(5))
    net = proda.train(given.knowing(sites), regressor=proda.ridge, n_networks=2, n_scatter=50, rng=1)
    net.parameters(given.covariates)
    net.sample(given.covariates, 3, rng=1)
    proda.predict(net, given[:4], n_draws=20, depth=1.0, level=0.9, rng=1)
    proda.perceptron(100, hidden=(8,), alpha=1.0, max_iter=10)
    proda.ridge(100)
    proda.assimilate(given[:3], n_members=20, n_iter=1, n_rounds=1, tolerance=0.01, rng=1)


def learning_rivals():
    rivals.chosen(["default", "ridge"])
    given, rng = world(), np.random.default_rng(1)
    rivals.WithoutProcess("mine", rivals.forest).learn(given, rng).predict(given, rng)


def learning_task():
    given = world()
    scaling = task.Scaling.of(given.covariates)
    scaling(given.covariates)
    theta = np.full((12, 1), 0.05)
    given.log_likelihood(theta)
    given.predicted(theta)
    given.streams[0].cost(np.full((12, 1), 8000.0))


def learning_validation():
    from landcarbon.learning.validation import Prediction

    said = np.random.default_rng(1).normal(2.0, 1.0, (12, 50, 1))
    Prediction(said.mean(1), said).interval(world().streams[0].observations, level=0.9, rng=1)


def matrix_column():
    COLUMN.as_matrix_model(B)
    COLUMN.chased(B)
    COLUMN.concentrations(np.arange(6.0))
    COLUMN.derivative(X, B)
    COLUMN.index("soil", layer=1)
    COLUMN.leaving_rates(0.5)
    COLUMN.outflow_matrix(0.5)
    COLUMN.relaxed(B, 0.1)
    COLUMN.replace(K=[[1.0] * 3, [0.01] * 3])
    COLUMN.respiration(X, 0.5)
    COLUMN.steady_state_and_vjp(B)[1](np.ones((2, 3)))
    COLUMN.step(X, B, 0.5, 1.0, method="implicit")
    COLUMN.stock_matrix(0.5)
    COLUMN.stocks(X)
    COLUMN.total(X)
    COLUMN.under(0.5)


def matrix_layers():
    down, up = layers.exchange_rates([1e-3, 1e-3], SOIL, 1e-4)
    layers.face_diffusivity([1e-3, 1e-3, 1e-3], SOIL)
    layers.input_profile(0.9, SOIL, 2)
    layers.transport_matrix(down, up, SOIL)


def matrix_loops():
    loop = loops.Cycle.from_model(COLUMN, np.stack([B, B]), dt=[0.5, 0.5], method="implicit")
    loops.ColumnCycle(loop.columns, loop.u, [0.5, 0.5], "implicit")
    loop(X)
    loop.change(X)
    loop.faster(np.array([1.0, 2.0]))
    loop.flattened(X)
    loop.shaped(np.arange(6.0))
    loop.spread(np.array([1.0, 2.0]))
    year = loops.Cycle.from_model(TWO, I=300.0, xi=[0.5, 1.5], dt=[0.5, 0.5])
    year.faster(np.array([1.0, 2.0]))
    year.account(np.array([100.0, 1000.0]))
    loops.FeedbackCycle(lambda k, x: ([[0.5]], 900.0 * x / (600.0 + x)), dt=[0.5, 0.5]).faster(np.array([2.0]))


def matrix_model():
    x = np.array([100.0, 1000.0])
    TWO.derivative(x, 100.0, 0.5)
    TWO.index("old")
    TWO.replace(K=[0.4, 0.02])
    TWO.respiration(x, 0.5)
    TWO.stock_matrix(0.5)
    TWO.stocks(x)
    TWO.total(x)


def matrix_nutrients():
    from landcarbon.matrix import nutrients
    from landcarbon.models import carbon_nitrogen

    land = carbon_nitrogen.carbon_nitrogen()
    rest = land.steady_state(600.0)
    land.matrix_form(rest, 600.0)
    rest.total("N")
    nutrients.simulate(land, [0.0, 1.0, 2.0], rest, 600.0)


def matrix_simulate():
    simulate.integrate([0.0, 1.0, 2.0], [100.0, 1000.0], TWO.outflow_matrix()[None], TWO.input(100.0)[None])


def matrix_spinup():
    year = loops.Cycle.from_model(TWO, I=300.0, xi=[0.5, 1.5], dt=[0.5, 0.5])
    X0 = np.array([100.0, 1000.0])
    found = spinup.native(year, X0, tol=0.01, max_years=1e5)
    found.error_history(pool=1)
    found.years_to(0.1, pool=1)
    spinup.periodic(year, X0)
    spinup.sasu(year, X0, tol=0.01, max_years=1e5)
    spinup.accelerated(year, np.array([1.0, 10.0]), X0, tol=0.01, max_years=1e5)
    spinup.newton(year, X0, tol=0.01, max_years=1e5)
    spinup.anderson(year, X0, tol=0.01, max_years=1e5, memory=5)


def matrix_steps():
    steps.Moves().of_matrix(TWO.outflow_matrix(), 0.5)


def matrix_timeline():
    clock = timeline.Timeline.read(TWO, [0.0, 1.0, 2.0], 100.0)
    clock.at(0.5)
    clock.interval(0.5)


def matrix_typeset():
    typeset.card(TWO)
    typeset.of_column(COLUMN, "V22", digits=3)
    typeset.of_pools(TWO, "A", digits=3)


def models_clm5():
    theta = np.tile(clm5.DEFAULT, (2, 1))
    clm5.column(theta, SITES, rate=1.0)
    clm5.observed(theta, SITES, rate=1.0)
    clm5.observed_values(theta, SITES, rate=1.0)
    clm5.steady_state_and_vjp(theta, SITES, rate=1.0)


def models_clm45():
    theta = np.tile(clm45.PARAMETERS.default, (2, 1))
    clm45.column(theta, SITES)
    clm45.observed(theta, SITES)
    clm45.observed_values(theta, SITES)
    clm45.monthly_model(clm45.PARAMETERS.default, SITE)
    clm45.steady_state_and_vjp(theta, SITES)


def models_dalec():
    table = {"doy": [180.0], "max_temperature": [24.0], "min_temperature": [8.0], "radiation": [22.0], "co2": [355.0],
             "leaf_nitrogen": [2.7], "water_potential_difference": [-1.0], "hydraulic_resistance": [1.0]}
    dalec.Drivers.from_table(table).day(0)


def models_icbm():
    icbm.Treatment(0.2, 0.13, 1.0, (0.3, 4.0))


def models_parameters():
    clm5.PARAMETERS.dict(clm5.DEFAULT)
    clm5.PARAMETERS.subset(["q10", "beta"])


def models_rothc():
    months = (5.0,) * 12
    rothc.Field(months, months, months, (True,) * 12, (0.1,) * 12, clay=23.0, depth_cm=23.0, inert=2.0)


def models_site_climate():
    season = np.sin(2 * np.pi * (np.arange(12) - 4) / 12)
    T, P, S = 10.0 + 8.0 * season, np.full(12, 60.0), np.full(12, 0.5)
    site_climate.litter_input(450.0)
    site_climate.potential_evapotranspiration(T, S, 45.0)
    site_climate.water_scalar(np.full(12, 0.5), layers=20)
    site_climate.active_layer_depth(np.full((20, 12), 7.0) + season)
    site_climate.forcing_from_climate(T[None], P[None], S[None], [45.0], [10.0], [150.0], npp=[450.0])


def models_teco():
    teco.Forcing(np.full(3, 2.0), np.full(3, 10.0), np.full(3, 0.5)).xi(2.0)


def store_():
    with store.Store(Path(tempfile.mkdtemp()) / "run") as kept:
        kept.once("a/1", {"k": 1}, lambda: xr.Dataset({"x": ("t", [1.0])}))
        list(kept.names("a"))
        kept.forget("a")


def theory_ages():
    from landcarbon.theory import ages

    found = ages.transit_time(TWO, 100.0)
    found.cdf([1.0, 10.0])
    found.pdf([1.0, 10.0])
    found.sf([1.0, 10.0])
    found.quantile([0.5])


def theory_ages_through_time():
    from landcarbon.theory import ages_through_time as a

    a.start_empty(2)
    run = a.through_time(TWO, [0.0, 5.0, 10.0], 100.0, start=a.start_empty(2))
    found = run.pool_ages(at=[5.0])
    found.cdf([1.0, 10.0])
    found.pdf([1.0, 10.0])
    found.sf([1.0, 10.0])
    run.backward_transit_time(at=[5.0])
    run.forward_transit_time(at=[5.0])


def theory_traceability():
    from landcarbon.theory import traceability as t

    npp, stocks = np.full(3, 100.0), np.tile([50.0, 5.0, 500.0], (4, 1))
    t.chain_from_outputs(npp, stocks, np.tile([0.0, 60.0, 40.0], (3, 1)))
    months = 2 * np.pi * np.arange(24) / 12
    T, W = 10 + 10 * np.sin(months), 0.5 + 0.2 * np.sin(2 * months)
    K = 0.3 * 1.8 ** ((T - 25) / 10) * W**0.7
    t.fit_response(K[:, None], T, W).scalars(T, W)


WINGS = ("assimilation", "datasets", "forecasting", "learning", "matrix", "models", "theory")
MORE = {
    "store": store_,
    **{
        name.replace("observations_", "observations.").replace("_", ".", 1): function
        for name, function in globals().items()
        if callable(function) and name.partition("_")[0] in WINGS and "_" in name
    },
}
