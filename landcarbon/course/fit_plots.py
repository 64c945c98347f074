"""Pictures after a fit, one line each: posterior against prior, pairs, bands, ranks, residuals.

Each returns the figure and its sentence, so that a line shows it:

    plots.show(*fit_plots.marginals(found, prior))
    plots.show(*fit_plots.bands(posterior.replicate(found.draws), at=year))

The numbers of the sentence are those of the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation import Draws, Ensemble
from landcarbon.assimilation.draws import tails
from landcarbon.assimilation.replicas import Replicas
from landcarbon.course.plots import PALETTE, band, figure
from landcarbon.forecasting import coverage, pit
from landcarbon.matrix.errors import InputError, Rng, as_array, as_kind, as_rng, as_whole

__all__ = ["bands", "marginals", "pairs", "ranks", "residuals"]

Picture = tuple[Figure, str]
Array = NDArray[np.float64]
WIDE = 30.0  # a prior that spans more than this factor gets a logarithmic axis


def marginals(found: Draws | Ensemble, prior: Any, rng: Rng = 0) -> Picture:
    """Posterior of each parameter against its prior; a parameter that has learned nothing looks it.

    Parameters
    ----------
    found : Draws or Ensemble
        Of one site.
    prior : Prior or StatedPrior
    rng : Generator or int
        Of the draws from the prior.

    Returns
    -------
    (Figure, str)

    Examples
    --------
    >>> from landcarbon.assimilation import StatedPrior, normal
    >>> prior = StatedPrior({"k": normal(0.0, 1.0)})
    >>> found = Ensemble(("k",), 0.1 * np.random.default_rng(1).normal(size=(2000, 1)))
    >>> marginals(found, prior)[1]
    'Posterior against prior of 1 parameter. Share of the prior spread that is left: k 0.1.'
    """
    x, guess = _draws(found, rng), prior.sample(4000, rng)
    names, n = list(found.names), len(found.names)
    columns = min(n, 4)
    rows = -(-n // columns)
    fig, axes = figure(1.9 * columns + 0.4, 1.7 * rows + 0.3, rows, columns, squeeze=False)
    for k, ax in enumerate(axes.flat):
        if k >= n:
            ax.axis("off")
            continue
        low, high = np.quantile(guess[:, k], [0.005, 0.995])
        low, high = min(low, x[:, k].min()), max(high, x[:, k].max())
        wide = low > 0 and high > WIDE * low
        edges = np.geomspace(low, high, 33) if wide else np.linspace(low, high, 33)
        before, after = (np.histogram(values[:, k], edges)[0] / len(values) for values in (guess, x))
        ax.stairs(before, edges, color=PALETTE["black"], label="prior")
        ax.stairs(after, edges, fill=True, color=PALETTE["blue"], alpha=0.55, label="posterior")
        if wide:
            ax.set_xscale("log")
        ax.set_title(names[k], fontsize=9)
        ax.set_yticks([])
        ax.tick_params(labelsize=7)
    axes.flat[0].legend(fontsize=7)
    left = _width(x) / _width(guess)
    told = ", ".join(f"{name} {share:.2g}" for name, share in zip(names, left))
    many = "1 parameter" if n == 1 else f"{n} parameters"
    return fig, f"Posterior against prior of {many}. Share of the prior spread that is left: {told}."


def pairs(found: Draws | Ensemble, most: int = 6, rng: Rng = 0) -> Picture:
    """Each parameter against each: ridges are what the data cannot tell apart.

    Parameters
    ----------
    found : Draws or Ensemble
        Of one site.
    most : int
        Parameters shown: those of the strongest ridges.
    rng : Generator or int
        Of the draws shown.

    Returns
    -------
    (Figure, str)

    Raises
    ------
    InputError
        Fewer than two parameters.
    """
    from scipy.stats import rankdata

    x, names = _draws(found, rng), list(found.names)
    if len(names) < 2:
        raise InputError("pairs needs two parameters; marginals shows one.")
    most = as_whole("most", most, 2)
    r = np.corrcoef(rankdata(x, axis=0), rowvar=False)
    off = np.abs(r - np.eye(len(names)))
    shown = sorted(np.argsort(-off.max(0), kind="stable")[:most])
    i, j = np.unravel_index(int(off.argmax()), off.shape)
    n = len(shown)
    fig, axes = figure(1.3 * (n - 1) + 0.9, 1.3 * (n - 1) + 0.7, n - 1, n - 1, squeeze=False)
    pick = as_rng(rng).permutation(len(x))[:400]
    for a in range(n - 1):
        for b in range(n - 1):
            ax, (row, column) = axes[a, b], (shown[a + 1], shown[b])
            if b > a:
                ax.axis("off")
                continue
            strong = off[row, column] > 0.7
            ax.plot(x[pick, column], x[pick, row], ".", markersize=1.5, linestyle="none",
                    color=PALETTE["vermilion" if strong else "blue"])
            ax.set_title(f"{r[row, column]:+.2f}", fontsize=7, loc="right")
            ax.tick_params(labelsize=6)
            ax.set_xlabel(names[column] if a == n - 2 else "", fontsize=8)
            ax.set_ylabel(names[row] if b == 0 else "", fontsize=8)
    return fig, (
        f"Pairs of {n} of {len(names)} parameters, with their rank correlation. Strongest ridge: {names[int(j)]} and "
        f"{names[int(i)]}, {r[i, j]:+.2f}."
    )


def bands(
    replicas: Replicas, at: ArrayLike | None = None, *, label: str = "", x_label: str = "", log: bool = False
) -> Picture:
    """What was measured, in the 50 and 90 % bands of what the draws would have measured.

    Parameters
    ----------
    replicas : Replicas
        See `Posterior.replicate` and `Fit.replicas`.
    at : array_like, (obs,), optional
        Where each datum stands; those of `replicas`, or their number.
    label, x_label : str
        Quantity and unit, and what `at` is.
    log : bool
        A logarithmic axis.

    Returns
    -------
    (Figure, str)
    """
    where, y, made = _told(replicas, at)
    order = np.argsort(where, kind="stable")
    fig, ax = figure(7.0, 3.4)
    for level, name in ((0.9, "90 %"), (0.5, "50 %")):
        low, high = np.quantile(made[:, order], tails(level), axis=0)
        band(ax, where[order], low, high, label=f"{name} of new data")
    ax.plot(where[order], np.median(made, axis=0)[order], label="median")
    ax.plot(where, y, "o", color="black", markersize=3.5, linestyle="none", label="measured")
    if log:
        ax.set_yscale("log")
    ax.set_ylabel(label)
    ax.set_xlabel(x_label)
    ax.legend(fontsize=8)
    inside = float(coverage(y, made, 0.9))
    return fig, f"{y.size} data and what the draws would have measured: {inside:.0%} lie in the 90 % band."


def ranks(replicas: Replicas, bins: int = 10, rng: Rng = 0) -> Picture:
    """Where each datum falls among what the draws would have measured (PIT): even if errors are right.

    Parameters
    ----------
    replicas : Replicas
    bins : int
    rng : Generator or int

    Returns
    -------
    (Figure, str)
    """
    from scipy.stats import binom

    _, y, made = _told(replicas, None)
    u = pit(y, made, rng)
    counts = np.histogram(u, bins=as_whole("bins", bins, 2), range=(0, 1))[0]
    fig, ax = figure(4.6, 2.9)
    ax.stairs(counts, np.linspace(0, 1, bins + 1), fill=True, color=PALETTE["sky"])
    low, high = binom.ppf([0.05, 0.95], y.size, 1 / bins)
    ax.axhspan(low, high, facecolor="none", edgecolor=PALETTE["green"], hatch="//", linewidth=0.8,
               label="nine of ten bars, if even")
    ax.set_xlabel("share of the draws below the datum")
    ax.set_ylabel("data")
    ax.legend(fontsize=8)
    ends, middle = float(((u < 0.1) | (u > 0.9)).mean()), float(((u > 0.25) & (u < 0.75)).mean())
    return fig, (
        f"Ranks of {y.size} data: {ends:.0%} in the outer fifth, {middle:.0%} in the inner half. A heap in the middle: "
        "bands too wide; at the ends: too narrow; to one side: a bias."
    )


def residuals(replicas: Replicas, at: ArrayLike | None = None, *, x_label: str = "") -> Picture:
    """Measured minus median, in units of the spread of new data, over time: what the model cannot follow.

    Parameters
    ----------
    replicas : Replicas
    at : array_like, (obs,), optional
        Where each datum stands; those of `replicas`, or their number.
    x_label : str

    Returns
    -------
    (Figure, str)
    """
    where, y, made = _told(replicas, at)
    order = np.argsort(where, kind="stable")
    e = ((y - np.median(made, axis=0)) / made.std(axis=0, ddof=1))[order]
    fig, ax = figure(7.0, 2.6)
    ax.axhspan(-1.645, 1.645, color=PALETTE["sky"], alpha=0.25, linewidth=0, label="nine of ten")
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.plot(where[order], e, "o", color=PALETTE["blue"], markersize=3.5, linestyle="none")
    ax.set_xlabel(x_label)
    ax.set_ylabel("residual / spread")
    ax.legend(fontsize=8)
    third = max(1, y.size // 3)
    begin, end = e[:third].mean(), e[-third:].mean()
    return fig, f"Residuals of {y.size} data: first third {begin:+.2f}, last third {end:+.2f} of the spread on average."


def _draws(found: Draws | Ensemble, rng: Rng) -> Array:
    """Equally weighted draws (draw, p) of one site."""
    as_kind("found", found, Draws, Ensemble, hint="Give what sample() returned; of a Fit, its draws[0].")
    even = found if isinstance(found, Ensemble) else found.ensemble()
    if even.draws.ndim != 2:
        sites = even.draws.shape[:-2]
        raise InputError(f"one site is shown at a time, but the sites have shape {sites}; take found[0].")
    return even.draws if even.log_weight is None else even.resample(len(even.draws), rng).draws


def _told(replicas: Replicas, at: ArrayLike | None) -> tuple[Array, Array, Array]:
    as_kind("replicas", replicas, Replicas, hint="Such as posterior.replicate(theta), or fit.replicas().")
    y = replicas.observed
    where = replicas.at if at is None else at
    x = np.arange(1.0, y.size + 1) if where is None else as_array("at", where, shape=(y.size,))
    return x, y, replicas.simulated


def _width(x: Array) -> Array:
    """Between the 5 and the 95 % quantile."""
    low, high = np.quantile(x, [0.05, 0.95], axis=0)
    return np.asarray(high - low)
