"""Typical wrong answers of chapter 15, each with the kind of error its check must name."""

import numpy as np
from scipy.stats import norm, rankdata

GOOD = {
    "A": "steps too small",
    "B": "chains in different places",
    "C": "fine",
    "D": "still narrowing",
    "E": "warm-up left in",
    "F": "steps too large",
}


def rhat(chains, split=True, root=True, factor=True, ratio_only=False):
    m, n = chains.shape
    if split:
        chains = chains[:, : n // 2 * 2].reshape(2 * m, n // 2)
        n = n // 2
    W = chains.var(axis=1, ddof=1).mean()
    B = (n if factor else 1) * chains.mean(axis=1).var(ddof=1)
    if ratio_only:
        return B / W
    r = ((n - 1) / n * W + B / n) / W
    return np.sqrt(r) if root else r


def ranks(sampler, n, rng, sd_truth=1.0, sd_data=1.0, fixed=False, share=False):
    truth = np.full(n, 0.5) if fixed else sd_truth * rng.standard_normal(n)
    data = truth + sd_data * rng.standard_normal(n)
    count = (sampler(data, rng) < truth[:, None]).sum(axis=1)
    return count / 99 if share else count


def ranked(chains):
    """R-hat of normal scores, as ArviZ computes it by default."""
    scores = norm.ppf((rankdata(chains).reshape(chains.shape) - 0.375) / (chains.size + 0.25))
    return rhat(scores)


WRONG = {
    "15.1": [
        (list(GOOD.values()), "shape"),
        ({k: v for k, v in GOOD.items() if k != "F"}, "incomplete"),
        (GOOD | {"A": "bad"}, "choice"),
        (GOOD | {"A": "fine", "C": "steps too small"}, "choice"),
        (dict.fromkeys("ABCDEF", "fine"), "choice"),
    ],
    "15.2": [
        (lambda c: rhat(c, split=False), "identity"),
        (lambda c: rhat(c, root=False), "value"),
        (lambda c: rhat(c, ratio_only=True), "limit"),
        (lambda c: rhat(c, factor=False), "limit"),
        (lambda c: c.std() / c.std(axis=1).mean(), "identity"),
        (lambda c: c.std(axis=1), "shape"),
        (ranked, "choice", "ranks"),
    ],
    "15.3": [
        (lambda s, n, rng: ranks(s, n, rng, fixed=True), "identity"),
        (lambda s, n, rng: ranks(s, n, rng, sd_data=0.0), "identity"),
        (lambda s, n, rng: ranks(s, n, rng, sd_truth=2.0), "identity"),
        (lambda s, n, rng: ranks(s, n, rng, share=True), "value"),
        (lambda s, n, rng: rng.integers(0, 100, n), "identity"),
        (lambda s, n, rng: ranks(s, n, np.random.default_rng(1)), "seed"),
    ],
    "15.4": [
        ("alder", "choice"), ("cedar", "choice"), ("oak", "choice", "one of the names"), (1, "choice"),
        ("Birch.", "choice", "one of the names"),
    ],
}
