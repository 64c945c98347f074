r"""A network trained end to end through the process model, by its adjoint.

.. math::

    y_s = f_w(c_s), \qquad z_s = z_0 + \sigma_z\, y_s, \qquad \theta_s = \theta(z_s), \qquad
    X_s = X^*(\theta_s, d_s)

    J(w) = -\frac{1}{N} \sum_s \ln p(\text{data}_s \mid X_s)

    \frac{\partial J}{\partial w} =
      \Big(\frac{\partial f_w}{\partial w}\Big)^{T} \sigma_z\,
      \frac{\partial \theta}{\partial z}
      \underbrace{\Big(\frac{\partial X^*}{\partial \theta}\Big)^{T}
      \frac{\partial J}{\partial X}}_{\text{adjoint: one transposed solve}}

====================  =====================================  ==============  ======  ============
symbol                meaning                                shape           unit    code name
====================  =====================================  ==============  ======  ============
:math:`c_s`           environment of the site, standardised  (site, in)      1       covariates
:math:`f_w`           network with weights w                 --              --      MLP
:math:`y_s`           its output, free parameters only       (site, q)       1       y
:math:`z_s, z_0`      unbounded coordinates; the start       (site, p)       1       z, start
:math:`\sigma_z`      prior standard deviation of z          (p,)            1       --
:math:`\theta_s`      parameters, within their bounds        (site, p)       own     theta
:math:`d_s`           forcing of the site                    (site, ...)     own     forcing
:math:`X^*`           what the process model says            (site, n)       own     Stream.run
:math:`J`             cost                                   ()              1       cost
====================  =====================================  ==============  ======  ============

No parameter is ever retrieved at a single site: the data of all sites pull on the same weights.
This is the idea of the biogeochemistry-informed neural network (Xu et al. 2025, arXiv:2502.00672).
There the matrices are built in a deep-learning framework. From M X = b follows M dX = db − dM X, so one
solve with the transposed matrix gives the gradient with respect to everything at once. A framework's
backward pass through a linear solve does the same; what it costs besides are 140 × 140 matrices and their
gradients, kept for every site. `landcarbon.matrix.column` has the transposed solve by hand, in the shape of
the column, and it fits behind `MLP.forward_and_vjp` like one more layer.

That a network fits carbon well does not make its parameters right. :func:`directions` says which
combinations of parameters the data can see at all, and :func:`recovery` marks a twin world on these.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.information import Identifiability, prior_width, scaled_jacobian
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Posterior
from landcarbon.learning.folds import group_folds, random_folds
from landcarbon.learning.mlp import MLP, Net, Training, train
from landcarbon.learning.proda import MARKED, prior_variance, stretched
from landcarbon.learning.task import Scaling, Stream, Task, pieces
from landcarbon.matrix.errors import InputError, Rng, as_array, as_gappy, as_kind, as_rng, as_whole
from landcarbon.models import clm5
from landcarbon.models.process import whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Cost",
    "Directions",
    "Hybrid",
    "Outputs",
    "directions",
    "fit",
    "recovery",
    "soil_respiration_stream",
]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Maker = Callable[[int, int, np.random.Generator], Net]

AT_ONCE = 256  # sites whose Jacobian is worked out together


def soil_respiration_stream(observations: Any) -> Stream:
    """CO2 from the three soil pools of CLM5, without that of litter and wood [gC m-2 yr-1].

    At steady state what soil organic matter respires is what enters it: the litter that decays,
    times the fraction of it that is not respired on the way. Turnover times do not appear.

    Parameters
    ----------
    observations : GaussianLikelihood, (site, 1)

    Examples
    --------
    >>> from landcarbon.assimilation import GaussianLikelihood
    >>> site = clm5.Forcing(soil_temperature=np.full((1, 20, 12), 285.15),
    ...                     water_scalar=np.full((1, 20, 12), 0.5),
    ...                     litter_input=[[40, 120, 180, 60]])
    >>> stream = soil_respiration_stream(GaussianLikelihood([[190.0]], sd=20.0))
    >>> stream.run(clm5.PRODA_START[None], site)[0].round(1)
    array([[194.]])
    """
    return Stream(observations, _soil_respiration)


def _soil_respiration(theta: Array, forcing: Any) -> tuple[Array, Callable[[Array], Array]]:
    wood, metabolic, cellulose, lignin = np.moveaxis(forcing.litter_input, -1, 0)
    at = {n: clm5.PARAMETERS.index(n) for n in ("fl1s1", "fl2s1", "fl3s2", "fcwdl2")}
    f1, f2, f3, c = (theta[..., i] for i in at.values())
    to_cellulose, to_lignin = cellulose + c * wood, lignin + (1 - c) * wood
    value = f1 * metabolic + f2 * to_cellulose + f3 * to_lignin

    def pullback(d: Array) -> Array:
        out = np.zeros((*value.shape, theta.shape[-1]))
        slopes = (metabolic, to_cellulose, to_lignin, (f2 - f3) * wood)
        for i, slope in zip(at.values(), slopes):
            out[..., i] = d[..., 0] * slope
        return out

    return value[..., None], pullback


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the numbers a network puts out mean.

    Attributes
    ----------
    prior : Prior
    free : ndarray of int, (q,)
        Parameters that the network predicts; the others keep their start.
    start : ndarray, (p,)
        Unbounded coordinates where the output is 0.
    """

    prior: Prior
    free: NDArray[np.intp]
    start: Array

    @classmethod
    def of(
        cls, prior: Prior, free: Sequence[str] | None = None, start: ArrayLike | None = None
    ) -> Outputs:
        """By names of parameters (default all) and a start in their own units (default the table's)."""
        as_kind("prior", prior, Prior)
        names = prior.names if free is None else tuple(free)
        unknown = [name for name in names if name not in prior.names]
        if unknown or not names:
            raise InputError(
                f"free names {unknown[0]!r}, which is no parameter; choose among "
                f"{', '.join(prior.names)}."
                if unknown
                else "free is empty: the network needs at least one parameter to predict."
            )
        chosen = np.array([prior.names.index(name) for name in dict.fromkeys(names)])
        return cls(prior, chosen, prior.to_real(prior.table.default if start is None else start))

    @property
    def names(self) -> tuple[str, ...]:
        """Free parameters (q)."""
        return tuple(self.prior.names[i] for i in self.free)

    @property
    def scale(self) -> Array:
        """Prior standard deviation of the free parameters (q,)."""
        return np.sqrt(prior_variance(self.prior))[self.free]

    def coordinates(self, y: ArrayLike) -> Array:
        """Unbounded coordinates z (..., p) for outputs y (..., q)."""
        y = as_gappy("y", y, shape=(self.free.size,))
        z = np.broadcast_to(self.start, (*y.shape[:-1], self.start.size)).copy()
        z[..., self.free] += self.scale * y
        return z


