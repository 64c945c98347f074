"""Places on the earth: distances, the nearest neighbour, blocks and boxes.

::

    x = (cos φ cos λ, cos φ sin λ, sin φ)                 a place as a unit vector
    d = 2 R arcsin(|x₁ − x₂| / 2)                         great-circle distance

======= ================================== ========== ====== ===============
symbol  meaning                            shape      unit   code name
======= ================================== ========== ====== ===============
φ, λ    latitude, longitude                (...,)     °      lat, lon
x       place on the unit sphere           (..., 3)   1      unit_vectors
d       great-circle distance              (...,)     km     great_circle_km
R       radius of the sphere               ()         km     EARTH_RADIUS
–       west, south, east, north           (4,)       °      box
======= ================================== ========== ====== ===============

Places are given as latitude, then longitude; boxes as (west, south, east, north). Longitudes may run
from −180 to 180 or from 0 to 360; what is returned runs from −180 to 180.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array

__all__ = [
    "EARTH_RADIUS",
    "as_box",
    "as_places",
    "block_ids",
    "cell_centres",
    "great_circle_km",
    "in_box",
    "nearest",
    "unit_vectors",
]

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]

EARTH_RADIUS = 6371.0  # km, the mean radius (Moritz 2000, J. Geodesy 74:128) without its metres


def as_places(latitude: ArrayLike, longitude: ArrayLike) -> tuple[Array, Array]:
    """Coordinates of places, checked; longitudes from 0 to 360 are brought to −180 to 180.

    Parameters
    ----------
    latitude, longitude : array_like, (place,) or ()
        Degrees north and east.

    Returns
    -------
    lat, lon : ndarray, (place,)

    Raises
    ------
    InputError
        Not numbers, out of range, or not one of each a place.

    Examples
    --------
    >>> as_places([45.0, 50.0], [350.0, 10.0])
    (array([45., 50.]), array([-10.,  10.]))
    """
    lat = np.atleast_1d(
        as_array("latitude", latitude, lower=-90.0, upper=90.0, hint="Are latitude and longitude swapped?")
    )
    lon = np.atleast_1d(
        as_array("longitude", longitude, lower=-180.0, upper=360.0, hint="Longitudes are degrees east.")
    )
    if lat.shape != lon.shape or lat.ndim != 1:
        raise InputError(
            f"latitude has shape {lat.shape}, longitude {lon.shape}; give one of each for every place."
        )
    return lat, np.where(lon > 180.0, lon - 360.0, lon)


def unit_vectors(lat: ArrayLike, lon: ArrayLike) -> Array:
    """Places as points (..., 3) on the unit sphere; degrees.

    Examples
    --------
    >>> unit_vectors(90.0, 0.0).round(12)
    array([0., 0., 1.])
    """
    a, b = np.deg2rad(as_array("lat", lat)), np.deg2rad(as_array("lon", lon))
    a, b = np.broadcast_arrays(a, b)
    return np.stack([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)], axis=-1)


def great_circle_km(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Array:
    """Great-circle distance between places, km (haversine).

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : array_like
        Degrees; broadcast against each other.

    Examples
    --------
    >>> float(great_circle_km(0.0, 0.0, 0.0, 1.0).round(2))
    111.19
    """
    a1, o1, a2, o2 = (np.radians(as_array("coordinate", v)) for v in (lat1, lon1, lat2, lon2))
    h = np.sin((a2 - a1) / 2) ** 2 + np.cos(a1) * np.cos(a2) * np.sin((o2 - o1) / 2) ** 2
    return 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(h, 1.0)))


def nearest(
    lat: ArrayLike, lon: ArrayLike, to_lat: ArrayLike, to_lon: ArrayLike
) -> tuple[NDArray[np.intp], Array]:
    """For each place the nearest of others, on the sphere.

    Parameters
    ----------
    lat, lon : array_like, (place,)
        Degrees.
    to_lat, to_lon : array_like, (other,)
        Where to look.

    Returns
    -------
    index : ndarray of int, (place,)
        Which of the others.
    km : ndarray, (place,)
        How far.

    Raises
    ------
    InputError
        Coordinates out of range, or none to look among.

    Examples
    --------
    Across the date line:

    >>> index, km = nearest([0.0], [179.9], [0.0, 0.0], [-179.9, 170.0])
    >>> index, km.round(1)
    (array([0]), array([22.2]))
    """
    from scipy.spatial import cKDTree

    others = unit_vectors(*as_places(to_lat, to_lon))
    if not len(others):
        raise InputError("there is no place to look among: to_lat and to_lon are empty.")
    tree = cKDTree(others)
    chord, index = tree.query(unit_vectors(*as_places(lat, lon)))
    return index, 2.0 * EARTH_RADIUS * np.arcsin(np.minimum(chord / 2.0, 1.0))


def block_ids(lat: ArrayLike, lon: ArrayLike, size: float = 2.0) -> NDArray[np.int64]:
    """Number of the degree block each place lies in.

    Parameters
    ----------
    lat, lon : array_like, (place,)
        Degrees.
    size : float
        Edge of a block in degrees.

    Returns
    -------
    ndarray of int, (place,)
        0 to number of blocks − 1.

    Raises
    ------
    InputError
        Coordinates out of range, or a size that is not above 0.

    Examples
    --------
    >>> block_ids([40.1, 41.9, 42.1], [-100.5, -100.1, -100.5], size=2.0)
    array([0, 0, 1])
    """
    lat, lon = as_places(lat, lon)
    if not lat.size:
        raise InputError("there is no place to number: lat and lon are empty.")
    size = float(
        as_array("size", size, shape=(), lower=0.0, strict=True, hint="It is the edge of a block in degrees.")
    )
    lon = (lon + 180.0) % 360.0 - 180.0
    cell = np.stack([np.floor(lat / size), np.floor(lon / size)], axis=-1)
    return np.unique(cell, axis=0, return_inverse=True)[1].ravel()


def as_box(box: ArrayLike, name: str = "box") -> Box:
    """A rectangle in degrees, (west, south, east, north), checked.

    Raises
    ------
    InputError
        Not four numbers, out of range, or edges in another order.

    Examples
    --------
    >>> as_box([-125, 24, -66, 50])
    (-125.0, 24.0, -66.0, 50.0)
    """
    edges = as_array(name, box, hint="It is (west, south, east, north) in degrees.")
    if edges.shape != (4,):
        raise InputError(
            f"{name} is (west, south, east, north) in degrees, four numbers, but its shape is {edges.shape}."
        )
    west, south, east, north = edges.tolist()
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InputError(
            f"{name} is (west, south, east, north) in degrees, from -180 to 180 and -90 to 90, but "
            f"({west:g}, {south:g}, {east:g}, {north:g}) was given. Across the date line, take two boxes."
        )
    return west, south, east, north


def in_box(lat: ArrayLike, lon: ArrayLike, box: ArrayLike) -> NDArray[np.bool_]:
    """Whether places lie in a box, its edges included.

    Examples
    --------
    >>> in_box([40.0, 40.0], [-100.0, 260.0], (-125, 24, -66, 50))
    array([ True,  True])
    """
    west, south, east, north = as_box(box)
    lat, lon = as_places(lat, lon)
    return (west <= lon) & (lon <= east) & (south <= lat) & (lat <= north)


def cell_centres(box: ArrayLike, step: float) -> tuple[Array, Array]:
    """Centres of the cells of a regular grid that lie in a box or touch its western or southern edge.

    Parameters
    ----------
    box : (west, south, east, north)
        Degrees.
    step : float
        Size of the cells, degrees; their edges are multiples of it.

    Returns
    -------
    lat, lon : ndarray, (cell,)
        Row by row from the south-west; only centres on the earth.

    Raises
    ------
    InputError
        A box or a step that cannot be.

    Examples
    --------
    >>> cell_centres((0, 0, 2, 1), 1.0)
    (array([0.5, 0.5]), array([0.5, 1.5]))
    """
    west, south, east, north = as_box(box)
    step = float(as_array("step", step, shape=(), lower=0.0, strict=True))
    lat = np.arange(np.floor(south / step) + 0.5, north / step) * step
    lon = np.arange(np.floor(west / step) + 0.5, east / step) * step
    y, x = (a.ravel() for a in np.meshgrid(lat, lon, indexing="ij"))
    on_earth = (np.abs(y) <= 90.0) & (np.abs(x) <= 180.0)
    return y[on_earth], x[on_earth]
