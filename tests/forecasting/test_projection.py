"""Columns under another climate: nothing moves unless something changes, the books close, the variance adds up."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from landcarbon.assimilation import Prior
from landcarbon.forecasting.projection import (
    SCENARIOS,
    Scenario,
    changed,
    parameter_draws,
    project,
    ramp,
    step,
    variance_by_source,
)
from landcarbon.learning.batch import OneBatch
from landcarbon.learning.hybrid import Hybrid
from landcarbon.matrix import InputError
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import periodic
from landcarbon.models import clm5

SEASON = 8 * np.sin(2 * np.pi * (np.arange(12) - 3) / 12)
PRIOR = Prior(clm5.PARAMETERS)


def land(n=2):
    """A warm place and one with permafrost."""
    mean = np.array([285.0, 271.5])[:n, None, None]
    return clm5.Forcing(
        soil_temperature=mean + SEASON * np.exp(-clm5.LAYERS.node / 2)[:, None],
        water_scalar=np.full((20, 12), 0.4),
        litter_input=[[40.0, 120.0, 180.0, 60.0]],
        active_layer_depth=np.array([42.0, 1.5])[:n],
    )


def draws(n=2, networks=1, k=3):
    theta = PRIOR.sample(networks * k, rng=6).reshape(networks, k, 21)
    theta[0, 0] = clm5.PRODA_START
    return np.tile(theta, (n, 1, 1, 1))


def test_no_change_when_nothing_changes_and_the_books_close():
    run = project(draws(), land(), [step("still"), ramp("all", 4.0, 0.8, 1.2)], until=2045, every=10)
    assert run.time.values.tolist() == [2015, 2025, 2035, 2045]
    still = run.stock.sel(scenario="still")
    np.testing.assert_allclose(still, still.isel(time=0).broadcast_like(still), rtol=1e-9)
    assert run.attrs["imbalance"] < 1e-9
    moved = run.stock.sel(scenario="all").isel(time=-1) / still.isel(time=-1)
    assert (np.abs(moved - 1) > 1e-4).all()
    soil = run.pools.sel(pool=["soil1", "soil2", "soil3"]).sum("pool")
    np.testing.assert_allclose(soil, run.stock.mean(["network", "draw"]))


def test_a_column_of_chapter_11():
    # The same months by hand: monthly_columns, periodic, simulate.
    theta, here, warm = draws(1)[:, 0, :1], land(1), ramp("warm", 4.0)
    ours = project(theta, here, [warm], until=2025, every=5, depth=8.0, months=True)

    def of_year(year):
        return changed(here, warm, year + 0.5).expand()

    start = periodic(Cycle.from_model(*clm5.monthly_columns(theta, here.expand()), method="implicit")).X
    model, I, xi = clm5.monthly_columns(theta, of_year)
    t = 2015 + np.arange(121) / 12
    by_hand = simulate(model, t, start, I, xi, method="implicit", keep=[2020, 2025], dims=("a", "b"))
    np.testing.assert_allclose(ours.layers[0, 0, :, 0], clm5.soil_carbon(by_hand.X.values[:, 0, 0]), rtol=1e-12)
    # Steps of a year under the yearly mean say the same of the change, to one part in twenty.
    yearly = project(theta, here, [warm], until=2025, every=5, depth=8.0)
    of_months, of_years = (float((r.stock[0, 0, -1] - r.stock[0, 0, 0]).squeeze()) for r in (ours, yearly))
    assert of_months < 0 and abs(of_years / of_months - 1) < 0.05


def test_the_signs_are_those_of_the_equation():
    run = project(draws(1), land(1), until=2100, every=85)
    final = (run.stock.isel(time=-1) / run.stock.isel(time=0) - 1).mean(["network", "draw"]).squeeze()
    assert abs(final.sel(scenario="no change")) < 1e-12
    assert final.sel(scenario="warmer by 4 K") < 0 < final.sel(scenario="drier by a fifth")
    assert final.sel(scenario="a fifth more litter") > 0
    assert [s.name for s in SCENARIOS] == list(run.scenario.values)


def test_frozen_ground_thaws_deeper():
    warmed = changed(land(), ramp("warm", 1.0), 2100)
    assert warmed.active_layer_depth[0] == 42.0
    assert 1.5 < warmed.active_layer_depth[1] < 42.0
    assert changed(land(), ramp("warm", 1.0), 2015) is not warmed
    now = land()
    assert changed(now, ramp("warm", 1.0), 2015) is now


def test_variance_adds_up_and_knows_its_owner():
    two = {"a": draws(2, 2, 3), "b": clm5.PRODA_START[None, None]}
    run = project(two, land(), [step("still"), ramp("all", 4.0, 0.8, 1.2)], until=2035, every=10)
    assert run.stock.shape == (2, 2, 3, 2, 2, 3)
    assert np.isnan(run.stock.sel(structure="b").isel(network=1)).all()
    found = variance_by_source(run)
    np.testing.assert_allclose(found.variance.sum("part"), found.total, rtol=1e-9)
    assert (found.variance >= -1e-12 * found.total).all()
    assert np.isnan(found.share.isel(time=0)).all()
    # Numbers made up of one source each.
    for owner in ("scenario", "structure", "network", "draw"):
        size = {"structure": 2, "scenario": 2, "time": 2, "place": 1, "network": 3, "draw": 4}
        values = np.zeros(tuple(size.values()))
        axis = list(size).index(owner)
        shape = [1] * 6
        shape[axis] = size[owner]
        values[:, :, 1] = np.delete(values + np.arange(size[owner]).reshape(shape), 0, axis=2)[:, :, 0]
        made = xr.Dataset({"stock": (tuple(size), values)})
        share = variance_by_source(made).share.isel(time=1)
        part = {"draw": "parameters"}.get(owner, owner)
        assert float(share.sel(part=part)) == pytest.approx(1.0), owner


def test_users_bring_labelled_scenarios():
    warming = np.array([0.0, 4.0])[:, None, None] * np.array([[1.0], [0.5]])
    maps = xr.Dataset(
        {"warming": (("year", "latitude", "longitude"), warming)},
        {"year": [2015, 2100], "latitude": [10.0, 60.0], "longitude": [20.0]},
    )
    own = Scenario.labelled("own", maps, [12.0, 55.0, 70.0], [20.0, 21.0, 19.0])
    np.testing.assert_allclose(own.at(2100)[0], [4.0, 2.0, 2.0])
    np.testing.assert_allclose(own.at(2200)[0], own.at(2100)[0])
    np.testing.assert_allclose(own._of([1]).at(2057.5)[0], [1.0])
    with pytest.raises(InputError, match="is a map"):
        Scenario.labelled("own", maps)
    maps["warming"].attrs["units"] = "mm"
    with pytest.raises(InputError, match="difference in K"):
        Scenario.labelled("own", maps, [12.0], [20.0])
    with pytest.raises(InputError, match="coordinate 'year'"):
        Scenario.labelled("own", maps.rename(year="time"))


def test_draws_of_every_kind_of_source():
    table = pd.DataFrame({"x": [0.0, 1.0]})

    class Net:
        prior = PRIOR
        scatter = np.random.default_rng(0).standard_normal((50, 21))

        def parameters(self, covariates):
            return np.stack([np.full((len(covariates), 21), k) for k in (-0.5, 0.5)])

    theta = parameter_draws(Net(), table, 5, rng=1)
    assert theta.shape == (2, 2, 5, 21)
    z = PRIOR.to_real(theta)
    np.testing.assert_allclose(z[:, 1] - z[:, 0], 1.0, atol=1e-6)  # the same rows for every network
    np.testing.assert_array_equal(theta[0], theta[1])
    batch = OneBatch(PRIOR, np.zeros(21), (1.0, 0.0), True)
    np.testing.assert_allclose(parameter_draws(batch, table)[1, 0, 0], PRIOR.from_real(np.zeros(21)))
    assert {"spread", "parameters"} <= set(dir(Hybrid)) | set(Hybrid.__dataclass_fields__)
    with pytest.raises(InputError, match="from covariates"):
        parameter_draws(Net())


@pytest.mark.parametrize(("given", "words"), [
    ({"theta": draws(3)}, "the forcing places"),
    ({"scenarios": []}, "give one at least"),
    ({"scenarios": [step("a"), step("a")]}, "each name once"),
    ({"until": 2015}, "until"),
    ({"depth": 20.0}, "depth"),
])
def test_what_cannot_be_projected_is_a_sentence(given, words):
    with pytest.raises(InputError, match=words):
        project(**({"theta": draws(), "forcing": land(), "scenarios": [step("a")], "until": 2016} | given))


@pytest.mark.parametrize(("given", "words"), [
    ({"years": [2100, 2015]}, "years that rise"),
    ({"warming": 60.0}, "warming"),
    ({"moisture": -1.0}, "moisture"),
])
def test_scenarios_that_mean_nothing(given, words):
    with pytest.raises(InputError, match=words):
        Scenario(**({"name": "x", "years": [2015, 2100]} | given))
