r"""Chance in a forecast: the process error of the members, and the error of what will be measured.

.. math::

    X \, e^{\sigma \sqrt{\Delta t} z - \sigma^2 \Delta t / 2} \quad \text{(relative)}, \qquad
    X + \sigma \sqrt{\Delta t} z \quad \text{(absolute)}, \qquad z \sim N(0, 1)

================  =========================  =============  =================  =========
symbol            meaning                    shape          unit               code name
================  =========================  =============  =================  =========
:math:`\sigma`    process error              () or (pool,)  yr-1/2             sd
:math:`\Delta t`  length of a step           ()             yr                 dt
:math:`z`         standard normal numbers    (member, pool) 1                  z
================  =========================  =============  =================  =========

The relative factor is lognormal with mean 1: it keeps pools positive. The absolute term, in units of the
state times yr-1/2, can take pools below 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import (
    InputError,
    Rng,
    as_array,
    as_broadcast,
    as_gappy,
    as_kept,
    as_number,
    as_rng,
)
from landcarbon.matrix.frozen import keep

__all__ = ["ProcessError", "add_observation_error"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ProcessError:
    """What the model's step leaves out, drawn anew for each member and step.

    Parameters
    ----------
    sd : float or array_like, (pool,)
        Per square root of a year: relative, or in units of the state.
    relative : bool
        A lognormal factor of mean 1 (default), or a Gaussian term.

    Examples
    --------
    >>> disturb = ProcessError(10.0, relative=False).drawn(n_pools=1, dt=0.25, seed=1)
    >>> disturb(np.zeros((2, 1))).round(1)
    array([[1.7],
           [4.1]])
    """

    sd: ArrayLike
    relative: bool = True

    def __post_init__(self) -> None:
        keep(self, sd=as_kept("process_sd", self.sd, lower=0.0))

    def drawn(self, n_pools: int, dt: float, seed: int) -> Callable[[Array], Array] | None:
        """The disturbance of all members (member, pool) after a step; None where sd is 0.

        Raises
        ------
        InputError
            An sd below 0, or neither one number nor one a pool.
        """
        sd, dt = np.asarray(self.sd), as_number("dt", dt, lower=0.0, strict=True)
        if sd.ndim > 1 or (sd.ndim == 1 and sd.size not in (1, n_pools)):
            raise InputError(
                f"process_sd must be one number or one for each of the {n_pools} pools, but its shape "
                f"is {sd.shape}."
            )
        if not sd.any():
            return None
        rng = as_rng(seed, "seed")
        s = sd * np.sqrt(dt)
        if self.relative:
            return lambda X: X * np.exp(s * rng.standard_normal(X.shape) - s**2 / 2)
        return lambda X: X + s * rng.standard_normal(X.shape)


def add_observation_error(
    ensemble: Any, sd: ArrayLike, *, relative: bool = False, rng: Rng = 0
) -> Any:
    """The ensemble of what will be *measured*: the state plus measurement error.

    Parameters
    ----------
    ensemble : array_like or xarray.DataArray
    sd : float or array_like
        Standard deviation, in the unit of the ensemble; for `relative`, that of the logarithm.
    relative : bool
        Lognormal error with median 1 instead of a Gaussian term.
    rng : Generator or int

    Returns
    -------
    Same type as `ensemble`

    Examples
    --------
    >>> x = add_observation_error(np.zeros(10_000), 2.0)
    >>> bool(1.9 < x.std() < 2.1)
    True
    """
    if not hasattr(ensemble, "dims") or hasattr(ensemble, "data_vars"):
        ensemble = as_gappy("ensemble", ensemble)
    sd = as_array("sd", sd, lower=0.0)
    as_broadcast(ensemble=ensemble, sd=sd)
    rng = as_rng(rng)
    s = as_array("sd", sd, lower=0.0)
    z = rng.standard_normal(np.shape(ensemble))
    out = ensemble * np.exp(s * z) if relative else ensemble + s * z
    return out if hasattr(ensemble, "dims") else np.asarray(out)
