"""The twelve invariants hold for a sound project, and each catches the fault it is there for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from landcarbon.assimilation import GaussianLikelihood, Posterior, Prior, sample
from landcarbon.course.capstone import INVARIANTS, PARTS, invariants
from landcarbon.forecasting import SOURCES, forecast, matrix_step
from landcarbon.matrix import InputError, MatrixModel
from landcarbon.models import Parameter, ParameterTable, two_pool

TABLE = ParameterTable(
    [
        Parameter("I", "gC m-2 yr-1", 200, 800, 400),
        Parameter("k", "yr-1", 0.3, 1.5, 0.8),
        Parameter("h", "1", 0.05, 0.4, 0.2),
    ]
)
YEARS = np.array([1.0, 3.0, 6.0])
OLD = 0.02


def prior():
    return Prior(TABLE, "logit-normal", 0.8)


def model(theta):
    return two_pool(theta[..., 1], OLD, theta[..., 2])


def start(theta):
    return np.broadcast_to([200.0, 2000.0], (*theta.shape[:-1], 2))


def pools(theta, t):
    """Exact pools (..., time, 2) of the chain of two."""
    I, k, h = (theta[..., i, None] for i in range(3))
    young = I / k + (200.0 - I / k) * np.exp(-k * t)
    a, b = h * I / OLD, h * (k * 200.0 - I) / (OLD - k)
    old = a + b * np.exp(-k * t) + (2000.0 - a - b) * np.exp(-OLD * t)
    return np.stack([young, old], axis=-1)


def observe(theta):
    X = pools(theta, YEARS)
    return np.concatenate([X[..., 0], X[..., 1]], axis=-1)


TRUE = np.array([450.0, 0.7, 0.25])
ERROR = np.array([30.0] * 3 + [60.0] * 3)
DATA = observe(TRUE) + ERROR * np.random.default_rng(1).standard_normal(6)
MASKS = {"young": np.arange(6) < 3, "old": np.arange(6) >= 3}


def data():
    return {name: GaussianLikelihood(DATA, ERROR, mask) for name, mask in MASKS.items()}


@cache
def posterior():
    draws = {"none": prior().sample(200, 1)}
    for name, mask in (*MASKS.items(), ("all", np.ones(6, bool))):
        target = Posterior(prior(), observe, GaussianLikelihood(DATA, ERROR, mask))
        draws[name] = sample(target, "es-mda", 2, n_members=200, n_iter=4).draws
    return draws


def ahead(draws, sources):
    weather = np.exp(0.1 * np.random.default_rng(3).standard_normal((len(draws), 10)))
    step = matrix_step(lambda theta, d: (model(theta), theta[:, 0] * d["I"], 1.0), 1.0)
    return forecast(
        step, pools(draws, np.array([6.0]))[:, 0], theta=draws, drivers={"I": weather},
        process_sd=0.02, sources=sources, rng=4,
    )  # fmt: skip


def score():
    return {"used": YEARS, "scored": [7, 8, 9, 10, 11], "forecast": [2.0] * 5, "null": [3.0] * 5}


GOOD = {
    "card": lambda: {
        "question": "?", "pools": ["young", "old"], "stock": 4500.0, "input": 400.0,
        "residence_time": 11.25, "refuted_by": "cores",
    },
    "prior": prior, "model": model, "input": lambda theta: theta[..., 0], "start": start,
    "observe": observe, "data": data, "posterior": posterior, "forecast": ahead, "score": score,
}  # fmt: skip


def test_a_sound_project_holds_all_twelve():
    found = invariants(GOOD)
    assert [f.number for f in found] == list(range(1, 13))
    assert all(f.holds for f in found), "\n".join(map(str, found))
    assert "skill +0.33" in found[-1].sentence


def leaking_carbon(theta):
    m = model(theta)
    return MatrixModel(("young", "old", "dust"), _wide(m.A), _long(m.K), [1.0, 0.0, 0.0])


def _wide(A):
    out = np.zeros((*A.shape[:-2], 3, 3))
    out[..., :2, :2], out[..., 2, 2] = A, 1.0
    return out


def _long(K):
    return np.concatenate([K, np.full((*K.shape[:-1], 1), 0.1)], axis=-1)


def wrong_scores(**changes):
    return lambda: score() | changes


FAULTS = {
    "card": ({"card": lambda: GOOD["card"]() | {"stock": 4.5, "input": 0.4}}, "units"),
    "diagram": ({"model": leaking_carbon, "start": lambda t: np.ones((*t.shape[:-1], 3))}, "mass"),
    "storage": ({"start": lambda theta: -start(theta)}, "sign"),
    "prior": ({"observe": lambda theta: observe(theta)[..., :4]}, "shape"),
    "surprise": (
        {"data": lambda: {n: GaussianLikelihood(DATA / 1000, ERROR / 1000, m) for n, m in MASKS.items()}},
        "units",
    ),
    "posterior": ({"posterior": lambda: posterior() | {"all": posterior()["none"]}}, "value"),
    "data": ({"posterior": lambda: posterior() | {"all": posterior()["old"]}}, "value"),
    "forecast": ({"score": wrong_scores(used=[1.0, 3.0, 8.0])}, "leakage"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_its_invariant(name):
    changes, kind = FAULTS[name]
    found = {f.name: f for f in invariants(GOOD | changes)}
    assert not found[name].holds, str(found[name])
    assert found[name].kind.startswith(kind)
    assert len(found[name].sentence.split()) > 4


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"forecast": lambda d, s: ahead(d, SOURCES)}, "forecast"),
        ({"forecast": lambda d, s: ahead(d, [x for x in s if x != "initial"])}, "forecast"),
        ({"score": wrong_scores(forecast=[1.0, 2.0], null=[1.0, 2.0])}, "forecast"),
        ({"data": lambda: {"young": data()["young"], "again": data()["young"]}}, "surprise"),
        ({"input": lambda theta: -theta[..., 0]}, "diagram"),
    ],
)
def test_more_faults(changes, name):
    found = {f.name: f for f in invariants(GOOD | changes)}
    assert not found[name].holds, str(found[name])


class Wrong(MatrixModel):
    """A model whose methods contradict each other, as a home-made one may."""

    def respiration(self, X, xi=1.0):
        return 1.1 * super().respiration(X, xi)

    def derivative(self, X, I, xi=1.0):
        return super().derivative(X, I, xi) + 1.0


def test_home_made_models_that_contradict_themselves_are_found():
    def made(theta):
        m = model(theta)
        return Wrong(m.pools, m.A, m.K, m.B)

    found = {f.name: f for f in invariants(GOOD | {"model": made})}
    assert found["balance"].kind == "mass balance"
    assert found["storage"].kind == "identity"


def test_every_invariant_is_described():
    from landcarbon.course import capstone

    for number, (name, _) in enumerate(INVARIANTS, 1):
        assert f"{number:2d}  {name}" in capstone.__doc__
    assert len(INVARIANTS) == 12


def test_a_missing_part_and_a_blank_one():
    with pytest.raises(InputError, match="lacks 'score'"):
        invariants({k: v for k, v in GOOD.items() if k != "score"})

    def blank():
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        invariants(GOOD | {"score": blank})
    assert set(PARTS) == set(GOOD)
