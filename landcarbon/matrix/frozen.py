"""Frozen dataclasses that read their arguments before they keep them."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from landcarbon.matrix.errors import as_whole

__all__ = ["altered", "keep", "keep_whole"]

T = TypeVar("T")


def keep(instance: object, **fields: Any) -> None:
    """Set fields of a frozen dataclass while it is being made.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Layer:
    ...     thickness: float
    ...     def __post_init__(self):
    ...         keep(self, thickness=float(self.thickness))
    >>> Layer("0.1")
    Layer(thickness=0.1)
    """
    for name, value in fields.items():
        object.__setattr__(instance, name, value)


def keep_whole(instance: object, **least: int) -> None:
    """Read fields as whole numbers of at least so much, while a frozen dataclass is being made.

    Raises
    ------
    InputError
        A field that is no whole number, or too small.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Chains:
    ...     n: float
    ...     def __post_init__(self):
    ...         keep_whole(self, n=1)
    >>> Chains(16.0)
    Chains(n=16)
    """
    for name, lower in least.items():
        keep(instance, **{name: as_whole(name, getattr(instance, name), lower)})


def altered(instance: T, **fields: Any) -> T:
    """A copy with some fields replaced, which are known to be right."""
    other = copy.copy(instance)
    keep(other, **fields)
    return other
