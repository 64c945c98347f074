"""Data for the course: real data by name, soil profiles, climate to forcing, the twin world."""

from __future__ import annotations

from landcarbon.datasets.readers import load
from landcarbon.datasets.registry import (
    DataChanged,
    DataUnavailable,
    available,
    is_available,
    path,
)

__all__ = ["DataChanged", "DataUnavailable", "available", "is_available", "load", "path"]
