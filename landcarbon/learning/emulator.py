r"""Emulators: a quick stand-in for a slow model, with an error bar of its own.

.. math::

    u = F(\theta) \in (0, 1)^p, \qquad
    g(\theta) = \bar{h} + s \odot P^T f(2u - 1), \qquad
    g(\theta) \approx h(\theta)

    e_i = h(\theta_i) - g_{-k(i)}(\theta_i), \qquad
    \Sigma = \frac{1}{m} \sum_i e_i e_i^T

    \ln p(d \mid \theta) = -\tfrac12 (d - g)^T (R + \Sigma)^{-1} (d - g) + \text{const}

======================  =======================================  ============  ====  ==============
symbol                  meaning                                  shape         unit  code name
======================  =======================================  ============  ====  ==============
:math:`\theta, F`       parameters; prior distribution function  (run, p)      own   theta, prior
:math:`h`               outputs of the model                     (run, n)      own   outputs
:math:`\bar{h}, s, P`   their mean and spread; principal         (n,), (c, n)  own   centre, scale,
                        components that are kept                                     basis
:math:`f`               regression, one of `KINDS`               --            --    members
:math:`g`               emulator: the mean of its members        (..., n)      own   Emulator
:math:`k(i)`            fold of run i; member k has not seen it  (run,)        --    fold
:math:`e`               error at runs that were not seen         (run, n)      own   residual
:math:`\Sigma`          second moment of that error              (n, n)        own   covariance
:math:`R`               variance of the errors of the data       (n,)          own   sd ** 2
======================  =======================================  ============  ====  ==============

An emulator is a model of a model. Its error is one more error between parameters and data, and has
to enter the likelihood beside that of the data; otherwise the posterior is sharp around what the
emulator got wrong. The error is measured by cross-validation, on the runs that lie where the data
want the parameters to be (:func:`refine`).

:func:`costs` asks first whether an emulator is worth its runs. The steady state of a matrix model
is as cheap as any emulator of it; spin-up by brute force and long transient runs are not.

Sources: calibrate, emulate, sample: Cleary et al. 2021, Journal of Computational Physics 424:109716,
doi:10.1016/j.jcp.2020.109716; Gaussian processes for computer code: Sacks et al. 1989, Statistical
Science 4:409, doi:10.1214/ss/1177012413.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Posterior
from landcarbon.learning.folds import random_folds
from landcarbon.learning.mlp import MLP
from landcarbon.matrix.errors import InputError, Rng, as_array, as_kind, as_rng, as_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS", "Emulator", "Costs", "choose", "compare", "design", "fit", "refine", "costs"]

Array = NDArray[np.float64]
Run = Callable[[Array], ArrayLike]

KINDS = ("ridge", "gp", "network")
"""Ridge regression on all squares and products; Gaussian processes, one a principal component, with
a length for each parameter; a network with one hidden layer."""

KEPT = 1.0 - 1e-6  # share of the outputs' variance that the principal components keep


@dataclass(frozen=True, eq=False)
class Emulator:
    """Quick outputs for parameters, and how far to trust them.

    Attributes
    ----------
    prior : Prior
    kind : str
    theta : ndarray, (run, p)
    outputs : ndarray, (run, n)
        Of the model.
    residual : ndarray, (run, n)
        Output minus the prediction of the member that had not seen the run.
    judged : ndarray of bool, (run,)
        Runs whose residuals make the error: all, or after `refine` those in the region that the
        data want.
    members : tuple
        Fitted regressions, one a fold.
    centre, scale : ndarray, (n,)
    basis : ndarray, (c, n)
    fold : ndarray of int, (run,)
    seconds : float
        Training time, without the runs.
    """

    prior: Prior
    kind: str
    theta: Array
    outputs: Array
    residual: Array
    judged: NDArray[np.bool_]
    members: tuple[Any, ...] = field(repr=False)
    centre: Array
    scale: Array
    basis: Array = field(repr=False)
    fold: NDArray[np.int64] = field(repr=False)
    seconds: float = 0.0

    def __call__(self, theta: ArrayLike) -> Array:
        """Outputs (..., n) for parameters (..., p): the mean of the members."""
        return self._each(theta).mean(axis=0)

    def spread(self, theta: ArrayLike) -> Array:
        """Disagreement of the members (..., n): where another run would teach most."""
        return self._each(theta).std(axis=0, ddof=1)

    def _each(self, theta: ArrayLike) -> Array:
        theta = as_array("theta", theta, shape=(len(self.prior),))
        if not theta.size:
            raise InputError("theta holds no parameters; give one row at least.")
        x = _inputs(self.prior, theta.reshape(-1, len(self.prior)))
        y = np.stack([_predict(m, x) for m in self.members]) @ self.basis
        return (self.centre + self.scale * y).reshape(len(self.members), *theta.shape[:-1], -1)

    @property
    def error(self) -> Array:
        """Root mean square error of each output at runs not seen (n,)."""
        return np.sqrt((self.residual[self.judged] ** 2).mean(axis=0))

    @property
    def covariance(self) -> Array:
        """Second moment of the error (n, n)."""
        e = self.residual[self.judged]
        return e.T @ e / len(e)

    @property
    def r2(self) -> Array:
        """Share of the variance of each output that is predicted at runs not seen (n,)."""
        h = self.outputs[self.judged]
        return 1.0 - self.error**2 / np.maximum(h.var(axis=0), 1e-300)

    def __len__(self) -> int:
        return len(self.theta)

    def __repr__(self) -> str:
        return (
            f"<Emulator ({self.kind}) from {len(self)} runs: {self.outputs.shape[1]} outputs, "
            f"R² at runs not seen {self.r2.min():.4f} to {self.r2.max():.4f}>"
        )

    def table(self, observations: Any = None) -> pd.DataFrame:
        """Error of each output, beside the error of the data if they are given."""
        import pandas as pd

        data = {"spread of output": self.outputs[self.judged].std(axis=0), "error": self.error,
                "r2": self.r2}  # fmt: skip
        if observations is not None:
            data["error of data"] = _one_site(observations, self)[1]
        return pd.DataFrame(data).rename_axis("output")

    def posterior(self, observations: Any) -> Posterior:
        """The posterior by the emulator, its own error included in the likelihood.

        Parameters
        ----------
        observations : GaussianLikelihood, SeriesObservations, ProfileObservations or alike
            Of one site. The outputs of the emulator are what `observations.predict` would return:
            the data space, ln carbon for profiles with kind="log".

        Returns
        -------
        Posterior
            For `landcarbon.assimilation.sample`.
        """
        from scipy.linalg import solve_triangular

        data, sd, mask = _one_site(observations, self)
        L = np.linalg.cholesky(np.diag(sd[mask] ** 2) + self.covariance[np.ix_(mask, mask)])
        constant = np.log(np.diag(L)).sum() + 0.5 * mask.sum() * np.log(2 * np.pi)

        def log_likelihood(theta: Array) -> Array:
            misfit = (data - self(theta))[..., mask]
            flat = solve_triangular(L, misfit.reshape(-1, misfit.shape[-1]).T, lower=True)
            return -0.5 * (flat**2).sum(axis=0).reshape(misfit.shape[:-1]) - constant

        return Posterior(self.prior, likelihood=log_likelihood)


def design(prior: Prior, n: int, rng: Rng = 0) -> Array:
    """Parameters (n, p) that cover the prior evenly: a Latin hypercube.

    Parameters
    ----------
    prior : Prior
    n : int
        Number of runs; ten for each parameter is a common start.
    rng : Generator or int

    Examples
    --------
    >>> from landcarbon.models import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter("k", "yr-1", 0.0, 1.0, 0.5)]))
    >>> np.sort(design(prior, 4, rng=1)[:, 0]) // 0.25      # one in each quarter
    array([0., 1., 2., 3.])
    """
    from scipy.stats import qmc

    as_kind("prior", prior, Prior)
    n = as_whole("n", n, 1)
    cube = qmc.LatinHypercube(len(prior), rng=as_rng(rng)).random(n)
    # A parameter exactly on its bound has no unbounded coordinate.
    return prior.from_unit(np.clip(cube, 1e-9, 1 - 1e-9))


def fit(
    theta: ArrayLike,
    outputs: ArrayLike,
    prior: Prior,
    kind: str = "network",
    *,
    folds: int = 5,
    judged: ArrayLike | None = None,
    hidden: tuple[int, ...] = (64,),
    rng: Rng = 0,
) -> Emulator:
    """Learn a model from its runs.

    Parameters
    ----------
    theta : array_like, (run, p)
        Parameters of the runs, for example from :func:`design`.
    outputs : array_like, (run, n)
        What the model said. Take logarithms of outputs that span orders of magnitude.
    prior : Prior
    kind : {"network", "ridge", "gp"}
        Gaussian processes are the most accurate from few runs, and slow beyond 500.
    folds : int
        Members, each without one share of the runs; they make both the prediction and its error.
    judged : array_like of bool, (run,), optional
        Runs whose residuals make the error; default all.
    hidden : tuple of int
        Widths of the network's layers.
    rng : Generator or int

    Returns
    -------
    Emulator

    Raises
    ------
    InputError
        Runs that do not fit together, NaN among the outputs, fewer runs than 3 a fold, an output
        that never changes.

    Examples
    --------
    >>> from landcarbon.models import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter("a", "1", 0.0, 1.0, 0.5),
    ...                               Parameter("b", "1", 0.0, 1.0, 0.5)]))
    >>> theta = design(prior, 60, rng=1)
    >>> model = lambda t: np.stack([t[..., 0] * t[..., 1], t[..., 1] ** 2], axis=-1)
    >>> quick = fit(theta, model(theta), prior, "ridge")
    >>> quick([0.2, 0.5]).round(3), bool(quick.r2.min() > 0.999)
    (array([0.1 , 0.25]), True)
    """
    as_kind("prior", prior, Prior)
    folds = as_whole("folds", folds, 2)
    began = time.perf_counter()
    if kind not in KINDS:
        raise InputError(f"There is no emulator {kind!r}; choose one of {', '.join(KINDS)}.")
    theta = as_array("theta", theta, shape=(None, len(prior)))
    h = as_array("outputs", outputs, shape=(None, None),
                 hint="A run that failed must be left out, with its parameters.")  # fmt: skip
    if h.ndim != 2 or theta.ndim != 2:
        raise InputError(f"outputs is one row a run, but its shape is {h.shape}.")
    if len(theta) != len(h):
        raise InputError(f"theta has {len(theta)} runs and outputs {len(h)}: give one of each a run.")
    if folds < 2 or len(h) < 3 * folds:
        raise InputError(
            f"{folds} folds need at least {max(6, 3 * folds)} runs, but there are {len(h)}. Make more "
            "runs, or take 2 folds or more, but fewer than now."
        )
    seen = np.ones(len(h), bool) if judged is None else np.asarray(judged, bool)
    if seen.shape != (len(h),) or not seen.any():
        raise InputError(f"judged has shape {seen.shape} and {int(seen.sum())} runs: mark some runs.")
    rng = as_rng(rng)
    centre, scale = h.mean(axis=0), h.std(axis=0)
    flat = scale <= 1e-12 * np.maximum(np.abs(centre), 1e-300)
    if flat.any():
        raise InputError(
            f"Output {int(flat.argmax())} is the same in all runs; there is nothing to learn. Leave "
            "it out."
        )
    standard = (h - centre) / scale
    _, singular, rows = np.linalg.svd(standard, full_matrices=False)
    kept = np.cumsum(singular**2) / (singular**2).sum()
    basis = rows[: int(np.searchsorted(kept, KEPT)) + 1]
    x, y = _inputs(prior, theta), standard @ basis.T
    fold = random_folds(len(h), folds, rng).fold
    member = _member(kind, x, y, hidden, rng)
    residual = np.empty(h.shape)
    fitted = []
    for k in range(folds):
        out = fold == k
        fitted.append(member(x[~out], y[~out]))
        residual[out] = h[out] - (centre + scale * (_predict(fitted[-1], x[out]) @ basis))
    return Emulator(
        prior, kind, theta, h, residual, seen, tuple(fitted), centre, scale, basis, fold,
        time.perf_counter() - began,
    )  # fmt: skip


def compare(
    theta: ArrayLike, outputs: ArrayLike, prior: Prior, kinds: Iterable[str] = KINDS, rng: Rng = 0
) -> pd.DataFrame:
    """All kinds of emulator side by side: the worst and the mean R² of the outputs, training time."""
    import pandas as pd

    rows = {}
    for kind in as_kind("kinds", kinds, list, tuple, str):
        made = fit(theta, outputs, prior, kind, rng=rng)
        rows[kind] = (made.r2.min(), made.r2.mean(), made.seconds)
    return pd.DataFrame(rows, index=["worst r2", "mean r2", "seconds"]).T.rename_axis("kind")


def choose(
    emulator: Emulator, observations: Any, n: int, *, candidates: int = 400, rng: Rng = 0
) -> Array:
    """The next `n` runs: where the data want the parameters, and the members disagree.

    Candidates are drawn from the emulator's own posterior. One after the other that candidate is
    taken whose disagreement, in units of the error of the data, times its distance to the nearest
    run is largest: disagreement alone would choose the same corner n times.

    Parameters
    ----------
    emulator : Emulator
    observations : as in `Emulator.posterior`
    n : int
    candidates : int
    rng : Generator or int

    Returns
    -------
    ndarray, (n, p)
    """
    from landcarbon.assimilation.samplers import sample

    as_kind("emulator", emulator, Emulator)
    n, candidates = as_whole("n", n), as_whole("candidates", candidates)
    if n < 1 or candidates < n:
        raise InputError(
            f"Choose at least 1 run among at least as many candidates, not {n} of {candidates}."
        )
    _, sd, mask = _one_site(observations, emulator)
    pool = sample(emulator.posterior(observations), "smc", rng, n_draws=candidates)
    theta = np.unique(pool.draws.reshape(-1, len(emulator.prior)), axis=0)
    doubt = np.sqrt(((emulator.spread(theta) / sd)[:, mask] ** 2).mean(axis=-1))
    x = _inputs(emulator.prior, theta)
    known = _inputs(emulator.prior, emulator.theta)
    gap = np.array([np.sqrt(((known - row) ** 2).sum(axis=1).min()) for row in x])
    chosen = []
    for _ in range(min(n, len(theta))):
        k = int(np.argmax(doubt * gap))
        chosen.append(k)
        gap = np.minimum(gap, np.sqrt(((x - x[k]) ** 2).sum(axis=1)))
    return theta[chosen]


def refine(
    emulator: Emulator,
    model: Run,
    observations: Any,
    *,
    n: int = 40,
    rounds: int = 3,
    candidates: int = 400,
    rng: Rng = 0,
    tell: Callable[[int, Emulator], None] | None = None,
) -> Emulator:
    """Spend further runs where they count, and measure the error there.

    Parameters
    ----------
    emulator : Emulator
        To start from.
    model : callable
        theta (run, p) → outputs (run, n).
    observations : as in `Emulator.posterior`
    n : int
        Runs a round.
    rounds : int
    candidates : int
        See :func:`choose`.
    rng : Generator or int
    tell : callable, optional
        `tell(round, emulator)`.

    Returns
    -------
    Emulator
        Its `judged` runs are those of all rounds.
    """
    rng = as_rng(rng)
    as_kind("model", model, callable)
    judged = np.zeros(len(as_kind("emulator", emulator, Emulator)), bool)
    for k in range(as_whole("rounds", rounds, 1)):
        new = choose(emulator, observations, n, candidates=candidates, rng=rng)
        theta = np.concatenate([emulator.theta, new])
        outputs = np.concatenate([emulator.outputs, np.asarray(model(new), dtype=float)])
        judged = np.concatenate([judged, np.ones(len(new), bool)])
        emulator = fit(
            theta, outputs, emulator.prior, emulator.kind, folds=len(emulator.members),
            judged=judged, rng=rng,
        )  # fmt: skip
        if tell is not None:
            tell(k, emulator)
    return emulator


@dataclass(frozen=True)
class Costs:
    """Is the emulator worth its runs?

    Attributes
    ----------
    model, emulator : float
        Seconds a call, in batches.
    runs : int
        Of the model, spent on the emulator.
    training : float
        Seconds.
    calls : float
        How many calls are planned.
    """

    model: float
    emulator: float
    runs: int
    training: float
    calls: float

    @property
    def building(self) -> float:
        """Seconds before the first answer: runs and training."""
        return self.runs * self.model + self.training

    @property
    def break_even(self) -> float:
        """Calls after which the emulator has paid for itself; infinite if it never does."""
        gain = self.model - self.emulator
        return self.building / gain if gain > 0 else float("inf")

    @property
    def pays(self) -> bool:
        """Whether the calls planned are more than that."""
        return self.calls > self.break_even

    @property
    def speed_up(self) -> float:
        """Time by the model over time by the emulator, building included."""
        return self.calls * self.model / (self.building + self.calls * self.emulator)

    def __str__(self) -> str:
        head = (
            f"model {1e6 * self.model:.3g} µs a call, emulator {1e6 * self.emulator:.3g} µs a call, "
            f"after {self.runs} runs and {self.training:.2g} s of training.\n"
        )
        if self.pays:
            return head + (
                f"For {self.calls:,.0f} calls the emulator is {self.speed_up:.3g} times cheaper; it "
                f"pays from {self.break_even:,.0f} calls on."
            )
        when = (
            "no number of calls makes up for it"
            if np.isinf(self.break_even)
            else f"it would pay from {self.break_even:,.0f} calls on"
        )
        return head + (
            f"For {self.calls:,.0f} calls the model itself is cheaper than its emulator: run the "
            f"model ({when})."
        )


def costs(
    emulator: Emulator, model: Run, calls: float, *, batch: int = 1000, rng: Rng = 0
) -> Costs:
    """Time model and emulator side by side, and say which is cheaper for this many calls.

    Parameters
    ----------
    emulator : Emulator
    model : callable
        theta (run, p) → outputs (run, n).
    calls : float
        Planned calls: chains × states, or sites × draws.
    batch : int
        Parameter sets in a call of either.
    rng : Generator or int

    Returns
    -------
    Costs
        Print it.
    """
    theta = design(emulator.prior, batch, rng)

    def seconds(run: Run) -> float:
        run(theta[:2])
        times = []
        for _ in range(3):
            start = time.perf_counter()
            run(theta)
            times.append(time.perf_counter() - start)
            if times[-1] > 2.0:  # a slow model needs no second look
                break
        return min(times) / batch

    return Costs(seconds(model), seconds(emulator), len(emulator), emulator.seconds, float(calls))


def _inputs(prior: Prior, theta: Array) -> Array:
    return 2.0 * prior.to_unit(theta) - 1.0


def _predict(member: Any, x: Array) -> Array:
    if isinstance(member, MLP):
        return member(x)
    if isinstance(member, list):  # Gaussian processes, one a component
        return np.stack([m.predict(x) for m in member], axis=-1)
    return np.asarray(member.predict(x)).reshape(len(x), -1)


def _member(
    kind: str, x: Array, y: Array, hidden: tuple[int, ...], rng: np.random.Generator
) -> Callable[[Array, Array], Any]:
    """How one member is trained; what all members share is found here from all runs."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    if kind == "ridge":
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import PolynomialFeatures

        return lambda a, b: make_pipeline(
            PolynomialFeatures(2, include_bias=False), RidgeCV(np.logspace(-8, 2, 21))
        ).fit(a, b)
    if kind == "network":
        from sklearn.neural_network import MLPRegressor

        def network(a: Array, b: Array) -> Any:
            # Runs of a model have no noise, so the smooth minimum that L-BFGS finds is the right one.
            net = MLPRegressor(
                hidden_layer_sizes=hidden, activation="tanh", solver="lbfgs", alpha=1e-4,
                max_iter=600, random_state=int(rng.integers(2**31)),
            )  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                net.fit(a, b if b.shape[1] > 1 else b[:, 0])
            # The same network without the checks of every call, which cost more than the answer.
            return MLP(tuple(net.coefs_), tuple(net.intercepts_))

        return network

    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    kernels = []
    for target in y.T:
        kernel = ConstantKernel(1.0, (1e-3, 1e5)) * RBF(np.full(x.shape[1], 2.0), (0.1, 1e3))
        process = GaussianProcessRegressor(
            kernel + WhiteKernel(1e-6, (1e-10, 1e-1)), normalize_y=True
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            kernels.append(process.fit(x, target).kernel_)

    def processes(a: Array, b: Array) -> Any:
        return [
            GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True).fit(a, target)
            for kernel, target in zip(kernels, b.T)
        ]

    return processes


def _one_site(observations: Any, emulator: Emulator) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Data, error and mask (n,) each."""
    n = emulator.outputs.shape[1]
    parts = [np.asarray(getattr(observations, name, np.nan)) for name in ("data", "sd", "mask")]
    if any(part.shape != (n,) for part in parts):
        raise InputError(
            f"The emulator has {n} outputs, but the data have shape {parts[0].shape}: give the "
            "observations of one site, and emulate what they measure (`observations.predict`)."
        )
    data, sd, mask = parts
    return data, sd, mask.astype(bool)
