"""Rivals: eight ways to predict carbon where it was not measured, of one shape, in one registry.

::

    predictor = rival.learn(task, rng)            what the sites of the task teach
    said      = predictor.predict(places, rng)    Prediction(mean, draws) at other sites

=================  ====================================================  ===========================
name               parameters of the process model                       object
=================  ====================================================  ===========================
default            as published, the same everywhere                     Default
random_sampling    drawn from what was retrieved at the training sites   RandomSampling
one_batch          one set fitted to all training sites                  Batch
ridge              environment → parameters, linear                      Proda(regressor=ridge)
proda              environment → parameters, a network                   Proda
hybrid             environment → parameters, trained through the model   EndToEnd
forest             no process model: environment → carbon, a forest      WithoutProcess(forest)
pure_network       no process model: environment → carbon, a network     WithoutProcess(networks)
=================  ====================================================  ===========================

Any scikit-learn regressor takes the place of the network, or of the whole, in one line::

    Proda("boosted parameters", HistGradientBoostingRegressor())
    WithoutProcess("boosting", HistGradientBoostingRegressor())

as does any loss: ``EndToEnd("least squares", loss=None)``;
a rival of one's own is an object with a `name` and `learn`. Where its attribute `needs_sites` is
True, the cross-validation hands it a task whose `known` are the training sites, assimilated without
the others.

The first four of the paper: Tao et al. 2020, Front. Big Data 3:17, doi:10.3389/fdata.2020.00017; end
to end: Xu et al. 2025, arXiv:2502.00672.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.parameters import Prior
from landcarbon.learning import hybrid, proda
from landcarbon.learning.batch import one_batch
from landcarbon.learning.task import Loss, Scaling, Task, numbers, smooth_l1
from landcarbon.learning.validation import Prediction, Rival, baselines
from landcarbon.matrix.errors import InputError, as_kind, as_rng, as_whole
from landcarbon.models.process import published

__all__ = [
    "RIVALS",
    "Batch",
    "Default",
    "EndToEnd",
    "Everywhere",
    "Mapped",
    "Pooled",
    "Proda",
    "Published",
    "RandomSampling",
    "Regressed",
    "WithoutProcess",
    "chosen",
    "forest",
    "networks",
]

Array = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Default:
    """The model as published, whether or not its parameters lie within the prior."""

    name: str = "default"

    def learn(self, task: Task, rng: Generator) -> Published:
        """Nothing is learnt."""
        return Published(published(task.model))


@dataclass(frozen=True, eq=False)
class Published:
    """Parameters (p,) in their own units, the same at every site."""

    theta: Array

    def predict(self, task: Task, rng: Generator, n_draws: int = 100) -> Prediction:
        """One number a measurement."""
        return Prediction(task.predicted(np.broadcast_to(self.theta, (len(task), self.theta.size))))


@dataclass(frozen=True)
class Batch:
    """One parameter set for all sites; `options` are those of `one_batch`."""

    name: str = "one_batch"
    options: Mapping[str, Any] = field(default_factory=dict)

    def learn(self, task: Task, rng: Generator) -> Everywhere:
        """Fit it to the training sites."""
        return Everywhere(task.prior, one_batch(task, rng=rng, **self.options).z)


@dataclass(frozen=True, eq=False)
class Everywhere:
    """The same parameters z (p,) at every site."""

    prior: Prior
    z: Array

    def predict(self, task: Task, rng: Generator, n_draws: int = 100) -> Prediction:
        """One number a measurement."""
        z = np.broadcast_to(self.z, (len(task), self.z.size))
        return Prediction(task.predicted(self.prior.from_real(z)), z=z)


@dataclass(frozen=True)
class RandomSampling:
    """Parameters drawn at random from what was retrieved at the training sites."""

    needs_sites: ClassVar[bool] = True
    name: str = "random_sampling"

    def learn(self, task: Task, rng: Generator) -> Pooled:
        """Assimilate the training sites, unless they are known."""
        known = _known(task, rng)
        return Pooled(known.prior, known.draws)


@dataclass(frozen=True, eq=False)
class Pooled:
    """Draws (site, member, p) of training sites, for every other site alike."""

    prior: Prior
    pool: Array

    def predict(self, task: Task, rng: Generator, n_draws: int = 100) -> Prediction:
        """The same draws everywhere."""
        rows = rng.integers(self.pool.shape[0], size=n_draws)
        z = self.pool[rows, rng.integers(self.pool.shape[1], size=n_draws)]
        z = np.broadcast_to(z, (len(task), *z.shape))
        said = task.predicted(self.prior.from_real(z))
        return Prediction(said.mean(axis=1), said, z.mean(axis=1))


@dataclass(frozen=True)
class Proda:
    """Assimilate, then learn parameters from the environment.

    Attributes
    ----------
    name : str
    regressor, n_networks, weights
        See :func:`landcarbon.learning.proda.train`.
    """

    needs_sites: ClassVar[bool] = True
    name: str = "proda"
    regressor: Any = proda.perceptron
    n_networks: int = 8
    weights: str | None = "information"

    def learn(self, task: Task, rng: Generator) -> Mapped:
        """Assimilate the training sites, unless they are known, and train."""
        known = task.knowing(_known(task, rng))
        return Mapped(
            proda.train(known, regressor=self.regressor, n_networks=self.n_networks, weights=self.weights, rng=rng)
        )


@dataclass(frozen=True)
class EndToEnd:
    """Networks trained through the process model, from the one set that fits all sites best.

    Attributes
    ----------
    name : str
    n_networks : int
    loss : callable or None
        Of streams that have none of their own. On real profiles `smooth_l1`, which outliers pull at
        with bounded force, predicted left-out blocks better than their likelihood (None).
    options : mapping
        More of `hybrid.fit`; another `start`, say.
    """

    name: str = "hybrid"
    n_networks: int = 4
    loss: Loss | None = smooth_l1
    options: Mapping[str, Any] = field(default_factory=dict)

    def learn(self, task: Task, rng: Generator) -> Mapped:
        """Train."""
        if self.loss is not None:
            streams = tuple(replace(s, loss=s.loss or self.loss) for s in task.streams)
            task = replace(task, observations=streams)
        given = {"n_networks": self.n_networks, **self.options}
        if "start" not in given:
            given["start"] = one_batch(task, rng=rng).parameters
        return Mapped(hybrid.fit(task, rng=rng, **given))


@dataclass(frozen=True, eq=False)
class Mapped:
    """Parameters by the environment; predictions are the mean over draws of them.

    The model is not linear: the carbon of mean parameters is not the mean carbon.

    Attributes
    ----------
    network : Network or Hybrid
        With `prior`, `stretch`, `parameters(covariates)` and `sample(covariates, n_draws, rng)`.
    """

    network: Any

    def predict(self, task: Task, rng: Generator, n_draws: int = 100) -> Prediction:
        """Mean over draws of the parameters."""
        z = self.network.sample(task.environment, n_draws, rng)
        middle = self.network.parameters(task.environment).mean(axis=0)
        said = task.predicted(self.network.prior.from_real(z))
        mean = said.mean(axis=1)
        return Prediction(mean, mean[:, None] + self.network.stretch * (said - mean[:, None]), middle)


@dataclass(frozen=True)
class WithoutProcess:
    """Carbon from environment and depth, with no process model at all.

    Attributes
    ----------
    name : str
    regressor : scikit-learn regressor, or function from the number of rows to one
        Whatever is random in it follows the stream of the rival.
    """

    name: str
    regressor: Any

    def learn(self, task: Task, rng: Generator) -> Regressed:
        """Fit it to all layers of the training sites."""
        task, rng = as_kind("task", task, Task), as_rng(rng)
        scaling, data = Scaling.of(task.environment), task.data
        # One that is the same everywhere would send a network astray where it is another.
        columns = tuple(c for c, scale in zip(scaling.columns, scaling.scale) if np.isfinite(scale))
        rows = _rows(task, columns)[data.mask]
        y, seed = data.data[data.mask], int(rng.integers(2**31))
        made = proda.fitted(self.regressor, rows, y, seed)
        return Regressed(columns, made)


@dataclass(frozen=True, eq=False)
class Regressed:
    """A fitted regressor of carbon."""

    columns: tuple[str, ...]
    regressor: Any

    def predict(self, task: Task, rng: Generator, n_draws: int = 100) -> Prediction:
        """One number a measurement."""
        as_rng(rng), as_whole("n_draws", n_draws, 1)
        rows = _rows(task, self.columns)
        said = self.regressor.predict(rows.reshape(-1, rows.shape[-1]))
        return Prediction(np.reshape(said, rows.shape[:-1]))


def forest(n: int) -> Any:
    """The random forest of `baselines`."""
    return baselines()["forest"]


def networks(n: int) -> Any:
    """Five networks as in PRODA, each of nine tenths of the rows, for carbon itself."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import BaggingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    members = BaggingRegressor(proda.perceptron(1000), 5, max_samples=0.9, bootstrap=False)
    return TransformedTargetRegressor(
        make_pipeline(StandardScaler(), members), transformer=StandardScaler()
    )


