r"""Soil columns under another climate: draws of parameters × scenarios, and who owns the spread.

.. math::

    \frac{X_{t+h} - X_t}{h} = b(t) - M(\theta, t)\, X_{t+h}, \qquad
    T \to T + \Delta T(t), \quad W \to \min(1,\, m(t)\, W), \quad b \to i(t)\, b

.. math::

    \mathrm{Var}\, y = \underbrace{\mathrm{Var}_c\, \bar y_c}_{\text{scenario}}
    + \underbrace{\mathrm{Var}_s\, \bar y_s}_{\text{structure}}
    + \underbrace{\mathrm{E}_s \mathrm{Var}_n\, \bar y_{sn}}_{\text{network}}
    + \underbrace{\mathrm{E}_{sn} \mathrm{Var}_d\, \bar y_{snd}}_{\text{parameters}}
    + \text{interactions}

===================  =============================================  ======================  ==========  =============
symbol               meaning                                        shape                   unit        code name
===================  =============================================  ======================  ==========  =============
:math:`\theta`       parameters of CLM5's column                    (place, network, draw,  own         theta
                                                                    p), one for a structure
:math:`\Delta T`     warming of the soil, the same at all depths    (..., year)             K           warming
:math:`m`            factor on the water scalar                     (..., year)             1           moisture
:math:`i`            factor on the litter input                     (..., year)             1           input
:math:`X`            carbon in pools and layers                     (..., 7, 20)            gC m-3
:math:`y`            change of the stock since the start            (structure, scenario,   kgC m-2     change
                                                                    network, draw, time)
:math:`s,c,n,d`      structure, scenario, network, draw; a bar is a
                     mean over what is not named
===================  =============================================  ======================  ==========  =============

Every column starts at the steady state of today's climate and takes implicit steps of a year under the
yearly mean of its scalars, or of a month (`months=True`), as chapter 11 runs one column. Where nothing
changes nothing moves. The ground thaws deeper as it warms, by the annual wave of
`landcarbon.models.site_climate`; litter, its depth and its split stay as they are but for the factor.

The parts of the variance are those of a balanced analysis of variance, networks within structures and
draws within networks, each structure counted alike; they sum to the total. Interactions say how far the
others answer the scenarios differently. Hawkins and Sutton (2009), doi 10.1175/2009BAMS2607.1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import (
    InputError,
    Rng,
    as_array,
    as_kind,
    as_number,
    as_rng,
    as_whole,
    unit_of,
)
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.labels import labelled
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.response import FREEZING
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import periodic
from landcarbon.models import clm5
from landcarbon.models.site_climate import active_layer_depth

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["SCENARIOS", "Scenario", "parameter_draws", "project", "ramp", "step", "variance_by_source"]

Array = NDArray[np.float64]

START, UNTIL = 2015, 2100
AT_ONCE = 2000  # columns
PARTS = ("scenario", "structure", "network", "parameters", "interactions")
KELVIN = ("K", "degC", "°C", "celsius", "kelvin")  # of a difference, the same


@dataclass(frozen=True, eq=False)
class Scenario:
    """What a climate to come does to soil: linear between the years, held before and after them.

    Parameters
    ----------
    name : str
    years : array_like (year,)
    warming : array_like (..., year)
        Of the soil since the start [K]. Leading axes are places.
    moisture, input : array_like (..., year)
        Factors on the water scalar and on the litter input.

    Raises
    ------
    InputError
        Years that do not rise, negative factors, a warming of more than 30 K.
    """

    name: str
    years: Array
    warming: Array = 0.0  # type: ignore[assignment]
    moisture: Array = 1.0  # type: ignore[assignment]
    input: Array = 1.0  # type: ignore[assignment]

    def __post_init__(self) -> None:
        as_kind("name", self.name, str)
        years = as_array("years", self.years)
        if years.ndim != 1 or not years.size or np.any(np.diff(years) <= 0):
            raise InputError(f"years has shape {years.shape}; give a row of years that rise, one at least.")
        read: dict[str, Array] = {"years": years}
        for name, lower, upper in (("warming", -30.0, 30.0), ("moisture", 0.0, 10.0), ("input", 0.0, 10.0)):
            value = as_array(name, getattr(self, name), lower=lower, upper=upper, hint="See Scenario.")
            read[name] = as_array(name, np.full(years.shape, value) if value.ndim == 0 else value, shape=years.shape)
        keep(self, **read)

    @classmethod
    def labelled(
        cls, name: str, data: xr.Dataset, latitude: ArrayLike | None = None, longitude: ArrayLike | None = None
    ) -> Scenario:
        """From labelled arrays over "year", and over "latitude" and "longitude" if places are given.

        Parameters
        ----------
        name : str
        data : xarray.Dataset
            Any of `warming` [K], `moisture` and `input` [1]; what is absent does not change.
        latitude, longitude : array_like (place,), optional
            The nearest cell of the data is taken.

        Raises
        ------
        InputError
            No axis "year", none of the three, another unit, a map without places.

        Examples
        --------
        >>> import xarray as xr
        >>> warm = xr.DataArray([0.0, 3.0], {"year": [2015, 2100]}, "year", attrs={"units": "K"})
        >>> Scenario.labelled("own", xr.Dataset({"warming": warm})).at(2057.5)[0]
        array(1.5)
        """
        as_kind("data", data, "data_vars", hint="Give an xarray.Dataset over year.")
        found = [n for n in ("warming", "moisture", "input") if n in data]
        if not found or "year" not in data.coords:
            raise InputError("a scenario needs the coordinate 'year' and one of warming, moisture, input.")
        given: dict[str, Any] = {}
        for key in found:
            unit = unit_of(data[key])
            if unit is not None and unit not in (KELVIN if key == "warming" else ("1", "")):
                wanted = "difference in K" if key == "warming" else "factor"
                raise InputError(f"{key} is in {unit!r}; it is a {wanted}.")
            values = data[key]
            if {"latitude", "longitude"} <= set(values.dims):
                if latitude is None or longitude is None:
                    raise InputError(f"{key} is a map; say for which latitude and longitude.")
                values = _nearest(values, latitude, longitude)
            given[key] = values.transpose(..., "year").values
        return cls(name, data["year"].values, **given)

    def at(self, year: float) -> tuple[Array, Array, Array]:
        """Warming [K] and both factors (...) in a year."""
        year = as_number("year", year)
        k = int(np.clip(np.searchsorted(self.years, year) - 1, 0, max(self.years.size - 2, 0)))
        j = min(k + 1, self.years.size - 1)
        w = 0.0 if j == k else float(np.clip((year - self.years[k]) / (self.years[j] - self.years[k]), 0.0, 1.0))
        warming, moisture, litter = (
            np.asarray((1.0 - w) * a[..., k] + w * a[..., j]) for a in (self.warming, self.moisture, self.input)
        )
        return warming, moisture, litter

    def _of(self, rows: Any) -> Scenario:
        """That of some of the places."""
        cut = {n: getattr(self, n)[rows] for n in ("warming", "moisture", "input") if getattr(self, n).ndim > 1}
        return dataclasses.replace(self, **cut)


def _nearest(values: xr.DataArray, latitude: ArrayLike | None, longitude: ArrayLike | None) -> xr.DataArray:
    import xarray as xr

    at = {"latitude": latitude, "longitude": longitude}
    where = {k: xr.DataArray(np.atleast_1d(np.asarray(v, dtype=float)), dims="place") for k, v in at.items()}
    return values.sel(where, method="nearest")


def ramp(
    name: str,
    warming: float = 0.0,
    moisture: float = 1.0,
    input: float = 1.0,
    start: float = START,
    until: float = UNTIL,
) -> Scenario:
    """A straight line from no change at `start` to these numbers at `until`."""
    return Scenario(name, [start, until], [0.0, warming], [1.0, moisture], [1.0, input])  # type: ignore[arg-type]


def step(name: str, warming: float = 0.0, moisture: float = 1.0, input: float = 1.0) -> Scenario:
    """These numbers at once, from the first year on."""
    return Scenario(name, [START], [warming], [moisture], [input])  # type: ignore[arg-type]


SCENARIOS = (
    step("no change"),
    ramp("warmer by 4 K", warming=4.0),
    ramp("drier by a fifth", moisture=0.8),
    ramp("a fifth more litter", input=1.2),
    ramp("all three", 4.0, 0.8, 1.2),
    step("2 K at once", warming=2.0),
)
"""What is run if nothing else is asked for. Plain numbers, no forecast of anybody's."""


