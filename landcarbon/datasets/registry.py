"""Real data by name: where a file is, and proof that it is the right one.

::

    available()          what there is
    path(name)           the file on this machine, checked by its sha256
    is_available(name)   whether `path` can be expected to succeed

A file is looked up in the folder named by the environment variable ``LANDCARBON_DATA_DIR``, then
in the cache of the operating system, and is downloaded to that cache from a pinned address if it
is in neither. The hash is checked every time, wherever the file comes from.
With ``LANDCARBON_OFFLINE=1`` nothing is ever downloaded.

====== ======================================== ===== ==== ============
symbol meaning                                  shape unit code name
====== ======================================== ===== ==== ============
–      name, file, size, hash, address, licence (19,) –    registry.csv
====== ======================================== ===== ==== ============
"""

from __future__ import annotations

import csv
import hashlib
import os
import socket
import sys
import threading
import time
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from landcarbon.matrix.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DataChanged", "DataUnavailable", "available", "is_available", "path"]

PROBE_SECONDS = 2.0  # longest wait of `is_available` for a sign of the network
PROBE_VALID = 300.0  # seconds for which that answer is kept
SILENT_SECONDS = 60  # longest silence of a server
DOWNLOAD_SECONDS = 120.0  # longest download of a small file; a large one has more time,
SLOWEST = 30_000.0  # at this many bytes a second
IN_BROWSER = sys.platform == "emscripten"  # no threads, no sockets


class DataUnavailable(RuntimeError):
    """A data file is not on this machine and cannot be fetched; the message says how to go on."""


class DataChanged(InputError):
    """A data file is here, but its bytes are not the registered ones."""


@dataclass(frozen=True)
class Entry:
    """One row of the registry."""

    name: str
    file: str
    bytes: int
    sha256: str
    url: str
    licence: str
    citation: str
    description: str


@cache
def entries() -> dict[str, Entry]:
    """All entries by name."""
    text = files("landcarbon.datasets").joinpath("registry.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["name"]: Entry(**{**row, "bytes": int(row["bytes"])}) for row in rows}  # type: ignore[arg-type]


def entry(name: str) -> Entry:
    """The entry called `name`; an unknown name is answered with the nearest known ones."""
    known = entries()
    if isinstance(name, str) and name in known:
        return known[name]
    near = get_close_matches(str(name).lower(), known, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known)}."
    raise InputError(f"there is no data set {name!r}. {hint} datasets.available() lists all.")


def available() -> pd.DataFrame:
    """The data sets that can be loaded by name.

    Returns
    -------
    pandas.DataFrame
        Index `name`; columns `description`, `kB`, `here` (already on this machine), `licence`,
        `citation`.

    Examples
    --------
    >>> from landcarbon import datasets
    >>> datasets.available().loc["eco2", "description"]
    'CO2 release of a boreal forest soil in a 35-day incubation'
    """
    import pandas as pd

    rows = [
        {
            "name": e.name,
            "description": e.description,
            "kB": max(1, round(e.bytes / 1000)),
            "here": local_file(e) is not None,
            "licence": e.licence,
            "citation": e.citation,
        }
        for e in entries().values()
    ]
    return pd.DataFrame(rows).set_index("name")


def path(name: str) -> Path:
    """The checked file of a data set, fetched if need be.

    Parameters
    ----------
    name : str
        A name from `available`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        An unknown name.
    DataChanged
        The file is here, but its bytes are not the registered ones.
    DataUnavailable
        The file is not here and cannot be fetched.
    """
    e = entry(name)
    found = local_file(e)
    if found is not None:
        _verify(found, e)
        return found
    return _download(e)


def is_available(name: str) -> bool:
    """Whether a data set is on this machine, or the server that holds it can be reached.

    Quick and quiet without a network (at most about two seconds, once). A file that is here but
    damaged counts as available: `path` then says what is wrong with it.

    Parameters
    ----------
    name : str
        A name from `available`.

    Returns
    -------
    bool
    """
    e = entry(name)
    return local_file(e) is not None or _reachable(e.url)


