"""Typical wrong answers of chapter 21, each with the kind of error its check must name."""

import numpy as np
from sklearn.linear_model import Ridge

from landcarbon.learning import Prediction
from landcarbon.learning.task import Scaling


def leaky(fit, predict, x, y, fold):
    return predict(fit(x, y), x)


def turned(fit, predict, x, y, fold):
    out = np.empty(len(y))
    for k in np.unique(fold):
        out[fold != k] = predict(fit(x[fold == k], y[fold == k]), x[fold != k])
    return out


def stacked(fit, predict, x, y, fold):
    order = np.random.default_rng(0).permutation(4)
    parts = [predict(fit(x[fold != k], y[fold != k]), x[fold == k]) for k in order]
    return np.concatenate(parts)


def shares(model, theta, groups, left=False, one=False):
    full = model(theta).var(axis=1)
    out = {}
    for name, columns in groups.items():
        swapped = theta.copy()
        swapped[..., columns] = theta[..., columns].mean(axis=1, keepdims=True)
        ratio = model(swapped).var(axis=1) / full
        share = ratio if left else 1 - ratio
        out[name] = (np.median(share),) * 3 if one else tuple(np.quantile(share, [0.5, 0.05, 0.95]))
    return out


class Rival:
    """Ridge regression of a site's mean ln carbon on its covariates, spoilt in one way."""

    name = "mine"

    def __init__(self, fault):
        self.fault = fault

    def learn(self, task, rng):
        scale = Scaling.of(task.covariates)
        y = np.where(task.data.mask, task.data.data, np.nan)
        y = np.nanmean(np.exp(y) if self.fault == "carbon" else y, axis=1)
        if self.fault == "blind":
            y = np.full_like(y, y.mean())
        if self.fault == "deaf":
            y = np.linspace(8.0, 9.0, y.size)
        made = Ridge(30.0).fit(scale(task.covariates), y)
        return None if self.fault == "no predictor" else Predictor(self.fault, scale, made)


class Predictor:
    def __init__(self, fault, scale, made):
        self.fault, self.scale, self.made = fault, scale, made

    def predict(self, places, rng, n_draws):
        mean = self.made.predict(self.scale(places.covariates))
        if self.fault == "a site":
            return Prediction(mean)
        mean = np.repeat(mean[:, None], places.data.data.shape[1], axis=1)
        return Prediction(0.5 * (mean + places.data.data) if self.fault == "peeks" else mean)


def one_model(fit, predict, x, y, fold):
    """Trained once, without the first fold, and used for all."""
    return predict(fit(x[fold != 0], y[fold != 0]), x)


def pairs(measure=np.abs, itself=False, both=False, turned=False):
    """Pairs of maps that go together, with one thing changed."""

    def answer(z, names, limit):
        r = measure(np.corrcoef(z if turned else z.T))
        n = len(names)
        return [(names[i], names[j]) for j in range(n) for i in range(n)
                if (i < j or (both and i != j) or (itself and i == j)) and r[i, j] >= limit]

    return answer


def covered(scale="train", fault=""):
    """Where a map holds, with one thing changed."""

    def nearest(a, b):
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)).min(axis=1)

    def answer(x, fold, new):
        by = {"train": x, "new": new, "both": np.concatenate([x, new])}.get(scale)
        centre, sd = (0.0, 1.0) if by is None else (by.mean(axis=0), by.std(axis=0))
        x, new = (x - centre) / sd, (new - centre) / sd
        apart = np.concatenate([nearest(x[fold == k], x[fold != k]) for k in np.unique(fold)])
        if fault == "itself":
            apart = nearest(x, x)
        limit = apart.mean() if fault == "mean" else apart.max()
        found = nearest(new, x) <= limit
        return {"turned": ~found, "distance": nearest(new, x), "short": found[:5]}.get(fault, found)

    return answer


