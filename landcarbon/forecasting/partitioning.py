r"""Who owns the variance of a forecast.

.. math::

    v(S) = \mathrm{Var}_m(y \mid \text{sources } S \text{ on, the others held}), \qquad
    w(S) = \sum_{T \subseteq S} (-1)^{|S| - |T|} v(T), \qquad
    \sum_S w(S) = v(\text{all})

===================  ==================================  ============  ======  =========
symbol               meaning                             shape         unit    code name
===================  ==================================  ============  ======  =========
:math:`S`            set of sources switched on          --            --      part
:math:`v(S)`         variance over the members           (time, ...)   unit²   variance
:math:`w(\{a\})`     variance that source a makes alone  (time, ...)   unit²   variance
:math:`w(S)`         interaction of the sources in S     (time, ...)   unit²   variance
===================  ==================================  ============  ======  =========

The parts sum to the total by construction (inclusion and exclusion over all 2^n switchings). A
source alone is seen with the others held at their mean, so the parts depend on where that is; an
interaction is negative where sources damp each other or are correlated (initial state and
parameters of one posterior usually are).

Sources: Dietze 2017, doi:10.1002/eap.1589; Hawkins & Sutton 2009, doi:10.1175/2009BAMS2607.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

from landcarbon.forecasting.ensemble import SOURCES
from landcarbon.matrix.errors import InputError, as_kind
from landcarbon.matrix.labels import labelled

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["partition"]

ROUNDING = 1e-12  # variance of members that are all the same, relative to the total


def partition(
    run: Callable[[tuple[str, ...]], xr.DataArray],
    sources: Sequence[str] = SOURCES,
    *,
    interactions: str = "sum",
) -> xr.Dataset:
    """Variance by source and time, interactions included, summing to the total.

    Parameters
    ----------
    run : callable
        `run(on) -> DataArray (member, ...)`: the forecast with the sources `on` switched on, all
        others held, with the same seed each time. Called 2^n times.
    sources : sequence of str
        The n sources to tell apart; a source not named here is for `run` to keep on or off.
    interactions : {"sum", "each"}
        One part for all interactions together, or one for each set of sources.

    Returns
    -------
    xarray.Dataset
        `variance` and `share` (part, ...), `total` (...). Shares are NaN where nothing varies.

    Raises
    ------
    InputError
        Unknown option, no source, a run without the dimension `member`.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(2, 20_000))
    >>> def run(on):
    ...     return xr.DataArray(2 * a * ("a" in on) + b * ("b" in on), dims="member")
    >>> partition(run, ["a", "b"])["share"].round(1).values + 0.0
    array([0.8, 0.2, 0. ])
    """
    import xarray as xr

    as_kind("sources", sources, "__iter__", hint="Give the names of sources.")
    as_kind("run", run, callable)
    names = tuple(sources)
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"sources must name at least one source, each once, but {names} was given."
        )
    if interactions not in ("sum", "each"):
        raise InputError(f"interactions {interactions!r} is not known; take 'sum' or 'each'.")
    subsets = list(chain.from_iterable(combinations(names, k) for k in range(len(names) + 1)))
    v = {frozenset(s): _variance(run(s)) for s in subsets}
    w = {
        s: sum((-1) ** (len(s) - len(t)) * v[frozenset(t)] for t in subsets if set(t) <= set(s))
        for s in subsets
    }
    parts: dict[str, Any] = {s[0]: w[s] for s in subsets if len(s) == 1}
    total = v[frozenset(names)]
    # What varies with every source off (a source the caller kept on) must show, not vanish.
    if float(w[()].max()) > ROUNDING * float(total.max()):
        parts["other"] = w[()]
    mixed = {" × ".join(s): w[s] for s in subsets if len(s) > 1}
    if interactions == "each":
        parts.update(mixed)
    elif mixed:
        parts["interactions"] = sum(mixed.values())
    variance = xr.concat(list(parts.values()), dim=xr.Variable("part", list(parts)))
    data = xr.Dataset({"variance": variance, "total": total})
    data["share"] = variance / total.where(total > 0)
    unit = variance.attrs.get("units", "")
    return labelled(
        data,
        "Variance of a forecast, by source",
        units={"share": "1", "variance": unit, "total": unit} | dict.fromkeys(map(str, data.coords), ""),
        names={
            "share": "share of the total variance",
            "variance": "variance that a source brings in",
            "total": "variance with all sources on",
        },
    )


def _variance(values: xr.DataArray) -> xr.DataArray:
    if "member" not in getattr(values, "dims", ()):
        raise InputError(
            "Each run must return an xarray.DataArray with the dimension 'member', such as "
            "forecast(...)['X']."
        )
    out = values.var("member", ddof=1)
    unit = values.attrs.get("units")
    out.attrs = {"units": f"({unit})2"} if unit else {}
    return out
