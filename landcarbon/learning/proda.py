r"""PRODA: process-guided deep learning and data-driven modelling, in four calls.

.. math::

    \text{assimilate:} \quad & p(z_s \mid y_s) \propto p(y_s \mid h(X^*(z_s, d_s)))\, p(z_s)
        \qquad \text{each site } s \text{ by its own profile} \\
    & p(z) \leftarrow \mathrm{Normal}(\mathrm{E}_s[z_s],\, \mathrm{Var}_s[z_s])
        \qquad \text{again, from what the sites have in common, until carbon stays} \\
    & p(z_s) \leftarrow \mathrm{Normal}(f(c_s),\, \Sigma)
        \qquad \text{and once from what the environment of the site tells} \\
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
site posteriors are sampled as they are (the published acceptance rule sharpens them), and the prior is
learnt. A profile says little about most of 21 parameters, and a prior that is flat between bounds says
much about carbon, often several times too much of it. So the prior becomes the distribution that was
found over all sites, again and again until the mean of ln carbon no longer moves, and in the last round
the network's own prediction at the site, made without it: expectation-maximisation (Dempster et al. 1977,
doi:10.1111/j.2517-6161.1977.tb01600.x) for a model with covariates. The network works in unbounded
coordinates, where no parameter can leave its bounds; skill is measured in spatial blocks.

The first three calls are here; the fourth, :func:`landcarbon.learning.evaluate`, is one for all
rivals of `landcarbon.learning.rivals`.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.draws import tails
from landcarbon.assimilation.ensemble import es_mda
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.sites import assimilate as run_sites
from landcarbon.assimilation.streams import site_generator
from landcarbon.learning.folds import group_folds
from landcarbon.learning.task import Scaling, Task, Work, pieces
from landcarbon.learning.validation import Prediction
from landcarbon.matrix.errors import InputError, Rng, as_kind, as_number, as_rng, as_share, as_whole
from landcarbon.models.parameters import ParameterTable
from landcarbon.models.process import HIGHEST_CARBON, Model, expand, observed_values
from landcarbon.store import Shortage, Store

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = [
    "Network",
    "Sites",
    "again",
    "assimilate",
    "perceptron",
    "predict",
    "ridge",
    "train",
]

Array = NDArray[np.float64]
Regressor = Any  # a scikit-learn regressor, or a function from the number of sites to one


VALIDATION = 0.15  # share of the sites by which a network stops early
FEWEST_SITES = 7
COMMON = 400  # sites by which the distribution of all is found
TAUGHT = 100  # sites from which on a network can say more than the distribution of all
MARKED = 1000  # sites at which the width of intervals is marked
NARROWEST = 0.3


@dataclass(frozen=True, eq=False)
class Sites:
    """What each profile says about its own site.

    Attributes
    ----------
    prior : Prior
    draws : ndarray, (site, member, p)
        Posterior members in unbounded coordinates. Of many sites in a run on disk they stay there, as do the
        predictions (:class:`landcarbon.store.OnDisk`).
    prediction : ndarray, (site, member, obs)
        Their profiles, in the space of the observations (ln gC m-3).
    site : ndarray, (site,)
        Names of the sites.
    seconds : float
        Time it took.
    n_iter, n_rounds, tolerance
        How it was done, see :func:`assimilate`.
    start : Prior, optional
        What was known before anything was learnt; None where that is `prior`.
    trace : ndarray, (round, 2)
        Of the rounds that found the distribution of all sites: the mean of ln carbon of the posteriors
        minus that of the data, and how far the mean of a parameter moved (root mean square over the
        parameters, in units of its standard deviation over the sites).
    position : ndarray of int, (site,), optional
        Where these sites stand among the profiles that were given, if some failed.
    failed : mapping of site to reason
        The profiles that could not be assimilated (runs on disk only).
    """

    prior: Prior
    draws: Array
    prediction: Array
    site: NDArray[Any]
    seconds: float = field(default=0.0, compare=False)
    n_iter: int = 6
    n_rounds: int = 1
    tolerance: float = 0.01
    start: Prior | None = None
    trace: Array = field(default_factory=lambda: np.empty((0, 2)))
    position: NDArray[np.intp] | None = None
    failed: Mapping[Any, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.draws.shape[0])

    @property
    def mean(self) -> Array:
        """Posterior means (site, p), unbounded coordinates."""
        return _by_piece(lambda draws: draws.mean(axis=1), self.draws)

    @property
    def information(self) -> Array:
        """Share of the prior variance that the profile removed (site, p); below 0 it widened."""
        return 1.0 - _by_piece(lambda draws: draws.var(axis=1, ddof=1), self.draws) / prior_variance(self.prior)

    def select(self, index: Any) -> Sites:
        """Some of the sites."""
        try:
            draws = self.draws[index]
        except (IndexError, TypeError) as error:
            raise InputError(f"index {index!r:.60} selects none of {len(self.draws)} sites: {error}.") from None
        return replace(
            self,
            draws=draws,
            prediction=self.prediction[index],
            site=self.site[index],
            position=None if self.position is None else self.position[index],
        )

    def to_dataset(self) -> xr.Dataset:
        """Median, 5 % and 95 % quantile of every parameter in its own unit, and `information`."""
        import xarray as xr

        ends = [0.05, 0.5, 0.95]
        bands = _by_piece(lambda draws: _quantiles(self.prior.from_real(draws), ends).swapaxes(0, 1), self.draws)
        low, mid, high = bands.swapaxes(0, 1)
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
    task: Task,
    *,
    n_members: int = 100,
    n_iter: int = 6,
    n_rounds: int = 10,
    tolerance: float = 0.01,
    rng: Rng = 0,
    tell: Callable[[int, int], None] | None = None,
) -> Sites:
    """First call: condition the parameters of every site on its own profile (ES-MDA).

    With one round a site's result depends on its own data and random stream only. Otherwise the prior is
    learnt first, by rounds over at most `COMMON` of the sites, each of which starts from the distribution
    that the one before had found over them. All sites then start from that distribution; and where the
    task has covariates, and at least `TAUGHT` sites to learn them from, once more from the prediction of
    a network that has not seen the site, with the scatter about it.

    Parameters
    ----------
    task : Task
        With `work.out`, results are kept on disk, folder `sites`, and a profile that fails is
        recorded in `Sites.failed` while the others go on.
    n_members, n_iter : int
        Size of the ensemble and number of steps, see :func:`landcarbon.assimilation.es_mda`.
    n_rounds : int
        1 keeps the prior as it is given; otherwise most rounds by which it is learnt.
    tolerance : float
        It is learnt when the mean of ln carbon over all measurements moves less than this in a round.
    rng : Generator or int
    tell : callable, optional
        `tell(done, total)` after every chunk of sites of a round; not for runs on disk, which have a
        progress bar.

    Returns
    -------
    Sites

    Raises
    ------
    InputError
        Profiles that are not compared as logarithms; a profile that reads layers without carbon
        (without `work.out`).
    """
    start = time.perf_counter()
    n_members, n_iter = as_whole("n_members", n_members, 2), as_whole("n_iter", n_iter, 1)
    n_rounds = as_whole("n_rounds", n_rounds, 1)
    tolerance = as_number("tolerance", tolerance, lower=0.0)
    logarithmic(task)
    n, names = len(task), task.site
    how = _Smoother(task.model, n_members, n_iter, task.work.into("sites"))
    how.claim(
        task,
        {"rng": rng, "prior": task.prior, "n_rounds": n_rounds, "tolerance": tolerance,
         "covariates": task.covariates, "groups": task.groups},
        "profiles, environment, forcing, prior and options",
    )  # fmt: skip
    rng = as_rng(rng)
    prior, trace = task.prior, np.empty((0, 2))
    if n_rounds > 1:
        few = np.sort(rng.permutation(n)[:COMMON])
        prior, trace = _common(task[few], how, n_rounds, tolerance, rng, tell)

    def once(folder: str, prior: Prior, before: Sites | None = None, centre: Array | None = None) -> Sites:
        at = np.arange(n) if before is None or before.position is None else before.position
        draws, prediction, reason = how.run(task[at], prior, names[at], rng, folder, tell, centre)
        draws, prediction, position = _only(reason == "", draws, prediction, at)
        failed = {} if before is None else dict(before.failed)
        return Sites(
            prior, draws, prediction, names[position], time.perf_counter() - start,
            n_iter, n_rounds, tolerance, task.prior, trace, position,
            failed | {name: why for name, why in zip(names[at], reason) if why},
        )  # fmt: skip

    sites = once("common", prior)
    if n_rounds == 1 or task.covariates is None or len(sites) < TAUGHT:
        return sites
    known = replace(task[sites.position], known=sites)
    network, centre = _learn(known, perceptron, 4, "information", 4000, rng)
    return once("own", _normal(prior, centre.mean(axis=0), network.scatter.std(axis=0)), sites, centre)


def _common(
    task: Task,
    how: _Smoother,
    n_rounds: int,
    tolerance: float,
    rng: np.random.Generator,
    tell: Callable[[int, int], None] | None,
) -> tuple[Prior, Array]:
    """What the sites have in common, found by rounds until carbon stays, and the way there."""
    prior, trace = task.prior, np.empty((0, 2))
    for k in range(n_rounds):
        draws, prediction, reason = how.run(task, prior, task.site, rng, f"round{k + 1}", tell)
        good = reason == ""
        z = draws[good].reshape(-1, len(prior))
        off = (prediction[good].mean(axis=1) - task.data.data[good])[task.data.mask[good]].mean()
        moved = np.sqrt((((z.mean(axis=0) - prior.centre) / z.std(axis=0)) ** 2).mean()) if k else np.nan
        trace = np.append(trace, [[off, moved]], axis=0)
        prior = _normal(prior, z.mean(axis=0), z.std(axis=0))
        if k and abs(off - trace[-2, 0]) < tolerance:
            break
    return prior, trace


def _only(good: NDArray[np.bool_], *values: Any) -> list[Any]:
    """The good ones of each; what lies on disk stays there if all are."""
    return [value if good.all() else value[good] for value in values]


def _by_piece(of: Callable[[Array], Array], values: Array) -> Array:
    """A result for every site, from some of them at a time."""
    return np.concatenate([np.asarray(of(np.asarray(values[part]))) for part in pieces(len(values))])


def _normal(prior: Prior, centre: Array, width: Array) -> Prior:
    """Normal in unbounded coordinates, over the same parameters."""
    middle = prior.from_real(centre)
    table = ParameterTable(replace(row, default=float(value)) for row, value in zip(prior.table, middle))
    return Prior(table, "logit-normal", dict(zip(prior.names, width)))


def again(task: Task, rows: NDArray[np.int64], fold: int = 0, *, rng: Rng = 0) -> Sites:
    """The sites `rows` of a task that knows its sites, without any knowledge of the others.

    Where each site was alone with the prior that was given, its result stands. Otherwise all is done anew
    from these sites.

    Parameters
    ----------
    task : Task
        With `known`.
    rows : ndarray of int
    fold : int
        Names the folder, for work on disk.
    rng : Generator or int

    Returns
    -------
    Sites
    """
    sites = task.known
    if sites is None:
        raise InputError("This task knows no sites: give task.knowing(proda.assimilate(task)).")
    if sites.n_rounds == 1:
        return sites.select(rows)
    part = replace(task[rows], work=task.work.into("folds").into(f"fold{fold + 1}"))
    found = assimilate(
        part, n_members=sites.draws.shape[1], n_iter=sites.n_iter, n_rounds=sites.n_rounds,
        tolerance=sites.tolerance, rng=rng,
    )  # fmt: skip
    for name, reason in found.failed.items():
        raise InputError(f"site {name!r}: {reason}")
    return found


@dataclass(frozen=True)
class _Smoother:
    """How every site is assimilated, and where results go."""

    model: Model
    n_members: int
    n_iter: int
    work: Work

    def claim(self, task: Task, more: Mapping[str, Any], same: str) -> None:
        """Take the folder, if there is one, for this run."""
        if self.work.out is not None:
            card = {"n_members": self.n_members, "n_iter": self.n_iter, "model": self.model,
                    "observations": task.data, "forcing": task.forcing}  # fmt: skip
            Store(self.work.out).claim({**card, **more}, same)

    def run(
        self,
        task: Task,
        prior: Prior,
        site: NDArray[Any],
        rng: np.random.Generator,
        folder: str,
        tell: Callable[[int, int], None] | None = None,
        centre: Array | None = None,
    ) -> tuple[Array, Array, NDArray[Any]]:
        """Draws and predictions of every site, and why sites failed.

        From one prior, or from one of its width about `centre` (site, p).
        """
        seed = int(rng.integers(2**63))
        work = _SomeSites(task.data, task.forcing, prior, self, np.arange(len(task)), centre)
        if self.work.out is not None:
            data = run_sites(
                list(site), work, Path(self.work.out) / folder, seed,
                chunk=self.work.chunk, n_jobs=self.work.n_jobs, progress=self.work.progress,
            )  # fmt: skip
            if data.attrs["short"]:
                raise Shortage(
                    f"memory or disk was short at {data.attrs['short']} of {len(site)} profiles. What was "
                    "finished is kept; make room, or take fewer processes, and call again."
                )
            return data["draws"].data, data["prediction"].data, data["reason"].values
        n, chunk = len(task), self.work.chunk
        draws = np.empty((n, self.n_members, len(prior)))
        prediction = np.empty((n, self.n_members, task.data.data.shape[-1]))
        for first in range(0, n, chunk):
            part = np.arange(first, min(first + chunk, n))
            found = work(part, [site_generator(seed, int(i)) for i in part])
            draws[part], prediction[part] = found["draws"][1], found["prediction"][1]
            if tell is not None:
                tell(int(part[-1]) + 1, n)
        return draws, prediction, np.full(n, "", dtype=object)


@dataclass(frozen=True, eq=False)
class _SomeSites:
    """ES-MDA at some of the sites `positions`, each with its own random stream."""

    observations: Any
    forcing: Any
    prior: Prior
    how: _Smoother
    positions: NDArray[np.int_]
    centre: Array | None = None

    def cut(self, part: NDArray[np.int_]) -> _SomeSites:
        """The same for `part` alone, with no data of other sites."""
        rows = np.searchsorted(self.positions, part)
        centre = None if self.centre is None else self.centre[rows]
        return replace(
            self, observations=self.observations[rows], forcing=self.forcing[rows], positions=part, centre=centre
        )

    def __call__(self, part: NDArray[np.int_], rngs: list[np.random.Generator]) -> dict[str, Any]:
        own = self.cut(part)
        prior, obs, how, climate = self.prior, own.observations, self.how, expand(own.forcing)
        z0 = prior.to_real(prior.sample(how.n_members, rngs, sites=(part.size,)))
        if own.centre is not None:
            z0 = z0 - prior.centre + own.centre[:, None]

        def run(z: Array) -> Array:
            return obs.predict(observed_values(how.model, prior.from_real(z), climate))

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
    scaling : Scaling
        Of the covariates.
    networks : tuple
        Fitted regressors; each has left out a share of the training sites.
    z_centre, z_scale : ndarray, (p,)
        Of the targets.
    scatter : ndarray, (draw, p)
        Posterior draws of training sites minus the prediction for the site by the members that had
        left it out: what the environment does not tell about the parameters.
    stretch : float
        Factor on draws of ln carbon about their mean by which their intervals cover what was measured at
        sites left out as often as they say.
    seconds : float
        Training time.
    """

    prior: Prior
    scaling: Scaling
    networks: tuple[Any, ...]
    z_centre: Array
    z_scale: Array
    scatter: Array
    stretch: float = 1.0
    seconds: float = 0.0

    def parameters(self, covariates: pd.DataFrame) -> Array:
        """Predictions of every member, (member, site, p), unbounded coordinates."""
        x = self.scaling(covariates)
        if not len(x):
            raise InputError("covariates has no rows; give one a place.")
        y = np.stack([np.reshape(m.predict(x), (x.shape[0], -1)) for m in self.networks])
        return self.z_centre + y * self.z_scale

    def sample(self, covariates: pd.DataFrame, n_draws: int, rng: Rng = 0) -> Array:
        """Draws of the parameters at each site, (site, draw, p), unbounded coordinates.

        Each draw is one network's prediction plus one row of `scatter`, so that correlations between
        parameters are kept. It is the same network and row at every site: a draw is one possible map.
        """
        rng, n_draws = as_rng(rng), as_whole("n_draws", n_draws, 1)
        z = self.parameters(covariates)
        which = rng.permutation(np.arange(n_draws) % z.shape[0])
        return np.moveaxis(z[which], 0, 1) + self.left_open(n_draws, rng)

    def left_open(self, n_draws: int, rng: Rng = 0) -> Array:
        """Draws (draw, p) of what the environment does not tell: rows of `scatter`."""
        rng, n_draws = as_rng(rng), as_whole("n_draws", n_draws, 1)
        return self.scatter[rng.integers(self.scatter.shape[0], size=n_draws)]


