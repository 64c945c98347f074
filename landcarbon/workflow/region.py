"""One region from profiles to maps: the whole of PRODA in one call, on disk.

::

    profiles, climate → sites → evaluation → map → control → report

=========== ============================================ ==================================
stage       what it does                                 where it ends up
=========== ============================================ ==================================
account     each profile used, or dropped with a reason  profiles.csv
sites       `proda.assimilate`, chunk by chunk           proda.nc, group "sites"
evaluation  `evaluate` on left-out blocks                proda.nc, group "evaluation"
map         `proda.train`, `proda.predict` on a grid     proda.nc, group "map"
end to end  the same by networks trained through CLM5    proda.nc, group "end_to_end"
control     `control` and `compare` of the map           proda.nc, "control" and "default"
efficiency  carbon use efficiency against carbon         proda.nc, group "efficiency"
truth       of a twin: what was found against what is    proda.nc, group "truth"
report      one page with pictures, from proda.nc        report.html
=========== ============================================ ==================================

Under `work/` lie the pieces (:mod:`landcarbon.store`). A run that was killed goes on where it stopped;
a run with another grid or other folds repeats only the stages that depend on them. A stage that cannot
be done (fewer blocks than folds, say) is left out with its reason, whatever was raised, and the others
go on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landcarbon.assimilation.runs import elsewhere, some_jobs
from landcarbon.datasets.climate import NoCell, covariates_at, forcing_at
from landcarbon.datasets.outlines import inside
from landcarbon.datasets.profiles import Profiles
from landcarbon.datasets.twin_survey import twin_survey
from landcarbon.geo import as_box, as_places, block_ids
from landcarbon.learning import EndToEnd, Evaluation, Proda, Task, Work, evaluate, proda
from landcarbon.learning.applicability import Applicability
from landcarbon.learning.attribution import compare, control
from landcarbon.learning.folds import Folds, blocked_folds
from landcarbon.learning.hybrid import Hybrid
from landcarbon.learning.rivals import RIVALS
from landcarbon.learning.shelf import Rows, filed, shelved
from landcarbon.learning.shelf import read as read_back
from landcarbon.learning.task import pieces
from landcarbon.learning.validation import Rival
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.frozen import keep_whole
from landcarbon.models import clm5
from landcarbon.models.process import expand, whole
from landcarbon.store import Store, fingerprint, put, read_netcdf, short, to_netcdf
from landcarbon.workflow.verdict import FEW_BLOCKS, by_depth, most_explained, verdict

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["GROUPS", "REAL", "Plan", "expected", "read", "run", "summary", "write"]

GROUPS = ("sites", "evaluation", "map", "end_to_end", "control", "default", "efficiency", "truth")
REAL = Path(__file__).with_name("proda_real.nc")
"""Summary of the run over all real profiles that chapter 21 shows. It comes from this command:

    landcarbon proda --profiles isis afsp --members 60 --steps 4 --networks 4 --out DIR \\
        --summary landcarbon/workflow/proda_real.nc
