"""One page about a fit: everything on it, nothing from elsewhere."""

import warnings
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from landcarbon.assimilation import (
    GaussianLikelihood,
    Posterior,
    StatedPrior,
    fit,
    half_normal,
    log_normal,
    pools,
    sample,
)
from landcarbon.datasets import read_jars_csv
from landcarbon.matrix.errors import InputError
from landcarbon.workflow.fit_report import fit_report

JARS = Path(__file__).parents[2] / "book/appendix/own_jars.csv"


class Page(HTMLParser):
    """Text, pictures and what is left open."""

    def __init__(self, page):
        super().__init__()
        self.text, self.pictures, self.open, self.asked = "", [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "img":
            self.pictures.append(attrs["alt"])
        elif tag not in ("meta", "br"):
            self.open.append(tag)
        self.asked += [v for k, v in attrs.items() if k in ("src", "href") and not v.startswith("data:image/png")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_jars_on_one_page():
    jars = read_jars_csv(JARS)
    found = fit(pools(2), jars, {"tau": half_normal(0.3)}, rng=1)
    page = Page(fit_report(found, jars, title="Jars <2024>"))
    assert not page.open and not page.asked
    assert "Jars <2024>" in page.text and "10 row(s), flux missing" in page.text
    for soil in ("pine", "meadow"):
        for name in ("k_2", "tau"):
            assert f"{found.summary().loc[(soil, name), 'median']:.3g}" in page.text
        assert sum(alt.startswith(f"{soil}: ") for alt in page.pictures) == 3
    assert f"{found.jar_effects().loc[('pine', '3'), 'median']:.2f}" in page.text
    assert len(page.pictures) == 8 and all(len(alt) > 40 for alt in page.pictures)
    assert "ln evidence" in page.text and "Nothing is known to be wrong" in page.text


def test_any_posterior_and_its_concerns():
    t = np.linspace(1.0, 9.0, 12)
    prior = StatedPrior({"k": log_normal(0.3, 2.0), "a": log_normal(1.0, 2.0)})
    made = np.exp(-0.2 * t) + 0.02 * np.random.default_rng(1).standard_normal(12)
    posterior = Posterior(prior, lambda p: p[..., 1:] * np.exp(-p[..., :1] * t), GaussianLikelihood(made, 0.02))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sample(posterior, "metropolis", rng=1, n_chains=4, n_warmup=100, n_draws=20)
    text = fit_report(found, posterior=posterior)
    page = Page(text)
    assert "R-hat reaches" in page.text and "Before you use any of it" in page.text
    assert len(page.pictures) == 5 and not page.open
    with pytest.raises(InputError, match="give posterior="):
        fit_report(found)
    with pytest.raises(InputError, match="must be a Fit or"):
        fit_report(posterior)
