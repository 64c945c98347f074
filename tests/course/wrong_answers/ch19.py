"""Typical wrong answers of chapter 19, each with the kind of error its check must name."""

import numpy as np


def of_the_test_sites(o, p, train):
    return 1 - ((o - p) ** 2).sum() / ((o - o.mean()) ** 2).sum()


def correlation(o, p, train):
    return np.corrcoef(o, p)[0, 1] ** 2 if np.ptp(p) else 0.0


def never_below_zero(o, p, train):
    return max(0.0, 1 - ((o - p) ** 2).sum() / ((o - train.mean()) ** 2).sum())


def roots(o, p, train):
    return 1 - np.abs(o - p).sum() / np.abs(o - train.mean()).sum()


def sites_at_random(lat, lon, size, n_folds, rng):
    return rng.permutation(len(lat)) % n_folds


def in_order(lat, lon, size, n_folds, rng):
    return np.arange(len(lat)) * n_folds // len(lat)


def dealt(cell, n_folds, rng):
    block = np.unique(cell, axis=0, return_inverse=True)[1].ravel()
    n = block.max() + 1
    fold = np.empty(n, dtype=int)
    fold[rng.permutation(n)] = np.arange(n) % n_folds
    return fold[block]


def bands(lat, lon, size, n_folds, rng):
    return dealt(np.floor(lat / size)[:, None], n_folds, rng)


def truncated(lat, lon, size, n_folds, rng):
    return dealt(np.stack([lat / size, lon / size], axis=1).astype(int), n_folds, rng)


def nearest_corner(lat, lon, size, n_folds, rng):
    return dealt(np.round(np.stack([lat, lon], axis=1) / size), n_folds, rng)


def own_seed(lat, lon, size, n_folds, rng):
    return dealt(np.floor(np.stack([lat, lon], axis=1) / size), n_folds, np.random.default_rng(0))


def thrown(lat, lon, size, n_folds, rng):
    block = np.unique(np.floor(np.stack([lat, lon], axis=1) / size), axis=0, return_inverse=True)[1].ravel()
    return rng.integers(n_folds, size=block.max() + 1)[block]


def from_one(lat, lon, size, n_folds, rng):
    return 1 + dealt(np.floor(np.stack([lat, lon], axis=1) / size), n_folds, rng)


def interval(how):
    def answer(fit, predict, x, y, biome, left_out, level):
        here = biome == left_out
        a, b, group = x[~here], y[~here], biome[~here]
        model = fit(a, b)
        p = predict(model, x[here])
        if how == "training":
            error = np.abs(b - predict(model, a))
        elif how == "peeking":
            error = np.abs(y[here] - p)
        elif how == "all":
            p = predict(fit(x, y), x[here])
            error = np.abs(y - predict(fit(x, y), x))
        else:
            fold = np.arange(len(b)) % 5 if how == "random" else group
            error = np.concatenate([
                np.abs(b[fold == k] - predict(fit(a[fold != k], b[fold != k]), a[fold == k])) for k in np.unique(fold)
            ])
        q = 1.645 * error.std() if how == "bell" else np.sort(error)[int(np.ceil((len(error) + 1) * level)) - 1]
        if how == "quantile":
            q = np.quantile(error, level)
        return p - q, p + q

    return answer


def by_number(number, degrees=None):
    """Blocks by one number each, made of their two: far blocks may get the same."""

    def answer(lat, lon, size, n_folds, rng):
        return dealt(number(*np.floor(np.stack([lat, lon]) / (degrees or size)))[:, None], n_folds, rng)

    return answer


def of_numpy(lat, lon, size, n_folds, rng):
    return dealt(np.floor(np.stack([lat, lon], axis=1) / size), n_folds, np.random)


def calibrated(how):
    """Biomes left out in turn, as it should be, with something else made wrong."""

    def answer(fit, predict, x, y, biome, left_out, level):
        known, errors = biome != left_out, []
        for other in np.unique(biome[known]):
            at = biome == other
            rest = ~at if how == "all others" else known & ~at
            rest, at = (at, rest) if how == "turned" else (rest, at)
            e = predict(fit(x[rest], y[rest]), x[at]) - y[at]
            errors.append(e if how == "signed" else np.abs(e))
        e = np.sort(np.concatenate(errors))
        k = int(np.ceil((len(e) + 1) * level)) - 1
        q = np.mean([np.quantile(v, level) for v in errors]) if how == "mean" else e[k]
        q, p = (q / 2 if how == "half" else q), predict(fit(x[known], y[known]), x[~known])
        return (p + q, p - q) if how == "order" else (p - q, p + q)

    return answer


WRONG = {
    "19.1": [
        (of_the_test_sites, "leakage"),
        (correlation, "limit"),
        (never_below_zero, "sign"),
        (roots, "value"),
        (lambda o, p, train: ((o - p) ** 2).sum() / ((o - train.mean()) ** 2).sum(), "limit"),
        (lambda o, p, train: 1 - np.sqrt(((o - p) ** 2).sum() / ((o - train.mean()) ** 2).sum()), "units", "roots"),
        (lambda o, p, train: 1 - ((o - p) ** 2).sum() / ((o - np.median(train)) ** 2).sum(), "identity"),
        (lambda o, p, train: 1 - ((o - p) ** 2).mean() / train.var(), "identity"),
        (lambda o, p, train: 1 - (o - p) ** 2 / (o - train.mean()) ** 2, "shape", "all test sites"),
        (lambda o, p, train: ((o - p) ** 2).mean(), "limit"),
    ],
    "19.2": [
        (sites_at_random, "leakage"),
        (in_order, "leakage"),
        (nearest_corner, "leakage"),
        (bands, "choice"),
        (truncated, "off by one"),
        (own_seed, "seed"),
        (thrown, "value"),
        (from_one, "incomplete"),
        (by_number(lambda a, b: a + b), "choice", "sum or product"),
        (by_number(lambda a, b: a * b), "choice", "sum or product"),
        (by_number(lambda a, b: 1000 * a + b, degrees=4.0), "units", "larger"),
        (of_numpy, "seed", "np.random"),
        (lambda lat, lon, size, n_folds, rng: (lat // size + lon // size).astype(int) % n_folds, "seed"),
    ],
    "19.3": [
        (interval("training"), "leakage"),
        (interval("peeking"), "leakage"),
        (interval("all"), "leakage"),
        (interval("random"), "choice"),
        (interval("quantile"), "value"),
        (interval("bell"), "limit"),
        (calibrated("all others"), "leakage", "left out"),
        (calibrated("turned"), "choice"),
        (calibrated("signed"), "value", "absolute"),
        (calibrated("mean"), "value", "k-th smallest"),
        (calibrated("half"), "value"),
        (calibrated("order"), "sign"),
    ],
}
