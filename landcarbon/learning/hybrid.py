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
There the matrices are built in a deep-learning framework, which solves 140 equations at a time and
differentiates the solver. At a steady state that is not needed. From M X = b follows
M dX = db − dM X, so one solve with the transposed matrix gives the gradient with respect to
everything at once; `landcarbon.matrix.solve` has it by hand, and it fits behind
`MLP.forward_and_vjp` like one more layer.

That a network fits carbon well does not make its parameters right. :func:`directions` says which
combinations of parameters the data can see at all, and :func:`recovery` marks a twin world on these.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.parameters import Prior
from landcarbon.learning.mlp import MLP, Training, train
from landcarbon.learning.proda import Rng, _covariates, _prior_variance
from landcarbon.learning.validation import Folds, group_folds, random_folds
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5
from landcarbon.models.process import Model

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EndToEnd",
    "Hybrid",
    "Stream",
    "cross_predict",
    "directions",
    "fit",
    "profile_stream",
    "recovery",
    "soil_respiration_stream",
]

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Run = Callable[[Array, Any], tuple[Array, Callable[[Array], Array]]]


@dataclass(frozen=True, eq=False)
class Stream:
    """One kind of data, and the model that says the same thing.

    Attributes
    ----------
    observations : GaussianLikelihood, ProfileObservations or alike, sites (site,)
    run : callable
        `run(theta, forcing)` returns the values as the observations read them (site, n), and a
        function from their gradient (site, n) to that of the parameters (site, p):
        `clm5.observed` is one.
    weight : float
        Factor on its log-likelihood. Leave it at 1 unless the errors are known to be wrong.
    """

    observations: Any
    run: Run
    weight: float = 1.0

    def __len__(self) -> int:
        return int(self.observations.sites[0])

    def __getitem__(self, rows: Any) -> Stream:
        return replace(self, observations=self.observations[rows])


def profile_stream(observations: Any, model: Model = clm5) -> Stream:
    """Soil profiles, as the process model makes them at steady state.

    Parameters
    ----------
    observations : ProfileObservations, sites (site,)
    model : module or object
        See `landcarbon.models.process`.
    """

    return Stream(observations, model.observed)


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
    >>> stream.run(clm5.PARAMETERS.default[None], site)[0].round(1)
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
class EndToEnd:
    """From the output of a network to the cost of the data, and back.

    Attributes
    ----------
    prior : Prior
    streams : tuple of Stream
    forcing : object
        Whatever the streams' `run` take; `forcing[rows]` selects sites.
    free : ndarray of int, (q,)
        Parameters that the network predicts; the others keep their start.
    start : ndarray, (p,)
        Unbounded coordinates where the output is 0.
    """

    prior: Prior
    streams: tuple[Stream, ...]
    forcing: Any
    free: NDArray[np.intp]
    start: Array

    @property
    def scale(self) -> Array:
        """Prior standard deviation of the free parameters (q,)."""
        return np.sqrt(_prior_variance(self.prior))[self.free]

    def coordinates(self, y: ArrayLike) -> Array:
        """Unbounded coordinates z (..., p) for outputs y (..., q)."""
        y = np.asarray(y, dtype=float)
        z = np.broadcast_to(self.start, (*y.shape[:-1], self.start.size)).copy()
        z[..., self.free] += self.scale * y
        return z

    def cost(self, y: Array, rows: Rows) -> tuple[float, Array]:
        """Minus the mean log-likelihood of the sites `rows`, and its derivative by y (rows, q)."""
        z = self.coordinates(y)
        theta, forcing = self.prior.from_real(z), self.forcing[rows]
        J, dtheta = 0.0, np.zeros_like(z)
        for stream in self.streams:
            values, pull = stream.run(theta, forcing)
            data = stream.observations[rows]
            J -= stream.weight * float(data.log_likelihood(values).sum())
            dtheta -= stream.weight * pull(data.gradient(values))
        dz = dtheta * self.prior.slope(z)
        return J / len(rows), dz[:, self.free] * self.scale / len(rows)

    def cost_of_weights(self, net: MLP, x: Array, rows: Rows) -> tuple[float, Array]:
        """The same cost and its derivative with respect to all weights, as one vector."""
        y, pull = net.forward_and_vjp(x[rows])
        J, dy = self.cost(y, rows)
        return J, pull(dy).vector()


