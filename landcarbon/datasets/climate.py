"""Climate and environment at places: the nearest cell of a grid, what lies in it, and how far it is.

::

    j, i = argmin d(place, cell)   over the cells that have a value of everything that is asked for

====== ========================================= ======== ====== ===========================
symbol meaning                                   shape    unit   code name
====== ========================================= ======== ====== ===========================
d      great-circle distance to a cell's centre  (place,) km     report.distance_km
–      forcing and covariates of the sites       (site,)         SiteForcing
====== ========================================= ======== ====== ===========================

`landcarbon.models.site_climate` makes forcing of the climate that is found. Units that a grid carries
are heard: temperature in K, precipitation in kg m-2 s-1 or mm a day, sunshine in per cent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from landcarbon.geo import as_places, nearest
from landcarbon.matrix.errors import (
    InputError,
    as_array,
    as_kind,
    as_number,
    convert,
    is_mark,
    unit_of,
)
from landcarbon.models.site_climate import forcing_from_climate

if TYPE_CHECKING:
    import xarray as xr

    from landcarbon.models.clm5 import Forcing

__all__ = ["NoCell", "SiteForcing", "covariates_at", "forcing_at"]

Array = NDArray[np.float64]

NEEDED = ("temperature", "precipitation", "sunshine", "water_capacity")
FILL = 1e15  # netCDF marks gaps by 1e20 or 9.97e36
FILL_CAPACITY = np.array([57.0, 122.5])  # mm above and below 0.3 m, the commonest soil of the file


@dataclass(frozen=True, eq=False)
class SiteForcing:
    """Forcing and covariates of the sites that have a climate.

    Attributes
    ----------
    forcing : landcarbon.models.clm5.Forcing
        Of the used sites, in order.
    covariates : pandas.DataFrame
        One row a used site; units in ``attrs["units"]``.
    used : ndarray of bool, (site,)
        Which of the sites asked for have a climate.
    report : pandas.DataFrame
        One row a site asked for: coordinates, cell, distance [km], `used`, `reason`.
    """

    forcing: Forcing
    covariates: pd.DataFrame
    used: NDArray[np.bool_]
    report: pd.DataFrame


class NoCell(InputError):
    """Not one of the places has a cell."""


def forcing_at(
    latitude: ArrayLike,
    longitude: ArrayLike,
    climate: xr.Dataset | None = None,
    *,
    max_distance: float = 60.0,
) -> SiteForcing:
    """Forcing and covariates at many places, each from the nearest land cell of a climate grid.

    Parameters
    ----------
    latitude, longitude : array_like, (site,)
        Degrees.
    climate : xarray.Dataset, optional
        As `landcarbon.datasets.load("biome4")` gives it, which is what is used unless given: variables
        `temperature`, `precipitation`, `sunshine` (month, latitude, longitude), `water_capacity`
        (soil_layer, latitude, longitude), and `wetland` if there is one.
    max_distance : float
        Farthest cell centre that is taken, km. The corner of a 0.5° cell is at most 39 km from its centre;
        60 km also reaches the neighbour, for places on a coast.

    Returns
    -------
    SiteForcing
        Sites without a cell are in its report, not in its forcing. A wetland cell has no capacity in the
        file: it takes 57 and 122.5 mm and is marked.

    Raises
    ------
    InputError
        Coordinates out of range, not one site with a cell, or a climate with other axes.
    """
    import xarray as xr

    lat, lon = as_places(latitude, longitude)
    if climate is None:
        from landcarbon.datasets.readers import load

        climate = load("biome4")
    grid = _climate(climate)
    values = {name: grid[name].values.astype(float) for name in NEEDED}
    room = values["water_capacity"]
    wetland = np.zeros(room.shape[1:], dtype=bool)
    if "wetland" in grid:
        wetland = np.nan_to_num(grid["wetland"].values.astype(float)) != 0
    valid = wetland | (_known(room).all(axis=0) & (room[0] > 0))
    for name in NEEDED[:3]:
        valid &= _known(values[name]).all(axis=0)
    if not valid.any():
        raise InputError(f"no cell of the climate has a value of all of {', '.join(NEEDED)}.")
    j, i, km = _nearest_cell(lat, lon, grid, valid)
    used = km <= max_distance
    report = pd.DataFrame(
        {
            "latitude": lat,
            "longitude": lon,
            "cell_latitude": grid["latitude"].values[j],
            "cell_longitude": grid["longitude"].values[i],
            "distance_km": km,
            "used": used,
            "reason": np.where(used, "", f"no land cell with climate and soil within {max_distance:g} km"),
        }
    )
    if not used.any():
        raise NoCell(
            f"none of the {len(lat)} sites has a land cell with climate and soil within {max_distance:g} km; "
            "are latitude and longitude swapped?"
        )
    j, i = j[used], i[used]
    at = (slice(None), xr.DataArray(j), xr.DataArray(i))
    warmth, rain, sun = (grid[name].copy(data=values[name])[at].T for name in NEEDED[:3])
    wet = wetland[j, i]
    depth = convert("water_capacity", room[:, j, i], unit_of(grid["water_capacity"]) or "mm", "mm")
    capacity = np.where(wet, FILL_CAPACITY[:, None], depth)
    above, below = as_array("water_capacity", capacity, lower=0.0, hint="The unit is mm.")
    forcing, covariates = forcing_from_climate(warmth, rain, sun, lat[used], lon[used], above + below)
    covariates["capacity_below_30cm"] = below
    covariates.attrs["units"]["capacity_below_30cm"] = "mm"
    covariates["wetland"] = wet.astype(float)
    covariates.attrs["units"]["wetland"] = "1"
    covariates.attrs["synthetic"] = bool(climate.attrs.get("synthetic", False))
    return SiteForcing(forcing, covariates, used, report)


def _climate(climate: xr.Dataset) -> xr.Dataset:
    """A climate over month, soil layer, latitude and longitude, or a sentence why it is none."""
    climate = _on_grid(climate, "the climate")
    lacking = [name for name in NEEDED if name not in climate]
    if lacking:
        raise InputError(f"the climate has no variable {lacking[0]!r}; it needs {', '.join(NEEDED)}.")
    kept = [*NEEDED, "wetland"] if "wetland" in climate else list(NEEDED)
    plane = {"latitude", "longitude"}
    for name in kept:
        axes = plane | {"water_capacity": {"soil_layer"}, "wetland": set()}.get(name, {"month"})
        if set(climate[name].dims) != axes or climate[name].dtype.kind not in "biuf":
            raise InputError(
                f"{name} of the climate must hold numbers over {', '.join(sorted(axes))}, but is of kind "
                f"{climate[name].dtype} over {', '.join(map(str, climate[name].dims)) or 'nothing'}."
            )
    sizes = {"month": 12, "soil_layer": 2}
    for axis, size in sizes.items():
        if climate.sizes[axis] != size:
            raise InputError(f"{axis} of the climate has {climate.sizes[axis]} values, but {size} are needed.")
    month = climate["month"].values
    if month.dtype.kind in "iufM" and (np.diff(month.astype(float)) <= 0).any():
        raise InputError("the months of the climate must run from January to December; sort them.")
    if month.dtype.kind == "M" and month[0].astype("datetime64[M]").astype(int) % 12 != 0:
        raise InputError(f"the months of the climate begin with {str(month[0])[:7]}; they must begin with January.")
    return climate[kept].transpose(*sizes, "latitude", "longitude", missing_dims="ignore")


def _known(values: Array) -> NDArray[np.bool_]:
    return np.isfinite(values) & ~is_mark(values)


def covariates_at(
    latitude: ArrayLike,
    longitude: ArrayLike,
    grid: xr.Dataset,
    *,
    max_distance: float = 60.0,
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """More of the environment: every map of a dataset, at the nearest cell that has all of them.

    Parameters
    ----------
    latitude, longitude : array_like, (site,)
        Degrees.
    grid : xarray.Dataset
        With coordinates `latitude` and `longitude` (`lat` and `lon` will do); numeric variables over
        both are taken, others are left alone.
    max_distance : float
        Farthest cell centre that is taken, km.

    Returns
    -------
    covariates : pandas.DataFrame
        One row a site, NaN where it has no cell; units in ``attrs["units"]``.
    used : ndarray of bool, (site,)
        Which sites have a cell.

    Raises
    ------
    InputError
        No coordinates, no map, coordinates out of range, values that seem to mark gaps.

    Examples
    --------
    >>> import xarray as xr
    >>> grid = xr.Dataset(
    ...     {"clay": (("lat", "lon"), [[20.0, np.nan]])}, coords={"lat": [10.0], "lon": [5.0, 5.5]}
    ... )
    >>> table, used = covariates_at([10.1, 50.0], [5.3, 5.0], grid)
    >>> float(table["clay"][0]), used.tolist()
    (20.0, [True, False])
    """
    as_kind("grid", grid, "data_vars", hint="Give an xarray.Dataset with latitude and longitude.")
    max_distance = as_number("max_distance", max_distance, lower=0.0, strict=True)
    lat, lon = as_places(latitude, longitude)
    grid = _on_grid(grid, "the environment")
    maps = {
        str(name): values.transpose("latitude", "longitude")
        for name, values in grid.data_vars.items()
        if set(values.dims) == {"latitude", "longitude"} and values.dtype.kind in "biuf"
    }
    if not maps:
        raise InputError("the environment holds no numeric variable over latitude and longitude.")
    stack = np.stack([values.values.astype(float) for values in maps.values()])
    for name, values in zip(maps, stack):
        own = [maps[name].attrs[key] for key in ("_FillValue", "missing_value") if key in maps[name].attrs]
        values[is_mark(values) | np.isin(values, np.asarray(own, dtype=float))] = np.nan
        if (values == -999.0).any() and np.nanmin(values) == -999.0:
            raise InputError(f"{name} of the environment holds -999, which seems to mark gaps; put NaN there.")
        if (np.abs(values[np.isfinite(values)]) > FILL).any():
            raise InputError(
                f"{name} of the environment holds values above {FILL:g}, which seem to mark gaps; put NaN there."
            )
    valid = np.isfinite(stack).all(axis=0)
    if not valid.any():
        raise InputError(f"no cell of the environment has a value of all of {', '.join(maps)}.")
    j, i, km = _nearest_cell(lat, lon, grid, valid)
    used = km <= max_distance
    table = pd.DataFrame(np.where(used, stack[:, j, i], np.nan).T, columns=list(maps))
    table.attrs = {"units": {name: str(v.attrs.get("units", "")) for name, v in maps.items()}}
    return table, used


def _on_grid(grid: xr.Dataset, what: str) -> xr.Dataset:
    """The dataset over `latitude` and `longitude`, or a sentence why it is no map."""
    packed = [name for name, values in grid.data_vars.items() if {"scale_factor", "add_offset"} & set(values.attrs)]
    if packed:
        raise InputError(
            f"{packed[0]} of {what} is packed (it has a scale_factor or add_offset that was not applied); open the "
            "file with xarray.open_dataset, which unpacks it, or call xarray.decode_cf."
        )
    for short, name, most in (("lat", "latitude", 90.0), ("lon", "longitude", 360.0)):
        found = next((n for n in (name, short) if n in grid.variables), None)
        if found is None:
            raise InputError(
                f"{what} has no coordinate {name!r}; it needs latitude and longitude in degrees."
            )
        if grid[found].ndim == 1 and grid[found].dims != (found,):
            grid = grid.set_coords(found).swap_dims({grid[found].dims[0]: found})
        grid = grid if found == name else grid.rename({found: name})
        values = grid[name]
        if values.dims == (name,) and values.dtype.kind in "iuf":
            if np.isfinite(values.values).all() and (np.abs(values.values) <= most).all():
                continue
        raise InputError(
            f"{name} of {what} must be one axis of finite numbers in degrees, at most {most:g}; "
            "projected grids must be brought to latitude and longitude first."
        )
    return grid


def _nearest_cell(
    lat: Array, lon: Array, grid: xr.Dataset, valid: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Nearest valid cell of a grid: row, column, distance in km."""
    j, i = np.nonzero(valid)
    k, km = nearest(lat, lon, grid["latitude"].values[j], grid["longitude"].values[i])
    return j[k], i[k], km
