r"""A forecasting cycle: ingest, assimilate, forecast, archive, score; then the next issue date.

.. math::

    D_T = \{ d_i : a_i \le T \}, \qquad
    p_T(\theta, X_T) = p(\theta, X_T \mid D_T), \qquad
    p_T(y_{T+h}) = \int p(y_{T+h} \mid \theta, X_T)\, p_T(\theta, X_T)\, d\theta\, dX_T

=================  ======================================  =================  =====  ============
symbol             meaning                                 shape              unit   code name
=================  ======================================  =================  =====  ============
:math:`T`          issue date: the day of the forecast     (issue,)           date   issues
:math:`d_i`        observation, stamped :math:`t_i`        (row,)             own    observations
:math:`a_i`        when it became available, if not        (row,)             date   available
                   :math:`t_i`
:math:`D_T`        what was known at the issue date        (row,)             own    now.known
:math:`p_T`        analysis: draws given :math:`D_T`       (member, ...)      own    analysis
:math:`h`          lead                                    (lead,)            d      lead
:math:`y_{T+h}`    forecast                                (member, lead)     own    forecast
=================  ======================================  =================  =====  ============

The three lines to type:

    archive = run_cycle(issues, table, assimilate, forecast, out="metolius", seed=1)
    scores = score(archive, table, "nee")
    horizon(scores.crps, score(null_archive, table, "nee").crps, archive.lead)

`assimilate(now)` and `forecast(now, analysis)` are the user's. They see the world through `now`
(:class:`Issue`), which holds what was known at the issue date and nothing else; a row stamped after
it is refused. A null model is a cycle too: the same issue dates, `assimilate=None`, a forecast
function that calls :mod:`landcarbon.forecasting.null`.

On disk, while the run is under way: one file an issue, `issues/00000012.nc`, kept by
:mod:`landcarbon.store`. At the end all of them are in `archive.nc`. A run that was killed goes on where
it stopped and ends in the same archive, bit for bit; more issue dates are appended; no forecast is ever
rewritten.

Sources: Dietze et al. 2018, doi:10.1073/pnas.1710231115 (the iterative cycle); Huang et al. 2019,
doi:10.5194/gmd-12-1119-2019 (EcoPAD: the cycle with a land carbon model).
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.runs import bar
from landcarbon.forecasting import scores as _scores
from landcarbon.forecasting.noise import add_observation_error
from landcarbon.matrix.errors import (
    InputError,
    Rng,
    as_array,
    as_kind,
    as_number,
    as_path,
    as_rng,
    as_stamps,
    as_whole,
)
from landcarbon.store import Store, fingerprint

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = [
    "Issue",
    "UnmatchedWarning",
    "guard",
    "known_at",
    "observation_table",
    "open_archive",
    "run_cycle",
    "score",
    "to_long_table",
    "treatment_effect",
]

Array = NDArray[np.float64]
Result = Mapping[Any, Any]

COLUMNS = ("time", "variable", "value", "sd")
OWN = ("n_known", "fingerprint")
FIRST, END = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")
DAY = np.timedelta64(1, "D") / np.timedelta64(1, "ns")


@dataclass(frozen=True)
class Issue:
    """What an issue date knows, and nothing else.

    Attributes
    ----------
    date : pandas.Timestamp or float
        The issue date.
    known : pandas.DataFrame
        The observations available at that date, oldest first.
    drivers : pandas.DataFrame or None
        The drivers up to that date.
    previous : xarray.Dataset or None
        The analysis of the issue before, with its date in `previous.issue`: yesterday's posterior
        is today's prior. None at the first.
    rng : Generator
        Random numbers of this issue date and this stage; they depend on the seed and on the date
        alone, not on what was issued before.
    """

    date: Any
    known: pd.DataFrame
    drivers: pd.DataFrame | None
    previous: xr.Dataset | None
    rng: np.random.Generator


Assimilate = Callable[[Issue], Result]
Forecast = Callable[[Issue, Any], Result]


def observation_table(
    frame: pd.DataFrame, variables: Sequence[str], time: str = "date"
) -> pd.DataFrame:
    """Observations in the long form the cycle reads: one row each.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row a time, with columns `x` and `x_sd` for each variable x; NaN where not observed.
    variables : sequence of str
    time : str
        Column with the date, or with a number (years, say).

    Returns
    -------
    pandas.DataFrame
        Columns time, variable, value, sd, ordered by time.

    Raises
    ------
    InputError
        A column that is not there, a value without a standard deviation.

    Examples
    --------
    >>> import pandas as pd
    >>> daily = pd.DataFrame({"date": ["2001-01-01", "2001-01-02"], "nee": [-1.2, float("nan")],
    ...                       "nee_sd": [0.5, 0.5]})
    >>> print(observation_table(daily, ["nee"]))
            time variable  value   sd
    0 2001-01-01      nee   -1.2  0.5
    """
    import pandas as pd

    as_kind("frame", frame, "columns", hint="Give a pandas DataFrame.")
    as_kind("time", time, str)
    as_kind("variables", variables, "__iter__", hint="Give the names of columns.")
    wanted = [time, *(c for v in variables for c in (v, f"{v}_sd"))]
    missing = [c for c in wanted if c not in frame]
    if missing:
        raise InputError(
            f"The table has no column {missing[0]!r}; for each variable x it needs x and x_sd, and "
            f"the time in {time!r}. It has {', '.join(map(str, frame.columns))}."
        )
    parts = []
    for variable in variables:
        seen = frame[variable].notna()
        parts.append(
            pd.DataFrame(
                {
                    "time": _stamps(time, frame.loc[seen, time]),
                    "variable": variable,
                    "value": as_array(str(variable), frame.loc[seen, variable]),
                    "sd": as_array(f"{variable}_sd", frame.loc[seen, f"{variable}_sd"], lower=0.0),
                }
            )
        )
    return _checked(pd.concat(parts, ignore_index=True))


def known_at(table: pd.DataFrame, date: Any) -> pd.DataFrame:
    """The rows that were available at a date: stamped, and if the table says so reported, by then.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column `time`, and perhaps `available`.
    date : date or float

    Returns
    -------
    pandas.DataFrame

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"time": [1.0, 2.0, 3.0], "available": [1.5, 4.0, 3.0]})
    >>> known_at(table, 3.0)["time"].tolist()
    [1.0, 3.0]
    """
    as_kind("table", table, "columns", hint="Give a pandas DataFrame.")
    T = _stamp(date)
    return table[_not_after("time", table, T) & _not_after("available", table, T)]


def guard(table: pd.DataFrame, date: Any) -> None:
    """Refuse rows that a forecast issued at this date could not have known.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column `time`, and perhaps `available`.
    date : date or float

    Raises
    ------
    InputError
        A row stamped, or reported, after the date.

    Examples
    --------
    >>> import pandas as pd
    >>> guard(pd.DataFrame({"time": [1.0, 2.0]}), 2.0)
    >>> guard(pd.DataFrame({"time": [1.0, 2.0]}), 1.5)
    Traceback (most recent call last):
        ...
    landcarbon.matrix.errors.InputError: 1 of 2 rows is stamped after the issue date 1.5: ...
    """
    as_kind("table", table, "columns", hint="Give a pandas DataFrame.")
    T = _stamp(date)
    for column, word in (("time", "stamped"), ("available", "available only")):
        late = ~_not_after(column, table, T)
        if late.any():
            row = table[late].iloc[0]
            what = f"{row['variable']} of " if "variable" in table else "the row of "
            when = "" if column == "time" else f", available on {_written(row[column])}"
            n = int(late.sum())
            raise InputError(
                f"{n} of {len(table)} rows {'is' if n == 1 else 'are'} {word} after the issue date "
                f"{_written(T)}: {what}{_written(row['time'])}{when}. A forecast of that date could "
                "not know it. Select what was known with known_at(table, date)."
            )


def run_cycle(
    issues: ArrayLike,
    observations: pd.DataFrame | Callable[[Any], pd.DataFrame],
    assimilate: Assimilate | None,
    forecast: Forecast,
    *,
    drivers: pd.DataFrame | None = None,
    out: str | os.PathLike[str] | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> xr.Dataset:
    """Ingest, assimilate, forecast and archive, at each issue date in turn.

    Parameters
    ----------
    issues : array_like, (issue,)
        Issue dates, increasing; dates, or numbers where the tables have numbers.
    observations : pandas.DataFrame or callable
        Columns time, variable, value, sd, and perhaps `available`: when the value was reported, if
        that is later than `time` (see :func:`observation_table`). Or `ingest(date)`, which returns
        such a table with what is known at the date.
    assimilate : callable or None
        `assimilate(now) -> analysis`, with `now` an :class:`Issue`: a Dataset, or a mapping of
        ``name: (dims, array)``. None for a forecast without an analysis (a null model).
    forecast : callable
        `forecast(now, analysis) -> forecast`: a Dataset with the dimensions "member" and "lead",
        its variables named as in the observations, and a coordinate `lead`: days where issue dates
        are dates, else in the unit of the dates. Lead 0 is the issue date itself.
    drivers : pandas.DataFrame, optional
        Column time and any others. Reaches the functions as `now.drivers`, up to the issue date.
    out : path, optional
        Folder of the archive. The same call on the same folder continues, or returns what is there;
        with more issue dates it appends. None keeps the archive in memory only.
    seed : int
    progress : bool, optional
        Show a progress bar; by default on a terminal only.

    Returns
    -------
    xarray.Dataset
        Analysis and forecast along "issue", with the valid time of each lead `time` (issue, lead),
        the number of observations each issue knew, `n_known`, and a `fingerprint` of them.

    Raises
    ------
    InputError
        A row later than the issue date, issue dates that do not increase or that are not those of
        the archive so far, observations known at an archived issue date that have changed since,
        functions other than those the archive was made with, an archive that was damaged, a folder
        in which another process is at work, a full disk, results that cannot be labelled.

    Notes
    -----
    What a function closes over, the cycle cannot see: a forecast function that reads a file with
    next week's weather is not caught by the guard, but by running the cycle once more with the
    later rows cut off or falsified and comparing the archives. They must be identical.

    The folder knows the functions by their code and by what they close over
    (:func:`landcarbon.store.fingerprint`): edited, they are another run, for another folder. Global
    names that they read it does not see.

    Examples
    --------
    A forecast that repeats the last value, with the spread of the values so far:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"time": np.arange(6.0), "variable": "carbon", "sd": 0.1,
    ...                       "value": [5.0, 5.1, 4.9, 5.0, 5.2, 4.8]})
    >>> def last_value(now, analysis):
    ...     y = now.known["value"].to_numpy()
    ...     members = y[-1] + y.std() * now.rng.standard_normal((50, 2))
    ...     return {"carbon": (("member", "lead"), members), "lead": [1.0, 2.0]}
    >>> archive = run_cycle([2.0, 3.0, 4.0], table, None, last_value)
    >>> archive.carbon.dims, archive.n_known.values.tolist()
    (('issue', 'member', 'lead'), [3, 4, 5])
    >>> score(archive, table, "carbon").observed.values.tolist()
    [[5.0, 5.2], [5.2, 4.8], [4.8, nan]]
    """
    as_kind("forecast", forecast, callable)
    dates = _issue_dates(issues)
    seed = as_whole("seed", seed)
    ingest = observations if callable(observations) else _Table(_checked(observations))
    weather = None if drivers is None else _checked(drivers, ("time",))
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            return _run(dates, ingest, assimilate, forecast, weather, as_path("folder", folder), seed, progress)
    return _run(dates, ingest, assimilate, forecast, weather, Path(out), seed, progress)


def _run(
    dates: NDArray[Any],
    ingest: Callable[[Any], pd.DataFrame],
    assimilate: Assimilate | None,
    forecast: Forecast,
    drivers: pd.DataFrame | None,
    folder: Path,
    seed: int,
    progress: bool | None,
) -> xr.Dataset:
    with Store(folder) as store:
        card = {"seed": seed, "issue dates are": _kind(dates), "assimilate": assimilate, "forecast": forecast}
        store.claim(card, "seed, kind of issue dates and functions")
        final = store.path("archive")
        archived = _archived(final) if final.exists() else None
        n_archived = 0 if archived is None else archived.sizes["issue"]
        check = partial(_as_archived, folder=folder, ingest=ingest, drivers=drivers)
        if archived is not None:
            check(dates, archived)
        previous = None if archived is None else _analysis(archived.isel(issue=-1))
        todo = range(n_archived, dates.size)
        parts = [] if archived is None else [archived]
        for k in bar(todo, len(todo), "issues", "issue", progress):
            make = partial(_issue, dates[k], ingest, assimilate, forecast, drivers, previous, seed)
            with _noting(dates[k]):
                one = store.once(f"issues/{k:08d}", {}, make, _encoding(dates))
            check(dates[k : k + 1], one)
            previous = _analysis(one.isel(issue=0))
            parts.append(one)
        if todo:
            store.write("archive", {}, _joined(parts), _encoding(dates))
        store.forget("issues")
        return open_archive(folder).isel(issue=slice(dates.size))


@contextmanager
def _noting(date: Any) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"This happened at the issue date {_written(date)}.")
        raise


def _archived(file: Path) -> xr.Dataset:
    """What is archived so far, bit for bit; never made anew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive = Store(file.parent).read(file.stem)
    if archive is None:
        raise InputError(
            f"{file} is no archive of run_cycle, or was damaged after it was written. An archive is never "
            "rewritten: bring it back from a copy, or choose another folder."
        )
    return archive


