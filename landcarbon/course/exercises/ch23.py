"""Exercises of chapter 23: forecasts with uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.course.checks import exercise, expect, unlike

Array = NDArray[np.float64]


@exercise(
    "23.1",
    level=1,
    title="persistence and climatology",
    hints=(
        "Number the days of the series from 0: which number has the day that is forecast?",
        "Its phase in the year is that number modulo the period; climatology is the mean of all past "
        "values of this phase.",
        "Two lines: the last entry of the series, and `history[phase::period].mean()`.",
    ),
)
def null_forecasts(answer: Callable[[Array, int, int], Any]) -> None:
    """Persistence is the last value at any lead; climatology repeats a periodic series exactly."""
    t = np.arange(60)
    season = 3.0 * np.sin(2 * np.pi * t / 12) + 0.2 * (t % 12)
    history = season[:43]
    both = answer(history, 1, 12)
    expect(np.shape(both) == (2,), "shape", "Return two numbers: persistence, climatology.")
    first = [answer(history, lead, 12)[0] for lead in (1, 2, 5)]
    second = np.array([answer(history, lead, 12)[1] for lead in range(1, 10)])
    expect(np.isfinite(second), "not finite", "The climatology is not a finite number.")
    turned = not np.allclose(first, history[-1]) and np.allclose(second, history[-1])
    expect(
        not turned,
        "transposed",
        "Persistence comes first, climatology second; yours seem to be the other way round.",
    )
    expect(
        not np.allclose(second, history[-1]),
        "off by one",
        "Your climatology is that of the issue date at every lead. Which day will it be after `lead` steps?",
    )
    expect(
        np.allclose(first, history[-1]),
        "limit",
        "Persistence does not depend on the lead: it repeats the last value that was observed.",
    )
    for shift in (-1, 1):
        expect(
            not np.allclose(second, season[42 + shift + np.arange(1, 10)]),
            "off by one",
            "Your climatology is right for the day before or after: the last value has the number "
            "len(history) − 1, not len(history).",
        )
    expect(
        not np.allclose(second, history.mean()),
        "limit",
        "That is the mean of the whole series; a climatology knows the season.",
    )
    expect(
        not np.allclose(second, history[-12:].mean()),
        "limit",
        "That is the mean of the last year; a climatology knows the season.",
    )
    unlike(second, (season[np.arange(1, 10)], "off by one",
                    "Your season is counted from the first day of the series; count it from the issue date."))
    expect(
        np.allclose(second, season[42 + np.arange(1, 10)]),
        "identity",
        "A series that repeats itself every period must be forecast without error.",
    )
    noisy = history + np.random.default_rng(5).normal(size=43)
    past = noisy[[9, 21, 33]]
    said = float(answer(noisy, 3, 12)[1])
    one_year = "With noise, take the mean over all years that have been observed, not one of them."
    unlike(
        said,
        (past[-1], "value", one_year),
        (past[0], "value", one_year),
        (np.median(past), "value", "That is the median of the past years; take the mean."),
    )
    expect(
        np.isclose(said, past.mean()),
        "value",
        one_year,
    )


@exercise(
    "23.2",
    level=2,
    title="the parts sum to the total",
    hints=(
        "Which runs tell you what one source makes alone, and which what both make together?",
        "Three runs are enough: only initial, only parameters, both. What both make beyond the sum of "
        "the single ones is their interaction.",
        "Three variances with `.var(ddof=1)`, one of them minus the two others, returned in a dict.",
    ),
)
def two_parts(answer: Callable[[Callable[[tuple[str, ...]], Array]], Any]) -> None:
    """Inclusion and exclusion of two switches, checked where the interaction is known."""
    a, b = np.random.default_rng(1).standard_normal((2, 50_000))

    def product(on: tuple[str, ...]) -> Array:
        return (2 + a * ("initial" in on)) * (3 + b * ("parameters" in on))

    def damped(on: tuple[str, ...]) -> Array:
        return 5 + a * ("initial" in on) - 0.8 * a * ("parameters" in on)

    names = {"initial", "parameters", "interaction"}
    parts = answer(product)
    expect(isinstance(parts, dict), "shape", "Return a dict with the three parts.")
    expect(set(parts) == names, "incomplete", f"The parts are called {', '.join(sorted(names))}.")
    expect(np.isfinite(list(parts.values())), "not finite", "A part is not a finite number.")
    whole = product(("initial", "parameters")).var(ddof=1)
    alone = {name: product((name,)).var(ddof=1) for name in ("initial", "parameters")}
    left = whole - sum(alone.values())
    order = ("initial", "parameters", "interaction")
    unlike(
        [parts[name] for name in order],
        ([*(v / whole for v in alone.values()), left / whole], "units",
         "These are shares of the total; asked for are variances."),
        ([alone["parameters"], alone["initial"], left], "transposed", "The two sources have changed their names."),
        ([*alone.values(), whole], "identity",
         "The variance with both switched on is the total. The interaction is what remains of it without the two."),
        ([*alone.values(), -left], "sign",
         "The interaction has the wrong sign: it is the total minus the two sources, and may be negative."),
        rtol=1e-3,
    )
    ten = answer(lambda on: 10 * product(on))
    expect(
        all(
            np.isclose(ten[k], 100 * parts[k], rtol=1e-6, atol=1e-6)
            for k in ("initial", "parameters")
        ),
        "units",
        "In units ten times smaller a variance is a hundred times larger; yours is not. Standard "
        "deviations do not add up, variances do.",
    )
    for run in (product, damped):
        found, total = answer(run), run(("initial", "parameters")).var(ddof=1)
        expect(
            np.isclose(sum(found.values()), total, rtol=1e-3, atol=1e-9),
            "identity",
            "Initial, parameters and interaction together must be the variance of the run with both "
            "switched on.",
        )
    lost = product(("initial", "parameters")).var(ddof=1) - product(("parameters",)).var(ddof=1)
    expect(
        not np.isclose(parts["initial"], lost, rtol=1e-3),
        "limit",
        "That is what vanishes when the source is switched off. Asked for is what it makes alone, with "
        "the other one held.",
    )
    expect(
        np.isclose(parts["initial"], alone["initial"], rtol=1e-3),
        "value",
        "The part of the initial state is the variance of the run in which it alone is switched on.",
    )
    expect(
        answer(damped)["interaction"] < 0,
        "sign",
        "Two sources that cancel have a negative interaction.",
    )


@exercise(
    "23.3",
    level=2,
    title="the CRPS from its members",
    hints=(
        "The score has two terms: how far the members are from y, and how far from each other.",
        "E|X − y| is a mean over members; E|X − X'| is a mean over all pairs of members, and half of it "
        "is subtracted.",
        "All pairs at once: `np.abs(members[:, None] - members[None, :]).mean()`.",
    ),
)
def crps_by_definition(answer: Callable[[Array, float], Any]) -> None:
    """Limits, units, the closed form of a Gaussian."""
    from scipy.stats import norm

    from landcarbon.forecasting import crps

    members = np.random.default_rng(2).normal(1.0, 2.0, 200)
    value = answer(members, 0.5)
    expect(np.shape(value) == (), "shape", "One observation has one score: return one number.")
    expect(np.isfinite(value), "not finite", "The score is not a finite number.")
    apart, far = np.abs(members[:, None] - members[None, :]).mean(), np.abs(members - 0.5).mean()
    unlike(
        value,
        (far - apart, "value", "Half of the distance between the members is subtracted, not all of it."),
        (far + apart / 2, "sign", "The second term is subtracted: it gives back what spread had been announced."),
        (far - apart / 4, "value", "Each pair counts twice in the mean over all members with all: you took it once."),
        ((far - apart) / 2, "value", "Only the second term is halved."),
        *((far - np.abs(np.diff(x)).mean() / 2, "incomplete", "These are neighbours only: every member has a distance "
           "from every other.") for x in (members, np.sort(members))),
        (200 * far - 200**2 * apart / 2, "value", "These are sums. Both terms are means."),
        (far - apart / 2 * 200 / 199, "value",
         "You left out the pairs of a member with itself. That is the *fair* score of the chapter; the definition "
         "asked for here takes all pairs, 200 times 200."),
        (far - members.std() / 2, "value",
         "That is the standard deviation; the mean distance of two members is another measure of spread."),
        (far - np.abs(members - members.mean()).mean() / 2, "value",
         "That is the distance from the mean of the members; the definition takes that between two members."),
    )
    expect(value > 0, "sign", "The CRPS is a distance, 0 is perfect: it cannot be negative.")
    expect(
        np.isclose(answer(10 * members, 5.0), 10 * value),
        "units",
        "The CRPS has the unit of the observation: in units ten times smaller it is ten times larger.",
    )
    expect(
        not np.isclose(value, abs(members.mean() - 0.5)),
        "value",
        "That is the distance of the mean of the members. Take the distance of each member, then the mean.",
    )
    expect(
        np.isclose(answer(np.array([3.0]), 1.0), 2.0),
        "limit",
        "With a single member the score is the absolute error.",
    )
    expect(
        not np.isclose(value, np.abs(members - 0.5).mean()),
        "incomplete",
        "That is the mean absolute error of the members. It punishes spread; the second term gives "
        "back what had been announced.",
    )
    even = norm.ppf((np.arange(1000) + 0.5) / 1000)
    closed = 2 / np.sqrt(2 * np.pi) - 1 / np.sqrt(np.pi)
    expect(
        np.isclose(answer(even, 0.0), closed, atol=2e-3),
        "identity",
        "For a standard Gaussian and y = 0 the score must be (√2 − 1)/√π.",
    )
    expect(
        np.isclose(value, float(crps(0.5, members)), rtol=1e-6),
        "value",
        "Close, but not the mean over members and over all their pairs.",
    )


@exercise(
    "23.4",
    level=3,
    title="forecast horizon",
    hints=(
        "Skill is one number a lead. How would it change if other issue dates had been drawn?",
        "Draw issue dates with replacement, the same ones for both scores, compute the skill of each "
        "lead, repeat a thousand times, take the 2.5 % quantile.",
        "`pick = rng.integers(n, size=(1000, n))`, then `score[pick].mean(axis=1)`; the horizon is the "
        "number of leads before the first that fails.",
    ),
)
def forecast_horizon(answer: Callable[[Array, Array, np.random.Generator], Any]) -> None:
    """Leads won, gaps, doubt, pairing."""
    rng = np.random.default_rng(3)
    n = 80
    null = rng.gamma(4.0, 0.25, (n, 6))

    def ahead(gain: list[float], noise: float = 0.05) -> Array:
        return null * (1 - np.array(gain)) * np.exp(noise * rng.standard_normal((n, 6)))

    def horizon(score: Array, other: Array = null) -> Any:
        return answer(score, other, np.random.default_rng(4))

    h = horizon(ahead([0.5, 0.4, 0.3, 0.2, -0.1, -0.2]))
    expect(np.shape(h) == (), "shape", "Return one number: the lead.")
    expect(
        h not in (3, 5),
        "off by one",
        "Leads are counted from 1: a forecast that wins at the first four leads has the horizon 4.",
    )
    never = horizon(ahead([-0.3] * 6))
    expect(
        not (h == 0 and never == 6), "sign", "A skill of 1 is perfect: score over null, not null over score."
    )
    expect(h == 4, "value", "This forecast wins clearly at the first four leads and loses after.")
    expect(never == 0, "limit", "A forecast that never wins has the horizon 0.")
    expect(
        horizon(ahead([0.4] * 6)) == 6,
        "limit",
        "A forecast that always wins has the last lead as its horizon.",
    )
    expect(
        horizon(ahead([0.4, 0.3, -0.2, 0.3, 0.3, 0.3])) == 2,
        "identity",
        "The horizon ends at the first lead that fails, even if a later one wins again.",
    )
    few, other = rng.gamma(1.0, 1.0, (2, 7, 3))
    few = few / few.mean(axis=0) * 0.9 * other.mean(axis=0)
    expect(
        horizon(few, other) == 0,
        "leakage",
        "Seven issue dates, and 10 % better on average: that may be luck. The lower end of the interval "
        "must lie above zero, not the skill itself. Are the dates drawn with replacement?",
    )
    easy = np.where(np.arange(n)[:, None] < 8, 1e-3, null)
    expect(
        horizon(np.where(np.arange(n)[:, None] < 8, 2e-2, 0.8 * null), easy) == 6,
        "identity",
        "Skill is one minus a mean over a mean. A mean of ratios lets a few dates decide at which the null model is "
        "nearly perfect.",
    )
    hard = rng.gamma(0.3, 1.0, (n, 6))
    expect(
        horizon(0.9 * hard, hard) == 6,
        "seed",
        "Here the forecast is 10 % better at every single issue date. Draw the same issue dates for "
        "both scores: an easy day is easy for both.",
    )
