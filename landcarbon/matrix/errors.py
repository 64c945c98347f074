"""Errors a beginner can act on: what was given, what is expected, what to try."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["InputError", "as_array"]


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
) -> NDArray[np.float64]:
    """Read a numeric argument, or say in a sentence why it cannot be read.

    Parameters
    ----------
    name : str
        How the caller calls the argument; used in the message.
    value : array_like
        What was given.
    shape : tuple of int or None, optional
        Expected *trailing* axes; None stands for any length. Leading axes are free.
    lower, upper : float, optional
        Admissible range.
    strict : bool
        Exclude `lower` itself (a turnover rate must be positive, not only non-negative).
    hint : str
        A closing sentence: what to try.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    InputError
        Not numeric, NaN or infinite, wrong trailing shape, or out of range.
    """
    tail = f" {hint}" if hint else ""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold numbers only, but {value!r:.80} was given.{tail}") from None
    if shape is not None:
        trailing = array.shape[array.ndim - len(shape):] if array.ndim >= len(shape) else None
        if trailing is None or any(w not in (None, g) for w, g in zip(shape, trailing)):
            wanted = ", ".join("any" if w is None else str(w) for w in shape)
            raise InputError(
                f"{name} must end in axes of length ({wanted}), but its shape is {array.shape}.{tail}"
            )
    bad = ~np.isfinite(array)
    if bad.any():
        raise InputError(
            f"{name} holds {int(bad.sum())} value(s) that are NaN or infinite"
            f"{', the first' + _first(bad) if array.ndim else ''}. Fill or drop them before calling.{tail}"
        )
    if lower is not None:
        kind = "above" if strict else "at least"
        _within(name, array, array <= lower if strict else array < lower, f"{kind} {lower:g}", tail)
    if upper is not None:
        _within(name, array, array > upper, f"at most {upper:g}", tail)
    return array


def _within(
    name: str, array: NDArray[np.float64], bad: NDArray[np.bool_], bound: str, tail: str
) -> None:
    if bad.any():
        raise InputError(
            f"{name} must be {bound}, but {array[bad].flat[0]:g} was given{_first(bad)}.{tail}"
        )


def _first(bad: NDArray[np.bool_]) -> str:
    """Where the first one is; nothing for a single number."""
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    return f" at index {index[0] if len(index) == 1 else index}" if index else ""
