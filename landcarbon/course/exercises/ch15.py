"""Exercises of chapter 15: traces, R-hat, and a sampler with a bug."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from landcarbon.course.checks import exercise, expect

__all__ = ["DIAGNOSES", "mystery", "traces"]

Array = NDArray[np.float64]

DIAGNOSES = (
    "fine",
    "warm-up left in",
    "steps too small",
    "steps too large",
    "chains in different places",
    "still narrowing",
)
"""What can be the matter with a panel of traces; each occurs once."""

_PANELS = dict(zip("ABCDEF", (2, 4, 0, 5, 1, 3)))
_CULPRIT = "birch"
_THIN = 12


def _chain(J: Callable[[Array], Array], step: float, start: Array, n: int, rng: Any) -> Array:
    """Metropolis chains (chain, n) of one parameter."""
    x, out = np.array(start, dtype=float), np.empty((len(start), n))
    for i in range(n):
        new = x + step * rng.standard_normal(len(x))
        ok = np.log(rng.random(len(x))) < J(x) - J(new)
        x = np.where(ok, new, x)
        out[:, i] = x
    return out


def traces() -> dict[str, Array]:
    """Six panels, A to F, of four chains with 400 draws each; synthetic."""
    rng = np.random.default_rng(150)

    def normal(x: Array) -> Array:
        return 0.5 * x**2

    def two_hills(x: Array) -> Array:
        return -np.logaddexp(-0.5 * ((x - 2.5) / 0.4) ** 2, -0.5 * ((x + 2.5) / 0.4) ** 2)

    near = rng.standard_normal(4)
    x, columns = near.copy(), []
    for t in range(400):
        power = 1.0 + t / 12.0
        new = x + 2.4 / np.sqrt(power) * rng.standard_normal(4)
        ok = np.log(rng.random(4)) < power * (normal(x) - normal(new))
        x = np.where(ok, new, x)
        columns.append(x)
    by_diagnosis = [
        _chain(normal, 2.4, near, 1600, rng)[:, ::4],
        _chain(normal, 0.35, near + np.array([9.0, -8.0, 10.0, -9.0]), 400, rng),
        _chain(normal, 0.06, near, 400, rng),
        _chain(normal, 60.0, near, 400, rng),
        _chain(two_hills, 0.9, np.array([2.4, -2.5, 2.6, -2.4]), 400, rng),
        np.stack(columns, axis=1),
    ]
    return {letter: by_diagnosis[kind] for letter, kind in _PANELS.items()}


@exercise(
    "15.1",
    level=1,
    title="six traces read",
    hints=(
        "Ask three questions of a panel: do the four chains overlap, do they look the same early "
        "and late, how often do they move?",
        "Long flat stretches are refusals; a snake that crawls is a step too small; a beginning "
        "unlike the rest is warm-up; a funnel means that the target itself changes.",
        "A dict of six entries, 'A' to 'F', each one of `DIAGNOSES`, each used once.",
    ),
)
def read_traces(answer: Any) -> None:
    """One diagnosis a panel, each used once."""
    expect(isinstance(answer, dict), "shape", "Give a dict: {'A': 'fine', 'B': …}.")
    missing = sorted(set(_PANELS) - set(answer))
    expect(
        not missing, "incomplete", f"No diagnosis yet for panel {', '.join(missing)}; the keys are the capital letters."
    )
    unknown = sorted({str(v) for k, v in answer.items() if v not in DIAGNOSES and k in _PANELS})
    expect(
        not unknown, "choice",
        f"{', '.join(unknown)}: choose from DIAGNOSES, spelled as there.",
    )  # fmt: skip
    expect(
        len({answer[k] for k in _PANELS}) == len(_PANELS),
        "choice",
        "A diagnosis is given twice; each of the six occurs once.",
    )
    look = {
        "fine": "it has a fault: compare the chains with each other, and early with late",
        "warm-up left in": "is its beginning really unlike the rest, and the rest alike?",
        "steps too small": "do its chains really crawl in small steps?",
        "steps too large": "do its chains really stand still for long stretches?",
        "chains in different places": "do its chains never meet?",
        "still narrowing": "does the width of the band really change along the chain?",
    }
    for letter, kind in _PANELS.items():
        given = answer[letter]
        expect(given == DIAGNOSES[kind], "choice", f"Look again at panel {letter}: {look[given]}")


def _reference_rhat(chains: Array) -> float:
    m, n = chains.shape
    halves = chains[:, : n // 2 * 2].reshape(2 * m, n // 2)
    n = n // 2
    W = halves.var(axis=1, ddof=1).mean()
    B = n * halves.mean(axis=1).var(ddof=1)
    return float(np.sqrt(((n - 1) / n * W + B / n) / W))


def _expect_rhat(given: float, chains: Array) -> None:
    """The formula's value; what is known to miss it is named."""
    right = _reference_rhat(chains)
    half = chains.shape[1] // 2
    halves = np.concatenate([chains[:, :half], chains[:, half : 2 * half]])
    W, B_over_n = halves.var(axis=1, ddof=1).mean(), halves.mean(axis=1).var(ddof=1)
    mean_sd = halves.std(axis=1, ddof=1).mean() ** 2

    def with_(W: float, B_over_n: float, weight: float = (half - 1) / half) -> float:
        return float(np.sqrt((weight * W + B_over_n) / W))

    over = "`np.var` divides by n; asked for are variances over n − 1: `ddof=1`"
    W_0, B_0 = halves.var(axis=1).mean(), halves.mean(axis=1).var()
    slips = {
        "the root is missing": right**2,
        over: with_(W, B_0),
        over + ", also within the halves": with_(W_0, B_0),
        "the means have it, the variances within do not: `ddof=1` there too": with_(W_0, B_over_n),
        "W has the weight (n − 1)/n": with_(W, B_over_n, 1.0),
        "n is the length of a half, not of the whole chain": with_(W, B_over_n, 1 - 1 / chains.shape[1]),
        "W is the mean of the variances, not of the standard deviations": with_(mean_sd, B_over_n),
        "the numerator is no total variance: it is made of W and of the spread of the means": float(
            halves.std(ddof=1) / np.sqrt(W)
        ),
    }
    for meaning, value in slips.items():
        expect(
            not np.isclose(given, value, rtol=1e-9) or np.isclose(given, right, rtol=1e-9),
            "value",
            f"Nearly: {meaning}.",
        )
    expect(
        np.isclose(given, right, rtol=1e-6),
        "value",
        "The direction is right, the value is not. Are the halves (2m, n/2), is W their mean variance, B/n the "
        "variance of their means, and is the root taken?",
    )


