"""Nothing is lost of any element; the steady state stands still; the couplings do what they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from strategies import random_model

from landcarbon.matrix import MatrixModel
from landcarbon.matrix import simulate as forward
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.layers import SoilLayers
from landcarbon.matrix.nutrients import (
    COUPLINGS,
    Depth,
    Element,
    NutrientModel,
    State,
    Ways,
    as_pools,
    simulate,
)

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


def leaky(coupling="limited"):
    """Every way of an element at once, in two elements."""
    base = two_elements(coupling)
    n, p = base.elements
    # Leaves give half of their nitrogen back, so that litter needs half of their ratio.
    n = replace(n, c_to_e=[60, 120, 12], c_to_e_scarce=[90, 200, 20],
                ways=Ways(resorbed=[0.5, 0, 0], lost=[0.1, 0.0, 0.05], volatile=0.1, fixation=0.7))
    p = replace(p, ways=Ways(resorbed=[0.2, 0, 0], lost=[0, 0, 0.02]))
    return base.replace(elements=(n, p))


NONE = Ways()


def in_layers(coupling="limited", layers=3, seed=0, ways=NONE):
    """Carbon and nitrogen of a random soil column: litter and soil mix, mineral nitrogen seeps down."""
    rng = np.random.default_rng(seed)
    column = LayeredModel(
        ("litter", "soil"), SoilLayers(rng.uniform(0.05, 0.4, layers)), A=[[1, 0], [-rng.uniform(0.2, 0.5), 1]],
        K=rng.uniform([[0.5], [0.02]], [[2.0], [0.2]], (2, layers)), down=rng.uniform(0.01, 0.2, layers - 1),
        up=rng.uniform(0.0, 0.1, layers - 1),
    )
    seeps = -rng.uniform(0.3, 1.0, layers - 1)
    mineral = MatrixModel([f"N {i + 1}" for i in range(layers)], np.eye(layers) + np.diag(seeps, -1),
                          K=rng.uniform(0.3, 1.0, layers), B=np.eye(layers)[0])
    c_to_n = np.repeat(rng.uniform([30, 9], [60, 14]), layers)
    element = Element("N", c_to_n, mineral, rng.uniform(0.2, 1.0, layers), rng.uniform(0.1, 0.5),
                      c_to_e_scarce=1.6 * c_to_n, ways=ways,
                      depth=Depth(np.tile(np.arange(layers), 2), rng.uniform(0.2, 1.0, layers)))
    return NutrientModel(as_pools(column), element, coupling)


def litterfall(model, total=500.0):
    layers = model.carbon.n // 2
    return total * np.concatenate([np.arange(layers, 0, -1) / np.arange(layers + 1).sum(), np.zeros(layers)])


EVERY = Ways(resorbed=0.1, lost=0.03, volatile=0.1, fixation=0.5)
MODELS = {"plain": land, "two": two_elements, "leaky": leaky, "column": in_layers,
          "leaky column": lambda coupling="limited": in_layers(coupling, ways=EVERY)}


def grown(model):
    return litterfall(model) if model.carbon.V is not None else 500.0


def some_state(model, rng, lead=()):
    n = model.carbon.n
    X = rng.uniform(10, 5000, (*lead, n))
    E = {e.name: X / e.c_to_e * rng.uniform(0.7, 1.3, (*lead, n)) for e in model.elements}
    m = {e.name: rng.uniform(0.5, 5, (*lead, e.mineral.n)) for e in model.elements}
    return State(X, E, m)


def right_side(model, I, z):
    """The equations as they stand at the top of the module, one pool after the other."""
    n = model.carbon.n
    X, rest, E, m = z[:n], z[n:], {}, {}
    for e in model.elements:
        E[e.name], m[e.name], rest = rest[:n], rest[n : n + e.mineral.n], rest[n + e.mineral.n :]
    phi, kappa, f = model.limitation(m), model.turnover(State(X, E, m)), model.carbon.transfer
    V = np.zeros((n, n)) if model.carbon.V is None else model.carbon.V
    u = phi * model.carbon.input(I)
    out = [u + f @ (kappa * X) - kappa * X - V @ X]
    for e in model.elements:
        k, r, ways, share = e.name, model.ratio(e, m[e.name]), e.ways, e.shares(m[e.name])
        back, gone = (np.broadcast_to(v, n) for v in (ways.resorbed, ways.lost))
        dE = r * (u + f @ (kappa * X)) - kappa * E[k] - V @ E[k]
        net, uptake = np.zeros(e.mineral.n), (r * u).sum()
        for j in range(n):
            leaves = kappa[j] * E[k][j]
            uptake -= back[j] * leaves
            net[e.depth.at[j]] += (1 - back[j] - gone[j]) * leaves - (r @ f[:, j]) * kappa[j] * X[j]
        where = e.depth.roots * share / (e.depth.roots * share).sum()
        dm = e.supply - e.mineral.outflow_matrix() @ m[k] + net - ways.volatile * np.maximum(net, 0)
        out += [dE, dm - where * uptake + ways.fixation * e.depth.roots * (1 - share)]
    return np.concatenate(out)


def vector(state):
    return np.concatenate([state.X] + [a for k in state.E for a in (state.E[k], state.m[k])])


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("make", MODELS)
def test_the_matrix_form_is_the_equation(coupling, make):
    model = MODELS[make](coupling)
    state, I = some_state(model, np.random.default_rng(1)), grown(model)
    M, u = model.matrix_form(state, I)
    expected = right_side(model, I, vector(state))
    np.testing.assert_allclose(u - M.values @ vector(state), expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("coupling", COUPLINGS)
@pytest.mark.parametrize("make", MODELS)
def test_nothing_changes_at_the_steady_state(coupling, make):
    model = MODELS[make](coupling)
    I = grown(model) / (8 if coupling != "limited" and make not in ("plain", "two") else 1)  # what its nitrogen allows
    rest = model.steady_state(I)
    rate = right_side(model, I, vector(rest))
    assert np.abs(rate / np.maximum(vector(rest), 1e-9)).max() < (1e-12 if make in ("plain", "two") else 1e-9)
    later = simulate(model, [0.0, 1.0, 30.0], rest, I if np.ndim(I) == 0 else I[None])
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


@pytest.mark.parametrize(("method", "longest", "runs"), [("midpoint", 0.03, 100), ("implicit", 3.0, 20)])
def test_carbon_and_nitrogen_in_a_column_are_conserved_over_a_thousand_random_runs(method, longest, runs):
    rng, worst = np.random.default_rng(11), 0.0
    for seed in range(10):
        coupling = COUPLINGS[seed % 3] if method == "midpoint" else "limited"
        model = in_layers(coupling, layers=2 + seed % 3, seed=seed, ways=EVERY if seed % 2 else NONE)
        state = some_state(model, rng, lead=(runs,))
        if coupling != "limited":
            state = State(state.X, state.E, {"N": state.m["N"] + 300.0})
        t = np.cumsum(np.concatenate([[0], rng.uniform(0.1 * longest, longest, 6)]))
        I = rng.uniform(0.2, 1.5, (6, runs, 1)) * litterfall(model)
        run = simulate(model, t, state, I, rng.uniform(0.2, 1.5, (6, runs, model.carbon.n)), method=method)
        assert (run.N_mineral >= 0).all() and (run.X >= 0).all() and (run.N >= -1e-12).all()
        dt = np.diff(t)[:, None]
        total = run.N.sum("pool") + run.N_mineral.sum("N_pool")
        gap = total.values[1:] - total.values[0] - ((run.N_supply - run.N_lost).values * dt).cumsum(axis=0)
        worst = max(worst, np.abs(gap / total.values[0]).max())
        carbon = run.X.sum("pool").values
        missing = np.diff(carbon, axis=0) - (run.growth - run.respiration).values * dt
        worst = max(worst, np.abs(missing / carbon[0]).max())
    assert worst < 1e-10


@pytest.mark.parametrize("seed", range(4))
def test_carbon_in_a_column_with_nitrogen_is_that_of_the_column_alone(seed):
    model = in_layers("fixed", seed=seed)
    start, I = some_state(model, np.random.default_rng(seed)), litterfall(model)
    start = State(start.X, start.E, {"N": start.m["N"] + 500.0})
    run = simulate(model, [0.0, 0.3, 1.0], start, I[None])
    alone = forward.simulate(model.carbon, [0.0, 0.3, 1.0], start.X, I[None])
    np.testing.assert_allclose(run.X, alone.X, rtol=1e-12)


def test_a_column_fed_from_the_top_rests_where_long_runs_end():
    layers = SoilLayers([0.1, 0.2, 0.4])
    column = LayeredModel(("litter", "soil"), layers, A=[[1, 0], [-0.4, 1]], down=[0.02, 0.01], up=[0.02, 0.01],
                          K=[[1.0, 0.8, 0.5], [0.05, 0.03, 0.01]])
    seeping = MatrixModel(("N 1", "N 2", "N 3"), [[1, 0, 0], [-0.9, 1, 0], [0, -0.9, 1]], [0.5] * 3, [1, 0, 0])
    n = Element("N", 3 * [40.0] + 3 * [11.0], seeping, [1.0, 0, 0], 0.3,
                depth=Depth([0, 1, 2, 0, 1, 2], [0.6, 0.3, 0.1]))
    model, fall = NutrientModel(as_pools(column), n), np.array([300.0, 150, 50, 0, 0, 0])
    rest = model.steady_state(fall)
    start = State(np.full(6, 100.0), {"N": 100.0 / n.c_to_e}, {"N": np.ones(3)})
    run = simulate(model, np.concatenate([[0], np.geomspace(1, 1e6, 30)]), start, fall[None])
    np.testing.assert_allclose(run.N_mineral[-1], rest.m["N"], rtol=1e-7)
    np.testing.assert_allclose(run.X[-1], rest.X, rtol=1e-6)


def test_mixing_moves_nitrogen_with_its_carbon():
    model = in_layers("fixed", seed=3)
    X = np.random.default_rng(3).uniform(100, 900, model.carbon.n)
    start = State(X, {"N": X / model.elements[0].c_to_e}, {"N": np.full(3, 500.0)})
    run = simulate(model, [0.0, 2.0], start, litterfall(model)[None])
    np.testing.assert_allclose(run.X[-1] / run.N[-1], model.elements[0].c_to_e, rtol=1e-11)


def test_leading_axes_are_sites_whatever_has_them():
    rng = np.random.default_rng(5)
    base = leaky()
    K = base.carbon.K * rng.uniform(0.5, 1.5, (4, 3))
    n, p = base.elements
    half = rng.uniform(0.5, 2.0, 4)
    supply = rng.uniform(0.3, 1.0, (4, 1))
    many = NutrientModel(base.carbon.replace(K=K), (replace(n, half=half, supply=supply), p), "limited")
    rest, t = many.steady_state(500.0), np.array([0.0, 0.5, 2.0])
    run = simulate(many, t, rest, 700.0)
    for i in range(4):
        one = NutrientModel(base.carbon.replace(K=K[i]), (replace(n, half=half[i], supply=supply[i]), p), "limited")
        alone = one.steady_state(500.0)
        np.testing.assert_allclose(rest.X[i], alone.X, rtol=1e-8)
        np.testing.assert_allclose(run.X[-1, i], simulate(one, t, alone, 700.0).X[-1], rtol=1e-8)


def test_supply_over_loss_holds_only_where_all_is_lost_from_the_mineral_pool():
    model = land()
    n = model.elements[0]
    plain = float(n.supply[0] / 0.3)
    assert n.follows and model.steady_state(500.0).m["N"][0] == pytest.approx(plain)
    for ways, way in ((Ways(lost=[0, 0, 0.05]), -1), (Ways(volatile=0.1), -1), (Ways(fixation=1.0), 1)):
        changed = model.replace(elements=replace(n, ways=ways))
        low, high = (float(changed.steady_state(I).m["N"][0]) for I in (300.0, 900.0))
        assert not changed.elements[0].follows
        assert way * (low - plain) > 0 and way * (high - plain) > 0
        if not ways.fixation:
            assert high < low  # more carbon, more loss with it: m* answers to carbon


def test_the_leaky_steady_state_by_hand():
    # One pool: s = ℓ m + o r φ I, with φ = m / (m + h): a quadratic equation.
    carbon = MatrixModel(("plants",), [[1.0]], [0.2], [1.0])
    n = Element("N", [50.0], SOIL_N, [0.6], 1.0, ways=Ways(lost=0.1))
    m = float(NutrientModel(carbon, n).steady_state(500.0).m["N"][0])
    b = 0.3 * 1.0 + 0.1 * 500 / 50 - 0.6
    assert m == pytest.approx((-b + np.sqrt(b**2 + 4 * 0.3 * 0.6)) / 0.6, rel=1e-10)


def test_what_plants_take_back_is_not_exposed_to_losses():
    base = land(c_to_e=(60, 120, 12))
    n = base.elements[0]
    held, open_ = (base.replace(elements=replace(n, ways=Ways(resorbed=[share, 0, 0], volatile=0.2)))
                   for share in (0.5, 0.0))
    a, b = held.steady_state(500.0), open_.steady_state(500.0)
    assert a.m["N"][0] > b.m["N"][0] and a.X.sum() > b.X.sum()
    run = simulate(held, [0.0, 1.0], a, 500.0)
    # Half of the nitrogen of growth is paid by resorption; litter falls with the ratio it needs.
    assert float(run.N_uptake[0]) == pytest.approx(0.5 * float(run.growth[0]) / 60, rel=1e-8)


def test_fixation_answers_to_demand_and_losses_are_told_apart():
    model = leaky()
    start = model.steady_state(500.0)
    run = simulate(model, [0.0, 5.0, 10.0], start, 900.0)
    assert run.N_supply[0] > model.elements[0].supply.sum()
    assert (np.diff(run.N_supply) > 0).all()  # the available pool shrinks, fixation rises
    parts = run.N_lost_organic + run.N_lost_gas
    assert (parts > 0).all() and (run.N_lost > parts).all()


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
        (lambda: Ways(lost=1.5), "It is a share"),
        (lambda: Ways(lost=0.6, resorbed=0.6), "no pool gives away more"),
        (lambda: Depth([0, 3], [1.0, 1.0]), "from 0"),
        (lambda: Depth([0, 0.5], [1.0, 1.0]), "whole positions"),
        (lambda: replace(land().elements[0], depth=Depth([0], [1.0])), "N has 3 and 1"),
        (lambda: NutrientModel("soil", land().elements), "as_pools"),
        (lambda: as_pools(land().carbon), "give a LayeredModel"),
        (lambda: in_layers("fixed").steady_state(5000.0 * np.ones(6)), "N runs out"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
