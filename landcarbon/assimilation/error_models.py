"""Errors of data: absolute, relative, both together, and errors that are alike from day to day.

::

    sd_i   = sqrt(a_i² + (r_i |d_i|)²)
    R_ij   = sd_i sd_j exp(−|t_i − t_j| / ℓ)
    u_i    = (e_i / sd_i − ρ_i e_{i−1} / sd_{i−1}) / sqrt(1 − ρ_i²),    ρ_i = exp(−(t_i − t_{i−1}) / ℓ)
    ln L   = −½ Σ u_i² − Σ [ln sd_i + ½ ln(1 − ρ_i²) + ½ ln 2π]

====== ============================================= ============= ========== ==================
symbol meaning                                       shape         unit       code name
====== ============================================= ============= ========== ==================
d      data                                          (..., obs)    own        value
a      absolute error                                (..., obs)    as d       absolute
r      relative error, as a share of the datum       (..., obs)    1          relative
sd     standard deviation of the error               (..., obs)    as d       error_sd(...)
t      where a datum stands: its time, its depth     (..., obs)    yr, m      at
ℓ      distance over which errors forget each other  ()            as t       correlation_length
R      covariance of the errors                      (obs, obs)    d²
e      misfit, observed minus predicted              (..., obs)    as d
u      misfit in units of the error, the part that   (..., obs)    1          whiten(e / sd)
       the neighbour does not tell
====== ============================================= ============= ========== ==================

The exponential kernel belongs to a process that remembers its last value only (Ornstein and Uhlenbeck,
1930, doi 10.1103/PhysRev.36.823), so a datum has to be compared with the one before it and with no
other: no matrix is inverted, and the work grows with the number of data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_gappy, as_kind, as_whole
from landcarbon.matrix.frozen import keep

__all__ = ["ExponentialCorrelation", "error_sd"]

Array = NDArray[np.float64]


def error_sd(value: ArrayLike, absolute: ArrayLike = 0.0, relative: ArrayLike = 0.0) -> Array:
    """Standard deviations of data whose error is absolute, relative, or both.

    Parameters
    ----------
    value : array_like, (..., obs)
        What was measured; where nothing was, give any number and a mask to the observations.
    absolute : array_like
        The error that even a zero has, in the unit of `value`; broadcast to it.
    relative : array_like
        The error that grows with the value, as a share of it: 0.1 is 10 %.

    Returns
    -------
    ndarray, (..., obs)

    Raises
    ------
    InputError
        An error below zero, a value without any, a value that is NaN or infinite.

    Notes
    -----
    The share is one of the *measured* value, so a datum that came out low by chance is trusted more
    than one that came out high. At 10 % that hardly matters; at 30 % and more compare logarithms
    instead: `ProfileObservations(kind="log")`, or `GaussianLikelihood(np.log(value), sd)`.

    Examples
    --------
    A flux to ± 0.3, and to 10 % where that is more:

    >>> error_sd([0.0, 4.0, 20.0], absolute=0.3, relative=0.1)
    array([0.3       , 0.5       , 2.02237484])
    """
    try:
        d = as_gappy("value", value)
    except (TypeError, ValueError):
        raise InputError(f"value must hold numbers only, but {value!r:.80} was given.") from None
    a = as_array("absolute", absolute, lower=0.0)
    r = as_array("relative", relative, lower=0.0, hint="A share: 0.1 is 10 %.")
    try:
        with np.errstate(over="ignore"):
            sd = np.sqrt(a**2 + (r * d) ** 2)
        shape = np.broadcast_shapes(sd.shape, d.shape)
    except ValueError:
        raise InputError(
            f"absolute {a.shape} and relative {r.shape} do not broadcast to the data's shape "
            f"{d.shape}; give one number for all, or one an observation."
        ) from None
    if shape != d.shape:
        raise InputError(
            f"there are more errors, {shape}, than data, {d.shape}; give one number for all, or one an "
            "observation."
        )
    if np.isnan(d).any():
        raise InputError(
            f"value holds {int(np.isnan(d).sum())} NaN, which have no error; give "
            "np.where(seen, value, 0) here and mask=seen to the observations."
        )
    if np.isinf(sd).any():
        at = tuple(int(i) for i in np.argwhere(np.isinf(sd))[0])
        raise InputError(f"the datum at index {at} is {d[at]:g}, too large for an error; is it a mark for a gap?")
    if (sd == 0).any():
        at = tuple(int(i) for i in np.argwhere(sd == 0)[0])
        raise InputError(
            f"the datum at index {at} is {d[at]:g} and would have no error at all; give an absolute "
            "error as well, which even a zero has."
        )
    return sd


@dataclass(frozen=True, init=False, eq=False)
class ExponentialCorrelation:
    """Errors that resemble their neighbours': correlation exp(−distance / length).

    Parameters
    ----------
    at : array_like, (..., obs)
        Where each datum stands: times, or depths. In any order. Leading axes are sites.
    length : float
        Distance over which the correlation falls to 1/e, in the unit of `at`.
    mask : array_like of bool, (..., obs), optional
        True where a datum is used; the others keep no company.
    group : array_like, (obs,), optional
        Data of different groups (times, cores) are independent wherever they stand.

    Raises
    ------
    InputError
        A length that is not above 0 or too long to tell data apart, two data at the same place.

    Examples
    --------
    Three days in a row, with errors that last about five days:

    >>> weather = ExponentialCorrelation([1.0, 2.0, 3.0], length=5.0)
    >>> weather.whiten([1.0, 1.0, 1.0]).round(2)        # the same miss three times is hardly news
    array([1.  , 0.32, 0.32])
    """

    order: NDArray[np.intp]
    back: NDArray[np.intp]
    rho: Array

    def __init__(
        self,
        at: ArrayLike,
        length: float,
        mask: ArrayLike | None = None,
        group: ArrayLike | None = None,
    ) -> None:
        ell = as_array(
            "correlation_length", length, shape=(), lower=0.0, strict=True,
            hint="Leave it out where errors are independent.",
        )  # fmt: skip
        place = as_gappy("at", at)
        used = np.ones(place.shape, bool) if mask is None else np.asarray(mask, dtype=bool)
        if used.shape != place.shape:
            raise InputError(f"mask has shape {used.shape}, but at has {place.shape}; give one for each datum.")
        if ell.ndim:
            raise InputError(f"correlation_length is one number, but an array of shape {ell.shape} was given.")
        place = as_array("at", np.where(used, place, 0.0), shape=(None,))
        kin = np.broadcast_to(np.zeros(place.shape[-1]) if group is None else np.asarray(group), place.shape)
        order = np.lexsort((place, kin, ~used), axis=-1)
        place, used, kin = (np.take_along_axis(a, order, axis=-1) for a in (place, used, kin))
        apart = np.diff(place, axis=-1)
        both = used[..., 1:] & used[..., :-1] & (kin[..., 1:] == kin[..., :-1])
        if (both & (apart == 0)).any():
            i = tuple(int(k) for k in np.argwhere(both & (apart == 0))[0])
            raise InputError(
                f"observations {order[i]} and {order[(*i[:-1], i[-1] + 1)]} both stand at {place[i]:g}; "
                "with correlated errors they would be one datum. Take their mean, or leave "
                "correlation_length out."
            )
        rho = np.zeros(place.shape)
        rho[..., 1:] = np.where(both, np.exp(-np.abs(apart) / ell), 0.0)
        if (rho >= 1).any():
            raise InputError(
                f"a correlation_length of {ell:g} makes neighbours one datum: it is too long for data that "
                f"stand {apart[rho[..., 1:] >= 1].min():g} apart. Take a shorter one, or the mean of such data."
            )
        self._set(order, rho)

    def _set(self, order: NDArray[np.intp], rho: Array) -> None:
        keep(self, order=order, back=np.argsort(order, axis=-1), rho=rho)

    def __getitem__(self, index: Any) -> ExponentialCorrelation:
        return _correlation(self.order[index], self.rho[index])

    def broadcast(self, shape: tuple[int, ...]) -> ExponentialCorrelation:
        """The same for data of another shape (more leading axes)."""
        shape = tuple(as_whole("shape", n) for n in as_kind("shape", shape, tuple, list))
        try:
            return _correlation(np.broadcast_to(self.order, shape), np.broadcast_to(self.rho, shape))
        except ValueError:
            raise InputError(f"shape is {shape}; data of shape {self.rho.shape} cannot be repeated to it.") from None

    @staticmethod
    def joined(parts: list[tuple[ExponentialCorrelation | None, tuple[int, ...]]]) -> Any:
        """Several streams side by side, given with their shapes; those without any are independent.

        None if no stream is correlated.
        """
        if all(own is None for own, _ in parts):
            return None
        order, rho, first = [], [], 0
        for own, shape in parts:
            plain = np.broadcast_to(np.arange(shape[-1]), shape)
            order.append(first + (plain if own is None else own.order))
            rho.append(np.zeros(shape) if own is None else own.rho)
            first += shape[-1]
        return _correlation(np.concatenate(order, axis=-1), np.concatenate(rho, axis=-1))

    @property
    def log_scale(self) -> Array:
        """½ Σ ln(1 − ρ²), (...): what correlation adds to ln |R|^½."""
        return 0.5 * np.log1p(-(self.rho**2)).sum(-1)

    def whiten(self, e: ArrayLike) -> Array:
        """Independent parts u of misfits e (sites..., any..., obs) that are in units of the errors."""
        e = as_array("e", e, shape=self.rho.shape[-1:])
        rho, scale, order, back = self._lifted(e.ndim)
        s = np.take_along_axis(e, order, axis=-1)
        before = np.concatenate([np.zeros_like(s[..., :1]), s[..., :-1]], axis=-1)
        return np.take_along_axis((s - rho * before) / scale, back, axis=-1)

    def whiten_transposed(self, u: ArrayLike) -> Array:
        """Derivative of Σ u_i whiten(e)_i by e, (sites..., any..., obs)."""
        u = as_array("u", u, shape=(*(None,) * (self.rho.ndim - 1), self.rho.shape[-1]))
        rho, scale, order, back = self._lifted(u.ndim)
        s = np.take_along_axis(u, order, axis=-1) / scale
        behind = rho * s
        behind = np.concatenate([behind[..., 1:], np.zeros_like(behind[..., :1])], axis=-1)
        return np.take_along_axis(s - behind, back, axis=-1)

    def precision(self, ndim: int) -> Array:
        """Diagonal of the inverse of the correlation matrix, for data of so many axes."""
        rho, _, _, back = self._lifted(ndim)
        own = 1.0 / (1.0 - rho**2)
        behind = np.concatenate([(rho**2 * own)[..., 1:], np.zeros_like(rho[..., :1])], axis=-1)
        return np.take_along_axis(own + behind, back, axis=-1)

    def colour(self, noise: ArrayLike) -> Array:
        """Correlated errors from independent ones: the way back from `whiten`."""
        xi = as_array("noise", noise, shape=(*(None,) * (self.rho.ndim - 1), self.rho.shape[-1]))
        rho, scale, order, back = self._lifted(xi.ndim)
        s = scale * np.take_along_axis(xi, order, axis=-1)
        for k in range(1, s.shape[-1]):
            s[..., k] += rho[..., k] * s[..., k - 1]
        return np.take_along_axis(s, back, axis=-1)

    def _lifted(
        self, ndim: int
    ) -> tuple[Array, Array, NDArray[np.intp], NDArray[np.intp]]:
        lead = self.rho.shape[:-1]
        shape = (*lead, *(1,) * (ndim - len(lead) - 1), self.rho.shape[-1])
        rho = self.rho.reshape(shape)
        return rho, np.sqrt(1.0 - rho**2), self.order.reshape(shape), self.back.reshape(shape)


def _correlation(order: NDArray[np.intp], rho: Array) -> ExponentialCorrelation:
    """One whose parts are known to be right."""
    made = object.__new__(ExponentialCorrelation)
    made._set(order, rho)
    return made
