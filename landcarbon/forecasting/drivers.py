"""Drivers of a forecast: scenarios dealt out to the members, and past years as the future's weather.

::

    d_m = d of scenario s(m);   one scenario for all, one a member, or about n / n_scenarios members each

====== ============================== ===================== ==== =========
symbol meaning                        shape                 unit code name
====== ============================== ===================== ==== =========
d      drivers                        (scenario, time, ...) own  series
s(m)   scenario of member m           (member,)                  which
====== ============================== ===================== ==== =========
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, Rng, as_array, as_rng, as_whole
from landcarbon.matrix.frozen import keep_whole

__all__ = ["Drivers", "analogue_years", "read_drivers"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drivers:
    """What drives the members, step by step.

    Parameters
    ----------
    series : dict of str to ndarray, (scenario, time, ...), or (member, time, ...) once assigned
    n_steps : int
    single : bool
        One array was given, without a name; the step function sees it so.
    """

    series: Mapping[str, Array]
    n_steps: int
    single: bool = False

    def __post_init__(self) -> None:
        keep_whole(self, n_steps=1)

    def assigned(self, n_members: int, on: bool, seed: int) -> Drivers:
        """Each member's own drivers; held at the mean of the scenarios where `on` is False."""
        n_members, seed = as_whole("n_members", n_members, 1), as_whole("seed", seed)
        series = {
            name: _assign(name, values, n_members, on, seed) for name, values in self.series.items()
        }
        return Drivers(series, self.n_steps, self.single)

    def at(self, t: int) -> Any:
        """Drivers of step t as the step function takes them."""
        t = as_whole("t", t)
        now = {name: values[:, t] for name, values in self.series.items()}
        return now["drivers"] if self.single else (now or None)


def read_drivers(
    drivers: ArrayLike | Mapping[str, ArrayLike] | None, n_steps: int | None
) -> Drivers:
    """Drivers as given to `forecast`, checked.

    Parameters
    ----------
    drivers : array_like or mapping of str to array_like, (time,) or (scenario, time, ...), optional
    n_steps : int, optional
        Number of steps; needed without drivers only.

    Returns
    -------
    Drivers

    Raises
    ------
    InputError
        Neither drivers nor a number of steps; drivers of different length.

    Examples
    --------
    >>> read_drivers({"I": [500.0, 510.0]}, None).at(1)
    {'I': array([510.])}
    """
    if drivers is None:
        if n_steps is None or n_steps < 1:
            raise InputError("Without drivers, say how many steps to forecast: steps=50.")
        return Drivers({}, int(n_steps))
    single = not isinstance(drivers, Mapping)
    named = drivers if isinstance(drivers, Mapping) else {"drivers": drivers}
    series = {}
    for name, values in named.items():
        array = as_array(name if single else f"driver {name!r}", values, shape=(None,))
        series[name] = array[None, :] if array.ndim == 1 else array
    lengths = {name: array.shape[1] for name, array in series.items()}
    if len(set(lengths.values())) > 1 or (n_steps is not None and n_steps not in lengths.values()):
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        more = "" if n_steps is None else f", and steps={n_steps}"
        raise InputError(
            f"Drivers must be (time,) or (scenario, time, ...) over the same times, but {told}{more}."
        )
    return Drivers(series, next(iter(lengths.values())), single)


def _assign(name: str, values: Array, n_members: int, on: bool, seed: int) -> Array:
    if not on:
        values = values.mean(axis=0, keepdims=True)
    n = values.shape[0]
    if n == 1:
        return np.broadcast_to(values, (n_members, *values.shape[1:]))
    if n == n_members:
        return values
    if n > n_members:
        raise InputError(
            f"driver {name!r} has {n} scenarios for {n_members} member(s): some would never be "
            "used. Take more members, or choose among the scenarios."
        )
    # Every driver of a member comes from the same scenario: same seed, same shuffle.
    which = np.random.default_rng(seed).permutation(np.arange(n_members) % n)
    return values[which]


def analogue_years(
    history: Any,
    steps_per_year: int,
    n_steps: int,
    n_members: int,
    *,
    start: int = 0,
    weights: ArrayLike | None = None,
    rng: Rng = 0,
) -> Any:
    """Driver ensemble made of past years drawn at random: each member strings whole years together.

    Weather within a year keeps its correlations, between drivers too; the years themselves are
    taken as exchangeable, so there is no trend.

    Parameters
    ----------
    history : array_like, (time, ...), or mapping of such
        From the first step of a year on; an incomplete last year is left out.
    steps_per_year : int
        365 for daily data without leap days, 12 for months.
    n_steps : int
        Number of steps to forecast.
    n_members : int
    start : int
        Step within the year at which the forecast starts.
    weights : array_like, (year,), optional
        Relative probability of each year (years like the present one may count more).
    rng : Generator or int

    Returns
    -------
    ndarray, (member, step, ...), or dict of such

    Raises
    ------
    InputError
        Less than one whole year, NaN, `start` beyond the year.

    Examples
    --------
    >>> history = np.repeat([1.0, 2.0, 3.0], 12)
    >>> d = analogue_years(history, 12, n_steps=18, n_members=5, start=6, rng=1)
    >>> d.shape, sorted(set(d.ravel().tolist()))
    ((5, 18), [1.0, 2.0, 3.0])
    """
    start = as_whole("start", start)
    rng = as_rng(rng)
    steps_per_year = as_whole("steps_per_year", steps_per_year, 1)
    n_steps, n_members = as_whole("n_steps", n_steps, 1), as_whole("n_members", n_members, 1)
    named = history if isinstance(history, Mapping) else {"history": history}
    past = {name: as_array(name, values) for name, values in named.items()}
    if any(not values.ndim for values in past.values()):
        raise InputError("history is one number; give values through time, whole years of them.")
    if len({len(values) for values in past.values()}) != 1:
        raise InputError("All series of history must cover the same times.")
    n_years = len(next(iter(past.values()))) // steps_per_year
    if n_years < 1:
        raise InputError(f"history is shorter than one year of {steps_per_year} steps.")
    if not 0 <= start < steps_per_year:
        raise InputError(
            f"start must lie within the year, 0 to {steps_per_year - 1}, but is {start!r}."
        )
    p = None
    if weights is not None:
        p = as_array("weights", weights, shape=(n_years,), lower=0.0)
        if p.sum() == 0:
            raise InputError("weights are all 0; give at least one year a weight.")
        p = p / p.sum()
    needed = -(-(start + n_steps) // steps_per_year)
    year = rng.choice(n_years, size=(n_members, needed), p=p)
    at = year[:, :, None] * steps_per_year + np.arange(steps_per_year)
    at = at.reshape(n_members, -1)[:, start : start + n_steps]
    drawn = {name: values[at] for name, values in past.items()}
    return drawn if isinstance(history, Mapping) else drawn["history"]
