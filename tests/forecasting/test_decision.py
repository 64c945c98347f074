"""Decisions: closed forms of the newsvendor, bounds of the value of information, efficient splits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from landcarbon.forecasting.decision import (
    consequences,
    portfolios,
    value_of_forecast,
    value_of_perfect_forecast,
)
from landcarbon.matrix import InputError

PRICE, PENALTY = 1.0, 4.0


def promise(amount, gain):
    """Paid for what is promised, fined for what is missing."""
    return PRICE * amount - PENALTY * np.maximum(0.0, amount - gain)


def test_the_best_promise_is_the_quantile_at_price_over_penalty():
    gain = norm.ppf((np.arange(20_000) + 0.5) / 20_000, 2.0, 0.8)
    amounts = np.linspace(0, 4, 401)
    best = amounts[consequences(promise, amounts, gain).mean(axis=1).argmax()]
    assert best == pytest.approx(norm.ppf(PRICE / PENALTY, 2.0, 0.8), abs=0.01)
    # Knowing the gain, one promises exactly that: the mean gain times the price is the most there is.
    perfect = value_of_perfect_forecast(consequences(promise, amounts, gain))
    expected = PENALTY * 0.8 * norm.pdf(norm.ppf(PRICE / PENALTY))
    assert perfect == pytest.approx(expected, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 10_000))
def test_a_perfect_forecast_is_never_worth_less_than_nothing(actions, members, seed):
    table = np.random.default_rng(seed).normal(size=(actions, members))
    value = value_of_perfect_forecast(table)
    assert value >= -1e-12
    assert value_of_perfect_forecast(table[:1]) == pytest.approx(0, abs=1e-12)
    dominated = np.vstack([table, table.max(axis=0) + 1])
    assert value_of_perfect_forecast(dominated) == pytest.approx(0, abs=1e-12)


def test_value_grows_with_skill_and_is_bounded():
    rng = np.random.default_rng(1)
    known = rng.normal(size=(3, 400))
    y = 2 + known.sum(axis=0) * 0.5
    amounts = np.linspace(-2, 6, 161)
    null = 2 + 0.5 * np.sqrt(3) * rng.normal(size=(200, 400))
    values = []
    for n in (0, 1, 2, 3):
        rest = 0.5 * np.sqrt(3 - n) * rng.normal(size=(200, 400))
        values.append(
            value_of_forecast(promise, amounts, y, 2 + known[:n].sum(0) * 0.5 + rest, null)
        )
    assert values[0] == pytest.approx(0, abs=0.03)
    assert (np.diff(values) > 0.1).all()
    assert values[3] == pytest.approx(1, abs=0.02)
    wrong = value_of_forecast(promise, amounts, y, 6 + 0 * null, null)
    assert wrong < 0


def test_overconfidence_costs_although_the_mean_is_right():
    rng = np.random.default_rng(2)
    known = rng.normal(size=500)
    y = 2 + 0.5 * known + 0.8 * rng.normal(size=500)
    amounts = np.linspace(-2, 6, 161)
    null = 2 + np.hypot(0.5, 0.8) * rng.normal(size=(300, 500))
    honest = 2 + 0.5 * known + 0.8 * rng.normal(size=(300, 500))
    sharp = 2 + 0.5 * known + 0.05 * rng.normal(size=(300, 500))
    assert value_of_forecast(promise, amounts, y, honest, null) > 0.05
    assert value_of_forecast(promise, amounts, y, sharp, null) < 0


def test_splits_are_complete_and_the_efficient_ones_are_not_beaten():
    rng = np.random.default_rng(3)
    returns = np.array([[20.0], [60.0], [40.0]]) * np.exp(
        rng.normal(0, [[0.05], [0.8], [0.4]], (3, 500))
    )
    table = portfolios(returns, ["a", "b", "c"], parts=10)
    assert len(table) == 66
    assert np.allclose(table[["a", "b", "c"]].sum(axis=1), 1)
    for _, row in table.iterrows():
        better = (table["mean"] >= row["mean"]) & (table["low"] >= row["low"])
        better &= (table["mean"] > row["mean"]) | (table["low"] > row["low"])
        assert row["efficient"] == (not better.any())
    limited = portfolios(returns, ["a", "b", "c"], parts=10, limits=[1, 0.3, 0.3])
    assert limited["b"].max() == pytest.approx(0.3)
    # Independent risks: the safest split is a mixture.
    twins = portfolios(np.exp(rng.normal(0, 0.5, (2, 2000))), ["a", "b"])
    assert 0 < twins.loc[twins["low"].idxmax(), "a"] < 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: consequences(promise, [], [1.0]), "no action"),
        (lambda: consequences(lambda a, y: 1.0, ["x"], [1.0, 2.0]), "one number for each outcome"),
        (lambda: consequences(lambda a, y: y * np.nan, ["x"], [1.0]), "NaN"),
        (lambda: value_of_perfect_forecast([1.0, 2.0]), "must end in axes"),
        (lambda: value_of_forecast(promise, [1.0], [1.0], [[1.0]], [[1.0]]), "no forecast can"),
        (lambda: value_of_forecast(promise, [1.0], [1.0], [[1.0, 2.0]], [[1.0]]), "forecast must"),
        (lambda: portfolios([[1.0, 2.0]], ["a", "b"]), "names 2"),
        (lambda: portfolios([[1.0], [2.0]], ["a", "b"], limits=[0.2, 0.2]), "raise them"),
        (lambda: portfolios([[1.0], [2.0]], ["a", "b"], parts=0), "at least 1"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words) as told:
        call()
    assert str(told.value).endswith(".")