def data_folder() -> Path | None:
    """The folder that the environment names, if any."""
    folder = os.environ.get("LANDCARBON_DATA_DIR", "").strip()
    return Path(folder).expanduser() if folder else None


def cache_folder() -> Path:
    """Where what was fetched is kept."""
    import pooch

    return Path(pooch.os_cache("landcarbon"))


def local_file(e: Entry) -> Path | None:
    """The file of an entry on this machine, unchecked; None where it is not here."""
    for folder in (data_folder(), cache_folder()):
        if folder is not None and (folder / e.file).is_file():
            return folder / e.file
    return None


def _verify(file: Path, e: Entry) -> None:
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != e.sha256:
        raise DataChanged(
            f"the file {e.file} in {file.parent} is not the registered one: its sha256 is {found}, "
            f"expected {e.sha256} ({e.bytes} bytes; this one has {file.stat().st_size}). Delete it "
            f"or replace it by the file at {e.url}; it will not be read as it is."
        )


def offline() -> bool:
    """Whether nothing may be fetched."""
    asked = os.environ.get("LANDCARBON_OFFLINE", "").strip().lower()
    return IN_BROWSER or asked not in ("", "0", "false", "no")


_probed: dict[tuple[str, int], tuple[float, bool]] = {}


def _reachable(url: str) -> bool:
    if offline():
        return False
    target = urlsplit(getproxies().get("https") or url)
    host, port = target.hostname, target.port or 443
    if host is None:
        return False
    when, answer = _probed.get((host, port), (-PROBE_VALID, False))
    if time.monotonic() - when < PROBE_VALID:
        return answer
    reached = threading.Event()

    def knock() -> None:
        try:
            socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
            reached.set()
        except OSError:
            pass

    # A thread, because looking up a host name obeys no timeout.
    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    _probed[host, port] = (time.monotonic(), reached.is_set())
    return reached.is_set()


class _Limited:
    """A file that takes no more bytes than are registered."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self.file, self.left = file, most

    def write(self, piece: bytes) -> None:
        self.left -= len(piece)
        if self.left < 0:
            raise OSError("the server sends more bytes than the file has")
        self.file.write(piece)

    def flush(self) -> None:
        self.file.flush()


def _fetch(e: Entry) -> Path:
    import pooch

    def into(url: str, file: str, manager: Any) -> None:
        with open(file, "wb") as stream:
            pooch.HTTPDownloader(timeout=SILENT_SECONDS)(url, _Limited(stream, e.bytes), manager)

    level = pooch.get_logger().level
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(
            pooch.retrieve(
                url=e.url, known_hash=f"sha256:{e.sha256}", fname=e.file, path=cache_folder(), downloader=into
            )
        )
    finally:
        pooch.get_logger().setLevel(level)


def _download(e: Entry) -> Path:
    reason = (
        "a page in a browser fetches no data: this needs a desktop"
        if IN_BROWSER
        else "LANDCARBON_OFFLINE is set"
    )
    if not offline():
        reason = "the server cannot be reached"
        if _reachable(e.url):
            seconds = DOWNLOAD_SECONDS + e.bytes / SLOWEST
            found: list[Path] = []
            failed: list[Exception] = []

            def work() -> None:
                try:
                    found.append(_fetch(e))
                except Exception as error:  # network, server, disk or hash: all end in one sentence
                    failed.append(error)

            # A thread, because a server that sends a byte now and then keeps every other limit.
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(seconds)
            if found:
                return found[0]
            reason = f"it took longer than {seconds:.0f} s"
            if failed:
                reason = f"{type(failed[0]).__name__}: {failed[0]}"
    raise DataUnavailable(
        f"the data set {e.name!r} is not on this machine and was not fetched ({reason}). It would "
        f"come from {e.url} ({e.bytes / 1000:.0f} kB; licence: {e.licence}). To go on: put the file "
        f"{e.file} into a folder and set the environment variable LANDCARBON_DATA_DIR to that "
        "folder, or work with the embedded twin world, landcarbon.datasets.twin_world()."
    )