"""

PAIRS = (
    ("random_sampling", "default"),
    ("one_batch", "random_sampling"),
    ("proda", "one_batch"),
    ("proda", "ridge"),
    ("proda", "pure_network"),
    ("proda", "forest"),
    ("hybrid", "one_batch"),
    ("hybrid", "proda"),
    ("hybrid", "forest"),
)
GRIDS = (0.5, 1.0, 2.0, 4.0)
BLOCKS = (2.0, 1.0, 0.5, 0.25, 0.1)
MOST_CELLS = 5000  # of a map whose grid was not asked for
CONTROL_CELLS = 800
EFFICIENCY_SITES = 500
LEFT_OPEN = 200  # draws of what the environment does not tell, kept for projections
DEFAULT_DRAWS = 20
TWIN_MAPS = 30  # possible maps over which the shares of a twin have their interval
LEARNING = 0.0125  # CPU seconds a profile and fold, all rivals of four networks, as on the stored run
LARGEST = 100_000  # land cells of any map; their draws fill some GB
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what makes a spreadsheet compute a cell
NO_CELL = "no cell of the climate or the environment near"
BARREN = "no plants grow there in this climate, and a synthetic world has no carbon there"
TOO_DEEP = "no layer above the bottom of the column"


@dataclass(frozen=True)
class Plan:
    """What is done to every region alike.

    Parameters
    ----------
    error : float
        Standard deviation of ln carbon as measured.
    n_members, n_iter, n_rounds : int
        Of the assimilation, see :func:`landcarbon.learning.proda.assimilate`.
    n_networks : int
        Members of the network ensemble.
    n_folds : int
        Of the cross-validation.
    block : float, optional
        Edge of the blocks that are left out, degrees; if not given the largest of 2, 1, 0.5, 0.25 and 0.1 that
        cuts the profiles into at least twenty blocks.
    n_draws : int
        Parameter draws a site for predictions.
    depth : float
        Stock down to this depth, m.
    grid : float, optional
        Step of the map, degrees; the finest of 0.5, 1, 2 and 4 with at most 5,000 land cells if not
        given.
    box : (west, south, east, north), optional
        Of the map, degrees; around the profiles if not given.
    seed : int
    twin : bool
        Replace the carbon of the profiles by that of a synthetic world whose truth is known
        (:func:`landcarbon.datasets.twin_survey.twin_survey`), and hold what is found against it.
    everywhere : bool
        Show the map also where the environment is unlike any that was learned from
        (:mod:`landcarbon.learning.applicability`).
    """

    error: float = 0.6
    n_members: int = 100
    n_iter: int = 6
    n_rounds: int = 10
    n_networks: int = 8
    n_folds: int = 4
    block: float | None = None
    n_draws: int = 100
    depth: float = 1.0
    grid: float | None = None
    box: tuple[float, float, float, float] | None = None
    seed: int = 0
    twin: bool = False
    everywhere: bool = False

    def __post_init__(self) -> None:
        limits = {"grid": 45.0, "depth": float(clm5.LAYERS.bottom[-1])}
        given = (name for name in ("block", "grid") if getattr(self, name) is not None)
        for name in ("error", "depth", *given):
            as_array(name, getattr(self, name), lower=0.0, upper=limits.get(name), strict=True)
        least = {"n_members": 10, "n_iter": 1, "n_rounds": 1, "n_networks": 2, "n_folds": 2, "n_draws": 20, "seed": 0}
        keep_whole(self, **least)
        if self.box is not None:
            as_box(self.box)


@dataclass(frozen=True, eq=False)
class _Land:
    """Profiles with everything that is known of their places."""

    profiles: Profiles
    forcing: Any  # clm5.Forcing, or Rows of one on disk
    covariates: pd.DataFrame
    climate: xr.Dataset
    environment: xr.Dataset | None
    theta: NDArray[np.float64] | None = None  # true parameters, of a twin
    work: Work = field(default_factory=Work)


def run(
    profiles: Profiles,
    out: str | os.PathLike[str],
    plan: Plan | None = None,
    *,
    climate: xr.Dataset | None = None,
    environment: xr.Dataset | None = None,
    at: pd.DataFrame | None = None,
    n_jobs: int = 1,
    progress: bool | None = None,
    tell: Callable[[str], None] = print,
) -> dict[str, xr.Dataset]:
    """Assimilate, evaluate, map, and say which process controls the map.

    Parameters
    ----------
    profiles : Profiles
        From :mod:`landcarbon.datasets.profiles`.
    out : path
        Folder of this run. The same call on the same folder goes on.
    plan : Plan, optional
    climate : xarray.Dataset, optional
        As :func:`landcarbon.datasets.climate.forcing_at` takes it; "biome4" if not given.
    environment : xarray.Dataset, optional
        More covariates on a grid, see :func:`landcarbon.datasets.climate.covariates_at`.
    at : pandas.DataFrame, optional
        Places to be predicted one by one, columns `latitude` and `longitude`; `at.csv` then holds the
        stock by PRODA and end to end, with intervals, beside the columns given.
    n_jobs : int
        Processes of the assimilation.
    progress : bool, optional
        Progress bars; by default on a terminal only.
    tell : callable
        Gets a line of text after each stage.

    Returns
    -------
    dict of str to xarray.Dataset
        The groups of the result file. A stage that could not be done holds nothing but the attribute
        `skipped`, the reason.

    Raises
    ------
    InputError
        The folder holds another run, or another process is at work in it, or it cannot be written to;
        not one profile has a place in the climate; a box without land; places without coordinates; a full
        disk.
    DataUnavailable
        No climate was given and "biome4" is neither here nor in reach.
    """
    plan = plan or Plan()
    some_jobs(n_jobs)
    if not os.fspath(out):
        raise InputError("out is empty; give the folder of this run.")
    folder = Path(out)
    if plan.box is not None:
        _cells(np.array([]), np.array([]), plan)  # known before the work of hours
    if at is not None:
        _coordinates(at)
    with Store(folder / "work") as store:
        profiles = _within_column(profiles)
        tell(profiles.summary().to_string())
        land = _place(profiles, climate, environment, store.part("forcing"))
        plan = _settled(plan, land)
        lost = len(profiles) - len(land.profiles)
        if plan.twin:
            land = _cut(land, _growing(land, plan), BARREN)
            made = twin_survey(land.profiles, land.forcing, land.covariates, error=plan.error, rng=plan.seed)
            land = replace(land, profiles=made.profiles, theta=made.theta)
            tell("a twin: every carbon value from here on is synthetic, and its truth is known")
        tell(f"{lost} of the used profiles have {NO_CELL}; {len(land.profiles)} go on")
        for note in profiles.notes:
            tell(f"note: {note}")
        card = {name: getattr(plan, name) for name in ("error", "n_members", "n_iter", "n_rounds", "seed")}
        card |= {"profiles": land.profiles.layers, "covariates": land.covariates, "climate": land.forcing}
        store.claim(card, "profiles, environment and options")
        land = replace(land, work=Work(store.part("tasks"), n_jobs, progress))
        sites = _assimilate(land, plan, store.folder, n_jobs, progress)
        land = _without(land, sites)
        put(_defused(land.profiles.report).to_csv(lineterminator="\n"), folder / "profiles.csv")
        known = sites.information.sum(axis=1)
        tell(f"assimilated {len(sites)} profiles, {len(sites.failed)} failed; the median profile knows "
             f"{np.median(known):.1f} of {len(sites.prior)} parameters")  # fmt: skip
        networks = _Networks(land, sites, plan)
        stages = _stages(store, land, sites, networks, plan, n_jobs, progress, tell)
        result = dict(zip(GROUPS, (_account(profiles, land, sites, plan, lost), *stages)))
        write(result, folder / "proda.nc")
        if at is not None:
            put(_defused(_at(land, networks, plan, at)).to_csv(index=False, lineterminator="\n"), folder / "at.csv")
            tell(f"places asked for: {folder / 'at.csv'}")
        for sentence in verdict(result):
            tell(sentence)
        store.forget("tasks")
        from landcarbon.workflow.report import page

        put(page(result), folder / "report.html")
    tell(f"results: {folder / 'proda.nc'}, {folder / 'report.html'}")
    return result


def expected(
    profiles: Profiles,
    plan: Plan | None = None,
    *,
    climate: xr.Dataset | None = None,
    environment: xr.Dataset | None = None,
    n_jobs: int = 1,
) -> list[str]:
    """What :func:`run` would do, and about how long it would take; nothing is written.

    Parameters
    ----------
    profiles, plan, climate, environment, n_jobs
        As for :func:`run`.

    Returns
    -------
    list of str
        Profiles, blocks, cells, time and memory, in words. The time comes from some of the profiles,
        assimilated now, and from what learning cost on the stored run.
    """
    from joblib import effective_n_jobs

    plan, jobs = plan or Plan(), effective_n_jobs(n_jobs)
    profiles = _within_column(profiles)
    land = _place(profiles, climate, environment)
    plan = _settled(plan, land)
    n, lost = len(land.profiles), len(profiles) - len(land.profiles)
    lat, lon = land.covariates["latitude"].to_numpy(), land.covariates["longitude"].to_numpy()
    assert plan.block is not None
    blocks = int(np.unique(block_ids(lat, lon, plan.block)).size)
    few = np.arange(min(n, 25))
    sites = proda.assimilate(_task(land, plan, Work())[few], n_members=plan.n_members, n_iter=plan.n_iter, n_rounds=1)
    rounds = plan.n_rounds * min(n, proda.COMMON) + 2 * n if plan.n_rounds > 1 else n
    each, folds = sites.seconds / few.size, plan.n_folds if blocks >= plan.n_folds else 0
    assimilate = each * rounds * (1 + max(folds - 1, 0))
    learn = LEARNING * n * (folds + 1) * plan.n_networks / 4
    cells = _cells(lat, lon, plan)
    memory = 8e-6 * max(3.0 * n * plan.n_members * 60, cells[0].size * plan.n_draws * 60.0)
    said = [
        profiles.summary().to_string(),
        f"{lost} of the used profiles have {NO_CELL}; {n} go on",
        f"{blocks} blocks of {plan.block:g}° in {plan.n_folds} folds"
        + ("" if folds else ": too few for a cross-validation, so there would be neither skill nor map"),
        f"a map of up to {cells[0].size} land cells of {cells[2]:g}°",
        f"about {(assimilate / jobs + learn) / 60:.0f} minutes with {jobs} process(es), and {max(memory, 300):.0f} MB",
    ]
    if folds and blocks < FEW_BLOCKS:
        said.append(f"fewer than {FEW_BLOCKS} blocks carry no interval; try --block {plan.block / 4:g}")
    return said


def _stages(
    store: Store,
    land: _Land,
    sites: proda.Sites,
    networks: _Networks,
    plan: Plan,
    n_jobs: int,
    progress: bool | None,
    tell: Callable[[str], None],
) -> tuple[xr.Dataset, ...]:
    """Evaluation, both maps, control, default, efficiency and truth, each with what decides it."""
    card: dict[str, Any] = {name: getattr(plan, name) for name in ("n_networks", "n_folds", "block", "n_draws")}
    folds = store.folder / f"folds-{fingerprint(card)}"
    evaluation = _stage(
        store, "evaluation", card, lambda: _with_gaps(_evaluate(land, sites, plan, folds, n_jobs, progress))
    )
    tell(evaluation.attrs.get("skipped") or str(Evaluation.from_dataset(evaluation)))
    card |= {name: getattr(plan, name) for name in ("depth", "grid", "box", "everywhere")}
    card |= {"climate": land.climate, "environment": land.environment}
    maps = (
        _stage(store, "map", card, lambda: _map(lambda: networks.proda, land, plan)),
        _stage(store, "end_to_end", card, lambda: _map(lambda: networks.end_to_end, land, plan)),
    )
    for cells, who in zip(maps, ("PRODA", "end to end")):
        tell(cells.attrs.get("skipped") or f"{who}: mapped {cells.attrs['shown']} of {cells.attrs['land']} cells of "
             f"{cells.attrs['grid']:g} degrees; the others are unlike the places that were learned from")
    cells = maps[0]
    pattern = cells if "skipped" in cells.attrs else _stage(store, "control", card, lambda: _control(cells, land, plan))
    default = _stage(store, "default", card, lambda: _default(sites, land, plan))
    efficiency = _stage(store, "efficiency", card, lambda: _efficiency(sites, land, maps, plan))
    truth = _stage(store, "truth", card, lambda: _against_truth(sites, land, networks, plan))
    return evaluation, *maps, pattern, default, efficiency, truth


def _account(profiles: Profiles, land: _Land, sites: proda.Sites, plan: Plan, lost: int) -> xr.Dataset:
    """What each site says, and what became of every profile that was read."""
    account = profiles.summary()
    barren = len(profiles) - lost - len(sites) - len(sites.failed)
    left = [f"{barren} profiles are left out: {BARREN}"] if barren else []
    found = sites.to_dataset().assign(
        layers=("site", land.profiles.sites["layers"].to_numpy()),
        latitude=("site", land.covariates["latitude"].to_numpy(), {"units": "degrees_north"}),
        longitude=("site", land.covariates["longitude"].to_numpy(), {"units": "degrees_east"}),
        account_profiles=("reason", account["profiles"].to_numpy()),
        account_layers=("reason", account["layers"].to_numpy()),
    ).assign_coords(reason=account.index.to_numpy(dtype=object))  # fmt: skip
    return found.assign_attrs(found.attrs | {
        "plan": json.dumps(asdict(plan)), "synthetic": int(land.profiles.synthetic), "read": len(profiles.report),
        "used": len(profiles), "without_a_cell": lost, "assimilated": len(sites),
        "failed": json.dumps({str(k): v for k, v in sites.failed.items()}),
        "notes": json.dumps([*profiles.notes, *left, *_doubts(land.profiles)]), "seconds": sites.seconds,
    })  # fmt: skip


def _defused(table: pd.DataFrame) -> pd.DataFrame:
    """Names and notes that a spreadsheet would compute get an apostrophe, as it shows them itself."""

    def plain(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

    words = [name for name in table.columns if table[name].dtype.kind not in "biufcmM"]
    plainer = table.assign(**{name: table[name].map(plain) for name in words})
    return plainer.set_axis(plainer.index.map(plain).rename(table.index.name), axis=0)


def read(path: str | os.PathLike[str]) -> dict[str, xr.Dataset]:
    """The groups of a result file, for instance to draw its report again.

    Raises
    ------
    InputError
        No such file, or a file of another kind.
    """
    if not Path(path).is_file() and not Path(path).with_suffix("").is_dir():
        raise InputError(f"there is no file {path}.")
    result = {}
    for name in GROUPS:
        try:
            result[name] = read_netcdf(path, name)
        except OSError:
            raise InputError(
                f"{Path(path).name} has no group {name!r}; is it the proda.nc of a finished run?"
            ) from None
    return result


def summary(result: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """What a page shows of a run, some hundred kB: scores, map, shares; no single profile.

    Parameters
    ----------
    result : mapping of str to xarray.Dataset
        From :func:`run` or :func:`read`.
    """
    sites, evaluation = result["sites"], result["evaluation"]
    short = sites[["account_profiles", "account_layers"]].assign(
        information=sites["information"].mean("site")
    )
    scores = evaluation[[name for name in evaluation if str(name).startswith(("score_", "gap"))]]
    if "skipped" not in evaluation.attrs:
        scores = scores.assign(depth_bias=by_depth(evaluation))
        most = most_explained(evaluation, sites)
        scores = scores if most is None else scores.assign_attrs(most_explained=most)
    maps = [_of_map(result[name]) for name in ("map", "end_to_end")]
    small = short, scores, *maps, *(result[name] for name in GROUPS[4:])
    return {name: data.drop_vars(_unused(data)) for name, data in zip(GROUPS, small)}


def _of_map(cells: xr.Dataset) -> xr.Dataset:
    """Stock and parameters, to three digits."""
    kept = [n for n in ("stock", "stock_lower", "stock_upper", "beyond", "dissimilarity", "parameters") if n in cells]
    small = cells[kept]
    for name in kept:
        # Bits beyond ten of the fraction are noise, and zeros take no room.
        bits = (cells[name].values.astype("float32").view("uint32") + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)
        small[name] = cells[name].copy(data=bits.view("float32"))
    return small


def _unused(data: xr.Dataset) -> list[str]:
    """Coordinates along dimensions that no variable has any more."""
    used = {dim for name in data.data_vars for dim in data[name].dims}
    return [str(c) for c in data.coords if not set(data[c].dims) <= used]


def write(result: Mapping[str, xr.Dataset], path: str | os.PathLike[str]) -> None:
    """All groups in one file, moved into place whole; large arrays in single precision."""
    small = {
        group: {
            str(v): {"zlib": True, "complevel": 6, "dtype": "float32"}
            for v in data
            if data[v].dtype.kind == "f" and data[v].size > 1000
        }
        for group, data in result.items()
    }
    put(to_netcdf(result, small), Path(path))


# --- places --------------------------------------------------------------------------------------


def _within_column(profiles: Profiles) -> Profiles:
    """Only the profiles of which the column can say something."""
    layers = profiles.layers
    middle = 0.5 * (layers["upper_depth"] + layers["lower_depth"])
    highest = middle.groupby(layers["profile_id"]).min().loc[profiles.ids]
    inside_column = (highest <= clm5.LAYERS.bottom[-1]).to_numpy()
    if not inside_column.any():
        raise InputError(
            f"every profile begins below {clm5.LAYERS.bottom[-1]:.1f} m, the bottom of the column; are the "
            "depths in another unit?"
        )
    return profiles if inside_column.all() else profiles.select(inside_column, TOO_DEEP)


def _place(profiles: Profiles, climate: Any, environment: Any, folder: Path | None = None) -> _Land:
    """Profiles that have a place, with the forcing on disk if there is a folder for it."""
    from landcarbon.datasets import load as load_data

    climate = load_data("biome4") if climate is None else climate
    lat, lon = (profiles.sites[name].to_numpy() for name in ("latitude", "longitude"))
    around = _surroundings if folder is None else partial(_shelved_surroundings, folder=folder)
    used, forcing, covariates = around(lat, lon, climate, environment)
    index = pd.Index(np.array(profiles.ids, dtype=object)[used], name="profile_id")
    chosen = profiles if used.all() else profiles.select(used, NO_CELL)
    return _Land(chosen, forcing, covariates.set_axis(index), climate, environment)


def _shelved_surroundings(
    lat: NDArray[Any], lon: NDArray[Any], climate: Any, environment: Any, folder: Path
) -> tuple[NDArray[np.bool_], Rows, pd.DataFrame]:
    """The same of many places, some at a time."""
    used, tables = np.zeros(len(lat), dtype=bool), []
    refused: NoCell | None = None

    def parts() -> Iterator[clm5.Forcing]:
        nonlocal refused
        for part in pieces(len(lat)):
            try:
                used[part], forcing, covariates = _surroundings(lat[part], lon[part], climate, environment)
            except NoCell as error:  # not one place of this part has one
                refused = error
                continue
            tables.append(covariates)
            yield forcing

    try:
        forcing = shelved(parts(), folder, len(lat))
    except InputError:
        if refused is not None and not tables:
            raise refused from None
        raise
    covariates = pd.concat(tables, ignore_index=True)
    covariates.attrs = tables[0].attrs
    return used, forcing, covariates


def _surroundings(
    lat: NDArray[Any], lon: NDArray[Any], climate: Any, environment: Any
) -> tuple[NDArray[np.bool_], clm5.Forcing, pd.DataFrame]:
    """Which places have a climate and an environment, and both of these."""
    there = forcing_at(lat, lon, climate)
    forcing, covariates, used = there.forcing, there.covariates, there.used
    if environment is not None:
        more, found = covariates_at(lat[used], lon[used], environment)
        if not found.any():
            raise NoCell("none of the profiles has a cell of the environment within 60 km.")
        clash = [c for c in more.columns if c in covariates.columns]
        more = more.rename(columns={c: f"{c}_of_environment" for c in clash})
        covariates = pd.concat([covariates, more], axis=1)[found].reset_index(drop=True)
        if not covariates.columns.is_unique:
            name = covariates.columns[covariates.columns.duplicated()][0]
            raise InputError(f"two maps of the environment would be called {name!r}; rename one.")
        forcing = forcing[found]
        used = used.copy()
        used[used] = found
    return used, forcing, covariates


def _without(land: _Land, sites: proda.Sites) -> _Land:
    """Only the profiles that could be assimilated."""
    if not sites.failed:
        return land
    assert sites.position is not None
    return _cut(land, sites.position, {str(name): reason for name, reason in sites.failed.items()})


def _cut(land: _Land, rows: NDArray[np.intp], reason: str | Mapping[str, str]) -> _Land:
    """Some of the profiles; the others are left out with a reason."""
    if len(rows) == len(land.profiles):
        return land
    theta = None if land.theta is None else land.theta[rows]
    chosen = land.profiles.select(rows, reason)
    return replace(
        land, profiles=chosen, forcing=land.forcing[rows], covariates=land.covariates.iloc[rows], theta=theta
    )


def _growing(land: _Land, plan: Plan) -> NDArray[np.intp]:
    """Profiles whose layers all hold carbon in the model: nothing decays where nothing grows, or under rock."""
    task = _task(land, plan, Work())
    theta = np.broadcast_to(clm5.PRODA_START, (len(task), 1, clm5.PRODA_START.size))
    return np.flatnonzero(np.isfinite(task.log_likelihood(theta)[:, 0]))


def _doubts(profiles: Profiles) -> list[str]:
    noted = profiles.report["note"][profiles.report["note"] != ""]
    return [f"{name}: {note}" for name, note in noted.items()]


# --- stages --------------------------------------------------------------------------------------


def _assimilate(
    land: _Land, plan: Plan, work: Path, n_jobs: int, progress: bool | None
) -> proda.Sites:
    task = _task(land, plan, Work(work, n_jobs, progress))
    return proda.assimilate(
        task, n_members=plan.n_members, n_iter=plan.n_iter, n_rounds=plan.n_rounds, rng=plan.seed
    )


def _task(land: _Land, plan: Plan, work: Work) -> Task:
    named = land.covariates.set_axis(list(land.profiles.ids))
    return Task(land.profiles.to_observations(plan.error), land.forcing, named, work=work)


def _evaluate(
    land: _Land, sites: proda.Sites, plan: Plan, out: Path, n_jobs: int, progress: bool | None
) -> xr.Dataset:
    folds = _folds(land, plan)
    n = plan.n_networks
    few: dict[str, Rival] = {"proda": Proda(n_networks=n), "ridge": Proda("ridge", proda.ridge, n)}
    task = _task(land, plan, Work(out, n_jobs, progress)).knowing(sites)
    rivals = [few.get(name, name) for name in RIVALS]
    return evaluate(task, folds, rivals, truth=land.theta, n_draws=plan.n_draws, rng=plan.seed).to_dataset()


def _settled(plan: Plan, land: _Land) -> Plan:
    """With blocks of a size at which the profiles fill enough of them."""
    if plan.block is not None:
        return plan
    lat, lon = land.covariates["latitude"], land.covariates["longitude"]
    fits = (size for size in BLOCKS if np.unique(block_ids(lat, lon, size)).size >= 2 * FEW_BLOCKS)
    return replace(plan, block=next(fits, BLOCKS[-1]))


def _folds(land: _Land, plan: Plan) -> Folds:
    place = land.covariates
    assert plan.block is not None
    return blocked_folds(place["latitude"], place["longitude"], plan.block, plan.n_folds, plan.seed)


def _with_gaps(data: xr.Dataset) -> xr.Dataset:
    """R² of one method minus R² of another, each pair on the same resampled blocks."""
    evaluation = Evaluation.from_dataset(data)
    gaps = [evaluation.gap(*pair) for pair in PAIRS]
    columns = {
        f"gap{end}": ("pair", [getattr(gap, name) for gap in gaps], {"units": "1"})
        for end, name in (("", "value"), ("_lower", "lower"), ("_upper", "upper"))
    }
    coords = {"method": ("pair", [a for a, _ in PAIRS]), "rival": ("pair", [b for _, b in PAIRS])}
    return data.assign(columns).assign_coords(coords)


def _blocked(land: _Land, plan: Plan) -> Task:
    assert plan.block is not None
    blocks = block_ids(land.covariates["latitude"], land.covariates["longitude"], plan.block)
    return replace(_task(land, plan, land.work), groups=blocks)


class _Networks:
    """Learned from all sites, once, when first asked for."""

    def __init__(self, land: _Land, sites: proda.Sites, plan: Plan) -> None:
        self.land, self.sites, self.plan = land, sites, plan

    @cached_property
    def proda(self) -> proda.Network:
        """From environment to what was assimilated."""
        task = _blocked(self.land, self.plan).knowing(self.sites)
        found: proda.Network = _learnt(_by_proda, task, self.plan)
        return found

    @cached_property
    def end_to_end(self) -> Hybrid:
        """Through the model."""
        found: Hybrid = _learnt(_through_the_model, _blocked(self.land, self.plan), self.plan)
        return found


def _learnt(how: Callable[[Any, Plan], Any], task: Task, plan: Plan) -> Any:
    """By a process of its own, if there are any."""
    if task.work.n_jobs == 1:
        return how(task, plan)
    [found] = elsewhere(how, [(filed(task, task.work.out, how.__name__), plan)], task.work.n_jobs)
    return found


def _by_proda(task: Any, plan: Plan) -> proda.Network:
    return proda.train(read_back(task), n_networks=plan.n_networks, rng=plan.seed)


def _through_the_model(task: Any, plan: Plan) -> Any:
    return EndToEnd().learn(read_back(task), np.random.default_rng(plan.seed)).network


def _map(make: Callable[[], proda.Network | Hybrid], land: _Land, plan: Plan) -> xr.Dataset:
    lat, lon = land.covariates["latitude"].to_numpy(), land.covariates["longitude"].to_numpy()
    try:
        folds = _folds(land, plan)
    except InputError as error:
        raise InputError(f"No map, since nothing says how far from the profiles it would hold. {error}") from None
    network = make()
    y, x, step = _cells(lat, lon, plan)
    used, forcing, covariates = _surroundings(y, x, land.climate, land.environment)
    index = pd.MultiIndex.from_arrays([y[used], x[used]], names=["latitude", "longitude"])
    covariates = covariates.set_axis(index)
    cells = proda.predict(
        network, Task(None, forcing, covariates), n_draws=plan.n_draws, depth=plan.depth, rng=plan.seed
    )
    seen = land.covariates.to_numpy(float)
    here = covariates.to_numpy(float)
    beyond = ((here < seen.min(axis=0)) | (here > seen.max(axis=0))).sum(axis=1)
    cells["beyond"] = ("site", beyond, {"units": "1"})
    cells["beyond"].attrs["long_name"] = "covariates outside the range of the training sites"
    members = network.prior.from_real(np.moveaxis(network.parameters(covariates), 0, 1))
    cells["member_parameters"] = (("site", "network", "parameter"), members)
    cells["left_open"] = (("draw", "parameter"), network.left_open(LEFT_OPEN, plan.seed), {"units": "1"})
    cells["left_open"].attrs["long_name"] = "what no network tells, unbounded coordinates: the same draws in every cell"
    if isinstance(network, Hybrid):
        start = network.prior.from_real(network.outputs.start)
        cells["one_batch"] = ("parameter", start, {"long_name": "the one set that fits all sites best"})
    cells = _applicable(cells, Applicability.of(land.covariates, folds, network.scaling), covariates, plan)
    cells = cells.set_index(site=["latitude", "longitude"]).unstack("site")
    # Rows and columns without land too, so that the grid is even.
    even = {c: np.arange(v.min(), v.max() + step / 2, step) for c, v in (("latitude", y[used]), ("longitude", x[used]))}
    return cells.reindex(even, method="nearest", tolerance=step / 10).assign_attrs(grid=step)


def _applicable(cells: xr.Dataset, area: Applicability, covariates: pd.DataFrame, plan: Plan) -> xr.Dataset:
    """Nothing outside the area of applicability, unless it was asked for."""
    import xarray as xr

    index = area.index(covariates)
    shown = np.isfinite(cells["stock"].values) & (plan.everywhere | (index <= area.threshold))
    if not shown.any():
        raise InputError(
            f"No map: not one of its {shown.size} cells is like the places that were learned from. Take a smaller box, "
            "a finer grid, or profiles from more places."
        )
    everywhere = cells[[name for name, variable in cells.items() if "site" not in variable.dims]]
    cells = cells.drop_vars(list(everywhere)).where(xr.DataArray(shown, dims="site")).merge(everywhere)
    cells["dissimilarity"] = ("site", index, {"units": "1"})
    cells["dissimilarity"].attrs["long_name"] = "distance to the nearest profile's environment over the mean distance"
    return cells.assign_attrs(land=shown.size, shown=int(shown.sum()), threshold=area.threshold)


def _coordinates(at: pd.DataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    """Latitudes and longitudes of a table of places, longitudes from −180 on."""
    lacking = [name for name in ("latitude", "longitude") if name not in at]
    if lacking:
        raise InputError(
            f"the places have no column {lacking[0]!r}, but {', '.join(map(str, at.columns))}. Give latitude and "
            "longitude in degrees."
        )
    return as_places(at["latitude"], at["longitude"])


def _at(land: _Land, networks: _Networks, plan: Plan, at: pd.DataFrame) -> pd.DataFrame:
    """The table of places, with their stock by both methods; empty, with a note, where nothing is known."""
    lat, lon = _coordinates(at)
    used, forcing, covariates = _surroundings(lat, lon, land.climate, land.environment)
    if not used.any():
        raise InputError(f"not one of the {len(at)} places can be predicted: {NO_CELL}.")
    found = at.reset_index(drop=True)
    note = np.where(used, "", NO_CELL).astype(object)
    folds = _folds(land, plan)
    for name, network in (("proda", networks.proda), ("end_to_end", networks.end_to_end)):
        area = Applicability.of(land.covariates, folds, network.scaling)
        index = area.index(covariates)
        shown = plan.everywhere | (index <= area.threshold)
        note[np.flatnonzero(used)[index > area.threshold]] = "unlike the places that were learned from"
        said = proda.predict(
            network, Task(None, forcing, covariates), n_draws=plan.n_draws, depth=plan.depth, rng=plan.seed
        )
        for end in ("", "_lower", "_upper"):
            column = np.full(len(at), np.nan)
            column[used] = np.where(shown, said[f"stock{end}"].values, np.nan)
            found[f"{name}_stock{end} [kgC m-2]"] = column
        found["dissimilarity"] = np.nan
        found.loc[used, "dissimilarity"] = index
    return found.assign(note=note)


_TOO_MANY = (
    "a grid of {:g} degrees would have {:.2g} cells, more than memory holds; take a coarser grid or a smaller box."
)


def _cells(lat: NDArray[Any], lon: NDArray[Any], plan: Plan) -> tuple[Any, Any, float]:
    """Centres of the land cells of the map, and their size."""
    west, south, east, north = plan.box or (
        max(lon.min() - 1.0, -180.0), max(lat.min() - 1.0, -60.0),
        min(lon.max() + 1.0, 180.0), min(lat.max() + 1.0, 84.0),
    )  # fmt: skip
    for step in GRIDS if plan.grid is None else (plan.grid,):
        if (wanted := (north - south) * (east - west) / step**2) > 10 * LARGEST:
            raise InputError(_TOO_MANY.format(step, wanted))
        y, x = (
            a.ravel()
            for a in np.meshgrid(
                np.arange(np.floor(south / step) + 0.5, north / step) * step,
                np.arange(np.floor(west / step) + 0.5, east / step) * step,
                indexing="ij",
            )
        )
        on_earth = (np.abs(y) <= 90.0) & (np.abs(x) <= 180.0)
        y, x = y[on_earth], x[on_earth]
        land = inside(y, x)
        if land.sum() <= MOST_CELLS:
            break
    if land.sum() > LARGEST:
        raise InputError(_TOO_MANY.format(step, land.sum()))
    if not land.any():
        raise InputError(
            f"no land cell of {step:g} degrees has its centre between {south:g} and {north:g}° north, "
            f"{west:g} and {east:g}° east; take a finer grid or another box."
        )
    return y[land], x[land], float(step)


def _flat(cells: xr.Dataset) -> xr.Dataset:
    """The cells of a map that have a value, along "site"."""
    flat = cells.stack(site=("latitude", "longitude"))
    return flat.isel(site=np.flatnonzero(np.isfinite(flat["stock"].values)))


def _control(cells: xr.Dataset, land: _Land, plan: Plan) -> xr.Dataset:
    """Shares of the pattern of the map, one draw a network."""
    flat = _flat(cells)
    flat = flat.isel(site=np.flatnonzero(flat["stock_lower"].values > 0))
    if flat.sizes["site"] > CONTROL_CELLS:
        few = np.random.default_rng(plan.seed).permutation(flat.sizes["site"])[:CONTROL_CELLS]
        flat = flat.isel(site=np.sort(few))
    used, forcing, _ = _surroundings(
        flat["latitude"].values, flat["longitude"].values, land.climate, land.environment
    )
    theta = flat["member_parameters"].transpose("site", "network", "parameter").values[used]
    found = control(theta, forcing, depth=plan.depth).data
    return found.assign_attrs(cells=int(used.sum()))


def _default(sites: proda.Sites, land: _Land, plan: Plan) -> xr.Dataset:
    """Why CLM5 as published holds another amount of carbon than what was retrieved, draw by draw.

    Carbon of mean parameters is not mean carbon: it would lie too low.
    """
    few = np.sort(np.random.default_rng(plan.seed).permutation(len(sites))[:EFFICIENCY_SITES])
    theta = sites.prior.from_real(sites.draws[few, :DEFAULT_DRAWS])
    forcing = whole(land.forcing[few])
    found = compare(np.broadcast_to(clm5.DEFAULT, theta.shape), forcing, theta, depth=plan.depth).data
    return found.assign_attrs(sites=few.size)


def _efficiency(sites: proda.Sites, land: _Land, maps: tuple[xr.Dataset, ...], plan: Plan) -> xr.Dataset:
    """Carbon use efficiency against ln stock, at the profiles and on the maps, and what a profile tells of it."""
    import xarray as xr

    rng = np.random.default_rng(plan.seed)
    few = np.sort(rng.permutation(len(sites))[:EFFICIENCY_SITES])
    forcing, before = expand(land.forcing[few]), sites.prior.sample(sites.draws.shape[1], rng=rng)
    after = clm5.carbon_use_efficiency(sites.prior.from_real(sites.draws[few]), forcing)[0]
    prior = clm5.carbon_use_efficiency(np.broadcast_to(before, (few.size, *before.shape)), forcing)[0]
    theta = sites.prior.from_real(sites.mean)
    found = {"at the profiles": _goes_with_carbon(theta, land.forcing, plan)}
    for name, cells in zip(("on PRODA's map", "end to end"), maps):
        if "skipped" not in cells.attrs:
            flat = _flat(cells)
            used, there, _ = _surroundings(
                flat["latitude"].values, flat["longitude"].values, land.climate, land.environment
            )
            at = flat["parameters"].transpose("site", "parameter").values[used]
            found[name] = _goes_with_carbon(at.astype(float), there, plan)
    r = xr.DataArray(list(found.values()), {"where": list(found)}, attrs={"units": "1"})
    told = 1.0 - float(after.var(axis=1, ddof=1).mean() / prior.var(axis=1, ddof=1).mean())
    return xr.Dataset({"r": r}, attrs={"told": told, "sites": int(few.size)})


def _against_truth(sites: proda.Sites, land: _Land, networks: _Networks, plan: Plan) -> xr.Dataset:
    """What was found of parameters, control and efficiency at the places of a twin, against its truth."""
    import xarray as xr

    if land.theta is None:
        raise InputError("The profiles are measured, and their truth is not known; --twin makes a world where it is.")
    true = sites.prior.to_real(land.theta)
    both: dict[str, Any] = {"PRODA": networks.proda, "end to end": networks.end_to_end}
    z = {name: network.parameters(land.covariates) for name, network in both.items()}
    told = {"own profile": sites.mean, **{name: members.mean(axis=0) for name, members in z.items()}}
    r = [[np.corrcoef(true[:, k], found[:, k])[0, 1] for k in range(true.shape[1])] for found in told.values()]
    goes = {"truth": land.theta, **{name: sites.prior.from_real(found) for name, found in told.items()}}
    few = np.sort(np.random.default_rng(plan.seed).permutation(len(sites))[:CONTROL_CELLS])
    forcing = whole(land.forcing[few])
    right = control(land.theta[few][:, None], forcing, depth=plan.depth).data["share"].isel(draw=0)
    place = land.covariates.iloc[few]
    # Networks agree on what no profile tells: the interval is over possible maps, which scatter about them.
    drawn = {name: network.sample(place, TWIN_MAPS, rng=plan.seed) for name, network in both.items()}
    said = [control(sites.prior.from_real(maps), forcing, depth=plan.depth).data["share"] for maps in drawn.values()]
    return xr.Dataset(
        {
            "r": (("approach", "parameter"), r, {"units": "1"}),
            "efficiency": ("who", [_goes_with_carbon(theta, land.forcing, plan) for theta in goes.values()]),
            "share": xr.concat(said, xr.DataArray(list(drawn), dims="map"), join="exact"),
            "true_share": ("component", right.values, {"units": "1"}),
        },
        coords={"approach": list(told), "parameter": list(sites.prior.names), "who": list(goes)},
        attrs={"sites": len(sites)},
    )


def _goes_with_carbon(theta: NDArray[np.float64], forcing: Any, plan: Plan) -> float:
    """Correlation of carbon use efficiency with ln stock over the places that hold carbon."""
    thick = np.diff(np.minimum(np.append(0.0, clm5.LAYERS.bottom), plan.depth))
    found = []
    for part in pieces(len(theta)):
        here = whole(forcing[part])
        stock = clm5.observed_values(theta[part], here) @ thick
        some = stock > 0
        found.append(np.stack([clm5.carbon_use_efficiency(theta[part][some], here[some])[0], np.log(stock[some])]))
    return float(np.corrcoef(np.concatenate(found, axis=1))[0, 1])


def _stage(store: Store, name: str, card: dict[str, Any], make: Callable[[], xr.Dataset]) -> xr.Dataset:
    """The stored result of these very options, or a new one, or why there is none."""
    import xarray as xr

    try:
        return store.once(name, card, make)
    except Exception as error:  # whatever it is, the other stages are worth having
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        made = xr.Dataset(attrs={"skipped": f"{kind}{error}"})
        return made if short(error) else store.write(name, card, made)
