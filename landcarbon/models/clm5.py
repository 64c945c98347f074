"""Carbon in the soil column of CLM5: seven pools in twenty layers.

    0 = b − A K X − V X,      K = ξ_T ξ_W ξ_O ξ_D / τ   (litter also × ξ_N)

========== ======================================================= ============ ============ ==============
symbol     meaning                                                 shape        unit         code name
========== ======================================================= ============ ============ ==============
X          carbon: cwd, litter 1–3, soil 1–3                       (..., 7, 20) gC m-3       X
b          litter input by depth                                   (..., 7, 20) gC m-3 yr-1  b
τ          turnover time at 25 °C, nothing limiting (365 d a year) (..., 7)     yr           tau_*
f_ij       of what leaves pool j, the part that enters pool i      (..., 7, 7)  1            f<from><to>
ξ_T        q10^((T − 25 °C)/10), the same above and below freezing (..., 20)    1            q10
ξ_W        min(1, w_scaling · W)                                   (..., 20)    1            w_scaling
ξ_O, ξ_N   oxygen and nitrogen scalars, as given                   (..., 20)    1            oxygen_scalar …
ξ_D        exp(−z / efolding)                                      (20,)        1            efolding
V          mixing: animals where the soil thaws deeper than 2 m    (..., 19)    yr-1         diffus
           (constant), frost where it thaws less (constant to the                            cryo
           active-layer depth, then linear to 0 at 3 m), none
           where it never thaws, none through the bedrock
b by depth β^(100 z_top) − β^(100 z_bottom), normalised            (..., 20)    m-1          beta
========== ======================================================= ============ ============ ==============

The product of the monthly scalars is averaged over the year before the steady state is solved, as PRODA
does. Coarse woody debris is not mixed. Below the bedrock there is no carbon.

Sources: Lawrence et al. (2019), doi 10.1029/2018MS001583; Koven et al. (2013), doi
10.5194/bg-10-7109-2013; matrix form: Lu et al. (2020), doi 10.1029/2020MS002105; parameters and
bounds: Tao et al. (2020), doi 10.3389/fdata.2020.00017, and its public code.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredGradient, LayeredModel
from landcarbon.matrix.errors import InputError, aligned, as_array, as_kind, as_number
from landcarbon.matrix.frozen import altered, keep
from landcarbon.matrix.layers import CLM5_LAYERS as LAYERS
from landcarbon.matrix.layers import SoilLayers, exchange_rates, face_diffusivity, input_profile
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.solve import split_columns
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = [
    "ACCELERATION",
    "COMPONENTS",
    "DEFAULT",
    "LAYERS",
    "PARAMETERS",
    "POOLS",
    "PRODA_START",
    "SOIL",
    "Forcing",
    "carbon_use_efficiency",
    "column",
    "column_and_vjp",
    "monthly_columns",
    "monthly_model",
    "observed",
    "observed_values",
    "soil_carbon",
    "steady_state",
    "steady_state_and_vjp",
]

Array = NDArray[np.float64]

POOLS = ("cwd", "litter1", "litter2", "litter3", "soil1", "soil2", "soil3")
SOIL = slice(4, 7)
"""The pools that a soil profile measures."""

ACCELERATION = (1.0, 1.0, 1.0, 1.0, 1.0, 15.0, 675.0)
"""How much faster each pool leaves in accelerated decomposition (CLM5 technical note, chapter 21):
`factors` of `landcarbon.matrix.spinup.accelerated`."""

CRYOTURBATION_ACTIVE_LAYER = 2.0  # m; thaw deeper than this and animals mix, not frost (Koven 2013)
CRYOTURBATION_DEPTH = 3.0  # m; frost mixing has faded to 0 here
REFERENCE_TEMPERATURE = 298.15  # K

_TAO = "bounds: Tao et al. 2020 (public code)"
_TECH = "CLM5 technical note"
_CENTURY = "CENTURY (Parton et al. 1987)"

PARAMETERS = ParameterTable(
    Parameter(name, unit, lower, upper, default, f"{_TAO}; {source}", description)
    for name, unit, lower, upper, default, source, description in (
        ("diffus", "m2 yr-1", 3e-5, 5e-4, 1e-4, f"default: {_TECH}", "mixing by animals"),
        ("cryo", "m2 yr-1", 3e-5, 1.6e-3, 5e-4, f"default: {_TECH}", "mixing by frost"),
        ("q10", "1", 1.2, 3.0, 1.5, f"default: {_TECH}", "temperature sensitivity"),
        ("efolding", "m", 0.05, 1.0, 0.5, "lower bound 0 raised: a division by it; default: CLM4.5; "
         "CLM5's 10 m lies outside the bounds", "depth at which decomposition has slowed to 1/e"),
        ("tau_cwd", "yr", 1.0, 6.0, 4.1, f"default: {_TECH}", "turnover time of coarse woody debris"),
        ("tau_l1", "yr", 0.01, 0.11, 0.066, f"lower bound 0 raised; default: {_TECH}",
         "turnover time of metabolic litter"),
        ("tau_l2", "yr", 0.1, 0.3, 0.25, f"default: {_TECH}",
         "turnover time of cellulose and lignin litter"),
        ("tau_s1", "yr", 0.01, 1.0, 0.17, f"lower bound 0 raised; default: {_TECH}",
         "turnover time of fast soil carbon"),
        ("tau_s2", "yr", 1.0, 50.0, 6.1, f"default: {_TECH}", "turnover time of slow soil carbon"),
        ("tau_s3", "yr", 200.0, 1000.0, 270.0, f"default: {_TECH}",
         "turnover time of passive soil carbon"),
        ("fl1s1", "1", 0.1, 0.8, 0.45, f"default: {_TECH}", "metabolic litter to fast soil"),
        ("fl2s1", "1", 0.2, 0.8, 0.5, f"default: {_TECH}", "cellulose litter to fast soil"),
        ("fl3s2", "1", 0.2, 0.8, 0.5, f"default: {_TECH}", "lignin litter to slow soil"),
        ("fs1s2", "1", 0.0, 0.4, 0.35, f"default: {_CENTURY}, 30 % silt and clay", "fast to slow soil"),
        ("fs1s3", "1", 0.0, 0.05, 0.004, f"default: {_CENTURY}", "fast to passive soil"),
        ("fs2s1", "1", 0.1, 0.74, 0.42, f"default: {_CENTURY}", "slow to fast soil"),
        ("fs2s3", "1", 0.0, 0.1, 0.03, f"default: {_CENTURY}", "slow to passive soil"),
        ("fs3s1", "1", 0.0, 0.9, 0.45, f"default: {_CENTURY}", "passive to fast soil"),
        ("fcwdl2", "1", 0.5, 1.0, 0.76, f"default: {_TECH}", "woody debris to cellulose litter; "
         "the rest to lignin litter"),
        ("w_scaling", "1", 0.1, 5.0, 1.0, "lower bound 0 raised: nothing decays at 0",
         "factor on the water scalar"),
        ("beta", "1", 0.5, 0.9999, 0.966, "default: Jackson et al. 1996, global mean of roots",
         "how deep the input goes"),
    )
)
"""The 21 parameters of PRODA's CLM5, in its order.

