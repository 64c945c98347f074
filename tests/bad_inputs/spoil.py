"""What people give by mistake, by the kind of argument; and what must never come of it."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from landcarbon.datasets import DataUnavailable
from landcarbon.matrix.errors import InputError

from .calls import Call

SECONDS = 5.0  # as long as a call may take, or twenty times as long as the valid one
RANDOM = ("rng", "seed", "rngs")

# --- spoilers ------------------------------------------------------------------------------------


def _with(value: Any, what: Any) -> Any:
    """A copy with `what` in the middle."""
    array = np.array(value, dtype=np.result_type(np.asarray(value).dtype, type(what)))
    array.flat[array.size // 2] = what
    return array


def _masked(value: Any) -> Any:
    array = np.array(value, dtype=float)
    mask = np.zeros(array.shape, dtype=bool)
    mask.flat[array.size // 2] = True
    return np.ma.masked_array(array, mask)


ARRAY: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda v: None,
    "a word": lambda v: "a word",
    "words": lambda v: np.full(np.shape(v), "n.d."),
    "a gap": lambda v: _with(v, np.nan),
    "infinity": lambda v: _with(v, np.inf),
    "a mark": lambda v: _with(v, -9999.0),
    "a mask": _masked,
    "complex": lambda v: np.asarray(v) + 3j,
    "dates": lambda v: np.full(np.shape(v), np.datetime64("2001-03-31")),
    "None within": lambda v: _with(np.asarray(v, dtype=object), None),
    "one too few": lambda v: np.asarray(v)[..., :-1] if np.ndim(v) else np.asarray([v, v, v]),
    "one axis more": lambda v: np.stack([v, v, v], axis=-1),
    "negative": lambda v: -1.0 - np.abs(np.asarray(v, dtype=float)),
    "other labels": lambda v: pd.Series(np.ravel(v), index=[f"x{k}" for k in range(np.size(v))]),
    "a Dataset": lambda v: xr.Dataset({"x": ("y", np.ravel(v))}),
    "empty": lambda v: np.asarray(v, dtype=float)[:0] if np.ndim(v) else np.array([]),
    "a dict": lambda v: {"a": 1.0},
}
NUMBER: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda v: None,
    "a word": lambda v: "a word",
    "text": lambda v: str(v),
    "a gap": lambda v: float("nan"),
    "infinity": lambda v: float("inf"),
    "complex": lambda v: v + 3j,
    "a date": lambda v: np.datetime64("2001-03-31"),
    "a mask": lambda v: np.ma.masked,
    "negative": lambda v: -1.0 - abs(v),
    "a list of three": lambda v: [v, v, v],
}
COUNT: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda v: None,
    "a word": lambda v: "a word",
    "text": lambda v: str(v),
    "a gap": lambda v: float("nan"),
    "half": lambda v: v + 0.5,
    "negative": lambda v: -1 - abs(v),
    "infinity": lambda v: float("inf"),
    "a list": lambda v: [v, v],
}
SEED: dict[str, Callable[[Any], Any]] = {
    "a word": lambda v: "a word",
    "half": lambda v: 0.5,
    "a gap": lambda v: float("nan"),
    "negative": lambda v: -1,
    "a dict": lambda v: {},
}
WORD: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda v: None,
    "no such word": lambda v: "no such word",
    "a number": lambda v: 3,
    "a list": lambda v: [v],
}
THING: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda v: None,
    "a word": lambda v: "a word",
    "a number": lambda v: 3.0,
}
TABLE: dict[str, Callable[[Any], Any]] = THING | {
    "no rows": lambda v: v.iloc[:0],
    "no columns": lambda v: v.iloc[:, :0],
    "a column less": lambda v: v.iloc[:, 1:],
    "words": lambda v: v.assign(**{str(v.columns[-1]): "n.d."}),
    "a gap": lambda v: v.assign(**{str(v.columns[-1]): np.nan}),
    "an array": lambda v: v.to_numpy(),
}
MATTERS = {"a gap", "infinity", "a mark", "a mask", "complex", "dates", "a date", "words"}


def kind(name: str, value: Any) -> dict[str, Callable[[Any], Any]]:
    """The spoilers for such an argument; none where there is nothing to confuse."""
    if name in RANDOM or isinstance(value, np.random.Generator):
        return SEED
    if isinstance(value, (bool, np.bool_)) or value is None:
        return {}
    if isinstance(value, (int, np.integer)):
        return COUNT
    if isinstance(value, (float, np.floating)):
        return NUMBER
    if isinstance(value, (str, Path)):
        return WORD
    if isinstance(value, pd.DataFrame):
        return TABLE
    if isinstance(value, (np.ndarray, list, tuple, pd.Series, xr.DataArray)):
        with contextlib.suppress(Exception):
            if np.asarray(value).dtype.kind in "iuf":
                return ARRAY
    return THING


# --- one call ------------------------------------------------------------------------------------


class Hang(BaseException):
    """A call that does not end."""


@dataclass(frozen=True)
class Outcome:
    """What came of a call: `sentence`, `result`, or a fault (`raw`, `not finite`, `hang`, `unheard`)."""

    function: str
    argument: str
    spoiler: str
    what: str
    told: str = ""

    @property
    def fault(self) -> bool:
        return self.what not in ("sentence", "result")


def run(call: Call, seconds: float, changed: Mapping[Any, Any] | None = None) -> Any:
    """The result of a call, a random generator fresh each time; Hang after some seconds."""
    args, kwargs = list(call.args), dict(call.kwargs)
    for place, value in (changed or {}).items():
        (args if isinstance(place, int) else kwargs)[place] = value
    args = [copy.deepcopy(a) if isinstance(a, np.random.Generator) else a for a in args]
    kwargs = {k: copy.deepcopy(a) if isinstance(a, np.random.Generator) else a for k, a in kwargs.items()}

    def ring(*_: Any) -> None:
        raise Hang

    # Windows has no alarm; a hang is found where there is one.
    set_alarm, alarm = getattr(signal, "setitimer", None), getattr(signal, "SIGALRM", None)
    if set_alarm:
        before = signal.signal(alarm, ring)
        set_alarm(0, seconds)  # 0: of the clock on the wall
    try:
        with (
            warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):  # fmt: skip
            warnings.simplefilter("ignore")
            found = call.function(*args, **kwargs)
            return list(found) if isinstance(found, Iterator) else found
    finally:
        if set_alarm:
            set_alarm(0, 0)
            signal.signal(alarm, before)


def numbers(result: Any, depth: int = 0) -> list[np.ndarray]:
    """All the numbers in a result, in order."""
    if depth > 4:
        return []
    if isinstance(result, (xr.Dataset, xr.DataTree)):
        return [n for name in result for n in numbers(result[name].values, depth + 1)]
    if isinstance(result, (xr.DataArray, pd.DataFrame, pd.Series)):
        return numbers(np.asarray(result), depth + 1)
    if isinstance(result, np.ndarray):
        if result.dtype == object:
            return [n for one in result.flat for n in numbers(one, depth + 1)][:1000]
        return [result] if result.dtype.kind in "iufcb" else []
    if isinstance(result, (int, float, complex, np.number)):
        return [np.asarray(result)]
    if isinstance(result, Mapping):
        return [n for one in result.values() for n in numbers(one, depth + 1)]
    if isinstance(result, (list, tuple)):
        return [n for one in result for n in numbers(one, depth + 1)]
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return [n for f in dataclasses.fields(result) for n in numbers(getattr(result, f.name), depth + 1)]
    return []


def finite(found: list[np.ndarray]) -> bool:
    return all(np.isfinite(n).all() for n in found if n.dtype.kind in "fc")


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in zip(one, other)
    )


def attack(call: Call, patience: float = np.inf) -> Iterator[Outcome]:
    """Every argument spoiled in every way, one at a time; gives up after `patience` seconds."""
    began = time.perf_counter()
    try:
        right = numbers(run(call, 60.0))
    except Exception as error:  # an example of what is refused
        if isinstance(error, (InputError, DataUnavailable, FileNotFoundError)):  # or one that needs a file
            return
        raise
    took = time.perf_counter() - began
    limit = max(SECONDS, 20 * took)
    places: list[tuple[Any, str, Any]] = [(k, f"argument {k}", v) for k, v in enumerate(call.args)]
    places += [(name, name, v) for name, v in call.kwargs.items()]
    for place, name, value in places:
        for spoiler, change in kind(name, value).items():
            if time.perf_counter() - began > patience:
                return
            try:
                bad = change(value)
            except Exception:
                continue
            what, told = _tried(call, {place: bad}, limit, right, spoiler in MATTERS and np.size(bad) > 0)
            yield Outcome(call.name, name, spoiler, what, told)


def _tried(
    call: Call, changed: Mapping[Any, Any], limit: float, right: list[np.ndarray], matters: bool
) -> tuple[str, str]:
    try:
        found = numbers(run(call, limit, changed))
    except Hang:
        return "hang", f"more than {limit:.0f} s"
    except (InputError, DataUnavailable) as error:
        return "sentence", str(error)
    except (NotImplementedError, FileNotFoundError, IsADirectoryError, NotADirectoryError, OSError) as error:
        return ("sentence", str(error)) if isinstance(error, OSError) else ("raw", _last(error))
    except Exception as error:
        return "raw", _last(error)
    if not finite(found) and finite(right):
        return "not finite", ""
    if matters and right and same(found, right):
        return "unheard", ""
    return "result", ""


def _last(error: Exception) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f"{os.sep}landcarbon{os.sep}" in f.filename]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {where}: {str(error)[:90]}"