@dataclass(frozen=True, eq=False)
class Hybrid:
    """Networks trained through the process model.

    `landcarbon.learning.proda.predict` takes it in place of a PRODA network.

    Attributes
    ----------
    prior : Prior
    columns : tuple of str
        Covariates, in order.
    members : tuple of Training
        Each has been stopped by another share of the sites.
    centre, scale : ndarray, (covariate,)
        Of the covariates.
    task : EndToEnd
        What they were trained on.
    share : ndarray of int, (site,)
        Member that did not train on the site.
    scatter : ndarray, (p,)
        Standard deviation of z that the environment does not explain: the width, in units of the
        prior, that makes up for what the held-out residuals exceed the errors of the data.
    seconds : float
    """

    prior: Prior
    columns: tuple[str, ...]
    members: tuple[Training, ...]
    centre: Array
    scale: Array
    task: EndToEnd
    share: NDArray[np.int64]
    scatter: Array
    seconds: float = 0.0

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters that the networks predict."""
        return tuple(self.prior.names[i] for i in self.task.free)

    def parameters(self, covariates: pd.DataFrame) -> Array:
        """Predictions of every member, (member, site, p), unbounded coordinates."""
        x = (_covariates(covariates, columns=self.columns) - self.centre) / self.scale
        return np.stack([self.task.coordinates(member.net(x)) for member in self.members])

    def predict(self, covariates: pd.DataFrame) -> Array:
        """Parameters in their own units (site, p): the mean of the members in z."""
        return self.prior.from_real(self.parameters(covariates).mean(axis=0))

    def sample(self, covariates: pd.DataFrame, draws: int, rng: Rng = 0) -> Array:
        """Draws of the parameters, (site, draw, p), unbounded: a member each, plus `scatter`."""
        rng = np.random.default_rng(rng)
        z = self.parameters(covariates)
        which = rng.permutation(np.arange(draws) % z.shape[0])
        noise = rng.standard_normal((z.shape[1], draws, z.shape[2]))
        return np.moveaxis(z[which], 0, 1) + self.scatter * noise


def fit(
    covariates: pd.DataFrame,
    data: Any,
    forcing: Any,
    prior: Prior | None = None,
    *,
    model: Model = clm5,
    free: Sequence[str] | None = None,
    start: ArrayLike | None = None,
    members: int = 4,
    hidden: Sequence[int] = (32, 32),
    batch: int = 256,
    rate: float = 1e-2,
    decay: float = 0.3,
    epochs: int = 60,
    patience: int = 10,
    groups: ArrayLike | None = None,
    rng: Rng = 0,
    report: Callable[[int, int], None] | None = None,
) -> Hybrid:
    """Train networks end to end: environment → parameters → process model → data.

    Parameters
    ----------
    covariates : pandas.DataFrame, (site, covariate)
        Numbers only, one row a site.
    data : ProfileObservations, Stream, or sequence of Stream
        Profiles are compared with the steady state of `model`; other data come as a `Stream`.
    forcing : object
        `forcing[rows]` selects sites: `clm5.Forcing`, or an array for a model of one's own.
    prior : Prior, optional
        Bounds; default those of `model.PARAMETERS`.
    model : module or object
        For profiles.
    free : sequence of str, optional
        Parameters to predict; the others stay where they start. Default all.
    start : array_like, (p,), optional
        Parameters before training, in their own units; default those of the prior's table.
    members : int
        Networks; the sites are dealt into as many shares, and each network is stopped early by its
        own share, on which it does not train.
    hidden : sequence of int
        Widths of the hidden layers.
    batch, rate, decay, epochs, patience
        See :func:`landcarbon.learning.mlp.train`.
    groups : array_like, (site,), optional
        Blocks of sites that are never split between training and stopping. Without them a share
        is drawn site by site, and neighbours make the stopping come late.
    rng : Generator or int
        The same seed gives the same network, bit by bit.
    report : callable, optional
        `report(member, epoch)`.

    Returns
    -------
    Hybrid

    Raises
    ------
    InputError
        Covariates missing at a site, numbers of sites that differ, fewer sites than shares,
        an unknown parameter in `free`.

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
    >>> net = fit(pd.DataFrame({"warm": warm}), carbon, I, prior, members=2, hidden=(8,), rng=1)
    >>> bool(np.abs(net.predict(pd.DataFrame({"warm": warm}))[:, 0] / k - 1).max() < 0.2)
    True
    """
    began = time.perf_counter()
    streams = _streams(data, model)
    prior = Prior(model.PARAMETERS) if prior is None else prior
    task = _task(streams, forcing, prior, free, start)
    n = len(streams[0])
    x = _covariates(covariates, n=n)
    centre, spread = x.mean(axis=0), x.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    xs = (x - centre) / scale
    rng = np.random.default_rng(rng)
    share = _shares(n, members, groups, rng)
    trained = []
    for k in range(members):
        own = np.random.default_rng(rng.integers(2**63))
        net = MLP.start((x.shape[1], *hidden, task.free.size), own)
        tell = None if report is None else lambda epoch, *_, k=k: report(k, epoch)
        trained.append(
            train(net, xs, task.cost, share == k, batch=batch, rate=rate, decay=decay,
                  epochs=epochs, patience=patience, rng=own, report=tell)
        )  # fmt: skip
    held = np.empty((n, task.free.size))
    for k, member in enumerate(trained):
        held[share == k] = member.net(xs[share == k])
    return Hybrid(
        prior=task.prior,
        columns=tuple(str(c) for c in covariates.columns),
        members=tuple(trained),
        centre=centre,
        scale=scale,
        task=task,
        share=share,
        scatter=_scatter(task, held),
        seconds=time.perf_counter() - began,
    )


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions of the first stream at sites that were not trained on.

    Attributes
    ----------
    mean, lower, upper : ndarray, (site, obs)
        In the space of the observations (ln carbon for profiles); the interval includes the error
        of the data, so it is one for a new measurement.
    z : ndarray, (site, p)
        Parameters, unbounded coordinates: mean of the members.
    """

    mean: Array
    lower: Array
    upper: Array
    z: Array

    def coverage(self, observations: Any) -> float:
        """Share of the observations that lie in their interval."""
        inside = (self.lower <= observations.data) & (observations.data <= self.upper)
        return float(inside[observations.mask].mean())


