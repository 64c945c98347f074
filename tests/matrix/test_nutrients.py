"""Nothing is lost of any element; the steady state stands still; the couplings do what they say."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from strategies import random_model

from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.nutrients import COUPLINGS, Element, NutrientModel, State, simulate

SOIL_N = MatrixModel(("mineral N",), A=[[1.0]], K=[0.3], B=[1.0])


def land(coupling="limited", supply=0.6, half=1.0, c_to_e=(60, 25, 12), **more):
    carbon = MatrixModel(("plants", "litter", "soil"), [[1, 0, 0], [-1, 1, 0], [0, -0.4, 1]],
                         K=[0.2, 1.0, 0.02], B=[1, 0, 0])
    nitrogen = Element("N", c_to_e, SOIL_N, [supply], half, c_to_e_scarce=1.8 * np.asarray(c_to_e))
    return NutrientModel(carbon, nitrogen, coupling, **more)


def two_elements(coupling="limited"):
    base = land(coupling)
    mineral = MatrixModel(("available P", "sorbed P"), [[1, -1], [-0.9, 1]], K=[0.5, 0.1], B=[1, 0])
    p = Element("P", [600, 500, 100], mineral, [0.02, 0.01], half=0.1, c_to_e_scarce=[900, 800, 150])
    return base.replace(elements=(*base.elements, p))


def some_state(model, rng, lead=()):
    n = model.carbon.n
    X = rng.uniform(10, 5000, (*lead, n))
    E = {e.name: X / e.c_to_e * rng.uniform(0.7, 1.3, (*lead, n)) for e in model.elements}
    m = {e.name: rng.uniform(0.5, 5, (*lead, e.mineral.n)) for e in model.elements}
    return State(X, E, m)


def right_side(model, I, z, names=("N",)):
    """The equations as they stand at the top of the module, one pool after the other."""
    n = model.carbon.n
    X, rest, E, m = z[:n], z[n:], {}, {}
    for e in model.elements:
        E[e.name], m[e.name], rest = rest[:n], rest[n : n + e.mineral.n], rest[n + e.mineral.n :]
    phi, kappa, f = model.limitation(m), model.turnover(State(X, E, m)), model.carbon.transfer
    out = [phi * I * model.carbon.B + f @ (kappa * X) - kappa * X]
    for e in model.elements:
        r = model.ratio(e, m[e.name])
        dE = np.array([
            r[i] * (phi * I * model.carbon.B[i] + sum(f[i, j] * kappa[j] * X[j] for j in range(n)))
            - kappa[i] * E[e.name][i]
            for i in range(n)
        ])
        dm = e.supply - e.mineral.outflow_matrix() @ m[e.name]
        dm[0] -= dE.sum()
        out += [dE, dm]
    return np.concatenate(out)


def vector(state):
    return np.concatenate([state.X] + [a for k in state.E for a in (state.E[k], state.m[k])])


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("make", [land, two_elements])
def test_the_matrix_form_is_the_equation(coupling, make):
    model = make(coupling)
    state = some_state(model, np.random.default_rng(1))
    M, u = model.matrix_form(state, 500.0)
    expected = right_side(model, 500.0, vector(state))
    np.testing.assert_allclose(u - M.values @ vector(state), expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("make", [land, two_elements])
def test_nothing_changes_at_the_steady_state(coupling, make):
    model = make(coupling)
    rest = model.steady_state(500.0)
    rate = right_side(model, 500.0, vector(rest))
    assert np.abs(rate / np.maximum(vector(rest), 1e-9)).max() < 1e-12
    later = simulate(model, [0.0, 1.0, 30.0], rest, 500.0)
    np.testing.assert_allclose(later.X[-1], rest.X, rtol=1e-9)
    np.testing.assert_allclose(later.N_mineral[-1], rest.m["N"], rtol=1e-8)


def test_three_couplings_have_one_steady_ratio():
    # Flexible ratios are met half-way where φ is; the others are fixed.
    rest = {c: land(c).steady_state(500.0) for c in COUPLINGS}
    ratio = {c: rest[c].X / rest[c].E["N"] for c in COUPLINGS}
    np.testing.assert_allclose(ratio["fixed"], [60, 25, 12])
    np.testing.assert_allclose(ratio["limited"], [60, 25, 12])
    assert (ratio["flexible"] > ratio["fixed"]).all()
    assert len({round(float(r.m["N"][0]), 12) for r in rest.values()}) == 1
    assert rest["limited"].X.sum() < rest["fixed"].X.sum()


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_second_order_in_the_step(coupling):
    model = land(coupling)
    start = model.steady_state(400.0)
    start = State(start.X, start.E, {"N": start.m["N"] + 200.0})  # enough for fixed ratios as well
    exact = solve_ivp(lambda t, z: right_side(model, 500.0, z), (0, 8), vector(start), method="LSODA",
                      rtol=1e-11, atol=1e-11).y[:, -1]
    miss = []
    for h in (0.2, 0.1):
        run = simulate(model, np.arange(0, 8 + h / 2, h), start, 500.0, method="midpoint")
        last = np.concatenate([run.X[-1], run.N[-1], run.N_mineral[-1]])
        miss.append(np.abs(last / exact - 1).max())
    assert miss[1] < 2e-3
    assert miss[0] / miss[1] > 3.3


@pytest.mark.parametrize(
    ("coupling", "method"),
    [("fixed", "midpoint"), ("flexible", "midpoint"), ("limited", "midpoint"), ("limited", "implicit")],
)
def test_each_element_is_conserved_over_a_thousand_random_runs(coupling, method):
    rng = np.random.default_rng(7)
    worst = 0.0
    plenty = 1 if coupling == "limited" else 1000  # fixed ratios take what they need
    for seed in range(5):
        n = int(rng.integers(2, 6))
        c_to_e = rng.uniform(8, 80, n)
        n_pool = random_model(seed, 2)
        e = Element("N", c_to_e, n_pool.replace(K=np.maximum(n_pool.K, 0.05)), rng.uniform(0.1, 2, 2) * plenty, 1.0,
                    c_to_e_scarce=c_to_e * 1.5)
        model = NutrientModel(random_model(seed + 100, n), e, coupling)
        state = some_state(model, rng, lead=(200,))
        t = np.cumsum(np.concatenate([[0], rng.uniform(0.01, 0.1 if method == "midpoint" else 5.0, 15)]))
        I = rng.uniform(50, 800, (15, 200))
        xi = rng.uniform(0.2, 1.5, (15, 200, n))
        run = simulate(model, t, state, I, xi, method=method)
        total = run.N.sum("pool") + run.N_mineral.sum("N_pool")
        flows = ((run.N_supply - run.N_lost) * np.diff(t)[:, None]).cumsum("step")
        gap = total[1:].values - total[0].values - flows.values
        worst = max(worst, np.abs(gap / total[0].values).max())
        assert (run.N_mineral >= 0).all() and (run.X >= 0).all() and (run.N >= -1e-12).all()
        growth = run.growth.values[..., None] * model.carbon.B
        uptake = (growth * np.broadcast_to(1 / c_to_e, growth.shape)).sum(-1)
        if coupling != "flexible":
            organic = np.diff(run.N.sum("pool").values, axis=0) / np.diff(t)[:, None]
            np.testing.assert_allclose(run.N_net_mineralisation, uptake - organic, rtol=1e-9, atol=1e-7)
    assert worst < 1e-10


def test_the_implicit_step_converges_to_the_same_run():
    model, miss = two_elements(), []
    start = model.steady_state(400.0)
    fine = simulate(model, np.arange(0, 8.01, 0.1), start, 500.0, method="midpoint")
    for h in (0.5, 0.25):
        run = simulate(model, np.arange(0, 8 + h / 2, h), start, 500.0, method="implicit")
        miss.append(float(np.abs(run.P_mineral[-1] / fine.P_mineral[-1] - 1).max()))
    assert miss[0] < 0.1
    assert 1.6 < miss[0] / miss[1] < 2.6


def test_a_thousand_years_in_one_implicit_step():
    model = two_elements()
    rest = model.steady_state(500.0)
    bare = State(np.zeros(3), {k: np.zeros(3) for k in rest.E}, rest.m)
    run = simulate(model, [0.0, 1e3, 1e4, 1e5, 2e5, 3e5, 4e5], bare, 500.0, method="implicit")
    np.testing.assert_allclose(run.X[-1], rest.X, rtol=1e-6)
    assert (run.P_mineral >= 0).all()


def test_more_carbon_meets_a_limit_and_deposition_lifts_it():
    model = land()
    start = model.steady_state(500.0)
    t = np.arange(0, 61, 2.0)
    carbon = simulate(model, t, start, 750.0)
    assert carbon.limitation[-1] < carbon.limitation[0]  # progressive nitrogen limitation
    richer = land(supply=1.2)
    both = simulate(richer, t, start, 750.0)
    nitrogen = simulate(richer, t, start, 500.0)
    stored = [float(run.X[-1].sum() - start.X.sum()) for run in (carbon, nitrogen, both)]
    assert stored[2] > stored[0] > 0 and stored[2] > stored[1] > 0


def test_the_scarcest_element_decides():
    model = two_elements()
    m = {"N": np.array([1.0]), "P": np.array([0.01, 0.0])}
    assert model.limitation(m) == pytest.approx(0.01 / 0.11)
    m["P"] = np.array([10.0, 0.0])
    assert model.limitation(m) == pytest.approx(0.5)


def test_litter_poor_in_nitrogen_immobilises():
    model = land(c_to_e=(60, 100, 12))
    np.testing.assert_array_equal(model.immobilises(model.elements[0]), [False, True, False])
    X = np.ones(3)
    slow = model.turnover(State(X, {"N": X / [60, 100, 12]}, {"N": np.array([1.0])}))
    np.testing.assert_allclose(slow, [0.2, 0.5, 0.02])


def bad_start(**parts):
    rest = land().steady_state(500.0)
    return State(**{"X": rest.X, "E": rest.E, "m": rest.m} | parts)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: land("rigid"), "limited, fixed|fixed, flexible, limited"),
        (lambda: land(c_to_e=(60, 12)), "one ratio for each of the pools"),
        (lambda: land(c_to_e=(60, 0, 12)), "above 0"),
        (lambda: Element("N", [20.0], SOIL_N, [1.0, 2.0], 1.0), "mineral N"),
        (lambda: Element("N", [20.0], SOIL_N, [1.0], 1.0, c_to_e_scarce=[10.0]), "below c_to_e"),
        (lambda: Element("N", [20.0], "soil", [1.0], 1.0), "MatrixModel of the mineral pools"),
        (lambda: land(supply=0.0).steady_state(500.0), "nothing can grow"),
        (lambda: simulate(land(), [0, 1], bad_start(), 500.0, method="euler"), "midpoint"),
        (lambda: simulate(land(), [0, 500], bad_start(m={"N": np.array([90.0])}), 5e4,
                          method="midpoint"), "shorter steps"),
        (lambda: simulate(land(), [0, 1], bad_start(E={}), 500.0), "start holds no 'N'"),
        (lambda: simulate(land(), [0, 1], bad_start(X=[1.0, 2.0]), 500.0), "start.X"),
        (lambda: simulate(land("fixed", supply=0.0), np.arange(200.0), bad_start(), 5000.0), "N runs out near"),
        (lambda: NutrientModel(land().carbon, (*land().elements, *land().elements)), "different names"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
