"""CLM5 against the published matrix code, an independent dense model, and its own conservation."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcarbon.matrix import InputError, solve
from landcarbon.matrix.solve import METHODS
from landcarbon.models import clm5

P = clm5.PARAMETERS
DZ, NODE = clm5.LAYERS.thickness, clm5.LAYERS.node
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def reference():
    """24 cases of the published code; data/README.md says where they come from."""
    with np.load(Path(__file__).parents[1] / "data" / "clm5_steady_state.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def forcing(reference):
    d = reference
    return clm5.Forcing(
        soil_temperature=d["soil_temperature"],
        water_scalar=d["water_scalar"],
        litter_input=d["litter_input"],
        oxygen_scalar=np.repeat(d["oxygen_scalar"][..., None], 12, axis=-1),
        nitrogen_scalar=d["nitrogen_scalar"],
        active_layer_depth=d["active_layer_depth"],
        bedrock_layer=d["bedrock_layer"],
    )


def random_site(rng, lead=()):
    T = 285 + rng.normal(0, 8, (*lead, 1, 1)) + rng.normal(0, 5, (*lead, 20, 12))
    return clm5.Forcing(
        T,
        rng.uniform(0.05, 1, (*lead, 20, 12)),
        rng.uniform(0, 300, (*lead, 4)),
        oxygen_scalar=rng.uniform(0.3, 1, (*lead, 20, 12)),
        nitrogen_scalar=rng.uniform(0.3, 1, (*lead, 20, 12)),
        active_layer_depth=rng.choice([0.0, 0.3, 1.2, 1.9, 2.1, 40.0], lead),
        bedrock_layer=rng.integers(2, 21, lead),
    )


def random_parameters(rng, lead=(), margin=0.0):
    at = rng.uniform(margin, 1 - margin, (*lead, len(P)))
    return P.lower + at * (P.upper - P.lower)


def above_rounding(pools, bedrock):
    """Layers above bedrock, pools above 1e-9 of the column's total."""
    stock = pools * DZ
    big = stock > 1e-9 * stock.sum(axis=(-2, -1), keepdims=True)
    return big & (np.arange(20) < bedrock[..., None, None])


def test_the_published_code_is_reproduced(reference, forcing):
    X = clm5.steady_state(reference["parameters"], forcing)
    assert reference["conserves_carbon"].sum() == 20
    for case in np.flatnonzero(reference["conserves_carbon"]):
        seen = above_rounding(reference["pools"][case], reference["bedrock_layer"][case])
        assert seen.sum() >= 4
        np.testing.assert_allclose(
            X[case][seen], reference["pools"][case][seen], rtol=1e-9, err_msg=f"case {case}"
        )
        one = clm5.steady_state(reference["parameters"][case], forcing[case])
        np.testing.assert_allclose(one, X[case], rtol=1e-12)


def test_permafrost_and_frozen_soil_are_among_them(reference):
    thaw = reference["active_layer_depth"][reference["conserves_carbon"]]
    assert ((thaw > 0) & (thaw < clm5.CRYOTURBATION_ACTIVE_LAYER)).sum() == 4
    assert (thaw == 0).sum() == 1


LEAKING = {20: 0.3988, 21: 0.5591, 22: 0.2493, 23: 0.1669}