The published lower bound of `efolding`, `tau_l1`, `tau_s1` and `w_scaling` is 0, where the model
divides by 0 or stands still; here it is a small positive number. A default of the table must lie
within the bounds: that of `efolding` is not CLM5's, see `DEFAULT`.
"""

DEFAULT = PARAMETERS.array(efolding=10.0)
DEFAULT.flags.writeable = False
"""CLM5 as published (21,): decomposition slows to 1/e over 10 m, so hardly at all within the soil
(CLM5 technical note, section 2.21). PRODA's prior ends at 1 m; CLM5 itself lies outside it."""

PRODA_START = PARAMETERS.default
PRODA_START.flags.writeable = False
"""CLM5 with the 0.5 m of CLM4.5 for the e-folding depth (21,): within the prior, where a search or a
chain may start."""

COMPONENTS = {
    "input": ("litter_input",),
    "allocation by depth": ("beta",),
    "transfer": ("fl1s1", "fl2s1", "fl3s2", "fs1s2", "fs1s3", "fs2s1", "fs2s3", "fs3s1", "fcwdl2"),
    "decomposition": ("tau_cwd", "tau_l1", "tau_l2", "tau_s1", "tau_s2", "tau_s3"),
    "environment": ("q10", "w_scaling", "efolding", "soil_temperature", "water_scalar",
                    "oxygen_scalar", "nitrogen_scalar"),
    "transport": ("diffus", "cryo", "active_layer_depth"),
}  # fmt: skip
"""Processes, each with its parameters and fields of the forcing; together all but the bedrock.

The groups follow the components of Tao et al. (2023), doi 10.1038/s41586-023-06042-3. Transfer is the
carbon use efficiency of the decomposers, wood's share of litter 2 added.
"""

_INDEX = {name: k for k, name in enumerate(PARAMETERS.names)}

# (to, from) in pool numbers, and the parameter that is the fraction; what wood does not send to
# litter 2 goes to litter 3.
_TRANSFERS = {
    (4, 1): "fl1s1", (4, 2): "fl2s1", (5, 3): "fl3s2", (5, 4): "fs1s2", (6, 4): "fs1s3",
    (4, 5): "fs2s1", (6, 5): "fs2s3", (4, 6): "fs3s1", (2, 0): "fcwdl2",
}  # fmt: skip
_TAU = ("tau_cwd", "tau_l1", "tau_l2", "tau_l2", "tau_s1", "tau_s2", "tau_s3")
_LITTER = np.array([False, True, True, True, False, False, False])
_POSITIVE = ("q10", "efolding", "w_scaling", "beta", *dict.fromkeys(_TAU))

# Columns whose monthly scalars are worked on at once: 240 numbers each, few enough for the cache.
CHUNK = 256


