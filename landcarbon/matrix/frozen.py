"""Frozen dataclasses that read their arguments before they keep them."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

__all__ = ["altered", "keep"]

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


def altered(instance: T, **fields: Any) -> T:
    """A copy with some fields replaced, which are known to be right."""
    other = copy.copy(instance)
    keep(other, **fields)
    return other
