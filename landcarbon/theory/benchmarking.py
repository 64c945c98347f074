"""How well a model agrees with a reference, as scores from 0 to 1.

    bias            s = exp(−|mean m − mean r| / σ_r)                       at each place
    error           s = exp(−rms[(m − mean m) − (r − mean r)] / σ_r)        at each place
    pattern         s = 2 (1 + ρ) / (q + 1/q)²,    q = sd(mean m) / sd(mean r) over the places
    overall         s = (bias + 2 error + pattern) / 4

====== ============================================== ================ ====== ===========
symbol meaning                                        shape            unit   code name
====== ============================================== ================ ====== ===========
m, r   model and reference                            (..., site, time) any   model, ref
σ_r    standard deviation in time of the reference    (site,)          same   --
ρ      correlation of the time means over the places  ()               1      --
w      weight of a place, such as its area            (site,)          1      weights
====== ============================================== ================ ====== ===========

The scores, and the double weight of the error, are those of the International Land Model
Benchmarking package (Collier et al. 2018, doi 10.1029/2018MS001354) for data that have a mean and
variations; its phase and interannual scores are not here. A score is a convention, not a probability:
it ranks models on what was observed, and a model can score well for the wrong reasons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.labels import labelled

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["benchmark"]

Array = NDArray[np.float64]


def benchmark(model: ArrayLike, ref: ArrayLike, weights: ArrayLike | None = None) -> xr.Dataset:
    """Bias, error, pattern and overall score of one or many models.

    Parameters
    ----------
    model : array_like (..., site, time)
        Leading axes are models.
    ref : array_like (site, time)
        Reference. NaN marks what was not observed; the model is compared where it is not NaN.
    weights : array_like (site,), optional
        Weight of each place, not negative; all alike if not given.

    Returns
    -------
    xarray.Dataset
        `bias`, `error`, `pattern` and `overall`, each (...), from 0 to 1.

    Raises
    ------
    InputError
        Shapes that do not fit, fewer than three places, a place with fewer than two observations or
        without variation.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ref = rng.normal(size=(20, 12)) + np.arange(20)[:, None]
    >>> scores = benchmark([ref, ref + 1], ref)
    >>> scores.overall.values.round(2), scores.pattern.values.round(2)
    (array([1.  , 0.84]), array([1., 1.]))
    """
    import xarray as xr

    r = np.asarray(ref, dtype=float)
    if r.ndim != 2 or r.shape[0] < 3:
        raise InputError(f"ref has shape {r.shape}; give (site, time) with at least three places.")
    m = as_array("model", model, shape=r.shape, hint="The last axes are those of ref, (site, time).")
    seen = np.isfinite(r)
    if np.isinf(r).any() or np.any(seen.sum(axis=1) < 2):
        raise InputError("Each place of ref needs at least two observations, and none may be infinite.")
    w = np.ones(len(r)) if weights is None else as_array("weights", weights, shape=(len(r),), lower=0.0)
    if w.ndim != 1 or not w.any():
        raise InputError("weights must hold one number for each place, and not all can be 0.")
    w = w / w.sum()

    def mean(a: Array) -> Array:
        return np.where(seen, a, 0.0).sum(axis=-1) / seen.sum(axis=-1)

    r = np.where(seen, r, 0.0)
    r_mean, m_mean = mean(r), mean(m)
    r_left, m_left = r - r_mean[..., None], m - m_mean[..., None]
    sd = np.sqrt(mean(r_left**2))
    if np.any(sd == 0):
        raise InputError(
            f"ref does not vary at place {int(np.argmin(sd))}; errors are measured against that variation."
        )
    bias = np.exp(-np.abs(m_mean - r_mean) / sd) @ w
    error = np.exp(-np.sqrt(mean((m_left - r_left) ** 2)) / sd) @ w
    pattern = _pattern(m_mean, r_mean, w)
    dims = tuple(f"axis_{i}" for i in range(m.ndim - 2))
    scores = {"bias": bias, "error": error, "pattern": pattern, "overall": (bias + 2 * error + pattern) / 4}
    data = xr.Dataset({name: (dims, value, {"units": "1"}) for name, value in scores.items()})
    return labelled(data, "scores of a model against a reference")


def _pattern(m: Array, r: Array, w: Array) -> Array:
    m, r = m - (m @ w)[..., None], r - r @ w
    sd_m, sd_r = np.sqrt(m**2 @ w), np.sqrt(r**2 @ w)
    if sd_r == 0:
        raise InputError("The time means of ref are the same at all places; there is no pattern to score.")
    flat = sd_m <= 1e-12 * np.abs(sd_r)  # no pattern at all: the score's limit is 0
    q = np.where(flat, 1.0, sd_m / sd_r)
    correlation = (m * r) @ w / np.where(flat, 1.0, sd_m * sd_r)
    return np.where(flat, 0.0, 2 * (1 + correlation) / (q + 1 / q) ** 2)
