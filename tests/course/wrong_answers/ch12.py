"""Typical wrong answers of chapter 12, each with the kind of error its check must name."""

import numpy as np

from landcarbon.theory.traceability import COMPONENTS, standardise


def decompose(A, K, B, I, xi):
    n = len(K)
    tau = [np.linalg.solve(A * k, B / B.sum()).sum() for k in (np.ones(n) * K, xi * K)]
    return I * B.sum(), tau[0], tau[0] / tau[1]


def mean_scalar(A, K, B, I, xi):
    npp, baseline, _ = decompose(A, K, B, I, xi)
    return npp, baseline, xi.mean()


def baseline_with_xi(A, K, B, I, xi):
    npp, baseline, scalar = decompose(A, K, B, I, xi)
    return npp, baseline / scalar, 1.0


def all_of_it(A, K, B, I, xi):
    _, baseline, scalar = decompose(A, K, B, I, xi)
    return I, baseline, scalar


def upside_down(A, K, B, I, xi):
    npp, baseline, scalar = decompose(A, K, B, I, xi)
    return npp, baseline, 1 / scalar


def in_their_order(models):
    names = list(COMPONENTS)
    spread = [np.std(np.log(standardise(models, names[:k]).storage)) for k in range(6)]
    return names, spread


def by_asking(step, n):
    u = np.asarray(step(np.zeros(n)))
    return u, np.stack([u - step(e) for e in np.eye(n)], axis=1)


def one_too_many(step, n):
    step(np.ones(n))
    return by_asking(step, n)


def input_left_in(step, n):
    return by_asking(step, n)[0], np.stack([-step(e) for e in np.eye(n)], axis=1)


WRONG = {
    "12.1": [
        (lambda npp, stocks: (npp, npp / stocks.sum(axis=1)), "units"),
        (lambda npp, stocks: (npp, stocks[:, 0] / npp), "identity"),
        (lambda npp, stocks: stocks.sum() / npp, "shape"),
    ],
    "12.2": [
        (mean_scalar, "identity"),
        (baseline_with_xi, "identity"),
        (upside_down, "limit"),
        (all_of_it, "mass balance"),
    ],
    "12.3": [
        (in_their_order, "value"),
        (lambda m: (list(COMPONENTS), [np.std(standardise(m, COMPONENTS[:k]).storage) for k in range(6)]), "units"),
        (lambda m: (["npp"], [0.0]), "incomplete"),
    ],
    "12.4": [
        (lambda step, n: (by_asking(step, n)[0], -by_asking(step, n)[1]), "sign"),
        (lambda step, n: (step(np.zeros(n)), np.stack([step(np.zeros(n)) - step(e) for e in np.eye(n)])), "identity"),
        (input_left_in, "mass balance"),
        (one_too_many, "value"),
        (lambda step, n: by_asking(step, n)[1], "shape"),
    ],
}
