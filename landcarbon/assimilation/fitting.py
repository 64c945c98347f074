r"""Fits of jars in three lines: pools that decay, jars that differ, errors that last.

::

    f(t)      = r K e^(-A K t) X(0),            F_i = k_i X_i(0)                          (model)
    ln d_jt   = ln f(t) + b_j + e_jt,           b_j ~ Normal(0, tau^2),   s = sigma       (error relative)
    d_jt      = f(t) (1 + b_j) + e_jt,          s^2 = a^2 + (sigma f)^2                   (absolute, or both)
    cov(e_jt, e_js) = s_t s_s exp(-|t - s| / l)                                           (error)
    ln L      = sum_j ln Normal(r_j; 0, S C_l S + tau^2 v v^T),   v = 1, or f             (jars put away)
    E[b_j]    = tau^2 (v^T R^-1 r_j) / (1 + tau^2 v^T R^-1 v),    R = S C_l S             (pooled)

======== ========================================== ======================= ============== ==============
symbol   meaning                                    shape                   unit           code name
======== ========================================== ======================= ============== ==============
d        CO2 flux measured                          (soil, jar, time)       its own        flux
t        days since the start                       (soil, jar, time)       d              day
k_i      rate of pool i, fastest first              (..., pool)             d-1            k_1, k_2, ...
F_i      carbon that leaves pool i on day 0         (..., pool)             of the flux d  F_1, F_2, ...
A, r     transfers, and the share respired          (..., pool, pool)       1              f_1, ...
b_j      how far jar j lies off its soil, in ln     (..., soil, jar)        1              jar_effects()
sigma    error of a flux, as a share of it          (...)                   1              sigma
a        error of a flux, as it is                  (...)                   of the flux    floor
r        misfit: measured less modelled, v the      (soil, draw, jar, time) 1, of the flux
         factor by which a jar's effect enters it
tau      how far jars of one soil differ            (...)                   1              tau
l        days over which errors forget each other   (...)                   d              memory
======== ========================================== ======================= ============== ==============

Each soil has its own parameters; its jars share them, but for a factor e^b of their own. The b are
integrated out, which is exact for normal errors: no sampler has to walk down the funnel between a jar and
the spread of all jars (Gelman and Hill 2007, ch. 12, on partial pooling).

The three lines:

    jars = read_jars_csv("jars.csv")
    found = fit(pools(2), jars, rng=1)
    print(found.report())
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import Draws, Ensemble, tails
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.replicas import Replicas, inference_data
from landcarbon.assimilation.samplers import Sampler, sample
from landcarbon.assimilation.stated import (
    StatedPrior,
    half_normal,
    log_normal,
    log_uniform,
    uniform,
)
from landcarbon.assimilation.streams import Random, streams
from landcarbon.assimilation.table_fit import TableFit, table_model
from landcarbon.matrix.errors import InputError, as_array, as_choice, as_kind, as_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Fit", "JarData", "PoolFlux", "fit", "pools"]

Array = NDArray[np.float64]
KINDS = ("parallel", "series", "feedback")


@dataclass(frozen=True)
class PoolFlux:
    """CO2 flux of pools that get no input; made by `pools`."""

    n: int
    kind: str

    @property
    def names(self) -> tuple[str, ...]:
        """Rates, fluxes on day 0, and the fractions handed on."""
        rates, fluxes = ([f"{x}_{i + 1}" for i in range(self.n)] for x in "kF")
        handed = [f"f_{i + 1}{i + 2}" for i in range(self.n - 1)] if self.kind != "parallel" else []
        back = [f"f_{i + 2}{i + 1}" for i in range(self.n - 1)] if self.kind == "feedback" else []
        return (*rates, *fluxes, *handed, *back)

    def flux(self, theta: ArrayLike, day: ArrayLike) -> Array:
        """Flux (..., time) of parameters (..., p) on days (..., time) or (time,).

        Examples
        --------
        >>> pools(2).flux([0.1, 0.001, 5.0, 2.0], [0.0, 10.0, 100.0]).round(3)
        array([7.   , 3.819, 1.81 ])
        """
        theta, t = as_array("theta", theta, shape=(len(self.names),)), as_array("day", day, lower=0.0, shape=(None,))
        n = self.n
        k, F = theta[..., :n], theta[..., n : 2 * n]
        if self.kind == "parallel":
            return (F[..., None, :] * np.exp(-k[..., None, :] * t[..., None])).sum(-1)
        A = np.broadcast_to(np.eye(n), (*theta.shape[:-1], n, n)).copy()
        for i in range(n - 1):
            A[..., i + 1, i] = -theta[..., 2 * n + i]
            if self.kind == "feedback":
                A[..., i, i + 1] = -theta[..., 3 * n - 1 + i]
        # Of Y = K X, what leaves the pools: dY/dt = -K A Y, and r . Y is respired.
        values, V = np.linalg.eig(k[..., :, None] * A)
        start = np.linalg.solve(V, F.astype(V.dtype)[..., None])[..., 0]
        weight = (A.sum(-2)[..., None, :] @ V)[..., 0, :] * start
        return np.real((weight[..., None, :] * np.exp(-values[..., None, :] * t[..., None])).sum(-1))

    def priors(self, day: ArrayLike, flux: ArrayLike) -> dict[Any, Any]:
        """Wide priors from the length of the series and the size of its fluxes alone."""
        day = as_array("day", day, lower=0.0, shape=(None,))
        flux = as_array("flux", flux, lower=0.0, strict=True, shape=(None,))
        if not flux.size or not (day > 0).any():
            raise InputError("priors need a flux, and a day after the start; the series holds none.")
        longest, shortest = float(day.max()), float(day[day > 0].min())
        edges = np.geomspace(3.0 / shortest, 0.03 / longest, self.n + 1)  # one span of rates for each pool
        out: dict[Any, Any] = {
            f"k_{i + 1}": log_uniform(edges[i + 1], edges[i]) for i in range(self.n)
        }
        out |= {f"F_{i + 1}": log_normal(float(np.median(flux)), 5.0) for i in range(self.n)}
        share = 1.0 if self.kind == "series" else 0.5
        return out | {name: uniform(0.0, share) for name in self.names[2 * self.n :]}


def pools(n: int, kind: str = "parallel") -> PoolFlux:
    """A model of `n` pools: side by side, in series, or in series with feedback.

    Parameters
    ----------
    n : int
    kind : {"parallel", "series", "feedback"}
        Nothing is handed on; each pool hands a fraction to the next; and the next a fraction back.

    Raises
    ------
    InputError
        No pool, or a kind that is not known.

    Examples
    --------
    >>> pools(2, "series").names
    ('k_1', 'k_2', 'F_1', 'F_2', 'f_12')
    """
    if kind not in KINDS:
        raise InputError(f"kind is {kind!r}; choose {', '.join(map(repr, KINDS))}.")
    return PoolFlux(as_whole("n", n, lower=1), kind)


@dataclass(frozen=True, eq=False)
class JarData:
    """Fluxes by soil and jar, padded to one shape.

    Attributes
    ----------
    soils : tuple of str
    jars : tuple of tuple of str
        Of each soil.
    day, flux : ndarray, (soil, jar, time)
        Days rise; 0 and 1 where there are none.
    mask : ndarray of bool, (soil, jar, time)
    unit : str
    """

    soils: tuple[str, ...]
    jars: tuple[tuple[str, ...], ...]
    day: Array
    flux: Array
    mask: NDArray[np.bool_]
    unit: str = ""

    @classmethod
    def of(cls, table: pd.DataFrame, unit: str = "") -> JarData:
        """From a table with columns `soil`, `jar`, `day` and `flux`.

        Raises
        ------
        InputError
            A missing column, a day before the start, two fluxes of a jar on one day, a flux that is no number.
        """
        as_kind("table", table, "columns", hint="Give a table of jars, as datasets.read_jars_csv reads it.")
        lacking = [name for name in ("soil", "jar", "day", "flux") if name not in table]
        if lacking:
            raise InputError(
                f"the table of jars has no column {lacking[0]!r}; soil, jar, day and flux are expected, as "
                "datasets.read_jars_csv gives them."
            )
        if not len(table):
            raise InputError("the table of jars has no rows.")
        as_array("day", table["day"], lower=0.0)
        as_array("flux", table["flux"])
        table = table.sort_values(["soil", "jar", "day"], kind="stable")
        twice = table.duplicated(["soil", "jar", "day"])
        if twice.any():
            soil, jar, day = table.loc[twice, ["soil", "jar", "day"]].iloc[0]
            raise InputError(f"jar {jar!r} of soil {soil!r} has two fluxes on day {day:g}; keep their mean.")
        groups = {s: list(g.groupby("jar", sort=False)) for s, g in table.groupby("soil", sort=False)}
        shape = (len(groups), max(map(len, groups.values())), int(table.groupby(["soil", "jar"]).size().max()))
        day, flux, mask = np.zeros(shape), np.ones(shape), np.zeros(shape, dtype=bool)
        for i, jars in enumerate(groups.values()):
            for j, (_, rows) in enumerate(jars):
                n = len(rows)
                day[i, j, :n], flux[i, j, :n] = rows["day"], rows["flux"]
                mask[i, j, :n] = True
        names = tuple(tuple(str(name) for name, _ in jars) for jars in groups.values())
        return cls(tuple(map(str, groups)), names, day, flux, mask, unit)


def jar_density(
    r: Array, data: JarData, size: Array, tau: Array, memory: Array, lever: ArrayLike = 1.0
) -> tuple[Array, Array, Array]:
    """ln density of the misfits of each jar, and mean and variance of its effect (soil, draw, jar).

    Parameters
    ----------
    r : ndarray, (soil, draw, jar, time)
        Measured minus modelled, both ln where errors are relative.
    data : JarData
    size : ndarray, (soil, draw) or (soil, draw, jar, time)
        Standard deviation of r.
    tau, memory : ndarray, (soil, draw)
    lever : ndarray, like r, or 1
        How much a jar's effect moves r.
    """
    mask = data.mask[:, None]
    s = np.broadcast_to(size if size.ndim == r.ndim else size[..., None, None], r.shape)
    apart = np.maximum(np.diff(data.day, axis=-1, prepend=0.0), 0.0)[:, None]  # days of gaps are 0
    t2 = tau[..., None] ** 2
    both = mask & np.roll(mask, 1, axis=-1)
    both[..., 0] = False
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.where(both & (memory > 0)[..., None, None], np.exp(-apart / memory[..., None, None]), 0.0)
    scale = np.sqrt(1.0 - rho**2)

    def independent(x: Array) -> Array:
        before = np.concatenate([np.zeros_like(x[..., :1]), x[..., :-1]], axis=-1)
        return np.where(mask, (x - rho * before) / scale, 0.0)

    u, moved = independent(r / s), independent(np.broadcast_to(lever, r.shape) / s)
    own, along = (moved**2).sum(-1), (moved * u).sum(-1)
    wide = 1.0 + t2 * own
    quadratic = (u**2).sum(-1) - t2 * along**2 / wide
    log_det = 2.0 * (np.log(scale) + np.where(mask, np.log(s), 0.0)).sum(-1) + np.log(wide)
    n = mask.sum(-1)
    density = np.where(n > 0, -0.5 * (quadratic + log_det + n * np.log(2 * np.pi)), 0.0)
    return density, t2 * along / wide, t2 / wide


@dataclass(frozen=True, eq=False)
class JarModel:
    """The statistical model: pools, jars, errors; parameters of a soil are (..., p)."""

    pools: PoolFlux
    data: JarData
    prior: StatedPrior

    @property
    def relative(self) -> bool:
        """Are errors a share of the flux, and nothing else?"""
        return "floor" not in self.prior.names

    def _named(self, theta: Array) -> dict[str, Array]:
        none = np.zeros(theta.shape[:-1])
        return {"sigma": none, "floor": none, "tau": none, "memory": none} | self.prior.dict(theta)

    def flux(self, theta: Array, day: Array) -> Array:
        """The model's flux (soil, draw, ...) on days (soil, ...)."""
        named = self.prior.dict(theta)
        own = np.stack([named[name] for name in self.pools.names], axis=-1)
        flat = day.reshape(day.shape[0], 1, -1)
        flux = np.maximum(self.pools.flux(own, flat), np.finfo(float).tiny)
        return flux.reshape(*own.shape[:-1], *day.shape[1:])

    def _size(self, theta: Array, flux: Array) -> Array:
        """Standard deviation of the error (soil, draw, ...), of ln flux where it is relative."""
        named = self._named(theta)
        sigma, floor = (named[n].reshape(*named[n].shape, *(1,) * (flux.ndim - 2)) for n in ("sigma", "floor"))
        return sigma if self.relative else np.sqrt(floor**2 + (sigma * flux) ** 2)

    def by_jar(self, theta: Array) -> tuple[Array, Array, Array]:
        """`jar_density` at parameters (soil, draw, p)."""
        f, d, named = self.flux(theta, self.data.day), self.data.flux[:, None], self._named(theta)
        size = self._size(theta, f)
        if self.relative:
            return jar_density(np.log(d) - np.log(f), self.data, size + 0 * f, named["tau"], named["memory"])
        return jar_density(d - f, self.data, size, named["tau"], named["memory"], f)

    def posterior(self) -> Posterior:
        """All soils at once: the first axis."""
        sites, prior = (len(self.data.soils),), cast("Any", self.prior)
        return Posterior(prior, likelihood=lambda theta: self.by_jar(theta)[0].sum(-1), sites=sites)

    def replicate(self, theta: Array, rng: Random = 0) -> Replicas:
        """New jars on the days of those measured (draw, flux), and the ln density of each jar (draw, jar)."""
        data = self.data
        made = np.moveaxis(self.simulate(theta, data.day, rng), 1, 0)[:, data.mask]
        used = data.mask.any(-1)
        told = np.moveaxis(self.by_jar(theta)[0], 1, 0)[:, used]
        soil = np.broadcast_to(np.array(data.soils)[:, None, None], data.mask.shape)[data.mask]
        return Replicas(data.flux[data.mask], made, told, data.day[data.mask], soil)

    def simulate(self, theta: Array, day: Array, rng: Random = 0) -> Array:
        """Flux of new jars (soil, draw, jar, time) on days (soil, jar, time), with all errors."""
        source = streams(rng, (len(self.data.soils),))
        tau, memory = (self._named(theta)[n][..., None, None] for n in ("tau", "memory"))
        mean = self.flux(theta, day)
        b = tau * source.normal(mean.shape[1:-1])[..., None]
        xi, e = source.normal(mean.shape[1:]), np.zeros(mean.shape)
        apart = np.maximum(np.diff(day, axis=-1), 0.0)[:, None]  # days of gaps are 0
        e[..., 0] = xi[..., 0]
        for k in range(1, mean.shape[-1]):
            with np.errstate(divide="ignore", invalid="ignore"):
                rho = np.where(memory > 0, np.exp(-apart[..., k - 1 : k] / memory), 0.0)[..., 0]
            e[..., k] = rho * e[..., k - 1] + np.sqrt(np.maximum(1.0 - rho**2, 0.0)) * xi[..., k]
        e = self._size(theta, mean) * e
        return mean * np.exp(b + e) if self.relative else mean * (1.0 + b) + e


