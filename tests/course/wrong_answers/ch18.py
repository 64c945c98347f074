"""Typical wrong answers of chapter 18, each with the kind of error its check must name."""

import numpy as np


def scalar(gain, variance=lambda G, P: (1 - G) * P):
    """A scalar update with its gain or its variance changed."""

    def update(x, P, d, R):
        G = gain(P, R)
        return x + G * (d - x), variance(G, P)

    return update


def right(P, R):
    return P / (P + R)


def members_update(gain=right, noise=lambda R, n, rng: np.sqrt(R) * rng.standard_normal(n)):
    """A stochastic update with its gain or its noise changed."""

    def enkf_update(members, d, R, rng):
        P = members.var(ddof=1)
        return members + gain(P, R) * (d + noise(R, members.size, rng) - members)

    return enkf_update


def in_place(members, d, R, rng):
    P = members.var(ddof=1)
    members += right(P, R) * (d + np.sqrt(R) * rng.standard_normal(members.size) - members)
    return members


def mean_only(members, d, R, rng):
    P = members.var(ddof=1)
    return members.mean() + right(P, R) * (d - members.mean())


def evidence(covariance, logdet=True, two_pi=True):
    """Density of the data with parts of it changed."""

    def log_evidence(G, d, sd, prior_sd):
        S = covariance(G, sd, prior_sd)
        out = -0.5 * d @ np.linalg.solve(S, d)
        if logdet:
            out -= 0.5 * np.linalg.slogdet(S)[1]
        return out - 0.5 * d.size * np.log(2 * np.pi) if two_pi else out

    return log_evidence


def marginal(G, sd, prior_sd):
    return prior_sd**2 * G @ G.T + sd**2 * np.eye(len(G))


def best_fit(G, d, sd, prior_sd):
    theta = np.linalg.lstsq(G, d, rcond=None)[0]
    r = (d - G @ theta) / sd
    return -0.5 * r @ r - d.size * (np.log(sd) + 0.5 * np.log(2 * np.pi))


def from_the_mean(members, d, R, rng):
    P = members.var(ddof=1)
    own = d + np.sqrt(R) * rng.standard_normal(members.size)
    return members.mean() + right(P, R) * (own - members.mean())


def cycle(
    R=lambda sd: sd**2, noise=lambda sd, shape, rng: sd * rng.standard_normal(shape), gain_of=lambda P: P,
    spread=lambda mean, members, inflation: mean + inflation * (members - mean), first=True, after=True,
):  # fmt: skip
    """A filter over many data with one part of it changed."""

    def run(step, members, data, sd, inflation, rng):
        means = []
        for d in data:
            members = step(members) if first else members
            before = members.mean(0)
            away = members - before
            P = gain_of(away.T @ away / (len(members) - 1))
            gain = P @ np.linalg.inv(P + R(sd) * np.eye(d.size))
            members = members + (d + noise(sd, members.shape, rng) - members) @ gain.T
            means.append(members.mean(0) if after else before)
            members = spread(members.mean(0), members, inflation)
            members = members if first else step(members)
        return np.array(means)

    return run


def over_the_prior(G, d, sd, prior_sd):
    """Mean likelihood of twenty thousand draws of the prior."""
    theta = prior_sd * np.random.default_rng(0).standard_normal((20_000, G.shape[1]))
    ln = -0.5 * (((d - theta @ G.T) / sd) ** 2).sum(axis=1) - d.size * np.log(sd * np.sqrt(2 * np.pi))
    return ln.max() + np.log(np.exp(ln - ln.max()).mean())


