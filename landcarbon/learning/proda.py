r"""PRODA: process-guided deep learning and data-driven modelling, in four calls.

.. math::

    \text{assimilate:} \quad & p(z_s \mid y_s) \propto p(y_s \mid h(X^*(z_s, d_s)))\, p(z_s)
        \qquad \text{each site } s \text{ by its own profile} \\
    & p(z) \leftarrow \mathrm{Normal}(\mathrm{E}_s[z_s],\, \mathrm{Var}_s[z_s])
        \qquad \text{and once more from what the sites have in common} \\
    \text{train:} \quad & f(c_s) \approx \mathrm{E}[z_s \mid y_s] \\
    \text{predict:} \quad & X(c, d) = X^*(f(c), d) \qquad \text{anywhere} \\
    \text{evaluate:} \quad & \text{all of it again without the sites that are predicted}

===========  =====================================  ====================  =======  ============
symbol       meaning                                shape                 unit     code name
===========  =====================================  ====================  =======  ============
:math:`z_s`  parameters in unbounded coordinates    (site, member, p)     1        draws
:math:`y_s`  carbon profile of the site             (site, obs)           gC m-3   observations
:math:`d_s`  forcing of the site                    (site, ...)           own      forcing
:math:`c_s`  environment of the site                (site, covariate)     own      covariates
:math:`X^*`  steady state of the matrix model       (site, pool, layer)   gC m-3   steady_state
:math:`h`    what a profile sees of it              (site, obs)           gC m-3   predict
:math:`f`    network from environment to z          --                    --       Network
===========  =====================================  ====================  =======  ============

Source: Tao et al. 2020, Front. Big Data 3:17, doi:10.3389/fdata.2020.00017. What differs here: the
site posteriors are sampled as they are (the published acceptance rule sharpens them), in two rounds:
a profile says little about most of 21 parameters, and a prior that is flat between bounds says much
about carbon (often several times too much of it), so the second round starts from the distribution
that the first one found over all sites, which is one step of expectation-maximisation for it. The
network works in unbounded coordinates, where no parameter can leave its bounds; skill is measured
in spatial blocks.

The three rivals of the paper use one parameter set, or one distribution, everywhere: `default`
(the model as published), `random_sampling` (parameters drawn at random from what was retrieved at
the training sites), `one_batch` (one set fitted to all training sites at once). `ridge` is PRODA
with a linear map in place of the network. `forest` and `pure_network` predict carbon from the
environment with no process model at all.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.ensemble import es_mda
from landcarbon.assimilation.observations import ProfileObservations
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.runs import claim, some_jobs
from landcarbon.assimilation.sites import assimilate as run_sites
from landcarbon.assimilation.streams import site_generator
from landcarbon.learning.validation import (
    Difference,
    Folds,
    baselines,
    bootstrap_difference,
    bootstrap_score,
    group_folds,
    scores,
)
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.models import clm5
from landcarbon.models.parameters import ParameterTable

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = [
    "METHODS",
    "Evaluation",
    "Network",
    "OneBatch",
    "Sites",
    "assimilate",
    "evaluate",
    "one_batch",
    "predict",
    "train",
]

Array = NDArray[np.float64]
Rng = np.random.Generator | int

METHODS = (
    "default",
    "random_sampling",
    "one_batch",
    "ridge",
    "proda",
    "forest",
    "pure_network",
)


VALIDATION = 0.15  # share of the sites by which a network stops early
FEWEST_SITES = 7


class Model(Protocol):
    """What the workflow asks of a process model; `landcarbon.models.clm5` is one."""

    @property
    def PARAMETERS(self) -> Any: ...
    @property
    def LAYERS(self) -> Any: ...
    @property
    def SOIL(self) -> Any: ...
    @property
    def COMPONENTS(self) -> Any: ...
    def steady_state(self, parameters: Any, forcing: Any) -> Any: ...
    def soil_carbon(self, X: Any) -> Any: ...
    def steady_state_and_vjp(self, parameters: Any, forcing: Any) -> Any: ...


@dataclass(frozen=True, eq=False)
class Sites:
    """What each profile says about its own site.

    Attributes
    ----------
    prior : Prior
    draws : ndarray, (site, member, p)
        Posterior members in unbounded coordinates.
    prediction : ndarray, (site, member, obs)
        Their profiles, in the space of the observations (ln gC m-3).
    site : ndarray, (site,)
        Names of the sites.
    seconds : float
        Time it took.
    n_iter : int
        Steps of the smoother.
    rounds : int
        Number of assimilations, each from what the one before had found.
    first : Sites, optional
        After the first round, where there were more.
    position : ndarray of int, (site,), optional
        Where these sites stand among the profiles that were given, if some failed.
    failed : mapping of site to reason
        The profiles that could not be assimilated (runs on disk only).
    """

    prior: Prior
    draws: Array
    prediction: Array
    site: NDArray[Any]
    seconds: float = 0.0
    n_iter: int = 6
    rounds: int = 1
    first: Sites | None = None
    position: NDArray[np.intp] | None = None
    failed: Mapping[Any, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.draws.shape[0])

    @property
    def mean(self) -> Array:
        """Posterior means (site, p), unbounded coordinates."""
        return self.draws.mean(axis=1)

    @property
    def information(self) -> Array:
        """Share of the prior variance that the profile removed (site, p); below 0 it widened."""
        return 1.0 - self.draws.var(axis=1, ddof=1) / _prior_variance(self.prior)

    def select(self, index: Any) -> Sites:
        """Some of the sites."""
        return replace(
            self,
            draws=self.draws[index],
            prediction=self.prediction[index],
            site=self.site[index],
            first=self.first and self.first.select(index),
            position=None if self.position is None else self.position[index],
        )

    def population(self) -> Prior:
        """What the sites have in common, as the prior of a next round.

        Normal in unbounded coordinates, with the mean and the variance of the members of all sites.
        """
        z = self.draws.reshape(-1, len(self.prior))
        middle, spread = self.prior.from_real(z.mean(axis=0)), z.std(axis=0)
        table = ParameterTable(
            replace(row, default=float(value)) for row, value in zip(self.prior.table, middle)
        )
        return Prior(table, "logit-normal", dict(zip(self.prior.names, spread)))

    def to_dataset(self) -> xr.Dataset:
        """Median, 5 % and 95 % quantile of every parameter in its own unit, and `information`."""
        import xarray as xr

        theta = self.prior.from_real(self.draws)
        low, mid, high = np.quantile(theta, [0.05, 0.5, 0.95], axis=1)
        dims = ("site", "parameter")
        data = xr.Dataset(
            {
                "median": (dims, mid),
                "lower": (dims, low),
                "upper": (dims, high),
                "information": (dims, self.information, {"units": "1"}),
            },
            coords={
                "site": self.site,
                "parameter": list(self.prior.names),
                "units": ("parameter", list(self.prior.table.units)),
            },
        )
        for name in ("median", "lower", "upper"):
            data[name].attrs["units"] = "see coordinate units"
        return data


def assimilate(
    observations: ProfileObservations,
    forcing: Any,
    prior: Prior | None = None,
    *,
    model: Model = clm5,
    members: int = 100,
    n_iter: int = 6,
    rounds: int = 2,
    site: Iterable[Any] | None = None,
    chunk: int = 25,
    rng: Rng = 0,
    report: Callable[[int, int], None] | None = None,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    progress: bool | None = None,
) -> Sites:
    """First call: condition the parameters of every site on its own profile (ES-MDA).

    In the first round a site's result depends on its own data and random stream only. Further
    rounds start from the distribution of all sites (`Sites.population`); `evaluate` repeats them
    for each fold without the sites that are held out.

    Parameters
    ----------
    observations : ProfileObservations, sites (site,)
    forcing : clm5.Forcing, leading axis (site,)
    prior : Prior, optional
        Default: the bounds of `model.PARAMETERS`.
    model : module or object
        With PARAMETERS, LAYERS, SOIL, steady_state, soil_carbon, steady_state_and_vjp.
    members, n_iter : int
        Size of the ensemble and number of steps, see :func:`landcarbon.assimilation.es_mda`.
    rounds : int
        1 keeps the prior as it is given; each further round starts from the distribution of all
        sites found by the one before.
    site : iterable, optional
        Names of the sites.
    chunk : int
        Sites computed at once (memory and cache, not results).
    rng : Generator or int
    report : callable, optional
        `report(done, total)` after every chunk, counting the sites of all rounds; not for runs on
        disk, which have a progress bar.
    out : path, optional
        Folder for results as they come (:func:`landcarbon.assimilation.sites.assimilate`). The same
        call on the same folder continues a run that was interrupted, with the same bits in the end.
        A profile that fails is then recorded in `Sites.failed` and the others go on.
    n_jobs : int
        Processes, for runs on disk.
    progress : bool, optional
        Show progress bars, for runs on disk; by default on a terminal only.

    Returns
    -------
    Sites

    Raises
    ------
    InputError
        Numbers of sites that differ; a profile that reads layers without carbon (without `out`).
    """
    start = time.perf_counter()
    prior = _prior(prior, model)
    n = _n_sites(observations, forcing)
    names = _site_names(site, n)
    _whole("rounds", rounds)
    _whole("chunk", chunk)
    some_jobs(n_jobs)
    if out is not None:
        card = {"members": members, "n_iter": n_iter, "data": _digest(observations, forcing, prior)}
        claim(Path(out), card, "profiles, forcing, prior and options")
    rng = np.random.default_rng(rng)
    how = _How(model, members, n_iter, chunk, None if out is None else Path(out), n_jobs, progress)
    sites = first = None
    position = np.arange(n)
    failed: dict[Any, str] = {}
    for k in range(int(rounds)):
        tell = None if report is None else lambda done, k=k: report(k * n + done, rounds * n)
        prior = prior if sites is None else sites.population()
        part = observations[position], forcing[position]
        draws, prediction, reason = how.into(f"round{k + 1}").run(
            *part, prior, names[position], rng, tell
        )
        good = reason == ""
        failed |= dict(zip(names[position[~good]], reason[~good]))
        position = position[good]
        first = first and first.select(good)
        seconds = time.perf_counter() - start
        sites = Sites(
            prior, draws[good], prediction[good], names[position], seconds, n_iter, k + 1, first,
            position, failed,
        )  # fmt: skip
        first = first or sites
    assert sites is not None
    return sites


@dataclass(frozen=True)
class _How:
    """How every site is assimilated, and where results go."""

    model: Model
    members: int
    n_iter: int
    chunk: int = 25
    out: Path | None = None
    n_jobs: int = 1
    progress: bool | None = None

    def into(self, name: str) -> _How:
        """The same, in a folder inside."""
        return self if self.out is None else replace(self, out=self.out / name)

    def run(
        self,
        observations: ProfileObservations,
        forcing: Any,
        prior: Prior,
        site: NDArray[Any],
        rng: np.random.Generator,
        report: Callable[[int], None] | None = None,
    ) -> tuple[Array, Array, NDArray[Any]]:
        """Draws and predictions of every site from one prior, and why sites failed."""
        seed = int(rng.integers(2**63))
        work = partial(_some_sites, observations, forcing, prior, self)
        if self.out is not None:
            data = run_sites(
                list(site), work, self.out, seed,
                chunk=self.chunk, n_jobs=self.n_jobs, progress=self.progress,
            )  # fmt: skip
            return data["draws"].values, data["prediction"].values, data["reason"].values
        n = len(observations.data)
        draws = np.empty((n, self.members, len(prior)))
        prediction = np.empty((n, self.members, observations.data.shape[-1]))
        for first in range(0, n, self.chunk):
            part = np.arange(first, min(first + self.chunk, n))
            found = work(part, [site_generator(seed, int(i)) for i in part])
            draws[part], prediction[part] = found["draws"][1], found["prediction"][1]
            if report is not None:
                report(int(part[-1]) + 1)
        return draws, prediction, np.full(n, "", dtype=object)


def _some_sites(
    observations: ProfileObservations,
    forcing: Any,
    prior: Prior,
    how: _How,
    part: NDArray[np.int_],
    rngs: list[np.random.Generator],
) -> dict[str, Any]:
    """ES-MDA at the sites `part`, each with its own random stream."""
    obs, climate = observations[part], forcing[part].expand()
    z0 = prior.to_real(prior.sample(how.members, rngs, sites=(part.size,)))

    def run(z: Array) -> Array:
        X = how.model.steady_state(prior.from_real(z), climate)
        return obs.predict(how.model.soil_carbon(X))

    result = es_mda(z0, run, obs, how.n_iter, rng=rngs, names=prior.names)
    return {
        "draws": (("site", "member", "parameter"), result.draws),
        "prediction": (("site", "member", "obs"), result.prediction),
    }


@dataclass(frozen=True, eq=False)
class Network:
    """The trained map from environment to parameters.

    Attributes
    ----------
    prior : Prior
    columns : tuple of str
        Covariates, in order.
    members : tuple
        Fitted regressors; each has left out a share of the training sites.
    centre, scale : ndarray, (covariate,)
        Of the covariates.
    z_centre, z_scale : ndarray, (p,)
        Of the targets.
    scatter : ndarray, (draw, p)
        Posterior draws of training sites minus the prediction for the site by the members that had
        left it out: what the environment does not tell about the parameters.
    seconds : float
        Training time.
    """

    prior: Prior
    columns: tuple[str, ...]
    members: tuple[Any, ...]
    centre: Array
    scale: Array
    z_centre: Array
    z_scale: Array
    scatter: Array
    seconds: float = 0.0

    def parameters(self, covariates: pd.DataFrame) -> Array:
        """Predictions of every member, (member, site, p), unbounded coordinates."""
        x = _covariates(covariates, columns=self.columns)
        return self._apply((x - self.centre) / self.scale)

    def _apply(self, x: Array) -> Array:
        y = np.stack([np.reshape(m.predict(x), (x.shape[0], -1)) for m in self.members])
        return self.z_centre + y * self.z_scale

    def sample(self, covariates: pd.DataFrame, draws: int, rng: Rng = 0) -> Array:
        """Draws of the parameters at each site, (site, draw, p), unbounded coordinates.

        Each draw is one member's prediction plus one row of `scatter`, so that correlations between
        parameters are kept.
        """
        rng = np.random.default_rng(rng)
        z = self.parameters(covariates)
        which = rng.permutation(np.arange(draws) % z.shape[0])
        rows = rng.integers(self.scatter.shape[0], size=(z.shape[1], draws))
        return np.moveaxis(z[which], 0, 1) + self.scatter[rows]


def train(
    covariates: pd.DataFrame,
    sites: Sites,
    *,
    kind: str = "network",
    members: int = 8,
    hidden: Sequence[int] = (64, 64),
    alpha: float = 1.0,
    max_iter: int = 300,
    weights: str | None = "information",
    groups: ArrayLike | None = None,
    draws: int = 4000,
    rng: Rng = 0,
) -> Network:
    """Second call: learn the parameters from the environment.

    The targets are the posterior means, in units of the prior standard deviation. One profile says
    something about one or two directions of the 21; along the others its posterior mean is the
    prior mean plus sampling noise. Measured against the prior, those targets barely move and cost
    the network nothing. Measured against their own spread (the usual standardised outputs) noise
    would weigh as much as signal.

    Parameters
    ----------
    covariates : pandas.DataFrame, (site, covariate)
        Numbers only, in the order of `sites`.
    sites : Sites
        From :func:`assimilate`.
    kind : {"network", "ridge"}
        Ensemble of multilayer perceptrons, or of ridge regressions (the baseline).
    members : int
        Each member leaves out one share of the sites.
    hidden : sequence of int
        Widths of the hidden layers.
    alpha : float
        Weight decay of the network.
    max_iter : int
        Most epochs; training stops early on a validation share.
    weights : {"information"} or None
        Weigh sites by the information their profile holds, or all alike.
    groups : array_like, (site,), optional
        Blocks: sites of a block are left out together.
    draws : int
        Rows of `scatter` to keep.
    rng : Generator or int

    Returns
    -------
    Network

    Raises
    ------
    InputError
        Covariates missing at a site, not numeric, or of another length; fewer sites than members.
    """
    start = time.perf_counter()
    rng = np.random.default_rng(rng)
    if kind not in ("network", "ridge"):
        raise InputError(f"kind {kind!r} is not known; take 'network' or 'ridge'.")
    if weights not in ("information", None):
        raise InputError(f"weights {weights!r} is not known; take 'information' or None.")
    x = _covariates(covariates, n=len(sites))
    if members < 2 or len(sites) < 2 * members:
        raise InputError(
            f"{members} members leave out one share of the sites each: at least 2 members and "
            "twice "
            f"as many sites are needed, but there are {len(sites)} sites. Take fewer members."
        )
    centre, spread = x.mean(axis=0), x.std(axis=0)
    # A covariate that is the same everywhere tells nothing; it must not divide by 0.
    scale = np.where(spread > 0, spread, 1.0)
    target = sites.mean
    z_centre, z_scale = target.mean(axis=0), np.sqrt(_prior_variance(sites.prior))
    xs, ys = (x - centre) / scale, (target - z_centre) / z_scale
    w = None
    if weights == "information":
        w = np.maximum(sites.information, 0.0).sum(axis=1)
        w = w / w.mean() if w.any() else None
    fold = _shares(len(sites), members, groups, rng)
    fitted: list[Any] = []
    held_out = np.empty(target.shape)
    for k in range(members):
        out = fold == k
        member = _regressor(kind, hidden, alpha, max_iter, (~out).sum(), int(rng.integers(2**31)))
        _fit(member, xs[~out], ys[~out], None if w is None else w[~out])
        held_out[out] = z_centre + z_scale * member.predict(xs[out]).reshape(-1, ys.shape[1])
        fitted.append(member)
    which = rng.integers(len(sites), size=draws)
    scatter = sites.draws[which, rng.integers(sites.draws.shape[1], size=draws)] - held_out[which]
    return Network(
        prior=sites.prior,
        columns=tuple(str(c) for c in covariates.columns),
        members=tuple(fitted),
        centre=centre,
        scale=scale,
        z_centre=z_centre,
        z_scale=z_scale,
        scatter=scatter,
        seconds=time.perf_counter() - start,
    )


def _regressor(
    kind: str, hidden: Sequence[int], alpha: float, max_iter: int, n: int, seed: int
) -> Any:
    if kind == "ridge":
        from sklearn.linear_model import RidgeCV

        return RidgeCV(alphas=np.logspace(-1, 5, 25))
    from sklearn.neural_network import MLPRegressor

    learn = int(n * (1 - VALIDATION))  # what is left of the sites to learn from
    if n - learn < 2:
        raise InputError(
            f"A network stops early by {VALIDATION:.0%} of its sites and needs at least "
            f"{FEWEST_SITES} of them, but has {n}. Take fewer members or folds, or kind='ridge'."
        )
    return MLPRegressor(
        hidden_layer_sizes=tuple(hidden),
        alpha=alpha,
        batch_size=min(64 if n < 2000 else 256, learn),
        learning_rate_init=2e-3,
        max_iter=max_iter,
        early_stopping=True,
        validation_fraction=VALIDATION,
        n_iter_no_change=20,
        random_state=seed,
    )


def _fit(member: Any, x: Array, y: Array, w: Array | None) -> None:
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # Stopping at max_iter is one more way of stopping early.
        warnings.simplefilter("ignore", ConvergenceWarning)
        member.fit(x, y, **({} if w is None else {"sample_weight": w}))


def _shares(n: int, members: int, groups: ArrayLike | None, rng: np.random.Generator) -> Any:
    if groups is None or np.unique(np.asarray(groups)).size < members:
        return rng.permutation(np.arange(n) % members)
    return group_folds(groups, members, rng).fold


def predict(
    network: Network,
    covariates: pd.DataFrame,
    forcing: Any,
    *,
    model: Model = clm5,
    draws: int = 100,
    depth: float = 1.0,
    level: float = 0.9,
    chunk: int = 4096,
    rng: Rng = 0,
) -> xr.Dataset:
    """Third call: parameters and carbon wherever environment and forcing are known.

    Uncertainty comes from the posteriors at the training sites, from what the environment does not
    tell, and from the disagreement of the network's members, all through the process model.

    Parameters
    ----------
    network : Network
    covariates : pandas.DataFrame, (site, covariate)
        The columns the network was trained with; the index names the sites (or grid cells).
    forcing : clm5.Forcing, leading axis (site,)
    model : module or object
    draws : int
        Parameter sets a site, at least 20.
    depth : float
        Carbon stock down to this depth, m.
    level : float
        Coverage of the intervals.
    chunk : int
        Columns solved at once.
    rng : Generator or int

    Returns
    -------
    xarray.Dataset
        `parameters`, `parameters_lower`, `parameters_upper` (site, parameter): median and interval.
        `carbon`, ... (site, layer) in gC m-3: exp of the mean of ln carbon, and interval.
        `stock`, ... (site,) in kgC m-2 down to `depth`: median and interval.

    Raises
    ------
    InputError
        Covariates missing at a site or unknown, forcing of another length, fewer than 20 draws.
    """
    import pandas as pd
    import xarray as xr

    rng = np.random.default_rng(rng)
    if draws < 20:
        raise InputError(f"An interval needs at least 20 draws, but draws={draws} was given.")
    if not 0 < level < 1:
        raise InputError(f"level is a probability between 0 and 1, but {level!r} was given.")
    bottom = np.asarray(model.LAYERS.bottom, float)
    if not 0 < depth <= bottom[-1]:
        raise InputError(
            f"depth must lie within the column, 0 to {bottom[-1]:.1f} m, but {depth!r} was given."
        )
    n = len(covariates)
    if _leading(forcing) != (n,):
        raise InputError(
            f"covariates has {n} rows, but the forcing has leading axes {_leading(forcing)}: give "
            "both for the same sites, in the same order."
        )
    thickness = np.diff(np.minimum(np.concatenate([[0.0], bottom]), depth))
    z = network.sample(covariates, draws, rng)
    theta = network.prior.from_real(z)
    tails = [(1 - level) / 2, 0.5, (1 + level) / 2]
    n_layers = bottom.size
    carbon, stock = np.empty((3, n, n_layers)), np.empty((3, n))
    step = max(1, chunk // draws)
    for first in range(0, n, step):
        part = np.arange(first, min(first + step, n))
        X = model.soil_carbon(model.steady_state(theta[part], forcing[part].expand()))
        carbon[:, part] = np.quantile(X, tails, axis=1)
        # Below the bedrock there is no carbon and no logarithm.
        rock = (X <= 0).any(axis=1)
        ln = np.log(np.where(rock[:, None], 1.0, X)).mean(axis=1)
        carbon[1, part] = np.where(rock, 0.0, np.exp(ln))
        stock[:, part] = np.quantile(X @ thickness / 1000.0, tails, axis=1)
    low, mid, high = np.quantile(theta, tails, axis=1)

    index = covariates.index
    coords: dict[str, Any] = {
        "parameter": list(network.prior.names),
        "units": ("parameter", list(network.prior.table.units)),
        "layer": np.arange(1, n_layers + 1),
        "node_depth": ("layer", np.asarray(model.LAYERS.node, float), {"units": "m"}),
    }
    if isinstance(index, pd.MultiIndex):
        coords["site"] = np.arange(n)
        for k, name in enumerate(index.names):
            coords[str(name)] = ("site", index.get_level_values(k).to_numpy())
    else:
        coords["site"] = index.to_numpy()
    data = xr.Dataset(coords=coords, attrs={"level": level, "draws": draws})
    for name, dims, unit, meaning, values in (
        ("parameters", ("site", "parameter"), "see coordinate units", "median", (low, mid, high)),
        ("carbon", ("site", "layer"), "gC m-3", "exp of the mean of ln carbon", carbon),
        ("stock", ("site",), "kgC m-2", f"median, down to {depth:g} m", stock),
    ):
        for suffix, value in zip(("_lower", "", "_upper"), values):
            data[name + suffix] = (dims, value, {"units": unit})
        data[name].attrs["long_name"] = f"{name}: {meaning}"
    return data


@dataclass(frozen=True, eq=False)
class OneBatch:
    """One parameter set for all sites.

    Attributes
    ----------
    prior : Prior
    z : ndarray, (p,)
        Unbounded coordinates.
    cost : tuple of float
        Minus the log posterior density at the start and at the end, up to a constant.
    iterations : int
    converged : bool
    seconds : float
    """

    prior: Prior
    z: Array
    cost: tuple[float, float]
    iterations: int
    converged: bool
    seconds: float = 0.0

    @property
    def parameters(self) -> Array:
        """In physical units (p,)."""
        return self.prior.from_real(self.z)


def one_batch(
    observations: ProfileObservations,
    forcing: Any,
    prior: Prior | None = None,
    *,
    model: Model = clm5,
    start: ArrayLike | None = None,
    starts: int = 4,
    max_iter: int = 200,
    tolerance: float = 1e-6,
    rng: Rng = 0,
) -> OneBatch:
    """The one parameter set that fits all sites best (L-BFGS on the hand-written adjoint).

    The cost has more than one minimum. The best of 100 prior draws and the default parameters are
    therefore improved on a sample of the sites first, and the best of these on all sites.

    Parameters
    ----------
    observations : ProfileObservations, sites (site,)
    forcing : clm5.Forcing, leading axis (site,)
    prior : Prior, optional
    model : module or object
    start : array_like, (p,), optional
        Physical units: start here only.
    starts : int
        Number of starting points otherwise.
    max_iter : int
    tolerance : float
        Stops when an iteration improves the cost by a smaller share than this.
    rng : Generator or int

    Returns
    -------
    OneBatch
    """
    from scipy.optimize import minimize

    began = time.perf_counter()
    rng = np.random.default_rng(rng)
    prior = _prior(prior, model)
    n = _n_sites(observations, forcing)
    cost = _batch_cost(observations, forcing, prior, model)
    z = prior.to_real(prior.table.default if start is None else start)
    first = cost(z)[0]
    if start is None and starts > 1:
        few = np.sort(rng.permutation(n)[:60])
        quick = _batch_cost(observations[few], forcing[few], prior, model)
        z0 = np.concatenate([z[None], prior.to_real(prior.sample(100, rng))])
        X = model.steady_state(prior.from_real(z0), forcing[few].expand())
        fit = observations[few].log_likelihood(model.soil_carbon(X)).sum(axis=0)
        best = np.argsort(-(fit + prior.log_density_real(z0)))[: starts - 1]
        tried = [
            minimize(quick, z0[k], jac=True, method="L-BFGS-B", options={"maxiter": 60})
            for k in dict.fromkeys([0, *best.tolist()])
        ]
        z = min(tried, key=lambda found: found.fun).x
    options = {"maxiter": max_iter, "ftol": tolerance}
    found = minimize(cost, z, jac=True, method="L-BFGS-B", options=options)
    return OneBatch(
        prior,
        np.asarray(found.x, float),
        (first, float(found.fun)),
        int(found.nit),
        bool(found.success),
        time.perf_counter() - began,
    )


def _batch_cost(
    observations: ProfileObservations, forcing: Any, prior: Prior, model: Model
) -> Callable[[Array], tuple[float, Array]]:
    """Minus the log posterior density of one parameter set for all sites, and its gradient."""

    def cost(z: Array) -> tuple[float, Array]:
        X, pullback = model.steady_state_and_vjp(prior.from_real(z), forcing)
        soil = model.soil_carbon(X)
        fit = observations.log_likelihood(soil).sum()
        dX = np.zeros_like(X)
        dX[..., model.SOIL, :] = observations.gradient(soil)[..., None, :]
        slope = pullback(dX).reshape(-1, z.size).sum(axis=0) * prior.slope(z)
        return -float(fit + prior.log_density_real(z)), -(slope + prior.gradient_real(z))

    return cost


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Held-out skill of PRODA and its rivals.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a method: `r2` with its interval, `rmse`, `bias` (all on ln carbon), `coverage` of
        the 90 % predictive interval (methods that have one), `seconds`.
    predictions : xarray.Dataset
        `observed` (site, obs) and `predicted` (approach, site, obs), ln gC m-3; NaN where nothing
        was measured. `fold` and `block` of each site.
    networks : tuple of Network
        The network of each fold.
    """

    table: pd.DataFrame
    predictions: xr.Dataset
    networks: tuple[Network, ...] = field(repr=False, default=())

    def gap(self, method: str, rival: str, *, draws: int = 2000, rng: Rng = 0) -> Difference:
        """R² of a method minus R² of a rival, with a paired block-bootstrap interval."""
        lacking = [n for n in ("observed", "predicted", "block") if n not in self.predictions.variables]
        if lacking:
            raise InputError(
                f"{lacking[0]!r} is missing: a gap needs the predictions, which a summary does not hold."
            )
        known = list(self.predictions["approach"].values)
        for name in (method, rival):
            if name not in known:
                raise InputError(f"{name!r} was not evaluated; there are {', '.join(known)}.")
        seen = np.isfinite(self.predictions["observed"].values)
        block = np.broadcast_to(self.predictions["block"].values[:, None], seen.shape)[seen]
        at = {name: self.predictions["predicted"].sel(approach=name).values[seen] for name in known}
        return bootstrap_difference(
            self.predictions["observed"].values[seen],
            at[method],
            at[rival],
            block,
            draws=draws,
            rng=rng,
        )

    def to_dataset(self) -> xr.Dataset:
        """`predictions` with the columns of `table` along "approach": all that can be stored."""
        data = self.predictions.copy()
        units = {"rmse": "1", "bias": "1", "seconds": "s"}
        for name, column in self.table.items():
            values = column.to_numpy()
            values = values.astype("int8") if values.dtype == bool else values
            data[f"score_{name}"] = ("approach", values, {"units": units.get(str(name), "1")})
        return data

    @classmethod
    def from_dataset(cls, data: xr.Dataset) -> Evaluation:
        """The inverse of :meth:`to_dataset`; networks are not stored.

        A summary without predictions will do for the table; `gap` then says what is missing.

        Raises
        ------
        InputError
            A dataset of another kind.
        """
        import pandas as pd

        need = ("approach", "score_r2", "score_held_out")
        lacking = [name for name in need if name not in getattr(data, "variables", ())]
        if lacking:
            raise InputError(f"{lacking[0]!r} is missing: give what Evaluation.to_dataset() has made.")
        names = [str(name) for name in data if str(name).startswith("score_")]
        columns = {name.removeprefix("score_"): data[name].values for name in names}
        table = pd.DataFrame(columns, index=pd.Index(data["approach"].values, name="approach"))
        table["held_out"] = table["held_out"].astype(bool)
        return cls(table, data.drop_vars(names))

    def __str__(self) -> str:
        shown = self.table.copy()
        shown["r2"] = [
            f"{r:.2f} [{a:.2f}, {b:.2f}]"
            for r, a, b in zip(shown["r2"], shown["lower"], shown["upper"])
        ]
        shown["coverage"] = [f"{c:.0%}" if c == c else "" for c in shown["coverage"]]
        shown["held_out"] = ["yes" if h else "no" for h in shown["held_out"]]
        attrs = self.predictions.attrs
        head = (
            f"ln carbon, {attrs['sites']} profiles, {attrs['values']} values, "
            f"{attrs['folds']} {attrs['kind']} folds, {attrs['blocks']} blocks"
        )
        body = shown.drop(columns=["lower", "upper"]).to_string(
            formatters={
                "rmse": "{:.2f}".format,
                "bias": "{:+.2f}".format,
                "seconds": "{:.1f}".format,
            }
        )
        return f"{head}\n{body}"


