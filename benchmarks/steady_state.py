"""Steady states of the CLM5 soil column: four solvers side by side, then the whole model.

    python course.py bench steady_state

Random sites and parameters within their bounds. Dense and banded solves are timed on at most 1,000
columns: their time a column does not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable

from _timing import best, heading, peak_memory_mb, table  # first: it holds BLAS to one thread

import numpy as np

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.solve import METHODS
from landcarbon.models import clm5

SIZES = (1, 100, 2_000, 20_000)
SAMPLE = 1_000


def sites(n: int, seed: int = 0) -> tuple[np.ndarray, clm5.Forcing]:
    """Parameters and forcing of n columns: warm and frozen, deep and shallow."""
    rng = np.random.default_rng(seed)
    P = clm5.PARAMETERS
    theta = P.lower + rng.uniform(0.05, 0.95, (n, len(P))) * (P.upper - P.lower)
    season = 10 * np.sin(2 * np.pi * np.arange(12) / 12)
    forcing = clm5.Forcing(
        soil_temperature=rng.normal(283, 6, (n, 1, 1)) + season + rng.normal(0, 1, (n, 20, 12)),
        water_scalar=rng.uniform(0.2, 1.0, (n, 20, 12)),
        litter_input=rng.uniform(10, 200, (n, 4)),
        oxygen_scalar=rng.uniform(0.5, 1.0, (n, 20, 12)),
        nitrogen_scalar=rng.uniform(0.5, 1.0, (n, 20, 12)),
        active_layer_depth=rng.choice([0.5, 1.5, 50.0], n),
        bedrock_layer=rng.integers(8, 21, n),
    )
    return theta, forcing


def both(run: Callable[[], tuple], seconds: float) -> tuple[float, float]:
    """Seconds for the steady state, and for it and its gradient; `run` returns (X, pullback)."""

    def gradient() -> None:
        X, pull = run()
        pull(np.ones_like(X))

    return best(lambda: run(gradient=False), seconds, 200), best(gradient, seconds, 200)


def solver(model: LayeredModel, b: np.ndarray, method: str) -> Callable:
    def run(gradient: bool = True):
        return (model.steady_state_and_vjp if gradient else model.steady_state)(b, method)

    return run


def whole(theta: np.ndarray, forcing: clm5.Forcing) -> Callable:
    def run(gradient: bool = True):
        return (clm5.steady_state_and_vjp if gradient else clm5.steady_state)(theta, forcing)

    return run


def main(seconds: float = 0.6) -> None:
    heading("Steady state of the CLM5 column: 7 pools in 20 layers")
    solvers, model_rows = [], []
    for n in sorted(SIZES, reverse=True):  # the largest first, before anything else needs memory
        theta, forcing = sites(n)
        f, g = both(whole(theta, forcing), seconds)
        if n == max(SIZES):
            peak = peak_memory_mb()
        model_rows.append((f"{n:,}", f / n * 1e6, g / n * 1e6, g / f))
        rows = []
        for method in reversed(METHODS):
            m = min(n, SAMPLE) if method in ("dense", "banded") else n
            model, b = clm5.column(theta[:m], forcing[:m])
            f, g = both(solver(model, b, method), seconds)
            rows.append((method + (f" (of {m:,})" if m < n else ""), f / m * 1e6, g / m * 1e6, g / f))
        dense = rows[0][1]
        solvers += [(f"{n:,}", name, f, dense / f, g, ratio) for name, f, g, ratio in rows]
    order = {f"{n:,}": k for k, n in enumerate(SIZES)}
    table(
        ("columns", "solver", "µs a column", "times dense", "with gradient", "÷ forward"),
        sorted(solvers, key=lambda row: order[row[0]]),
    )
    print("\nThe whole model: 21 parameters and monthly forcing → profiles (scalars, K, V, solve)\n")
    table(
        ("columns", "µs a column", "with gradient", "÷ forward"),
        sorted(model_rows, key=lambda row: order[row[0]]),
    )
    print(f"\nPeak memory at {max(SIZES):,} columns, with gradient and forcing: {peak:,.0f} MB")


if __name__ == "__main__":
    main()
