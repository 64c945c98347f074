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

from landcarbon.learning.skill import same_length
from landcarbon.matrix.errors import InputError, as_array

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Folds",
    "block_ids",
    "blocked_folds",
    "great_circle_km",
    "group_folds",
    "leakage",
    "random_folds",
]

EARTH_RADIUS_KM = 6371.0088  # mean radius R1, Moritz 2000, J. Geodesy 74:128

Rng = np.random.Generator | int


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
    near : ndarray of bool, (fold, site), or None
        Sites left out of training in that fold because they lie inside the buffer.
    """

    fold: NDArray[np.int64]
    group: NDArray[np.int64]
    kind: str
    near: NDArray[np.bool_] | None = None

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    def __len__(self) -> int:
        return self.n_folds

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        for k in range(self.n_folds):
            out = self.fold == k
            train = ~out if self.near is None else ~out & ~self.near[k]
            yield np.flatnonzero(train), np.flatnonzero(out)

    def with_buffer(self, lat: ArrayLike, lon: ArrayLike, distance_km: float) -> Folds:
        """The same folds, training sites closer than `distance_km` to any test site left out.

        Parameters
        ----------
        lat, lon : array_like, (site,)
            Degrees.
        distance_km : float
            Width of the buffer.

        Returns
        -------
        Folds

        Raises
        ------
        InputError
            The buffer empties the training side of a fold.
        """
        lat, lon = _coordinates(lat, lon)
        same_length("lat", lat.size, "the folds", self.fold.size)
        near = np.zeros((self.n_folds, self.fold.size), dtype=bool)
        for k in range(self.n_folds):
            out = self.fold == k
            train = np.flatnonzero(~out)
            gap = _nearest_km(lat[train], lon[train], lat[out], lon[out])
            near[k, train[gap < distance_km]] = True
            if (out | near[k]).all():
                raise InputError(
                    f"A buffer of {distance_km:g} km leaves no training site in fold {k}. "
                    "Take a narrower buffer or more folds."
                )
        return Folds(self.fold, self.group, self.kind, near)


def block_ids(lat: ArrayLike, lon: ArrayLike, size: float = 2.0) -> NDArray[np.int64]:
    """Number of the degree block each site lies in.

    Parameters
    ----------
    lat, lon : array_like, (site,)
        Degrees; longitudes from -180 to 360 (both conventions fall into the same block).
    size : float
        Edge of a block in degrees.

    Returns
    -------
    ndarray of int, (site,)
        0 to number of blocks − 1.

    Examples
    --------
    >>> block_ids([40.1, 41.9, 42.1], [-100.5, -100.1, -100.5], size=2.0)
    array([0, 0, 1])
    """
    lat, lon = _coordinates(lat, lon)
    if not np.isfinite(size) or size <= 0:
        raise InputError(
            f"size is the edge of a block in degrees and must be above 0, but {size!r} was given."
        )
    lon = (lon + 180.0) % 360.0 - 180.0
    cell = np.stack([np.floor(lat / size), np.floor(lon / size)], axis=-1)
    return np.unique(cell, axis=0, return_inverse=True)[1].ravel()


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
    labels = np.asarray(groups)
    if labels.ndim != 1 or labels.size == 0:
        raise InputError(f"groups must be one label a site, but its shape is {labels.shape}.")
    missing = np.array([v is None or v != v or v == "" for v in labels.tolist()])
    if missing.any():
        raise InputError(
            f"groups has no label at {int(missing.sum())} site(s), the first at index "
            f"{int(missing.argmax())}. "
            "Drop these sites or give them a group of their own."
        )
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
    return _deal(np.arange(int(n_sites)), n_folds, rng, "random", "site", "Take fewer folds.")


def _deal(
    group: NDArray[np.int64], n_folds: int, rng: Rng, kind: str, unit: str, hint: str
) -> Folds:
    rng = np.random.default_rng(rng)
    if n_folds != int(n_folds) or n_folds < 2:
        raise InputError(
            f"n_folds must be a whole number of at least 2, but {n_folds!r} was given."
        )
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


def great_circle_km(
    lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike
) -> NDArray[np.float64]:
    """Great-circle distance between points, km (haversine on a sphere of the Earth's mean radius).

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : array_like
        Degrees; broadcast against each other.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> float(great_circle_km(0.0, 0.0, 0.0, 1.0).round(2))
    111.2
    """
    a1, o1, a2, o2 = (np.radians(as_array("coordinate", v)) for v in (lat1, lon1, lat2, lon2))
    h = np.sin((a2 - a1) / 2) ** 2 + np.cos(a1) * np.cos(a2) * np.sin((o2 - o1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(h, 1.0)))


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

    lat, lon = _coordinates(lat, lon)
    same_length("lat", lat.size, "the folds", folds.fold.size)
    rows = []
    for k, (train, test) in enumerate(folds):
        gap = _nearest_km(lat[test], lon[test], lat[train], lon[train])
        rows.append((k, train.size, test.size, gap.min(), np.median(gap), (gap < near_km).mean()))
    table = pd.DataFrame(
        rows, columns=["fold", "train", "test", "min_km", "median_km", "share_near"]
    )
    table.attrs["near_km"] = near_km
    return table.set_index("fold")


def _nearest_km(
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    to_lat: NDArray[np.float64],
    to_lon: NDArray[np.float64],
) -> NDArray[np.float64]:
    from scipy.spatial import cKDTree

    chord = cKDTree(_on_sphere(to_lat, to_lon)).query(_on_sphere(lat, lon))[0]
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2, 1.0))


def _on_sphere(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    a, o = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(a) * np.cos(o), np.cos(a) * np.sin(o), np.sin(a)], axis=-1)


def _coordinates(lat: ArrayLike, lon: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hint = "Are latitude and longitude swapped?"
    a = as_array("lat", lat, lower=-90.0, upper=90.0, hint=hint)
    o = as_array("lon", lon, lower=-180.0, upper=360.0, hint="Longitudes are degrees east.")
    if a.ndim != 1 or a.shape != o.shape or a.size == 0:
        raise InputError(
            f"lat and lon must be one value a site each, but their shapes are "
            f"{a.shape} and {o.shape}."
        )
    return a, o
