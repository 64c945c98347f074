"""Exercises of chapter 16: one at a time, Sobol indices, a band judged by days held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect

LOW = np.array([0.0, -1.0, 2.0, 0.5])
DEFAULT = np.array([1.0, 0.0, 2.5, 1.0])
HIGH = np.array([4.0, 1.0, 4.0, 3.0])


def _curved(theta: Any) -> Any:
    """Falls with the first, a product of the second and third, idle in the fourth."""
    theta = np.asarray(theta, dtype=float)
    inside = (theta >= LOW - 1e-12) & (theta <= HIGH + 1e-12)
    expect(
        inside,
        "limit",
        "The model was run outside the bounds: each parameter may take its lower bound, its default "
        "or its upper bound.",
    )
    return 10.0 - theta[..., 0] ** 2 + 3.0 * theta[..., 1] * theta[..., 2]


@exercise(
    "16.1",
    level=1,
    title="one at a time",
    hints=(
        "How many runs does each parameter need, and what do the other parameters do meanwhile?",
        "For parameter k: copy the default, put low[k] in, run; copy the default, put high[k] in, run. "
        "The effect is how far apart the two outputs are.",
        "A loop `for k in range(len(default))` with two copies; `abs(model(up) − model(down))`.",
    ),
)
def one_at_a_time(answer: Callable[..., Any]) -> None:
    """The absolute change from lower to upper bound, others at their defaults."""
    kept = DEFAULT.copy()
    effect = np.asarray(answer(_curved, LOW.copy(), kept, HIGH.copy()), dtype=float)
    expect(
        effect.shape == (4,),
        "shape",
        f"Return one number a parameter, four here; yours has shape {effect.shape}.",
    )
    expect(np.isfinite(effect), "not finite", "An effect is not a finite number.")
    expect(
        np.array_equal(kept, DEFAULT),
        "value",
        "The defaults that were handed in have been changed: work on a copy of them.",
    )
    expect(
        effect >= 0,
        "sign",
        "An effect is a distance: a parameter that lowers the output matters as much as one that "
        "raises it.",
    )
    expect(
        not np.array_equal(np.sort(effect), np.arange(4.0)) or effect[0] > 4,
        "choice",
        "That is the order of the parameters; asked for is how far each of them moves the output.",
    )
    expect(
        effect[3] == 0,
        "limit",
        "The model does not use its last parameter; its effect must be 0. Nothing else may change between its two "
        "runs.",
    )
    doubled = np.asarray(answer(lambda x: 2.0 * _curved(x), LOW, DEFAULT, HIGH), dtype=float)
    expect(
        np.allclose(doubled, 2 * effect),
        "units",
        "An output in another unit must give effects in that unit: twice the output, twice the effect.",
    )
    expect(
        np.isclose(effect[0], 16.0),
        "value",
        "The first parameter goes all the way from its lower to its upper bound; yours moves it by "
        "something else, or divides by the way.",
    )
    humped = np.asarray(answer(lambda x: -((x[0] - 2.0) ** 2), LOW, DEFAULT, HIGH), dtype=float)
    expect(
        np.isclose(humped[0], 0.0),
        "value",
        "Where both bounds give the same output the effect is 0: compare the two bounds with each other, not with the "
        "default.",
    )
    expect(
        np.isclose(effect[1], 15.0) and np.isclose(effect[2], 0.0),
        "identity",
        "While one parameter moves, all the others stand at their defaults; not at their bounds, and "
        "not where the one before has left them.",
    )


def _shares(z: Any) -> Any:
    """2 z0 + z1 + 4 z1 z2 of centred parameters; the fourth is idle."""
    return 2 * z[..., 0] + z[..., 1] + 4 * z[..., 1] * z[..., 2]


def _additive(z: Any) -> Any:
    return 3 * z[..., 0] + z[..., 1] - 2 * z[..., 2]


def _samples(model: Callable[[Any], Any], n: int = 30_000, seed: int = 1) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    A, B = rng.random((2, n, 4)) - 0.5
    y_AB = []
    for k in range(4):
        mixed = A.copy()
        mixed[:, k] = B[:, k]
        y_AB.append(model(mixed))
    return model(A), model(B), np.array(y_AB)


@exercise(
    "16.2",
    level=2,
    title="Sobol indices and their sums",
    hints=(
        "y_AB[k] and y_A differ in parameter k alone; y_AB[k] and y_B share parameter k alone. Which "
        "pair tells what k does by itself, which what is lost without it?",
        "S1: mean of y_B (y_AB[k] − y_A), over the variance. ST: half the mean of (y_A − y_AB[k])², "
        "over the variance. Take the mean of the outputs off first.",
        "`V = np.var(...)`, then two lines with `.mean(axis=1)`: y_AB has shape (p, n), y_A and y_B "
        "have shape (n,).",
    ),
)
def sobol_indices(answer: Callable[..., Any]) -> None:
    """Exact shares of two models, sums, scale and shift."""

    def both(model: Callable[[Any], Any]) -> tuple[Any, Any]:
        found = answer(*_samples(model))
        expect(
            isinstance(found, tuple) and len(found) == 2,
            "shape",
            "Return two arrays, S1 and ST, in this order.",
        )
        return np.asarray(found[0], dtype=float), np.asarray(found[1], dtype=float)

    S1, ST = both(_additive)
    expect(
        S1.shape == (4,) and ST.shape == (4,),
        "shape",
        f"One index a parameter is expected, four of each; yours have shapes {S1.shape} and {ST.shape}.",
    )
    expect(np.isfinite(S1) & np.isfinite(ST), "not finite", "An index is not a finite number.")
    scaled = both(lambda z: 10 * _additive(z))
    expect(
        np.allclose(scaled[0], S1, atol=0.01) and np.allclose(scaled[1], ST, atol=0.01),
        "units",
        "Shares must not change when the output is given in another unit: divide by its variance.",
    )
    shifted = both(lambda z: 1000 + _additive(z))
    expect(
        np.allclose(shifted[0], S1, atol=0.1) and np.allclose(shifted[1], ST, atol=0.1),
        "limit",
        "A constant added to the output must not change the shares, but yours drown in it: take the "
        "mean off the outputs first.",
    )
    expect(
        abs(ST.sum() - 2) > 0.1 and abs(ST.sum() - 0.5) > 0.1,
        "identity",
        "Without interactions both kinds of index must agree, but one of yours is twice the other: "
        "two runs that differ by one parameter have twice its variance between them.",
    )
    expect(
        abs(S1.sum() - 1) > 0.06 or not any(np.allclose(ST, other, atol=0.03) for other in (1 - S1, 1 + S1)),
        "transposed",
        "Your ST compares y_AB[k] with y_B, or is what S1 leaves. What k owns in total is lost between y_A and "
        "y_AB[k], where everything but k is the same.",
    )
    expect(
        not any(np.allclose(S1, other, atol=0.03) for other in (1 - ST, ST - 1, -ST)),
        "transposed",
        "Your S1 compares y_AB[k] with y_A, which is the usual way where k is the one column kept. Here it is "
        "the one column exchanged: y_AB[k] shares k alone with y_B.",
    )
    expect(
        abs(S1.sum() - 1) < 0.06 and abs(ST.sum() - 1) < 0.06,
        "mass balance",
        "Without interactions the whole variance is owned by single parameters: both kinds must sum "
        f"to 1, yours sum to {S1.sum():.2f} and {ST.sum():.2f}.",
    )
    S1, ST = both(_shares)
    exact_1, exact_T = np.array([0.632, 0.158, 0.0, 0.0]), np.array([0.632, 0.368, 0.211, 0.0])
    expect(
        not (np.allclose(S1, exact_T, atol=0.04) and np.allclose(ST, exact_1, atol=0.04)),
        "transposed",
        "With an interaction S1 sums to less than 1 and ST to more; yours do it the other way round.",
    )
    expect(
        abs(S1[3]) < 0.04 and abs(ST[3]) < 0.04,
        "limit",
        "The fourth parameter is not used by the model, yet it owns a share.",
    )
    expect(
        np.allclose(ST, exact_T, atol=0.04),
        "value",
        "ST does not hold what a parameter owns together with others. It compares y_A with y_AB[k], "
        "where everything but k is the same.",
    )
    expect(
        np.allclose(S1, exact_1, atol=0.04),
        "value",
        "S1 does not hold what a parameter owns alone. It compares y_B with y_AB[k], where nothing "
        "but k is the same.",
    )


def _flux(days: int, seed: int, spread: float = 0.3) -> tuple[Any, Any, Any, float]:
    """A series that its members are right about: observed, members, sd, model error."""
    rng = np.random.default_rng(seed)
    centre = 2 + np.sin(np.arange(days) / 50)
    members = centre + spread * rng.standard_normal((400, days))
    sd, model_error = np.full(days, 0.4), 0.6
    truth = centre + spread * rng.standard_normal(days)
    observed = truth + np.hypot(sd, model_error) * rng.standard_normal(days)
    gaps = rng.random(days) < 0.4
    observed[gaps], sd[gaps] = np.nan, np.nan
    return observed, members, sd, model_error


@exercise(
    "16.3",
    level=3,
    title="a band judged by days held out",
    hints=(
        "What would a new reading on such a day be? Each member gives one, and it has errors.",
        "Days from `begin` on with an observation; members there plus normal noise of standard "
        "deviation √(sd² + model_error²); 5 % and 95 % points over the members; count.",
        "`days = np.flatnonzero(np.isfinite(observed))`, keep those ≥ begin; "
        "`made = members[:, days] + np.hypot(…) * rng.standard_normal(…)`; `np.quantile(made, …, axis=0)`.",
    ),
)
def held_out_coverage(answer: Callable[..., Any]) -> None:
    """90 % on a calibrated series; the first part, gaps, errors and the generator as they should be."""

    def share(observed: Any, members: Any, sd: Any, error: float, begin: int, seed: int = 3) -> float:
        return float(
            answer(observed.copy(), members.copy(), sd.copy(), error, begin, np.random.default_rng(seed))
        )

    observed, members, sd, error = _flux(6000, 1)
    found = share(observed, members, sd, error, 2000)
    expect(
        np.isfinite(found),
        "not finite",
        "The coverage is not a finite number. On days without an observation `observed` and `sd` are "
        "NaN: leave them out.",
    )
    expect(found <= 1.0, "units", "Return a share between 0 and 1: no per cent, and no count of days.")
    expect(
        share(observed, members + 1000.0, sd, error, 2000) < 0.5,
        "transposed",
        "Members that are a thousand too high hold nothing, and you return nearly 1. Is that the share outside?",
    )
    expect(
        all(share(observed, members, sd, error, 2000) == found for _ in range(3)),  # shares may agree by chance
        "seed",
        "Two calls with the same generator differ: draw all random numbers from `rng`.",
    )
    moved = observed.copy()
    moved[:2000] += 100.0
    expect(
        share(moved, members, sd, error, 2000) == found,
        "leakage",
        "The days before `begin` were used for calibration and must not be counted.",
    )
    point = np.repeat(members.mean(axis=0)[None], 400, axis=0)
    expect(
        share(observed, point, sd, error, 2000) > 0.3,
        "limit",
        "Members that agree leave no band at all, although a new reading has errors. Add them to "
        "each member, a random number of its own for every member and day.",
    )
    expect(
        found > 0.6,
        "incomplete",
        "Too few are inside. Are days without an observation counted as outside?",
    )
    season = members + 20.0 * np.sin(np.arange(6000) / 50)
    middle = np.where(np.isfinite(observed), season.mean(axis=0), np.nan)
    expect(
        share(middle, season, sd, error, 2000) > 0.99,
        "identity",
        "Data in the middle of the members on every day must all lie inside, and yours do not: the band has ends of "
        "its own on each day, over the members (axis 0).",
    )
    exact = share(observed, members, sd, 0.0, 2000)
    expect(
        abs(exact - found) > 0.03,
        "identity",
        "The coverage does not depend on the model error: a new reading has both errors.",
    )
    expect(
        abs(found - 0.95) > 0.012,
        "value",
        "On a series whose errors are known the 90 % band holds 95 %. Either the band goes from 2.5 % to "
        "97.5 %, or the two errors were added as they are and not in quadrature.",
    )
    usual = {
        0.68: "that is one standard deviation to both sides",
        0.78: "the two errors are added as variances, and the root is missing",
        0.83: "one of the two errors is missing",
        0.86: "the spread of the members is missing",
    }
    for value, meaning in usual.items():
        expect(
            abs(found - value) > 0.013,
            "value",
            f"On a series whose errors are known the 90 % band holds {found:.0%}: {meaning}.",
        )
    expect(
        abs(found - 0.9) < 0.022,
        "value",
        f"On a series whose errors are known the 90 % band must hold 90 %; yours holds {found:.0%}.",
    )
