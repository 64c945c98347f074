"""Machine learning with process models: honest validation, networks, PRODA, hybrids (module 4).

A `Task` holds what travels together, a rival learns from it and predicts, `evaluate` compares rivals
where they have not looked. Scikit-learn is loaded by the functions that need it.
"""

from landcarbon.geo import block_ids
from landcarbon.learning import emulator, hybrid, proda
from landcarbon.learning.attribution import control
from landcarbon.learning.batch import OneBatch, one_batch
from landcarbon.learning.evaluation import Evaluation, evaluate
from landcarbon.learning.folds import (
    Folds,
    blocked_folds,
    group_folds,
    leakage,
    random_folds,
)
from landcarbon.learning.mlp import MLP
from landcarbon.learning.patterns import categories
from landcarbon.learning.rivals import RIVALS, EndToEnd, Proda, WithoutProcess
from landcarbon.learning.saving import load, save
from landcarbon.learning.skill import (
    bootstrap_score,
    ceiling,
    score_table,
    scores,
)
from landcarbon.learning.task import Stream, Task, Work, smooth_l1
from landcarbon.learning.validation import Prediction, baselines, cross_predict

__all__ = [
    "MLP",
    "RIVALS",
    "EndToEnd",
    "Evaluation",
    "Folds",
    "OneBatch",
    "Prediction",
    "Proda",
    "Stream",
    "Task",
    "WithoutProcess",
    "Work",
    "baselines",
    "block_ids",
    "blocked_folds",
    "bootstrap_score",
    "categories",
    "ceiling",
    "control",
    "cross_predict",
    "emulator",
    "evaluate",
    "group_folds",
    "hybrid",
    "leakage",
    "load",
    "one_batch",
    "proda",
    "random_folds",
    "save",
    "score_table",
    "scores",
    "smooth_l1",
]
