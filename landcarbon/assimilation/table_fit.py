r"""Fits of tables in three lines: several streams in one likelihood, errors given or estimated, plots that differ.

::

    d_i     = h_i(theta) (1 + b_g) + e_i,           b_g ~ Normal(0, tau^2)                (row i, of group g)
    s_i     = the table's,  a_v,  r_v |h_i|,  or sqrt(a_v^2 + (r_v h_i)^2)                (by variable v)
    ln L    = sum_g ln Normal(d_g; h_g, diag(s_g^2) + tau^2 h_g h_g^T)                    (groups put away)

======= ============================================= ============ ======= =============================
symbol  meaning                                       shape        unit    code name
======= ============================================= ============ ======= =============================
d, h    what was measured, what the model says of it  (..., row)   own     value, model(p, rows)
s       standard deviation of the error               (..., row)   as d    sd, or the errors below
a, r    parameters: error as it is, as a share of h   (...)        as d, 1 floor, sigma; floor_wood, ...
b, tau  how far a group lies off the model; parameter (..., group) 1       tau
======= ============================================= ============ ======= =============================

One row a measurement; the column `variable` says of what, and each variable is a stream with errors of its
own. The effects b are integrated out, as those of jars are in `fitting`.

The three lines to type:

    found = fit(plot_pools("wood", "litter", "soil", since=2012), read_plots_csv("plots.csv"), priors)
    print(found.report())
    found.coverage(later)

A model of your own is a function of named parameters, each (...), and of the rows, that returns (..., row).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from landcarbon.assimilation.draws import Ensemble, tails
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.replicas import Replicas
from landcarbon.assimilation.stated import (
    StatedPrior,
    half_normal,
    log_normal,
    log_uniform,
    uniform,
)
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array, as_choice, as_dates, as_kind, as_number
from landcarbon.matrix.frozen import keep

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PlotPools", "TableFit", "TableModel", "plot_pools"]

Array = NDArray[np.float64]
Model = Callable[[dict[str, Array], Any], Array]
ERRORS = ("given", "relative", "absolute", "both")
_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True, eq=False)
class TableModel:
    """The statistical model: what is said of rows, with which errors, in which groups.

    Parameters
    ----------
    model : callable
        (named parameters, each (...); rows) -> (..., row).
    rows : pandas.DataFrame
        Columns `value`, and as needed `variable`, `sd` and that of the groups.
    prior : StatedPrior
    errors : dict of str to str
        Of each variable: "given", "relative", "absolute" or "both".
    by : str, optional
        Column of the groups.
    """

    model: Model
    rows: pd.DataFrame
    prior: StatedPrior
    errors: dict[str, str]
    by: str | None = None

    def __post_init__(self) -> None:
        as_kind("errors", self.errors, dict, hint="Of each variable: {'wood': 'given'}.")
        keep(self, rows=checked(self.rows, self.errors, self.by))

    def on(self, rows: pd.DataFrame) -> TableModel:
        """The same for other rows.

        Raises
        ------
        InputError
            A variable that was not fitted, a column that is missing.
        """
        return replace(self, rows=rows)

    def posterior(self) -> Posterior:
        """For every sampler."""
        return Posterior(cast("Any", self.prior), likelihood=lambda theta: self.densities(theta).sum(-1))

    def predict(self, theta: Array) -> tuple[Array, Array]:
        """Model values and standard deviations of the errors (..., row), groups left out."""
        p = self.prior.dict(theta)
        try:
            h = np.asarray(self.model(p, self.rows), dtype=float)
        except KeyError as error:
            raise InputError(f"the model asks for {error}, which is neither a column nor has a prior.") from error
        wanted = (*np.shape(theta)[:-1], len(self.rows))
        if h.shape != wanted:
            raise InputError(f"the model returns shape {h.shape}, but {wanted} is expected: one value a row.")
        variance = np.zeros_like(h)
        for name, kind in self.errors.items():
            here = variables(self.rows) == name
            for which, factor in _parts(name, kind, self.errors):
                size = p[which][..., None] * (h[..., here] if factor else 1.0)
                variance[..., here] += size**2
            if kind == "given":
                variance[..., here] = self.rows["sd"].to_numpy(float)[here] ** 2
        return h, np.sqrt(np.maximum(variance, np.finfo(float).tiny))

    def densities(self, theta: Array) -> Array:
        """ln density of each row (..., row); of each group (..., group) where there are groups."""
        h, s = self.predict(theta)
        r = (self.rows["value"].to_numpy(float) - h) / s
        alone = -0.5 * r**2 - np.log(s) - _HALF_LOG_2PI
        if self.by is None:
            return alone
        G, v, t2 = self._members(), h / s, self.prior.dict(theta)["tau"][..., None] ** 2
        wide = 1.0 + t2 * ((v**2) @ G)
        return alone @ G + 0.5 * t2 * ((v * r) @ G) ** 2 / wide - 0.5 * np.log(wide)

    def _members(self) -> Array:
        """One where a row belongs to a group (row, group)."""
        column = self.rows[self.by].astype(str).to_numpy()
        return (column[:, None] == np.unique(column)).astype(float)

    def replicate(self, theta: Array, rng: Random = 0) -> Replicas:
        """New data on the same rows, of groups not seen, and how likely parameters (draw, p) make those there are."""
        (h, s), source = self.predict(theta), streams(rng, ())
        made = h + s * source.normal(h.shape)
        if self.by is not None:
            G, tau = self._members(), self.prior.dict(theta)["tau"][..., None]
            made = made + h * ((tau * source.normal((*h.shape[:-1], G.shape[1]))) @ G.T)
        at = decimal_years(self.rows) if "time" in self.rows else None
        value = self.rows["value"].to_numpy(float)
        return Replicas(value, made, self.densities(theta), at, variables(self.rows))


@dataclass(frozen=True, eq=False)
class TableFit:
    """What the rows say: draws, and what follows from them."""

    model: TableModel
    draws: Any

    def _theta(self, n: int = 1000) -> Array:
        """Equally weighted parameters (draw, p)."""
        found = self.draws if isinstance(self.draws, Ensemble) else self.draws.ensemble()
        return found.resample(n, 0).draws

    def summary(self) -> pd.DataFrame:
        """Median and 90 % interval of each parameter."""
        import pandas as pd

        low, mid, high = self.draws.quantile([0.05, 0.5, 0.95])
        index = pd.Index(self.model.prior.names, name="parameter")
        return pd.DataFrame({"5%": low, "median": mid, "95%": high}, index=index)

    def predict(self, rows: Any, rng: Random = 0) -> Array:
        """New values (draw, row) of other rows, with all errors; the column `value` may be empty."""
        table = getattr(rows, "table", rows)
        as_kind("rows", table, "columns", hint="Give a table, as read_plots_csv reads it.")
        return self.model.on(table.assign(value=0.0)).replicate(self._theta(), rng).simulated

    def coverage(self, rows: Any, level: float = 0.9, rng: Random = 0) -> float:
        """Share of the values of rows, not used, in the central interval of `predict`."""
        table = getattr(rows, "table", rows)
        as_kind("rows", table, "columns", hint="Give a table, as read_plots_csv reads it.")
        if "value" not in table:
            raise InputError("coverage needs the values: rows have no column 'value'.")
        low, high = np.quantile(self.predict(table, rng), tails(level), axis=0)
        value = as_array("value", table["value"])
        return float(((low <= value) & (value <= high)).mean())

    def replicas(self, rng: Random = 0) -> Replicas:
        """The values beside those that the draws would make on the same rows; `.of("wood")` is one stream."""
        return self.model.replicate(self._theta(), rng)

    def to_arviz(self, rng: Random = 0) -> Any:
        """For ArviZ: draws, priors, data, new data; log-likelihoods are of rows, or of whole groups."""
        return self.draws.to_arviz(self.model, rng)

    def report(self) -> str:
        """A few lines: what was fitted, what came out, and what is wrong with it."""
        rows, whole = self.model.rows, self.replicas()
        low, high = np.quantile(whole.simulated, [0.05, 0.95], axis=0)
        inside = (low <= whole.observed) & (whole.observed <= high)
        name = variables(rows)
        each = (f"{v or 'value'} {int((name == v).sum())} (error {kind})" for v, kind in self.model.errors.items())
        lines = [f"{len(rows)} rows: {', '.join(each)}"]
        lines += ["", self.summary().to_string(float_format="{:.3g}".format), ""]
        lines += [f"rows used that lie in the 90 % band: {inside.mean():.0%}"]
        if isinstance(self.draws, Ensemble) and self.draws.log_evidence is not None:
            lines.append(f"ln evidence: {float(self.draws.log_evidence):.1f}")
        return "\n".join([*lines, *(f"Note: {told}" for told in self.draws.concerns(self.model.prior))])


def variables(rows: pd.DataFrame) -> NDArray[np.str_]:
    """Name of the stream of each row; "" where there is no column `variable`."""
    if "variable" not in rows:
        return np.full(len(rows), "")
    return rows["variable"].astype(str).to_numpy(dtype=str)


def decimal_years(rows: pd.DataFrame) -> Array:
    """Time of each row [yr]: 2012.5 is the middle of 2012."""
    if "time" not in rows:
        raise InputError(f"the table has no column 'time'; it has {', '.join(map(str, rows.columns))}.")
    time = rows["time"]
    if time.dtype.kind in "iuf":
        return as_array("time", time)
    day = as_dates("time", time)
    start = day.astype("datetime64[Y]")
    length = (start + 1).astype("datetime64[D]") - start.astype("datetime64[D]")
    return start.astype(int) + 1970.0 + (day - start.astype("datetime64[D]")) / length


def _parts(name: str, kind: str, errors: Mapping[str, str]) -> list[tuple[str, bool]]:
    """Parameters of the error of a variable, and whether each is a share of the model's value."""
    end = f"_{name}" if len(errors) > 1 else ""
    out = {"given": [], "relative": [("sigma", True)], "absolute": [("floor", False)],
           "both": [("sigma", True), ("floor", False)]}[kind]  # fmt: skip
    return [(word + end, share) for word, share in out]


