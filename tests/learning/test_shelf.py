"""What stays on disk, and what is done piece by piece: the same numbers."""

import errno
import pickle

import numpy as np
import pytest
import xarray as xr

from landcarbon.assimilation import sites
from landcarbon.datasets import twin_world
from landcarbon.learning import Task, Work, evaluate, hybrid, proda, random_folds, task, validation
from landcarbon.learning.batch import batch_cost
from landcarbon.learning.rivals import RIVALS
from landcarbon.learning.shelf import filed, read, shelved
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5
from landcarbon.models.process import expand, leading, whole
from landcarbon.store import OnDisk, Shortage
from landcarbon.workflow import region


@pytest.fixture(scope="module")
def world():
    return twin_world(n_sites=60, rng=3)


@pytest.fixture
def in_sevens(monkeypatch):
    """Seven sites at a time, wherever it would be thousands."""
    def few(n, size=7):
        return task_pieces(n, min(size, 7))

    task_pieces = task.pieces
    for module in (proda, hybrid, validation, task):
        monkeypatch.setattr(module, "pieces", few)
    monkeypatch.setattr("landcarbon.learning.batch.pieces", few)
    monkeypatch.setattr("landcarbon.learning.evaluation.pieces", few)
    monkeypatch.setattr(validation, "PIECE", 7)


def test_forcing_on_disk_is_the_forcing(world, tmp_path):
    there = shelved(world.forcing, tmp_path)
    some = np.array([7, 3, 3])
    assert leading(there) == (60,) and leading(there[some]) == (3,)
    for got, want in ((there[some].read(), world.forcing[some]), (expand(there[some]), world.forcing[some].expand())):
        for name in ("soil_temperature", "water_scalar", "litter_input", "active_layer_depth", "bedrock_layer"):
            np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
    assert len(pickle.dumps(there[some])) < 3000  # paths and rows, no numbers
    np.testing.assert_array_equal(
        clm5.observed_values(np.tile(clm5.PRODA_START, (3, 1)), whole(pickle.loads(pickle.dumps(there[some])))),
        clm5.observed_values(np.tile(clm5.PRODA_START, (3, 1)), world.forcing[some]),
    )


def test_places_are_shelved_some_at_a_time(tmp_path, monkeypatch):
    """A part of which no place has a cell is left out like any other place."""
    lat, lon = np.arange(34.0, 41.0), np.arange(-102.0, -96.0)
    maps, shape = ("month", "latitude", "longitude"), (12, 7, 6)
    warm = 14.0 - 0.6 * (lat[:, None] - 37) - 12 * np.cos(2 * np.pi * np.arange(12) / 12)[:, None, None] + 0 * lon
    climate = xr.Dataset(
        {
            "temperature": (maps, warm), "precipitation": (maps, np.full(shape, 60.0)),
            "sunshine": (maps, np.full(shape, 0.6)),
            "water_capacity": (("soil_layer", *maps[1:]), np.full((2, 7, 6), 60.0)),
        },
        {"latitude": lat, "longitude": lon},
    )  # fmt: skip
    y, x = np.repeat([35.0, 36.0, 60.0, 37.1, 38.0], 3), np.tile([-100.0, -99.0, -98.4], 5)
    used, want, table = region._surroundings(y, x, climate, None)
    monkeypatch.setattr(region, "pieces", lambda n: task.pieces(n, 3))
    there, rows, found = region._shelved_surroundings(y, x, climate, None, tmp_path)
    np.testing.assert_array_equal(there, used)
    assert there.sum() == 12 and rows.shape == (12,) and found.equals(table) and found.attrs == table.attrs
    np.testing.assert_array_equal(rows.read().water_scalar, want.water_scalar)
    with pytest.raises(InputError, match="none of the 3 sites has a land cell"):
        region._shelved_surroundings(y[6:9], x[6:9], climate, None, tmp_path / "none")


def test_a_process_that_does_not_see_the_folder_says_so(world, tmp_path):
    sent = pickle.dumps(shelved(world.forcing, tmp_path / "mine"))
    parcel = filed(Task(world.observations, world.forcing), tmp_path / "mine", "task")
    assert len(read(parcel)) == 60
    (tmp_path / "mine").rename(tmp_path / "elsewhere")
    for ask in (lambda: pickle.loads(sent), lambda: read(parcel)):
        with pytest.raises(InputError, match="must lie on a disk that all processes share"):
            ask()


