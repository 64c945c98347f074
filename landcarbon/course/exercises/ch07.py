"""Exercises of chapter 07: coding TECO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.course.checks import exercise, expect, unlike
from landcarbon.matrix import response
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.spinup import periodic
from landcarbon.models import teco

Array = NDArray[np.float64]

CLAIMS = ("mean carbon", "yearly respiration", "seasonal swing", "shares of the pools")


@exercise(
    "07.1",
    level=1,
    title="the scalar at three temperatures",
    hints=(
        "At the reference temperature nothing is changed: which number is the scalar there?",
        "Ten degrees above, the rate is multiplied by q10 once; ten below, divided once. What is the "
        "exponent in between?",
        "One line: `return q10 ** (...)`, with the distance to the reference counted in tens of degrees.",
    ),
)
def temperature_scalar(answer: Callable[[Any, Any, Any], Any]) -> None:
    """Q10^((T − T_ref)/10): 1 at the reference, q10 and 1/q10 ten degrees away."""
    at = np.asarray(answer(15.0, 2.5, 15.0), dtype=float)
    expect(np.isfinite(at), "not finite", "The scalar at the reference is not a finite number.")
    expect(np.isclose(at, 1.0), "limit", "At the reference temperature the scalar must be 1.")
    above = float(answer(25.0, 2.5, 15.0))
    unlike(
        above,
        (1 / 2.5, "sign", "Your scalar falls with warmth: look at the order of the two temperatures."),
        (2.5**10, "units", "One degree counts like ten: Q10 is a factor for ten degrees."),
        (2.5**100, "units", "You multiply with ten; Q10 is a factor for ten degrees, so divide by ten."),
        (2.0, "incomplete", "The q10 that is given is not used."),
        (np.exp(2.5), "identity", "For one step of ten degrees that is e to the power q10: q10 itself is the base."),
    )
    half = float(answer(20.0, 2.5, 15.0))
    expect(
        not np.isclose(half, 1.0),
        "value",
        "Five degrees above the reference nothing has changed: `//` cuts the exponent down, divide with `/`.",
    )
    below = float(answer(5.0, 2.5, 15.0))
    expect(
        np.isclose(above, 2.5) and np.isclose(below, 1 / 2.5) and np.isclose(half, np.sqrt(2.5)),
        "value",
        "Ten degrees above the reference the scalar is q10, ten below it is its inverse. Yours is not: "
        "is the growth from degree to degree a factor, not a sum?",
    )
    many = np.asarray(answer(np.array([5.0, 15.0, 25.0]), 2.5, 15.0), dtype=float)
    expect(many.shape == (3,), "shape", "For three temperatures return three scalars: work on arrays.")


@exercise(
    "07.2",
    level=2,
    title="flux by flux = matrix",
    hints=(
        "Name what leaves each pool first; then ask for each arrow which part of it goes along.",
        "out = xi * rate * X, pool by pool. Then eight lines: a pool is what it was, minus what left, "
        "plus what arrived. Follow the rows of the table.",
        "foliage = X[0] - out[0] + 0.14 * gpp; metabolic = X[3] - out[3] + 0.9 * out[0] + 0.2 * out[2]; "
        "and so on; return np.array([...]) in the order of the pools.",
    ),
)
def one_day(answer: Callable[[Any, Any, Any], Any]) -> None:
    """Arrow by arrow against A; the balance of the day; nothing moves without rates."""
    rng = np.random.default_rng(7)
    model = teco.teco8()
    rate = model.K / teco.DAYS
    X, xi = rng.uniform(200, 3000, 8), rng.uniform(0.3, 1.8, 8)
    new = np.asarray(answer(X.copy(), 3.0, xi.copy()), dtype=float)
    expect(new.shape == (8,), "shape", "Return eight pools, in the order of teco.POOLS.")
    expect(np.all(np.isfinite(new)), "not finite", "A pool is not a finite number.")

    def one(j: int | None, amount: float, gpp: float = 0.0) -> Array:
        """What a day does to a single pool that holds `amount`."""
        start = np.zeros(8)
        if j is not None:
            start[j] = amount
        return np.asarray(answer(start.copy(), gpp, np.ones(8)), dtype=float) - start

    kept = one(0, 1000.0)
    expect(
        not np.isclose(kept[0], -1000.0 - 1000.0 * rate[0]),
        "incomplete",
        "That is what a day changes. Return the pools of the next morning: what was there, and the change.",
    )
    grown = one(None, 0.0, gpp=1000.0)
    expect(
        not np.isclose(grown.sum(), 1000.0, rtol=1e-6),
        "mass balance",
        "All of photosynthesis enters the pools. Plants respire 46 % of it; the shares sum to 0.54.",
    )
    unlike(
        grown,
        (1000 * model.B / 365, "units", "Photosynthesis is per day already; you divided it by 365."),
        (365000 * model.B, "units", "Photosynthesis is per day already; you multiplied it with 365."),
        (540 * model.B, "mass balance", "The plants' respiration is taken twice: the shares 0.14, 0.14 and 0.26 are "
         "what is left of photosynthesis after it."),
        (1000 * model.B[[0, 2, 1, *range(3, 8)]], "transposed",
         "Wood and fine roots have swapped their shares of photosynthesis."),
    )
    expect(
        np.allclose(grown, 1000 * model.B, atol=1e-9)
        or not np.allclose(grown, 1000 * model.B, atol=10.0),
        "off by one",
        "What grows today already falls or decays today: all fluxes use the pools of the morning.",
    )
    expect(
        np.allclose(grown, 1000 * model.B, atol=1e-9),
        "value",
        "With empty pools only photosynthesis counts, and it does not arrive as in the table: "
        f"{_which(grown, 1000 * model.B)}.",
    )
    for j, pool in enumerate(teco.POOLS):
        moved, expected = one(j, 1000.0), -1000.0 * model.A[:, j] * rate[j]
        left = expected[j]
        expect(
            not np.isclose(moved[j], -left, rtol=1e-6),
            "sign",
            f"{pool.capitalize()} grows by what should leave it.",
        )
        expect(
            not np.isclose(moved[j], left * teco.DAYS, rtol=1e-6),
            "units",
            f"{pool.capitalize()} loses in one day what it should lose in a year: rates per day are "
            "asked for.",
        )
        expect(
            np.isclose(moved[j], left, rtol=1e-9),
            "value",
            f"What leaves {pool} in a day is not its rate times its carbon.",
        )
        total, right = moved.sum(), expected.sum()
        expect(
            np.isclose(total, right, rtol=1e-7, atol=1e-9) or not np.isclose(total, 0, atol=1e-9),
            "mass balance",
            f"All that leaves {pool} arrives somewhere; a part of it must be respired.",
        )
        expect(
            np.isclose(total, right, rtol=1e-7, atol=1e-9),
            "mass balance",
            f"Too much or too little of what leaves {pool} arrives in other pools: "
            f"{_which(moved, expected)}.",
        )
        expect(
            np.allclose(moved, expected, rtol=1e-9, atol=1e-12),
            "transposed",
            f"What leaves {pool} has the right amount but takes a wrong way: {_which(moved, expected)}.",
        )
    expected = X + (model.input(3.0 * teco.DAYS) - model.outflow_matrix(xi) @ X) / teco.DAYS
    plain = X + (model.input(3.0 * teco.DAYS) - model.outflow_matrix() @ X) / teco.DAYS
    expect(
        not np.allclose(new, plain, rtol=1e-10),
        "identity",
        "The scalar is not used: every rate is multiplied with the xi of its pool.",
    )
    expect(
        np.allclose(new, expected, rtol=1e-10),
        "identity",
        "Single pools are right, all together are not. Do all fluxes use the pools of the morning, and "
        "the xi of the pool they leave?",
    )


@exercise(
    "07.3",
    level=2,
    title="a mean of scalars",
    hints=(
        "What decays in an hour is proportional to the scalar of that hour. What is it for a day?",
        "First turn hours into scalars, then average 24 of them. The order of the two matters.",
        "Reshape the hours into (days, 24), apply the scalar, take the mean over the last axis.",
    ),
)
def daily_scalar(answer: Callable[[Any, Any], Any]) -> None:
    """The mean of 24 scalars: never below the scalar of the mean, equal without swings."""
    steady = np.repeat([5.0, 12.0, 20.0], 24)
    flat = np.asarray(answer(steady, 2.0), dtype=float)
    expect(
        flat.shape == (3,), "shape", "From 72 hours make three scalars, one for each day."
    )
    expect(np.all(np.isfinite(flat)), "not finite", "A scalar is not a finite number.")
    expect(
        not np.allclose(flat, 24 * teco.temperature_scalar([5.0, 12.0, 20.0])),
        "units",
        "Your scalar is 24 times too large: the mean of the hours is asked for, not their sum.",
    )
    expect(
        not np.allclose(flat, teco.temperature_scalar([5.0, 12.0, 20.0]).mean()),
        "incomplete",
        "All three days have the same scalar: average the 24 hours that follow each other, day by day.",
    )
    expect(
        np.allclose(flat, teco.temperature_scalar([5.0, 12.0, 20.0])),
        "limit",
        "On days without any swing the scalar is that of the temperature itself.",
    )
    hours = np.arange(72)
    day = 2 * np.pi * hours / 24
    hourly = 10 + 9 * np.sin(day - 0.4) + 3 * np.cos(2 * day) + np.repeat([-4.0, 0.0, 5.0], 24)
    got = np.asarray(answer(hourly, 3.0), dtype=float)
    days = hourly.reshape(3, 24)
    of_the_mean = teco.temperature_scalar(days.mean(axis=1), 3.0)
    expect(
        not np.allclose(got, of_the_mean, rtol=1e-6),
        "identity",
        "That is the scalar of the mean temperature. Warm hours gain more than cold hours lose; the "
        "mean of the scalars is larger.",
    )
    ends = teco.temperature_scalar(np.stack([days.min(axis=1), days.max(axis=1)]), 3.0).mean(axis=0)
    scalars = teco.temperature_scalar(days, 3.0)
    unlike(
        got,
        (ends, "value", "You averaged the coldest and the warmest hour. The hours in between count as well."),
        (np.median(scalars, axis=1), "value",
         "That is the median. The decay of a day is a sum, so it goes with the mean."),
        *((scalars[:, hour], "value", "That is the scalar of one hour; all 24 count.") for hour in range(24)),
    )
    mixed = teco.temperature_scalar(hourly.reshape(24, 3), 3.0).mean(axis=0)
    expect(
        not np.allclose(got, mixed, rtol=1e-6),
        "transposed",
        "You averaged every third hour: the hours of a day follow each other, so a day is a row of 24.",
    )
    expect(
        np.allclose(got, teco.temperature_scalar(days, 3.0).mean(axis=1), rtol=1e-6),
        "value",
        "On days that swing, the scalar is not the mean of its 24 hours.",
    )


@exercise(
    "07.4",
    level=3,
    title="what survives a swap of the scalar",
    hints=(
        "A fair swap changes the form and nothing else: what must both scalars have in common?",
        "Divide each form by its mean over the year, run TECO to its periodic state with each, and "
        "compare four numbers.",
        "Return a dict with the four claims as keys and True or False as values; True where the two "
        "runs differ by less than 5 %.",
    ),
)
def survives(answer: Callable[[], Any]) -> None:
    """Four claims, each tested with three forms on synthetic weather."""
    said = answer()
    expect(isinstance(said, Mapping), "shape", "Return a dict, with braces: {'mean carbon': ..., ...}.")
    missing = [name for name in CLAIMS if name not in said]
    expect(not missing, "incomplete", f"The dict says nothing about: {', '.join(missing)}.")
    expect(
        all(isinstance(said[name], (bool, np.bool_)) for name in CLAIMS),
        "shape",
        "Each claim is True (it survives) or False (it does not).",
    )
    found = _survivors()
    wrong = [name for name in CLAIMS if bool(said[name]) != found[name]]
    expect(
        not wrong,
        "identity",
        f"Of the four claims {len(wrong)} cannot be kept when the model is run with Q10, Lloyd–Taylor "
        "and CENTURY's arctangent of equal mean. At a periodic state, what must a year's respiration equal? "
        "And when in the year is each form largest?",
    )


@exercise(
    "07.5",
    level=2,
    title="a month of RothC",
    hints=(
        "What is left after a month of decay at rate ξ K alone? The rest has decayed.",
        "decayed = (1 − e^{−ξ K / 12}) X. Take it from each pool, then hand F times it on.",
        "X - decayed + F @ decayed + p: the input is not touched in its first month.",
    ),
)
def month(answer: Callable[[Any, Any, Any, Any, Any], Any]) -> None:
    """One step that hands over at its end."""
    F = np.array([[0.0, 0.0, 0.0], [0.3, 0.1, 0.2], [0.2, 0.3, 0.4]])
    K, X, p = np.array([10.0, 0.66, 0.02]), np.array([2.0, 5.0, 40.0]), np.array([0.4, 0.0, 0.0])
    for xi in (1.0, 2.5, 0.0):
        found = np.asarray(answer(X.copy(), F, K, xi, p), dtype=float)
        expect(found.shape == (3,), "shape", "Return the three pools, as an array of the shape of X.")
        expect(np.isfinite(found).all(), "not finite", "A pool is NaN or infinite.")
        decayed = -np.expm1(-xi * K / 12) * X
        true = X - decayed + F @ decayed + p
        if xi == 0:
            expect(np.allclose(found, X + p), "limit", "With ξ = 0 nothing decays and only the input is added.")
            continue
        yearly = -np.expm1(-xi * K) * X
        expect(not np.allclose(found, X - yearly + F @ yearly + p), "units", "K is per year, and this is a month.")
        expect(not np.allclose(found, X - decayed + F.T @ decayed + p), "transposed",
               "F has the pool it comes from in its column: F @ decayed.")
        expect(not np.allclose(found, X - decayed + p), "mass balance",
               "What decays and is handed on has gone: add it to the pools that get it.")
        euler = xi * K / 12 * X
        expect(not np.allclose(found, X - euler + F @ euler + p), "value",
               "ξ K / 12 of a pool is lost at first, but there is less and less of it in the month: use exp.")
        early = -np.expm1(-xi * K / 12) * (X + p)
        stay, handed = X - decayed, F @ decayed
        daily, again = -np.expm1(-xi * K / 365) * X, np.exp(-xi * K / 12) * (X + handed)
        unlike(
            found,
            (X + p - early + F @ early, "off by one",
             "The input of this month has decayed already; it arrives when the month is over."),
            (again + p, "off by one",
             "What is handed on decays once more in its new pool: within a month each pool decays on its own."),
            (stay + handed, "incomplete", "The input p is missing."),
            (handed + p, "incomplete", "What did not decay is missing: it stays where it was."),
            (stay + handed + p / 12, "units", "p is the portion of the month already; you divided it by twelve."),
            (X - daily + F @ daily + p, "units", "You let a day pass: K is per year, and a month is a twelfth of it."),
            (stay + (F * decayed).sum(axis=0) + p, "mass balance",
             "You summed the columns of F times what decayed, which is all that a pool hands on. What pool i gets is "
             "the sum of row i: F @ decayed."),
            ((np.eye(3) - F) @ X, "incomplete", "Neither decay nor input is in it: how much of X decays in a month?"),
        )
        expect(np.allclose(found, true, rtol=1e-10), "identity",
               "Not the pools after decay, handing over and input, in this order.")


@cache
def _survivors() -> dict[str, bool]:
    """What differs by less than 5 % between three forms of equal yearly mean."""
    year = teco.synthetic_forcing(1, rng=4)
    T = year.soil_temperature
    forms = (
        response.q10(T, 2.0, 10.0),
        response.lloyd_taylor(T + 273.15),
        response.century_temperature(T),
    )
    model = teco.teco8()
    results: dict[str, list[Any]] = {name: [] for name in CLAIMS}
    for form in forms:
        xi = np.ones((365, 8))
        xi[:, 3:] = (form / form.mean())[:, None]
        loop = Cycle.from_model(model, year.I, xi, np.full(365, 1 / 365))
        X = periodic(loop).X
        states = [X]
        for *_, end in loop.steps(X):
            states.append(end)
        middle = (np.array(states[1:]) + np.array(states[:-1])) / 2
        rate = (model.respired_fraction * model.K * xi * middle).sum(axis=1)
        monthly = rate[:360].reshape(12, 30).mean(axis=1)
        results["mean carbon"].append(middle.sum(axis=1).mean())
        results["yearly respiration"].append(rate.mean())
        results["seasonal swing"].append(np.ptp(monthly))
        results["shares of the pools"].append(middle.mean(axis=0) / middle.sum(axis=1).mean())
    return {
        name: bool(np.all(np.abs(np.array(values) - values[0]).max() <= 0.05 * np.abs(values[0]).max()))
        for name, values in results.items()
    }


def _which(got: Array, expected: Array) -> str:
    """The pool in which the difference is largest, by name."""
    return f"look at {teco.POOLS[int(np.abs(got - expected).argmax())]}"
