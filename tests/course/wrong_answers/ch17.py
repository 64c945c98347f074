"""Typical wrong answers of chapter 17, each with the kind of error its check must name."""

import numpy as np


def scaled(J, sd, prior_sd):
    return J * prior_sd / sd[:, None]


def bits_of(S):
    return 0.5 * np.linalg.slogdet(np.eye(len(S)) + S @ S.T)[1] / np.log(2.0)


def natural(J, sd, prior_sd):
    return bits_of(scaled(J, sd, prior_sd)) * np.log(2.0)


def no_half(J, sd, prior_sd):
    return 2 * bits_of(scaled(J, sd, prior_sd))


def without_errors(J, sd, prior_sd):
    return bits_of(J * prior_sd)


def without_prior(J, sd, prior_sd):
    return bits_of(J / sd[:, None])


def separate(J, sd, prior_sd):
    """Bits of each datum alone, summed."""
    return 0.5 * np.log2(1.0 + (scaled(J, sd, prior_sd) ** 2).sum(1)).sum()


def by_datum(J, sd, prior_sd):
    return 0.5 * np.log2(1.0 + (scaled(J, sd, prior_sd) ** 2).sum(1))


def no_one(J, sd, prior_sd):
    """log det of S Sᵀ alone, singular with more data than parameters."""
    S = scaled(J, sd, prior_sd)
    return 0.5 * np.linalg.slogdet(S @ S.T)[1] / np.log(2.0)


def best_singles(S, n):
    return list(np.argsort([-bits_of(S[[k]]) for k in range(len(S))])[:n])


def again(S, n):
    return [best_singles(S, 1)[0]] * n


def worst(S, n):
    return list(np.argsort([bits_of(S[[k]]) for k in range(len(S))])[:n])


def counted_from_one(S, n):
    return [k + 1 for k in best_singles(S, n - 1)] + [len(S)]


WRONG = {
    "17.1": [
        (lambda before, after: np.log(before / after), "value"),
        (lambda before, after: np.log2(after / before), "sign"),
        (lambda before, after: before - after, "units"),
        (lambda before, after: 1 - after / before, "identity"),
        (lambda before, after: before / after, "limit"),
        (lambda before, after: 0.5 * np.log2(before / after), "value"),
    ],
    "17.2": [
        (natural, "units"),
        (no_half, "value"),
        (without_errors, "units"),
        (without_prior, "units"),
        (separate, "identity"),
        (by_datum, "shape"),
    ],
    "17.3": [
        (best_singles, "choice"),
        (again, "incomplete"),
        (worst, "choice"),
        (counted_from_one, "off by one"),
        (lambda S, n: best_singles(S, n - 1), "shape"),
        (lambda S, n: list(range(n)), "choice"),
    ],
}