def parameter_draws(source: Any, covariates: pd.DataFrame | None = None, n_draws: int = 20, rng: Rng = 0) -> Array:
    """Parameters at places as a projection takes them (place, network, draw, p).

    Parameters
    ----------
    source : Network, Hybrid, OneBatch, or array_like (p,)
        What `proda.train`, `hybrid.fit` or `one_batch` returned; or one set for all places.
    covariates : pandas.DataFrame (place, covariate), optional
        Where a network is asked; for one set its length says how many places there are.
    n_draws : int
        Draws a network: its prediction plus what it leaves open, the same rows at every place and for every
        network, so that a draw is one possible map.
    rng : Generator or int

    Examples
    --------
    >>> parameter_draws(clm5.DEFAULT).shape
    (1, 1, 1, 21)
    """
    rng, n_draws = as_rng(rng), as_whole("n_draws", n_draws, 1)
    if not callable(getattr(source, "parameters", None)):
        theta = as_array("source", getattr(source, "parameters", source), shape=(len(clm5.PARAMETERS),))
        return np.broadcast_to(theta, (1 if covariates is None else len(covariates), 1, 1, theta.size))
    if covariates is None:
        raise InputError("a network predicts parameters from covariates; give them, one row a place.")
    z = np.moveaxis(source.parameters(covariates), 0, 1)[:, :, None]
    if hasattr(source, "scatter"):
        noise = source.scatter[rng.integers(len(source.scatter), size=n_draws)]
    else:
        noise = source.spread * rng.standard_normal((n_draws, z.shape[-1]))
    return np.asarray(source.prior.from_real(z + noise), dtype=float)


