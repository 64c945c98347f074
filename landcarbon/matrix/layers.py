"""Soil layers, and how carbon moves between them.

    ∂X/∂t = ∂/∂z ( D ∂X/∂z − q X )       on layers:   rate down_l from layer l to l+1, up_l back

Between two layers the flux is  a↓ X_l − a↑ X_{l+1}  with Patankar's power law

    a↓ = (D/δ) P(|Pe|) + max(q, 0),   a↑ = (D/δ) P(|Pe|) + max(−q, 0),
    Pe = q δ / D,                      P(x) = max(0, (1 − 0.1 x)⁵)

and down = a↓/Δz_l, up = a↑/Δz_{l+1}. What leaves one layer enters the next, so mixing conserves
carbon for any thickness and any diffusivity, without a check.

====== =========================================== ============ ========= ======================
symbol meaning                                     shape        unit      code name
====== =========================================== ============ ========= ======================
Δz     thickness of a layer                        (L,)         m         layers.thickness
z      depth of a layer's node                     (L,)         m         layers.node
z_b    depth of a layer's lower face               (L,)         m         layers.bottom
δ      distance between neighbouring nodes         (L−1,)       m         layers.spacing
D      diffusivity at the faces between layers     (..., L−1)   m2 yr-1   diffusivity
q      velocity, positive downward                 (..., L−1)   m yr-1    velocity
↓, ↑   exchange between layers, per unit of stock  (..., L−1)   yr-1      down, up
V      the same as a matrix on concentrations      (..., L, L)  yr-1      transport_matrix
====== =========================================== ============ ========= ======================

Sources: Patankar (1980), Numerical Heat Transfer and Fluid Flow, eq. 5.36; Koven et al. (2013),
doi 10.5194/bg-10-7109-2013; layer depths: Lawrence et al. (2019), doi 10.1029/2018MS001583.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_kind
from landcarbon.matrix.frozen import keep

__all__ = [
    "CLM45_LAYERS",
    "CLM5_LAYERS",
    "SoilLayers",
    "exchange_rates",
    "face_diffusivity",
    "input_profile",
    "transport_matrix",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SoilLayers:
    """A column of soil, from the surface down.

    Parameters
    ----------
    thickness : array_like (L,)
        Thickness of each layer [m], from the top.
    node : array_like (L,), optional
        Depth at which a layer's value stands [m]; the middle of the layer if not given.

    Examples
    --------
    >>> layers = SoilLayers([0.1, 0.2, 0.7])
    >>> layers.bottom
    array([0.1, 0.3, 1. ])
    """

    thickness: Array
    node: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        thickness = as_array("thickness", self.thickness, shape=(None,), lower=0.0, strict=True)
        if thickness.ndim != 1:
            raise InputError(f"thickness has {thickness.ndim} axes; give one number for each layer.")
        if thickness.size == 0:
            raise InputError("thickness is empty; give at least one layer.")
        bottom = np.cumsum(thickness)
        top = bottom - thickness
        node = (
            0.5 * (top + bottom)
            if self.node is None
            else as_array("node", self.node, shape=thickness.shape)
        )
        outside = (node < top - 1e-9) | (node > bottom + 1e-9)
        if outside.any():
            l = int(np.argmax(outside))  # noqa: E741
            raise InputError(
                f"The node of layer {l + 1} lies at {node[l]:g} m, outside its layer "
                f"({top[l]:g} to {bottom[l]:g} m). List layers from the surface down."
            )
        keep(self, thickness=thickness, node=node)

    def __len__(self) -> int:
        return len(self.thickness)

    @property
    def bottom(self) -> Array:
        """Depth of the lower face of each layer [m]."""
        return np.cumsum(self.thickness)

    @property
    def top(self) -> Array:
        """Depth of the upper face of each layer [m]."""
        return np.concatenate([[0.0], self.bottom[:-1]])

    @property
    def spacing(self) -> Array:
        """Distance between the nodes of neighbouring layers (L−1,) [m]."""
        return np.diff(self.node)


CLM5_LAYERS = SoilLayers(
    thickness=np.array(
        [0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.20, 0.24, 0.28, 0.32]
        + [0.36, 0.40, 0.44, 0.54, 0.64, 0.74, 0.84, 0.94, 1.04, 1.14]
    ),
    node=np.array(
        [0.01, 0.04, 0.09, 0.16, 0.26, 0.40, 0.58, 0.80, 1.06, 1.36]
        + [1.70, 2.08, 2.50, 2.99, 3.58, 4.27, 5.06, 5.95, 6.94, 8.03]
    ),
)
"""The 20 biogeochemically active layers of CLM5, 8.6 m deep (Lawrence et al. 2019, Table 2.3)."""


_NODES = 0.025 * (np.exp(0.5 * (np.arange(1, 12) - 0.5)) - 1.0)  # m
_FACES = np.append(0.0, 0.5 * (_NODES[1:] + _NODES[:-1]))  # halfway between nodes

CLM45_LAYERS = SoilLayers(thickness=np.diff(_FACES), node=_NODES[:10])
"""The 10 biogeochemically active layers of CLM4.5, 3.8 m deep: node of layer l at
0.025 m × (e^(0.5 (l − 0.5)) − 1), faces halfway between nodes (Oleson et al. 2013, doi
10.5065/D6RR1W7M)."""


def face_diffusivity(diffusivity: ArrayLike, layers: SoilLayers) -> Array:
    """Diffusivity at the faces between layers, from one value a layer (Patankar's harmonic mean).

    Parameters
    ----------
    diffusivity : array_like (..., L)
        Diffusivity of each layer [m2 yr-1], not negative.
    layers : SoilLayers

    Returns
    -------
    ndarray (..., L−1)
        Zero wherever one of the two neighbours has none.
    """
    as_kind("layers", layers, SoilLayers)
    D = as_array("diffusivity", diffusivity, shape=(len(layers),), lower=0.0)
    above, below = D[..., :-1], D[..., 1:]
    w = (layers.node[1:] - layers.bottom[:-1]) / layers.spacing
    weighted = (1 - w) * below + w * above
    return np.divide(above * below, weighted, out=np.zeros_like(weighted), where=weighted > 0)


def exchange_rates(
    diffusivity: ArrayLike, layers: SoilLayers, velocity: ArrayLike = 0.0
) -> tuple[Array, Array]:
    """Rates at which carbon leaves a layer for the one below, and for the one above.

    Parameters
    ----------
    diffusivity : array_like (..., L−1)
        At the faces between layers [m2 yr-1]; see `face_diffusivity`.
    layers : SoilLayers
    velocity : array_like (..., L−1)
        Positive downward [m yr-1]. Nothing crosses the surface or the bottom.

    Returns
    -------
    down, up : ndarray (..., L−1)
        `down[l]`: share of layer l that moves to layer l+1 in a year; `up[l]`: share of layer
        l+1 that moves to layer l.
    """
    faces = len(as_kind("layers", layers, SoilLayers)) - 1
    D = as_array("diffusivity", diffusivity, shape=(faces,), lower=0.0)
    q = as_array("velocity", velocity)
    if q.ndim and q.shape[-1] not in (1, faces):
        raise InputError(
            f"velocity ends in an axis of length {q.shape[-1]}; give one number, or one for each of "
            f"the {faces} faces between layers."
        )
    conductance = D / layers.spacing
    if np.any(q):
        peclet = np.divide(
            np.abs(q), conductance, out=np.full(np.broadcast_shapes(q.shape, D.shape), np.inf),
            where=conductance > 0,
        )
        conductance = conductance * np.maximum(0.0, 1 - 0.1 * np.minimum(peclet, 10.0)) ** 5
    down = (conductance + np.maximum(q, 0.0)) / layers.thickness[:-1]
    up = (conductance + np.maximum(-q, 0.0)) / layers.thickness[1:]
    return down, up


def transport_matrix(down: ArrayLike, up: ArrayLike, layers: SoilLayers) -> Array:
    """V acting on concentrations [gC m-3]: (V X)_l is what mixing takes from layer l.

    Parameters
    ----------
    down, up : array_like (..., L−1)
        From `exchange_rates` [yr-1].

    Returns
    -------
    ndarray (..., L, L)
        Positive diagonal; columns weighted by thickness sum to zero.
    """
    L = len(as_kind("layers", layers, SoilLayers))
    down = as_array("down", down, shape=(L - 1,), lower=0.0)
    up = as_array("up", up, shape=(L - 1,), lower=0.0)
    ratio = layers.thickness[:-1] / layers.thickness[1:]
    V = np.zeros((*np.broadcast_shapes(down.shape, up.shape)[:-1], L, L))
    l = np.arange(L - 1)  # noqa: E741
    V[..., l, l] += down
    V[..., l + 1, l + 1] += up
    V[..., l + 1, l] = -down * ratio
    V[..., l, l + 1] = -up / ratio
    return V


def input_profile(
    beta: ArrayLike, layers: SoilLayers, deepest: ArrayLike | None = None
) -> Array:
    """Share of the carbon input that enters each metre of each layer.

    The root profile of Jackson et al. (1996), doi 10.1007/BF00333714: above depth d (in cm) lies
    the fraction 1 − β^d, cut at the deepest layer with input and normalised.

    Parameters
    ----------
    beta : array_like (...)
        Between 0 and 1; larger is deeper (tundra 0.914, global mean 0.966).
    layers : SoilLayers
    deepest : array_like of int (...), optional
        Number of layers that take input; all if not given.

    Returns
    -------
    ndarray (..., L)
        [m-1]; times thickness it sums to 1.
    """
    as_kind("layers", layers, SoilLayers)
    beta = as_array("beta", beta, lower=0.0, strict=True, upper=1.0)
    if np.any(beta == 1.0):
        raise InputError("beta is 1: roots without end. Give a value below 1, such as 0.966.")
    deeper = beta[..., None] ** (100.0 * np.append(0.0, layers.bottom))
    share = deeper[..., :-1] - deeper[..., 1:]
    if deepest is not None:
        deepest = as_array("deepest", deepest, lower=1, hint="It counts the layers that take input.")
        share = np.where(np.arange(len(layers)) < deepest[..., None], share, 0.0)
    return share / share.sum(axis=-1, keepdims=True) / layers.thickness
