"""Validation: every prediction by one who has not seen the place; the only loop over folds.

::

    for each fold:  predictor = rival.learn(task[train], rng)
                    said      = predictor.predict(task[test], rng, n_draws)
                    rng       = generator(seed, name of the rival, fold)

===========  =====================================  =================  ============
symbol       meaning                                shape              code name
===========  =====================================  =================  ============
train, test  sites of a fold                        (site,)            train, test
rival        a way to learn and to predict          --                 rival
said         what it predicts at the test sites     (site, obs)        said
===========  =====================================  =================  ============

What a rival says in a fold depends on the seed, its name and the number of the fold: on no other
rival, and not on the order in which they are asked.
"""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import tails
from landcarbon.assimilation.runs import elsewhere, some_jobs
from landcarbon.learning.folds import Folds
from landcarbon.learning.shelf import filed, read
from landcarbon.learning.skill import same_length
from landcarbon.learning.task import PIECE, pieces
from landcarbon.matrix.errors import InputError, Rng, as_array, as_kind, as_rng, as_whole

__all__ = [
    "Held",
    "Prediction",
    "Predictor",
    "Rival",
    "baselines",
    "cross_predict",
    "generator",
    "held_out",
]

Array = NDArray[np.float64]

# Numbers, where results are stored that were made with them; every other name is its own key.
KEYS = {
    name: key
    for key, name in enumerate(
        ("default", "random_sampling", "one_batch", "ridge", "proda", "forest", "pure_network", "sites")
    )
}


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is said of the data at some sites, in their space (ln carbon for profiles).

    Attributes
    ----------
    mean : ndarray, (site, obs)
    draws : ndarray, (site, draw, obs), optional
        What the model may say, without the errors of the data.
    z : ndarray, (site, p), optional
        Parameters in unbounded coordinates, where a process model has been asked.
    """

    mean: Array
    draws: Array | None = None
    z: Array | None = None

    def interval(self, observations: Any, level: float = 0.9, rng: Rng = 0) -> tuple[Array, Array]:
        """Bounds (site, obs) for a new measurement: errors of the data are drawn and added.

        Raises
        ------
        InputError
            A prediction without draws.
        """
        if self.draws is None:
            raise InputError("This prediction is one number a measurement and has no interval.")
        sd = as_kind("observations", observations, "sd", hint="Such as ProfileObservations.").sd
        if self.draws.ndim != 3 or sd.shape != (len(self.draws), self.draws.shape[-1]):
            raise InputError(f"draws have shape {self.draws.shape}, errors {sd.shape}; (site, draw, obs) is needed.")
        noise = as_rng(rng).standard_normal(self.draws.shape)
        measured = self.draws + sd[:, None, :] * noise
        # Among n draws a new one falls below the k-th with probability k / (n + 1).
        low, high = np.quantile(measured, tails(level), axis=1, method="weibull")
        return low, high


class Predictor(Protocol):
    """What a rival has learnt."""

    def predict(self, task: Any, rng: np.random.Generator, n_draws: int = 100) -> Prediction:
        """Say what is measured at the sites of a task, without looking at its data."""


class Rival(Protocol):
    """A way to predict: `landcarbon.learning.rivals` has eight, and one's own is one more."""

    @property
    def name(self) -> str:
        """Its row in tables; no two alike."""

    def learn(self, task: Any, rng: np.random.Generator) -> Predictor:
        """Learn from all data of a task."""


@dataclass(frozen=True, eq=False)
class Held:
    """One rival in one fold, or in a piece of one that has many sites.

    Attributes
    ----------
    name : str
    fold : int
    train, test : ndarray of int
        Sites learnt from, and sites that are predicted here.
    predictor : Predictor
    said : Prediction
        At the test sites.
    rng : Generator
        The stream of this rival and fold, as far as it was used.
    seconds : float
    asked : Task
        Places and data of the test sites.
    """

    name: str
    fold: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    predictor: Any
    said: Prediction
    rng: np.random.Generator
    seconds: float
    asked: Any = field(repr=False, default=None)


