"""A survey of any size on a cluster: time, memory of the client, size of a task, the same bits, a worker killed.

    python course.py bench scale                           1,000 and 4,000 sites, a few minutes
    python course.py bench scale -- --sites 100000         one size
    python course.py bench scale -- --sites 1000 --kill    a worker dies on the way; bits against no cluster

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
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon")), 0.0)


def call(folder: Path, out: str, scheduler: str | None) -> tuple[float, float]:
    """The command in a process of its own: seconds, and its largest memory [MB]."""
    words = [sys.executable, "-m", "landcarbon.workflow.command", "proda", "--profiles", str(folder / "survey.csv")]
    where = ["--jobs", "1"] if scheduler is None else ["--jobs", "-1", "--scheduler", scheduler]
    began, most = time.perf_counter(), 0.0
    with open(folder / f"{out}.log", "w") as log:
        run = subprocess.Popen([*words, "--out", str(folder / out), *SMALL, *where], stdout=log, stderr=log)
        while run.poll() is None:
            most = max(most, anonymous(run.pid))
            time.sleep(0.5)
    if run.returncode not in (0, 3):
        raise SystemExit((folder / f"{out}.log").read_text())
    return time.perf_counter() - began, most


def messages(n: int, folder: Path) -> tuple[float, float]:
    """What a process is sent [kB]: for 25 sites to assimilate, and for a rival in one of two folds."""
    from cloudpickle import dumps
    from landcarbon.datasets.profile_files import read_profiles_csv
    from landcarbon.learning import Task, Work, proda
    from landcarbon.learning.shelf import shelved

    land = region._place(read_profiles_csv(folder / "survey.csv", min_layers=3), None, None)
    task = Task(land.profiles.to_observations(0.6), shelved(land.forcing, folder), land.covariates, work=Work(folder))
    how = proda._Smoother(task.model, 20, 3, task.work)
    work = proda._SomeSites(task.data, task.forcing, task.prior, how, np.arange(len(task)))
    return len(dumps(work.cut(np.arange(25)))) / 1e3, len(dumps(task[np.arange(0, len(task), 2)])) / 1e3


def kill_one(cluster: object, after: float) -> None:
    """End a worker's process once."""
    import signal

    def strike() -> None:
        time.sleep(after)
        worker = next(iter(cluster.workers.values()))  # type: ignore[attr-defined]
        os.kill(worker.process.process.pid, signal.SIGKILL)

    threading.Thread(target=strike, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description="Client memory and bits, with the number of sites.")
    parser.add_argument("--sites", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--kill", action="store_true", help="kill a worker, and compare with a run without a cluster")
    parser.add_argument("--alone", action="store_true", help="without a cluster")
    given = parser.parse_args()
    heading("the whole of PRODA, with the number of sites", "each once")
    rows: list[tuple[object, ...]] = []
    for n in given.sites:
        with tempfile.TemporaryDirectory() as name:
            rows.append((f"{n:,}", *one(n, Path(name), given.kill, given.alone)))
    table(("sites", "minutes", "client MB", "25 sites kB", "a rival kB", "bits"), rows)


def one(n: int, folder: Path, kill: bool, alone: bool) -> tuple[float | str, ...]:
    """One size: minutes, memory, messages, and whether the bits are those without a cluster."""
    from distributed import LocalCluster

    survey(n, folder / "survey.csv", np.random.default_rng(7))
    if alone:
        seconds, memory = call(folder, "alone", None)
        print((folder / "alone.log").read_text()[-1500:])
        return seconds / 60, memory, "-", "-", "-"
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        if kill:
            kill_one(cluster, 40.0)
        seconds, memory = call(folder, "cluster", cluster.scheduler_address)
    bits = "-"
    if kill:
        call(folder, "alone", None)
        there, here = (region.read(folder / out / "proda.nc") for out in ("cluster", "alone"))
        same = all(same_values(there[name], here[name]) for name in region.GROUPS)
        bits = "the same" if same else "others"
    print((folder / "cluster.log").read_text()[-1500:])
    return seconds / 60, memory, *messages(n, folder), bits


def same_values(a: xr.Dataset, b: xr.Dataset) -> bool:
    """Whatever is stored but the seconds it took."""
    a, b = (data.drop_vars("score_seconds", errors="ignore") for data in (a, b))
    return bool(a.equals(b))


if __name__ == "__main__":
    main()
