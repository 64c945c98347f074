"""Coastlines and borders as points, and which places lie inside them.

A place is inside when a line from it to the north pole crosses the outline an odd number of times.
The pieces of the outline need not be in order, and nothing special happens at the date line.

========= ============================== ====== ======= ==================
symbol    meaning                        shape  unit    code name
========= ============================== ====== ======= ==================
–         outline, NaN between pieces    (n, 2) degrees outline(name)
φ, λ      places                         (m,)   degrees latitude, longitude
========= ============================== ====== ======= ==================

Sources: Natural Earth at 1:110 million (world), US Census Bureau (states); both public domain.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.geo import as_places
from landcarbon.matrix.errors import InputError

__all__ = ["OUTLINES", "inside", "outline"]

OUTLINES = ("coast_110m", "conus_outline", "conus_states")
"""World coast, the contiguous United States, the borders between its states."""


@cache
def outline(name: str = "coast_110m") -> NDArray[np.float64]:
    """Latitude and longitude (n, 2) of an outline, degrees; NaN between pieces.

    Parameters
    ----------
    name : {"coast_110m", "conus_outline", "conus_states"}

    Raises
    ------
    InputError
        Another name.
    """
    if name not in OUTLINES:
        raise InputError(f"There is no outline {name!r}; choose one of {', '.join(OUTLINES)}.")
    with (files("landcarbon.datasets") / "maps" / f"{name}.npz").open("rb") as stream:
        points: NDArray[np.float64] = np.load(stream)["lonlat"][:, ::-1].astype(float)
    points.flags.writeable = False
    return points


def inside(
    latitude: ArrayLike, longitude: ArrayLike, name: str = "coast_110m"
) -> NDArray[np.bool_]:
    """Whether places lie on land, or in the contiguous United States.

    Parameters
    ----------
    latitude, longitude : array_like, (place,)
        Degrees.
    name : {"coast_110m", "conus_outline"}
        Lakes count as land.

    Returns
    -------
    ndarray of bool, (place,)

    Raises
    ------
    InputError
        Coordinates out of range, or an outline that encloses nothing.

    Examples
    --------
    Kansas, the Sahara, the middle of the Atlantic.

    >>> inside([38.5, 23.0, 30.0], [-98.0, 10.0, -40.0])
    array([ True,  True, False])
    """
    if name == "conus_states":
        raise InputError("'conus_states' are borders between states; take 'conus_outline'.")
    lat, lon = as_places(latitude, longitude)
    start, end = outline(name)[:-1], outline(name)[1:]
    real = np.isfinite(start).all(axis=1) & np.isfinite(end).all(axis=1)
    (y1, x1), (y2, x2) = start[real].T, end[real].T
    out = np.zeros(lat.shape, dtype=bool)
    for first in range(0, lat.size, 500):  # places × pieces, in memory-sized portions
        part = slice(first, first + 500)
        x, y = lon[part, None], lat[part, None]
        # Half open, so that a line through a corner counts once.
        spans = (np.minimum(x1, x2) <= x) & (x < np.maximum(x1, x2))
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = y1 + (x - x1) * (y2 - y1) / (x2 - x1)
        out[part] = (spans & (crossing > y)).sum(axis=1) % 2 == 1
    return out
