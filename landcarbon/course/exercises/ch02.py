"""Exercises of chapter 02: flow diagrams and balance equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect
from landcarbon.matrix import MatrixModel

BOG = MatrixModel(
    ("plant", "litter", "peat"),
    A=np.array([[1, 0, 0], [-0.75, 1, 0], [-0.25, -0.2, 1]]),
    K=np.array([0.25, 0.4, 0.001]),
    B=np.array([1.0, 0.0, 0.0]),
)
BOG_INPUT = 240.0

PAPER = ("litter", "microbes", "soil")
PAPER_M = np.array([[2.0, -0.3, 0.0], [-0.8, 1.5, -0.01], [-0.2, -0.6, 0.05]])
PAPER_INPUT = np.array([300.0, 0.0, 100.0])

YEARS, STEP, START = 20.0, 0.01, 100.0
CLOSURE = 1e-10


def drawn(card: dict[str, Any]) -> MatrixModel:
    """The model of an answer to exercise 02.2: rates, shares and arrows in their places."""
    A = np.eye(len(PAPER))
    for source, target, fraction in card["arrows"]:
        A[PAPER.index(target), PAPER.index(source)] = -fraction
    return MatrixModel(
        PAPER,
        A=A,
        K=np.array([card["rates"][pool] for pool in PAPER]),
        B=np.array([card["shares"].get(pool, 0.0) for pool in PAPER]),
    )


@exercise(
    "02.1",
    level=1,
    title="equations from a diagram",
    hints=(
        "One equation for each box. Which arrowheads end at it, and where do those arrows start?",
        "All that leaves a box is its carbon divided by the years written in it; an arrow is a "
        "fraction of that, taken from the box where it starts.",
        "plant_dies = plant / …; then return [240 − …, … × plant_dies − …, … + … − …].",
    ),
)
def derivatives(answer: Callable[[float, float, float], Any]) -> None:
    """dX/dt of the bog: constant part, columns, sum."""

    def at(*X: float) -> np.ndarray:
        dX = np.asarray(answer(*X), dtype=float)
        expect(dX.shape == (3,), "shape", "Return three numbers: plant, litter, peat.")
        expect(np.isfinite(dX), "not finite", "A derivative is not a finite number.")
        return dX

    start = at(0.0, 0.0, 0.0)
    expect(
        np.allclose(start, BOG.input(BOG_INPUT)),
        "limit",
        "In an empty bog only the green arrow is left: the input of one box, and zero for the others.",
    )
    effect = np.array([at(*row) - start for row in 1000.0 * np.eye(3)]).T / 1000.0
    own = np.diag(effect)
    expect(
        not np.allclose(own, 1 - BOG.K), "identity",
        "That is the carbon of a year later, X + dX; asked is the change alone.",
    )
    expect(own < 0, "sign", "More carbon in a pool must mean that more leaves it: a loss has a minus.")
    expect(
        not np.allclose(own, -1 / BOG.K),
        "units",
        "The box shows the years of one visit. Carbon divided by years is a flux; carbon times "
        "years is not.",
    )
    names = BOG.pools
    for j in range(3):
        at(*(1000.0 * np.eye(3)[j]))  # the case that is shown
        passed = BOG.transfer[:, j].sum()
        expect(
            passed == 0 or not np.isclose(own[j], -BOG.K[j] * (1 + passed)),
            "mass balance",
            f"What {names[j]} passes on is subtracted twice: it is a part of all that leaves the box.",
        )
        expect(
            passed == 0 or not np.isclose(own[j], -BOG.K[j] * (1 - passed)),
            "mass balance",
            f"{names[j]} loses only what is respired; what it passes on has to leave it too.",
        )
        expect(
            not BOG.transfer[j].any() or np.isclose(own[j], -BOG.K[j]) or effect[j].sum() != own[j],
            "identity",
            f"What {names[j]} gains depends on {names[j]} itself in your equations. An arrow carries a "
            f"fraction of what leaves the box where it starts.",
        )
    arrows = [(i, j) for j in range(3) for i in range(3) if i != j]
    for i, j in arrows:
        at(*(1000.0 * np.eye(3)[j]))
        expect(
            BOG.transfer[i, j] > 0 or np.isclose(effect[i, j], 0),
            "transposed",
            f"In your equations {names[j]} feeds {names[i]}; no arrow leads from {names[j]} to "
            f"{names[i]}.",
        )
    for i, j in arrows:
        at(*(1000.0 * np.eye(3)[j]))
        expect(
            BOG.transfer[i, j] == 0 or not np.isclose(effect[i, j], 0),
            "incomplete",
            f"The arrow from {names[j]} to {names[i]} has no term yet: it is a fraction of what "
            f"leaves {names[j]}.",
        )
    for i, j in arrows:
        at(*(1000.0 * np.eye(3)[j]))
        expect(
            BOG.transfer[i, j] == 0 or not np.isclose(effect[i, j], BOG.transfer[i, j] * BOG.K[i]),
            "identity",
            f"The arrow from {names[j]} to {names[i]} takes the years of {names[i]}: it is a fraction of what "
            f"leaves {names[j]}.",
        )
    respired = -effect.sum(axis=0)
    at(*(1000.0 * np.eye(3)[np.abs(respired / -own - BOG.respired_fraction).argmax()]))
    expect(
        respired >= -1e-9,
        "mass balance",
        "Some carbon is made from nothing: a pool passes on more than leaves it.",
    )
    expect(
        np.allclose(respired / -own, BOG.respired_fraction, atol=1e-6),
        "mass balance",
        "Added up, the equations do not give input minus respiration. Compare the fractions with "
        "those on the arrows; each one multiplies all that leaves the pool where the arrow starts.",
    )
    at(*(1000.0 * np.eye(3)[np.abs(effect + BOG.outflow_matrix()).max(axis=0).argmax()]))
    expect(
        np.allclose(effect, -BOG.outflow_matrix(), rtol=1e-6, atol=1e-9),
        "value",
        "The sum is right, but a rate or a fraction is not the one of the diagram.",
    )


@exercise(
    "02.2",
    level=2,
    title="a diagram from equations",
    hints=(
        "The same pool appears in several equations. Which of its coefficients tells how fast it is "
        "emptied?",
        "Own coefficient: the rate. Coefficient in another equation, divided by that rate: the "
        "fraction on the arrow from this pool to the pool of that equation.",
        "return {'rates': {'litter': …}, 'shares': {'litter': 300 / …}, 'arrows': [('litter', "
        "'microbes', 0.8 / …), …]}.",
    ),
)
def diagram(answer: Callable[[], Any]) -> None:
    """Rates = own coefficients, fractions = foreign ones over the donor's rate."""
    card = answer()
    wanted = ("rates", "shares", "arrows")
    expect(
        isinstance(card, dict) and all(name in card for name in wanted),
        "shape",
        "Return a dict with the entries 'rates', 'shares' and 'arrows'.",
    )
    rates, shares, arrows = (card[name] for name in wanted)
    for name, value in (("rates", rates), ("shares", shares)):
        expect(
            isinstance(value, dict), "shape",
            f"{name} is a dict with the names of pools as keys: {{'litter': …, 'soil': …}}.",
        )
    expect(set(shares) <= set(PAPER), "incomplete", f"Shares go to {', '.join(PAPER)}, and to no other names.")
    expect(
        set(rates) == set(PAPER),
        "incomplete",
        f"Give a rate to each of {', '.join(PAPER)}, and no other names.",
    )
    expect(
        isinstance(arrows, list | tuple) and all(np.shape(arrow) == (3,) for arrow in arrows),
        "shape",
        "arrows is a list, and an arrow is (source, target, fraction), with the names of two pools.",
    )
    strange = sorted({name for arrow in arrows for name in arrow[:2]} - set(PAPER))
    expect(
        not strange,
        "shape",
        f"{', '.join(strange)}: no pool of the equations. What is respired needs no arrow, it is what the "
        f"fractions lack to 1; what enters stands in the shares.",
    )
    K = np.array([float(rates[pool]) for pool in PAPER])
    expect(K > 0, "sign", "A rate is positive; the minus stands in the equation.")
    expect(
        not np.allclose(K, 1 / PAPER_M.diagonal()),
        "units",
        "These are times in years; rates are per year.",
    )
    expect(
        np.allclose(K, PAPER_M.diagonal()),
        "value",
        "A rate differs from the coefficient of the pool in its own equation.",
    )
    given = {(source, target): float(fraction) for source, target, fraction in arrows}
    true = {
        (PAPER[j], PAPER[i]): -PAPER_M[i, j] / PAPER_M[j, j]
        for i in range(3) for j in range(3) if i != j and PAPER_M[i, j] != 0
    }  # fmt: skip
    turned = {(target, source) for source, target in true}
    expect(
        set(given) == set(true) or not set(given) <= turned,
        "transposed",
        "Some arrows point the wrong way. A term in the equation of a pool is an arrow that ends at "
        "this pool.",
    )
    missing = [f"{s} → {t}" for s, t in true if (s, t) not in given]
    extra = [f"{s} → {t}" for s, t in given if (s, t) not in true]
    expect(not extra, "transposed", f"No term of the equations is an arrow {', '.join(extra)}.")
    expect(not missing, "incomplete", f"A gain in the equations has no arrow: {', '.join(missing)}.")
    coefficients = {pair: true[pair] * PAPER_M[PAPER.index(pair[0])][PAPER.index(pair[0])] for pair in true}
    expect(
        not all(np.isclose(given[pair], coefficients[pair]) for pair in true),
        "units",
        "The numbers in the equations are fraction times rate, per year; an arrow carries the "
        "fraction alone.",
    )
    receivers = {pair: coefficients[pair] / K[PAPER.index(pair[1])] for pair in true}
    expect(
        not all(np.isclose(given[pair], receivers[pair]) for pair in true),
        "identity",
        "A fraction is a part of what leaves the source: divide by the rate of the source, not of "
        "the target.",
    )
    for pool in PAPER:
        passed = sum(f for (source, _), f in given.items() if source == pool)
        expect(
            passed <= 1 + 1e-9,
            "mass balance",
            f"{pool} passes on {passed:.2f} of what leaves it; nothing can pass on more than 1.",
        )
    off = [f"{s} → {t}" for s, t in true if not np.isclose(given[s, t], true[s, t])]
    expect(
        not off,
        "value",
        f"{', '.join(off)}: fraction times rate of the source does not give the coefficient in the equations.",
    )
    B = np.array([float(shares.get(pool, 0.0)) for pool in PAPER])
    expect(
        not np.allclose(B, PAPER_INPUT),
        "units",
        "These are fluxes; a share is the part of all input that enters the pool.",
    )
    expect(
        np.allclose(B, PAPER_INPUT / PAPER_INPUT.sum()),
        "value",
        "The shares of the input are not those of the equations; together they are 1.",
    )


