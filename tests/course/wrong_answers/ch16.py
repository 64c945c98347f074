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


def from_the_default(model, low, default, high):
    """The way to the upper bound plus the way to the lower one."""
    found = []
    for k in range(len(default)):
        up, down = default.copy(), default.copy()
        up[k], down[k] = high[k], low[k]
        found.append(abs(model(up) - model(default)) + abs(model(down) - model(default)))
    return np.array(found)


def at_their_bounds(model, low, default, high):
    """All others at their bounds."""
    found = []
    for k in range(len(default)):
        up, down = high.copy(), low.copy()
        up[k] = down[k] = default[k]
        found.append(abs(model(up) - model(down)))
    return np.array(found)


def another_band(ends=lambda made: np.quantile(made, (0.05, 0.95), axis=0), error=np.hypot, spread=True, shared=False,
                 result=lambda inside: inside.mean()):  # fmt: skip
    """Held-out coverage with the ends, the error, the members or the result changed."""

    def held_out_coverage(observed, members, sd, model_error, begin, rng):
        days = np.flatnonzero(np.isfinite(observed))
        days = days[days >= begin]
        x = members[:, days] if spread else np.tile(members[:, days].mean(axis=0), (len(members), 1))
        noise = rng.standard_normal(x.shape)
        made = x + error(sd, model_error)[days] * (noise[:1] if shared else noise)
        low, high = ends(made)
        return result((low < observed[days]) & (observed[days] < high))

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
        (from_the_default, "value", "with each other"),
        (at_their_bounds, "limit", "Nothing else may change"),
        (lambda *given: np.argsort(effects()(*given)), "choice", "the order"),
        (lambda *given: dict(enumerate(effects()(*given))), "shape"),
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
        (indices(S1, lambda A, B, AB: 0.5 * ((B - AB) ** 2).mean(axis=1)), "transposed", "Your ST"),
        (indices(S1, lambda A, B, AB: np.var(A) - S1(A, B, AB)), "transposed", "Your ST"),
        (indices(lambda A, B, AB: 0.5 * S1(A, B, AB), ST), "mass balance"),
        (lambda A, B, AB: (indices(S1, ST)(A, B, AB)[0].sum(), indices(S1, ST)(A, B, AB)[1].sum()), "shape"),
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
        (another_band(ends=lambda made: np.quantile(made, (0.05, 0.95))), "identity", "axis 0"),
        (another_band(ends=lambda made: np.quantile(made, (0.05, 0.95), axis=1).mean(axis=1)), "identity", "axis 0"),
        (another_band(error=lambda sd, e: sd**2 + e**2), "value", "root"),
        (another_band(error=lambda sd, e: np.full_like(sd, e)), "value", "one of the two errors"),
        (another_band(ends=lambda made: made.mean(0) + made.std(0) * [[-1.0], [1.0]]), "value", "one standard"),
        (another_band(spread=False), "value", "spread of the members"),
        (another_band(shared=True), "limit", "of its own"),
        (another_band(result=lambda inside: 1 - inside.mean()), "transposed", "outside"),
        (another_band(result=lambda inside: inside.sum()), "units", "no count"),
    ],
}
