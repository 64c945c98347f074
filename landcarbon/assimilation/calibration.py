"""Simulation-based calibration: is a sampler right about what it does not know?

::

    theta* ~ prior,   d ~ p(d | theta*),   theta_1 ... theta_L ~ p(theta | d)
    rank = #{l : theta_l < theta*}   is uniform on 0 ... L, for each parameter
    chi2 = sum_b (n_b - n / B)^2 / (n / B)   over B bins of equal width

====== =================================== ====== ========= ==========
symbol meaning                             shape  code name source
====== =================================== ====== ========= ==========
theta* the truth, one for each twin        (n, p) truth
L      draws kept of each posterior        ()     n_draws
rank   number of draws below the truth     (n, p) ranks     Talts 2018
n_b    ranks that fall into bin b          (p, B) counts
====== =================================== ====== ========= ==========

Talts et al. 2018: arXiv 1804.06788. Averaged over data the posterior is the prior: a truth drawn
from the prior is one more draw from its own posterior, and no rank among the others is special. A
sampler whose posteriors are too narrow puts the truth outside too often: ranks pile up at both ends.
Too wide: in the middle. Biased: at one end. Nothing has to be known about the right posterior.

It tests the sampler, not the model: model and errors are true here by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.draws import Draws, Ensemble, tails
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.samplers import Sampler, chosen
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import (
    InputError,
    Rng,
    as_array,
    as_broadcast,
    as_kind,
    as_rng,
    as_whole,
)
from landcarbon.matrix.frozen import keep, keep_whole

if TYPE_CHECKING:
    import pandas

__all__ = ["Calibration", "calibrate", "rank", "twins"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks of truths among posterior draws.

    Parameters
    ----------
    names : tuple of str
    ranks : ndarray of int, (twin, p)
        0 ... n_draws.
    n_draws : int
        Draws a rank counts over.

    Raises
    ------
    InputError
        Ranks that are not whole, or not between 0 and `n_draws`.
    """

    names: tuple[str, ...]
    ranks: NDArray[np.int_]
    n_draws: int

    def __post_init__(self) -> None:
        keep_whole(self, n_draws=1)
        ranks = as_array("ranks", self.ranks, shape=(None, None), lower=0.0, upper=self.n_draws)
        if (ranks % 1 != 0).any():
            raise InputError("ranks must be whole numbers: how many draws lie below each truth.")
        keep(self, ranks=ranks.astype(int))

    def counts(self, bins: int = 20) -> NDArray[np.int_]:
        """Ranks in bins of equal width (p, bins).

        Raises
        ------
        InputError
            Bins that cannot be equally wide: n_draws + 1 must be a multiple of `bins`.
        """
        bins = as_whole("bins", bins, 2)
        if bins < 2 or (self.n_draws + 1) % bins:
            raise InputError(
                f"{self.n_draws + 1} possible ranks cannot be put into {bins} equal bins; choose a "
                f"divisor of {self.n_draws + 1}."
            )
        bin_of = self.ranks * bins // (self.n_draws + 1)
        return np.stack([np.bincount(column, minlength=bins) for column in bin_of.T])

    def p_values(self, bins: int = 20) -> NDArray[np.float64]:
        """Chi-square p-value of uniform ranks, one a parameter (p,)."""
        from scipy.stats import chisquare

        return np.asarray(chisquare(self.counts(bins), axis=1).pvalue)

    def p_value(self, bins: int = 20) -> float:
        """One p-value for all parameters: the smallest, times their number (Bonferroni)."""
        p = self.p_values(bins)
        return float(min(1.0, p.size * p.min()))

    def coverage(self, level: float = 0.9) -> NDArray[np.float64]:
        """Share of truths inside the central interval of this level (p,).

        Exact when (n_draws + 1) (1 - level) / 2 is a whole number, else of the next wider interval.
        """
        outside = int((self.n_draws + 1) * tails(level)[0] + 1e-9)
        inside = (self.ranks >= outside) & (self.ranks <= self.n_draws - outside)
        return inside.mean(axis=0)

    def summary(self, bins: int = 20) -> pandas.DataFrame:
        """p-value, mean rank (0.5 when unbiased) and 90 % coverage of each parameter."""
        import pandas as pd

        columns = {
            "p_value": self.p_values(bins),
            "mean_rank": self.ranks.mean(axis=0) / self.n_draws,
            "coverage_90": self.coverage(0.9),
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="parameter"))


