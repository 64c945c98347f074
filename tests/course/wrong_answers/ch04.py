"""Typical wrong answers of chapter 04, each with the kind of error its check must name."""

import numpy as np

from landcarbon.matrix.simulate import simulate


def solve(M, right):
    return np.linalg.solve(M, right[..., None])[..., 0]


def gained(before, after, years):
    start = before[0].steady_state(before[1])
    return float(simulate(after[0], [0, years], start, after[1]).X[-1].sum() - start.sum())


def in_the_end(before, after, years):
    return float(after[0].steady_state(after[1]).sum() - before[0].steady_state(before[1]).sum())


def from_empty(before, after, years):
    return float(simulate(after[0], [0, years], np.zeros(after[0].n), after[1]).X[-1].sum())


def from_the_new_capacity(before, after, years):
    return gained(after, before, years)


def soil_alone(before, after, years):
    start = before[0].steady_state(before[1])
    return float(simulate(after[0], [0, years], start, after[1]).X[-1, -1] - start[-1])


def old_model(before, after, years):
    return gained(before, (before[0], after[1]), years)


def old_input(before, after, years):
    return gained(before, (after[0], before[1]), years)


def best(before, changes, years):
    return max(changes, key=lambda name: gained(before, changes[name], years))


def worst(before, changes, years):
    return min(changes, key=lambda name: gained(before, changes[name], years))


def always_in_the_end(before, changes, years):
    return best(before, changes, 1e4)


def to_the_next_year(before, after, years):
    start = before[0].steady_state(before[1])
    return float(simulate(after[0], np.arange(0, years + 1), start, after[1]).X[-1].sum() - start.sum())


def stored(before, after, years):
    start = before[0].steady_state(before[1])
    return float(simulate(after[0], [0, years], start, after[1]).X[-1].sum())


WRONG = {
    "04.1": [
        (lambda M, B: np.linalg.inv(M), "shape"),
        (lambda M, B: M @ B, "units"),
        (lambda M, B: -np.linalg.solve(M, B), "sign"),
        (lambda M, B: np.linalg.solve(M.T, B), "transposed"),
        (lambda M, B: 1 / np.diag(M), "identity"),
        (lambda M, B: B / np.diag(M), "limit"),
        (lambda M, B: float(np.linalg.solve(M, B).sum()), "shape"),
        (lambda M, B: M**-1 @ B, "not finite", "each entry"),
        (lambda M, B: np.linalg.inv(M).sum(axis=1), "incomplete", "B says"),
        (lambda M, B: np.linalg.inv(M) * B, "shape", "entry by entry"),
        (lambda M, B: np.diag(M) * B, "units"),
        (lambda M, B: np.linalg.inv(M)[:, 0], "incomplete", "first column"),
        (lambda M, B: 1 / (M @ B), "units", "One over M B"),
        (lambda M, B: 500 * np.linalg.solve(M, B), "units", "500 times B"),
        (lambda M, B: np.linalg.solve(M, B) / np.linalg.solve(M, B).sum(), "units", "no share"),
        (lambda M, B: 1 / np.linalg.eigvals(M), "identity", "time scales"),
        (lambda M, B: np.linalg.solve(B, M), "stopped", "matrix comes first"),
    ],
    "04.2": [
        (lambda M, u, change: (solve(M, u), change), "units"),
        (lambda M, u, change: (u, solve(M, change)), "units"),
        (lambda M, u, change: (solve(M, u), -solve(M, change)), "sign"),
        (lambda M, u, change: (solve(np.swapaxes(M, 1, 2), u), solve(np.swapaxes(M, 1, 2), change)),
         "transposed"),
        (lambda M, u, change: (solve(M[:1], u), solve(M[:1], change)), "off by one", "once for all times"),
        (lambda M, u, change: (np.linalg.solve(M, u), np.linalg.solve(M, change)), "stopped", ".shape"),
        (lambda M, u, change: (solve(np.roll(M, 1, axis=0), u), solve(np.roll(M, 1, axis=0), change)),
         "off by one"),
        (lambda M, u, change: (solve(M, u), change / np.diagonal(M, axis1=1, axis2=2)), "limit"),
        (lambda M, u, change: solve(M, u) - solve(M, change), "shape"),
        (lambda M, u, change: (solve(M, u), solve(M, u - change)), "identity", "storage X itself"),
        (lambda M, u, change: (solve(M, change), solve(M, u)), "identity", "exchanged"),
        (lambda M, u, change: (u / np.diagonal(M, axis1=1, axis2=2), solve(M, change)), "limit", "the diagonal"),
        (lambda M, u, change: (np.linalg.solve(M[0], u[0]), np.linalg.solve(M[0], change[0])), "shape",
         "one row a time"),
        (lambda M, u, change: (np.linalg.solve(M, u[..., None]),) * 2, "shape", "(60, 3, 1)"),
        (lambda M, u, change: (solve(M, u), solve(M, u) - u), "identity"),
    ],
    "04.3": [
        ((in_the_end, best), "limit"),
        ((from_empty, best), "limit"),
        ((from_the_new_capacity, best), "sign"),
        ((soil_alone, best), "incomplete"),
        ((old_input, best), "mass balance"),
        ((gained, worst), "sign"),
        ((gained, always_in_the_end), "choice"),
        (gained, "shape"),
        ((to_the_next_year, best), "off by one", "[0, years]"),
        ((stored, best), "incomplete", "all carbon after"),
        ((old_model, best), "incomplete", "Nothing changes"),
        ((lambda before, after, years: gained(before, after, years) / max(years, 1e-9), best), "units", "per year"),
        ((lambda before, after, years: gained(before, after, 30.0), best), "incomplete", "end at `years`"),
        ((gained, lambda before, changes, years: max(gained(before, c, years) for c in changes.values())), "shape"),
    ],
}
