"""The equations that are written are the equations that are computed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from strategies import random_model

from landcarbon.course import plots
from landcarbon.course.equations import balance_equations, show_equations, terms
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError
from landcarbon.models.century import century7
from landcarbon.models.pools import three_pool

PAIR = MatrixModel(("leaf litter", "soil"), A=[[1, 0], [-0.25, 1]], K=[2.0, 0.125], B=[0.75, 0.25])


def read(lines: tuple[str, ...], pools: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives are linear: read M and B I back from the text."""
    M, u = np.zeros((len(pools), len(pools))), np.zeros(len(pools))
    for line in lines:
        left, right = line.split(" = ")
        i = pools.index(re.match(r"dX\[(.+)\]/dt", left)[1])
        for sign, written in re.findall(r"([+−]|^)\s*([^+−]+)", right):
            number, _, name = written.strip().partition(" X[")
            value = np.prod([float(factor) for factor in number.split("·")])
            value = -value if sign == "−" else value
            if name:
                M[i, pools.index(name[:-1])] -= value
            else:
                u[i] += value
    return M, u


@pytest.mark.parametrize("form", ["numbers", "products"])
@pytest.mark.parametrize("seed", range(8))
def test_written_equations_are_the_matrix_equation(seed: int, form) -> None:
    model = random_model(seed, 2 + seed % 4)
    # Four digits are written; a model that has no more digits is read back exactly.
    model = MatrixModel(
        model.pools,
        A=np.eye(model.n) - np.floor(model.transfer * 8) / 8,
        K=np.ceil(model.K * 8) / 8,
        B=np.floor(model.B * 4) / 4,
    )
    M, u = read(balance_equations(model, I=400, form=form), model.pools)
    np.testing.assert_allclose(M, model.outflow_matrix(), rtol=6e-4, atol=1e-12)
    np.testing.assert_allclose(u, model.input(400.0), rtol=6e-4)


def test_mixing_is_written_too() -> None:
    V = [[0.5, -0.25], [-0.5, 0.25]]
    model = PAIR.replace(V=V)
    M, _ = read(balance_equations(model, I=100), model.pools)
    np.testing.assert_allclose(M, model.outflow_matrix())
    assert "v[soil,leaf litter] X[leaf litter]" in balance_equations(model, form="symbols")[1]


def test_letters_and_several_inputs() -> None:
    assert balance_equations(PAIR) == (
        "dX[leaf litter]/dt = 0.75 I − 2 X[leaf litter]",
        "dX[soil]/dt = 0.25 I + 0.5 X[leaf litter] − 0.125 X[soil]",
    )
    assert balance_equations(PAIR, form="symbols", names=("1", "2"))[1] == (
        "dX[2]/dt = B[2] I + f[2,1] k[1] X[1] − k[2] X[2]"
    )
    seven = century7(lignin_to_nitrogen=20.0, structural_lignin=0.25)
    assert balance_equations(seven)[0].startswith("dX[surface structural]/dt = 0.51 I1 − ")


def test_every_arrow_is_one_gain_and_every_pool_one_loss() -> None:
    model = century7(lignin_to_nitrogen=20.0, structural_lignin=0.25)
    kinds = [term.kind for row in terms(model) for term in row]
    assert kinds.count("loss") == 7
    assert kinds.count("gain") == np.count_nonzero(model.transfer)
    assert kinds.count("input") == np.count_nonzero(model.B)


def test_a_pool_where_nothing_happens_is_constant() -> None:
    rock = MatrixModel(("soil", "rock"), A=np.eye(2), K=[0.1, 0.0], B=[1.0, 0.0])
    assert balance_equations(rock)[1] == "dX[rock]/dt = 0"


def test_latex_has_one_aligned_row_for_each_pool(monkeypatch) -> None:
    bundles = []
    monkeypatch.setattr("landcarbon.course.equations.emit", bundles.append)
    show_equations(PAIR, I=400, form="products")
    latex, plain = bundles[0]["text/latex"], bundles[0]["text/plain"]
    assert latex.count("&=") == 2 and latex.count(r"\\") == 1
    assert r"0.25\cdot2\,X_{\mathrm{leaf\ litter}}" in latex
    assert plain.splitlines() == list(balance_equations(PAIR, I=400, form="products"))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: terms(random_model(0, 3, (2,))), "one model at a time"),
        (lambda: terms(PAIR, form="words"), "choose one of numbers, products, symbols"),
        (lambda: balance_equations(PAIR, names=("a",)), "1 names were given for 2 pools"),
    ],
)
def test_refuses_what_it_cannot_write(call, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()


@pytest.mark.parametrize("seed", range(4))
def test_equations_in_a_picture_stay_apart(seed: int) -> None:
    model = random_model(seed, 4)
    fig, ax = plots.figure(7.8, 3.8)
    plots.equations(ax, model, I=500)
    fig.canvas.draw()
    renderer = fig.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer).padded(-1) for text in ax.texts]
    assert len(boxes) == model.n + sum(len(row) for row in terms(model))
    for i, box in enumerate(boxes):
        assert fig.bbox.x0 <= box.x0 and box.x1 <= fig.bbox.x1
        assert fig.bbox.y0 <= box.y0 and box.y1 <= fig.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.parametrize("n", [2, 3, 4])
def test_diagram_in_given_axes_keeps_its_labels_and_key_apart(n: int) -> None:
    model = MatrixModel(
        [f"pool {i}" for i in range(n)],
        A=np.eye(n) - 0.4 * np.eye(n, k=-1) - 0.2 * np.eye(n, k=1), K=np.ones(n), B=np.eye(n)[0],
    )
    fig, axes = plots.figure(7.8, 3.5, 1, 2, width_ratios=(1.1, 1))
    plots.pool_diagram(model, I=500.0, ax=axes[0])
    plots.matrix(axes[1], model.A, rows=model.pools)
    fig.canvas.draw()
    renderer = fig.canvas.get_renderer()
    boxes = [t.get_window_extent(renderer) for t in axes[0].texts if t.get_text()]
    for i, box in enumerate(boxes):
        assert fig.bbox.x0 <= box.x0 and fig.bbox.y0 <= box.y0
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_long_residence_times_are_written_out() -> None:
    rock = MatrixModel(("rock",), A=[[1]], K=[1 / 2500], B=[1])
    assert "2500 yr" in {text.get_text() for text in plots.pool_diagram(rock).axes[0].texts}


def test_diagram_beside_its_equations() -> None:
    fig, axes = plots.figure(7.8, 3.6, 1, 2)
    assert plots.pool_diagram(three_pool(), I=60.0, ax=axes[0]) is fig
    plots.equations(axes[1], three_pool(), I=60.0)
    assert {"vegetation", "0.3", "0.7", "60"} <= {text.get_text() for text in axes[0].texts}
    colours = {text.get_color() for text in axes[1].texts}
    assert {plots.PALETTE["green"], plots.PALETTE["blue"]} < colours
