"""One page that says what a region's run has found: text, tables and pictures in one HTML file.

::

    groups of proda.nc → page(groups) → HTML that asks no other host for anything

Everything on the page comes out of the result file, so an old result can be drawn again:
``page(region.read("proda.nc"))``. The synthetic twin world is named as such in the title.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from landcarbon.course import plots
from landcarbon.datasets.twin import stored_surveys
from landcarbon.learning.evaluation import Evaluation
from landcarbon.workflow.verdict import NAMES, by_depth, most_explained, verdict

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["html_figure", "html_page", "html_table", "page"]

Groups = Mapping[str, "xr.Dataset"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; }
figcaption, .small { color: #444; font-size: .9rem; }
"""


def page(result: Groups) -> str:
    """The page as text.

    Parameters
    ----------
    result : mapping of str to xarray.Dataset
        The groups of :func:`landcarbon.workflow.region.run` or :func:`landcarbon.workflow.region.read`.

    Returns
    -------
    str
        HTML.
    """
    synthetic = bool(_count(result["sites"], "synthetic"))
    title = "Soil carbon by PRODA" + (" (synthetic world)" if synthetic else "")
    parts = [f"<h1>{title}</h1>"]
    if synthetic:
        parts.append("<p><strong>Every profile here is synthetic: nothing was measured.</strong></p>")
    sections: tuple[tuple[str, str, Callable[[Groups], str]], ...] = (
        ("In short", "sites", _verdict),
        ("What went in", "sites", _account),
        ("How well places are predicted that were left out", "evaluation", _skill),
        ("The map by PRODA", "map", _map),
        ("The map end to end", "end_to_end", partial(_map, group="end_to_end")),
        ("What both maps say of the parameters", "map", _parameters),
        ("What the profiles know of the parameters", "sites", _information),
        ("What was found, against the truth of this twin", "truth", _truth),
        ("Which process controls the pattern of the map", "control", _control),
        ("Why CLM5 as published holds another amount of carbon", "default", _default),
        ("How this was made", "sites", _made),
    )
    for heading, group, write in sections:
        if group == "truth" and not synthetic:
            continue
        parts.append(f"<h2>{heading}</h2>")
        parts.append(_section(write, result, group))
    return html_page(title, parts)


