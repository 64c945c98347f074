"""The cycle: what an issue knows, the guard, resuming to the same bits, appending, scoring."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from landcarbon.assimilation import Posterior, Prior, SeriesObservations, sample
from landcarbon.forecasting import (
    ProcessError,
    UnmatchedWarning,
    coverage,
    forecast,
    guard,
    known_at,
    observation_table,
    open_archive,
    persistence,
    run_cycle,
    score,
    to_long_table,
    treatment_effect,
)
from landcarbon.matrix import InputError
from landcarbon.models import Parameter, ParameterTable

DAYS = pd.date_range("2001-01-01", periods=120, freq="D")
ISSUES = DAYS[[39, 49, 59, 69, 79]]


def table(n: int = 120, seed: int = 0) -> pd.DataFrame:
    """A pool that forgets half of its distance to 10 in a week, measured every day."""
    rng = np.random.default_rng(seed)
    x = np.empty(n)
    x[0] = 10.0
    for t in range(1, n):
        x[t] = 10 + 0.9 * (x[t - 1] - 10) + rng.normal()
    value = x + 0.3 * rng.normal(size=n)
    return pd.DataFrame({"time": DAYS[:n], "variable": "carbon", "value": value, "sd": 0.3})


def analyse(now):
    """The state, carried on from the analysis before; enough to make the order of issues matter."""
    last = now.known["value"].iloc[-1]
    before = 10.0 if now.previous is None else now.previous["state"].mean().item()
    members = 0.9 * last + 0.1 * before + 0.3 * now.rng.normal(size=40)
    return {"state": ("member", members)}


def ahead(now, analysis):
    X = analysis["state"].values[:, None] * np.ones(1)

    def step(X, parameters, drivers):
        return 10 + 0.9 * (X - 10)

    error = ProcessError(1.0, relative=False)
    f = forecast(step, X, steps=20, process_sd=error, rng=now.rng)
    carbon = f["X"].isel(pool=0, time=slice(1, None)).values
    return {"carbon": (("member", "lead"), carbon), "lead": np.arange(1.0, 21.0)}


def cycle(observations=None, issues=ISSUES, **options):
    return run_cycle(
        issues, table() if observations is None else observations, analyse, ahead, **options
    )


def test_an_issue_knows_what_was_available_and_nothing_else():
    seen = []

    def look(now):
        seen.append((now.date, now.known["time"].max(), len(now.known), now.drivers["T"].size))
        assert now.known["time"].is_monotonic_increasing
        return {"state": ("member", np.zeros(2))}

    def none(now, analysis):
        return {"carbon": (("member", "lead"), np.zeros((2, 1))), "lead": [1.0]}

    shuffled = table().sample(frac=1, random_state=0)
    weather = pd.DataFrame({"time": DAYS, "T": 1.0})
    run_cycle(ISSUES, shuffled, look, none, drivers=weather)
    assert seen == [(d, d, n, n) for d, n in zip(ISSUES, (40, 50, 60, 70, 80))]


def test_later_rows_change_nothing():
    whole = cycle(drivers=pd.DataFrame({"time": DAYS, "T": np.arange(120.0)}))
    cut = table()[:80]
    wild = pd.concat([cut, table()[80:].assign(value=1e9)])
    for other in (cut, wild):
        again = cycle(other, drivers=pd.DataFrame({"time": DAYS[:80], "T": np.arange(80.0)}))
        assert again.identical(whole)


def test_a_planted_late_observation_is_refused_with_a_sentence():
    def leaky(date):
        return table()[lambda rows: rows["time"] <= date + pd.Timedelta("2D")]

    with pytest.raises(
        InputError, match=r"2 of 42 rows are stamped after the issue date 2001-02-09"
    ):
        cycle(leaky)

    def measured_but_not_reported(date):
        rows = table()[lambda rows: rows["time"] <= date]
        return rows.assign(available=rows["time"] + pd.Timedelta("30D"))

    with pytest.raises(InputError, match="available only after the issue date") as told:
        cycle(measured_but_not_reported)
    assert "carbon of 2001-01-11, available on 2001-02-10" in str(told.value)
    assert "2001-02-09" in told.value.__notes__[0]


def test_late_reports_are_held_back_until_they_came():
    late = table().assign(available=lambda rows: rows["time"] + pd.Timedelta("30D"))
    archive = cycle(late)
    assert archive["n_known"].values.tolist() == [10, 20, 30, 40, 50]
    guard(known_at(late, ISSUES[0]), ISSUES[0])


def test_the_order_of_rows_does_not_matter_and_the_seed_does():
    a, b, c = cycle(), cycle(table().iloc[::-1]), cycle(seed=1)
    assert a.identical(b)
    assert not np.array_equal(a["carbon"], c["carbon"])


def test_random_numbers_depend_on_the_date_alone():
    def carefree(now):
        return {"state": ("member", now.rng.normal(size=40))}

    all_five = run_cycle(ISSUES, table(), carefree, ahead)
    last_two = run_cycle(ISSUES[3:], table(), carefree, ahead)
    assert last_two.identical(all_five.isel(issue=slice(3, None)))


def test_labels():
    archive = cycle()
    assert archive["carbon"].dims == ("issue", "member", "lead")
    assert archive["state"].dims == ("issue", "member")
    assert archive["lead"].attrs["units"] == "d"
    assert archive["time"].values[2, 4] == ISSUES[2] + pd.Timedelta("5D")
    assert len(set(archive["fingerprint"].values)) == 5


@dataclass
class Watched:
    """The analysis, with the dates it was asked for; may end instead. Both decide nothing."""

    dates: list = field(default_factory=list, compare=False)
    dies: object = field(default=None, compare=False)

    def __call__(self, now):
        if now.date == self.dies:
            os._exit(9)
        self.dates.append(now.date)
        return analyse(now)


SCRIPT = """
    import sys
    sys.path.insert(0, {here!r})
    import test_cycle as t

    t.run_cycle(t.ISSUES, t.table(), t.Watched(dies=t.ISSUES[{at}]), t.ahead, out={out!r})