def _as_archived(
    dates: NDArray[Any],
    archived: xr.Dataset,
    folder: Path,
    ingest: Callable[[Any], pd.DataFrame],
    drivers: pd.DataFrame | None,
) -> None:
    """Refuse a schedule or knowledge other than that of the issues which were kept."""
    _same_start(dates, archived["issue"].values, folder)
    if isinstance(ingest, _Table):
        _same_knowledge(dates, archived, ingest, drivers)


def _issue(
    date: Any,
    ingest: Callable[[Any], pd.DataFrame],
    assimilate: Assimilate | None,
    forecast: Forecast,
    drivers: pd.DataFrame | None,
    previous: xr.Dataset | None,
    seed: int,
) -> xr.Dataset:
    """One issue date: what was known, what was made of it, what it says of the days to come."""
    when = _shown(date)
    known = _checked(ingest(when))
    guard(known, date)
    past = None if drivers is None else known_at(drivers, date)
    if past is not None:
        guard(past, date)

    def now(stage: int) -> Issue:
        sequence = np.random.SeedSequence(seed, spawn_key=(_as_integer(date), stage))
        return Issue(when, known.copy(), past, previous, np.random.default_rng(sequence))

    analysis = None
    if assimilate is not None:
        analysis = _labelled("assimilate", _asked("assimilate", assimilate, now(0)))
    ahead = _labelled("forecast", _asked("forecast", forecast, now(1), analysis))
    _check_forecast(ahead)
    found = ahead if analysis is None else _merged(analysis, ahead)
    found = found.assign(n_known=len(known), fingerprint=_fingerprint(known, past))
    found = found.expand_dims(issue=np.atleast_1d(date))
    found["lead"].attrs["units"] = "d" if _kind(date) == "dates" else "as the issue dates"
    return found.assign_attrs(analysis=",".join(map(str, analysis or ())))


