"""Typical wrong answers of chapter 20, each with the kind of error its check must name."""

import numpy as np

from landcarbon.assimilation import sample
from landcarbon.learning import emulator


def gradient(over=2.0, both=True, sign=1.0, in_place=False, all_at_once=False):
    """Central differences with one thing changed; `over` steps in the denominator."""

    def numerical_gradient(J, w, step):
        g = np.empty(w.size)
        for k in range(w.size):
            if in_place:
                w[k] += step
            e = np.full(w.size, step) if all_at_once else step * np.eye(w.size)[k]
            low = J(w - e) if both else J(w)
            g[k] = sign * (J(w + e) - low) / (over * step)
        return g

    return numerical_gradient


def softplus(a):
    return np.logaddexp(0.0, a)


def back(slope, mean=False, rows=False, transposed=False, hidden=softplus):
    """Backpropagation with one thing changed."""

    def backward(x, dy, W1, b1, W2):
        a = x @ W1 + b1
        h = hidden(a)
        da = (dy @ W2.T) * slope(a, h)
        n = len(x) if mean else 1
        dW1 = da.T @ x if transposed else x.T @ da
        return dW1 / n, (da if rows else da.sum(0)) / n, h.T @ dy / n, dy.sum(0) / n

    return backward


def right(a, h):
    return 1 / (1 + np.exp(-a))


def curve(test, fixed=True, root=True, seeded=True, extra=0):
    """A learning curve; `test` picks the test rows from (order, n)."""

    def learning_curve(x, y, sizes, fit, rng):
        rng = rng if seeded else np.random.default_rng(0)
        order = rng.permutation(len(x))
        out = []
        for n in sizes:
            if not fixed:
                order = rng.permutation(len(x))
            rows = order[: n + extra]
            asked = test(order, n)
            e = ((fit(x[rows], y[rows])(x[asked]) - y[asked]) ** 2).mean()
            out.append(np.sqrt(e) if root else e)
        return np.array(out)

    return learning_curve


