"""Many sites: independent of chunking, resumed to the same bits, failures recorded."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from landcarbon.assimilation import GaussianLikelihood, Posterior, Prior, sample
from landcarbon.assimilation.sites import assimilate
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

PRIOR = Prior(
    ParameterTable([Parameter("k", "1/yr", 0.05, 1.0, 0.2), Parameter("q10", "1", 1.2, 3.0, 2.0)])
)
IDS = [f"site-{k:02d}" for k in range(23)]
DATA = np.random.default_rng(1).uniform(0.3, 0.8, (23, 3))
WARMING = np.array([0.0, 0.5, 1.0])


def left_after_a_year(theta):
    return np.exp(-theta[..., :1] * theta[..., 1:] ** WARMING)


def run_chunk(positions, rngs):
    posterior = Posterior(PRIOR, left_after_a_year, GaussianLikelihood(DATA[positions], 0.05))
    return sample(posterior, "es-mda", rngs, n_members=30, n_iter=3).to_dataset()


@dataclass
class Watched:
    """Work whose calls are counted; may end before a call. What it counts decides nothing."""

    work: Callable = run_chunk
    calls: list = field(default_factory=list, compare=False)
    before: Callable = field(default=lambda calls: None, compare=False)

    def __call__(self, positions, rngs):
        self.before(len(self.calls))
        self.calls.append(positions)
        return self.work(positions, rngs)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return assimilate(IDS, run_chunk, tmp_path_factory.mktemp("whole") / "run", seed=3, chunk=5)


def test_result_is_labelled_and_kept(uninterrupted, tmp_path):
    assert list(uninterrupted.site.values) == IDS
    assert uninterrupted["mean"].dims == ("site", "parameter")
    assert uninterrupted.sizes == {"site": 23, "parameter": 2, "quantile": 3}
    assert (uninterrupted.reason == "").all()

    first = assimilate(IDS, Watched(), tmp_path, seed=3, chunk=5)
    again = assimilate(IDS, watched := Watched(), tmp_path, seed=3, chunk=5)
    assert not watched.calls  # a finished run is read, not computed again
    xr.testing.assert_identical(first, again)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.json", "sites.nc"]


@pytest.mark.parametrize(("chunk", "n_jobs"), [(1, 1), (23, 1), (4, 2)])
def test_chunks_and_processes_change_nothing(uninterrupted, tmp_path, chunk, n_jobs):
    other = assimilate(IDS, run_chunk, tmp_path, seed=3, chunk=chunk, n_jobs=n_jobs)
    xr.testing.assert_identical(other, uninterrupted)


def test_a_seed_gives_one_result_and_another_seed_another(uninterrupted, tmp_path):
    other = assimilate(IDS, run_chunk, tmp_path, seed=4, chunk=5)
    assert (other["mean"] != uninterrupted["mean"]).all()


@pytest.mark.parametrize("at_call", [0, 2, 4])
def test_resume_after_an_interrupt_gives_the_same_bits(uninterrupted, tmp_path, at_call):
    def stop(n_calls):
        if n_calls == at_call:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assimilate(IDS, Watched(before=stop), tmp_path, seed=3, chunk=5)
    assert len(list((tmp_path / "chunks").glob("*.nc"))) == at_call
    resumed = assimilate(IDS, watched := Watched(), tmp_path, seed=3, chunk=5)
    assert len(watched.calls) == 5 - at_call
    xr.testing.assert_identical(resumed, uninterrupted)


def test_resume_after_a_kill_gives_the_same_bits(uninterrupted, tmp_path):
    """The process dies without a farewell, leaving a half-written file behind."""
    script = f"""
import os, sys
sys.path.insert(0, {str(__file__.rsplit("test_sites", 1)[0])!r})
import test_sites as t
def die(n_calls):
    if n_calls == 3:
        os._exit(9)
