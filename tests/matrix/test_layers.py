"""Soil layers: what mixing keeps, Patankar's power law, and sentences for bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcarbon.matrix import InputError
from landcarbon.matrix.layers import (
    CLM5_LAYERS,
    SoilLayers,
    exchange_rates,
    face_diffusivity,
    input_profile,
    transport_matrix,
)

THREE = SoilLayers([0.1, 0.2, 0.7])


@st.composite
def columns(draw):
    """Any thicknesses, diffusivities (zeros among them) and velocities."""
    n = draw(st.integers(2, 12))
    thickness = draw(st.lists(st.floats(1e-3, 10.0), min_size=n, max_size=n))
    D = draw(st.lists(st.just(0.0) | st.floats(1e-9, 1e3), min_size=n - 1, max_size=n - 1))
    q = draw(st.lists(st.just(0.0) | st.floats(-1e2, 1e2), min_size=n - 1, max_size=n - 1))
    return SoilLayers(thickness), np.array(D), np.array(q)


@given(columns())
@settings(max_examples=200, deadline=None)
def test_mixing_conserves_carbon(column):
    layers, D, q = column
    V = transport_matrix(*exchange_rates(D, layers, q), layers)
    moved = layers.thickness[:, None] * V
    np.testing.assert_allclose(moved.sum(axis=0), 0, atol=1e-14 * np.abs(moved).sum(axis=0).max())
    off = V - np.diag(np.diagonal(V))
    assert np.all(np.diagonal(V) >= 0)
    assert np.all(off <= 0)
    assert np.all(np.triu(V, 2) == 0)
    assert np.all(np.tril(V, -2) == 0)


@given(columns())
@settings(max_examples=100, deadline=None)
def test_diffusion_leaves_a_uniform_column_alone(column):
    layers, D, _ = column
    V = transport_matrix(*exchange_rates(D, layers), layers)
    np.testing.assert_allclose(V.sum(axis=1), 0, atol=1e-13 * np.abs(V).max())


def test_no_diffusivity_on_either_side_is_none_at_the_face():
    np.testing.assert_array_equal(face_diffusivity([0.0, 0.0, 1e-4], THREE), [0.0, 0.0])
    # Nodes at 0.05, 0.2 and 0.65 m: the first face stands a third of the way, 1/D = ⅓/D₁ + ⅔/D₂.
    D = face_diffusivity([3e-4, 1e-4, 1e-4], THREE)
    np.testing.assert_allclose(D, [1 / (1 / 9e-4 + 2 / 3e-4), 1e-4], rtol=1e-12)


def test_no_diffusivity_no_mixing():
    down, up = exchange_rates([0.0, 0.0], THREE)
    assert not transport_matrix(down, up, THREE).any()


def test_the_power_law_follows_the_exact_flux():
    # Between two nodes the exact flux of D ∂X/∂z − q X has a↑ = (D/δ) Pe / (e^Pe − 1); the power law
    # is at most 0.0147 D/δ from it, near Pe = 2.
    two = SoilLayers([1.0, 1.0])
    peclet = np.linspace(0.01, 20, 400)
    down, up = exchange_rates([1.0], two, peclet[:, None])
    off = up[:, 0] - peclet / np.expm1(peclet)
    assert 0.014 < np.abs(off).max() < 0.0147
    assert 1.9 < peclet[np.abs(off).argmax()] < 2.2
    np.testing.assert_allclose(down[:, 0] - up[:, 0], peclet)


def test_velocity_alone_carries_downward_what_it_meets():
    down, up = exchange_rates([0.0, 0.0], THREE, [0.02, 0.02])
    np.testing.assert_allclose(down, [0.2, 0.1])
    np.testing.assert_allclose(up, 0)
    down, up = exchange_rates([0.0, 0.0], THREE, -0.02)
    np.testing.assert_allclose(down, 0)
    np.testing.assert_allclose(up, [0.1, 0.02 / 0.7])


def test_two_thicknesses_by_hand():
    down, up = exchange_rates([3e-4, 0.0], THREE)  # nodes 0.05 and 0.2 m: 3e-4 / 0.15 m = 2e-3 m yr-1
    np.testing.assert_allclose(down, [0.02, 0.0])
    np.testing.assert_allclose(up, [0.01, 0.0])
    V = transport_matrix(down, up, THREE)
    np.testing.assert_allclose(V, [[0.02, -0.02, 0], [-0.01, 0.01, 0], [0, 0, 0]], atol=1e-18)


def test_faces_conduct_like_resistors_in_series():
    D = np.array([4.0, 1.0, 0.0])
    face = face_diffusivity(D, THREE)
    half = [0.05, 0.1]  # metres from the nodes to the first face
    np.testing.assert_allclose(face[0], sum(half) / (half[0] / 4.0 + half[1] / 1.0))
    assert face[1] == 0.0
    np.testing.assert_allclose(face_diffusivity([2.0, 2.0, 2.0], THREE), 2.0)
    many = np.random.default_rng(1).uniform(0, 3, (5, 4, 3))
    np.testing.assert_allclose(face_diffusivity(many, THREE)[2, 1], face_diffusivity(many[2, 1], THREE))


def test_layers_of_clm5():
    assert len(CLM5_LAYERS) == 20
    np.testing.assert_allclose(CLM5_LAYERS.bottom[[0, 9, 19]], [0.02, 1.52, 8.6])
    np.testing.assert_allclose(CLM5_LAYERS.top[:2], [0.0, 0.02])
    np.testing.assert_allclose(CLM5_LAYERS.spacing[0], 0.03)


@given(beta=st.floats(0.3, 0.99995), deepest=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_input_is_all_there_and_falls_with_depth(beta, deepest):
    share = input_profile(beta, CLM5_LAYERS, deepest)
    np.testing.assert_allclose((share * CLM5_LAYERS.thickness).sum(), 1.0)
    assert np.all(share[deepest:] == 0)
    assert np.all(np.diff(share[:deepest]) <= 1e-12)


def test_input_of_jackson():
    share = input_profile([0.5, 0.966], CLM5_LAYERS)
    above = np.cumsum(share * CLM5_LAYERS.thickness, axis=-1)
    np.testing.assert_allclose(above[:, 4], [1 - 0.5**32, (1 - 0.966**32) / (1 - 0.966**860)])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: SoilLayers([0.1, -0.2]), "thickness must be above 0"),
        (lambda: SoilLayers([[0.1, 0.2]]), "thickness has 2 axes"),
        (lambda: SoilLayers([]), "at least one layer"),
        (
            lambda: SoilLayers([0.1, 0.2], node=[0.2, 0.05]),
            "node of layer 1 lies at 0.2 m, outside its layer .*from the surface down",
        ),
        (lambda: SoilLayers([0.1, 0.2], node=[0.05]), r"node must end in axes of length \(2\)"),
        (lambda: exchange_rates([1e-4], THREE), r"diffusivity must end in axes of length \(2\)"),
        (lambda: exchange_rates([1e-4, -1e-4], THREE), "diffusivity must be at least 0"),
        (lambda: exchange_rates([1e-4, np.nan], THREE), "NaN"),
        (lambda: exchange_rates([1e-4, 1e-4], THREE, [0.1, 0.1, 0.1]), "velocity .*2 faces"),
        (lambda: face_diffusivity([1e-4, 1e-4], THREE), r"axes of length \(3\)"),
        (lambda: transport_matrix([0.1, 0.1], [-0.1, 0.1], THREE), "up must be at least 0"),
        (lambda: input_profile(1.0, THREE), "roots without end"),
        (lambda: input_profile(0.0, THREE), "beta must be above 0"),
        (lambda: input_profile(0.9, THREE, deepest=0), "deepest must be at least 1"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