def project(
    theta: ArrayLike | Mapping[str, ArrayLike],
    forcing: clm5.Forcing,
    scenarios: Sequence[Scenario] = SCENARIOS,
    *,
    start: int = START,
    until: int = UNTIL,
    every: int = 5,
    depth: float = 1.0,
    months: bool = False,
) -> xr.Dataset:
    """Run columns from today's steady state through every scenario.

    Parameters
    ----------
    theta : array_like (place, draw, p) or (place, network, draw, p), or a mapping of these
        By the name of what made them ("PRODA", "one batch"): the structures.
    forcing : clm5.Forcing
        Of today, (place,).
    scenarios : sequence of Scenario
    start, until : int
        Years, in whole steps.
    every : int
        Years between the states that are kept.
    depth : float
        Stocks down to here [m].
    months : bool
        Steps of a month, from a year that repeats, in place of a year from the steady state.

    Returns
    -------
    xarray.Dataset
        `stock` (structure, scenario, time, place, network, draw) of the three soil pools to `depth`
        [kgC m-2], NaN where a structure has fewer networks or draws than another; `pools` (..., place, pool)
        [kgC m-2] to `depth` and `layers` (..., place, layer) [gC m-3] of the soil pools, means over networks
        and draws. The attribute `imbalance` is the largest difference between what a column gained and what
        came in less what was respired, as a share of its carbon.

    Raises
    ------
    InputError
        Parameters of other places than the forcing, no scenario, two of one name, years that do not rise.

    Examples
    --------
    >>> site = clm5.Forcing(np.full((1, 20, 12), 285.15), np.full((20, 12), 0.5), [[40, 120, 180, 60]])
    >>> run = project(clm5.DEFAULT[None, None], site, [ramp("+4 K", 4.0), step("none")], every=85)
    >>> run.stock.isel(time=-1).squeeze().values / run.stock.isel(time=0).squeeze().values
    array([0.95..., 1.        ])
    """
    as_kind("forcing", forcing, clm5.Forcing)
    found = {"parameters": theta} if not isinstance(theta, Mapping) else dict(theta)
    sets = {name: _draws(name, value, forcing.shape) for name, value in found.items()}
    names = [as_kind("scenarios", s, Scenario).name for s in as_kind("scenarios", scenarios, list, tuple)]
    if not names or len(set(names)) < len(names):
        raise InputError(f"scenarios are {', '.join(names) or 'none'}; give one at least, each name once.")
    start, until = as_whole("start", start), as_whole("until", until, start + 1)
    every = as_whole("every", every, 1)
    bottom = float(forcing.layers.bottom[-1])
    depth = as_number("depth", depth, lower=0.0, upper=bottom, strict=True, unit="m")
    when = np.unique([*range(start, until, every), until]).astype(float)
    clock = _Clock(when, months, np.diff(np.minimum(np.append(0.0, forcing.layers.bottom), depth)) / 1000.0)
    runs = [[_one(value, forcing, scenario, clock) for scenario in scenarios] for value in sets.values()]
    return _dataset(runs, list(sets), names, clock, forcing, depth)


