"""Screening: which parameters matter for an output, over the whole prior.

::

    Morris   d_k = [y(u + Δ e_k) − y(u)] / Δ,      mu* = mean |d_k|,    sigma = sd of d_k
    Sobol    S1_k = Var(E[y | u_k]) / Var(y),      ST_k = 1 − Var(E[y | all but u_k]) / Var(y)

====== ============================================= ================ ========== =========
symbol meaning                                       shape            unit       code name
====== ============================================= ================ ========== =========
u      parameters in the unit cube of the prior      (run, p)         1
y      output of the model                           (run, output)    own        model
d_k    elementary effect of parameter k              (trajectory, p)  as y
mu*    how much it matters                           (output, p)      as y       mu_star
sigma  how much that depends on the others           (output, p)      as y       sigma
S1, ST share of the variance: alone, and with others (output, p)      1          S1, ST
====== ============================================= ================ ========== =========

A thin cover over SALib (Herman & Usher 2017, doi 10.21105/joss.00097), in our priors and labels.
Morris (1991), Technometrics 33, 161–174, with mu* after Campolongo et al. (2007); Sobol' (2001),
Math. Comput. Simul. 55, 271–280. Morris finds the idle parameters in some (p + 1) × 20 runs; Sobol
indices say how much each of the others owns, for some (p + 2) × 1000.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.parameters import Prior, a_prior
from landcarbon.matrix.errors import InputError, as_whole
from landcarbon.matrix.labels import labelled

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["morris", "sobol"]

Array = NDArray[np.float64]
Model = Callable[[Array], ArrayLike]


def morris(
    prior: Prior, model: Model, n_trajectories: int = 20, *, seed: int, levels: int = 4
) -> xr.Dataset:
    """Elementary effects: how far the output moves when one parameter does, all over the prior.

    Parameters
    ----------
    prior : Prior
    model : callable
        theta (run, p) -> output (run,) or (run, output).
    n_trajectories : int
        Walks through the prior; (p + 1) × n_trajectories runs of the model in all.
    seed : int
    levels : int
        Levels of the grid on which the walks move, an even number.

    Returns
    -------
    xarray.Dataset
        `mu`, `mu_star`, `sigma` and `mu_star_conf` (half of the 95 % interval of `mu_star`), over
        parameter, or (output, parameter); per unit-cube length of a parameter.

    Raises
    ------
    InputError
        Outputs of the wrong shape or not finite, too few trajectories.

    Examples
    --------
    >>> from landcarbon.models.parameters import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter(n, "1", 0.0, 1.0, 0.5) for n in "abc"]))
    >>> effects = morris(prior, lambda x: 3 * x[:, 0] + x[:, 1], seed=1)
    >>> print(effects["mu_star"].values.round(6))
    [3. 1. 0.]
    """
    from SALib.analyze import morris as analyse
    from SALib.sample import morris as design

    n_trajectories, levels = as_whole("n_trajectories", n_trajectories, 2), as_whole("levels", levels, 2)
    seed = as_whole("seed", seed)
    if levels % 2:
        raise InputError(f"levels must be even, such as 4, but {levels} was given.")
    problem = _problem(prior)
    u = design.sample(problem, n_trajectories, num_levels=levels, seed=seed)
    y = _run(prior, model, u)
    found = [
        analyse.analyze(problem, u, column, num_levels=levels, seed=seed)
        for column in y.reshape(len(u), -1).T
    ]
    names = {
        "mu": "mean elementary effect",
        "mu_star": "mean size of the elementary effects",
        "sigma": "standard deviation of the elementary effects",
        "mu_star_conf": "half width of the 95 % interval of mu_star",
    }
    data = _labelled(prior, y, found, tuple(names), n_trajectories)
    units = dict.fromkeys(names, "")  # that of the output
    return labelled(data, "Morris screening", seed=seed, units=units, names=names)


def sobol(prior: Prior, model: Model, n_base: int = 1024, *, seed: int) -> xr.Dataset:
    """Sobol indices: who owns the variance of the output, alone and together with others.

    Parameters
    ----------
    prior, model
        As for `morris`.
    n_base : int
        Base sample, a power of 2; (p + 2) × n_base runs of the model in all.
    seed : int

    Returns
    -------
    xarray.Dataset
        `S1`, `ST` and `S1_conf`, `ST_conf` (half of their 95 % intervals), over parameter, or
        (output, parameter). With independent parameters the S1 sum to at most 1, the ST to at least 1.

    Raises
    ------
    InputError
        As for `morris`; an output that does not vary; n_base that is no power of 2.

    Examples
    --------
    >>> from landcarbon.models.parameters import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter(n, "1", 0.0, 1.0, 0.5) for n in "abc"]))
    >>> shares = sobol(prior, lambda x: 3 * x[:, 0] + x[:, 1], seed=1)
    >>> print(shares["S1"].values.round(2))
    [0.9 0.1 0. ]
    """
    from SALib.analyze import sobol as analyse
    from SALib.sample import sobol as design

    n_base, seed = as_whole("n_base", n_base, 2), as_whole("seed", seed)
    if n_base & (n_base - 1):
        raise InputError(f"n_base must be a power of 2, such as 512 or 1024, but {n_base} was given.")
    problem = _problem(prior)
    u = design.sample(problem, n_base, calc_second_order=False, seed=seed)
    y = _run(prior, model, u)
    columns = y.reshape(len(u), -1).T
    for k, column in enumerate(columns):
        if np.ptp(column) == 0:
            raise InputError(
                f"output {k} is {column[0]:g} whatever the parameters are: it has no variance to "
                "share out."
            )
    found = [
        analyse.analyze(problem, column, calc_second_order=False, seed=seed) for column in columns
    ]
    names = {
        "S1": "share of the variance by the parameter alone",
        "ST": "share with all its interactions",
        "S1_conf": "half width of the 95 % interval of S1",
        "ST_conf": "half width of the 95 % interval of ST",
    }
    data = _labelled(prior, y, found, tuple(names), n_base)
    return labelled(data, "Sobol indices", seed=seed, units=dict.fromkeys(names, "1"), names=names)


def _problem(prior: Prior) -> dict[str, Any]:
    a_prior(prior)
    p = len(prior)
    return {"num_vars": p, "names": list(prior.names), "bounds": [[0.0, 1.0]] * p}


def _run(prior: Prior, model: Model, u: Array) -> Array:
    # Corners of the cube are bounds of the prior, where a logarithm may not exist.
    theta = prior.from_unit(np.clip(u, 1e-9, 1.0 - 1e-9))
    y = np.asarray(model(theta), dtype=float)
    if y.ndim not in (1, 2) or len(y) != len(theta):
        raise InputError(
            f"the model returns shape {y.shape} for {len(theta)} runs; one row a run is expected, "
            f"({len(theta)},) or ({len(theta)}, outputs)."
        )
    if not np.isfinite(y).all():
        at = int(np.argwhere(~np.isfinite(y))[0, 0])
        values = ", ".join(f"{n}={v:.4g}" for n, v in zip(prior.names, theta[at]))
        raise InputError(f"the output of run {at} is not finite, where {values}.")
    return y


def _labelled(
    prior: Prior, y: Array, found: list[Any], columns: tuple[str, ...], size: int
) -> xr.Dataset:
    import xarray as xr

    dims = ("output", "parameter") if y.ndim == 2 else ("parameter",)
    values = {
        name: np.stack([np.asarray(one[name], dtype=float) for one in found]) for name in columns
    }
    return xr.Dataset(
        {name: (dims, v if y.ndim == 2 else v[0]) for name, v in values.items()},
        coords={"parameter": list(prior.names)},
        attrs={"runs": len(y), "size": size},
    )
