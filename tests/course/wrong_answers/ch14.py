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


def walk_of(propose=None, write=None, update=True, accept=right):
    """Metropolis with its proposals, its notes or its bookkeeping changed."""

    def metropolis(J, start, step, n, rng):
        theta, now, states = np.array(start, float), J(start), []
        for _ in range(n):
            kick = rng.standard_normal(theta.size)
            proposal = propose(theta, step, kick, rng) if propose else theta + step * kick
            new = J(proposal)
            if accept(now, new, rng):
                theta, now = proposal, new if update else now
            states.append(write(theta, proposal) if write else theta)
        return np.array(states)

    return metropolis


def one_array(J, start, step, n, rng):
    """Writes down the same array every time, and changes it."""
    theta, now, states = np.array(start, float), J(start), []
    for _ in range(n):
        proposal = theta + step * rng.standard_normal(theta.size)
        new = J(proposal)
        if right(now, new, rng):
            theta[:], now = proposal, new
        states.append(theta)
    return np.array(states)


def jars(J_of=lambda r, told: 0.5 * ((r / told) ** 2).sum(-1), noise=lambda rng, n: rng.standard_normal((n, DAY.size)),
         ends=None, result=lambda inside, ends: inside.mean()):  # fmt: skip
    """Coverage with the cost, the errors, the interval or what is returned changed."""

    def coverage(factor, n_jars, rng):
        k = rng.uniform(0.018, 0.030, n_jars)
        data = flux(k[:, None]) + 1.2 * noise(rng, n_jars)
        J = J_of(data[:, None, :] - flux(K_GRID[:, None]), 1.2 * factor)
        p = np.exp(-(J - J.min(-1, keepdims=True)))
        p /= p.sum(-1, keepdims=True)
        if ends is None:
            low, high = (K_GRID[(np.cumsum(p, -1) < q).sum(-1).clip(0, K_GRID.size - 1)] for q in (0.05, 0.95))
        else:
            low, high = ends(p)
        return result((low < k) & (k < high), (low, high))

    return coverage


def to_both_sides(width):
    def ends(p):
        mean = p @ K_GRID
        sd = np.sqrt((p * (K_GRID - mean[:, None]) ** 2).sum(-1))
        return mean - width * sd, mean + width * sd

    return ends


WRONG = {
    "14.1": [
        (lambda d, h, s: ((d - h) / s) ** 2 / 2, "shape"),
        (lambda d, h, s: -0.5 * (((d - h) / s) ** 2).sum(), "sign"),
        (lambda d, h, s: 0.5 * ((d - h) ** 2).sum(), "units"),
        (lambda d, h, s: 0.5 * ((d - h) ** 2 / s).sum(), "units"),
        (lambda d, h, s: 0.5 * (((d - h) / s) ** 2).mean(), "mass balance"),
        (lambda d, h, s: (((d - h) / s) ** 2).sum(), "identity"),
        (lambda d, h, s: np.abs((d - h) / s).sum(), "value"),
        (lambda d, h, s: np.exp(-0.5 * (((d - h) / s) ** 2).sum()), "limit", "no exponential"),
        (lambda d, h, s: 0.5 * (((d - h) / s) ** 2 + np.log(2 * np.pi * s**2)).sum(), "limit", "no constant"),
        (lambda d, h, s: 0.5 * (((d - h) / d) ** 2).sum(), "identity", "not used"),
        (lambda d, h, s: [0.5 * ((a - b) / c) ** 2 for a, b, c in zip(d, h, s)], "shape"),
        (lambda d, h, s: np.sqrt((((d - h) / s) ** 2).sum()), "value"),
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
        (one_array, "identity", "a copy"),
        (walk_of(lambda theta, step, kick, rng: theta + step * kick[0]), "identity", "step together"),
        (walk_of(lambda theta, step, kick, rng: theta + step * rng.random(theta.size)), "sign", "same way"),
        (walk_of(lambda theta, step, kick, rng: theta * (1 + step * kick)), "value", "farther away"),
        (walk_of(write=lambda theta, proposal: proposal), "identity", "written down"),
        (walk_of(update=False), "identity", "compare the next with"),
        (walk_of(accept=lambda now, new, rng: new < now or rng.random() < 0.5), "limit", "too readily"),
        (walk_of(accept=lambda now, new, rng: rng.random() < now - new), "limit", "worse ones must be accepted"),
    ],
    "14.3": [
        (coverage_of(given, given), "identity"),
        (coverage_of(given, one), "transposed"),
        (coverage_of(one, given, 0.025, 0.975), "limit"),
        (lambda factor, n, rng: 100 * coverage_of(one, given)(factor, n, rng), "units"),
        (coverage_of(one, lambda factor: factor**2), "value"),
        (coverage_of(one, given, seeded=False), "seed"),
        (jars(noise=lambda rng, n: np.zeros((n, DAY.size))), "limit", "errors of its own"),
        (jars(noise=lambda rng, n: np.tile(rng.standard_normal(DAY.size), (n, 1))), "limit", "errors of its own"),
        (jars(lambda r, told: 0.5 * ((r / told) ** 2).mean(-1)), "limit", "sum over the days"),
        (jars(lambda r, told: ((r / told) ** 2).sum(-1)), "limit", "one half"),
        (coverage_of(one, given, 0.1, 0.9), "limit", "10 % to 90 %"),
        (jars(ends=to_both_sides(1.0)), "limit", "one standard deviation"),
        (jars(ends=to_both_sides(1.96)), "limit", "97.5 %"),
        (jars(result=lambda inside, ends: inside.sum()), "units", "no count"),
        (jars(result=lambda inside, ends: np.mean(ends[1] - ends[0])), "limit", "share of jars"),
        (jars(ends=lambda p: np.quantile(p, [0.05, 0.95], axis=-1)), "limit", "points of k"),
    ],
}
