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


WRONG = {
    "08.1": [
        (lambda tau, error: tau * np.log(error), "sign"),
        (lambda tau, error: tau * np.log10(1 / error), "value"),
        (lambda tau, error: tau / error, "limit"),
        (lambda tau, error: np.log(1 / error) / tau, "units"),
        (lambda tau, error: tau * np.log(2) / error**0.5, "value"),
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
    ],
    "08.3": [
        (lambda loop, error: error * slow(loop)[1], "units"),
        (lambda loop, error: error * slow(loop)[1] / slow(loop)[0], "units"),
        (lambda loop, error: error, "limit"),
        (total, "limit"),
        (fastest, "limit"),
        (lambda loop, error: -error, "sign"),
    ],
}
