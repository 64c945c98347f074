"""Steady states of soil columns: four methods, exact numbers, the adjoint, sentences for bad input."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcarbon.matrix import InputError, MatrixModel, solve
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers, exchange_rates, transport_matrix
from landcarbon.matrix.solve import METHODS

SEEDS = st.integers(0, 2**32 - 1)


def random_column(seed, pools=None, layers=None, lead=(), mixed=None, slowest=1e-3):
    """A column in which carbon goes round, and may fall into separate parts; half the fluxes absent."""
    rng = np.random.default_rng(seed)
    p = pools or int(rng.integers(1, 7))
    L = layers or int(rng.integers(1, 9))
    f = rng.uniform(size=(*lead, p, p)) * (rng.uniform(size=(p, p)) < 0.4) * (1 - np.eye(p))
    f *= rng.uniform(0, 0.95, (*lead, 1, p)) / np.maximum(f.sum(axis=-2, keepdims=True), 1)
    soil = SoilLayers(rng.uniform(0.01, 1.0, L))
    D = rng.choice([0.0, 1.0], L - 1) * 10.0 ** rng.uniform(-5, -1, (*lead, L - 1))
    down, up = exchange_rates(D, soil, rng.choice([0.0, 0.01]))
    K = 10.0 ** rng.uniform(np.log10(slowest), 1, (*lead, p, L))
    if mixed is None:
        mixed = rng.uniform(size=p) < 0.7
    model = LayeredModel([f"p{i}" for i in range(p)], soil, np.eye(p) - f, K, down, up, mixed)
    return model, rng.uniform(0, 100, (*lead, p, L))


@given(SEEDS)
@settings(max_examples=80, deadline=None)
def test_four_methods_agree(seed):
    model, b = random_column(seed, lead=(3,))
    X = {method: model.steady_state(b, method=method) for method in METHODS}
    for method in METHODS[1:]:
        np.testing.assert_allclose(X[method], X["cascade"], rtol=1e-10, err_msg=method)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_what_comes_in_is_respired(seed):
    model, b = random_column(seed, slowest=1e-12)
    X = model.steady_state(b)
    assert np.all(X >= 0)
    dz = model.layers.thickness
    respired = model.A.sum(axis=-2)[:, None] * model.K * X * dz
    np.testing.assert_allclose(respired.sum(), (b * dz).sum(), rtol=1e-10)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_without_mixing_each_layer_is_alone(seed):
    model, b = random_column(seed)
    still = model.replace(down=0 * model.down, up=0 * model.up)
    X = still.steady_state(b)
    np.testing.assert_allclose(model.replace(mixed=[False] * len(b)).steady_state(b), X, rtol=1e-13)
    for l in range(b.shape[1]):  # noqa: E741
        alone = MatrixModel(model.pools, model.A, model.K[:, l], B=np.eye(len(b)))
        np.testing.assert_allclose(X[:, l], alone.steady_state(b[:, l]), rtol=1e-10)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_the_same_column_as_one_flat_model(seed):
    model, b = random_column(seed, lead=(2,))
    flat, total = model.as_matrix_model(b + 0.1)
    stock = model.steady_state(b + 0.1) * model.layers.thickness
    np.testing.assert_allclose(flat.steady_state(total), stock.reshape(2, -1), rtol=1e-9)
    assert flat.pools[0] == "p0[1]"
    assert flat.index(f"p0[{len(model.layers)}]") == len(model.layers) - 1


def exact_steady_state(model, b):
    """Gaussian elimination in rational arithmetic, on stocks."""
    p, L = b.shape
    dz = [Fraction(float(v)) for v in model.layers.thickness]
    n = p * L
    M = [[Fraction(0)] * n for _ in range(n)]
    for i in range(p):
        for j in range(p):
            for l in range(L):  # noqa: E741
                M[i * L + l][j * L + l] += Fraction(float(model.A[i, j])) * Fraction(float(model.K[j, l]))
        for l in range(L - 1):  # noqa: E741
            if model.mixed[i]:
                at, below = i * L + l, i * L + l + 1
                down, up = Fraction(float(model.down[l])), Fraction(float(model.up[l]))
                M[at][at] += down
                M[below][at] -= down
                M[below][below] += up
                M[at][below] -= up
    rhs = [Fraction(float(b[i, l])) * dz[l] for i in range(p) for l in range(L)]
    for k in range(n):
        for i in range(k + 1, n):
            if M[i][k]:
                ratio = M[i][k] / M[k][k]
                for j in range(k, n):
                    M[i][j] -= ratio * M[k][j]
                rhs[i] -= ratio * rhs[k]
    X = [Fraction(0)] * n
    for i in reversed(range(n)):
        X[i] = (rhs[i] - sum(M[i][j] * X[j] for j in range(i + 1, n))) / M[i][i]
    return np.array([[float(X[i * L + l] / dz[l]) for l in range(L)] for i in range(p)])


@pytest.mark.parametrize("slow", [1e-6, 1e-18, 1e-25])
@pytest.mark.parametrize("seed", range(3))
def test_every_pool_is_accurate_where_the_matrix_is_singular_to_rounding(seed, slow):
    """Three lower layers that hardly decompose, cut off from the upper ones by a face without mixing."""
    model, b = random_column(seed, pools=3, layers=6, mixed=[True] * 3)
    down, up = exchange_rates([1e-3, 1e-3, 0.0, 1e-3, 1e-3], model.layers)
    f = np.array([[0, 0.75, 0.5], [0.25, 0, 0.5], [0.5, 0.25, 0]])  # pool 3 respires nothing
    K = model.K * [1, 1, 1, slow, slow, slow]
    model = model.replace(A=np.eye(3) - f, K=K, down=down, up=up)
    exact = exact_steady_state(model, b)
    np.testing.assert_allclose(model.steady_state(b), exact, rtol=1e-14)
    if slow < 1e-17:  # this is where the other methods have nothing left to work with
        for method in METHODS[1:]:
            try:
                off = np.abs(model.steady_state(b, method=method) / exact - 1).max()
            except InputError as error:
                assert "singular to rounding" in str(error)  # noqa: PT017
            else:
                assert off > 0.1


def test_a_cascade_is_found_whatever_the_order_of_the_pools():
    model, b = random_column(11, pools=6, layers=5, lead=(4,), mixed=[True, True, False, True, True, True])
    X = model.steady_state(b)
    for order in ([5, 4, 3, 2, 1, 0], [2, 0, 4, 1, 5, 3]):
        turned = LayeredModel(
            [model.pools[i] for i in order],
            model.layers,
            model.A[:, order][:, :, order],
            model.K[:, order],
            model.down,
            model.up,
            [model.mixed[i] for i in order],
        )
        np.testing.assert_allclose(turned.steady_state(b[:, order]), X[:, order], rtol=1e-12)


def test_two_loops_of_the_same_size_share_a_stage():
    # a ⇄ b and c ⇄ d do not know of each other: one stage of two groups.
    A = np.eye(4)
    A[1, 0], A[0, 1], A[3, 2], A[2, 3] = -0.5, -0.3, -0.2, -0.7
    model, b = random_column(5, pools=4, layers=4, mixed=[True, True, True, True])
    model = model.replace(A=A)
    plan = model.plan()
    assert [stage.size for stage in plan.stages] == [2]
    np.testing.assert_allclose(model.steady_state(b), model.steady_state(b, method="dense"), rtol=1e-12)
    half = model.replace(mixed=[True, False, True, False])  # one of the two pools of each loop moves
    assert [stage.size for stage in half.plan().stages] == [2]
    np.testing.assert_allclose(half.steady_state(b), half.steady_state(b, method="dense"), rtol=1e-12)


def test_many_columns_in_parts_equal_one_by_one(monkeypatch):
    model, b = random_column(4, pools=4, layers=5, lead=(11,))
    g = np.random.default_rng(0).normal(size=b.shape)
    X, pull = model.steady_state_and_vjp(b)
    whole = pull(g)
    monkeypatch.setattr(solve, "CHUNK", 3)
    np.testing.assert_array_equal(model.steady_state(b), X)
    parts = model.steady_state_and_vjp(b)[1](g)
    for name in ("A", "K", "down", "up", "I"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)
    for method in METHODS:
        np.testing.assert_allclose(model.steady_state(b, method=method), X, rtol=1e-10)
    one = model.replace(A=model.A[7], K=model.K[7], down=model.down[7], up=model.up[7])
    np.testing.assert_allclose(one.steady_state(b[7]), X[7], rtol=1e-12)


def test_leading_axes_broadcast():
    model, b = random_column(9, pools=3, layers=4)
    K = model.K * np.linspace(0.5, 2, 6).reshape(2, 3, 1, 1)
    down = model.down * np.array([1.0, 2.0, 3.0])[:, None]
    many = model.replace(K=K, down=down)
    assert many.shape == (2, 3)
    for method in METHODS:
        X = many.steady_state(b, method=method)
        assert X.shape == (2, 3, 3, 4)
        one = model.replace(K=K[1, 2], down=down[2])
        np.testing.assert_allclose(X[1, 2], one.steady_state(b), rtol=1e-10)
    assert model.steady_state(np.stack([b, 2 * b])).shape == (2, 3, 4)
    assert many.outflow_matrix().shape == (2, 3, 12, 12)


def test_no_columns_no_trouble():
    model, b = random_column(9, pools=3, layers=4)
    none = model.replace(K=np.ones((0, 3, 4)))
    assert none.steady_state(b).shape == (0, 3, 4)
    assert none.steady_state_and_vjp(b)[1](np.ones((0, 3, 4))).K.shape == (0, 3, 4)


@pytest.mark.parametrize("seed", range(8))
def test_the_adjoint_is_the_derivative(seed):
    """Against M⁻ᵀ written out densely: dJ = λᵀ(db − dM X)."""
    model, b = random_column(seed, layers=4, lead=(2,))
    p, L = b.shape[-2:]
    g = np.random.default_rng(seed).normal(size=b.shape)
    X, pull = model.steady_state_and_vjp(b)
    grad = pull(g)
    lam = np.linalg.solve(
        np.swapaxes(model.outflow_matrix(), -1, -2), g.reshape(2, -1, 1)
    ).reshape(g.shape)
    np.testing.assert_allclose(grad.I, lam, rtol=1e-8, atol=1e-10 * np.abs(lam).max())
    for i in range(p):
        for j in range(p):
            expected = -(lam[:, i] * model.K[:, j] * X[:, j]).sum(axis=-1)
            if i != j and np.any(model.A[:, i, j]):
                np.testing.assert_allclose(grad.A[:, i, j], expected, rtol=1e-8, atol=1e-9)
            else:
                assert not grad.A[:, i, j].any()
    sent = np.einsum("sij,sil->sjl", model.A, lam)
    np.testing.assert_allclose(grad.K, -sent * X, rtol=1e-8, atol=1e-8 * np.abs(sent * X).max())
    for l in range(L - 1):  # noqa: E741
        for name in ("down", "up"):
            unit = {"down": np.zeros((2, L - 1)), "up": np.zeros((2, L - 1))}
            unit[name][:, l] = 1.0
            V = transport_matrix(unit["down"], unit["up"], model.layers)
            moved = np.einsum("slk,spk->spl", V, X)
            expected = -(lam * moved)[:, np.array(model.mixed, bool)].sum(axis=(1, 2))
            np.testing.assert_allclose(
                getattr(grad, name)[:, l], expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max()
            )


@pytest.mark.parametrize("method", METHODS[1:])
def test_every_method_has_the_same_adjoint(method):
    model, b = random_column(7, pools=5, layers=6, lead=(3,))
    g = np.random.default_rng(0).normal(size=b.shape)
    expected = model.steady_state_and_vjp(b)[1](g)
    found = model.steady_state_and_vjp(b, method)[1](g)
    for name in ("A", "K", "down", "up", "I"):
        e, f = getattr(expected, name), getattr(found, name)
        np.testing.assert_allclose(f, e, rtol=1e-9, atol=1e-11 * np.abs(e).max(), err_msg=name)


def test_the_adjoint_can_be_pulled_twice():
    model, b = random_column(3, pools=4, layers=5, lead=(2,))
    X, pull = model.steady_state_and_vjp(b)
    first, second = pull(np.ones_like(X)), pull(np.ones_like(X))
    np.testing.assert_array_equal(first.K, second.K)
    np.testing.assert_allclose(pull(np.full_like(X, 2.0)).K, 2 * first.K)


def column(**changes):
    parts = {
        "pools": ("litter", "soil"),
        "layers": SoilLayers([0.1, 0.2, 0.7]),
        "A": [[1, 0], [-0.5, 1]],
        "K": [[2, 2, 2], [0.1, 0.05, 0.01]],
        "down": [0.01, 0.01],
        "up": [0.005, 0.005],
    }
    return LayeredModel(**{**parts, **changes})


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: column(A=[[1, 0], [-1.2, 1]]), "Column 0 of A sends out 1.2 of what leaves 'litter'"),
        (lambda: column(A=[[-1, 0], [0.5, -1]]), "With −1 there, you have the other sign convention"),
        (lambda: column(A=[[1, 0], [0.5, 1]]), "the transfer from 'litter' to 'soil' is written with a"),
        (lambda: column(K=[[2, 2, 2], [0.1, -0.05, 0.01]]), "K of pool 'soil' is -0.05 per year"),
        (lambda: column(K=[[2, 2, 2]]), "K must end in axes of length .2, 3..*litter, soil. and 3 layers"),
        (lambda: column(K=[[2, 2, 2], [0.1, np.nan, 0.01]]), "K holds 1 value.s. that are NaN"),
        (lambda: column(down=[0.01]), r"down must end in axes of length \(2\)"),
        (lambda: column(up=[0.01, -1]), "up must be at least 0"),
        (lambda: column(mixed=[True]), "mixed has 1 entries; say how strongly for each pool"),
        (lambda: column(pools=("soil", "soil")), "pool names must differ"),
        (lambda: column().replace(kappa=1), r"A LayeredModel has .*, not \['kappa'\]"),
        (lambda: column().steady_state([[1, 1, 1]]), "I must end in axes of length"),
        (lambda: column().steady_state([[1, 1, -1], [0, 0, 0]]), "I must be at least 0"),
        (lambda: column().steady_state(np.ones((2, 3)), method="lu"), "no method 'lu'; choose among cascade"),
        (lambda: column().index("soul"), "There is no pool 'soul'.*Did you mean 'soil'"),
        (lambda: column().index("soil", 4), "layer is 4; layers are counted from 1 to 3"),
        (lambda: column().index("soil", 0), "layer is 0; layers are counted from 1 to 3"),
        (
            lambda: column(K=[[2, 2, 2], [0.1, 0, 0]], mixed=[True, False]).steady_state(np.ones((2, 3))),
            "no steady state: carbon in pool 'soil', layer 2, does not leave",
        ),
        (
            lambda: column(K=np.zeros((2, 3)), down=[0, 0], up=[0, 0]).steady_state(
                np.ones((2, 3)), method="banded"
            ),
            "singular to rounding for method 'banded'. Try 'cascade'",
        ),
        (
            lambda: column(K=np.zeros((4, 2, 3)) + [[[0]], [[1]], [[1]], [[1]]]).steady_state(
                np.ones((2, 3))
            ),
            "Column 0 has no steady state",
        ),
        (
            lambda: column().steady_state_and_vjp(np.ones((2, 3)))[1](np.ones((3, 2))),
            "dX must end in axes of length",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
