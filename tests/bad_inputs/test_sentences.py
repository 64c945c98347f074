"""What an input says of itself is heard, and each sentence that once sent people the wrong way says what to do."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from landcarbon.assimilation import (
    GaussianLikelihood,
    Posterior,
    Prior,
    SeriesObservations,
    problems,
    sample,
)
from landcarbon.forecasting.cycle import observation_table
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.simulate import simulate
from landcarbon.models import Parameter, ParameterTable, clm5, site_climate

from .more import COLUMN, TWO, B

PRIOR = Prior(ParameterTable([Parameter("k", "yr-1", 0.01, 1.0, 0.1)]))
SEEN = GaussianLikelihood([0.8, 0.7, 0.6], 0.1)
MONTHS = pd.date_range("2001-01-01", periods=36, freq="MS")
T, W = np.full((20, 12), 285.0), np.full((20, 12), 0.5)


def forcing(**parts):
    return clm5.Forcing(**{"soil_temperature": T, "water_scalar": W, "litter_input": [40.0, 100, 200, 60]} | parts)


def data(values, dims, unit=None, **coords):
    return xr.DataArray(values, dims=dims, coords=coords, attrs={"units": unit} if unit else {})


def monthly(end):
    return SeriesObservations(np.ones(36), 0.1, t=np.linspace(2001, 2004, 37), end=end)


SAID = {
    "dates, the day first": (lambda: monthly(MONTHS.strftime("%d/%m/%Y")), "end .*one way only.*format='%d/%m/%Y'"),
    "a model for one vector": (
        lambda: Posterior(PRIOR, lambda k: np.exp(-k[0] * np.arange(3.0)), SEEN).log_density(np.full((5, 1), 0.1)),
        r"shape \(3,\) for parameters of shape \(5, 1\).*theta\[\.\.\., i:i\+1\]"),
    "a forgotten return": (
        lambda: Posterior(PRIOR, lambda k: None, SEEN).log_density([[0.1]]), "forget the line with `return`"),
    "a bare table": (lambda: Posterior(PRIOR.table, lambda k: k, SEEN), r"give Prior\(table\)"),
    "K as a matrix": (
        lambda: MatrixModel(("a", "b"), [[1, 0], [-0.3, 1]], np.diag([2.0, 0.02]), [1, 0]), r"rates alone.*np\.diag"),
    "jars by dates": (
        lambda: GaussianLikelihood(np.ones((4, 7)), 0.1).log_likelihood(np.ones(7)),
        "sites first.*Each row of the data is a site.*one flat list"),
    "an option that is none": (
        lambda: sample(problems.gaussian(), "metropolis", niter=9), "no option 'niter'; it has n_chains, n_warmup"),
    "a column and its b": (lambda: Cycle.from_model(COLUMN, B), r"12 steps: time comes first.*I\[np\.newaxis\]"),
    "kelvin in a climate": (
        lambda: site_climate.soil_temperature(np.full((1, 12), 285.0)), "kelvin: subtract 273.15"),
    "°C in a column": (lambda: forcing(soil_temperature=T - 273.15), "kelvin.*add 273.15"),
    "masked layers": (lambda: forcing(soil_temperature=np.ma.masked_greater(T, 200)), "240 masked.*missing"),
    "a masked litter": (lambda: forcing(litter_input=np.ma.masked_array([1.0, 2, 3, 4], [0, 1, 0, 0])), "masked"),
    "another unit": (lambda: forcing(litter_input=data(np.ones(4), "pool", "mm")), "'mm', but 'gC m-2 yr-1'"),
    "pools of something else": (
        lambda: forcing(litter_input=pd.Series([1.0, 2, 3, 4], list("abcd"))), "labelled a, b, c, d, but the pools"),
    "words as times": (
        lambda: simulate(TWO, [0, 1, 2], [1.0, 1.0], pd.Series([1.0, 2.0], ["x", "y"])), "labelled x, y.*no times"),
    "years that fall": (
        lambda: simulate(TWO, [2000, 2001, 2002], [1.0, 1.0], pd.Series([1.0, 2.0], [2001, 2000])), "must rise"),
    "a pool misspelt": (
        lambda: simulate(TWO, [0, 1], pd.Series([1.0, 2.0], ["old", "yuong"]), 1.0),
        "labelled old, yuong, but the pools"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_it_says_what_to_do(name):
    call, words = SAID[name]
    with pytest.raises(InputError) as caught:
        call()
    assert re.search(words, str(caught.value), flags=re.DOTALL), str(caught.value)


def test_a_forcing_reads_units_labels_and_axes():
    land = forcing(
        soil_temperature=data(T.T - 273.15, ("month", "layer"), "degC"),
        water_scalar=data(100 * W, ("layer", "month"), "%"),
        litter_input=pd.Series({"litter3": 60.0, "cwd": 40.0, "litter2": 200.0, "litter1": 100.0}),
        active_layer_depth=data(150.0, (), "cm"),
    )
    np.testing.assert_allclose(land.soil_temperature, T, rtol=1e-12)
    np.testing.assert_allclose(land.water_scalar, W, rtol=1e-12)
    assert land.litter_input.tolist() == [40.0, 100.0, 200.0, 60.0]
    assert float(land.active_layer_depth) == pytest.approx(1.5)
    per_second = forcing(litter_input=data(np.full(4, 1e-8), "pool", "kgC m-2 s-1"))
    assert per_second.litter_input[0] == pytest.approx(1e-5 * 365.25 * 86400)


def test_dates_are_times_in_text_too():
    by_text, by_date = monthly(list(MONTHS.strftime("%Y-%m-%d"))), monthly(MONTHS)
    series = np.random.default_rng(1).normal(size=37)
    np.testing.assert_array_equal(by_text.predict(series), by_date.predict(series))


def test_pools_by_name_and_years_by_label():
    by_name = simulate(TWO, [0, 1], pd.Series([1.0, 2.0], ["old", "young"]), 1.0)
    assert by_name.X.values[0].tolist() == [2.0, 1.0]
    shifted = pd.Series([9.0, 1.0, 2.0], [1999, 2000, 2001])
    run = simulate(TWO, [2000, 2001, 2002], [1.0, 1.0], shifted)
    plain = simulate(TWO, [2000, 2001, 2002], [1.0, 1.0], [1.0, 2.0])
    np.testing.assert_array_equal(run.X.values, plain.X.values)
    rows = pd.Series([1.0, 2.0], [17, 18])  # the rows of a larger table, not times
    np.testing.assert_array_equal(simulate(TWO, [2000, 2001, 2002], [1.0, 1.0], rows).X.values, plain.X.values)


def test_time_zones_of_a_table_are_taken_at_utc():
    table = pd.DataFrame({"date": pd.to_datetime(["2001-01-01T00:00+02:00", "2001-01-02T00:00+02:00"]),
                          "nee": [1.0, 2.0], "nee_sd": [0.1, 0.1]})
    assert observation_table(table, ["nee"])["time"].iloc[0] == pd.Timestamp("2000-12-31T22:00")