def html_page(title: str, parts: list[str]) -> str:
    """A page that asks no other host for anything."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def _section(write: Callable[[Groups], str], result: Groups, group: str) -> str:
    """What there is to say, or why nothing is."""
    skipped = result[group].attrs.get("skipped")
    if not skipped:
        try:
            return write(result)
        except Exception as error:  # the other sections are worth having
            skipped = f"{type(error).__name__}: {error}"
    return f"<p>Left out: {escape(str(skipped))}</p>"


def _count(data: xr.Dataset, name: str) -> int:
    """A whole number among the attributes of a group; words of a file never reach the page as they are."""
    return int(data.attrs[name])


def html_figure(fig: Figure, alt: str, caption: str = "") -> str:
    """A picture within the page, with its alternative text."""
    data = base64.b64encode(plots.png(fig, limit_kb=150)).decode("ascii")
    return (
        f'<figure><img alt="{escape(alt)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def html_table(head: tuple[str, ...], rows: Any) -> str:
    """A table of texts and numbers, as the page shows them."""
    def line(cells: Any, tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{typeset(str(c))}</{tag}>" for c in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f"<table>\n<thead>{line(head, 'th')}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def typeset(text: str) -> str:
    """Text for a page: escaped, a true minus before numbers, and no sign before a nought.

    Examples
    --------
    >>> typeset("bias -0.00 (-0.12 to +0.00) < 1")
    'bias 0.00 (−0.12 to 0.00) &lt; 1'
    """
    text = re.sub(r"(?<![\w.])[-+](?=0\.0+(?!\d))", "", escape(text))
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)


# --- sections ------------------------------------------------------------------------------------


def _verdict(result: Groups) -> str:
    return (
        "<ul>" + "".join(f"<li>{typeset(sentence)}</li>" for sentence in verdict(result)) + "</ul>"
    )


def _account(result: Groups) -> str:
    sites = result["sites"]
    about = sites.attrs
    failed = json.loads(about["failed"])
    notes = json.loads(about["notes"])
    rows = zip(
        sites["reason"].values, sites["account_profiles"].values, sites["account_layers"].values
    )
    parts = [
        f"<p>{_count(sites, 'read')} profiles were read and {_count(sites, 'used')} can be used. Of these, "
        f"{_count(sites, 'without_a_cell')} lie too far from any cell of the climate and the environment, and "
        f"{len(failed)} could not be assimilated. {_count(sites, 'assimilated')} are behind everything below."
        " The file profiles.csv says for each profile what became of it.</p>",
        html_table(("", "profiles", "layers"), rows),
    ]
    if failed:
        parts.append(html_table(("could not be assimilated", "why"), failed.items()))
    if notes:
        items = "".join(f"<li>{escape(str(note))}</li>" for note in notes)
        many = "note" if len(notes) == 1 else "notes"
        parts.append(
            f'<details class="small"><summary>{len(notes)} {many} on the profiles</summary>'
            f"<ul>{items}</ul></details>"
        )
    return "\n".join(parts)


def _skill(result: Groups) -> str:
    data = result["evaluation"]
    evaluation = Evaluation.from_dataset(data)
    table = evaluation.table
    fig, ax = plots.figure(7, 0.9 + 0.36 * len(table))
    names = [NAMES.get(str(name), str(name)) for name in table.index]
    bars = ax.barh(
        names, table["r2"], color=[plots.PALETTE["sky" if h else "yellow"] for h in table["held_out"]],
        edgecolor="black", capsize=3,
        xerr=np.maximum([table["r2"] - table["lower"], table["upper"] - table["r2"]], 0.0),
    )  # fmt: skip
    for bar, held in zip(bars, table["held_out"]):
        bar.set_hatch("" if held else "//")
    ax.invert_yaxis()
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_xlabel("R² of ln carbon (hatched: not held out)")
    alt = "Bars of R² with 95 % intervals: " + ", ".join(
        f"{name} {r2:.2f}" for name, r2 in zip(names, table["r2"])
    )
    rows = (
        (
            name, f"{row.r2:.2f}", f"{row.lower:.2f} to {row.upper:.2f}", f"{row.rmse:.2f}",
            f"{row.bias:+.2f}", "" if np.isnan(row.coverage) else f"{row.coverage:.0%}",
        )
        for name, row in zip(names, table.itertuples())
    )  # fmt: skip
    gaps = (
        (f"{NAMES.get(str(a), str(a))} minus {NAMES.get(str(b), str(b))}", f"{gap:+.3f}", f"{low:+.3f} to {high:+.3f}")
        for a, b, gap, low, high in zip(
            *(data[name].values for name in ("method", "rival", "gap", "gap_lower", "gap_upper"))
        )
    )
    return "\n".join(
        (
            f"<p>{_count(data, 'values')} values of {_count(data, 'sites')} profiles, {_count(data, 'folds')} folds, "
            f"{_count(data, 'blocks')} blocks left out whole. Everything is scored on ln carbon, where 0.1 is "
            "about 10 %.</p>",
            html_figure(fig, alt),
            html_table(("", "R²", "95 % interval", "RMSE", "bias", "coverage of 90 %"), rows),
            "<p>A gap whose interval holds 0 cannot be told from nothing; both methods are scored on the "
            "same resampled blocks.</p>",
            html_table(("", "gap of R²", "95 % interval"), gaps),
            _depths(data, result["sites"]),
            _scatter(evaluation),
        )
    )


def _depths(data: xr.Dataset, sites: xr.Dataset) -> str:
    """What is too high or too low at which depth, and what no map could do better."""
    off = by_depth(data).dropna("band", how="all")
    rows = (
        (
            NAMES.get(name, name),
            *("" if np.isnan(x) else f"{x:+.2f}" for x in off.sel(approach=name).values),
        )
        for name in off["approach"].values.tolist()
    )
    most = most_explained(data, sites)
    words = "No two profiles lie in one half-degree cell, so nothing says how much a map can explain at most."
    if most is not None:
        words = (
            f"No map on cells of half a degree can exceed R² {most:.2f} on these profiles: those of one cell differ at "
            "the same depth, and a map says one thing for both."
        )
    return (
        "<p>Predicted minus measured ln carbon by depth; one bias for all can hide two that cancel.</p>"
        + html_table(("", *off["band"].values.tolist()), rows)
        + f"<p>{words}</p>"
    )


def _scatter(evaluation: Evaluation) -> str:
    data = evaluation.predictions
    seen = np.isfinite(data["observed"].values)
    x = np.exp(data["observed"].values[seen]) / 1000.0
    y = np.exp(data["predicted"].sel(approach="proda").values[seen]) / 1000.0
    fig, ax = plots.figure(5.4, 4.6)
    drawn = ax.hexbin(x, y, gridsize=45, xscale="log", yscale="log", mincnt=1, cmap="viridis")
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    ax.plot(ends, ends, color="black", linewidth=1.0, label="equal")
    ax.set_xlabel("measured carbon [kgC m⁻³]")
    ax.set_ylabel("PRODA, held out [kgC m⁻³]")
    ax.legend(loc="upper left")
    fig.colorbar(drawn, ax=ax, label="values")
    off = float(np.median(np.abs(np.log(y / x))))
    return html_figure(
        fig,
        f"Measured against held-out predicted carbon, {x.size} values: the median value is off by a "
        f"factor of {np.exp(off):.1f}.",
    )


def _map(result: Groups, group: str = "map") -> str:
    cells = result[group]
    lat, lon = cells["latitude"].values, cells["longitude"].values
    stock = cells["stock"].transpose("latitude", "longitude").values
    low = cells["stock_lower"].transpose("latitude", "longitude").values
    high = cells["stock_upper"].transpose("latitude", "longitude").values
    beyond = cells["beyond"].transpose("latitude", "longitude").values
    step = float(cells.attrs["grid"])
    frame = (lon[0] - step, lat[0] - step, lon[-1] + step, lat[-1] + step)
    wide = (frame[2] - frame[0]) / (frame[3] - frame[1])
    height = float(np.clip(6.2 / wide + 0.9, 3.0, 6.5))
    out = []
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(low > 0, high / low, np.nan)
    for values, label, colours, alt in (
        (stock, "carbon stock [kgC m⁻²]", "viridis",
         f"Map of predicted carbon stock: median {np.nanmedian(stock):.1f}, 5 to 95 % of the cells "
         f"between {np.nanpercentile(stock, 5):.1f} and {np.nanpercentile(stock, 95):.1f} kgC m⁻²."),
        (ratio, "upper over lower end of the interval", "cividis",
         f"Map of the width of the interval: a factor of {np.nanmedian(ratio):.1f} at the median cell."),
    ):  # fmt: skip
        fig, ax = plots.figure(7.6, height)
        plots.map(ax, lat, lon, values, region=frame, label=label, colours=colours)
        if values is stock:
            y, x = np.nonzero((beyond > 0) & np.isfinite(stock))
            ax.scatter(lon[x], lat[y], s=3, color="white", edgecolors="black", linewidths=0.3, zorder=4,
                       label="environment unlike any profile's")
            ax.legend(loc="lower left", fontsize=8)
        out.append(html_figure(fig, alt, alt))
    shown, land = _count(cells, "shown"), _count(cells, "land")
    share = float((beyond[np.isfinite(stock)] > 0).mean())
    level = float(cells.attrs["level"])
    out.append(
        f"<p>Cells of {step:g}°; {shown} of the {land} on land are shown. Where the environment is farther from every "
        f"profile's than folds were apart (dissimilarity above {float(cells.attrs['threshold']):.2f}, Meyer and "
        "Pebesma 2021, doi:10.1111/2041-210X.13650), nobody has tested the network, and nothing is shown unless it "
        f"was asked for. Every figure is over the cells shown. Intervals of {level:.0%} carry the posteriors of the "
        "training sites, what the environment does not tell, and the disagreement of the networks. In "
        f"{share:.0%} of these cells (dots) at least one covariate lies outside the range of the profiles.</p>"
    )
    return "\n".join(out)


def _parameters(result: Groups) -> str:
    """Panels of the parameters that profiles know most of, PRODA above end to end."""
    known = result["sites"]["information"].mean("site").to_series().sort_values(ascending=False)
    maps = {"PRODA": result["map"], "end to end": result["end_to_end"]}
    maps = {name: cells for name, cells in maps.items() if "skipped" not in cells.attrs}
    best = [str(name) for name in known.index[:4]]
    fig, axes = plots.figure(8.4, 1.2 + 1.7 * len(maps), rows=len(maps), columns=len(best), squeeze=False)
    alike = []
    for k, name in enumerate(best):
        shown = [c["parameters"].sel(parameter=name).transpose("latitude", "longitude").values for c in maps.values()]
        ends = np.nanpercentile(np.stack([v.ravel() for v in shown]), [2, 98])
        for ax, values, (who, cells) in zip(axes[:, k], shown, maps.items()):
            lon, lat = cells["longitude"].values, cells["latitude"].values
            land = np.isfinite(cells["dissimilarity"].transpose("latitude", "longitude").values)
            ax.pcolormesh(lon, lat, np.where(land, 0.0, np.nan), cmap="Greys", vmin=-1.0, vmax=2.0)
            drawn = ax.pcolormesh(lon, lat, values, cmap="viridis", vmin=ends[0], vmax=ends[1])
            ax.set_title(f"{name}, {who}", fontsize=8)
            ax.tick_params(labelsize=6)
        unit = str(result["map"]["units"].sel(parameter=name).item())
        bar = fig.colorbar(drawn, ax=list(axes[:, k]), orientation="horizontal", pad=0.03, label=f"{name} [{unit}]")
        bar.ax.tick_params(labelsize=6)
        if len(shown) == 2:
            both = np.isfinite(shown[0]) & np.isfinite(shown[1])
            alike.append(f"{name} {np.corrcoef(shown[0][both], shown[1][both])[0, 1]:+.2f}")
    text = "Maps of the four parameters that profiles know most of; grey where no profile has such an environment."
    if alike:
        text += " Correlation of the two methods over the cells: " + ", ".join(alike) + "."
    return html_figure(fig, text, text) + (
        "<p>The result file has all parameters. Where two methods that fit carbon alike disagree on a parameter, "
        "the data do not know it.</p>"
    )


def _information(result: Groups) -> str:
    sites = result["sites"]
    known = sites["information"].mean("site").to_series().sort_values(ascending=False)
    total = float(sites["information"].sum("parameter").median())
    fig, ax = plots.figure(7, 4.6)
    ax.barh([str(name) for name in known.index], known, color=plots.PALETTE["blue"])
    ax.invert_yaxis()
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_xlabel("share of the prior variance that a profile removes")
    best = ", ".join(f"{name} {value:.2f}" for name, value in known.iloc[:3].items())
    return html_figure(
        fig,
        f"Bars: mean share of the prior variance removed by a profile; most for {best}; for the median "
        f"parameter {known.median():.2f}.",
    ) + (
        f"<p>The median profile removes the uncertainty of {total:.1f} parameters out of {len(known)}. "
        "Maps of single parameters must be read with that in mind.</p>"
    )


def _bars(data: xr.Dataset, label: str) -> tuple[str, str]:
    names = [str(c) for c in data["component"].values]
    low, mid, high = np.quantile(data["share"].values, [0.05, 0.5, 0.95], axis=1)
    order = np.argsort(-np.abs(mid), kind="stable")
    fig, ax = plots.figure(7, 2.9)
    ax.barh(
        [names[k] for k in order], mid[order], color=plots.PALETTE["green"], edgecolor="black", capsize=3,
        xerr=[(mid - low)[order], (high - mid)[order]],
    )  # fmt: skip
    ax.invert_yaxis()
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_xlabel(label)
    text = ", ".join(f"{names[k]} {mid[k]:+.2f} ({low[k]:+.2f} to {high[k]:+.2f})" for k in order)
    return html_figure(fig, f"Bars of {label}: {text}."), text


def _control(result: Groups) -> str:
    data = result["control"]
    figure, _ = _bars(data, "share of the variance of ln stock over the land")
    return figure + (
        f"<p>Every component was set to its mean over {_count(data, 'cells')} cells, in all combinations; "
        "shares sum to 1. The interval is over the networks of the ensemble only. A profile cannot tell "
        "every component from every other, so a share can stand for its neighbour's.</p>"
    )


def _default(result: Groups) -> str:
    data = result["default"]
    total = float(data["total"].median())
    figure, _ = _bars(data, "part of the difference in mean ln stock")
    return (
        f"<p>At {_count(data, 'sites')} profiles the retrieved parameters hold "
        f"{np.exp(total):.2f} times the carbon of CLM5 as published, whose decomposition hardly slows "
        "with depth (e-folding depth 10 m, outside the prior). Swapping one component after the "
        f"other, in all orders, gives each its part of the difference of {total:+.2f} in ln stock.</p>"
    ) + figure


def _truth(result: Groups) -> str:
    """Parameters, control and efficiency, each beside what is true."""
    found = result["truth"]
    known = result["sites"]["information"].mean("site").to_series().sort_values(ascending=False)
    methods = found["approach"].values.tolist()
    rows = (
        (name, f"{known[name]:.2f}", *(f"{found['r'].sel(approach=m, parameter=name).item():+.2f}" for m in methods))
        for name in known.index.tolist()
    )
    true = found["true_share"].values
    held: list[tuple[str, ...]] = [(n, f"{t:+.2f}") for n, t in zip(found["component"].values.tolist(), true)]
    for one in found["map"].values.tolist():
        maps = found["share"].sel(map=one).transpose("component", "draw").values
        low, high = np.quantile(maps, [0.05, 0.95], axis=1, method="weibull")  # unbiased for few draws
        inside = (low <= true) & (true <= high)
        held = [(*row, f"{a:+.2f} to {b:+.2f}{'' if ok else ' (missed)'}")
                for row, a, b, ok in zip(held, low, high, inside)]
    goes = ", ".join(f"{name} {r:+.2f}" for name, r in found["efficiency"].to_series().items())
    return "\n".join((
        f"<p>{_count(found, 'sites')} places. Correlation over them of what was found of each parameter with the "
        "truth, and the share of its prior variance that a profile removes:</p>",
        html_table(("", "a profile knows", *methods), rows),
        f"<p>Which component controls the pattern: its true share, and 90 % intervals over {found.sizes['draw']} "
        "possible maps, each a network and what the environment leaves open:</p>",
        html_table(("", "truth", *found["map"].values.tolist()), held),
        f"<p>{_trust()}</p>",
        f"<p>Correlation of carbon use efficiency with ln stock: {goes}. Another --seed is another truth; what comes "
        "out whatever the truth is, is no finding on real profiles.</p>",
    ))  # fmt: skip


def _trust() -> str:
    """How often such intervals held the truth, in the twins of the benchmark."""
    twins = stored_surveys()
    shares = twins[~twins["what"].str.contains("~")]
    said = []
    for way, name in (("maps", "PRODA"), ("end_to_end", "end to end")):
        held = shares["truth"].between(shares[f"{way}_lower"], shares[f"{way}_upper"]).groupby(shares["what"]).sum()
        said.append(f"{name} in {held.min()} ({held.idxmin()}) to {held.max()} ({held.idxmax()})")
    return (
        f"How far to trust such an interval? In {twins['twin'].nunique()} twins of a hundred ISRIC monoliths it held "
        f"the true share of a component, by {', by '.join(said)} of them, where 90 % were meant."
    )


def _made(result: Groups) -> str:
    about = result["sites"].attrs
    plan = json.loads(about["plan"])
    options = ", ".join(f"{name} {value}" for name, value in plan.items() if value is not None)
    return (
        f"<p>landcarbon, command <code>landcarbon proda</code>; {escape(options)}. Steady state of the CLM5 "
        "soil column; parameters by an ensemble smoother at each profile; a network from environment to "
        "parameters; the method is that of Tao et al. 2020 (doi:10.3389/fdata.2020.00017), with posteriors "
        "sampled as they are and skill measured on left-out blocks.</p>"
        '<p class="small">Known limits: soils are taken to be at steady state and drained, the climate is '
        "that of a half-degree cell unless a better one was given, and permafrost is crude.</p>"
    )
