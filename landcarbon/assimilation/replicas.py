r"""After the fit: data made again by the draws, and how well each datum was foreseen by the others.

::

    d'      ~ p(d | theta),            theta ~ p(theta | d)                                   (replicas)
    l_i     = ln p(d_i | theta, d_-i),  which is ln p(d_i | theta) where errors are independent   (pointwise)
    e_i     = d_i - s_i^2 (R^-1 (d - h))_i,     s_i^2 = 1 / (R^-1)_ii,     l_i = ln Normal(d_i; e_i, s_i^2)

====== ============================================ ============= ======== ====================== ==============
symbol meaning                                      shape         unit     code name              source
====== ============================================ ============= ======== ====================== ==============
d      what was measured                            (obs,)        own      observed
d'     what the draws would have measured           (draw, obs)   own      simulated
l_i    ln density of datum i (or jar i)             (draw, unit)  1        log_likelihood         Bürkner 2021
R      covariance of the errors                     (obs, obs)    own^2                           error_models
====== ============================================ ============= ======== ====================== ==============

From l_i ArviZ takes the score of each datum left out, without a second fit (LOO; Vehtari et al. 2017), and
compares models by it:

    trees = found.to_arviz(posterior)
    arviz.loo(trees)
    arviz.compare({"one pool": trees, "two pools": others})

Vehtari et al. 2017: doi:10.1007/s11222-016-9696-4. Bürkner et al. 2021: doi:10.1007/s00180-020-01045-4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.streams import Random
from landcarbon.matrix.errors import InputError, as_choice

__all__ = ["Replicas", "Replicating", "inference_data"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Replicas:
    """What was measured, beside what the draws would have measured.

    Parameters
    ----------
    observed : ndarray, (obs,)
    simulated : ndarray, (draw, obs)
        With all errors.
    log_likelihood : ndarray, (draw, unit), optional
        Of each datum, or of each group of data that is left out together; None where the data have weights.
    at : ndarray, (obs,), optional
        Where each datum stands: times, depths.
    group : ndarray of str, (obs,), optional
        What it belongs to: its soil, its stream.
    """

    observed: Array
    simulated: Array
    log_likelihood: Array | None
    at: Array | None = None
    group: NDArray[np.str_] | None = None

    def of(self, name: str) -> Replicas:
        """The data of one group, without their densities.

        Raises
        ------
        InputError
            No such group.
        """
        known = [] if self.group is None else sorted(set(self.group))
        pick = self.group == as_choice("group", name, known)
        at = None if self.at is None else self.at[pick]
        return Replicas(self.observed[pick], self.simulated[:, pick], None, at)


class Replicating(Protocol):
    """What can make its data again: a `Posterior` with observations, a model of jars."""

    @property
    def prior(self) -> Any:
        """Has `sample`."""

    def replicate(self, theta: Array, rng: Random = 0) -> Replicas:
        """Replicas of parameters (draw, p), or (sites..., draw, p)."""


def inference_data(
    names: Sequence[str],
    draws: Array,
    source: Replicating | None = None,
    rng: Random = 0,
    *,
    stats: Mapping[str, NDArray[Any]] | None = None,
    sites: Mapping[str, Sequence[str]] | None = None,
) -> Any:
    """Draws, and what follows from them, in the groups that ArviZ knows.

    Parameters
    ----------
    names : sequence of str
        Of the parameters.
    draws : ndarray, (sites..., chain, draw, p)
        Equally weighted.
    source : Posterior or alike, optional
        Brings the groups `prior`, `posterior_predictive`, `observed_data` and `log_likelihood`.
    rng : Generator or int
    stats : mapping, optional
        Of the sampler, (chain, draw).
    sites : mapping, optional
        Name of the site axis and its labels; no site axis by default.

    Returns
    -------
    arviz.InferenceData, or xarray.DataTree since ArviZ 1
    """
    import arviz as az

    lead = len(sites or {})
    if draws.ndim != 3 + lead:
        raise InputError(
            f"to_arviz takes one site, but the sites have shape {draws.shape[:-3]}. Choose one: draws[0].to_arviz()."
        )
    chained = np.moveaxis(draws, (-3, -2), (0, 1))
    shape = chained.shape[:2]
    coords: dict[str, Any] = dict(sites or {})
    dims = {name: list(sites or {}) for name in names}
    groups: dict[str, Any] = {"posterior": {name: chained[..., k] for k, name in enumerate(names)}}
    if stats:
        groups["sample_stats"] = dict(stats)
    if source is not None:
        made = source.replicate(draws.reshape(*draws.shape[:lead], -1, len(names)), rng)
        guess = source.prior.sample(1000, rng).reshape(1, 1000, *(1,) * lead, len(names))
        guess = np.broadcast_to(guess, (1, 1000, *draws.shape[:lead], len(names)))
        groups["prior"] = {name: guess[..., k] for k, name in enumerate(names)}
        groups["posterior_predictive"] = {"data": made.simulated.reshape(*shape, -1)}
        groups["observed_data"] = {"data": made.observed}
        if made.log_likelihood is not None:
            groups["log_likelihood"] = {"data": made.log_likelihood.reshape(*shape, -1)}
    options: dict[str, Any] = {"coords": coords, "dims": dims} if coords else {}
    return az.from_dict(**groups, **options) if az.__version__ < "1" else az.from_dict(groups, **options)
