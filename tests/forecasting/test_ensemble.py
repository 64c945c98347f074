"""Ensembles against closed forms and against a loop over members; each source switches alone."""

import numpy as np
import pytest
from scipy.linalg import expm

from landcarbon.forecasting import (
    SOURCES,
    ProcessError,
    Steps,
    add_observation_error,
    analogue_years,
    forecast,
    layered_step,
    matrix_step,
)
from landcarbon.matrix import InputError, MatrixModel
from landcarbon.models import clm5

MODEL = MatrixModel(("litter", "soil"), [[1, 0], [-0.3, 1]], [2.0, 0.02], [1, 0])


def spread(members=40, seed=0):
    """A model and initial states that differ among members, and as many input scenarios."""
    rng = np.random.default_rng(seed)
    model = MODEL.replace(K=MODEL.K * np.exp(0.2 * rng.normal(size=(members, 2))))
    X0 = MODEL.steady_state(500.0) * np.exp(0.1 * rng.normal(size=(members, 2)))
    I = 500 * np.exp(0.3 * rng.normal(size=(members, 30)))
    return model, X0, I


def test_every_member_is_its_own_run():
    model, X0, I = spread()
    xi = 1 + 0.2 * np.sin(np.arange(30.0))
    f = forecast(model, X0, drivers={"I": I, "xi": xi}, steps=Steps(dt=0.5))
    for m in (0, 17, 39):
        one = MODEL.replace(K=model.K[m])
        X = X0[m]
        for t in range(30):
            P = expm(-one.outflow_matrix(xi[t]) * 0.5)
            equilibrium = one.steady_state(I[m, t], xi[t])
            X = equilibrium + P @ (X - equilibrium)
        assert np.allclose(f["X"].sel(member=m).values[-1], X, rtol=1e-10)


def test_steady_state_stays_with_every_method():
    X0 = MODEL.steady_state(500.0)
    for method in ("exponential", "implicit", "explicit"):
        steps = Steps(dt=0.1, method=method)
        f = forecast(MODEL, X0, drivers={"I": np.full(20, 500.0)}, steps=steps)
        assert np.allclose(f["X"], X0, rtol=1e-12)


def test_methods_meet_as_the_step_shrinks():
    X0, errors = np.array([100.0, 9000.0]), {}
    for method in ("implicit", "explicit"):
        errors[method] = []
        for dt in (0.1, 0.05):
            drivers = {"I": np.full(round(1 / dt), 300.0)}
            good, other = (
                forecast(MODEL, X0, drivers=drivers, steps=steps)["X"].values[0, -1]
                for steps in (Steps(dt=dt), Steps(dt=dt, method=method))
            )
            errors[method].append(np.abs(other - good).max())
        assert errors[method][1] == pytest.approx(errors[method][0] / 2, rel=0.15)


def test_one_row_serves_all_members_and_a_shared_scenario_gives_the_same_as_copies():
    model, X0, I = spread()
    shared = forecast(model, X0, drivers={"I": I[0], "xi": np.ones(30)})
    copies = forecast(model, X0, drivers={"I": np.tile(I[0], (40, 1)), "xi": np.ones((40, 30))})
    assert np.allclose(shared["X"], copies["X"], rtol=1e-12)


def test_any_step_function_runs():
    def step(X, parameters, drivers):
        return X * np.exp(-parameters[:, :1]) + drivers[:, None]

    k = np.linspace(0.1, 1.0, 5)[:, None]
    steps = Steps(pools=["soil"])
    f = forecast(step, [10.0], theta=k, drivers=np.full(200, 2.0), steps=steps)
    assert np.allclose(f["X"].isel(time=-1, pool=0), 2 / (1 - np.exp(-k[:, 0])), rtol=1e-6)
    assert f["X"].dims == ("member", "time", "pool")
    assert f["X"].attrs["units"] == "gC m-2"
    assert f.attrs["sources"] == "initial, parameters, drivers, process"


def test_a_built_model_equals_the_model_with_members():
    model, X0, I = spread()

    def build(parameters, drivers):
        return MODEL.replace(K=parameters), drivers["I"], 1.0

    f = forecast(matrix_step(build, 1.0), X0, theta=model.K, drivers={"I": I})
    assert np.allclose(f["X"], forecast(model, X0, drivers={"I": I})["X"], rtol=1e-12)