@dataclass(frozen=True)
class Forcing:
    """What the land gives to the soil column: climate by layer and month, and litter.

    Parameters
    ----------
    soil_temperature : array_like (..., 20, 12)
        [K]
    water_scalar : array_like (..., 20, 12)
        Water limitation of decomposition, 0 to 1.
    litter_input : array_like (..., 4)
        Input as cwd, litter 1, litter 2, litter 3 [gC m-2 yr-1].
    oxygen_scalar, nitrogen_scalar : array_like (..., 20, 12) or float
        Further limitations, 0 to 1; 1 if not given.
    active_layer_depth : array_like (...)
        Depth of thaw [m]; unfrozen soils have a large number. Deep by default.
    bedrock_layer : array_like of int (...), optional
        Number of layers above the bedrock, 2 to 20; all if not given.
    layers : SoilLayers, optional
        Other layers than the 20 of CLM5; `landcarbon.models.clm45` has its own ten.

    Raises
    ------
    InputError
        Temperatures that look like °C, scalars outside 0 to 1, negative input, wrong shapes.
    """

    soil_temperature: Array
    water_scalar: Array
    litter_input: Array
    oxygen_scalar: Array = 1.0  # type: ignore[assignment]
    nitrogen_scalar: Array = 1.0  # type: ignore[assignment]
    active_layer_depth: Array = 50.0  # type: ignore[assignment]
    bedrock_layer: NDArray[np.intp] = None  # type: ignore[assignment]
    layers: SoilLayers = LAYERS

    def __post_init__(self) -> None:
        as_kind("layers", self.layers, SoilLayers)
        L = len(self.layers)
        layers_months = (L, 12)
        T = as_array("soil_temperature", _in_order(self.soil_temperature), shape=layers_months, unit="K")
        if np.any((T < 150) | (T > 373)):
            odd = T[(T < 150) | (T > 373)][0]
            raise InputError(
                f"soil_temperature holds {odd:g}; it is read in kelvin. If yours is in °C, add 273.15."
            )
        checked: dict[str, NDArray[Any]] = {"soil_temperature": T}
        for name in ("water_scalar", "oxygen_scalar", "nitrogen_scalar"):
            value = _in_order(getattr(self, name))
            array = as_array(name, value, lower=0.0, upper=1.0, unit="1", hint="1 means no limitation.")
            checked[name] = as_array(name, array, shape=layers_months) if array.ndim else array
        checked["litter_input"] = as_array(
            "litter_input", aligned("litter_input", self.litter_input, POOLS[:4]), shape=(4,), lower=0.0,
            unit="gC m-2 yr-1",
            hint="One number each for cwd and litter 1 to 3, gC m-2 yr-1.",
        )
        checked["active_layer_depth"] = as_array(
            "active_layer_depth", self.active_layer_depth, lower=0.0, unit="m", hint="In metres, downward."
        )
        bedrock = as_array(
            "bedrock_layer", L if self.bedrock_layer is None else self.bedrock_layer, lower=2, upper=L
        )
        if np.any(bedrock != np.round(bedrock)):
            raise InputError(
                f"bedrock_layer counts the layers above the bedrock: whole numbers, 2 to {L}."
            )
        checked["bedrock_layer"] = bedrock.astype(int)
        keep(self, **checked)
        try:
            _ = self.shape
        except ValueError:
            shapes = {k: v.shape for k, v in checked.items()}
            raise InputError(
                f"The leading axes (sites) of the forcing do not fit together: {shapes}."
            ) from None

    @property
    def shape(self) -> tuple[int, ...]:
        """Leading axes: the sites."""
        return np.broadcast_shapes(*(a.shape[: a.ndim - k] for a, k in self._arrays()))

    def __getitem__(self, index: Any) -> Forcing:
        """Some of the sites."""
        return self._map(lambda a, k: np.broadcast_to(a, (*self.shape, *a.shape[a.ndim - k :]))[index])

    def expand(self) -> Forcing:
        """A new axis after the sites, for parameters (..., member, 21)."""
        return self._map(lambda a, k: np.expand_dims(a, a.ndim - k) if a.ndim > k else a)

    def _map(self, change: Callable[[NDArray[Any], int], NDArray[Any]]) -> Forcing:
        arrays = {
            name: array if array.ndim == 0 or array.ndim < k else change(array, k)  # one for all sites stays
            for name, (array, k) in zip(_FORCING, self._arrays())
        }
        return altered(self, **arrays)

    def _arrays(self) -> Iterator[tuple[NDArray[Any], int]]:
        """Every array, and how many of its axes belong to one site."""
        own = {"soil_temperature": 2, "litter_input": 1}
        for name in _FORCING:
            array = getattr(self, name)
            yield array, 2 if name.endswith("_scalar") and array.ndim else own.get(name, 0)


def _in_order(value: Any) -> Any:
    """What names its axes, with those of layer and month last and in this order."""
    if {"layer", "month"} <= set(getattr(value, "dims", ())):
        return value.transpose(..., "layer", "month")
    return value


_FORCING = tuple(field.name for field in dataclasses.fields(Forcing) if field.name != "layers")


def column(theta: ArrayLike, forcing: Forcing, *, rate: float = 1.0) -> tuple[LayeredModel, Array]:
    """The matrix equation of each site: its LayeredModel, and its input.

    Parameters
    ----------
    theta : array_like (..., 21)
        In the order and units of `PARAMETERS`. They need not lie within the prior bounds, only make
        sense: times and scales above 0, fractions that create no carbon.
    forcing : Forcing
        Leading axes broadcast against those of `theta`.
    rate : float
        Factor on all turnover rates, here and in the functions below: that of CLM4.5 is not 1.

    Returns
    -------
    model : LayeredModel
    b : ndarray (..., 7, 20)
        [gC m-3 yr-1]

    Raises
    ------
    InputError
        A parameter without meaning, or leading axes that do not fit.
    """
    return _Parts(theta, forcing, rate).column()