def _asked(stage: str, function: Callable[..., Any], issue: Issue, *more: Any) -> Any:
    """What a function of the caller returns; where it stops, which issue that was and what it knew."""
    try:
        return function(issue, *more)
    except InputError:
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        raise InputError(
            f"{stage} stopped at the issue of {_written(issue.date)}, which knew {len(issue.known)} "
            f"observation(s), with {type(error).__name__}: {error}"
        ) from error


class _Table:
    """The default ingest: cut a table at the issue date."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    def __call__(self, date: Any) -> pd.DataFrame:
        return known_at(self.table, date).reset_index(drop=True)


def open_archive(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read an archive, its folder or its file, with the valid time of each lead.

    Parameters
    ----------
    path : path

    Returns
    -------
    xarray.Dataset
        As returned by :func:`run_cycle`.

    Raises
    ------
    InputError
        No archive there.
    """
    file = as_path("path", path)
    file = file / "archive.nc" if file.is_dir() else file
    if not file.exists():
        raise InputError(
            f"There is no archive in {file.parent.name!r} yet: run_cycle(..., out=...) makes it, "
            "once all issue dates are done."
        )
    archive = _archived(file)
    issue, lead = archive["issue"].values, archive["lead"].values
    if _kind(issue) == "dates":
        step = np.round(lead * DAY).astype("timedelta64[ns]")
        time = issue.astype("datetime64[ns]")[:, None] + step
    else:
        time = issue[:, None] + lead
    return archive.assign_coords(time=(("issue", "lead"), time))


