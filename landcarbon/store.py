"""One way to keep work on disk: what was decided, made once, whole, by one process at a time.

::

    card    = everything that decides a result
    mark    = fingerprint(card)
    file    = dataset as netCDF  +  one last line: checksum, mark, order of the variables
    once    = read(file) if its mark is that of the card, else write(make())

=========== =========================================== ===== ============ ======
symbol      meaning                                     shape code name    source
=========== =========================================== ===== ============ ======
card        names and values that decide a result       --    card         --
mark        sixteen characters, the same for the same   --    fingerprint  --
            card
name        where in the folder a result lies, as       --    name         --
            "map" or "chunks/000100"
=========== =========================================== ===== ============ ======

The lines to type:

    with Store(folder) as store:                          # one process at a time
        store.claim({"seed": 1, "model": model})          # the folder is for this run only
        sites = store.once("sites", card, lambda: ...)    # read back, or made and kept

What holds:

- **One run a folder, or one result a card.** `claim` refuses a folder that holds another run and
  says in what it differs; `once` makes a result again whose card is another.
- **One process.** The system's own lock: it ends with its process, however that ends, so none is
  ever left behind by a dead one.
- **Whole files.** A file is written beside its place, handed to the disk, and moved. A killed run
  leaves no half file under a real name; a full disk ends in a sentence and leaves nothing.
- **The same bits.** A checksum over the whole file is compared on reading. A damaged file is named
  in a warning and made again. A result is always handed out as it was read from disk, so that the
  first call and the next give the same numbers and types.
- **Not remembered:** that memory or disk was short (:func:`short`), and a run that failed before
  it kept anything (its folder is free for another).

Dataclass fields declared ``field(compare=False)`` decide nothing (a time that was measured, a
number of processes, a memory of earlier calls) and stay out of the fingerprint.

Of our own this file imports the error alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import errno
import functools
import hashlib
import io
import json
import os
import socket
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcarbon.matrix.errors import InputError, as_kind, as_path

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "OnDisk",
    "Shortage",
    "Store",
    "fingerprint",
    "fresh_folder",
    "put",
    "read_netcdf",
    "short",
    "to_netcdf",
    "to_netcdf3",
]

IN_BROWSER = sys.platform == "emscripten"  # where netCDF 4 is not

NOT_SEEN = "{} is not seen from here; the folder of a run must lie on a disk that all processes share."

_LAST = b"\nlandcarbon "  # begins the last line of a file: checksum, mark, order of the variables
_SHORT = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "ENOMEM", "EMFILE", "ENFILE")
    if hasattr(errno, name)
}


class Shortage(InputError):
    """Memory or disk was short, or a process was lost: the same call can go well another time."""


# fingerprints


def fingerprint(*things: Any) -> str:
    """Sixteen characters that are the same whenever the same was given, on every machine.

    Parameters
    ----------
    *things : object
        Numbers, text, dates, mappings, sequences, arrays (masked and labelled ones too: a value
        under a mask does not count), tables, Datasets, dataclasses (fields with ``compare=False``
        do not count), functions (their code, defaults, and what they close over; not the globals
        they read), partial functions, classes, modules, Generators (the state they are in), any
        other object by its attributes.

    Returns
    -------
    str

    Raises
    ------
    InputError
        Something that holds nothing to go by, an open file say.

    Examples
    --------
    >>> fingerprint(1, "a") == fingerprint(1.0, "a"), fingerprint(1, "a") == fingerprint(1, "b")
    (True, False)
    >>> fingerprint({"b": 2, "a": np.ones(3)}) == fingerprint({"a": np.ones(3), "b": 2})
    True
    >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 2)
    False
    """
    mark = hashlib.sha256()
    seen: dict[int, int] = {}
    kept: list[Any] = []  # an object that is let go could lend its id to the next one
    for thing in things:
        _add(thing, mark.update, seen, kept)
    return mark.hexdigest()[:16]


def _add(thing: Any, say: Callable[[bytes], None], seen: dict[int, int], kept: list[Any]) -> None:
    """One thing into the mark, with all it holds."""

    def tell(kind: str, *parts: Any) -> None:
        say(f"<{kind} {len(parts)}>".encode())
        for part in parts:
            _add(part, say, seen, kept)
        say(b">")

    if (plain := _plain(thing)) is not None:
        say(plain)
        return
    if id(thing) in seen:  # met before, perhaps inside itself
        say(f"<again {seen[id(thing)]}>".encode())
        return
    if not _is_data(thing):
        seen[id(thing)] = len(seen)
        kept.append(thing)
    tell(*_parts(thing))


def _plain(thing: Any) -> bytes | None:
    """Numbers, words and bare arrays, as bytes."""
    if isinstance(thing, np.generic) and thing.dtype.kind in "biufcUS":
        thing = thing.item()
    if thing is None or isinstance(thing, (bool, type(Ellipsis))):
        return repr(thing).encode()
    if isinstance(thing, enum.Enum):
        return f"{type(thing).__qualname__}.{thing.name};".encode()
    if isinstance(thing, (int, float)):
        whole = isinstance(thing, int) or float(thing).is_integer()
        return f"{int(thing) if whole else float(thing)!r};".encode()
    if isinstance(thing, (str, complex)):
        return repr(thing).encode()
    if isinstance(thing, (bytes, bytearray)):
        return b"b%d:" % len(thing) + bytes(thing)
    if type(thing) in (np.ndarray, np.memmap) and thing.dtype.kind in "biufcmMUSV":
        plain = thing.dtype.newbyteorder("<") if thing.dtype.kind != "V" else thing.dtype
        numbers = np.ascontiguousarray(thing, plain)
        # A large array is told by its checksum, so that its bytes are not all copied.
        told = numbers.tobytes() if numbers.nbytes <= 1 << 20 else hashlib.sha256(numbers.data).digest()
        return f"{plain}{thing.shape}".encode() + told
    return None


def _is_data(thing: Any) -> bool:
    """Told by what it holds each time, even where the same object comes twice."""
    return isinstance(thing, (np.ndarray, np.generic, tuple, types.CodeType)) or _of(
        thing, "pandas", "xarray"
    )


def _of(thing: Any, *packages: str) -> bool:
    return type(thing).__module__.partition(".")[0] in packages


def _parts(thing: Any) -> tuple[Any, ...]:
    """What a thing is, and all that makes it what it is."""
    for read in (_data_parts, _collection_parts, _code_parts, _object_parts):
        if (parts := read(thing)) is not None:
            return parts
    raise InputError(
        f"{thing!r:.80} ({type(thing).__name__}) has nothing to tell it from another by, so a folder cannot "
        "know whether the run is the same. Hand over numbers, arrays, tables, dataclasses or functions."
    )


def _data_parts(thing: Any) -> tuple[Any, ...] | None:
    if isinstance(thing, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(thing)
        return "masked", np.where(mask, np.zeros((), thing.dtype), thing.data), mask
    if isinstance(thing, np.ndarray):
        bare = np.asarray(thing)
        return ("array", bare.shape, bare.ravel().tolist()) if bare.dtype.kind == "O" else ("array", bare)
    if isinstance(thing, np.generic):
        return "array", np.asarray(thing)
    if _of(thing, "xarray"):
        return _labelled(thing)
    if _of(thing, "pandas"):
        return _tabular(thing)
    return None


def _labelled(thing: Any) -> tuple[Any, ...] | None:
    if hasattr(thing, "data_vars"):
        return "dataset", {str(k): thing[k].variable for k in thing.variables}, dict(thing.attrs)
    if hasattr(thing, "dims") and hasattr(thing, "values"):
        coords = {str(k): v.variable for k, v in getattr(thing, "coords", {}).items()}
        return "labelled", thing.dims, thing.values, getattr(thing, "name", None), coords, dict(thing.attrs)
    return None


def _tabular(thing: Any) -> tuple[Any, ...]:
    import pandas as pd

    if isinstance(thing, pd.DataFrame):
        columns = [(name, _column(thing.iloc[:, k])) for k, name in enumerate(thing.columns)]
        return "table", columns, _column(thing.index)
    if isinstance(thing, pd.Series):
        return "series", thing.name, _column(thing), _column(thing.index)
    if isinstance(thing, pd.Index):
        return "index", list(thing.names), _column(thing)
    return type(thing).__name__, str(thing)


def _column(values: Any) -> Any:
    """A column or an index, without what pandas keeps beside it."""
    import pandas as pd

    array = values.to_numpy()
    if array.dtype.kind in "biufcmM":
        return array
    return [None if gap else v for v, gap in zip(array.tolist(), np.ravel(pd.isna(array)))]


def _collection_parts(thing: Any) -> tuple[Any, ...] | None:
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        decide = {f.name: getattr(thing, f.name, None) for f in dataclasses.fields(thing) if f.compare}
        return "dataclass", type(thing), decide
    if isinstance(thing, Mapping):
        pairs = sorted(((fingerprint(k), k, v) for k, v in thing.items()), key=lambda pair: pair[0])
        return "mapping", *((k, v) for _, k, v in pairs)
    if isinstance(thing, Set):
        return "set", *sorted(map(fingerprint, thing))
    if isinstance(thing, (list, tuple)):
        return "sequence", *thing
    if isinstance(thing, (range, slice, os.PathLike)) or _of(thing, "datetime", "decimal", "fractions"):
        return type(thing).__name__, str(thing)
    return None


def _code_parts(thing: Any) -> tuple[Any, ...] | None:
    if isinstance(thing, types.CodeType):
        # Not where it stands: a function that moves in its file stays the same.
        return "code", thing.co_code, thing.co_consts, thing.co_names, thing.co_varnames, thing.co_freevars
    if isinstance(thing, types.FunctionType):
        cells = [c.cell_contents for c in thing.__closure__ or () if _filled(c)]
        return "function", thing.__code__, thing.__defaults__, thing.__kwdefaults__, cells
    if isinstance(thing, types.MethodType):
        return "method", thing.__self__, thing.__func__
    if isinstance(thing, functools.partial):
        return "partial", thing.func, thing.args, dict(thing.keywords)
    if isinstance(thing, types.ModuleType):
        own = {
            name: value for name, value in vars(thing).items()
            if isinstance(value, types.FunctionType) and value.__module__ == thing.__name__
        }  # fmt: skip
        return "module", thing.__name__, {name: value.__code__ for name, value in own.items()}
    if isinstance(thing, type):
        return "class", thing.__qualname__, _methods(thing)
    if isinstance(thing, (types.BuiltinFunctionType, np.ufunc)) or hasattr(thing, "__wrapped__"):
        inner = getattr(thing, "__wrapped__", None)
        return "builtin", getattr(thing, "__module__", ""), getattr(thing, "__name__", ""), inner
    return None


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asking is the test
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=1000)
def _methods(cls: type) -> str:
    """What a class does; one that is not written in Python stands behind its name."""
    found = [
        value.__code__
        for base in cls.__mro__
        for _, value in sorted(vars(base).items(), key=lambda item: item[0])
        if isinstance(value, types.FunctionType)
    ]  # fmt: skip
    return fingerprint(found) if found else cls.__module__


def _object_parts(thing: Any) -> tuple[Any, ...] | None:
    if isinstance(thing, np.random.Generator):
        return "generator", type(thing.bit_generator).__name__, thing.bit_generator.state
    if isinstance(thing, np.random.RandomState):
        return "generator", thing.get_state(legacy=False)
    if isinstance(thing, np.random.SeedSequence):
        return "seed", thing.state
    try:
        reduced = thing.__reduce_ex__(4)  # as pickle and copy take things apart
    except (TypeError, AttributeError, NotImplementedError):
        return None
    if isinstance(reduced, str):
        return "object", type(thing), reduced
    make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    return "object", type(thing), make, arguments, state, list(items or ()), list(pairs or ())


# files


def short(error: BaseException | None) -> bool:
    """Whether memory, disk or files that may be open were short: worth another try, nobody's fault.

    Examples
    --------
    >>> short(MemoryError()), short(OSError(28, "No space left on device")), short(ValueError())
    (True, True, False)
    """
    if isinstance(error, OSError):
        return error.errno in _SHORT
    return isinstance(error, (MemoryError, Shortage))


def fresh_folder(path: str | os.PathLike[str]) -> Path:
    """The folder, made if it is not there, and seen to take a file.

    Raises
    ------
    InputError
        No name, or nothing can be written there.
    """
    path = as_kind("path", path, str, os.PathLike)
    if not os.fspath(path):
        raise InputError("out is empty; give the folder of this run.")
    folder = as_path("path", path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"results cannot be written to {folder}: {error.strerror or error}. Give another folder."
        ) from None
    return folder


def put(content: bytes | str, path: Path) -> None:
    """Write beside the place, hand it to the disk, move it there: whole or not at all.

    Raises
    ------
    InputError
        The disk is full (:class:`Shortage`), or does not take the file.
    """
    as_kind("path", path, Path)
    as_kind("content", content, bytes, str)
    if isinstance(content, str):
        content = content.encode()
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise (Shortage if short(error) else InputError)(
            f"{path.name} cannot be written to {path.parent}: {error.strerror or error}. What was finished is "
            "kept; make room and call again."
        ) from None


def to_netcdf(
    groups: Mapping[str, xr.Dataset], encoding: Mapping[str, Any] | None = None
) -> bytes:
    """Datasets as the bytes of one netCDF file; made in memory, where no disk can be full.

    Parameters
    ----------
    groups : mapping of str to Dataset
        "" is the root of the file.
    encoding : mapping, optional
        As of :meth:`xarray.Dataset.to_netcdf`, or ``{group: that}``.

    Raises
    ------
    Shortage
        There was no room for it in memory.
    InputError
        Several groups, in a browser.
    """
    as_kind("groups", groups, Mapping)
    if IN_BROWSER:
        if set(groups) != {""}:
            raise InputError(
                "a file of several groups cannot be written in a browser; run this on a desktop."
            )
        return to_netcdf3(groups[""])
    import netCDF4
    from xarray.backends import NetCDF4DataStore

    file = netCDF4.Dataset("memory", "w", format="NETCDF4", memory=65536)
    try:
        for name, data in groups.items():
            wanted = (encoding or {}).get(name, {}) if name else encoding or {}
            data.dump_to_store(NetCDF4DataStore(file, group=name or None, mode="a"), encoding=dict(wanted))
        return bytes(file.close())
    except BaseException as error:
        with contextlib.suppress(RuntimeError):
            file.close()
        if isinstance(error, RuntimeError):  # no disk is involved: HDF5 found no room in memory
            raise Shortage(
                f"memory was short while results were made into a file ({error}). What was finished is kept; "
                "close other programs, or take fewer processes, and call again."
            ) from None
        raise


def to_netcdf3(data: xr.Dataset) -> bytes:
    """A Dataset as the bytes of a netCDF-3 file, which SciPy alone reads: no groups, whole numbers of 32 bits."""
    return bytes(data.to_netcdf(engine="scipy", encoding={name: {} for name in data.variables}))


def read_netcdf(path: str | os.PathLike[str], group: str = "", **options: Any) -> xr.Dataset:
    """A netCDF file, or one group of it, in memory.

    Parameters
    ----------
    path : path
    group : str
    **options
        Of :func:`xarray.open_dataset`.

    Raises
    ------
    OSError
        No such file or group, or no netCDF.

    Notes
    -----
    In a browser there is no HDF5. What the library brings stands there as a folder with one netCDF-3
    file a group (`landcarbon.course.lite`).
    """
    import xarray as xr

    if IN_BROWSER:
        part = Path(path).with_suffix("") / f"{group}.nc"
        with xr.open_dataset(part if part.exists() else path, engine="scipy", **options) as file:
            return file.load()
    with xr.open_dataset(path, group=group or None, engine="netcdf4", **options) as file:
        return file.load()


def _from_netcdf(content: bytes, order: list[Any]) -> xr.Dataset:
    """A Dataset, its variables in their order, which netCDF forgets of a file made in memory."""
    import xarray as xr

    if IN_BROWSER:
        with xr.open_dataset(io.BytesIO(content), engine="scipy") as data:
            return data.load()[order]
    import netCDF4
    from xarray.backends import NetCDF4DataStore

    with xr.open_dataset(NetCDF4DataStore(netCDF4.Dataset("memory", memory=content))) as data:
        return data.load()[order]


# arrays


class OnDisk(np.memmap):
    """An array in a file of its own (.npy); another process is sent its path, not its numbers.

    What is cut out of it, or computed from it, is an ordinary array in memory, or a view of the file.
    """

    path: Path | None = None

    @classmethod
    def write(
        cls, folder: str | os.PathLike[str], parts: Iterable[Mapping[str, np.ndarray[Any, Any]]], n: int
    ) -> dict[str, OnDisk]:
        """Make arrays of n rows, by name, from parts that follow each other; all of them whole, or none.

        Rows for which there is no part are 0.

        Raises
        ------
        Shortage
            The disk is full.
        InputError
            Parts of more rows.
        """
        folder = as_path("folder", folder)
        made: dict[str, _Growing] = {}
        first = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for piece in parts:
                size = len(next(iter(piece.values()), ()))
                if first + size > n:
                    raise InputError(f"{n} rows were to be written to {folder.name}, but {first + size} are given.")
                for name, rows in piece.items():
                    if name not in made:
                        made[name] = _Growing(folder, name, (n, *rows.shape[1:]), rows.dtype)
                    made[name].add(rows)
                first += size
            return {name: cls.open(array.finish()) for name, array in made.items()}
        except OSError as error:
            raise (Shortage if short(error) else InputError)(
                f"arrays cannot be written to {folder}: {error.strerror or error}. Make room and call again."
            ) from None
        finally:
            for array in made.values():
                array.close()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> OnDisk:
        """The array of a file, read-only.

        Raises
        ------
        Shortage
            No such file: on another computer the folder of the run must be the same.
        """
        try:
            found: OnDisk = np.load(path, mmap_mode="r").view(cls)
        except FileNotFoundError:
            raise Shortage(NOT_SEEN.format(path)) from None
        found.path = Path(path).absolute()  # another process may stand elsewhere
        return found

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__() if self.path is None else (OnDisk.open, (self.path,))


class _Growing:
    """A .npy file that is written row by row, and gets its name when it is whole.

    It is named by its content: a file that a process has mapped is never written over by another one.
    """

    def __init__(self, folder: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.folder, self.name, self.sum = folder, name, hashlib.sha256()
        self.part = folder / f"{name}.npy.part"
        self.file = open(self.part, "wb")
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)
        self.size = self.file.tell() + int(np.prod(shape)) * dtype.itemsize
        self.dtype = dtype

    def add(self, rows: np.ndarray[Any, Any]) -> None:
        """More rows."""
        numbers = np.ascontiguousarray(rows, self.dtype)
        self.sum.update(numbers.data)
        self.file.write(numbers.data)

    def finish(self) -> Path:
        """Its path, rows that are lacking filled with 0."""
        self.file.truncate(self.size)
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        path = self.folder / f"{self.name}-{self.sum.hexdigest()[:12]}.npy"
        if not path.exists() or _of_file(path) != _of_file(self.part):
            os.replace(self.part, path)
        return path

    def close(self) -> None:
        """Nothing is left of one that was not finished."""
        self.file.close()
        self.part.unlink(missing_ok=True)


# the folder


class Store:
    """A folder that keeps the results of a run.

    Parameters
    ----------
    folder : path
        Made when it is first written to.

    Raises
    ------
    InputError
        On entering: another process is at work in the folder, or nothing can be written there.

    Notes
    -----
    Use it as ``with Store(folder) as store:``; the lock is held until the end of the block. A
    method called outside such a block takes the lock for itself. Left by an error before anything
    was kept, the block frees the folder again.

    Examples
    --------
    >>> import tempfile, xarray as xr
    >>> made = []
    >>> def make():
    ...     made.append(1)
    ...     return xr.Dataset({"x": ("site", [1.0, 2.0])})
    >>> with tempfile.TemporaryDirectory() as name, Store(name + "/run") as store:
    ...     store.claim({"seed": 1})
    ...     first = store.once("x", {"steps": 3}, make)
    ...     again = store.once("x", {"steps": 3}, make)
    ...     other = store.once("x", {"steps": 4}, make)
    ...     store.claim({"seed": 2})
    Traceback (most recent call last):
        ...
    landcarbon.matrix.errors.InputError: the folder 'run' holds a run with seed = 1, not 2. ...
    >>> len(made), first.equals(again)
    (2, True)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        folder = as_kind("folder", folder, str, os.PathLike)
        self.folder = as_path("folder", folder)
        self._depth = 0
        self._lock: int | None = None
        self._new: list[Path] = []
        self._parts: list[str] = []
        self._claimed = False

    def __enter__(self) -> Store:
        if self._depth == 0:
            self._new = [p for p in (self.folder, *self.folder.parents) if not os.path.exists(p)]
            self._claimed = False
            fresh_folder(self.folder)
            self._lock = _take(self.folder / ".lock")
        self._depth += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._depth -= 1
        if self._depth:
            return
        nothing = False
        with contextlib.suppress(OSError):  # tidying must not hide what went wrong
            nothing = kind is not None and not any(self.folder.rglob("*.nc"))
            if nothing and self._claimed:
                for card in self.folder.rglob("run.json"):
                    card.unlink(missing_ok=True)
            for name in self._parts if nothing else ():
                self.forget(name)
        _give(self.folder / ".lock", self._lock)
        self._lock = None
        if nothing:
            with contextlib.suppress(OSError):
                _remove_empty(self.folder)
            for folder in self._new:
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def path(self, name: str) -> Path:
        """The file of a result."""
        return self.folder / f"{name}.nc"

    def part(self, name: str) -> Path:
        """A folder inside for what results are made from; it goes too when nothing comes of the run."""
        folder = self.folder / as_path("name", name)
        if not folder.exists():
            self._parts.append(name)
        return folder

    def claim(self, card: Mapping[str, Any], same: str = "options") -> None:
        """Write down what this folder is for, or refuse to mix two runs.

        Parameters
        ----------
        card : mapping of str to object
            What decides every result in the folder. Numbers and words are kept as they are, other
            things by their fingerprint. The version of landcarbon is added.
        same : str
            The card in words, for the message ("sites, seed and chunk").

        Raises
        ------
        InputError
            The folder holds a run with another card, or one that cannot be read.
        """
        as_kind("card", card, Mapping)
        with self:
            path = self.folder / "run.json"
            shown = {name: _shown(value) for name, value in {**card, "landcarbon": _version()}.items()}
            if not path.exists():
                put(json.dumps(shown, indent=1), path)
            there = self._card(path)
            for key in dict.fromkeys([*shown, *there]):
                if there.get(key) != shown.get(key):
                    raise InputError(
                        f"the folder {self.folder.name!r} holds a run with {key} = {there.get(key)}, not "
                        f"{shown.get(key)}. Call with the same {same} to continue it, or choose another folder."
                    )
            self._claimed = True

    @staticmethod
    def _card(path: Path) -> dict[str, Any]:
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise InputError(
                f"{path} cannot be read, so nobody knows what the folder holds. Choose another folder."
            ) from None

    def once(
        self,
        name: str,
        card: Mapping[str, Any],
        make: Callable[[], xr.Dataset],
        encoding: Mapping[str, Any] | None = None,
    ) -> xr.Dataset:
        """The result kept under this name and card; made and kept if there is none.

        Parameters
        ----------
        name : str
        card : mapping of str to object
            What decides this result. One that was made from another card is made again, and so is
            one that was damaged.
        make : callable
            ``make() -> xarray.Dataset``. What it raises is raised; nothing is kept then.
        encoding : mapping, optional
            As of :meth:`xarray.Dataset.to_netcdf`.

        Returns
        -------
        xarray.Dataset
            As read from disk, each time.
        """
        with self:
            found = self.read(name, card)
            return self.write(name, card, make(), encoding) if found is None else found

    def read(self, name: str, card: Mapping[str, Any] | None = None) -> xr.Dataset | None:
        """The result kept under this name; None where there is none, or none from this card.

        A damaged file counts as none; a warning says so. Without a card any will do.
        """
        path = self.path(name)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
        data, _, last = content.rpartition(_LAST)
        checksum, _, rest = last.decode("ascii", "replace").strip().partition(" ")
        found = None
        if _checksum(data + rest.encode()) == checksum:
            mark, _, order = rest.partition(" ")
            if card is not None and mark != _mark(card):
                return None
            found = _with_large(_from_netcdf(data, json.loads(order)), path.parent)
        if found is None:
            warnings.warn(
                f"{path} was damaged after it was written; it is left aside and its results are made anew.",
                stacklevel=2,
            )
        return found

    def write(
        self,
        name: str,
        card: Mapping[str, Any],
        data: xr.Dataset,
        encoding: Mapping[str, Any] | None = None,
    ) -> xr.Dataset:
        """Keep a result, whole; returns it as it is read from disk.

        Of arrays that are :class:`OnDisk`, in this folder, dimensions and checksum are kept.

        Raises
        ------
        InputError
            The disk is full, or does not take the file.
        """
        as_kind("data", data, "data_vars", hint="Give an xarray.Dataset.")
        with self:
            path, small = self.path(name), _without_large(data)
            content, order = to_netcdf({"": small}, encoding), list(small.variables)
            rest = f"{_mark(card)} {json.dumps(order)}"
            path.parent.mkdir(parents=True, exist_ok=True)
            put(content + _LAST + f"{_checksum(content + rest.encode())} {rest}\n".encode(), path)
            kept = _with_large(_from_netcdf(content, order), path.parent)
            if kept is None:
                raise Shortage(f"what lies beside {path} changed while it was written; call again.")
            return kept

    def names(self, kind: str) -> Iterator[str]:
        """Names of the results below a part of the folder, in order."""
        for path in sorted((self.folder / as_path("kind", kind)).glob("*.nc")):
            yield f"{kind}/{path.stem}"

    def forget(self, kind: str) -> None:
        """Remove a part of the folder, with what it holds."""
        import shutil

        shutil.rmtree(self.folder / as_path("kind", kind), ignore_errors=True)


