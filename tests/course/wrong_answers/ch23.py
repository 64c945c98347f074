"""Typical wrong answers of chapter 23, each with the kind of error its check must name."""

import numpy as np

BOTH = ("initial", "parameters")


def season(history, lead, period, shift=-1):
    return history[(len(history) + shift + lead) % period :: period].mean()


def shares_without_interaction(run):
    a, b = run(("initial",)).var(ddof=1), run(("parameters",)).var(ddof=1)
    return {"initial": a, "parameters": b, "interaction": 0.0}


def standard_deviations(run):
    a, b, both = (run(on).std(ddof=1) for on in (("initial",), ("parameters",), BOTH))
    return {"initial": a, "parameters": b, "interaction": both - a - b}


def what_is_lost(run):
    total = run(BOTH).var(ddof=1)
    a, b = total - run(("parameters",)).var(ddof=1), total - run(("initial",)).var(ddof=1)
    return {"initial": a, "parameters": b, "interaction": total - a - b}


def positive_interaction(run):
    a, b, both = (run(on).var(ddof=1) for on in (("initial",), ("parameters",), BOTH))
    return {"initial": a, "parameters": b, "interaction": abs(both - a - b)}


def pairs(x):
    return np.abs(x[:, None] - x).mean()


def lower(score, null, rng, paired=True):
    n = len(score)
    pick = rng.integers(n, size=(500, n))
    other = pick if paired else rng.integers(n, size=(500, n))
    return np.quantile(1 - score[pick].mean(1) / null[other].mean(1), 0.025, axis=0)


def run_of(ahead):
    return len(ahead) if ahead.all() else int(ahead.argmin())


def three(run):
    """Variances of the two sources and of both."""
    return tuple(run(on).var(ddof=1) for on in (("initial",), ("parameters",), BOTH))


def named(parts):
    return lambda run: dict(zip(("initial", "parameters", "interaction"), parts(*three(run))))


def ratios(score, null, rng):
    """Mean of the skills of single dates."""
    pick = rng.integers(len(score), size=(500, len(score)))
    return run_of(np.quantile((1 - score / null)[pick].mean(1), 0.025, axis=0) > 0)


WRONG = {
    "23.1": [
        (lambda h, lead, p: (h[-1], season(h, lead, p, 0)), "off by one"),
        (lambda h, lead, p: (h[-1], h.mean()), "limit"),
        (lambda h, lead, p: (season(h, lead, p), h[-1]), "transposed"),
        (lambda h, lead, p: (h[-lead], season(h, lead, p)), "limit"),
        (lambda h, lead, p: (h[-1], h[len(h) - 1 + lead - p]), "value"),
        (lambda h, lead, p: (h[-1], season(h, lead, p, -1 - lead)), "off by one", "issue date"),
        (lambda h, lead, p: (h[-1], h[lead::p].mean()), "off by one", "first day"),
        (lambda h, lead, p: (h[-1], h[-p:].mean()), "limit", "last year"),
        (lambda h, lead, p: (h[-1], np.median(h[(len(h) - 1 + lead) % p :: p])), "value", "median"),
        (lambda h, lead, p: (h[-lead:].mean(), season(h, lead, p)), "limit"),
    ],
    "23.2": [
        (shares_without_interaction, "identity"),
        (standard_deviations, "units"),
        (what_is_lost, "limit"),
        (positive_interaction, "identity"),
        (lambda run: tuple(standard_deviations(run).values()), "shape", "dict"),
        (named(lambda a, b, t: (a / t, b / t, (t - a - b) / t)), "units", "shares"),
        (named(lambda a, b, t: (a, b, t)), "identity", "remains"),
        (named(lambda a, b, t: (a, b, a + b - t)), "sign", "wrong sign"),
        (named(lambda a, b, t: (b, a, t - a - b)), "transposed", "names"),
        (lambda run: {"initial": 1.0, "parameters": 1.0, "interactions": 0.0}, "incomplete", "called"),
    ],
    "23.3": [
        (lambda x, y: np.abs(x - y).mean(), "incomplete"),
        (lambda x, y: np.abs(x - y).mean() - pairs(x), "value"),
        (lambda x, y: ((x - y) ** 2).mean() - pairs(x) ** 2 / 2, "units"),
        (lambda x, y: pairs(x) / 2 - np.abs(x - y).mean(), "sign"),
        (lambda x, y: abs(x.mean() - y), "value", "mean of the members"),
        (lambda x, y: np.abs(x - y) - pairs(x) / 2, "shape"),
        (lambda x, y: np.abs(x - y).mean() - pairs(x) * len(x) / max(len(x) - 1, 1) / 2, "value", "fair"),
        (lambda x, y: np.abs(x - y).mean() + pairs(x) / 2, "sign", "subtracted"),
        (lambda x, y: np.abs(x - y).mean() - pairs(x) / 4, "value", "twice"),
        (lambda x, y: np.abs(x - y).sum() - np.abs(x[:, None] - x).sum() / 2, "value", "sums"),
        (lambda x, y: np.abs(x - y).mean() - x.std() / 2, "value", "standard deviation"),
        (lambda x, y: np.abs(x - y).mean() - np.abs(np.diff(np.sort(x))).mean() / 2, "incomplete", "neighbours"),
    ],
    "23.4": [
        (lambda s, n, rng: run_of(1 - s.mean(0) / n.mean(0) > 0), "leakage"),
        (lambda s, n, rng: run_of(lower(s, n, rng, paired=False) > 0), "seed"),
        (lambda s, n, rng: int((lower(s, n, rng) > 0).sum()), "identity"),
        (lambda s, n, rng: run_of(lower(s, n, rng) > 0) - 1, "off by one"),
        (lambda s, n, rng: lower(s, n, rng) > 0, "shape"),
        (lambda s, n, rng: run_of(lower(n, s, rng) > 0), "sign", "score over null"),
        (ratios, "identity", "mean over a mean"),
        (lambda s, n, rng: int(np.argmin(lower(s, n, rng) > 0)), "limit"),
        (lambda s, n, rng: run_of((s < n).mean(0) > 0.5), "leakage"),
        (lambda s, n, rng: int(np.flatnonzero(np.append(lower(s, n, rng), 1)[::-1] > 0)[0]) * 0 + 6, "value"),
    ],
}
