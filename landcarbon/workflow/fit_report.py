"""One page about a fit: what went in, what came out, what is wrong, and the pictures to see it by.

::

    page = fit_report(fit(pools(2), jars, rng=1), jars)
    Path("fit.html").write_text(page, encoding="utf-8")

The page needs no other file and asks no other host. It is the same for jars (`Fit`) and for whatever was
sampled from a `Posterior`; a `TableFit` brings its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from landcarbon.assimilation import Draws, Ensemble, Fit, Posterior, TableFit
from landcarbon.assimilation.replicas import Replicas
from landcarbon.course import fit_plots
from landcarbon.matrix.errors import InputError, Rng, as_kind
from landcarbon.workflow.report import html_figure, html_page, html_table

__all__ = ["fit_report"]

MOST = 4  # soils or streams with pictures of their own


@dataclass(frozen=True)
class _Part:
    """One soil, or the only site."""

    name: str
    draws: Draws | Ensemble
    prior: Any
    replicas: Replicas


def fit_report(
    found: Fit | TableFit | Draws | Ensemble, data: Any = None, *, posterior: Any = None,
    title: str = "A fit", rng: Rng = 0,
) -> str:
    """The page as text.

    Parameters
    ----------
    found : Fit, TableFit, Draws or Ensemble
        What `fit` or `sample` returned; of one site.
    data : optional
        What was read, such as `Jars`: printed as it prints itself, with the rows that are not used.
    posterior : Posterior
        What was sampled, beside `Draws` or an `Ensemble`.
    title : str
    rng : Generator or int
        Of the data made again.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    InputError
        Draws without their posterior.
    """
    as_kind("found", found, Fit, TableFit, Draws, Ensemble, hint="Give what fit() or sample() returned.")
    if isinstance(found, TableFit):
        return fit_report(found.draws, data, posterior=found.model, title=title, rng=rng)
    if isinstance(found, Fit):
        whole = found.replicas(rng)
        prior: Any = found.model.prior
        draws = found.draws
        parts = [_Part(s, draws[i], prior, whole.of(s)) for i, s in enumerate(found.model.data.soils)]
    elif posterior is None:
        raise InputError("draws alone do not know their data; give posterior= as well, what was sampled.")
    else:
        prior, draws = posterior.prior, found
        theta = (found if isinstance(found, Ensemble) else found.ensemble()).resample(1000, rng).draws
        whole = posterior.replicate(theta, rng)
        parts = [_Part("", found, prior, whole)]
    body = [f"<h1>{escape(title)}</h1>", *_input(found, data, whole), *_concerns(draws, prior)]
    body += ["<h2>Parameters</h2>", *_parameters(parts)]
    if isinstance(found, Fit):
        body += ["<h2>Jars</h2>", *_jars(found)]
    body += ["<h2>The data made again</h2>", *_pictures(parts, whole, isinstance(found, Fit))]
    body += ["<h2>Which model?</h2>", *_comparison(draws, found, posterior)]
    return html_page(title, body)


def _input(found: Any, data: Any, whole: Replicas) -> Iterator[str]:
    if isinstance(found, Fit):
        held = found.model.data
        yield (
            f"<p>{found.model.pools.n} pools, {found.model.pools.kind}; {len(held.soils)} soil(s), "
            f"{sum(map(len, held.jars))} jars, {whole.observed.size} fluxes.</p>"
        )
    else:
        yield f"<p>{whole.observed.size} data.</p>"
    if data is not None:
        yield f"<pre>{escape(str(data))}</pre>"


def _concerns(draws: Draws | Ensemble, prior: Any) -> Iterator[str]:
    told = draws.concerns(prior)
    if told:
        yield "<p><strong>Before you use any of it:</strong></p>"
        yield "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in told) + "</ul>"
    else:
        yield "<p>Nothing is known to be wrong with the draws.</p>"


def _parameters(parts: list[_Part]) -> Iterator[str]:
    rows = []
    for part in parts:
        low, mid, high = part.draws.quantile([0.05, 0.5, 0.95])
        for k, name in enumerate(part.draws.names):
            rows.append((f"{part.name} {name}".strip(), *(f"{v[k]:.3g}" for v in (low, mid, high))))
    yield html_table(("", "5 %", "median", "95 %"), rows)
    for part in parts[:MOST]:
        for fig, told in (fit_plots.marginals(part.draws, part.prior), fit_plots.pairs(part.draws)):
            caption = f"{part.name}: {told}" if part.name else told
            yield html_figure(fig, caption, caption)
    if len(parts) > MOST:
        yield f"<p>Pictures of the first {MOST} of {len(parts)}.</p>"


def _jars(found: Fit) -> Iterator[str]:
    effects = found.jar_effects()
    rows = [(" ".join(jar), *(f"{v:.2f}" for v in row)) for jar, row in zip(effects.index, effects.to_numpy())]
    yield "<p>Factor of each jar on the flux of its soil; what little a jar has told is drawn in towards 1.</p>"
    yield html_table(("", "5 %", "median", "95 %"), rows)


def _pictures(parts: list[_Part], whole: Replicas, jars: bool) -> Iterator[str]:
    axis = {"x_label": "day"} if jars else {}
    for part in parts[:MOST]:
        fig, told = fit_plots.bands(part.replicas, log=jars, label="flux" if jars else "data", **axis)
        caption = f"{part.name}: {told}" if part.name else told
        yield html_figure(fig, caption, caption)
    for fig, told in (fit_plots.ranks(whole), fit_plots.residuals(whole, **axis)):
        yield html_figure(fig, told, told)
    if jars:
        yield "<p>The bands are those of a new jar; jars that were fitted lie well inside them.</p>"
    yield (
        "<p>These data were used for the fit. The judge is data that were not: leave a jar, a year or a plot out, and "
        "ask for its coverage.</p>"
    )


def _comparison(draws: Draws | Ensemble, found: Any, posterior: Posterior | None) -> Iterator[str]:
    if isinstance(draws, Ensemble) and draws.log_evidence is not None and draws.log_evidence_error is not None:
        error = float(np.sqrt((np.asarray(draws.log_evidence_error) ** 2).sum()))
        yield f"<p>ln evidence {float(np.sum(draws.log_evidence)):.1f} ± {error:.1f}.</p>"
    call = "found.to_arviz()" if isinstance(found, Fit) else "found.to_arviz(posterior)"
    yield (
        f"<p>Fit the rival as well, and compare: <code>arviz.compare({{'this': {call}, 'rival': …}})</code>. The "
        "difference comes with its standard error; below two of them the data do not choose.</p>"
    )
