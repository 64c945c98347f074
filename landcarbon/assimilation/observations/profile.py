"""Carbon measured at several depths of soil columns.

::

    ln C(z_i) = (1 - w) ln X_j + w ln X_{j+1},   w = (z_i - z_j) / (z_{j+1} - z_j)

====== ===================================== ================= ====== ============ ==========
symbol meaning                               shape             unit   code name    source
====== ===================================== ================= ====== ============ ==========
X      model values: layers of a column      (..., layer)      gC m-3 model_values
z_j    node depth of layer j, downwards      (layer,)          m      node_depth   SoilLayers
z_i    depth of observation i                (..., obs)        m      depth
w      weights of the interpolation in ln X  (..., obs, layer) 1      weights
====== ===================================== ================= ====== ============ ==========

Between two nodes ln carbon is a straight line in depth, so carbon is positive and monotone there and
never overshoots its layers. A monotone cubic (pchip) would be smoother, but its slopes depend on the
carbon itself, with kinks; a straight line in ln X has fixed weights w, which makes `pull` exact.
Above the first node and between the last node and the bottom of the column ln X is held constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.observations.likelihood import (
    GaussianLikelihood,
    ObservationStream,
    at_site,
    checked_values,
    lifted,
    like_ours,
    one_each,
    slope_of,
    straight_lines,
    used_errors,
    used_values,
    weigh,
)
from landcarbon.assimilation.streams import Random
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.frozen import keep

__all__ = ["ProfileObservations"]

Array = NDArray[np.float64]


@dataclass(frozen=True, init=False, eq=False)
class ProfileObservations(ObservationStream):
    """Carbon measured at several depths of soil columns.

    Parameters
    ----------
    depth : array_like, (..., obs)
        Depth of each measurement, m, downwards from the surface. Leading axes are sites.
    value : array_like, (..., obs)
        Carbon there, gC m-3.
    error : array_like
        With kind="log" the standard deviation of ln(value) (0.3 is about 30 %); with
        kind="absolute" the standard deviation in gC m-3. Broadcast to `value`.
    node_depth : array_like, (layer,)
        Depth of the model's layer nodes, m, increasing.
    bottom : array_like, optional
        Bottom of the column, m: one number, or one a site (bedrock). Layers with a node below it
        are not read. Default: the deepest node.
    kind : {"log", "absolute"}
        Error model.
    mask : array_like of bool, (..., obs), optional
        True where a measurement is used; profiles of different length are padded and masked.
    correlation_length : float, optional
        Depth over which the errors of a profile forget each other, m; independent by default.

    Raises
    ------
    InputError
        A depth above the surface or below the column, NaN or carbon that is not positive among the
        used values, an error of zero, a site with nothing to use, nodes that do not increase.

    Examples
    --------
    >>> obs = ProfileObservations(depth=[0.1, 0.3], value=[20e3, 9e3], error=0.3,
    ...                           node_depth=[0.1, 0.2, 0.4], bottom=0.5)
    >>> obs.predict_values([20e3, 16e3, 4e3]).round()      # half-way in ln: sqrt(16 * 4) = 8
    array([20000.,  8000.])
    >>> obs.log_likelihood([[20e3, 16e3, 4e3], [20e3, 10e3, 9e3]]).round(3)
    array([0.493, 0.555])
    """

    depth: Array
    value: Array
    kind: str
    node_depth: Array
    weights: Array
    likelihood: GaussianLikelihood

    def __init__(
        self,
        depth: ArrayLike,
        value: ArrayLike,
        error: ArrayLike,
        node_depth: ArrayLike,
        bottom: ArrayLike | None = None,
        kind: str = "log",
        mask: ArrayLike | None = None,
        correlation_length: float | None = None,
    ) -> None:
        if kind not in ("log", "absolute"):
            raise InputError(
                f"kind is {kind!r}; use 'log' (error is the sd of ln carbon) or 'absolute' "
                "(error in gC m-3)."
            )
        value, used = used_values("value", value, mask)
        depth = one_each("depth", depth, value.shape)
        depth = as_array(
            "depth",
            np.where(used, depth, 0.0),
            lower=0.0,
            hint="Depths are metres below the surface, positive downwards.",
        )
        nodes = as_array("node_depth", node_depth, lower=0.0)
        if nodes.ndim != 1 or nodes.size == 0 or (np.diff(nodes) <= 0).any():
            raise InputError("node_depth must be a list of depths that increase downwards.")
        floor = _floor(nodes[-1] if bottom is None else bottom, nodes, value.shape[:-1])
        _inside(depth, value, used, floor)
        error = used_errors("error", error, used)
        data = np.log(np.where(used, value, 1.0)) if kind == "log" else value
        read = (nodes <= floor[..., None]).sum(-1)
        keep(
            self,
            depth=depth,
            value=value,
            kind=kind,
            node_depth=nodes,
            weights=_interpolation(depth, nodes, read, used),
            likelihood=GaussianLikelihood._at_places(data, error, used, correlation_length, depth),
        )

    @property
    def n_values(self) -> int:
        """Number of layers."""
        return int(self.node_depth.size)

    @property
    def values(self) -> Array:
        """Carbon measured (..., obs), gC m-3; NaN where the mask is False."""
        return np.where(self.mask, self.value, np.nan)

    def __getitem__(self, index: Any) -> ProfileObservations:
        names = ("depth", "value", "weights", "likelihood")
        return self._with(**{name: getattr(self, name)[index] for name in names})

    def with_values(self, values: ArrayLike) -> ProfileObservations:
        """Other carbon (sites..., obs), gC m-3, at the same depths with the same errors and mask."""
        values = like_ours(values, self.value.shape)
        return self._with(
            depth=np.broadcast_to(self.depth, values.shape),
            value=np.where(self.mask, values, 0.0),
            weights=np.broadcast_to(self.weights, (*values.shape, self.n_values)),
            likelihood=self.likelihood.with_values(
                np.log(values) if self.kind == "log" else values
            ),
        )

    def _log_values(
        self, model_values: ArrayLike
    ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Layers that are read (others set to 1), their logarithm, and where it does not exist."""
        X = checked_values(model_values, self.sites, self.node_depth.size, "layer", finite=False)
        read = lifted((self.weights != 0).any(-2), len(self.sites), X.ndim)
        X = np.where(read, X, 1.0)
        if np.isnan(X).any():
            at = tuple(int(i) for i in np.argwhere(np.isnan(X))[0])
            raise InputError(
                f"the model gives NaN in layer {at[-1]} at index {at[:-1]}; check its forcing."
            )
        bad = (X <= 0) | np.isinf(X)
        return X, np.log(np.where(bad, 1.0, X)), bad

    def _apply(self, ln_x: Array) -> Array:
        return weigh(ln_x, np.swapaxes(self.weights, -1, -2), self.sites)

    def predict(self, model_values: ArrayLike) -> Array:
        """Model values at the observed depths, in data space (ln carbon with kind="log").

        Parameters
        ----------
        model_values : array_like, (sites..., any..., layer)
            Carbon by layer, gC m-3; positive in the layers that are read.

        Returns
        -------
        ndarray, (sites..., any..., obs)
        """
        _, ln_x, bad = self._log_values(model_values)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"the model gives {np.asarray(model_values)[at]:g} gC m-3 in layer {at[-1]} at "
                f"index {at[:-1]}; a profile needs positive carbon there. Does the layer "
                "lie below the bedrock, in ground that never thaws, or where nothing grows?"
            )
        h = self._apply(ln_x)
        return h if self.kind == "log" else np.exp(h)

    def predict_values(self, model_values: ArrayLike) -> Array:
        """Carbon at the observed depths (sites..., any..., obs), gC m-3."""
        h = self.predict(model_values)
        return np.exp(h) if self.kind == "log" else h

    def log_likelihood(self, model_values: ArrayLike) -> Array:
        """ln L (sites..., any...) of layer values (sites..., any..., layer).

        With kind="log" it is the density of ln value. Layers without carbon make it -inf.
        """
        _, ln_x, bad = self._log_values(model_values)
        h = self._apply(ln_x)
        ll = self.likelihood.log_likelihood(h if self.kind == "log" else np.exp(h))
        return np.where(bad.any(-1), -np.inf, ll)

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> Array:
        """The derivative of sum_i g_i h_i with respect to `model_values`, g (sites..., any..., obs)."""
        h = self.predict(model_values)
        X, _, _ = self._log_values(model_values)
        g = slope_of(g, h.shape)
        return weigh(g if self.kind == "log" else g * h, self.weights, self.sites) / X

    def simulate(self, model_values: ArrayLike, rng: Random = 0) -> Array:
        """Profiles (sites..., any..., obs), gC m-3, with errors drawn; NaN where masked."""
        noisy = self.likelihood.noisy(self.predict(model_values), rng)
        return np.exp(noisy) if self.kind == "log" else noisy