def evaluate(
    observations: ProfileObservations,
    forcing: Any,
    covariates: pd.DataFrame,
    folds: Folds,
    sites: Sites | None = None,
    *,
    prior: Prior | None = None,
    model: Model = clm5,
    methods: Iterable[str] = METHODS,
    truth: ArrayLike | None = None,
    draws: int = 100,
    rng: Rng = 0,
    report: Callable[[str, int], None] | None = None,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    progress: bool | None = None,
    **options: Any,
) -> Evaluation:
    """Fourth call: cross-validated skill of PRODA and its rivals, all on the same folds.

    Every method predicts ln carbon at the depths of profiles it has not seen. PRODA, ridge and
    random sampling predict by the mean of ln carbon over their parameter draws: the model is not
    linear, and the carbon of mean parameters is not the mean carbon.

    Parameters
    ----------
    observations, forcing, covariates
        As in :func:`assimilate` and :func:`train`.
    folds : Folds
        From `landcarbon.learning.validation`, over the sites.
    sites : Sites, optional
        From :func:`assimilate`; assimilated here if not given. Rounds after the first are repeated
        for each fold without its test sites. Also adds the row "own_profile": the
        posterior at the very site, not held out, a bound for what the model can fit.
    prior : Prior, optional
    model : module or object
    methods : iterable of str
        Some of `METHODS`.
    truth : array_like, (site, p), optional
        True parameters of a twin world, physical units: adds the row "truth", the ceiling.
    draws : int
        Parameter draws a site for predictions.
    rng : Generator or int
    report : callable, optional
        `report(method, fold)` when done.
    out, n_jobs, progress
        As in :func:`assimilate`, for the rounds repeated without the test sites; `n_jobs` also for the
        methods without a process. Results depend on it by no more than rounding.
    **options
        For :func:`train`.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        Unknown method, folds over other sites, covariates missing at a site.
    """
    rng = np.random.default_rng(rng)
    seed = int(rng.integers(2**63))
    chosen = (methods,) if isinstance(methods, str) else tuple(dict.fromkeys(methods))
    unknown = [m for m in chosen if m not in METHODS]
    if unknown or not chosen:
        raise InputError(
            f"There is no method {unknown[0]!r}; choose among {', '.join(METHODS)}."
            if unknown
            else f"methods is empty; choose among {', '.join(METHODS)}."
        )
    _whole("draws", draws)
    n = _n_sites(observations, forcing)
    _covariates(covariates, n=n)
    if folds.fold.size != n:
        raise InputError(
            f"The folds are over {folds.fold.size} sites, but there are {n} profiles. Make the "
            "folds "
            "from the coordinates of the same sites."
        )
    if any(learn.size == 0 or test.size == 0 for learn, test in folds):
        raise InputError("Every fold needs sites to learn from and sites to predict; make at least 2 folds.")
    if sites is None:
        sites = assimilate(observations, forcing, prior, model=model, rng=rng)
    if len(sites) != n:
        raise InputError(
            f"sites holds {len(sites)} sites, but there are {n} profiles. Where some failed, select "
            "the others first: observations[sites.position], and so on."
        )
    members = sites.draws.shape[1]
    some_jobs(n_jobs)
    if out is not None:
        card = {"members": members, "n_iter": sites.n_iter, "data": _digest(observations, forcing)}
        card |= {"folds": _digest(folds), "first": _digest(sites.first or sites)}
        claim(Path(out), card, "profiles, forcing, folds and sites")
    how = _How(model, members, sites.n_iter, 25, None if out is None else Path(out), n_jobs, progress)
    task = _Task(observations, forcing, covariates, folds, sites, how, draws, seed, options)
    results: dict[str, _Held] = {}
    networks: list[Network] = []
    for name in chosen:
        results[name] = _cross_validate(task, name, report, networks)
    results["own_profile"] = _Held(
        sites.prediction.mean(axis=1), _covered(task, sites.prediction, np.arange(n)), sites.seconds
    )
    if truth is not None:
        theta = as_array("truth", truth, shape=(n, len(sites.prior)))
        z = sites.prior.to_real(theta)
        results["truth"] = _Held(task.carbon(z, np.arange(n)), None, 0.0)
    return _summary(task, results, tuple(networks))


