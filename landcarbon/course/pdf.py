"""The whole book as one PDF, printed by a browser from one page that holds all chapters.

``python course.py pdf`` has Sphinx write that page (builder ``singlehtml``) and Chromium print it. Quizzes are
printed with their feedback, code that is folded away is shown, and each widget as its still.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from landcarbon.course import doctor
from landcarbon.course.say import say
from landcarbon.matrix.errors import InputError

__all__ = ["write"]

PATIENCE = 900  # seconds of the page's own clock for its equations


def write(page: Path, out: Path) -> None:
    """Print a page.

    Parameters
    ----------
    page : path
        An HTML file.
    out : path
        The PDF; what is there is replaced.

    Raises
    ------
    InputError
        The page is not there, no browser is, or the browser printed nothing.
    """
    if not page.is_file():
        raise InputError(f"There is no page {page} to print.")
    program = doctor.browser()
    if program is None:
        raise InputError(f"No browser was found; looked for {', '.join(doctor.BROWSERS)}.")
    out.unlink(missing_ok=True)
    command = [program, "--headless=new", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer",
               "--generate-pdf-document-outline", f"--virtual-time-budget={1000 * PATIENCE}",
               f"--print-to-pdf={out}", page.resolve().as_uri()]  # fmt: skip
    if getattr(os, "geteuid", lambda: 1)() == 0:
        command.insert(1, "--no-sandbox")  # Chromium asks for this of the superuser
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace")
    if not out.is_file():
        last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(f"{program} printed nothing: {last}")


def main(arguments: list[str] | None = None) -> int:
    """Command line of this module."""
    parser = argparse.ArgumentParser(prog="course.py pdf")
    parser.add_argument("page", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args(arguments)
    try:
        write(given.page, given.out)
    except InputError as error:
        say(error, file=sys.stderr)
        return 1
    say(f"The book: {given.out}, {given.out.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
