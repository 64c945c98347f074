"""The Kalman filter and smoother: the exact answer for linear models with normal errors.

::

    forecast    x⁻ = Φ x + c,                   P⁻ = Φ P Φᵀ + Q
    analysis    x  = x⁻ + G (d − H x⁻),         P  = (1 − G H) P⁻,    G = P⁻ Hᵀ (H P⁻ Hᵀ + R)⁻¹
    evidence    ln p(d) = Σ_k ln Normal(d_k; H x⁻, H P⁻ Hᵀ + R)
    smoother    xˢ = x − P λ,                   Pˢ = P − P Λ P        λ, Λ: what later data say

====== ======================================== ===================== ========== ==================
symbol meaning                                  shape                 unit       code name
====== ======================================== ===================== ========== ==================
x, P   mean and covariance with the data        (time, sites..., n…)  gC m-2     analysis
x⁻, P⁻ the same before the data of that time    (time, sites..., n…)  gC m-2     forecast
Φ c Q  a step of the model                      `state_space`         see there  LinearSystem
d, R   data, covariance of their errors         (sites..., obs…)      own        data, covariance
H      what the data read                       (sites..., obs, n)    own        H
G      gain: how far to believe them            (sites..., n, obs)               gain
====== ======================================== ===================== ========== ==================

Kalman (1960), J. Basic Eng. 82, 35–45, doi 10.1115/1.3662552. The smoother gives what Rauch, Tung
and Striebel (1965, AIAA J. 3, 1445–1450) do, in the form of Bryson and Frazier: it sums what later
data say, instead of dividing by P⁻, which is all but singular once a fast pool has forgotten its
start. P is updated in Joseph's form, (1 − G H) P⁻ (1 − G H)ᵀ + G R Gᵀ, and stays a covariance.

The first three lines to type:

    system = linear_system(model, t, I=60.0, process_sd=20.0)
    data = StateObservations(value, error, t=system.t, end=when, H=[0, 0, 1])
    estimate = kalman_filter(system, Normal(mean, sd=sd), data)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.state_space import (
    LinearSystem,
    Measured,
    Normal,
    StateEstimate,
    StateObservations,
    believed,
    fitting,
    log_normal,
)
from landcarbon.matrix.errors import InputError, as_kind

__all__ = ["kalman_filter", "kalman_smoother"]

Array = NDArray[np.float64]


def kalman_filter(system: LinearSystem, start: Normal, data: StateObservations) -> StateEstimate:
    """The state at each time, given the data up to then; all sites at once.

    Parameters
    ----------
    system : LinearSystem
    start : Normal
        Belief about the state at the first time, before its data; (n,) or (sites..., n).
    data : StateObservations
        On the times of the system.

    Returns
    -------
    StateEstimate
        With Normal forecast and analysis, evidence and innovations.

    Raises
    ------
    InputError
        Model, start and data that do not go together.

    Examples
    --------
    One pool, 100 gC m-2 of input, known to 300 ± 100; after a year 350 ± 50 are measured.

    >>> from landcarbon.assimilation.state_space import linear_system
    >>> from landcarbon.models.pools import one_pool
    >>> system = linear_system(one_pool(0.2), t=[0.0, 1.0], I=100.0)
    >>> data = StateObservations([350.0], 50.0, t=system.t, end=[1.0], H=[1.0])
    >>> estimate = kalman_filter(system, Normal([300.0], sd=[100.0]), data)
    >>> print(estimate.forecast.mean()[1].round(1), estimate.forecast.sd()[1].round(1))
    [336.3] [81.9]
    >>> print(estimate.mean()[1].round(1), estimate.sd()[1].round(1))
    [346.3] [42.7]
    """
    as_kind("system", system, LinearSystem)
    as_kind("data", data, StateObservations)
    x, P = _begin(system, start, data)
    sites, n = x.shape[:-1], system.n
    shape = (len(system.t), *sites, n)
    means, before = np.empty(shape), np.empty(shape)
    covs, covs_before = np.empty((*shape, n)), np.empty((*shape, n))
    log_evidence = np.zeros(sites)
    innovation = np.zeros((*sites, data.mask.shape[-1]))
    for k in range(len(system.t)):
        if k > 0:
            Phi, c, Q = system.step(k - 1)
            x = _apply(Phi, x) + c
            P = Phi @ P @ _T(Phi) + Q
        before[k], covs_before[k] = x, P
        seen = data.of(k)
        if seen is not None:
            H, r, R, used = _scaled(seen, x)
            S = H @ P @ _T(H) + R
            gain = _T(np.linalg.solve(S, H @ P))
            innovation[..., data.at(k)] = r / np.sqrt(np.diagonal(S, axis1=-2, axis2=-1))
            log_evidence += log_normal(r, S, used)
            x = x + _apply(gain, r)
            keep = np.eye(n) - gain @ H
            P = keep @ P @ _T(keep) + gain @ R @ _T(gain)
            P = 0.5 * (P + _T(P))
        means[k], covs[k] = x, P
    return StateEstimate(
        system.t,
        system.pools,
        believed(means, covs),
        believed(before, covs_before),
        log_evidence,
        innovation,
    )


def kalman_smoother(system: LinearSystem, start: Normal, data: StateObservations) -> StateEstimate:
    """The state at each time, given all data, later ones too.

    Parameters
    ----------
    system, start, data
        As for `kalman_filter`.

    Returns
    -------
    StateEstimate

    Examples
    --------
    What was measured at the end says something about the start.

    >>> from landcarbon.assimilation.state_space import linear_system
    >>> from landcarbon.models.pools import one_pool
    >>> system = linear_system(one_pool(0.2), t=[0.0, 1.0], I=100.0)
    >>> data = StateObservations([350.0], 50.0, t=system.t, end=[1.0], H=[1.0])
    >>> estimate = kalman_smoother(system, Normal([300.0], sd=[100.0]), data)
    >>> print(estimate.mean()[0].round(1), estimate.sd()[0].round(1))
    [312.2] [52.1]
    """
    as_kind("system", system, LinearSystem)
    as_kind("data", data, StateObservations)
    filtered = kalman_filter(system, start, data)
    assert isinstance(filtered.analysis, Normal) and isinstance(filtered.forecast, Normal)
    x, P = filtered.analysis.mu, filtered.analysis.cov
    means, covs = np.empty_like(x), np.empty_like(P)
    lam, Lam = np.zeros(x.shape[1:]), np.zeros(P.shape[1:])
    for k in reversed(range(len(system.t))):
        means[k] = x[k] - _apply(P[k], lam)
        smooth = P[k] - P[k] @ Lam @ P[k]
        covs[k] = 0.5 * (smooth + _T(smooth))
        seen = data.of(k)
        if seen is not None:
            before = filtered.forecast[k]
            H, r, R, _ = _scaled(seen, before.mu)
            S_inverse_H: Array = np.asarray(np.linalg.solve(H @ before.cov @ _T(H) + R, H), float)
            keep = np.eye(system.n) - before.cov @ _T(S_inverse_H) @ H
            lam = _apply(_T(keep), lam) - _apply(_T(S_inverse_H), r)
            Lam = _T(keep) @ Lam @ keep + _T(H) @ S_inverse_H
        if k > 0:
            Phi = system.step(k - 1)[0]
            lam = _apply(_T(Phi), lam)
            Lam = _T(Phi) @ Lam @ Phi
    smoothed = believed(means, covs)
    return StateEstimate(
        system.t,
        system.pools,
        smoothed,
        smoothed,
        filtered.log_evidence,
        filtered.innovation,
    )


def _begin(system: LinearSystem, start: Normal, data: StateObservations) -> tuple[Array, Array]:
    if not isinstance(start, Normal):
        raise InputError(
            f"start is {type(start).__name__}; give what is believed of the first state, "
            "Normal(mean, sd=...)."
        )
    if start.mu.shape[-1] != system.n:
        raise InputError(
            f"start describes {start.mu.shape[-1]} pools, but the model has {system.n}: "
            f"{', '.join(system.pools)}."
        )
    try:
        own = np.broadcast_shapes(system.sites, start.mu.shape[:-1])
    except ValueError:
        raise InputError(
            f"the model has sites {system.sites}, but start has {start.mu.shape[:-1]}."
        ) from None
    sites = fitting(own, data, system.n, system.t)
    n = system.n
    return np.broadcast_to(start.mu, (*sites, n)), np.broadcast_to(start.cov, (*sites, n, n))


def _scaled(seen: Measured, x: Array) -> tuple[Array, Array, Array, NDArray[np.int_]]:
    """H, misfit, R and number of the data in use; a masked one reads nothing and misses nothing."""
    if seen.H is None:
        raise InputError(
            "the Kalman filter is for data that read the pools by a matrix H, but H is a function; use "
            "enkf or particle_filter."
        )
    H = np.where(seen.mask[..., None], seen.H, 0.0)
    misfit = np.where(seen.mask, seen.data - _apply(H, x), 0.0)
    return H, misfit, seen.covariance(), seen.mask.sum(-1)


def _apply(matrix: Array, vector: Array) -> Array:
    return (matrix @ vector[..., None])[..., 0]


def _T(matrix: NDArray[Any]) -> NDArray[Any]:
    return np.swapaxes(matrix, -1, -2)
