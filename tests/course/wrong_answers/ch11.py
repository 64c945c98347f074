"""Typical wrong answers of chapter 11, each with the kind of error its check must name."""

import numpy as np


def right(g, dz):
    V = np.zeros((len(dz), len(dz)))
    for l, conductance in enumerate(g):  # noqa: E741
        V[l, l : l + 2] += conductance / dz[l] * np.array([1, -1])
        V[l + 1, l : l + 2] += conductance / dz[l + 1] * np.array([-1, 1])
    return V


def thickness_of_the_giver(g, dz):
    """Divides by the thickness of the layer the carbon comes from: right for stocks."""
    V = np.zeros((len(dz), len(dz)))
    for l, conductance in enumerate(g):  # noqa: E741
        V[l : l + 2, l] += conductance / dz[l] * np.array([1, -1])
        V[l : l + 2, l + 1] += conductance / dz[l + 1] * np.array([-1, 1])
    return V


def mean_thickness(g, dz):
    V = np.zeros((len(dz), len(dz)))
    for l, conductance in enumerate(g):  # noqa: E741
        rate = conductance / ((dz[l] + dz[l + 1]) / 2)
        V[l : l + 2, l : l + 2] += rate * np.array([[1, -1], [-1, 1]])
    return V


def no_thickness(g, dz):
    return right(g, np.ones(len(dz)))


def cascade(A, K, down, up, b, pass_on=True, swap=False, mix=True):
    """A right answer, with switches for what goes wrong."""
    down, up = (up, down) if swap else (down, up)
    if not mix:
        down, up = 0 * down, 0 * up
    X = np.zeros_like(b)
    L = b.shape[-1]
    for i in range(b.shape[1]):
        enters = b[:, i].copy()
        if pass_on:
            for j in range(i):
                enters -= A[:, i, j, None] * K[:, j] * X[:, j]
        stay, k = np.zeros_like(enters), K[:, i]
        loss = k[:, L - 1]
        for l in range(L - 1, 0, -1):  # noqa: E741
            stay[:, l] = 1 / (loss + up[:, l - 1])
            enters[:, l - 1] += up[:, l - 1] * stay[:, l] * enters[:, l]
            loss = k[:, l - 1] + down[:, l - 1] * loss * stay[:, l]
        stay[:, 0] = 1 / loss
        X[:, i, 0] = stay[:, 0] * enters[:, 0]
        for l in range(1, L):  # noqa: E741
            X[:, i, l] = stay[:, l] * (enters[:, l] + down[:, l - 1] * X[:, i, l - 1])
    return X


def both_ways(g, h, dz):
    return (np.diag(np.append(g, 0) + np.append(0, h)) - np.diag(g, -1) - np.diag(h, 1)) / dz[:, None]


def slide(g, h, dz):
    """As it stands on slides: the same for diffusion alone."""
    return (np.diag(np.append(g, 0) + np.append(0, h)) - np.diag(g, 1) - np.diag(h, -1)) / dz[:, None]


def overwritten(g, dz):
    """`=` where `+=` belongs: a layer keeps its last face."""
    V = right(g, dz)
    for l, conductance in enumerate(g):  # noqa: E741
        V[l, l], V[l + 1, l + 1] = conductance / dz[l], conductance / dz[l + 1]
    return V


