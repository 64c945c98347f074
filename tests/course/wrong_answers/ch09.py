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


def carbon_by(matrix, right=lambda B, I: B * I):  # noqa: E741
    """The right answer but for the carbon, which solves another matrix or another input."""

    def answer(A, K, B, I, c, supply, loss, half):  # noqa: E741
        m, phi, *_ = coupled(A, K, B, I, c, supply, loss, half)
        X = np.linalg.solve(matrix(A, K, phi), phi * right(B, I))
        return m, phi, X, X / c

    return answer


WRONG = {
    "09.1": [
        (lambda b, a, s, lost, y: a - b - (s - lost) * y, "sign"),
        (lambda b, a, s, lost, y: b + s - lost - a, "mass balance"),
        (lambda b, a, s, lost, y: b + s * y - a, "mass balance"),
        (lambda b, a, s, lost, y: b + (s + lost) * y - a, "mass balance"),
        (lambda b, a, s, lost, y: b - a, "mass balance"),
        (lambda b, a, s, lost, y: abs(b + (s - lost) * y - a), "sign", "keep the sign"),
        (lambda b, a, s, lost, y: (b + (s - lost) * y - a) / b, "units", "grams"),
        (lambda b, a, s, lost, y: (b + (s - lost) * y - a) / y, "units", "per year"),
        (lambda b, a, s, lost, y: b + s * y - lost - a, "mass balance"),
        (lambda b, a, s, lost, y: b - (s - lost) * y - a, "mass balance"),
    ],
    "09.2": [
        (lambda *a: coupled(*a, m=a[5] * a[6]), "units"),
        (lambda *a: coupled(*a, phi=lambda m: a[7] / (m + a[7])), "limit"),
        (lambda *a: coupled(*a, limited=False), "incomplete"),
        (lambda *a: coupled(*a, nitrogen=lambda X, c: X * c), "units"),
        (lambda *a: coupled(*a)[:3], "shape", "four things"),
        (lambda *a: coupled(*a, nitrogen=lambda X, c: X / c.mean()), "identity", "each pool"),
        (carbon_by(lambda A, K, phi: K[:, None] * A), "transposed", "columns"),
        (carbon_by(lambda A, K, phi: (A * K).T), "mass balance", "transposed"),
        (carbon_by(lambda A, K, phi: np.diag(K)), "mass balance", "handed on"),
        (carbon_by(lambda A, K, phi: A * K, lambda B, I: I * np.ones(3)), "mass balance", "share"),
        (carbon_by(lambda A, K, phi: phi * A * K), "incomplete", "cancels"),
        (carbon_by(lambda A, K, phi: A @ K), "stopped", "A * K"),
        (lambda *a: coupled(*a)[::-1], "shape", "order"),
    ],
    "09.3": [
        (lambda land, growth, xi: (land.steady_state(growth.mean()), 0), "limit"),
        (lambda land, growth, xi: (cn.carbon_nitrogen().steady_state(growth.mean()), 5000), "value"),
        (lambda land, growth, xi: land.steady_state(growth.mean()), "shape"),
        (lambda land, growth, xi: (land.steady_state(growth.mean()).X, 20), "shape", "State"),
        (one_run, "limit", "not yet cyclic"),
    ],
}