def column_and_vjp(
    theta: ArrayLike, forcing: Forcing, *, rate: float = 1.0
) -> tuple[LayeredModel, Array, Callable[[LayeredGradient], Array]]:
    """The same, and the way back from the parts of the equation to the parameters.

    Returns
    -------
    model : LayeredModel
    b : ndarray (..., 7, 20)
        [gC m-3 yr-1]
    pullback : callable
        LayeredGradient → ∂J/∂parameters (..., 21).
    """
    parts = _Parts(theta, forcing, rate)
    model, b = parts.column()
    return model, b, lambda g: parts.pullback(model, g)


def monthly_model(
    theta: ArrayLike, forcing: Forcing, *, rate: float = 1.0
) -> tuple[MatrixModel, Array, Array]:
    """One column as a flat model with a scalar for each month, to be run forward in time.

    Parameters
    ----------
    theta : array_like (..., 21)
    forcing : Forcing
    rate : float
        See :func:`column`.

    Returns
    -------
    model : MatrixModel
        140 pools 'cwd[1]' … 'soil3[20]' [gC m-2]; K at 25 °C with nothing limiting but depth.
    I : ndarray (...)
        Total input [gC m-2 yr-1], the same in all months.
    xi : ndarray (12, ..., 140)
        ξ_T ξ_W ξ_O of each month, for litter also × ξ_N. Their mean over the year is what
        `steady_state` uses.

    Examples
    --------
    >>> import numpy as np
    >>> from landcarbon.matrix.loops import Cycle
    >>> from landcarbon.matrix.spinup import periodic
    >>> season = 285.15 + 10 * np.sin(2 * np.pi * np.arange(12) / 12)
    >>> site = Forcing(soil_temperature=np.broadcast_to(season, (20, 12)),
    ...                water_scalar=np.full((20, 12), 0.5), litter_input=[40, 120, 180, 60])
    >>> model, I, xi = monthly_model(DEFAULT, site)
    >>> state = periodic(Cycle.from_model(model, I, xi)).X
    >>> print(f"{state.sum() / 1000:.1f} kgC m-2 on the first of January")
    6.8 kgC m-2 on the first of January
    """
    parts = _Parts(theta, forcing, rate)
    model, b = parts.column()
    flat, total = model.replace(K=parts.potential_rates()).as_matrix_model(b)
    bare, litter = parts.monthly_scalars()
    xi = np.stack([litter if is_litter else bare for is_litter in _LITTER], axis=-3)
    return flat, total, np.moveaxis(xi.reshape(*parts.lead, -1, 12), -1, 0)


def monthly_columns(
    theta: ArrayLike, forcing: Forcing | Callable[[int], Forcing], *, rate: float = 1.0
) -> tuple[Callable[[float], LayeredModel], Callable[[float], Array], Callable[[float], Array]]:
    """Columns through time: model, input and scalar as functions of time, to be run month by month.

    Many sites and draws are run at once by implicit steps, which go through the cascade::

        model, I, xi = clm5.monthly_columns(theta, land)
        run = simulate(model, t, X0, I, xi, method="implicit", keep=years)

    Parameters
    ----------
    theta : array_like (..., 21)
    forcing : Forcing, or callable
        A year that repeats, or a function from the calendar year to its Forcing: warming, thaw and
        input that change. Mixing and the depth of the input follow the active layer of the year.
    rate : float
        See :func:`column`.

    Returns
    -------
    model : callable
        Time [yr] → LayeredModel of that year; K at 25 °C with nothing limiting but depth.
    I : callable
        Time → input (..., 7, 20) [gC m-3 yr-1], the same in all months of a year.
    xi : callable
        Time → ξ_T ξ_W ξ_O of that month (..., 7, 20), for litter also × ξ_N.

    Examples
    --------
    The year that repeats, and ten years that each are half a degree warmer than the last:

    >>> import numpy as np
    >>> from landcarbon.matrix.loops import Cycle
    >>> from landcarbon.matrix.simulate import simulate
    >>> from landcarbon.matrix.spinup import periodic
    >>> def land(year):
    ...     return Forcing(soil_temperature=np.full((20, 12), 285.15 + 0.5 * max(0, year - 2000)),
    ...                    water_scalar=np.full((20, 12), 0.5), litter_input=[40, 120, 180, 60])
    >>> start = periodic(Cycle.from_model(*monthly_columns(DEFAULT, land(2000)), method="implicit")).X
    >>> t = 2000 + np.arange(121) / 12
    >>> model, I, xi = monthly_columns(DEFAULT, land)
    >>> run = simulate(model, t, start, I, xi, method="implicit")
    >>> stock = (soil_carbon(run.X.values) * LAYERS.thickness).sum(axis=-1) / 1000
    >>> print(f"{stock[0]:.2f} to {stock[-1]:.2f} kgC m-2")
    6.26 to 6.19 kgC m-2
    """
    of_year = forcing if callable(forcing) else lambda year: forcing

    @lru_cache(maxsize=1)
    def year(number: int) -> tuple[LayeredModel, Array, Array, Array]:
        parts = _Parts(theta, of_year(number), rate)
        model, b = parts.column()
        bare, litter = (np.moveaxis(a, -1, 0) for a in parts.monthly_scalars())
        return model.replace(K=parts.potential_rates()), b, bare, litter

    def xi(t: float) -> Array:
        *_, bare, litter = year(math.floor(t))
        month = int(12 * (t - math.floor(t)))
        return np.stack([(litter if is_litter else bare)[month] for is_litter in _LITTER], axis=-2)

    return lambda t: year(math.floor(t))[0], lambda t: year(math.floor(t))[1], xi


