"""Notebook cells tagged ``real-data`` are skipped where the data are neither here nor in reach."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _printing() -> Iterator[None]:
    """Exercises set how arrays are printed; the doctests after them want it as it was."""
    with np.printoptions():
        yield


@cache
def _absent(path: Path) -> tuple[str, ...]:
    """Real data that a notebook asks for and cannot get."""
    from landcarbon.course.notebooks import data_names, read
    from landcarbon.datasets import is_available

    names = {n for c in read(path).cells if c.cell_type == "code" for n in data_names(c.source)}
    return tuple(sorted(name for name in names if not is_available(name)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is None or "real-data" not in cell.metadata.get("tags", []):
            continue
        absent = _absent(item.path)
        if absent:
            reason = f"the real data {', '.join(absent)} are neither here nor in reach"
            item.add_marker(pytest.mark.skip(reason=reason))
