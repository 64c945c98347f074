"""Exercises of chapter 17: bits of a narrowing, of a linear model, and of a plan."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect


@exercise(
    "17.1",
    level=1,
    title="bits of a narrowing",
    hints=(
        "How often was the width halved, if it fell from 8 to 1?",
        "The number of halvings is a logarithm: of the width before over the width after, to the "
        "base 2.",
        "One line: `return np.log2(… / …)`.",
    ),
)
def learnt(answer: Callable[..., Any]) -> None:
    """Halvings: one for a half, none for nothing, additive, without units."""
    half = answer(4.0, 2.0)
    expect(np.shape(half) == (), "shape", "For two numbers return one number.")
    expect(np.isfinite(half), "not finite", "Half as wide gives a number that is not finite.")
    expect(half > 0, "sign", "A belief that has become narrower has learnt: the bits are positive.")
    expect(
        np.isclose(answer(3.0, 3.0), 0.0),
        "limit",
        "A width that has not changed must give no bits.",
    )
    expect(
        np.isclose(answer(4000.0, 2000.0), half),
        "units",
        "The bits must not depend on the unit: only the ratio of the widths counts.",
    )
    expect(
        not np.isclose(answer(8.0, 1.0), 3.0) or np.isclose(answer(9.0, 1.0), 2 * answer(3.0, 1.0)),
        "value",
        "Halvings need not be whole: from 9 to 1 must be twice as many as from 3 to 1. Do not round.",
    )
    expect(
        np.isclose(answer(8.0, 1.0), answer(8.0, 2.0) + answer(2.0, 1.0)),
        "identity",
        "Two steps must add up: from 8 to 2 and from 2 to 1 is from 8 to 1.",
    )
    expect(
        np.isclose(half, 1.0),
        "value",
        "Half as wide is one bit. Which base has your logarithm, and are these widths or variances?",
    )


def _bits(J: Any, sd: Any, prior_sd: Any) -> float:
    S = np.asarray(J) * np.asarray(prior_sd) / np.asarray(sd)[:, None]
    return float(0.5 * np.linalg.slogdet(np.eye(len(S)) + S @ S.T)[1] / np.log(2.0))


@exercise(
    "17.2",
    level=2,
    title="bits before the measurement",
    hints=(
        "First bring the Jacobian into units that do not matter: how many errors of datum i does one "
        "prior width of parameter k make?",
        "S = J × prior_sd / sd, row by row. The bits are ½ log₂ of the determinant of 1 + S Sᵀ.",
        "`S = J * prior_sd / sd[:, None]`, then `np.linalg.slogdet(np.eye(…) + …)[1]`, and the "
        "natural logarithm becomes one to the base 2.",
    ),
)
def expected_bits(answer: Callable[..., Any]) -> None:
    """One datum, independent and repeated data, units, no data at all, a random case."""
    rng = np.random.default_rng(1)
    J = rng.standard_normal((5, 3))
    sd, prior_sd = np.array([0.5, 1.0, 2.0, 0.7, 1.5]), np.array([1.0, 3.0, 0.4])
    found = answer(J, sd, prior_sd)
    expect(np.shape(found) == (), "shape", "Return one number: bits about all parameters together.")
    expect(np.isfinite(found), "not finite", "The bits are not a finite number.")
    found = float(found)
    expect(found > 0, "sign", "Data cannot take information away: the bits are positive.")
    expect(
        np.isclose(answer(1000 * J, 1000 * sd, prior_sd), found),
        "units",
        "In other units of the data, J and sd grow alike, and the bits must not change.",
    )
    expect(
        np.isclose(answer(J / [1.0, 1000.0, 1.0], sd, prior_sd * [1.0, 1000.0, 1.0]), found),
        "units",
        "In other units of a parameter, its column of J shrinks as its prior grows, and the bits "
        "must not change.",
    )
    expect(
        np.isclose(answer(0 * J, sd, prior_sd), 0.0, atol=1e-12),
        "limit",
        "Data that do not depend on the parameters must bring no bits.",
    )
    one = float(answer(np.array([[1.0]]), np.array([1.0]), np.array([np.sqrt(15.0)])))
    expect(
        not np.isclose(one, 2.0 * np.log(2.0)),
        "units",
        "A prior variance of 15 and an error variance of 1 leave a width of one quarter: two bits. "
        "Yours are in units of the natural logarithm.",
    )
    expect(
        not np.isclose(one, 2.0 * np.log10(2.0)), "units", "That is a logarithm to the base 10; bits have the base 2."
    )
    expect(
        not np.isclose(one, 4.0), "value", "Twice too many: the determinant is one of variances, hence the one half."
    )
    expect(
        not np.isclose(one, 15.0 / 16.0), "choice",
        "Those are degrees of freedom for signal, s²/(1 + s²); bits are ½ log₂(1 + s²).",
    )
    expect(
        np.isclose(one, 2.0),
        "value",
        "A prior variance of 15 and an error variance of 1 leave a width of one quarter, so this "
        "datum must bring two bits.",
    )
    twice = float(answer(np.ones((2, 1)), np.ones(2), np.array([np.sqrt(15.0)])))
    better = float(answer(np.ones((1, 1)), np.array([np.sqrt(0.5)]), np.array([np.sqrt(15.0)])))
    expect(
        np.isclose(twice, better),
        "identity",
        "The same thing measured twice must be worth one measurement of half the variance: data "
        "that say the same do not simply add.",
    )
    expect(
        np.isclose(found, _bits(J, sd, prior_sd)),
        "value",
        "Single data come out right, several parameters together do not: take the determinant of "
        "the whole matrix.",
    )


def _cases() -> list[Any]:
    rng = np.random.default_rng(2)
    cases = [rng.standard_normal((8, 4)) * rng.gamma(1.0, 1.0, (8, 1)) for _ in range(6)]
    twin = np.array([[5.0, 0.0, 0.0], [5.0, 0.1, 0.0], [5.0, 0.0, 0.1], [0.0, 2.0, 0.0],
                     [0.0, 0.0, 1.5], [0.3, 0.3, 0.3]])  # fmt: skip
    return [twin, *cases]


@exercise(
    "17.3",
    level=3,
    title="greedy beats random",
    hints=(
        "Which measurement is best if it is the only one? And which is best once that one is made?",
        "In each of n rounds, compute the bits of what is chosen so far plus each candidate in turn, "
        "and keep the candidate with the largest sum.",
        "A list `chosen`, a loop over n, and inside `max((k for k in range(len(S)) if k not in "
        "chosen), key=lambda k: bits(S[chosen + [k]]))`.",
    ),
)
def choose(answer: Callable[..., Any]) -> None:
    """Distinct; beats random and the best singles; near the best of all."""
    ones = np.ones(100)

    def bits(S: Any, picks: Any) -> float:
        rows = S[list(picks)]
        return _bits(rows, np.ones(len(rows)), ones[: S.shape[1]])

    for number, S in enumerate(_cases()):
        picks = answer(S.copy(), 3)
        expect(
            np.ndim(picks) == 1 and len(picks) == 3,
            "shape",
            "For n = 3 return three indices, as a list or an array.",
        )
        picks = [int(k) for k in picks]
        expect(
            all(0 <= k < len(S) for k in picks),
            "off by one",
            f"The indices must lie between 0 and {len(S) - 1}, one for each row of S.",
        )
        expect(
            len(set(picks)) == 3,
            "incomplete",
            "A measurement is chosen twice; every candidate can be made once. (The place of the best among those "
            "left is not its row in S.)",
        )
        found = bits(S, picks)
        everything = {p: bits(S, p) for p in combinations(range(len(S)), 3)}
        single = np.argsort([-bits(S, [k]) for k in range(len(S))])[:3]
        if number == 0:
            expect(
                found > bits(S, single) + 0.1 or set(picks) != set(single.tolist()),
                "choice",
                "Three candidates see the same direction, each strongly. Your plan takes them all; "
                "once one of them is made, others bring more.",
            )
        expect(
            found > np.mean(list(everything.values())),
            "choice",
            "A random choice does as well as this plan.",
        )
        expect(
            found >= (1 - math.exp(-1)) * max(everything.values()),
            "choice",
            "A greedy plan always reaches 63 % of the best; this one does not.",
        )
        first = int(single[0])
        expect(
            picks[0] == first,
            "choice",
            "The first measurement is not the best single one: choose it before the others.",
        )
        for i in (1, 2):
            best = max(bits(S, [*picks[:i], k]) for k in range(len(S)) if k not in picks[:i])
            expect(
                bits(S, picks[: i + 1]) > best - 1e-9,
                "choice",
                f"Measurement {i + 1} of your plan is not the best one beside all {i} chosen before it.",
            )