def test_sources_switch_one_by_one():
    model, X0, I = spread()

    def sd(*on):
        f = forecast(model, X0, drivers={"I": I}, process_sd=0.05, sources=on, rng=1)
        return f["X"].std("member")

    assert float(sd().max()) < 1e-9
    assert float(sd("initial").isel(time=0).min()) > 0
    assert sd("initial").isel(time=-1, pool=0) < 1e-9
    for source in ("parameters", "drivers", "process"):
        assert float(sd(source).isel(time=0).max()) < 1e-9
        assert float(sd(source).isel(time=-1).min()) > 1
    assert (sd(*SOURCES).isel(time=5) > sd("process").isel(time=5)).all()


def test_a_source_held_is_held_at_its_mean():
    model, X0, I = spread()
    f = forecast(model, X0, drivers={"I": I}, sources=())
    by_hand = forecast(
        MODEL.replace(K=model.K.mean(0)), X0.mean(0), drivers={"I": I.mean(0)}, sources=SOURCES
    )
    assert np.allclose(f["X"].isel(member=7), by_hand["X"].isel(member=0), rtol=1e-12)


def test_switching_a_source_leaves_the_random_numbers_of_the_others():
    _, X0, I = spread()
    args = {"drivers": {"I": I[:8]}, "process_sd": 0.05, "rng": 3}
    with_noise = forecast(MODEL, X0, sources=("drivers", "process"), **args)["X"]
    without = forecast(MODEL, X0, sources=("drivers",), **args)["X"]
    noise_only = forecast(MODEL, X0, sources=("process",), **args)["X"]
    neither = forecast(MODEL, X0, sources=(), **args)["X"]
    factor = (with_noise / without).isel(time=1)
    assert float(factor.std()) > 0.04
    assert np.allclose(factor, (noise_only / neither).isel(time=1), rtol=1e-12)


def test_scenarios_are_shared_out_evenly_and_kept_together():
    level = np.repeat(np.arange(4.0)[:, None], 3, axis=1)
    seen = {}

    def step(X, parameters, drivers):
        seen["a"], seen["b"] = drivers["a"].copy(), drivers["b"].copy()
        return X

    forecast(step, np.ones((12, 1)), drivers={"a": level, "b": 10 * level})
    assert np.bincount(seen["a"].astype(int)).tolist() == [3, 3, 3, 3]
    assert np.array_equal(seen["b"], 10 * seen["a"])


def test_relative_noise_keeps_the_mean_and_the_sign():
    f = forecast(
        lambda X, p, d: X,
        np.tile([2.0, 5.0], (20_000, 1)),
        steps=Steps(16, dt=0.25),
        process_sd=[0.1, 0.4],
    )
    end = f["X"].isel(time=-1)
    assert float(end.min()) > 0
    assert np.allclose(end.mean("member"), [2.0, 5.0], rtol=0.03)
    assert np.allclose(np.log(end).std("member"), [0.2, 0.8], rtol=0.03)


def test_absolute_noise_grows_like_the_square_root_of_time():
    f = forecast(
        lambda X, p, d: X,
        np.zeros((20_000, 1)),
        steps=16,
        process_sd=ProcessError(1.0, relative=False),
    )
    assert np.allclose(f["X"].std("member").isel(pool=0), np.sqrt(np.arange(17)), rtol=0.03)


def test_fluxes_and_thinning():
    model, X0, I = spread()

    def respiration(X, parameters, drivers):
        return {"respiration": model.respiration(X).sum(-1)}

    f = forecast(model, X0, drivers={"I": I}, steps=Steps(diagnose=respiration, every=5))
    assert f["respiration"].dims == ("member", "time")
    assert f.sizes["time"] == 7
    assert np.array_equal(np.isnan(f["respiration"]).all("member"), [False] * 6 + [True])
    whole = forecast(model, X0, drivers={"I": I}, steps=Steps(diagnose=respiration))
    assert np.array_equal(f["X"], whole["X"].isel(time=slice(None, None, 5)))
    assert np.array_equal(f["respiration"][:, :6], whole["respiration"][:, 0:30:5])
    assert f["lead"].values.tolist() == [0, 5, 10, 15, 20, 25, 30]


