"""What comes out of a sampler: weighted draws, and Markov chains.

::

    E[g] = sum_k w_k g(theta_k),   ESS = 1 / sum_k w_k^2,   sum_k w_k = 1      (weighted draws)
    E[g] = mean over chains and draws of g(theta)                              (chains)

====== ===================== ============================ ==== ========= ================
symbol meaning               shape                        unit code name source
====== ===================== ============================ ==== ========= ================
theta  parameters            (sites..., draw, p), or with own  draws     Prior
                             a chain axis before draw
w_k    weight of draw k      (sites..., draw)             1    weight
ESS    effective sample size (sites...)                   1    ess       Kong et al. 1994
R-hat  spread of all chains  (sites..., p)                1    rhat      Vehtari 2021
       over that within one
====== ===================== ============================ ==== ========= ================

A result says what is wrong with it: `concerns()` is empty, or holds one sentence for each thing. Limits
are those of Vehtari et al.: R-hat at most 1.01, 400 effective draws.

Kong et al. 1994: J. Am. Stat. Assoc. 89, 278-288. Vehtari et al. 2021: doi:10.1214/20-BA1221.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.replicas import Replicating, inference_data
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array, as_choice, as_kind, as_share, as_whole
from landcarbon.matrix.labels import OF_EACH, labelled, read, write

if TYPE_CHECKING:
    import pandas
    import xarray

__all__ = ["ConvergenceWarning", "Draws", "Ensemble", "parameter_names", "systematic", "tails"]


RHAT, EFFECTIVE = 1.01, 400.0  # limits of Vehtari et al. 2021
LEANS, NEAR = 0.25, 0.01  # a quarter of the posterior within a hundredth of the prior from a bound,
SOME = 0.1  # at a tenth of the sites
STUCK = 0.015  # 0 to 0.004 on the straight and bent posteriors of `problems`, 0.03 to 0.2 on funnels
DIAGNOSED = 100  # parameters, over all sites, up to which R-hat has ranks


class ConvergenceWarning(UserWarning):
    """A result that should not be trusted as it is, and what to do about it."""


class _Statistics:
    """What draws of either kind can say; leading axes are the sites."""

    names: tuple[str, ...]
    draws: NDArray[np.float64]
    _DIMS: ClassVar[dict[str, tuple[str, ...]]] = {}

    def _flat(self) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        raise NotImplementedError

    def mean(self) -> NDArray[np.float64]:
        """Posterior mean (sites..., p)."""
        x, w = self._flat()
        return x.mean(-2) if w is None else (w[..., None] * x).sum(-2)

    def sd(self) -> NDArray[np.float64]:
        """Posterior standard deviation (sites..., p)."""
        x, w = self._flat()
        if w is None:
            return x.std(-2, ddof=1)
        return np.sqrt((w[..., None] * (x - self.mean()[..., None, :]) ** 2).sum(-2))

    def quantile(self, q: float | Sequence[float]) -> NDArray[np.float64]:
        """Quantiles (sites..., p), or (len(q), sites..., p) for a list.

        Draw k of n stands at k / (n + 1) (Weibull's position), so that the interval between two
        quantiles covers a new draw as often as it says, with few draws too; with weights, n is
        their effective sample size.
        """
        levels = as_array("q", q, lower=0.0, upper=1.0)
        x, w = self._flat()
        if w is None:
            return np.quantile(x, levels, axis=-2, method="weibull")
        n = (1.0 / (w**2).sum(-1))[..., None, None]
        order = np.argsort(x, axis=-2)
        x = np.take_along_axis(x, order, -2)
        w = np.take_along_axis(np.broadcast_to(w[..., None], x.shape), order, -2)
        position = (n * (np.cumsum(w, -2) - 0.5 * w) + 0.5) / (n + 1.0)
        out = []
        for level in np.atleast_1d(levels):
            right = np.clip((position < level).sum(-2, keepdims=True), 1, x.shape[-2] - 1)
            p0, p1 = (np.take_along_axis(position, right - k, -2) for k in (1, 0))
            x0, x1 = (np.take_along_axis(x, right - k, -2) for k in (1, 0))
            share = np.divide(level - p0, p1 - p0, out=np.ones_like(p0), where=p1 > p0)
            out.append((x0 + np.clip(share, 0.0, 1.0) * (x1 - x0))[..., 0, :])
        return np.stack(out) if levels.ndim else out[0]

    def to_dataset(
        self, site: ArrayLike | None = None, quantiles: Sequence[float] = (0.025, 0.5, 0.975)
    ) -> xarray.Dataset:
        """Mean, sd and quantiles as a labelled dataset (site, parameter), small enough to keep."""
        import xarray as xr

        mean = self.mean()
        if mean.ndim > 2:
            raise InputError(f"to_dataset takes one site axis, but there are {mean.ndim - 1}.")
        dims = ("site", "parameter")[2 - mean.ndim :]
        coords: dict[str, Any] = {"parameter": list(self.names), "quantile": list(quantiles)}
        if mean.ndim == 2:
            coords["site"] = np.arange(len(mean)) if site is None else np.asarray(site)
        data = xr.Dataset(
            {
                "mean": (dims, mean),
                "sd": (dims, self.sd()),
                "quantiles": (("quantile", *dims), self.quantile(list(quantiles))),
            },
            coords=coords,
        ).transpose(..., "parameter")
        names = {
            "mean": "posterior mean",
            "sd": "posterior standard deviation",
            "quantiles": "posterior quantiles",
        }
        units = dict.fromkeys(names, OF_EACH) | {"quantile": "1", "site": "1"}
        return labelled(data, "Posterior of each site", units=units, names=names)

    def to_arviz(self, source: Replicating | None = None, rng: Random = 0) -> Any:
        """One site for ArviZ's plots, statistics and comparison of models.

        Parameters
        ----------
        source : Posterior or alike, optional
            What was sampled; brings its prior, the data, the data that the draws would make, and the
            log-likelihood of each datum, from which `arviz.loo` and `arviz.waic` compare models. Streams
            with weights have no such log-likelihood: a share of a datum has no probability.
        rng : Generator or int
            Of the data made, and of which weighted draws are taken.

        Returns
        -------
        arviz.InferenceData, or xarray.DataTree since ArviZ 1
            Groups `posterior`, of chains `sample_stats`, and with `source` `prior`, `posterior_predictive`,
            `observed_data` and `log_likelihood`; dimensions (chain, draw). Draws without chains are one chain.

        Raises
        ------
        InputError
            Several sites, a source that has no model.

        Examples
        --------
        >>> made = Ensemble(("k",), np.random.default_rng(1).normal(size=(500, 1))).to_arviz()
        >>> dict(made["posterior"].sizes)
        {'chain': 1, 'draw': 500}
        """
        chains, stats = self._chained(rng)
        return inference_data(self.names, chains, source, rng, stats=stats)

    def _chained(self, rng: Random) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
        raise NotImplementedError

    def concerns(self, prior: Any = None) -> tuple[str, ...]:
        """What is wrong with these draws, one sentence each; empty if nothing is known to be.

        Parameters
        ----------
        prior : Prior, optional
            Asks as well whether the posterior leans on a bound.

        Returns
        -------
        tuple of str
        """
        return self._unsettled() + (() if prior is None else self._on_bounds(prior))

    def _unsettled(self) -> tuple[str, ...]:
        return ()

    def _on_bounds(self, prior: Any) -> tuple[str, ...]:
        x, w = self._flat()
        u = prior.to_unit(x)
        weight = np.full(x.shape[:-1], 1.0 / x.shape[-2]) if w is None else w
        told = []
        for side, close in (("lower", u < NEAR), ("upper", u > 1.0 - NEAR)):
            share = (weight[..., None] * close).sum(-2)
            # Of many sites a few always lean, by chance; of twins a share that the prior decides.
            for k in np.flatnonzero((share > LEANS).mean(tuple(range(share.ndim - 1))) > SOME):
                row, most = prior.table[int(k)], share[..., k].max()
                bound = row.lower if side == "lower" else row.upper
                if bound == 0 or (row.lower, bound) == (0, 1):
                    continue  # nothing at all, or a whole share: a finding, no bound of ours
                if not np.isfinite(bound):
                    told.append(
                        f"{most:.0%} of the posterior of {row.name!r} lies in the {side} hundredth of its prior"
                        f"{_of_sites(share[..., k] > LEANS)}: prior and data disagree. Check the unit, or state a "
                        "wider prior."
                    )
                    continue
                told.append(
                    f"{most:.0%} of the posterior of {row.name!r} lies in the last hundredth of its prior before the "
                    f"{side} bound, {bound:g} {row.unit}{_of_sites(share[..., k] > LEANS)}: the bound decides, not the "
                    "data. Widen it, or say why it must be there."
                )
        return tuple(told)

    def save(self, path: str | os.PathLike[str], *, seed: object = None) -> None:
        """Write everything to one netCDF file, which `load` reads.

        Parameters
        ----------
        path : path
            In a folder that exists.
        seed : optional
            The seed they were drawn with, to be noted.
        """
        import xarray as xr

        lead = tuple(f"site_{k}" for k in range(self.draws.ndim - len(self._DIMS["draws"])))
        held = {name: getattr(self, name) for name in self._DIMS}
        data = xr.Dataset(
            {
                name: ((*lead, *self._DIMS[name]), np.asarray(value))
                for name, value in held.items()
                if value is not None
            },
            coords={"parameter": list(self.names)},
            attrs={"kind": type(self).__name__},
        )
        units = dict.fromkeys(held, "1") | {"draws": OF_EACH, "prediction": "as the data"}
        write(labelled(data, "Draws from a posterior", seed=seed, units=units), path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            Another kind of file.
        """
        data = read(path)
        if data.attrs.get("kind") != cls.__name__:
            raise InputError(
                f"{path} holds {data.attrs.get('kind', 'something else')!r}, not {cls.__name__!r}."
            )
        names = tuple(str(name) for name in data["parameter"].values)
        held: dict[str, Any] = {name: data[name].values for name in cls._DIMS if name in data}
        return cls(**held | {"names": names})

    def _table(self, extra: dict[str, NDArray[np.float64]]) -> pandas.DataFrame:
        import pandas as pd

        x, _ = self._flat()
        if x.ndim != 2:
            raise InputError(
                f"summary describes one site, but the sites have shape {x.shape[:-2]}. Choose one, "
                "draws[0].summary(), or use mean(), sd() and quantile() for all."
            )
        low, median, high = self.quantile([0.025, 0.5, 0.975])
        columns = {"mean": self.mean(), "sd": self.sd(), "2.5%": low, "50%": median, "97.5%": high}
        return pd.DataFrame(columns | extra, index=pd.Index(self.names, name="parameter"))


@dataclass(frozen=True, eq=False)
class Ensemble(_Statistics):
    """Independent draws, weighted (importance sampling) or equal (ES-MDA, prior).

    Parameters
    ----------
    names : tuple of str
    draws : ndarray, (sites..., draw, p)
    log_weight : ndarray, (sites..., draw), optional
        ln of the normalised weights; None when all are equal.
    log_evidence, log_evidence_error : ndarray, (sites...), optional
        ln Z and its Monte-Carlo standard error.
    prediction : ndarray, (sites..., draw, obs), optional
        What the draws predict for the observations, in data space.
    stuck : ndarray, (sites...), optional
        Share of the particles of `tempered_smc` that hardly move at its end.

    Raises
    ------
    InputError
        Draws that are not finite, or not one for each name.
    """

    _DIMS: ClassVar[dict[str, tuple[str, ...]]] = {
        "draws": ("draw", "parameter"),
        "log_weight": ("draw",),
        "log_evidence": (),
        "log_evidence_error": (),
        "prediction": ("draw", "observation"),
        "stuck": (),
    }

    names: tuple[str, ...]
    draws: NDArray[np.float64]
    log_weight: NDArray[np.float64] | None = None
    log_evidence: NDArray[np.float64] | None = None
    log_evidence_error: NDArray[np.float64] | None = None
    prediction: NDArray[np.float64] | None = None
    stuck: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        names = as_kind("names", self.names, tuple, list, hint="One a parameter.")
        draws = as_array("draws", self.draws, shape=(None, len(names)))
        object.__setattr__(self, "draws", draws)

    def __getitem__(self, index: Any) -> Ensemble:
        """Select sites."""
        _needs_site_axis(self.draws.shape[:-2])
        rest = (self.log_weight, self.log_evidence, self.log_evidence_error, self.prediction, self.stuck)
        return Ensemble(
            self.names, self.draws[index], *(None if a is None else a[index] for a in rest)
        )

    def _flat(self) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        return self.draws, None if self.log_weight is None else self.weight

    @property
    def weight(self) -> NDArray[np.float64]:
        """Normalised weights (sites..., draw)."""
        if self.log_weight is None:
            return np.full(self.draws.shape[:-1], 1.0 / self.draws.shape[-2])
        return np.exp(self.log_weight)

    @property
    def ess(self) -> NDArray[np.float64]:
        """Effective sample size of the weights (sites...)."""
        return 1.0 / (self.weight**2).sum(-1)

    @property
    def distinct(self) -> NDArray[np.int_]:
        """Number of draws that differ from all others (sites...): a copy tells nothing new.

        Examples
        --------
        >>> Ensemble(("x",), np.array([[1.0], [2.0], [1.0]])).distinct
        array(2)
        """
        order = np.lexsort(np.moveaxis(self.draws, -1, 0), axis=-1)
        x = np.take_along_axis(self.draws, order[..., None], axis=-2)
        return np.asarray(1 + (np.diff(x, axis=-2) != 0).any(-1).sum(-1))

    def _unsettled(self) -> tuple[str, ...]:
        told = []
        if self.log_weight is not None and (self.ess < EFFECTIVE).any():
            few = self.ess < EFFECTIVE
            told.append(
                f"the weighted draws are worth {self.ess.min():.0f} of the posterior{_of_sites(few)}, and "
                f"{EFFECTIVE:.0f} are wanted: take more of them, or method='smc'."
            )
        stuck = np.asarray(0.0 if self.stuck is None else self.stuck)
        if (stuck > STUCK).any():
            told.append(
                f"{stuck.max():.1%} of the particles hardly move{_of_sites(stuck > STUCK)}: the "
                "posterior has parts too narrow for the steps that fit the rest, and some may be missed. Do not trust "
                "ln Z; state parameters so that their widths do not hang on each other, or use 'hmc' with "
                "target_accept=0.95."
            )
        return tuple(told)

    def resample(self, n: int, rng: Random = 0) -> Ensemble:
        """`n` equally weighted draws (systematic resampling)."""
        n = as_whole("n", n, 1)
        start = streams(rng, self.draws.shape[:-2]).uniform((1,))
        pick = systematic(self.weight, n, start)[..., None]
        prediction = self.prediction
        if prediction is not None:
            prediction = np.take_along_axis(prediction, pick, axis=-2)
        draws = np.take_along_axis(self.draws, pick, axis=-2)
        return replace(self, draws=draws, log_weight=None, prediction=prediction)

    def _chained(self, rng: Random) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
        even = self if self.log_weight is None else self.resample(self.draws.shape[-2], rng)
        return even.draws[..., None, :, :], {}

    def summary(self) -> pandas.DataFrame:
        """Mean, sd, quantiles and effective sample size of one site."""
        return self._table({} if self.log_weight is None else {"ess": self.ess})


@dataclass(frozen=True, eq=False)
class Draws(_Statistics):
    """Markov chains.

    Parameters
    ----------
    names : tuple of str
    draws : ndarray, (sites..., chain, draw, p)
    log_density : ndarray, (sites..., chain, draw)
        Of the coordinates the chain walked in.
    accept_rate : ndarray, (sites..., chain)
        Share of proposals accepted, after warm-up.
    diverging : ndarray of bool, (sites..., chain, draw), optional
        HMC: True where the trajectory that led here, or was refused here, lost its energy balance.
    """

    _DIMS: ClassVar[dict[str, tuple[str, ...]]] = {
        "draws": ("chain", "draw", "parameter"),
        "log_density": ("chain", "draw"),
        "accept_rate": ("chain",),
        "diverging": ("chain", "draw"),
    }

    names: tuple[str, ...]
    draws: NDArray[np.float64]
    log_density: NDArray[np.float64]
    accept_rate: NDArray[np.float64]
    diverging: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        names = as_kind("names", self.names, tuple, list, hint="One a parameter.")
        draws = as_array("draws", self.draws, shape=(None, None, len(names)))
        for name, value in (
            ("draws", draws),
            ("log_density", as_array("log_density", self.log_density, shape=draws.shape[-3:-1])),
            ("accept_rate", as_array("accept_rate", self.accept_rate, lower=0.0, upper=1.0, shape=draws.shape[-3:-2])),
        ):
            object.__setattr__(self, name, value)

    def __getitem__(self, index: Any) -> Draws:
        """Select sites."""
        _needs_site_axis(self.draws.shape[:-3])
        return Draws(
            self.names,
            self.draws[index],
            self.log_density[index],
            self.accept_rate[index],
            None if self.diverging is None else self.diverging[index],
        )

    def _flat(self) -> tuple[NDArray[np.float64], None]:
        shape = self.draws.shape
        return self.draws.reshape(*shape[:-3], shape[-3] * shape[-2], shape[-1]), None

    def ensemble(self) -> Ensemble:
        """All draws of all chains, equally weighted."""
        return Ensemble(self.names, self._flat()[0])

    def _diagnose(self, function: str, **options: Any) -> NDArray[np.float64]:
        import arviz as az

        x = np.moveaxis(self.draws, (-3, -2), (0, 1))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "More chains|Found chain")  # meant: many, side by side
            out = getattr(az, function)(az.convert_to_dataset({"x": x}), **options)
        return np.asarray(out["x"])

    @property
    def _still(self) -> NDArray[np.bool_]:
        """Parameters (sites..., p) that never moved in any chain, but for rounding."""
        size = np.abs(self.draws).max(axis=(-3, -2))
        return (np.ptp(self.draws, axis=-2) <= 1e-12 * size[..., None, :]).all(axis=-2)

    def rhat(self) -> NDArray[np.float64]:
        """Rank-normalised split R-hat (sites..., p).

        Vehtari et al. 2021, doi:10.1214/20-BA1221. Infinite where a parameter never moved.
        """
        return np.where(self._still, np.inf, self._diagnose("rhat", method="rank"))

    def ess(self, kind: str = "bulk") -> NDArray[np.float64]:
        """Effective sample size (sites..., p), kind "bulk" or "tail" (same source).

        The tail's is the smaller of those of the 5 % and the 95 % quantile. Zero where a parameter
        never moved: such a chain has told nothing.
        """
        kind = as_choice("kind", kind, ("bulk", "tail", "mean", "sd", "median", "mad"))
        quantiles = {"prob": (0.05, 0.95)} if kind == "tail" else {}  # ArviZ 1 would take 5.5 % and 94.5 %
        return np.where(self._still, 0.0, self._diagnose("ess", method=kind, **quantiles))

    def _unsettled(self) -> tuple[str, ...]:
        told = []
        few = np.prod(self.draws.shape[:-3], dtype=int) * self.draws.shape[-1] <= DIAGNOSED
        rhat = self.rhat() if few else np.where(self._still, np.inf, plain_rhat(self.draws))
        enough = not (rhat > RHAT).any()
        if not enough:
            k = int(np.argmax(rhat.max(tuple(range(rhat.ndim - 1)))))
            where = f"{self.names[k]!r}{_of_sites((rhat > RHAT).any(-1))}"
            most = f"{rhat.max():.3f}" if rhat.max() < 1.1 else f"{rhat.max():.3g}"
            told.append(
                f"R-hat reaches {most} ({where}), and at most {RHAT} is "
                "wanted: the chains have not found the same posterior. Let them run longer (n_warmup, n_draws, "
                "thin), or use method='smc'."
            )
        ess = self.ess() if few and enough else np.full(1, np.inf)
        if (ess < EFFECTIVE).any():
            told.append(
                f"{self.names[int(ess.argmin() % len(self.names))]!r} has {ess.min():.0f} effective draws, and "
                f"{EFFECTIVE:.0f} are wanted for a mean and its error: take more n_draws or more thin."
            )
        if self.diverging is not None and self.diverging.any():
            where = _of_sites(self.diverging.any((-2, -1)))
            told.append(
                f"{self.diverging.mean():.2%} of the trajectories diverged{where}: some of the posterior is too "
                "sharply curved for the step, and may be missed. Use "
                "target_accept=0.95, or check the result with 'smc'."
            )
        return tuple(told)

    def _chained(self, rng: Random) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
        stats: dict[str, NDArray[Any]] = {"lp": self.log_density}
        return self.draws, stats if self.diverging is None else stats | {"diverging": self.diverging}

    def summary(self) -> pandas.DataFrame:
        """Mean, sd, quantiles, R-hat, bulk and tail ESS of one site."""
        if self.draws.ndim != 3:
            return self._table({})
        return self._table(
            {"r_hat": self.rhat(), "ess_bulk": self.ess(), "ess_tail": self.ess("tail")}
        )


