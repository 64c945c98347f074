"""Data for the course: real data by name, soil profiles, climate to forcing, the twin world."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from landcarbon.datasets.readers import load
from landcarbon.datasets.registry import (
    DataChanged,
    DataUnavailable,
    available,
    is_available,
    path,
)

__all__ = [
    "DataChanged",
    "DataUnavailable",
    "available",
    "covariates_at",
    "forcing_at",
    "is_available",
    "join_profiles",
    "load",
    "load_profiles",
    "path",
    "read_fluxnet",
    "read_israd_csv",
    "read_jars_csv",
    "read_plots_csv",
    "read_profiles_csv",
    "read_sidb",
    "twin_world",
]

# What needs the process model or a map loads on first use.
_WHERE = {
    "covariates_at": "landcarbon.datasets.climate",
    "forcing_at": "landcarbon.datasets.climate",
    "join_profiles": "landcarbon.datasets.profiles",
    "load_profiles": "landcarbon.datasets.profiles",
    "read_fluxnet": "landcarbon.datasets.towers",
    "read_israd_csv": "landcarbon.datasets.profile_files",
    "read_jars_csv": "landcarbon.datasets.incubations",
    "read_plots_csv": "landcarbon.datasets.plots",
    "read_sidb": "landcarbon.datasets.incubations",
    "read_profiles_csv": "landcarbon.datasets.profile_files",
    "twin_world": "landcarbon.datasets.twin",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'landcarbon.datasets' has no attribute {name!r}")