def test_everything_is_the_same_on_disk_in_pieces_and_in_memory(world, tmp_path, monkeypatch, request):
    folds = random_folds(60, 3, 1)
    rivals = ["random_sampling", "one_batch", "ridge", "hybrid", "forest"]

    def ladder(forcing, work):
        known = Task(world.observations, forcing, world.covariates, work=work)
        sites = proda.assimilate(known, n_members=20, n_iter=2, n_rounds=2, rng=4)
        return sites, evaluate(known.knowing(sites), folds, rivals, n_draws=20, rng=5)

    sites_here, here = ladder(world.forcing, Work())
    request.getfixturevalue("in_sevens")
    monkeypatch.setattr("landcarbon.assimilation.sites.LARGE", 10)
    sites_there, there = ladder(shelved(world.forcing, tmp_path / "forcing"), Work(tmp_path / "out", n_jobs=2))
    assert isinstance(sites_there.draws, OnDisk) and isinstance(sites_there.prediction, OnDisk)
    np.testing.assert_array_equal(sites_there.draws, sites_here.draws)
    np.testing.assert_array_equal(sites_there.information, sites_here.information)
    assert sites_there.to_dataset().equals(sites_here.to_dataset())
    # Sums over pieces are rounded otherwise, and networks and searches are fed with them.
    np.testing.assert_allclose(there.predictions["predicted"], here.predictions["predicted"], atol=2e-4)
    np.testing.assert_allclose(there.table["coverage"], here.table["coverage"], atol=0.02)


def test_one_cost_in_pieces(world, in_sevens):
    known = Task(world.observations, world.forcing)
    z = known.prior.to_real(clm5.PRODA_START)
    J, slope = batch_cost(known)(z)
    alone = [batch_cost(known[[k]])(z) for k in range(60)]
    prior = -known.prior.log_density_real(z), -known.prior.gradient_real(z)
    np.testing.assert_allclose(J, sum(a[0] for a in alone) - 59 * prior[0], rtol=1e-12)
    np.testing.assert_allclose(slope, sum(a[1] for a in alone) - 59 * prior[1], rtol=1e-9)


def test_a_map_is_one_draw_in_all_its_pieces(world):
    known = Task(world.observations, world.forcing, world.covariates)
    network = proda.train(
        known.knowing(proda.assimilate(known, n_members=20, n_iter=2, n_rounds=1)), regressor=proda.ridge, n_networks=2
    )
    places = Task(None, world.forcing, world.covariates)
    once, often = (proda.predict(network, places, n_draws=20, chunk=chunk, rng=1) for chunk in (4096, 60))
    for name in once:
        np.testing.assert_allclose(often[name], once[name], rtol=1e-12)


def test_a_large_array_that_was_damaged_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sites, "LARGE", 10)

    def run_chunk(positions, rngs):
        if 4 in positions:
            raise ValueError("no carbon")
        return {"x": (("site", "draw"), np.stack([rng.standard_normal(5) for rng in rngs])), "n": ("site", positions)}

    def run():
        return sites.assimilate(list("abcdefgh"), run_chunk, tmp_path / "out", 1, chunk=3)

    first = run()
    assert isinstance(first["x"].data, OnDisk) and not isinstance(first["n"].data, OnDisk)
    assert np.isnan(first["x"][4]).all() and np.isfinite(np.delete(first["x"].values, 4, axis=0)).all()
    assert first["reason"].values.tolist() == [""] * 4 + ["ValueError: no carbon"] + [""] * 3
    kept = first["x"].values.copy()
    again = run()
    assert isinstance(again["x"].data, OnDisk) and again.equals(first) and again.attrs == first.attrs
    [path] = (tmp_path / "out").glob("x-*.npy")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.warns(UserWarning, match="damaged"):
        np.testing.assert_array_equal(run()["x"], kept)


def test_a_run_that_fails_leaves_the_files_of_others(tmp_path):
    for name in ("mine.npy", "sub/model.pickle", "forcing/own.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="run_chunk returns int"):
        sites.assimilate(["a", "b"], lambda positions, rngs: 3, tmp_path, 1)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["mine.npy", "model.pickle", "own.npy"]


def test_folds_in_processes_leave_the_folder_as_it_was(world, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    known = Task(world.observations, world.forcing, world.covariates)
    ways = {"n_draws": 20, "n_jobs": 2, "folder": tmp_path}
    found = list(validation.held_out({"default": RIVALS["default"]}, known, random_folds(60, 3, 1), **ways))
    assert [held.fold for held in found] == [0, 1, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_disk_that_is_full_ends_in_a_sentence(tmp_path, monkeypatch):
    def full(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("landcarbon.store.os.fsync", full)
    with pytest.raises(Shortage, match="Make room"):
        OnDisk.write(tmp_path, [{"x": np.ones((3, 2))}], 3)
    with pytest.raises(InputError, match="2 rows were to be written"):
        OnDisk.write(tmp_path, [{"x": np.ones((3, 2))}], 2)
    assert not list(tmp_path.iterdir())


def test_what_all_sites_share_is_not_cut(tmp_path):
    """As many sites as layers: shapes alone do not tell."""
    def some(n, w):
        return clm5.Forcing(np.full((n, 20, 12), 280.0), np.full((20, 12), w), np.full((n, 4), 50.0))

    rows = shelved(iter([some(30, 0.5), some(20, 0.5)]), tmp_path, 50)
    np.testing.assert_array_equal(rows[[0, 1, 35]].read().water_scalar, np.full((3, 20, 12), 0.5))