def _without_large(data: xr.Dataset) -> xr.Dataset:
    """What goes into the file itself, and word of what lies beside it."""
    large: dict[str, Any] = {}
    for name, variable in data.data_vars.items():
        if isinstance(variable.data, OnDisk):
            path = variable.data.path
            assert path is not None
            large[str(name)] = [list(variable.dims), path.name, _of_file(path), dict(variable.attrs)]
    if not large:
        return data
    return data.drop_vars(list(large)).assign_attrs(large=json.dumps(large))


def _with_large(data: xr.Dataset, folder: Path) -> xr.Dataset | None:
    """The same with what lies beside it; None where that was damaged."""
    if "large" not in data.attrs:
        return data
    large = json.loads(data.attrs["large"])
    for name, (dims, file, checksum, attrs) in large.items():
        path = folder / file
        if not path.exists() or _of_file(path) != checksum:
            return None
        data[name] = (dims, OnDisk.open(path), attrs)
    return data.drop_attrs(deep=False).assign_attrs({k: v for k, v in data.attrs.items() if k != "large"})


def _of_file(path: Path) -> str:
    """Checksum of a file, read piece by piece."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version() -> str:
    return str(sys.modules["landcarbon"].__version__)  # type: ignore[attr-defined]


def _mark(card: Mapping[str, Any]) -> str:
    return fingerprint({**as_kind("card", card, Mapping), "landcarbon": _version()})


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _shown(value: Any) -> Any:
    """A value of a card as a reader of run.json sees it."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) and len(value) <= 60:
        return value
    return fingerprint(value)


