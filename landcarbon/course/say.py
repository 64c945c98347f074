"""Lines for a terminal, a pipe or a file, whatever characters it can take.

A stream that takes no "−" or "✔" (a pipe on Windows, an old terminal) gets "-" and "[right]"; one that
takes UTF-8 gets the text as it is. Nothing here ends in a `UnicodeEncodeError`.
"""

from __future__ import annotations

import sys
import unicodedata
from typing import TextIO

__all__ = ["say", "spell"]

PLAIN = {
    "✔": "[right]", "✘": "[wrong]", "…": "...", "−": "-", "–": "-", "·": "*", "×": "x", "±": "+-",
    "°": "deg ", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "∞": "inf",
    "√": "sqrt", "∂": "d", "∫": "int", "∝": "~", "′": "'", "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip


def say(text: object, *, file: TextIO | None = None) -> None:
    """Print `text` and a line end, in characters that the stream can encode.

    Parameters
    ----------
    text : object
        What is printed.
    file : text stream, optional
        Standard output by default.
    """
    stream = sys.stdout if file is None else file
    print(spell(str(text), getattr(stream, "encoding", None) or "utf-8"), file=stream, flush=True)


def spell(text: str, encoding: str) -> str:
    """`text` with every character that `encoding` lacks spelled in ASCII.

    Examples
    --------
    >>> spell("✔ 03.1: ξ ≤ 1, 5 gC m⁻²", "cp1252")
    '[right] 03.1: xi <= 1, 5 gC m-²'
    >>> spell("✔ 03.1", "utf-8")
    '✔ 03.1'
    """
    return "".join(c if _fits(c, encoding) else _plain(c) for c in text)


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _plain(character: str) -> str:
    """ASCII for one character: by table, by Greek letter's name, without accents, or its number."""
    if character in PLAIN:
        return PLAIN[character]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK ") and " LETTER " in name:
        letter = name.split(" LETTER ")[1].split()[0]
        return letter.capitalize() if "CAPITAL" in name else letter.lower()
    parts = unicodedata.normalize("NFKD", character).replace("\u2212", "-").replace("\u2044", "/")
    parts = "".join(part for part in parts if not unicodedata.combining(part))
    return parts if parts.isascii() else character.encode("ascii", "backslashreplace").decode()
