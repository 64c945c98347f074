"""What this machine has, on one screen: `python course.py doctor`.

The page to send along with a question. Each line is found by itself, so that one broken package does
not hide the others; nothing is installed, fetched or changed.
"""

from __future__ import annotations

import locale
import os
import platform
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from landcarbon.course.say import say

__all__ = ["browser", "main", "screen"]

ROOT = Path(__file__).parents[2]
WIDTH, LABEL, MOST_LINES = 100, 10, 3
OLDEST = (3, 11)
ROOM_GB = 2.0  # what an installation needs
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
ELSEWHERE = (  # where installers of macOS and Windows put one, which is not on the search path
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
    r"%ProgramFiles(x86)%\Microsoft\Edge\Application\msedge.exe",
)

Finding = tuple[str, bool]


def browser() -> str | None:
    """Path of Chromium or a browser made of it; None where there is none."""
    found = next((p for name in BROWSERS if (p := shutil.which(name))), None)
    places = (os.path.expandvars(place) for place in ELSEWHERE)
    return found or next((place for place in places if Path(place).is_file()), None)


def screen(width: int = WIDTH) -> str:
    """At most 24 lines about Python, system, packages, data, browser and disk.

    Examples
    --------
    >>> print(screen())
    landcarbon ...
    Python    3...
    """
    lines = [f"landcarbon {_version('landcarbon') or '(not installed)'} in {_short(ROOT)}"]
    doubtful = []
    for label, find in FINDERS.items():
        try:
            text, fine = find()
        except Exception as error:  # a broken package is what is looked for
            text, fine = f"could not be found out: {type(error).__name__}: {error}", False
        lines += textwrap.wrap(
            text, width, initial_indent=label.ljust(LABEL), subsequent_indent=" " * LABEL,
            max_lines=MOST_LINES, placeholder=" ...", break_on_hyphens=False,
        )  # fmt: skip
        doubtful += [] if fine else [label]
    verdict = f"Look at: {', '.join(doubtful)}." if doubtful else "All is as the course expects it."
    return "\n".join([*lines, verdict])


def main() -> int:
    """Print the screen."""
    say(screen())
    return 0


def _python() -> Finding:
    bits = 64 if sys.maxsize > 2**32 else 32
    fine = sys.version_info >= OLDEST and bits == 64
    need = "" if fine else "; the course needs 3.11 or newer, 64 bit"
    text = f"{platform.python_version()} {platform.python_implementation()}, {bits} bit, {_short(sys.executable)}"
    return text + need, fine


def _system() -> Finding:
    return f"{platform.platform()}, {platform.machine()}, {os.cpu_count()} cores", True


def _text() -> Finding:
    files = locale.getpreferredencoding(False)
    mode = "on" if sys.flags.utf8_mode else "off"
    return f"terminal {sys.stdout.encoding}, files {files}, UTF-8 mode {mode}", True


def _kernel() -> Finding:
    """The library behind `@` and `solve`, by which last digits differ between machines."""
    import numpy as np
    import scipy.linalg  # noqa: F401  (brings its own)
    from threadpoolctl import threadpool_info

    config = np.show_config(mode="dicts")
    built = config["Build Dependencies"]["blas"]
    loaded = {
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}, "
        f"{pool['num_threads']} thread(s)"
        for pool in threadpool_info() if pool["user_api"] == "blas"
    }  # fmt: skip
    simd = config["SIMD Extensions"]
    chosen = {k: v for k in ("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES") if (v := os.environ.get(k))}
    text = "; ".join(sorted(loaded)) or f"{built['name']} {built.get('version', '')}"
    text += f"; NumPy uses {' '.join(simd.get('found') or simd.get('baseline') or ['no extension'])}"
    return text + "".join(f"; {k}={v}" for k, v in chosen.items()), True


def _packages() -> Finding:
    file = ROOT / "requirements.txt"
    if not file.is_file():
        return "no requirements.txt here to compare with; the library alone is installed", True
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE))
    here = {name: _version(name) for name in pins}
    other = [f"{name} {here[name] or 'missing'} ({pin})" for name, pin in pins.items() if here[name] != pin]
    text = f"{len(pins) - len(other)} of {len(pins)} as pinned in requirements.txt"
    return text + (f"; not: {', '.join(other)}" if other else ""), not other


def _data() -> Finding:
    from landcarbon.datasets import available

    here = available()["here"]
    named = os.environ.get("LANDCARBON_DATA_DIR", "").strip()
    missing = bool(named) and not Path(named).expanduser().is_dir()
    folder = f"LANDCARBON_DATA_DIR={_short(named)}" if named else "LANDCARBON_DATA_DIR is not set"
    offline = ", LANDCARBON_OFFLINE is set" if os.environ.get("LANDCARBON_OFFLINE", "").strip() else ""
    text = f"{here.sum()} of {len(here)} files on this machine; {folder}"
    return text + (", which is no folder" if missing else "") + offline, not missing


def _browser() -> Finding:
    found = browser()
    return _short(found) if found else "none found; only the tests of the built pages need Chromium", True


def _disk() -> Finding:
    free = shutil.disk_usage(ROOT).free / 1e9
    return f"{free:.1f} GB free at {_short(ROOT)}", free >= ROOM_GB


FINDERS: dict[str, Callable[[], Finding]] = {
    "Python": _python,
    "System": _system,
    "Text": _text,
    "Kernel": _kernel,
    "Packages": _packages,
    "Data": _data,
    "Browser": _browser,
    "Disk": _disk,
}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _short(path: str | Path) -> str:
    """A path without the name of who is logged in, and without its middle where it is long."""
    home = str(Path.home())
    text = str(path)
    text = f"~{text[len(home):]}" if text.startswith(home + os.sep) else text
    return text if len(text) <= 60 else f"{text[:19]}...{text[-38:]}"


if __name__ == "__main__":
    sys.exit(main())