def steady_state(theta: ArrayLike, forcing: Forcing, *, rate: float = 1.0) -> Array:
    """Carbon in every pool and layer when input and losses balance.

    Parameters
    ----------
    theta : array_like (..., 21)
        See `PARAMETERS`.
    forcing : Forcing
    rate : float
        See :func:`column`.

    Returns
    -------
    ndarray (..., 7, 20)
        [gC m-3]; 0 below the bedrock.

    Examples
    --------
    A temperate site: 12 °C, half the ideal moisture, 400 gC m-2 of litter a year.

    >>> import numpy as np
    >>> site = Forcing(soil_temperature=np.full((20, 12), 285.15),
    ...                water_scalar=np.full((20, 12), 0.5), litter_input=[40, 120, 180, 60])
    >>> for theta in DEFAULT, PRODA_START:
    ...     X = steady_state(theta, site)
    ...     print(f"{(soil_carbon(X) * LAYERS.thickness).sum() / 1000:.1f} kgC m-2")
    6.3 kgC m-2
    48.0 kgC m-2
    """
    parts = _Parts(theta, forcing, rate)
    pieces = []
    for _, part in parts.split():
        model, b = part.column()
        pieces.append(model.steady_state(b))
    return parts.join(pieces, len(POOLS), len(forcing.layers))


def steady_state_and_vjp(
    theta: ArrayLike, forcing: Forcing, *, rate: float = 1.0
) -> tuple[Array, Callable[[ArrayLike], Array]]:
    """The steady state, and the hand-written adjoint: ∂J/∂X (..., 7, 20) → ∂J/∂theta (..., 21).

    Returns
    -------
    X : ndarray (..., 7, 20)
        [gC m-3]
    pullback : callable
        One gradient per column, not summed over leading axes; per unit of each parameter.
    """
    parts = _Parts(theta, forcing, rate)
    pieces, pulls = [], []
    for columns, part in parts.split():
        model, b = part.column()
        X, pull = model.steady_state_and_vjp(b)
        pieces.append(X)
        pulls.append((columns, part, model, pull))
    X = parts.join(pieces, len(POOLS), len(forcing.layers))

    def pullback(dX: ArrayLike) -> Array:
        dX = as_array("dX", dX, shape=X.shape[-2:])
        g = np.broadcast_to(dX, X.shape).reshape(-1, *X.shape[-2:])
        back = [part.pullback(model, pull(g[columns])) for columns, part, model, pull in pulls]
        return parts.join(back, len(PARAMETERS))

    return X, pullback


def soil_carbon(X: ArrayLike) -> Array:
    """What a soil profile measures: the three soil pools together, (..., 20) [gC m-3]."""
    X = as_array("X", X, shape=(len(POOLS), None))
    return X[..., SOIL, :].sum(axis=-2)


def observed_values(theta: ArrayLike, forcing: Forcing, *, rate: float = 1.0) -> Array:
    """`soil_carbon` of the steady state (..., 20) [gC m-3]."""
    return soil_carbon(steady_state(theta, forcing, rate=rate))


def observed(
    theta: ArrayLike, forcing: Forcing, *, rate: float = 1.0
) -> tuple[Array, Callable[[ArrayLike], Array]]:
    """`observed_values` and their adjoint: what a process model owes (`landcarbon.models.process`).

    Returns
    -------
    carbon : ndarray (..., 20)
        [gC m-3]
    pullback : callable
        ∂J/∂carbon (..., 20) → ∂J/∂theta (..., 21).
    """
    X, pull = steady_state_and_vjp(theta, forcing, rate=rate)

    def pullback(d_carbon: ArrayLike) -> Array:
        dX = np.zeros_like(X)
        dX[..., SOIL, :] = np.asarray(d_carbon)[..., None, :]
        return pull(dX)

    return soil_carbon(X), pullback