def test_time_stamps():
    time = np.arange("2020-01-01", "2020-02-01", dtype="datetime64[D]").astype("datetime64[ns]")
    f = forecast(MODEL, [1.0, 1.0], drivers={"I": np.ones(30)}, steps=Steps(dt=1 / 365, time=time))
    assert f["time"].values[-1] == np.datetime64("2020-01-31")


def test_the_seed_decides():
    a, b, c = (
        forecast(
            MODEL,
            np.full((4, 2), 9.0),
            drivers={"I": np.ones(5)},
            process_sd=0.1,
            rng=r,
        )
        for r in (1, 1, 2)
    )
    assert a.identical(b)
    assert not a.identical(c)


def test_analogue_years_are_whole_years_shared_by_all_drivers():
    year, month = np.divmod(np.arange(12 * 6 + 5), 12)
    d = analogue_years({"year": year, "month": month}, 12, 30, n_members=50, start=4, rng=2)
    assert d["year"].shape == (50, 30)
    assert (d["month"] == (np.arange(30) + 4) % 12).all()
    assert (d["year"][:, :8] == d["year"][:, :1]).all()
    assert (d["year"][:, 8:20] == d["year"][:, 8:9]).all()
    assert set(d["year"].ravel().astype(int)) == set(range(6))
    only = analogue_years(year, 12, 12, n_members=9, weights=[0, 0, 1, 0, 0, 0])
    assert (only == 2).all()


def clm5_columns(n, seed=0):
    """n soil columns that differ in parameters and climate."""
    rng = np.random.default_rng(seed)
    P = clm5.PARAMETERS
    theta = P.lower + rng.uniform(0.2, 0.8, (n, len(P))) * (P.upper - P.lower)
    site = clm5.Forcing(
        soil_temperature=rng.normal(283, 5, (n, 1, 1)) * np.ones((20, 12)),
        water_scalar=rng.uniform(0.3, 1.0, (n, 20, 12)),
        litter_input=rng.uniform(20, 200, (n, 4)),
    )
    return clm5.column(theta, site)


def test_a_layered_step_is_the_implicit_step_of_the_whole_matrix():
    column, b = clm5_columns(6)
    dt, n = 0.5, 7 * 20
    X = np.random.default_rng(1).uniform(10, 1000, (6, n))
    right = X + dt * 1.3 * b.reshape(6, n)
    whole = np.linalg.solve(np.eye(n) + dt * column.outflow_matrix(), right[..., None])[..., 0]
    stepped = layered_step(column, b, dt)(X, None, {"input": np.full(6, 1.3)})
    assert np.allclose(stepped, whole, rtol=1e-9, atol=1e-12 * whole.max())


def test_a_column_stays_at_its_steady_state_and_returns_to_it():
    column, b = clm5_columns(4)
    X = column.steady_state(b).reshape(4, -1)
    step = layered_step(column, b, 1.0)
    f = forecast(step, X, drivers={"input": np.ones(30)})
    assert np.allclose(f["X"], X[:, None], rtol=1e-9, atol=1e-12 * X.max())
    # Members with one column: 10 % more input raises the stock, by less than 10 % at first.
    one = column.replace(A=column.A[0], K=column.K[0], down=column.down[0], up=column.up[0])
    drivers = {"input": np.array([[1.0] * 40, [1.1] * 40])}
    f = forecast(layered_step(one, b[0], 1.0), X[[0, 0]], drivers=drivers)
    ratio = (f["X"].sel(member=1).sum("pool") / f["X"].sel(member=0).sum("pool")).values
    assert (np.diff(ratio) > 0).all()
    assert 1 < ratio[1] < ratio[-1] < 1.1


