"""The process in which a handed-in notebook runs; `landcarbon.course.progress` starts it.

``python -m landcarbon.course.grading CHAPTER CELLS REPORT SECONDS`` runs the cells one after the other in
one namespace, as Jupyter does. Each ``check`` adds a line to the report: exercise, tab, result.
"""

from __future__ import annotations

import json
import re
import signal
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from landcarbon.course import checks

__all__ = ["main"]

MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


class OutOfTime(BaseException):
    """The limit of a cell; no `except Exception` of a learner catches it."""


def main() -> None:
    """Run the cells."""
    chapter, cells, report, seconds = sys.argv[1:]
    sources = json.loads(Path(cells).read_text(encoding="utf-8"))
    checks.known(chapter)
    intact, grade = _watched(), checks.grade
    with open(report, "w", encoding="utf-8") as file:

        def check(key: str, answer: Any) -> bool | None:
            outcome = grade(key, answer)
            said = "…" if outcome.passed is None else "✔" if outcome.passed else f"✘ {outcome.kind}"
            file.write(f"{key}\t{said}\n" if intact() else "tampered\t\n")
            file.flush()
            return outcome.passed

        checks.check = check
        _limits()
        _run(sources, int(seconds))
        if not intact():
            file.write("tampered\t\n")


def _watched() -> Callable[[], bool]:
    """Whether the functions and exercises of the checks are still what they were."""
    functions = {
        n: f.__code__
        for n, f in vars(checks).items()
        if isinstance(f, types.FunctionType) and n != "check"
    }
    tests = {key: (found, found.test.__code__) for key, found in checks._REGISTRY.items()}

    def intact() -> bool:
        now = vars(checks)
        return all(
            getattr(now.get(n), "__code__", None) is code for n, code in functions.items()
        ) and all(
            checks._REGISTRY.get(key) is found and found.test.__code__ is code
            for key, (found, code) in tests.items()
        )

    return intact


def _limits() -> None:
    """Memory and files, where the system knows such limits."""
    try:
        import resource
    except ImportError:
        return
    from landcarbon.course.progress import FILES, MEMORY

    for limit, value in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):  # a system that does not know it
            pass


def _run(sources: list[str], seconds: int) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    # Of the processor's time, so that a busy machine is no one's fault; Windows has no such clock.
    clock: Any = getattr(signal, "setitimer", None)

    def stop(*_: object) -> None:
        raise OutOfTime

    if clock is not None:
        signal.signal(signal.SIGPROF, stop)
    warnings.simplefilter("ignore")
    for source in sources:
        try:
            if clock is not None:
                clock(signal.ITIMER_PROF, seconds)
            exec(compile(MAGIC.sub(r"\1pass", source), "<cell>", "exec"), names)
        except BaseException:
            # A cell that stops, exits or does not end costs this cell alone, as in Jupyter.
            continue
        finally:
            if clock is not None:
                clock(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