class UnmatchedWarning(UserWarning):
    """Observations within the time of a forecast that belong to no number of it."""


def _paired(archive: Any, ensemble: Any, rows: Any, within: float) -> tuple[Array, Array, Array, int]:
    """What was observed of each forecast, its sd (NaN where nothing was), the valid times, and rows left over."""
    import pandas as pd

    variable = str(ensemble.name)
    extra = [str(d) for d in ensemble.dims[3:]]
    rows = rows[rows["variable"] == variable]
    missing = [name for name in extra if name not in rows]
    if missing:
        raise InputError(
            f"The forecast of {variable} has the dimension {missing[0]!r}, but the observations "
            "have no column of that name."
        )
    keys = ["time", *extra]
    times = archive["time"].transpose("issue", "lead").values
    if len(rows) and _kind(rows["time"]) != _kind(times):
        raise InputError(
            f"The observations are stamped with {_kind(rows['time'])}, the archive with "
            f"{_kind(times)}."
        )
    if _kind(times) == "numbers":
        within = max(within, 1e-9 * max(1.0, float(np.abs(times).max())))  # rounding is no other time
    if within:
        rows = rows.assign(time=_nearest(rows["time"].to_numpy(), np.unique(times), within))
    twice = rows.duplicated(keys)
    if twice.any():
        raise InputError(
            f"There are two observations of {variable} at {_written(rows[twice]['time'].iloc[0])}; "
            "average them before scoring."
        )
    axes = [times.ravel(), *(ensemble[name].values for name in extra)]
    index = pd.MultiIndex.from_product(axes, names=keys) if extra else pd.Index(axes[0])
    found = rows.set_index(keys if extra else "time")[["value", "sd"]].reindex(index)
    value, sd = (found[c].to_numpy(float).reshape(ensemble.shape[1:]) for c in ("value", "sd"))
    within_span = rows[(rows["time"] >= times.min()) & (rows["time"] <= times.max())]
    known = pd.MultiIndex.from_frame(within_span[keys]) if extra else pd.Index(within_span["time"])
    lost = within_span[~known.isin(index)]
    if len(lost):
        first = ", ".join(f"{k} {_written(lost[k].iloc[0]) if k == 'time' else lost[k].iloc[0]}" for k in keys)
        warnings.warn(
            f"{len(lost)} of {len(within_span)} observations of {variable} within the time of the forecast match no "
            f"number of it; the first: {first}. Allow within= some days, or name treatments as the forecast does.",
            UnmatchedWarning, stacklevel=3,
        )  # fmt: skip
    return value, sd, times, len(lost)


