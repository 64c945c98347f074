r"""Folds: which sites are tested together, and how far they lie from those trained on.

======================  ===============================  ============  ==========  ============
symbol                  meaning                          shape         unit        code name
======================  ===============================  ============  ==========  ============
:math:`d`               great-circle distance            (site,)       km          distance_km
--                      fold of a site, 0 to n_folds−1   (site,)       --          fold
--                      block or group of a site         (site,)       --          group
======================  ===============================  ============  ==========  ============

Soil profiles a few kilometres apart share climate, geology and often the surveyor. A random split
puts one of them in training and its neighbour in testing. Blocked folds keep a square of some
degrees whole (Roberts et al. 2017, Ecography 40:913, doi:10.1111/ecog.02881), and :func:`leakage`
measures what distance is left between the two sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.geo import as_places, block_ids, nearest
from landcarbon.learning.skill import same_length
from landcarbon.matrix.errors import (
    InputError,
    Rng,
    as_kind,
    as_labels,
    as_number,
    as_rng,
    as_whole,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Folds",
    "blocked_folds",
    "group_folds",
    "leakage",
    "random_folds",
]



@dataclass(frozen=True, eq=False)
class Folds:
    """Which sites are tested together.

    Iterating yields `(train, test)` index arrays, one pair a fold.

    Attributes
    ----------
    fold : ndarray of int, (site,)
        Fold in which the site is tested.
    group : ndarray of int, (site,)
        Unit that is never split: block, biome, or the site itself. Bootstrap intervals
        resample these.
    kind : str
        "blocked", "group" or "random".
    """

    fold: NDArray[np.int64]
    group: NDArray[np.int64]
    kind: str

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    def __len__(self) -> int:
        return self.n_folds

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        for k in range(self.n_folds):
            out = self.fold == k
            yield np.flatnonzero(~out), np.flatnonzero(out)


def blocked_folds(
    lat: ArrayLike, lon: ArrayLike, size: float = 2.0, n_folds: int = 5, rng: Rng = 0
) -> Folds:
    """Folds of whole degree blocks, about equally many sites in each.

    Blocks are shuffled, then dealt from the most to the least populated, each to the fold that
    holds the fewest sites so far.

    Parameters
    ----------
    lat, lon : array_like, (site,)
        Degrees.
    size : float
        Edge of a block in degrees.
    n_folds : int
        Number of folds.
    rng : Generator or int

    Returns
    -------
    Folds

    Raises
    ------
    InputError
        Fewer blocks than folds.

    References
    ----------
    Roberts et al. 2017, Ecography 40:913, doi:10.1111/ecog.02881.

    Examples
    --------
    >>> folds = blocked_folds([10.1, 10.2, 20.1, 30.1], [5.0, 5.1, 5.0, 5.0], n_folds=2, rng=1)
    >>> folds.fold[0] == folds.fold[1]
    np.True_
    """
    group = block_ids(lat, lon, size)
    return _deal(
        group,
        n_folds,
        rng,
        "blocked",
        f"{size:g}-degree block",
        "Take smaller blocks or fewer folds.",
    )


def group_folds(groups: ArrayLike, n_folds: int | None = None, rng: Rng = 0) -> Folds:
    """Folds of whole groups (biomes, surveys, countries); by default each group is left out once.

    Parameters
    ----------
    groups : array_like, (site,)
        Label of the group each site belongs to.
    n_folds : int, optional
        Number of folds; default the number of groups.
    rng : Generator or int

    Returns
    -------
    Folds

    Examples
    --------
    >>> [test.tolist() for train, test in group_folds(["tundra", "steppe", "tundra"])]
    [[1], [0, 2]]
    """
    labels = as_labels("groups", groups, hint="Drop these sites or give them a group of their own.")
    rng = as_rng(rng)
    group = np.unique(labels.astype(str), return_inverse=True)[1].ravel()
    if n_folds is None:
        n = int(group.max()) + 1
        if n < 2:
            raise InputError(
                f"groups holds the one label {labels[0]!r}: leaving it out would leave "
                "nothing to train on."
            )
        return Folds(group, group, "group")
    return _deal(group, n_folds, rng, "group", "group", "Take fewer folds.")


def random_folds(n_sites: int, n_folds: int = 5, rng: Rng = 0) -> Folds:
    """Folds drawn at random: shown for contrast, too hopeful where neighbours resemble each other.

    Parameters
    ----------
    n_sites : int
    n_folds : int
    rng : Generator or int

    Returns
    -------
    Folds

    Examples
    --------
    >>> np.bincount(random_folds(10, n_folds=5).fold)
    array([2, 2, 2, 2, 2])
    """
    return _deal(np.arange(as_whole("n_sites", n_sites, 1)), n_folds, rng, "random", "site", "Take fewer folds.")


def _deal(
    group: NDArray[np.int64], n_folds: int, rng: Rng, kind: str, unit: str, hint: str
) -> Folds:
    rng = as_rng(rng)
    n_folds = as_whole("n_folds", n_folds, 2)
    size = np.bincount(group)
    if size.size < n_folds:
        raise InputError(
            f"The {group.size} sites lie in {size.size} {unit}(s), which cannot fill "
            f"{n_folds} folds. {hint}"
        )
    order = rng.permutation(size.size)
    order = order[np.argsort(-size[order], kind="stable")]
    filled = np.zeros(n_folds, dtype=int)
    fold_of_group = np.empty(size.size, dtype=np.int64)
    for g in order:
        fold_of_group[g] = filled.argmin()
        filled[fold_of_group[g]] += size[g]
    return Folds(fold_of_group[group], group, kind)


def leakage(lat: ArrayLike, lon: ArrayLike, folds: Folds, near_km: float = 50.0) -> pd.DataFrame:
    """How far the test sites of each fold lie from the sites trained on.

    Parameters
    ----------
    lat, lon : array_like, (site,)
        Degrees.
    folds : Folds
    near_km : float
        What counts as a close neighbour.

    Returns
    -------
    pandas.DataFrame
        One row a fold: `train` and `test` (number of sites), `min_km` and `median_km` (distance
        from a test site to the nearest training site), `share_near` (share of test sites with a
        training site closer than `near_km`).

    Examples
    --------
    >>> folds = blocked_folds([0.0, 0.1, 50.0, 50.1], [0.0, 0.1, 0.0, 0.1], n_folds=2)
    >>> bool((leakage([0.0, 0.1, 50.0, 50.1], [0.0, 0.1, 0.0, 0.1], folds)["min_km"] > 5000).all())
    True
    """
    import pandas as pd

    as_kind("folds", folds, Folds)
    near_km = as_number("near_km", near_km, lower=0.0)
    lat, lon = as_places(lat, lon)
    same_length("lat", lat.size, "the folds", folds.fold.size)
    rows = []
    for k, (train, test) in enumerate(folds):
        _, gap = nearest(lat[test], lon[test], lat[train], lon[train])
        rows.append((k, train.size, test.size, gap.min(), np.median(gap), (gap < near_km).mean()))
    table = pd.DataFrame(
        rows, columns=["fold", "train", "test", "min_km", "median_km", "share_near"]
    )
    table.attrs["near_km"] = near_km
    return table.set_index("fold")
