"""Ecological forecasting: ensembles, their scores, the cycle, decisions (module 5)."""

from landcarbon.forecasting.cycle import (
    Issue,
    UnmatchedWarning,
    guard,
    known_at,
    observation_table,
    open_archive,
    run_cycle,
    score,
    to_long_table,
    treatment_effect,
)
from landcarbon.forecasting.decision import (
    consequences,
    portfolios,
    value_of_forecast,
    value_of_perfect_forecast,
)
from landcarbon.forecasting.drivers import analogue_years
from landcarbon.forecasting.ensemble import SOURCES, Steps, forecast
from landcarbon.forecasting.noise import ProcessError, add_observation_error
from landcarbon.forecasting.null import climatology, persistence, random_walk
from landcarbon.forecasting.partitioning import partition
from landcarbon.forecasting.scores import (
    coverage,
    crps,
    horizon,
    interval,
    interval_score,
    log_score,
    pit,
    pit_uniformity,
    reliability,
    skill,
    spread_skill,
)
from landcarbon.forecasting.steps import layered_step, matrix_step
from landcarbon.forecasting.tower import tower_skill

__all__ = [
    "SOURCES",
    "Issue",
    "ProcessError",
    "Steps",
    "UnmatchedWarning",
    "add_observation_error",
    "analogue_years",
    "climatology",
    "consequences",
    "coverage",
    "crps",
    "forecast",
    "guard",
    "horizon",
    "interval",
    "interval_score",
    "known_at",
    "layered_step",
    "log_score",
    "matrix_step",
    "observation_table",
    "open_archive",
    "partition",
    "persistence",
    "pit",
    "pit_uniformity",
    "portfolios",
    "random_walk",
    "reliability",
    "run_cycle",
    "score",
    "skill",
    "spread_skill",
    "to_long_table",
    "tower_skill",
    "treatment_effect",
    "value_of_forecast",
    "value_of_perfect_forecast",
]