def _nearest(stamps: NDArray[Any], valid: NDArray[Any], within: float) -> NDArray[Any]:
    """Each stamp as the valid time nearest to it, if that is near enough; dates by the calendar."""
    reach = within if valid.dtype.kind != "M" else np.timedelta64(round(within * 86400e9), "ns")
    pick = np.searchsorted(valid[:-1] + np.diff(valid) / 2, stamps)
    return np.where(np.abs(valid[pick] - stamps) <= reach, valid[pick], stamps)


def score(
    archive: xr.Dataset,
    observations: pd.DataFrame,
    variable: str,
    *,
    error: bool = True,
    level: float = 0.9,
    within: float = 0.0,
    rng: Rng = 0,
) -> xr.Dataset:
    """Score archived forecasts with what has been observed since.

    Parameters
    ----------
    archive : xarray.Dataset
        From :func:`run_cycle` or :func:`open_archive`.
    observations : pandas.DataFrame
        Columns time, variable, value, sd. Where the forecast has a further dimension (a treatment,
        say), a column of that name tells which row belongs where.
    variable : str
    error : bool
        Add the error of the observation, `sd`, to each member: the forecast is then one of what
        will be measured, which is what is compared.
    level : float
        Nominal coverage of the central interval.
    within : float
        Days: an observation belongs to the valid time nearest to it, if it is so near. Stocks in the
        autumn of a year meet a forecast of its last day with 100.
    rng : Generator or int
        For the errors and for ties in the PIT.

    Returns
    -------
    xarray.Dataset
        `observed`, `crps`, `pit`, `inside` (1 in the interval, 0 outside), `mean` and `spread` of
        the ensemble, each (issue, lead, ...), NaN where nothing was observed. The attribute `unmatched`
        counts the rows between the first and the last valid time that belong to no number.

    Raises
    ------
    InputError
        A variable that was not forecast or not observed, two observations at one time, no valid
        time that was observed.

    Warns
    -----
    UnmatchedWarning
        Rows in the time of the forecast that match none of its dates or treatments.
    """
    import xarray as xr

    as_kind("archive", archive, "data_vars", hint="Give what run_cycle returns.")
    as_kind("variable", variable, str)
    if variable not in archive or "member" not in archive[variable].dims:
        names = [str(n) for n, v in archive.data_vars.items() if {"member", "lead"} <= {*v.dims}]
        raise InputError(f"{variable!r} was not forecast; the archive has {', '.join(names)}.")
    ensemble = archive[variable].transpose("member", "issue", "lead", ...)
    within = as_number("within", within, lower=0.0)
    value, sd, times, lost = _paired(archive, ensemble, _checked(observations), within)
    seen = np.isfinite(value)
    if not seen.any():
        raise InputError(
            f"None of the {seen.size} forecasts of {variable} has been observed: the valid times "
            f"run from {_written(times.min())} to {_written(times.max())}."
        )
    rng = as_rng(rng)
    members, y = ensemble.values[:, seen], value[seen]
    measured = add_observation_error(members, sd[seen], rng=rng) if error else members
    lower, upper = _scores.interval(measured, level)
    parts = {
        "observed": y,
        "crps": _scores.crps(y, measured, fair=True),
        "pit": _scores.pit(y, measured, rng),
        "inside": ((lower <= y) & (y <= upper)).astype(float),
        "mean": members.mean(axis=0),
        "spread": members.std(axis=0, ddof=1),
    }
    unit = ensemble.attrs.get("units", "")
    units = {"pit": "1", "inside": "1"}
    out = xr.Dataset(coords={n: c for n, c in ensemble.coords.items() if "member" not in c.dims})
    for name, values in parts.items():
        whole = np.full(seen.shape, np.nan)
        whole[seen] = values
        out[name] = (ensemble.dims[1:], whole, {"units": units.get(name, unit)})
    return out.assign_attrs(variable=variable, level=level, unmatched=lost)


