"""End-to-end training of a network through the CLM5 soil column: time of an epoch, solver by solver.

    python course.py bench hybrid

An epoch visits every site once, in batches of 256: forward through network, bounds and column, the
transposed solve, and back. The dense solver is timed on one batch: its time a site does not depend
on how many there are. The published network (Xu et al. 2025) solves dense systems in batches of 32.
"""

from __future__ import annotations

from typing import Any

from _timing import best, heading, table  # first: it holds BLAS to one thread

import numpy as np
from steady_state import sites

from landcarbon.assimilation import Prior, ProfileObservations
from landcarbon.learning import Stream, Task
from landcarbon.learning.hybrid import Cost, Outputs
from landcarbon.learning.mlp import MLP
from landcarbon.models import clm5

N, BATCH, TARGET = 2048, 256, 26_000
SOLVERS = ("dense", "block", "cascade")


def column_by(method: str) -> Any:
    """`clm5.observed` by another solver, all else the same."""

    def run(theta: Any, forcing: clm5.Forcing) -> Any:
        parts = clm5._Parts(theta, forcing)
        model, b = parts.column()
        X, pull = model.steady_state_and_vjp(b, method)

        def pullback(d: Any) -> Any:
            dX = np.zeros_like(X)
            dX[..., clm5.SOIL, :] = d[..., None, :]
            return parts.pullback(model, pull(dX))

        return clm5.soil_carbon(X), pullback

    return run


def main(seconds: float = 2.0) -> None:
    theta, forcing = sites(N)
    forcing = clm5.Forcing(forcing.soil_temperature, forcing.water_scalar, forcing.litter_input)
    depth = np.broadcast_to([0.05, 0.15, 0.3, 0.6, 1.0], (N, 5))
    exact = ProfileObservations(depth, np.ones((N, 5)), 0.6, clm5.LAYERS.node, clm5.LAYERS.bottom[-1])
    carbon = exact.predict_values(clm5.soil_carbon(clm5.steady_state(theta, forcing)))
    prior, rng = Prior(clm5.PARAMETERS), np.random.default_rng(1)
    net, x = MLP.start((30, 32, 32, 21), 1), rng.standard_normal((N, 30))
    heading(f"Hybrid training: one epoch over {N:,} sites, 5 depths, {net.size:,} weights, batches of {BATCH}")
    rows, gradients = [], {}
    for name in SOLVERS:
        stream = Stream(exact.with_values(carbon), column_by(name))
        cost = Cost(Task(stream, forcing, prior=prior), Outputs.of(prior))
        some = 1 if name == "dense" else N // BATCH
        batches = [np.arange(k * BATCH, (k + 1) * BATCH) for k in range(some)]
        gradients[name] = cost.of_weights(net, x, batches[0])[1]

        def epoch(cost: Cost = cost, batches: Any = batches) -> None:
            for batch in batches:
                cost.of_weights(net, x, batch)

        per_site = best(epoch, seconds) / (some * BATCH)
        rows.append((name + (" (one batch)" if some == 1 else ""), per_site))
    slowest = rows[0][1]
    scale = np.abs(gradients["dense"]).max()
    table(
        ("solver", "µs a site", "s an epoch", f"s for {TARGET:,}", "times dense", "gradient differs by"),
        [
            (name, t * 1e6, t * N, t * TARGET, slowest / t,
             f"{np.abs(gradients[name.split()[0]] - gradients['dense']).max() / scale:.0e}")
            for name, t in rows
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