@dataclass(frozen=True, eq=False)
class _Task:
    observations: ProfileObservations
    forcing: Any
    covariates: Any
    folds: Folds
    sites: Sites
    how: _How
    draws: int
    seed: int
    options: dict[str, Any]
    _known: dict[bytes, Sites] = field(default_factory=dict)

    def known(self, learn: NDArray[np.int64]) -> Sites:
        """Training sites, assimilated without any knowledge of the others."""
        sites = self.sites.select(learn)
        if sites.first is None:
            return sites
        key = learn.tobytes()
        if key not in self._known:
            fold = len(self._known)
            rng = np.random.default_rng([self.seed, len(METHODS), fold])
            known = sites.first
            for k in range(1, sites.rounds):
                prior = known.population()
                draws, prediction, reason = self.how.into(f"fold{fold + 1}-round{k + 1}").run(
                    self.observations[learn], self.forcing[learn], prior, known.site, rng
                )
                if (reason != "").any():
                    raise InputError(f"site {known.site[reason != ''][0]!r}: {reason[reason != ''][0]}")
                known = replace(known, prior=prior, draws=draws, prediction=prediction)
            self._known[key] = known
        return self._known[key]

    @property
    def model(self) -> Model:
        return self.how.model

    def carbon(self, z: Array, at: NDArray[np.int64]) -> Array:
        """ln carbon at the observed depths of sites `at`; z (site, p) or (site, draw, p)."""
        out = []
        for first in range(0, at.size, 40):
            part = slice(first, first + 40)
            forcing = self.forcing[at[part]]
            forcing = forcing.expand() if z.ndim == 3 else forcing
            X = self.model.steady_state(self.sites.prior.from_real(z[part]), forcing)
            out.append(self.observations[at[part]].predict(self.model.soil_carbon(X)))
        return np.concatenate(out)