def carbon_use_efficiency(
    theta: ArrayLike, forcing: Forcing, *, by_layer: bool = False
) -> tuple[Array, Callable[[ArrayLike], Array]]:
    r"""Share of the carbon that decomposers take up and do not respire, over a column at steady state.

    Mixing moves carbon and makes none, so what the pools of a whole column lose in a year is told by
    transfer and input alone: A D = u, with no turnover time, climate or depth. Woody debris falls apart
    without respiration and is left out of the sum; what is respired in all is the input. Within one layer the
    pools also get what mixing brings: there the mixture of pools counts, and with it rates, climate and depth.
    The mean of the layers, weighted by what decomposes in them, is that of the column.

    .. math::

        \mathrm{CUE} = 1 - \frac{\sum_j u_j}{\sum_{j > \mathrm{cwd}} D_j}, \qquad
        \frac{\partial \sum D}{\partial \theta} = -\lambda^T \frac{\partial A}{\partial \theta} D, \quad
        A^T \lambda = 1_{j > \mathrm{cwd}}

        \mathrm{CUE}_l = 1 - \frac{\sum_j r_j K_{jl} X_{jl}}{\sum_{j > \mathrm{cwd}} K_{jl} X_{jl}}, \qquad
        r_j = \sum_i A_{ij}

    Parameters
    ----------
    theta : array_like (..., 21)
        In the order of `PARAMETERS`.
    forcing : Forcing
        Its litter input counts; by layer all of it does.
    by_layer : bool
        Of each layer instead of the column.

    Returns
    -------
    efficiency : ndarray (...), by layer (..., 20)
        0 in a layer where nothing decomposes.
    pullback : callable
        ∂J/∂efficiency → ∂J/∂theta (..., 21).

    References
    ----------
    The transfer coefficients as growth over uptake: Allison, Wallenstein & Bradford 2010,
    doi:10.1038/ngeo846. Tao et al. 2023, doi:10.1038/s41586-023-06042-3, take growth over uptake of microbes
    in a column that has them; here decomposers are not a pool, and all transfers stand in that place.

    Examples
    --------
    Input of metabolic litter alone, of which 45 % becomes active carbon that is respired whole:

    >>> theta = PARAMETERS.default.copy()
    >>> for name in ("fs1s2", "fs1s3"):
    ...     theta[_INDEX[name]] = 0.0
    >>> theta[_INDEX["fl1s1"]] = 0.45
    >>> land = Forcing(np.full((20, 12), 283.0), np.full((20, 12), 0.5), np.array([0.0, 100.0, 0.0, 0.0]))
    >>> value, _ = carbon_use_efficiency(theta, land)
    >>> float(value.round(4)), round(1 - 1 / 1.45, 4)
    (0.3103, 0.3103)
    """
    p = _Parts(theta, forcing)
    if by_layer:
        return _efficiency_by_layer(p)
    A = np.broadcast_to(p.transfer_matrix(), (*p.lead, 7, 7))
    u = np.zeros((*p.lead, 7))
    u[..., :4] = forcing.litter_input
    D = np.linalg.solve(A, u[..., None])[..., 0]
    lost, taken = u.sum(axis=-1), D[..., 1:].sum(axis=-1)

    def pullback(d: ArrayLike) -> Array:
        ones = np.append(0.0, np.ones(6))
        lam = np.linalg.solve(np.swapaxes(A, -1, -2), np.broadcast_to(ones[:, None], (*p.lead, 7, 1)))[..., 0]
        slope = np.asarray(d) * lost / taken**2
        out = np.zeros((*p.lead, len(PARAMETERS)))
        for (i, j), name in _TRANSFERS.items():
            out[..., _INDEX[name]] += slope * lam[..., i] * D[..., j]
        out[..., _INDEX["fcwdl2"]] -= slope * lam[..., 3] * D[..., 0]
        return out

    return 1.0 - lost / taken, pullback


def _efficiency_by_layer(p: _Parts) -> tuple[Array, Callable[[ArrayLike], Array]]:
    """Of each layer (..., L), and its adjoint: through the stocks, the rates and the transfers."""
    decomposes = (np.array(POOLS) != "cwd").astype(float)[:, None]
    pieces, pulls = [], []
    for columns, part in p.split():
        model, b = part.column()
        X, pull = model.steady_state_and_vjp(b)
        D, r = model.K * X, model.respired_fraction
        lost, taken = (r * D).sum(axis=-2), (decomposes * D).sum(axis=-2)
        here = taken > 0
        taken = np.where(here, taken, 1.0)
        pieces.append(np.where(here, 1.0 - lost / taken, 0.0))
        pulls.append((columns, part, model, pull, X, D, r, lost, taken))

    def pullback(d: ArrayLike) -> Array:
        given = np.broadcast_to(as_array("d", d), (*p.lead, len(p.layers))).reshape(-1, len(p.layers))
        back = []
        for columns, part, model, pull, X, D, r, lost, taken in pulls:
            slope = (given[columns] / taken)[..., None, :]
            by_D = slope * (decomposes * (lost / taken)[..., None, :] - r)
            g = pull(by_D * model.K)
            by_A = g.A - (slope * D).sum(axis=-1)[..., None, :]  # r is the sum of a column of A
            back.append(part.pullback(model, dataclasses.replace(g, A=by_A, K=g.K + by_D * X)))
        return p.join(back, len(PARAMETERS))

    return p.join(pieces, len(p.layers)), pullback


