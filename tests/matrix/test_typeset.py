"""What is written on slides comes from the object, and is that object."""

import re

import numpy as np
import pytest

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers, exchange_rates, transport_matrix
from landcarbon.matrix.typeset import conductances
from landcarbon.models import century, clm5, clm45, rothc

SOIL = SoilLayers([0.1, 0.2, 0.4, 0.8])


def column(q=0.0, soil=SOIL):
    faces = len(soil) - 1
    rates = exchange_rates(np.full(faces, 1e-3), soil, q)
    return LayeredModel(
        ("wood", "soil"),
        soil,
        [[1, 0], [-0.4, 1]],
        np.ones((2, len(soil))),
        *rates,
        mixed=(False, True),
    )


def site(module):
    L = len(module.LAYERS)
    forcing = module.Forcing(
        np.full((L, 12), 283.0), np.full((L, 12), 0.6), [100.0, 150.0, 100.0, 50.0]
    )
    return module.column(module.PARAMETERS.default, forcing)[0]


def entries(latex):
    body = re.search(r"\\begin\{pmatrix\} (.*) \\end\{pmatrix\}", latex).group(1)
    return [[e.strip() for e in row.split("&")] for row in body.split(r"\\")]


def as_number(text):
    return float(re.sub(r" \\cdot 10\^\{(-?\d+)\}", r"e\1", text))


def test_seventy_pools_as_on_the_slide():
    model = site(clm45)
    assert model.latex("A31") == r"\mathbf{A}_{31} = \mathrm{diag}(-0.76, \ldots, -0.76)"
    assert model.latex("A11") == r"\mathbf{A}_{11} = \mathbf{1}"
    assert model.latex("A12") == r"\mathbf{A}_{12} = 0"
    assert model.latex("V11") == r"\mathbf{V}_{11} = 0"
    blocks = entries(model.latex("A"))
    shown = np.array([[e != "0" for e in row] for row in blocks])
    np.testing.assert_array_equal(shown, model.A != 0)
    assert blocks[2][0] == r"\mathbf{A}_{31}"
    V = entries(model.latex("V"))
    assert [V[k][k] for k in range(3)] == ["0", r"\mathbf{V}_{22}", r"\mathbf{V}_{33}"]
    assert r"\mathrm{diag}(z_{1}, z_{2}, z_{3}, z_{4}, \ldots, z_{10})^{-1}" in model.latex("V22")


def test_letters_and_numbers_are_the_matrix():
    model = column(q=2e-3)
    letters, numbers = entries(model.latex("V22")), entries(model.latex("V22 numbers", digits=12))
    g, h = conductances(model)
    at = {f"g_{{{k + 1}}}": g[k] for k in range(3)} | {f"h_{{{k + 2}}}": h[k] for k in range(3)}

    def value(entry):
        parts = entry.replace(" + ", " ").split()
        return sum((-1 if p[0] == "-" else 1) * at[p.lstrip("-")] for p in parts if p != "0")

    spelt = np.array([[value(e) for e in row] for row in letters])
    V = transport_matrix(model.down, model.up, SOIL)
    np.testing.assert_allclose(spelt / SOIL.thickness[:, None], V, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        [[as_number(e) for e in row] for row in numbers], spelt, rtol=1e-11, atol=1e-15
    )


def test_one_number_a_face_without_advection_and_two_with_it():
    g, h = conductances(column())
    np.testing.assert_allclose(g, h, rtol=1e-14)
    g, h = conductances(column(q=2e-3))
    np.testing.assert_allclose(g - h, 2e-3, rtol=1e-12)


def slide(g, h):
    """−g above and −h below the diagonal: right for diffusion, where they are the same."""
    return np.diag(np.append(g, 0) + np.append(0, h)) - np.diag(g, 1) - np.diag(h, -1)


def test_the_order_of_the_letters_matters_once_water_flows():
    for q, conserved in ((0.0, True), (2e-3, False)):
        g, h = conductances(column(q))
        assert np.allclose(slide(g, h).sum(axis=0), 0, atol=1e-15) == conserved
        V = transport_matrix(*exchange_rates(np.full(3, 1e-3), SOIL, q), SOIL)
        np.testing.assert_allclose(SOIL.thickness @ V, 0, atol=1e-15)


@pytest.mark.parametrize("model", [site(clm5), site(clm45), column(), century.century3(), rothc.rothc5(23.4)])
def test_a_model_prints_as_a_card(model):
    lines = repr(model).splitlines()
    assert len(lines) <= 5
    assert max(map(len, lines)) <= 120
    assert model.pools[0] in lines[0]


def test_a_card_of_many_members_says_so_and_counts_inert_pools():
    many = MatrixModel(("a", "b"), A=[[1, 0], [-0.5, 1]], K=np.ones((30, 2)), B=[1, 0])
    assert "leading axes (30,)" in repr(many)
    assert "inert" in repr(rothc.rothc5(23.4))
    assert "not mixed: wood" in repr(column())


def test_matrices_of_a_small_model():
    model = century.century3()
    assert len(entries(model.latex("M"))) == 3
    assert as_number(entries(model.latex("K", digits=8))[0][0]) == pytest.approx(
        model.K[0], rel=1e-7
    )
    assert model.latex().startswith(r"\frac{\mathrm{d}X}")
    big = MatrixModel([f"p{k}" for k in range(30)], A=np.eye(30), K=np.ones(30), B=np.eye(30)[0])
    assert r"\ddots" in big.latex("A")
    assert len(entries(big.latex("A"))) == 6


def test_sentences():
    with pytest.raises(InputError, match="'A99'"):
        column().latex("A99")
    with pytest.raises(InputError, match="'Q'"):
        century.century3().latex("Q")
    many = MatrixModel(("a",), A=[[1]], K=np.ones((30, 1)), B=[1])
    with pytest.raises(InputError, match="one model at a time"):
        many.latex("K")
