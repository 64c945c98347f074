"""Typical wrong answers of chapter 14, each with the kind of error its check must name."""

import numpy as np


def chain_of(accept, keep_refused=True, shared_step=False, own_rng=False):
    """Metropolis with one thing changed."""

    def metropolis(J, start, step, n, rng):
        if own_rng:
            rng = np.random.default_rng()
        theta, now, states = np.array(start, float), J(start), []
        for _ in range(n):
            size = np.min(step) if shared_step else step
            proposal = theta + size * rng.standard_normal(theta.size)
            new = J(proposal)
            if accept(now, new, rng):
                theta, now = proposal, new
                states.append(theta)
            elif keep_refused:
                states.append(theta)
        return np.array(states).reshape(-1, np.size(start))

    return metropolis


def right(now, new, rng):
    return np.log(rng.random()) < now - new


DAY = np.arange(1.0, 36.0, 2.0)
K_GRID = np.linspace(0.012, 0.040, 600)


def flux(k):
    return k * 1200.0 * np.exp(-k * DAY)


def coverage_of(made, told, low=0.05, high=0.95, seeded=True):
    """Coverage with σ of the data and σ told as functions of the factor."""

    def coverage(factor, n_jars, rng):
        rng = rng if seeded else np.random.default_rng(5)
        k = rng.uniform(0.018, 0.030, n_jars)
        data = flux(k[:, None]) + 1.2 * made(factor) * rng.standard_normal((n_jars, DAY.size))
        model = flux(K_GRID[:, None])
        J = 0.5 * (((data[:, None, :] - model) / (1.2 * told(factor))) ** 2).sum(-1)
        p = np.exp(-(J - J.min(-1, keepdims=True)))
        below = np.cumsum(p, -1) / p.sum(-1, keepdims=True)
        ends = [K_GRID[(below < q).sum(-1).clip(0, K_GRID.size - 1)] for q in (low, high)]
        return ((ends[0] < k) & (k < ends[1])).mean()

    return coverage


def one(factor):
    return 1.0


def given(factor):
    return factor


def until_accepted(J, start, step, n, rng):
    """Goes on until n proposals were accepted, and writes down only those."""
    theta, states = np.array(start, float), []
    while len(states) < n:
        proposal = theta + step * rng.standard_normal(theta.size)
        if right(J(theta), J(proposal), rng):
            theta = proposal
            states.append(theta)
    return np.array(states)


WRONG = {
    "14.1": [
        (lambda d, h, s: ((d - h) / s) ** 2 / 2, "shape"),
        (lambda d, h, s: -0.5 * (((d - h) / s) ** 2).sum(), "sign"),
        (lambda d, h, s: 0.5 * ((d - h) ** 2).sum(), "units"),
        (lambda d, h, s: 0.5 * ((d - h) ** 2 / s).sum(), "units"),
        (lambda d, h, s: 0.5 * (((d - h) / s) ** 2).mean(), "mass balance"),
        (lambda d, h, s: (((d - h) / s) ** 2).sum(), "identity"),
        (lambda d, h, s: np.abs((d - h) / s).sum(), "value"),
    ],
    "14.2": [
        (chain_of(right, keep_refused=False), "incomplete"),
        (chain_of(lambda now, new, rng: rng.random() >= 0 and new < now), "limit", "worse ones must be accepted"),
        (chain_of(lambda now, new, rng: np.log(rng.random()) < new - now), "transposed", "turned round"),
        (chain_of(lambda now, new, rng: np.log(rng.random()) > now - new), "transposed", "turned round"),
        (until_accepted, "incomplete", "proposals for 400 states"),
        (chain_of(lambda now, new, rng: np.log(rng.random()) < 2 * (now - new)), "value"),
        (chain_of(lambda now, new, rng: np.log(rng.random()) < 0.5 * (now - new)), "value"),
        (chain_of(right, own_rng=True), "seed"),
        (chain_of(lambda now, new, rng: True), "identity"),
        (chain_of(right, shared_step=True), "value", "of its own"),
    ],
    "14.3": [
        (coverage_of(given, given), "identity"),
        (coverage_of(given, one), "transposed"),
        (coverage_of(one, given, 0.025, 0.975), "limit"),
        (lambda factor, n, rng: 100 * coverage_of(one, given)(factor, n, rng), "units"),
        (coverage_of(one, lambda factor: factor**2), "value"),
        (coverage_of(one, given, seeded=False), "seed"),
    ],
}
