"""Printed text compared as a reader would: words exactly, numbers to the digits they are printed with.

Another processor adds in another order, so the last printed digit of a number may turn. What must
never turn is a word, the order and count of the numbers, a whole number, or a sign.

| what | may differ by |
|---|---|
| words, whole numbers, signs, ``nan``, how many numbers there are | nothing |
| a decimal number printed with d digits | min(2, d − 1) units of its last digit |
| a decimal number, where the cell declares a tolerance | ``absolute``, unless it has an exponent |
| any number, whole ones from 100 on, where it is declared | ``relative`` times the stored number |

A cell that fits, samples or trains declares its tolerance in its metadata, with the reason:
``{"tolerance": {"absolute": 0.02, "why": "trains twelve networks"}}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from landcarbon.matrix.errors import InputError

__all__ = ["LIMITS", "Number", "Tolerance", "difference", "numbers"]

NUMBER = re.compile(
    r"(?<![\w.])(?:(?<![)\]])[+−-])?(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
    r"(?:\.(?P<part>\d+))?(?:[eE](?P<power>[+-]?\d+))?"
)
LIMITS = {"absolute": 0.05, "relative": 0.1}
"""The widest tolerance that a cell may declare; R² 0.60 against 0.50 is beyond it."""


@dataclass(frozen=True)
class Tolerance:
    """What a cell that fits, samples or trains may print otherwise on another processor.

    Attributes
    ----------
    absolute : float
        For decimal numbers, in the unit that is printed; at most 0.05.
    relative : float
        As a share of the stored number; at most 0.1.
    why : str
        What the cell does that makes its digits depend on the processor.
    """

    absolute: float = 0.0
    relative: float = 0.0
    why: str = ""

    def __post_init__(self) -> None:
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 <= value <= limit:
                raise InputError(
                    f"A cell declares the tolerance {name}={value!r}; it must be a number from 0 to {limit}. "
                    f"Print fewer digits where more of them depend on the processor."
                )
        if (self.absolute or self.relative) and len(str(self.why).split()) < 2:
            raise InputError("A cell that declares a tolerance says in `why` what makes its digits move.")

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Tolerance:
        """The tolerance in a cell's metadata; the tight one where nothing is declared."""
        declared = metadata.get("tolerance", {})
        strange = set(declared) - {"absolute", "relative", "why"}
        if strange:
            raise InputError(
                f"A cell's tolerance has the entries {sorted(strange)}; "
                f"it knows absolute, relative and why."
            )
        return cls(**declared)


@dataclass(frozen=True)
class Number:
    """A number as it is printed: ``"-0.150"`` is −0.15, in units of 0.001, with three digits."""

    text: str
    value: float
    unit: float
    digits: int
    whole: bool


def numbers(text: str) -> list[Number]:
    """The numbers in a text, in order.

    Examples
    --------
    >>> [n.value for n in numbers("R² of 0.60 [0.55, 0.64] on 9,845 profiles")]
    [0.6, 0.55, 0.64, 9845.0]
    """
    return [_number(found) for found in NUMBER.finditer(text)]


def _number(found: re.Match[str]) -> Number:
    part, power = found["part"] or "", int(found["power"] or 0)
    whole = found["whole"].lstrip("0").replace(",", "")
    value = float(found[0].replace(",", "").replace("−", "-"))
    return Number(
        found[0], value, 10.0 ** (power - len(part)), len(whole + part), not part and not power
    )


def difference(stored: str, printed: str, tolerance: Tolerance | None = None) -> str:
    """What differs between a stored text and one printed now, as a sentence; empty where nothing does.

    Examples
    --------
    >>> difference("R² 0.604", "R² 0.605")
    ''
    >>> difference("R² 0.60", "R² 0.50")
    'number 1: 0.60 is stored, 0.50 is printed, and 0.01 is allowed'
    >>> difference("bias −0.02", "bias 0.02", Tolerance(absolute=0.05, why="trains a network"))
    'number 1: −0.02 is stored, 0.02 is printed: the sign has turned'
    """
    words, others = _words(stored), _words(printed)
    if words != others:
        return _first_words(words, others)
    return next(_numbers_apart(numbers(stored), numbers(printed), tolerance or Tolerance()), "")


def _words(text: str) -> list[str]:
    return NUMBER.sub(" # ", text).split()


def _first_words(words: list[str], others: list[str]) -> str:
    place = next((i for i, (a, b) in enumerate(zip(words, others)) if a != b), min(len(words), len(others)))
    begin = max(place - 3, 0)

    def part(of: list[str]) -> str:
        return " ".join(of[begin : place + 5]) or "nothing more"

    return f"words: {part(words)!r} is stored, {part(others)!r} is printed"


def _numbers_apart(
    stored: list[Number], printed: list[Number], tolerance: Tolerance
) -> Iterator[str]:
    for place, (a, b) in enumerate(zip(stored, printed), 1):
        said = f"number {place}: {a.text} is stored, {b.text} is printed"
        if a.value * b.value < 0:
            yield f"{said}: the sign has turned"
        allowed = _allowed(a, b, tolerance)
        if abs(a.value - b.value) > allowed * (1 + 1e-9):
            yield f"{said}, and {allowed:.3g} is allowed"


def _allowed(a: Number, b: Number, tolerance: Tolerance) -> float:
    relative = tolerance.relative * abs(a.value)
    if a.whole and b.whole:
        return relative if abs(a.value) >= 100 else 0.0
    unit, digits = min(a.unit, b.unit), max(a.digits, b.digits)
    # An absolute tolerance says nothing about numbers so small or large that they carry an exponent.
    absolute = 0.0 if "e" in a.text.lower() else tolerance.absolute
    return max(min(2, digits - 1) * unit, absolute, relative)