def rank(truth: NDArray[np.float64], draws: NDArray[np.float64]) -> NDArray[np.int_]:
    """Number of draws (..., draw, p) below the truth (..., p).

    Raises
    ------
    InputError
        NaN among truths or draws, which stands nowhere among numbers.
    """
    truth, draws = as_array("truth", truth), as_array("draws", draws)
    as_broadcast(truth=truth[..., None, :] if truth.ndim else truth, draws=draws)
    return np.asarray((draws < truth[..., None, :]).sum(axis=-2))


def twins(posterior: Posterior, n: int, rng: Random = 0) -> tuple[Any, Posterior]:
    """Truths from the prior, and one posterior whose sites are their synthetic data.

    Parameters
    ----------
    posterior : Posterior
        Of one site, with model and observations; gives prior, model, errors and mask. Its data are
        not used. The model must take leading axes.
    n : int
        Number of twins.
    rng : Generator or int

    Returns
    -------
    truth : ndarray (n, p)
    posterior : Posterior
        With sites (n,).

    Examples
    --------
    >>> from landcarbon.assimilation import problems
    >>> truth, many = twins(problems.banana(), 5, rng=1)
    >>> truth.shape, many.sites
    ((5, 2), (5,))
    """
    as_kind("posterior", posterior, Posterior)
    if posterior.observations is None or posterior.sites:
        raise InputError(
            "twins are made from a Posterior(prior, model, observations) of one site; this one has "
            f"{'no observations' if posterior.observations is None else f'sites {posterior.sites}'}."
        )
    n = as_whole("n", n, 1)
    source = streams(rng).generators[0]
    truth = posterior.prior.sample(n, source)
    data = posterior.observations.simulate(posterior.run_model(truth), source)
    return truth, replace(posterior, observations=posterior.observations.with_values(data))


def calibrate(
    posterior: Posterior,
    method: str | Sampler | Callable[[Posterior, Any], Draws | Ensemble] = "metropolis",
    n_twins: int = 500,
    keep: int = 99,
    *,
    rng: Rng = 0,
    **options: Any,
) -> Calibration:
    """Run a sampler on many twins at once and rank their truths.

    Parameters
    ----------
    posterior : Posterior
        As for `twins`.
    method : str, sampler or callable
        As for `sample`, or a function of (posterior with n sites, Generator) that returns
        `Draws` or an `Ensemble`.
    n_twins : int
    keep : int
        Draws kept of each posterior, taken evenly from all chains; so few that they are nearly
        independent. One less than a multiple of the bins.
    rng : Generator or int
    **options
        Passed on to `sample`.

    Returns
    -------
    Calibration

    Examples
    --------
    >>> from landcarbon.assimilation import problems
    >>> result = calibrate(problems.banana(), "importance", n_twins=200, rng=1, n_particles=1)
    Traceback (most recent call last):
    landcarbon.matrix.errors.InputError: method 'importance' has no option 'n_particles'; ...
    >>> calibrate(problems.gaussian(), "importance", n_twins=200, rng=1).p_value() > 0.01
    True
    """
    n_twins, keep = as_whole("n_twins", n_twins, 1), as_whole("keep", keep, 1)
    make, run, thin = as_rng(rng).spawn(3)
    truth, many = twins(posterior, n_twins, make)
    if isinstance(method, (str, Sampler)):
        result = chosen(method, options).sample(many, run)
    else:
        result = method(many, run)
    return Calibration(posterior.names, rank(truth, few(result, keep, thin)), keep)


def few(result: Draws | Ensemble, n: int, rng: Random = 0) -> NDArray[np.float64]:
    """`n` nearly independent draws (sites..., n, p) of a result.

    Raises
    ------
    InputError
        Fewer draws than asked for.
    """
    n = as_whole("n", n, 1)
    if isinstance(result, Ensemble) and result.log_weight is not None:
        return result.resample(n, rng).draws
    # Draw by draw over the chains, so that an even choice is even over chains and over time.
    x = result.draws
    if isinstance(result, Draws):
        x = np.swapaxes(x, -3, -2).reshape(*x.shape[:-3], -1, x.shape[-1])
    total = x.shape[-2]
    if total < n:
        raise InputError(f"the sampler returns {total} draws, but {n} are to be ranked against.")
    return x[..., np.linspace(0, total - 1, n).round().astype(int), :]