@dataclass(frozen=True, eq=False)
class Cost:
    """From the output of a network to the cost of the data, and back.

    Attributes
    ----------
    task : Task
    outputs : Outputs
    """

    task: Task
    outputs: Outputs

    def __call__(self, y: Array, rows: Rows) -> tuple[float, Array]:
        """Mean cost of the sites `rows`, minus ln L or a loss, and its derivative by y (rows, q)."""
        rows = np.asarray(as_kind("rows", rows, np.ndarray, list))
        if rows.dtype.kind not in "iu" or rows.ndim != 1 or not rows.size:
            raise InputError("rows are the positions of sites, whole numbers in a row; none else can be chosen.")
        prior, z = self.outputs.prior, self.outputs.coordinates(as_gappy("y", y, shape=(len(rows), None)))
        theta, forcing = prior.from_real(z), whole(self.task.forcing[rows])
        J, dtheta = 0.0, np.zeros_like(z)
        for stream in self.task.streams:
            values, pull = stream.run(theta, forcing)
            loss, dvalues = stream[rows].cost(values)
            J += stream.weight * loss
            dtheta += stream.weight * pull(dvalues)
        dz = dtheta * prior.slope(z)
        return J / len(rows), dz[:, self.outputs.free] * self.outputs.scale / len(rows)

    def of_weights(self, net: Net, x: Array, rows: Rows) -> tuple[float, Array]:
        """The same cost and its derivative with respect to all weights, as one vector."""
        y, pull = net.forward_and_vjp(x[rows])
        J, dy = self(y, rows)
        return J, pull(dy).vector()


