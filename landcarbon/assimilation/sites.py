"""Thousands of independent sites: one call, progress, resume, failures recorded.

::

    result[s] = f(s, rng_s),    rng_s = generator(SeedSequence(seed, spawn_key=(s,)))

====== ============================== ======= ========= ==============
symbol meaning                        shape   code name source
====== ============================== ======= ========= ==============
s      position of a site in the list ()      positions
f      the work for a chunk of sites          run_chunk the user
rng_s  the site's own random stream           rngs      site_generator
====== ============================== ======= ========= ==============

A site's random numbers depend on the seed and on its position, on nothing else: not on the chunk
it is computed in, not on the order of work, not on what was finished before an interruption.

On disk, while the run is under way: `run.json` (what is being run) and one file a finished chunk,
`chunks/00000100.nc`. At the end all of them become `sites.nc`, and arrays that would fill the memory
files of their own beside it, of which only what is used is read. How they are kept, and what a kill, a
full disk or a flipped bit does to them, is told in :mod:`landcarbon.store`.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.runs import bar, elsewhere, some_jobs
from landcarbon.assimilation.streams import site_generator
from landcarbon.matrix.errors import InputError, as_whole
from landcarbon.store import OnDisk, Shortage, Store, short

__all__ = ["assimilate"]

if TYPE_CHECKING:
    import xarray as xr

LARGE = 20_000_000  # numbers of an array that does not go into memory
RunChunk = Callable[[NDArray[np.int_], list[np.random.Generator]], Mapping[Any, Any]]


def assimilate(
    site_ids: Sequence[Any],
    run_chunk: RunChunk,
    out: str | os.PathLike[str],
    seed: int,
    *,
    chunk: int = 50,
    n_jobs: int = 1,
    progress: bool | None = None,
) -> xr.Dataset:
    """Run `run_chunk` over all sites; continue where an interrupted run stopped.

    Parameters
    ----------
    site_ids : sequence
        A name for each site: strings or whole numbers, no two alike.
    run_chunk : callable
        ``run_chunk(positions, rngs)``: positions (m,) of the sites in `site_ids` and one Generator
        for each, to be handed to the sampler as ``rng=rngs``. Returns a Dataset, or a mapping of
        ``name: (dims, array)``, with the dimension "site" of length m in the given order. Keep it
        small: `Ensemble.to_dataset` is made for it. If it has a method ``cut(positions)``, a process
        is sent ``run_chunk.cut(positions)`` for its chunk: with the data of these sites, not of all.
    out : path
        Folder of this run. The same call on the same folder continues, or returns what is there.
    seed : int
    chunk : int
        Sites a call.
    n_jobs : int
        Processes (joblib; -1 for all cores). Inside ``with joblib.parallel_config("dask"):`` the
        chunks go to the Dask cluster instead.
    progress : bool, optional
        Show a progress bar; by default on a terminal only.

    Returns
    -------
    xarray.Dataset
        The results along "site", with a variable `reason`: empty where the site succeeded, the
        error where it did not (its results are NaN). The attribute `failed` counts them, `short`
        those for which memory or disk was short: these the same call tries again. Arrays of more than
        `LARGE` numbers stay on disk (:class:`landcarbon.store.OnDisk`).

    Raises
    ------
    InputError
        Sites that are not unique, a folder that holds a different run or in which another process
        is at work, results without "site", a process that died, a full disk, or not one site that
        succeeded.

    Notes
    -----
    When a chunk fails its sites are tried one by one with fresh generators, so that one bad site
    does not take its neighbours with it.

    The folder knows `run_chunk` by its code and by what it closes over or was given
    (:func:`landcarbon.store.fingerprint`): edited, or with other data, it is another run. Global
    names that it reads the folder does not see: choose a new one when those change.

    For a model with forcing, `run_chunk` selects its sites from everything that has a site axis:

    .. code-block:: python

        def run_chunk(positions, rngs):
            land = forcing[positions].expand()
            model = lambda theta: clm5.soil_carbon(clm5.steady_state(theta, land))
            posterior = Posterior(prior, model, profiles[positions])
            return sample(posterior, "es-mda", rngs).to_dataset()

    Examples
    --------
    >>> import tempfile
    >>> def run_chunk(positions, rngs):
    ...     return {"draw": ("site", [rng.integers(100) for rng in rngs])}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     whole = assimilate(["a", "b", "c"], run_chunk, folder + "/1", seed=1, chunk=3)
    ...     parts = assimilate(["a", "b", "c"], run_chunk, folder + "/2", seed=1, chunk=1)
    >>> whole.draw.equals(parts.draw)
    True
    """
    ids = _site_ids(site_ids)
    seed, chunk = as_whole("seed", seed), as_whole("chunk", chunk, 1)
    some_jobs(n_jobs)
    card = {
        "seed": seed, "chunk": chunk, "n_sites": len(ids), "sites": ids, "run_chunk": run_chunk,
    }  # fmt: skip
    with Store(out) as store:
        store.claim(card, "sites, seed, chunk and run_chunk")
        found = store.read("sites", {})
        if found is None:
            found = _run(store, _Work(run_chunk, seed, os.getpid()), ids, chunk, n_jobs, progress)
            if found.attrs["short"]:
                return found
            found = store.write("sites", {}, found)
        store.forget("chunks")
    return found


@dataclass(frozen=True)
class _Work:
    """What every process is told."""

    run_chunk: RunChunk
    seed: int
    parent: int
    cut: bool = False

    def part(self, positions: NDArray[np.int_]) -> _Work:
        """What a process is told that works at these sites only."""
        cut = getattr(self.run_chunk, "cut", None)
        return self if cut is None else replace(self, run_chunk=cut(positions), cut=True)

    def __sizeof__(self) -> int:
        # What it closes over may be all the data of all sites. joblib sends an argument that is
        # large to the workers of a Dask cluster once, not with every chunk.
        return object.__sizeof__(self) if self.cut else 1_000_000


@dataclass(frozen=True)
class _Chunk:
    positions: NDArray[np.int_]
    pieces: list[tuple[NDArray[np.int_], xr.Dataset]]
    reasons: dict[int, str]
    short: int = 0


def _run(
    store: Store, work: _Work, ids: NDArray[Any], chunk: int, n_jobs: int, progress: bool | None
) -> xr.Dataset:
    """All chunks, those that were kept and those that are still to do, as one."""
    starts = range(0, len(ids), chunk)
    todo = [np.arange(s, min(s + chunk, len(ids))) for s in starts if store.read(_name(s), {}) is None]
    lost: dict[int, xr.Dataset] = {}
    n_short = 0
    for done in bar(_finished(work, todo, n_jobs), len(todo), "sites", "chunk", progress):
        start = int(done.positions[0])
        part = _label(done.pieces, done.reasons, ids, done.positions)
        # A chunk that was short of memory or disk is not kept: the next call does it again.
        if done.short:
            lost[start] = part
        else:
            store.write(_name(start), {}, part)
        n_short += done.short

    def chunks() -> Iterator[xr.Dataset]:
        """All of them, one in memory at a time."""
        for start in starts:
            found = lost.get(start)
            found = store.read(_name(start), {}) if found is None else found
            if found is None:
                raise Shortage("a chunk that was finished is gone from the folder; call again to make it anew.")
            yield found

    if not any(part.sizes.get("site") for part in chunks()):
        first = next(iter(json.loads(next(chunks()).attrs["failed"]).values()))
        store.forget("chunks")
        raise (Shortage if n_short else InputError)(
            f"all {len(ids)} sites failed; the first reason: {first} Mend it and call again."
        )
    return _merge(store, chunks, ids).assign_attrs(short=n_short)


def _name(start: int) -> str:
    return f"chunks/{start:08d}"


def _finished(work: _Work, todo: list[NDArray[np.int_]], n_jobs: int) -> Iterator[_Chunk]:
    """Chunks as they come."""
    jobs = ((work.part(positions), positions) for positions in todo)
    return elsewhere(_one_chunk, jobs, n_jobs, ordered=False)


def _one_chunk(work: _Work, positions: NDArray[np.int_]) -> _Chunk:
    """Results of a chunk, and why sites failed."""
    _end_with(work.parent)

    def attempt(part: NDArray[np.int_]) -> xr.Dataset:
        rngs = [site_generator(work.seed, int(s)) for s in part]
        return _dataset(work.run_chunk(part, rngs), len(part))

    try:
        return _Chunk(positions, [(positions, attempt(positions))], {})
    except _WrongResult:
        raise
    except Exception as error:
        if len(positions) == 1:
            return _Chunk(positions, [], {int(positions[0]): _reason(error)}, int(short(error)))
    pieces, reasons, n_short = [], {}, 0
    for position in positions:
        try:
            pieces.append((position[None], attempt(position[None])))
        except _WrongResult:
            raise
        except Exception as error:
            reasons[int(position)] = _reason(error)
            n_short += short(error)
    return _Chunk(positions, pieces, reasons, n_short)


_watched = threading.Lock()


def _end_with(parent: int) -> None:
    """A process that was started for a run ends when the run has, however that ended."""
    if os.getpid() == parent or os.getppid() != parent or not _watched.acquire(blocking=False):
        return  # the run itself, a worker of a cluster, or one that is watched already

    def watch() -> None:
        while os.getppid() == parent:  # an orphan gets another one
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="ends with the run").start()


class _WrongResult(InputError):
    """run_chunk itself is wrong; no site is to blame."""


def _dataset(result: Mapping[Any, Any], n: int) -> xr.Dataset:
    import xarray as xr

    if not isinstance(result, Mapping):
        raise _WrongResult(
            f"run_chunk returns {type(result).__name__}; an xarray.Dataset is expected, or a "
            'mapping such as {"mean": (("site", "parameter"), array)}.'
        )
    try:
        dataset = result if isinstance(result, xr.Dataset) else xr.Dataset(result)
    except (TypeError, ValueError) as error:
        raise _WrongResult(f"the result of run_chunk is no dataset: {error}") from None
    if dataset.sizes.get("site") != n:
        raise _WrongResult(
            f"run_chunk got {n} site(s), but its result has sizes {dict(dataset.sizes)}; the "
            'dimension "site" must run over them.'
        )
    loose = [
        str(name) for name, variable in dataset.data_vars.items() if "site" not in variable.dims
    ]
    if loose:
        raise _WrongResult(f'{loose[0]!r} in the result of run_chunk has no dimension "site".')
    for name, variable in dataset.data_vars.items():
        if variable.dtype.kind == "f":
            lost = variable.isnull().all([d for d in variable.dims if d != "site"])
            if lost.any():
                raise InputError(f"the result {name!r} is NaN throughout.")
    return dataset.drop_vars("site", errors="ignore")


def _label(
    pieces: list[tuple[NDArray[np.int_], xr.Dataset]],
    reasons: dict[int, str],
    ids: NDArray[Any],
    positions: NDArray[np.int_],
) -> xr.Dataset:
    """The chunk's successful sites along "site"; the reasons of the others in an attribute."""
    import xarray as xr

    parts = [dataset.assign_coords(site=ids[part]) for part, dataset in pieces]
    chunk = xr.concat(parts, "site") if parts else xr.Dataset()
    by_id = {str(position): text for position, text in reasons.items()}
    return chunk.assign_attrs(failed=json.dumps(by_id), first=int(positions[0]))


