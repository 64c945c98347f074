"""The capstone: twelve things that hold for every model of land carbon that is used with data.

::

     1  card        the question, with numbers that belong together and to the model
     2  diagram     every pool is reached and left: a steady state exists
     3  balance     what enters at the steady state is what is respired
     4  stability   every disturbance fades: Re λ(M) > 0
     5  storage     X = X_c − X_p
     6  spin-up     from bare ground the run ends in the steady state
     7  transit     mean transit time = stock / input
     8  prior       the model runs over all of its prior
     9  surprise    the prior had thought the data possible
    10  posterior   stays inside the bounds, has learned something, covers the data
    11  data        all data together know at least as much as any one set alone
    12  forecast    starts at the analysis, its parts sum to the total, scored on unseen data

========== ====================================================== ===================
symbol     meaning                                                returned by
========== ====================================================== ===================
θ          parameters (..., p)                                    prior, posterior
M, B, I    matrices and input of the model                        model, input
X          pools (..., n)                                         start, forecast
X_c, X_p   carbon storage capacity M⁻¹ B I and potential M⁻¹ dX/dt
y          what is observed (..., obs)                            observe
========== ====================================================== ===================

A project is a dict of functions, see `PARTS`. `invariants` calls them and tells which of the twelve
hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.course.checks import Miss, expect
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.simulate import simulate
from landcarbon.theory.ages import transit_time

__all__ = ["INVARIANTS", "PARTS", "Finding", "invariants"]

Array = NDArray[np.float64]

PARTS = {
    "card": "() -> dict with question, pools, stock, input, residence_time, refuted_by",
    "prior": "() -> Prior of the parameters",
    "model": "(theta) -> MatrixModel, theta (..., p)",
    "input": "(theta) -> carbon input [gC m-2 yr-1], (...)",
    "start": "(theta) -> pools at the first observation (..., pool)",
    "observe": "(theta) -> what the model says of every observation (..., obs)",
    "data": "() -> {name: GaussianLikelihood}, each over all observations, its own unmasked",
    "posterior": "() -> {'none': draws of the prior, name: …, 'all': …}, each (member, p)",
    "forecast": "(draws, sources) -> Dataset with X (member, time, pool), first time = issue date",
    "score": "() -> {'used': times, 'scored': times, 'forecast': CRPS, 'null': CRPS}",
}
"""The functions of a project, what they take and return."""


@dataclass(frozen=True)
class Finding:
    """One of the twelve: its name, whether it holds, the kind of error, and a sentence."""

    number: int
    name: str
    holds: bool
    kind: str
    sentence: str

    def __str__(self) -> str:
        mark = "✔" if self.holds else f"✘ [{self.kind}]"
        return f"{self.number:2d} {self.name:10s} {mark} {self.sentence}"


class _Project:
    """A project with what several invariants need, computed once."""

    def __init__(self, parts: Mapping[str, Callable[..., Any]]) -> None:
        missing = [name for name in PARTS if name not in parts]
        if missing:
            raise InputError(
                f"The project lacks {missing[0]!r}: {PARTS[missing[0]]}. It needs "
                f"{', '.join(PARTS)}."
            )
        self.parts = parts
        self.prior = parts["prior"]()
        self.draws = np.asarray(self.prior.sample(100, np.random.default_rng(1)), float)
        self.default = np.asarray(self.prior.table.default, float)
        self.data = dict(parts["data"]())
        self.posterior = {k: np.asarray(v, float) for k, v in parts["posterior"]().items()}

    def model(self, theta: Array) -> MatrixModel:
        found = self.parts["model"](theta)
        expect(isinstance(found, MatrixModel), "shape", "model(theta) must return a MatrixModel.")
        return found  # type: ignore[no-any-return]

    def input(self, theta: Array) -> Array:
        return np.asarray(self.parts["input"](theta), float)

    def steady(self, theta: Array) -> Array:
        return self.model(theta).steady_state(self.input(theta))

    def values(self) -> tuple[Array, Array]:
        """Observations and their errors, all data sets joined."""
        sets = list(self.data.values())
        used = np.stack([d.mask for d in sets])
        expect(used.sum(axis=0) <= 1, "leakage", "An observation stands in two data sets.")
        expect(used.any(axis=0), "incomplete", "An observation is in none of the data sets.")
        which = used.argmax(axis=0)
        at = np.arange(which.size)
        data, sd = np.stack([d.data for d in sets]), np.stack([d.sd for d in sets])
        return data[which, at], sd[which, at]


def _card(p: _Project) -> str:
    card = p.parts["card"]()
    wanted = ("question", "pools", "stock", "input", "residence_time", "refuted_by")
    missing = [name for name in wanted if name not in card]
    expect(not missing, "incomplete", f"The card lacks {', '.join(missing)}.")
    stock, flux, tau = (float(card[n]) for n in ("stock", "input", "residence_time"))
    expect(
        abs(stock - flux * tau) <= 0.1 * stock,
        "identity",
        "On the card, the stock is not input times residence time.",
    )
    modelled = float(p.steady(p.default).sum())
    expect(
        stock / 3 <= modelled <= 3 * stock,
        "units",
        f"The model stores {modelled:.0f} gC m⁻² at its defaults, the card says {stock:.0f}: more than a "
        "factor of three apart.",
    )
    return f"{stock:.0f} gC m⁻² on the card, {modelled:.0f} in the model"


def _diagram(p: _Project) -> str:
    X = p.steady(p.default)
    expect(X > 0, "mass balance", "A pool is empty at the steady state: no way leads to it.")
    return f"{len(p.model(p.default).pools)} pools, none empty, none a dead end"


def _balance(p: _Project) -> str:
    model, I = p.model(p.draws), p.input(p.draws)
    out = model.respiration(p.steady(p.draws)).sum(axis=-1)
    came = model.input(I).sum(axis=-1)
    gap = float(np.max(np.abs(out / came - 1)))
    expect(gap < 1e-10, "mass balance", f"Input and respiration differ by {gap:.1e} of the input.")
    return "closes to 1e-10"


def _stability(p: _Project) -> str:
    slowest = np.linalg.eigvals(p.model(p.draws).outflow_matrix()).real.min(axis=-1)
    expect(slowest > 0, "sign", "A disturbance would grow: an eigenvalue of M is not positive.")
    return (
        f"the slowest disturbance fades in {1 / slowest.max():.0f} to {1 / slowest.min():.0f} years"
    )


def _storage(p: _Project) -> str:
    model, I, X = p.model(p.draws), p.input(p.draws), np.asarray(p.parts["start"](p.draws), float)
    expect(X >= 0, "sign", "The start holds negative carbon.")
    expect(
        X.shape == p.steady(p.draws).shape, "shape", "start(theta) must return pools (..., pool)."
    )
    change = model.derivative(X, I)
    potential = np.linalg.solve(model.outflow_matrix(), change[..., None])[..., 0]
    gap = np.abs(X - (p.steady(p.draws) - potential)).max() / X.max()
    expect(gap < 1e-9, "identity", "The start is not capacity minus potential.")
    share = float((X.sum(-1) / p.steady(p.draws).sum(-1)).mean())
    return f"at the start the land holds {100 * share:.0f} % of its capacity"


def _spin_up(p: _Project) -> str:
    model, I = p.model(p.default), p.input(p.default)
    slowest = float(np.linalg.eigvals(model.outflow_matrix()).real.min())
    t = np.array([0.0, 30.0 / slowest])
    end = simulate(model, t, np.zeros(len(model.pools)), I)["X"].values[-1]
    goal = p.steady(p.default)
    gap = float(np.abs(end - goal).max() / goal.max())
    expect(gap < 1e-6, "limit", f"After thirty slowest times the run is still {gap:.1e} away.")
    return f"from bare ground in {t[1]:.0f} years"


def _transit(p: _Project) -> str:
    model, I = p.model(p.default), p.input(p.default)
    mean = float(transit_time(model, I).mean)
    by_stock = float(p.steady(p.default).sum() / model.input(I).sum())
    expect(
        abs(mean / by_stock - 1) < 1e-8,
        "identity",
        "Mean transit time and stock over input disagree.",
    )
    return f"{mean:.1f} years"


def _prior(p: _Project) -> str:
    y = np.asarray(p.parts["observe"](p.draws), float)
    n = len(p.values()[0])
    expect(y.shape == (len(p.draws), n), "shape", f"observe(theta) must return (member, {n}).")
    expect(
        np.isfinite(y), "not finite", "Somewhere in the prior the model returns NaN or infinity."
    )
    return f"{len(p.draws)} draws, {n} observations each, all finite"


def _surprise(p: _Project) -> str:
    value, sd = p.values()
    y = np.asarray(p.parts["observe"](p.draws), float)
    y = y + sd * np.random.default_rng(2).standard_normal(y.shape)
    low, high = np.quantile(y, [0.025, 0.975], axis=0)
    share = float(((low <= value) & (value <= high)).mean())
    expect(
        share >= 0.8,
        "units",
        f"Only {100 * share:.0f} % of the data lie where the prior had thought them possible: wrong units, "
        "or a prior that is too sure.",
    )
    return f"{100 * share:.0f} % of the data inside the 95 % range of the prior"


def _posterior(p: _Project) -> str:
    expect(
        "all" in p.posterior and "none" in p.posterior,
        "incomplete",
        "posterior() must hold 'none' and 'all'.",
    )
    draws, before = p.posterior["all"], p.posterior["none"]
    lower, upper = p.prior.table.lower, p.prior.table.upper
    expect((draws >= lower) & (draws <= upper), "limit", "A draw lies outside the bounds.")
    learned = 1 - draws.var(axis=0) / before.var(axis=0)
    expect(learned.max() > 0.2, "value", "The data took away less than 20 % of every variance.")
    value, sd = p.values()
    y = np.asarray(p.parts["observe"](draws), float)
    y = y + sd * np.random.default_rng(3).standard_normal(y.shape)
    low, high = np.quantile(y, [0.05, 0.95], axis=0)
    share = float(((low <= value) & (value <= high)).mean())
    expect(
        share >= 0.7, "value", f"Only {100 * share:.0f} % of the data lie in their 90 % interval."
    )
    best = p.prior.names[int(learned.argmax())]
    return f"{best} learned best ({100 * learned.max():.0f} % of its variance), data covered {100 * share:.0f} %"


def _data(p: _Project) -> str:
    names = [n for n in p.data if n in p.posterior]
    expect(
        len(names) == len(p.data) >= 2, "incomplete", "posterior() needs each data set by its name."
    )
    before = p.posterior["none"].var(axis=0)
    share = {n: 1 - (p.posterior[n].var(axis=0) / before) for n in (*names, "all")}
    total = {n: float(s.mean()) for n, s in share.items()}
    best = max(names, key=lambda n: total[n])
    expect(
        total["all"] >= total[best] - 0.05,
        "value",
        f"All data together know less than {best} alone.",
    )
    return f"{100 * total['all']:.0f} % of the variance for all, {best} alone {100 * total[best]:.0f} %"


def _forecast(p: _Project) -> str:
    from landcarbon.forecasting import SOURCES, partition

    draws = p.posterior["all"]
    whole = p.parts["forecast"](draws, SOURCES)
    expect("X" in whole, "shape", "forecast(draws, sources) must return a Dataset with X.")
    X = whole["X"]
    expect((X > 0).all(), "sign", "A forecast holds carbon that is not positive.")
    spread = float(X.isel(time=0).std("member").sum())
    held = p.parts["forecast"](draws, ("drivers", "process"))["X"].isel(time=0).std("member").sum()
    expect(
        spread > 0 and float(held) < 1e-9 * spread,
        "identity",
        "At lead 0 all the spread must come from the initial state.",
    )
    parts = partition(lambda on: p.parts["forecast"](draws, on)["X"].sum("pool"), SOURCES)
    gap = float(abs(parts["variance"].sum("part") / parts["total"] - 1).max())
    expect(gap < 0.05, "identity", "The parts of the variance do not sum to the total.")
    score = p.parts["score"]()
    used, scored = np.asarray(score["used"], float), np.asarray(score["scored"], float)
    expect(
        scored.min() > used.max(), "leakage", "A forecast was scored on data it had assimilated."
    )
    mine, null = np.asarray(score["forecast"], float), np.asarray(score["null"], float)
    expect(
        mine.shape == null.shape and mine.size >= 5, "shape", "Score at least five cases of both."
    )
    expect(np.isfinite([mine, null]), "not finite", "A score is not a finite number.")
    skill = 1 - mine.mean() / null.mean()
    return f"skill {skill:+.2f} against the null model in {mine.size} unseen cases"


INVARIANTS: tuple[tuple[str, Callable[[_Project], str]], ...] = (
    ("card", _card),
    ("diagram", _diagram),
    ("balance", _balance),
    ("stability", _stability),
    ("storage", _storage),
    ("spin-up", _spin_up),
    ("transit", _transit),
    ("prior", _prior),
    ("surprise", _surprise),
    ("posterior", _posterior),
    ("data", _data),
    ("forecast", _forecast),
)


def invariants(project: Mapping[str, Callable[..., Any]]) -> list[Finding]:
    """Which of the twelve hold for a project.

    Parameters
    ----------
    project : mapping of str to callable
        The functions named in `PARTS`.

    Returns
    -------
    list of Finding
        Twelve, in order; print them one by one.

    Raises
    ------
    InputError
        A part is missing.
    """
    p = _Project(project)
    found = []
    for number, (name, test) in enumerate(INVARIANTS, 1):
        try:
            found.append(Finding(number, name, True, "", test(p)))
        except Miss as miss:
            found.append(Finding(number, name, False, miss.kind, miss.message))
        except NotImplementedError:
            raise
        except Exception as error:
            found.append(
                Finding(number, name, False, "stopped", f"{type(error).__name__}: {error}")
            )
    return found
