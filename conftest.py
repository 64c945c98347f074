"""Notebooks are compared as `landcarbon.course.numbers` says; cells whose data are out of reach are skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from nbval.plugin import IPyNbCell

from landcarbon.course.numbers import Tolerance, difference


class Printed(str):
    """Text of an output; equal to another where a reader would find the same."""

    tolerance: Tolerance

    def __eq__(self, other: object) -> bool:
        return not (isinstance(other, str) and difference(self, other, self.tolerance))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def _sanitize(cell: IPyNbCell, text: object, plain: Callable = IPyNbCell.sanitize) -> object:
    text = plain(cell, text)
    if not isinstance(text, str):
        return text
    printed = Printed(text)
    printed.tolerance = Tolerance.of(cell.cell.metadata)
    return printed


def _format(cell: IPyNbCell, key: str, stored: Printed, printed: Printed) -> None:
    said = difference(stored, printed, stored.tolerance)
    cell.comparison_traceback.append(f"{key}, {said}\n\n{printed}")


# nbval makes its cells itself, so the two places where it compares are set on its class.
IPyNbCell.sanitize = _sanitize
IPyNbCell.format_output_compare = _format


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