@dataclass
class _Held:
    predicted: Array
    covered: NDArray[np.bool_] | None
    seconds: float


def _cross_validate(
    task: _Task,
    name: str,
    report: Callable[[str, int], None] | None,
    networks: list[Network],
) -> _Held:
    start = time.perf_counter()
    predicted = np.full(task.observations.data.shape, np.nan)
    covered = np.zeros(predicted.shape, dtype=bool)
    spread = name in ("random_sampling", "ridge", "proda")
    for k, (learn, test) in enumerate(task.folds):
        rng = np.random.default_rng([task.seed, METHODS.index(name), k])
        if spread:
            y = task.carbon(_draws(task, name, learn, test, rng, networks), test)
            predicted[test] = y.mean(axis=1)
            covered[test] = _covered(task, y, test, rng)
        elif name in ("forest", "pure_network"):
            predicted[test] = _without_process(task, name, learn, test, rng)
        else:
            z = _single(task, name, learn, rng)
            predicted[test] = task.carbon(np.broadcast_to(z, (test.size, z.size)), test)
        if report is not None:
            report(name, k)
    return _Held(predicted, covered if spread else None, time.perf_counter() - start)


def _single(task: _Task, name: str, learn: NDArray[np.int64], rng: np.random.Generator) -> Array:
    # The prior of a further round is centred elsewhere.
    prior = (task.sites.first or task.sites).prior
    if name == "default":
        return prior.to_real(prior.table.default)
    found = one_batch(
        task.observations[learn], task.forcing[learn], prior, model=task.model, rng=rng
    )
    return found.z


