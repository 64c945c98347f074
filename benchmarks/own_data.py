"""Own data, from a CSV to a report: lines of code, seconds of the processor, and coverage of what was held out.

    python course.py bench own_data

Three stories on the made-up files of the appendix. Lines are those of the function, without the imports; the
two of stated priors are not counted.
"""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from time import process_time

from _timing import heading, table  # first: it holds BLAS to one thread

import pandas as pd

from landcarbon.assimilation import (
    ConvergenceWarning,
    beta,
    fit,
    log_normal,
    plot_pools,
    pools,
)
from landcarbon.assimilation.forest import BROADLEAF, fit_tower
from landcarbon.datasets import read_fluxnet, read_jars_csv, read_plots_csv
from landcarbon.forecasting import tower_skill
from landcarbon.workflow.fit_report import fit_report

HERE = Path(__file__).parents[1] / "book/appendix"
PRIORS = {"input": log_normal(400, 1.3), "to_wood": beta(4, 6), "k_wood": log_normal(0.05, 1.5),
          "k_litter": log_normal(0.5, 1.7), "k_soil": log_normal(0.02, 1.7)}  # fmt: skip


def jars() -> tuple[str, float]:
    """Incubations: the last jar of each soil is held out."""
    read = read_jars_csv(HERE / "own_jars.csv")
    kept, pine = read.without("pine", "5")
    kept, meadow = kept.without("meadow", "5")
    found = fit(pools(2), kept, rng=1)
    page = fit_report(found, kept)
    return page, found.coverage(pd.concat([pine.table, meadow.table]))


def tower() -> tuple[str, float]:
    """A tower: the last of four years is held out."""
    read = read_fluxnet(next(HERE.glob("FLX_*.csv")))
    found = fit_tower(read.table, 1095, latitude=48.0, forest=BROADLEAF, n_members=200, rng=1)
    page = fit_report(found.draws, read, posterior=found.posterior)
    return page, float(tower_skill(found, read.table).loc["model", "coverage"])


def plots() -> tuple[str, float]:
    """Plots: the last three of ten years are held out."""
    read = read_plots_csv(HERE / "own_plots.csv")
    rows = read.table
    early, late = (rows[(rows["time"].dt.year < 2019) == first] for first in (True, False))
    model = plot_pools("wood", "litter", "soil", since=2012.5, warming="warmer")
    found = fit(model, early, PRIORS, rng=1)
    page = fit_report(found, read)
    return page, found.coverage(late)


def main() -> None:
    """All three."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    heading("From a CSV to a report", "one run")
    rows = []
    for name, story in (("jars", jars), ("tower", tower), ("plots", plots)):
        begin = process_time()
        page, coverage = story()
        seconds = process_time() - begin
        lines = len(inspect.getsource(story).splitlines()) - 2
        rows.append((name, f"{lines}", f"{seconds:.0f}", f"{len(page) / 1000:.0f}", f"{coverage:.0%}"))
    table(("story", "lines", "CPU s", "report [kB]", "held out, in the 90 % band"), rows)


if __name__ == "__main__":
    main()