def test_the_leak_of_the_published_code(reference, forcing):
    """Warm soil over bedrock: its mixing leaves one face open too many, and loses what passes there.

    The face under the last layer above bedrock is open, and the layer below loses carbon downward at
    the rate at which it gives it back upward; no layer receives it. With that written into M the
    published pools come out. They hold 17 to 56 % less soil carbon than ours, which conserve it.
    """
    X = clm5.steady_state(reference["parameters"], forcing)
    for case, missing in LEAKING.items():
        assert not reference["conserves_carbon"][case]
        bedrock = reference["bedrock_layer"][case]
        _, b = clm5.column(reference["parameters"][case], forcing[case])
        deeper = dataclasses.replace(forcing[case], bedrock_layer=bedrock + 1)
        leaky, _ = clm5.column(reference["parameters"][case], deeper)
        M = leaky.outflow_matrix()
        for pool in clm5.POOLS[1:]:
            at = leaky.index(pool, bedrock + 1)
            M[at, at] += leaky.up[bedrock - 1]
        published = reference["pools"][case]
        leaked = np.linalg.solve(M, b.ravel()).reshape(7, 20)
        seen = above_rounding(published, reference["bedrock_layer"][case])
        np.testing.assert_allclose(leaked[seen], published[seen], rtol=1e-9)
        soil = [(pools[clm5.SOIL, :bedrock] * DZ[:bedrock]).sum() for pools in (published, X[case])]
        np.testing.assert_allclose(1 - soil[0] / soil[1], missing, atol=1e-4)


def dense_steady_state(theta, site):
    """The equation written out once more with loops and one dense solve; takes complex numbers."""
    p = dict(zip(P.names, theta))
    tau = [p[f"tau_{k}"] for k in ("cwd", "l1", "l2", "l2", "s1", "s2", "s3")]
    moved = np.zeros((7, 7), dtype=complex)  # moved[i, j]: from j to i
    for i, j, name in (
        (2, 0, "fcwdl2"), (4, 1, "fl1s1"), (4, 2, "fl2s1"), (5, 3, "fl3s2"), (5, 4, "fs1s2"),
        (6, 4, "fs1s3"), (4, 5, "fs2s1"), (6, 5, "fs2s3"), (4, 6, "fs3s1"),
    ):  # fmt: skip
        moved[i, j] = p[name]
    moved[3, 0] = 1 - p["fcwdl2"]
    bedrock, thaw = int(site.bedrock_layer), float(site.active_layer_depth)
    bottom = np.cumsum(DZ)
    M = np.zeros((140, 140), dtype=complex)
    b = np.zeros(140, dtype=complex)
    for l in range(20):  # noqa: E741
        wet = p["w_scaling"] * site.water_scalar[l]
        wet = np.where(wet.real < 1, wet, 1)
        xi = p["q10"] ** ((site.soil_temperature[l] - 298.15) / 10) * wet * site.oxygen_scalar[l]
        slow = np.exp(-NODE[l] / p["efolding"])
        for j in range(7):
            nitrogen = site.nitrogen_scalar[l] if j in (1, 2, 3) else 1.0
            k = (xi * nitrogen).mean() * slow / tau[j]
            M[20 * j + l, 20 * j + l] += k
            for i in range(7):
                M[20 * i + l, 20 * j + l] -= moved[i, j] * k

    def diffusivity(l):  # noqa: E741
        if thaw > 2:
            return p["diffus"]
        if thaw == 0:
            return 0.0
        if bottom[l] < thaw:
            return p["cryo"]
        fading = min(3.0, bottom[bedrock] if bedrock < 20 else 3.0) - thaw
        return p["cryo"] * max(1 - (bottom[l] - thaw) / fading, 0) if fading > 0 else 0.0

    for l in range(min(bedrock, 20) - 1):  # noqa: E741
        above, below = diffusivity(l), diffusivity(l + 1)
        if above == 0 or below == 0:
            continue
        w = (NODE[l + 1] - bottom[l]) / (NODE[l + 1] - NODE[l])
        conductance = 1 / ((1 - w) / above + w / below) / (NODE[l + 1] - NODE[l])
        for pool in range(1, 7):
            here, under = 20 * pool + l, 20 * pool + l + 1
            M[here, here] += conductance / DZ[l]
            M[here, under] -= conductance / DZ[l]
            M[under, under] += conductance / DZ[l + 1]
            M[under, here] -= conductance / DZ[l + 1]
    left = p["beta"] ** (100 * np.append(0, bottom))
    share = left[:-1] - left[1:]
    share[bedrock:] = 0
    share = share / share.sum()
    if thaw == 0:
        share = np.eye(20)[0] + 0j
    for j in range(4):
        b[20 * j : 20 * j + 20] = site.litter_input[j] * share / DZ
    return np.linalg.solve(M, b).reshape(7, 20)


