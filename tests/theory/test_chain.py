"""Pools and atmosphere as a chain: exponentials and elimination that keep their digits."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_model

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.theory.chain import Chain, system

seeds = st.integers(0, 2**32 - 1)
systems = given(seed=seeds, n=st.integers(1, 8))
few = settings(max_examples=25, deadline=None)


@systems
@few
def test_the_chain_is_the_model(seed, n):
    m = random_model(seed, n)
    read = system(m, 300.0)
    np.testing.assert_allclose(read.chain.outflow, m.outflow_matrix(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(read.chain.leave, m.respired_fraction * m.K, rtol=1e-12)
    np.testing.assert_allclose(read.u, m.input(300.0))
    again = system(m.outflow_matrix(), m.input(300.0))
    np.testing.assert_allclose(again.chain.leave, read.chain.leave, rtol=1e-9)


@systems
@few
def test_elimination_solves_with_the_matrix_and_with_its_transpose(seed, n):
    m = random_model(seed, n)
    chain, M = system(m).chain, m.outflow_matrix()
    u = np.random.default_rng(seed).uniform(size=n)
    np.testing.assert_allclose(chain.solve(u), np.linalg.solve(M, u), rtol=1e-10)
    np.testing.assert_allclose(chain.solve_left(u), np.linalg.solve(M.T, u), rtol=1e-10)


def test_elimination_keeps_its_digits_where_almost_nothing_leaves():
    # Two pools that swap carbon once a year; one of them leaks. From the leaky pool on average
    # 2 / leak years pass; from the other, one year more: exact for any leak.
    leak = 10.0 ** -np.arange(0.0, 150.0, 25.0)
    move = np.broadcast_to([[0.0, 1.0], [1.0, 0.0]], (leak.size, 2, 2))
    chain = Chain(move, np.stack([np.zeros_like(leak), leak], axis=-1), ("tight", "leaky"))
    np.testing.assert_allclose(chain.mean, np.stack([2 / leak + 1, 2 / leak], axis=-1), rtol=1e-15)


@given(seed=seeds, n=st.integers(1, 8), scale=st.sampled_from([1e-3, 0.1, 1.0, 30.0, 1e3]))
@few
def test_survival_is_the_matrix_exponential(seed, n, scale):
    m = random_model(seed, n)
    chain = system(m).chain
    ages = scale * np.array([0.0, 0.3, 1.0])
    expected = [scipy.linalg.expm(-m.outflow_matrix() * a) for a in ages]
    np.testing.assert_allclose(chain.survival(ages), [E.sum(axis=0) for E in expected], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(
        chain.leaving(ages), [chain.leave @ E for E in expected], rtol=1e-9, atol=1e-14 * chain.leave.max()
    )
    np.testing.assert_allclose(chain.gone(ages) + chain.survival(ages), 1.0, rtol=1e-12)


def test_both_tails_keep_their_digits():
    # Four equal pools in a row: the time to leave has a gamma distribution of shape 4.
    A = np.eye(4) - np.eye(4, k=-1)
    chain = system(MatrixModel(list("abcd"), A, K=[2.0] * 4, B=[1, 0, 0, 0])).chain
    a = np.array([1e-6, 1e-3, 1.0, 100.0, 300.0])
    x = 2 * a
    left = np.exp(-x) * (1 + x + x**2 / 2 + x**3 / 6)
    small = x[:2] ** 4 / 24 * (1 - 4 * x[:2] / 5 + x[:2] ** 2 / 3)
    np.testing.assert_allclose(chain.survival(a)[:, 0], left, rtol=1e-12)
    np.testing.assert_allclose(chain.gone(a)[:2, 0], small, rtol=1e-7)
    np.testing.assert_allclose(chain.leaving(a)[:, 0], 2 * np.exp(-x) * x**3 / 6, rtol=1e-12)


@systems
@few
def test_quantiles_invert_the_share_that_has_left(seed, n):
    m = random_model(seed, n)
    chain = system(m).chain
    q = np.array([0.0, 1e-9, 0.05, 0.5, 0.95, 1 - 1e-9])
    start = np.repeat(m.B[:, None], q.size, axis=1)
    a = chain.quantile(start, q)
    assert a[0] == 0.0
    share = (chain.gone(a) @ m.B)[1:-1]
    np.testing.assert_allclose(share, q[1:-1], rtol=1e-12)
    np.testing.assert_allclose((chain.survival(a) @ m.B)[-1], 1e-9, rtol=1e-6)


@systems
@few
def test_the_stay_is_the_integral_of_survival(seed, n):
    m = random_model(seed, n)
    chain = system(m).chain
    t = np.array([0.0, 0.01, 1.0, 20.0, 3000.0])
    # Mᵀ stay = 1 − survival, column by column
    expected = (1 - chain.survival(t)) @ np.linalg.inv(m.outflow_matrix())
    np.testing.assert_allclose(chain.stay(t), expected, rtol=1e-9, atol=1e-12)


@systems
@few
def test_seen_backwards_the_stocks_stay_the_same(seed, n):
    m = random_model(seed, n)
    read = system(m, 1.0)
    X = read.chain.solve(read.u)
    back = read.chain.backward(read.u, X)
    # What leaves the door backwards came in forwards, and the other way round.
    np.testing.assert_allclose(back.leave * X, read.u, rtol=1e-12)
    np.testing.assert_allclose(back.solve(read.chain.leave * X), X, rtol=1e-10)
    # Pools taken out before the turn, or after it.
    after = Chain(back.move, back.leave, back.names)
    np.testing.assert_allclose(back.mean, after.mean, rtol=1e-11)
    np.testing.assert_allclose(back.square, after.square, rtol=1e-11)


def test_leading_axes_equal_one_by_one():
    m = random_model(3, 5, lead=(4,))
    chain = system(m).chain
    ages = np.array([0.1, 7.0])
    for s in range(4):
        one = system(MatrixModel(m.pools, m.A[s], m.K[s], m.B[s])).chain
        np.testing.assert_allclose(chain.survival(ages)[s], one.survival(ages), rtol=1e-12)
        np.testing.assert_allclose(chain.square[s], one.square, rtol=1e-12)


def test_reached_and_way_out_follow_the_arrows():
    A = [[1, 0, 0, 0], [-0.5, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]]
    read = system(MatrixModel(list("abcd"), A, K=[1, 1, 1, 1], B=[1, 0, 0, 0]), 1.0)
    assert read.chain.reached(read.u).tolist() == [True, True, False, False]
    assert read.chain.way_out().tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: system([1.0, 2.0]), "square matrix"),
        (lambda: system([[-0.5]]), "With the other sign convention, give −M"),
        (lambda: system([[0.5, 0.1], [0, 1]]), "no positive entry off it"),
        (lambda: system([[0.5, 0], [-0.9, 1]]), "more leaves pool 0 for the others"),
        (lambda: system([[0.5]], [1.0], xi=0.5), "multiply the columns of M by xi"),
        (lambda: system([[0.0]]).chain.survival(np.ones(1)), "All rates are 0"),
        (lambda: system([[1.0, -1.0], [-1.0, 1.0]]).chain.mean, "Carbon in pool . can never leave"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
