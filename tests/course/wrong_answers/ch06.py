"""Typical wrong answers of chapter 06, each with the kind of error its check must name."""

import numpy as np
from scipy.linalg import expm


def _means(M, u):
    X = np.linalg.solve(M, u)
    return X.sum() / u.sum(), np.linalg.solve(M, X).sum() / X.sum()


def _density(M, u, a):
    return np.array([M.sum(axis=0) @ expm(-M * x) @ u for x in a]) / u.sum()


def _ton_years(M, start, horizon):
    return np.linalg.solve(M, start - expm(-M * horizon) @ start).sum()


def _ranking(options, horizon):
    return sorted(options, key=lambda name: _ton_years(*options[name], horizon), reverse=True)


def _yearly(M, start, horizon):
    return sum((expm(-M * t) @ start).sum() for t in range(int(min(horizon, 20000))))


def _own(rates, start):
    return lambda: (np.diag(rates), np.array(start))


def _trapezoid(M, start, horizon):
    t = np.linspace(0, horizon, 1001)
    left = np.array([(expm(-M * x) @ start).sum() for x in t])
    return ((left[1:] + left[:-1]) / 2 * np.diff(t)).sum()


OPTIONS = {"wood": (np.array([[0.0214]]), np.array([1.0])), "litter": (np.array([[0.2]]), np.array([1.0]))}
FIFTH = _own([1.0, 2e-4], [0.9, 0.1])

WRONG = {
    "06.1": [
        (lambda M, u: _means(M, u)[::-1], "identity"),
        (lambda M, u: (np.linalg.solve(M, u).sum(), _means(M, u)[1]), "limit"),
        (lambda M, u: (u.sum() / np.linalg.solve(M, u).sum(), _means(M, u)[1]), "units"),
        (lambda M, u: (np.linalg.solve(M.T, u).sum() / u.sum(), _means(M, u)[1]), "transposed"),
        (lambda M, u: (_means(M, u)[0], _means(M, u)[0]), "value"),
        (lambda M, u: np.linalg.solve(M, u), "shape", "no array for each pool"),
        (lambda M, u: _means(M.T, u), "transposed"),
        (lambda M, u: (_means(M, u)[0], np.linalg.inv(M).sum(axis=0).mean()), "value"),
        (lambda M, u: (_means(M, u)[0], (np.linalg.solve(M, u) / np.diag(M)).sum() / np.linalg.solve(M, u).sum()),
         "value"),
        (lambda M, u: ((1 / M @ u).sum() / u.sum(), _means(M, u)[1]), "not finite"),
        (lambda M, u: (_means(M, u)[0], _means(M, u)[1] * np.linalg.solve(M, u).sum() / u.sum()), "units"),
    ],
    "06.2": [
        (lambda M, u, a: np.array([M.sum(axis=0) @ expm(-M * x) @ u for x in a]), "limit"),
        (lambda M, u, a: np.array([(expm(-M * x) @ u).sum() for x in a]) / u.sum(), "units"),
        (lambda M, u, a: np.array([M.sum(axis=0) @ expm(M * x) @ u for x in a]) / u.sum(), "sign"),
        (lambda M, u, a: _density(M, np.linalg.solve(M, u), a), "identity"),
        (lambda M, u, a: np.array([M.sum(axis=0) @ np.exp(-M * x) @ u for x in a]) / u.sum(), "choice", "expm"),
        (
            lambda M, u, a: np.array([np.diag(M) @ expm(-M * x) @ u for x in a]) / u.sum(),
            "identity",
        ),
        (
            lambda M, u, a: np.array([M.sum(axis=1) @ expm(-M.T * x) @ u for x in a]) / u.sum(),
            "transposed",
        ),
        (lambda M, u, a: np.array([M.sum(axis=1) @ expm(-M * x) @ u for x in a]) / u.sum(), "transposed"),
        (lambda M, u, a: np.array([M.sum(axis=0) @ (expm(-M) * x) @ u for x in a]) / u.sum(), "choice", "inside"),
        (lambda M, u, a: _density(M, u, a) * u.sum() / np.linalg.solve(M, u).sum(), "identity", "by the stock"),
        (lambda M, u, a: _density(M, u, a) / _density(M, u, a).sum(), "identity", "add up to 1"),
        (lambda M, u, a: -np.gradient([(expm(-M * x) @ u).sum() / u.sum() for x in a], a), "value", "near 1"),
        (lambda M, u, a: np.array([M.sum(axis=0) * (expm(-M * x) @ u) for x in a]) / u.sum(), "shape"),
    ],
    "06.3": [
        ((lambda M, s, H: (expm(-M * H) @ s).sum(), _ranking, OPTIONS, FIFTH), "units"),
        ((lambda M, s, H: np.linalg.solve(M, s).sum(), _ranking, OPTIONS, FIFTH), "limit"),
        ((_yearly, _ranking, OPTIONS, FIFTH), "value"),
        ((_ton_years, lambda options, horizon: _ranking(options, horizon)[::-1], OPTIONS, FIFTH), "sign"),
        ((_ton_years, _ranking, OPTIONS, _own([1e-3], [1.0])), "choice"),
        ((_ton_years, _ranking, OPTIONS, _own([1.0, 1e-2], [0.9, 0.1])), "choice"),
        ((_ton_years, _ranking, OPTIONS, _own([1.0, 1e-4], [0.5, 1.0])), "mass balance"),
        ((lambda M, s, H: sum((expm(-M * t) @ s).sum() for t in range(H)), _ranking, OPTIONS, FIFTH), "stopped",
         "np.arange"),
        ((_trapezoid, _ranking, OPTIONS, FIFTH), "limit", "without steps"),
        ((lambda M, s, H: H * (expm(-M * H) @ s).sum(), _ranking, OPTIONS, FIFTH), "limit", "times horizon"),
        ((lambda M, s, H: 1 - (expm(-M * H) @ s).sum(), _ranking, OPTIONS, FIFTH), "units", "has left"),
        ((lambda M, s, H: np.linalg.solve(M, s - expm(-M * H) @ s), _ranking, OPTIONS, FIFTH), "shape", "one number"),
        ((lambda M, s, H: np.linalg.solve(M, s - np.exp(-M * H) @ s).sum(), _ranking, OPTIONS, FIFTH), "choice",
         "expm"),
        ((_ton_years, lambda options, horizon: _ranking(options, 100.0), OPTIONS, FIFTH), "choice", "its horizon"),
        ((_ton_years, _ranking, OPTIONS, lambda: (np.diag([1.0, 1e-4]), "soil")), "shape", "made of numbers"),
        ((_ton_years, _ranking, OPTIONS, _own([1.0, 5000.0], [0.9, 0.1])), "choice", "0.9 ton-years"),
    ],
}
