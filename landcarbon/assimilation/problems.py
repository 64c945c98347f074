"""Posteriors to try a sampler on: a straight one, a bent one, soil in a jar, a soil column.

::

    gaussian      h = H z(theta),                              theta -> z: logit-normal prior
    banana        h = y + c (x^2 - 1/3)
    incubation    h(t) = C sum_j s_j k_j e^(-k_j t),           s_3 = 1 - s_1 - s_2
    soil_column   h = ln soil carbon at six depths,            steady state of CLM5

====== ======================================== ===== ========== ============== ==============
symbol meaning                                  shape unit       code name      source
====== ======================================== ===== ========== ============== ==============
z      real coordinate of a parameter           (3,)  1                         Prior
x, y   position                                 ()    1          x, y           Haario 1999
k_j    rate of pool j: fast, slow, passive      ()    d-1        k_fast ...     Haddix 2011
s_j    share of the carbon in it at the start   ()    1          share_fast ... Haddix 2011
C      carbon of the soil                       ()    ugC g-1    CARBON         chosen
h      what is measured                         (n,)  see each
====== ======================================== ===== ========== ============== ==============

Haario et al. 1999: Comput. Stat. 14, 375-395 (bent normal densities as a test). Haddix et al. 2011:
doi:10.2136/sssaj2010.0118 (three pools; rates and shares here only have their order of magnitude).

Each function returns a `Posterior` with data of one draw from its prior, gradient included. The
models take any leading axes, so `calibration.twins` can make as many such posteriors as wanted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.calibration import twins
from landcarbon.assimilation.observations import GaussianLikelihood, ProfileObservations
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Function, Posterior, WithPullback
from landcarbon.matrix.errors import as_rng
from landcarbon.models import clm5
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = ["banana", "gaussian", "incubation", "soil_column"]

Array = NDArray[np.float64]

H = np.array([[1.0, 0.5, 0.0], [0.3, -1.0, 0.0]])  # nothing is said about the third parameter
BEND = 3.0
CARBON = 20_000.0
DAYS = np.array([1.0, 3, 7, 14, 28, 56, 112, 200, 300, 450, 600])


def gaussian(sd: float = 0.6, seed: int = 1) -> Posterior:
    """A normal posterior in real coordinates: two data, three parameters.

    Examples
    --------
    >>> from landcarbon.assimilation import sample
    >>> sample(gaussian(), "importance", rng=1).mean().shape
    (3,)
    """
    prior = Prior(
        ParameterTable(
            [
                Parameter("a", "1", 0.0, 1.0, 0.3),
                Parameter("b", "yr", 1.0, 9.0, 5.0),
                Parameter("c", "1", -1.0, 1.0, 0.0),
            ]
        ),
        "logit-normal",
    )

    def model_vjp(theta: Array) -> tuple[Array, Function]:
        z = prior.to_real(theta)
        return z @ H.T, lambda g: (g @ H) / prior.slope(z)

    return _with_data(prior, model_vjp, sd * np.ones(2), seed)


def banana(sd: float = 0.2, seed: int = 1) -> Posterior:
    """A thin parabola in a square: one datum, two parameters.

    Examples
    --------
    >>> posterior = banana()
    >>> posterior.names, posterior.observations.data.shape
    (('x', 'y'), (1,))
    """
    prior = Prior(
        ParameterTable([Parameter("x", "1", -1.0, 1.0, 0.0), Parameter("y", "1", -2.0, 2.0, 0.0)])
    )

    def model_vjp(theta: Array) -> tuple[Array, Function]:
        x, y = theta[..., :1], theta[..., 1:]

        def pull(g: Array) -> Array:
            return np.concatenate([2.0 * BEND * x * g, g], axis=-1)

        return y + BEND * (x**2 - 1.0 / 3.0), pull

    return _with_data(prior, model_vjp, np.array([sd]), seed)


def incubation(relative: float = 0.3, seed: int = 1) -> Posterior:
    """Soil in a jar, 600 days: eleven CO2 fluxes [ugC g-1 d-1] of three pools, five parameters.

    Parameters
    ----------
    relative : float
        Error, as a share of the fluxes that the default parameters make.
    seed : int

    Examples
    --------
    >>> posterior = incubation()
    >>> posterior.predict(posterior.prior.table.default).round(0)[:4]
    array([151., 133., 105.,  73.])
    """
    prior = Prior(
        ParameterTable(
            [
                Parameter("k_fast", "d-1", 0.02, 0.3, 0.08, "", "rate, fast", "log-uniform"),
                Parameter("k_slow", "d-1", 0.001, 0.01, 0.004, "", "rate, slow", "log-uniform"),
                Parameter("k_passive", "d-1", 1e-5, 5e-4, 1e-4, "", "rate, passive", "log-uniform"),
                Parameter("share_fast", "1", 0.0, 0.15, 0.08, "", "share of carbon, fast"),
                Parameter("share_slow", "1", 0.1, 0.8, 0.4, "", "share of carbon, slow"),
            ]
        )
    )

    def model_vjp(theta: Array) -> tuple[Array, Function]:
        k = theta[..., :3, None]
        share = np.stack(
            [theta[..., 3], theta[..., 4], 1.0 - theta[..., 3] - theta[..., 4]], axis=-1
        )[..., None]
        left = np.exp(-k * DAYS)

        def pull(g: Array) -> Array:
            g = g[..., None, :]
            by_rate = (g * CARBON * share * left * (1.0 - k * DAYS)).sum(-1)
            by_share = (g * CARBON * k * left).sum(-1)
            by_share = by_share[..., :2] - by_share[..., 2:]
            return np.concatenate([by_rate, by_share], axis=-1)

        return (CARBON * share * k * left).sum(-2), pull

    error = relative * model_vjp(prior.table.default)[0]
    return _with_data(prior, model_vjp, error, seed)


def soil_column(
    error: float = 0.3,
    depth: ArrayLike = (0.05, 0.15, 0.3, 0.6, 1.0, 1.5),
    seed: int = 7,
) -> Posterior:
    """One synthetic soil profile and the 21 parameters of CLM5, at a temperate site.

    Parameters
    ----------
    error : float
        Standard deviation of ln carbon.
    depth : array_like (obs,)
        [m]
    seed : int
        Of the true parameters, a draw from the prior, and of the errors.

    Examples
    --------
    >>> posterior = soil_column()
    >>> len(posterior.names), posterior.observations.data.shape
    (21, (6,))
    """
    month, z = np.arange(12), clm5.LAYERS.node[:, None]
    damped = np.exp(-z / 2.0)
    forcing = clm5.Forcing(
        soil_temperature=283.15 + 10 * damped * np.sin(2 * np.pi * (month - 3) / 12 - z / 2.0),
        water_scalar=0.6 + 0.25 * np.cos(2 * np.pi * month / 12) * damped,
        litter_input=np.array([60.0, 120.0, 180.0, 60.0]),
    )
    prior, rng = Prior(clm5.PARAMETERS), as_rng(seed, "seed")
    blank = ProfileObservations(depth, np.ones(np.shape(depth)), error, clm5.LAYERS.node)
    truth = clm5.soil_carbon(clm5.steady_state(prior.sample(rng=rng), forcing))
    return Posterior(
        prior,
        lambda theta: clm5.soil_carbon(clm5.steady_state(theta, forcing)),
        blank.with_values(blank.simulate(truth, rng)),
        model_vjp=lambda theta: clm5.observed(theta, forcing),
    )


def _with_data(prior: Prior, model_vjp: WithPullback, sd: Array, seed: int) -> Posterior:
    blank = Posterior(prior, observations=GaussianLikelihood(0 * sd, sd), model_vjp=model_vjp)
    return twins(blank, 1, seed)[1].at(0)
