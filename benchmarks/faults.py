"""What a run on disk survives: kills, two at once, a full disk, short memory, dead workers.

    python course.py bench faults

Each fault is put to a small run of `assimilate` over sites, of `proda.assimilate`, and of `run_cycle`, in
a process of its own; afterwards the same call is made once more in peace and must end in the bits of a
run that nothing happened to. An argument shortens everything: `python benchmarks/faults.py 0.2`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from _timing import heading, table  # first: it holds BLAS to one thread

import numpy as np
import pandas as pd
import psutil
import xarray as xr

from landcarbon.matrix.errors import InputError

SITES, CHUNK, ISSUES = 60, 3, 20


def some_sites(positions, rngs):
    """Made-up work; some time a chunk, so that there is a middle to be killed in."""
    time.sleep(0.05)
    draws = np.stack([rng.standard_normal((50, 40)) for rng in rngs])
    return {"draws": (("site", "member", "parameter"), draws.cumsum(axis=1))}


def run_sites(out: str, n_jobs: int = 1) -> xr.Dataset:
    from landcarbon.assimilation.sites import assimilate

    return assimilate(range(SITES), some_sites, out, seed=1, chunk=CHUNK, n_jobs=n_jobs)


def run_workers(out: str) -> xr.Dataset:
    return run_sites(out, 2)


def run_proda(out: str) -> xr.Dataset:
    from landcarbon import datasets
    from landcarbon.learning import Task, Work, proda

    world = datasets.twin_world(n_sites=24, rng=2)
    task = Task(world.observations, world.forcing, work=Work(out, chunk=2))
    sites = proda.assimilate(task, n_members=20, n_iter=3, rng=3)
    return xr.Dataset({"draws": (("s", "m", "p"), sites.draws), "seen": (("s", "m", "o"), sites.prediction)})


def analyse(now):
    time.sleep(0.05)
    last = now.known["value"].iloc[-1]
    before = 0.0 if now.previous is None else now.previous["state"].values
    return {"state": ("member", 0.9 * last + 0.1 * before + now.rng.normal(size=2000))}


def ahead(now, analysis):
    steps = now.rng.normal(size=(2000, 5)).cumsum(axis=1)
    return {"carbon": (("member", "lead"), analysis["state"].values[:, None] + steps), "lead": np.arange(1.0, 6)}


def run_a_cycle(out: str) -> xr.Dataset:
    from landcarbon.forecasting import run_cycle

    days = pd.date_range("2001-01-01", periods=2 * ISSUES)
    value = np.random.default_rng(0).normal(size=days.size).cumsum()
    rows = pd.DataFrame({"time": days, "variable": "carbon", "value": value, "sd": 0.3})
    return run_cycle(days[ISSUES:], rows, analyse, ahead, out=out)


RUNS = {"sites": run_sites, "proda": run_proda, "cycle": run_a_cycle}
WORKERS = run_workers.__name__
LIMIT = """
import resource
size = {size}
if "{kind}" == "RLIMIT_AS":  # beyond what the process holds once all is imported
    import joblib, netCDF4, sklearn.ensemble, threadpoolctl
    import landcarbon.datasets.twin, landcarbon.forecasting, landcarbon.learning.proda
    size += int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.{kind}, (size, size))
"""
CODE = """
import sys
sys.path.insert(0, {here!r})
import faults
{limit}
from landcarbon.matrix.errors import InputError
try:
    faults.{run}({out!r})
except (InputError, MemoryError) as error:  # as the command does
    print("sentence:", error)
    sys.exit(2)