def treatment_effect(
    archive: xr.Dataset, variable: str, treated: Mapping[str, Any], control: Mapping[str, Any],
    observations: pd.DataFrame | None = None, *, level: float = 0.9, within: float = 0.0, rng: Rng = 0,
) -> pd.DataFrame:
    """Treated minus control, member by member: what is common to both falls out.

    Parameters
    ----------
    archive : xarray.Dataset
        From :func:`run_cycle`.
    variable : str
    treated, control : mapping
        Value of each further dimension: ``{"warmer": 9.0, "co2": 390}``.
    observations : pandas.DataFrame, optional
        As :func:`score` takes them. An effect is observed where both were; errors add in quadrature.
    level, within, rng
        As :func:`score`.

    Returns
    -------
    pandas.DataFrame
        One row an issue and lead: `issue`, `time`, `mean`, `lower`, `upper` of the effect that was forecast;
        with observations also `observed`, `sd`, and `inside`: does it lie in the interval, its error added?

    Raises
    ------
    InputError
        A variable that was not forecast, a treatment that there is not.
    """
    import pandas as pd
    import xarray as xr

    if variable not in archive or "member" not in archive[variable].dims:
        raise InputError(f"{variable!r} was not forecast; the archive has {', '.join(map(str, archive.data_vars))}.")
    whole = archive[variable].transpose("member", "issue", "lead", ...)
    sides = []
    for what, side in (("treated", treated), ("control", control)):
        as_kind(what, side, Mapping, hint="Such as {'warmer': 9.0}.")
        if set(side) != set(map(str, whole.dims[3:])):
            raise InputError(f"{what} must name each of {', '.join(map(str, whole.dims[3:])) or 'no treatment'}.")
        for name, value in side.items():
            if value not in whole[name].values:
                raise InputError(f"there is no {name} {value!r}; there are {', '.join(map(str, whole[name].values))}.")
        sides.append(dict(side))
    change = (whole.sel(sides[0]) - whole.sel(sides[1])).transpose("member", "issue", "lead").values
    times = archive["time"].transpose("issue", "lead").values
    out = pd.DataFrame({"issue": np.repeat(archive["issue"].values, times.shape[1]), "time": times.ravel(),
                        "mean": change.mean(0).ravel()})  # fmt: skip
    out["lower"], out["upper"] = (x.ravel() for x in _scores.interval(change, level))
    if observations is None:
        return out
    rows = _checked(observations)
    for name in sides[0]:
        rows = rows[rows[name].isin([side[name] for side in sides])] if name in rows else rows
    value, sd, _, _ = _paired(archive, whole, rows, as_number("within", within, lower=0.0))
    both = xr.Dataset({"y": (whole.dims[1:], value), "sd": (whole.dims[1:], sd)}, coords=whole.coords)
    (y1, s1), (y0, s0) = ((part["y"].values, part["sd"].values) for part in (both.sel(side) for side in sides))
    out["observed"], out["sd"] = (y1 - y0).ravel(), np.hypot(s1, s0).ravel()
    seen = out["observed"].notna().to_numpy()
    noisy = add_observation_error(change.reshape(len(change), -1)[:, seen], out["sd"].to_numpy()[seen], rng=as_rng(rng))
    lower, upper = _scores.interval(noisy, level)
    out["inside"] = np.nan
    out.loc[seen, "inside"] = ((lower <= out["observed"][seen]) & (out["observed"][seen] <= upper)).astype(float)
    return out


