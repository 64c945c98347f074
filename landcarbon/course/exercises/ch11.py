"""Exercises of chapter 11: pools with depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from landcarbon.course.checks import exercise, expect, unlike


@exercise(
    "11.1",
    level=1,
    title="which row is it",
    hints=(
        "How many entries stand before the first layer of pool number 2?",
        "Each pool before it takes L places; then come the layers above it, of which there are layer − 1.",
        "The function is one line: `return` pool times something, plus layer, minus something.",
    ),
)
def row(answer: Callable[[Any, Any, Any], Any]) -> None:
    """pool · L + layer − 1: every place once, in order."""
    first = answer(0, 1, 20)
    expect(np.shape(first) == (), "shape", "For one pool and one layer return one number.")
    expect(first == int(first), "value", "A place is a whole number.")
    expect(
        first != 20,
        "transposed",
        "Pool and layer have changed places: each pool before this one takes L places, each layer above it one.",
    )
    expect(
        first != 19,
        "transposed",
        "Yours counts the layers from the bottom: the first layer of a pool stands first.",
    )
    expect(
        first == 0,
        "off by one",
        "The first layer of the first pool must stand at place 0: Python counts from 0, layers here from 1.",
    )
    expect(
        answer(0, 2, 20) == 1,
        "transposed",
        "The second layer of the same pool must stand next to the first: all layers of a pool come first.",
    )
    all_rows = [answer(i, layer, 4) for i in range(3) for layer in range(1, 5)]
    expect(
        len(set(all_rows)) == 12, "identity", "Two different places of a model with 4 layers share a row."
    )
    expect(
        answer(2, 1, 20) != answer(2, 1, 4), "value",
        "The row does not depend on L: the number of layers is given, and need not be 20.",
    )
    expect(
        all_rows == list(range(12)),
        "value",
        "Three pools of 4 layers must fill the rows 0 to 11, pool after pool.",
    )


def _V(g: np.ndarray, dz: np.ndarray) -> np.ndarray:
    V = np.zeros((len(dz), len(dz)))
    for l, conductance in enumerate(g):  # noqa: E741
        V[l, l] += conductance / dz[l]
        V[l, l + 1] -= conductance / dz[l]
        V[l + 1, l + 1] += conductance / dz[l + 1]
        V[l + 1, l] -= conductance / dz[l + 1]
    return V


@exercise(
    "11.2",
    level=2,
    title="a matrix that loses nothing",
    hints=(
        "One face between two layers changes four entries of V. Which ones?",
        "Layer l gains g (X_{l+1} − X_l) per m²; per m³ that is divided by its own thickness. Write it into "
        "row l of V with the sign of +V X on the left side, then do row l + 1.",
        "`V = np.zeros((L, L))`, then a loop over faces with four lines, `V[l, l] += …`, "
        "`V[l, l + 1] -= …`, and two for row l + 1.",
    ),
)
def mixing_matrix(answer: Callable[[Any, Any], Any]) -> None:
    """Rows of zero sum, columns of zero sum once weighted by thickness, signs of an outflow matrix."""
    g, dz = np.array([2e-3, 5e-4, 1e-3]), np.array([0.05, 0.1, 0.4, 0.2])
    V = np.asarray(answer(g, dz), dtype=float)
    expect(V.shape == (4, 4), "shape", "Four layers need a 4 × 4 matrix.")
    expect(np.all(np.isfinite(V)), "not finite", "Some entries of V are not finite numbers.")
    expect(np.any(V != 0), "value", "V is zero: nothing is mixed.")
    expect(
        np.all(np.diagonal(V) >= 0) and np.all(V - np.diag(np.diagonal(V)) <= 0),
        "sign",
        "V stands in the equation as −V X: its diagonal is positive (what leaves), the rest negative.",
    )
    expect(np.abs(V).sum(axis=1) > 0, "incomplete",
           "A row of V is empty: a layer gives and gets nothing. There is a face for each entry of g.")
    last = _V(g, dz)
    for l in range(3):  # noqa: E741
        last[l, l], last[l + 1, l + 1] = g[l] / dz[l], g[l] / dz[l + 1]
    unlike(
        V,
        (last, "incomplete", "A layer between two others has two faces, and only the last one is on its diagonal: "
         "write `+=`, not `=`."),
        (np.diag(np.append(g, 0) / dz) - np.diag(g / dz[1:], -1), "incomplete",
         "Carbon only goes down in your V. Mixing exchanges: the layer below sends g X back up."),
    )
    size = np.abs(V).max()
    even, kept = np.abs(V @ np.ones(4)).max() / size, np.abs(dz @ V).max() / (size * dz.max())
    back = V.T
    turned = np.abs(back @ np.ones(4)).max() / size < 1e-9 and np.abs(dz @ back).max() / size < 1e-9
    expect(
        not (even > 1e-9 and turned),
        "transposed",
        "Row l is the balance of layer l, divided by its own thickness. Yours is the transposed matrix: rows and "
        "columns swapped, or divided by the thickness of the layer the carbon comes from (right for stocks).",
    )
    expect(
        np.allclose(answer(2 * g, 2 * dz), V),
        "units",
        "Twice the conductance in layers twice as thick must give the same V: conductance [m/yr] over "
        "thickness [m] is a rate [1/yr].",
    )
    expect(
        even < 1e-9,
        "limit",
        "A uniform column must stay as it is: V times a vector of ones is not zero.",
    )
    expect(
        kept < 1e-9,
        "mass balance",
        "What leaves a layer per m² must enter its neighbour: the columns of V, weighted by thickness, do "
        "not sum to zero. By whose thickness did you divide?",
    )
    expect(
        np.allclose(V, _V(g, dz)), "value", "The flux through a face must be g times the difference of both layers."
    )


@exercise(
    "11.3",
    level=3,
    title="a hundred times faster",
    hints=(
        "Solve the first pool alone: it is a tridiagonal system in depth. What does the second pool receive?",
        "For each pool: input plus what earlier pools pass on, then one sweep up through the layers and one "
        "down. Every step is arithmetic on arrays with one entry a column.",
        "Outer loop over pools; inside, `loss = K[:, i, -1]` for the deepest layer, a loop upwards that keeps "
        "`loss` and the carbon that comes up, and a loop downwards that fills X.",
    ),
)
def solve_cascade(answer: Callable[..., Any]) -> None:
    """Equal to a dense solve to 1e-10, balanced, positive."""
    rng = np.random.default_rng(113)
    n, p, L = 6, 3, 5
    f = np.tril(rng.uniform(0.1, 0.45, (n, p, p)), -1)
    A = np.eye(p) - f
    K = 10.0 ** rng.uniform(-3, 0.5, (n, p, L))
    down, up = 10.0 ** rng.uniform(-3, -1, (2, n, L - 1))
    b = rng.uniform(0, 100, (n, p, L))
    X = np.asarray(answer(A.copy(), K.copy(), down.copy(), up.copy(), b.copy()), dtype=float)
    expect(X.shape == (n, p, L), "shape", "Return an array (columns, pools, layers).")
    expect(np.all(np.isfinite(X)), "not finite", "Some pools are not finite numbers.")
    expect(np.all(X > 0), "sign", "Some pools are negative.")
    respired = (A.sum(axis=1)[:, :, None] * K * X).sum(axis=(1, 2))
    none = np.zeros_like(down)
    alone = np.asarray(answer(A.copy(), K.copy(), none, none, b.copy()), dtype=float)
    expect(
        np.allclose(alone[:, 0], b[:, 0] / K[:, 0]),
        "limit",
        "Without mixing the first pool must hold input over turnover rate in each layer.",
    )
    received = b[:, 1] + f[:, 1, :1] * b[:, 0]
    expect(
        np.allclose(alone[:, 1], received / K[:, 1]),
        "mass balance",
        "Without mixing the second pool must receive its own input and the share f that the first passes on.",
    )
    first = _dense(A[:, :1, :1], K[:, :1], down, up, b[:, :1])
    other = _dense(A[:, :1, :1], K[:, :1], up, down, b[:, :1])
    expect(
        not np.allclose(X[:, :1], other),
        "transposed",
        "down and up are swapped: `down[:, l]` takes carbon from layer l to layer l + 1.",
    )
    expect(
        np.allclose(X[:, :1], first, rtol=1e-8),
        "value",
        "The first pool, alone with its mixing, differs from a dense solve.",
    )
    expect(
        np.allclose(respired, b.sum(axis=(1, 2)), rtol=1e-8),
        "mass balance",
        "What comes in must be respired: the sums differ. Are you passing carbon on before mixing?",
    )
    expect(
        np.allclose(X, _dense(A, K, down, up, b), rtol=1e-10, atol=0),
        "value",
        "Some later pool differs from a dense solve by more than 1e-10.",
    )


def _dense(A: np.ndarray, K: np.ndarray, down: np.ndarray, up: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Stocks of each column from the whole matrix."""
    n, p, L = b.shape
    M = np.zeros((n, p, L, p, L))
    layer = np.arange(L)
    for i in range(p):
        for j in range(p):
            M[:, i, layer, j, layer] = A[:, i, j, None] * K[:, j]
        M[:, i, layer[:-1], i, layer[:-1]] += down
        M[:, i, layer[1:], i, layer[:-1]] -= down
        M[:, i, layer[1:], i, layer[1:]] += up
        M[:, i, layer[:-1], i, layer[1:]] -= up
    return np.linalg.solve(M.reshape(n, p * L, p * L), b.reshape(n, -1, 1)).reshape(b.shape)


