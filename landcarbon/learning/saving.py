"""Keep what was learnt: networks, hybrids, batches, sites, predictors and evaluations as one file.

::

    file = one line of text: landcarbon, versions, checksum of the rest  +  the object, pickled

============  =====================================  =========
symbol        meaning                                code name
============  =====================================  =========
checksum      SHA-256 of the pickle                  --
versions      of landcarbon and scikit-learn         --
============  =====================================  =========

Numbers with names and units are stored for others by `to_dataset`; this is for going on tomorrow.
A pickle can run any code when it is read: read only files that you, or people you trust, have
written. scikit-learn promises nothing about its objects in another version of itself, so a file
written under another one is read with a warning.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from landcarbon.matrix.errors import InputError, as_path
from landcarbon.store import put

__all__ = ["load", "save"]

_MAGIC = "landcarbon-learning"


def save(result: Any, path: str | os.PathLike[str]) -> None:
    """Write what was learnt to a file, whole or not at all.

    Parameters
    ----------
    result : Network, Hybrid, OneBatch, Sites, Evaluation, a predictor, or a dict or list of these
    path : path
        Overwritten if it is there.

    Raises
    ------
    InputError
        Something that holds a function made on the spot, a folder that is not there, a full disk.

    Examples
    --------
    >>> import tempfile
    >>> from landcarbon.learning import MLP
    >>> net = MLP.start((2, 3, 1), rng=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(net, folder + "/net.pkl")
    ...     again = load(folder + "/net.pkl")
    >>> bool((again.vector() == net.vector()).all())
    True
    """
    try:
        content = pickle.dumps(result)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            f"{type(result).__name__} cannot be saved: {error}. Functions that it holds must be defined in "
            "a file, not on the spot."
        ) from None
    head = [_MAGIC, *_versions(), hashlib.sha256(content).hexdigest()]
    put(" ".join(head).encode() + b"\n" + content, as_path("path", path))


def load(path: str | os.PathLike[str]) -> Any:
    """Read what :func:`save` has written.

    Parameters
    ----------
    path : path
        Of a file that you, or people you trust, have written.

    Raises
    ------
    InputError
        No such file, another kind of file, or one that was damaged.
    """
    path = as_path("path", path)
    try:
        head, _, content = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    words = head[:200].decode("ascii", errors="replace").split(" ")
    if words[0] != _MAGIC or len(words) != 4:
        raise InputError(f"{path.name} was not written by landcarbon.learning.save; give one that was.")
    if hashlib.sha256(content).hexdigest() != words[3]:
        raise InputError(f"{path.name} was damaged after it was written; make it again.")
    now = _versions()
    if words[1:3] != now:
        warnings.warn(
            f"{path.name} was written with landcarbon {words[1]} and scikit-learn {words[2]}, and is read "
            f"with {now[0]} and {now[1]}: train again if anything looks odd.",
            stacklevel=2,
        )
    return pickle.loads(content)


def _versions() -> list[str]:
    found = []
    for name in ("landcarbon", "scikit-learn"):
        try:
            found.append(version(name))
        except PackageNotFoundError:
            found.append("unknown")
    return found
