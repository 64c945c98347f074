"""Pictures after a fit: their sentences say what can be computed without them."""

import re

import numpy as np
import pytest

from landcarbon.assimilation import Draws, Ensemble, StatedPrior, log_uniform, normal
from landcarbon.assimilation.replicas import Replicas
from landcarbon.course import fit_plots
from landcarbon.course.plots import png
from landcarbon.matrix.errors import InputError

RNG = np.random.default_rng(1)
PRIOR = StatedPrior({"k": log_uniform(1e-3, 1.0), "a": normal(0.0, 1.0), "b": normal(0.0, 1.0)})
Z = RNG.standard_normal((2000, 2))
FOUND = Ensemble(
    ("k", "a", "b"), np.column_stack([0.02 * np.exp(0.1 * Z[:, 0]), 0.5 * Z[:, 1], 0.5 * Z[:, 1] + 0.1 * Z[:, 0]])
)
T = np.arange(40.0)
MADE = Replicas(np.sin(T) + 0.3 * RNG.standard_normal(40), np.sin(T) + 0.3 * RNG.standard_normal((2000, 40)), None, T)


def numbers(text):
    return [float(n) for n in re.findall(r"[-+]?\d+\.?\d*", text)]


def test_what_is_left_of_the_prior():
    fig, told = fit_plots.marginals(FOUND, PRIOR)
    assert "a 0.5" in told and "b 0.5" in told
    assert fig.axes[0].get_xscale() == "log" and fig.axes[1].get_xscale() == "linear"
    assert len(png(fig)) > 1000


def test_the_ridge_is_named():
    fig, told = fit_plots.pairs(FOUND)
    assert "Strongest ridge: a and b" in told or "Strongest ridge: b and a" in told
    assert numbers(told)[-1] == pytest.approx(0.98, abs=0.02)
    assert len(png(fig)) > 1000


def test_pairs_shows_those_of_the_strongest_ridges():
    many = Ensemble(tuple("abcdefgh"), np.column_stack([RNG.standard_normal((500, 6)), Z[:500, :1], -Z[:500, :1]]))
    fig, told = fit_plots.pairs(many, most=3)
    assert told.startswith("Pairs of 3 of 8 parameters") and "-1.00" in told
    labels = {ax.get_xlabel() for ax in fig.axes} | {ax.get_ylabel() for ax in fig.axes}
    assert {"g", "h"} <= labels


def test_weights_count():
    log_weight = np.where(Z[:, 1] > 0, -1.0, -50.0)
    log_weight -= np.log(np.exp(log_weight).sum())
    weighted = Ensemble(FOUND.names, FOUND.draws, log_weight=log_weight)
    fig, _ = fit_plots.marginals(weighted, PRIOR)
    lowest = min(x for patch in fig.axes[1].patches if patch.get_fill() for x in patch.get_data().edges[:-1][
        patch.get_data().values > 0])
    assert lowest > -0.3  # half of the posterior had no weight


def test_bands_ranks_and_residuals_of_right_errors():
    _, told = fit_plots.bands(MADE, x_label="day")
    assert numbers(told)[1] >= 80  # per cent in the 90 % band
    _, told = fit_plots.ranks(MADE)
    assert numbers(told)[1] == pytest.approx(20, abs=16) and numbers(told)[2] == pytest.approx(50, abs=20)
    _, told = fit_plots.residuals(MADE)
    assert max(abs(n) for n in numbers(told)[1:]) < 0.6


def test_bands_ranks_and_residuals_of_wrong_errors():
    late = np.where(T > 26, 1.5, 0.0)
    wrong = Replicas(MADE.observed + late, 0.3 * (MADE.simulated - np.sin(T)) + np.sin(T), None, T)
    assert numbers(fit_plots.bands(wrong)[1])[1] < 60
    assert numbers(fit_plots.ranks(wrong)[1])[1] > 60
    assert numbers(fit_plots.residuals(wrong)[1])[-1] > 5


def test_one_site_only():
    chains = Draws(FOUND.names, np.zeros((2, 4, 50, 3)), np.zeros((2, 4, 50)), np.zeros((2, 4)))
    with pytest.raises(InputError, match=r"take found\[0\]"):
        fit_plots.marginals(chains, PRIOR)
    with pytest.raises(InputError, match="needs two parameters"):
        fit_plots.pairs(Ensemble(("k",), np.zeros((5, 1))))
    with pytest.raises(InputError, match=r"posterior\.replicate"):
        fit_plots.bands(FOUND)
    with pytest.raises(InputError, match="there is no group 'oak'"):
        MADE.of("oak")
