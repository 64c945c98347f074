"""A survey of any size on a cluster: time, memory of the client, size of a task, the same bits, a worker killed.

    python course.py bench scale                           1,000 and 4,000 sites, a few minutes
    python course.py bench scale -- --sites 100000         one size
    python course.py bench scale -- --sites 1000 --kill    a worker dies on the way; bits against no cluster
    python course.py bench scale -- --sites 100000 --light ten members, one round; default, sampling, ridge; one map

Places at random on land, six layers each, the real half-degree climate, the carbon of a synthetic world
(`landcarbon proda --twin`): assimilation, ladder with end to end, both maps, control, report. The client is
one process, the cluster a LocalCluster of two workers. "client" is the most memory that the client held for
itself; files that it maps can be dropped by the system at any time and are not counted. The messages are
what a process is sent to assimilate 25 sites, and to learn and predict as one rival in one fold.

Needs the climate "biome4"; memory is read from /proc (Linux).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from _timing import heading, table  # first: it holds BLAS to one thread

import numpy as np
import pandas as pd
import xarray as xr

from landcarbon.datasets.outlines import inside
from landcarbon.workflow import region

DEPTHS = (0, 10, 20, 30, 50, 80, 120)  # cm
SMALL = ["--members", "20", "--steps", "3", "--rounds", "4", "--networks", "2", "--folds", "2", "--draws", "20",
         "--block", "2", "--grid", "2", "--twin"]  # fmt: skip


def survey(n: int, path: Path, rng: np.random.Generator) -> None:
    """A CSV of n places on land."""
    lat, lon = np.empty(0), np.empty(0)
    while lat.size < n:
        y = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(-50)), np.sin(np.radians(68)), 4 * n)))
        x = rng.uniform(-180, 180, y.size)
        land = inside(y, x)
        lat, lon = np.append(lat, y[land]), np.append(lon, x[land])
    layers = len(DEPTHS) - 1
    name = np.repeat([f"S{k:07d}" for k in range(n)], layers)
    columns = {"profile_id": name, "latitude": np.repeat(lat[:n], layers), "longitude": np.repeat(lon[:n], layers)}
    columns |= {"upper_depth [cm]": np.tile(DEPTHS[:-1], n), "lower_depth [cm]": np.tile(DEPTHS[1:], n)}
    columns |= {"organic_carbon [g/kg]": np.tile([30.0, 20, 15, 10, 6, 4], n), "bulk_density [g/cm3]": 1.3}
    pd.DataFrame(columns).to_csv(path, index=False)


def anonymous(pid: int) -> float:
    """Memory a process holds for itself [MB]."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon")), 0.0)


def call(folder: Path, out: str, scheduler: str | None, light: bool = False) -> tuple[float, float]:
    """The command, or its light stand-in, in a process of its own: seconds, and its largest memory [MB]."""
    words = [sys.executable, "-m", "landcarbon.workflow.command", "proda", "--profiles", str(folder / "survey.csv")]
    where = ["--jobs", "1"] if scheduler is None else ["--jobs", "-1", "--scheduler", scheduler]
    words += ["--out", str(folder / out), *SMALL, *where]
    if light:
        words = [sys.executable, __file__, "--client", str(folder), str(scheduler)]
    began, most = time.perf_counter(), 0.0
    with open(folder / f"{out}.log", "w", encoding="utf-8") as log:
        run = subprocess.Popen(words, stdout=log, stderr=log)
        while run.poll() is None:
            most = max(most, anonymous(run.pid))
            time.sleep(0.5)
    if run.returncode not in (0, 3):
        raise SystemExit((folder / f"{out}.log").read_text(encoding="utf-8"))
    return time.perf_counter() - began, most


