r"""A first look by an optimiser: the top of the posterior, and the normal that fits it there.

::

    z*      = argmax ln p(z | d)                                                      (mode)
    C       = (- d^2 ln p / dz^2)^-1   at z*                                          (curvature)
    z_k     ~ t_8(z*, C),      w_k = p(z_k | d) / t_8(z_k)                             (draws, and what they weigh)
    ln Z    = ln mean w_k

====== ======================================= ================= ==== ================ ==================
symbol meaning                                 shape             unit code name        source
====== ======================================= ================= ==== ================ ==================
z      real coordinates                        (..., p)          1    z                Prior
C      covariance of the normal                (..., p, p)       1    covariance       Tierney 1986
w_k    weight of a draw                        (sites..., draw)  1    weight
====== ======================================= ================= ==== ================ ==================

The top is found by BFGS from the best of some prior draws, at all sites at once. It takes the model some
hundred times, and knows nothing of a second top, of a long tail, of a ridge that bends. The weights do:
where a t of eight degrees around the top is no good picture of the posterior, few draws carry all of the
weight, and `sample` says how few. Then take "smc".

Tierney & Kadane 1986: J. Am. Stat. Assoc. 81, 82-86, doi:10.1080/01621459.1986.10478240.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from landcarbon.assimilation.chains import keep_whole
from landcarbon.assimilation.draws import Ensemble
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_kind, as_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Laplace", "Mode", "find_mode"]

Array = NDArray[np.float64]
FREEDOM = 8  # of the t: tails somewhat heavier than those of a normal
STEPS = 0.5 ** np.arange(10)  # along a direction, all tried at once
LONGEST, FLAT, MOST, STEP, FLOOR = 4.0, 1e-4, 300, 1e-3, 0.02


@dataclass(frozen=True, eq=False)
class Mode:
    """The top of a posterior.

    Attributes
    ----------
    posterior : Posterior
    z : ndarray, (sites..., p)
        In real coordinates.
    covariance : ndarray, (sites..., p, p)
        Of the normal there.
    log_density : ndarray, (sites...)
        ln p(z | d) without ln Z.
    """

    posterior: Posterior
    z: Array
    covariance: Array
    log_density: Array

    @property
    def theta(self) -> Array:
        """In physical units (sites..., p)."""
        return np.asarray(self.posterior.prior.from_real(self.z))

    def summary(self) -> pd.DataFrame:
        """The top, and 90 % of the normal, in physical units; of one site.

        Raises
        ------
        InputError
            Several sites.
        """
        import pandas as pd

        if self.z.ndim != 1:
            raise InputError(f"summary describes one site, but the sites have shape {self.z.shape[:-1]}; see theta.")
        reach = 1.645 * np.sqrt(np.diag(self.covariance))
        low, top, high = (self.posterior.prior.from_real(self.z + k * reach) for k in (-1, 0, 1))
        columns = {"5%": low, "mode": top, "95%": high}
        return pd.DataFrame(columns, index=pd.Index(self.posterior.names, name="parameter"))


def find_mode(posterior: Posterior, rng: Random = 0, n_starts: int = 4, n_tried: int = 64) -> Mode:
    """Climb to the top of a posterior from the best of some prior draws.

    Parameters
    ----------
    posterior : Posterior
    rng : Generator, int, or one Generator a site
    n_starts : int
        How many of them climb; the highest counts.
    n_tried : int
        Prior draws a site.

    Returns
    -------
    Mode

    Raises
    ------
    InputError
        No prior draw that the data hold possible.

    Examples
    --------
    >>> from landcarbon.assimilation import GaussianLikelihood, StatedPrior, log_normal
    >>> t = np.array([1.0, 5.0, 10.0])
    >>> posterior = Posterior(StatedPrior({"k": log_normal(0.1, 3)}), lambda theta: np.exp(-theta * t),
    ...                       GaussianLikelihood([0.82, 0.36, 0.14], sd=0.03))
    >>> find_mode(posterior).theta.round(2)
    array([0.2])
    """
    n_starts, n_tried = as_whole("n_starts", n_starts, 1), as_whole("n_tried", n_tried, 1)
    as_kind("posterior", posterior, Posterior)
    sites = posterior.sites
    z = posterior.prior.to_real(posterior.prior.sample(n_tried, streams(rng, sites), sites=sites))
    value = posterior.log_density_real(z)
    if not np.isfinite(value).any(-1).all():
        raise InputError(f"none of {n_tried} prior draws is possible, at some site; widen the errors or the prior.")
    best = np.argsort(-value, axis=-1)[..., :n_starts, None]
    z, value = _climb(posterior, np.take_along_axis(z, best, axis=-2))
    top = value.argmax(-1)[..., None]
    z = np.take_along_axis(z, top[..., None], axis=-2)[..., 0, :]
    return Mode(posterior, z, _covariance(posterior, z), np.take_along_axis(value, top, axis=-1)[..., 0])


def _climb(posterior: Posterior, z: Array) -> tuple[Array, Array]:
    """BFGS from each start (sites..., start, p)."""
    p, lead = z.shape[-1], z.shape[:-1]
    value, slope = posterior.numerical_gradient_real(z)
    H = np.broadcast_to(np.eye(p), (*lead, p, p)).copy()
    fresh = np.ones(lead, dtype=bool)
    for _ in range(MOST):
        way = np.einsum("...ij,...j->...i", H, slope)
        way *= np.minimum(1.0, LONGEST / np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-300))
        tries = z[..., None, :] + STEPS[:, None] * way[..., None, :]
        found = posterior.log_density_real(tries.reshape(*lead[:-1], -1, p)).reshape(*lead, STEPS.size)
        pick = found.argmax(-1)[..., None]
        higher = np.take_along_axis(found, pick, -1)[..., 0] > value
        moved = np.take_along_axis(tries, pick[..., None], -2)[..., 0, :]
        new = np.where(higher[..., None], moved, z)
        value, after = posterior.numerical_gradient_real(new)
        s, y = new - z, slope - after
        along = (s * y).sum(-1)
        bent = higher & (along > 1e-12)
        r = 1.0 / np.where(bent, along, 1.0)[..., None, None]
        left = np.eye(p) - r * s[..., :, None] * y[..., None, :]
        better = left @ H @ np.swapaxes(left, -1, -2) + r * s[..., :, None] * s[..., None, :]
        H = np.where(bent[..., None, None], better, np.eye(p))
        settled = (np.abs(after).max(-1) < FLAT) | (~higher & fresh)
        fresh, z, slope = ~bent, new, after
        if settled.all():
            break
    return z, value


def _covariance(posterior: Posterior, z: Array) -> Array:
    """Inverse of the curvature; where it does not bend downwards, as wide as FLOOR says."""
    p = z.shape[-1]
    moves = STEP * np.concatenate([np.eye(p), -np.eye(p)])
    _, slope = posterior.numerical_gradient_real(z[..., None, :] + moves)
    bend = -(slope[..., :p, :] - slope[..., p:, :]) / (2.0 * STEP)
    bend = np.where(np.isfinite(bend), bend, 0.0)
    values, V = np.linalg.eigh(0.5 * (bend + np.swapaxes(bend, -1, -2)))
    return (V / np.maximum(values, FLOOR)[..., None, :]) @ np.swapaxes(V, -1, -2)


@dataclass(frozen=True, kw_only=True)
class Laplace:
    """Draws around the top of a posterior, weighted by what they should weigh.

    Parameters
    ----------
    n_draws : int
        A site.
    n_starts : int
        Prior draws that climb.

    Examples
    --------
    >>> from landcarbon.assimilation import problems
    >>> Laplace(n_draws=500).sample(problems.banana(1.0), rng=1).draws.shape
    (500, 2)
    """

    n_draws: int = 2000
    n_starts: int = 4

    def __post_init__(self) -> None:
        keep_whole(self, n_draws=2, n_starts=1)

    def sample(self, posterior: Posterior, rng: Random = 0) -> Ensemble:
        """Weighted draws, physical, with ln Z."""
        as_kind("posterior", posterior, Posterior)
        source = streams(rng, posterior.sites)
        mode = find_mode(posterior, source, self.n_starts)
        p, n = mode.z.shape[-1], self.n_draws
        xi, chi = source.normal((n, p)), (source.normal((n, FREEDOM)) ** 2).sum(-1)
        L = np.linalg.cholesky(mode.covariance)
        z = mode.z[..., None, :] + np.einsum("...ij,...nj->...ni", L, xi) / np.sqrt(chi / FREEDOM)[..., None]
        size = np.log(np.diagonal(L, axis1=-2, axis2=-1)).sum(-1)[..., None]
        q = (xi**2).sum(-1) / (chi / FREEDOM)
        log_t = gammaln((FREEDOM + p) / 2) - gammaln(FREEDOM / 2) - 0.5 * p * np.log(FREEDOM * np.pi) - size
        log_t = log_t - 0.5 * (FREEDOM + p) * np.log1p(q / FREEDOM)
        weight = posterior.log_density_real(z) - log_t
        total = logsumexp(weight, axis=-1)
        log_weight = weight - total[..., None]
        ess = np.exp(-logsumexp(2.0 * log_weight, axis=-1))
        error = np.sqrt(np.maximum(1.0 / ess - 1.0 / n, 0.0))
        theta = posterior.prior.from_real(np.clip(z, -30.0, 30.0))
        return Ensemble(posterior.names, theta, log_weight, total - np.log(n), error)
