"""The one gate for what people give: read as it says it is, or refused in a sentence; never dropped.

Every public function takes its numbers through `as_array` or one of its siblings.

============== ==============================================================================
function       reads
============== ==============================================================================
as_array       numbers, plain or with a mask, labels, or a unit of their own
as_kept        the same, to be stored: a copy that cannot be written to
aligned        what carries labels, put into the order of ours
as_years       times in years, or dates of any calendar
as_dates       dates, or text that can be read as a date in one way only
as_stamps      dates, or plain numbers: what orders a row of things
as_labels      a row of labels, none missing
as_gappy       numbers among which some may be missing: NaN
as_broadcast   several of these that belong together
as_number      one number
as_share       a number between 0 and 1
as_whole       a whole number
as_rng         a seed or a random generator
as_choice      one word of several
as_path        where a file or folder lies
as_kind        an object of a kind
convert        numbers from one unit to another
is_mark        which numbers are marks for a missing value
unit_of        the unit that something carries
============== ==============================================================================

- A masked value is a missing value, and so are −9999 and the other marks that files put in its place;
  where nothing may be missing they are refused, as NaN is.
- What carries ``units`` (a DataArray, a column of a table of ours, a quantity) is converted where the
  function says which unit it needs, and refused where that cannot be.
- Dates are no numbers: they are refused where numbers are meant, and read by `as_years`.
- What is stored is copied, so that what the caller does to the array afterwards changes nothing.

The table of units is our own because the libraries are too heavy for these few: pint takes longer to
import than all of landcarbon and knows neither gC nor ‰, cf-units needs a C library.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "InputError", "aligned", "as_array", "as_broadcast", "as_choice", "as_dates", "as_gappy", "as_kept", "as_kind",
    "as_labels", "as_number", "as_path", "as_rng", "as_share", "as_stamps", "as_whole", "as_years", "convert",
    "is_mark", "unit_of",
]  # fmt: skip

Array = NDArray[np.float64]

DAYS_A_YEAR = 365.25
GAP_MARKS = np.array([-9999.0, -99999.0, -999999.0, -32768.0, 1e20, -1e20, 9.96921e36, 3.4028235e38, -3.4028235e38])
"""Numbers that files put where a value is missing, as single precision holds them."""


class InputError(ValueError):
    """An input that cannot be right; the message says what was given, expected and what to try."""


def as_array(
    name: str,
    value: ArrayLike,
    *,
    shape: tuple[int | None, ...] | None = None,
    lower: float | None = None,
    upper: float | None = None,
    strict: bool = False,
    hint: str = "",
    unit: str | None = None,
) -> Array:
    """Read a numeric argument, or say in a sentence why it cannot be read.

    Parameters
    ----------
    name : str
        How the caller calls the argument; used in the message.
    value : array_like
        What was given; masked arrays, labelled arrays and quantities too.
    shape : tuple of int or None, optional
        Expected *trailing* axes; None stands for any length. Leading axes are free.
    lower, upper : float, optional
        Admissible range.
    strict : bool
        Exclude `lower` itself (a turnover rate must be positive, not only non-negative).
    hint : str
        A closing sentence: what to try.
    unit : str, optional
        The unit needed; what carries another unit is converted to it.

    Returns
    -------
    ndarray of float64
        The caller's own array where it is one already: to store it, take `as_kept`.

    Raises
    ------
    InputError
        Not numeric, dates, complex, NaN, infinite, masked or marked as missing, a unit that cannot be
        converted, wrong trailing shape, or out of range.

    Examples
    --------
    >>> import xarray as xr
    >>> as_array("temperature", xr.DataArray([280.15], attrs={"units": "K"}), unit="degC").round(2)
    array([7.])
    """
    tail = f" {hint}" if hint else ""
    if type(value) is np.ndarray and value.dtype == np.float64:
        array = value
    else:
        array = _numbers(name, value, unit, tail)
    if shape is not None:
        _check_shape(name, array, shape, tail)
    if not array.size:
        return array
    lowest, highest = array.min(), array.max()  # NaN where one is NaN
    if not (lowest > -np.inf and highest < np.inf):
        bad = ~np.isfinite(array)
        raise InputError(
            f"{name} holds {int(bad.sum())} value(s) that are NaN or infinite"
            f"{', the first' + _first(bad) if array.ndim else ''}. Fill or drop them before calling.{tail}"
        )
    if lowest <= -9999.0 or highest >= 1e19:
        _refuse_marks(name, array, tail)
    if lower is not None and (lowest <= lower if strict else lowest < lower):
        bad = array <= lower if strict else array < lower
        kind = "above" if strict else "at least"
        raise InputError(
            f"{name} must be {kind} {lower:g}, but {array[bad].flat[0]:g} was given{_first(bad)}.{tail}"
        )
    if upper is not None and highest > upper:
        bad = array > upper
        raise InputError(
            f"{name} must be at most {upper:g}, but {array[bad].flat[0]:g} was given{_first(bad)}.{tail}"
        )
    return array


def as_gappy(
    name: str, value: Any, *, shape: tuple[int | None, ...] | None = None, unit: str | None = None, hint: str = ""
) -> Array:
    """Numbers among which some may be missing: NaN where they are NaN, masked or None.

    Raises
    ------
    InputError
        Whatever `as_array` refuses, but NaN and infinity.

    Examples
    --------
    >>> as_gappy("carbon", np.ma.masked_array([9.0, 8.0], [True, False]))
    array([nan,  8.])
    """
    if not (type(value) is np.ndarray and value.dtype == np.float64):
        tail = f" {hint}" if hint else ""
        if isinstance(value, np.ma.MaskedArray) and value.dtype.kind in "biuf":
            value = np.ma.filled(value.astype(np.float64), np.nan)
        elif str(getattr(value, "dtype", "")) == "object" or isinstance(value, (list, tuple)):
            raw = np.asarray(value, dtype=object)
            gap = np.array([one is None or type(one).__name__ == "NAType" for one in raw.flat], dtype=bool)
            value = np.where(gap.reshape(raw.shape), np.nan, raw) if gap.any() else value
        value = _numbers(name, value, unit, tail)
    if shape is not None:
        _check_shape(name, value, shape, f" {hint}" if hint else "")
    if is_mark(value).any():
        _refuse_marks(name, value, "")
    return np.asarray(value)


def as_broadcast(**arrays: Any) -> tuple[Array, ...]:
    """Arrays broadcast to one shape.

    Raises
    ------
    InputError
        Shapes that do not fit, with that of each.

    Examples
    --------
    >>> T, P = as_broadcast(mean_temperature=np.ones((3, 1)), annual_precipitation=np.ones(12))
    >>> T.shape
    (3, 12)
    """
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    try:
        return np.broadcast_arrays(*arrays.values())
    except ValueError:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(
            f"These do not fit together: {told}. Give one number for all, or one for each along the same axes."
        ) from None


def as_kept(name: str, value: ArrayLike, **limits: Any) -> Array:
    """`as_array` for what is stored: a copy that cannot be written to.

    What the caller does to the array afterwards changes nothing, and what is stored is checked once.

    Examples
    --------
    >>> mine = np.array([2.0, 0.02])
    >>> K = as_kept("K", mine, lower=0.0)
    >>> mine[0] = -1.0
    >>> K
    array([2.  , 0.02])
    """
    array = as_array(name, value, **limits)
    if array.flags.writeable or not array.flags.owndata:
        array = array.copy("K")
        array.flags.writeable = False
    return array


def _first(bad: NDArray[np.bool_]) -> str:
    """Where the first one is; nothing for a single number."""
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    return f" at index {index[0] if len(index) == 1 else index}" if index else ""


def _check_shape(name: str, array: Array, shape: tuple[int | None, ...], tail: str) -> None:
    trailing = array.shape[array.ndim - len(shape):] if array.ndim >= len(shape) else None
    if trailing is None or any(w not in (None, g) for w, g in zip(shape, trailing)):
        wanted = ", ".join("any" if w is None else str(w) for w in shape)
        raise InputError(f"{name} must end in axes of length ({wanted}), but its shape is {array.shape}.{tail}")


def _refuse_marks(name: str, array: Array, tail: str) -> None:
    bad = is_mark(array)
    if bad.any():
        raise InputError(
            f"{name} holds {array[bad].flat[0]:g}{_first(bad)}, a mark for a missing value. Put NaN there, then "
            f"fill or drop it before calling.{tail}"
        )


def is_mark(array: Array) -> NDArray[np.bool_]:
    """Which numbers are marks for a missing value."""
    found = np.zeros(np.shape(array), dtype=bool)
    if np.any((array <= -9999.0) | (array >= 1e19)):
        for mark in GAP_MARKS:
            found |= np.abs(array - mark) <= 1e-7 * abs(mark)
    return found


def _numbers(name: str, value: Any, unit: str | None, tail: str) -> Array:
    """What is no plain array of floats, as one; units converted, all else that is no number refused."""
    house = _house(value)
    _refuse_dataset(name, value, tail)
    given = unit_of(value) if unit is not None else None
    if house == "pint":
        value = value.magnitude
    _refuse_masked(name, value, tail)
    try:
        raw = np.asarray(value.values if house == "xarray" else value)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold numbers only, but {value!r:.80} was given.{tail}") from None
    if raw.dtype.kind == "c" and not raw.imag.any():
        raw = raw.real
    if raw.dtype.kind not in "biuf" and raw.size:
        raw = _from_objects(name, raw, value, tail)
    array = np.asarray(raw, dtype=np.float64)
    return array if given is None or unit is None else convert(name, array, given, unit)


def _refuse_dataset(name: str, value: Any, tail: str = "") -> None:
    if _house(value) == "xarray" and type(value).__name__ in ("Dataset", "DataTree"):
        raise InputError(f"{name} is a whole Dataset; choose one of its variables, such as data['x'].{tail}")


def _refuse_masked(name: str, value: Any, tail: str = "") -> None:
    if isinstance(value, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(value)
        if masked.any():
            raise InputError(
                f"{name} holds {int(masked.sum())} masked value(s){', the first' + _first(masked)}: they are "
                f"missing. Fill or drop them before calling.{tail}"
            )


def _house(value: Any) -> str:
    """The package that labels or a unit come from: asking the objects themselves is slow."""
    for kind in type(value).__mro__:
        house = kind.__module__.partition(".")[0]
        if house in ("xarray", "pandas", "pint"):
            return house
    return ""


def unit_of(value: Any) -> str | None:
    """The unit that a quantity, a labelled array or a column of one of our tables carries; else None."""
    house = _house(value)
    if house == "pint":
        return str(value.units)
    found = value.attrs.get("units") if house and hasattr(value, "attrs") else None
    if isinstance(found, dict):
        found = found.get(value.name) if hasattr(value, "name") else None
    return str(found) if found is not None and str(found).strip() else None


def _from_objects(name: str, raw: NDArray[Any], value: Any, tail: str) -> NDArray[Any]:
    """Numbers kept as objects; dates, text, complex numbers and gaps get a sentence."""
    if raw.dtype.kind == "c":
        raise InputError(f"{name} holds complex numbers; real ones are expected. Take .real on purpose.{tail}")
    if raw.dtype.kind in "Mm" or (raw.dtype == object and _holds_dates(raw)):
        what = "lengths of time" if raw.dtype.kind == "m" else "dates"
        raise InputError(
            f"{name} holds {what}, but numbers are expected: years, for instance, as in 2001.5. Dates become "
            f"years with landcarbon.matrix.errors.as_years.{tail}"
        )
    if raw.dtype.kind in "US" or any(isinstance(one, (str, bytes)) for one in raw.flat):
        texts = [str(one) for one in raw.flat if isinstance(one, (str, bytes))]
        strange = next((text for text in texts if not _is_number(text)), texts[0])
        raise InputError(
            f"{name} must hold numbers only, but the text {strange[:40]!r} was given. Turn numbers kept as text "
            f"into numbers, and marks such as 'n.d.' or '<0.1' into NaN, with pandas.to_numeric.{tail}"
        )
    if any(one is None or type(one).__name__ in ("NAType", "NaTType") for one in raw.flat):
        raise InputError(f"{name} has a gap (None or NA). Fill or drop it before calling.{tail}")
    try:
        return raw.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold numbers only, but {value!r:.80} was given.{tail}") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _holds_dates(raw: NDArray[Any]) -> bool:
    return any(hasattr(one, "year") and hasattr(one, "month") for one in raw.flat)


# --- labels --------------------------------------------------------------------------------------


def aligned(name: str, value: Any, labels: Sequence[str], axis: str = "pool") -> Any:
    """What carries our labels, in their order; anything else comes back as it is.

    Parameters
    ----------
    name : str
        How the caller calls the argument.
    value
        A pandas Series by label, a DataFrame with a column a label, or a DataArray with a coordinate on
        the axis called `axis`; or a plain array, which is in our order already.
    labels : sequence of str
        Ours.
    axis : str
        What they label.

    Raises
    ------
    InputError
        Labels that are not ours, or lack one of ours.

    Examples
    --------
    >>> import pandas as pd
    >>> aligned("K", pd.Series({"soil": 0.02, "litter": 2.0}), ("litter", "soil")).tolist()
    [2.0, 0.02]
    """
    ours = [str(label) for label in labels]
    house = _house(value)
    if house == "xarray" and axis in value.dims:
        given = value.coords[axis].values if axis in value.coords else None

        def pick(order: list[int]) -> Any:
            return value.isel({axis: order}).transpose(..., axis)

    elif house == "pandas" and hasattr(value, "iloc"):
        index = value.columns if hasattr(value, "columns") else value.index
        given = index.to_numpy() if index.dtype.kind in "OUST" else None

        def pick(order: list[int]) -> Any:
            return value.iloc[order] if value.ndim == 1 else value.iloc[:, order]

    else:
        return value
    if given is None:
        return value
    theirs = [str(label) for label in given]
    if sorted(theirs) != sorted(ours):
        raise InputError(
            f"{name} is labelled {', '.join(theirs[:8])}, but the {axis}s are {', '.join(ours[:8])}: give each its "
            f"value under its name, or a plain array in this order."
        )
    return value if theirs == ours else pick([theirs.index(label) for label in ours])


# --- time ----------------------------------------------------------------------------------------


def as_years(name: str, value: Any, *, hint: str = "") -> Array:
    """Times in years: numbers as they are, dates of any calendar as decimal years.

    Parameters
    ----------
    name : str
        How the caller calls the argument.
    value : array_like
        Numbers, numpy or pandas dates (with a time zone: taken at UTC), Python dates, cftime dates
        (noleap, 360_day, …: each year has the length of its own calendar), or text as in '2001-03-31'.
    hint : str
        A closing sentence.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    InputError
        Gaps, lengths of time, text with more than one meaning, numbers such as 20010331.

    Examples
    --------
    >>> as_years("t", np.array(["2000-01-01", "2001-07-02T12"], dtype="datetime64[h]"))
    array([2000. , 2001.5])
    """
    _refuse_dataset(name, value)
    _refuse_masked(name, value)
    if str(getattr(value, "dtype", "")).startswith("period"):  # of pandas: their beginning
        value = (value.dt if hasattr(value, "dt") else value).to_timestamp()
    raw = np.asarray(value)
    if raw.dtype.kind in "US" or (raw.dtype == object and all(isinstance(one, str) for one in raw.flat)):
        raw = as_dates(name, raw) if raw.size else raw
    if raw.dtype == object and raw.size and _holds_dates(raw):
        years = np.array([_decimal_year(name, date) for date in raw.flat]).reshape(raw.shape)
        return as_array(name, years, hint=hint)
    if raw.dtype.kind != "M":
        years = as_array(name, value, hint=hint or "Times are in years, or dates.")
        looks = (years > 17000100) & (years < 22001232) & (years % 100 < 32) & (years % 10000 < 1232)
        if years.size and looks.all():
            raise InputError(f"{name} holds {years.flat[0]:.0f}, which seems to be a date: give years, or dates.")
        return years
    if np.isnat(raw).any():
        raise InputError(f"{name} has {int(np.isnat(raw).sum())} gap(s) among its dates; fill or drop them.")
    year = raw.astype("datetime64[Y]")
    begin, end, at = (y.astype("datetime64[ms]") for y in (year, year + 1, raw))
    return np.asarray(1970.0 + year.astype(int) + (at - begin) / (end - begin), dtype=np.float64)


def _decimal_year(name: str, date: Any) -> float:
    """Of a Python datetime, a Timestamp or a date of cftime, in its own calendar."""
    if not hasattr(date, "year") or date.year != date.year:  # NaT has a year that is NaN
        raise InputError(f"{name} holds {date!r:.40} among dates; give one kind only.")
    zone = getattr(date, "tzinfo", None)
    if zone is not None:
        date = (date - date.utcoffset()).replace(tzinfo=None)
    begin = date.replace(month=1, day=1)
    if hasattr(date, "hour"):
        begin = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    end = begin.replace(year=date.year + 1)
    return float(date.year + (date - begin).total_seconds() / (end - begin).total_seconds())


_ISO = re.compile(r"\d{4}(-\d{1,2}(-\d{1,2}([T ].*)?)?)?|\d{4}/\d{1,2}/\d{1,2}|\d{8}")
_NAMED_MONTH = re.compile(r"(?=.*\b\d{4}\b).*[A-Za-z]{3,}.*")


def as_dates(name: str, value: Any) -> NDArray[np.datetime64]:
    """Dates, at UTC where they have a time zone.

    Parameters
    ----------
    name : str
        How the caller calls the argument.
    value : array_like
        Dates, or text that means one date only: '2001-03-31', '31 March 2001'.

    Returns
    -------
    ndarray of datetime64[ns]

    Raises
    ------
    InputError
        Gaps; '05/02/2004' and '5.2.2004', whose day and month nobody can tell apart; dates before 1678 or
        after 2261, which do not fit into nanoseconds.

    Examples
    --------
    >>> as_dates("date", ["2001-03-31"])
    array(['2001-03-31T00:00:00.000000000'], dtype='datetime64[ns]')
    """
    import pandas as pd

    _refuse_dataset(name, value)
    _refuse_masked(name, value)
    raw = np.asarray(value)
    for text in raw.flat if raw.dtype.kind in "OU" else ():
        if isinstance(text, str) and not (_ISO.fullmatch(text.strip()) or _NAMED_MONTH.fullmatch(text.strip())):
            raise InputError(
                f"{name} must hold dates that can be read in one way only, such as '2004-02-05', but {str(text)!r:.40} "
                "was given. Where the day or the month comes first, say which: "
                "pandas.to_datetime(column, format='%d/%m/%Y')."
            )
    try:
        stamps = raw if raw.dtype.kind == "M" else np.array([_stamp(pd, one) for one in raw.flat], dtype="M8[us]")
    except (TypeError, ValueError, OverflowError) as error:
        first = raw.ravel()[0] if raw.size else value
        raise InputError(
            f"{name} must hold dates such as '2001-03-01', but {first!r} was given: "
            f"{str(error).split(chr(10))[0].split(', at position')[0]}."
        ) from None
    gaps = int(np.isnat(stamps).sum())
    if gaps:
        raise InputError(f"{name} has {gaps} gap(s); each row needs a time.")
    year = stamps.astype("datetime64[Y]").astype(int) + 1970
    odd = year[(year < 1678) | (year > 2261)]
    if odd.size:
        raise InputError(f"{name} holds a date of the year {odd[0]}; dates run from 1678 to 2261. Give numbers.")
    return stamps.astype("datetime64[ns]").reshape(raw.shape)


def as_stamps(name: str, value: Any) -> NDArray[Any]:
    """What orders a row of things: dates, or plain numbers.

    Raises
    ------
    InputError
        Whatever `as_array` or `as_dates` refuses.

    Examples
    --------
    >>> as_stamps("issues", [1, 2]), as_stamps("issues", ["2001-03-31"]).dtype
    (array([1., 2.]), dtype('<M8[ns]'))
    """
    _refuse_dataset(name, value)
    return as_array(name, value) if np.asarray(value).dtype.kind in "iufc" else as_dates(name, value)


def _stamp(pd: Any, one: Any) -> Any:
    """One date, at UTC; dates of cftime by their own numbers."""
    stamp = pd.Timestamp(one.isoformat() if type(one).__module__.startswith("cftime") else one)
    return (stamp if stamp is pd.NaT or stamp.tz is None else stamp.tz_convert(None)).to_datetime64()


# --- single numbers and seeds ---------------------------------------------------------------------


def as_number(name: str, value: Any, **limits: Any) -> float:
    """`as_array` for one number.

    Raises
    ------
    InputError
        Several numbers, and whatever `as_array` refuses.

    Examples
    --------
    >>> as_number("depth", 1, lower=0.0, unit="m")
    1.0
    """
    if isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} is a number, but {value} was given.")
    array = as_array(name, value, **limits)
    if array.size != 1:
        raise InputError(f"{name} is one number, but {array.size} were given.")
    return float(array.reshape(()))


def as_share(name: str, value: Any) -> float:
    """A number between 0 and 1, neither of them.

    Raises
    ------
    InputError
        Anything else.

    Examples
    --------
    >>> as_share("level", 0.9)
    0.9
    """
    number = as_number(name, value)
    if not 0.0 < number < 1.0:
        raise InputError(f"{name} must lie between 0 and 1, but {number:g} was given.")
    return number


def as_whole(name: str, value: Any, lower: int = 0, upper: int | None = None) -> int:
    """A whole number, given as 100 or 100.0.

    Raises
    ------
    InputError
        2.5, '100', NaN, True, nothing at all, or out of range.

    Examples
    --------
    >>> as_whole("members", 100.0)
    100
    """
    number = None
    if not isinstance(value, (str, bytes, bool, np.bool_)) and value is not np.ma.masked and np.ndim(value) == 0:
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            number = None
    if number is None or number != value or number < lower or (upper is not None and number > upper):
        most = "" if upper is None else f" and at most {upper}"
        raise InputError(f"{name} must be a whole number, at least {lower}{most}, but {value!r:.40} was given.")
    return number


Rng: TypeAlias = np.random.Generator | int
"""What `rng` takes: a generator, or a seed. Its default is 0 everywhere: the same call gives the same numbers,
on any page and machine. Two calls that have to differ share one generator, or have a seed each."""


def as_rng(value: Any, name: str = "rng") -> np.random.Generator:
    """A random generator, itself or from a seed.

    Raises
    ------
    InputError
        A seed that is no whole number from 0 up.

    Examples
    --------
    >>> int(as_rng(1).integers(100))
    47
    """
    if isinstance(value, np.random.Generator):
        return value
    if isinstance(value, (np.random.SeedSequence, np.random.BitGenerator)):
        return np.random.default_rng(value)
    try:
        return np.random.default_rng(as_whole(name, value))
    except InputError:
        raise InputError(
            f"{name} must be a seed, a whole number such as 1, or numpy.random.default_rng(1), but {value!r:.40} "
            "was given."
        ) from None


# --- words and objects ----------------------------------------------------------------------------


def as_choice(name: str, value: Any, known: Iterable[str]) -> str:
    """One word of those known.

    Raises
    ------
    InputError
        Another, with the nearest one and all there are.

    Examples
    --------
    >>> as_choice("method", "exponental", ["exponential", "implicit"])
    Traceback (most recent call last):
        ...
    landcarbon.matrix.errors.InputError: there is no method 'exponental'; did you mean 'exponential'? ...
    """
    words = [str(word) for word in known]
    if isinstance(value, str) and value in words:
        return value
    near = get_close_matches(value, words, 1) if isinstance(value, str) else []
    meant = f"did you mean {near[0]!r}? There are" if near else "there are"
    raise InputError(f"there is no {name} {value!r:.60}; {meant} {', '.join(words)}.")


def as_labels(name: str, value: Any, *, hint: str = "") -> NDArray[Any]:
    """A row of labels, words or numbers, none of them missing.

    Raises
    ------
    InputError
        Another shape, nothing at all, a gap (None, NaN, masked, ''), complex numbers.

    Examples
    --------
    >>> as_labels("groups", ["tundra", "steppe", "tundra"]).tolist()
    ['tundra', 'steppe', 'tundra']
    """
    _refuse_dataset(name, value)
    _refuse_masked(name, value, f" {hint}" if hint else "")
    labels = np.asarray(value)
    if labels.ndim != 1 or labels.size == 0:
        raise InputError(f"{name} must be a row of labels, but its shape is {labels.shape}.")
    if labels.dtype.kind == "c":
        raise InputError(f"{name} holds complex numbers, which are no labels.")
    missing = np.array([one is None or one != one or one == "" for one in labels.tolist()])
    if missing.any():
        tail = f" {hint}" if hint else ""
        raise InputError(f"{name} has no label at {int(missing.sum())} place(s), the first{_first(missing)}.{tail}")
    if labels.dtype.kind == "f":
        as_array(name, labels)
    return labels.astype(str) if labels.dtype == object else labels


def as_path(name: str, value: Any) -> Path:
    """Where a file or a folder lies.

    Raises
    ------
    InputError
        What is no text and no path.

    Examples
    --------
    >>> as_path("path", "mine/jars.csv").name
    'jars.csv'
    """
    if not isinstance(value, (str, os.PathLike)) or not str(value):
        given = "nothing" if value is None else f"{value!r:.60}"
        raise InputError(f"{name} says where a file or folder lies, as text or a pathlib.Path, but {given} was given.")
    return Path(value)


def as_kind(name: str, value: Any, *kinds: Any, hint: str = "") -> Any:
    """An object of one of some kinds.

    Parameters
    ----------
    name : str
        How the caller calls it.
    value
    *kinds : type, `callable` or str
        Classes, whatever can be called, or the name of something that it must have.
    hint : str
        A closing sentence.

    Raises
    ------
    InputError
        Anything else.

    Examples
    --------
    >>> as_kind("rule", max, callable) is max
    True
    >>> as_kind("model", "teco8", callable, hint="Build one with teco8().")
    Traceback (most recent call last):
        ...
    landcarbon.matrix.errors.InputError: model must be a function, but a str was given. Build one with teco8().
    """
    for kind in kinds:
        if kind is callable:
            if callable(value):
                return value
        elif isinstance(kind, str):
            if not isinstance(value, type) and hasattr(value, kind):
                return value
        elif isinstance(value, kind):
            return value
    words = [
        "a function" if k is callable else f"something with `{k}`" if isinstance(k, str) else f"a {k.__name__}"
        for k in kinds
    ]
    given = "nothing" if value is None else f"a {type(value).__name__}"
    tail = f" {hint}" if hint else ""
    raise InputError(f"{name} must be {' or '.join(words)}, but {given} was given.{tail}")


# --- units ---------------------------------------------------------------------------------------

_CELSIUS = {"degc", "c", "°c", "celsius", "degcelsius", "degreecelsius", "degreescelsius", "degreec", "degreesc"}
_KELVIN = {"k", "kelvin", "degk", "°k", "degreesk", "degreek"}
_FAHRENHEIT = {"degf", "f", "°f", "fahrenheit", "degreefahrenheit", "degreesfahrenheit", "degreef", "degreesf"}
_DAY = 86400.0
# Factor to kg, m, s, mol, and the powers of these four.
_UNITS: dict[str, tuple[float, tuple[int, int, int, int]]] = {
    **{n: (f, (1, 0, 0, 0)) for n, f in (("kg", 1.0), ("g", 1e-3), ("mg", 1e-6), ("ug", 1e-9), ("Mg", 1e3),
                                         ("t", 1e3), ("Tg", 1e9), ("Pg", 1e12), ("Gt", 1e12))},
    **{n: (f, (0, 1, 0, 0)) for n, f in (("m", 1.0), ("dm", 0.1), ("cm", 0.01), ("mm", 1e-3), ("km", 1e3),
                                         ("metre", 1.0), ("meter", 1.0), ("metres", 1.0), ("meters", 1.0))},
    "ha": (1e4, (0, 2, 0, 0)),
    "l": (1e-3, (0, 3, 0, 0)),
    "L": (1e-3, (0, 3, 0, 0)),
    **{n: (f, (0, 0, 1, 0)) for names, f in (
        ("s sec second seconds", 1.0), ("min minute minutes", 60.0), ("h hr hour hours", 3600.0),
        ("d day days", _DAY), ("month months mon mo", DAYS_A_YEAR / 12 * _DAY),
        ("yr year years y a yrs", DAYS_A_YEAR * _DAY)) for n in names.split()},
    **{n: (f, (0, 0, 0, 1)) for n, f in (("mol", 1.0), ("mmol", 1e-3), ("umol", 1e-6))},
    **{n: (f, (0, 0, 0, 0)) for names, f in (
        ("% percent pct", 0.01), ("‰ permil permille", 1e-3), ("fraction unitless dimensionless", 1.0), ("ppm", 1e-6))
       for n in names.split()},
}  # fmt: skip
_Parsed = tuple[float, tuple[int, ...], str]
_CARBON_IN_CO2 = 12.011 / 44.009
_KG_A_MOL = 12.011e-3
_TOKEN = re.compile(r"([\d.]+)?([A-Za-z%‰]*?)(C|Q|W)?\^?\(?([+-]?\d+)?\)?")


@cache
def _parse(unit: str) -> _Parsed | None:
    """Factor to kg, m, s and mol, their powers, and of what substance; None if not known."""
    text = unit.strip().translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−µμ[]", "0123456789--uu  "))
    for word, letter in (("CO2-C", "C"), ("CO2", "Q"), ("H2O", "W"), ("**", "^"), ("per mil", "permil")):
        text = text.replace(word, letter)
    text = re.sub(r"\bper\b", "/", re.sub(r"[*·]|(?<=[A-Za-z0-9])\.(?=[A-Za-z])", " ", text))
    if text in ("1", "-", "", "none"):
        return 1.0, (0, 0, 0, 0), ""
    factor, powers, substance, sign = 1.0, np.zeros(4, dtype=int), "", 1
    for token in re.findall(r"/|[^\s/]+", text):
        if token == "/":
            sign = -1
            continue
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        number, base, of, power = found.groups()
        if base and base not in _UNITS:
            return None
        size, dimension = _UNITS[base] if base else (1.0, (0, 0, 0, 0))
        if of and base and not dimension[0] and not dimension[3]:
            return None
        exponent = sign * int(power or 1)
        size *= (float(number) if number else 1.0) * (_CARBON_IN_CO2 if of == "Q" and dimension[0] else 1.0)
        factor *= size**exponent
        powers = powers + exponent * np.array(dimension)
        substance = {"C": "C", "Q": "C", "W": "W", None: substance}[of]
        sign = 1
    return factor, tuple(powers.tolist()), substance


def convert(name: str, array: ArrayLike, given: str, wanted: str) -> Array:
    """Numbers in another unit.

    Parameters
    ----------
    name : str
        How the caller calls them.
    array : array_like
        The numbers.
    given, wanted : str
        Units, as in 'kg m-2 s-1', 'g/kg', '%', 'K'. A kilogram of water on a square metre is a millimetre;
        mol of carbon or CO2 become grams of carbon. A year has 365.25 days, a month a twelfth of it.

    Raises
    ------
    InputError
        A unit that is not known, or one that cannot become the other.

    Examples
    --------
    >>> float(convert("npp", 2e-8, "kgC m-2 s-1", "gC m-2 yr-1").round(1))
    631.2
    """
    numbers = np.asarray(array, dtype=np.float64)
    key, goal = (re.sub(r"[\s_.]", "", u).lower() for u in (given, wanted))
    if key == goal:
        return numbers
    to_celsius = {
        **dict.fromkeys(_CELSIUS, (1.0, 0.0)), **dict.fromkeys(_KELVIN, (1.0, -273.15)),
        **dict.fromkeys(_FAHRENHEIT, (1 / 1.8, -32 / 1.8)),
    }  # fmt: skip
    if key in to_celsius and goal in to_celsius:
        (scale, shift), (back, zero) = to_celsius[key], to_celsius[goal]
        return (numbers * scale + shift - zero) / back
    one, other = _parse(given), _parse(wanted)
    factor = _factor(one, other, wanted) if one is not None and other is not None else None
    if factor is None:
        raise InputError(
            f"{name} is in {given!r}, but {wanted!r} is needed, and nothing is known that turns one into the "
            "other. Convert it, and correct its units attribute."
        )
    return numbers if factor == 1.0 else numbers * factor


def _factor(one: _Parsed, other: _Parsed, wanted: str) -> float | None:
    (size, powers, of), (goal, needed, to) = one, other
    to = to or ("W" if wanted.startswith("mm") else "")
    if of and to and of != to:
        return None
    gap = tuple(a - b for a, b in zip(powers, needed))
    if gap == (0, 0, 0, 0):
        return size / goal
    if gap == (1, -3, 0, 0) and to == "W":  # kg of water on a square metre
        return size / goal / 1000.0
    if gap == (-1, 0, 0, 1) and to == "C":
        return size * _KG_A_MOL / goal
    return None
