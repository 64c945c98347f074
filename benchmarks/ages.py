"""Ages and transit times: 5 pools, a soil column of 140 pools, and a run through time.

    python benchmarks/ages.py

LAPM (Metzler and Sierra 2018) and CompartmentalSystems (Metzler, Müller and Sierra 2018) run beside
landcarbon where they can be imported. Neither is in the package index; both are on GitHub under
MPIBGC-TEE. LAPM inverts the matrix symbolically, for half a minute at 140 pools and for each number
asked: there it is left out.
"""

from _timing import best, heading, table

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from landcarbon.models.century import century3
from landcarbon.models.clm5 import DEFAULT, Forcing, column
from landcarbon.models.emanuel import GPP, emanuel5
from landcarbon.theory.ages import pool_ages, system_age, transit_time
from landcarbon.theory.ages_through_time import through_time

AGES = np.geomspace(0.01, 3000.0, 200)
TIMES = np.array([0, 0.25, 0.5, 0.75, 1, 2.3, 5, 7.6, 10])


def main() -> None:
    site = Forcing(
        soil_temperature=np.full((20, 12), 285.15),
        water_scalar=np.full((20, 12), 0.5),
        litter_input=[40, 120, 180, 60],
    )
    systems = {"Emanuel, 5 pools": (emanuel5(), GPP), "CLM5 column, 140 pools": column(DEFAULT, site)}
    heading("Ages at steady state [ms], without LAPM" if not find_spec("LAPM") else "Ages at steady state [ms]")
    rows = []
    for name, (model, I) in systems.items():
        peer = lapm(model, I) if find_spec("LAPM") else {}
        for what, ours in steady(model, I).items():
            rows.append(row(f"{name}: {what}", ours, peer.get(what), bool(find_spec("LAPM"))))
    table(["", "landcarbon", "LAPM", "ratio"], rows)

    there = bool(find_spec("CompartmentalSystems"))
    heading("CENTURY under a yearly cycle, 10 years [ms]" + ("" if there else ", without CompartmentalSystems"))
    peer = compartmental() if there else {}
    rows = [row(what, ours, peer.get(what), there) for what, ours in changing().items()]
    table(["", "landcarbon", "CompartmentalSystems", "ratio"], rows)
    print("\nlandcarbon runs to a relative tolerance of 1e-10; CompartmentalSystems to its default.")


def row(name: str, ours: Callable[[], Any], peer: Callable[[], Any] | None, there: bool) -> list[Any]:
    mine = 1e3 * best(ours, seconds=1.5)
    if peer is None:
        return [name, mine, "not run" if there else "not installed", ""]
    difference = np.max(np.abs(np.asarray(peer(), dtype=float) / np.asarray(ours(), dtype=float) - 1))
    theirs = 1e3 * best(peer, seconds=1.5)
    return [f"{name} (differ by {difference:.0e})", mine, theirs, f"{theirs / mine:.2g}"]


def steady(model: Any, I: Any) -> dict[str, Callable[[], Any]]:
    return {
        "mean transit time": lambda: transit_time(model, I).mean,
        "mean age of all pools": lambda: pool_ages(model, I).mean,
        "transit-time density at 200 ages": lambda: transit_time(model, I).pdf(AGES),
        "system-age density at 200 ages": lambda: system_age(model, I).pdf(AGES),
        "densities of all pools at 200 ages": lambda: pool_ages(model, I).pdf(AGES),
        "median transit time": lambda: transit_time(model, I).quantile(0.5),
    }


def lapm(model: Any, I: Any) -> dict[str, Callable[[], Any]]:
    """The same with LAPM's numerical branch."""
    from LAPM.linear_autonomous_pool_model import LinearAutonomousPoolModel
    from sympy import Matrix

    from landcarbon.theory.chain import system

    read = system(model, I)
    u, B = Matrix(read.u.tolist()), Matrix((-read.chain.outflow).tolist())

    def peer() -> Any:
        return LinearAutonomousPoolModel(u, B, force_numerical=True)

    if len(read.names) > 20:
        return {}
    return {
        "mean transit time": lambda: peer().T_expected_value,
        "mean age of all pools": lambda: np.array(peer().a_expected_value, dtype=float).ravel(),
        "transit-time density at 200 ages": lambda: [peer().T_density(a) for a in AGES],
        "system-age density at 200 ages": lambda: [peer().A_density(a) for a in AGES],
        "median transit time": lambda: peer().T_quantile(0.5),
    }


def cycle(t: float) -> float:
    return 1 + 0.4 * np.sin(2 * np.pi * t)


def changing() -> dict[str, Callable[[], Any]]:
    run = through_time(century3(), TIMES, I=360.0, xi=cycle)
    return {
        "run, with mean ages of the pools": lambda: (
            through_time(century3(), TIMES, I=360.0, xi=cycle).pool_ages().mean
        ),
        "mean backward transit time": lambda: run.backward_transit_time().mean,
        "mean forward transit time": lambda: run.forward_transit_time(period=1.0).mean,
        "pool-age densities at 200 ages, one time": lambda: run.pool_ages(10.0).pdf(AGES),
    }


def compartmental() -> dict[str, Callable[[], Any]]:
    from CompartmentalSystems.smooth_model_run import SmoothModelRun
    from CompartmentalSystems.smooth_reservoir_model import SmoothReservoirModel
    from sympy import Matrix, pi, sin, symbols

    model, t = century3(), symbols("t")
    X = Matrix(symbols("x0:3"))
    B = (1 + 0.4 * sin(2 * pi * t)) * Matrix((-model.outflow_matrix()).tolist())
    reservoir = SmoothReservoirModel.from_B_u(X, t, B, Matrix(model.input(360.0).tolist()))
    X0, ages = model.steady_state(360.0), pool_ages(model, 360.0).mean[None]

    def run() -> Any:
        return SmoothModelRun(reservoir, {}, X0, TIMES)

    whole = run()
    return {
        "run, with mean ages of the pools": lambda: run().age_moment_vector(1, ages),
        "mean backward transit time": lambda: whole.backward_transit_time_moment(1, ages),
    }


if __name__ == "__main__":
    main()