t.assimilate(t.IDS, t.Watched(before=die), sys.argv[1], seed=3, chunk=5)
"""
    dead = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=False
    )
    assert dead.returncode == 9, dead.stderr.decode()
    chunks = tmp_path / "chunks"
    assert len(list(chunks.glob("*.nc"))) == 3
    (chunks / "00000015.nc.part").write_bytes(b"half a file")
    resumed = assimilate(IDS, watched := Watched(), tmp_path, seed=3, chunk=5)
    assert len(watched.calls) == 2
    xr.testing.assert_identical(resumed, uninterrupted)


MANY = [f"plot {k:03d}" for k in range(300)]
MANY_DATA = np.random.default_rng(2).uniform(0.3, 0.8, (300, 3))


def run_many(positions, rngs):
    posterior = Posterior(PRIOR, left_after_a_year, GaussianLikelihood(MANY_DATA[positions], 0.05))
    return sample(posterior, "es-mda", rngs, n_members=30, n_iter=3).to_dataset()


@pytest.fixture(scope="module")
def three_hundred(tmp_path_factory):
    return assimilate(MANY, run_many, tmp_path_factory.mktemp("many") / "run", seed=8, chunk=100)


def test_killed_at_three_random_moments_it_equals_the_uninterrupted_run(three_hundred, tmp_path):
    """SIGKILL from outside, wherever the run happens to be: in the model, or while it writes."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_sites as t
t.assimilate(t.MANY, t.Watched(t.run_many), sys.argv[1], seed=8, chunk=6)
"""
    moments = random.Random(time.time_ns())
    finished = 0
    for _ in range(3):
        run = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
        stop_at = moments.randint(finished + 1, finished + 12)
        try:
            while (done := len(list(tmp_path.glob("chunks/*.nc")))) < stop_at:
                assert run.poll() is None, f"the run ended by itself after {done} chunks"
                time.sleep(0.002)
            time.sleep(moments.uniform(0.0, 0.03))
        finally:
            run.kill()
            assert run.wait(timeout=30) != 0
        finished = len(list(tmp_path.glob("chunks/*.nc")))
        assert stop_at <= finished < 50
        assert not (tmp_path / "sites.nc").exists()
    resumed = assimilate(MANY, watched := Watched(run_many), tmp_path, seed=8, chunk=6)
    assert len(watched.calls) == 50 - finished  # what was finished is not computed again
    xr.testing.assert_identical(resumed, three_hundred)


def test_a_dask_cluster_gives_the_same_bits(three_hundred, tmp_path):
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    import joblib

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        on_dask = assimilate(MANY, run_many, tmp_path / "run", seed=8, chunk=30, n_jobs=-1)
    xr.testing.assert_identical(on_dask, three_hundred)


@dataclass(frozen=True, eq=False)
class Carried:
    """Work that can be cut: how many sites' data it carries where it is done."""

    data: np.ndarray
    positions: np.ndarray

    def cut(self, positions):
        return Carried(self.data[np.searchsorted(self.positions, positions)], positions)

    def __call__(self, positions, rngs):
        mine = self.cut(positions)
        return {"sum": ("site", mine.data.sum(axis=1)), "carried": ("site", [len(self.data)] * len(positions))}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_process_is_sent_the_data_of_its_own_chunk(tmp_path, n_jobs):
    found = assimilate(IDS, Carried(DATA, np.arange(23)), tmp_path / "run", seed=3, chunk=5, n_jobs=n_jobs)
    assert found["carried"].values.tolist() == [5] * 20 + [3] * 3
    np.testing.assert_array_equal(found["sum"], DATA.sum(axis=1))


def test_a_failed_site_is_recorded_and_the_rest_go_on(uninterrupted, tmp_path):
    def some_fail(positions, rngs):
        if 7 in positions:
            raise ZeroDivisionError("no litter at this site")
        result = run_chunk(positions, rngs)
        result["sd"][positions == 15] = np.nan
        return result

    result = assimilate(IDS, some_fail, tmp_path, seed=3, chunk=5)
    failed = [7, 15]
    assert result.reason.values[7] == "ZeroDivisionError: no litter at this site"
    assert "'sd' is NaN throughout" in result.reason.values[15]
    assert result.attrs["failed"] == 2
    assert result["mean"][failed].isnull().all()
    rest = np.delete(np.arange(23), failed)
    np.testing.assert_allclose(result["mean"][rest], uninterrupted["mean"][rest], rtol=1e-12)
    assert list(result.site.values) == IDS