def _draws(
    task: _Task,
    name: str,
    learn: NDArray[np.int64],
    test: NDArray[np.int64],
    rng: np.random.Generator,
    networks: list[Network],
) -> Array:
    known = task.known(learn)
    if name == "random_sampling":
        rows = rng.integers(learn.size, size=task.draws)
        z = known.draws[rows, rng.integers(known.draws.shape[1], size=task.draws)]
        return np.broadcast_to(z, (test.size, *z.shape))
    network = train(
        task.covariates.iloc[learn],
        known,
        kind="ridge" if name == "ridge" else "network",
        groups=task.folds.group[learn],
        rng=rng,
        **task.options,
    )
    if name == "proda":
        networks.append(network)
    return network.sample(task.covariates.iloc[test], task.draws, rng)


def _covered(
    task: _Task, y: Array, at: NDArray[np.int64], rng: Rng = 0, level: float = 0.9
) -> NDArray[np.bool_]:
    """Whether each value lies in the predictive interval, measurement error included."""
    rng = np.random.default_rng(rng)
    obs = task.observations[at]
    measured = y + obs.sd[:, None, :] * rng.standard_normal(y.shape)
    low, high = np.quantile(measured, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return (low <= obs.data) & (obs.data <= high)


def _without_process(
    task: _Task,
    name: str,
    learn: NDArray[np.int64],
    test: NDArray[np.int64],
    rng: np.random.Generator,
) -> Array:
    x = _covariates(task.covariates)
    obs, mask = task.observations, task.observations.mask
    depth = np.where(mask, obs.depth, 0.0)

    def rows(at: NDArray[np.int64], used: NDArray[np.bool_]) -> Array:
        site = at[np.nonzero(used)[0]]
        return np.column_stack([x[site], depth[at][used]])

    jobs = task.how.n_jobs
    estimator = baselines(rng, jobs)["forest"] if name == "forest" else _pure_network(rng, jobs)
    _fit(estimator, rows(learn, mask[learn]), obs.data[learn][mask[learn]], None)
    everything = np.ones((test.size, mask.shape[1]), dtype=bool)
    return estimator.predict(rows(test, everything)).reshape(test.size, -1)


def _pure_network(rng: np.random.Generator, n_jobs: int) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import BaggingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    member = _regressor("network", (64, 64), 1.0, 300, 1000, 0)
    ensemble = BaggingRegressor(
        member, 5, max_samples=0.9, bootstrap=False, n_jobs=n_jobs,
        random_state=int(rng.integers(2**31)),
    )
    return TransformedTargetRegressor(
        make_pipeline(StandardScaler(), ensemble), transformer=StandardScaler()
    )


def _summary(task: _Task, results: dict[str, _Held], networks: tuple[Network, ...]) -> Evaluation:
    import pandas as pd
    import xarray as xr

    obs, mask, folds = task.observations, task.observations.mask, task.folds
    block = np.broadcast_to(folds.group[:, None], mask.shape)[mask]
    rows = []
    for name, held in results.items():
        s = scores(obs.data[mask], held.predicted[mask])
        ci = bootstrap_score(obs.data[mask], held.predicted[mask], block)
        cover = np.nan if held.covered is None else held.covered[mask].mean()
        out = name not in ("own_profile", "truth")
        rows.append((name, s.r2, ci.lower, ci.upper, s.rmse, s.bias, cover, out, held.seconds))
    columns = [
        "approach",
        "r2",
        "lower",
        "upper",
        "rmse",
        "bias",
        "coverage",
        "held_out",
        "seconds",
    ]
    table = pd.DataFrame(rows, columns=columns).set_index("approach")
    stacked = np.stack([np.where(mask, held.predicted, np.nan) for held in results.values()])
    unit = {"units": "ln(gC m-3)" if obs.kind == "log" else "gC m-3"}
    data = xr.Dataset(
        {
            "observed": (("site", "obs"), np.where(mask, obs.data, np.nan), unit),
            "predicted": (("approach", "site", "obs"), stacked, unit),
            "depth": (("site", "obs"), np.where(mask, obs.depth, np.nan), {"units": "m"}),
        },
        coords={
            "approach": list(results),
            "site": task.sites.site,
            "fold": ("site", folds.fold),
            "block": ("site", folds.group),
        },
        attrs={
            "sites": int(mask.shape[0]),
            "values": int(mask.sum()),
            "folds": folds.n_folds,
            "kind": folds.kind,
            "blocks": int(np.unique(folds.group).size),
        },
    )
    return Evaluation(table, data, networks)


def _prior_variance(prior: Prior) -> Array:
    # A prior uniform between its bounds is a standard logistic in unbounded coordinates.
    normal = np.array([family == "logit-normal" for family in prior.families])
    return np.where(normal, prior.width**2, np.pi**2 / 3)


def _prior(prior: Prior | None, model: Model) -> Prior:
    if prior is None:
        return Prior(model.PARAMETERS)
    if prior.names != tuple(model.PARAMETERS.names):
        raise InputError(
            f"The prior is over {len(prior)} parameters ({', '.join(prior.names[:3])}, ...), but "
            "the "
            f"model has {len(model.PARAMETERS)}. Build it with Prior(model.PARAMETERS)."
        )
    return prior


def _digest(*things: Any) -> str:
    """A short mark of all numbers in some dataclasses."""
    mark = hashlib.sha256()
    for thing in things:
        for name, value in sorted(getattr(thing, "__dict__", {}).items()):
            if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
                mark.update(f"{name}{value.shape}".encode())
                mark.update(np.ascontiguousarray(value).tobytes())
    return mark.hexdigest()[:12]


def _whole(name: str, value: Any) -> None:
    number = float(as_array(name, value, shape=()))
    if isinstance(value, str) or number != int(number) or number < 1:
        raise InputError(f"{name} is a whole number, at least 1, but {value!r} was given.")


def _leading(forcing: Any) -> tuple[int, ...]:
    return tuple(forcing.shape)


def _n_sites(observations: ProfileObservations, forcing: Any) -> int:
    if observations.kind != "log":
        raise InputError(
            "Profiles are compared as logarithms here: make the observations with kind='log'."
        )
    if len(observations.sites) != 1 or _leading(forcing) != observations.sites:
        raise InputError(
            f"The observations have sites {observations.sites}, but the forcing has leading axes "
            f"{_leading(forcing)}: give one axis of sites in both, in the same order."
        )
    return int(observations.sites[0])


def _site_names(site: Iterable[Any] | None, n: int) -> NDArray[Any]:
    names = np.arange(n) if site is None else np.asarray(list(site))
    if names.shape != (n,):
        raise InputError(f"site names {names.size} sites, but there are {n} profiles.")
    return names


def _covariates(
    covariates: Any, *, n: int | None = None, columns: tuple[str, ...] | None = None
) -> Array:
    if not hasattr(covariates, "columns"):
        raise InputError(
            f"covariates must be a pandas DataFrame with one row a site, but a "
            f"{type(covariates).__name__} was given. From an xarray.Dataset: data.to_dataframe()."
        )
    table = covariates
    if columns is not None:
        absent = [c for c in columns if c not in set(map(str, table.columns))]
        if absent:
            raise InputError(
                f"The network was trained with {absent[0]!r}, which covariates does not have. Give "
                f"all of {', '.join(columns)}."
            )
        table = table.set_axis([str(c) for c in table.columns], axis=1)[list(columns)]
    if n is not None and len(table) != n:
        raise InputError(
            f"covariates has {len(table)} rows for {n} sites: give one row a site, in the same "
            "order."
        )
    words = [str(c) for c in table.columns if table[c].dtype.kind not in "biuf"]
    if words or table.shape[1] == 0:
        raise InputError(
            f"Covariate {words[0]!r} is not a number; make classes into columns with "
            "pandas.get_dummies."
            if words
            else "covariates has no columns: give at least one."
        )
    x = table.to_numpy(float)
    bad = ~np.isfinite(x)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(
            f"Covariates are missing at {int(bad.any(axis=1).sum())} site(s), the first being "
            f"{table.columns[column]!r} at site {table.index[row]!r}. Fill them, or drop these "
            "sites "
            "from profiles and forcing too."
        )
    return x