def generator(seed: int, name: str, fold: int) -> np.random.Generator:
    """The random stream of a rival in a fold.

    Examples
    --------
    >>> keys = ("a", 0), ("a", 0), ("a", 1), ("b", 0)
    >>> [int(generator(1, name, fold).integers(1000)) for name, fold in keys]
    [90, 90, 5, 764]
    """
    seed, fold, name = as_whole("seed", seed), as_whole("fold", fold), as_kind("name", name, str)
    return np.random.default_rng([seed, KEYS.get(name, zlib.crc32(name.encode())), fold])


def held_out(
    rivals: Mapping[str, Rival],
    task: Any,
    folds: Folds,
    *,
    n_draws: int = 100,
    seed: int = 0,
    prepare: Callable[[int, NDArray[np.int64]], Any] | None = None,
    keep: Callable[[Held], Any] | None = None,
    n_jobs: int = 1,
    folder: str | os.PathLike[str] | None = None,
) -> Iterator[Any]:
    """Every rival in every fold, in this order; test sites of a fold in pieces of at most `PIECE`.

    Parameters
    ----------
    rivals : mapping of str to Rival
    task : Task
        Or whatever the rivals learn from: `task[sites]` must be it at some sites.
    folds : Folds
    n_draws : int
        For predictions that have them.
    seed : int
    prepare : callable, optional
        `prepare(fold, train)` gives the task to learn from; default `task[train]`.
    keep : callable, optional
        `keep(held)` is yielded in place of a `Held`: what is wanted of it, and no more of what it holds.
    n_jobs : int
        Processes (joblib), each of which has a rival in a fold. Inside
        ``with joblib.parallel_config("dask"):`` the workers of a Dask cluster.
    folder : path, optional
        On a disk that all processes share: each is then sent the path of its task, and not the task.

    Yields
    ------
    Held
        Or what `keep` has made of it.
    """
    as_kind("rivals", rivals, Mapping)
    as_kind("folds", folds, Folds)
    if isinstance(task, str):
        raise InputError("task is a text; give a Task, or what the rivals learn from, site by site.")
    as_kind("task", task, "__getitem__")
    seed = as_whole("seed", seed)
    some_jobs(n_jobs)
    folder = None if n_jobs == 1 else folder
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(dir=folder)

    def jobs() -> Iterator[_Job]:
        for k, (train, test) in enumerate(folds):
            known = filed(task[train] if prepare is None else prepare(k, train), folder, f"known{k + 1}")
            asked = filed(task[test], folder, f"asked{k + 1}")
            for name, rival in rivals.items():
                yield _Job(name, rival, k, train, test, known, asked)

    if n_jobs == 1:
        for job in jobs():
            yield from _each(job, n_draws, seed, keep)
        return
    try:
        listed = [(job, n_draws, seed, keep) for job in jobs()]  # what prepares them may itself use the processes
        for found in elsewhere(_all, listed, n_jobs):
            yield from found
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, eq=False)
class _Job:
    """One rival in one fold."""

    name: str
    rival: Any
    fold: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    known: Any
    asked: Any


def _all(*job: Any) -> list[Any]:
    """Of one rival in one fold, in a process of its own."""
    return list(_each(*job))


def _each(job: _Job, n_draws: int, seed: int, keep: Callable[[Held], Any] | None) -> Iterator[Any]:
    """What one rival says of the test sites of one fold, piece by piece."""
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    rng, test, asked = generator(seed, job.name, job.fold), job.test, read(job.asked)
    with threadpool_limits(limits=1):  # so that sums keep their order
        predictor = job.rival.learn(read(job.known), rng)
    start = copy.deepcopy(rng)
    for part in pieces(len(test)):
        at, places = (test, asked) if len(test) <= PIECE else (test[part], asked[part])
        # The same state each time: a draw is the same map in every piece.
        own = rng if part.start == 0 else copy.deepcopy(start)
        said = predictor.predict(places, own, n_draws)
        took = time.perf_counter() - began
        held = Held(job.name, job.fold, job.train, at, predictor, said, rng, took, places)
        yield held if keep is None else keep(held)
        began = time.perf_counter()


