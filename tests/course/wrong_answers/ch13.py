"""Typical wrong answers of chapter 13, each with the kind of error its check must name."""

import numpy as np


def rebuild(npp, X, R, gain_sign=1, stock=None):
    middle = (X[1:] + X[:-1]) / 2 if stock is None else stock(X)
    leaves, enters = [], npp
    for j in range(X.shape[1]):
        leaves.append(enters - gain_sign * np.diff(X[:, j]))
        enters = leaves[-1] - R[:, j]
    out = np.stack(leaves, axis=1)
    return out / middle, 1 - R[:, :-1] / out[:, :-1]


WRONG = {
    "13.1": [
        (lambda m, r: np.exp(-np.abs(m.mean(-1) - r.mean(-1))).mean(), "units"),
        (lambda m, r: np.exp(-(m.mean(-1) - r.mean(-1)) / r.std(-1)).mean(), "sign"),
        (lambda m, r: np.exp(-abs((m.mean(-1) - r.mean(-1)).mean()) / r.std(-1).mean()), "identity"),
        (lambda m, r: np.abs(m - r).mean(), "limit"),
        (lambda m, r: (1 - np.abs(m.mean(-1) - r.mean(-1)) / r.std(-1)).mean(), "value", "exp(−1)"),
        (lambda m, r: np.exp(-np.abs(m - r).mean(-1) / r.std(-1)).mean(), "identity", "cancel"),
        (lambda m, r: np.exp(-np.abs((m - r).mean(-1)) / r.std(-1, ddof=1)).mean(), "value", "n − 1"),
        (lambda m, r: np.exp(-abs(m.mean() - r.mean()) / r.std()), "identity", "each place"),
    ],
    "13.2": [
        (lambda n, X, R: rebuild(n, X, R, gain_sign=-1), "sign"),
        (lambda n, X, R: rebuild(n, X, R, gain_sign=0), "mass balance"),
        (lambda n, X, R: rebuild(n, X, R, stock=lambda x: x[:-1]), "off by one"),
        (lambda n, X, R: rebuild(n, X, R, stock=lambda x: x[1:]), "off by one"),
        (lambda n, X, R: (rebuild(n, X, R)[0], 1 - rebuild(n, X, R)[1]), "identity"),
    ],
    "13.3": [
        (lambda: ((0.05, 1.5), (0.05, 1.5)), "value"),
        (lambda: ((0.05, 1.3), (0.05, 2.8)), "identity"),
        (lambda: ((0.05, 1.0), (0.05, 4.0)), "limit"),
        (lambda: ((-0.05, 1.5), (0.05, 2.5)), "sign"),
        (lambda: (1.5, 2.5), "shape"),
    ],
    "13.4": [
        (lambda s, n, t: (1 - n / s, t / s), "units", "logarithms first"),
        (lambda s, n, t: (np.log(s) - np.log(n), np.log(t)), "units", "no unit"),
        (lambda s, n, t: (np.log(t) / np.log(s), 1 - np.log(n) / np.log(s)), "sign"),
        (lambda s, n, t: (1 - np.log(t) / np.log(s), np.log(n) / np.log(s)), "identity"),
        (lambda s, n, t: (0.0, np.log(t) / np.log(s)), "limit"),
    ],
}
