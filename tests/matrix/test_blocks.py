"""Labelled blocks: the same numbers as the flat matrix, and what stands where in words."""

import numpy as np
import pytest

from landcarbon.matrix import InputError
from landcarbon.matrix.blocks import block_table, blocks
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers, exchange_rates

SOIL = SoilLayers([0.1, 0.2, 0.7])


def column(**changes):
    parts = {
        "A": [[1, 0, 0], [-0.5, 1, -0.1], [-0.1, -0.3, 1]],
        "K": [[2, 1, 0.5], [0.1, 0.05, 0.01], [0.02, 0.02, 0.02]],
        "mixed": [False, True, True],
    }
    down, up = exchange_rates([1e-3, 2e-3], SOIL)
    return LayeredModel(("wood", "fast", "slow"), SOIL, down=down, up=up, **{**parts, **changes})


def test_blocks_put_together_are_the_matrix():
    model = column()
    data = blocks(model)
    M = data.M.transpose("pool", "layer", "source", "source_layer").values.reshape(9, 9)
    np.testing.assert_allclose(M, model.outflow_matrix())
    np.testing.assert_allclose(data.M, data.A * data.K.rename(pool="source", layer="source_layer") + data.V)
    np.testing.assert_allclose(data.A.sel(pool="fast", source="wood"), -0.5 * np.eye(3))
    assert not data.V.sel(pool="wood").values.any()
    assert data.M.attrs["units"] == "yr-1"
    np.testing.assert_allclose(data.depth, SOIL.node)


def test_what_stands_in_each_block():
    A, V, M = (block_table(column(), name) for name in "AVM")
    assert A.loc["fast", "wood"] == "diag(−0.5)"
    assert A.loc["wood", "wood"] == "1"
    assert A.loc["wood", "fast"] == "0"
    assert V.loc["wood", "wood"] == "0"
    assert V.loc["slow", "slow"] == "tridiagonal"
    assert V.loc["slow", "fast"] == "0"
    assert M.loc["wood", "wood"] == "diagonal"
    assert M.loc["fast", "slow"] == "diag(−0.002)"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: blocks(column(K=np.ones((4, 3, 3)))), r"holds columns \(4,\); give one"),
        (lambda: block_table(column(), "K"), "no matrix 'K'; choose 'A', 'V' or 'M'"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
