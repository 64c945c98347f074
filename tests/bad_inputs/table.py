"""The whole table: every function, every argument, every spoiler; writes table.csv and known.csv.

    python -m bad_inputs.table          (in the folder tests, some minutes)
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd

from .calls import is_made_by_the_library, modules, recorded
from .spoil import attack

HERE = Path(__file__).parent

INNER = {
    "kernel", "propose", "advance", "step", "steps", "map_from", "shaped", "chased", "model_at", "moment", "lost",
    "decayed", "expand", "leading", "observed_values", "Cost.__call__", "Moves.__call__", "Propagator.__call__",
    "Series.__call__", "Repeating.__call__", "forward_and_vjp", "pace", "century_arctangent", "shares", "share",
    "lengths", "decimal_years", "forcing", "coordinates",
}
"""What the library calls in its inner loops, with arrays that it has checked before."""


def inner(name: str) -> bool:
    return name in INNER or name.split(".")[-1] in INNER


def main() -> None:
    rows, known = [], []
    os.chdir(tempfile.mkdtemp())
    for module in modules():
        count: Counter[str] = Counter()
        functions = 0
        for call in recorded(module):
            if is_made_by_the_library(module, call.name):
                continue
            found = list(attack(call))
            functions += bool(found)
            count.update(outcome.what for outcome in found)
            faults: dict[str, set[str]] = {}
            for outcome in found:
                if outcome.fault:
                    faults.setdefault(outcome.argument, set()).add(outcome.what)
            where = "inner loop" if inner(call.name) else "open"
            known += [
                (module.__name__, call.name, name, " and ".join(sorted(kinds)), where) for name, kinds in faults.items()
            ]
        if functions:
            faulty = sum(n for what, n in count.items() if what not in ("sentence", "result"))
            rows.append((module.__name__, functions, sum(count.values()), count["sentence"], count["result"],
                         count["raw"], count["not finite"], count["unheard"], count["hang"]))  # fmt: skip
            print(*rows[-1], faulty, flush=True)
    columns = ["module", "functions", "calls", "sentences", "results", "raw", "not_finite", "unheard", "hangs"]
    pd.DataFrame(rows, columns=columns).to_csv(HERE / "table.csv", index=False, lineterminator="\n")
    table = pd.DataFrame(known, columns=["module", "function", "argument", "what", "where"])
    table.to_csv(HERE / "known.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