@dataclass(frozen=True, eq=False)
class _Clock:
    when: Array
    months: bool
    dz: Array  # of each layer, to the depth asked for, / 1000


def _draws(name: str, value: Any, places: tuple[int, ...]) -> Array:
    theta = as_array(name, value, shape=(len(clm5.PARAMETERS),))
    theta = theta[:, None] if theta.ndim == 3 else theta
    if theta.ndim != 4 or len(places) != 1 or theta.shape[0] not in (1, *places):
        raise InputError(
            f"the parameters of {name!r} have shape {np.shape(value)} and the forcing places {places}; give (place, "
            f"network, draw, {theta.shape[-1]}) or (place, draw, {theta.shape[-1]}), and a forcing (place,)."
        )
    return np.broadcast_to(theta, (*places, *theta.shape[1:]))


def changed(land: clm5.Forcing, scenario: Scenario, year: float) -> clm5.Forcing:
    """The forcing of today (place,) under the scenario in a year."""
    warming, moisture, litter = scenario.at(year)
    if not warming.any() and np.all(moisture == 1) and np.all(litter == 1):
        return land
    top = land.soil_temperature[..., 0, :] - FREEZING
    deeper = active_layer_depth(top + warming[..., None]) - active_layer_depth(top)
    return dataclasses.replace(
        land,
        soil_temperature=land.soil_temperature + warming[..., None, None],
        water_scalar=np.minimum(land.water_scalar * moisture[..., None, None], 1.0),
        litter_input=land.litter_input * litter[..., None],
        active_layer_depth=np.maximum(land.active_layer_depth + deeper, 0.0),
    )


