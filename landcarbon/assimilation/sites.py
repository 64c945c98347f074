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
`chunks/000100.nc`, moved into place whole. At the end all of them become `sites.nc`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.runs import bar, claim, load, piece, save, some_jobs
from landcarbon.assimilation.streams import site_generator
from landcarbon.matrix.errors import InputError

__all__ = ["assimilate"]

if TYPE_CHECKING:
    import xarray as xr

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
        small: `Ensemble.to_dataset` is made for it.
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
        error where it did not (its results are NaN).

    Raises
    ------
    InputError
        Sites that are not unique, a folder that holds a different run, results without "site", or
        not one site that succeeded.

    Notes
    -----
    When a chunk fails its sites are tried one by one with fresh generators, so that one bad site
    does not take its neighbours with it. The folder cannot know that `run_chunk` itself was edited
    between two calls: choose a new folder then.

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
    for name, count in (("seed", seed), ("chunk", chunk)):
        if int(count) != count or count < (0 if name == "seed" else 1):
            raise InputError(f"{name} must be a whole number, but {count!r} was given.")
    some_jobs(n_jobs)
    folder = Path(out)
    digest = hashlib.sha256("\n".join(map(str, ids)).encode()).hexdigest()
    card = {"seed": int(seed), "chunk": int(chunk), "n_sites": len(ids), "sites_sha256": digest}
    claim(folder, card, "sites, seed and chunk")
    final = folder / "sites.nc"
    if not final.exists():
        (folder / "chunks").mkdir(exist_ok=True)
        starts = [s for s in range(0, len(ids), chunk) if not piece(folder, "chunks", s).exists()]
        work = (np.arange(s, min(s + chunk, len(ids))) for s in starts)
        _run(work, run_chunk, ids, folder, int(seed), n_jobs, progress, len(starts))
        save(_merge(folder, ids, int(chunk)), final)
    shutil.rmtree(folder / "chunks", ignore_errors=True)
    return load(final)


def _run(
    work: Any,
    run_chunk: RunChunk,
    ids: NDArray[Any],
    folder: Path,
    seed: int,
    n_jobs: int,
    progress: bool | None,
    n_chunks: int,
) -> None:
    from joblib import Parallel, delayed

    finished = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        delayed(_one_chunk)(run_chunk, positions, seed) for positions in work
    )
    for positions, pieces, reasons in bar(finished, n_chunks, "sites", "chunk", progress):
        save(_label(pieces, reasons, ids, positions), piece(folder, "chunks", int(positions[0])))


def _one_chunk(
    run_chunk: RunChunk, positions: NDArray[np.int_], seed: int
) -> tuple[NDArray[np.int_], list[tuple[NDArray[np.int_], xr.Dataset]], dict[int, str]]:
    """Results of a chunk, and why sites failed; one BLAS thread, so that sums keep their order."""
    from threadpoolctl import threadpool_limits

    def attempt(part: NDArray[np.int_]) -> xr.Dataset:
        return _dataset(run_chunk(part, [site_generator(seed, int(s)) for s in part]), len(part))

    with threadpool_limits(limits=1):
        try:
            return positions, [(positions, attempt(positions))], {}
        except _WrongResult:
            raise
        except Exception as error:
            if len(positions) == 1:
                return positions, [], {int(positions[0]): _reason(error)}
        pieces, reasons = [], {}
        for position in positions:
            try:
                pieces.append((position[None], attempt(position[None])))
            except _WrongResult:
                raise
            except Exception as error:
                reasons[int(position)] = _reason(error)
        return positions, pieces, reasons


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
    return chunk.assign_attrs(failed=json.dumps(by_id))


def _merge(folder: Path, ids: NDArray[Any], chunk: int) -> xr.Dataset:
    import xarray as xr

    chunks = [load(piece(folder, "chunks", start)) for start in range(0, len(ids), chunk)]
    reason = np.full(len(ids), "", dtype=object)
    for part in chunks:
        for position, text in json.loads(part.attrs.pop("failed")).items():
            reason[int(position)] = text
    done = [part for part in chunks if part.sizes.get("site")]
    if not done:
        first = next(text for text in reason if text)
        raise InputError(
            f"all {len(ids)} sites failed; the first reason: {first} Mend it and run again "
            f"in another folder; {folder.name!r} can be deleted."
        )
    merged = xr.concat(done, "site")
    if merged.sizes["site"] < len(ids):
        merged = merged.reindex(site=ids)
    return merged.assign(reason=("site", reason)).assign_attrs(failed=int((reason != "").sum()))


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
    return f"{type(error).__name__}: {error}"
