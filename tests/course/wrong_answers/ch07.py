"""Typical wrong answers of chapter 07, each with the kind of error its check must name."""

import numpy as np

from landcarbon.course.exercises.ch07 import CLAIMS
from landcarbon.models.teco import temperature_scalar

RATE = np.array([0.00258, 0.0000586, 0.00239, 0.0109, 0.00095, 0.0105, 0.0000995, 0.0000115])


def day(X, gpp, xi, *, rate=RATE, shares=(0.14, 0.14, 0.26), to=None, use_xi=True, sign=-1, stepwise=False):
    """One day of TECO with something that can be made wrong."""
    f = np.zeros((8, 8))
    f[3, 0], f[4, 0], f[4, 1], f[3, 2], f[4, 2] = 0.9, 0.1, 1.0, 0.2, 0.8
    f[5, 3], f[5, 4], f[6, 4], f[6, 5], f[7, 5] = 0.45, 0.275, 0.275, 0.296, 0.004
    f[5, 6], f[7, 6], f[5, 7] = 0.42, 0.01, 0.45
    for (i, j), value in (to or {}).items():
        f[i, j] = value
    scalar = xi if use_xi else np.ones(8)
    new = np.array(X, dtype=float)
    new[:3] += np.array(shares) * gpp
    for j in range(8):
        out = scalar[j] * rate[j] * (new if stepwise else X)[j]
        new += f[:, j] * out
        new[j] += sign * out
    return new


def closed(X, gpp, xi):
    """Nothing is respired: the rest of each column goes to the next soil pool."""
    return day(X, gpp, xi, to={(5, 3): 1.0, (5, 4): 0.725, (6, 5): 0.996, (5, 6): 0.99, (5, 7): 1.0})


def rothc_month(X, F, K, xi, p):
    decayed = (1 - np.exp(-xi * K / 12)) * X
    return X - decayed + F @ decayed + p


def scalar_of_the_receiver(X, gpp, xi):
    """Each flux is slowed by the xi of the pool it enters."""
    one = np.ones(8)
    gained = np.zeros(8)
    for j in range(8):
        single = np.where(np.arange(8) == j, X, 0.0)
        moved = day(single, 0, one) - single
        moved[j] = 0.0
        gained += xi * moved
    out = xi * RATE * np.asarray(X)
    return X + day(0 * np.asarray(X), gpp, one) - out + gained


def decays_twice(X, F, K, xi, p):
    left = np.exp(-xi * K / 12)
    return left * (X + F @ ((1 - left) * X)) + p


