r"""Null models: what a forecast must beat before it is worth issuing.

.. math::

    \text{persistence: } y_{T+h} = y_T + (y_{s+h} - y_s), \qquad
    \text{random walk: } y_{T+h} = y_T + \sum_{k=1}^{h} \epsilon_k, \qquad
    \text{climatology: } y_{T+h} = y_s \text{ with } \mathrm{doy}(s) \approx \mathrm{doy}(T+h)

===================  =======================================  =========  ==========  ===========
symbol               meaning                                  shape      unit        code name
===================  =======================================  =========  ==========  ===========
:math:`y_1 .. y_T`   observations up to the issue date        (time,)    as given    history
:math:`h`            lead, in steps of the history            (lead,)    step        leads
:math:`s`            a random time in the history             --         step        --
:math:`\epsilon_k`   Gaussian step, sd of one-step changes    --         as given    --
doy                  day of the year                          (time,)    day         day_of_year
===================  =======================================  =========  ==========  ===========

Each returns an ensemble (member, lead), because a null model without spread is beaten too easily.
Only observations up to the issue date go in: what is passed is what is used. Let the window of
a climatology be a few days: with one observation a day of the year its spread would be no spread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, Rng, as_array, as_rng, as_whole

__all__ = ["climatology", "persistence", "random_walk"]

Array = NDArray[np.float64]


def persistence(history: ArrayLike, n_leads: int, n_members: int = 100, *, rng: Rng = 0) -> Array:
    """The last observation, spread by the changes over the same lead seen in the past.

    Parameters
    ----------
    history : array_like, (time,)
        Equally spaced observations up to the issue date, longer than `n_leads`; NaN where nothing was
        observed. The last observation persists, from its own day on.
    n_leads : int
        Number of steps ahead of the end of the history.
    n_members : int
    rng : Generator or int

    Returns
    -------
    ndarray, (member, lead)

    Raises
    ------
    InputError
        A history too short, or with gaps such that no two observations lie a lead apart.

    Examples
    --------
    >>> persistence([5.0, 5.0, 5.0], n_leads=2, n_members=3)
    array([[5., 5.],
           [5., 5.],
           [5., 5.]])
    """
    rng = as_rng(rng)
    n_leads, n_members = as_whole("n_leads", n_leads, 1), as_whole("n_members", n_members, 1)
    y = np.asarray(history, float)
    observed = np.isfinite(y)
    gaps = int(observed[::-1].argmax()) if observed.any() else 0
    _history(np.where(np.isnan(y), 0.0, y), n_leads + gaps + 1)
    last = y[y.size - 1 - gaps]
    out = np.empty((n_members, n_leads))
    for h in range(1, n_leads + 1):
        changes = y[h + gaps :] - y[: y.size - h - gaps]
        changes = changes[np.isfinite(changes)]
        if changes.size == 0:
            raise InputError(
                f"No two observations of the history lie {h + gaps} steps apart, so the spread at "
                f"lead {h} is not known. Give a longer history, or fewer leads."
            )
        out[:, h - 1] = last + rng.choice(changes, n_members)
    return out


def random_walk(history: ArrayLike, n_leads: int, n_members: int = 100, *, rng: Rng = 0) -> Array:
    """The last observation plus Gaussian steps of the size of past one-step changes.

    Parameters
    ----------
    history, n_leads, n_members, rng
        As in :func:`persistence`, without gaps; at least 3 observations.

    Returns
    -------
    ndarray, (member, lead)

    Examples
    --------
    >>> walk = random_walk(np.cumsum(np.random.default_rng(0).normal(size=500)), 9, 4000)
    >>> bool(2.5 < walk[:, 8].std() / walk[:, 0].std() < 3.5)
    True
    """
    rng = as_rng(rng)
    n_leads, n_members = as_whole("n_leads", n_leads, 1), as_whole("n_members", n_members, 1)
    y = _history(history, 3)
    steps = np.diff(y)
    sd = np.sqrt((steps**2).mean())
    return y[-1] + sd * rng.standard_normal((n_members, n_leads)).cumsum(axis=1)


def climatology(
    history: ArrayLike,
    day_of_year: ArrayLike,
    forecast_day: ArrayLike,
    n_members: int = 100,
    *,
    window: float = 7.0,
    rng: Rng = 0,
) -> Array:
    """What was observed in past years around the same day of the year.

    Parameters
    ----------
    history : array_like, (time,)
    day_of_year : array_like, (time,)
        Day of the year of each observation, 1 to 366.
    forecast_day : array_like, (lead,)
        Day of the year of each lead.
    n_members : int
    window : float
        Days on either side; the year is a circle.
    rng : Generator or int

    Returns
    -------
    ndarray, (member, lead)

    Raises
    ------
    InputError
        No observation within the window of some lead.

    Examples
    --------
    >>> climatology([1.0, 2.0, 9.0], [364, 2, 180], [1, 181], n_members=200).mean(axis=0).round()
    array([2., 9.])
    """
    rng = as_rng(rng)
    n_members = as_whole("n_members", n_members, 1)
    y = _history(history, 1)
    day = as_array("day_of_year", day_of_year, shape=(y.size,), lower=1.0, upper=367.0)
    ahead = as_array("forecast_day", forecast_day, lower=1.0, upper=367.0).ravel()
    out = np.empty((n_members, ahead.size))
    for k, d in enumerate(ahead):
        apart = np.abs(day - d)
        near = y[np.minimum(apart, 365.25 - apart) <= window]
        if near.size == 0:
            raise InputError(
                f"No observation within {window:g} days of day {d:g} of the year. Widen the "
                "window, or give a longer history."
            )
        out[:, k] = rng.choice(near, n_members)
    return out


def _history(history: ArrayLike, least: int) -> Array:
    y = as_array("history", history, hint="Fill or leave out the gaps.")
    if y.ndim != 1 or y.size < least:
        raise InputError(
            f"history must be a series of at least {least} observations here, but its shape is "
            f"{y.shape}."
        )
    return y
