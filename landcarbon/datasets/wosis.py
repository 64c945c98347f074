"""The WoSIS snapshot of December 2023: fetched once, kept as the columns that are read.

::

    address → stream to disk, as many bytes as the server announced → three tables of the archive,
    a chunk at a time, their needed columns only → tables of this machine; the archive is deleted

=================  ============================================  =============  ======  =============
symbol             meaning                                       shape          unit    code name
=================  ============================================  =============  ======  =============
--                 organic carbon by layer, with place, depth    (layer, 8)     g kg-1  orgc
--                 bulk density of the fine earth, oven dry      (layer, 3)     kg dm-3 bdfiod
--                 coarse fragments, volume                      (layer, 3)     %       cfvo
=================  ============================================  =============  ======  =============

The archive is large (446 MB in December 2023), and its hash is not among what this package has checked: the
checksums within the archive tell a damaged download, nothing tells another archive of the same layout. Address,
size and the hash of what came are written beside the tables, so that two machines can be compared.

Source: Batjes, Calisto & de Sousa 2024, doi:10.5194/essd-16-4735-2024 (CC BY 4.0).
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.request import urlopen

from landcarbon.datasets import registry

ARCHIVE = "WoSIS_2023_December.zip"
ADDRESS = f"https://files.isric.org/public/wosis_snapshot/{ARCHIVE}"
FOLDER = "wosis_2023"
KEY = ("profile_id", "layer_id")
COLUMNS = {
    "orgc": (*KEY, "latitude", "longitude", "upper_depth", "lower_depth", "litter", "value_avg"),
    "bdfiod": (*KEY, "value_avg"),
    "cfvo": (*KEY, "value_avg"),
}
ROWS = 100_000  # read at once
PIECE = 1 << 20  # bytes
LARGEST = 4e9  # bytes of an archive that is worth asking for


def tables() -> Path:
    """The folder with the three tables, fetched if need be.

    Raises
    ------
    DataUnavailable
        The tables are not here and cannot be fetched, or what came is not the archive.
    """
    folder = registry.cache_folder() / FOLDER
    if (folder / "source.txt").is_file():
        return folder
    own = registry.data_folder()
    if own is not None and (own / ARCHIVE).is_file():
        _unpack(own / ARCHIVE, folder, f"{own / ARCHIVE}")
        return folder
    if registry.offline():
        raise _unavailable("LANDCARBON_OFFLINE is set, or this page runs in a browser")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as room:
        archive = Path(room) / ARCHIVE
        try:
            _download(archive)
            _unpack(archive, folder, ADDRESS)
        except OSError as error:  # what urllib raises, and a full disk
            raise _unavailable(f"{type(error).__name__}: {error}") from None
    return folder


def _unavailable(reason: str) -> registry.DataUnavailable:
    return registry.DataUnavailable(
        f"the WoSIS snapshot of 2023 is not on this machine and was not fetched ({reason}). It would come from "
        f"{ADDRESS} (446 MB; licence: CC BY 4.0). To go on: put that file into a folder and set the environment "
        "variable LANDCARBON_DATA_DIR to it, or take a collection that is small, 'isis'."
    )


def _download(archive: Path) -> None:
    with urlopen(ADDRESS, timeout=registry.SILENT_SECONDS) as answer, open(archive, "wb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        if not 0 < size <= LARGEST:
            raise OSError(f"the server announces a file of {size} bytes")
        print(
            f"WoSIS 2023: {size / 1e6:.1f} MB come from {ADDRESS}; the tables that are kept are about a tenth of it. "
            "Ctrl+C stops it, and nothing is left.", file=sys.stderr, flush=True,
        )  # fmt: skip
        came = 0
        while piece := answer.read(PIECE):
            came += len(piece)
            if came > size:
                raise OSError("the server sends more bytes than it announced")
            file.write(piece)
        if came < size:
            raise OSError(f"the connection broke off after {came} of {size} bytes")


def _unpack(archive: Path, folder: Path, origin: str) -> None:
    """Three tables of the archive, with the columns that are read; all of them, or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as room:
        own = Path(room) / "tables"
        own.mkdir()
        _unpack_into(own, archive, origin)
        if not (folder / "source.txt").exists():  # another process may have been faster
            folder.mkdir(exist_ok=True)
            for file in sorted(own.iterdir(), key=lambda file: file.name == "source.txt"):
                os.replace(file, folder / file.name)


def _unpack_into(folder: Path, archive: Path, origin: str) -> None:
    try:
        with zipfile.ZipFile(archive) as content:
            members = {PurePosixPath(name).name: name for name in content.namelist()}
            for code in COLUMNS:
                file = f"wosis_202312_{code}.tsv"
                if file not in members:
                    raise _unavailable(f"{archive.name} holds no {file}")
                with content.open(members[file]) as stream:
                    _keep(stream, folder / file, COLUMNS[code])
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError, ValueError) as error:
        raise _unavailable(f"{archive.name} is no archive of that snapshot: {error}") from None
    with open(archive, "rb") as whole:
        mark = hashlib.file_digest(whole, "sha256").hexdigest()
    text = f"{origin}\n{archive.stat().st_size} bytes\nsha256 {mark}, not compared with any\n"
    (folder / "source.txt").write_text(text, encoding="utf-8")  # last: whoever finds it finds all


def _keep(stream: IO[bytes], file: Path, columns: tuple[str, ...]) -> None:
    import pandas as pd

    chunks = pd.read_csv(
        stream, sep="\t", usecols=lambda name: name in columns, dtype=str, keep_default_na=False, chunksize=ROWS
    )
    for k, chunk in enumerate(chunks):
        lacking = [name for name in columns if name not in chunk and name != "litter"]
        if lacking:
            raise ValueError(f"{file.name} has no column {lacking[0]!r}")
        chunk.to_csv(file, sep="\t", index=False, mode="a" if k else "w", header=not k, lineterminator="\n")
