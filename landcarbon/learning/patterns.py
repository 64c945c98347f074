r"""Categories of parameters: which vary over the land alike.

.. math::

    d_{jk} = 1 - |\mathrm{corr}_s(z_{sj}, z_{sk})|

===========  =======================================  ==============  ============
symbol       meaning                                  shape           code name
===========  =======================================  ==============  ============
:math:`z`    parameters, unbounded coordinates        (site, p)       z
:math:`d`    how unlike two patterns are              (p, p)          --
--           category of a parameter                  (p,)            label
===========  =======================================  ==============  ============

Patterns are joined from the most alike on (average linkage) as long as the mean |r| between two
categories is at least `alike`. A network that says 21 parameters from a few covariates makes patterns that
are alike whatever the truth is: mark categories on a world whose truth is known, and compare those of
several networks (adjusted Rand index: Hubert & Arabie 1985, doi:10.1007/BF01908075) before one is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_kind, as_share

__all__ = ["Categories", "categories"]


@dataclass(frozen=True, eq=False)
class Categories:
    """Parameters by the likeness of their patterns.

    Attributes
    ----------
    names : tuple of str, (p,)
    label : ndarray of int, (p,)
        Category of each parameter, from 0.
    """

    names: tuple[str, ...]
    label: NDArray[np.int64]

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Categories of at least two parameters, the largest first."""
        found = [tuple(n for n, at in zip(self.names, self.label) if at == k) for k in np.unique(self.label)]
        return tuple(sorted((group for group in found if len(group) > 1), key=len, reverse=True))

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Parameters that share a category, two by two."""
        return frozenset((a, b) for group in self.groups for k, b in enumerate(group) for a in group[:k])

    def agreement(self, other: Categories) -> float:
        """Adjusted Rand index: 1 for the same categories, about 0 for categories that only chance makes alike."""
        as_kind("other", other, Categories)
        if other.names != self.names:
            raise InputError("these categories are of other parameters: give two of the same names, in the same order.")
        if not self.groups and not other.groups:
            raise InputError("neither has a category of two parameters or more, so there is nothing to agree on.")
        from sklearn.metrics import adjusted_rand_score

        return float(adjusted_rand_score(self.label, other.label))


def categories(z: ArrayLike, names: Sequence[str], alike: float = 0.7) -> Categories:
    """Group parameters whose patterns over the land are alike.

    Parameters
    ----------
    z : array_like, (site, p)
        Parameters in unbounded coordinates (`Prior.to_real`), where no bound bends a pattern.
    names : sequence of str, (p,)
    alike : float
        Least mean |r| between the members of a category, 0 to 1.

    Returns
    -------
    Categories

    Raises
    ------
    InputError
        Fewer than three sites, NaN, a parameter that is the same everywhere, other numbers of names.

    Examples
    --------
    >>> x, y = np.random.default_rng(1).standard_normal((2, 50))
    >>> categories(np.stack([x, -2 * x, y], axis=1), ["a", "b", "c"]).groups
    (('a', 'b'),)
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    as_kind("names", names, list, tuple, hint="One a parameter.")
    z = as_array("z", z, shape=(None, len(names)), hint="One row a site, one column a parameter.")
    alike = as_share("alike", alike)
    if z.ndim != 2 or len(z) < 3 or len(names) < 2:
        raise InputError(f"z has shape {z.shape}: patterns need at least three sites and two parameters.")
    flat = np.ptp(z, axis=0) <= 1e-12 * np.abs(z).max(axis=0)
    if flat.any():
        raise InputError(f"{names[int(flat.argmax())]!r} is the same at all sites and has no pattern; leave it out.")
    unlike = 1.0 - np.abs(np.corrcoef(z.T))
    tree = linkage(squareform(np.clip(unlike, 0.0, 1.0), checks=False), "average")
    return Categories(tuple(names), fcluster(tree, 1.0 - alike, "distance").astype(np.int64) - 1)
