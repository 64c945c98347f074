"""What the gate costs: one argument of each kind, microseconds.

    python benchmarks/gate.py
"""

from _timing import best, heading, table

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from landcarbon.matrix.errors import aligned, as_array, as_years

POOLS = ("litter", "soil", "wood")
CASES = {
    "three floats, an array": lambda: as_array("x", ARRAY, lower=0.0),
    "three floats, a list": lambda: as_array("x", [1.0, 2.0, 3.0], lower=0.0),
    "one float": lambda: as_array("x", 1.0, lower=0.0),
    "1,000 × 21 floats": lambda: as_array("x", LARGE, shape=(21,), lower=0.0),
    "a masked array": lambda: as_array("x", MASKED, lower=0.0),
    "a labelled array": lambda: as_array("x", LABELLED, lower=0.0),
    "a labelled array, converted": lambda: as_array("x", LABELLED, unit="mm month-1"),
    "a Series in another order": lambda: as_array("x", aligned("x", SERIES, POOLS)),
    "three dates": lambda: as_years("t", DATES),
}
ARRAY = np.array([1.0, 2.0, 3.0])
LARGE = np.ones((1000, 21))
MASKED = np.ma.masked_array(ARRAY, mask=False)
LABELLED = xr.DataArray(ARRAY, dims="pool", attrs={"units": "mm day-1"})
SERIES = pd.Series(ARRAY, index=["soil", "wood", "litter"])
DATES = np.array(["2001-01-01", "2001-02-01", "2001-03-01"], dtype="datetime64[D]")
LOOPS = 200


def main() -> None:
    heading("The gate [µs a call]")
    table(["argument", "µs"], [[name, best(partial(repeated, call)) / LOOPS * 1e6] for name, call in CASES.items()])


def repeated(call: Callable[[], Any]) -> None:
    for _ in range(LOOPS):
        call()


if __name__ == "__main__":
    main()