def quarter(order, n):
    return order[-(len(order) // 4) :]


def weighted(n):
    """No emulator: n prior draws weighted by their likelihood."""

    def cheap(model, prior, data, rng):
        theta = prior.sample(n, rng)
        ll = data.log_likelihood(model(theta))
        w = np.exp(ll - ll.max())
        w /= w.sum()
        mean = w @ theta
        return mean, np.sqrt(w @ (theta - mean) ** 2)

    return cheap


def emulated(runs, kind="network", variance=False):
    def cheap(model, prior, data, rng):
        theta = emulator.design(prior, runs, rng)
        quick = emulator.fit(theta, model(theta), prior, kind, rng=rng)
        draws = sample(quick.posterior(data), "smc", rng=rng, n_draws=600)
        return draws.mean(), draws.sd() ** 2 if variance else draws.sd()

    return cheap


def judged(mark, pair=True):
    """A learning curve with another mark of the errors, or with y in another order than x."""

    def learning_curve(x, y, sizes, fit, rng):
        order = rng.permutation(len(x))
        test, rest = order[: len(x) // 4], order[len(x) // 4 :]
        given = y[rest] if pair else y[len(x) // 4 :]
        return np.array([mark(fit(x[rest[:n]], given[:n])(x[test]) - y[test]) for n in sizes])

    return learning_curve


def of_the_prior(model, prior, data, rng):
    """The data are not used."""
    model(prior.sample(10, rng))
    theta = prior.sample(4000, rng)
    return theta.mean(axis=0), theta.std(axis=0)


def in_units(model, prior, data, rng):
    u = prior.to_unit(of_the_prior(model, prior, data, rng)[0])
    return u + 0.5, 0 * u + 0.2


def half_widths(model, prior, data, rng):
    theta = emulator.design(prior, 100, rng)
    quick = emulator.refine(emulator.fit(theta, model(theta), prior, rng=rng), model, data, n=20, rounds=3, rng=rng)
    draws = sample(quick.posterior(data), "smc", rng=rng, n_draws=600)
    return draws.mean(), 1.645 * draws.sd()


def straight_hidden(x, dy, W1, b1, W2):
    dW1, db1, _, db2 = back(right)(x, dy, W1, b1, W2)
    return dW1, db1, (x @ W1 + b1).T @ dy, db2


WRONG = {
    "20.1": [
        (gradient(both=False, over=1.0), "limit"),
        (gradient(over=1.0), "value"),
        (gradient(sign=-1.0), "sign"),
        (gradient(in_place=True), "identity"),
        (gradient(all_at_once=True), "limit"),
        (lambda J, w, step: (J(w + step) - J(w - step)) / (2 * step), "shape"),
        (lambda J, w, step: gradient()(J, w, 0.01), "value"),
        (lambda J, w, step: gradient()(J, w, step) * 2 * step, "units", "once"),
        (lambda J, w, step: gradient()(J, w, step) / w.size, "value", "averaged"),
        (lambda J, w, step: np.abs(gradient()(J, w, step)), "sign", "negative"),
        (lambda J, w, step: gradient()(J, w, step) * w, "value", "grows with the weight"),
        (lambda J, w, step: gradient()(J, w.astype(int), step), "value", "whole numbers"),
    ],
    "20.2": [
        (back(lambda a, h: 1 - h**2), "limit"),
        (back(lambda a, h: 1 - np.tanh(a) ** 2), "limit"),
        (back(lambda a, h: 1.0), "limit"),
        (back(right, mean=True), "mass balance"),
        (back(right, rows=True), "shape"),
        (back(right, transposed=True), "transposed"),
        (back(right, hidden=np.tanh), "value"),
        (lambda *a: tuple(-v for v in back(right)(*a)), "sign", "turned round"),
        (lambda x, dy, W1, b1, W2: back(right)(x, dy, W1, 0 * b1, W2), "incomplete", "b1"),
        (straight_hidden, "incomplete", "softplus"),
        (back(lambda a, h: right(a, h) * (1 - right(a, h))), "limit", "straight line"),
        (back(lambda a, h: right(h, h)), "limit", "slope"),
        (lambda *a: tuple(back(right)(*a)[i] for i in (0, 2, 1, 3)), "shape"),
    ],
    "20.3": [
        (curve(lambda order, n: order[:n]), "leakage"),
        (curve(lambda order, n: order), "leakage"),
        (curve(quarter, extra=-1), "off by one"),
        (curve(quarter, fixed=False), "identity"),
        (curve(lambda order, n: order[n:]), "identity"),
        (curve(quarter, root=False), "units"),
        (curve(quarter, seeded=False), "seed"),
        (judged(lambda e: np.abs(e).mean()), "value", "absolute"),
        (judged(lambda e: np.sqrt((e**2).sum())), "value", "sum"),
        (judged(lambda e: abs(e.mean())), "value", "cancel"),
        (judged(lambda e: np.sqrt((e**2).mean()), pair=False), "value", "same order"),
        (lambda x, y, sizes, fit, rng: dict.fromkeys(sizes, 0.1), "shape"),
    ],
    "20.4": [
        (weighted(10_000), "choice"),
        (weighted(200), "value"),
        (emulated(60, variance=True), "units"),
        (emulated(12, kind="ridge"), "stopped"),
        (lambda model, prior, data, rng: (prior.table.default, prior.table.default / 10), "incomplete"),
        (of_the_prior, "incomplete", "prior"),
        (in_units, "units", "bounds"),
        (half_widths, "units", "half-widths"),
        (lambda model, prior, data, rng: model(prior.sample(50, rng)), "shape"),
        (lambda model, prior, data, rng: (prior.sample(50, rng), prior.sample(50, rng)), "shape"),
    ],
}
