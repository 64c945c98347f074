"""Exercise checks: an answer goes in, one sentence comes out.

A check tests invariants (mass balance, limits, identities) and names the kind of error without
printing the answer. Exercises are functions marked `exercise` in ``landcarbon.course.exercises``;
inside them `expect` states what must hold.
"""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from landcarbon.course.say import say
from landcarbon.matrix.errors import InputError

__all__ = ["KINDS", "Exercise", "Miss", "Outcome", "check", "exercise", "expect", "find", "grade",
           "hint", "known", "unlike"]

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

# What the sentence of an error of NumPy or Python leaves a beginner to guess.
TIPS = {
    "gufunc signature": "print the `.shape` of both arrays; `u[..., None]` makes columns of vectors.",
    "could not be broadcast": "print the `.shape` of both arrays.",
    "only integers, slices": "a place in an array is a number; `pools.index(name)` is that of a name.",
    "interpreted as an integer": "`range` counts in whole numbers; `np.arange(0, end, step)` takes any.",
    "at least two-dimensional": "a matrix comes first, `np.linalg.solve(M, b)`; with a vector K, `A @ K` is a vector "
    "and `A * K` has each column of A times its K.",
    "KeyError": "the dict has no such key: print its keys.",
}
ONE_SHORTER = (
    "one has a time more than the other: a run has stocks at its times and fluxes for the steps between "
    "them; `model.respiration(X)` is the flux at a time."
)

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


def unlike(found: Any, *slips: tuple[Any, str, str], rtol: float = 1e-6, atol: float = 1e-12) -> None:
    """Go on when `found` is none of what typical slips give; each slip is (value, kind, sentence).

    A slip whose value has another shape than `found`, or is not finite, is passed over.
    """
    found = np.asarray(found, dtype=float)
    for value, kind, message in slips:
        value = np.asarray(value, dtype=float)
        same = value.shape == found.shape and bool(np.isfinite(value).all())
        expect(not (same and np.allclose(found, value, rtol=rtol, atol=atol)), kind, message)


def find(key: str) -> Exercise:
    """The exercise of this key; its chapter's module is loaded when needed.

    Raises
    ------
    InputError
        No such chapter or exercise.
    """
    there = known(str(key).partition(".")[0])
    if key not in there:
        raise InputError(
            f"There is no exercise {key!r}; chapter {str(key)[:2]} has {', '.join(there)}."
        )
    return _REGISTRY[key]


def known(chapter: str) -> list[str]:
    """Keys of the exercises of a chapter.

    Raises
    ------
    InputError
        No such chapter.
    """
    try:
        import_module(f"landcarbon.course.exercises.ch{chapter}")
    except ModuleNotFoundError as error:
        if error.name != f"landcarbon.course.exercises.ch{chapter}":
            raise
        raise InputError(
            f"There is no chapter {chapter!r} with exercises. A key is chapter and number: '03.1'."
        ) from None
    return sorted(key for key in _REGISTRY if key.startswith(f"{chapter}."))


def grade(key: str, answer: Any) -> Outcome:
    """Test an answer and say what was found; an error in the learner's code is a finding too."""
    found = find(key)
    if answer is None or answer is Ellipsis:
        return Outcome(found, None)
    watch = _Watch()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if not callable(answer) and _wants_a_function(found):
                raise Miss(
                    "shape",
                    f"Hand in the function itself, its name without brackets; you gave {_kind(answer)}.",
                )
            found.test(watch.over(answer))
    except Miss as miss:
        return Outcome(found, False, miss.kind, miss.message + watch.seen(miss.kind, miss.message))
    except NotImplementedError:
        return Outcome(found, None)
    except Exception as error:
        if error is watch.error:
            return Outcome(found, False, "stopped", _sentence(error))
        return Outcome(found, False, "shape", watch.unusable(answer, error))
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


