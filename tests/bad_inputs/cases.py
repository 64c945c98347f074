"""What both files of this folder hold, for some of the modules each: two processes share the work."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pandas as pd

from .calls import is_made_by_the_library, recorded
from .spoil import attack

HERE = Path(__file__).parent
PATIENCE = 2.0  # seconds a function; the whole of it: python -m bad_inputs.table


def hold(module: ModuleType) -> None:
    """A sentence or a sound result for every spoiled call of a module, but for what is known.

    A fault is a raw traceback, a result that is no longer finite, a call that does not end, or a result that did
    not hear a gap, a mask, a date, a complex number or words. What still has one stands in known.csv, by function
    and argument: none may be added.
    """
    known = pd.read_csv(HERE / "known.csv")
    listed = set(zip(*(known[c] for c in ("module", "function", "argument"))))
    told, attacked = [], 0
    for call in recorded(module):
        if is_made_by_the_library(module, call.name):
            continue
        found = list(attack(call, PATIENCE))
        attacked += bool(found)
        told += [
            f"{o.function} · {o.argument} · {o.spoiler} · {o.what} · {o.told}"
            for o in found
            if o.fault and (module.__name__, o.function, o.argument) not in listed
        ]
    assert not told, "\n".join(told)
    table = pd.read_csv(HERE / "table.csv", index_col="module")["functions"]
    assert attacked >= table.get(module.__name__, 0), "the page says that more functions are held than are"