def _of_sites(which: ArrayLike) -> str:
    """How many sites, where there are several."""
    bad = np.asarray(which)
    return f", at {int(bad.sum())} of {bad.size} sites" if bad.ndim else ""


def plain_rhat(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Split R-hat (sites..., p) without ranks, of many sites at once (Gelman et al. 2013)."""
    half = draws.shape[-2] // 2
    x = np.concatenate([draws[..., :half, :], draws[..., -half:, :]], axis=-3)
    within = x.var(-2, ddof=1).mean(-2)
    between = x.mean(-2).var(-2, ddof=1)
    ratio = np.divide(between, within, out=np.zeros_like(within), where=within > 0)
    return np.sqrt((half - 1.0) / half + ratio)


def say_concerns(result: Draws | Ensemble, prior: Any = None) -> None:
    """One warning with all that is wrong with a result; nothing if nothing is known to be."""
    told = result.concerns(prior)
    if told:
        warnings.warn(" ".join(t[0].upper() + t[1:] for t in told), ConvergenceWarning, stacklevel=3)


def _needs_site_axis(sites: tuple[int, ...]) -> None:
    if not sites:
        raise InputError("[index] selects sites, but these draws are of one site; use .draws.")


def parameter_names(names: Sequence[str] | None, n: int) -> tuple[str, ...]:
    """The names given, or x0, x1 ...

    Examples
    --------
    >>> parameter_names(None, 2)
    ('x0', 'x1')
    """
    if names is None:
        return tuple(f"x{k}" for k in range(as_whole("n", n)))
    return tuple(as_kind("names", names, list, tuple, "__iter__"))


def tails(level: float) -> tuple[float, float]:
    """The quantiles between which a central interval lies.

    Raises
    ------
    InputError
        A level that does not lie between 0 and 1.

    Examples
    --------
    >>> tails(0.5)
    (0.25, 0.75)
    """
    level = as_share("level", level)
    return (1 - level) / 2, (1 + level) / 2


def systematic(
    weight: NDArray[np.float64], n: int, start: NDArray[np.float64]
) -> NDArray[np.int_]:
    """Systematic resampling: n places along one comb, so that no draw is missed by chance.

    Parameters
    ----------
    weight : ndarray, (sites..., draw)
        At least 0; their sum need not be 1.
    n : int
        How many to pick a site.
    start : ndarray, (sites..., 1)
        Where the comb begins, uniform in [0, 1).

    Returns
    -------
    ndarray of int, (sites..., n)

    Examples
    --------
    >>> systematic(np.array([0.5, 0.0, 0.25, 0.25]), 4, np.array([0.5]))
    array([0, 0, 2, 3])
    """
    weight, n = as_array("weight", weight, shape=(None,), lower=0.0), as_whole("n", n, 1)
    start = as_array("start", start)
    if start.shape != (*weight.shape[:-1], 1) or not weight.size:
        raise InputError(f"start has shape {start.shape}; give one number for each set of weights {weight.shape}.")
    m = weight.shape[-1]
    edges = np.cumsum(weight, axis=-1)
    edges = edges / edges[..., -1:]
    points = (np.arange(n) + start) / n
    flat = zip(edges.reshape(-1, m), points.reshape(-1, n))
    pick = np.stack([np.searchsorted(e, u, side="right") for e, u in flat])
    return np.minimum(pick, m - 1).reshape(*weight.shape[:-1], n)
