"""Carbon per volume of soil, and the bulk density that it needs.

::

    C_v = C_m · ρ · (1 − v)                         carbon density of a layer
    ln ρ = a + b √C_m + e,   e ~ Normal(0, s²)      bulk density where it was not measured

====== ===================================== ======== ====== =================
symbol meaning                               shape    unit   code name
====== ===================================== ======== ====== =================
C_v    organic carbon per volume of soil     (layer,) gC m-3 carbon_density
C_m    organic carbon per mass of fine earth (layer,) g kg-1 organic_carbon
ρ      bulk density of the fine earth        (layer,) kg m-3 bulk_density
v      coarse fragments, share of the volume (layer,) 1      coarse_fragments
a, b   fitted on the layers that have both   ()              BulkDensityFit
s      residual standard deviation of ln ρ   ()       1      BulkDensityFit.sd
====== ===================================== ======== ====== =================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_gappy, as_kind

__all__ = ["AFSP_FIT", "BulkDensityFit", "carbon_density", "fit_bulk_density"]

LOWEST_DENSITY, HIGHEST_DENSITY = 20.0, 2650.0  # kg m-3: loose peat, and quartz without pores


def carbon_density(
    organic_carbon: ArrayLike, bulk_density: ArrayLike, coarse_fragments: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Organic carbon per volume of soil.

    Parameters
    ----------
    organic_carbon : array_like
        Organic carbon of the fine earth, g kg-1.
    bulk_density : array_like
        Bulk density of the fine earth, kg m-3.
    coarse_fragments : array_like
        Share of the volume taken by coarse fragments, 0 to 1.

    Returns
    -------
    ndarray
        gC m-3.

    Raises
    ------
    InputError
        NaN, carbon outside 0 to 1000 g kg-1, density not positive, fragments outside 0 to 1.

    Examples
    --------
    >>> float(carbon_density(10.0, 1300.0, 0.2))
    10400.0
    """
    c = as_array("organic_carbon", organic_carbon, lower=0.0, upper=1000.0, hint="The unit is g kg-1.")
    rho = as_array("bulk_density", bulk_density, lower=0.0, strict=True, hint="The unit is kg m-3.")
    v = as_array("coarse_fragments", coarse_fragments, lower=0.0, upper=1.0, hint="It is a fraction.")
    return c * rho * (1.0 - v)


@dataclass(frozen=True)
class BulkDensityFit:
    """ln(bulk density in kg m-3) = intercept + slope · √(organic carbon in g kg-1).

    Attributes
    ----------
    intercept, slope : float
        Coefficients, by least squares.
    sd : float
        Standard deviation of the residuals of ln bulk density.
    r2 : float
        Explained share of the variance of ln bulk density.
    n : int
        Layers the fit rests on.
    source : str
        Which layers.
    """

    intercept: float
    slope: float
    sd: float
    r2: float
    n: int
    source: str

    def predict(self, organic_carbon: ArrayLike) -> NDArray[np.float64]:
        """Median bulk density, kg m-3, of soil with this organic carbon, g kg-1."""
        c = as_array("organic_carbon", organic_carbon, lower=0.0, upper=1000.0)
        return np.exp(self.intercept + self.slope * np.sqrt(c))

    def __str__(self) -> str:
        return (
            f"ln bulk density = {self.intercept:.3f} {self.slope:+.4f} sqrt(organic carbon): "
            f"n = {self.n}, R2 = {self.r2:.2f}, residual sd = {self.sd:.2f} ({self.source})"
        )


# Coefficients of `fit_bulk_density(load("afsp"))`, for files with too few measured densities.
AFSP_FIT = BulkDensityFit(7.4040, -0.07030, 0.1727, 0.288, 7280, "Africa Soil Profiles")
FEWEST_FOR_FIT = 50


def fit_bulk_density(layers: pd.DataFrame, source: str = "") -> BulkDensityFit:
    """Fit bulk density to organic carbon on the layers that have both.

    Parameters
    ----------
    layers : pandas.DataFrame
        Columns `organic_carbon` [g kg-1] and `bulk_density` [kg m-3].
    source : str
        What the layers are.

    Returns
    -------
    BulkDensityFit

    Raises
    ------
    InputError
        Fewer than 50 such layers.
    """
    as_kind("layers", layers, "columns", hint="Give a table of layers.")
    for name in ("organic_carbon", "bulk_density"):
        if name not in layers:
            raise InputError(f"the table of layers has no column {name!r}; organic_carbon and bulk_density are needed.")
    c, rho = (as_gappy(name, layers[name]) for name in ("organic_carbon", "bulk_density"))
    with np.errstate(invalid="ignore"):
        use = (c >= 0) & (c <= 1000) & (rho >= LOWEST_DENSITY) & (rho <= HIGHEST_DENSITY)
    n = int(use.sum())
    if n < FEWEST_FOR_FIT:
        raise InputError(
            f"only {n} layers have both organic carbon and bulk density; a fit needs at least "
            f"{FEWEST_FOR_FIT}. Use AFSP_FIT, which was fitted on 7,280 African layers."
        )
    x, y = np.sqrt(c[use]), np.log(rho[use])
    slope = float(np.cov(x, y, bias=True)[0, 1] / x.var())
    intercept = float(y.mean() - slope * x.mean())
    rest = y - intercept - slope * x
    sd = float(np.sqrt((rest**2).sum() / (n - 2)))
    return BulkDensityFit(intercept, slope, sd, float(1 - rest.var() / y.var()), n, source)