WRONG = {
    "18.1": [
        (lambda x, P, d, R: x + P / (P + R) * (d - x), "shape"),
        (scalar(right, lambda G, P: ((1 - G) * P) ** 0.5), "units"),
        (scalar(right, lambda G, P: (1 + G) * P), "limit"),
        (scalar(lambda P, R: R / (P + R)), "transposed"),
        (scalar(lambda P, R: P**0.5 / (P**0.5 + R**0.5)), "units", "standard deviations"),
        (scalar(right, lambda G, P: (1 - G) ** 2 * P), "identity"),
        (scalar(right, lambda G, P: (G - 1) * P), "sign"),
        (lambda x, P, d, R: (x - P / (P + R) * (d - x), (1 - P / (P + R)) * P), "limit", "must be believed"),
        (lambda x, P, d, R: ((1 - P / (P + R)) * P, x + P / (P + R) * (d - x)), "shape", "mean comes first"),
        (scalar(right, lambda G, P: P), "limit", "narrower"),
        (lambda x, P, d, R: ((x + d) / 2, (P + R) / 4), "limit", "narrower"),
        (scalar(lambda P, R: P**2 / (P**2 + R**2)), "identity", "made of variances"),
    ],
    "18.2": [
        (members_update(noise=lambda R, n, rng: 0.0), "value"),
        (members_update(noise=lambda R, n, rng: np.sqrt(R) * rng.standard_normal()), "value", "one for all"),
        (from_the_mean, "identity", "start from their mean"),
        (members_update(noise=lambda R, n, rng: R * rng.standard_normal(n)), "units"),
        (members_update(gain=lambda P, R: R / (P + R)), "limit"),
        (members_update(gain=lambda P, R: P**0.5 / (P**0.5 + R**0.5)), "value"),
        (members_update(noise=lambda R, n, rng: np.sqrt(R) * np.random.default_rng().standard_normal(n)),
         "seed"),
        (in_place, "identity"),
        (mean_only, "shape"),
        (members_update(noise=lambda R, n, rng: np.abs(np.sqrt(R) * rng.standard_normal(n))), "sign", "one sign"),
        (lambda m, d, R, rng: members_update(noise=lambda *_: 0.0)(
            m + np.sqrt(R) * rng.standard_normal(m.size), d, R, rng), "value"),
        (lambda m, d, R, rng: members_update(noise=lambda *_: 0.0)(m, d, R, rng)
         + np.sqrt(R) * rng.standard_normal(m.size), "identity", "belongs to the datum"),
        (lambda m, d, R, rng: (m.mean(), m.var()), "shape"),
        (members_update(gain=lambda P, R: 0.8), "limit"),
    ],
    "18.3": [
        (best_fit, "limit"),
        (evidence(marginal, logdet=False), "incomplete", "ln det S"),
        (evidence(marginal, two_pi=False), "incomplete", "2π"),
        (evidence(lambda G, sd, p: p * G @ G.T + sd**2 * np.eye(len(G))), "units", "squares"),
        (evidence(lambda G, sd, p: p**2 * G @ G.T + sd * np.eye(len(G))), "units", "squares"),
        (lambda G, d, sd, p: np.exp(evidence(marginal)(G, d, sd, p)), "units", "logarithm"),
        (lambda G, d, sd, p: -evidence(marginal)(G, d, sd, p), "sign"),
        (lambda G, d, sd, p: 2 * evidence(marginal)(G, d, sd, p), "value", "one half"),
        (evidence(lambda G, sd, p: np.diag((p**2 * G**2).sum(axis=1) + sd**2)), "identity", "off its diagonal"),
        (over_the_prior, "value", "Close, but not exact"),
        (evidence(lambda G, sd, p: G @ G.T + sd**2 * np.eye(len(G))), "limit"),
    ],
    "18.4": [
        (lambda *a: cycle()(*a)[-1], "shape"),
        (cycle(noise=lambda sd, shape, rng: sd * np.random.default_rng().standard_normal(shape)), "seed"),
        (cycle(noise=lambda sd, shape, rng: sd * rng.standard_normal(shape[-1])), "value", "once"),
        (cycle(after=False), "limit", "after"),
        (cycle(first=False), "limit", "before"),
        (cycle(gain_of=lambda P: np.diag(np.diag(P))), "incomplete", "covariance"),
        (cycle(R=lambda sd: sd), "units", "square"),
        (cycle(noise=lambda sd, shape, rng: 0.0), "value", "too small"),
        (cycle(spread=lambda mean, members, inflation: members), "incomplete", "inflation"),
        (cycle(spread=lambda mean, x, inflation: mean + np.sqrt(inflation) * (x - mean)), "units"),
        (cycle(spread=lambda mean, members, inflation: inflation * members), "identity"),
    ],
}
