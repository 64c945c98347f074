"""What a run has found, in numbers of a few and in words.

::

    groups of proda.nc → by_depth, most_explained → verdict, a list of sentences

A gap whose interval holds zero is said to be untold, a score that rests on fewer than `FEW_BLOCKS` blocks
carries a warning, and a relation that carbon alone makes is no finding (chapter 22 of the book).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.geo import block_ids
from landcarbon.learning.evaluation import Evaluation
from landcarbon.learning.skill import ceiling
from landcarbon.matrix.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["BANDS", "CELL", "FEW_BLOCKS", "NAMES", "by_depth", "most_explained", "verdict"]

Groups = Mapping[str, "xr.Dataset"]

BANDS = (0.0, 0.1, 0.3, 0.6, 1.0, 2.0, 10.0)  # m
CELL = 0.5  # degrees: of the climate
FEW_BLOCKS = 10
TOLD = 0.5  # share of a prior variance that data must remove, as `hybrid.Directions.identified`

NAMES = {
    "default": "CLM5 as published",
    "random_sampling": "random sampling",
    "one_batch": "one batch",
    "ridge": "PRODA, linear map",
    "proda": "PRODA",
    "hybrid": "end to end",
    "forest": "random forest, no process",
    "pure_network": "network, no process",
    "own_profile": "own profile (not held out)",
    "truth": "true parameters (not held out)",
}


def by_depth(evaluation: xr.Dataset) -> xr.DataArray:
    """Mean of predicted minus measured ln carbon, by method and depth.

    Parameters
    ----------
    evaluation : xarray.Dataset
        The group of a run, with its predictions.

    Returns
    -------
    xarray.DataArray, (approach, band)
        NaN where nothing was measured.
    """
    import xarray as xr

    off = evaluation["predicted"].values - evaluation["observed"].values
    band = _band(evaluation)
    found = np.full((off.shape[0], len(BANDS) - 1), np.nan)
    for k in np.unique(band[band >= 0]):
        found[:, k] = off[:, band == k].mean(axis=1)
    words = [f"{top:g} to {bottom:g} m" for top, bottom in pairwise(BANDS)]
    coords = {"approach": evaluation["approach"].values, "band": words}
    return xr.DataArray(found, coords, ("approach", "band"), attrs={"units": "1"})


def most_explained(evaluation: xr.Dataset, sites: xr.Dataset) -> float | None:
    """The R² that a map on cells of `CELL` degrees can reach at most: see :func:`landcarbon.learning.ceiling`.

    Profiles of one cell that differ at one depth cannot both be met. None where no two lie in one cell.
    """
    band = _band(evaluation)
    cell = block_ids(sites["latitude"].values, sites["longitude"].values, CELL)
    group = np.broadcast_to(cell[:, None], band.shape) * len(BANDS) + band
    seen = band >= 0
    try:
        return ceiling(evaluation["observed"].values[seen], group[seen])
    except InputError:
        return None


def _band(evaluation: xr.Dataset) -> NDArray[np.int64]:
    """In which of `BANDS` each value lies; −1 where nothing was measured."""
    depth = np.where(np.isfinite(evaluation["observed"].values), evaluation["depth"].values, -1.0)
    return np.searchsorted(BANDS, depth, side="right") - 1


def verdict(result: Groups) -> list[str]:
    """Who won and by how much, which number to quote, what cannot be told, and how to cite.

    Parameters
    ----------
    result : mapping of str to xarray.Dataset
        The groups of a run; a stage that was left out is passed over.
    """
    synthetic = bool(result["sites"].attrs["synthetic"])
    said = ["All of this is synthetic: nothing was measured."] if synthetic else []
    evaluation = result["evaluation"]
    if "skipped" not in evaluation.attrs:
        said += _skill(evaluation, json.loads(result["sites"].attrs["plan"]))
    if "skipped" not in result["efficiency"].attrs:
        said.append(_efficiency(result["efficiency"]))
    said.append(
        "Cite the collections your profiles come from, the method (Tao et al. 2020, doi:10.3389/fdata.2020.00017; end "
        "to end: Xu et al. 2025, arXiv:2502.00672) and landcarbon with its version (CITATION.cff)."
    )
    return said


def _skill(evaluation: xr.Dataset, plan: Mapping[str, Any]) -> list[str]:
    table = Evaluation.from_dataset(evaluation).table
    held = table[table["held_out"]]
    best = held["r2"].idxmax()
    row = held.loc[best]
    words = NAMES.get(str(best), str(best))
    said = [f"Best on places left out: {words}, R² {row.r2:.2f} ({row.lower:.2f} to {row.upper:.2f}) of ln carbon."]
    pairs = zip(
        *(evaluation[name].values for name in ("method", "rival", "gap", "gap_lower", "gap_upper"))
    )
    for method, rival, gap, low, high in pairs:
        if (method, rival) in (("proda", "one_batch"), ("proda", "forest"), ("hybrid", "forest")):
            told = "" if low > 0 or high < 0 else ": these data cannot tell the two apart"
            said.append(
                f"{NAMES[method]} minus {NAMES[rival]}: {gap:+.3f} ({low:+.3f} to {high:+.3f}){told}."
            )
    blocks = int(evaluation.attrs["blocks"])
    cover = "" if np.isnan(row.coverage) else f" (its 90 % intervals hold {row.coverage:.0%})"
    said.append(
        f"The number to quote is R² {row.r2:.2f} on {blocks} left-out blocks of {plan['block']:g}°{cover}. "
        f"It is the best of {len(held)} on these very blocks, so a little too high; that of a profile's own fit is no "
        "skill."
    )
    if blocks < FEW_BLOCKS:
        said.append(
            f"{blocks} blocks are too few: an interval resampled from them is narrower than it claims. More places "
            f"help. Smaller blocks (--block {plan['block'] / 4:g}) are more, and make a neighbour the test."
        )
    return said


def _efficiency(found: xr.Dataset) -> str:
    r = found["r"].to_series()
    told = float(found.attrs["told"])
    maps = ", ".join(f"{round(r[name], 2) + 0.0:+.2f} {name}" for name in r.index)
    end = (
        "That is too little for any of these to be evidence, high or low."
        if told < TOLD
        else "The profiles themselves tell efficiency here."
    )
    return (
        f"Carbon use efficiency against ln stock: correlation {maps}. A profile removes {told:.0%} of what the prior "
        f"leaves open of efficiency. {end}"
    )