def test_a_site_that_fails_alone_in_its_chunk_is_recorded_too(tmp_path):
    calls = []

    def one_fails(positions, rngs):
        calls.append(list(positions))
        if 1 in positions:
            raise ZeroDivisionError("no litter")
        return {"draw": ("site", [float(rng.random()) for rng in rngs])}

    result = assimilate(["a", "b", "c"], one_fails, tmp_path, seed=3, chunk=1)
    assert list(result.reason.values) == ["", "ZeroDivisionError: no litter", ""]
    assert np.isfinite(result.draw).values.tolist() == [True, False, True]
    assert calls == [[0], [1], [2]]  # a second attempt could only fail the same way


def test_every_site_failing_is_an_error(tmp_path):
    def fail(positions, rngs):
        raise ValueError("units")

    with pytest.raises(
        InputError, match="all 23 sites failed; the first reason: ValueError: units"
    ):
        assimilate(IDS, fail, tmp_path / "run", seed=1)
    assert not (tmp_path / "run").exists()  # free for the run that is mended
    assimilate(IDS[:2], run_chunk, tmp_path / "run", seed=1)


def test_whole_numbers_as_names(tmp_path):
    ids = [30, 10, 20]
    result = assimilate(ids, run_chunk, tmp_path, seed=3, chunk=2)
    assert list(result.site.values) == ids


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"site_ids": ["a", "b", "a"]}, "site 'a' stands 2 times"),
        ({"site_ids": []}, "at least one name"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"chunk": 0}, "chunk must be a whole number"),
        ({"run_chunk": lambda positions, rngs: 5}, "run_chunk returns int"),
        (
            {"run_chunk": lambda positions, rngs: {"x": ("plot", [1.0])}},
            'dimension "site" must run',
        ),
        ({"run_chunk": lambda positions, rngs: {"x": ("site", [1.0])}}, "got 3 site"),
        (
            {"run_chunk": lambda positions, rngs: {"x": ("site", [1.0] * 3), "y": 2.0}},
            """'y' in the result of run_chunk has no dimension "site".""",
        ),
    ],
)
def test_bad_input(tmp_path, changes, message):
    good = {"site_ids": ["a", "b", "c"], "run_chunk": run_chunk, "out": tmp_path, "seed": 1}
    with pytest.raises(InputError, match=message):
        assimilate(**(good | changes))


def test_another_run_in_the_same_folder_is_refused(tmp_path):
    assimilate(IDS[:3], run_chunk, tmp_path, seed=3)
    for changes, key in (
        ({"seed": 4}, "seed = 3, not 4"),
        ({"chunk": 7}, "chunk = 50, not 7"),
        ({"site_ids": IDS[1:4]}, "sites = "),
        ({"run_chunk": partial(run_chunk)}, "run_chunk = "),
    ):
        with pytest.raises(InputError, match=key):
            assimilate(
                **(
                    {"site_ids": IDS[:3], "run_chunk": run_chunk, "out": tmp_path, "seed": 3}
                    | changes
                )
            )


def test_data_that_the_work_closes_over_is_part_of_the_run(tmp_path):
    def work(data):
        return lambda positions, rngs: {"x": ("site", data[positions])}

    assimilate(range(3), work(np.arange(3.0)), tmp_path, seed=1)
    assimilate(range(3), work(np.arange(3.0)), tmp_path, seed=1)
    with pytest.raises(InputError, match="run_chunk = "):
        assimilate(range(3), work(np.arange(3.0) + 1e-12), tmp_path, seed=1)


SHORT = {"now": True}


def sometimes_short(positions, rngs):
    if SHORT["now"] and 2 in positions:
        raise MemoryError("Unable to allocate 239. MiB")
    if SHORT["now"] and 9 in positions:
        raise OSError(28, "No space left on device")
    return run_chunk(positions, rngs)


