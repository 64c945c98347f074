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


def varied(W=lambda h: h.var(axis=1, ddof=1).mean(), B_over_n=lambda h: h.mean(axis=1).var(ddof=1), weight=None,
           cut=lambda c: np.concatenate([c[:, : c.shape[1] // 2], c[:, c.shape[1] // 2 :]])):  # fmt: skip
    """R-hat with a variance, the weight or the halves changed."""

    def rhat(chains):
        halves = cut(chains)
        n = halves.shape[1]
        share = (n - 1) / n if weight is None else weight(chains)
        return np.sqrt((share * W(halves) + B_over_n(halves)) / W(halves))

    return rhat


def counted(how):
    """Ranks with the counting changed; how(draws, truth, data)."""

    def ranks(sampler, n, rng):
        truth = rng.standard_normal(n)
        data = truth + rng.standard_normal(n)
        return how(sampler(data, rng), truth, data)

    return ranks


def twin_by_twin(sampler, n, rng):
    truth = rng.standard_normal(n)
    return np.array([(sampler(t + rng.standard_normal(), rng) < t).sum() for t in truth])


def swapped(one, other):
    return GOOD | {one: GOOD[other], other: GOOD[one]}


WRONG = {
    "15.1": [
        (list(GOOD.values()), "shape"),
        ({k: v for k, v in GOOD.items() if k != "F"}, "incomplete"),
        (GOOD | {"A": "bad"}, "choice"),
        (GOOD | {"A": "fine", "C": "steps too small"}, "choice"),
        (dict.fromkeys("ABCDEF", "fine"), "choice"),
        (swapped("A", "F"), "choice", "panel A: do its chains really stand still"),
        (swapped("D", "E"), "choice", "panel D: is its beginning really unlike"),
        (swapped("C", "D"), "choice", "panel C: does the width"),
        ({k.lower(): v for k, v in GOOD.items()}, "incomplete", "capital"),
        ({v: k for k, v in GOOD.items()}, "incomplete", "capital"),
    ],
    "15.2": [
        (lambda c: rhat(c, split=False), "identity"),
        (lambda c: rhat(c, root=False), "value"),
        (lambda c: rhat(c, ratio_only=True), "limit"),
        (lambda c: rhat(c, factor=False), "limit"),
        (lambda c: c.std() / c.std(axis=1).mean(), "identity"),
        (lambda c: c.std(axis=1), "shape"),
        (ranked, "choice", "ranks"),
        (varied(B_over_n=lambda h: h.mean(axis=1).var()), "value", "ddof=1"),
        (varied(W=lambda h: h.var(axis=1).mean()), "value", "ddof=1"),
        (varied(weight=lambda c: 1.0), "value", "weight"),
        (varied(weight=lambda c: 1 - 1 / c.shape[1]), "value", "length of a half"),
        (varied(W=lambda h: h.std(axis=1, ddof=1).mean() ** 2), "value", "mean of the variances"),
        (lambda c: 1 / varied()(c), "limit"),
        (lambda c: varied()(c) - 1, "limit", "close to 1"),
        (varied(cut=lambda c: np.concatenate([c[:, ::2], c[:, 1::2]])), "identity", "in half"),
        (varied(cut=lambda c: c[:, : c.shape[1] // 2]), "identity", "in half"),
    ],
    "15.3": [
        (lambda s, n, rng: ranks(s, n, rng, fixed=True), "identity"),
        (lambda s, n, rng: ranks(s, n, rng, sd_data=0.0), "identity"),
        (lambda s, n, rng: ranks(s, n, rng, sd_truth=2.0), "identity"),
        (lambda s, n, rng: ranks(s, n, rng, share=True), "value"),
        (lambda s, n, rng: rng.integers(0, 100, n), "value", "counts the draws"),
        (lambda s, n, rng: ranks(s, n, np.random.default_rng(1)), "seed"),
        (twin_by_twin, "shape", "many twins at once"),
        (counted(lambda draws, truth, data: (draws > truth[:, None]).sum(axis=1)), "value", "smaller than the truth"),
        (counted(lambda draws, truth, data: (draws < data[:, None]).sum(axis=1)), "identity", "or the datum"),
        (counted(lambda draws, truth, data: (draws.mean(axis=1) < truth).astype(int)), "value", "counts the draws"),
        (counted(lambda draws, truth, data: [np.searchsorted(d, t) for d, t in zip(draws, truth)]), "value",
         "whatever order"),
        (counted(lambda draws, truth, data: (draws < truth[:, None]).sum(axis=0)), "shape"),
    ],
    "15.4": [
        ("alder", "choice"), ("cedar", "choice"), ("oak", "choice", "one of the names"), (1, "choice"),
        ("Birch.", "choice", "one of the names"),
    ],
}
