"""A finished run under another climate: what the learned columns do by 2100.

::

    proda.nc → parameters at some cells → `forecasting.projection.project` → project.nc, project.html

====================== ==================================================================== ============
structure              its parameters                                                       draws
====================== ==================================================================== ============
PRODA, end to end      those of each network of the run's maps, and what they leave open    see below
one batch              the one set that fits all profiles of the run best                   1
CLM5 as published      `clm5.DEFAULT` everywhere                                            1
====================== ==================================================================== ============

A set is a network's parameters plus one draw of what no network tells, the same draw in every cell, as in the
maps of the run: errors of two parameters stay together. All sets agree on the carbon of today as well as the
run knows it; what they do next is the question.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.parameters import Prior
from landcarbon.course import plots
from landcarbon.datasets.climate import forcing_at
from landcarbon.forecasting.projection import SCENARIOS, Scenario, project, variance_by_source
from landcarbon.matrix.errors import InputError, as_rng, as_whole
from landcarbon.models import clm5
from landcarbon.store import put
from landcarbon.workflow.region import read, write
from landcarbon.workflow.report import html_figure, html_page, html_table

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["project_run", "scenarios_of"]

Array = NDArray[np.float64]

MAPS = {"map": "PRODA", "end_to_end": "end to end"}
PUBLISHED = "CLM5 as published"
ONE = "one batch"


def project_run(
    run: str | os.PathLike[str],
    out: str | os.PathLike[str],
    scenarios: Sequence[Scenario] | xr.Dataset = SCENARIOS,
    *,
    climate: xr.Dataset | None = None,
    n_places: int = 200,
    n_draws: int = 5,
    until: int = 2100,
    seed: int = 0,
    tell: Callable[[str], None] = print,
) -> dict[str, xr.Dataset]:
    """Project the maps of a finished run.

    Parameters
    ----------
    run : path
        Folder of a finished run, or its proda.nc.
    out : path
        Folder that gets project.nc and project.html.
    scenarios : sequence of Scenario, or xarray.Dataset
        A Dataset over "scenario" and "year", see `Scenario.labelled`.
    climate : xarray.Dataset, optional
        That of the run; "biome4" if not given.
    n_places : int
        Cells of the maps, drawn at random by their area.
    n_draws : int
        Parameter sets a network.
    until : int
        Year.
    seed : int
    tell : callable
        Gets a line of text after each stage.

    Returns
    -------
    dict of str to xarray.Dataset
        "projection", from `project`, and "variance", from `variance_by_source`.

    Raises
    ------
    InputError
        No finished run, one without maps or of another process model, a file that is no scenario.
    """
    n_places, n_draws = as_whole("n_places", n_places, 1), as_whole("n_draws", n_draws, 1)
    rng = as_rng(as_whole("seed", seed))
    path = Path(run)
    found = read(path / "proda.nc" if path.is_dir() else path)
    maps = {name: found[group] for group, name in MAPS.items() if "left_open" in found[group]}
    if not maps:
        raise InputError(
            "this run has no map with parameters of each network; a summary holds none, and a run without a map "
            "says why in its report."
        )
    lat, lon = _places(maps, n_places, rng)
    at = forcing_at(lat, lon, climate)
    lat, lon, land = lat[at.used], lon[at.used], at.forcing
    theta: dict[str, Array] = {}
    for name, cells in maps.items():
        theta[name] = _draws(_at(cells, lat, lon), n_draws, rng)
        tell(f"{name}: {theta[name].shape[1]} networks, {n_draws} sets each")
        if "one_batch" in cells:
            theta[ONE] = np.broadcast_to(cells["one_batch"].values, (len(lat), 1, 1, len(clm5.PARAMETERS)))
    learned = list(theta)
    theta[PUBLISHED] = np.broadcast_to(clm5.DEFAULT, (len(lat), 1, 1, len(clm5.PARAMETERS)))
    chosen = scenarios if isinstance(scenarios, Sequence) else scenarios_of(scenarios, lat, lon)
    projection = project(theta, land, chosen, until=until).assign_coords(
        latitude=("place", lat, {"units": "degrees_north"}), longitude=("place", lon, {"units": "degrees_east"})
    )
    result = {"projection": projection, "variance": variance_by_source(projection.sel(structure=learned))}
    result["published"] = variance_by_source(projection.sel(structure=[PUBLISHED]))[["change"]]
    tell(f"books are closed to {projection.attrs['imbalance']:.0e} of what a column holds")
    Path(out).mkdir(parents=True, exist_ok=True)
    write(result, Path(out) / "project.nc")
    put(page(result), Path(out) / "project.html")
    tell(f"results: {Path(out) / 'project.nc'}, {Path(out) / 'project.html'}")
    return result


def scenarios_of(data: xr.Dataset, latitude: Any = None, longitude: Any = None) -> list[Scenario]:
    """One scenario for each label of "scenario" in a labelled Dataset; one in all where it has none."""
    if "scenario" not in data.coords:
        return [Scenario.labelled("scenario", data, latitude, longitude)]
    return [
        Scenario.labelled(str(name), data.sel(scenario=name, drop=True), latitude, longitude)
        for name in data["scenario"].values
    ]


def _places(maps: Mapping[str, xr.Dataset], n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Some of the cells that every map shows, drawn by area."""
    shown = np.logical_and.reduce([np.isfinite(cells["stock"].values) for cells in maps.values()])
    first = next(iter(maps.values()))
    y, x = np.nonzero(shown)
    if not y.size:
        raise InputError("the maps of this run have no cell in common.")
    area = np.cos(np.deg2rad(first["latitude"].values[y]))
    few = np.sort(rng.choice(y.size, min(n, y.size), replace=False, p=area / area.sum()))
    return first["latitude"].values[y[few]].astype(float), first["longitude"].values[x[few]].astype(float)


