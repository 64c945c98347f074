"""Which process controls storage: shares against sums that can be done by hand."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from landcarbon import datasets
from landcarbon.learning.attribution import compare, control, standard, swap
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5


@pytest.fixture(scope="module")
def world():
    return datasets.twin_world(n_sites=40, rng=1)


@pytest.fixture(scope="module")
def theta(world):
    true = world.truth["parameters"].values
    rng = np.random.default_rng(0)
    table = clm5.PARAMETERS
    near = true[:, None] * np.exp(0.05 * rng.standard_normal((len(true), 3, 21)))
    return np.clip(near, table.lower + 1e-6, table.upper - 1e-6)


def test_components_hold_everything_once(world):
    members = [m for group in clm5.COMPONENTS.values() for m in group]
    fields = {f for f in vars(world.forcing) if f not in ("layers", "bedrock_layer")}
    assert sorted(members) == sorted({*clm5.PARAMETERS.names, *fields})


def test_shares_sum_to_one_and_agree_with_brute_force(world, theta):
    found = control(theta, world.forcing)
    share = found.data["share"]
    np.testing.assert_allclose(share.sum("component"), 1.0, rtol=1e-12)
    stock = clm5.soil_carbon(clm5.steady_state(theta, world.forcing.expand()))
    bottom = clm5.LAYERS.bottom
    ln = np.log(stock @ np.diff(np.minimum(np.append(0.0, bottom), 1.0)))
    np.testing.assert_allclose(found.data["total"], ln.var(axis=0), rtol=1e-12)
    assert list(found.table.columns) == ["share", "lower", "upper", "alone", "removed"]
    assert (found.table["lower"] <= found.table["upper"]).all()


def test_one_component_that_varies_owns_everything(world):
    """Only input differs: stock is proportional to it, and the variance of ln input is the answer."""
    amount = np.linspace(1.0, 3.0, 12)
    land = world.forcing[np.zeros(12, int)]
    land = clm5.Forcing(
        land.soil_temperature, land.water_scalar, land.litter_input * amount[:, None]
    )
    theta = np.tile(clm5.PRODA_START, (12, 1))
    found = control(theta, land)
    np.testing.assert_allclose(found.data["total"], np.log(amount).var(), rtol=1e-9)
    for name in ("share", "alone", "removed"):
        values = found.data[name].squeeze("draw")
        assert float(values.sel(component="input")) == pytest.approx(1.0, abs=1e-9)
        assert np.abs(values.drop_sel(component="input")).max() < 1e-9


def test_shares_of_a_product_are_variances_of_the_factors():
    """ln C = ln a + ln b: shares follow from variances and covariance, by hand."""
    rng = np.random.default_rng(3)
    a, b = np.exp(rng.standard_normal((2, 4000)) * np.array([[0.6], [0.3]]))
    theta = np.column_stack([a, b])
    found = control(theta, _Nothing(4000), model=_product())
    share = found.data["share"].squeeze("draw")
    la, lb = np.log(a), np.log(b)
    both = np.cov(la, lb, bias=True)
    np.testing.assert_allclose(
        share, (np.diag(both) + both[0, 1]) / both.sum(), rtol=1e-9
    )


def test_a_component_that_hides_another_is_removed_with_a_minus():
    a = np.exp(np.linspace(-1, 1, 50))
    found = control(np.column_stack([a**2, 1 / a]), _Nothing(50), model=_product())
    removed = found.data["removed"].squeeze("draw")
    assert float(removed.sel(component="b")) == pytest.approx(-3.0)
    assert float(removed.sel(component="a")) == pytest.approx(0.0)


def test_standard_is_the_same_everywhere(world, theta):
    middle, flat = standard(theta, world.forcing)
    assert middle.shape == (1, 3, 21)
    np.testing.assert_allclose(middle[0], theta.mean(axis=0))
    everywhere, land = swap(theta, world.forcing, clm5.COMPONENTS, middle, flat)
    X = clm5.steady_state(everywhere, land.expand())
    np.testing.assert_allclose(X, np.broadcast_to(X[:1], X.shape), rtol=1e-9)
    assert np.array_equal(world.forcing.litter_input.mean(axis=0), flat.litter_input)


def test_compare_sums_to_the_difference(world, theta):
    found = compare(theta, world.forcing, clm5.PRODA_START)
    np.testing.assert_allclose(found.data["share"].sum("component"), found.data["total"], rtol=1e-9)
    # Neither input nor climate was changed.
    assert np.abs(found.data["share"].sel(component="input")).max() < 1e-12
    back = compare(np.broadcast_to(clm5.PRODA_START, theta.shape), world.forcing, theta)
    np.testing.assert_allclose(back.data["total"], -found.data["total"], rtol=1e-9)
    np.testing.assert_allclose(back.data["share"], -found.data["share"], atol=1e-9)


def test_bad_input_is_named(world, theta):
    with pytest.raises(InputError, match="no component 'roots'; there are input"):
        swap(theta, world.forcing, "roots", theta, world.forcing)
    with pytest.raises(InputError, match="first axis of both must be the same sites"):
        control(theta[:5], world.forcing)
    with pytest.raises(InputError, match="at least two sites"):
        control(theta[:1], world.forcing[:1])
    with pytest.raises(InputError, match="depth must lie within"):
        control(theta, world.forcing, depth=30.0)
    with pytest.raises(InputError, match="no pattern"):
        control(np.ones((9, 2)), _Nothing(9), model=_product())
    with pytest.raises(InputError, match="level must lie between 0 and 1"):
        control(np.column_stack([np.arange(1.0, 9), np.ones(8)]), _Nothing(8), model=_product(), level=2)
    gone = np.column_stack([np.arange(9.0), np.ones(9)])
    with pytest.raises(InputError, match="Site 0 holds no carbon"):
        control(gone, _Nothing(9), model=_product())
    bad = theta.copy()
    bad[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        control(bad, world.forcing)


# --- a model whose shares can be written down: carbon is the product of two numbers --------------


@dataclass(frozen=True)
class _Nothing:
    """Forcing without any field."""

    n: int

    @property
    def shape(self):
        return (self.n,)

    def __getitem__(self, index):
        return self

    def expand(self):
        return self


def _product():
    return SimpleNamespace(
        PARAMETERS=SimpleNamespace(names=("x", "y")),
        COMPONENTS={"a": ("x",), "b": ("y",)},
        LAYERS=SimpleNamespace(bottom=np.array([1.0]), node=np.array([0.5])),
        observed=lambda theta, forcing: (theta.prod(axis=-1)[..., None], None),
    )


def test_odd_input_is_named(world, theta):
    alike, same = np.repeat(theta[:1], 5, axis=0), world.forcing[np.zeros(5, dtype=int)]
    rounding = alike * (1 + 1e-15 * np.arange(5))[:, None, None]
    for call, words in (
        (lambda: control(theta[:, :0], world.forcing), "at least one site and one draw"),
        (lambda: compare(theta[:0], world.forcing[:0], theta[0]), "at least one site and one draw"),
        (lambda: control(rounding, same), "no pattern"),
        (lambda: control(theta, world.forcing, depth="1 m"), "depth must hold numbers"),
        (lambda: control(theta, world.forcing, level=None), "level has a gap"),
    ):
        with pytest.raises(InputError, match=words):
            call()
