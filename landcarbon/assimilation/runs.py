"""What every long run shows and asks: a progress bar, a number of processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from typing import Any

import numpy as np

from landcarbon.matrix.errors import InputError
from landcarbon.store import Shortage

__all__ = ["bar", "elsewhere", "some_jobs"]


def bar(
    steps: Iterable[Any], total: int | None, desc: str, unit: str, progress: bool | None = None
) -> Iterable[Any]:
    """The steps of a run behind a progress bar, which appears when two seconds have passed.

    Parameters
    ----------
    steps : iterable
    total : int, optional
        How many there are; None where nobody knows.
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

    return tqdm(steps, total=total, desc=desc, unit=unit, delay=2.0)


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


# A worker that died again and again; data that died with the worker which held them.
LOST_ON_DASK = ("KilledWorker", "FutureCancelledError", "CommClosedError", "StreamClosedError")


def elsewhere(
    work: Callable[..., Any], jobs: Iterable[tuple[Any, ...]], n_jobs: int, *, ordered: bool = True
) -> Iterator[Any]:
    """`work(*job)` for every job, each in a process; a process that died is one sentence.

    Parameters
    ----------
    work : callable
    jobs : iterable of tuples
        What of it says by its `__sizeof__` that it is large is given to the workers of a Dask cluster once,
        and is lost with a worker; what is small is sent with the job, and anew if a worker is lost.
    n_jobs : int
        Processes (joblib). Inside ``with joblib.parallel_config("dask"):`` the workers of a Dask cluster.
    ordered : bool
        Whether results come in the order of the jobs, or as they are done.
    """
    from joblib import Parallel, delayed

    some_jobs(n_jobs)
    way = "generator" if ordered else "generator_unordered"
    try:
        yield from Parallel(n_jobs=n_jobs, return_as=way)(delayed(_alone)(work, *job) for job in jobs)
    except Exception as error:
        if not isinstance(error, BrokenExecutor) and type(error).__name__ not in LOST_ON_DASK:
            raise
        raise Shortage(
            "a process that worked for this run has died, most often because memory was short. What was "
            "finished is kept: call again, with fewer processes (n_jobs) or fewer sites a chunk."
        ) from error


def _alone(work: Callable[..., Any], *job: Any) -> Any:
    """One job on one thread, so that sums keep their order."""
    from joblib import parallel_config
    from threadpoolctl import threadpool_limits

    with parallel_config("sequential"), threadpool_limits(limits=1):
        return work(*job)
