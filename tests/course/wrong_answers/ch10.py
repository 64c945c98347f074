"""Typical wrong answers of chapter 10, each with the kind of error its check must name."""

import numpy as np


def build(n, moves, losses, with_loss=True, sign=-1, transpose=False):
    K = np.array(losses, dtype=float) * with_loss
    for source, _, rate in moves:
        K[source] += rate
    A = np.eye(n)
    for source, target, rate in moves:
        A[target, source] = sign * rate / K[source]
    return K, A.T if transpose else A


def steps(M, m, h, n, sign=1, explicit=False):
    for _ in range(n):
        m = m - h * M @ m if explicit else np.linalg.solve(np.eye(len(m)) + sign * h * M, m)
    return m


WRONG = {
    "10.1": [
        (lambda n, moves, losses: build(n, moves, losses, with_loss=False), "mass balance"),
        (lambda n, moves, losses: build(n, moves, losses, sign=1), "sign"),
        (lambda n, moves, losses: build(n, moves, losses, transpose=True), "transposed"),
        (lambda n, moves, losses: (build(n, moves, losses)[0], build(n, moves, losses)[1] - np.eye(n)), "identity"),
        (lambda n, moves, losses: build(n, moves, losses)[::-1], "shape"),
    ],
    "10.2": [
        (lambda M, m, h, n: steps(M, m, h, n, explicit=True), "limit"),
        (lambda M, m, h, n: steps(M, m, h, n, sign=-1), "sign"),
        (lambda M, m, h, n: steps(M, m, h, n - 1), "off by one"),
        (lambda M, m, h, n: steps(M, m, h, 1), "off by one"),
        (lambda M, m, h, n: steps(M.T, m, h, n), "transposed"),
        (lambda M, m, h, n: [steps(M, m, h, k) for k in range(n)], "shape"),
    ],
    "10.3": [
        (lambda ages, data: [1e-3, 1e-4, 1e-6], "value"),
        (lambda ages, data: [4e-4, 2.5e-4, 6e-7], "identity"),
        (lambda ages, data: [4e-4, -2.5e-4, 6e-7], "sign"),
        (lambda ages, data: np.log([4e-4, 2.5e-4, 6e-7]), "sign", "logarithms"),
        (lambda ages, data: [6e-7, 2.5e-4, 4e-4], "transposed", "in this order"),
    ],
}