def _one(theta: Array, forcing: clm5.Forcing, scenario: Scenario, clock: _Clock) -> tuple[Array, ...]:
    """Stock (time, place, network, draw), pools and layers (time, place, ...), and the imbalance."""
    n, *members, p = theta.shape
    at_once = max(1, AT_ONCE // int(np.prod(members)))
    pieces = []
    for first in range(0, n, at_once):
        rows = np.arange(first, min(first + at_once, n))
        flat = theta[rows].reshape(rows.size, -1, p)
        X, off = _states(flat, forcing[rows], scenario._of(rows), clock)
        soil = X[..., clm5.SOIL, :].sum(axis=-2)
        stock = (soil @ clock.dz).reshape(len(X), rows.size, *members)
        pieces.append((stock, (X @ clock.dz).mean(axis=2), soil.mean(axis=2), off))
    stock, pools, layers = (np.concatenate([piece[k] for piece in pieces], axis=1) for k in range(3))
    return stock, pools, layers, np.max([piece[3] for piece in pieces])


def _states(theta: Array, land: clm5.Forcing, scenario: Scenario, clock: _Clock) -> tuple[Array, float]:
    """Carbon (time, place, draw, pool, layer) at the times that are kept, and how far the books are off."""

    def of_year(year: int) -> clm5.Forcing:
        return changed(land, scenario, year + 0.5).expand()

    begin, end = int(clock.when[0]), int(clock.when[-1])
    if clock.months:
        model, I, xi = clm5.monthly_columns(theta, of_year)
        X0 = periodic(Cycle.from_model(*clm5.monthly_columns(theta, land.expand()), method="implicit")).X
        t = begin + np.arange(12 * (end - begin) + 1) / 12
        run = simulate(model, t, X0, I, xi, method="implicit", keep=clock.when[1:], dims=("place", "draw"))
    else:
        column = lru_cache(maxsize=1)(lambda year: clm5.column(theta, of_year(year)))

        def model(t: float) -> LayeredModel:
            return column(int(np.floor(t)))[0]

        today, b = clm5.column(theta, land.expand())
        t = np.arange(begin, end + 1.0)
        run = simulate(
            model, t, today.steady_state(b, method="cascade"), lambda t: column(int(np.floor(t)))[1],
            method="implicit", keep=clock.when[1:], dims=("place", "draw"),
        )  # fmt: skip
    X, dz = run.X.values, land.layers.thickness
    total = (X @ dz).sum(axis=-1)
    net = ((run.input - run.respiration).values @ dz).sum(axis=-1) * run.dt.values[:, None, None]
    through = total[1:] + (run.input.values @ dz).sum(axis=-1) * run.dt.values[:, None, None]
    off = np.abs(np.diff(total, axis=0) - net) / np.maximum(through, 1e-300)
    return X, float(off.max())


def _dataset(
    runs: list[list[tuple[Array, ...]]], structures: list[str], scenarios: list[str], clock: _Clock,
    forcing: clm5.Forcing, depth: float,
) -> xr.Dataset:  # fmt: skip
    import xarray as xr

    widest = tuple(max(row[0][0].shape[k] for row in runs) for k in (2, 3))
    shape = (len(runs), len(scenarios), *runs[0][0][0].shape[:2], *widest)
    stock = np.full(shape, np.nan)
    for s, row in enumerate(runs):
        for c, found in enumerate(row):
            stock[s, c, :, :, : found[0].shape[2], : found[0].shape[3]] = found[0]
    pools, layers = (np.stack([[found[k] for found in row] for row in runs]) for k in (1, 2))
    axes = ("structure", "scenario", "time", "place")
    data = xr.Dataset(
        {
            "stock": ((*axes, "network", "draw"), stock),
            "pools": ((*axes, "pool"), pools),
            "layers": ((*axes, "layer"), layers),
        },
        {
            "structure": structures, "scenario": scenarios, "time": clock.when, "pool": list(clm5.POOLS),
            "depth": ("layer", forcing.layers.node),
        },
        {"depth": depth, "imbalance": float(max(found[3] for row in runs for found in row))},
    )  # fmt: skip
    text = dict.fromkeys(("structure", "scenario", "pool"), "")
    return labelled(
        data,
        "Soil carbon under scenarios",
        units={"stock": "kgC m-2", "pools": "kgC m-2", "layers": "gC m-3", "time": "yr", "depth": "m", **text},
        names={
            "stock": f"carbon of the soil pools to {depth:g} m",
            "pools": f"carbon by pool to {depth:g} m",
            "layers": "carbon of the soil pools by layer",
        },
    )


def variance_by_source(run: xr.Dataset, weight: ArrayLike | None = None) -> xr.Dataset:
    """Who owns the variance of the change since the start.

    Parameters
    ----------
    run : xarray.Dataset
        From :func:`project`.
    weight : array_like (place,), optional
        Of the places in their mean (areas of cells); alike if not given.

    Returns
    -------
    xarray.Dataset
        `change` (structure, scenario, time, network, draw) [kgC m-2], the mean over the places; `variance`
        and `share` (part, time), `total` (time). Parts: scenario, structure, network, parameters,
        interactions. Shares are NaN where nothing varies.

    Raises
    ------
    InputError
        Weights of other places, negative or all 0.

    Examples
    --------
    >>> site = clm5.Forcing(np.full((1, 20, 12), 285.15), np.full((20, 12), 0.5), [[40, 120, 180, 60]])
    >>> two = {"CLM5": clm5.DEFAULT[None, None], "shallow": clm5.PRODA_START[None, None]}
    >>> run = project(two, site, [ramp("+4 K", 4.0), step("none")], every=85)
    >>> found = variance_by_source(run).isel(time=-1)
    >>> bool(np.isclose(found.variance.sum(), found.total))
    True
    """
    import xarray as xr

    as_kind("run", run, "data_vars", hint="From landcarbon.forecasting.projection.project.")
    n = run.sizes["place"]
    share = as_array("weight", np.ones(n) if weight is None else weight, shape=(n,), lower=0.0)
    if not share.sum() > 0:
        raise InputError("the weights of the places are all 0.")
    stock = run["stock"]
    y = ((stock - stock.isel(time=0)) * xr.DataArray(share / share.sum(), dims="place")).sum("place", skipna=False)
    a = y.mean("draw")
    b = a.mean("network")
    total = ((y - b.mean(["structure", "scenario"])) ** 2).mean("draw").mean("network").mean(["structure", "scenario"])
    parts = {
        "scenario": b.mean("structure").var("scenario"),
        "structure": b.mean("scenario").var("structure"),
        "network": a.mean("scenario", skipna=False).var("network").mean("structure"),
        "parameters": y.mean("scenario", skipna=False).var("draw").mean("network").mean("structure"),
    }
    parts["interactions"] = total - sum(parts.values())
    variance = xr.concat([parts[name] for name in PARTS], dim=xr.Variable("part", list(PARTS)))
    data = xr.Dataset({"change": y, "variance": variance, "total": total, "share": variance / total.where(total > 0)})
    return labelled(
        data,
        "Variance of a projection, by source",
        units={"change": "kgC m-2", "variance": "(kgC m-2)2", "total": "(kgC m-2)2", "share": "1", "part": ""},
        names={"change": "change of the soil stock, mean over the places"},
    )