def well_conditioned(rng):
    theta = random_parameters(rng, margin=0.02)
    theta[P.index("efolding")] = rng.uniform(0.6, 1.0)
    return theta


@pytest.mark.parametrize("seed", range(12))
def test_the_dense_model_agrees(seed):
    rng = np.random.default_rng(seed)
    theta, site = well_conditioned(rng), random_site(rng)
    X = clm5.steady_state(theta, site)
    dense = dense_steady_state(theta, site).real
    np.testing.assert_allclose(X, dense, rtol=1e-9, atol=1e-9 * X.max())


@pytest.mark.parametrize("seed", range(6))
def test_the_adjoint_equals_complex_step_for_every_parameter(seed):
    rng = np.random.default_rng(seed)
    theta, site = well_conditioned(rng), random_site(rng)
    X, pull = clm5.steady_state_and_vjp(theta, site)
    weight = rng.normal(size=X.shape) / (1 + X)
    gradient = pull(weight)
    step = 1e-30
    exact = [
        (weight * dense_steady_state(theta + 1j * step * unit, site).imag).sum() / step
        for unit in np.eye(len(P))
    ]
    scale = np.abs(exact * theta).max()  # how much the largest parameter moves J, per relative change
    np.testing.assert_allclose(gradient * theta, exact * theta, rtol=1e-9, atol=1e-10 * scale)


@pytest.mark.parametrize("efolding", [0.05, 0.1, 0.3])
def test_the_adjoint_equals_finite_differences_where_dense_solves_fail(efolding):
    rng = np.random.default_rng(int(100 * efolding))
    theta = random_parameters(rng, (6,), margin=0.1)
    theta[:, P.index("efolding")] = efolding
    site = random_site(rng, (6,))
    X, pull = clm5.steady_state_and_vjp(theta, site)

    def value(parameters):
        return np.log1p(clm5.soil_carbon(clm5.steady_state(parameters, site))).sum(axis=-1)

    weight = np.zeros_like(X)
    weight[:, clm5.SOIL] = 1 / (1 + clm5.soil_carbon(X))[:, None, :]
    gradient = pull(weight) * theta
    for k, name in enumerate(P.names):
        # Four points: the error of the difference is of fourth order in the step.
        change = [value(theta * (1 + h * np.eye(len(P))[k])) for h in (-2e-4, -1e-4, 1e-4, 2e-4)]
        difference = (change[0] - 8 * change[1] + 8 * change[2] - change[3]) / 12e-4
        if name == "w_scaling":  # min(1, w W) has corners; compare where the step crosses none
            wet = theta[:, k, None, None] * site.water_scalar
            far = np.all(np.abs(wet - 1) > 3e-4 * wet, axis=(1, 2))
        else:
            far = np.ones(6, dtype=bool)
        np.testing.assert_allclose(
            gradient[far, k], difference[far], rtol=1e-6, atol=1e-6 * np.abs(gradient).max(), err_msg=name
        )


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_every_admissible_column_is_positive_and_respires_its_input(seed):
    rng = np.random.default_rng(seed)
    theta = random_parameters(rng, (8,))
    theta[:4, P.index("efolding")] = 0.05
    site = random_site(rng, (8,))
    X = clm5.steady_state(theta, site)
    reached = np.arange(20) < site.bedrock_layer[:, None]
    assert np.all(X >= 0)
    assert np.all(np.isfinite(X))
    assert not X[~np.broadcast_to(reached[:, None], X.shape)].any()
    model, _ = clm5.column(theta, site)
    respired = (model.A.sum(axis=-2)[..., None] * model.K * X * DZ).sum(axis=(-2, -1))
    np.testing.assert_allclose(respired, site.litter_input.sum(axis=-1), rtol=1e-10)


