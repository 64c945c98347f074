r"""A twin of a survey: the same places, depths, climate and errors, and a truth that is known.

.. math::

    z_s = z_0 + \sigma_e\, g(c_s) + \sigma_h\, h(x_s) + \sigma_l\, \varepsilon_s, \qquad
    \ln y_s = \ln h(X^*(\theta(z_s), d_s)) + \sigma_y\, \varepsilon

=================  ============================================  ============  ==================
symbol             meaning                                       shape         code name
=================  ============================================  ============  ==================
:math:`z_s`        true parameters, unbounded coordinates        (site, p)     z
:math:`c_s, d_s`   environment and forcing of the survey         (site, ...)   covariates, forcing
:math:`g`          smooth, not linear, drawn from the seed       (site, p)     _follow
:math:`h`          told by the coordinates alone, 700 km         (site, p)     _hidden
:math:`y_s`        carbon as it would have been measured         (site, obs)   profiles
=================  ============================================  ============  ==================

What would *these* data find, if the answer were known? Whatever is retrieved from the twin can be held
against `theta`: parameters, what controls carbon, how efficiency goes with it. Another seed is another truth,
so that several twins are a null for a finding on the real survey.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landcarbon.assimilation.parameters import Prior
from landcarbon.datasets.profiles import Profiles
from landcarbon.datasets.twin import HIDDEN, LOCAL, SHIFT
from landcarbon.geo import EARTH_RADIUS, unit_vectors
from landcarbon.matrix.errors import InputError, Rng, as_array, as_kind, as_number, as_rng
from landcarbon.models import clm5
from landcarbon.models.process import whole

__all__ = ["TwinSurvey", "twin_survey"]

Array = NDArray[np.float64]

FOLLOWED = 0.6  # sd of z that follows the environment
PATTERNS = 5  # leading patterns of the environment that it follows
LENGTH = 700.0  # km, of what no covariate tells
WAVES = 60
AT_ONCE = 4096  # columns solved together


@dataclass(frozen=True, eq=False)
class TwinSurvey:
    """A survey of a synthetic world.

    Attributes
    ----------
    profiles : Profiles
        `carbon_density` of every layer within the column is synthetic, and no other carbon is left; places
        and depths are those given.
    theta : ndarray, (site, 21)
        True parameters, own units.
    """

    profiles: Profiles
    theta: Array


def twin_survey(
    profiles: Profiles, forcing: clm5.Forcing, covariates: pd.DataFrame, *, error: float = 0.6, rng: Rng = 0
) -> TwinSurvey:
    """Measure a world whose truth is known where, and as, a survey was made.

    Parameters
    ----------
    profiles : Profiles
    forcing : clm5.Forcing, sites (site,), or one on disk
    covariates : pandas.DataFrame, (site, covariate)
        As for :class:`landcarbon.learning.Task`; `latitude` and `longitude` among them.
    error : float
        Standard deviation of ln carbon as measured.
    rng : Generator or int
        Another seed is another truth.

    Returns
    -------
    TwinSurvey

    Raises
    ------
    InputError
        Numbers of sites that differ, covariates without coordinates.

    Examples
    --------
    >>> from landcarbon.datasets import twin_world
    >>> world = twin_world(n_sites=20, rng=1)
    >>> twin = twin_survey(world.profiles, world.forcing, world.covariates, rng=2)
    >>> twin.profiles.ids == world.profiles.ids, twin.profiles.synthetic, twin.theta.shape
    (True, True, (20, 21))
    """
    as_kind("profiles", profiles, Profiles)
    as_kind("covariates", covariates, pd.DataFrame)
    as_kind("forcing", forcing, "expand", hint="Such as clm5.Forcing.")
    error, rng = as_number("error", error, lower=0.0, strict=True), as_rng(rng)
    n = len(profiles)
    if not n == len(covariates) == forcing.shape[0]:
        raise InputError(
            f"there are {n} profiles, {len(covariates)} rows of covariates and {forcing.shape[0]} sites of forcing; "
            "give one of each for every profile."
        )
    lacking = [name for name in ("latitude", "longitude") if name not in covariates]
    if lacking:
        raise InputError(f"the covariates have no column {lacking[0]!r}, by which places differ.")
    prior = Prior(clm5.PARAMETERS)
    z = np.tile(prior.to_real(clm5.PRODA_START), (n, 1))
    for name, shift in SHIFT.items():
        z[:, prior.names.index(name)] += shift
    z += FOLLOWED * _follow(covariates, len(prior), rng)
    z += HIDDEN * _hidden(covariates, len(prior), rng) + LOCAL * rng.standard_normal(z.shape)
    theta = prior.from_real(z)
    seen = profiles.to_observations(error)
    parts = [slice(first, first + AT_ONCE) for first in range(0, n, AT_ONCE)]
    said = np.concatenate(
        [seen[part].predict(clm5.observed_values(theta[part], whole(forcing[part]))) for part in parts]
    )
    # An error is cut at three standard deviations: such a value would be measured again.
    said = said + error * np.clip(rng.standard_normal(said.shape), -3.0, 3.0)
    layers = profiles.layers.copy()
    rank = layers["profile_id"].map({name: k for k, name in enumerate(profiles.ids)}).to_numpy()
    turn = layers.groupby("profile_id", sort=False).cumcount().to_numpy()
    used = seen.mask[rank, turn]
    carbon = np.full(len(layers), np.nan)
    carbon[used] = np.exp(said[rank, turn][used])
    layers["carbon_density"] = carbon
    layers[["organic_carbon", "bulk_density"]] = np.nan  # nothing measured stands beside what is made
    layers.attrs = dict(profiles.layers.attrs)
    return TwinSurvey(replace(profiles, layers=layers, synthetic=True), theta)


def _follow(covariates: pd.DataFrame, p: int, rng: np.random.Generator) -> Array:
    """What follows the environment (site, p), mean 0 and sd 1: tanh of its leading patterns, mixed."""
    table = covariates.drop(columns=["latitude", "longitude"])
    x = np.column_stack([as_array(f"covariate {name!r}", table[name]) for name in table])
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    u, _, v = np.linalg.svd(x, full_matrices=False)
    # The sign of a pattern is free; the same truth on every processor needs one.
    u = u * np.sign(v[np.arange(len(v)), np.abs(v).argmax(axis=1)])
    leading = u[:, :PATTERNS] * np.sqrt(len(x))
    bent = np.tanh(leading @ rng.standard_normal((leading.shape[1], 2 * p)))
    mixed = bent @ rng.standard_normal((2 * p, p))
    return (mixed - mixed.mean(axis=0)) / np.maximum(mixed.std(axis=0), 1e-12)


def _hidden(covariates: pd.DataFrame, p: int, rng: np.random.Generator) -> Array:
    """Smooth fields over the sphere (site, p), mean 0 and sd 1 over many: sums of waves."""
    x = unit_vectors(covariates["latitude"].to_numpy(float), covariates["longitude"].to_numpy(float))
    fields = np.empty((len(x), p))
    for k in range(p):
        waves = rng.standard_normal((WAVES, 3)) * EARTH_RADIUS / LENGTH
        fields[:, k] = np.sqrt(2.0 / WAVES) * np.cos(x @ waves.T + rng.uniform(0, 2 * np.pi, WAVES)).sum(axis=1)
    return fields
