"""Packages in a browser: each is fetched when it is first imported.

Python in a browser (Pyodide) loads what a cell imports, not what the library imports behind it. This
finder, which `landcarbon` puts in place there and only there, asks for the rest: a first check then needs
NumPy alone, and SciPy comes with the model that uses it. It needs a browser in which Python can wait
for a download (JSPI); elsewhere the error says which line to run first.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["Finder", "begin"]


class Finder(MetaPathFinder):
    """Finds a module by fetching its package.

    Parameters
    ----------
    packages : mapping of str to str
        Package by the name of a module that it brings.
    fetch : callable
        ``fetch(package)`` returns when the package is there.
    can_wait : callable
        Whether this browser lets Python wait.
    """

    def __init__(
        self,
        packages: Mapping[str, str],
        fetch: Callable[[str], object],
        can_wait: Callable[[], bool],
    ) -> None:
        self.packages = dict(packages)
        self.fetch = fetch
        self.can_wait = can_wait

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of a package that had to be fetched; None for any other."""
        package = self.packages.pop(name, None)
        if package is None:
            return None
        if not self.can_wait():
            self.packages[name] = package
            here = PathFinder.find_spec(name, path)
            if here is None:
                raise ModuleNotFoundError(
                    f"{package} is not loaded yet. Run a cell with the one line `import {name}`, restart nothing, "
                    "and run this cell again.",
                    name=name,
                )
            return here
        self.fetch(package)
        importlib.invalidate_caches()
        return None


def begin() -> None:
    """Put the finder in place; called by `landcarbon` in a browser."""
    import pyodide_js
    from pyodide.ffi import can_run_sync, run_sync

    lines = pyodide_js.lockfile.packages.to_py()
    packages = {name: line["name"] for line in lines.values() for name in line["imports"]}
    loaded = set(pyodide_js.loadedPackages.to_py())
    wanted = {module: package for module, package in packages.items() if package not in loaded}
    sys.meta_path.insert(
        0, Finder(wanted, lambda package: run_sync(pyodide_js.loadPackage(package)), can_run_sync)
    )
