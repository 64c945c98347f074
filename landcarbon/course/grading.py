"""The process in which a handed-in notebook runs; `landcarbon.course.progress` starts it.

``python -m landcarbon.course.grading CHAPTER CELLS REPORT SECONDS`` runs the cells one after the other in
one namespace, as Jupyter does. Each ``check`` adds a line to the report: exercise, tab, result, tab, and a
signature with the secret that comes first on the standard input. A line that the notebook wrote itself has
no such signature. Before a line is signed, everything of this library and of NumPy that a check may call
must be what it was at the start.
"""

from __future__ import annotations

import hmac
import json
import re
import signal
import sys
import types
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from landcarbon.course import checks

__all__ = ["FILES", "MEMORY", "main", "signature"]

MEMORY, FILES = 4 << 30, 20 << 20  # bytes
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
WATCHED = ("landcarbon", "numpy")


class OutOfTime(BaseException):
    """The limit of a cell; no `except Exception` of a learner catches it."""


def signature(secret: str, line: str) -> str:
    """What shows that a line of a report is not the notebook's own."""
    return hmac.new(secret.encode(), line.encode(), "sha256").hexdigest()


def main() -> None:
    """Run the cells."""
    chapter, cells, report, seconds = sys.argv[1:]
    secret = sys.stdin.readline().strip()
    sources = json.loads(Path(cells).read_text(encoding="utf-8"))
    checks.known(chapter)
    grade, sign = checks.grade, signature
    before: dict[str, str] = {}
    with open(report, "a", encoding="utf-8") as file:  # what others wrote stays, and tells

        def write(line: str) -> None:
            line = line if intact() else "tampered\t"
            file.write(f"{line}\t{sign(secret, line)}\n")
            file.flush()

        def check(key: str, answer: Any) -> bool | None:
            outcome = grade(key, answer)
            said = "…" if outcome.passed is None else "✔" if outcome.passed else f"✘ {outcome.kind}"
            if said != before.get(key):  # a loop over one check fills no disk
                before[key] = said
                write(f"{key}\t{said}")
            return outcome.passed

        checks.check = check
        intact = _watched()
        _limits()
        _run(sources, int(seconds))
        write("end\t")


def _watched() -> Callable[[], bool]:
    """Whether functions and classes, and the exercises, are still what they are now."""
    modules = [m for n, m in sys.modules.items() if n.partition(".")[0] in WATCHED]
    spaces: list[Mapping[str, Any]] = [vars(module) for module in modules]
    spaces += {id(x): vars(x) for space in spaces for x in space.values()
               if isinstance(x, type) and x.__module__.startswith("landcarbon.")}.values()  # fmt: skip
    names = [(space, name, x, getattr(x, "__code__", None)) for space in spaces for name, x in space.items()
             if callable(x) or isinstance(x, types.ModuleType)]  # fmt: skip
    tests = {key: (found, found.test, found.test.__code__) for key, found in checks._REGISTRY.items()}

    def intact() -> bool:
        return all(
            checks._REGISTRY.get(key) is found and found.test is test and test.__code__ is code
            for key, (found, test, code) in tests.items()
        ) and all(there.get(n) is x and getattr(x, "__code__", None) is code for there, n, x, code in names)

    return intact


def _limits() -> None:
    """Memory and files, where the system knows such limits."""
    try:
        import resource
    except ImportError:
        return
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
