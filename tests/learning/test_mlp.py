"""The network in plain NumPy: gradients to rounding, the same seed the same bits, early stopping."""

import time
from itertools import pairwise

import numpy as np
import pytest

from landcarbon.learning.mlp import MLP, train
from landcarbon.matrix.errors import InputError

SIZES = [(1, 1), (3, 2), (4, 7, 3), (2, 5, 6, 1)]


def quadratic(target):
    def cost(y, rows):
        e = y - target[rows]
        return 0.5 * float((e**2).sum(axis=-1).mean()), e / len(rows)

    return cost


@pytest.mark.parametrize("sizes", SIZES)
def test_gradient_is_the_complex_step(sizes):
    """Every weight and bias, to rounding; the output is tanh after tanh, written out here."""
    rng = np.random.default_rng(1)
    net = MLP.start(sizes, rng, last=1.0)
    net = net.with_vector(net.vector() + 0.1 * rng.standard_normal(net.size))
    x, c = rng.standard_normal((6, sizes[0])), rng.standard_normal((6, sizes[-1]))

    def J(vector):
        h, at = x.astype(complex), 0
        shapes = list(pairwise(sizes))
        W = []
        for a, b in shapes:
            W.append(vector[at : at + a * b].reshape(a, b))
            at += a * b
        for k, (_, b) in enumerate(shapes):
            h = h @ W[k] + vector[at : at + b]
            at += b
            h = np.tanh(h) if k + 1 < len(shapes) else h
        return (c * h**2).sum()

    y, pull = net.forward_and_vjp(x)
    got = pull(2 * c * y).vector()
    v = net.vector().astype(complex)
    step = 1e-30j
    want = [J(v + step * np.eye(net.size)[k]).imag / 1e-30 for k in range(net.size)]
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
    assert np.isclose(J(v).real, (c * y**2).sum(), rtol=1e-12)


def test_vector_goes_there_and_back():
    net = MLP.start((3, 5, 2), rng=3)
    again = net.with_vector(net.vector())
    for a, b in zip((*net.weights, *net.biases), (*again.weights, *again.biases)):
        np.testing.assert_array_equal(a, b)
    assert net.size == 3 * 5 + 5 + 5 * 2 + 2


def test_start_is_small_at_the_end_and_of_unit_size_before():
    net = MLP.start((400, 300, 5), rng=0, last=0.01)
    x = np.random.default_rng(1).standard_normal((500, 400))
    assert 0.9 < (x @ net.weights[0]).std() < 1.1
    assert np.abs(net(x)).max() < 0.1


def test_same_seed_same_bits():
    rng = np.random.default_rng(5)
    x, t = rng.standard_normal((90, 2)), rng.standard_normal((90, 1))
    held = np.arange(90) % 4 == 0

    def run(seed):
        return train(MLP.start((2, 8, 1), seed), x, quadratic(t), held, epochs=5, batch=16, rng=seed)

    a, b, c = run(1), run(1), run(2)
    np.testing.assert_array_equal(a.net.vector(), b.net.vector())
    np.testing.assert_array_equal(a.history, b.history)
    assert not np.array_equal(a.net.vector(), c.net.vector())


def test_learns_a_curve_that_a_line_cannot():
    rng = np.random.default_rng(6)
    x = rng.uniform(-2, 2, (400, 1))
    t = np.sin(2 * x) + 0.05 * rng.standard_normal(x.shape)
    held = np.arange(400) % 5 == 0
    net = train(MLP.start((1, 16, 1), 1), x, quadratic(t), held, rate=0.02, epochs=200, rng=1).net
    new = np.linspace(-2, 2, 101)[:, None]
    slope = np.polyfit(x[:, 0], t[:, 0], 1)
    assert np.abs(net(new) - np.sin(2 * new)).max() < 0.15
    assert np.abs(np.polyval(slope, new) - np.sin(2 * new)).max() > 0.5


def test_stops_early_and_returns_the_best_epoch():
    """Noise alone: validation cost must rise, and the network before it rose is kept."""
    rng = np.random.default_rng(7)
    x, t = rng.standard_normal((60, 10)), rng.standard_normal((60, 1))
    held = np.arange(60) % 2 == 0
    cost = quadratic(t)
    done = train(MLP.start((10, 64, 1), 1), x, cost, held, rate=0.01, epochs=400, patience=15, decay=0.0, rng=1)
    assert len(done.history) < 400
    assert len(done.history) == done.best + 16
    rows = np.flatnonzero(held)
    assert np.isclose(cost(done.net(x[rows]), rows)[0], done.history[:, 1].min())
    assert np.isclose(cost(done.last(x[rows]), rows)[0], done.history[-1, 1])
    assert done.history[-1, 0] < done.history[done.best, 0]


def test_validation_rows_never_move_a_weight():
    rng = np.random.default_rng(8)
    x, t = rng.standard_normal((40, 2)), rng.standard_normal((40, 1))
    held = np.arange(40) % 4 == 0
    other = np.where(held[:, None], t + 1e-9, t)
    runs = [train(MLP.start((2, 6, 1), 1), x, quadratic(y), held, epochs=8, patience=8, rng=2) for y in (t, other)]
    np.testing.assert_array_equal(runs[0].history[:, 0], runs[1].history[:, 0])


