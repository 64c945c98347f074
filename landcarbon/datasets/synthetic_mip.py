"""A synthetic model intercomparison: outputs whose components are known.

    K = K′ q10^((T − 25 °C)/10) W^p in litter and soil,  K = K′ in plants;   dX/dt = B NPP − A K X

Eight (or more) models of the same structure, plants → litter → soil, run over the same places with
the same climate. Each has its own input, baseline rates, transfers and sensitivities, and each has run
from the same year with rising input, so none is at steady state. What comes out is what real
intercomparisons archive: input, stocks, respiration. SYNTHETIC: no real model is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landcarbon.matrix.errors import Rng, as_rng, as_whole
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.simulate import integrate

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["synthetic_mip"]

POOLS = ("plants", "litter", "soil")
REFERENCE = 25.0  # °C


def synthetic_mip(n_models: int = 8, n_sites: int = 60, n_years: int = 50, *, rng: Rng = 0) -> xr.Dataset:
    """Outputs of a synthetic ensemble, and the components that were planted.

    Parameters
    ----------
    n_models, n_sites, n_years : int
        At least 3 models, 10 sites, 2 years.
    rng : Generator or int

    Returns
    -------
    xarray.Dataset
        Outputs: `npp` (model, site, year) [gC m-2 yr-1], `stocks` (model, site, time, pool) at the ends
        of the years [gC m-2], `respiration` (model, site, year, pool) [gC m-2 yr-1], `temperature`
        (site) [°C], `water` (site) [1]. Planted: `true_K`, `true_q10`, `true_power` (model, pool),
        `true_transfer` (model, pool).

    Examples
    --------
    >>> mip = synthetic_mip(n_models=4, n_sites=12, n_years=5, rng=1)
    >>> mip.stocks.shape, mip.attrs["synthetic"]
    ((4, 12, 6, 3), True)
    """
    import xarray as xr

    n_models, n_sites = as_whole("n_models", n_models, 3), as_whole("n_sites", n_sites, 10)
    n_years = as_whole("n_years", n_years, 2)
    rng = as_rng(rng)
    n = len(POOLS)
    T = rng.uniform(-5.0, 27.0, n_sites)
    W = np.clip(0.25 + 0.75 * rng.beta(2, 2, n_sites), 0.1, 1.0)

    middle = np.array([8.0, 1.2, 25.0])  # yr, baseline at 25 °C and full water
    K = 1.0 / (middle * np.exp(rng.normal(0.0, 0.35, (n_models, n))))
    q10 = np.concatenate([np.ones((n_models, 1)), rng.uniform(1.4, 2.4, (n_models, n - 1))], axis=1)
    power = np.concatenate([np.zeros((n_models, 1)), rng.uniform(0.4, 1.2, (n_models, n - 1))], axis=1)
    kept = np.stack([np.ones(n_models), rng.uniform(0.25, 0.5, n_models), np.zeros(n_models)], axis=1)

    A = np.broadcast_to(np.eye(n), (n_models, n, n)).copy()
    A[:, 1, 0], A[:, 2, 1] = -kept[:, 0], -kept[:, 1]
    xi = q10[:, None] ** ((T[:, None] - REFERENCE) / 10) * W[:, None] ** power[:, None]
    model = MatrixModel(POOLS, A=A[:, None], K=K[:, None] * xi, B=np.array([1.0, 0.0, 0.0]))

    level = 600.0 * np.exp(rng.normal(0.0, 0.25, (n_models, 1)) + 0.03 * (T - 10)) * W**0.5
    rise = 1.0 + rng.uniform(0.1, 0.4, (n_models, 1, 1)) * np.linspace(0.0, 1.0, n_years)
    weather = np.exp(0.05 * rng.normal(size=(n_models, n_sites, n_years)))
    npp = level[..., None] * rise * weather
    run = integrate(
        np.arange(n_years + 1.0), model.steady_state(level), model.outflow_matrix()[None],
        model.input(np.moveaxis(npp, -1, 0)),
    )
    flux = model.respired_fraction * model.K * run.integral
    flux_unit, dims = "gC m-2 yr-1", ("model", "site")
    return xr.Dataset(
        {
            "npp": ((*dims, "year"), npp, {"units": flux_unit}),
            "stocks": ((*dims, "time", "pool"), np.moveaxis(run.X, 0, -2), {"units": "gC m-2"}),
            "respiration": ((*dims, "year", "pool"), np.moveaxis(flux, 0, -2), {"units": flux_unit}),
            "temperature": (("site",), T, {"units": "degC"}),
            "water": (("site",), W, {"units": "1"}),
            "true_K": (("model", "pool"), K, {"units": "yr-1"}),
            "true_q10": (("model", "pool"), q10, {"units": "1"}),
            "true_power": (("model", "pool"), power, {"units": "1"}),
            "true_transfer": (("model", "pool"), kept, {"units": "1"}),
        },
        coords={
            "model": [f"model {chr(65 + i)}" if i < 26 else f"model {i}" for i in range(n_models)],
            "pool": list(POOLS),
            "year": np.arange(n_years) + 0.5,
            "time": np.arange(n_years + 1.0),
        },
        attrs={"synthetic": True, "title": "Synthetic model intercomparison with planted components"},
    )