@dataclass(frozen=True, eq=False)
class Fit:
    """What the jars say: draws of each soil, and what follows from them."""

    model: JarModel
    draws: Any

    def _theta(self) -> Array:
        """Equally weighted parameters (soil, draw, p)."""
        found = self.draws if isinstance(self.draws, Ensemble) else self.draws.ensemble()
        return found.draws if found.log_weight is None else found.resample(found.draws.shape[-2], 0).draws

    def summary(self) -> pd.DataFrame:
        """Median and 90 % interval of each parameter of each soil."""
        import pandas as pd

        low, mid, high = self.draws.quantile([0.05, 0.5, 0.95])
        index = pd.MultiIndex.from_product([self.model.data.soils, self.model.prior.names], names=["soil", "parameter"])
        columns = {"5%": low.ravel(), "median": mid.ravel(), "95%": high.ravel()}
        return pd.DataFrame(columns, index=index)

    def jar_effects(self) -> pd.DataFrame:
        """Factor e^b, or 1 + b, of each jar on the flux of its soil, pooled: median and 90 % interval."""
        import pandas as pd

        _, mean, var = self.model.by_jar(self._theta())
        xi = streams(0).normal(mean.shape)
        b = np.quantile(mean + np.sqrt(var) * xi, [0.05, 0.5, 0.95], axis=1)
        low, mid, high = np.exp(b) if self.model.relative else 1.0 + b
        data = self.model.data
        rows = [(s, j, *(q[i, k] for q in (low, mid, high)))
                for i, s in enumerate(data.soils) for k, j in enumerate(data.jars[i])]  # fmt: skip
        return pd.DataFrame(rows, columns=["soil", "jar", "5%", "median", "95%"]).set_index(["soil", "jar"])

    def predict(self, day: ArrayLike, rng: Random = 0) -> Array:
        """Fluxes of a new jar of each soil on days (time,), with all errors: (soil, draw, time)."""
        t = as_array("day", day, shape=(None,), lower=0.0)
        if t.ndim != 1 or not t.size:
            raise InputError(f"day must be a row of days, but its shape is {t.shape}.")
        data, theta = self.model.data, self._theta()
        each = np.broadcast_to(t, (len(data.soils), 1, t.size))
        return self.model.simulate(theta, each, rng)[:, :, 0]

    def replicas(self, rng: Random = 0) -> Replicas:
        """The fluxes beside those that new jars would have on the same days; `.of("pine")` is one soil."""
        return self.model.replicate(self._theta(), rng)

    def to_arviz(self, rng: Random = 0) -> Any:
        """All soils for ArviZ: draws, priors, data, new data; log-likelihoods are of whole jars.

        `arviz.loo` of it asks how well each jar is foreseen by the others, and so compares models.
        """
        theta = self._theta()[:, None]
        chains = self.draws.draws if isinstance(self.draws, Draws) else theta
        return inference_data(self.model.prior.names, chains, self.model, rng, sites={"soil": self.model.data.soils})

    def coverage(self, table: pd.DataFrame, level: float = 0.9, rng: Random = 0) -> float:
        """Share of the fluxes of a table, jars not used, in the central interval of `predict`."""
        held, inside = JarData.of(table), []
        for i, soil in enumerate(held.soils):
            if soil not in self.model.data.soils:
                raise InputError(f"soil {soil!r} was not fitted; known are {', '.join(self.model.data.soils)}.")
            days = np.unique(held.day[i][held.mask[i]])
            made = self.predict(days, rng)[self.model.data.soils.index(soil)]
            low, high = np.quantile(made, tails(level), axis=0)
            at, y = np.searchsorted(days, held.day[i][held.mask[i]]), held.flux[i][held.mask[i]]
            inside.append((low[at] <= y) & (y <= high[at]))
        return float(np.concatenate(inside).mean())

    def report(self) -> str:
        """One page: what was fitted, what came out, and what is wrong with it."""
        data, theta = self.model.data, self._theta()
        made = self.model.simulate(theta, data.day, 0)
        low, high = np.quantile(made, [0.05, 0.95], axis=1)
        inside = ((low <= data.flux) & (data.flux <= high))[data.mask].mean()
        lines = [
            f"{self.model.pools.n} pools, {self.model.pools.kind}; {len(data.soils)} soil(s), "
            f"{sum(map(len, data.jars))} jars, {int(data.mask.sum())} fluxes [{data.unit or 'unit not told'}]",
            "",
            self.summary().to_string(float_format="{:.3g}".format),
            "",
            f"fluxes used that lie in the 90 % band of a new jar: {inside:.0%}",
        ]
        if isinstance(self.draws, Ensemble) and self.draws.log_evidence is not None:
            error = np.sqrt((np.asarray(self.draws.log_evidence_error) ** 2).sum())
            lines.append(f"ln evidence, all soils: {self.draws.log_evidence.sum():.1f} ± {error:.1f}")
        concerns = self.draws.concerns(self.model.prior)
        return "\n".join([*lines, *(f"Note: {told}" for told in concerns)])