@exercise(
    "15.2",
    level=2,
    title="split R-hat",
    hints=(
        "Two spreads are compared: of the means of the half-chains, and of the draws within them.",
        "Cut each chain in half; W is the mean of the variances within, B/n the variance of the "
        "means; R-hat is the root of ((n − 1)/n · W + B/n) / W.",
        "Four lines: a reshape to (2m, n/2), `.var(axis=1, ddof=1).mean()`, "
        "`.mean(axis=1).var(ddof=1)`, and the root.",
    ),
)
def split_rhat(answer: Callable[[Array], Any]) -> None:
    """1 for chains alike, more for chains apart or adrift; no unit; the formula's value."""
    rng = np.random.default_rng(152)
    alike = rng.standard_normal((4, 1000))
    r = answer(alike)
    expect(np.shape(r) == (), "shape", "For chains of one parameter return one number.")
    expect(np.isfinite(r), "not finite", "R-hat is not a finite number for ordinary chains.")
    expect(
        0.98 < float(r) < 1.02,
        "limit",
        f"Chains that agree must give a value close to 1, yours is {float(r):.3g}. Which spread is "
        "divided by which, and by how many draws?",
    )
    expect(
        np.isclose(answer(1000 * alike + 5), r, rtol=1e-6),
        "units",
        "R-hat must not change with the unit or the zero of the parameter.",
    )
    apart = alike + np.array([[0.0], [0.0], [0.0], [3.0]])
    expect(float(answer(apart)) > 1.2, "limit", "One chain stands apart, and R-hat must see it.")
    expect(
        float(answer(apart[:, :500])) > 1.2 and float(answer(apart[::-1])) > 1.2,
        "identity",
        "Which chain stands apart, and how long they are, must not matter.",
    )
    adrift = alike + np.linspace(-2.0, 2.0, 1000)
    expect(
        float(answer(adrift)) > 1.2,
        "identity",
        "All chains drift upwards together, and R-hat says they agree: cut each chain in half first.",
    )
    for chains in (apart, adrift):
        scores = norm.ppf((rankdata(chains).reshape(chains.shape) - 0.375) / (chains.size + 0.25))
        folded = np.abs(chains - np.median(chains))
        folded = norm.ppf((rankdata(folded).reshape(chains.shape) - 0.375) / (chains.size + 0.25))
        ranked = [_reference_rhat(scores), max(_reference_rhat(scores), _reference_rhat(folded))]
        expect(
            not np.isclose(float(answer(chains)), ranked, rtol=1e-3).any(),
            "choice",
            "That is R-hat of the ranks, as ArviZ has it by default. It is a good one; asked for is the plain "
            "one, from the draws themselves.",
        )
        _expect_rhat(float(answer(chains)), chains)
    _expect_rhat(float(answer(apart[:, :20])), apart[:, :20])


