"""Typical wrong answers of chapter 10, each with the kind of error its check must name."""

import numpy as np
from scipy.linalg import expm
from scipy.optimize import least_squares

from landcarbon.course.exercises.ch10 import forms


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


def built(change):
    """The right K and A, changed."""
    return lambda n, moves, losses: change(*build(n, moves, losses))


def while_adding(n, moves, losses):
    """Divides by a K that is not complete yet."""
    K, A = np.array(losses, dtype=float), np.eye(n)
    for source, target, rate in moves:
        K[source] += rate
        A[target, source] = -rate / K[source]
    return K, A


def stepped(M, m, n, solve):
    for _ in range(n):
        m = solve(M, m)
    return m


def fitted(residual):
    """Least squares in ln(rate) on some residual of model and data."""
    return lambda ages, data: np.exp(
        least_squares(lambda z: residual(forms(np.exp(z), ages), data).ravel(), np.log([1e-3, 1e-4, 1e-6])).x
    )


WRONG = {
    "10.1": [
        (lambda n, moves, losses: build(n, moves, losses, with_loss=False), "mass balance"),
        (lambda n, moves, losses: build(n, moves, losses, sign=1), "sign"),
        (lambda n, moves, losses: build(n, moves, losses, transpose=True), "transposed"),
        (lambda n, moves, losses: (build(n, moves, losses)[0], build(n, moves, losses)[1] - np.eye(n)), "identity"),
        (lambda n, moves, losses: build(n, moves, losses)[::-1], "shape"),
        (built(lambda K, A: (K, np.eye(len(K)) + (A - np.eye(len(K))) * K)), "units", "shares"),
        (built(lambda K, A: (K, A.astype(int))), "value", "floats"),
        (while_adding, "off by one", "complete"),
        (built(lambda K, A: (np.diag(K), A)), "shape"),
        (built(lambda K, A: (K, A * K)), "identity"),
    ],
    "10.2": [
        (lambda M, m, h, n: steps(M, m, h, n, explicit=True), "limit"),
        (lambda M, m, h, n: steps(M, m, h, n, sign=-1), "sign"),
        (lambda M, m, h, n: steps(M, m, h, n - 1), "off by one"),
        (lambda M, m, h, n: steps(M, m, h, 1), "off by one"),
        (lambda M, m, h, n: steps(M.T, m, h, n), "transposed"),
        (lambda M, m, h, n: [steps(M, m, h, k) for k in range(n)], "shape"),
        (lambda M, m, h, n: steps(M, m, h * n, 1), "off by one", "all the years"),
        (lambda M, m, h, n: steps(M, m, h, n + 1), "off by one", "too many"),
        (lambda M, m, h, n: steps(M, m, 1.0, n), "units", "h is missing"),
        (lambda M, m, h, n: steps(M, m, h / n, n), "units", "divide"),
        (lambda M, m, h, n: stepped(M, m, n, lambda M, m: np.linalg.solve(1 + h * M, m)), "identity", "np.eye"),
        (lambda M, m, h, n: expm(-n * h * M) @ m, "identity", "exact"),
    ],
    "10.3": [
        (lambda ages, data: [1e-3, 1e-4, 1e-6], "value"),
        (lambda ages, data: [4e-4, 2.5e-4, 6e-7], "identity"),
        (lambda ages, data: [4e-4, -2.5e-4, 6e-7], "sign"),
        (lambda ages, data: np.log([4e-4, 2.5e-4, 6e-7]), "sign", "logarithms"),
        (lambda ages, data: [6e-7, 2.5e-4, 4e-4], "transposed", "in this order"),
        (fitted(lambda model, data: model - data), "value", "logarithms"),
        (fitted(lambda model, data: (model - data)[-1:]), "value", "logarithms"),
        (lambda ages, data: [4e-4, 2.5e-4], "shape"),
        (lambda ages, data: 1 / np.array([4e-4, 2.5e-4, 6e-7]), "transposed"),
        (lambda ages, data: 365 * fitted(lambda m, d: np.log((m + 0.1) / (d + 0.1)))(ages, data), "value"),
    ],
}
