"""Steps that hand over at their end: conservation, limits, the loop that repeats, sentences."""

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.handover import HandOver
from landcarbon.matrix.model import folded
from landcarbon.matrix.spinup import accelerated, anderson, native, periodic, sasu


def random_year(seed: int, n: int = 4, T: int = 12, **parts) -> HandOver:
    rng = np.random.default_rng(seed)
    f = rng.uniform(size=(n, n)) * rng.integers(0, 2, size=(n, n))
    f *= rng.uniform(0.3, 0.95, size=n) / np.maximum(f.sum(axis=0), 1e-9)
    given = {"pulses": rng.uniform(0, 30, (T, n)), "xi": rng.uniform(0.1, 2, T), **parts}
    return HandOver(f, rng.uniform(0.02, 8, n), **given)


@given(seed=st.integers(0, 10_000))
def test_carbon_is_conserved_and_never_negative(seed):
    year, rng = random_year(seed), np.random.default_rng(seed + 1)
    X = rng.uniform(0, 1000, 4)
    respired = 0.0
    states = [X, *year.states(X)]
    for step, (before, after) in enumerate(itertools.pairwise(states)):
        respired += ((1 - year.transfer.sum(axis=0)) * year.decayed(step) * before).sum()
        assert np.all(after >= 0)
    assert states[-1].sum() - X.sum() == pytest.approx(year.pulses.sum() - respired, abs=1e-9 * X.sum())


def test_one_pool_that_hands_nothing_on_decays_exactly():
    year = HandOver([[0.0]], [0.7], np.zeros((5, 1)), dt=[0.1, 0.2, 0.3, 0.2, 0.2])
    assert year([100.0])[0] == pytest.approx(100 * np.exp(-0.7), rel=1e-14)


def test_what_comes_back_is_not_the_same_as_a_slower_rate():
    # Folded in, half comes back at once; handed over, it waits for the end of the step.
    once = HandOver([[0.5]], [2.0], np.zeros((1, 1)))([100.0])[0]
    assert once == pytest.approx(100 * (np.exp(-2) + 0.5 * (1 - np.exp(-2))))
    A, K = folded([[0.5]], [2.0])
    assert A == 1 and K == 1 and once > 100 * np.exp(-1)


def test_shorter_steps_lead_to_the_differential_equation_and_in_first_order():
    rng = np.random.default_rng(3)
    f, K, u = np.array([[0.1, 0.2, 0], [0.3, 0, 0.1], [0.1, 0.2, 0.3]]), rng.uniform(0.1, 4, 3), rng.uniform(1, 9, 3)
    A, slower = folded(f, K)
    exact = MatrixModel(("a", "b", "c"), A, slower, np.eye(3)).steady_state(u)

    def miss(T):
        return np.abs(periodic(HandOver(f, K, np.broadcast_to(u / T, (T, 3)))).X / exact - 1).max()

    misses = [miss(T) for T in (100, 200, 400)]
    assert misses[0] > misses[1] > misses[2]
    np.testing.assert_allclose(np.divide(misses[:-1], misses[1:]), 2, rtol=0.02)


def test_the_year_that_repeats():
    year = random_year(11)
    X = periodic(year).X
    np.testing.assert_allclose(year(X), X, rtol=1e-12)
    gone, brought = year.loop_map()
    start = np.full(4, 50.0)
    np.testing.assert_allclose(year(start), start - gone @ start + brought, rtol=1e-12)
    np.testing.assert_allclose(native(year, tol=1e-9).X, X, rtol=1e-6)
    np.testing.assert_allclose(anderson(year, tol=1e-9).X, X, rtol=1e-6)


def test_leading_axes_and_scalars_per_pool():
    rng = np.random.default_rng(5)
    many = random_year(2, pulses=rng.uniform(0, 30, (12, 6, 4)), xi=rng.uniform(0.1, 2, (12, 6, 4)))
    X = periodic(many).X
    assert X.shape == (6, 4)
    for k in range(6):
        one = random_year(2, pulses=many.pulses[:, k], xi=many.xi[:, k])
        np.testing.assert_allclose(X[k], periodic(one).X, rtol=1e-12)


def test_at_once_brings_the_same_input_and_scalars():
    year = random_year(8)
    cycle = year.at_once()
    np.testing.assert_allclose((cycle.u * cycle.dt[:, None]).sum(axis=0), year.pulses.sum(axis=0))
    np.testing.assert_allclose(np.diagonal(cycle.M[3]), year.xi[3] * year.K * (1 - np.diagonal(year.transfer)))


def test_sentences():
    good = {"transfer": [[0.0, 0.0], [0.4, 0.0]], "K": [1.0, 0.1], "pulses": np.ones((12, 2))}
    for change, sentence in (
        ({"transfer": [[0.7, 0.0], [0.4, 0.0]]}, "Column 0 of transfer hands on 1.1"),
        ({"transfer": [[1.0, 0.0], [0.0, 0.0]]}, "not all may come back"),
        ({"pulses": [1.0, 2.0]}, "give a row for each step"),
        ({"xi": np.ones(4)}, "12 pulses, 4 scalars and 12 lengths"),
        ({"K": [1.0, -0.1]}, "K must be at least 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            HandOver(**{**good, **change})
    for method in (partial(accelerated, factors=np.ones(len(good["K"]))), sasu):
        with pytest.raises(InputError, match="no outflow matrix"):
            method(HandOver(**good))
