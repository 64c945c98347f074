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


def from_singular_values(of):
    return lambda J, sd, prior_sd: of(np.linalg.svd(scaled(J, sd, prior_sd), compute_uv=False)).sum()


def in_rounds(bits, shifted=False, remember=None):
    """Greedy with its rounds changed: the place among those left, or the last choices only in hand."""

    def choose(S, n):
        chosen = []
        for _ in range(n):
            left = [k for k in range(len(S)) if k not in chosen]
            hand = chosen if remember is None else chosen[-remember:]
            found = [bits(S[[*hand, k]]) for k in left]
            chosen.append(int(np.argmax(found)) if shifted else left[int(np.argmax(found))])
        return chosen

    return choose


WRONG = {
    "17.1": [
        (lambda before, after: np.log(before / after), "value"),
        (lambda before, after: np.log2(after / before), "sign"),
        (lambda before, after: before - after, "units"),
        (lambda before, after: 1 - after / before, "identity"),
        (lambda before, after: before / after, "limit"),
        (lambda before, after: 0.5 * np.log2(before / after), "value"),
        (lambda before, after: np.log10(before / after), "value", "Which base"),
        (lambda before, after: np.log2(before**2 / after**2), "value", "or variances"),
        (lambda before, after: round(np.log2(before / after)), "value", "Do not round"),
        (lambda before, after: 0.5 * np.log2(1 + (before / after) ** 2), "limit"),
        (lambda before, after: 100 * (1 - after / before), "identity"),
    ],
    "17.2": [
        (natural, "units"),
        (no_half, "value", "one half"),
        (without_errors, "units"),
        (without_prior, "units"),
        (separate, "identity"),
        (by_datum, "shape"),
        (lambda J, sd, prior_sd: bits_of(J * prior_sd / sd[:, None] ** 2), "units", "the data"),
        (lambda J, sd, prior_sd: bits_of(J * prior_sd**2 / sd[:, None]), "units", "a parameter"),
        (lambda J, sd, prior_sd: bits_of(scaled(J, sd, prior_sd)) * np.log10(2.0), "units", "base 10"),
        (from_singular_values(lambda s: s**2 / (1 + s**2)), "choice", "degrees of freedom"),
        (from_singular_values(lambda s: 0.5 * np.log2(1 + s)), "value"),
        (lambda J, sd, prior_sd: -bits_of(scaled(J, sd, prior_sd)), "sign"),
    ],
    "17.3": [
        (best_singles, "choice"),
        (again, "incomplete"),
        (worst, "choice"),
        (counted_from_one, "off by one"),
        (lambda S, n: best_singles(S, n - 1), "shape"),
        (lambda S, n: list(range(n)), "choice"),
        (in_rounds(bits_of, remember=1), "choice", "chosen before it"),
        (in_rounds(bits_of, shifted=True), "incomplete", "not its row"),
        (lambda S, n: in_rounds(bits_of)(S, n)[::-1], "choice", "first measurement"),
        (lambda S, n: set(in_rounds(bits_of)(S, n)), "shape"),
        (lambda S, n: S[in_rounds(bits_of)(S, n)], "shape"),
    ],
}