def checked(rows: pd.DataFrame, errors: Mapping[str, str], by: str | None) -> pd.DataFrame:
    """Rows that a fit can use."""
    as_kind("rows", rows, "columns", hint="Give a table, as read_plots_csv reads it.")
    as_kind("by", by, str, type(None), hint="Name of a column.")
    for name in ("value", *([by] if by else [])):
        if name not in rows:
            raise InputError(f"the table has no column {name!r}; it has {', '.join(map(str, rows.columns))}.")
    if not len(rows):
        raise InputError("the table has no rows.")
    as_array("value", rows["value"])
    if "time" in rows:
        decimal_years(rows)
    if by and rows[by].isna().any():
        raise InputError(f"the column {by!r} is empty in {int(rows[by].isna().sum())} row(s): whose group is that?")
    for name in np.unique(variables(rows)):
        as_choice("variable", str(name), list(errors))
    told = np.isin(variables(rows), [v for v, kind in errors.items() if kind == "given"])
    if told.any():
        if "sd" not in rows:
            raise InputError('errors are "given", but the table has no column sd; say errors="relative", "absolute".')
        as_array("sd", rows["sd"][told], lower=0.0, strict=True)
    return rows.reset_index(drop=True)


def stated_errors(rows: pd.DataFrame, errors: Any) -> dict[str, str]:
    """Kind of the error of each variable: as told, or given where the table has it, or relative."""
    as_kind("errors", errors, str, dict, type(None), hint="'relative', or by variable {'wood': 'given'}.")
    names = [str(v) for v in np.unique(variables(rows))]
    if isinstance(errors, dict):
        for name in errors:
            as_choice("variable of errors", name, names)
    out = {}
    for name in names:
        kind = errors.get(name) if isinstance(errors, dict) else errors
        sd = rows["sd"].to_numpy(float)[variables(rows) == name] if "sd" in rows else np.zeros(1)
        out[name] = kind or ("given" if np.all(sd > 0) else "relative")
        as_choice("errors", out[name], list(ERRORS))
    return out


