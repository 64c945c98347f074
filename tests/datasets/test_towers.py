"""FLUXNET2015 files, made up in their layout: days, months, flags, gaps, errors, partitions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from landcarbon.assimilation.forest import synthetic_tower, tower_posterior
from landcarbon.datasets import read_fluxnet
from landcarbon.matrix.errors import InputError

NAME = "FLX_XX-Mad_FLUXNET2015_FULLSET_{}_2001-2002_1-4.csv"
TABLE = synthetic_tower(rng=1, n_days=730)


def columns():
    """Weather and net exchange of a synthetic tower under the names of FLUXNET2015."""
    mean = 0.5 * (TABLE["max_temperature"] + TABLE["min_temperature"])
    apart = (TABLE["max_temperature"] - TABLE["min_temperature"]) * 2 / np.pi
    seen = TABLE["nee"].notna()
    return pd.DataFrame({
        "TIMESTAMP": pd.date_range("2001-01-01", periods=730).strftime("%Y%m%d").astype(int),
        "TA_F": mean, "TA_F_DAY": mean + apart / 2, "TA_F_NIGHT": mean - apart / 2,
        "SW_IN_F": TABLE["radiation"] / 0.0864, "CO2_F_MDS": 371.0, "VPD_F": 5.0, "P_F": 2.0,
        "TS_F_MDS_1": mean.rolling(9, min_periods=1).mean(), "SWC_F_MDS_1": 12.0 + 8.0 * np.cos(np.arange(730) / 58.1),
        "NEE_VUT_REF": TABLE["nee"].fillna(0.7), "NEE_VUT_REF_QC": np.where(seen, 0.9, 0.3),
        "NEE_VUT_REF_RANDUNC": TABLE["nee_sd"], "GPP_NT_VUT_REF": 3.0, "GPP_DT_VUT_REF": 3.4,
        "RECO_NT_VUT_REF": 2.0, "RECO_DT_VUT_REF": 2.3,
    })  # fmt: skip


def write(folder, frame, step="DD"):
    path = Path(folder) / NAME.format(step)
    frame.fillna(-9999).to_csv(path, index=False)
    return path


def test_days_become_what_dalec_needs(tmp_path):
    tower = read_fluxnet(write(tmp_path, columns()))
    assert (tower.site, tower.step, len(tower.table)) == ("XX-Mad", "day", 730)
    for name in ("max_temperature", "min_temperature", "radiation", "nee", "nee_sd"):
        np.testing.assert_allclose(tower.table[name], TABLE[name], rtol=1e-9, atol=1e-9)
    assert (tower.table["doy"] == TABLE["doy"]).all() and (tower.table["co2"] == 371.0).all()
    posterior = tower_posterior(tower.table, until=365, streams=("nee",))
    assert posterior.observations.data.size == TABLE["nee"][:365].notna().sum()
    assert tower.table.attrs["units"]["radiation"] == "MJ m-2 d-1"


def test_each_day_without_net_exchange_has_its_reason(tmp_path):
    frame = columns()
    good = np.flatnonzero(TABLE["nee"].notna())
    frame.loc[good[:3], "NEE_VUT_REF"] = -9999
    frame.loc[good[3:5], "NEE_VUT_REF_QC"] = -9999
    frame.loc[good[5:9], "NEE_VUT_REF_RANDUNC"] = -9999
    tower = read_fluxnet(write(tmp_path, frame))
    told = tower.report["reason"].value_counts()
    assert told["no net exchange"] == 3 and told["no quality flag"] == 2
    assert told["measured or filled well less than 75%"] == TABLE["nee"].isna().sum()
    assert tower.table["nee"].notna().sum() == tower.report["used"].sum() == good.size - 5
    assert tower.table.loc[good[5:9], "nee_sd"].tolist() == [0.5] * 4
    assert "random error missing in 4 row(s): the median of the others, 0.50" in str(tower)
    strict = read_fluxnet(write(tmp_path, columns()), good=0.2)
    assert strict.report["used"].all()


def test_partitions_stand_side_by_side(tmp_path):
    tower = read_fluxnet(write(tmp_path, columns()))
    assert (tower.table[["gpp_nt", "gpp_dt", "rt_nt", "rt_dt"]].iloc[0] == [3.0, 3.4, 2.0, 2.3]).all()
    nights, days = tower.to_teco("nt"), tower.to_teco("dt", wilting=4.0, full=20.0)
    assert (nights.gpp == 3.0).all() and (days.gpp == 3.4).all()
    assert nights.moisture.max() == 1.0
    assert days.moisture.min() == pytest.approx(0.0, abs=1e-3) and days.moisture.max() == pytest.approx(1.0)


def test_months(tmp_path):
    frame = columns()
    month = frame.assign(TIMESTAMP=frame["TIMESTAMP"] // 100).groupby("TIMESTAMP", as_index=False).mean()
    tower = read_fluxnet(write(tmp_path, month, "MM"))
    assert tower.step == "month" and len(tower.table) == 24
    assert list(tower.table["date"][[0, 23]]) == [pd.Timestamp("2001-01-01"), pd.Timestamp("2002-12-01")]
    assert tower.table["radiation"][5] == pytest.approx(TABLE["radiation"][151:181].mean())
    with pytest.raises(InputError, match="TECO runs by days"):
        tower.to_teco()


def test_holes_in_time_and_weather_are_said(tmp_path):
    frame = columns().drop(index=range(100, 104))
    frame.loc[200:219, "SW_IN_F"] = -9999
    tower = read_fluxnet(write(tmp_path, frame))
    assert len(tower.table) == 730 and (np.diff(tower.table["date"]) == np.timedelta64(1, "D")).all()
    assert "4 day(s) are not in the file" in tower.notes
    assert np.isfinite(tower.table["mean_temperature"][100:104]).all()
    assert tower.table["radiation"].isna().sum() == 20
    assert any(note.startswith("radiation: 20 day(s) unknown") for note in tower.notes)
    with pytest.raises(InputError, match="radiation"):
        tower_posterior(tower.table, until=365, streams=("nee",))
    assert tower.between("2001-08-10", "2002-12-31").table["radiation"].notna().all()


def test_what_the_file_does_not_say_must_be_told(tmp_path):
    bare = columns().drop(columns=["TA_F_DAY", "CO2_F_MDS", "NEE_VUT_REF_RANDUNC"])
    path = write(tmp_path, bare)
    told = {"nee_sd": 0.6, "co2": 380.0, "half_range": 6.0}
    for lacking in told:
        with pytest.raises(InputError, match=f"say what it is for all rows: {lacking}="):
            read_fluxnet(path, **{name: value for name, value in told.items() if name != lacking})
    tower = read_fluxnet(path, **told)
    assert (tower.table["nee_sd"].dropna() == 0.6).all() and (tower.table["co2"] == 380.0).all()
    np.testing.assert_allclose(tower.table["max_temperature"] - tower.table["min_temperature"], 12.0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.drop(columns="NEE_VUT_REF_QC"), "no column 'NEE_VUT_REF_QC'"),
        (lambda f: f.rename(columns={"TIMESTAMP": "TIMESTAMP_START"}), "take the file with _DD_"),
        (lambda f: f.assign(TIMESTAMP=f["TIMESTAMP"] * 10000), "20010131 .days. or 200101"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "2001-01-01 twice"),
        (lambda f: f.assign(NEE_VUT_REF=-9999), "no row whose net exchange can be used; the first: no net exchange"),
    ],
)
def test_bad_files(tmp_path, spoil, message):
    with pytest.raises(InputError, match=message):
        read_fluxnet(write(tmp_path, spoil(columns())))


def test_bad_calls(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_fluxnet(tmp_path / "none.csv")
    path = write(tmp_path, columns())
    with pytest.raises(InputError, match="good must lie between 0 and 1"):
        read_fluxnet(path, good=75)
    with pytest.raises(InputError, match="no day between 2010"):
        read_fluxnet(path).between("2010-01-01", "2011-01-01")