def to_long_table(archive: xr.Dataset, model_id: str, site_id: str = "") -> pd.DataFrame:
    """Forecasts in the columns of the Ecological Forecasting Initiative, one row a number.

    Parameters
    ----------
    archive : xarray.Dataset
        From :func:`run_cycle`.
    model_id, site_id : str
        Names of the model and of the site.

    Returns
    -------
    pandas.DataFrame
        reference_datetime (the issue date), datetime, site_id, model_id, family ("ensemble"),
        parameter (the member), variable, prediction; ready for `to_csv`.

    References
    ----------
    Dietze et al. 2023, Ecosphere 14:e4686, doi:10.1002/ecs2.4686.
    """
    import pandas as pd

    parts = []
    for name, forecast in archive.data_vars.items():
        if set(forecast.dims) != {"issue", "member", "lead"}:
            continue
        wide = forecast.transpose("issue", "lead", "member")
        n = wide.sizes["member"]
        times = archive["time"].transpose("issue", "lead").values
        parts.append(
            pd.DataFrame(
                {
                    "reference_datetime": np.repeat(archive["issue"].values, times.shape[1] * n),
                    "datetime": np.repeat(times.ravel(), n),
                    "site_id": site_id,
                    "model_id": model_id,
                    "family": "ensemble",
                    "parameter": np.tile(np.arange(n), times.size),
                    "variable": str(name),
                    "prediction": wide.values.ravel(),
                }
            )
        )
    if not parts:
        raise InputError("The archive has no variable with the dimensions issue, member and lead.")
    return pd.concat(parts, ignore_index=True)


