"""What a process model owes to assimilation and learning, and nothing more.

::

    y, pull = observed(θ, d)          y = h(X*(θ, d)),    pull(∂J/∂y) = (∂y/∂θ)ᵀ ∂J/∂y

========== ============================================ ==================== ===== ==========
symbol     meaning                                      shape                unit  code name
========== ============================================ ==================== ===== ==========
θ          parameters, in the order of PARAMETERS       (site, [member,] p)  own   theta
d          forcing, leading axes as those of θ, or      (site, [1, …])       own   forcing
           1 where all members share it
y          what observations read: for profiles carbon  (site, [member,] n)  own   values
           by layer [gC m-3]
--         its adjoint: a gradient for each site and    y → θ                --    pull
           member, not summed
========== ============================================ ==================== ===== ==========

`landcarbon.models.clm5` and `clm45` are such models, and so is any object with the same names: a
class of one's own, a module, a `types.SimpleNamespace`. With it go `proda.assimilate`, `one_batch`,
`hybrid.fit`, `proda.predict`, `control` and, as functions of the parameters,
`landcarbon.assimilation.Posterior` (`Posterior(prior, observations=data, model_vjp=lambda theta:
model.observed(theta, forcing))`).

`PARAMETERS` has bounds, which a prior needs, and defaults within them. Where the model as published lies
outside, as CLM5 does, its own parameters are `DEFAULT`; :func:`published` finds the one or the other.

Forcing is an array whose first axis is the sites, or an object with `shape` (leading axes),
`forcing[rows]` and `expand()` (one more axis after the sites), as `clm5.Forcing`. One that lies on disk
has `read()` too, which gives the numbers; models are handed these (:func:`whole`).

Adjoint of a steady state: Cacuci (1981), doi 10.1063/1.525186; `landcarbon.matrix.column` has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from landcarbon.matrix.errors import InputError, as_array, as_kind

__all__ = ["HIGHEST_CARBON", "Model", "expand", "leading", "observed_values", "published", "whole"]

Array = NDArray[np.float64]

HIGHEST_CARBON = 250e3
"""What soil can hold, gC m-3: dense peat holds about 140e3, organic matter without pores 750e3."""


class Model(Protocol):
    """A process model, as learning and assimilation ask for it."""

    @property
    def PARAMETERS(self) -> Any:
        """`ParameterTable`: names, units, bounds, defaults."""

    @property
    def LAYERS(self) -> Any:
        """`SoilLayers` that the values belong to; asked for by maps, stocks and `control` only."""

    @property
    def COMPONENTS(self) -> Any:
        """Name of a process → its parameters and fields of the forcing; for `control` only."""

    @property
    def observed(self) -> Callable[[Any, Any], tuple[Array, Callable[[Any], Array]]]:
        """`observed(theta, forcing)`: the values, and a function from ∂J/∂values to ∂J/∂theta."""


def observed_values(model: Model, theta: Any, forcing: Any) -> Array:
    """The values alone.

    A model whose forward run is cheaper without the way back may have `observed_values(theta,
    forcing)` beside `observed`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> pool = SimpleNamespace(observed=lambda k, I: (I / k, lambda d: -d * I / k**2))
    >>> observed_values(pool, np.array([[0.05]]), np.array([[400.0]]))
    array([[8000.]])
    """
    as_kind("model", model, "observed", hint="Such as landcarbon.models.clm5.")
    forward = getattr(model, "observed_values", None)
    theta = as_array("theta", theta)
    if isinstance(forcing, np.ndarray):
        forcing = as_array("forcing", forcing)
    try:
        return np.asarray(model.observed(theta, forcing)[0] if forward is None else forward(theta, forcing))
    except InputError:
        raise
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(
            f"the model stopped at parameters of shape {theta.shape} and a forcing that is a "
            f"{type(forcing).__name__}, with {type(error).__name__}: {error}"
        ) from error


def published(model: Model) -> Array:
    """Parameters (p,) of the model as its authors run it: its `DEFAULT`, or else those of the table.

    Examples
    --------
    >>> from landcarbon.models import clm5, clm45
    >>> [float(published(m)[m.PARAMETERS.index("efolding")]) for m in (clm5, clm45)]
    [10.0, 0.5]
    """
    as_kind("model", model, "PARAMETERS", hint="Such as landcarbon.models.clm5.")
    return np.asarray(getattr(model, "DEFAULT", model.PARAMETERS.default), dtype=float)


def leading(forcing: Any) -> tuple[int, ...]:
    """Axes of the sites: all that a forcing object shows, the first of an array.

    Examples
    --------
    >>> leading(np.ones((5, 3)))
    (5,)
    """
    if isinstance(forcing, np.ndarray):
        return forcing.shape[:1]
    if not hasattr(forcing, "shape"):
        raise InputError(
            f"forcing is a {type(forcing).__name__}; give an array whose first axis is the sites, or an "
            "object with a shape, such as clm5.Forcing."
        )
    return tuple(forcing.shape)


def whole(forcing: Any) -> Any:
    """The forcing as a model takes it: read, where it lies on disk.

    Examples
    --------
    >>> whole(np.ones((5, 3))).shape
    (5, 3)
    """
    if isinstance(forcing, np.ndarray):
        return as_array("forcing", forcing)
    return forcing.read() if hasattr(forcing, "read") else forcing


def expand(forcing: Any) -> Any:
    """The same forcing for several members of each site: a new axis after the sites.

    Examples
    --------
    >>> expand(np.ones((5, 3))).shape
    (5, 1, 3)
    """
    forcing = whole(forcing)
    if isinstance(forcing, np.ndarray):
        return forcing[:, None]
    return as_kind("forcing", forcing, "expand", hint="Give an array, sites first, or a clm5.Forcing.").expand()