@exercise(
    "11.4",
    level=2,
    title="water that carries carbon down",
    hints=(
        "What does layer l give away, and to whom? That is column l of V, before the division by thickness.",
        "Layer l gives g[l] down and h[l−1] up: both stand on the diagonal. What the neighbours get is in their rows.",
        "np.diag(np.append(g, 0) + np.append(0, h)) - np.diag(g, -1) - np.diag(h, 1), each row divided by its dz.",
    ),
)
def carried(answer: Callable[[Any, Any, Any], Any]) -> None:
    """Columns of zero sum once weighted by thickness; g in the row below, h in the row above."""
    g, h, dz = np.array([3e-3, 1e-3, 2e-3]), np.array([2e-3, 5e-4, 1e-3]), np.array([0.05, 0.1, 0.4, 0.2])
    V = np.asarray(answer(g, h, dz), dtype=float)
    expect(V.shape == (4, 4), "shape", "Four layers need a 4 × 4 matrix.")
    expect(np.all(np.isfinite(V)), "not finite", "Some entries of V are not finite numbers.")
    true = (np.diag(np.append(g, 0) + np.append(0, h)) - np.diag(g, -1) - np.diag(h, 1)) / dz[:, None]
    expect(not np.allclose(V, -true), "sign", "V stands in the equation as −V X: what leaves is positive.")
    expect(not np.allclose(V, true * dz[:, None]), "units",
           "These are conductances in m/yr. A concentration changes by them over the thickness of its layer.")
    expect(not np.allclose(V, true * dz[:, None] / dz), "transposed",
           "Divided by the thickness of the layer the carbon comes from: right for stocks, not for concentrations.")
    turned = (np.diag(np.append(g, 0) + np.append(0, h)) - np.diag(g, 1) - np.diag(h, -1)) / dz[:, None]
    expect(not np.allclose(V, turned), "mass balance",
           "g above the diagonal and h below: what layer l gives down does not arrive in the row of layer l + 1.")
    gap = dz @ V
    worst = int(np.abs(gap).argmax())
    expect(np.abs(gap).max() < 1e-9 * np.abs(V).max(), "mass balance",
           f"The columns, weighted by thickness, do not sum to zero: layer {worst} (from 0) gives "
           f"{'more than its neighbours get' if gap[worst] > 0 else 'less than its neighbours get'}. What leaves it "
           "goes down through the face under it and up through the face above.")
    expect(np.abs(V @ np.ones(4)).max() > 1e-6, "identity",
           "A uniform column stays uniform in your V, but more goes down here than comes up.")
    expect(np.allclose(V, true), "value", "Down through the face under layer l goes g[l] X[l], up comes h[l] X[l+1].")


