"""Outputs of a notebook cell, given as a MIME bundle."""

from __future__ import annotations

import os
import sys
from typing import Any

from landcarbon.course.say import say

__all__ = ["emit", "has_screen", "in_notebook"]


def in_notebook() -> bool:
    """True where an IPython shell displays what is emitted."""
    from IPython.core.interactiveshell import InteractiveShell

    return InteractiveShell.initialized()


def has_screen() -> bool:
    """True where somebody sits at a terminal that can open a window."""
    window = sys.platform in ("win32", "darwin") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    return bool(window) and sys.stdout is not None and sys.stdout.isatty()


def emit(bundle: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
    """Display a MIME bundle in a notebook; print its plain text elsewhere."""
    from IPython.display import display

    if in_notebook():
        display(bundle, metadata=metadata or {}, raw=True)
    else:
        say(bundle["text/plain"])
