"""Exercises of chapter 24: a forecasting cycle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.course.checks import exercise, expect

Array = NDArray[np.float64]


@exercise(
    "24.1",
    level=1,
    title="one cycle",
    hints=(
        "Two estimates of one number, each with its variance: how much weight does each deserve?",
        "The gain is var / (var + sd²). Each member moves by the gain times its distance to the "
        "observation, and each member meets an observation with an error of its own.",
        "One line for the gain; then `members + gain * (y + sd * rng.standard_normal(…) - members)`.",
    ),
)
def analysis(answer: Callable[[Array, float, float, np.random.Generator], Any]) -> None:
    """Limits of a perfect and a worthless observation, mean and spread of the Kalman update."""
    members = np.random.default_rng(1).normal(10.0, 2.0, 40_000)

    def update(y: float, sd: float) -> Array:
        return np.asarray(answer(members.copy(), y, sd, np.random.default_rng(2)), float)

    new = update(14.0, 1.0)
    expect(new.shape == members.shape, "shape", "Return an ensemble of the same size.")
    expect(np.isfinite(new), "not finite", "A member is not a finite number.")
    expect(
        new.mean() > 10.0, "sign", "The ensemble moves towards the observation, not away from it."
    )
    expect(
        not np.isclose(new.mean(), 10 + 4 * 2 / 3, atol=0.03),
        "units",
        "The gain compares variances; yours seems to compare standard deviations.",
    )
    expect(
        not np.isclose(new.std(), 0.8, rtol=0.03),
        "identity",
        "All members start from their mean. Each one moves from where it stands, by the gain times its own "
        "distance.",
    )
    expect(
        np.allclose(update(14.0, 1e6).mean(), 10.0, atol=0.1)
        and np.isclose(update(14.0, 1e6).std(), 2.0, rtol=0.05),
        "limit",
        "An observation with a huge error must leave the ensemble as it was.",
    )
    expect(
        np.allclose(update(14.0, 1e-6), 14.0, atol=1e-3),
        "limit",
        "An observation without error must put every member on it.",
    )
    expect(
        not np.isclose(new.std(), 0.4, rtol=0.03),
        "incomplete",
        "The ensemble became too narrow: each member must meet an observation with an error of its own. No "
        "error, or one for all members, leaves (1 − gain) of the spread.",
    )
    expect(
        np.isclose(new.mean(), 13.2, atol=0.05),
        "value",
        "With a spread of 2 and an error of 1 the observation deserves four fifths of the weight.",
    )
    spread = np.sqrt(0.8)
    expect(
        not np.isclose(new.std(), 2 * 0.2, rtol=0.03),
        "incomplete",
        "The ensemble became too narrow: each member must meet an observation with its own error, or "
        "the error is counted in the gain and forgotten in the spread.",
    )
    expect(
        np.isclose(new.std(), spread, rtol=0.03),
        "value",
        "The variance afterwards is (1 − gain) times the variance before.",
    )


@exercise(
    "24.2",
    level=2,
    title="the timestamp test",
    hints=(
        "If a forecast has not seen a row, what happens to the forecast when the row changes?",
        "A row is late if it became available after the date. Run three times: with the whole table, "
        "with late rows cut off, with late values falsified. All three must agree exactly.",
        '`late = table["available"] > date`; then `table[~late]` and '
        '`table.assign(value=table["value"].where(~late, 1e6))`, compared with `np.array_equal`.',
    ),
)
def timestamp_test(answer: Callable[[Callable[[Any, float], Array], Any, float], Any]) -> None:
    """Honest re-forecasts pass; leaks by value, by count, by reporting date do not."""
    import pandas as pd

    time = np.arange(12.0)
    table = pd.DataFrame(
        {
            "time": time,
            "available": time + np.where(time % 3 == 2, 2.0, 0.0),
            "value": np.random.default_rng(3).normal(5.0, 1.0, 12),
        }
    )
    kept = table.copy()
    date = 6.0

    def honest(rows: Any, T: float) -> Array:
        known = rows[rows["available"] <= T]
        return known["value"].iloc[-1] + np.random.default_rng(4).normal(size=5)

    def uses_the_day_itself(rows: Any, T: float) -> Array:
        return rows.loc[rows["available"] <= T, "value"].to_numpy()[-3:].cumsum()

    def looks_ahead(rows: Any, T: float) -> Array:
        return honest(rows, T) + 0.1 * rows["value"].mean()

    def too_early(rows: Any, T: float) -> Array:
        return rows.loc[rows["time"] <= T, "value"].to_numpy()[-3:]

    def counts(rows: Any, T: float) -> Array:
        return honest(rows, T) + 0.01 * len(rows)

    first = answer(honest, table, date)
    expect(np.shape(first) == (), "shape", "Return one truth value: does the forecast pass?")
    expect(
        table.equals(kept),
        "leakage",
        "Your test has changed the table it was given: work on a copy.",
    )
    expect(
        not answer(looks_ahead, table, date),
        "leakage",
        "A forecast that uses the mean of the whole table passes your test.",
    )
    expect(
        bool(answer(uses_the_day_itself, table, date)),
        "off by one",
        "A row that becomes available on the date itself is known, and must be neither cut off nor "
        "falsified.",
    )
    expect(
        bool(first),
        "value",
        "A forecast that uses only what was available, with random numbers from a fixed seed, must pass.",
    )
    late_report = pd.DataFrame(
        {"time": time, "available": np.where(time == 6.0, 8.0, time), "value": kept["value"]}
    )
    expect(
        not answer(too_early, late_report, date),
        "choice",
        "A row taken before the date but reported after it was not known. Which of the two times "
        "decides?",
    )
    expect(
        not answer(counts, table, date),
        "incomplete",
        "A forecast can leak without looking at a value, by counting rows: cut them off, too.",
    )

    # A forecast whose late rows are masked by a value of zero weight still looks at their values.
    def weighs(rows: Any, T: float) -> Array:
        late = (rows["available"] > T).to_numpy()
        return np.array(
            [rows["value"].to_numpy()[~late].mean() + (rows["value"][late].sum() > 1e3)]
        )

    expect(
        not answer(weighs, table, date),
        "incomplete",
        "A forecast that changes when a late value is absurd passes your test: falsify late values, too.",
    )


@exercise(
    "24.3",
    level=3,
    title="what constrains what",
    hints=(
        "What would the variance of a parameter be if a data set said nothing about it?",
        "Compare each posterior variance with the one without data: 1 − var / var_prior, parameter by "
        "parameter.",
        'A dict comprehension over the names, each value `1 - x.var(axis=0) / draws["none"].var(axis=0)`.',
    ),
)
def learned(answer: Callable[[dict[str, Array]], Any]) -> None:
    """A linear Gaussian problem whose posterior variances are known."""
    prior = np.diag([4.0, 1.0, 9.0])
    pools = np.array([[1.0, 1.0, 0.0]])  # sees a sum
    fluxes = np.array([[1.0, -1.0, 0.0]])  # sees a difference

    def posterior(H: Array) -> Array:
        precision = np.linalg.inv(prior) + H.T @ H / 0.1**2
        return np.asarray(np.linalg.inv(precision), dtype=np.float64)

    P = {
        "none": prior,
        "pools": posterior(pools),
        "fluxes": posterior(fluxes),
        "both": posterior(np.concatenate([pools, fluxes])),
    }
    rng = np.random.default_rng(5)
    draws = {k: rng.multivariate_normal(np.zeros(3), C, 60_000) for k, C in P.items()}
    found = answer(draws)
    expect(isinstance(found, dict), "shape", "Return a dict with an entry for each data set.")
    missing = {"pools", "fluxes", "both"} - set(found)
    expect(not missing, "incomplete", f"There is no entry for {', '.join(sorted(missing))}.")
    both = np.asarray(found["both"], float)
    expect(both.shape == (3,), "shape", "Each entry has one number a parameter.")
    expect(np.isfinite(both), "not finite", "A share is not a finite number.")
    true = {k: 1 - np.diag(C) / np.diag(prior) for k, C in P.items()}
    expect(
        not np.allclose(both, 1 - true["both"], atol=0.02),
        "sign",
        "That is the share that is left. Asked for is the share the data took away.",
    )
    expect(
        not np.allclose(both, 1 - np.sqrt(1 - true["both"]), atol=0.005)
        or np.allclose(both, true["both"], atol=0.005),
        "units",
        "Those are standard deviations; shares of variance are asked for.",
    )
    lost = {k: np.diag(prior) - np.diag(C) for k, C in P.items()}
    expect(
        not np.allclose(both, lost["both"], atol=0.1) or np.allclose(both, true["both"], atol=0.1),
        "units",
        "That is the variance taken away, in the unit of the parameter squared: a share is divided by the "
        "variance before.",
    )
    expect(
        np.allclose(both[2], 0, atol=0.03),
        "limit",
        "The third parameter is in none of the data: nothing can have been learned about it.",
    )
    for name in ("pools", "fluxes", "both"):
        expect(
            np.allclose(found[name], true[name], atol=0.03),
            "value",
            f"The shares for {name} are not 1 − variance with data over variance without.",
        )
