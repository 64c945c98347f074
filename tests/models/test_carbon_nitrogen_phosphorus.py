"""The forest with nitrogen, and a million years of soil: what must hold, and the shape of Walker and Syers."""

import numpy as np
import pytest
from scipy.linalg import expm

from landcarbon.matrix import steps
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.nutrients import simulate
from landcarbon.models import carbon_nitrogen as cn
from landcarbon.models import phosphorus


def test_the_forest_stands_still_at_its_steady_state():
    land = cn.carbon_nitrogen()
    rest = land.steady_state(cn.GROWTH)
    run = simulate(land, np.linspace(0, 50, 26), rest, cn.GROWTH)
    np.testing.assert_allclose(run.X[-1], rest.X, rtol=1e-8)
    # What comes in is what is lost.
    assert run.N_lost[-1] == pytest.approx(float(run.N_supply[-1]), rel=1e-8)


def test_litter_and_woody_debris_immobilise_plants_and_soil_do_not():
    land = cn.carbon_nitrogen()
    takes = land.immobilises(land.elements[0])
    np.testing.assert_array_equal(takes, [False, False, True, True, False, False])


def test_deposition_raises_growth_and_carbon():
    theta = np.tile(cn.PARAMETERS.default, (2, 1))
    theta[1, cn.PARAMETERS.index("deposition")] = 2.0
    low, high = (cn.carbon_nitrogen(t).steady_state(cn.GROWTH) for t in theta)
    assert high.X.sum() > low.X.sum()
    np.testing.assert_allclose(high.X / high.E["N"], low.X / low.E["N"])


@pytest.mark.parametrize("coupling", ["fixed", "flexible", "limited"])
def test_every_coupling_runs_from_the_same_forest(coupling):
    land = cn.carbon_nitrogen(coupling=coupling)
    rest = land.steady_state(cn.GROWTH)
    assert (rest.X > 0).all() and rest.m["N"][0] == pytest.approx(2.0)


def test_mineral_phosphorus_conserves_and_equals_the_matrix_exponential():
    m = phosphorus.mineral_phosphorus()
    p = dict(zip(phosphorus.PARAMETERS.names, phosphorus.PARAMETERS.default))
    loss = m.respired_fraction * m.K
    np.testing.assert_allclose(loss, [p["leaching"], 0, 0, p["erosion"], 0], atol=1e-14)
    start = np.array([0.0, 0.0, 0.0, 0.0, 500.0])
    for h in (1.0, 1e3, 1e5):
        step = steps.propagator(m.outflow_matrix(), h)
        np.testing.assert_allclose(step.state @ start, expm(-m.outflow_matrix() * h) @ start, rtol=1e-7, atol=1e-10)


@pytest.fixture(scope="module")
def chronosequence():
    land = phosphorus.carbon_nitrogen_phosphorus()
    t = np.concatenate([[0.0], np.geomspace(1.0, 2e6, 60)])
    run = simulate(land, t, phosphorus.bare_rock(land), cn.GROWTH, method="implicit")
    return land, t, run


def test_carbon_rises_and_falls_over_two_million_years(chronosequence):
    _, t, run = chronosequence
    total = run.X.sum("pool").values
    top = t[total.argmax()]
    assert 3e3 < top < 3e4
    assert total[-1] < 0.6 * total.max()


def test_young_land_lacks_nitrogen_old_land_phosphorus(chronosequence):
    land, t, run = chronosequence
    n, p = (e.share(run[f"{e.name}_mineral"].values) for e in land.elements)
    young, old = (t > 10) & (t < 1000), t > 1e5
    assert (n[young] < p[young]).all()
    assert (p[old] < n[old]).all()


def test_phosphorus_goes_the_way_of_walker_and_syers(chronosequence):
    _, t, run = chronosequence
    share = run.P_mineral / (run.P_mineral.sum("P_pool") + run.P.sum("pool"))
    primary, occluded = (share.sel(P_pool=k).values for k in ("primary", "occluded"))
    assert primary[0] == 1 and (np.diff(primary) <= 1e-12).all() and primary[-1] < 1e-6
    assert occluded[-1] > 0.9
    organic = run.P.sum("pool").values
    assert 0 < organic.argmax() < len(t) - 1


def test_phosphorus_is_conserved_over_two_million_years(chronosequence):
    _, t, run = chronosequence
    total = (run.P_mineral.sum("P_pool") + run.P.sum("pool")).values
    flows = ((run.P_supply - run.P_lost).values * np.diff(t)).cumsum()
    np.testing.assert_allclose(total[1:], total[0] + flows, rtol=1e-10)


def test_the_end_is_the_steady_state_of_what_exchanges(chronosequence):
    land, _, run = chronosequence
    rest = land.steady_state(cn.GROWTH)
    np.testing.assert_allclose(run.X[-1], rest.X, rtol=0.02)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cn.carbon_nitrogen([1.0, 2.0]), "carbon_nitrogen.PARAMETERS"),
        (lambda: phosphorus.mineral_phosphorus([1.0]), "phosphorus.PARAMETERS"),
        (lambda: phosphorus.bare_rock(phosphorus.carbon_nitrogen_phosphorus(), -1.0), "at least 0"),
        (lambda: cn.carbon_nitrogen(coupling="loose"), "limited"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
