r"""A task: what is learnt from and asked for at some sites, checked once, cut by `task[rows]`.

====================  =====================================  ==============  ==============
symbol                meaning                                shape           code name
====================  =====================================  ==============  ==============
:math:`y_s`           data of the site                       (site, obs)     observations
:math:`d_s`           forcing of the site                    (site, ...)     forcing
:math:`c_s`           environment of the site                (site, in)      covariates
:math:`p(z)`          what is known of the parameters        (p,)            prior
:math:`h`             the process model                      --              model
====================  =====================================  ==============  ==============

What travels together is one object: `proda.assimilate`, `hybrid.fit`, every rival and the
cross-validation take a task and look at nothing twice.
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.runs import some_jobs
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_whole
from landcarbon.matrix.frozen import keep, keep_whole
from landcarbon.models import clm5
from landcarbon.models.process import Model, expand, leading, observed_values, whole

if TYPE_CHECKING:
    import pandas as pd

    from landcarbon.learning.proda import Sites

__all__ = ["Scaling", "Stream", "Task", "Work", "pieces", "smooth_l1"]

Array = NDArray[np.float64]
Run = Callable[[Array, Any], tuple[Array, Callable[[Array], Array]]]
Loss = Callable[[Array], tuple[Array, Array]]

CONSTANT = 1e-12  # of its size: below this spread a covariate is the same everywhere but for rounding
AT_ONCE = 40  # sites whose draws go through the model together
PIECE = 4096  # sites of which everything is held in memory together


def pieces(n: int, size: int = PIECE) -> Iterator[slice]:
    """All of n rows, at most `size` at a time.

    Examples
    --------
    >>> list(pieces(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    n, size = as_whole("n", n), as_whole("size", size, 1)
    return (slice(first, min(first + size, n)) for first in range(0, n, size))


def smooth_l1(e: Array) -> tuple[Array, Array]:
    """A loss that outliers pull at with bounded force: square within one error, linear beyond.

    Parameters
    ----------
    e : ndarray
        Differences in units of the errors.

    Returns
    -------
    loss, slope : ndarray
        Of every difference: e²/2 up to 1, |e| − 1/2 beyond; its derivative.

    References
    ----------
    Huber 1964, Ann. Math. Stat. 35:73, doi:10.1214/aoms/1177703732.

    Examples
    --------
    >>> smooth_l1(np.array([0.5, -3.0]))
    (array([0.125, 2.5  ]), array([ 0.5, -1. ]))
    """
    e = as_array("e", e)
    far = np.abs(e)
    return np.where(far < 1.0, 0.5 * e * e, far - 0.5), np.clip(e, -1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Stream:
    """One kind of data, and the model that says the same thing.

    Attributes
    ----------
    observations : GaussianLikelihood, ProfileObservations or alike, sites (site,)
    run : callable
        `run(theta, forcing)`, theta (site, p), returns the values as the observations read them
        (site, n), and a function from their gradient (site, n) to that of the parameters (site, p):
        `clm5.observed` is one.
    weight : float
        Factor on its log-likelihood. Leave it at 1 unless the errors are known to be wrong.
    loss : callable, optional
        In place of minus the log-likelihood: `loss(e)` gives the loss and its derivative of
        differences e in units of the errors, made independent; `smooth_l1` is one.
    """

    observations: Any
    run: Run
    weight: float = 1.0
    loss: Loss | None = None

    def __len__(self) -> int:
        return int(self.observations.sites[0])

    def __getitem__(self, rows: Any) -> Stream:
        return replace(self, observations=self.observations[rows])

    def cost(self, values: Array) -> tuple[float, Array]:
        """Sum over the sites of the loss, without `weight`, and its derivative by the values."""
        obs = self.observations
        if self.loss is None:
            return -float(obs.log_likelihood(values).sum()), -obs.gradient(values)
        h = obs.predict(values)
        loss, slope = self.loss(obs.whiten(obs.data - h))
        whitener = obs.whiten(np.broadcast_to(np.eye(h.shape[-1]), (*h.shape, h.shape[-1])))
        return float((loss * obs.mask).sum()), -obs.pull(values, np.einsum("sij,sj->si", whitener, slope))


@dataclass(frozen=True)
class Work:
    """How heavy work is done; results depend on it by no more than rounding.

    Attributes
    ----------
    out : path, optional
        Folder for results as they come. The same call on the same folder continues a run that was
        interrupted, with the same bits in the end. A profile that fails is then recorded and the
        others go on.
    n_jobs : int
        Processes: chunks of sites of runs on disk, and rivals in folds.
    progress : bool, optional
        Show progress bars, for runs on disk; by default on a terminal only.
    chunk : int
        Sites computed at once.

    Raises
    ------
    InputError
        `n_jobs` or `chunk` that mean nothing.
    """

    out: str | os.PathLike[str] | None = field(default=None, compare=False)
    n_jobs: int = field(default=1, compare=False)
    progress: bool | None = field(default=None, compare=False)
    chunk: int = 25

    def __post_init__(self) -> None:
        some_jobs(self.n_jobs)
        keep_whole(self, chunk=1)

    def into(self, name: str) -> Work:
        """The same, in a folder inside."""
        return self if self.out is None else replace(self, out=Path(self.out) / name)


@dataclass(frozen=True, eq=False)
class Task:
    """Sites with data, forcing and environment, what is known before, and a process model.

    Parameters
    ----------
    observations : ProfileObservations or alike, Stream, sequence of these, or None
        Data with one axis of sites. The first is what is predicted; others are learnt from too,
        where a method can (`hybrid.fit`). None at places that are only asked for.
    forcing : object or array
        See `landcarbon.models.process`; leading axis (site,).
    covariates : pandas.DataFrame, (site, covariate), optional
        Numbers only, one row a site; the index names the sites.
    prior : Prior, optional
        Default: that from which `known` began, or the bounds of `model.PARAMETERS`.
    model : object
        See `landcarbon.models.process`.
    groups : array_like, (site,), optional
        Blocks of sites that are never split between learning and stopping.
    known : Sites, optional
        What `proda.assimilate` has made of these data; see :meth:`knowing`.
    work : Work
        How heavy work is done.

    Raises
    ------
    InputError
        Numbers of sites that differ; covariates that are missing at a site, in words, or no
        DataFrame; a prior over other parameters.

    Examples
    --------
    >>> from landcarbon.datasets import twin_world
    >>> world = twin_world(n_sites=20, rng=1)
    >>> task = Task(world.observations, world.forcing, world.covariates)
    >>> len(task), len(task[:5]), len(task.prior)
    (20, 5, 21)
    """

    observations: Any
    forcing: Any
    covariates: pd.DataFrame | None = None
    prior: Prior = None  # type: ignore[assignment]
    model: Model = clm5
    groups: NDArray[Any] | None = None
    known: Sites | None = None
    work: Work = field(default_factory=Work)

    def __post_init__(self) -> None:
        as_kind("model", self.model, "PARAMETERS", hint="Such as landcarbon.models.clm5.")
        n = _n_sites(self.streams, self.forcing, self.covariates)
        given = self.prior if self.prior is not None or self.known is None else self.known.start or self.known.prior
        keep(self, prior=_prior(given, self.model, self.observations))
        if self.covariates is not None:
            numbers(self.covariates, n=n)
        if self.groups is not None:
            groups = np.asarray(self.groups)
            if groups.shape != (n,):
                raise InputError(
                    f"groups has shape {groups.shape}, but one label a site is needed ({n})."
                )
            keep(self, groups=groups)
        if self.known is not None and len(self.known) != n:
            raise InputError(
                f"{len(self.known)} sites are known, but there are {n} profiles. Where some failed, "
                "select the others first: task[sites.position]."
            )

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Every kind of data with the model that says the same; none where nothing was measured."""
        return tuple(
            given if isinstance(given, Stream) else Stream(given, self.model.observed)
            for given in _listed(self.observations)
        )

    @property
    def data(self) -> Any:
        """The observations that are predicted: those of the first stream."""
        if not self.streams:
            raise InputError("This task has no observations: give profiles or at least one Stream.")
        return self.streams[0].observations

    @property
    def environment(self) -> pd.DataFrame:
        """The covariates, refused where there are none."""
        if self.covariates is None:
            raise InputError("This task has no covariates: give a DataFrame with one row a site.")
        return self.covariates

    @property
    def site(self) -> NDArray[Any]:
        """Names of the sites (site,)."""
        return np.arange(len(self)) if self.covariates is None else self.covariates.index.to_numpy()

    def __len__(self) -> int:
        if self.streams:
            return len(self.streams[0])
        return leading(self.forcing)[0] if self.covariates is None else len(self.covariates)

    def __getitem__(self, rows: Any) -> Task:
        """Some of the sites. Posteriors whose prior was learnt from the others too are dropped."""
        as_kind("rows", rows, slice, range, list, tuple, np.ndarray)
        cut = [given[rows] for given in _listed(self.observations)]
        known = self.known if self.known is None or self.known.n_rounds == 1 else None
        part = copy.copy(self)  # already checked
        vars(part).update(
            observations=cut if isinstance(self.observations, (list, tuple)) else (cut or [None])[0],
            forcing=self.forcing[rows],
            covariates=None if self.covariates is None else self.covariates.iloc[rows],
            groups=None if self.groups is None else self.groups[rows],
            known=known and known.select(rows),
        )
        return part

    def knowing(self, sites: Sites) -> Task:
        """The same, with what the profiles have told of their sites, and the prior this began with."""
        return replace(self, known=sites, prior=sites.start or sites.prior)

    def predicted(self, theta: ArrayLike) -> Array:
        """What the model says of the data that are predicted, in their space.

        Parameters
        ----------
        theta : array_like, (site, p) or (site, draw, p)
            Physical units.

        Returns
        -------
        ndarray, (site, obs) or (site, draw, obs)
        """
        theta = self._theta(theta)
        return np.concatenate(
            [
                self.data[part].predict(self._values(self.streams[0], theta[part], self.forcing[part]))
                for part in pieces(len(self), AT_ONCE)
            ]
        )

    def log_likelihood(self, theta: ArrayLike) -> Array:
        """ln L of all data of each site and draw (site, draw); theta (site, draw, p)."""
        theta = self._theta(theta)
        total = np.zeros(theta.shape[:-1])
        for stream in self.streams:
            for part in pieces(len(self), AT_ONCE):
                values = self._values(stream, theta[part], self.forcing[part])
                total[part] += stream.weight * stream.observations[part].log_likelihood(values)
        return total

    def _theta(self, theta: ArrayLike) -> Array:
        theta = as_array("theta", theta, shape=(len(self.prior),))
        if theta.ndim not in (2, 3) or len(theta) != len(self):
            raise InputError(f"theta has shape {theta.shape}; ({len(self)}, p) or ({len(self)}, draw, p) is needed.")
        return theta

    def _values(self, stream: Stream, theta: Array, forcing: Any) -> Array:
        if stream.run == self.model.observed:
            return observed_values(self.model, theta, expand(forcing) if theta.ndim == 3 else whole(forcing))
        forcing = whole(forcing)
        if theta.ndim == 2:
            return stream.run(theta, forcing)[0]
        return np.stack([stream.run(draw, forcing)[0] for draw in np.moveaxis(theta, 1, 0)], axis=1)


@dataclass(frozen=True, eq=False)
class Scaling:
    """Covariates by name, made to mean 0 and standard deviation 1.

    Attributes
    ----------
    columns : tuple of str
        In order.
    centre, scale : ndarray, (covariate,)
        A covariate that is the same everywhere, but for rounding, tells nothing: its scale is
        infinite and it stays 0, wherever it is asked for.
    """

    columns: tuple[str, ...]
    centre: Array
    scale: Array

    @classmethod
    def of(cls, covariates: pd.DataFrame) -> Scaling:
        """Of the sites that are learnt from; warns of a covariate that is the same at all of them."""
        x = numbers(covariates)
        if not len(x):
            raise InputError("covariates has no rows; give one a site.")
        columns = tuple(str(c) for c in covariates.columns)
        spread = x.std(axis=0)
        still = spread <= CONSTANT * np.abs(x).max(axis=0)
        if still.any():
            name = columns[int(still.argmax())]
            warnings.warn(
                f"Covariate {name!r} is the same at all {len(x)} sites, so nothing can be learnt from "
                "it; it is left out.",
                stacklevel=3,
            )
        return cls(columns, x.mean(axis=0), np.where(still, np.inf, spread))

    def __call__(self, covariates: pd.DataFrame) -> Array:
        """Scaled covariates (site, covariate)."""
        return (numbers(covariates, columns=self.columns) - self.centre) / self.scale


def numbers(
    covariates: Any, *, n: int | None = None, columns: tuple[str, ...] | None = None
) -> Array:
    """A table of covariates as numbers (site, covariate), or the reason why not.

    Parameters
    ----------
    covariates : pandas.DataFrame
    n : int, optional
        Number of sites it must have.
    columns : tuple of str, optional
        Those asked for, in this order.
    """
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
            f"covariates has {len(table)} rows for {n} sites: give one row a site, in the same order."
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
            f"{table.columns[column]!r} at site {table.index[row]!r}. Fill them, or drop these sites "
            "from profiles and forcing too."
        )
    return x


def _listed(given: Any) -> Sequence[Any]:
    if given is None:
        return ()
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _n_sites(streams: tuple[Stream, ...], forcing: Any, covariates: Any) -> int:
    sizes = []
    for stream in streams:
        sites = getattr(stream.observations, "sites", None)
        if sites is None or len(sites) != 1:
            raise InputError(
                "Observations need one axis of sites, such as GaussianLikelihood of (site, n) numbers, "
                f"but {type(stream.observations).__name__} with sites {sites} was given."
            )
        sizes.append(int(sites[0]))
    if len(set(sizes)) > 1:
        raise InputError(
            f"The streams have {', '.join(map(str, sizes))} sites: give the same sites in the same "
            "order, and mask what was not measured."
        )
    lead = leading(forcing)
    if sizes and lead != (sizes[0],):
        raise InputError(
            f"The observations have {sizes[0]} sites, but the forcing has leading axes {lead}: give "
            "one axis of sites in both, in the same order."
        )
    if len(lead) != 1:
        raise InputError(f"The forcing has leading axes {lead}: give one axis of sites.")
    if covariates is not None and not sizes and hasattr(covariates, "columns") and len(covariates) != lead[0]:
        raise InputError(
            f"covariates has {len(covariates)} rows, but the forcing has leading axes {lead}: give "
            "both for the same sites, in the same order."
        )
    return lead[0]


def _prior(prior: Prior | None, model: Model, observations: Any) -> Prior:
    if prior is None:
        return Prior(model.PARAMETERS)
    own = any(isinstance(given, Stream) for given in _listed(observations))
    if not own and prior.names != tuple(model.PARAMETERS.names):
        raise InputError(
            f"The prior is over {len(prior)} parameters ({', '.join(prior.names[:3])}, ...), but the "
            f"model has {len(model.PARAMETERS)}. Build it with Prior(model.PARAMETERS)."
        )
    return prior