@dataclass(frozen=True, eq=False)
class Hybrid:
    """Networks trained through the process model.

    `landcarbon.learning.proda.predict` takes it in place of a PRODA network.

    Attributes
    ----------
    outputs : Outputs
    scaling : Scaling
        Of the covariates.
    networks : tuple of Training
        Each has been stopped by another share of the sites.
    share : ndarray of int, (site,)
        Member that did not train on the site.
    spread : ndarray, (p,)
        Standard deviation of z that the environment does not explain: the width, in units of the
        prior, that makes up for what the held-out residuals exceed the errors of the data.
    stretch : float
        As that of :class:`landcarbon.learning.proda.Network`.
    seconds : float
    """

    outputs: Outputs
    scaling: Scaling
    networks: tuple[Training, ...]
    share: NDArray[np.int64]
    spread: Array
    stretch: float = 1.0
    seconds: float = 0.0

    @property
    def prior(self) -> Prior:
        """Names and bounds."""
        return self.outputs.prior

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters that the networks predict."""
        return self.outputs.names

    def parameters(self, covariates: pd.DataFrame) -> Array:
        """Predictions of every member, (member, site, p), unbounded coordinates."""
        x = self.scaling(covariates)
        return np.stack([self.outputs.coordinates(member.net(x)) for member in self.networks])

    def predict(self, covariates: pd.DataFrame) -> Array:
        """Parameters in their own units (site, p): the mean of the members in z."""
        return self.prior.from_real(self.parameters(covariates).mean(axis=0))

    def sample(self, covariates: pd.DataFrame, n_draws: int, rng: Rng = 0) -> Array:
        """Draws (site, draw, p), unbounded: a network each, plus `spread`; the same ones at every site."""
        n_draws = as_whole("n_draws", n_draws, 1)
        rng = as_rng(rng)
        z = self.parameters(covariates)
        which = rng.permutation(np.arange(n_draws) % z.shape[0])
        return np.moveaxis(z[which], 0, 1) + self.left_open(n_draws, rng)

    def left_open(self, n_draws: int, rng: Rng = 0) -> Array:
        """Draws (draw, p) of what the environment does not tell: normal, of standard deviation `spread`."""
        n_draws = as_whole("n_draws", n_draws, 1)
        return self.spread * as_rng(rng).standard_normal((n_draws, self.spread.size))


def fit(
    task: Task,
    *,
    free: Sequence[str] | None = None,
    start: ArrayLike | None = None,
    n_networks: int = 4,
    network: Sequence[int] | Maker = (32, 32),
    rng: Rng = 0,
    tell: Callable[[int, int], None] | None = None,
    **schedule: Any,
) -> Hybrid:
    """Train networks end to end: environment → parameters → process model → data.

    Parameters
    ----------
    task : Task
        With covariates; other data than profiles come as a `Stream`. A share of the sites never
        splits one of its `groups`: without them it is drawn site by site, and neighbours make the
        stopping come late.
    free : sequence of str, optional
        Parameters to predict; the others stay where they start. Default all.
    start : array_like, (p,), optional
        Parameters before training, in their own units; default those of the prior's table.
    n_networks : int
        Networks; the sites are dealt into as many shares, and each network is stopped early by its
        own share, on which it does not train.
    network : sequence of int, or callable
        Widths of the hidden layers, or `network(inputs, outputs, rng)` that makes a network: with
        :class:`landcarbon.learning.mlp.FromFunction` one of any framework.
    rng : Generator or int
        The same seed gives the same network, bit by bit.
    tell : callable, optional
        `tell(member, epoch)`.
    **schedule
        For :class:`landcarbon.learning.mlp.Schedule`: batch 256, rate 0.01, decay 0.3, epochs 60,
        patience 10 unless given.

    Returns
    -------
    Hybrid

    Raises
    ------
    InputError
        A task without data or covariates, fewer sites than shares, an unknown parameter in `free`.

    Examples
    --------
    Ten sites of one pool, X = I / k, where k follows a covariate:

    >>> import pandas as pd
    >>> from landcarbon.assimilation import GaussianLikelihood
    >>> from landcarbon.models import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter("k", "yr-1", 0.01, 0.2, 0.05)]))
    >>> warm = np.linspace(-1, 1, 10)
    >>> k, I = 0.05 * np.exp(0.5 * warm), np.full(10, 400.0)
    >>> def run(theta, I):
    ...     X = I[:, None] / theta
    ...     return X, lambda d: -d * X / theta
    >>> carbon = Stream(GaussianLikelihood((I / k)[:, None], sd=100.0), run)
    >>> task = Task(carbon, I, pd.DataFrame({"warm": warm}), prior)
    >>> net = fit(task, n_networks=2, network=(8,), rng=1)
    >>> bool(np.abs(net.predict(task.covariates)[:, 0] / k - 1).max() < 0.2)
    True
    """
    as_kind("task", task, Task)
    n_networks = as_whole("n_networks", n_networks, 2)
    began = time.perf_counter()
    outputs = Outputs.of(task.prior, free, start)
    _ = task.data  # refuses a task without any
    cost = Cost(task, outputs)
    scaling = Scaling.of(task.environment)
    x = scaling(task.environment)
    n, q = len(task), outputs.free.size
    schedule = {"batch": 256, "rate": 1e-2, "decay": 0.3, "epochs": 60, "patience": 10} | schedule
    rng = as_rng(rng)
    hidden = () if callable(network) else as_array("network", network, shape=(None,), hint="Try (32, 32).").tolist()
    share = _shares(n, n_networks, task.groups, rng)
    trained = []
    for k in range(n_networks):
        own = np.random.default_rng(rng.integers(2**63))
        if callable(network):
            net = network(x.shape[1], q, own)
        else:
            net = MLP.start((x.shape[1], *hidden, q), own)
        each = None if tell is None else lambda epoch, *_, k=k: tell(k, epoch)
        trained.append(train(net, x, cost, share == k, rng=own, tell=each, **schedule))
    held = np.empty((n, q))
    for k, member in enumerate(trained):
        held[share == k] = member.net(x[share == k])
    spread = _spread(cost, held)
    few = np.sort(rng.permutation(n)[:MARKED])
    z = outputs.coordinates(held[few])[:, None] + spread * rng.standard_normal((100, len(task.prior)))
    stretch = stretched(task[few], task.prior, z, rng)
    return Hybrid(outputs, scaling, tuple(trained), share, spread, stretch, time.perf_counter() - began)


@dataclass(frozen=True, eq=False)
class Directions:
    """Combinations of parameters, from the best to the least seen by the data of one site.

    Attributes
    ----------
    names : tuple of str, (q,)
        Free parameters.
    vectors : ndarray, (q, q)
        Column k is direction k, in units of the prior width of each parameter
        (`landcarbon.assimilation.prior_width`).
    information : ndarray, (q,)
        Share of the prior variance along the direction that the data of one site remove, on average
        over the sites: 0 they say nothing of it, 1 they fix it.
    outputs : Outputs
        Which parameters these are.
    """

    names: tuple[str, ...]
    vectors: Array
    information: Array
    outputs: Outputs

    @property
    def identified(self) -> NDArray[np.bool_]:
        """Directions whose prior variance the data of one site at least halve."""
        return self.information >= 0.5

    @property
    def degrees_of_freedom(self) -> float:
        """Degrees of freedom for signal: how many parameters' worth of variance a site removes."""
        return float(self.information.sum())

    def along(self, z: ArrayLike) -> Array:
        """Positions (..., q) of coordinates z (..., p) along the directions."""
        prior = self.outputs.prior
        u = prior.to_unit(prior.from_real(z))
        plain = np.where(_is_normal(prior), np.asarray(z, float) / prior.width, np.sqrt(12.0) * u)
        return plain[..., self.outputs.free] @ self.vectors

    def table(self, most: int = 3) -> pd.DataFrame:
        """Information of each direction and the parameters that weigh most in it."""
        most = as_whole("most", most, 1)
        import pandas as pd

        rows = []
        for k in range(self.information.size):
            v = self.vectors[:, k]
            lead = [i for i in np.argsort(-np.abs(v))[:most] if abs(v[i]) > 0.2]
            words = " ".join(f"{v[i]:+.2f} {self.names[i]}" for i in lead)
            rows.append((self.information[k], bool(self.identified[k]), words))
        index = pd.RangeIndex(1, len(rows) + 1, name="direction")
        return pd.DataFrame(rows, index, columns=["information", "identified", "made of"])


