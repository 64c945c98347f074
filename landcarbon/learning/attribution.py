r"""Which process controls the spatial pattern of carbon storage.

.. math::

    v(S) = \mathrm{Var}_s\bigl(\ln C_s(S)\bigr), \qquad
    \phi_a = \sum_{S \not\ni a} \frac{|S|!\,(n - |S| - 1)!}{n!}\,\bigl(v(S \cup a) - v(S)\bigr),
    \qquad \sum_a \phi_a = v(\text{all}) - v(\emptyset)

=================  ========================================  ===============  ======  ============
symbol             meaning                                   shape            unit    code name
=================  ========================================  ===============  ======  ============
:math:`S`          components that keep their own values;    --               --      components
                   the others are the standard everywhere
:math:`C_s(S)`     carbon stock at site s, down to a depth   (site, draw)     kgC m-2 --
:math:`v(S)`       its variance over the land                (draw,)          1       --
:math:`\phi_a`     what component a owns of it               (draw,)          1       --
--                 φ_a / v(all)                              (draw,)          1       share
--                 v({a}) / v(all): the pattern with every   (draw,)          1       alone
                   other component standardised
--                 1 − v(all but a) / v(all): what vanishes  (draw,)          1       removed
                   when a itself is standardised
=================  ========================================  ===============  ======  ============

Three answers to one question, and they differ where components go together. `removed` falls below 0
where a component hides the pattern of another. `share` (the Shapley value) is the mean over all
orders in which the components can be standardised: shares are the ones that sum to 1.

The same sum over orders tells apart why two versions of one land differ (`compare`): there the
components are swapped between the versions, and the difference of mean ln C takes the place of v.

Sources: Tao et al. 2023, doi:10.1038/s41586-023-06042-3 (components, standardising one by one);
Owen & Prieur 2017, doi:10.1137/16M1097717 (Shapley values of a variance); Huang et al. 2018,
doi:10.1002/2017MS001237 (the matrix that lets components be swapped).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import tails
from landcarbon.matrix.errors import (
    InputError,
    as_array,
    as_broadcast,
    as_kind,
    as_number,
    as_share,
)
from landcarbon.models import clm5
from landcarbon.models.process import Model, expand, leading, observed_values

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Control", "compare", "control", "standard", "swap"]

Array = NDArray[np.float64]
Components = Mapping[str, Sequence[str]]

COLUMNS = 4096  # solved at once
SAME = 1e-20  # variance of ln stock that may be rounding


def swap(
    theta: ArrayLike,
    forcing: Any,
    components: str | Iterable[str],
    other_theta: ArrayLike,
    other_forcing: Any,
    *,
    model: Model = clm5,
) -> tuple[Array, Any]:
    """Take some components from another version of the land.

    Parameters
    ----------
    theta : array_like, (site, ..., p)
        Physical units.
    forcing : landcarbon.models.clm5.Forcing, leading axis (site,)
    components : str or iterable of str
        Keys of `model.COMPONENTS`.
    other_theta : array_like
        Broadcasts against `theta`.
    other_forcing : landcarbon.models.clm5.Forcing
        Fields that broadcast against those of `forcing`.
    model : module or object

    Returns
    -------
    theta : ndarray
    forcing : Forcing

    Raises
    ------
    InputError
        A component the model does not have.

    Examples
    --------
    >>> import numpy as np
    >>> from landcarbon.models import clm5
    >>> land = clm5.Forcing(np.full((20, 12), 283.0), 0.8 * np.ones((20, 12)), np.full(4, 90.0))
    >>> theta = clm5.DEFAULT
    >>> swapped, _ = swap(theta, land, "decomposition", 2 * theta, land)
    >>> [str(n) for n, a, b in zip(clm5.PARAMETERS.names, swapped, theta) if a != b]
    ['tau_cwd', 'tau_l1', 'tau_l2', 'tau_s1', 'tau_s2', 'tau_s3']
    """
    as_kind("components", components, "__iter__", hint="Give the names of components.")
    as_kind("model", model, "PARAMETERS", hint="Such as landcarbon.models.clm5.")
    chosen = (components,) if isinstance(components, str) else tuple(components)
    known: Components = model.COMPONENTS
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise InputError(f"There is no component {unknown[0]!r}; there are {', '.join(known)}.")
    names = list(model.PARAMETERS.names)
    theta = as_array("theta", theta, shape=(len(names),))
    other = as_array("other_theta", other_theta, shape=(len(names),))
    members = [member for name in chosen for member in known[name]]
    columns = [names.index(member) for member in members if member in names]
    out = as_broadcast(theta=theta, other_theta=other)[0].copy()
    out[..., columns] = other[..., columns]
    for member in members:
        if member not in names:
            as_kind("forcing", forcing, member)
            as_kind("other_forcing", other_forcing, member)
    fields = {m: getattr(other_forcing, m) for m in members if m not in names}
    return out, replace(forcing, **fields) if fields else forcing


def standard(theta: ArrayLike, forcing: Any, *, model: Model = clm5) -> tuple[Array, Any]:
    """The same land everywhere: every parameter and every field at its mean over the sites.

    Parameters
    ----------
    theta : array_like, (site, ..., p)
        Physical units.
    forcing : landcarbon.models.clm5.Forcing, leading axis (site,)

    Returns
    -------
    theta : ndarray, (1, ..., p)
    forcing : Forcing
        Components at their mean (the depth of thaw at its median: where nothing freezes it is only a
        large number); what belongs to no component, the bedrock, stays as it is at each site.
    """
    as_kind("model", model, "PARAMETERS", hint="Such as landcarbon.models.clm5.")
    theta = as_array("theta", theta, shape=(len(model.PARAMETERS.names),))
    if theta.ndim < 2 or leading(forcing) != theta.shape[:1]:
        raise InputError(
            f"theta has shape {theta.shape} and the forcing leading axes {leading(forcing)}: "
            "the first axis of both must be the same sites."
        )
    names = set(model.PARAMETERS.names)
    fields = {
        member: _middle(member, getattr(forcing, member), len(theta))
        for members in model.COMPONENTS.values()
        for member in members
        if member not in names
    }
    return theta.mean(axis=0, keepdims=True), replace(forcing, **fields) if fields else forcing


def _middle(name: str, values: Array, n: int) -> Array:
    if values.ndim == 0 or values.shape[0] != n:
        return values  # one for all sites already
    return np.median(values, axis=0) if name == "active_layer_depth" else values.mean(axis=0)


@dataclass(frozen=True, eq=False)
class Control:
    """What each component owns, by draw.

    Attributes
    ----------
    data : xarray.Dataset
        `share`, and for a pattern also `alone` and `removed` (component, draw); `total` (draw,).
    level : float
        Of the intervals in `table`.
    """

    data: xr.Dataset
    level: float = 0.9

    @property
    def table(self) -> pd.DataFrame:
        """Median over the draws; of `share` also the interval. Sorted, the largest first."""
        import pandas as pd

        low, high = tails(self.level)
        low, mid, high = np.quantile(self.data["share"].values, [low, 0.5, high], axis=1)
        columns = {"share": mid, "lower": low, "upper": high}
        for name in ("alone", "removed"):
            if name in self.data:
                columns[name] = np.median(self.data[name].values, axis=1)
        index = pd.Index(self.data["component"].values, name="component")
        table = pd.DataFrame(columns, index=index)
        return table.iloc[np.argsort(-np.abs(mid), kind="stable")]


def control(
    theta: ArrayLike,
    forcing: Any,
    *,
    model: Model = clm5,
    depth: float = 1.0,
    level: float = 0.9,
) -> Control:
    """Which component controls how ln carbon stock varies over the land.

    Parameters
    ----------
    theta : array_like, (site, p) or (site, draw, p)
        Physical units. A draw is one possible map: a member of a network ensemble, or one posterior
        draw a site.
    forcing : landcarbon.models.clm5.Forcing, leading axis (site,)
    model : module or object
        With COMPONENTS and LAYERS, see `landcarbon.models.process`.
    depth : float
        Stock down to this depth, m.
    level : float
        Coverage of the intervals over the draws.

    Returns
    -------
    Control
        Shares sum to 1 over the components, the row "rest" included, which is what still varies with
        every component standardised (the bedrock); it is there only where that is not 0.

    Raises
    ------
    InputError
        Fewer than two sites, sites that do not fit, a stock of 0, no variation over the land.

    Notes
    -----
    Solves 2^n columns a site and draw, 64 for the six components of CLM5.

    Examples
    --------
    >>> from landcarbon.datasets import twin_world
    >>> world = twin_world(n_sites=20, rng=1)
    >>> found = control(world.truth["parameters"].values, world.forcing)
    >>> float(found.data["share"].sum("component").round(6).item())
    1.0
    """
    as_kind("model", model, "PARAMETERS", hint="Such as landcarbon.models.clm5.")
    theta = _draws(theta, model)
    _level(level)
    if theta.shape[0] < 2:
        raise InputError("A pattern needs at least two sites, but theta has one.")
    middle, flat = standard(theta, forcing, model=model)
    names = tuple(model.COMPONENTS)

    def variance(own: frozenset[str]) -> Array:
        rest = [name for name in names if name not in own]
        return _ln_stock(*swap(theta, forcing, rest, middle, flat, model=model), model, depth).var(axis=0)

    v = _all_subsets(names, variance)
    everything = frozenset(names)
    total = v[everything]
    if not (total > SAME).all():
        raise InputError("Carbon is the same at every site: there is no pattern to explain.")
    share = {name: value / total for name, value in _shapley(names, v).items()}
    alone = {name: (v[frozenset([name])] - v[frozenset()]) / total for name in names}
    removed = {name: 1.0 - v[everything - {name}] / total for name in names}
    rest = v[frozenset()] / total
    if (rest > 1e-12).any():
        share["rest"] = alone["rest"] = removed["rest"] = rest
    return _labelled({"share": share, "alone": alone, "removed": removed}, total, level)


def compare(
    theta: ArrayLike,
    forcing: Any,
    other_theta: ArrayLike,
    other_forcing: Any | None = None,
    *,
    model: Model = clm5,
    depth: float = 1.0,
    level: float = 0.9,
) -> Control:
    """Why the other version of a land holds more carbon, or less: by swapping components.

    Parameters
    ----------
    theta, forcing
        One version, as in :func:`control`.
    other_theta, other_forcing
        The other; theta broadcasts, the forcing is the same if not given.
    model, depth, level
        As in :func:`control`.

    Returns
    -------
    Control
        `total` is the difference of mean ln stock, other minus one; `share` is each component's part
        of that difference, in the same unit: the parts sum to `total`.
    """
    own = _draws(theta, model)
    _level(level)
    other = as_array("other_theta", other_theta, shape=(len(model.PARAMETERS.names),))
    other = other[:, None] if other.ndim == 2 else other
    try:
        own = np.broadcast_to(own, np.broadcast_shapes(own.shape, other.shape))
    except ValueError:
        raise InputError(
            f"theta has shape {np.shape(theta)} and other_theta "
            f"{np.shape(other_theta)}: give both for the same sites and draws, or one set."
        ) from None
    weather = forcing if other_forcing is None else other_forcing
    names = tuple(model.COMPONENTS)

    def mean(swapped: frozenset[str]) -> Array:
        taken = swap(own, forcing, swapped, other, weather, model=model)
        return _ln_stock(*taken, model, depth).mean(axis=0)

    v = _all_subsets(names, mean)
    total = v[frozenset(names)] - v[frozenset()]
    return _labelled({"share": _shapley(names, v)}, total, level)


def _all_subsets(
    names: tuple[str, ...], value: Callable[[frozenset[str]], Array]
) -> dict[frozenset[str], Array]:
    subsets = (frozenset(s) for k in range(len(names) + 1) for s in combinations(names, k))
    return {s: value(s) for s in subsets}


def _shapley(names: tuple[str, ...], v: Mapping[frozenset[str], Array]) -> dict[str, Array]:
    """Mean gain by each name over all orders in which they can join."""
    n = len(names)
    weight = [factorial(k) * factorial(n - k - 1) / factorial(n) for k in range(n)]
    return {
        name: sum(
            (weight[len(s)] * (v[s | {name}] - v[s]) for s in v if name not in s),
            start=np.zeros_like(v[frozenset()]),
        )
        for name in names
    }


def _draws(theta: ArrayLike, model: Model) -> Array:
    as_kind("model", model, "PARAMETERS", hint="Such as landcarbon.models.clm5.")
    theta = as_array("theta", theta, shape=(len(model.PARAMETERS.names),))
    if theta.ndim not in (2, 3):
        raise InputError(
            f"theta has shape {theta.shape}; give (site, parameter) or (site, draw, parameter)."
        )
    if theta.size == 0:
        raise InputError(f"theta has shape {theta.shape}: give at least one site and one draw.")
    return theta if theta.ndim == 3 else theta[:, None, :]


def _level(level: float) -> None:
    as_share("level", level)


def _ln_stock(theta: Array, forcing: Any, model: Model, depth: float) -> Array:
    """ln carbon stock (site, draw)."""
    bottom = np.asarray(model.LAYERS.bottom, float)
    depth = as_number("depth", depth)
    if not 0 < depth <= bottom[-1]:
        raise InputError(
            f"depth must lie within the column, 0 to {bottom[-1]:.1f} m, but {depth!r} was given."
        )
    as_kind("forcing", forcing, np.ndarray, "expand", hint="Such as clm5.Forcing, sites first.")
    thickness = np.diff(np.minimum(np.append(0.0, bottom), depth))
    n, draws = theta.shape[:2]
    step = max(1, COLUMNS // draws)
    stock = np.empty((n, draws))
    for first in range(0, n, step):
        part = slice(first, first + step)
        stock[part] = observed_values(model, theta[part], expand(forcing[part])) @ thickness
    if not (stock > 0).all():
        site = int(np.argwhere(~(stock > 0))[0, 0])
        raise InputError(
            f"Site {site} holds no carbon down to {depth:g} m, which has no logarithm: leave it out."
        )
    return np.log(stock)


def _labelled(parts: Mapping[str, Mapping[str, Array]], total: Array, level: float) -> Control:
    import xarray as xr

    names = list(parts["share"])
    data = {
        name: (("component", "draw"), np.stack([part[c] for c in names]), {"units": "1"})
        for name, part in parts.items()
    }
    dataset = xr.Dataset(data, coords={"component": names})
    dataset["total"] = (("draw",), total, {"units": "1"})
    return Control(dataset, level)