WRONG = {
    "07.1": [
        (lambda T, q10, reference: q10 ** ((reference - T) / 10), "sign"),
        (lambda T, q10, reference: q10 ** (T - reference), "units"),
        (lambda T, q10, reference: q10 ** (T / 10), "limit"),
        (lambda T, q10, reference: 1 + (q10 - 1) * (T - reference) / 10, "value"),
        (lambda T, q10, reference: float(q10 ** ((np.mean(T) - reference) / 10)), "shape"),
        (lambda T, q10, reference: q10 ** ((T - reference) // 10), "value", "`//`"),
        (lambda T, q10, reference: 2.0 ** ((T - reference) / 10), "incomplete", "not used"),
        (lambda T, q10, reference: q10 ** ((T - reference) * 10), "units", "divide by ten"),
        (lambda T, q10, reference: np.exp(q10 * (T - reference) / 10), "identity", "base"),
        (lambda T, q10, reference: q10 ** ((T - 25) / 10), "limit"),
    ],
    "07.2": [
        (lambda X, gpp, xi: day(X, gpp, xi, rate=365 * RATE), "units"),
        (lambda X, gpp, xi: day(X, gpp, xi, sign=1), "sign"),
        (lambda X, gpp, xi: day(X, gpp, xi, shares=(0.14, 0.26, 0.14)), "transposed"),
        (lambda X, gpp, xi: day(X, gpp, xi, shares=(0.26, 0.26, 0.48)), "mass balance"),
        (lambda X, gpp, xi: day(X, gpp, xi, to={(4, 1): 0.0}), "mass balance"),
        (closed, "mass balance"),
        (lambda X, gpp, xi: day(X, gpp, xi, to={(3, 2): 0.8, (4, 2): 0.2}), "transposed"),
        (lambda X, gpp, xi: day(X, gpp, xi, use_xi=False), "identity"),
        (lambda X, gpp, xi: day(X, gpp, xi, stepwise=True), "off by one"),
        (lambda X, gpp, xi: day(X, gpp, xi)[:3], "shape"),
        (lambda X, gpp, xi: day(X, gpp, xi) - X, "incomplete", "next morning"),
        (lambda X, gpp, xi: day(X, gpp / 365, xi), "units", "per day already"),
        (lambda X, gpp, xi: day(X, 0.54 * gpp, xi), "mass balance", "taken twice"),
        (lambda X, gpp, xi: day(X, gpp, xi, to={(5, 6): 0.0}), "mass balance", "look at fast soil"),
        (scalar_of_the_receiver, "identity", "the pool they leave"),
    ],
    "07.3": [
        (lambda h, q10: temperature_scalar(h.reshape(-1, 24).mean(axis=1), q10), "identity"),
        (lambda h, q10: temperature_scalar(h.reshape(-1, 24), q10).sum(axis=1), "units"),
        (lambda h, q10: temperature_scalar(h, q10), "shape"),
        (lambda h, q10: temperature_scalar(h.reshape(24, -1), q10).mean(axis=0), "incomplete"),
        (
            lambda h, q10: temperature_scalar(
                np.stack([h.reshape(-1, 24).min(axis=1), h.reshape(-1, 24).max(axis=1)]), q10
            ).mean(axis=0),
            "value",
        ),
        (lambda h, q10: np.median(temperature_scalar(h.reshape(-1, 24), q10), axis=1), "value", "median"),
        (lambda h, q10: temperature_scalar(h.reshape(-1, 24)[:, 12], q10), "value", "one hour"),
        (lambda h, q10: np.full(len(h) // 24, temperature_scalar(h, q10).mean()), "incomplete", "day by day"),
        (lambda h, q10: temperature_scalar(h.reshape(-1, 24), q10).prod(axis=1), "limit"),
        (lambda h, q10: temperature_scalar(h, q10).mean(), "shape"),
    ],
    "07.4": [
        (lambda: {"mean carbon": True}, "incomplete"),
        (
            lambda: {
                "mean carbon": True,
                "yearly respiration": True,
                "seasonal swing": True,
                "shares of the pools": True,
            },
            "identity",
        ),
        (
            lambda: {
                "mean carbon": False,
                "yearly respiration": False,
                "seasonal swing": False,
                "shares of the pools": False,
            },
            "identity",
        ),
        (lambda: True, "shape"),
        (lambda: {"mean carbon": True}, "incomplete"),
        (lambda: dict.fromkeys(CLAIMS, 0.01), "shape"),
        (lambda: {"storage": True, "respiration": True, "season": False, "shares": True}, "incomplete"),
        (lambda: [True, True, False, True], "shape"),
    ],
    "07.5": [
        (lambda X, F, K, xi, p: rothc_month(X, F, 12 * K, xi, p), "units"),
        (lambda X, F, K, xi, p: rothc_month(X, F.T, K, xi, p), "transposed"),
        (lambda X, F, K, xi, p: rothc_month(X, 0 * F, K, xi, p), "mass balance"),
        (lambda X, F, K, xi, p: X + p - (np.eye(3) - F) @ (xi * K / 12 * X), "value"),
        (lambda X, F, K, xi, p: rothc_month(X + p, F, K, xi, 0 * p), "off by one"),
        (lambda X, F, K, xi, p: rothc_month(X, F, K, 1.0, p), "identity"),
        (lambda X, F, K, xi, p: rothc_month(X, F, K, xi, p).sum(), "shape"),
        (lambda X, F, K, xi, p: rothc_month(X, F, K, xi, p / 12), "units", "twelve"),
        (lambda X, F, K, xi, p: rothc_month(X, F, K, xi, 0 * p), "incomplete", "input"),
        (lambda X, F, K, xi, p: F @ ((1 - np.exp(-xi * K / 12)) * X) + p, "incomplete", "did not decay"),
        (lambda X, F, K, xi, p: rothc_month(X, F, 12 / 365 * K, xi, p), "units", "a day"),
        (decays_twice, "off by one", "once more"),
    ],
}