def directions(
    task: Task, theta: ArrayLike, *, free: Sequence[str] | None = None
) -> Directions:
    """Which combinations of parameters can data of this kind see?

    The directions are those of `landcarbon.assimilation.identify`, of one site's data and in the mean
    over the sites: with S the Jacobian in units of data errors and prior widths, the data leave the
    covariance (1 + SᵀS)⁻¹ where the prior had 1.

    Parameters
    ----------
    task : Task
        The values of its data do not matter, only what was measured, where, and how well.
    theta : array_like, (p,) or (site, p)
        Parameters at which to ask, in their own units: the defaults, the truth of a twin world, or
        what a network says.
    free : sequence of str, optional
        As in :func:`fit`.

    Returns
    -------
    Directions
    """
    as_kind("task", task, Task)
    theta = as_array("theta", theta, shape=(len(task.prior),))
    if theta.shape[:-1] not in ((), (1,), (len(task),)):
        raise InputError(f"theta has shape {theta.shape}; give one set, or one for each of {len(task)} sites.")
    outputs = Outputs.of(task.prior, free)
    theta = np.broadcast_to(task.prior.check(theta, inside=True), (len(task), len(task.prior)))
    S = _jacobian(task, theta, prior_width(task.prior, theta))[..., outputs.free]
    information, weights = Identifiability(outputs.names, S).directions(outputs.free.size)
    return Directions(outputs.names, weights.T, information, outputs)


