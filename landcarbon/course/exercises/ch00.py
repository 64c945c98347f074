"""Exercises of chapter 00: one pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect


@exercise(
    "00.1",
    level=1,
    title="the steady state of one pool",
    hints=(
        "At the steady state the pool does not change: which two terms are then equal?",
        "Write I − k X = 0 and solve it for X.",
        "The function is one line: `return` something made of I and k only.",
    ),
)
def steady_state(answer: Callable[[Any, Any], Any]) -> None:
    """X* = I / k: linear in I, inverse in k."""
    x = answer(500.0, 0.02)
    expect(np.shape(x) == (), "shape", "For one input and one rate return one number.")
    expect(np.isfinite(x), "not finite", "The carbon is not a finite number for k = 0.02.")
    expect(x > 0, "sign", "Carbon cannot be negative: look at the signs when you solve for X.")
    expect(
        not np.isclose(x, 500.0 * 0.02),
        "units",
        "Input times rate has the unit gC m⁻² yr⁻²; carbon has gC m⁻².",
    )
    expect(
        x != 500.0 // 0.02, "value", "`//` divides and drops what follows the point; one `/` divides."
    )
    expect(
        np.isclose(answer(1000.0, 0.02), 2 * x), "limit", "Twice the input must store twice as much."
    )
    expect(
        np.isclose(500.0 - 0.02 * x, 0.0, atol=1e-6),
        "mass balance",
        f"For I = 500 and k = 0.02 you gave {x:.4g}; then I − k X = {500 - 0.02 * x:.4g}: what enters and "
        f"what leaves are not equal yet.",
    )


@exercise(
    "00.2",
    level=2,
    title="half-life",
    hints=(
        "After the half-life, half is left: which equation says so?",
        "Write 1/2 = exp(−k t), take the logarithm on both sides, solve for t.",
        "The function is one line with `np.log` and k.",
    ),
)
def half_life(answer: Callable[[Any], Any]) -> None:
    """t = ln 2 / k: half is left after t, a quarter after 2 t."""
    k = 0.04
    t = answer(k)
    expect(np.shape(t) == (), "shape", "For one rate return one number.")
    expect(np.isfinite(t), "not finite", "The time is not a finite number for k = 0.04.")
    expect(t > 0, "sign", "A time after the start is positive: the logarithm of 1/2 is negative.")
    by_year = -np.log1p(-k), -np.expm1(-k)
    expect(
        not np.isclose(t, np.log(2) / np.array(by_year)).any(),
        "limit",
        "That is for a pool that loses its share once a year, at the end. Here it loses all the time: "
        "take X₀ exp(−k t) as it stands.",
    )
    expect(
        np.isclose(answer(2 * k), t / 2),
        "units",
        "A pool that turns over twice as fast halves in half the time; yours does not. A rate is "
        "per year, so a time has the rate in the denominator.",
    )
    expect(
        not np.isclose(t, 1 / k),
        "identity",
        "That is the residence time. By then 37 % is left, not half.",
    )
    expect(
        not np.isclose(t, 0.5 / k),
        "limit",
        "That would hold if the first year's loss went on unchanged; the loss shrinks with the pool.",
    )
    expect(
        np.isclose(np.exp(-k * t), 0.5, atol=1e-3),
        "value",
        "Put your time into exp(−k t): the share left is not one half.",
    )


@exercise(
    "00.3",
    level=3,
    title="a model question card",
    hints=(
        "Start from a number you would like to know, and from whom it would matter to.",
        "Guess input and residence time first; the stock follows from them.",
        "Return a dict: three texts, one list of names, three numbers.",
    ),
)
def question_card(answer: Callable[[], Any]) -> None:
    """Complete, positive, and stock = input × residence time."""
    card = answer()
    wanted = ("question", "pools", "stock", "input", "residence_time", "refuted_by")
    expect(isinstance(card, dict), "shape", "Return a dict, with braces: {'question': …}.")
    missing = [name for name in wanted if name not in card]
    expect(not missing, "incomplete", f"The card lacks: {', '.join(missing)}.")
    expect(
        str(card["question"]).strip().endswith("?") and len(str(card["question"]).split()) >= 5,
        "incomplete",
        "Write the question as a full sentence with a question mark.",
    )
    expect(
        len(str(card["refuted_by"]).split()) >= 5,
        "incomplete",
        "Say in a sentence which data could prove you wrong.",
    )
    expect(
        not isinstance(card["pools"], str) and len(card["pools"]) >= 1,
        "shape",
        "List the pools by name: ['wood', 'soil'].",
    )
    numbers = {name: card[name] for name in ("stock", "input", "residence_time")}
    texts = [f"{name} is the text {value!r}" for name, value in numbers.items() if isinstance(value, str)]
    expect(not texts, "shape", f"{'; '.join(texts)}: give the number alone, in gC m⁻² and years.")
    stock, flux, tau = map(float, numbers.values())
    expect(np.isfinite([stock, flux, tau]), "not finite", "Stock, input and time must be numbers.")
    expect(min(stock, flux, tau) > 0, "sign", "Stock, input and residence time are positive.")
    expect(
        not np.isclose(stock * 1000, flux * tau, rtol=0.1),
        "units",
        "The stock is a thousand times too small: kgC m⁻² beside an input in gC m⁻² yr⁻¹?",
    )
    expect(
        np.isclose(stock, flux * tau, rtol=0.1),
        "identity",
        f"At steady state the stock is input times residence time: {flux:g} × {tau:g} = {flux * tau:g}, and "
        f"your stock is {stock:g}, more than 10 % away.",
    )
