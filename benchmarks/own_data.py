"""Own data, from a CSV to a report: lines of code, seconds of the processor, and coverage of what was held out.

    python course.py bench own_data

Three stories on the made-up files of the appendix. Lines are those of the function, without the imports; the
third has a model of its own, which is counted apart.
"""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from time import process_time

from _timing import heading, table  # first: it holds BLAS to one thread

import numpy as np
import pandas as pd

from landcarbon.assimilation import (
    ConvergenceWarning,
    GaussianLikelihood,
    Posterior,
    StatedPrior,
    beta,
    fit,
    log_normal,
    pools,
    sample,
)
from landcarbon.assimilation.forest import BROADLEAF, fit_tower
from landcarbon.datasets import read_fluxnet, read_jars_csv, read_plots_csv
from landcarbon.forecasting import tower_skill
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.simulate import simulate
from landcarbon.workflow.fit_report import fit_report

HERE = Path(__file__).parents[1] / "book/appendix"
YEARS = np.arange(2012.0, 2022.01, 0.25)
PRIOR = StatedPrior({
    "input": log_normal(400, 1.3), "to_wood": beta(4, 6), "k_wood": log_normal(0.05, 1.5),
    "k_litter": log_normal(0.5, 1.7), "kept": beta(4, 6), "k_soil": log_normal(0.02, 1.7),
    "wood_0": log_normal(2500, 1.2), "litter_0": log_normal(500, 1.4), "soil_0": log_normal(5000, 1.3),
})  # fmt: skip


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
    rows = read.table[read.table["warmer"] == 0]
    early, late = (rows[(rows["time"].dt.year < 2019) == first] for first in (True, False))
    posterior, new = (Posterior(PRIOR, model(r), GaussianLikelihood(r["value"], r["sd"])) for r in (early, late))
    found = sample(posterior, rng=1, n_draws=500)
    page = fit_report(found, read, posterior=posterior)
    made = new.replicate(found.draws, rng=2)
    low, high = np.quantile(made.simulated, [0.05, 0.95], axis=0)
    return page, float(((low < made.observed) & (made.observed < high)).mean())


def model(rows: pd.DataFrame):
    """Wood, litter and soil in the years and pools of some rows."""
    at = np.abs(YEARS[:, None] - (rows["time"].dt.year + 0.75).to_numpy()).argmin(0)
    pool = rows["variable"].map(["wood", "litter", "soil"].index).to_numpy()

    def run(theta: np.ndarray) -> np.ndarray:
        p = PRIOR.dict(theta)
        one, none = np.ones_like(p["kept"]), np.zeros_like(p["kept"])
        given = ((one, none, none), (-0.6 * one, one, none), (none, -p["kept"], one))
        A = np.stack([np.stack(row, -1) for row in given], -2)
        K = np.stack([p["k_wood"], p["k_litter"], p["k_soil"]], -1)
        B = np.stack([p["to_wood"], 1 - p["to_wood"], none], -1)
        X0 = np.stack([p["wood_0"], p["litter_0"], p["soil_0"]], -1)
        X = simulate(MatrixModel(("wood", "litter", "soil"), A=A, K=K, B=B), YEARS, X0, p["input"][None])["X"].values
        return np.moveaxis(X[at, ..., pool], 0, -1)

    return run


def main() -> None:
    """All three."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    heading("From a CSV to a report", "one run")
    rows = []
    for name, story, own in (("jars", jars, 0), ("tower", tower, 0), ("plots", plots, model)):
        begin = process_time()
        page, coverage = story()
        seconds = process_time() - begin
        lines = [len(inspect.getsource(f).splitlines()) - 2 if f else 0 for f in (story, own)]
        rows.append((name, lines[0], lines[1] or "-", f"{seconds:.0f}", f"{len(page) / 1000:.0f}", f"{coverage:.0%}"))
    table(("story", "lines", "of a model", "CPU s", "report [kB]", "held out, in the 90 % band"), rows)


if __name__ == "__main__":
    main()
