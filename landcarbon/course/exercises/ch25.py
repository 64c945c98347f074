"""Exercises of chapter 25: decisions, and the capstone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.course.capstone import invariants
from landcarbon.course.checks import Miss, exercise, expect, unlike

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
    table = np.array([
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],  # best worst case
        [-3.0, -3.0, -3.0, -3.0, 0.0, 0.0, 11.0],  # best single outcome
        [3.0, 0.0, 4.0, 0.5, 0.5, 5.0, 1.7],  # best expectation
        [1.8, 1.8, 1.8, 1.8, 1.8, -4.0, -4.0],  # best median
        [3.5, 3.5, -2.0, 3.5, -5.0, -9.0, -9.0],  # most often the best
        [-3.0, -3.0, -3.0, -3.0, -3.0, -3.0, -3.0],  # worst expectation
    ])
    wide = np.random.default_rng(1).normal(size=(3, 500)) + [[0], [1], [0.5]]
    found, beyond = answer(table), answer(wide)
    pairs = all(isinstance(two, (tuple, list, np.ndarray)) and len(two) == 2 for two in (found, beyond))
    expect(pairs, "shape", "Return two things: the row, and its expected payoff.")
    row, worth = found
    expect(np.size(row) == 1 and np.size(worth) == 1, "shape",
           "One row and one payoff: of the action you take, not of all.")
    expect(np.isfinite(worth), "not finite", "The expected payoff is not a finite number.")
    expect(not (np.isclose(row, 2.1) and worth == 2), "shape", "The row comes first, its expected payoff second.")
    expect(beyond[0] < 3, "transposed",
           "With three actions and 500 members your row number is beyond the actions: average along each row, axis=1.")
    expect(not (row == 3 and np.isclose(worth, 2.1)), "off by one", "Rows are counted from 0, as Python does.")
    chosen = {
        0: "whose worst case is best. That can be wise, but asked for is the best expectation.",
        1: "with the best single outcome. It has to be chosen before the outcome is known.",
        3: "with the best median. Asked for is the best mean: rare large losses count with their size.",
        4: "that is best in most members. By how much it is worse in the others counts as well.",
        5: "with the smallest expectation: `argmax`, not `argmin`.",
    }
    expect(row not in chosen, "choice", f"You took the action {chosen.get(int(row), '')}")
    expect(row == 2, "transposed", "Average over the members, along the row of each action: axis=1.")
    unlike(
        worth,
        (14.7, "value", "The row is right; its payoff is the sum over the members. Take the mean."),
        (table.max(axis=0).mean(), "value", "The row is right; its payoff is what one would get knowing the member."),
        (np.median(table[2]), "value", "The row is right; its payoff is a median. Take the mean."),
        (11.0, "value", "The row is right; its payoff is the largest of the whole table."),
    )
    expect(np.isclose(worth, 2.1), "value", "The row is right, its expected payoff is not.")
    expect(beyond[0] == 1, "value", "With three actions and many members another one has the best mean.")


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
    value = answer(np.array([[2.0, 0.0], [1.0, 1.0]]))
    expect(np.shape(value) == (), "shape", "A value is one number.")
    expect(np.isfinite(value), "not finite", "The value is not a finite number.")
    tables = [1 + rng.normal(size=(a, m)) for a, m in ((2, 9), (4, 30), (3, 200))]
    found = np.array([answer(t) for t in tables])
    expect(
        found > -1e-9,
        "sign",
        "Knowing more cannot be worth less than nothing: you could ignore it. Which of the two "
        "expectations is larger?",
    )
    expect(
        np.isclose(answer(1 + rng.normal(size=(1, 50))), 0),
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
    unlike(
        answer(t),
        (t.max(axis=1).mean() - t.mean(axis=0).max(), "transposed",
         "The axes are exchanged: the best action of a member is the largest of its column, axis=0."),
        (t.max(axis=0).mean() - t.mean(), "incomplete",
         "You compare with an action drawn at random. Without the forecast one takes the one that is best on average."),
        (t.mean(axis=1).max() - t.min(axis=0).mean(), "sign",
         "With the outcome known one takes the best action in each member, not the worst."),
        ((t.max(axis=0).mean() - t.mean(axis=1).max()) / t.max(axis=0).mean(), "units",
         "That is a share; asked for is what it is worth, in the unit of the table."),
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
