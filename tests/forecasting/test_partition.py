"""Variance by source: sums to the total, and equals closed forms where there are any."""

import numpy as np
import pytest
import xarray as xr

from landcarbon.forecasting.ensemble import SOURCES, forecast
from landcarbon.forecasting.partitioning import partition
from landcarbon.matrix import InputError, MatrixModel


def decay(on, members=4000, seed=0):
    """One pool, all four sources on demand; input and turnover do not interact with the start."""
    rng = np.random.default_rng(seed)
    model = MatrixModel(("soil",), [[1.0]], np.exp(0.2 * rng.normal(size=(members, 1))) / 20, [1.0])
    X0 = 8000 * np.exp(0.1 * rng.normal(size=(members, 1)))
    I = 400 + 80 * rng.normal(size=(members, 1)) * np.ones(40)
    return forecast(model, X0, drivers={"I": I}, process_sd=0.02, sources=on, rng=1)["X"]


def test_parts_sum_to_the_total():
    p = partition(decay)
    assert np.allclose(p["variance"].sum("part"), p["total"], rtol=1e-9)
    assert list(p["part"].values) == [*SOURCES, "interactions"]
    assert np.allclose(p["total"], decay(SOURCES).var("member", ddof=1))
    assert p["variance"].attrs["units"] == "(gC m-2)2"
    each = partition(decay, interactions="each")
    assert each.sizes["part"] == 15
    assert np.allclose(each["variance"].sum("part"), p["total"], rtol=1e-9)


def test_the_start_fades_and_the_parameters_grow():
    share = partition(decay)["share"].isel(pool=0)
    assert share.sel(part="initial").isel(time=0) == pytest.approx(1.0)
    assert share.sel(part="initial").isel(time=-1) < 0.1
    grown = share.sel(part="parameters").isel(time=[0, 10, 20, 40])
    assert (grown.diff("time") > 0).all()
    # X(t) = X0 e^(−kt) + ...: the start's own variance decays by e^(−2kt).
    alone = decay(("initial",)).var("member").isel(pool=0)
    k = float(np.exp(0.2 * np.random.default_rng(0).normal(size=4000)).mean() / 20)
    assert np.allclose(alone / alone[0], np.exp(-2 * k * alone["time"]), rtol=1e-6)


def test_a_sum_has_no_interaction_and_a_product_has_its_own():
    a, b = np.random.default_rng(3).normal(size=(2, 200_000))

    def product(on):
        return xr.DataArray((2 + a * ("a" in on)) * (1 + b * ("b" in on)), dims="member")

    share = partition(product, ["a", "b"])["variance"]
    # Var(2 + a) (1 + b) with unit variances: a alone 1, b alone 4, the product term 1.
    assert np.allclose(share, [1, 4, 1], atol=0.08)


def test_shared_origins_make_a_negative_interaction():
    a = np.random.default_rng(4).normal(size=10_000)

    def damped(on):
        return xr.DataArray(a * ("a" in on) - a * ("b" in on), dims="member")

    p = partition(damped, ["a", "b"])
    assert float(p["total"]) == pytest.approx(0, abs=1e-12)
    assert float(p["variance"].sel(part="interactions")) < -1.9
    assert np.isnan(p["share"]).all()


def test_what_is_not_switched_shows_as_other():
    p = partition(lambda on: decay((*on, "process")), ["initial", "parameters", "drivers"])
    assert "other" in p["part"]
    assert np.allclose(p["variance"].sum("part"), p["total"], rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: partition(decay, []), "at least one source"),
        (lambda: partition(decay, ["initial", "initial"]), "each once"),
        (lambda: partition(decay, interactions="none"), "'sum' or 'each'"),
        (lambda: partition(lambda on: np.ones(3), ["a"]), "dimension 'member'"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
