"""Pictures of the course: one palette, line styles beside colours, alternative text on each.

Nothing is told by colour alone: `STYLES` pairs every colour of the Okabe–Ito palette with a line
style and a marker. `figure` opens a figure, `show` puts it into the notebook with its alternative
text; that sentence is also the plain-text form of the output, so the numbers in it are tested.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from numpy.typing import ArrayLike

from landcarbon.course.equations import Form, roman, terms
from landcarbon.course.output import emit, has_screen, in_notebook
from landcarbon.geo import as_box
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError, as_array

__all__ = [
    "PALETTE",
    "STYLES",
    "band",
    "equations",
    "figure",
    "map",
    "matrix",
    "png",
    "pool_diagram",
    "profile",
    "show",
    "target",
]

PALETTE = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "black": "#000000",
    "yellow": "#F0E442",
}
"""Okabe and Ito (2008), told apart with every common form of colour vision."""

STYLES = cycler(
    color=[PALETTE[c] for c in ("blue", "vermilion", "green", "orange", "purple", "sky", "black")],
    linestyle=["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), "-"],
    linewidth=[2.0, 2.0, 2.0, 2.4, 2.0, 2.0, 1.2],
)
MARKERS = ("o", "s", "^", "D", "v", "P", "x")

LIMIT_KB = 60
FEW_PIXELS = 40  # a colour on fewer pixels is the edge of something else
RENDER_WIDTH = 700  # CSS pixels a figure of the default width takes on the page

_RC: Any = {
    "axes.prop_cycle": STYLES,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.titleweight": "bold",
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
}


def figure(
    width: float = 7.0, height: float = 4.0, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """Open a figure in the style of the course.

    Parameters
    ----------
    width, height : float
        Size [inch]; 7 inches fill the text width of the page.
    rows, columns : int
        Number of axes.
    **options
        Passed on to `Figure.subplots` (``sharex=True``, ``width_ratios=(2, 1)`` …).

    Returns
    -------
    (Figure, Axes or array of Axes)

    Examples
    --------
    >>> fig, ax = figure()
    >>> _ = ax.plot([0, 1], [2, 3], label="carbon")
    """
    with mpl.rc_context(_RC):
        fig = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(fig)
        axes = fig.subplots(rows, columns, **options)
    return fig, axes


def png(fig: Figure, *, dpi: float = 150, colours: int = 96, limit_kb: float = LIMIT_KB) -> bytes:
    """The figure as a small PNG with a limited palette.

    Colours, then resolution, are lowered until the picture fits `limit_kb`.

    Raises
    ------
    InputError
        It does not fit even at a third of the resolution: draw fewer elements.
    """
    from PIL import Image

    size = 0.0
    # Below 48 colours the bars of maps show steps that are not there: the resolution gives way first.
    for scale, palette in ((1, colours), (1, 64), (0.8, 64), (0.65, 64), (0.5, 48), (0.4, 48), (0.33, 24)):
        raw = io.BytesIO()
        with mpl.rc_context(_RC):
            fig.savefig(raw, format="png", dpi=dpi * scale, facecolor="white")
        image = Image.open(raw).convert("RGB")
        small = io.BytesIO()
        _quantised(image, min(palette, colours)).save(small, "PNG", optimize=True)
        size = small.tell() / 1000
        if size <= limit_kb:
            return small.getvalue()
    raise InputError(
        f"The picture takes {size:.0f} kB, the limit is {limit_kb:.0f} kB: draw fewer points, or "
        f"rasterise a density instead of single points."
    )


def _quantised(image: Any, colours: int) -> Any:
    """The picture with so many colours, among them those of `PALETTE` that are drawn in it.

    A palette of the most frequent colours turns a thin orange line brown where a map or a sky full of
    points takes them all; the colours of lines are put back in.
    """
    from PIL import Image

    # The median cut gives its colours to what is frequent and is off by up to 100 of 255 in a bar of colours;
    # this one keeps the far ends, is off by 30 at most, and the files are smaller.
    choose: Any = {"method": Image.Quantize.MAXCOVERAGE, "dither": Image.Dither.NONE}
    plain = image.quantize(colours, **choose)
    kept = {colour for _, colour in plain.convert("RGB").getcolors(2**24)}
    drawn = {colour: count for count, colour in image.getcolors(2**24)}
    ours = [tuple(bytes.fromhex(code[1:])) for code in PALETTE.values()]
    lost = [rgb for rgb in ours if drawn.get(rgb, 0) >= FEW_PIXELS and rgb not in kept]
    if not lost:
        return plain
    others = image.quantize(colours - len(lost), **choose).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*others[: 3 * (colours - len(lost))], *(part for rgb in lost for part in rgb)])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def show(fig: Figure, alt: str) -> None:
    """Put a figure into the notebook, with its alternative text.

    In a script that runs in a terminal with a screen, the sentence is printed and the picture opens in the
    viewer of the system; where nobody looks (a pipe, a test, a machine without a screen) the sentence is all.

    Parameters
    ----------
    fig : Figure
        From `figure`.
    alt : str
        What the picture shows, in one or two sentences with its main numbers: read aloud by screen
        readers, and compared by the notebook tests.
    """
    if len(alt.split()) < 5:
        raise InputError(
            f"The alternative text {alt!r} is too short: say in a sentence what the figure shows."
        )
    width = min(RENDER_WIDTH, round(fig.get_figwidth() * 100))
    picture = png(fig)
    data = base64.b64encode(picture).decode("ascii")
    emit({"image/png": data, "text/plain": alt}, {"image/png": {"alt": alt, "width": width}})
    if not in_notebook() and has_screen():
        from PIL import Image

        Image.open(io.BytesIO(picture)).show(title=alt)


def band(
    ax: Axes, x: ArrayLike, lower: ArrayLike, upper: ArrayLike, *, label: str = "",
    colour: str = "blue", horizontal: bool = False,
) -> None:
    """Draw an interval as a ribbon; `horizontal` for intervals of x along y (profiles)."""
    fill = ax.fill_betweenx if horizontal else ax.fill_between
    fill(x, lower, upper, color=PALETTE[colour], alpha=0.25, linewidth=0, label=label or None)


def target(ax: Axes, lower: float, upper: float, label: str = "target") -> None:
    """Hatch the band an answer should fall into."""
    ax.axhspan(
        lower, upper, facecolor="#009E7322", edgecolor=PALETTE["green"], hatch="//", linewidth=0.8,
        label=label,
    )


def profile(
    ax: Axes, depth: ArrayLike, value: ArrayLike, *, label: str = "", style: int = 0,
    lower: ArrayLike | None = None, upper: ArrayLike | None = None, points: bool = False,
) -> None:
    """Draw a quantity against depth [m], the surface on top.

    Parameters
    ----------
    ax : Axes
    depth, value : array_like (layer,)
    label : str
    style : int
        Position in `STYLES`.
    lower, upper : array_like (layer,), optional
        Interval: a ribbon, or error bars for points.
    points : bool
        Markers for measurements instead of a line.
    """
    look: dict[str, Any] = list(STYLES)[style % len(STYLES)]
    z = as_array("depth", depth)
    if points:
        bars = None if lower is None or upper is None else (
            np.asarray(value) - np.asarray(lower), np.asarray(upper) - np.asarray(value)
        )
        ax.errorbar(
            value, z, xerr=bars, fmt=MARKERS[style % len(MARKERS)], color=look["color"],
            label=label or None, capsize=2,
        )
    else:
        if lower is not None and upper is not None:
            ax.fill_betweenx(z, lower, upper, color=look["color"], alpha=0.25, linewidth=0)
        ax.plot(value, z, label=label or None, **look)
    top = max(ax.get_ylim())
    ax.set_ylim(max(top if top > 1.0001 or z.max() < 1 else 0.0, z.max()), 0.0)
    ax.set_ylabel("depth [m]")


def map(
    ax: Axes, latitude: ArrayLike, longitude: ArrayLike, value: ArrayLike, *, label: str = "",
    region: str | tuple[float, float, float, float] = "world", colours: str = "viridis",
    limits: tuple[float, float] | None = None, size: float = 12.0,
) -> None:
    """Draw values at points, or on a regular grid, over a coastline, with a colour bar.

    Parameters
    ----------
    ax : Axes
    latitude, longitude : array_like
        Points: both (n,) with `value` (n,). Grid: (nlat,), (nlon,) with `value` (nlat, nlon).
    value : array_like
        NaN is left blank.
    label : str
        Quantity and unit.
    region : {"world", "conus"} or (west, south, east, north)
        What is shown; degrees.
    colours : str
        A perceptually even colour map, readable with any colour vision.
    limits : (float, float), optional
        Range of the colour bar; the 2nd and 98th percentile by default.
    size : float
        Size of points.
    """
    # Brings pandas, for which other pictures need not wait.
    from landcarbon.datasets.outlines import outline

    frames: dict[str, tuple[tuple[str, ...], tuple[float, float, float, float]]] = {
        "world": (("coast_110m",), (-180, -60, 180, 85)),
        "conus": (("conus_outline", "conus_states"), (-125.5, 24, -66, 50)),
    }
    if not isinstance(region, str):
        frames["own"], region = (("coast_110m",), region), "own"
    if region not in frames:
        raise InputError(f"There is no region {region!r}; choose one of {', '.join(frames)}.")
    outlines, box = frames[region]
    west, south, east, north = as_box(box, "region")
    z = np.asarray(value, dtype=float)
    lo, hi = limits or tuple(np.nanpercentile(z, [2, 98]))
    if z.ndim == 2:
        drawn: Any = ax.pcolormesh(
            longitude, latitude, z, cmap=colours, vmin=lo, vmax=hi, shading="nearest",
            rasterized=True,
        )
    else:
        drawn = ax.scatter(
            np.asarray(longitude), np.asarray(latitude), c=z, s=size, cmap=colours, vmin=lo,
            vmax=hi, linewidths=0.2, edgecolors="#444444", zorder=2,
        )
    for i, name in enumerate(outlines):
        lat, lon = outline(name).T
        ax.plot(lon, lat, color="#333333", linewidth=0.7 if i == 0 else 0.3,
                linestyle="-", zorder=1.5 if z.ndim == 1 else 3)
    ax.set_xlim(west, east)
    ax.set_ylim(south, north)
    middle = {"world": 0.0, "conus": 38.0}.get(region, 0.5 * (south + north))
    ax.set_aspect(1 / np.cos(np.deg2rad(middle)))
    ax.grid(False)
    ax.set_xlabel("longitude [°]")
    ax.set_ylabel("latitude [°]")
    figure_ = ax.get_figure()
    assert figure_ is not None
    figure_.colorbar(drawn, ax=ax, label=label, shrink=0.8, extend="both")


def matrix(
    ax: Axes, values: ArrayLike, *, rows: list[str] | tuple[str, ...] | None = None,
    columns: list[str] | tuple[str, ...] | None = None, numbers: bool | None = None,
    label: str = "", spy: bool = False,
) -> None:
    """Draw a matrix: signs by colour and by the printed numbers, or only where it is not zero.

    Parameters
    ----------
    ax : Axes
    values : array_like (rows, columns)
    rows, columns : sequence of str, optional
        Names; `columns` defaults to `rows`.
    numbers : bool, optional
        Print the entries; by default for at most 10 × 10.
    label : str
        Quantity and unit, beside the colour bar.
    spy : bool
        Only mark non-zero entries (large sparse matrices).
    """
    array = as_array("values", values, shape=(None, None))
    height, width = array.shape
    if spy:
        ax.imshow(array != 0, cmap="Greys", vmin=0, vmax=1.3, interpolation="nearest")
    else:
        reach = float(np.abs(array).max()) or 1.0
        drawn = ax.imshow(array, cmap="PuOr", vmin=-reach, vmax=reach, interpolation="nearest")
        figure_ = ax.get_figure()
        assert figure_ is not None
        figure_.colorbar(drawn, ax=ax, label=label, shrink=0.8)
        if numbers if numbers is not None else max(array.shape) <= 10:
            for i, j in np.ndindex(height, width):
                if array[i, j] != 0:
                    dark = abs(array[i, j]) > 0.65 * reach
                    ax.text(j, i, f"{array[i, j]:.3g}", ha="center", va="center", fontsize=8,
                            color="white" if dark else "black")
    ax.grid(False)
    if rows is not None:
        ax.set_yticks(range(height), rows)
        ax.set_xticks(range(width), columns if columns is not None else rows, rotation=45,
                      ha="right", rotation_mode="anchor")


def pool_diagram(
    model: MatrixModel, *, I: float | None = None, title: str = "", ax: Axes | None = None,
    unit: str = "gC m⁻² yr⁻¹", leaves: str = "fraction respired",
) -> Figure:
    """Draw a model as boxes and arrows, laid out like its transfer matrix.

    Pools stand on the diagonal. What leaves pool j runs along column j and turns into row i at the
    number f_ij, exactly where −f_ij stands in A. Input enters at the upper left corner of a box,
    respiration leaves at the upper right.

    Parameters
    ----------
    model : MatrixModel
        At most 8 pools, without leading axes.
    I : float, optional
        Total input; labels then give the flux B I instead of the share B.
    title : str
    ax : Axes, optional
        Draw here, beside something else, instead of in a figure of its own. Give it about one inch
        of width for each pool.
    unit : str
        Unit of the input.
    leaves : str
        What the broken arrows mean, where it is not respiration.

    Returns
    -------
    Figure
        The new figure, or the one that `ax` belongs to.

    Raises
    ------
    InputError
        More than 8 pools, or a model with leading axes.
    """
    n = model.n
    if n > 8:
        raise InputError(f"The model has {n} pools; a diagram stays legible up to 8. Use `matrix`.")
    if model.A.ndim != 2 or model.K.ndim != 1:
        raise InputError("Draw one model at a time: A and K must have no leading axes.")
    crowded = n > 4 or ax is not None
    fig: Figure
    if ax is None:
        side = 7.5 if crowded else max(5.4, 1.55 * n + 1.2)
        fig, own = figure(side, side * (0.5 + 0.045 * n) if crowded else 0.95 * n + 1.1)
        key = _draw_pools(own, model, I, crowded, unit, leaves)
        for place, (text, colour) in enumerate(key):
            fig.text(0.02 + 0.96 * place / len(key), 0.01, text, color=colour,
                     fontsize=8 if crowded else 9, va="bottom")
        own.set_position((0.0, 0.07, 1.0, 0.93))
        own.set_title(title)
        fig.set_layout_engine("none")
    else:
        parent = ax.get_figure()
        assert isinstance(parent, Figure)
        fig = parent
        key = _draw_pools(ax, model, I, crowded, unit, leaves)
        bottom, top = ax.get_ylim()
        ax.set_ylim(bottom + 0.28 * (bottom - top), top)  # room for the key, of the same size always
        for line, (text, colour) in enumerate(key):
            ax.text(0.02, 0.15 - 0.07 * line, text, color=colour, fontsize=8, va="center",
                    transform=ax.transAxes)
        ax.set_title(title)
    return fig


@dataclass(frozen=True)
class _Pencil:
    """What the parts of a pool diagram share: where they are drawn, and how large."""

    ax: Axes
    half_w: float
    half_h: float
    size: int

    def label(self, x: float, y: float, text: str, colour: str, **options: Any) -> None:
        options = {"ha": "center", "va": "center"} | options
        self.ax.text(x, y, text, fontsize=self.size, color=colour, zorder=5,
                     bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"}, **options)

    def arrow(self, tip: tuple[float, float], tail: tuple[float, float], zorder: int = 2, **look: Any) -> None:
        plain = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "linewidth": 1.5}
        self.ax.annotate("", tip, tail, arrowprops=plain | look, zorder=zorder)


def _draw_pools(
    ax: Axes, model: MatrixModel, I: float | None, crowded: bool, unit: str, leaves: str
) -> list[tuple[str, str]]:
    """Boxes and arrows; returns the key as texts with their colours."""
    f, share, r = model.transfer, np.asarray(model.B), model.respired_fraction
    share = share.sum(axis=-1) if share.ndim == 2 else share
    pencil = _Pencil(ax, *((0.45, 0.34, 8) if crowded else (0.36, 0.28, 9)))
    _draw_transfers(pencil, f)
    for i, name in enumerate(model.pools):
        _draw_box(pencil, i, name, model.K[i])
        if share[i] > 0:
            x, y = i - 0.24, i - pencil.half_h
            pencil.arrow((x, y), (x, y - 0.26), color=PALETTE["green"], linewidth=2.2)
            text = f"{share[i] * I:.3g}" if I is not None else f"{share[i]:.2g}"
            pencil.label(x, y - 0.33, text, PALETTE["green"])
        if r[i] > 1e-9 and model.K[i] > 0:
            x, y = i + pencil.half_w - 0.06, i - pencil.half_h
            pencil.arrow((x + 0.14, y - 0.22), (x, y), color=PALETTE["vermilion"], linestyle="--")
            pencil.label(x + 0.18, y - 0.27, f"{r[i]:.2g}", PALETTE["vermilion"])
    ax.set_xlim(-0.75, model.n - 0.25)
    ax.set_ylim(model.n - 0.6, -0.85)
    ax.axis("off")
    entering = f"input [{unit}]" if I is not None else "share of the input"
    key = [(f"→ {entering}", PALETTE["green"], bool(np.any(share > 0))),
           ("→ fraction passed on", PALETTE["blue"], bool(np.any(f > 0))),
           (f"⇢ {leaves}", PALETTE["vermilion"], bool(np.any(r > 1e-9)))]
    return [(text, colour) for text, colour, used in key if used]


def _draw_transfers(pencil: _Pencil, f: np.ndarray) -> None:
    """Arrows along the column of the giver and the row of the taker, with the fraction at the corner.

    Each has a way and a head of its own: arrows that share a row or a column are set apart, those from or
    to far away on the outside, so that arrows of one side do not cross.
    """
    colour, gap = PALETTE["blue"], pencil.half_h / 2.6
    arrows = [(int(i), int(j)) for i, j in zip(*np.nonzero(f > 0)) if i != j]
    for i, j in arrows:
        towards = 1 if i > j else -1
        into = sorted((abs(i - k) for t, k in arrows if t == i and (k < i) == (j < i)))
        out = sorted((abs(k - j) for k, s in arrows if s == j and (k > j) == (i > j)))
        place, turn = into.index(abs(i - j)), out.index(abs(i - j))
        y = i + towards * gap * (place - (len(into) - 1) / 2)
        x = j - towards * gap * (turn - (len(out) - 1) / 2)
        pencil.ax.plot([x, x], [j + towards * pencil.half_h, y], color=colour, linewidth=1.5, linestyle="-",
                       zorder=1)
        pencil.arrow((i - towards * pencil.half_w, y), (x, y), zorder=1, color=colour)
        aside = 0.14 * towards if turn < len(out) - 1 else 0.0  # off the way of arrows that go further
        pencil.label(x + aside, y, f"{f[i, j]:.2g}", colour, fontweight="bold")


def _draw_box(pencil: _Pencil, i: int, name: str, rate: float) -> None:
    """A pool with its name and its turnover time."""
    w, h = pencil.half_w, pencil.half_h
    pencil.ax.add_patch(FancyBboxPatch(
        (i - w, i - h), 2 * w, 2 * h, boxstyle="round,pad=0,rounding_size=0.06",
        facecolor="#f3f3f3", edgecolor="#222222", linewidth=1.2, zorder=3))
    period = f"{float(f'{1 / rate:.3g}'):g} yr" if rate > 0 else "no turnover"
    folded = _fold(name)
    pencil.ax.text(i, i - 0.08, folded, ha="center", va="center", fontsize=pencil.size,
                   fontweight="bold", zorder=4, linespacing=0.95)
    pencil.ax.text(i, i + (0.22 if "\n" in folded else 0.15), period, ha="center", va="center",
                   fontsize=pencil.size - 1, zorder=4)


def equations(
    ax: Axes, model: MatrixModel, *, I: float | None = None, form: Form = "numbers",
    names: Sequence[str] | None = None, size: float = 10.0, most: int = 3,
) -> None:
    """Write the balance equations beside a diagram: inputs and gains in the colours of its arrows.

    Parameters
    ----------
    ax : Axes
        Emptied of ticks and frame; one row for each pool, from the top.
    model : MatrixModel
        Without leading axes.
    I : float, optional
        Total input [gC m-2 yr-1]; the letter I where it is not given.
    form : {"numbers", "products", "symbols"}
        See `landcarbon.course.equations.terms`.
    names : sequence of str, optional
        What the pools are called; their own names by default.
    size : float
        Font size [pt].
    most : int
        Terms on a line; further ones go to the next.
    """
    fig = ax.get_figure()
    assert isinstance(fig, Figure)
    renderer = fig.canvas.get_renderer()  # type: ignore[attr-defined]
    colours = {"input": PALETTE["green"], "gain": PALETTE["blue"], "loss": PALETTE["black"]}
    found = terms(model, I=I, form=form, names=names)
    lines = [max(1, -(-len(row) // most)) for row in found]
    pitch = 1 / (sum(lines) + 0.6 * (len(lines) - 1) + 1)  # a gap of 0.6 lines between pools
    y = 1 - pitch

    def write(text: str, x: float, colour: str) -> float:
        """Put a piece of an equation at x [pt]; returns where it ends."""
        piece = ax.annotate(text, (0, y), xycoords="axes fraction", xytext=(x, 0),
                            textcoords="offset points", fontsize=size, color=colour)
        piece.set_in_layout(False)  # the diagram beside it keeps its place, however long the line
        return float(x + piece.get_window_extent(renderer).width * 72 / fig.dpi)

    for name, row in zip(model.pools if names is None else names, found):
        indent = x = write(rf"$\mathrm{{d}}X_{{{roman(name)}}}/\mathrm{{d}}t\;=\;$", 0, "black")
        for place, term in enumerate(row):
            if place and place % most == 0:
                x, y = indent, y - pitch
            sign = "-" if term.sign == "−" else "+"
            lead = rf"\;{sign}\;" if place else sign.strip("+")
            x = write(f"${lead}{term.latex}$", x, colours[term.kind])
        if not row:
            write("$0$", x, "black")
        y -= 1.6 * pitch
    ax.axis("off")


def _fold(name: str) -> str:
    """A long pool name on two lines."""
    if len(name) <= 10 or " " not in name:
        return name
    words = name.split(" ")
    cut = min(range(1, len(words)), key=lambda c: abs(
        len(" ".join(words[:c])) - len(" ".join(words[c:]))))
    return " ".join(words[:cut]) + "\n" + " ".join(words[cut:])
