"""CLM5 columns forward in time: thousands of columns, 250 years, month by month.

    python course.py bench columns                          5,000 columns on two processes
    python course.py bench columns -- --columns 500 --processes 1

Random sites and parameters (those of `benchmarks/steady_state.py`), warmed by 4 K over the run, with thaw
that deepens. Every month is one implicit step through the cascade; states are kept every 50 years. Carbon
alone, then with mean ages and radiocarbon along, which are two further passes a step. Columns are run
a thousand at a time, so memory does not grow with their number; what is kept does.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from time import perf_counter, process_time

from _timing import heading, peak_memory_mb, table  # first: it holds BLAS to one thread
from steady_state import sites

import numpy as np
from joblib import Parallel, delayed

from landcarbon.matrix.simulate import simulate
from landcarbon.models import clm5
from landcarbon.theory.columns import columns_through_time, start_of_columns

FIRST, LAST = 1850, 2100
AT_ONCE = 1250
AIR = ([1850.0, 1955.0, 1965.0, 1990.0, 2100.0], [0.0, 0.0, 700.0, 150.0, -100.0])


def run(theta: np.ndarray, land: clm5.Forcing, along: bool) -> tuple[np.ndarray, float, float]:
    """States (time, column, pool, layer) [gC m-3], peak memory of the process [MB], and CPU time [s]."""
    begin = process_time()

    def year(number: int) -> clm5.Forcing:
        share = (number - FIRST) / (LAST - FIRST)
        return replace(land, soil_temperature=land.soil_temperature + 4 * share,
                       active_layer_depth=land.active_layer_depth + share)  # fmt: skip

    t = FIRST + np.arange(12 * (LAST - FIRST) + 1) / 12
    keep = np.arange(FIRST, LAST + 1, 50)
    model, I, xi = clm5.monthly_columns(theta, year)
    start = start_of_columns(*clm5.column(theta, land))
    if along:
        data = columns_through_time(model, t, start, I, xi, keep=keep, air=AIR)
    else:
        data = simulate(model, t, start.X, I, xi, method="implicit", keep=keep)
    return data.X.values.astype(np.float32), peak_memory_mb(), process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--columns", type=int, default=5000)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    theta, land = sites(asked.columns)
    parts = [slice(k, k + AT_ONCE) for k in range(0, asked.columns, AT_ONCE)]
    title = f"{asked.columns:,} columns, {LAST - FIRST} years, monthly, {asked.processes} processes"
    heading(title, runs="single runs")
    rows = []
    for name, along in (("carbon", False), ("carbon, ages, radiocarbon", True)):
        begin = perf_counter()
        done = Parallel(asked.processes)(delayed(run)(theta[p], land[p], along) for p in parts)
        seconds = perf_counter() - begin
        steps = 12 * (LAST - FIRST) * asked.columns
        memory, spent = max(peak for _, peak, _ in done), sum(cpu for *_, cpu in done)
        finite = all(np.isfinite(X).all() for X, *_ in done)
        rows.append([name, f"{seconds:.0f}", f"{spent:.0f}", f"{1e6 * spent / steps:.1f}", f"{memory:.0f}", finite])
    table(["what", "s", "CPU s", "µs a column and month", "MB a process", "finite"], rows)


if __name__ == "__main__":
    main()
