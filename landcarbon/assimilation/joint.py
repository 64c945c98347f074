"""Several streams of data as one: fluxes, pools and profiles, each with a weight said openly.

::

    ln L = sum_s ln L_s,      L_s normal with sd_s / sqrt(w_s)                          (streams)
    w    = 1 / (1 + 2 sum_k rho_k)                             independent share of a series

====== ======================================= =============== ==== ================= ===========
symbol meaning                                 shape           unit code name         source
====== ======================================= =============== ==== ================= ===========
L_s    likelihood of stream s                  (sites..., any)      log_likelihood
sd_s   errors of its data                      (sites..., obs) own  sd
w_s    weight: each datum counts as w_s data   ()              1    weight
rho_k  correlation of a series with itself,    ()              1                      Bayley 1946
       k steps later
====== ======================================= =============== ==== ================= ===========

Bayley & Hammersley (1946), Suppl. J. R. Stat. Soc. 8, 184-197: a mean of n correlated numbers is as
good as one of n w independent ones.

A weight is a claim about errors: with w = 0.1 ten data count as one independent datum, as they do
when the misfit of neighbouring days is much the same. It touches what the data say about
parameters. A new datum still scatters with sd_s, so `simulate` leaves the weight out. Where the
correlation itself is known, say it instead: `SeriesObservations(..., correlation_length=5.0)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.error_models import ExponentialCorrelation
from landcarbon.assimilation.observations import GaussianLikelihood, ObservationStream
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array, as_gappy, as_kind, as_number, as_whole
from landcarbon.matrix.frozen import keep

__all__ = ["JointObservations", "independent_share"]

Array = NDArray[np.float64]


@dataclass(frozen=True, init=False, eq=False)
class JointObservations(ObservationStream):
    """Streams of observations of one model, as samplers take them.

    Model values are the values of all streams one after the other along the last axis; `join` puts
    them there by name.

    Parameters
    ----------
    parts : mapping of str to observations
        GaussianLikelihood, SeriesObservations, ProfileObservations, RadiocarbonObservations or
        JointObservations, all of the same sites.
    weight : mapping of str to float, optional
        How many data each datum of a stream counts as; 1 where none is given.

    Raises
    ------
    InputError
        No stream, streams of different sites, a weight that is not positive or of no stream.

    Examples
    --------
    >>> flux = GaussianLikelihood([2.0, 3.0], sd=0.5)
    >>> pool = GaussianLikelihood([100.0], sd=10.0)
    >>> both = JointObservations({"flux": flux, "pool": pool}, weight={"flux": 0.25})
    >>> print(both.data, both.sd)
    [  2.   3. 100.] [ 1.  1. 10.]
    >>> values = both.join({"flux": [2.5, 3.0], "pool": [110.0]})
    >>> both.log_likelihood(values) == both.log_likelihood([2.5, 3.0, 110.0])
    np.True_
    >>> both.split(values)["pool"]
    array([110.])
    """

    parts: dict[str, Any]
    weight: dict[str, float]
    likelihood: GaussianLikelihood

    def __init__(
        self, parts: Mapping[str, Any], weight: Mapping[str, float] | None = None
    ) -> None:
        if not as_kind("parts", parts, Mapping):
            raise InputError("JointObservations needs at least one stream: {'flux': ...}.")
        weight = dict(as_kind("weight", weight or {}, Mapping, hint="Give a number for each stream by its name."))
        for name in weight:
            if name not in parts:
                raise InputError(
                    f"there is a weight for {name!r}, but the streams are {', '.join(parts)}."
                )
        hint = "Leave a stream out instead of giving it no weight."
        claimed = {
            name: as_number(f"weight of {name!r}", weight.get(name, 1.0), lower=0.0, strict=True, hint=hint)
            for name in parts
        }  # fmt: skip
        first = next(iter(parts))
        for name, part in parts.items():
            if not hasattr(part, "n_values"):
                raise InputError(
                    f"the stream {name!r} is a {type(part).__name__}, which does not read one row of "
                    "model values; give SeriesObservations, ProfileObservations or alike."
                )
            if part.sites != parts[first].sites:
                raise InputError(
                    f"the stream {first!r} has sites {parts[first].sites}, but {name!r} has "
                    f"{part.sites}; all streams must be of the same sites. Mask what is missing."
                )
        sd = [part.sd / np.sqrt(claimed[name]) for name, part in parts.items()]
        data, mask = (
            np.concatenate([getattr(part, what) for part in parts.values()], axis=-1)
            for what in ("data", "mask")
        )
        joined = GaussianLikelihood(data, np.concatenate(sd, axis=-1), mask).with_correlation(
            ExponentialCorrelation.joined([(part.correlation, part.data.shape) for part in parts.values()])
        )
        keep(self, parts=dict(parts), weight=claimed, likelihood=joined)

    @property
    def where(self) -> dict[str, slice]:
        """Place of each stream along the last axis of `data`."""
        return _slices({name: part.data.shape[-1] for name, part in self.parts.items()})

    @property
    def n_values(self) -> int:
        """How many model values all streams read together."""
        return sum(int(part.n_values) for part in self.parts.values())

    @property
    def weighted(self) -> bool:
        """Does a datum count as more or less than one?"""
        return any(w != 1.0 for w in self.weight.values()) or any(
            getattr(part, "weighted", False) for part in self.parts.values()
        )

    @property
    def values(self) -> Array:
        """What was measured (..., obs), stream after stream, as `simulate` makes it."""
        return np.concatenate([part.values for part in self.parts.values()], axis=-1)

    def __getitem__(self, index: Any) -> JointObservations:
        return JointObservations(
            {name: part[index] for name, part in self.parts.items()}, self.weight
        )

    def join(self, values: Mapping[str, ArrayLike]) -> Array:
        """Model values by stream (sites..., any..., n_s) as one array (sites..., any..., n_values)."""
        as_kind("values", values, Mapping)
        if set(values) != set(self.parts):
            raise InputError(
                f"model values are given for {', '.join(values)}; one entry for each stream is "
                f"expected: {', '.join(self.parts)}."
            )
        arrays = []
        for name, part in self.parts.items():
            array = np.asarray(values[name], dtype=float)
            if array.shape[-1:] != (part.n_values,):
                raise InputError(
                    f"model values of {name!r} have shape {array.shape}, but their last axis must "
                    f"have length {part.n_values}."
                )
            arrays.append(array)
        lead = np.broadcast_shapes(*(array.shape[:-1] for array in arrays))
        return np.concatenate(
            [np.broadcast_to(array, (*lead, array.shape[-1])) for array in arrays], axis=-1
        )

    def split(self, model_values: ArrayLike) -> dict[str, Array]:
        """Model values (sites..., any..., n_values) by stream, the way back from `join`."""
        values = as_gappy("model_values", model_values)
        if values.shape[-1:] != (self.n_values,):
            raise InputError(
                f"model values have shape {values.shape}, but their last axis must have length "
                f"{self.n_values}: {', '.join(self.parts)}, one after the other."
            )
        places = _slices({name: part.n_values for name, part in self.parts.items()})
        return {name: values[..., place] for name, place in places.items()}

    def with_values(self, values: ArrayLike) -> JointObservations:
        """Other values (sites..., obs), stream after stream, with the same errors and weights."""
        values = as_gappy("values", values, shape=self.data.shape[-1:])
        return JointObservations(
            {name: part.with_values(values[..., self.where[name]])
             for name, part in self.parts.items()},
            self.weight,
        )  # fmt: skip

    def predict(self, model_values: ArrayLike) -> Array:
        """What the model says of the observations (sites..., any..., obs)."""
        values = self.split(model_values)
        return np.concatenate(
            [part.predict(values[name]) for name, part in self.parts.items()], axis=-1
        )

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> Array:
        """The derivative of sum_i g_i h_i with respect to `model_values`, g (sites..., any..., obs)."""
        values, g = self.split(model_values), as_array("g", g, shape=self.data.shape[-1:])
        return np.concatenate(
            [part.pull(values[name], g[..., self.where[name]])
             for name, part in self.parts.items()],
            axis=-1,
        )  # fmt: skip

    def simulate(self, model_values: ArrayLike, rng: Random = 0) -> Array:
        """New observations (sites..., any..., obs): errors as they are, without the weights."""
        values, source = self.split(model_values), streams(rng, self.sites)
        return np.concatenate(
            [part.simulate(values[name], source) for name, part in self.parts.items()], axis=-1
        )


def independent_share(residual: ArrayLike, max_lag: int = 60) -> float:
    """Share w of independent values in a correlated series: n of them are worth n w.

    Correlations are summed up to the first that is not positive, or `max_lag`.

    Parameters
    ----------
    residual : array_like, (time,)
        Observed minus modelled, in equal steps; NaN where nothing was observed.
    max_lag : int
        Steps.

    Returns
    -------
    float
        Above 0, at most 1.

    Raises
    ------
    InputError
        Fewer than 10 values, or values that are all the same.

    Examples
    --------
    >>> white = np.random.default_rng(1).standard_normal(2000)
    >>> red = np.convolve(white, np.ones(10))                  # each value shares 9 of 10 with the next
    >>> round(independent_share(white), 1), round(independent_share(red), 1)
    (1.0, 0.1)
    """
    max_lag = as_whole("max_lag", max_lag, 1)
    r = as_gappy("residual", residual)
    seen = np.isfinite(r)
    if r.ndim != 1 or seen.sum() < 10:
        raise InputError(
            f"residual has shape {r.shape} with {seen.sum()} values; a series of at least 10 is "
            "needed, NaN where nothing was observed."
        )
    r = np.where(seen, r - r[seen].mean(), 0.0)
    variance = (r**2).sum() / seen.sum()
    if variance == 0:
        raise InputError("all residuals are the same; their correlation is not defined.")
    total = 0.0
    for k in range(1, min(int(max_lag), r.size - 1) + 1):
        pairs = (seen[k:] & seen[:-k]).sum()
        rho = (r[k:] * r[:-k]).sum() / pairs / variance if pairs else 0.0
        if rho <= 0:
            break
        total += rho
    return float(1.0 / (1.0 + 2.0 * total))


def _slices(lengths: Mapping[str, int]) -> dict[str, slice]:
    ends = np.cumsum([0, *lengths.values()])
    return {name: slice(int(a), int(b)) for name, a, b in zip(lengths, ends[:-1], ends[1:])}
