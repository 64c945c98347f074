"""Random numbers for batches of sites.

One generator may serve a whole batch, or every site may bring its own. With its own, a site's
numbers do not depend on which other sites are computed beside it, on the size of the chunk or on
the order of work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from landcarbon.matrix.errors import InputError, Rng, as_kind, as_rng, as_whole

__all__ = ["Random", "site_generator", "streams"]


@dataclass(frozen=True)
class Streams:
    """Generators for `sites`: a single shared one, or one a site."""

    sites: tuple[int, ...]
    generators: tuple[np.random.Generator, ...]

    def _draw(
        self, method: str, shape: tuple[int, ...], where: NDArray[np.bool_] | None
    ) -> NDArray[np.float64]:
        full = self.sites + shape
        if len(self.generators) == 1:
            return getattr(self.generators[0], method)(full)
        asked = [True] * len(self.generators) if where is None else where.reshape(-1)
        rows = [
            getattr(g, method)(shape) if ask else np.zeros(shape)
            for g, ask in zip(self.generators, asked)
        ]
        return np.stack(rows).reshape(full)

    def normal(
        self, shape: tuple[int, ...], where: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Standard normal numbers (sites..., shape...).

        Generators of sites where `where` (sites...) is False are left untouched.
        """
        return self._draw("standard_normal", shape, where)

    def uniform(
        self, shape: tuple[int, ...], where: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Uniform numbers in [0, 1) (sites..., shape...); `where` as for `normal`."""
        return self._draw("random", shape, where)


Random: TypeAlias = Rng | Sequence[np.random.Generator] | Streams


def streams(rng: Random, sites: tuple[int, ...] = ()) -> Streams:
    """Streams for a batch of sites from a generator, a seed, or one generator a site."""
    if isinstance(rng, Streams):
        return rng
    sites = tuple(as_whole("sites", n) for n in as_kind("sites", sites, tuple, list))
    if isinstance(rng, (list, tuple)):
        if len(rng) != math.prod(sites) or not all(isinstance(g, np.random.Generator) for g in rng):
            raise InputError(
                f"rng holds {len(rng)} entries for {math.prod(sites)} site(s); give one "
                "numpy.random.Generator a site, or a single Generator or seed for all."
            )
        return Streams(tuple(sites), tuple(rng))
    return Streams(tuple(sites), (as_rng(rng),))


def site_generator(seed: int, index: int) -> np.random.Generator:
    """The generator of the site at position `index` in a run with this seed."""
    key = (as_whole("index", index),)
    return np.random.default_rng(np.random.SeedSequence(as_whole("seed", seed), spawn_key=key))
