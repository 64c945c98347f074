"""Exercises of chapter 01: units, budget, ratios of stocks and fluxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect
from landcarbon.matrix.simulate import simulate
from landcarbon.models.pools import three_pool, two_pool

PGC_PER_PPM = 2.124  # as in the Global Carbon Budget
CO2_PER_C = 44.009 / 12.011


@exercise(
    "01.1",
    level=1,
    title="there and back",
    hints=(
        "Two steps each way: concentration to carbon, carbon to CO₂.",
        "One ppm is 2.124 PgC, and a gram of carbon makes 3.664 g of CO₂: which way do you multiply?",
        "return ppm * … * …; and the way back divides by the same two numbers.",
    ),
)
def there_and_back(answer: tuple[Callable[[Any], Any], Callable[[Any], Any]]) -> None:
    """gtco2_to_ppm(ppm_to_gtco2(x)) = x, and 1 ppm = 7.78 GtCO2."""
    expect(
        isinstance(answer, tuple) and len(answer) == 2 and all(map(callable, answer)),
        "shape",
        "Hand in both functions, by their names without brackets: check('01.1', (ppm_to_gtco2, "
        "gtco2_to_ppm)).",
    )
    there, back = answer
    one, ten = float(there(1.0)), float(there(10.0))
    expect(np.isfinite([one, ten]), "not finite", "The mass is not a finite number.")
    expect(one > 0, "sign", "A concentration above zero is a mass above zero.")
    expect(
        np.isclose(ten, 10 * one),
        "limit",
        "Ten times the ppm must be ten times the mass, and no CO₂ no mass: multiply, do not add.",
    )
    expect(
        not np.isclose(one, PGC_PER_PPM, rtol=2e-3),
        "units",
        "That is petagrams of carbon; a gram of carbon makes more than three grams of CO₂.",
    )
    expect(
        not np.isclose(one, PGC_PER_PPM / CO2_PER_C, rtol=5e-3),
        "units",
        "CO₂ is heavier than the carbon in it: its two oxygen atoms count. Yours is lighter.",
    )
    expect(
        not np.isclose(one, CO2_PER_C / PGC_PER_PPM, rtol=5e-3)
        and not np.isclose(one, 1 / (PGC_PER_PPM * CO2_PER_C), rtol=5e-3),
        "units",
        "One ppm of the whole atmosphere is more than one gigatonne: you divide where you should "
        "multiply.",
    )
    expect(
        np.isclose(one, PGC_PER_PPM * CO2_PER_C, rtol=5e-3),
        "value",
        "The factor is not that of the chapter: 2.124 PgC per ppm, and 3.664 GtCO₂ per PgC.",
    )
    expect(
        np.allclose([back(there(x)) for x in (0.0, 1.0, 420.0)], [0.0, 1.0, 420.0], rtol=1e-12),
        "identity",
        "There and back does not give the same number: the second function must undo the first.",
    )
    many = np.array([280.0, 420.0])
    expect(
        np.allclose(back(there(many)), many),
        "shape",
        "The functions should take arrays as well as single numbers.",
    )


@exercise(
    "01.2",
    level=2,
    title="the budget imbalance",
    hints=(
        "Which terms put carbon into the air, which take it out, and which one is in another unit?",
        "Convert growth and its error to PgC, then emissions minus growth minus sinks; independent "
        "errors add up in their squares.",
        "growth = 2.124 * growth_ppm; rest = fossil + … − …; sd_rest = np.sqrt(sd['fossil']**2 + …).",
    ),
)
def imbalance(answer: Callable[..., Any]) -> None:
    """b = E_F + E_L − G − S_O − S_L, errors in quadrature, G in ppm."""
    zero = dict.fromkeys(("fossil", "land_use_change", "growth_ppm", "ocean_sink", "land_sink"), 0.0)
    flux = {"fossil": 9.0, "land_use_change": 1.4, "growth_ppm": 2.0, "ocean_sink": 2.4, "land_sink": 3.0}
    sd = {"fossil": 0.4, "land_use_change": 0.6, "growth_ppm": 0.3, "ocean_sink": 0.5, "land_sink": 0.8}

    def ask(flux: dict[str, float], sd: dict[str, float]) -> tuple[float, float]:
        given = answer(**flux, sd=dict(sd))
        expect(
            isinstance(given, tuple | list) and len(given) == 2,
            "shape",
            "Return two numbers: the imbalance and its standard deviation.",
        )
        rest, error = (float(part) for part in given)
        expect(np.isfinite([rest, error]), "not finite", "A result is not a finite number.")
        return rest, error

    effect = {name: ask(zero | {name: 1.0}, sd)[0] - ask(zero, sd)[0] for name in flux}
    expect(
        not np.isclose(effect["growth_ppm"], -1.0),
        "units",
        "The growth comes in ppm a year, all other terms in PgC a year: convert it first.",
    )
    expect(
        not np.isclose(effect["growth_ppm"], -1 / PGC_PER_PPM, rtol=5e-3),
        "units",
        "One ppm is 2.124 PgC: multiply, do not divide.",
    )
    expect(
        not np.isclose(effect["growth_ppm"], -PGC_PER_PPM * CO2_PER_C, rtol=5e-3),
        "units",
        "The budget counts carbon: you turned the growth into the mass of CO₂, with its oxygen.",
    )
    for name in ("fossil", "land_use_change"):
        expect(
            np.isclose(effect[name], 1.0),
            "sign",
            f"One more PgC of {name} must raise the imbalance by one.",
        )
    for name in ("growth_ppm", "ocean_sink", "land_sink"):
        expect(
            effect[name] < 0,
            "sign",
            f"{name} accounts for carbon, so more of it must lower what is not accounted for.",
        )
    closed = zero | {"fossil": 2 * PGC_PER_PPM + 2.0, "growth_ppm": 2.0, "ocean_sink": 1.2, "land_sink": 0.8}
    expect(
        np.isclose(ask(closed, sd)[0], 0.0, atol=0.02),
        "mass balance",
        "A budget that closes has an imbalance of zero; yours has not.",
    )
    error = ask(flux, sd)[1]
    parts = {name: ask(flux, dict.fromkeys(sd, 0.0) | {name: sd[name]})[1] for name in sd}
    true = {name: value * (PGC_PER_PPM if name == "growth_ppm" else 1.0) for name, value in sd.items()}
    expect(
        not np.isclose(error, sum(value**2 for value in true.values()), rtol=5e-3),
        "units",
        "That is the sum of the squares, in (PgC yr⁻¹)²: the standard deviation is its root.",
    )
    expect(
        not np.isclose(error, sum(parts.values())) or np.isclose(sum(parts.values()), max(parts.values())),
        "identity",
        "Independent errors do not add up as they are: they partly cancel. Their squares add up.",
    )
    expect(
        not np.isclose(parts["growth_ppm"], sd["growth_ppm"]),
        "units",
        "The error of the growth is in ppm too: convert it like the growth itself.",
    )
    off = [name for name in sd if not np.isclose(parts[name], true[name], rtol=5e-3)]
    expect(
        not off,
        "value",
        f"With one error alone, the error of the imbalance is that error, in PgC. Yours is not for "
        f"{', '.join(f'{name}: {parts[name]:.3g} from {sd[name]:g}' for name in off)}.",
    )
    expect(
        np.isclose(error, np.sqrt(sum(value**2 for value in true.values())), rtol=5e-3),
        "identity",
        "The squares of the five errors must add up to the square of yours.",
    )


@exercise(
    "01.3",
    level=3,
    title="stock over input, stock over output",
    hints=(
        "You need the stock at each time, and two fluxes at the same times. Which functions of the "
        "model give them?",
        "Start from the steady state, run `simulate` with I as a function of time, take "
        "`model.respiration(X)` summed over the pools.",
        "npp = 300 * (1 + growth) ** t; run = simulate(model, t, X0=…, I=lambda s: …); X = "
        "run.X.values; return {'X': X.sum(axis=-1), 'npp': npp, …}.",
    ),
)
def apparent_times(answer: Callable[..., Any]) -> None:
    """Both ratios start at τ; the sink is the difference of the fluxes; ΔX = ∫ sink."""
    wanted = ("X", "npp", "respiration", "by_npp", "by_respiration")
    t = np.linspace(0, 80, 321)
    for model in (two_pool(), three_pool()):
        tau = float(np.linalg.inv(model.outflow_matrix()).sum(axis=0) @ model.B)
        for growth in (0.0, 0.01, -0.005):
            given = answer(model, growth, t)
            expect(isinstance(given, dict), "shape", "Return a dict.")
            missing = [name for name in wanted if name not in given]
            expect(not missing, "incomplete", f"The dict lacks: {', '.join(missing)}.")
            X, npp, out, by_in, by_out = (np.asarray(given[name], dtype=float) for name in wanted)
            wrong = [f"{name} has shape {np.shape(given[name])}" for name in wanted if np.shape(given[name]) != t.shape]
            expect(
                not wrong,
                "shape",
                f"Each entry has one number for each of the {t.size} times; stock and respiration are sums "
                f"over the pools, `model.respiration(X)` is at the times. In yours {', '.join(wrong)}.",
            )
            expect(
                np.isfinite([X, npp, out, by_in, by_out]), "not finite", "An entry is not finite."
            )
            expect(npp > 0, "sign", "NPP is positive.")
            expect(
                np.allclose(npp / npp[0], (1 + growth) ** t, rtol=1e-6),
                "value",
                "NPP must grow by the share `growth` each year: (1 + growth) to the power t.",
            )
            expect(
                np.isclose(by_in[0], tau, rtol=1e-3) and np.isclose(by_out[0], tau, rtol=1e-3),
                "limit",
                "At the start the land is at steady state, and both ratios are the residence time; "
                "yours are not. Which state do you start from, and is a ratio upside down?",
            )
            sink = npp - out
            stored = np.concatenate([[0.0], np.cumsum((sink[1:] + sink[:-1]) / 2 * np.diff(t))])
            expect(
                np.allclose(X - X[0], stored, atol=2e-3 * X[0]),
                "mass balance",
                "What the stock gains must be input minus respiration, summed over time.",
            )
            expect(
                np.allclose(by_in * npp, X, rtol=1e-9) and np.allclose(by_out * out, X, rtol=1e-9),
                "identity",
                "A ratio times its flux must be the stock of the same time.",
            )
            middle = npp[0] * (1 + growth) ** ((t[1:] + t[:-1]) / 2)
            run = simulate(model, t, model.steady_state(npp[0]), middle)
            expect(
                np.allclose(X, run.X.values.sum(axis=-1), rtol=2e-3),
                "value",
                "The stock does not follow the model with this input.",
            )
