"""Steps that hand over at their end: what decays within a month enters the next pool when it is over.

    X(t + h) = X(t) − (1 − F) (1 − e^{−ξ K h}) X(t) + p

====== ======================================== ================ ====== =========
symbol meaning                                  shape            unit   code name
====== ======================================== ================ ====== =========
X      carbon in each pool                      (..., n)         gC m-2 X
F      fractions of what decays that enter a    (..., n, n)      1      transfer
       pool; f_jj is what comes back
K      rates at which the pools decay           (..., n)         yr-1   K
ξ      environmental scalar of each step        (T, ..., 1 or n) 1      xi
p      input that falls in at the end of a step (T, ..., n)      gC m-2 pulses
h      length of each step                      (T,)             yr     dt
====== ======================================== ================ ====== =========

Models of farmed soil are often written this way, RothC among them. Within a step every pool decays on
its own, exactly; what it hands on waits at the border until the step is over. The differential equation
dX/dt = u − (1 − F) ξ K X hands on at once. Both conserve carbon, and they differ by what could have
decayed once more within the step: much in pools that live for a month, little in the others, nothing as
h goes to 0. Neither is the wrong one: rates that were fitted with one belong to it.

Source: Coleman & Jenkinson (2014), RothC: model description and users guide, Rothamsted Research.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_whole
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.loops import Cycle, Repeating, step_lengths
from landcarbon.matrix.model import folded
from landcarbon.matrix.steps import Method

__all__ = ["HandOver"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HandOver(Repeating):
    """A loop of steps that hand over at their end, with input in pulses.

    It is a loop as those of `landcarbon.matrix.loops`: ``year(X)`` is the state a year later, and
    `landcarbon.matrix.spinup.periodic` finds the year that repeats.

    Parameters
    ----------
    transfer : array_like (..., n, n)
        Fractions of what decays, from column to row; the diagonal may hold what comes back.
    K : array_like (..., n)
        Rates of decay [yr-1].
    pulses : array_like (T, ..., n)
        Input at the end of each step [gC m-2].
    xi : array_like (T,) or (T, ..., n)
        Scalar of each step.
    dt : array_like (T,), optional
        Lengths of the steps [yr]; T equal parts of a year if not given.

    Raises
    ------
    InputError
        Fractions that create carbon, numbers of steps that differ.

    Examples
    --------
    Litter that decays ten times a year, brought in August: as one pulse when the month is over, or
    spread over the month. At new year the litter differs by half, the soil by 1 %.

    >>> from landcarbon.matrix.spinup import periodic
    >>> august = np.zeros((12, 2))
    >>> august[7, 0] = 100.0
    >>> year = HandOver([[0, 0], [0.5, 0]], K=[10.0, 0.1], pulses=august)
    >>> periodic(year).X.round(2), periodic(year.at_once()).X.round(2)
    (array([  3.57, 513.95]), array([  2.42, 509.97]))
    """

    transfer: Array
    K: Array
    pulses: Array
    xi: Array = 1.0  # type: ignore[assignment]
    dt: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        K = as_array("K", self.K, shape=(None,), lower=0.0)
        n = K.shape[-1]
        folded(self.transfer, K)  # looks at the fractions
        pulses = as_array("pulses", self.pulses, shape=(n,), lower=0.0, hint="Input of each step.")
        if pulses.ndim < 2:
            raise InputError(f"pulses has shape {pulses.shape}; give a row for each step, (T, {n}).")
        T = len(pulses)
        if not T:
            raise InputError("pulses holds no step; give one row at least.")
        dt = step_lengths(np.full(T, 1 / T) if self.dt is None else self.dt)
        xi = as_array("xi", self.xi, lower=0.0)
        xi = np.broadcast_to(xi, (T,)) if xi.ndim == 0 else xi
        if len(dt) != T or len(xi) != T:
            raise InputError(f"There are {T} pulses, {len(xi)} scalars and {len(dt)} lengths of steps.")
        xi = xi[:, None] if xi.ndim == 1 else xi
        f = as_array("transfer", self.transfer)
        keep(self, transfer=f, K=K, pulses=pulses, xi=xi, dt=dt)

    @property
    def pools(self) -> int:
        """Number of pools."""
        return int(self.K.shape[-1])

    def decayed(self, step: int) -> Array:
        """Share 1 − e^{−ξ K h} of each pool (..., n) that decays in a step."""
        step = as_whole("step", step, 0, len(self.dt) - 1)
        return np.asarray(-np.expm1(-self.xi[step] * self.K * self.dt[step]), dtype=np.float64)

    def lost(self, step: int) -> Array:
        """1 − Φ of a step, (1 − F)(1 − e^{−ξ K h}), shape (..., n, n)."""
        return (np.eye(self.pools) - self.transfer) * self.decayed(step)[..., None, :]

    def states(self, X: ArrayLike) -> Iterator[Array]:
        """The state (..., n) at the end of each step of a loop that starts from X."""
        now = as_array("X", X, shape=(self.pools,))
        for step, pulse in enumerate(self.pulses):
            now = now - (self.lost(step) @ now[..., None])[..., 0] + pulse
            yield now

    def __call__(self, X: ArrayLike) -> Array:
        """State after one loop that starts from X."""
        *_, end = self.states(X)
        return end

    def map_from(self, X: Array) -> tuple[Array, Array]:
        """1 − Φ and c of the loop, whatever X."""
        n = self.pools
        as_array("X", X, shape=(n,))
        gone, brought = np.zeros((n, n)), np.zeros(n)
        for step, pulse in enumerate(self.pulses):
            lost = self.lost(step)
            gone = lost + gone - lost @ gone
            brought = brought - (lost @ brought[..., None])[..., 0] + pulse
        return gone, brought

    def at_once(self, method: Method = "exponential") -> Cycle:
        """The same pools, rates and scalars as a differential equation, its input spread over each step."""
        A, K = folded(self.transfer, self.K)
        M = A * (self.xi * K)[..., None, :]
        h = self.dt.reshape(-1, *(1,) * (self.pulses.ndim - 1))
        return Cycle(M, self.pulses / h, self.dt, method)

    def steps(self, X: Array) -> NoReturn:
        raise InputError(
            "A loop that hands over at the end of its steps has no outflow matrix. Spin it up with "
            "periodic, native, anderson or newton, or take its differential equation, at_once()."
        )

    def faster(self, speed: Array) -> NoReturn:
        self.steps(speed)
