"""Typical wrong answers of chapter 09, each with the kind of error its check must name."""

import numpy as np

from landcarbon.matrix.nutrients import State, simulate
from landcarbon.models import carbon_nitrogen as cn


def coupled(A, K, B, I, c, supply, loss, half, m=None, phi=None, nitrogen=None, limited=True):
    m = supply / loss if m is None else m
    phi = m / (m + half) if phi is None else phi(m)
    X = np.linalg.solve(A * K, (phi if limited else 1) * B * I)
    return m, phi, X, X / c if nitrogen is None else nitrogen(X, c)


def one_run(land, growth, xi):
    """Twenty native years from a steady state under mean growth, without a jump."""
    state = land.steady_state(growth.max())
    for _ in range(20):
        run = simulate(land, np.linspace(0.0, 1.0, 13), state, growth, xi)
        state = State(run.X.values[-1], {"N": run.N.values[-1]}, {"N": run.N_mineral.values[-1]})
    return state, 20


WRONG = {
    "09.1": [
        (lambda b, a, s, lost, y: a - b - (s - lost) * y, "sign"),
        (lambda b, a, s, lost, y: b + s - lost - a, "mass balance"),
        (lambda b, a, s, lost, y: b + s * y - a, "mass balance"),
        (lambda b, a, s, lost, y: b + (s + lost) * y - a, "mass balance"),
        (lambda b, a, s, lost, y: b - a, "mass balance"),
    ],
    "09.2": [
        (lambda *a: coupled(*a, m=a[5] * a[6]), "units"),
        (lambda *a: coupled(*a, phi=lambda m: a[7] / (m + a[7])), "limit"),
        (lambda *a: coupled(*a, limited=False), "incomplete"),
        (lambda *a: coupled(*a, nitrogen=lambda X, c: X * c), "units"),
        (lambda *a: coupled(*a)[:3], "shape", "four things"),
        (lambda *a: coupled(*a, nitrogen=lambda X, c: X / c.mean()), "identity", "each pool"),
    ],
    "09.3": [
        (lambda land, growth, xi: (land.steady_state(growth.mean()), 0), "limit"),
        (lambda land, growth, xi: (cn.carbon_nitrogen().steady_state(growth.mean()), 5000), "value"),
        (lambda land, growth, xi: land.steady_state(growth.mean()), "shape"),
        (lambda land, growth, xi: (land.steady_state(growth.mean()).X, 20), "shape", "State"),
        (one_run, "limit", "not yet cyclic"),
    ],
}
