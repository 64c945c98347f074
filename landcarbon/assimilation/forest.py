"""A forest with a flux tower: DALEC against net exchange, respiration and five pools.

::

    h_nee(t) = R_a(t) + R_h(t) - G(t),    h_rt(t) = R_a(t) + R_h(t),    h_c(t) = X_c(t + 1)
    sd^2     = sd_measured^2 + sd_model^2
    sd_model^2 = mean r^2 - mean sd_measured^2,  if above 0                (unexplained)

======== ======================================== ========= ======= ================= ==========
symbol   meaning                                  shape     unit    code name         source
======== ======================================== ========= ======= ================= ==========
G        photosynthesis                           (..., t)  gC m-2  simulate_dalec    dalec
R_a, R_h respiration of plants; of litter, soil   (..., t)  d-1     simulate_dalec    dalec
X_c      foliage, wood, fine roots, litter, soil  (..., t)  gC m-2  simulate_dalec    dalec
         in the evening of day t
r        misfit, observed minus modelled          (t,)      as data                   the data
sd_model what the model cannot follow             ()        as data model_error       the misfit
======== ======================================== ========= ======= ================= ==========

The data are those of Williams et al. (2005), doi 10.1111/j.1365-2486.2004.00891.x, or any table with
the same columns: a value `x`, its standard deviation `x_sd`, NaN where nothing was measured, one row
a day. Which streams are there, and in what unit, is in `STREAMS`. Unknown are the nine parameters of
DALEC and the five pools of the first morning.

The first three lines to type:

    table = datasets.load("dalec_oregon")
    posterior = tower_posterior(table, until=731, weight={"nee": 0.1, "rt": 0.02})
    draws = sample(posterior, "smc", rng=1, n_draws=200)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import Ensemble
from landcarbon.assimilation.ensemble import EnsembleSmoother
from landcarbon.assimilation.joint import JointObservations, independent_share
from landcarbon.assimilation.observations import GaussianLikelihood
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.samplers import sample
from landcarbon.matrix.errors import (
    InputError,
    Rng,
    as_array,
    as_broadcast,
    as_choice,
    as_gappy,
    as_kind,
    as_number,
    as_rng,
    as_whole,
)
from landcarbon.models import dalec
from landcarbon.models.parameters import Parameter, ParameterTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BROADLEAF",
    "EVERGREEN",
    "FLUXES",
    "PRIOR",
    "STREAMS",
    "Forest",
    "TowerFit",
    "fit_tower",
    "forest_of",
    "forest_series",
    "observed_days",
    "synthetic_tower",
    "tower_posterior",
    "unexplained",
    "weather",
]

Array = NDArray[np.float64]

STREAMS = {
    "nee": "net exchange [gC m-2 d-1], negative: uptake",
    "rt": "respiration of plants and soil [gC m-2 d-1]",
    "cf": "foliage [gC m-2]",
    "cw": "wood [gC m-2]",
    "cr": "fine roots [gC m-2]",
    "cl": "litter [gC m-2]",
    "cs": "soil and woody debris [gC m-2]",
}
"""Columns that can be assimilated."""

FLUXES = ("nee", "rt")
POOLS = ("cf", "cw", "cr", "cl", "cs")
SPAN = 3.0


@dataclass(frozen=True, eq=False)
class Forest:
    """A kind of forest: what is unknown of it, and how it runs.

    Parameters
    ----------
    prior : Prior
        Parameters, then first pools.
    run : callable
        (drivers, theta (..., p), latitude) -> landcarbon.models.dalec.Run
    """

    prior: Prior
    run: Callable[[dalec.Drivers, Array, float], dalec.Run]


def forest_of(
    table: ParameterTable, first: Mapping[str, tuple[float, float, float]], simulate: Callable[..., dalec.Run]
) -> Forest:
    """A forest from its parameters and (lower, upper, default) of its first pools [gC m-2].

    Rates [d-1] and pools are spread evenly over their orders of magnitude, all else evenly.
    """
    rows = [
        Parameter(r.name, r.unit, r.lower, r.upper, r.default, r.source, r.description,
                  "log-uniform" if r.unit == "d-1" else "uniform")
        for r in table
    ]  # fmt: skip
    rows += [
        Parameter(f"{pool.split()[-1]}_0", "gC m-2", low, high, default, "ours", f"{pool} on the first morning",
                  "log-uniform")
        for pool, (low, high, default) in first.items()
    ]  # fmt: skip
    n = len(table)

    def run(drivers: dalec.Drivers, theta: Array, latitude: float) -> dalec.Run:
        return simulate(drivers, theta[..., :n], theta[..., n:], latitude)

    return Forest(Prior(ParameterTable(rows)), run)


EVERGREEN = forest_of(
    dalec.PARAMETERS, {pool: (x / SPAN, x * SPAN, x) for pool, x in zip(dalec.POOLS, dalec.X0)}, dalec.simulate_dalec
)
"""Williams et al. (2005); first pools within a factor of three of those of Metolius."""

PRIOR = EVERGREEN.prior

BROADLEAF = forest_of(
    dalec.BROADLEAF,
    {"foliage": (0.1, 50.0, 1.0), "wood": (500.0, 30000.0, 5000.0), "fine roots": (20.0, 600.0, 150.0),
     "litter": (20.0, 1500.0, 200.0), "soil": (2000.0, 40000.0, 8000.0), "labile": (15.0, 500.0, 120.0)},
    dalec.simulate_broadleaf,
)  # fmt: skip
"""Bare in winter; first pools as wide as temperate forests are. Start it on a 1 January."""


def forest_series(
    drivers: dalec.Drivers, theta: ArrayLike, latitude: float = dalec.METOLIUS, forest: Forest = EVERGREEN
) -> dict[str, Array]:
    """What DALEC says of every stream on every day.

    Parameters
    ----------
    drivers : landcarbon.models.dalec.Drivers
    theta : array_like (..., p)
        In the order of the prior of the forest: parameters of DALEC, then first pools.
    latitude : float
        [°N]
    forest : Forest
        `EVERGREEN` or `BROADLEAF`.

    Returns
    -------
    dict of str to ndarray (..., days)
        For each name in `STREAMS`, and "gpp".

    Raises
    ------
    InputError
        A wrong number of parameters, or values that DALEC refuses.

    Examples
    --------
    >>> day = dalec.Drivers(doy=[180], max_temperature=[24.0], min_temperature=[8.0], radiation=[22.0])
    >>> run = forest_series(day, PRIOR.table.default)
    >>> {name: float(run[name][0].round(1)) for name in ("nee", "rt", "cw")}
    {'nee': -0.0, 'rt': 2.7, 'cw': 770.4}
    """
    as_kind("drivers", drivers, dalec.Drivers)
    as_kind("forest", forest, Forest)
    names = forest.prior.names
    theta = as_array("theta", theta, shape=(len(names),), hint=f"In the order of the prior: {', '.join(names)}.")
    run = forest.run(drivers, theta, latitude)
    out = {"gpp": run.gpp, "nee": run.nee, "rt": run.autotrophic + run.heterotrophic}
    out |= {name: run.X[1:, ..., k] for k, name in enumerate(POOLS)}
    return {name: np.moveaxis(values, 0, -1) for name, values in out.items()}


def _column(table: Mapping[str, Any], name: str) -> Array:
    if name not in table:
        raise InputError(f"the table has no column {name!r}; it has {', '.join(map(str, table)) or 'none'}.")
    return as_gappy(name, table[name])


def observed_days(
    table: Mapping[str, Any], stream: str, begin: int = 0, until: int | None = None
) -> NDArray[np.intp]:
    """Rows of the table, from `begin` to before `until`, in which a stream was measured.

    Examples
    --------
    >>> observed_days({"nee": [0.1, float("nan"), 0.3, 0.2]}, "nee", until=3)
    array([0, 2])
    """
    as_kind("table", table, "keys", hint="Give a table with a column for each stream.")
    begin, until = as_whole("begin", begin), until if until is None else as_whole("until", until)
    as_choice("stream", stream, STREAMS)
    seen = np.flatnonzero(np.isfinite(_column(table, stream)))
    return seen[(seen >= begin) & (seen < (np.inf if until is None else until))]


def tower_posterior(
    table: Mapping[str, Any],
    until: int | None = None,
    streams: tuple[str, ...] = tuple(STREAMS),
    model_error: Mapping[str, float] | None = None,
    weight: Mapping[str, float] | None = None,
    latitude: float = dalec.METOLIUS,
    forest: Forest = EVERGREEN,
) -> Posterior:
    """Prior, model and data of a forest as one posterior; its model values are the observed days.

    Parameters
    ----------
    table : DataFrame or mapping of str to array (days,)
        Drivers as in `dalec.Drivers`, and streams with their `_sd`.
    until : int, optional
        Number of days used; what comes later is held out.
    streams : tuple of str
        Those to be used, as far as they were measured before `until`.
    model_error : mapping of str to float, optional
        Added to the measurement error of a stream, in quadrature; 0 where none is given.
    weight : mapping of str to float, optional
        See `JointObservations`; 1 where none is given.
    latitude : float
        [°N]
    forest : Forest
        `EVERGREEN` or `BROADLEAF`.

    Returns
    -------
    Posterior

    Raises
    ------
    InputError
        An unknown stream, no data before `until`, a negative model error, an error of zero.

    Examples
    --------
    >>> days = 60
    >>> table = {"doy": np.arange(150, 210), "max_temperature": np.full(days, 24.0),
    ...          "min_temperature": np.full(days, 8.0), "radiation": np.full(days, 22.0),
    ...          "nee": np.full(days, -0.9), "nee_sd": np.full(days, 0.5)}
    >>> posterior = tower_posterior(table, until=50, streams=("nee",), weight={"nee": 0.1})
    >>> posterior.observations.data.shape, round(float(posterior.observations.sd[0]), 2)
    ((50,), 1.58)
    """
    as_kind("table", table, "keys", hint="Give a table with a column for each stream.")
    latitude = as_number("latitude", latitude, lower=-90.0, upper=90.0)
    as_kind("streams", streams, list, tuple)
    as_kind("forest", forest, Forest)
    as_kind("weight", weight or {}, Mapping, hint="Give a number for each stream by its name.")
    extra, weight = dict(model_error or {}), dict(weight or {})
    days = {name: observed_days(table, name, 0, until) for name in streams}
    days = {name: at for name, at in days.items() if at.size}
    for name in (*extra, *weight):
        if name not in streams:
            raise InputError(f"{name!r} has an error or a weight, but is not among the streams.")
    if not days:
        raise InputError(
            f"nothing was measured in {', '.join(streams)} before day {until}; use more days."
        )
    parts = {}
    for name, at in days.items():
        more = as_array(f"model_error of {name!r}", extra.get(name, 0.0), shape=(), lower=0.0)
        sd = _column(table, f"{name}_sd")[at]
        parts[name] = GaussianLikelihood(_column(table, name)[at], np.hypot(sd, more))
    observations = JointObservations(parts, {k: w for k, w in weight.items() if k in parts})
    last = 1 + max(int(at[-1]) for at in days.values())
    drivers = weather(table, last)

    def model(theta: Array) -> Array:
        run = forest_series(drivers, theta, latitude, forest)
        return observations.join({name: run[name][..., at] for name, at in days.items()})

    return Posterior(forest.prior, model, observations)


@dataclass(frozen=True, eq=False)
class TowerFit:
    """DALEC fitted to a tower, with what it cannot follow.

    Attributes
    ----------
    draws : Draws or Ensemble
    posterior : Posterior
        The last one, with the errors found.
    model_error, weight : dict of str to float
        Of each flux: standard deviation beside the measurement error, and independent share of its days.
    until : int
        Days used.
    latitude : float
    forest : Forest
    """

    draws: Any
    posterior: Posterior
    model_error: dict[str, float]
    weight: dict[str, float]
    until: int
    latitude: float
    forest: Forest

    def series(self, table: Mapping[str, Any]) -> dict[str, Array]:
        """What the draws say of every stream on every day of a table (draw, days), without errors of data."""
        found = self.draws if isinstance(self.draws, Ensemble) else self.draws.ensemble()
        theta = found.draws if found.log_weight is None else found.resample(len(found.draws), 0).draws
        return forest_series(weather(table), theta[:: max(1, len(theta) // 400)], self.latitude, self.forest)


def fit_tower(
    table: Mapping[str, Any], until: int | None = None, streams: tuple[str, ...] = tuple(STREAMS), *,
    latitude: float = dalec.METOLIUS, forest: Forest = EVERGREEN, n_passes: int = 3, method: str = "es-mda",
    rng: Rng = 0, **options: Any,
) -> TowerFit:
    """Fit DALEC to a tower; errors and weights come from its own misfit in the days used.

    The first pass takes the errors of the table and each day as independent. Its misfit tells how much more
    error the model has and how many of the days are independent; with both it is fitted again (chapter 16).

    Parameters
    ----------
    table, until, streams, latitude, forest
        As `tower_posterior`; streams without data are left out.
    n_passes : int
        At least 2.
    method, rng, **options
        Of the last pass, as `sample`; those before are by "es-mda".

    Returns
    -------
    TowerFit

    Raises
    ------
    InputError
        As `tower_posterior`.

    Examples
    --------
    >>> found = fit_tower(synthetic_tower(rng=1, n_days=200), until=150, n_members=50)
    >>> found.series(synthetic_tower(rng=1, n_days=200))["nee"].shape
    (50, 200)
    """
    n_passes = as_whole("n_passes", n_passes, 2)
    as_kind("table", table, "keys", hint="Give a table with a column for each stream.")
    days = len(_column(table, "doy")) if until is None else as_whole("until", until, 1)
    streams = as_kind("streams", streams, tuple, list)
    streams = tuple(name for name in streams if name in table and observed_days(table, name, 0, until).size)
    if not streams:
        raise InputError(f"the table has no data before day {days} of the streams; there are {', '.join(STREAMS)}.")
    fluxes = [name for name in FLUXES if name in streams]
    source = as_rng(rng)
    errors: dict[str, dict[str, float]] = {}
    for k in range(n_passes):
        posterior = tower_posterior(table, days, streams, latitude=latitude, forest=forest, **errors)
        last = k == n_passes - 1
        draws = sample(posterior, method, source, **options) if last else EnsembleSmoother().sample(posterior, source)
        more, weight = errors.get("model_error", {}), errors.get("weight", {})
        found = TowerFit(draws, posterior, more, weight, days, latitude, forest)
        if not last:
            errors = _errors_of_misfit(table, found, fluxes)
    return found


def _errors_of_misfit(table: Mapping[str, Any], found: TowerFit, fluxes: list[str]) -> dict[str, dict[str, float]]:
    """How much more error the model has in each flux, and which share of its days is independent."""
    days = found.until
    made = found.series({name: np.asarray(table[name])[:days] for name in table})
    misfit = {name: np.asarray(table[name], float)[:days] - made[name].mean(0) for name in fluxes}
    sd = {name: np.asarray(table[f"{name}_sd"], float)[:days] for name in fluxes}
    return {
        "model_error": {name: unexplained(misfit[name], sd[name]) for name in fluxes},
        "weight": {name: independent_share(misfit[name]) for name in fluxes},
    }


def weather(table: Mapping[str, Any], n_days: int | None = None) -> dalec.Drivers:
    """Drivers of the first days of a table; what it may lack (CO₂ and such) keeps its default."""
    as_kind("table", table, "keys", hint="Give a table with a column for each driver.")
    names = [f.name for f in fields(dalec.Drivers) if f.name in table]
    for name in ("doy", "max_temperature", "min_temperature", "radiation"):
        if name not in names:
            raise InputError(f"the table has no column {name!r}, which the forest needs each day.")
    return dalec.Drivers(**{name: _column(table, name)[:n_days] for name in names})


def synthetic_tower(rng: Rng = 0, n_days: int = 1096, model_error: float = 0.4) -> pd.DataFrame:
    """Made-up weather and data of a dry temperate forest. **Synthetic**: no place on Earth.

    DALEC with its published parameters makes the streams. Fluxes are seen on two days of three, in
    stretches, with errors of 0.5 gC m-2 d-1 (net exchange) and 20 % (respiration); each pool four
    times, within 10 %, litter and soil within 30 %. To both fluxes comes a slow error that DALEC
    cannot follow, the same one: 0.9 of it is left the next day.

    Parameters
    ----------
    rng : Generator or int
    n_days : int
    model_error : float
        Standard deviation of the slow error [gC m-2 d-1].

    Returns
    -------
    DataFrame
        With the columns of `tower_posterior`.

    Raises
    ------
    InputError
        Fewer than 100 days.

    Examples
    --------
    >>> table = synthetic_tower(rng=1, n_days=365)
    >>> table.shape, table.attrs["synthetic"], observed_days(table, "cw").size
    ((365, 18), True, 4)
    """
    import pandas as pd

    n_days, rng = as_whole("n_days", n_days, 100), as_rng(rng)
    model_error = as_number("model_error", model_error, lower=0.0)

    def wandering(memory: float) -> Array:
        kick = np.sqrt(1 - memory**2) * rng.standard_normal(n_days)
        out = kick / np.sqrt(1 - memory**2)
        for k in range(1, n_days):
            out[k] = memory * out[k - 1] + kick[k]
        return out

    doy = np.arange(n_days) % 365 + 1
    season = -np.cos(2 * np.pi * (doy - 20) / 365)
    mean, half = 8 + 9.5 * season + 3 * wandering(0.7), 5 + season + rng.uniform(0, 2, n_days)
    table = pd.DataFrame({"doy": doy, "max_temperature": mean + half, "min_temperature": mean - half,
                          "radiation": (13 + 9 * season) * rng.uniform(0.6, 1.2, n_days)})  # fmt: skip
    run = forest_series(weather(table), PRIOR.table.default)
    slow = model_error * wandering(0.9)
    for name in STREAMS:
        value = run[name]
        if name in FLUXES:
            seen, sd = wandering(0.9) > -0.43, 0.5 if name == "nee" else 0.2 * value
            value = value + slow
        else:
            seen, sd = np.zeros(n_days, dtype=bool), (0.3 if name in ("cl", "cs") else 0.1) * value
            seen[(np.array([0.18, 0.45, 0.7, 0.9]) * n_days).astype(int)] = True
        table[name] = np.where(seen, value + sd * rng.standard_normal(n_days), np.nan)
        table[f"{name}_sd"] = np.where(seen, sd, np.nan)
    table.attrs["synthetic"] = True
    return table


def unexplained(misfit: ArrayLike, sd: ArrayLike) -> float:
    """Standard deviation of what the measurement error leaves unexplained of a misfit, at least 0.

    Parameters
    ----------
    misfit : array_like, (time,)
        Observed minus modelled; NaN where nothing was observed.
    sd : array_like, (time,)
        Measurement error.

    Examples
    --------
    >>> round(unexplained([1.0, -1.2, float("nan")], [0.6, 0.6, 0.6]), 2)
    0.93
    """
    off, sd = as_broadcast(misfit=as_gappy("misfit", misfit), sd=as_gappy("sd", sd))
    seen = ~np.isnan(off)
    as_array("misfit", off[seen])
    if not seen.any():
        raise InputError("the misfit holds no number; nothing was observed.")
    as_array("sd", sd[seen], lower=0.0, hint="Each value that was observed needs its error.")
    return float(np.sqrt(max(0.0, (off[seen] ** 2 - sd[seen] ** 2).mean())))
