"""A matrix from code written flux by flux: exact on the zoo, and a sentence for each thing wrong."""

import numpy as np
import pytest

from landcarbon.matrix import InputError
from landcarbon.matrix.from_code import matrix_from
from landcarbon.models import (
    carbon_nitrogen,
    century,
    clm5,
    clm45,
    dalec,
    emanuel,
    harvard_forest,
    microbial,
    phosphorus,
    pools,
    rothc,
    teco,
    yasso07,
)


def one_flux_after_another(model, I):
    """The model as loops over fluxes, one line a flux: no matrix is multiplied."""
    f, K, u, n = np.eye(len(model.pools)) - model.A, model.K, model.input(I), len(model.pools)

    def step(X):
        dX, breath = list(u), 0.0
        for j in range(n):
            out = K[j] * X[j]
            dX[j] -= out
            for i in range(n):
                dX[i] += f[i, j] * out
                out_i = f[i, j] * out
                breath -= out_i
            breath += out
        return dX, breath

    return step


ZOO = {
    "one pool": (pools.one_pool(), 550.0),
    "two pools": (pools.two_pool(), 500.0),
    "three pools": (pools.three_pool(), 600.0),
    "CENTURY, 3": (century.century3(), 400.0),
    "CENTURY, 7": (century.century7(lignin_to_nitrogen=20.0, structural_lignin=0.25), [300.0, 300.0]),
    "Emanuel": (emanuel.emanuel5(), 650.0),
    "TECO": (teco.teco8(), 1250.0),
    "DALEC": (dalec.dalec5(), 700.0),
    "Harvard Forest": (harvard_forest.harvard_forest7(), [600.0, 400.0]),
    "carbon and nitrogen": (carbon_nitrogen.carbon_pools(), 900.0),
    "mineral phosphorus": (phosphorus.mineral_phosphorus(), 1.0),
    "RothC": (rothc.rothc5(23.4), [400.0, 100.0]),
    "Yasso07": (yasso07.yasso07(2.0), [100.0, 50.0, 20.0, 200.0, 0.0]),
}


def same(found, M):
    return bool(np.all(np.abs(found - M) <= 1e-12 * np.abs(M).sum(axis=0)))


@pytest.mark.parametrize("name", ZOO)
def test_exact_on_the_zoo(name):
    model, I = ZOO[name]
    found = matrix_from(one_flux_after_another(model, I), model.pools)
    assert found.problems == ()
    M = model.outflow_matrix()
    assert same(found.M, M)
    np.testing.assert_array_equal(found.u, model.input(I))
    again, total = found.model
    assert same(again.outflow_matrix(), M)
    np.testing.assert_allclose(again.B * total, model.input(I), rtol=1e-13)


def test_teco_as_its_modellers_wrote_it():
    def today(X):
        q = teco.fluxes(X, gpp=3.0, soil_temperature=12.0, moisture=0.8)
        change = dict.fromkeys(
            ("foliage", "wood", "roots", "metabolic", "structural", "fast", "slow", "passive"), 0.0
        )
        for flux, value in q.items():
            start, _, end = flux.partition("to ")
            if end:
                change[end] += value
            if end and start:
                change[start.strip()] -= value * (start.strip() in ("foliage", "wood", "roots"))
            if flux.startswith("out of "):
                change[flux.removeprefix("out of ")] -= value
        return np.array(list(change.values())) * teco.DAYS, q["heterotrophic"] * teco.DAYS

    model, xi = teco.teco8(), teco.scalar(12.0, 0.8)
    found = matrix_from(today, teco.POOLS)
    M = model.outflow_matrix(xi)
    assert found.problems == ()
    assert same(found.M, M)
    np.testing.assert_allclose(found.u, model.input(3.0 * teco.DAYS), rtol=1e-13)
    assert "conserves carbon" in str(found)


def temperate(module, **parts):
    L = len(module.LAYERS)
    return module.Forcing(
        np.full((L, 12), 283.0), np.full((L, 12), 0.6), [100.0, 150.0, 100.0, 50.0], **parts
    )


def layer_after_layer(model, b):
    """A column as loops over pools, layers and faces."""
    f, (p, L), dz = np.eye(len(model.pools)) - model.A, model.state_shape, model.layers.thickness

    def step(X):
        X = X.reshape(p, L)
        dX, breath = b.copy(), 0.0
        for j in range(p):
            for k in range(L):
                out = model.K[j, k] * X[j, k]
                dX[j, k] -= out
                dX[:, k] += f[:, j] * out
                breath += (1 - f[:, j].sum()) * out * dz[k]
            for k in range(L - 1) if model.mixed[j] else ():
                net = model.down[k] * X[j, k] * dz[k] - model.up[k] * X[j, k + 1] * dz[k + 1]
                dX[j, k] -= net / dz[k]
                dX[j, k + 1] += net / dz[k + 1]
        return dX.ravel(), breath

    return step


@pytest.mark.parametrize("module", [clm45, clm5])
def test_exact_on_columns(module):
    model, b = module.column(module.PARAMETERS.default, temperate(module))
    w = np.tile(model.layers.thickness, 7)
    found = matrix_from(layer_after_layer(model, b), len(w), weights=w)
    M = model.outflow_matrix()
    assert same(found.M, M)
    np.testing.assert_allclose(found.u, b.ravel(), rtol=1e-14)
    assert found.problems == ()