def test_memory_or_disk_that_was_short_is_tried_again(uninterrupted, tmp_path, monkeypatch):
    monkeypatch.setitem(SHORT, "now", True)
    first = assimilate(IDS, sometimes_short, tmp_path, seed=3, chunk=5)
    assert list(np.flatnonzero(first.reason != "")) == [2, 9]
    assert "the next call tries again (MemoryError" in first.reason.values[2]
    assert first.attrs["short"] == first.attrs["failed"] == 2
    monkeypatch.setitem(SHORT, "now", False)
    again = assimilate(IDS, sometimes_short, tmp_path, seed=3, chunk=5)
    xr.testing.assert_identical(again, uninterrupted)


def test_short_at_every_site_frees_the_folder(tmp_path):
    def greedy(positions, rngs):
        return {"x": (("site", "k"), np.empty((len(positions), 2**55)))}

    with pytest.raises(InputError, match="all 3 sites failed; the first reason: memory or disk was short"):
        assimilate(range(3), greedy, tmp_path / "run", seed=1)
    assert not (tmp_path / "run").exists()


def test_a_flipped_bit_in_a_chunk_is_made_again(uninterrupted, tmp_path):
    def stop(n_calls):
        if n_calls == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assimilate(IDS, Watched(before=stop), tmp_path, seed=3, chunk=5)
    broken = tmp_path / "chunks/00000005.nc"
    content = bytearray(broken.read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    with pytest.warns(UserWarning, match=r"00000005\.nc was damaged"):
        resumed = assimilate(IDS, watched := Watched(), tmp_path, seed=3, chunk=5)
    assert [int(c[0]) for c in watched.calls] == [5, 15, 20]
    xr.testing.assert_identical(resumed, uninterrupted)


def test_two_at_once_do_not_trip_over_each_other(tmp_path):
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_sites as t
try:
    t.assimilate(t.MANY, t.run_many, sys.argv[1], seed=8, chunk=10)
    print("done")
except t.InputError as error:
    print(error)
"""
    runs = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "run")], stdout=subprocess.PIPE,
                             encoding="utf-8")
            for _ in range(2)]  # fmt: skip
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert all(run.returncode == 0 for run in runs)
    assert "done\n" in said
    assert all(line == "done\n" or "is at work in the folder 'run'" in line for line in said)


def test_a_process_that_dies_is_a_sentence_and_the_rest_is_kept(uninterrupted, tmp_path):
    marker = str(tmp_path / "die")
    Path(marker).touch()

    def dies_once(positions, rngs):
        if 12 in positions and os.path.exists(marker):
            time.sleep(1.0)
            os.kill(os.getpid(), 9)
        return run_chunk(positions, rngs)

    with pytest.raises(InputError, match="a process that worked for this run has died"):
        assimilate(IDS, dies_once, tmp_path / "run", seed=3, chunk=5, n_jobs=2)
    assert list((tmp_path / "run/chunks").glob("*.nc"))
    os.remove(marker)
    again = assimilate(IDS, dies_once, tmp_path / "run", seed=3, chunk=5, n_jobs=2)
    xr.testing.assert_identical(again, uninterrupted)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process that its parent ended")
def test_workers_end_with_the_run(tmp_path):
    script = f"""
import os, sys, time
from pathlib import Path
from landcarbon.assimilation.sites import assimilate
def work(positions, rngs):
    (Path({str(tmp_path)!r}) / f"worker-{{os.getpid()}}").touch()
    time.sleep(0.3)
    return {{"x": ("site", [1.0])}}
assimilate(range(400), work, sys.argv[1], seed=1, chunk=1, n_jobs=2)
"""
    run = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "run")], stderr=subprocess.DEVNULL)
    deadline = time.time() + 60
    while len(list(tmp_path.glob("worker-*"))) < 2 and time.time() < deadline:
        time.sleep(0.05)
    workers = [int(p.name.removeprefix("worker-")) for p in tmp_path.glob("worker-*")]
    assert len(workers) == 2
    time.sleep(1.0)
    run.kill()
    run.wait()
    while any(map(_runs, workers)) and time.time() < deadline:
        time.sleep(0.1)
    assert not any(map(_runs, workers))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