def test_observation_error():
    f = forecast(
        MODEL, np.tile(MODEL.steady_state(500.0), (5000, 1)), drivers={"I": np.full(3, 500.0)}
    )
    measured = add_observation_error(f["X"].isel(time=-1), [10.0, 200.0])
    assert measured.dims == ("member", "pool")
    assert np.allclose(measured.std("member"), [10.0, 200.0], rtol=0.05)
    ratio = add_observation_error(f["X"], 0.3, relative=True) / f["X"]
    assert float(np.log(ratio).std()) == pytest.approx(0.3, rel=0.02)


def nan_step(X, parameters, drivers):
    out = X.copy()
    out[1, 0] = np.nan
    return out


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: forecast(MODEL, np.ones((3, 2)), steps=4), "driven by a dict"),
        (lambda: forecast(MODEL, np.ones((3, 2))), "how many steps"),
        (lambda: forecast(MODEL, np.ones((3, 3)), drivers={"I": np.ones(4)}), "litter, soil"),
        (lambda: forecast(MODEL, [1.0, np.nan], drivers={"I": np.ones(4)}), "initial holds 1"),
        (lambda: forecast(MODEL, [1.0, 1.0], drivers={"I": [1.0, np.nan]}), "driver 'I' holds 1"),
        (
            lambda: forecast(MODEL, [1.0, 1.0], drivers={"I": np.ones(4), "xi": np.ones(5)}),
            "I has 4, xi has 5",
        ),
        (
            lambda: forecast(MODEL, np.ones((2, 2)), drivers={"I": np.ones((3, 4))}),
            "3 scenarios",
        ),
        (lambda: forecast(MODEL, [1.0, 1.0], drivers={"I": np.ones(4), "T": np.ones(4)}), "I, T"),
        (
            lambda: forecast(nan_step, np.ones((3, 1)), theta=np.ones((4, 2)), steps=2),
            "initial has 3, parameters has 4",
        ),
        (lambda: forecast(nan_step, np.ones((3, 1)), steps=2), "Step 0 gave NaN"),
        (lambda: forecast(lambda X, p, d: X[0], np.ones((3, 1)), steps=2), "returned shape"),
        (lambda: forecast(nan_step, [1.0], steps=2, sources=["driver"]), "no source"),
        (lambda: forecast(lambda X, p, d: None, [1.0], steps=2), "forget `return`"),
        (lambda: forecast(nan_step, np.ones((2, 2, 2)), steps=2), "initial must be"),
        (lambda: forecast(nan_step, [1.0], steps=Steps(2, dt=0.0)), "above 0"),
        (lambda: forecast(nan_step, [1.0], steps=2, process_sd=-1.0), "process_sd"),
        (lambda: forecast(nan_step, [1.0], steps=Steps(5, every=2)), "divide the 5 steps"),
        (lambda: forecast(MODEL, [1.0, 1.0], theta=[1.0], drivers={"I": [1.0]}), "leave"),
        (lambda: matrix_step(MODEL, 1.0, "euler"), "exponential"),
        (
            lambda: forecast(MODEL, [1.0, 1.0], drivers={"I": np.ones(4)}, steps=Steps(method="explicit")),
            "too long for the explicit",
        ),
        (
            lambda: forecast(MODEL, [1.0, 1.0], drivers={"I": np.ones(4)}, steps=Steps(time=[1.0])),
            "time must hold 5",
        ),
        (lambda: forecast(MODEL, [1.0, 1.0], drivers={"I": np.ones(4)}, steps=Steps(pools=["a"])), "names 1 pools"),
        (lambda: layered_step(clm5_columns(2)[0], np.ones((3, 3)), 1.0), "b must end"),
        (lambda: layered_step(*clm5_columns(2), -1.0), "above 0"),
        (lambda: layered_step(*clm5_columns(2), 1.0)(np.ones((2, 3)), None, None), "7 pools in 20"),
        (
            lambda: layered_step(*clm5_columns(2), 1.0)(np.ones((2, 140)), None, {"I": 1}),
            "dict with 'input'",
        ),
        (lambda: analogue_years(np.ones(11), 12, 5, 2), "shorter than one year"),
        (lambda: analogue_years(np.ones(24), 12, 5, 2, start=12), "within the year"),
        (lambda: analogue_years(np.ones(24), 12, 5, 2, weights=[0, 0]), "all 0"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words) as err:
        call()
    assert str(err.value).endswith(".")
