"""What only notebooks need: pictures, widgets with static twins, quizzes, exercise checks.

>>> from landcarbon.course import check, hint, quiz, explore, plots
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from landcarbon.course.checks import check, hint

__all__ = ["check", "explore", "hint", "plots", "quiz"]

# Matplotlib and ipywidgets load on first use.
_WHERE = {
    "explore": "landcarbon.course.widgets",
    "quiz": "landcarbon.course.quizzes",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    if name == "plots":
        return import_module("landcarbon.course.plots")
    raise AttributeError(f"module 'landcarbon.course' has no attribute {name!r}")
