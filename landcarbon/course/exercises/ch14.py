"""Exercises of chapter 14: cost, Metropolis, and a wrong σ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.course.checks import exercise, expect

Array = NDArray[np.float64]


@exercise(
    "14.1",
    level=1,
    title="J by hand",
    hints=(
        "How many σ is each datum away from the model? J is made of these numbers.",
        "Divide the misfit by σ, square it, sum over the data, and take one half.",
        "One line: `return 0.5 * np.sum(… ** 2)` with a quotient inside.",
    ),
)
def cost(answer: Callable[[Any, Any, Any], Any]) -> None:
    """Half the sum of squared misfits in units of σ."""
    d, h, sigma = np.array([10.0, 8.0, 5.0]), np.array([9.0, 8.0, 6.0]), np.array([1.0, 2.0, 0.5])
    J = answer(d, h, sigma)
    expect(np.shape(J) == (), "shape", "J is one number for one candidate: sum over the data.")
    expect(np.isfinite(J), "not finite", "J is not a finite number for three ordinary data.")
    expect(J >= 0, "sign", "J is a sum of squares and cannot be negative.")
    expect(
        np.isclose(answer(d, d, sigma), 0.0),
        "limit",
        "A perfect candidate must have J = 0. J is the misfit alone: no exponential, and no constant with σ or π.",
    )
    expect(
        np.isclose(answer(1000 * d, 1000 * h, 1000 * sigma), J),
        "units",
        "J must not change when data, model and error are given in another unit.",
    )
    expect(
        not np.isclose(answer(d, h, 2 * sigma), J),
        "identity",
        "J does not change when the errors do: `sigma` is not used.",
    )
    expect(
        np.isclose(answer(d, h, 2 * sigma), J / 4),
        "value",
        "Twice the error must make J four times smaller: the misfit is squared, and σ with it.",
    )
    twice = answer(np.tile(d, 2), np.tile(h, 2), np.tile(sigma, 2))
    expect(
        np.isclose(twice, 2 * J),
        "mass balance",
        "The same data measured twice must count twice: J is a sum over the data, not a mean.",
    )
    expect(
        np.isclose(answer(np.array([3.0]), np.array([1.0]), np.array([1.0])), 2.0),
        "identity",
        "For one datum two σ away the normal density has fallen by exp(−2). Check the factor in "
        "front of the sum.",
    )


def _normal(theta: Any) -> float:
    return float(0.5 * (((np.asarray(theta) - [1.0, -20.0]) / [2.0, 0.1]) ** 2).sum())


def _wall(theta: Any) -> float:
    x = float(np.asarray(theta).ravel()[0])
    return x if x >= 0 else np.inf


def _look_at_the_moves(chain: Array, asked: Array, step: Array) -> None:
    """What 400 rounds from the best candidate say of the proposals and of the comparison.

    `asked` holds the candidates whose J was asked for, the start first, then one proposal a round.
    """
    moved = (np.diff(chain, axis=0) != 0).any(axis=1).mean()
    expect(
        moved > 0.0 or np.array_equal(chain[0], asked[0]),
        "identity",
        "All rows hold the last state: one array is written down 400 times and changed in place. Write down a copy.",
    )
    expect(
        moved > 0.0,
        "limit",
        "Started at the best candidate, the chain never moves: worse ones must be accepted too, with "
        "probability exp(−ΔJ).",
    )
    if len(asked) == len(chain) + 1:
        proposed, stood = asked[1:], np.vstack([asked[:1], chain[:-1]])
        expect(
            not np.array_equal(chain, proposed),
            "identity",
            "Every proposal is written down, accepted or not. Write down where the chain stands after the round.",
        )
        kick = (proposed - stood) / step
        expect(
            np.abs(kick[:, 0] - kick[:, 1]).max() > 1e-9,
            "identity",
            "Both parameters always step together: draw one random number for each of them.",
        )
        expect(
            np.abs(kick.mean(axis=0)) < 0.5 * kick.std(axis=0),
            "sign",
            "The proposals always go the same way: a step down must be as likely as a step up.",
        )
        expect(
            kick.std(axis=0) < 3.0,
            "value",
            "The proposals lie much farther away than `step`: a step is `step` times a random number, wherever "
            "the chain stands.",
        )
        better = np.array([_normal(theta) for theta in proposed]) < [_normal(theta) for theta in stood]
        went = (chain == proposed).all(axis=1)
        expect(
            went[better].mean() < 1.0 or np.mean([_normal(theta) for theta in chain[-100:]]) < 100.0,
            "limit",
            "Better candidates are accepted, but worse ones too readily, however bad they are: the probability is "
            "exp(−ΔJ), next to nothing when ΔJ is large.",
        )
    expect(
        moved < 0.99,
        "identity",
        "With steps this long many proposals must be refused, but yours is accepted every time. Is "
        "the comparison the right way round?",
    )
    expect(
        np.mean([_normal(theta) for theta in chain[-100:]]) < 100.0,
        "transposed",
        "The chain climbs away from the best candidates: the comparison is turned round. A proposal with a "
        "smaller J is always accepted.",
    )


@exercise(
    "14.2",
    level=2,
    title="Metropolis agrees with the exact posterior",
    hints=(
        "In each of the n rounds one state is written down. Which one, if the proposal is refused?",
        "Propose theta + step × normal numbers; accept if ln(uniform) is below J(now) − J(new).",
        "A loop `for i in range(n)` with a proposal, its J, one `if`, and `chain[i] = theta` after it.",
    ),
)
def metropolis(answer: Callable[..., Any]) -> None:
    """Moments of two targets, refusals repeated, the wall respected, the generator used."""

    def run(J: Callable[[Any], float], start: list[float], step: Any, n: int, seed: int) -> Any:
        return answer(J, np.array(start), np.asarray(step), n, np.random.default_rng(seed))

    begin, step = [1.0, -20.0], [4.0, 0.2]
    asked: dict[bytes, Array] = {}

    def counted(theta: Any) -> float:
        theta = np.array(theta, dtype=float)
        asked.setdefault(theta.tobytes(), theta)
        return _normal(theta)

    chain = np.asarray(run(counted, begin, step, 400, 1), dtype=float)
    expect(
        len(asked) <= 402,
        "incomplete",
        f"You made {len(asked) - 1} proposals for 400 states. A round in which the proposal is refused counts "
        "too: it writes down the old state once more.",
    )
    expect(
        chain.shape == (400, 2) or len(chain) < 400,
        "shape",
        "For n = 400 and two parameters return an array (400, 2): one state a row.",
    )
    expect(
        len(chain) == 400,
        "incomplete",
        f"Of 400 rounds {len(chain)} states are written down. A refused proposal counts the old "
        "state once more.",
    )
    expect(np.isfinite(chain), "not finite", "The chain holds states that are not finite numbers.")
    expect(
        np.array_equal(chain, run(_normal, begin, step, 400, 1)),
        "seed",
        "Two runs with the same generator differ: draw all random numbers from `rng`.",
    )
    _look_at_the_moves(chain, np.array(list(asked.values())), np.asarray(step))
    chain = np.asarray(run(_normal, begin, step, 12_000, 2), dtype=float)
    spread = chain.std(axis=0) / [2.0, 0.1]
    expect(
        spread > 0.3,
        "limit",
        "The chain runs to the best candidate and stays: worse ones must be accepted too, with "
        "probability exp(−ΔJ).",
    )
    expect(
        abs(spread[0] / spread[1] - 1) < 0.2,
        "value",
        "One parameter is explored, the other not: each has its own step length.",
    )
    expect(
        np.abs(spread - 1) < 0.12,
        "value",
        f"The spread of the chain is {spread.mean():.2f} times that of the posterior. A worse "
        "candidate is accepted with probability exp(−ΔJ), nothing else in the exponent.",
    )
    off = np.abs((chain.mean(axis=0) - begin) / [2.0, 0.1])
    expect(
        off[0] < 0.2 or off[1] >= 0.2,
        "value",
        "The first parameter is hardly explored, the second is: each has a step length of its own.",
    )
    expect(
        off < 0.2,
        "value",
        "The mean of the chain is not that of the posterior.",
    )
    walled = np.asarray(run(_wall, [1.0], [2.0], 12_000, 3), dtype=float)[:, 0]
    expect(
        walled >= 0,
        "limit",
        "Where J is infinite nobody may stand: such a proposal is refused like any other bad one.",
    )
    far = np.asarray(run(_normal, [7.0, -20.0], step, 12_000, 4), dtype=float)
    expect(
        np.abs(far.std(axis=0) / [2.0, 0.1] - 1) < 0.15,
        "identity",
        "Started far from the best candidate the chain spreads too widely. Once a proposal is accepted, its J is "
        "the one to compare the next with: keep it together with theta.",
    )
    expect(
        abs(walled.mean() - 1) < 0.12,
        "value",
        "Beside a wall the mean is off: count the old state again when a proposal falls behind it.",
    )


@exercise(
    "14.3",
    level=3,
    title="the price of a wrong σ",
    hints=(
        "Two σ occur: one makes the data, the other is told to the cost function.",
        "For each jar: draw k, make fluxes with the true σ, weigh a grid of k by exp(−J) with the "
        "told σ, take the 5 % and 95 % points, see whether k lies between.",
        "Arrays of shape (jars, grid): J by broadcasting, `np.cumsum` along the grid, compare with "
        "0.05 and 0.95.",
    ),
)
def coverage(answer: Callable[..., Any]) -> None:
    """0.90 when the told σ is true, 2 Φ(1.645 factor) − 1 otherwise."""

    def share(factor: float, seed: int = 1) -> float:
        return float(answer(factor, 1500, np.random.default_rng(seed)))

    right = share(1.0)
    expect(np.isfinite(right), "not finite", "The coverage is not a finite number for factor 1.")
    expect(right <= 1.0, "units", "Return a share between 0 and 1: no per cent, and no count of jars.")
    half, double = share(0.5), share(2.0)
    expect(
        right > 0.1 or half > 0.1 or double > 0.1,
        "limit",
        f"With the right σ you return {right:.2g}. Return the share of jars whose interval holds the true k; the ends "
        "of an interval are points of k, not weights.",
    )
    expect(
        not {half, right, double} <= {0.0, 1.0},
        "limit",
        "Whatever σ is told, all jars hold the truth or none does. Does each jar have errors of its own, and is J a "
        "sum over the days?",
    )
    expect(
        abs(half - right) > 0.05 or abs(double - right) > 0.05,
        "identity",
        "The coverage does not depend on the factor: make the data with the true σ, and give the "
        "told one to the cost only.",
    )
    expect(
        half < right < double,
        "transposed",
        "Told too small a σ, the interval must hold the truth less often; yours does so more often.",
    )
    expect(
        abs(right - 0.95) > 0.02,
        "limit",
        "With the right σ your interval holds the truth in 95 %: that is the interval from 2.5 % to "
        "97.5 %, asked for is the one from 5 % to 95 %.",
    )
    usual = {
        0.755: "that is what J without its one half gives",
        0.8: "that is the interval from 10 % to 90 %, asked for is the one from 5 % to 95 %",
        0.683: "that is one standard deviation to both sides, and a 90 % interval is 1.645 of them",
    }
    for value, meaning in usual.items():
        expect(
            abs(right - value) > 0.02,
            "limit",
            f"With the right σ your interval holds the truth in {right:.0%}: {meaning}.",
        )
    expect(
        abs(right - 0.9) < 0.03,
        "limit",
        f"With the right σ the 90 % interval must hold the truth in 90 % of the jars, not in "
        f"{100 * right:.0f} %.",
    )
    expect(
        abs(half - 0.59) < 0.05 and double > 0.985,
        "value",
        "With the right σ it works, with a wrong one the numbers do not fit a posterior whose width "
        "is proportional to the told σ.",
    )
    expect(
        share(0.5, 2) != half or share(1.0, 2) != right,
        "seed",
        "Another generator gives exactly the same share: draw the jars from `rng`.",
    )