def table_model(model: Any, data: Any, priors: Mapping[Any, Any], errors: Any, by: str | None) -> TableModel:
    """The statistical model of a table, with priors for what has none; see `fit`."""
    table = getattr(data, "table", data)
    as_kind("data", table, "columns", hint="Give a table, as read_plots_csv reads it.")
    if "value" not in table:
        raise InputError(f"the table has no column 'value'; it has {', '.join(map(str, table.columns))}.")
    kinds = stated_errors(table, errors)
    rows = checked(table, kinds, by)
    stated: dict[Any, Any] = dict(model.priors(rows)) if hasattr(model, "priors") else {}
    known = set(stated)
    for name, kind in kinds.items():
        value = rows["value"].to_numpy(float)[variables(rows) == name]
        for which, share in _parts(name, kind, kinds):
            stated[which] = half_normal(0.5 if share else max(float(np.median(np.abs(value))) / 2.0, 1e-300))
    if by is not None:
        stated["tau"] = half_normal(0.5)
    unknown = [name for name in priors if name not in stated]
    if known and unknown:
        raise InputError(f"there is a prior for {unknown[0]!r}, but the parameters are {', '.join(map(str, stated))}.")
    own = {name: prior for name, prior in stated.items() if name in known} | dict(priors)
    return TableModel(model, table, StatedPrior(own | {k: v for k, v in stated.items() if k not in own}), kinds, by)