def recovery(seen: Directions, truth: ArrayLike, estimate: ArrayLike) -> pd.DataFrame:
    """How well true parameters are recovered, direction by direction.

    Parameters
    ----------
    seen : Directions
    truth, estimate : array_like, (site, p)
        Unbounded coordinates.

    Returns
    -------
    pandas.DataFrame
        As `Directions.table`, with the correlation `r` over the sites. Where `identified` is False
        a high r is luck, or the network's prior, and a low one no fault.
    """
    as_kind("seen", seen, Directions)
    table = seen.table()
    a, b = seen.along(truth), seen.along(estimate)
    if a.shape != b.shape or a.ndim != 2:
        raise InputError(
            f"truth and estimate must be (site, parameter) alike, but their shapes are "
            f"{np.shape(truth)} and {np.shape(estimate)}."
        )
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    table.insert(2, "r", r)
    return table


def _is_normal(prior: Prior) -> NDArray[np.bool_]:
    return np.array([family == "logit-normal" for family in prior.families])


def _jacobian(task: Task, theta: Array, width: Array) -> Array:
    """What all data of a site say of its parameters, in units of errors and `width` (site, obs, p)."""
    found = []
    for rows in pieces(len(task), AT_ONCE):
        part = task[rows]
        seen = [
            np.sqrt(stream.weight) * scaled_jacobian(_posterior(part, stream), theta[rows], width[rows])
            for stream in part.streams
        ]
        found.append(np.concatenate(seen, axis=1))
    return np.concatenate(found)


def _posterior(task: Task, stream: Stream) -> Posterior:
    """A stream as a sampler would see it: several parameter sets at each site."""
    sites = np.arange(len(task))

    def model_vjp(theta: Array) -> tuple[Array, Callable[[Array], Array]]:
        flat = theta.reshape(-1, theta.shape[-1])
        each = np.repeat(sites, len(flat) // len(sites))
        values, pull = stream.run(flat, whole(task.forcing[each]))
        lead = theta.shape[:-1]
        return (
            values.reshape(*lead, -1),
            lambda d: pull(np.asarray(d).reshape(values.shape)).reshape(theta.shape),
        )

    return Posterior(task.prior, observations=stream.observations, model_vjp=model_vjp)


def _spread(cost: Cost, y: Array) -> Array:
    """See `Hybrid.spread`; y (site, q) are held-out outputs."""
    outputs, seen, excess = cost.outputs, 0.0, 0.0
    for rows in pieces(len(cost.task)):
        task, z = cost.task[rows], outputs.coordinates(y[rows])
        theta = outputs.prior.from_real(z)
        width = np.zeros_like(z)
        width[:, outputs.free] = outputs.prior.slope(z)[:, outputs.free] * outputs.scale
        seen += float((_jacobian(task, theta, width) ** 2).sum())
        forcing = whole(task.forcing)
        for stream in task.streams:
            obs = stream.observations
            e = obs.whiten(obs.data - obs.predict(stream.run(theta, forcing)[0]))
            excess += stream.weight * float((e**2).sum() - obs.mask.sum())
    out = np.zeros(len(outputs.prior))
    out[outputs.free] = outputs.scale * np.sqrt(max(excess, 0.0) / max(seen, 1e-300))
    return out


def _shares(n: int, n_networks: int, groups: NDArray[Any] | None, rng: np.random.Generator) -> Any:
    if n_networks < 2 or n < 2 * n_networks:
        raise InputError(
            f"{n_networks} networks are stopped by one share of the sites each: at least 2 are needed, "
            f"and twice as many sites, but there are {n} sites. Take fewer networks."
        )
    return (random_folds(n, n_networks, rng) if groups is None else group_folds(groups, n_networks, rng)).fold