def _at(cells: xr.Dataset, lat: Array, lon: Array) -> xr.Dataset:
    import xarray as xr

    return cells.sel(latitude=xr.DataArray(lat, dims="place"), longitude=xr.DataArray(lon, dims="place"))


def _draws(cells: xr.Dataset, n: int, rng: np.random.Generator) -> Array:
    """Parameters (place, network, draw, p): those of each network, and draws of what it leaves open."""
    prior = Prior(clm5.PARAMETERS)
    if list(cells["parameter"].values) != list(prior.names):
        raise InputError("the parameters of this run are not those of landcarbon.models.clm5.")
    member = _inside(prior, cells["member_parameters"].transpose("place", "network", "parameter").values)
    noise = cells["left_open"].transpose("draw", "parameter").values.astype(float)
    rows = rng.choice(len(noise), (member.shape[1], n))
    theta: Array = prior.from_real(member[:, :, None] + noise[rows])
    return theta


def _inside(prior: Prior, theta: Any) -> Array:
    """Unbounded coordinates; single precision of the file may have put a value on its bound."""
    table = prior.table
    margin = 1e-6 * (table.upper - table.lower)
    z: Array = prior.to_real(np.clip(np.asarray(theta, dtype=float), table.lower + margin, table.upper - margin))
    return z


# --- the page ------------------------------------------------------------------------------------


def page(result: Mapping[str, xr.Dataset]) -> str:
    """project.html, from the groups of project.nc."""
    projection, variance = result["projection"], result["variance"]
    depth, n = float(projection.attrs["depth"]), projection.sizes["place"]
    first, last = (int(projection["time"].values[k]) for k in (0, -1))
    structures = [str(s) for s in variance["structure"].values]
    title = "Soil carbon through time"
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{n} cells of the maps of this run, from {first} to {last}. Every column starts at the steady state of "
        f"today's climate; what is told is the change of soil carbon to {depth:g} m since then. The scenarios are "
        "plain numbers or the user's own; none is a forecast.</p>",
        "<h2>What changes, and how far the columns agree</h2>",
        _changes(variance, result["published"], structures),
        f"<p class=small>kgC m⁻² by {last}: mean over networks and draws; where there are several, 90 % of them in "
        "brackets.</p>",
        _fans(variance, structures),
        "<h2>Who owns the spread</h2>",
        _shares(variance),
        "<p>Scenario: which climate comes. Structure: PRODA, end to end or one batch. Network: members of the same "
        "method. Parameters: what the networks leave open. Interactions: how far these answer the scenarios "
        "differently.</p>",
        "<h2>How far to trust it</h2>",
        "<p>The columns know carbon of today. How it answers warming hangs on q10, of which a profile says next to "
        "nothing, and on how much of the carbon turns over within a century, of which radiocarbon says more. "
        "Litter follows a factor, not a vegetation.</p>",
    ]
    return html_page(title, parts)


def _changes(variance: xr.Dataset, published: xr.Dataset, structures: list[str]) -> str:
    last = variance["change"].isel(time=-1)
    old = published["change"].isel(time=-1, structure=0)
    rows = []
    for scenario in variance["scenario"].values:
        cells = [str(scenario)]
        for name in structures:
            values = last.sel(scenario=scenario, structure=name).values.ravel()
            values = values[np.isfinite(values)]
            low, high = np.quantile(values, [0.05, 0.95])
            cells.append(f"{values.mean():+.2f}" + (f" ({low:+.2f} to {high:+.2f})" if values.size > 1 else ""))
        rows.append((*cells, f"{float(np.nanmean(old.sel(scenario=scenario).values)):+.2f}"))
    return html_table(("scenario", *structures, PUBLISHED), rows)


def _fans(variance: xr.Dataset, structures: list[str]) -> str:
    names = [str(s) for s in variance["scenario"].values if str(s) != "no change"]
    if not names:
        return ""
    wide = min(3, len(names))
    rows = -(-len(names) // wide)
    fig, axes = plots.figure(7.6, 2.5 * rows, rows, wide, sharex=True, sharey=True, squeeze=False)
    colours = list(plots.PALETTE.values())
    said = []
    for ax, scenario in zip(axes.ravel(), names):
        for name, colour in zip(structures, colours):
            values = variance["change"].sel(scenario=scenario, structure=name).stack(all=("network", "draw"))
            low, mid, high = np.nanquantile(values.transpose("time", "all").values, [0.05, 0.5, 0.95], axis=1)
            ax.fill_between(variance["time"].values, low, high, color=colour, alpha=0.2, lw=0)
            ax.plot(variance["time"].values, mid, color=colour, label=name)
            said.append(f"{scenario}, {name}: {mid[-1]:+.2f}")
        ax.set_title(scenario, fontsize=9)
    for ax in axes.ravel()[len(names) :]:
        ax.axis("off")
    for ax in axes.ravel()[len(names) - wide : len(names)]:
        ax.tick_params(labelbottom=True)  # the lowest of each column
    axes[0, 0].legend(fontsize=7)
    for ax in axes[:, 0]:
        ax.set_ylabel("change [kgC m⁻²]")
    return html_figure(fig, "Change of soil carbon by scenario, kgC m⁻² at the end: " + "; ".join(said) + ".")


def _shares(variance: xr.Dataset) -> str:
    last = variance.isel(time=-1)
    rows = [(str(part), f"{100 * float(last['share'].sel(part=part)):.0f} %") for part in variance["part"].values]
    return html_table(("source", f"share of the variance in {int(variance['time'].values[-1])}"), rows)
