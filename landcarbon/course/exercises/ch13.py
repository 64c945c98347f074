"""Checks of chapter 13: model intercomparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect
from landcarbon.datasets.synthetic_mip import synthetic_mip


@exercise(
    "13.1",
    level=1,
    title="Scores between 0 and 1",
    hints=(
        "What is the bias at one place? And in which unit should it be measured to have no unit?",
        "Per place: difference of the means over time, over the standard deviation of the reference in time.",
        "bias = … - …, one number a place; return np.exp(-abs(bias) / …).mean()",
    ),
)
def bias_score(answer: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    ref = rng.normal(size=(8, 24)) * rng.uniform(0.5, 2, (8, 1)) + 10
    perfect = float(answer(ref.copy(), ref))
    expect(np.isfinite(perfect), "not finite", "The score of a perfect model is NaN or infinite.")
    expect(np.isclose(perfect, 1), "limit", "A model equal to the reference scores 1.")
    shift = ref + ref.std(axis=1, keepdims=True)
    found = float(answer(shift, ref))
    expect(-1e-9 <= found <= 1, "limit", f"A score lies between 0 and 1, and for a bias of one standard deviation "
           f"you gave {found:.3g}.")
    expect(np.isclose(found, float(answer(ref - ref.std(axis=1, keepdims=True), ref))), "sign",
           "Too high and too low by the same amount are equally wrong.")
    expect(np.isclose(found, float(answer(1000 * shift, 1000 * ref))), "units",
           "In other units the score must be the same: measure the bias by the reference's own variation.")
    one_less = float(np.exp(-np.sqrt(23 / 24)))
    expect(not np.isclose(found, one_less), "value",
           "Your standard deviation divides by n − 1; take NumPy's `std` as it stands, which divides by n.")
    expect(not np.isclose(found, np.exp(-np.abs((shift - ref).mean()) / ref.std())), "identity",
           "You took one bias for all places together. Take one for each place, then the mean of their scores.")
    expect(np.isclose(found, np.exp(-1)), "value", "A bias of one standard deviation at every place scores exp(−1).")
    swing = ref + np.where(np.arange(24) % 2, 1.0, -1.0)
    expect(np.isclose(float(answer(swing, ref)), 1.0), "identity",
           "Errors that cancel over time are no bias: take the mean over time first, its size afterwards.")
    half = ref.copy()
    half[:4] = shift[:4]
    expect(np.isclose(float(answer(half, ref)), (1 + np.exp(-1)) / 2), "identity",
           "Score each place first, then average the scores; biases must not cancel between places.")


@exercise(
    "13.2",
    level=2,
    title="Recover the planted rates",
    hints=(
        "Write the balance of the first pool: what enters it, what it gains, what therefore leaves it.",
        "What leaves one pool and is not respired enters the next. Divide outflows by the mean stock of the step.",
        "enters = npp; for j: leaves = enters − (X[1:, j] − X[:-1, j]); enters = leaves − R[:, j].",
    ),
)
def rebuild(answer: Callable[..., Any]) -> None:
    mip = synthetic_mip(n_models=3, n_sites=10, n_years=12, rng=5)
    npp, X, R = (mip[k].values[1, 4] for k in ("npp", "stocks", "respiration"))
    found = answer(npp, X, R)
    expect(isinstance(found, (tuple, list)) and len(found) == 2, "shape", "Return two arrays: rates, shares handed on.")
    K, kept = (np.asarray(v, dtype=float) for v in found)
    expect(K.shape == (12, 3), "shape", "Rates have one row per year and one column per pool: (12, 3).")
    expect(kept.shape == (12, 2), "shape", "All pools but the last hand on: shares have the shape (12, 2).")
    expect(np.isfinite(K).all() and np.isfinite(kept).all(), "not finite", "A rate or a share is NaN or infinite.")
    middle = (X[1:] + X[:-1]) / 2
    gain = np.diff(X, axis=0)
    expect(not np.allclose(K[:, 0] * middle[:, 0], npp + gain[:, 0]), "sign",
           "A gain stays in the pool: subtract it from what entered.")
    expect(not np.allclose(K[:, 0] * middle[:, 0], npp), "mass balance",
           "Not all that enters leaves: part of it is the pool's gain.")
    ends = (X[1:, 0], X[:-1, 0])
    expect(not any(np.allclose(K[:, 0] * x, npp - gain[:, 0], rtol=1e-12) for x in ends), "off by one",
           "Divide by the mean stock of the step, not by the stock at one of its ends.")
    out = K * middle
    expect(np.allclose(out[:, 1:] + gain[:, 1:], out[:, :-1] - R[:, :-1], rtol=1e-6), "mass balance",
           "What one pool hands on, its outflow minus its respiration, must enter the next.")
    expect(np.allclose(kept, 1 - R[:, :-1] / out[:, :-1], rtol=1e-9), "identity",
           "A share handed on is one minus the respired part of what leaves.")
    truth = mip.true_transfer.values[1, :2]
    expect(np.allclose(kept, truth, rtol=0.03), "value", "The planted transfers are not recovered within 3 %.")


@exercise(
    "13.3",
    level=3,
    title="Right for the wrong reason",
    hints=(
        "Both must have the same residence time at 8 °C; their Q10 may differ as far as allowed.",
        "At 12 °C carbon is multiplied by Q10^(−0.4). Which Q10 lose little, which lose much?",
        "Choose two Q10, and for each the rate at 25 °C that gives the same stock at 8 °C: npp / X / Q10^((8−25)/10).",
    ),
)
def wrong_reason(answer: Callable[..., Any]) -> None:
    found = answer()
    expect(isinstance(found, (tuple, list)) and len(found) == 2, "shape", "Return two models: ((k, Q10), (k, Q10)).")
    k, q10 = np.array(found, dtype=float).T
    expect(np.isfinite(k) & np.isfinite(q10), "not finite", "A rate or a Q10 is NaN or infinite.")
    expect(k > 0, "sign", "Rates at 25 °C are above 0.")
    expect((q10 >= 1.2) & (q10 <= 3), "limit", "Keep Q10 between 1.2 and 3.")

    def stock(T: float) -> Any:
        return 500 / (k * q10 ** ((T - 25) / 10))

    now, later = stock(8.0), stock(12.0)
    expect(np.isclose(now[0], now[1], rtol=0.01), "identity",
           "At 8 °C the two must hold the same carbon, to one per cent.")
    loss = np.sort(now - later)
    expect(loss[1] >= 3 * loss[0], "value", "Their losses under 4 °C of warming must differ at least threefold.")


@exercise(
    "13.4",
    level=1,
    title="What three ranges tell",
    hints=(
        "A stock is input times turnover time. What are logarithms of products?",
        "Between the fullest and the emptiest model ln stock differs by ln of its factor, and input can bring at most "
        "its own. What is left for turnover? And at most?",
        "s, n, t = np.log([stock, inputs, turnover]); least = (s − …) / s; most = … / s.",
    ),
)
def part_of_turnover(answer: Callable[..., Any]) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        n, t = np.exp(rng.uniform(0.3, 1.5, 2))
        s = float(np.exp(rng.uniform(max(np.log(n), np.log(t)) + 0.05, np.log(n * t))))
        found = answer(s, float(n), float(t))
        expect(isinstance(found, (tuple, list)) and len(found) == 2, "shape", "Return two shares: at least, at most.")
        least, most = (float(share) for share in found)
        expect(np.isfinite(least) and np.isfinite(most), "not finite", "A share is NaN or infinite.")
        expect(not (np.isclose(least, 1 - n / s) or np.isclose(most, t / s)), "units",
               "Factors multiply, so their parts do not add: take logarithms first.")
        expect(not np.isclose(most, np.log(t)), "units",
               "A share has no unit of its own: divide by the logarithm of the stocks' factor.")
        expect(least <= most + 1e-12, "sign", "The first is the least share, the second the most.")
        expect(not np.isclose(most, np.log(n) / np.log(s)), "identity",
               "These are the shares of input: the least of turnover is what input cannot bring.")
        expect(np.isclose(most, np.log(t) / np.log(s)), "limit", "Turnover brings at most its own range.")
        expect(np.isclose(least, 1 - np.log(n) / np.log(s)), "limit",
               "What input cannot bring, even with all of its range, turnover must.")
