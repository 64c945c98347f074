"""What a labelled result says about itself, and the file it is kept in.

======================= ============================================= =================================
attribute               meaning                                       where
======================= ============================================= =================================
units, long_name        unit and meaning                              every variable
title                   what the dataset holds                        dataset
source                  the program and its version                   dataset
seed                    where its random numbers began, if anywhere   dataset
Conventions             how a file is to be read                      file
======================= ============================================= =================================

In memory carbon is counted in gC, which the udunits of the CF conventions do not know. A file therefore
says g, and what was said in memory beside it; :func:`read` turns it back. CF conventions:
https://cfconventions.org.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

import landcarbon
from landcarbon.matrix.errors import InputError, as_kind, as_path, as_whole
from landcarbon.store import put, read_netcdf, to_netcdf

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["labelled", "read", "write"]

CONVENTIONS = "CF-1.11"
OF_EACH = "of each parameter"


def labelled(
    data: xr.Dataset,
    title: str,
    *,
    seed: object = None,
    units: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """The same data with title, source, seed, and a unit and a meaning for every variable.

    Parameters
    ----------
    data : Dataset
    title : str
        What it holds, in a few words.
    seed : optional
        Noted when it is a whole number; a Generator has none to note.
    units, names : mapping of str to str, optional
        By variable or coordinate; what the variables say themselves stands. "" is a unit that only
        the user knows: none is written.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        A variable of numbers without a unit.

    Examples
    --------
    >>> import xarray as xr
    >>> data = xr.Dataset({"X": ("pool", [1.0, 2.0])}, {"pool": ["litter", "soil"]})
    >>> about = labelled(data, "carbon", seed=3, units={"X": "gC m-2"}, names={"X": "carbon"})
    >>> about.attrs["title"], about.attrs["seed"], about["X"].attrs
    ('carbon', 3, {'units': 'gC m-2', 'long_name': 'carbon'})
    """
    units = as_kind("units", units or {}, Mapping)
    names = as_kind("names", names or {}, Mapping)
    as_kind("data", data, "data_vars", hint="Give an xarray.Dataset.")
    data = data.copy()
    for name in map(str, data.variables):
        own = dict(data[name].attrs)
        for what, given in (("units", units), ("long_name", names)):
            if given is not None and given.get(name):
                own.setdefault(what, given[name])
        number = data[name].dtype.kind in "iufc"
        if number and "units" not in own and name not in (units or {}):
            raise InputError(f"{name!r} holds numbers without a unit; give units={{{name!r}: ...}}.")
        data[name].attrs = own
    data.attrs |= {"title": title, "source": f"landcarbon {landcarbon.__version__}"}
    if isinstance(seed, (int, float, np.number)) and not isinstance(seed, bool):
        data.attrs["seed"] = as_whole("seed", seed)
    return data


def write(data: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write a labelled dataset as netCDF, under the CF conventions; whole or not at all.

    Parameters
    ----------
    data : Dataset
    path : path
        In a folder that exists.

    Raises
    ------
    InputError
        A place that cannot be written to.
    """
    out = data.assign_attrs(Conventions=CONVENTIONS)
    for name in map(str, out.variables):
        unit = out[name].attrs.get("units")
        if isinstance(unit, str) and _udunits(unit) != unit:
            out[name].attrs = {**out[name].attrs, "units": _udunits(unit), "landcarbon_units": unit}
    put(to_netcdf({"": out}), as_path("path", path))


def read(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read what :func:`write` wrote, into memory.

    Raises
    ------
    InputError
        No such file, or one that is no netCDF.

    Examples
    --------
    >>> import tempfile, xarray as xr
    >>> data = xr.Dataset({"X": ("pool", [1.0, 2.0], {"units": "gC m-2"})})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(data, f"{folder}/x.nc")
    ...     read(f"{folder}/x.nc")["X"].attrs
    {'units': 'gC m-2'}
    """
    try:
        data = read_netcdf(path, decode_timedelta=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}); give a netCDF file of this package."
        ) from None
    for name in data.variables:
        attrs = data[name].attrs
        if "landcarbon_units" in attrs:
            attrs["units"] = attrs.pop("landcarbon_units")
    data.attrs.pop("Conventions", None)
    return data


def _udunits(unit: str) -> str:
    """The unit in words that udunits knows."""
    if unit == "per mil":
        return "1e-3"
    if unit == OF_EACH:
        return "1"
    power = re.fullmatch(r"\((.+)\)2", unit)
    if power:
        return f"({_udunits(power[1])})2"
    return re.sub(r"\b(k?g)(CO2|C|N|P)\b", r"\1", unit)
