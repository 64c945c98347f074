"""The twin world: made up, labelled so, and its truth is what its observations come from."""

import numpy as np
import pytest

from landcarbon.datasets import twin
from landcarbon.datasets.twin import twin_world
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5


@pytest.fixture(scope="module")
def world():
    return twin_world(120, rng=3)


def test_it_says_that_it_is_synthetic(world):
    assert "Synthetic" in repr(world)
    assert world.profiles.synthetic is True
    assert world.truth.attrs["synthetic"] is True
    assert world.covariates.attrs["synthetic"] is True


def test_the_same_seed_gives_the_same_world(world):
    again, other = twin_world(120, rng=3), twin_world(120, rng=4)
    np.testing.assert_array_equal(again.observations.data, world.observations.data)
    np.testing.assert_array_equal(again.truth["parameters"], world.truth["parameters"])
    assert not np.array_equal(other.truth["parameters"], world.truth["parameters"])


def test_everything_has_one_row_a_site(world):
    assert len(world.profiles) == len(world.covariates) == world.forcing.shape[0] == 120
    assert world.truth["parameters"].shape == (120, len(clm5.PARAMETERS))
    assert list(world.covariates.index) == world.profiles.ids


def test_truth_is_the_model_at_the_true_parameters(world):
    carbon = clm5.soil_carbon(clm5.steady_state(world.truth["parameters"].values, world.forcing))
    np.testing.assert_allclose(world.truth["carbon"], carbon, rtol=1e-10)


def test_measured_carbon_scatters_about_the_truth_as_announced(world):
    m = world.observations.mask
    miss = (world.observations.data - world.observations.predict(world.truth["carbon"].values))[m]
    assert abs(miss.mean()) < 4 * world.error / np.sqrt(m.sum())
    assert miss.std() == pytest.approx(world.error, rel=0.12)


def test_parameters_follow_the_environment_as_stated(world):
    prior = world.nature.prior
    z = prior.to_real(world.truth["parameters"].values)
    clay = world.covariates["clay"].to_numpy()
    wet = world.covariates["mean_wetness"].to_numpy()
    at = {name: z[:, prior.names.index(name)] for name in prior.names}
    assert np.corrcoef(at["tau_s3"], clay)[0, 1] > 0.6
    assert np.corrcoef(at["beta"], wet)[0, 1] < -0.6
    free = [name for name in prior.names if name not in twin.EFFECTS]
    assert max(abs(np.corrcoef(at[name], clay)[0, 1]) for name in free) < 0.35


def test_profiles_are_a_survey_with_gaps(world):
    layers = world.profiles.layers.groupby("profile_id").size()
    assert layers.min() >= 3 and layers.nunique() > 3
    assert (world.profiles.layers["upper_depth"] < world.profiles.layers["lower_depth"]).all()


def test_climate_is_physical(world):
    c = world.covariates
    assert np.corrcoef(c["latitude"], c["mean_temperature"])[0, 1] < -0.7
    assert (c["warmest_month"] > c["coldest_month"]).all()
    assert ((c["mean_wetness"] >= 0) & (c["mean_wetness"] <= 1)).all()
    assert (c["npp"] > 0).all()


def test_a_map_covers_the_land_of_the_region(world):
    grid = world.grid(4.0)
    lat, lon = (grid.covariates.index.get_level_values(k) for k in ("latitude", "longitude"))
    assert 30 < len(grid) < 80
    assert lat.min() > 24 and lat.max() < 50 and lon.min() > -126 and lon.max() < -66
    assert len(grid.select(np.arange(3))) == 3


def test_the_world_beyond_one_country():
    earth = twin_world(60, region="world", rng=0)
    assert earth.covariates["latitude"].min() < 0 < earth.covariates["latitude"].max()
    assert np.isfinite(earth.observations.data[earth.observations.mask]).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: twin_world(10, region="mars"), "conus, world"),
        (lambda: twin_world(0), "at least 1"),
        (lambda: twin_world(10, error=0.0), "0.6 stands for 60"),
        (lambda: twin_world(10).grid(0.0), "above 0"),
        (lambda: twin_world(10).at([95.0], [0.0]), "latitude"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