class _Parts:
    """The parts of the equation as functions of parameters and forcing, and their derivatives."""

    def __init__(self, theta: ArrayLike, forcing: Forcing, rate: float = 1.0) -> None:
        theta = as_array(
            "theta", theta, shape=(len(PARAMETERS),), lower=0.0,
            hint=f"In the order of clm5.PARAMETERS: {', '.join(PARAMETERS.names)}.",
        )
        for name in _POSITIVE:
            if np.any(theta[..., _INDEX[name]] == 0):
                raise InputError(
                    f"Parameter {name!r} is 0, and the model divides by it or stands still. Its prior "
                    f"starts at {PARAMETERS[name].lower:g} {PARAMETERS[name].unit}."
                )
        if not isinstance(forcing, Forcing):
            raise InputError(
                f"forcing is a {type(forcing).__name__}; make one with clm5.Forcing(...)."
            )
        try:
            self.lead = np.broadcast_shapes(theta.shape[:-1], forcing.shape)
        except ValueError:
            raise InputError(
                f"theta has leading axes {theta.shape[:-1]}, the forcing {forcing.shape}; they must "
                "fit together. For many parameter sets at each site, give theta (site, member, 21) "
                "and forcing.expand()."
            ) from None
        self.theta, self.forcing = theta, forcing
        self.rate = as_number("rate", rate, lower=0.0, strict=True)

    def __getattr__(self, name: str) -> Array:
        return self.theta[..., _INDEX[name]]

    @property
    def layers(self) -> SoilLayers:
        return self.forcing.layers

    @property
    def n(self) -> int:
        """Number of columns."""
        return math.prod(self.lead)

    def split(self) -> Iterator[tuple[slice, _Parts]]:
        """The columns in a row, some at a time: what is needed between stays small."""
        for columns in split_columns(self.n):
            if self.lead == (columns.stop - columns.start,):
                yield columns, self
                return
            site = self._site(columns)
            part = object.__new__(_Parts)  # already checked
            part.theta = _take(self.theta, 1, site)
            part.forcing = self.forcing._map(partial(_take, site=site))
            part.lead, part.rate = (columns.stop - columns.start,), self.rate
            yield columns, part

    def join(self, pieces: list[Array], *tail: int) -> Array:
        """What was split, in one array (..., *tail)."""
        whole = pieces[0] if len(pieces) == 1 else np.concatenate([np.empty((0, *tail)), *pieces])
        return whole.reshape(*self.lead, *tail)

    def column(self) -> tuple[LayeredModel, Array]:
        model = LayeredModel(
            POOLS, self.layers, self.transfer_matrix(), self.turnover_rates(), *self.exchange(),
            mixed=tuple(pool != "cwd" for pool in POOLS),
        )
        return model, self.input_by_depth()

    def _site(self, columns: slice) -> tuple[NDArray[np.intp], ...]:
        """Indices of some columns along the leading axes."""
        rows = np.arange(columns.start, columns.stop)
        return tuple(np.unravel_index(rows, self.lead)) if self.lead else ()

    def transfer_matrix(self) -> Array:
        A = np.zeros((*self.theta.shape[:-1], 7, 7))
        A[..., range(7), range(7)] = 1.0
        for (i, j), name in _TRANSFERS.items():
            A[..., i, j] = -getattr(self, name)
        A[..., 3, 0] = self.fcwdl2 - 1.0
        return A

    def turnover_rates(self) -> Array:
        slow = self.depth_scalar()
        return self._rates(*(scalar * slow for scalar in self.scalars()))

    def potential_rates(self) -> Array:
        """Turnover rates where only depth limits decomposition (..., 7, L)."""
        slow = np.broadcast_to(self.depth_scalar(), (*self.lead, len(self.layers)))
        return self._rates(slow, slow)

    def _rates(self, bare: Array, litter: Array) -> Array:
        K = np.empty((*self.lead, len(POOLS), len(self.layers)))
        for j, name in enumerate(_TAU):
            scalar = litter if _LITTER[j] else bare
            np.divide(scalar, getattr(self, name)[..., None], out=K[..., j, :])
        return K if self.rate == 1.0 else self.rate * K

    def depth_scalar(self) -> Array:
        return np.exp(-self.layers.node / self.efolding[..., None])

    def scalars(self) -> tuple[Array, Array]:
        """Yearly mean of ξ_T ξ_W ξ_O, and of the same with ξ_N, both (..., 20)."""
        bare = np.empty((self.n, len(self.layers)))
        litter = np.empty_like(bare)
        month = np.full(12, 1 / 12)
        for part, xi, *_, N in self._months():
            bare[part] = xi @ month
            litter[part] = np.einsum("slm,slm->sl", xi, N) / 12 if N.ndim else bare[part] * N
        return bare.reshape(*self.lead, -1), litter.reshape(*self.lead, -1)

    def monthly_scalars(self) -> tuple[Array, Array]:
        """ξ_T ξ_W ξ_O of each month, and the same × ξ_N, both (..., L, 12)."""
        bare = np.empty((self.n, len(self.layers), 12))
        litter = np.empty_like(bare)
        for part, xi, *_, N in self._months():
            bare[part], litter[part] = xi, xi * N
        return bare.reshape(*self.lead, -1, 12), litter.reshape(*self.lead, -1, 12)

    def exchange(self) -> tuple[Array, Array]:
        return exchange_rates(face_diffusivity(self.diffusivity(), self.layers) * self._open(), self.layers)

    def diffusivity(self) -> Array:
        """At each layer (..., 20), from animals or from frost [m2 yr-1]."""
        animals = self._thaw[..., None] > CRYOTURBATION_ACTIVE_LAYER
        return np.where(
            animals, self.diffus[..., None], self.cryo[..., None] * self._frost_profile()
        )

    def _frost_profile(self) -> Array:
        """1 down to the depth of thaw, then linearly to 0; 0 where it never thaws (..., 20)."""
        thaw, z = self._thaw[..., None], self.layers.bottom
        under = np.append(z, np.inf)[self.forcing.bedrock_layer][..., None]
        span = np.minimum(CRYOTURBATION_DEPTH, under) - thaw
        faded = np.divide(z - thaw, span, out=np.ones(np.broadcast(z, span).shape), where=span > 0)
        return np.where(z < thaw, 1.0, np.maximum(1.0 - faded, 0.0)) * (thaw > 0)

    def _open(self) -> Array:
        """1 where a face between layers lies above the bedrock (..., 19)."""
        return (np.arange(1, len(self.layers)) < self.forcing.bedrock_layer[..., None]).astype(float)

    @property
    def _thaw(self) -> Array:
        return self.forcing.active_layer_depth

    def input_profile(self) -> Array:
        """Share of the input per metre (..., 20); all in the first layer where it never thaws."""
        profile = input_profile(self.beta, self.layers, self.forcing.bedrock_layer)
        first = np.eye(len(self.layers))[0] / self.layers.thickness[0]
        return np.where(self._thaw[..., None] > 0, profile, first)

    def input_by_depth(self) -> Array:
        b = np.zeros((*self.lead, len(POOLS), len(self.layers)))
        b[..., :4, :] = self.forcing.litter_input[..., None] * self.input_profile()[..., None, :]
        return b

    def pullback(self, model: LayeredModel, g: LayeredGradient) -> Array:
        out = np.zeros((*self.lead, len(PARAMETERS)))

        def add(name: str, value: Array) -> None:
            out[..., _INDEX[name]] += value

        for (i, j), name in _TRANSFERS.items():
            add(name, -g.A[..., i, j])
        add("fcwdl2", g.A[..., 3, 0])

        share = g.K * model.K  # derivative with respect to ln K
        for j, name in enumerate(_TAU):
            add(name, -share[..., j, :].sum(axis=-1) / getattr(self, name))
        add("efolding", (share.sum(axis=-2) @ self.layers.node) / self.efolding**2)
        tau = np.stack([getattr(self, name) for name in _TAU], axis=-1)[..., None]
        per_scalar = self.rate * g.K / tau * self.depth_scalar()[..., None, :]
        q10, w = self._pull_scalars(
            per_scalar[..., ~_LITTER, :].sum(axis=-2), per_scalar[..., _LITTER, :].sum(axis=-2)
        )
        add("q10", q10)
        add("w_scaling", w)

        mixing = (g.down * model.down + g.up * model.up).sum(axis=-1)  # V is linear in its diffusivity
        animals = self._thaw > CRYOTURBATION_ACTIVE_LAYER
        for name, here in (("diffus", animals), ("cryo", ~animals)):
            value = getattr(self, name)
            add(name, np.where(here, mixing, 0.0) / np.where(value > 0, value, 1.0))

        per_profile = (g.I[..., :4, :] * self.forcing.litter_input[..., None]).sum(axis=-2)
        add("beta", (per_profile * self._input_profile_slope()).sum(axis=-1))
        return out

    def _pull_scalars(self, bare: Array, litter: Array) -> tuple[Array, Array]:
        """∂J/∂q10 and ∂J/∂w_scaling from ∂J/∂ of the two yearly means."""
        by_q10, by_w = np.empty(self.n), np.empty(self.n)
        bare, litter = (a.reshape(-1, len(self.layers), 1) / 12 for a in (bare, litter))
        for part, xi, T, wet, N in self._months():
            xi *= bare[part] + litter[part] * N  # what each month adds to J
            by_q10[part] = np.einsum("slm,slm->s", xi, T - REFERENCE_TEMPERATURE)
            xi *= wet < 1
            by_w[part] = xi.sum(axis=(-2, -1))
        return by_q10.reshape(self.lead) / (10.0 * self.q10), by_w.reshape(self.lead) / self.w_scaling

    def _input_profile_slope(self) -> Array:
        """∂/∂β of `input_profile` (..., 20)."""
        profile = input_profile(self.beta, self.layers, self.forcing.bedrock_layer)
        beta = self.beta[..., None]

        def slope(z: Array) -> Array:
            return 100 * z * beta ** (100 * z - 1)

        above = np.arange(len(self.layers)) < self.forcing.bedrock_layer[..., None]
        share = np.where(above, beta ** (100 * self.layers.top) - beta ** (100 * self.layers.bottom), 0.0)
        rise = np.where(above, slope(self.layers.top) - slope(self.layers.bottom), 0.0)
        total = share.sum(axis=-1, keepdims=True)
        change = rise / self.layers.thickness - profile * rise.sum(axis=-1, keepdims=True)
        return np.where(self._thaw[..., None] > 0, change / total, 0.0)

    def _months(self) -> Iterator[tuple[slice, Array, Array, Array, Array]]:
        """Some columns at a time: ξ_T ξ_W ξ_O, T and ξ_W (columns, L, 12), and ξ_N."""
        f = self.forcing
        for part in split_columns(self.n, CHUNK):
            site = self._site(part)
            q10, w = (_take(a, 0, site)[..., None, None] for a in (self.q10, self.w_scaling))
            T, W, O, N = (
                _take(a, 2, site) if a.ndim else a
                for a in (f.soil_temperature, f.water_scalar, f.oxygen_scalar, f.nitrogen_scalar)
            )
            slope = np.broadcast_to(np.log(q10) / 10.0, (part.stop - part.start, 1, 1))
            xi = (T - REFERENCE_TEMPERATURE) * slope
            np.exp(xi, out=xi)
            wet = W * w
            xi *= np.minimum(wet, 1.0, out=wet)
            xi *= O
            yield part, xi, T, wet, N


def _take(array: NDArray[Any], own: int, site: tuple[NDArray[np.intp], ...]) -> NDArray[Any]:
    """Rows (columns, ...) or (1, ...) of an array whose leading axes broadcast to those of `site`."""
    axes = array.ndim - own
    if axes == 0:
        return array[None]
    last = site[len(site) - axes :]
    if axes == 1 and len(array) > 1:
        first = int(last[0][0])
        if len(site) == 1:  # a row of columns: a view
            return array[first : first + len(last[0])]
    return array[tuple(s if n > 1 else 0 * s[:1] for s, n in zip(last, array.shape))]
