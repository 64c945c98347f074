"""What data can know: identifiable directions, information in bits, where to measure next.

::

    S    = R^(−1/2) J P^(1/2)                 the Jacobian, in units of data errors and prior widths
    DFS  = Σ_i s_i² / (1 + s_i²)              degrees of freedom for signal
    bits = ½ Σ_i log₂(1 + s_i²)               information, for a linear model with normal errors
    sd after / sd before = √ diag (1 + SᵀS)⁻¹
    bits = (E[ln L | data] − ln p(data)) / ln 2                          information, for any model

====== ========================================== ===================== ========= ==================
symbol meaning                                    shape                 unit      code name
====== ========================================== ===================== ========= ==================
J      derivative of predicted data by parameters (..., obs, p)         own       jacobian
R      variances of the errors of the data        (..., obs)            own       sd**2
P      variances of the prior                     (p,)                  own       prior_width**2
S      the Jacobian, scaled                       (..., obs, p)         1         S
s_i    its singular values                        (..., min(obs, p))    1         singular_values
SᵀS    Fisher information in prior widths         (..., p, p)           1
L      likelihood                                 (sites..., draw)                log_likelihood
====== ========================================== ===================== ========= ==================

A direction with s = 1 is known as well from the data as from the prior. Shannon (1948), doi
10.1002/j.1538-7305.1948.tb01338.x; Lindley (1956), Ann. Math. Stat. 27, 986–1005, doi
10.1214/aoms/1177728069; degrees of freedom for signal: Rodgers (2000), Inverse Methods for
Atmospheric Sounding, doi 10.1142/3171.

Widths are taken where the prior is plainest: of theta if it is uniform, of ln theta if log-uniform,
of z if logit-normal. The first three lines of the formulas are of one place theta: the model is not
linear, so look at several draws of the prior (before the data) or of the posterior (with them).

The first three lines to type:

    report = identify(posterior, at=posterior.prior.sample(100, rng=1))
    print(report)
    where = greedy_design(report.S, n=3)
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import Draws, Ensemble
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Posterior
from landcarbon.matrix.errors import (
    InputError,
    as_array,
    as_broadcast,
    as_kept,
    as_kind,
    as_number,
    as_whole,
)
from landcarbon.matrix.frozen import keep

__all__ = [
    "Design",
    "Identifiability",
    "design_bits",
    "greedy_design",
    "identify",
    "information_gain",
    "jacobian",
    "marginal_bits",
    "prior_width",
    "scaled_jacobian",
]

Array = NDArray[np.float64]

SILENT = 1e-10  # of the largest influence: below it lies rounding
ALIKE = 0.95  # |cosine| of two columns of S from which data hardly tell two parameters apart
STEP = 1e-4  # of central differences, in z


def jacobian(posterior: Posterior, theta: ArrayLike) -> Array:
    """Derivative of what the model predicts of the data, in data space, by the parameters.

    Parameters
    ----------
    posterior : Posterior
        With observations. Its `model_vjp` is used if it has one, central differences otherwise.
    theta : array_like, (sites..., any..., p)
        Within the bounds of the prior.

    Returns
    -------
    ndarray, (sites..., any..., obs, p)
        Per physical unit of each parameter; zero where an observation is masked.

    Examples
    --------
    >>> from landcarbon.assimilation.problems import incubation
    >>> posterior = incubation()
    >>> J = jacobian(posterior, posterior.prior.table.default)
    >>> J.shape
    (11, 5)
    """
    as_kind("posterior", posterior, Posterior)
    if posterior.observations is None:
        raise InputError(
            "a Jacobian of predictions needs Posterior(prior, model, observations); this posterior "
            "has only a likelihood."
        )
    theta = posterior.prior.check(theta, inside=True)
    sites = len(posterior.sites)
    if theta.shape[:sites] != posterior.sites:
        raise InputError(
            f"theta has shape {theta.shape}, but the data have sites {posterior.sites}: sites come "
            "first."
        )
    data = posterior.observations
    p, m = theta.shape[-1], data.data.shape[-1]
    lead, any_axes = theta.shape[:sites], theta.shape[sites:-1]
    flat = theta.reshape(*lead, -1, p)
    if posterior.model_vjp is not None:
        values, pull = posterior.model_vjp(np.repeat(flat, m, axis=-2))
        rows = np.tile(np.eye(m), (flat.shape[-2], 1))
        J = np.asarray(pull(data.pull(values, rows))).reshape(*lead, *any_axes, m, p)
    else:
        z = posterior.prior.to_real(flat)
        moves = STEP * np.concatenate([np.eye(p), -np.eye(p)])
        apart = (z[..., None, :] + moves).reshape(*lead, -1, p)
        h = posterior.predict(posterior.prior.from_real(apart)).reshape(*flat.shape[:-1], 2 * p, m)
        by_z = np.swapaxes(h[..., :p, :] - h[..., p:, :], -1, -2) / (2.0 * STEP)
        J = (by_z / posterior.prior.slope(z)[..., None, :]).reshape(*lead, *any_axes, m, p)
    mask = data.mask.reshape(*data.mask.shape[:-1], *(1,) * len(any_axes), m)
    return np.where(mask[..., None], J, 0.0)


def prior_width(prior: Prior, theta: ArrayLike) -> Array:
    """One standard deviation of the prior, as a step of theta (..., p) from where it is.

    Examples
    --------
    >>> from landcarbon.models.parameters import Parameter, ParameterTable
    >>> table = ParameterTable([Parameter("a", "1", 0.0, 1.0, 0.5),
    ...                         Parameter("k", "1/yr", 0.01, 1.0, 0.1, prior="log-uniform")])
    >>> print(prior_width(Prior(table), [0.5, 0.1]).round(3))
    [0.289 0.133]
    """
    as_kind("prior", prior, Prior)
    theta = prior.check(theta, inside=True)
    table = prior.table
    out = np.broadcast_to((table.upper - table.lower) / np.sqrt(12.0), theta.shape).copy()
    for k, family in enumerate(prior.families):
        if family == "log-uniform":
            out[..., k] = theta[..., k] * np.log(table.upper[k] / table.lower[k]) / np.sqrt(12.0)
        elif family == "logit-normal":
            z = prior.to_real(theta)
            out[..., k] = prior.slope(z)[..., k] * prior.width[k]
    return out


def scaled_jacobian(posterior: Posterior, theta: ArrayLike, width: ArrayLike) -> Array:
    """The Jacobian in units of the errors of the data, made independent, and of `width`.

    Parameters
    ----------
    posterior : Posterior
        With observations.
    theta : array_like, (sites..., any..., p)
    width : array_like, (sites..., any..., p)
        One step of each parameter: `prior_width`.

    Returns
    -------
    ndarray, (sites..., any..., obs, p)
        S of the formulas above.
    """
    as_kind("posterior", posterior, Posterior)
    width = as_array("width", width, shape=(len(posterior.prior),), lower=0.0)
    theta = as_array("theta", theta)
    as_broadcast(theta=theta, width=width)
    J = jacobian(posterior, theta) * width[..., None, :]
    sites = len(posterior.sites)
    by_parameter = np.moveaxis(J, -1, sites)  # (sites..., p, any..., obs)
    return np.moveaxis(posterior.observations.whiten(by_parameter), sites, -1)


def identify(posterior: Posterior, at: ArrayLike) -> Identifiability:
    """What the data of a posterior can know about its parameters.

    The values of the data do not matter, only what was measured, where, and how well. Where errors are
    correlated a row of S is what a datum adds to the one before it; the rows then belong together, and
    `greedy_design`, which picks single rows, does not apply.

    Parameters
    ----------
    posterior : Posterior
        With observations.
    at : array_like, (sites..., any..., p)
        Where the model is taken for linear: one place, or draws of the prior, over which the report
        takes means.

    Returns
    -------
    Identifiability

    Raises
    ------
    InputError
        A posterior without observations, a place on or outside the bounds.

    Examples
    --------
    What one profile of six depths with 30 % error knows of the 21 parameters of a soil column:

    >>> from landcarbon.assimilation.problems import soil_column
    >>> posterior = soil_column(error=0.3)
    >>> report = identify(posterior, at=posterior.prior.sample(200, rng=1))
    >>> print(f"{report.dfs.mean():.1f} of {len(report.names)}", report.silent)
    1.8 of 21 ('cryo', 'tau_cwd')
    """
    as_kind("posterior", posterior, Posterior)
    S = scaled_jacobian(posterior, at, prior_width(posterior.prior, at))
    return Identifiability(posterior.names, S)


@dataclass(frozen=True, eq=False)
class Identifiability:
    """Which combinations of parameters data see, and how well.

    Parameters
    ----------
    names : tuple of str
    S : ndarray, (..., obs, p)
        Jacobian in units of data errors and prior widths; leading axes are places.

    Raises
    ------
    InputError
        An S that is not finite, or has not one column for each name.
    """

    names: tuple[str, ...]
    S: Array

    def __post_init__(self) -> None:
        names = as_kind("names", self.names, tuple, list, hint="One a parameter.")
        keep(self, S=as_kept("S", self.S, shape=(None, len(names))))

    @cached_property
    def singular_values(self) -> Array:
        """How many prior widths of its direction make one error of the data, inverted (..., k)."""
        return np.asarray(np.linalg.svd(self.S, compute_uv=False), dtype=float)

    @property
    def dfs(self) -> Array:
        """Degrees of freedom for signal (...): how many numbers the data really know."""
        s2 = self.singular_values**2
        return (s2 / (1.0 + s2)).sum(-1)

    @property
    def bits(self) -> Array:
        """Expected information (...)."""
        return 0.5 * np.log2(1.0 + self.singular_values**2).sum(-1)

    @cached_property
    def covariance(self) -> Array:
        """Covariance of the parameters with the data (..., p, p), in prior widths."""
        eye = np.eye(self.S.shape[-1])
        return np.asarray(np.linalg.inv(eye + np.swapaxes(self.S, -1, -2) @ self.S), dtype=float)

    @property
    def sd_left(self) -> Array:
        """Standard deviation with the data over that of the prior (..., p)."""
        return np.sqrt(np.diagonal(self.covariance, axis1=-2, axis2=-1))

    @property
    def influence(self) -> Array:
        """Errors of the data that a prior width moves them, (p,): root mean square over places."""
        return np.sqrt((self._flat**2).sum(-2).mean(0))

    @property
    def silent(self) -> tuple[str, ...]:
        """Parameters without any influence on these data, here: only other data can know them."""
        influence = self.influence
        return tuple(
            name
            for name, size in zip(self.names, influence)
            if size <= SILENT * influence.max(initial=0.0)
        )

    @cached_property
    def likeness(self) -> Array:
        """How alike the effects of two parameters are (p, p): cosine of two columns of S.

        Near +1: raising one is like raising the other, and data see little but their product. Near
        −1: little but their quotient. Of many places, the value that nine of ten exceed in size, with
        the sign of the median. A silent parameter is like none.
        """
        S = self._flat
        size = np.sqrt((S**2).sum(-2, keepdims=True))
        unit = np.divide(S, size, out=np.zeros_like(S), where=size > SILENT * size.max(initial=0.0))
        cos = np.clip(np.swapaxes(unit, -1, -2) @ unit, -1.0, 1.0)
        return np.sign(np.median(cos, axis=0)) * np.quantile(np.abs(cos), 0.1, axis=0)

    def together(self, at_least: float = ALIKE) -> tuple[tuple[str, ...], ...]:
        """Groups of parameters that these data can hardly tell apart, the most influential first.

        Parameters
        ----------
        at_least : float
            |likeness| in a group, on average.

        Returns
        -------
        tuple of tuple of str
            A "/" before a name: it acts the other way round, so that a quotient is seen.
        """
        from scipy.cluster.hierarchy import fcluster, linkage
        from scipy.spatial.distance import squareform

        at_least = as_number("at_least", at_least, lower=0.0, upper=1.0)
        heard = np.array([k for k, name in enumerate(self.names) if name not in self.silent])
        if heard.size < 2:
            return ()
        alike = self.likeness[np.ix_(heard, heard)]
        apart = 1.0 - np.abs(alike)
        np.fill_diagonal(apart, 0.0)
        label = fcluster(
            linkage(squareform(apart, checks=False), "average"), 1.0 - at_least, "distance"
        )
        influence = self.influence[heard]
        groups = []
        for number in np.unique(label):
            group = np.flatnonzero(label == number)
            group = group[np.argsort(-influence[group])]
            if group.size > 1:
                names = ("/" * int(alike[group[0], k] < 0) + self.names[heard[k]] for k in group)
                groups.append((-float(influence[group].max()), tuple(names)))
        return tuple(names for _, names in sorted(groups))

    def directions(self, n: int = 3) -> tuple[Array, Array]:
        """What the data know best: eigenvectors of the Fisher information.

        Of many places, eigenvectors of the mean of 1 − covariance, so that each counts for as many
        degrees of freedom as it has; with one place they are those of SᵀS.

        Returns
        -------
        known : ndarray, (n,)
            Degrees of freedom of each, 0 to 1; of all directions they sum to the mean of `dfs`.
        weights : ndarray, (n, p)
            One direction a row, of length 1, in prior widths; its largest weight is positive.
        """
        p = self.S.shape[-1]
        values, vectors = np.linalg.eigh(np.eye(p) - self.covariance.reshape(-1, p, p).mean(0))
        n = as_whole("n", n, 1)
        weights = vectors.T[::-1][:n]
        largest = np.take_along_axis(weights, np.abs(weights).argmax(-1)[:, None], axis=-1)
        return np.clip(values[::-1][:n], 0.0, 1.0), weights * np.sign(largest)

    @property
    def _flat(self) -> Array:
        return self.S.reshape(-1, *self.S.shape[-2:])

    def __str__(self) -> str:
        p = self.S.shape[-1]
        places = len(self._flat)
        used = (self._flat != 0).any(-1).sum(-1).mean()
        left = self.sd_left.reshape(-1, p).mean(0)
        narrowed = (f"{self.names[k]}~{1 - left[k]:.0%}" for k in np.argsort(left)[:5])
        rows = [
            ("degrees of freedom", f"{self.dfs.mean():.1f} of {p}"),
            ("information", f"{self.bits.mean():.1f} bits"),
            ("narrowed most", ", ".join(narrowed)),
        ]
        for share, row in zip(*self.directions()):
            if share < 0.1:
                break
            parts = (f"{row[k]:+.2f}~{self.names[k]}" for k in np.argsort(-np.abs(row))[:4])
            rows.append((f"direction, {share:.2f}", " ".join(parts)))
        if self.silent:
            rows.append(("no influence", ", ".join(self.silent)))
        for group in self.together():
            rows.append(("hardly told apart", " × ".join(group).replace("× /", "/ ")))
        head = f"{p} parameters, {used:.3g} data" + (f", mean of {places} places" if places > 1 else "")
        return "\n".join([head, *(_wrapped(label, text) for label, text in rows)])


def _wrapped(label: str, text: str) -> str:
    """One row of the report, at most as wide as a page of the book; a tilde is kept together."""
    return textwrap.fill(
        text,
        width=75,
        initial_indent=f"{label:20}",
        subsequent_indent=" " * 20,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace("~", " ")


@dataclass(frozen=True, eq=False)
class Design:
    """Measurements in the order in which to make them.

    Attributes
    ----------
    order : tuple of int
        Positions among the candidates.
    bits : ndarray, (n,)
        Information after each; about the target if there is one.
    """

    order: tuple[int, ...]
    bits: Array


def greedy_design(
    S: ArrayLike, n: int, *, target: ArrayLike | None = None, repeat: bool = False
) -> Design:
    """Choose measurements one by one, each time the one that adds most.

    Parameters
    ----------
    S : array_like, (..., candidate, p)
        Jacobian of all that could be measured, in units of errors and prior widths, as
        `identify(...).S` has it; leading axes are places, over which bits are averaged.
    n : int
        Number of measurements.
    target : array_like, (p,) or (..., p), optional
        Derivative of the quantity that is wanted, in prior widths: then bits are about that quantity
        alone. By default all parameters count.
    repeat : bool
        May a measurement be made more than once?

    Returns
    -------
    Design

    Raises
    ------
    InputError
        More measurements than candidates, a target that depends on no parameter.

    Notes
    -----
    About all parameters, greedy choice reaches at least 63 % of the bits of the best choice
    (Nemhauser et al. 1978, Math. Program. 14, 265–294), and in practice nearly all. About a target it
    has no such guarantee: two measurements may be worth nothing alone and much together.

    Examples
    --------
    Three thermometers, the second a copy of the first and a little better:

    >>> S = [[2.0, 0.0], [2.1, 0.0], [0.0, 1.0]]
    >>> greedy_design(S, 2).order
    (1, 2)
    """
    S = as_array("S", S, shape=(None, None))
    flat = S.reshape(S.size // max(1, S.shape[-1] * S.shape[-2]), *S.shape[-2:])
    candidates, p = flat.shape[-2:]
    n = as_whole("n", n, 1, None if repeat else candidates)
    if not S.size:
        raise InputError(f"S has shape {S.shape}: there is nothing to choose from.")
    C = np.broadcast_to(np.eye(p), (len(flat), p, p)).copy()
    wanted = None
    if target is not None:
        wanted = as_array("target", target, shape=(p,)) + np.zeros((*S.shape[:-2], p))
        wanted = wanted.reshape(-1, p)
        if not (wanted**2).sum(-1).all():
            raise InputError("target is zero: what is wanted depends on no parameter of this model.")
    free = np.ones(candidates, dtype=bool)
    order: list[int] = []
    bits: list[float] = []
    total = 0.0
    for _ in range(n):
        SC = flat @ C
        own = (SC * flat).sum(-1)
        if wanted is None:
            gain = 0.5 * np.log2(1.0 + own).mean(0)
        else:
            variance = np.einsum("kp,kpq,kq->k", wanted, C, wanted)[:, None]
            shared = (SC @ wanted[..., None])[..., 0] ** 2 / (1.0 + own)
            gain = -0.5 * np.log2(np.maximum(1.0 - shared / variance, 1e-300)).mean(0)
        best = int(np.argmax(np.where(free, gain, -np.inf)))
        total += float(gain[best])
        row = SC[:, best, :]
        C = C - row[..., None] * row[..., None, :] / (1.0 + own[:, best])[:, None, None]
        free[best] = repeat
        order.append(best)
        bits.append(total)
    return Design(tuple(order), np.array(bits))


def design_bits(S: ArrayLike, picks: Sequence[int] | slice = slice(None)) -> float:
    """Expected information of some of the candidates together, mean over places.

    Examples
    --------
    >>> round(design_bits([[2.0, 0.0], [2.1, 0.0], [0.0, 1.0]], [0, 2]), 3)
    1.661
    """
    S = as_array("S", S, shape=(None, None))
    if not isinstance(picks, slice):
        picks = [as_whole("picks", k, 0, S.shape[-2] - 1) for k in as_kind("picks", picks, list, tuple, np.ndarray)]
    rows = S[..., picks, :]
    G = np.eye(rows.shape[-2]) + rows @ np.swapaxes(rows, -1, -2)
    return float(0.5 * np.mean(np.linalg.slogdet(G)[1]) / np.log(2.0))


def information_gain(posterior: Posterior, ensemble: Ensemble) -> Array:
    """Bits that the data of a posterior brought about its parameters, for any model.

    The Kullback–Leibler divergence of posterior from prior. Its mean over data sets that the prior
    could bring is the expected information, `Identifiability.bits` in the linear case.

    Parameters
    ----------
    posterior : Posterior
    ensemble : Ensemble
        A sample of it that carries its evidence: `sample(posterior, "smc")` or "importance".

    Returns
    -------
    ndarray, (sites...)

    Raises
    ------
    InputError
        A sample without evidence.

    Examples
    --------
    A coin of unknown bias falls on heads once: half a coin toss of knowledge is not what we get.

    >>> from landcarbon.assimilation import Posterior, sample
    >>> from landcarbon.models.parameters import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter("a", "1", 0.0, 1.0, 0.5)]))
    >>> heads = Posterior(prior, likelihood=lambda theta: np.log(theta[..., 0]))
    >>> bits = information_gain(heads, sample(heads, "importance", n_draws=100_000, rng=1))
    >>> round(float(bits), 2)                                             # 1 − 1/(2 ln 2)
    0.28
    """
    as_kind("posterior", posterior, Posterior)
    if not isinstance(ensemble, Ensemble) or ensemble.log_evidence is None:
        raise InputError(
            "information needs the evidence, which Markov chains do not give; sample with "
            "sample(posterior, 'smc') or 'importance'."
        )
    ll = posterior.log_likelihood(ensemble.draws)
    ll = np.where(ensemble.weight > 0, ll, 0.0)
    return ((ensemble.weight * ll).sum(-1) - ensemble.log_evidence) / np.log(2.0)


def marginal_bits(before: ArrayLike, after: ArrayLike | Ensemble | Draws, bins: int = 50) -> Array:
    """Bits that were learnt about one number: a parameter, or a forecast of it.

    Bins hold equal shares of `before`, so the result does not depend on the unit or on taking
    logarithms, and cannot exceed log₂(bins).

    Parameters
    ----------
    before : array_like, (draw,) or (draw, k)
        Draws without the data.
    after : array_like, (draw,) or (draw, k), or Ensemble or Draws of one site
        Draws with the data.
    bins : int
        Chance alone gives about (bins − 1) / (2 ln 2 × draws) bits.

    Returns
    -------
    ndarray, () or (k,)

    Raises
    ------
    InputError
        Fewer than ten draws a bin, or numbers of columns that differ.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> halved = marginal_bits(rng.uniform(0, 1, 20_000), rng.uniform(0, 0.5, 20_000))
    >>> round(float(halved), 1)                                           # half as wide: one bit
    1.0
    """
    bins = as_whole("bins", bins, 2)
    old = as_array("before", before)
    weight = None
    if isinstance(after, (Ensemble, Draws)):
        new, weight = after._flat()
    else:
        new = as_array("after", after)
    single = old.ndim == 1
    old, new = (a[:, None] if a.ndim == 1 else a for a in (old, new))
    if old.ndim != 2 or new.ndim != 2 or old.shape[-1] != new.shape[-1]:
        raise InputError(
            f"before and after must hold draws of the same numbers; their shapes are {old.shape} "
            f"and {new.shape}."
        )
    if min(len(old), len(new)) < 10 * bins:
        raise InputError(
            f"{min(len(old), len(new))} draws are too few for {bins} bins; give at least "
            f"{10 * bins}, or ask for fewer bins."
        )
    out = []
    for x, y in zip(old.T, new.T):
        edges = np.quantile(x, np.linspace(0, 1, bins + 1)[1:-1])
        p, q = (
            np.bincount(np.searchsorted(edges, a), weights=w, minlength=bins)
            for a, w in ((y, weight), (x, None))
        )
        p, q = p / p.sum(), q / q.sum()
        seen = p > 0
        # Numbers that stand still fill one bin before and after: nothing was learnt of them.
        out.append(float((p[seen] * np.log2(p[seen] / np.maximum(q[seen], 1e-300))).sum()))
    return np.array(out[0] if single else out)