@pytest.mark.parametrize("efolding", [0.05, 0.1, 0.2])
def test_small_e_foldings_stay_positive_where_carbon_can_be(efolding):
    site = clm5.Forcing(np.full((20, 12), 285.15), np.full((20, 12), 0.5), [40, 120, 180, 60])
    X = clm5.steady_state(P.array(efolding=efolding), site)
    assert X.min() > 0
    M = clm5.column(P.array(efolding=efolding), site)[0].outflow_matrix()
    assert np.linalg.cond(M) > 1e15


def test_wood_has_no_say_at_steady_state():
    rng = np.random.default_rng(2)
    X, pull = clm5.steady_state_and_vjp(random_parameters(rng), random_site(rng))
    weight = np.zeros_like(X)
    weight[clm5.SOIL] = 1.0
    np.testing.assert_allclose(pull(weight)[P.index("tau_cwd")], 0, atol=1e-9)


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_four_methods_agree(seed):
    rng = np.random.default_rng(seed)
    theta = random_parameters(rng, (4,))
    theta[:, P.index("efolding")] = rng.uniform(0.8, 1.0, 4)
    model, b = clm5.column(theta, random_site(rng, (4,)))
    X = model.steady_state(b)
    seen = X * DZ > 1e-9 * (X * DZ).sum(axis=(-2, -1), keepdims=True)
    for method in METHODS[1:]:
        other = model.steady_state(b, method=method)
        np.testing.assert_allclose(other[seen], X[seen], rtol=1e-10, err_msg=method)


def test_members_at_each_site():
    rng = np.random.default_rng(6)
    theta, site = random_parameters(rng, (3, 5)), random_site(rng, (3,))
    X, pull = clm5.steady_state_and_vjp(theta, site.expand())
    assert X.shape == (3, 5, 7, 20)
    gradient = pull(np.ones_like(X))
    one, pull_one = clm5.steady_state_and_vjp(theta[2, 4], site[2])
    np.testing.assert_allclose(X[2, 4], one, rtol=1e-12)
    np.testing.assert_allclose(
        gradient[2, 4], pull_one(np.ones_like(one)), rtol=1e-10, atol=1e-12 * np.abs(gradient[2, 4]).max()
    )


def test_columns_in_parts_equal_all_at_once(monkeypatch):
    rng = np.random.default_rng(4)
    theta, sites = random_parameters(rng, (3, 5)), random_site(rng, (3,)).expand()
    X, pull = clm5.steady_state_and_vjp(theta, sites)
    gradient = pull(np.ones_like(X))
    monkeypatch.setattr(solve, "CHUNK", 4)
    monkeypatch.setattr(clm5, "CHUNK", 3)
    Y, pull_parts = clm5.steady_state_and_vjp(theta, sites)
    np.testing.assert_allclose(Y, X, rtol=1e-13)
    np.testing.assert_allclose(clm5.steady_state(theta, sites), X, rtol=1e-13)
    np.testing.assert_allclose(pull_parts(np.ones_like(X)), gradient, rtol=1e-10, atol=1e-13)
    none = clm5.steady_state(theta[:0, 0], sites[:0, 0])
    assert none.shape == (0, 7, 20)


@pytest.mark.parametrize("name", ["soil_temperature", "water_scalar", "oxygen_scalar", "litter_input"])
def test_any_part_of_the_forcing_may_be_the_one_with_sites(name):
    rng = np.random.default_rng(8)
    one, many = random_site(rng), random_site(rng, (3,))
    names = (
        "soil_temperature", "water_scalar", "litter_input", "oxygen_scalar", "nitrogen_scalar",
        "active_layer_depth", "bedrock_layer",
    )  # fmt: skip
    parts = {k: getattr(one, k) for k in names}
    mixed = clm5.Forcing(**{**parts, name: getattr(many, name)})
    X = clm5.steady_state(P.default, mixed)
    last = clm5.Forcing(**{**parts, name: getattr(many, name)[2]})
    np.testing.assert_allclose(X[2], clm5.steady_state(P.default, last), rtol=1e-12)


