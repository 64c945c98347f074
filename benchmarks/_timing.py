"""Timing side by side: the best of several runs, every contender in the same process, one BLAS thread.

    from _timing import best, table          # import this before NumPy: it holds BLAS to one thread
"""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from time import perf_counter
from typing import Any

__all__ = ["best", "heading", "peak_memory_mb", "table"]

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"


def best(run: Callable[[], Any], seconds: float = 1.0, most: int = 50) -> float:
    """Shortest time of one run [s], out of as many as fit into `seconds`, at least two."""
    run()  # caches and lazy imports are filled outside the account
    gc.collect()
    times: list[float] = []
    begin = perf_counter()
    while len(times) < 2 or (perf_counter() - begin < seconds and len(times) < most):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far [MB]; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def heading(title: str, runs: str = "best of several runs") -> None:
    """What is measured, and with what."""
    print(f"\n{title}")
    print(f"Python {platform.python_version()}, NumPy {version('numpy')}, SciPy {version('scipy')}, "
          f"{os.cpu_count()} cores, BLAS on one thread; {runs}\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under columns, numbers to three digits."""
    text = [[v if isinstance(v, str) else f"{v:.3g}" for v in row] for row in rows]
    width = [max(len(c), *(len(r[i]) for r in text)) for i, c in enumerate(columns)]
    for row in (list(columns), ["-" * w for w in width], *text):
        print("  ".join(v.ljust(w) if i == 0 else v.rjust(w) for i, (v, w) in enumerate(zip(row, width))))
