"""Tests that need real data say so, and are skipped with a reason where the files are absent."""

import pytest

from landcarbon.datasets import registry


def needs(*names):
    """Mark a test (or a parameter) as needing data sets; it never downloads them."""
    absent = [n for n in names if registry.local_file(registry.entry(n)) is None]
    reason = f"{', '.join(absent)} not on this machine; set LANDCARBON_DATA_DIR to their folder"
    skip = pytest.mark.skipif(bool(absent), reason=reason)

    def mark(test):
        return pytest.mark.data(skip(test))

    mark.marks = [pytest.mark.data, skip]
    return mark
