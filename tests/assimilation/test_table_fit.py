"""Fits of tables: densities against the dense normal, plots against the matrix equation, calibration, coverage."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import expm
from scipy.stats import multivariate_normal, norm

from landcarbon.assimilation import fit, plot_pools, sample
from landcarbon.assimilation.calibration import Calibration, few, rank
from landcarbon.assimilation.stated import StatedPrior, half_normal, log_normal, normal, uniform
from landcarbon.assimilation.table_fit import TableModel, decimal_years
from landcarbon.matrix.errors import InputError
from landcarbon.workflow.fit_report import fit_report

LINE = {"a": normal(10.0, 2.0), "b": normal(0.0, 1.0)}
SPREADS = {"sigma_mass": half_normal(0.2), "floor_mass": half_normal(0.5), "floor_gas": half_normal(1.0),
           "tau": half_normal(0.2)}  # fmt: skip
KINDS = {"gas": "absolute", "mass": "both"}


def line(p, rows):
    """Two streams of one line: the mass itself, and the gas, half of it."""
    mass = p["a"][..., None] + p["b"][..., None] * rows["x"].to_numpy()
    return np.where(rows["variable"] == "mass", mass, 0.5 * mass)


def rows_of(n, n_plots):
    x = np.tile(np.linspace(0.0, 3.0, n), 2 * n_plots)
    return pd.DataFrame({
        "x": x, "variable": np.repeat(["mass", "gas"], n * n_plots), "value": 0.0,
        "plot": np.tile(np.repeat([f"p{i}" for i in range(n_plots)], n), 2),
    })  # fmt: skip


def test_groups_put_away_are_the_dense_normal():
    rows = rows_of(3, 2).assign(value=np.random.default_rng(1).normal(8, 2, 12))
    model = TableModel(line, rows, StatedPrior(LINE | SPREADS), KINDS, "plot")
    theta = model.prior.sample(4, rng=2)
    found = model.densities(theta)
    for t, each in zip(theta, found):
        p = model.prior.dict(t)
        h = line({k: np.asarray(v) for k, v in p.items()}, rows)
        mass = (rows["variable"] == "mass").to_numpy()
        var = np.where(mass, p["floor_mass"] ** 2 + (p["sigma_mass"] * h) ** 2, p["floor_gas"] ** 2)
        for g, name in enumerate(("p0", "p1")):
            i = (rows["plot"] == name).to_numpy()
            C = np.diag(var[i]) + p["tau"] ** 2 * np.outer(h[i], h[i])
            assert each[g] == pytest.approx(multivariate_normal(h[i], C).logpdf(rows["value"][i]), rel=1e-9)
    alone = replace(model, by=None)
    sd = np.sqrt(alone.predict(theta)[1] ** 2)
    np.testing.assert_allclose(alone.densities(theta), norm(alone.predict(theta)[0], sd).logpdf(rows["value"]))


def test_streams_errors_and_groups_are_calibrated():
    """Truths of line, three errors and the spread of plots from the prior, a hundred times."""
    blank = TableModel(line, rows_of(4, 4), StatedPrior(LINE | SPREADS), KINDS, "plot")
    truth = blank.prior.sample(100, rng=3)
    made = blank.replicate(truth, rng=4).simulated
    ranks = []
    for k in range(100):
        model = replace(blank, rows=blank.rows.assign(value=made[k]))
        ranks.append(rank(truth[k], few(sample(model.posterior(), "smc", k, n_draws=200), 99)))
    result = Calibration(blank.prior.names, np.stack(ranks), 99)
    assert result.p_value(bins=10) > 0.01
    np.testing.assert_allclose(result.coverage(0.9), 0.9, atol=0.1)


def test_plots_are_those_of_the_matrix_equation():
    model = plot_pools("wood", "litter", "soil", since=2012, warming="warm")
    p = {"input": 400.0, "to_wood": 0.4, "k_wood": 0.05, "k_litter": 0.5, "k_soil": 0.02, "kept_wood": 0.6,
         "kept_litter": 0.3, "start_wood": 2500.0, "start_litter": 480.0, "start_soil": 5200.0, "q10": 2.5}  # fmt: skip
    assert set(p) == set(model.names)
    rows = pd.DataFrame({
        "time": pd.to_datetime(["2012-01-01", "2015-01-01", "2021-07-02", "2015-01-01"]), "warm": [0.0, 0.0, 4.0, 4.0],
        "variable": ["soil", "wood", "soil", "respiration"], "value": 1.0,
    })  # fmt: skip
    said = model({k: np.array([v, v]) for k, v in p.items()}, rows)
    for i, (warm, t) in enumerate(zip(rows["warm"], decimal_years(rows) - 2012)):
        w = 2.5 ** (warm / 10)
        K = np.diag([0.05, 0.5 * w, 0.02 * w])
        A = np.array([[1, 0, 0], [-0.6, 1, 0], [0, -0.3, 1]])
        rest = np.linalg.solve(A @ K, [160.0, 240.0, 0.0])
        X = rest + expm(-A @ K * t) @ (np.array([2500.0, 480.0, 5200.0]) - rest)
        wanted = {"soil": X[2], "wood": X[0], "respiration": (A.sum(0) @ K @ X) / 365.25}[rows["variable"][i]]
        np.testing.assert_allclose(said[:, i], wanted, rtol=1e-6)


def plots_of(rng):
    """Three plots, eight years, two streams, the last year to be held out."""
    rng = np.random.default_rng(rng)
    time = pd.to_datetime([f"{y}-09-01" for y in range(2012, 2020)])
    rows = pd.concat([pd.DataFrame({"time": time, "plot": plot, "variable": v})
                      for plot in "abc" for v in ("litter", "respiration")], ignore_index=True)  # fmt: skip
    truth = {"input": 300.0, "k_litter": 0.5, "start_litter": 1000.0}
    h = plot_pools("litter", since=2012)({k: np.array(v) for k, v in truth.items()}, rows)
    off = dict(zip("abc", 0.15 * rng.standard_normal(3)))
    return rows.assign(value=h * (1 + rows["plot"].map(off)) * (1 + 0.1 * rng.standard_normal(len(rows))))


def test_three_lines_find_what_made_the_plots():
    rows = plots_of(5)
    early, late = (rows[(rows["time"].dt.year < 2019) == first] for first in (True, False))
    found = fit(plot_pools("litter", since=2012), early, {"input": log_normal(300, 1.5)}, by="plot", rng=1, n_draws=800)
    said = found.summary()
    for name, truth in (("k_litter", 0.5), ("sigma_litter", 0.1), ("sigma_respiration", 0.1), ("tau", 0.15)):
        assert said.loc[name, "5%"] * 0.7 < truth < said.loc[name, "95%"] * 1.3
    assert found.coverage(late) >= 0.6
    assert found.predict(late).shape == (1000, 6)
    text = found.report()
    assert "42 rows: litter 21 (error relative), respiration 21 (error relative)" in text and "ln evidence" in text
    assert found.replicas().of("litter").observed.size == 21
    trees = found.to_arviz()
    assert trees["log_likelihood"]["data"].shape[-1] == 3  # whole plots
    page = fit_report(found, title="Three plots")
    assert "Three plots" in page and page.count("<img") >= 4


def test_errors_are_given_where_the_table_has_them():
    rows = plots_of(6).assign(sd=30.0)
    model = plot_pools("litter", since=2012)
    assert fit(model, rows, rng=1, n_draws=50).model.prior.names == model.names
    mixed = rows.assign(sd=np.where(rows["variable"] == "litter", 30.0, np.nan))
    assert fit(model, mixed, rng=1, n_draws=50).model.errors == {"litter": "given", "respiration": "relative"}
    one = rows[rows["variable"] == "litter"]
    assert "sigma" in fit(model, one, errors="relative", rng=1, n_draws=50).model.prior.names


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, t: fit(m, {"a": 1}), "Give a table"),
        (lambda m, t: fit(3, t), "Make one: pools"),
        (lambda m, t: fit(m, t.drop(columns="value")), "no column 'value'"),
        (lambda m, t: fit(m, t.assign(value=np.nan)), "value"),
        (lambda m, t: fit(m, t, errors="relativ"), "did you mean 'relative'"),
        (lambda m, t: fit(m, t, errors={"soil": "relative"}), "variable of errors 'soil'"),
        (lambda m, t: fit(m, t, errors="given"), "no column sd"),
        (lambda m, t: fit(m, t, {"q10": half_normal(1)}), "prior for 'q10', but the parameters are input"),
        (lambda m, t: fit(m, t, by="site"), "no column 'site'"),
        (lambda m, t: fit(m, t, memory=True), "FreeErrors"),
        (lambda m, t: fit(m, t.assign(variable="wood")), "variable 'wood'"),
        (lambda m, t: fit(plot_pools("litter", since=2015), t), "before since=2015"),
        (lambda m, t: fit(plot_pools("litter", since=2012, warming="hot"), t), "no column 'hot'"),
        (lambda m, t: fit(lambda p, r: p["slope"], t, {"k": uniform(0, 1)}), "asks for 'slope'"),
        (lambda m, t: fit(lambda p, r: p["k"], t, {"k": uniform(0, 1)}), "one value a row"),
        (lambda m, t: plot_pools(since=2012), "each name once"),
        (lambda m, t: plot_pools("a", "a", since=2012), "each name once"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(plot_pools("litter", since=2012), plots_of(1))


@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-7, 1e-3])
def test_pools_of_nearly_one_rate(apart):
    """Three equal rates: x1 = a e, x2 = (b + k a t) e, x3 = (c + k b t + k² a t²/2) e about their steady state."""
    rows = pd.DataFrame({"variable": ["wood", "litter", "soil"], "time": pd.Timestamp("2014-01-01"), "value": 1.0})
    p = {"input": 400.0, "to_wood": 1.0, "kept_wood": 1.0, "kept_litter": 1.0}
    p |= {f"k_{pool}": 0.1 * (1 + i * apart) for i, pool in enumerate(("wood", "litter", "soil"))}
    p |= {f"start_{pool}": 1000.0 for pool in ("wood", "litter", "soil")}
    found = plot_pools("wood", "litter", "soil", since=2012)({k: np.array(v) for k, v in p.items()}, rows)
    away, kt = -3000.0, 0.2
    want = 4000 + away * np.exp(-kt) * np.array([1, 1 + kt, 1 + kt + kt**2 / 2])
    np.testing.assert_allclose(found, want, rtol=max(1e-9, 3 * apart))
