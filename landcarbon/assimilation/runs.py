"""What every long run shows and asks: a progress bar, a number of processes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from landcarbon.matrix.errors import InputError

__all__ = ["bar", "some_jobs"]


def bar(
    steps: Iterable[Any], total: int, desc: str, unit: str, progress: bool | None = None
) -> Iterable[Any]:
    """The steps of a run behind a progress bar.

    Parameters
    ----------
    steps : iterable
    total : int
        How many there are.
    desc, unit : str
        What is counted: "sites", "chunk".
    progress : bool, optional
        Show the bar; by default on a terminal only, so that stored notebooks stay the same.

    Examples
    --------
    >>> list(bar(range(3), 3, "issues", "issue", progress=False))
    [0, 1, 2]
    """
    show = sys.stderr.isatty() if progress is None else progress
    if not show:
        return steps
    from tqdm.auto import tqdm

    return tqdm(steps, total=total, desc=desc, unit=unit)


def some_jobs(n_jobs: Any) -> None:
    """Refuse a number of processes that means nothing.

    Raises
    ------
    InputError
        0, or no whole number.
    """
    if n_jobs is not None and (not isinstance(n_jobs, (int, np.integer)) or n_jobs == 0):
        raise InputError(
            f"n_jobs is a number of processes, or -1 for all cores, but {n_jobs!r} was given."
        )
