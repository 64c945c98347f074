"""A tracer through columns: against an independent solution, its balance, its adjoint."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from landcarbon.matrix import InputError
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers, exchange_rates
from landcarbon.matrix.tracer import tracer, tracer_and_vjp

SOIL = SoilLayers([0.1, 0.2, 0.7])
A = np.array([[1.0, 0.0, 0.0], [-0.5, 1.0, -0.3], [0.0, -0.2, 1.0]])
KNOTS = np.array([1900.0, 1910.0, 1920.0, *range(1921, 1931)], dtype=float)
RATIO = 1.0 + np.array([0, 0, 0, 0, 0.1, 0.5, 0.8, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3])
DECAY = 1 / 8267


def columns(n=3):
    """A fast, a slow and a passive pool; the others of a column are scaled."""
    scale = np.linspace(0.5, 2.0, n)[:, None, None]
    K = scale * np.array([[3.0, 2.0, 1.0], [0.15, 0.1, 0.05], [0.004, 0.003, 0.002]])
    model = LayeredModel(("litter", "slow", "passive"), SOIL, A, K, *exchange_rates([1e-2, 1e-2], SOIL))
    I = np.zeros((n, 3, 3))
    I[:, 0] = [1000, 300, 20]
    return model, I


def test_against_an_independent_solution():
    model, I = columns(1)
    M = model.outflow_matrix()[0] + DECAY * np.eye(9)
    u = I[0].reshape(-1)
    for end in (7, 12):
        y = RATIO[0] * np.linalg.solve(M, u)
        for a, b in zip(range(end), range(1, end + 1)):  # from knot to knot, where the ratio is smooth
            run = solve_ivp(
                lambda t, y: np.interp(t, KNOTS, RATIO) * u - M @ y, (KNOTS[a], KNOTS[b]), y,
                method="Radau", rtol=1e-9, atol=1e-9, jac=-M,
            )
            y = run.y[:, -1]
        theirs, error = y.reshape(3, 3), []
        for parts in (1, 4):  # steps between two knots
            fine = np.interp(np.arange(12 * parts + 1) / parts, np.arange(13), KNOTS)
            ours = tracer(model, I, fine, np.interp(fine, KNOTS, RATIO), parts * end, DECAY)[0]
            error.append(np.abs(ours / theirs - 1))
        assert error[1].max() < 1e-4
        assert error[0].max() > 16 * error[1].max()  # more than of second order


def test_a_tracer_that_is_all_carbon_is_the_carbon():
    model, I = columns()
    Y = tracer(model, I, KNOTS, np.full(KNOTS.size, 1.7), [0, 5, 12])
    np.testing.assert_allclose(Y, 1.7 * model.steady_state(I), rtol=1e-11)


def test_nothing_is_made_on_the_way():
    # What came in less what was respired and decayed is what was added, year by year.
    model, I = columns(1)
    fine = np.arange(1920.0, 1930.01, 0.125)
    ratio = np.interp(fine, KNOTS, RATIO)
    Y = tracer(model, I, fine, ratio, np.arange(fine.size), DECAY)
    dz = SOIL.thickness
    gone = ((model.respired_fraction * model.K * Y + DECAY * Y) * dz).sum(axis=(-2, -1))
    came = ratio * (I * dz).sum()
    held = (Y * dz).sum(axis=(-2, -1))
    net = came - gone
    passed = 0.125 * (net[0] / 2 + net[1:-1].sum() + net[-1] / 2)
    through = 0.125 * came.sum()
    assert abs(held[-1] - held[0] - passed) < 1e-4 * through
    assert held[-1] - held[0] > 0.01 * through


def test_a_pool_that_turns_over_at_once_follows_the_input():
    model, I = columns(1)
    fast = model.replace(K=model.K * np.array([1e5, 1.0, 1.0])[:, None])
    for end in (5, 9, 12):
        Y = tracer(fast, I, KNOTS, RATIO, end, DECAY)
        np.testing.assert_allclose((Y / fast.steady_state(I))[0, 0], RATIO[end], rtol=1e-5)


@pytest.mark.parametrize("part", ["A", "K", "down", "up", "I"])
def test_the_adjoint_against_central_differences(part):
    model, I = columns()
    rng = np.random.default_rng(3)
    model = model.replace(A=np.tile(A, (3, 1, 1)), down=np.tile(model.down, (3, 1)), up=np.tile(model.up, (3, 1)))
    end, weight = [0, 6, 12], rng.standard_normal((3, 3, 3))
    _, pull = tracer_and_vjp(model, I, KNOTS, RATIO, end, DECAY)
    old = I if part == "I" else getattr(model, part)
    move = old * rng.uniform(-1, 1, old.shape) * (1 - np.eye(3) if part == "A" else 1.0)

    def cost(h):
        moved = model if part == "I" else model.replace(**{part: old + h * move})
        return (weight * tracer(moved, I + h * move if part == "I" else I, KNOTS, RATIO, end, DECAY)).sum(axis=(1, 2))

    h = 1e-4
    differences = (8 * (cost(h) - cost(-h)) - (cost(2 * h) - cost(-2 * h))) / (12 * h)
    by_adjoint = (getattr(pull(weight), part) * move).reshape(3, -1).sum(axis=1)
    np.testing.assert_allclose(by_adjoint, differences, rtol=1e-7, atol=1e-8 * np.abs(differences).max())


def test_columns_of_a_batch_do_not_see_each_other():
    model, I = columns()
    end = np.array([3, 12, 8])
    whole = tracer(model, I, KNOTS, RATIO, end, DECAY)
    for s in range(3):
        alone = tracer(model.replace(K=model.K[s]), I[s], KNOTS, RATIO, end[s], DECAY)
        np.testing.assert_allclose(whole[s], alone, rtol=1e-12)


@pytest.mark.parametrize(("change", "words"), [
    ({"knots": KNOTS[::-1]}, "times or more that rise"),
    ({"ratio": RATIO[:-1]}, "ratio"),
    ({"end": 13}, "end"),
    ({"end": 0.5}, "whole numbers"),
    ({"end": [1, 2]}, "do not fit together"),
])
def test_what_cannot_be_run_is_a_sentence(change, words):
    model, I = columns()
    with pytest.raises(InputError, match=words):
        tracer(model, I, **({"knots": KNOTS, "ratio": RATIO, "end": 1} | change))
