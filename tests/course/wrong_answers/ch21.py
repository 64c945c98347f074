"""Typical wrong answers of chapter 21, each with the kind of error its check must name."""

import numpy as np


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


def one_model(fit, predict, x, y, fold):
    """Trained once, without the first fold, and used for all."""
    return predict(fit(x[fold != 0], y[fold != 0]), x)


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
    ],
    "21.3": [
        (lambda m, t, g: shares(m, t, g, left=True), "limit"),
        (lambda m, t, g: shares(m, t, g, one=True), "value"),
        (lambda m, t, g: {"input": (1, 1, 1)}, "incomplete"),
        (lambda m, t, g: shares(m, t.mean(axis=0)[None], g), "value", "interval"),
        (lambda m, t, g: {k: v[::-1] for k, v in shares(m, t, g).items()}, "shape", "order"),
    ],
}