@exercise(
    "11.5",
    level=2,
    title="a month in one step",
    hints=(
        "X' stands on both sides. Which terms hold it, and which do not?",
        "Bring h M X' to the left: (1 + h M) X' = X + h u. That is a steady state of another matrix.",
        "One line: `return np.linalg.solve(…, …)`, with `np.eye(len(X))` in the matrix.",
    ),
)
def implicit_step(answer: Callable[..., Any]) -> None:
    """(1 + h M) X' = X + h u: balanced with the rates at the end, positive and steady for long steps."""
    M, X, u = np.array([[2.0, -0.1], [-0.6, 0.3]]), np.array([10.0, 50.0]), np.array([30.0, 4.0])
    h, one = 0.25, np.eye(2)
    after = np.asarray(answer(M.copy(), X.copy(), u.copy(), h), dtype=float)
    expect(after.shape == (2,), "shape", "Return the pools after the step: two pools, two numbers.")
    expect(np.all(np.isfinite(after)), "not finite", "Some pools are not finite numbers.")
    expect(
        not np.allclose(after, X + h * (u - M @ X)),
        "limit",
        "This is the explicit step: it takes M X at the beginning. With a step of ten years it would take more from "
        "a fast pool than is there.",
    )
    expect(
        not np.allclose(after, np.linalg.solve(one - h * M, X + h * u)),
        "sign",
        "M X' is what leaves, so it makes X' smaller. Which sign has h M when it comes to the left side?",
    )
    expect(
        not np.allclose(after, np.linalg.solve(one + h * M, X + u)),
        "units",
        "u is a flux per year, and the step is h years long: how much comes in?",
    )
    right, steady = np.linalg.solve(one + h * M, X + h * u), np.linalg.solve(M, u)
    values, vectors = np.linalg.eig(M)
    exact = steady + (vectors * np.exp(-h * values)) @ np.linalg.solve(vectors, X - steady)
    unlike(
        after,
        (np.linalg.solve(one + h * M.T, X + h * u), "transposed",
         "M is transposed: column j says what becomes of pool j."),
        (np.linalg.solve(1 + h * M, X + h * u), "identity",
         "`1 + h * M` adds 1 to every entry. The 1 of the equation is the unit matrix, `np.eye(len(X))`."),
        (np.linalg.solve(one + M, X + h * u), "units", "M is per year too, and the step has h years: h is missing."),
        (np.linalg.solve(one + h / 12 * M, X + h / 12 * u), "units", "h is in years; you divided it by twelve."),
        (steady, "limit", "That is where the pools end after a long time. In h years they go a part of the way."),
        (np.linalg.solve(one + h * M, X), "incomplete", "The input u is missing."),
        (right - X, "incomplete", "That is what the step changes; asked for are the pools after it."),
        ((one + h * M) @ (X + h * u), "identity",
         "You multiplied with 1 + h M. It stands on the side of the unknown X': solve."),
        ((X + h * u) / (1 + h * np.diag(M)), "mass balance",
         "Only the diagonal of M is used: what one pool hands to another does not arrive."),
        (exact, "identity",
         "That is the exact step. The implicit one uses the rates at its end all the time, and errs."),
    )
    expect(
        np.allclose(after - X, h * (u - M @ after)),
        "mass balance",
        "What the pools gain must be h times input minus losses, with the losses at the end of the step.",
    )
    long = np.asarray(answer(M.copy(), X.copy(), u.copy(), 1e9), dtype=float)
    expect(
        np.allclose(long, np.linalg.solve(M, u), rtol=1e-6),
        "limit",
        "A step of a thousand million years must arrive at the steady state.",
    )
