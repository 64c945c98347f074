r"""Fits of jars in three lines: pools that decay, jars that differ, errors that last.

::

    f(t)      = r K e^(-A K t) X(0),            F_i = k_i X_i(0)                          (model)
    ln d_jt   = ln f(t) + b_j + e_jt,           b_j ~ Normal(0, tau^2)                    (jar)
    cov(e_jt, e_js) = sigma^2 exp(-|t - s| / l)                                           (error)
    ln L      = sum_j ln Normal(ln d_j; ln f, sigma^2 C_l + tau^2 1 1^T)                  (jars put away)
    E[b_j]    = tau^2 (1^T C^-1 r_j) / (sigma^2 + tau^2 1^T C^-1 1)                       (pooled)

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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

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
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_whole

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
    """Fluxes by soil and jar, padded to one shape; ln flux is what is compared.

    Attributes
    ----------
    soils : tuple of str
    jars : tuple of tuple of str
        Of each soil.
    day, log_flux : ndarray, (soil, jar, time)
        Days rise; 0 where there are none.
    mask : ndarray of bool, (soil, jar, time)
    unit : str
    """

    soils: tuple[str, ...]
    jars: tuple[tuple[str, ...], ...]
    day: Array
    log_flux: Array
    mask: NDArray[np.bool_]
    unit: str = ""

    @classmethod
    def of(cls, table: pd.DataFrame, unit: str = "") -> JarData:
        """From a table with columns `soil`, `jar`, `day` and `flux`.

        Raises
        ------
        InputError
            A missing column, a day before the start, two fluxes of a jar on one day, a flux not above 0.
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
        as_array("flux", table["flux"], lower=0.0, strict=True, hint="Logarithms are compared; leave such rows out.")
        table = table.sort_values(["soil", "jar", "day"], kind="stable")
        twice = table.duplicated(["soil", "jar", "day"])
        if twice.any():
            soil, jar, day = table.loc[twice, ["soil", "jar", "day"]].iloc[0]
            raise InputError(f"jar {jar!r} of soil {soil!r} has two fluxes on day {day:g}; keep their mean.")
        groups = {s: list(g.groupby("jar", sort=False)) for s, g in table.groupby("soil", sort=False)}
        shape = (len(groups), max(map(len, groups.values())), int(table.groupby(["soil", "jar"]).size().max()))
        day, log_flux, mask = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
        for i, jars in enumerate(groups.values()):
            for j, (_, rows) in enumerate(jars):
                n = len(rows)
                day[i, j, :n], log_flux[i, j, :n] = rows["day"], np.log(rows["flux"])
                mask[i, j, :n] = True
        names = tuple(tuple(str(name) for name, _ in jars) for jars in groups.values())
        return cls(tuple(map(str, groups)), names, day, log_flux, mask, unit)


def jar_density(r: Array, data: JarData, sigma: Array, tau: Array, memory: Array) -> tuple[Array, Array, Array]:
    """ln density of the misfits of each jar, and mean and variance of its effect (soil, draw, jar).

    Parameters
    ----------
    r : ndarray, (soil, draw, jar, time)
        ln measured minus ln modelled.
    data : JarData
    sigma, tau, memory : ndarray, (soil, draw)
    """
    mask = data.mask[:, None]
    apart = np.maximum(np.diff(data.day, axis=-1, prepend=0.0), 0.0)[:, None]  # days of gaps are 0
    s2, t2 = (x[..., None] ** 2 for x in (sigma, tau))
    both = mask & np.roll(mask, 1, axis=-1)
    both[..., 0] = False
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.where(both & (memory > 0)[..., None, None], np.exp(-apart / memory[..., None, None]), 0.0)
    scale = np.sqrt(1.0 - rho**2)

    def independent(x: Array) -> Array:
        before = np.concatenate([np.zeros_like(x[..., :1]), x[..., :-1]], axis=-1)
        return np.where(mask, (x - rho * before) / scale, 0.0)

    u, one = independent(r), independent(np.ones_like(r))
    n, own, along = mask.sum(-1), (one**2).sum(-1), (one * u).sum(-1)
    wide = s2 + t2 * own
    quadratic = ((u**2).sum(-1) - t2 * along**2 / wide) / s2
    used = n > 0
    log_det = 2.0 * np.log(scale).sum(-1) + (n - 1) * np.log(s2) + np.log(wide)
    density = np.where(used, -0.5 * (quadratic + log_det + n * np.log(2 * np.pi)), 0.0)
    return density, t2 * along / wide, s2 * t2 / wide