def mystery() -> dict[str, Callable[[Array, Any], Array]]:
    """Three samplers of theta given data = theta + Normal(0, 1), theta ~ Normal(0, 1).

    Each takes data (n,) and a Generator and returns 99 draws of theta for each datum, (n, 99).
    """

    def walk(data: Array, rng: Any, step: float, forget_repeats: bool) -> Array:
        n_steps = 99 * _THIN
        x = data / 2 + rng.standard_normal(data.size) / np.sqrt(2)
        states, moved = np.empty((n_steps, data.size)), np.empty((n_steps, data.size), dtype=bool)
        for i in range(n_steps):
            new = x + step * rng.standard_normal(data.size)
            gain = 0.5 * (x**2 - new**2 + (data - x) ** 2 - (data - new) ** 2)
            ok = np.log(rng.random(data.size)) < gain
            x = np.where(ok, new, x)
            states[i], moved[i] = x, ok
        if not forget_repeats:
            return states[_THIN - 1 :: _THIN].T
        order = np.argsort(~moved, axis=0, kind="stable")
        count = moved.sum(axis=0)
        pick = np.round(np.linspace(0, 1, 99)[:, None] * (count - 1)).astype(int)
        return np.take_along_axis(states, np.take_along_axis(order, pick, axis=0), axis=0).T

    return {
        "alder": lambda data, rng: walk(data, rng, 1.2, False),
        "birch": lambda data, rng: walk(data, rng, 2.5, True),
        "cedar": lambda data, rng: walk(data, rng, 2.5, False),
    }


def _exact(width: float, shift: float = 0.0) -> Callable[[Array, Any], Array]:
    def sampler(data: Array, rng: Any) -> Array:
        expect(
            np.ndim(data) == 1, "shape",
            "`sampler` takes the data of many twins at once, one array (n,), and was called with something else.",
        )
        noise = rng.standard_normal((np.size(data), 99)) / np.sqrt(2)
        return np.asarray(data)[:, None] / 2 + shift + width * noise

    return sampler


def _fifty_below(data: Array, rng: Any) -> Array:
    """Fifty draws far below every truth and 49 far above, in no order."""
    return rng.permuted(np.tile(np.repeat([-1e3, 1e3], [50, 49]), (np.size(data), 1)), axis=1)


def _prior_only(data: Array, rng: Any) -> Array:
    return rng.standard_normal((np.size(data), 99))


def _p(ranks: Array) -> float:
    from scipy.stats import chisquare

    return float(chisquare(np.bincount(ranks.astype(int) // 5, minlength=20)).pvalue)


@exercise(
    "15.3",
    level=3,
    title="calibration",
    hints=(
        "Where does the truth of a twin come from? From the same prior that the sampler assumes.",
        "Draw n truths from Normal(0, 1), add Normal(0, 1) to get the data, sample, and count for "
        "each twin how many of its 99 draws lie below its truth.",
        "Four lines: truth, data, `draws = sampler(data, rng)`, and a sum of `draws < truth[:, None]`.",
    ),
)
def ranks(answer: Callable[..., Any]) -> None:
    """Uniform for an exact sampler, not for a narrow, wide or shifted one."""

    def run(sampler: Callable[[Array, Any], Array], seed: int = 1) -> Array:
        return np.asarray(answer(sampler, 2000, np.random.default_rng(seed)))

    right = run(_exact(1.0))
    expect(right.shape == (2000,), "shape", "Return one rank for each twin, an array (n_twins,).")
    expect(
        np.equal(right, np.round(right)) & (right >= 0) & (right <= 99),
        "value",
        "A rank counts draws: whole numbers from 0 to 99.",
    )
    expect(
        run(_fifty_below) == 50,
        "value",
        "Of 99 draws 50 lie far below each truth and 49 far above, so each rank must be 50: it counts the draws, in "
        "whatever order they come, that are smaller than the truth.",
    )
    expect(
        _p(run(_prior_only)) > 1e-4,
        "identity",
        "A sampler that ignores the data and draws from the prior is calibrated too, and yours says it is not. Is it "
        "the truth that you rank, drawn from Normal(0, 1), or the datum?",
    )
    expect(
        _p(right) > 1e-4,
        "identity",
        "With an exact sampler the ranks must be uniform, and yours are not. The truth must come from "
        "the prior, Normal(0, 1), and the data must have their error, Normal(0, 1).",
    )
    expect(
        not np.array_equal(run(_exact(1.0), 2), right),
        "seed",
        "Another generator gives the same ranks: draw truths and data from `rng`.",
    )
    for sampler in (_exact(0.7), _exact(1.4), _exact(1.0, 0.3)):
        expect(
            _p(run(sampler)) < 1e-6,
            "identity",
            "A wrong sampler passes: its draws do not seem to enter the ranks.",
        )


@exercise(
    "15.4",
    level=1,
    title="the culprit",
    hints=(
        "Run your `ranks` on each of the three and look at the histograms.",
        "A chi-square test of twenty bins says which one is beyond chance; use 5,000 twins.",
        "The answer is one of the three names, a string.",
    ),
)
def culprit(answer: Any) -> None:
    """The sampler that forgets repeats."""
    expect(
        isinstance(answer, str) and answer in mystery(), "choice",
        f"Give one of the names {', '.join(mystery())}, as text and spelled as here.",
    )
    expect(
        answer == _CULPRIT,
        "choice",
        "The ranks of this one are uniform within chance; with more twins the other shows itself.",
    )