def cross_predict(
    covariates: pd.DataFrame,
    data: Any,
    forcing: Any,
    folds: Folds,
    prior: Prior | None = None,
    *,
    model: Model = clm5,
    draws: int = 50,
    level: float = 0.9,
    rng: Rng = 0,
    **options: Any,
) -> HeldOut:
    """Predict every site by networks that have not seen its fold.

    Parameters
    ----------
    covariates, data, forcing, prior, model
        As in :func:`fit`.
    folds : Folds
        From `landcarbon.learning.validation`; their groups also guide early stopping.
    draws : int
        Parameter draws a site; the mean is over their predictions.
    level : float
        Of the interval.
    rng : Generator or int
    **options
        For :func:`fit`.

    Returns
    -------
    HeldOut

    Raises
    ------
    InputError
        Folds over other sites.
    """
    rng = np.random.default_rng(rng)
    streams = _streams(data, model)
    first, n = streams[0], len(streams[0])
    if folds.fold.size != n:
        raise InputError(
            f"The folds are over {folds.fold.size} sites, but the data have {n}. Make the folds "
            "from the coordinates of the same sites."
        )
    shape = first.observations.data.shape
    mean, lower, upper = (np.full(shape, np.nan) for _ in range(3))
    z: Array | None = None
    for learn, test in folds:
        net = fit(
            covariates.iloc[learn], [s[learn] for s in streams], forcing[learn], prior,
            model=model, groups=folds.group[learn], rng=rng, **options,
        )  # fmt: skip
        asked = covariates.iloc[test]
        if z is None:
            z = np.empty((n, len(net.prior)))
        z[test] = net.parameters(asked).mean(axis=0)
        data_there, climate = first.observations[test], forcing[test]
        said = [
            data_there.predict(first.run(net.prior.from_real(draw), climate)[0])
            for draw in np.moveaxis(net.sample(asked, draws, rng), 1, 0)
        ]
        h = np.stack(said)
        measured = h + data_there.sd * rng.standard_normal(h.shape)
        mean[test] = h.mean(axis=0)
        # Among n draws a new one falls below the k-th with probability k / (n + 1).
        tails = [(1 - level) / 2, (1 + level) / 2]
        lower[test], upper[test] = np.quantile(measured, tails, axis=0, method="weibull")
    assert z is not None
    return HeldOut(mean, lower, upper, z)


@dataclass(frozen=True, eq=False)
class Directions:
    """Combinations of parameters, from the best to the least seen by the data of one site.

    Attributes
    ----------
    names : tuple of str, (q,)
        Free parameters.
    vectors : ndarray, (q, q)
        Column k is direction k, in units of the prior standard deviation of each parameter.
    information : ndarray, (q,)
        Share of the prior variance along the direction that the data of one site remove, on average
        over the sites: 0 they say nothing of it, 1 they fix it.
    free : ndarray of int, (q,)
        Places of the free parameters among all.
    scale : ndarray, (q,)
        Prior standard deviation of each.
    """

    names: tuple[str, ...]
    vectors: Array
    information: Array
    free: NDArray[np.intp]
    scale: Array

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
        return np.asarray(z, dtype=float)[..., self.free] / self.scale @ self.vectors

    def table(self, most: int = 3) -> pd.DataFrame:
        """Information of each direction and the parameters that weigh most in it."""
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
    data: Any,
    forcing: Any,
    theta: ArrayLike,
    prior: Prior | None = None,
    *,
    model: Model = clm5,
    free: Sequence[str] | None = None,
) -> Directions:
    """Which combinations of parameters can data of this kind see?

    With J the Jacobian of what is observed by z, in units of data error and prior standard
    deviation, the data of a site leave the covariance (1 + JᵀJ)⁻¹ where the prior had 1. The
    directions are the eigenvectors of its mean over the sites.

    Parameters
    ----------
    data, forcing, prior, model, free
        As in :func:`fit`.
    theta : array_like, (p,) or (site, p)
        Parameters at which to ask, in their own units: the defaults, the truth of a twin world, or
        what a network says.

    Returns
    -------
    Directions
    """
    prior = Prior(model.PARAMETERS) if prior is None else prior
    task = _task(_streams(data, model), forcing, prior, free, None)
    z = np.broadcast_to(prior.to_real(theta), (len(task.streams[0]), len(prior)))
    J = _jacobian(task, z)
    left = np.linalg.inv(np.eye(J.shape[-1]) + np.einsum("sip,siq->spq", J, J)).mean(axis=0)
    remaining, vectors = np.linalg.eigh(left)  # ascending: the best seen direction comes first
    # The sign of an eigenvector is free: let its largest entry be positive.
    lead = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[lead, np.arange(lead.size)])
    return Directions(
        names=tuple(prior.names[i] for i in task.free),
        vectors=vectors,
        information=np.clip(1.0 - remaining, 0.0, 1.0),
        free=task.free,
        scale=task.scale,
    )


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