"""


def killed(out: Path, at: int) -> None:
    """A run in another process that ends without a word in the middle of an issue."""
    code = textwrap.dedent(SCRIPT.format(here=str(Path(__file__).parent), at=at, out=str(out)))
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 9


def _bits(path: Path) -> dict:
    """Every byte of every variable, undecoded, and all attributes; not the time of writing, which HDF5 keeps."""
    raw = xr.load_dataset(path, decode_cf=False)
    held = {k: (v.dims, v.dtype, v.values.tolist(), repr(v.attrs)) for k, v in raw.variables.items()}
    return held | {"": repr(raw.attrs)}


def test_a_killed_run_resumes_to_the_same_archive_bit_for_bit(tmp_path):
    run_cycle(ISSUES, table(), Watched(), ahead, out=tmp_path / "whole")
    out = tmp_path / "killed"
    killed(out, 3)
    assert sorted(p.name for p in out.iterdir()) == [".lock", "issues", "run.json"]
    done = sorted((out / "issues").iterdir())
    assert len(done) == 3
    before = [p.read_bytes() for p in done]
    # Killed in the middle of writing, too: half a file, not yet in its place.
    (out / "issues" / "00000003.nc.part").write_bytes(before[0][:500])
    run_cycle(ISSUES, table(), watched := Watched(), ahead, out=out)
    assert watched.dates == list(ISSUES[3:])
    assert _bits(out / "archive.nc") == _bits(tmp_path / "whole" / "archive.nc")
    assert sorted(p.name for p in out.iterdir()) == ["archive.nc", "run.json"]


def test_appended_issues_give_the_archive_of_a_single_run(tmp_path):
    cycle(out=tmp_path / "whole")
    out = tmp_path / "parts"
    cycle(table()[:70], issues=ISSUES[:2], out=out)
    first = open_archive(out)
    cycle(issues=ISSUES[:4], out=out)
    whole = cycle(out=out)
    assert _bits(out / "archive.nc") == _bits(tmp_path / "whole" / "archive.nc")
    assert whole.isel(issue=slice(2)).identical(first)
    assert cycle(issues=ISSUES[:2], out=out).identical(first)


def test_a_finished_archive_is_read_not_computed(tmp_path):
    whole = run_cycle(ISSUES, table(), Watched(), ahead, out=tmp_path)
    assert run_cycle(ISSUES, table(), watched := Watched(), ahead, out=tmp_path).identical(whole)
    assert not watched.dates
    assert open_archive(tmp_path).identical(whole)


def test_memory_and_disk_agree(tmp_path):
    assert cycle().identical(cycle(out=tmp_path))


def test_numbers_instead_of_dates(tmp_path):
    years = table().assign(time=np.arange(120.0))
    archive = cycle(years, issues=[39.0, 49.0, 59.0], out=tmp_path)
    assert archive["time"].values[1].tolist() == (49 + np.arange(1.0, 21.0)).tolist()
    assert np.isfinite(score(archive, years, "carbon")["crps"]).all()


def test_scores_are_those_of_the_functions():
    observations = table()
    archive = cycle()
    found = score(archive, observations, "carbon", error=False)
    by_date = observations.set_index("time")["value"]
    for i, lead in ((0, 0), (4, 19)):
        y = by_date[ISSUES[i] + pd.Timedelta(lead + 1, "D")]
        x = archive["carbon"].isel(issue=i, lead=lead).values
        pairs = np.abs(x[:, None] - x).sum() / (2 * x.size * (x.size - 1))
        assert found["observed"].values[i, lead] == y
        assert found["crps"].values[i, lead] == pytest.approx(np.abs(x - y).mean() - pairs)
        assert found["spread"].values[i, lead] == pytest.approx(x.std(ddof=1))
    assert found["inside"].mean() == pytest.approx(
        coverage(found["observed"], archive["carbon"].transpose("member", ...))
    )
    noisy = score(archive, observations.assign(sd=20.0), "carbon")
    assert float(noisy["crps"].mean()) > 3 * float(found["crps"].mean())


def test_what_was_not_observed_is_nan_in_every_score():
    gaps = table().drop(index=[45, 90])
    found = score(cycle(gaps), gaps, "carbon")
    missing = np.isnan(found["observed"].values)
    assert missing.sum() == 2
    assert all((np.isnan(found[n].values) == missing).all() for n in found.data_vars)


def test_a_further_dimension_meets_a_column_of_its_name():
    def two(now, analysis):
        one = xr.Dataset(ahead(now, analysis))
        return xr.concat([one, one + 5], pd.Index(["ambient", "+9"], name="treatment"))

    plots = pd.concat(
        [table().assign(treatment="ambient"), table().assign(treatment="+9", value=99.0)[90:]]
    )
    found = score(run_cycle(ISSUES, table(), analyse, two), plots, "carbon")
    assert found["crps"].dims == ("issue", "lead", "treatment")
    hot = found["observed"].sel(treatment="+9").values
    assert set(hot[np.isfinite(hot)]) == {99.0}
    assert found["time"].values[np.isfinite(hot)].min() == DAYS[90]
    assert np.isfinite(found["observed"].sel(treatment="ambient")).all()


def plots_archive(years=4):
    """A stock at the end of each year in four treatments, by the calendar; +9 gains 3 a year, CO2 1."""

    def stocks(now, analysis):
        end = pd.to_datetime([f"{now.date.year + k}-12-31" for k in range(1, years + 1)])
        year, warm, extra = np.arange(1.0, years + 1), np.array([0.0, 9.0]), np.array([0.0, 500.0])
        common = now.rng.normal(0, 20.0, (300, 1, 1, 1))  # of a member, in all treatments
        own = now.rng.normal(0, 1.0, (300, years, 2, 2))
        rise = year[:, None, None] * (3.0 * (warm[:, None] > 0) + 1.0 * (extra > 0))
        return {"wood": (("member", "lead", "warmer", "co2"), 100.0 + common + rise + own),
                "lead": (end - now.date).days.to_numpy(float), "warmer": warm, "co2": extra}  # fmt: skip

    return run_cycle(["2014-12-31"], table().assign(time=table()["time"] - pd.Timedelta("1D")), None, stocks, seed=1)


PLOTS = pd.DataFrame({
    "time": pd.to_datetime(["2016-12-31", "2016-12-31", "2018-12-31", "2018-12-31", "2017-09-20"]),
    "variable": "wood", "value": [101.0, 107.0, 99.0, 111.0, 100.0], "sd": 2.0,
    "warmer": [0.0, 9.0, 0.0, 9.0, 0.0], "co2": 0.0,
})  # fmt: skip


def test_dates_of_leap_years_meet_and_what_matches_nothing_is_said():
    archive = plots_archive()
    with pytest.warns(UnmatchedWarning, match="1 of 5 observations of wood .* the first: time 2017-09-20"):
        found = score(archive, PLOTS, "wood")
    assert int(found["observed"].notnull().sum()) == 4 and found.attrs["unmatched"] == 1
    with pytest.warns(UnmatchedWarning, match=r"1 of 4 .* 2018-12-31, warmer 2\.25"):
        score(archive, PLOTS[:4].assign(warmer=[0.0, 9.0, 0.0, 2.25]), "wood")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score(archive, PLOTS, "wood", within=110)
        assert int(found["observed"].notnull().sum()) == 5 and found.attrs["unmatched"] == 0
        early = PLOTS.assign(time=PLOTS["time"].where(PLOTS.index != 4, pd.Timestamp("2013-01-01")))
        assert score(archive, early, "wood").attrs["unmatched"] == 0  # before the forecast
    with pytest.raises(InputError, match="two observations of wood"):
        score(archive, pd.concat([PLOTS, PLOTS[:1].assign(time=pd.Timestamp("2016-12-30"))]), "wood", within=110)


def test_the_effect_of_a_treatment_keeps_what_members_have_in_common():
    archive = plots_archive()
    plain = treatment_effect(archive, "wood", {"warmer": 9.0, "co2": 0.0}, {"warmer": 0.0, "co2": 0.0})
    np.testing.assert_allclose(plain["mean"], [3.0, 6.0, 9.0, 12.0], atol=0.3)
    assert (plain["upper"] - plain["lower"]).between(2 * 1.645 * 1.41 * 0.85, 2 * 1.645 * 1.41 * 1.15).all()
    both = treatment_effect(
        archive, "wood", {"warmer": 9.0, "co2": 0.0}, {"warmer": 0.0, "co2": 0.0}, PLOTS, within=110
    )
    seen = both[both["observed"].notna()]
    assert seen["observed"].tolist() == [6.0, 12.0] and seen["sd"].tolist() == pytest.approx([8**0.5] * 2)
    assert seen["inside"].tolist() == [1.0, 1.0]
    wrong = treatment_effect(
        archive, "wood", {"warmer": 9.0, "co2": 0.0}, {"warmer": 0.0, "co2": 0.0},
        PLOTS.assign(value=[101.0, 137.0, 99.0, 111.0, 100.0]), within=110,
    )  # fmt: skip
    assert wrong["inside"].dropna().tolist() == [0.0, 1.0]
    for treated, message in (({"warmer": 4.5, "co2": 0.0}, "no warmer 4.5"), ({"warmer": 9.0}, "must name each")):
        with pytest.raises(InputError, match=message):
            treatment_effect(archive, "wood", treated, {"warmer": 0.0, "co2": 0.0})


def test_a_twin_cycle_with_assimilation_is_calibrated():
    """k and X0 of a decaying pool, assimilated at each issue with ES-MDA, forecast a year ahead."""
    t = np.arange(0.0, 1.51, 0.05)
    prior = Prior(
        ParameterTable(
            [Parameter("k", "yr-1", 0.1, 3.0, 1.0), Parameter("X0", "gC m-2", 50, 150, 100)]
        )
    )
    rng = np.random.default_rng(5)
    hits, cases = 0.0, 0
    for _ in range(40):
        k, X0 = prior.sample((), rng)
        value = X0 * np.exp(-k * t) + 5 * rng.normal(size=t.size)
        rows = pd.DataFrame({"time": t, "variable": "carbon", "value": value, "sd": 5.0})

        def assimilate(now):
            seen = SeriesObservations(
                now.known["value"], now.known["sd"], t=t, end=now.known["time"]
            )

            def model(theta):
                return theta[..., 1:] * np.exp(-theta[..., :1] * t)

            posterior = Posterior(prior, model, seen)
            draws = sample(posterior, "es-mda", now.rng, n_members=60, n_iter=4).draws
            return {"theta": (("member", "parameter"), draws)}

        def predict(now, analysis):
            k, X0 = analysis["theta"].values.T[..., None]
            lead = np.array([0.05, 0.5, 1.0])
            return {
                "carbon": (("member", "lead"), X0 * np.exp(-k * (now.date + lead))),
                "lead": lead,
            }

        archive = run_cycle(t[[6, 10]], rows, assimilate, predict)
        # Valid times are sums of decimals; the table is brought to the same numbers.
        rows["time"] = rows["time"].round(6)
        found = score(archive.assign_coords(time=archive["time"].round(6)), rows, "carbon")
        hits += float(found["inside"].sum())
        cases += int(found["inside"].notnull().sum())
    assert cases == 240
    assert 0.85 <= hits / cases <= 0.95


def test_a_null_model_is_a_cycle_too():
    def null(now, analysis):
        assert analysis is None
        ensemble = persistence(now.known["value"], 20, 40, rng=now.rng)
        return {"carbon": (("member", "lead"), ensemble), "lead": np.arange(1.0, 21.0)}

    archive = run_cycle(ISSUES, table(), None, null)
    assert set(archive.data_vars) == {"carbon", "n_known", "fingerprint"}
    model = score(cycle(), table(), "carbon")["crps"]
    assert float(score(archive, table(), "carbon")["crps"].mean()) > float(model.mean())


def test_the_long_table_has_a_row_a_number(tmp_path):
    archive = cycle()
    long = to_long_table(archive, "ar1", "twin")
    assert len(long) == archive["carbon"].size
    row = long.iloc[40 * 20 + 3 * 40 + 7]
    assert row["prediction"] == archive["carbon"].isel(issue=1, lead=3, member=7)
    assert row["datetime"] == ISSUES[1] + pd.Timedelta("4D")
    assert (row["family"], row["parameter"]) == ("ensemble", 7)


def test_wide_observations_become_rows():
    wide = pd.DataFrame(
        {"date": DAYS[:3], "a": [1.0, np.nan, 3.0], "a_sd": 0.1, "b": [4.0, 5.0, np.nan], "b_sd": 2}
    )
    rows = observation_table(wide, ["a", "b"])
    assert rows["variable"].tolist() == ["a", "b", "b", "a"]
    assert rows["value"].tolist() == [1.0, 4.0, 5.0, 3.0]
    with pytest.raises(InputError, match="no column 'c'"):
        observation_table(wide, ["c"])


def bad_forecast(**changes):
    def forecast(now, analysis):
        return ahead(now, analysis) | changes

    return lambda: run_cycle(ISSUES, table(), analyse, forecast)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cycle(issues=ISSUES[::-1]), "must increase, but 2001-03-11 follows"),
        (lambda: cycle(issues=["yesterday"]), "must hold dates"),
        (lambda: cycle(issues=[40.0]), "use the same for both"),
        (lambda: cycle(seed=-1), "seed must be"),
        (lambda: cycle(table().drop(columns="sd")), "no column 'sd'"),
        (lambda: cycle(table().assign(value=np.nan)), "without a value"),
        (lambda: cycle(table().assign(time=pd.NaT)), "each row needs a time"),
        (lambda: cycle(table().assign(available=DAYS[0])), "columns are swapped"),
        (lambda: cycle([1, 2]), "a pandas.DataFrame"),
        (lambda: run_cycle(ISSUES, table(), lambda now: 3, ahead), "assimilate returned int"),
        (lambda: run_cycle(ISSUES, table(), analyse, lambda n, a: None), "NoneType"),
        (bad_forecast(lead=("lead", -np.arange(20.0))), "lead must be at least 0"),
        (bad_forecast(lead=("lead", np.zeros(20))), "must increase"),
        (bad_forecast(carbon=(("draw", "lead"), np.ones((3, 20)))), "no dimension 'member'"),
        (bad_forecast(carbon=(("member", "lead"), np.full((40, 20), np.nan))), "NaN or infinity"),
        (bad_forecast(state=("member", np.ones(40))), "both have a variable 'state'"),
        (bad_forecast(carbon=(("member", "lead"), np.ones((3, 20)))), "40 along 'member'"),
        (bad_forecast(n_known=("member", np.ones(40))), "needs for itself"),
        (lambda: open_archive("nowhere"), "no archive"),
        (lambda: score(cycle(), table(), "nee"), "the archive has carbon"),
        (lambda: score(cycle(), table(40), "carbon"), "has been observed"),
        (lambda: score(cycle(), pd.concat([table(), table()]), "carbon"), "average them"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words) as told:
        call()
    assert str(told.value).endswith(".")


def test_an_archive_is_never_rewritten(tmp_path):
    cycle(out=tmp_path)
    revised = table().assign(value=lambda rows: rows["value"].where(rows.index != 5, 9.9))
    with pytest.raises(InputError, match="has changed since that forecast was archived"):
        cycle(revised, out=tmp_path)
    with pytest.raises(InputError, match="can be appended, not changed"):
        cycle(issues=[DAYS[30], *ISSUES], out=tmp_path)
    with pytest.raises(InputError, match="seed = 0, not 7"):
        cycle(seed=7, out=tmp_path)
    with pytest.raises(InputError, match="a run with assimilate = "):
        run_cycle(ISSUES, table(), Watched(), ahead, out=tmp_path)


def test_a_damaged_issue_is_made_again_and_a_damaged_archive_is_refused(tmp_path):
    out = tmp_path / "killed"
    killed(out, 3)
    _flip(out / "issues/00000001.nc")
    with pytest.warns(UserWarning, match=r"00000001\.nc was damaged"):
        resumed = run_cycle(ISSUES, table(), watched := Watched(), ahead, out=out)
    assert watched.dates == [ISSUES[1], *ISSUES[3:]]
    assert resumed.identical(run_cycle(ISSUES, table(), Watched(), ahead))
    _flip(out / "archive.nc")
    for read in (lambda: open_archive(out), lambda: run_cycle(ISSUES, table(), Watched(), ahead, out=out)):
        with pytest.raises(InputError, match=r"was damaged after it was written\. An archive is never rewritten"):
            read()


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("date", ["1600-01-01", "2300-01-01", "0001-01-01"])
def test_dates_that_would_wrap_round_are_refused(date):
    with pytest.raises(InputError, match="run from 1678 to 2261"):
        known_at(table(), date)


def test_forecasts_of_different_shape_do_not_mix():
    def growing(now, analysis):
        n = 5 if now.date == ISSUES[0] else 6
        return {"carbon": (("member", "lead"), np.ones((3, n))), "lead": np.arange(1.0, n + 1)}

    with pytest.raises(InputError, match="do not fit into one dataset"):
        run_cycle(ISSUES[:2], table(), None, growing)


@pytest.mark.parametrize("dates", [["05/01/2004", "05/02/2004"], ["5.1.2004", "5.2.2004"], ["2299-12-31"] * 2])
def test_dates_are_neither_guessed_nor_wrapped_round(dates):
    frame = pd.DataFrame({"date": dates, "carbon": 1.0, "carbon_sd": 0.1})
    with pytest.raises(InputError, match=r"one way only|1678 to 2261"):
        observation_table(frame, ["carbon"])
    with pytest.raises(InputError, match="year 1600"):
        known_at(table(), "1600-01-01")
