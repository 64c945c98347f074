"""The check itself: one line for every answer, whatever the learner's code does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from landcarbon.course import checks
from landcarbon.course.checks import Miss, check, exercise, expect, find, grade, hint
from landcarbon.matrix.errors import InputError

EXERCISES = Path(checks.__file__).parent / "exercises"
HINTS = ("Think of units.", "Divide one by the other.", "One line with a return.")


@pytest.fixture
def doubling():
    @exercise("00.9", level=1, title="doubling", hints=HINTS)
    def test(answer):
        expect(answer(2) == 4, "value", "Twice two is another number.")

    yield "00.9"
    checks._REGISTRY.pop("00.9")
    checks._RUNG.pop("00.9", None)


def test_right_wrong_and_unanswered(doubling, capsys) -> None:
    def blank(x):
        raise NotImplementedError("write the double")

    assert check(doubling, lambda x: 2 * x) is True
    assert check(doubling, lambda x: x) is False
    assert check(doubling, blank) is None
    assert check(doubling, None) is None
    assert check(doubling, ...) is None
    assert capsys.readouterr().out.splitlines() == [
        "✔ 00.9 doubling",
        "✘ 00.9 [value] Twice two is another number. For x = 2 you gave 2.",
        *["… 00.9 not answered yet"] * 3,
    ]


def test_a_bug_of_the_learner_is_a_finding(doubling) -> None:
    def broken(x):
        return x + "2"

    outcome = grade(doubling, broken)
    assert outcome.passed is False
    assert outcome.kind == "stopped"
    assert "TypeError" in outcome.message
    assert 'x + "2"' in outcome.message


def test_the_line_shown_is_the_learner_s_own(doubling) -> None:
    outcome = grade(doubling, lambda x: np.linalg.inv(np.zeros((x, x))))
    assert outcome.kind == "stopped"
    assert "LinAlgError" in outcome.message
    assert "checks.py" not in outcome.message and "expect(" not in outcome.message


def test_what_a_check_cannot_use_is_no_error_of_the_learner_s_code(doubling) -> None:
    assert grade(doubling, 4).kind == "shape"
    assert "the number 4" in grade(doubling, 4).message
    assert grade("00.1", 25.0).message == (
        "Hand in the function itself, its name without brackets; you gave the number 25."
    )
    too_few = grade("00.1", lambda I: I / 0.02)
    assert too_few.kind == "shape" and "takes (I), and the check gives it 2 arguments" in too_few.message
    assert "an array of float64 of shape (2, 2)" in grade("00.1", lambda I, k: np.ones((2, 2))).message


ODD = {
    "text": lambda *a, **o: "text", "empty list": lambda *a, **o: [], "list": lambda *a, **o: [1.0, 2.0],
    "dict": lambda *a, **o: {}, "zero": lambda *a, **o: 0, "True": lambda *a, **o: True,
    "nan": lambda *a, **o: float("nan"), "square": lambda *a, **o: np.zeros((2, 2)),
    "one in a tuple": lambda *a, **o: (1.0,), "half a pair": lambda *a, **o: (1.0, None),
    "complex": lambda *a, **o: 1 + 2j, "ragged": lambda *a, **o: [[1], [1, 2]],
    "array of texts": lambda *a, **o: np.array(["a", "b"]), "no argument": lambda: 1.0,
    "eight arguments": lambda a, b, c, d, e, f, g, h: 1.0, "not a function": 3.0, "a text": "text",
    "a list": [1, 2], "an array": np.zeros(3), "a pair": (1.0, 2.0), "a dict": {"a": 1}, "empty": {},
}  # fmt: skip


def test_a_forgotten_return_is_told(doubling) -> None:
    def forgot(x):
        2 * x

    outcome = grade(doubling, forgot)
    assert (outcome.passed, outcome.kind) == (False, "incomplete")
    assert "forget" in outcome.message


@pytest.mark.parametrize("path", sorted(EXERCISES.glob("ch*.py")), ids=lambda path: path.stem)
def test_every_check_says_so_when_nothing_comes_back(path) -> None:
    """No check stops with an error of its own when functions return nothing."""
    chapter = path.stem[2:]
    find(f"{chapter}.1")
    for key in [key for key in checks._REGISTRY if key.startswith(f"{chapter}.")]:
        assert grade(key, lambda *a, **o: None).kind not in ("", "stopped"), key


@pytest.mark.parametrize("path", sorted(EXERCISES.glob("ch*.py")), ids=lambda path: path.stem)
def test_no_check_stops_at_an_odd_answer(path) -> None:
    """Texts, lists, wrong shapes, wrong counts: each gets a kind and a sentence."""
    find(f"{path.stem[2:]}.1")
    for key in [key for key in checks._REGISTRY if key.startswith(f"{path.stem[2:]}.")]:
        for name, answer in ODD.items():
            outcome = grade(key, answer)
            assert outcome.passed is False, f"{key}, {name}: {outcome}"
            assert outcome.kind not in ("", "stopped"), f"{key}, {name}: {outcome}"
            assert len(outcome.message.split()) >= 4, f"{key}, {name}"


def test_hints_climb_a_ladder_and_stay_on_top(doubling, capsys) -> None:
    for _ in range(4):
        hint(doubling)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == [*HINTS, HINTS[-1]]
    assert lines[0] == "00.9, hint 1 of 3 (nudge): Think of units."


@pytest.mark.parametrize("key", ["99.1", "00.77", "chapter three"])
def test_unknown_key_says_what_there_is(key) -> None:
    with pytest.raises(InputError, match="There is no"):
        grade(key, 1)


def test_rules_for_authors() -> None:
    with pytest.raises(InputError, match="no kind of error"):
        Miss("colour", "It is blue.")
    with pytest.raises(InputError, match="three"):
        exercise("00.8", level=1, title="x", hints=("one",))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="level"):
        exercise("00.8", level=4, title="x", hints=HINTS)
