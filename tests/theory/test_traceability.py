"""Components multiply back, attributions add up, planted components are found again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_model

from landcarbon.datasets.synthetic_mip import REFERENCE, synthetic_mip
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.layers import SoilLayers
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.simulate import integrate, simulate
from landcarbon.matrix.spinup import periodic
from landcarbon.theory.benchmarking import benchmark
from landcarbon.theory.traceability import (
    COMPONENTS,
    Components,
    attribute,
    chain_from_outputs,
    closure_gap,
    fit_response,
    standardise,
    trace,
    variance_shares,
)


def random_scalars(rng, n):
    return rng.uniform(0.1, 1.0, n), rng.uniform(0.1, 1.0, n)


@pytest.mark.parametrize("name", COMPONENTS)
def test_no_component_may_be_zero(name):
    one = dict.fromkeys(COMPONENTS, 1.0)
    Components(**one)
    with pytest.raises(InputError, match="none can be 0"):
        Components(**one | {name: 0.0})


def test_scalars_that_are_not_given_are_one():
    model = MatrixModel(("litter", "soil"), A=[[1, 0], [-0.3, 1]], K=[2.0, 0.02], B=[1, 0])
    plain, told = trace(model, 500.0), trace(model, 500.0, temperature=1.0, water=1.0)
    for name in COMPONENTS:
        assert getattr(plain, name) == getattr(told, name)
    assert plain.temperature == plain.water == 1.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 8))
def test_the_product_is_the_storage(seed, n):
    rng = np.random.default_rng(seed)
    model, (T, W), X = random_model(seed, n), random_scalars(rng, n), rng.uniform(1, 1e4, n)
    found = trace(model, 300.0, T, W, X=X)
    assert found.storage == pytest.approx(X.sum(), rel=1e-10)
    assert found.capacity == pytest.approx(model.steady_state(300.0, T * W).sum(), rel=1e-10)
    assert found.potential == pytest.approx(found.capacity - X.sum(), rel=1e-9, abs=1e-6)
    assert found.baseline == pytest.approx(model.steady_state(1.0).sum() / model.B.sum(), rel=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.floats(0.05, 1), st.floats(0.05, 1))
def test_a_common_scalar_is_found_as_it_is(seed, n, cold, dry):
    found = trace(random_model(seed, n), 1.0, cold, dry)
    assert found.temperature == pytest.approx(cold, rel=1e-9)
    assert found.water == pytest.approx(dry, rel=1e-9)
    assert found.filled == 1


def test_temperature_and_water_are_treated_alike():
    model, rng = random_model(3, 5), np.random.default_rng(3)
    T, W = random_scalars(rng, 5)
    one, two = trace(model, 1.0, T, W), trace(model, 1.0, W, T)
    assert one.temperature == pytest.approx(two.water, rel=1e-12)


def test_leading_axes_are_sites():
    model, rng = random_model(5, 4, lead=(6,)), np.random.default_rng(5)
    T = rng.uniform(0.2, 1, (6, 4))
    whole = trace(model, np.full(6, 200.0), T)
    alone = [
        trace(MatrixModel(model.pools, model.A[i], model.K[i], model.B[i]), 200.0, T[i]).capacity
        for i in range(6)
    ]
    np.testing.assert_allclose(whole.capacity, alone, rtol=1e-12)


def ensemble(models=6, seed=0):
    rng = np.random.default_rng(seed)
    return Components(*np.exp(rng.normal(0, 0.5, (len(COMPONENTS), models))))


def test_attribution_adds_up_exactly():
    models = ensemble()
    parts = attribute(models.select(0), models.select(slice(1, None)))
    expected = np.log(models.storage[1:] / models.storage[0])
    np.testing.assert_allclose(parts.sum("component"), expected, rtol=0, atol=1e-12)


def test_a_change_in_one_component_is_attributed_to_it_alone():
    models = ensemble()
    parts = attribute(models, models.replace(baseline=2 * models.baseline))
    np.testing.assert_allclose(parts.sel(component="baseline"), np.log(2))
    assert np.abs(parts.drop_sel(component="baseline")).max() < 1e-12


def test_shares_of_the_spread_add_up_to_one():
    shares = variance_shares(ensemble(models=9, seed=2))
    assert float(shares.sum()) == pytest.approx(1, abs=1e-12)


def test_standardising_all_components_leaves_no_spread():
    models = ensemble()
    spread = [models.storage.std()]
    for k in range(1, len(COMPONENTS) + 1):
        spread.append(standardise(models, COMPONENTS[:k]).storage.std())
    assert spread[-1] < 1e-12 * spread[0] and spread[0] > 0
    assert standardise(models, "npp").npp.std() == pytest.approx(0, abs=1e-12)


MONTHS = np.arange(13) / 12


def seasons(seed, n):
    """Scalars of temperature and water in twelve months (12, n), and the input of each."""
    rng = np.random.default_rng(seed)
    middle = 2 * np.pi * (np.arange(12) + 0.5) / 12
    T, W = (0.55 + np.sin(middle + rng.uniform(0, 2 * np.pi))[:, None] * rng.uniform(0.1, 0.4, n) for _ in "TW")
    return T, W, 400 * (1.1 + np.sin(middle))


@pytest.mark.parametrize("seed", range(10))
def test_a_year_that_repeats_is_filled_whatever_its_seasons(seed):
    n = 2 + seed % 6
    model, (T, W, I) = random_model(seed, n), seasons(seed, n)
    start = periodic(Cycle.from_model(model, I, T * W)).X
    run = simulate(model, MONTHS, start, I, T * W)
    told, repeated = trace(model, I, T, W, X=run.X_mean, t=MONTHS), trace(model, I, T, W, t=MONTHS)
    assert told.filled == pytest.approx(1.0, abs=1e-11)
    assert repeated.filled == pytest.approx(1.0, abs=1e-11)
    assert told.storage == pytest.approx(float(run.X_mean.mean("step").sum()), rel=1e-12)
    # Outputs that hold the ends of the months: within the ± 0.0005 that a table shows.
    ends = (run.X.values[1:] + run.X.values[:-1]) / 2
    assert trace(model, I, T, W, X=ends, t=MONTHS).filled == pytest.approx(1.0, abs=5e-4)


@pytest.mark.parametrize("seed", range(4))
def test_over_a_period_the_potential_is_the_change_that_is_still_to_come(seed):
    n = 3 + seed
    model, (T, W, I) = random_model(seed, n), seasons(seed, n)
    t = np.cumsum(np.concatenate([[0], np.random.default_rng(seed).uniform(0.02, 0.3, 12)]))
    run = simulate(model, t, np.full(n, 500.0), I, T * W)
    found = trace(model, I, T, W, X=run.X_mean, t=t)
    weight = run.X_mean.values * np.diff(t)[:, None]
    M = model.outflow_matrix((T * W * weight).sum(axis=0) / weight.sum(axis=0))
    potential = np.linalg.solve(M, (run.X[-1] - run.X[0]).values / (t[-1] - t[0]))
    assert found.potential == pytest.approx(potential.sum(), rel=1e-9)


def test_a_constant_period_is_a_moment():
    model, rng = random_model(2, 4), np.random.default_rng(2)
    (T, W), X = random_scalars(rng, 4), rng.uniform(1, 1e3, 4)
    now = trace(model, 200.0, T, W, X)
    period = trace(model, 200.0, T[None], W[None], X, t=MONTHS)
    for name in COMPONENTS:
        assert getattr(period, name) == pytest.approx(getattr(now, name), rel=1e-12)


def test_periods_of_columns_and_of_many_sites():
    T, W, I = seasons(1, 1)
    column = LayeredModel(("litter", "soil"), SoilLayers([0.1, 0.4]), A=[[1, 0], [-0.4, 1]],
                          K=[[2.0, 1.0], [0.1, 0.02]], down=[0.03], up=[0.01])
    brought = I[:, None, None] * np.array([[0.7, 0.3], [0.0, 0.0]])
    found = trace(column, brought, T[:, :, None], W[:, :, None], t=MONTHS)
    assert found.filled == pytest.approx(1.0, abs=1e-11)
    sites = random_model(3, 3, lead=(5,))
    T, W, I = seasons(3, 3)
    found = trace(sites, I[:, None], T[:, None], W[:, None], t=MONTHS)
    np.testing.assert_allclose(found.filled, np.ones(5), atol=1e-11)


def test_means_of_a_year_that_varies_are_warned_of():
    model, (T, W, I) = random_model(6, 3), seasons(6, 3)
    mean = np.full(3, 300.0)
    with pytest.warns(UserWarning, match="one mean state"):
        trace(model, I, T, W, X=mean, t=MONTHS)


def test_an_empty_pool_weighs_its_months_alike():
    model, (T, W, I) = random_model(6, 3), seasons(6, 3)
    X = np.tile([100.0, 0.0, 50.0], (12, 1))
    found = trace(model, I, T, W, X=X, t=MONTHS)
    xi = (T * W).mean(axis=0)
    assert found.capacity == pytest.approx(model.steady_state(I.mean(), xi).sum(), rel=1e-10)


def test_the_standard_components_multiply_to_the_capacity():
    models = ensemble(models=7)
    standard = models.standard(gpp=2.2 * models.npp)
    np.testing.assert_allclose(standard.capacity, models.capacity, rtol=1e-13)
    np.testing.assert_allclose(standard.cue, 1 / 2.2)
    shares = variance_shares(standard)
    assert list(shares.component.values) == ["gpp", "cue", "baseline", "temperature", "water"]
    assert float(shares.sum()) == pytest.approx(1, abs=1e-12)
    change = attribute(standard.select(0), standard.select(1))
    assert float(change.sum()) == pytest.approx(np.log(models.capacity[1] / models.capacity[0]), abs=1e-12)
    assert standardise(standard).capacity.std() < 1e-9 * models.capacity.mean()


def burning(share=0.05):
    """Outputs in which a share of the input burns in litter and stands in no other column."""
    mip = synthetic_mip(n_models=3, n_sites=10, n_years=6, rng=2)
    fire = np.zeros(mip.respiration.shape)
    fire[..., 1] = share * mip.npp
    return mip.npp.values, mip.stocks.values, mip.respiration.values - fire, fire


def test_a_loss_that_is_named_closes_the_balance():
    npp, stocks, respiration, fire = burning()
    whole = chain_from_outputs(npp, stocks, respiration + fire)
    named = chain_from_outputs(npp, stocks, respiration, losses=fire)
    np.testing.assert_allclose(named.K, whole.K, rtol=1e-12)
    np.testing.assert_allclose(named.A, whole.A, atol=1e-12)
    np.testing.assert_allclose(closure_gap(npp, stocks, respiration) / npp, 0.05, atol=1e-9)
    np.testing.assert_allclose(closure_gap(npp, stocks, respiration, fire), 0, atol=1e-9)


def test_a_gap_can_be_carried_along_and_stands_in_the_potential():
    npp, stocks, respiration, _ = burning()
    with pytest.raises(InputError, match=r"5 % of NPP.*losses=.*tolerance"):
        chain_from_outputs(npp, stocks, respiration, tolerance=0.04)
    found = chain_from_outputs(npp, stocks, respiration, tolerance=0.06)
    X = (stocks[..., 1:, :] + stocks[..., :-1, :]) / 2
    gap = closure_gap(npp, stocks, respiration)
    change = np.diff(stocks, axis=-2)
    change[..., 2] += gap
    potential = np.linalg.solve(found.outflow_matrix(), change[..., None])[..., 0].sum(axis=-1)
    np.testing.assert_allclose(trace(found, npp, X=X).potential, potential, rtol=1e-7, atol=1e-6)


def test_collinear_drivers_leave_the_fit_and_lose_the_parts():
    rng = np.random.default_rng(4)
    T = rng.uniform(0, 25, 60)
    apart, alike = rng.uniform(0.3, 1, 60), 1 - 0.02 * T + 0.01 * rng.normal(size=60)

    def fit(W):
        noise = np.exp(0.05 * rng.normal(size=60))
        return fit_response((0.3 * 1.8 ** ((T - 25) / 10) * W**0.7 * noise)[:, None], T, W)

    good, bad = fit(apart), fit(alike)
    assert bad.r2 > 0.95
    assert bad.q10_error > 5 * good.q10_error and bad.power_error > 5 * good.power_error
    draws = [fit(alike) for _ in range(400)]
    spread = np.std([np.log(d.q10[0]) for d in draws])
    assert np.mean([d.q10_error[0] for d in draws]) == pytest.approx(spread, rel=0.1)
    assert np.mean([d.power_error[0] for d in draws]) == pytest.approx(np.std([d.power[0] for d in draws]), rel=0.1)


def test_outputs_give_back_the_model_exactly_where_stocks_do_not_change():
    model = MatrixModel(("plants", "litter", "soil"), [[1, 0, 0], [-0.9, 1, 0], [0, -0.3, 1]],
                        K=[0.1, 0.8, 0.03], B=[1, 0, 0])
    X = model.steady_state(500.0)
    found = chain_from_outputs(
        np.full(4, 500.0), np.tile(X, (5, 1)), np.tile(model.respiration(X), (4, 1))
    )
    np.testing.assert_allclose(found.K, np.tile(model.K, (4, 1)), rtol=1e-12)
    np.testing.assert_allclose(found.A, np.tile(model.A, (4, 1, 1)), atol=1e-12)


def test_the_error_of_the_mean_stock_shrinks_with_the_square_of_the_step():
    model = MatrixModel(("plants", "litter", "soil"), [[1, 0, 0], [-1, 1, 0], [0, -0.3, 1]],
                        K=[0.2, 0.8, 0.03], B=[1, 0, 0])
    miss = []
    for dt in (1.0, 0.5):
        t = np.arange(0, 10 + dt / 2, dt)
        run = integrate(t, [100.0, 900.0, 2000.0], model.outflow_matrix()[None], model.input(500.0)[None])
        R = model.respired_fraction * model.K * run.integral / dt
        found = chain_from_outputs(np.full(len(t) - 1, 500.0), run.X, R, dt=dt)
        miss.append(np.abs(found.K / model.K - 1).max())
    assert miss[0] == pytest.approx(0.8**2 / 12, rel=0.1)  # the fastest pool, while it empties
    assert 3 < miss[0] / miss[1] < 5


def test_the_explained_share_is_the_squared_correlation_with_the_fit():
    rng = np.random.default_rng(2)
    T, W = rng.uniform(0, 25, 60), rng.uniform(0.2, 1, 60)
    exact = 0.3 * 1.8 ** ((T - 25) / 10) * W**0.7
    K = np.stack([exact, exact * np.exp(0.3 * rng.normal(size=60)), np.full(60, 0.2)], axis=-1)
    found = fit_response(K, T, W)
    xT, xW = found.scalars(T, W)
    fitted = np.log(found.K * xT * xW)[:, 1]
    expected = np.corrcoef(np.log(K[:, 1]), fitted)[0, 1] ** 2
    assert 0.3 < expected < 0.9
    np.testing.assert_allclose(found.r2, [1.0, expected, 0.0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([found.K[0], found.q10[0], found.power[0]], [0.3, 1.8, 0.7], rtol=1e-9)


def test_standardising_keeps_the_geometric_mean_and_leaves_the_rest():
    models = ensemble()
    found = standardise(models, ["npp"])
    np.testing.assert_allclose(found.npp, np.exp(np.log(models.npp).mean()))
    np.testing.assert_array_equal(found.baseline, models.baseline)


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_components_of_eight_models_are_recovered_to_three_percent(seed):
    mip = synthetic_mip(n_models=8, rng=seed)
    chain = chain_from_outputs(mip.npp, mip.stocks, mip.respiration)
    response = fit_response(chain.K.mean(axis=-2), mip.temperature.broadcast_like(mip.npp[..., 0]),
                            mip.water.broadcast_like(mip.npp[..., 0]))
    np.testing.assert_allclose(response.K, mip.true_K, rtol=0.03)
    np.testing.assert_allclose(response.q10, mip.true_q10, rtol=0.03)
    np.testing.assert_allclose(response.power, mip.true_power, atol=0.03)
    kept = -np.stack([chain.A[..., 1, 0], chain.A[..., 2, 1]], axis=-1)
    np.testing.assert_allclose(kept, np.broadcast_to(mip.true_transfer.values[:, None, None, :2], kept.shape),
                               rtol=0.03)


def test_the_components_of_the_outputs_are_those_of_the_planted_models():
    mip = synthetic_mip(rng=4)
    chain = chain_from_outputs(mip.npp, mip.stocks, mip.respiration)
    T, W = (mip[v].broadcast_like(mip.npp[..., 0]) for v in ("temperature", "water"))
    xT, xW = (x[:, :, None] for x in fit_response(chain.K.mean(axis=-2), T, W).scalars(T, W))
    found = trace(chain.replace(K=chain.K / (xT * xW)), mip.npp, xT, xW,
                  X=(mip.stocks[..., 1:, :].values + mip.stocks[..., :-1, :].values) / 2)

    kept, ones = mip.true_transfer.values, np.ones((8, 1))
    A = np.broadcast_to(np.eye(3), (8, 3, 3)).copy()
    A[:, 1, 0], A[:, 2, 1] = -kept[:, 0], -kept[:, 1]
    planted = MatrixModel(mip.pool.values, A[:, None], mip.true_K.values[:, None], [1, 0, 0])
    true_T = mip.true_q10.values[:, None] ** ((mip.temperature.values[:, None] - REFERENCE) / 10)
    true_W = mip.water.values[:, None] ** mip.true_power.values[:, None]
    truth = trace(planted, 1.0 * ones, true_T, true_W)
    for name in ("baseline", "temperature", "water"):
        value = getattr(found, name).mean(axis=-1)
        np.testing.assert_allclose(value, getattr(truth, name), rtol=0.03, err_msg=name)
    # Input rises, so the land lags behind its capacity.
    assert (found.filled[..., -1] < 1).mean() > 0.95


def test_benchmark_scores_lie_between_zero_and_one_and_order_models():
    rng = np.random.default_rng(0)
    ref = rng.gamma(2.0, size=(30, 1)) + rng.normal(size=(30, 24))
    models = np.stack([ref, ref + 0.3 * rng.normal(size=ref.shape), rng.normal(size=ref.shape), -ref])
    scores = benchmark(models, ref)
    for name in scores.data_vars:
        values = scores[name].values
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()
    assert scores.overall.values[0] == pytest.approx(1)
    assert (np.diff(scores.overall.values[:3]) < 0).all()
    assert scores.pattern.values[3] == pytest.approx(0, abs=1e-12)


def test_benchmark_leaves_gaps_out_and_weighs_places():
    rng = np.random.default_rng(1)
    ref = rng.normal(size=(5, 10)) + np.arange(5)[:, None]
    model = ref.copy()
    model[0] += 5
    gaps = ref.copy()
    gaps[1, 3] = np.nan
    spoilt = model.copy()
    spoilt[1, 3] = 1e6
    assert benchmark(spoilt, gaps).overall == pytest.approx(float(benchmark(model, gaps).overall))
    assert benchmark(model, ref, weights=[0, 1, 1, 1, 1]).overall == pytest.approx(1)


MODEL = MatrixModel(("litter", "soil"), [[1, 0], [-0.3, 1]], K=[2, 0.02], B=[1, 0])
GOOD = {"npp": np.full(3, 100.0), "stocks": np.tile([50.0, 5.0, 500.0], (4, 1)),
        "respiration": np.tile([0.0, 60.0, 40.0], (3, 1))}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: trace(MODEL, 500.0, temperature=0.0), "nothing would ever leave"),
        (lambda: trace(MODEL, 0.0), "nothing to trace"),
        (lambda: trace(MODEL, 500.0, X=[1.0]), "litter"),
        (lambda: ensemble().replace(cue=0.3), "no component 'cue'"),
        (lambda: standardise(ensemble(), "tau"), "no component 'tau'"),
        (lambda: ensemble().standard(gpp=1e-9), "more than they take up"),
        (lambda: attribute(ensemble(), ensemble().standard(gpp=1e9)), "two of one kind"),
        (lambda: trace(MODEL, 500.0, temperature=[1.0, 0.0], t=[0, 1, 2]), "nothing would ever leave"),
        (lambda: trace(MODEL, 500.0, temperature=[1.0, 0.5, 0.5], t=[0, 1, 2]), "time comes first"),
        (lambda: trace(MODEL, 500.0, X=[[1.0], [2.0]], t=[0, 1, 2]), "litter"),
        (lambda: chain_from_outputs(**GOOD, losses=[[1.0]]), "shape of respiration"),
        (lambda: chain_from_outputs(**GOOD, tolerance=-0.1), "tolerance must be at least 0"),
        (lambda: variance_shares(ensemble(models=2)), "at least three"),
        (lambda: variance_shares(standardise(ensemble())), "no spread"),
        (lambda: chain_from_outputs(**GOOD | {"npp": np.full(3, 1e5)}), "Are the units the same"),
        (lambda: chain_from_outputs(**GOOD | {"stocks": GOOD["stocks"][:3]}), r"steps \+ 1"),
        (lambda: chain_from_outputs(**GOOD | {"respiration": np.tile([101.0, -1.0, 0], (3, 1))}), "at least 0"),
        (lambda: chain_from_outputs(
            np.full(3, 100.0), np.tile([50.0, 5.0, 500.0], (4, 1)) + np.arange(4)[:, None] * [200, 0, 0],
            np.tile([0.0, 0.0, 0.0], (3, 1))), "do not close"),
        (lambda: chain_from_outputs(**GOOD, dt=0.0), "dt must be above 0"),
        (lambda: chain_from_outputs(**GOOD | {"npp": [100.0, 0.0, 100.0]}), "npp must be above 0"),
        (lambda: chain_from_outputs(
            np.full(3, 100.0), np.tile([50.0, 5.0, 500.0], (4, 1)),
            np.tile([0.0, 0.0, 100.0], (3, 1)) + [[0], [1], [0]] * np.array([0.0, 100.5, -100.5])),
         "at least 0"),
        (lambda: chain_from_outputs(
            np.full(3, 100.0), np.tile([50.0, 5.0, 500.0], (4, 1)),
            [[0.0, 60.0, 40.0], [100.0, 0.0, 0.0], [0.0, 60.0, 40.0]]), "less leaves pool 'litter'"),
        (lambda: fit_response(np.ones((12, 2)), np.full(12, 10.0), np.ones(12)), "vary together"),
        (lambda: fit_response(np.ones((5, 2)), np.arange(5), np.ones(5)), "at least ten samples"),
        (lambda: benchmark(np.ones((4, 5)), np.ones((4, 5))), "does not vary"),
        (lambda: benchmark(np.ones((4, 6)), np.ones((4, 5))), "site, time"),
        (lambda: synthetic_mip(n_models=2), "n_models must be a whole number, at least 3"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
