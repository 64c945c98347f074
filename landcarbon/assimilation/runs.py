"""The folder of a run that may be killed and continued.

::

    folder/run.json       what is being run: the card
    folder/…/00000100.nc  one finished piece, moved into place whole
    folder/….nc           all pieces as one labelled dataset, moved into place whole

====== ================================== ===== ========= ======
symbol meaning                            shape code name source
====== ================================== ===== ========= ======
card   what two calls must have in common --    card      --
piece  results of one step of the run     --    dataset   --
====== ================================== ===== ========= ======

A file is written beside its place and then moved, which the system does at once or not at all: a
killed run leaves no half file under the real name. What the pieces hold is for
:mod:`landcarbon.assimilation.sites` and :mod:`landcarbon.forecasting.cycle` to say.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcarbon.matrix.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["bar", "claim", "load", "piece", "save", "some_jobs"]


def bar(
    steps: Iterable[Any], total: int, desc: str, unit: str, progress: bool | None = None
) -> Iterable[Any]:
    """The steps of a run behind a progress bar.

    Parameters
    ----------
    steps : iterable
    total : int
        How many there are.
    desc, unit : str
        What is counted: "sites", "chunk".
    progress : bool, optional
        Show the bar; by default on a terminal only, so that stored notebooks stay the same.

    Examples
    --------
    >>> list(bar(range(3), 3, "issues", "issue", progress=False))
    [0, 1, 2]
    """
    show = sys.stderr.isatty() if progress is None else progress
    if not show:
        return steps
    from tqdm.auto import tqdm

    return tqdm(steps, total=total, desc=desc, unit=unit)


def claim(folder: Path, card: Mapping[str, Any], same: str) -> None:
    """Write down what this folder is for, or refuse to mix two runs.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    card : mapping of str to a number or text
        What every call on this folder must agree in.
    same : str
        The same in words, for the message ("sites, seed and chunk").

    Raises
    ------
    InputError
        The folder holds a run with another card, or cannot be made or read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     claim(Path(name), {"seed": 1}, "seed")
    ...     claim(Path(name), {"seed": 2}, "seed")
    Traceback (most recent call last):
        ...
    landcarbon.matrix.errors.InputError: ... seed = 1, not 2. Call with the same seed ...
    """
    path = folder / "run.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"results cannot be written to {folder}: {error.strerror or error}. Give another folder."
        ) from None
    if path.exists():
        try:
            there = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise InputError(
                f"{path} cannot be read, so nobody knows what the folder holds. Choose another folder."
            ) from None
        for key, value in card.items():
            if there.get(key) != value:
                raise InputError(
                    f"the folder {folder.name!r} holds a run with {key} = {there.get(key)}, not "
                    f"{value}. Call with the same {same} to continue it, or choose another folder."
                )
        return
    part = path.with_suffix(".part")
    part.write_text(json.dumps(dict(card), indent=1), encoding="utf-8")
    os.replace(part, path)


def piece(folder: Path, kind: str, position: int) -> Path:
    """Where the piece that starts at this position is kept."""
    return folder / kind / f"{position:08d}.nc"


def save(dataset: xr.Dataset, path: Path, encoding: Mapping[str, Any] | None = None) -> None:
    """Write beside and move into place."""
    part = path.with_suffix(".part")
    dataset.to_netcdf(part, engine="netcdf4", encoding=encoding)
    os.replace(part, path)


def load(path: Path) -> xr.Dataset:
    """Read a whole file into memory and close it."""
    import xarray as xr

    try:
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            return dataset.load()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}): it was damaged after it was written. Delete "
            "this file and call again; it will be computed anew."
        ) from None


def some_jobs(n_jobs: Any) -> None:
    """Refuse a number of processes that means nothing.

    Raises
    ------
    InputError
        0, or no whole number.
    """
    if n_jobs is not None and (not isinstance(n_jobs, (int, np.integer)) or n_jobs == 0):
        raise InputError(
            f"n_jobs is a number of processes, or -1 for all cores, but {n_jobs!r} was given."
        )