def fold_by_fold(fit, predict, x, y, fold):
    """Right predictions, in the order of the folds."""
    folds = np.unique(fold)
    return np.concatenate([predict(fit(x[fold != k], y[fold != k]), x[fold == k]) for k in folds])


def last_fold_forgotten(fit, predict, x, y, fold):
    out = np.zeros(len(y))
    for k in range(fold.max()):
        out[fold == k] = predict(fit(x[fold != k], y[fold != k]), x[fold == k])
    return out


class AsTheyStand:
    """The three most similar places, by covariates in whatever unit they come."""

    name = "as they stand"

    def learn(self, task, rng):
        data = np.where(task.data.mask, task.data.data, np.nan)
        return Nearest(task.covariates.to_numpy(float), np.nanmean(data, axis=1))


class Nearest:
    def __init__(self, known, mean):
        self.known, self.mean = known, mean

    def predict(self, places, rng, n_draws=100):
        gap = ((places.covariates.to_numpy(float)[:, None] - self.known[None]) ** 2).sum(axis=2)
        mean = self.mean[np.argsort(gap, axis=1)[:, :3]].mean(axis=1)
        return Prediction(np.repeat(mean[:, None], places.data.data.shape[1], axis=1))


WRONG = {
    "21.1": [
        (lambda a, b: 1 - b.std(axis=0) / a.std(axis=0), "units"),
        (lambda a, b: b.var(axis=0) / a.var(axis=0), "limit"),
        (lambda a, b: 1 - b.var() / a.var(), "shape"),
        (lambda a, b: 1 - (b**2).mean(axis=0) / (a**2).mean(axis=0), "value", "wherever its mean went"),
        (lambda a, b: 1 - a.var(axis=0) / b.var(axis=0), "transposed", "turned round"),
    ],
    "21.2": [
        (leaky, "leakage"),
        (turned, "leakage"),
        (stacked, "value"),
        (one_model, "value", "One model for each fold"),
        (lambda fit, predict, x, y, fold: [leaky(fit, predict, x[fold == k], y[fold == k], fold) for k in range(4)],
         "shape"),
        (fold_by_fold, "value", "places of their own"),
        (last_fold_forgotten, "incomplete", "last fold"),
    ],
    "21.3": [
        (lambda m, t, g: shares(m, t, g, left=True), "limit"),
        (lambda m, t, g: shares(m, t, g, one=True), "value"),
        (lambda m, t, g: {"input": (1, 1, 1)}, "incomplete"),
        (lambda m, t, g: shares(m, t.mean(axis=0)[None], g), "value", "interval"),
        (lambda m, t, g: {k: v[::-1] for k, v in shares(m, t, g).items()}, "shape", "order"),
    ],
    "21.4": [
        (Rival("no predictor"), "incomplete"),
        (Rival("a site"), "shape"),
        (Rival("peeks"), "leakage"),
        (Rival("carbon"), "units"),
        (Rival("deaf"), "value"),
        (Rival("blind"), "limit"),
        (AsTheyStand(), "units", "one scale"),
        (AsTheyStand, "shape", "the class AsTheyStand itself"),
    ],
    "21.5": [
        (pairs(lambda r: r), "sign"),
        (pairs(itself=True), "identity", "itself"),
        (pairs(both=True), "identity", "twice"),
        (pairs(np.square), "units"),
        (lambda z, names, limit: np.abs(np.corrcoef(z.T)) >= limit, "shape"),
        (lambda z, names, limit: {("warm", "cold"), ("deep", "slow")}, "value"),
        (lambda z, names, limit: pairs()(z, names, limit) or [tuple(names)], "limit"),
    ],
    "21.6": [
        (covered(fault="short"), "shape"),
        (covered(fault="distance"), "shape", "True where"),
        (covered(fault="itself"), "leakage", "nearest to itself"),
        (covered(scale="none"), "units"),
        (covered(scale="both"), "leakage", "training places only"),
        (covered(fault="turned"), "sign"),
        (covered(fault="mean"), "value"),
    ],
}