@pytest.mark.parametrize(("batch", "sizes"), [(32, [30, 30, 30]), (90, [90]), (10_000, [90]), (1, [1] * 90)])
def test_an_epoch_takes_every_row_once_in_steps_of_about_a_batch(batch, sizes):
    x = np.random.default_rng(9).standard_normal((120, 2))
    held = np.arange(120) % 4 == 0
    calls = []
    plain = quadratic(x[:, :1])

    def cost(y, rows):
        calls.append(np.array(rows))
        return plain(y, rows)

    net = MLP.start((2, 3, 1), 1)
    done = train(net, x, cost, held, batch=batch, rate=1e-12, decay=0.0, epochs=1, rng=1)
    *steps, asked = calls
    assert [len(rows) for rows in steps] == sizes
    np.testing.assert_array_equal(np.sort(np.concatenate(steps)), np.flatnonzero(~held))
    np.testing.assert_array_equal(asked, np.flatnonzero(held))
    # With a rate of nothing the network stays what it was, and so do both mean costs a row.
    for column, rows in enumerate((~held, held)):
        rows = np.flatnonzero(rows)
        assert done.history[0, column] == pytest.approx(plain(net(x[rows]), rows)[0], rel=1e-9)


def test_steps_are_those_of_adam_along_a_cosine():
    """Kingma & Ba (2015), algorithm 1, written out for one weight and one bias; decay after Loshchilov."""
    x, target = np.array([[1.0], [2.0], [3.0], [9.0]]), np.array([[3.0], [1.0], [2.0], [0.0]])
    start = MLP.start((1, 1), 1).with_vector([0.5, 0.2])
    done = train(start, x, quadratic(target), [False] * 3 + [True], rate=0.1, decay=0.3, epochs=7, patience=9, rng=1)
    w, b, m, s = 0.5, 0.2, np.zeros(2), np.zeros(2)
    costs = []
    for step in range(1, 8):
        miss = w * x[:3, 0] + b - target[:3, 0]
        costs.append(0.5 * (miss**2).mean())
        g = np.array([(miss * x[:3, 0]).mean(), miss.mean()])
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
        rate = 0.1 * (0.1 + 0.9 * (1 + np.cos(np.pi * (step - 1) / 7)) / 2)  # from whole to a tenth
        move = rate * (m / (1 - 0.9**step)) / (np.sqrt(s / (1 - 0.999**step)) + 1e-8)
        w, b = w - move[0] - rate * 0.3 * w, b - move[1]
    np.testing.assert_allclose(done.last.vector(), [w, b], rtol=1e-9)
    np.testing.assert_allclose(done.history[:, 0], costs, rtol=1e-9)
    assert done.history[-1, 1] == pytest.approx(0.5 * (9 * w + b) ** 2)


def test_what_is_not_said_is_as_documented_and_progress_is_told():
    rng = np.random.default_rng(11)
    x, t = rng.standard_normal((300, 2)), rng.standard_normal((300, 1))
    held = np.arange(300) % 3 == 0
    told = []
    begin = time.perf_counter()
    plain = train(MLP.start((2, 4, 1), 1), x, quadratic(t), held, tell=lambda *row: told.append(row))
    assert 0 < plain.seconds < time.perf_counter() - begin
    said = {"batch": 128, "rate": 3e-3, "decay": 1e-3, "epochs": 200, "patience": 20, "rng": 0}
    spelt = train(MLP.start((2, 4, 1), 1), x, quadratic(t), held, **said)
    np.testing.assert_array_equal(plain.net.vector(), spelt.net.vector())
    np.testing.assert_array_equal(plain.history, spelt.history)
    np.testing.assert_array_equal(np.array(told), np.column_stack([np.arange(len(told)), plain.history]))


def test_the_first_step_of_adam_by_hand():
    # After one step both means are the gradient itself, so a weight moves by the rate times its sign,
    # and shrinks by rate times decay; a bias does not shrink. At the first epoch the cosine is 1.
    x, held = np.array([[1.0], [2.0], [3.0]]), [False, False, True]
    net = MLP.start((1, 1), 1).with_vector([0.5, 0.2])
    done = train(net, x, quadratic(10 * x), held, rate=0.01, decay=0.3, epochs=1, rng=1)
    np.testing.assert_allclose(done.last.vector(), [0.5 + 0.01 * (1 - 0.3 * 0.5), 0.21], rtol=1e-8)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: MLP.start((3,)), "widths of the layers"),
        (lambda: MLP.start((3, 0, 1)), "at least 1"),
        (lambda: MLP.start((3, 2))(np.ones((4, 2))), "x must end in axes of length"),
        (lambda: MLP.start((3, 2))([[np.nan, 0, 0]]), "NaN"),
        (lambda: MLP.start((3, 2)).with_vector(np.ones(7)), "vector must end"),
        (lambda: train(MLP.start((1, 1)), np.ones((4, 1)), None, np.ones(4, bool)), "not all"),
        (lambda: train(MLP.start((1, 1)), np.ones((4, 1)), None, [False] * 4), "mark some"),
        (lambda: train(MLP.start((1, 1)), np.ones((4, 1)), None, [True]), "one True or False a row"),
        (lambda: train(MLP.start((1, 1)), np.ones((4, 1)), None, [True, 0, 0, 0], epochs=0), "at least 1"),
        (
            lambda: train(MLP.start((1, 1)), np.ones((4, 1)), lambda y, r: (np.nan, y), [True, 0, 0, 0]),
            "smaller rate",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
