r"""Scores of ensemble forecasts, and how far ahead they beat the obvious.

.. math::

    \mathrm{CRPS}(F, y) = \mathrm{E}|X - y| - \tfrac{1}{2} \mathrm{E}|X - X'|,
    \qquad X, X' \sim F \text{ independent}

    \mathrm{skill} = 1 - \frac{\overline{\mathrm{CRPS}}}{\overline{\mathrm{CRPS}}_\mathrm{null}}

===============  ================================  ===============  ===============  =========
symbol           meaning                           shape            unit             code name
===============  ================================  ===============  ===============  =========
:math:`y`        observation                       (...)            of the forecast  observed
:math:`X`        ensemble, a sample of :math:`F`   (member, ...)    as :math:`y`     ensemble
CRPS             distance of F from y              (...)            as :math:`y`     crps
skill            1: perfect, 0: like the null      (lead,)          1                skill
PIT              :math:`F(y)`, uniform if F holds  (...)            1                pit
===============  ================================  ===============  ===============  =========

The first axis of an ensemble is the member; a labelled array may have it anywhere, under the name
`member`. An observation carries error of its own: add it to the ensemble
(:func:`landcarbon.forecasting.noise.add_observation_error`) before scoring.

Sources: Gneiting & Raftery 2007, JASA 102:359, doi:10.1198/016214506000001437 (proper scores);
Gneiting et al. 2007, JRSS B 69:243, doi:10.1111/j.1467-9868.2007.00587.x (PIT, calibration);
Petchey et al. 2015, Ecol. Lett. 18:597, doi:10.1111/ele.12443 (forecast horizon).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import tails
from landcarbon.matrix.errors import InputError, Rng, as_array, as_gappy, as_rng, as_whole
from landcarbon.matrix.labels import labelled

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = [
    "Horizon",
    "Uniformity",
    "coverage",
    "crps",
    "horizon",
    "interval",
    "interval_score",
    "log_score",
    "pit",
    "pit_uniformity",
    "reliability",
    "skill",
    "spread_skill",
]

Array = NDArray[np.float64]


def crps(
    observed: ArrayLike,
    ensemble: ArrayLike,
    *,
    fair: bool = False,
    weight: ArrayLike | None = None,
) -> Array:
    """Continuous ranked probability score: 0 is perfect, and a single member gives |X − y|.

    Parameters
    ----------
    observed : array_like, (...)
    ensemble : array_like, (member, ...)
    fair : bool
        Estimate the score of an endless ensemble from this one (unbiased for small ensembles);
        by default the score of these members as they are.
    weight : array_like, (member,), optional
        How much each member counts, as after importance sampling or in a particle filter. Its sum need
        not be 1. Without it all count alike; `fair` takes no weights.

    Returns
    -------
    ndarray, (...)
        In the unit of the observations.

    Raises
    ------
    InputError
        Shapes that do not fit, NaN in either, `fair` with a single member or with weights.

    References
    ----------
    Gneiting & Raftery 2007, doi:10.1198/016214506000001437; Ferro 2014, doi:10.1002/qj.2270 (fair).

    Examples
    --------
    >>> float(crps(1.0, [0.0, 2.0]))
    0.5
    >>> float(crps(1.0, [0.0, 2.0, 9.0], weight=[1, 1, 0]))
    0.5
    """
    import scoringrules

    y, x = _pair(observed, ensemble)
    if weight is not None:
        if fair:
            raise InputError("fair=True is for members that count alike; leave weight or fair out.")
        return _weighted_crps(y, x, as_array("weight", weight, shape=(x.shape[0],), lower=0.0))
    if fair and x.shape[0] < 2:
        raise InputError("A fair CRPS needs at least 2 members, but the ensemble has 1.")
    estimator = "pwm" if fair else "qd"
    return np.asarray(
        scoringrules.crps_ensemble(y, x, m_axis=0, estimator=estimator, backend="numpy"), float
    )


def _weighted_crps(y: Array, x: Array, weight: Array) -> Array:
    """Σ w |x − y| − ½ Σ Σ w w' |x − x'|, by sorting: the double sum is 2 ∫ F (1 − F)."""
    if weight.ndim != 1 or weight.sum() <= 0:
        raise InputError(
            f"weight has shape {weight.shape} and sum {weight.sum():g}; one number a member, not all 0, is expected."
        )
    w = (weight / weight.sum()).reshape(-1, *(1,) * y.ndim)
    order = np.argsort(x, axis=0)
    F = np.cumsum(np.take_along_axis(np.broadcast_to(w, x.shape), order, axis=0), axis=0)[:-1]
    gaps = np.diff(np.take_along_axis(x, order, axis=0), axis=0)
    return np.asarray((w * np.abs(x - y)).sum(axis=0) - (F * (1.0 - F) * gaps).sum(axis=0))


def log_score(observed: ArrayLike, ensemble: ArrayLike, *, density: str = "normal") -> Array:
    """Minus the log density the forecast gave to what happened: smaller is better.

    Parameters
    ----------
    observed : array_like, (...)
    ensemble : array_like, (member, ...)
        At least 2 members that are not all equal.
    density : {"normal", "kernel"}
        Turn members into a density by their mean and variance, or by a Gaussian kernel estimate
        (for skewed ensembles of some hundred members).

    Returns
    -------
    ndarray, (...)

    References
    ----------
    Good 1952, JRSS B 14:107, doi:10.1111/j.2517-6161.1952.tb00104.x.

    Examples
    --------
    >>> float(log_score(0.0, [-1.0, 1.0]).round(3))
    1.266
    """
    import scoringrules

    y, x = _pair(observed, ensemble)
    sd = x.std(axis=0, ddof=1) if x.shape[0] > 1 else np.zeros(y.shape)
    if (sd == 0).any():
        raise InputError(
            f"The log score needs a spread, but all {x.shape[0]} member(s) agree in "
            f"{int((sd == 0).sum())} case(s). Add observation error or process error, or use the "
            "CRPS."
        )
    if density == "normal":
        return np.asarray(scoringrules.logs_normal(y, x.mean(axis=0), sd, backend="numpy"), float)
    if density == "kernel":
        return np.asarray(scoringrules.logs_ensemble(y, x, m_axis=0, backend="numpy"), float)
    raise InputError(f"density {density!r} is not known; take 'normal' or 'kernel'.")


def interval(ensemble: ArrayLike, level: float = 0.9) -> tuple[Array, Array]:
    """Central interval of an ensemble.

    The quantiles are those of the plotting position k/(m+1), so that in a calibrated ensemble of m
    members the interval holds the observation with probability `level`.

    Parameters
    ----------
    ensemble : array_like, (member, ...)
    level : float
        Nominal coverage; the ensemble needs at least 2/(1 − level) − 1 members.

    Returns
    -------
    lower, upper : ndarray, (...)

    Examples
    --------
    >>> [float(round(v, 3)) for v in interval(np.arange(1.0, 20.0), level=0.9)]
    [1.0, 19.0]
    """
    x = _members(ensemble)
    low, high = tails(level)
    if low * (x.shape[0] + 1) < 1 - 1e-9:
        raise InputError(
            f"A {level:.0%} interval needs at least {int(np.ceil(1 / low - 1 - 1e-9))} members, "
            f"but the ensemble has {x.shape[0]}. Take more members or a narrower interval."
        )
    lower, upper = np.quantile(x, [low, high], axis=0, method="weibull")
    return lower, upper


def interval_score(observed: ArrayLike, ensemble: ArrayLike, level: float = 0.9) -> Array:
    """Score of a central interval: its width, and a fine for each observation it misses.

    Parameters
    ----------
    observed : array_like, (...)
    ensemble : array_like, (member, ...)
    level : float
        Nominal coverage 1 − α.

    Returns
    -------
    ndarray, (...)
        u − l + (2/α) (l − y) below, (2/α) (y − u) above, in the unit of the observations; smaller is
        better, and in the mean nothing beats the true quantiles.

    References
    ----------
    Gneiting & Raftery 2007, eq. 43, doi:10.1198/016214506000001437.

    Examples
    --------
    >>> members = np.arange(1.0, 20.0)[:, None] * np.ones(2)          # 90 %: 1 to 19
    >>> interval_score([5.0, 20.0], members).round(6)
    array([18., 38.])
    """
    y, x = _pair(observed, ensemble)
    lower, upper = interval(x, level)
    fine = 2.0 / (1.0 - level)
    return upper - lower + fine * (np.maximum(lower - y, 0.0) + np.maximum(y - upper, 0.0))


def coverage(
    observed: ArrayLike,
    ensemble: ArrayLike,
    level: float = 0.9,
    *,
    axis: int | tuple[int, ...] | None = None,
) -> Array:
    """Share of observations inside the central interval; near `level` when the forecast holds.

    Parameters
    ----------
    observed : array_like, (...)
    ensemble : array_like, (member, ...)
    level : float
        Nominal coverage.
    axis : int or tuple of int, optional
        Axes of `observed` to average over; default all.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> members = np.arange(1.0, 20.0)[:, None] * np.ones(4)
    >>> float(coverage([0.0, 5.0, 10.0, 25.0], members))
    0.5
    """
    y, x = _pair(observed, ensemble)
    lower, upper = interval(x, level)
    return np.asarray(((lower <= y) & (y <= upper)).mean(axis=axis))


def pit(observed: ArrayLike, ensemble: ArrayLike, rng: Rng = 0) -> Array:
    """Probability integral transform: where in its ensemble each observation falls, 0 to 1.

    The rank is spread over its cell at random, which makes the value exactly uniform for a
    calibrated ensemble of any size, ties included.

    Parameters
    ----------
    observed : array_like, (...)
    ensemble : array_like, (member, ...)
    rng : Generator or int

    Returns
    -------
    ndarray, (...)

    References
    ----------
    Gneiting et al. 2007, doi:10.1111/j.1467-9868.2007.00587.x.

    Examples
    --------
    >>> bool(0.5 < pit(2.5, [0.0, 1.0, 2.0, 3.0]) < 0.9)
    True
    """
    rng = as_rng(rng)
    y, x = _pair(observed, ensemble)
    below, ties = (x < y).sum(axis=0), (x == y).sum(axis=0)
    return np.asarray((below + rng.uniform(size=y.shape) * (ties + 1)) / (x.shape[0] + 1))


@dataclass(frozen=True)
class Uniformity:
    """Test of PIT values against the uniform distribution.

    Attributes
    ----------
    statistic, p_value : float
        Chi-square statistic and its p-value.
    counts : tuple of int
        PIT values in each bin. A heap in the middle: too wide a forecast; at the ends: too narrow.
    """

    statistic: float
    p_value: float
    counts: tuple[int, ...]


def pit_uniformity(values: ArrayLike, bins: int = 10) -> Uniformity:
    """Chi-square test that PIT values are uniform.

    The test takes the values as independent. Forecasts issued close together share their errors:
    thin them to leads that do not overlap before reading the p-value.

    Parameters
    ----------
    values : array_like
        PIT values, 0 to 1.
    bins : int
        At least 5 values a bin are expected.

    Returns
    -------
    Uniformity

    Examples
    --------
    >>> pit_uniformity(np.linspace(0.005, 0.995, 100)).p_value
    1.0
    """
    from scipy.stats import chisquare

    bins = as_whole("bins", bins, 2)
    u = as_array("values", values, lower=0.0, upper=1.0, hint="Give PIT values.").ravel()
    if bins < 2 or u.size < 5 * bins:
        raise InputError(
            f"A test with {bins} bins needs at least {5 * max(bins, 2)} PIT values, but "
            f"{u.size} were given. Take fewer bins or more forecasts."
        )
    counts = np.histogram(u, bins=bins, range=(0, 1))[0]
    result = chisquare(counts)
    return Uniformity(float(result.statistic), float(result.pvalue), tuple(int(c) for c in counts))


def reliability(
    observed: ArrayLike,
    ensemble: ArrayLike,
    levels: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
) -> xr.Dataset:
    """Observed against nominal coverage of central intervals.

    Parameters
    ----------
    observed : array_like, (...)
    ensemble : array_like, (member, ...)
    levels : sequence of float
        Nominal coverages.

    Returns
    -------
    xarray.Dataset
        `coverage` (level) with `lower` and `upper`, the range in which 95 % of calibrated forecasts
        of this size would fall (binomial, independent cases).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> r = reliability(rng.normal(size=500), rng.normal(size=(200, 500)))
    >>> bool((abs(r.coverage - r.level) < 0.08).all())
    True
    """
    import xarray as xr
    from scipy.stats import binom

    y, x = _pair(observed, ensemble)
    nominal = np.atleast_1d(as_array("levels", levels, lower=0.0, upper=1.0))
    found = [float(coverage(y, x, level)) for level in nominal]
    data = xr.Dataset(
        {
            "coverage": ("level", found),
            "lower": ("level", binom.ppf(0.025, y.size, nominal) / y.size),
            "upper": ("level", binom.ppf(0.975, y.size, nominal) / y.size),
        },
        coords={"level": nominal},
        attrs={"cases": y.size},
    )
    names = {
        "coverage": "share of observations inside the central interval",
        "lower": "2.5 % quantile of the coverage of calibrated forecasts",
        "upper": "97.5 % quantile of the coverage of calibrated forecasts",
        "level": "nominal coverage",
    }
    return labelled(data, "Reliability", units=dict.fromkeys(names, "1"), names=names)


def spread_skill(
    observed: ArrayLike, ensemble: ArrayLike, *, axis: int | tuple[int, ...] | None = None
) -> Array:
    """Ensemble spread over error of its mean: 1 calibrated, below 1 overconfident.

    Parameters
    ----------
    observed : array_like, (...)
    ensemble : array_like, (member, ...)
    axis : int or tuple of int, optional
        Axes of `observed` to average over; default all.

    Returns
    -------
    ndarray

    References
    ----------
    Fortin et al. 2014, J. Hydrometeorol. 15:1708, doi:10.1175/JHM-D-14-0008.1 (factor (m+1)/m).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bool(0.9 < spread_skill(rng.normal(size=2000), rng.normal(size=(20, 2000))) < 1.1)
    True
    """
    y, x = _pair(observed, ensemble)
    m = x.shape[0]
    if m < 2:
        raise InputError("The spread needs at least 2 members, but the ensemble has 1.")
    spread = x.var(axis=0, ddof=1).mean(axis=axis)
    error = ((x.mean(axis=0) - y) ** 2).mean(axis=axis)
    return np.asarray(np.sqrt((m + 1) / m * spread / error))


def skill(
    score: ArrayLike,
    null: ArrayLike,
    *,
    blocks: ArrayLike | None = None,
    level: float = 0.95,
    n_draws: int = 2000,
    rng: Rng = 0,
) -> pd.DataFrame:
    """Skill of a forecast against a null model by lead, with a bootstrap interval.

    Parameters
    ----------
    score, null : array_like, (issue, lead)
        CRPS (or another score of which 0 is perfect) of the forecast and of the null model, for the
        same issue dates and leads. NaN in both: nothing was observed then.
    blocks : array_like, (issue,), optional
        Issue dates with the same label are resampled together (a season, a year), because their
        errors are shared. Default each issue by itself.
    level : float
        Nominal coverage of the interval.
    n_draws : int
    rng : Generator or int

    Returns
    -------
    pandas.DataFrame
        Columns `skill`, `lower`, `upper`, one row a lead, counted from 1.

    Raises
    ------
    InputError
        Shapes that differ, NaN in one score only, a lead never observed, fewer than two blocks, a
        negative score, a null model without any error.

    Examples
    --------
    >>> print(skill(np.full((20, 2), [1.0, 3.0]), np.full((20, 2), 2.0)))
          skill  lower  upper
    lead
    1       0.5    0.5    0.5
    2      -0.5   -0.5   -0.5
    """
    import pandas as pd

    n_draws = as_whole("n_draws", n_draws, 1, 1_000_000)
    rng = as_rng(rng)
    a, b = _both(score, null)
    group = (
        np.arange(a.shape[0])
        if blocks is None
        else np.unique(blocks, return_inverse=True)[1].ravel()
    )
    if group.size != a.shape[0]:
        raise InputError(f"blocks has {group.size} label(s) for {a.shape[0]} issue date(s).")
    n = int(group.max()) + 1
    if n < 2:
        raise InputError("There is one block of issue dates only, so there is nothing to resample.")
    member = np.zeros((n, group.size))
    member[group, np.arange(group.size)] = 1.0
    sums_a, sums_b = member @ a, member @ b
    if (sums_b.sum(axis=0) == 0).any():
        raise InputError(
            "The null model makes no error at some lead, so skill is not defined there."
        )
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_draws).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        boot = 1 - (counts @ sums_a) / (counts @ sums_b)
    # A draw of blocks in which the null makes no error has no skill value.
    lower, upper = np.nanquantile(
        np.where(np.isfinite(boot), boot, np.nan), tails(level), axis=0
    )
    table = pd.DataFrame(
        {"skill": 1 - a.sum(axis=0) / b.sum(axis=0), "lower": lower, "upper": upper},
        index=pd.RangeIndex(1, a.shape[1] + 1, name="lead"),
    )
    table.attrs["level"] = level
    return table


def _both(score: ArrayLike, null: ArrayLike) -> tuple[Array, Array]:
    """Two scores of the same cases, 0 where nothing was observed."""
    hint = "Use a score of which 0 is perfect, such as the CRPS."
    a, b = as_gappy("score", score), as_gappy("null", null)
    if a.shape != b.shape or a.ndim != 2:
        raise InputError(
            f"score and null must both be (issue, lead), but their shapes are {a.shape} and "
            f"{b.shape}."
        )
    gap = np.isnan(a)
    if (gap != np.isnan(b)).any():
        raise InputError(
            f"Of {a.size} cases score is NaN in {int(gap.sum())} and null in "
            f"{int(np.isnan(b).sum())}, and not in the same ones: score both against the same "
            "observations."
        )
    if gap.all(axis=0).any():
        raise InputError(
            f"Lead number {int(gap.all(axis=0).argmax()) + 1} was never observed, so it has no "
            "skill. Leave that lead out."
        )
    # A case that was not observed adds nothing to either sum, and skill is a ratio of sums.
    a = as_array("score", np.where(gap, 0.0, a), lower=0.0, hint=hint)
    b = as_array("null", np.where(gap, 0.0, b), lower=0.0, hint=hint)
    return a, b


@dataclass(frozen=True, eq=False)
class Horizon:
    """How far ahead a forecast beats its null model.

    Attributes
    ----------
    lead : float
        Last lead whose skill interval lies above 0; 0 where there is none.
    unbroken : float
        Last lead of the run, from the first lead on, without a lead that fails; 0 where the first
        one fails. Persistence is hard to beat at the first leads, so the two may differ.
    table : pandas.DataFrame
        `skill`, `lower`, `upper` by lead.
    unit : str
        Unit of the leads.
    """

    lead: float
    unbroken: float
    table: Any
    unit: str

    def __str__(self) -> str:
        tail = f" {self.unit}" if self.unit else ""
        if self.lead == 0:
            return "no lead at which the forecast beats its null model"
        return f"skill up to a lead of {self.lead:g}{tail} (without a gap: {self.unbroken:g}{tail})"


def horizon(
    score: ArrayLike,
    null: ArrayLike,
    leads: ArrayLike | None = None,
    *,
    unit: str = "",
    blocks: ArrayLike | None = None,
    level: float = 0.95,
    n_draws: int = 2000,
    rng: Rng = 0,
) -> Horizon:
    """Forecast horizon: the last lead at which the skill interval lies above 0.

    Parameters
    ----------
    score, null, blocks, level, n_draws, rng
        As in :func:`skill`.
    leads : array_like, (lead,), optional
        Length of each lead, increasing; default 1, 2, ...
    unit : str
        Unit of the leads.

    Returns
    -------
    Horizon

    References
    ----------
    Petchey et al. 2015, doi:10.1111/ele.12443.

    Examples
    --------
    >>> h = horizon(np.full((20, 2), [1.0, 3.0]), np.full((20, 2), 2.0), leads=[7, 14], unit="day")
    >>> print(h)
    skill up to a lead of 7 day (without a gap: 7 day)
    """
    import pandas as pd

    table = skill(score, null, blocks=blocks, level=level, n_draws=n_draws, rng=rng)
    if leads is not None:
        steps = as_array("leads", leads, lower=0.0, strict=True).ravel()
        if steps.size != len(table) or (np.diff(steps) <= 0).any():
            raise InputError(
                f"leads must be {len(table)} increasing numbers, one for each column of score."
            )
        table = table.set_axis(pd.Index(steps, name="lead"))
    ahead = (table["lower"] > 0).to_numpy()
    length = table.index.to_numpy(float)
    run = int(ahead.size if ahead.all() else ahead.argmin())
    return Horizon(
        lead=float(length[ahead][-1]) if ahead.any() else 0.0,
        unbroken=float(length[run - 1]) if run else 0.0,
        table=table,
        unit=unit,
    )


def _members(ensemble: ArrayLike) -> Array:
    dims = getattr(ensemble, "dims", None)
    if dims is not None:
        if "member" not in dims:
            raise InputError(
                f"The ensemble has no dimension 'member', only {', '.join(map(str, dims))}."
            )
        ensemble = ensemble.transpose("member", ...)  # type: ignore[union-attr]
    values = np.asarray(ensemble)
    if values.dtype.kind == "f" and values.ndim and np.isnan(values).any():
        gone = np.isnan(values).reshape(values.shape[0], -1).any(axis=1)
        raise InputError(
            f"{int(gone.sum())} of {gone.size} members of the ensemble are NaN somewhere, the first is number "
            f"{int(gone.argmax())}. A member that a model lost is news: find out why, or leave it out and say so, "
            "ensemble[~np.isnan(ensemble).any(axis=1)]."
        )
    x = as_array("ensemble", ensemble)
    if x.ndim < 1 or x.shape[0] == 0:
        raise InputError(
            f"ensemble must be (member, ...) with at least one member; its shape is {x.shape}."
        )
    return x


def _pair(observed: ArrayLike, ensemble: ArrayLike) -> tuple[Array, Array]:
    x = _members(ensemble)
    y = as_array(
        "observed",
        observed,
        hint="Leave out the times that were not observed, in the ensemble too.",
    )
    if x.shape[1:] != y.shape:
        raise InputError(
            f"The ensemble must be (member, ...) over the {y.shape} of observed, but its shape is "
            f"{x.shape}. The member axis comes first."
        )
    return y, x
