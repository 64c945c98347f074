"""The land carbon cycle as one matrix equation.

    dX/dt = B(t) I(t) − A ξ(t) K X(t) − V(t) X(t)

Subpackages load when they are first used: ``import landcarbon`` stays quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"
__all__ = [
    "matrix",
    "models",
    "theory",
    "assimilation",
    "learning",
    "forecasting",
    "datasets",
    "course",
    "workflow",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"landcarbon has no wing {name!r}; there are: {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


if sys.platform == "emscripten":  # in a browser packages are fetched when something imports them
    import_module("landcarbon.course.in_browser").begin()
