"""A twin of a survey: the same places and depths, another carbon, a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest

from landcarbon import datasets
from landcarbon.datasets.twin_survey import twin_survey
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5


@pytest.fixture(scope="module")
def world():
    return datasets.twin_world(n_sites=150, rng=1)


@pytest.fixture(scope="module")
def twin(world):
    return twin_survey(world.profiles, world.forcing, world.covariates, error=0.3, rng=5)


def test_only_carbon_is_another(world, twin):
    given, made = world.profiles, twin.profiles
    assert made.ids == given.ids and made.synthetic
    columns = [n for n in given.layers if n not in ("carbon_density", "organic_carbon", "bulk_density")]
    assert made.layers[columns].equals(given.layers[columns])
    assert made.layers[["organic_carbon", "bulk_density"]].isna().all(axis=None), "nothing measured is left"
    assert not np.isclose(made.layers["carbon_density"], given.layers["carbon_density"]).any()
    assert made.to_observations().mask.tolist() == given.to_observations().mask.tolist()


def test_carbon_is_that_of_the_true_parameters_but_for_the_error(world, twin):
    seen = twin.profiles.to_observations(0.3)
    off = seen.data - seen.predict(clm5.observed_values(twin.theta, world.forcing))
    off = off[seen.mask]
    few = 3.0 / np.sqrt(off.size)  # three standard errors
    assert abs(off.mean()) < 0.3 * few and off.std() == pytest.approx(0.3, rel=few / np.sqrt(2.0))
    assert np.abs(off).max() <= 0.9 + 1e-9


def test_the_truth_lies_within_bounds_and_half_of_it_follows_the_environment(world, twin):
    P = clm5.PARAMETERS
    assert (twin.theta > P.lower).all() and (twin.theta < P.upper).all()
    z = world.nature.prior.to_real(twin.theta)
    again = world.nature.prior.to_real(twin_survey(world.profiles, world.forcing, world.covariates, rng=5).theta)
    np.testing.assert_array_equal(z, again)
    other = twin_survey(world.profiles, world.forcing, world.covariates, rng=6).theta
    r = [np.corrcoef(z[:, k], world.nature.prior.to_real(other)[:, k])[0, 1] for k in range(21)]
    assert np.abs(np.mean(r)) < 0.25, "another seed is another truth"
    from sklearn.ensemble import RandomForestRegressor

    x = world.covariates.drop(columns=["latitude", "longitude"])
    forest = RandomForestRegressor(60, min_samples_leaf=3, oob_score=True, random_state=0).fit(x, z)
    assert 0.3 < forest.oob_score_ < 0.8


def test_bad_input_gets_a_sentence(world):
    with pytest.raises(InputError, match="150 profiles, 149 rows"):
        twin_survey(world.profiles, world.forcing, world.covariates.iloc[1:])
    holes = world.covariates.copy()
    holes.iloc[3, 5] = np.nan
    with pytest.raises(InputError, match="covariate"):
        twin_survey(world.profiles, world.forcing, holes)
    with pytest.raises(InputError, match="'longitude'"):
        twin_survey(world.profiles, world.forcing, world.covariates.drop(columns="longitude"))