def baselines(rng: Rng = 0, n_jobs: int = 1) -> dict[str, Any]:
    """The three to beat before a network is believed: mean, ridge regression, random forest.

    Parameters
    ----------
    rng : Generator or int
    n_jobs : int
        Cores for the forest.

    Returns
    -------
    dict of str to scikit-learn estimator
        Unfitted; keys "mean", "ridge", "forest".

    Examples
    --------
    >>> list(baselines())
    ['mean', 'ridge', 'forest']
    """
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = as_rng(rng)
    return {
        "mean": DummyRegressor(),
        "ridge": make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 5, 25))),
        "forest": RandomForestRegressor(
            300,
            min_samples_leaf=3,
            max_features=0.4,
            n_jobs=n_jobs,
            random_state=int(rng.integers(2**31)),
        ),
    }


def cross_predict(
    estimator: Any,
    covariates: ArrayLike,
    target: ArrayLike,
    folds: Folds,
    *,
    site: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    tell: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Predict every row by a copy of the estimator that has not seen its fold.

    Parameters
    ----------
    estimator : scikit-learn regressor
        Cloned for each fold, so scaling and tuning happen inside the training side only.
    covariates : array_like, (row, covariate)
    target : array_like, (row,) or (row, output)
    folds : Folds
        Over sites.
    site : array_like of int, (row,), optional
        Site of each row, when a site has several rows (the layers of a profile). Default one
        row a site.
    weights : array_like, (row,), optional
        Sample weights, for estimators that take them.
    tell : callable, optional
        Called with the fold's number when it is done.

    Returns
    -------
    ndarray, shape of `target`

    Examples
    --------
    >>> from landcarbon.learning import random_folds, scores
    >>> x = np.linspace(0, 1, 40)[:, None]
    >>> p = cross_predict(baselines()["ridge"], x, 3 * x[:, 0], random_folds(40))
    >>> scores(3 * x[:, 0], p).r2 > 0.99
    True
    """
    as_kind("estimator", estimator, "fit", hint="Give an estimator of scikit-learn.")
    as_kind("folds", folds, Folds)
    x = as_array("covariates", covariates, shape=(None, None))
    if x.ndim != 2 or not x.shape[1]:
        raise InputError(f"covariates must be (row, covariate), but its shape is {x.shape}.")
    y = as_array("target", target)
    same_length("covariates", x.shape[0], "target", y.shape[0])
    row_site = np.arange(x.shape[0]) if site is None else np.asarray(site)
    same_length("site", row_site.size, "target", y.shape[0])
    if row_site.size and (row_site.min() < 0 or row_site.max() >= folds.fold.size):
        raise InputError(
            f"site counts up to {row_site.max()}, but the folds know sites 0 to "
            f"{folds.fold.size - 1} only. Make the folds from the same sites."
        )
    w = None if weights is None else as_array("weights", weights, lower=0.0)
    rows = _Rows(x, y, row_site, w)
    out = np.full(y.shape, np.nan)
    for held in held_out({"": _Estimator(estimator)}, rows, folds):
        out[np.isin(row_site, held.test)] = held.said.mean
        if tell is not None:
            tell(held.fold)
    return out


@dataclass(frozen=True, eq=False)
class _Rows:
    """A table of which some rows belong to each site; `rows[sites]` are theirs."""

    x: Array
    y: Array
    site: NDArray[Any]
    weights: Array | None

    def __getitem__(self, sites: NDArray[np.int64]) -> _Rows:
        at = np.isin(self.site, sites)
        w = None if self.weights is None else self.weights[at]
        return _Rows(self.x[at], self.y[at], self.site[at], w)


@dataclass(frozen=True)
class _Estimator:
    """A scikit-learn regressor as a rival for tables."""

    regressor: Any
    name: str = "estimator"

    def learn(self, task: _Rows, rng: np.random.Generator) -> _Estimator:
        from sklearn.base import clone

        weights = {} if task.weights is None else {"sample_weight": task.weights}
        return _Estimator(clone(self.regressor).fit(task.x, task.y, **weights))

    def predict(self, task: _Rows, rng: np.random.Generator, n_draws: int = 100) -> Prediction:
        said = self.regressor.predict(task.x) if len(task.x) else np.empty(0)
        return Prediction(np.reshape(said, task.y.shape))