def _merge(store: Store, chunks: Callable[[], Iterator[xr.Dataset]], ids: NDArray[Any]) -> xr.Dataset:
    import xarray as xr

    reason, done = np.full(len(ids), "", dtype=object), []
    large: dict[Any, tuple[int, ...]] | None = None
    for part in chunks():
        for position, text in json.loads(part.attrs["failed"]).items():
            reason[int(position)] = text
        if part.sizes.get("site"):
            if large is None:
                floats = [name for name in part if part[name].dims[0] == "site" and part[name].dtype.kind == "f"]
                shapes = {name: (len(ids), *part[name].shape[1:]) for name in floats}
                large = {name: shape for name, shape in shapes.items() if np.prod(shape) > LARGE}
            done.append(part.drop_vars(list(large)).drop_attrs(deep=False))
    merged = xr.concat(done, "site")
    if merged.sizes["site"] < len(ids):
        merged = merged.reindex(site=ids)
    if large:
        like = next(part for part in chunks() if part.sizes.get("site"))
        rows = (_rows_of(part, like[list(large)]) for part in chunks())
        for name, array in OnDisk.write(store.folder, rows, len(ids)).items():
            merged[name] = (like[name].dims, array, like[name].attrs)
    return merged.assign(reason=("site", reason)).assign_attrs(failed=int((reason != "").sum()))