def _remove_empty(folder: Path) -> None:
    """Folders below that hold nothing."""
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()


# the lock


def _take(path: Path) -> int | None:
    """Hold the lock, or say who does; None where the disk knows no locks."""
    if IN_BROWSER:
        return None  # nobody else is there
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle)
        except (BlockingIOError, PermissionError):
            who = os.pread(handle, 100, 0) if hasattr(os, "pread") else b""
            os.close(handle)
            raise InputError(
                f"another process ({who.decode(errors='replace').strip() or 'unknown'}) is at work in the "
                f"folder {path.parent.name!r}. Wait until it has ended, or choose another folder."
            ) from None
        except OSError:
            os.close(handle)
            return None
        # Between opening and locking, its last holder may have removed the file.
        with contextlib.suppress(FileNotFoundError):
            if os.path.sameopenfile(handle, there := os.open(path, os.O_RDWR)):
                os.close(there)
                with contextlib.suppress(OSError):  # who holds it is good to know, not needed
                    os.ftruncate(handle, 0)
                    os.write(handle, f"{os.getpid()} on {socket.gethostname()}".encode())
                return handle
            os.close(there)
        os.close(handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, 1 << 30, os.SEEK_SET)  # beyond what is written, so that others can read it
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _give(path: Path, handle: int | None) -> None:
    if handle is None:
        path.unlink(missing_ok=True)
        return
    if sys.platform != "win32":
        path.unlink(missing_ok=True)  # while it is still held: nobody else's can be removed
    os.close(handle)
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