WRONG = {
    "11.1": [
        (lambda pool, layer, L: pool * L + layer, "off by one"),
        (lambda pool, layer, L: (layer - 1) * 7 + pool, "transposed"),
        (lambda pool, layer, L: pool + layer - 1, "identity"),
        (lambda pool, layer, L: pool * 20 + layer - 1, "value", "number of layers"),
        (lambda pool, layer, L: (pool - 1) * L + layer - 1, "off by one"),
        (lambda pool, layer, L: layer * L + pool, "transposed", "changed places"),
        (lambda pool, layer, L: (pool + 1) * L - layer, "transposed", "bottom"),
        (lambda pool, layer, L: (layer - 1) * L + pool, "transposed"),
        (lambda pool, layer, L: pool * 7 + layer - 1, "value", "number of layers"),
        (lambda pool, layer, L: range(pool * L, pool * L + L), "shape"),
    ],
    "11.2": [
        (lambda g, dz: -right(g, dz), "sign"),
        (thickness_of_the_giver, "transposed"),
        (mean_thickness, "mass balance"),
        (no_thickness, "units"),
        (lambda g, dz: 2 * right(g, dz), "value"),
        (overwritten, "incomplete", "`+=`"),
        (lambda g, dz: np.tril(right(g, dz)) - np.diag(np.append(0, g / dz[1:])), "incomplete", "only goes down"),
        (lambda g, dz: right(g, dz) * (np.arange(4) < 3)[:, None], "incomplete", "empty"),
        (lambda g, dz: right(g, np.append(dz[1:], dz[-1])), "mass balance", "thickness"),
        (lambda g, dz: right(np.full(3, g.mean()), dz), "value"),
    ],
    "11.3": [
        (lambda *parts: cascade(*parts, pass_on=False), "mass balance"),
        (lambda *parts: cascade(*parts, swap=True), "transposed"),
        (lambda *parts: cascade(*parts, mix=False), "value"),
        (lambda A, K, down, up, b: cascade(A, K, down, up, b)[0], "shape"),
        (lambda A, K, down, up, b: cascade(A, K, down, up, b) * K, "limit"),
        (lambda A, K, *rest: cascade(np.swapaxes(A, 1, 2), K, *rest), "mass balance"),
        (lambda A, *rest: cascade(2 * np.eye(3) - A if A.shape[1] == 3 else A, *rest), "sign"),
        (lambda *parts: np.round(cascade(*parts), 3), "limit"),
        (lambda A, K, down, up, b: cascade(A, K, 0 * down, up, b), "value", "mixing"),
        (lambda *parts: np.repeat(cascade(*parts)[:1], 6, axis=0), "limit"),
    ],
    "11.4": [
        (slide, "mass balance", "above the diagonal"),
        (lambda g, h, dz: -both_ways(g, h, dz), "sign"),
        (lambda g, h, dz: both_ways(g, h, np.ones(4)), "units"),
        (lambda g, h, dz: both_ways(g, h, dz) * dz[:, None] / dz, "transposed"),
        (lambda g, h, dz: right((g + h) / 2, dz), "identity"),
        (lambda g, h, dz: both_ways(h, g, dz), "value"),
        (lambda g, h, dz: both_ways(g, h, dz) - np.diag(np.append(0, h) / dz), "mass balance", "layer 1"),
        (lambda g, h, dz: both_ways(g, h, dz) + np.diag([0, 0, 0, g[-1] / dz[-1]]), "mass balance", "layer 3"),
        (lambda g, h, dz: both_ways(g - h, 0 * h, dz), "value"),
        (lambda g, h, dz: both_ways(g, g, dz), "identity"),
        (lambda g, h, dz: both_ways(g, h, dz)[:3], "shape"),
    ],
    "11.5": [
        (lambda M, X, u, h: X + h * (u - M @ X), "limit"),
        (lambda M, X, u, h: np.linalg.solve(np.eye(2) - h * M, X + h * u), "sign"),
        (lambda M, X, u, h: np.linalg.solve(np.eye(2) + h * M, X + u), "units"),
        (lambda M, X, u, h: np.linalg.solve(np.eye(2) + h * M.T, X + h * u), "transposed"),
        (lambda M, X, u, h: np.linalg.solve(np.eye(2) + h * M / 2, X + h * (u - M @ X / 2)), "mass balance"),
        (lambda M, X, u, h: np.linalg.inv(np.eye(2) + h * M), "shape"),
        (lambda M, X, u, h: np.linalg.solve(1 + h * M, X + h * u), "identity", "np.eye"),
        (lambda M, X, u, h: np.linalg.solve(np.eye(2) + M, X + h * u), "units", "h is missing"),
        (lambda M, X, u, h: np.linalg.solve(np.eye(2) + h * M, X), "incomplete", "input"),
        (lambda M, X, u, h: np.linalg.solve(M, u), "limit", "long time"),
        (lambda M, X, u, h: (np.eye(2) + h * M) @ (X + h * u), "identity", "solve"),
        (lambda M, X, u, h: np.linalg.solve(np.eye(2) + h * M, X + h * u) - X, "incomplete", "after it"),
        (lambda M, X, u, h: (X + h * u) / (1 + h * np.diag(M)), "mass balance", "diagonal"),
    ],
}