def test_the_leak_of_the_published_mixing_matrix_is_found_and_named():
    # The face under the last layer above bedrock is open, and the rock passes on what arrives nowhere.
    rock = 13
    below, b = clm5.column(clm5.PARAMETERS.default, temperate(clm5, bedrock_layer=rock + 1))
    names = [f"{pool} in layer {k}" for pool in clm5.POOLS for k in range(1, 21)]
    w = np.tile(clm5.LAYERS.thickness, 7)
    honest = layer_after_layer(below, b)

    def published(X):
        dX, breath = honest(X)
        for pool in clm5.POOLS[1:]:
            row = below.index(pool, rock + 1)
            dX[row] -= below.up[rock - 1] * X[row]
        return dX, breath

    assert matrix_from(honest, names, weights=w).problems == ()
    found = matrix_from(published, names, weights=w)
    leaking = [p for p in found.problems if "leaks" in p]
    assert len(leaking) == len(found.problems) == 6
    assert leaking[0].startswith("'litter1 in layer 14' leaks: 0.000")
    rows = [below.index(pool, rock + 1) for pool in clm5.POOLS[1:]]
    np.testing.assert_allclose(found.leak[rows], below.up[rock - 1], rtol=1e-9)
    others = np.delete(found.leak, rows)
    assert np.abs(others).max() < 1e-9
    with pytest.raises(InputError, match="no matrix model yet"):
        _ = found.model


def good(X):
    litter, soil = X
    return [500 - 2.0 * litter, 0.6 * litter - 0.02 * soil], 1.4 * litter + 0.02 * soil


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (lambda X: [500 - 2.0 * X[0], 0.6 * X[0] + 0.02 * X[1]], "'soil' grows by 0.02 of itself a year"),
        (lambda X: [500 - 2.0 * X[0], -0.6 * X[0] - 0.02 * X[1]], "Carbon in 'litter' makes 'soil' fall, by 0.6"),
        (lambda X: [500 - 2.0 * X[0], 0.6 * X[0] - 10.0], "'soil' loses 10 a year even when all pools are empty"),
        (lambda X: [500 - 2.0 * X[0], 2.4 * X[0] - 0.02 * X[1]], "from 'litter' than leaves it: 1.2 for each gram"),
        (lambda X: [500 - 2.0 * X[0], 0.6 * X[0] - 2e-5 * X[1] ** 2], "Not linear: the change of 'soil' is off"),
        (lambda X: (good(X)[0], good(X)[1] - 0.1 * X[0]), "'litter' leaks: 0.1 of it a year leave it and arrive"),
        (lambda X: (good(X)[0], good(X)[1] + 0.1 * X[0]), "'litter' leaks: 0.1 of it a year are respired"),
        (lambda X: [500 - 2.0 * X[0] + 0.001 * X[1], 0.6 * X[0] - 1e-4 * X[1]], "more arrives from 'soil'"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_sentence(code, sentence):
    found = matrix_from(code, ["litter", "soil"])
    assert sentence in str(found)
    assert any(sentence in problem for problem in found.problems)


def test_sound_code_reports_what_it_is():
    assert str(matrix_from(good, ["litter", "soil"])) == (
        "2 pools, 1 transfer, input into 'litter'.\n"
        "Carbon leaves the model from 'litter', 'soil'.\n"
        "A linear model that conserves carbon."
    )


def test_microbes_are_found_to_be_nonlinear():
    model = microbial.PARAMETERS.default
    assert len(model) > 0

    def two(X):
        soil, microbes = X
        uptake = 5.0 * microbes * soil / (10_000 + soil)
        return [300 - uptake + 2.0 * microbes, 0.4 * uptake - 2.0 * microbes]

    assert "Not linear" in str(matrix_from(two, ["soil", "microbes"]))


def test_a_code_that_steps_gives_the_same_matrix():
    rate = matrix_from(good, ["litter", "soil"])

    def month(X):
        dX, breath = good(X)
        return [x + d / 12 for x, d in zip(X, dX)], breath / 12

    found = matrix_from(month, ["litter", "soil"], dt=1 / 12)
    np.testing.assert_allclose(found.M, rate.M, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(found.leak, 0, atol=1e-11)


def test_sentences_for_what_cannot_be_asked():
    with pytest.raises(InputError, match="carbon in 'litter' alone"):
        matrix_from(lambda X: [500 - X[0], np.nan if X[0] else 0.0], ["litter", "soil"])
    with pytest.raises(InputError, match="dX/dt of 2 pools"):
        matrix_from(lambda X: [1.0, 2.0, 3.0], 2)
    with pytest.raises(InputError, match="weights"):
        matrix_from(good, 2, weights=[1.0, 0.0])


def test_the_code_gets_a_copy_and_n_plus_three_calls():
    calls = []

    def spoils(X):
        calls.append(X.copy())
        dX = good(X)[0]
        X[:] = -1
        return dX

    assert matrix_from(spoils, 2).problems == ()
    assert len(calls) == 2 + 1 + 2
