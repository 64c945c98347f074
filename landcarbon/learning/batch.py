r"""One batch: the one parameter set that fits all sites best.

.. math::

    z^* = \arg\min_z \; -\ln p(z) - \sum_s \ln p(y_s \mid h(X^*(z, d_s)))

===========  =====================================  ====================  =======  ============
symbol       meaning                                shape                 unit     code name
===========  =====================================  ====================  =======  ============
:math:`z`    parameters in unbounded coordinates    (p,)                  1        z
:math:`y_s`  data of the site                       (site, obs)           own      observations
:math:`d_s`  forcing of the site                    (site, ...)           own      forcing
===========  =====================================  ====================  =======  ============

The rival of PRODA that most models stand for: parameters tuned once, the same everywhere (Tao et al.
2020, Front. Big Data 3:17, doi:10.3389/fdata.2020.00017). Its gradient is the adjoint of the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.parameters import Prior
from landcarbon.learning.task import Task, pieces
from landcarbon.matrix.errors import Rng, as_kind, as_number, as_rng, as_whole
from landcarbon.models.process import whole

__all__ = ["OneBatch", "one_batch"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OneBatch:
    """One parameter set for all sites.

    Attributes
    ----------
    prior : Prior
    z : ndarray, (p,)
        Unbounded coordinates.
    cost : tuple of float
        Minus the log posterior density at the start and at the end, up to a constant.
    converged : bool
    seconds : float
    """

    prior: Prior
    z: Array
    cost: tuple[float, float]
    converged: bool
    seconds: float = 0.0

    @property
    def parameters(self) -> Array:
        """In physical units (p,)."""
        return self.prior.from_real(self.z)


def one_batch(
    task: Task,
    *,
    start: ArrayLike | None = None,
    n_starts: int = 4,
    max_iter: int = 200,
    tolerance: float = 1e-6,
    rng: Rng = 0,
) -> OneBatch:
    """The one parameter set that fits all sites best (L-BFGS on the hand-written adjoint).

    The cost has more than one minimum. The best of 100 prior draws and the default parameters are
    therefore improved on a sample of the sites first, and the best of these on all sites.

    Parameters
    ----------
    task : Task
    start : array_like, (p,), optional
        Physical units: start here only.
    n_starts : int
        Number of starting points otherwise.
    max_iter : int
    tolerance : float
        Stops when an iteration improves the cost by a smaller share than this.
    rng : Generator or int

    Returns
    -------
    OneBatch
    """
    from scipy.optimize import minimize

    began = time.perf_counter()
    rng, n_starts = as_rng(rng), as_whole("n_starts", n_starts, 1)
    as_kind("task", task, Task)
    max_iter, tolerance = as_whole("max_iter", max_iter, 1), as_number("tolerance", tolerance, lower=0.0)
    prior, n = task.prior, len(task)
    cost = batch_cost(task)
    z = prior.to_real(prior.table.default if start is None else start)
    first = cost(z)[0]
    if start is None and n_starts > 1:
        few = np.sort(rng.permutation(n)[:60])
        sample = task[few]
        quick = batch_cost(sample)
        z0 = np.concatenate([z[None], prior.to_real(prior.sample(100, rng))])
        everywhere = np.broadcast_to(prior.from_real(z0), (len(few), *z0.shape))
        fit = sample.log_likelihood(everywhere).sum(axis=0)
        best = np.argsort(-(fit + prior.log_density_real(z0)))[: n_starts - 1]
        tried = [
            minimize(quick, z0[k], jac=True, method="L-BFGS-B", options={"maxiter": 60})
            for k in dict.fromkeys([0, *best.tolist()])
        ]
        z = min(tried, key=lambda found: found.fun).x
    options = {"maxiter": max_iter, "ftol": tolerance}
    found = minimize(cost, z, jac=True, method="L-BFGS-B", options=options)
    return OneBatch(
        prior,
        np.asarray(found.x, float),
        (first, float(found.fun)),
        bool(found.success),
        time.perf_counter() - began,
    )


def batch_cost(task: Task) -> Callable[[Array], tuple[float, Array]]:
    """Minus the log posterior density of one parameter set for all sites, and its gradient by z.

    Summed over pieces of the sites, so that memory does not grow with them.
    """
    prior = task.prior

    def cost(z: Array) -> tuple[float, Array]:
        J, slope = -float(prior.log_density_real(z)), -prior.gradient_real(z)
        for rows in pieces(len(task)):
            part = task[rows]
            theta, forcing = np.broadcast_to(prior.from_real(z), (len(part), z.size)), whole(part.forcing)
            for stream in part.streams:
                values, pull = stream.run(theta, forcing)
                loss, dvalues = stream.cost(values)
                J += stream.weight * loss
                slope = slope + stream.weight * pull(dvalues).sum(axis=0) * prior.slope(z)
        return J, slope

    return cost