@dataclass(frozen=True)
class PlotPools:
    """Pools of a plot, each feeding the next; made by `plot_pools`.

    ::

        dX/dt = B I - M X,     M_ii = k_i w,   M_i+1,i = -kept_i k_i w,     w = q10^(T / 10), but not for the first
    """

    pools: tuple[str, ...]
    since: float
    warming: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Input, its share for the first pool, rates, shares handed on, carbon at the start, q10."""
        first = () if len(self.pools) == 1 else (f"to_{self.pools[0]}",)
        parts = [f"{word}_{p}" for word in ("k", "kept", "start") for p in self.pools]
        parts.remove(f"kept_{self.pools[-1]}")
        return ("input", *first, *parts, *(("q10",) if self.warming else ()))

    def priors(self, rows: pd.DataFrame) -> dict[str, Any]:
        """Wide priors, from the amount of each pool alone; better ones are what you know of the site."""
        as_kind("rows", rows, "columns", hint="Give a table, as read_plots_csv reads it.")
        if "value" not in rows:
            raise InputError("priors need the amounts: rows have no column 'value'.")
        out: dict[str, Any] = {}
        for name in self.names:
            word, _, pool = name.partition("_")
            value = rows["value"].to_numpy(float)[variables(rows) == pool]
            out[name] = {
                "input": log_normal(400.0, 2.0), "q10": log_normal(2.0, 1.5), "k": log_uniform(0.002, 5.0),
                "start": log_normal(max(float(np.median(value)), 1.0) if value.size else 3000.0, 2.0),
            }.get(word, uniform(0.0, 1.0))  # fmt: skip
        return out

    def __call__(self, p: dict[str, Array], rows: pd.DataFrame) -> Array:
        """Carbon [gC m-2] of each row's pool, or its `respiration` [gC m-2 d-1]: (..., row)."""
        as_kind("rows", rows, "columns", hint="Give a table, as read_plots_csv reads it.")
        as_kind("p", p, dict, hint="An array by name.")
        name, t, n = variables(rows), decimal_years(rows) - self.since, len(self.pools)
        for v in np.unique(name):
            as_choice("variable", str(v), [*self.pools, "respiration"])
        if (t < 0).any():
            raise InputError(f"a row is of the year {t.min() + self.since:.2f}, before since={self.since:g}.")
        if self.warming and self.warming not in rows:
            raise InputError(f"the table has no column {self.warming!r}, which is to say how warm a plot is [K].")
        warm = as_array(self.warming, rows[self.warming].to_numpy(float)) if self.warming else np.zeros(len(rows))
        out = np.empty((*p["input"].shape, len(rows)))
        for w in np.unique(warm):
            here = np.flatnonzero(warm == w)
            X, respired = self._run(p, w, t[here])
            for i, pool in enumerate([*self.pools, "respiration"]):
                own = here[name[here] == pool]
                values = respired / 365.25 if i == n else X[..., i]
                out[..., own] = values[..., name[here] == pool]
        return out

    def _run(self, p: dict[str, Array], warm: float, t: Array) -> tuple[Array, Array]:
        """Carbon (..., time, pool) and respiration [gC m-2 yr-1] (..., time), exact."""
        n, speed = len(self.pools), p["q10"] ** (warm / 10.0) if self.warming else 1.0
        k = np.stack([p[f"k_{pool}"] * (speed if i else 1.0) for i, pool in enumerate(self.pools)], -1)
        kept = np.stack([*(p[f"kept_{pool}"] for pool in self.pools[:-1]), np.zeros_like(p["input"])], -1)
        M = k[..., None, :] * np.eye(n)
        for i in range(n - 1):
            M[..., i + 1, i] = -kept[..., i] * k[..., i]
        B = np.zeros(k.shape)
        share = p[f"to_{self.pools[0]}"] if n > 1 else np.ones_like(p["input"])
        B[..., 0] = share * p["input"]
        if n > 1:
            B[..., 1] = (1.0 - share) * p["input"]
        rest = np.linalg.solve(M, B[..., None])[..., 0]
        start = np.stack([p[f"start_{pool}"] for pool in self.pools], -1)
        moment, which = np.unique(t, return_inverse=True)
        # Not by eigenvectors: rates that are nearly the same have none that can be told apart.
        left = expm(-M[..., None, :, :] * moment[:, None, None]) @ (start - rest)[..., None, :, None]
        X = rest[..., None, :] + left[..., 0][..., which, :]
        return X, (X * (k * (1.0 - kept))[..., None, :]).sum(-1)