"""


@dataclass
class End:
    code: int
    said: str
    errors: str

    @property
    def clean(self) -> bool:
        """It went well, or ended in one sentence."""
        return self.code == 0 or (self.code == 2 and self.said.startswith("sentence:"))


def start(name: str, out: str, limit: str = "") -> subprocess.Popen[str]:
    run = RUNS[name].__name__ if name in RUNS else name
    code = CODE.format(here=str(Path(__file__).parent), limit=limit, run=run, out=out)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def end(process: subprocess.Popen[str]) -> End:
    said, errors = process.communicate(timeout=600)
    return End(process.returncode, said, errors)


def pieces(out: str) -> int:
    return len(list(Path(out).rglob("*.nc")))


def kill_once(run: str, out: str, rng: np.random.Generator) -> bool:
    """SIGKILL after some more pieces, somewhere in the next; False where the run was faster."""
    process = start(run, out)
    goal = pieces(out) + int(rng.integers(1, 4))
    while pieces(out) < goal and process.poll() is None:
        time.sleep(0.002)
    time.sleep(rng.uniform(0.0, 0.06))
    alive = process.poll() is None
    process.kill()
    process.communicate()
    return alive


def kills(name: str, whole: xr.Dataset, n: int, rng: np.random.Generator) -> tuple[str, ...]:
    done = runs = same = 0
    while done < n:
        with tempfile.TemporaryDirectory() as folder:
            out = f"{folder}/run"
            for _ in range(5):  # up to five kills a run
                if done == n or not kill_once(name, out, rng):
                    break
                done += 1
            runs += 1
            same += RUNS[name](out).identical(whole)
    return f"SIGKILL, {name}", f"{done} kills of {runs} runs", f"{same} of {runs} the same bits"


def two_at_once(whole: xr.Dataset, n: int) -> tuple[str, ...]:
    clean = same = refused = 0
    for _ in range(n):
        with tempfile.TemporaryDirectory() as folder:
            out = f"{folder}/run"
            ends = [end(p) for p in (start("sites", out), start("sites", out))]
            clean += all(e.clean for e in ends)
            refused += sum(e.code == 2 for e in ends)
            same += run_sites(out).identical(whole)
    return "two at once", f"{n} pairs, {clean} clean, {refused} refused in a sentence", f"{same} of {n} the same bits"


def limited(kind: str, sizes: list[int], whole: dict[str, xr.Dataset]) -> list[tuple[str, ...]]:
    rows = []
    for name, run in RUNS.items():
        clean = same = failed = 0
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                out = f"{folder}/run"
                stopped = end(start(name, out, LIMIT.format(kind=kind, size=size)))
                clean += stopped.clean
                failed += stopped.code != 0
                if not stopped.clean:
                    print(stopped.errors[-400:])
                halves = list(Path(folder).rglob("*.part"))
                same += run(out).identical(whole[name]) and not halves
        what = "disk full" if kind == "RLIMIT_FSIZE" else "memory short"
        happened = f"{len(sizes)} sizes, {failed} stopped, {clean} clean"
        rows.append((f"{what}, {name}", happened, f"{same} of {len(sizes)} the same bits"))
    return rows


def children(pid: int) -> list[int]:
    """Processes below one, from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def dead_worker(whole: xr.Dataset, n: int) -> tuple[str, ...]:
    clean = same = 0
    for _ in range(n):
        with tempfile.TemporaryDirectory() as folder:
            out = f"{folder}/run"
            process = start(WORKERS, out)
            while pieces(out) < 2 and process.poll() is None:
                time.sleep(0.01)
            workers = [p for p in children(process.pid) if b"popen_loky" in Path(f"/proc/{p}/cmdline").read_bytes()]
            psutil.Process(workers[0]).kill()
            clean += end(process).clean
            same += run_sites(out).identical(whole)
    return "worker killed, local", f"{n} runs, {clean} clean", f"{same} of {n} the same bits"


def dead_worker_on_dask(whole: xr.Dataset) -> tuple[str, ...]:
    try:
        import distributed
    except ImportError:
        return "worker killed, Dask", "dask[distributed] is not installed", ""
    import threading

    import joblib

    folder = tempfile.mkdtemp()
    out = f"{folder}/run"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=folder, silence_logs=50
    ) as cluster, distributed.Client(cluster), joblib.parallel_config("dask"):  # fmt: skip

        def strike() -> None:
            while pieces(out) < 2:
                time.sleep(0.01)
            psutil.Process(next(iter(cluster.workers.values())).pid).kill()

        threading.Thread(target=strike, daemon=True).start()
        try:
            run_sites(out, -1)
            happened = "1 run, went on"
        except InputError:
            happened = "1 run, stopped in a sentence"
    return "worker killed, Dask", happened, f"{int(run_sites(out).identical(whole))} of 1 the same bits"


def main(size: float = 1.0) -> None:
    rng = np.random.default_rng()
    n = max(2, round(10 * size))
    with tempfile.TemporaryDirectory() as folder:
        whole = {name: run(f"{folder}/{name}") for name, run in RUNS.items()}
        largest = max(p.stat().st_size for p in Path(folder).rglob("*.nc"))
    heading("Faults put to runs on disk", "clean: it went well, or ended in one sentence")
    rows = [kills(name, whole[name], n, rng) for name in RUNS]
    rows.append(two_at_once(whole["sites"], max(2, round(20 * size))))
    rows += limited("RLIMIT_FSIZE", [0, 1000, 20_000, 70_000, largest - 1], whole)
    rows += limited("RLIMIT_AS", [m * 2**20 for m in (2, 10, 40)], whole)
    rows.append(dead_worker(whole["sites"], max(1, round(5 * size))))
    rows.append(dead_worker_on_dask(whole["sites"]))
    table(("fault", "what happened", "afterwards"), rows)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