def perceptron(
    n: int, hidden: Sequence[int] = (64, 64), alpha: float = 1.0, max_iter: int = 300
) -> Any:
    """The network of PRODA for n training sites: a multilayer perceptron that stops early.

    Parameters
    ----------
    n : int
        Number of sites, the share for stopping included.
    hidden : sequence of int
        Widths of the hidden layers; `partial(perceptron, hidden=(16,))` is a smaller one.
    alpha : float
        Weight decay.
    max_iter : int
        Most epochs.

    Returns
    -------
    scikit-learn regressor, unfitted

    Raises
    ------
    InputError
        Too few sites to stop early by some of them.
    """
    from sklearn.neural_network import MLPRegressor

    n, hidden = as_whole("n", n, 1), tuple(as_whole("hidden", h, 1) for h in as_kind("hidden", hidden, tuple, list))
    learn = int(n * (1 - VALIDATION))  # what is left of the sites to learn from
    if n - learn < 2:
        raise InputError(
            f"A network stops early by {VALIDATION:.0%} of its sites and needs at least "
            f"{FEWEST_SITES} of them, but has {n}. Take fewer networks or folds, or proda.ridge."
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
    )


def ridge(n: int) -> Any:
    """The baseline in place of the network: a linear map, its penalty chosen by cross-validation."""
    from sklearn.linear_model import RidgeCV

    return RidgeCV(alphas=np.logspace(-1, 5, 25))