def plot_pools(*pools: str, since: float, warming: str | None = None) -> PlotPools:
    """A model of a plot through the years: pools in a row, for `fit`.

    Carbon comes into the first pool and into the second, each pool hands a share of what it loses to the next, and
    the rest is respired. A variable `respiration` [gC m-2 d-1] is what all pools respire.

    Parameters
    ----------
    *pools : str
        As the column `variable` names them, the first one fed first: "wood", "litter", "soil".
    since : float
        Year of the start, 2012.5 is the middle of 2012; no row before it.
    warming : str, optional
        Column that says how much warmer a plot is [K]; all pools but the first decay faster by q10.

    Raises
    ------
    InputError
        No pool, a pool twice, a year that is none.

    Examples
    --------
    >>> plot_pools("litter", "soil", since=2012).names
    ('input', 'to_litter', 'k_litter', 'k_soil', 'kept_litter', 'start_litter', 'start_soil')
    """
    for pool in pools:
        as_kind("pools", pool, str, hint="Names, as in the column variable.")
    if not pools or len(set(pools)) != len(pools) or "respiration" in pools:
        raise InputError(f"pools are {pools}; give each name once, and respiration is none.")
    as_kind("warming", warming, str, type(None), hint="Name of a column.")
    return PlotPools(tuple(pools), as_number("since", since), warming)
