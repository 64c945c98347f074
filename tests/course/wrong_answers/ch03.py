"""Typical wrong answers of chapter 03, each with the kind of error its check must name."""

import numpy as np


def fill(pools, arrows, *, diagonal=1.0, sign=-1.0, transposed=False, skip=0):
    A = diagonal * np.eye(len(pools))
    for source, target, fraction in arrows[skip:]:
        i, j = pools.index(target), pools.index(source)
        i, j = (j, i) if transposed else (i, j)
        A[i, j] = sign * fraction
    return A


def respired(pools, arrows):
    """The fraction that is respired where the fraction that is passed on belongs."""
    return fill(pools, [(source, target, 1 - fraction) for source, target, fraction in arrows])


def in_place(X, I, B, f, k, xi):
    X += I * B - (np.eye(len(X)) - f) @ (xi * k * X)
    return X


def one_after_the_other(X, I, B, f, k, xi):
    """Each pool hands on from what it has become, not from what it was."""
    new = np.array(X)
    new += I * B
    for j in range(len(X)):
        leaves = xi[j] * k[j] * new[j]
        new[j] -= leaves
        new += f[:, j] * leaves
    return new - X


def ring(n, f):
    A = np.eye(n)
    for j in range(n):
        A[(j + 1) % n, j] = -f
    return A, np.ones(n)


def open_system(n, rng):
    f = rng.uniform(size=(n, n)) * (1 - np.eye(n))
    f *= rng.uniform(0.2, 0.9, size=n) / f.sum(axis=0)
    return np.eye(n) - f, 10.0 ** rng.uniform(-3, 1, n)


def closed_system(n, rng):
    A, K = open_system(n, rng)
    f = np.eye(n) - A
    return np.eye(n) - f / f.sum(axis=0), K


def greedy_system(n, rng):
    f = rng.uniform(0, 1, size=(n, n)) * (1 - np.eye(n))
    return np.eye(n) - f, 10.0 ** rng.uniform(-3, 1, n)


def chain_system(n, rng):
    A, K = open_system(n, rng)
    return np.tril(A), K


def own_generator(n, rng):
    return open_system(n, np.random.default_rng(5))


def like_rates(n, rng):
    A, _ = open_system(n, rng)
    return A, rng.uniform(0.5, 1.5, n)


def two_pools():
    return np.array([[1, -0.9], [-0.9, 1]]), np.ones(2)


def whole_numbers(pools, arrows):
    A = np.eye(len(pools), dtype=int)
    for source, target, fraction in arrows:
        A[pools.index(target), pools.index(source)] = -fraction
    return A


def by_name(pools, arrows):
    A = np.eye(len(pools))
    for source, target, fraction in arrows:
        A[target, source] = -fraction
    return A


def last_forgotten(X, I, B, f, k, xi):
    dX = I * B - (np.eye(len(X)) - f) @ (xi * k * X)
    dX[-1] = 0.0
    return dX


def lost_twice(X, I, B, f, k, xi):
    leaves = xi * k * X
    return I * B + f @ leaves - leaves - f.sum(axis=0) * leaves


WRONG = {
    "03.1": [
        (lambda pools, arrows: fill(pools, arrows, diagonal=0.0), "identity"),
        (lambda pools, arrows: fill(pools, arrows, diagonal=-1.0, sign=1.0), "identity"),
        (lambda pools, arrows: fill(pools, arrows, sign=1.0), "sign"),
        (lambda pools, arrows: fill(pools, arrows, transposed=True), "transposed"),
        (lambda pools, arrows: fill(pools, arrows, skip=1), "incomplete", "shoot → litter"),
        (whole_numbers, "value", "whole numbers"),
        (respired, "mass balance"),
        (by_name, "stopped", "pools.index"),
        (lambda pools, arrows: 2 * fill(pools, arrows), "identity"),
    ],
    "03.2": [
        (lambda X, I, B, f, k, xi: I * B - (np.eye(len(X)) - f) @ (k * X), "limit"),
        (lambda X, I, B, f, k, xi: I * B - (np.eye(len(X)) - f.T) @ (xi * k * X), "transposed"),
        (
            lambda X, I, B, f, k, xi: I * B + f.sum(axis=1) * xi * k * X - xi * k * X,
            "identity",
        ),
        (lambda X, I, B, f, k, xi: I * B + f @ (xi * k * X), "mass balance"),
        (lambda X, I, B, f, k, xi: I * B - xi * k * X, "mass balance", "Nothing arrives"),
        (lambda X, I, B, f, k, xi: I - (np.eye(len(X)) - f) @ (xi * k * X), "incomplete", "each pool"),
        (lambda X, I, B, f, k, xi: B - (np.eye(len(X)) - f) @ (xi * k * X), "incomplete", "B alone"),
        (lambda X, I, B, f, k, xi: -(np.eye(len(X)) - f) @ (xi * k * X), "incomplete", "Nothing enters"),
        (lost_twice, "mass balance", "subtracted twice"),
        (in_place, "value"),
        (one_after_the_other, "mass balance"),
        (lambda X, I, B, f, k, xi: I * B + xi * (f @ (k * X)) - xi * k * X, "identity", "ξ of the pool that"),
        (last_forgotten, "off by one", "all pools"),
        (lambda X, I, B, f, k, xi: X + I * B - (np.eye(len(X)) - f) @ (xi * k * X), "identity", "the new carbon"),
        (lambda X, I, B, f, k, xi: I * B + f @ (xi * k * X) - xi * k, "units", "a rate, per year"),
        (lambda X, I, B, f, k, xi: I * B + f @ (xi * k * X) - (1 - f.sum(0)) * xi * k * X, "mass balance",
         "Only what is respired"),
        (lambda X, I, B, f, k, xi: len(X) * I * B - (np.eye(len(X)) - f) @ (xi * k * X), "mass balance",
         "once for each arrow"),
        (lambda X, I, B, f, k, xi: I * B - (np.eye(len(X)) - np.tril(f)) @ (xi * k * X), "incomplete",
         "one of the two"),
        (lambda X, I, B, f, k, xi: (I * B - (np.eye(len(X)) - f) @ (xi * k * X)).astype(int), "value", "whole numbers"),
        (lambda X, I, B, f, k, xi: (I * B - (np.eye(len(X)) - f) @ (xi * k * X)).sum(), "shape"),
    ],
    "03.3": [
        (closed_system, "limit"),
        (greedy_system, "mass balance"),
        (chain_system, "incomplete"),
        (own_generator, "seed"),
        (like_rates, "incomplete"),
        (lambda n, rng: open_system(4, rng), "shape", "for any n"),
        (lambda n, rng: open_system(n, np.random), "seed"),
        (lambda n, rng: (np.eye(n) - open_system(n, rng)[0], np.ones(n)), "identity"),
    ],
    "03.4": [
        (two_pools, "choice"),
        (lambda: ring(3, 0.5), "limit"),
        (lambda: ring(3, 1.0), "limit"),
        (lambda: ring(3, 1.2), "mass balance"),
        (lambda: (ring(3, 0.9)[0], -np.ones(3)), "sign"),
        (lambda: (ring(6, 0.95)[0], 1.0), "shape", "one rate for each pool"),
        (lambda: (ring(4, 0.95)[0], np.array([10, 1, 0.1, 0.01])), "choice", "far apart"),
        (lambda: (2 * np.eye(3) - ring(3, 0.9)[0], np.ones(3)), "mass balance", "minus sign"),
    ],
}
