"""Typical wrong answers of chapter 08, each with the kind of error its check must name."""

import numpy as np

from landcarbon.matrix.spinup import periodic


def solve(keep, bring, *, backwards=False, carry=True, mean=False, sign=1, once=False, start=0):
    """The periodic state with something that can be made wrong."""
    keep, bring = np.roll(keep, -start, axis=0), np.roll(bring, -start, axis=0)
    n = keep.shape[-1]
    if mean:
        return np.linalg.solve(np.eye(n) - keep.mean(axis=0), bring.mean(axis=0))
    Phi, c = np.eye(n), np.zeros(n)
    for k, b in zip(keep, bring):
        Phi = Phi @ k if backwards else k @ Phi
        c = (k @ c if carry else c) + b
    return c if once else np.linalg.solve(sign * (np.eye(n) - Phi), c)


def slow(loop):
    """Rate and carbon of the slowest pool."""
    rate = np.diagonal(np.tensordot(loop.dt, loop.M, axes=1)) / loop.length
    pool = int(np.argmin(rate))
    return rate[pool], periodic(loop).X[pool]


def total(loop, error):
    rate, _ = slow(loop)
    return error * periodic(loop).X.sum() * rate


def fastest(loop, error):
    rate = np.diagonal(np.tensordot(loop.dt, loop.M, axes=1)).max()
    return error * slow(loop)[1] * rate


def looped(keep, bring, step, bring_in=lambda P, k, c, b: k @ c + b, close=lambda n, P: np.eye(n) - P):
    """The state with another product, another way to bring in, or another matrix to solve with."""
    n = keep.shape[-1]
    P, c = np.eye(n), np.zeros(n)
    for k, b in zip(keep, bring):
        P, c = step(P, k), bring_in(P, k, c, b)
    return np.linalg.solve(close(n, P), c)


def entries(keep, bring):
    P, c = np.ones(keep.shape[1:]), np.zeros(keep.shape[-1])
    for k, b in zip(keep, bring):
        P, c = k * P, k @ c + b
    return np.linalg.solve(np.eye(len(c)) - P, c)


WRONG = {
    "08.1": [
        (lambda tau, error: tau * np.log(error), "sign"),
        (lambda tau, error: tau * np.log10(1 / error), "value"),
        (lambda tau, error: tau / error, "limit"),
        (lambda tau, error: np.log(1 / error) / tau, "units"),
        (lambda tau, error: tau * np.log(2) / error**0.5, "value"),
        (lambda tau, error: np.ceil(tau * np.log(1 / error)), "value", "rounded"),
        (lambda tau, error: -tau * np.log(1 - error), "value"),
        (lambda tau, error: tau * np.log2(1 / error), "value"),
        (lambda tau, error: tau * np.log(100 / error), "value"),
        (lambda tau, error: -np.log(error), "units"),
    ],
    "08.2": [
        (lambda k, b: solve(k, b, backwards=True), "transposed"),
        (lambda k, b: solve(k[::-1], b[::-1]), "transposed"),
        (lambda k, b: solve(k, b, carry=False), "mass balance"),
        (lambda k, b: solve(k, b, mean=True), "identity"),
        (lambda k, b: solve(k, b, sign=-1), "sign"),
        (lambda k, b: solve(k, b, once=True), "incomplete"),
        (lambda k, b: solve(k, b, start=1), "off by one"),
        (lambda k, b: solve(k, b)[0], "shape"),
        (entries, "identity", "entry by entry"),
        (lambda k, b: looped(k, b, lambda P, s: s @ P, lambda P, s, c, u: c + P @ u), "off by one", "come after"),
        (lambda k, b: solve(k.transpose(0, 2, 1), b), "transposed", "row i"),
        (lambda k, b: looped(k, b, lambda P, s: s @ P, close=lambda n, P: 1 - P) if len(b) > 1 else solve(k, b),
         "identity", "np.eye"),
        (lambda k, b: looped(k, b, lambda P, s: s @ P, close=lambda n, P: np.eye(n) + P), "identity"),
    ],
    "08.3": [
        (lambda loop, error: error * slow(loop)[1], "units"),
        (lambda loop, error: error * slow(loop)[1] / slow(loop)[0], "units"),
        (lambda loop, error: error, "limit"),
        (total, "limit"),
        (fastest, "limit"),
        (lambda loop, error: -error, "sign"),
        (lambda loop, error: 1e-3, "limit", "longer than it had to"),
        (lambda loop, error: error * periodic(loop).X.max() * slow(loop)[0], "limit", "slowest"),
        (lambda loop, error: error * periodic(loop).X * slow(loop)[0], "shape"),
        (lambda loop, error: error * slow(loop)[0], "limit"),
        (lambda loop, error: error * slow(loop)[1] * slow(loop)[0] / np.log(10), "limit"),
    ],
}