@overload
def fit(model: PoolFlux, data: Any, priors: Mapping[Any, Any] | None = None, **rest: Any) -> Fit: ...
@overload
def fit(model: Callable[..., Any], data: Any, priors: Mapping[Any, Any] | None = None, **rest: Any) -> TableFit: ...


def fit(
    model: Any,
    data: Any,
    priors: Mapping[Any, Any] | None = None,
    *,
    errors: str | Mapping[str, str] | None = None,
    by: str | None = None,
    memory: bool = False,
    method: str | Sampler = "smc",
    rng: Random = 0,
    **options: Any,
) -> Fit | TableFit:
    """Fit pools to jars, all soils at once; or any model to a table of several streams, in one likelihood.

    Parameters
    ----------
    model : PoolFlux, PlotPools or callable
        For jars `pools(2)`; for plots `plot_pools("wood", "soil", since=2012)`; or a function of named
        parameters, each (...), and of the rows of the table, that returns what it says of them, (..., row).
    data : Jars, Plots or DataFrame
        Jars have columns `soil`, `jar`, `day`, `flux`: `datasets.read_jars_csv`. Other tables have `value`, and
        where there are several streams `variable`; `sd` where errors are known; and what the model reads:
        `datasets.read_plots_csv`.
    priors : mapping, optional
        Distributions by parameter, see `stated`, in place of the wide ones that the data suggest: of `pools`
        and `plot_pools`, and of `sigma`, `floor`, `tau` and `memory`. A function of your own has no others.
    errors : {"relative", "absolute", "both", "given"}, or a mapping by variable, optional
        A share of the model's value, `sigma`, is a parameter; or the error as it is, `floor`, in the unit of the
        data; or both; or the table's `sd`. With several variables each has its own, `sigma_wood`. Jars: "relative"
        by default, and then logarithms are compared. Tables: the `sd` they have, or "relative".
    by : str, optional
        Of a table, the column whose groups differ by a factor 1 + b, b of standard deviation `tau`; effects are
        pooled and put away. Jars of a soil do so by themselves, where it has two or more.
    memory : bool
        Of jars: errors that last; their correlation length [d] is a parameter.
    method, rng, **options
        As for `sample`.

    Returns
    -------
    Fit or TableFit

    Raises
    ------
    InputError
        Data that are no such table, a prior of no parameter of the model.

    Warns
    -----
    ConvergenceWarning
        As `sample`.

    Examples
    --------
    >>> import pandas as pd
    >>> day = np.array([1.0, 3, 7, 14, 28, 56, 112])
    >>> flux = pools(2).flux([0.2, 0.002, 20.0, 5.0], day) * np.exp([0.1, -0.1, 0.1, 0, -0.1, 0.1, 0])
    >>> table = pd.DataFrame({"soil": "a", "jar": "1", "day": day, "flux": flux})
    >>> found = fit(pools(2), table, {"sigma": half_normal(0.2)}, rng=1)
    >>> bool(found.summary().loc[("a", "F_2")].between(3.5, 6.5).all())
    True

    Litter that decays, weighed and its respiration measured, with an error of each:

    >>> rows = pd.DataFrame({"variable": ["mass"] * 3 + ["respiration"] * 2, "year": [0.0, 1, 3, 0.5, 2],
    ...                      "value": [102.0, 58, 23, 37.0, 19]})
    >>> def litter(p, rows):
    ...     mass = p["X0"][..., None] * np.exp(-p["k"][..., None] * rows["year"].to_numpy())
    ...     return mass * np.where(rows["variable"] == "mass", 1.0, p["k"][..., None])
    >>> both = fit(litter, rows, {"X0": log_normal(90, 2), "k": log_normal(0.3, 3)},
    ...            errors={"mass": "relative", "respiration": "absolute"}, rng=1, n_draws=500)
    >>> list(both.summary().index), bool(both.summary().loc["k"].between(0.3, 0.7).all())
    (['X0', 'k', 'sigma_mass', 'floor_respiration'], True)
    """
    as_kind("priors", priors, dict, type(None), hint="One a name: {'k_1': log_normal(0.1, 2.0)}.")
    if not isinstance(model, PoolFlux):
        as_kind("model", model, callable, hint="Make one: pools(2), plot_pools('wood', 'soil', since=2012).")
        as_kind("by", by, str, type(None), hint="Name of a column.")
        if memory:
            raise InputError("memory is of jars; for one series with errors that last take FreeErrors.")
        rows = table_model(model, data, priors or {}, errors, by)
        return TableFit(rows, sample(rows.posterior(), method, rng, **options))
    if by is not None:
        raise InputError("jars of a soil differ by themselves; by= is for tables of other models.")
    kind = as_choice("errors", errors or "relative", ["relative", "absolute", "both"])
    table = getattr(data, "table", data)
    held = JarData.of(table, getattr(data, "unit", ""))
    flux = held.flux[held.mask]
    if kind == "relative" and (flux <= 0).any():
        raise InputError(
            f"flux must be above 0, but one is {flux.min():g}: logarithms are compared. Leave such rows out, or say "
            "errors='both'."
        )
    if not (flux > 0).any():
        raise InputError(
            f"none of the {flux.size} fluxes is above 0: nothing was respired. Were blanks subtracted twice?"
        )
    stated = model.priors(held.day[held.mask], flux[flux > 0])
    if kind != "absolute":
        stated["sigma"] = half_normal(0.5)
    if kind != "relative":
        stated["floor"] = half_normal(float(np.median(np.abs(flux[flux != 0]))) / 2.0)
    if any(len(jars) > 1 for jars in held.jars):
        stated["tau"] = half_normal(0.5)
    if memory:
        stated["memory"] = log_normal(float(np.median(np.diff(np.unique(held.day[held.mask])))), 3.0)
    unknown = [name for name in priors or {} if name not in stated]
    if unknown:
        raise InputError(f"there is a prior for {unknown[0]!r}, but the parameters are {', '.join(map(str, stated))}.")
    whole = JarModel(model, held, StatedPrior(stated | dict(priors or {})))
    return Fit(whole, sample(whole.posterior(), method, rng, **options))