def train(
    task: Task,
    *,
    regressor: Regressor = perceptron,
    n_networks: int = 8,
    weights: str | None = "information",
    n_scatter: int = 4000,
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
    task : Task
        With covariates and `known`: `task.knowing(sites)`, sites from :func:`assimilate`. Sites of
        one of its `groups` are left out together.
    regressor : scikit-learn regressor, or function from the number of sites to one
        `perceptron`, `ridge` (the baseline) or any other, say
        `HistGradientBoostingRegressor()`. One that predicts a single number is fitted to each
        parameter; whatever is random in it follows `rng`.
    n_networks : int
        Each member leaves out one share of the sites.
    weights : {"information"} or None
        Weigh sites by the information their profile holds, or all alike; a regressor that takes no
        weights sees all alike.
    n_scatter : int
        Rows of `scatter` to keep.
    rng : Generator or int

    Returns
    -------
    Network

    Raises
    ------
    InputError
        A task without covariates or known sites; fewer sites than members.
    """
    as_kind("task", task, Task)
    as_kind("regressor", regressor, "fit", callable, hint="An estimator of scikit-learn, or a function that makes one.")
    n_scatter = as_whole("n_scatter", n_scatter, 1)
    start, rng = time.perf_counter(), as_rng(rng)
    network, held_out = _learn(task, regressor, n_networks, weights, n_scatter, rng)
    few = np.sort(rng.permutation(len(task))[:MARKED])
    z = held_out[few, None] + network.scatter[rng.integers(n_scatter, size=100)]
    stretch = stretched(task[few], network.prior, z, rng)
    return replace(network, stretch=stretch, seconds=time.perf_counter() - start)


def stretched(task: Task, prior: Prior, z: Array, rng: np.random.Generator, level: float = 0.9) -> float:
    """Factor on draws of ln carbon about their mean by which their intervals cover as they say.

    Parameters
    ----------
    task : Task
        Sites whose data had no part in the draws.
    prior : Prior
    z : ndarray, (site, draw, p)
        Draws of their parameters, unbounded coordinates.
    rng : Generator
        For the errors of the data.
    level : float
        Of the intervals.

    Returns
    -------
    float
        Between 0.3 and 3. Where the stated errors of the data alone hold all that was measured, they may be
        too large, and no map must claim to be certain for that.
    """
    data, said = task.data, task.predicted(prior.from_real(z))
    mean = said.mean(axis=1)
    noise = int(rng.integers(2**31))

    def covers(factor: float) -> float:
        made = Prediction(mean, mean[:, None] + factor * (said - mean[:, None]))
        low, high = made.interval(data, level, noise)
        return float(((low <= data.data) & (data.data <= high))[data.mask].mean())

    low, high = NARROWEST, 3.0
    for _ in range(10):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if covers(middle) > level else (middle, high)
    return 0.5 * (low + high)


def _learn(
    task: Task, regressor: Regressor, n_networks: int, weights: str | None, n_scatter: int, rng: np.random.Generator
) -> tuple[Network, Array]:
    """The networks, and for every site the prediction of the one that has not seen it (site, p)."""
    sites = task.known
    if sites is None:
        raise InputError("This task knows no sites: give task.knowing(proda.assimilate(task)).")
    if weights not in ("information", None):
        raise InputError(f"weights {weights!r} is not known; take 'information' or None.")
    n_networks = as_whole("n_networks", n_networks, 2)
    if len(sites) < 2 * n_networks:
        raise InputError(
            f"{n_networks} networks leave out one share of the sites each: at least twice as many "
            f"sites are needed, but there are {len(sites)} sites. Take fewer networks."
        )
    scaling = Scaling.of(task.environment)
    target = sites.mean
    z_centre, z_scale = target.mean(axis=0), np.sqrt(prior_variance(sites.prior))
    xs, ys = scaling(task.environment), (target - z_centre) / z_scale
    w = None
    if weights == "information":
        w = np.maximum(sites.information, 0.0).sum(axis=1)
        w = w / w.mean() if w.any() else None
    fold = _shares(len(sites), n_networks, task.groups, rng)
    trained: list[Any] = []
    held_out = np.empty(target.shape)
    for k in range(n_networks):
        out = fold == k
        part = None if w is None else w[~out]
        member = fitted(regressor, xs[~out], ys[~out], int(rng.integers(2**31)), part)
        held_out[out] = z_centre + z_scale * member.predict(xs[out]).reshape(-1, ys.shape[1])
        trained.append(member)
    which = rng.integers(len(sites), size=n_scatter)
    scatter = sites.draws[which, rng.integers(sites.draws.shape[1], size=n_scatter)] - held_out[which]
    return Network(sites.prior, scaling, tuple(trained), z_centre, z_scale, scatter), held_out


def fitted(regressor: Regressor, x: Array, y: Array, seed: int, w: Array | None = None) -> Any:
    """A copy of a regressor, fitted to rows x (row, in) and y (row,) or (row, out).

    Parameters
    ----------
    regressor : scikit-learn regressor, or function from the number of rows to one
        One that refuses several outputs is fitted to each of them.
    x, y : ndarray
    seed : int
        For whatever is random in it.
    w : ndarray, (row,), optional
        Weights, where it takes them.
    """
    import warnings

    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.utils.validation import has_fit_parameter

    made = clone(regressor) if hasattr(regressor, "fit") else regressor(len(x))
    made.set_params(**{k: seed for k in made.get_params() if k.split("__")[-1] == "random_state"})
    weights = {"sample_weight": w} if w is not None and has_fit_parameter(made, "sample_weight") else {}
    with warnings.catch_warnings():
        # Stopping at max_iter is one more way of stopping early.
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            return made.fit(x, y, **weights)
        except ZeroDivisionError:
            # A bag leaves rows out by a weight of zero, and a batch held no others: its loss has no mean.
            return _bag_by_rows(made).fit(x, y)
        except ValueError:
            if y.ndim == 1:
                raise
            return MultiOutputRegressor(made).fit(x, y, **weights)


def _bag_by_rows(made: Any) -> Any:
    """The same, with members of bags that take no weights: each is then given the rows of its bag alone."""
    from sklearn.ensemble import BaggingRegressor
    from sklearn.pipeline import make_pipeline

    parts = {"": made, **{f"{name}__": part for name, part in made.get_params().items()}}
    bags = {name: part for name, part in parts.items() if isinstance(part, BaggingRegressor)}
    return made.set_params(**{f"{name}estimator": make_pipeline(bag.estimator) for name, bag in bags.items()})


def _shares(n: int, n_networks: int, groups: NDArray[Any] | None, rng: np.random.Generator) -> Any:
    if groups is None or np.unique(groups).size < n_networks:
        return rng.permutation(np.arange(n) % n_networks)
    return group_folds(groups, n_networks, rng).fold


def predict(
    network: Any,
    places: Task,
    *,
    n_draws: int = 100,
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
    network : Network or landcarbon.learning.hybrid.Hybrid
    places : Task
        Covariates, forcing and model; observations are not asked for: `Task(None, forcing,
        covariates)`. The index of the covariates names the sites (or grid cells).
    n_draws : int
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
        `parameters`, `parameters_lower`, `parameters_upper` (site, parameter): mean in unbounded
        coordinates, and interval.
        `carbon`, ... (site, layer) in gC m-3: exp of the mean of ln carbon, and interval.
        `stock`, ... (site,) in kgC m-2 down to `depth`: median and interval.
        `impossible` (site,): share of the draws with more carbon than soil can hold
        (`landcarbon.models.process.HIGHEST_CARBON` throughout). They are left out of all of the above;
        where they are most of the draws, nothing is said: NaN.

    Raises
    ------
    InputError
        Covariates that the network was trained with and that are missing, fewer than 20 draws, a
        depth outside the column.
    """
    rng = as_rng(rng)
    n_draws, chunk = as_whole("n_draws", n_draws, 20), as_whole("chunk", chunk, 1)
    level = as_share("level", level)
    as_kind("network", network, "sample", hint="What proda.train or hybrid.fit returned.")
    as_kind("places", places, Task)
    bottom = np.asarray(places.model.LAYERS.bottom, float)
    depth = as_number(
        "depth", depth, lower=0.0, upper=float(bottom[-1]), strict=True, unit="m", hint="It lies within the column."
    )
    thickness = np.diff(np.minimum(np.concatenate([[0.0], bottom]), depth))
    low, high = tails(level)
    ends = [low, 0.5, high]
    n = len(places)
    carbon, stock = np.empty((3, n, bottom.size)), np.empty((3, n))
    parameters, impossible = np.empty((3, n, len(network.prior))), np.zeros(n)
    step = max(1, chunk // n_draws)
    for first in range(0, n, step):
        part = np.arange(first, min(first + step, n))
        # The same state each time: a draw is the same map in every piece.
        z = network.sample(places.environment.iloc[part], n_draws, copy.deepcopy(rng))
        theta = network.prior.from_real(z)
        parameters[:, part] = _quantiles(theta, ends)
        parameters[1, part] = network.prior.from_real(z.mean(axis=1))
        X = observed_values(places.model, theta, expand(places.forcing[part]))
        ln = _stretched(X, network.stretch)
        X = np.where(np.isfinite(ln), np.exp(ln), 0.0)
        total = X @ thickness
        possible = total <= HIGHEST_CARBON * depth
        impossible[part] = 1.0 - possible.mean(axis=1)
        carbon[:, part], stock[:, part] = _bands(X, total, ends)
        for k in np.flatnonzero(~possible.all(axis=1)):
            some = possible[k] if impossible[first + k] <= 0.5 else np.zeros(0, dtype=int)
            carbon[:, [first + k]], stock[:, [first + k]] = _bands(X[[k]][:, some], total[[k]][:, some], ends)
            parameters[:, first + k] = _quantiles(theta[[k]][:, some], ends)[:, 0]
            parameters[1, first + k] = network.prior.from_real(z[k][some].mean(axis=0)) if len(some) else np.nan
    bands = {"parameters": parameters, "carbon": carbon, "stock": stock}
    data = _labelled(places, network.prior, bands, f"median, down to {depth:g} m")
    data["impossible"] = ("site", impossible, {"units": "1", "long_name": "share of draws above what soil can hold"})
    return data.assign_attrs(level=level, n_draws=n_draws)


def _stretched(X: Array, stretch: float) -> Array:
    """ln of carbon (site, draw, layer), its deviations from the mean over the draws stretched; −inf below rock."""
    # Below the bedrock there is no carbon and no logarithm.
    rock = np.any(X <= 0, axis=1, keepdims=True)
    ln = np.log(np.where(rock, 1.0, X))
    mean = ln.mean(axis=1, keepdims=True)
    return np.where(rock, -np.inf, mean + stretch * (ln - mean))


def _bands(X: Array, total: Array, ends: list[float]) -> tuple[Array, Array]:
    """Lower, middle and upper carbon (3, site, layer) and stock (3, site) of draws; NaN where there is none."""
    carbon, stock = _quantiles(X, ends), _quantiles(total, ends) / 1000.0
    if X.shape[1]:
        rock = np.any(X <= 0, axis=1)
        ln = np.log(np.where(rock[:, None], 1.0, X)).mean(axis=1)
        carbon[1] = np.where(rock, 0.0, np.exp(ln))
    return carbon, stock


def _quantiles(draws: Array, ends: list[float]) -> Array:
    """Over the second axis, in front; NaN where there are no draws."""
    if not draws.shape[1]:
        return np.full((len(ends), draws.shape[0], *draws.shape[2:]), np.nan)
    return np.asarray(np.quantile(draws, ends, axis=1, method="weibull"))


def _labelled(places: Task, prior: Prior, bands: Mapping[str, Array], stock: str) -> xr.Dataset:
    """Lower, middle and upper values of parameters, carbon and stock, with names and units."""
    import pandas as pd
    import xarray as xr

    layers, index = places.model.LAYERS, places.environment.index
    node = np.asarray(layers.node, float)
    coords: dict[str, Any] = {
        "parameter": list(prior.names),
        "units": ("parameter", list(prior.table.units)),
        "layer": np.arange(1, node.size + 1),
        "node_depth": ("layer", node, {"units": "m"}),
    }
    if isinstance(index, pd.MultiIndex):
        coords["site"] = np.arange(len(index))
        for name in index.names:
            coords[str(name)] = ("site", index.get_level_values(name).to_numpy())
    else:
        coords["site"] = index.to_numpy()
    data = xr.Dataset(coords=coords)
    for name, dims, unit, meaning in (
        ("parameters", ("site", "parameter"), "see coordinate units", "mean in unbounded coordinates"),
        ("carbon", ("site", "layer"), "gC m-3", "exp of the mean of ln carbon"),
        ("stock", ("site",), "kgC m-2", stock),
    ):
        for suffix, value in zip(("_lower", "", "_upper"), bands[name]):
            data[name + suffix] = (dims, value, {"units": unit})
        data[name].attrs["long_name"] = f"{name}: {meaning}"
    return data


def logarithmic(task: Task) -> None:
    """Refuse profiles that are not compared as logarithms."""
    if getattr(as_kind("task", task, Task).data, "kind", "log") != "log":
        raise InputError(
            "Profiles are compared as logarithms here: make the observations with kind='log'."
        )


def prior_variance(prior: Prior) -> Array:
    """Variance of every parameter in unbounded coordinates (p,)."""
    # A prior uniform between its bounds is a standard logistic in unbounded coordinates.
    normal = np.array([family == "logit-normal" for family in prior.families])
    return np.where(normal, prior.width**2, np.pi**2 / 3)
