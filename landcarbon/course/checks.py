"""Exercise checks: an answer goes in, one sentence comes out.

A check tests invariants (mass balance, limits, identities) and names the kind of error without
printing the answer. Exercises are functions marked `exercise` in ``landcarbon.course.exercises``;
inside them `expect` states what must hold.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from types import FunctionType
from typing import Any

import numpy as np

from landcarbon.course.say import say
from landcarbon.matrix.errors import InputError

__all__ = ["KINDS", "Exercise", "Miss", "Outcome", "check", "exercise", "expect", "find", "grade",
           "hint"]

KINDS = (
    "units",
    "sign",
    "mass balance",
    "off by one",
    "shape",
    "not finite",
    "transposed",
    "limit",
    "identity",
    "value",
    "seed",
    "leakage",
    "choice",
    "incomplete",
    "stopped",
)
"""What can be wrong with an answer. ``stopped`` is kept for code that raises an error."""

RUNGS = ("nudge", "method", "shape of the code")

_REGISTRY: dict[str, Exercise] = {}
_RUNG: dict[str, int] = {}


class Miss(Exception):
    """An answer that misses: the kind of error and one sentence that helps."""

    def __init__(self, kind: str, message: str) -> None:
        if kind not in KINDS:
            raise InputError(f"{kind!r} is no kind of error; choose one of {', '.join(KINDS)}.")
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True)
class Exercise:
    """One exercise: its key ("03.1"), level (1–3), title, ladder of hints and test."""

    key: str
    level: int
    title: str
    hints: tuple[str, str, str]
    test: Callable[[Any], None]


@dataclass(frozen=True)
class Outcome:
    """What a check found: passed True, False, or None for an exercise not answered yet."""

    exercise: Exercise
    passed: bool | None
    kind: str = ""
    message: str = ""

    def __str__(self) -> str:
        name = f"{self.exercise.key} {self.exercise.title}"
        if self.passed is None:
            return f"… {self.exercise.key} not answered yet"
        return f"✔ {name}" if self.passed else f"✘ {self.exercise.key} [{self.kind}] {self.message}"


def exercise(
    key: str, *, level: int, title: str, hints: tuple[str, str, str]
) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register the decorated function as the test of one exercise.

    Parameters
    ----------
    key : str
        Chapter and number: ``"03.1"``.
    level : int
        1 (five minutes), 2 (fifteen minutes), 3 (open).
    title : str
        A few words, printed when the answer is right.
    hints : tuple of three str
        Nudge, method, shape of the code.
    """
    if level not in (1, 2, 3):
        raise InputError(f"level is 1, 2 or 3, but {level!r} was given for exercise {key}.")
    if len(hints) != len(RUNGS):
        raise InputError(f"exercise {key} has {len(hints)} hints; give three: {', '.join(RUNGS)}.")

    def register(test: Callable[[Any], None]) -> Callable[[Any], None]:
        _REGISTRY[key] = Exercise(key, level, title, hints, test)
        return test

    return register


def expect(condition: Any, kind: str, message: str) -> None:
    """Go on when `condition` holds, otherwise miss with this kind of error and this sentence."""
    if not np.all(condition):
        raise Miss(kind, message)


def find(key: str) -> Exercise:
    """The exercise of this key; its chapter's module is loaded when needed.

    Raises
    ------
    InputError
        No such chapter or exercise.
    """
    chapter = str(key).partition(".")[0]
    try:
        import_module(f"landcarbon.course.exercises.ch{chapter}")
    except ModuleNotFoundError as error:
        if error.name != f"landcarbon.course.exercises.ch{chapter}":
            raise
        raise InputError(
            f"There is no chapter {chapter!r} with exercises. A key is chapter and number: '03.1'."
        ) from None
    if key not in _REGISTRY:
        known = sorted(k for k in _REGISTRY if k.startswith(f"{chapter}."))
        raise InputError(f"There is no exercise {key!r}; chapter {chapter} has {', '.join(known)}.")
    return _REGISTRY[key]


def grade(key: str, answer: Any) -> Outcome:
    """Test an answer and say what was found; an error in the learner's code is a finding too."""
    found = find(key)
    if answer is None or answer is Ellipsis:
        return Outcome(found, None)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found.test(_returning(answer))
    except Miss as miss:
        return Outcome(found, False, miss.kind, miss.message)
    except NotImplementedError:
        return Outcome(found, None)
    except Exception as error:
        return Outcome(found, False, "stopped", _sentence(error))
    return Outcome(found, True)


def check(key: str, answer: Any) -> bool | None:
    """Check the answer to an exercise and print one line about it.

    Parameters
    ----------
    key : str
        Chapter and number of the exercise.
    answer : Any
        What the exercise asks for: a function or a value.

    Returns
    -------
    bool or None
        True when right, False when not, None when not answered yet.

    Examples
    --------
    >>> check("00.1", lambda u, k: k / u)  # doctest: +SKIP
    ✘ 00.1 [units] …
    """
    outcome = grade(key, answer)
    say(outcome)
    return outcome.passed


def hint(key: str) -> None:
    """Print a hint for an exercise; each call goes one rung further up the ladder."""
    found = find(key)
    rung = min(_RUNG.get(key, 0), len(RUNGS) - 1)
    _RUNG[key] = rung + 1
    say(f"{key}, hint {rung + 1} of {len(RUNGS)} ({RUNGS[rung]}): {found.hints[rung]}")


def _returning(answer: Any) -> Any:
    """Functions miss as soon as they return nothing; any other answer stays as it is."""
    if type(answer) is tuple:
        return tuple(_returning(part) for part in answer)
    if type(answer) is dict:
        return {name: _returning(part) for name, part in answer.items()}
    if not isinstance(answer, FunctionType):
        return answer

    @wraps(answer)
    def function(*args: Any, **options: Any) -> Any:
        value = answer(*args, **options)
        if value is None:
            raise Miss(
                "incomplete", "Your function returns nothing. Did you forget the line with `return`?"
            )
        return value

    return function


def _sentence(error: Exception) -> str:
    """Where the learner's code stopped, and why."""
    frames = traceback.extract_tb(error.__traceback__)
    # The first frame is `grade`, the second the check itself; the learner's code lies below them.
    line = f" at the line `{frames[-1].line}`" if len(frames) > 2 and frames[-1].line else ""
    return f"Your code stopped with {type(error).__name__}{line}: {error}"