def _floor(bottom: ArrayLike, nodes: Array, sites: tuple[int, ...]) -> Array:
    """Bottom of the column at each site, below its first node."""
    floor = np.asarray(as_array("bottom", bottom))
    try:
        floor = np.broadcast_to(floor, sites)
    except ValueError:
        raise InputError(
            f"bottom has shape {floor.shape}, but there are {sites} sites; give one depth for all or "
            "one a site."
        ) from None
    if (floor < nodes[0]).any():
        raise InputError(
            f"bottom is {floor.min():g} m, above the first node at {nodes[0]:g} m; the column needs at "
            "least one layer."
        )
    return floor


def _inside(depth: Array, value: Array, used: NDArray[np.bool_], floor: Array) -> None:
    """Refuse what lies below the column, and carbon that is not positive."""
    bad = used & (depth > floor[..., None])
    if bad.any():
        at = tuple(np.argwhere(bad)[0])
        raise InputError(
            f"{at_site(at[:-1])}observation {at[-1]} lies at {depth[at]:g} m, below the bottom of the "
            f"column at {floor[at[:-1]]:g} m. Set its mask to False, or use a deeper column."
        )
    bad = used & (value <= 0)
    if bad.any():
        at = tuple(np.argwhere(bad)[0])
        raise InputError(
            f"{at_site(at[:-1])}observation {at[-1]} is {value[at]:g} gC m-3; carbon must be positive. "
            "Mask it out if it is below the detection limit."
        )


def _interpolation(
    depth: Array,
    nodes: Array,
    used_nodes: NDArray[np.int_],
    used: NDArray[np.bool_],
) -> Array:
    """Weights (..., obs, layer) of ln X at each depth; rows of masked observations are zero."""
    if nodes.size == 1:
        return used[..., None].astype(float)
    inside = np.clip(depth, nodes[0], nodes[used_nodes - 1][..., None])
    return straight_lines(inside, nodes) * used[..., None]