@dataclass(frozen=True, eq=False)
class JarModel:
    """The statistical model: pools, jars, errors; parameters of a soil are (..., p)."""

    pools: PoolFlux
    data: JarData
    prior: StatedPrior

    def _spreads(self, theta: Array) -> tuple[Array, Array, Array]:
        named = self.prior.dict(theta)
        none = np.zeros(theta.shape[:-1])
        return named["sigma"], named.get("tau", none), named.get("memory", none)

    def log_flux(self, theta: Array, day: Array) -> Array:
        """ln of the model's flux (soil, draw, ...) on days (soil, ...)."""
        named = self.prior.dict(theta)
        own = np.stack([named[name] for name in self.pools.names], axis=-1)
        flat = day.reshape(day.shape[0], 1, -1)
        flux = np.maximum(self.pools.flux(own, flat), np.finfo(float).tiny)
        return np.log(flux).reshape(*own.shape[:-1], *day.shape[1:])

    def by_jar(self, theta: Array, values: Array | None = None) -> tuple[Array, Array, Array]:
        """`jar_density` at parameters (soil, draw, p), of the data or of other values of their shape."""
        y = self.data.log_flux if values is None else values
        r = y[:, None] - self.log_flux(theta, self.data.day)
        return jar_density(r, self.data, *self._spreads(theta))

    def posterior(self) -> Posterior:
        """All soils at once: the first axis."""
        sites, prior = (len(self.data.soils),), cast("Any", self.prior)
        return Posterior(prior, likelihood=lambda theta: self.by_jar(theta)[0].sum(-1), sites=sites)

    def replicate(self, theta: Array, rng: Random = 0) -> Replicas:
        """New jars on the days of those measured (draw, flux), and the ln density of each jar (draw, jar)."""
        data = self.data
        made = np.exp(np.moveaxis(self.simulate(theta, data.day, rng), 1, 0)[:, data.mask])
        used = data.mask.any(-1)
        told = np.moveaxis(self.by_jar(theta)[0], 1, 0)[:, used]
        soil = np.broadcast_to(np.array(data.soils)[:, None, None], data.mask.shape)[data.mask]
        return Replicas(np.exp(data.log_flux[data.mask]), made, told, data.day[data.mask], soil)

    def simulate(self, theta: Array, day: Array, rng: Random = 0) -> Array:
        """ln flux of new jars (soil, draw, jar, time) on days (soil, jar, time), with all errors."""
        source = streams(rng, (len(self.data.soils),))
        sigma, tau, memory = (x[..., None, None] for x in self._spreads(theta))
        mean = self.log_flux(theta, day)
        b = tau * source.normal(mean.shape[1:-1])[..., None]
        xi, e = source.normal(mean.shape[1:]), np.zeros(mean.shape)
        apart = np.maximum(np.diff(day, axis=-1), 0.0)[:, None]  # days of gaps are 0
        e[..., 0] = xi[..., 0]
        for k in range(1, mean.shape[-1]):
            with np.errstate(divide="ignore", invalid="ignore"):
                rho = np.where(memory > 0, np.exp(-apart[..., k - 1 : k] / memory), 0.0)[..., 0]
            e[..., k] = rho * e[..., k - 1] + np.sqrt(np.maximum(1.0 - rho**2, 0.0)) * xi[..., k]
        return mean + b + sigma * e


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
        """Factor e^b of each jar on the flux of its soil, pooled: median and 90 % interval."""
        import pandas as pd

        _, mean, var = self.model.by_jar(self._theta())
        xi = streams(0).normal(mean.shape)
        low, mid, high = np.exp(np.quantile(mean + np.sqrt(var) * xi, [0.05, 0.5, 0.95], axis=1))
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
        return np.exp(self.model.simulate(theta, each, rng)[:, :, 0])

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
            low, high = np.quantile(np.log(made), tails(level), axis=0)
            at, y = np.searchsorted(days, held.day[i][held.mask[i]]), held.log_flux[i][held.mask[i]]
            inside.append((low[at] <= y) & (y <= high[at]))
        return float(np.concatenate(inside).mean())

    def report(self) -> str:
        """One page: what was fitted, what came out, and what is wrong with it."""
        data, theta = self.model.data, self._theta()
        made = self.model.simulate(theta, data.day, 0)
        low, high = np.quantile(made, [0.05, 0.95], axis=1)
        inside = ((low <= data.log_flux) & (data.log_flux <= high))[data.mask].mean()
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


def fit(
    model: PoolFlux,
    data: Any,
    priors: Mapping[Any, Any] | None = None,
    *,
    memory: bool = False,
    method: str | Sampler = "smc",
    rng: Random = 0,
    **options: Any,
) -> Fit:
    """Fit pools to jars, all soils at once.

    Parameters
    ----------
    model : PoolFlux
        See `pools`.
    data : Jars or DataFrame
        With columns `soil`, `jar`, `day`, `flux`: `datasets.read_jars_csv`.
    priors : mapping, optional
        Distributions by parameter, see `stated`, in place of the wide ones that length of the series
        and size of the fluxes suggest; of `sigma`, `tau` and `memory` too. `tau` is left out where no
        soil has two jars.
    memory : bool
        Errors that last: their correlation length [d] is a parameter.
    method, rng, **options
        As for `sample`.

    Returns
    -------
    Fit

    Raises
    ------
    InputError
        Data that are no table of jars, a prior of no parameter of the model.

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
    """
    as_kind("model", model, PoolFlux, hint="Make one: pools(2).")
    as_kind("priors", priors, dict, type(None), hint="One a name: {'k_1': log_normal(0.1, 2.0)}.")
    table = getattr(data, "table", data)
    held = JarData.of(table, getattr(data, "unit", ""))
    stated = model.priors(held.day[held.mask], np.exp(held.log_flux[held.mask]))
    stated["sigma"] = half_normal(0.5)
    if any(len(jars) > 1 for jars in held.jars):
        stated["tau"] = half_normal(0.5)
    if memory:
        stated["memory"] = log_normal(float(np.median(np.diff(np.unique(held.day[held.mask])))), 3.0)
    unknown = [name for name in priors or {} if name not in stated]
    if unknown:
        raise InputError(f"there is a prior for {unknown[0]!r}, but the parameters are {', '.join(map(str, stated))}.")
    whole = JarModel(model, held, StatedPrior(stated | dict(priors or {})))
    return Fit(whole, sample(whole.posterior(), method, rng, **options))
