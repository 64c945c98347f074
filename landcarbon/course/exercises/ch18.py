"""Exercises of chapter 18: a scalar Kalman filter, the ensemble one, evidence, and a ring of forty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect


@exercise(
    "18.1",
    level=1,
    title="a scalar Kalman filter",
    hints=(
        "If the forecast is vague and the datum sharp, where should the belief end up? And the other "
        "way round?",
        "The gain G = P / (P + R). The mean moves by G times the difference, the variance shrinks to "
        "(1 − G) P.",
        "Three lines: `G = …`, then `return x + G * (…), (…) * P`.",
    ),
)
def update(answer: Callable[..., Any]) -> None:
    """Conjugate normal update, its limits and its independence of order."""
    found = answer(6885.0, 1607.0**2, 7439.0, 600.0**2)
    expect(
        isinstance(found, tuple) and len(found) == 2,
        "shape",
        "Return two numbers, the mean and the variance: `return mean, variance`.",
    )
    x, P = (float(v) for v in found)
    expect(np.isfinite([x, P]), "not finite", "Mean or variance is not a finite number.")
    expect(not (6885 < P < 7439 and x > 7439), "shape", "The mean comes first, then the variance.")
    expect(P > 0, "sign", "A variance cannot be negative.")
    expect(
        not np.isclose(x, 6885 + 554 * 600**2 / (1607**2 + 600**2)),
        "transposed",
        "The datum gets the weight of the forecast and the other way round: the vaguer the forecast, the further "
        "it moves.",
    )
    expect(
        not np.isclose(x, 6885 + 554 * 1607 / (1607 + 600)),
        "units",
        "Your gain compares standard deviations; precisions are one over variances.",
    )
    scaled = answer(6.885, 1.607**2, 7.439, 0.6**2)
    expect(
        np.isclose(scaled[1], P / 1e6) and np.isclose(scaled[0], x / 1000),
        "units",
        "In kilograms the mean must be a thousandth and the variance a millionth: P and R are "
        "variances, and so is what you return.",
    )
    expect(
        P < 600.0**2 and P < 1607.0**2,
        "limit",
        "After a datum the belief must be narrower than the forecast and than the datum alone.",
    )
    sharp = answer(10.0, 4.0, 20.0, 1e-12)[0]
    vague = answer(10.0, 4.0, 20.0, 1e12)[0]
    expect(np.isclose(vague, 10.0, atol=1e-6), "limit", "A worthless datum must change nothing.")
    expect(np.isclose(sharp, 20.0), "limit", f"An exact datum of 20 must be believed; your mean is then {sharp:.3g}.")
    once = answer(10.0, 4.0, 20.0, 1.0)
    twice = answer(*answer(10.0, 4.0, 20.0, 2.0), 20.0, 2.0)
    expect(
        np.allclose(once, twice),
        "identity",
        "Two data of variance 2 are worth one of variance 1, but yours are not. Is the gain made of "
        "variances, and the variance left (1 − G) P?",
    )
    expect(
        np.isclose(once[0], 18.0) and np.isclose(once[1], 0.8),
        "value",
        "The precisions, one over the variances, must add up, and the mean lie between in their "
        "proportion.",
    )


@exercise(
    "18.2",
    level=2,
    title="the ensemble finds the Kalman filter",
    hints=(
        "Each member is updated like the mean in `analysis` of the chapter. Which variance plays the part "
        "of P, and should all members see the same datum?",
        "P is the variance of the members. Each member gets a datum of its own: d plus a normal "
        "number times the standard deviation √R.",
        "Three lines: `P = members.var(ddof=1)`, `own = d + np.sqrt(R) * rng.standard_normal(…)`, "
        "`return members + … * (own - members)`.",
    ),
)
def ensemble(answer: Callable[..., Any]) -> None:
    """Mean and variance of many members; limits; errors that fall with the square root of N."""

    def run(members: Any, d: float, R: float, seed: int) -> Any:
        return answer(members.copy(), d, R, np.random.default_rng(seed))

    rng = np.random.default_rng(1)
    some = 10.0 + 2.0 * rng.standard_normal(30)
    after = np.asarray(run(some, 20.0, 1.0, 2), dtype=float)
    expect(
        after.shape == (30,),
        "shape",
        "Return the members after the update: 30 in, 30 out.",
    )
    expect(np.isfinite(after), "not finite", "Some member is not a finite number.")
    expect(
        np.array_equal(after, run(some, 20.0, 1.0, 2)),
        "seed",
        "Two updates with the same generator differ: draw all random numbers from `rng`.",
    )
    kept = some.copy()
    answer(kept, 20.0, 1.0, np.random.default_rng(2))
    expect(
        np.array_equal(kept, some),
        "identity",
        "The members that were given have changed: build new ones, as in `members + …`.",
    )
    moved = np.asarray(run(some, 20.0, 1e-12, 3))
    expect(
        np.allclose(moved, 20.0, atol=1e-3),
        "limit",
        "An exact datum (R nearly 0) must bring all members there.",
    )
    many = 10.0 + 2.0 * rng.standard_normal(200_000)
    after = np.asarray(run(many, 20.0, 1.0, 4))
    expect(
        not np.isclose(after.std(), 0.4, rtol=0.02),
        "value",
        "The spread is too small: each member must see a datum of its own, perturbed by the error of "
        "measurement. No error at all, or one for all members, leaves (1 − G) of the spread.",
    )
    expect(
        not np.isclose(after.std(), 0.8, rtol=0.02),
        "identity",
        "All members start from their mean. Each one moves from where it stands, by G times its own distance.",
    )
    expect(
        abs(after.mean() - 18.0 - 0.8 * np.sqrt(2 / np.pi)) > 0.02,
        "sign",
        "The perturbations all have one sign: a normal number is as often below zero as above.",
    )
    expect(
        abs(after.mean() - 18.0) < 0.05,
        "value",
        "The mean of very many members is not that of the Kalman filter. Is the gain P / (P + R), "
        "with variances?",
    )
    expect(
        after.std() > 0.7,
        "value",
        "The mean is right, but the spread is too small: each member must see a datum of its own, "
        "perturbed by the error of measurement.",
    )
    expect(
        after.std() < 1.1,
        "units",
        "The mean is right, but the spread is too large or too small for the error: R is a variance, "
        "its square root perturbs the datum.",
    )
    other = np.asarray(run(10.0 + 6.0 * rng.standard_normal(200_000), 20.0, 9.0, 5))
    expect(
        abs(other.std() - np.sqrt(0.04 * 36.0 + 9.0)) > 0.03,
        "identity",
        "The random number is added to the member as a whole. It belongs to the datum: G times (d + error − member).",
    )
    expect(
        abs(other.std() - 6.0 / np.sqrt(5.0)) < 0.05,
        "units",
        "With R = 9 the spread is wrong, with R = 1 it is right: the datum is perturbed by √R.",
    )

    still = np.asarray(run(some, 20.0, 1e12, 3))
    expect(
        np.abs(still - some).max() < 0.1,
        "limit",
        "A worthless datum (R very large) must leave the members where they are.",
    )
    def error(n: int) -> float:
        """Root mean square error of the mean over ensembles of n members."""
        draws = np.random.default_rng(6)
        means = [
            np.mean(answer(10.0 + 2.0 * draws.standard_normal(n), 20.0, 1.0, draws))
            for _ in range(400)
        ]
        return float(np.sqrt(np.mean((np.array(means) - 18.0) ** 2)))

    ratio = error(25) / error(400)
    expect(
        3.0 < ratio < 5.3,
        "limit",
        "Sixteen times the members must make the error four times smaller, and do not. Does every "
        "member have its own perturbation?",
    )


@exercise(
    "18.3",
    level=3,
    title="find the mechanism",
    hints=(
        "Before the data are seen, what would a model with parameters of width `prior_sd` expect of "
        "them? They are normal, with mean zero. What is their covariance?",
        "d = G θ + e with θ ~ Normal(0, prior_sd²) and e ~ Normal(0, sd²): the covariance of d is "
        "S = prior_sd² G Gᵀ + sd² 1. The evidence is the normal density of d with it.",
        "`S = …`, then −½ (dᵀ S⁻¹ d + ln det S + n ln 2π), with `np.linalg.solve` and "
        "`np.linalg.slogdet(S)[1]`.",
    ),
)
def log_evidence(answer: Callable[..., Any]) -> None:
    """The density of the data, averaged over the prior; its limits and units."""
    rng = np.random.default_rng(7)
    G = rng.standard_normal((12, 2))
    d = G @ [1.0, -0.5] + 0.3 * rng.standard_normal(12)
    found = answer(G, d, 0.3, 1.0)
    expect(np.shape(found) == (), "shape", "Return one number, the logarithm of the evidence.")
    found = float(found)
    expect(np.isfinite(found), "not finite", "The logarithm of the evidence is not finite.")
    S = G @ G.T + 0.09 * np.eye(12)
    right = -0.5 * (d @ np.linalg.solve(S, d) + np.linalg.slogdet(S)[1] + 12 * np.log(2 * np.pi))
    near = abs(found - right)
    expect(
        near > 0.5 or near < 1e-6,
        "value",
        "Close, but not exact. A mean over draws of the prior is not needed: what d can be is normal, with the "
        "covariance S of all its parts.",
    )
    expect(not np.isclose(found, -right), "sign", "The sign is turned: ln p is the larger, the smaller dᵀ S⁻¹ d is.")
    expect(
        not np.isclose(found, 2 * right), "value", "Twice the logarithm: the one half of the normal density is missing."
    )
    alone = np.diag((G**2).sum(axis=1) + 0.09)
    apart = -0.5 * (d @ np.linalg.solve(alone, d) + np.linalg.slogdet(alone)[1] + 12 * np.log(2 * np.pi))
    expect(
        not np.isclose(found, apart), "identity",
        "Data that share a parameter are not independent: S has entries off its diagonal, from G Gᵀ.",
    )
    expect(not np.isclose(found, np.exp(right)), "units", "That is the evidence itself; asked for is its logarithm.")
    expect(
        not np.isclose(found, right + 6 * np.log(2 * np.pi)), "incomplete", "The term with n ln 2π is missing."
    )
    expect(
        not np.isclose(found, right + 0.5 * np.linalg.slogdet(S)[1]), "incomplete",
        "The term with ln det S is missing: it is what a wide prior costs.",
    )
    with_sd = answer(np.zeros((12, 1)), d, 0.3, 1.0), answer(G[:, :1], d, 0.3, 2.0)
    for value, wrong in zip(with_sd, (0.3 * np.eye(12), 2.0 * G[:, :1] @ G[:, :1].T + 0.09 * np.eye(12))):
        miss = -0.5 * (d @ np.linalg.solve(wrong, d) + np.linalg.slogdet(wrong)[1] + 12 * np.log(2 * np.pi))
        expect(
            not np.isclose(value, miss), "units",
            "`sd` and `prior_sd` are standard deviations; in the covariance S stand their squares.",
        )
    noise = -0.5 * ((d / 0.3) ** 2).sum() - 12 * np.log(0.3) - 6 * np.log(2 * np.pi)
    empty = float(answer(np.zeros((12, 1)), d, 0.3, 1.0))
    expect(
        np.isclose(empty, noise),
        "identity",
        "A mechanism without any effect must leave the density of pure noise, with its ln det and its "
        "2π; yours differs.",
    )
    gain = float(answer(1000 * G, 1000 * d, 300.0, 1.0)) - found
    expect(
        np.isclose(gain, -12 * np.log(1000.0)),
        "units",
        "In other units the density must change by n ln of the factor, and nothing else.",
    )
    # Not wider: SciPy's normal density refuses a covariance whose condition passes 1e9.
    wide = float(answer(G, d, 0.3, 1e3)) - float(answer(G, d, 0.3, 1e2))
    expect(
        np.isclose(wide, -2 * np.log(10.0), atol=1e-3),
        "limit",
        "A prior ten times as wide must cost a factor of ten for each parameter: average over the "
        "prior, do not take the best fit.",
    )
    useless = np.column_stack([G, rng.standard_normal(12)])
    expect(
        float(answer(useless, d, 0.3, 1.0)) < found,
        "limit",
        "A third mechanism that did not make the data should lower the evidence here.",
    )
    theta = np.linspace(-8, 8, 40_001)
    one = G[:, :1]
    each = -0.5 * (((d[:, None] - one * theta) / 0.3) ** 2).sum(0) - 0.5 * (theta / 2.0) ** 2
    top = each.max()
    integral = np.exp(each - top).sum() * (theta[1] - theta[0])
    expected = top + np.log(integral) - 12 * np.log(0.3) - 6 * np.log(2 * np.pi)
    expected -= np.log(2.0) + 0.5 * np.log(2 * np.pi)
    expect(
        np.isclose(float(answer(one, d, 0.3, 2.0)), expected, rtol=1e-6),
        "value",
        "For one parameter the evidence can be integrated on a grid, and yours differs from it.",
    )


SPREAD = np.array([[1.0, 0.8], [0.8, 1.0]])
SEEN = np.array([[4.0, 0.0], [4.0, 8.0], [0.0, 4.0]])


def believed(sd: float, inflation: float, alone: bool = False, perturbed: bool = True) -> Any:
    """Means (3, 2) after each of SEEN, of a still model and very many members; or those of a slip."""
    x, P, R, means = np.zeros(2), SPREAD, sd**2 * np.eye(2), []
    for d in SEEN:
        own = np.diag(np.diag(P)) if alone else P
        G = own @ np.linalg.inv(own + R)
        x, left = x + G @ (d - x), np.eye(2) - G
        P = inflation**2 * (left @ P @ left.T + perturbed * G @ R @ G.T)
        means.append(x)
    return np.array(means)


@exercise(
    "18.4",
    level=3,
    title="a ring of forty, as published",
    hints=(
        "Exercise 18.2 again, once a datum: forecast, then pull each member towards a datum of its own. What takes "
        "the place of the one variance, now that there are forty numbers which know of each other?",
        "P is the covariance of the members, (m, m), the gain P (P + sd² 1)⁻¹. Each member moves by the gain times "
        "(its own perturbed datum − itself). Then spread the members about their mean by `inflation`.",
        "In the loop: `members = step(members)`, `away = members - members.mean(0)`, `P = away.T @ away / …`, "
        "`gain = P @ np.linalg.inv(…)`, `members = members + (own - members) @ gain.T`, and then "
        "`mean + inflation * (members - mean)`.",
    ),
)
def ring(answer: Callable[..., Any]) -> None:
    """Two numbers that know of each other, beside the exact filter; then Lorenz's ring."""
    many = np.random.default_rng(1).standard_normal((40_000, 2)) @ np.linalg.cholesky(SPREAD).T
    many -= many.mean(0)

    def run(sd: float, inflation: float = 1.0, seed: int = 2, step: Callable[[Any], Any] = lambda x: x) -> Any:
        return np.asarray(answer(step, many.copy(), SEEN, sd, inflation, np.random.default_rng(seed)), dtype=float)

    found = run(2.0)
    expect(found.shape == (3, 2), "shape", "Return the mean after each datum: three data of two numbers, shape (3, 2).")
    expect(np.isfinite(found), "not finite", "Some mean is not a finite number.")
    expect(
        np.array_equal(found, run(2.0)), "seed",
        "Two runs with the same generator differ: draw all random numbers from `rng`.",
    )
    expect(
        np.allclose(found, run(2.0, seed=3), atol=0.1), "value",
        "With other random numbers the mean of 40 000 members moves: perturb the datum for each member, not once "
        "for all.",
    )
    kept = many.copy()
    answer(lambda x: x, kept, SEEN, 2.0, 1.0, np.random.default_rng(2))
    expect(np.array_equal(kept, many), "identity", "The members that were given have changed: build new ones.")
    expect(
        np.allclose(run(1e-6)[0], SEEN[0], atol=0.01), "limit",
        "A datum without error must be believed: return the mean *after* each update, with all numbers corrected.",
    )
    expect(
        not np.allclose(found[0], believed(2.0**0.5, 1.0)[0], atol=0.08), "units",
        "`sd` is a standard deviation; in the gain stands its square.",
    )
    moved = run(1e6, step=lambda x: x + 1.0)
    expect(
        np.allclose(moved, [[1.0], [2.0], [3.0]], atol=0.01), "limit",
        "Worthless data must leave the forecast alone: one `step` before each datum, also before the first.",
    )
    expect(
        not np.allclose(found, believed(2.0, 1.0, alone=True), atol=0.08), "incomplete",
        "Each number is corrected by its own datum only. The other one knows something about it: use the covariance "
        "of the members, not their variances.",
    )
    expect(
        not np.allclose(found, believed(2.0, 1.0, perturbed=False), atol=0.08), "value",
        "The spread comes out too small, and later data are not believed enough: each member needs a datum of its "
        "own, perturbed by the error of measurement.",
    )
    expect(
        np.allclose(found, believed(2.0, 1.0), atol=0.08), "value",
        "The means are not those of the Kalman filter. Is the gain P (P + sd² 1)⁻¹, and does each member move by "
        "the gain times (its datum − itself)?",
    )
    wide = run(2.0, inflation=1.5)
    expect(not np.allclose(wide, found, atol=0.08), "incomplete", "`inflation` changes nothing: spread the members.")
    expect(
        not np.allclose(wide, believed(2.0, 1.5**0.5), atol=0.08), "units",
        "Inflation is a factor on the spread, so its square on the variance.",
    )
    expect(
        np.allclose(wide, believed(2.0, 1.5), atol=0.12), "identity",
        "Inflate after the update, about the mean: the distance of each member from the mean grows, the mean stays.",
    )
    truth, data, members = weather(600)
    off = answer(forty, members, data, 1.0, 1.06, np.random.default_rng(5)) - truth
    expect(
        np.sqrt((np.asarray(off) ** 2).mean(-1))[300:].mean() < 0.27, "value",
        "On two numbers all is right, but on the ring of forty the filter loses the truth.",
    )


def forty(x: Any) -> Any:
    """0.05 time units of the ring of Lorenz (1996), classical Runge-Kutta."""

    def f(y: Any) -> Any:
        return (np.roll(y, -1, -1) - np.roll(y, 2, -1)) * np.roll(y, 1, -1) - y + 8.0

    a = f(x)
    b = f(x + 0.025 * a)
    c = f(x + 0.025 * b)
    return x + 0.05 / 6 * (a + 2 * b + 2 * c + f(x + 0.05 * c))


def weather(n: int) -> Any:
    """A truth (n, 40) after the first steps, data with an error of 1, and forty members around its start."""
    rng, x = np.random.default_rng(4), np.eye(40)[0]
    for _ in range(200):
        x = forty(x)
    members, path = x + rng.standard_normal((40, 40)), []
    for _ in range(n):
        x = forty(x)
        path.append(x)
    truth = np.array(path)
    return truth, truth + rng.standard_normal(truth.shape), members
