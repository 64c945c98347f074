"""Typical wrong answers of chapter 16, each with the kind of error its check must name."""

import numpy as np


def effects(start=None, sign=abs, per_range=False, half=False, keep=False):
    """One at a time with one thing changed."""

    def one_at_a_time(model, low, default, high):
        base = {"low": low, None: default}[start].copy()
        found = []
        for k in range(len(default)):
            up, down = (base, base) if keep else (base.copy(), base.copy())
            up[k] = high[k]
            top = model(up)
            down[k] = default[k] if half else low[k]
            found.append(sign(top - model(down)) / (high[k] - low[k] if per_range else 1.0))
        return np.array(found)

    return one_at_a_time


def indices(first, total, centre=True, variance=True):
    """Sobol indices from two formulas."""

    def sobol_indices(y_A, y_B, y_AB):
        mean = np.mean(np.concatenate([y_A, y_B])) if centre else 0.0
        A, B, AB = y_A - mean, y_B - mean, y_AB - mean
        V = np.var(np.concatenate([A, B])) if variance else 1.0
        return first(A, B, AB) / V, total(A, B, AB) / V

    return sobol_indices


def S1(A, B, AB):
    return (B * (AB - A)).mean(axis=1)


def ST(A, B, AB):
    return 0.5 * ((A - AB) ** 2).mean(axis=1)


def band(noise=True, quadrature=True, levels=(0.05, 0.95), begin_used=True, gaps="out", percent=1.0,
         with_model=True, seeded=True):  # fmt: skip
    """Held-out coverage with one thing changed."""

    def held_out_coverage(observed, members, sd, model_error, begin, rng):
        rng = rng if seeded else np.random.default_rng()
        days = np.arange(begin if begin_used else 0, observed.size)
        if gaps == "out":
            days = days[np.isfinite(observed[days])]
        error = np.hypot(sd, model_error) if quadrature else sd + model_error
        error = error if with_model else sd
        made = members[:, days]
        if noise:
            made = made + np.nan_to_num(error[days]) * rng.standard_normal(made.shape)
        low, high = np.quantile(made, levels, axis=0)
        with np.errstate(invalid="ignore"):
            inside = (low < observed[days]) & (observed[days] < high)
        if gaps == "nan":
            inside = np.where(np.isfinite(observed[days]), inside, np.nan)
        return percent * inside.mean()

    return held_out_coverage


WRONG = {
    "16.1": [
        (effects(start="low"), "identity"),
        (effects(keep=True), "identity"),
        (effects(sign=lambda x: x), "sign"),
        (effects(half=True), "value"),
        (effects(per_range=True), "value"),
        (lambda model, low, default, high: abs(model(high) - model(low)), "shape"),
        (lambda model, low, default, high: [abs(model(default + 10 * e) - model(default))
                                            for e in np.eye(4)], "limit"),
    ],
    "16.2": [
        (indices(S1, lambda A, B, AB: 2 * ST(A, B, AB)), "identity"),
        (indices(S1, ST, variance=False), "units"),
        (indices(S1, ST, centre=False), "limit"),
        (indices(ST, S1), "transposed"),
        (indices(S1, S1), "value"),
        (indices(ST, ST), "value"),
        (indices(lambda A, B, AB: (A * (AB - A)).mean(axis=1), ST), "transposed"),
        (indices(lambda A, B, AB: (A * AB).mean(axis=1), ST), "transposed", "one column exchanged"),
        (indices(lambda A, B, AB: (A * (AB - B)).mean(axis=1), ST), "transposed", "one column exchanged"),
        (lambda A, B, AB: indices(S1, ST)(A, B, AB)[0], "shape"),
    ],
    "16.3": [
        (band(noise=False), "limit"),
        (band(quadrature=False), "value"),
        (band(levels=(0.025, 0.975)), "value"),
        (band(begin_used=False), "leakage"),
        (band(gaps="in"), "incomplete"),
        (band(gaps="nan"), "not finite"),
        (band(percent=100.0), "units"),
        (band(with_model=False), "identity"),
        (band(seeded=False), "seed"),
    ],
}
