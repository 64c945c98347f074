r"""From forecast to decision: what a forecast is worth to somebody who has to act.

.. math::

    \bar u(a) = \mathrm{E}_m\, u(a, y_m), \qquad a^* = \arg\max_a \bar u(a), \qquad
    V_\mathrm{perfect} = \mathrm{E}_m \max_a u(a, y_m) - \max_a \bar u(a) \;\ge\; 0

    V_\mathrm{forecast} = \frac{\overline{u(a^*_F, y)} - \overline{u(a^*_0, y)}}
                               {\overline{\max_a u(a, y)} - \overline{u(a^*_0, y)}}

==========================  =======================================  ================  ==========
symbol                      meaning                                  shape             code name
==========================  =======================================  ================  ==========
:math:`a`                   action                                   (action,)         actions
:math:`y_m`                 outcome in member m of a forecast        (member,)         outcomes
:math:`u(a, y)`             what it is worth, in any one currency    (action, member)  payoff
:math:`\bar u`              expected payoff                          (action,)         expected
:math:`a^*`                 best action                              --                best
:math:`V_\mathrm{perfect}`  what knowing :math:`y` would add         ()                --
:math:`a^*_F, a^*_0`        best action by forecast, by null model   (case,)           --
:math:`V_\mathrm{forecast}` 0: as good as the null, 1: as perfect    ()                --
==========================  =======================================  ================  ==========

A forecast has value only where it can change what is done. All members count the same; resample a
weighted ensemble first.

Sources: Raiffa & Schlaifer 1961, Applied Statistical Decision Theory (value of information);
Richardson 2000, QJRMS 126:649, doi:10.1002/qj.49712656313 (relative value of ensemble forecasts).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_kind, as_share, as_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "consequences",
    "portfolios",
    "value_of_forecast",
    "value_of_perfect_forecast",
]

Array = NDArray[np.float64]


def consequences(
    payoff: Callable[[Any, Array], ArrayLike], actions: Sequence[Any], outcomes: ArrayLike
) -> Array:
    """The consequence table: what each action is worth in each member of a forecast.

    Parameters
    ----------
    payoff : callable
        `payoff(action, outcomes) -> (member, ...)`, in one currency, larger is better.
    actions : sequence
    outcomes : array_like, (member, ...)

    Returns
    -------
    ndarray, (action, member, ...)

    Raises
    ------
    InputError
        No action, a payoff of another shape or NaN.

    Examples
    --------
    >>> consequences(lambda a, y: 3 - abs(a - y), actions=[0, 1], outcomes=[0.0, 1.0, 2.0])
    array([[3., 2., 1.],
           [2., 3., 2.]])
    """
    as_kind("actions", actions, list, tuple, np.ndarray, hint="Give a list of them.")
    as_kind("payoff", payoff, callable)
    y = as_array("outcomes", outcomes)
    if len(actions) == 0:
        raise InputError("There is no action to choose from; give at least one.")
    rows = []
    for action in actions:
        row = as_array(f"the payoff of {action!r}", _paid(payoff, action, y))
        if row.shape != y.shape:
            raise InputError(
                f"The payoff of {action!r} has shape {row.shape}, but there are outcomes of shape "
                f"{y.shape}: return one number for each outcome."
            )
        rows.append(row)
    return np.stack(rows)


def _paid(payoff: Callable[[Any, Array], ArrayLike], action: Any, y: Array) -> ArrayLike:
    try:
        return payoff(action, y)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise InputError(
            f"payoff stopped at the action {action!r:.60} and outcomes of shape {y.shape} with "
            f"{type(error).__name__}: {error}"
        ) from error


def value_of_perfect_forecast(table: ArrayLike) -> float:
    """What it would be worth to know the outcome before choosing; never below 0.

    Parameters
    ----------
    table : array_like, (action, member)
        From :func:`consequences`.

    Returns
    -------
    float
        In the currency of the table. No forecast can be worth more.

    Examples
    --------
    >>> value_of_perfect_forecast([[1.0, -1.0], [0.0, 0.0]])
    0.5
    """
    u = _table(table)
    return float(u.max(axis=0).mean() - u.mean(axis=1).max())


def value_of_forecast(
    payoff: Callable[[Any, Array], ArrayLike],
    actions: Sequence[Any],
    observed: ArrayLike,
    forecast: ArrayLike,
    null: ArrayLike,
) -> float:
    """Share of the value of a perfect forecast that a forecast has delivered, over many cases.

    In each case the action with the best expected payoff is taken, once by the forecast and once by
    the null model, and both are paid by what was observed.

    Parameters
    ----------
    payoff, actions
        As for :func:`consequences`.
    observed : array_like, (case,)
    forecast, null : array_like, (member, case)
        Their members may differ in number.

    Returns
    -------
    float
        1 like a perfect forecast, 0 like the null model, below 0 harmful.

    Raises
    ------
    InputError
        Shapes that do not fit, or a perfect forecast that would change nothing.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 0.0, 1.0])
    >>> off = lambda a, y: -abs(a - y)
    >>> round(value_of_forecast(off, [0, 1], y, y[None], [[0.0]] * np.ones(4)), 2)
    1.0
    """
    as_kind("actions", actions, list, tuple, np.ndarray, hint="Give a list of them.")
    as_kind("payoff", payoff, callable)
    y = as_array("observed", observed, shape=(None,))
    if y.ndim != 1:
        raise InputError(f"observed must be (case,), but its shape is {y.shape}.")

    def paid(ensemble: ArrayLike, name: str) -> float:
        x = as_array(name, ensemble, shape=(None, y.size))
        chosen = consequences(payoff, actions, x).mean(axis=1).argmax(axis=0)
        return float(paid_by[chosen, np.arange(y.size)].mean())

    paid_by = consequences(payoff, actions, y)
    best, base = float(paid_by.max(axis=0).mean()), paid(null, "null")
    reached = paid(forecast, "forecast")
    if best <= base:
        raise InputError(
            "The null model already takes the best action in every case, so no forecast can be worth "
            "anything here. Offer actions between which the outcome decides."
        )
    return (reached - base) / (best - base)


def portfolios(
    returns: ArrayLike,
    options: Sequence[str],
    *,
    parts: int = 10,
    limits: ArrayLike | None = None,
    low: float = 0.05,
) -> pd.DataFrame:
    """All ways to split one unit between options, with what they bring on average and at worst.

    Parameters
    ----------
    returns : array_like, (option, member)
        What one unit put into each option brings, member by member (common causes included).
    options : sequence of str
    parts : int
        Shares are multiples of 1/parts.
    limits : array_like, (option,), optional
        Largest share of each option.
    low : float
        Quantile that stands for "at worst".

    Returns
    -------
    pandas.DataFrame
        A row a split: the shares, `mean`, `low`, and `efficient`: no other split is better in both.

    Raises
    ------
    InputError
        Names that do not fit, limits that leave no split.

    Examples
    --------
    >>> table = portfolios([[1.0, 3.0], [3.0, 1.0]], ["wood", "soil"], parts=2)
    >>> print(table[["wood", "soil", "mean", "low"]].round(1).to_string(index=False))
     wood  soil  mean  low
      1.0   0.0   2.0  1.1
      0.5   0.5   2.0  2.0
      0.0   1.0   2.0  1.1
    """
    import pandas as pd

    as_kind("options", options, "__iter__", hint="Give a list of names.")
    low = as_share("low", low)
    r = _table(returns, "returns", "(option, member)")
    if len(options) != len(r):
        raise InputError(f"options names {len(options)}, but returns has {len(r)} rows.")
    parts = as_whole("parts", parts, 1)
    most = np.ones(len(r)) if limits is None else as_array("limits", limits, lower=0.0)
    if most.shape != (len(r),):
        raise InputError(f"limits must be one number for each option, but has {most.shape}.")
    picks = list(combinations_with_replacement(range(len(r)), parts))
    shares = np.array([np.bincount(p, minlength=len(r)) for p in picks]) / parts
    shares = shares[(shares <= most + 1e-12).all(axis=1)]
    if len(shares) == 0:
        raise InputError(
            f"The limits sum to {most.sum():.3g}, and no split into parts of 1/{parts} keeps them; "
            "raise them or take more parts."
        )
    outcome = shares @ r
    table = pd.DataFrame(shares, columns=list(options))
    table["mean"] = outcome.mean(axis=1)
    table["low"] = np.quantile(outcome, low, axis=1)
    order = np.lexsort((-table["low"], -table["mean"]))
    best = np.maximum.accumulate(np.r_[-np.inf, table["low"].to_numpy()[order]])[:-1]
    efficient = np.zeros(len(table), bool)
    efficient[order] = table["low"].to_numpy()[order] > best
    table["efficient"] = efficient
    return table


def _table(values: ArrayLike, name: str = "table", axes: str = "(action, member)") -> Array:
    u = as_array(name, values, shape=(None, None))
    if u.ndim != 2 or 0 in u.shape:
        raise InputError(f"{name} must be {axes}, but its shape is {u.shape}.")
    return u