RIVALS: Mapping[str, Rival] = MappingProxyType(
    {
        rival.name: rival
        for rival in (
            Default(),
            RandomSampling(),
            Batch(),
            Proda("ridge", proda.ridge),
            Proda(),
            EndToEnd(),
            WithoutProcess("forest", forest),
            WithoutProcess("pure_network", networks),
        )
    }
)
"""The eight, by name."""


def chosen(rivals: Any) -> dict[str, Rival]:
    """Rivals by name, of names in `RIVALS` and objects; each once.

    Raises
    ------
    InputError
        An unknown name, no rival at all, two of the same name.
    """
    as_kind("rivals", rivals, "learn", "__iter__", hint=f"Choose among {', '.join(RIVALS)}.")
    listed = [rivals] if isinstance(rivals, str) or hasattr(rivals, "learn") else list(rivals)
    found: dict[str, Rival] = {}
    for given in listed:
        if isinstance(given, str) and given not in RIVALS:
            raise InputError(f"There is no method {given!r}; choose among {', '.join(RIVALS)}.")
        rival = RIVALS[given] if isinstance(given, str) else given
        if found.setdefault(rival.name, rival) != rival:
            raise InputError(f"Two rivals are called {rival.name!r}: give one of them another name.")
    if not found:
        raise InputError(f"No method was given; choose among {', '.join(RIVALS)}.")
    return found


def _known(task: Task, rng: Generator) -> proda.Sites:
    return proda.assimilate(task, rng=rng) if task.known is None else task.known


def _rows(task: Task, columns: tuple[str, ...]) -> Array:
    """Covariates and depth of every measurement (site, obs, covariate + 1)."""
    data = as_kind("task", task, Task).data
    x = numbers(task.environment, columns=columns) if columns else np.empty((len(task), 0))
    x = np.broadcast_to(x[:, None], (*data.mask.shape, len(columns)))
    if not hasattr(data, "depth"):
        return x
    return np.concatenate([x, np.where(data.mask, data.depth, 0.0)[..., None]], axis=-1)
