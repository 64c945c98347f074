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


WRONG = {
    "20.1": [
        (gradient(both=False, over=1.0), "limit"),
        (gradient(over=1.0), "value"),
        (gradient(sign=-1.0), "sign"),
        (gradient(in_place=True), "identity"),
        (gradient(all_at_once=True), "limit"),
        (lambda J, w, step: (J(w + step) - J(w - step)) / (2 * step), "shape"),
        (lambda J, w, step: gradient()(J, w, 0.01), "value"),
    ],
    "20.2": [
        (back(lambda a, h: 1 - h**2), "limit"),
        (back(lambda a, h: 1 - np.tanh(a) ** 2), "limit"),
        (back(lambda a, h: 1.0), "limit"),
        (back(right, mean=True), "mass balance"),
        (back(right, rows=True), "shape"),
        (back(right, transposed=True), "transposed"),
        (back(right, hidden=np.tanh), "value"),
    ],
    "20.3": [
        (curve(lambda order, n: order[:n]), "leakage"),
        (curve(lambda order, n: order), "leakage"),
        (curve(quarter, extra=-1), "off by one"),
        (curve(quarter, fixed=False), "identity"),
        (curve(lambda order, n: order[n:]), "identity"),
        (curve(quarter, root=False), "units"),
        (curve(quarter, seeded=False), "seed"),
    ],
    "20.4": [
        (weighted(10_000), "choice"),
        (weighted(200), "value"),
        (emulated(60, variance=True), "units"),
        (emulated(12, kind="ridge"), "stopped"),
        (lambda model, prior, data, rng: (prior.table.default, prior.table.default / 10), "incomplete"),
    ],
}
