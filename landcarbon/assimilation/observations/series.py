"""Pools, fluxes and cumulative fluxes measured in time.

::

    h_i = x(t_i);   h_i = integral of x from s_i to t_i, or its mean over that window

====== ===================================== ================= ====== ============ ==========
symbol meaning                               shape             unit   code name    source
====== ===================================== ================= ====== ============ ==========
x      model values: a series                (..., time)       own    model_values
t      times of the model's series           (time,)           yr     t
s, t_i start and end of observation i        (..., obs)        yr     start, end
W      weights of the model's times          (..., obs, time)         weights
====== ===================================== ================= ====== ============ ==========

The series is read as straight lines between its times, and integrated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.observations.likelihood import (
    GaussianLikelihood,
    ObservationStream,
    at_site,
    checked_values,
    like_ours,
    one_each,
    slope_of,
    straight_lines,
    used_errors,
    used_values,
    weigh,
)
from landcarbon.matrix.errors import InputError, as_array, as_years
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.timeline import nearest

__all__ = ["SeriesObservations"]

Array = NDArray[np.float64]


@dataclass(frozen=True, init=False, eq=False)
class SeriesObservations(ObservationStream):
    """Pools, fluxes and cumulative fluxes measured in time.

    The model's series is read as straight lines between its times, and integrated exactly.

    Parameters
    ----------
    value : array_like, (..., obs)
        What was measured. Leading axes are sites.
    error : array_like
        Its standard deviation, broadcast to `value`.
    t : array_like, (time,)
        Times of the model's series, increasing, in years or whatever `end` is in.
    end : array_like, (..., obs)
        Time of the measurement, or end of its window.
    start : array_like, (..., obs), optional
        Start of the window; needed with kind="mean".
    kind : {"point", "mean", "cumulative"}
        "point": a pool or a flux at `end`. "mean": a flux averaged from `start` to `end`.
        "cumulative": a flux summed from `start` (default: the first model time) to `end`.
    mask : array_like of bool, (..., obs), optional
        True where a measurement is used.
    correlation_length : float, optional
        Time over which errors forget each other, in the unit of `end`; independent by default. A
        misfit of the model that lasts for days is an error of this kind.

    Raises
    ------
    InputError
        A measurement before the model starts or after it ends, a window of no length, NaN among the
        used values, an error of zero, a site with nothing to use.

    Examples
    --------
    Respiration r(t) = 2 - t, known at three times: what has been respired by t = 1 and by t = 2?

    >>> lost = SeriesObservations([1.4, 2.1], 0.1, t=[0, 1, 2], end=[1, 2], kind="cumulative")
    >>> lost.predict([2.0, 1.0, 0.0])
    array([1.5, 2. ])
    """

    kind: str
    t: Array
    weights: Array
    likelihood: GaussianLikelihood

    def __init__(
        self,
        value: ArrayLike,
        error: ArrayLike,
        t: ArrayLike,
        end: ArrayLike,
        start: ArrayLike | None = None,
        kind: str = "point",
        mask: ArrayLike | None = None,
        correlation_length: float | None = None,
    ) -> None:
        if kind not in ("point", "mean", "cumulative"):
            raise InputError(f"kind is {kind!r}; use 'point', 'mean' or 'cumulative'.")
        if (kind == "mean" and start is None) or (kind == "point" and start is not None):
            raise InputError(
                "kind='mean' needs the start of each window, kind='point' has none; give start= with "
                "'mean' and perhaps with 'cumulative'."
            )
        value, used = used_values("value", value, mask)
        t = as_array("t", t)
        if t.ndim != 1 or t.size < 2 or (np.diff(t) <= 0).any():
            raise InputError("t must be a list of at least two model times that increase.")
        stop = _within("end", end, t, used)
        begin = _within("start", t[0] if start is None else start, t, used)
        bad = used & (stop <= begin)
        if kind != "point" and bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise InputError(
                f"{at_site(at[:-1])}observation {at[-1]} runs from {begin[at]:g} to {stop[at]:g}; a "
                "window must end after it starts."
            )
        if kind == "point":
            W = straight_lines(stop, t)
        else:
            W = _integrals(stop, t) - _integrals(begin, t)
            if kind == "mean":
                W = W / np.where(used, stop - begin, 1.0)[..., None]
        error = used_errors("error", error, used)
        keep(
            self,
            kind=kind,
            t=t,
            weights=W * used[..., None],
            likelihood=GaussianLikelihood._at_places(value, error, used, correlation_length, stop),
        )

    @property
    def n_values(self) -> int:
        """Number of model times."""
        return int(self.t.size)

    def __getitem__(self, index: Any) -> SeriesObservations:
        return self._with(weights=self.weights[index], likelihood=self.likelihood[index])

    def with_values(self, values: ArrayLike) -> SeriesObservations:
        """Other values (sites..., obs) of the same times with the same errors and mask."""
        values = like_ours(values, self.data.shape)
        shape = (*values.shape, self.n_values)
        return self._with(
            weights=np.broadcast_to(self.weights, shape),
            likelihood=self.likelihood.with_values(values),
        )

    def predict(self, model_values: ArrayLike) -> Array:
        """What the model's series (sites..., any..., time) says: (sites..., any..., obs)."""
        x = checked_values(model_values, self.sites, self.t.size, "time")
        return weigh(x, np.swapaxes(self.weights, -1, -2), self.sites)

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> Array:
        """The derivative of sum_i g_i h_i with respect to `model_values`, g (sites..., any..., obs)."""
        g = slope_of(g, self.predict(model_values).shape)
        return weigh(g, self.weights, self.sites)


def _within(
    name: str, when: ArrayLike, times: Array, used: NDArray[np.bool_]
) -> Array:
    """Times of the observations; those in use must lie within the model's."""
    if not hasattr(when, "data_vars"):
        raw = np.asarray(when)
        if raw.size and (raw.dtype.kind in "MUS" or any(isinstance(w, str) or hasattr(w, "year") for w in raw.flat)):
            when = as_years(name, when)
    when = one_each(name, when, used.shape, "Give times as `t` has them, years for instance.")
    when = as_array(name, np.where(used, when, times[0]))
    index, same = nearest(when, times)
    when = np.where(same, times[index], when)
    for bad, word in (
        (when < times[0], "before the model starts"),
        (when > times[-1], "after it ends"),
    ):
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise InputError(
                f"{at_site(at[:-1])}{name} of observation {at[-1]} is {when[at]:g}, {word}; the model "
                f"runs from {times[0]:g} to {times[-1]:g}. Run it longer, or mask the observation."
            )
    return when


def _integrals(when: Array, times: Array) -> Array:
    """Weights (..., obs, time) of the integral of that interpolation from times[0] to `when`."""
    left, width = times[:-1], np.diff(times)
    part = np.clip((when[..., None] - left) / width, 0.0, 1.0)
    W = np.zeros((*when.shape, times.size))
    W[..., :-1] += width * (part - 0.5 * part**2)
    W[..., 1:] += width * 0.5 * part**2
    return W
