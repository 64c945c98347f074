"""Exercises of chapter 25: decisions, and the capstone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.course.capstone import invariants
from landcarbon.course.checks import Miss, exercise, expect

Array = NDArray[np.float64]


@exercise(
    "25.1",
    level=1,
    title="the consequence table",
    hints=(
        "You must choose before you know which member will come true: what stands for an action then?",
        "The expected payoff of an action is the mean of its row; take the action whose mean is largest.",
        "`expected = table.mean(axis=1)`, then `expected.argmax()` and `expected.max()`.",
    ),
)
def best_action(answer: Callable[[Array], Any]) -> None:
    """The best expectation, not the best single outcome nor the safest one."""
    table = np.array(
        [[1.0, 1.0, 1.0, 1.0, 1.0], [-3.0, -3.0, -3.0, -3.0, 9.0], [2.0, 0.0, 2.0, 1.0, 3.0]]
    )
    found = answer(table)
    expect(np.shape(found) == (2,), "shape", "Return two things: the row, and its expected payoff.")
    row, worth = found
    expect(np.isfinite(worth), "not finite", "The expected payoff is not a finite number.")
    expect(
        row in (0, 1, 2),
        "transposed",
        "There are three actions, the rows 0 to 2, and five members: average along each row, axis=1.",
    )
    expect(
        row != 1,
        "choice",
        "You took the action with the best single outcome. It has to be chosen before the outcome is "
        "known.",
    )
    expect(
        row != 0,
        "choice",
        "You took the action whose worst case is best. That can be wise, but asked for is the best "
        "expectation.",
    )
    expect(row == 2, "transposed", "Average over the members, along the row of each action.")
    expect(np.isclose(worth, 1.6), "value", "The row is right, its expected payoff is not.")
    wide = np.random.default_rng(1).normal(size=(3, 500)) + [[0], [1], [0.5]]
    expect(
        answer(wide)[0] == 1,
        "transposed",
        "With many members your row number is beyond the actions.",
    )


@exercise(
    "25.2",
    level=2,
    title="the value of a perfect forecast",
    hints=(
        "Somebody tells you the member before you choose: what would you get, on average?",
        "With the outcome known you take the best action in each member; without it, one action for all "
        "members. The value is the difference of the two expectations.",
        "One line: a `.max(axis=0).mean()` minus a `.mean(axis=1).max()`.",
    ),
)
def perfect_value(answer: Callable[[Array], Any]) -> None:
    """Zero where nothing can be gained, never negative, known where it is known."""
    rng = np.random.default_rng(2)
    value = answer(np.array([[1.0, -1.0], [0.0, 0.0]]))
    expect(np.shape(value) == (), "shape", "A value is one number.")
    expect(np.isfinite(value), "not finite", "The value is not a finite number.")
    tables = [rng.normal(size=(a, m)) for a, m in ((2, 9), (4, 30), (3, 200))]
    found = np.array([answer(t) for t in tables])
    expect(
        found > -1e-9,
        "sign",
        "Knowing more cannot be worth less than nothing: you could ignore it. Which of the two "
        "expectations is larger?",
    )
    expect(
        np.isclose(answer(rng.normal(size=(1, 50))), 0),
        "limit",
        "With a single action there is nothing to choose, so knowing is worth nothing.",
    )
    t = tables[0]
    expect(
        np.isclose(answer(t + 5), answer(t)),
        "identity",
        "The same gift added to every outcome must not change what knowing is worth.",
    )
    expect(
        np.isclose(answer(np.repeat(t, 3, axis=1)), answer(t)),
        "units",
        "The value must not grow when every member is counted three times: take means, not sums.",
    )
    better = np.vstack([t, t.max(axis=0) + 1])
    expect(
        np.isclose(answer(better), 0),
        "limit",
        "Where one action is best in every member, knowing the member is worth nothing.",
    )
    expect(np.isclose(value, 0.5), "value", "Half of the time one would gain 1 by knowing.")


@exercise(
    "25.3",
    level=3,
    title="capstone: twelve invariants hold",
    hints=(
        "Take the steps in order, and let the card decide how large the model has to be.",
        "Call `invariants(project)` as soon as all functions return something, and mend the first that "
        "fails; the later ones stand on the earlier.",
        "Each function returns what its docstring says; `landcarbon.course.capstone.PARTS` lists them all.",
    ),
)
def capstone(answer: Mapping[str, Callable[..., Any]]) -> None:
    """The project hangs together."""
    expect(isinstance(answer, Mapping), "shape", "The project is a dict of functions.")
    for finding in invariants(answer):
        if not finding.holds:
            raise Miss(
                finding.kind if finding.kind != "stopped" else "incomplete",
                f"Invariant {finding.number}, {finding.name}: {finding.sentence}",
            )