def _rows_of(part: xr.Dataset, like: xr.Dataset) -> dict[str, NDArray[Any]]:
    """Variables of a chunk, NaN where a site failed."""
    failed = {int(position) for position in json.loads(part.attrs["failed"])}
    n = part.sizes.get("site", 0) + len(failed)
    first = int(part.attrs["first"])
    good = np.array([first + k not in failed for k in range(n)])
    found = {}
    for name, variable in like.items():
        found[str(name)] = rows = np.full((n, *variable.shape[1:]), np.nan, variable.dtype)
        if good.any():
            rows[good] = part[name].values
    return found


def _site_ids(site_ids: Sequence[Any]) -> NDArray[Any]:
    ids = np.asarray(site_ids)
    if ids.ndim != 1 or ids.size == 0 or ids.dtype.kind not in "iuUO":
        raise InputError("site_ids must be a list of at least one name or whole number.")
    if ids.dtype.kind in "UO":
        ids = np.array([str(name) for name in ids], dtype=object)
    unique, count = np.unique(ids, return_counts=True)
    if (count > 1).any():
        raise InputError(
            f"site {unique[count > 1][0]!r} stands {count.max()} times in site_ids; names must be "
            "unique, or results could not be told apart."
        )
    return ids


def _reason(error: Exception) -> str:
    text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    return f"memory or disk was short, the next call tries again ({text})." if short(error) else text
