"""Typical wrong answers of chapter 05, each with the kind of error its check must name."""

import numpy as np


def eig(M):
    return np.linalg.eigvals(M).real


def distance(X, Y):
    return np.abs(X - Y).sum(axis=1)


def late(t, d):
    return np.polyfit(t[t > 0.6 * t[-1]], d[t > 0.6 * t[-1]], 1)[0]


def burn(I, k, rate, severity, years, rng, *, keep=None, mean=True, clock=False):
    X, total = I / k, 0.0
    keep = 1 - severity if keep is None else keep
    for year in range(years):
        X = I / k + (X - I / k) * np.exp(-k)
        chance = (year % max(round(1 / rate), 1) == 0) if clock and rate else rng.random() < rate
        if chance:
            X = X * keep
        total += X
    return total / years if mean else X


def own_chance(I, k, rate, severity, years, rng):
    return burn(I, k, rate, severity, years, np.random.default_rng())


def own_seed(I, k, rate, severity, years, rng):
    return burn(I, k, rate, severity, years, np.random.default_rng(0))


WRONG = {
    "05.1": [
        (lambda M: eig(M).min(), "units"),
        (lambda M: 1 / eig(M).max(), "limit"),
        (lambda M: 1 / np.diag(M).min(), "identity"),
        (lambda M: 1 / eig(M), "shape"),
        (lambda M: -1 / eig(M).min(), "sign"),
        (lambda M: np.log(2) / eig(M).min(), "units"),
        (lambda M: float(np.linalg.inv(M).sum()), "value"),
        (lambda M: np.linalg.eig(M), "shape", "two things"),
        (lambda M: np.linalg.inv(M).sum(axis=0).max(), "identity", "mean stay"),
        (lambda M: 0.37 / eig(M).min(), "value", "69.1% of the slowest"),
        (lambda M: 1 / np.trace(M), "value"),
        (lambda M: 1 / np.linalg.eigvals(-M).max(), "sign"),
    ],
    "05.2": [
        (lambda t, X, Y: late(t, np.log(distance(X, Y))), "sign"),
        (lambda t, X, Y: -1 / late(t, np.log(distance(X, Y))), "units"),
        (lambda t, X, Y: -late(t, np.log10(distance(X, Y))), "units"),
        (lambda t, X, Y: -np.diff(np.log(distance(X, Y)))[-100:].mean(), "units"),
        (lambda t, X, Y: -np.polyfit(t, np.log(distance(X, Y)), 1)[0], "limit"),
        (lambda t, X, Y: -np.log(distance(X, Y)[1] / distance(X, Y)[0]) / (t[1] - t[0]), "limit"),
        (lambda t, X, Y: -np.polyfit(t[:200], np.log(Y.sum(axis=1))[:200], 1)[0], "identity"),
        (lambda t, X, Y: -np.polyfit(t[:200], np.log(distance(X, Y))[:200], 1)[0], "value"),
        (lambda t, X, Y: 0.0, "sign"),
        (lambda t, X, Y: -late(t, np.log(X.sum(axis=1))), "identity", "one run by itself"),
        (lambda t, X, Y: -np.polyfit(t, np.log(Y.sum(axis=1)), 1)[0], "identity", "one run by itself"),
        (lambda t, X, Y: -late(t, np.log2(distance(X, Y))), "units", "base 2"),
        (lambda t, X, Y: -np.log(distance(X, Y)[-1]) / t[-1], "incomplete", "last distance by itself"),
        (lambda t, X, Y: -late(t, np.log((X - Y).sum(axis=1))), "not finite", "or of less"),
        (lambda t, X, Y: -late(t, distance(X, Y)), "identity", "that of the logarithm"),
        (lambda t, X, Y: np.polyfit(t, np.log(distance(X, Y)), 1), "shape"),
    ],
    "05.3": [
        (lambda I, k, rate, s, years, rng: burn(I, k, rate, s, years, rng, keep=s), "limit"),
        (lambda I, k, rate, s, years, rng: burn(I, k, rate, s, years, rng, keep=1.0), "incomplete"),
        (lambda I, k, rate, s, years, rng: burn(I, k, rate, s, years, rng, mean=False), "incomplete"),
        (lambda I, k, rate, s, years, rng: burn(I, k, rate, s, years, rng, clock=True), "choice"),
        (lambda I, k, rate, s, years, rng: I / (k + rate * s), "seed"),
        (own_chance, "seed"),
        (own_seed, "seed"),
        (lambda I, k, rate, s, years, rng: burn(I, k, 3 * rate, s, years, rng), "value"),
        (lambda I, k, rate, s, years, rng: years * burn(I, k, rate, s, years, rng), "incomplete", "the sum over"),
        (lambda I, k, rate, s, years, rng: burn(I, k, 1 / rate if rate else 0, s, years, rng), "units", "every year"),
        (lambda I, k, rate, s, years, rng: burn(I, k, 1 - rate, s, years, rng), "limit", "at rate 0"),
        (lambda I, k, rate, s, years, rng: [burn(I, k, rate, s, years, rng)] * 3, "shape"),
        (lambda I, k, rate, s, years, rng: burn(I, k, rate, s, years, rng, keep=0.0), "limit", "severity 0"),
    ],
}
