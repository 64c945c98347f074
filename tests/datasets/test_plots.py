"""Plots through the years: units, dates of leap years, treatments, reasons; and they meet a forecast."""

import pandas as pd
import pytest

from landcarbon.datasets import read_plots_csv
from landcarbon.matrix.errors import InputError

HEAD = "date,plot,variable,value [gC m-2],sd,warmer,site\n"


def write(tmp_path, text):
    path = tmp_path / "plots.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_units_by_header_and_by_row(tmp_path):
    plots = read_plots_csv(write(tmp_path, HEAD.replace("gC m-2", "t/ha") + "2016-07-01,1,wood,12,1.2,0,bog\n"))
    assert plots.table.loc[0, ["value", "sd"]].tolist() == [1200.0, 120.0]
    rows = "date,pool,value,sd,unit\n2016-07-01,wood,2,0.1,kgC m-2\n2016-07-01,GPP,1,0.1,umol m-2 s-1\n"
    plots = read_plots_csv(write(tmp_path, rows), names={"GPP": "gpp"})
    assert plots.units == {"gpp": "gC m-2 d-1", "wood": "gC m-2"}
    found = plots.table.set_index("variable")["value"].to_dict()
    assert found == pytest.approx({"wood": 2000.0, "gpp": 12.011e-6 * 86400}, rel=1e-6)


def test_days_of_leap_years_are_those_of_the_calendar(tmp_path):
    days = ("2015,60", "2016,60", "2016,366", "2015,366")
    rows = "".join(f"{day},wood,1,1\n" for day in days)
    plots = read_plots_csv(write(tmp_path, "year,doy,variable,value [gC m-2],sd\n" + rows))
    assert list(plots.table["time"].dt.strftime("%Y-%m-%d")) == ["2015-03-01", "2016-02-29", "2016-12-31"]
    assert plots.report["reason"].to_list() == ["", "", "", "no such day of the year"]


def test_each_row_has_its_reason_and_treatments_stay(tmp_path):
    rows = "2016-08-01,1,wood,5,1,2.25,bog\n2015-08-01,1,wood,n.d.,1,0,bog\n,1,wood,5,1,0,bog\n"
    rows += "2015-08-01,1,,5,1,0,bog\n2015-08-01,1,wood,5,0,0,bog\n2015-08-01,1,wood,much,1,0,bog\n"
    plots = read_plots_csv(write(tmp_path, HEAD + rows))
    assert plots.report["reason"].to_list() == [
        "", "value missing", "time missing", "no name of a variable", "no error above 0", "value not a number",
    ]  # fmt: skip
    assert plots.table["warmer"].tolist() == [2.25] and plots.table["site"].tolist() == ["bog"]
    assert "not used: 1 row(s), no error above 0" in str(plots)
    filled = read_plots_csv(write(tmp_path, HEAD + "2015-08-01,1,wood,5,,0,bog\n"), relative=0.2)
    assert filled.table["sd"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plot,variable,value [gC m-2]\n", "no column 'time'"),
        ("date,value [gC m-2]\n", "no column 'variable'"),
        ("date,variable,value,sd\n2016-01-01,wood,1,1\n", "have no unit"),
        ("date,variable,value [degC],sd\n2016-01-01,wood,1,1\n", "wood of plots.csv is in 'degC'"),
        ("date,variable,value,sd,unit\n2016-01-01,w,1,1,gC m-2\n2016-01-02,w,1,1,gC m-2 d-1\n", "are two variables"),
        ("date,variable,value [kgC m-2],sd [gC m-2]\n2016-01-01,wood,1,1\n", "give both in one unit"),
        ("date,time,variable,value [gC m-2]\n", "two columns for time"),
        (HEAD + "2016-01-01,1,wood,,1,0,a\n", "no row that can be used; the first: value missing"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_plots_csv(write(tmp_path, text))
    with pytest.raises(InputError, match="there is no file"):
        read_plots_csv(tmp_path / "none.csv")


def test_a_column_under_another_name(tmp_path):
    path = write(tmp_path, "Datum,variable,value [gC m-2],sd\n2016-01-01,wood,1,1\n")
    assert read_plots_csv(path, columns={"Datum": "time"}).table["time"].to_list() == [pd.Timestamp("2016-01-01")]
