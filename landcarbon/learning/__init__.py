"""Machine learning with process models: honest validation, networks, PRODA, hybrids (module 4).

The workflows are modules whose functions read as sentences: `proda.assimilate`, `proda.train`,
`hybrid.fit`. Scikit-learn is loaded by the functions that need it.
"""

from landcarbon.learning import control, emulator, hybrid, proda, validation
from landcarbon.learning.mlp import MLP
from landcarbon.learning.validation import (
    Folds,
    baselines,
    block_ids,
    blocked_folds,
    bootstrap_difference,
    bootstrap_score,
    cross_predict,
    group_folds,
    leakage,
    random_folds,
    score_table,
    scores,
)

__all__ = [
    "MLP",
    "Folds",
    "baselines",
    "block_ids",
    "blocked_folds",
    "bootstrap_difference",
    "bootstrap_score",
    "control",
    "cross_predict",
    "emulator",
    "group_folds",
    "hybrid",
    "leakage",
    "proda",
    "random_folds",
    "score_table",
    "scores",
    "validation",
]
