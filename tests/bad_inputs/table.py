"""The whole table: every function, every argument, every spoiler; writes table.csv, prints each fault.

    python -m bad_inputs.table          (in the folder tests, some minutes)
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter

import pandas as pd

from .calls import calls, modules
from .cases import HERE, MEANT, key
from .spoil import attack

PATIENCE = 20.0  # seconds a function


def main() -> None:
    rows = []
    os.chdir(tempfile.mkdtemp())
    for module in modules():
        count: Counter[str] = Counter()
        functions = 0
        for call in calls(module):
            found = list(attack(call, PATIENCE))
            functions += bool(found)
            for outcome in found:
                known = outcome.fault and key(module, outcome) in MEANT
                count["result" if known else outcome.what] += 1
                if outcome.fault and not known:
                    print("   ", *key(module, outcome), outcome.spoiler, outcome.told, sep=" · ")
        if functions:
            rows.append((module.__name__, functions, sum(count.values()), count["sentence"], count["result"],
                         count["raw"], count["not finite"], count["unheard"], count["hang"]))  # fmt: skip
            print(*rows[-1], flush=True)
    columns = ["module", "functions", "calls", "sentences", "results", "raw", "not_finite", "unheard", "hangs"]
    table = pd.DataFrame(rows, columns=columns)
    table.loc[len(table)] = ["all", *table[columns[1:]].sum()]
    table.to_csv(HERE / "table.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
