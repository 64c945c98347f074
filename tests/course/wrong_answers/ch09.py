"""Typical wrong answers of chapter 09, each with the kind of error its check must name."""

import numpy as np

from landcarbon.models import carbon_nitrogen as cn


def coupled(A, K, B, I, c, supply, loss, half, m=None, phi=None, nitrogen=None, limited=True):
    m = supply / loss if m is None else m
    phi = m / (m + half) if phi is None else phi(m)
    X = np.linalg.solve(A * K, (phi if limited else 1) * B * I)
    return m, phi, X, X / c if nitrogen is None else nitrogen(X, c)


WRONG = {
    "09.1": [
        (lambda b, a, s, lost, y: a - b - (s - lost) * y, "sign"),
        (lambda b, a, s, lost, y: b + s - lost - a, "mass balance"),
        (lambda b, a, s, lost, y: b + s * y - a, "mass balance"),
    ],
    "09.2": [
        (lambda *a: coupled(*a, m=a[5] * a[6]), "units"),
        (lambda *a: coupled(*a, phi=lambda m: a[7] / (m + a[7])), "limit"),
        (lambda *a: coupled(*a, limited=False), "incomplete"),
        (lambda *a: coupled(*a, nitrogen=lambda X, c: X * c), "units"),
    ],
    "09.3": [
        (lambda land, growth, xi: (land.steady_state(growth.mean()), 0), "limit"),
        (lambda land, growth, xi: (cn.carbon_nitrogen().steady_state(growth.mean()), 5000), "value"),
    ],
}