def client(folder: Path, scheduler: str) -> None:
    """What the command does, with the cheapest of all settings and rivals."""
    import joblib
    from distributed import Client
    from landcarbon.datasets.profile_files import read_profiles_csv
    from landcarbon.learning import Task, Work, blocked_folds, evaluate, proda
    from landcarbon.learning.rivals import Proda

    land = region._place(read_profiles_csv(folder / "survey.csv", min_layers=3), None, None, folder / "forcing")
    land = region._cut(land, region._growing(land, region.Plan()), region.BARREN)
    work = Work(folder / "light", -1, False, 100)
    task = Task(land.profiles.to_observations(0.6), land.forcing, land.covariates, work=work)
    land = None
    ridge = Proda("ridge", proda.ridge, 2)
    with Client(scheduler), joblib.parallel_config("dask"):
        task = task.knowing(proda.assimilate(task, n_members=10, n_iter=2, n_rounds=1))
        print(f"{len(task)} sites assimilated")
        place = task.environment
        folds = blocked_folds(place["latitude"], place["longitude"], 2.0, 2)
        print(evaluate(task, folds, ["default", "random_sampling", ridge], n_draws=20))
    network = proda.train(task, regressor=proda.ridge, n_networks=2)
    cells = Task(None, task.forcing[::20], place.iloc[::20])
    print(proda.predict(network, cells, n_draws=20)["stock"].quantile([0.05, 0.5, 0.95]).values)


def messages(n: int, folder: Path) -> tuple[float, float]:
    """What a process is sent [kB]: for 25 sites to assimilate, and for a rival in one of two folds."""
    from cloudpickle import dumps
    from landcarbon.datasets.profile_files import read_profiles_csv
    from landcarbon.learning import Task, Work, proda

    land = region._place(read_profiles_csv(folder / "survey.csv", min_layers=3), None, None, folder / "forcing")
    task = Task(land.profiles.to_observations(0.6), land.forcing, land.covariates, work=Work(folder))
    how = proda._Smoother(task.model, 20, 3, task.work)
    work = proda._SomeSites(task.data, task.forcing, task.prior, how, np.arange(len(task)))
    return len(dumps(work.cut(np.arange(25)))) / 1e3, len(dumps(task[np.arange(0, len(task), 2)])) / 1e3


def kill_one(cluster: object, after: float) -> None:
    """End a worker's process once."""
    def strike() -> None:
        time.sleep(after)
        worker = next(iter(cluster.workers.values()))  # type: ignore[attr-defined]
        os.kill(worker.process.process.pid, 9)

    threading.Thread(target=strike, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description="Client memory and bits, with the number of sites.")
    parser.add_argument("--sites", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--kill", action="store_true", help="kill a worker, and compare with a run without a cluster")
    parser.add_argument("--alone", action="store_true", help="without a cluster")
    parser.add_argument("--light", action="store_true", help="few members, cheap rivals: for memory")
    parser.add_argument("--client", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        client(Path(given.client[0]), given.client[1])
        return
    heading("the whole of PRODA, with the number of sites", "each once")
    rows: list[tuple[object, ...]] = []
    for n in given.sites:
        with tempfile.TemporaryDirectory() as name:
            rows.append((f"{n:,}", *one(n, Path(name), given)))
    table(("sites", "minutes", "client MB", "25 sites kB", "a rival kB", "bits"), rows)


def one(n: int, folder: Path, given: argparse.Namespace) -> tuple[float | str, ...]:
    """One size: minutes, memory, messages, and whether the bits are those without a cluster."""
    from distributed import LocalCluster

    survey(n, folder / "survey.csv", np.random.default_rng(7))
    if given.alone:
        seconds, memory = call(folder, "alone", None)
        print((folder / "alone.log").read_text(encoding="utf-8")[-1500:])
        return seconds / 60, memory, "-", "-", "-"
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        if given.kill:
            kill_one(cluster, 40.0)
        seconds, memory = call(folder, "cluster", cluster.scheduler_address, given.light)
    bits = "-"
    if given.kill:
        call(folder, "alone", None)
        there, here = (region.read(folder / out / "proda.nc") for out in ("cluster", "alone"))
        same = all(same_values(there[name], here[name]) for name in region.GROUPS)
        bits = "the same" if same else "others"
    print((folder / "cluster.log").read_text(encoding="utf-8")[-1500:])
    return seconds / 60, memory, *messages(n, folder), bits


def same_values(a: xr.Dataset, b: xr.Dataset) -> bool:
    """Whatever is stored but the seconds it took."""
    a, b = (data.drop_vars("score_seconds", errors="ignore") for data in (a, b))
    return bool(a.equals(b))


if __name__ == "__main__":
    main()