def _checked(table: pd.DataFrame, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
    """The table with stamps as dates or numbers, oldest first."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"A table is a pandas.DataFrame with the columns {', '.join(columns)}, but "
            f"{type(table).__name__} was given."
        )
    missing = [c for c in columns if c not in table]
    if missing:
        raise InputError(
            f"The table has no column {missing[0]!r}; it needs {', '.join(columns)} and has "
            f"{', '.join(map(str, table.columns))}. observation_table(frame, variables) makes "
            "such a table from columns x and x_sd."
        )
    table = table.assign(time=_stamps("time", table["time"]))
    if "available" in table:
        table = table.assign(available=_stamps("available", table["available"]))
        early = (table["available"] < table["time"]).to_numpy()
        if early.any():
            raise InputError(
                f"{int(early.sum())} row(s) became available before they were measured, the first "
                f"of {_written(table['time'][early].iloc[0])}. Perhaps the columns are swapped."
            )
    if "value" in columns:
        as_array("value", table["value"], hint="Leave out rows without a value.")
        as_array("sd", table["sd"], lower=0.0, hint="sd is the standard deviation of the error.")
    return table.sort_values("time", kind="stable", ignore_index=True)


def _stamps(name: str, values: Any) -> NDArray[Any]:
    """Dates as datetime64[ns], numbers as float."""
    return as_stamps(name, values)


def _stamp(date: Any) -> Any:
    return np.atleast_1d(_stamps("date", date))[0]


def _kind(stamps: Any) -> str:
    return "dates" if np.asarray(stamps).dtype.kind == "M" else "numbers"


def _not_after(column: str, table: pd.DataFrame, T: Any) -> NDArray[np.bool_]:
    if column not in table:
        if column == "time":
            raise InputError("The table has no column 'time'.")
        return np.ones(len(table), bool)
    stamps = _stamps(column, table[column])
    if len(stamps) and _kind(stamps) != _kind(T):
        raise InputError(
            f"The column {column!r} holds {_kind(stamps)}, but the issue date {_written(T)} is one "
            f"of {_kind(T)}: use the same for both."
        )
    return np.asarray(stamps <= T) if len(stamps) else np.ones(0, bool)


def _issue_dates(issues: ArrayLike) -> NDArray[Any]:
    dates = np.atleast_1d(_stamps("issues", issues))
    if dates.ndim != 1 or dates.size == 0:
        raise InputError(f"issues must be a row of dates, but its shape is {dates.shape}.")
    later = dates[1:] > dates[:-1]
    if not later.all():
        k = int(np.argmin(later))
        raise InputError(
            f"issue dates must increase, but {_written(dates[k + 1])} follows {_written(dates[k])}."
        )
    return dates


def _labelled(stage: str, result: Any) -> xr.Dataset:
    import xarray as xr

    if not isinstance(result, Mapping):
        raise InputError(
            f"{stage} returned {type(result).__name__}; an xarray.Dataset is expected, or a "
            'mapping such as {"nee": (("member", "lead"), array), "lead": [1, 2, 3]}.'
        )
    try:
        data = result if isinstance(result, xr.Dataset) else xr.Dataset(result)
    except (TypeError, ValueError) as error:
        raise InputError(f"what {stage} returned is no dataset: {error}") from None
    taken = [n for n in (*OWN, "issue", "time") if n in data.data_vars or n in data.dims]
    if taken:
        raise InputError(
            f"{stage} returned {taken[0]!r}, a name that the archive needs for itself."
        )
    for name, values in data.data_vars.items():
        if values.dtype.kind == "f" and not np.isfinite(values.values).all():
            raise InputError(f"{stage} returned NaN or infinity in {str(name)!r}.")
    return _bare(data.reset_coords(drop=True))


def _bare(data: xr.Dataset) -> xr.Dataset:
    """Without global attributes and without a memory of files."""
    data = data.drop_encoding()
    data.attrs = {}
    return data


def _check_forecast(ahead: xr.Dataset) -> None:
    for name in ("member", "lead"):
        if name not in ahead.dims:
            raise InputError(
                f"the forecast has no dimension {name!r}, only {', '.join(map(str, ahead.dims))}."
            )
    if "lead" not in ahead.coords:
        raise InputError('the forecast needs the coordinate "lead": how far ahead each number is.')
    lead = as_array("lead", ahead["lead"].values, lower=0.0)
    if (np.diff(lead) <= 0).any():
        raise InputError("the leads of a forecast must increase.")


def _merged(analysis: xr.Dataset, ahead: xr.Dataset) -> xr.Dataset:
    import xarray as xr

    both = set(analysis.data_vars) & set(ahead.data_vars)
    if both:
        raise InputError(
            f"Analysis and forecast both have a variable {sorted(map(str, both))[0]!r}; name the "
            "one in the analysis otherwise."
        )
    for dim in set(map(str, analysis.dims)) & set(map(str, ahead.dims)):
        if analysis.sizes[dim] != ahead.sizes[dim]:
            raise InputError(
                f"The analysis has {analysis.sizes[dim]} along {dim!r}, the forecast "
                f"{ahead.sizes[dim]}; give one of the two dimensions another name."
            )
    return xr.merge([analysis, ahead], join="exact")


def _joined(parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    try:
        return xr.concat(
            [part.drop_encoding() for part in parts],
            "issue",
            data_vars="all",
            coords="minimal",
            compat="override",
            join="exact",
            combine_attrs="override",
        )
    except ValueError as error:
        raise InputError(
            f"The issues do not fit into one dataset: {error}. All must have the same members, "
            "leads and variables."
        ) from None


def _encoding(dates: NDArray[Any]) -> dict[str, Any]:
    days = {"units": "seconds since 1970-01-01", "dtype": "int64"}
    return {"issue": days} if _kind(dates) == "dates" else {}


def _analysis(one: xr.Dataset) -> xr.Dataset | None:
    names = [n for n in one.attrs["analysis"].split(",") if n]
    return _bare(one[names]) if names else None


def _same_start(dates: NDArray[Any], there: NDArray[Any], folder: Path) -> None:
    n = min(dates.size, there.size)
    if not np.array_equal(dates[:n], there[:n]):
        k = int(np.argmin(dates[:n] == there[:n]))
        raise InputError(
            f"The archive in {folder.name!r} has {_written(there[k])} where the schedule has "
            f"{_written(dates[k])}. Issue dates can be appended, not changed: choose another "
            "folder for another schedule."
        )


def _same_knowledge(
    dates: NDArray[Any], archived: xr.Dataset, ingest: _Table, drivers: pd.DataFrame | None
) -> None:
    for date, found, n in zip(dates, archived["fingerprint"].values, archived["n_known"].values):
        known = ingest(date)
        past = None if drivers is None else known_at(drivers, date)
        if _fingerprint(known, past) != found:
            raise InputError(
                f"What was known at {_written(date)} has changed since that forecast was archived "
                f"({int(n)} observations then, {len(known)} now, or other values). An archive is "
                "never rewritten: choose another folder for the revised data."
            )


def _fingerprint(known: pd.DataFrame, drivers: pd.DataFrame | None) -> str:
    """The same whenever the same was known: values by column, whatever the rows are called."""
    tables = (known, drivers)
    return fingerprint([t if t is None else t.reset_index(drop=True)[sorted(t.columns)] for t in tables])


def _as_integer(stamp: Any) -> int:
    number = np.asarray(stamp)
    bits = number.astype("datetime64[ns]") if number.dtype.kind == "M" else number.astype("<f8")
    return int(bits.view("<u8"))


def _shown(stamp: Any) -> Any:
    import pandas as pd

    return pd.Timestamp(stamp) if _kind(stamp) == "dates" else float(stamp)


def _written(stamp: Any) -> str:
    if np.asarray(stamp).dtype.kind != "M" and not hasattr(stamp, "isoformat"):
        return f"{float(stamp):g}"
    text = str(np.asarray(stamp, dtype="datetime64[ns]").astype("datetime64[m]"))
    return text.removesuffix("T00:00").replace("T", " ")