class _Watch:
    """Looks at what a learner's functions are given and what they return.

    It stops at once where nothing comes back or the arguments do not fit; it keeps the last call, to
    be shown where it is small; and it knows the learner's own errors from those of a check that
    could not use what it got.
    """

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.returned: Any = _NOTHING
        self.error: Exception | None = None

    def over(self, answer: Any) -> Any:
        """The answer, with each of its functions watched."""
        if type(answer) is tuple:
            return tuple(self.over(part) for part in answer)
        if type(answer) is dict:
            return {name: self.over(part) for name, part in answer.items()}
        return self._watched(answer) if isinstance(answer, FunctionType) else answer

    def _watched(self, answer: FunctionType) -> Callable[..., Any]:
        form = signature(answer)

        @wraps(answer)
        def function(*args: Any, **options: Any) -> Any:
            try:
                given = form.bind(*args, **options).arguments
            except TypeError:
                raise Miss(
                    "shape",
                    f"Your function takes {form}, and the check gives it "
                    f"{_count(len(args) + len(options), 'argument')}: leave the first line of the cell as "
                    f"the task has it.",
                ) from None
            try:
                value = answer(*args, **options)
            except (Miss, NotImplementedError):
                raise
            except Exception as error:
                self.error = error
                raise
            self.given, self.returned = dict(given), value
            if value is None:
                raise Miss(
                    "incomplete",
                    "Your function returns nothing. Did you forget the line with `return`?",
                )
            if type(value) is tuple and any(part is None for part in value):
                raise Miss("incomplete", "A part of what your function returns is None.")
            return self.over(value)

        return function

    def seen(self, kind: str, message: str) -> str:
        """The last call in a sentence where it is small enough to be read; else what came back."""
        if self.returned is _NOTHING or self.returned is None or "you gave" in message:
            return ""
        given = [(name, _brief(value)) for name, value in self.given.items()]
        returned = _brief(self.returned)
        if given and returned and all(text for _, text in given):
            case = f" For {', '.join(f'{name} = {text}' for name, text in given)} you gave {returned}."
            if len(case) <= 120:
                return case
        return f" You gave {_kind(self.returned)}." if kind == "shape" else ""

    def unusable(self, answer: Any, error: Exception) -> str:
        """What came back, for a check that could not go on with it."""
        if isinstance(error, InputError):
            return f"The library refuses what you gave: {error}"
        if self.returned is _NOTHING:
            return f"The check cannot use {_kind(answer)}; look at the task for what to hand in."
        return (
            f"Your function returned {_kind(self.returned)}, which the check cannot use; its docstring "
            f"says what to return."
        )


_NOTHING = object()


def _wants_a_function(found: Exercise) -> bool:
    return str(found.test.__annotations__.get("answer", "")).startswith("Callable")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, str):
        return f"the text {value[:30]!r}"
    if isinstance(value, bool | np.bool_):
        return f"the answer {value}"
    if isinstance(value, complex | float | int | np.number):
        return f"the number {value:.4g}"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype.name} of shape {value.shape}"
    if isinstance(value, dict):
        names = ", ".join(map(str, list(value)[:4]))
        return f"a dict with the keys {names}" if value else "an empty dict"
    if isinstance(value, list | tuple | set):
        return f"a {type(value).__name__} of {_count(len(value), 'item')}"
    if isinstance(value, type):
        return f"the class {value.__name__} itself (an object of it is {value.__name__}())"
    return "a function" if callable(value) else f"a {type(value).__name__}"


def _brief(value: Any) -> str:
    """A number, a short text or a few numbers as one would write them; otherwise nothing."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 20 else ""
    if isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return _brief(value[()])
    if isinstance(value, complex | float | int | np.number):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray) and value.size <= 4 and value.dtype.kind in "iuf":
        return f"[{', '.join(map(_brief, value))}]" if value.ndim == 1 else ""
    if isinstance(value, list | tuple) and 0 < len(value) <= 4:
        parts = [_brief(part) for part in value]
        return f"({', '.join(parts)})" if all(parts) else ""
    return ""


def _sentence(error: Exception) -> str:
    """Where the learner's code stopped, and why."""
    # The last line that is the learner's own: not of this library, nor of an installed one.
    ours = Path(__file__).parents[1]
    frames = [
        f for f in traceback.extract_tb(error.__traceback__)
        if ours not in Path(f.filename).parents and not {"site-packages", "dist-packages"} & {*Path(f.filename).parts}
    ]
    line = f" at the line `{frames[-1].line}`" if frames and frames[-1].line else ""
    name = type(error).__name__
    tips = [tip for words, tip in TIPS.items() if words in f"{name}: {error}"]
    sizes = re.search(r"shapes \((\d+),\) \((\d+),\)", str(error))
    if sizes and abs(int(sizes[1]) - int(sizes[2])) == 1:
        tips = [ONE_SHORTER]
    return "; ".join([f"Your code stopped with {name}{line}: {str(error).strip()}", *tips])
