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


def one_by_one(models):
    """Each component standardised by itself, not together with those before."""
    names = list(COMPONENTS)
    alone = [np.std(np.log(standardise(models, [k]).storage)) for k in names]
    return names, [np.std(np.log(models.storage)), *alone]


WRONG = {
    "12.1": [
        (lambda npp, stocks: (npp, npp / stocks.sum(axis=1)), "units"),
        (lambda npp, stocks: (npp, stocks[:, 0] / npp), "identity"),
        (lambda npp, stocks: stocks.sum() / npp, "shape"),
        (lambda npp, stocks: (npp, stocks.mean(axis=1) / npp), "identity", "summed"),
        (lambda npp, stocks: (stocks.sum(axis=1) / npp, npp), "transposed", "input first"),
    ],
    "12.2": [
        (mean_scalar, "identity"),
        (baseline_with_xi, "identity"),
        (upside_down, "limit"),
        (all_of_it, "mass balance"),
        (lambda A, K, B, I, xi: decompose(A.T, K, B, I, xi), "identity"),
    ],
    "12.3": [
        (in_their_order, "value"),
        (lambda m: (list(COMPONENTS), [np.std(standardise(m, COMPONENTS[:k]).storage) for k in range(6)]), "units"),
        (lambda m: (["npp"], [0.0]), "incomplete"),
        (lambda m: (list(COMPONENTS), in_their_order(m)[1][1:]), "shape", "six"),
        (one_by_one, "limit"),
    ],
    "12.4": [
        (lambda step, n: (by_asking(step, n)[0], -by_asking(step, n)[1]), "sign"),
        (lambda step, n: (step(np.zeros(n)), np.stack([step(np.zeros(n)) - step(e) for e in np.eye(n)])), "identity"),
        (input_left_in, "mass balance"),
        (one_too_many, "value"),
        (lambda step, n: by_asking(step, n)[1], "shape"),
    ],
}