def test_constant_scalars_equal_arrays_of_them():
    rng = np.random.default_rng(3)
    T, W = 285 + rng.normal(0, 5, (20, 12)), rng.uniform(0.1, 1, (20, 12))
    short = clm5.Forcing(T, W, [1, 2, 3, 4], oxygen_scalar=0.9, nitrogen_scalar=0.7)
    full = np.ones((20, 12))
    long = clm5.Forcing(T, W, [1, 2, 3, 4], oxygen_scalar=0.9 * full, nitrogen_scalar=0.7 * full)
    (X, pull), (Y, pull_long) = (clm5.steady_state_and_vjp(P.default, f) for f in (short, long))
    np.testing.assert_allclose(X, Y, rtol=1e-12)
    np.testing.assert_allclose(pull(np.ones_like(X)), pull_long(np.ones_like(X)), rtol=1e-9)


def test_the_table_of_parameters():
    assert P.names[:5] == ("diffus", "cryo", "q10", "efolding", "tau_cwd")
    assert P.names[-2:] == ("w_scaling", "beta")
    assert len(P) == 21
    assert all(row.source and row.unit for row in P)
    lower = dict(zip(P.names, P.lower))
    assert lower["efolding"] == 0.05


def test_two_defaults_differ_in_one_number():
    """CLM5's own lies outside PRODA's bounds, and all the rest is shared."""
    k = P.index("efolding")
    assert clm5.DEFAULT[k] == 10.0 and not P.lower[k] <= clm5.DEFAULT[k] <= P.upper[k]
    assert clm5.PRODA_START[k] == 0.5
    np.testing.assert_array_equal(np.delete(clm5.DEFAULT, k), np.delete(clm5.PRODA_START, k))
    for fixed in (clm5.DEFAULT, clm5.PRODA_START):
        with pytest.raises(ValueError, match="read-only"):
            fixed[0] = 1.0


def site(**changes):
    ones = np.ones((20, 12))
    parts = {"soil_temperature": 285 * ones, "water_scalar": 0.5 * ones, "litter_input": [1, 2, 3, 4]}
    return clm5.Forcing(**{**parts, **changes})


