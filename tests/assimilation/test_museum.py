"""What each wrong sampler does wrong, as a number; calibration catches them in test_calibration."""

import numpy as np
import pytest

from landcarbon.assimilation import Posterior, Prior, museum, sample
from landcarbon.models.parameters import Parameter, ParameterTable

UNIT = Prior(
    ParameterTable([Parameter("a", "1", 0.0, 1.0, 0.5), Parameter("b", "1", 0.0, 1.0, 0.5)])
)
PEAK = Posterior(UNIT, likelihood=lambda th: -0.5 * (((th - 0.5) / 0.05) ** 2).sum(-1))
FLAT = Posterior(UNIT, likelihood=lambda th: np.zeros(th.shape[:-1]))


def visit(posterior, exhibit, **options):
    return museum.visit(
        posterior, exhibit, rng=1, n_chains=64, n_warmup=300, n_draws=800, **options
    )


def test_the_control_is_right():
    np.testing.assert_allclose(visit(PEAK, "control").sd(), 0.05, rtol=0.04)
    np.testing.assert_allclose(visit(FLAT, "control", step=0.3).sd(), 12**-0.5, rtol=0.02)


def test_annealing_narrows_by_the_root_of_its_power():
    """Steps 50,301 to 51,100: the power is ln(50,700) = 10.8."""
    wrong = visit(PEAK, "annealed", step=0.03, clock=50_000)
    np.testing.assert_allclose(wrong.sd(), 0.05 / np.sqrt(np.log(50_700)), rtol=0.04)


def test_redrawing_avoids_the_walls():
    """Where half of the proposals fall outside, half of the visits are missing."""
    wrong = visit(FLAT, "redrawn", step=0.1).draws.reshape(-1, 2)
    near = ((wrong < 0.01) | (wrong > 0.99)).mean() / 0.02
    assert near == pytest.approx(0.55, abs=0.06)
    right = visit(FLAT, "control", step=0.1).draws.reshape(-1, 2)
    assert ((right < 0.01) | (right > 0.99)).mean() / 0.02 == pytest.approx(1.0, abs=0.1)


def test_accepted_only_gives_bad_states_too_much():
    wrong = visit(PEAK, "accepted_only", step=0.2)
    assert (wrong.sd() > 1.1 * 0.05).all()
    np.testing.assert_allclose(visit(PEAK, "control", step=0.2).sd(), 0.05, rtol=0.05)


def test_reflection_is_right_for_independent_steps_and_wrong_for_correlated_ones():
    tilted = Posterior(UNIT, likelihood=lambda th: -3.0 * th[..., 0] - 3.0 * th[..., 1])
    exact = 1 / 3 - 1 / np.expm1(3.0)
    np.testing.assert_allclose(visit(tilted, "reflected", step=0.2).mean(), exact, atol=0.01)
    step = 0.1 * np.array([[1.0, 0.95], [0.95, 1.0]])
    np.testing.assert_allclose(visit(tilted, "control", step=step).mean(), exact, atol=0.01)
    assert (np.abs(visit(tilted, "reflected", step=step).mean() - exact) > 0.02).all()


def test_it_agrees_with_the_library_when_right():
    np.testing.assert_allclose(
        visit(PEAK, "control").mean(), sample(PEAK, rng=2).mean(), atol=0.003
    )
