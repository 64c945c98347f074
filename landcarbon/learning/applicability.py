r"""Where a map may speak: places whose environment is like that of sites that were learned from.

.. math::

    D(c) = \frac{1}{\bar d}\, \min_s \lVert w(c) - w(c_s) \rVert, \qquad
    \text{inside where } D(c) \le D^\ast

===================  ==========================================  ===============  =================
symbol               meaning                                     shape            code name
===================  ==========================================  ===============  =================
:math:`c`            environment of a place                      (place, in)      covariates
:math:`w`            covariates as the network scales them       (place, in)      scaling
:math:`\bar d`       mean distance between two sites             ()               mean_distance
:math:`D`            dissimilarity index                         (place,)         index
:math:`D^\ast`       largest D that learning was tested at       ()               threshold
===================  ==========================================  ===============  =================

A network answers anywhere. How far from its sites it may be believed, cross-validation tells: there,
sites were predicted from sites of other folds, at distances :math:`D_s`. D* is the largest of these
that is no outlier (upper whisker: third quartile plus 1.5 interquartile ranges). A place farther off
than that is extrapolation of a kind whose error nobody has measured.

Source: Meyer and Pebesma 2021, Methods in Ecology and Evolution 12:1620, doi:10.1111/2041-210X.13650.
There, covariates weigh by their importance. A network that predicts 21 parameters at once has no one
importance of a covariate, so here all weigh alike, and a covariate that was the same at all sites
excludes every place where it is another: nothing was learned of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landcarbon.learning.folds import Folds
from landcarbon.learning.skill import same_length
from landcarbon.learning.task import Scaling, numbers
from landcarbon.matrix.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Applicability"]

Array = NDArray[np.float64]

SAME = 1e-6  # of its size: as much as single precision and another grid change a constant covariate
MANY = 3000  # sites between which the mean distance is taken


@dataclass(frozen=True, eq=False)
class Applicability:
    """The area of applicability of what was learned at some sites.

    Attributes
    ----------
    scaling : Scaling
    known : ndarray, (site, covariate)
        Scaled covariates of the sites.
    mean_distance : float
        Between two sites.
    threshold : float
        Largest index that lies inside.

    Examples
    --------
    >>> import pandas as pd
    >>> from landcarbon.learning.folds import random_folds
    >>> warm = pd.DataFrame({"temperature": [5.0, 6.0, 7.0, 8.0]})
    >>> area = Applicability.of(warm, random_folds(4, 4))
    >>> area.inside(pd.DataFrame({"temperature": [4.5, 8.9, 12.0]})).tolist()
    [True, True, False]
    """

    scaling: Scaling
    known: Array
    mean_distance: float
    threshold: float

    @classmethod
    def of(cls, covariates: pd.DataFrame, folds: Folds, scaling: Scaling | None = None) -> Applicability:
        """Of the sites of a network and the folds it was tested in.

        Parameters
        ----------
        covariates : pandas.DataFrame, (site, covariate)
        folds : Folds
            Of the same sites; those of the evaluation.
        scaling : Scaling, optional
            That of the network.

        Raises
        ------
        InputError
            Folds of other sites; sites that are all alike.
        """
        from scipy.spatial import KDTree
        from scipy.spatial.distance import pdist

        same_length("covariates", len(covariates), "the folds", folds.fold.size)
        scaling = scaling or Scaling.of(covariates)
        known = scaling(covariates)
        mean = float(pdist(known[:: max(1, len(known) // MANY)]).mean())
        if not mean > 0.0:
            raise InputError(
                f"All {len(known)} sites have the same covariates, so there is no telling which other place is like "
                "them. Give covariates that differ."
            )
        apart = np.concatenate([KDTree(known[train]).query(known[test])[0] for train, test in folds]) / mean
        low, high = np.quantile(apart, [0.25, 0.75])
        return cls(scaling, known, mean, float(apart[apart <= high + 1.5 * (high - low)].max()))

    def index(self, covariates: pd.DataFrame) -> Array:
        """Dissimilarity of places (place,): 0 as one of the sites, 1 as far as two sites on average.

        Infinite where a covariate that was the same at all sites is another.
        """
        from scipy.spatial import KDTree

        found = KDTree(self.known).query(self.scaling(covariates))[0] / self.mean_distance
        x, centre = numbers(covariates, columns=self.scaling.columns), self.scaling.centre
        still = np.isinf(self.scaling.scale)
        other = (np.abs(x - centre) > SAME * np.abs(centre))[:, still].any(axis=1)
        return np.where(other, np.inf, found)

    def inside(self, covariates: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether places lie in the area (place,)."""
        return self.index(covariates) <= self.threshold
