"""ICBM: the introductory carbon balance model, two pools and a field experiment.

    dY/dt = i − k₁ r Y            dO/dt = h k₁ r Y − k₂ r O

    Y* = i / (k₁ r),   O* = h i / (k₂ r),   and with  φ = h (k₁ r Y₀ − i) / (r (k₂ − k₁))

    Y(t) = Y* + (Y₀ − Y*) e^{−k₁ r t},     O(t) = O* + (O₀ − O* − φ) e^{−k₂ r t} + φ e^{−k₁ r t}

====== ===================================== ===== =========== ================ ======
symbol meaning                               shape unit        code name        source
====== ===================================== ===== =========== ================ ======
Y, O   young and old carbon of the topsoil   ()    kgC m-2     X
i      input                                 ()    kgC m-2     Treatment.input  [1, 2]
                                                   yr-1
k₁, k₂ turnover rates of young and old       ()    yr-1        K_YOUNG, K_OLD   [1, 2]
       carbon where r = 1
h      humification: young that becomes old  ()    1           .humification    [1, 2]
r      external influence, our ξ             ()    1           .xi              [1, 2]
====== ===================================== ===== =========== ================ ======

[1] Andrén & Kätterer (1997), Ecological Applications 7, 1226–1236,
    doi 10.1890/1051-0761(1997)007[1226:ITICBM]2.0.CO;2: seven treatments of the long-term experiment
    at Ultuna, Sweden.
[2] Their table 1 as it stands in the example of SoilR's ICBMModel (GitHub repository cran/SoilR, commit
    c7e501a1, file R/ICBMModel.R).

The pools and their matrix are those of `landcarbon.models.pools.two_pool`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import as_array, as_number
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.model import MatrixModel
from landcarbon.models.pools import two_pool

__all__ = ["K_OLD", "K_YOUNG", "TREATMENTS", "Treatment"]

Array = NDArray[np.float64]

K_YOUNG, K_OLD = 0.8, 0.00605


@dataclass(frozen=True)
class Treatment:
    """A plot of the experiment: its input, its litter, its climate and its first state.

    Parameters
    ----------
    input : float
        i [kgC m-2 yr-1].
    humification : float
        h, by the quality of the input.
    xi : float
        r, by crop and climate.
    X0 : tuple of float (2,)
        Young and old carbon when the experiment began [kgC m-2].

    Examples
    --------
    Thirty years after farmyard manure, and after bare soil:

    >>> for name in ("manure", "bare fallow"):
    ...     print(name, TREATMENTS[name].solution([0.0, 30.0]).sum(axis=-1).round(2))
    manure [4.29 5.42]
    bare fallow [4.26 3.15]
    """

    input: float
    humification: float
    xi: float
    X0: tuple[float, float]

    def __post_init__(self) -> None:
        for name in ("input", "humification", "xi"):
            keep(self, **{name: as_number(name, getattr(self, name), lower=0.0)})
        keep(self, X0=tuple(as_array("X0", self.X0, shape=(2,), lower=0.0).tolist()))

    @property
    def model(self) -> MatrixModel:
        """Its two pools; the scalar is `xi`."""
        return two_pool(K_YOUNG, K_OLD, self.humification)

    def solution(self, t: ArrayLike) -> Array:
        """Young and old carbon (..., 2) [kgC m-2] at t years, by the formula of the paper."""
        t = as_array("t", t, lower=0.0, hint="Years since the experiment began.")
        (young, old), r = self.X0, self.xi
        rest = self.model.steady_state(self.input, r)
        phi = self.humification * (K_YOUNG * r * young - self.input) / (r * (K_OLD - K_YOUNG))
        fast, slow = np.exp(-K_YOUNG * r * t), np.exp(-K_OLD * r * t)
        return np.stack(
            [rest[0] + (young - rest[0]) * fast, rest[1] + (old - rest[1] - phi) * slow + phi * fast],
            axis=-1,
        )


TREATMENTS = {
    "bare fallow": Treatment(0.0, 0.13, 1.32, (0.3, 3.96)),
    "+N +straw": Treatment(0.19 + 0.095, 0.125, 1.0, (0.3, 4.11)),
    "−N +straw": Treatment(0.19 + 0.058, 0.125, 1.22, (0.3, 4.05)),
    "−N −straw": Treatment(0.057, 0.125, 1.17, (0.3, 3.99)),
    "+N −straw": Treatment(0.091, 0.125, 1.07, (0.3, 4.02)),
    "manure": Treatment(0.19 + 0.082, 0.25, 1.10, (0.3, 3.99)),
    "sewage sludge": Treatment(0.19 + 0.106, 0.34, 0.97, (0.3, 4.14)),
    "steady state": Treatment(0.2, 0.125, 1.0, (0.25, 4.16)),
}
"""Table 1 of the paper [2]: input, humification, external influence, first state."""
