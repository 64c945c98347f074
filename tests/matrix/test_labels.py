"""Labels: every result says what it is; a file gives back what went in, and speaks CF."""

import numpy as np
import pytest
import xarray as xr

import landcarbon
from landcarbon.assimilation import Draws, Ensemble, problems, sample
from landcarbon.forecasting import Steps, forecast
from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.labels import labelled, read, write
from landcarbon.matrix.simulate import simulate
from landcarbon.theory.disturbance import Disturbance, random_runs

MODEL = MatrixModel(("litter", "soil"), [[1, 0], [-0.3, 1]], [2.0, 0.02], [1, 0])


def run(**options):
    return forecast(MODEL, np.ones((3, 2)), drivers={"I": np.full(4, 500.0)}, rng=7, **options)


def test_a_forecast_comes_back_from_its_file(tmp_path):
    data = run(steps=Steps(diagnose=lambda X, p, d: {"loss": MODEL.respiration(X).sum(-1)}))
    assert data.attrs["title"] == "Ensemble forecast"
    assert data.attrs["source"] == f"landcarbon {landcarbon.__version__}"
    assert data.attrs["seed"] == 7
    write(data, tmp_path / "f.nc")
    assert read(tmp_path / "f.nc").identical(data)
    with xr.open_dataset(tmp_path / "f.nc") as file:
        assert file.attrs["Conventions"].startswith("CF-")
        assert file["X"].attrs["units"] == "g m-2"
    assert [path.name for path in tmp_path.iterdir()] == ["f.nc"]


def test_dates_come_back(tmp_path):
    time = np.arange("2020-01-01", "2020-01-06", dtype="datetime64[D]").astype("datetime64[ns]")
    data = run(steps=Steps(dt=1 / 365, time=time))
    write(data, tmp_path / "f.nc")
    assert read(tmp_path / "f.nc")["time"].values[-1] == np.datetime64("2020-01-05")


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("hmc", {"n_chains": 3, "n_warmup": 100, "n_draws": 20, "gradient": "numerical"}),
        ("metropolis", {"n_chains": 3, "n_warmup": 100, "n_draws": 20}),
        ("importance", {"n_draws": 50}),
        ("smc", {"n_draws": 50}),
        ("es-mda", {"n_members": 20}),
    ],
)
def test_draws_come_back_bit_for_bit(tmp_path, method, options):
    found = sample(problems.banana(), method, rng=1, **options)
    found.save(tmp_path / "draws.nc", seed=1)
    back = type(found).load(tmp_path / "draws.nc")
    assert back.names == found.names
    for name, value in vars(found).items():
        if value is None:
            assert getattr(back, name) is None
        elif name != "names":
            assert np.array_equal(getattr(back, name), value)
            assert np.asarray(getattr(back, name)).dtype == np.asarray(value).dtype
    assert read(tmp_path / "draws.nc").attrs["seed"] == 1


def test_draws_of_many_sites_come_back(tmp_path):
    found = Ensemble(("a",), np.arange(24.0).reshape(2, 3, 4, 1))
    found.save(tmp_path / "draws.nc")
    assert np.array_equal(Ensemble.load(tmp_path / "draws.nc")[1].draws, found.draws[1])


def test_bad_input_gets_a_sentence(tmp_path):
    Ensemble(("a",), np.ones((4, 1))).save(tmp_path / "draws.nc")
    with pytest.raises(InputError, match="holds 'Ensemble', not 'Draws'"):
        Draws.load(tmp_path / "draws.nc")
    with pytest.raises(InputError, match="holds numbers without a unit"):
        labelled(xr.Dataset({"X": ("pool", [1.0])}), "carbon")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "nothing.nc")
    with pytest.raises(InputError, match="cannot be written"):
        write(run(), tmp_path / "nowhere" / "f.nc")


def test_a_run_says_what_it_is_and_comes_back_from_its_file(tmp_path):
    places = random_runs(MODEL, Disturbance(0.1, [0.5] * MODEL.n), [0, 1, 2], np.ones(MODEL.n), 100.0, rng=7)
    for data in (simulate(MODEL, [0, 1, 2], np.ones(MODEL.n), 100.0), places):
        assert data.attrs["title"] and data.attrs["source"].startswith("landcarbon ")
        assert all(data[name].attrs["units"] for name in data.data_vars)
        write(data, tmp_path / "run.nc")
        xr.testing.assert_identical(read(tmp_path / "run.nc"), data)
    assert data.attrs["seed"] == 7
