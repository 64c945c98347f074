"""ICBM: the matrix runs as the paper's formula, and its plots go where the paper says."""

import numpy as np
import pytest

from landcarbon.matrix.simulate import simulate
from landcarbon.models.icbm import K_OLD, K_YOUNG, TREATMENTS

t = np.linspace(0.0, 30.0, 31)


@pytest.mark.parametrize("name", TREATMENTS)
def test_the_matrix_runs_as_the_formula_of_the_paper(name):
    plot = TREATMENTS[name]
    run = simulate(plot.model, t, plot.X0, plot.input, plot.xi)
    np.testing.assert_allclose(run.X, plot.solution(t), rtol=1e-12)


def test_the_plot_at_rest_is_at_rest():
    # The first state of table 1's last row, 0.25 and 4.16 kgC m-2, is the rest of its input: the young
    # pool exactly, all carbon within 1 %, which is how well O was known.
    plot = TREATMENTS["steady state"]
    rest = plot.model.steady_state(plot.input, plot.xi)
    assert rest[0] == pytest.approx(plot.X0[0], rel=1e-12)
    assert rest.sum() == pytest.approx(sum(plot.X0), rel=0.01)
    assert np.abs(plot.solution(t).sum(axis=1) / sum(plot.X0) - 1).max() < 0.002


def test_bare_soil_loses_most_and_sludge_gains_most():
    gain = {name: np.ptp(p.solution([0.0, 30.0]).sum(axis=1)) * np.sign(
        p.solution(30.0).sum() - sum(p.X0)) for name, p in TREATMENTS.items()}  # fmt: skip
    assert min(gain, key=gain.get) == "bare fallow" and max(gain, key=gain.get) == "sewage sludge"
    # fallow: after the young pool is gone, old carbon falls by k₂ r a year
    old = TREATMENTS["bare fallow"].solution([20.0, 21.0])[:, 1]
    assert np.log(old[0] / old[1]) == pytest.approx(K_OLD * 1.32, rel=1e-6)
    assert (K_YOUNG, K_OLD) == (0.8, 0.00605)
