r"""Validation: is a skill earned, or lent by a neighbour?

.. math::

    R^2 = 1 - \frac{\sum_i (o_i - p_i)^2}{\sum_i (o_i - \bar{o})^2}, \qquad
    \mathrm{RMSE} = \sqrt{\tfrac{1}{n} \sum_i (p_i - o_i)^2}, \qquad
    \mathrm{bias} = \tfrac{1}{n} \sum_i (p_i - o_i)

======================  ===============================  ============  ==========  ============
symbol                  meaning                          shape         unit        code name
======================  ===============================  ============  ==========  ============
:math:`o`               observation                      (row,)        as given    observed
:math:`p`               prediction for the same row      (row,)        as given    predicted
:math:`\bar{o}`         mean of the observations         ()            as given    --
:math:`d`               great-circle distance            (site,)       km          distance_km
--                      fold of a site, 0 to n_folds−1   (site,)       --          fold
--                      block or group of a site         (site,)       --          group
======================  ===============================  ============  ==========  ============

The denominator of :math:`R^2` is the variance of the *observations*: with the variance of the
model in its place, as in some published code, a model that varies wildly scores well.

Soil profiles a few kilometres apart share climate, geology and often the surveyor. A random split
puts one of them in training and its neighbour in testing. Blocked folds keep a square of some
degrees whole (Roberts et al. 2017, Ecography 40:913, doi:10.1111/ecog.02881), and :func:`leakage`
measures what distance is left between the two sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Difference",
    "Folds",
    "Scores",
    "baselines",
    "block_ids",
    "blocked_folds",
    "bootstrap_difference",
    "bootstrap_score",
    "cross_predict",
    "great_circle_km",
    "group_folds",
    "leakage",
    "random_folds",
    "score_table",
    "scores",
]

EARTH_RADIUS_KM = 6371.0088  # mean radius R1, Moritz 2000, J. Geodesy 74:128

Rng = np.random.Generator | int


@dataclass(frozen=True, eq=False)
class Folds:
    """Which sites are tested together.

    Iterating yields `(train, test)` index arrays, one pair a fold.

    Attributes
    ----------
    fold : ndarray of int, (site,)
        Fold in which the site is tested.
    group : ndarray of int, (site,)
        Unit that is never split: block, biome, or the site itself. Bootstrap intervals
        resample these.
    kind : str
        "blocked", "group" or "random".
    near : ndarray of bool, (fold, site), or None
        Sites left out of training in that fold because they lie inside the buffer.
    """

    fold: NDArray[np.int64]
    group: NDArray[np.int64]
    kind: str
    near: NDArray[np.bool_] | None = None

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    def __len__(self) -> int:
        return self.n_folds

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        for k in range(self.n_folds):
            out = self.fold == k
            train = ~out if self.near is None else ~out & ~self.near[k]
            yield np.flatnonzero(train), np.flatnonzero(out)

    def with_buffer(self, lat: ArrayLike, lon: ArrayLike, distance_km: float) -> Folds:
        """The same folds, training sites closer than `distance_km` to any test site left out.

        Parameters
        ----------
        lat, lon : array_like, (site,)
            Degrees.
        distance_km : float
            Width of the buffer.

        Returns
        -------
        Folds

        Raises
        ------
        InputError
            The buffer empties the training side of a fold.
        """
        lat, lon = _coordinates(lat, lon)
        _same_length("lat", lat.size, "the folds", self.fold.size)
        near = np.zeros((self.n_folds, self.fold.size), dtype=bool)
        for k in range(self.n_folds):
            out = self.fold == k
            train = np.flatnonzero(~out)
            gap = _nearest_km(lat[train], lon[train], lat[out], lon[out])
            near[k, train[gap < distance_km]] = True
            if (out | near[k]).all():
                raise InputError(
                    f"A buffer of {distance_km:g} km leaves no training site in fold {k}. "
                    "Take a narrower buffer or more folds."
                )
        return Folds(self.fold, self.group, self.kind, near)


def block_ids(lat: ArrayLike, lon: ArrayLike, size: float = 2.0) -> NDArray[np.int64]:
    """Number of the degree block each site lies in.

    Parameters
    ----------
    lat, lon : array_like, (site,)
        Degrees; longitudes from -180 to 360 (both conventions fall into the same block).
    size : float
        Edge of a block in degrees.

    Returns
    -------
    ndarray of int, (site,)
        0 to number of blocks − 1.

    Examples
    --------
    >>> block_ids([40.1, 41.9, 42.1], [-100.5, -100.1, -100.5], size=2.0)
    array([0, 0, 1])
    """
    lat, lon = _coordinates(lat, lon)
    if not np.isfinite(size) or size <= 0:
        raise InputError(
            f"size is the edge of a block in degrees and must be above 0, but {size!r} was given."
        )
    lon = (lon + 180.0) % 360.0 - 180.0
    cell = np.stack([np.floor(lat / size), np.floor(lon / size)], axis=-1)
    return np.unique(cell, axis=0, return_inverse=True)[1].ravel()


def blocked_folds(
    lat: ArrayLike, lon: ArrayLike, size: float = 2.0, n_folds: int = 5, rng: Rng = 0
) -> Folds:
    """Folds of whole degree blocks, about equally many sites in each.

    Blocks are shuffled, then dealt from the most to the least populated, each to the fold that
    holds the fewest sites so far.

    Parameters
    ----------
    lat, lon : array_like, (site,)
        Degrees.
    size : float
        Edge of a block in degrees.
    n_folds : int
        Number of folds.
    rng : Generator or int

    Returns
    -------
    Folds

    Raises
    ------
    InputError
        Fewer blocks than folds.

    References
    ----------
    Roberts et al. 2017, Ecography 40:913, doi:10.1111/ecog.02881.

    Examples
    --------
    >>> folds = blocked_folds([10.1, 10.2, 20.1, 30.1], [5.0, 5.1, 5.0, 5.0], n_folds=2, rng=1)
    >>> folds.fold[0] == folds.fold[1]
    np.True_
    """
    group = block_ids(lat, lon, size)
    return _deal(
        group,
        n_folds,
        rng,
        "blocked",
        f"{size:g}-degree block",
        "Take smaller blocks or fewer folds.",
    )


def group_folds(groups: ArrayLike, n_folds: int | None = None, rng: Rng = 0) -> Folds:
    """Folds of whole groups (biomes, surveys, countries); by default each group is left out once.

    Parameters
    ----------
    groups : array_like, (site,)
        Label of the group each site belongs to.
    n_folds : int, optional
        Number of folds; default the number of groups.
    rng : Generator or int

    Returns
    -------
    Folds

    Examples
    --------
    >>> [test.tolist() for train, test in group_folds(["tundra", "steppe", "tundra"])]
    [[1], [0, 2]]
    """
    labels = np.asarray(groups)
    if labels.ndim != 1 or labels.size == 0:
        raise InputError(f"groups must be one label a site, but its shape is {labels.shape}.")
    missing = np.array([v is None or v != v or v == "" for v in labels.tolist()])
    if missing.any():
        raise InputError(
            f"groups has no label at {int(missing.sum())} site(s), the first at index "
            f"{int(missing.argmax())}. "
            "Drop these sites or give them a group of their own."
        )
    group = np.unique(labels.astype(str), return_inverse=True)[1].ravel()
    if n_folds is None:
        n = int(group.max()) + 1
        if n < 2:
            raise InputError(
                f"groups holds the one label {labels[0]!r}: leaving it out would leave "
                "nothing to train on."
            )
        return Folds(group, group, "group")
    return _deal(group, n_folds, rng, "group", "group", "Take fewer folds.")


def random_folds(n_sites: int, n_folds: int = 5, rng: Rng = 0) -> Folds:
    """Folds drawn at random: shown for contrast, too hopeful where neighbours resemble each other.

    Parameters
    ----------
    n_sites : int
    n_folds : int
    rng : Generator or int

    Returns
    -------
    Folds

    Examples
    --------
    >>> np.bincount(random_folds(10, n_folds=5).fold)
    array([2, 2, 2, 2, 2])
    """
    return _deal(np.arange(int(n_sites)), n_folds, rng, "random", "site", "Take fewer folds.")


def _deal(
    group: NDArray[np.int64], n_folds: int, rng: Rng, kind: str, unit: str, hint: str
) -> Folds:
    rng = np.random.default_rng(rng)
    if n_folds != int(n_folds) or n_folds < 2:
        raise InputError(
            f"n_folds must be a whole number of at least 2, but {n_folds!r} was given."
        )
    size = np.bincount(group)
    if size.size < n_folds:
        raise InputError(
            f"The {group.size} sites lie in {size.size} {unit}(s), which cannot fill "
            f"{n_folds} folds. {hint}"
        )
    order = rng.permutation(size.size)
    order = order[np.argsort(-size[order], kind="stable")]
    filled = np.zeros(n_folds, dtype=int)
    fold_of_group = np.empty(size.size, dtype=np.int64)
    for g in order:
        fold_of_group[g] = filled.argmin()
        filled[fold_of_group[g]] += size[g]
    return Folds(fold_of_group[group], group, kind)


def great_circle_km(
    lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike
) -> NDArray[np.float64]:
    """Great-circle distance between points, km (haversine on a sphere of the Earth's mean radius).

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : array_like
        Degrees; broadcast against each other.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> float(great_circle_km(0.0, 0.0, 0.0, 1.0).round(2))
    111.2
    """
    a1, o1, a2, o2 = (np.radians(as_array("coordinate", v)) for v in (lat1, lon1, lat2, lon2))
    h = np.sin((a2 - a1) / 2) ** 2 + np.cos(a1) * np.cos(a2) * np.sin((o2 - o1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(h, 1.0)))


def leakage(lat: ArrayLike, lon: ArrayLike, folds: Folds, near_km: float = 50.0) -> pd.DataFrame:
    """How far the test sites of each fold lie from the sites trained on.

    Parameters
    ----------
    lat, lon : array_like, (site,)
        Degrees.
    folds : Folds
    near_km : float
        What counts as a close neighbour.

    Returns
    -------
    pandas.DataFrame
        One row a fold: `train` and `test` (number of sites), `min_km` and `median_km` (distance
        from a test site to the nearest training site), `share_near` (share of test sites with a
        training site closer than `near_km`).

    Examples
    --------
    >>> folds = blocked_folds([0.0, 0.1, 50.0, 50.1], [0.0, 0.1, 0.0, 0.1], n_folds=2)
    >>> bool((leakage([0.0, 0.1, 50.0, 50.1], [0.0, 0.1, 0.0, 0.1], folds)["min_km"] > 5000).all())
    True
    """
    import pandas as pd

    lat, lon = _coordinates(lat, lon)
    _same_length("lat", lat.size, "the folds", folds.fold.size)
    rows = []
    for k, (train, test) in enumerate(folds):
        gap = _nearest_km(lat[test], lon[test], lat[train], lon[train])
        rows.append((k, train.size, test.size, gap.min(), np.median(gap), (gap < near_km).mean()))
    table = pd.DataFrame(
        rows, columns=["fold", "train", "test", "min_km", "median_km", "share_near"]
    )
    table.attrs["near_km"] = near_km
    return table.set_index("fold")


def _nearest_km(
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    to_lat: NDArray[np.float64],
    to_lon: NDArray[np.float64],
) -> NDArray[np.float64]:
    from scipy.spatial import cKDTree

    chord = cKDTree(_on_sphere(to_lat, to_lon)).query(_on_sphere(lat, lon))[0]
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2, 1.0))


def _on_sphere(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    a, o = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(a) * np.cos(o), np.cos(a) * np.sin(o), np.sin(a)], axis=-1)


@dataclass(frozen=True)
class Scores:
    """Scores of predictions on one scale.

    Attributes
    ----------
    r2 : float
        1 − squared error / variance of the observations; 0 is as good as their mean, below 0 worse.
    rmse, bias : float
        In the unit of the scale (for `log=True`: of the natural logarithm).
    n : int
        Number of observations.
    """

    r2: float
    rmse: float
    bias: float
    n: int


def scores(observed: ArrayLike, predicted: ArrayLike, *, log: bool = False) -> Scores:
    """R², RMSE and bias of predictions.

    Parameters
    ----------
    observed, predicted : array_like, (row,)
    log : bool
        Score the natural logarithms; both must then be above 0.

    Returns
    -------
    Scores

    Raises
    ------
    InputError
        Different lengths, NaN, fewer than two observations, observations that do not vary.

    Examples
    --------
    >>> scores([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]).r2
    0.5
    """
    o, p = _pair(observed, predicted, log)
    r2, rmse, bias = _from_sums(_sums(o, p, np.zeros(o.size, dtype=int))[0])
    return Scores(float(r2), float(rmse), float(bias), o.size)


def _pair(
    observed: ArrayLike, predicted: ArrayLike, log: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    limit: dict[str, Any] = (
        {"lower": 0.0, "strict": True, "hint": "Logarithms need values above 0."} if log else {}
    )
    o = as_array("observed", observed, **limit).ravel()
    p = as_array("predicted", predicted, **limit).ravel()
    _same_length("observed", o.size, "predicted", p.size)
    if log:
        o, p = np.log(o), np.log(p)
    if o.size < 2 or np.ptp(o) == 0:
        raise InputError(
            f"observed holds {o.size} value(s) without any spread: R² is not defined. "
            "Give observations that differ."
        )
    return o, p


def _sums(
    o: NDArray[np.float64], p: NDArray[np.float64], group: NDArray[np.int64]
) -> NDArray[np.float64]:
    # Centring the observations keeps sum(o²) − n·mean² free of cancellation.
    e, c = p - o, o - o.mean()
    return np.stack([np.bincount(group, w) for w in (np.ones_like(o), e, e * e, c, c * c)], axis=-1)


def _from_sums(
    s: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    n, e, ee, c, cc = np.moveaxis(s, -1, 0)
    return 1 - ee / (cc - c * c / n), np.sqrt(ee / n), e / n


_SCORE = {"r2": 0, "rmse": 1, "bias": 2}


@dataclass(frozen=True)
class Difference:
    """A score, or a difference of two, with its bootstrap interval.

    Attributes
    ----------
    value : float
        On the data as they are.
    lower, upper : float
        Percentile interval.
    level : float
        Its nominal coverage.
    n_blocks : int
        Number of units resampled.
    """

    value: float
    lower: float
    upper: float
    level: float
    n_blocks: int

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.lower > 0 or self.upper < 0

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.lower:+.3f}, {self.upper:+.3f}]"


def bootstrap_difference(
    observed: ArrayLike,
    predicted: ArrayLike,
    rival: ArrayLike,
    blocks: ArrayLike,
    *,
    score: str = "r2",
    log: bool = False,
    level: float = 0.95,
    draws: int = 2000,
    rng: Rng = 0,
) -> Difference:
    """Score of a prediction minus score of its rival, with a paired block-bootstrap interval.

    Both are scored on the same resampled blocks, so what makes a block hard for both cancels.

    Parameters
    ----------
    observed, predicted, rival : array_like, (row,)
    blocks : array_like of int, (row,)
        Block of each row; rows of a block are drawn together.
    score : {"r2", "rmse", "bias"}
    log : bool
        Score the natural logarithms.
    level : float
        Nominal coverage of the interval.
    draws : int
    rng : Generator or int

    Returns
    -------
    Difference

    References
    ----------
    Kunsch 1989, Annals of Statistics 17:1217, doi:10.1214/aos/1176347265 (blocks as the unit).

    Examples
    --------
    >>> o = np.arange(40.0)
    >>> rival = o + (-1.0) ** np.arange(40)
    >>> d = bootstrap_difference(o, o + 0.1, rival, np.arange(40) // 4, score="rmse")
    >>> round(d.value, 3), d.upper < 0
    (-0.9, True)
    """
    o, a = _pair(observed, predicted, log)
    _, b = _pair(observed, rival, log)
    return _bootstrap(o, (a, b), blocks, score, level, draws, rng)


def bootstrap_score(
    observed: ArrayLike,
    predicted: ArrayLike,
    blocks: ArrayLike,
    *,
    score: str = "r2",
    log: bool = False,
    level: float = 0.95,
    draws: int = 2000,
    rng: Rng = 0,
) -> Difference:
    """A score with its block-bootstrap interval; parameters as in :func:`bootstrap_difference`.

    Examples
    --------
    >>> o = np.arange(40.0)
    >>> round(bootstrap_score(o, o + 0.5, np.arange(40) // 4, score="bias").value, 3)
    0.5
    """
    o, a = _pair(observed, predicted, log)
    return _bootstrap(o, (a,), blocks, score, level, draws, rng)


def _bootstrap(
    o: NDArray[np.float64],
    predictions: tuple[NDArray[np.float64], ...],
    blocks: ArrayLike,
    score: str,
    level: float,
    draws: int,
    rng: Rng,
) -> Difference:
    rng = np.random.default_rng(rng)
    if score not in _SCORE:
        raise InputError(f"score {score!r} is not known; take one of {', '.join(_SCORE)}.")
    if not 0 < level < 1:
        raise InputError(f"level is a probability between 0 and 1, but {level!r} was given.")
    group = np.unique(np.asarray(blocks), return_inverse=True)[1].ravel()
    _same_length("blocks", group.size, "observed", o.size)
    n = int(group.max()) + 1
    if n < 2:
        raise InputError(
            "All rows lie in one block, so there is nothing to resample. Take smaller blocks."
        )
    if draws != int(draws) or draws < 1:
        raise InputError(f"draws is a whole number, at least 1, but {draws!r} was given.")
    counts = rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(float)
    pick = _SCORE[score]
    point, boot = np.zeros(()), np.zeros(draws)
    for sign, p in zip((1.0, -1.0), predictions):
        sums = _sums(o, p, group)
        point = point + sign * _from_sums(sums.sum(axis=0))[pick]
        with np.errstate(invalid="ignore", divide="ignore"):
            boot = boot + sign * _from_sums(counts @ sums)[pick]
    # A draw of one block alone, all of its rows equal, has no variance and hence no R².
    boot = boot[np.isfinite(boot)]
    lower, upper = np.quantile(boot, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(point), float(lower), float(upper), level, n)


def baselines(rng: Rng = 0, n_jobs: int = 1) -> dict[str, Any]:
    """The three to beat before a network is believed: mean, ridge regression, random forest.

    Parameters
    ----------
    rng : Generator or int
    n_jobs : int
        Cores for the forest.

    Returns
    -------
    dict of str to scikit-learn estimator
        Unfitted; keys "mean", "ridge", "forest".

    Examples
    --------
    >>> list(baselines())
    ['mean', 'ridge', 'forest']
    """
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(rng)
    return {
        "mean": DummyRegressor(),
        "ridge": make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 5, 25))),
        "forest": RandomForestRegressor(
            300,
            min_samples_leaf=3,
            max_features=0.4,
            n_jobs=n_jobs,
            random_state=int(rng.integers(2**31)),
        ),
    }


def cross_predict(
    estimator: Any,
    covariates: ArrayLike,
    target: ArrayLike,
    folds: Folds,
    *,
    site: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    report: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Predict every row by a copy of the estimator that has not seen its fold.

    Parameters
    ----------
    estimator : scikit-learn regressor
        Cloned for each fold, so scaling and tuning happen inside the training side only.
    covariates : array_like, (row, covariate)
    target : array_like, (row,) or (row, output)
    folds : Folds
        Over sites.
    site : array_like of int, (row,), optional
        Site of each row, when a site has several rows (the layers of a profile). Default one
        row a site.
    weights : array_like, (row,), optional
        Sample weights, for estimators that take them.
    report : callable, optional
        Called with the fold's number when it is done.

    Returns
    -------
    ndarray, shape of `target`

    Examples
    --------
    >>> x = np.linspace(0, 1, 40)[:, None]
    >>> p = cross_predict(baselines()["ridge"], x, 3 * x[:, 0], random_folds(40))
    >>> scores(3 * x[:, 0], p).r2 > 0.99
    True
    """
    from sklearn.base import clone

    x = as_array("covariates", covariates, shape=(None, None))
    y = as_array("target", target)
    _same_length("covariates", x.shape[0], "target", y.shape[0])
    row_site = np.arange(x.shape[0]) if site is None else np.asarray(site)
    _same_length("site", row_site.size, "target", y.shape[0])
    if row_site.size and (row_site.min() < 0 or row_site.max() >= folds.fold.size):
        raise InputError(
            f"site counts up to {row_site.max()}, but the folds know sites 0 to "
            f"{folds.fold.size - 1} only. "
            "Make the folds from the same sites."
        )
    w = None if weights is None else as_array("weights", weights, lower=0.0)
    out = np.full(y.shape, np.nan)
    for k, (train, test) in enumerate(folds):
        learn, ask = np.isin(row_site, train), np.isin(row_site, test)
        if not ask.any():
            continue
        model = clone(estimator)
        model.fit(x[learn], y[learn], **({} if w is None else {"sample_weight": w[learn]}))
        out[ask] = np.reshape(model.predict(x[ask]), out[ask].shape)
        if report is not None:
            report(k)
    return out


def score_table(results: Mapping[str, Scores]) -> pd.DataFrame:
    """Scores side by side, one row a method.

    Examples
    --------
    >>> score_table({"mean": scores([1.0, 2.0], [1.5, 1.5])}).loc["mean", "r2"]
    np.float64(0.0)
    """
    import pandas as pd

    return pd.DataFrame({name: vars(s) for name, s in results.items()}).T.astype({"n": int})


def _coordinates(lat: ArrayLike, lon: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hint = "Are latitude and longitude swapped?"
    a = as_array("lat", lat, lower=-90.0, upper=90.0, hint=hint)
    o = as_array("lon", lon, lower=-180.0, upper=360.0, hint="Longitudes are degrees east.")
    if a.ndim != 1 or a.shape != o.shape or a.size == 0:
        raise InputError(
            f"lat and lon must be one value a site each, but their shapes are "
            f"{a.shape} and {o.shape}."
        )
    return a, o


def _same_length(name: str, n: int, other: str, m: int) -> None:
    if n != m:
        raise InputError(f"{name} has {n} row(s) and {other} {m}: give one of each for every row.")
