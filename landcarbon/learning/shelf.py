"""What stays on disk until it is used: forcing until a model asks for it, a task until a process works on it.

::

    forcing of n sites  →  folder/*.npy  →  Rows: forcing[rows].read()

A soil column has 500 numbers of forcing, its measurements some ten: of many sites the forcing would fill
the memory, and every message to a process of a cluster. `Rows` holds which sites are meant; it is cut like
any forcing, goes to another process as a path and row numbers, and is read piece by piece where it is used
(:func:`landcarbon.models.process.whole`). A whole task can be filed alike: a process is sent its path. The
folder must be one that all processes see.
"""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.matrix.errors import InputError, as_array, as_kind, as_path, as_whole
from landcarbon.matrix.frozen import altered
from landcarbon.models.process import expand, leading
from landcarbon.store import NOT_SEEN, OnDisk, Shortage, put

__all__ = ["Filed", "Rows", "filed", "read", "shelved"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Some sites of a forcing on disk.

    Attributes
    ----------
    source : array or forcing object
        Its large arrays lie in files.
    rows : ndarray of int, (site,)
    """

    source: Any
    rows: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, ...]:
        """Leading axes: the sites."""
        return self.rows.shape

    def __getitem__(self, index: Any) -> Rows:
        """Some of them; nothing is read."""
        try:
            return Rows(self.source, self.rows[index])
        except (IndexError, TypeError) as error:
            raise InputError(f"index {index!r:.60} selects none of {len(self.rows)} sites: {error}.") from None

    def read(self) -> Any:
        """The forcing itself, in memory."""
        found = self.source[self.rows]
        return np.asarray(found) if isinstance(found, np.ndarray) else copy.copy(found)

    def expand(self) -> Any:
        """The same with a new axis after the sites, for several members of each."""
        return expand(self.read())


def shelved(forcing: Any, folder: str | os.PathLike[str], n: int | None = None) -> Rows:
    """Put a forcing on disk.

    Parameters
    ----------
    forcing : ndarray or dataclass of arrays, leading axis (site,), or iterator over such
        See `landcarbon.models.process`. An iterator gives the sites part by part.
    folder : path
        Files are named by their content; those of another forcing stay.
    n : int, optional
        Most sites that an iterator can give.

    Returns
    -------
    Rows
        Of all sites.

    Raises
    ------
    InputError
        A forcing without sites, more than n sites; a full disk (:class:`landcarbon.store.Shortage`).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     rows = shelved(np.arange(6.0).reshape(3, 2), name)
    ...     rows[[2, 0]].read()
    array([[4., 5.],
           [0., 1.]])
    """
    folder = as_path("folder", folder)
    parts: Iterator[Any] = forcing if isinstance(forcing, Iterator) else iter([forcing])
    first = next(parts, None)
    if first is None:
        raise InputError("there is no part of a forcing to put on disk.")
    lead = leading(first)
    if len(lead) != 1:
        raise InputError(f"The forcing has leading axes {lead}: give one axis of sites.")
    n = lead[0] if n is None else as_whole("n", n, 1)
    sizes: list[int] = []

    def arrays() -> Iterator[dict[str, NDArray[Any]]]:
        for part in chain([first], parts):
            sizes.extend(leading(part))
            yield _arrays(part)

    found = OnDisk.write(folder, arrays(), n)
    source = found["forcing"] if isinstance(first, np.ndarray) else altered(first, **found)
    return Rows(source, np.arange(sum(sizes)))


def _arrays(forcing: Any) -> dict[str, NDArray[Any]]:
    """Those with an axis of sites: cut to other sites, they have another shape."""
    if isinstance(forcing, np.ndarray):
        return {"forcing": as_array("forcing", forcing)}
    as_kind("forcing", forcing, "__dataclass_fields__", hint="Give an array or a clm5.Forcing.")
    (n,) = leading(forcing)
    cut = vars(forcing[np.zeros(2 if n == 1 else 1, dtype=int)])
    arrays = {name: array for name, array in vars(forcing).items() if isinstance(array, np.ndarray) and array.ndim}
    return {name: a for name, a in arrays.items() if cut[name].ndim == a.ndim and cut[name].shape != a.shape}


@dataclass(frozen=True)
class Filed:
    """Something in a file."""

    path: Path


def filed(thing: Any, folder: str | os.PathLike[str] | None, name: str) -> Any:
    """Put a thing into a file of a folder, as Python keeps it; with no folder it stays as it is.

    Returns
    -------
    Filed or the thing

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     there = filed({"k": 0.02}, folder, "rates")
    ...     there.path.name, read(there)
    ('rates.pickle', {'k': 0.02})
    >>> read(filed({"k": 0.02}, None, "rates"))
    {'k': 0.02}
    """
    if folder is None:
        return thing
    from joblib import wrap_non_picklable_objects

    path = as_path("folder", folder).absolute() / f"{name}.pickle"
    path.parent.mkdir(parents=True, exist_ok=True)
    put(pickle.dumps(wrap_non_picklable_objects(thing, keep_wrapper=False)), path)  # it may hold modules
    return Filed(path)


def read(thing: Any) -> Any:
    """What :func:`filed` has put into a file; anything else as it is."""
    if not isinstance(thing, Filed):
        return thing
    try:
        return pickle.loads(thing.path.read_bytes())
    except FileNotFoundError:
        raise Shortage(NOT_SEEN.format(thing.path)) from None