@exercise(
    "02.3",
    level=3,
    title="your own ecosystem",
    hints=(
        "Give every flux a name and compute it once; use the same name where it is lost and where it "
        "is gained.",
        "If the balance does not close, set all but one flux to zero and look at the sum of the "
        "derivatives: does this flux come out as minus the respiration it causes?",
        "def fluxes(X): return {…}; derivatives adds them with signs; respiration adds those that end "
        "in the air; return {'pools': …, 'input': …, 'derivatives': …, 'respiration': …}.",
    ),
)
def ecosystem(answer: Callable[[], Any]) -> None:
    """Closure of a run to 1e-10, pools that stay positive, an ecosystem that lives."""
    mine = answer()
    wanted = ("pools", "input", "derivatives", "respiration")
    expect(isinstance(mine, dict), "shape", "Return a dict.")
    missing = [name for name in wanted if name not in mine]
    expect(not missing, "incomplete", f"The dict lacks: {', '.join(missing)}.")
    n = len(mine["pools"])
    for name in ("derivatives", "respiration"):
        expect(callable(mine[name]), "shape", f"{name} is the function itself, its name without brackets.")
    expect(np.shape(mine["input"]) == (), "shape", "The input is one number: all carbon that enters, added up.")
    expect(n >= 4 and len(set(mine["pools"])) == n, "incomplete", "Name four different pools or more.")
    supply = float(mine["input"])
    expect(np.isfinite(supply) and supply > 0, "sign", "The input is a positive number.")

    def change(X: np.ndarray) -> np.ndarray:
        dX = np.asarray(mine["derivatives"](X.copy()), dtype=float)
        expect(dX.shape == (n,), "shape", "derivatives(X) returns one number for each pool.")
        expect(np.isfinite(dX), "not finite", "A derivative is not a finite number.")
        return dX

    def breath(X: np.ndarray) -> float:
        value = np.asarray(mine["respiration"](X.copy()), dtype=float)
        expect(value.shape == (), "shape", "respiration(X) returns one number: all that leaves.")
        expect(np.isfinite(value), "not finite", "The respiration is not a finite number.")
        expect(value >= 0, "sign", "Respiration is what leaves: a positive number, or zero.")
        return float(value)

    def gap(X: np.ndarray) -> float:
        return float(change(X).sum() - supply + breath(X))

    X = np.full(n, START)
    for i in range(n):
        empty = X.copy()
        empty[i] = 0.0
        expect(
            change(empty)[i] >= -1e-9,
            "limit",
            f"{mine['pools'][i]} loses carbon although it is empty.",
        )
    empty = np.full(n, 1e-9)
    expect(
        abs(gap(empty)) <= 1e-6 * supply,
        "mass balance",
        f"With next to nothing in the boxes the derivatives add up to {change(empty).sum():.4g} and the respiration is "
        f"{breath(empty):.4g}, but the input is {supply:.4g}: does each part of it stand in one equation, once?",
    )
    first, net, through = X.copy(), 0.0, 0.0
    for _ in range(round(YEARS / STEP)):
        middle = X + STEP / 2 * change(X)
        out = breath(middle)
        net += STEP * (supply - out)
        through += STEP * (supply + abs(out))
        X = X + STEP * change(middle)
        expect(
            np.isfinite(X) & (np.abs(X) < 1e9),
            "not finite",
            "The run explodes: is a gain without its loss, or a rate far above 100 per year?",
        )
    expect(
        X > -1e-6,
        "limit",
        "A pool becomes negative: some flux out of it does not stop when it is empty.",
    )
    error = abs(X.sum() - first.sum() - net)
    alone = START * np.eye(n) + 1e-9
    worst = int(np.argmax([abs(gap(row)) for row in alone]))
    expect(
        error <= CLOSURE * through,
        "mass balance",
        f"The balance misses {error / through:.1e} of the carbon that went through. Look at "
        f"{mine['pools'][worst]}: with {START:g} gC in it alone the derivatives add up to "
        f"{change(alone[worst]).sum():.4g}, input minus respiration is {supply - breath(alone[worst]):.4g}; you "
        f"gave one flux in one of them only.",
    )
    expect(
        np.abs(X - first) > 1e-9,
        "incomplete",
        "A pool never changes: every box needs an arrow.",
    )
    expect(breath(X) > 0, "incomplete", "Nothing is respired; carbon cannot only accumulate.")
