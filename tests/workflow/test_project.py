"""`landcarbon project` on a finished run, as a user calls it."""

import numpy as np
import pytest
import xarray as xr

from landcarbon.assimilation import Prior
from landcarbon.models import clm5
from landcarbon.workflow import region
from landcarbon.workflow.command import main

PRIOR = Prior(clm5.PARAMETERS)
LAT, LON = np.array([35.0, 37.0, 39.0]), np.array([-100.0, -98.0])


@pytest.fixture(scope="module")
def climate(tmp_path_factory):
    lat, lon = np.arange(34.0, 41.0), np.arange(-102.0, -96.0)
    month = np.arange(12)[:, None, None]
    maps = ("month", "latitude", "longitude")
    shape = (12, lat.size, lon.size)
    data = xr.Dataset(
        {
            "temperature": (maps, 14.0 - 0.6 * (lat[:, None] - 37) - 12 * np.cos(2 * np.pi * month / 12) + 0 * lon),
            "precipitation": (maps, np.full(shape, 60.0)),
            "sunshine": (maps, np.full(shape, 0.6)),
            "water_capacity": (("soil_layer", *maps[1:]), np.full((2, *shape[1:]), 60.0)),
        },
        {"latitude": lat, "longitude": lon},
    )
    path = tmp_path_factory.mktemp("climate") / "climate.nc"
    data.to_netcdf(path)
    return path


@pytest.fixture(scope="module")
def finished(climate, tmp_path_factory):
    """A run's file with two networks, a cell without a map, and the stock that their mean has."""
    from landcarbon.datasets.climate import forcing_at

    y, x = (a.ravel() for a in np.meshgrid(LAT, LON, indexing="ij"))
    with xr.open_dataset(climate) as grid:
        forcing = forcing_at(y, x, grid.load()).forcing
    z0 = PRIOR.to_real(clm5.PRODA_START)
    member = PRIOR.from_real(z0 + np.array([-0.1, 0.1])[None, :, None] * np.ones((6, 1, 21)))
    # What is left open goes together: deep input with slow decay, and nothing else.
    open_ = np.zeros((40, 21))
    for name in ("efolding", "tau_s3"):
        open_[:, PRIOR.names.index(name)] = np.random.default_rng(1).normal(0, 0.3, 40)
    dz = np.diff(np.minimum(np.append(0, clm5.LAYERS.bottom), 1.0)) / 1000
    stock = clm5.observed_values(np.tile(clm5.PRODA_START, (6, 1)), forcing) @ dz
    stock[5] = np.nan
    grid = ("latitude", "longitude")
    cells = xr.Dataset(
        {
            "stock": (grid, stock.reshape(3, 2)),
            "stock_lower": (grid, 0.6 * stock.reshape(3, 2)),
            "stock_upper": (grid, stock.reshape(3, 2) / 0.6),
            "member_parameters": ((*grid, "network", "parameter"), member.reshape(3, 2, 2, 21)),
            "left_open": (("draw", "parameter"), open_),
        },
        {"latitude": LAT, "longitude": LON, "parameter": list(PRIOR.names)},
    )
    empty = xr.Dataset(attrs={"skipped": "not asked for"})
    groups = dict.fromkeys(region.GROUPS, empty) | {"map": cells, "end_to_end": cells.assign(
        member_parameters=cells["member_parameters"].isel(network=[1, 0]), one_batch=("parameter", clm5.PRODA_START)
    )}
    folder = tmp_path_factory.mktemp("run")
    region.write(groups, folder / "proda.nc")
    return folder


def test_a_run_through_time(finished, climate, tmp_path, capsys):
    words = ["project", "--run", str(finished), "--out", str(tmp_path), "--climate", str(climate), "--places", "9",
             "--draws", "2", "--until", "2025"]  # fmt: skip
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "books are closed" in said and "PRODA: 2 networks, 2 sets each" in said
    with xr.open_dataset(tmp_path / "project.nc", group="projection") as data:
        run = data.load()
    with xr.open_dataset(tmp_path / "project.nc", group="variance") as data:
        variance = data.load()
    assert run.sizes["place"] == 5  # the cell without a map is left out
    assert list(run.structure.values) == ["PRODA", "end to end", "one batch", "CLM5 as published"]
    assert run.attrs["imbalance"] < 1e-9
    still = run.stock.sel(scenario="no change")
    np.testing.assert_allclose(still.isel(time=-1), still.isel(time=0), rtol=1e-6)  # single precision of the file
    at = {name: xr.DataArray(run[name].values, dims="place") for name in ("latitude", "longitude")}
    today = region.read(finished / "proda.nc")["map"]["stock"].sel(at).drop_vars(list(at))
    found = still.isel(time=0)
    np.testing.assert_allclose(found.sel(structure="one batch").isel(network=0, draw=0), today, rtol=1e-5)
    assert float(np.abs(np.log(found.sel(structure=["PRODA", "end to end"]) / today)).mean()) < 0.6
    np.testing.assert_allclose(variance.variance.sum("part"), variance.total, rtol=1e-3, atol=1e-12)
    page = (tmp_path / "project.html").read_text(encoding="utf-8")
    assert "Who owns the spread" in page and 'alt="Change of soil carbon' in page
    assert "http" not in page.split("<body>")[1]


def test_own_scenarios(finished, climate, tmp_path):
    own = xr.Dataset(
        {"warming": (("scenario", "year"), [[0.0, 2.0], [0.0, 5.0]], {"units": "K"})},
        {"scenario": ["low", "high"], "year": [2015, 2100]},
    )
    own.to_netcdf(tmp_path / "own.nc")
    words = ["project", "--run", str(finished / "proda.nc"), "--out", str(tmp_path / "out"), "--climate", str(climate),
             "--draws", "1", "--until", "2020", "--scenarios", str(tmp_path / "own.nc")]  # fmt: skip
    assert main(words) == 0
    with xr.open_dataset(tmp_path / "out" / "project.nc", group="projection") as run:
        last = (run.stock.isel(time=-1) / run.stock.isel(time=0)).mean(["place", "network", "draw"])
        assert (last.sel(scenario="high") < last.sel(scenario="low")).all()


def test_a_run_without_maps(finished, tmp_path, capsys):
    empty = xr.Dataset(attrs={"skipped": "too few blocks"})
    region.write(dict.fromkeys(region.GROUPS, empty), tmp_path / "proda.nc")
    assert main(["project", "--run", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "no map with parameters" in capsys.readouterr().err
    assert main(["project", "--run", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 2
