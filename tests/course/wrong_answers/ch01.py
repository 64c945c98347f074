"""Typical wrong answers of chapter 01, each with the kind of error its check must name."""

import numpy as np

from landcarbon.matrix.simulate import simulate

P, R = 2.124, 3.664


def way(there, back=None):
    return (there, back or (lambda gt: gt / (P * R)))


def rest(*, ppm=P, emissions=1.0, land=1.0, sd_ppm=P, add=None):
    def imbalance(fossil, land_use_change, growth_ppm, ocean_sink, land_sink, sd):
        b = emissions * (fossil + land_use_change) - ppm * growth_ppm - ocean_sink - land * land_sink
        parts = np.array([sd["fossil"], sd["land_use_change"], sd_ppm * sd["growth_ppm"],
                          sd["ocean_sink"], sd["land_sink"]])
        return b, (add or (lambda e: np.sqrt((e**2).sum())))(parts)

    return imbalance


def times(*, from_empty=False, growth_of=lambda g, t: (1 + g) ** t, npp_to_run=True, summed=True,
          upside_down=False, respired=1.0):
    def apparent_times(model, growth, t):
        npp = 300 * growth_of(growth, t)
        start = np.zeros(model.n) if from_empty else model.steady_state(300.0)
        I = (lambda s: 300 * growth_of(growth, s)) if npp_to_run else 300.0
        states = simulate(model, t, X0=start, I=I).X.values
        out = respired * model.respiration(states).sum(axis=-1)
        X = states.sum(axis=-1) if summed else states
        if upside_down:
            return {"X": X, "npp": npp, "respiration": out, "by_npp": npp / X, "by_respiration": out / X}
        return {
            "X": X, "npp": npp, "respiration": out,
            "by_npp": (X.T / npp).T, "by_respiration": (X.T / np.maximum(out, 1e-9)).T,
        }

    return apparent_times


def fluxes_of_steps(model, growth, t):
    """The respiration of the run, which has one entry for each step."""
    run = simulate(model, t, X0=model.steady_state(300.0), I=lambda s: 300 * (1 + growth) ** s)
    X, out = run.X.sum("pool").values, run.respiration.sum("pool").values
    npp = 300 * (1 + growth) ** t
    return {"X": X, "npp": npp, "respiration": out, "by_npp": X / npp, "by_respiration": X / out}


WRONG = {
    "01.1": [
        (way(lambda ppm: ppm * P), "units"),
        (way(lambda ppm: ppm * P / R), "units"),
        (way(lambda ppm: ppm / P * R), "units"),
        (way(lambda ppm: ppm * 2.0 * R), "value"),
        (way(lambda ppm: ppm * P * R, lambda gt: gt * P * R), "identity"),
        (way(lambda ppm: ppm * P * R + 1), "limit"),
        (lambda ppm: ppm * P * R, "shape"),
        ((7.78, 0.128), "shape", "without brackets"),
        (way(lambda ppm: ppm * P * R, lambda gt: gt * R / P), "identity"),
    ],
    "01.2": [
        (rest(ppm=1.0), "units"),
        (rest(ppm=1 / P), "units"),
        (rest(sd_ppm=1.0), "units"),
        (rest(emissions=-1.0), "sign"),
        (rest(land=-1.0), "sign"),
        (rest(add=np.sum), "identity"),
        (rest(add=lambda e: np.sqrt((e**2).mean())), "value"),
        (rest(land=0.9), "mass balance"),
        (lambda **given: rest()(**given)[0], "shape"),
        (rest(ppm=P * R), "units", "mass of CO₂"),
        (rest(add=lambda e: (e**2).sum()), "units", "its root"),
        (rest(add=lambda e: np.sqrt((e[[0, 1, 2, 4]] ** 2).sum())), "value", "ocean_sink: 0 from 0.5"),
        (rest(sd_ppm=np.sqrt(P)), "value", "growth_ppm"),
    ],
    "01.3": [
        (times(from_empty=True), "limit"),
        (times(upside_down=True), "limit"),
        (times(growth_of=lambda g, t: 1 + g * t), "value"),
        (times(npp_to_run=False), "mass balance"),
        (times(summed=False), "shape"),
        (times(respired=0.9), "limit"),
        (fluxes_of_steps, "stopped", "for the steps between"),
        (lambda model, growth, t: tuple(times()(model, growth, t).values()), "shape", "dict"),
        (lambda model, growth, t: times()(model, growth, t) | {"X": 1.0}, "shape", "X has shape ()"),
    ],
}
