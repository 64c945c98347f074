"""Exercises of chapter 05: never in equilibrium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.simulate import simulate
from landcarbon.models.century import century3
from landcarbon.models.pools import three_pool


@exercise(
    "05.1",
    level=1,
    title="relaxation time",
    hints=(
        "A difference shrinks as a sum of exponentials, one for each eigenvalue of M: which one lasts longest?",
        "Take the real parts of the eigenvalues; the smallest belongs to the slowest part; turn the rate "
        "into a time.",
        "One line: `return 1 / np.linalg.eigvals(…).real.min()`.",
    ),
)
def relaxation_time(answer: Callable[[Any], Any]) -> None:
    """One over the smallest eigenvalue: where pools feed each other, no turnover rate is it."""
    M = century3().outflow_matrix()
    rates = np.linalg.eigvals(M).real
    time = answer(M)
    expect(
        not isinstance(time, tuple), "shape",
        "np.linalg.eig returns two things, the eigenvalues first; np.linalg.eigvals returns them alone.",
    )
    expect(
        np.shape(time) == (), "shape",
        "Return one time for the whole land: the slowest of all parts, not one for each pool.",
    )
    expect(np.isfinite(time), "not finite", "The time is not a finite number.")
    expect(time > 0, "sign", "The time is negative: the eigenvalues of M are positive in our signs.")
    expect(
        not (np.isclose(time, rates.min()) or np.isclose(time, rates.max())), "units",
        "That is an eigenvalue, in 1/yr. A time is one over it.",
    )
    expect(
        not np.isclose(time, 1 / rates.max()), "limit",
        "That is the fastest part, gone within weeks. The memory of the land is its slowest part.",
    )
    expect(
        not (np.isclose(time, 1 / np.diag(M).min()) or np.isclose(time, 1 / century3().K.min())), "identity",
        "That is the slowest turnover time 1/k. Carbon that comes back into a pool is remembered longer: "
        "take the eigenvalues.",
    )
    expect(
        not np.isclose(time, np.log(2) / rates.min()), "units",
        "That is a half-life; the relaxation time is when 37 % is left.",
    )
    expect(
        not np.isclose(time, np.linalg.inv(M).sum(axis=0).max()), "identity",
        "That is the longest mean stay, from M⁻¹; how fast a difference fades is told by the eigenvalues of M.",
    )
    expect(np.isclose(answer(2 * M), time / 2), "units", "With all rates doubled, memory must halve.")
    start = np.linalg.eig(M)
    slow = np.real(start.eigenvectors[:, np.argmin(start.eigenvalues.real)])
    left = simulate(century3(), [0, float(time)], slow, 0.0).X.values[-1]
    # 37 % is short for 1/e; taken by the word it is right too.
    expect(
        np.isclose(time * rates.min(), [1.0, -np.log(0.37)], rtol=1e-3).any(), "value",
        f"After your {time:.4g} years {left[-1] / slow[-1]:.1%} of the slowest part is left, not 37 %.",
    )


def _two_runs(model: MatrixModel, years: float, seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    t = np.linspace(0, years, 601)
    weather = 300 * (1 + 0.8 * np.sin(2 * np.pi * t[:-1] / 7)) * rng.uniform(0.6, 1.4, 600)
    start = model.steady_state(300.0)
    run = simulate(model, t, [0 * start, 2.5 * start], weather, dims=("start",))
    return t, run.X.values[:, 0], run.X.values[:, 1]


@exercise(
    "05.2",
    level=2,
    title="slowest rate from two runs",
    hints=(
        "Under the same weather, what drops out when you subtract one run from the other?",
        "The sum of |X − Y| falls along exp(−λ t) once the fast parts are gone: a straight line in the "
        "logarithm, in the last part of the record.",
        "`d = np.abs(X - Y).sum(axis=1)`; then minus the slope of `np.polyfit` of log d over the late times.",
    ),
)
def slowest_rate(answer: Callable[[Any, Any, Any], Any]) -> None:
    """The late slope of log Σ|X − Y|, whatever the weather did."""
    model = three_pool()
    t, X, Y = _two_runs(model, 900.0, seed=1)
    true = 0.009
    rate = answer(t, X, Y)
    expect(np.shape(rate) == (), "shape", "Return one number, a rate per year.")
    expect(
        np.isfinite(rate), "not finite",
        "The rate is not a finite number: a logarithm of 0, or of less? Take |X − Y|, summed over the pools.",
    )
    distance = np.abs(X - Y).sum(axis=1)
    expect(
        not np.isclose(rate, -np.log(distance[-1]) / t[-1]), "incomplete",
        "You took the last distance by itself: the rate compares it with the distance at another time.",
    )
    slopes = [
        np.polyfit(t[late], np.log(run.sum(axis=1)[late]), 1)[0]
        for run in (X, Y) for cut in (-1.0, 0.5, 0.6) for late in [t > cut * t[-1]]
    ]
    expect(
        not np.isclose(np.abs(rate), np.abs(slopes), rtol=1e-3).any(), "identity",
        "You fitted one run by itself, and its weather with it. Fit the difference of the two runs.",
    )
    expect(rate > 0, "sign", "The distance falls, so its slope is negative; the rate is minus the slope.")
    expect(
        not np.isclose(rate, 1 / true, rtol=0.1), "units", "That is the time in years, not the rate per year.",
    )
    expect(
        not np.isclose(rate, true / np.log(10), rtol=0.04), "units",
        "You took the logarithm to base 10; the rate belongs to the natural one, np.log.",
    )
    expect(
        not np.isclose(rate, true / np.log(2), rtol=0.015), "units",
        "You took the logarithm to base 2; the rate belongs to the natural one, np.log.",
    )
    expect(
        not np.isclose(rate, true * (t[1] - t[0]), rtol=0.015), "units",
        "Your rate is per step of the record, not per year: divide by the length of a step.",
    )
    expect(
        np.isclose(answer(t, 3 * X, 3 * Y), rate, rtol=1e-6), "identity",
        "With three times the carbon in both runs the rate must stay the same. Is it the slope, the first "
        "number of np.polyfit, and that of the logarithm?",
    )
    other = _two_runs(model, 900.0, seed=2)
    expect(
        np.isclose(answer(*other), rate, rtol=1e-4), "identity",
        "Other weather changes your rate. Work with the difference of the runs; the weather drops out of it.",
    )
    whole = -np.polyfit(t, np.log(distance), 1)[0]
    first = -np.log(distance[1] / distance[0]) / (t[1] - t[0])
    expect(
        not np.isclose(rate, first, rtol=0.02), "limit",
        "That is the first slope, when the fast pools still count. Look at the end of the record.",
    )
    average = np.log(distance[0] / distance[-1]) / (t[-1] - t[0])
    expect(
        not (np.isclose(rate, whole, rtol=1e-3) or np.isclose(rate, average, rtol=1e-3)), "limit",
        "You fitted the whole record, with the fast parts of its beginning. Take the last half or less.",
    )
    expect(
        np.isclose(rate, true, rtol=0.01), "value",
        "The rate is off by more than a percent; is the stretch that you fit late enough?",
    )
    looped = century3()
    expect(
        np.isclose(answer(*_two_runs(looped, 3000.0, seed=3)),
                   np.linalg.eigvals(looped.outflow_matrix()).real.min(), rtol=0.01),
        "value", "It fails for a soil whose pools feed each other: use all pools of the difference.",
    )


def _regular(k: float, s: float, interval: float) -> float:
    """Mean, as a share of the capacity, under events on the clock."""
    x = k * interval
    return float(1 - s * -np.expm1(-x) / (x * (1 - (1 - s) * np.exp(-x))))


@exercise(
    "05.3",
    level=3,
    title="mean storage under random fire",
    hints=(
        "Between two fires the pool runs towards I/k; a fire multiplies it by 1 − severity.",
        "Go year by year: step the pool exactly, then let `rng.random()` decide whether it burns; add up "
        "the carbon and divide by the years.",
        "A loop over years with `X = I/k + (X − I/k) * exp(−k)`, an `if`, and a sum.",
    ),
)
def fire_mean(answer: Callable[..., Any]) -> None:
    """Agrees with I / (k + λ s) within its own noise; chance comes from rng."""
    I, k = 500.0, 0.05

    def run(rate: float, s: float, years: int, seed: int) -> Any:
        return answer(I, k, rate, s, years, np.random.default_rng(seed))

    calm = run(0.0, 0.8, 2000, 0)
    expect(np.shape(calm) == (), "shape", "Return one number, the mean over all years.")
    expect(np.isfinite(calm), "not finite", "The mean is not a finite number.")
    expect(calm > 0, "sign", "Carbon cannot be negative.")
    expect(
        not np.isclose(calm, 2000 * I / k, rtol=0.02), "incomplete",
        "That is the sum over the years: divide by their number.",
    )
    expect(
        np.isclose(calm, I / k, rtol=0.02), "limit",
        f"Without fire, at rate 0, the mean over 2000 years must be close to the capacity I/k = {I / k:.4g}; you "
        f"gave {calm:.4g}. Does it burn, or does the input not come?",
    )
    harmless = run(0.1, 0.0, 2000, 0)
    expect(
        np.isclose(harmless, calm, rtol=0.02), "limit", "Fires of severity 0 must not change anything.",
    )
    rate, s, years = 0.05, 0.7, 20_000
    one, again, *others = (run(rate, s, years, seed) for seed in (1, 1, 2, 3, 4))
    expect(
        not np.isclose(one, I / k, rtol=1e-3), "incomplete",
        "Your pool does not burn: is chance asked every year, does a fire take a share of what is there, "
        "and is the new carbon kept?",
    )
    expect(one == again, "seed", "The same rng must give the same result: take all chance from rng.")
    regular = I / k * _regular(k, s, 1 / rate)
    always = I / k * (1 - s) * (1 - np.exp(-k)) / (1 - (1 - s) * np.exp(-k))
    expect(
        not np.isclose(one, always, rtol=0.1), "units",
        "It burns every year in yours: `rate` is fires per year, the chance of one year, not the years between.",
    )
    expect(
        one not in others, "choice" if np.isclose(one, regular, rtol=0.06) else "seed",
        "Another rng gives the very same result. Fires must come at random, drawn from rng, neither on a clock "
        "nor by a formula.",
    )
    # Correlation dies with rate k + λ s, and so the mean over the years has this error, relative to itself:
    loss = k + rate * s
    variance = rate * s**2 / (2 * k + rate * s * (2 - s))
    noise = np.sqrt(2 * variance / (loss * years))
    expect(
        np.ptp([one, *others]) < 8 * noise * one, "incomplete",
        "Histories of 20 000 years give very different results: return the mean over all years, not the last.",
    )
    # A year is a long step for such fires: where in the year carbon is counted moves the mean by λ s.
    margin = 4 * noise + 1.1 * rate * s
    mean = I / loss
    expect(
        not np.isclose(one, I / (k + rate * (1 - s)), rtol=margin), "value",
        "Your fires leave the share that they should take: multiply by 1 − severity.",
    )
    expect(
        not np.isclose(one, I / (k + rate), rtol=margin / 2), "value",
        "Your fires take everything, whatever their severity.",
    )
    expect(
        np.isclose(one, mean, rtol=margin), "value",
        "The mean is too far from I/(k + λ s) to be chance. How often does your pool burn in a century?",
    )
    expect(
        run(2 * rate, s, years, 5) < one, "limit", "Twice as many fires must leave less carbon, yours do not.",
    )
