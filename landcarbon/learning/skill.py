r"""Scores: how good are predictions, and is one better than another by more than chance?

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
======================  ===============================  ============  ==========  ============

The denominator of :math:`R^2` is the variance of the *observations*: with the variance of the
model in its place, as in some published code, a model that varies wildly scores well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import tails
from landcarbon.matrix.errors import (
    InputError,
    Rng,
    as_array,
    as_choice,
    as_kind,
    as_labels,
    as_rng,
    as_whole,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Difference",
    "Scores",
    "bootstrap_score",
    "ceiling",
    "score_table",
    "scores",
]



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
    observed: ArrayLike, predicted: ArrayLike, log: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    limit: dict[str, Any] = (
        {"lower": 0.0, "strict": True, "hint": "Logarithms need values above 0."} if log else {}
    )
    o = as_array("observed", observed, **limit).ravel()
    p = as_array("predicted", predicted, **limit).ravel()
    same_length("observed", o.size, "predicted", p.size)
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

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.lower:+.3f}, {self.upper:+.3f}]"


def bootstrap_score(
    observed: ArrayLike,
    predicted: ArrayLike,
    blocks: ArrayLike,
    *,
    rival: ArrayLike | None = None,
    score: str = "r2",
    level: float = 0.95,
    n_draws: int = 2000,
    rng: Rng = 0,
) -> Difference:
    """A score, or its difference to that of a rival, with a block-bootstrap interval.

    Both are scored on the same resampled blocks, so what makes a block hard for both cancels.

    Parameters
    ----------
    observed, predicted : array_like, (row,)
    blocks : array_like of int, (row,)
        Block of each row; rows of a block are drawn together.
    rival : array_like, (row,), optional
        Predictions of the rival: the score of `predicted` minus theirs.
    score : {"r2", "rmse", "bias"}
    level : float
        Nominal coverage of the interval.
    n_draws : int
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
    >>> blocks = np.arange(40) // 4
    >>> round(bootstrap_score(o, o + 0.5, blocks, score="bias").value, 3)
    0.5
    >>> rival = o + (-1.0) ** np.arange(40)
    >>> d = bootstrap_score(o, o + 0.1, blocks, rival=rival, score="rmse")
    >>> round(d.value, 3), d.upper < 0
    (-0.9, True)
    """
    rng = as_rng(rng)
    as_choice("score", score, _SCORE)
    low, high = tails(level)
    n_draws = as_whole("n_draws", n_draws, 1)
    o, p = _pair(observed, predicted)
    both = (p,) if rival is None else (p, _pair(observed, rival)[1])
    group = np.unique(as_labels("blocks", blocks), return_inverse=True)[1].ravel()
    same_length("blocks", group.size, "observed", o.size)
    n = int(group.max()) + 1
    if n < 2:
        raise InputError(
            "All rows lie in one block, so there is nothing to resample. Take smaller blocks."
        )
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_draws).astype(float)
    pick = _SCORE[score]
    point, boot = np.zeros(()), np.zeros(n_draws)
    for sign, said in zip((1.0, -1.0), both):
        sums = _sums(o, said, group)
        point = point + sign * _from_sums(sums.sum(axis=0))[pick]
        with np.errstate(invalid="ignore", divide="ignore"):
            boot = boot + sign * _from_sums(counts @ sums)[pick]
    # A draw of one block alone, all of its rows equal, has no variance and hence no R².
    boot = boot[np.isfinite(boot)]
    lower, upper = np.quantile(boot, [low, high])
    return Difference(float(point), float(lower), float(upper), level, n)


def ceiling(observed: ArrayLike, group: ArrayLike) -> float:
    r"""The R² that no prediction can exceed on average if it is the same throughout each group.

    .. math::

        R^2_{max} = 1 - \frac{\sum_g \sum_{i \in g} (o_i - \bar{o}_g)^2 / \sum_g (n_g - 1)}{\mathrm{Var}(o)}

    A map says one thing for a cell and a depth: what profiles of one cell differ by at one depth it cannot
    explain, however good it is.

    Parameters
    ----------
    observed : array_like, (row,)
    group : array_like, (row,)
        Rows between which a prediction cannot tell. Groups of one row say nothing and are left out.

    Returns
    -------
    float

    Raises
    ------
    InputError
        No group has two rows; observations that do not vary.

    Examples
    --------
    Two rows a group, one apart, and groups far apart:

    >>> round(ceiling([0.0, 1.0, 10.0, 11.0], ["a", "a", "b", "b"]), 3)
    0.985
    """
    o = as_array("observed", observed).ravel()
    group = np.unique(np.asarray(group), return_inverse=True)[1].ravel()
    same_length("group", group.size, "observed", o.size)
    size = np.bincount(group)
    if (size > 1).sum() == 0 or np.ptp(o) == 0:
        raise InputError(
            "no two rows share a group, or all observations are equal: nothing says how alike a group is."
        )
    within = (o - (np.bincount(group, o) / size)[group]) ** 2
    return float(1.0 - within.sum() / (size[size > 1] - 1).sum() / o.var(ddof=1))


def score_table(results: Mapping[str, Scores]) -> pd.DataFrame:
    """Scores side by side, one row a method.

    Examples
    --------
    >>> score_table({"mean": scores([1.0, 2.0], [1.5, 1.5])}).loc["mean", "r2"]
    np.float64(0.0)
    """
    import pandas as pd

    as_kind("results", results, Mapping)
    return pd.DataFrame({name: vars(s) for name, s in results.items()}).T.astype({"n": int})


def same_length(name: str, n: int, other: str, m: int) -> None:
    """Refuse columns of different length by name."""
    if n != m:
        raise InputError(f"{name} has {n} row(s) and {other} {m}: give one of each for every row.")
