"""Towers: does DALEC beat what needs no model, in a year held out?

    python course.py bench towers

Five made-up towers, each three years, two used. Three are evergreen, made by DALEC, with a slow error that
DALEC cannot follow (0, 0.4 and 0.8 gC m-2 d-1); two have leaves that fall. The broadleaf is fitted by both
forests. Then Metolius, 2000 and 2001 used, 2002 held out. CRPS of net exchange [gC m-2 d-1].
"""

from __future__ import annotations

import warnings
from time import process_time
from typing import Any

from _timing import heading, table as show  # first: it holds BLAS to one thread

import numpy as np

from landcarbon import datasets
from landcarbon.assimilation import ConvergenceWarning
from landcarbon.assimilation.forest import (
    BROADLEAF,
    EVERGREEN,
    Forest,
    fit_tower,
    forest_series,
    synthetic_tower,
    weather,
)
from landcarbon.forecasting import tower_skill

COLUMNS = ("tower, forest fitted", "CRPS model", "climatology", "regression", "skill", "cover 90 %", "bias", "CPU s")


def bare(seed: int) -> Any:
    """Made-up weather, and fluxes of a forest whose leaves fall."""
    rng, prior = np.random.default_rng(seed), BROADLEAF.prior
    made = synthetic_tower(rng=seed, n_days=1095)
    near = prior.to_unit(prior.table.default) + 0.05 * rng.standard_normal(len(prior))
    theta = prior.from_unit(np.clip(near, 0.02, 0.98))
    run = forest_series(weather(made), theta, forest=BROADLEAF)
    for name, sd in (("nee", 0.5), ("rt", 0.4)):
        made[name] = np.where(made[name].notna(), run[name] + sd * rng.standard_normal(1095), np.nan)
        made[f"{name}_sd"] = np.where(made[name].notna(), sd, np.nan)
    return made[[c for c in made if c.split("_")[0] not in ("cf", "cw", "cr", "cl", "cs")]]


def row(name: str, data: Any, forest: Forest, until: int = 730) -> tuple[Any, ...]:
    """One fit and its rivals."""
    begin = process_time()
    found = tower_skill(fit_tower(data, until, forest=forest, n_members=200), data)
    model, crps = found.loc["model"], found["crps"]
    return (name, *(f"{crps[k]:.3f}" for k in ("model", "climatology", "regression")), f"{model['skill']:+.2f}",
            f"{model['coverage']:.2f}", f"{model['bias']:+.2f}", process_time() - begin)


def main() -> None:
    """All towers."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    heading("Net exchange in a year held out", "one run")
    rows = [row(f"evergreen, slow error {e:g}", synthetic_tower(rng=k, n_days=1095, model_error=e), EVERGREEN)
            for k, e in ((1, 0.0), (2, 0.4), (3, 0.8))]
    for k in (4, 5):
        made = bare(k)
        rows += [row(f"broadleaf {k - 3}, {name}", made, forest)
                 for name, forest in (("broadleaf", BROADLEAF), ("evergreen", EVERGREEN))]
    try:
        rows.append(row("Metolius, evergreen", datasets.load("dalec_oregon"), EVERGREEN, 731))
    except datasets.DataUnavailable as missing:
        print(missing)
    show(COLUMNS, rows)


if __name__ == "__main__":
    main()
