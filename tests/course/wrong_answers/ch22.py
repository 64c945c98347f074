"""Typical wrong answers of chapter 22, each with the kind of error its check must name."""

import numpy as np


def adjoint(transpose=True, sign=-1.0, with_b=True, on_X=True):
    """The adjoint gradient with one thing changed."""

    def adjoint_gradient(M, b, dM, db, g):
        X = np.linalg.solve(M, b)
        lam = np.linalg.solve(M.T if transpose else M, g)
        at = X if on_X else b
        return np.array([lam @ (with_b * dbk + sign * dMk @ at) for dMk, dbk in zip(dM, db)])

    return adjoint_gradient


def measured(value, slope):
    """A measurement from its value and the derivatives by f and k."""

    def measurement(theta, I):
        f, k = theta.T
        return value(f, k, I)[:, None], lambda d: d * np.stack(slope(f, k, I), axis=1)

    return measurement


WRONG = {
    "22.1": [
        (lambda I, k1, k2, f: -f * I / k2**2, "shape"),
        (lambda I, k1, k2, f: np.array([-I / k1**2, -f * I / k2**2, I / k2]), "limit"),
        (lambda I, k1, k2, f: np.array([0, f * I / k2**2, I / k2]), "sign"),
        (lambda I, k1, k2, f: np.array([0, -I / k2**2, I / k2]), "identity"),
        (lambda I, k1, k2, f: np.array([0, -f * I / k2**2 * k1, I / k2 * k1]), "value"),
    ],
    "22.2": [
        (adjoint(transpose=False), "transposed"),
        (adjoint(sign=1.0), "sign"),
        (adjoint(with_b=False), "incomplete"),
        (adjoint(on_X=False), "value"),
        (lambda M, b, dM, db, g: adjoint()(M, b, dM, db, g).sum(), "shape"),
        (lambda M, b, dM, db, g: [np.linalg.solve(M.T, g) @ (b_k - M_k @ np.linalg.solve(M, b))
                                  for M_k, b_k in zip(dM, db)], "choice", "out of the loop"),
    ],
    "22.3": [
        (measured(lambda f, k, I: I, lambda f, k, I: (0 * f, 0 * f)), "choice"),
        (measured(lambda f, k, I: np.log(f / k), lambda f, k, I: (1 / f, -1 / k)), "choice"),
        (measured(lambda f, k, I: np.log(f * I), lambda f, k, I: (-1 / f, 0 * f)), "sign"),
        (measured(lambda f, k, I: np.log(f * I), lambda f, k, I: (f, 0 * f)), "value"),
        (lambda theta, I: np.log(theta[:, :1] * I[:, None]), "shape"),
    ],
    "22.4": [
        (lambda A, u: u.sum() / np.linalg.solve(A, u).sum(), "identity"),
        (lambda A, u: (1 - A.sum(axis=0)).mean(), "mass balance"),
        (lambda A, u: ((1 - A.sum(axis=0)) * u).sum() / u.sum(), "mass balance"),
        (lambda A, u: 1 - A.sum(axis=0), "shape"),
        (lambda A, u: 1 - u.sum() / np.linalg.solve(A.T, u).sum(), "value"),
    ],
    "22.5": [
        (lambda t, k, q: 1 / q + (1 - 1 / q) * np.exp(-q * k * t.sum()), "shape"),
        (lambda t, k, q: np.exp(-q * k * t), "limit"),
        (lambda t, k, q: q + (1 - q) * np.exp(-q * k * t), "sign"),
        (lambda t, k, q: 1 / q + (1 - 1 / q) * np.exp(-k * t), "value", "the rate of before"),
        (lambda t, k, q: 1 / q + (1 - 1 / q) * 0.5 ** (q * k * t), "value", "what lies between"),
    ],
    "22.6": [
        (lambda place: np.full(len(place), 0.2), "shape"),
        (lambda place: (0.2 * np.exp(-0.3 * place[:, 0]), np.full(len(place), 0.05)), "choice"),
        (lambda place: (np.full(len(place), 0.2), np.full(len(place), 0.05)), "limit", "nothing to explain"),
        (lambda place: (np.full(len(place), 0.2), 0.05 * np.exp(np.random.default_rng(1).normal(size=len(place)))),
         "value"),
        (lambda place: (np.full(len(place), 0.6), 0.05 * np.exp(place[:, 0])), "mass balance"),
        (lambda place: (np.full(len(place), 20.0), 0.05 * np.exp(place[:, 0])), "limit", "a share"),
    ],
    "22.7": [
        (lambda found, truth, new: np.quantile(found - truth, 0.9), "shape"),
        (lambda found, truth, new: tuple(np.quantile(truth, [0.05, 0.95])), "incomplete"),
        (lambda found, truth, new: tuple(new + np.quantile(found - truth, [0.05, 0.95])), "sign"),
        (lambda found, truth, new: tuple(new - np.quantile(found - truth, [0.05, 0.95])), "shape", "comes first"),
        (lambda found, truth, new: (new - 1.6 * np.std(found - truth), new + 1.6 * np.std(found - truth)), "value",
         "as found"),
        (lambda found, truth, new: tuple(new - np.quantile(found - truth, [0.75, 0.25])), "value", "90 of 100"),
    ],
}