HOLE = np.where(np.arange(240).reshape(20, 12) == 30, np.nan, 285.0)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: site(soil_temperature=np.full((20, 12), 12.0)), "holds 12; .* in kelvin.*add 273.15"),
        (lambda: site(soil_temperature=HOLE), r"soil_temperature holds 1 value.* index \(2, 6\)"),
        (lambda: site(soil_temperature=np.full((12, 20), 285.0)), r"axes of length \(20, 12\)"),
        (lambda: site(water_scalar=np.full((20, 12), 1.2)), "water_scalar must be at most 1"),
        (lambda: site(oxygen_scalar=-0.1), "oxygen_scalar must be at least 0"),
        (lambda: site(litter_input=[1, 2, 3]), "litter_input .*cwd and litter 1 to 3"),
        (lambda: site(litter_input=[1, 2, 3, -4]), "litter_input must be at least 0"),
        (lambda: site(active_layer_depth=-1), "active_layer_depth must be at least 0.*downward"),
        (lambda: site(bedrock_layer=1), "bedrock_layer must be at least 2"),
        (lambda: site(bedrock_layer=8.6), "whole numbers, 2 to 20"),
        (
            lambda: site(soil_temperature=np.full((3, 20, 12), 285.0), litter_input=np.ones((2, 4))),
            "leading axes .sites. of the forcing do not fit together",
        ),
        (lambda: clm5.steady_state(np.ones(20), site()), "theta must end in axes of length .21."),
        (lambda: clm5.steady_state(P.array(efolding=0.0), site()), "'efolding' is 0"),
        (lambda: clm5.steady_state(-P.default, site()), "theta must be at least 0"),
        (lambda: clm5.steady_state(np.full(21, np.nan), site()), "NaN"),
        (lambda: clm5.steady_state(P.array(fs1s2=0.9, fs1s3=0.4), site()), "sends out 1.3 .*'soil1'"),
        (lambda: clm5.steady_state(P.default, np.ones((20, 12))), "forcing is a ndarray"),
        (
            lambda: clm5.steady_state(np.tile(P.default, (3, 1)), site(litter_input=np.ones((2, 4)))),
            r"leading axes \(3,\), the forcing \(2,\)",
        ),
        (
            lambda: clm5.steady_state(P.default, site(water_scalar=np.zeros((20, 12)))),
            "carbon in pool .*does not leave",
        ),
        (lambda: P["tau_s4"], "tau_s4"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_carbon_use_efficiency_is_what_the_fluxes_of_all_layers_say():
    """By pools and layers: what is passed on of all that decomposes, woody debris left out."""
    rng = np.random.default_rng(3)
    P = clm5.PARAMETERS
    theta = P.lower + rng.uniform(0.2, 0.8, (5, 21)) * (P.upper - P.lower)
    season = 284 + 9 * np.sin(2 * np.pi * np.arange(12) / 12)
    land = clm5.Forcing(
        np.broadcast_to(season, (5, 20, 12)), np.full((5, 20, 12), 0.4), rng.uniform(20, 200, (5, 4))
    )
    value, pull = clm5.carbon_use_efficiency(theta, land)
    model, _ = clm5.column(theta, land)
    flux = (model.K * clm5.steady_state(theta, land) * np.asarray(clm5.LAYERS.thickness))[:, 1:].sum(axis=-1)
    passed = 1.0 - model.A.sum(axis=-2)[:, 1:]  # the column sums of A are what is lost
    np.testing.assert_allclose(value, (flux * passed).sum(axis=-1) / flux.sum(axis=-1), rtol=1e-9)
    slope = pull(np.ones(5))
    for k in range(21):
        h = 1e-6 * np.eye(21)[k]
        up, down = (clm5.carbon_use_efficiency(theta + s * h, land)[0] for s in (1, -1))
        np.testing.assert_allclose(slope[:, k], (up - down) / 2e-6, atol=1e-7)
    assert (slope[:, [P.index(n) for n in ("tau_s3", "q10", "beta")]] == 0).all()
    layers, back = clm5.carbon_use_efficiency(theta, land, by_layer=True)
    flux = (model.K * clm5.steady_state(theta, land) * np.asarray(clm5.LAYERS.thickness))[:, 1:]
    np.testing.assert_allclose(layers, (flux * passed[..., None]).sum(axis=1) / flux.sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose((layers * flux.sum(axis=1)).sum(axis=1) / flux.sum(axis=(1, 2)), value, rtol=1e-9)
    weight = rng.standard_normal((5, 20))
    slope = back(weight)
    for k in range(21):
        h = 1e-5 * theta[:, k : k + 1] * np.eye(21)[k]
        up, down = (
            (weight * clm5.carbon_use_efficiency(theta + s * h, land, by_layer=True)[0]).sum(axis=1) for s in (1, -1)
        )
        np.testing.assert_allclose(slope[:, k] * theta[:, k], (up - down) / 2e-5, atol=2e-8)
    rock = dataclasses.replace(land, bedrock_layer=np.full(5, 9))
    layers, back = clm5.carbon_use_efficiency(theta, rock, by_layer=True)
    assert (layers[:, 9:] == 0).all() and (layers[:, :9] > 0).all() and np.isfinite(back(weight)).all()
    whole = clm5.carbon_use_efficiency(theta, rock)[0]
    assert (layers[:, :9].min(axis=1) <= whole).all() and (whole <= layers[:, :9].max(axis=1)).all()