def _jacobian(task: EndToEnd, z: Array) -> Array:
    """∂h/∂z of all streams in units of data error and prior sd (site, obs, q); 0 where masked."""
    theta = task.prior.from_real(z)
    slope = task.prior.slope(z)
    out = []
    for stream in task.streams:
        values, pull = stream.run(theta, task.forcing)
        obs = stream.observations
        h = obs.predict(values)
        for i in range(h.shape[-1]):
            # Data one error above the model in place i have the gradient ∂h_i/∂values / sd_i.
            shifted = h + obs.sd * (np.arange(h.shape[-1]) == i)
            data = np.exp(shifted) if getattr(obs, "kind", "") == "log" else shifted
            g = pull(obs.with_values(data).gradient(values))
            out.append(np.sqrt(stream.weight) * (g * slope)[:, task.free] * task.scale)
    return np.stack(out, axis=1)


def _scatter(task: EndToEnd, y: Array) -> Array:
    """See `Hybrid.scatter`; y (site, q) are held-out outputs."""
    z = task.coordinates(y)
    J = _jacobian(task, z)
    theta = task.prior.from_real(z)
    excess = 0.0
    for stream in task.streams:
        obs = stream.observations
        e = (obs.data - obs.predict(stream.run(theta, task.forcing)[0])) / obs.sd
        excess += stream.weight * float((e[obs.mask] ** 2 - 1.0).sum())
    out = np.zeros(len(task.prior))
    out[task.free] = task.scale * np.sqrt(max(excess, 0.0) / max(float((J**2).sum()), 1e-300))
    return out


def _listed(data: Any) -> tuple[Any, ...]:
    return tuple(data) if isinstance(data, (list, tuple)) else (data,)


def _streams(data: Any, model: Model) -> tuple[Stream, ...]:
    streams = tuple(
        d if isinstance(d, Stream) else profile_stream(d, model) for d in _listed(data)
    )
    if not streams:
        raise InputError("There are no data to train on: give profiles or at least one Stream.")
    sizes = []
    for s in streams:
        sites = getattr(s.observations, "sites", None)
        if sites is None or len(sites) != 1:
            raise InputError(
                "Every stream needs observations with one axis of sites, such as "
                f"GaussianLikelihood of (site, n) numbers, but {type(s.observations).__name__} "
                f"with sites {sites} was given."
            )
        sizes.append(int(sites[0]))
    if len(set(sizes)) > 1:
        raise InputError(
            f"The streams have {', '.join(map(str, sizes))} sites: give the same sites in the same "
            "order, and mask what was not measured."
        )
    return streams


def _task(
    streams: tuple[Stream, ...],
    forcing: Any,
    prior: Prior,
    free: Sequence[str] | None,
    start: ArrayLike | None,
) -> EndToEnd:
    n = len(streams[0])
    lead = forcing.shape[0] if getattr(forcing, "shape", ()) else None
    if lead is not None and lead != n:
        raise InputError(
            f"The forcing has {lead} sites, but the data have {n}: give one of each, in the same "
            "order."
        )
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
    z0 = prior.to_real(prior.table.default if start is None else start)
    return EndToEnd(prior, streams, forcing, chosen, z0)


def _shares(n: int, members: int, groups: ArrayLike | None, rng: np.random.Generator) -> Any:
    if members < 2 or n < 2 * members:
        raise InputError(
            f"{members} networks are stopped by one share of the sites each: at least 2 are needed, "
            f"and twice as many sites, but there are {n} sites. Take fewer members."
        )
    if groups is None:
        return random_folds(n, members, rng).fold
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise InputError(f"groups has shape {labels.shape}, but one label a site is needed ({n}).")
    return group_folds(labels, members, rng).fold
