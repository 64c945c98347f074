"""Radiocarbon as data: Δ¹⁴C of pools, of all carbon, or of what is respired.

::

    h_i  = 1000 (X₁₄ / X − 1)                       at time t_i, of the pools that were sampled
    h_i  = 1000 (∫ r₁₄ dt / ∫ r dt − 1)             of a flux caught from s_i to t_i
    d_i  ~ Normal(h_i, sd_i²)                       Δ¹⁴C with an absolute error
    ∂h/∂X₁₄ = 1000 / X,     ∂h/∂X = −1000 X₁₄ / X²

====== ====================================== ================== =========== ===================
symbol meaning                                shape              unit        code name
====== ====================================== ================== =========== ===================
d, sd  measured Δ¹⁴C and its error            (..., obs)         per mil     data, sd
h      what the model says of it              (..., obs)         per mil     predict(values)
X, r   carbon that was sampled: stock or flux (..., time)        gC m-2      values[..., :time]
                                                                 (yr-1)
X₁₄    its radiocarbon, as the carbon that    (..., time)        as X        values[..., time:]
r₁₄    would hold as much at the standard
====== ====================================== ================== =========== ===================

Δ¹⁴C and its convention: `landcarbon.theory.carbon14`. A Δ¹⁴C of several pools together, or over a
window of time, is one of their carbon *mixed*: sums are taken before the ratio, never means of Δ.

The three lines to type:

    soil_co2 = RadiocarbonObservations([105.0, 68.0], error=8.0, t=t, end=[1998.5, 2008.5])
    values = soil_co2.read(radiocarbon(model, t, I, years, delta))
    soil_co2.log_likelihood(values)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.observations.likelihood import (
    GaussianLikelihood,
    ObservationStream,
    at_site,
)
from landcarbon.assimilation.observations.series import SeriesObservations
from landcarbon.matrix.errors import InputError, as_array, as_gappy
from landcarbon.matrix.frozen import keep

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["RadiocarbonObservations"]

Array = NDArray[np.float64]


@dataclass(frozen=True, init=False, eq=False)
class RadiocarbonObservations(ObservationStream):
    """Measured Δ¹⁴C, compared with a run of `theory.carbon14.radiocarbon`.

    Parameters
    ----------
    value : array_like, (..., obs)
        Δ¹⁴C [per mil]; −1000 is carbon without any radiocarbon. Leading axes are sites.
    error : array_like
        Its standard deviation [per mil], broadcast to `value`.
    t : array_like, (time,)
        Times of the run, years CE: the `t` that `radiocarbon` gets.
    end : array_like, (..., obs)
        When each sample was taken, or the end of its window.
    of : {"respired", "bulk"}, str or sequence of str
        What was sampled: "respired", CO₂ of all pools; "bulk", all carbon; or names of pools, whose
        carbon is mixed.
    start : array_like, (..., obs), optional
        Start of the window over which CO₂ was collected. Left out: a sample of one moment.
    mask : array_like of bool, (..., obs), optional
        True where a measurement is used.
    correlation_length : float, optional
        Years over which errors forget each other; independent by default.

    Raises
    ------
    InputError
        A Δ¹⁴C below −1000, a sample from before or after the run, an error of zero, NaN among the used
        values, a site with nothing to use.

    Notes
    -----
    Respiration is known as a mean over each step of the run and read at its middle, so the first and
    the last half step cannot be read.

    Examples
    --------
    A pool of 12 years, sampled in 1990 and 2009:

    >>> from landcarbon.models.pools import one_pool
    >>> from landcarbon.theory.carbon14 import radiocarbon
    >>> t = np.arange(1900, 2010.5, 0.5)
    >>> bomb = dict(years=[1900, 1955, 1965, 1990, 2011], delta=[0, 0, 700, 150, 38])
    >>> soil = RadiocarbonObservations([310.0, 130.0], 8.0, t=t, end=[1990, 2009], of="bulk")
    >>> for k in (1 / 6, 1 / 12, 1 / 24):
    ...     values = soil.read(radiocarbon(one_pool(k), t, I=100.0, **bomb))
    ...     print(soil.predict(values).round(), float(soil.log_likelihood(values).round()))
    [274.  84.] -33.0
    [320. 133.] -7.0
    [286. 178.] -29.0
    """

    t: Array
    of: str | tuple[str, ...]
    series: SeriesObservations
    likelihood: GaussianLikelihood

    def __init__(
        self,
        value: ArrayLike,
        error: ArrayLike,
        t: ArrayLike,
        end: ArrayLike,
        of: str | Sequence[str] = "respired",
        start: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        correlation_length: float | None = None,
    ) -> None:
        t = as_array("t", t, hint="Times are years CE.")
        if t.ndim != 1 or t.size < 2 or (np.diff(t) <= 0).any():
            raise InputError("t must be a list of at least two times of the run that increase.")
        if not isinstance(of, str):
            of = tuple(of) if np.iterable(of) else (of,)
            if not of or not all(isinstance(name, str) for name in of):
                raise InputError(
                    f"of is {of!r}; give 'respired', 'bulk', or the names of one or more pools."
                )
        seen = (t[1:] + t[:-1]) / 2 if of == "respired" else t
        kind = "point" if start is None else "mean"
        series = SeriesObservations(
            value, error, seen, end, start, kind, mask, correlation_length=correlation_length
        )
        below = series.mask & (series.data < -1000.0)
        if below.any():
            at = tuple(int(i) for i in np.argwhere(below)[0])
            raise InputError(
                f"{at_site(at[:-1])}observation {at[-1]} is {series.data[at]:g} per mil, but no Δ14C lies below "
                "-1000, carbon without any radiocarbon. Is it an age in years?"
            )
        keep(self, t=t, of=of, series=series, likelihood=series.likelihood)

    @property
    def n_values(self) -> int:
        """Model values: carbon and radiocarbon at each time."""
        return 2 * self.series.n_values

    def __getitem__(self, index: Any) -> RadiocarbonObservations:
        series = self.series[index]
        return self._with(series=series, likelihood=series.likelihood)

    def with_values(self, values: ArrayLike) -> RadiocarbonObservations:
        """Other Δ¹⁴C (sites..., obs) of the same samples with the same errors and mask."""
        series = self.series.with_values(values)
        return self._with(series=series, likelihood=series.likelihood)

    def read(self, run: xr.Dataset) -> Array:
        """Carbon and radiocarbon of what was sampled, from a run: model values (..., 2 time).

        Parameters
        ----------
        run : Dataset
            From `radiocarbon`, with the times of these observations. Leading axes of the model (sites,
            chains) stay in front.

        Raises
        ------
        InputError
            A run with other times, or without the pools that were sampled; a soil column.
        """
        if not {"X14", "delta_respired"} <= set(getattr(run, "variables", ())):
            raise InputError("read() takes what landcarbon.theory.carbon14.radiocarbon returns.")
        if "layer" in run.X.dims:
            raise InputError(
                "this run is of a soil column, whose layers are no pools; put its carbon and its "
                "radiocarbon through time side by side: np.concatenate([C, C14], axis=-1)."
            )
        t = run.time.values
        if t.shape != self.t.shape or not np.allclose(t, self.t, rtol=0, atol=1e-9):
            raise InputError(
                f"the run has {t.size} times from {t[0]:g} to {t[-1]:g}, the observations were placed on "
                f"{self.t.size} from {self.t[0]:g} to {self.t[-1]:g}; give both the same t."
            )
        if self.of == "respired":
            X = run.respiration.values
            X14 = X * (1.0 + np.where(X > 0, run.delta_respired.values, 0.0) / 1000.0)
        else:
            names = [str(name) for name in run.pool.values]
            wanted = (self.of,) if isinstance(self.of, str) else self.of
            for name in () if self.of == "bulk" else wanted:
                if name not in names:
                    raise InputError(
                        f"the model has no pool {name!r}; sampled can be 'respired', 'bulk', or "
                        f"{', '.join(names)}."
                    )
            places = [k for k, name in enumerate(names) if self.of == "bulk" or name in wanted]
            X, X14 = (run[v].values[..., places].sum(axis=-1) for v in ("X", "X14"))
        return np.concatenate([np.moveaxis(X, 0, -1), np.moveaxis(X14, 0, -1)], axis=-1)

    def predict(self, model_values: ArrayLike) -> Array:
        """Δ¹⁴C [per mil] of carbon and radiocarbon (sites..., any..., 2 time)."""
        X, X14 = self._mixed(model_values)
        return 1000.0 * (X14 / X - 1.0)

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> Array:
        """The derivative of sum_i g_i h_i with respect to `model_values`, g (sites..., any..., obs)."""
        X, X14 = self._mixed(model_values)
        halves = np.split(as_gappy("model_values", model_values), 2, axis=-1)
        slopes = (-1000.0 * X14 / X**2, 1000.0 / X)
        g = np.asarray(g, dtype=float)
        return np.concatenate(
            [self.series.pull(half, g * slope) for half, slope in zip(halves, slopes)], axis=-1
        )

    def _mixed(self, model_values: ArrayLike) -> tuple[Array, Array]:
        """Carbon and radiocarbon of each sample (sites..., any..., obs); ones where masked."""
        values = as_gappy("model_values", model_values)
        if values.shape[-1:] != (self.n_values,):
            raise InputError(
                f"model values have shape {values.shape}, but their last axis must have length "
                f"{self.n_values}: carbon at each time, then radiocarbon; `read(run)` makes them."
            )
        X, X14 = (self.series.predict(half) for half in np.split(values, 2, axis=-1))
        lead = len(self.sites)
        used = self.mask.reshape(*self.sites, *(1,) * (X.ndim - lead - 1), -1)
        X, X14 = np.where(used, X, 1.0), np.where(used, X14, 1.0)
        if (X <= 0).any():
            at = tuple(int(i) for i in np.argwhere(X <= 0)[0])
            raise InputError(
                f"the model has {X[at]:g} carbon where observation {at[-1]} was sampled, at index "
                f"{at[:-1]}; nothing has no Δ14C. Did the run start without carbon?"
            )
        return X, X14
