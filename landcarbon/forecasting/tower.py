r"""Does a model of a forest beat what needs no model? Skill at a tower, in days held out.

::

    skill = 1 - CRPS / CRPS of the climatology

================ =====================================================================================
name             what it says of a day held out
================ =====================================================================================
model            the draws of the fit, with measurement error and what the misfit has left unexplained
climatology      what was measured within two weeks of that day of the year, in the days used
persistence      the last measurement, spread by changes over the same lead (see `null`)
regression       net exchange = linear in light, warmth, their product, warmth squared and the season,
                 fitted to the days used, with its residuals
================ =====================================================================================

Model and regression are told the weather of the days held out; climatology and persistence are not. A model
that loses to the regression has not used the weather as well as seven coefficients do.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.forest import TowerFit, observed_days
from landcarbon.forecasting.null import climatology, persistence
from landcarbon.forecasting.scores import coverage, crps
from landcarbon.matrix.errors import InputError, Rng, as_kind, as_rng, as_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["tower_skill"]

Array = NDArray[np.float64]
WINDOW = 14.0  # days on either side


def tower_skill(
    found: TowerFit, table: Mapping[str, Any], stream: str = "nee", n_members: int = 400, rng: Rng = 0
) -> pd.DataFrame:
    """Scores of the model and its rivals, in the days that were not used.

    Parameters
    ----------
    found : TowerFit
        From `assimilation.forest.fit_tower`.
    table : DataFrame or mapping
        All days, those used and those held out.
    stream : {"nee", "rt"}
    n_members : int
    rng : Generator or int

    Returns
    -------
    pandas.DataFrame
        One row a rival: `crps` (as the data), `skill`, `coverage` of the 90 % interval, `bias`, `n`.

    Raises
    ------
    InputError
        Nothing measured in the days held out.
    """
    import pandas as pd

    as_kind("found", found, TowerFit)
    rng, n_members = as_rng(rng), as_whole("n_members", n_members, 2)
    used, held = observed_days(table, stream, 0, found.until), observed_days(table, stream, found.until)
    if not held.size:
        raise InputError(f"no {stream} was measured after day {found.until}; fit fewer days, to judge by the rest.")
    y, doy = np.asarray(table[stream], dtype=float), np.asarray(table["doy"], dtype=float)
    sd = np.hypot(np.asarray(table[f"{stream}_sd"], dtype=float)[held], found.model_error.get(stream, 0.0))
    made = found.series(table)[stream][:, held]
    made = made[rng.integers(len(made), size=n_members)]
    rivals = {
        "model": made + sd * rng.standard_normal(made.shape),
        "climatology": climatology(y[used], doy[used], doy[held], n_members, window=WINDOW, rng=rng),
        "regression": _regression(table, y, used, held, n_members, rng),
    }
    lead = held - (found.until - 1)
    if lead[-1] < found.until / 2:
        with suppress(InputError):  # where no two days used lie as far apart, its spread is not known
            rivals["persistence"] = persistence(y[: found.until], int(lead[-1]), n_members, rng=rng)[:, lead - 1]
    seen = y[held]
    rows = {
        name: {
            "crps": float(crps(seen, x, fair=True).mean()), "coverage": float(coverage(seen, x, 0.9)),
            "bias": float((x.mean(0) - seen).mean()), "n": held.size,
        }
        for name, x in rivals.items()
    }  # fmt: skip
    out = pd.DataFrame(rows).T
    out.insert(1, "skill", 1.0 - out["crps"] / out.loc["climatology", "crps"])
    return out


def _regression(table: Mapping[str, Any], y: Array, used: Any, held: Any, n: int, rng: np.random.Generator) -> Array:
    """Least squares on the weather, with its own residuals as its spread."""
    R, T = np.asarray(table["radiation"], float), 0.5 * (
        np.asarray(table["max_temperature"], float) + np.asarray(table["min_temperature"], float)
    )
    angle = 2.0 * np.pi * np.asarray(table["doy"], float) / 365.25
    G = np.stack([np.ones_like(R), R, T, R * T, T**2, np.cos(angle), np.sin(angle)], axis=-1)
    b = np.linalg.lstsq(G[used], y[used], rcond=None)[0]
    left = y[used] - G[used] @ b
    left = left * np.sqrt(used.size / max(1, used.size - G.shape[1]))
    return np.asarray(G[held] @ b + rng.choice(left, (n, held.size)))
