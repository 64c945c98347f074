"""What only notebooks need: pictures, widgets with static twins, quizzes, exercise checks.

>>> from landcarbon.course import check, hint, quiz, explore, plots
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from landcarbon.course.checks import check, hint
    from landcarbon.course.quizzes import quiz
    from landcarbon.course.widgets import explore

__all__ = ["check", "explore", "hint", "plots", "quiz"]

# All load on first use: pictures take time, and `doctor` runs where NumPy is broken.
_WHERE = {
    "check": "landcarbon.course.checks",
    "explore": "landcarbon.course.widgets",
    "hint": "landcarbon.course.checks",
    "quiz": "landcarbon.course.quizzes",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    if name == "plots":
        return import_module("landcarbon.course.plots")
    raise AttributeError(f"module 'landcarbon.course' has no attribute {name!r}")
