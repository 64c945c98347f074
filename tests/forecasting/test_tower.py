"""Skill at a tower: the truth wins, a wrong model loses, rivals are what they say."""

import numpy as np
import pytest

from landcarbon.assimilation.forest import (
    BROADLEAF,
    fit_tower,
    forest_series,
    synthetic_tower,
    weather,
)
from landcarbon.forecasting import tower_skill
from landcarbon.matrix.errors import InputError


def broadleaf(seed=1, n_days=1095):
    """Made-up weather; DALEC with leaves that fall makes the fluxes."""
    rng = np.random.default_rng(seed)
    table = synthetic_tower(rng=seed, n_days=n_days)
    run = forest_series(weather(table), BROADLEAF.prior.table.default, forest=BROADLEAF)
    for name, sd in (("nee", 0.5), ("rt", 0.4)):
        table[name] = np.where(table[name].notna(), run[name] + sd * rng.standard_normal(n_days), np.nan)
        table[f"{name}_sd"] = np.where(table[name].notna(), sd, np.nan)
    return table[[c for c in table if c.split("_")[0] not in ("cf", "cw", "cr", "cl", "cs")]]


def test_where_dalec_is_right_it_beats_all_others():
    """Without a slow error, one year of three held out."""
    table = synthetic_tower(rng=4, n_days=1095, model_error=0.0)
    found = fit_tower(table, until=730, n_members=100, n_passes=2)
    skill = tower_skill(found, table)
    assert list(skill.index) == ["model", "climatology", "regression"]
    assert skill["crps"].idxmin() == "model" and skill.loc["model", "skill"] > 0.1
    assert skill.loc["climatology", "skill"] == 0.0
    assert 0.82 < skill.loc["model", "coverage"] <= 0.97
    assert found.model_error["nee"] < 0.15
    assert (skill["n"] == table["nee"][730:].notna().sum()).all()


def test_leaves_that_fall_need_a_model_whose_leaves_fall():
    table = broadleaf()
    scores = {
        name: tower_skill(fit_tower(table, 730, n_members=100, **kind), table).loc["model", "crps"]
        for name, kind in (("bare", {"forest": BROADLEAF}), ("green", {}))
    }
    assert scores["bare"] < 0.8 * scores["green"]


def test_persistence_joins_where_the_lead_is_short():
    table = synthetic_tower(rng=5, n_days=400)
    found = fit_tower(table, until=370, n_members=50, n_passes=2)
    skill = tower_skill(found, table)
    assert "persistence" in skill.index and np.isfinite(skill.to_numpy()).all()


def test_persistence_stays_away_where_nothing_tells_its_spread():
    """Seen every seventh day, no two days lie one day apart."""
    table = synthetic_tower(rng=5, n_days=400)
    table.loc[(table.index < 370) & (table.index % 7 > 0), ["rt", "rt_sd"]] = np.nan
    found = fit_tower(table, until=370, n_members=50, n_passes=2)
    assert list(tower_skill(found, table, "rt").index) == ["model", "climatology", "regression"]
    assert "persistence" in tower_skill(found, table).index


def test_nothing_to_judge_by():
    table = synthetic_tower(rng=5, n_days=200)
    found = fit_tower(table, n_members=50, n_passes=2)
    with pytest.raises(InputError, match="no nee was measured after day 200"):
        tower_skill(found, table)
    with pytest.raises(InputError, match="no data before day 200"):
        fit_tower(table, streams=())
